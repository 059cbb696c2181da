//! Subflows that this host opens: what became of each endpoint towards each
//! peer.

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::Doctor;
use super::finding::Part::{self, Address, Bytes, Counters, Id, Interface, Limits, Number, Str};
use super::finding::{finding, put, Level};
use super::routes::Target;
use crate::host::live::Use;
use crate::host::places::{is_ipv4, is_link_local, is_unique_local};
use crate::text::Text;

/// Counters of subflows that could not even be sent.
const ERRORS: &str = "MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

/// What `join-lost` says.
const LOST: &str = "connections lack the subflow of an endpoint, and do not try again: when they \
    did, it was stopped here (limit, route, firewall), by the peer (limit, no listener, another \
    host at its address) or on the path (no answer of the router, a reset, options taken out)";

impl Doctor<'_> {
    /// What keeps subflows from appearing that this host opens.
    #[inline(never)]
    pub fn check_paths(&mut self) {
        let mut crowded = false;
        for at in 0..self.count() {
            if !self.opens(at) || self.is_explained(at) {
                continue;
            }
            // Where connections are accepted, the ways of what is announced are
            // looked at as those of answers.
            let served = self.serves() && self.is(at, EndpointFlags::SIGNAL);
            if !served && !self.live.is_used(at) && self.lacks_connections(at) {
                self.check_beforehand(at);
            }
            if !self.is_explained(at) {
                crowded |= self.check_use(at);
            }
        }
        for at in 0..self.count() {
            if self.opens(at) && !self.is_explained(at) && !crowded {
                self.check_room(at);
            }
        }
        self.check_limit_beforehand();
        self.check_mesh();
        self.check_family();
        self.check_unowned();
    }

    /// Whether the kernel can open subflows from an endpoint.
    fn opens(&self, at: usize) -> bool {
        self.is(at, EndpointFlags::SUBFLOW) && self.is_up(at)
    }

    /// Whether no connection shows what becomes of an endpoint: none was opened
    /// here to a peer of its family.
    fn lacks_connections(&self, at: usize) -> bool {
        let ipv4 = is_ipv4(self.key(at));
        let mut peers = self.live.peers.iter();
        !peers.any(|peer| is_ipv4(peer.address) == ipv4 && peer.connections > peer.fallbacks)
    }

    /// Whether routes lead from an endpoint to any host.
    fn check_beforehand(&mut self, at: usize) {
        if let Some(any) = self.anywhere(is_ipv4(self.key(at))) {
            if self.check_route(at, &any) {
                self.explain(at);
            }
        }
    }

    /// What became of an endpoint; whether it occupies places without use.
    #[inline(never)]
    fn check_use(&mut self, at: usize) -> bool {
        let all = self.live.all_uses(at);
        // The peer with the most connections that lack it.
        let mut worst: Option<(usize, &Use)> = None;
        for (peer, one) in self.live.uses(at).iter().enumerate() {
            let lacks = one.waiting + one.missing;
            // One of many that is lost on the way is no fault of the path.
            let bad = if one.established == 0 {
                lacks > 0
            } else {
                lacks > 1 && lacks * 2 >= one.established
            };
            if bad && worst.is_none_or(|(_, most)| lacks > most.waiting + most.missing) {
                worst = Some((peer, one));
            }
        }
        let Some((peer, &one)) = worst else {
            return false;
        };
        let level = if all.established > one.established {
            // By other peers' connections it works.
            Level::Note
        } else {
            Level::Fault
        };
        let peer = self.live.peers.get(peer).copied();
        // Where the waiting one goes; an announced address, perhaps.
        let mut paths = self.live.paths.iter();
        let path = paths.find(|path| {
            path.endpoint == Some(at) && !path.first && (one.waiting == 0 || path.waiting > 0)
        });
        let path = path.copied();
        if let (Some(peer), 0) = (peer, one.established) {
            let mut firsts = self.live.paths.iter();
            let first = firsts
                .find(|path| path.first && path.remote == peer.address)
                .copied();
            let target = Target {
                address: peer.address,
                port: peer.port,
                mark: path.or(first).map_or(0, |path| path.mark),
                any: false,
            };
            if self.check_route(at, &target) {
                self.explain(at);
                return false;
            }
        }
        self.explain(at);
        let source = self.key(at);
        let to = path
            .map(|path| path.remote)
            .or(peer.map(|peer| peer.address));
        let to = to.unwrap_or(0);
        let local = |address| (is_unique_local(address), is_link_local(address));
        if local(source) != (false, false) && local(source) != local(to) && one.established == 0 {
            finding!(
                self,
                level,
                "unique-local",
                "the peer is not in the only network where an address is valid: subflows from \
                 it get no answers, and take the places of others",
                "{}; to {}: connections whose subflow waits in SYN_SENT {}, without one {}",
                "ip-mptcp endpoint delete id {}",
                [
                    Part::Endpoint(at),
                    Address(to),
                    Number(one.waiting.into()),
                    Number(one.missing.into()),
                    Id(at)
                ]
            );
            return true;
        }
        if one.waiting > 0 {
            finding!(
                self,
                level,
                "join-unanswered",
                "subflows from an endpoint are not answered: the path drops them or the answers",
                "{}; to {}: connections whose subflow waits in SYN_SENT {}, sent again up to {} \
                 times, with an established one {}",
                "Look for a firewall, NAT or provider that drops TCP between {} and {}: tcpdump \
                 for MP_JOIN on both hosts shows in which direction",
                [
                    Part::Endpoint(at),
                    Address(to),
                    Number(one.waiting.into()),
                    Number(one.retransmits.into()),
                    Number(one.established.into()),
                    Address(source),
                    Address(to)
                ]
            );
            return false;
        }
        self.lost(level, at, &one, to);
        false
    }

    /// Connections lack the subflow of an endpoint, and do not try it any more.
    #[inline(never)]
    fn lost(&mut self, mut level: Level, at: usize, one: &Use, to: u128) {
        let none = one.established == 0;
        let failures = self.history.sum("MPFailTx MPFailRx DataCsumErr");
        let failed = one.failed > 0 || self.history.growth("MPFailTx MPFailRx") > 0;
        let tried = self.history.of(b"MPJoinSynTx") > 0;
        let mut about = Text::default();
        put!(
            self,
            &mut about,
            "{}; to {}: connections without its subflow {}, with it {}",
            [
                Part::Endpoint(at),
                Address(to),
                Number(one.missing.into()),
                Number(one.established.into())
            ]
        );
        if none && !tried && self.history.sum(ERRORS) > 0 {
            return self.join_error(level, about.as_bytes());
        }
        put!(
            self,
            &mut about,
            "; {}",
            [Counters(
                "MPJoinSynTx MPJoinSynAckRx MPRstTx MPRstRx AddAddr"
            )]
        );
        if failures > 0 && failed {
            let failures = Counters("DataCsumErr MPFailTx MPFailRx");
            put!(self, &mut about, " {}", [failures]);
            return self.changed(level, "its path", Bytes(about.as_bytes()));
        }
        let mut remedy = Text::default();
        let (check, message) = if !none {
            // Deleting the endpoint would close the others.
            level = Level::Note;
            remedy.bytes(b"Open those connections anew");
            ("join-lost", LOST)
        } else if self.takes_other_ways(at, to) {
            self.change(&mut remedy, at);
            if self.is(at, EndpointFlags::SIGNAL) {
                remedy.bytes(b" nosignal");
            }
            remedy.bytes(b" fullmesh");
            (
                "join-untried",
                "no subflow from an endpoint was tried: the peer forbids them to its own \
                 address (the C flag of MP_CAPABLE), and those to an announced one leave as the \
                 routes have it, unless an endpoint has the flag fullmesh; or it refused it",
            )
        } else if one.untried == one.missing || !tried {
            remedy.bytes(
                b"If new connections lack it too, let the peer announce an address (ip-mptcp \
                  endpoint add ADDRESS signal, there) or allow subflows to its own (sysctl -w \
                  net.mptcp.allow_join_initial_addr_port=1, there); to try again: ",
            );
            self.again(&mut remedy, at);
            (
                "join-untried",
                "no further subflow was tried: the peer forbids them to its address (the C flag \
                 of MP_CAPABLE) and announces no other, or the connections are older than \
                 limits that allow it",
            )
        } else {
            self.again(&mut remedy, at);
            ("join-lost", LOST)
        };
        finding!(
            self,
            level,
            "{}",
            "{}",
            "{}",
            "{}",
            [
                Str(check),
                Str(message),
                Bytes(about.as_bytes()),
                Bytes(remedy.as_bytes())
            ]
        );
    }

    /// Whether subflows to an address that the peer announced are from other
    /// addresses than that of an endpoint, which could be used for them.
    fn takes_other_ways(&self, at: usize, peer: u128) -> bool {
        let address = self.key(at);
        self.host.add_addr_accepted > 0
            && self.history.of(b"AddAddr") > 0
            && !self.is(at, EndpointFlags::FULLMESH)
            && self.live.paths.iter().any(|path| {
                let port = self.live.peers.iter().find(|one| one.address == peer);
                let known = path.remote == peer && port.is_some_and(|one| one.port == path.port);
                path.established > 0 && path.local != address && !known
            })
    }

    /// Subflows could not even be sent.
    fn join_error(&mut self, level: Level, about: &[u8]) {
        finding!(
            self,
            level,
            "join-error",
            "subflows could not be sent: no such socket here (CreatSkErr), an address that is \
             not usable (BindErr), or one of the peer that is not reachable from it \
             (ConnectErr), as a link-local one without a laminar endpoint",
            "{}; {}",
            "Find out which interface leads to the addresses that the peer announces (ip-mptcp \
             monitor --event ANNOUNCED); for a link-local one: ip-mptcp endpoint add ADDRESS \
             dev IF laminar, with the address of that interface",
            [Bytes(about), Counters(ERRORS)]
        );
    }

    /// Connections have all the subflows that they may, and none from an
    /// endpoint.
    #[inline(never)]
    fn check_room(&mut self, at: usize) {
        let all = self.live.all_uses(at);
        if all.full == 0 || all.established > 0 || self.host.more_subflows == 0 {
            return;
        }
        let limit = self.host.more_subflows;
        finding!(
            self,
            Level::Fault,
            "limit-subflows",
            "connections have all the subflows that they may, and none from an endpoint",
            "{}; connections without its subflow {}; {}",
            "ip-mptcp limits set subflows {}",
            [
                Part::Endpoint(at),
                Number(all.full.into()),
                Limits,
                Number(
                    u64::from(limit)
                        .saturating_add(2)
                        .clamp(2, 8.max(limit.into())),
                )
            ],
        );
        self.explain(at);
    }

    /// Whether fullmesh wants more than the limit gives, though each endpoint has
    /// a subflow.
    #[inline(never)]
    fn check_mesh(&mut self) {
        let at_most = self.host.more_subflows >= 8;
        if at_most || self.live.crowded == 0 || self.explained.iter().any(|explained| *explained) {
            return;
        }
        let wanted = self.live.wanted;
        finding!(
            self,
            Level::Note,
            "limit-subflows",
            "fullmesh could open more subflows than connections may have: chance decides which \
             they get",
            "connections that are full {}, possible further subflows {}; {}",
            "ip-mptcp limits set subflows {}",
            [
                Number(self.live.crowded.into()),
                Number(wanted.into()),
                Limits,
                Number(u64::from(wanted.max(self.host.more_subflows + 1)).min(8))
            ],
        );
    }

    /// Where no connection shows it: whether there are more endpoints than
    /// connections may have subflows. A connection is of one family, mostly,
    /// and one of the addresses may be that of the first subflow.
    #[inline(never)]
    fn check_limit_beforehand(&mut self) {
        let limit = self.host.more_subflows;
        if limit == 0 {
            return;
        }
        let mut most = 0;
        for ipv4 in [true, false] {
            let mut further = 0;
            let mut first = false;
            for at in 0..self.count() {
                let fits = is_ipv4(self.key(at)) == ipv4 && self.opens(at);
                if !fits || !self.lacks_connections(at) {
                    continue;
                }
                further += 1;
                let index = self.interface(at);
                first |= match self.anywhere(ipv4) {
                    Some(any) => self.is_first(&any, index),
                    None => true,
                };
            }
            most = most.max(further - u32::from(first && further > 0));
        }
        if most <= limit {
            return;
        }
        finding!(
            self,
            Level::Fault,
            "limit-subflows",
            "there are more endpoints than connections may have subflows",
            "{}; endpoints of one family for further subflows {}",
            "ip-mptcp limits set subflows {}",
            [Limits, Number(most.into()), Number(most.into())],
        );
    }

    /// Whether a path is silent, of first subflows or of further ones.
    #[inline(never)]
    fn check_silent(&mut self) -> bool {
        let mut found = false;
        for path in self.live.paths.clone() {
            let explained = path.endpoint.is_some_and(|at| self.is_explained(at));
            let silent = path.waiting + path.stalled;
            if explained && !path.first || path.working() > 0 || silent == 0 {
                continue;
            }
            let mut others = self.live.paths.iter();
            // Other peers are reached by it.
            let works = others.any(|other| other.local == path.local && other.working() > 0);
            let join = path.stalled == 0 && !path.first;
            let level = if works && !join {
                Level::Note
            } else {
                Level::Fault
            };
            let (check, message, remedy) = if join {
                (
                    "join-unanswered",
                    "subflows to an announced address are not answered: something on the path \
                     drops them or the answers",
                    "Look for a firewall between the two, and at the peer for routes of that \
                     address (ip-mptcp doctor there)",
                )
            } else if path.stalled == 0 {
                (
                    "first-unanswered",
                    "connections are not answered where they begin: the path is broken, or the \
                     peer is away",
                    "If other peers do not answer either, look at the uplink, and give its \
                     default route a larger metric than that of another as long as it is broken",
                )
            } else {
                (
                    "subflow-stalled",
                    "established subflows get no answers any more: the path drops all packets \
                     or long ones (MTU), or the peer is away",
                    "Look at the uplink, for a firewall that forgot its connections, and with \
                     ping -M do -s 1472 for the longest packet; subflows go on by themselves \
                     when it works again",
                )
            };
            found = true;
            let mut subject = Text::default();
            match path.endpoint {
                Some(at) => put!(self, &mut subject, "{};", [Part::Endpoint(at)]),
                None => put!(self, &mut subject, "from {}", [Address(path.local)]),
            }
            finding!(
                self,
                level,
                "{}",
                "{}",
                "{} to {} port {}: {} subflows that wait in SYN_SENT {}, established without an \
                 answer {}, sent again up to {} times; working 0",
                "{}",
                [
                    Str(check),
                    Str(message),
                    Bytes(subject.as_bytes()),
                    Address(path.remote),
                    Number(path.port.into()),
                    Str(if path.first { "first" } else { "further" }),
                    Number(path.waiting.into()),
                    Number(path.stalled.into()),
                    Number(path.retransmits.into()),
                    Str(remedy)
                ],
            );
        }
        found
    }

    /// Subflows to announced addresses, which no endpoint for subflows opened.
    #[inline(never)]
    fn check_unowned(&mut self) {
        let found = self.check_silent();
        let owned = self.explained.iter().any(|explained| *explained);
        if found || owned || self.live.opened_joined > 0 || self.live.opened == 0 {
            return;
        }
        if self.history.sum(ERRORS) > 0 && self.history.of(b"AddAddr") > 0 {
            let mut about = Text::default();
            put!(
                self,
                &mut about,
                "connections opened here, all without further subflows {}; {}",
                [Number(self.live.opened.into()), Counters("AddAddr")]
            );
            self.join_error(Level::Fault, about.as_bytes());
        } else if self.live.refused > 0 {
            finding!(
                self,
                Level::Fault,
                "join-lost",
                "connections lack a subflow to the address that the peer announced, and do not \
                 try again: the peer (limits, no listener) or something on the path refused it",
                "connections opened here with an announced address and without further subflows \
                 {}; {}",
                "Look at the peer (ip-mptcp doctor there) and for a firewall before it, then \
                 open the connections anew",
                [
                    Number(self.live.refused.into()),
                    Counters("AddAddr MPJoinSynTx MPJoinSynAckRx MPRstTx MPRstRx")
                ],
            );
        }
    }

    /// Whether connections have no further subflow because the endpoints are of
    /// the other family.
    #[inline(never)]
    fn check_family(&mut self) {
        let count = self.live.other_family;
        if count == 0 {
            return;
        }
        let peer = self.live.of_other_family;
        let mut last = 0;
        let mut remedy = Text::default();
        for at in 0..self.count() {
            let index = self.interface(at);
            let address = self.host.places.addresses.global(is_ipv4(peer), index);
            let mut paths = self.live.paths.iter();
            let first = paths.any(|path| path.first && path.local == address);
            let fits = address != 0 && is_unique_local(address) == is_unique_local(peer);
            let other =
                self.is(at, EndpointFlags::SUBFLOW) && is_ipv4(self.key(at)) != is_ipv4(peer);
            if !other || !fits || first || index == last {
                continue;
            }
            last = index;
            if !remedy.as_bytes().is_empty() {
                remedy.bytes(b"; ");
            }
            put!(
                self,
                &mut remedy,
                "ip-mptcp endpoint add {} dev {} subflow",
                [Address(address), Interface(index)]
            );
        }
        let mut level = Level::Fault;
        if self.live.opened_joined > 0 {
            // It may be on purpose.
            level = Level::Note;
        }
        if remedy.as_bytes().is_empty() {
            level = Level::Note;
            remedy.bytes(
                b"Give the interfaces of endpoints an address of that family, and add it as an \
                  endpoint",
            );
        }
        finding!(
            self,
            level,
            "other-family",
            "connections have no further subflow: all endpoints are of the other family",
            "connections {}, one of them to {}",
            "{}",
            [
                Number(count.into()),
                Address(peer),
                Bytes(remedy.as_bytes())
            ],
        );
    }
}
