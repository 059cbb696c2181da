//! Subflows that peers open to this host.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::facts::{has, is_off, Doctor};
use super::finding::Part::{self, Address, Bytes, Counted, Counters, Id, Interface, Number, Str};
use super::finding::{finding, Level};
use super::routes::Target;
use crate::error::Result;
use crate::host::health::Presence;
use crate::host::places::{is_ipv4, is_link_local, key_of};
use crate::text::Text;

/// Counters of subflows that were sent, or should have been.
const TRIED: &str = "MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

impl Doctor<'_> {
    /// What keeps subflows from appearing that peers open.
    #[inline(never)]
    pub fn check_served(&mut self) -> Result<()> {
        if !self.serves() {
            return Ok(());
        }
        let endpoints = self.endpoints(EndpointFlags::SIGNAL);
        // The address that clients know is not announced to them, unless it has
        // another port.
        let announces = endpoints.iter().any(|(_, endpoint)| {
            let address = key_of(endpoint);
            let known = self.live.served.iter().any(|(_, here)| *here == address);
            !known || endpoint.port().unwrap_or(0) != 0
        });
        if !announces && is_off("allow_join_initial_addr_port") {
            finding!(
                self,
                Level::Fault,
                "join-forbidden",
                "clients may not join their connections at the address that they know (the C flag \
                 of MP_CAPABLE), and no other is announced: no connection can have a second \
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
                "subflows of clients get no answers any more, and others of their connections do: \
                 their path drops all packets or long ones (MTU)",
                "connections accepted with one of either kind {}",
                "See ip-mptcp connection show for those whose retransmits grow, and look at the \
                 paths between their addresses",
                [Number(self.live.accepted_stalled.into())],
            );
        }
        for (at, endpoint) in &endpoints {
            let up = self.host.presence(endpoint) == Presence::Up;
            if !up || self.is_explained(*at) || self.live.served_by(*at) > 0 {
                continue;
            }
            if self.check_heard(endpoint) || self.check_answered(endpoint)? {
                self.explain(*at);
            }
        }
        self.check_announcements(&endpoints);
        Ok(())
    }

    /// Whether somebody listens where peers are asked to come. The kernel does
    /// so itself for an endpoint with a port.
    #[inline(never)]
    fn check_heard(&mut self, endpoint: &Endpoint) -> bool {
        if endpoint.port().unwrap_or(0) != 0 {
            return false;
        }
        let address = key_of(endpoint);
        let index = self.interface(endpoint);
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
             connections, or let the kernel listen, at a port that is free and let through: \
             ip-mptcp endpoint change id {} port PORT",
            [
                Part::Endpoint(endpoint),
                Number(port.into()),
                Str(listening),
                other,
                Id(endpoint)
            ]
        );
        true
    }

    /// Whether packets to and from an announced address take its interface.
    #[inline(never)]
    fn check_answered(&mut self, endpoint: &Endpoint) -> Result<bool> {
        let ipv4 = is_ipv4(key_of(endpoint));
        if is_link_local(key_of(endpoint)) {
            return Ok(false);
        }
        let mut clients = self.live.clients.iter();
        let target = match clients.find(|client| is_ipv4(**client) == ipv4) {
            Some(client) => Some(Target {
                address: *client,
                port: 0,
                mark: 0,
                any: false,
            }),
            None => self.anywhere(ipv4)?,
        };
        match target {
            Some(target) => self.check_answers(endpoint, &target),
            None => Ok(false),
        }
    }

    /// Whether addresses are announced, and the announcements arrive.
    #[inline(never)]
    fn check_announcements(&mut self, endpoints: &[(usize, Endpoint)]) {
        let unannounced = self.live.unannounced;
        let [sent, all] = [self.live.announced, self.live.announceable];
        let both = EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW;
        // Subflows to clients: this host has none to open for itself.
        let tried = self.live.opened == 0 && self.history.sum(TRIED) > 0;
        if unannounced > 0 && tried && endpoints.iter().any(|(_, one)| has(one, both)) {
            let mut remedy = Text::default();
            for (_, endpoint) in endpoints.iter().filter(|(_, one)| has(one, both)) {
                Self::change(&mut remedy, endpoint);
                remedy.bytes(b" nosubflow");
            }
            finding!(
                self,
                Level::Fault,
                "signal-subflow",
                "a server has endpoints with the flags signal and subflow, uses them up for \
                 subflows to its clients, which refuse them, and announces not all of them",
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
        self.check_no_room(endpoints);
    }

    /// IPv6 addresses with a port do not fit beside timestamps.
    #[inline(never)]
    fn check_no_room(&mut self, endpoints: &[(usize, Endpoint)]) {
        let dropped = self.history.of(b"AddAddrTxDrop");
        let mut remedy = Text::default();
        let mut example = None;
        for (at, endpoint) in endpoints {
            let long = !is_ipv4(key_of(endpoint)) && endpoint.port().unwrap_or(0) != 0;
            if dropped == 0 || !long || self.live.served_by(*at) > 0 {
                continue;
            }
            example = Some(*endpoint);
            Self::change(&mut remedy, endpoint);
            remedy.bytes(b" port 0");
        }
        if let Some(endpoint) = example {
            finding!(
                self,
                Level::Fault,
                "add-addr-dropped",
                "an IPv6 address with a port does not fit into an announcement beside timestamps",
                "{}; {}",
                "{}",
                [
                    Part::Endpoint(&endpoint),
                    Counters("AddAddrTxDrop AddAddrTx"),
                    Bytes(remedy.as_bytes())
                ],
            );
        }
    }
}
