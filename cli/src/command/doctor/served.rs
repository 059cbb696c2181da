//! Subflows that peers open to this host.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::facts::{has, is_link_local, sysctl, Doctor};
use super::finding::Part::{self, Bytes, Counted, Counters, Number, Str};
use super::routes::Target;
use crate::error::Result;
use crate::host::health::Presence;
use crate::host::places::{is_ipv4, key_of};
use crate::text::Text;

/// Counters of subflows that were sent, or should have been.
const TRIED: &str = "MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

impl Doctor<'_> {
    /// What keeps subflows from appearing that peers open.
    pub fn check_served(&mut self) -> Result<()> {
        if !self.serves() {
            return Ok(());
        }
        let endpoints: Vec<(usize, Endpoint)> = self
            .endpoints()
            .into_iter()
            .filter(|(_, endpoint)| has(endpoint, EndpointFlags::SIGNAL))
            .collect();
        // The address that clients know is not announced to them, unless it has
        // another port.
        let announces = endpoints.iter().any(|(_, endpoint)| {
            let address = key_of(endpoint);
            let known = self.live.served.iter().any(|(_, here)| *here == address);
            !known || endpoint.port().unwrap_or(0) != 0
        });
        if !announces && sysctl("allow_join_initial_addr_port") == b"0" {
            self.fault(
                "join-forbidden",
                "clients may not join their connections at the address that they know (the C flag \
                 of MP_CAPABLE), and no other is announced: no connection can have a second subflow",
                &[
                    Str("net.mptcp.allow_join_initial_addr_port=0; no endpoint has the flag \
                         signal; connections accepted "),
                    Number(self.live.accepted.into()),
                    Str(", with further subflows "),
                    Number(self.live.accepted_joined.into()),
                ],
                &[Str("sysctl -w net.mptcp.allow_join_initial_addr_port=1")],
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
    fn check_heard(&mut self, endpoint: &Endpoint) -> bool {
        if endpoint.port().unwrap_or(0) != 0 {
            return false;
        }
        let address = key_of(endpoint);
        let hears = |port: Option<u16>| {
            let mut listeners = self.live.listeners.iter();
            listeners.any(|one| port.is_none_or(|port| port == one.port) && one.hears(address))
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
        let listens = self.live.listeners.iter().any(|one| one.port == port);
        let mut evidence = vec![
            Part::Endpoint(endpoint),
            Str("; at port "),
            Number(port.into()),
        ];
        if listens {
            evidence.push(Str(" an MPTCP socket listens only at others, as "));
            evidence.push(Part::Address(other));
        } else {
            evidence.push(Str(
                ", where connections have arrived, no MPTCP socket listens any more",
            ));
        }
        self.fault(
            "signal-unheard",
            "an address is announced at which nobody listens: subflows to it are refused",
            &evidence,
            &[
                Str("Let the server listen on all addresses (0.0.0.0 or ::) as long as it has \
                     connections, or let the kernel listen, at a port that is free and let through: \
                     ip-mptcp endpoint change id "),
                Number(endpoint.id().unwrap_or(0).into()),
                Str(" port PORT"),
            ],
        );
        true
    }

    /// Whether packets to and from an announced address take its interface.
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
    fn check_announcements(&mut self, endpoints: &[(usize, Endpoint)]) {
        let unannounced = self.live.unannounced;
        let [sent, all] = [self.live.announced, self.live.announceable];
        let counts = [
            Str("connections accepted without all announcements "),
            Number(unannounced.into()),
            Str(", one of them with "),
            Number(sent.into()),
            Str(" of "),
            Number(all.into()),
            Str("; "),
        ];
        let both = EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW;
        // Subflows to clients: this host has none to open for itself.
        let tried = self.live.opened == 0 && self.history.sum(TRIED) > 0;
        if unannounced > 0 && tried && endpoints.iter().any(|(_, one)| has(one, both)) {
            let mut remedy = Text::default();
            for (_, endpoint) in endpoints.iter().filter(|(_, one)| has(one, both)) {
                if !remedy.as_bytes().is_empty() {
                    remedy.bytes(b"; ");
                }
                let id = Number(endpoint.id().unwrap_or(0).into());
                let parts = [Str("ip-mptcp endpoint change id "), id, Str(" nosubflow")];
                self.put(&mut remedy, &parts);
            }
            let mut evidence = counts.to_vec();
            evidence.push(Counted(TRIED));
            self.fault(
                "signal-subflow",
                "a server has endpoints with the flags signal and subflow, uses them up for \
                 subflows to its clients, which refuse them, and announces not all of them",
                &evidence,
                &[Bytes(remedy.as_bytes())],
            );
            return;
        }
        self.check_no_room(endpoints);
    }

    /// IPv6 addresses with a port do not fit beside timestamps.
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
            if !remedy.as_bytes().is_empty() {
                remedy.bytes(b"; ");
            }
            let id = Number(endpoint.id().unwrap_or(0).into());
            let parts = [Str("ip-mptcp endpoint change id "), id, Str(" port 0")];
            self.put(&mut remedy, &parts);
        }
        if let Some(endpoint) = example {
            self.fault(
                "add-addr-dropped",
                "an IPv6 address with a port does not fit into an announcement beside timestamps",
                &[
                    Part::Endpoint(&endpoint),
                    Str("; "),
                    Counters("AddAddrTxDrop AddAddrTx"),
                ],
                &[Bytes(remedy.as_bytes())],
            );
        }
    }
}
