//! `subflow show`, `create`, `delete`, `change`: the rows of actions that are
//! done elsewhere.

use crate::grammar::keyword;
use crate::session::{taking, words, Command, Does, Group};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "subflow",
    about: "Subflows of one connection; with a user-space path manager, open and close them.",
    words: "",
    help: "Example:
  ip-mptcp subflow show token 0x5ca81c12",
    does: Does::Group(ACTIONS),
};

// Of its own: until Rust 1.89 what is borrowed within a variant ends with the statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::SUBFLOW,
    actions: &taking(
        keyword::SUBFLOW,
        [
            #[cfg(feature = "connections")]
            Command {
                name: "show",
                about: "Show one connection and its subflows, as connection show does.",
                words: "token T",
                help: "Example:
  ip-mptcp subflow show token 0x5ca81c12",
                does: words(super::connection::show_asked),
            },
            #[cfg(not(feature = "connections"))]
            crate::session::absent("show", "connections"),
            #[cfg(feature = "user-space")]
            Command {
                name: "create",
                about: "Open a subflow; it exists once monitor reports SF_ESTABLISHED.",
                words:
                    "token T id N from ADDRESS [ dev IF ] to ADDRESS port P [ backup | fullmesh ]",
                help: "Example:
  ip-mptcp subflow create token 0x5ca81c12 id 3 from 10.0.2.1 dev wwan0 \\
      to 192.0.2.2 port 443",
                does: words(super::user_space::create),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("create", "user-space"),
            #[cfg(feature = "user-space")]
            Command {
                name: "delete",
                about: "Close a subflow.",
                words: "token T from ADDRESS port P to ADDRESS port P",
                help: "Example:
  ip-mptcp subflow delete token 0x5ca81c12 from 10.0.2.1 port 40123 \\
      to 192.0.2.2 port 443",
                does: words(super::user_space::delete),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("delete", "user-space"),
            #[cfg(feature = "user-space")]
            Command {
                name: "change",
                about: "Make a subflow a backup, or an ordinary one again (MP_PRIO).",
                words:
                    "token T from ADDRESS [ port P ] to ADDRESS [ port P ] { backup | nobackup }",
                help: "Example:
  ip-mptcp subflow change token 0x5ca81c12 from 10.0.2.1 to 192.0.2.2 backup",
                does: words(super::user_space::change),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("change", "user-space"),
        ],
    ),
};
