//! What `watch` writes: it never waits for the reader.

use crate::sys::{self, Fd, Patience, Polled};
use crate::text::Text;

/// No more than this is kept for a reader that does not read.
const MOST: usize = 64 * 1024;

/// Standard output and standard error.
pub struct Log {
    json: bool,
    streams: [Stream; 2],
}

struct Stream {
    fd: Fd,
    text: Text,
    written: usize,
    /// Lines that found no room, or that could not be written.
    dropped: u64,
    patience: Patience,
}

impl Log {
    /// Nothing is kept yet.
    pub fn new(json: bool) -> Self {
        let stream = |fd: Fd| Stream {
            text: Text::default(),
            written: 0,
            dropped: 0,
            patience: Patience::of(&fd),
            fd,
        };
        Self {
            json,
            streams: [Fd::STDOUT, Fd::STDERR].map(stream),
        }
    }

    /// Writes lines, whole ones, or keeps them until there is room.
    pub fn write(&mut self, output: &[u8], errors: &[u8]) {
        for (stream, lines) in self.streams.iter_mut().zip([output, errors]) {
            if !lines.is_empty() {
                stream.add(self.json, lines);
            }
        }
    }

    /// What to wait for: that a reader has room again.
    pub fn polled(&self) -> [Polled; 2] {
        let [output, errors] = &self.streams;
        [output, errors].map(|stream| match stream.kept() {
            0 => Polled::read(&Fd::NONE),
            _ => Polled::write(&stream.fd),
        })
    }

    /// Writes what the readers take now.
    pub fn go_on(&mut self) {
        for stream in &mut self.streams {
            if stream.kept() > 0 {
                stream.write(self.json);
            }
        }
    }
}

impl Stream {
    fn kept(&self) -> usize {
        self.text.len() - self.written
    }

    #[inline(never)]
    fn add(&mut self, json: bool, lines: &[u8]) {
        if self.kept() + lines.len() > MOST {
            self.dropped += count(lines);
            return;
        }
        self.mention_dropped(json);
        self.text.bytes(lines);
        self.write(json);
    }

    /// Says how much is missing in this place.
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

    fn write(&mut self, json: bool) {
        while let Some(rest @ [_, ..]) = self.text.as_bytes().get(self.written..) {
            match sys::write_now(&self.fd, rest, &mut self.patience) {
                Ok(written) if written > 0 => self.written += written,
                Err(error) if error.0 == libc::EAGAIN as usize => {
                    if self.written > self.kept() {
                        self.text.remove_front(self.written);
                        self.written = 0;
                    }
                    return;
                }
                // A full disk, a reader that no longer exists: what was
                // missed is mentioned if that ever changes.
                _ => {
                    self.dropped += count(rest);
                    self.forget();
                    return;
                }
            }
        }
        self.forget();
        if self.dropped > 0 {
            self.mention_dropped(json);
            self.write(json);
        }
    }

    fn forget(&mut self) {
        self.text.clear();
        self.written = 0;
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}
