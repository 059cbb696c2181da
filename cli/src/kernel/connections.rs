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
    extension, End, Filter, Protocol, Query, SocketView, State, States, SubflowFlags, SubflowInfo,
    TcpInfo,
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
    pub socket: Option<&'a SocketView<'a>>,
    /// Something changed while it was read, or is hidden: subflows are
    /// missing, or have gone since.
    pub incomplete: bool,
    all: &'a [Subflow],
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

/// A subflow: what is kept of its TCP socket.
#[derive(Clone, Debug)]
pub struct Subflow {
    /// The TCP state.
    pub state: State,
    /// Index of the interface that it is bound to, 0 for none.
    pub interface: u32,
    /// Its ends, the local one first.
    pub ends: [End; 2],
    /// Its part of MPTCP.
    pub info: SubflowInfo,
    inode: u32,
    // Its connection was handed on.
    done: Cell<bool>,
    // What TCP knows of it, as much as we do, and how long that is.
    tcp_len: usize,
    tcp_info: [u8; TcpInfo::LEN],
}

impl Subflow {
    /// What TCP knows of it.
    pub fn tcp_info(&self) -> TcpInfo<'_> {
        TcpInfo::new(self.tcp_info.get(..self.tcp_len).unwrap_or_default())
    }

    /// Its flags.
    pub fn flags(&self) -> SubflowFlags {
        self.info.flags().unwrap_or_default()
    }

    /// It was joined to a connection that was there already.
    pub fn is_joined(&self) -> bool {
        let joined = SubflowFlags::JOIN_LOC.0 | SubflowFlags::JOIN_REM.0;
        self.flags().0 & joined != 0
    }

    /// It is there to stay: its opening is over, its closing has not begun
    /// here.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, State::Established | State::CloseWait)
    }

    /// Bytes that it carried, in both directions, as far as they arrived.
    pub fn bytes(&self) -> u64 {
        let info = self.tcp_info();
        // The ends of a connection are acked like bytes, but are none.
        let sent = info.bytes_sent().unwrap_or(u64::MAX);
        let acked = info.bytes_acked().unwrap_or(0).min(sent);
        acked.saturating_add(info.bytes_received().unwrap_or(0))
    }
}

impl<'a> Connection<'a> {
    /// The subflows, those that were there from the start first.
    pub fn subflows(&self) -> impl Iterator<Item = &'a Subflow> + '_ {
        let mut at = 0;
        core::iter::from_fn(move || {
            let key = self.keys.get(at)?;
            at += 1;
            self.all.get(key.place())
        })
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

/// Which subflow was kept at a place, as one number. Sorted, those of a
/// connection are together, the first before those that joined.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    /// How far from the lower end its parts are: the token, a bit for those
    /// that joined, the cookie, and the place in what is left.
    const TOKEN: u32 = 96;
    const JOINED: u32 = 95;
    const COOKIE: u32 = 31;

    /// The connection as a whole, or all that is wanted of it.
    fn of(token: u32) -> Self {
        Self(u128::from(token) << Self::TOKEN)
    }

    fn token(self) -> u32 {
        (self.0 >> Self::TOKEN) as u32
    }

    /// Everything but the place.
    fn name(self) -> u128 {
        self.0 >> Self::COOKIE
    }

    fn place(self) -> usize {
        self.0 as usize & ((1 << Self::COOKIE) - 1)
    }
}

/// Sorts keys; of those with one name one is left.
#[inline(never)]
fn sort(keys: &mut Vec<Key>) {
    keys.sort_unstable();
    keys.dedup_by_key(|key| key.name());
}

/// Of sorted keys, those with this token.
#[inline(never)]
fn of_token(keys: &[Key], token: u32) -> &[Key] {
    let from = keys.partition_point(|key| key.token() < token);
    let rest = keys.get(from..).unwrap_or_default();
    let count = rest.iter().take_while(|key| key.token() == token).count();
    rest.get(..count).unwrap_or_default()
}

/// Everything that is connected, connections that were broken off too.
const CONNECTED: States = States::CONNECTED.or(States::CLOSED);

fn query(protocol: Protocol, family: u8, states: States) -> Query {
    Query::new(protocol, family)
        .with_states(states)
        .with_extensions(extension::INFO)
}

/// Hands the sockets of a protocol in these states that pass to `each`.
#[inline(never)]
fn dump(
    diagnostics: &mut Diagnostics,
    protocol: Protocol,
    states: States,
    filter: &Filter,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    for family in [AF_INET, AF_INET6] {
        let query = query(protocol, family, states).with_filter(*filter);
        diagnostics.dump(&query, each)?;
    }
    Ok(())
}

/// Hands the connection with this token to `each`; tells whether there is one.
#[inline(never)]
fn by_token(
    diagnostics: &mut Diagnostics,
    token: u32,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<bool> {
    diagnostics.by_token(&query(Protocol::Mptcp, AF_INET, CONNECTED), token, each)
}

fn token_of(socket: &SocketView) -> u32 {
    let info = socket.mptcp_info();
    info.and_then(|info| info.token()).unwrap_or(0)
}

/// What is done with a connection that was found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Pass {
    /// Whether all of its subflows have been read is all that is asked.
    Check,
    /// It is handed on, unless it has to be looked at again.
    First,
    /// It is handed on as it is.
    Last,
}

/// Joins connections with the subflows that were read before.
struct Reader<'r> {
    each: &'r mut dyn FnMut(&Connection) -> Result<()>,
    pass: Pass,
    // The connections that are wanted; all where there is none. Sorted, as
    // are the keys of the subflows.
    wanted: Vec<Key>,
    subflows: Vec<Subflow>,
    keys: Vec<Key>,
    // Connections that lack something.
    again: Vec<Key>,
    hidden: Hidden,
}

impl Reader<'_> {
    /// Goes through all connections of the selection.
    #[inline(never)]
    fn run(&mut self, diagnostics: &mut Diagnostics, selection: &Selection) -> Result<()> {
        // All subflows of the wanted connections have been read.
        let mut whole = false;
        if let Some(token) = selection.token {
            if !by_token(diagnostics, token, &mut |_| Ok(()))? {
                return Ok(());
            }
            self.wanted.push(Key::of(token));
        } else if let Some(filter) = &selection.filter {
            self.read(diagnostics, filter)?;
            for key in &self.keys {
                self.wanted.push(Key::of(key.token()));
            }
            let wanted = &mut self.wanted;
            dump(
                diagnostics,
                Protocol::Mptcp,
                CONNECTED,
                filter,
                &mut |socket| {
                    wanted.push(Key::of(token_of(socket)));
                    Ok(())
                },
            )?;
            sort(wanted);
            if wanted.is_empty() {
                return Ok(());
            }
            // All of their subflows are wanted. Where the filter has let them
            // all through, the large dump is saved.
            if wanted.len() <= FEW {
                self.pass = Pass::Check;
                self.look_up(diagnostics)?;
                self.pass = Pass::First;
                whole = self.again.is_empty();
                self.again.clear();
            }
        }
        loop {
            if !whole {
                self.read(diagnostics, &Filter::ANY)?;
            }
            whole = false;
            let few = !self.wanted.is_empty() && self.wanted.len() <= FEW;
            if few || self.pass == Pass::Last {
                self.look_up(diagnostics)?;
            } else {
                dump(
                    diagnostics,
                    Protocol::Mptcp,
                    CONNECTED,
                    &Filter::ANY,
                    &mut |socket| {
                        let token = token_of(socket);
                        // Without a token it is being destroyed: its end has
                        // been reported already.
                        if token != 0 && self.wants(token) {
                            self.found(token, Some(socket))
                        } else {
                            Ok(())
                        }
                    },
                )?;
            }
            if self.pass == Pass::Last {
                return Ok(());
            }
            // What lives has a connection.
            for key in &self.keys {
                if let Some(subflow) = self.subflows.get(key.place()) {
                    if subflow.is_alive() && !subflow.done.get() {
                        self.again.push(Key::of(key.token()));
                    }
                }
            }
            if self.again.is_empty() {
                return Ok(());
            }
            sort(&mut self.again);
            core::mem::swap(&mut self.wanted, &mut self.again);
            self.pass = Pass::Last;
        }
    }

    fn wants(&self, token: u32) -> bool {
        self.wanted.is_empty() || !of_token(&self.wanted, token).is_empty()
    }

    /// Reads the subflows anew: those of the wanted connections that pass.
    fn read(&mut self, diagnostics: &mut Diagnostics, filter: &Filter) -> Result<()> {
        self.subflows.clear();
        self.keys.clear();
        dump(
            diagnostics,
            Protocol::Tcp,
            CONNECTED,
            filter,
            &mut |socket| self.keep(socket),
        )?;
        sort(&mut self.keys);
        Ok(())
    }

    fn keep(&mut self, socket: &SocketView) -> Result<()> {
        let mut subflow = Subflow {
            state: socket.state(),
            interface: socket.interface(),
            ends: socket.ends(),
            info: SubflowInfo::EMPTY,
            inode: socket.inode(),
            done: Cell::new(false),
            tcp_len: 0,
            tcp_info: [0; TcpInfo::LEN],
        };
        if !socket.read_subflow(&mut subflow.info)? {
            let upper = socket.upper_name()?;
            self.hidden.subflows |= upper.is_some_and(|name| name.as_bytes() == b"mptcp");
            return Ok(());
        }
        let Some(token) = subflow.info.token_loc() else {
            return Ok(());
        };
        self.hidden.sequences |= subflow.info.relwrite_seq().is_none();
        if !self.wants(token) {
            return Ok(());
        }
        if let Some(sent) = socket.tcp_info() {
            let sent = sent.as_bytes();
            let sent = sent.get(..TcpInfo::LEN).unwrap_or(sent);
            if let Some(room) = subflow.tcp_info.get_mut(..sent.len()) {
                room.copy_from_slice(sent);
                subflow.tcp_len = sent.len();
            }
        }
        let Key(connection) = Key::of(token);
        self.keys.push(Key(connection
            | u128::from(subflow.is_joined()) << Key::JOINED
            | u128::from(socket.cookie()) << Key::COOKIE
            | self.subflows.len() as u128));
        self.subflows.push(subflow);
        Ok(())
    }

    /// Looks the wanted connections up one by one.
    fn look_up(&mut self, diagnostics: &mut Diagnostics) -> Result<()> {
        let mut at = 0;
        while let Some(key) = self.wanted.get(at) {
            at += 1;
            let token = key.token();
            let found = by_token(diagnostics, token, &mut |socket| {
                self.found(token, Some(socket))
            })?;
            if !found && self.pass == Pass::Last {
                self.found(token, None)?;
            }
        }
        Ok(())
    }

    /// A connection was found, or just subflows of one.
    fn found(&mut self, token: u32, socket: Option<&SocketView>) -> Result<()> {
        let mut connection = Connection {
            token,
            socket,
            incomplete: true,
            all: &self.subflows,
            keys: of_token(&self.keys, token),
        };
        let (mut alive, mut foreign, mut done) = (0, false, false);
        for subflow in connection.subflows() {
            alive += usize::from(subflow.is_alive());
            // A token may be given out again, an inode not so soon: whoever
            // has another one belongs to a connection that has gone.
            let inode = socket.map_or(0, SocketView::inode);
            foreign |= subflow.inode != 0 && inode != 0 && subflow.inode != inode;
            if self.pass != Pass::Check {
                // The kernel may show it twice.
                done |= subflow.done.replace(true);
            }
        }
        if done {
            return Ok(());
        }
        match socket {
            Some(socket) if !foreign => {
                let info = socket.mptcp_info();
                let count = |of: Option<u8>| of.map(usize::from);
                let total = info.and_then(|info| count(info.subflows_total()));
                // Older kernels count only those beyond the first.
                let extra = info.and_then(|info| count(info.subflows()));
                let least = total.or(extra).unwrap_or(0);
                connection.incomplete =
                    connection.keys.len() < least || alive > total.unwrap_or(alive);
            }
            Some(_) => connection.keys = &[],
            // What closes may outlive its connection; what lives has one.
            None if alive == 0 => return Ok(()),
            None => {}
        }
        let again = match self.pass {
            Pass::Check => connection.incomplete,
            Pass::First => connection.incomplete && !self.hidden.subflows,
            Pass::Last => false,
        };
        if again {
            self.again.push(Key::of(token));
        } else if self.pass != Pass::Check {
            (self.each)(&connection)?;
        }
        Ok(())
    }
}

/// Hands each connection that `selection` names to `each`, once, in no
/// particular order.
pub fn each(
    diagnostics: &mut Diagnostics,
    selection: &Selection,
    each: &mut dyn FnMut(&Connection) -> Result<()>,
) -> Result<Hidden> {
    let mut reader = Reader {
        each,
        pass: Pass::First,
        wanted: Vec::new(),
        subflows: Vec::new(),
        keys: Vec::new(),
        again: Vec::new(),
        hidden: Hidden::default(),
    };
    reader.run(diagnostics, selection)?;
    Ok(reader.hidden)
}

/// Hands each listening socket of MPTCP to `each`.
pub fn listeners(
    diagnostics: &mut Diagnostics,
    each: &mut dyn FnMut(&SocketView) -> Result<()>,
) -> Result<()> {
    let states = States::LISTEN;
    dump(diagnostics, Protocol::Mptcp, states, &Filter::ANY, each)
}
