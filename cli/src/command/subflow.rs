//! `subflow show`, `create`, `delete`, `change`.

use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags};

use super::connection;
use super::endpoint::describe;
use super::user_space::{read, with_remedy};
use crate::error::{Error, Result};
use crate::grammar::connection::ConnectionWords;
use crate::grammar::path::{takes, PathWords};
use crate::session::Session;

pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let said = ConnectionWords {
        token: Some(read(session, words, 0)?.token),
        ..ConnectionWords::default()
    };
    connection::list(session, &said)
}

pub fn create(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ENDS | takes::ID | takes::PORT | takes::DEV | takes::FLAGS;
    let said = read(session, words, takes)?;
    if said.local.id.is_none() {
        return Err(Error::required("id"));
    }
    ask(session, &said, request::create_subflow)
}

pub fn delete(session: &mut Session, words: &[&str]) -> Result<u8> {
    let said = read(session, words, takes::ENDS | takes::PORT)?;
    ask(session, &said, request::destroy_subflow)
}

pub fn change(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ENDS | takes::PORT | takes::FLAGS;
    let said = read(session, words, takes)?;
    let (set, clear) = (said.local.set, said.local.clear);
    if (set | clear) != EndpointFlags::BACKUP || (set & clear).0 != 0 {
        return Err(Error::required("backup or nobackup"));
    }
    ask(session, &said, request::set_subflow_flags)
}

/// A request of the codec about one subflow.
type Write = for<'b> fn(
    &'b mut [u8],
    u16,
    u32,
    u32,
    &Endpoint,
    &Endpoint,
) -> core::result::Result<&'b mut [u8], mptcp_codec::Error>;

fn ask(session: &mut Session, said: &PathWords, write: Write) -> Result<u8> {
    let address = said.local.address;
    let from = address.ok_or_else(|| Error::required("from ADDRESS"))?;
    let address = said.remote.address;
    let to = address.ok_or_else(|| Error::required("to ADDRESS"))?;
    let local = describe(Endpoint::new(from), &said.local);
    let remote = describe(Endpoint::new(to), &said.remote);
    session
        .path_manager()?
        .set(&|buffer, family, seq| write(buffer, family, seq, said.token, &local, &remote))
        .map_err(with_remedy)?;
    Ok(0)
}
