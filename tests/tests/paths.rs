//! `paths`: what each path carries, against what the kernel's interfaces count.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use ip_mptcp_tests::connection::{connect, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{link_down, shape, sysctl, Namespace};
use ip_mptcp_tests::paths::{carried, TwoPaths};
use ip_mptcp_tests::program::{Run, Running};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::wait::until;
use serde_json::Value;

const SCHEMA: &str = include_str!("../data/paths.schema.json");

/// Two paths, and a connection of two subflows, the second from 10.0.2.2 with these
/// further words.
fn over_two_paths(words: &str) -> Option<(TwoPaths, TcpListener, Connection)> {
    let paths = TwoPaths::fresh()?;
    let (listener, connection) = paths.joined(words);
    Some((paths, listener, connection))
}

/// Data that move from client to server until this is dropped.
struct Transfer {
    over: std::sync::Arc<AtomicBool>,
    received: std::sync::Arc<AtomicU64>,
    ends: [TcpStream; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Transfer {
    fn over(connection: &Connection) -> Transfer {
        let over = std::sync::Arc::new(AtomicBool::new(false));
        let received = std::sync::Arc::new(AtomicU64::new(0));
        let copy = |end: &TcpStream| end.try_clone().expect("a descriptor");
        let ends = [copy(&connection.client), copy(&connection.server)];
        let [mut from, mut to] = [copy(&connection.client), copy(&connection.server)];
        let (ended, count) = (over.clone(), received.clone());
        let sender = std::thread::spawn(move || {
            let piece = vec![b'x'; 64 * 1024];
            while !ended.load(Ordering::Relaxed) {
                if from.write_all(&piece).is_err() {
                    return;
                }
            }
        });
        let ended = over.clone();
        let receiver = std::thread::spawn(move || {
            let mut room = vec![0; 256 * 1024];
            while let Ok(got @ 1..) = to.read(&mut room) {
                count.fetch_add(got as u64, Ordering::Relaxed);
                if ended.load(Ordering::Relaxed) {
                    let _ = to.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        });
        Transfer {
            over,
            received,
            ends,
            threads: vec![sender, receiver],
        }
    }

    fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Both may wait for a path that is broken.
        for end in &self.ends {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A running `-j paths`, read object by object.
struct Watched {
    running: Running,
    read: usize,
}

impl Watched {
    fn start(words: &str) -> Watched {
        Watched {
            running: Run::tool(&format!("-j paths {words}")).start(),
            read: 0,
        }
    }

    /// The objects of the next interval in which there is one for each of `count`. Those
    /// with fewer, before all subflows are there, are passed over.
    fn next(&mut self, count: usize) -> Vec<Value> {
        let read = self.read;
        let mut found: Vec<Value> = Vec::new();
        self.running.wait_for_output("the next interval", |output| {
            found.clear();
            self.read = read;
            for line in output[read..].split_inclusive(|byte| *byte == b'\n') {
                if found.len() == count || !line.ends_with(b"\n") {
                    break;
                }
                self.read += line.len();
                let value: Value = serde_json::from_slice(line).expect("an object");
                if found
                    .last()
                    .is_some_and(|last| last["time"] != value["time"])
                {
                    found.clear();
                }
                found.push(value);
            }
            found.len() == count
        });
        for value in &found {
            schema::assert_valid(SCHEMA, value);
        }
        found
    }

    /// The same until `enough` of one that is of this interface.
    fn until(&mut self, what: &str, dev: &str, count: usize, enough: impl Fn(&Value) -> bool) {
        for _ in 0..60 {
            let objects = self.next(count);
            if objects
                .iter()
                .any(|path| path["dev"] == dev && enough(path))
            {
                return;
            }
        }
        panic!("timed out waiting for {what} on {dev}");
    }
}

fn of<'v>(objects: &'v [Value], dev: &str) -> &'v Value {
    let found = objects.iter().find(|path| path["dev"] == dev);
    found.unwrap_or_else(|| panic!("no {dev}: {objects:#?}"))
}

fn number(path: &Value, name: &str) -> f64 {
    path[name]
        .as_f64()
        .unwrap_or_else(|| panic!("no {name}: {path:#?}"))
}

/// Lets a connection fill both paths: room for what waits on the slower one, and no
/// congestion control that probes for less.
fn fill(namespace: &Namespace) {
    namespace.inside(|| {
        sysctl("ipv4/tcp_rmem", "4096 4194304 8388608").expect("a sysctl");
        sysctl("ipv4/tcp_congestion_control", "reno").expect("a sysctl");
    });
}

#[test]
fn rates_are_those_of_the_interfaces_and_shares_those_of_the_paths() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    fill(&paths.client);
    fill(&paths.server);
    let (_listener, connection) = paths.joined("");
    shape("c1", 1_000_000);
    shape("c2", 250_000);
    let _transfer = Transfer::over(&connection);
    let mut watched = Watched::start("");
    // Until both are filled.
    watched.until("a filled path", "c1", 2, |path| {
        number(path, "sent_bytes_per_second") > 850e3
    });
    watched.until("a filled path", "c2", 2, |path| {
        number(path, "sent_bytes_per_second") > 200e3
    });
    // Where one of the two is late to look, on a loaded machine, they have not seen the
    // same time: then they look again.
    let mut seen = Vec::new();
    for _ in 0..10 {
        let (bytes, counted) = bytes_of_four_intervals(&mut watched);
        let share = bytes[0] / (bytes[0] + bytes[1]);
        let near = |at: usize| (bytes[at] / counted[at] - 1.0).abs() < 0.1;
        if near(0) && near(1) && (0.75..0.85).contains(&share) {
            return;
        }
        seen.push((bytes, counted));
    }
    panic!("bytes of the paths, and of their interfaces: {seen:?}");
}

/// What the two paths are said to carry in four intervals, and what their interfaces
/// have counted meanwhile.
fn bytes_of_four_intervals(watched: &mut Watched) -> ([f64; 2], [f64; 2]) {
    let sent = |dev| carried(dev).1 as f64;
    let (before, mut bytes) = ([sent("c1"), sent("c2")], [0.0, 0.0]);
    for _ in 0..4 {
        let objects = watched.next(2);
        for (bytes, dev) in bytes.iter_mut().zip(["c1", "c2"]) {
            let path = of(&objects, dev);
            *bytes += number(path, "sent_bytes");
            let seconds = number(path, "interval_seconds");
            let rate = number(path, "sent_bytes") / seconds;
            assert!(
                (rate - number(path, "sent_bytes_per_second")).abs() <= 1.0,
                "{path:#?}"
            );
            assert_eq!(path["state"], "active", "{path:#?}");
            assert_eq!(path["subflows"], 1);
        }
    }
    let counted = [sent("c1") - before[0], sent("c2") - before[1]];
    (bytes, counted)
}

#[test]
fn a_path_that_is_cut_carries_nothing_and_is_marked_within_two_intervals() {
    let Some((paths, _listener, connection)) = over_two_paths("") else {
        return;
    };
    let transfer = Transfer::over(&connection);
    let mut watched = Watched::start("");
    watched.until("data", "c1", 2, |path| number(path, "sent_bytes") > 0.0);
    // Here its carrier is lost.
    paths.server.inside(|| link_down("s1"));
    watched.next(2);
    let objects = watched.next(2);
    let path = of(&objects, "c1");
    assert_eq!(
        (&path["state"], number(path, "sent_bytes")),
        (&"down".into(), 0.0)
    );
    // The other goes on.
    let before = transfer.received();
    watched.until("data", "c2", 2, |path| {
        path["state"] == "active" && number(path, "share_percent") == 100.0
    });
    assert!(transfer.received() > before);
}

#[test]
fn a_path_whose_packets_vanish_is_stale_within_two_intervals() {
    let Some((paths, _listener, connection)) = over_two_paths("") else {
        return;
    };
    let _transfer = Transfer::over(&connection);
    let mut watched = Watched::start("");
    watched.until("data", "c1", 2, |path| number(path, "sent_bytes") > 0.0);
    // The carrier stays; the server takes nothing from there any more.
    paths.server.inside(|| {
        ip_mptcp_tests::namespace::delete_address("s1", [10, 0, 1, 1].into(), 24);
    });
    watched.next(2);
    let objects = watched.next(2);
    let path = of(&objects, "c1");
    assert_eq!(
        (&path["state"], number(path, "sent_bytes")),
        (&"stale".into(), 0.0)
    );
}

#[test]
fn a_backup_is_called_one_and_carries_nothing_while_the_other_can() {
    let Some((_paths, _listener, connection)) = over_two_paths("backup") else {
        return;
    };
    let _transfer = Transfer::over(&connection);
    let mut watched = Watched::start("--interval 0.3");
    // The first may be of the time before there were two.
    watched.until("data", "c1", 2, |path| number(path, "sent_bytes") > 0.0);
    let all_of_it = (0..60).any(|_| {
        let objects = watched.next(2);
        let backup = of(&objects, "c2");
        assert_eq!(backup["state"], "backup");
        assert_eq!(backup["backup_subflows"], 1);
        assert_eq!(backup["endpoint"], 2);
        // On a loaded machine there are intervals without any bytes, and some in which
        // the kernel took the other path for stale and called the backup in.
        of(&objects, "c1")["share_percent"] == 100 && number(backup, "sent_bytes") == 0.0
    });
    assert!(all_of_it, "a share of 100% of the other path");
}

#[test]
fn the_server_sees_what_it_receives() {
    let Some((paths, _listener, connection)) = over_two_paths("") else {
        return;
    };
    let _transfer = Transfer::over(&connection);
    let mut watched = paths
        .server
        .inside(|| Watched::start("--interval 0.3 --by subflow"));
    let objects = (0..60)
        .map(|_| watched.next(2))
        .find(|objects| {
            objects
                .iter()
                .all(|path| number(path, "received_bytes") > 0.0)
        })
        .expect("data on both");
    for path in &objects {
        // The byte with which the connection began may be acknowledged only now.
        assert!(number(path, "sent_bytes") <= 1.0, "{path:#?}");
        assert_eq!(path["local_address"], "10.0.1.1");
        let token = format!("0x{:x}", connection.tokens().1);
        assert_eq!(path["token"], Value::from(token));
    }
    let mut peers: Vec<_> = objects
        .iter()
        .map(|path| path["remote_address"].clone())
        .collect();
    peers.sort_by_key(Value::to_string);
    assert_eq!(peers, ["10.0.1.2", "10.0.2.2"]);
    // Both were opened to one address; what is sent back leaves by two interfaces.
    let mut watched = paths.server.inside(|| Watched::start("--interval 0.3"));
    for dev in ["s1", "s2"] {
        watched.until("data", dev, 2, |path| {
            path["local_address"] == "10.0.1.1" && number(path, "received_bytes") > 0.0
        });
    }
}

#[test]
fn ipv6_paths_are_shown() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths.listen("[::]:0");
    let connection = paths.connect(&listener);
    let _transfer = Transfer::over(&connection);
    let mut watched = Watched::start("--interval 0.3");
    watched.until("data", "c1", 1, |path| {
        path["local_address"] == "2001:db8:1::2" && number(path, "sent_bytes") > 0.0
    });
}

#[test]
fn a_connection_that_fell_back_is_counted_as_one() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths
        .server
        .inside(|| TcpListener::bind("0.0.0.0:0").expect("listen without MPTCP"));
    let port = listener.local_addr().expect("its address").port();
    let client = connect(([10, 0, 1, 1], port).into()).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    let connection = Connection { client, server };
    let _transfer = Transfer::over(&connection);
    for words in ["--interval 0.3", "fallback --interval 0.3"] {
        let mut watched = Watched::start(words);
        watched.until("data", "c1", 1, |path| {
            path["fallback_subflows"] == 1 && number(path, "sent_bytes") > 0.0
        });
    }
}

#[test]
fn a_connection_that_comes_and_goes_within_an_interval_is_counted() {
    let Some((paths, listener, connection)) = over_two_paths("") else {
        return;
    };
    let mut watched = Watched::start("--interval 1");
    watched.next(2);
    let brief = paths.connect(&listener);
    brief.exchange(1000);
    drop(brief);
    let objects = (0..20)
        .map(|_| watched.next(2))
        .find(|objects| objects[0]["opened"] != 0)
        .expect("a connection that was opened");
    let interval = &objects[0];
    assert_eq!(interval["opened"], 1, "{interval}");
    let ended = number(interval, "ended") as u64;
    // Its end may fall into the next interval.
    if ended == 0 {
        watched.until("the end", "c1", 2, |path| path["ended"] == 1);
    } else {
        assert_eq!(ended, 1);
        assert!(number(interval, "unseen_subflows") >= 1.0, "{interval}");
    }
    connection.ping();
}

#[test]
fn what_a_subflow_carried_before_it_ended_is_counted() {
    // Not the first subflow: the kernel may reset that before it reports its end.
    let Some((_paths, _listener, connection)) = over_two_paths("") else {
        return;
    };
    kernel::add("10.0.1.2 dev c1 id 1 signal");
    Run::tool("endpoint change 10.0.1.2 backup").run().success();
    let mut watched = Watched::start("--interval 2");
    watched.next(2);
    const SIZE: usize = 300_000;
    connection.exchange(SIZE);
    Run::tool("endpoint delete id 2").run().success();
    // Of all rows: where the machine is slow, some bytes go by the backup, and some twice.
    let mut rows = vec![];
    let mut sent = 0.0;
    while sent < SIZE as f64 && rows.len() < 20 {
        let row = watched.next(1).remove(0);
        sent += number(&row, "sent_bytes");
        rows.push(row);
    }
    assert!(sent >= SIZE as f64, "{rows:#?}");
    connection.ping();
}

#[test]
fn rows_are_of_paths_connections_or_subflows_and_words_select_them() {
    let Some((paths, listener, first)) = over_two_paths("") else {
        return;
    };
    let second = paths.connect(&listener);
    until("its second subflow", || {
        second.ping();
        (second.subflows() == Some(1)).then_some(())
    });
    let rows = |words: &str| {
        let line = format!("-j paths --count 1 --interval 0.05 {words}");
        let text = Run::tool(&line).run().success().stdout();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object"))
            .collect();
        lines
    };
    let token = format!("{:08x}", first.tokens().0);
    for (words, count) in [
        ("", 2),
        ("--by path", 2),
        ("--by connection", 4),
        ("--by subflow", 4),
        ("dev c2 --by subflow", 2),
        ("--by subflow local 10.0.1.2", 2),
        (&format!("token {token}"), 2),
        (&format!("--by subflow token {token} dev c1"), 1),
        ("dport 1", 0),
        ("fallback", 0),
    ] {
        assert_eq!(rows(words).len(), count, "{words}");
    }
    let text = Run::tool("-o paths --count 1 --interval 0.05")
        .run()
        .success()
        .stdout();
    assert_eq!(text.lines().count(), 2, "{text}");
    let text = Run::tool("paths --count 2 --interval 0.05")
        .run()
        .success()
        .stdout();
    assert_eq!(text.split_terminator("\n\n").count(), 2, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

/// Also where its first subflow is not among those that are selected, and another goes
/// to an address that the peer announced.
#[test]
fn a_connection_is_shown_with_the_peer_that_it_was_opened_to() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    paths.set_limits(2, 2);
    let announced = "10.0.2.1 dev s2 signal";
    paths.server.inside(|| kernel::add(announced));
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    until("a subflow to the announced address", || {
        connection.ping();
        (connection.subflows() == Some(1)).then_some(())
    });
    let port = listener.local_addr().expect("its address").port();
    let heading = format!("token {:08x} to 10.0.1.1:{port}", connection.tokens().0);
    for words in ["", "dev c2", "remote 10.0.2.1", "dev c1"] {
        let line = format!("paths --by connection --count 1 --interval 0.05 {words}");
        let text = Run::tool(&line).run().success().stdout();
        let found: Vec<_> = text
            .lines()
            .filter(|line| line.starts_with("token "))
            .collect();
        assert_eq!(found, [&heading], "{words}: {text}");
    }
}

#[test]
fn mistakes_name_the_word_at_fault() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for (words, word) in [
        ("--interval 0", "0"),
        ("--interval x", "x"),
        ("--count 0", "0"),
        ("--by nothing", "nothing"),
        ("listen", "listen"),
        ("dev nothere", "nothere"),
        ("token zz", "zz"),
        ("--what", "--what"),
    ] {
        let output = Run::tool(&format!("paths {words}")).run();
        assert_ne!(output.code(), 0, "{words}");
        assert!(output.stderr().contains(word), "{}", output.report());
        assert_eq!(output.stdout(), "", "{words}");
    }
}

#[test]
fn a_signal_is_success_unless_a_count_was_given() {
    let Some((_paths, _listener, _connection)) = over_two_paths("") else {
        return;
    };
    for (words, code) in [("", 0), ("--count 1000", 128 + libc::SIGTERM)] {
        let running = Run::tool(&format!("paths --interval 0.05 {words}")).start();
        running.wait_for_output("a block", |output| output.windows(2).any(|w| w == b"\n\n"));
        running.signal(libc::SIGTERM);
        assert_eq!(running.finish().code(), code, "{words}");
    }
}

// A reader that stalls must not make it unkillable, nor its memory grow.
#[test]
fn a_stalled_reader_only_makes_intervals_longer() {
    let Some((_paths, _listener, _connection)) = over_two_paths("") else {
        return;
    };
    for words in ["paths", "-j paths"] {
        let running = Run::tool(&format!("{words} --interval 0.001"))
            .stalled()
            .start();
        let file = |name: &str| {
            let path = format!("/proc/{}/{name}", running.pid());
            std::fs::read_to_string(path).expect("of the program")
        };
        let looked = || {
            let table = file("io");
            let line = table.lines().find_map(|line| line.strip_prefix("rchar: "));
            line.expect("rchar").parse::<u64>().expect("a number")
        };
        // It waits in poll, and looks no more.
        let mut before = (0, std::time::Instant::now());
        until("a full pipe", || {
            if looked() != before.0 {
                before = (looked(), std::time::Instant::now());
            }
            (before.0 > 0 && before.1.elapsed() > std::time::Duration::from_millis(200))
                .then_some(())
        });
        running.signal(libc::SIGTERM);
        // A zombie: it does not wait for its reader.
        until("its end", || file("stat").contains(") Z ").then_some(()));
        assert_eq!(running.finish().code(), 0, "{words}");
    }
}

#[test]
fn memory_does_not_grow_while_connections_come_and_go() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths.listen("0.0.0.0:0");
    let stays = paths.connect(&listener);
    let null = std::fs::File::create("/dev/null").expect("/dev/null");
    let running = Run::tool("-j paths --interval 0.001").stdout(null).start();
    let file = |name: &str| {
        let path = format!("/proc/{}/{name}", running.pid());
        std::fs::read_to_string(path).expect("of the program")
    };
    let value = |name: &str, key: &str| {
        let table = file(name);
        let line = table
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .expect(key);
        let number = line.split_whitespace().next().expect("a number");
        number.parse::<u64>().expect("a number")
    };
    // No more at a look where looks are slow: that would make them slower still.
    let churn = |looks: u64| {
        for _ in 0..looks {
            let before = value("io", "wchar:");
            for _ in 0..8 {
                paths.connect(&listener);
            }
            stays.ping();
            until("another look", || {
                (value("io", "wchar:") > before).then_some(())
            });
        }
        value("status", "VmRSS:")
    };
    // Until all that is needed has been needed once.
    let before = churn(50);
    // How many there are at a time differs a little.
    let after = churn(200);
    assert!(after <= before + 400, "{before} kB, then {after} kB");
    running.signal(libc::SIGTERM);
    assert_eq!(running.finish().code(), 0);
}
