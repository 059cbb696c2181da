//! Where the records of all namespaces go.

use super::wanted::Wanted;
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Result};
use crate::kernel::receive_error;
use crate::session::Session;
use crate::sys::{self, Fd, Polled};
use crate::zone::Zone;

/// How much is kept before as much is written as the reader accepts.
const PIECE: usize = 1 << 16;

/// Standard output, and what is to be shown there.
pub struct Screen<'s> {
    /// The run.
    pub session: &'s mut Session,
    /// The options of the command.
    pub args: &'s Options,
    /// Which events are wanted.
    pub wanted: Wanted,
    /// The time zone of timestamps.
    pub zone: Zone,
    /// Our buffer is full: events are counted and dropped until half of it
    /// has been read.
    pub dropping: bool,
}

impl Screen<'_> {
    /// Whether snapshots are taken.
    pub fn has_snapshots(&self) -> bool {
        self.args.snapshot || self.args.resync
    }

    /// Nothing of a snapshot is dropped: if our buffer is full, waits for the reader.
    pub fn make_room(&mut self) -> Result<()> {
        let out = &mut self.session.out;
        while out.kept() >= PIECE {
            out.write_ready()?;
            if (out.kept() as u64) < self.wanted.buffer || wait_for_reader()? {
                break;
            }
        }
        Ok(())
    }
}

/// Waits until the reader of the output accepts some, or for a signal; returns whether
/// there was one.
pub fn wait_for_reader() -> Result<bool> {
    let mut polled = [Polled::write(&Fd::STDOUT), Polled::interruption()];
    sys::poll_all(&mut polled, -1).map_err(broken)?;
    Ok(polled[1].is_ready())
}

/// Events can no longer be received.
pub fn broken(error: Errno) -> Error {
    receive_error(error).with_status(status::RECEIVE)
}
