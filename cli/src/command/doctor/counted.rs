//! What connections that are over left in the counters.

use super::facts::{sysctl, Doctor};
use super::finding::Part::{self, Address, Bytes, Counted, Counters, Growth, Number, Str};
use super::finding::{finding, put, Level, PAST};
use crate::sys;
use crate::text::Text;

/// The counters of connections that fell back to TCP.
const FALLBACKS: &str = "MPCapableFallbackSYNACK MPCapableFallbackACK MPCapableSYNTXDrop \
    MPCapableDataFallback DssFallback DSSCorruptionFallback";

impl Doctor<'_> {
    /// What counters show is a fault where they grow, otherwise a note.
    fn level_of(&self, names: &str) -> Level {
        if self.history.growth(names) > 0 {
            Level::Fault
        } else {
            Level::Note
        }
    }

    /// Whether connections fall back to TCP.
    #[inline(never)]
    pub fn check_fallbacks(&mut self) {
        if self.is_suspended() {
            let timeout = sysctl("blackhole_timeout");
            finding!(
                self,
                Level::Fault,
                "blackhole",
                "MPTCP is suspended, and new connections are TCP: SYNs with its option were not \
                 answered, those without were",
                "{}; net.mptcp.blackhole_timeout={} s; connections without MPTCP now {}",
                "sysctl -w net.mptcp.blackhole_timeout={}",
                [
                    Counters("Blackhole MPCapableSYNTXDrop MPCapableSYNTXDisabled"),
                    Bytes(&timeout),
                    Number(self.live.without_token.into()),
                    Bytes(&timeout)
                ],
            );
            return;
        }
        let fallbacks = self.live.fallbacks;
        let mptcp = self.live.opened + self.live.accepted;
        let mut paths = self.live.paths.iter();
        let silent = paths.any(|path| path.first && path.waiting > 0);
        let grown = self.history.growth(FALLBACKS);
        let asked = "MPCapableSYNTX MPCapableSYNRX";
        let (mut level, mut remedy) = (
            Level::Fault,
            "See ip-mptcp connection show fallback for the peers",
        );
        let mut evidence = Text::default();
        if fallbacks > 0 {
            // A peer without MPTCP now and then is the way of the world.
            if mptcp > 0 {
                level = Level::Note;
            }
            let peer = self.live.peers.iter().find(|peer| peer.fallbacks > 0);
            let peer = peer.map_or(0, |peer| peer.address);
            put!(
                self,
                &mut evidence,
                "fallen back now {}, one of them to {}; with MPTCP {}; {}",
                [
                    Number(fallbacks.into()),
                    Address(peer),
                    Number(mptcp.into()),
                    Counted(FALLBACKS)
                ]
            );
        } else if silent {
            // What is not answered has not fallen back.
            return;
        } else if grown > 0 && grown * 4 >= self.history.growth(asked) {
            remedy = "Find out which programs opened them and to which peers";
            put!(self, &mut evidence, "{}", [Growth(FALLBACKS)]);
        } else if self.history.sum(FALLBACKS) * 4 >= self.history.sum(asked).max(1) && mptcp == 0 {
            level = Level::Note;
            remedy = "See ip-mptcp connection show fallback for the peers when it happens again";
            put!(self, &mut evidence, "{}{}", [Counted(FALLBACKS), Str(PAST)]);
        } else {
            return;
        }
        finding!(
            self,
            level,
            "fallback",
            "connections fall back to TCP: peers without MPTCP, or something on the path takes its \
             options out",
            "{}",
            "{}; where one has MPTCP, tcpdump for its options on both hosts shows whether they \
             arrive",
            [Bytes(evidence.as_bytes()), Str(remedy)],
        );
    }

    /// Whether the kernel has suspended MPTCP after a black hole. It does not
    /// say so: an attempt to connect, which cannot leave this host, is counted
    /// as suspended or not.
    fn is_suspended(&mut self) -> bool {
        if self.history.sum("Blackhole MPCapableSYNTXDisabled") == 0 {
            return false;
        }
        let before = self.history.of(b"MPCapableSYNTXDisabled");
        sys::try_mptcp();
        self.history.reread();
        self.history.of(b"MPCapableSYNTXDisabled") > before
    }

    /// Whether announcements go out and are not confirmed, of connections that
    /// are there.
    pub fn lacks_echoes(&self) -> bool {
        let sent = self.history.of(b"AddAddrTx");
        sent > 0 && self.history.of(b"EchoAdd") * 2 < sent
    }

    /// What went wrong with peers and on the way to them.
    #[inline(never)]
    pub fn check_counters(&mut self) {
        let sum = |names: &str| self.history.sum(names);
        let rejected = sum("MPJoinRejected");
        let full = self.live.accepted_full;
        let again = self.history.growth("MPJoinRejected");
        let received = sum("MPJoinSynRx");
        let hmac = sum("MPJoinSynAckHMacFailure MPJoinAckHMacFailure");
        let unknown = sum("MPJoinNoTokenFound") > sum("MPJoinAckRx");
        let dropped = sum("AddAddrDrop") * 2 > sum("AddAddr") && self.live.opened_joined == 0;
        let no_room = sum("AddAddrTxDrop EchoAddTxDrop") > 0
            && self.history.growth("AddAddrTxDrop EchoAddTxDrop") > 0;
        let failed = sum("MPFailTx MPFailRx DataCsumErr") > 0;
        let now = full > 0 || again > 0;
        // A limit of 0 explains itself.
        let limit = u64::from(self.host.more_subflows);
        let many = rejected > 0 && rejected * 8 >= received && limit > 0;
        if many && (now || self.live.accepted == 0) {
            finding!(
                self,
                if now { Level::Fault } else { Level::Note },
                "join-refused",
                "subflows of peers are refused here: the limit is reached, or the user-space path \
                 manager was away",
                "{}; connections accepted with all the subflows that they may have {}; limits: \
                 subflows {}{}",
                "{}ip-mptcp limits set subflows {}",
                [
                    Counters("MPJoinRejected MPJoinSynRx"),
                    Number(full.into()),
                    Number(limit),
                    Str(if now { "" } else { PAST }),
                    Str(if now { "" } else { "If it happens again: " }),
                    Number(limit.max(8))
                ],
            );
        }
        if hmac > 0 || unknown {
            let names = "MPJoinNoTokenFound MPJoinSynAckHMacFailure MPJoinAckHMacFailure";
            finding!(
                self,
                self.level_of(names),
                "join-failed",
                "subflows reached a host without their connection, or were changed on the way",
                "{}",
                "Behind a load balancer let each host announce an address of its own and forbid \
                 joins to the shared one (sysctl -w net.mptcp.allow_join_initial_addr_port=0); \
                 otherwise look for what rewrites TCP options on the path",
                [Growth(names)]
            );
        }
        if failed && self.explained.iter().all(|explained| !explained) {
            let joined = self.live.opened_joined + self.live.accepted_joined;
            if self.history.growth("MPFailTx MPFailRx DataCsumErr") > 0 || joined == 0 {
                let names = "DataCsumErr MPFailTx MPFailRx";
                self.changed(self.level_of(names), "a path to the peers", Growth(names));
            }
        }
        if dropped || no_room {
            let names = "AddAddrDrop AddAddrTxDrop EchoAddTxDrop";
            finding!(
                self,
                self.level_of(names),
                "add-addr-dropped",
                "announcements of addresses were dropped",
                "{}",
                "Announce fewer addresses, and none of IPv6 with a port",
                [Growth(names)]
            );
        }
        self.check_echoes();
    }

    /// A path changes the data.
    pub fn changed(&mut self, level: Level, path: &str, evidence: Part) {
        finding!(
            self,
            level,
            "mp-fail",
            "a path changes the data: checksums fail, and the subflow is closed",
            "{}",
            "Look for a proxy, firewall or NAT helper (ALG) that rewrites TCP on {}; TLS keeps it \
             from doing so",
            [evidence, Str(path)]
        );
    }

    /// Whether peers confirm what is announced to them.
    #[inline(never)]
    fn check_echoes(&mut self) {
        if !self.lacks_echoes() || self.live.accepted_joined > 0 {
            return;
        }
        let (level, past) = if self.live.accepted > 0 {
            (Level::Fault, "")
        } else {
            (Level::Note, PAST)
        };
        finding!(
            self,
            level,
            "add-addr-unanswered",
            "announcements of addresses are not confirmed: something on the path removes them, \
             or the peers do not know them",
            "{}{}",
            "See with tcpdump for ADD_ADDR on both hosts whether it arrives; clients with \
             endpoints of their own need none",
            [Counters("AddAddrTx EchoAdd"), Str(past)]
        );
    }
}
