//! Carrying out steps, all or none of them.

use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags, Limits};

use super::{command, entries};
use crate::command::endpoint::{delete_id, Names};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits::LimitWords;
use crate::kernel::PathManager;
use crate::output::number;
use crate::plan::{Action, Entry, Step};

/// A step that the kernel refused.
#[derive(Debug)]
pub struct Refused {
    /// Which one.
    pub step: usize,
    /// Why.
    pub error: Error,
}

/// Carries out the steps that lead from the endpoints `present`.
///
/// When the kernel refuses one, those before it are undone in reverse, and
/// the error says so; `lenient` goes on instead. What was left out is in
/// `left`: refused steps, where that is allowed, and endpoints of those that
/// an interface stands for, where the kernel has no room for more.
pub fn carry_out(
    path_manager: &mut PathManager,
    steps: &[Step],
    present: &[Entry],
    limits: &Limits,
    lenient: bool,
    left: &mut Vec<Refused>,
) -> core::result::Result<(), Refused> {
    let mut now = *limits;
    for (at, step) in steps.iter().enumerate() {
        let Err(error) = change(path_manager, step, &mut now) else {
            continue;
        };
        let no_room = error.errno() == libc::ERANGE as u32;
        if lenient || step.spread && no_room {
            left.push(Refused { step: at, error });
            continue;
        }
        let mut names = Names::default();
        let mut error = error.within(&command(path_manager, &mut names, step));
        let mut undone = 0;
        let mut missing = Vec::new();
        let mut before = at;
        while let Some(step) = before.checked_sub(1).and_then(|at| steps.get(at)) {
            before -= 1;
            if left.iter().all(|left| left.step != before) {
                undo(path_manager, step, present, limits, &mut missing);
                undone += 1;
            }
        }
        explain(&mut error, path_manager, &mut names, undone, &missing);
        return Err(Refused { step: at, error });
    }
    Ok(())
}

fn explain(
    error: &mut Error,
    path_manager: &mut PathManager,
    names: &mut Names,
    undone: u64,
    missing: &[(Step, Error)],
) {
    if undone == 0 {
        return;
    }
    if missing.is_empty() {
        error.push(b"\nThe changes before it, ");
        error.push(number(undone).as_bytes());
        error.push(b", are undone: the kernel is left as it was.");
        return;
    }
    error.push(
        b"\nNot all changes before it could be undone. The kernel is as it was but for this:",
    );
    for (step, why) in missing {
        error.push(b"\n  ");
        error.push(&command(path_manager, names, step));
        error.push(b" (");
        error.push(why.plain());
        error.push(b")");
    }
}

fn refused(why: &str) -> Error {
    Error::new(Kind::Kernel, status::REFUSED, &["Error: ", why])
}

/// Makes one change. `limits` are those in force.
fn change(path_manager: &mut PathManager, step: &Step, limits: &mut Limits) -> Result<()> {
    let entry = &step.entry;
    match step.action {
        Action::Limits => {
            set_limits(path_manager, &step.limits)?;
            *limits = step.limits.over(*limits);
            Ok(())
        }
        Action::Flush => {
            path_manager.set(&request::flush_addresses)?;
            // Some kernels (6.9 to 6.16) forget a limit with it.
            if path_manager.limits()? == *limits {
                return Ok(());
            }
            set_limits(path_manager, &LimitWords::of(limits))
        }
        Action::Delete => delete_id(path_manager, entry.id).map(drop),
        Action::Change => set_flags(path_manager, entry.id, step.flags),
        Action::Add => add(path_manager, entry),
    }
}

fn set_limits(path_manager: &mut PathManager, to: &LimitWords) -> Result<()> {
    let limits = to.over(Limits::EMPTY);
    path_manager.set(&|buffer, family, seq| request::set_limits(buffer, family, seq, &limits))
}

fn set_flags(path_manager: &mut PathManager, id: u8, flags: EndpointFlags) -> Result<()> {
    let changed = Endpoint::EMPTY.with_id(id).with_flags(flags & CHANGEABLE);
    path_manager.set(&|buffer, family, seq| request::set_flags(buffer, family, seq, &changed))
}

/// The newest flag is dropped by kernels that do not know it: what they took
/// is looked at then.
fn add(path_manager: &mut PathManager, entry: &Entry) -> Result<()> {
    let endpoint = entry.endpoint();
    path_manager
        .set(&|buffer, family, seq| request::add_address(buffer, family, seq, &endpoint))?;
    if !entry.flags.contains(EndpointFlags::LAMINAR) {
        return Ok(());
    }
    match find(path_manager, entry)? {
        Some(found) if !found.flags.contains(EndpointFlags::LAMINAR) => {
            delete_id(path_manager, found.id)?;
            Err(refused("this kernel does not know the flag laminar."))
        }
        _ => Ok(()),
    }
}

fn find(path_manager: &mut PathManager, entry: &Entry) -> Result<Option<Entry>> {
    for there in &entries(path_manager)? {
        if there.clashes(entry) {
            return Ok(Some(*there));
        }
    }
    Ok(None)
}

/// Takes one change back. What cannot be made again is added to `missing`, as
/// the step that would do it.
fn undo(
    path_manager: &mut PathManager,
    step: &Step,
    present: &[Entry],
    limits: &Limits,
    missing: &mut Vec<(Step, Error)>,
) {
    let mut entry = step.entry;
    match step.action {
        Action::Limits => {
            let mut back = *step;
            back.limits = LimitWords::of(limits);
            make(path_manager, limits, missing, back);
        }
        Action::Delete => make(
            path_manager,
            limits,
            missing,
            Step::new(Action::Add, &entry),
        ),
        Action::Change => {
            entry.flags = step.flags;
            let mut back = Step::new(Action::Change, &entry);
            back.flags = step.entry.flags;
            make(path_manager, limits, missing, back);
        }
        Action::Add => match find(path_manager, &entry) {
            Ok(Some(found)) => make(
                path_manager,
                limits,
                missing,
                Step::new(Action::Delete, &found),
            ),
            Ok(None) => {}
            Err(error) => missing.push((Step::new(Action::Delete, &entry), error)),
        },
        Action::Flush => {}
    }
    for there in present {
        // One of the kernel's own, whose place it took. The kernel makes
        // those when it needs them, and for nobody: the refusal is told.
        let own = step.action == Action::Add && there.is_implicit() && there.clashes(&entry);
        if own || step.action == Action::Flush {
            make(path_manager, limits, missing, Step::new(Action::Add, there));
        }
    }
}

/// Makes a change; if it cannot be made it is added to `missing`.
fn make(
    path_manager: &mut PathManager,
    limits: &Limits,
    missing: &mut Vec<(Step, Error)>,
    step: Step,
) {
    if let Err(error) = change(path_manager, &step, &mut limits.clone()) {
        missing.push((step, error));
    }
}
