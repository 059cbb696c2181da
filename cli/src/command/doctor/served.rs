//! Subflows that peers open to this host.

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::{is_off, Doctor};
use super::finding::Part::{self, Address, Bytes, Counted, Counters, Id, Interface, Number, Str};
use super::finding::{finding, Level};
use super::routes::Target;
use crate::host::places::{is_ipv4, is_link_local};
use crate::text::Text;

/// Counters of subflows that were sent, or should have been.
const TRIED: &str = "MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

impl Doctor<'_> {
    /// What keeps subflows from appearing that peers open.
    #[inline(never)]
    pub fn check_served(&mut self) {
        if !self.serves() {
            return;
        }
        // The address that clients know is not announced to them, unless it has
        // another port.
        let mut announces = false;
        for at in 0..self.count() {
            let address = self.key(at);
            let known = self.live.served.iter().any(|(_, here)| *here == address);
            announces |= self.is(at, EndpointFlags::SIGNAL) && (!known || self.port(at) != 0);
        }
        if !announces && is_off("allow_join_initial_addr_port") {
            finding!(
                self,
                Level::Fault,
                "join-forbidden",
                "joins to the address that clients know are forbidden (the C flag of \
                 MP_CAPABLE), and no other is announced: no connection can have a second \
                 subflow",
                "net.mptcp.allow_join_initial_addr_port=0; no endpoint has the flag signal; \
                 connections accepted {}, with further subflows {}",
                "sysctl -w net.mptcp.allow_join_initial_addr_port=1",
                [
                    Number(self.live.accepted.into()),
                    Number(self.live.accepted_joined.into())
                ],
            );
        }
        if self.live.accepted_stalled > 0 {
            finding!(
                self,
                Level::Note,
                "subflow-stalled",
                "some subflows of clients get no answers any more: their path drops all packets \
                 or long ones (MTU)",
                "connections accepted with one of either kind {}",
                "See ip-mptcp connection show for those whose retransmits grow, and look at \
                 their paths",
                [Number(self.live.accepted_stalled.into())],
            );
        }
        for at in 0..self.count() {
            let announced = self.is(at, EndpointFlags::SIGNAL) && self.is_up(at);
            if !announced || self.is_explained(at) || self.live.served_by(at) > 0 {
                continue;
            }
            if self.check_heard(at) || self.check_answered(at) {
                self.explain(at);
            }
        }
        self.check_announcements();
    }

    /// Whether somebody listens where peers are asked to come. The kernel does
    /// so itself for an endpoint with a port.
    #[inline(never)]
    fn check_heard(&mut self, at: usize) -> bool {
        if self.port(at) != 0 {
            return false;
        }
        let address = self.key(at);
        let index = self.interface(at);
        let hears = |port: Option<u16>| {
            let mut listeners = self.live.listeners.iter();
            listeners
                .any(|one| port.is_none_or(|port| port == one.port) && one.hears(address, index))
        };
        // At the ports of connections; where there are none, at any.
        let mut deaf = self
            .live
            .served
            .iter()
            .filter(|(port, _)| !hears(Some(*port)));
        let (port, other) = match deaf.next() {
            Some(served) => *served,
            None if !self.live.served.is_empty() || hears(None) => return false,
            None => match self.live.listeners.first() {
                Some(other) => (other.port, other.address),
                None => return false,
            },
        };
        let listener = self.live.listeners.iter().find(|one| one.port == port);
        let (listening, other) = if let Some(listener) = listener {
            match listener.interface {
                0 => (
                    " an MPTCP socket listens only at others, as ",
                    Address(other),
                ),
                bound => (
                    " an MPTCP socket listens only on another interface, ",
                    Interface(bound),
                ),
            }
        } else {
            let gone = ", where connections have arrived, no MPTCP socket listens any more";
            (gone, Str(""))
        };
        finding!(
            self,
            Level::Fault,
            "signal-unheard",
            "an address is announced at which nobody listens: subflows to it are refused",
            "{}; at port {}{}{}",
            "Let the server listen on all addresses (0.0.0.0 or ::) as long as it has \
             connections, or the kernel, at a free port that firewalls let through: ip-mptcp \
             endpoint change id {} port PORT",
            [
                Part::Endpoint(at),
                Number(port.into()),
                Str(listening),
                other,
                Id(at)
            ]
        );
        true
    }

    /// Whether packets to and from an announced address take its interface.
    #[inline(never)]
    fn check_answered(&mut self, at: usize) -> bool {
        let address = self.key(at);
        let ipv4 = is_ipv4(address);
        if is_link_local(address) {
            return false;
        }
        let mut clients = self.live.clients.iter();
        let target = match clients.find(|client| is_ipv4(**client) == ipv4) {
            Some(client) => Some(Target {
                address: *client,
                port: 0,
                mark: 0,
                any: false,
            }),
            None => self.anywhere(ipv4),
        };
        match target {
            Some(target) => self.check_answers(at, &target),
            None => false,
        }
    }

    /// Whether addresses are announced, and the announcements arrive.
    #[inline(never)]
    fn check_announcements(&mut self) {
        let unannounced = self.live.unannounced;
        let [sent, all] = [self.live.announced, self.live.announceable];
        let both = EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW;
        // Subflows to clients: this host has none to open for itself.
        let tried = self.live.opened == 0 && self.history.sum(TRIED) > 0;
        if unannounced > 0 && tried && self.any(both) {
            let mut remedy = Text::default();
            for at in 0..self.count() {
                if self.is(at, both) {
                    self.change(&mut remedy, at);
                    remedy.bytes(b" nosubflow");
                }
            }
            finding!(
                self,
                Level::Fault,
                "signal-subflow",
                "a server has endpoints with signal and subflow: it uses them up for subflows \
                 to its clients, which refuse them, and does not announce all",
                "connections accepted without all announcements {}, one of them with {} of {}; {}",
                "{}",
                [
                    Number(unannounced.into()),
                    Number(sent.into()),
                    Number(all.into()),
                    Counted(TRIED),
                    Bytes(remedy.as_bytes())
                ]
            );
            return;
        }
        self.check_no_room();
    }

    /// IPv6 addresses with a port do not fit beside timestamps.
    #[inline(never)]
    fn check_no_room(&mut self) {
        if self.history.of(b"AddAddrTxDrop") == 0 {
            return;
        }
        let mut remedy = Text::default();
        let mut example = None;
        for at in 0..self.count() {
            let long = !is_ipv4(self.key(at)) && self.port(at) != 0;
            if !long || !self.is(at, EndpointFlags::SIGNAL) || self.live.served_by(at) > 0 {
                continue;
            }
            example = Some(at);
            self.change(&mut remedy, at);
            remedy.bytes(b" port 0");
        }
        if let Some(example) = example {
            finding!(
                self,
                Level::Fault,
                "add-addr-dropped",
                "an IPv6 address with a port does not fit into an announcement beside timestamps",
                "{}; {}",
                "{}",
                [
                    Part::Endpoint(example),
                    Counters("AddAddrTxDrop AddAddrTx"),
                    Bytes(remedy.as_bytes())
                ],
            );
        }
    }
}
