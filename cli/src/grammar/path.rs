//! Words about one connection and a path of it:
//! `[ ADDRESS | from ADDRESS ] [ to ADDRESS ] [ port P ] [ token T ] [ id N ]
//! [ dev IF ] [ FLAG ]...`
//!
//! A port belongs to the address in front of it, everything else to this
//! host.

use mptcp_codec::mptcp::EndpointFlags;

use super::endpoint::{common, EndpointWords};
use super::{only_address, shortens, takes, Words};
use crate::error::{Error, Result};

/// What was said: this host's end with the token and all that is to be done
/// with it, and the peer's address and port.
pub type PathWords = [EndpointWords; 2];

/// Reads the words of a command that takes a token and what `takes` says. The
/// token must be there. `index_of` finds the index of an interface.
pub fn parse(
    mut words: Words,
    takes: u16,
    [local, remote]: &mut PathWords,
    index_of: &mut dyn FnMut(&str) -> Result<u32>,
) -> Result<()> {
    let mut at_remote = false;
    while let Some(word) = words.next() {
        let to = word == "to";
        if takes & takes::ENDS != 0 && (to || word == "from") {
            at_remote = to;
            let end = if to { &mut *remote } else { &mut *local };
            only_address(words.value(word)?, &mut end.address)?;
            continue;
        }
        if shortens(word, "token") {
            local.token = Some(words.token(word)?);
            continue;
        }
        let port_here = local.port;
        let kind = common(local, word, &mut words, true, index_of)?;
        let mut end = &mut *local;
        if at_remote && kind == takes::PORT {
            // A port belongs to the address in front of it.
            remote.port = end.port;
            end.port = port_here;
            end = &mut *remote;
        }
        let why = if kind == 0 && takes & takes::ADDRESS != 0 {
            only_address(word, &mut end.address)?;
            continue;
        } else if takes & kind == 0 {
            "this command takes no such word"
        } else if kind == takes::PORT && takes & takes::ENDS != 0 && end.address.is_none() {
            "a port follows its address"
        } else {
            continue;
        };
        let error = Error::invalid(word, why);
        return Err(if kind == 0 { error.unknown() } else { error });
    }
    let both = local.set | local.clear;
    let one = both == EndpointFlags::BACKUP && local.set != local.clear;
    let missing = if local.token.is_none() {
        "token"
    } else if takes & takes::ADDRESS != 0 && local.address.is_none() {
        "ADDRESS"
    } else if takes & takes::ID != 0 && local.id.is_none() {
        "id"
    } else if takes & (takes::FLAGS | takes::ID) == takes::FLAGS && !one {
        "backup or nobackup"
    } else if takes & takes::ENDS != 0 && local.address.is_none() {
        "from ADDRESS"
    } else if takes & takes::ENDS != 0 && remote.address.is_none() {
        "to ADDRESS"
    } else if takes & takes::ID != 0 && takes & takes::ENDS != 0 && remote.port.unwrap_or(0) == 0 {
        // The kernel would take port 0 for one.
        "to ADDRESS port P"
    } else {
        return Ok(());
    };
    Err(Error::required(missing))
}
