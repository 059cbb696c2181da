//! The options of `monitor`: which events, how many, how long.

use mptcp_codec::mptcp::EventKind;

use crate::args::Options;
use crate::error::{Error, Result};
use crate::grammar::{count, interface_name, milliseconds, option, token};
use crate::text::parse_number;

/// Bytes that are kept for a slow reader: five seconds of 15,000 events each,
/// and more, in whatever form.
const BUFFER: u64 = 32 << 20;
/// Less would not hold a record.
const LEAST_BUFFER: u32 = 4096;

/// What is wanted.
#[derive(Debug)]
pub struct Wanted {
    /// How many events still.
    pub count: u64,
    /// For how long, in milliseconds; 0 is for ever.
    pub timeout: u64,
    /// Bytes that are kept for a slow reader.
    pub buffer: u64,
    /// Only this connection.
    pub token: Option<u32>,
    // One bit for each number of an event; 0 where all are.
    events: u64,
}

impl Wanted {
    /// Where no option says otherwise.
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
        // The least that a timer takes; 0 would be none.
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

    /// Whether events of this number are.
    pub fn event(&self, command: u8) -> bool {
        // Numbers beyond are of a kernel that is newer by far.
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

/// The number of the event with this name, in whatever case; or the number
/// itself, for events that have no name here.
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
