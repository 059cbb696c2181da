//! `save`, `apply`, `endpoint replace` and `endpoint change`: the kernel holds what was asked
//! for, after as few changes as possible, and a refused change leaves everything as it was.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{
    add_address, address_flags, ipv6_address, ipv6_flags, link_delete, link_down, link_up, sysctl,
    veth, Namespace,
};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, injected, strace, Output, Run};
use ip_mptcp_tests::random::Random;
use ip_mptcp_tests::wait::{skip, until};

/// The exit status of a dry run with something to change.
const WOULD_CHANGE: i32 = 3;

fn apply(options: &str, text: &str) -> Run {
    Run::tool("apply").words(options).arg("-").stdin(text)
}

fn save() -> String {
    Run::tool("save").run().success().stdout()
}

/// A file that the test removes at its end.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> File {
        // Tests of one process run side by side.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("state-{}-{count}-{name}", std::process::id());
        let file = File(std::env::temp_dir().join(name));
        std::fs::write(&file.0, content).expect("a file");
        file
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Requests that change something, in the order in which the program sent them: the
/// number of the path manager's command of each.
fn changes(run: impl Fn(Run) -> Run, words: &str) -> Option<(Vec<u8>, Output)> {
    let log = File::new("requests", "");
    let run = run(Run::program(&strace()?)
        .words("-qq -xx -e trace=sendto -o")
        .arg(&log.0)
        .arg(binary())
        .words(words));
    let output = run.run();
    let log = std::fs::read_to_string(&log.0).expect("what strace saw");
    let commands = log
        .lines()
        .filter(|line| line.contains("NLM_F_ACK"))
        .map(|line| command_of(line).unwrap_or_else(|| panic!("no command in {line}")))
        .collect();
    Some((commands, output))
}

/// The command of a request to a family of generic netlink, as strace shows it: until 6.1
/// as bytes, later by the name of the member.
fn command_of(line: &str) -> Option<u8> {
    let (_, payload) = line.split_once("}, ")?;
    let hexadecimal = |digits| u8::from_str_radix(digits, 16).ok();
    if let Some(bytes) = payload.strip_prefix("\"\\x") {
        return hexadecimal(bytes.get(..2)?);
    }
    let number = payload
        .strip_prefix("{cmd=")?
        .split([',', '}', ' '])
        .next()?;
    match number.strip_prefix("0x") {
        Some(digits) => hexadecimal(digits),
        None => number.parse().ok(),
    }
}

#[test]
fn output_of_any_strace_version_is_understood() {
    let header = "sendto(3, [{nlmsg_len=28, nlmsg_flags=NLM_F_REQUEST|NLM_F_ACK, nlmsg_pid=0}, ";
    for payload in [
        r#""\x05\x01\x00\x00\x08\x00"], 28, 0"#,
        r#"{cmd=0x5, version=1}, [{nla_len=8}, "\x03\x00\x00\x00"]], 28"#,
        "{cmd=5, version=1}], 20",
    ] {
        assert_eq!(
            command_of(&format!("{header}{payload}")),
            Some(SET_LIMITS),
            "{payload}"
        );
    }
    assert_eq!(command_of("write(1, ...)"), None);
}

const ADD: u8 = 1;
const DELETE: u8 = 2;
const FLUSH: u8 = 4;
const SET_LIMITS: u8 = 5;
const SET_FLAGS: u8 = 7;

/// The endpoints that the kernel has, as lines.
fn endpoints() -> BTreeSet<String> {
    let all = kernel::endpoints();
    all.iter().map(ToString::to_string).collect()
}

/// Every endpoint that the kernel takes, as lines: all sets of flags, both families, with
/// and without port and interface. Ports really listen, so the addresses are those of `lo`.
fn all_endpoints() -> Vec<String> {
    let laminar = kernel::version() >= (6, 18);
    let mut all = Vec::new();
    for address in ["127.0.0.9", "fd00::9"] {
        for bits in 0..64_u32 {
            let has = |bit: u32| bits & bit != 0;
            if has(16) || has(1) && has(8) || has(32) && !laminar {
                continue;
            }
            for port in [0, 4000] {
                if port != 0 && (!has(1) || has(2)) {
                    continue;
                }
                for dev in ["", " dev lo"] {
                    let mut line = address.to_string();
                    if port != 0 {
                        let _ = write!(line, " port {}", port + all.len());
                    }
                    let _ = write!(line, " id {}", all.len() % 255 + 1);
                    for (bit, name) in kernel::FLAGS {
                        if has(bit) {
                            line += " ";
                            line += name;
                        }
                    }
                    all.push(line + dev);
                }
            }
        }
    }
    all
}

#[test]
fn save_and_apply_restore_the_same_state() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    add_address("lo", "fd00::9".parse().expect("an address"), 128);
    for endpoint in all_endpoints() {
        // Another endpoint of a different kind.
        kernel::add("192.0.2.1 id 255 subflow backup");
        kernel::add(&endpoint);
        kernel::set_limits(3, 5);
        let (before, text) = (kernel::state(), save());
        Run::tool("endpoint flush").run().success();
        Run::tool("limits set subflows 1 add_addr_accepted 1")
            .run()
            .success();
        apply("", &text).run().success();
        assert_eq!(kernel::state(), before, "by\n{text}");
        assert_eq!(save(), text);
        assert_eq!(apply("--dry-run", &text).run().success().stdout(), "");
        Run::tool("endpoint flush").run().success();
    }
}

/// rename(2), symlinks.
#[test]
fn save_replaces_a_file_atomically_and_follows_symlinks() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 7 subflow");
    let file = File::new("saved", "what was there before\n");
    let link = File::new("link", "");
    std::fs::remove_file(&link.0).expect("removed");
    std::os::unix::fs::symlink(file.0.file_name().expect("a name"), &link.0).expect("a link");
    Run::tool("save").arg(&link.0).run().success();
    assert_eq!(std::fs::read_to_string(&file.0).expect("read"), save());
    assert!(link.0.is_symlink());
    Run::tool("save /dev/null").run().success();
    let full = Run::tool("save /dev/full").run().failure(1);
    assert!(full.stderr().contains("No space left"), "{}", full.report());
    Run::tool("save /proc/no/such").run().failure(1);
    assert_eq!(std::fs::read_to_string(&file.0).expect("read"), save());
}

#[test]
fn save_keeps_the_owner_and_mode_of_a_file() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("private", "");
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&file.0, mode(0o600)).expect("permissions");
    Run::tool("save").arg(&file.0).run().success();
    let found = std::fs::metadata(&file.0).expect("a file").permissions();
    assert_eq!(found.mode() & 0o7777, 0o600);
    let both = "{ echo '# mine'; \"$0\" save /dev/stdout; } >\"$1\"";
    let program = Run::program("sh".as_ref()).arg("-c").arg(both);
    program.arg(binary()).arg(&file.0).run().success();
    let text = std::fs::read_to_string(&file.0).expect("read");
    assert_eq!(text, ["# mine\n", &save()].concat());
}

/// Files with other names belong to others, even if the name contains our PID.
#[test]
fn save_leaves_other_files_of_the_directory_alone() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("state-neighbours-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    // The shell creates files with its PID in their names, then execs the program.
    let left =
        "cd \"$1\"; for n in s.$$ .ip-mptcp-$$-0 s~; do echo mine >$n; done; exec \"$0\" save s";
    let program = Run::program("sh".as_ref()).arg("-c").arg(left);
    program.arg(binary()).arg(&folder).run().success();
    let read = |name: &std::ffi::OsStr| std::fs::read_to_string(folder.join(name)).expect("read");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in &names {
        let expected = if name == "s" {
            save()
        } else {
            "mine\n".to_string()
        };
        assert_eq!(read(name), expected, "{name:?}");
    }
    // NAME_MAX, ENAMETOOLONG: the longest name.
    let long = "n".repeat(255);
    Run::tool("save").arg(folder.join(&long)).run().success();
    assert_eq!(read(long.as_ref()), save());
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn endpoints_of_interfaces_that_no_longer_exist_are_saved_as_comments() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("gone", "peer", None);
    kernel::add("10.0.0.1 id 1 subflow dev gone");
    link_delete("gone");
    let text = save();
    assert!(
        text.contains("\n# endpoint add 10.0.0.1 id 1 subflow dev if"),
        "{text}"
    );
    apply("", &text).run().success();
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn interfaces_with_odd_names_survive_save_and_apply() {
    for name in ["a#b", "\"quoted", "it's", "back\\", "-x", "--help", "'\"#"] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        veth(name, "peer", None);
        kernel::add(&format!("10.0.0.1 id 1 subflow dev {name}"));
        let (before, text) = (kernel::state(), save());
        Run::tool("endpoint flush").run().success();
        apply("", &text).run().success();
        assert_eq!(kernel::state(), before, "by\n{text}");
    }
}

#[test]
fn apply_with_nothing_to_do_sends_no_change() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", "10.1.0.1".parse().expect("an address"), 24);
    add_address("lo", "10.0.0.1".parse().expect("an address"), 32);
    add_address("lo", "fd00::1".parse().expect("an address"), 128);
    let text = "limits set subflows 4 add_addr_accepted 4\nendpoint add 10.0.0.1 subflow\n\
                endpoint add dev wan -4 signal\nendpoint add fd00::1 id 9 backup\n";
    let first = changes(|run| run.arg("-").stdin(text), "apply");
    let Some((sent, output)) = first else { return };
    output.success();
    assert_eq!(sent, [SET_LIMITS, ADD, ADD, ADD]);
    let before = kernel::state();
    for words in ["apply", "apply --keep", "apply --wait 5"] {
        let again = changes(|run| run.arg("-").stdin(text), words);
        let Some((sent, output)) = again else { return };
        output.success();
        assert!(sent.is_empty(), "{words}: {sent:?}");
    }
    assert_eq!(kernel::state(), before);
}

/// The state before, the file, the requests that it takes, and the state after.
#[test]
fn apply_makes_the_fewest_changes() {
    let cases: [(&str, &str, &str, &[u8], &str); 14] = [
        (
            "10.0.0.1 id 1 subflow",
            "",
            "10.0.0.1 backup subflow",
            &[SET_FLAGS],
            "10.0.0.1 id 1 subflow backup",
        ),
        (
            "10.0.0.1 id 1 subflow backup",
            "",
            "10.0.0.1 fullmesh subflow",
            &[SET_FLAGS],
            "10.0.0.1 id 1 subflow fullmesh",
        ),
        (
            "10.0.0.1 id 5 subflow",
            "",
            "10.0.0.1 signal",
            &[DELETE, ADD],
            "10.0.0.1 id 5 signal",
        ),
        (
            "10.0.0.1 id 5 subflow",
            "",
            "10.0.0.1 subflow dev lo",
            &[DELETE, ADD],
            "10.0.0.1 id 5 subflow dev lo",
        ),
        (
            "10.0.0.1 id 5 subflow",
            "",
            "10.0.0.1 id 6 subflow",
            &[DELETE, ADD],
            "10.0.0.1 id 6 subflow",
        ),
        (
            "10.0.0.1 id 5 subflow",
            "",
            "10.0.0.1 subflow;10.0.0.2 id 5",
            &[DELETE, ADD, ADD],
            "10.0.0.1 id 6 subflow;10.0.0.2 id 5",
        ),
        (
            "10.0.0.1 id 1;10.0.0.2 id 2;10.0.0.3 id 3",
            "",
            "",
            &[FLUSH],
            "",
        ),
        (
            "10.0.0.1 id 1;10.0.0.2 id 2",
            "",
            "10.0.0.1 signal;10.0.0.2 signal",
            &[FLUSH, ADD, ADD],
            "10.0.0.1 id 1 signal;10.0.0.2 id 2 signal",
        ),
        ("10.0.0.1 id 1", "", "", &[DELETE], ""),
        (
            "10.0.0.1 id 1;10.0.0.2 id 2",
            "",
            "10.0.0.2",
            &[DELETE],
            "10.0.0.2 id 2",
        ),
        (
            "10.0.0.1 id 1;10.0.0.2 id 2",
            "--keep",
            "10.0.0.3",
            &[ADD],
            "10.0.0.1 id 1;10.0.0.2 id 2;10.0.0.3 id 3",
        ),
        (
            "10.0.0.1 id 1",
            "--keep",
            "10.0.0.1 backup",
            &[SET_FLAGS],
            "10.0.0.1 id 1 backup",
        ),
        ("10.0.0.1 id 1", "", "::ffff:10.0.0.1", &[], "10.0.0.1 id 1"),
        // An endpoint keeps its id when the new line asks for none.
        (
            "10.0.0.2 id 1",
            "",
            "10.0.0.1;10.0.0.2",
            &[ADD],
            "10.0.0.1 id 2;10.0.0.2 id 1",
        ),
    ];
    for (before, options, wanted, requests, after) in cases {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let each = |list: &'static str| list.split(';').filter(|one| !one.is_empty());
        each(before).for_each(kernel::add);
        let text: String = each(wanted)
            .map(|words| format!("endpoint add {words}\n"))
            .collect();
        let options = &format!("{options} --allow-empty");
        let dry = apply(&format!("{options} --dry-run"), &text).run();
        let count = dry.stdout().lines().count();
        let expected = if requests.is_empty() { 0 } else { WOULD_CHANGE };
        assert_eq!(
            (count, dry.code()),
            (requests.len(), expected),
            "{}",
            dry.report()
        );
        let run = changes(|run| run.words(options).arg("-").stdin(&text), "apply");
        let Some((sent, output)) = run else { return };
        output.success();
        assert_eq!(sent, requests, "{before} to {wanted}");
        assert_eq!(
            endpoints(),
            each(after).map(String::from).collect(),
            "{before} to {wanted}"
        );
    }
}

/// A dry run prints commands that could be typed, with the same result.
#[test]
fn commands_printed_by_a_dry_run_do_what_apply_does() {
    let text = "limits set subflows 4\nendpoint add 10.0.0.1 subflow backup\n\
                endpoint add 10.0.0.3 id 9 signal dev 'a#b'\nendpoint add 10.0.0.4\n\
                endpoint add 10.0.0.6 subflow backup\n";
    let mut states = Vec::new();
    for by_hand in [true, false] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        veth("a#b", "peer", None);
        for endpoint in [
            "10.0.0.1 id 1 subflow",
            "10.0.0.2 id 2",
            "10.0.0.3 id 3",
            "10.0.0.5 id 9 signal",
            "10.0.0.6 id 10 subflow fullmesh",
        ] {
            kernel::add(endpoint);
        }
        let before = kernel::state();
        let dry = apply("--dry-run", text).run();
        assert_eq!(dry.code(), WOULD_CHANGE, "{}", dry.report());
        assert_eq!(kernel::state(), before);
        if by_hand {
            Run::tool("-b -").stdin(dry.stdout()).run().success();
        } else {
            let run = Run::tool("-j apply -").stdin(text).run().success();
            let done: serde_json::Value = serde_json::from_str(&run.stdout()).expect("JSON");
            let done = done.as_array().expect("a list");
            assert_eq!(done.len(), dry.stdout().lines().count());
            assert_eq!(done[0]["action"], "limits");
            assert_eq!(
                (&done[0]["subflows"], &done[0]["line"]),
                (&4.into(), &1.into())
            );
        }
        states.push(kernel::state());
        assert_eq!(apply("--dry-run", text).run().success().stdout(), "");
    }
    assert_eq!(states[0], states[1]);
}

#[test]
fn every_mistake_in_a_file_is_reported_with_its_line_and_nothing_is_changed() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.9 id 1");
    let text = "endpoint add 10.0.0.1\nendpoint add 10.0.0.300\n# fine\nlimits set subflows x\n\
                endpoint add 10.0.0.1 backup\nendpoint flush\n";
    for (options, json) in [
        ("apply", false),
        ("-j apply", true),
        ("apply --dry-run", false),
    ] {
        let output = Run::tool(options).arg("-").stdin(text).run();
        assert_ne!(output.code(), 0);
        let said = output.stderr();
        assert_eq!(said.lines().count(), 4, "{}", output.report());
        for (line, told) in [2, 4, 5, 6].iter().zip(said.lines()) {
            if json {
                let told: serde_json::Value = serde_json::from_str(told).expect("JSON");
                assert_eq!(told["error"]["line"], *line);
            } else {
                assert!(told.starts_with(&format!("-:{line}: ")), "{told}");
            }
        }
    }
    let nowhere = apply(
        "",
        "endpoint add 10.0.0.1\nendpoint add 10.0.0.2 dev nope\n",
    )
    .run();
    let told = "-:2: argument \"nope\" is wrong: device does not exist\n";
    assert_eq!((nowhere.code(), nowhere.stderr().as_str()), (255, told));
    let taken = apply("--keep", "endpoint add 10.0.0.1 id 1\n").run();
    let told = "-:1: argument \"1\" is wrong: the id of 10.0.0.9, which is kept\n";
    assert_eq!((taken.code(), taken.stderr().as_str()), (255, told));
    assert_eq!(
        kernel::state(),
        ["10.0.0.9 id 1", "add_addr_accepted 0 subflows 2"]
    );
    Run::tool("apply /no/such/file").run().failure(1);
    Run::tool("apply --wait x -").run().failure(255);
}

/// Six endpoints, and a file that takes ten changes: limits, three deletions, two changes
/// of flags, four additions.
fn ten_changes() -> &'static str {
    for endpoint in [
        "10.0.0.1 id 11 subflow backup",
        "10.0.0.2 id 12 signal dev lo",
        "127.0.0.3 port 4000 id 13 signal",
        "10.0.0.4 id 14 subflow",
        "10.0.0.5 id 15 subflow backup fullmesh",
        "fd00::6 id 16 subflow",
    ] {
        kernel::add(endpoint);
    }
    "limits set subflows 4\n\
     endpoint add 10.0.0.4 subflow backup\n\
     endpoint add 10.0.0.5 subflow fullmesh\n\
     endpoint add fd00::6 id 16 subflow\n\
     endpoint add 10.0.1.1 id 11\n\
     endpoint add 10.0.1.2\n\
     endpoint add 10.0.1.3 id 13\n\
     endpoint add 10.0.0.1 id 21 subflow\n"
}

/// Requests before the first change: the family, the endpoints, the limits.
const QUESTIONS: usize = 3;

/// Rollback.
#[test]
fn apply_rolls_back_when_any_of_ten_changes_is_refused() {
    for step in 1..=10 {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let text = ten_changes();
        let before = kernel::state();
        let dry = apply("--dry-run", text).run();
        assert_eq!(dry.stdout().lines().count(), 10, "{}", dry.report());
        let fault = format!("sendto:error=EACCES:when={}", QUESTIONS + step);
        let Some(run) = injected(&fault, "apply -") else {
            return;
        };
        let output = run.stdin(text).run();
        assert_eq!(output.code(), 2, "step {step}: {}", output.report());
        assert_eq!(kernel::state(), before, "step {step}: {}", output.report());
        let refused = dry
            .stdout()
            .lines()
            .nth(step - 1)
            .expect("the step")
            .to_string();
        assert!(
            output.stderr().contains(&refused),
            "{refused}: {}",
            output.report()
        );
        assert_eq!(
            output.stderr().contains("are undone"),
            step > 1,
            "{}",
            output.report()
        );
    }
}

/// Rollback.
#[test]
fn a_failed_rollback_lists_what_is_missing() {
    for step in 2..=10 {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let text = ten_changes();
        let before = kernel::state();
        let fault = format!("sendto:error=EACCES:when={}+", QUESTIONS + step);
        let Some(run) = injected(&fault, "apply -") else {
            return;
        };
        let output = run.stdin(text).run();
        assert_eq!(output.code(), 2, "{}", output.report());
        assert_ne!(kernel::state(), before, "{}", output.report());
        let said = output.stderr();
        // Running what it lists restores the previous state.
        let list: String = said
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.rsplit_once(" ("))
            .map(|(command, _)| command.replace(" id 0 ", " ") + "\n")
            .collect();
        assert_eq!(list.lines().count(), step - 1, "{}", output.report());
        Run::tool("-b -").stdin(list).run().success();
        assert_eq!(kernel::state(), before, "step {step}: {}", output.report());
    }
}

#[test]
fn apply_rolls_back_what_the_kernel_refuses() {
    // A line, its number and why it is refused.
    let cases: [(&str, usize, &str); 4] = [
        ("limits set subflows 100000\n", 1, "limit"),
        ("endpoint add 192.0.2.77 port 4000 signal\n", 1, "listen"),
        ("endpoint add 127.0.0.1 port 4001 signal\n", 1, "listen"),
        ("", 0, "too many addresses"),
    ];
    for (extra, line, why) in cases {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let _listener = listen("127.0.0.1:4001");
        let mut text = String::from(extra);
        let mut line = line;
        text += "endpoint add 10.0.0.4 subflow backup\nendpoint add 10.0.1.1 id 11\n";
        if extra.is_empty() {
            // More than there are ids, or than this kernel has room for.
            let most = (1..=255).take_while(|host| {
                let endpoint = format!("10.9.0.{host}").parse().expect("an endpoint");
                kernel::try_add(&endpoint).is_ok()
            });
            line = most.count() + 1;
            Run::tool("endpoint flush").run().success();
            if line > 255 {
                continue;
            }
            text = (1..=line)
                .map(|host| format!("endpoint add 10.8.0.{host}\n"))
                .collect();
        }
        kernel::add("10.0.0.1 id 11 subflow backup");
        kernel::add("10.0.0.4 id 14 subflow");
        let before = kernel::state();
        let output = apply("", &text).run().failure(2);
        assert_eq!(kernel::state(), before, "{}", output.report());
        let place = format!("-:{line}: ");
        let said = output.stderr();
        assert!(
            said.starts_with(&place) && said.contains(why),
            "{}",
            output.report()
        );
    }
}

#[test]
fn a_rollback_reports_a_replaced_implicit_endpoint_as_missing() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    paths.set_limits(2, 2);
    paths.server.inside(|| kernel::add("10.0.2.1 id 2 signal"));
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    let made = until("an endpoint that the kernel makes", || {
        connection.exchange(1);
        kernel::endpoints().first().map(ToString::to_string)
    });
    assert!(
        made.starts_with("10.0.2.2 id 1 ") && made.contains("implicit"),
        "{made}"
    );
    // It stays unless something replaces it.
    apply("", "endpoint add 10.0.9.9\n").run().success();
    apply("--allow-empty", "").run().success();
    assert_eq!(kernel::endpoints().len(), 1);
    let before = kernel::state();
    let text = "endpoint add 10.0.2.2 subflow\nendpoint add 192.0.2.77 port 4000 signal\n";
    let output = apply("", text).run().failure(2);
    let said = output.stderr();
    assert!(said.starts_with("-:2: "), "{said}");
    assert!(
        said.contains(
            "The kernel is as it was but for this:\n  endpoint add 10.0.2.2 id 1 implicit ("
        ),
        "{said}"
    );
    assert_eq!(kernel::state(), before[1..], "{said}");
}

/// Possibly more than this kernel takes: newer kernels take as many.
#[test]
fn a_file_may_name_as_many_endpoints_as_there_are_ids() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for id in ["", " id "] {
        let text: String = (1..=255)
            .map(|host| {
                let id = if id.is_empty() {
                    String::new()
                } else {
                    format!("{id}{host}")
                };
                format!("endpoint add 10.8.0.{host}{id} subflow\n")
            })
            .collect();
        let dry = apply("--dry-run", &text).run();
        assert_eq!(dry.code(), WOULD_CHANGE, "{}", dry.report());
        assert_eq!(dry.stdout(), text);
    }
}

#[test]
fn apply_killed_before_any_change_can_be_run_again() {
    for step in 1..=10 {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let text = ten_changes();
        let fault = format!("sendto:signal=SIGKILL:when={}", QUESTIONS + step);
        let Some(run) = injected(&fault, "apply -") else {
            return;
        };
        let killed = run.stdin(text).run();
        assert_eq!(killed.code(), -9, "{}", killed.report());
        apply("", text).run().success();
        assert_eq!(apply("--dry-run", text).run().success().stdout(), "");
        assert_eq!(kernel::endpoints().len(), 7);
    }
}

/// SIGKILL.
#[test]
fn apply_killed_at_any_moment_can_be_run_again() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let texts = [
        "endpoint add 10.0.0.1 id 1 subflow\nendpoint add 10.0.0.2 id 2 subflow\nlimits set subflows 3",
        "endpoint add 10.0.0.3 id 1 subflow\nendpoint add 10.0.0.2 id 3 signal\nlimits set subflows 4",
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..60 {
        let text = texts[round % 2];
        let running = apply("", text).start();
        // Any moment will do; nothing depends on it.
        std::thread::sleep(std::time::Duration::from_micros(random.below(4000) as u64));
        running.signal(libc::SIGKILL);
        let _ = running.finish();
        apply("", text).run().success();
        assert_eq!(apply("--dry-run", text).run().success().stdout(), "");
    }
}

#[test]
fn concurrent_applies_are_never_mixed() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let text = |of: usize| -> String {
        let lines = (1..=6).map(|id| format!("endpoint add 10.{of}.0.{id} id {id} subflow\n"));
        lines.collect::<String>() + &format!("limits set subflows {of}\n")
    };
    let expected: Vec<Vec<String>> = (1..=3)
        .map(|of| {
            apply("", &text(of)).run().success();
            kernel::state()
        })
        .collect();
    for _ in 0..12 {
        let running: Vec<_> = (0..6)
            .map(|at| apply("", &text(at % 3 + 1)).start())
            .collect();
        for running in running {
            running.finish().success();
        }
        let found = kernel::state();
        assert!(expected.contains(&found), "{found:?}");
    }
}

/// The file that the tool locks: each network namespace has its own, and only root can
/// open it.
const LOCK: &str = "/proc/thread-self/root/proc/sys/net/ipv4/tcp_fastopen_key";

fn take_lock(operation: i32) -> std::io::Result<std::fs::File> {
    let file = std::fs::File::open(LOCK)?;
    // SAFETY: integers only.
    match unsafe { libc::flock(std::os::fd::AsRawFd::as_raw_fd(&file), operation) } {
        0 => Ok(file),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[test]
fn apply_and_save_wait_for_a_running_apply() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let other = take_lock(libc::LOCK_EX).expect("the lock");
    let running = apply("", "endpoint add 10.0.0.1\n").start();
    let saving = Run::tool("save").start();
    let waits = |pid: u32| {
        let call = std::fs::read_to_string(format!("/proc/{pid}/wchan"));
        call.is_ok_and(|call| call.contains("poll")).then_some(())
    };
    until("apply to wait", || waits(running.pid()));
    until("save to wait", || waits(saving.pid()));
    assert!(kernel::endpoints().is_empty());
    // A dry run does not wait.
    let dry = apply("--dry-run", "endpoint add 10.0.0.1\n").run();
    assert_eq!(dry.code(), WOULD_CHANGE);
    drop(other);
    running.finish().success();
    saving.finish().success();
    assert_eq!(kernel::endpoints().len(), 1);
}

/// Neither by binding an abstract socket name nor by flock(2) on a file that anyone can open.
#[test]
fn an_unprivileged_process_cannot_block_apply() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let name = SocketAddr::from_abstract_name("ip-mptcp/apply").expect("a name");
    let _name = UnixListener::bind_addr(&name).expect("the name");
    let effective = |user: i32| {
        // The system call changes this thread only; that of the C library changes all.
        // SAFETY: integers only.
        let called = unsafe { libc::syscall(libc::SYS_setresuid, -1, user, -1) };
        called == 0
    };
    // SAFETY: no arguments.
    let ours = unsafe { libc::geteuid() } as i32;
    if effective(65534) {
        let denied = take_lock(libc::LOCK_SH);
        assert!(effective(ours));
        let denied = denied.expect_err("no lock");
        assert_eq!(denied.kind(), std::io::ErrorKind::PermissionDenied);
    } else {
        skip("there is no other user here");
    }
    apply("", "endpoint add 10.0.0.1\n").run().success();
    assert_eq!(kernel::endpoints().len(), 1);
}

#[test]
fn an_interface_stands_for_its_addresses_usable_as_sources() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    let add = |address: &str, prefix| {
        add_address(
            "wan",
            address.parse::<IpAddr>().expect("an address"),
            prefix,
        );
    };
    add("10.1.0.1", 24);
    add("10.1.0.2", 24);
    add("2001:db8::1", 64);
    // Unique local addresses only where a prefix selects them.
    add("fd00::1", 64);
    // Neither a link-local address nor one with scope host.
    add("169.254.1.1", 16);
    let found = || -> Vec<String> {
        let all = kernel::endpoints();
        all.iter()
            .map(|endpoint| endpoint.address.to_string())
            .collect()
    };
    let applied = |text: &str| {
        apply("", text).run().success();
        found()
    };
    let all = applied("endpoint add dev wan subflow");
    // 169.254/16 has global scope unless set otherwise, as iproute2 does.
    for address in ["10.1.0.1", "10.1.0.2", "2001:db8::1"] {
        assert!(all.contains(&address.to_string()), "{all:?}");
    }
    assert!(
        !all.iter().any(|address| address.starts_with('f')),
        "{all:?}"
    );
    assert_eq!(applied("endpoint add dev wan -6 subflow"), ["2001:db8::1"]);
    assert_eq!(
        applied("endpoint add fd00::/8 dev wan subflow"),
        ["fd00::1"]
    );
    assert_eq!(
        applied("endpoint add dev wan -6 subflow id 40"),
        ["2001:db8::1"]
    );
    assert_eq!(kernel::endpoints()[0].id, 40);
    // An address that is written out wins over those that an interface stands for.
    applied("endpoint add dev wan -4 subflow\nendpoint add 10.1.0.2 id 77 backup");
    let named = kernel::endpoints()
        .into_iter()
        .find(|endpoint| endpoint.id == 77);
    assert_eq!(named.expect("id 77").to_string(), "10.1.0.2 id 77 backup");
    link_down("wan");
    assert!(applied("endpoint add dev wan subflow").is_empty());
    // What may be a mistake gets a warning, and the exit status stays 0.
    for (name, meant) in [
        ("wna", " (did you mean \"wan\"?)"),
        ("nowhere", ""),
        ("ww*", ""),
    ] {
        for json in [false, true] {
            let options = if json { "-j apply -" } else { "apply -" };
            let run = Run::tool(options).stdin(format!("endpoint add dev {name} subflow"));
            let output = run.run();
            assert_eq!(output.code(), 0, "{}", output.report());
            let said = output.stderr();
            let said = match json {
                false => said
                    .strip_prefix("Warning: -:1: ")
                    .expect("a warning")
                    .to_string(),
                true => {
                    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
                    assert_eq!(said["warning"]["line"], 1);
                    said["warning"]["message"]
                        .as_str()
                        .expect("text")
                        .to_string()
                }
            };
            assert!(said.contains(name) && said.contains(meant), "{said}");
            assert!(kernel::endpoints().is_empty());
        }
    }
    link_up("wan");
}

/// The flags of an address as the kernel shows them; none if there is no such address yet.
fn flags_of(address: Ipv6Addr) -> u32 {
    let all = ipv6_flags("wan").into_iter();
    all.filter(|(has, _)| *has == address)
        .map(|(_, flags)| flags)
        .sum()
}

/// Tentative, deprecated, temporary, DADFAILED.
#[test]
fn an_interface_does_not_stand_for_tentative_or_deprecated_addresses() {
    use address_flags::{DADFAILED, DEPRECATED, MANAGE_TEMPORARY, NODAD, TEMPORARY, TENTATIVE};
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let peer = Namespace::another();
    veth("wan", "peer", Some(&peer));
    let address = |text: &str| -> Ipv6Addr { text.parse().expect("an address") };
    let [good, deprecated, tentative, failed] =
        ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4"].map(address);
    let managed = address("2001:db8:1::1");
    ipv6_address("wan", good, NODAD, true);
    ipv6_address("wan", deprecated, NODAD, false);
    assert!(flags_of(deprecated) & DEPRECATED != 0);
    // The peer has it too and defends it.
    peer.inside(|| ipv6_address("peer", failed, NODAD, true));
    ipv6_address("wan", failed, 0, true);
    until("a duplicate", || {
        (flags_of(failed) & DADFAILED != 0).then_some(())
    });
    sysctl("ipv6/conf/wan/use_tempaddr", "2").expect("temporary addresses");
    ipv6_address("wan", managed, NODAD | MANAGE_TEMPORARY, true);
    until("a temporary address that can be used", || {
        let all = ipv6_flags("wan").into_iter();
        let mut flags = all.map(|(_, flags)| flags);
        flags.find(|flags| flags & TEMPORARY != 0 && flags & TENTATIVE == 0)
    });
    // Duplicate address detection takes longer than the test.
    sysctl("ipv6/conf/wan/dad_transmits", "1000").expect("questions");
    ipv6_address("wan", tentative, 0, true);
    apply("", "endpoint add dev wan subflow").run().success();
    assert!(flags_of(tentative) & TENTATIVE != 0);
    let mut found: Vec<String> = kernel::endpoints()
        .iter()
        .map(|endpoint| endpoint.address.to_string())
        .collect();
    found.sort();
    assert_eq!(found, ["2001:db8:1::1", "2001:db8::1"]);
}

/// ERANGE.
#[test]
fn addresses_beyond_the_kernels_maximum_are_left_out_with_a_warning() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    for host in 1..=254 {
        add_address("wan", IpAddr::from([10, 1, 0, host]), 24);
    }
    for host in 1..=20 {
        add_address("wan", IpAddr::from([10, 2, 0, host]), 24);
    }
    let text = "endpoint add dev wan subflow\nendpoint add 192.0.2.1 id 200 signal\n";
    let output = apply("", text).run();
    assert_eq!(output.code(), 0, "{}", output.report());
    assert!(
        output.stderr().starts_with("Warning: -:1: "),
        "{}",
        output.report()
    );
    let before = kernel::state();
    let count = kernel::endpoints().len();
    assert!(kernel::endpoints()
        .iter()
        .any(|endpoint| endpoint.id == 200));
    // The kernel is full, and nothing changes.
    assert!(kernel::try_add(&"10.3.0.1".parse().expect("an endpoint")).is_err() || count == 255);
    let again = apply("", text).run();
    assert_eq!((again.code(), kernel::state()), (0, before));
    // An endpoint that is deleted makes room for one that waits.
    let text = "endpoint add dev wan subflow\n";
    apply("", text).run();
    assert!(kernel::endpoints()
        .iter()
        .all(|endpoint| endpoint.id != 200));
}

#[test]
fn apply_waits_for_interfaces_and_addresses_and_names_those_missing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let text = "endpoint add dev wan subflow\n";
    let output = apply("--wait 0", text).run().failure(1);
    assert_eq!(
        output.stderr(),
        "-:1: timed out after 0 s waiting for interface \"wan\"\n"
    );
    let output = apply("--wait 0.1", text).run().failure(1);
    assert!(
        output.stderr().contains("after 0.1 s"),
        "{}",
        output.report()
    );
    let running = apply("--wait 30", text).start();
    let waits = || {
        let call = std::fs::read_to_string(format!("/proc/{}/wchan", running.pid()));
        call.is_ok_and(|call| call.contains("poll")).then_some(())
    };
    until("apply to wait", waits);
    veth("wan", "peer", None);
    until("apply to wait", waits);
    add_address("wan", "10.1.0.1".parse().expect("an address"), 24);
    running.finish().success();
    assert_eq!(
        kernel::endpoints()[0].to_string(),
        "10.1.0.1 id 1 subflow dev wan"
    );
    let text = "endpoint add dev wan -6 subflow\n";
    let output = apply("--wait 0", text).run().failure(1);
    assert_eq!(
        output.stderr(),
        "-:1: timed out after 0 s waiting for an address of \"wan\"\n"
    );
    // A tentative address does not end the wait.
    let running = apply("--wait 30", text).start();
    until("apply to wait", || {
        let call = std::fs::read_to_string(format!("/proc/{}/wchan", running.pid()));
        call.is_ok_and(|call| call.contains("poll")).then_some(())
    });
    let address: Ipv6Addr = "2001:db8::1".parse().expect("an address");
    ipv6_address("wan", address, 0, true);
    assert!(flags_of(address) & address_flags::TENTATIVE != 0);
    running.finish().success();
    assert_eq!(flags_of(address) & address_flags::TENTATIVE, 0);
    assert_eq!(kernel::endpoints()[0].address, address);
}

/// Two namespaces with two veth pairs between them: one path of IPv4, one of IPv6.
#[test]
fn a_transfer_over_two_paths_continues_while_other_endpoints_change() {
    let Some(namespace) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    for (name, net) in [("one", 1), ("two", 2)] {
        veth(name, name, Some(&server));
        add_address(name, IpAddr::from([10, net, 0, 1]), 24);
        server.inside(|| add_address(name, IpAddr::from([10, net, 0, 2]), 24));
    }
    let limits = "limits set subflows 4 add_addr_accepted 4\n";
    server.inside(|| {
        let text = format!("{limits}endpoint add 10.2.0.2 dev two signal\n");
        apply("", &text).run().success();
        let _ = sysctl("ipv4/conf/all/rp_filter", "0");
    });
    let file = format!("{limits}endpoint add 10.2.0.1 dev two id 3 subflow\n");
    apply("", &file).run().success();
    let listener = server.inside(|| listen("10.1.0.2:5000"));
    let connection = Connection::open(&listener);
    until("a second subflow", || {
        connection.exchange(1);
        connection.subflows().filter(|count| *count == 1)
    });
    let ids = ip_mptcp_tests::monitor::EventCounter::start();
    for round in 0..20 {
        connection.exchange(100_000);
        // Other endpoints are added, changed and deleted; this one is not touched.
        let more = match round % 3 {
            0 => "endpoint add 192.0.2.1 signal\n",
            1 => "endpoint add 192.0.2.1 signal backup\nendpoint add 192.0.2.2 id 9\n",
            _ => "",
        };
        apply("", &format!("{file}{more}")).run().success();
        assert_eq!(connection.subflows(), Some(1), "round {round}");
    }
    // No subflow was closed or opened: the kernel sent no event.
    assert_eq!(ids.total(), 0);
    drop(namespace);
}

#[test]
fn replace_is_idempotent() {
    let cases: [(&str, &str, &[u8], &str); 9] = [
        ("", "10.0.0.1 subflow", &[ADD], "10.0.0.1 id 1 subflow"),
        (
            "10.0.0.1 id 4 subflow",
            "10.0.0.1 subflow backup",
            &[SET_FLAGS],
            "10.0.0.1 id 4 subflow backup",
        ),
        (
            "10.0.0.1 id 4 subflow",
            "10.0.0.1 signal dev lo",
            &[DELETE, ADD],
            "10.0.0.1 id 4 signal dev lo",
        ),
        (
            "10.0.0.1 id 4 subflow",
            "10.0.0.1 id 5 subflow",
            &[DELETE, ADD],
            "10.0.0.1 id 5 subflow",
        ),
        (
            "10.0.0.1 id 4 subflow",
            "10.0.0.2 id 4 subflow",
            &[DELETE, ADD],
            "10.0.0.2 id 4 subflow",
        ),
        (
            "10.0.0.1 id 4 subflow;10.0.0.2 id 5",
            "10.0.0.1 id 5",
            &[DELETE, DELETE, ADD],
            "10.0.0.1 id 5",
        ),
        (
            "10.0.0.1 id 4 subflow;10.0.0.2 id 5",
            "id 4 backup",
            &[DELETE, ADD],
            "10.0.0.1 id 4 backup;10.0.0.2 id 5",
        ),
        (
            "127.0.0.1 port 80 id 4 signal",
            "127.0.0.1 signal",
            &[ADD],
            "127.0.0.1 id 5 signal;127.0.0.1 port 80 id 4 signal",
        ),
        (
            "127.0.0.1 port 80 id 4 signal",
            "127.0.0.1 signal port 80 backup",
            &[SET_FLAGS],
            "127.0.0.1 port 80 id 4 signal backup",
        ),
    ];
    for (before, words, requests, after) in cases {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let each = |list: &'static str| list.split(';').filter(|one| !one.is_empty());
        each(before).for_each(kernel::add);
        for requests in [requests, &[]] {
            let run = changes(|run| run.words(words), "endpoint replace");
            let Some((sent, output)) = run else { return };
            output.success();
            assert_eq!(sent, requests, "{before}: replace {words}");
            assert_eq!(
                endpoints(),
                each(after).map(String::from).collect(),
                "{before}: replace {words}"
            );
        }
    }
}

#[test]
fn replace_refuses_invalid_endpoints_and_changes_nothing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 4 subflow");
    for (words, code) in [
        ("", 255),
        ("backup", 255),
        ("id 9 backup", 2),
        ("id 0 10.0.0.1", 255),
        ("10.0.0.1 signal fullmesh", 255),
        ("10.0.0.1 port 80 signal subflow", 255),
        ("10.0.0.1 dev nope", 255),
        // Deleted, refused and restored: the kernel cannot listen at an address that is not
        // local.
        ("10.0.0.1 id 4 implicit", 255),
        ("192.0.2.7 id 4 port 80 signal", 2),
    ] {
        Run::tool("endpoint replace")
            .words(words)
            .run()
            .failure(code);
        assert_eq!(
            kernel::endpoints()[0].to_string(),
            "10.0.0.1 id 4 subflow",
            "{words}"
        );
    }
}

#[test]
fn change_keeps_the_id_and_all_attributes_not_named() {
    let cases: [(&str, &str, &[u8], &str); 10] = [
        (
            "10.0.0.1 id 4 subflow backup",
            "id 4 signal",
            &[DELETE, ADD],
            "10.0.0.1 id 4 signal subflow backup",
        ),
        (
            "10.0.0.1 id 4 subflow backup",
            "id 4 nosubflow signal",
            &[DELETE, ADD],
            "10.0.0.1 id 4 signal backup",
        ),
        (
            "10.0.0.1 id 4 subflow backup",
            "10.0.0.1 dev lo",
            &[DELETE, ADD],
            "10.0.0.1 id 4 subflow backup dev lo",
        ),
        (
            "127.0.0.1 port 80 id 4 signal",
            "id 4 port 81",
            &[DELETE, ADD],
            "127.0.0.1 port 81 id 4 signal",
        ),
        (
            "127.0.0.1 port 80 id 4 signal",
            "id 4 port 0",
            &[DELETE, ADD],
            "127.0.0.1 id 4 signal",
        ),
        (
            "127.0.0.1 id 4 signal",
            "id 4 port 80",
            &[DELETE, ADD],
            "127.0.0.1 port 80 id 4 signal",
        ),
        (
            "127.0.0.1 port 80 id 4 signal",
            "127.0.0.1 port 80 dev lo",
            &[DELETE, ADD],
            "127.0.0.1 port 80 id 4 signal dev lo",
        ),
        (
            "10.0.0.1 id 4 subflow",
            "id 4 subflow backup",
            &[SET_FLAGS],
            "10.0.0.1 id 4 subflow backup",
        ),
        (
            "10.0.0.1 id 4 subflow dev lo",
            "id 4 dev lo",
            &[SET_FLAGS],
            "10.0.0.1 id 4 subflow dev lo",
        ),
        (
            "10.0.0.1 id 4 subflow fullmesh",
            "id 4 nosubflow nofullmesh",
            &[DELETE, ADD],
            "10.0.0.1 id 4",
        ),
    ];
    for (before, words, requests, after) in cases {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        kernel::add(before);
        kernel::add("192.0.2.1 id 9");
        let run = changes(|run| run.words(words), "endpoint change");
        let Some((sent, output)) = run else { return };
        output.success();
        assert_eq!(sent, requests, "{before}: change {words}");
        assert_eq!(kernel::endpoints().len(), 2);
        let found = kernel::endpoints()
            .into_iter()
            .find(|endpoint| endpoint.id == 4);
        assert_eq!(
            found.expect("id 4").to_string(),
            after,
            "{before}: change {words}"
        );
    }
}

#[test]
fn a_change_refused_halfway_restores_the_endpoint() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let _listener = listen("127.0.0.1:4001");
    kernel::add("127.0.0.1 port 80 id 4 signal dev lo");
    kernel::add("127.0.0.1 id 5 signal");
    let before = kernel::state();
    for words in ["id 4 port 4001", "id 4 port 0", "id 5 port 80"] {
        let output = Run::tool("endpoint change").words(words).run().failure(2);
        assert!(output.stderr().contains("undone"), "{}", output.report());
        assert_eq!(kernel::state(), before, "{words}");
    }
    for words in [
        "id 4 subflow",
        "id 4 nosignal",
        "id 4 implicit",
        "id 4 signal fullmesh backup port 81",
    ] {
        Run::tool("endpoint change").words(words).run().failure(255);
        assert_eq!(kernel::state(), before, "{words}");
    }
}

/// Every keyword of `endpoint add`, from the program's own table, with a value.
fn every_keyword() -> Vec<Vec<String>> {
    let help = Run::tool("endpoint add --help").run().success().stdout();
    // One keyword a line, after the usage.
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    let mut all = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["ADDRESS", ..] => {}
            ["dev", "IF", ..] => all.push(vec!["dev lo"]),
            ["id", "N", ..] => all.push(vec!["id 77"]),
            ["port", "N", ..] => all.push(vec!["port 4000", "signal"]),
            ["fullmesh", ..] => all.push(vec!["fullmesh", "subflow"]),
            ["laminar", ..] if kernel::version() < (6, 18) => {}
            [flag, about, ..] if about.chars().all(char::is_lowercase) && *flag != "ip-mptcp" => {
                all.push(vec![*flag]);
            }
            [keyword, value, ..]
                if keyword.chars().all(char::is_lowercase)
                    && value.chars().all(char::is_uppercase) =>
            {
                panic!("{keyword} wants a value that the kernel takes, here");
            }
            _ => {}
        }
    }
    all.into_iter()
        .map(|words| words.into_iter().map(String::from).collect())
        .collect()
}

/// An attribute that one of these forgets would be lost silently.
#[test]
fn every_keyword_of_endpoint_add_survives_save_and_apply_and_is_carried_by_change_and_replace() {
    let keywords = every_keyword();
    assert!(keywords.len() >= 7, "{keywords:?}");
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for words in &keywords {
        let line = format!("127.0.0.9 {}", words.join(" "));
        Run::tool("endpoint flush").run().success();
        Run::tool("endpoint add").words(&line).run().success();
        let before = kernel::state();
        for word in words {
            assert!(before[0].contains(word.as_str()), "{word}: {before:?}");
        }
        let text = save();
        Run::tool("endpoint flush").run().success();
        apply("", &text).run().success();
        assert_eq!(kernel::state(), before, "save and apply: {line}");
        // A selector with its words chooses this endpoint and no other.
        let shown = Run::tool("endpoint show").words(&line).run().success();
        assert_eq!(shown.stdout().lines().count(), 1, "show: {line}");
        // Another attribute changes, by deleting and adding, and this one stays.
        let id = kernel::endpoints()[0].id;
        Run::tool(&format!(
            "endpoint change id {id} signal nosubflow nofullmesh"
        ))
        .run()
        .success();
        let signals = words.iter().any(|word| word == "signal");
        Run::tool(&format!("endpoint change id {id} backup"))
            .run()
            .success();
        let changed = kernel::state();
        for word in words
            .iter()
            .filter(|word| !matches!(word.as_str(), "subflow" | "fullmesh"))
        {
            assert!(
                changed[0].contains(word.as_str()),
                "change: {word}: {changed:?}"
            );
        }
        assert!(signals || changed[0].contains("signal"), "{changed:?}");
        Run::tool("endpoint replace").words(&line).run().success();
        assert_eq!(kernel::state(), before, "replace: {line}");
        assert_eq!(apply("--dry-run", &text).run().success().stdout(), "");
    }
}

#[test]
fn an_empty_state_needs_allow_empty() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1");
    for text in ["", "\n# nothing\n", "ignore dev docker*\n"] {
        let output = apply("", text).run().failure(1);
        assert!(output.stderr().contains("is empty"), "{}", output.report());
        apply("--dry-run", text).run().failure(1);
        assert_eq!(kernel::endpoints().len(), 1);
    }
    // Standard input is the batch, not a state file.
    let output = Run::tool("-b -")
        .stdin("apply -\nendpoint add 10.0.0.7\n")
        .run();
    assert_eq!((output.code(), kernel::endpoints().len()), (255, 1));
    apply("--allow-empty", "").run().success();
    assert!(kernel::endpoints().is_empty());
}

/// EISDIR: a directory can be opened but not read.
#[test]
fn failing_to_open_and_failing_to_read_a_file_are_told_apart() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.9 id 9");
    for (file, expected) in [
        ("/", "Cannot read \"/\": Is a directory\n"),
        (
            "/nowhere/state",
            "Cannot open \"/nowhere/state\": No such file or directory\n",
        ),
    ] {
        for command in ["apply", "watch", "apply --dry-run"] {
            let output = Run::tool(command).arg(file).run();
            assert_eq!(output.code(), 1, "{}", output.report());
            assert_eq!(output.stderr(), expected, "{command}");
        }
    }
    assert!(save().contains("10.0.0.9"));
}

#[test]
fn sysctl_settings_are_applied_rolled_back_and_saved() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let value = |name: &str| {
        let path = format!("/proc/sys/net/mptcp/{name}");
        std::fs::read_to_string(path)
            .expect("a setting")
            .trim()
            .to_string()
    };
    let text = "sysctl net.mptcp.stale_loss_cnt 7\nsysctl enabled 0\nsysctl close_timeout 60\n";
    let dry = apply("--dry-run", text).run();
    let expected = "sysctl stale_loss_cnt 7\nsysctl enabled 0\n";
    assert_eq!(
        (dry.code(), dry.stdout().as_str()),
        (WOULD_CHANGE, expected)
    );
    apply("", text).run().success();
    assert_eq!(
        (value("stale_loss_cnt"), value("enabled")),
        ("7".into(), "0".into())
    );
    assert_eq!(apply("--dry-run", text).run().success().stdout(), "");
    let saved = save();
    assert!(
        saved.contains("sysctl enabled 0\nsysctl stale_loss_cnt 7\n"),
        "{saved}"
    );
    // A later line is refused: rollback.
    let text = "sysctl stale_loss_cnt 9\nendpoint add 192.0.2.1 port 80 signal\n";
    let output = apply("", text).run().failure(2);
    assert!(
        output.stderr().contains("are undone"),
        "{}",
        output.report()
    );
    assert_eq!(value("stale_loss_cnt"), "7");
    for (line, code) in [
        ("sysctl scheduler no_such_one", 2),
        ("sysctl no_such_setting 1", 1),
        ("sysctl available_schedulers x", 255),
        ("sysctl ../../kernel/hostname x", 255),
        ("sysctl enabled", 255),
    ] {
        let refused = apply("", line).run().failure(code);
        // A file is written here: the message does not begin with "RTNETLINK answers".
        assert!(
            !refused.stderr().contains("RTNETLINK"),
            "{}",
            refused.report()
        );
    }
    // The word at fault and what the kernel offers (net.mptcp.available_schedulers), before
    // anything is changed, and with --dry-run too.
    let offered = std::fs::read_to_string("/proc/sys/net/mptcp/available_schedulers");
    if let Ok(offered) = offered {
        let text = "limits set subflows 3\nsysctl scheduler defalt\n";
        for options in ["", "--dry-run"] {
            let refused = apply(options, text).run().failure(2);
            let message = format!(
                "-:2: argument \"defalt\" is wrong: this kernel offers {}\n",
                offered.trim()
            );
            assert!(refused.stderr().ends_with(&message), "{}", refused.report());
        }
        assert_ne!(kernel::limits().subflows, 3);
    }
    let near = apply("", "sysctl schedular default").run().failure(1);
    assert!(near.stderr().contains("scheduler"), "{}", near.report());
}

#[test]
fn limits_max_is_the_maximum_of_the_kernel() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let most = (1..=100)
        .take_while(|limit| {
            let words = format!("limits set subflows {limit}");
            Run::tool(&words).run().code() == 0
        })
        .count() as u32;
    Run::tool("limits set subflows 1 add_addr_accepted 1")
        .run()
        .success();
    Run::tool("limits set subflows max").run().success();
    assert_eq!(
        (
            kernel::limits().subflows,
            kernel::limits().add_addr_accepted
        ),
        (most, 1)
    );
    apply("", "limits set subflows 3 add_addr_accepted max\n")
        .run()
        .success();
    assert_eq!(
        (
            kernel::limits().subflows,
            kernel::limits().add_addr_accepted
        ),
        (3, most)
    );
    let dry = apply("--dry-run", "limits set add_addr_accepted max\n").run();
    assert_eq!(dry.code(), 0, "{}", dry.report());
}

/// A host with a dead uplink: what did not appear is named, and the rest is applied.
#[test]
fn after_a_wait_timeout_the_rest_is_applied() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    veth("lte", "peer2", None);
    add_address("wan", "10.1.0.1".parse().expect("an address"), 24);
    let text = "limits set subflows 4\nendpoint add dev wan subflow\nendpoint add dev lte subflow\n\
                endpoint add 10.3.0.1 dev nope signal\nendpoint add 10.1.0.9 dev wan port 80 signal\n\
                endpoint add 203.0.113.1 dev wan signal\n";
    let output = apply("--wait 0.1", text).run();
    assert_eq!(output.code(), 1, "{}", output.report());
    let said = output.stderr();
    for told in [
        "-:3: timed out after 0.1 s waiting for an address of \"lte\"\n",
        "-:4: timed out after 0.1 s waiting for interface \"nope\"\n",
        "-:5: timed out after 0.1 s waiting for address 10.1.0.9\n",
    ] {
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(
        kernel::state(),
        [
            "10.1.0.1 id 1 subflow dev wan",
            "203.0.113.1 id 2 signal dev wan",
            "add_addr_accepted 0 subflows 4"
        ]
    );
    // An address with a port is waited for, as the kernel binds it (EADDRNOTAVAIL).
    let running = apply(
        "--wait 30",
        "endpoint add 10.1.0.9 dev wan port 80 signal\n",
    )
    .start();
    until("apply to wait", || {
        let call = std::fs::read_to_string(format!("/proc/{}/wchan", running.pid()));
        call.is_ok_and(|call| call.contains("poll")).then_some(())
    });
    add_address("wan", "10.1.0.9".parse().expect("an address"), 24);
    running.finish().success();
    assert_eq!(
        kernel::endpoints()[0].to_string(),
        "10.1.0.9 port 80 id 1 signal dev wan"
    );
}

/// A leased address may be a different one after the next boot.
#[test]
fn a_leased_address_is_saved_as_its_interface() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(ip) = ip_mptcp_tests::program::iproute2() else {
        skip("ip of iproute2 is not installed");
        return;
    };
    veth("wan", "peer", None);
    let lease = |address: &str| {
        let words = format!("addr add {address}/24 dev wan valid_lft 1000 preferred_lft 900");
        Run::program(ip).words(&words).run().success();
    };
    lease("10.1.0.1");
    kernel::add("10.1.0.1 id 4 subflow backup dev wan");
    let (before, text) = (kernel::state(), save());
    let line = "endpoint add id 4 subflow backup dev wan -4 # 10.1.0.1\n";
    assert!(text.contains(line), "{text}");
    Run::tool("endpoint flush").run().success();
    apply("", &text).run().success();
    assert_eq!(kernel::state(), before);
    ip_mptcp_tests::namespace::delete_address("wan", "10.1.0.1".parse().expect("an address"), 24);
    lease("10.1.0.7");
    apply("", &text).run().success();
    assert_eq!(
        kernel::endpoints()[0].to_string(),
        "10.1.0.7 id 4 subflow backup dev wan"
    );
    // With two addresses the line would stand for both.
    lease("10.1.0.8");
    let text = save();
    assert!(
        text.contains("endpoint add 10.1.0.7 id 4 subflow"),
        "{text}"
    );
}

/// SIGTERM, SIGINT, SIGHUP: never a part of it.
#[test]
fn a_signal_during_apply_leaves_the_old_or_the_new_state() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let text = |of: usize| -> String {
        let lines = (1..=6).map(|id| format!("endpoint add 10.{of}.0.{id} id {id} subflow\n"));
        lines.collect::<String>() + &format!("limits set subflows {of}\n")
    };
    let states = [1, 2].map(|of| {
        apply("", &text(of)).run().success();
        kernel::state()
    });
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for round in 0..60 {
        let running = apply("", &text(1 + round % 2)).start();
        // Any moment will do; nothing depends on it.
        std::thread::sleep(std::time::Duration::from_micros(random.below(60_000) as u64));
        running.signal([libc::SIGTERM, libc::SIGINT, libc::SIGHUP][round % 3]);
        let _ = running.finish();
        let found = kernel::state();
        assert!(states.contains(&found), "round {round}: {found:?}");
    }
}

/// ENOBUFS from recvmsg(2).
#[test]
fn a_lost_acknowledgement_is_not_taken_for_a_refusal() {
    for step in 1..=12 {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let text = ten_changes();
        let fault = format!("recvfrom:error=ENOBUFS:when={step}");
        let Some(run) = injected(&fault, "apply -") else {
            return;
        };
        let output = run.stdin(text).run();
        assert_eq!(output.code(), 0, "step {step}: {}", output.report());
        assert_eq!(apply("--dry-run", text).run().success().stdout(), "");
    }
}

/// An interface whose RTM_NEWLINK is larger than any usual buffer.
#[test]
fn messages_of_any_size_are_read_whole() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(ip) = ip_mptcp_tests::program::iproute2() else {
        skip("ip of iproute2 is not installed");
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", "10.1.0.1".parse().expect("an address"), 24);
    let names: String = (0..200)
        .map(|at| format!("link property add dev peer altname n{at:0>120}\n"))
        .collect();
    Run::program(ip)
        .words("-batch -")
        .stdin(names)
        .run()
        .success();
    apply("", "endpoint add dev wan -4 subflow\n")
        .run()
        .success();
    for words in ["status", "connection show", "endpoint show", "save"] {
        Run::tool(words).run().success();
    }
    assert_eq!(
        kernel::endpoints()[0].to_string(),
        "10.1.0.1 id 1 subflow dev wan"
    );
}

#[test]
fn an_endpoint_deleted_concurrently_counts_as_deleted() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for id in 1..=3 {
        kernel::add(&format!("10.0.0.{id} id {id} subflow dev lo"));
    }
    // The second deletion is delayed, so that the test is faster even on a loaded machine.
    let Some(run) = injected("sendto:delay_enter=3000000:when=4", "endpoint flush dev lo") else {
        return;
    };
    let running = run.start();
    until("the first to be gone", || {
        (kernel::endpoints().len() == 2).then_some(())
    });
    Run::tool("endpoint delete id 2").run().success();
    running.finish().success();
    assert!(kernel::endpoints().is_empty());
}
