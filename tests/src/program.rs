//! Running the built binary: any argv, any descriptors, never longer than a time limit.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::documents;
use crate::netlink::check;
use crate::table;
use crate::wait::{skip, until, DEADLINE};

/// The `ip-mptcp` under test: `IP_MPTCP_BIN`, or what cargo builds, once per process.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("IP_MPTCP_BIN") {
        Some(path) => path.into(),
        None => build(&[]),
    })
}

/// The `ip-mptcp` with these features and no others, in a folder of its own.
pub fn with_features(features: &str) -> PathBuf {
    let target = documents::workspace().join("target/features");
    let target = target.to_str().expect("a path that is text");
    build(&[
        "--target-dir",
        target,
        "--no-default-features",
        "--features",
        features,
    ])
}

/// Whether the program under test lacks some of the features.
pub fn lacks_features() -> bool {
    static LACKS: OnceLock<bool> = OnceLock::new();
    *LACKS.get_or_init(|| {
        let usage = Run::program(binary()).words("help").run().stderr();
        ["doctor", "watch", "paths", "address", "--snapshot"]
            .iter()
            .any(|word| !usage.contains(word))
    })
}

fn build(more: &[&str]) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let profile = std::env::var_os("IP_MPTCP_PROFILE").unwrap_or_else(|| "dev".into());
    let built = Command::new(cargo)
        .args(["build", "-q", "-p", "ip-mptcp", "--bin", "ip-mptcp"])
        .args(["--message-format", "json-render-diagnostics", "--profile"])
        .arg(profile)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("run cargo");
    assert!(built.status.success(), "cargo cannot build ip-mptcp");
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable")
}

/// A symbolic link to the binary whose name is `ip`.
fn link_named_ip() -> &'static Path {
    static LINK: OnceLock<PathBuf> = OnceLock::new();
    LINK.get_or_init(|| {
        let test = std::env::current_exe().expect("the test's own path");
        let folder = test.with_file_name(format!("link-to-ip-mptcp-{}", std::process::id()));
        // A folder left by an earlier process with the same id will do.
        let _ = std::fs::create_dir(&folder);
        let link = folder.join("ip");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(binary(), &link).expect("a link named ip");
        // SAFETY: a plain extern "C" function that does not unwind.
        unsafe { libc::atexit(remove_link) };
        link
    })
}

extern "C" fn remove_link() {
    let link = link_named_ip();
    let _ = std::fs::remove_file(link);
    let _ = link.parent().map(std::fs::remove_dir);
}

/// The `ip` of iproute2 that is installed here, if one is.
pub fn iproute2() -> Option<&'static Path> {
    static IP: OnceLock<Option<PathBuf>> = OnceLock::new();
    IP.get_or_init(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain(["/sbin".into(), "/usr/sbin".into()])
            .map(|folder| folder.join("ip"))
            .find(|ip| {
                let version = Command::new(ip).arg("-V").output();
                version.is_ok_and(|out| {
                    let text = String::from_utf8_lossy(&out.stdout).to_string();
                    text.contains("iproute2")
                        && std::fs::canonicalize(ip).ok() != Some(binary().into())
                })
            })
    })
    .as_deref()
}

/// The `strace` that is installed here; the test is reported as skipped if there is none or
/// it may not trace.
pub fn strace() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("strace"))
        .find(|strace| strace.is_file());
    let Some(strace) = found else {
        skip("strace is not installed");
        return None;
    };
    let works = Run::program(&strace).words("-c -o /dev/null true").run();
    if works.code() != 0 {
        skip(&format!("strace may not trace here: {}", works.stderr()));
        return None;
    }
    Some(strace)
}

/// A run of the tool in which something is done to a call, as `inject` of strace(1) takes
/// it; reported as skipped as by [`strace`].
pub fn injected(fault: &str, words: &str) -> Option<Run> {
    let run = Run::program(&strace()?)
        .words("-D -qq -o /dev/null -e")
        .arg(format!("inject={fault}"))
        .arg(binary())
        .words(words);
    Some(run)
}

/// The three ways to call the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Through a link: `ip mptcp …`.
    Ip,
    /// `ip-mptcp mptcp …`.
    Object,
    /// `ip-mptcp …`.
    Direct,
}

/// A run of a program to be.
pub struct Run {
    program: PathBuf,
    name: Option<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    input: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    stalled: bool,
    closed: Vec<i32>,
    unprivileged: bool,
    limit: Duration,
}

impl Run {
    /// A run of any program.
    pub fn program(program: &Path) -> Run {
        Run {
            program: program.into(),
            name: None,
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            input: None,
            stdout: None,
            stderr: None,
            stalled: false,
            closed: Vec::new(),
            unprivileged: false,
            limit: DEADLINE,
        }
    }

    /// The tool under its own name. `line` is split as a shell would (quotes only).
    pub fn tool(line: &str) -> Run {
        Run::program(binary()).words(line)
    }

    /// The tool through a link named `ip`.
    pub fn ip(line: &str) -> Run {
        Run::program(link_named_ip()).words(line)
    }

    /// The tool called in one of its three ways, with words as `ip` takes them
    /// (`[OPTIONS] mptcp …`); the direct way leaves out the object.
    pub fn call(call: Call, words: &[String]) -> Run {
        let run = match call {
            Call::Ip => Run::program(link_named_ip()),
            Call::Object | Call::Direct => Run::program(binary()),
        };
        let object = words.iter().position(|word| word == "mptcp");
        let skipped = object.filter(|_| call == Call::Direct);
        words
            .iter()
            .enumerate()
            .filter(|(at, _)| Some(*at) != skipped)
            .fold(run, |run, (_, word)| run.arg(word))
    }

    /// Adds words, split as a shell would.
    pub fn words(self, line: &str) -> Run {
        table::words(line)
            .iter()
            .fold(self, |run, word| run.arg(word))
    }

    /// Adds one word as it is.
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Run {
        self.args.push(word.as_ref().into());
        self
    }

    /// Sets `argv[0]`.
    pub fn named(mut self, name: impl AsRef<OsStr>) -> Run {
        self.name = Some(name.as_ref().into());
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What standard input holds (default: nothing).
    pub fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Run {
        self.stdin = bytes.as_ref().into();
        self
    }

    /// Where standard input comes from instead.
    pub fn stdin_from(mut self, file: impl Into<OwnedFd>) -> Run {
        self.input = Some(file.into());
        self
    }

    /// Where standard output goes instead of being captured.
    pub fn stdout(mut self, file: impl Into<OwnedFd>) -> Run {
        self.stdout = Some(file.into());
        self
    }

    /// Where standard error goes instead of being captured.
    pub fn stderr(mut self, file: impl Into<OwnedFd>) -> Run {
        self.stderr = Some(file.into());
        self
    }

    /// Leaves standard output unread until [`Running::read_on`].
    pub fn stalled(mut self) -> Run {
        self.stalled = true;
        self
    }

    /// Starts the program with these descriptors closed.
    pub fn closed(mut self, descriptors: &[i32]) -> Run {
        self.closed = descriptors.into();
        self
    }

    /// Takes away every capability, also from root.
    pub fn unprivileged(mut self) -> Run {
        self.unprivileged = true;
        self
    }

    /// The time limit of the program (default: [`DEADLINE`]).
    pub fn limit(mut self, limit: Duration) -> Run {
        self.limit = limit;
        self
    }

    /// Starts the program in the thread's namespace.
    pub fn start(self) -> Running {
        let shown = format!("{:?} {:?}", self.program, self.args);
        let mut command = Command::new(&self.program);
        if let Some(name) = &self.name {
            command.arg0(name);
        }
        let captured = |given: Option<OwnedFd>| given.map_or_else(Stdio::piped, Stdio::from);
        command
            .args(&self.args)
            // Cargo's, which makes the loader search many folders.
            .env_remove("LD_LIBRARY_PATH")
            .envs(self.env)
            .stdin(captured(self.input))
            .stdout(captured(self.stdout))
            .stderr(captured(self.stderr));
        let (closed, unprivileged) = (self.closed, self.unprivileged);
        // SAFETY: only async-signal-safe system calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                if unprivileged {
                    drop_capabilities()?;
                }
                for descriptor in &closed {
                    libc::close(*descriptor);
                }
                Ok(())
            });
        }
        // A program that was just written is busy (ETXTBSY) while one that another test
        // starts at that moment still shares its descriptor.
        let mut child = until("the program not to be written", || match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => None,
            result => Some(result),
        })
        .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        let pipe = child.stdin.take();
        let bytes = self.stdin;
        // A program that does not read its input is no failure of the harness.
        let feeder = std::thread::spawn(move || drop(pipe.map(|mut pipe| pipe.write_all(&bytes))));
        let stdout = Capture::of(child.stdout.take(), self.stalled);
        let stderr = Capture::of(child.stderr.take(), false);
        Running {
            shown,
            child: Process(child),
            feeder,
            stdout,
            stderr,
            limit: self.limit,
        }
    }

    /// Runs the program to its end.
    pub fn run(self) -> Output {
        self.start().finish()
    }
}

/// Between fork and exec: empties all capability sets irrevocably. Dropping them from the
/// bounding set is what also holds for uid 0 across exec.
fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: integers only. EINVAL marks the end of the kernel's list.
        if unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } < 0 {
            break;
        }
    }
    // SAFETY: integers only.
    check(unsafe {
        libc::prctl(
            libc::PR_CAP_AMBIENT,
            libc::PR_CAP_AMBIENT_CLEAR_ALL,
            0,
            0,
            0,
        )
    })
}

/// Bytes read from a pipe so far.
struct Capture {
    state: Arc<(Mutex<State>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    stalled: bool,
    ended: bool,
}

impl Capture {
    fn of(pipe: Option<impl Read + Send + 'static>, stalled: bool) -> Capture {
        let state = Arc::new((
            Mutex::new(State {
                stalled,
                ended: pipe.is_none(),
                ..State::default()
            }),
            Condvar::new(),
        ));
        let shared = state.clone();
        let reader = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let (lock, changed) = &*shared;
                let held = lock.lock().expect("capture");
                drop(changed.wait_while(held, |state| state.stalled));
                let mut space = [0; 65536];
                loop {
                    let got = pipe.read(&mut space).unwrap_or(0);
                    let mut state = lock.lock().expect("capture");
                    state.bytes.extend(&space[..got]);
                    state.ended = got == 0;
                    changed.notify_all();
                    if got == 0 {
                        return;
                    }
                }
            })
        });
        Capture { state, reader }
    }

    fn read_on(&self) {
        let (lock, changed) = &*self.state;
        lock.lock().expect("capture").stalled = false;
        changed.notify_all();
    }

    /// Waits until `enough` holds for what was read; on a deadline or the end of the
    /// output, gives back what there is as the error.
    fn wait(&self, mut enough: impl FnMut(&[u8]) -> bool) -> Result<Vec<u8>, Vec<u8>> {
        let (lock, changed) = &*self.state;
        let end = Instant::now() + DEADLINE;
        let mut state = lock.lock().expect("capture");
        loop {
            if enough(&state.bytes) {
                return Ok(state.bytes.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return Err(state.bytes.clone());
            }
            state = changed.wait_timeout(state, left).expect("capture").0;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.read_on();
        if let Some(reader) = self.reader.take() {
            reader.join().expect("reader");
        }
        std::mem::take(&mut self.state.0.lock().expect("capture").bytes)
    }
}

/// Kills what has not ended yet.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing happens to one that has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that runs. Dropped, it is killed.
pub struct Running {
    shown: String,
    child: Process,
    feeder: JoinHandle<()>,
    stdout: Capture,
    stderr: Capture,
    limit: Duration,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Begins to read the output of a run that was [`Run::stalled`].
    pub fn read_on(&self) {
        self.stdout.read_on();
    }

    /// Waits until the standard output so far satisfies `enough`.
    pub fn wait_for_output(&self, what: &str, enough: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        self.stdout.wait(enough).unwrap_or_else(|so_far| {
            panic!(
                "{}: timed out waiting for {what}; its output:\n{}",
                self.shown,
                String::from_utf8_lossy(&so_far)
            )
        })
    }

    /// The standard output so far.
    pub fn output_so_far(&self) -> Vec<u8> {
        self.stdout.state.0.lock().expect("capture").bytes.clone()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet waited for.
        check(unsafe { libc::kill(self.child.0.id() as i32, signal) }).expect("signal the program");
    }

    /// Panics with what it has said if it has ended.
    pub fn must_run(&mut self) {
        let Some(status) = self.child.0.try_wait().expect("wait") else {
            return;
        };
        let (Ok(stderr) | Err(stderr)) = self.stderr.wait(|_| false);
        panic!(
            "{} has ended: {status}; its errors:\n{}",
            self.shown,
            String::from_utf8_lossy(&stderr)
        );
    }

    /// Waits for the end. A program that outlives the time limit is killed, and its
    /// output says so; see [`Output::code`].
    pub fn finish(mut self) -> Output {
        self.stdout.read_on();
        let hung = !self.ends_within(self.limit);
        if hung {
            let _ = self.child.0.kill();
        }
        let status = self.child.0.wait().expect("wait for the program");
        self.feeder.join().expect("feeder");
        Output {
            shown: self.shown,
            hung,
            status,
            stdout: self.stdout.finish(),
            stderr: self.stderr.finish(),
        }
    }

    fn ends_within(&mut self, limit: Duration) -> bool {
        // SAFETY: integers only; the descriptor is owned immediately.
        let process = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, self.child.0.id(), 0) as i32;
            check(fd).expect("a descriptor of the program");
            File::from_raw_fd(fd)
        };
        let mut wanted = libc::pollfd {
            fd: process.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live element.
        unsafe { libc::poll(&mut wanted, 1, limit.as_millis() as i32) == 1 }
    }
}

/// What a finished program left.
pub struct Output {
    /// How it was called, for messages.
    pub shown: String,
    /// Whether it outlived the time limit and was killed.
    pub hung: bool,
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    /// The exit status; a death by signal N is -N, so a program that hung has -9.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .unwrap_or_else(|| -self.status.signal().unwrap_or(0))
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).to_string()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).to_string()
    }

    /// Fails the test unless the run succeeded with nothing on standard error.
    #[track_caller]
    pub fn success(self) -> Output {
        assert!(
            self.code() == 0 && self.stderr.is_empty(),
            "expected success of {}",
            self.report()
        );
        self
    }

    /// Fails the test unless the run ended with `code`, wrote nothing to standard
    /// output and one message, ending in one newline, to standard error.
    #[track_caller]
    pub fn failure(self, code: i32) -> Output {
        let printed = self.stderr();
        assert!(
            self.code() == code && self.stdout.is_empty() && one_newline_each(&printed),
            "expected exit status {code} and a message from {}",
            self.report()
        );
        self
    }

    /// Everything, for a message.
    pub fn report(&self) -> String {
        format!(
            "{}\n  status {}{}\n  stdout \"{}\"\n  stderr \"{}\"",
            self.shown,
            self.code(),
            if self.hung {
                " (it hung and was killed)"
            } else {
                ""
            },
            table::escape(&self.stdout),
            table::escape(&self.stderr)
        )
    }
}

/// A terminal to write to: what to read it from, and the [`Run::stdout`] for it.
pub fn terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: two live integers are written; the other arguments may be null. Both
    // descriptors are owned immediately.
    unsafe {
        let opened = libc::openpty(
            &mut master,
            &mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        );
        check(opened).expect("a terminal");
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

/// The same with this number of columns and lines.
pub fn terminal_of(columns: u16, lines: u16) -> (File, OwnedFd) {
    let (master, slave) = terminal();
    resize(&master, columns, lines);
    (master, slave)
}

/// Gives a terminal a size; 0 is that of a serial line, which knows none.
pub fn resize(master: &File, columns: u16, lines: u16) {
    let size = libc::winsize {
        ws_row: lines,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the structure outlives the call.
    let done = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    check(done).expect("a size for a terminal");
}

/// Starts a program whose output goes into a pipe that has no room, and looks at the
/// process (its number) when it is about to write: what it needed until then is there still. `None` if it ends
/// without.
pub fn at_first_write<T>(mut command: Command, look: impl FnOnce(u32) -> T) -> Option<T> {
    let mut ends = [0; 2];
    // SAFETY: the call fills in both numbers, of descriptors that are then ours alone.
    let (_reader, mut writer) = unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return None;
        }
        (OwnedFd::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    };
    // A page is the least that a pipe can hold.
    // SAFETY: plain call on a descriptor that is open.
    let size = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) };
    writer
        .write_all(&vec![0; usize::try_from(size).ok()?])
        .ok()?;
    let mut child = command.stdout(writer).spawn().ok()?;
    let pid = child.id();
    let writes = until("the program to write", || {
        let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
        // The number of write(2) on this machine, and its first argument; or what waits
        // for the reader and more, as the monitor does.
        let mut writes = call.starts_with(&format!("{} 0x1 ", libc::SYS_write));
        writes |= call.starts_with(&format!("{} ", libc::SYS_ppoll));
        #[cfg(target_arch = "x86_64")]
        {
            writes |= call.starts_with(&format!("{} ", libc::SYS_poll));
        }
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        (writes || ended).then_some(writes)
    });
    let seen = writes.then(|| look(pid));
    let _ = child.kill();
    let _ = child.wait();
    seen
}

/// A number of a process in kB: `VmHWM`, the most that was resident, from `status`, or
/// `Private_Dirty` from `smaps_rollup`.
pub fn memory_of(pid: u32, file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A pipe that nobody reads.
pub fn broken_pipe() -> OwnedFd {
    let mut ends = [-1; 2];
    // SAFETY: two integers are written; both descriptors are owned immediately.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC)).expect("a pipe");
        drop(OwnedFd::from_raw_fd(ends[0]));
        OwnedFd::from_raw_fd(ends[1])
    }
}

/// What was written to a terminal, after its writer has ended; newlines as written.
pub fn terminal_text(mut master: File) -> String {
    let mut text = Vec::new();
    // The end of a terminal is an error (EIO), not an end of file.
    let _ = master.read_to_end(&mut text);
    String::from_utf8_lossy(&text).replace("\r\n", "\n")
}

/// Whether `text` is one or more messages, each ended by exactly one newline.
pub fn one_newline_each(text: &str) -> bool {
    text.ends_with('\n') && !text.starts_with('\n') && !text.contains("\n\n")
}
