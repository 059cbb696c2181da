//! MPTCP connections, each with its subflows.
//!
//! The kernel lists them apart: connections as sockets of MPTCP, subflows
//! among all sockets of TCP. Subflows are read first and kept, sorted by the
//! token of their connection; then connections are handed on as they come,
//! each joined with what was kept for it.
//!
//! The kernel goes through its tables piece by piece, and they change
//! meanwhile: what comes twice is taken once, what seems to lack something is
//! looked at again, and if it still does it is marked as incomplete.

use core::cell::Cell;
use core::net::IpAddr;

use mptcp_codec::diag::{
    extension, Filter, Protocol, Query, Socket, State, States, SubflowFlags, SubflowInfo, TcpInfo,
};
use mptcp_codec::inet::{AF_INET, AF_INET6};

use crate::error::Result;
use crate::kernel::Diagnostics;

/// Connections are looked up one by one as long as there are no more.
const FEW: usize = 32;

/// Which connections; the kernel itself picks them, as far as it can.
#[derive(Copy, Clone, Debug, Default)]
pub struct Selection {
    /// Just the connection with this token.
    pub token: Option<u32>,
    /// Those that pass, and those with a subflow that does. Where it is given,
    /// connections come that have one, with all their subflows.
    pub filter: Option<Filter>,
}

/// What the kernel kept from this reader, who lacks CAP_NET_ADMIN.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Which connection a subflow belongs to: none could be joined.
    pub subflows: bool,
    /// Sequence numbers of subflows.
    pub sequences: bool,
}

/// A connection and the subflows that were found for it.
#[derive(Debug)]
pub struct Connection<'a> {
    /// Its token.
    pub token: u32,
    /// What the kernel says of it; `None` where only subflows were found.
    pub socket: Option<&'a Socket<'a>>,
    /// Something changed while it was read, or is hidden: subflows are
    /// missing, or have gone since.
    pub incomplete: bool,
    table: &'a Table,
    keys: &'a [Key],
}

/// Which end of a connection this machine is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// Address and port of a socket; no address where the family is not one of
/// the Internet.
pub type End = (Option<IpAddr>, u16);
/// Local and remote.
pub type Ends = [End; 2];

/// The ends of a socket.
pub fn ends(socket: &Socket) -> Ends {
    [
        (socket.source, socket.source_port),
        (socket.destination, socket.destination_port),
    ]
}

/// A subflow.
#[derive(Copy, Clone, Debug)]
pub struct Subflow<'a> {
    /// Its TCP socket.
    pub socket: &'a Kept,
    /// What TCP knows of it.
    pub tcp_info: TcpInfo<'a>,
}

/// What is kept of the TCP socket of a subflow.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The TCP state.
    pub state: State,
    /// Index of the interface that it is bound to, 0 for none.
    pub interface: u32,
    /// Its ends.
    pub ends: Ends,
    /// Its part of MPTCP.
    pub info: SubflowInfo,
    inode: u32,
    // Where its `struct tcp_info` is.
    at: usize,
    len: usize,
    // Of the first of a connection: it was handed on.
    done: Cell<bool>,
}

impl Subflow<'_> {
    /// Its part of MPTCP.
    pub fn info(&self) -> &SubflowInfo {
        &self.socket.info
    }

    /// Its flags.
    pub fn flags(&self) -> SubflowFlags {
        self.socket.info.flags().unwrap_or_default()
    }

    /// It was joined to a connection that was there already.
    pub fn is_joined(&self) -> bool {
        is_joined(&self.socket.info)
    }

    /// It is there to stay: its opening is over, its closing has not begun
    /// here.
    pub fn is_alive(&self) -> bool {
        is_alive(self.socket.state)
    }

    /// Bytes that it carried, in both directions, as far as they arrived.
    pub fn bytes(&self) -> u64 {
        let acked = self.tcp_info.bytes_acked().unwrap_or(0);
        let received = self.tcp_info.bytes_received().unwrap_or(0);
        acked.saturating_add(received)
    }
}

fn is_joined(info: &SubflowInfo) -> bool {
    let joined = SubflowFlags::JOIN_LOC.0 | SubflowFlags::JOIN_REM.0;
    info.flags().unwrap_or_default().0 & joined != 0
}

fn is_alive(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait)
}

impl<'a> Connection<'a> {
    /// The subflows, those that were there from the start first.
    pub fn subflows(&self) -> impl Iterator<Item = Subflow<'a>> + '_ {
        self.keys.iter().filter_map(|key| self.table.subflow(key))
    }

    /// It fell back to TCP.
    pub fn is_fallback(&self) -> bool {
        let info = self.socket.and_then(|socket| socket.mptcp_info());
        info.is_some_and(|info| info.is_fallback())
    }

    /// Which end this is, as the first subflow tells while it lives.
    pub fn role(&self) -> Option<Role> {
        for subflow in self.subflows() {
            let flags = subflow.flags();
            if subflow.is_joined() {
            } else if flags.contains(SubflowFlags::MCAP_LOC) {
                return Some(Role::Client);
            } else if flags.contains(SubflowFlags::MCAP_REM) {
                return Some(Role::Server);
            } else {
                break;
            }
        }
        None
    }
}

/// Which subflow was kept at a place: sorted by these, those of a connection
/// are together, the first before those that joined.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    // The token, and one bit for those that joined.
    group: u64,
    cookie: u64,
    at: usize,
}

impl Key {
    fn token(&self) -> u32 {
        (self.group >> 1) as u32
    }
}

/// The subflows that wait for their connections.
#[derive(Debug, Default)]
struct Table {
    tcp_infos: Vec<u8>,
    kept: Vec<Kept>,
    keys: Vec<Key>,
}

impl Table {
    /// Reads the subflows anew; of the connections in `wanted` only, where that
    /// is given.
    fn read(
        &mut self,
        diagnostics: &mut Diagnostics,
        filter: &Filter,
        wanted: Option<&[u32]>,
        hidden: &mut Hidden,
    ) -> Result<()> {
        self.tcp_infos.clear();
        self.kept.clear();
        self.keys.clear();
        dump(
            diagnostics,
            Protocol::Tcp,
            connected(),
            filter,
            &mut |socket| self.keep(socket, wanted, hidden),
        )?;
        self.keys.sort_unstable();
        self.keys
            .dedup_by(|later, kept| (later.group, later.cookie) == (kept.group, kept.cookie));
        Ok(())
    }

    fn keep(&mut self, socket: &Socket, wanted: Option<&[u32]>, hidden: &mut Hidden) -> Result<()> {
        let Some(info) = socket.subflow()? else {
            let upper = socket.upper_name()?;
            hidden.subflows |= upper.is_some_and(|name| name.as_bytes() == b"mptcp");
            return Ok(());
        };
        let Some(token) = info.token_loc() else {
            return Ok(());
        };
        hidden.sequences |= info.relwrite_seq().is_none();
        if !is_in(wanted, token) {
            return Ok(());
        }
        self.keys.push(Key {
            group: u64::from(token) << 1 | u64::from(is_joined(&info)),
            cookie: socket.cookie,
            at: self.kept.len(),
        });
        let tcp_info = socket.tcp_info();
        let tcp_info = tcp_info.as_ref().map_or(&[][..], |info| info.as_bytes());
        self.kept.push(Kept {
            state: socket.state,
            interface: socket.interface,
            ends: ends(socket),
            info,
            inode: socket.inode,
            at: self.tcp_infos.len(),
            len: tcp_info.len(),
            done: Cell::new(false),
        });
        self.tcp_infos.extend_from_slice(tcp_info);
        Ok(())
    }

    fn subflow(&self, key: &Key) -> Option<Subflow<'_>> {
        let socket = self.kept.get(key.at)?;
        let end = socket.at + socket.len;
        Some(Subflow {
            socket,
            tcp_info: TcpInfo::new(self.tcp_infos.get(socket.at..end)?),
        })
    }

    /// The subflows of a connection.
    fn of(&self, token: u32) -> &[Key] {
        let from = self.keys.partition_point(|key| key.token() < token);
        let rest = self.keys.get(from..).unwrap_or(&[]);
        let count = rest.iter().take_while(|key| key.token() == token).count();
        rest.get(..count).unwrap_or(&[])
    }

    /// The connection of this socket with its subflows.
    fn join<'a>(&'a self, token: u32, socket: Option<&'a Socket<'a>>) -> Connection<'a> {
        self.join_of(self.of(token), token, socket)
    }

    fn join_of<'a>(
        &'a self,
        mut keys: &'a [Key],
        token: u32,
        socket: Option<&'a Socket<'a>>,
    ) -> Connection<'a> {
        let mut incomplete = socket.is_none();
        if let Some(socket) = socket {
            let (mut alive, mut foreign) = (0, false);
            for key in keys {
                let Some(kept) = self.kept.get(key.at) else {
                    continue;
                };
                alive += usize::from(is_alive(kept.state));
                // A token may be given out again, an inode not so soon: whoever
                // has another one belongs to a connection that has gone.
                foreign |= kept.inode != 0 && socket.inode != 0 && kept.inode != socket.inode;
            }
            if foreign {
                incomplete = true;
                keys = &[];
            }
            let info = socket.mptcp_info();
            incomplete |= match info.and_then(|info| info.subflows_total()) {
                Some(total) => keys.len() < usize::from(total) || alive > usize::from(total),
                // Older kernels count only those beyond the first.
                None => info
                    .and_then(|info| info.subflows())
                    .is_some_and(|extra| keys.len() < usize::from(extra)),
            };
        }
        Connection {
            token,
            socket,
            incomplete,
            table: self,
            keys,
        }
    }
}

/// Everything that is connected, connections that were broken off too.
fn connected() -> States {
    States::CONNECTED.or(States::only(State::Close))
}

fn query(protocol: Protocol, family: u8, states: States) -> Query {
    Query::new(protocol, family)
        .with_states(states)
        .with_extensions(extension::INFO)
}

/// Hands the sockets of a protocol in these states that pass to `each`.
fn dump(
    diagnostics: &mut Diagnostics,
    protocol: Protocol,
    states: States,
    filter: &Filter,
    each: &mut dyn FnMut(&Socket) -> Result<()>,
) -> Result<()> {
    for &family in &[AF_INET, AF_INET6] {
        let query = query(protocol, family, states).with_filter(*filter);
        diagnostics.dump(&query, each)?;
    }
    Ok(())
}

/// Hands the connection with this token to `each`; tells whether there is one.
fn by_token(
    diagnostics: &mut Diagnostics,
    token: u32,
    each: &mut dyn FnMut(&Socket) -> Result<()>,
) -> Result<bool> {
    diagnostics.by_token(&query(Protocol::Mptcp, AF_INET, connected()), token, each)
}

/// Whether this token is wanted: all are where none are given.
fn is_in(wanted: Option<&[u32]>, token: u32) -> bool {
    wanted.is_none_or(|wanted| wanted.binary_search(&token).is_ok())
}

fn token_of(socket: &Socket) -> u32 {
    let info = socket.mptcp_info();
    info.and_then(|info| info.token()).unwrap_or(0)
}

/// Sorts tokens; each is there once then.
#[inline(never)]
fn sort(tokens: &mut Vec<u32>) {
    tokens.sort_unstable();
    tokens.dedup();
}

/// Hands each connection that `selection` names to `each`, once, in no
/// particular order.
pub fn each(
    diagnostics: &mut Diagnostics,
    selection: &Selection,
    each: &mut dyn FnMut(&Connection) -> Result<()>,
) -> Result<Hidden> {
    let mut hidden = Hidden::default();
    let mut table = Table::default();
    // The tokens, ascending, unless all are wanted.
    let mut tokens = Vec::new();
    let mut all = false;
    // All subflows of these connections have been read.
    let mut whole = false;
    match (selection.token, &selection.filter) {
        (None, None) => all = true,
        (Some(token), _) => {
            if !by_token(diagnostics, token, &mut |_| Ok(()))? {
                return Ok(hidden);
            }
            tokens.push(token);
        }
        (None, Some(filter)) => {
            table.read(diagnostics, filter, None, &mut hidden)?;
            for key in &table.keys {
                tokens.push(key.token());
            }
            dump(
                diagnostics,
                Protocol::Mptcp,
                connected(),
                filter,
                &mut |socket| {
                    tokens.push(token_of(socket));
                    Ok(())
                },
            )?;
            sort(&mut tokens);
            if tokens.is_empty() {
                return Ok(hidden);
            }
            // All of their subflows are wanted. Where the filter has let them
            // all through, the large dump is saved.
            if tokens.len() <= FEW {
                whole = true;
                for token in &tokens {
                    by_token(diagnostics, *token, &mut |socket| {
                        whole &= !table.join(*token, Some(socket)).incomplete;
                        Ok(())
                    })?;
                }
            }
        }
    }
    let wanted = (!all).then_some(&tokens[..]);
    if !whole {
        table.read(diagnostics, &Filter::ANY, wanted, &mut hidden)?;
    }
    // Connections to look at again.
    let mut again = Vec::new();
    let mut join = |token: u32, socket: &Socket| {
        let keys = table.of(token);
        let first = keys.first().and_then(|first| table.kept.get(first.at));
        if first.is_some_and(|first| first.done.replace(true)) {
            return Ok(());
        }
        let connection = table.join_of(keys, token, Some(socket));
        if connection.incomplete && !hidden.subflows {
            again.push(token);
            return Ok(());
        }
        each(&connection)
    };
    match wanted {
        Some(tokens) if tokens.len() <= FEW => {
            for token in tokens {
                by_token(diagnostics, *token, &mut |socket| join(*token, socket))?;
            }
        }
        _ => dump(
            diagnostics,
            Protocol::Mptcp,
            connected(),
            &Filter::ANY,
            &mut |socket| {
                let token = token_of(socket);
                if is_in(wanted, token) {
                    join(token, socket)
                } else {
                    Ok(())
                }
            },
        )?,
    }
    // What closes may outlive its connection; what lives has one.
    let mut last = None;
    let mut done = false;
    for key in &table.keys {
        let Some(kept) = table.kept.get(key.at) else {
            continue;
        };
        if last != Some(key.token()) {
            last = Some(key.token());
            done = kept.done.get();
        }
        if !done && is_alive(kept.state) {
            again.push(key.token());
        }
    }
    if again.is_empty() {
        return Ok(hidden);
    }
    sort(&mut again);
    table.read(diagnostics, &Filter::ANY, Some(&again), &mut hidden)?;
    for &token in &again {
        let found = by_token(diagnostics, token, &mut |socket| {
            each(&table.join(token, Some(socket)))
        })?;
        let orphans = table.join(token, None);
        if !found && orphans.subflows().any(|subflow| subflow.is_alive()) {
            each(&orphans)?;
        }
    }
    Ok(hidden)
}

/// Hands each listening socket of MPTCP to `each`.
pub fn listeners(
    diagnostics: &mut Diagnostics,
    each: &mut dyn FnMut(&Socket) -> Result<()>,
) -> Result<()> {
    let states = States::LISTEN;
    dump(diagnostics, Protocol::Mptcp, states, &Filter::ANY, each)
}
