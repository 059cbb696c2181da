//! `subflow show`, `create`, `delete`, `change`: the rows of actions whose functions are
//! elsewhere.

use crate::grammar::keyword;
use crate::session::{taking, words, Command, Does, Group};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "subflow",
    words: "",
    help: "Subflows of one connection; with a user-space path manager, open and close them.\n\
           Example:
  ip-mptcp subflow show token 0x5ca81c12",
    does: Does::Group(ACTIONS),
};

// A constant of its own: until Rust 1.89 a temporary within an enum variant dies with its
// statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::SUBFLOW,
    actions: &taking(
        keyword::SUBFLOW,
        [
            #[cfg(feature = "connections")]
            Command {
                name: "show",
                words: "token T",
                help: "Show one connection and its subflows, as connection show does.\n\
                       Example:
  ip-mptcp subflow show token 0x5ca81c12",
                does: words(super::connection::show_one),
            },
            #[cfg(not(feature = "connections"))]
            crate::session::absent("show", "connections"),
            #[cfg(feature = "user-space")]
            Command {
                name: "create",
                words:
                    "token T id N from ADDRESS [ dev IF ] to ADDRESS port P [ backup | fullmesh ]",
                help: "Open a subflow; it exists once monitor reports SF_ESTABLISHED.\n\
                       Example:
  ip-mptcp subflow create token 0x5ca81c12 id 3 from 10.0.2.1 dev wwan0 \\
      to 192.0.2.2 port 443",
                does: words(super::user_space::create),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("create", "user-space"),
            #[cfg(feature = "user-space")]
            Command {
                name: "delete",
                words: "token T from ADDRESS port P to ADDRESS port P",
                help: "Close a subflow.\n\
                       Example:
  ip-mptcp subflow delete token 0x5ca81c12 from 10.0.2.1 port 40123 \\
      to 192.0.2.2 port 443",
                does: words(super::user_space::delete),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("delete", "user-space"),
            #[cfg(feature = "user-space")]
            Command {
                name: "change",
                words:
                    "token T from ADDRESS [ port P ] to ADDRESS [ port P ] { backup | nobackup }",
                help: "Make a subflow a backup, or an ordinary one again (MP_PRIO).\n\
                       Example:
  ip-mptcp subflow change token 0x5ca81c12 from 10.0.2.1 to 192.0.2.2 backup",
                does: words(super::user_space::change),
            },
            #[cfg(not(feature = "user-space"))]
            crate::session::absent("change", "user-space"),
        ],
    ),
};
