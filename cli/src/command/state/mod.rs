//! `save`, `apply`, `watch`: what the kernel holds, as a file.

mod apply;
mod changes;
mod save;
mod watch;

use std::ffi::CString;

use mptcp_codec::mptcp::Limits;

use super::endpoint::{device, members, Names};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::state::{parse, File, Mistake};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys::{self, Errno, Fd};
use crate::kernel::{Interfaces, PathManager};
use crate::output::{complain, Output};
use crate::plan::{Action, Entry, Seen, Step};
use crate::session::Session;

pub use apply::run as apply;
pub use changes::{carry_out, Refused};
pub use save::run as save;
pub use watch::run as watch;

/// A state file is not larger than this.
const LARGEST: usize = 1 << 20;

/// What a file is called in messages.
fn called(file: &str) -> &str {
    match file {
        STANDARD_INPUT => "-",
        name => name,
    }
}

fn file_error(what: &str, file: &str, error: Errno) -> Error {
    let message = [what, " \"", called(file), "\""];
    Error::system(Kind::File, status::FAILED, &message, error).about(called(file))
}

fn path_of(file: &str) -> core::result::Result<CString, Errno> {
    CString::new(file).map_err(|_| Errno(libc::ENOENT as u32))
}

/// Reads a state file into `into`, which is empty; returns the exit status.
/// Mistakes are told, and then it is worth nothing.
fn read(session: &Session, file: &str, into: &mut File) -> Result<u8> {
    let mut text = Vec::new();
    let got = read_text(file, &mut text);
    got.map_err(|(what, error)| file_error(what, file, error))?;
    let mistakes = parse(&text, into);
    Ok(tell(session, file, &mistakes))
}

/// Reads all of the file, or says what cannot be done to it.
fn read_text(file: &str, text: &mut Vec<u8>) -> core::result::Result<(), (&'static str, Errno)> {
    let opened;
    let input = if file == STANDARD_INPUT {
        &Fd::STDIN
    } else {
        let path = path_of(file);
        let fd = path.and_then(|path| sys::open(&path));
        opened = fd.map_err(|error| ("Cannot open", error))?;
        &opened
    };
    loop {
        let len = text.len();
        if len > LARGEST {
            return Err(("Cannot read", Errno(libc::EFBIG as u32)));
        }
        text.resize(len + 4096, 0);
        let room = text.get_mut(len..).unwrap_or(&mut []);
        let got = sys::read(input, room).map_err(|error| ("Cannot read", error))?;
        text.truncate(len + got);
        if got == 0 {
            return Ok(());
        }
    }
}

/// Tells mistakes with their places; returns the exit status.
fn tell(session: &Session, file: &str, mistakes: &[Mistake]) -> u8 {
    for Mistake { line, error } in mistakes {
        complain(&error.report_at(session.options.json, called(file), *line));
    }
    mistakes.first().map_or(0, |mistake| mistake.error.status())
}

/// Tells of an error that does not end the program.
fn complain_of(session: &Session, error: &Error) {
    complain(&error.report(session.options.json, None));
}

/// Tells of a step that the kernel refused; returns the exit status.
fn tell_refused(session: &Session, file: &str, steps: &[Step], refused: Refused) -> Result<u8> {
    let Refused { step, error } = refused;
    match steps.get(step) {
        Some(Step { line, .. }) if *line != 0 => {
            Ok(tell(session, file, &[Mistake { line: *line, error }]))
        }
        _ => Err(error),
    }
}

/// What is there.
#[derive(Debug, Default)]
struct View {
    seen: Seen,
    present: Vec<Entry>,
    limits: Limits,
}

/// Finds the interfaces of the file.
fn indexes(path_manager: &mut PathManager, file: &File) -> Vec<u32> {
    let mut indexes = Vec::new();
    for declared in &file.endpoints {
        indexes.push(match declared.dev() {
            "" => 0,
            dev => device(path_manager, dev, false).unwrap_or(0),
        });
    }
    indexes
}

/// Looks at all that the file is about.
fn look(
    path_manager: &mut PathManager,
    interfaces: Option<&mut Interfaces>,
    file: &File,
    view: &mut View,
) -> Result<()> {
    view.seen.indexes = indexes(path_manager, file);
    if let Some(interfaces) = interfaces {
        interfaces.look(&mut view.seen)?;
    }
    view.present = entries(path_manager)?;
    view.limits = path_manager.limits()?;
    Ok(())
}

/// What tells news of interfaces, and what answers questions about them.
fn news_and_answers(session: &Session) -> Result<[Interfaces; 2]> {
    let news = Interfaces::listen(session.receive_buffer())?;
    Ok([news, Interfaces::open(session.receive_buffer())?])
}

/// The endpoints there are.
pub fn entries(path_manager: &mut PathManager) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for endpoint in &path_manager.endpoints(None)? {
        if let Some(entry) = Entry::of(endpoint) {
            entries.push(entry);
        }
    }
    Ok(entries)
}

/// The command of a step.
fn command(path_manager: &mut PathManager, names: &mut Names, step: &Step) -> Vec<u8> {
    let dev = name_of(path_manager, names, &step.entry);
    step.command(dev)
}

/// The name of the interface of an endpoint; empty where it has none.
fn name_of<'n>(path_manager: &mut PathManager, names: &'n mut Names, entry: &Entry) -> &'n [u8] {
    match entry.index {
        0 => &[],
        index => names.get(path_manager, index as i32),
    }
}

/// Prints a step: as a command, or as an object.
fn print(
    out: &mut Output,
    path_manager: &mut PathManager,
    names: &mut Names,
    step: &Step,
) -> Result<()> {
    if !out.style.json {
        out.bytes(&command(path_manager, names, step));
        return out.end_line();
    }
    out.begin_object("");
    out.json_string("action", step.name().as_bytes());
    for (key, value) in &[
        ("line", Some(step.line).filter(|line| *line != 0)),
        ("add_addr_accepted", step.limits.add_addr_accepted),
        ("subflows", step.limits.subflows),
    ] {
        if let Some(value) = *value {
            out.json_number(key, value.into());
        }
    }
    if step.has_entry() {
        let mut entry = step.entry;
        if step.action == Action::Change {
            entry.flags = step.flags;
        }
        let name = name_of(path_manager, names, &entry);
        members(out, &entry.endpoint(), name);
    }
    out.end_object()
}
