//! `subflow show`, `create`, `delete`, `change`.

use super::connection;
use super::user_space::{ask, read};
use crate::error::Result;
use crate::grammar::connection::ConnectionWords;
use crate::grammar::path::PathWords;
use crate::grammar::takes;
use crate::kernel::PathManager;
use crate::session::Session;

pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut said = PathWords::default();
    read(session, words, 0, &mut said)?;
    let said = ConnectionWords {
        token: said[0].token,
        ..ConnectionWords::default()
    };
    connection::list(session, &said)
}

pub fn create(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ENDS | takes::ID | takes::PORT | takes::DEV | takes::FLAGS;
    ask(session, words, takes, PathManager::create_subflow)
}

pub fn delete(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ENDS | takes::PORT;
    ask(session, words, takes, PathManager::destroy_subflow)
}

pub fn change(session: &mut Session, words: &[&str]) -> Result<u8> {
    let takes = takes::ENDS | takes::PORT | takes::FLAGS;
    ask(session, words, takes, PathManager::set_subflow_flags)
}
