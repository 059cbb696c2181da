//! The spelling of iproute2, turned into what argh takes.
//!
//! Options: one dash or two, whole or shortened, matched in the order in
//! which `ip` tests them, so that every abbreviation means the same. The
//! words of commands: shortened, the first that fits.

use argh::SubCommands;

use crate::args::{self, Action, Group};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::{is_dashed, shortens};
use crate::near::Near;
use crate::text::{find, parse_number};

/// How the program was called: the words that messages name it by.
#[derive(Copy, Clone, Debug)]
pub struct Caller<'a> {
    /// The program: `ip` or the name of the file.
    pub program: &'a str,
    /// It is called as `ip`: the object `mptcp` must be named.
    pub is_ip: bool,
    /// The object was named.
    pub object: bool,
}

impl<'a> Caller<'a> {
    /// From the first word of the command line.
    pub fn new(argv0: &'a str) -> Self {
        let program = behind_last(b'/', argv0);
        Self {
            program,
            is_ip: program == "ip",
            object: false,
        }
    }

    /// What help calls the program.
    pub fn name(&self) -> String {
        let object = if self.is_ip || self.object {
            " mptcp"
        } else {
            ""
        };
        [self.program, object].concat()
    }

    /// `Command "X" is unknown, try "ip mptcp help".`
    fn unknown_command(&self, word: &str, known: &dyn Fn(&mut Near)) -> Error {
        let help = match self.object {
            true => " mptcp help",
            false => " help",
        };
        self.unknown("Command", word, help).meant(known)
    }

    fn unknown_object(&self, word: &str) -> Error {
        self.unknown("Object", word, " help")
            .with_status(status::FAILED)
            .meant(&|near| near.offer(b"mptcp"))
    }

    /// `help` is behind the name of the program where help is to be found.
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

/// What stands behind the last such byte, or all where there is none.
fn behind_last(byte: u8, text: &str) -> &str {
    let last = text.bytes().rposition(|b| b == byte);
    text.get(last.map_or(0, |at| at + 1)..).unwrap_or(text)
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
/// as `like` behind the dash, or of all where there is none.
fn next_option(
    rows: &mut &'static str,
    like: &str,
) -> Option<(&'static str, &'static str, &'static str)> {
    fn cut(text: &'static str, end: u8) -> (&'static str, &'static str) {
        let (piece, rest) = text
            .split_at_checked(find(text.as_bytes(), end))
            .unwrap_or((text, ""));
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
    /// Nothing but options: one that acts at once, a batch, or no command.
    Options,
    /// A command with options of its own, which argh reads.
    Command,
    /// An action with its keyword list.
    Action(&'static Action, &'w [&'a str]),
    /// Help for a group, or for one action of it.
    Help(&'static Group, Option<&'static Action>),
}

/// Words as argh takes them.
#[derive(Debug, Default)]
pub struct Spelled<'a> {
    /// The options in front of the command.
    pub options: Vec<&'a str>,
    /// A command with options of its own: its name, and what follows.
    pub command: Vec<&'a str>,
}

/// Turns the whole command line, without its first word, into what argh takes
/// (`out`) and the rest. What had been understood before a mistake is in
/// `out` as well.
pub fn spell<'w, 'a>(
    caller: &mut Caller,
    words: &'w [&'a str],
    out: &mut Spelled<'a>,
) -> Result<Target<'w, 'a>> {
    let mut rest = words.iter();
    let mut batch = false;
    loop {
        let left = rest.as_slice();
        match rest.next() {
            Some(&"--") => break,
            Some(word) if is_dashed(word) => {
                match option(caller, word, &mut rest, &mut out.options)? {
                    // These act at once, whatever follows.
                    "--version" | "--help" => return Ok(Target::Options),
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
    // Like `ip`, a batch takes no notice of a command behind the options.
    if batch {
        return Ok(Target::Options);
    }
    command(caller, rest.as_slice(), out)
}

/// Adds one option and tells which, in argh's spelling.
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
    let equals = find(short.as_bytes(), b'=');
    let name = short.get(..equals).unwrap_or(short);
    let mut rows = OPTIONS;
    let (whole, ours, called) = loop {
        let Some(row) = next_option(&mut rows, short) else {
            return Err(caller.unknown_option(short));
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
            return Ok(put(out, "--help", None));
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
        argument = match short.get(equals + 1..) {
            None | Some("") => "always",
            Some(when) => when,
        };
        if !["always", "auto", "never"].contains(&argument) {
            return Err(caller.unknown_option(short));
        }
    }
    if ours != NOTHING {
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
fn command<'w, 'a>(
    caller: &mut Caller,
    words: &'w [&'a str],
    out: &mut Spelled<'a>,
) -> Result<Target<'w, 'a>> {
    let Some((word, rest)) = words.split_first() else {
        return Ok(Target::Options);
    };
    if is_object(word) {
        return behind_object(caller, rest, out);
    }
    if caller.is_ip && !is_help(word) && !shortens(word, "help") {
        return Err(caller.unknown_object(word));
    }
    named(caller, word, rest, out)
}

/// Whether a word is the object `mptcp`, shortened perhaps.
fn is_object(word: &str) -> bool {
    word.len() > 1 && shortens(word, "mptcp")
}

/// Finds the command that the words behind the object name.
fn behind_object<'w, 'a>(
    caller: &mut Caller,
    words: &'w [&'a str],
    out: &mut Spelled<'a>,
) -> Result<Target<'w, 'a>> {
    caller.object = true;
    match words.split_first() {
        Some((word, rest)) => named(caller, word, rest, out),
        None => Err(usage(caller)),
    }
}

/// Finds the command of a line of a batch, where `ip` too may leave the object
/// out: the command must be written out there, for `ip` has objects of similar
/// names.
pub fn line<'w, 'a>(
    caller: &mut Caller,
    words: &'w [&'a str],
    out: &mut Spelled<'a>,
) -> Result<Target<'w, 'a>> {
    match words {
        [word, rest @ ..] if is_object(word) => behind_object(caller, rest, out),
        [word, rest @ ..] if find_command(&mut |name| name == *word).is_some() => {
            named(caller, word, rest, out)
        }
        _ => command(caller, words, out),
    }
}

fn named<'w, 'a>(
    caller: &Caller,
    word: &'a str,
    rest: &'w [&'a str],
    out: &mut Spelled<'a>,
) -> Result<Target<'w, 'a>> {
    if let Some(group) = args::GROUPS.iter().find(|group| shortens(word, group.name)) {
        return action(caller, group, rest);
    }
    if is_help(word) {
        out.options.push("--help");
        return Ok(Target::Options);
    }
    if shortens(word, "help") {
        return Err(usage(caller));
    }
    let Some(command) = find_command(&mut |name| shortens(word, name)) else {
        return Err(caller.unknown_command(word, &|near| {
            find_command(&mut |name| {
                near.offer(name.as_bytes());
                false
            });
        }));
    };
    let out = &mut out.command;
    out.push(command);
    if ask_for_help(rest) {
        out.push("--help");
        return Ok(Target::Command);
    }
    let takes_file = ["save", "apply", "watch"].contains(&command);
    if let Some(word) = rest.first().filter(|word| !is_dashed(word)) {
        if !takes_file {
            return Err(caller.unknown_command(word, &|_| ()));
        }
    }
    let mut options = true;
    for word in rest {
        options &= *word != "--";
        match *word {
            "-" if takes_file => out.push(STANDARD_INPUT),
            // argh takes a value as a word of its own.
            word => match word.split_once('=') {
                Some((option, value)) if options && option.starts_with("--") => {
                    out.extend([option, value]);
                }
                _ => out.push(word),
            },
        }
    }
    Ok(Target::Command)
}

/// What becomes of the file `-`, which argh would take for an option. No word
/// of a command line has a NUL in it.
pub const STANDARD_INPUT: &str = "\0";

/// Finds the action of a group that the words name.
fn action<'w, 'a>(
    caller: &Caller,
    group: &'static Group,
    words: &'w [&'a str],
) -> Result<Target<'w, 'a>> {
    let (word, rest) = match words.split_first() {
        Some((word, _)) if is_help(word) => return Ok(Target::Help(group, None)),
        Some((word, rest)) => (*word, rest),
        None => (group.default, words),
    };
    let action = group
        .actions
        .iter()
        .find(|action| shortens(word, action.name));
    match action {
        None => Err(caller.unknown_command(word, &|near| {
            for action in group.actions {
                near.offer(action.name.as_bytes());
            }
        })),
        Some(action) if ask_for_help(rest) => Ok(Target::Help(group, Some(action))),
        Some(action) => Ok(Target::Action(action, rest)),
    }
}

/// The first command whose name fits: groups come first, also among
/// abbreviations.
fn find_command(fits: &mut dyn FnMut(&'static str) -> bool) -> Option<&'static str> {
    for group in args::GROUPS {
        if fits(group.name) {
            return Some(group.name);
        }
    }
    for command in args::Command::COMMANDS {
        if fits(command.name) {
            return Some(command.name);
        }
    }
    None
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

/// How the program is used, as an answer to a command line that is none.
pub fn usage(caller: &Caller) -> Error {
    let object = if caller.is_ip { " mptcp" } else { "" };
    let mut error = Error::new(Kind::Usage, status::USAGE, &["Usage:"]);
    let start = ["\n  ", caller.program, object, " [ OPTIONS ] "].concat();
    for group in args::GROUPS {
        for action in group.actions {
            push_all(
                &mut error,
                &[&start, group.name, " ", action.name, " ", action.words],
            );
        }
    }
    for command in args::Command::COMMANDS {
        push_all(&mut error, &[&start, command.name]);
    }
    push_all(
        &mut error,
        &[
            &start,
            "help\n\nTry \"",
            caller.program,
            object,
            " --help\".",
        ],
    );
    error
}

fn push_all(error: &mut Error, pieces: &[&str]) {
    for piece in pieces {
        error.push(piece.as_bytes());
    }
}

/// Help for a group of actions, or for one of them.
pub fn help(caller: &Caller, group: &Group, action: Option<&Action>) -> String {
    let name = caller.name();
    let mut text = ["Usage: ", &name, " ", group.name, " "].concat();
    let mut say = |pieces: &[&str]| {
        for piece in pieces {
            text.push_str(piece);
        }
    };
    let words = ["\nWords:\n", group.words];
    if let Some(action) = action {
        say(&[action.name, " ", action.words, "\n\n", action.about, "\n"]);
        if !action.words.is_empty() {
            say(&words);
        }
        say(&["\n", action.help, "\n"]);
        return text;
    }
    say(&["ACTION ...\n\n", group.about, "\n\n"]);
    say(&["Actions:\n"]);
    for action in group.actions {
        say(&[
            "  ",
            action.name,
            " ",
            action.words,
            "\n      ",
            action.about,
            "\n",
        ]);
    }
    say(&words);
    // Each help ends with an example; that of the first action serves.
    let first = group.actions.first().map_or("", |action| action.help);
    say(&["\nExample:\n", behind_last(b'\n', first), "\n"]);
    text
}

/// Adds the commands to the help that argh makes of the options.
pub fn help_for_commands(text: &mut String) {
    text.insert_str(find(text.as_bytes(), b'\n'), " COMMAND ...");
    text.push_str("\nCommands:\n");
    let mut say = |name: &str, about: &str| {
        text.push_str("  ");
        text.push_str(name);
        for _ in name.len()..18 {
            text.push(' ');
        }
        text.push_str(about);
        text.push('\n');
    };
    for group in args::GROUPS {
        say(group.name, group.about);
    }
    for command in args::Command::COMMANDS {
        say(command.name, command.description);
    }
}
