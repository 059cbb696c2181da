//! What it costs to list 10,000 connections with 4 subflows each:
//! `cargo bench -p ip-mptcp-tests --bench connections [COUNT]`. Instructions are counted by
//! valgrind, for `ip-mptcp` (of IP_MPTCP_BIN, or the bench profile) and the `ss` that is
//! installed, in the same namespace.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ip_mptcp_tests::load::{descriptors, Load};
use ip_mptcp_tests::program::{at_first_write, binary, memory_of};

fn main() {
    let count = std::env::args().find_map(|word| word.parse().ok());
    let count: usize = count.unwrap_or(10_000);
    if !descriptors(count as u64 + 1024) {
        println!("not run: this process may not have {count} connections");
        return;
    }
    std::env::set_var(
        "IP_MPTCP_PROFILE",
        std::env::var("IP_MPTCP_PROFILE").unwrap_or_else(|_| "release".into()),
    );
    let Some(load) = Load::fresh(3) else {
        return;
    };
    let _open = load.open_apart(count);
    println!("{count} connections");
    // With 10,000 connections, the small build of x86-64: instructions and kB at most.
    let full = count == 10_000;
    let tool = |words: &[&str], most: u64, kilobytes: u64| {
        measure(binary(), words, full.then_some((most, kilobytes)))
    };
    tool(&["connection", "show"], 220_000_000, 6000);
    tool(&["-j", "connection", "show"], 0, 6000);
    tool(&["-s", "connection", "show"], 0, 0);
    tool(&["-s", "-j", "connection", "show"], 0, 0);
    tool(&["connection", "show", "sport", "9"], 0, 1000);
    // All have it.
    let port = load.listener.local_addr().expect("its address").port();
    tool(&["connection", "show", "dport", &port.to_string()], 0, 0);
    let first = Command::new(binary()).args(["connection", "show"]).output();
    let text = String::from_utf8_lossy(&first.expect("the tool").stdout).to_string();
    let token = text.split(' ').nth(1).unwrap_or_default();
    tool(&["connection", "show", "token", token], 15_000_000, 1000);
    tool(&["status"], 40_000_000, 1500);
    // Twice `connection show`.
    tool(&["doctor"], 440_000_000, 1500);
    tool(&["monitor", "--snapshot", "--timeout", "5"], 0, 8000);
    measure(Path::new("ss"), &["-tMni"], None);
    for by in ["path", "connection", "subflow"] {
        looks(by);
    }
}

/// What a look of `paths` costs, of which there is one a second: all of a run of twenty but
/// for one of one, and the largest resident size.
fn looks(by: &str) {
    let of = |count: &str| {
        let words = [
            "-j",
            "paths",
            "--interval",
            "0.01",
            "--by",
            by,
            "--count",
            count,
        ];
        usage(binary(), &words)
    };
    let ((few, _), (many, rss)) = (of("1"), of("21"));
    let a_look = (many - few) / 20;
    println!("paths --by {by}: {a_look} microseconds of processor a look, peak {rss} kB");
}

/// Prints what a run takes, and what that is of the bars; a bar of 0 is none.
fn measure(program: &Path, words: &[&str], bars: Option<(u64, u64)>) {
    let peak = peak(program, words);
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let shown = format!("{name} {}", words.join(" "));
    let count = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(words)
        .stdout(Stdio::null())
        .output();
    let Ok(count) = count else {
        println!("{shown}: no valgrind here");
        return;
    };
    let stderr = String::from_utf8_lossy(&count.stderr).to_string();
    let instructions = stderr
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok());
    let (most, kilobytes) = bars.unwrap_or_default();
    let with_bar = |value: Option<u64>, bar: u64| match (value, bar) {
        (None, _) => "?".to_string(),
        (Some(value), 0) => value.to_string(),
        (Some(value), bar) => format!("{value} ({:.2} of {bar})", value as f64 / bar as f64),
    };
    println!(
        "{shown}: {} instructions, peak {} kB",
        with_bar(instructions, most),
        with_bar(peak, kilobytes)
    );
}

/// The largest resident size before the first byte is written, in kB. Of a snapshot, that
/// with all of it read: what is kept for a slow reader is as much as that leaves.
fn peak(program: &Path, words: &[&str]) -> Option<u64> {
    let mut command = Command::new(program);
    command.args(words);
    if words.contains(&"--snapshot") {
        let mut child = command.stdout(Stdio::piped()).spawn().ok()?;
        let lines = BufReader::new(child.stdout.take()?).lines();
        let mut lines = lines.map_while(Result::ok);
        lines.find(|line| line.contains("SNAPSHOT_END"))?;
        let peak = memory_of(child.id(), "status", "VmHWM");
        let _ = child.kill();
        let _ = child.wait();
        return peak;
    }
    at_first_write(command, |pid| memory_of(pid, "status", "VmHWM"))?
}

/// The time of the processor that a run takes, in microseconds, and its largest resident
/// size, in kB.
fn usage(program: &Path, words: &[&str]) -> (i64, i64) {
    let mut command = Command::new(program);
    command.args(words).stdout(Stdio::null());
    let Ok(child) = command.spawn() else {
        return (-1, -1);
    };
    let mut status = 0;
    // SAFETY: an all-zero structure of integers is valid, and the kernel fills it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(child.id() as i32, &mut status, 0, &mut usage);
        let micros = |time: libc::timeval| time.tv_sec * 1_000_000 + time.tv_usec;
        (
            micros(usage.ru_utime) + micros(usage.ru_stime),
            usage.ru_maxrss,
        )
    }
}
