//! `[ token T | none ] [ dev IF ] [ local ADDRESS ] [ remote ADDRESS ] [ sport N ]
//! [ dport N ] [ ADDRESS ] [ fallback ] [ listen ] [ -4 | -6 ]`

use std::net::IpAddr;

use super::endpoint::{family, Family};
use super::{number_u16, only_address, shortens, take_address, Words};
use crate::error::{Error, Result};

/// Which connections are asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ConnectionWords {
    /// `token T`; 0 for `token none`.
    pub token: Option<u32>,
    /// `dev IF`, as its index.
    pub dev: Option<u32>,
    /// An address on whichever side.
    pub address: Option<IpAddr>,
    /// `local ADDRESS` and `sport N`, the port here, then `remote ADDRESS` and
    /// `dport N`, the peer's port; 0 where no port was given.
    pub ends: [(Option<IpAddr>, u16); 2],
    /// `fallback`.
    pub fallback: bool,
    /// `listen`.
    pub listen: bool,
    /// `-4` or `-6`.
    pub family: Option<Family>,
}

impl Default for ConnectionWords {
    fn default() -> Self {
        const NOTHING: ConnectionWords = ConnectionWords {
            token: None,
            dev: None,
            address: None,
            ends: [(None, 0); 2],
            fallback: false,
            listen: false,
            family: None,
        };
        NOTHING
    }
}

/// Words about an end: where it is in [`ConnectionWords::ends`] follows from
/// where they stand here.
const OF_ENDS: [&str; 4] = ["local", "remote", "sport", "dport"];

/// Reads the words into `asked`. `index_of` finds the index of a valid
/// interface name, or says what is wrong with it.
pub fn parse(
    mut words: Words,
    asked: &mut ConnectionWords,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<()> {
    while let Some(word) = words.next() {
        if word == "fallback" {
            asked.fallback = true;
        } else if word == "listen" {
            asked.listen = true;
        } else if let Some(family) = family(word) {
            asked.family = Some(family);
        } else if shortens(word, "token") {
            asked.token = Some(match words.rest.as_slice() {
                ["none", ..] => words.next().map_or(0, |_| 0),
                _ => words.token(word)?,
            });
        } else if shortens(word, "dev") {
            asked.dev = Some(words.dev(word, index_of)?);
        } else if let Some(at) = OF_ENDS.iter().position(|whole| shortens(word, whole)) {
            let (address, port) = &mut asked.ends[at & 1];
            let value = words.value(word)?;
            if at < 2 {
                take_address(value, address)?;
            } else {
                take_port(value, port)?;
            }
        } else {
            only_address(word, &mut asked.address)?;
        }
    }
    if asked.listen && (asked.fallback || asked.token.is_some() || asked.dev.is_some()) {
        let why = "what listens is selected by address and port only";
        return Err(Error::invalid("listen", why));
    }
    Ok(())
}

fn take_port(word: &str, into: &mut u16) -> Result<()> {
    *into = number_u16(word).unwrap_or(0);
    match *into {
        0 => Err(Error::invalid(word, "expected port")),
        _ => Ok(()),
    }
}
