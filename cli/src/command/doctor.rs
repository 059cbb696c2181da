//! `doctor`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};
use mptcp_codec::route::request::Lookup;

use super::health::{tally, Host, Presence, Tally};
use crate::connections;
use crate::error::Result;
use crate::kernel::proc::{self, Counter};
use crate::kernel::{sys, Diagnostics};
use crate::output::{address, number, vanished, Output};
use crate::session::Session;

/// The exit status where something is wrong.
const WRONG: u8 = 1;

pub fn run(session: &mut Session) -> Result<u8> {
    if session.out.style.json {
        session.out.begin_array("");
    }
    let count = match session.path_manager() {
        Ok(_) => examine(session)?,
        Err(error) if error.errno() == libc::ENOENT as u32 => {
            let mut report = Report {
                out: &mut session.out,
                count: 0,
            };
            report.find(
                "no-mptcp",
                "this kernel has no MPTCP",
                b"there is no netlink family \"mptcp_pm\"",
                b"run Linux 5.7 or newer with CONFIG_MPTCP=y",
            )?;
            report.count
        }
        Err(error) => return Err(error),
    };
    let out = &mut session.out;
    if out.style.json {
        out.end_array()?;
    } else if count == 0 {
        out.text("nothing is wrong");
        out.end_line()?;
    }
    Ok(if count == 0 { 0 } else { WRONG })
}

/// Where findings go.
struct Report<'o> {
    out: &'o mut Output,
    count: usize,
}

impl Report<'_> {
    /// Something is wrong: the name of the check, what is wrong, how that is
    /// known, and what mends it.
    fn find(&mut self, check: &str, what: &str, evidence: &[u8], remedy: &[u8]) -> Result<()> {
        self.count += 1;
        let out = &mut *self.out;
        let members: [(&str, &[u8]); 4] = [
            ("check", check.as_bytes()),
            ("message", what.as_bytes()),
            ("evidence", evidence),
            ("remedy", remedy),
        ];
        if out.style.json {
            out.begin_object("");
            for (name, value) in members {
                out.json_string(name, value);
            }
            return out.end_object();
        }
        for piece in [check, ": ", what] {
            out.text(piece);
        }
        out.end_line()?;
        for (name, value) in members.iter().skip(2) {
            out.text("    ");
            out.text(name);
            out.text(": ");
            out.bytes(value);
            out.end_line()?;
        }
        Ok(())
    }
}

/// The limits of the path manager.
#[derive(Copy, Clone)]
struct Limits {
    subflows: u64,
    add_addr_accepted: u64,
}

impl Limits {
    fn text(self) -> Vec<u8> {
        [
            b"limits: add_addr_accepted ",
            number(self.add_addr_accepted).as_bytes(),
            b" subflows ",
            number(self.subflows).as_bytes(),
        ]
        .concat()
    }
}

/// What this host does, as far as its sockets show.
struct Role {
    serves: bool,
    calls: bool,
}

impl Role {
    fn only_serves(&self) -> bool {
        self.serves && !self.calls
    }

    /// No join was answered, and that is amiss: a server with an endpoint for
    /// subflows tries it too, but clients do not listen.
    fn misses_answers(&self, counters: &Counters) -> bool {
        let none = counters.of("MPJoinSynTx") > 0 && counters.of("MPJoinSynAckRx") == 0;
        none && !self.only_serves()
    }
}

/// How long the answer to a join may take, in milliseconds.
const ANSWER: i32 = 1000;

/// Looks at everything; returns the number of findings.
fn examine(session: &mut Session) -> Result<usize> {
    let path_manager = session.path_manager()?;
    let limits = path_manager.limits()?;
    let limits = Limits {
        subflows: limits.subflows().unwrap_or(0).into(),
        add_addr_accepted: limits.add_addr_accepted().unwrap_or(0).into(),
    };
    let listener = path_manager.has_listener();
    let mut host = Host::read(session)?;
    let tally = tally(session, &host.places)?;
    let mut listening = Vec::new();
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    connections::listeners(&mut diagnostics, &mut |socket| {
        listening.extend(socket.source.map(|address| address.to_canonical()));
        Ok(())
    })?;
    let role = Role {
        serves: !listening.is_empty() || tally.servers > 0,
        calls: tally.clients > 0,
    };
    let mut counters = Counters(proc::counters().unwrap_or_default());
    if role.misses_answers(&counters) {
        // The answer may be on its way. Time over, or a signal: go on.
        let _ = sys::poll_all(&mut [], ANSWER);
        counters = Counters(proc::counters().unwrap_or_default());
    }
    let mut report = Report {
        out: &mut session.out,
        count: 0,
    };
    let report = &mut report;
    if proc::sysctl(b"mptcp/enabled").is_some_and(|value| value == b"0") {
        report.find(
            "disabled",
            "MPTCP is switched off: new sockets get TCP",
            b"net.mptcp.enabled=0",
            b"sysctl -w net.mptcp.enabled=1",
        )?;
    }
    match chosen() {
        Chosen::Kernel => {
            check_limits(report, limits, &host)?;
            check_use(report, limits, &host, &role)?;
            check_heard(report, &host, &listening)?;
            for endpoint in host.places.endpoints() {
                check_presence(report, &host, endpoint)?;
            }
            check_ways(report, &mut host, &tally)?;
            if counters.of("AddAddr") > 0 && limits.add_addr_accepted == 0 && role.calls {
                report.find(
                    "add-addr-ignored",
                    "addresses that peers announce are not used",
                    &[&counters.text(&["AddAddr"]), b"; " as &[u8], &limits.text()].concat(),
                    b"ip-mptcp limits set add_addr_accepted 2",
                )?;
            }
        }
        Chosen::UserSpace if listener == Some(false) => report.find(
            "no-listener",
            "the user-space path manager is chosen, and none is running",
            b"net.mptcp.path_manager=userspace; nobody in this namespace listens to events",
            b"start the path manager (mptcpd, or a script with ip-mptcp monitor), \
              or sysctl -w net.mptcp.path_manager=kernel",
        )?,
        Chosen::UserSpace | Chosen::Other => {}
    }
    check_counters(report, &counters, &tally, &role)?;
    Ok(report.count)
}

/// The path manager of new connections.
enum Chosen {
    Kernel,
    UserSpace,
    Other,
}

fn chosen() -> Chosen {
    match proc::sysctl(b"mptcp/path_manager").as_deref() {
        Some(b"kernel") => Chosen::Kernel,
        Some(b"userspace") => Chosen::UserSpace,
        Some(_) => Chosen::Other,
        // Before Linux 6.15.
        None => match proc::sysctl(b"mptcp/pm_type").as_deref() {
            None | Some(b"0") => Chosen::Kernel,
            Some(b"1") => Chosen::UserSpace,
            Some(_) => Chosen::Other,
        },
    }
}

fn flags(endpoint: &Endpoint) -> EndpointFlags {
    endpoint.flags().unwrap_or_default()
}

/// Those that somebody made.
fn made(host: &Host) -> impl Iterator<Item = &Endpoint> {
    let all = host.places.endpoints().iter();
    all.filter(|endpoint| !flags(endpoint).contains(EndpointFlags::IMPLICIT))
}

fn check_limits(report: &mut Report, limits: Limits, host: &Host) -> Result<()> {
    // A connection is of one family, mostly, and its first subflow takes one
    // of the addresses.
    let most = [EndpointFlags::SUBFLOW, EndpointFlags::SIGNAL]
        .into_iter()
        .flat_map(|flag| {
            [false, true].map(|v6| {
                made(host)
                    .filter(|endpoint| flags(endpoint).contains(flag))
                    .filter(|endpoint| matches!(endpoint.address(), Some(IpAddr::V6(_))) == v6)
                    .count() as u64
            })
        })
        .max()
        .unwrap_or(0);
    if limits.subflows > 0 && most <= limits.subflows + 1 {
        return Ok(());
    }
    let wanted = number(most.clamp(2, 8));
    let what = if limits.subflows == 0 {
        "no connection may have a second subflow"
    } else {
        "there are more endpoints than connections may have subflows"
    };
    let endpoints = number(most);
    report.find(
        "limit-subflows",
        what,
        &[
            &limits.text(),
            b"; endpoints of one kind: " as &[u8],
            endpoints.as_bytes(),
        ]
        .concat(),
        &[b"ip-mptcp limits set subflows " as &[u8], wanted.as_bytes()].concat(),
    )
}

/// Whether the endpoints are of use to this host.
fn check_use(report: &mut Report, limits: Limits, host: &Host, role: &Role) -> Result<()> {
    let any = |flag: EndpointFlags| made(host).any(|one| (flags(one) & flag).0 != 0);
    let opening = EndpointFlags::SUBFLOW | EndpointFlags::FULLMESH | EndpointFlags::LAMINAR;
    let only_serves = role.only_serves();
    if made(host).next().is_none() {
        if !role.serves && limits.add_addr_accepted == 0 {
            report.find(
                "no-endpoints",
                "nothing makes this host open further subflows",
                &[b"no endpoints; " as &[u8], &limits.text()].concat(),
                b"ip-mptcp endpoint add ADDRESS dev IF subflow, for each further path",
            )?;
        }
        return Ok(());
    }
    if !role.serves && !any(opening) {
        report.find(
            "signal-only",
            "endpoints are only announced, and this host accepts no connections: \
             no subflow is opened from them",
            b"no endpoint has the flag subflow; no MPTCP socket listens",
            b"ip-mptcp endpoint delete id N; ip-mptcp endpoint add ADDRESS dev IF subflow",
        )?;
    } else if only_serves && !any(EndpointFlags::SIGNAL) {
        report.find(
            "subflow-only",
            "endpoints are only for subflows from here, but clients take none from a server: \
             they have to learn of the addresses",
            b"no endpoint has the flag signal; MPTCP sockets listen, none has connected",
            b"ip-mptcp endpoint delete id N; ip-mptcp endpoint add ADDRESS signal",
        )?;
    } else if limits.add_addr_accepted == 0
        && !only_serves
        && any(EndpointFlags::FULLMESH | EndpointFlags::LAMINAR)
    {
        report.find(
            "fullmesh-idle",
            "fullmesh and laminar are for addresses that peers announce, \
             and none is accepted",
            &limits.text(),
            b"ip-mptcp limits set add_addr_accepted 2",
        )?;
    }
    Ok(())
}

/// Whether somebody listens where peers are asked to come. The kernel does so
/// itself for an endpoint with a port.
fn check_heard(report: &mut Report, host: &Host, listening: &[IpAddr]) -> Result<()> {
    let Some(bound) = listening.first() else {
        return Ok(());
    };
    for endpoint in made(host) {
        let Some(address) = endpoint.address().map(|address| address.to_canonical()) else {
            continue;
        };
        let heard = |at: &IpAddr| at.is_unspecified() || *at == address;
        if !flags(endpoint).contains(EndpointFlags::SIGNAL)
            || endpoint.port().unwrap_or(0) != 0
            || listening.iter().any(heard)
        {
            continue;
        }
        let mut evidence = endpoint_text(host, endpoint);
        evidence.extend_from_slice(b"; MPTCP sockets listen only at others, as ");
        evidence.extend_from_slice(&crate::output::address(*bound));
        report.find(
            "signal-unheard",
            "an address is announced at which nobody listens: subflows to it are refused",
            &evidence,
            &fill(
                "let the server listen on all addresses (0.0.0.0 or ::), or announce a port: \
                 ip-mptcp endpoint delete id N; ip-mptcp endpoint add ADDRESS port PORT signal",
                host,
                endpoint,
            ),
        )?;
    }
    Ok(())
}

/// A remedy with the address, interface and id of an endpoint in it.
fn fill(template: &str, host: &Host, endpoint: &Endpoint) -> Vec<u8> {
    let mut text = Vec::new();
    for word in template.split_inclusive([' ', ';', ',']) {
        let end = word.len() - usize::from(word.ends_with([' ', ';', ',']));
        let (name, rest) = word.split_at(end);
        match name {
            "ADDRESS" => {
                let address = endpoint.address().map(address);
                text.extend_from_slice(&address.unwrap_or_default());
            }
            "N" => text.extend_from_slice(number(endpoint.id().unwrap_or(0).into()).as_bytes()),
            "IF" if host.interface_of(endpoint) != 0 => {
                text.extend_from_slice(&interface_text(host, host.interface_of(endpoint)));
            }
            _ => text.extend_from_slice(name.as_bytes()),
        }
        text.extend_from_slice(rest.as_bytes());
    }
    text
}

/// `endpoint ADDRESS id N`, with the interface that it names.
fn endpoint_text(host: &Host, endpoint: &Endpoint) -> Vec<u8> {
    let id = number(endpoint.id().unwrap_or(0).into());
    let address = endpoint.address().map(address).unwrap_or_default();
    let mut text = [b"endpoint ", &address[..], b" id ", id.as_bytes()].concat();
    if let Some(index) = endpoint.if_idx().filter(|index| *index != 0) {
        text.extend_from_slice(b" dev ");
        text.extend_from_slice(&interface_text(host, index as u32));
    }
    text
}

fn interface_text(host: &Host, index: u32) -> Vec<u8> {
    match host.interface(index) {
        Some(interface) => interface.name.clone(),
        None => vanished(index),
    }
}

fn check_presence(report: &mut Report, host: &Host, endpoint: &Endpoint) -> Result<()> {
    let presence = host.presence(endpoint);
    let (check, what, remedy) = match presence {
        Presence::Up => return Ok(()),
        Presence::Down => (
            "endpoint-down",
            "the interface of an endpoint is down",
            "ip link set dev IF up",
        ),
        Presence::NoCarrier => (
            "endpoint-no-carrier",
            "the interface of an endpoint is not connected",
            "see to the cable, modem or access point",
        ),
        Presence::NoDevice => (
            "endpoint-no-device",
            "the interface of an endpoint has gone",
            "ip-mptcp endpoint delete id N, and add it again where the address is",
        ),
        Presence::NoAddress => (
            "endpoint-no-address",
            "the address of an endpoint is on no interface",
            "ip address add ADDRESS dev IF, or ip-mptcp endpoint delete id N",
        ),
        Presence::OtherDevice => (
            "endpoint-other-device",
            "the address of an endpoint is on another interface than the one it names",
            "ip-mptcp endpoint delete id N, and add it again with that interface",
        ),
    };
    let mut evidence = endpoint_text(host, endpoint);
    let found = endpoint.address().map(|it| host.places.of_address(it));
    if let (Presence::OtherDevice, Some(index)) = (presence, found) {
        evidence.extend_from_slice(b"; the address is on ");
        evidence.extend_from_slice(&interface_text(host, index));
    }
    report.find(check, what, &evidence, &fill(remedy, host, endpoint))
}

/// Some address out in the world (RFC 5737, RFC 3849), where no peer is known.
const ANYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
];

/// Whether packets find their way from each endpoint to the peers.
fn check_ways(report: &mut Report, host: &mut Host, tally: &Tally) -> Result<()> {
    let mut peers: Vec<IpAddr> = tally.peers.clone();
    peers.retain(|peer| !peer.is_loopback() && host.places.of_address(*peer) == 0);
    if peers.is_empty() {
        for peer in ANYWHERE {
            // Where even the first path does not lead there, it tells nothing.
            if host.routes.way(&Lookup::new(peer))?.is_some() {
                peers.push(peer);
            }
        }
    }
    let endpoints: Vec<Endpoint> = made(host)
        .filter(|endpoint| flags(endpoint).contains(EndpointFlags::SUBFLOW))
        .filter(|endpoint| host.presence(endpoint) == Presence::Up)
        .copied()
        .collect();
    for endpoint in &endpoints {
        let Some(address) = endpoint.address().map(|address| address.to_canonical()) else {
            continue;
        };
        for peer in &peers {
            if peer.is_ipv4() == address.is_ipv4()
                && check_way(report, host, endpoint, address, *peer)?
            {
                break;
            }
        }
    }
    Ok(())
}

/// Tells whether something is wrong on the way from an endpoint to a peer.
fn check_way(
    report: &mut Report,
    host: &mut Host,
    endpoint: &Endpoint,
    address: IpAddr,
    peer: IpAddr,
) -> Result<bool> {
    let index = host.interface_of(endpoint);
    let bound = endpoint.if_idx().unwrap_or(0) != 0;
    let lookup = Lookup::new(peer).with_source(address);
    let free = host.routes.way(&lookup)?;
    let route = if bound {
        host.routes
            .way(&lookup.with_output(index).matching_route())?
    } else {
        free
    };
    let name = interface_text(host, index);
    let mut evidence = endpoint_text(host, endpoint);
    evidence.extend_from_slice(b"; to ");
    evidence.extend_from_slice(&crate::output::address(peer));
    if ANYWHERE.contains(&peer) {
        evidence.extend_from_slice(b" as to any host");
    }
    let policy = &fill(
        "ip route add default via GATEWAY dev IF table 100; ip rule add from ADDRESS table 100",
        host,
        endpoint,
    );
    let Some(output) = route else {
        evidence.extend_from_slice(b": no route");
        report.find(
            "no-route",
            "no route leads to the peer from the address of an endpoint, by its interface",
            &evidence,
            policy,
        )?;
        return Ok(true);
    };
    if output != index {
        evidence.extend_from_slice(b": by ");
        evidence.extend_from_slice(&interface_text(host, output));
        evidence.extend_from_slice(b", the address is on ");
        evidence.extend_from_slice(&name);
        report.find(
            "wrong-way",
            "packets from the address of an endpoint leave by another interface",
            &evidence,
            policy,
        )?;
        return Ok(true);
    }
    let filter = |name: &[u8]| {
        let path = [b"ipv4/conf/", name, b"/rp_filter"].concat();
        proc::sysctl(&path).unwrap_or_default()
    };
    let strictest = filter(b"all").max(filter(&name));
    if peer.is_ipv4() && free != Some(index) && strictest == b"1" {
        evidence.extend_from_slice(b"; rp_filter is 1 on ");
        evidence.extend_from_slice(&name);
        report.find(
            "rp-filter",
            "answers to an endpoint are dropped: by the routes they should come in elsewhere",
            &evidence,
            &[
                b"sysctl -w net.ipv4.conf.",
                &name[..],
                b".rp_filter=2, or give the address its own routes (ip rule)",
            ]
            .concat(),
        )?;
        return Ok(true);
    }
    Ok(false)
}

/// The kernel's counters.
struct Counters(Vec<Counter>);

impl Counters {
    /// The value; 0 where this kernel does not count that.
    fn of(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|one| one.name == name.as_bytes());
        found.map_or(0, |counter| counter.value)
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().map(|name| self.of(name)).sum()
    }

    /// `NAME VALUE` of those that are not 0.
    fn text(&self, names: &[&str]) -> Vec<u8> {
        let mut text = Vec::new();
        for name in names {
            let value = self.of(name);
            if value != 0 {
                if !text.is_empty() {
                    text.extend_from_slice(b" ");
                }
                text.extend_from_slice(name.as_bytes());
                text.extend_from_slice(b" ");
                text.extend_from_slice(number(value).as_bytes());
            }
        }
        text
    }
}

/// What went wrong with peers and on the way to them, as counters tell.
fn check_counters(
    report: &mut Report,
    counters: &Counters,
    tally: &Tally,
    role: &Role,
) -> Result<()> {
    const FALLBACKS: [&str; 8] = [
        "MPCapableFallbackSYNACK",
        "MPCapableFallbackACK",
        "MPCapableSYNTXDrop",
        "MPCapableSYNTXDisabled",
        "Blackhole",
        "MPCapableDataFallback",
        "DssFallback",
        "DSSCorruptionFallback",
    ];
    const OPENED: [&str; 2] = ["MPCapableSYNTX", "MPCapableSYNRX"];
    // A peer without MPTCP now and then is the way of the world.
    let fallbacks = counters.sum(&FALLBACKS);
    if fallbacks > 0 && (tally.fallbacks > 0 || fallbacks * 4 >= counters.sum(&OPENED)) {
        let shown: Vec<&str> = FALLBACKS.iter().chain(&OPENED).copied().collect();
        let now = number(tally.fallbacks);
        report.find(
            "fallback",
            "connections fall back to TCP: peers without MPTCP, \
             or something on the way takes its options out",
            &[
                &counters.text(&shown),
                b"; fallen back now: " as &[u8],
                now.as_bytes(),
            ]
            .concat(),
            b"ip-mptcp connection show fallback lists the peers; look on the way with \
              tcpdump -v 'tcp[tcpflags] & tcp-syn != 0' for mptcp",
        )?;
    }
    if role.misses_answers(counters) {
        let shown = ["MPJoinSynTx", "MPRstRx"];
        report.find(
            "join-unanswered",
            "no further subflow was answered: the peer refuses them, \
             or something on the way drops them",
            &[&counters.text(&shown), b" MPJoinSynAckRx 0" as &[u8]].concat(),
            b"at the peer, whose server has to listen on all addresses: \
              ip-mptcp limits set subflows 8; look for firewalls on the further paths",
        )?;
    }
    if counters.of("MPJoinRejected") > 0 {
        report.find(
            "join-refused",
            "subflows of peers were refused here: more than the limits allow, \
             or the user-space path manager was away",
            &counters.text(&["MPJoinRejected", "MPJoinSynRx"]),
            b"ip-mptcp limits set subflows 8, or keep the path manager running",
        )?;
    }
    let broken = ["MPJoinSynAckHMacFailure", "MPJoinAckHMacFailure"];
    let lost = counters.of("MPJoinNoTokenFound");
    if counters.sum(&broken) > 0 || lost > counters.of("MPJoinAckRx") {
        report.find(
            "join-failed",
            "subflows reached a host that does not have their connection, \
             or were changed on the way",
            &counters.text(&["MPJoinNoTokenFound", broken[0], broken[1]]),
            b"behind a load balancer: sysctl -w net.mptcp.allow_join_initial_addr_port=0, \
              and announce an address of each server",
        )?;
    }
    const DROPS: [&str; 3] = ["AddAddrDrop", "AddAddrTxDrop", "EchoAddTxDrop"];
    if counters.sum(&DROPS) > 0 {
        report.find(
            "add-addr-dropped",
            "announcements of addresses were dropped",
            &counters.text(&DROPS),
            b"ip-mptcp endpoint delete id N: announce fewer addresses, \
              and none of IPv6 with a port",
        )?;
    }
    Ok(())
}
