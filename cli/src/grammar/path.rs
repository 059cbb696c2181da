//! Words about one connection and a path of it:
//! `[ ADDRESS | from ADDRESS ] [ to ADDRESS ] [ port P ] [ token T ] [ id N ]
//! [ dev IF ] [ FLAG ]...`
//!
//! A port belongs to the address in front of it, everything else to this
//! host.

use super::endpoint::{common, EndpointWords};
use super::{address, shortens, Words};
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
        let mut part = EndpointWords::default();
        if takes & takes::ENDS != 0 && (word == "from" || word == "to") {
            at_remote = word == "to";
            let value = words.value(word)?;
            end(&mut said, at_remote, value)?;
        } else if shortens(word, "token") {
            token = Some(words.token(word)?);
        } else if common(&mut part, word, &mut words, true, index_of)? {
            add(&mut said, &part, word, takes, at_remote)?;
        } else if takes & takes::ADDRESS != 0 {
            end(&mut said, false, word)?;
        } else {
            return Err(Error::invalid(word, NOT_HERE).unknown());
        }
    }
    said.token = token.ok_or_else(|| Error::required("token"))?;
    Ok(said)
}

const NOT_HERE: &str = "this command takes no such word";

/// Takes the address of one end.
fn end(said: &mut PathWords, at_remote: bool, word: &str) -> Result<()> {
    let address = address(word).ok_or_else(|| Error::address(word))?;
    let end = if at_remote {
        &mut said.remote
    } else {
        &mut said.local
    };
    if end.address.is_some() {
        return Err(Error::invalid(word, "there is an address already"));
    }
    end.address = Some(address);
    Ok(())
}

/// Adds what one keyword said.
fn add(
    said: &mut PathWords,
    part: &EndpointWords,
    word: &str,
    takes: u8,
    at_remote: bool,
) -> Result<()> {
    let kind = if part.port.is_some() {
        takes::PORT
    } else if part.id.is_some() {
        takes::ID
    } else if part.dev.is_some() {
        takes::DEV
    } else {
        takes::FLAGS
    };
    if takes & kind == 0 {
        return Err(Error::invalid(word, NOT_HERE));
    }
    let end = if at_remote && kind == takes::PORT {
        &mut said.remote
    } else {
        &mut said.local
    };
    if kind == takes::PORT && takes & takes::ENDS != 0 && end.address.is_none() {
        return Err(Error::invalid(word, "a port follows its address"));
    }
    end.port = part.port.or(end.port);
    end.id = part.id.or(end.id);
    end.dev = part.dev.or(end.dev);
    end.set |= part.set;
    end.clear |= part.clear;
    Ok(())
}
