//! `doctor`: each cause that it knows is set up on the running kernel and is all that it finds;
//! the nearest harmless look-alike is not found; the remedy is executed as printed, after
//! which the finding is gone, and no path that worked is lost.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ip_mptcp_tests::connection::{
    bind_to, connect, connect_marked, listen, subflow_addresses, subflows_established, Connection,
};
use ip_mptcp_tests::documents::{self, Folder};
use ip_mptcp_tests::kernel::{self, set_limits as limits};
use ip_mptcp_tests::lock::Listening;
use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::{
    add_address, delete_address, link_delete, link_down, link_rename, link_up, sysctl, veth,
    Namespace,
};
use ip_mptcp_tests::program::{binary, injected, iproute2, Run};
use ip_mptcp_tests::wait::{skip, until};
use serde_json::Value;

/// A finding, as in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    level: String,
    check: String,
    message: String,
    evidence: String,
    remedy: String,
}

/// Each finding, and the tests that set up its cause, that set up its nearest harmless
/// look-alike and see nothing or a note, and that execute its remedy.
const PROOFS: &[[&str; 4]] = &[
    [
        "no-mptcp",
        "a_kernel_without_mptcp_is_found",
        "eperm_is_not_taken_for_a_kernel_without_mptcp",
        WORDS,
    ],
    ["disabled", "disabled_mptcp_is_found_and_cured", SAME, SAME],
    [
        "no-listener",
        "a_user_space_path_manager_without_a_listener_is_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "user-space",
        "a_user_space_path_manager_without_a_listener_is_found_and_cured",
        SAME,
        WORDS,
    ],
    [
        "plain-tcp",
        "plain_tcp_is_found_where_no_program_asks_for_mptcp",
        SAME,
        WORDS,
    ],
    [
        "blackhole",
        "mptcp_suspended_by_blackhole_detection_is_found_and_cured",
        "unanswered_connections_are_found_and_are_no_fallback",
        SAME,
    ],
    [
        "no-endpoints",
        "missing_endpoints_are_found_unless_something_else_opens_subflows",
        SAME,
        WORDS,
    ],
    [
        "limit-subflows",
        "limits_too_low_for_the_endpoints_are_found_and_cured",
        "limits_need_no_room_for_the_first_subflow_or_the_other_family",
        SAME,
    ],
    [
        "other-family",
        "endpoints_of_the_other_family_are_found_and_cured",
        "endpoints_of_both_families_are_no_fault",
        SAME,
    ],
    [
        "signal-only",
        "endpoints_only_announced_by_a_client_are_found_and_cured",
        "announced_endpoints_that_carry_subflows_are_no_fault",
        SAME,
    ],
    [
        "no-mptcp-listener",
        "a_server_without_mptcp_behind_announced_addresses_is_found",
        SAME,
        WORDS,
    ],
    [
        "subflow-only",
        "endpoints_not_announced_by_a_server_are_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "signal-subflow",
        "a_server_with_both_signal_and_subflow_is_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "signal-unheard",
        "an_announced_address_without_a_listener_is_found",
        SAME,
        WORDS,
    ],
    [
        "add-addr-ignored",
        "announcements_ignored_for_add_addr_accepted_0_are_found_and_cured",
        "deny_join_id0_with_an_announced_address_is_no_fault",
        SAME,
    ],
    [
        "fullmesh-idle",
        "endpoints_for_announced_addresses_are_found_where_none_is_accepted_and_cured",
        "fullmesh_is_no_fault_where_the_peer_announces_nothing_or_its_address_is_used",
        SAME,
    ],
    [
        "join-forbidden",
        "deny_join_id0_without_announced_addresses_is_found_on_both_sides",
        "deny_join_id0_with_an_announced_address_is_no_fault",
        SAME,
    ],
    [
        "endpoint-down",
        "an_interface_that_is_down_without_carrier_or_gone_is_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "endpoint-no-carrier",
        "an_interface_that_is_down_without_carrier_or_gone_is_found_and_cured",
        SAME,
        WORDS,
    ],
    [
        "endpoint-no-device",
        "an_interface_that_is_down_without_carrier_or_gone_is_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "endpoint-no-address",
        "an_address_missing_or_on_another_interface_is_found_and_cured",
        "an_announced_address_of_a_router_with_nat_is_no_fault",
        SAME,
    ],
    [
        "endpoint-other-device",
        "an_address_missing_or_on_another_interface_is_found_and_cured",
        SAME,
        SAME,
    ],
    [
        "no-route",
        "endpoints_without_routes_are_found_and_cured_each_with_its_own_table",
        "two_cables_without_a_default_route_are_no_fault",
        "the_router_of_an_interface_is_known_by_any_of_its_routes",
    ],
    [
        "wrong-way",
        "a_source_routed_through_another_interface_is_found_and_cured",
        "a_source_routed_through_another_interface_that_works_is_no_fault",
        SAME,
    ],
    [
        "rp-filter",
        "strict_rp_filter_of_a_client_is_found_and_cured",
        "rp_filter_does_not_matter_for_clients_on_the_servers_links",
        SAME,
    ],
    [
        "first-unanswered",
        "unanswered_connections_are_found_and_are_no_fallback",
        SAME,
        WORDS,
    ],
    [
        "join-unanswered",
        "a_blocked_uplink_is_found_alone_and_forgotten_when_it_works",
        SAME,
        WORDS,
    ],
    [
        "unique-local",
        "a_unique_local_address_that_uses_up_the_limit_is_found_and_cured",
        "a_unique_local_address_that_reaches_the_peer_is_no_fault",
        SAME,
    ],
    [
        "join-lost",
        "a_subflow_tried_before_its_route_existed_is_found_and_cured",
        "subflows_missing_from_some_connections_are_a_note_without_commands",
        SAME,
    ],
    [
        "join-untried",
        "an_endpoint_unused_for_lack_of_fullmesh_is_found_and_cured",
        "deny_join_id0_with_an_announced_address_is_no_fault",
        SAME,
    ],
    [
        "join-error",
        "unreachable_announced_addresses_are_found",
        SAME,
        WORDS,
    ],
    [
        "subflow-stalled",
        "an_unanswered_subflow_is_found_and_forgotten_when_answered",
        "a_closed_window_and_valid_checksums_are_no_fault",
        WORDS,
    ],
    [
        "mp-fail",
        "a_middlebox_that_rewrites_data_is_found",
        "a_closed_window_and_valid_checksums_are_no_fault",
        WORDS,
    ],
    [
        "fallback",
        "a_peer_without_mptcp_is_found_and_forgotten_with_its_connections",
        "unanswered_connections_are_found_and_are_no_fallback",
        WORDS,
    ],
    [
        "join-refused",
        "a_peer_whose_limits_refuse_subflows_is_found_on_both_sides_and_cured",
        SAME,
        SAME,
    ],
    [
        "join-failed",
        "joins_that_reach_another_host_are_a_fault_while_they_do_and_a_note_later",
        SAME,
        WORDS,
    ],
    [
        "add-addr-dropped",
        "an_announcement_too_long_for_the_tcp_options_is_found_cured_and_forgotten",
        SAME,
        SAME,
    ],
    [
        "add-addr-unanswered",
        "lost_announcements_are_found_and_forgotten_when_they_arrive",
        SAME,
        WORDS,
    ],
    [
        "other-manager",
        "several_managers_of_endpoints_are_a_note",
        SAME,
        WORDS,
    ],
];
/// The same test as that of the cause.
const SAME: &str = "";
/// The remedy is a sentence.
const WORDS: &str = "-";

/// What the doctor finds in the thread's namespace. Its text, its JSON and its exit status
/// agree.
#[track_caller]
fn findings_of(words: &str) -> Vec<Finding> {
    let output = Run::tool(&format!("-j {words}")).run();
    let report = output.report();
    let all: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {report}"));
    let mut found = Vec::new();
    for finding in all.as_array().expect("an array") {
        let members = finding.as_object().expect("an object");
        let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
        let expected = ["level", "check", "message", "evidence", "remedy"];
        assert_eq!(names, BTreeSet::from(expected));
        let member = |name: &str| {
            let value = members[name].as_str().expect("text");
            assert!(!value.trim().is_empty(), "{name}: {report}");
            value.to_string()
        };
        found.push(Finding {
            level: member("level"),
            check: member("check"),
            message: member("message"),
            evidence: member("evidence"),
            remedy: member("remedy"),
        });
    }
    for finding in &found {
        let proof = PROOFS.iter().find(|[check, ..]| *check == finding.check);
        let [.., cure] = proof.expect("a row of PROOFS");
        assert!(
            *cure != WORDS || !is_commands(&finding.remedy),
            "no test executes the remedy: {finding:#?}"
        );
    }
    let fault = found.iter().any(|finding| finding.level == "fault");
    assert_eq!(output.code(), i32::from(fault), "{report}");
    assert_eq!(output.stderr(), "", "{report}");
    found
}

#[track_caller]
fn findings() -> Vec<Finding> {
    findings_of("doctor")
}

/// Expects exactly these findings: level and check, and part of the evidence of each.
#[track_caller]
fn finds(expected: &[(&str, &str)]) -> Vec<Finding> {
    let found = findings();
    let fits = |(finding, (name, part)): (&Finding, &(&str, &str))| {
        format!("{} {}", finding.level, finding.check) == *name && finding.evidence.contains(part)
    };
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(fits),
        "found {found:#?}, expected {expected:#?}"
    );
    found
}

/// Expects no findings.
#[track_caller]
fn healthy() {
    finds(&[]);
}

/// Waits until nothing is found.
#[track_caller]
fn until_healthy() {
    until("no findings", || findings().is_empty().then_some(()));
}

/// Waits for the first finding of this check; there may be others.
#[track_caller]
fn until_found(check: &str) -> Finding {
    until(check, || {
        findings().into_iter().find(|one| one.check == check)
    })
}

/// Whether a remedy is commands, by the rule of the man page.
fn is_commands(remedy: &str) -> bool {
    remedy.starts_with(|first: char| first.is_ascii_lowercase())
}

/// In the server: packets from its second address leave by its second interface.
fn route_second_address() {
    shell("ip route add default via 10.9.1.1 dev srv1 table 5; ip rule add from 10.9.1.2 table 5");
}

/// Runs a line in a shell in the thread's namespace, where `ip-mptcp` is the program under
/// test.
#[track_caller]
fn shell(line: &str) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Folder::new(&format!("doctor-{number}"));
    let path = format!("{}:/sbin:/usr/sbin", folder.search_path());
    let output = Run::program(Path::new("/bin/sh"))
        .arg("-ec")
        .arg(line)
        .env("PATH", &path)
        .run();
    assert_eq!(output.code(), 0, "{line}: {}", output.report());
}

/// Executes the remedy of this check's finding as printed, except for `GATEWAY`; then the
/// finding is gone, and no connection has lost a subflow.
#[track_caller]
fn cure(check: &str, gateway: &str, connections: &[&Connection]) {
    let finding = findings().into_iter().find(|one| one.check == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check}"));
    cure_one(&finding, gateway, connections);
}

#[track_caller]
fn cure_one(finding: &Finding, gateway: &str, connections: &[&Connection]) {
    assert!(is_commands(&finding.remedy), "{finding:#?}");
    let before: Vec<_> = connections.iter().map(|one| working(one)).collect();
    for command in finding.remedy.split("; ") {
        shell(&command.replace("GATEWAY", gateway));
    }
    until(&format!("the end of {finding:#?}"), || {
        connections.iter().for_each(|one| one.exchange(1));
        let subject = |one: &Finding| one.evidence.split(';').next().map(str::to_string);
        let same = |one: &Finding| one.check == finding.check && subject(one) == subject(finding);
        (!findings().iter().any(same)).then_some(())
    });
    for (connection, before) in connections.iter().zip(&before) {
        assert!(
            working(connection).is_superset(before),
            "{}",
            finding.remedy
        );
    }
}

/// The addresses between which a connection has established subflows.
fn working(connection: &Connection) -> BTreeSet<(IpAddr, IpAddr)> {
    let established = subflows_established(&connection.client);
    subflow_addresses(&connection.client)
        .iter()
        .zip(established)
        .filter(|(_, established)| *established)
        .map(|(ends, _)| ends)
        .map(|(local, remote)| (local.ip(), remote.ip()))
        .collect()
}

/// Replaces all endpoints by these.
fn endpoints(texts: &[&str]) {
    Run::tool("endpoint flush").run().success();
    for text in texts {
        kernel::add(text);
    }
}

/// rp_filter: strict (1), loose (2) or none (0).
fn filter(name: &str, value: &str) {
    sysctl(&format!("ipv4/conf/{name}/rp_filter"), value).expect("rp_filter");
}

/// The value of a counter in the thread's namespace.
fn counter(name: &str) -> u64 {
    kernel::counter(name).unwrap_or(0)
}

fn until_counted(name: &str) {
    until(name, || (counter(name) > 0).then_some(()));
}

/// Waits for a counter of something that travels with the data of a connection.
fn until_carried(connection: &Connection, name: &str) {
    until(name, || {
        connection.exchange(1);
        (counter(name) > 0).then_some(())
    });
}

/// A client with uplinks, each with a router of its own at the other end, and a server beyond
/// a router: on uplink N the client is 10.0.N.2 and 2001:db8:N::2 on `upN`, the router
/// 10.0.N.1; the server is 10.9.0.2 and 2001:db8:9::2 on `srv`, and 10.9.1.2 on `srv1`. The
/// default route is by uplink 1. The thread is in the client's namespace.
struct Net {
    router: Namespace,
    server: Namespace,
    _client: Namespace,
}

impl Net {
    /// `None`, reported as skipped, where the system cannot build it.
    fn fresh(uplinks: u8) -> Option<Net> {
        if iproute2().is_none() {
            skip("remedies are commands of iproute2's ip, which is not installed");
            return None;
        }
        let client = Namespace::fresh()?;
        let router = Namespace::another();
        let server = Namespace::another();
        for name in ["all", "default"] {
            filter(name, "0");
            router.inside(|| filter(name, "0"));
            server.inside(|| filter(name, "0"));
        }
        router.inside(|| {
            sysctl("ipv4/ip_forward", "1").expect("forwarding");
            sysctl("ipv6/conf/all/forwarding", "1").expect("forwarding");
        });
        for path in 1..=uplinks {
            let (here, there) = (format!("up{path}"), format!("r{path}"));
            veth(&here, &there, Some(&router));
            give(
                &here,
                &format!("10.0.{path}.2"),
                &format!("2001:db8:{path}::2"),
            );
            let gateways = (format!("10.0.{path}.1"), format!("2001:db8:{path}::1"));
            router.inside(|| give(&there, &gateways.0, &gateways.1));
        }
        for (path, name) in ["srv", "srv1"].iter().enumerate() {
            let core = format!("core{path}");
            let nine = 9 + path;
            server.inside(|| {
                veth(name, &core, Some(&router));
                give(
                    name,
                    &format!("10.9.{path}.2"),
                    &format!("2001:db8:{nine}::2"),
                );
            });
            let gateways = (format!("10.9.{path}.1"), format!("2001:db8:{nine}::1"));
            router.inside(|| give(&core, &gateways.0, &gateways.1));
        }
        server.inside(|| {
            shell(
                "ip route add default via 10.9.0.1 dev srv; \
                 ip -6 route add default via 2001:db8:9::1 dev srv",
            )
        });
        shell(
            "ip route add default via 10.0.1.1 dev up1; \
             ip -6 route add default via 2001:db8:1::1 dev up1",
        );
        limits(2, 4);
        server.inside(|| {
            limits(2, 4);
            // An announcement that is lost under load comes again soon.
            sysctl("mptcp/add_addr_timeout", "1").expect("a time-out");
        });
        Some(Net {
            router,
            server,
            _client: client,
        })
    }

    /// The same with a default route on every uplink, that of the first one preferred.
    fn routed(uplinks: u8) -> Option<Net> {
        let net = Net::fresh(uplinks)?;
        for path in 2..=uplinks {
            shell(&format!(
                "ip route add default via 10.0.{path}.1 dev up{path} metric {path}00; \
                 ip -6 route add default via 2001:db8:{path}::1 dev up{path} metric {path}0000"
            ));
        }
        Some(net)
    }

    /// The server listens on all addresses.
    fn listen(&self) -> TcpListener {
        self.server.inside(|| listen("[::]:0"))
    }

    /// Connects to the server's first address.
    fn connect(&self, listener: &TcpListener) -> Connection {
        Connection::open_to(listener, self.address(listener, "10.9.0.2"))
    }

    /// The same, and waits until the connection has this many further subflows.
    #[track_caller]
    fn joined(&self, listener: &TcpListener, count: usize) -> Connection {
        let connection = self.connect(listener);
        until_joined(&connection, count);
        connection
    }

    fn address(&self, listener: &TcpListener, server: &str) -> SocketAddr {
        let port = listener.local_addr().expect("its address").port();
        (server.parse::<IpAddr>().expect("an address"), port).into()
    }

    /// The router drops packets from an address, or lets them through again.
    fn block(&self, address: &str) {
        self.router
            .inside(|| shell(&format!("ip rule add from {address} blackhole")));
    }

    fn unblock(&self, address: &str) {
        self.router
            .inside(|| shell(&format!("ip rule del from {address} blackhole")));
    }
}

fn give(name: &str, v4: &str, v6: &str) {
    add_address(name, v4.parse().expect("an address"), 24);
    add_address(name, v6.parse().expect("an address"), 64);
}

/// A listener that is bound to an interface.
fn listen_on(interface: &str) -> TcpListener {
    let listener = listen("0.0.0.0:0");
    bind_to(&listener, interface).expect("SO_BINDTODEVICE");
    listener
}

/// A listener with IPV6_V6ONLY.
fn listen_only_ipv6() -> TcpListener {
    sysctl("ipv6/bindv6only", "1").expect("bindv6only");
    let listener = listen("[::]:0");
    sysctl("ipv6/bindv6only", "0").expect("bindv6only");
    listener
}

/// Waits until a connection has this many subflows beyond the first.
#[track_caller]
fn until_joined(connection: &Connection, count: usize) {
    until(&format!("{count} further subflows"), || {
        connection.exchange(1);
        let established = subflows_established(&connection.client);
        let established = established.iter().filter(|one| **one).count();
        (established > count).then_some(())
    });
}

const UPLINK_2: &str = "10.0.2.2 id 2 dev up2 subflow";
const UPLINK_3: &str = "10.0.3.2 id 3 dev up3 subflow";

// The kernel, and programs.

/// This kernel has it, so its answer is replaced by that of one without.
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

/// EPERM is about privileges, not about the kernel.
#[test]
fn eperm_is_not_taken_for_a_kernel_without_mptcp() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let Some(run) = injected("sendto:error=EPERM:when=1", "-j doctor") else {
        return;
    };
    let output = run.run();
    assert!(!output.stdout().contains("no-mptcp"), "{}", output.report());
    assert_ne!(output.code(), 0, "{}", output.report());
}

#[test]
fn disabled_mptcp_is_found_and_cured() {
    let Some(_net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    healthy();
    sysctl("mptcp/enabled", "0").expect("off");
    finds(&[("fault disabled", "net.mptcp.enabled=0")]);
    cure("disabled", "", &[]);
    healthy();
}

/// The kernel knows only whether anyone on the whole machine listens to events.
#[test]
fn a_user_space_path_manager_without_a_listener_is_found_and_cured() {
    let silence = Listening::forbidden();
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    if sysctl("mptcp/path_manager", "userspace").is_err() {
        return skip("this kernel cannot choose a user-space path manager by name");
    }
    finds(&[("fault no-listener", "net.mptcp.path_manager=userspace")]);
    cure("no-listener", "", &[]);
    sysctl("mptcp/path_manager", "userspace").expect("user space again");
    drop(silence);
    let monitor = Monitor::start(Run::tool("monitor"));
    healthy();
    // It listens, but opens no subflow.
    let listener = net.listen();
    let connection = net.connect(&listener);
    let evidence = "connections opened here 1, with further subflows 0";
    finds(&[("note user-space", evidence)]);
    drop(connection);
    until_healthy();
    monitor.stop(libc::SIGTERM);
}

/// curl without --mptcp, a server without mptcpize: the commonest cause of all.
#[test]
fn plain_tcp_is_found_where_no_program_asks_for_mptcp() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    // No program has opened a connection yet.
    healthy();
    let plain = net
        .server
        .inside(|| TcpListener::bind("10.9.0.2:0").expect("a TCP listener"));
    let client = TcpStream::connect(plain.local_addr().expect("its address")).expect("connect");
    finds(&[(
        "fault plain-tcp",
        "MPCapableSYNTX 0 MPCapableSYNRX 0; TCP connections opened 1",
    )]);
    drop(client);
    finds(&[("fault plain-tcp", "TCP connections opened 1, accepted 0")]);
    // One program that asks is enough.
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
}

// Endpoints and limits.

#[test]
fn missing_endpoints_are_found_unless_something_else_opens_subflows() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    finds(&[(
        "fault no-endpoints",
        "no endpoints; limits: add_addr_accepted 0 subflows 2",
    )]);
    // A server need not open subflows.
    net.server.inside(|| {
        limits(0, 2);
        let _listener = listen("[::]:0");
        healthy();
    });
    limits(1, 2);
    healthy();
}

#[test]
fn limits_too_low_for_the_endpoints_are_found_and_cured() {
    let Some(net) = Net::routed(3) else { return };
    endpoints(&[UPLINK_2, UPLINK_3]);
    limits(2, 1);
    // Without connections the endpoints are counted.
    finds(&[(
        "fault limit-subflows",
        "endpoints of one family for further subflows 2",
    )]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    let found = finds(&[("fault limit-subflows", "connections without its subflow 1")]);
    cure_one(&found[0], "", &[&connection]);
    let another = net.joined(&listener, 2);
    limits(2, 0);
    let found = findings();
    let limit = found.iter().find(|one| one.check == "limit-subflows");
    assert!(limit
        .expect("limit-subflows")
        .message
        .contains("no connection may"));
    cure("limit-subflows", "", &[&another]);
}

#[test]
fn limits_need_no_room_for_the_first_subflow_or_the_other_family() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[
        "10.0.1.2 dev up1 subflow",
        "10.0.2.2 dev up2 subflow",
        "2001:db8:1::2 dev up1 subflow",
        "2001:db8:2::2 dev up2 subflow",
    ]);
    limits(2, 1);
    healthy();
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
}

#[test]
fn endpoints_of_the_other_family_are_found_and_cured() {
    for (endpoint, server, add) in [
        (UPLINK_2, "2001:db8:9::2", "2001:db8:2::2"),
        ("2001:db8:2::2 id 2 dev up2 subflow", "10.9.0.2", "10.0.2.2"),
    ] {
        let Some(net) = Net::routed(2) else { return };
        endpoints(&[endpoint]);
        let listener = net.listen();
        let connection = Connection::open_to(&listener, net.address(&listener, server));
        let evidence = format!("connections 1, one of them to {server}");
        let found = finds(&[("fault other-family", &evidence)]);
        let remedy = format!("ip-mptcp endpoint add {add} dev up2 subflow");
        assert_eq!(found[0].remedy, remedy);
        cure("other-family", "", &[&connection]);
        until_joined(&connection, 1);
        healthy();
    }
}

/// One endpoint of the family is enough, even that of the first subflow; and IPv4 alone may be
/// what is wanted.
#[test]
fn endpoints_of_both_families_are_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2, "2001:db8:1::2 id 3 dev up1 subflow"]);
    let listener = net.listen();
    let six = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    six.exchange(1);
    healthy();
    drop(six);
    endpoints(&[UPLINK_2]);
    let _six = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    let _four = net.joined(&listener, 1);
    finds(&[("note other-family", "one of them to 2001:db8:9::2")]);
}

#[test]
fn endpoints_only_announced_by_a_client_are_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    endpoints(&["10.0.2.2 id 2 dev up2 signal"]);
    finds(&[("fault signal-only", "no endpoint has the flag subflow")]);
    // That the kernel listens there is of no use unless the peer connects.
    net.server.inside(|| limits(0, 4));
    endpoints(&["10.0.2.2 id 2 dev up2 port 7777 signal"]);
    let listener = net.listen();
    let connection = net.connect(&listener);
    let found = finds(&[("fault signal-only", "connections opened here 1")]);
    // The kernel opens no subflow while an announcement awaits its echo.
    until_carried(&connection, "EchoAdd");
    cure_one(&found[0], "", &[&connection]);
    until_joined(&connection, 1);
    healthy();
}

#[test]
fn a_port_announced_by_a_client_and_used_by_the_server_is_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    endpoints(&["10.0.2.2 id 2 dev up2 port 7777 signal"]);
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
}

/// Both sides announce, and routes choose the sources: rsync between two hosts.
#[test]
fn announced_endpoints_that_carry_subflows_are_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[
        "10.0.1.2 id 1 dev up1 signal",
        "10.0.2.2 id 2 dev up2 signal",
    ]);
    limits(2, 4);
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 signal"]));
    shell("ip route add 10.9.1.0/24 via 10.0.2.1 dev up2");
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
}

#[test]
fn a_server_without_mptcp_behind_announced_addresses_is_found() {
    let Some(net) = Net::fresh(1) else { return };
    net.server.inside(|| {
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        limits(0, 2);
        let plain = TcpListener::bind("0.0.0.0:0").expect("a TCP listener");
        let port = plain.local_addr().expect("its address").port();
        let evidence = format!("listen with plain TCP 1, one of them at port {port}");
        finds(&[("fault no-mptcp-listener", &evidence)]);
        drop(plain);
        let _listener = listen("0.0.0.0:0");
        healthy();
    });
}

#[test]
fn endpoints_not_announced_by_a_server_are_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    let listener = net.listen();
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 subflow"]));
    let connection = net.connect(&listener);
    net.server.inside(|| {
        let found = until_found("subflow-only");
        assert!(
            found.evidence.contains("endpoint 10.9.1.2 id 2 dev srv1"),
            "{found:?}"
        );
        cure_one(&found, "", &[&connection]);
        route_second_address();
    });
    until_joined(&connection, 1);
    net.server.inside(healthy);
    // What NetworkManager sets up on a host with one uplink.
    let other = Net::routed(2).expect("another");
    let listener = other.listen();
    other
        .server
        .inside(|| endpoints(&["10.9.0.2 id 1 dev srv subflow"]));
    let _connection = other.connect(&listener);
    other.server.inside(healthy);
}

#[test]
fn endpoints_for_announced_addresses_are_found_where_none_is_accepted_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    let listener = net.listen();
    endpoints(&["10.0.2.2 id 2 dev up2 laminar"]);
    if !kernel::state().iter().any(|held| held.contains("laminar")) {
        return skip("this kernel has no laminar endpoints");
    }
    limits(0, 2);
    let quiet = net.connect(&listener);
    // The peer announces nothing.
    healthy();
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 signal"]));
    until_carried(&quiet, "AddAddr");
    finds(&[(
        "fault fullmesh-idle",
        "AddAddr 1; connections opened here 1, with further subflows 0",
    )]);
    cure("fullmesh-idle", "", &[&quiet]);
}

#[test]
fn fullmesh_is_no_fault_where_the_peer_announces_nothing_or_its_address_is_used() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    endpoints(&["10.0.2.2 id 2 dev up2 subflow fullmesh"]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    healthy();
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 signal"]));
    until_carried(&connection, "AddAddr");
    healthy();
}

#[test]
fn announcements_ignored_for_add_addr_accepted_0_are_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    net.server.inside(|| {
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        route_second_address();
    });
    let listener = net.listen();
    let connection = net.connect(&listener);
    until_carried(&connection, "AddAddr");
    finds(&[(
        "fault add-addr-ignored",
        "AddAddr 1; connections opened here 1, with further subflows 0",
    )]);
    cure("add-addr-ignored", "", &[&connection]);
    let _another = net.joined(&listener, 1);
    healthy();
}

/// The counter cannot tell connections that ended from those that live: what it has counted
/// for both is a note, and hides no other finding.
#[test]
fn announcements_that_may_be_of_earlier_connections_are_a_note_beside_the_fault() {
    let Some(net) = Net::routed(2) else { return };
    limits(1, 2);
    net.server.inside(|| {
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        route_second_address();
    });
    let listener = net.listen();
    let earlier = net.joined(&listener, 1);
    drop(earlier);
    limits(0, 2);
    net.server
        .inside(|| Run::tool("endpoint flush").run().success());
    let connection = net.connect(&listener);
    connection.exchange(1);
    let earlier = (
        "note add-addr-ignored",
        "AddAddr 1 since the start of this namespace, nothing lately; connections opened here 1",
    );
    let found = finds(&[("fault no-endpoints", "no endpoints"), earlier]);
    assert!(found[1].message.contains("earlier"), "{found:?}");
    assert!(!is_commands(&found[1].remedy), "{found:?}");
    endpoints(&["10.0.2.2 id 2 dev up2 signal"]);
    finds(&[("fault signal-only", "connections opened here 1"), earlier]);
    endpoints(&["10.0.1.2 id 1 dev up1 subflow fullmesh"]);
    finds(&[("note fullmesh-idle", "AddAddr 1 since the start")]);
    // One that comes while the doctor looks, or since the file was written, is of now.
    let file = Folder::new("announced");
    let path = file.path.join("counters");
    let text = Run::tool("counters --all").run().success().stdout();
    std::fs::write(&path, text).expect("a file");
    drop(connection);
    endpoints(&[]);
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 signal"]));
    let connection = net.connect(&listener);
    until("a second announcement", || {
        connection.exchange(1);
        (counter("AddAddr") > 1).then_some(())
    });
    let found = findings_of(&format!("doctor --since {}", path.display()));
    let found: Vec<_> = found.iter().map(|one| (&*one.level, &*one.check)).collect();
    assert_eq!(found, [("fault", "add-addr-ignored")]);
}

/// Servers behind a load balancer, as mptcp.dev describes them. The kernel uses the announced
/// address for the endpoint only while add_addr_accepted is 0: raising it would do harm.
#[test]
fn deny_join_id0_with_an_announced_address_is_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    limits(0, 2);
    endpoints(&[UPLINK_2]);
    net.server.inside(|| {
        sysctl("mptcp/allow_join_initial_addr_port", "0").expect("forbidden");
        endpoints(&["10.9.0.2 id 1 dev srv port 8080 signal"]);
    });
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
    net.server.inside(healthy);
}

/// The same server, and a client that accepts announced addresses: the route decides from
/// where the subflow to it is opened, unless the endpoint has the flag fullmesh.
#[test]
fn an_endpoint_unused_for_lack_of_fullmesh_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    net.server.inside(|| {
        sysctl("mptcp/allow_join_initial_addr_port", "0").expect("forbidden");
        endpoints(&["10.9.0.2 id 1 dev srv port 8080 signal"]);
    });
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    let found = finds(&[(
        "fault join-untried",
        "endpoint 10.0.2.2 id 2 dev up2; to 10.9.0.2: connections",
    )]);
    assert_eq!(found[0].remedy, "ip-mptcp endpoint change id 2 fullmesh");
    shell(&found[0].remedy);
    drop(connection);
    let _connection = net.joined(&listener, 1);
    until_healthy();
}

/// Service addresses are on the loopback interface and reachable through any uplink.
#[test]
fn addresses_of_services_on_loopback_are_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    let second = "10.99.0.2".parse().expect("an address");
    net.server.inside(|| {
        add_address("lo", second, 32);
        endpoints(&["10.99.0.2 id 2 signal"]);
    });
    net.router
        .inside(|| shell("ip route add 10.99.0.2 via 10.9.0.2"));
    let listener = net.listen();
    net.server.inside(healthy);
    let connection = net.connect(&listener);
    net.server.inside(healthy);
    until_joined(&connection, 1);
    net.server.inside(healthy);
    add_address("lo", "10.98.0.2".parse().expect("an address"), 32);
    endpoints(&["10.98.0.2 id 3 subflow"]);
    drop(connection);
    until_healthy();
}

/// The C flag of MP_CAPABLE, deny_join_id0.
#[test]
fn deny_join_id0_without_announced_addresses_is_found_on_both_sides() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let forbidden = "mptcp/allow_join_initial_addr_port";
    net.server
        .inside(|| sysctl(forbidden, "0").expect("forbidden"));
    let listener = net.listen();
    let connection = net.connect(&listener);
    connection.exchange(1);
    let found = finds(&[(
        "fault join-untried",
        "connections without its subflow 1, with it 0; MPJoinSynTx 0",
    )]);
    assert!(found[0].remedy.contains("allow_join_initial_addr_port"));
    net.server.inside(|| {
        finds(&[(
            "fault join-forbidden",
            "connections accepted 1, with further subflows 0",
        )]);
        cure("join-forbidden", "", &[]);
        healthy();
    });
    // Announcing the address that clients know anyway does not help.
    drop(connection);
    net.server.inside(|| {
        sysctl(forbidden, "0").expect("forbidden");
        endpoints(&["10.9.0.2 id 1 dev srv signal"]);
    });
    let connection = net.connect(&listener);
    connection.exchange(1);
    net.server.inside(|| {
        until_found("join-forbidden");
        sysctl(forbidden, "1").expect("allowed");
    });
    drop(connection);
    let _another = net.joined(&listener, 1);
    until_healthy();
    // On a client the sysctl forbids joins by servers, which open none.
    sysctl(forbidden, "0").expect("forbidden");
    healthy();
}

/// RHEL's how-tos name both flags for servers. MPJoinSynTxCreatSkErr.
#[test]
fn a_server_with_both_signal_and_subflow_is_found_and_cured() {
    let Some(_client) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    for path in 1..=4 {
        let (here, there) = (format!("c{path}"), format!("s{path}"));
        veth(&here, &there, Some(&server));
        give(
            &here,
            &format!("10.0.{path}.2"),
            &format!("2001:db8:{path}::2"),
        );
        let far = (format!("10.0.{path}.1"), format!("2001:db8:{path}::1"));
        server.inside(|| give(&there, &far.0, &far.1));
    }
    limits(8, 8);
    server.inside(|| {
        limits(8, 8);
        // An announcement right after another is dropped, and sent again.
        sysctl("mptcp/add_addr_timeout", "1").expect("a time-out");
        for path in 1..=4 {
            kernel::add(&format!(
                "10.0.{path}.1 id {path} dev s{path} subflow signal"
            ));
        }
    });
    let listener = server.inside(|| listen("0.0.0.0:0"));
    let port = listener.local_addr().expect("its address").port();
    let to = || ([10, 0, 1, 1], port).into();
    let connection = Connection::open_to(&listener, to());
    until_joined(&connection, 1);
    server.inside(|| {
        if findings().is_empty() {
            // A kernel that announces all of them nevertheless.
            return until_joined(&connection, 3);
        }
        finds(&[(
            "fault signal-subflow",
            "one of them with 1 of 3; MPJoinSynTx",
        )]);
        cure("signal-subflow", "", &[&connection]);
    });
    let another = Connection::open_to(&listener, to());
    until_joined(&another, 3);
    server.inside(healthy);
}

#[test]
fn an_announced_address_without_a_listener_is_found() {
    let Some(net) = Net::fresh(1) else { return };
    net.server.inside(|| {
        route_second_address();
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        let first = listen("10.9.0.2:0");
        let port = first.local_addr().expect("its address").port();
        let evidence = format!(
            "endpoint 10.9.1.2 id 2 dev srv1; at port {port} an MPTCP socket listens only at \
             others, as 10.9.0.2"
        );
        finds(&[("fault signal-unheard", &evidence)]);
        // A listener there, or at the wildcard address, is enough.
        let second = listen("10.9.1.2:0");
        healthy();
        drop(second);
        let all = listen("[::]:0");
        healthy();
        drop(all);
        let four = listen("0.0.0.0:0");
        healthy();
        endpoints(&["2001:db8:10::2 id 2 dev srv1 signal"]);
        finds(&[(
            "fault signal-unheard",
            "endpoint 2001:db8:10::2 id 2 dev srv1",
        )]);
        drop(four);
        drop(first);
        // SO_BINDTODEVICE.
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        let bound = listen_on("srv");
        let evidence = "listens only on another interface, srv";
        finds(&[("fault signal-unheard", evidence)]);
        drop(bound);
        let _bound = listen_on("srv1");
        healthy();
        // The kernel itself listens at an announced port.
        endpoints(&["10.9.1.2 id 2 port 7777 dev srv1 signal"]);
        healthy();
    });
}

/// IPV6_V6ONLY.
#[test]
fn an_ipv6_only_listener_does_not_accept_ipv4() {
    let Some(net) = Net::fresh(1) else { return };
    net.server.inside(|| {
        route_second_address();
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        let _six = listen_only_ipv6();
        finds(&[("fault signal-unheard", "as ::")]);
        let _all = listen("[::]:0");
        healthy();
    });
}

/// A server that accepts one connection and stops listening: joins are refused.
#[test]
fn a_server_that_stopped_listening_is_found_while_it_has_connections() {
    let Some(net) = Net::fresh(1) else { return };
    limits(0, 2);
    net.server.inside(|| {
        route_second_address();
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
    });
    let listener = net.listen();
    let connection = net.connect(&listener);
    net.server.inside(healthy);
    drop(listener);
    net.server
        .inside(|| finds(&[("fault signal-unheard", "no MPTCP socket listens any more")]));
    drop(connection);
}

// Addresses and interfaces.

#[test]
fn an_address_missing_or_on_another_interface_is_found_and_cured() {
    let Some(_net) = Net::routed(3) else { return };
    endpoints(&["10.7.7.7 id 3 subflow"]);
    finds(&[("fault endpoint-no-address", "endpoint 10.7.7.7 id 3")]);
    cure("endpoint-no-address", "", &[]);
    endpoints(&["2001:db8:9::9 id 4 dev up2 subflow"]);
    finds(&[(
        "fault endpoint-no-address",
        "endpoint 2001:db8:9::9 id 4 dev up2",
    )]);
    endpoints(&["10.0.2.2 id 5 dev up1 subflow"]);
    let evidence = "endpoint 10.0.2.2 id 5 dev up1; the address is on up2";
    finds(&[("fault endpoint-other-device", evidence)]);
    cure("endpoint-other-device", "", &[]);
    healthy();
}

/// Clouds: the host has a private address, and the router translates a public one (NAT).
#[test]
fn an_announced_address_of_a_router_with_nat_is_no_fault() {
    let Some(net) = Net::fresh(1) else { return };
    net.server.inside(|| {
        let _listener = listen("0.0.0.0:0");
        endpoints(&["203.0.113.5 id 1 dev srv signal"]);
        healthy();
        let status = Run::tool("status").run().success().stdout();
        let line = "endpoint 203.0.113.5 id 1 signal dev srv translated\n";
        assert!(status.contains(line), "{status}");
        // It may still be a mistake.
        endpoints(&["10.7.7.7 id 1 signal"]);
        finds(&[("note endpoint-no-address", "endpoint 10.7.7.7 id 1")]);
        cure("endpoint-no-address", "", &[]);
    });
}

#[test]
fn an_interface_that_is_down_without_carrier_or_gone_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    healthy();
    net.router.inside(|| link_down("r2"));
    finds(&[(
        "fault endpoint-no-carrier",
        "endpoint 10.0.2.2 id 2 dev up2",
    )]);
    link_down("up2");
    finds(&[("fault endpoint-down", "endpoint 10.0.2.2 id 2 dev up2")]);
    net.router.inside(|| link_up("r2"));
    cure("endpoint-down", "", &[]);
    shell("ip route add default via 10.0.2.1 dev up2 metric 200");
    healthy();
    link_delete("up2");
    finds(&[("fault endpoint-no-device", "endpoint 10.0.2.2 id 2 dev if")]);
    // The interface came back with another index.
    veth("up2", "r2", Some(&net.router));
    add_address("up2", [10, 0, 2, 2].into(), 24);
    finds(&[("fault endpoint-no-device", "the address is on up2")]);
    cure("endpoint-no-device", "", &[]);
    shell("ip route add default via 10.0.2.1 dev up2 metric 200");
    healthy();
    link_delete("up2");
    finds(&[("fault endpoint-no-device", "its address is on no interface")]);
    cure("endpoint-no-device", "", &[]);
}

// Routes.

/// Three uplinks, and a default route through the first only: the remedies do not collide.
#[test]
fn endpoints_without_routes_are_found_and_cured_each_with_its_own_table() {
    let Some(net) = Net::fresh(3) else { return };
    endpoints(&[UPLINK_2, UPLINK_3]);
    // Something else uses a table that a remedy would take.
    shell("ip rule add from 10.99.0.1 table 102");
    let listener = net.listen();
    let connection = net.connect(&listener);
    let found = until("both", || {
        let found = findings();
        (found.len() == 2).then_some(found)
    });
    for (finding, path) in found.iter().zip([2, 3]) {
        let evidence =
            format!("endpoint 10.0.{path}.2 id {path} dev up{path}; to 10.9.0.2: no route");
        assert_eq!(
            (finding.level.as_str(), finding.check.as_str()),
            ("fault", "no-route")
        );
        assert!(finding.evidence.starts_with(&evidence), "{finding:?}");
    }
    for (finding, path) in found.iter().zip([2, 3]) {
        cure_one(finding, &format!("10.0.{path}.1"), &[&connection]);
    }
    let _another = net.joined(&listener, 2);
    healthy();
}

#[test]
fn the_router_of_an_interface_is_known_by_any_of_its_routes() {
    let Some(_net) = Net::fresh(2) else { return };
    shell("ip route add 192.0.2.0/24 via 10.0.2.1 dev up2");
    endpoints(&[UPLINK_2]);
    let found = finds(&[(
        "fault no-route",
        "to 198.51.100.1, as to any host: no route",
    )]);
    let remedy = "ip route add default via 10.0.2.1 dev up2 table 102; \
                  ip rule add from 10.0.2.2 table 102";
    assert_eq!(found[0].remedy, remedy);
    cure("no-route", "", &[]);
    healthy();
}

/// Red Hat's tutorial: Linux takes the peer of a bound socket for an on-link neighbour, which
/// here it is.
#[test]
fn two_cables_without_a_default_route_are_no_fault() {
    let Some(_client) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    for name in ["all", "default"] {
        filter(name, "0");
        server.inside(|| filter(name, "0"));
    }
    for (here, there, net) in [("red", "red-s", "10.0.0"), ("blue", "blue-s", "192.168.0")] {
        veth(here, there, Some(&server));
        add_address(here, format!("{net}.2").parse().expect("an address"), 24);
        let address = format!("{net}.1").parse().expect("an address");
        server.inside(|| add_address(there, address, 24));
    }
    limits(2, 2);
    server.inside(|| {
        limits(2, 2);
        sysctl("mptcp/add_addr_timeout", "1").expect("a time-out");
    });
    endpoints(&["192.168.0.2 id 1 dev blue subflow"]);
    until_healthy();
    let listener = server.inside(|| listen("0.0.0.0:0"));
    let port = listener.local_addr().expect("its address").port();
    let connection = Connection::open_to(&listener, ([10, 0, 0, 1], port).into());
    until_joined(&connection, 1);
    until_healthy();
    server.inside(until_healthy);
    // The server's second address, too.
    drop(connection);
    server.inside(|| endpoints(&["192.168.0.1 id 2 dev blue-s signal"]));
    endpoints(&["192.168.0.2 id 1 dev blue subflow fullmesh"]);
    let connection = Connection::open_to(&listener, ([10, 0, 0, 1], port).into());
    until_joined(&connection, 2);
    until_healthy();
    server.inside(until_healthy);
}

/// RTA_MULTIPATH and nexthop objects.
#[test]
fn a_default_route_with_two_next_hops_is_no_fault() {
    let hops = "nexthop via 10.0.1.1 dev up1 nexthop via 10.0.2.1 dev up2";
    let six = "nexthop via 2001:db8:1::1 dev up1 nexthop via 2001:db8:2::1 dev up2";
    let group =
        "ip nexthop add id 1 via 10.0.1.1 dev up1; ip nexthop add id 2 via 10.0.2.1 dev up2; \
                 ip nexthop add id 10 group 1/2; ip route add default nhid 10";
    for (routes, dev, server) in [
        (format!("ip route add default {hops}"), true, "10.9.0.2"),
        (format!("ip route add default {hops}"), false, "10.9.0.2"),
        (
            format!("ip -6 route add default {six}"),
            true,
            "2001:db8:9::2",
        ),
        (group.to_string(), true, "10.9.0.2"),
        (
            format!("sysctl -qw net.ipv4.nexthop_compat_mode=0; {group}"),
            true,
            "10.9.0.2",
        ),
    ] {
        let Some(net) = Net::fresh(2) else { return };
        shell("ip route del default; ip -6 route del default");
        shell(&routes);
        let v6 = server.contains(':');
        for path in [1, 2] {
            let address = if v6 {
                format!("2001:db8:{path}::2")
            } else {
                format!("10.0.{path}.2")
            };
            let device = if dev {
                format!("dev up{path}")
            } else {
                String::new()
            };
            kernel::add(&format!("{address} id {path} {device} subflow"));
        }
        healthy();
        let listener = net.listen();
        let connection = Connection::open_to(&listener, net.address(&listener, server));
        if dev {
            until_joined(&connection, 1);
        }
        healthy();
    }
}

#[test]
fn a_source_routed_through_another_interface_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&["10.0.2.2 id 2 subflow"]);
    finds(&[(
        "fault wrong-way",
        "as to any host: by up1, the address is on up2",
    )]);
    let listener = net.listen();
    // The router has a strict rp_filter, as providers do.
    net.router.inside(|| filter("r1", "1"));
    let connection = net.connect(&listener);
    let found = until_found("wrong-way");
    assert!(
        found
            .evidence
            .contains("to 10.9.0.2: by up1, the address is on up2"),
        "{found:?}"
    );
    cure_one(&found, "", &[&connection]);
    let _another = net.joined(&listener, 1);
}

/// Two next hops, neither of them on the interface that has the address.
#[test]
fn next_hops_by_other_interfaces_are_found_and_cured() {
    let Some(net) = Net::fresh(3) else { return };
    shell(
        "ip route del default; ip route add default nexthop via 10.0.1.1 dev up1 \
         nexthop via 10.0.3.1 dev up3",
    );
    endpoints(&["10.0.2.2 id 2 subflow"]);
    let found = finds(&[("fault wrong-way", "by up1, the address is on up2")]);
    cure_one(&found[0], "10.0.2.1", &[]);
    healthy();
    drop(net);
}

/// A client that is connected through another link may have an address on that of the
/// announced address, too.
#[test]
fn rp_filter_does_not_matter_for_clients_on_the_servers_links() {
    let Some(_client) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    for (here, there, net) in [("red", "red-s", "10.0.0"), ("blue", "blue-s", "192.168.0")] {
        veth(here, there, Some(&server));
        add_address(here, format!("{net}.2").parse().expect("an address"), 24);
        let address = format!("{net}.1").parse().expect("an address");
        server.inside(|| add_address(there, address, 24));
    }
    server.inside(|| {
        filter("all", "1");
        endpoints(&["192.168.0.1 id 2 dev blue-s signal"]);
    });
    let listener = server.inside(|| listen("0.0.0.0:0"));
    let port = listener.local_addr().expect("its address").port();
    let connection = Connection::open_to(&listener, ([10, 0, 0, 1], port).into());
    connection.exchange(1);
    // On a busy machine the second link may have no carrier yet.
    server.inside(until_healthy);
    server.inside(healthy);
}

/// No router on the path filters, so it works.
#[test]
fn a_source_routed_through_another_interface_that_works_is_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&["10.0.2.2 id 2 subflow"]);
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    healthy();
}

/// Rules by source, by protocol and by port: the route is looked up for TCP to the peer's port.
#[test]
fn policy_routing_is_no_fault() {
    for rule in [
        "from 10.0.2.2",
        "from 10.0.2.2 ipproto 6",
        "from 10.0.2.2 uidrange 0-0",
    ] {
        let Some(net) = Net::fresh(2) else { return };
        shell(&format!(
            "ip route add default via 10.0.2.1 dev up2 table 77; ip rule add {rule} table 77"
        ));
        endpoints(&["10.0.2.2 id 2 subflow"]);
        healthy();
        let listener = net.listen();
        let _connection = net.joined(&listener, 1);
        healthy();
    }
}

/// mwan3 and others: the route depends on the mark of a packet, which is unknown before there
/// is a connection.
#[test]
fn fwmark_rules_are_a_note_without_and_followed_with_connections() {
    let Some(net) = Net::fresh(2) else { return };
    shell(
        "ip route add default via 10.0.2.1 dev up2 table 77; ip rule add fwmark 7 table 77; \
         ip route add default via 10.0.1.1 dev up1 table 77 metric 1",
    );
    endpoints(&[UPLINK_2]);
    finds(&[(
        "note no-route",
        "as to any host: no route, the kernel takes it for a neighbour on up2; rules for marks",
    )]);
    // `not fwmark`, as WireGuard uses it, applies to everything without that mark.
    shell("ip rule add not fwmark 9 table 78; ip rule del fwmark 7 table 77");
    finds(&[("fault no-route", "as to any host")]);
    shell("ip rule add fwmark 7 table 77");
    shell("ip route del default via 10.0.2.1 dev up2 table 77");
    shell("ip route add default via 10.0.2.1 dev up2 table 77 metric 2");
    net.block("10.0.2.2");
    let listener = net.listen();
    let to = net.address(&listener, "10.9.0.2");
    let client = connect_marked(to, 7).expect("connect");
    let (server, _) = listener.accept().expect("accept");
    let connection = Connection { client, server };
    connection.exchange(1);
    let found = until_found("join-unanswered");
    assert!(found.evidence.contains("endpoint 10.0.2.2"), "{found:?}");
}

/// OpenWrt: default routes with `from PREFIX`.
#[test]
fn source_specific_routes_of_ipv6_are_no_fault() {
    let Some(net) = Net::fresh(2) else { return };
    shell(
        "ip -6 route del default; \
         ip -6 route add default from 2001:db8:1::/64 via 2001:db8:1::1 dev up1; \
         ip -6 route add default from 2001:db8:2::/64 via 2001:db8:2::1 dev up2",
    );
    endpoints(&["2001:db8:2::2 id 2 subflow"]);
    healthy();
    endpoints(&["2001:db8:2::2 id 2 dev up2 subflow"]);
    healthy();
    drop(net);
}

/// The kernel binds the socket of a subflow to the interface of its endpoint, so that a route
/// through another one does not matter, however good.
#[test]
fn an_ipv6_endpoint_without_a_route_is_found_and_cured() {
    let Some(net) = Net::fresh(2) else { return };
    endpoints(&["2001:db8:2::2 id 2 dev up2 subflow"]);
    let listener = net.listen();
    let connection = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    let found = until_found("no-route");
    let evidence = "endpoint 2001:db8:2::2 id 2 dev up2; to 2001:db8:9::2: no route";
    assert!(found.evidence.starts_with(evidence), "{found:?}");
    cure_one(&found, "2001:db8:2::1", &[&connection]);
    let another = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    until_joined(&another, 1);
}

#[test]
fn strict_rp_filter_of_a_client_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    for name in ["all", "up2"] {
        filter(name, "1");
        finds(&[("fault rp-filter", "as from any host; rp_filter is 1 on up2")]);
        filter(name, "0");
    }
    // Names of VLANs have dots, which sysctl(8) takes for slashes.
    link_down("up2");
    link_rename("up2", "up.2");
    shell("ip route add default via 10.0.2.1 dev up.2 metric 200");
    endpoints(&["10.0.2.2 id 2 dev up.2 subflow"]);
    filter("up.2", "1");
    let listener = net.listen();
    let connection = net.connect(&listener);
    let found = until_found("rp-filter");
    assert!(
        found
            .evidence
            .contains("from 10.9.0.2; rp_filter is 1 on up.2"),
        "{found:?}"
    );
    cure_one(&found, "", &[&connection]);
    // Loose on the interface wins over strict on "all"; other interfaces do not matter.
    filter("all", "1");
    filter("up1", "1");
    until("the join that is sent again, or a new one", || {
        let _another = net.joined(&listener, 1);
        Some(())
    });
}

/// Multi-homed servers whose second address has no route of its own.
#[test]
fn strict_rp_filter_of_a_server_is_found_and_cured() {
    let Some(net) = Net::fresh(1) else { return };
    limits(2, 2);
    net.server.inside(|| {
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
        filter("all", "1");
    });
    let listener = net.listen();
    let connection = net.connect(&listener);
    net.server.inside(|| {
        finds(&[(
            "fault rp-filter",
            "endpoint 10.9.1.2 id 2 dev srv1; from 10.0.1.2",
        )]);
    });
    net.server.inside(|| cure("rp-filter", "", &[&connection]));
    let _another = net.joined(&listener, 1);
}

// Subflows that this host opens.

/// One of three uplinks is blocked: the other two must not hide it.
#[test]
fn a_blocked_uplink_is_found_alone_and_forgotten_when_it_works() {
    let Some(net) = Net::routed(4) else { return };
    endpoints(&[UPLINK_2, UPLINK_3, "10.0.4.2 id 4 dev up4 subflow"]);
    net.block("10.0.3.2");
    let listener = net.listen();
    let connection = net.joined(&listener, 2);
    let found = until_found("join-unanswered");
    let evidence =
        "endpoint 10.0.3.2 id 3 dev up3; to 10.9.0.2: connections whose subflow waits in \
                    SYN_SENT 1, sent again up to ";
    assert!(found.evidence.starts_with(evidence), "{found:?}");
    finds(&[("fault join-unanswered", "with an established one 0")]);
    net.server.inside(healthy);
    net.unblock("10.0.3.2");
    until_joined(&connection, 3);
    healthy();
}

/// The uplink of the default route is dead, though its interface is up.
#[test]
fn unanswered_connections_are_found_and_are_no_fallback() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    net.block("10.0.1.2");
    let listener = net.listen();
    let to = net.address(&listener, "10.9.0.2");
    let client = std::thread::spawn(move || connect(to));
    let found = until("the option to be left out", || {
        let found = findings();
        (counter("MPCapableSYNTXDrop") > 0 && found.len() == 1).then(|| found[0].clone())
    });
    assert_eq!(
        (found.level.as_str(), found.check.as_str()),
        ("fault", "first-unanswered")
    );
    let evidence = format!("from 10.0.1.2 to 10.9.0.2 port {}: first", to.port());
    assert!(found.evidence.starts_with(&evidence), "{found:?}");
    net.unblock("10.0.1.2");
    let client = client.join().expect("a thread").expect("connect");
    drop((listener.accept().expect("accept"), client));
    until("no fault", || {
        let found = findings();
        found.iter().all(|one| one.level == "note").then_some(())
    });
    // One unanswering peer among several is no fault of the path.
    let _connection = net.joined(&listener, 1);
    net.server
        .inside(|| shell("ip address add 10.9.0.3/24 dev srv; ip rule add to 10.9.0.3 blackhole"));
    net.router
        .inside(|| shell("ip rule add to 10.9.0.3 blackhole"));
    let away = SocketAddr::from(([10, 9, 0, 3], to.port()));
    std::thread::spawn(move || connect(away));
    assert_eq!(until_found("first-unanswered").level, "note");
}

/// The uplink of the first subflow dies during an upload, which goes on over the other one.
#[test]
fn an_unanswered_first_subflow_is_found() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&["10.0.2.2 id 2 dev up2 subflow backup"]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    net.block("10.0.1.2");
    connection.client.set_nonblocking(true).expect("no waiting");
    let found = until("subflow-stalled", || {
        let _ = (&connection.client).write(&[b'x'; 100]);
        let mut found = findings().into_iter();
        found.find(|one| one.check == "subflow-stalled")
    });
    assert!(found.evidence.starts_with("from 10.0.1.2 to 10.9.0.2"));
    net.unblock("10.0.1.2");
    until_healthy();
}

/// The same during a download, as the server sees it.
#[test]
fn an_unanswered_subflow_of_a_client_is_a_note() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2, "10.0.1.2 id 1 dev up1 subflow backup"]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    net.router
        .inside(|| shell("ip rule add to 10.0.2.2 blackhole"));
    connection.server.set_nonblocking(true).expect("no waiting");
    net.server.inside(|| {
        let found = until("subflow-stalled", || {
            let _ = (&connection.server).write(&[b'x'; 100]);
            let mut found = findings().into_iter();
            found.find(|one| one.check == "subflow-stalled")
        });
        assert_eq!(found.level, "note");
        assert!(found.evidence.ends_with(" 1"), "{found:?}");
    });
    net.router
        .inside(|| shell("ip rule del to 10.0.2.2 blackhole"));
    net.server.inside(until_healthy);
}

/// Joins that were answered earlier must not hide that they no longer are.
#[test]
fn an_uplink_that_stopped_working_is_found() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let listener = net.listen();
    for _ in 0..5 {
        let _connection = net.joined(&listener, 1);
    }
    healthy();
    net.block("10.0.2.2");
    let connection = net.connect(&listener);
    connection.exchange(1);
    until_found("join-unanswered");
}

/// ULA: the peer is not in that network, and unanswered SYNs use up the limit of subflows.
#[test]
fn a_unique_local_address_that_uses_up_the_limit_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    add_address("up2", "fd12:3456::2".parse().expect("an address"), 64);
    limits(0, 1);
    endpoints(&["fd12:3456::2 id 2 dev up2 subflow"]);
    net.router
        .inside(|| shell("ip -6 rule add from fd12:3456::/64 blackhole"));
    let listener = net.listen();
    let connection = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    connection.exchange(1);
    kernel::add("2001:db8:2::2 id 3 dev up2 subflow");
    let found = until_found("unique-local");
    assert!(found
        .evidence
        .starts_with("endpoint fd12:3456::2 id 2 dev up2; to 2001:db8:9::2"));
    finds(&[("fault unique-local", "")]);
    cure("unique-local", "", &[&connection]);
    until_joined(&connection, 1);
    healthy();
}

/// A link-local address (fe80::/10) reaches nothing beyond its link.
#[test]
fn a_link_local_endpoint_is_found_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    add_address("up2", "fe80::9".parse().expect("an address"), 64);
    endpoints(&["fe80::9 id 9 dev up2 subflow"]);
    let listener = net.listen();
    let to = net.address(&listener, "2001:db8:9::2");
    let connection = Connection::open_to(&listener, to);
    let found = until_found("unique-local");
    assert!(found.evidence.starts_with("endpoint fe80::9 id 9 dev up2"));
    cure("unique-local", "", &[&connection]);
}

/// Within its network a ULA is as good as any address.
#[test]
fn a_unique_local_address_that_reaches_the_peer_is_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    net.router
        .inside(|| add_address("r2", "fd12:3456::1".parse().expect("an address"), 64));
    add_address("up2", "fd12:3456::2".parse().expect("an address"), 64);
    endpoints(&["fd12:3456::2 id 2 dev up2 subflow"]);
    net.server
        .inside(|| shell("ip -6 route add fd12:3456::/64 via 2001:db8:9::1"));
    let listener = net.listen();
    let connection = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    until_joined(&connection, 1);
    healthy();
}

/// The endpoint came before its route, and the kernel tries only once.
#[test]
fn a_subflow_tried_before_its_route_existed_is_found_and_cured() {
    let Some(net) = Net::fresh(2) else { return };
    let listener = net.listen();
    let connection = net.connect(&listener);
    // No neighbour answers ARP.
    net.router
        .inside(|| sysctl("ipv4/conf/r2/arp_ignore", "1").expect("arp_ignore"));
    kernel::add(UPLINK_2);
    until_found("no-route");
    until("the end of the subflow", || {
        connection.exchange(1);
        connection.subflows().filter(|count| *count == 0)
    });
    shell("ip route add default via 10.0.2.1 dev up2 metric 200");
    let found = finds(&[(
        "fault join-lost",
        "endpoint 10.0.2.2 id 2 dev up2; to 10.9.0.2",
    )]);
    let remedy = "ip-mptcp endpoint delete id 2; \
                  ip-mptcp endpoint add 10.0.2.2 id 2 dev up2 subflow";
    assert_eq!(found[0].remedy, remedy);
    cure_one(&found[0], "", &[&connection]);
    until_joined(&connection, 1);
    healthy();
}

/// A remedy that deletes the endpoint would close the subflows that work.
#[test]
fn subflows_missing_from_some_connections_are_a_note_without_commands() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    net.server.inside(|| limits(2, 0));
    let listener = net.listen();
    let old = [net.connect(&listener), net.connect(&listener)];
    for connection in &old {
        until("the end of the subflow", || {
            connection.exchange(1);
            connection.subflows().filter(|count| *count == 0)
        });
    }
    finds(&[(
        "fault join-lost",
        "connections without its subflow 2, with it 0",
    )]);
    net.server.inside(|| limits(2, 2));
    let _new = net.joined(&listener, 1);
    let found = finds(&[(
        "note join-lost",
        "connections without its subflow 2, with it 1",
    )]);
    assert!(!is_commands(&found[0].remedy), "{found:?}");
    // Two of many are no fault of the path; three are worth a note.
    let _many: Vec<_> = (0..4).map(|_| net.joined(&listener, 1)).collect();
    healthy();
    net.server.inside(|| limits(2, 0));
    let last = net.connect(&listener);
    until("the end of the subflow", || {
        last.exchange(1);
        last.subflows().filter(|count| *count == 0)
    });
    finds(&[(
        "note join-lost",
        "connections without its subflow 3, with it 5",
    )]);
}

/// The peer announces an address and refuses joins to it, which are not tried again.
#[test]
fn refused_joins_to_announced_addresses_are_found_and_forgotten_when_accepted() {
    let Some(net) = Net::routed(2) else { return };
    net.server.inside(|| {
        route_second_address();
        endpoints(&["10.9.1.2 id 2 dev srv1 signal"]);
    });
    let listener = net.server.inside(|| listen("10.9.0.2:0"));
    let connection = net.connect(&listener);
    until("the refusal", || {
        connection.exchange(1);
        (counter("MPJoinSynTx") > 0 && connection.subflows() == Some(0)).then_some(())
    });
    finds(&[(
        "fault join-lost",
        "with an announced address and no further subflow 1; AddAddr 1 MPJoinSynTx 1",
    )]);
    drop(connection);
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    until_healthy();
}

/// Where the limit forbids all further subflows, only the limit is named.
#[test]
fn a_server_whose_limit_is_0_is_found_once_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    net.server.inside(|| limits(0, 0));
    let listener = net.listen();
    let connection = net.connect(&listener);
    net.server.inside(|| {
        until_counted("MPJoinRejected");
        finds(&[("fault limit-subflows", "subflows 0")]);
        cure("limit-subflows", "", &[&connection]);
    });
    drop(connection);
    net.joined(&listener, 1);
}

#[test]
fn a_peer_whose_limits_refuse_subflows_is_found_on_both_sides_and_cured() {
    let Some(net) = Net::routed(3) else { return };
    endpoints(&[UPLINK_2, UPLINK_3]);
    net.server.inside(|| limits(2, 1));
    let listener = net.listen();
    let connection = net.connect(&listener);
    net.server.inside(|| {
        until("both joins", || {
            connection.exchange(1);
            (counter("MPJoinAckRx") > 0 && counter("MPJoinRejected") > 0).then_some(())
        });
        finds(&[("fault join-refused", "MPJoinRejected 1 MPJoinSynRx 2")]);
        cure("join-refused", "", &[&connection]);
        healthy();
    });
    finds(&[(
        "fault join-lost",
        "connections without its subflow 1, with it 0",
    )]);
    // The kernel there accepts no more subflows into a connection that was once full.
    drop(connection);
    let _connection = net.joined(&listener, 2);
    until_healthy();
}

/// #591: MPJoinSynTxConnectErr, MPJoinSynTxBindErr, MPJoinSynTxCreatSkErr.
#[test]
fn unreachable_announced_addresses_are_found() {
    let Some(_client) = Namespace::fresh() else {
        return;
    };
    let server = Namespace::another();
    for path in [1, 2] {
        let (here, there) = (format!("c{path}"), format!("s{path}"));
        veth(&here, &there, Some(&server));
        give(
            &here,
            &format!("10.0.{path}.2"),
            &format!("2001:db8:{path}::2"),
        );
        let far = (format!("10.0.{path}.1"), format!("2001:db8:{path}::1"));
        server.inside(|| give(&there, &far.0, &far.1));
    }
    add_address("c2", "fe80::c2".parse().expect("an address"), 64);
    server.inside(|| {
        add_address("s2", "fe80::51".parse().expect("an address"), 64);
        limits(4, 4);
        endpoints(&["fe80::51 id 1 dev s2 signal"]);
    });
    limits(4, 4);
    let listener = server.inside(|| listen("[::]:0"));
    let port = listener.local_addr().expect("its address").port();
    let to: IpAddr = "2001:db8:1::1".parse().expect("an address");
    let connection = Connection::open_to(&listener, (to, port).into());
    until("the failed subflow", || {
        connection.exchange(1);
        (counter("MPJoinSynTxConnectErr") > 0).then_some(())
    });
    finds(&[(
        "fault join-error",
        "AddAddr 1; MPJoinSynTxCreatSkErr 0 MPJoinSynTxBindErr 0 MPJoinSynTxConnectErr 1",
    )]);
    // The remedy, which is a sentence.
    kernel::add("fe80::c2 id 5 dev c2 laminar");
    drop(connection);
    let connection = Connection::open_to(&listener, (to, port).into());
    until_joined(&connection, 1);
    until_healthy();
}

/// Correct checksums, and a peer that does not read: its window is closed, and probes of it
/// are repeated.
#[test]
fn a_closed_window_and_valid_checksums_are_no_fault() {
    let Some(net) = Net::routed(2) else { return };
    for namespace in [&net.server, &Namespace::current()] {
        namespace.inside(|| sysctl("mptcp/checksum_enabled", "1").expect("checksums"));
    }
    endpoints(&[UPLINK_2, "10.0.1.2 id 1 dev up1 subflow backup"]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    connection.exchange(100_000);
    healthy();
    connection.client.set_nonblocking(true).expect("no waiting");
    // The timeout doubles each time it expires, for data as for a probe of the closed window.
    let backoff = || {
        let shown = Run::tool("-s connection show").run().success().stdout();
        let words: Vec<&str> = shown.split_whitespace().collect();
        let values = words.windows(2).filter(|pair| pair[0] == "backoff");
        values.filter_map(|pair| pair[1].parse::<u32>().ok()).max()
    };
    until("a window that stays closed", || {
        let _ = (&connection.client).write(&[b'x'; 65536]);
        (backoff() >= Some(4)).then_some(())
    });
    healthy();
}

/// A middlebox rewrites data on one path: MP_FAIL, DataCsumErr.
#[test]
fn a_middlebox_that_rewrites_data_is_found() {
    let Some(nft) = documents::installed("nft") else {
        return;
    };
    let Some(net) = Net::routed(2) else { return };
    for namespace in [&net.server, &Namespace::current()] {
        namespace.inside(|| sysctl("mptcp/checksum_enabled", "1").expect("checksums"));
    }
    endpoints(&[UPLINK_2, "10.0.1.2 id 1 dev up1 subflow backup"]);
    let listener = net.server.inside(|| listen("0.0.0.0:0"));
    net.router.inside(|| {
        shell(&format!(
            "{} 'add table ip f; add chain ip f c {{ type filter hook forward priority 0; }}; \
             add rule ip f c oifname r2 meta l4proto tcp ip length > 1000 @th,6400,8 set 0x41'",
            nft.display()
        ))
    });
    let connection = net.connect(&listener);
    until("MP_FAIL", || {
        connection.exchange(100_000);
        (counter("MPFailTx") > 0).then_some(())
    });
    let found = findings();
    assert!(
        found.len() == 1 && found[0].check == "mp-fail" && found[0].level == "fault",
        "{found:#?}"
    );
    net.server.inside(|| {
        let found = findings();
        assert!(
            found.len() == 1 && found[0].check == "mp-fail",
            "{found:#?}"
        );
    });
    // The path works again: new connections have the subflow.
    net.router
        .inside(|| shell(&format!("{} flush ruleset", nft.display())));
    drop(connection);
    let _connection = net.joined(&listener, 1);
    until_healthy();
}

/// A proxy and its server on one host.
#[test]
fn connections_over_loopback_are_no_fault() {
    let Some(_net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2, "10.0.1.2 id 1 dev up1 subflow"]);
    let listener = listen("0.0.0.0:0");
    let port = listener.local_addr().expect("its address").port();
    for own in ["127.0.0.1", "10.0.1.2"] {
        let address = (own.parse::<IpAddr>().expect("an address"), port).into();
        let connection = Connection::open_to(&listener, address);
        connection.exchange(1);
        healthy();
    }
}

/// An uplink dies during an upload.
#[test]
fn an_unanswered_subflow_is_found_and_forgotten_when_answered() {
    let Some(net) = Net::routed(2) else { return };
    // The other one is a backup, so that data use this one.
    endpoints(&[UPLINK_2, "10.0.1.2 id 1 dev up1 subflow backup"]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    net.block("10.0.2.2");
    connection.client.set_nonblocking(true).expect("no waiting");
    let found = until("subflow-stalled", || {
        // A full buffer will do as well.
        let _ = (&connection.client).write(&[b'x'; 100]);
        let mut found = findings().into_iter();
        found.find(|one| one.check == "subflow-stalled")
    });
    assert!(found
        .evidence
        .starts_with("endpoint 10.0.2.2 id 2 dev up2; to 10.9.0.2 port "));
    net.unblock("10.0.2.2");
    until_healthy();
}

#[test]
fn fullmesh_that_wants_more_than_the_limit_is_a_note_and_cured() {
    let Some(net) = Net::routed(2) else { return };
    limits(2, 1);
    endpoints(&[
        "10.0.1.2 id 1 dev up1 subflow fullmesh",
        "10.0.2.2 id 2 dev up2 subflow fullmesh",
    ]);
    net.server.inside(|| {
        route_second_address();
        limits(2, 8);
    });
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    healthy();
    limits(2, 2);
    net.server
        .inside(|| endpoints(&["10.9.1.2 id 2 dev srv1 signal"]));
    until_joined(&connection, 2);
    let found = finds(&[(
        "note limit-subflows",
        "full connections 1, possible further subflows 3",
    )]);
    cure_one(&found[0], "", &[&connection]);
    healthy();
}

/// A tunnel needs no router.
#[test]
fn a_remedy_for_an_interface_without_neighbours_names_no_router() {
    let Some(_net) = Net::fresh(1) else { return };
    shell(
        "ip link add tun7 type sit local 10.0.1.2 remote 10.0.1.1 2>/dev/null || \
           ip tuntap add dev tun7 mode tun; ip link set dev tun7 up; \
           ip address add 10.7.0.2/32 dev tun7",
    );
    endpoints(&["10.7.0.2 id 7 subflow"]);
    let found = findings();
    let Some(found) = found.iter().find(|one| one.check == "wrong-way") else {
        // A tunnel that nobody holds has no carrier.
        return finds(&[("fault endpoint-no-carrier", "10.7.0.2")]).clear();
    };
    let remedy = "ip route add default dev tun7 table 107; ip rule add from 10.7.0.2 table 107";
    assert_eq!(found.remedy, remedy);
    cure_one(found, "", &[]);
}

/// NetworkManager makes endpoints of its own, and undoes what others set.
#[test]
fn several_managers_of_endpoints_are_a_note() {
    let Some(_net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let folder = Folder::new("managers");
    let run = |name: &str| {
        let program = folder.path.join(name);
        if !program.exists() {
            std::fs::copy("/bin/sleep", &program).expect("a program of that name");
        }
        Run::program(&program).words("60").start()
    };
    let network_manager = run("NetworkManager");
    let started = |running: &ip_mptcp_tests::program::Running, name: &str| {
        let comm = format!("/proc/{}/comm", running.pid());
        until(name, || {
            let text = std::fs::read_to_string(&comm).ok()?;
            (text.trim_end() == name).then_some(())
        });
    };
    started(&network_manager, "NetworkManager");
    healthy();
    // One in another namespace does not matter.
    let elsewhere = Namespace::another().inside(|| run("mptcpd"));
    started(&elsewhere, "mptcpd");
    healthy();
    let mptcpd = run("mptcpd");
    started(&mptcpd, "mptcpd");
    finds(&[(
        "note other-manager",
        "NetworkManager and mptcpd run in this namespace; endpoints 1",
    )]);
}

/// Its first subflow is gone: the remaining one proves that the endpoint works, though it has
/// no default route.
#[test]
fn a_connection_that_lost_its_first_subflow_still_refutes() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let listener = net.listen();
    let connection = net.joined(&listener, 1);
    Run::tool("endpoint delete id 0 10.0.1.2").run().success();
    until("the end of the first subflow", || {
        connection.exchange(1);
        (working(&connection).len() == 1).then_some(())
    });
    shell(
        "ip route del default via 10.0.2.1 dev up2; \
         ip route add 10.9.0.0/24 via 10.0.2.1 dev up2 metric 9",
    );
    healthy();
}

// Peers, and what is counted.

#[test]
fn a_peer_without_mptcp_is_found_and_forgotten_with_its_connections() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let plain = net
        .server
        .inside(|| TcpListener::bind("10.9.0.2:0").expect("a TCP listener"));
    let client = connect(plain.local_addr().expect("its address")).expect("connect");
    let (server, _) = plain.accept().expect("accept");
    finds(&[(
        "fault fallback",
        "fallen back now 1, one of them to 10.9.0.2; with MPTCP 0",
    )]);
    // If other connections have MPTCP, this peer lacks it.
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    finds(&[(
        "note fallback",
        "fallen back now 1, one of them to 10.9.0.2; with MPTCP 1",
    )]);
    drop((client, server));
    until_healthy();
}

/// Blackhole, MPCapableSYNTXDisabled: new connections are TCP though the path works again.
#[test]
fn mptcp_suspended_by_blackhole_detection_is_found_and_cured() {
    let Some(nft) = documents::installed("nft") else {
        return;
    };
    let Some(net) = Net::routed(2) else { return };
    if sysctl("mptcp/blackhole_timeout", "3600").is_err() {
        return skip("this kernel does not suspend MPTCP");
    }
    // After this the next SYN has no MPTCP option.
    let _ = sysctl("mptcp/syn_retrans_before_tcp_fallback", "1");
    endpoints(&[UPLINK_2]);
    let listener = net.listen();
    net.router.inside(|| {
        shell(&format!(
            "{} 'add table ip f; add chain ip f c {{ type filter hook forward priority 0; }}; \
             add rule ip f c tcp option 30 exists drop'",
            nft.display()
        ))
    });
    let to = net.address(&listener, "10.9.0.2");
    let client = connect(to).expect("as TCP");
    drop((listener.accept().expect("accept"), client));
    net.router
        .inside(|| shell(&format!("{} flush ruleset", nft.display())));
    let found = until_found("blackhole");
    assert_eq!(found.level, "fault");
    assert_eq!(found.remedy, "sysctl -w net.mptcp.blackhole_timeout=3600");
    cure("blackhole", "", &[]);
    let _connection = net.joined(&listener, 1);
    until("no fault", || {
        let found = findings();
        found.iter().all(|one| one.level == "note").then_some(())
    });
}

/// Another host has the server's address, as behind a load balancer.
#[test]
fn joins_that_reach_another_host_are_a_fault_while_they_do_and_a_note_later() {
    let Some(net) = Net::fresh(2) else { return };
    let listener = net.listen();
    let port = listener.local_addr().expect("its address").port();
    let another = Namespace::another();
    veth("up5", "b5", Some(&another));
    add_address("up5", [10, 0, 5, 2].into(), 24);
    let _other = another.inside(|| {
        add_address("b5", [10, 0, 5, 1].into(), 24);
        add_address("lo", [10, 9, 0, 2].into(), 32);
        filter("all", "0");
        filter("b5", "0");
        listen(&format!("10.9.0.2:{port}"))
    });
    shell("ip route add default via 10.0.5.1 dev up5 metric 900");
    let connection = net.connect(&listener);
    another.inside(healthy);
    let then = another.inside(|| {
        let file = documents::Folder::new("then");
        let path = file.path.join("counters");
        let text = Run::tool("counters --all").run().success().stdout();
        std::fs::write(&path, text).expect("a file");
        (file, path)
    });
    kernel::add("10.0.5.2 id 5 dev up5 subflow");
    another.inside(|| {
        until_counted("MPJoinNoTokenFound");
        finds(&[("note join-failed", "MPJoinNoTokenFound 1 since the start")]);
        let found = findings_of(&format!("doctor --since {}", then.1.display()));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (found[0].level.as_str(), found[0].check.as_str()),
            ("fault", "join-failed")
        );
        let evidence = format!("MPJoinNoTokenFound +1 since {}", then.1.display());
        assert_eq!(found[0].evidence, evidence);
        let text = Run::tool("counters --all").run().success().stdout();
        std::fs::write(&then.1, text).expect("a file");
        let found = findings_of(&format!("doctor --since {}", then.1.display()));
        assert!(found.iter().all(|one| one.level == "note"), "{found:#?}");
    });
    until_found("join-lost");
    drop(connection);
}

#[test]
fn a_malformed_counters_file_is_refused() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = Folder::new("since");
    let path = folder.path.join("x");
    for content in ["AddAddr\n", "AddAddr x\n", "{\"AddAddr\":-1}\n"] {
        std::fs::write(&path, content).expect("a file");
        let output = Run::tool("doctor --since").arg(&path).run();
        assert_eq!(output.code(), 255, "{}", output.report());
        assert!(output.stderr().contains("not written by ip-mptcp counters"));
    }
    for options in ["", "-j", "-j -p"] {
        let written = Run::tool(options).words("counters --all").run().success();
        std::fs::write(&path, written.stdout()).expect("a file");
        let output = Run::tool("doctor --since").arg(&path).run();
        assert_ne!(output.code(), 255, "{}", output.report());
    }
    let missing = folder.path.join("missing");
    let output = Run::tool("doctor --since").arg(missing).run().failure(1);
    assert!(output.stderr().contains("missing"), "{}", output.report());
}

/// An IPv6 address with a port beside timestamps: AddAddrTxDrop.
#[test]
fn an_announcement_too_long_for_the_tcp_options_is_found_cured_and_forgotten() {
    let Some(net) = Net::fresh(1) else { return };
    net.server.inside(|| {
        shell("ip -6 route add default via 2001:db8:10::1 dev srv1 table 5; ip -6 rule add from 2001:db8:10::2 table 5");
        endpoints(&["2001:db8:10::2 id 2 dev srv1 port 7777 signal"]);
    });
    let listener = net.listen();
    let connection = Connection::open_to(&listener, net.address(&listener, "2001:db8:9::2"));
    net.server.inside(|| {
        until("the drop", || {
            connection.exchange(1);
            (counter("AddAddrTxDrop") > 0).then_some(())
        });
        finds(&[(
            "fault add-addr-dropped",
            "endpoint 2001:db8:10::2 id 2 dev srv1; AddAddrTxDrop ",
        )]);
        cure("add-addr-dropped", "", &[&connection]);
    });
    until_joined(&connection, 1);
    net.server.inside(healthy);
}

/// The client drops packets from that address as martians, since it has it itself.
#[test]
fn lost_announcements_are_found_and_forgotten_when_they_arrive() {
    let Some(net) = Net::routed(2) else { return };
    let listener = net.listen();
    let _connection = net.connect(&listener);
    net.server.inside(|| {
        route_second_address();
        sysctl("mptcp/add_addr_timeout", "0").expect("no time-out");
    });
    add_address("up2", [10, 9, 0, 2].into(), 32);
    net.server.inside(|| {
        kernel::add("10.9.1.2 id 2 dev srv1 signal");
        until_counted("AddAddrTx");
        finds(&[("fault add-addr-unanswered", "AddAddrTx 1 EchoAdd 0")]);
    });
    delete_address("up2", [10, 9, 0, 2].into(), 32);
    let _another = net.joined(&listener, 1);
    net.server.inside(healthy);
}

/// A server that no longer announces anything.
#[test]
fn announcements_that_were_lost_once_are_a_note() {
    let Some(net) = Net::routed(2) else { return };
    let listener = net.listen();
    let earlier = net.connect(&listener);
    net.server
        .inside(|| sysctl("mptcp/add_addr_timeout", "0").expect("no time-out"));
    add_address("up2", [10, 9, 0, 2].into(), 32);
    net.server.inside(|| {
        kernel::add("10.9.1.2 id 2 dev srv1 signal");
        until_counted("AddAddrTx");
    });
    delete_address("up2", [10, 9, 0, 2].into(), 32);
    drop(earlier);
    net.server
        .inside(|| Run::tool("endpoint flush").run().success());
    let connection = net.connect(&listener);
    connection.exchange(1);
    net.server.inside(|| {
        finds(&[(
            "note add-addr-unanswered",
            "AddAddrTx 1 EchoAdd 0 since the start of this namespace, nothing lately",
        )])
    });
}

// What is printed.

/// Pasted outside of the namespace of `-n`, and as `ip` where the program was called so.
#[test]
fn remedies_act_in_the_namespace_that_was_looked_at() {
    let Some(_net) = Net::routed(2) else { return };
    let Some(ip) = iproute2() else {
        return skip("remedies of other programs need `ip` of iproute2");
    };
    let name = Namespace::current().name("it's here");
    let quoted = r"'it'\''s here'";
    if Run::program(ip)
        .words("netns exec \"it's here\" true")
        .run()
        .code()
        != 0
    {
        return skip("ip netns exec may not mount /sys here");
    }
    let path = name.path.to_str().expect("a path");
    let outside = Namespace::another();
    let before = outside.inside(kernel::state);
    endpoints(&[UPLINK_2]);
    for given in ["it's here", path] {
        limits(0, 0);
        link_down("up2");
        sysctl("mptcp/enabled", "0").expect("disabled");
        outside.inside(|| {
            let look = || findings_of(&format!("-n \"{given}\" doctor"));
            let found = look();
            let checks: Vec<_> = found.iter().map(|one| one.check.as_str()).collect();
            assert_eq!(checks, ["disabled", "endpoint-down", "limit-subflows"]);
            for finding in &found {
                assert!(is_commands(&finding.remedy), "{finding:?}");
                shell(&finding.remedy);
            }
            let found = look();
            assert!(
                !found.iter().any(|one| checks.contains(&&*one.check)),
                "{found:?}"
            );
        });
    }
    limits(0, 0);
    let folder = Folder::new("ip");
    std::os::unix::fs::symlink(binary(), folder.path.join("ip")).expect("a link");
    outside.inside(|| {
        let text = Run::ip("-n \"it's here\" mptcp doctor").run().stdout();
        let remedy = format!("ip -n {quoted} mptcp limits set subflows 2");
        assert!(text.contains(&format!("remedy: {remedy}\n")), "{text}");
        Run::program(Path::new("/bin/sh"))
            .arg("-ec")
            .arg(remedy)
            .env("PATH", &folder.search_path())
            .run()
            .success();
        let text = Run::ip("-n \"it's here\" mptcp doctor").run().stdout();
        assert!(!text.contains("limit-subflows"), "{text}");
        assert_eq!(kernel::state(), before);
    });
}

/// CAP_NET_ADMIN is not needed.
#[test]
fn an_unprivileged_user_sees_the_same_findings() {
    let Some(net) = Net::routed(2) else { return };
    endpoints(&[UPLINK_2]);
    let listener = net.listen();
    let _connection = net.joined(&listener, 1);
    let before = kernel::state();
    Run::tool("doctor").unprivileged().run().success();
    assert_eq!(kernel::state(), before);
    link_down("up2");
    let text = Run::tool("doctor").unprivileged().run();
    let expected = "fault endpoint-down: the interface of an endpoint is down\n    \
                    evidence: endpoint 10.0.2.2 id 2 dev up2\n    \
                    remedy: ip link set dev up2 up\n";
    assert_eq!((text.stdout().as_str(), text.code()), (expected, 1));
}

/// For every finding that the man page explains there are tests of its cause, of its
/// look-alike, and of its remedy.
#[test]
fn every_finding_of_the_man_page_has_its_tests() {
    let page = documents::read("cli/ip-mptcp.8");
    let start = page.find(".It Cm doctor").expect("doctor");
    let part = page[start..].split("\n.Sh ").next().expect("a part");
    let explained: BTreeSet<&str> = part
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .filter(|name| !name.contains(' '))
        .collect();
    let proven: BTreeSet<&str> = PROOFS.iter().map(|[check, ..]| *check).collect();
    assert_eq!(proven, explained);
    let tests = include_str!("doctor.rs");
    let body = |name: &str| {
        let rest = tests.split(&format!("#[test]\nfn {name}() {{")).nth(1);
        let rest = rest.unwrap_or_else(|| panic!("there is no test {name}"));
        rest.split("\n}\n").next().expect("its body")
    };
    for [check, cause, harmless, cured] in PROOFS {
        let found = body(cause);
        let named = [
            format!("\"{check}\""),
            format!("fault {check}"),
            format!("note {check}"),
        ];
        assert!(
            named.iter().any(|name| found.contains(name)),
            "{check}: {cause}"
        );
        let seen = if *harmless == SAME {
            found
        } else {
            body(harmless)
        };
        let harmless_words = ["healthy", "\"note", "no fault", "!output.stdout().contains"];
        assert!(
            harmless_words.iter().any(|word| seen.contains(word)),
            "{check}: {harmless}"
        );
        let executed = match *cured {
            WORDS => continue,
            SAME => found,
            other => body(other),
        };
        let commands = ["cure(", "cure_one(", ".remedy)"];
        assert!(
            commands.iter().any(|word| executed.contains(word)),
            "{check}: {cured}"
        );
    }
}
