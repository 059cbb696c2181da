//! Words about one connection and a path of it:
//! `[ ADDRESS | from ADDRESS ] [ to ADDRESS ] [ port P ] [ token T ] [ id N ]
//! [ dev IF ] [ FLAG ]...`
//!
//! A port belongs to the address in front of it, everything else to this
//! host.

use super::endpoint::{common, EndpointWords};
use super::{only_address, shortens, Words};
use crate::error::{Error, Result};

/// What a command takes besides its token; several are joined by `|`.
pub mod takes {
    /// A bare address of this host.
    pub const ADDRESS: u8 = 1;
    /// `from ADDRESS` and `to ADDRESS`.
    pub const ENDS: u8 = 2;
    /// `port P`.
    pub const PORT: u8 = 4;
    /// `id N`.
    pub const ID: u8 = 8;
    /// `dev IF`.
    pub const DEV: u8 = 16;
    /// Flags.
    pub const FLAGS: u8 = 32;
    /// `-4` or `-6`.
    pub const FAMILY: u8 = 64;
    /// `token T`.
    pub const TOKEN: u8 = 128;
}

/// What was said.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct PathWords {
    /// `token T`; 0 where none was said, which no connection has.
    pub token: u32,
    /// This host's end, and what is to be done with it.
    pub local: EndpointWords,
    /// The peer's end: address and port.
    pub remote: EndpointWords,
}

/// Reads the words of a command that takes a token and what `takes` says. The
/// token must be there. `index_of` finds the index of an interface.
pub fn parse(
    mut words: Words,
    takes: u8,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<PathWords> {
    let mut said = PathWords::default();
    let mut token = None;
    let mut at_remote = false;
    while let Some(word) = words.next() {
        if takes & takes::ENDS != 0 && (word == "from" || word == "to") {
            at_remote = word == "to";
            let end = match at_remote {
                true => &mut said.remote,
                false => &mut said.local,
            };
            only_address(words.value(word)?, &mut end.address)?;
            continue;
        }
        if shortens(word, "token") {
            token = Some(words.token(word)?);
            continue;
        }
        let port_here = said.local.port;
        let kind = common(&mut said.local, word, &mut words, true, index_of)?;
        if kind == 0 && takes & takes::ADDRESS != 0 {
            only_address(word, &mut said.local.address)?;
        } else if kind == 0 {
            return Err(Error::invalid(word, NOT_HERE).unknown());
        } else if takes & kind == 0 {
            return Err(Error::invalid(word, NOT_HERE));
        } else if kind == takes::PORT {
            // A port belongs to the address in front of it.
            let mut end = &said.local;
            if at_remote {
                said.remote.port = said.local.port;
                said.local.port = port_here;
                end = &said.remote;
            }
            if takes & takes::ENDS != 0 && end.address.is_none() {
                return Err(Error::invalid(word, "a port follows its address"));
            }
        }
    }
    said.token = token.ok_or_else(|| Error::required("token"))?;
    Ok(said)
}

const NOT_HERE: &str = "this command takes no such word";
