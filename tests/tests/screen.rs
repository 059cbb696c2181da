//! `paths` on a terminal: what the screen shows, read as a terminal emulator shows it, and
//! what is left of it at the end.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZero;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use ip_mptcp_tests::connection::Connection;
use ip_mptcp_tests::load::Load;
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, resize, strace, terminal, Run};
use ip_mptcp_tests::wait::until;
use vt100::Parser;

/// What the shell had on the screen.
const PROMPT: &str = "shell# ";

/// `ip-mptcp paths` on a terminal of its own.
struct Screen {
    child: Child,
    master: File,
    // Kept open: what the modes of the terminal are is asked here.
    slave: OwnedFd,
    shown: Arc<Mutex<Parser>>,
    modes: libc::termios,
}

impl Screen {
    fn start(words: &str, columns: u16, lines: u16) -> Screen {
        Screen::with(words, columns, lines, &[("TERM", "xterm")])
    }

    fn with(words: &str, columns: u16, lines: u16, variables: &[(&str, &str)]) -> Screen {
        let mut command = Command::new(binary());
        command.args(words.split_whitespace());
        Screen::of(command, columns, lines, variables)
    }

    fn of(mut command: Command, columns: u16, lines: u16, variables: &[(&str, &str)]) -> Screen {
        let (master, slave) = terminal();
        resize(&master, columns, lines);
        let mut parser = emulator(columns, lines);
        parser.process(PROMPT.as_bytes());
        let shown = Arc::new(Mutex::new(parser));
        let end = || slave.try_clone().expect("a descriptor");
        let modes = modes(&slave);
        command
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied())
            .stdin(end())
            .stdout(end())
            // Not on the screen, which is compared with what it was.
            .stderr(std::process::Stdio::null())
            // Of its own, so that Ctrl-Z has its effect also where nobody controls jobs.
            .process_group(0);
        let child = command.spawn().expect("the program");
        // The ends of the terminal that the command holds.
        drop(command);
        Screen {
            child,
            master,
            slave,
            shown,
            modes,
        }
    }

    /// Begins to read what is written.
    fn read(self) -> Screen {
        let mut master = self.master.try_clone().expect("a descriptor");
        let shown = self.shown.clone();
        std::thread::spawn(move || {
            let mut room = [0; 4096];
            while let Ok(got @ 1..) = master.read(&mut room) {
                shown.lock().expect("the screen").process(&room[..got]);
            }
        });
        self
    }

    /// The lines of the screen, without blanks at their ends.
    fn lines(&self) -> Vec<String> {
        let shown = self.shown.lock().expect("the screen");
        let width = shown.screen().size().1;
        shown
            .screen()
            .rows(0, width.get())
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// Waits until the screen is as wanted.
    #[track_caller]
    fn wait(&self, what: &str, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                lines = self.lines();
                enough(&lines).then_some(())
            });
        }));
        assert!(found.is_ok(), "timed out waiting for {what}: {lines:#?}");
        lines
    }

    /// Waits until rates are shown.
    fn rates(&self) -> Vec<String> {
        self.wait("rates", |lines| {
            lines[0].starts_with("in ") && lines.iter().any(|line| line.starts_with("q quit"))
        })
    }

    fn press(&mut self, key: &str) {
        self.master.write_all(key.as_bytes()).expect("press a key");
    }

    fn signal(&self, signal: i32) {
        // SAFETY: integers only; the child has not been waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    fn resize(&self, columns: u16, lines: u16) {
        let mut shown = self.shown.lock().expect("the screen");
        shown
            .screen_mut()
            .set_size(at_least_1(lines), at_least_1(columns));
        drop(shown);
        resize(&self.master, columns, lines);
        // The kernel sends it to those whose controlling terminal this is.
        self.signal(libc::SIGWINCH);
    }

    /// The state of the process: R, S, T, Z ...
    fn state(&self) -> String {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("the process");
        let (_, rest) = stat.rsplit_once(") ").expect("the name of the process");
        rest[..1].to_owned()
    }

    /// Waits for the end.
    fn ended(&mut self) -> ExitStatus {
        until("the end of the program", || {
            self.child.try_wait().expect("wait")
        })
    }

    fn is_taken(&self) -> bool {
        let shown = self.shown.lock().expect("the screen");
        shown.screen().alternate_screen() && shown.screen().hide_cursor()
    }

    /// The screen, the cursor and the modes of the terminal are as they were.
    #[track_caller]
    fn assert_put_back(&self) {
        until("the former screen", || {
            let shown = self.shown.lock().expect("the screen");
            let screen = shown.screen();
            (!screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.cursor_position() == (0, PROMPT.len() as u16))
                .then_some(())
        });
        let lines = self.lines();
        assert_eq!(lines[0], PROMPT.trim_end());
        let now = modes(&self.slave);
        assert!(same(&now, &self.modes), "the modes of the terminal");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn emulator(columns: u16, lines: u16) -> Parser {
    Parser::new(at_least_1(lines), at_least_1(columns), 0)
}

fn at_least_1(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap_or(NonZero::<u16>::MIN)
}

fn modes(terminal: &OwnedFd) -> libc::termios {
    // SAFETY: plain integers, which the call fills in.
    unsafe {
        let mut modes: libc::termios = std::mem::zeroed();
        assert_eq!(libc::tcgetattr(terminal.as_raw_fd(), &mut modes), 0);
        modes
    }
}

fn same(a: &libc::termios, b: &libc::termios) -> bool {
    (a.c_iflag, a.c_oflag, a.c_cflag, a.c_lflag) == (b.c_iflag, b.c_oflag, b.c_cflag, b.c_lflag)
        && a.c_cc == b.c_cc
}

/// A connection over two paths that has nothing to carry: what is shown stays.
/// So does the listener: what it has not taken in yet would end with it.
fn idle() -> Option<(TwoPaths, TcpListener, Connection)> {
    let paths = TwoPaths::fresh()?;
    let (listener, connection) = paths.joined("");
    // The kernel counts it when it is begun.
    until("a round-trip time of both", || {
        let shown = Run::tool("-j connection show").run().stdout();
        (shown.matches("\"rtt_us\"").count() == 2).then_some(())
    });
    Some((paths, listener, connection))
}

/// The lines with `~` in place of round-trip times, which nobody knows beforehand: a
/// handshake of a loaded machine may have taken a second.
fn masked(lines: &[String]) -> Vec<String> {
    let heading = lines.iter().find(|line| line.starts_with("DEV "));
    let columns = heading.into_iter().flat_map(|heading| {
        ["RTTms", "MAXms"]
            .iter()
            .filter_map(|name| heading.find(name))
            .map(|at| at..at + 5)
    });
    let columns: Vec<_> = columns.collect();
    let mask = |line: &String| {
        let mut line = line.clone();
        for column in &columns {
            let time = line.get(column.clone()).unwrap_or_default();
            if time.trim_start().parse::<f64>().is_ok() {
                line.replace_range(column.clone(), "~~~~~");
            }
        }
        line
    };
    lines.iter().map(mask).collect()
}

#[test]
fn the_screen_has_what_fits_its_size() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    const ALL: &str = "in 0B/s  out 0B/s  connections 1  subflows 2  opened 0  ended 0";
    for (columns, lines, expected) in [
        (
            80,
            24,
            [
                ALL,
                "DEV ADDRESS   ID STATE  SHARE   IN/s  OUT/s RTTms MAXms RTX/s SUB",
                "c1  10.0.1.2   - idle       -      0      0 ~~~~~ ~~~~~     0   1 .............",
                "c2  10.0.2.2   2 idle       -      0      0 ~~~~~ ~~~~~     0   1 .............",
                "q quit  space pause  s sort: rate  b by: path",
            ],
        ),
        (
            40,
            10,
            [
                "in 0B/s  out 0B/s  connections 1",
                "DEV STATE  SHARE   IN/s  OUT/s RTTms",
                "c1  idle       -      0      0 ~~~~~",
                "c2  idle       -      0      0 ~~~~~",
                "q quit  space pause  s sort: rate",
            ],
        ),
        (
            200,
            60,
            [
                ALL,
                "DEV ADDRESS   ID STATE  SHARE   IN/s  OUT/s RTTms MAXms RTX/s SUB",
                "c1  10.0.1.2   - idle       -      0      0 ~~~~~ ~~~~~     0   1 \
                 ........................................",
                "c2  10.0.2.2   2 idle       -      0      0 ~~~~~ ~~~~~     0   1 \
                 ........................................",
                "q quit  space pause  s sort: rate  b by: path",
            ],
        ),
    ] {
        let mut screen = Screen::start("paths --interval 0.1", columns, lines).read();
        // A handshake that is still under way has no round-trip time.
        screen.wait(&format!("{expected:#?} on {columns}x{lines}"), |shown| {
            let (used, rest) = shown.split_at(5);
            masked(used) == expected && rest.iter().all(String::is_empty)
        });
        assert!(screen.is_taken());
        screen.press("q");
        assert_eq!(screen.ended().code(), Some(0));
        screen.assert_put_back();
    }
}

#[test]
fn a_resized_screen_is_redrawn() {
    let Some(mut load) = Load::fresh(3) else {
        return;
    };
    load.open(6);
    // Long: what is drawn anew is drawn because of the size.
    let screen = Screen::start("paths --by subflow --interval 1000", 200, 60).read();
    let rows = |lines: &[String]| lines.iter().filter(|line| line.starts_with("load")).count();
    screen.wait("all rows", |lines| rows(lines) == 24);
    screen.resize(40, 10);
    let shown = screen.wait("fewer rows", |lines| lines[8] == "... 18 more");
    assert_eq!(rows(&shown), 6, "{shown:#?}");
    assert!(shown[9].starts_with("q quit"), "{shown:#?}");
    screen.resize(80, 24);
    let shown = screen.wait("more rows", |lines| {
        lines.len() == 24 && lines[22] == "... 4 more" && lines[23].starts_with("q quit")
    });
    assert_eq!(rows(&shown), 20, "{shown:#?}");
    // One line is too little for more than a summary.
    screen.resize(20, 1);
    screen.wait("one line", |lines| {
        lines.len() == 1 && lines[0].starts_with("connections 6")
    });
    screen.resize(200, 60);
    screen.wait("all rows", |lines| rows(lines) == 24);
}

#[test]
fn keys_pause_sort_and_change_rows() {
    let Some((_paths, _listener, connection)) = idle() else {
        return;
    };
    let mut screen = Screen::start("paths --interval 0.05", 80, 24).read();
    screen.rates();
    let last = |lines: &[String], text: &str| {
        let keys = lines.iter().find(|line| line.starts_with("q quit"));
        keys.is_some_and(|line| line.contains(text))
    };
    for sort in ["rtt", "retransmits", "path", "rate"] {
        screen.press("s");
        screen.wait(sort, |lines| last(lines, &format!("sort: {sort}")));
    }
    screen.press("b");
    let token = format!("token {:08x} to 10.0.1.1:", connection.tokens().0);
    screen.wait("rows of connections", |lines| {
        last(lines, "by: connection") && lines[2].starts_with(&token)
    });
    screen.press("b");
    screen.wait("rows of subflows", |lines| {
        last(lines, "by: subflow") && lines[1].starts_with("DEV PEER")
    });
    screen.press("b");
    screen.wait("rows of paths", |lines| last(lines, "by: path"));
    // An arrow is no letter, and others do nothing.
    screen.press("\x1b[B");
    screen.press("x");
    screen.press(" ");
    let paused = screen.wait("a pause", |lines| lines[0].starts_with("PAUSED"));
    // What is carried now is not shown.
    connection.exchange(100_000);
    screen.press("b");
    screen.press("b");
    screen.press("b");
    screen.press("s");
    let still = screen.wait("another order", |lines| last(lines, "sort: rtt"));
    assert_eq!(paused[0], still[0]);
    screen.press(" ");
    // The first interval is that of the pause.
    screen.wait("new rates", |lines| lines[0].starts_with("in "));
    screen.press("q");
    assert_eq!(screen.ended().code(), Some(0));
    screen.assert_put_back();
}

#[test]
fn the_terminal_is_restored_however_the_program_ends() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    for (words, signal, code) in [
        ("", libc::SIGTERM, 0),
        ("", libc::SIGINT, 0),
        ("", libc::SIGHUP, 0),
        ("", libc::SIGQUIT, 0),
        ("--count 1000", libc::SIGINT, 128 + libc::SIGINT),
    ] {
        let mut screen = Screen::start(&format!("paths --interval 0.05 {words}"), 80, 24).read();
        screen.rates();
        assert!(screen.is_taken());
        screen.signal(signal);
        let status = screen.ended();
        assert_eq!(
            (status.code(), status.signal()),
            (Some(code), None),
            "{signal}"
        );
        screen.assert_put_back();
    }
    let mut screen = Screen::start("paths --interval 0.05 --count 3", 80, 24).read();
    assert_eq!(screen.ended().code(), Some(0));
    screen.assert_put_back();
}

#[test]
fn the_terminal_is_restored_after_an_error() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    let Some(strace) = strace() else {
        return;
    };
    let mut command = Command::new(strace);
    command
        .args("-D -qq -o /dev/null -e inject=recvmmsg:error=EIO:when=60+".split(' '))
        .arg(binary())
        .args(["paths", "--interval", "0.05"]);
    let mut screen = Screen::of(command, 80, 24, &[("TERM", "xterm")]).read();
    screen.rates();
    assert_eq!(screen.ended().code(), Some(2));
    screen.assert_put_back();
}

// SIGTSTP, as Ctrl-Z sends it, and SIGCONT.
#[test]
fn ctrl_z_restores_the_terminal_and_sigcont_redraws_it() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    let mut screen = Screen::start("paths --interval 0.05", 80, 24).read();
    screen.rates();
    for _ in 0..2 {
        screen.signal(libc::SIGTSTP);
        until("a stopped program", || {
            (screen.state() == "T").then_some(())
        });
        screen.assert_put_back();
        screen.signal(libc::SIGCONT);
        screen.rates();
        assert!(screen.is_taken());
    }
    // A key is read at once, and is not echoed.
    screen.press("q");
    assert_eq!(screen.ended().code(), Some(0));
    screen.assert_put_back();
}

// As after Ctrl-S: nothing is taken any more, and a signal is still an end.
#[test]
fn a_blocked_terminal_does_not_hang_the_program() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    let mut screen = Screen::start("paths --interval 0.001", 200, 60);
    let written = || {
        let path = format!("/proc/{}/io", screen.child.id());
        let table = std::fs::read_to_string(path).ok()?;
        let line = table
            .lines()
            .find_map(|line| line.strip_prefix("wchar: "))?;
        line.parse::<u64>().ok()
    };
    let looked = || {
        let path = format!("/proc/{}/io", screen.child.id());
        let table = std::fs::read_to_string(path).ok()?;
        let line = table
            .lines()
            .find_map(|line| line.strip_prefix("rchar: "))?;
        line.parse::<u64>().ok()
    };
    until("a full terminal", || {
        let (before, reads) = (written().filter(|bytes| *bytes > 4000)?, looked()?);
        // It goes on to look, and writes no more.
        until("further looks", || {
            (looked()? > reads + 20_000).then_some(())
        });
        (written()? == before).then_some(())
    });
    screen.signal(libc::SIGTERM);
    assert_eq!(screen.ended().code(), Some(0));
    let screen = screen.read();
    screen.assert_put_back();
}

#[test]
fn no_screen_is_drawn_without_a_terminal_or_when_not_wanted() {
    let Some((_paths, _listener, _connection)) = idle() else {
        return;
    };
    for (variables, columns, lines, words) in [
        (&[("TERM", "dumb")][..], 80, 24, "paths"),
        (&[("TERM", "")], 80, 24, "paths"),
        (&[("TERM", "xterm"), ("NO_COLOR", "1")], 80, 24, "paths"),
        // A serial line knows no size.
        (&[("TERM", "vt100")], 0, 0, "paths"),
        (&[("TERM", "xterm")], 80, 24, "-j paths"),
        (&[("TERM", "xterm")], 80, 24, "-o paths"),
    ] {
        let words = format!("{words} --interval 0.05 --count 2");
        let mut screen = Screen::with(&words, columns, lines, variables);
        screen.shown = Arc::new(Mutex::new(emulator(200, 24)));
        let mut screen = screen.read();
        assert_eq!(screen.ended().code(), Some(0));
        let lines = screen.wait("lines", |lines| {
            lines.iter().any(|line| line.contains("c2"))
        });
        assert!(
            !lines.iter().any(|line| line.contains("q quit")),
            "{lines:#?}"
        );
        let shown = screen.shown.lock().expect("the screen");
        assert!(!shown.screen().alternate_screen() && !shown.screen().hide_cursor());
    }
}
