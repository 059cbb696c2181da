//! Other crates, each used as its documentation says; what they lack (types of
//! this family, a public walk over messages) is written here the way their
//! users would.
//!
//! The light ones are always there. `--features peers` adds those that take
//! long to build.

mod bindings;
mod core;
#[cfg(feature = "peers")]
mod neli;
#[cfg(feature = "peers")]
mod nlink;
mod walk;

use crate::jobs::{Address, Contender};

pub fn all() -> Vec<Contender> {
    vec![
        bindings::CONTENDER,
        core::CONTENDER,
        #[cfg(feature = "peers")]
        nlink::CONTENDER,
        #[cfg(feature = "peers")]
        neli::CONTENDER,
    ]
}

/// Fills an `Endpoint` or an `Event` from attributes that come as numbers and
/// bytes, by the readers of the crate.
macro_rules! read {
    (endpoint $into:ident, $kind:expr, $value:expr, $u8:path, $u16:path, $u32:path) => {
        match $kind {
            1 => $into.family = $u16($value)?,
            2 => $into.id = $u8($value)?,
            3 => $into.address = crate::peers::v4($value),
            4 => $into.address = crate::peers::v6($value),
            5 => $into.port = $u16($value)?,
            6 => $into.flags = $u32($value)?,
            7 => $into.if_idx = $u32($value)? as i32,
            _ => {}
        }
    };
    (event $into:ident, $kind:expr, $value:expr, $u8:path, $u16:path, $u32:path) => {
        match $kind {
            1 => $into.token = $u32($value)?,
            2 => $into.family = $u16($value)?,
            3 => $into.loc_id = $u8($value)?,
            4 => $into.rem_id = $u8($value)?,
            5 => $into.source = crate::peers::v4($value),
            6 => $into.source = crate::peers::v6($value),
            7 => $into.destination = crate::peers::v4($value),
            8 => $into.destination = crate::peers::v6($value),
            9 => $into.sport = $u16($value)?.to_be(),
            10 => $into.dport = $u16($value)?.to_be(),
            11 => $into.backup = $u8($value)?,
            12 => $into.error = $u8($value)?,
            13 => $into.flags = $u16($value)?,
            14 => $into.timeout = $u32($value)?,
            15 => $into.if_idx = $u32($value)? as i32,
            16 => $into.reset_reason = $u32($value)?,
            17 => $into.reset_flags = $u32($value)?,
            18 => $into.server_side = $u8($value)?,
            _ => {}
        }
    };
}
use read;

fn v4(value: &[u8]) -> Address {
    value.try_into().map_or(Address::None, |bytes| {
        Address::V4(u32::from_be_bytes(bytes))
    })
}

fn v6(value: &[u8]) -> Address {
    value.try_into().map_or(Address::None, |bytes| {
        Address::V6(u128::from_be_bytes(bytes))
    })
}
