//! `[ token T ] [ dev IF ] [ local ADDRESS ] [ remote ADDRESS ] [ sport N ]
//! [ dport N ] [ ADDRESS ] [ fallback ] [ listen ] [ -4 | -6 ]`

use std::net::IpAddr;

use super::endpoint::Family;
use super::{address, interface_name, number_u16, shortens, Words};
use crate::error::{Error, Result};

/// What was said about connections.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionWords {
    /// `token T`.
    pub token: Option<u32>,
    /// `dev IF`, as its index.
    pub dev: Option<u32>,
    /// An address on whichever side.
    pub address: Option<IpAddr>,
    /// `local ADDRESS`.
    pub local: Option<IpAddr>,
    /// `remote ADDRESS`.
    pub remote: Option<IpAddr>,
    /// `sport N`: the port here.
    pub sport: Option<u16>,
    /// `dport N`: the peer's port.
    pub dport: Option<u16>,
    /// `fallback`.
    pub fallback: bool,
    /// `listen`.
    pub listen: bool,
    /// `-4` or `-6`.
    pub family: Option<Family>,
}

/// Reads the words. `index_of` finds the index of a valid interface name and
/// says what is wrong with it else.
pub fn parse(
    mut words: Words,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<ConnectionWords> {
    let mut said = ConnectionWords::default();
    while let Some(word) = words.next() {
        if word == "fallback" {
            said.fallback = true;
        } else if word == "listen" {
            said.listen = true;
        } else if word == "-4" || word == "-6" {
            said.family = Some(if word == "-4" { Family::V4 } else { Family::V6 });
        } else if shortens(word, "token") {
            said.token = Some(words.token(word)?);
        } else if shortens(word, "dev") {
            let value = words.value(word)?;
            if !interface_name(value) {
                return Err(Error::invalid(value, "invalid interface name"));
            }
            said.dev = Some(index_of(value)?);
        } else if shortens(word, "local") {
            said.local = Some(wanted(words.value(word)?)?);
        } else if shortens(word, "remote") {
            said.remote = Some(wanted(words.value(word)?)?);
        } else if shortens(word, "sport") {
            said.sport = Some(port(words.value(word)?)?);
        } else if shortens(word, "dport") {
            said.dport = Some(port(words.value(word)?)?);
        } else {
            let address = wanted(word)?;
            if said.address.is_some() {
                return Err(Error::invalid(word, "there is an address already"));
            }
            said.address = Some(address);
        }
    }
    Ok(said)
}

fn wanted(word: &str) -> Result<IpAddr> {
    address(word).ok_or_else(|| Error::address(word))
}

fn port(word: &str) -> Result<u16> {
    number_u16(word)
        .filter(|port| *port != 0)
        .ok_or_else(|| Error::invalid(word, "expected port"))
}
