//! What past connections have left in the counters.

use super::facts::{sysctl, Doctor};
use super::finding::{finding, Level, PAST};
use crate::kernel::proc::decimal;
use crate::sys;

/// The counters of connections that fell back to TCP.
const FALLBACKS: &[u8] = b"MPCapableFallbackSYNACK MPCapableFallbackACK MPCapableSYNTXDrop \
    MPCapableDataFallback DssFallback DSSCorruptionFallback";

/// Of failed checksums.
pub const FAILURES: &[u8] = b"DataCsumErr MPFailTx MPFailRx";

/// Of joins that match no connection here, or no key.
const JOINS: &[u8] = b"MPJoinNoTokenFound MPJoinSynAckHMacFailure MPJoinAckHMacFailure";

/// Of announcements, by peers and by this host, that failed.
const DROPS: &[u8] = b"AddAddrDrop AddAddrTxDrop EchoAddTxDrop";

impl Doctor<'_> {
    /// What the current counters show is a fault if they grow, otherwise a note.
    fn level(&self) -> Level {
        if self.history.growth(self.counters) > 0 {
            Level::Fault
        } else {
            Level::Note
        }
    }

    /// What announcements by peers show is a fault if they came to connections that still
    /// live: lately, or no other was ever opened here. Otherwise they may have come to earlier
    /// ones: of a connection, the kernel does not show what it has ignored.
    pub fn announced(&self) -> Level {
        let opened = self.history.sum(b"MPCapableSYNTX");
        if self.history.growth(b"AddAddr") > 0 || opened <= self.live.opened.into() {
            Level::Fault
        } else {
            Level::Note
        }
    }

    /// Whether connections fall back to TCP.
    #[inline(never)]
    pub fn check_fallbacks(&mut self) {
        if self.is_suspended() {
            let timeout = decimal(&sysctl("blackhole_timeout"));
            finding!(
                self,
                Level::Fault,
                "blackhole",
                "MPTCP is suspended, and new connections are TCP: SYNs with its option were not \
                 answered, those without were",
                "{=Blackhole MPCapableSYNTXDrop MPCapableSYNTXDisabled}; \
                 net.mptcp.blackhole_timeout={} s; connections without MPTCP now {}",
                "{n}sysctl -w net.mptcp.blackhole_timeout={}",
                [timeout, self.live.without_token, timeout],
            );
            return;
        }
        self.counters = FALLBACKS;
        let fallbacks = self.live.fallbacks;
        let mptcp = self.live.opened + self.live.accepted;
        let mut paths = self.live.paths.iter();
        let silent = paths.any(|path| path.first && path.waiting > 0);
        let grown = self.history.growth(FALLBACKS);
        let asked = b"MPCapableSYNTX MPCapableSYNRX";
        let mut level = Level::Fault;
        if fallbacks > 0 {
            // A peer without MPTCP now and then is normal.
            if mptcp > 0 {
                level = Level::Note;
            }
            let mut peers = self.live.peers.iter();
            self.to.address = peers
                .find(|peer| peer.fallbacks > 0)
                .map_or(0, |peer| peer.address);
            self.say_with(
                "fallen back now {}, one of them to {t}; with MPTCP {}; {!}",
                &[fallbacks.into(), mptcp.into()],
            );
            self.advise(LOOK);
        } else if silent {
            // An unanswered connection has not fallen back.
            return;
        } else if grown > 0 && grown * 4 >= self.history.growth(asked) {
            self.say("{+}");
            self.advise("Find out which programs opened them and to which peers");
        } else if self.history.sum(FALLBACKS) * 4 >= self.history.sum(asked).max(1) && mptcp == 0 {
            level = Level::Note;
            // Nothing has grown.
            self.say("{+}");
            self.advise(LOOK);
            self.advise(" when it happens again");
        } else {
            return;
        }
        finding!(
            self,
            level,
            "fallback",
            "connections fall back to TCP: peers without MPTCP, or something on the path takes its \
             options out",
            "{b}",
            "{r}; where one has MPTCP, tcpdump for its options on both hosts shows whether they \
             arrive",
        );
    }

    /// Whether the kernel has suspended MPTCP after a black hole. It does not say so, but
    /// counts an attempt to connect, which cannot leave this host, as suspended or not.
    fn is_suspended(&mut self) -> bool {
        if self.history.sum(b"Blackhole MPCapableSYNTXDisabled") == 0 {
            return false;
        }
        let before = self.history.sum(b"MPCapableSYNTXDisabled");
        sys::try_mptcp();
        self.history.reread();
        self.history.sum(b"MPCapableSYNTXDisabled") > before
    }

    /// Whether announcements of existing connections are sent and not confirmed.
    pub fn lacks_echoes(&self) -> bool {
        let sent = self.history.sum(b"AddAddrTx");
        sent > 0 && self.history.sum(b"EchoAdd") * 2 < sent
    }

    /// What went wrong with peers and on the path to them.
    #[inline(never)]
    pub fn check_counters(&mut self) {
        self.check_refused();
        let sum = |names: &[u8]| self.history.sum(names);
        let unknown = sum(b"MPJoinNoTokenFound");
        if unknown > sum(b"MPJoinAckRx") || sum(JOINS) > unknown {
            self.counters = JOINS;
            finding!(
                self,
                self.level(),
                "join-failed",
                "subflows reached a host without their connection, or were changed on the way",
                "{+}",
                "Behind a load balancer let each host announce its own address and forbid joins \
                 to the shared one ({n}sysctl -w net.mptcp.allow_join_initial_addr_port=0); \
                 otherwise look for what rewrites TCP options on the path",
            );
        }
        self.counters = FAILURES;
        if self.history.sum(FAILURES) > 0 && !self.explains() {
            let level = self.level();
            let joined = self.live.opened_joined + self.live.accepted_joined;
            if level == Level::Fault || joined == 0 {
                self.say("{+}");
                self.changed(level, "a path to the peers");
            }
        }
        let sum = |names: &[u8]| self.history.sum(names);
        let accepted = b"AddAddrDrop";
        let dropped = sum(accepted) * 2 > sum(b"AddAddr") && self.live.opened_joined == 0;
        if dropped || self.history.growth(DROPS) > self.history.growth(accepted) {
            self.counters = DROPS;
            finding!(
                self,
                self.level(),
                "add-addr-dropped",
                "announcements were dropped",
                "{+}",
                "Announce fewer addresses, and none of IPv6 with a port",
            );
        }
        self.check_echoes();
    }

    /// Whether this host refuses subflows of peers.
    fn check_refused(&mut self) {
        let full = self.live.accepted_full;
        let rejected = self.history.sum(b"MPJoinRejected");
        // A limit of 0 explains itself.
        let limit = self.host.more_subflows;
        if rejected == 0 || rejected * 8 < self.history.sum(b"MPJoinSynRx") || limit == 0 {
            return;
        }
        let mut level = Level::Fault;
        if full == 0 && self.history.growth(b"MPJoinRejected") == 0 {
            if self.live.accepted > 0 {
                return;
            }
            level = Level::Note;
            self.say(PAST);
            self.advise("If it happens again: ");
        }
        finding!(
            self,
            level,
            "join-refused",
            "subflows of peers are refused here: the limit is reached, or the user-space path \
             manager was away",
            "{=MPJoinRejected MPJoinSynRx}{b}; full connections accepted {}; {l}",
            "{r}{s}{}",
            [full, limit.max(8)],
        );
    }

    /// A path alters the data, as the collected evidence shows.
    pub fn changed(&mut self, level: Level, path: &str) {
        self.advise(path);
        finding!(
            self,
            level,
            "mp-fail",
            "a path changes the data: checksums fail, and the subflow is closed",
            "{b}",
            "Look for a proxy, firewall or NAT helper (ALG) that rewrites TCP on {r}; TLS keeps it \
             from doing so",
        );
    }

    /// Whether peers confirm what is announced to them.
    fn check_echoes(&mut self) {
        if !self.lacks_echoes() || self.live.accepted_joined > 0 {
            return;
        }
        let mut level = Level::Fault;
        if self.live.announcing == 0 {
            level = Level::Note;
            self.say(PAST);
        }
        finding!(
            self,
            level,
            "add-addr-unanswered",
            "announcements are not confirmed: something on the path removes them, or peers do \
             not know them",
            "{=AddAddrTx EchoAdd}{b}",
            "See with tcpdump for ADD_ADDR on both hosts whether it arrives; clients with \
             endpoints need none",
        );
    }
}

/// Where connections that fell back are seen.
const LOOK: &str = "See {i}connection show fallback for the peers";
