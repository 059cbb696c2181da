//! MPTCP connections and their subflows.
//!
//! The kernel lists them apart: connections as sockets of MPTCP, subflows among
//! all sockets of TCP, each with the token of its connection. There are two
//! ways to read them:
//!
//! * [`each`] joins them: it keeps the subflows, sorted by token, and hands out
//!   every connection with its own.
//! * [`survey`] hands out all connections, then all subflows, each with the
//!   number of its connection. It keeps nothing but the tokens.
//!
//! The kernel walks its tables piece by piece while they change. What comes
//! twice is handed out once. A connection that seems to lack subflows is read
//! again with them:
//!
//! ```text
//! first reading ──► whole? ──► handed out
//!      ▲               │ no
//!      │               ▼
//!      └────────── pending, with the number of subflows that it counted
//! ```
//!
//! If it counts the same number before and after its subflows were read, the
//! missing ones do not exist any more: they are lost. Otherwise it changed while
//! it was read, and is incomplete.
//!
//! A connection that fell back to TCP before it had a token is not in the
//! kernel's list of connections. Its only trace is the subflow, with the token
//! 0: it is handed out as a connection of its own.

use core::cell::Cell;

use mptcp_codec::diag::{
    extension, End, Filter, Protocol, Query, SocketView, State, States, SubflowFlags, SubflowInfo,
    TcpInfo,
};
use mptcp_codec::inet::{AF_INET, AF_INET6};

use crate::error::Result;
use crate::kernel::Diagnostics;
use crate::text::Text;

/// Up to this many connections are looked up one by one.
const FEW: usize = 32;

/// Which connections; the kernel itself picks them, as far as it can.
#[derive(Copy, Clone, Debug, Default)]
pub struct Selection {
    /// Only the connection with this token, or with 0 all that have none.
    pub token: Option<u32>,
    /// Connections that pass or have a subflow that passes, with all their
    /// subflows.
    pub filter: Option<Filter>,
}

/// How much is read of each subflow.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// All of [`Subflow`] except the figures.
    Place,
    /// The figures too.
    Figures,
    /// And the kernel's structures as a whole.
    All,
}

/// What the kernel hides from a reader without CAP_NET_ADMIN.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// The connections of subflows: none could be matched.
    pub subflows: bool,
    /// Sequence numbers of subflows.
    pub sequences: bool,
}

/// Which end of a connection this host is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// What TCP counts of a subflow.
#[derive(Copy, Clone, Debug, Default)]
pub struct Figures {
    /// Bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Bytes that the peer acknowledged.
    pub bytes_acked: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Smoothed round-trip time, microseconds.
    pub rtt: u32,
    /// Its variation, microseconds.
    pub rttvar: u32,
    /// Congestion window, segments.
    pub cwnd: u32,
    /// Milliseconds since data was last sent.
    pub last_data_sent: u32,
    /// Milliseconds since data was last received.
    pub last_data_recv: u32,
    /// Milliseconds since an acknowledgement was last received.
    pub last_ack_recv: u32,
    /// Segments retransmitted over the whole lifetime.
    pub retransmits: u32,
}

impl Figures {
    /// Every kernel with MPTCP sends at least this much of `tcp_info`: up to the bytes sent.
    const SENT: usize = 208;

    /// Reads them into place.
    fn read(&mut self, info: TcpInfo) {
        // Checked once, not for each.
        let Some(sent) = info.as_bytes().first_chunk::<{ Self::SENT }>() else {
            return;
        };
        let info: TcpInfo = TcpInfo::new(sent);
        self.bytes_sent = info.bytes_sent().unwrap_or(0);
        self.bytes_acked = info.bytes_acked().unwrap_or(0);
        self.bytes_received = info.bytes_received().unwrap_or(0);
        self.rtt = info.rtt().unwrap_or(0);
        self.rttvar = info.rttvar().unwrap_or(0);
        self.cwnd = info.snd_cwnd().unwrap_or(0);
        self.last_data_sent = info.last_data_sent().unwrap_or(0);
        self.last_data_recv = info.last_data_recv().unwrap_or(0);
        self.last_ack_recv = info.last_ack_recv().unwrap_or(0);
        self.retransmits = info.total_retrans().unwrap_or(0);
    }

    /// Bytes carried in both directions that have arrived.
    pub fn bytes(&self) -> u64 {
        // SYN and FIN are acknowledged like a byte each, but are none.
        let acked = self.bytes_acked.min(self.bytes_sent);
        acked.saturating_add(self.bytes_received)
    }
}

/// A subflow: what is kept of its TCP socket. There may be tens of thousands,
/// so it is small.
#[derive(Clone, Debug, Default)]
pub struct Subflow {
    /// Addresses as [`End::number`], the local one first.
    pub addresses: [u128; 2],
    /// What TCP counts; all 0 if not asked for or not sent.
    pub figures: Figures,
    /// Index of the interface that the socket is bound to, or 0.
    pub interface: u32,
    /// The socket's inode: that of its connection, 0 once it has no owner.
    pub inode: u32,
    /// Its mark if the kernel shows it, or 0.
    pub mark: u32,
    ports: [u16; 2],
    // The flags of MPTCP; above them, which of the ids the kernel sent.
    flags: u16,
    state: u8,
    ids: [u8; 2],
    family: u8,
    // Its connection was passed on, or is to be read again.
    done: Cell<bool>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Subflow>() <= 112);

/// Subflows of all connections.
#[derive(Debug, Default)]
struct Subflows {
    list: Vec<Subflow>,
    // With `Detail::All`, in the same order: what MPTCP knows of each, and where its `tcp_info`
    // ends in the bytes; it begins where the one before ends.
    infos: Vec<(SubflowInfo, usize)>,
    tcp_infos: Vec<u8>,
}

impl Subflows {
    fn get(&self, key: &SortKey) -> Option<&Subflow> {
        self.list.get(place_in(key))
    }
}

impl Subflow {
    /// Bits of `flags`.
    const FLAGS: u16 = 0x1ff;
    const IDS: [u16; 2] = [0x4000, 0x8000];

    /// Keeps what is needed of a socket of which MPTCP knows `info`.
    #[inline(never)]
    fn read(&mut self, socket: &SocketView, info: &SubflowInfo, detail: Detail) {
        let [local, remote] = socket.ends();
        self.addresses = [local.number, remote.number];
        self.ports = [local.port, remote.port];
        self.family = local.family as u8;
        if let Some(info) = socket.tcp_info().filter(|_| detail > Detail::Place) {
            self.figures.read(info);
        }
        self.interface = socket.interface();
        self.inode = socket.inode();
        self.mark = socket.mark().unwrap_or(0);
        self.state = socket.state().number();
        self.flags = info.flags().unwrap_or_default().0 as u16 & Self::FLAGS;
        if let Some(id) = info.id_loc() {
            self.ids[0] = id;
            self.flags |= Self::IDS[0];
        }
        if let Some(id) = info.id_rem() {
            self.ids[1] = id;
            self.flags |= Self::IDS[1];
        }
    }

    /// Its ends, the local one first.
    #[inline(never)]
    pub fn ends(&self) -> [End; 2] {
        let [local, remote] = self.addresses;
        let [here, there] = self.ports;
        let end = |number, port| End {
            number,
            port,
            family: self.family.into(),
        };
        [end(local, here), end(remote, there)]
    }

    /// The flags that the codec knows.
    pub fn flags(&self) -> SubflowFlags {
        SubflowFlags((self.flags & Self::FLAGS).into())
    }

    /// The TCP state.
    pub fn state(&self) -> State {
        State::from_number(self.state)
    }

    /// The id of the local address; `None` where the kernel did not send it.
    pub fn local_id(&self) -> Option<u8> {
        (self.flags & Self::IDS[0] != 0).then_some(self.ids[0])
    }

    /// The id of the remote address.
    pub fn remote_id(&self) -> Option<u8> {
        (self.flags & Self::IDS[1] != 0).then_some(self.ids[1])
    }

    /// It was joined to an existing connection.
    pub fn is_joined(&self) -> bool {
        is_joined(self.flags())
    }

    /// Its handshake is over, and this side has not begun to close it.
    pub fn is_alive(&self) -> bool {
        is_alive(self.state())
    }
}

/// Writes an end: its address, and its port if there is one.
#[inline(never)]
pub fn put_end(end: &End, port: bool, text: &mut Text) {
    let bracket = port && end.family == AF_INET6;
    if bracket {
        text.byte(b'[');
    }
    if let Some(address) = end.address() {
        text.address(address);
    }
    if bracket {
        text.byte(b']');
    }
    if port {
        text.byte(b':');
        text.number(end.port.into());
    }
}

/// It was joined to an existing connection.
pub fn is_joined(flags: SubflowFlags) -> bool {
    let joined = SubflowFlags::JOIN_LOC.0 | SubflowFlags::JOIN_REM.0;
    flags.0 & joined != 0
}

/// The handshake of a subflow in this state is over, and this side has not begun to close it.
pub fn is_alive(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait)
}

/// A connection and its subflows that were found.
#[derive(Debug)]
pub struct Connection<'a> {
    /// Its token; 0 if it fell back to TCP before it had one.
    pub token: u32,
    /// What the kernel knows of it; `None` if only subflows were found, as for those without a
    /// token.
    pub socket: Option<&'a SocketView<'a>>,
    /// It changed while it was read, or is hidden: subflows are missing, or no longer exist.
    pub incomplete: bool,
    /// How many of the subflows that it counts no longer have a socket.
    pub lost: usize,
    all: &'a Subflows,
    keys: &'a [SortKey],
}

impl<'a> Connection<'a> {
    /// The subflows, those that existed from the start first.
    pub fn subflows(&self) -> impl Iterator<Item = &'a Subflow> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let key = self.keys.get(at)?;
            at += 1;
            self.all.get(key)
        })
    }

    /// With [`Detail::All`], the structures of its subflow number `at`, and the bytes
    /// of `tcp_info`.
    pub fn structures(&self, at: usize) -> Option<(&'a SubflowInfo, &'a [u8])> {
        let place = place_in(self.keys.get(at)?);
        let (info, end) = self.all.infos.get(place)?;
        let before = self.all.infos.get(place.wrapping_sub(1));
        let start = before.map_or(0, |(_, end)| *end);
        Some((info, self.all.tcp_infos.get(start..*end)?))
    }

    /// Its state, if known: for a connection without a token, that of its only subflow.
    pub fn state(&self) -> Option<State> {
        match self.socket {
            Some(socket) => Some(socket.state()),
            None if self.token == 0 => self.subflows().next().map(Subflow::state),
            None => None,
        }
    }

    /// Its ends, the local one first, if its state is known.
    pub fn ends(&self) -> Option<[End; 2]> {
        match self.socket {
            Some(socket) => Some(socket.ends()),
            None if self.token == 0 => self.subflows().next().map(Subflow::ends),
            None => None,
        }
    }

    /// It has fallen back to TCP.
    pub fn is_fallback(&self) -> bool {
        self.socket.map_or(self.token == 0, is_fallback)
    }

    /// Which end this host is, which the first subflow shows as long as it exists.
    pub fn role(&self) -> Option<Role> {
        let first = self.subflows().find(|subflow| !subflow.is_joined())?;
        let flags = first.flags();
        // Without any flag it fell back while this host opened it: a connection that a peer
        // opens as TCP is not an MPTCP socket.
        Some(match flags.contains(SubflowFlags::MCAP_REM) {
            true if !flags.contains(SubflowFlags::MCAP_LOC) => Role::Server,
            _ => Role::Client,
        })
    }
}

/// Whether a connection has fallen back to TCP. While the peer has not answered, the kernel's
/// flag only means that it now tries without MPTCP: the path may be dead.
pub fn is_fallback(socket: &SocketView) -> bool {
    let info = socket.mptcp_info();
    socket.state() != State::SynSent && info.is_some_and(|info| info.is_fallback())
}

/// What [`survey`] finds.
#[derive(Debug)]
pub enum Found<'f> {
    /// A connection. They come first, and are numbered from 0 in that order.
    Connection {
        /// Its socket.
        socket: &'f SocketView<'f>,
    },
    /// A subflow.
    Subflow {
        /// The number of its connection; `None` if it fell back before it had a token and is a
        /// connection of its own.
        of: Option<usize>,
        /// Its socket.
        socket: &'f SocketView<'f>,
        /// What it is.
        flags: SubflowFlags,
    },
}

/// A token and more in one number. When sorted, the first subflow of a connection precedes
/// those that joined, which are ordered by the id of their address. A plain number like
/// everything else that is sorted, since each type brings its own sorting code.
pub type SortKey = u128;

/// The bit positions of the parts of a key: the token, a bit for those that joined, the id, 56
/// bits of the cookie, and in the rest the place in a list or another number.
const TOKEN: u32 = 96;
const JOINED: u32 = 95;
const ID: u32 = 87;
const COOKIE: u32 = 31;

/// The key of a connection, with another number.
pub fn sort_key(token: u32, number: usize) -> SortKey {
    SortKey::from(token) << TOKEN | number as SortKey
}

fn sort_key_of(token: u32, subflow: &Subflow, cookie: u64, place: usize) -> SortKey {
    sort_key(token, place)
        | SortKey::from(subflow.is_joined()) << JOINED
        | SortKey::from(subflow.local_id().unwrap_or(0)) << ID
        | SortKey::from(cookie << 8 >> 8) << COOKIE
}

fn token_in(key: &SortKey) -> u32 {
    (key >> TOKEN) as u32
}

fn place_in(key: &SortKey) -> usize {
    *key as usize & ((1 << COOKIE) - 1)
}

/// Sorts keys, and keeps one of those with the same name.
#[inline(never)]
pub fn sort(keys: &mut Vec<SortKey>) {
    keys.sort_unstable();
    keys.dedup_by_key(|key| *key >> COOKIE);
}

/// A list of things with tokens, and where in it those with a given token are. Tens of
/// thousands are found without sorting: tokens are random, so that their lowest bits serve
/// as a hash. Other hashes work as well.
#[derive(Debug, Default)]
pub struct Index {
    entries: Vec<Entry>,
    // By hash: the last entry with it, counted from 1. Their number is a power of two, and
    // at least that of the entries.
    last: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    cookie: u64,
    token: u32,
    // The previous one with the same hash, counted from 1; 0 for none.
    before: u32,
}

impl Index {
    /// Adds one. Entries without a token, of which there may be many, are not found.
    #[inline(never)]
    pub fn push(&mut self, token: u32, cookie: u64) {
        let mut place = self.entries.len();
        self.entries.push(Entry {
            cookie,
            token,
            before: 0,
        });
        if place >= self.last.len() {
            self.last = vec![0; (place + 1).next_power_of_two()];
            place = 0;
        }
        let mask = self.last.len() - 1;
        // Only what is new is walked.
        let new = self.entries.get_mut(place..).unwrap_or_default();
        for (at, entry) in (place as u32 + 1..).zip(new) {
            if let (1.., Some(last)) = (entry.token, self.last.get_mut(entry.token as usize & mask))
            {
                entry.before = core::mem::replace(last, at);
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.last.fill(0);
    }

    /// The last entry with this token, or the last before entry number `before`; counted
    /// from 1, 0 for none.
    #[inline]
    pub fn find(&self, token: u32, before: u32) -> u32 {
        let mask = self.last.len().wrapping_sub(1);
        let mut at = match self.get(before) {
            Some(entry) => entry.before,
            None => self.last.get(token as usize & mask).copied().unwrap_or(0),
        };
        while let Some(entry) = self.get(at) {
            if entry.token == token {
                break;
            }
            at = entry.before;
        }
        at
    }

    fn get(&self, number: u32) -> Option<&Entry> {
        self.entries.get((number as usize).wrapping_sub(1))
    }
}

/// Everything that is connected, including connections that were aborted.
const CONNECTED: States = States::CONNECTED.or(States::CLOSED);

fn query(protocol: Protocol, family: u16, states: States) -> Query {
    Query::new(protocol, family)
        .with_states(states)
        .with_extensions(extension::INFO)
}

/// Passes the sockets of a protocol in these states that match the filter to `each`; with a
/// nonzero `inode`, only those with this one or none.
#[inline(never)]
pub fn dump(
    diagnostics: &mut Diagnostics,
    protocol: Protocol,
    states: States,
    filter: &Filter,
    inode: u32,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    for family in [AF_INET, AF_INET6] {
        let query = query(protocol, family, states).with_filter(*filter);
        diagnostics.dump(&query, inode, each)?;
    }
    Ok(())
}

/// Passes the connection with this token to `each`; returns whether it exists.
#[inline(never)]
fn by_token(
    diagnostics: &mut Diagnostics,
    token: u32,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<bool> {
    diagnostics.by_token(&query(Protocol::Mptcp, AF_INET, CONNECTED), token, each)
}

/// The token of a connection; 0 if it has none.
pub fn token_of(socket: &SocketView) -> u32 {
    let info = socket.mptcp_info();
    info.and_then(|info| info.token()).unwrap_or(0)
}

/// Reads into `info` what MPTCP knows of a subflow; it stays empty if the socket is not a
/// subflow or the kernel hides it.
#[inline(never)]
fn read_subflow(socket: &SocketView, info: &mut SubflowInfo, hidden: &mut Hidden) -> Result<()> {
    if !socket.read_subflow(info)? {
        hidden.subflows |= is_subflow(socket)?;
    } else if info.token_loc().is_some() {
        hidden.sequences |= info.relwrite_seq().is_none();
    }
    Ok(())
}

/// Whether a socket is a subflow, even if the kernel hides its details.
pub fn is_subflow(socket: &SocketView) -> Result<bool> {
    let upper = socket.upper_name()?;
    Ok(upper.is_some_and(|name| name.as_bytes() == b"mptcp"))
}

/// How many subflows a connection counts: all of them if known, and the fewest there can be: on
/// kernels before 6.8 only those beyond the first are counted.
fn counted(socket: &SocketView) -> (Option<usize>, usize) {
    let Some(info) = socket.mptcp_info() else {
        return (None, 0);
    };
    let all = info.subflows_total().map(usize::from);
    let least = all.or(info.subflows().map(usize::from));
    (all, least.unwrap_or(0))
}

/// Joins connections with the subflows that were read before. Fields that are used for each
/// come first, where less code reaches them.
#[repr(C)]
struct Reader<'r> {
    each: &'r mut dyn FnMut(&Connection) -> Result<()>,
    // The inode of the only connection wanted, if known.
    inode: u32,
    detail: Detail,
    // This is the last reading.
    last: bool,
    hidden: Hidden,
    // The connections to read now, sorted; empty for all. The number is 1 more than the
    // number of subflows counted before, or 0 if that is unknown.
    wanted: Vec<SortKey>,
    subflows: Subflows,
    // Of the subflows.
    index: Index,
    // The subflows of the current connection, sorted.
    group: Vec<SortKey>,
    // The connections to read again.
    pending: Vec<SortKey>,
}

impl Reader<'_> {
    #[inline(never)]
    fn read(&mut self, diagnostics: &mut Diagnostics, selection: &Selection) -> Result<()> {
        match selection.token {
            Some(0) => {
                self.wanted.push(sort_key(0, 0));
                self.read_subflows(diagnostics, &Filter::ANY)?;
                self.without_token()?;
            }
            Some(token) => {
                by_token(diagnostics, token, &mut |socket| {
                    self.inode = socket.inode();
                    self.pend(token, Some(counted(socket).1));
                    Ok(())
                })?;
            }
            None => {
                let filter = selection.filter.unwrap_or(Filter::ANY);
                self.read_subflows(diagnostics, &filter)?;
                self.without_token()?;
                self.read_connections(diagnostics, &filter)?;
                self.unclaimed()?;
            }
        }
        while !self.pending.is_empty() {
            core::mem::swap(&mut self.wanted, &mut self.pending);
            self.pending.clear();
            sort(&mut self.wanted);
            self.read_subflows(diagnostics, &Filter::ANY)?;
            if self.wanted.len() <= FEW {
                self.look_up(diagnostics)?;
            } else {
                self.read_connections(diagnostics, &Filter::ANY)?;
            }
            self.unclaimed()?;
            self.last = true;
        }
        Ok(())
    }

    /// Notes that the connection must be read again; it counted this many subflows.
    fn pend(&mut self, token: u32, counted: Option<usize>) {
        let number = counted.map_or(0, |count| count + 1);
        self.pending.push(sort_key(token, number));
    }

    /// The entry of this connection among those wanted.
    #[inline(never)]
    fn wanted(&self, token: u32) -> Option<SortKey> {
        let at = self.wanted.partition_point(|key| token_in(key) < token);
        self.wanted
            .get(at)
            .copied()
            .filter(|key| token_in(key) == token)
    }

    /// Collects the subflows of a connection, each once even if it was read twice.
    #[inline(never)]
    fn collect(&mut self, token: u32) {
        self.group.clear();
        let mut at = 0;
        loop {
            at = self.index.find(token, at);
            let Some(entry) = self.index.get(at) else {
                break;
            };
            let place = at as usize - 1;
            if let Some(subflow) = self.subflows.list.get(place) {
                let key = sort_key_of(token, subflow, entry.cookie, place);
                self.group.push(key);
            }
        }
        sort(&mut self.group);
    }

    /// Reads the subflows again: those of the wanted connections that match the filter.
    fn read_subflows(&mut self, diagnostics: &mut Diagnostics, filter: &Filter) -> Result<()> {
        self.subflows.list.clear();
        self.subflows.infos.clear();
        self.subflows.tcp_infos.clear();
        self.index.clear();
        let inode = self.inode;
        let tcp = Protocol::Tcp;
        dump(diagnostics, tcp, CONNECTED, filter, inode, &mut |socket| {
            self.keep(socket)
        })?;
        Ok(())
    }

    fn keep(&mut self, socket: &SocketView) -> Result<()> {
        let mut info = SubflowInfo::EMPTY;
        read_subflow(socket, &mut info, &mut self.hidden)?;
        let Some(token) = info.token_loc() else {
            return Ok(());
        };
        if !self.wanted.is_empty() && self.wanted(token).is_none() {
            return Ok(());
        }
        let subflows = &mut self.subflows;
        subflows.list.push(Subflow::default());
        if let Some(subflow) = subflows.list.last_mut() {
            subflow.read(socket, &info, self.detail);
        }
        self.index.push(token, socket.cookie());
        if self.detail == Detail::All {
            if let Some(sent) = socket.tcp_info() {
                subflows.tcp_infos.extend_from_slice(sent.as_bytes());
            }
            subflows.infos.push((info, subflows.tcp_infos.len()));
        }
        Ok(())
    }

    /// Passes on the connections that consist only of a subflow.
    fn without_token(&mut self) -> Result<()> {
        self.group.clear();
        let entries = self.index.entries.iter().zip(&self.subflows.list);
        for (place, (entry, subflow)) in entries.enumerate() {
            if entry.token == 0 {
                let key = sort_key_of(0, subflow, entry.cookie, place);
                self.group.push(key);
            }
        }
        sort(&mut self.group);
        for key in &self.group {
            (self.each)(&Connection {
                token: 0,
                socket: None,
                incomplete: false,
                lost: 0,
                all: &self.subflows,
                keys: core::slice::from_ref(key),
            })?;
        }
        Ok(())
    }

    /// Goes through the wanted connections that match the filter.
    fn read_connections(&mut self, diagnostics: &mut Diagnostics, filter: &Filter) -> Result<()> {
        let mptcp = Protocol::Mptcp;
        dump(diagnostics, mptcp, CONNECTED, filter, 0, &mut |socket| {
            let token = token_of(socket);
            // A connection that ends while it is listed no longer has a token.
            if token == 0 || !self.wanted.is_empty() && self.wanted(token).is_none() {
                return Ok(());
            }
            self.found(token, socket)
        })
    }

    /// Looks up the wanted connections one by one.
    fn look_up(&mut self, diagnostics: &mut Diagnostics) -> Result<()> {
        let mut at = 0;
        while let Some(token) = self.wanted.get(at).map(token_in) {
            at += 1;
            by_token(diagnostics, token, &mut |socket| self.found(token, socket))?;
        }
        Ok(())
    }

    /// A connection was found: passes it on, or notes that it must be read again.
    #[inline(never)]
    fn found(&mut self, token: u32, socket: &SocketView) -> Result<()> {
        self.collect(token);
        let mut keys = &self.group[..];
        let (mut alive, mut foreign, mut done) = (0, false, false);
        for key in keys {
            let Some(subflow) = self.subflows.get(key) else {
                continue;
            };
            alive += usize::from(subflow.is_alive());
            // Tokens may be reused, inodes not so soon: a subflow with another inode
            // belongs to a connection that no longer exists.
            let inode = socket.inode();
            foreign |= subflow.inode != 0 && inode != 0 && subflow.inode != inode;
            // The kernel may show a connection twice.
            done |= subflow.done.replace(true);
        }
        if done {
            return Ok(());
        }
        if foreign {
            keys = &[];
            alive = 0;
        }
        let (all, least) = counted(socket);
        let missing = least.saturating_sub(keys.len());
        let whole = missing == 0 && alive <= all.unwrap_or(alive);
        // Steady: it counted the same before its subflows were read.
        let before = self.wanted(token).map(|key| place_in(&key));
        let steady = before == Some(least + 1);
        if !whole && !steady && !self.last && !self.hidden.subflows {
            self.pend(token, Some(least));
            return Ok(());
        }
        // A connection that is being closed loses its subflows rightly.
        let lost = match steady && is_alive(socket.state()) {
            true => missing,
            false => 0,
        };
        (self.each)(&Connection {
            token,
            socket: Some(socket),
            incomplete: !whole && !steady,
            lost,
            all: &self.subflows,
            keys,
        })
    }

    /// Connections that were not found although they have a live subflow are read again,
    /// and passed on without a socket if they are still not found.
    fn unclaimed(&mut self) -> Result<()> {
        let mut place = 0;
        while let (Some(subflow), Some(entry)) =
            (self.subflows.list.get(place), self.index.entries.get(place))
        {
            let token = entry.token;
            place += 1;
            if !subflow.is_alive() || subflow.done.get() || token == 0 {
                continue;
            }
            if !self.last {
                self.pend(token, None);
                continue;
            }
            self.collect(token);
            for key in &self.group {
                if let Some(subflow) = self.subflows.get(key) {
                    subflow.done.set(true);
                }
            }
            (self.each)(&Connection {
                token,
                socket: None,
                incomplete: true,
                lost: 0,
                all: &self.subflows,
                keys: &self.group,
            })?;
        }
        Ok(())
    }
}

/// Passes each connection that `selection` selects to `each`, once, in no particular order.
pub fn each(
    diagnostics: &mut Diagnostics,
    selection: &Selection,
    detail: Detail,
    each: &mut dyn FnMut(&Connection) -> Result<()>,
) -> Result<Hidden> {
    let mut reader = Reader {
        each,
        detail,
        wanted: Vec::new(),
        inode: 0,
        subflows: Subflows::default(),
        index: Index::default(),
        group: Vec::new(),
        pending: Vec::new(),
        last: false,
        hidden: Hidden::default(),
    };
    reader.read(diagnostics, selection)?;
    Ok(reader.hidden)
}

/// Passes on all connections, then all of their subflows, and keeps neither. Subflows of
/// connections opened in between are left out.
pub fn survey(
    diagnostics: &mut Diagnostics,
    each: &mut dyn FnMut(Found) -> Result<()>,
) -> Result<Hidden> {
    let any = &Filter::ANY;
    let mut hidden = Hidden::default();
    let mut tokens = Index::default();
    let mptcp = Protocol::Mptcp;
    dump(diagnostics, mptcp, CONNECTED, any, 0, &mut |socket| {
        let token = token_of(socket);
        tokens.push(token, 0);
        each(Found::Connection { socket })
    })?;
    let tcp = Protocol::Tcp;
    dump(diagnostics, tcp, CONNECTED, any, 0, &mut |socket| {
        let mut info = SubflowInfo::EMPTY;
        read_subflow(socket, &mut info, &mut hidden)?;
        let Some(token) = info.token_loc() else {
            return Ok(());
        };
        let of = (tokens.find(token, 0) as usize).checked_sub(1);
        if of.is_none() && token != 0 {
            return Ok(());
        }
        let flags = info.flags().unwrap_or_default();
        each(Found::Subflow { of, socket, flags })
    })?;
    Ok(hidden)
}

/// Passes each listening MPTCP socket to `each`.
pub fn listeners(
    diagnostics: &mut Diagnostics,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    let states = States::LISTEN;
    dump(diagnostics, Protocol::Mptcp, states, &Filter::ANY, 0, each)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each push walks only what is new: were it quadratic, this would take minutes.
    #[test]
    fn a_hundred_thousand_are_found_by_token_in_little_time() {
        const COUNT: u32 = 100_000;
        let start = std::time::Instant::now();
        let mut index = Index::default();
        for at in 1..=COUNT {
            index.push(at.wrapping_mul(0x9e37_79b9), at.into());
        }
        for at in 1..=COUNT {
            assert_eq!(index.find(at.wrapping_mul(0x9e37_79b9), 0), at);
        }
        // All of several with the same token are found, the last one first.
        index.push(7, 1);
        index.push(7, 2);
        let last = index.find(7, 0);
        assert_eq!((last, index.find(7, last)), (COUNT + 2, COUNT + 1));
        index.clear();
        assert_eq!(index.find(7, 0), 0);
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }
}
