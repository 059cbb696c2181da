//! What commands cost: system calls, instructions in user space, memory, bytes
//! of the program; this tool beside the installed `ip`, in one run, each as a
//! user starts it: without the LD_LIBRARY_PATH of cargo, which makes a loader
//! search four folders more for each library.
//!
//!     cargo bench -p ip-mptcp-tests --bench cost
//!     IP_MPTCP_BIN=$PWD/target/static/x86_64/ip-mptcp cargo bench -p ip-mptcp-tests --bench cost
//!     IPROUTE2=/opt/iproute2/ip cargo bench …        # beside another `ip` too
//!
//! "clearing" is how many of the instructions write zeros (memset and its like);
//! that takes the names of functions, which `CARGO_PROFILE_DIST_STRIP=none
//! cli/static.sh x86_64` leaves in the small build. Where it is more than one in
//! twenty of a command, this fails. "of bar" is what instructions are of those that
//! the small build of x86-64 is to take at most.
//!
//! Counts hardly move between runs; compare them within one run all the same.
//! Needs strace and valgrind; a column whose tool is missing shows `-`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{veth, Namespace};
use ip_mptcp_tests::program::{at_first_write, binary, iproute2, memory_of};

/// A command that is measured. `prepare` is run before each measurement.
struct Job {
    name: &'static str,
    words: &'static str,
    prepare: fn(),
    /// `ip` has it too.
    shared: bool,
    /// The most instructions; 0 where none are named.
    bar: u64,
}

/// The most instructions of a hundred that may write zeros.
const CLEARING: u64 = 5;

const fn own(words: &'static str, bar: u64) -> Job {
    Job {
        name: words,
        words,
        prepare: eight,
        shared: false,
        bar,
    }
}

const JOBS: &[Job] = &[
    Job {
        name: "endpoint show, 8",
        words: "endpoint show",
        prepare: eight,
        shared: true,
        bar: 14_000,
    },
    Job {
        name: "-j endpoint show, 8",
        words: "-j endpoint show",
        prepare: eight,
        shared: true,
        bar: 0,
    },
    Job {
        name: "endpoint show id 5",
        words: "endpoint show id 5",
        prepare: eight,
        shared: true,
        bar: 0,
    },
    Job {
        name: "limits show",
        words: "limits show",
        prepare: empty,
        shared: true,
        bar: 0,
    },
    Job {
        name: "endpoint add",
        words: "endpoint add 10.0.0.1 subflow",
        prepare: empty,
        shared: true,
        bar: 6_000,
    },
    Job {
        name: "batch, 100 add + delete",
        words: "-b BATCH",
        prepare: empty,
        shared: true,
        bar: 0,
    },
    Job {
        name: "batch, 200 changes",
        words: "-b CHANGES",
        prepare: eight,
        shared: true,
        bar: 0,
    },
    own("endpoint replace 10.0.0.3 subflow id 3", 0),
    own("endpoint delete id 3", 0),
    own("endpoint flush", 0),
    own("status", 135_000),
    own("-j status", 0),
    own("status --prometheus", 0),
    own("connection show", 16_000),
    own("-s connection show", 0),
    own("paths --count 1 --interval 0.01", 0),
    own("counters", 89_000),
    own("doctor", 615_000),
    own("monitor --snapshot --timeout 0.01", 0),
    own("save", 0),
    // Nothing to do.
    own("apply STATE", 59_000),
    own("apply --dry-run STATE", 0),
];

fn empty() {
    let flushed = Command::new(binary()).args(["endpoint", "flush"]).status();
    assert!(flushed.is_ok_and(|status| status.success()), "flush");
}

fn eight() {
    empty();
    for at in 1..=8 {
        kernel::add(&format!("10.0.0.{at} subflow id {at}"));
    }
}

/// A program, and how it is given the words of a job.
struct Program<'a> {
    name: &'static str,
    path: &'a Path,
    object: bool,
}

impl Program<'_> {
    fn words(&self, job: &Job, folder: &Path) -> Vec<String> {
        let file = |name: &str| folder.join(name).to_string_lossy().to_string();
        let (options, command) = match job.words.split_once(' ') {
            Some((option @ ("-j" | "-b" | "-s"), rest)) => (vec![option], rest),
            _ => (vec![], job.words),
        };
        let mut words: Vec<String> = options.into_iter().map(String::from).collect();
        if self.object && !words.iter().any(|word| word == "-b") {
            words.push("mptcp".into());
        }
        words.extend(command.split(' ').map(|word| match word {
            "BATCH" | "CHANGES" | "STATE" => file(word),
            word => word.into(),
        }));
        words
    }

    fn command(&self, wrapper: &[&str], words: &[String]) -> Command {
        let mut command = match wrapper.split_first() {
            Some((program, rest)) => {
                let mut command = Command::new(program);
                command.args(rest).arg(self.path);
                command
            }
            None => Command::new(self.path),
        };
        command.args(words).stdout(Stdio::null());
        command.env_remove("LD_LIBRARY_PATH");
        command
    }

    /// System calls, the starting `execve` among them.
    fn system_calls(&self, words: &[String], report: &Path) -> Option<u64> {
        let report_name = report.to_string_lossy();
        self.command(&["strace", "-qq", "-o", &report_name], words)
            .status()
            .ok()
            .filter(|status| status.success())?;
        let text = fs::read_to_string(report).ok()?;
        // The last line is the end of the process, which is no call that
        // returns.
        Some(text.lines().filter(|line| line.contains(" = ")).count() as u64)
    }

    /// All instructions, and those that clear memory, where functions have names.
    fn instructions(&self, words: &[String], profile: &Path) -> Option<(u64, Option<u64>)> {
        let _ = fs::remove_file(profile);
        let file = format!("--callgrind-out-file={}", profile.display());
        let wrapper = ["valgrind", "--tool=callgrind", &file];
        self.command(&wrapper, words).output().ok()?;
        let text = fs::read_to_string(profile).ok()?;
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("totals: "))?;
        Some((total.trim().parse().ok()?, clearing(&text)))
    }

    /// Private dirty memory in kB when the program is about to write its
    /// output: into a pipe that has no room.
    fn memory(&self, words: &[String]) -> Option<u64> {
        let command = self.command(&[], words);
        at_first_write(command, |pid| {
            memory_of(pid, "smaps_rollup", "Private_Dirty")
        })?
    }
}

/// Instructions of the functions that clear memory in a profile of callgrind; `None` where
/// most functions have no name.
fn clearing(profile: &str) -> Option<u64> {
    let mut names = HashMap::new();
    let (mut clears, mut unknown) = (false, false);
    let (mut sum, mut nameless, mut all) = (0, 0_u64, 0_u64);
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        let function = line.strip_prefix("fn=");
        // A name is written once, after its number, where the function is first called.
        if let Some(named) = function.or(line.strip_prefix("cfn=")) {
            if let Some((number, name)) = named.split_once(' ') {
                names.insert(number, name);
            }
        }
        if let Some(function) = function {
            let number = function.split(' ').next().unwrap_or_default();
            let name = names.get(number).copied().unwrap_or_default();
            clears = ["memset", "memclr", "bzero", "calloc"]
                .iter()
                .any(|part| name.contains(part));
            unknown = name.is_empty() || name.starts_with("0x");
        } else if line.starts_with("calls=") {
            // What the function that is called costs.
            lines.next();
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            let cost = line.split(' ').nth(1).and_then(|cost| cost.parse().ok());
            let cost: u64 = cost.unwrap_or(0);
            all += cost;
            sum += if clears { cost } else { 0 };
            nameless += if unknown { cost } else { 0 };
        }
    }
    (nameless * 2 < all).then_some(sum)
}

fn shown(value: Option<u64>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

/// Prints the table; returns the commands that clear too much.
fn measure(programs: &[Program], folder: &Path, with_bars: bool) -> Vec<&'static str> {
    let mut unclean = Vec::new();
    let report = folder.join("calls");
    let lines = "mptcp endpoint add 10.0.0.1 subflow id 7\nmptcp endpoint delete id 7\n";
    fs::write(folder.join("BATCH"), lines.repeat(100)).expect("a batch file");
    let lines = "mptcp endpoint change id 3 backup\nmptcp endpoint change id 3 nobackup\n";
    fs::write(folder.join("CHANGES"), lines.repeat(100)).expect("a batch file");
    eight();
    let state = Command::new(binary())
        .arg("save")
        .output()
        .expect("the tool");
    fs::write(folder.join("STATE"), state.stdout).expect("a state file");
    println!(
        "{:40} {:12} {:>7} {:>12} {:>10} {:>9}",
        "command", "program", "calls", "instructions", "clearing", "dirty kB"
    );
    for job in JOBS {
        let mut first = None;
        for program in programs {
            if program.object && !job.shared {
                continue;
            }
            let words = program.words(job, folder);
            let fresh = || (job.prepare)();
            fresh();
            let calls = program.system_calls(&words, &report);
            fresh();
            let counted = program.instructions(&words, &report);
            let instructions = counted.map(|(all, _)| all);
            fresh();
            let writes = job.words.contains("show") || job.words.contains("status");
            let memory = writes.then(|| program.memory(&words)).flatten();
            let ratio = match (first, instructions, job.bar) {
                (Some(first), Some(here), _) => format!("{:.3} of it", first as f64 / here as f64),
                (None, Some(here), 1..) if with_bars => {
                    format!("{:.2} of bar", here as f64 / job.bar as f64)
                }
                _ => String::new(),
            };
            if let (None, Some((all, Some(clearing)))) = (first, counted) {
                if clearing * 100 > all * CLEARING {
                    unclean.push(job.name);
                }
            }
            first = first.or(instructions);
            println!(
                "{:40} {:12} {:>7} {:>12} {:>10} {:>9}  {ratio}",
                job.name,
                program.name,
                shown(calls),
                shown(instructions),
                shown(counted.and_then(|(_, clearing)| clearing)),
                shown(memory),
            );
        }
    }
    unclean
}

fn main() {
    // `cargo test --benches` and clippy build it; only `cargo bench` runs it.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("cost-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let installed: Option<PathBuf> = iproute2().map(Path::to_path_buf);
    let mut programs = vec![Program {
        name: "ip-mptcp",
        path: binary(),
        object: false,
    }];
    if let Some(path) = &installed {
        programs.push(Program {
            name: "ip",
            path,
            object: true,
        });
    }
    let others = std::env::var_os("IPROUTE2").unwrap_or_default();
    let others: Vec<PathBuf> = std::env::split_paths(&others).collect();
    for path in others.iter().filter(|path| path.is_file()) {
        programs.push(Program {
            name: "ip (other)",
            path,
            object: true,
        });
    }
    for program in &programs {
        let size = fs::metadata(program.path).map(|data| data.len()).ok();
        println!("{}: {} bytes", program.path.display(), shown(size));
    }
    let unclean = measure(&programs, &folder, true);
    println!("with 600 interfaces in the namespace:");
    for at in 0..300 {
        veth(&format!("a{at}"), &format!("b{at}"), None);
    }
    measure(&programs, &folder, false);
    let _ = fs::remove_dir_all(&folder);
    assert!(
        unclean.is_empty(),
        "more than {CLEARING} % of the instructions write zeros: {unclean:?}"
    );
}
