//! `save`, `apply`, `watch`: what the kernel holds, as a file.

mod apply;
mod save;
mod watch;

use super::members::members;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::{interface, Lock, Names, PathManager, RouteSocket};
use crate::output::{complain, Output};
use crate::session::{Command, Session};
use crate::state::changes::{carry_out, entries, limits, name_of};
use crate::state::file::{parse, File, Mistake};
use crate::state::plan::{Plan, Step};
use crate::sys::{self, Fd};
use crate::text::Text;

pub use apply::COMMAND as APPLY;
pub use save::COMMAND as SAVE;
pub use watch::COMMAND as WATCH;

/// A state file is not larger than this.
const LARGEST: usize = 1 << 20;

/// Who tells what is wrong with a state file.
struct Teller {
    /// The table of commands, of whose words the file is made.
    commands: &'static [Command],
    json: bool,
    file: &'static str,
    /// The exit status that the first mistake leads to, 0 so far.
    status: Status,
}

impl Teller {
    /// What the file is called.
    fn name(&self) -> &'static str {
        match self.file {
            STANDARD_INPUT => "-",
            name => name,
        }
    }

    /// An error about a line of the file, or about none, which is 0.
    fn report(&self, line: u32, error: &Error, out: &mut Text) {
        error.report_at(self.json, self.name(), line, out);
    }

    /// Tells an error.
    fn complain(&self, line: u32, error: &Error) {
        let mut text = Text::default();
        self.report(line, error, &mut text);
        complain(text.as_bytes());
    }

    /// Tells a mistake.
    fn tell(&mut self, line: u32, error: Error) {
        self.complain(line, &error);
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
        self.tell(refused.line, refused.error);
        Ok(())
    }

    /// Reads the file into `into`, which is empty. Mistakes are told, and then
    /// it is worth nothing.
    fn read(&mut self, into: &mut File) -> Result<()> {
        let mut text = Vec::new();
        let mut cannot = "Cannot open";
        read_text(self.file, &mut text, &mut cannot)
            .map_err(|error| file_error(cannot, self.name(), error))?;
        parse(&text, self.commands, into, &mut |line, error| {
            self.tell(line, error)
        });
        Ok(())
    }
}

fn file_error(what: &str, name: &str, error: Errno) -> Error {
    let message = [what, " \"", name, "\""];
    Error::system(Kind::File, status::FAILED, &message, error).about(name)
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
        opened = sys::open_joined(&[file.as_bytes()])?;
        &opened
    };
    *cannot = "Cannot read";
    sys::read_all(input, text, LARGEST)
}

/// A state file, and what is made of it.
struct Job {
    teller: Teller,
    file: File,
    plan: Plan,
    /// Who is asked for interfaces and their addresses, once that is needed.
    asks: Option<RouteSocket>,
    names: Names,
    lock: Lock,
    /// Warnings, to be told at the end.
    text: Text,
}

/// Reads a state file and does with it what is to be done; returns the exit
/// status.
fn with_file(
    session: &mut Session,
    file: &'static str,
    work: &mut dyn FnMut(&mut Session, &mut Job) -> Result<()>,
) -> Result<Status> {
    let mut job = Job {
        teller: Teller {
            commands: session.commands,
            json: session.options.json,
            file,
            status: 0,
        },
        file: File::default(),
        plan: Plan::default(),
        asks: None,
        names: Names::default(),
        lock: Lock::default(),
        text: Text::default(),
    };
    job.teller.read(&mut job.file)?;
    if job.teller.status == 0 {
        work(session, &mut job)?;
    }
    Ok(job.teller.status)
}

impl Job {
    /// Looks at interfaces and their addresses.
    fn look_around(&mut self, session: &mut Session) -> Result<()> {
        if self.asks.is_none() {
            self.asks = Some(RouteSocket::open(session.receive_buffer())?);
        }
        if let Some(asks) = &mut self.asks {
            asks.look(&mut self.plan.seen)?;
        }
        self.find_interfaces(session)
    }

    /// Finds the interfaces of the file.
    fn find_interfaces(&mut self, session: &mut Session) -> Result<()> {
        let path_manager = session.path_manager()?;
        for declared in &mut self.file.endpoints {
            declared.entry.index = index_of(path_manager, &declared.dev)?;
        }
        Ok(())
    }

    /// Looks at endpoints and limits. Nothing is to be done then.
    fn look(&mut self, session: &mut Session) -> Result<()> {
        // Interfaces may have been renamed.
        self.names = Names::default();
        let path_manager = session.path_manager()?;
        let plan = &mut self.plan;
        plan.steps.clear();
        entries(path_manager, &mut plan.present)?;
        limits(path_manager, &mut plan.limits)
    }

    /// Carries out the steps; what stays undone is told or an error.
    fn carry_out(&mut self, session: &mut Session, lenient: bool) -> Result<()> {
        match carry_out(session.path_manager()?, &mut self.plan, lenient) {
            Ok(()) => Ok(()),
            Err(refused) => self.teller.tell_refused(refused),
        }
    }
}

/// The index of the interface that `dev` names, 0 where there is none.
fn index_of(path_manager: &mut PathManager, dev: &str) -> Result<u32> {
    if dev.is_empty() {
        return Ok(0);
    }
    match interface::index(path_manager.fd(), dev, false) {
        // Whether there is one could be told.
        Err(error) if error.errno() == 0 => Ok(0),
        found => found,
    }
}

/// Prints a step: as a command, or as an object.
fn print(out: &mut Output, path_manager: &mut PathManager, names: &mut Names, step: &Step) {
    let name = name_of(path_manager, names, &step.entry);
    if !out.style.json {
        step.print(out.buffer(), name);
        out.end_line();
        return;
    }
    out.begin_object("");
    out.json_string("action", step.name().as_bytes());
    if step.line != 0 {
        out.json_number("line", step.line.into());
    }
    if let Some(number) = step.limits.add_addr_accepted {
        out.json_number("add_addr_accepted", number.into());
    }
    if let Some(number) = step.limits.subflows {
        out.json_number("subflows", number.into());
    }
    if step.has_entry() {
        members(out, &step.entry.endpoint(), name);
    }
    out.end_object();
}
