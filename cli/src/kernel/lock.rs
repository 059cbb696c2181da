//! One at a time in each network namespace.
//!
//! The lock is a socket with a name in the abstract name space of AF_UNIX:
//! each network namespace has names of its own, no file system is needed, and
//! whoever ends, however, gives its name up. Who has to wait connects to the
//! socket and is told by the kernel when that goes.

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd, Polled};
use crate::text::number;

const NAME: &[u8] = b"ip-mptcp/apply";
/// Longer than it takes to listen at a name that one has.
const LISTENING: u64 = 1000;
/// Longer than any set of changes takes.
const PATIENCE: u64 = 30_000;

/// The lock; once taken it is held until it is given back or dropped.
#[derive(Debug, Default)]
pub struct Lock(Option<Fd>);

impl Lock {
    /// Waits until nobody else in this network namespace holds it, for half a
    /// minute at most.
    pub fn take(&mut self) -> Result<()> {
        let mut end = 0;
        loop {
            match sys::own_name(NAME) {
                Ok(fd) => {
                    self.0 = Some(fd);
                    return Ok(());
                }
                Err(Errno(number)) if number == libc::EADDRINUSE as u32 => {}
                Err(error) => return Err(failed(error)),
            }
            let now = sys::milliseconds();
            if end == 0 {
                end = now + PATIENCE;
            }
            let left = end.saturating_sub(now);
            match sys::await_name(NAME) {
                Ok(holder) => match sys::peer(&holder) {
                    Ok((process, true)) if left == 0 => return Err(busy(process)),
                    Ok((_, true)) => sys::poll_all(&mut [Polled::read(&holder)], left as i32),
                    // Of one who may change nothing here it is worth nothing.
                    _ => return Ok(()),
                },
                Err(Errno(number)) => match number as i32 {
                    // Gone meanwhile, or not listening yet. We always do, at once.
                    libc::ECONNREFUSED | libc::EAGAIN if left + LISTENING < PATIENCE => {
                        return Ok(())
                    }
                    libc::ECONNREFUSED | libc::EAGAIN => sys::poll_all(&mut [], 1),
                    _ => Err(Errno(number)),
                },
            }
            .map_err(failed)?;
        }
    }

    /// Gives it back.
    pub fn release(&mut self) {
        self.0 = None;
    }
}

fn failed(error: Errno) -> Error {
    let what = ["Error: cannot lock the path manager against others"];
    Error::system(Kind::Kernel, status::FAILED, &what, error)
}

fn busy(process: u32) -> Error {
    let process = number(process.into());
    let what = ["Error: another apply is at work in this network namespace: process "];
    let mut error = Error::new(Kind::Kernel, status::FAILED, &what);
    error.push(process.as_bytes());
    error.with_errno(Errno(libc::EBUSY as u32))
}
