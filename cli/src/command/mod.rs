//! One file a command: values from the grammar, requests to the kernel,
//! values to the output.

pub mod address;
pub mod connection;
mod counters;
mod doctor;
pub mod endpoint;
pub mod limits;
mod members;
mod monitor;
mod status;
pub mod subflow;
mod user_space;

pub use counters::EXPLAINED;
mod state;

use crate::args::Command;
use crate::error::Result;
use crate::session::Session;

/// Runs a command that argh parsed; returns the exit status. Groups of actions
/// do not come this way: each action has its function in [`crate::args`].
pub fn run(session: &mut Session, command: Command) -> Result<u8> {
    match command {
        Command::Monitor(monitor) => monitor::run(session, &monitor),
        Command::Status(status) => status::run(session, &status),
        Command::Counters(counters) => counters::run(session, &counters),
        Command::Doctor(_) => doctor::run(session),
        Command::Save(words) => state::save(session, &words),
        Command::Apply(words) => state::apply(session, &words),
        Command::Watch(words) => state::watch(session, &words),
    }
}
