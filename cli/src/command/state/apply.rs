//! `apply`.

use mptcp_codec::generic;

use super::{
    called, carry_out, indexes, look, news_and_answers, print, read, tell, tell_refused, Refused,
    View,
};
use crate::args::Apply;
use crate::command::endpoint::Names;
use crate::error::{join, status, Error, Kind, Result};
use crate::grammar::number;
use crate::grammar::state::{File, Mistake};
use crate::kernel::sys::{self, Received};
use crate::kernel::{receive_error, Interfaces, Lock, Socket};
use crate::output::{address, complain};
use crate::plan::{self, Conflict, Others, Seen, Step};
use crate::session::Session;

pub fn run(session: &mut Session, apply: &Apply) -> Result<u8> {
    let mut seconds = None;
    if let Some(word) = apply.wait {
        seconds = number(word);
        if seconds.is_none() {
            return Err(Error::invalid(word, "a number of seconds is expected"));
        }
    }
    let mut file = File::default();
    let status = read(session, apply.file, &mut file)?;
    if status != 0 {
        return Ok(status);
    }
    let mut mistakes = Vec::new();
    if let Some(seconds) = seconds {
        wait(session, &file, seconds, &mut mistakes)?;
        if !mistakes.is_empty() {
            return Ok(tell(session, apply.file, &mistakes));
        }
    }
    let mut lock = None;
    if !apply.dry_run {
        lock = Some(Lock::take()?);
    }
    let mut view = View::default();
    look_around(session, &file, &mut view)?;
    let wish = plan::expand(&file, &view.seen, &view.present, false, &mut mistakes);
    let others = match apply.keep {
        true => Others::StayBut(&[]),
        false => Others::Go,
    };
    let mut steps = Vec::new();
    plan::limits_step(&file, &view.limits, &mut steps);
    if mistakes.is_empty() {
        if let Err(conflict) = plan::steps(&wish, &view.present, others, &mut steps) {
            mistakes.push(kept(&conflict));
        }
    }
    if !mistakes.is_empty() {
        return Ok(tell(session, apply.file, &mistakes));
    }
    if apply.dry_run {
        list(session, &steps, &[])?;
        return Ok(match steps.is_empty() {
            true => 0,
            false => status::WOULD_CHANGE,
        });
    }
    let status = change(session, apply.file, &view, &steps);
    drop(lock);
    status
}

/// Looks at interfaces too if the file stands for addresses of some.
fn look_around(session: &mut Session, file: &File, view: &mut View) -> Result<()> {
    if file
        .endpoints
        .iter()
        .all(|line| line.said.address.is_some())
    {
        return look(session.path_manager()?, None, file, view);
    }
    let mut interfaces = Interfaces::open(session.receive_buffer())?;
    look(session.path_manager()?, Some(&mut interfaces), file, view)
}

fn change(session: &mut Session, file: &str, view: &View, steps: &[Step]) -> Result<u8> {
    let mut left = Vec::new();
    let path_manager = session.path_manager()?;
    let View {
        present, limits, ..
    } = view;
    if let Err(refused) = carry_out(path_manager, steps, present, limits, false, &mut left) {
        return tell_refused(session, file, steps, refused);
    }
    for left in &left {
        if let Some(step) = steps.get(left.step) {
            complain(&no_room(file, step));
        }
    }
    if session.out.style.json {
        list(session, steps, &left)?;
    }
    Ok(0)
}

/// The warning about an address that is left out.
pub fn no_room(file: &str, step: &Step) -> Vec<u8> {
    join(&[
        b"Warning: ",
        called(file).as_bytes(),
        b":",
        crate::output::number(step.line.into()).as_bytes(),
        b": the kernel has no room for another endpoint: ",
        &address(step.entry.address),
        b" is left out.\n",
    ])
}

/// An id that is wanted belongs to an endpoint that is to be kept.
pub fn kept(conflict: &Conflict) -> Mistake {
    let id = crate::output::number(conflict.holder.id.into());
    let holder = address(conflict.holder.address);
    let holder = core::str::from_utf8(&holder).unwrap_or("");
    Mistake {
        line: conflict.line,
        error: Error::invalid(
            id.as_str(),
            &["the id of ", holder, ", which is kept"].concat(),
        ),
    }
}

/// Prints the steps but for those that were left out.
fn list(session: &mut Session, steps: &[Step], left: &[Refused]) -> Result<()> {
    let (path_manager, out) = session.path_manager_and_output()?;
    let mut names = Names::default();
    if out.style.json {
        out.begin_array("");
    }
    for (at, step) in steps.iter().enumerate() {
        if left.iter().all(|left| left.step != at) {
            print(out, path_manager, &mut names, step)?;
        }
    }
    if out.style.json {
        out.end_array()?;
    }
    Ok(())
}

/// `GENL_ID_CTRL`, the group in which families are announced.
const FAMILIES: u32 = 16;

/// Waits for MPTCP and for what the file names; what did not come is added to
/// `missing`.
fn wait(
    session: &mut Session,
    file: &File,
    seconds: u32,
    missing: &mut Vec<Mistake>,
) -> Result<()> {
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
    let [mut news, mut asks] = news_and_answers(session)?;
    let mut seen = Seen::default();
    loop {
        seen.indexes = indexes(session.path_manager()?, file);
        asks.look(&mut seen)?;
        let left = left();
        missing.clear();
        find_missing(file, &seen, seconds, missing);
        if missing.is_empty() || left == 0 {
            return Ok(());
        }
        sys::poll([news.fd()], left).map_err(receive_error)?;
        news.news(&mut |_| ())?;
    }
}

/// What the file names and is not there.
fn find_missing(file: &File, seen: &Seen, seconds: u32, missing: &mut Vec<Mistake>) {
    for (declared, index) in file.endpoints.iter().zip(&seen.indexes) {
        let Some(dev) = &declared.dev else { continue };
        let has_one = || {
            let mut all = seen.addresses.iter();
            all.any(|of| seen.is_meant(of, declared, *index))
        };
        let what = if *index == 0 {
            " s in vain for interface \""
        } else if declared.said.address.is_some() || has_one() {
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
}
