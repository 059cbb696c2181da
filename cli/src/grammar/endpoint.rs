//! `[ ADDRESS ] [ dev IF ] [ id N ] [ port N ] [ FLAG ]...`

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::{number_u16, number_u8, only_address, shortens, takes, Words};
use crate::error::{Error, Result};
use crate::text::Text;

/// What the words are for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new endpoint.
    Add,
    /// A line of a state file: a new endpoint, or those of an interface.
    Declare,
    /// A line of a state file: addresses that are left out.
    Ignore,
    /// One endpoint and what changes.
    Change,
    /// Any number of endpoints.
    Select,
    /// The same, also those of one connection.
    Show,
}

/// An address family.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Family {
    /// `-4`.
    V4,
    /// `-6`.
    V6,
}

/// The addresses that begin with the same bits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// One of them.
    pub address: IpAddr,
    /// How many bits.
    pub bits: u8,
}

impl Prefix {
    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (one, other, size) = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128_u32),
            _ => return false,
        };
        // Of no bits, every shift is too far.
        let differ: u128 = one ^ other;
        let rest = size.saturating_sub(self.bits.into());
        differ.checked_shr(rest).unwrap_or(0) == 0
    }

    /// As it is written.
    pub fn print(&self, out: &mut Text) {
        out.address(self.address);
        out.byte(b'/');
        out.number(self.bits.into());
    }
}

/// What was said about an endpoint.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EndpointWords {
    /// What was said of all that follows, as [`takes`] has it.
    pub kinds: u16,
    /// The address.
    pub address: Option<IpAddr>,
    /// `id N`, 0 too.
    pub id: Option<u8>,
    /// `port N`; 0 is none.
    pub port: Option<u16>,
    /// `dev IF`, as its index.
    pub dev: Option<u32>,
    /// Flags that were named.
    pub set: EndpointFlags,
    /// Flags that were named with `no` in front.
    pub clear: EndpointFlags,
    /// `-4` or `-6`.
    pub family: Option<Family>,
    /// `token T`.
    pub token: Option<u32>,
    /// The bits of a prefix in the place of the address.
    pub bits: Option<u8>,
    /// `uplink`.
    pub uplink: bool,
}

impl Default for EndpointWords {
    fn default() -> Self {
        // A constant is copied in one piece, where fields would be set one by
        // one.
        const NOTHING: EndpointWords = EndpointWords {
            kinds: 0,
            address: None,
            id: None,
            port: None,
            dev: None,
            set: EndpointFlags(0),
            clear: EndpointFlags(0),
            family: None,
            token: None,
            bits: None,
            uplink: false,
        };
        NOTHING
    }
}

impl EndpointWords {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.kinds == 0
    }

    /// The prefix that was given; an address alone is one of all its bits.
    pub fn prefix(&self) -> Option<Prefix> {
        let address = self.address?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = self.bits.unwrap_or(all);
        Some(Prefix { address, bits })
    }

    /// The endpoint that the words describe.
    #[inline(never)]
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::EMPTY;
        if let Some(address) = self.address {
            endpoint = endpoint.with_address(address);
        }
        if let Some(id) = self.id {
            endpoint = endpoint.with_id(id);
        }
        if self.set.0 != 0 {
            endpoint = endpoint.with_flags(self.set);
        }
        if let Some(index) = self.dev {
            endpoint = endpoint.with_if_idx(index);
        }
        if let Some(port) = self.port.filter(|port| *port != 0) {
            endpoint = endpoint.with_port(port);
        }
        endpoint
    }
}

impl Purpose {
    /// Whether endpoints are chosen among those that are there.
    pub fn selects(self) -> bool {
        matches!(self, Self::Select | Self::Show)
    }
}

/// What the kernel changes of an endpoint as it stands.
pub const CHANGEABLE: EndpointFlags =
    EndpointFlags(EndpointFlags::BACKUP.0 | EndpointFlags::FULLMESH.0);

/// A flag by its whole name.
fn flag(word: &[u8]) -> Option<EndpointFlags> {
    for (flag, name) in &EndpointFlags::NAMES {
        if word.len() == name.len() && word == name.as_bytes() {
            return Some(*flag);
        }
    }
    None
}

/// A flag with `no` in front. For a new endpoint only those that iproute2
/// knows, where they mean nothing.
fn cleared(new: bool, word: &[u8]) -> Option<EndpointFlags> {
    match word {
        [b'n', b'o', word @ ..] => flag(word),
        _ => None,
    }
    .filter(|flag| !new || CHANGEABLE.contains(*flag))
}

/// `-4` or `-6`.
pub(super) fn family(word: &str) -> Option<Family> {
    match word {
        "-4" => Some(Family::V4),
        "-6" => Some(Family::V6),
        _ => None,
    }
}

/// A word that means the same wherever endpoints are described, and the value
/// after it; returns which of [`takes`] it is, 0 where it is none.
pub(super) fn common(
    said: &mut EndpointWords,
    word: &str,
    words: &mut Words,
    new: bool,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<u16> {
    if !matches!(word.as_bytes(), [b'a'..=b'z', ..]) {
        // An address, mostly.
        return Ok(0);
    }
    if let Some(flag) = flag(word.as_bytes()) {
        said.set |= flag;
        return Ok(takes::FLAGS);
    }
    if let Some(flag) = cleared(new, word.as_bytes()) {
        said.clear |= flag;
        return Ok(takes::FLAGS);
    }
    if shortens(word, "dev") {
        said.dev = Some(words.dev(word, index_of)?);
        return Ok(takes::DEV);
    }
    let (kind, why) = if shortens(word, "id") {
        (takes::ID, "invalid ID")
    } else if shortens(word, "port") {
        (takes::PORT, "expected port")
    } else {
        return Ok(0);
    };
    let value = words.value(word)?;
    let read = if kind == takes::ID {
        said.id = number_u8(value);
        said.id.is_some()
    } else {
        said.port = number_u16(value);
        said.port.is_some()
    };
    if read {
        Ok(kind)
    } else {
        Err(Error::invalid(value, why))
    }
}

/// Reads the words. `index_of` finds the index of a valid interface name and
/// says what is wrong with it else.
pub fn parse(
    mut words: Words,
    purpose: Purpose,
    said: &mut EndpointWords,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<()> {
    let new = matches!(purpose, Purpose::Add | Purpose::Declare);
    while let Some(word) = words.next() {
        let of_family = match purpose {
            Purpose::Add | Purpose::Change => None,
            _ => family(word),
        };
        let mut kind = common(said, word, &mut words, new, index_of)?;
        let lines = matches!(purpose, Purpose::Declare | Purpose::Ignore);
        if purpose == Purpose::Ignore && kind & !takes::DEV != 0 {
            return Err(Error::invalid(word, "this line takes no such word"));
        } else if kind == takes::FLAGS {
            check_flags(purpose, said, word)?;
        } else if kind != 0 {
        } else if of_family.is_some() {
            said.family = of_family;
            kind = takes::FAMILY;
        } else if purpose == Purpose::Show && shortens(word, "token") {
            said.token = Some(words.token(word)?);
            kind = takes::TOKEN;
        } else if purpose == Purpose::Declare && word == "uplink" {
            said.uplink = true;
        } else if lines && word.contains('/') {
            prefix(word, said)?;
            kind = takes::ADDRESS;
        } else {
            only_address(word, &mut said.address)?;
            kind = takes::ADDRESS;
        }
        said.kinds |= kind;
    }
    Ok(())
}

/// Takes a prefix in the place of the address.
#[inline(never)]
fn prefix(word: &str, said: &mut EndpointWords) -> Result<()> {
    let (address, bits) = word.split_once('/').unwrap_or((word, ""));
    only_address(address, &mut said.address)?;
    said.bits = number_u8(bits);
    let all = if said.address.is_some_and(|address| address.is_ipv4()) {
        32
    } else {
        128
    };
    match said.bits {
        Some(bits) if bits <= all => Ok(()),
        _ => Err(Error::invalid(word, "invalid length of a prefix")),
    }
}

fn check_flags(purpose: Purpose, said: &EndpointWords, word: &str) -> Result<()> {
    let why = match purpose {
        Purpose::Add | Purpose::Declare
            if said
                .set
                .contains(EndpointFlags::SIGNAL | EndpointFlags::FULLMESH) =>
        {
            "flags mustn't have both signal and fullmesh"
        }
        Purpose::Declare | Purpose::Change if said.set.contains(EndpointFlags::IMPLICIT) => {
            "only the kernel makes implicit endpoints"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid(word, why))
}

/// What a new endpoint cannot be, beyond what [`parse`] sees word by word.
pub fn check_new(said: &EndpointWords) -> Result<()> {
    if said.id == Some(0) {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    if said.port.unwrap_or(0) != 0 && !said.set.contains(EndpointFlags::SIGNAL) {
        return Err(Error::invalid(
            "port",
            "flags must have signal when using port",
        ));
    }
    Ok(())
}

/// What the kernel takes of no endpoint, so that it need not be asked.
pub fn check_whole(flags: EndpointFlags, port: u16) -> Result<()> {
    if flags.contains(EndpointFlags::SIGNAL | EndpointFlags::FULLMESH) {
        let why = "flags mustn't have both signal and fullmesh";
        return Err(Error::invalid("fullmesh", why));
    }
    let listens = flags & (EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW);
    if port != 0 && listens != EndpointFlags::SIGNAL {
        let why = "flags must have signal and not subflow when using port";
        return Err(Error::invalid("port", why));
    }
    Ok(())
}
