//! What `monitor` costs, an event, beside the installed `ip mptcp monitor`. They take turns
//! with the same events: two that are woken together warm the caches for each other.
//!
//!     cargo bench -p ip-mptcp-tests --bench monitor [stall]
//!     IP_MPTCP_BIN=$PWD/target/static/x86_64/ip-mptcp cargo bench -p ip-mptcp-tests --bench monitor
//!
//! Lone events come 50 a second and more, evenly; bursts as fast as the kernel sends them.
//! The time is that of the processor, in user and system, as the scheduler counts it; of
//! events that come one by one it is taken for each, and the lowest tenth and the middle
//! are reported: whatever else runs on the machine only adds to them, by emptying its caches.
//! System calls are counted by strace and instructions by valgrind, in runs of their own:
//! those of a run with more events less those of one with fewer, for each event between.
//!
//! With `stall` instead: 15,000 events a second for 5 seconds to a reader that does not
//! read; nothing may be lost.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::monitor::{EventCounter, Monitor};
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::netlink::{Bytes, Socket};
use ip_mptcp_tests::program::{binary, iproute2, strace, Run};
use ip_mptcp_tests::wait::until;

/// Events a second, and how many.
const RATES: [(u32, u32); 5] = [
    (50, 500),
    (200, 1000),
    (1000, 4000),
    (3000, 9000),
    (ALL, 20_000),
];
/// What makes events for a measurement.
type Work = fn(&mut Source, u32);
/// As fast as they can be made.
const ALL: u32 = u32::MAX;

fn main() {
    // `cargo test --benches` and clippy build it; only `cargo bench` runs it.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    if std::env::var_os("IP_MPTCP_PROFILE").is_none() {
        std::env::set_var("IP_MPTCP_PROFILE", "release");
    }
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    if std::env::args().any(|word| word == "stall") {
        return stall();
    }
    let mut programs = vec![(binary().to_path_buf(), "monitor")];
    match iproute2() {
        Some(ip) => programs.push((ip.to_path_buf(), "mptcp monitor")),
        None => println!("no iproute2 here to compare with"),
    }
    println!("processor time in us an event; ratio: ip-mptcp to ip");
    println!(
        "{:>10} {:>7} {:>10} {:>9} {:>9} {:>7}",
        "a second", "events", "", "ip-mptcp", "ip", "ratio"
    );
    let mut source = Source::new();
    for (rate, count) in RATES {
        let times = in_turns(&programs, &mut source, rate, count);
        for (at, what) in ["low tenth", "median", "mean"].into_iter().enumerate() {
            let of = |program: usize| times.get(program).and_then(|times| times[at]);
            let Some(ours) = of(0) else { continue };
            let rate = match rate {
                ALL => "all".into(),
                rate => rate.to_string(),
            };
            let theirs = of(1).unwrap_or(f64::NAN);
            let ratio = ours / theirs;
            println!("{rate:>10} {count:>7} {what:>10} {ours:>9.2} {theirs:>9.2} {ratio:>7.2}");
        }
    }
    for (what, work) in [
        ("alone", priorities as Work),
        ("of connections as they come", connections),
    ] {
        for (program, words) in &programs {
            let calls = each(|count| system_calls(program, words, (&mut source, work), count));
            let instructions =
                each(|count| instructions(program, words, (&mut source, work), count));
            let shown =
                |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
            println!(
                "{} {words}, events {what}: {} system calls, {} instructions an event",
                program.display(),
                shown(calls),
                shown(instructions)
            );
        }
    }
}

/// What makes one event at a time: a subflow of a live connection becomes a backup, and
/// an ordinary one again (SF_PRIO).
struct Source {
    socket: Socket,
    family: u16,
    backup: bool,
    _connection: (Connection, TcpListener),
}

impl Source {
    fn new() -> Source {
        kernel::set_limits(0, 2);
        kernel::add("127.0.0.2 id 2 subflow");
        let listener = listen("127.0.0.1:0");
        let connection = Connection::open(&listener);
        until("a further subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 1)
        });
        let (socket, family) = kernel::path_manager().expect("a kernel with MPTCP");
        Source {
            socket,
            family: family.id,
            backup: false,
            _connection: (connection, listener),
        }
    }

    /// Makes the given number of events at this rate, and does `before` ahead of each.
    fn make(&mut self, rate: u32, count: u32, mut before: impl FnMut()) {
        const SET_FLAGS: u8 = 7;
        const BACKUP: u32 = 4;
        let start = Instant::now();
        for number in 0..count {
            if rate != ALL {
                let due = start + Duration::from_secs(1) * number / rate;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            before();
            self.backup = !self.backup;
            let flags = if self.backup { BACKUP } else { 0 };
            let endpoint = Bytes::default()
                .put(1, &(libc::AF_INET as u16).to_ne_bytes())
                .put(3, &[127, 0, 0, 2])
                .put(2, &[2])
                .put(6, &flags.to_ne_bytes());
            let request = Bytes::new(&[SET_FLAGS, 1, 0, 0]).nest(1, endpoint);
            let changed = self.socket.command(self.family, 0, &request.0);
            changed.expect("another priority");
        }
    }
}

/// Lone events.
fn priorities(source: &mut Source, count: u32) {
    source.make(200, count, || ());
}

/// Events of connections, as they come.
fn connections(_: &mut Source, count: u32) {
    let listener = listen("127.0.0.1:0");
    for _ in 0..count / 4 {
        drop(Connection::open_quietly(&listener));
    }
}

fn lines(monitor: &Monitor) -> usize {
    let text = monitor.running.output_so_far();
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// So many turns does each program get.
const TURNS: u32 = 5;

/// Processor time of each, in microseconds an event: the lowest tenth and the middle,
/// where each event had the time for that, and the mean.
fn in_turns(
    programs: &[(PathBuf, &str)],
    source: &mut Source,
    rate: u32,
    count: u32,
) -> Vec<[Option<f64>; 3]> {
    let mut times = vec![(Vec::new(), 0.0); programs.len()];
    for _ in 0..TURNS {
        for ((program, words), (steps, sum)) in programs.iter().zip(&mut times) {
            let monitor = Monitor::start(Run::program(program).words(words));
            let shown = |count: u32| {
                until("the events", || {
                    let count = count - monitor.dropped();
                    (lines(&monitor) >= count as usize).then_some(())
                });
                count - monitor.dropped()
            };
            // What is done once is over then.
            source.make(50, 10, || ());
            shown(10);
            let now = || used(monitor.running.pid());
            let mut samples = vec![now()];
            source.make(rate, count / TURNS, || {
                if rate <= 200 {
                    samples.push(now());
                }
            });
            let events = shown(10 + count / TURNS) - 10;
            samples.push(now());
            let microseconds = |from: Duration, to: Duration| (to - from).as_secs_f64() * 1e6;
            *sum += microseconds(samples[0], samples[samples.len() - 1]) / f64::from(events);
            if samples.len() > 2 {
                let pairs = samples.windows(2);
                steps.extend(pairs.map(|pair| microseconds(pair[0], pair[1])));
            }
            monitor.stop(libc::SIGINT);
        }
    }
    let results = times.into_iter().map(|(mut steps, sum)| {
        steps.sort_by(f64::total_cmp);
        let at = |share: usize| steps.get(steps.len() * share / 10).copied();
        [at(1), at(5), Some(sum / f64::from(TURNS))]
    });
    results.collect()
}

/// Processor time of a process so far, to the nanosecond.
fn used(pid: u32) -> Duration {
    // SAFETY: the structure is of plain integers, and filled in by the call.
    let used = unsafe {
        let mut used: libc::timespec = std::mem::zeroed();
        // The processor clock of another process: its number, inverted, and the kind of clock.
        let clock = (!(pid as i32) << 3) | 2;
        assert_eq!(libc::clock_gettime(clock, &mut used), 0, "its clock");
        used
    };
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

/// The difference that one more event makes. `cost` takes a measure of work, and returns
/// events and cost.
fn each(mut cost: impl FnMut(u32) -> Option<(u64, u64)>) -> Option<f64> {
    let ((few, less), (many, more)) = (cost(40)?, cost(400)?);
    Some((more as f64 - less as f64) / (many as f64 - few as f64))
}

/// Runs the program on the events of `work`; returns how many it showed, and what stood on
/// standard error.
fn run(
    wrapper: Run,
    program: &Path,
    words: &str,
    (source, work): (&mut Source, Work),
    count: u32,
) -> (u64, String) {
    let run = wrapper.arg(program).words(words);
    let counter = EventCounter::start();
    let monitor = Monitor::start(run.limit(Duration::from_secs(60)));
    let before = counter.total();
    work(source, count);
    let sent = counter.total() - before;
    until("the events", || {
        (lines(&monitor) >= sent as usize).then_some(())
    });
    let output = monitor.stop(libc::SIGTERM);
    (sent.into(), output.stderr())
}

fn system_calls(
    program: &Path,
    words: &str,
    (source, work): (&mut Source, Work),
    count: u32,
) -> Option<(u64, u64)> {
    let log = std::env::temp_dir().join(format!("calls-{}", std::process::id()));
    let wrapper = Run::program(&strace()?).words("-D -qq -o").arg(&log);
    let (events, _) = run(wrapper, program, words, (source, work), count);
    let text = std::fs::read_to_string(&log).ok()?;
    let _ = std::fs::remove_file(&log);
    Some((events, text.lines().count() as u64))
}

fn instructions(
    program: &Path,
    words: &str,
    (source, work): (&mut Source, Work),
    count: u32,
) -> Option<(u64, u64)> {
    let wrapper = Run::program(Path::new("/usr/bin/valgrind"))
        .words("--tool=callgrind --callgrind-out-file=/dev/null");
    let (events, text) = run(wrapper, program, words, (source, work), count);
    let line = text.lines().find(|line| line.contains("Collected"))?;
    Some((events, line.rsplit(' ').next()?.parse().ok()?))
}

fn stall() {
    const RATE: u32 = 15_000;
    const SECONDS: u32 = 5;
    let counter = EventCounter::start();
    let monitor = Monitor::start(Run::tool("monitor").stalled());
    let start = Instant::now();
    Source::new().make(RATE, RATE * SECONDS, || ());
    let took = start.elapsed();
    let sent = counter.total();
    let dropped = monitor.dropped();
    monitor.running.read_on();
    until("all events, or the word that some are lost", || {
        let text = monitor.running.output_so_far();
        let lost = text.windows(7).any(|part| part == b"OVERRUN");
        (lost || lines(&monitor) >= sent as usize).then_some(())
    });
    let text = monitor.stop(libc::SIGINT).stdout();
    let shown = text.lines().filter(|line| !line.contains("OVERRUN"));
    println!(
        "{sent} events in {:.1} s to a reader that did not read: {} shown, {dropped} dropped by the kernel",
        took.as_secs_f64(),
        shown.count(),
    );
}
