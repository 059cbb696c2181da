//! What the system refuses, such as memory, room on the disk, or a call: it is reported, with a
//! status that is not 0, and what was there stays.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use ip_mptcp_tests::connection::listen;
use ip_mptcp_tests::documents::quoted;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{binary, injected, Run};
use ip_mptcp_tests::table;
use ip_mptcp_tests::wait::{report, until};

/// A run with a limit of the shell's `ulimit`.
fn limited(limit: &str, words: &str) -> Run {
    Run::program("/bin/sh".as_ref())
        .arg("-c")
        .arg(format!("ulimit {limit} && exec \"$0\" {words}"))
        .arg(binary())
}

/// ENOMEM, OOM.
#[test]
fn running_out_of_memory_is_an_error_like_any_other() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let long = "#\n".repeat(500_000);
    let output = limited("-d 1000", "apply -").stdin(long).run().failure(1);
    assert_eq!(output.stderr(), "Error: Cannot allocate memory\n");
}

/// EFBIG, RLIMIT_FSIZE.
#[test]
fn a_file_that_may_not_become_so_large_stays_what_it_was() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("state");
    std::fs::write(&file, "before").expect("a file");
    let words = format!("save {}", quoted(&file));
    let output = limited("-f 0", &words).run();
    let names = std::fs::read_dir(&folder).expect("the folder");
    let names: Vec<PathBuf> = names.flatten().map(|entry| entry.path()).collect();
    let after = std::fs::read_to_string(&file).expect("the file");
    std::fs::remove_dir_all(&folder).expect("the folder");
    let expected = format!("Cannot write \"{}\": File too large\n", file.display());
    assert_eq!(output.code(), 1, "{}", output.report());
    assert_eq!(output.stderr(), expected);
    assert_eq!((names, after.as_str()), (vec![file], "before"));
}

/// ENOBUFS, strace inject.
#[test]
fn endpoints_that_cannot_be_read_are_not_reported_as_none() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("127.0.0.2 id 1 subflow dev lo");
    for words in ["connection show", "doctor"] {
        // The first answer is that of the family's number.
        let Some(run) = injected("/^recvmmsg:error=ENOBUFS:when=2+", words) else {
            return;
        };
        let output = run.run().failure(2);
        assert!(
            output
                .stderr()
                .starts_with("netlink receive error: No buffer space"),
            "{words}: {}",
            output.report()
        );
    }
}

#[test]
fn an_interface_lookup_that_fails_does_not_mean_that_there_is_none() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("127.0.0.2 id 1 subflow dev lo");
    let before = kernel::state();
    let Some(run) = injected("ioctl:error=EPERM", "apply -") else {
        return;
    };
    let output = run.stdin("endpoint add dev lo subflow\n").run().failure(2);
    let shape = "RTNETLINK answers: Operation not permitted*\n";
    assert!(
        output.stdout.is_empty() && table::matches(shape, &output.stderr()),
        "{}",
        output.report()
    );
    assert_eq!(kernel::state(), before);
}

/// Interfaces, their addresses, limits or endpoints: EPERM, strace inject.
#[test]
fn a_list_that_cannot_be_read_is_not_saved_as_empty() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("127.0.0.2 id 1 subflow dev lo");
    // The first answer is that of the family's number.
    let mut failed = 0;
    loop {
        let fault = format!("/^recvmmsg:error=EPERM:when={}", failed + 2);
        let Some(run) = injected(&fault, "save") else {
            return;
        };
        let output = run.run();
        if output.code() == 0 {
            break;
        }
        assert!(
            output.code() == 2 && output.stdout.is_empty() && !output.stderr.is_empty(),
            "{fault}: {}",
            output.report()
        );
        failed += 1;
    }
    assert!(failed >= 3, "only {failed} answers were read");
}

#[test]
fn namespaces_that_cannot_be_listed_are_not_reported_as_none() {
    let Some(namespace) = Namespace::fresh() else {
        return;
    };
    let _name = namespace.name("faults");
    let words = "monitor --all-netns --timeout 0.1";
    let Some(run) = injected("getdents64:error=EIO:when=1", words) else {
        return;
    };
    let output = run.run().failure(1);
    let expected = "Cannot read /var/run/netns: Input/output error\n";
    assert_eq!(output.stderr(), expected);
}

/// O_NONBLOCK, EAGAIN.
#[test]
fn errors_wait_for_room_on_standard_error() {
    let (mut reader, mut writer) = UnixStream::pair().expect("a socket");
    writer.set_nonblocking(true).expect("O_NONBLOCK");
    while writer.write(b".").is_ok() {}
    let run = Run::tool("endpoint shox").stderr(writer).start();
    // It has tried by then.
    until("it to wait", || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", run.pid())).ok()?;
        state.contains(") S ").then_some(())
    });
    let mut text = Vec::new();
    reader.read_to_end(&mut text).expect("all of it");
    assert_eq!(run.finish().code(), 255);
    let printed = text.iter().skip_while(|byte| **byte == b'.').copied();
    let printed = String::from_utf8(printed.collect()).expect("text");
    assert!(
        printed.starts_with("Command \"shox\" is unknown"),
        "{printed}"
    );
}

/// O_NONBLOCK, EAGAIN.
#[test]
fn a_batch_waits_for_a_standard_input_that_does_not_block() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let (reader, mut writer) = UnixStream::pair().expect("a socket");
    reader.set_nonblocking(true).expect("O_NONBLOCK");
    let run = Run::tool("-b - -answer").stdin_from(reader).start();
    for line in 1..=3 {
        let answers = format!("line {line} status 0\n");
        writer.write_all(b"endpoint show\n").expect("a reader");
        run.wait_for_output("the answer", |text| text.ends_with(answers.as_bytes()));
    }
    drop(writer);
    run.finish().success();
}

/// seccomp, EPERM, pwritev2.
#[test]
fn a_filter_that_refuses_newer_system_calls_does_not_silence_the_monitor() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(run) = injected("pwritev2:error=EPERM", "monitor --count 1") else {
        return;
    };
    let monitor = Monitor::start(run);
    let _listener = listen("127.0.0.1:0");
    let text = monitor.wait_for("an event", |text| text.contains('\n'));
    assert!(text.starts_with("[LISTENER_CREATED]"), "{text}");
}

/// The C library's call of a 32-bit machine ends there; this one can be made to tell any
/// time, which on others no call of the kernel does.
/// time64, Y2038.
#[test]
fn time_goes_on_after_2038() {
    let program = std::fs::read(binary()).expect("the program");
    // EI_CLASS: ELFCLASS32.
    if program.get(4) != Some(&1) {
        return report("no 32-bit program is tested, so its clock is not\n");
    }
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    // 2^31 seconds and 5.006007 more.
    const TIME: &str = "0500008000000000d8a85b0000000000";
    let fault = format!("clock_gettime64:poke_exit=@arg2={TIME}");
    let Some(run) = injected(&fault, "-ts monitor --count 1") else {
        return;
    };
    let monitor = Monitor::start(run.env("TZ", "UTC"));
    let _listener = listen("127.0.0.1:0");
    let text = monitor.wait_for("an event", |text| text.contains("\n"));
    assert!(text.contains("2038-01-19T03:14:13.006007"), "{text}");
}
