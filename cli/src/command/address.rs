//! `address announce`, `address remove`.

use crate::error::{Result, Status};
use crate::grammar::{keyword, Given};
use crate::output::warn;
use crate::session::{taking, words, Command, Does, Group, Session};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "address",
    words: "",
    help: "Announced addresses of a connection with a user-space path manager.\n\
           Example:
  ip-mptcp address announce 192.0.2.2 token 0x5ca81c12 id 2",
    does: Does::Group(ACTIONS),
};

// A constant of its own: until Rust 1.89 a temporary within an enum variant dies with its
// statement.
const ACTIONS: &Group = &Group {
    default: "announce",
    keywords: keyword::ADDRESS,
    actions: &taking(
        keyword::ADDRESS,
        [
            Command {
                name: "announce",
                words: "ADDRESS token T id N [ port P ] [ dev IF ]",
                help: "Announce an address to the peer (ADD_ADDR).\n\
                       The kernel refuses the peer's subflows unless a monitor listens to events.

Example:
  ip-mptcp address announce 192.0.2.2 token 0x5ca81c12 id 2",
                does: words(announce),
            },
            Command {
                name: "remove",
                words: "token T id N",
                help: "Withdraw an announced address (RM_ADDR) and close its subflows.\n\
                       Example:
  ip-mptcp address remove token 0x5ca81c12 id 2",
                does: words(remove),
            },
        ],
    ),
};

pub fn announce(session: &mut Session, given: &Given) -> Result<Status> {
    let path_manager = session.path_manager()?;
    path_manager.announce(given.token().unwrap_or(0), &given.endpoint())?;
    if path_manager.has_listener() == Some(false) {
        warn(
            b"nobody in this network namespace listens to events: the kernel refuses \
              the subflows that the peer opens unless somebody does (ip-mptcp monitor)",
        );
    }
    Ok(0)
}

pub fn remove(session: &mut Session, given: &Given) -> Result<Status> {
    let id = given.id().unwrap_or(0);
    session
        .path_manager()?
        .remove(given.token().unwrap_or(0), id)?;
    Ok(0)
}
