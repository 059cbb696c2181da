//! The one reader of keyword lists.
//!
//! The words of a command come in any order; keywords with a value may be abbreviated, flags
//! may not; if a keyword is given twice, the last one counts, as with `ip`. Errors name the
//! word at fault.

use mptcp_codec::mptcp::EndpointFlags;

use super::endpoint::CHANGEABLE;
use super::given::{bit, slot, Given};
use super::keyword::{self, Keyword, Reads};
use super::limits;
use super::takes::Takes;
use super::value::{address, interface_name, token};
use crate::error::{Error, Result};
use crate::text::{find, parse_number};

/// Reads words: `keywords` says what each means, `takes` which of them may and must be given.
/// `index_of` finds the index of a valid interface name, or returns what is wrong with it.
#[inline(never)]
pub fn parse(
    words: &[&str],
    keywords: &'static [Keyword],
    takes: Takes,
    given: &mut Given,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<()> {
    let mut words = words.iter();
    // The end of a path that was given last.
    let mut end = slot::ADDRESS;
    // What is wrong, and with which word.
    let (word, why) = loop {
        let Some(word) = words.next() else {
            return match takes.missing(given.bits) {
                None => Ok(()),
                Some(missing) => Err(Error::required(missing)),
            };
        };
        let word = *word;
        let (mut flag, mut keyword) = (None, None);
        // What begins with a digit is usually an address.
        if !matches!(word.as_bytes(), [b'0'..=b'9', ..]) {
            if takes.allows(slot::FLAGS) || takes.needs(slot::TOKEN) {
                flag = self::flag(word.as_bytes(), takes);
            }
            if flag.is_none() {
                keyword = keyword::find(keywords, word);
            }
        }
        let known = flag.is_some() || keyword.is_some();
        if let Some((flag, no)) = flag.filter(|_| takes.allows(slot::FLAGS)) {
            given.bits |= bit(slot::FLAGS);
            let named = if no { &mut given.clear } else { &mut given.set };
            *named |= flag;
            let both = EndpointFlags::SIGNAL | EndpointFlags::FULLMESH;
            if takes.allows_no() || no || !given.set.contains(both) {
                continue;
            }
            break (word, "flags mustn't have both signal and fullmesh");
        }
        let Some(keyword) = keyword.filter(|keyword| takes.allows(keyword.sets)) else {
            if !takes.allows_bare() || known && takes.needs(slot::TOKEN) {
                let why = match takes.allows(slot::SUBFLOWS) {
                    true => "unknown limit",
                    false => "this command takes no such word",
                };
                return Err(Error::invalid(word, why).unknown());
            }
            let (mut address, mut bits) = (word, "");
            if takes.allows(slot::PREFIX) {
                let slash = find(word.as_bytes(), b'/');
                (address, bits) = word.split_at_checked(slash).unwrap_or((word, ""));
            }
            let sets = match takes.allows(slot::EITHER) {
                true => slot::EITHER,
                false => slot::ADDRESS,
            };
            let second = given.has(sets);
            let all = given.take_address(sets, address)?;
            if second {
                break (address, SECOND);
            }
            if let Some(bits) = bits.get(1..) {
                match parse_number(bits) {
                    Some(bits) if bits as usize <= all => given.set_number(slot::PREFIX, bits),
                    _ => break (word, "invalid length of a prefix"),
                }
            }
            continue;
        };
        let reads = keyword.reads;
        let mut sets = keyword.sets;
        let mut value = word;
        if reads.takes_value() {
            value = words.next().ok_or_else(|| Error::incomplete(word))?;
        }
        let number = match reads {
            Reads::Nothing | Reads::Itself => Some(0),
            Reads::Family => {
                let family = if word == "-4" { 4 } else { 6 };
                if given.number(sets).is_some_and(|before| before != family) {
                    break (word, "the other family is named already");
                }
                Some(family)
            }
            Reads::Address | Reads::End => {
                let second = given.has(sets);
                given.take_address(sets, value)?;
                end = sets;
                if second && reads == Reads::End {
                    break (value, SECOND);
                }
                continue;
            }
            Reads::Token => token(value),
            Reads::TokenOrNone if value == "none" => Some(0),
            Reads::TokenOrNone => token(value),
            Reads::Dev if !interface_name(value) => None,
            Reads::Dev => Some(index_of(value)?),
            Reads::Id => parse_number(value).filter(|id| *id < 1 << 8),
            Reads::Limit => given.take_limit(sets, value),
            Reads::Port | Reads::PortOfEnd | Reads::PortInUse => {
                let least = u32::from(reads == Reads::PortInUse);
                parse_number(value).filter(|port| (least..1 << 16).contains(port))
            }
        };
        let Some(number) = number else {
            break (value, reads.wrong(sets));
        };
        if reads == Reads::PortOfEnd {
            if !given.has(end) {
                break (word, "a port follows its address");
            }
            if end == slot::REMOTE {
                sets = slot::REMOTE_PORT;
            }
        }
        given.set_number(sets, number);
    };
    Err(Error::invalid(word, why))
}

/// Of what may be given once.
const SECOND: &str = "there is an address already";

/// A flag by its full name, and whether it has the prefix `no`: allowed everywhere for those
/// where iproute2 allows it, for others only if `takes` says so.
fn flag(word: &[u8], takes: Takes) -> Option<(EndpointFlags, bool)> {
    let (name, no) = match word {
        [b'n', b'o', name @ ..] => (name, true),
        _ => (word, false),
    };
    for (flag, known) in &EndpointFlags::NAMES {
        if name.len() == known.len() && name == known.as_bytes() {
            let may = !no || takes.allows_no() || CHANGEABLE.contains(*flag);
            return may.then_some((*flag, no));
        }
    }
    None
}

impl Reads {
    /// What is wrong with a value.
    #[cold]
    fn wrong(self, sets: u8) -> &'static str {
        match self {
            Self::Token | Self::TokenOrNone => "invalid token, hexadecimal is expected",
            Self::Dev => "invalid interface name",
            Self::Id => "invalid ID",
            Self::Limit if sets == slot::SUBFLOWS => "invalid subflows",
            Self::Limit => "invalid add_addr_accepted",
            _ => "expected port",
        }
    }
}

impl Given {
    /// Takes an address; returns how many bits it has.
    fn take_address(&mut self, sets: u8, word: &str) -> Result<usize> {
        let address = address(word).ok_or_else(|| Error::address(word))?;
        let place = match sets {
            slot::ADDRESS => &mut self.addresses[0],
            slot::REMOTE => &mut self.addresses[1],
            _ => &mut self.addresses[2],
        };
        *place = address;
        self.bits |= bit(sets);
        Ok(if address.is_ipv4() { 32 } else { 128 })
    }

    /// Takes a limit; `max` is the kernel's maximum. `None` for anything else.
    #[inline(never)]
    fn take_limit(&mut self, sets: u8, word: &str) -> Option<u32> {
        let number = u16::from(sets - slot::LIMITS);
        self.limits = self.limits.without(number);
        self.most &= !(1 << number);
        if word == "max" {
            self.most |= 1 << number;
            return Some(0);
        }
        let limit = parse_number(word)?;
        self.limits = limits::with(self.limits, number, limit);
        Some(limit)
    }
}
