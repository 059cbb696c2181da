//! One process at a time in each network namespace.
//!
//! The lock must be separate for each network namespace, out of reach of processes without
//! rights over it, and released however its holder ends. A name in the abstract namespace
//! of AF_UNIX can be taken by anyone; a file below /run is shared by all namespaces. So it
//! is flock(2) on a file of /proc that can be opened only by processes that may also change
//! the network: that does not touch its content, and works even if /proc is read-only.
//! Without /proc there is no lock.

use core::ffi::CStr;

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd, Polled};

/// Mode 0600; it exists wherever MPTCP does.
const PLACE: &CStr = c"/proc/sys/net/ipv4/tcp_fastopen_key";
/// Longer than any set of changes takes, in milliseconds.
const PATIENCE: u64 = 30_000;
/// How long to wait between two attempts, at most.
const PAUSE: i32 = 20;

/// The lock; once taken it is held until it is released or dropped.
#[derive(Debug, Default)]
pub struct Lock(Option<Fd>);

impl Lock {
    /// Waits until no other process in this network namespace holds it, for at most half a
    /// minute. The wait also ends when there is something to read from `until`: the result
    /// is then false.
    pub fn take(&mut self, until: &Fd) -> Result<bool> {
        // A process that may not open it cannot change anything either.
        let Ok(file) = sys::open(PLACE) else {
            return Ok(true);
        };
        let mut end = 0;
        let mut pause = 1;
        while let Err(Errno(number)) = sys::lock(&file) {
            if number != libc::EWOULDBLOCK as usize {
                return Err(failed(Errno(number)));
            }
            let now = sys::milliseconds();
            if end == 0 {
                end = now + PATIENCE;
            }
            if now >= end {
                return Err(busy());
            }
            let mut polled = [Polled::read(until)];
            sys::poll_all(&mut polled, pause).map_err(failed)?;
            if polled.iter().any(Polled::is_ready) {
                return Ok(false);
            }
            pause = PAUSE.min(2 * pause);
        }
        self.0 = Some(file);
        Ok(true)
    }

    /// Releases it.
    pub fn release(&mut self) {
        self.0 = None;
    }
}

fn failed(error: Errno) -> Error {
    let what = "Error: cannot lock the path manager against others";
    Error::system(Kind::Kernel, status::FAILED, what, error)
}

fn busy() -> Error {
    let what = "Error: another apply, save or watch is changing this network namespace";
    Error::new(Kind::Kernel, status::FAILED, what).with_errno(Errno(libc::EBUSY as usize))
}
