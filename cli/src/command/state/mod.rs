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
use crate::plan::{Entry, Seen, Step};
use crate::session::Session;

pub use apply::run as apply;
pub use changes::carry_out;
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

fn path_of(file: &str) -> Result<CString> {
    let no_name = |_| file_error("Cannot open", file, Errno(libc::ENOENT as u32));
    CString::new(file).map_err(no_name)
}

/// Reads a state file. Its mistakes are told, and give the exit status.
fn read(session: &Session, file: &str) -> Result<core::result::Result<File, u8>> {
    let opened;
    let input = if file == STANDARD_INPUT {
        &Fd::STDIN
    } else {
        opened =
            sys::open(&path_of(file)?).map_err(|error| file_error("Cannot open", file, error))?;
        &opened
    };
    let mut text = Vec::new();
    loop {
        let len = text.len();
        if len > LARGEST {
            return Err(file_error("Cannot read", file, Errno(libc::EFBIG as u32)));
        }
        text.resize(len + 4096, 0);
        let got = sys::read(input, text.get_mut(len..).unwrap_or(&mut []))
            .map_err(|error| file_error("Cannot read", file, error))?;
        text.truncate(len + got);
        if got == 0 {
            break;
        }
    }
    let (state, mistakes) = parse(&text);
    if mistakes.is_empty() {
        return Ok(Ok(state));
    }
    Ok(Err(tell(session, file, &mistakes)))
}

/// Tells mistakes with their places; returns the exit status.
fn tell(session: &Session, file: &str, mistakes: &[Mistake]) -> u8 {
    for Mistake { line, error } in mistakes {
        complain(&error.report_at(session.options.json, called(file), *line));
    }
    mistakes.first().map_or(0, |mistake| mistake.error.status())
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
    let index = |dev: &String| device(path_manager, dev, false).unwrap_or(0);
    let mut index = index;
    file.endpoints
        .iter()
        .map(|declared| declared.dev.as_ref().map_or(0, &mut index))
        .collect()
}

/// Looks at all that the file is about.
fn look(
    path_manager: &mut PathManager,
    interfaces: Option<&mut Interfaces>,
    file: &File,
) -> Result<View> {
    let mut view = View::default();
    view.seen.indexes = indexes(path_manager, file);
    if let Some(interfaces) = interfaces {
        interfaces.look(&mut view.seen)?;
    }
    view.present = entries(path_manager)?;
    view.limits = path_manager.limits()?;
    Ok(view)
}

/// The endpoints there are.
pub fn entries(path_manager: &mut PathManager) -> Result<Vec<Entry>> {
    let endpoints = path_manager.endpoints(None)?;
    Ok(endpoints.iter().filter_map(Entry::of).collect())
}

/// The command of a step.
fn command(path_manager: &mut PathManager, names: &mut Names, step: &Step) -> Vec<u8> {
    match step.entry().filter(|entry| entry.index != 0) {
        Some(entry) => step.command(names.get(path_manager, entry.index as i32)),
        None => step.command(&[]),
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
    out.json_string("action", step.action().as_bytes());
    if step.line() != 0 {
        out.json_number("line", step.line().into());
    }
    match step {
        Step::Limits { to, .. } => {
            for (key, value) in [
                ("add_addr_accepted", to.add_addr_accepted),
                ("subflows", to.subflows),
            ] {
                if let Some(value) = value {
                    out.json_number(key, value.into());
                }
            }
        }
        Step::Flush => {}
        Step::Delete(entry) | Step::Change { entry, .. } | Step::Add { entry, .. } => {
            let mut entry = *entry;
            if let Step::Change { flags, .. } = step {
                entry.flags = *flags;
            }
            let name = match entry.index {
                0 => &[],
                index => names.get(path_manager, index as i32),
            };
            members(out, &entry.endpoint(), name);
        }
    }
    out.end_object()
}
