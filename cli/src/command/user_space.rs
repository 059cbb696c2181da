//! What the commands of a user-space path manager share: `address`, `subflow`.

use mptcp_codec::mptcp::request::command;

use crate::error::{Result, Status};
use crate::grammar::path::{self, PathWords};
use crate::grammar::{takes, Words};
use crate::kernel::{interface, Request};
use crate::session::Session;

/// Reads the words of a command that takes a token and what `takes` says.
pub fn read(
    session: &mut Session,
    words: &[&str],
    takes: u16,
    given: &mut PathWords,
) -> Result<()> {
    path::parse(Words::new(words), takes, given, &mut |name| {
        interface::index(session.path_manager()?.fd(), name, false)
    })
}

/// Reads the words, which take what `takes` says, and sends `command` with both ends.
fn ask(session: &mut Session, words: &[&str], takes: u16, command: u8) -> Result<Status> {
    let mut given = PathWords::default();
    read(session, words, takes, &mut given)?;
    let [local, remote] = &given;
    session.path_manager()?.of_connection(&Request {
        token: Some(local.token.unwrap_or(0)),
        local: Some(&local.endpoint()),
        remote: Some(&remote.endpoint()),
        ..Request::of(command)
    })?;
    Ok(0)
}

/// `subflow create`.
pub fn create(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::ID | takes::PORT | takes::DEV | takes::FLAGS;
    ask(session, words, takes, command::SUBFLOW_CREATE)
}

/// `subflow delete`.
pub fn delete(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT;
    ask(session, words, takes, command::SUBFLOW_DESTROY)
}

/// `subflow change`: a backup, or an ordinary one (MP_PRIO).
pub fn change(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT | takes::FLAGS;
    ask(session, words, takes, command::SET_FLAGS)
}
