//! `save`, `apply`, `watch`: what the kernel holds, as a file.

mod apply;
mod changes;
mod save;
mod watch;

use std::ffi::CString;

use super::endpoint::{device, members, Names};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::limits::LimitWords;
use crate::grammar::state::{parse, File, Mistake};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys::{self, Errno, Fd};
use crate::kernel::PathManager;
use crate::output::{complain, Output, Text};
use crate::plan::{Entry, Plan, Step};
use crate::session::Session;

pub use apply::run as apply;
pub use changes::{carry_out, set_flags};
pub use save::run as save;
pub use watch::run as watch;

/// A state file is not larger than this.
const LARGEST: usize = 1 << 20;

/// Who tells what is wrong with a state file.
struct Teller {
    json: bool,
    file: &'static str,
    /// The exit status that the first mistake leads to, 0 so far.
    status: u8,
}

impl Teller {
    fn new(session: &Session, file: &'static str) -> Self {
        Self {
            json: session.options.json,
            file,
            status: 0,
        }
    }

    /// What the file is called.
    fn name(&self) -> &'static str {
        match self.file {
            STANDARD_INPUT => "-",
            name => name,
        }
    }

    /// An error about a line of the file, or about none.
    fn report(&self, line: u32, error: &Error) -> Vec<u8> {
        match line {
            0 => error.report(self.json, None),
            line => error.report_at(self.json, self.name(), line),
        }
    }

    fn tell(&mut self, line: u32, error: &Error) {
        complain(&self.report(line, error));
        if self.status == 0 {
            self.status = error.status();
        }
    }

    /// Tells of a step that was refused. What is about no line is for others
    /// to tell.
    fn tell_refused(&mut self, refused: Mistake) -> Result<()> {
        if refused.line == 0 {
            return Err(refused.error);
        }
        self.tell(refused.line, &refused.error);
        Ok(())
    }

    /// Reads the file into `into`, which is empty. Mistakes are told, and then
    /// it is worth nothing.
    fn read(&mut self, into: &mut File) -> Result<()> {
        let mut text = Vec::new();
        let mut cannot = "Cannot open";
        read_text(self.file, &mut text, &mut cannot)
            .map_err(|error| file_error(cannot, self.name(), error))?;
        parse(&text, into, &mut |line, error| self.tell(line, error));
        Ok(())
    }
}

fn file_error(what: &str, name: &str, error: Errno) -> Error {
    let message = [what, " \"", name, "\""];
    Error::system(Kind::File, status::FAILED, &message, error).about(name)
}

fn path_of(file: &str) -> core::result::Result<CString, Errno> {
    CString::new(file).map_err(|_| Errno(libc::ENOENT as u32))
}

/// Reads all of the file. `cannot` says what could not be done to it.
#[inline(never)]
fn read_text(
    file: &str,
    text: &mut Vec<u8>,
    cannot: &mut &'static str,
) -> core::result::Result<(), Errno> {
    let opened;
    let input = if file == STANDARD_INPUT {
        &Fd::STDIN
    } else {
        opened = sys::open(&path_of(file)?)?;
        &opened
    };
    *cannot = "Cannot read";
    loop {
        let len = text.len();
        if len > LARGEST {
            return Err(Errno(libc::EFBIG as u32));
        }
        text.resize(len + 4096, 0);
        let room = text.get_mut(len..).unwrap_or(&mut []);
        let got = sys::read(input, room)?;
        text.truncate(len + got);
        if got == 0 {
            return Ok(());
        }
    }
}

/// The index of the interface that `dev` names, 0 where there is none.
fn index_of(path_manager: &mut PathManager, dev: &str) -> u32 {
    match dev {
        "" => 0,
        dev => device(path_manager, dev, false).unwrap_or(0),
    }
}

/// Finds the interfaces of the file.
fn find_interfaces(path_manager: &mut PathManager, file: &mut File) {
    for declared in &mut file.endpoints {
        declared.entry.index = index_of(path_manager, &declared.dev);
    }
}

/// Looks at all that the file is about but for interfaces and addresses, which
/// have been looked at. Nothing is to be done then.
fn look(path_manager: &mut PathManager, file: &mut File, plan: &mut Plan) -> Result<()> {
    plan.steps.clear();
    find_interfaces(path_manager, file);
    entries(path_manager, &mut plan.present)?;
    plan.limits = LimitWords::of(&path_manager.limits()?);
    Ok(())
}

/// The endpoints there are.
pub fn entries(path_manager: &mut PathManager, entries: &mut Vec<Entry>) -> Result<()> {
    entries.clear();
    for endpoint in &path_manager.endpoints(None)? {
        entries.extend(Entry::of(endpoint));
    }
    Ok(())
}

/// The command of a step.
fn command(path_manager: &mut PathManager, names: &mut Names, step: &Step) -> Text {
    let mut text = Text::default();
    step.print(&mut text, name_of(path_manager, names, &step.entry));
    text
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
        out.bytes(command(path_manager, names, step).as_bytes());
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
        let name = name_of(path_manager, names, &step.entry);
        members(out, &step.entry.endpoint(), name);
    }
    out.end_object()
}
