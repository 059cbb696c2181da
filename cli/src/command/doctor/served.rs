//! Subflows that peers open to this host.

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::{is_off, Doctor, Target, ABOUT, REMEDY};
use super::finding::{finding, Level};
use crate::host::live::Place;
use crate::host::places::is_link_local;
use crate::kernel::key::is_ipv4;

/// Counters of subflows that were sent, or should have been.
const TRIED: &[u8] = b"MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

impl Doctor<'_> {
    /// What prevents subflows that peers should open.
    #[inline(never)]
    pub fn check_served(&mut self) {
        if !self.serves() {
            return;
        }
        // The address that clients already know is not announced to them, unless with
        // another port.
        let mut announces = false;
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SIGNAL) {
            announces |= !self.is_known() || self.endpoint.port != 0;
        }
        if !announces && is_off("allow_join_initial_addr_port") {
            finding!(
                self,
                Level::Fault,
                "join-forbidden",
                "joins to the address that clients know are forbidden (the C flag of \
                 MP_CAPABLE), and no other is announced",
                "net.mptcp.allow_join_initial_addr_port=0; connections accepted {}, with \
                 further subflows {}",
                "{n}sysctl -w net.mptcp.allow_join_initial_addr_port=1",
                [self.live.accepted, self.live.accepted_joined],
            );
        }
        if self.live.accepted_stalled > 0 {
            finding!(
                self,
                Level::Note,
                "subflow-stalled",
                "subflows of clients get no answers any more: their path drops all packets or \
                 long ones (MTU)",
                "connections accepted with one of either kind {}",
                "Look at the paths of those whose retransmits grow in {i}connection show",
                [self.live.accepted_stalled],
            );
        }
        at = 0;
        while self.next(&mut at, EndpointFlags::SIGNAL) {
            if !self.is_up() || self.is_explained() || self.is_visited() {
                continue;
            }
            if self.check_heard() || self.check_answered() {
                self.explain();
            }
        }
        self.check_announcements();
    }

    /// Whether a further subflow of a connection accepted here is at the endpoint.
    fn is_visited(&self) -> bool {
        self.row().is_some_and(|row| row.served > 0)
    }

    /// Whether there is a listener where peers are asked to connect. For an endpoint with a
    /// port, the kernel itself listens.
    #[inline(never)]
    fn check_heard(&mut self) -> bool {
        let of = &self.endpoint;
        if of.port != 0 {
            return false;
        }
        let hears = |port: u16| {
            let mut listeners = self.live.listeners.iter();
            listeners.any(|one| (port == 0 || port == one.port) && one.hears(of.key, of.interface))
        };
        // At the ports of connections; if there are none, at any port.
        let mut served = self.live.served.iter();
        let deaf = match served.find(|one| !hears(one.port)) {
            None if self.live.served.is_empty() && !hears(0) => self.live.listeners.first(),
            deaf => deaf,
        };
        let Some(&Place { port, address, .. }) = deaf else {
            return false;
        };
        self.to.address = address;
        let mut listeners = self.live.listeners.iter();
        let words = match listeners.find(|one| one.port == port) {
            None => ", where connections arrived, no MPTCP socket listens any more",
            Some(Place { interface: 0, .. }) => " an MPTCP socket listens only at others, as {t}",
            Some(listener) => {
                self.other = listener.interface;
                " an MPTCP socket listens only on another interface, {o}"
            }
        };
        self.say(words);
        finding!(
            self,
            Level::Fault,
            "signal-unheard",
            "an address is announced at which nobody listens: subflows to it are refused",
            "{e}; at port {}{b}",
            "Let the server listen on all addresses (0.0.0.0 or ::) while it has connections, \
             or the kernel at a free port that firewalls let through: {c} port PORT",
            [port],
        );
        true
    }

    /// Whether packets to and from an announced address use its interface.
    fn check_answered(&mut self) -> bool {
        let address = self.endpoint.key;
        if is_link_local(address) {
            return false;
        }
        let client = self.live.clients[usize::from(is_ipv4(address))];
        self.to = Target {
            address: client,
            ..Target::default()
        };
        if client == 0 && !self.goes_anywhere() {
            return false;
        }
        self.check_answers()
    }

    /// Whether addresses are announced, and the announcements arrive.
    fn check_announcements(&mut self) {
        let both = EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW;
        // Subflows to clients, if this host opens no connections.
        let tried = self.live.opened == 0 && self.history.sum(TRIED) > 0;
        if self.live.unannounced == 0 || !tried || !self.any(both) {
            return self.check_no_room();
        }
        let mut at = 0;
        while self.next(&mut at, both) {
            self.change(" nosubflow");
        }
        self.counters = TRIED;
        finding!(
            self,
            Level::Fault,
            "signal-subflow",
            "endpoints of a server have signal and subflow: it uses them up for subflows to its \
             clients, which refuse them, and does not announce all",
            "connections accepted without all announcements {}, one of them with {} of {}; {!}",
            "{r}",
            [
                self.live.unannounced,
                self.live.announced,
                self.live.announceable
            ]
        );
    }

    /// IPv6 addresses with a port do not fit beside timestamps.
    fn check_no_room(&mut self) {
        if self.history.sum(b"AddAddrTxDrop") == 0 {
            return;
        }
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SIGNAL) {
            let long = !is_ipv4(self.endpoint.key) && self.endpoint.port != 0;
            if !long || self.is_visited() {
                continue;
            }
            self.texts[ABOUT].clear();
            self.say("{e}");
            self.change(" port 0");
        }
        if self.texts[REMEDY].is_empty() {
            return;
        }
        finding!(
            self,
            Level::Fault,
            "add-addr-dropped",
            "an IPv6 address with a port does not fit into an announcement beside timestamps",
            "{b}; {=AddAddrTxDrop AddAddrTx}",
            "{r}",
        );
    }
}
