//! Limits by their names.

use mptcp_codec::mptcp::Limits;

use crate::error::{status, Error, Kind};

/// What `limits set` takes, also as a line of a state file.
pub const WORDS: &str = "[ subflows N ] [ add_addr_accepted N ]";

/// Each limit: its keyword, its number, its value.
pub fn each(limits: &Limits) -> [(&'static str, u16, Option<u32>); 2] {
    [
        (
            "add_addr_accepted",
            Limits::RCV_ADD_ADDRS,
            limits.add_addr_accepted(),
        ),
        ("subflows", Limits::SUBFLOWS, limits.subflows()),
    ]
}

/// The same with this value for the limit of this number.
pub fn with(limits: Limits, number: u16, value: u32) -> Limits {
    match number {
        Limits::SUBFLOWS => limits.with_subflows(value),
        _ => limits.with_add_addr_accepted(value),
    }
}

/// What is in `more`, and what else is in `limits`.
pub fn over(mut limits: Limits, more: &Limits) -> Limits {
    for (_, number, value) in &each(more) {
        if let Some(value) = value {
            limits = with(limits, *number, *value);
        }
    }
    limits
}

/// The same with the kernel's maximum for those that are in `which`, a bit
/// `1 << number` each.
pub fn with_most(mut limits: Limits, which: u32, maximum: u32) -> Limits {
    for number in &[Limits::RCV_ADD_ADDRS, Limits::SUBFLOWS] {
        if which & 1 << *number != 0 {
            limits = with(limits, *number, maximum);
        }
    }
    limits
}

/// That limits are to be set, and none was given.
pub fn nothing_to_set() -> Error {
    Error::new(
        Kind::Usage,
        status::USAGE,
        &["Error: nothing to set: subflows N or add_addr_accepted N is required"],
    )
}
