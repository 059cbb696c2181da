//! Where the records of all namespaces go.

use super::wanted::Wanted;
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Result};
use crate::kernel::receive_error;
use crate::session::Session;
use crate::sys::{self, Fd, Polled};
use crate::zone::Zone;

/// What is kept before it is written as far as the reader takes it.
const PIECE: usize = 1 << 16;

/// Standard output, and what is to be shown there.
pub struct Screen<'s> {
    /// The run.
    pub session: &'s mut Session,
    /// The options of the command.
    pub args: &'s Options,
    /// What of the events is wanted.
    pub wanted: Wanted,
    /// Of the times of records, where they are wanted.
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

    /// Of a snapshot nothing is dropped: with our buffer full, the reader is
    /// waited for.
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

/// Waits until the reader of the output takes some, or a signal comes: whether
/// one has.
pub fn wait_for_reader() -> Result<bool> {
    let mut polled = [Polled::write(&Fd::STDOUT), Polled::interruption()];
    sys::poll_all(&mut polled, -1).map_err(broken)?;
    Ok(polled[1].is_ready())
}

/// Events cannot be received any more.
pub fn broken(error: Errno) -> Error {
    receive_error(error).with_status(status::RECEIVE)
}
