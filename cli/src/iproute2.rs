//! The spelling of iproute2, turned into what argh takes.
//!
//! Options: one dash or two, whole or shortened, matched in the order in
//! which `ip` tests them, so that every abbreviation means the same. The
//! words of commands: shortened, the first that fits.
//!
//! No command is known here: the table of them comes with the [`Caller`].

use crate::built;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::{is_dashed, shortens};
use crate::session::{Command, Does, Group};
use crate::text::{among, joined, joined_len, parse_number, take_text};

/// How the program was called: the words that messages name it by.
#[derive(Copy, Clone, Debug)]
pub struct Caller<'a> {
    /// The table of commands. The order decides between abbreviations: the
    /// first that begins so is meant.
    pub commands: &'static [Command],
    /// The program: `ip` or the name of the file.
    pub program: &'a str,
    /// It is called as `ip`: the object `mptcp` must be named.
    pub is_ip: bool,
    /// The object was named.
    pub object: bool,
    /// Options ask for JSON.
    pub json: bool,
}

impl<'a> Caller<'a> {
    /// From the first word of the command line.
    pub fn new(program: &'a str, commands: &'static [Command]) -> Self {
        Self {
            commands,
            program,
            is_ip: program == "ip",
            object: false,
            json: false,
        }
    }

    /// Whether the object comes before a command.
    pub fn names_object(&self) -> bool {
        self.is_ip || self.object
    }

    /// `Command "X" is unknown, try "ip mptcp help".`
    fn unknown_command(&self, word: &str, known: &[Command]) -> Error {
        let help = match self.object {
            true => " mptcp help\".",
            false => " help\".",
        };
        let text = "Command \"%\" is unknown, try \"";
        self.unknown(text, word, help).meant(&|near| {
            for command in known.iter().filter(|command| command.is_present()) {
                near.offer(command.name.as_bytes());
            }
        })
    }

    fn unknown_object(&self, word: &str) -> Error {
        let text = "Object \"%\" is unknown, try \"";
        self.unknown(text, word, " help\".")
            .with_status(status::FAILED)
            .meant(&|near| near.offer(b"mptcp"))
    }

    /// `text` names the word, `help` is what follows the program's name after it.
    fn unknown(&self, text: &str, word: &str, help: &str) -> Error {
        let mut error = Error::naming(Kind::Usage, status::USAGE, text, word);
        error.push(self.program.as_bytes());
        error.push(help.as_bytes());
        error
    }

    fn unknown_option(&self, word: &str) -> Error {
        let text = "Option \"%\" is unknown, try \"";
        self.unknown(text, word, " -help\".").meant(&|near| {
            let mut row = Row::BEFORE_ALL;
            while row.next("") {
                if row.ours != NOTHING {
                    near.offer(row.name.as_bytes());
                }
            }
        })
    }
}

/// The options of `ip` in the order in which it tests them: the name, argh's name for it,
/// and the name of its value if it has one. One text, as a table with three slices a row
/// would double the size.
pub const OPTIONS: &str = {
    const TEXT: [u8; joined_len(ROWS)] = joined(ROWS);
    match core::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

const ROWS: &[&str] = &[
    "\
-loops . loop count
-family . family type
-4 --ipv4
-6 --ipv6
-0 .
-M .
-B .
-human-readable ",
    built_in("--human-readable", HAS_AMOUNTS),
    "\n-iec ",
    built_in("--iec", HAS_AMOUNTS),
    "\n-stats ",
    built_in("--stats", built::CONNECTIONS),
    "\n-statistics ",
    built_in("--stats", built::CONNECTIONS),
    "
-details .
-resolve .
-oneline --oneline
-timestamp --timestamp
-tshort --tshort
-Version --version
-force --force
-batch --batch batch file
-brief .
-json --json
-pretty --pretty
-rcvbuf --rcvbuf rcvbuf size
-color --color
-help --help
-netns --netns network namespace
-Numeric .
-all .
-echo .
-answer --answer
",
];

/// Whether a command of this build prints amounts.
const HAS_AMOUNTS: bool = built::HEALTH || built::CONNECTIONS;

/// Argh's name for an option that not every build has.
const fn built_in(ours: &str, has: bool) -> &str {
    if has {
        ours
    } else {
        NOTHING
    }
}

/// Stands for argh's name where an option has no effect.
const NOTHING: &str = ".";

/// A row of [`OPTIONS`].
struct Row {
    /// The name in `ip`.
    name: &'static str,
    /// The name for argh.
    ours: &'static str,
    /// The name of the value; empty if there is none.
    called: &'static str,
    // The rows after it.
    rest: &'static str,
}

impl Row {
    const BEFORE_ALL: Self = Self {
        name: "",
        ours: "",
        called: "",
        rest: OPTIONS,
    };

    /// Moves on to the next row whose name has the same letter after the dash as `like`, or to
    /// the next of all if that has none; false after the last.
    fn next(&mut self, like: &str) -> bool {
        let letter = like.as_bytes().get(1);
        loop {
            let mut row = take_text(&mut self.rest, b'\n');
            if row.is_empty() {
                return false;
            }
            if letter.is_none() || row.as_bytes().get(1) == letter {
                self.name = take_text(&mut row, b' ');
                self.ours = take_text(&mut row, b' ');
                self.called = row;
                return true;
            }
        }
    }

    /// Moves on to the row of an option in argh's spelling, if there is one.
    fn find(&mut self, ours: &str) -> bool {
        *self = Self::BEFORE_ALL;
        while self.next("") {
            if self.ours == ours {
                return true;
            }
        }
        false
    }
}

/// What a command line asks for.
#[derive(Copy, Clone, Debug)]
pub enum Target<'w, 'a> {
    /// Only options that act by themselves: a batch, the version.
    Options,
    /// How the program is used.
    Usage,
    /// Help for the program.
    Program,
    /// Help for a command, or for an action of the group that comes first.
    Help(Option<&'static Command>, &'static Command),
    /// A command with its words, or an action of the group that comes first.
    Run(Option<&'static Command>, &'static Command, &'w [&'a str]),
}

/// Turns the whole command line, without its first word, into the program's options as argh
/// takes them (`out`) and the target. `out` also has what was understood before a mistake.
pub fn spell<'w, 'a>(
    caller: &mut Caller,
    words: &'w [&'a str],
    out: &mut Vec<&'a str>,
) -> Result<Target<'w, 'a>> {
    let mut rest = words.iter();
    let mut batch = false;
    loop {
        let left = rest.as_slice();
        match rest.next() {
            Some(&"--") => break,
            Some(word) if is_dashed(word) => {
                match option(caller, word, &mut rest, out)? {
                    // These act at once, whatever follows.
                    "--version" => return Ok(Target::Options),
                    "--help" => return Ok(Target::Program),
                    "--batch" => batch = true,
                    "--json" => caller.json = true,
                    _ => {}
                }
            }
            _ => {
                rest = left.iter();
                break;
            }
        }
    }
    // As with `ip`, a batch ignores a command after the options.
    if batch {
        return Ok(Target::Options);
    }
    command(caller, rest.as_slice())
}

/// Adds one option and returns it, in argh's spelling.
#[inline(never)]
fn option<'a>(
    caller: &Caller,
    word: &'a str,
    rest: &mut core::slice::Iter<&'a str>,
    out: &mut Vec<&'a str>,
) -> Result<&'static str> {
    // One second dash is stripped.
    let short = match word.strip_prefix('-') {
        Some(stripped) if is_dashed(stripped) => stripped,
        _ => word,
    };
    let mut when = short;
    let name = take_text(&mut when, b'=');
    let mut row = Row::BEFORE_ALL;
    let mut found = false;
    while !found && row.next(short) {
        let begun = if row.name == "-color" { name } else { short };
        found = shortens(begun, row.name) && (row.name != "-echo" || short == row.name);
    }
    if !found && !row.find(word) {
        return Err(caller.unknown_option(short));
    }
    let mut argument = "";
    if !row.called.is_empty() {
        argument = rest.next().ok_or_else(|| Error::required(row.called))?;
    }
    if row.name == "-family" {
        if argument == "help" {
            return Ok("--help");
        }
        if !among("inet inet6 link mpls bridge", argument) {
            return Err(Error::invalid(argument, "invalid protocol family"));
        }
    }
    if row.name == "-rcvbuf" && parse_number(argument).is_none() {
        let text = "Invalid rcvbuf size '%'";
        return Err(Error::naming(Kind::Argument, status::USAGE, text, argument));
    }
    if row.name == "-color" {
        const WHEN: &str = "always auto never";
        argument = match (when, rest.as_slice()) {
            // A word of its own, as options mostly have it.
            ("", [when, ..]) if name == short && among(WHEN, when) => rest.next().unwrap_or(when),
            ("", _) => "always",
            _ => when,
        };
        if !among(WHEN, argument) {
            return Err(caller.unknown_option(short));
        }
    }
    if row.ours != NOTHING && row.ours != "--help" {
        out.push(row.ours);
        if !row.called.is_empty() || !argument.is_empty() {
            out.push(argument);
        }
    }
    Ok(row.ours)
}

/// Finds the command that the words name.
fn command<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    let Some((word, rest)) = words.split_first() else {
        return Ok(Target::Usage);
    };
    if is_object(word) {
        return after_object(caller, rest);
    }
    if caller.is_ip && !is_help(word) && !shortens(word, "help") {
        return Err(caller.unknown_object(word));
    }
    named(caller, word, rest)
}

/// Whether a word is the object `mptcp`, or short for it.
fn is_object(word: &str) -> bool {
    word.len() > 1 && shortens(word, "mptcp")
}

/// Finds the command that the words after the object name.
fn after_object<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    caller.object = true;
    match words.split_first() {
        Some((word, rest)) => named(caller, word, rest),
        None => Ok(Target::Usage),
    }
}

/// Finds the command of a line of a batch, where the object may be left out with `ip` too:
/// the command must then be written in full, as `ip` has objects with similar names.
pub fn line<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    match words {
        [word, rest @ ..] if is_object(word) => after_object(caller, rest),
        [word, rest @ ..] if caller.commands.iter().any(|command| command.name == *word) => {
            named(caller, word, rest)
        }
        _ => command(caller, words),
    }
}

fn named<'w, 'a>(caller: &Caller, word: &'a str, rest: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    if is_help(word) {
        return Ok(Target::Program);
    }
    let command = find(caller.commands, word);
    // Groups come first, also among abbreviations.
    if command.is_none_or(|command| command.actions().is_empty()) && shortens(word, "help") {
        return Ok(Target::Usage);
    }
    let Some(command) = command else {
        return Err(caller.unknown_command(word, caller.commands));
    };
    match command.does {
        Does::Group(group) => return action(caller, command, group, rest),
        // Whatever follows: the error says that it is not built in.
        Does::Absent => return Ok(Target::Run(None, command, rest)),
        _ => {}
    }
    if ask_for_help(rest) {
        return Ok(Target::Help(None, command));
    }
    match rest.first() {
        Some(word)
            if !is_dashed(word) && !command.takes_file() && command.keywords().is_empty() =>
        {
            Err(caller.unknown_command(word, &[]))
        }
        _ => Ok(Target::Run(None, command, rest)),
    }
}

/// The first command that a word abbreviates.
fn find(commands: &'static [Command], word: &str) -> Option<&'static Command> {
    commands.iter().find(|command| shortens(word, command.name))
}

/// Finds the action of a group that the words name.
fn action<'w, 'a>(
    caller: &Caller,
    command: &'static Command,
    group: &'static Group,
    words: &'w [&'a str],
) -> Result<Target<'w, 'a>> {
    let (word, rest) = match words.split_first() {
        Some((word, _)) if is_help(word) => return Ok(Target::Help(None, command)),
        Some((word, rest)) => (*word, rest),
        None => (group.default, words),
    };
    match find(group.actions, word) {
        None => Err(caller.unknown_command(word, group.actions)),
        Some(action) if action.is_present() && ask_for_help(rest) => {
            Ok(Target::Help(Some(command), action))
        }
        Some(action) => Ok(Target::Run(Some(command), action, rest)),
    }
}

/// Replaces the file `-`, which argh would take for an option. No word of a command line
/// contains a NUL.
pub const STANDARD_INPUT: &str = "\0";

/// Put before a keyword, for argh. No command takes this option.
const KEYWORD: &str = "--keyword";

/// Turns the words of a command that has options into what argh takes.
pub fn options<'a>(command: &Command, words: &[&'a str], out: &mut Vec<&'a str>) -> Result<()> {
    let has_keywords = !command.keywords().is_empty();
    let mut options = true;
    let mut value = false;
    for word in words {
        let mut word = *word;
        if value || options && word == "--" {
            options &= value;
            value = false;
        } else if has_keywords
            && !(options && word.starts_with("--"))
            && (!is_dashed(word) || command.names(word))
        {
            out.push(KEYWORD);
        } else if !options || !is_dashed(word) || word == "-" {
            if !command.takes_file() {
                return Err(unknown_option(command, word));
            }
            if word == "-" {
                word = STANDARD_INPUT;
            }
        } else {
            // argh takes a value as a word of its own.
            let mut given = word;
            let option = take_text(&mut given, b'=');
            let Some(takes_value) = command.option(option) else {
                return Err(unknown_option(command, option));
            };
            if option == word {
                value = takes_value;
            } else if takes_value {
                out.push(option);
                word = given;
            } else {
                return Err(unknown_option(command, given));
            }
        }
        out.push(word);
    }
    Ok(())
}

/// The error with the option that was meant, of those that the command takes.
fn unknown_option(command: &Command, word: &str) -> Error {
    let text = "Error: Unrecognized argument: ";
    Error::naming(Kind::Usage, status::USAGE, text, word).meant(&|near| {
        for word in command.words().filter(|word| word.starts_with("--")) {
            near.offer(word.as_bytes());
        }
    })
}

/// Whether the program takes this option, in argh's spelling.
pub fn is_program_option(name: &str) -> bool {
    let mut row = Row::BEFORE_ALL;
    row.find(name)
}

/// Names all options that are accepted and have no effect.
pub fn each_without_effect(each: &mut dyn FnMut(&'static str)) {
    let mut row = Row::BEFORE_ALL;
    while row.next("") {
        if row.ours == NOTHING {
            each(row.name);
        }
    }
}

/// Whether one of the words asks for help.
fn ask_for_help(words: &[&str]) -> bool {
    words.iter().any(|word| is_help(word))
}

/// Whether a word asks for help wherever it stands.
#[inline(always)]
pub fn is_help(word: &str) -> bool {
    is_dashed(word) && asks_for_help(word)
}

fn asks_for_help(word: &str) -> bool {
    matches!(word, "--help" | "-help")
}
