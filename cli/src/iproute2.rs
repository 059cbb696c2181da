//! The spelling of iproute2, turned into what argh takes.
//!
//! Options: one dash or two, whole or shortened, matched in the order in
//! which `ip` tests them, so that every abbreviation means the same. The
//! words of commands: shortened, the first that fits.
//!
//! No command is known here: the table of them comes with the [`Caller`].

use crate::error::{status, Error, Kind, Result};
use crate::grammar::{is_dashed, shortens};
use crate::session::{Command, Does, Group};
use crate::text::{self, parse_number};

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
}

impl<'a> Caller<'a> {
    /// From the first word of the command line.
    pub fn new(program: &'a str, commands: &'static [Command]) -> Self {
        Self {
            commands,
            program,
            is_ip: program == "ip",
            object: false,
        }
    }

    /// Whether the object stands before a command.
    pub fn names_object(&self) -> bool {
        self.is_ip || self.object
    }

    /// `Command "X" is unknown, try "ip mptcp help".`
    fn unknown_command(&self, word: &str, known: &[Command]) -> Error {
        let help = match self.object {
            true => " mptcp help",
            false => " help",
        };
        self.unknown("Command", word, help).meant(&|near| {
            for command in known.iter().filter(|command| command.is_present()) {
                near.offer(command.name.as_bytes());
            }
        })
    }

    fn unknown_object(&self, word: &str) -> Error {
        self.unknown("Object", word, " help")
            .with_status(status::FAILED)
            .meant(&|near| near.offer(b"mptcp"))
    }

    /// `help` follows the name of the program where help is to be found.
    fn unknown(&self, what: &str, word: &str, help: &str) -> Error {
        let message = [
            what,
            " \"",
            word,
            "\" is unknown, try \"",
            self.program,
            help,
            "\".",
        ];
        Error::new(Kind::Usage, status::USAGE, &message).about(word)
    }

    fn unknown_option(&self, word: &str) -> Error {
        self.unknown("Option", word, " -help").meant(&|near| {
            let mut rows = OPTIONS;
            while let Some((name, ours, _)) = next_option(&mut rows, "") {
                if ours != NOTHING {
                    near.offer(name.as_bytes());
                }
            }
        })
    }
}

/// The options of `ip` in the order in which it tests them: the name, what it
/// is for argh, and what its value is called if it has one. One text, for a
/// table of three texts a row would be as large again.
const OPTIONS: &str = "\
-loops . loop count
-family . family type
-4 --ipv4
-6 --ipv6
-0 .
-M .
-B .
-human-readable --human-readable
-iec --iec
-stats --stats
-statistics --stats
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
";

/// What an option without effect is for argh.
const NOTHING: &str = ".";

/// Takes the next row of [`OPTIONS`], of those whose name has the same letter
/// as `like` after the dash, or of all where there is none.
fn next_option(
    rows: &mut &'static str,
    like: &str,
) -> Option<(&'static str, &'static str, &'static str)> {
    fn cut(line: &'static str, end: u8) -> (&'static str, &'static str) {
        let (piece, rest) = line
            .split_at_checked(text::find(line.as_bytes(), end))
            .unwrap_or((line, ""));
        (piece, rest.get(1..).unwrap_or(""))
    }
    let letter = like.as_bytes().get(1);
    let row = loop {
        let (row, rest) = cut(rows, b'\n');
        *rows = rest;
        if row.is_empty() || letter.is_none() || row.as_bytes().get(1) == letter {
            break row;
        }
    };
    let (name, row) = cut(row, b' ');
    let (ours, called) = cut(row, b' ');
    (!name.is_empty()).then_some((name, ours, called))
}

/// What a command line asks for.
#[derive(Copy, Clone, Debug)]
pub enum Target<'w, 'a> {
    /// Nothing but options that act by themselves: a batch, the version.
    Options,
    /// How the program is used.
    Usage,
    /// Help for the program.
    Program,
    /// Help for a command, or for an action of the group that stands first.
    Help(Option<&'static Command>, &'static Command),
    /// A command with its words, or an action of the group that stands first.
    Run(Option<&'static Command>, &'static Command, &'w [&'a str]),
}

/// Turns the whole command line, without its first word, into the program's
/// options as argh takes them (`out`) and what is to be done. What had been
/// understood before a mistake is in `out` as well.
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
                    _ => {}
                }
            }
            _ => {
                rest = left.iter();
                break;
            }
        }
    }
    // Like `ip`, a batch takes no notice of a command after the options.
    if batch {
        return Ok(Target::Options);
    }
    command(caller, rest.as_slice())
}

/// Adds one option and returns it, in argh's spelling.
fn option<'a>(
    caller: &Caller,
    word: &'a str,
    rest: &mut core::slice::Iter<&'a str>,
    out: &mut Vec<&'a str>,
) -> Result<&'static str> {
    // A second dash is taken off, once.
    let short = match word.strip_prefix('-') {
        Some(stripped) if is_dashed(stripped) => stripped,
        _ => word,
    };
    let equals = text::find(short.as_bytes(), b'=');
    let name = short.get(..equals).unwrap_or(short);
    let mut rows = OPTIONS;
    let (whole, ours, called) = loop {
        let Some(row) = next_option(&mut rows, short) else {
            break ours(word).ok_or_else(|| caller.unknown_option(short))?;
        };
        if match row {
            (whole @ "-echo", ..) => short == whole,
            (whole @ "-color", ..) => shortens(name, whole),
            (whole, ..) => shortens(short, whole),
        } {
            break row;
        }
    };
    let mut argument = "";
    if !called.is_empty() {
        argument = rest.next().ok_or_else(|| Error::required(called))?;
    }
    if whole == "-family" {
        if argument == "help" {
            return Ok("--help");
        }
        if !["inet", "inet6", "link", "mpls", "bridge"].contains(&argument) {
            return Err(Error::invalid(argument, "invalid protocol family"));
        }
    }
    if whole == "-rcvbuf" && parse_number(argument).is_none() {
        let message = ["Invalid rcvbuf size '", argument, "'"];
        return Err(Error::new(Kind::Argument, status::USAGE, &message).about(argument));
    }
    if ours == "--color" {
        let is_when = |when: &str| ["always", "auto", "never"].contains(&when);
        argument = match (short.get(equals + 1..), rest.as_slice()) {
            // A word of its own, as options mostly have it.
            (None, [when, ..]) if is_when(when) => rest.next().unwrap_or(when),
            (None | Some(""), _) => "always",
            (Some(when), _) => when,
        };
        if !is_when(argument) {
            return Err(caller.unknown_option(short));
        }
    }
    if ours != NOTHING && ours != "--help" {
        let has_value = !called.is_empty() || !argument.is_empty();
        put(out, ours, has_value.then_some(argument));
    }
    Ok(ours)
}

/// Adds an option, or replaces its value: the last one counts. Namespaces are
/// kept, all of them.
fn put<'a>(out: &mut Vec<&'a str>, option: &'static str, value: Option<&'a str>) -> &'static str {
    let present = out.iter().position(|word| *word == option);
    match (present.filter(|_| option != "--netns"), value) {
        (None, _) => {
            out.push(option);
            out.extend(value);
        }
        (Some(at), Some(value)) => {
            if let Some(old) = out.get_mut(at + 1) {
                *old = value;
            }
        }
        (Some(_), None) => {}
    }
    option
}

/// Finds the command that the words name.
fn command<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    let Some((word, rest)) = words.split_first() else {
        return Ok(Target::Usage);
    };
    if is_object(word) {
        return behind_object(caller, rest);
    }
    if caller.is_ip && !is_help(word) && !shortens(word, "help") {
        return Err(caller.unknown_object(word));
    }
    named(caller, word, rest)
}

/// Whether a word is the object `mptcp`, shortened perhaps.
fn is_object(word: &str) -> bool {
    word.len() > 1 && shortens(word, "mptcp")
}

/// Finds the command that the words after the object name.
fn behind_object<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    caller.object = true;
    match words.split_first() {
        Some((word, rest)) => named(caller, word, rest),
        None => Ok(Target::Usage),
    }
}

/// Finds the command of a line of a batch, where `ip` too may leave the object
/// out: the command must be written out there, for `ip` has objects of similar
/// names.
pub fn line<'w, 'a>(caller: &mut Caller, words: &'w [&'a str]) -> Result<Target<'w, 'a>> {
    match words {
        [word, rest @ ..] if is_object(word) => behind_object(caller, rest),
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
        // Whatever follows: it says what it is.
        Does::Absent => return Ok(Target::Run(None, command, rest)),
        _ => {}
    }
    if ask_for_help(rest) {
        return Ok(Target::Help(None, command));
    }
    match rest.first() {
        Some(word) if !is_dashed(word) && !command.takes_file() && !command.takes_keywords() => {
            Err(caller.unknown_command(word, &[]))
        }
        _ => Ok(Target::Run(None, command, rest)),
    }
}

/// The first command that a word shortens.
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

/// What becomes of the file `-`, which argh would take for an option. No word
/// of a command line has a NUL in it.
pub const STANDARD_INPUT: &str = "\0";

/// What stands before a keyword, for argh. No command takes this option.
const KEYWORD: &str = "--keyword";

/// Turns the words of a command that has options into what argh takes.
pub fn options<'a>(command: &Command, words: &[&'a str], out: &mut Vec<&'a str>) -> Result<()> {
    let mut options = true;
    let mut value = false;
    for word in words {
        let word = *word;
        if value {
            value = false;
            out.push(word);
            continue;
        }
        if options && word == "--" {
            options = false;
            out.push(word);
            continue;
        }
        if command.takes_keywords()
            && (!options || !word.starts_with("--"))
            && (!is_dashed(word) || command.names(word))
        {
            out.extend([KEYWORD, word]);
            continue;
        }
        if !options || !is_dashed(word) || word == "-" {
            if !command.takes_file() {
                return Err(unknown_option(command, word));
            }
            out.push(if word == "-" { STANDARD_INPUT } else { word });
            continue;
        }
        // argh takes a value as a word of its own.
        let equals = text::find(word.as_bytes(), b'=');
        let (option, given) = word.split_at_checked(equals).unwrap_or((word, ""));
        let mut pieces = command.words();
        if !option.starts_with("--") || !pieces.any(|piece| piece == option) {
            return Err(unknown_option(command, option));
        }
        out.push(option);
        let takes_value = pieces.next() != Some("]");
        match given.get(1..) {
            Some(given) if takes_value => out.push(given),
            Some(given) => return Err(unknown_option(command, given)),
            None => value = takes_value,
        }
    }
    Ok(())
}

/// The error with the option that was meant, of those that the command takes.
fn unknown_option(command: &Command, word: &str) -> Error {
    let message = ["Error: Unrecognized argument: ", word];
    Error::new(Kind::Usage, status::USAGE, &message)
        .about(word)
        .meant(&|near| {
            for word in command.words().filter(|word| word.starts_with("--")) {
                near.offer(word.as_bytes());
            }
        })
}

/// Whether the program takes this option, in argh's spelling.
pub fn is_program_option(name: &str) -> bool {
    ours(name).is_some()
}

/// The row of an option in argh's spelling, as help has it.
fn ours(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let mut rows = OPTIONS;
    loop {
        let row = next_option(&mut rows, "")?;
        if row.1 == name {
            return Some(row);
        }
    }
}

/// Whether one of the words asks for help.
#[inline(never)]
fn ask_for_help(words: &[&str]) -> bool {
    words.iter().any(|word| is_help(word))
}

/// Whether a word asks for help wherever it stands.
#[inline(always)]
pub fn is_help(word: &str) -> bool {
    is_dashed(word) && asks_for_help(word)
}

#[inline(never)]
fn asks_for_help(word: &str) -> bool {
    matches!(word, "--help" | "-help")
}
