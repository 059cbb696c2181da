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

use mptcp_codec::diag::{
    extension, Filter, Protocol, Query, Socket, State, States, SubflowFlags, SubflowInfo,
};
use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::netlink::Messages;

use crate::error::{Error, Result};
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
    pub socket: Option<Socket<'a>>,
    /// Something changed while it was read, or is hidden: subflows are
    /// missing, or have gone since.
    pub incomplete: bool,
    subflows: Vec<Subflow<'a>>,
}

/// Which end of a connection this machine is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It connected.
    Client,
    /// It accepted.
    Server,
}

/// A subflow.
#[derive(Copy, Clone, Debug)]
pub struct Subflow<'a> {
    /// The TCP socket.
    pub socket: Socket<'a>,
    /// Its part of MPTCP.
    pub info: SubflowInfo,
}

impl Subflow<'_> {
    /// Its flags.
    pub fn flags(&self) -> SubflowFlags {
        self.info.flags().unwrap_or_default()
    }

    /// It was joined to a connection that was there already.
    pub fn is_joined(&self) -> bool {
        let flags = self.flags();
        flags.contains(SubflowFlags::JOIN_LOC) || flags.contains(SubflowFlags::JOIN_REM)
    }

    /// It is there to stay: its opening is over, its closing has not begun
    /// here.
    pub fn is_alive(&self) -> bool {
        is_alive(self.socket.state)
    }

    /// Bytes that it carried, in both directions, as far as they arrived.
    pub fn bytes(&self) -> u64 {
        let info = self.socket.tcp_info();
        let acked = info.and_then(|info| info.bytes_acked()).unwrap_or(0);
        let received = info.and_then(|info| info.bytes_received()).unwrap_or(0);
        acked.saturating_add(received)
    }
}

fn is_alive(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait)
}

impl<'a> Connection<'a> {
    /// The subflows, those that were there from the start first.
    pub fn subflows(&self) -> core::slice::Iter<'_, Subflow<'a>> {
        self.subflows.iter()
    }

    /// It fell back to TCP.
    pub fn is_fallback(&self) -> bool {
        let info = self.socket.as_ref().and_then(|socket| socket.mptcp_info());
        info.is_some_and(|info| info.is_fallback())
    }

    /// Which end this is, as the first subflow tells while it lives.
    pub fn role(&self) -> Option<Role> {
        let first = self.subflows().find(|subflow| !subflow.is_joined())?;
        let flags = first.flags();
        if flags.contains(SubflowFlags::MCAP_LOC) {
            Some(Role::Client)
        } else if flags.contains(SubflowFlags::MCAP_REM) {
            Some(Role::Server)
        } else {
            None
        }
    }
}

/// A kept subflow: whose it is and where its message lies.
#[derive(Clone, Debug)]
struct Entry {
    token: u32,
    inode: u32,
    cookie: u64,
    at: usize,
    info: usize,
    // First subflows come before those that joined.
    late: bool,
    alive: bool,
    // Of the first of a connection: it was handed on.
    done: Cell<bool>,
}

impl Entry {
    /// What tells them apart, and puts those of a connection together.
    fn key(&self) -> (u64, u64) {
        let late = u64::from(self.late);
        (u64::from(self.token) << 1 | late, self.cookie)
    }
}

/// The subflows that wait for their connections.
#[derive(Debug, Default)]
struct Table {
    bytes: Vec<u8>,
    infos: Vec<SubflowInfo>,
    entries: Vec<Entry>,
}

impl Table {
    /// Reads the subflows; of the connections in `wanted` only, where that is
    /// given.
    fn read(
        diagnostics: &mut Diagnostics,
        filter: Filter,
        wanted: Option<&[u32]>,
        hidden: &mut Hidden,
    ) -> Result<Self> {
        let mut table = Self::default();
        for family in [AF_INET, AF_INET6] {
            let query = query(Protocol::Tcp, family).with_filter(filter);
            diagnostics.dump(&query, &mut |socket, bytes| {
                table.keep(socket, bytes, wanted, hidden)
            })?;
        }
        table.entries.sort_unstable_by_key(Entry::key);
        table.entries.dedup_by_key(|entry| entry.key());
        Ok(table)
    }

    fn keep(
        &mut self,
        socket: &Socket,
        bytes: &[u8],
        wanted: Option<&[u32]>,
        hidden: &mut Hidden,
    ) -> Result<()> {
        let Some(info) = socket.subflow().map_err(Error::reply)? else {
            let upper = socket.upper_name().map_err(Error::reply)?;
            hidden.subflows |= upper.is_some_and(|name| name.as_bytes() == b"mptcp");
            return Ok(());
        };
        let Some(token) = info.token_loc() else {
            return Ok(());
        };
        hidden.sequences |= info.relwrite_seq().is_none();
        if wanted.is_some_and(|wanted| wanted.binary_search(&token).is_err()) {
            return Ok(());
        }
        let subflow = Subflow {
            socket: *socket,
            info,
        };
        self.entries.push(Entry {
            token,
            late: subflow.is_joined(),
            cookie: socket.cookie,
            at: self.bytes.len(),
            inode: socket.inode,
            alive: subflow.is_alive(),
            info: self.infos.len(),
            done: Cell::new(false),
        });
        self.infos.push(info);
        // Framed as it came, so that it can be read again.
        let len = (bytes.len() + HEADER) as u32;
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&KIND);
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The message of an entry, read again.
    fn subflow(&self, entry: &Entry) -> Option<Subflow<'_>> {
        let message = Messages::new(self.bytes.get(entry.at..)?).next()?.ok()?;
        let socket = Socket::decode(&message).ok()?;
        let info = *self.infos.get(entry.info)?;
        Some(Subflow { socket, info })
    }

    /// The entries of a connection.
    fn of(&self, token: u32) -> &[Entry] {
        let from = self.entries.partition_point(|entry| entry.token < token);
        let rest = self.entries.get(from..).unwrap_or(&[]);
        let count = rest.iter().take_while(|entry| entry.token == token).count();
        rest.get(..count).unwrap_or(&[])
    }

    /// The connection of this socket with its subflows.
    fn join<'a>(&'a self, token: u32, socket: Option<Socket<'a>>) -> Connection<'a> {
        let mut entries = self.of(token);
        let mut incomplete = socket.is_none();
        if let Some(socket) = &socket {
            // A token may be given out again, an inode not so soon: whoever
            // has another one belongs to a connection that has gone.
            let foreign = |entry: &Entry| {
                entry.inode != 0 && socket.inode != 0 && entry.inode != socket.inode
            };
            let alive = entries.iter().filter(|entry| entry.alive).count();
            if entries.iter().any(foreign) {
                incomplete = true;
                entries = &[];
            }
            let count = entries.len();
            let info = socket.mptcp_info();
            incomplete |= match info.and_then(|info| info.subflows_total()) {
                Some(total) => count < usize::from(total) || alive > usize::from(total),
                // Older kernels count only those beyond the first.
                None => info
                    .and_then(|info| info.subflows())
                    .is_some_and(|extra| count < usize::from(extra)),
            };
        }
        Connection {
            token,
            socket,
            incomplete,
            subflows: entries
                .iter()
                .filter_map(|entry| self.subflow(entry))
                .collect(),
        }
    }

    /// The tokens, ascending, each once.
    fn tokens(&self) -> Vec<u32> {
        let mut tokens: Vec<u32> = self.entries.iter().map(|entry| entry.token).collect();
        tokens.dedup();
        tokens
    }
}

/// `struct nlmsghdr`: its length and what follows its first four bytes.
const HEADER: usize = 16;
const KIND: [u8; HEADER - 4] = {
    let [a, b] = mptcp_codec::diag::BY_FAMILY.to_ne_bytes();
    [a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
};

/// Everything that is connected, connections that were broken off too.
fn query(protocol: Protocol, family: u8) -> Query {
    Query::new(protocol, family)
        .with_states(States::CONNECTED.or(States::only(State::Close)))
        .with_extensions(extension::INFO)
}

fn token_of(socket: &Socket) -> u32 {
    let info = socket.mptcp_info();
    info.and_then(|info| info.token()).unwrap_or(0)
}

/// Hands each connection that `selection` names to `each`, once, in no
/// particular order.
pub fn each(
    diagnostics: &mut Diagnostics,
    selection: &Selection,
    each: &mut dyn FnMut(&Connection) -> Result<()>,
) -> Result<Hidden> {
    let mut hidden = Hidden::default();
    let by_token = query(Protocol::Mptcp, AF_INET);
    let (table, wanted) = match (selection.token, &selection.filter) {
        (None, None) => {
            let table = Table::read(diagnostics, Filter::ANY, None, &mut hidden)?;
            (table, None)
        }
        (Some(token), _) => {
            if !diagnostics.by_token(&by_token, token, &mut |_| Ok(()))? {
                return Ok(hidden);
            }
            let wanted = vec![token];
            let table = Table::read(diagnostics, Filter::ANY, Some(&wanted), &mut hidden)?;
            (table, Some(wanted))
        }
        (None, Some(filter)) => {
            let mut table = Table::read(diagnostics, *filter, None, &mut hidden)?;
            let mut wanted = table.tokens();
            for family in [AF_INET, AF_INET6] {
                let query = query(Protocol::Mptcp, family).with_filter(*filter);
                diagnostics.dump(&query, &mut |socket, _| {
                    wanted.push(token_of(socket));
                    Ok(())
                })?;
            }
            wanted.sort_unstable();
            wanted.dedup();
            if wanted.is_empty() {
                return Ok(hidden);
            }
            // All of their subflows are wanted. Where the filter has let them
            // all through, the large dump is saved.
            let mut whole = wanted.len() <= FEW;
            for token in wanted.iter().filter(|_| wanted.len() <= FEW) {
                diagnostics.by_token(&by_token, *token, &mut |socket| {
                    whole &= !table.join(*token, Some(*socket)).incomplete;
                    Ok(())
                })?;
            }
            if !whole {
                table = Table::read(diagnostics, Filter::ANY, Some(&wanted), &mut hidden)?;
            }
            (table, Some(wanted))
        }
    };
    // Connections to look at again.
    let mut again = Vec::new();
    let mut join = |token: u32, socket: Socket| {
        let first = table.of(token).first();
        if first.is_some_and(|first| first.done.replace(true)) {
            return Ok(());
        }
        let connection = table.join(token, Some(socket));
        if connection.incomplete && !hidden.subflows {
            again.push(token);
            return Ok(());
        }
        each(&connection)
    };
    match &wanted {
        Some(wanted) if wanted.len() <= FEW => {
            for token in wanted {
                diagnostics.by_token(&by_token, *token, &mut |socket| join(*token, *socket))?;
            }
        }
        _ => {
            for family in [AF_INET, AF_INET6] {
                diagnostics.dump(&query(Protocol::Mptcp, family), &mut |socket, _| {
                    let token = token_of(socket);
                    match &wanted {
                        Some(wanted) if wanted.binary_search(&token).is_err() => Ok(()),
                        _ => join(token, *socket),
                    }
                })?;
            }
        }
    }
    // What closes may outlive its connection; what lives has one.
    let mut last = None;
    let mut done = false;
    for entry in &table.entries {
        if last != Some(entry.token) {
            last = Some(entry.token);
            done = entry.done.get();
        }
        if !done && entry.alive {
            again.push(entry.token);
        }
    }
    if again.is_empty() {
        return Ok(hidden);
    }
    again.sort_unstable();
    again.dedup();
    let table = Table::read(diagnostics, Filter::ANY, Some(&again), &mut hidden)?;
    for token in again {
        let found = diagnostics.by_token(&by_token, token, &mut |socket| {
            each(&table.join(token, Some(*socket)))
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
    for family in [AF_INET, AF_INET6] {
        let query = query(Protocol::Mptcp, family).with_states(States::LISTEN);
        diagnostics.dump(&query, &mut |socket, _| each(socket))?;
    }
    Ok(())
}
