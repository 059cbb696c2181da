//! What commands cost: system calls, instructions in user space, memory, bytes
//! of the program; this tool beside the installed `ip`, in one run.
//!
//!     cargo bench -p ip-mptcp-tests --bench cost
//!     IP_MPTCP_BIN=target/static/x86_64/ip-mptcp cargo bench -p ip-mptcp-tests --bench cost
//!
//! Counts hardly move between runs; compare them within one run all the same.
//! Needs strace and valgrind; a column whose tool is missing shows `-`.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{veth, Namespace};
use ip_mptcp_tests::program::{binary, iproute2};
use ip_mptcp_tests::wait::until;

/// A command that is measured. `prepare` is run in front of each measurement.
struct Job {
    name: &'static str,
    words: &'static str,
    prepare: fn(),
}

const JOBS: &[Job] = &[
    Job {
        name: "endpoint show, 8",
        words: "endpoint show",
        prepare: eight,
    },
    Job {
        name: "-j endpoint show, 8",
        words: "-j endpoint show",
        prepare: eight,
    },
    Job {
        name: "endpoint show id 5",
        words: "endpoint show id 5",
        prepare: eight,
    },
    Job {
        name: "limits show",
        words: "limits show",
        prepare: empty,
    },
    Job {
        name: "endpoint add",
        words: "endpoint add 10.0.0.1 subflow",
        prepare: empty,
    },
    Job {
        name: "batch, 100 add + delete",
        words: "-b BATCH",
        prepare: empty,
    },
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
    fn words(&self, job: &Job, batch: &Path) -> Vec<String> {
        let batch = batch.to_string_lossy();
        let (options, command) = match job.words.split_once(' ') {
            Some((option @ ("-j" | "-b"), rest)) => (vec![option], rest),
            _ => (vec![], job.words),
        };
        let mut words: Vec<String> = options.into_iter().map(String::from).collect();
        if self.object && !words.iter().any(|word| word == "-b") {
            words.push("mptcp".into());
        }
        words.extend(command.split(' ').map(|word| word.replace("BATCH", &batch)));
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

    fn instructions(&self, words: &[String]) -> Option<u64> {
        let wrapper = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
        ];
        let out = self.command(&wrapper, words).output().ok()?;
        let text = String::from_utf8_lossy(&out.stderr);
        let line = text.lines().find(|line| line.contains("Collected"))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    /// Private dirty memory in kB when the program is about to write its
    /// output: into a pipe that has no room.
    fn memory(&self, words: &[String]) -> Option<u64> {
        let full = full_pipe()?;
        let mut child = self.command(&[], words).stdout(full.writer).spawn().ok()?;
        let pid = child.id();
        until("the program to write", || {
            let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
            // The number of write(2) on this machine, and its first argument.
            call.starts_with(&format!("{} 0x1 ", libc::SYS_write))
                .then_some(())
        });
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
        let _ = child.kill();
        let _ = child.wait();
        drop(full.reader);
        let rollup = rollup?;
        let line = rollup
            .lines()
            .find(|line| line.starts_with("Private_Dirty"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

struct FullPipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

fn full_pipe() -> Option<FullPipe> {
    let mut ends = [0; 2];
    // SAFETY: the call fills in both numbers, of descriptors that are then
    // ours alone.
    let (reader, mut writer) = unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return None;
        }
        (OwnedFd::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    // A page is the least that a pipe can hold.
    // SAFETY: plain call on a descriptor that is open.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
    let filling = vec![0; usize::try_from(size).ok()?];
    writer.write_all(&filling).ok()?;
    Some(FullPipe {
        reader,
        writer: writer.into(),
    })
}

fn shown(value: Option<u64>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn measure(programs: &[Program], folder: &Path) {
    let batch = folder.join("batch");
    let report = folder.join("calls");
    let lines = "mptcp endpoint add 10.0.0.1 subflow id 7\nmptcp endpoint delete id 7\n";
    fs::write(&batch, lines.repeat(100)).expect("a batch file");
    println!(
        "{:24} {:12} {:>7} {:>12} {:>12}",
        "command", "program", "calls", "instructions", "dirty kB"
    );
    for job in JOBS {
        let mut first = None;
        for program in programs {
            let words = program.words(job, &batch);
            let fresh = || (job.prepare)();
            fresh();
            let calls = program.system_calls(&words, &report);
            fresh();
            let instructions = program.instructions(&words);
            fresh();
            let writes = job.words.contains("show");
            let memory = writes.then(|| program.memory(&words)).flatten();
            let ratio = match (first, instructions) {
                (Some(first), Some(here)) => format!("{:.3} of it", first as f64 / here as f64),
                _ => String::new(),
            };
            first = first.or(instructions);
            println!(
                "{:24} {:12} {:>7} {:>12} {:>12}  {ratio}",
                job.name,
                program.name,
                shown(calls),
                shown(instructions),
                shown(memory),
            );
        }
    }
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
    for program in &programs {
        let size = fs::metadata(program.path).map(|data| data.len()).ok();
        println!("{}: {} bytes", program.path.display(), shown(size));
    }
    measure(&programs, &folder);
    println!("with 600 interfaces in the namespace:");
    for at in 0..300 {
        veth(&format!("a{at}"), &format!("b{at}"), None);
    }
    measure(&programs, &folder);
    let _ = fs::remove_dir_all(&folder);
}
