//! Subflows that this host opens: how each endpoint is used towards each peer.

use mptcp_codec::mptcp::EndpointFlags;

use super::counted::FAILURES;
use super::facts::{Doctor, Target, REMEDY};
use super::finding::{finding, texts, Level};
use crate::host::live::Use;
use crate::host::places::is_link_local;
use crate::kernel::key::{is_ipv4, is_unique_local};

/// Counters of subflows that could not even be sent.
const ERRORS: &[u8] = b"MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr";

/// For an endpoint that no longer has a subflow.
const LOST: &str = texts!(
    "join-lost",
    "connections lack the subflow of an endpoint, and do not try again: it was stopped here \
     (limit, route, firewall), by the peer (limit, no listener, another host at its address) or \
     on the path (no answer of the router, reset, options taken out)",
    "{b}",
    "{r}",
);

/// For subflows that wait for the answer to their SYN.
const UNANSWERED: &str = texts!(
    "join-unanswered",
    "subflows are not answered: the path drops them or the answers",
    "{b}",
    "Look for a firewall, NAT or provider that drops TCP between {a} and {t} (tcpdump for MP_JOIN \
     on both hosts), and at the peer for its routes (ip-mptcp doctor there)",
);

impl Doctor<'_> {
    /// What prevents subflows that this host should open.
    #[inline(never)]
    pub fn check_paths(&mut self) {
        let mut crowded = false;
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SUBFLOW) {
            if !self.is_up() || self.is_explained() {
                continue;
            }
            // If connections are accepted, the routes from announced addresses are checked
            // as those of answers.
            let served = self.serves() && self.has(EndpointFlags::SIGNAL);
            if !served && !self.is_used() && self.lacks_connections() {
                self.check_beforehand();
            }
            if !self.is_explained() {
                crowded |= self.check_use();
            }
        }
        at = 0;
        while !crowded && self.next(&mut at, EndpointFlags::SUBFLOW) {
            if self.is_up() && !self.is_explained() {
                self.check_room();
            }
        }
        self.check_limit_beforehand();
        self.check_mesh();
        self.check_family();
        self.check_unowned();
    }

    /// Whether no connection shows how an endpoint is used: none was opened here to a peer
    /// of its family.
    #[inline(never)]
    fn lacks_connections(&self) -> bool {
        let ipv4 = is_ipv4(self.endpoint.key);
        let mut peers = self.live.peers.iter();
        !peers.any(|peer| is_ipv4(peer.address) == ipv4 && peer.connections > peer.fallbacks)
    }

    /// Checks whether routes lead from an endpoint to any host.
    fn check_beforehand(&mut self) {
        if self.goes_anywhere() && self.check_route() {
            self.explain();
        }
    }

    /// Checks how an endpoint is used; returns whether it uses up the limit to no avail.
    #[inline(never)]
    fn check_use(&mut self) -> bool {
        let Some(row) = self.row() else {
            return false;
        };
        // The peer with the most connections that lack it, and their number.
        let (mut worst, mut most) = (0, 0);
        for (peer, one) in row.uses().iter().enumerate() {
            let lacks = one.waiting + one.missing;
            // One lost packet among many connections is no fault of the path.
            let bad = one.established == 0 || lacks > 1 && lacks * 2 >= one.established;
            if bad && lacks > most {
                (worst, most) = (peer, lacks);
            }
        }
        let Some(&one) = row.uses().get(worst).filter(|_| most > 0) else {
            return false;
        };
        let mut level = Level::Fault;
        if row.all_uses().established > one.established {
            // It works for connections to other peers.
            level = Level::Note;
        }
        // Not a single one of many peers.
        let peer = self.live.peers.get(worst).copied().unwrap_or_default();
        let mut paths = self.live.paths.iter();
        let first = paths.find(|path| path.first && path.remote == peer.address);
        // Where the waiting one goes, which may be an announced address.
        let mut paths = self.live.paths.iter();
        let path = paths.find(|path| {
            usize::from(path.endpoint) == self.at
                && !path.first
                && (one.waiting == 0 || path.waiting > 0)
        });
        let to = path.map_or(peer.address, |path| path.remote);
        if peer.address != 0 && one.established == 0 {
            self.to = Target {
                address: peer.address,
                port: peer.port,
                mark: path.or(first).map_or(0, |path| path.mark),
                any: false,
            };
            if self.check_route() {
                self.explain();
                return false;
            }
        }
        self.explain();
        self.to.address = to;
        let local = |address| (is_unique_local(address), is_link_local(address));
        let source = local(self.endpoint.key);
        if source != (false, false) && source != local(to) && one.established == 0 {
            finding!(
                self,
                level,
                "unique-local",
                "the peer is not in the only network where an address is valid: subflows from \
                 it get no answers, and take the places of others",
                "{e}; to {t}: connections whose subflow waits in SYN_SENT {}, without one {}",
                "{x}",
                [one.waiting, one.missing]
            );
            return true;
        }
        if one.waiting == 0 {
            self.lost(level, &one);
            return false;
        }
        self.say_with(
            "{e}; to {t}: connections whose subflow waits in SYN_SENT {}, sent again up to {} \
             times, with an established one {}",
            &[
                one.waiting.into(),
                one.retransmits.into(),
                one.established.into(),
            ],
        );
        self.find(level, UNANSWERED);
        false
    }

    /// Connections lack the subflow of an endpoint and no longer try it.
    fn lost(&mut self, mut level: Level, one: &Use) {
        let none = one.established == 0;
        let failures = self.history.sum(FAILURES);
        let failed = one.failed > 0 || self.history.growth(FAILURES) > 0;
        let tried = self.history.sum(b"MPJoinSynTx") > 0;
        self.say_with(
            "{e}; to {t}: connections without its subflow {}, with it {}; ",
            &[one.missing.into(), one.established.into()],
        );
        if none && !tried && self.history.sum(ERRORS) > 0 {
            return self.join_error(level);
        }
        self.say("{=MPJoinSynTx MPJoinSynAckRx MPRstTx MPRstRx AddAddr}");
        if failures > 0 && failed {
            self.counters = FAILURES;
            self.say(" {=}");
            return self.changed(level, "its path");
        }
        let texts = if !none {
            // Deleting the endpoint would close the subflows of the others.
            level = Level::Note;
            self.advise("Open those connections anew");
            LOST
        } else if self.takes_other_ways() {
            self.change(if self.has(EndpointFlags::SIGNAL) {
                " nosignal fullmesh"
            } else {
                " fullmesh"
            });
            texts!(
                "join-untried",
                "no subflow from an endpoint was tried, or the peer refused it: it forbids them \
                 to its own address (the C flag of MP_CAPABLE), and those to an announced one \
                 leave as the routes have it, unless an endpoint has fullmesh",
                "{b}",
                "{r}",
            )
        } else if one.untried == one.missing || !tried {
            self.again();
            texts!(
                "join-untried",
                "no further subflow was tried: the peer forbids them to its address (the C flag \
                 of MP_CAPABLE) and announces no other, or the connections are older than \
                 limits that allow it",
                "{b}",
                "If new connections lack it too, let the peer announce an address (ip-mptcp \
                 endpoint add ADDRESS signal, there) or allow subflows to its own (sysctl -w \
                 net.mptcp.allow_join_initial_addr_port=1, there); to try again: {r}",
            )
        } else {
            self.again();
            LOST
        };
        self.find(level, texts);
    }

    /// Whether subflows to an announced address come from other addresses than that of the
    /// endpoint, which could be used for them.
    fn takes_other_ways(&self) -> bool {
        let peer = self.to.address;
        let mut peers = self.live.peers.iter();
        let port = peers.find(|one| one.address == peer).map(|one| one.port);
        self.host.add_addr_accepted > 0
            && self.history.sum(b"AddAddr") > 0
            && !self.has(EndpointFlags::FULLMESH)
            && self.live.paths.iter().any(|path| {
                let known = path.remote == peer && port == Some(path.port);
                path.established > 0 && path.local != self.endpoint.key && !known
            })
    }

    /// Subflows could not even be sent.
    fn join_error(&mut self, level: Level) {
        self.counters = ERRORS;
        finding!(
            self,
            level,
            "join-error",
            "subflows could not be sent: no such socket here (CreatSkErr), an unusable address \
             (BindErr), or no way to that of the peer (ConnectErr), as to a link-local one \
             without a laminar endpoint",
            "{b}{=}",
            "Find the interface that leads to the announced addresses ({i}monitor --event \
             ANNOUNCED); for a link-local one: {i}endpoint add ADDRESS dev IF laminar, \
             with the address of that interface",
        );
    }

    /// Connections have all the subflows they may, and none from an endpoint.
    fn check_room(&mut self) {
        let limit = u64::from(self.host.more_subflows);
        let full = match self.row().map(|row| row.all_uses()) {
            Some(all) if all.established == 0 => all.full,
            _ => 0,
        };
        if full == 0 || limit == 0 {
            return;
        }
        finding!(
            self,
            Level::Fault,
            "limit-subflows",
            "connections have all the subflows that they may, and none from an endpoint",
            "{e}; connections without its subflow {}; {l}",
            "{s}{}",
            [full, (limit + 2).min(limit.max(8))],
        );
        self.explain();
    }

    /// Whether fullmesh would need more than the limit allows, though each endpoint has a
    /// subflow.
    fn check_mesh(&mut self) {
        let limit = self.host.more_subflows;
        if limit >= 8 || self.live.crowded == 0 || self.explains() {
            return;
        }
        let wanted = self.live.wanted;
        finding!(
            self,
            Level::Note,
            "limit-subflows",
            "fullmesh could open more subflows than connections may have: chance decides",
            "full connections {}, possible further subflows {}; {l}",
            "{s}{}",
            [self.live.crowded, wanted, wanted.max(limit + 1).min(8)],
        );
    }

    /// If no connection shows it: whether there are more endpoints than a connection may have
    /// subflows. A connection is usually of one family, and one of the addresses may be that of
    /// the first subflow.
    #[inline(never)]
    fn check_limit_beforehand(&mut self) {
        let limit = self.host.more_subflows;
        if limit == 0 {
            return;
        }
        // For each family: the number of endpoints for further subflows, and whether the
        // first subflow leaves through the interface of one of them.
        let mut further = [0_u32; 2];
        let mut first = [false; 2];
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SUBFLOW) {
            if !self.is_up() || !self.lacks_connections() {
                continue;
            }
            let family = usize::from(is_ipv4(self.endpoint.key));
            further[family] += 1;
            first[family] |= !self.goes_anywhere() || self.is_first();
        }
        let most = |family: usize| further[family] - u32::from(first[family]);
        let most = most(0).max(most(1));
        if most <= limit {
            return;
        }
        finding!(
            self,
            Level::Fault,
            "limit-subflows",
            "there are more endpoints than connections may have subflows",
            "{l}; endpoints of one family for further subflows {}",
            "{s}{}",
            [most, most],
        );
    }

    /// Whether a path is dead, for first subflows or for further ones.
    #[inline(never)]
    fn check_silent(&mut self) -> bool {
        let mut found = false;
        for number in 0..self.live.paths.len() {
            let Some(path) = self.live.paths.get(number).copied() else {
                break;
            };
            self.turn_to(path.endpoint.into());
            let silent = path.waiting + path.stalled;
            if self.is_explained() && !path.first || path.working() > 0 || silent == 0 {
                continue;
            }
            let mut others = self.live.paths.iter();
            // Other peers can be reached through it.
            let works = others.any(|other| other.local == path.local && other.working() > 0);
            let mut level = if works { Level::Note } else { Level::Fault };
            let texts = if path.stalled > 0 {
                texts!(
                    "subflow-stalled",
                    "established subflows get no answers any more: the path drops all packets \
                     or long ones (MTU), or the peer is away",
                    "{b}",
                    "Look at the uplink, for a firewall that forgot connections, and with ping \
                     -M do -s 1472 for the longest packet; subflows go on by themselves once it \
                     works",
                )
            } else if path.first {
                texts!(
                    "first-unanswered",
                    "connections are not answered where they begin: the path is broken, or the \
                     peer is away",
                    "{b}",
                    "If other peers do not answer either, look at the uplink, and give its \
                     default route a larger metric than another while it is broken",
                )
            } else {
                level = Level::Fault;
                UNANSWERED
            };
            found = true;
            if self.row().is_some() {
                self.say("{e};");
            } else {
                self.endpoint.key = path.local;
                self.say("from {a}");
            }
            self.to.address = path.remote;
            self.say_with(" to {t} port {}: ", &[path.port.into()]);
            self.say(if path.first { "first" } else { "further" });
            self.say_with(
                " subflows that wait in SYN_SENT {}, established without an answer {}, sent again \
                 up to {} times; working 0",
                &[
                    path.waiting.into(),
                    path.stalled.into(),
                    path.retransmits.into(),
                ],
            );
            self.find(level, texts);
        }
        found
    }

    /// Subflows to announced addresses that were not opened from an endpoint.
    #[inline(never)]
    fn check_unowned(&mut self) {
        let found = self.check_silent();
        if found || self.explains() || self.live.opened_joined > 0 || self.live.opened == 0 {
            return;
        }
        let mut level = Level::Note;
        if self.history.sum(ERRORS) > 0 && self.history.sum(b"AddAddr") > 0 {
            if self.history.growth(ERRORS) > 0 {
                level = Level::Fault;
            } else {
                level = self.announced();
            }
            self.say_with(
                "connections opened here {}, with further subflows 0; {=AddAddr}; ",
                &[self.live.opened.into()],
            );
            self.join_error(level);
        }
        if level == Level::Note && self.live.refused > 0 {
            finding!(
                self,
                Level::Fault,
                "join-lost",
                "connections lack a subflow to an announced address, and do not try again: the \
                 peer (limits, no listener) or something on the path refused it",
                "connections with an announced address and no further subflow {}; {=AddAddr \
                 MPJoinSynTx MPJoinSynAckRx MPRstTx MPRstRx}",
                "Look at the peer (ip-mptcp doctor there) and for a firewall before it, then \
                 open the connections anew",
                [self.live.refused],
            );
        }
    }

    /// Whether connections have no further subflow because the endpoints are of the other
    /// family.
    #[inline(never)]
    fn check_family(&mut self) {
        let count = self.live.other_family;
        if count == 0 {
            return;
        }
        let peer = self.live.of_other_family;
        let ipv4 = is_ipv4(peer);
        let mut last = 0;
        let mut at = 0;
        while self.next(&mut at, EndpointFlags::SUBFLOW) {
            let index = self.endpoint.interface;
            let other = is_ipv4(self.endpoint.key) != ipv4;
            let address = self.host.places.addresses.global(ipv4, index);
            let mut paths = self.live.paths.iter();
            let first = paths.any(|path| path.first && path.local == address);
            let fits = address != 0 && is_unique_local(address) == is_unique_local(peer);
            if !other || !fits || first || index == last {
                continue;
            }
            last = index;
            self.endpoint.key = address;
            self.advise("{;}{i}endpoint add {a} dev {d} subflow");
        }
        let mut level = Level::Fault;
        if self.live.opened_joined > 0 {
            // It may be on purpose.
            level = Level::Note;
        }
        if self.texts[REMEDY].is_empty() {
            level = Level::Note;
            self.advise("Give interfaces an address of that family, and add it as an endpoint");
        }
        self.to.address = peer;
        finding!(
            self,
            level,
            "other-family",
            "connections have no further subflow: all endpoints are of the other family",
            "connections {}, one of them to {t}",
            "{r}",
            [count],
        );
    }
}
