//! What commands are made of, and what the commands of a run share.
//!
//! The table of commands is [`crate::command::COMMANDS`]: each command has its
//! row in its own file. Spelling, usage, help and suggestions are given the
//! table and know no command.

use crate::args::{self, Options};
use crate::built;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::keyword::{self, Keyword};
use crate::grammar::{self, Given, Takes};
use crate::kernel::{self, interface, PathManager};
use crate::output::Output;
use crate::text::{among, pieces, take_text};

/// What the commands of a run share.
#[derive(Debug)]
pub struct Session {
    /// The options, without the command.
    pub options: &'static Options,
    /// All commands.
    pub commands: &'static [Command],
    /// Standard output.
    pub out: Output,
    /// It is called as `ip`.
    pub is_ip: bool,
    /// `-rcvbuf`, in bytes.
    pub receive_buffer: Option<u32>,
    /// The commands come from standard input.
    pub batch_input: bool,
    path_manager: Option<PathManager>,
}

impl Session {
    /// Of a run that has these commands.
    pub fn new(commands: &'static [Command]) -> Self {
        Self {
            options: &args::NONE,
            commands,
            out: Output::default(),
            is_ip: false,
            receive_buffer: None,
            batch_input: false,
            path_manager: None,
        }
    }

    /// The path manager: looked up when a command first needs it, and kept for the whole batch.
    pub fn path_manager(&mut self) -> Result<&mut PathManager> {
        self.path_manager_and_output()
            .map(|(path_manager, _)| path_manager)
    }

    /// The path manager, and the output to print what it says.
    pub fn path_manager_and_output(&mut self) -> Result<(&mut PathManager, &mut Output)> {
        if self.path_manager.is_none() {
            self.path_manager = Some(PathManager::open(self.receive_buffer)?);
        }
        match &mut self.path_manager {
            Some(path_manager) => Ok((path_manager, &mut self.out)),
            None => Err(kernel::absent()),
        }
    }

    /// Reads a keyword list. Names of interfaces are looked up as they are met; `-4` and `-6`
    /// before the command count as words of a selector.
    pub fn read(
        &mut self,
        words: &[&str],
        keywords: &'static [Keyword],
        takes: Takes,
        given: &mut Given,
    ) -> Result<()> {
        grammar::parse(words, keywords, takes, given, &mut |name| {
            interface::index(self.path_manager()?.fd(), name, takes.selects())
        })?;
        if takes.selects() {
            given.family_of_options(self.options.ipv4, self.options.ipv6);
        }
        Ok(())
    }

    /// `-rcvbuf`, in bytes.
    pub fn receive_buffer(&self) -> Option<u32> {
        self.receive_buffer
    }
}

/// A command, or an action of one.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it takes after its name, as usage shows it; empty for a group. Options and keywords
    /// that are not listed here are refused.
    pub words: &'static str,
    /// What it does, in one line; then notes and examples. Lines that are too long are broken,
    /// except those that begin with a blank. A line that begins with a tab has a name first,
    /// and its explanation is put beside it.
    pub help: &'static str,
    /// What it does.
    pub does: Does,
}

/// How a command reads its words, and what it does.
#[derive(Debug)]
pub enum Does {
    /// Its first word is an action.
    Group(&'static Group),
    /// They are a keyword list, of which it takes these.
    Words(Takes, fn(&mut Session, &Given) -> Result<Status>),
    /// They are options, which argh has read.
    Options(fn(&mut Session, &Options) -> Result<Status>),
    /// This build does not have it.
    Absent,
}

/// The actions of a command.
#[derive(Debug)]
pub struct Group {
    /// The action that is meant where none is named.
    pub default: &'static str,
    /// The keywords of its actions.
    pub keywords: &'static [Keyword],
    /// In the order in which abbreviations are resolved.
    pub actions: &'static [Command],
}

/// What an action does with its words: those that its usage lists, once [`taking`] has
/// read it.
pub const fn words(run: fn(&mut Session, &Given) -> Result<Status>) -> Does {
    Does::Words(Takes::NOTHING, run)
}

/// Actions that take what their usage lists.
pub const fn taking<const N: usize>(
    keywords: &[Keyword],
    mut actions: [Command; N],
) -> [Command; N] {
    let mut at = 0;
    while at < N {
        if let Does::Words(Takes::NOTHING, run) = actions[at].does {
            actions[at].does = Does::Words(Takes::of(actions[at].words, keywords), run);
        }
        at += 1;
    }
    actions
}

/// The row of a command that is not built in; `feature` would bring it.
pub const fn absent(name: &'static str, feature: &'static str) -> Command {
    Command {
        name,
        words: "",
        help: feature,
        does: Does::Absent,
    }
}

/// Something is not built in; names the feature that would bring it.
#[cold]
pub fn not_built_in(what: &str, feature: &str) -> Error {
    let text = "Error: this ip-mptcp was built without \"%\" (feature ";
    let mut error = Error::naming(Kind::Usage, status::USAGE, text, what);
    error.push(feature.as_bytes());
    error.push(b")");
    error
}

impl Command {
    /// Whether it is built in.
    pub fn is_present(&self) -> bool {
        !matches!(self.does, Does::Absent)
    }

    /// What it does.
    pub fn about(&self) -> &'static str {
        let mut help = self.help;
        take_text(&mut help, b'\n')
    }

    /// Its actions; none if it is not a group.
    pub fn actions(&self) -> &'static [Command] {
        match self.does {
            Does::Group(group) => group.actions,
            _ => &[],
        }
    }

    /// Whether it takes the name of a file: the last word of its usage, or the only one
    /// in the last brackets.
    pub fn takes_file(&self) -> bool {
        // Only state files are named so.
        built::STATE && (self.words.ends_with("FILE") || self.words.ends_with("[ FILE ]"))
    }

    /// Whether this option has a value; `None` if the command does not take it.
    pub fn option(&self, name: &str) -> Option<bool> {
        let mut words = self.words();
        if !name.starts_with("--") || !words.any(|word| word == name) {
            return None;
        }
        Some(words.next() != Some("]"))
    }

    /// The keywords that it takes among its options; none if it takes a file.
    pub fn keywords(&self) -> &'static [Keyword] {
        match self.does {
            Does::Options(_)
                if built::CONNECTIONS && !self.takes_file() && self.names("ADDRESS") =>
            {
                keyword::CONNECTION
            }
            _ => &[],
        }
    }

    /// Whether its usage names this word.
    pub fn names(&self, word: &str) -> bool {
        among(self.words, word)
    }

    /// The pieces of its usage.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        pieces(self.words)
    }
}
