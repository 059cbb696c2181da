//! `address announce`, `address remove`.

use super::user_space::ask;
use crate::error::Result;
use crate::grammar::takes;
use crate::output::warn;
use crate::session::Session;

pub fn announce(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ADDRESS | takes::ID | takes::PORT | takes::DEV;
    ask(session, words, takes, |path_manager, token, local, _| {
        path_manager.announce(token, local)
    })?;
    if session.path_manager()?.has_listener() == Some(false) {
        warn(
            b"nobody in this network namespace listens to events: the kernel refuses \
              the subflows that the peer opens unless somebody does (ip-mptcp monitor)",
        );
    }
    Ok(0)
}

pub fn remove(session: &mut Session, words: &[&str]) -> Result<u8> {
    ask(
        session,
        words,
        takes::ID,
        |path_manager, token, local, _| path_manager.remove(token, local.id().unwrap_or(0)),
    )
}
