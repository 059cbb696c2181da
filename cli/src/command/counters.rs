//! `counters`.

use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::{interval, option, INTERVALS};
use crate::kernel::proc::{decimal, Counters};
use crate::output::Report;
use crate::session::{Command, Does, Session};
use crate::sys::{self, Polled};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "counters",
    words: "[ --all ] [ --interval SECS ] [ --prometheus ]",
    help: "Show the kernel's counters of MPTCP that are not 0.\n\
           They count from the start of the network namespace. With --interval, MPCurrEstab is \
            what it is, all others are differences.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp counters --interval 5\n\
            \n\
            Counters:\n\
            \tMPCapableSYNRX connections that peers asked for (MP_CAPABLE in a SYN)\n\
            \tMPCapableSYNTX connections asked for from here\n\
            \tMPCapableSYNACKRX peers that answered with MP_CAPABLE\n\
            \tMPCapableACKRX connections accepted here\n\
            \tMPCapableFallbackACK accepted connections that fell back to TCP at the third packet\n\
            \tMPCapableFallbackSYNACK connections from here whose peer, or a middlebox, lacks MPTCP\n\
            \tMPCapableSYNTXDrop connections from here that were retried without MPTCP\n\
            \tMPCapableSYNTXDisabled connections opened as TCP because MPTCP seemed blocked before\n\
            \tMPCapableEndpAttempt connections to a port that takes joins only\n\
            \tMPFallbackTokenInit fallbacks because no token could be made\n\
            \tMPTCPRetrans segments retransmitted, on any subflow\n\
            \tMPJoinNoTokenFound joins of connections that are not here\n\
            \tMPJoinSynRx subflows that peers asked for\n\
            \tMPJoinSynBackupRx subflows that peers asked for as backup\n\
            \tMPJoinSynAckRx subflows from here that were answered\n\
            \tMPJoinSynAckBackupRx subflows from here that were answered as backup\n\
            \tMPJoinSynAckHMacFailure answers whose HMAC was wrong\n\
            \tMPJoinAckRx subflows of peers that were established\n\
            \tMPJoinAckHMacFailure subflows of peers whose HMAC was wrong\n\
            \tMPJoinRejected subflows of peers that the limits or the path manager refused\n\
            \tMPJoinSynTx subflows asked for from here\n\
            \tMPJoinSynTxCreatSkErr subflows not opened: no socket could be made\n\
            \tMPJoinSynTxBindErr subflows not opened: local address unusable\n\
            \tMPJoinSynTxConnectErr subflows not opened: no route to the peer\n\
            \tDSSNotMatching data mappings that do not fit the one before\n\
            \tDSSCorruptionFallback fallbacks after a broken mapping\n\
            \tDSSCorruptionReset subflows reset after a broken mapping\n\
            \tInfiniteMapTx fallbacks in mid-connection from here\n\
            \tInfiniteMapRx fallbacks in mid-connection from peers\n\
            \tDSSNoMatchTCP mappings that do not fit their TCP segment\n\
            \tDataCsumErr data with a wrong checksum\n\
            \tOFOQueueTail segments out of order, queued after all others\n\
            \tOFOQueue segments that came out of order\n\
            \tOFOMerge segments out of order that were merged\n\
            \tNoDSSInWindow data outside the window\n\
            \tDuplicateData data that had arrived before\n\
            \tAddAddr addresses that peers announced\n\
            \tAddAddrTx addresses announced from here\n\
            \tAddAddrTxDrop announcements that found no room in a packet\n\
            \tEchoAdd announcements that peers confirmed\n\
            \tEchoAddTx announcements confirmed from here\n\
            \tEchoAddTxDrop confirmations that found no room\n\
            \tPortAdd announcements with a port\n\
            \tAddAddrDrop announcements of peers that were not accepted\n\
            \tMPJoinPortSynRx subflows of peers to an announced port\n\
            \tMPJoinPortSynAckRx subflows to an announced port that were answered\n\
            \tMPJoinPortAckRx subflows to an announced port that were established\n\
            \tMismatchPortSynRx subflows to a port that was not announced, found at the SYN\n\
            \tMismatchPortAckRx subflows to a port that was not announced, found at the third packet\n\
            \tRmAddr addresses withdrawn by peers\n\
            \tRmAddrDrop withdrawals by peers, not carried out\n\
            \tRmAddrTx addresses withdrawn from here\n\
            \tRmAddrTxDrop withdrawals from here without room in a packet\n\
            \tRmSubflow subflows closed as their address was withdrawn\n\
            \tMPPrioTx changes of priority from here\n\
            \tMPPrioRx changes of priority by peers\n\
            \tMPFailTx checksum failures reported to peers\n\
            \tMPFailRx checksum failures reported by peers\n\
            \tMPFastcloseTx connections aborted from here\n\
            \tMPFastcloseRx connections aborted by peers\n\
            \tMPRstTx subflows reset from here\n\
            \tMPRstRx subflows reset by peers\n\
            \tSubflowStale subflows set aside because nothing got through\n\
            \tSubflowRecover subflows that were stale and are back in use\n\
            \tSndWndShared windows that another subflow had opened further\n\
            \tRcvWndShared receive windows shared by subflows\n\
            \tRcvWndConflictUpdate receive windows moved twice at once\n\
            \tRcvWndConflict receive windows moved twice at once, given up\n\
            \tMPCurrEstab connections that are established now\n\
            \tBlackhole times that MPTCP was off because its SYNs vanished\n\
            \tMPCapableDataFallback fallbacks because the first data came without a mapping\n\
            \tMD5SigFallback fallbacks for TCP MD5\n\
            \tDssFallback fallbacks because of broken mappings\n\
            \tSimultConnectFallback fallbacks because both sides connected at once\n\
            \tFallbackFailed fallbacks that were no longer possible\n\
            \tWinProbe windows probed",
    does: Does::Options(run),
};

/// The only gauge: currently established connections.
const GAUGE: &[u8] = b"MPCurrEstab";

pub fn run(session: &mut Session, asked: &Options) -> Result<Status> {
    // 0 if they are shown once.
    let mut every = 0;
    option(asked.interval, interval, INTERVALS, &mut every)?;
    let cannot = |what, error: Errno| Error::system(Kind::Kernel, status::FAILED, what, error);
    let mut signals = None;
    if every != 0 {
        if asked.prometheus {
            let why = "Prometheus computes differences";
            return Err(Error::invalid("--interval", why));
        }
        let which = &[libc::SIGINT, libc::SIGTERM];
        let caught = sys::catch_signals(which);
        signals = Some(caught.map_err(|error| cannot("cannot wait for signals", error))?);
    }
    let mut before = Counters::default();
    let mut now = Counters::default();
    let mut later = false;
    loop {
        now.read()?;
        if later || every == 0 {
            let report = &mut Report::new(&mut session.out, asked.prometheus);
            print(report, &now, &before, asked.all);
            if later {
                report.end_line();
                report.out.flush()?;
            }
        }
        let Some(signals) = &signals else {
            return Ok(0);
        };
        later = true;
        core::mem::swap(&mut before, &mut now);
        let polled = &mut [Polled::read(&signals.fd)];
        sys::poll_all(polled, every as i32).map_err(|error| cannot("cannot wait", error))?;
        if polled[0].is_ready() {
            return Ok(0);
        }
    }
}

/// By how much a counter grew; the current value of a gauge.
fn added(name: &[u8], value: u64, before: &Counters) -> u64 {
    if name == GAUGE {
        return value;
    }
    let old = before.of(name);
    let added = value.wrapping_sub(old);
    // Counters of 32-bit kernels wrap at 2^32.
    if value < old && old >> 32 == 0 {
        added & u64::from(u32::MAX)
    } else {
        added
    }
}

/// By how much those that are not 0 grew; with `all`, then the others. As metrics, all of them
/// in the kernel's order, including those of newer kernels.
pub fn print(report: &mut Report, counters: &Counters, before: &Counters, all: bool) {
    report.out.begin_record("");
    report.lines(25);
    report.metric(
        "mptcp_events_total{counter} counter MPTcpExt counters of the kernel by name; \
         ip-mptcp counters --help explains them.",
    );
    let mut established = None;
    let mut zero = false;
    loop {
        for (name, value) in counters.all() {
            let value = added(name, decimal(value), before);
            if report.metrics && name == GAUGE {
                established = Some(value);
            } else if report.metrics || (value == 0) == zero {
                // A name consists of letters and digits.
                report.named_number(sys::text(name).unwrap_or("?"), value);
            }
        }
        if report.metrics || zero || !all {
            break;
        }
        zero = true;
    }
    if let Some(value) = established {
        report.metric("mptcp_established gauge MPTCP connections established now.");
        report.sample(value);
    }
    report.out.end_group();
}
