//! The tour: MPTCP over two paths in ten seconds, without root and without set-up.
//!
//! `cargo run -p ip-mptcp-tests --example tour [-- --svg FILE]`
//!
//! With `--svg` it ends with a picture of what was seen: the bytes that each path carried,
//! and the cut.
//!
//! Everything stands in network namespaces of its own, which end with the program: this
//! machine's network is neither needed nor touched.

use std::io::{IsTerminal, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::{link_down, Namespace};
use ip_mptcp_tests::paths::{carried, TwoPaths};
use ip_mptcp_tests::picture::{Sample, Transfer};
use ip_mptcp_tests::program::{binary, Run};
use ip_mptcp_tests::wait::until;

/// How long data move before and after the cut.
const TRANSFER: Duration = Duration::from_secs(3);
/// Between two looks at the transfer.
const TICK: Duration = Duration::from_millis(100);
/// Bytes in one write; there are ten of them in a tick at most: slow enough to be watched.
const PIECE: usize = 256 * 1024;

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let svg = match (words.next().as_deref(), words.next(), words.next()) {
        (None, ..) => None,
        (Some("--svg"), Some(file), None) => Some(file),
        _ => {
            eprintln!("Usage: tour [--svg FILE]");
            return ExitCode::FAILURE;
        }
    };
    println!("Building ip-mptcp ...");
    binary();
    let paths = match TwoPaths::try_fresh() {
        Ok(paths) => paths,
        Err(why) => {
            eprintln!("The tour cannot run: {why}.");
            eprintln!("What helps, any of:");
            eprintln!("  run it as root;");
            eprintln!("  sysctl -w kernel.unprivileged_userns_clone=1              (Debian)");
            eprintln!("  sysctl -w kernel.apparmor_restrict_unprivileged_userns=0  (Ubuntu)");
            eprintln!("  sysctl -w user.max_user_namespaces=1000                   (others)");
            eprintln!("  in a container: --privileged, or --cap-add SYS_ADMIN,NET_ADMIN;");
            eprintln!("  without MPTCP: a kernel from 5.7 on with CONFIG_MPTCP=y.");
            return ExitCode::FAILURE;
        }
    };
    let transfer = tour(&paths);
    if let Some(file) = svg {
        if let Err(error) = std::fs::write(&file, transfer.to_svg()) {
            eprintln!("The picture cannot be written: {file}: {error}");
            return ExitCode::FAILURE;
        }
        println!("The bytes of each path over time, with the cut: {file}");
    }
    ExitCode::SUCCESS
}

fn tour(paths: &TwoPaths) -> Transfer {
    step("A client and a server, each in a network namespace, with two paths between them:");
    println!("    client 10.0.1.2 (c1) ======== (s1) 10.0.1.1 server");
    println!("           10.0.2.2 (c2) ======== (s2) 10.0.2.1");

    step("The server allows a connection more than one subflow.");
    show(&paths.server, "server", "limits set subflows 2");
    step("The client uses its second address for further subflows.");
    show(&paths.client, "client", "limits set subflows 2");
    show(
        &paths.client,
        "client",
        "endpoint add 10.0.2.2 dev c2 subflow",
    );
    show(&paths.client, "client", "endpoint show");

    step("The client connects to 10.0.1.1, on path 1. The monitor tells what the kernel does.");
    println!("    client$ ip-mptcp monitor");
    let monitor = Monitor::start(Run::tool("monitor"));
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    let token = format!("0x{:08x}", connection.tokens().0);
    let told = monitor.wait_for("the second subflow", |text| {
        text.contains("SF_ESTABLISHED") && text.ends_with('\n')
    });
    indented(&told);
    println!("    The second subflow is there, on path 2: nobody asked for it but the endpoint.");

    let moving = Moving::default();
    let mut transfer = Transfer::default();
    std::thread::scope(|scope| {
        // However this ends, the threads must.
        let _end = moving.end_on_drop();
        scope.spawn(|| moving.send(&connection.client));
        scope.spawn(|| moving.receive(&connection.server));
        let (start, moving) = (Instant::now(), &moving);
        let sampler = scope.spawn(move || moving.sample(start));

        step("Data move from client to server.");
        moving.watch("both paths", TRANSFER);
        step("The connection and its subflows: share is what each carried of all bytes.");
        let show_connection = format!("connection show token {token}");
        show(&paths.client, "client", &show_connection);

        step("Path 1 is cut: the interface c1 goes down. The connection began there.");
        println!("    client$ ip link set c1 down");
        link_down("c1");
        transfer.cut = start.elapsed().as_millis() as u64;
        let before = moving.received();
        until("data on the other path", || {
            (moving.received() > before + 2 * PIECE as u64).then_some(())
        });
        step("The connection goes on, on path 2; no byte is lost and no program noticed.");
        moving.watch("path 2 alone", TRANSFER);
        show(&paths.client, "client", &show_connection);
        moving.over.store(true, Ordering::Relaxed);
        transfer.samples = sampler.join().expect("the samples");
    });

    step("Both ends close the connection.");
    let seen = told.len();
    drop(connection);
    let told = monitor.wait_for("the end of the connection", |text| {
        text[seen..].contains("CLOSED") && text.ends_with('\n')
    });
    monitor.stop(libc::SIGTERM);
    indented(&told[seen..]);
    let whole = moving.received() == moving.sent();
    println!(
        "    {} sent, {} received: {}.",
        mebibytes(moving.sent()),
        mebibytes(moving.received()),
        if whole {
            "every byte"
        } else {
            "the rest was on its way"
        }
    );
    step("Done: the namespaces end with this program. To go on: ip-mptcp --help, README.md.");
    transfer
}

/// Says what comes next.
fn step(what: &str) {
    println!("\n==> {what}");
}

/// Runs the tool in a namespace and shows the command and its output.
fn show(namespace: &Namespace, name: &str, line: &str) {
    println!("    {name}$ ip-mptcp {line}");
    let output = namespace.inside(|| Run::tool(line).run());
    indented(&output.stdout());
    indented(&output.stderr());
    assert!(output.code() == 0, "{}", output.report());
}

fn indented(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// A transfer, as far as it has come.
#[derive(Default)]
struct Moving {
    sent: AtomicU64,
    received: AtomicU64,
    over: AtomicBool,
}

impl Moving {
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Ends the transfer when what it gives is dropped.
    fn end_on_drop(&self) -> impl Drop + '_ {
        struct End<'m>(&'m Moving);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.over.store(true, Ordering::Relaxed);
            }
        }
        End(self)
    }

    /// Sends a piece now and then until the transfer is over.
    fn send(&self, mut to: &TcpStream) {
        let piece = vec![b'x'; PIECE];
        while !self.over.load(Ordering::Relaxed) {
            to.write_all(&piece).expect("send");
            self.sent.fetch_add(PIECE as u64, Ordering::Relaxed);
            std::thread::sleep(TICK / 10);
        }
        to.shutdown(std::net::Shutdown::Write).expect("the end");
    }

    /// Receives until the sender ends.
    fn receive(&self, mut from: &TcpStream) {
        let mut space = vec![0; PIECE];
        loop {
            match from.read(&mut space).expect("receive") {
                0 => return,
                got => self.received.fetch_add(got as u64, Ordering::Relaxed),
            };
        }
    }

    /// Looks at what each path has sent until the transfer is over.
    fn sample(&self, start: Instant) -> Vec<Sample> {
        let sent = |dev| carried(dev).1;
        let before = [sent("c1"), sent("c2")];
        let mut samples = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            let now = [sent("c1"), sent("c2")];
            samples.push(Sample {
                milliseconds: start.elapsed().as_millis() as u64,
                bytes: [0, 1].map(|path| now[path] - before[path]),
            });
            std::thread::sleep(TICK);
        }
        samples
    }

    /// Shows the transfer for a while.
    fn watch(&self, what: &str, time: Duration) {
        let start = Instant::now();
        // Elsewhere than on a terminal no line can be written over.
        let again = match std::io::stdout().is_terminal() {
            true => "\r",
            false => "",
        };
        while start.elapsed() < time {
            if !again.is_empty() {
                self.draw(again, what);
            }
            std::thread::sleep(TICK);
        }
        self.draw(again, what);
        println!();
    }

    /// One line, written over what it said before.
    fn draw(&self, again: &str, what: &str) {
        print!(
            "{again}    {:14} {:>9} received, {:>9} sent by c1, {:>9} by c2",
            what,
            mebibytes(self.received()),
            mebibytes(carried("c1").1),
            mebibytes(carried("c2").1),
        );
        // Nobody may be reading any more; the tour goes on.
        let _ = std::io::stdout().flush();
    }
}
