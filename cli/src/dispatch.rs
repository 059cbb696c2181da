//! From what was spelled to the command that does it.

use argh::FromArgs;

use crate::args::{Command, Options};
use crate::command;
use crate::error::{status, Error, Kind, Result};
use crate::iproute2::{self, Caller, Spelled, Target};
use crate::output::Output;
use crate::session::Session;

/// Reads the options.
#[inline(never)]
pub fn options(
    caller: &Caller,
    spelled: &Spelled,
) -> core::result::Result<Options, argh::EarlyExit> {
    Options::from_args(&[&caller.name()], &spelled.options)
}

/// Runs a command.
pub fn run_target(
    session: &mut Session,
    caller: &Caller,
    target: Target,
    spelled: &Spelled,
) -> Result<u8> {
    match target {
        Target::Action(action, words) => {
            (action.run)(session, words).map_err(|error| error.near(action.words))
        }
        Target::Help(group, action) => {
            let help = iproute2::help(caller, group, action);
            session.out.text(&help);
            Ok(0)
        }
        Target::Command => {
            let (name, rest) = spelled.command.split_first().unwrap_or((&"", &[]));
            match Command::from_args(&[&caller.name(), name], rest) {
                Ok(command) => command::run(session, command),
                Err(early) => early_exit(early, name),
            }
        }
        Target::Options => Err(iproute2::usage(caller)),
    }
}

/// What argh wants to say instead of reading the options, or those of this
/// command: help, or a mistake.
pub fn early_exit(early: argh::EarlyExit, command: &str) -> Result<u8> {
    let mut text = early.output;
    if early.status.is_err() {
        let text = text.trim_ascii_end();
        let error = Error::new(Kind::Usage, status::USAGE, &["Error: ", text]);
        return Err(match text.strip_prefix("Unrecognized argument: ") {
            Some(word) => unknown_option(error.about(word), command),
            None => error,
        });
    }
    match command {
        "" => iproute2::help_for_commands(&mut text),
        "counters" => text.push_str(command::EXPLAINED),
        _ => {}
    }
    print(&text)
}

/// The error with the option that was meant, of those in the command's help.
fn unknown_option(error: Error, command: &str) -> Error {
    let Err(help) = Command::from_args(&["", command], &["--help"]) else {
        return error;
    };
    error.meant(&|near| {
        for word in help.output.as_bytes().split(|b| *b <= b' ') {
            // Behind the options, sentences may name them too.
            if word.starts_with(b"--") && word.iter().all(|b| *b == b'-' || b.is_ascii_lowercase())
            {
                near.offer(word);
            }
        }
    })
}

pub fn print(text: &str) -> Result<u8> {
    let mut out = Output::default();
    out.text(text);
    out.flush()?;
    Ok(0)
}
