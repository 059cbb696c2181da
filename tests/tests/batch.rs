//! Batch: many commands, one process; every error says where, and nothing is run that
//! was not fully read.

use std::fmt::Write;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

use ip_mptcp_tests::contract::Expectation;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{Call, Run};
use ip_mptcp_tests::table;
use ip_mptcp_tests::wait::until;

#[test]
fn batches_do_what_their_lines_say() {
    let rows = table::rows(include_str!("../data/batch.txt"));
    let (mut failures, mut count) = (Vec::new(), 0);
    for row in &rows {
        let (options, input) = (row.cell(0), table::unescape(row.cell(1)));
        let expected = Expectation::from_row(row, 2);
        for call in [Call::Ip, Call::Object] {
            let Some(_namespace) = Namespace::fresh() else {
                return;
            };
            let mut words = table::words(options);
            if !words.iter().any(|word| word.starts_with("-b")) {
                words.extend(["-b".into(), "-".into()]);
            }
            let output = Run::call(call, &words).stdin(&input).run();
            count += 1;
            let wrong = expected.faults(call, "", &output);
            table::note(&mut failures, row.line, &wrong, &output);
        }
    }
    table::verdict("batch.txt", count, &failures);
}

/// A file that the test removes at its end.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, content: &[u8]) -> File {
        let name = format!("batch-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).expect("a file");
        File(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn errors_of_a_batch_file_name_the_file_and_the_line() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new(
        "lines",
        b"# first\n\nendpoint add 10.0.0.1\nendpoint add x\n",
    );
    let output = Run::tool("-b").arg(&file.0).run().failure(1);
    let place = format!("Command failed {}:4\n", file.0.display());
    assert!(output.stderr().ends_with(&place), "{}", output.report());
    assert_eq!(kernel::endpoints().len(), 1);
}

#[test]
fn errors_of_a_batch_are_json_objects_with_their_place() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let input = "endpoint add x\nlimits\nendpoint delete id 9\n";
    let output = Run::tool("-j -force -b -").stdin(input).run();
    assert_ne!(output.code(), 0, "{}", output.report());
    let objects: Vec<serde_json::Value> = output
        .stderr()
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    assert!(objects.iter().all(|object| object["error"].is_object()));
    for place in ["-:1", "-:3"] {
        assert!(
            output.stderr().contains(place) || {
                let line: u64 = place[2..].parse().expect("a number");
                objects.iter().any(|object| object["error"]["line"] == line)
            },
            "no place {place} in {}",
            output.report()
        );
    }
    assert_eq!(
        output.stdout(),
        "[{\"add_addr_accepted\":0,\"subflows\":2}]\n"
    );
}

#[test]
fn a_directory_is_no_batch_file() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    Run::tool("-b /").run().failure(1);
}

/// BOM.
#[test]
fn a_byte_order_mark_is_skipped_or_refused_and_never_half_read() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let output = Run::tool("-b -")
        .stdin(b"\xef\xbb\xbfendpoint add 10.0.0.1\n")
        .run();
    let added = kernel::endpoints().len();
    match output.code() {
        0 => assert_eq!(added, 1, "{}", output.report()),
        _ => assert!(
            added == 0 && output.stderr().contains("-:1"),
            "{}",
            output.report()
        ),
    }
}

/// UTF-8.
#[test]
fn bytes_that_are_no_text_are_an_error_of_their_line() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let output = Run::tool("-force -b -")
        .stdin(b"endpoint add 10.0.0.1 \xff\nendpoint add 10.0.0.2\n")
        .run();
    assert!(
        output.code() != 0 && output.stderr().contains("-:1"),
        "{}",
        output.report()
    );
    assert_eq!(kernel::endpoints()[0].to_string(), "10.0.0.2 id 1");
}

#[test]
fn too_many_words_in_a_line_are_an_error() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1");
    let line = format!("mptcp endpoint flush{}\n", " subflow".repeat(600));
    let output = Run::tool("-b -").stdin(line).run().failure(1);
    assert!(output.stderr().contains("-:1"), "{}", output.report());
    assert_eq!(kernel::endpoints().len(), 1);
}

/// EFBIG.
#[test]
fn long_lines_are_read_whole_or_refused_whole() {
    for length in [30_000, 1 << 20] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let mut input = format!("# {}\n", "x".repeat(length));
        let _ = writeln!(input, "endpoint add 10.0.0.1{}subflow", " ".repeat(length));
        let output = Run::tool("-b -").stdin(input).run();
        let endpoints: Vec<_> = kernel::endpoints().iter().map(|e| e.to_string()).collect();
        if output.code() == 0 {
            assert_eq!(endpoints, ["10.0.0.1 id 1 subflow"]);
        } else {
            // A limit is fine, beyond any line that somebody means.
            assert!(length > 1 << 15, "{length}");
            assert!(output.stderr().contains("-:1"), "{}", output.report());
            assert!(endpoints.is_empty());
        }
    }
}

#[test]
fn a_thousand_lines_are_a_thousand_commands() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut input = String::new();
    for round in 0..500 {
        let _ = writeln!(input, "limits set subflows {}\nlimits", round % 9);
    }
    let output = Run::tool("-b -").stdin(input).run().success();
    let expected: String = (0..500)
        .map(|round| format!("add_addr_accepted 0 subflows {} \n", round % 9))
        .collect();
    assert_eq!(output.stdout(), expected);
}

/// Whether SIGINT does nothing at once to a process.
fn blocks_sigint(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let blocked = u64::from_str_radix(blocked.expect("a set").trim(), 16).expect("a number");
    blocked >> (libc::SIGINT - 1) & 1 != 0
}

/// SIGINT.
#[test]
fn a_command_that_a_signal_ends_leaves_signals_to_the_batch() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for command in ["counters --interval 100\n", "watch /dev/null\n"] {
        let (reader, mut writer) = UnixStream::pair().expect("a socket");
        let run = Run::tool("-b - -answer").stdin_from(reader).start();
        writer.write_all(command.as_bytes()).expect("a reader");
        until("it to run", || blocks_sigint(run.pid()).then_some(()));
        run.signal(libc::SIGINT);
        run.wait_for_output("the answer", |text| text.ends_with(b"line 1 status 0\n"));
        run.signal(libc::SIGINT);
        let output = run.finish();
        assert_eq!(output.code(), -libc::SIGINT, "{}", output.report());
    }
}
