//! The options of `monitor`: which events, how many, how long.

use mptcp_codec::mptcp::EventKind;

use crate::args::Options;
use crate::error::{Error, Result};
use crate::grammar::{count, interface_name, milliseconds, option, token};
use crate::text::parse_number;

/// Bytes that are kept for a slow reader: at least five seconds with 15,000 events each, in any
/// format.
const BUFFER: u64 = 32 << 20;
/// With less a record might not fit.
const LEAST_BUFFER: u32 = 4096;

/// Which events are wanted.
#[derive(Debug)]
pub struct Wanted {
    /// How many more events.
    pub count: u64,
    /// For how long, in milliseconds; 0 is forever.
    pub timeout: u64,
    /// Bytes that are kept for a slow reader.
    pub buffer: u64,
    /// Only this connection.
    pub token: Option<u32>,
    // One bit for each event number; 0 for all events.
    events: u64,
}

impl Wanted {
    /// Without options.
    pub const ALL: Self = Self {
        count: u64::MAX,
        timeout: 0,
        buffer: BUFFER,
        token: None,
        events: 0,
    };

    /// Reads the options.
    pub fn parse(&mut self, args: &Options) -> Result<()> {
        for name in &args.event {
            self.events |= 1 << kind(name).ok_or_else(|| unknown(name))?;
        }
        option(args.count, count, "expected a count", &mut self.count)?;
        // The shortest time of a timer; 0 would be none.
        let time = |word: &str| Some(milliseconds(word)?.max(1));
        option(args.timeout, time, "expected seconds", &mut self.timeout)?;
        let bytes = |word: &str| {
            parse_number(word)
                .filter(|bytes| *bytes >= LEAST_BUFFER)
                .map(u64::from)
        };
        let why = "expected bytes, 4096 or more";
        option(args.buffer, bytes, why, &mut self.buffer)?;
        let mut of = u64::MAX;
        let why = "invalid token, hexadecimal is expected";
        option(args.token, |word| token(word).map(u64::from), why, &mut of)?;
        self.token = of.try_into().ok();
        match args.dev {
            Some(name) if !interface_name(name) => {
                Err(Error::invalid(name, "invalid interface name"))
            }
            _ => Ok(()),
        }
    }

    /// Whether events with this number are wanted.
    pub fn event(&self, command: u8) -> bool {
        // Larger numbers are those of a much newer kernel.
        let bit = 1_u64.checked_shl(command.into()).unwrap_or(0);
        self.events == 0 || self.events & bit != 0
    }
}

#[cold]
fn unknown(name: &str) -> Error {
    Error::invalid(name, "unknown event").meant(&|near| {
        for command in 0..64 {
            if let Some(name) = EventKind::from_number(command).name() {
                near.offer(name.as_bytes());
            }
        }
    })
}

/// The number of the event with this name, in any case; or the number itself, for events that
/// have no name here.
fn kind(name: &str) -> Option<u32> {
    for command in 0..64 {
        let known = EventKind::from_number(command).name().unwrap_or("");
        let upper = name.bytes().map(|byte| byte.to_ascii_uppercase());
        if !known.is_empty() && upper.eq(known.bytes()) {
            return Some(command.into());
        }
    }
    parse_number(name).filter(|number| *number < 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_named_in_any_case_or_numbered() {
        for (word, value) in [
            ("CREATED", Some(1)),
            ("sf_closed", Some(11)),
            ("LISTENER_CLOSED", Some(16)),
            ("17", Some(17)),
            ("64", None),
            ("SF", None),
            ("", None),
        ] {
            assert_eq!(kind(word), value, "{word:?}");
        }
    }
}
