//! `doctor`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};
use mptcp_codec::route::request::Lookup;

use crate::args::Options;
use crate::error::{Result, Status};
use crate::host::health::{Host, Presence};
use crate::host::places::{address, is_bound, is_ipv4, key, key_of, Key};
use crate::kernel::proc::{self, decimal, Counters};
use crate::session::Session;
use crate::session::{Command, Does};
use crate::sys;
use crate::text::{nth, take, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "doctor",
    about: "Find out why subflows do not appear.",
    words: "",
    help: "Each finding comes with its evidence and with what fixes it. Counters count from the \
            start of the network namespace: what they show may be over.\n\
            Exit status: 0 nothing is wrong, 1 something is.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp doctor || logger 'MPTCP is ill'",
    does: Does::Options(run),
};

/// The exit status where something is wrong.
const WRONG: Status = 1;

/// Whoever looks for what is wrong.
struct Doctor<'s> {
    session: &'s mut Session,
    host: &'s mut Host,
    counters: Counters,
    // So much is wrong.
    count: usize,
    // Among it are endpoints from which packets find no way.
    astray: bool,
    // The line that is being filled in.
    text: Text,
    // The value of a sysctl.
    value: Vec<u8>,
    // What is looked at.
    at: usize,
    endpoint: Endpoint,
    peer: Key,
    way: u32,
    number: u64,
}

#[inline(never)]
pub fn run(session: &mut Session, _: &Options) -> Result<Status> {
    let mut doctor = Doctor {
        session,
        host: &mut Host::new(),
        counters: Counters::default(),
        count: 0,
        astray: false,
        text: Text::default(),
        value: Vec::new(),
        at: 0,
        endpoint: Endpoint::EMPTY,
        peer: 0,
        way: 0,
        number: 0,
    };
    let json = doctor.session.out.style.json;
    if json {
        doctor.session.out.begin_array("");
    }
    match doctor.session.path_manager() {
        Ok(_) => doctor.examine()?,
        Err(error) if error.errno() == libc::ENOENT as u32 => doctor.find(
            b"no-mptcp\n\
              this kernel has no MPTCP\n\
              there is no netlink family \"mptcp_pm\"\n\
              run Linux 5.7 or newer with CONFIG_MPTCP=y",
        )?,
        Err(error) => return Err(error),
    }
    let out = &mut doctor.session.out;
    if json {
        out.end_array();
    } else if doctor.count == 0 {
        out.text("nothing is wrong");
        out.end_line();
    }
    Ok(if doctor.count == 0 { 0 } else { WRONG })
}

/// How long the answer to a join may take, in milliseconds.
const ANSWER: i32 = 1000;

/// Some address out in the world (RFC 5737, RFC 3849), where no peer is known.
static ANYWHERE: [Key; 2] = [
    key(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))),
    key(IpAddr::V6(Ipv6Addr::new(
        0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1,
    ))),
];

/// Something that can be wrong. The lines are the name of the check, what is
/// wrong, how that is known, and what mends it. In them `%` and one more
/// stand for what [`Doctor::put`] puts there.
type Finding = [u8];

/// What is wrong with endpoints of each presence but the first, which is up.
const ABSENCES: &[u8] = b"endpoint-down\n\
    the interface of an endpoint is down\n\
    %0\n\
    ip link set dev %I up\
    \0\
    endpoint-no-carrier\n\
    the interface of an endpoint is not connected\n\
    %0\n\
    see to the cable, modem or access point\
    \0\
    endpoint-no-device\n\
    the interface of an endpoint has gone\n\
    %0\n\
    %2%N, and add it again where the address is\
    \0\
    endpoint-no-address\n\
    the address of an endpoint is on no interface\n\
    %0\n\
    ip address add %A dev %I, or %2%N\
    \0\
    endpoint-other-device\n\
    the address of an endpoint is on another interface than the one it names\n\
    %0; the address is on %o\n\
    %2%N, and add it again with that interface";

/// The counters of connections that fell back to TCP.
const FALLBACKS: &[u8] = b"MPCapableFallbackSYNACK MPCapableFallbackACK MPCapableSYNTXDrop \
    MPCapableSYNTXDisabled Blackhole MPCapableDataFallback DssFallback DSSCorruptionFallback";

/// What is often said, by the digit behind `%`.
const PHRASES: &[u8] = b"endpoint %A id %N%D\0\
    limits: add_addr_accepted %a subflows %s\0\
    ip-mptcp endpoint delete id \0\
    ip-mptcp endpoint add \0\
    ip-mptcp limits set \0\
    ip%v route add default via GATEWAY dev %I table 100; ip%v rule add from %A table 100";

impl Doctor<'_> {
    /// Something is wrong.
    fn find(&mut self, mut finding: &Finding) -> Result<()> {
        self.count += 1;
        let json = self.session.out.style.json;
        if json {
            self.session.out.begin_object("");
        }
        static LABELS: [&str; 4] = ["check", "message", "evidence", "remedy"];
        for (at, label) in LABELS.iter().enumerate() {
            self.text.clear();
            self.fill(take(&mut finding, b'\n'));
            let out = &mut self.session.out;
            if json {
                out.json_string(label, self.text.as_bytes());
                continue;
            }
            if at > 1 {
                out.text("    ");
                out.text(label);
                out.text(": ");
            }
            out.bytes(self.text.as_bytes());
            if at == 0 {
                out.text(": ");
            } else {
                out.end_line();
            }
        }
        if json {
            self.session.out.end_object();
        }
        Ok(())
    }

    /// A line, with what stands for something filled in.
    fn fill(&mut self, mut line: &[u8]) {
        loop {
            self.text.bytes(take(&mut line, b'%'));
            let Some((mark, rest)) = line.split_first() else {
                return;
            };
            line = rest;
            if *mark == b'F' {
                self.put_counters(FALLBACKS);
            } else if *mark == b'(' {
                self.put_counters(take(&mut line, b')'));
            } else {
                self.put(*mark);
            }
        }
    }

    /// What a letter behind `%` stands for.
    fn put(&mut self, mark: u8) {
        let host = &*self.host;
        match mark {
            // The endpoint: its address, id, and interface.
            b'A' => self.put_address(key_of(&self.endpoint)),
            b'N' => self.text.number(self.endpoint.id().unwrap_or(0).into()),
            b'I' => match host.places.of_endpoint(&self.endpoint) {
                0 => self.text.bytes(b"IF"),
                index => self.put_interface(index),
            },
            // The option of its family for ip(8).
            b'v' if is_ipv4(key_of(&self.endpoint)) => {}
            b'v' => self.text.bytes(b" -6"),
            // The interface that it names, if it does.
            b'D' if is_bound(&self.endpoint) => self.fill(b" dev %I"),
            b'D' => {}
            // The interface that has its address.
            b'o' => self.put_interface(host.places.addresses.interface(key_of(&self.endpoint))),
            b'P' => self.put_address(self.peer),
            b'h' if ANYWHERE.contains(&self.peer) => self.text.bytes(b" as to any host"),
            b'h' => {}
            b'W' => self.put_interface(self.way),
            b'#' => self.text.number(self.number),
            // As many subflows as so many endpoints need.
            b'+' => self.text.number(self.number.clamp(2, 8)),
            // The limits.
            b'a' => self.text.number(host.add_addr_accepted.into()),
            b's' => self.text.number(host.more_subflows.into()),
            digit => self.fill(nth(PHRASES, 0, usize::from(digit.wrapping_sub(b'0')))),
        }
    }

    fn put_address(&mut self, key: Key) {
        self.text.address(address(key));
    }

    fn put_interface(&mut self, index: u32) {
        self.text.bytes(self.host.name(index));
    }

    /// `NAME VALUE` of those of these counters that are not 0.
    fn put_counters(&mut self, mut names: &[u8]) {
        while !names.is_empty() {
            let name = take(&mut names, b' ');
            let value = self.counters.of(name);
            if value != 0 {
                if !self.text.as_bytes().is_empty() {
                    self.text.byte(b' ');
                }
                self.text.bytes(name);
                self.text.byte(b' ');
                self.text.number(value);
            }
        }
    }

    /// The sum of these counters.
    fn sum(&self, mut names: &[u8]) -> u64 {
        let mut sum = 0;
        while !names.is_empty() {
            sum += self.counters.of(take(&mut names, b' '));
        }
        sum
    }

    /// As far as its sockets show, this host calls nobody.
    fn only_serves(&self) -> bool {
        self.host.serves && !self.host.calls
    }

    /// No join was answered, or so few that it tells, and that is amiss: a
    /// server with an endpoint for subflows tries it too, but clients do not
    /// listen.
    fn misses_answers(&self) -> bool {
        let sent = self.sum(b"MPJoinSynTx");
        let answered = self.sum(b"MPJoinSynAckRx");
        let few = answered == 0 || answered * 2 <= sent && !self.host.serves;
        sent > 0 && few && !self.only_serves()
    }

    /// Announcements go out, again and again, and peers do not confirm them.
    fn misses_echoes(&self) -> bool {
        self.sum(b"EchoAdd") * 2 < self.sum(b"AddAddrTx")
    }

    /// Peers announce addresses, and this host is not to use them.
    fn ignores(&self) -> bool {
        self.sum(b"AddAddr") > 0 && self.host.add_addr_accepted == 0 && self.host.calls
    }

    /// Goes on to the next endpoint; behind the last comes the first again.
    #[inline(never)]
    fn next(&mut self) -> bool {
        match self.host.places.endpoints.get(self.at) {
            Some(endpoint) => {
                self.endpoint = *endpoint;
                self.at += 1;
                true
            }
            None => {
                self.at = 0;
                false
            }
        }
    }

    /// Whether the endpoint has this flag, and somebody made it.
    fn has(&self, flag: EndpointFlags) -> bool {
        let flags = self.endpoint.flags().unwrap_or_default();
        flags & (flag | EndpointFlags::IMPLICIT) == flag
    }

    /// Asks for the way to the peer: from the endpoint, out of the interface
    /// with this index, where that is not 0.
    fn ask(&mut self, from: Key, index: u32) -> Result<()> {
        let source = address(from);
        let mut lookup = Lookup::new(address(self.peer));
        if from != 0 {
            lookup = lookup.with_source(source);
        }
        if index != 0 {
            lookup = lookup.with_output(index).matching_route();
        }
        if let Some(routes) = &mut self.host.places.routes {
            self.way = routes.way(&lookup)?.unwrap_or(0);
        }
        Ok(())
    }

    /// Looks at everything.
    #[inline(never)]
    fn examine(&mut self) -> Result<()> {
        let listener = self.session.path_manager()?.has_listener();
        self.host.read(self.session)?;
        self.host.count(self.session, true)?;
        // Where there are none, none tells that something is wrong.
        let _ = self.counters.read();
        if self.misses_answers() || self.misses_echoes() {
            // The answer may be on its way. Time over, or a signal: go on.
            let _ = sys::poll_all(&mut [], ANSWER);
            let _ = self.counters.read();
        }
        proc::sysctl(b"enabled", &mut self.value);
        if is_any(b"0", &self.value) {
            self.find(
                b"disabled\n\
                  MPTCP is switched off: new sockets get TCP\n\
                  net.mptcp.enabled=0\n\
                  sysctl -w net.mptcp.enabled=1",
            )?;
        }
        // The path manager of new connections; before Linux 6.15 a number.
        proc::sysctl(b"path_manager", &mut self.value);
        if self.value.is_empty() {
            proc::sysctl(b"pm_type", &mut self.value);
        }
        // Where there is neither, it is the kernel's.
        if is_any(b" kernel 0", &self.value) {
            self.check_endpoints()?;
        } else if listener == Some(false) && is_any(b"userspace 1", &self.value) {
            self.find(
                b"no-listener\n\
                  the user-space path manager is chosen, and none is running\n\
                  net.mptcp.path_manager=userspace; nobody in this namespace listens to events\n\
                  start the path manager (mptcpd, or a script with ip-mptcp monitor), \
                  or sysctl -w net.mptcp.path_manager=kernel",
            )?;
        }
        self.check_counters()
    }

    /// Whether the kernel's path manager can do with limits and endpoints what
    /// is expected of it.
    fn check_endpoints(&mut self) -> Result<()> {
        self.find_peers()?;
        let told = self.check_use()?;
        self.check_heard()?;
        let before = self.count;
        while self.next() {
            let presence = self.host.presence(&self.endpoint);
            if presence != Presence::Up {
                self.find(nth(ABSENCES, 0, presence as usize - 1))?;
            }
        }
        self.check_ways()?;
        self.astray = self.count > before;
        if self.ignores() && !told {
            self.find(
                b"add-addr-ignored\n\
                  addresses that peers announce are not used\n\
                  %(AddAddr); %1\n\
                  %4add_addr_accepted 2",
            )?;
        }
        self.number = self.host.bereft;
        let lost = self.number > 0 && !self.host.joined;
        if lost && !self.astray && !self.misses_answers() {
            self.find(
                b"join-lost\n\
                  further subflows were opened and are gone: the peer takes none, \
                  or something on the way breaks them\n\
                  connections without them now: %#;%(MPJoinSynTx MPJoinSynAckRx)\n\
                  at the peer: %4subflows 8; \
                  ip-mptcp monitor --event SF_CLOSED tells when it happens again",
            )?;
        }
        Ok(())
    }

    /// Whether limits and endpoints are of use to this host; tells whether
    /// announced addresses are a part of what is wrong.
    #[inline(never)]
    fn check_use(&mut self) -> Result<bool> {
        let mut all = EndpointFlags::default();
        let mut none = true;
        // A connection is of one family, mostly. So each kind is counted for
        // each family, in a byte: there are not more ids. One of the addresses
        // may be that of the first subflow.
        let mut counts = 0_u32;
        let mut firsts = 0x0101_u32;
        while self.next() {
            if !self.has(EndpointFlags::default()) {
                continue;
            }
            none = false;
            all |= self.endpoint.flags().unwrap_or_default();
            let family = 8 * u32::from(is_ipv4(key_of(&self.endpoint)));
            counts += u32::from(self.has(EndpointFlags::SIGNAL)) << family;
            if self.has(EndpointFlags::SUBFLOW) {
                let one = 1 << (16 + family);
                counts += one;
                if firsts & one == 0 && self.is_first()? {
                    firsts |= one;
                }
            }
        }
        self.number = 0;
        let mut further = 0;
        for (count, first) in counts.to_ne_bytes().into_iter().zip(firsts.to_ne_bytes()) {
            self.number = self.number.max(count.into());
            further = further.max(u32::from(count.saturating_sub(first)));
        }
        if self.host.more_subflows == 0 {
            self.find(
                b"limit-subflows\n\
                  no connection may have a second subflow\n\
                  %1; endpoints of one kind: %#\n\
                  %4subflows %+",
            )?;
        } else if further > self.host.more_subflows {
            self.find(
                b"limit-subflows\n\
                  there are more endpoints than connections may have subflows\n\
                  %1; endpoints of one kind: %#\n\
                  %4subflows %+",
            )?;
        }
        let any = |wanted: EndpointFlags| (all & wanted).0 != 0;
        let wide = EndpointFlags::FULLMESH | EndpointFlags::LAMINAR;
        let serves = self.host.serves;
        let deaf = self.host.add_addr_accepted == 0;
        if none {
            if serves || !deaf || self.ignores() {
                return Ok(false);
            }
            self.find(
                b"no-endpoints\n\
                  nothing makes this host open further subflows\n\
                  no endpoints; %1\n\
                  %3ADDRESS dev IF subflow, for each further path",
            )?;
        } else if !serves && !any(wide | EndpointFlags::SUBFLOW) {
            self.find(
                b"signal-only\n\
                  endpoints are only announced, and this host accepts no connections: \
                  no subflow is opened from them\n\
                  no endpoint has the flag subflow; no MPTCP socket listens\n\
                  %2N; %3ADDRESS dev IF subflow",
            )?;
        } else if self.only_serves() {
            if any(EndpointFlags::SIGNAL) {
                return Ok(false);
            }
            self.find(
                b"subflow-only\n\
                  endpoints are only for subflows from here, but clients take none from \
                  a server: they have to learn of the addresses\n\
                  no endpoint has the flag signal; MPTCP sockets listen, none has connected\n\
                  %2N; %3ADDRESS signal",
            )?;
        } else if deaf && any(wide) {
            self.find(
                b"fullmesh-idle\n\
                  fullmesh and laminar are for addresses that peers announce, \
                  and none is accepted\n\
                  %1\n\
                  %4add_addr_accepted 2",
            )?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether somebody listens where peers are asked to come. The kernel does
    /// so itself for an endpoint with a port.
    #[inline(never)]
    fn check_heard(&mut self) -> Result<()> {
        let Some(bound) = self.host.listening.first() else {
            return Ok(());
        };
        self.peer = *bound;
        while self.next() {
            if self.has(EndpointFlags::SIGNAL)
                && self.endpoint.port().unwrap_or(0) == 0
                && !self.host.hears(key_of(&self.endpoint))
            {
                self.find(
                    b"signal-unheard\n\
                      an address is announced at which nobody listens: \
                      subflows to it are refused\n\
                      %0; MPTCP sockets listen only at others, as %P\n\
                      let the server listen on all addresses (0.0.0.0 or ::), \
                      or announce a port: \
                      %2%N; %3%A port PORT signal",
                )?;
            }
        }
        Ok(())
    }

    /// Where no peer is known, any is one.
    #[inline(never)]
    fn find_peers(&mut self) -> Result<()> {
        if self.host.peers.is_empty() {
            for peer in &ANYWHERE {
                self.peer = *peer;
                self.ask(0, 0)?;
                // Where even the first path does not lead there, it tells
                // nothing.
                if self.way != 0 {
                    self.host.peers.push(*peer);
                }
            }
        }
        Ok(())
    }

    /// Whether the first subflow of a connection may be from this endpoint:
    /// such a one is not a further one.
    fn is_first(&mut self) -> Result<bool> {
        let mut known = false;
        let mut at = 0;
        while self.next_peer(&mut at) {
            known = true;
            self.ask(0, 0)?;
            if self.way == self.host.places.of_endpoint(&self.endpoint) {
                return Ok(true);
            }
        }
        Ok(!known)
    }

    /// Goes on to the next peer of the family of the endpoint, from number `at`
    /// on; whether there is one.
    fn next_peer(&mut self, at: &mut usize) -> bool {
        let ipv4 = is_ipv4(key_of(&self.endpoint));
        while let Some(peer) = self.host.peers.get(*at) {
            *at += 1;
            if is_ipv4(*peer) == ipv4 {
                self.peer = *peer;
                return true;
            }
        }
        false
    }

    /// Whether packets find their way from each endpoint to the peers.
    #[inline(never)]
    fn check_ways(&mut self) -> Result<()> {
        while self.next() {
            if self.has(EndpointFlags::SUBFLOW)
                && self.host.presence(&self.endpoint) == Presence::Up
            {
                self.check_way()?;
            }
        }
        Ok(())
    }

    /// Whether something is wrong on the way from the endpoint to a peer; the
    /// first peer tells enough.
    #[inline(never)]
    fn check_way(&mut self) -> Result<()> {
        let source = key_of(&self.endpoint);
        let ipv4 = is_ipv4(source);
        let index = self.host.places.of_endpoint(&self.endpoint);
        let mut at = 0;
        while self.next_peer(&mut at) {
            self.ask(source, 0)?;
            let free = self.way;
            if is_bound(&self.endpoint) {
                self.ask(source, index)?;
                // Asked with a source, IPv6 takes the interface for a wish, but
                // the socket of a subflow is bound to it.
                if self.way != index && !ipv4 {
                    self.ask(0, index)?;
                }
            }
            let finding: &Finding = if self.way == 0 {
                b"no-route\n\
                  no route leads to the peer from the address of an endpoint, by its interface\n\
                  %0; to %P%h: no route\n\
                  %5"
            } else if self.way != index {
                b"wrong-way\n\
                  packets from the address of an endpoint leave by another interface\n\
                  %0; to %P%h: by %W, the address is on %I\n\
                  %5"
            } else if ipv4 && free != index && self.is_filtered(index) {
                b"rp-filter\n\
                  answers to an endpoint are dropped: by the routes they should come in elsewhere\n\
                  %0; to %P%h; rp_filter is 1 on %I\n\
                  sysctl -w net/ipv4/conf/%I/rp_filter=2, \
                  or give the address its own routes (ip rule)"
            } else {
                continue;
            };
            return self.find(finding);
        }
        Ok(())
    }

    /// Whether packets are dropped that come in by this interface and not by
    /// the one that their sender is sent to.
    fn is_filtered(&mut self, index: u32) -> bool {
        // The larger one counts.
        let all = filter(b"all", &mut self.value);
        all.max(filter(self.host.name(index), &mut self.value)) == 1
    }

    /// What went wrong with peers and on the way to them, as counters tell.
    #[inline(never)]
    fn check_counters(&mut self) -> Result<()> {
        // A peer without MPTCP now and then is the way of the world.
        let fallbacks = self.sum(FALLBACKS);
        self.number = self.host.fallbacks;
        if fallbacks > 0
            && (self.number > 0 || fallbacks * 4 >= self.sum(b"MPCapableSYNTX MPCapableSYNRX"))
        {
            self.find(
                b"fallback\n\
                  connections fall back to TCP: peers without MPTCP, \
                  or something on the way takes its options out\n\
                  %F%(MPCapableSYNTX MPCapableSYNRX); fallen back now: %#\n\
                  ip-mptcp connection show fallback lists the peers; look on the way with \
                  tcpdump -v 'tcp[tcpflags] & tcp-syn != 0' for mptcp",
            )?;
        }
        if self.misses_answers() && !self.astray {
            self.number = self.sum(b"MPJoinSynAckRx");
            self.find(
                b"join-unanswered\n\
                  further subflows are not answered: the peer refuses them, \
                  or something on the way drops them\n\
                  %(MPJoinSynTx MPRstRx) MPJoinSynAckRx %#\n\
                  at the peer, whose server has to listen on all addresses: \
                  %4subflows 8; look for firewalls on the further paths",
            )?;
        }
        // Now and then the kernel of a client opens one more than it may.
        let refused = self.sum(b"MPJoinRejected");
        if refused > 0 && refused * 8 >= self.sum(b"MPJoinSynRx") {
            self.find(
                b"join-refused\n\
                  subflows of peers were refused here: more than the limits allow, \
                  or the user-space path manager was away\n\
                  %(MPJoinRejected MPJoinSynRx)\n\
                  %4subflows 8, or keep the path manager running",
            )?;
        }
        if self.sum(b"MPJoinSynAckHMacFailure MPJoinAckHMacFailure") > 0
            || self.sum(b"MPJoinNoTokenFound") > self.sum(b"MPJoinAckRx")
        {
            self.find(
                b"join-failed\n\
                  subflows reached a host that does not have their connection, \
                  or were changed on the way\n\
                  %(MPJoinNoTokenFound MPJoinSynAckHMacFailure MPJoinAckHMacFailure)\n\
                  behind a load balancer: \
                  sysctl -w net.mptcp.allow_join_initial_addr_port=0, \
                  and announce an address of each server",
            )?;
        }
        // One that comes close behind another is dropped, and comes again.
        if self.sum(b"AddAddrDrop") * 2 > self.sum(b"AddAddr")
            || self.sum(b"AddAddrTxDrop EchoAddTxDrop") > 0
        {
            self.find(
                b"add-addr-dropped\n\
                  announcements of addresses were dropped\n\
                  %(AddAddrDrop AddAddrTxDrop EchoAddTxDrop)\n\
                  %2N: announce fewer addresses, and none of IPv6 with a port",
            )?;
        }
        if self.misses_echoes() {
            self.number = self.sum(b"EchoAdd");
            self.find(
                b"add-addr-unanswered\n\
                  announcements of addresses do not arrive: \
                  something on the way drops or removes them\n\
                  %(AddAddrTx) EchoAdd %#\n\
                  look on the way with tcpdump -v tcp for add-addr; \
                  clients reach an address without that by their own endpoints",
            )?;
        }
        Ok(())
    }
}

/// Whether a word is one of these.
fn is_any(mut words: &[u8], word: &[u8]) -> bool {
    while !words.is_empty() {
        if take(&mut words, b' ') == word {
            return true;
        }
    }
    false
}

/// How an interface looks at where packets come from.
fn filter(interface: &[u8], value: &mut Vec<u8>) -> u64 {
    let path = [b"/proc/sys/net/ipv4/conf/", interface, b"/rp_filter"];
    proc::value(&path, value);
    decimal(value)
}
