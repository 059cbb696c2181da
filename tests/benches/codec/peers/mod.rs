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
        crate::event::attributes!(read_event $into, $kind, $value, $u8, $u16, $u32)
    };
}
use read;

macro_rules! read_event {
    (
        ($into:ident, $kind:expr, $value:expr, $u8:path, $u16:path, $u32:path)
        numbers { $( $number:literal $_name:ident $field:ident: $type:ident, )+ }
        addresses { $( $four:literal $_four:ident $six:literal $_six:ident $address:ident, )+ }
    ) => {
        match $kind {
            $( $number => $into.$field = read_number!($type $value, $u8, $u16, $u32), )+
            $(
                $four => $into.$address = crate::peers::v4($value),
                $six => $into.$address = crate::peers::v6($value),
            )+
            _ => {}
        }
    };
}
use read_event;

macro_rules! read_number {
    (u8 $value:expr, $u8:path, $u16:path, $u32:path) => {
        $u8($value)?
    };
    (u16 $value:expr, $u8:path, $u16:path, $u32:path) => {
        $u16($value)?
    };
    (be16 $value:expr, $u8:path, $u16:path, $u32:path) => {
        $u16($value)?.to_be()
    };
    (u32 $value:expr, $u8:path, $u16:path, $u32:path) => {
        $u32($value)?
    };
}
use read_number;

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
