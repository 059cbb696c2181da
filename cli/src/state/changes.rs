//! Carrying out steps, all or none of them.

use mptcp_codec::mptcp::{EndpointFlags, Limits};

use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits::LimitWords;
use crate::kernel::{Names, PathManager};
use crate::state::file::Mistake;
use crate::state::plan::{clashing, Action, Entry, Plan, Step};
use crate::text::{number, Text};

/// Carries out the steps of the plan.
///
/// When the kernel refuses one, those before it are undone in reverse, and
/// the error says so; `lenient` goes on instead. What was left out has an
/// error in its step: refused steps, where that is allowed, and endpoints of
/// those that an interface stands for, where the kernel has no room for more.
pub fn carry_out(
    path_manager: &mut PathManager,
    plan: &mut Plan,
    lenient: bool,
) -> core::result::Result<(), Mistake> {
    let mut limits = plan.limits;
    for at in 0..plan.steps.len() {
        let Some(step) = plan.steps.get_mut(at) else {
            break;
        };
        let Err(error) = change(path_manager, step, &mut limits) else {
            continue;
        };
        let no_room = step.spread && error.errno() == libc::ERANGE as u32;
        if lenient || no_room {
            step.error = Some(error);
            continue;
        }
        let line = step.line;
        let error = error.within(command(path_manager, step).as_bytes());
        let mut undo = Undo {
            path_manager,
            plan,
            error,
            missing: false,
        };
        undo.all(at);
        let error = undo.error;
        return Err(Mistake { line, error });
    }
    Ok(())
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
    /// Takes back the first `count` steps, the last first.
    fn all(&mut self, count: usize) {
        let mut undone = 0;
        let plan = self.plan;
        for step in plan.steps.get(..count).unwrap_or(&[]).iter().rev() {
            if step.error.is_none() {
                self.step(step);
                undone += 1;
            }
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
        let entry = &step.entry;
        let mut back = Step::new(step.action, entry);
        let mut found = Ok(true);
        match step.action {
            Action::Limits => back.limits = self.plan.limits,
            Action::Flush => {
                for there in &self.plan.present {
                    self.make(&Step::new(Action::Add, there));
                }
                return;
            }
            Action::Delete => back.action = Action::Add,
            Action::Change => back.entry.flags = step.before,
            Action::Add => {
                back.action = Action::Delete;
                found = find(self.path_manager, &mut back.entry);
            }
        }
        match found {
            Ok(true) => self.make(&back),
            Ok(false) => {}
            Err(error) => self.miss(&back, &error),
        }
        // One of the kernel's own, whose place it took. The kernel makes those
        // when it needs them, and for nobody: the refusal is told.
        match clashing(&self.plan.present, entry) {
            Some(there) if step.action == Action::Add && there.is_implicit() => {
                self.make(&Step::new(Action::Add, there));
            }
            _ => {}
        }
    }

    /// Makes a change, or tells that it is missing.
    fn make(&mut self, step: &Step) {
        if let Err(error) = change(self.path_manager, step, &mut self.plan.limits.clone()) {
            self.miss(step, &error);
        }
    }

    /// A change that would have to be made could not be.
    fn miss(&mut self, step: &Step, why: &Error) {
        if !self.missing {
            self.missing = true;
            self.error.push(
                b"\nNot all changes before it could be undone. \
                  The kernel is as it was but for this:",
            );
        }
        self.error.push(b"\n  ");
        self.error.push(command(self.path_manager, step).as_bytes());
        self.error.push(b" (");
        self.error.push(why.plain());
        self.error.push(b")");
    }
}

/// Makes one change. `limits` are those in force.
fn change(path_manager: &mut PathManager, step: &Step, limits: &mut LimitWords) -> Result<()> {
    let entry = &step.entry;
    match step.action {
        Action::Limits => {
            path_manager.set_limits(&step.limits.over(Limits::EMPTY))?;
            limits.add(&step.limits);
            Ok(())
        }
        Action::Flush => {
            path_manager.flush()?;
            // Some kernels (6.9 to 6.16) forget a limit with it.
            let mut left = LimitWords::default();
            self::limits(path_manager, &mut left)?;
            if left == *limits {
                return Ok(());
            }
            path_manager.set_limits(&limits.over(Limits::EMPTY))
        }
        Action::Delete => path_manager.delete_id(entry.id),
        Action::Change => path_manager.set_flags(entry.id, entry.flags & CHANGEABLE),
        Action::Add => add(path_manager, entry),
    }
}

/// The newest flag is dropped by kernels that do not know it: what they took
/// is looked at then.
fn add(path_manager: &mut PathManager, entry: &Entry) -> Result<()> {
    path_manager.add(&entry.endpoint())?;
    let mut found = *entry;
    if entry.flags.contains(EndpointFlags::LAMINAR)
        && find(path_manager, &mut found)?
        && !found.flags.contains(EndpointFlags::LAMINAR)
    {
        path_manager.delete_id(found.id)?;
        let why = "Error: this kernel does not know the flag laminar.";
        return Err(Error::new(Kind::Kernel, status::REFUSED, &[why]));
    }
    Ok(())
}

/// Finds what the kernel made of an endpoint; tells whether it is there.
fn find(path_manager: &mut PathManager, entry: &mut Entry) -> Result<bool> {
    let mut present = Vec::new();
    entries(path_manager, &mut present)?;
    let there = clashing(&present, entry);
    if let Some(there) = there {
        *entry = *there;
    }
    Ok(there.is_some())
}

/// The endpoints there are.
pub fn entries(path_manager: &mut PathManager, entries: &mut Vec<Entry>) -> Result<()> {
    entries.clear();
    let mut endpoints = Vec::new();
    path_manager.endpoints(&mut endpoints)?;
    for endpoint in &endpoints {
        if let Some(address) = endpoint.address() {
            entries.push(Entry::of(endpoint, address));
        }
    }
    Ok(())
}

/// The limits in force.
#[inline(never)]
pub fn limits(path_manager: &mut PathManager, limits: &mut LimitWords) -> Result<()> {
    *limits = LimitWords::of(&path_manager.limits()?);
    Ok(())
}

/// The command of a step.
pub fn command(path_manager: &mut PathManager, step: &Step) -> Text {
    let mut text = Text::default();
    step.print(
        &mut text,
        name_of(path_manager, &mut Names::default(), &step.entry),
    );
    text
}

/// The name of the interface of an endpoint; empty where it has none.
pub fn name_of<'n>(
    path_manager: &mut PathManager,
    names: &'n mut Names,
    entry: &Entry,
) -> &'n [u8] {
    match entry.index {
        0 => &[],
        index => names.get(path_manager.fd(), index),
    }
}
