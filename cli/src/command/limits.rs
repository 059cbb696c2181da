//! `limits set`, `limits show`.

use crate::error::{Result, Status};
use crate::grammar::limits::{nothing_to_set, with_most, WORDS};
use crate::grammar::{keyword, Given, Takes};
use crate::session::{taking, words, Command, Does, Group, Session};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "limits",
    words: "",
    help: "How many subflows and announced addresses a connection may have.\n\
           Example:
  ip-mptcp limits set subflows 4 add_addr_accepted 4",
    does: Does::Group(ACTIONS),
};

// A constant of its own: until Rust 1.89 a temporary within an enum variant dies with its
// statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::LIMITS,
    actions: &taking(
        keyword::LIMITS,
        [
            // First, because `s` means it.
            Command {
                name: "set",
                words: WORDS,
                help: "Set limits; what is not named stays.\n\
                       N may be max, the most that this kernel allows.

Example:
  ip-mptcp limits set subflows 4 add_addr_accepted 4",
                does: words(set),
            },
            Command {
                name: "show",
                words: "",
                help: "Show the limits.\n\
                       Example:
  ip-mptcp -j limits show",
                // Limits after `show` mean nothing, but `ip` takes them.
                does: Does::Words(Takes::of(WORDS, keyword::LIMITS), show),
            },
        ],
    ),
};

pub fn set(session: &mut Session, given: &Given) -> Result<Status> {
    if given.is_empty() {
        return Err(nothing_to_set());
    }
    let path_manager = session.path_manager()?;
    let mut limits = given.limits;
    if given.most != 0 {
        limits = with_most(limits, given.most, path_manager.maximum());
    }
    path_manager.set_limits(&limits)?;
    Ok(0)
}

pub fn show(session: &mut Session, _: &Given) -> Result<Status> {
    let found = session.path_manager()?.limits()?;
    let out = &mut session.out;
    out.begin_list("");
    out.begin_record("");
    let accepted = found.add_addr_accepted().map(u64::from);
    out.named_some("add_addr_accepted", accepted);
    out.named_some("subflows", found.subflows().map(u64::from));
    out.end_record();
    out.end_list();
    Ok(0)
}
