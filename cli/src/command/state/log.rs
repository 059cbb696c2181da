//! The output of `watch`, which never waits for the reader.

use crate::sys::{self, Fd, Patience, Polled};
use crate::text::Text;

/// The most that is kept for a reader that does not read.
const MOST: usize = 64 * 1024;

/// Standard output or standard error.
pub struct Stream {
    fd: Fd,
    text: Text,
    /// How many lines did not fit, or could not be written.
    dropped: u64,
    patience: Patience,
}

impl Stream {
    /// Nothing is kept yet.
    #[inline(never)]
    pub fn new(fd: Fd) -> Self {
        Self {
            text: Text::default(),
            dropped: 0,
            patience: Patience::of(&fd),
            fd,
        }
    }

    /// What to wait for: room at the reader.
    pub fn polled(&self) -> Polled {
        match self.text.len() {
            0 => Polled::read(&Fd::NONE),
            _ => Polled::write(&self.fd),
        }
    }

    /// Writes whole lines, or keeps them until there is room.
    #[inline(never)]
    pub fn add(&mut self, json: bool, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        if self.text.len() + lines.len() > MOST {
            self.dropped += count(lines);
            return;
        }
        self.mention_dropped(json);
        self.text.bytes(lines);
        self.write(json);
    }

    /// Says how many lines are missing at this point.
    fn mention_dropped(&mut self, json: bool) {
        if self.dropped == 0 {
            return;
        }
        if json {
            self.text.bytes(b"{\"dropped\":");
            self.text.number(self.dropped);
            self.text.bytes(b"}\n");
        } else {
            self.text.bytes(b"# ");
            self.text.number(self.dropped);
            self.text
                .bytes(b" lines were dropped here: they could not be written\n");
        }
        self.dropped = 0;
    }

    /// Writes as much as the reader accepts now.
    #[inline(never)]
    pub fn write(&mut self, json: bool) {
        loop {
            let text = self.text.as_bytes();
            if text.is_empty() && self.dropped > 0 {
                self.mention_dropped(json);
                continue;
            }
            if text.is_empty() {
                return;
            }
            match sys::write_now(&self.fd, text, &mut self.patience) {
                Ok(written) if written > 0 => self.text.remove_front(written),
                Err(error) if error.0 == libc::EAGAIN as usize => return,
                // A full disk, or a reader that no longer exists: what was lost is
                // mentioned if that ever changes.
                _ => {
                    self.dropped += count(text);
                    return self.text.clear();
                }
            }
        }
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}
