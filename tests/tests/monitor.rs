//! `monitor` shows every event of real connections, in forms that can be read while it
//! runs, and says so when the kernel dropped some.

use std::collections::BTreeSet;

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::monitor::{EventCounter, Monitor, SCHEMA};
use ip_mptcp_tests::namespace::{add_address, sysctl, veth, Namespace};
use ip_mptcp_tests::program::{broken_pipe, Run};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::table;
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

/// Opens a connection on loopback and does to it all that makes the kernel speak, each
/// step once `monitor` has shown what the one before led to. Returns the listener's port
/// and both tokens.
fn a_connection_with_every_event(monitor: &Monitor) -> (u16, u32, u32) {
    let shown = |parts: &[&str]| {
        monitor.wait_for(&parts.join(" "), |text| {
            // Text and JSON alike: NAME=VALUE.
            let text = text.replace("\":", "=").replace('"', "");
            text.lines()
                .any(|line| parts.iter().all(|part| line.contains(part)))
        });
    };
    kernel::set_limits(4, 4);
    kernel::add("127.0.0.2 id 2 subflow dev lo");
    kernel::add("127.0.0.3 port 7777 id 3 signal");
    let listener = listen("127.0.0.1:0");
    let port = listener.local_addr().expect("the listener").port();
    let connection = Connection::open(&listener);
    let (client, server) = connection.tokens();
    until("the further subflows", || {
        // Data in both directions completes the handshakes that begin them.
        connection.exchange(1);
        connection.subflows().filter(|count| *count >= 2)
    });
    shown(&["ANNOUNCED", "remid=3", "dport=7777"]);
    shown(&["SF_ESTABLISHED", "saddr4=127.0.0.2", "locid=2"]);
    shown(&["SF_ESTABLISHED", "daddr4=127.0.0.2", "remid=2"]);
    // MP_PRIO and RM_ADDR go out with the next packets.
    Run::tool("endpoint change id 2 backup").run().success();
    connection.exchange(1000);
    shown(&["SF_PRIO", "backup=1"]);
    Run::tool("endpoint delete id 3").run().success();
    connection.exchange(1000);
    shown(&["REMOVED", "remid=3"]);
    Run::tool("endpoint delete id 2").run().success();
    connection.exchange(1000);
    shown(&["SF_CLOSED", "saddr4=127.0.0.2", "locid=2"]);
    drop(connection);
    drop(listener);
    (port, client, server)
}

const EVENTS: [&str; 10] = [
    "CREATED",
    "ESTABLISHED",
    "CLOSED",
    "ANNOUNCED",
    "REMOVED",
    "SF_ESTABLISHED",
    "SF_CLOSED",
    "SF_PRIO",
    "LISTENER_CREATED",
    "LISTENER_CLOSED",
];

/// The events that this kernel has.
fn events() -> Vec<&'static str> {
    if kernel::version() < (6, 2) {
        skip("this kernel has no LISTENER events; the others are tested");
    }
    let old = kernel::version() < (6, 2);
    EVENTS
        .into_iter()
        .filter(|event| !(old && event.starts_with("LISTENER")))
        .collect()
}

/// Whether the last events of [`a_connection_with_every_event`] have come: two CLOSED,
/// and LISTENER_CLOSED of the connection's listener and of the endpoint with a port.
fn all_over(text: &str) -> bool {
    let count = |event: &str| {
        text.lines()
            .filter(|line| {
                line.contains(&format!(" {event}]")) || line.contains(&format!("\"{event}\""))
            })
            .count()
    };
    count("CLOSED") >= 2 && (kernel::version() < (6, 2) || count("LISTENER_CLOSED") >= 2)
}

/// Reads one line of text output: event, then attributes.
fn parse(line: &str) -> (String, Vec<(String, String)>) {
    let (event, rest) = line
        .strip_prefix('[')
        .and_then(|line| line.split_once(']'))
        .unwrap_or_else(|| panic!("not an event: {line:?}"));
    assert_eq!(event.len(), 16, "the event fills 16 columns: {line:?}");
    let attributes = rest
        .split(' ')
        .skip(1)
        .map(|attribute| {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            (name.to_string(), value.to_string())
        })
        .collect();
    (event.trim_start().to_string(), attributes)
}

/// Order of the attributes in a line.
const ORDER: [&str; 19] = [
    "token",
    "remid",
    "locid",
    "saddr4",
    "daddr4",
    "saddr6",
    "daddr6",
    "sport",
    "dport",
    "backup",
    "error",
    "timeout",
    "ifindex",
    "dev",
    "reset_reason",
    "reset_flags",
    "server_side",
    "deny_join_id0",
    "flags",
];

#[test]
fn every_event_of_a_connection_is_shown_as_text() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let monitor = Monitor::start(Run::tool("monitor"));
    let (port, client, server) = a_connection_with_every_event(&monitor);
    monitor.wait_for("the end of the connection", all_over);
    let output = monitor.stop(libc::SIGINT).success();
    let text = output.stdout();
    assert!(text.ends_with('\n'));
    let lines: Vec<_> = text.lines().map(parse).collect();
    let seen: BTreeSet<&str> = lines.iter().map(|(event, _)| event.as_str()).collect();
    for event in events() {
        assert!(seen.contains(event), "no {event} in\n{text}");
    }
    for (event, attributes) in &lines {
        assert!(EVENTS.contains(&event.as_str()), "{event} in\n{text}");
        let places: Vec<_> = attributes
            .iter()
            .map(|(name, _)| ORDER.iter().position(|known| known == name))
            .collect();
        assert!(
            places.iter().all(Option::is_some) && places.is_sorted(),
            "{event}: {attributes:?}"
        );
        if let Some((_, token)) = attributes.iter().find(|(name, _)| name == "token") {
            let known = [client, server].map(|token| format!("{token:08x}"));
            assert!(known.contains(token), "{event} of token {token}");
        }
    }
    // Whole lines where everything about them is known.
    for expected in [
        format!("[         CREATED] token={client:08x} remid=0 locid=0 saddr4=127.0.0.1 daddr4=127.0.0.1 sport=* dport={port}\n"),
        format!("[         CREATED] token={server:08x} remid=0 locid=0 saddr4=127.0.0.1 daddr4=127.0.0.1 sport={port} dport=* server_side*\n"),
        format!("[     ESTABLISHED] token={client:08x} remid=0 locid=0 saddr4=127.0.0.1 daddr4=127.0.0.1 sport=* dport={port}\n"),
        format!("[       ANNOUNCED] token={client:08x} remid=3 daddr4=127.0.0.3 dport=7777\n"),
        format!("[  SF_ESTABLISHED] token={client:08x} remid=0 locid=2 saddr4=127.0.0.2 daddr4=127.0.0.1 sport=* dport={port} backup=0 ifindex=1 dev=lo\n"),
        format!("[         SF_PRIO] token={server:08x} remid=2 locid=0 saddr4=127.0.0.1 daddr4=127.0.0.2 sport={port} dport=* backup=1*\n"),
        format!("[         REMOVED] token={client:08x} remid=3\n"),
        format!("[          CLOSED] token={client:08x}\n"),
        format!("[          CLOSED] token={server:08x}\n"),
    ] {
        let found = text
            .lines()
            .any(|line| table::matches(&expected, &format!("{line}\n")));
        assert!(found, "no line {expected:?} in\n{text}");
    }
    if kernel::version() >= (6, 2) {
        for expected in [
            format!("[LISTENER_CREATED] saddr4=127.0.0.1 sport={port}\n"),
            format!("[ LISTENER_CLOSED] saddr4=127.0.0.1 sport={port}\n"),
        ] {
            assert!(text.contains(&expected), "no line {expected:?} in\n{text}");
        }
    }
}

/// One JSON object of an event as its line of text.
fn as_text(event: &Value) -> String {
    let mut line = format!("[{:>16}]", event["event"].as_str().expect("an event"));
    for name in ORDER {
        let value = match &event[name] {
            Value::Null => continue,
            Value::Bool(_) => {
                line += &format!(" {name}");
                continue;
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (name, value.strip_prefix("0x")) {
            ("token", Some(digits)) => line += &format!(" token={digits:0>8}"),
            ("token", None) => panic!("token {value} is not 0x…"),
            ("reset_flags" | "flags", None) => {
                let number: u32 = value.parse().expect("a number");
                line += &format!(" {name}={number:#x}");
            }
            _ => line += &format!(" {name}={value}"),
        }
    }
    line
}

/// JSON and text of the same events say the same.
#[test]
fn json_says_what_text_says_one_object_a_line() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let text = Monitor::start(Run::tool("monitor"));
    let json = Monitor::start(Run::tool("-j monitor"));
    a_connection_with_every_event(&text);
    json.wait_for("the end of the connection", all_over);
    text.wait_for("the end of the connection", all_over);
    let json = json.stop(libc::SIGTERM).success().stdout();
    let text = text.stop(libc::SIGTERM).success().stdout();
    let mut objects = Vec::new();
    for line in json.lines() {
        let event: Value = serde_json::from_str(line).expect("an object a line");
        schema::assert_valid(SCHEMA, &event);
        assert!(!line.contains(": "), "compact: {line}");
        objects.push(as_text(&event));
    }
    // Two sockets may get events of two processors in another order.
    let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
    lines.sort();
    objects.sort();
    assert_eq!(objects, lines);
}

#[test]
fn json_is_valid_whenever_the_monitor_is_stopped() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for options in ["-j", "-j -p", "-j -t", "-j -ts", "-j -o"] {
        for events in [0, 1, 3] {
            let monitor = Monitor::start(Run::tool(options).words("monitor"));
            for _ in 0..events {
                drop(listen("127.0.0.1:0"));
            }
            // Flushed at each event: all is there before the end.
            monitor.wait_for("the events", |text| {
                text.matches("\"event\"").count() == 2 * events
                    && text.matches('}').count() == 2 * events
            });
            let output = monitor.stop(libc::SIGINT).success();
            let values: Result<Vec<Value>, _> =
                serde_json::Deserializer::from_slice(&output.stdout)
                    .into_iter()
                    .collect();
            let values = values.unwrap_or_else(|error| panic!("{error}: {}", output.report()));
            assert_eq!(values.len(), 2 * events, "{}", output.report());
            assert!(values.iter().all(Value::is_object), "{}", output.report());
            let lines = output.stdout().lines().count();
            match options {
                "-j -p" => assert!(events == 0 || lines > 2 * events, "{}", output.report()),
                _ => assert_eq!(lines, 2 * events, "{}", output.report()),
            }
        }
    }
}

#[test]
fn events_are_stamped_with_the_time_when_asked() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let day = |text: &str| {
        ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
            .iter()
            .any(|day| text.starts_with(day))
    };
    let long = |text: &str| {
        // Mon Nov 23 19:54:07 2026 257501 usec
        let words: Vec<_> = text.split_whitespace().collect();
        day(text)
            && words.len() == 7
            && words[3].len() == 8
            && words[4].len() == 4
            && words[5].parse::<u32>().is_ok_and(|usec| usec < 1_000_000)
            && words[6] == "usec"
    };
    let short = |text: &str| {
        // 2026-11-23T19:54:08.698703
        text.len() == 26
            && text.char_indices().all(|(at, c)| match at {
                4 | 7 => c == '-',
                10 => c == 'T',
                13 | 16 => c == ':',
                19 => c == '.',
                _ => c.is_ascii_digit(),
            })
    };
    for options in ["-t", "-ts", "-t -ts", "-ts -t", "-j -t", "-j -ts"] {
        let monitor = Monitor::start(Run::tool(options).words("monitor").env("TZ", "UTC"));
        let listener = listen("127.0.0.1:0");
        monitor.wait_for("the event", |text| {
            text.contains("LISTENER_CREATED") && text.ends_with('\n')
        });
        drop(listener);
        // Or the next one sees it.
        monitor.wait_for("its end", |text| text.contains("LISTENER_CLOSED"));
        let output = monitor.stop(libc::SIGINT).success();
        let text = output.stdout();
        let first = text.lines().next().unwrap_or("");
        let good = match options {
            "-t" => first.strip_prefix("Timestamp: ").is_some_and(long),
            "-j -t" | "-j -ts" => {
                let event: Value = serde_json::from_str(first).expect("an object");
                let (key, check): (_, &dyn Fn(&str) -> bool) = match options {
                    "-j -t" => ("timestamp", &long),
                    _ => ("timestamp_short", &short),
                };
                schema::assert_valid(SCHEMA, &event);
                first.starts_with(&format!("{{\"{key}\":"))
                    && event[key].as_str().is_some_and(check)
            }
            _ => first
                .strip_prefix('[')
                .and_then(|rest| rest.split_once("] ["))
                .is_some_and(|(time, rest)| short(time) && rest.starts_with("LISTENER_CREATED] ")),
        };
        assert!(good, "{}", output.report());
        if options == "-t" {
            let second = text.lines().nth(1).unwrap_or("");
            assert!(
                second.starts_with("[LISTENER_CREATED] "),
                "{}",
                output.report()
            );
        }
    }
}

/// SIGINT, SIGTERM.
#[test]
fn signals_end_the_monitor_with_success() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for signal in [libc::SIGINT, libc::SIGTERM] {
        for options in ["", "-j", "-j -p"] {
            let monitor = Monitor::start(Run::tool(options).words("monitor"));
            let output = monitor.stop(signal).success();
            assert!(output.stdout.is_empty(), "{}", output.report());
        }
    }
}

/// EINTR.
#[test]
fn other_signals_do_not_disturb_it() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let monitor = Monitor::start(Run::tool("monitor"));
    for round in 1..=5 {
        // A blocked receive is interrupted by a stop, also without a handler.
        for signal in [libc::SIGSTOP, libc::SIGCONT, libc::SIGWINCH, libc::SIGCHLD] {
            monitor.running.signal(signal);
        }
        drop(listen("127.0.0.1:4321"));
        monitor.wait_for("the events", |text| text.lines().count() == 2 * round);
    }
    monitor.stop(libc::SIGTERM).success();
}

/// A signal that comes while the reader is slow cuts no line.
#[test]
fn a_signal_does_not_cut_a_line_short() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for options in ["", "-j"] {
        let monitor = Monitor::start(Run::tool(options).words("monitor").stalled());
        // More than a pipe holds.
        for _ in 0..2000 {
            drop(listen("127.0.0.1:0"));
        }
        monitor.running.signal(libc::SIGTERM);
        let output = monitor.running.finish().success();
        let text = output.stdout();
        assert!(text.ends_with('\n') && text.len() > 4096);
        for line in text.lines() {
            let whole = match options {
                "-j" => serde_json::from_str::<Value>(line).is_ok(),
                _ => parse(line).0.starts_with("LISTENER_") || line.contains("OVERRUN"),
            };
            assert!(whole, "{line}");
        }
    }
}

#[test]
fn one_line_output_ends_each_event_with_a_backslash() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let monitor = Monitor::start(Run::tool("-o monitor"));
    drop(listen("127.0.0.1:4321"));
    monitor.wait_for("two events", |text| text.matches('\\').count() == 2);
    let text = monitor.stop(libc::SIGINT).success().stdout();
    let expected = "[LISTENER_CREATED] saddr4=127.0.0.1 sport=4321\\\
                    [ LISTENER_CLOSED] saddr4=127.0.0.1 sport=4321\\";
    assert_eq!(text, expected);
}

#[test]
fn addresses_are_coloured_and_of_both_families() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let monitor = Monitor::start(Run::tool("-c monitor"));
    drop(listen("127.0.0.1:4321"));
    // The kernel reports the end of a listener with some delay.
    monitor.wait_for("two events", |text| text.lines().count() == 2);
    drop(listen("[::1]:4321"));
    monitor.wait_for("four events", |text| text.lines().count() == 4);
    let text = monitor.stop(libc::SIGINT).success().stdout();
    let expected = "[LISTENER_CREATED] saddr4=\x1b[1;35m127.0.0.1\x1b[0m sport=4321\n\
                    [ LISTENER_CLOSED] saddr4=\x1b[1;35m127.0.0.1\x1b[0m sport=4321\n\
                    [LISTENER_CREATED] saddr6=\x1b[1;94m::1\x1b[0m sport=4321\n\
                    [ LISTENER_CLOSED] saddr6=\x1b[1;94m::1\x1b[0m sport=4321\n";
    assert_eq!(text, expected);
}

/// deny_join_id0.
#[test]
fn deny_join_id0_of_a_peer_is_shown() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    if kernel::version() < (6, 18) {
        skip("this kernel does not tell what peers forbid");
        return;
    }
    if let Err(error) = sysctl("mptcp/allow_join_initial_addr_port", "0") {
        skip(&format!("sysctls cannot be written: {error}"));
        return;
    }
    let monitor = Monitor::start(Run::tool("monitor"));
    let listener = listen("127.0.0.1:0");
    let port = listener.local_addr().expect("the listener").port();
    drop(Connection::open(&listener));
    let text = monitor.wait_for("both ends", |text| text.matches(" CLOSED]").count() == 2);
    for ends_with in [
        format!(" dport={port} deny_join_id0"),
        " server_side deny_join_id0".to_string(),
    ] {
        for event in [" CREATED]", "ESTABLISHED]"] {
            let found = text
                .lines()
                .any(|line| line.contains(event) && line.ends_with(&ends_with));
            assert!(found, "no {event} with {ends_with} in\n{text}");
        }
    }
    monitor.stop(libc::SIGINT).success();
}

/// Two namespaces and a cable between them: each monitor sees its own end.
#[test]
fn each_monitor_sees_its_own_end_of_a_connection() {
    let Some(_here) = Namespace::fresh() else {
        return;
    };
    let far = Namespace::another();
    let _name = far.name("far");
    veth("near0", "far0", Some(&far));
    let address = |text: &str| text.parse().expect("an address");
    add_address("near0", address("fd00::1"), 64);
    far.inside(|| add_address("far0", address("fd00::2"), 64));
    let near = Monitor::start(Run::tool("monitor"));
    let other = far.inside(|| Monitor::start(Run::tool("-n /run/netns/far monitor")));
    let listener = far.inside(|| listen("[fd00::2]:5555"));
    let connection = Connection::open(&listener);
    let (client, server) = connection.tokens();
    drop((connection, listener));
    near.wait_for("the end", |text| text.contains(" CLOSED]"));
    other.wait_for("the end", |text| {
        text.contains(" CLOSED]") && text.contains("LISTENER_CLOSED")
    });
    let near = near.stop(libc::SIGINT).success().stdout();
    let other = other.stop(libc::SIGINT).success().stdout();
    let created = format!("[         CREATED] token={client:08x} remid=0 locid=0 saddr6=fd00::1 daddr6=fd00::2 sport=");
    assert!(near.contains(&created), "{near}");
    assert!(
        !near.contains("server_side") && !near.contains("LISTENER"),
        "{near}"
    );
    let created = format!("[         CREATED] token={server:08x} remid=0 locid=0 saddr6=fd00::2 daddr6=fd00::1 sport=5555 dport=");
    assert!(other.contains(&created), "{other}");
    assert!(!other.contains(&format!("{client:08x}")), "{other}");
}

/// Makes events until the kernel has dropped some for this monitor, which is held up for
/// that: otherwise it keeps them itself, however slow its reader is.
fn overrun(monitor: &Monitor) {
    monitor.running.signal(libc::SIGSTOP);
    until("a drop", || {
        for _ in 0..1000 {
            drop(listen("127.0.0.1:0"));
        }
        (monitor.dropped() > 0).then_some(())
    });
    for _ in 0..1000 {
        drop(listen("127.0.0.1:0"));
    }
    monitor.running.signal(libc::SIGCONT);
}

/// How many events a monitor's output shows, and how many it says were lost.
fn shown_and_lost(text: &str, json: bool) -> (u32, u32) {
    let (mut shown, mut lost) = (0, 0);
    // A last line may be half there.
    for line in text.split_inclusive('\n').filter(|l| l.ends_with('\n')) {
        let line = line.trim_end_matches('\n');
        let overrun: Option<u32> = if json {
            let number = line.strip_prefix("{\"event\":\"OVERRUN\",\"lost\":");
            number.map(|rest| rest.trim_end_matches('}').parse().expect("a number"))
        } else {
            let number = line.strip_prefix("[         OVERRUN] lost=");
            number.map(|rest| rest.parse().expect("a number"))
        };
        match overrun {
            Some(number) => lost += number,
            None => shown += 1,
        }
    }
    (shown, lost)
}

/// ENOBUFS, OVERRUN.
#[test]
fn lost_events_are_counted_exactly() {
    for options in ["-rc 65536", "-j -rc 65536", "-j"] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let json = options.starts_with("-j");
        let counter = EventCounter::start();
        let monitor = Monitor::start(Run::tool(options).words("monitor").stalled());
        overrun(&monitor);
        monitor.running.read_on();
        // It goes on: events made now are shown, once there is room for them again.
        until("an event after the overrun", || {
            drop(listen("127.0.0.1:4321"));
            let text = monitor.running.output_so_far();
            let text = String::from_utf8_lossy(&text);
            let overrun = text.rfind("OVERRUN")?;
            text[overrun..].contains("4321").then_some(())
        });
        let sent = counter.total();
        monitor.wait_for("every event, shown or lost", |text| {
            let (shown, lost) = shown_and_lost(text, json);
            shown + lost >= sent
        });
        let dropped = monitor.dropped();
        let output = monitor.stop(libc::SIGINT).success();
        let (shown, lost) = shown_and_lost(&output.stdout(), json);
        assert!(lost > 0);
        assert_eq!(lost, dropped, "{options}: the socket's own counter");
        assert_eq!(shown + lost, sent, "{options}: shown {shown}, lost {lost}");
        if json {
            let values: Result<Vec<Value>, _> =
                serde_json::Deserializer::from_slice(&output.stdout)
                    .into_iter()
                    .collect();
            assert_eq!(values.expect("JSON").len(), output.stdout().lines().count());
        }
    }
}

/// EPIPE, SIGPIPE.
#[test]
fn a_monitor_whose_reader_went_away_ends_silently_at_the_next_event() {
    for options in ["", "-j"] {
        // One for each: the end of the first listener, which a program that another test
        // starts may hold back, would end the second monitor before its turn.
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let monitor = Monitor::start(Run::tool(options).words("monitor").stdout(broken_pipe()));
        drop(listen("127.0.0.1:0"));
        let output = monitor.running.finish();
        assert!(
            !output.hung && output.stderr.is_empty(),
            "{}",
            output.report()
        );
    }
}

/// ENOSPC, /dev/full.
#[test]
fn a_monitor_that_cannot_write_says_so_and_ends() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let monitor = Monitor::start(Run::tool("monitor").stdout(full));
    drop(listen("127.0.0.1:0"));
    let output = monitor.running.finish();
    assert!(
        output.code() > 0 && !output.stderr.is_empty(),
        "{}",
        output.report()
    );
}
