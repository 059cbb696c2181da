//! What `monitor` does beyond printing events: snapshots, selections, an end, several
//! namespaces, and slow readers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;

use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::monitor::{EventCounter, Monitor, SCHEMA};
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{binary, strace, Run};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::wait::until;
use serde_json::Value;

/// Connections on loopback have a second subflow, from 127.0.0.2.
fn two_subflows() {
    kernel::set_limits(0, 2);
    kernel::add("127.0.0.2 id 2 subflow dev lo");
}

fn records(text: &str) -> Vec<Value> {
    // The last line may not be whole yet.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    text[..whole]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// Connections, and the ends of their subflows.
type Picture = BTreeMap<String, BTreeSet<String>>;

fn ends(record: &Value) -> String {
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| record[*name].as_str());
        found.expect("an address").to_string()
    };
    let (source, destination) = (text(["saddr4", "saddr6"]), text(["daddr4", "daddr6"]));
    format!(
        "{source}:{} {destination}:{}",
        record["sport"], record["dport"]
    )
}

/// What a reader of the records knows. Fails if a thing is reported twice.
fn replay(records: &[Value]) -> Picture {
    let mut picture = Picture::new();
    // After a loss events may be about connections that were never reported: until the
    // snapshot, which has all that are open then, and after it if they waited in the
    // socket while the connection ended.
    let (mut lost, mut ever_lost) = (false, false);
    for record in records {
        let event = record["event"].as_str().expect("a name");
        lost = event == "OVERRUN" || lost && !event.starts_with("SNAPSHOT");
        ever_lost |= lost;
        if lost {
            picture.clear();
            continue;
        }
        let token = record["token"].as_str().unwrap_or("").to_string();
        let once = |new: bool| assert!(new, "reported twice: {record}");
        match event {
            "SNAPSHOT" if record["object"] == "connection" => {
                once(picture.insert(token, BTreeSet::new()).is_none());
            }
            "CREATED" => {
                once(
                    picture
                        .insert(token, BTreeSet::from([ends(record)]))
                        .is_none(),
                );
            }
            "SNAPSHOT" | "SF_ESTABLISHED" => match picture.get_mut(&token) {
                Some(known) => once(known.insert(ends(record))),
                None => assert!(
                    ever_lost && event == "SF_ESTABLISHED",
                    "no connection was reported for {record}"
                ),
            },
            "SF_CLOSED" => {
                if let Some(known) = picture.get_mut(&token) {
                    known.remove(&ends(record));
                }
            }
            "CLOSED" => {
                picture.remove(&token);
            }
            _ => {}
        }
    }
    picture
}

/// The same as the kernel lists it now.
fn listed() -> Picture {
    let shown = Run::tool("-j connection show").run().success().stdout();
    let shown: Vec<Value> = serde_json::from_str(&shown).expect("JSON");
    shown
        .iter()
        .filter(|connection| connection["inode"] != 0)
        .map(|connection| {
            let subflows = connection["subflows"].as_array().expect("subflows");
            let ends = subflows
                .iter()
                .filter(|subflow| subflow["state"] == "ESTABLISHED")
                .map(|subflow| {
                    let text = |name: &str| subflow[name].as_str().expect("text").to_string();
                    format!(
                        "{}:{} {}:{}",
                        text("local_address"),
                        subflow["local_port"],
                        text("remote_address"),
                        subflow["remote_port"]
                    )
                })
                .collect();
            (
                connection["token"].as_str().expect("a token").to_string(),
                ends,
            )
        })
        .collect()
}

/// Opens `count` connections one after the other, of which the last fifty stay.
fn churn(count: usize, mut after: impl FnMut(usize)) -> (Vec<Connection>, TcpListener) {
    let listener = listen("127.0.0.1:0");
    let mut open = Vec::new();
    for number in 0..count {
        let address = listener.local_addr().expect("its address");
        let connection = Connection::begin(&listener, address);
        connection.ping();
        open.push(connection);
        if open.len() > 50 {
            // Neither the oldest nor the newest.
            open.remove(number * 7 % 50);
        }
        after(number);
    }
    // Further subflows come to the listener.
    (open, listener)
}

fn until_right(monitor: &Monitor) {
    let (mut right, mut seen) = (None, String::new());
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        until("the picture to be right", || {
            let text = monitor.wait_for("output", |_| true);
            let (reported, there) = (replay(&records(&text)), listed());
            let same = reported == there;
            right = Some((reported, there));
            seen = text;
            same.then_some(())
        });
    }));
    if let (Err(panic), Some((reported, there))) = (found, right) {
        for (token, subflows) in &reported {
            if there.get(token) != Some(subflows) {
                eprintln!(
                    "reported {token} {subflows:?}, listed {:?}",
                    there.get(token)
                );
                for line in seen.lines().filter(|line| line.contains(token)) {
                    eprintln!("  {line}");
                }
            }
        }
        for (token, subflows) in there
            .iter()
            .filter(|(token, _)| !reported.contains_key(*token))
        {
            eprintln!("not reported {token} {subflows:?}");
        }
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn snapshot_and_events_give_the_picture_of_a_dump_under_churn() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    two_subflows();
    let mut monitors = Vec::new();
    let (open, _listener) = churn(1000, |number| {
        if number % 250 == 100 {
            monitors.push(Monitor::start(Run::tool("-j monitor --snapshot")));
        }
    });
    until("a further subflow", || {
        let last = open.last()?;
        last.ping();
        last.subflows().filter(|count| *count > 0)
    });
    for monitor in &monitors {
        until_right(monitor);
    }
    drop(open);
    let mut established = 0;
    for monitor in monitors {
        until_right(&monitor);
        let output = monitor.stop(libc::SIGTERM);
        assert_eq!(output.code(), 0, "{}", output.report());
        let all = records(&output.stdout());
        for record in &all {
            schema::assert_valid(SCHEMA, record);
        }
        let count = |name: &str| all.iter().filter(|r| r["event"] == name).count();
        assert_eq!(count("SNAPSHOT_END"), 1);
        assert_eq!(count("OVERRUN"), 0);
        // The snapshot of the last may hold all that ever happened.
        established += count("SF_ESTABLISHED");
        let end = all
            .iter()
            .find(|r| r["event"] == "SNAPSHOT_END")
            .expect("it");
        let counted = end["connections"].as_u64().zip(end["subflows"].as_u64());
        let (connections, subflows) = counted.expect("numbers");
        assert_eq!(count("SNAPSHOT") as u64, connections + subflows);
    }
    assert!(established > 0, "subflows were seen as they came");
}

/// ENOBUFS, OVERRUN.
#[test]
fn after_a_loss_a_resync_makes_the_picture_right_again() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    two_subflows();
    let counter = EventCounter::start();
    let monitor = Monitor::start(Run::tool("-j monitor --resync --buffer 4096").stalled());
    let (open, _listener) = churn(400, |_| {});
    assert!(counter.total() > 2000);
    monitor.running.read_on();
    monitor.wait_for("a snapshot", |text| text.contains("SNAPSHOT_END"));
    until_right(&monitor);
    drop(open);
    until_right(&monitor);
}

/// The pipe holds a few hundred events, the kernel 5,000: the rest has to be kept by the
/// monitor.
/// SO_RCVBUF, backpressure.
#[test]
fn a_reader_that_stalls_loses_nothing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    two_subflows();
    let counter = EventCounter::start();
    let monitor = Monitor::start(Run::tool("monitor").stalled());
    drop(churn(1300, |_| {}));
    let mut total = 0;
    until("the last event", || {
        let before = std::mem::replace(&mut total, counter.total());
        (before == total && total > 6000).then_some(())
    });
    assert_eq!(monitor.dropped(), 0);
    monitor.running.read_on();
    let text = monitor.wait_for("all events", |text| {
        text.lines().count() as u32 >= counter.total()
    });
    assert!(!text.contains("OVERRUN"));
    assert_eq!(
        monitor.stop(libc::SIGINT).stdout().lines().count() as u32,
        counter.total()
    );
}

/// ENOBUFS, OVERRUN.
#[test]
fn past_the_bound_the_exact_number_of_lost_events_is_reported() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    two_subflows();
    let counter = EventCounter::start();
    let monitor = Monitor::start(Run::tool("-j monitor --buffer 8192").stalled());
    drop(churn(500, |_| {}));
    monitor.running.read_on();
    let number = |text: &str| {
        let all = records(text);
        let lost = all.iter().filter_map(|record| record["lost"].as_u64());
        let (overruns, lost) = lost.fold((0, 0), |(count, sum), lost| (count + 1, sum + lost));
        (all.len() as u64 - overruns + lost, lost)
    };
    let text = monitor.wait_for("all events, shown or lost", |text| {
        number(text).0 >= u64::from(counter.total())
    });
    for record in records(&text) {
        schema::assert_valid(SCHEMA, &record);
    }
    let (reported, lost) = number(&text);
    assert_eq!(reported, u64::from(counter.total()));
    assert!(lost > 1000, "{lost}");
}

/// System calls of a monitor that is shown the given number of events, each once the one
/// before it has been written.
fn calls_for(events: usize) -> Option<usize> {
    let log = std::env::temp_dir().join(format!("monitor-calls-{}", std::process::id()));
    // The program keeps its number.
    let run = Run::program(&strace()?).words("-D -qq -o").arg(&log);
    let monitor = Monitor::start(run.arg(binary()).words("monitor"));
    let mut listener = None;
    for number in 1..=events {
        listener = match listener {
            None => Some(listen("127.0.0.1:0")),
            Some(_) => None,
        };
        monitor.wait_for("the event", |text| text.lines().count() == number);
    }
    monitor.stop(libc::SIGTERM).success();
    let text = until("the end of the trace", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains("exit_group").then_some(text)
    });
    let _ = std::fs::remove_file(&log);
    Some(text.lines().count())
}

/// One that waits for the event, and one that writes it. Where they happen to come so fast
/// that more are expected, now and then one that waits for these.
#[test]
fn a_lone_event_takes_two_system_calls() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(few) = calls_for(10) else { return };
    let Some(more) = calls_for(210) else { return };
    assert!(more - few <= 200 * 5 / 2, "{few} for 10, {more} for 210");
}

/// Listeners that come and go faster than they are printed: two events each.
fn burst(count: usize) {
    for _ in 0..count {
        drop(listen("127.0.0.1:0"));
    }
}

/// Gathering is a poll(2) of nothing for a millisecond.
#[test]
fn events_in_quick_succession_are_gathered_unless_disabled() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    for (words, gathers) in [("monitor", true), ("monitor --no-gather", false)] {
        let name = format!("monitor-gathers-{}", std::process::id());
        let log = std::env::temp_dir().join(name);
        let run = Run::program(&strace)
            .words("-D -qq -e trace=/poll -o")
            .arg(&log);
        let monitor = Monitor::start(run.arg(binary()).words(words));
        let mut printed = 0;
        let has_gathered = || {
            let calls = std::fs::read_to_string(&log).unwrap_or_default();
            calls
                .lines()
                .any(|call| call.contains("poll(NULL, 0, ") || call.contains("poll([], 0, "))
        };
        // How many come together is not ours to say.
        for _ in 0..50 {
            burst(50);
            printed += 100;
            monitor.wait_for("the events", |text| text.lines().count() >= printed);
            if has_gathered() {
                break;
            }
        }
        assert_eq!(has_gathered(), gathers, "{words}");
        monitor.stop(libc::SIGTERM);
        let _ = std::fs::remove_file(&log);
    }
}

#[test]
fn timestamps_are_readable_by_people_and_machines() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let now = || {
        let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
        since.as_secs()
    };
    // Half an hour off, west and east of Greenwich.
    for (zone, offset, ahead) in [
        ("XXX3:30", "-03:30", -12600_i64),
        ("XXX-5:45", "+05:45", 20700),
        ("UTC", "+00:00", 0),
    ] {
        for options in ["", "-j "] {
            let before = now();
            let run = Run::tool(&format!("{options}monitor --time --count 1")).env("TZ", zone);
            let monitor = Monitor::start(run);
            burst(1);
            let text = monitor.wait_for("an event", |text| text.contains('\n'));
            let after = now();
            let time = if options.is_empty() {
                let (time, rest) = text.split_once(' ').expect("a time");
                assert!(rest.starts_with("[LISTENER_CREATED] "), "{text}");
                time.to_string()
            } else {
                let record: Value = serde_json::from_str(&text).expect("an object");
                schema::assert_valid(SCHEMA, &record);
                assert!(text.starts_with("{\"time\":\""), "{text}");
                record["time"].as_str().expect("a string").to_string()
            };
            let clock = time
                .strip_suffix(offset)
                .unwrap_or_else(|| panic!("{time}"));
            let seconds = |text: &str| {
                text.split(':').fold(0, |sum, part| {
                    60 * sum + part.parse::<f64>().expect("a number") as i64
                })
            };
            let (_, clock) = clock.split_once('T').expect("a date");
            let day = 86_400;
            let utc = (seconds(clock) - ahead).rem_euclid(day);
            let passed = (utc - (before as i64).rem_euclid(day)).rem_euclid(day);
            assert!(passed <= (after - before) as i64 + 1, "{zone}: {time}");
        }
    }
}

#[test]
fn exit_statuses_say_why_it_ended() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let (_listener, _connection);
    let counting = Monitor::start(Run::tool("monitor --count 3"));
    let short = Monitor::start(Run::tool("monitor --event LISTENER_CREATED --count 1"));
    _listener = listen("127.0.0.1:0");
    _connection = Connection::open(&_listener);
    let output = counting.running.finish().success();
    assert_eq!(output.stdout().lines().count(), 3);
    let output = short.running.finish().success();
    assert_eq!(output.stdout().lines().count(), 1);
    for words in ["monitor --timeout 0.05", "monitor --timeout=0.05"] {
        let output = Run::tool(words).run();
        assert_eq!((output.code(), output.stdout()), (124, String::new()));
    }
    for (words, signal, code) in [
        ("monitor", libc::SIGINT, 0),
        ("monitor", libc::SIGTERM, 0),
        ("monitor --count 5", libc::SIGINT, 130),
        ("monitor --timeout 60", libc::SIGTERM, 143),
    ] {
        let output = Monitor::start(Run::tool(words)).stop(signal);
        assert_eq!(output.code(), code, "{}", output.report());
    }
    for words in [
        "--count 0",
        "--count x",
        "--timeout -1",
        "--timeout=",
        "--snapshot=x",
        "--timeout 1.0005",
        "--event NOTHING",
        "--token xyz",
        "--dev nowhere",
        "--dev a/b",
        "--buffer 1",
        "bogus",
        "--bogus",
    ] {
        Run::tool(&format!("monitor {words}")).run().failure(255);
    }
}

#[test]
fn only_what_is_selected_is_shown() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    two_subflows();
    ip_mptcp_tests::namespace::veth("one", "two", None);
    ip_mptcp_tests::namespace::add_address("one", [10, 0, 0, 1].into(), 24);
    let listener = listen("0.0.0.0:0");
    let port = listener.local_addr().expect("it").port();
    let first = Connection::open_to(&listener, ([127, 0, 0, 1], port).into());
    let token = first.tokens().0;
    let by_token = Monitor::start(Run::tool(&format!("monitor --snapshot --token {token:x}")));
    let by_dev = Monitor::start(Run::tool("monitor --dev one"));
    let by_name = Monitor::start(Run::tool("monitor --event created --event CLOSED"));
    let second = Connection::open_to(&listener, ([10, 0, 0, 1], port).into());
    let other = second.tokens();
    drop(second);
    drop(first);
    let closed = format!("CLOSED] token={token:08x}");
    let shown = by_token.wait_for("the end", |text| text.contains(&closed));
    let id = format!("token={token:08x}");
    for line in shown.lines() {
        assert!(
            line.contains(&id) || line.contains("SNAPSHOT_END"),
            "{line}"
        );
    }
    assert!(
        shown.starts_with("[        SNAPSHOT] object=connection "),
        "{shown}"
    );
    let shown = by_dev.wait_for("the second", |text| text.matches("CREATED]").count() == 2);
    assert!(
        shown.lines().all(|line| line.contains("saddr4=10.0.0.1")),
        "{shown}"
    );
    assert!(shown.contains(&format!("token={:08x}", other.0)), "{shown}");
    let shown = by_name.wait_for("all ends", |text| text.matches("CLOSED]").count() == 4);
    assert_eq!(shown.matches("CREATED]").count(), 2, "{shown}");
    assert_eq!(shown.lines().count(), 6, "{shown}");
}

#[test]
fn several_namespaces_are_watched_together_and_named() {
    let Some(here) = Namespace::fresh() else {
        return;
    };
    let there = Namespace::another();
    let (_one, _two) = (here.name("one"), there.name("two"));
    for words in ["-j -n one -n two monitor", "-j monitor --all-netns"] {
        let monitor = Monitor::start(Run::tool(words));
        // The second subscription may come a moment after the first.
        let mut kept = Vec::new();
        until("events of both", || {
            for namespace in [&here, &there] {
                kept.push(namespace.inside(|| listen("127.0.0.1:0")));
            }
            let text = monitor.wait_for("output", |_| true);
            let all = records(&text);
            let of = |name: &str| all.iter().any(|record| record["netns"] == name);
            (of("one") && of("two")).then_some(())
        });
        let output = monitor.stop(libc::SIGTERM).success();
        for record in records(&output.stdout()) {
            schema::assert_valid(SCHEMA, &record);
        }
    }
}

#[test]
fn a_namespace_with_several_names_is_watched_once() {
    let Some(here) = Namespace::fresh() else {
        return;
    };
    let (_one, _two) = (here.name("left"), here.name("right"));
    for words in [
        "-j -n left -n left monitor",
        "-j -n left -n /run/netns/right monitor",
        "-j -n /run/netns/left monitor --all-netns",
    ] {
        let monitor = Monitor::start(Run::tool(words));
        drop(listen("127.0.0.1:0"));
        monitor.wait_for("the end", |text| text.contains("LISTENER_CLOSED"));
        let output = monitor.stop(libc::SIGTERM).success();
        assert_eq!(records(&output.stdout()).len(), 2, "{}", output.report());
    }
}

/// One that was asked for by its name is watched on, and what has the name then, too.
#[test]
fn a_name_that_is_given_to_another_namespace_is_followed() {
    let Some(here) = Namespace::fresh() else {
        return;
    };
    let name = here.name("given");
    let monitor = Monitor::start(Run::tool("-j -n given monitor --all-netns"));
    drop(name);
    let there = Namespace::another();
    let _name = there.name("given");
    let mut kept = Vec::new();
    until("events of both", || {
        kept.push(here.inside(|| listen("127.0.0.1:4001")));
        kept.push(there.inside(|| listen("127.0.0.1:4002")));
        kept.clear();
        let text = monitor.wait_for("output", |_| true);
        let of = |port: u16| records(&text).iter().any(|record| record["sport"] == port);
        (of(4001) && of(4002)).then_some(())
    });
    assert_eq!(monitor.stop(libc::SIGTERM).code(), 0);
}

#[test]
fn new_namespaces_are_watched_and_deleted_ones_dropped() {
    let Some(here) = Namespace::fresh() else {
        return;
    };
    let _one = here.name("one");
    let monitor = Monitor::start(Run::tool("-j monitor --all-netns --snapshot"));
    let reported = |name: &str, event: &str, port: u16| {
        let text = monitor.wait_for("output", |_| true);
        let of = |record: &Value| {
            record["netns"] == name && record["event"] == event && record["sport"] == port
        };
        records(&text).iter().any(of)
    };
    // Another namespace under the same name is another one.
    for port in [4001, 4002] {
        let there = Namespace::another();
        let connection = there.inside(|| Connection::open(&listen("127.0.0.1:0")));
        let client = connection.client.local_addr().expect("its address").port();
        let name = there.name("later");
        until("what was there before the name", || {
            reported("later", "SNAPSHOT", client).then_some(())
        });
        let _listener = there.inside(|| listen(&format!("127.0.0.1:{port}")));
        until("what comes then", || {
            reported("later", "LISTENER_CREATED", port).then_some(())
        });
        let sockets = sockets_of(&monitor);
        drop(name);
        until("it to be left", || {
            (sockets_of(&monitor) < sockets).then_some(())
        });
    }
    assert_eq!(monitor.stop(libc::SIGTERM).code(), 0);
}

fn sockets_of(monitor: &Monitor) -> usize {
    let folder = format!("/proc/{}/fd", monitor.running.pid());
    let links = std::fs::read_dir(folder)
        .expect("its descriptors")
        .flatten();
    let targets = links.filter_map(|link| std::fs::read_link(link.path()).ok());
    let socket = |target: &std::path::PathBuf| target.to_string_lossy().starts_with("socket:");
    targets.filter(socket).count()
}
