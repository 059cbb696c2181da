//! From spelled-out words to the function that does the command.

use argh::FromArgs;

use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::{keyword, Given};
use crate::help;
use crate::iproute2::{self, Caller, Target};
use crate::session::{not_built_in, Command, Does, Session};

/// Reads options.
pub fn options(words: &[&str]) -> Result<Options> {
    Options::from_args(&[""], words).map_err(|early| {
        let text = early.output.trim_ascii_end();
        let mut error = Error::new(Kind::Usage, status::USAGE, "Error: ");
        error.push(text.as_bytes());
        error
    })
}

/// Runs what a command line asks for.
pub fn run(session: &mut Session, caller: &Caller, target: &Target) -> Result<Status> {
    match *target {
        Target::Run(group, command, words) => return execute(session, group, command, words),
        Target::Options | Target::Usage => return Err(help::usage(caller)),
        Target::Program => help::program(caller, session.out.buffer()),
        Target::Help(group, command) => {
            help::command(caller, group, command, session.out.buffer());
        }
    }
    Ok(0)
}

/// Runs a command with its words.
fn execute(
    session: &mut Session,
    group: Option<&'static Command>,
    command: &'static Command,
    words: &[&str],
) -> Result<Status> {
    match command.does {
        Does::Words(takes, run) => {
            let keywords = match group.map(|group| &group.does) {
                Some(Does::Group(group)) => group.keywords,
                _ => &[],
            };
            let mut given = Given::default();
            if let Err(error) = session.read(words, keywords, takes, &mut given) {
                return Err(error.near(&|near| keyword::offer(command.words, near)));
            }
            run(session, &given)
        }
        Does::Options(run) => {
            let mut spelled = Vec::with_capacity(words.len());
            iproute2::options(command, words, &mut spelled)?;
            let result = run(session, &options(&spelled)?);
            if command.keywords().is_empty() {
                return result;
            }
            result.map_err(|error| error.near(&|near| keyword::offer(command.words, near)))
        }
        Does::Absent => Err(not_built_in(command.name, command.help)),
        // One of its actions has been found instead.
        Does::Group(_) => Ok(0),
    }
}
