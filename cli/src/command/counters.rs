//! `counters`.

use crate::args;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::milliseconds;
use crate::kernel::proc::Counters;
use crate::output::prometheus::Metrics;
use crate::output::Output;
use crate::session::Session;
use crate::sys::{self, Polled};

/// The one that is a number of things that are there now.
const GAUGE: &[u8] = b"MPCurrEstab";

pub fn run(session: &mut Session, asked: &args::Counters) -> Result<u8> {
    let mut before = Counters::default();
    let mut now = Counters::default();
    let Some(word) = asked.interval else {
        now.read()?;
        if asked.prometheus {
            expose(&mut Metrics::new(&mut session.out), &now)?;
        } else {
            print(&mut session.out, &now, &before, asked.all)?;
        }
        return Ok(0);
    };
    // Longer than poll can wait is a mistake.
    let interval = match milliseconds(word).map(i32::try_from) {
        Some(Ok(interval @ 1..)) => interval,
        _ => return Err(Error::invalid(word, "0.001 to 2147483 seconds")),
    };
    if asked.prometheus {
        let why = "Prometheus makes differences itself";
        return Err(Error::invalid("--interval", why));
    }
    let cannot = |what, error: Errno| Error::system(Kind::Kernel, status::FAILED, &[what], error);
    let signals = sys::catch_signals(&[libc::SIGINT, libc::SIGTERM])
        .map_err(|error| cannot("cannot wait for signals", error))?;
    before.read()?;
    loop {
        let polled = &mut [Polled::read(&signals.fd)];
        sys::poll_all(polled, interval).map_err(|error| cannot("cannot wait", error))?;
        if polled[0].is_ready() {
            return Ok(0);
        }
        now.read()?;
        print(&mut session.out, &now, &before, asked.all)?;
        if !session.out.style.json {
            session.out.end_line();
        }
        session.out.flush()?;
        core::mem::swap(&mut before, &mut now);
    }
}

/// What was added to a counter; a gauge as it is now.
fn added(name: &[u8], value: u64, before: &Counters) -> u64 {
    if name == GAUGE {
        return value;
    }
    let old = before.of(name);
    let added = value.wrapping_sub(old);
    // Counters of 32-bit kernels begin again at 2^32.
    if value < old && old >> 32 == 0 {
        added & u64::from(u32::MAX)
    } else {
        added
    }
}

/// What was added to those that are not 0; with `all` the others behind them.
fn print(out: &mut Output, counters: &Counters, before: &Counters, all: bool) -> Result<()> {
    let json = out.style.json;
    if json {
        out.begin_object("");
    }
    let mut zero = false;
    loop {
        for (name, value) in counters.all() {
            let value = added(name, value, before);
            if (value == 0) != zero {
                continue;
            }
            if json {
                // A name is of letters and digits.
                out.json_number(core::str::from_utf8(name).unwrap_or("?"), value);
            } else {
                out.bytes(name);
                for _ in name.len()..25 {
                    out.byte(b' ');
                }
                out.number(value);
                out.end_line();
            }
        }
        if zero || !all {
            break;
        }
        zero = true;
    }
    if json {
        out.end_object();
    }
    Ok(())
}

/// All of them in Prometheus' format, by the kernel's names: those of newer
/// kernels too.
pub fn expose(metrics: &mut Metrics, counters: &Counters) -> Result<()> {
    metrics.begin(
        "mptcp_events_total counter MPTcpExt counters of the kernel by name; \
         ip-mptcp counters --help explains them.",
    );
    let mut gauge = None;
    for (name, value) in counters.all() {
        if name == GAUGE {
            gauge = Some(value);
        } else {
            metrics.labelled("counter", name, value);
        }
    }
    if let Some(value) = gauge {
        metrics.begin("mptcp_established gauge MPTCP connections established now.");
        metrics.sample(value);
    }
    Ok(())
}

/// What each counter counts, for `--help`.
pub static EXPLAINED: &str = "\nCounters:\n\
             \x20 MPCapableSYNRX connections that peers asked for (MP_CAPABLE in a SYN)\n\
             \x20 MPCapableSYNTX connections asked for from here\n\
             \x20 MPCapableSYNACKRX peers that answered with MP_CAPABLE\n\
             \x20 MPCapableACKRX connections accepted here\n\
             \x20 MPCapableFallbackACK accepted connections that fell back to TCP at the third packet\n\
             \x20 MPCapableFallbackSYNACK connections from here whose peer speaks no MPTCP, or something between does not\n\
             \x20 MPCapableSYNTXDrop connections from here that were retried without MPTCP\n\
             \x20 MPCapableSYNTXDisabled connections opened as TCP because MPTCP seemed blocked before\n\
             \x20 MPCapableEndpAttempt connections to a port that takes joins only\n\
             \x20 MPFallbackTokenInit fallbacks for want of a token\n\
             \x20 MPTCPRetrans segments sent again on another subflow or the same\n\
             \x20 MPJoinNoTokenFound joins of connections that are not here\n\
             \x20 MPJoinSynRx subflows that peers asked for\n\
             \x20 MPJoinSynBackupRx the same as backup\n\
             \x20 MPJoinSynAckRx subflows from here that were answered\n\
             \x20 MPJoinSynAckBackupRx the same as backup\n\
             \x20 MPJoinSynAckHMacFailure answers whose HMAC was wrong\n\
             \x20 MPJoinAckRx subflows of peers that were established\n\
             \x20 MPJoinAckHMacFailure subflows of peers whose HMAC was wrong\n\
             \x20 MPJoinRejected subflows of peers that the limits or the path manager refused\n\
             \x20 MPJoinSynTx subflows asked for from here\n\
             \x20 MPJoinSynTxCreatSkErr the same without a socket\n\
             \x20 MPJoinSynTxBindErr the same whose local address could not be used\n\
             \x20 MPJoinSynTxConnectErr the same without a way to the peer\n\
             \x20 DSSNotMatching data mappings that do not fit the one before\n\
             \x20 DSSCorruptionFallback fallbacks after a broken mapping\n\
             \x20 DSSCorruptionReset subflows reset after a broken mapping\n\
             \x20 InfiniteMapTx fallbacks in mid-connection from here\n\
             \x20 InfiniteMapRx fallbacks in mid-connection from peers\n\
             \x20 DSSNoMatchTCP mappings that do not fit their TCP segment\n\
             \x20 DataCsumErr data with a wrong checksum\n\
             \x20 OFOQueueTail segments queued behind all others out of order\n\
             \x20 OFOQueue segments that came out of order\n\
             \x20 OFOMerge segments out of order that were merged\n\
             \x20 NoDSSInWindow data outside of the window\n\
             \x20 DuplicateData data that had come before\n\
             \x20 AddAddr addresses that peers announced\n\
             \x20 AddAddrTx addresses announced from here\n\
             \x20 AddAddrTxDrop announcements that found no room in a packet\n\
             \x20 EchoAdd announcements that peers confirmed\n\
             \x20 EchoAddTx announcements confirmed from here\n\
             \x20 EchoAddTxDrop confirmations that found no room\n\
             \x20 PortAdd announcements with a port\n\
             \x20 AddAddrDrop announcements of peers that were not accepted\n\
             \x20 MPJoinPortSynRx subflows of peers to an announced port\n\
             \x20 MPJoinPortSynAckRx the same, answered\n\
             \x20 MPJoinPortAckRx the same, established\n\
             \x20 MismatchPortSynRx subflows to a port that was not announced\n\
             \x20 MismatchPortAckRx the same, at the third packet\n\
             \x20 RmAddr addresses that peers took back\n\
             \x20 RmAddrDrop the same, not carried out\n\
             \x20 RmAddrTx addresses taken back from here\n\
             \x20 RmAddrTxDrop the same without room in a packet\n\
             \x20 RmSubflow subflows closed as their address was taken back\n\
             \x20 MPPrioTx changes of priority from here\n\
             \x20 MPPrioRx changes of priority by peers\n\
             \x20 MPFailTx checksum failures told to peers\n\
             \x20 MPFailRx checksum failures told by peers\n\
             \x20 MPFastcloseTx connections broken off from here\n\
             \x20 MPFastcloseRx connections broken off by peers\n\
             \x20 MPRstTx subflows reset from here\n\
             \x20 MPRstRx subflows reset by peers\n\
             \x20 SubflowStale subflows set aside because nothing got through\n\
             \x20 SubflowRecover the same, back in use\n\
             \x20 SndWndShared windows that another subflow had opened further\n\
             \x20 RcvWndShared receive windows shared by subflows\n\
             \x20 RcvWndConflictUpdate receive windows moved twice at once\n\
             \x20 RcvWndConflict the same, given up\n\
             \x20 MPCurrEstab connections that are established now\n\
             \x20 Blackhole times that MPTCP was off because SYNs of it vanished\n\
             \x20 MPCapableDataFallback fallbacks because the first data came without a mapping\n\
             \x20 MD5SigFallback fallbacks for TCP MD5\n\
             \x20 DssFallback fallbacks because of broken mappings\n\
             \x20 SimultConnectFallback fallbacks because both sides connected at once\n\
             \x20 FallbackFailed fallbacks that were not possible any more\n\
             \x20 WinProbe windows probed\n\
             Those of newer kernels are shown as the kernel names them.\n";
