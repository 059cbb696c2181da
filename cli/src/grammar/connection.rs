//! `[ token T ] [ dev IF ] [ local ADDRESS ] [ remote ADDRESS ] [ sport N ]
//! [ dport N ] [ ADDRESS ] [ fallback ] [ listen ] [ -4 | -6 ]`

use std::net::IpAddr;

use super::endpoint::{family, Family};
use super::{number_u16, only_address, shortens, take_address, Words};
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
        } else if let Some(family) = family(word) {
            said.family = Some(family);
        } else if shortens(word, "token") {
            said.token = Some(words.token(word)?);
        } else if shortens(word, "dev") {
            said.dev = Some(words.dev(word, index_of)?);
        } else if shortens(word, "local") {
            take_address(words.value(word)?, &mut said.local)?;
        } else if shortens(word, "remote") {
            take_address(words.value(word)?, &mut said.remote)?;
        } else if shortens(word, "sport") {
            said.sport = Some(port(word, &mut words)?);
        } else if shortens(word, "dport") {
            said.dport = Some(port(word, &mut words)?);
        } else {
            only_address(word, &mut said.address)?;
        }
    }
    Ok(said)
}

#[inline(never)]
fn port(keyword: &str, words: &mut Words) -> Result<u16> {
    let word = words.value(keyword)?;
    number_u16(word)
        .filter(|port| *port != 0)
        .ok_or_else(|| Error::invalid(word, "expected port"))
}
