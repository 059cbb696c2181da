//! Carrying out steps, all or none of them.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits::over;
use crate::kernel::{proc, Names, PathManager};
use crate::state::endpoint::{clashes, clashing, flags_of, id_of, index_of, is_implicit};
use crate::state::file::{put_setting, Mistake, Setting};
use crate::state::plan::{Action, Plan, Step};
use crate::sys;
use crate::text::{number, take, Text};

/// How steps are carried out.
#[derive(Copy, Clone, Debug, Default)]
pub struct Manner {
    /// A refusal does not hold up the others.
    pub lenient: bool,
    /// Others may have endpoints: an id is looked at before it is deleted.
    pub careful: bool,
}

/// Carries out the steps of the plan. Signals that would end the program wait
/// until they are done or undone.
///
/// When the kernel refuses one, those before it are undone in reverse, and
/// the error says so, unless that is to be lenient. What was left out has an
/// error in its step: refused steps, where that is allowed, and endpoints of
/// those that an interface stands for, where the kernel has no room for more.
pub fn carry_out(
    path_manager: &mut PathManager,
    plan: &mut Plan,
    settings: &mut [Setting],
    manner: Manner,
) -> core::result::Result<(), Mistake> {
    let _whole = sys::Whole::begin();
    let mut refused = None;
    for setting in &mut *settings {
        // Those after a refused one are not undone.
        setting.changes &= refused.is_none();
        if !setting.changes {
            continue;
        }
        let Err(error) = proc::set_mptcp(&setting.name, &setting.value) else {
            continue;
        };
        setting.changes = false;
        let mut command = Text::default();
        put_setting(&mut command, setting.name.as_bytes(), &setting.value);
        let mistake = Mistake {
            line: setting.line,
            error: Error::call(error).within(command.as_bytes()),
        };
        if manner.lenient {
            plan.refused.push(mistake);
        } else {
            refused = Some(mistake);
        }
    }
    let mut limits = plan.limits;
    let mut full = false;
    let mut count = 0;
    while refused.is_none() {
        let Plan { steps, present, .. } = &mut *plan;
        let Some(step) = steps.get_mut(count) else {
            return Ok(());
        };
        count += 1;
        if full && step.spread && !step.before.contains(EndpointFlags::IMPLICIT) {
            step.error = Some(Error::answer(Errno(libc::ERANGE as usize)));
            continue;
        }
        let Err(error) = change(path_manager, step, &mut limits, present, manner) else {
            continue;
        };
        let no_room = step.spread && error.errno() == libc::ERANGE as usize;
        full |= no_room;
        if manner.lenient || no_room || step.optional {
            step.error = Some(error);
            continue;
        }
        let line = step.line;
        let error = error.within(command(path_manager, step).as_bytes());
        count -= 1;
        refused = Some(Mistake { line, error });
    }
    match refused {
        None => Ok(()),
        Some(Mistake { line, error }) => {
            let mut undo = Undo {
                path_manager,
                plan,
                error,
                missing: false,
            };
            undo.all(settings, count);
            let error = undo.error;
            Err(Mistake { line, error })
        }
    }
}

/// Taking back what was done before a step was refused.
struct Undo<'a> {
    path_manager: &'a mut PathManager,
    plan: &'a Plan,
    /// Why it was refused, and what became of the steps before.
    error: Error,
    /// Something could not be undone.
    missing: bool,
}

impl Undo<'_> {
    /// Takes back settings and the first steps, the last first.
    fn all(&mut self, settings: &[Setting], steps: usize) {
        let mut undone = 0;
        let plan = self.plan;
        for step in plan.steps.get(..steps).unwrap_or(&[]).iter().rev() {
            if step.error.is_none() {
                self.step(step);
                undone += 1;
            }
        }
        for setting in settings.iter().rev() {
            if !setting.changes {
                continue;
            }
            if let Err(error) = proc::set_mptcp(&setting.name, &setting.before) {
                let mut command = Text::default();
                put_setting(&mut command, setting.name.as_bytes(), &setting.before);
                self.miss(command.as_bytes(), &Error::call(error));
            }
            undone += 1;
        }
        if undone != 0 && !self.missing {
            self.error.push(b"\nThe changes before it, ");
            self.error.push(number(undone).as_bytes());
            self.error
                .push(b", are undone: the kernel is left as it was.");
        }
    }

    /// Takes one change back.
    fn step(&mut self, step: &Step) {
        let mut back = Step::new(step.action, &step.endpoint);
        let mut found = Ok(true);
        match step.action {
            Action::Limits => back.limits = self.plan.limits,
            Action::Flush => {
                for existing in &self.plan.present {
                    self.make(&Step::new(Action::Add, existing));
                }
                return;
            }
            Action::Delete => back.action = Action::Add,
            Action::Change => back.endpoint = back.endpoint.with_flags(step.before),
            Action::Add => {
                back.action = Action::Delete;
                found = find(self.path_manager, &mut back.endpoint);
            }
        }
        match found {
            Ok(true) => self.make(&back),
            Ok(false) => {}
            Err(error) => {
                let command = command(self.path_manager, &back);
                self.miss(command.as_bytes(), &error);
            }
        }
        // One of the kernel's own, whose place it took. The kernel makes those
        // when it needs them, never on request: the refusal is reported.
        match clashing(&self.plan.present, &step.endpoint) {
            Some(existing) if step.action == Action::Add && is_implicit(existing) => {
                self.make(&Step::new(Action::Add, existing));
            }
            _ => {}
        }
    }

    /// Makes a change, or reports that it is missing.
    fn make(&mut self, step: &Step) {
        let mut limits = self.plan.limits;
        let manner = Manner::default();
        if let Err(error) = change(self.path_manager, step, &mut limits, &[], manner) {
            let command = command(self.path_manager, step);
            self.miss(command.as_bytes(), &error);
        }
    }

    /// A change that would have to be made could not be.
    fn miss(&mut self, command: &[u8], why: &Error) {
        if !self.missing {
            self.missing = true;
            self.error.push(
                b"\nNot all changes before it could be undone. \
                  The kernel is as it was but for this:",
            );
        }
        self.error.push(b"\n  ");
        self.error.push(command);
        self.error.push(b" (");
        self.error.push(why.plain());
        self.error.push(b")");
    }
}

/// Makes one change. `limits` are those in force. What seems to be refused may
/// be done: an answer can be lost, and others may have been quicker. So the
/// kernel is looked at before that is believed.
#[inline(never)]
fn change(
    path_manager: &mut PathManager,
    step: &Step,
    limits: &mut Limits,
    present: &[Endpoint],
    manner: Manner,
) -> Result<()> {
    let Err(error) = try_change(path_manager, step, limits, manner) else {
        return Ok(());
    };
    let final_ = matches!(error.errno() as i32, libc::ERANGE | libc::EPERM);
    if !final_ && is_done(path_manager, step, present).unwrap_or(false) {
        if step.action == Action::Limits {
            *limits = over(*limits, &step.limits);
        }
        return Ok(());
    }
    Err(error)
}

fn try_change(
    path_manager: &mut PathManager,
    step: &Step,
    limits: &mut Limits,
    manner: Manner,
) -> Result<()> {
    let endpoint = &step.endpoint;
    match step.action {
        Action::Limits => {
            path_manager.set_limits(&step.limits)?;
            *limits = over(*limits, &step.limits);
            Ok(())
        }
        Action::Flush => {
            path_manager.flush()?;
            // Some kernels (6.9 to 6.16) forget a limit with it.
            if path_manager.limits()? == *limits {
                return Ok(());
            }
            path_manager.set_limits(limits)
        }
        Action::Delete => {
            if manner.careful {
                let mut found = Vec::new();
                path_manager.endpoint(id_of(endpoint), &mut found)?;
                if clashing(&found, endpoint).is_none() {
                    // Somebody else has the id now.
                    return Ok(());
                }
            }
            path_manager.delete_id(id_of(endpoint))
        }
        Action::Change => path_manager.set_flags(id_of(endpoint), flags_of(endpoint) & CHANGEABLE),
        Action::Add => add(path_manager, endpoint),
    }
}

/// Whether the kernel holds what a step was to make.
#[cold]
#[inline(never)]
fn is_done(path_manager: &mut PathManager, step: &Step, present: &[Endpoint]) -> Result<bool> {
    if step.action == Action::Limits {
        let found = path_manager.limits()?;
        return Ok(over(found, &step.limits) == found);
    }
    let mut found = Vec::new();
    entries(path_manager, &mut found)?;
    let endpoint = &step.endpoint;
    let holder = clashing(&found, endpoint);
    let same_id = |existing: &Endpoint| id_of(existing) == id_of(endpoint);
    Ok(match step.action {
        Action::Flush => !present
            .iter()
            .any(|gone| found.iter().any(|existing| clashes(existing, gone))),
        Action::Delete => !holder.is_some_and(same_id),
        Action::Change => holder.is_some_and(|existing| {
            same_id(existing) && flags_of(existing) & CHANGEABLE == flags_of(endpoint) & CHANGEABLE
        }),
        _ => holder.is_some_and(|existing| {
            (id_of(endpoint) == 0 || same_id(existing))
                && flags_of(existing) == flags_of(endpoint)
                && index_of(existing) == index_of(endpoint)
        }),
    })
}

/// The newest flag is dropped by kernels that do not know it: what they took
/// is looked at then.
fn add(path_manager: &mut PathManager, endpoint: &Endpoint) -> Result<()> {
    path_manager.add(endpoint)?;
    let mut found = *endpoint;
    if flags_of(endpoint).contains(EndpointFlags::LAMINAR)
        && find(path_manager, &mut found)?
        && !flags_of(&found).contains(EndpointFlags::LAMINAR)
    {
        path_manager.delete_id(id_of(&found))?;
        let why = "Error: this kernel does not know the flag laminar.";
        return Err(Error::new(Kind::Kernel, status::REFUSED, &[why]));
    }
    Ok(())
}

/// Finds what the kernel made of an endpoint; returns whether it exists.
pub fn find(path_manager: &mut PathManager, endpoint: &mut Endpoint) -> Result<bool> {
    let mut present = Vec::new();
    entries(path_manager, &mut present)?;
    let existing = clashing(&present, endpoint);
    if let Some(existing) = existing {
        *endpoint = *existing;
    }
    Ok(existing.is_some())
}

/// All endpoints that the kernel holds.
pub fn entries(path_manager: &mut PathManager, entries: &mut Vec<Endpoint>) -> Result<()> {
    entries.clear();
    path_manager.endpoints(entries)?;
    entries.retain(|endpoint| endpoint.address().is_some());
    Ok(())
}

/// Looks up which of the settings that the file names are not as it says. Those
/// that cannot be read, or cannot be so, are refused.
#[inline(never)]
pub fn compare_settings(settings: &mut [Setting], refused: &mut Vec<Mistake>) {
    refused.clear();
    for setting in settings {
        let (line, name) = (setting.line, setting.name.as_str());
        setting.changes = false;
        if let Err(error) = proc::mptcp(&[name.as_bytes()], &mut setting.before) {
            let what = ["Error: cannot read net.mptcp.", name];
            let mut error = Error::system(Kind::File, status::FAILED, &what, error).about(name);
            if error.errno() == libc::ENOENT as usize {
                error = error.meant(&|near| {
                    let mut defaults = proc::MPTCP_DEFAULTS;
                    while !defaults.is_empty() {
                        near.offer(take(&mut take(&mut defaults, b'\n'), b' '));
                    }
                });
            }
            refused.push(Mistake { line, error });
            continue;
        }
        if same_value(&setting.before, &setting.value) {
            continue;
        }
        // Schedulers and path managers are listed.
        let mut offered = Vec::new();
        let list: [&[u8]; 3] = [b"available_", name.as_bytes(), b"s"];
        if proc::mptcp(&list, &mut offered).is_ok()
            && offered
                .split(|byte| *byte == b' ')
                .all(|word| word != setting.value)
        {
            let value = core::str::from_utf8(&setting.value).unwrap_or("");
            let mut error = Error::invalid(value, "this kernel offers ");
            error.push(&offered);
            let error = error.with_status(status::REFUSED);
            refused.push(Mistake { line, error });
            continue;
        }
        setting.changes = true;
    }
}

/// Whether two values are the same, as numbers or as they are.
fn same_value(one: &[u8], other: &[u8]) -> bool {
    let digits = |value: &[u8]| value.iter().all(u8::is_ascii_digit);
    one == other || digits(one) && digits(other) && without_zeros(one) == without_zeros(other)
}

fn without_zeros(mut digits: &[u8]) -> &[u8] {
    while let [b'0', rest @ ..] = digits {
        digits = rest;
    }
    digits
}

/// The command of a step.
pub fn command(path_manager: &mut PathManager, step: &Step) -> Text {
    let mut text = Text::default();
    step.print(
        &mut text,
        name_of(path_manager, &mut Names::default(), &step.endpoint),
    );
    text
}

/// The name of the interface of an endpoint; empty where it has none.
pub fn name_of<'n>(
    path_manager: &mut PathManager,
    names: &'n mut Names,
    endpoint: &Endpoint,
) -> &'n [u8] {
    match index_of(endpoint) {
        0 => &[],
        index => names.get(path_manager.fd(), index),
    }
}
