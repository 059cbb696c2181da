//! `apply`.

use mptcp_codec::generic;

use super::{called, carry_out, look, print, read, tell, View};
use crate::args::Apply;
use crate::command::endpoint::Names;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::number;
use crate::grammar::state::{File, Mistake};
use crate::kernel::sys::{self, Received};
use crate::kernel::{receive_error, Interfaces, Lock, Socket};
use crate::output::{address, complain};
use crate::plan::{self, Conflict, Others, Seen, Step};
use crate::session::Session;

pub fn run(session: &mut Session, apply: Apply) -> Result<u8> {
    let seconds = match apply.wait.as_deref() {
        None => None,
        Some(word) => Some(number(word).ok_or_else(|| {
            let why = "a number of seconds is expected";
            Error::invalid(word, why)
        })?),
    };
    let file = match read(session, &apply.file)? {
        Ok(file) => file,
        Err(status) => return Ok(status),
    };
    if let Some(seconds) = seconds {
        let missing = wait(session, &file, seconds)?;
        if !missing.is_empty() {
            return Ok(tell(session, &apply.file, &missing));
        }
    }
    let _lock = if apply.dry_run {
        None
    } else {
        Some(Lock::take()?)
    };
    let mut interfaces = interfaces(session, &file)?;
    let view = look(session.path_manager()?, interfaces.as_mut(), &file)?;
    let mut mistakes = Vec::new();
    let wish = plan::expand(&file, &view.seen, &view.present, false, &mut mistakes);
    if !mistakes.is_empty() {
        return Ok(tell(session, &apply.file, &mistakes));
    }
    let others = match apply.keep {
        true => Others::StayBut(&[]),
        false => Others::Go,
    };
    let mut steps = Vec::new();
    steps.extend(plan::limits_step(&file, &view.limits));
    if let Err(conflict) = plan::steps(&wish, &view.present, others, &mut steps) {
        return Ok(tell(session, &apply.file, &[kept(&conflict)]));
    }
    if apply.dry_run {
        list(session, &steps, &[])?;
        return Ok(match steps.is_empty() {
            true => 0,
            false => status::WOULD_CHANGE,
        });
    }
    change(session, &apply.file, &view, &steps)
}

fn change(session: &mut Session, file: &str, view: &View, steps: &[Step]) -> Result<u8> {
    let mut left = Vec::new();
    let path_manager = session.path_manager()?;
    let View {
        present, limits, ..
    } = view;
    let refused = carry_out(path_manager, steps, present, limits, false, &mut left).err();
    if let Some(refused) = refused {
        let line = steps.get(refused.step).map_or(0, Step::line);
        if line == 0 {
            return Err(refused.error);
        }
        let error = refused.error;
        return Ok(tell(session, file, &[Mistake { line, error }]));
    }
    for left in &left {
        if let Some(step) = steps.get(left.step) {
            complain(&no_room(file, step));
        }
    }
    if session.out.style.json {
        let left: Vec<usize> = left.iter().map(|left| left.step).collect();
        list(session, steps, &left)?;
    }
    Ok(0)
}

/// The warning about an address that is left out.
pub fn no_room(file: &str, step: &Step) -> Vec<u8> {
    let line = crate::output::number(step.line().into());
    let of = step.entry().map(|entry| address(entry.address));
    [
        b"Warning: ",
        called(file).as_bytes(),
        b":",
        line.as_bytes(),
        b": the kernel has no room for another endpoint: ",
        &of.unwrap_or_default(),
        b" is left out.\n",
    ]
    .concat()
}

/// An id that is wanted belongs to an endpoint that is to be kept.
pub fn kept(conflict: &Conflict) -> Mistake {
    let id = crate::output::number(conflict.holder.id.into());
    let holder = address(conflict.holder.address);
    let holder = core::str::from_utf8(&holder).unwrap_or("");
    Mistake {
        line: conflict.wanted.line,
        error: Error::invalid(
            id.as_str(),
            &["the id of ", holder, ", which is kept"].concat(),
        ),
    }
}

/// Prints the steps but for some.
fn list(session: &mut Session, steps: &[Step], but: &[usize]) -> Result<()> {
    let (path_manager, out) = session.path_manager_and_output()?;
    let mut names = Names::default();
    if out.style.json {
        out.begin_array("");
    }
    for (at, step) in steps.iter().enumerate() {
        if !but.contains(&at) {
            print(out, path_manager, &mut names, step)?;
        }
    }
    if out.style.json {
        out.end_array()?;
    }
    Ok(())
}

/// What asks for interfaces, if the file stands for addresses of some.
fn interfaces(session: &Session, file: &File) -> Result<Option<Interfaces>> {
    let spread = |declared: &crate::grammar::state::Declared| declared.said.address.is_none();
    if !file.endpoints.iter().any(spread) {
        return Ok(None);
    }
    Interfaces::open(session.receive_buffer()).map(Some)
}

/// `GENL_ID_CTRL`, the group in which families are announced.
const FAMILIES: u32 = 16;

/// Waits for MPTCP and for what the file names; returns what did not come.
fn wait(session: &mut Session, file: &File, seconds: u32) -> Result<Vec<Mistake>> {
    let end = sys::milliseconds() + u64::from(seconds) * 1000;
    let left = || {
        let left = end.saturating_sub(sys::milliseconds());
        // Not yet over is not 0, and longer than poll can wait is as long as it can.
        i32::try_from(left).unwrap_or(i32::MAX)
    };
    let families = Socket::listen(generic::PROTOCOL, session.receive_buffer(), &[FAMILIES])?;
    while let Err(error) = session.path_manager() {
        let left = left();
        if left == 0 || error.errno() != libc::ENOENT as u32 {
            return Err(error);
        }
        sys::poll([families.fd()], left).map_err(receive_error)?;
        let mut buffer = [0; 4096];
        let mut received = [Received::default(); 1];
        // What came says only that it is worth another look.
        while sys::receive(families.fd(), &mut buffer, &mut received, false).is_ok() {}
    }
    drop(families);
    let mut news = Interfaces::listen(session.receive_buffer())?;
    let mut asks = Interfaces::open(session.receive_buffer())?;
    loop {
        let mut seen = Seen {
            indexes: super::indexes(session.path_manager()?, file),
            ..Seen::default()
        };
        asks.look(&mut seen)?;
        let left = left();
        let missing = missing(file, &seen, seconds);
        if missing.is_empty() || left == 0 {
            return Ok(missing);
        }
        sys::poll([news.fd()], left).map_err(receive_error)?;
        news.news(&mut |_| ())?;
    }
}

/// What the file names and is not there.
fn missing(file: &File, seen: &Seen, seconds: u32) -> Vec<Mistake> {
    let mut missing = Vec::new();
    for (declared, index) in file.endpoints.iter().zip(&seen.indexes) {
        let Some(dev) = &declared.dev else { continue };
        let what = if *index == 0 {
            " s in vain for interface \""
        } else if declared.said.address.is_some()
            || plan::sources(declared, *index, seen).next().is_some()
        {
            continue;
        } else {
            " s in vain for an address of \""
        };
        let seconds = crate::output::number(seconds.into());
        let message = ["Error: waited ", seconds.as_str(), what, dev, "\""];
        missing.push(Mistake {
            line: declared.line,
            error: Error::new(Kind::Kernel, status::FAILED, &message).about(dev),
        });
    }
    missing
}
