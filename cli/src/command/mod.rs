//! One file a command: values from the grammar, requests to the kernel,
//! values to the output.

mod endpoint;
mod limits;
mod monitor;

use crate::args::Command;
use crate::error::Result;
use crate::session::Session;

/// Runs a command; returns the exit status.
pub fn run(session: &mut Session, command: Command) -> Result<u8> {
    match command {
        Command::Endpoint(words) => endpoint::run(session, words.action),
        Command::Limits(words) => limits::run(session, words.action),
        Command::Monitor(_) => monitor::run(session),
    }
}
