//! What the commands of a run share.

use crate::args::Options;
use crate::error::Result;
use crate::kernel::{self, PathManager};
use crate::output::Output;

/// What the commands of a run share.
#[derive(Debug, Default)]
pub struct Session {
    /// The options, without the command.
    pub options: Options,
    /// Standard output.
    pub out: Output,
    /// `-rcvbuf`, in bytes.
    pub receive_buffer: Option<u32>,
    path_manager: Option<PathManager>,
}

impl Session {
    /// The path manager: looked up when a command first needs it, kept for
    /// the batch.
    pub fn path_manager(&mut self) -> Result<&mut PathManager> {
        self.path_manager_and_output()
            .map(|(path_manager, _)| path_manager)
    }

    /// The path manager, and the output to print what it says.
    pub fn path_manager_and_output(&mut self) -> Result<(&mut PathManager, &mut Output)> {
        if self.path_manager.is_none() {
            self.path_manager = Some(PathManager::open(self.receive_buffer)?);
        }
        match &mut self.path_manager {
            Some(path_manager) => Ok((path_manager, &mut self.out)),
            None => Err(kernel::absent()),
        }
    }

    /// `-rcvbuf`, in bytes.
    pub fn receive_buffer(&self) -> Option<u32> {
        self.receive_buffer
    }
}
