//! Programs that manage endpoints beside each other.

use core::ffi::CStr;

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::Doctor;
use super::finding::Part::{Bytes, Number};
use super::finding::{finding, Level};
use crate::kernel::proc;
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::{join, Text};

/// Those that are known, by the names of their processes; with what makes each
/// leave the endpoints alone.
const MANAGERS: [(&str, &str); 3] = [
    (
        "NetworkManager",
        "for each NAME of nmcli connection show: nmcli connection modify NAME \
         connection.mptcp-flags disabled",
    ),
    ("mptcpd", "systemctl disable --now mptcp"),
    ("ip-mptcp", "stop the service that runs ip-mptcp watch"),
];

impl Doctor<'_> {
    /// Whether several programs manage the endpoints of this namespace: each
    /// undoes what the others do.
    #[inline(never)]
    pub fn check_managers(&mut self) {
        if !self.any(EndpointFlags::default()) {
            return;
        }
        let mut found = 0_u8;
        let mut processes = Vec::new();
        // Without /proc nothing is found.
        let _ = sys::names_in(c"/proc", &mut processes);
        let mut text = Vec::new();
        for process in &processes {
            proc::value(&[b"/proc/", process, b"/comm"], &mut text);
            for (at, (name, _)) in MANAGERS.iter().enumerate() {
                if name.as_bytes() != text || !is_here(process) {
                    continue;
                }
                if at == 2 {
                    // Only one that follows.
                    proc::value(&[b"/proc/", process, b"/cmdline"], &mut text);
                    if !contains(&text, b"\0watch") {
                        break;
                    }
                }
                found |= 1 << at;
            }
        }
        if found.count_ones() < 2 {
            return;
        }
        let mut names = Text::default();
        let mut remedy = Text::default();
        for (at, (name, leave)) in MANAGERS.iter().enumerate() {
            if found & 1 << at == 0 {
                continue;
            }
            if !names.as_bytes().is_empty() {
                names.bytes(b" and ");
                remedy.bytes(b"; or ");
            }
            names.bytes(name.as_bytes());
            remedy.bytes(leave.as_bytes());
        }
        finding!(
            self,
            Level::Note,
            "other-manager",
            "several programs manage endpoints here: each undoes what the others do",
            "{} run in this namespace; endpoints {}",
            "Keep one of them: {}",
            [
                Bytes(names.as_bytes()),
                Number(self.count() as u64),
                Bytes(remedy.as_bytes())
            ],
        );
    }
}

/// Whether a process is in the network namespace of this one; true where that
/// cannot be seen.
fn is_here(process: &[u8]) -> bool {
    let mut namespaces = [[0; 64]; 2];
    for (process, namespace) in [process, b"self"].iter().zip(&mut namespaces) {
        let path = join(&[b"/proc/", process, b"/ns/net\0"]);
        let path = CStr::from_bytes_with_nul(&path).unwrap_or_default();
        if sys::link_target(path, namespace).is_err() {
            return true;
        }
    }
    let [its, own] = namespaces;
    its == own
}
