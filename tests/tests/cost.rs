//! What a command costs in system calls.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use ip_mptcp_tests::contract::lacks;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::load::{descriptors, Load};
use ip_mptcp_tests::namespace::{add_address, sysctl, veth, Namespace};
use ip_mptcp_tests::program::{at_first_write, binary, lacks_features, memory_of, strace, Run};
use ip_mptcp_tests::wait::skip;

/// System calls of one run of a program, by `strace -c`.
fn system_calls(strace: &Path, program: &Path, line: &str, stdin: &str) -> u32 {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let report = std::env::temp_dir().join(format!("strace-{}-{run}", std::process::id()));
    Run::program(strace)
        .words("-c -o")
        .arg(&report)
        .arg(program)
        .words(line)
        .stdin(stdin)
        .run()
        .success();
    let text = std::fs::read_to_string(&report).expect("strace's report");
    let _ = std::fs::remove_file(&report);
    // The last line: 100.00 SECONDS [USECS/CALL] CALLS [ERRORS] total
    let total = text.lines().rev().find(|line| line.ends_with("total"));
    let total: Vec<_> = total
        .expect("a total")
        .split_whitespace()
        .filter_map(|number| number.parse::<u32>().ok())
        .collect();
    // Integers only: usecs/call and calls, perhaps errors.
    match total[..] {
        [_, calls, ..] | [calls] => calls,
        [] => panic!("no count in {text}"),
    }
}

/// A program that does nothing, linked like the binary: what its system calls are, the
/// C library makes.
struct Nothing(PathBuf);

impl Nothing {
    fn build() -> Option<Nothing> {
        let folder = std::env::temp_dir().join(format!("nothing-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let nothing = Nothing(folder);
        let source = nothing.0.join("nothing.rs");
        let text = "#![no_main]\n#[no_mangle]\npub extern \"C\" fn main() -> i32 { 0 }\n";
        std::fs::write(&source, text).expect("a source file");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command.args(["-Cpanic=abort", "-o"]).arg(nothing.program());
        if is_static(binary()) {
            command.arg("-Ctarget-feature=+crt-static");
        }
        let built = command.arg(&source).output();
        if !built.is_ok_and(|out| out.status.success()) {
            skip("no rustc to build the program to compare with");
            return None;
        }
        Some(nothing)
    }

    fn program(&self) -> PathBuf {
        self.0.join("nothing")
    }
}

impl Drop for Nothing {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a program of this machine's kind asks for no dynamic loader: its ELF file has
/// no PT_INTERP. Offsets are those of 64-bit files; others count as dynamic.
fn is_static(program: &Path) -> bool {
    const PT_INTERP: u32 = 3;
    let bytes = std::fs::read(program).expect("the binary");
    let number = |at: usize, size: usize| {
        let mut wide = [0; 8];
        wide[..size].copy_from_slice(&bytes[at..at + size]);
        u64::from_le_bytes(wide) as usize
    };
    let is_elf64 = bytes.starts_with(b"\x7fELF\x02\x01") && bytes.len() >= 64;
    is_elf64
        && (0..number(56, 2)).all(|header| {
            let at = number(32, 8) + header * number(54, 2);
            number(at, 4) as u32 != PT_INTERP
        })
}

/// Whether the program under test was built without a command or its first option, which
/// is then reported.
fn is_absent(words: &str) -> bool {
    let is_option = |word: &&str| word.starts_with('-');
    let words = words.split(' ').skip_while(is_option);
    let option = words.clone().find(is_option);
    let command: Vec<_> = words.take_while(|word| !is_option(word)).collect();
    let command = command.join(" ");
    // Where it is present, it only explains itself.
    let help = Run::tool(&format!("{command} --help")).run();
    let explains = |option| help.stdout().contains(option);
    let absent = lacks(&help) || lacks_features() && !option.is_none_or(explains);
    if absent {
        skip(&format!("built without \"{command}\", or an option of it"));
    }
    absent
}

fn eight_endpoints() {
    for id in 1..=8 {
        kernel::add(&format!("10.0.0.{id} id {id} subflow dev lo"));
    }
}

/// A socket, two requests with their answers (the family, then what is wanted; an
/// answer is one call, also that of a dump), and the output.
#[test]
fn commands_make_no_unnecessary_system_calls() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let (Some(strace), Some(nothing)) = (strace(), Nothing::build()) else {
        return;
    };
    eight_endpoints();
    let start_up = system_calls(&strace, &nothing.program(), "", "");
    // The name of an interface is one more.
    for (command, calls) in [
        ("endpoint show", 7),
        ("endpoint show id 3", 7),
        ("limits show", 6),
        ("limits set subflows 3", 5),
        ("endpoint delete id 3", 5),
        ("endpoint add 10.0.0.3 id 3 subflow", 5),
        // Four dumps and no more, as there is no connection to be shown with endpoint and
        // interface: two sockets, the family, and what checks and width are wanted.
        ("connection show", 15),
    ] {
        if is_absent(command) {
            continue;
        }
        let all = system_calls(&strace, binary(), command, "");
        assert!(
            all <= start_up + calls,
            "{command}: {all} system calls, {start_up} of them the C library's"
        );
    }
}

#[test]
fn each_further_line_of_a_batch_takes_two_system_calls() {
    const LINES: u32 = 50;
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    // Without an interface: the name of one that is shown takes a call more.
    kernel::add("10.0.0.3 id 3 subflow");
    for line in ["limits set subflows 3\n", "endpoint show id 3\n"] {
        let one = system_calls(&strace, binary(), "-b -", line);
        let many = line.repeat(LINES as usize + 1);
        let more = system_calls(&strace, binary(), "-b -", &many);
        // Output that fills its buffer is written on the way: a few calls for all lines.
        let writes = 4;
        assert!(
            more <= one + 2 * LINES + writes,
            "{line:?}: {one} system calls, {more} with {LINES} lines more"
        );
    }
}

#[test]
fn saving_endpoints_that_are_bound_to_no_interface_reads_no_interfaces() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    if is_absent("save") {
        return;
    }
    kernel::add("10.0.0.1 id 1 subflow");
    let count = || system_calls(&strace, binary(), "save", "");
    let with_one = count();
    for pair in 0..100 {
        veth(&format!("a{pair}"), &format!("b{pair}"), None);
    }
    assert_eq!(count(), with_one, "with 201 interfaces");
}

#[test]
fn interfaces_that_are_not_named_cost_nothing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    eight_endpoints();
    const COMMANDS: [&str; 4] = [
        "endpoint show",
        "endpoint show id 3",
        "endpoint change id 3 backup",
        "limits",
    ];
    let count = || COMMANDS.map(|command| system_calls(&strace, binary(), command, ""));
    let with_one = count();
    for pair in 0..300 {
        veth(&format!("a{pair}"), &format!("b{pair}"), None);
    }
    assert_eq!(count(), with_one, "{COMMANDS:?} with 601 interfaces");
}

/// Instructions in user space of one run of the binary, by valgrind.
fn instructions(words: &str) -> Option<u64> {
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(binary())
        .args(words.split(' '))
        .output();
    let Ok(out) = out else {
        skip("no valgrind");
        return None;
    };
    let report = String::from_utf8_lossy(&out.stderr).to_string();
    let collected = report
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, number)| number.trim().parse().ok());
    Some(collected.unwrap_or_else(|| panic!("no count in {report}")))
}

/// Each interface and address is looked at once, not compared with all others.
#[test]
fn twice_as_many_interfaces_cost_twice_as_much() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    if is_absent("status") || is_absent("connection show") {
        return;
    }
    // Addresses of IPv6 would change for a while, and a dump that this interrupts is read again.
    sysctl("ipv6/conf/default/disable_ipv6", "1").expect("no IPv6");
    const COMMANDS: [&str; 2] = ["status", "connection show"];
    let count = || COMMANDS.map(instructions);
    let more = |pairs: std::ops::Range<u32>| {
        for pair in pairs {
            let (here, there) = (format!("a{pair}"), format!("b{pair}"));
            veth(&here, &there, None);
            let address = [10, 9, (pair >> 8) as u8, pair as u8];
            add_address(&here, address.into(), 32);
        }
    };
    more(0..150);
    let few = count();
    more(150..300);
    for ((command, many), few) in COMMANDS.iter().zip(count()).zip(few) {
        let (Some(many), Some(few)) = (many, few) else {
            return;
        };
        assert!(
            many < few * 5 / 2,
            "{command}: {few} instructions with 300 interfaces, {many} with 600"
        );
    }
}

/// A change keeps the flags that it does not name, so it has to know them.
#[test]
fn a_batch_of_changes_does_not_read_the_endpoints_for_each_line() {
    const LINES: u32 = 50;
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    eight_endpoints();
    let line = "endpoint change id 3 backup\nendpoint change id 4 nobackup\n";
    let many = line.repeat(LINES as usize / 2);
    let one = system_calls(&strace, binary(), "-b -", line);
    // iproute2 takes three for a line. On a busy machine, what was read is old soon: it
    // takes more attempts until one is not interrupted.
    let mut fewest = u32::MAX;
    let within = (0..40).any(|_| {
        let calls = system_calls(&strace, binary(), "-b -", &many);
        fewest = fewest.min(calls);
        calls <= one + 3 * LINES
    });
    assert!(within, "{fewest}, {one} for two");
}

/// As with `ss`: a dump of each protocol and family is as many receives as it is long.
#[test]
fn a_selector_that_all_connections_match_reads_each_list_once() {
    let Some(mut load) = Load::fresh(1) else {
        return;
    };
    let Some(strace) = strace() else { return };
    if is_absent("connection show") || is_absent("status") {
        return;
    }
    load.open(200);
    let port = load.listener.local_addr().expect("its address").port();
    let calls = |words: &str| {
        let runs = (0..3).map(|_| system_calls(&strace, binary(), words, ""));
        runs.min().expect("runs")
    };
    let all = calls("connection show");
    let matching = calls(&format!("connection show dport {port}"));
    assert!(
        matching <= all + 3,
        "{matching} system calls, {all} for all"
    );
    // What is counted is not kept, nor read twice.
    assert!(calls("status --prometheus") <= all + 60, "{all} for all");
}

/// The largest resident size of a run, in kB.
fn peak(words: &str) -> u64 {
    let mut command = Command::new(binary());
    command.args(words.split(' '));
    at_first_write(command, |pid| memory_of(pid, "status", "VmHWM"))
        .flatten()
        .expect("the size of a process")
}

/// 150 bytes are kept of a subflow where it is shown, none where it is counted.
#[test]
fn memory_for_a_connection_is_no_more_than_what_is_printed() {
    const CONNECTIONS: usize = 600;
    const SUBFLOWS: u64 = 4 * CONNECTIONS as u64;
    let Some(mut load) = Load::fresh(3) else {
        return;
    };
    if is_absent("connection show") || is_absent("status") {
        return;
    }
    if !descriptors(4096) {
        return skip("this process may not have 4096 descriptors");
    }
    const COMMANDS: [(&str, u64); 4] = [
        ("connection show", 150),
        ("-j connection show", 150),
        ("status", 0),
        ("status --prometheus", 0),
    ];
    // As many as fill the memory that is there in any case.
    load.open(300);
    let before = COMMANDS.map(|(words, _)| peak(words));
    load.open(CONNECTIONS);
    for ((words, most), before) in COMMANDS.iter().zip(before) {
        let more = peak(words).saturating_sub(before);
        // Lists that grow by half of what they have, and pages of the program itself that
        // happen to be there.
        let spare = 400;
        assert!(
            more <= spare + SUBFLOWS * most / 1024,
            "{words}: {more} kB more"
        );
    }
}

/// Pages of a process that are its own, were written to, and hold nothing but zeros.
fn pages_of_zeros(pid: u32) -> Option<usize> {
    // Of Documentation/admin-guide/mm/pagemap.rst.
    const PRESENT: u64 = 1 << 63;
    const OF_A_FILE: u64 = 1 << 61;
    // The kernel's page of zeros, which stands for what was only read, is not.
    const MAPPED_ONCE: u64 = 1 << 56;
    // SAFETY: plain call.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let open = |name: &str| File::open(format!("/proc/{pid}/{name}"));
    let (pagemap, memory) = (open("pagemap").ok()?, open("mem").ok()?);
    let mut count = 0;
    for line in maps.lines().filter(|line| line.contains(" rw-p ")) {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let address = |digits| u64::from_str_radix(digits, 16);
        for at in (address(start).ok()?..address(end).ok()?).step_by(size) {
            let mut entry = [0; 8];
            pagemap
                .read_exact_at(&mut entry, at / size as u64 * 8)
                .ok()?;
            let entry = u64::from_ne_bytes(entry);
            if entry & (PRESENT | OF_A_FILE | MAPPED_ONCE) == PRESENT | MAPPED_ONCE {
                let mut page = vec![0; size];
                memory.read_exact_at(&mut page, at).ok()?;
                count += usize::from(page.iter().all(|byte| *byte == 0));
            }
        }
    }
    Some(count)
}

/// A buffer that is cleared before an answer fills a part of it is work for nothing: most
/// that simple commands did, once. (`memset` and `calloc` in a profile: the bench `cost`.)
#[test]
fn no_command_clears_pages_that_it_does_not_use() {
    let Some(mut load) = Load::fresh(1) else {
        return;
    };
    load.open(3);
    let folder = std::env::temp_dir().join(format!("zeros-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path that is text").to_owned()
    };
    // What prints nothing itself comes before what does.
    let replace = match is_absent("endpoint replace") {
        true => "",
        false => "endpoint replace 10.9.7.7 id 7 signal\n",
    };
    let batch = file(
        "batch",
        &[
            "endpoint add 10.9.7.7 id 7 signal\nendpoint change id 7 backup\n",
            replace,
            "limits set subflows 3\nendpoint delete id 7\nlimits show\n",
        ]
        .concat(),
    );
    let flush = file("flush", "endpoint flush\nlimits show\n");
    let state = file(
        "state",
        "limits set subflows 4\nendpoint add 10.9.0.9 id 9 signal\n",
    );
    let commands = [
        "-V".to_owned(),
        "endpoint show".into(),
        "-j endpoint show id 1".into(),
        "limits show".into(),
        "monitor --snapshot --timeout 20".into(),
        "connection show".into(),
        "-s -j connection show".into(),
        "-j connection show listen".into(),
        "status".into(),
        "status --prometheus".into(),
        "counters --all".into(),
        "paths --count 1 --interval 0.01".into(),
        "doctor".into(),
        "save".into(),
        format!("apply --dry-run {state}"),
        format!("-b {batch}"),
        format!("-b {flush}"),
    ];
    for words in &commands {
        if is_absent(words) {
            continue;
        }
        let mut command = Command::new(binary());
        command.args(words.split(' '));
        let zeros = at_first_write(command, pages_of_zeros);
        let zeros = zeros.unwrap_or_else(|| panic!("{words}: nothing was written"));
        let zeros = zeros.expect("the pages of a process");
        // One may be the C library's.
        assert!(zeros <= 1, "{words}: {zeros} pages of zeros");
    }
    let _ = std::fs::remove_dir_all(&folder);
}
