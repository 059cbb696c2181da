//! `[ subflows N | max ] [ add_addr_accepted N | max ]`

use mptcp_codec::mptcp::Limits;

use super::{shortens, Words};
use crate::error::{status, Error, Kind, Result};
use crate::text::parse_number;

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

fn with(limits: Limits, number: u16, value: u32) -> Limits {
    match number {
        Limits::SUBFLOWS => limits.with_subflows(value),
        _ => limits.with_add_addr_accepted(value),
    }
}

/// What is in `more`, and what else is in `limits`.
pub fn over(mut limits: Limits, more: &Limits) -> Limits {
    for (_, number, value) in each(more) {
        if let Some(value) = value {
            limits = with(limits, number, value);
        }
    }
    limits
}

/// The same with the kernel's maximum for those that are in `which`, a bit
/// `1 << number` each.
pub fn with_most(mut limits: Limits, which: u32, maximum: u32) -> Limits {
    for (_, number, _) in each(&limits) {
        if which & 1 << number != 0 {
            limits = with(limits, number, maximum);
        }
    }
    limits
}

/// Reads the words: of two about one limit the last counts. Those that are to
/// be the kernel's maximum are bits of `most`.
pub fn parse(mut words: Words, limits: &mut Limits, most: &mut u32) -> Result<()> {
    while let Some(word) = words.next() {
        let (number, why) = if shortens(word, "subflows") {
            (Limits::SUBFLOWS, "invalid subflows")
        } else if shortens(word, "add_addr_accepted") {
            (Limits::RCV_ADD_ADDRS, "invalid add_addr_accepted")
        } else {
            return Err(Error::invalid(word, "unknown limit").unknown());
        };
        let value = words.value(word)?;
        *most &= !(1 << number);
        *limits = limits.without(number);
        if value == "max" {
            *most |= 1 << number;
        } else if let Some(value) = parse_number(value) {
            *limits = with(*limits, number, value);
        } else {
            return Err(Error::invalid(value, why));
        }
    }
    Ok(())
}

/// The same, where something must be given.
pub fn parse_some(words: &[&str], limits: &mut Limits, most: &mut u32) -> Result<()> {
    if words.is_empty() {
        return Err(Error::new(
            Kind::Usage,
            status::USAGE,
            &["Error: nothing to set: subflows N or add_addr_accepted N is required"],
        ));
    }
    parse(Words::new(words), limits, most)
}
