//! Carrying out steps, all or none of them.

use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags, Limits};

use super::{command, entries};
use crate::command::endpoint::{delete_id, Names};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits::LimitWords;
use crate::grammar::state::Mistake;
use crate::kernel::PathManager;
use crate::output::{number, Text};
use crate::plan::{Action, Entry, Plan, Step};

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
        if lenient || step.spread && error.errno() == libc::ERANGE as u32 {
            step.error = Some(error);
            continue;
        }
        let command = command(path_manager, &mut Names::default(), step);
        let mut error = error.within(command.as_bytes());
        let line = step.line;
        undo_all(path_manager, plan, at, &mut error);
        return Err(Mistake { line, error });
    }
    Ok(())
}

/// Takes back the first `count` steps, the last first. The error says so, and
/// what could not be undone.
fn undo_all(path_manager: &mut PathManager, plan: &Plan, count: usize, error: &mut Error) {
    let mut undone = 0;
    let mut missing = Text::default();
    for step in plan.steps.iter().take(count).rev() {
        if step.error.is_none() {
            undo(path_manager, step, plan, &mut missing);
            undone += 1;
        }
    }
    if undone == 0 {
        return;
    }
    if missing.as_bytes().is_empty() {
        error.push(b"\nThe changes before it, ");
        error.push(number(undone).as_bytes());
        error.push(b", are undone: the kernel is left as it was.");
    } else {
        error.push(
            b"\nNot all changes before it could be undone. \
              The kernel is as it was but for this:",
        );
        error.push(missing.as_bytes());
    }
}

/// Takes one change back. What cannot be made again is added to `missing`, as
/// the step that would do it.
fn undo(path_manager: &mut PathManager, step: &Step, plan: &Plan, missing: &mut Text) {
    let entry = &step.entry;
    let mut back = Step::new(step.action, entry);
    let found = match step.action {
        Action::Limits => {
            back.limits = plan.limits;
            Ok(true)
        }
        Action::Flush => Ok(false),
        Action::Delete => {
            back.action = Action::Add;
            Ok(true)
        }
        Action::Change => {
            back.entry.flags = step.before;
            Ok(true)
        }
        Action::Add => {
            back.action = Action::Delete;
            find(path_manager, &mut back.entry)
        }
    };
    match found {
        Ok(true) => make(path_manager, plan, &back, missing),
        Ok(false) => {}
        Err(error) => miss(path_manager, &back, &error, missing),
    }
    for there in &plan.present {
        // One of the kernel's own, whose place it took. The kernel makes
        // those when it needs them, and for nobody: the refusal is told.
        let own = step.action == Action::Add && there.is_implicit() && there.clashes(entry);
        if own || step.action == Action::Flush {
            make(path_manager, plan, &Step::new(Action::Add, there), missing);
        }
    }
}

/// Makes a change; if it cannot be made it is added to `missing`.
fn make(path_manager: &mut PathManager, plan: &Plan, step: &Step, missing: &mut Text) {
    if let Err(error) = change(path_manager, step, &mut plan.limits.clone()) {
        miss(path_manager, step, &error, missing);
    }
}

/// Adds a step that could not be done to what is missing.
fn miss(path_manager: &mut PathManager, step: &Step, why: &Error, missing: &mut Text) {
    missing.bytes(b"\n  ");
    missing.bytes(command(path_manager, &mut Names::default(), step).as_bytes());
    missing.bytes(b" (");
    missing.bytes(why.plain());
    missing.bytes(b")");
}

/// Makes one change. `limits` are those in force.
fn change(path_manager: &mut PathManager, step: &Step, limits: &mut LimitWords) -> Result<()> {
    let entry = &step.entry;
    match step.action {
        Action::Limits => {
            set_limits(path_manager, &step.limits)?;
            limits.add(&step.limits);
            Ok(())
        }
        Action::Flush => {
            path_manager.set(&request::flush_addresses)?;
            // Some kernels (6.9 to 6.16) forget a limit with it.
            if LimitWords::of(&path_manager.limits()?) == *limits {
                return Ok(());
            }
            set_limits(path_manager, limits)
        }
        Action::Delete => delete_id(path_manager, entry.id).map(drop),
        Action::Change => set_flags(path_manager, entry.id, entry.flags),
        Action::Add => add(path_manager, entry),
    }
}

fn set_limits(path_manager: &mut PathManager, to: &LimitWords) -> Result<()> {
    let limits = to.over(Limits::EMPTY);
    path_manager.set(&|buffer, family, seq| request::set_limits(buffer, family, seq, &limits))
}

/// Sets the flags that can be changed as they are in `flags`.
pub fn set_flags(path_manager: &mut PathManager, id: u8, flags: EndpointFlags) -> Result<()> {
    let changed = Endpoint::EMPTY.with_id(id).with_flags(flags & CHANGEABLE);
    path_manager.set(&|buffer, family, seq| request::set_flags(buffer, family, seq, &changed))
}

/// The newest flag is dropped by kernels that do not know it: what they took
/// is looked at then.
fn add(path_manager: &mut PathManager, entry: &Entry) -> Result<()> {
    let endpoint = entry.endpoint();
    path_manager
        .set(&|buffer, family, seq| request::add_address(buffer, family, seq, &endpoint))?;
    let mut found = *entry;
    if entry.flags.contains(EndpointFlags::LAMINAR)
        && find(path_manager, &mut found)?
        && !found.flags.contains(EndpointFlags::LAMINAR)
    {
        delete_id(path_manager, found.id)?;
        let why = "Error: this kernel does not know the flag laminar.";
        return Err(Error::new(Kind::Kernel, status::REFUSED, &[why]));
    }
    Ok(())
}

/// Finds what the kernel made of an endpoint; tells whether it is there.
fn find(path_manager: &mut PathManager, entry: &mut Entry) -> Result<bool> {
    let mut present = Vec::new();
    entries(path_manager, &mut present)?;
    for there in &present {
        if there.clashes(entry) {
            *entry = *there;
            return Ok(true);
        }
    }
    Ok(false)
}
