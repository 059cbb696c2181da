//! `connection show`: every MPTCP connection with its subflows under it, as it is.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, TcpStream};

use ip_mptcp_tests::connection::{connect, connect_marked, listen, subflow_addresses, Connection};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::load::{descriptors, Load};
use ip_mptcp_tests::namespace::{add_address, add_route, link_delete, sysctl, veth, Namespace};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{iproute2, terminal_of, terminal_text, Run};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

/// What the tool says, checked against the schema.
fn shown(words: &str) -> Vec<Value> {
    let text = Run::tool(words).run().success().stdout();
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    schema::assert_valid(include_str!("../data/connection.schema.json"), &value);
    value.as_array().expect("an array").clone()
}

fn token(connection: &Value) -> u32 {
    let text = connection["token"].as_str().expect("a token");
    u32::from_str_radix(text.strip_prefix("0x").expect("0x"), 16).expect("hexadecimal")
}

fn end(of: &Value, side: &str) -> SocketAddr {
    let address = of[format!("{side}_address")].as_str().expect("an address");
    let port = of[format!("{side}_port")].as_u64().expect("a port") as u16;
    SocketAddr::new(address.parse().expect("an address"), port)
}

/// The two ends of each subflow of a shown connection.
fn tree(connection: &Value) -> BTreeSet<(SocketAddr, SocketAddr)> {
    let subflows = connection["subflows"].as_array().expect("subflows");
    subflows
        .iter()
        .map(|subflow| (end(subflow, "local"), end(subflow, "remote")))
        .collect()
}

/// The same as the kernel reports it to the owner of the socket.
fn truth(socket: &TcpStream) -> BTreeSet<(SocketAddr, SocketAddr)> {
    subflow_addresses(socket).into_iter().collect()
}

fn one(words: &str) -> Value {
    let mut all = shown(words);
    assert_eq!(all.len(), 1, "{words}: {all:#?}");
    all.remove(0)
}

/// A connection whose second subflow goes over the second path.
fn over_two_paths() -> Option<(TwoPaths, TcpListener, Connection)> {
    let paths = TwoPaths::fresh()?;
    paths.set_limits(2, 2);
    paths.server.inside(|| kernel::add("10.0.2.1 id 2 signal"));
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    until("the second subflow", || {
        connection.ping();
        // At both ends: the server has it last.
        let ends = [&connection.client, &connection.server];
        let both = ends.iter().all(|end| truth(end).len() == 2);
        both.then_some(())
    });
    Some((paths, listener, connection))
}

fn subflow<'a>(connection: &'a Value, local: &str) -> &'a Value {
    connection["subflows"]
        .as_array()
        .expect("subflows")
        .iter()
        .find(|subflow| subflow["local_address"] == local)
        .unwrap_or_else(|| panic!("no subflow from {local}: {connection:#}"))
}

#[test]
fn the_tree_is_right_while_a_transfer_runs_and_after_a_path_is_cut() {
    let Some((paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    let (client, server) = connection.tokens();
    for _ in 0..20 {
        connection.exchange(300_000);
        let here = one(&format!("-j connection show token {client:x}"));
        assert_eq!(tree(&here), truth(&connection.client));
        assert_eq!(here["role"], "client");
        assert_eq!(here["state"], "ESTABLISHED");
        assert_eq!(here["fallback"], false);
        assert_eq!(here["incomplete"], false);
        let first = subflow(&here, "10.0.1.2");
        let second = subflow(&here, "10.0.2.2");
        assert_eq!(
            (&first["kind"], &first["dev"]),
            (&"first".into(), &"c1".into())
        );
        assert_eq!(
            (&second["kind"], &second["dev"]),
            (&"joined".into(), &"c2".into())
        );
        assert_eq!(second["remote_id"], 2);
        let there = paths
            .server
            .inside(|| one(&format!("-j -s conn s token 0x{server:08x}")));
        assert_eq!(tree(&there), truth(&connection.server));
        assert_eq!(there["role"], "server");
        assert_eq!(subflow(&there, "10.0.2.1")["endpoint"], 2);
    }
    let total: u64 = 20 * 300_000;
    let here = one("-j connection show");
    assert!(here["bytes_received"].as_u64() >= Some(total), "{here:#}");
    let carried = |connection: &Value, local: &str| {
        let subflow = subflow(connection, local);
        let number = |name: &str| subflow[name].as_u64().expect("a number");
        number("bytes_acked") + number("bytes_received")
    };

    link_delete("c2");
    // What had arrived before may still have to be counted.
    let mut before = 0;
    until("the figures of the path to rest", || {
        let now = carried(&one("-j connection show"), "10.0.2.2");
        (std::mem::replace(&mut before, now) == now).then_some(())
    });
    connection.exchange(1_000_000);
    let here = one("-j connection show");
    assert_eq!(tree(&here), truth(&connection.client));
    assert_eq!(here["state"], "ESTABLISHED");
    let cut = subflow(&here, "10.0.2.2");
    assert_eq!(cut.get("dev"), None, "the interface has gone: {cut:#}");
    assert_eq!(
        carried(&here, "10.0.2.2"),
        before,
        "nothing passes a path that is cut"
    );
    assert!(carried(&here, "10.0.1.2") > 1_000_000);
}

#[test]
fn a_subflow_has_no_share_of_bytes_that_others_carried() {
    let Some((_paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    // So few that the beginning of a subflow, which is acked too, would count.
    connection.exchange(1);
    let here = one("-j connection show");
    let ends = ["10.0.1.2", "10.0.2.2"].map(|local| subflow(&here, local));
    let carried = ends.map(|end| {
        let number = |name: &str| end[name].as_u64().expect("a number");
        number("bytes_acked").min(number("bytes_sent")) + number("bytes_received")
    });
    let total: u64 = carried.iter().sum();
    assert_eq!(
        ends.map(|end| end["share_percent"].clone()),
        carried.map(|bytes| Value::from(bytes * 100 / total)),
        "{here:#}"
    );
}

#[test]
fn a_subflow_that_is_closed_leaves_the_tree() {
    let Some((paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    paths
        .server
        .inside(|| Run::tool("endpoint delete id 2").run().success());
    until("the end of the second subflow", || {
        connection.ping();
        (truth(&connection.client).len() == 1).then_some(())
    });
    let here = one("-j connection show");
    assert_eq!(tree(&here), truth(&connection.client));
    assert_eq!(here["incomplete"], false, "{here:#}");
}

#[test]
fn each_selector_finds_its_connections_and_shows_them_whole() {
    let Some((paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    // The others have one subflow each.
    kernel::set_limits(0, 0);
    let other = paths.listen("[::]:0");
    let six = paths.connect(&other);
    let four = paths.connect_to(&other, "10.0.1.1");
    six.exchange(1);
    let name = |of: &Connection| of.tokens().0;
    let (both, six_token, four_token) = (name(&connection), name(&six), name(&four));
    let port = |of: &Connection| of.client.peer_addr().expect("the peer").port();
    let own = connection.client.local_addr().expect("our end").port();
    let whole = truth(&connection.client);
    assert_eq!(whole.len(), 2);
    for (words, expected) in [
        (String::new(), vec![both, six_token, four_token]),
        (format!("token {both:x}"), vec![both]),
        (format!("to {six_token:08x}"), vec![six_token]),
        ("dev c2".into(), vec![both]),
        ("dev lo".into(), vec![]),
        // It is there, and not what else is wanted.
        (format!("token {both:x} dev lo"), vec![]),
        (format!("token {six_token:x} -4"), vec![]),
        (format!("fallback token {both:x}"), vec![]),
        ("local 10.0.1.2".into(), vec![both, four_token]),
        ("local 2001:db8:1::2".into(), vec![six_token]),
        ("remote 2001:db8:1::1".into(), vec![six_token]),
        ("10.0.2.1".into(), vec![both]),
        (format!("dport {}", port(&connection)), vec![both]),
        (format!("dport {}", port(&six)), vec![six_token, four_token]),
        (format!("sport {own}"), vec![both]),
        (format!("sport {own} dport 9"), vec![]),
        ("-6".into(), vec![six_token]),
        ("-4".into(), vec![both, four_token]),
        ("fallback".into(), vec![]),
    ] {
        let found: BTreeSet<u32> = shown(&format!("-j connection show {words}"))
            .iter()
            .map(token)
            .collect();
        assert_eq!(found, expected.into_iter().collect(), "{words}");
    }
    for words in ["local 10.0.2.2", "dev c2", "remote 10.0.2.1"] {
        let all = shown(&format!("-j connection show {words}"));
        let found = all.iter().find(|shown| token(shown) == both).expect(words);
        assert_eq!(tree(found), whole, "{words}");
        assert_eq!(found["incomplete"], false, "{words}");
    }
    for (words, status) in [
        ("token 1", 2),
        ("token 1 dev c2", 2),
        ("token x", 255),
        ("token", 255),
        ("dev nowhere", 255),
        ("local 10", 1),
        ("sport 0", 255),
        ("dport 65536", 255),
        ("bogus", 1),
        ("listen dev c2", 255),
        ("fallback listen", 255),
        ("token 1 listen", 255),
    ] {
        Run::tool(&format!("connection show {words}"))
            .run()
            .failure(status);
    }
}

/// FALLBACK, LISTEN.
#[test]
fn fallen_back_connections_and_listeners_are_found() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths.listen("0.0.0.0:0");
    // A server that knows no MPTCP: sockets made from now on are of TCP there.
    paths
        .server
        .inside(|| sysctl("mptcp/enabled", "0"))
        .expect("a sysctl");
    let plain = paths
        .server
        .inside(|| TcpListener::bind("10.0.1.1:0"))
        .expect("a listener of TCP");
    let connection = Connection::begin(&plain, plain.local_addr().expect("its address"));
    connection.ping();
    let found = one("-j connection show fallback");
    assert_eq!(found["fallback"], true);
    assert_eq!(found["incomplete"], false, "{found:#}");
    assert_eq!(
        end(&found, "remote"),
        plain.local_addr().expect("its address")
    );
    let text = Run::tool("connection show").run().success().stdout();
    assert!(text.contains(" FALLBACK "), "{text}");
    let port = listener.local_addr().expect("its address").port();
    let listening = paths
        .server
        .inside(|| Run::tool("connection show listen").run().success().stdout());
    let line = format!("LISTEN 0.0.0.0:{port} pending 0 backlog 64\n");
    assert_eq!(listening, line);
}

/// CAP_NET_ADMIN.
#[test]
fn without_privilege_the_tree_is_shown_and_what_is_missing_is_reported() {
    let Some((_paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    let run = Run::tool("-j connection show").unprivileged().run();
    assert_eq!(run.code(), 0, "{}", run.report());
    let all: Vec<Value> = serde_json::from_slice(&run.stdout).expect("JSON");
    if run.stderr().contains("subflows are not shown") {
        skip("this kernel hides subflows from unprivileged readers");
        return;
    }
    assert_eq!(tree(&all[0]), truth(&connection.client));
    assert_eq!(run.stderr(), "", "nothing that is shown is missing");
    let run = Run::tool("-s connection show").unprivileged().run();
    let warning = "Warning: sequence numbers of subflows are not shown: ";
    assert!(run.stderr().starts_with(warning), "{}", run.report());
    assert_eq!(run.stderr().lines().count(), 1, "{}", run.report());
}

/// One dump of the kernel's is many datagrams then.
/// NLM_F_MULTI.
#[test]
fn hundreds_of_connections_are_joined_without_a_mistake() {
    const COUNT: usize = 300;
    if !descriptors(2048) {
        skip("this process may not have 2048 descriptors");
        return;
    }
    let Some(mut load) = Load::fresh(3) else {
        return;
    };
    load.open(COUNT);
    let all = shown("-j connection show");
    assert_eq!(all.len(), COUNT);
    for connection in &load.connections {
        let name = connection.tokens().0;
        let found = all
            .iter()
            .find(|shown| token(shown) == name)
            .expect("its token");
        assert_eq!(tree(found), truth(&connection.client));
        assert_eq!(found["incomplete"], false, "{found:#}");
    }
    let text = Run::tool("connection show").run().success().stdout();
    assert_eq!(text.lines().count(), COUNT * 5);
}

/// Makes the namespace of the server drop packets that match, and the kernel of the client
/// give up on MPTCP after one SYN that was sent again; whether that is possible here.
fn drop_on_the_way(paths: &TwoPaths, what: &str) -> bool {
    if sysctl("mptcp/syn_retrans_before_tcp_fallback", "1").is_err() {
        skip("this kernel does not look for blackholes of MPTCP (it is older than 6.12)");
        return false;
    }
    let rules = format!(
        "add table ip way; \
         add chain ip way in {{ type filter hook prerouting priority 0; }}; \
         add rule ip way in {what} drop"
    );
    paths.server.inside(|| nft(&rules))
}

#[test]
fn a_path_that_answers_nothing_is_no_fallback() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listener = paths.listen("0.0.0.0:0");
    let port = listener.local_addr().expect("its address").port();
    if !drop_on_the_way(&paths, "ip protocol tcp") {
        return;
    }
    let opening = std::thread::spawn(move || connect(([10, 0, 1, 1], port).into()));
    // The second that is sent again is without MPTCP, and the kernel marks the connection.
    let waiting = until("a SYN without MPTCP", || {
        let waiting = shown("-j connection show").into_iter().next()?;
        let sent_again = waiting["subflows"][0]["retransmits"].as_u64() >= Some(2);
        sent_again.then_some(waiting)
    });
    assert_eq!(waiting["state"], "SYN_SENT");
    assert_eq!(waiting["fallback"], false, "{waiting:#}");
    assert_eq!(waiting["role"], "client");
    assert_eq!(shown("-j connection show fallback").len(), 0);
    assert_eq!(status_counts(), [1, 0, 1]);
    assert!(paths.server.inside(|| nft("delete table ip way")));
    let _open = opening.join().expect("the thread").expect("connect");
    assert_eq!(
        one("-j connection show")["fallback"],
        true,
        "TCP was answered"
    );
}

/// Where SYNs with MPTCP vanish and the one without comes through, the kernel takes MPTCP
/// for blocked (`Blackhole`) and opens the next connections as TCP: sockets of MPTCP that
/// never get a token.
#[test]
fn connections_without_a_token_are_one_each() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let listeners = [paths.listen("0.0.0.0:0"), paths.listen("0.0.0.0:0")];
    let address = |at: usize| {
        let port = listeners[at].local_addr().expect("its address").port();
        SocketAddr::from(([10, 0, 1, 1], port))
    };
    if !drop_on_the_way(&paths, "tcp option 30 exists") {
        return;
    }
    assert_eq!(shown("-j connection show token none").len(), 0);
    // This names one connection, and there is none.
    let missing = Run::tool("subflow show token 0").run();
    assert_eq!(missing.code(), 2, "{}", missing.report());
    assert!(missing.stderr().contains("no such connection"));
    let _first = connect(address(0)).expect("connect");
    let _others = [0, 1, 1].map(|at| connect(address(at)).expect("connect"));
    let all = shown("-j connection show");
    assert_eq!(all.len(), 4, "{all:#?}");
    for one in &all {
        let facts = ["fallback", "incomplete", "role", "state"].map(|name| one[name].clone());
        let expected: [Value; 4] = [
            true.into(),
            false.into(),
            "client".into(),
            "ESTABLISHED".into(),
        ];
        assert_eq!(facts, expected, "{one:#}");
        assert_eq!(one["subflows"].as_array().map(Vec::len), Some(1), "{one:#}");
        assert_eq!(end(one, "remote"), end(&one["subflows"][0], "remote"));
    }
    let tokens = all.iter().map(token);
    assert_eq!(tokens.filter(|token| *token == 0).count(), 3, "{all:#?}");
    // However they are asked for, they are the same.
    for (words, count) in [
        ("fallback", 4),
        ("token none", 3),
        ("token 0x0", 3),
        ("token none fallback", 3),
        (&format!("dport {}", address(1).port()), 2),
        (&format!("token none dport {}", address(0).port()), 1),
        ("token none dport 1", 0),
    ] {
        let found = shown(&format!("-j connection show {words}"));
        assert_eq!(found.len(), count, "{words}: {found:#?}");
        let text = Run::tool(&format!("connection show {words}"))
            .run()
            .success();
        let lines = text.stdout();
        let heads = lines.lines().filter(|line| line.starts_with("token "));
        assert_eq!(heads.count(), count, "{lines}");
    }
    let text = Run::tool("connection show").run().success().stdout();
    assert_eq!(
        text.matches("token none client ESTABLISHED").count(),
        3,
        "{text}"
    );
    assert_eq!(status_counts(), [4, 4, 4]);
    let counters = Run::tool("-j counters").run().success().stdout();
    let counters: Value = serde_json::from_str(&counters).expect("JSON");
    assert_eq!(counters["MPCurrEstab"], 4);
    let listed = Run::tool("connection show token none sport 1").run();
    assert_eq!(listed.code(), 0, "{}", listed.report());
}

/// Connections, fallbacks and subflows, as `status` counts them.
fn status_counts() -> [u64; 3] {
    let status = Run::tool("-j status").run().success().stdout();
    let status: Value = serde_json::from_str(&status).expect("JSON");
    let text = Run::tool("status").run().success().stdout();
    let counts = ["connections", "fallbacks", "subflows"].map(|name| {
        status[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {status:#}"))
    });
    let [connections, fallbacks, subflows] = counts;
    let line = format!("connections {connections} fallbacks {fallbacks} subflows {subflows}");
    assert!(text.contains(&line), "{text}");
    counts
}

/// Gives the packet filter of the thread's namespace these rules; says so where there is
/// no `nft`, and that the test is skipped.
fn nft(rules: &str) -> bool {
    match std::process::Command::new("nft").arg(rules).output() {
        Ok(done) => {
            assert!(done.status.success(), "{rules}: {done:?}");
            true
        }
        Err(error) => {
            skip(&format!("no nft to change packets with: {error}"));
            false
        }
    }
}

/// A checksum that fails (MP_FAIL) ends a subflow, which the kernel goes on counting.
#[test]
fn a_subflow_that_failed_its_checksum_is_lost_and_nothing_is_incomplete() {
    let rules = "add table ip change; \
        add chain ip change in { type filter hook prerouting priority 0; }; \
        add rule ip change in iif c2 ip length > 1000 @th,6400,8 set 0x41";
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    for namespace in [&paths.client, &paths.server] {
        namespace.inside(|| {
            sysctl("mptcp/checksum_enabled", "1").expect("a sysctl");
            kernel::set_limits(2, 2);
        });
    }
    paths.server.inside(|| kernel::add("10.0.2.1 id 2 signal"));
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    until("the second subflow", || {
        connection.ping();
        (truth(&connection.client).len() == 2).then_some(())
    });
    assert_eq!(one("-j connection show")["lost"], 0);
    if !nft(rules) {
        return;
    }
    until("the end of the second subflow", || {
        connection.exchange(100_000);
        let left = Run::tool("-j connection show").run().success().stdout();
        let left: Value = serde_json::from_str(&left).expect("JSON");
        (left[0]["subflows"].as_array().map(Vec::len) == Some(1)).then_some(())
    });
    let (token, _) = connection.tokens();
    for words in [
        String::new(),
        format!("token {token:x}"),
        "remote 10.0.1.1".into(),
    ] {
        let found = one(&format!("-j connection show {words}"));
        assert_eq!(found["lost"], 1, "{words}: {found:#}");
        assert_eq!(found["incomplete"], false, "{words}: {found:#}");
        assert_eq!(found["subflows"][0]["local_address"], "10.0.1.2");
        let text = Run::tool(&format!("connection show {words}"))
            .run()
            .success();
        let text = text.stdout();
        assert!(text.contains(" LOST 1 subflows 1 "), "{text}");
    }
    assert_eq!(status_counts(), [1, 0, 1]);
}

/// Two modems that give the same address; the way goes by the second.
#[test]
fn the_interface_of_a_subflow_is_the_one_that_its_packets_take() {
    let Some(_client) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    let address = |text: &str| text.parse().expect("an address");
    for (here, there) in [("lte0", "m0"), ("lte1", "m1")] {
        veth(here, there, Some(&server));
        add_address(here, address("10.0.8.2"), 24);
        add_address(here, address("2001:db8:8::2"), 64);
    }
    server.inside(|| {
        add_address("m1", address("10.0.8.1"), 24);
        add_address("m1", address("2001:db8:8::1"), 64);
        add_address("lo", address("10.50.0.1"), 32);
        add_address("lo", address("2001:db8:50::1"), 128);
    });
    add_route(address("10.50.0.1"), 32, address("10.0.8.1"), "lte1", 1);
    add_route(
        address("2001:db8:50::1"),
        128,
        address("2001:db8:8::1"),
        "lte1",
        1,
    );
    let listener = server.inside(|| listen("[::]:0"));
    let port = listener.local_addr().expect("its address").port();
    let _both = ["10.50.0.1", "2001:db8:50::1"].map(|server| {
        let connection = Connection::open_to(&listener, SocketAddr::new(address(server), port));
        connection.exchange(1);
        connection
    });
    let all = shown("-j connection show");
    let devices: Vec<_> = all.iter().map(|one| &one["subflows"][0]["dev"]).collect();
    assert_eq!(devices, ["lte1", "lte1"]);
    assert_eq!(shown("-j connection show dev lte1").len(), 2);
    assert_eq!(shown("-j connection show dev lte0").len(), 0);
    let text = Run::tool("status").run().success().stdout();
    assert!(text.contains("\nsubflows dev lte1 2\n"), "{text}");
    assert!(!text.contains("subflows dev lte0"), "{text}");

    // What is marked takes the first.
    let Some(ip) = iproute2() else {
        return skip("no ip to make rules with");
    };
    for words in [
        "rule add fwmark 7 table 100",
        "route add default via 10.0.8.1 dev lte0 table 100",
    ] {
        let made = std::process::Command::new(ip)
            .args(words.split(' '))
            .status();
        assert!(made.is_ok_and(|status| status.success()), "{words}");
    }
    let _marked = connect_marked(SocketAddr::new(address("10.50.0.1"), port), 7).expect("connect");
    let marked = shown("-j connection show dev lte0");
    assert_eq!(marked.len(), 1, "{marked:#?}");
    assert_eq!(marked[0]["subflows"][0]["dev"], "lte0");
    assert_eq!(shown("-j connection show dev lte1").len(), 2);
}

/// The words of a text, whatever their numbers are.
fn shape(text: &str) -> Vec<String> {
    let mut shape = Vec::new();
    for word in text.split_whitespace() {
        let mut letters = String::new();
        for letter in word.chars() {
            match letter.is_ascii_hexdigit() {
                true if letters.ends_with('0') => {}
                true => letters.push('0'),
                false => letters.push(letter),
            }
        }
        shape.push(letters);
    }
    shape
}

#[test]
fn lines_fit_the_terminal_and_are_whole_in_a_pipe() {
    let Some((paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    let long = "2001:db8:1:4444:5555:6666:7777:888"
        .parse()
        .expect("an address");
    paths.server.inside(|| add_address("s1", long, 48));
    let six = paths.listen("[::]:0");
    let _six = paths.connect_to(&six, "2001:db8:1::1");
    connection.exchange(1_000_000);
    for options in ["", "-s ", "-c=always ", "-h "] {
        let line = format!("{options}connection show");
        let whole = Run::tool(&line).run().success().stdout();
        let heads = whole.lines().filter(|line| line.starts_with("token "));
        assert_eq!(heads.count(), 2, "{whole}");
        for columns in [40, 80, 200, 2000] {
            let (master, slave) = terminal_of(columns, 24);
            // A terminal may hold less than all of it.
            let reader = std::thread::spawn(|| terminal_text(master));
            Run::tool(&line).stdout(slave).run().success();
            let shown = reader.join().expect("the text");
            for line in shown.lines() {
                let plain = without_colours(line);
                let fits = plain.len() <= columns.into();
                // An address, or a name and its value, may be longer than a line.
                assert!(
                    fits || plain.split_whitespace().count() <= 2,
                    "{columns}: {line:?}"
                );
                assert!(!plain.ends_with(' '), "{columns}: {line:?}");
            }
            let same = shape(&without_colours(&shown)) == shape(&without_colours(&whole));
            assert!(same, "{columns}:\n{shown}\nin a pipe:\n{whole}");
            // There is room for the first end beside the token.
            let tall = shown.lines().count() > whole.lines().count();
            assert_eq!(
                tall,
                columns < 200 || options == "-s " && columns < 2000,
                "{shown}"
            );
        }
    }
    // Just one line where that is wanted.
    let (master, slave) = terminal_of(80, 24);
    Run::tool("-o connection show")
        .stdout(slave)
        .run()
        .success();
    assert_eq!(terminal_text(master).lines().count(), 2);
}

fn without_colours(text: &str) -> String {
    let mut rest = text.split("\x1b[");
    let mut plain = rest.next().unwrap_or_default().to_string();
    for piece in rest {
        plain += piece.split_once('m').expect("the end of a colour").1;
    }
    plain
}

#[test]
fn amounts_have_units_where_they_are_wanted_and_never_in_json() {
    let Some((_paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    connection.exchange(1_500_000);
    let here = one("-j -h connection show");
    let bytes = here["bytes_received"].as_u64().expect("a number");
    assert!((1_500_000..1_501_000).contains(&bytes), "{here:#}");
    for (words, unit) in [
        ("-h connection show", " received 1.50M"),
        ("-h -iec connection show", " received 1.43Mi"),
        ("connection show", &format!(" received {bytes}")),
        // As with `ip`, this one says only which units.
        ("-iec connection show", &format!(" received {bytes}")),
    ] {
        let text = Run::tool(words).run().success().stdout();
        let head = text.lines().next().expect("a connection");
        assert!(head.contains(unit), "{words}: {text}");
    }
}

#[test]
fn with_stats_no_field_is_left_raw() {
    let Some((_paths, _listener, connection)) = over_two_paths() else {
        return;
    };
    connection.exchange(1);
    let text = Run::tool("-s connection show").run().success().stdout();
    for field in [
        " flags remote_key_received ",
        " options timestamps,sack,wscale",
        " snd_wscale ",
        " rcv_wscale ",
        " delivery_rate_app_limited ",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    let here = one("-j -s connection show");
    let info = &subflow(&here, "10.0.1.2")["tcp_info"];
    for field in ["snd_wscale", "rcv_wscale"] {
        assert!(info[field].as_u64() <= Some(14), "{info:#}");
    }
    assert_eq!(info["wscale"], Value::Null);
}
