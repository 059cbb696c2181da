//! What the commands of a user-space path manager share: `address`, `subflow`.

use mptcp_codec::mptcp::Endpoint;

use crate::error::{Result, Status};
use crate::grammar::path::{self, PathWords};
use crate::grammar::{takes, Words};
use crate::kernel::{interface, PathManager};
use crate::session::Session;

/// Reads the words of a command that takes a token and what `takes` says.
pub fn read(session: &mut Session, words: &[&str], takes: u16, said: &mut PathWords) -> Result<()> {
    path::parse(Words::new(words), takes, said, &mut |name| {
        interface::index(session.path_manager()?.fd(), name, false)
    })
}

/// A request to the path manager about the connection with a token: this end
/// of a path, and the peer's.
type Request = fn(&mut PathManager, u32, &Endpoint, &Endpoint) -> Result<()>;

/// Reads the words, which take what `takes` says, and sends the request.
pub fn ask(session: &mut Session, words: &[&str], takes: u16, request: Request) -> Result<Status> {
    let mut said = PathWords::default();
    read(session, words, takes, &mut said)?;
    let [local, remote] = &said;
    let token = local.token.unwrap_or(0);
    request(
        session.path_manager()?,
        token,
        &local.endpoint(),
        &remote.endpoint(),
    )?;
    Ok(0)
}

/// `subflow create`.
pub fn create(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::ID | takes::PORT | takes::DEV | takes::FLAGS;
    ask(session, words, takes, PathManager::create_subflow)
}

/// `subflow delete`.
pub fn delete(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT;
    ask(session, words, takes, PathManager::destroy_subflow)
}

/// `subflow change`.
pub fn change(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT | takes::FLAGS;
    ask(session, words, takes, PathManager::set_subflow_flags)
}
