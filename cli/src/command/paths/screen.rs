//! A terminal that is drawn on in place.

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd, Terminal};
use crate::text::Text;

/// The terminal of standard output.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal,
    frame: Text,
    written: usize,
}

impl Screen {
    /// The terminal, if it can be drawn on and plain text is not asked for.
    pub fn find() -> Option<Self> {
        let term = sys::environment(b"TERM").unwrap_or_default();
        let plain = sys::environment(b"NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain || term.is_empty() || term == b"dumb" {
            return None;
        }
        let terminal = Terminal::find()?;
        Some(Self {
            terminal,
            frame: Text::default(),
            written: 0,
        })
    }

    /// Columns and lines.
    pub fn size(&self) -> (usize, usize) {
        let (columns, lines) = self.terminal.size().unwrap_or((80, 24));
        (columns.into(), lines.into())
    }

    /// All of the frame before has been written.
    pub fn is_idle(&self) -> bool {
        self.written >= self.frame.len()
    }

    /// Draws these lines over the previous ones. Nothing is cleared before it is
    /// overwritten, so that nothing flickers.
    pub fn draw(&mut self, lines: &[u8]) -> Result<()> {
        self.frame.clear();
        self.written = 0;
        self.frame.bytes(b"\x1b[H");
        let mut rest = lines.strip_suffix(b"\n").unwrap_or(lines);
        loop {
            let line = crate::text::take(&mut rest, b'\n');
            self.frame.bytes(line);
            self.frame.bytes(b"\x1b[K");
            if rest.is_empty() {
                break;
            }
            self.frame.bytes(b"\r\n");
        }
        self.frame.bytes(b"\x1b[J");
        self.write()
    }

    /// Writes what is left of the frame, as far as the terminal takes it now.
    pub fn write(&mut self) -> Result<()> {
        while let Some(rest @ [_, ..]) = self.frame.as_bytes().get(self.written..) {
            match self.terminal.write(rest) {
                Ok(written) => self.written += written,
                Err(Errno(number)) if number == libc::EAGAIN as usize => return Ok(()),
                Err(error) => {
                    let what = ["Error: cannot write to the terminal"];
                    return Err(Error::system(Kind::File, status::FAILED, &what, error));
                }
            }
        }
        Ok(())
    }

    /// The terminal, for waiting on it.
    pub fn fd(&self) -> &Fd {
        self.terminal.fd()
    }

    /// Keys can be read.
    pub fn has_keys(&self) -> bool {
        self.terminal.has_keys
    }

    /// The keys that were pressed, 0 in place of those that send a sequence.
    pub fn keys(&mut self) -> [u8; 32] {
        let mut keys = [0; 32];
        match self.terminal.read(&mut keys) {
            Ok(1..) => {}
            // Another program read them.
            Err(Errno(number)) if number == libc::EAGAIN as usize => {}
            // The terminal has been hung up.
            _ => self.terminal.has_keys = false,
        }
        // Arrow keys and others send an escape, usually a bracket, and a letter at
        // the end.
        let mut sequence = false;
        let mut bracket = false;
        for key in &mut keys {
            let byte = core::mem::take(key);
            match byte {
                0x1b => (sequence, bracket) = (true, false),
                b'[' | b'O' if sequence && !bracket => bracket = true,
                _ if !sequence => *key = byte,
                _ => sequence = bracket && !matches!(byte, 0x40..=0x7e),
            }
        }
        keys
    }

    /// Stops the program, the terminal being as it was before.
    pub fn stop(&self) {
        self.terminal.release();
        sys::stop();
        self.terminal.take();
    }

    /// Takes the terminal, or takes it again after another program used it.
    pub fn take(&self) {
        self.terminal.take();
    }
}
