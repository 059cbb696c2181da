//! Programs that manage endpoints at the same time.

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::{Doctor, ABOUT};
use super::finding::{finding, Level};
use crate::kernel::proc;
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::join;

/// The known ones, by the names of their processes, and how to make each leave the endpoints
/// alone.
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
    /// Whether several programs manage the endpoints of this namespace: each would undo
    /// what the others do.
    #[inline(never)]
    pub fn check_managers(&mut self) {
        if !self.any(EndpointFlags::EMPTY) {
            return;
        }
        let mut running = 0_u8;
        let mut text = Vec::new();
        let mut own = [0; 64];
        find_namespace(b"self", &mut own);
        // Without /proc nothing is found.
        let _ = sys::each_name(c"/proc", &mut |process| {
            proc::value(&[b"/proc/", process, b"/comm"], &mut text);
            for (at, (name, _)) in MANAGERS.iter().enumerate() {
                if name.as_bytes() != text {
                    continue;
                }
                if at == 2 {
                    // Only `watch`.
                    proc::value(&[b"/proc/", process, b"/cmdline"], &mut text);
                    if !contains(&text, b"\0watch") {
                        break;
                    }
                }
                // If its namespace cannot be read, it may be this one.
                let mut its = own;
                find_namespace(process, &mut its);
                if its == own {
                    running |= 1 << at;
                }
                break;
            }
        });
        if running.count_ones() < 2 {
            return;
        }
        for (at, (name, leave)) in MANAGERS.iter().enumerate() {
            if running & 1 << at != 0 {
                if !self.texts[ABOUT].is_empty() {
                    self.say(" and ");
                    self.advise("; or ");
                }
                self.say(name);
                self.advise(leave);
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

/// The name of the network namespace that a process is in, if it can be read.
fn find_namespace(process: &[u8], name: &mut [u8; 64]) {
    let path = join(&[b"/proc/", process, b"/ns/net\0"]);
    // What cannot be read stays as it was.
    let _ = sys::link_target(sys::c_str(&path).unwrap_or_default(), name);
}
