//! One file a command: values from the grammar, requests to the kernel,
//! values to the output.

mod address;
mod connection;
mod counters;
mod doctor;
mod endpoint;
mod limits;
mod members;
mod monitor;
mod paths;
mod state;
mod status;
mod subflow;
mod user_space;

use crate::session::Command;

/// All commands, each with its row in its own file. The order decides between
/// abbreviations, and is that of help: groups of actions come first.
pub static COMMANDS: &[Command] = &[
    endpoint::COMMAND,
    limits::COMMAND,
    connection::COMMAND,
    address::COMMAND,
    subflow::COMMAND,
    monitor::COMMAND,
    status::COMMAND,
    counters::COMMAND,
    paths::COMMAND,
    doctor::COMMAND,
    state::SAVE,
    state::APPLY,
    state::WATCH,
];
