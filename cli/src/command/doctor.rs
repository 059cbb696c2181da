//! `doctor`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::mptcp::EndpointFlags;
use mptcp_codec::route::request::Lookup;

use super::health::{Host, Presence, Tally};
use super::places::Place;
use crate::connections;
use crate::error::Result;
use crate::kernel::proc::{self, Counter};
use crate::kernel::{sys, Diagnostics, Interfaces};
use crate::output::{Output, Text};
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
            let host = Host::default();
            let mut report = Report::new(&mut session.out, &host);
            report.find(&Finding {
                check: "no-mptcp",
                what: "this kernel has no MPTCP",
                evidence: "there is no netlink family \"mptcp_pm\"",
                remedy: "run Linux 5.7 or newer with CONFIG_MPTCP=y",
            })?;
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

/// Something that can be wrong.
struct Finding {
    /// The name of the check.
    check: &'static str,
    /// What is wrong.
    what: &'static str,
    /// How that is known; what the report has noted follows.
    evidence: &'static str,
    /// What mends it. ADDRESS, IF and N stand for the address, interface and
    /// id of the endpoint that it is about.
    remedy: &'static str,
}

/// Where findings go.
struct Report<'h> {
    out: &'h mut Output,
    host: &'h Host,
    count: usize,
    // Of what is found next: more evidence, the endpoint that it is about,
    // and what N stands for.
    evidence: Text,
    place: Option<&'h Place>,
    number: Option<u64>,
}

impl<'h> Report<'h> {
    fn new(out: &'h mut Output, host: &'h Host) -> Self {
        Self {
            out,
            host,
            count: 0,
            evidence: Text::default(),
            place: None,
            number: None,
        }
    }

    /// Something is wrong.
    fn find(&mut self, finding: &Finding) -> Result<()> {
        self.count += 1;
        let mut evidence = Text::default();
        evidence.bytes(finding.evidence.as_bytes());
        evidence.bytes(self.evidence.as_bytes());
        let mut remedy = Text::default();
        self.fill(finding.remedy.as_bytes(), &mut remedy);
        self.evidence.clear();
        self.place = None;
        self.number = None;
        let members = [
            ("check", finding.check.as_bytes()),
            ("message", finding.what.as_bytes()),
            ("evidence", evidence.as_bytes()),
            ("remedy", remedy.as_bytes()),
        ];
        let out = &mut *self.out;
        if out.style.json {
            out.begin_object("");
        }
        for (at, (name, value)) in members.iter().enumerate() {
            if out.style.json {
                out.json_string(name, value);
                continue;
            }
            if at > 1 {
                out.text("    ");
                out.text(name);
                out.text(": ");
            }
            out.bytes(value);
            if at == 0 {
                out.text(": ");
            } else {
                out.end_line()?;
            }
        }
        if out.style.json {
            out.end_object()?;
        }
        Ok(())
    }

    /// A remedy with what the words in it stand for.
    fn fill(&self, mut template: &[u8], remedy: &mut Text) {
        while !template.is_empty() {
            let capitals = template.iter().take_while(|byte| byte.is_ascii_uppercase());
            let len = capitals.count().max(1);
            let Some((word, rest)) = template.split_at_checked(len) else {
                break;
            };
            template = rest;
            match (self.place, self.number) {
                (_, Some(number)) if word == b"N" => remedy.number(number),
                (Some(place), _) if word == b"ADDRESS" => put_address(remedy, place),
                (Some(place), _) if word == b"IF" && place.interface != 0 => {
                    remedy.bytes(&self.host.name(place.interface));
                }
                _ => remedy.bytes(word),
            }
        }
    }

    /// What is found next is about this endpoint: `endpoint ADDRESS id N`,
    /// with the interface that it names.
    fn about(&mut self, place: &'h Place) {
        let endpoint = &place.endpoint;
        let id = endpoint.id().unwrap_or(0).into();
        self.place = Some(place);
        self.number = Some(id);
        self.note("endpoint ");
        put_address(&mut self.evidence, place);
        self.note_number(" id ", id);
        if place.is_bound() {
            self.note_interface(" dev ", place.interface);
        }
    }

    fn note(&mut self, text: &str) {
        self.evidence.bytes(text.as_bytes());
    }

    fn note_number(&mut self, text: &str, number: u64) {
        self.note(text);
        self.evidence.number(number);
    }

    fn note_interface(&mut self, text: &str, index: u32) {
        self.note(text);
        self.evidence.bytes(&self.host.name(index));
    }

    fn note_limits(&mut self, limits: &Limits) {
        self.note_number("limits: add_addr_accepted ", limits.add_addr_accepted);
        self.note_number(" subflows ", limits.subflows);
    }
}

fn put_address(text: &mut Text, place: &Place) {
    if let Some(address) = place.endpoint.address() {
        text.address(address);
    }
}

/// The limits of the path manager.
struct Limits {
    subflows: u64,
    add_addr_accepted: u64,
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
    let mut routes = Interfaces::open(session.receive_buffer())?;
    let mut host = Host::default();
    host.read(session, &mut routes)?;
    let mut tally = Tally::default();
    tally.count(session, &host.places)?;
    let mut listening = Vec::new();
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    connections::listeners(&mut diagnostics, &mut |socket| {
        if let Some(address) = &socket.source {
            listening.push(address.to_canonical());
        }
        Ok(())
    })?;
    let role = Role {
        serves: !listening.is_empty() || tally.servers > 0,
        calls: tally.clients > 0,
    };
    let mut counters = Counters(Vec::new());
    // Where there are none, none tells that something is wrong.
    let _ = proc::counters(&mut counters.0);
    if role.misses_answers(&counters) {
        // The answer may be on its way. Time over, or a signal: go on.
        let _ = sys::poll_all(&mut [], ANSWER);
        let _ = proc::counters(&mut counters.0);
    }
    let report = &mut Report::new(&mut session.out, &host);
    if proc::sysctl_is(b"mptcp/enabled", b"0") {
        report.find(&Finding {
            check: "disabled",
            what: "MPTCP is switched off: new sockets get TCP",
            evidence: "net.mptcp.enabled=0",
            remedy: "sysctl -w net.mptcp.enabled=1",
        })?;
    }
    match chosen() {
        Chosen::Kernel => {
            check_limits(report, &limits)?;
            check_use(report, &limits, &role)?;
            check_heard(report, &listening)?;
            for place in host.places.all() {
                check_presence(report, place)?;
            }
            check_ways(report, &mut routes, &tally)?;
            if counters.of("AddAddr") > 0 && limits.add_addr_accepted == 0 && role.calls {
                counters.note(report, &["AddAddr"]);
                report.note("; ");
                report.note_limits(&limits);
                report.find(&Finding {
                    check: "add-addr-ignored",
                    what: "addresses that peers announce are not used",
                    evidence: "",
                    remedy: "ip-mptcp limits set add_addr_accepted 2",
                })?;
            }
        }
        Chosen::UserSpace if listener == Some(false) => report.find(&Finding {
            check: "no-listener",
            what: "the user-space path manager is chosen, and none is running",
            evidence:
                "net.mptcp.path_manager=userspace; nobody in this namespace listens to events",
            remedy: "start the path manager (mptcpd, or a script with ip-mptcp monitor), \
                     or sysctl -w net.mptcp.path_manager=kernel",
        })?,
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
    let mut name = proc::sysctl(b"mptcp/path_manager");
    if name.is_none() {
        // Before Linux 6.15.
        name = proc::sysctl(b"mptcp/pm_type");
    }
    let Some(name) = name else {
        return Chosen::Kernel;
    };
    if name == b"kernel" || name == b"0" {
        Chosen::Kernel
    } else if name == b"userspace" || name == b"1" {
        Chosen::UserSpace
    } else {
        Chosen::Other
    }
}

fn check_limits(report: &mut Report, limits: &Limits) -> Result<()> {
    // A connection is of one family, mostly, and its first subflow takes one
    // of the addresses.
    let mut most = 0;
    for &flag in &[EndpointFlags::SUBFLOW, EndpointFlags::SIGNAL] {
        for &v6 in &[false, true] {
            let mut count = 0;
            for place in report.host.places.made() {
                let is_v6 = place.endpoint.addr6().is_some();
                count += u64::from(is_v6 == v6 && place.flags().contains(flag));
            }
            most = most.max(count);
        }
    }
    if limits.subflows > 0 && most <= limits.subflows + 1 {
        return Ok(());
    }
    report.note_limits(limits);
    report.note_number("; endpoints of one kind: ", most);
    report.number = Some(most.clamp(2, 8));
    const REMEDY: &str = "ip-mptcp limits set subflows N";
    report.find(if limits.subflows == 0 {
        &Finding {
            check: "limit-subflows",
            what: "no connection may have a second subflow",
            evidence: "",
            remedy: REMEDY,
        }
    } else {
        &Finding {
            check: "limit-subflows",
            what: "there are more endpoints than connections may have subflows",
            evidence: "",
            remedy: REMEDY,
        }
    })
}

/// Whether the endpoints are of use to this host.
fn check_use(report: &mut Report, limits: &Limits, role: &Role) -> Result<()> {
    let mut flags = EndpointFlags::default();
    let mut none = true;
    for place in report.host.places.made() {
        flags |= place.flags();
        none = false;
    }
    let any = |wanted: EndpointFlags| (flags & wanted).0 != 0;
    let opening = EndpointFlags::SUBFLOW | EndpointFlags::FULLMESH | EndpointFlags::LAMINAR;
    let only_serves = role.only_serves();
    let deaf = limits.add_addr_accepted == 0;
    let finding = if none {
        if role.serves || !deaf {
            return Ok(());
        }
        report.note_limits(limits);
        &Finding {
            check: "no-endpoints",
            what: "nothing makes this host open further subflows",
            evidence: "no endpoints; ",
            remedy: "ip-mptcp endpoint add ADDRESS dev IF subflow, for each further path",
        }
    } else if !role.serves && !any(opening) {
        &Finding {
            check: "signal-only",
            what: "endpoints are only announced, and this host accepts no connections: \
                   no subflow is opened from them",
            evidence: "no endpoint has the flag subflow; no MPTCP socket listens",
            remedy: "ip-mptcp endpoint delete id N; ip-mptcp endpoint add ADDRESS dev IF subflow",
        }
    } else if only_serves && !any(EndpointFlags::SIGNAL) {
        &Finding {
            check: "subflow-only",
            what: "endpoints are only for subflows from here, but clients take none from \
                   a server: they have to learn of the addresses",
            evidence: "no endpoint has the flag signal; MPTCP sockets listen, none has connected",
            remedy: "ip-mptcp endpoint delete id N; ip-mptcp endpoint add ADDRESS signal",
        }
    } else if deaf && !only_serves && any(EndpointFlags::FULLMESH | EndpointFlags::LAMINAR) {
        report.note_limits(limits);
        &Finding {
            check: "fullmesh-idle",
            what: "fullmesh and laminar are for addresses that peers announce, \
                   and none is accepted",
            evidence: "",
            remedy: "ip-mptcp limits set add_addr_accepted 2",
        }
    } else {
        return Ok(());
    };
    report.find(finding)
}

/// Whether somebody listens where peers are asked to come. The kernel does so
/// itself for an endpoint with a port.
fn check_heard(report: &mut Report, listening: &[IpAddr]) -> Result<()> {
    let Some(bound) = listening.first() else {
        return Ok(());
    };
    let places = &report.host.places;
    for place in places.made() {
        let Some(address) = &place.address else {
            continue;
        };
        let heard = |at: &IpAddr| at.is_unspecified() || at == address;
        if !place.flags().contains(EndpointFlags::SIGNAL)
            || place.endpoint.port().unwrap_or(0) != 0
            || listening.iter().any(heard)
        {
            continue;
        }
        report.about(place);
        report.note("; MPTCP sockets listen only at others, as ");
        report.evidence.address(*bound);
        report.find(&Finding {
            check: "signal-unheard",
            what: "an address is announced at which nobody listens: subflows to it are refused",
            evidence: "",
            remedy: "let the server listen on all addresses (0.0.0.0 or ::), or announce a port: \
                     ip-mptcp endpoint delete id N; \
                     ip-mptcp endpoint add ADDRESS port PORT signal",
        })?;
    }
    Ok(())
}

fn check_presence<'h>(report: &mut Report<'h>, place: &'h Place) -> Result<()> {
    let presence = report.host.presence(place);
    let finding = match presence {
        Presence::Up => return Ok(()),
        Presence::Down => &Finding {
            check: "endpoint-down",
            what: "the interface of an endpoint is down",
            evidence: "",
            remedy: "ip link set dev IF up",
        },
        Presence::NoCarrier => &Finding {
            check: "endpoint-no-carrier",
            what: "the interface of an endpoint is not connected",
            evidence: "",
            remedy: "see to the cable, modem or access point",
        },
        Presence::NoDevice => &Finding {
            check: "endpoint-no-device",
            what: "the interface of an endpoint has gone",
            evidence: "",
            remedy: "ip-mptcp endpoint delete id N, and add it again where the address is",
        },
        Presence::NoAddress => &Finding {
            check: "endpoint-no-address",
            what: "the address of an endpoint is on no interface",
            evidence: "",
            remedy: "ip address add ADDRESS dev IF, or ip-mptcp endpoint delete id N",
        },
        Presence::OtherDevice => &Finding {
            check: "endpoint-other-device",
            what: "the address of an endpoint is on another interface than the one it names",
            evidence: "",
            remedy: "ip-mptcp endpoint delete id N, and add it again with that interface",
        },
    };
    report.about(place);
    if let (Presence::OtherDevice, Some(address)) = (presence, &place.address) {
        let index = report.host.places.of_address(address);
        report.note_interface(THE_ADDRESS, index);
    }
    report.find(finding)
}

const THE_ADDRESS: &str = "; the address is on ";

/// Some address out in the world (RFC 5737, RFC 3849), where no peer is known.
static ANYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
];

/// Whether packets find their way from each endpoint to the peers.
fn check_ways(report: &mut Report, routes: &mut Interfaces, tally: &Tally) -> Result<()> {
    let host = report.host;
    let mut peers = Vec::new();
    for peer in &tally.peers {
        if !peer.is_loopback() && host.places.of_address(peer) == 0 {
            peers.push(peer);
        }
    }
    if peers.is_empty() {
        for peer in &ANYWHERE {
            // Where even the first path does not lead there, it tells nothing.
            if routes.way(&Lookup::new(*peer))?.is_some() {
                peers.push(peer);
            }
        }
    }
    for place in host.places.made() {
        if !place.flags().contains(EndpointFlags::SUBFLOW) || host.presence(place) != Presence::Up {
            continue;
        }
        let before = report.count;
        for peer in &peers {
            check_way(report, routes, place, peer)?;
            if report.count > before {
                break;
            }
        }
    }
    Ok(())
}

/// Whether something is wrong on the way from an endpoint to a peer.
fn check_way<'h>(
    report: &mut Report<'h>,
    routes: &mut Interfaces,
    place: &'h Place,
    peer: &IpAddr,
) -> Result<()> {
    let index = place.interface;
    let address = match &place.address {
        Some(address) if address.is_ipv4() == peer.is_ipv4() => *address,
        _ => return Ok(()),
    };
    let lookup = Lookup::new(*peer).with_source(address);
    let free = routes.way(&lookup)?;
    let route = if place.is_bound() {
        routes.way(&lookup.with_output(index).matching_route())?
    } else {
        free
    };
    let name = report.host.name(index);
    const POLICY: &str =
        "ip route add default via GATEWAY dev IF table 100; ip rule add from ADDRESS table 100";
    let finding = if route.is_none() {
        &Finding {
            check: "no-route",
            what: "no route leads to the peer from the address of an endpoint, by its interface",
            evidence: "",
            remedy: POLICY,
        }
    } else if route != Some(index) {
        &Finding {
            check: "wrong-way",
            what: "packets from the address of an endpoint leave by another interface",
            evidence: "",
            remedy: POLICY,
        }
    } else if peer.is_ipv4() && free != Some(index) && filter(b"all").max(filter(&name)) == b"1" {
        &Finding {
            check: "rp-filter",
            what: "answers to an endpoint are dropped: by the routes they should come in elsewhere",
            evidence: "",
            remedy: "sysctl -w net.ipv4.conf.IF.rp_filter=2, \
                     or give the address its own routes (ip rule)",
        }
    } else {
        return Ok(());
    };
    report.about(place);
    report.note("; to ");
    report.evidence.address(*peer);
    if ANYWHERE.contains(peer) {
        report.note(" as to any host");
    }
    match route {
        None => report.note(": no route"),
        Some(output) if output == index => report.note_interface("; rp_filter is 1 on ", index),
        Some(output) => {
            report.note_interface(": by ", output);
            report.note_interface(", the address is on ", index);
        }
    }
    report.find(finding)
}

/// How an interface looks at where packets come from.
fn filter(interface: &[u8]) -> Vec<u8> {
    let path = [b"ipv4/conf/", interface, b"/rp_filter"].concat();
    proc::sysctl(&path).unwrap_or_default()
}

/// The kernel's counters.
struct Counters(Vec<Counter>);

impl Counters {
    /// The value; 0 where this kernel does not count that.
    fn of(&self, name: &str) -> u64 {
        for counter in &self.0 {
            if counter.name == name.as_bytes() {
                return counter.value;
            }
        }
        0
    }

    fn sum(&self, names: &[&str]) -> u64 {
        let mut sum = 0;
        for name in names {
            sum += self.of(name);
        }
        sum
    }

    /// Notes `NAME VALUE` of those that are not 0.
    fn note(&self, report: &mut Report, names: &[&str]) {
        for name in names {
            let value = self.of(name);
            if value != 0 {
                if !report.evidence.as_bytes().is_empty() {
                    report.note(" ");
                }
                report.note(name);
                report.note_number(" ", value);
            }
        }
    }
}

/// What went wrong with peers and on the way to them, as counters tell.
fn check_counters(
    report: &mut Report,
    counters: &Counters,
    tally: &Tally,
    role: &Role,
) -> Result<()> {
    const FALLBACKS: &[&str] = &[
        "MPCapableFallbackSYNACK",
        "MPCapableFallbackACK",
        "MPCapableSYNTXDrop",
        "MPCapableSYNTXDisabled",
        "Blackhole",
        "MPCapableDataFallback",
        "DssFallback",
        "DSSCorruptionFallback",
    ];
    const OPENED: &[&str] = &["MPCapableSYNTX", "MPCapableSYNRX"];
    // A peer without MPTCP now and then is the way of the world.
    let fallbacks = counters.sum(FALLBACKS);
    if fallbacks > 0 && (tally.fallbacks > 0 || fallbacks * 4 >= counters.sum(OPENED)) {
        counters.note(report, FALLBACKS);
        counters.note(report, OPENED);
        report.note_number("; fallen back now: ", tally.fallbacks);
        report.find(&Finding {
            check: "fallback",
            what: "connections fall back to TCP: peers without MPTCP, \
                   or something on the way takes its options out",
            evidence: "",
            remedy: "ip-mptcp connection show fallback lists the peers; look on the way with \
                     tcpdump -v 'tcp[tcpflags] & tcp-syn != 0' for mptcp",
        })?;
    }
    if role.misses_answers(counters) {
        counters.note(report, &["MPJoinSynTx", "MPRstRx"]);
        report.note(" MPJoinSynAckRx 0");
        report.find(&Finding {
            check: "join-unanswered",
            what: "no further subflow was answered: the peer refuses them, \
                   or something on the way drops them",
            evidence: "",
            remedy: "at the peer, whose server has to listen on all addresses: \
                     ip-mptcp limits set subflows 8; look for firewalls on the further paths",
        })?;
    }
    if counters.of("MPJoinRejected") > 0 {
        counters.note(report, &["MPJoinRejected", "MPJoinSynRx"]);
        report.find(&Finding {
            check: "join-refused",
            what: "subflows of peers were refused here: more than the limits allow, \
                   or the user-space path manager was away",
            evidence: "",
            remedy: "ip-mptcp limits set subflows 8, or keep the path manager running",
        })?;
    }
    const BROKEN: &[&str] = &["MPJoinSynAckHMacFailure", "MPJoinAckHMacFailure"];
    const LOST: &str = "MPJoinNoTokenFound";
    if counters.sum(BROKEN) > 0 || counters.of(LOST) > counters.of("MPJoinAckRx") {
        counters.note(report, &[LOST]);
        counters.note(report, BROKEN);
        report.find(&Finding {
            check: "join-failed",
            what: "subflows reached a host that does not have their connection, \
                   or were changed on the way",
            evidence: "",
            remedy: "behind a load balancer: \
                     sysctl -w net.mptcp.allow_join_initial_addr_port=0, \
                     and announce an address of each server",
        })?;
    }
    const DROPS: &[&str] = &["AddAddrDrop", "AddAddrTxDrop", "EchoAddTxDrop"];
    if counters.sum(DROPS) > 0 {
        counters.note(report, DROPS);
        report.find(&Finding {
            check: "add-addr-dropped",
            what: "announcements of addresses were dropped",
            evidence: "",
            remedy: "ip-mptcp endpoint delete id N: announce fewer addresses, \
                     and none of IPv6 with a port",
        })?;
    }
    Ok(())
}
