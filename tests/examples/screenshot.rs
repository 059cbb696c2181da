//! The picture of `paths` in the README: a terminal of 80 columns, while two paths of 8 and
//! 2 Mbit/s are full.
//!
//! `cargo run -p ip-mptcp-tests --example screenshot FILE`
//!
//! `tests/tests/pictures.rs` says when it is to be made again.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ip_mptcp_tests::namespace::{shape, sysctl};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::picture::Terminal;

const COLUMNS: u16 = 80;
/// As many as are drawn on.
const LINES: u16 = 5;
/// Both paths are full by then.
const LONG: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("Usage: screenshot FILE");
        return ExitCode::FAILURE;
    };
    let paths = match TwoPaths::try_fresh() {
        Ok(paths) => paths,
        Err(why) => {
            eprintln!("There is nothing to be seen here: {why}.");
            return ExitCode::FAILURE;
        }
    };
    let picture = take(&paths).to_svg();
    match std::fs::write(&file, picture) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn take(paths: &TwoPaths) -> Terminal {
    let prepare = || {
        sysctl("ipv4/tcp_rmem", "4096 4194304 8388608").expect("a sysctl");
        sysctl("ipv4/tcp_congestion_control", "reno").expect("a sysctl");
    };
    prepare();
    paths.server.inside(prepare);
    let (_listener, connection) = paths.joined("");
    shape("c1", 1_000_000);
    shape("c2", 250_000);
    let mut from = connection.client.try_clone().expect("a descriptor");
    let mut to = connection.server.try_clone().expect("a descriptor");
    std::thread::spawn(move || {
        let piece = [b'x'; 65536];
        while from.write_all(&piece).is_ok() {}
    });
    std::thread::spawn(move || {
        let mut room = [0; 65536];
        while matches!(to.read(&mut room), Ok(1..)) {}
    });

    let start = Instant::now();
    let mut seen = Terminal {
        columns: COLUMNS,
        lines: LINES,
        bytes: String::new(),
    };
    seen.run("paths", |seen| {
        // The last frame is all that there is to be seen.
        let Some(frame) = seen.bytes.rfind("\x1b[H") else {
            return false;
        };
        seen.bytes.drain(..frame);
        let whole = seen.bytes.ends_with("\x1b[J");
        let text = seen.text().join("\n");
        let both = text.contains("active   80%") && text.contains("active   20%");
        whole && both || start.elapsed() >= LONG
    });
    seen
}
