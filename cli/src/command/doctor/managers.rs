//! Programs that manage endpoints beside each other.

use core::ffi::CStr;

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::Doctor;
use super::finding::{finding, Level};
use crate::kernel::proc;
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::join;

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
        if !self.any(EndpointFlags::EMPTY) {
            return;
        }
        let mut running = 0_u8;
        let mut text = Vec::new();
        // Without /proc nothing is found.
        let _ = sys::each_name(c"/proc", &mut |process| {
            proc::value(&[b"/proc/", process, b"/comm"], &mut text);
            for (at, (name, _)) in MANAGERS.iter().enumerate() {
                if name.as_bytes() == text && is_here(process) && (at != 2 || follows(process)) {
                    running |= 1 << at;
                }
            }
        });
        if running.count_ones() < 2 {
            return;
        }
        for (at, (name, leave)) in MANAGERS.iter().enumerate() {
            if running & 1 << at != 0 {
                if !self.about.is_empty() {
                    self.say(" and ", &[]);
                    self.advise("; or ", &[]);
                }
                self.say(name, &[]);
                self.advise(leave, &[]);
            }
        }
        finding!(
            self,
            Level::Note,
            "other-manager",
            "several programs manage endpoints here: each undoes what the others do",
            "{b} run in this namespace; endpoints {}",
            "Keep one of them: {r}",
            [self.count() as u64]
        );
    }
}

/// Whether ip-mptcp is one that follows what happens.
fn follows(process: &[u8]) -> bool {
    let mut text = Vec::new();
    proc::value(&[b"/proc/", process, b"/cmdline"], &mut text);
    contains(&text, b"\0watch")
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
