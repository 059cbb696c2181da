//! What is there before events come.
//!
//! The subscription comes first, then the snapshot, then the events that have
//! come since: nothing is missed. What the snapshot shows already is left out
//! of the events: nothing comes twice. As the kernel shows a connection a
//! moment before it sends the event, that goes on for a little longer than
//! the snapshot takes.

use std::net::IpAddr;

use mptcp_codec::diag::{End, State, SubflowFlags};
use mptcp_codec::mptcp::{EventAttributes, EventKind};

use super::{record, Namespace, Screen, Source};
use crate::error::Result;
use crate::host::places;
use crate::kernel::connections::{self, Connection, Detail, Role, Selection};
use crate::sys;
use crate::text::join;

/// How long events are compared with a snapshot, in milliseconds.
const COMPARED: u64 = 2000;
/// What is kept before it is written as far as the reader takes it.
const PIECE: usize = 1 << 16;

/// What a snapshot has told.
#[derive(Debug, Default)]
pub struct Known {
    // Ascending: a key, and how far that has come in a byte behind it; ids come
    // again.
    told: Vec<Vec<u8>>,
    until: u64,
}

// How far a connection or a subflow has come.
const CREATED: u8 = 0;
const ESTABLISHED: u8 = 1;
const OVER: u8 = 2;

/// Which events tell that a connection, or a subflow, has come so far.
const CHANGES: [(u8, bool, u8); 5] = [
    (EventKind::Created.number(), false, CREATED),
    (EventKind::Established.number(), false, ESTABLISHED),
    (EventKind::Closed.number(), false, OVER),
    (EventKind::SubflowEstablished.number(), true, ESTABLISHED),
    (EventKind::SubflowClosed.number(), true, OVER),
];

/// The key of a connection is its token, and zeros; that of a subflow the token
/// of its connection, a 1, the addresses, and the ports.
fn key(fields: &EventAttributes, of_subflow: bool) -> Vec<u8> {
    let token = fields.token().unwrap_or(0).to_ne_bytes();
    let ends = match of_subflow {
        true => fields,
        false => &EventAttributes::EMPTY,
    };
    let ports = [ends.sport().unwrap_or(0), ends.dport().unwrap_or(0)];
    join(&[
        &token,
        &[of_subflow.into()],
        &ends.source().map_or(0, places::key).to_ne_bytes(),
        &ends.destination().map_or(0, places::key).to_ne_bytes(),
        &ports[0].to_ne_bytes(),
        &ports[1].to_ne_bytes(),
    ])
}

impl Known {
    fn note(&mut self, fields: &EventAttributes, of_subflow: bool, phase: u8) {
        let mut told = key(fields, of_subflow);
        told.push(phase);
        self.told.push(told);
    }

    /// Whether the snapshot has told what this event tells.
    pub fn tells(&mut self, command: u8, fields: &EventAttributes) -> bool {
        if self.told.is_empty() {
            return false;
        }
        if sys::milliseconds() >= self.until {
            // There is no need to compare any more.
            self.told = Vec::new();
        }
        let Some((_, of_subflow, now)) = CHANGES.iter().find(|(of, ..)| *of == command) else {
            return false;
        };
        let key = key(fields, *of_subflow);
        let at = self.told.partition_point(|told| *told < key);
        let told = self.told.get_mut(at);
        let Some([known @ .., phase]) = told.map(Vec::as_mut_slice) else {
            return false;
        };
        if *known != key {
            return false;
        }
        let tells = *now <= *phase && *phase != OVER;
        *phase = (*phase).max(*now);
        tells
    }
}

/// The attributes that an event about this socket would have.
fn describe(token: u32, [local, remote]: [End; 2], interface: u32) -> EventAttributes {
    let mut fields = EventAttributes::EMPTY
        .with_token(token)
        .with_sport(local.port)
        .with_dport(remote.port);
    match (local.address(), remote.address()) {
        (Some(IpAddr::V4(source)), Some(IpAddr::V4(destination))) => {
            fields = fields.with_saddr4(source).with_daddr4(destination);
        }
        (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) => {
            fields = fields.with_saddr6(source).with_daddr6(destination);
        }
        _ => {}
    }
    if interface != 0 {
        fields = fields.with_if_idx(interface);
    }
    fields
}

/// What a snapshot has found.
#[derive(Default)]
struct Found {
    // How many connections and subflows were shown.
    connections: i64,
    subflows: i64,
    // Those of the connection that is looked at.
    open: Vec<EventAttributes>,
}

impl Source {
    /// Shows what the namespace has, and notes it.
    pub(super) fn snapshot(&mut self, screen: &mut Screen) -> Result<()> {
        let Self {
            namespace,
            diagnostics: Some(diagnostics),
            ..
        } = self
        else {
            return Ok(());
        };
        namespace.known.told.clear();
        let mut found = Found::default();
        let selection = Selection {
            token: screen.wanted.token,
            filter: None,
        };
        connections::each(diagnostics, &selection, Detail::Place, &mut |connection| {
            namespace.show(screen, connection, &mut found)?;
            screen.make_room()
        })?;
        namespace.known.told.sort_unstable();
        namespace.known.until = sys::milliseconds() + COMPARED;
        record::begin(screen, "SNAPSHOT_END", &namespace.name);
        let out = &mut screen.session.out;
        record::number(out, "connections", Some(found.connections));
        record::number(out, "subflows", Some(found.subflows));
        out.end_record();
        Ok(())
    }
}

impl Namespace {
    fn show(
        &mut self,
        screen: &mut Screen,
        connection: &Connection,
        found: &mut Found,
    ) -> Result<()> {
        let Some(socket) = connection.socket else {
            return Ok(());
        };
        let token = connection.token;
        let mut phase = CREATED;
        found.open.clear();
        for subflow in connection.subflows() {
            let flags = subflow.flags();
            if !subflow.is_alive() || !flags.contains(SubflowFlags::CONNECTED) {
                continue;
            }
            // A subflow that joined found an established connection.
            if subflow.is_joined() || flags.contains(SubflowFlags::FULLY_ESTABLISHED) {
                phase = ESTABLISHED;
            }
            let mut fields = describe(token, subflow.ends(), subflow.interface);
            if let Some(id) = subflow.local_id {
                fields = fields.with_loc_id(id);
            }
            if let Some(id) = subflow.remote_id {
                fields = fields.with_rem_id(id);
            }
            let backup = flags.contains(SubflowFlags::BKUP_REM);
            found.open.push(fields.with_backup(backup.into()));
        }
        // Whether the kernel has told of the connection, and has its end still
        // to tell: CLOSED comes when its owner closes it, and leaves it without
        // an inode. So is one that nobody has accepted yet.
        let is_there = match socket.state() {
            State::Established | State::CloseWait => true,
            State::SynSent => !found.open.is_empty(),
            _ => socket.inode() != 0,
        };
        if !is_there {
            return Ok(());
        }
        let mut fields = describe(token, socket.ends(), socket.interface());
        if connection.role() == Some(Role::Server) {
            fields = fields.with_server_side(1);
        }
        self.known.note(&fields, false, phase);
        // On the interface is also whose subflow is.
        let mut wanted = self.is_wanted(screen, &fields)?;
        for subflow in &found.open {
            self.known.note(subflow, true, ESTABLISHED);
            wanted |= self.is_wanted(screen, subflow)?;
        }
        if wanted {
            self.describe(screen, "connection", &fields);
            let out = &mut screen.session.out;
            record::fact(out, "established", phase == ESTABLISHED);
            record::fact(out, "fallback", connection.is_fallback());
            out.end_record();
            found.connections += 1;
        }
        for subflow in &found.open {
            if self.is_wanted(screen, subflow)? {
                self.describe(screen, "subflow", subflow);
                screen.session.out.end_record();
                found.subflows += 1;
            }
        }
        Ok(())
    }

    /// Begins the record of a connection or subflow.
    fn describe(&mut self, screen: &mut Screen, object: &str, fields: &EventAttributes) {
        record::begin(screen, "SNAPSHOT", &self.name);
        let out = &mut screen.session.out;
        record::string(out, "object", object);
        record::attributes(out, fields, self.interface(fields));
    }
}

impl Screen<'_> {
    /// Of a snapshot nothing is dropped: with our buffer full, the reader is
    /// waited for.
    fn make_room(&mut self) -> Result<()> {
        let out = &mut self.session.out;
        while out.kept() >= PIECE {
            out.write_ready()?;
            if (out.kept() as u64) < self.wanted.buffer {
                break;
            }
            if super::wait_for_reader()? {
                break;
            }
        }
        Ok(())
    }
}
