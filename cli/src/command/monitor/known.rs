//! What a snapshot has shown, and events need not repeat.

use mptcp_codec::mptcp::{EventAttributes, EventKind};

use crate::kernel::key::key;
use crate::sys;

/// How long events are compared with a snapshot, in milliseconds.
const COMPARED: u64 = 2000;

/// What a snapshot has shown.
#[derive(Debug, Default)]
pub struct Known {
    // Ascending: a name, and in the lowest bits how far that has come.
    shown: Vec<u128>,
    until: u64,
}

// How far a connection or a subflow has come: of these bits.
/// It exists.
pub const CREATED: u128 = 0;
/// It is established.
pub const ESTABLISHED: u128 = 1;
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

/// The name of a connection is its token; that of a subflow also has both ports and a mixture
/// of the addresses, for IPv4 nearly all of their bits.
fn name(fields: &EventAttributes, of_subflow: bool) -> u128 {
    let name = u128::from(fields.token().unwrap_or(0)) << 96;
    if !of_subflow {
        return name;
    }
    let ports = [fields.sport().unwrap_or(0), fields.dport().unwrap_or(0)];
    let [local, remote] = [fields.source(), fields.destination()].map(|address| {
        let key = address.map_or(0, key);
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
    /// Begins a snapshot.
    pub fn begin(&mut self) {
        self.shown.clear();
    }

    /// Ends it: from now on events are compared with it, for a while.
    pub fn end(&mut self) {
        self.shown.sort_unstable();
        self.until = sys::milliseconds() + COMPARED;
    }

    /// Notes what is shown.
    pub fn note(&mut self, fields: &EventAttributes, of_subflow: bool, phase: u128) {
        self.shown.push(name(fields, of_subflow) | phase);
    }

    /// Whether the snapshot has already shown what this event says.
    pub fn has(&mut self, command: u8, fields: &EventAttributes) -> bool {
        if self.shown.is_empty() {
            return false;
        }
        if sys::milliseconds() >= self.until {
            // There is no longer any need to compare.
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
        // Ids are reused: what has ended may begin again.
        *shown = name | phase.max(*now);
        *now <= phase && phase != OVER
    }
}
