//! `address announce`, `address remove`.

use mptcp_codec::mptcp::{request, EndpointFlags};

use super::user_space::ask;
use crate::error::Result;
use crate::grammar::path::takes;
use crate::output::complain;
use crate::session::Session;

pub fn announce(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ADDRESS | takes::ID | takes::PORT | takes::DEV;
    ask(
        session,
        words,
        takes,
        |buffer, family, seq, token, local, _| {
            let endpoint = local.with_flags(EndpointFlags::SIGNAL);
            request::announce(buffer, family, seq, token, &endpoint)
        },
    )?;
    if session.path_manager()?.has_listener() == Some(false) {
        complain(
            b"Warning: nobody in this network namespace listens to events: the kernel refuses \
              the subflows that the peer opens unless somebody does (ip-mptcp monitor).\n",
        );
    }
    Ok(0)
}

pub fn remove(session: &mut Session, words: &[&str]) -> Result<u8> {
    ask(
        session,
        words,
        takes::ID,
        |buffer, family, seq, token, local, _| {
            let id = local.id().unwrap_or(0);
            request::remove(buffer, family, seq, token, id)
        },
    )
}
