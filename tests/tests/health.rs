//! `status`, `counters` and `doctor`: each fault that the doctor knows is built and alone
//! is found, a sound set-up has none, and figures are those that the kernel gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, TcpListener};
use std::path::Path;

use ip_mptcp_tests::connection::{connect, listen, Connection};
use ip_mptcp_tests::kernel::{self, Limits};
use ip_mptcp_tests::lock::Listening;
use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::{
    add_address, add_route, link_delete, link_down, link_rename, link_up, sysctl, veth, Namespace,
};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, injected, strace, Run};
use ip_mptcp_tests::schema;
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

/// What the doctor finds in the thread's namespace: check and evidence. Its text, its JSON
/// and its exit status tell the same.
#[track_caller]
fn findings() -> Vec<(String, String)> {
    let output = Run::tool("-j doctor").run();
    let said = output.report();
    let found: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    let found = found.as_array().expect("an array");
    assert_eq!(output.code(), i32::from(!found.is_empty()), "{said}");
    assert_eq!(output.stderr(), "", "{said}");
    let mut text = String::new();
    let mut checks = Vec::new();
    for finding in found {
        let members = finding.as_object().expect("an object");
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        assert_eq!(
            BTreeSet::from_iter(names),
            BTreeSet::from(["check", "message", "evidence", "remedy"])
        );
        let member = |name: &str| {
            let value = members[name].as_str().expect("text");
            assert!(!value.trim().is_empty(), "{name}: {said}");
            value.to_string()
        };
        let (check, evidence) = (member("check"), member("evidence"));
        text += &format!("{check}: {}\n", member("message"));
        text += &format!(
            "    evidence: {evidence}\n    remedy: {}\n",
            member("remedy")
        );
        checks.push((check, evidence));
    }
    if text.is_empty() {
        text = "nothing is wrong\n".into();
    }
    let plain = Run::tool("doctor").run();
    assert_eq!((plain.stdout(), plain.code()), (text, output.code()));
    checks
}

/// Expects exactly these checks to find something, `(check, part of the evidence)`.
#[track_caller]
fn finds(expected: &[(&str, &str)]) {
    let found = findings();
    let fits = |((check, evidence), (name, part)): (&(String, String), &(&str, &str))| {
        check == name && evidence.contains(part)
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(fits),
        "found {found:#?}, expected {expected:#?}"
    );
}

/// Expects the doctor to name this remedy.
#[track_caller]
fn remedy(line: &str) {
    let said = Run::tool("doctor").run().stdout();
    assert!(
        said.contains(&format!("    remedy: {line}\n")),
        "no {line} in {said}"
    );
}

fn limits(add_addr_accepted: u32, subflows: u32) {
    kernel::set_limits(Limits {
        add_addr_accepted,
        subflows,
    });
}

/// The endpoints are these from now on.
fn endpoints(texts: &[&str]) {
    Run::tool("endpoint flush").run().success();
    for text in texts {
        kernel::add(text);
    }
}

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
        limits(2, client);
        paths.server.inside(|| limits(2, server));
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

#[test]
fn a_sound_set_up_has_no_findings_on_either_side() {
    let Some(sound) = Sound::fresh() else { return };
    finds(&[]);
    sound.paths.server.inside(|| finds(&[]));
    // A server that announces its second address to a client that takes it.
    endpoints(&[]);
    sound.paths.server.inside(|| {
        endpoints(&["10.0.2.1 id 2 dev s2 signal"]);
        limits(0, 2);
    });
    let connection = sound.connect();
    until("the announced subflow", || {
        connection.exchange(1);
        connection.subflows().filter(|count| *count == 1)
    });
    finds(&[]);
    sound.paths.server.inside(|| finds(&[]));
}

#[test]
fn nothing_that_opens_subflows_is_found() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    finds(&[(
        "no-endpoints",
        "no endpoints; limits: add_addr_accepted 0 subflows 2",
    )]);
    limits(1, 2);
    finds(&[]);
}

/// Here the kernel has it: the answer of one that has not is put in its place.
#[test]
fn a_kernel_without_mptcp_is_found() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(run) = injected("sendto:error=ENOENT:when=1", "-j doctor") else {
        return;
    };
    let output = run.run();
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.code(), 1, "{}", output.report());
    assert_eq!(found.as_array().expect("an array").len(), 1);
    assert_eq!(found[0]["check"], "no-mptcp");
    let remedy = found[0]["remedy"].as_str().expect("text");
    assert!(remedy.contains("CONFIG_MPTCP"), "{remedy}");
}

#[test]
fn mptcp_that_is_off_is_found() {
    let Some(_sound) = Sound::fresh() else { return };
    sysctl("mptcp/enabled", "0").expect("off");
    finds(&[("disabled", "net.mptcp.enabled=0")]);
}

#[test]
fn limits_that_allow_nothing_or_less_than_there_is_are_found() {
    let Some(_sound) = Sound::fresh() else { return };
    limits(2, 0);
    finds(&[(
        "limit-subflows",
        "add_addr_accepted 2 subflows 0; endpoints of one kind: 1",
    )]);
    for host in [3, 4] {
        add_address("c2", [10, 0, 2, host].into(), 24);
    }
    endpoints(&[
        "10.0.2.2 dev c2 subflow",
        "10.0.2.3 dev c2 subflow",
        "10.0.2.4 dev c2 subflow",
    ]);
    limits(2, 1);
    finds(&[("limit-subflows", "subflows 1; endpoints of one kind: 3")]);
    // The first subflow is on path 1, so that all of them are for further ones.
    limits(2, 2);
    finds(&[("limit-subflows", "subflows 2; endpoints of one kind: 3")]);
    limits(2, 3);
    finds(&[]);
    // It takes none where one has its address.
    endpoints(&["10.0.1.2 dev c1 subflow", "10.0.2.2 dev c2 subflow"]);
    limits(2, 1);
    finds(&[]);
}

#[test]
fn endpoints_that_are_of_no_use_to_their_host_are_found() {
    let Some(sound) = Sound::fresh() else { return };
    endpoints(&["10.0.2.2 dev c2 signal"]);
    finds(&[("signal-only", "no endpoint has the flag subflow")]);
    // That the kernel listens there serves nobody.
    endpoints(&["10.0.2.2 dev c2 port 7777 signal"]);
    finds(&[("signal-only", "no endpoint has the flag subflow")]);
    sound.paths.server.inside(|| {
        endpoints(&["10.0.2.1 dev s2 subflow"]);
        finds(&[("subflow-only", "no endpoint has the flag signal")]);
        endpoints(&["10.0.2.1 dev s2 subflow signal"]);
        finds(&[]);
    });
}

#[test]
fn fullmesh_without_announced_addresses_is_found() {
    let Some(_sound) = Sound::fresh() else { return };
    endpoints(&["10.0.2.2 dev c2 subflow fullmesh"]);
    finds(&[]);
    limits(0, 2);
    finds(&[("fullmesh-idle", "limits: add_addr_accepted 0")]);
    endpoints(&["10.0.2.2 dev c2 subflow"]);
    finds(&[]);
}

#[test]
fn an_address_that_is_nowhere_or_elsewhere_is_found() {
    let Some(_sound) = Sound::fresh() else { return };
    endpoints(&["10.9.9.9 id 3 subflow"]);
    finds(&[("endpoint-no-address", "endpoint 10.9.9.9 id 3")]);
    endpoints(&["2001:db8:9::9 id 4 dev c2 subflow"]);
    finds(&[("endpoint-no-address", "endpoint 2001:db8:9::9 id 4 dev c2")]);
    endpoints(&["10.0.2.2 id 5 dev c1 subflow"]);
    finds(&[(
        "endpoint-other-device",
        "endpoint 10.0.2.2 id 5 dev c1; the address is on c2",
    )]);
}

#[test]
fn an_interface_that_is_down_cut_off_or_gone_is_found() {
    let Some(sound) = Sound::fresh() else { return };
    sound.paths.server.inside(|| link_down("s2"));
    finds(&[("endpoint-no-carrier", "endpoint 10.0.2.2 id 2 dev c2")]);
    link_down("c2");
    finds(&[("endpoint-down", "endpoint 10.0.2.2 id 2 dev c2")]);
    sound.paths.server.inside(|| link_up("s2"));
    finds(&[("endpoint-down", "endpoint 10.0.2.2 id 2 dev c2")]);
    link_up("c2");
    route();
    finds(&[]);
    link_delete("c2");
    finds(&[("endpoint-no-device", "endpoint 10.0.2.2 id 2 dev if")]);
}

#[test]
fn an_address_without_a_route_by_its_interface_is_found() {
    let endpoint = "10.0.2.2 id 2 dev c2 subflow";
    let Some(_sound) = Sound::with(2, &[endpoint], 2, false) else {
        return;
    };
    finds(&[(
        "no-route",
        "endpoint 10.0.2.2 id 2 dev c2; to 10.0.1.1: no route",
    )]);
    endpoints(&["10.0.2.2 id 3 subflow"]);
    finds(&[(
        "wrong-way",
        "endpoint 10.0.2.2 id 3; to 10.0.1.1: by c1, the address is on c2",
    )]);
    endpoints(&[endpoint]);
    route();
    finds(&[]);
}

/// The kernel binds the socket of a subflow to the interface of its endpoint, and then a
/// route by another one does not matter, however good.
#[test]
fn an_ipv6_address_with_a_route_by_its_interface_is_not_found() {
    let Some(_paths) = TwoPaths::fresh() else {
        return;
    };
    limits(2, 2);
    let gateway = |path: u16| IpAddr::from([0x2001, 0xdb8, path, 0, 0, 0, 0, 1]);
    let default = |path, name, metric| add_route([0; 8].into(), 0, gateway(path), name, metric);
    default(1, "c1", 100);
    endpoints(&["2001:db8:2::2 id 2 dev c2 subflow"]);
    finds(&[(
        "no-route",
        "endpoint 2001:db8:2::2 id 2 dev c2; to 2001:db8:ffff::1 as to any host: no route",
    )]);
    default(2, "c2", 200);
    finds(&[]);
    endpoints(&["2001:db8:2::2 id 3 subflow"]);
    finds(&[(
        "wrong-way",
        "to 2001:db8:ffff::1 as to any host: by c1, the address is on c2",
    )]);
    remedy(
        "ip -6 route add default via GATEWAY dev c2 table 100; \
         ip -6 rule add from 2001:db8:2::2 table 100",
    );
}

#[test]
fn strict_reverse_path_filtering_is_found() {
    let Some(_sound) = Sound::fresh() else { return };
    for name in ["all", "c2"] {
        filter(name, "1");
        finds(&[(
            "rp-filter",
            "endpoint 10.0.2.2 id 2 dev c2; to 10.0.1.1; rp_filter is 1 on c2",
        )]);
        filter(name, "0");
    }
    // Loose on the interface wins over strict on all; other interfaces do not matter.
    filter("all", "1");
    filter("c2", "2");
    finds(&[]);
    filter("all", "0");
    filter("c1", "1");
    finds(&[]);
}

/// Whether anybody listens is one fact for the whole machine.
#[test]
fn a_user_space_path_manager_that_does_not_run_is_found() {
    let silence = Listening::forbidden();
    let Some(_sound) = Sound::fresh() else { return };
    if sysctl("mptcp/path_manager", "userspace").is_err() {
        return skip("this kernel cannot choose a user-space path manager by name");
    }
    finds(&[("no-listener", "net.mptcp.path_manager=userspace")]);
    drop(silence);
    let monitor = Monitor::start(Run::tool("monitor"));
    finds(&[]);
    monitor.stop(libc::SIGTERM);
}

#[test]
fn an_announced_address_at_which_nobody_listens_is_found() {
    let Some(sound) = Sound::fresh() else { return };
    // One that listens on all addresses, or at the announced one, is enough.
    let server = &sound.paths.server;
    server.inside(|| endpoints(&["10.0.2.1 id 2 dev s2 signal"]));
    server.inside(|| finds(&[]));
    drop(sound.listener);
    let first = sound.paths.listen("10.0.1.1:0");
    server.inside(|| {
        finds(&[(
            "signal-unheard",
            "endpoint 10.0.2.1 id 2 dev s2; MPTCP sockets listen only at others, as 10.0.1.1",
        )])
    });
    let second = sound.paths.listen("10.0.2.1:0");
    server.inside(|| finds(&[]));
    drop(second);
    let six = sound.paths.listen("[::]:0");
    server.inside(|| finds(&[]));
    drop(six);
    // 0.0.0.0 is all addresses of IPv4 only.
    let four = sound.paths.listen("0.0.0.0:0");
    server.inside(|| {
        finds(&[]);
        endpoints(&["2001:db8:2::1 id 2 dev s2 signal"]);
        finds(&[("signal-unheard", "endpoint 2001:db8:2::1 id 2 dev s2; ")]);
    });
    drop(four);
    // For an announced port the kernel listens itself.
    server.inside(|| {
        endpoints(&["10.0.2.1 id 2 port 7777 dev s2 signal"]);
        finds(&[]);
    });
    drop(first);
}

#[test]
fn remedies_name_the_endpoint() {
    let Some(_sound) = Sound::with(2, &["10.0.2.2 id 7 dev c2 subflow"], 2, false) else {
        return;
    };
    remedy(
        "ip route add default via GATEWAY dev c2 table 100; ip rule add from 10.0.2.2 table 100",
    );
    // Names of VLANs have dots, which sysctl would take for slashes.
    link_down("c2");
    link_rename("c2", "c.2");
    link_up("c.2");
    route_by("c.2");
    endpoints(&["10.0.2.2 id 7 dev c.2 subflow"]);
    filter("c.2", "1");
    remedy("sysctl -w net/ipv4/conf/c.2/rp_filter=2, or give the address its own routes (ip rule)");
    link_down("c.2");
    remedy("ip link set dev c.2 up");
    endpoints(&["10.0.2.9 id 8 subflow"]);
    remedy("ip address add 10.0.2.9 dev IF, or ip-mptcp endpoint delete id 8");
}

/// Waits until a counter of the thread's namespace is not 0.
fn counted(name: &str) {
    until(name, || {
        netstat().get(name).filter(|value| **value > 0).map(drop)
    });
}

#[test]
fn a_peer_without_mptcp_is_found() {
    let Some(sound) = Sound::fresh() else { return };
    let plain = sound
        .paths
        .server
        .inside(|| TcpListener::bind("10.0.1.1:0").expect("a TCP listener"));
    let client = connect(plain.local_addr().expect("its address")).expect("connect");
    let (server, _) = plain.accept().expect("accept");
    finds(&[(
        "fallback",
        "MPCapableFallbackSYNACK 1 MPCapableSYNTX 2; fallen back now: 1",
    )]);
    // One of many, which is over, is no fault.
    drop((client, server));
    let more: Vec<Connection> = (0..4).map(|_| sound.connect()).collect();
    let status = || Run::tool("status").run().success().stdout();
    until("the end of the one that fell back", || {
        status().contains("fallbacks 0").then_some(())
    });
    finds(&[]);
    drop(more);
}

#[test]
fn joins_that_nothing_answers_are_found() {
    let endpoint = "10.0.2.2 id 2 dev c2 subflow";
    let Some(sound) = Sound::with(2, &[], 2, true) else {
        return;
    };
    finds(&[]);
    // The server takes its own address in a packet for forged.
    let own = [10, 0, 2, 2].into();
    sound.paths.server.inside(|| add_address("s1", own, 32));
    kernel::add(endpoint);
    counted("MPJoinSynTx");
    finds(&[("join-unanswered", "MPJoinSynTx 1 MPJoinSynAckRx 0")]);
    sound.paths.server.inside(|| finds(&[]));
}

#[test]
fn joins_that_the_limits_refuse_are_found() {
    let paths = [
        "10.0.2.2 id 2 dev c2 subflow",
        "10.0.2.3 id 3 dev c2 subflow",
    ];
    let Some(sound) = Sound::with(2, &[], 1, true) else {
        return;
    };
    add_address("c2", [10, 0, 2, 3].into(), 24);
    paths.iter().for_each(|endpoint| kernel::add(endpoint));
    sound.paths.server.inside(|| {
        until("both joins", || {
            sound.connection.exchange(1);
            let now = netstat();
            (now["MPJoinAckRx"] > 0 && now["MPJoinRejected"] > 0).then_some(())
        });
        finds(&[("join-refused", "MPJoinRejected 1 MPJoinSynRx 2")]);
    });
    finds(&[]);
}

#[test]
fn one_refused_join_of_many_is_no_fault() {
    let Some(sound) = Sound::with(2, &["10.0.2.2 id 2 dev c2 subflow"], 0, true) else {
        return;
    };
    let server = &sound.paths.server;
    server.inside(|| {
        counted("MPJoinRejected");
        limits(2, 2);
        finds(&[("join-refused", "MPJoinRejected 1 MPJoinSynRx 1")]);
    });
    let more: Vec<Connection> = (0..8).map(|_| sound.connect()).collect();
    for connection in &more {
        until("the second subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 1)
        });
    }
    server.inside(|| finds(&[]));
}

#[test]
fn a_peer_that_takes_no_subflows_is_found() {
    let Some(sound) = Sound::with(2, &["10.0.2.2 id 2 dev c2 subflow"], 0, true) else {
        return;
    };
    until("the end of the subflow", || {
        sound.connection.subflows().filter(|count| *count == 0)?;
        (netstat()["MPJoinSynAckRx"] > 0).then_some(())
    });
    let evidence = "connections without them now: 1; MPJoinSynTx 1 MPJoinSynAckRx 1";
    finds(&[("join-lost", evidence)]);
    // One that takes them shows that it is not this host.
    sound.paths.server.inside(|| limits(2, 2));
    let connection = sound.connect();
    until("the second subflow", || {
        connection.exchange(1);
        connection.subflows().filter(|count| *count == 1)
    });
    finds(&[]);
}

/// The kernel counts endpoints of the other family as used.
#[test]
fn a_connection_of_another_family_than_the_endpoint_has_lost_nothing() {
    let Some(sound) = Sound::fresh() else { return };
    let listener = sound.paths.listen("[2001:db8:1::1]:0");
    let connection = connect(listener.local_addr().expect("its address")).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    drop(sound.connection);
    finds(&[]);
    drop((connection, server));
}

#[test]
fn joins_that_are_not_answered_any_more_are_found() {
    let Some(sound) = Sound::fresh() else { return };
    let own = [10, 0, 2, 2].into();
    sound.paths.server.inside(|| add_address("s1", own, 32));
    let another = sound.connect();
    until("another join", || {
        another.exchange(1);
        (netstat()["MPJoinSynTx"] == 2).then_some(())
    });
    // Whoever accepts connections tries it in vain with clients.
    let listener = listen("127.0.0.1:0");
    finds(&[]);
    drop(listener);
    finds(&[("join-unanswered", "MPJoinSynTx 2 MPJoinSynAckRx 1")]);
}

#[test]
fn joins_that_reach_another_host_are_found() {
    let Some(sound) = Sound::with(2, &[], 2, false) else {
        return;
    };
    // Another host has the server's address, as behind a load balancer.
    let another = Namespace::another();
    let port = sound.listener.local_addr().expect("its address").port();
    veth("c3", "b3", Some(&another));
    add_address("c3", [10, 0, 3, 2].into(), 24);
    filter("c3", "0");
    let _listener = another.inside(|| {
        add_address("b3", [10, 0, 3, 1].into(), 24);
        add_address("lo", [10, 0, 1, 1].into(), 32);
        listen(&format!("10.0.1.1:{port}"))
    });
    let [network, gateway] = [[10, 0, 1, 0], [10, 0, 3, 1]].map(Into::into);
    add_route(network, 24, gateway, "c3", 100);
    another.inside(|| finds(&[]));
    kernel::add("10.0.3.2 id 3 dev c3 subflow");
    another.inside(|| {
        counted("MPJoinNoTokenFound");
        finds(&[("join-failed", "MPJoinNoTokenFound 1")]);
    });
    finds(&[("join-unanswered", "MPJoinSynTx 1 MPJoinSynAckRx 0")]);
}

/// What is wrong with an endpoint or its routes explains that nothing answers.
#[test]
fn joins_that_go_astray_are_one_fault() {
    let endpoint = "10.0.2.2 id 2 dev c2 subflow";
    let Some(_sound) = Sound::with(2, &[], 2, true) else {
        return;
    };
    filter("c2", "1");
    kernel::add(endpoint);
    counted("MPJoinSynTx");
    finds(&[("rp-filter", "rp_filter is 1 on c2")]);
    // That mended, the join that is sent again is answered.
    filter("c2", "0");
    counted("MPJoinSynAckRx");
    finds(&[]);
}

#[test]
fn announcements_that_are_not_used_are_found() {
    let Some(sound) = Sound::fresh() else { return };
    limits(0, 2);
    sound
        .paths
        .server
        .inside(|| kernel::add("10.0.2.1 id 2 dev s2 signal"));
    until("the announcement", || {
        sound.connection.exchange(1);
        (netstat()["AddAddr"] > 0).then_some(())
    });
    finds(&[("add-addr-ignored", "AddAddr 1; limits: add_addr_accepted 0")]);
    // It is the same fault where there is nothing else to open subflows.
    endpoints(&[]);
    finds(&[("add-addr-ignored", "AddAddr 1; limits: add_addr_accepted 0")]);
    endpoints(&["10.0.2.2 id 2 dev c2 subflow fullmesh"]);
    finds(&[("fullmesh-idle", "limits: add_addr_accepted 0")]);
}

/// An announcement that is not answered is not made again, so that counters rest.
fn once() {
    sysctl("mptcp/add_addr_timeout", "0").expect("no time-out");
}

#[test]
fn announcements_that_do_not_arrive_are_found() {
    let Some(sound) = Sound::fresh() else { return };
    // The client takes its own address in a packet for forged.
    add_address("c2", [10, 0, 1, 1].into(), 32);
    sound.paths.server.inside(|| {
        once();
        kernel::add("10.0.2.1 id 2 dev s2 signal");
        counted("AddAddrTx");
        finds(&[("add-addr-unanswered", "AddAddrTx 1 EchoAdd 0")]);
    });
}

/// Whether anybody listens is one fact for the whole machine.
#[test]
fn announcements_that_are_dropped_are_found_unless_they_are_few() {
    let _silence = Listening::forbidden();
    let Some(sound) = Sound::fresh() else { return };
    if sysctl("mptcp/path_manager", "userspace").is_err() {
        return skip("this kernel cannot choose a user-space path manager by name");
    }
    sound.paths.server.inside(|| {
        once();
        kernel::add("10.0.2.1 id 2 dev s2 signal");
    });
    let mut all = vec![sound.connect(), sound.connect()];
    all.push(sound.connection);
    until("three announcements", || {
        all.iter().for_each(|connection| connection.exchange(1));
        (netstat()["AddAddr"] == 3).then_some(())
    });
    // The kernel counts a drop before the announcement that it belongs to, and drops
    // nothing while anybody in any namespace listens to events.
    if netstat()["AddAddrDrop"] < 2 {
        return skip("a process outside these tests listens to MPTCP events");
    }
    sysctl("mptcp/path_manager", "kernel").expect("the kernel's");
    finds(&[("add-addr-dropped", "AddAddrDrop 2")]);
    for _ in 0..2 {
        let connection = sound.paths.connect(&sound.listener);
        until("the announced subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 2)
        });
        all.push(connection);
    }
    finds(&[]);
}

#[test]
fn announcements_that_find_no_room_are_found() {
    let Some(sound) = Sound::fresh() else { return };
    let listener = sound.paths.listen("[::]:0");
    let connection = sound.paths.connect(&listener);
    sound.paths.server.inside(|| {
        // Beside a timestamp there is no room for an IPv6 address with a port.
        kernel::add("2001:db8:2::1 id 2 port 7777 signal");
        until("the drop", || {
            connection.exchange(1);
            (netstat()["AddAddrTxDrop"] > 0).then_some(())
        });
        finds(&[("add-addr-dropped", "AddAddrTxDrop ")]);
    });
}

/// The kernel's counters of MPTCP in the thread's namespace.
fn netstat() -> BTreeMap<String, u64> {
    let table = std::fs::read_to_string("/proc/thread-self/net/netstat").expect("the counters");
    let mut lines = table
        .lines()
        .filter_map(|line| line.strip_prefix("MPTcpExt:"));
    let names = lines.next().expect("names").split_whitespace();
    let values = lines.next().expect("values").split_whitespace();
    names
        .zip(values)
        .map(|(name, value)| (name.to_string(), value.parse().expect("a number")))
        .collect()
}

/// What the runs of the tool write while no counter moves, and the counters then: late
/// acknowledgements and what is sent again move them.
fn at_rest<const N: usize>(runs: [&str; N]) -> (BTreeMap<String, u64>, [String; N]) {
    until("counters at rest", || {
        let before = netstat();
        let said = runs.map(|words| Run::tool(words).run().success().stdout());
        (netstat() == before).then_some((before, said))
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
        let said = Run::tool(&format!("counters --interval {word}"))
            .run()
            .failure(255);
        assert!(said.stderr().contains(word), "{}", said.report());
    }
}

#[test]
fn intervals_show_what_was_added() {
    let Some(sound) = Sound::fresh() else { return };
    let before = netstat();
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
    // The first one tells that counting has begun.
    running.wait_for_output("the first interval", |bytes| line(bytes, 1));
    text.wait_for_output("the first interval", |bytes| line(bytes, 1));
    let more: Vec<Connection> = (0..3).map(|_| sound.connect()).collect();
    for connection in &more {
        until("the second subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 1)
        });
    }
    let after = netstat();
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
    let said = Run::tool("counters --interval 1 --prometheus")
        .run()
        .failure(255);
    assert!(said.stderr().contains("--interval"), "{}", said.report());
}

#[test]
fn status_shows_the_endpoints_limits_sysctls_and_connections_that_there_are() {
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
    // An endpoint that has the flag tells that the kernel knows it.
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

/// The labels `NAME="VALUE",…}` at the start of `text`, and what is behind them.
fn labels(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    loop {
        let (name, behind) = rest.split_once("=\"").expect("NAME=\"");
        assert!(is_name(name), "{name:?}: {text}");
        assert!(
            found.iter().all(|(known, _)| known != name),
            "{name} twice: {text}"
        );
        let mut value = String::new();
        let mut characters = behind.chars();
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
        let behind = characters.as_str();
        if let Some(behind) = behind.strip_prefix('}') {
            return (found, behind);
        }
        rest = behind.strip_prefix(',').expect("a comma");
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
    let said = Run::program(&promtool)
        .words("check metrics")
        .stdin(text)
        .run();
    assert_eq!(said.code(), 0, "{}\n{text}", said.report());
    assert_eq!(said.stdout() + &said.stderr(), "", "{text}");
}

#[test]
fn prometheus_reads_what_is_written_for_it() {
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
fn whoever_may_only_look_sees_it_too() {
    let Some(_sound) = Sound::fresh() else { return };
    let before = kernel::state();
    for words in [
        "status",
        "-j status",
        "status --prometheus",
        "counters",
        "doctor",
    ] {
        Run::tool(words).unprivileged().run().success();
    }
    assert_eq!(kernel::state(), before);
}
