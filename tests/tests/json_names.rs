//! The members of JSON that the man page names are those that the tool prints.

use std::collections::BTreeSet;
use std::net::TcpListener;

use ip_mptcp::grammar::keyword;
use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::documents::read;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::{sysctl, Namespace};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{Output, Run};
use serde_json::Value;

type Names = BTreeSet<String>;

/// The names of members in a chapter of the man page or in one item of it.
fn documented(chapter: &str, item: &str) -> Names {
    let page = read("cli/ip-mptcp.8");
    let start = format!(".Sh {chapter}\n");
    let text = page.split(start.as_str()).nth(1).expect("the chapter");
    let text = text.split("\n.Sh ").next().expect("a piece");
    let items: Vec<_> = text.split("\n.It ").collect();
    let text = match item {
        "" => text,
        _ => items
            .into_iter()
            .find(|text| text.lines().next().expect("a line").contains(item))
            .unwrap_or_else(|| panic!("no item {item}")),
    };
    let lines = text.lines().filter_map(|line| {
        let start = [".Va ", ".Po Va "].iter();
        start
            .filter_map(|start| line.strip_prefix(start))
            .next()
            .map(|line| line.split(" Ns ").next().expect("a piece"))
    });
    let is_name = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    lines
        .flat_map(|line| line.split_whitespace())
        .filter(is_name)
        .filter(|word| *word != "Pc")
        .map(str::to_owned)
        .collect()
}

/// The names of all members; not of counters and sysctls, which are the kernel's.
fn names(value: &Value, into: &mut Names) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| names(value, into)),
        Value::Object(members) => {
            for (name, value) in members {
                into.insert(name.clone());
                match (name.as_str(), value) {
                    ("mptcp_info" | "mptcp" | "tcp_info" | "kernel", _) => {}
                    ("sysctl", Value::Object(all)) => {
                        all.values().for_each(|value| names(value, into));
                    }
                    _ => names(value, into),
                }
            }
        }
        _ => {}
    }
}

fn printed(text: &[u8]) -> Names {
    let mut found = Names::new();
    for value in serde_json::Deserializer::from_slice(text).into_iter::<Value>() {
        names(&value.expect("JSON"), &mut found);
    }
    found
}

fn json(words: &str) -> Output {
    Run::tool("-j").words(words).run()
}

fn shown(words: &str) -> Names {
    printed(&json(words).success().stdout)
}

/// Both ways, but for those that take more than a test sets up.
#[track_caller]
fn agree(what: &str, documented: &Names, printed: &Names, not_here: &[&str]) {
    let extra: Vec<_> = printed.difference(documented).collect();
    assert!(extra.is_empty(), "{what}: not in the man page: {extra:?}");
    let missing: Vec<_> = documented
        .difference(printed)
        .filter(|name| !not_here.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "{what}: nothing prints {missing:?}");
}

#[test]
fn endpoints_and_limits() {
    if Namespace::fresh().is_none() {
        return;
    }
    kernel::add("10.0.0.1 id 1 subflow backup fullmesh dev lo");
    kernel::add("127.0.0.1 port 8080 id 2 signal");
    let names = shown("endpoint show");
    let not_here = ["implicit", "laminar", "rawflags"];
    agree(
        "endpoint",
        &documented("JSON", "Cm endpoint show"),
        &names,
        &not_here,
    );
    let limits = documented("JSON", "Cm limits show");
    let names = shown("limits show");
    agree("limits", &limits, &names, &[]);
    let keywords = keyword::LIMITS
        .iter()
        .map(|keyword| keyword.name.to_owned());
    assert_eq!(names, keywords.collect(), "limits that can be set");
}

struct Connected {
    paths: TwoPaths,
    // They live as long as this.
    _connections: Vec<(TcpListener, Connection)>,
    /// What the monitor of the client printed.
    events: Names,
}

/// A client with two subflows of which an endpoint made one, of both families.
fn connected() -> Option<Connected> {
    let paths = TwoPaths::fresh()?;
    Run::tool("limits set subflows 4 add_addr_accepted 4")
        .run()
        .success();
    let endpoint = Run::tool("endpoint add 10.0.2.2 dev c2 subflow");
    endpoint.run().success();
    paths.server.inside(|| {
        kernel::add("10.0.2.1 id 1 signal");
        Run::tool("limits set subflows 4").run().success();
    });
    let mut events = Names::new();
    let mut opened = Vec::new();
    for (option, any) in [("-t", "0.0.0.0:0"), ("-ts", "[::]:0")] {
        let monitor = Monitor::start(Run::tool("-j").words(option).words("monitor"));
        let listener = paths.listen(any);
        let connection = paths.connect(&listener);
        let wanted = match any.starts_with('[') {
            true => "\"ESTABLISHED\"",
            false => "SF_ESTABLISHED",
        };
        monitor.wait_for(wanted, |text| text.contains(wanted) && text.ends_with('\n'));
        opened.push((listener, connection));
        events.extend(printed(&monitor.stop(libc::SIGTERM).stdout));
    }
    Some(Connected {
        paths,
        _connections: opened,
        events,
    })
}

#[test]
fn connections_events_and_status() {
    let Some(connected) = connected() else {
        return;
    };
    let (paths, mut events) = (&connected.paths, connected.events.clone());
    let mut names = shown("-s connection show");
    names.extend(paths.server.inside(|| shown("connection show listen")));
    let subflows = documented("JSON", "Cm connection show");
    agree("connection", &subflows, &names, &[]);

    let snapshot = Monitor::start(Run::tool("-j monitor --snapshot --time"));
    snapshot.wait_for("the snapshot", |text| text.contains("SNAPSHOT_END"));
    events.extend(printed(&snapshot.stop(libc::SIGTERM).stdout));
    let mut fields = documented("MONITOR", "");
    fields.extend(documented("JSON", "Cm monitor"));
    let not_here = [
        "netns",
        "error",
        "timeout",
        "reset_reason",
        "reset_flags",
        "deny_join_id0",
        "fallback",
        "flags",
        "attribute",
        "lost",
        "server_side",
    ];
    agree("monitor", &fields, &events, &not_here);

    if sysctl("mptcp/add_addr_timeout", "119").is_ok() {
        let mut status = documented("JSON", "Cm status");
        status.extend(documented("JSON", "Cm endpoint show"));
        status.extend(documented("JSON", "Cm limits show"));
        let not_here = [
            "port", "signal", "backup", "fullmesh", "implicit", "laminar", "rawflags",
        ];
        agree("status", &status, &shown("status"), &not_here);
    }
    let page = read("cli/ip-mptcp.8");
    let status: Value = serde_json::from_slice(&json("status").stdout).expect("JSON");
    for can in status["kernel"].as_object().expect("an object").keys() {
        assert!(page.contains(&format!(" {can} ")), "status: {can}");
    }
    let counters: Value = serde_json::from_slice(&json("counters").stdout).expect("JSON");
    for (name, value) in counters.as_object().expect("an object") {
        assert!(value.is_u64(), "{name} is no number");
    }
}

#[test]
fn findings_changes_errors_and_answers() {
    if Namespace::fresh().is_none() {
        return;
    }
    kernel::add("10.9.9.9 id 7 subflow");
    let doctor = printed(&json("doctor").stdout);
    agree("doctor", &documented("JSON", "Cm doctor"), &doctor, &[]);

    let file = "limits set subflows 3\nendpoint add 10.0.0.1 subflow dev lo\n";
    let apply = Run::tool("-j apply --dry-run -").stdin(file).run();
    let mut changes = documented("JSON", "Cm apply");
    changes.extend(documented("JSON", "Cm endpoint show"));
    changes.extend(documented("JSON", "Cm limits show"));
    let not_here = [
        "port",
        "add_addr_accepted",
        "signal",
        "backup",
        "fullmesh",
        "implicit",
        "laminar",
        "rawflags",
    ];
    agree("apply", &changes, &printed(&apply.stdout), &not_here);

    let mut errors = printed(&json("endpoint delete id 99").stderr);
    let batch = Run::tool("-j -b -").stdin("endpoint add 10.0.0.1 sublow\n");
    errors.extend(printed(&batch.run().stderr));
    let listener = listen("127.0.0.1:0");
    let _connection = Connection::open(&listener);
    let hidden = Run::tool("-j -s connection show").unprivileged();
    errors.extend(printed(&hidden.run().stderr));
    agree("errors", &documented("JSON", "errors"), &errors, &[]);

    let answers = Run::tool("-j -answer -b -").stdin("limits set subflows 2\nx\n");
    let mut answers = printed(&answers.run().stdout);
    answers.retain(|name| !errors.contains(name) || ["error", "line"].contains(&&**name));
    agree("answers", &documented("JSON", "answers"), &answers, &[]);
}
