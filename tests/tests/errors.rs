//! What can go wrong is reported, with a status that is not 0, and changes nothing.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::kernel::{self, Endpoint};
use ip_mptcp_tests::monitor::events_group;
use ip_mptcp_tests::namespace::{
    add_address, link_delete, link_index, link_rename, sysctl, veth, Namespace,
};
use ip_mptcp_tests::program::{binary, broken_pipe, Output, Run};
use ip_mptcp_tests::table;
use ip_mptcp_tests::wait::skip;

/// CAP_NET_ADMIN.
#[test]
fn unprivileged_users_may_still_look() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1 subflow dev lo");
    let shown = Run::tool("endpoint").unprivileged().run();
    if kernel::version() < (6, 12) && shown.code() != 0 {
        skip("this kernel lets only administrators list endpoints");
        return;
    }
    assert_eq!(shown.success().stdout(), "10.0.0.1 id 1 subflow dev lo \n");
    for command in ["endpoint show id 1", "endpoint show dev lo", "limits"] {
        Run::tool(command).unprivileged().run().success();
    }
}

/// EPERM.
#[test]
fn missing_rights_are_refused_with_the_status_of_iproute2() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1 subflow dev lo");
    let before = kernel::state();
    for command in [
        "endpoint add 10.0.0.2",
        "endpoint delete id 1",
        "endpoint delete subflow",
        "endpoint change id 1 backup",
        "endpoint flush",
        "endpoint flush dev lo",
        "limits set subflows 3",
    ] {
        let output = Run::tool(command).unprivileged().run().failure(2);
        let shape = "RTNETLINK answers: Operation not permitted*\n";
        assert!(
            table::matches(shape, &output.stderr()) && output.stderr().lines().count() == 1,
            "{}",
            output.report()
        );
        let output = Run::tool("-j").words(command).unprivileged().run();
        let error = json_error(&output);
        assert_eq!(error["errno"], libc::EPERM, "{}", output.report());
        assert_eq!(error["name"], "EPERM", "{}", output.report());
        assert_eq!(kernel::state(), before);
    }
}

/// EPERM.
#[test]
fn monitoring_without_rights_says_so() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    // The group exists; only the right to join it is missing.
    assert!(events_group() > 0);
    let output = Run::tool("monitor").unprivileged().run().failure(255);
    assert!(
        output.stderr().contains("Operation not permitted") && output.stderr().lines().count() == 1,
        "{}",
        output.report()
    );
    let output = Run::tool("-j monitor").unprivileged().run();
    assert_eq!(json_error(&output)["name"], "EPERM", "{}", output.report());
    assert_eq!(output.code(), 255);
}

fn json_error(output: &Output) -> serde_json::Value {
    let object: serde_json::Value = serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|error| panic!("{error}: {}", output.report()));
    assert!(output.stdout.is_empty(), "{}", output.report());
    object["error"].clone()
}

/// Every line of standard error is an object with an error or a warning that has a
/// message; all are returned.
fn json_lines(output: &Output) -> Vec<serde_json::Value> {
    let lines = output.stderr();
    assert!(!lines.is_empty(), "{}", output.report());
    lines
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error}: {}", output.report()));
            let kinds = ["error", "warning"].map(|kind| object[kind]["message"].is_string());
            assert!(kinds[0] != kinds[1], "{}", output.report());
            object
        })
        .collect()
}

/// Also where the words cannot be read, the kernel warns, or memory has run out (ENOMEM).
#[test]
fn with_json_all_of_standard_error_is_json() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    // Words with quotes, control bytes, and no UTF-8, before and after -j.
    for word in [
        &b"\xff\"\\\n\x01"[..],
        b"a\"b",
        b"\x1b[31m\x7f",
        b"\xc3",
        b"\xe2\x82",
    ] {
        let word = OsStr::from_bytes(word);
        for start in [
            "-j endpoint add",
            "-j limits",
            "-j",
            "-j -n",
            "-j monitor --event",
        ] {
            let error = json_error(&Run::tool(start).arg(word).run());
            assert!(error["word"].is_string(), "{start} {word:?}: {error}");
        }
        let run = Run::tool("-n").arg(word).words("-j endpoint show");
        json_lines(&run.run());
        let state = [b"endpoint add ", word.as_bytes(), b"\n"].concat();
        for command in ["-j apply -", "-j -b -", "-j -force -b -"] {
            let lines = json_lines(&Run::tool(command).stdin(&state).run());
            let places = lines.iter().all(|line| line["error"]["line"].is_u64());
            assert!(places, "{command}: {lines:?}");
        }
    }
    // Files and namespaces that are not there.
    for words in [
        "-j apply /no/such",
        "-j -b /no/such",
        "-j save /no/such",
        "-j -n none limits",
    ] {
        json_lines(&Run::tool(words).run());
    }
    // No memory.
    let long = "#\n".repeat(500_000);
    let limited = Run::program("/bin/sh".as_ref())
        .arg("-c")
        .arg("ulimit -d 1000 && exec \"$0\" -j apply -")
        .arg(binary());
    let lines = json_lines(&limited.stdin(long).run());
    assert_eq!(lines[0]["error"]["name"], "ENOMEM", "{lines:?}");
    // What only root may see is missing.
    let listener = listen("127.0.0.1:0");
    let _connection = Connection::open(&listener);
    let lines = json_lines(&Run::tool("-j -s connection show").unprivileged().run());
    assert!(lines[0]["warning"].is_object(), "{lines:?}");
    // More addresses than the kernel has room for.
    for host in 1..=255_u8 {
        for net in 0..2 {
            add_address("wan", [10, 1, net, host].into(), 16);
        }
    }
    let apply = Run::tool("-j apply -").stdin("endpoint add dev wan -4 subflow\n");
    let output = apply.run();
    assert_eq!(output.code(), 0, "{}", output.report());
    for line in json_lines(&output) {
        let warning = &line["warning"];
        assert_eq!(
            (&warning["file"], &warning["line"]),
            (&"-".into(), &1.into())
        );
    }
}

/// ERANGE.
#[test]
fn the_limit_of_endpoints_is_the_kernels_and_reported_as_it_does() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut full = false;
    for host in 1..=255_u8 {
        let endpoint = Endpoint {
            id: 0,
            address: [10, 0, 0, host].into(),
            port: 0,
            flags: 0,
            interface: 0,
        };
        full = kernel::try_add(&endpoint).is_err();
        if full {
            break;
        }
    }
    if !full {
        skip("this kernel takes more endpoints than there are ids");
        return;
    }
    let before = kernel::state();
    let output = Run::tool("endpoint add 10.1.0.1").run().failure(2);
    if kernel::version() >= (6, 12) {
        let message = "Error: too many addresses or duplicate one: -34.\n";
        assert_eq!(output.stderr(), message);
        let error = json_error(&Run::tool("-j endpoint add 10.1.0.1").run());
        assert_eq!(error["errno"], libc::ERANGE);
        assert_eq!(error["name"], "ERANGE");
    }
    assert_eq!(kernel::state(), before);
}

/// EEXIST, EBUSY, EINVAL, EADDRNOTAVAIL.
#[test]
fn errors_in_json_name_the_kernels_errno() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 5");
    for (command, errno, name, since) in [
        ("endpoint add 10.0.0.1", libc::EEXIST, "EEXIST", (6, 12)),
        ("endpoint add 10.0.0.2 id 5", libc::EBUSY, "EBUSY", (6, 12)),
        ("endpoint delete id 9", libc::EINVAL, "EINVAL", (5, 7)),
        (
            "endpoint add 10.9.9.9 signal port 9",
            libc::EADDRNOTAVAIL,
            "EADDRNOTAVAIL",
            (5, 12),
        ),
    ] {
        if kernel::version() < since {
            continue;
        }
        let output = Run::tool("-j").words(command).run();
        let error = json_error(&output);
        assert_eq!(error["errno"], errno, "{}", output.report());
        assert_eq!(error["name"], name, "{}", output.report());
        assert_eq!(output.code(), 2, "{}", output.report());
    }
}

#[test]
fn interfaces_are_shown_by_the_name_they_have_now() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("old0", "peer0", None);
    let index = link_index("old0").expect("the interface");
    kernel::add("10.0.0.1 id 1 subflow dev old0");
    link_rename("old0", "new0");
    let shown = Run::tool("endpoint").run().success().stdout();
    assert_eq!(shown, "10.0.0.1 id 1 subflow dev new0 \n");
    link_delete("new0");
    let shown = Run::tool("endpoint").run().success().stdout();
    assert_eq!(shown, format!("10.0.0.1 id 1 subflow dev if{index} \n"));
    let shown = Run::tool("-j endpoint").run().success().stdout();
    let object =
        format!("{{\"address\":\"10.0.0.1\",\"id\":1,\"subflow\":true,\"dev\":\"if{index}\"}}");
    assert_eq!(shown, format!("[{object}]\n"));
    // It can still be selected by the name it is shown by, or at least by its id.
    Run::tool("endpoint delete id 1").run().success();
    assert!(kernel::endpoints().is_empty());
}

/// net.mptcp.enabled.
#[test]
fn the_path_manager_is_set_up_while_mptcp_is_off() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    if let Err(error) = sysctl("mptcp/enabled", "0") {
        skip(&format!("sysctls cannot be written: {error}"));
        return;
    }
    Run::tool("endpoint add 10.0.0.1 subflow").run().success();
    Run::tool("limits set subflows 5").run().success();
    let shown = Run::tool("endpoint").run().success().stdout();
    assert_eq!(shown, "10.0.0.1 id 1 subflow \n");
}

/// Words that are not UTF-8, in every place a word can have.
#[test]
fn words_that_are_not_utf8_are_refused() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 5");
    let before = kernel::state();
    for (start, end) in [
        ("", "endpoint flush"),
        ("endpoint", ""),
        ("endpoint add", ""),
        ("endpoint add 10.0.0.2", ""),
        ("endpoint add 10.0.0.2 dev", ""),
        ("endpoint add 10.0.0.2 id", ""),
        ("endpoint delete id", ""),
        ("endpoint flush", ""),
        ("limits set subflows", ""),
        ("limits", ""),
        ("monitor", ""),
        ("-n", "endpoint flush"),
        ("-rc", "endpoint flush"),
        ("-j", "endpoint flush"),
        ("-f", "endpoint flush"),
    ] {
        for bytes in [&b"\xff"[..], b"1\xff", b"-\xff", b"a\xc3", b"\xed\xa0\x80"] {
            let output = Run::tool(start)
                .arg(OsStr::from_bytes(bytes))
                .words(end)
                .run();
            let printed = output.stderr();
            assert!(
                output.code() > 0
                    && output.stdout.is_empty()
                    && printed.ends_with('\n')
                    && !printed.trim().is_empty()
                    && !printed.contains("panicked"),
                "{}",
                output.report()
            );
            assert_eq!(kernel::state(), before);
        }
    }
}

/// ENOSPC, /dev/full.
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 5 dev lo");
    for command in [
        "endpoint show",
        "endpoint show id 5",
        "-j endpoint",
        "-j -p endpoint",
        "limits",
        "-j limits",
        "-V",
        "--help",
        "endpoint --help",
        "-b -",
    ] {
        let full = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        for (how, run) in [
            ("full", Run::tool(command).stdout(full)),
            ("closed", Run::tool(command).closed(&[1])),
        ] {
            let output = run.stdin("limits\nendpoint\n").run();
            let printed = output.stderr();
            assert!(
                output.code() > 0 && printed.ends_with('\n') && printed.lines().count() == 1,
                "{how}: {}",
                output.report()
            );
        }
    }
}

/// Commands that print nothing do not mind.
#[test]
fn commands_without_output_need_no_standard_output() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for descriptors in [&[0][..], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]] {
        let output = Run::tool("endpoint add 10.0.0.1 id 1")
            .closed(descriptors)
            .run();
        assert_eq!(output.code(), 0, "{descriptors:?}: {}", output.report());
        assert_eq!(kernel::endpoints().len(), 1, "{descriptors:?}");
        let output = Run::tool("endpoint delete id 1").closed(descriptors).run();
        assert_eq!(output.code(), 0, "{descriptors:?}: {}", output.report());
        assert_eq!(kernel::endpoints().len(), 0, "{descriptors:?}");
    }
}

/// The netlink socket must not become standard input, output or error: text would go
/// into it, and a batch would be read from it.
/// EBADF.
#[test]
fn closed_descriptors_are_not_mistaken_for_the_kernel() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1");
    for descriptors in [&[0][..], &[0, 2]] {
        let output = Run::tool("endpoint").closed(descriptors).run().success();
        assert_eq!(output.stdout(), "10.0.0.1 id 1 \n");
        let output = Run::tool("-b -").closed(descriptors).run();
        assert!(
            !output.hung && output.code() >= 0,
            "{descriptors:?}: {}",
            output.report()
        );
    }
    for descriptors in [&[1][..], &[0, 1], &[1, 2], &[0, 1, 2]] {
        let output = Run::tool("endpoint").closed(descriptors).run();
        assert!(output.code() > 0, "{descriptors:?}: {}", output.report());
    }
    for descriptors in [&[2][..], &[0, 2], &[1, 2], &[0, 1, 2]] {
        let output = Run::tool("endpoint add 10.0.0.1").closed(descriptors).run();
        assert_eq!(output.code(), 2, "{descriptors:?}: {}", output.report());
        let output = Run::tool("bogus").closed(descriptors).run();
        assert_eq!(output.code(), 255, "{descriptors:?}: {}", output.report());
    }
    assert_eq!(kernel::endpoints().len(), 1);
}

/// `| head -1` is no failure worth a word.
/// SIGPIPE, EPIPE.
#[test]
fn a_reader_that_goes_away_ends_the_tool_silently() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1");
    for command in ["endpoint", "-j endpoint", "limits", "--help", "-b -"] {
        let output = Run::tool(command)
            .stdout(broken_pipe())
            .stdin("endpoint\n".repeat(1000))
            .run();
        // What a shell sees of a program that SIGPIPE ended: the signal, or 128 + 13.
        let usual = [-libc::SIGPIPE, 128 + libc::SIGPIPE];
        assert!(
            usual.contains(&output.code()) && output.stderr.is_empty(),
            "{}",
            output.report()
        );
    }
}

#[test]
fn an_absurdly_long_word_is_an_error_like_any_other() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let long = "1".repeat(100_000);
    for command in [
        "endpoint add",
        "endpoint add 10.0.0.1 id",
        "endpoint add 10.0.0.1 dev",
        "limits set subflows",
        "-n",
        "",
    ] {
        let output = Run::tool(command).arg(&long).run();
        assert!(
            [1, 255].contains(&output.code()) && output.stdout.is_empty(),
            "{command}: status {}",
            output.code()
        );
    }
    assert!(kernel::endpoints().is_empty());
}
