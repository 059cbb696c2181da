//! `limits set`, `limits show`.

use mptcp_codec::mptcp::Limits;

use crate::error::{Result, Status};
use crate::grammar::keyword;
use crate::grammar::{limits, Words};
use crate::session::Session;
use crate::session::{Command, Does, Group};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "limits",
    about: "How many subflows and announced addresses a connection may have.",
    words: "",
    help: "Example:
  ip-mptcp limits set subflows 4 add_addr_accepted 4",
    does: Does::Group(ACTIONS),
};

// Of its own: until Rust 1.89 what is borrowed within a variant ends with the statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::LIMITS,
    actions: &[
        // First, because `s` means it.
        Command {
            name: "set",
            about: "Set limits; what is not named stays.",
            words: "[ subflows N ] [ add_addr_accepted N ]",
            help: "N may be max, the most that this kernel allows.

Example:
  ip-mptcp limits set subflows 4 add_addr_accepted 4",
            does: Does::Words(set),
        },
        Command {
            name: "show",
            about: "Show the limits.",
            words: "",
            help: "Example:
  ip-mptcp -j limits show",
            does: Does::Words(show),
        },
    ],
};

pub fn set(session: &mut Session, words: &[&str]) -> Result<Status> {
    let (mut given, mut most) = (Limits::EMPTY, 0);
    limits::parse_some(words, &mut given, &mut most)?;
    let path_manager = session.path_manager()?;
    if most != 0 {
        given = limits::with_most(given, most, path_manager.maximum());
    }
    path_manager.set_limits(&given)?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<Status> {
    // Limits after `show` mean nothing, but `ip` takes them.
    limits::parse(Words::new(words), &mut Limits::default(), &mut 0)?;
    let found = session.path_manager()?.limits()?;
    let out = &mut session.out;
    if out.style.json {
        out.begin_array("");
        out.begin_object("");
    }
    for (name, _, value) in limits::each(&found) {
        if let Some(value) = value {
            out.named_number(name, value.into());
        }
    }
    if out.style.json {
        out.end_object();
        out.end_array();
    } else {
        out.end_line();
    }
    Ok(0)
}
