//! `apply`.

use mptcp_codec::{generic, route};

use super::{carry_out, find_interfaces, look, print, Teller};
use crate::args::Apply;
use crate::command::endpoint::Names;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::number;
use crate::grammar::state::{Declared, File};
use crate::kernel::sys::{self, Polled};
use crate::kernel::{receive_error, Interfaces, Lock, CHANGES};
use crate::output::{complain, Text};
use crate::plan::{meant, Others, Plan, Seen, Step};
use crate::session::Session;

#[inline(never)]
pub fn run(session: &mut Session, apply: &Apply) -> Result<u8> {
    let mut teller = Teller::new(session, apply.file);
    let mut file = File::default();
    prepare(session, apply, &mut teller, &mut file)?;
    if teller.status != 0 {
    } else if apply.dry_run {
        make(session, apply, &mut teller, &mut file)?;
    } else {
        let _lock = Lock::take()?;
        make(session, apply, &mut teller, &mut file)?;
    }
    Ok(teller.status)
}

/// Reads the file, and waits for what it names if that is wanted.
fn prepare(
    session: &mut Session,
    apply: &Apply,
    teller: &mut Teller,
    file: &mut File,
) -> Result<()> {
    let mut seconds = None;
    if let Some(word) = apply.wait {
        seconds = number(word);
        if seconds.is_none() {
            return Err(Error::invalid(word, "a number of seconds is expected"));
        }
    }
    teller.read(file)?;
    match seconds {
        Some(seconds) if teller.status == 0 => wait(session, teller, file, seconds),
        _ => Ok(()),
    }
}

/// Makes of what is there what the file says.
#[inline(never)]
fn make(session: &mut Session, apply: &Apply, teller: &mut Teller, file: &mut File) -> Result<()> {
    let mut plan = Plan::default();
    // Interfaces matter if the file stands for addresses of some.
    if file.endpoints.iter().any(|declared| declared.spread) {
        Interfaces::open(session.receive_buffer())?.look(&mut plan.seen)?;
    }
    look(session.path_manager()?, file, &mut plan)?;
    for declared in &file.endpoints {
        if !declared.spread && !declared.dev.is_empty() && declared.entry.index == 0 {
            let error = Error::invalid(&declared.dev, "device does not exist");
            teller.tell(declared.line, &error);
        }
    }
    if teller.status != 0 {
        return Ok(());
    }
    plan.expand(file, false);
    plan.compare_limits(file);
    let others = match apply.keep {
        true => Others::StayBut(&[]),
        false => Others::Go,
    };
    if let Err(mistake) = plan.compare(others) {
        return teller.tell_refused(mistake);
    }
    if apply.dry_run {
        if !plan.steps.is_empty() {
            teller.status = status::WOULD_CHANGE;
        }
        return list(session, &plan.steps);
    }
    if let Err(refused) = carry_out(session.path_manager()?, &mut plan, false) {
        return teller.tell_refused(refused);
    }
    for step in &plan.steps {
        if step.error.is_some() {
            complain(no_room(teller, step).as_bytes());
        }
    }
    if session.out.style.json {
        list(session, &plan.steps)?;
    }
    Ok(())
}

/// The warning about an address that is left out.
pub fn no_room(teller: &Teller, step: &Step) -> Text {
    let mut text = Text::default();
    text.bytes(b"Warning: ");
    text.bytes(teller.name().as_bytes());
    text.byte(b':');
    text.number(step.line.into());
    text.bytes(b": the kernel has no room for another endpoint: ");
    text.address(step.entry.address);
    text.bytes(b" is left out.\n");
    text
}

/// Prints the steps but for those that were left out.
fn list(session: &mut Session, steps: &[Step]) -> Result<()> {
    let (path_manager, out) = session.path_manager_and_output()?;
    let mut names = Names::default();
    if out.style.json {
        out.begin_array("");
    }
    for step in steps {
        if step.error.is_none() {
            print(out, path_manager, &mut names, step)?;
        }
    }
    if out.style.json {
        out.end_array()?;
    }
    Ok(())
}

/// `GENL_ID_CTRL`, the group in which families are announced.
const FAMILIES: &[u32] = &[16];

/// Waits for MPTCP and for what the file names; what did not come is told.
#[inline(never)]
fn wait(session: &mut Session, teller: &mut Teller, file: &mut File, seconds: u32) -> Result<()> {
    let buffer = session.receive_buffer();
    let end = sys::milliseconds() + u64::from(seconds) * 1000;
    let mut families = Interfaces::listen(buffer, generic::PROTOCOL, FAMILIES)?;
    while let Err(error) = session.path_manager() {
        if error.errno() != libc::ENOENT as u32 || !await_news(&mut families, end)? {
            return Err(error);
        }
    }
    drop(families);
    let mut news = Interfaces::listen(buffer, route::PROTOCOL, CHANGES)?;
    let mut asks = Interfaces::open(buffer)?;
    let mut seen = Seen::new();
    loop {
        find_interfaces(session.path_manager()?, file);
        asks.look(&mut seen)?;
        let is_there = |declared: &Declared| lack(declared, &seen).is_empty();
        if file.endpoints.iter().all(is_there) || !await_news(&mut news, end)? {
            break;
        }
    }
    for declared in &file.endpoints {
        let what = lack(declared, &seen);
        if !what.is_empty() {
            let seconds = crate::output::number(seconds.into());
            let message = [
                "Error: waited ",
                seconds.as_str(),
                what,
                &declared.dev,
                "\"",
            ];
            let error = Error::new(Kind::Kernel, status::FAILED, &message).about(&declared.dev);
            teller.tell(declared.line, &error);
        }
    }
    Ok(())
}

/// Waits until something is new, whatever it is; false where the time is over.
fn await_news(news: &mut Interfaces, end: u64) -> Result<bool> {
    let left = end.saturating_sub(sys::milliseconds());
    if left == 0 {
        return Ok(false);
    }
    // Longer than poll can wait is as long as it can.
    let left = i32::try_from(left).unwrap_or(i32::MAX);
    sys::poll_all(&mut [Polled::read(news.fd())], left).map_err(receive_error)?;
    news.news(&mut |_| ())?;
    Ok(true)
}

/// What a line names that is not there, as the message has it; empty where all
/// is.
fn lack(declared: &Declared, seen: &Seen) -> &'static str {
    if declared.dev.is_empty() {
        ""
    } else if declared.entry.index == 0 {
        " s in vain for interface \""
    } else if !declared.spread || seen.iter().any(|of| meant(declared, seen, of).is_some()) {
        ""
    } else {
        " s in vain for an address of \""
    }
}
