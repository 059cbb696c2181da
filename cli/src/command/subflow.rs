//! `subflow show`, `create`, `delete`, `change`.

use super::connection;
use super::user_space::{ask, read};
use crate::error::{Result, Status};
use crate::grammar::connection::ConnectionWords;
use crate::grammar::keyword;
use crate::grammar::path::PathWords;
use crate::grammar::takes;
use crate::kernel::PathManager;
use crate::session::Session;
use crate::session::{Command, Does, Group};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "subflow",
    about: "Subflows of one connection; with a user-space path manager, open and close them.",
    words: "",
    help: "Example:
  ip-mptcp subflow show token 0x5ca81c12",
    does: Does::Group(&Group {
        default: "show",
        keywords: keyword::SUBFLOW,
        actions: &[
            Command {
                name: "show",
                about: "Show one connection and its subflows, as connection show does.",
                words: "token T",
                help: "Example:
  ip-mptcp subflow show token 0x5ca81c12",
                does: Does::Words(show),
            },
            Command {
                name: "create",
                about: "Open a subflow; it is there when monitor tells of SF_ESTABLISHED.",
                words:
                    "token T id N from ADDRESS [ dev IF ] to ADDRESS port P [ backup | fullmesh ]",
                help: "Example:
  ip-mptcp subflow create token 0x5ca81c12 id 3 from 10.0.2.1 dev wwan0 \\
      to 192.0.2.2 port 443",
                does: Does::Words(create),
            },
            Command {
                name: "delete",
                about: "Close a subflow.",
                words: "token T from ADDRESS port P to ADDRESS port P",
                help: "Example:
  ip-mptcp subflow delete token 0x5ca81c12 from 10.0.2.1 port 40123 \\
      to 192.0.2.2 port 443",
                does: Does::Words(delete),
            },
            Command {
                name: "change",
                about: "Make a subflow a backup, or an ordinary one again (MP_PRIO).",
                words:
                    "token T from ADDRESS [ port P ] to ADDRESS [ port P ] { backup | nobackup }",
                help: "Example:
  ip-mptcp subflow change token 0x5ca81c12 from 10.0.2.1 to 192.0.2.2 backup",
                does: Does::Words(change),
            },
        ],
    }),
};

pub fn show(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = PathWords::default();
    read(session, words, 0, &mut said)?;
    let said = ConnectionWords {
        token: said[0].token,
        ..ConnectionWords::default()
    };
    connection::list(session, &said)
}

pub fn create(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::ID | takes::PORT | takes::DEV | takes::FLAGS;
    ask(session, words, takes, PathManager::create_subflow)
}

pub fn delete(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT;
    ask(session, words, takes, PathManager::destroy_subflow)
}

pub fn change(session: &mut Session, words: &[&str]) -> Result<Status> {
    let takes = takes::ENDS | takes::PORT | takes::FLAGS;
    ask(session, words, takes, PathManager::set_subflow_flags)
}
