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

/// How long events are compared with a snapshot, in milliseconds.
const COMPARED: u64 = 2000;
/// What is kept before it is written as far as the reader takes it.
const PIECE: usize = 1 << 16;

/// What a snapshot has shown.
#[derive(Debug, Default)]
pub struct Known {
    // Ascending: a name, and in the lowest bits how far that has come.
    shown: Vec<u128>,
    until: u64,
}

// How far a connection or a subflow has come: of these bits.
const CREATED: u128 = 0;
const ESTABLISHED: u128 = 1;
const OVER: u128 = 2;
const PHASE: u128 = 3;

/// Which events say that a connection, or a subflow, has come so far.
const CHANGES: [(u8, bool, u128); 5] = [
    (EventKind::Created.number(), false, CREATED),
    (EventKind::Established.number(), false, ESTABLISHED),
    (EventKind::Closed.number(), false, OVER),
    (EventKind::SubflowEstablished.number(), true, ESTABLISHED),
    (EventKind::SubflowClosed.number(), true, OVER),
];

/// The name of a connection is its token; that of a subflow the same with both
/// ports and a mixture of the addresses, of IPv4 nearly all bits.
fn name(fields: &EventAttributes, of_subflow: bool) -> u128 {
    let name = u128::from(fields.token().unwrap_or(0)) << 96;
    if !of_subflow {
        return name;
    }
    let ports = [fields.sport().unwrap_or(0), fields.dport().unwrap_or(0)];
    let [local, remote] = [fields.source(), fields.destination()].map(|address| {
        let key = address.map_or(0, places::key);
        (key >> 64) as u64 ^ key as u64
    });
    // The mapped part of IPv4 addresses is the same for all.
    let addresses = (local << 31) ^ remote;
    name | u128::from(ports[0]) << 80
        | u128::from(ports[1]) << 64
        | u128::from(addresses << 3)
        | 1 << 2
}

impl Known {
    fn note(&mut self, fields: &EventAttributes, of_subflow: bool, phase: u128) {
        self.shown.push(name(fields, of_subflow) | phase);
    }

    /// Whether the snapshot has shown what this event says.
    pub fn has(&mut self, command: u8, fields: &EventAttributes) -> bool {
        if self.shown.is_empty() {
            return false;
        }
        if sys::milliseconds() >= self.until {
            // There is no need to compare any more.
            self.shown = Vec::new();
        }
        let Some((_, of_subflow, now)) = CHANGES.iter().find(|(of, ..)| *of == command) else {
            return false;
        };
        let name = name(fields, *of_subflow);
        let at = self.shown.partition_point(|shown| *shown < name);
        let Some(shown) = self.shown.get_mut(at) else {
            return false;
        };
        let phase = *shown & PHASE;
        if *shown - phase != name {
            return false;
        }
        // Ids come again: what is over may begin anew.
        *shown = name | phase.max(*now);
        *now <= phase && phase != OVER
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
        namespace.known.shown.clear();
        let mut found = Found::default();
        let selection = Selection {
            token: screen.wanted.token,
            filter: None,
        };
        connections::each(diagnostics, &selection, Detail::Place, &mut |connection| {
            namespace.show(screen, connection, &mut found)?;
            screen.make_room()
        })?;
        namespace.known.shown.sort_unstable();
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
            if let Some(id) = subflow.local_id() {
                fields = fields.with_loc_id(id);
            }
            if let Some(id) = subflow.remote_id() {
                fields = fields.with_rem_id(id);
            }
            let backup = flags.contains(SubflowFlags::BKUP_REM);
            found.open.push(fields.with_backup(backup.into()));
        }
        // Whether the kernel has sent an event of the connection, and is still to
        // send that of its end: CLOSED comes when its owner closes it, which
        // leaves it without an inode. One that is not accepted yet has none
        // either.
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
