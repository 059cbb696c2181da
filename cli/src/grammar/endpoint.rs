//! `[ ADDRESS ] [ dev IF ] [ id N ] [ port N ] [ FLAG ]...`

use std::net::IpAddr;

use mptcp_codec::mptcp::EndpointFlags;

use super::{address, interface_name, number_u16, number_u8, same_start, shortens, Words};
use crate::error::{Error, Result};

/// What the words are for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new endpoint.
    Add,
    /// A line of a state file: a new endpoint, or those of an interface.
    Declare,
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

/// What was said about an endpoint.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointWords {
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
}

impl EndpointWords {
    /// Whether anything was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
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
fn flag(word: &str) -> Option<EndpointFlags> {
    EndpointFlags::NAMES
        .iter()
        .find(|(_, name)| same_start(word, name) && *name == word)
        .map(|(flag, _)| *flag)
}

/// A flag with `no` in front. For a new endpoint only those that iproute2
/// knows, where they mean nothing.
fn cleared(new: bool, word: &str) -> Option<EndpointFlags> {
    let flag = flag(word.strip_prefix("no")?)?;
    (!new || CHANGEABLE.contains(flag)).then_some(flag)
}

/// A word that means the same wherever endpoints are described, and the value
/// behind it; tells whether `word` is one.
pub(super) fn common(
    said: &mut EndpointWords,
    word: &str,
    words: &mut Words,
    new: bool,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<bool> {
    if !matches!(word.as_bytes(), [b'a'..=b'z', ..]) {
        // An address, mostly.
        return Ok(false);
    } else if let Some(flag) = flag(word) {
        said.set |= flag;
    } else if let Some(flag) = cleared(new, word) {
        said.clear |= flag;
    } else if shortens(word, "id") {
        let value = words.value(word)?;
        let id = number_u8(value).ok_or_else(|| Error::invalid(value, "invalid ID"))?;
        said.id = Some(id);
    } else if shortens(word, "dev") {
        let value = words.value(word)?;
        if !interface_name(value) {
            return Err(Error::invalid(value, "invalid interface name"));
        }
        said.dev = Some(index_of(value)?);
    } else if shortens(word, "port") {
        let value = words.value(word)?;
        let port = number_u16(value).ok_or_else(|| Error::invalid(value, "expected port"))?;
        said.port = Some(port);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Reads the words. `index_of` finds the index of a valid interface name and
/// says what is wrong with it else.
pub fn parse(
    mut words: Words,
    purpose: Purpose,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<EndpointWords> {
    let mut said = EndpointWords::default();
    let new = matches!(purpose, Purpose::Add | Purpose::Declare);
    while let Some(word) = words.next() {
        if common(&mut said, word, &mut words, new, index_of)? {
            check_flags(purpose, &said, word)?;
        } else if (purpose.selects() || purpose == Purpose::Declare)
            && (word == "-4" || word == "-6")
        {
            said.family = Some(if word == "-4" { Family::V4 } else { Family::V6 });
        } else if purpose == Purpose::Show && shortens(word, "token") {
            said.token = Some(words.token(word)?);
        } else {
            let address = address(word).ok_or_else(|| Error::address(word))?;
            if said.address.is_some() {
                return Err(Error::invalid(word, "there is an address already"));
            }
            said.address = Some(address);
        }
    }
    Ok(said)
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
