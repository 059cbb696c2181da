//! `status` and `counters`: figures are those that the kernel gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;

use ip_mptcp_tests::connection::Connection;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{
    add_route, link_delete, link_down, link_rename, sysctl, Namespace,
};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, strace, Run};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

fn filter(name: &str, value: &str) {
    sysctl(&format!("ipv4/conf/{name}/rp_filter"), value).expect("rp_filter");
}

/// A client with an endpoint on path 2 and a connection over both paths to a server's
/// address on path 1: nothing is wrong on either side. The thread is in the client's
/// namespace.
struct Sound {
    paths: TwoPaths,
    listener: TcpListener,
    connection: Connection,
}

impl Sound {
    fn fresh() -> Option<Sound> {
        let sound = Sound::with(2, &["10.0.2.2 id 2 dev c2 subflow"], 2, true)?;
        until("the second subflow", || {
            sound.connection.exchange(1);
            sound.connection.subflows().filter(|count| *count == 1)
        });
        counted("MPJoinSynAckRx");
        Some(sound)
    }

    /// With these limits of subflows at the client and at the server; `routed`: there is
    /// a route to the server on path 2.
    fn with(client: u32, endpoints: &[&str], server: u32, routed: bool) -> Option<Sound> {
        let paths = TwoPaths::fresh()?;
        for name in ["all", "c1", "c2"] {
            filter(name, "0");
        }
        kernel::set_limits(2, client);
        paths.server.inside(|| kernel::set_limits(2, server));
        if routed {
            route();
        }
        for endpoint in endpoints {
            kernel::add(endpoint);
        }
        let listener = paths.listen("0.0.0.0:0");
        let connection = paths.connect(&listener);
        Some(Sound {
            paths,
            listener,
            connection,
        })
    }

    /// Another connection.
    fn connect(&self) -> Connection {
        self.paths.connect(&self.listener)
    }
}

/// The way to path 1's server over path 2.
fn route() {
    route_by("c2");
}

/// The same, with this name of the client's interface of path 2.
fn route_by(name: &str) {
    let [network, gateway] = [[10, 0, 1, 0], [10, 0, 2, 1]].map(Into::into);
    add_route(network, 24, gateway, name, 100);
}

/// Waits until a counter of the thread's namespace is not 0.
fn counted(name: &str) {
    until(name, || {
        kernel::counter(name).filter(|value| *value > 0).map(drop)
    });
}

/// What the runs of the tool write while no counter moves, and the counters then: late
/// acknowledgements and what is sent again move them.
fn at_rest<const N: usize>(runs: [&str; N]) -> (BTreeMap<String, u64>, [String; N]) {
    until("counters at rest", || {
        let before = kernel::counters();
        let printed = runs.map(|words| Run::tool(words).run().success().stdout());
        (kernel::counters() == before).then_some((before, printed))
    })
}

/// Names and values of lines `NAME VALUE`.
fn pairs(text: &str) -> Vec<(String, u64)> {
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once(' ').expect("NAME VALUE");
            (name.into(), value.trim_start().parse().expect("a number"))
        })
        .collect()
}

#[test]
fn counters_are_those_of_the_kernel_under_its_names() {
    let Some(sound) = Sound::fresh() else { return };
    sound.connection.exchange(100_000);
    let (kernel, [some, all, some_json, all_json]) = at_rest([
        "counters",
        "counters --all",
        "-j counters",
        "-j -p counters --all",
    ]);
    let other: BTreeMap<_, _> = kernel
        .iter()
        .filter(|(_, value)| **value > 0)
        .map(|(name, value)| (name.clone(), *value))
        .collect();
    assert!(
        other.len() > 4 && kernel.len() > other.len() + 20,
        "{other:?}"
    );

    let shown = pairs(&some);
    let known: BTreeMap<String, u64> = shown.iter().cloned().collect();
    assert_eq!(known, other, "those that are not 0");
    assert_eq!(known.len(), shown.len(), "each once");

    let all = pairs(&all);
    assert_eq!(all[..shown.len()], shown, "those that are not 0 first");
    assert_eq!(all.len(), kernel.len());
    assert_eq!(all.into_iter().collect::<BTreeMap<_, _>>(), kernel);

    let json = |text: &str| -> BTreeMap<String, u64> {
        serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    assert_eq!(json(&some_json), known);
    assert_eq!(json(&all_json), kernel);

    let help = Run::tool("counters --help").run().success().stdout();
    for name in kernel.keys() {
        assert!(
            help.lines()
                .any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name} is not explained"
        );
    }
    for word in ["0", "-1", "x", "2147484"] {
        let printed = Run::tool(&format!("counters --interval {word}"))
            .run()
            .failure(255);
        assert!(printed.stderr().contains(word), "{}", printed.report());
    }
}

#[test]
fn intervals_show_what_was_added() {
    let Some(sound) = Sound::fresh() else { return };
    let before = kernel::counters();
    let running = Run::tool("-j counters --all --interval 0.5").start();
    let text = Run::tool("counters --interval 1").start();
    let line = |bytes: &[u8], count| bytes.iter().filter(|byte| **byte == b'\n').count() >= count;
    let records = |bytes: &[u8]| -> Vec<BTreeMap<String, u64>> {
        let text = String::from_utf8_lossy(bytes).to_string();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    };
    // The first one shows that counting has begun.
    running.wait_for_output("the first interval", |bytes| line(bytes, 1));
    text.wait_for_output("the first interval", |bytes| line(bytes, 1));
    let more: Vec<Connection> = (0..3).map(|_| sound.connect()).collect();
    for connection in &more {
        until("the second subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 1)
        });
    }
    let after = kernel::counters();
    let total = |records: &[BTreeMap<String, u64>], name: &str| -> u64 {
        records.iter().map(|record| record[name]).sum()
    };
    running.wait_for_output("what was added", |bytes| {
        let records = records(bytes);
        after.iter().all(|(name, value)| {
            name == "MPCurrEstab" || total(&records, name) >= value - before[name]
        })
    });
    // The interval after is empty, and the gauge is not a difference.
    let seen = records(&running.output_so_far()).len();
    let bytes = running.wait_for_output("one more", |bytes| line(bytes, seen + 1));
    assert_eq!(total(&records(&bytes), "MPCapableSYNTX"), 3);
    assert_eq!(total(&records(&bytes), "MPJoinSynTx"), 3);
    let last = records(&bytes).pop().expect("a record");
    assert_eq!(last["MPCapableSYNTX"], 0);
    assert_eq!(last["MPCurrEstab"], after["MPCurrEstab"]);
    text.wait_for_output("what was added", |bytes| {
        let joins: u64 = String::from_utf8_lossy(bytes)
            .lines()
            .filter_map(|line| line.strip_prefix("MPJoinSynTx "))
            .map(|value| value.trim().parse::<u64>().unwrap_or(0))
            .sum();
        joins == 3
    });
    for running in [running, text] {
        running.signal(libc::SIGTERM);
        let output = running.finish();
        assert_eq!((output.code(), output.stderr()), (0, String::new()));
    }
    let printed = Run::tool("counters --interval 1 --prometheus")
        .run()
        .failure(255);
    assert!(
        printed.stderr().contains("--interval"),
        "{}",
        printed.report()
    );
}

#[test]
fn status_shows_endpoints_limits_sysctls_and_connections() {
    let Some(sound) = Sound::fresh() else { return };
    sysctl("mptcp/stale_loss_cnt", "7").expect("another value");
    kernel::add("10.9.9.9 id 3 signal");
    let text = Run::tool("status").run().success().stdout();
    for line in [
        "kernel events yes change yes user_space ",
        "sysctl enabled 1\n",
        "sysctl stale_loss_cnt 7 (default 4)\n",
        "limits add_addr_accepted 2 subflows 2\n",
        "endpoint 10.0.2.2 id 2 subflow dev c2 up\n",
        "endpoint 10.9.9.9 id 3 signal no-address\n",
        "connections 1 fallbacks 0 subflows 2\n",
        "subflows dev c1 1\n",
        "subflows dev c2 1\n",
    ] {
        assert!(
            text.starts_with(line) || text.contains(&format!("\n{line}")),
            "no {line:?} in {text}"
        );
    }
    let json = |words: &str| -> Value {
        let text = Run::tool(words).run().success().stdout();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    };
    let status = json("-j status");
    assert_eq!(status, json("-j -p status"));
    schema::assert_valid(include_str!("../data/status.schema.json"), &status);
    let kernel = status["kernel"].as_object().expect("an object");
    assert!(kernel
        .values()
        .all(|known| ["yes", "no", "unknown"].contains(&known.as_str().unwrap_or(""))));
    // An endpoint that has the flag shows that the kernel knows it.
    assert_eq!(kernel["laminar"], "unknown");
    kernel::add("10.9.9.7 id 4 laminar");
    let kept = kernel::state().iter().any(|held| held.contains("laminar"));
    let known = if kept { "yes" } else { "unknown" };
    assert_eq!(json("-j status")["kernel"]["laminar"], known);
    Run::tool("endpoint delete id 4").run().success();
    // All that this kernel has, known or not.
    let all = std::fs::read_dir("/proc/sys/net/mptcp")
        .expect("sysctls")
        .flatten();
    let all: BTreeSet<String> = all
        .filter_map(|one| one.file_name().into_string().ok())
        .collect();
    let shown = status["sysctl"].as_object().expect("an object");
    assert_eq!(all, shown.keys().cloned().collect());
    for (name, sysctl) in shown {
        let path = Path::new("/proc/sys/net/mptcp").join(name);
        let value = std::fs::read_to_string(path).expect("a sysctl");
        assert_eq!(sysctl["value"], value.trim_end(), "{name}");
    }
    assert_eq!(status["sysctl"]["stale_loss_cnt"]["default"], "4");
    assert_eq!(
        status["limits"],
        serde_json::json!({"add_addr_accepted": 2, "subflows": 2})
    );
    let endpoints = status["endpoints"].as_array().expect("an array");
    let states: Vec<_> = endpoints
        .iter()
        .map(|one| {
            (
                one["address"].as_str(),
                one["id"].as_u64(),
                one["dev"].as_str(),
                one["state"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (Some("10.0.2.2"), Some(2), Some("c2"), Some("up")),
            (Some("10.9.9.9"), Some(3), None, Some("no-address")),
        ]
    );
    assert_eq!(
        (
            &status["connections"],
            &status["fallbacks"],
            &status["subflows"]
        ),
        (&1.into(), &0.into(), &2.into())
    );
    assert_eq!(
        status["interfaces"],
        serde_json::json!([{"dev": "c1", "subflows": 1}, {"dev": "c2", "subflows": 1}])
    );
    // Each state of an endpoint by its name.
    let state = || json("-j status")["endpoints"][0]["state"].clone();
    sound.paths.server.inside(|| link_down("s2"));
    assert_eq!(state(), "no-carrier");
    link_down("c2");
    assert_eq!(state(), "down");
    link_delete("c2");
    assert_eq!(state(), "no-device");
}

/// A metric: its type, and its samples by their labels.
struct Metric {
    kind: String,
    samples: BTreeMap<Vec<(String, String)>, u64>,
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The labels `NAME="VALUE",…}` at the start of `text`, and what comes after them.
fn labels(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").expect("NAME=\"");
        assert!(is_name(name), "{name:?}: {text}");
        assert!(
            found.iter().all(|(known, _)| known != name),
            "{name} twice: {text}"
        );
        let mut value = String::new();
        let mut characters = after.chars();
        loop {
            match characters.next().expect("an end of the value") {
                '"' => break,
                '\\' => value.push(match characters.next() {
                    Some('n') => '\n',
                    Some(c @ ('"' | '\\')) => c,
                    other => panic!("\\{other:?}: {text}"),
                }),
                c => value.push(c),
            }
        }
        found.push((name.into(), value));
        let after = characters.as_str();
        if let Some(after) = after.strip_prefix('}') {
            return (found, after);
        }
        rest = after.strip_prefix(',').expect("a comma");
    }
}

/// Reads Prometheus' text format as strictly as it can be: each metric has HELP, TYPE and
/// its samples, in this order and in one place, no sample twice.
fn metrics(text: &str) -> BTreeMap<String, Metric> {
    assert!(text.ends_with('\n'));
    let mut found: BTreeMap<String, Metric> = BTreeMap::new();
    let (mut helped, mut typed) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("NAME TEXT");
            assert!(!help.is_empty() && !help.contains('\\') && !found.contains_key(name));
            helped = name.into();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("NAME TYPE");
            assert!(name == helped && is_name(name), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kind == "counter" || kind == "gauge", "{line}");
            typed = name.into();
            let (kind, samples) = (kind.into(), BTreeMap::new());
            assert!(found
                .insert(typed.clone(), Metric { kind, samples })
                .is_none());
        } else {
            let rest = line
                .strip_prefix(&typed)
                .expect("the metric of the TYPE before");
            let (labels, rest) = match rest.strip_prefix('{') {
                Some(rest) => labels(rest),
                None => (Vec::new(), rest),
            };
            let value = rest.strip_prefix(' ').expect("a space");
            assert!(value.bytes().all(|b| b.is_ascii_digit()), "{line}");
            let samples = &mut found.get_mut(&typed).expect("known").samples;
            let value = value.parse().expect("a number");
            assert!(samples.insert(labels, value).is_none(), "twice: {line}");
        }
    }
    found
}

/// Whether Prometheus' own tool has nothing to say against it.
fn promtool(text: &str) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("promtool"))
        .find(|promtool| promtool.is_file());
    let Some(promtool) = found else {
        return skip("promtool is not installed (Debian: prometheus)");
    };
    let printed = Run::program(&promtool)
        .words("check metrics")
        .stdin(text)
        .run();
    assert_eq!(printed.code(), 0, "{}\n{text}", printed.report());
    assert_eq!(printed.stdout() + &printed.stderr(), "", "{text}");
}

#[test]
fn prometheus_accepts_the_metrics() {
    let Some(_sound) = Sound::fresh() else { return };
    kernel::add("2001:db8:9::9 id 3 signal");
    // What an interface may be called, a label must quote.
    let odd = "c\"2\\n";
    link_rename("c2", odd);
    let label = |name: &str, value: &str| (name.to_string(), value.to_string());

    for words in ["counters --prometheus", "status --prometheus"] {
        let (kernel, [text]) = at_rest([words]);
        promtool(&text);
        let metrics = metrics(&text);
        let events = &metrics["mptcp_events_total"];
        assert_eq!(events.kind, "counter");
        let mut shown: BTreeMap<String, u64> = events
            .samples
            .iter()
            .map(|(labels, value)| {
                assert_eq!((labels.len(), labels[0].0.as_str()), (1, "counter"));
                (labels[0].1.clone(), *value)
            })
            .collect();
        assert_eq!(metrics["mptcp_established"].kind, "gauge");
        let established = metrics["mptcp_established"].samples[&vec![]];
        shown.insert("MPCurrEstab".into(), established);
        assert_eq!(shown, kernel, "{words}");
        if words.starts_with("counters") {
            assert_eq!(metrics.len(), 2);
            continue;
        }
        let value = |metric: &str, labels: &[(&str, &str)]| {
            let labels: Vec<_> = labels
                .iter()
                .map(|(name, value)| label(name, value))
                .collect();
            metrics[metric].samples[&labels]
        };
        assert_eq!(value("mptcp_enabled", &[]), 1);
        assert_eq!(value("mptcp_limit", &[("limit", "subflows")]), 2);
        assert_eq!(value("mptcp_limit", &[("limit", "add_addr_accepted")]), 2);
        let up = |id, address, dev| {
            value(
                "mptcp_endpoint_up",
                &[("id", id), ("address", address), ("dev", dev)],
            )
        };
        assert_eq!(up("2", "10.0.2.2", odd), 1);
        assert_eq!(up("3", "2001:db8:9::9", ""), 0);
        assert_eq!(metrics["mptcp_endpoint_up"].samples.len(), 2);
        assert_eq!(value("mptcp_connections", &[("fallback", "no")]), 1);
        assert_eq!(value("mptcp_connections", &[("fallback", "yes")]), 0);
        assert_eq!(value("mptcp_subflows", &[("dev", "c1")]), 1);
        assert_eq!(value("mptcp_subflows", &[("dev", odd)]), 1);
    }
}

#[test]
fn a_sysctl_that_cannot_be_read_is_not_taken_for_0() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(strace) = strace() else { return };
    let output = Run::program(&strace)
        .words("-qq -o /dev/null -P /proc/sys/net/mptcp/enabled")
        .words("-e inject=open,openat:error=EACCES")
        .arg(binary())
        .words("status --prometheus")
        .run()
        .success();
    let metrics = metrics(&output.stdout());
    assert!(
        !metrics.contains_key("mptcp_enabled"),
        "{}",
        output.report()
    );
    assert!(metrics.contains_key("mptcp_limit"));
}

/// Nothing is changed, and nothing else happens than that something is missing.
#[test]
fn status_and_counters_work_unprivileged() {
    let Some(_sound) = Sound::fresh() else { return };
    let before = kernel::state();
    for words in ["status", "-j status", "status --prometheus", "counters"] {
        Run::tool(words).unprivileged().run().success();
    }
    assert_eq!(kernel::state(), before);
}
