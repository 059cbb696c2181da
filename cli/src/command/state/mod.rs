//! `save`, `apply`, `watch`: what the kernel holds, as a file.

mod apply;
mod heal;
mod hook;
mod log;
mod save;
mod watch;

use mptcp_codec::inet::{AF_INET, AF_INET6};

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::connections::{is_alive, survey, Found};
use crate::kernel::key::{key_of, Key};
use crate::kernel::{interface, Diagnostics, Lock, Names, PathManager, RouteSocket};
use crate::near::Near;
use crate::output::{complain, Output};
use crate::session::{Command, Session};
use crate::state::changes::{carry_out, compare_settings, entries, name_of, within};
use crate::state::file::{as_index, is_pattern, matches_pattern, parse, File, Setting};
use crate::state::members::members;
use crate::state::plan::{is_local, Action, Others, Plan, Step};
use crate::sys::{self, Fd};
use crate::text::Text;

pub use apply::COMMAND as APPLY;
pub use save::COMMAND as SAVE;
pub use watch::COMMAND as WATCH;

/// The longest time until what failed is retried, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
/// The largest state file.
const LARGEST: usize = 1 << 20;

/// Errors and warnings about a state file. They are collected first: a slow reader must not
/// delay the release of the lock.
struct Reporter {
    file: &'static str,
    commands: &'static [Command],
    json: bool,
    /// The file is read again and again, so it must not be a pipe.
    again: bool,
    /// The exit status due to the first mistake; 0 so far.
    status: Status,
    text: Text,
}

impl Reporter {
    /// The name of the file.
    fn name(&self) -> &'static str {
        match self.file {
            STANDARD_INPUT => "-",
            name => name,
        }
    }

    /// An error or a warning. The first error decides the exit status.
    #[inline(never)]
    fn report(&mut self, error: &Error) {
        error.report_at(self.json, self.name(), &mut self.text);
        if self.status == 0 {
            self.status = error.status();
        }
    }

    /// Writes all of it.
    fn flush(&mut self) {
        complain(self.text.as_bytes());
        self.text.clear();
    }

    /// Reads the file into `into`, which is empty, and not usable after mistakes.
    fn read(&mut self, into: &mut File) -> Result<()> {
        let path = self.file.as_bytes();
        let opened = match self.file {
            STANDARD_INPUT => Ok(Fd::STDIN),
            _ if self.again => sys::open_lasting(path),
            _ => sys::open_joined(&[path]),
        };
        let input = opened.map_err(|error| self.failed(CANNOT_OPEN, error))?;
        let mut text = Vec::new();
        sys::read_all(&input, &mut text, LARGEST)
            .map_err(|error| self.failed(CANNOT_READ, error))?;
        parse(&mut text, self.commands, into, &mut |error| {
            self.report(&error)
        });
        Ok(())
    }

    /// An error about the file.
    #[cold]
    #[inline(never)]
    fn failed(&self, what: &str, error: Errno) -> Error {
        file_error(what, self.name(), error)
    }

    /// A file without a single line deletes nothing, unless that is allowed.
    #[inline(never)]
    fn check_content(&self, file: &File, allow_empty: bool) -> Result<()> {
        if allow_empty || !file.is_empty() {
            return Ok(());
        }
        let text = "Error: \"%\" is empty: nothing is changed (with --allow-empty all endpoints \
                    are deleted)";
        Err(Error::naming(Kind::File, status::FAILED, text, self.name()))
    }
}

const CANNOT_OPEN: &str = "Cannot open \"%\"";
const CANNOT_READ: &str = "Cannot read \"%\"";
const CANNOT_WRITE: &str = "Cannot write \"%\"";

#[cold]
#[inline(never)]
fn file_error(what: &str, name: &str, error: Errno) -> Error {
    Error::naming(Kind::File, status::FAILED, what, name).because(error)
}

/// A state file, and how it is put into effect.
struct Job {
    file: File,
    reporter: Reporter,
    plan: Plan,
    /// The socket for interfaces and their addresses, once needed.
    routes: Option<RouteSocket>,
    /// Names of interfaces at the last look.
    names: Names,
    lock: Lock,
    /// `-rcvbuf`, in bytes.
    buffer: Option<u32>,
    /// The kernel's maximum of the limits; 0 if not looked up yet.
    maximum: u32,
    complaints: Complaints,
}

/// Reads a state file and passes it to `run`; returns the exit status.
fn with_file(
    session: &mut Session,
    file: &'static str,
    again: bool,
    work: &mut dyn FnMut(&mut Session, &mut Job) -> Result<()>,
) -> Result<Status> {
    let mut job = Job::new(session, file, again);
    let mut done = job.reporter.read(&mut job.file);
    if done.is_ok() && job.reporter.status == 0 {
        done = work(session, &mut job);
    }
    job.lock.release();
    match done {
        Err(error) if error.line() != 0 => {
            job.reporter.report(&error);
            done = Ok(());
        }
        _ => {}
    }
    job.reporter.flush();
    done.map(|()| job.reporter.status)
}

/// The socket for interfaces and routes.
#[inline(never)]
fn routes(routes: &mut Option<RouteSocket>, buffer: Option<u32>) -> Result<&mut RouteSocket> {
    let open = match routes.take() {
        Some(open) => open,
        None => RouteSocket::open(buffer)?,
    };
    Ok(routes.insert(open))
}

/// How long to wait until `due`, in the form poll takes; forever if that is `u64::MAX`.
fn timeout(due: u64) -> i32 {
    match due {
        u64::MAX => -1,
        due => i32::try_from(due.saturating_sub(sys::milliseconds())).unwrap_or(i32::MAX),
    }
}

impl Job {
    /// For this file, which has not been read yet.
    #[inline(never)]
    fn new(session: &Session, file: &'static str, again: bool) -> Self {
        Self {
            file: File::default(),
            reporter: Reporter {
                file,
                commands: session.commands,
                json: session.options.json,
                again,
                status: 0,
                text: Text::default(),
            },
            plan: Plan::default(),
            routes: None,
            names: Names::default(),
            lock: Lock::default(),
            buffer: session.receive_buffer(),
            maximum: 0,
            complaints: Complaints::default(),
        }
    }

    /// Reads interfaces, their addresses and, if they matter, default routes.
    fn look_around(&mut self, path_manager: &PathManager) -> Result<()> {
        let ask = routes(&mut self.routes, self.buffer)?;
        ask.look(&mut self.plan.seen, &mut self.names)?;
        self.find_interfaces(path_manager.fd())?;
        for declared in &mut self.file.endpoints {
            declared.local |= is_local(&self.plan.seen, key_of(&declared.endpoint));
        }
        let File {
            endpoints, uplinks, ..
        } = &mut self.file;
        for (family, uplinks) in [AF_INET6, AF_INET].iter().zip(uplinks) {
            uplinks.clear();
            for declared in endpoints.iter().filter(|declared| declared.uplink) {
                for index in &declared.indexes {
                    let ask = routes(&mut self.routes, self.buffer)?;
                    if !uplinks.contains(index) && ask.default_route(*family, *index, &mut 0)? != 0
                    {
                        uplinks.push(*index);
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds the interfaces of the file; returns for how many lines they have changed.
    #[inline(never)]
    fn find_interfaces(&mut self, fd: &Fd) -> Result<usize> {
        let mut differ = 0;
        let mut found = Vec::new();
        self.file.each_dev(&mut |dev, indexes| {
            found.clear();
            if is_pattern(dev) {
                for (index, name) in self.names.all() {
                    if !name.is_empty() && matches_pattern(dev.as_bytes(), name) {
                        found.push(*index);
                    }
                }
            } else if let Some(index) = index_of(fd, dev)? {
                found.push(index);
            }
            if found != *indexes {
                core::mem::swap(&mut found, indexes);
                differ += 1;
            }
            Ok(())
        })?;
        Ok(differ)
    }

    /// Reads endpoints, limits and settings, and plans changes to the latter two.
    fn look(&mut self, path_manager: &mut PathManager) -> Result<()> {
        let plan = &mut self.plan;
        plan.steps.clear();
        plan.refusals.clear();
        entries(path_manager, &mut plan.present)?;
        plan.limits = path_manager.limits()?;
        if self.file.most != 0 && self.maximum == 0 {
            self.maximum = path_manager.maximum();
        }
        compare_settings(&mut self.file.settings, plan);
        plan.compare_limits(&self.file, self.maximum);
        Ok(())
    }

    /// Plans the changes to endpoints. With `keep`, those of others stay.
    fn plan(&mut self, keep: bool) -> Result<()> {
        let plan = &mut self.plan;
        let others = match keep {
            true => Others::StayBut(&self.file),
            false => Others::Go,
        };
        let (steps, mistakes) = (plan.steps.len(), plan.mistakes.len());
        plan.careful = keep;
        plan.busy.clear();
        plan.surveyed = false;
        loop {
            plan.expand(&self.file);
            let compared = plan.compare(others);
            if plan.surveyed || !plan.unsure.get() {
                return compared;
            }
            plan.surveyed = true;
            if living_subflows(self.buffer, &mut plan.busy).is_err() {
                // It is unknown whether something would be lost: all stay.
                for existing in &plan.present {
                    plan.busy.push(key_of(existing));
                }
            }
            plan.steps.truncate(steps);
            plan.mistakes.truncate(mistakes);
        }
    }

    /// Carries out the plan.
    fn carry_out(&mut self, path_manager: &mut PathManager) -> Result<()> {
        carry_out(path_manager, &mut self.plan, &self.file.settings)
    }

    /// Prints what was done, if `prints`, and reports what was not, unless it was reported
    /// last time.
    #[inline(never)]
    fn account(&mut self, path_manager: &mut PathManager, out: &mut Output, prints: bool) {
        let complaints = &mut self.complaints;
        for mistake in &self.plan.mistakes {
            complaints.report(mistake, &mut self.reporter);
            complaints.failed |= mistake.status() != 0;
        }
        let settings = &self.file.settings;
        self.plan.refusals.reverse();
        for step in &self.plan.steps {
            if !step.refused {
                if prints && step.action != Action::Held {
                    print(out, path_manager, &mut self.names, settings, step);
                }
                continue;
            }
            let Some(mut error) = self.plan.refusals.pop() else {
                continue;
            };
            complaints.failed = true;
            // For an endpoint, whatever id was tried.
            let line = if step.has_endpoint() { 0 } else { step.line };
            if complaints.is_new(&error, line, key_of(&step.endpoint)) {
                if error.status() != 0 {
                    error = within(path_manager, settings, step, error);
                }
                self.reporter.report(&error.at(step.line));
            }
        }
        self.plan.steps.clear();
    }

    /// Reports lines whose interface does not exist, with the name that may have been
    /// meant. With `later`, when it may still appear, only if there is such a name;
    /// otherwise as an error if the line is about a single address.
    #[inline(never)]
    fn check_names(&mut self, later: bool) {
        for declared in &self.file.endpoints {
            if declared.dev.is_empty() || declared.lacking.get() || !declared.indexes.is_empty() {
                continue;
            }
            let dev = declared.dev.as_bytes();
            let mut near = Near::new(dev);
            for (_, name) in self.names.all() {
                near.offer(name);
            }
            let near = near.found();
            let mut error;
            if !later && !declared.spread {
                error = Error::invalid(&declared.dev, "device does not exist");
            } else if later && near.is_empty() {
                continue;
            } else {
                let what: &[u8] = if is_pattern(&declared.dev) {
                    b"no interface has a name like \""
                } else {
                    b"there is no interface \""
                };
                error = Error::warning(what);
                error.push(dev);
                error.push(b"\"");
                if !near.is_empty() {
                    error.push(b" (did you mean \"");
                    error.push(&near);
                    error.push(b"\"?)");
                }
            }
            self.reporter.report(&error.at(declared.line));
        }
    }
}

/// What was complained about in the last round, and in this one: a number for each.
#[derive(Default)]
struct Complaints {
    before: Vec<Key>,
    about: Vec<Key>,
    /// Something is to be retried.
    failed: bool,
}

impl Complaints {
    /// A round is over: further complaints belong to the next one.
    fn turn(&mut self) {
        core::mem::swap(&mut self.before, &mut self.about);
        self.about.clear();
    }

    /// Reports what was not complained about last time.
    fn report(&mut self, error: &Error, reporter: &mut Reporter) {
        if self.is_new(error, error.line(), 0) {
            reporter.report(error);
        }
    }

    /// Whether a complaint, about a line or none and an address or none, was not made last
    /// time.
    fn is_new(&mut self, error: &Error, line: u32, address: Key) -> bool {
        // FNV-1a, 64 bits: two of the few texts of a round do not get the same number.
        let mut about = 0xcbf2_9ce4_8422_2325 ^ u64::from(line);
        for byte in error.plain() {
            about = (about ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
        let about = address ^ Key::from(about);
        self.about.push(about);
        !self.before.contains(&about)
    }
}

/// The index of the interface that `dev` names, if there is one.
fn index_of(fd: &Fd, dev: &str) -> Result<Option<u32>> {
    if let Some(index) = as_index(dev) {
        return Ok(Some(index).filter(|index| interface::exists(fd, *index)));
    }
    match sys::interface_index(fd, dev.as_bytes()) {
        Ok(index) => Ok(Some(index)),
        Err(Errno(number)) if number == libc::ENODEV as usize => Ok(None),
        Err(error) => Err(Error::answer(error).about(dev)),
    }
}

/// Adds the local addresses of live subflows.
#[inline(never)]
fn living_subflows(buffer: Option<u32>, into: &mut Vec<Key>) -> Result<()> {
    let mut diagnostics = Diagnostics::open(buffer)?;
    survey(&mut diagnostics, &mut |found| {
        match found {
            Found::Subflow { socket, .. } if is_alive(socket.state()) => {
                into.push(socket.ends()[0].number);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(())
}

/// Prints a step: as a command, or as an object.
#[inline(never)]
fn print(
    out: &mut Output,
    path_manager: &mut PathManager,
    names: &mut Names,
    settings: &[Setting],
    step: &Step,
) {
    let name = name_of(path_manager, names, &step.endpoint);
    out.begin_record("");
    if !out.style.json {
        step.print(out.buffer(), settings, name);
        return out.end_record();
    }
    out.json_string("action", step.name().as_bytes());
    if step.line != 0 {
        out.json_number("line", step.line.into());
    }
    if let Some((name, value)) = step.setting(settings) {
        out.json_string("name", name.as_bytes());
        out.json_string("value", value);
    }
    for (name, _, value) in &crate::grammar::limits::each(&step.limits) {
        if let Some(value) = value {
            out.json_number(name, (*value).into());
        }
    }
    if step.has_endpoint() {
        let mut endpoint = step.endpoint;
        if step.replaces() && step.id() == 0 {
            endpoint = endpoint.with_id(step.had);
        }
        members(out, &endpoint, name);
    }
    out.end_record();
}
