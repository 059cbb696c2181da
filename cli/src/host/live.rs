//! What the connections of this moment show of each endpoint and each peer.
//!
//! Sockets are counted as they are read, and nothing but counts is kept: for a
//! subflow eight bytes, for a connection its token.

use mptcp_codec::diag::{
    attribute, Filter, Protocol, SocketView, State, States, SubflowFlags, SubflowInfo,
};
use mptcp_codec::mptcp::EndpointFlags;

use crate::error::Result;
use crate::host::health::{Host, Presence};
use crate::host::places::{is_ipv4, key_of, Key};
use crate::kernel::{connections, Diagnostics};

/// This many peers are told apart.
pub const PEERS: usize = 8;
/// Uses of an endpoint: towards each peer, and towards all others together.
const WIDTH: usize = PEERS + 1;
/// This many pairs of addresses are told apart; others are not looked at.
const PATHS: usize = 255;
/// A subflow whose data was sent again this often without an answer is stalled.
const STALLED: u8 = 4;
/// No endpoint, no path.
const NONE: u8 = 255;

/// A host that connections were opened to.
#[derive(Copy, Clone, Debug)]
pub struct Peer {
    pub address: Key,
    pub port: u16,
    /// Connections to it, those that fell back too.
    pub connections: u32,
    /// Those that fell back to TCP.
    pub fallbacks: u32,
}

/// Two addresses between which this host opened subflows.
#[derive(Copy, Clone, Debug)]
pub struct Path {
    pub local: Key,
    pub remote: Key,
    /// The peer's port.
    pub port: u16,
    /// The mark of one of them, as far as the kernel shows it.
    pub mark: u32,
    /// They are the first ones of their connections.
    pub first: bool,
    /// The place of the endpoint in the list, if the local address is that of
    /// one.
    pub endpoint: Option<usize>,
    /// Subflows that are established, in connections opened here.
    pub established: u32,
    /// Those of them that no longer get answers: their data was sent again and
    /// again.
    pub stalled: u32,
    /// Subflows whose SYN was sent again and is not answered.
    pub waiting: u32,
    /// How often the SYN or the data was sent again, at most.
    pub retransmits: u8,
}

impl Path {
    /// Subflows that carry data, or could.
    pub fn working(&self) -> u32 {
        self.established - self.stalled
    }
}

/// What became of an endpoint in connections opened here that it can be used
/// for: established, of its family, and with another address for the first
/// subflow.
#[derive(Copy, Clone, Debug, Default)]
pub struct Use {
    /// Connections with an established subflow from it.
    pub established: u32,
    /// Connections whose subflow from it waits for the answer to its SYN, which
    /// was sent again.
    pub waiting: u32,
    /// How often it was sent again, at most.
    pub retransmits: u8,
    /// Connections without a subflow from it, which may have one more.
    pub missing: u32,
    /// Of those, the ones that have not tried any address of this host.
    pub untried: u32,
    /// Of those, the ones of which the kernel counts more subflows than there
    /// are sockets: one has failed.
    pub failed: u32,
    /// Connections without a subflow from it, which have all that they may.
    pub full: u32,
}

impl Use {
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

/// A listening socket of MPTCP.
#[derive(Copy, Clone, Debug)]
pub struct Listener {
    pub address: Key,
    pub port: u16,
    /// IPv6 only (`IPV6_V6ONLY`).
    pub only_ipv6: bool,
    /// The interface that it is bound to; 0 for none.
    pub interface: u32,
}

impl Listener {
    /// Whether connections to this address, by this interface, arrive here.
    pub fn hears(&self, address: Key, interface: u32) -> bool {
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

/// `::`, where IPv4 arrives too.
const ALL: Key = 0;
/// `0.0.0.0`.
const ALL_IPV4: Key = 0xffff << 32;

/// A subflow as it is kept, so that sorting brings those of a connection
/// together: token, endpoint, path, retransmits, and what is in [`bit`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen(u64);

/// Bits of [`Seen`].
mod bit {
    pub const ALIVE: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const JOINED: u8 = 4;
    /// It joined a connection by the wish of this host.
    pub const OPENED: u8 = 8;
    /// The first one, of a connection opened here.
    pub const CLIENT: u8 = 16;
    /// The first one, of a connection accepted here.
    pub const SERVER: u8 = 32;
    /// Its handshake is over: more subflows may be opened.
    pub const READY: u8 = 64;
    /// Its data gets no answers.
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

/// Counts of what there is.
#[derive(Debug, Default)]
pub struct Live {
    /// Hosts that connections were opened to; not this host itself.
    pub peers: Vec<Peer>,
    /// Some hosts that connections were accepted from.
    pub clients: Vec<Key>,
    /// Where those connections arrived: the port, and a local address.
    pub served: Vec<(u16, Key)>,
    /// Pairs of addresses.
    pub paths: Vec<Path>,
    /// Connections opened here, and those of them with further subflows.
    pub opened: u32,
    pub opened_joined: u32,
    /// Connections accepted here, those of them with further subflows, and with
    /// as many as they may have.
    pub accepted: u32,
    pub accepted_joined: u32,
    pub accepted_full: u32,
    /// Those of which one subflow gets no answers, and another one does.
    pub accepted_stalled: u32,
    /// Connections opened here without further subflows of which the kernel
    /// accepted an announced address.
    pub refused: u32,
    /// Connections opened here without further subflows, and with endpoints of
    /// the other family only; the peer of one of them.
    pub other_family: u32,
    pub of_other_family: Key,
    /// Connections accepted here to which not all addresses were announced, the
    /// number of announcements, and how many there should be.
    pub unannounced: u32,
    pub announced: u32,
    pub announceable: u32,
    /// Connections that fell back to TCP, with a token and without.
    pub fallbacks: u32,
    pub without_token: u32,
    /// Connections opened here that have all the subflows that they may, of more
    /// that endpoints with the flag fullmesh could open to the addresses that
    /// the peer announced; and how many those are, at most.
    pub crowded: u32,
    pub wanted: u32,
    /// Connections of this host to itself.
    pub own: u32,
    /// Listening sockets of MPTCP that others can reach.
    pub listeners: Vec<Listener>,
    /// Some subflow may be answered, or opened, in a moment.
    pub unsettled: bool,
    /// The kernel kept the subflows from this reader.
    pub hidden: bool,
    // A row for each endpoint.
    rows: Vec<Row>,
    seen: Vec<Seen>,
    // Tokens of the connections opened here; those of the look before,
    // ascending.
    tokens: Vec<Seen>,
    known: Option<Vec<Seen>>,
}

/// What became of an endpoint.
#[derive(Copy, Clone, Debug, Default)]
struct Row {
    /// The kernel can open subflows from it.
    wanted: bool,
    /// Connections accepted here with a further subflow at it.
    served: u32,
    /// Towards each peer.
    uses: [Use; WIDTH],
}

impl Live {
    /// Looks at everything. The second time, only connections that the first
    /// look saw lack subflows: others had no time to open them.
    pub fn look(&mut self, diagnostics: &mut Diagnostics, host: &mut Host) -> Result<()> {
        let mut known = core::mem::take(&mut self.tokens);
        known.sort_unstable();
        let again = !self.rows.is_empty() || !known.is_empty();
        *self = Self {
            known: again.then_some(known),
            ..Self::default()
        };
        for endpoint in &host.places.endpoints {
            let flags = endpoint.flags().unwrap_or_default();
            let open = EndpointFlags::SUBFLOW | EndpointFlags::IMPLICIT;
            self.rows.push(Row {
                wanted: flags & open == EndpointFlags::SUBFLOW
                    && host.presence(endpoint) == Presence::Up,
                ..Row::default()
            });
        }
        dump(diagnostics, Protocol::Tcp, CONNECTED, &mut |socket| {
            self.keep(socket, host)
        })?;
        self.seen.sort_unstable();
        dump(diagnostics, Protocol::Mptcp, CONNECTED, &mut |socket| {
            self.connection(socket, host);
            Ok(())
        })?;
        self.seen = Vec::new();
        dump(
            diagnostics,
            Protocol::Mptcp,
            States::LISTEN,
            &mut |socket| {
                let [here, _] = socket.ends();
                // Where the kernel listens itself, for an endpoint with a port, the
                // socket shows no port.
                if here.port != 0 && !is_loopback(here.number) {
                    self.listeners.push(Listener {
                        address: here.number,
                        port: here.port,
                        only_ipv6: socket.byte(attribute::SKV6ONLY)? == Some(1),
                        interface: socket.interface(),
                    });
                }
                Ok(())
            },
        )
    }

    /// What became of an endpoint, towards each peer; the last one stands for
    /// all the others.
    pub fn uses(&self, endpoint: usize) -> &[Use] {
        self.rows.get(endpoint).map_or(&[], |row| &row.uses)
    }

    /// The same, towards all peers together.
    pub fn all_uses(&self, endpoint: usize) -> Use {
        let mut sum = Use::default();
        for one in self.uses(endpoint) {
            sum.add(one);
        }
        sum
    }

    /// Connections accepted here with a further subflow at this endpoint.
    pub fn served_by(&self, endpoint: usize) -> u32 {
        self.rows.get(endpoint).map_or(0, |row| row.served)
    }

    /// Whether an established further subflow uses this endpoint, in whichever
    /// direction it was opened.
    pub fn is_used(&self, endpoint: usize) -> bool {
        self.served_by(endpoint) > 0
            || self.all_uses(endpoint).established > 0
            || self
                .paths
                .iter()
                .any(|path| !path.first && path.endpoint == Some(endpoint) && path.established > 0)
    }

    /// Keeps what is needed of a subflow.
    fn keep(&mut self, socket: &SocketView, host: &Host) -> Result<()> {
        let mut info = SubflowInfo::EMPTY;
        if !socket.read_subflow(&mut info)? {
            let upper = socket.upper_name()?;
            self.hidden |= upper.is_some_and(|name| name.as_bytes() == b"mptcp");
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
        let has = |flag| flags.contains(flag);
        let joined = has(SubflowFlags::JOIN_LOC) || has(SubflowFlags::JOIN_REM);
        let (mut retransmits, mut window) = (0, None);
        if let Some(info) = socket.tcp_info() {
            retransmits = info.retransmits().unwrap_or(0);
            window = info.snd_wnd();
        }
        let alive = matches!(state, State::Established | State::CloseWait);
        let mut bits = 0;
        let mut set = |condition, bit| {
            if condition {
                bits |= bit;
            }
        };
        set(alive, bit::ALIVE);
        // A peer that does not read closes its window.
        set(
            alive && retransmits >= STALLED && window != Some(0),
            bit::STALLED,
        );
        set(state == State::SynSent, bit::SYN_SENT);
        set(joined, bit::JOINED);
        set(has(SubflowFlags::JOIN_LOC), bit::OPENED);
        let opens = has(SubflowFlags::MCAP_LOC) || state == State::SynSent;
        set(!joined && opens, bit::CLIENT);
        set(
            !joined && !has(SubflowFlags::MCAP_LOC) && has(SubflowFlags::MCAP_REM),
            bit::SERVER,
        );
        set(has(SubflowFlags::FULLY_ESTABLISHED), bit::READY);
        let endpoint = endpoint_at(host, local.number, local.port, info.id_loc());
        let path = if bits & (bit::OPENED | bit::CLIENT) != 0 {
            let mark = socket.mark().unwrap_or(0);
            self.path(Path {
                local: local.number,
                remote: remote.number,
                port: remote.port,
                mark,
                first: !joined,
                endpoint,
                established: 0,
                stalled: 0,
                waiting: 0,
                retransmits: 0,
            })
        } else {
            NONE
        };
        let endpoint = endpoint
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(NONE);
        self.seen
            .push(Seen::new(token, endpoint, path, retransmits, bits));
        Ok(())
    }

    /// The place of a path.
    fn path(&mut self, new: Path) -> u8 {
        for (at, path) in self.paths.iter().enumerate() {
            if path.local == new.local && path.remote == new.remote && path.first == new.first {
                return at as u8;
            }
        }
        if self.paths.len() >= PATHS {
            return NONE;
        }
        self.paths.push(new);
        (self.paths.len() - 1) as u8
    }

    /// Counts a connection.
    fn connection(&mut self, socket: &SocketView, host: &Host) {
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        let token = info.token().unwrap_or(0);
        let [local, remote] = socket.ends();
        let own = is_loopback(remote.number)
            || remote.number == local.number
            || host.places.addresses.interface(remote.number) != 0;
        if own || remote.number == 0 {
            self.own += 1;
            return;
        }
        let from = self.seen.partition_point(|seen| seen.token() < token);
        let until = self.seen.partition_point(|seen| seen.token() <= token);
        // Lent apart from what is counted.
        let all = core::mem::take(&mut self.seen);
        let subflows = all.get(from..until).unwrap_or_default();
        let (mut all_bits, mut joined, mut joined_alive) = (0, 0, false);
        let (mut ready, mut works) = (false, false);
        for seen in subflows {
            all_bits |= seen.bits();
            joined += usize::from(seen.is(bit::JOINED));
            joined_alive |= seen.is(bit::JOINED) && seen.is(bit::ALIVE);
            ready |= seen.is(bit::CLIENT) && seen.is(bit::READY);
            works |= seen.is(bit::ALIVE) && !seen.is(bit::STALLED);
        }
        let any = |bits| all_bits & bits != 0;
        let lives = socket.state() == State::Established;
        let room = info.subflows().unwrap_or(0) < info.subflows_max().unwrap_or(u8::MAX);
        if socket.state() == State::SynSent {
            // Nothing is known of the peer yet, though the option may have
            // been left out by now.
            for seen in subflows {
                self.step(*seen);
            }
        } else if info.is_fallback() {
            self.fallbacks += 1;
            if let Some(peer) = self.peer(remote.number, remote.port) {
                peer.fallbacks += 1;
            }
        } else if any(bit::CLIENT) || any(bit::OPENED) && !any(bit::SERVER) {
            // Where the first one is gone, those that were opened here show it.
            let peer = self.peer_place(remote.number, remote.port);
            self.opened += u32::from(lives);
            self.opened_joined += u32::from(joined_alive);
            for seen in subflows {
                self.step(*seen);
            }
            let old = self.known.as_ref();
            let own = Seen::new(token, 0, 0, 0, 0);
            let old = old.is_none_or(|known| known.binary_search(&own).is_ok());
            if lives && ready {
                self.tokens.push(own);
            }
            if lives && ready && !room {
                let announced = u32::from(info.add_addr_accepted().unwrap_or(0));
                let most = self.possible(host, local.number, announced);
                if most > u32::from(info.subflows_max().unwrap_or(u8::MAX)) {
                    self.crowded += 1;
                    self.wanted = self.wanted.max(most);
                }
            }
            if lives && ready && old {
                if joined == 0 && info.add_addr_accepted().unwrap_or(0) > 0 {
                    self.refused += 1;
                    self.unsettled = true;
                }
                let lost = usize::from(info.subflows().unwrap_or(0)) > joined;
                let untried = info.local_addr_used() == Some(0);
                let of_family = self.endpoints(host, subflows, local.number, peer, |one| {
                    if room {
                        one.missing += 1;
                        one.untried += u32::from(untried);
                        one.failed += u32::from(lost);
                    } else {
                        one.full += 1;
                    }
                });
                if joined == 0 && !of_family && self.rows.iter().any(|row| row.wanted) {
                    self.other_family += 1;
                    self.of_other_family = remote.number;
                }
            }
        } else if any(bit::SERVER) && lives {
            self.accepted += 1;
            self.accepted_joined += u32::from(any(bit::JOINED));
            self.accepted_full += u32::from(!room);
            self.accepted_stalled += u32::from(any(bit::STALLED) && works);
            if self.clients.len() < PEERS && !self.clients.contains(&remote.number) {
                self.clients.push(remote.number);
            }
            let served = self.served.iter().any(|(port, _)| *port == local.port);
            if !served && self.served.len() < PEERS {
                self.served.push((local.port, local.number));
            }
            for (at, row) in self.rows.iter_mut().enumerate() {
                row.served += u32::from(subflows.iter().any(|seen| {
                    usize::from(seen.endpoint()) == at
                        && seen.is(bit::JOINED)
                        && seen.is(bit::ALIVE)
                }));
            }
            let mut expected = 0;
            for endpoint in &host.places.endpoints {
                let flags = endpoint.flags().unwrap_or_default();
                let announced = flags.contains(EndpointFlags::SIGNAL);
                expected += u32::from(announced && key_of(endpoint) != local.number);
            }
            let sent = info.add_addr_signal().unwrap_or(0).into();
            if sent < expected {
                self.unannounced += 1;
                self.announced = sent;
                self.announceable = expected;
                self.unsettled = true;
            }
        }
        self.seen = all;
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

    /// Counts a connection opened here with each endpoint that it can use;
    /// `lacks` does so where it has no subflow from one. Whether any is of its
    /// family.
    fn endpoints(
        &mut self,
        host: &Host,
        subflows: &[Seen],
        first: Key,
        peer: usize,
        mut lacks: impl FnMut(&mut Use),
    ) -> bool {
        let mut of_family = false;
        let rows = host.places.endpoints.iter().zip(&mut self.rows);
        for (at, (endpoint, row)) in rows.enumerate() {
            let address = key_of(endpoint);
            if !row.wanted || is_ipv4(address) != is_ipv4(first) {
                continue;
            }
            of_family = true;
            let Some(one) = row.uses.get_mut(peer).filter(|_| address != first) else {
                continue;
            };
            let from = subflows
                .iter()
                .filter(|seen| usize::from(seen.endpoint()) == at);
            let mut any = false;
            let mut alive = false;
            let mut waits = 0;
            for seen in from {
                any = true;
                alive |= seen.is(bit::ALIVE);
                if seen.is(bit::SYN_SENT) {
                    waits = waits.max(seen.retransmits());
                }
            }
            if alive {
                one.established += 1;
            } else if waits > 0 {
                one.waiting += 1;
                one.retransmits = one.retransmits.max(waits);
            } else if !any {
                self.unsettled = true;
                lacks(one);
            }
        }
        of_family
    }

    /// How many further subflows the endpoints can open where the peer announced
    /// this many addresses; 0 where none has the flag fullmesh.
    fn possible(&self, host: &Host, first: Key, announced: u32) -> u32 {
        let (mut subflows, mut mesh) = (0, false);
        for (endpoint, row) in host.places.endpoints.iter().zip(&self.rows) {
            let address = key_of(endpoint);
            if !row.wanted || is_ipv4(address) != is_ipv4(first) {
                continue;
            }
            let fullmesh = endpoint.flags().unwrap_or_default();
            let fullmesh = fullmesh.contains(EndpointFlags::FULLMESH);
            mesh |= fullmesh;
            // The first subflow is one of them.
            subflows += u32::from(address != first) + if fullmesh { announced } else { 0 };
        }
        if mesh {
            subflows
        } else {
            0
        }
    }

    /// The peer with this address, where it is one of those told apart.
    fn peer(&mut self, address: Key, port: u16) -> Option<&mut Peer> {
        let at = self.peer_place(address, port);
        self.peers.get_mut(at)
    }

    /// Its place; the last place for all others.
    fn peer_place(&mut self, address: Key, port: u16) -> usize {
        for (at, peer) in self.peers.iter_mut().enumerate() {
            if peer.address == address {
                peer.connections += 1;
                return at;
            }
        }
        if self.peers.len() < PEERS {
            self.peers.push(Peer {
                address,
                port,
                connections: 1,
                fallbacks: 0,
            });
            return self.peers.len() - 1;
        }
        PEERS
    }
}

/// The place of the endpoint with this address: of several the one with this
/// id, or with this port.
fn endpoint_at(host: &Host, address: Key, port: u16, id: Option<u8>) -> Option<usize> {
    let mut found = None;
    for (at, endpoint) in host.places.endpoints.iter().enumerate() {
        if key_of(endpoint) != address {
            continue;
        }
        let better = endpoint.id() == id || endpoint.port() == Some(port);
        if found.is_none() || better {
            found = Some(at);
        }
    }
    found
}

/// 127.0.0.0/8 and ::1.
pub fn is_loopback(address: Key) -> bool {
    address == 1 || address >> 24 == 0x00ff_ff7f
}

/// Everything that is connected, connections that were broken off too.
const CONNECTED: States = States::CONNECTED.or(States::CLOSED);

/// Hands the sockets of a protocol in these states to `each`.
fn dump(
    diagnostics: &mut Diagnostics,
    protocol: Protocol,
    states: States,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    connections::dump(diagnostics, protocol, states, &Filter::ANY, 0, each)
}

/// Where sockets of plain TCP listen for other hosts: how many do, and one of
/// them.
pub fn plain_listeners(diagnostics: &mut Diagnostics) -> Result<(u32, u16)> {
    let mut found = (0, 0);
    dump(diagnostics, Protocol::Tcp, States::LISTEN, &mut |socket| {
        let [here, _] = socket.ends();
        let mptcp = socket
            .upper_name()?
            .is_some_and(|name| name.as_bytes() == b"mptcp");
        if !mptcp && !is_loopback(here.number) {
            found = (found.0 + 1, here.port);
        }
        Ok(())
    })?;
    Ok(found)
}
