//! Carrying out steps: all or none.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::kernel::{proc, Names, PathManager};
use crate::state::endpoint::{clashes, clashing, flags_of, id_of, index_of, is_implicit};
use crate::state::file::Setting;
use crate::state::plan::{differing, Action, Plan, Step};
use crate::sys;
use crate::text::{among, number, parse_number, take, Text};

/// Carries out the steps of the plan. Signals that would end the program stay pending until
/// they are done or undone.
///
/// If the kernel refuses one, those before it are undone in reverse, and the error says so,
/// unless the plan follows. What was left out is among the plan's refusals: a step that was
/// refused, where that is allowed, and one of several endpoints that an interface stands
/// for, if the kernel has no room for more.
pub fn carry_out(
    path_manager: &mut PathManager,
    plan: &mut Plan,
    settings: &[Setting],
) -> Result<()> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    let _whole = sys::Whole::begin();
    let (follows, careful, needs_rights) = (plan.follows, plan.careful, plan.needs_rights);
    let mut full = false;
    let mut count = 0;
    loop {
        let Plan {
            steps,
            present,
            refusals,
            ..
        } = &mut *plan;
        let Some(step) = steps.get_mut(count) else {
            return Ok(());
        };
        count += 1;
        let mut left_out = full && step.spread && !step.replaces();
        let mut refused = Ok(());
        if !left_out {
            refused = change(path_manager, step, settings, present, careful);
            let no_room = |error: &Error| error.errno() == libc::ERANGE as usize;
            left_out = step.spread && refused.as_ref().is_err_and(no_room);
        }
        if left_out {
            full = true;
            step.leave_out(refusals);
        } else if let Err(mut error) = refused {
            if !follows {
                error = within(path_manager, settings, step, error);
                if !step.optional {
                    let line = step.line;
                    return Err(undo(path_manager, plan, settings, count - 1, error).at(line));
                }
                error = error.with_status(0);
            } else if needs_rights
                && step.action != Action::Setting
                && error.errno() == libc::EPERM as usize
            {
                return Err(error);
            }
            step.refuse(error, refusals);
        }
    }
}

/// Undoes the first steps, the last one first, because a later one was refused, and adds the
/// outcome to its error.
#[cold]
#[inline(never)]
fn undo(
    path_manager: &mut PathManager,
    plan: &Plan,
    settings: &[Setting],
    steps: usize,
    error: Error,
) -> Error {
    let mut undo = Undo {
        path_manager,
        settings,
        error,
        missing: false,
    };
    let mut undone = 0;
    for step in plan.steps.get(..steps).unwrap_or(&[]).iter().rev() {
        if !step.refused {
            undo.step(plan, step);
            undone += 1;
        }
    }
    if undone != 0 && !undo.missing {
        undo.error.push(b"\nThe changes before it, ");
        undo.error.push(number(undone).as_bytes());
        undo.error
            .push(b", are undone: the kernel is left as it was.");
    }
    undo.error
}

/// Undoing what was done before a step was refused.
struct Undo<'a> {
    path_manager: &'a mut PathManager,
    settings: &'a [Setting],
    /// Why it was refused, and the outcome of undoing.
    error: Error,
    /// Something could not be undone.
    missing: bool,
}

impl Undo<'_> {
    /// Undoes one change.
    fn step(&mut self, plan: &Plan, step: &Step) {
        let mut back = Step::new(step.action, &step.endpoint);
        back.setting = step.setting;
        match step.action {
            Action::Setting => back.action = Action::Restore,
            Action::Delete => back.action = Action::Add,
            Action::Change => back.endpoint = back.endpoint.with_flags(step.before),
            Action::Add => {
                back.action = Action::Delete;
                match find(self.path_manager, &mut back.endpoint) {
                    Ok(true) => self.make(&back),
                    Ok(false) => {}
                    Err(error) => self.miss(&back, &error),
                }
            }
            _ => back.limits = plan.limits,
        }
        if !matches!(step.action, Action::Add | Action::Flush) {
            self.make(&back);
        }
        for existing in &plan.present {
            // An endpoint of the kernel itself, which it replaced. The kernel makes those
            // when it needs them, never on request: the refusal is reported.
            let replaced = || is_implicit(existing) && clashes(existing, &step.endpoint);
            if step.action == Action::Flush || step.action == Action::Add && replaced() {
                self.make(&Step::new(Action::Add, existing));
            }
        }
    }

    /// Makes a change, or reports it as missing.
    fn make(&mut self, step: &Step) {
        if let Err(error) = change(self.path_manager, step, self.settings, &[], false) {
            self.miss(step, &error);
        }
    }

    /// A change that had to be made could not be made.
    #[inline(never)]
    fn miss(&mut self, step: &Step, why: &Error) {
        if !self.missing {
            self.missing = true;
            self.error.push(
                b"\nNot all changes before it could be undone. \
                  The kernel is as it was but for this:",
            );
        }
        let command = command(self.path_manager, self.settings, step);
        let pieces: [&[u8]; 5] = [b"\n  ", command.as_bytes(), b" (", why.plain(), b")"];
        for piece in &pieces {
            self.error.push(piece);
        }
    }
}

/// Makes one change. What seems to be refused may be done: an answer can be lost, and others
/// may have been faster. So the kernel's state is checked before a refusal is believed.
#[inline(never)]
fn change(
    path_manager: &mut PathManager,
    step: &Step,
    settings: &[Setting],
    present: &[Endpoint],
    careful: bool,
) -> Result<()> {
    let Err(error) = try_change(path_manager, step, settings, careful) else {
        return Ok(());
    };
    let final_ = matches!(error.errno() as i32, libc::ERANGE | libc::EPERM);
    if !final_ && is_done(path_manager, step, present).unwrap_or(false) {
        return Ok(());
    }
    Err(error)
}

fn try_change(
    path_manager: &mut PathManager,
    step: &Step,
    settings: &[Setting],
    careful: bool,
) -> Result<()> {
    let endpoint = &step.endpoint;
    match step.action {
        Action::Setting | Action::Restore => match step.setting(settings) {
            Some((name, value)) => proc::set_mptcp(name.as_bytes(), value).map_err(Error::call),
            None => Ok(()),
        },
        Action::Limits => path_manager.set_limits(&step.limits),
        Action::Flush => {
            // Some kernels (6.9 to 6.16) forget a limit with it.
            let limits = path_manager.limits()?;
            path_manager.flush()?;
            if path_manager.limits()? == limits {
                return Ok(());
            }
            path_manager.set_limits(&limits)
        }
        Action::Delete => {
            // Another endpoint may have the id now.
            if careful && is_done(path_manager, step, &[])? {
                return Ok(());
            }
            path_manager.delete_id(id_of(endpoint))
        }
        Action::Change => path_manager.set_flags(id_of(endpoint), flags_of(endpoint) & CHANGEABLE),
        Action::Add => add(path_manager, endpoint),
        Action::Held => Ok(()),
    }
}

/// Whether the kernel holds what a step was to make.
#[cold]
#[inline(never)]
fn is_done(path_manager: &mut PathManager, step: &Step, present: &[Endpoint]) -> Result<bool> {
    let mut found = Vec::new();
    let compared = match step.action {
        Action::Setting | Action::Restore | Action::Held => return Ok(false),
        Action::Limits => {
            let left = differing(&path_manager.limits()?, &step.limits, 0, 0);
            return Ok(left == Limits::EMPTY);
        }
        Action::Flush | Action::Delete => EndpointFlags(0),
        Action::Change => CHANGEABLE,
        Action::Add => EndpointFlags(!0),
    };
    entries(path_manager, &mut found)?;
    if step.action == Action::Flush {
        let stays = |gone: &Endpoint| clashing(&found, gone).is_some();
        return Ok(!present.iter().any(stays));
    }
    let endpoint = &step.endpoint;
    let holds = clashing(&found, endpoint).is_some_and(|existing| {
        let differ = EndpointFlags(flags_of(existing).0 ^ flags_of(endpoint).0) & compared;
        (step.id() == 0 || id_of(existing) == step.id())
            && differ.0 == 0
            && (step.action != Action::Add || index_of(existing) == index_of(endpoint))
    });
    Ok(holds != (step.action == Action::Delete))
}

/// Kernels that do not know the newest flag ignore it: what they accepted is then read back.
fn add(path_manager: &mut PathManager, endpoint: &Endpoint) -> Result<()> {
    path_manager.add(endpoint)?;
    let mut found = *endpoint;
    if flags_of(endpoint).contains(EndpointFlags::LAMINAR)
        && find(path_manager, &mut found)?
        && !flags_of(&found).contains(EndpointFlags::LAMINAR)
    {
        path_manager.delete_id(id_of(&found))?;
        let why = "Error: this kernel does not know the flag laminar.";
        return Err(Error::new(Kind::Kernel, status::REFUSED, why));
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

/// All endpoints that the kernel has.
pub fn entries(path_manager: &mut PathManager, entries: &mut Vec<Endpoint>) -> Result<()> {
    entries.clear();
    path_manager.endpoints(entries)?;
    let mut at = 0;
    while let Some(endpoint) = entries.get(at) {
        if endpoint.address().is_some() {
            at += 1;
        } else {
            entries.swap_remove(at);
        }
    }
    Ok(())
}

/// Adds steps for the settings that differ from the file. Those that cannot be read, or cannot
/// have the value, are mistakes.
#[inline(never)]
pub fn compare_settings(settings: &mut [Setting], plan: &mut Plan) {
    plan.mistakes.clear();
    for (at, setting) in settings.iter_mut().enumerate() {
        let name = setting.name.as_str();
        let mut step = Step::new(Action::Setting, &Endpoint::EMPTY);
        (step.line, step.setting) = (setting.line, at);
        let mut offered = Vec::new();
        let value = setting.value.as_str();
        let mut error;
        if let Err(failed) = proc::mptcp(name.as_bytes(), &mut setting.before) {
            let text = "Error: cannot read net.mptcp.";
            error = Error::naming(Kind::File, status::FAILED, text, name).because(failed);
            if error.errno() == libc::ENOENT as usize {
                error = error.meant(&|near| {
                    let mut defaults = proc::MPTCP_DEFAULTS;
                    while !defaults.is_empty() {
                        near.offer(take(&mut take(&mut defaults, b'\n'), b' '));
                    }
                });
            }
        } else if same_value(sys::text(&setting.before).unwrap_or(""), value) {
            continue;
        } else if !is_offered(name, value, &mut offered) {
            error = Error::invalid(value, "this kernel offers ").with_status(status::REFUSED);
            error.push(&offered);
        } else {
            plan.steps.push(step);
            continue;
        }
        plan.mistakes.push(error.at(setting.line));
    }
}

/// Whether the kernel offers this value of a setting whose values it lists: schedulers and path
/// managers.
fn is_offered(name: &str, value: &str, offered: &mut Vec<u8>) -> bool {
    let list: [&[u8]; 4] = [proc::MPTCP_FOLDER, b"available_", name.as_bytes(), b"s"];
    proc::value(&list, offered);
    offered.is_empty() || among(sys::text(offered).unwrap_or(""), value)
}

/// Whether two values are the same, as text or as numbers, which the kernel reads as C does.
fn same_value(one: &str, other: &str) -> bool {
    one == other || parse_number(one).is_some_and(|number| parse_number(other) == Some(number))
}

/// An error about the command of a step.
#[cold]
#[inline(never)]
pub fn within(
    path_manager: &mut PathManager,
    settings: &[Setting],
    step: &Step,
    error: Error,
) -> Error {
    error.within(command(path_manager, settings, step).as_bytes())
}

/// The command of a step.
fn command(path_manager: &mut PathManager, settings: &[Setting], step: &Step) -> Text {
    let mut text = Text::default();
    let mut names = Names::default();
    let name = name_of(path_manager, &mut names, &step.endpoint);
    step.print(&mut text, settings, name);
    text
}

/// The name of the interface of an endpoint; empty if it has none.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel takes 010 for 8, and 0x10 for 16.
    #[test]
    fn values_of_settings_are_compared_as_the_kernel_reads_them() {
        for (one, other, same) in [
            ("120", "120", true),
            ("00", "0", true),
            ("0x78", "120", true),
            ("0170", "120", true),
            ("0120", "120", false),
            ("default", "default", true),
            ("default", "bpf", false),
            ("", "0", false),
        ] {
            assert_eq!(same_value(one, other), same, "{one} {other}");
        }
    }
}
