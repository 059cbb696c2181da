//! The options of `monitor`: which events, how many, how long.

use mptcp_codec::mptcp::{EventAttributes, EventKind};

use super::device::Device;
use crate::args;
use crate::error::{Error, Result};
use crate::grammar::{interface_name, number, token};

/// Bytes that are kept for a slow reader: five seconds of 15,000 events each,
/// and more, in whatever form.
const BUFFER: usize = 32 << 20;
/// Less would not hold a record.
const LEAST_BUFFER: u32 = 4096;

/// What is wanted.
#[derive(Debug)]
pub struct Wanted {
    /// How many events.
    pub count: Option<u32>,
    /// For how long, in milliseconds.
    pub timeout: Option<u64>,
    /// Bytes that are kept for a slow reader.
    pub buffer: usize,
    /// Only this connection.
    pub token: Option<u32>,
    /// Only on this interface.
    pub device: Option<String>,
    // One bit for each number of an event; all where none is named.
    events: u64,
}

impl Wanted {
    /// Reads the options.
    pub fn parse(args: &args::Monitor) -> Result<Self> {
        let mut events = 0;
        for name in &args.event {
            let unknown = || {
                Error::invalid(name, "unknown event").meant(&|near| {
                    for name in (0..64).filter_map(|c| EventKind::from_command(c).name()) {
                        near.offer(b"", name.as_bytes());
                    }
                })
            };
            events |= 1 << kind(name).ok_or_else(unknown)?;
        }
        let count = match &args.count {
            Some(word) => {
                let count = number(word).filter(|count| *count > 0);
                Some(count.ok_or_else(|| Error::invalid(word, "expected a count"))?)
            }
            None => None,
        };
        let timeout = match &args.timeout {
            Some(word) => {
                Some(milliseconds(word).ok_or_else(|| Error::invalid(word, "expected seconds"))?)
            }
            None => None,
        };
        let buffer = match &args.buffer {
            Some(word) => {
                let bytes = number(word).filter(|bytes| *bytes >= LEAST_BUFFER);
                let why = "expected bytes, 4096 or more";
                bytes.ok_or_else(|| Error::invalid(word, why))? as usize
            }
            None => BUFFER,
        };
        let token = match &args.token {
            Some(word) => {
                let why = "invalid token, hexadecimal is expected";
                Some(token(word).ok_or_else(|| Error::invalid(word, why))?)
            }
            None => None,
        };
        if let Some(name) = args.dev.filter(|name| !interface_name(name)) {
            return Err(Error::invalid(name, "invalid interface name"));
        }
        Ok(Self {
            count,
            timeout,
            buffer,
            token,
            device: args.dev.map(String::from),
            events: if events == 0 { u64::MAX } else { events },
        })
    }

    /// Whether events of this kind are.
    pub fn event(&self, kind: EventKind) -> bool {
        // Numbers beyond are of a kernel that is newer by far.
        let bit = 1_u64.checked_shl(kind.command().into()).unwrap_or(0);
        self.events == u64::MAX || self.events & bit != 0
    }

    /// Whether what is told of a connection or subflow is; `device` is that
    /// of its namespace.
    pub fn fields(&self, device: Option<&mut Device>, fields: &EventAttributes) -> Result<bool> {
        if self.token.is_some() && fields.token() != self.token {
            return Ok(false);
        }
        match (&self.device, device) {
            (None, _) => Ok(true),
            (Some(_), Some(device)) => device.has(fields.if_idx(), fields.source()),
            (Some(_), None) => Ok(false),
        }
    }
}

/// The number of the event with this name, in whatever case; or the number
/// itself, for events that have no name here.
fn kind(name: &str) -> Option<u8> {
    let named = |command: &u8| {
        let known = EventKind::from_command(*command).name();
        known.is_some_and(|known| known.eq_ignore_ascii_case(name))
    };
    let number = || number(name).and_then(|number| u8::try_from(number).ok());
    (0..64)
        .find(named)
        .or_else(|| number().filter(|number| *number < 64))
}

/// `5`, `0.5`, `2.125`: seconds with at most three digits behind the point.
fn milliseconds(word: &str) -> Option<u64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let mut value: u64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value.checked_mul(10)?.checked_add((digit - b'0').into())?;
    }
    for _ in fraction.len()..3 {
        value = value.checked_mul(10)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimal() {
        for (word, value) in [
            ("0", Some(0)),
            ("5", Some(5000)),
            ("0.5", Some(500)),
            ("2.125", Some(2125)),
            ("2.05", Some(2050)),
            ("2.1255", None),
            ("2.", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(milliseconds(word), value, "{word:?}");
        }
    }

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
