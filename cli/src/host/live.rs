//! What the current connections show about each endpoint and each peer.
//!
//! Sockets are counted as they are read, and nothing but counts is kept: for a
//! subflow eight bytes, for a connection its token.

use mptcp_codec::diag::{
    attribute, Filter, Protocol, SocketView, State, States, SubflowFlags, SubflowInfo,
};
use mptcp_codec::mptcp::EndpointFlags;

use crate::error::Result;
use crate::host::health::{Facts, Host, Presence};
use crate::kernel::key::{is_ipv4, Key};
use crate::kernel::{connections, Diagnostics};

/// This many peers are told apart, and this many ports at which connections arrived.
pub const PEERS: usize = 8;
/// Uses of an endpoint: towards each peer, all others together, and all together.
const WIDTH: usize = PEERS + 2;
/// The place of the last.
const ALL_PEERS: usize = PEERS + 1;
/// This many pairs of addresses are told apart; others are not looked at.
const PATHS: usize = 255;
/// A subflow is stalled if its data was retransmitted this often without an answer.
const STALLED: u8 = 4;
/// No endpoint, no path.
const NONE: u8 = 255;

/// An address and a port: of a host that connections were opened to, of this
/// host where connections arrived, or where a socket listens.
#[derive(Copy, Clone, Debug, Default)]
pub struct Place {
    pub address: Key,
    pub port: u16,
    /// Connections, including those that fell back.
    pub connections: u32,
    /// Those that fell back to TCP.
    pub fallbacks: u32,
    /// The socket accepts IPv6 only (`IPV6_V6ONLY`).
    pub only_ipv6: bool,
    /// The interface that it is bound to, or 0.
    pub interface: u32,
}

impl Place {
    /// Whether connections to this address through this interface reach the listening socket.
    pub fn hears(&self, address: Key, interface: u32) -> bool {
        /// `::`, which accepts IPv4 too.
        const ALL: Key = 0;
        /// `0.0.0.0`.
        const ALL_IPV4: Key = 0xffff << 32;
        if self.interface != 0 && self.interface != interface {
            return false;
        }
        match self.address {
            ALL => !(is_ipv4(address) && self.only_ipv6),
            ALL_IPV4 => is_ipv4(address),
            here => here == address,
        }
    }
}

/// A pair of addresses between which this host opened subflows.
#[derive(Copy, Clone, Debug, Default)]
pub struct Path {
    pub local: Key,
    pub remote: Key,
    /// The peer's port.
    pub port: u16,
    /// The mark of one of them, as far as the kernel shows it.
    pub mark: u32,
    /// They are the first subflows of their connections.
    pub first: bool,
    /// The place in the list of the endpoint with the local address, or 255.
    pub endpoint: u8,
    /// Subflows that are established, in connections opened here.
    pub established: u32,
    /// Those of them that no longer get answers: their data is retransmitted again and again.
    pub stalled: u32,
    /// Subflows whose SYN was retransmitted and is not answered.
    pub waiting: u32,
    /// The maximum number of retransmissions of the SYN or the data.
    pub retransmits: u8,
}

impl Path {
    /// Subflows that carry data, or could.
    pub fn working(&self) -> u32 {
        self.established - self.stalled
    }
}

/// How an endpoint is used by the connections opened here that could use it: established, of
/// its family, and with another address for the first subflow.
#[derive(Copy, Clone, Debug, Default)]
pub struct Use {
    /// Connections with an established subflow from it.
    pub established: u32,
    /// Connections whose subflow from it waits for the answer to its SYN, which was
    /// retransmitted.
    pub waiting: u32,
    /// The maximum number of its retransmissions.
    pub retransmits: u32,
    /// Connections without a subflow from it that may have one more.
    pub missing: u32,
    /// Those of them that have not tried any address of this host.
    pub untried: u32,
    /// Those of them for which the kernel counts more subflows than there are sockets: one has
    /// failed.
    pub failed: u32,
    /// Connections without a subflow from it that have all the subflows they may.
    pub full: u32,
}

impl Use {
    #[inline(never)]
    fn add(&mut self, other: &Self) {
        self.established += other.established;
        self.waiting += other.waiting;
        self.retransmits = self.retransmits.max(other.retransmits);
        self.missing += other.missing;
        self.untried += other.untried;
        self.failed += other.failed;
        self.full += other.full;
    }
}

/// An endpoint and how it is used.
#[derive(Copy, Clone, Debug, Default)]
pub struct Row {
    /// What is known of it.
    pub facts: Facts,
    /// A finding says why it has no subflows.
    pub explained: bool,
    /// The kernel can open subflows from it.
    wanted: bool,
    /// Further subflows to it of connections accepted here.
    pub served: u32,
    /// Towards each peer, all others together, and all together.
    uses: [Use; WIDTH],
}

impl Row {
    /// Its uses towards each peer; the last one stands for all others together.
    pub fn uses(&self) -> &[Use] {
        self.uses.get(..ALL_PEERS).unwrap_or_default()
    }

    /// The same, towards all peers together.
    pub fn all_uses(&self) -> &Use {
        &self.uses[ALL_PEERS]
    }
}

/// A subflow as it is kept: token, endpoint, path, retransmits and the bits of [`bit`], so that
/// sorting groups them by connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen(u64);

/// Bits of [`Seen`].
mod bit {
    pub const ALIVE: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const JOINED: u8 = 4;
    /// This host made it join a connection.
    pub const OPENED: u8 = 8;
    /// The first one, of a connection opened here.
    pub const CLIENT: u8 = 16;
    /// The first one, of a connection accepted here.
    pub const SERVER: u8 = 32;
    /// Its handshake is over: more subflows may be opened.
    pub const READY: u8 = 64;
    /// Its data is not acknowledged.
    pub const STALLED: u8 = 128;
}

impl Seen {
    fn new(token: u32, endpoint: u8, path: u8, retransmits: u8, bits: u8) -> Self {
        Self(
            u64::from(token) << 32
                | u64::from(u32::from_be_bytes([endpoint, path, retransmits, bits])),
        )
    }

    fn token(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn endpoint(self) -> u8 {
        (self.0 >> 24) as u8
    }

    fn path(self) -> usize {
        usize::from((self.0 >> 16) as u8)
    }

    fn retransmits(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn bits(self) -> u8 {
        self.0 as u8
    }

    fn is(self, bits: u8) -> bool {
        self.bits() & bits != 0
    }
}

/// Counts. They come first, where shorter instructions reach them.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Live {
    /// Connections opened here, and those of them with further subflows.
    pub opened: u32,
    pub opened_joined: u32,
    /// Connections accepted here, those of them with further subflows, and those with as
    /// many as they may have.
    pub accepted: u32,
    pub accepted_joined: u32,
    pub accepted_full: u32,
    /// Those with one subflow that gets no answers and another that does.
    pub accepted_stalled: u32,
    /// Connections opened here without further subflows, for which the kernel accepted an
    /// announced address.
    pub refused: u32,
    /// Connections accepted here to which addresses were announced.
    pub announcing: u32,
    /// Connections accepted here to which not all addresses were announced, the
    /// number of announcements, and how many there should be.
    pub unannounced: u32,
    pub announced: u32,
    pub announceable: u32,
    /// Connections that fell back to TCP, with a token and without.
    pub fallbacks: u32,
    pub without_token: u32,
    /// Connections opened here that have all the subflows they may, though endpoints with
    /// the flag fullmesh could open more to the addresses that the peer announced; and the
    /// most that they could open.
    pub crowded: u32,
    pub wanted: u32,
    /// Connections of this host to itself.
    pub own: u32,
    /// Connections opened here without further subflows for which there are only endpoints
    /// of the other family; and the peer of one of them.
    pub other_family: u32,
    pub of_other_family: Key,
    /// Some subflow may yet be answered or opened within a moment.
    pub unsettled: bool,
    /// The kernel hid the subflows from this reader.
    pub hidden: bool,
    again: bool,
    /// A row for each endpoint.
    pub rows: Vec<Row>,
    /// Pairs of addresses.
    pub paths: Vec<Path>,
    /// Hosts that connections were opened to, except this host itself.
    pub peers: Vec<Place>,
    /// A host of each family that connections were accepted from, IPv6 first, or 0.
    pub clients: [Key; 2],
    /// Where those connections arrived, one entry a port.
    pub served: Vec<Place>,
    /// Listening sockets of MPTCP that others can reach.
    pub listeners: Vec<Place>,
    // Tokens of the connections opened here; those of the previous look, if any, ascending.
    tokens: Vec<Seen>,
    known: Vec<Seen>,
}

impl Live {
    /// Nothing is known yet.
    #[inline(never)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at everything. The second time, only connections that the first look saw can lack
    /// subflows: others had no time to open them.
    pub fn look(&mut self, diagnostics: &mut Diagnostics, host: &mut Host) -> Result<()> {
        let known = core::mem::take(&mut self.tokens);
        let again = !self.rows.is_empty() || !known.is_empty();
        *self = Self::new();
        (self.known, self.again) = (known, again);
        sort(&mut self.known);
        for endpoint in &host.places.endpoints {
            let mut row = Row::default();
            host.facts(endpoint, &mut row.facts);
            let open = EndpointFlags::SUBFLOW | EndpointFlags::IMPLICIT;
            row.wanted = row.facts.flags & open == EndpointFlags::SUBFLOW
                && row.facts.presence == Presence::Up;
            self.rows.push(row);
        }
        let mut seen = Vec::new();
        dump(diagnostics, Protocol::Tcp, CONNECTED, &mut |socket| {
            self.keep(socket, &mut seen)
        })?;
        sort(&mut seen);
        dump(diagnostics, Protocol::Mptcp, CONNECTED, &mut |socket| {
            self.connection(socket, host, &seen);
            Ok(())
        })?;
        let listening = States::LISTEN;
        dump(diagnostics, Protocol::Mptcp, listening, &mut |socket| {
            let [here, _] = socket.ends();
            // The kernel's own socket, for an endpoint with a port, shows no port.
            if here.port != 0 && !is_loopback(here.number) {
                self.listeners.push(Place {
                    address: here.number,
                    port: here.port,
                    only_ipv6: socket.byte(attribute::SKV6ONLY)? == Some(1),
                    interface: socket.interface(),
                    ..Place::default()
                });
            }
            Ok(())
        })
    }

    /// Whether an established further subflow uses the endpoint at this place, whichever side
    /// opened it.
    pub fn is_used(&self, at: usize) -> bool {
        let row = self.rows.get(at);
        let used = |row: &Row| row.served > 0 || row.all_uses().established > 0;
        let mut paths = self.paths.iter();
        row.is_some_and(used)
            || paths
                .any(|path| !path.first && usize::from(path.endpoint) == at && path.established > 0)
    }

    /// Keeps what is needed of a subflow.
    fn keep(&mut self, socket: &SocketView, seen: &mut Vec<Seen>) -> Result<()> {
        let mut info = SubflowInfo::EMPTY;
        if !socket.read_subflow(&mut info)? {
            self.hidden |= connections::is_subflow(socket)?;
            return Ok(());
        }
        let state = socket.state();
        let token = info.token_loc().unwrap_or(0);
        if token == 0 {
            // It fell back before it had one.
            self.without_token += u32::from(state == State::Established);
            return Ok(());
        }
        let [local, remote] = socket.ends();
        let flags = info.flags().unwrap_or_default();
        let joined = connections::is_joined(flags);
        let (mut retransmits, mut window) = (0, None);
        if let Some(info) = socket.tcp_info() {
            retransmits = info.retransmits().unwrap_or(0);
            window = info.snd_wnd();
        }
        let alive = connections::is_alive(state);
        // A peer that does not read closes its window.
        let stalled = alive && retransmits >= STALLED && window != Some(0);
        let starts = state == State::SynSent;
        let opened = flags.contains(SubflowFlags::MCAP_LOC);
        let accepted = flags.contains(SubflowFlags::MCAP_REM);
        let opens = flags.contains(SubflowFlags::JOIN_LOC);
        let ready = flags.contains(SubflowFlags::FULLY_ESTABLISHED);
        let bits = u8::from(alive) * bit::ALIVE
            | u8::from(stalled) * bit::STALLED
            | u8::from(starts) * bit::SYN_SENT
            | u8::from(joined) * bit::JOINED
            | u8::from(opens) * bit::OPENED
            | u8::from(!joined && (opened || starts)) * bit::CLIENT
            | u8::from(!joined && !opened && accepted) * bit::SERVER
            | u8::from(ready) * bit::READY;
        // Of several endpoints with its address, the one with its id or port.
        let id = info.id_loc().unwrap_or(0);
        let mut endpoint = NONE;
        for (at, row) in self.rows.iter().enumerate() {
            let of = &row.facts;
            if of.key == local.number && (endpoint == NONE || of.id == id || of.port == local.port)
            {
                // Each has an id of its own, which is a byte other than 0.
                endpoint = at as u8;
            }
        }
        let mut path = NONE;
        if bits & (bit::OPENED | bit::CLIENT) != 0 {
            let mut paths = self.paths.iter();
            let known = paths.position(|path| {
                path.local == local.number && path.remote == remote.number && path.first != joined
            });
            let at = known.unwrap_or(self.paths.len());
            if at == self.paths.len() && at < PATHS {
                self.paths.push(Path {
                    local: local.number,
                    remote: remote.number,
                    port: remote.port,
                    mark: socket.mark().unwrap_or(0),
                    first: !joined,
                    endpoint,
                    ..Path::default()
                });
            }
            path = at as u8;
        }
        seen.push(Seen::new(token, endpoint, path, retransmits, bits));
        Ok(())
    }

    /// Counts a connection.
    fn connection(&mut self, socket: &SocketView, host: &Host, seen: &[Seen]) {
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        let [local, remote] = socket.ends();
        let own = is_loopback(remote.number)
            || remote.number == local.number
            || host.places.addresses.interface(remote.number) != 0;
        if own || remote.number == 0 {
            self.own += 1;
            return;
        }
        let token = info.token().unwrap_or(0);
        let subflows = of_token(seen, token);
        let (mut any, mut alive) = (0, 0);
        let (mut joined, mut ready, mut works) = (0, false, false);
        for seen in subflows {
            any |= seen.bits();
            joined += u32::from(seen.is(bit::JOINED));
            ready |= seen.is(bit::CLIENT) && seen.is(bit::READY);
            if seen.is(bit::ALIVE) {
                alive |= seen.bits();
                works |= !seen.is(bit::STALLED);
            }
        }
        let is_any = |bits| any & bits != 0;
        let state = socket.state();
        let lives = state == State::Established;
        let starts = state == State::SynSent;
        let may_have = info.subflows_max().unwrap_or(u8::MAX);
        let has = info.subflows().unwrap_or(0);
        let room = has < may_have;
        let fallback = info.is_fallback() && !starts;
        // If the first one is gone, those opened here show it.
        let opened = is_any(bit::CLIENT) || is_any(bit::OPENED) && !is_any(bit::SERVER);
        if starts || opened && !fallback {
            for seen in subflows {
                self.step(*seen);
            }
        }
        if starts {
            // Nothing is known of the peer yet, though the option may have
            // been left out by now.
        } else if fallback || opened {
            let peer = place(&mut self.peers, remote.number, remote.port, false);
            if fallback {
                self.fallbacks += 1;
                if let Some(peer) = self.peers.get_mut(peer) {
                    peer.fallbacks += 1;
                }
            } else {
                self.opened += u32::from(lives);
                self.opened_joined += u32::from(alive & bit::JOINED != 0);
            }
            if lives && ready && !fallback {
                let old = !self.again || !of_token(&self.known, token).is_empty();
                self.tokens.push(Seen::new(token, 0, 0, 0, 0));
                let accepted = info.add_addr_accepted().unwrap_or(0);
                if old && joined == 0 && accepted > 0 {
                    self.refused += 1;
                    self.unsettled = true;
                }
                let mut lacks = Use::default();
                if room {
                    lacks.missing = 1;
                    lacks.untried = u32::from(info.local_addr_used() == Some(0));
                    lacks.failed = u32::from(u32::from(has) > joined);
                } else {
                    lacks.full = 1;
                }
                let possible = self.endpoints(
                    subflows,
                    local.number,
                    accepted.into(),
                    old.then_some(peer),
                    &lacks,
                );
                if !room && possible.is_some_and(|most| most > may_have.into()) {
                    self.crowded += 1;
                    self.wanted = self.wanted.max(possible.unwrap_or(0));
                }
                if old
                    && joined == 0
                    && possible.is_none()
                    && self.rows.iter().any(|row| row.wanted)
                {
                    self.other_family += 1;
                    self.of_other_family = remote.number;
                }
            }
        } else if is_any(bit::SERVER) && lives {
            self.accepted += 1;
            self.accepted_joined += u32::from(is_any(bit::JOINED));
            self.accepted_full += u32::from(!room);
            self.accepted_stalled += u32::from(is_any(bit::STALLED) && works);
            self.clients[usize::from(is_ipv4(remote.number))] = remote.number;
            place(&mut self.served, local.number, local.port, true);
            for seen in subflows {
                if let Some(row) = self.rows.get_mut(usize::from(seen.endpoint())) {
                    row.served += u32::from(seen.is(bit::JOINED) && seen.is(bit::ALIVE));
                }
            }
            let mut expected = 0;
            for Row { facts, .. } in &self.rows {
                let announced = facts.flags.contains(EndpointFlags::SIGNAL);
                expected += u32::from(announced && facts.key != local.number);
            }
            let sent = info.add_addr_signal().unwrap_or(0).into();
            self.announcing += u32::from(sent > 0);
            if sent < expected {
                self.unannounced += 1;
                self.announced = sent;
                self.announceable = expected;
                self.unsettled = true;
            }
        }
    }

    /// Counts a subflow that this host opened on its path.
    fn step(&mut self, seen: Seen) {
        let Some(path) = self.paths.get_mut(seen.path()) else {
            return;
        };
        let waits = seen.is(bit::SYN_SENT);
        self.unsettled |= waits && seen.retransmits() == 0;
        path.established += u32::from(seen.is(bit::ALIVE));
        path.stalled += u32::from(seen.is(bit::STALLED));
        path.waiting += u32::from(waits && seen.retransmits() > 0);
        if waits || seen.is(bit::STALLED) {
            path.retransmits = path.retransmits.max(seen.retransmits());
        }
    }

    /// Counts a connection opened here to this peer (`None`: does not count it) at each
    /// endpoint that it can use; `lacks` is what is counted at those that it has no subflow
    /// from. Returns how many further subflows the endpoints can open if the peer announced
    /// this many addresses, 0 if none has the flag fullmesh; `None` if none is of its
    /// family.
    fn endpoints(
        &mut self,
        subflows: &[Seen],
        first: Key,
        announced: u32,
        peer: Option<usize>,
        lacks: &Use,
    ) -> Option<u32> {
        let (mut possible, mut mesh, mut of_family) = (0, 0, false);
        for (at, row) in self.rows.iter_mut().enumerate() {
            let Facts { key, flags, .. } = row.facts;
            if !row.wanted || is_ipv4(key) != is_ipv4(first) {
                continue;
            }
            of_family = true;
            if flags.contains(EndpointFlags::FULLMESH) {
                mesh = u32::MAX;
                possible += announced;
            }
            // The first subflow is one of them.
            if key == first {
                continue;
            }
            possible += 1;
            let Some(peer) = peer else { continue };
            let (mut any, mut alive) = (false, false);
            let mut waits = 0;
            for seen in subflows {
                if usize::from(seen.endpoint()) == at {
                    any = true;
                    alive |= seen.is(bit::ALIVE);
                    if seen.is(bit::SYN_SENT) {
                        waits = waits.max(seen.retransmits());
                    }
                }
            }
            let mut one = Use::default();
            if alive {
                one.established = 1;
            } else if waits > 0 {
                one.waiting = 1;
                one.retransmits = waits.into();
            } else if !any {
                self.unsettled = true;
                one = *lacks;
            }
            if let Some(sum) = row.uses.get_mut(peer) {
                sum.add(&one);
            }
            row.uses[ALL_PEERS].add(&one);
        }
        of_family.then_some(possible & mesh)
    }
}

/// The place in a list of the host with this address, or of the port, which gets one more
/// connection; [`PEERS`] if the list has no room for it.
fn place(list: &mut Vec<Place>, address: Key, port: u16, by_port: bool) -> usize {
    let mut places = list.iter();
    let known = places.position(|one| match by_port {
        true => one.port == port,
        false => one.address == address,
    });
    let at = known.unwrap_or(list.len());
    if at == list.len() && at < PEERS {
        list.push(Place {
            address,
            port,
            ..Place::default()
        });
    }
    if let Some(place) = list.get_mut(at) {
        place.connections += 1;
    }
    at
}

/// Those of a connection; they are sorted.
#[inline(never)]
fn of_token(seen: &[Seen], token: u32) -> &[Seen] {
    let from = seen.partition_point(|one| one.token() < token);
    let rest = seen.get(from..).unwrap_or_default();
    let len = rest.iter().take_while(|one| one.token() == token).count();
    rest.split_at(len).0
}

#[inline(never)]
fn sort(seen: &mut [Seen]) {
    seen.sort_unstable();
}

/// 127.0.0.0/8 and ::1.
pub fn is_loopback(address: Key) -> bool {
    address == 1 || address >> 24 == 0x00ff_ff7f
}

/// Everything that is connected, including connections that were aborted.
const CONNECTED: States = States::CONNECTED.or(States::CLOSED);

/// Passes the sockets of a protocol in these states to `each`.
fn dump(
    diagnostics: &mut Diagnostics,
    protocol: Protocol,
    states: States,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    connections::dump(diagnostics, protocol, states, &Filter::ANY, 0, each)
}

/// Sockets of plain TCP that listen for other hosts: how many, and the port of one of them.
pub fn plain_listeners(
    diagnostics: &mut Diagnostics,
    count: &mut u32,
    port: &mut u16,
) -> Result<()> {
    dump(diagnostics, Protocol::Tcp, States::LISTEN, &mut |socket| {
        let [here, _] = socket.ends();
        if !connections::is_subflow(socket)? && !is_loopback(here.number) {
            (*count, *port) = (*count + 1, here.port);
        }
        Ok(())
    })
}
