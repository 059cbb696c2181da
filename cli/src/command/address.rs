//! `address announce`, `address remove`.

use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags};

use super::endpoint::describe;
use super::user_space::{read, with_remedy};
use crate::error::{Error, Result};
use crate::grammar::path::takes;
use crate::output::complain;
use crate::session::Session;

pub fn announce(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ADDRESS | takes::ID | takes::PORT | takes::DEV;
    let mut said = read(session, words, takes)?;
    let address = said.local.address;
    let address = address.ok_or_else(|| Error::required("ADDRESS"))?;
    if said.local.id.is_none() {
        return Err(Error::required("id"));
    }
    said.local.set |= EndpointFlags::SIGNAL;
    let endpoint = describe(Endpoint::new(address), &said.local);
    let path_manager = session.path_manager()?;
    path_manager
        .set(&|buffer, family, seq| request::announce(buffer, family, seq, said.token, &endpoint))
        .map_err(with_remedy)?;
    if path_manager.has_listener() == Some(false) {
        complain(
            b"Warning: nobody in this network namespace listens to events: the kernel refuses \
              the subflows that the peer opens unless somebody does (ip-mptcp monitor).\n",
        );
    }
    Ok(0)
}

pub fn remove(session: &mut Session, words: &[&str]) -> Result<u8> {
    let said = read(session, words, takes::ID)?;
    let id = said.local.id.ok_or_else(|| Error::required("id"))?;
    session
        .path_manager()?
        .set(&|buffer, family, seq| request::remove(buffer, family, seq, said.token, id))
        .map_err(with_remedy)?;
    Ok(0)
}
