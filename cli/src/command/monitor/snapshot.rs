//! What exists before events come.
//!
//! The subscription comes first, then the snapshot, then the events since the subscription:
//! nothing is missed. Events about what the snapshot has already shown are left out: nothing
//! appears twice. As the kernel shows a connection a moment before it sends the event, that
//! goes on for a little longer than the snapshot takes.

use std::net::IpAddr;

use mptcp_codec::diag::{End, State, SubflowFlags};
use mptcp_codec::mptcp::EventAttributes;

use super::known::{CREATED, ESTABLISHED};
use super::namespace::Namespace;
use super::record;
use super::screen::Screen;
use crate::error::Result;
use crate::kernel::connections::{self, Connection, Detail, Role, Selection};
use crate::kernel::Diagnostics;

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
    connections: u64,
    subflows: u64,
    // The subflows of the current connection.
    open: Vec<EventAttributes>,
}

/// Shows the connections and subflows of a namespace, and notes them.
pub fn show(
    namespace: &mut Namespace,
    diagnostics: &mut Diagnostics,
    screen: &mut Screen,
) -> Result<()> {
    namespace.known.begin();
    let mut found = Found::default();
    let selection = Selection {
        token: screen.wanted.token,
        filter: None,
    };
    connections::each(diagnostics, &selection, Detail::Place, &mut |connection| {
        show_one(namespace, screen, connection, &mut found)?;
        screen.make_room()
    })?;
    namespace.known.end();
    record::begin(screen, "SNAPSHOT_END", "", &namespace.name);
    let out = &mut screen.session.out;
    out.named_number("connections", found.connections);
    out.named_number("subflows", found.subflows);
    out.end_record();
    Ok(())
}

/// Shows a connection and its subflows.
fn show_one(
    namespace: &mut Namespace,
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
    // Whether the kernel has sent an event for the connection, and not yet that of its end:
    // CLOSED is sent when its owner closes it, after which it has no inode. One that is not
    // accepted yet has none either.
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
    namespace.known.note(&fields, false, phase);
    // A connection is on the interface if one of its subflows is.
    let mut wanted = namespace.is_wanted(screen, &fields)?;
    for subflow in &found.open {
        namespace.known.note(subflow, true, ESTABLISHED);
        wanted |= namespace.is_wanted(screen, subflow)?;
    }
    if wanted {
        begin(namespace, screen, "connection", &fields);
        let out = &mut screen.session.out;
        if phase == ESTABLISHED {
            out.named("established");
        }
        if connection.is_fallback() {
            out.named("fallback");
        }
        out.end_record();
        found.connections += 1;
    }
    for subflow in &found.open {
        if namespace.is_wanted(screen, subflow)? {
            begin(namespace, screen, "subflow", subflow);
            screen.session.out.end_record();
            found.subflows += 1;
        }
    }
    Ok(())
}

/// Begins the record of a connection or subflow.
fn begin(namespace: &mut Namespace, screen: &mut Screen, object: &str, fields: &EventAttributes) {
    record::begin(screen, "SNAPSHOT", "", &namespace.name);
    let out = &mut screen.session.out;
    out.named_string("object", object.as_bytes());
    record::attributes(out, fields, namespace.interface(fields));
}
