//! A terminal that is redrawn in place.

use crate::errno::Errno;
use crate::sys::{self, Terminal};

/// The terminal of standard output.
#[derive(Debug)]
pub struct Screen(pub Terminal);

impl Screen {
    /// The terminal, if it can be drawn on and plain text is not asked for.
    pub fn find() -> Option<Self> {
        let term = sys::environment(b"TERM").unwrap_or_default();
        let plain = sys::environment(b"NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain || term.is_empty() || term == b"dumb" {
            return None;
        }
        Terminal::find().map(Self)
    }

    /// The keys that were pressed; 0 for those that send an escape sequence.
    pub fn keys(&mut self, keys: &mut [u8; 32]) {
        match self.0.read(keys) {
            Ok(1..) => {}
            // Another program has read them.
            Err(Errno(number)) if number == libc::EAGAIN as usize => {}
            // The terminal has been hung up.
            _ => self.0.has_keys = false,
        }
        // Arrow keys and others send an escape, usually a bracket, and a letter at
        // the end.
        let mut sequence = false;
        let mut bracket = false;
        for key in keys {
            let byte = core::mem::take(key);
            match byte {
                0x1b => (sequence, bracket) = (true, false),
                b'[' | b'O' if sequence && !bracket => bracket = true,
                _ if !sequence => *key = byte,
                _ => sequence = bracket && !matches!(byte, 0x40..=0x7e),
            }
        }
    }

    /// Stops the program, with the terminal restored meanwhile.
    pub fn stop(&self) {
        self.0.release();
        sys::stop();
        self.0.take();
    }
}
