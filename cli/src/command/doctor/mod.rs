//! `doctor`: why subflows do not appear.
//!
//! The current connections are checked first: an established subflow refutes whatever says
//! that it cannot exist. Counters show a fault only if they grow; what lies in the past is a
//! note.

mod counted;
mod facts;
mod finding;
mod history;
mod managers;
mod paths;
mod routes;
mod served;

use mptcp_codec::mptcp::EndpointFlags;

use self::facts::{is_off, sysctl, Doctor, Target};
use self::finding::{finding, texts, Level};
use self::history::History;
use crate::args::Options;
use crate::error::{Result, Status};
use crate::host::health::{Facts, Host, Presence};
use crate::host::live::{plain_listeners, Live};
use crate::kernel::proc;
use crate::kernel::Diagnostics;
use crate::session::Session;
use crate::session::{Command, Does};
use crate::sys;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "doctor",
    words: "[ --since FILE ]",
    help: "Find out why subflows do not appear.\n\
           Counters matter only if they grow within a second, or since FILE was written by \
           counters --all. A fault is what does not work now; a note is about the past, or may be \
           intended. A remedy is commands to paste, or a sentence, which begins with a capital \
           letter.\n\
           Exit status: 1 there is a fault; 0 there is none.\n\
           \n\
           Examples:\n\
           \x20 ip-mptcp doctor || logger 'MPTCP is ill'\n\
           \x20 ip-mptcp counters --all >/run/mptcp.counters\n\
           \x20 ip-mptcp doctor --since /run/mptcp.counters",
    does: Does::Options(run),
};

/// The exit status if something is wrong.
const WRONG: Status = 1;

/// How long an answer may take, and how long counters are watched, in milliseconds.
const LOOK: i32 = 1000;

fn run(session: &mut Session, options: &Options) -> Result<Status> {
    let mut doctor = Doctor {
        session,
        host: &mut Host::new(),
        live: Live::new(),
        history: History::default(),
        findings: 0,
        faults: 0,
        failed: Ok(()),
        at: 0,
        endpoint: Facts::default(),
        to: Target::default(),
        other: 0,
        counters: b"",
        texts: Default::default(),
    };
    if let Some(file) = options.since {
        doctor.history.since(file)?;
    }
    doctor.session.out.begin_list("");
    match doctor.session.path_manager() {
        Ok(_) => doctor.examine()?,
        Err(error) if error.errno() == libc::ENOENT as usize => finding!(
            doctor,
            Level::Fault,
            "no-mptcp",
            "this kernel has no MPTCP",
            "no netlink family \"mptcp_pm\"",
            "Run Linux 5.7 or newer with CONFIG_MPTCP=y",
        ),
        Err(error) => return Err(error),
    }
    doctor.failed?;
    let out = &mut doctor.session.out;
    out.end_list();
    if doctor.findings == 0 && !out.style.json {
        out.text("nothing is wrong");
        out.end_line();
    }
    Ok(if doctor.faults == 0 { 0 } else { WRONG })
}

impl Doctor<'_> {
    /// Looks at everything.
    fn examine(&mut self) -> Result<()> {
        let listener = self.session.path_manager()?.has_listener();
        self.host.read(self.session)?;
        let mut diagnostics = Diagnostics::open(self.session.receive_buffer())?;
        self.live.look(&mut diagnostics, self.host)?;
        self.history.read();
        let counted = !self.history.has_before && self.history.has_failed();
        if self.live.unsettled || counted || self.lacks_echoes() {
            // Go on after this time, or after a signal.
            let _ = sys::poll_all(&mut [], LOOK);
            self.history.read();
            if self.live.unsettled {
                self.live.look(&mut diagnostics, self.host)?;
            }
        }
        if is_off("enabled") {
            finding!(
                self,
                Level::Fault,
                "disabled",
                "MPTCP is switched off: new sockets get TCP",
                "net.mptcp.enabled=0",
                "{n}sysctl -w net.mptcp.enabled=1",
            );
        }
        // The path manager of new connections; before Linux 6.15 a number.
        let mut manager = sysctl("path_manager");
        if manager.is_empty() {
            manager = sysctl("pm_type");
        }
        // Without either, it is the kernel's.
        let is_kernel = manager.is_empty() || manager == b"kernel" || manager == b"0";
        let is_user_space = manager == b"userspace" || manager == b"1";
        if is_kernel {
            self.check_endpoints(&mut diagnostics);
        } else if is_user_space && listener == Some(false) {
            finding!(
                self,
                Level::Fault,
                "no-listener",
                "the user-space path manager is chosen, and none is running",
                "net.mptcp.path_manager=userspace; nobody listens to events here",
                "{n}sysctl -w net.mptcp.path_manager=kernel",
            );
        } else if is_user_space && self.live.opened > 0 && self.live.opened_joined == 0 {
            // The listener may be a monitor.
            finding!(
                self,
                Level::Note,
                "user-space",
                "the user-space path manager is chosen: the kernel uses no endpoints, and what \
                 listens has opened no subflow",
                "net.mptcp.path_manager=userspace; connections opened here {}, with further \
                 subflows 0",
                "If none is meant to run: {n}sysctl -w net.mptcp.path_manager=kernel",
                [self.live.opened]
            );
        }
        self.check_fallbacks();
        self.check_counters();
        Ok(())
    }

    /// Whether limits and endpoints allow the kernel's path manager to do what is expected
    /// of it.
    fn check_endpoints(&mut self, diagnostics: &mut Diagnostics) {
        self.check_presence();
        if self.check_plain() {
            return;
        }
        self.check_purpose(diagnostics);
        self.check_paths();
        self.check_served();
        self.check_managers();
    }

    /// Whether each endpoint is where it should be.
    #[inline(never)]
    fn check_presence(&mut self) {
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::EMPTY) {
            let mut level = Level::Fault;
            // The interface that has the address, which the endpoint may not name.
            self.other = self.host.places.addresses.interface(self.endpoint.key);
            let texts = match self.endpoint.presence {
                Presence::Up | Presence::Translated => continue,
                Presence::Down => texts!(
                    "endpoint-down",
                    "the interface of an endpoint is down",
                    "{e}",
                    "{w}link set dev {d} up",
                ),
                Presence::NoCarrier => texts!(
                    "endpoint-no-carrier",
                    "the interface of an endpoint is not connected",
                    "{e}",
                    "Check the cable, modem or access point",
                ),
                Presence::NoDevice if self.other != 0 => texts!(
                    "endpoint-no-device",
                    "the interface of an endpoint no longer exists",
                    "{e}; the address is on {o}",
                    "{c} dev {o}",
                ),
                Presence::NoDevice => texts!(
                    "endpoint-no-device",
                    "the interface of an endpoint no longer exists",
                    "{e}; its address is on no interface",
                    "{x}",
                ),
                Presence::NoAddress if self.has(EndpointFlags::SUBFLOW) => texts!(
                    "endpoint-no-address",
                    "the address of an endpoint is on no interface",
                    "{e}",
                    "{x}",
                ),
                Presence::NoAddress => {
                    level = Level::Note;
                    texts!(
                        "endpoint-no-address",
                        "an announced address is on no interface: peers cannot reach it, unless \
                         NAT leads it here",
                        "{e}",
                        "{x}",
                    )
                }
                Presence::OtherDevice if self.is_used() => continue,
                Presence::OtherDevice => texts!(
                    "endpoint-other-device",
                    "the address of an endpoint is on another interface than it names",
                    "{e}; the address is on {o}",
                    "{c} dev {o}",
                ),
            };
            self.find(level, texts);
            self.explain();
        }
    }

    /// Whether no program asks for MPTCP at all.
    #[inline(never)]
    fn check_plain(&mut self) -> bool {
        let asked = b"MPCapableSYNTX MPCapableSYNRX MPCapableSYNTXDisabled";
        let sockets = self.live.opened + self.live.accepted + self.live.own + self.live.fallbacks;
        if sockets > 0
            || !self.live.listeners.is_empty()
            || !self.any(EndpointFlags::EMPTY)
            || self.history.sum(asked) > 0
            || is_off("enabled")
        {
            return false;
        }
        let [opened, accepted] = proc::tcp_opens();
        if opened + accepted == 0 {
            return false;
        }
        finding!(
            self,
            Level::Fault,
            "plain-tcp",
            "endpoints are set up, and no program asks for MPTCP",
            "{=MPCapableSYNTX MPCapableSYNRX}; TCP connections opened {}, accepted {}",
            "Start programs with mptcpize run PROGRAM, those in Go with GODEBUG=multipathtcp=1, \
             or use their option (curl --mptcp); servers need it too",
            [opened, accepted],
        );
        true
    }

    /// Whether limits and endpoints make sense for this host.
    #[inline(never)]
    fn check_purpose(&mut self, diagnostics: &mut Diagnostics) {
        let subflow = self.any(EndpointFlags::SUBFLOW);
        let fullmesh = self.any(EndpointFlags::FULLMESH);
        let wide = fullmesh || self.any(EndpointFlags::LAMINAR);
        let none = !self.any(EndpointFlags::EMPTY);
        // Announced addresses are not used.
        let ignored = self.host.add_addr_accepted == 0
            && self.live.opened > 0
            && self.live.opened_joined == 0
            && self.history.sum(b"AddAddr") > 0;
        if self.host.more_subflows == 0 {
            finding!(
                self,
                Level::Fault,
                "limit-subflows",
                "no connection may have a second subflow",
                "{l}",
                "{s}{}",
                [self.count().clamp(2, 8) as u64]
            );
        }
        let idle = fullmesh && !(0..self.count()).any(|at| self.live.is_used(at));
        let ignored = ignored && (!subflow || idle);
        let level = self.announced();
        let check = if wide {
            "fullmesh-idle"
        } else {
            "add-addr-ignored"
        };
        if ignored && level == Level::Fault {
            self.say(check);
            finding!(
                self,
                Level::Fault,
                "{b}",
                "peers announce addresses, and none is accepted: connections have no further \
                 subflow",
                "{=AddAddr}; connections opened here {}, with further subflows 0; {l}",
                "{i}limits set add_addr_accepted 2",
                [self.live.opened]
            );
        } else if none {
            if !self.serves() && self.host.add_addr_accepted == 0 && self.live.opened_joined == 0 {
                finding!(
                    self,
                    Level::Fault,
                    "no-endpoints",
                    "nothing makes this host open further subflows",
                    "no endpoints; {l}",
                    "For the address of each further path: {i}endpoint add ADDRESS dev IF \
                     subflow",
                );
            }
        } else if !wide && !subflow {
            self.check_announced_only(diagnostics);
        } else if self.live.accepted > 0
            && self.live.opened == 0
            && !self.any(EndpointFlags::SIGNAL)
        {
            self.check_never_announced();
        }
        if ignored && level == Level::Note {
            self.say(check);
            finding!(
                self,
                level,
                "{b}",
                "peers announced addresses, to these connections or only to earlier ones, and \
                 none is accepted now",
                "{+AddAddr}; connections opened here {}, with further subflows 0; {l}",
                "If new connections make AddAddr grow: {i}limits set add_addr_accepted 2",
                [self.live.opened]
            );
        }
    }

    /// Endpoints are only announced, which is of use to servers, and to clients if the peer
    /// announces addresses too.
    fn check_announced_only(&mut self, diagnostics: &mut Diagnostics) {
        if self.serves() || self.live.opened_joined > 0 {
            return;
        }
        let (mut plain, mut port) = (0, 0);
        if let Err(error) = plain_listeners(diagnostics, &mut plain, &mut port) {
            self.failed = Err(error);
        }
        if self.live.opened == 0 && plain > 0 {
            self.turn_to(0);
            finding!(
                self,
                Level::Fault,
                "no-mptcp-listener",
                "addresses are announced, and no server here listens with MPTCP",
                "{e}; sockets that listen with plain TCP {}, one of them at port {}",
                "Start the server with mptcpize run PROGRAM, or use its option; endpoints of a \
                 client need subflow, not signal",
                [plain, port],
            );
        } else if self.host.add_addr_accepted == 0 || self.live.opened > 0 {
            let mut at = 0;
            while self.next(&mut at, EndpointFlags::EMPTY) {
                self.change(match self.endpoint.port {
                    0 => " subflow nosignal",
                    _ => " port 0 subflow nosignal",
                });
            }
            finding!(
                self,
                Level::Fault,
                "signal-only",
                "endpoints are only announced, and nobody connects here: no subflow is opened \
                 from them",
                "no endpoint has the flag subflow; no MPTCP socket listens; connections opened \
                 here {}, with further subflows 0",
                "{r}",
                [self.live.opened],
            );
        }
    }

    /// A server whose endpoints are only for subflows opened from here, which clients refuse.
    fn check_never_announced(&mut self) {
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SUBFLOW) {
            if self.is_known() || !self.is_up() || self.is_used() {
                continue;
            }
            finding!(
                self,
                // Clients may reach the server through endpoints of their own.
                if self.live.accepted_joined > 0 {
                    Level::Note
                } else {
                    Level::Fault
                },
                "subflow-only",
                "an endpoint is not announced: clients take no subflow that a server opens",
                "{e}; connections accepted {}, opened 0, with a subflow at it 0",
                "{c} nosubflow nofullmesh signal",
                [self.live.accepted],
            );
            self.explain();
        }
    }
}
