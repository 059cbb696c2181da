//! `address announce`, `address remove`.

use super::user_space::ask;
use crate::error::{Result, Status};
use crate::grammar::keyword;
use crate::grammar::takes;
use crate::output::warn;
use crate::session::Session;
use crate::session::{Command, Does, Group};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "address",
    about: "Announced addresses of a connection with a user-space path manager.",
    words: "",
    help: "Example:
  ip-mptcp address announce 192.0.2.2 token 0x5ca81c12 id 2",
    does: Does::Group(ACTIONS),
};

// Of its own: until Rust 1.89 what is borrowed within a variant ends with the statement.
const ACTIONS: &Group = &Group {
    default: "announce",
    keywords: keyword::ADDRESS,
    actions: &[
        Command {
            name: "announce",
            about: "Announce an address to the peer (ADD_ADDR).",
            words: "ADDRESS token T id N [ port P ] [ dev IF ]",
            help: "The kernel refuses the peer's subflows unless a monitor listens to events.

Example:
  ip-mptcp address announce 192.0.2.2 token 0x5ca81c12 id 2",
            does: Does::Words(announce),
        },
        Command {
            name: "remove",
            about: "Take an announced address back (RM_ADDR) and close its subflows.",
            words: "token T id N",
            help: "Example:
  ip-mptcp address remove token 0x5ca81c12 id 2",
            does: Does::Words(remove),
        },
    ],
};

pub fn announce(session: &mut Session, words: &[&str]) -> Result<Status> {
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

pub fn remove(session: &mut Session, words: &[&str]) -> Result<Status> {
    ask(
        session,
        words,
        takes::ID,
        |path_manager, token, local, _| path_manager.remove(token, local.id().unwrap_or(0)),
    )
}
