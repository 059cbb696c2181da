//! One file for each command: values from the grammar, requests to the kernel, values to the
//! output.

#[cfg(feature = "user-space")]
mod address;
#[cfg(feature = "connections")]
mod connection;
#[cfg(feature = "health")]
mod counters;
#[cfg(feature = "health")]
mod doctor;
mod endpoint;
mod limits;
mod monitor;
#[cfg(feature = "connections")]
mod paths;
#[cfg(feature = "state")]
mod replace;
#[cfg(feature = "state")]
mod state;
#[cfg(feature = "health")]
mod status;
#[cfg(any(feature = "connections", feature = "user-space"))]
mod subflow;
#[cfg(feature = "user-space")]
mod user_space;
mod words;

use crate::session::Command;

/// All commands, each with its row in its own file. The order decides between abbreviations,
/// and is that of help: groups of actions come first. A command that is not built in keeps
/// its place, so that an abbreviation means the same in every build.
pub static COMMANDS: &[Command] = &[
    endpoint::COMMAND,
    limits::COMMAND,
    #[cfg(feature = "connections")]
    connection::COMMAND,
    #[cfg(not(feature = "connections"))]
    crate::session::absent("connection", "connections"),
    #[cfg(feature = "user-space")]
    address::COMMAND,
    #[cfg(not(feature = "user-space"))]
    crate::session::absent("address", "user-space"),
    #[cfg(any(feature = "connections", feature = "user-space"))]
    subflow::COMMAND,
    #[cfg(not(any(feature = "connections", feature = "user-space")))]
    crate::session::absent("subflow", "connections or user-space"),
    monitor::COMMAND,
    #[cfg(feature = "health")]
    status::COMMAND,
    #[cfg(not(feature = "health"))]
    crate::session::absent("status", "health"),
    #[cfg(feature = "health")]
    counters::COMMAND,
    #[cfg(not(feature = "health"))]
    crate::session::absent("counters", "health"),
    #[cfg(feature = "connections")]
    paths::COMMAND,
    #[cfg(not(feature = "connections"))]
    crate::session::absent("paths", "connections"),
    #[cfg(feature = "health")]
    doctor::COMMAND,
    #[cfg(not(feature = "health"))]
    crate::session::absent("doctor", "health"),
    #[cfg(feature = "state")]
    state::SAVE,
    #[cfg(not(feature = "state"))]
    crate::session::absent("save", "state"),
    #[cfg(feature = "state")]
    state::APPLY,
    #[cfg(not(feature = "state"))]
    crate::session::absent("apply", "state"),
    #[cfg(feature = "state")]
    state::WATCH,
    #[cfg(not(feature = "state"))]
    crate::session::absent("watch", "state"),
];

/// Stands in for [`replace`] in a build without it.
#[cfg(not(feature = "state"))]
mod replace {
    use crate::error::{Result, Status};
    use crate::grammar::Given;
    use crate::kernel::PathManager;
    use crate::session::not_built_in;

    pub fn recreate(_: &mut PathManager, _: &Given) -> Result<Status> {
        Err(not_built_in("endpoint change", "state"))
    }
}
