//! `limits set`, `limits show`.

use mptcp_codec::mptcp::Limits;

use crate::error::{Result, Status};
use crate::grammar::keyword;
use crate::grammar::limits::{self, LimitWords};
use crate::grammar::Words;
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
            help: "Example:
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
    let mut said = LimitWords::default();
    limits::parse_some(words, &mut said)?;
    session
        .path_manager()?
        .set_limits(&said.over(Limits::EMPTY))?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut limits = LimitWords::default();
    // Limits behind `show` mean nothing, but `ip` takes them.
    limits::parse(Words::new(words), &mut limits)?;
    limits = LimitWords::of(&session.path_manager()?.limits()?);
    let out = &mut session.out;
    if out.style.json {
        out.begin_array("");
        out.begin_object("");
    }
    if let Some(number) = limits.add_addr_accepted {
        out.named_number("add_addr_accepted", number.into());
    }
    if let Some(number) = limits.subflows {
        out.named_number("subflows", number.into());
    }
    if out.style.json {
        out.end_object();
        out.end_array();
    } else {
        out.end_line();
    }
    Ok(0)
}
