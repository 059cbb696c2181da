//! The commands of a user-space path manager do what they say, on connections of both
//! families, and every refusal of the kernel reaches the user with what to do about it.

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;

use ip_mptcp_tests::connection::Connection;
use ip_mptcp_tests::contract;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::lock::Listening;
use ip_mptcp_tests::monitor::{listeners, Monitor};
use ip_mptcp_tests::namespace::sysctl;
use ip_mptcp_tests::paths::{carried, TwoPaths};
use ip_mptcp_tests::program::{binary, Output, Run, Running};
use ip_mptcp_tests::table;
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

/// Both sides have a user-space path manager from now on. `None`: this kernel has none.
fn user_space() -> Option<TwoPaths> {
    let paths = TwoPaths::fresh()?;
    let choose = || {
        sysctl("mptcp/path_manager", "userspace")
            .or_else(|_| sysctl("mptcp/pm_type", "1"))
            .is_ok()
    };
    if !choose() || !paths.server.inside(choose) {
        skip("this kernel has no user-space path manager");
        return None;
    }
    Some(paths)
}

/// A connection on path 1 with a monitor on each side.
struct Set {
    connection: Connection,
    port: u16,
    client: u32,
    server: u32,
    client_events: Monitor,
    server_events: Monitor,
    paths: TwoPaths,
    _listener: TcpListener,
}

impl Set {
    fn new(any: &str, server: &str) -> Option<Set> {
        let paths = user_space()?;
        let client_events = Monitor::start(Run::tool("-j monitor"));
        let server_events = paths
            .server
            .inside(|| Monitor::start(Run::tool("-j monitor")));
        let listener = paths.listen(any);
        let connection = paths.connect_to(&listener, server);
        let (client, server) = connection.tokens();
        Some(Set {
            port: listener.local_addr().expect("the listener").port(),
            connection,
            client,
            server,
            client_events,
            server_events,
            paths,
            _listener: listener,
        })
    }

    /// Runs a command with its variables filled in: `CLIENT`, `SERVER` are the tokens,
    /// `PORT` the server's port.
    fn run(&self, command: &str) -> Output {
        let client = format!("{:x}", self.client);
        let server = format!("{:#x}", self.server);
        let command = command
            .replace("CLIENT", &client)
            .replace("SERVER", &server)
            .replace("PORT", &self.port.to_string());
        if command.contains(&server) {
            self.paths.server.inside(|| Run::tool(&command).run())
        } else {
            Run::tool(&command).run()
        }
    }

    fn does(&self, command: &str) -> Output {
        self.run(command).success()
    }
}

/// Waits for an event with these members; data goes to and fro meanwhile, for options
/// travel with it.
fn event(
    monitor: &Monitor,
    connection: &Connection,
    name: &str,
    members: &[(&str, Value)],
) -> Value {
    until(&format!("{name} {members:?}"), || {
        connection.exchange(1);
        let text = String::from_utf8(monitor.running.output_so_far()).expect("UTF-8");
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|event| {
                event["event"] == name && members.iter().all(|(key, value)| event[key] == *value)
            })
    })
}

/// ADD_ADDR, RM_ADDR.
#[test]
fn addresses_are_announced_and_withdrawn() {
    // An IPv6 address with a port is too long for an ADD_ADDR beside a timestamp.
    for (any, server, second, member, third, port) in [
        (
            "0.0.0.0:0",
            "10.0.1.1",
            "10.0.2.1",
            "daddr4",
            "10.0.2.1",
            "port 7777 ",
        ),
        (
            "[::]:0",
            "2001:db8:1::1",
            "2001:db8:2::1",
            "daddr6",
            "2001:db8:2::9",
            "",
        ),
        (
            "[::]:0",
            "2001:db8:1::1",
            "10.0.2.1",
            "daddr4",
            "10.0.2.1",
            "port 7777 ",
        ),
        (
            "[::]:0",
            "::ffff:10.0.1.1",
            "::ffff:10.0.2.1",
            "daddr6",
            "::ffff:10.0.2.9",
            "",
        ),
    ] {
        let Some(set) = Set::new(any, server) else {
            return;
        };
        let seen = |name: &str, members: &[(&str, Value)]| {
            event(&set.client_events, &set.connection, name, members)
        };
        set.does(&format!("address announce {second} token SERVER id 2"));
        let announced = [("remid", 2.into()), (member, second.into())];
        let with_port = seen("ANNOUNCED", &announced);
        assert_eq!(with_port["dport"], set.port, "the connection's own port");
        set.does(&format!(
            "address announce {third} dev s2 {port}id 3 token SERVER"
        ));
        let announced = seen("ANNOUNCED", &[("remid", 3.into()), (member, third.into())]);
        assert_eq!(
            announced["dport"],
            if port.is_empty() { set.port } else { 7777 }
        );
        let shown = set.does("endpoint show token SERVER").stdout();
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert_eq!(
            set.does("endpoint show token SERVER id 3").stdout(),
            format!("{third} {port}id 3 signal dev s2 \n")
        );
        let selected = set.does("-j endpoint show token SERVER dev s2").stdout();
        let selected: Value = serde_json::from_str(&selected).expect("JSON");
        assert_eq!(selected[0]["id"], 3);
        assert_eq!(selected.as_array().map(Vec::len), Some(1));
        set.does("address remove token SERVER id 2");
        seen("REMOVED", &[("remid", 2.into())]);
        set.does("address remove id 3 token SERVER");
        seen("REMOVED", &[("remid", 3.into())]);
        assert_eq!(set.does("endpoint show token SERVER").stdout(), "");
    }
}

#[test]
fn subflows_are_created_changed_and_deleted() {
    for (any, server, from, to) in [
        ("0.0.0.0:0", "10.0.1.1", "10.0.2.2", "10.0.2.1"),
        ("[::]:0", "2001:db8:1::1", "2001:db8:2::2", "2001:db8:2::1"),
        ("[::]:0", "2001:db8:1::1", "10.0.2.2", "10.0.2.1"),
        (
            "[::]:0",
            "::ffff:10.0.1.1",
            "::ffff:10.0.2.2",
            "::ffff:10.0.2.1",
        ),
    ] {
        let Some(set) = Set::new(any, server) else {
            return;
        };
        let of_client = |name: &str, members: &[(&str, Value)]| {
            event(&set.client_events, &set.connection, name, members)
        };
        let of_server = |name: &str, members: &[(&str, Value)]| {
            event(&set.server_events, &set.connection, name, members)
        };
        set.does(&format!(
            "subflow create token CLIENT id 3 from {from} dev c2 to {to} port PORT backup"
        ));
        let created = of_client("SF_ESTABLISHED", &[("locid", 3.into())]);
        assert_eq!(created["token"], format!("{:#x}", set.client));
        assert_eq!(created["dport"], set.port);
        // What the kernel's own test program shows must not be missing in JSON.
        let family = if created["saddr4"].is_string() { 2 } else { 10 };
        assert_eq!(created["family"], family, "{created}");
        let accepted = of_server("ESTABLISHED", &[]);
        assert_eq!(accepted["server_side"], true, "{accepted}");
        let opened = of_client("ESTABLISHED", &[]);
        assert_ne!(opened["server_side"], true, "{opened}");
        of_server(
            "SF_ESTABLISHED",
            &[("remid", 3.into()), ("backup", 1.into())],
        );
        let port = &created["sport"];
        let shown = set.does("-j subflow show token CLIENT").stdout();
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let subflows = shown[0]["subflows"].as_array().expect("subflows");
        assert_eq!(subflows.len(), 2, "{shown}");
        assert!(subflows.iter().any(|one| one["local_id"] == 3), "{shown}");
        set.does(&format!(
            "subflow change token CLIENT from {from} port {port} to {to} port PORT nobackup"
        ));
        of_server("SF_PRIO", &[("remid", 3.into()), ("backup", 0.into())]);
        set.does(&format!(
            "subflow change token CLIENT from {from} to {to} backup"
        ));
        of_server("SF_PRIO", &[("remid", 3.into()), ("backup", 1.into())]);
        set.does(&format!(
            "subflow delete token 0x0CLIENT from {from} port {port} to {to} port PORT"
        ));
        of_client("SF_CLOSED", &[("locid", 3.into())]);
        of_server("SF_CLOSED", &[("remid", 3.into())]);
    }
}

#[test]
fn the_first_subflow_goes_with_its_address() {
    let Some(set) = Set::new("0.0.0.0:0", "10.0.1.1") else {
        return;
    };
    set.does("subflow create token CLIENT id 2 from 10.0.2.2 to 10.0.2.1 port PORT");
    let seen = |name: &str, id: u8| {
        event(
            &set.client_events,
            &set.connection,
            name,
            &[("locid", id.into())],
        )
    };
    seen("SF_ESTABLISHED", 2);
    set.does("address remove token CLIENT id 0");
    seen("SF_CLOSED", 0);
    set.connection.exchange(1000);
}

/// Runs the rows for one kind of connection, as text and as JSON.
fn refused(on: &str, any: &str, server: &str) {
    let Some(set) = Set::new(any, server) else {
        return;
    };
    let rows = table::rows(include_str!("../data/user_space.txt"));
    let (mut failures, mut count) = (Vec::new(), 0);
    for row in rows.iter().filter(|row| row.cell(0) == on) {
        let (command, words, remedy) = (row.cell(1), row.cell(2), row.cell(3));
        let output = set.run(command);
        count += 1;
        if words.is_empty() {
            if output.code() != 0 {
                table::note(&mut failures, row.line, &["refused".into()], &output);
            }
            continue;
        }
        let printed = output.stderr();
        let mut wrong = Vec::new();
        if output.code() != 2 || !output.stdout.is_empty() {
            wrong.push("exit status is not 2, or there is output".to_string());
        }
        if !printed.starts_with(&format!("Error: {words}.")) || !printed.contains(remedy) {
            wrong.push("the message does not fit".into());
        }
        table::note(&mut failures, row.line, &wrong, &output);
        let output = set.run(&format!("-j {command}"));
        let error: Value = serde_json::from_str(&output.stderr()).unwrap_or_default();
        let message = error["error"]["message"].as_str().unwrap_or_default();
        if output.code() != 2 || !message.starts_with(words) {
            table::note(&mut failures, row.line, &["in JSON".into()], &output);
        }
    }
    table::verdict("user_space.txt", count, &failures);
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do_on_ipv4() {
    refused("v4", "0.0.0.0:0", "10.0.1.1");
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do_on_ipv6() {
    refused("v6", "[::]:0", "2001:db8:1::1");
}

#[test]
fn refusals_say_what_is_wrong_and_what_to_do_on_mapped_addresses() {
    refused("mapped", "[::]:0", "::ffff:10.0.1.1");
}

/// pm_type, path_manager.
#[test]
fn connections_of_the_kernels_path_manager_are_refused_with_the_remedy() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    let token = format!("{:x}", connection.tokens().0);
    for command in [
        "address announce 10.0.2.2 token T id 2",
        "address remove token T id 2",
        "subflow create token T id 2 from 10.0.2.2 to 10.0.2.1 port 1",
        "subflow delete token T from 10.0.2.2 port 1 to 10.0.2.1 port 1",
        "subflow change token T from 10.0.2.2 to 10.0.2.1 backup",
        "endpoint show token T",
    ] {
        let output = Run::tool(&command.replace('T', &token)).run().failure(2);
        let printed = output.stderr();
        assert!(
            printed.starts_with("Error: userspace PM not selected.")
                && printed.contains("net.mptcp.path_manager=userspace"),
            "{}",
            output.report()
        );
    }
}

/// EPERM, CAP_NET_ADMIN.
#[test]
fn without_rights_the_commands_say_that_they_need_them() {
    let Some(_paths) = TwoPaths::fresh() else {
        return;
    };
    for command in [
        "address announce 10.0.2.2 token 1 id 2",
        "address remove token 1 id 2",
        "subflow create token 1 id 2 from 10.0.2.2 to 10.0.2.1 port 1",
        "subflow delete token 1 from 10.0.2.2 port 1 to 10.0.2.1 port 1",
        "subflow change token 1 from 10.0.2.2 to 10.0.2.1 backup",
    ] {
        let output = Run::tool(command).unprivileged().run().failure(2);
        assert!(
            output.stderr().contains("CAP_NET_ADMIN"),
            "{}",
            output.report()
        );
    }
}

#[test]
fn mistakes_name_the_word_at_fault() {
    let table = include_str!("../data/user_space_words.txt");
    contract::check("user_space_words.txt", table);
    contract::check_failures_in_json("user_space_words.txt", table);
}

/// A script writes a command, waits for its answer and only then writes the next.
/// -answer.
#[test]
fn each_line_of_a_batch_is_answered_before_the_next_is_sent() {
    let Some(set) = Set::new("0.0.0.0:0", "10.0.1.1") else {
        return;
    };
    let token = format!("{:x}", set.client);
    let (input, mut writer) = UnixStream::pair().expect("a pipe");
    let batch = Run::tool("-j -answer -b -").stdin_from(input).start();
    let mut ask = |line: &str, number: usize| -> Vec<Value> {
        writer.write_all(line.as_bytes()).expect("write a command");
        let bytes = batch.wait_for_output(line, |bytes| {
            let answer = format!("{{\"line\":{number},");
            String::from_utf8_lossy(bytes)
                .lines()
                .any(|l| l.starts_with(&answer))
                && bytes.ends_with(b"\n")
        });
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON on each line"))
            .collect()
    };
    let create = format!(
        "subflow create token {token} id 2 from 10.0.2.2 to 10.0.2.1 port {}\n",
        set.port
    );
    let printed = ask(&create, 1);
    assert_eq!(printed[0], serde_json::json!({"line": 1, "status": 0}));
    let printed = ask(
        "# a comment has no answer\naddress remove token 1 id 2\n",
        3,
    );
    assert_eq!(printed[1]["status"], 2);
    assert_eq!(printed[1]["error"]["name"], "EINVAL");
    // A failure does not end it; output stands in front of its answer.
    let printed = ask(&format!("endpoint show token {token}\n"), 4);
    assert_eq!(printed[2][0]["id"], 2);
    assert_eq!(printed[3], serde_json::json!({"line": 4, "status": 0}));
    let printed = ask("bogus\n", 5);
    assert_eq!(printed[4]["status"], 255);
    assert_eq!(printed[4]["error"]["word"], "bogus");
    drop(writer);
    let output = batch.finish();
    assert_eq!((output.code(), output.stderr()), (255, String::new()));
}

#[test]
fn answers_are_lines_of_text_without_json() {
    let Some(_paths) = TwoPaths::fresh() else {
        return;
    };
    let input = "limits\nendpoint add x\nhelp\nlimits set subflows 3\n";
    let output = Run::tool("-answer -b -").stdin(input).run();
    let printed = output.stdout();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 5, "{}", output.report());
    assert_eq!(lines[1], "line 1 status 0");
    assert!(lines[2].starts_with("line 2 status 1: Error: any valid address"));
    assert!(lines[3].starts_with("line 3 status 255: Usage: "));
    assert_eq!(lines[4], "line 4 status 0");
    assert_eq!(output.stderr(), "");
}

/// The example: two scripts bring up the second path of a connection, which then carries
/// bytes.
#[test]
fn the_example_is_a_working_path_manager() {
    let Some(paths) = user_space() else {
        return;
    };
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../cli/examples/path-manager.sh"
    );
    let start = |role: &str, address: &str| {
        // Its own process group, to end all of it at once.
        let run = Run::program(Path::new("setsid")).words("sh").arg(script);
        let run = run.words(role).words(address);
        let group = Group(run.env("IP_MPTCP", &binary().to_string_lossy()).start());
        until("its subscription", || (listeners() == 1).then_some(()));
        group
    };
    let _listening = Listening::allowed();
    let server = paths.server.inside(|| start("server", "10.0.2.1"));
    let client = start("client", "10.0.2.2");
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    until("the second subflow", || {
        connection.exchange(1);
        (connection.subflows() == Some(1)).then_some(())
    });
    for role in [&server, &client] {
        let answer = b"{\"line\":1,\"status\":0}\n";
        role.0.wait_for_output("its answer", |text| text == answer);
    }
    let (before, _) = carried("c2");
    // As much as it takes until the scheduler uses the second path too.
    until("bytes on the second path", || {
        connection.exchange(1 << 20);
        (carried("c2").0 > before + 100_000).then_some(())
    });
}

/// A group of processes, ended with it.
struct Group(Running);

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: integers only; the leader is a child of ours and not yet waited for.
        unsafe { libc::kill(-(self.0.pid() as i32), libc::SIGTERM) };
    }
}

/// Whether anybody listens is one fact for the whole machine.
#[test]
fn announcing_where_nobody_listens_warns_and_the_peer_is_refused() {
    let _silence = Listening::forbidden();
    let Some(paths) = user_space() else {
        return;
    };
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    let (client, server) = connection.tokens();
    let command = format!("address announce 10.0.2.1 token {server:x} id 2");
    let output = paths.server.inside(|| Run::tool(&command).run());
    let printed = output.stderr();
    assert!(
        output.code() == 0
            && printed.starts_with("Warning: ")
            && printed.contains("listens to events"),
        "{}",
        output.report()
    );
    let port = listener.local_addr().expect("the listener").port();
    let create =
        format!("subflow create token {client:x} id 2 from 10.0.2.2 to 10.0.2.1 port {port}");
    Run::tool(&create).run().success();
    if kernel::counter("MPJoinRejected").is_none() {
        skip("this kernel does not count the subflows that it refuses");
        return;
    }
    let (refused, joined) = until("the end of the join", || {
        connection.exchange(1);
        let refused = paths.server.inside(|| kernel::counter("MPJoinRejected"))?;
        let joined = paths.server.inside(|| kernel::counter("MPJoinAckRx"))?;
        (refused + joined > 0).then_some((refused, joined))
    });
    if joined > refused {
        skip("a process outside these tests listens to MPTCP events");
    }
}
