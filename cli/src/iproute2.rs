//! The spelling of iproute2, turned into what argh takes.
//!
//! Options: one dash or two, whole or shortened, matched in the order in
//! which `ip` tests them, so that every abbreviation means the same. The
//! words of commands: shortened, the first that fits.

use argh::{CommandInfo, SubCommands};

use crate::args;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::shortens;

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
        let program = argv0.rsplit('/').next().unwrap_or(argv0);
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
    pub fn unknown_command(&self, word: &str) -> Error {
        let object = if self.object { " mptcp" } else { "" };
        unknown("Command", word, &[self.program, object, " help"])
    }

    fn unknown_object(&self, word: &str) -> Error {
        unknown("Object", word, &[self.program, " help"]).with_status(status::FAILED)
    }

    fn unknown_option(&self, word: &str) -> Error {
        unknown("Option", word, &[self.program, " -help"])
    }
}

fn unknown(what: &str, word: &str, try_this: &[&str]) -> Error {
    let mut error = Error::new(
        Kind::Usage,
        status::USAGE,
        &[what, " \"", word, "\" is unknown, try \""],
    )
    .about(word);
    for piece in try_this {
        error.push(piece.as_bytes());
    }
    error.push(b"\".");
    error
}

/// What an option becomes.
enum Meaning {
    /// A switch of ours.
    Switch(&'static str),
    /// An option of ours whose value is called so.
    Value(&'static str, &'static str),
    /// `-color`, whose value follows a `=`.
    Colour,
    /// An option of `ip` without effect.
    Ignored,
    /// The same with a value, called so.
    IgnoredValue(&'static str),
    /// `-family`, whose value is checked.
    Family,
    /// `-help`.
    Help,
}

/// The options of `ip` in the order in which it tests them. Those in the
/// second column must be written out.
static OPTIONS: &[(&str, bool, Meaning)] = &[
    ("-loops", false, Meaning::IgnoredValue("loop count")),
    ("-family", false, Meaning::Family),
    ("-4", true, Meaning::Switch("--ipv4")),
    ("-6", true, Meaning::Switch("--ipv6")),
    ("-0", true, Meaning::Ignored),
    ("-M", true, Meaning::Ignored),
    ("-B", true, Meaning::Ignored),
    ("-human-readable", false, Meaning::Ignored),
    ("-iec", false, Meaning::Ignored),
    ("-stats", false, Meaning::Ignored),
    ("-statistics", false, Meaning::Ignored),
    ("-details", false, Meaning::Ignored),
    ("-resolve", false, Meaning::Ignored),
    ("-oneline", false, Meaning::Switch("--oneline")),
    ("-timestamp", false, Meaning::Switch("--timestamp")),
    ("-tshort", false, Meaning::Switch("--tshort")),
    ("-Version", false, Meaning::Switch("--version")),
    ("-force", false, Meaning::Switch("--force")),
    ("-batch", false, Meaning::Value("--batch", "batch file")),
    ("-brief", false, Meaning::Ignored),
    ("-json", false, Meaning::Switch("--json")),
    ("-pretty", false, Meaning::Switch("--pretty")),
    ("-rcvbuf", false, Meaning::Value("--rcvbuf", "rcvbuf size")),
    ("-color", false, Meaning::Colour),
    ("-help", false, Meaning::Help),
    (
        "-netns",
        false,
        Meaning::Value("--netns", "network namespace"),
    ),
    ("-Numeric", false, Meaning::Ignored),
    ("-all", false, Meaning::Ignored),
    ("-echo", true, Meaning::Ignored),
];

/// Turns the whole command line, without its first word, into argh's: options,
/// then the command, then `--` and the words of its keyword list. What had
/// been understood before a mistake is in `out` as well.
pub fn spell<'a>(caller: &mut Caller, words: &[&'a str], out: &mut Vec<&'a str>) -> Result<()> {
    let mut rest = words.iter().copied();
    let mut next = rest.next();
    let mut batch = false;
    while let Some(word) = next {
        if !word.starts_with('-') {
            break;
        }
        if word == "--" {
            next = rest.next();
            break;
        }
        match option(caller, word, &mut rest, out)? {
            // These act at once, whatever follows.
            "--version" | "--help" => return Ok(()),
            "--batch" => batch = true,
            _ => {}
        }
        next = rest.next();
    }
    match next {
        // Like `ip`, a batch takes no notice of a command behind the options.
        Some(first) if !batch => {
            let words: Vec<&str> = core::iter::once(first).chain(rest).collect();
            command(caller, &words, out)
        }
        _ => Ok(()),
    }
}

/// Adds one option and tells which, in argh's spelling.
fn option<'a>(
    caller: &Caller,
    word: &'a str,
    rest: &mut dyn Iterator<Item = &'a str>,
    out: &mut Vec<&'a str>,
) -> Result<&'static str> {
    // A second dash is taken off, once.
    let short = match word.strip_prefix('-') {
        Some(stripped) if stripped.starts_with('-') => stripped,
        _ => word,
    };
    let (name, value) = match short.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (short, None),
    };
    let meaning = OPTIONS.iter().find_map(|(whole, exact, meaning)| {
        let fits = match meaning {
            // Shorter than -c it is another option.
            Meaning::Colour => name.len() > 1 && shortens(name, whole),
            _ if *exact => short == *whole,
            _ => shortens(short, whole),
        };
        fits.then_some(meaning)
    });
    let mut argument = |called: &str| rest.next().ok_or_else(|| Error::required(called));
    Ok(match meaning {
        Some(Meaning::Switch(switch)) => put(out, switch, None),
        Some(Meaning::Value(option, called)) => put(out, option, Some(argument(called)?)),
        Some(Meaning::Colour) => match value.unwrap_or("always") {
            when @ ("always" | "auto" | "never") => put(out, "--color", Some(when)),
            _ => return Err(caller.unknown_option(short)),
        },
        Some(Meaning::Ignored) => "",
        Some(Meaning::IgnoredValue(called)) => {
            argument(called)?;
            ""
        }
        Some(Meaning::Family) => match argument("family type")? {
            "inet" | "inet6" | "link" | "mpls" | "bridge" => "",
            "help" => put(out, "--help", None),
            other => return Err(Error::invalid(other, "invalid protocol family")),
        },
        Some(Meaning::Help) => put(out, "--help", None),
        None => return Err(caller.unknown_option(short)),
    })
}

/// Adds an option, or replaces its value: the last one counts.
fn put<'a>(out: &mut Vec<&'a str>, option: &'static str, value: Option<&'a str>) -> &'static str {
    match (out.iter().position(|word| *word == option), value) {
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

/// Turns a command with its words into argh's spelling: also a line of a
/// batch.
pub fn command<'a>(caller: &mut Caller, words: &[&'a str], out: &mut Vec<&'a str>) -> Result<()> {
    let Some((first, mut rest)) = words.split_first() else {
        return Ok(());
    };
    let mut word = *first;
    caller.object = word.len() > 1 && shortens(word, "mptcp");
    if caller.object {
        let Some((first, tail)) = rest.split_first() else {
            return Err(usage(caller));
        };
        (word, rest) = (*first, tail);
    } else if is_help(word) {
        out.push("--help");
        return Ok(());
    } else if shortens(word, "help") {
        return Err(usage(caller));
    } else if caller.is_ip {
        return Err(caller.unknown_object(word));
    }
    named(caller, word, rest, out)
}

/// A line of a batch, where `ip` too may leave the object out: the command
/// must be written out there, for `ip` has objects of similar names.
pub fn line<'a>(caller: &mut Caller, words: &[&'a str], out: &mut Vec<&'a str>) -> Result<()> {
    match words {
        [word, rest @ ..] if find(word, args::Command::COMMANDS) == Some(word) => {
            caller.object = false;
            named(caller, word, rest, out)
        }
        _ => command(caller, words, out),
    }
}

fn named<'a>(
    caller: &Caller,
    word: &'a str,
    rest: &[&'a str],
    out: &mut Vec<&'a str>,
) -> Result<()> {
    if is_help(word) {
        out.push("--help");
        return Ok(());
    }
    if shortens(word, "help") {
        return Err(usage(caller));
    }
    let Some(command) = find(word, args::Command::COMMANDS) else {
        return Err(caller.unknown_command(word));
    };
    out.push(command);
    let shape = shape(command);
    let mut rest = rest;
    if let Some(default) = shape.default {
        match rest.split_first() {
            None => out.push(default),
            Some((word, _)) if is_help(word) => out.push("--help"),
            Some((word, tail)) => {
                let Some(action) = find(word, shape.actions) else {
                    return Err(caller.unknown_command(word));
                };
                out.push(action);
                rest = tail;
            }
        }
    }
    if rest.iter().any(|word| is_help(word)) {
        out.push("--help");
        return Ok(());
    }
    match (shape.words, rest.first()) {
        (TakesWords::Keywords, _) => out.push("--"),
        (TakesWords::Options, Some(word)) if !word.starts_with('-') => {
            return Err(caller.unknown_command(word));
        }
        (TakesWords::Options, _) => {}
    }
    out.extend(rest);
    Ok(())
}

/// What follows the name of a command.
struct Shape {
    actions: &'static [&'static CommandInfo],
    /// The action that is meant where none is named; `None` where the command
    /// has no actions.
    default: Option<&'static str>,
    words: TakesWords,
}

enum TakesWords {
    /// A keyword list, which argh must not look into.
    Keywords,
    /// Options of its own, and nothing else.
    Options,
}

fn shape(command: &str) -> Shape {
    let (actions, default, words): (&[&CommandInfo], _, _) = match command {
        "endpoint" => (
            args::EndpointAction::COMMANDS,
            Some("show"),
            TakesWords::Keywords,
        ),
        "limits" => (
            args::LimitsAction::COMMANDS,
            Some("show"),
            TakesWords::Keywords,
        ),
        _ => (&[], None, TakesWords::Options),
    };
    Shape {
        actions,
        default,
        words,
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "--help" | "-help")
}

/// The first command that `word` shortens.
fn find<'a>(word: &str, commands: &'a [&CommandInfo]) -> Option<&'a str> {
    commands
        .iter()
        .map(|command| command.name)
        .find(|name| shortens(word, name))
}

/// How the program is used, as an answer to a command line that is none.
pub fn usage(caller: &Caller) -> Error {
    let object = if caller.is_ip { " mptcp" } else { "" };
    let start = [caller.program, " [ OPTIONS ]", object].concat();
    let mut error = Error::new(Kind::Usage, status::USAGE, &["Usage: "]);
    for (at, line) in USAGE.iter().enumerate() {
        if at > 0 {
            error.push(b"\n       ");
        }
        error.push(start.as_bytes());
        error.push(b" ");
        error.push(line.as_bytes());
    }
    error.push(b"\n\nTry \"");
    error.push(caller.program.as_bytes());
    error.push(object.as_bytes());
    error.push(b" --help\" for what they mean.");
    error
}

static USAGE: &[&str] = &[
    "endpoint add ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
    "endpoint change { id N | ADDRESS [ port N ] } [ [no]backup ] [ [no]fullmesh ]",
    "endpoint { show | delete | flush } [ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG ]...",
    "limits [ show ]",
    "limits set [ subflows N ] [ add_addr_accepted N ]",
    "monitor",
    "help",
];
