//! `save`, `apply`, `watch`: what the kernel holds, as a file.

mod apply;
mod heal;
mod hook;
mod log;
mod save;
mod watch;

use std::net::IpAddr;

use mptcp_codec::inet::{AF_INET, AF_INET6};

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::endpoint::Family;
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::connections::{is_alive, survey, Found};
use crate::kernel::{interface, Diagnostics, Lock, Names, PathManager, RouteSocket};
use crate::near::Near;
use crate::output::{complain, Output};
use crate::session::{Command, Session};
use crate::state::changes::{compare_settings, entries, name_of};
use crate::state::endpoint::address_of;
use crate::state::file::{
    as_index, is_pattern, matches_pattern, parse, put_setting, File, Mistake, Setting,
};
use crate::state::members::members;
use crate::state::plan::{is_local, Conflict, Others, Plan, Step};
use crate::sys::{self, Fd};
use crate::text::Text;

pub use apply::COMMAND as APPLY;
pub use save::COMMAND as SAVE;
pub use watch::COMMAND as WATCH;

/// What failed is tried again no later than after this, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
/// A state file is not larger than this.
const LARGEST: usize = 1 << 20;

/// Errors and warnings about a state file. It is
/// gathered first: a slow reader must not delay the release of the lock.
struct Reporter {
    json: bool,
    file: &'static str,
    commands: &'static [Command],
    /// It is read again and again: it must be a file.
    again: bool,
    /// The exit status that the first mistake leads to, 0 so far.
    status: Status,
    text: Text,
}

impl Reporter {
    /// What the file is called.
    fn name(&self) -> &'static str {
        match self.file {
            STANDARD_INPUT => "-",
            name => name,
        }
    }

    /// An error about a line of the file, or about none, which is 0.
    fn report(&mut self, line: u32, error: &Error) {
        error.report_at(self.json, self.name(), line, &mut self.text);
    }

    /// A warning about a line of the file, or about none.
    fn warn(&mut self, line: u32, message: &[u8]) {
        let place = Some((self.name(), line)).filter(|_| line != 0);
        Error::warning(self.json, place, message, &mut self.text);
    }

    /// A mistake, which decides the exit status.
    fn mistake(&mut self, line: u32, error: &Error) {
        self.report(line, error);
        self.fail(error.status());
    }

    fn fail(&mut self, status: Status) {
        if self.status == 0 {
            self.status = status;
        }
    }

    /// A step that was refused. What is about no line is for others to report.
    fn refused(&mut self, refused: Mistake) -> Result<()> {
        if refused.line == 0 {
            return Err(refused.error);
        }
        self.mistake(refused.line, &refused.error);
        Ok(())
    }

    /// Writes all of it.
    fn flush(&mut self) {
        complain(self.text.as_bytes());
        self.text.clear();
    }

    /// Reads the file into `into`, which is empty. After mistakes it is worth
    /// nothing.
    fn read(&mut self, into: &mut File) -> Result<()> {
        let mut text = Vec::new();
        let mut cannot = "Cannot open";
        read_text(self.file, self.again, &mut text, &mut cannot)
            .map_err(|error| file_error(cannot, self.name(), error))?;
        parse(&text, self.commands, into, &mut |line, error| {
            self.mistake(line, &error)
        });
        Ok(())
    }

    /// That the state has not a single line.
    fn empty(&self) -> Error {
        let message = [
            "Error: \"",
            self.name(),
            "\" is empty: nothing is changed (with --allow-empty all endpoints are deleted)",
        ];
        Error::new(Kind::File, status::FAILED, &message).about(self.name())
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
    again: bool,
    text: &mut Vec<u8>,
    cannot: &mut &'static str,
) -> core::result::Result<(), Errno> {
    let opened;
    let input = if file == STANDARD_INPUT {
        &Fd::STDIN
    } else {
        opened = if again {
            sys::open_lasting(&[file.as_bytes()])
        } else {
            sys::open_joined(&[file.as_bytes()])
        }?;
        &opened
    };
    *cannot = "Cannot read";
    sys::read_all(input, text, LARGEST)
}

/// A state file, and what is made of it.
struct Job {
    reporter: Reporter,
    file: File,
    plan: Plan,
    /// Where to ask for interfaces and their addresses, once that is needed.
    routes: Option<RouteSocket>,
    /// Names of interfaces, as they were when last looked at.
    names: Names,
    lock: Lock,
    /// The kernel's maximum of the limits; 0 if not looked up.
    maximum: u32,
}

/// Reads a state file and does with it what is to be done; returns the exit
/// status.
fn with_file(
    session: &mut Session,
    file: &'static str,
    again: bool,
    work: &mut dyn FnMut(&mut Session, &mut Job) -> Result<()>,
) -> Result<Status> {
    let mut job = Job {
        reporter: Reporter {
            json: session.options.json,
            file,
            commands: session.commands,
            again,
            status: 0,
            text: Text::default(),
        },
        file: File::default(),
        plan: Plan::default(),
        routes: None,
        names: Names::default(),
        lock: Lock::default(),
        maximum: 0,
    };
    job.reporter.read(&mut job.file)?;
    let mut done = Ok(());
    if job.reporter.status == 0 {
        done = work(session, &mut job);
    }
    job.lock.release();
    job.reporter.flush();
    done.map(|()| job.reporter.status)
}

/// The socket to ask for interfaces and routes.
#[inline(never)]
fn routes<'r>(
    routes: &'r mut Option<RouteSocket>,
    session: &mut Session,
) -> Result<&'r mut RouteSocket> {
    let open = match routes.take() {
        Some(open) => open,
        None => RouteSocket::open(session.receive_buffer())?,
    };
    Ok(routes.insert(open))
}

/// How long to wait until `due`, as poll takes it; without an end where that is
/// `u64::MAX`.
fn timeout(due: u64) -> i32 {
    match due {
        u64::MAX => -1,
        due => i32::try_from(due.saturating_sub(sys::milliseconds())).unwrap_or(i32::MAX),
    }
}

impl Job {
    /// Looks at interfaces, their addresses, and where it matters at default
    /// routes.
    fn look_around(&mut self, session: &mut Session) -> Result<()> {
        routes(&mut self.routes, session)?.look(&mut self.plan.seen, &mut self.names)?;
        self.find_interfaces(session)?;
        for declared in &mut self.file.endpoints {
            declared.local |= is_local(&self.plan.seen, address_of(&declared.endpoint));
        }
        self.file.uplinks.clear();
        let File {
            endpoints, uplinks, ..
        } = &mut self.file;
        for declared in endpoints.iter().filter(|declared| declared.uplink) {
            for index in &declared.indexes {
                for (number, family) in [(AF_INET, Family::V4), (AF_INET6, Family::V6)] {
                    if !uplinks.contains(&(*index, family))
                        && routes(&mut self.routes, session)?
                            .default_route(number, *index, &mut None)?
                    {
                        uplinks.push((*index, family));
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the interfaces of the file.
    fn find_interfaces(&mut self, session: &mut Session) -> Result<()> {
        let path_manager = session.path_manager()?;
        for (dev, indexes) in self.file.devs() {
            indexes.clear();
            if is_pattern(dev) {
                for (index, name) in self.names.all() {
                    if matches_pattern(dev.as_bytes(), name) {
                        indexes.push(*index);
                    }
                }
            } else {
                indexes.extend(index_of(path_manager, dev)?);
            }
        }
        Ok(())
    }

    /// Looks at endpoints, limits and settings. Nothing is to be done then.
    fn look(&mut self, session: &mut Session) -> Result<()> {
        let path_manager = session.path_manager()?;
        let plan = &mut self.plan;
        plan.steps.clear();
        entries(path_manager, &mut plan.present)?;
        plan.limits = path_manager.limits()?;
        if self.file.most != 0 && self.maximum == 0 {
            self.maximum = path_manager.maximum();
        }
        compare_settings(&mut self.file.settings, &mut plan.refused);
        plan.compare_limits(&self.file, self.maximum);
        Ok(())
    }

    /// Plans what is to be done to endpoints. With `keep`, those of others stay.
    fn plan(
        &mut self,
        session: &mut Session,
        keep: bool,
        follow: bool,
    ) -> core::result::Result<(), Mistake> {
        let plan = &mut self.plan;
        let others = match keep {
            true => Others::StayBut(&self.file),
            false => Others::Go,
        };
        let conflict = match follow {
            true => Conflict::CostsTheId,
            false => Conflict::Fails,
        };
        let begin = plan.steps.len();
        plan.busy = None;
        loop {
            plan.expand(&self.file, follow);
            let compared = plan.compare(others, follow, conflict);
            if !plan.unsure || plan.busy.is_some() {
                return compared;
            }
            let mut busy = Vec::new();
            if living_subflows(session, &mut busy).is_err() {
                // Whether something would be lost is unknown: all stay.
                for existing in &plan.present {
                    busy.push(address_of(existing));
                }
            }
            plan.busy = Some(busy);
            plan.steps.truncate(begin);
        }
    }

    /// Warns of lines that no interface fits, with the name that may have been
    /// meant; where it may come later, only if there is one.
    fn warn_of_names(&mut self, later: bool) {
        for declared in &self.file.endpoints {
            if declared.dev.is_empty() || declared.lacking || !declared.indexes.is_empty() {
                continue;
            }
            let dev = declared.dev.as_bytes();
            let mut near = Near::new(dev);
            for (_, name) in self.names.all() {
                near.offer(name);
            }
            let mut message = Text::default();
            message.bytes(if is_pattern(&declared.dev) {
                b"no interface has a name like \""
            } else {
                b"there is no interface \""
            });
            message.bytes(dev);
            message.byte(b'"');
            let found = near.found();
            if later && found.is_empty() {
                continue;
            }
            if !found.is_empty() {
                message.bytes(b" (did you mean \"");
                message.bytes(&found);
                message.bytes(b"\"?)");
            }
            self.reporter.warn(declared.line, message.as_bytes());
        }
    }
}

/// The index of the interface that `dev` names, if there is one.
fn index_of(path_manager: &mut PathManager, dev: &str) -> Result<Option<u32>> {
    let fd = path_manager.fd();
    if let Some(index) = as_index(dev) {
        return Ok(Some(index).filter(|index| interface::exists(fd, *index)));
    }
    match sys::interface_index(fd, dev.as_bytes()) {
        Ok(index) => Ok(Some(index)),
        Err(Errno(number)) if number == libc::ENODEV as usize => Ok(None),
        Err(error) => Err(Error::answer(error).about(dev)),
    }
}

/// Adds the local addresses of the subflows that live.
#[inline(never)]
fn living_subflows(session: &mut Session, into: &mut Vec<IpAddr>) -> Result<()> {
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    survey(&mut diagnostics, &mut |found| {
        match found {
            Found::Subflow { socket, .. } if is_alive(socket.state()) => {
                into.extend(socket.ends()[0].address());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(())
}

/// Prints a step: as a command, or as an object.
fn print(out: &mut Output, path_manager: &mut PathManager, names: &mut Names, step: &Step) {
    let name = name_of(path_manager, names, &step.endpoint);
    if !out.style.json {
        step.print(out.buffer(), name);
        out.end_line();
        return;
    }
    begin(out, step.name(), step.line);
    for (name, _, value) in crate::grammar::limits::each(&step.limits) {
        if let Some(value) = value {
            out.json_number(name, value.into());
        }
    }
    if step.has_endpoint() {
        let mut endpoint = step.endpoint;
        if step.replaces() && step.id() == 0 {
            endpoint = endpoint.with_id(step.had);
        }
        members(out, &endpoint, name);
    }
    out.end_object();
}

/// The same of a setting that changes.
fn print_setting(out: &mut Output, setting: &Setting) {
    if !setting.changes {
        return;
    }
    if !out.style.json {
        put_setting(out.buffer(), setting.name.as_bytes(), &setting.value);
        out.end_line();
        return;
    }
    begin(out, "sysctl", setting.line);
    out.json_string("name", setting.name.as_bytes());
    out.json_string("value", &setting.value);
    out.end_object();
}

fn begin(out: &mut Output, action: &str, line: u32) {
    out.begin_object("");
    out.json_string("action", action.as_bytes());
    if line != 0 {
        out.json_number("line", line.into());
    }
}
