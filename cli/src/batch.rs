//! The commands of a file, one after another.

use core::mem::ManuallyDrop;

use crate::dispatch;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::batch::Line;
use crate::iproute2::{self, Caller};
use crate::output::{complain, Output};
use crate::session::Session;
use crate::sys::{self, Fd};

/// Runs the commands of a file.
#[inline(never)]
pub fn run(session: &mut Session, caller: &Caller, file: &str) -> Result<Status> {
    // The process ends after it: closing and freeing would only take time.
    let input = ManuallyDrop::new(if file == "-" {
        session.batch_input = true;
        Fd::STDIN
    } else {
        sys::open_joined(&[file.as_bytes()]).map_err(|error| {
            let text = "Cannot open file \"%\" for reading";
            Error::naming(Kind::File, status::FAILED, text, file).because(error)
        })?
    });
    let mut lines = ManuallyDrop::new(Lines::default());
    let mut line = Line::default();
    let mut worst = 0;
    let mut number = 0;
    loop {
        if !lines.has_line() {
            // A program that sends commands one by one waits for each answer before the next; a
            // file comes in a few pieces.
            session.out.flush()?;
        }
        let len = match lines.next(&input, &mut line, &mut number) {
            Ok(0) => return Ok(worst),
            Ok(len) => len,
            Err(error) => {
                let mut text = Error::new(Kind::File, status::FAILED, "Cannot read \"");
                text.push(file.as_bytes());
                text.push(b"\"");
                report(session, &text.because(error), file, number + 1);
                return Ok(worst.max(status::FAILED));
            }
        };
        if line.is_empty() {
            lines.start += len;
            continue;
        }
        let result = line.run(lines.rest(), &mut |words| run_line(session, *caller, words));
        lines.start += len;
        let answers = session.options.answer;
        if answers {
            answer(&mut session.out, number, &result);
            session.out.flush()?;
        }
        let error = match result {
            Ok(0) => continue,
            Ok(status) => ended(status),
            Err(error) => error,
        };
        if !answers {
            // Earlier output comes before the complaint where both go to the same place.
            session.out.flush()?;
            report(session, &error, file, number);
        }
        // A refusal counts as a failed line; a mistake keeps its status.
        worst = worst.max(match error.status() {
            status::USAGE => status::USAGE,
            _ => status::FAILED,
        });
        if !session.options.force && !answers {
            return Ok(worst);
        }
    }
}

/// Writes what is wrong with a line to standard error.
#[cold]
fn report(session: &Session, error: &Error, file: &str, line: u32) {
    complain(&error.report(session.options.json, Some((file, line))));
}

/// A command of a batch ended with a nonzero status and no error.
fn ended(status: Status) -> Error {
    let mut error = Error::new(Kind::Batch, status, "Error: the exit status is ");
    error.push(crate::text::number(status as u64).as_bytes());
    error
}

/// The result of a line of a batch, for a caller that waits for it: one line on the same
/// stream, after the output of the command.
fn answer(out: &mut Output, line: u32, result: &Result<Status>) {
    let (status, error) = match result {
        Ok(status) => (*status, None),
        Err(error) => (error.status(), Some(error)),
    };
    let json = out.style.json;
    let text = out.buffer();
    let [before_line, before_status, before_error]: [&[u8]; 3] = match json {
        true => [b"{\"line\":", b",\"status\":", b",\"error\":"],
        false => [b"line ", b" status ", b": "],
    };
    text.bytes(before_line);
    text.number(line.into());
    text.bytes(before_status);
    text.number(status as u64);
    if let Some(error) = error {
        text.bytes(before_error);
        if json {
            error.object(text, None);
        } else {
            // A usage text has many lines; an answer is one.
            for byte in error.message() {
                text.byte(if *byte == b'\n' { b' ' } else { *byte });
            }
            text.byte(b' ');
        }
    }
    if json {
        text.byte(b'}');
    }
    text.byte(b'\n');
}

fn run_line(session: &mut Session, mut caller: Caller, words: &[&str]) -> Result<Status> {
    let target = iproute2::line(&mut caller, words)?;
    dispatch::run(session, &caller, &target)
}

/// Longest line of a batch.
const LONGEST_LINE: usize = 1 << 16;

/// The lines of a file, read as they come.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    // start..filled has been read and not yet taken; up to `whole` it is complete lines.
    start: usize,
    whole: usize,
    filled: usize,
    ended: bool,
    begun: bool,
}

impl Lines {
    /// Whether the next line has already been read.
    fn has_line(&self) -> bool {
        self.start < self.whole
    }

    /// Whole lines that have been read and not taken; the very last line may lack its newline.
    fn rest(&mut self) -> &mut [u8] {
        let end = if self.ended { self.filled } else { self.whole };
        self.buffer.get_mut(self.start..end).unwrap_or(&mut [])
    }

    /// Waits for the next line, and puts a command together from it and its continuation
    /// lines; `number` becomes that of the last. Returns how many bytes they are, 0 at the end
    /// of the input.
    #[inline(never)]
    fn next(
        &mut self,
        input: &Fd,
        line: &mut Line,
        number: &mut u32,
    ) -> core::result::Result<usize, Errno> {
        let mut len = 0;
        line.clear();
        loop {
            // The next line may not have been read yet.
            while self.rest().len() <= len && !self.ended {
                self.fill(input)?;
            }
            if self.rest().len() <= len {
                if len > 0 {
                    line.end_of_file();
                }
                return Ok(len);
            }
            *number += 1;
            let (end, more) = line.take(self.rest(), len);
            len = end;
            if !more {
                return Ok(len);
            }
        }
    }

    fn fill(&mut self, input: &Fd) -> core::result::Result<(), Errno> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.filled == self.buffer.len() {
            if self.filled >= LONGEST_LINE {
                return Err(Errno(libc::EFBIG as usize));
            }
            // The first piece is fresh memory, which costs nothing to clear.
            let mut larger = vec![0; (2 * self.filled).max(16384)];
            if let Some(place) = larger.get_mut(..self.filled) {
                place.copy_from_slice(&self.buffer);
            }
            self.buffer = larger;
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or(&mut []);
        let got = sys::read(input, room)?;
        let new = room.get(..got).unwrap_or(&[]);
        self.whole = match new.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => self.filled + at + 1,
            None => 0,
        };
        self.filled += got;
        self.ended = got == 0;
        // A byte-order mark is not part of the first command.
        if !self.begun && (self.filled >= 3 || self.ended) {
            self.begun = true;
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.start = 3;
            }
        }
        Ok(())
    }
}
