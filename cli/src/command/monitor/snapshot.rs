//! What is there before events come.
//!
//! The subscription comes first, then the snapshot, then the events that have
//! come since: nothing is missed. What the snapshot shows already is left out
//! of the events: nothing comes twice. As the kernel shows a connection a
//! moment before it sends the event, that goes on for a little longer than
//! the snapshot takes.

use std::net::IpAddr;

use mptcp_codec::diag::{Socket, State, SubflowFlags};
use mptcp_codec::mptcp::{EventAttributes, EventKind};

use super::record::{self, Record};
use super::Monitor;
use crate::connections::{self, Connection, Ends, Role, Selection, Subflow};
use crate::error::Result;
use crate::kernel::sys::{self, Fd, Polled};

/// How long events are compared with a snapshot, in milliseconds.
const COMPARED: u64 = 2000;
/// What is kept before it is written as far as the reader takes it.
const PIECE: usize = 1 << 16;

/// What a snapshot has told.
#[derive(Debug, Default)]
pub struct Known {
    // Ascending. The second tells what holds still, since ids come again.
    connections: Vec<(u32, Phase)>,
    subflows: Vec<(Key, bool)>,
    until: u64,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Created,
    Established,
    Over,
}

/// A subflow: the token of its connection, and its two ends.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    token: u32,
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
}

impl Key {
    fn of_event(fields: &EventAttributes) -> Option<Self> {
        Some(Self {
            token: fields.token()?,
            local: (fields.source()?.to_canonical(), fields.sport()?),
            remote: (fields.destination()?.to_canonical(), fields.dport()?),
        })
    }
}

impl Known {
    /// Whether there is no need to compare any more.
    pub fn is_over(&self) -> bool {
        sys::milliseconds() >= self.until
    }

    /// Whether the snapshot has told what this event tells.
    pub fn tells(&mut self, kind: EventKind, fields: &EventAttributes) -> bool {
        let token = fields.token().unwrap_or(0);
        let connection = self
            .connections
            .binary_search_by_key(&token, |(token, _)| *token)
            .ok()
            .and_then(|at| self.connections.get_mut(at))
            .map(|(_, phase)| phase);
        match (kind, connection) {
            (EventKind::Created, Some(phase)) => *phase != Phase::Over,
            (EventKind::Established, Some(phase)) => {
                let told = *phase == Phase::Established;
                if *phase == Phase::Created {
                    *phase = Phase::Established;
                }
                told
            }
            (EventKind::Closed, Some(phase)) => {
                *phase = Phase::Over;
                false
            }
            (EventKind::SubflowEstablished | EventKind::SubflowClosed, Some(_)) => {
                let found = Key::of_event(fields)
                    .and_then(|key| {
                        let found = self.subflows.binary_search_by_key(&key, |(key, _)| *key);
                        self.subflows.get_mut(found.ok()?)
                    })
                    .map(|(_, there)| there);
                match found {
                    Some(there) if kind == EventKind::SubflowEstablished => *there,
                    Some(there) => {
                        *there = false;
                        false
                    }
                    None => false,
                }
            }
            _ => false,
        }
    }
}

/// Whether the kernel has told of the connection, and has its end still to
/// tell: CLOSED comes when its owner closes it, and leaves it without an
/// inode. So is one that nobody has accepted yet.
fn is_there(connection: &Connection, socket: &Socket) -> bool {
    match socket.state {
        State::Established | State::CloseWait => true,
        State::SynSent => connection.subflows().any(is_open),
        _ => socket.inode != 0,
    }
}

fn is_open(subflow: &Subflow) -> bool {
    subflow.is_alive() && subflow.flags().contains(SubflowFlags::CONNECTED)
}

/// The attributes that an event about this socket would have.
fn describe(token: u32, ends: Ends, interface: u32) -> EventAttributes {
    let [(source, sport), (destination, dport)] = ends;
    let mut fields = EventAttributes::EMPTY
        .with_token(token)
        .with_sport(sport)
        .with_dport(dport);
    match (source, destination) {
        (Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) => {
            fields = fields.with_saddr4(source).with_daddr4(destination);
        }
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => {
            fields = fields.with_saddr6(source).with_daddr6(destination);
        }
        _ => {}
    }
    if interface != 0 {
        fields = fields.with_if_idx(interface as i32);
    }
    fields
}

fn describe_subflow(token: u32, subflow: &Subflow) -> EventAttributes {
    let mut fields = describe(token, subflow.ends, subflow.interface);
    if let Some(id) = subflow.info.id_loc() {
        fields = fields.with_loc_id(id);
    }
    if let Some(id) = subflow.info.id_rem() {
        fields = fields.with_rem_id(id);
    }
    let backup = subflow.flags().contains(SubflowFlags::BKUP_REM);
    fields.with_backup(backup.into())
}

impl Monitor<'_> {
    /// Shows what a namespace has, and notes it.
    pub(super) fn snapshot(&mut self, at: usize) -> Result<()> {
        let Some(diagnostics) = self
            .sources
            .get_mut(at)
            .and_then(|source| source.diagnostics.take())
        else {
            return Ok(());
        };
        let mut diagnostics = diagnostics;
        let mut known = Known::default();
        let mut shown = [(" connections=", 0), (" subflows=", 0)];
        let selection = Selection {
            token: self.wanted.token,
            filter: None,
        };
        let done = connections::each(&mut diagnostics, &selection, &mut |connection| {
            let Some(socket) = connection.socket.as_ref() else {
                return Ok(());
            };
            if !is_there(connection, socket) {
                return Ok(());
            }
            self.show(at, connection, socket, &mut known, &mut shown)?;
            self.make_room()
        });
        let Some(source) = self.sources.get_mut(at) else {
            return Ok(());
        };
        source.diagnostics = Some(diagnostics);
        done?;
        known.connections.sort_unstable();
        known.subflows.sort_unstable();
        known.until = sys::milliseconds().saturating_add(COMPARED);
        source.known = Some(known);
        let record = Record {
            netns: source.netns.as_deref(),
            numbers: &shown,
            ..Record::default()
        };
        record::print(self.out, self.options, "SNAPSHOT_END", &record)
    }

    fn show(
        &mut self,
        at: usize,
        connection: &Connection,
        socket: &Socket,
        known: &mut Known,
        shown: &mut [(&str, u64); 2],
    ) -> Result<()> {
        let token = connection.token;
        let open = || connection.subflows().filter(|subflow| is_open(subflow));
        // A subflow that joined found an established connection.
        let established = open().any(|subflow| {
            subflow.is_joined() || subflow.flags().contains(SubflowFlags::FULLY_ESTABLISHED)
        });
        let phase = match established {
            true => Phase::Established,
            false => Phase::Created,
        };
        known.connections.push((token, phase));
        let mut fields = describe(token, connections::ends(socket), socket.interface);
        if connection.role() == Some(Role::Server) {
            fields = fields.with_server_side(1);
        }
        let record = Record {
            object: Some("connection"),
            fields,
            established,
            fallback: connection.is_fallback(),
            ..Record::default()
        };
        let [(_, connections), (_, subflows)] = shown;
        // On the interface is also whose subflow is.
        let mut wanted = self.is_wanted(at, &record.fields)?;
        for subflow in open() {
            wanted |= self.is_wanted(at, &describe_subflow(token, subflow))?;
        }
        if wanted {
            self.print_of(at, record)?;
            *connections += 1;
        }
        for subflow in open() {
            let fields = describe_subflow(token, subflow);
            if let Some(key) = Key::of_event(&fields) {
                known.subflows.push((key, true));
            }
            if self.is_wanted(at, &fields)? {
                let record = Record {
                    object: Some("subflow"),
                    fields,
                    ..Record::default()
                };
                self.print_of(at, record)?;
                *subflows += 1;
            }
        }
        Ok(())
    }

    fn is_wanted(&mut self, at: usize, fields: &EventAttributes) -> Result<bool> {
        let source = self.sources.get_mut(at);
        self.wanted
            .fields(source.and_then(|source| source.device.as_mut()), fields)
    }

    fn print_of(&mut self, at: usize, record: Record) -> Result<()> {
        let Some(source) = self.sources.get_mut(at) else {
            return Ok(());
        };
        let index = record.fields.if_idx();
        let record = Record {
            netns: source.netns.as_deref(),
            interface: source.names.get(&mut source.path_manager, index),
            ..record
        };
        record::print(self.out, self.options, "SNAPSHOT", &record)
    }

    /// Of a snapshot nothing is dropped: with our buffer full, the reader is
    /// waited for.
    fn make_room(&mut self) -> Result<()> {
        while self.out.kept() >= PIECE {
            self.out.write_ready()?;
            if self.out.kept() < self.wanted.buffer {
                break;
            }
            let mut polled = [Polled::write(&Fd::STDOUT), Polled::read(self.signals.fd())];
            sys::poll_all(&mut polled, -1).map_err(super::broken)?;
            if polled[1].ready {
                break;
            }
        }
        Ok(())
    }
}
