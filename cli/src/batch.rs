//! The commands of a file, one after the other.

use crate::dispatch;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::batch::Line;
use crate::iproute2::{self, Caller};
use crate::output::{complain, Output};
use crate::session::Session;
use crate::sys::{self, Fd};
use crate::text::Text;

/// Runs the commands of a file.
#[inline(never)]
pub fn run(session: &mut Session, caller: &Caller, file: &str) -> Result<Status> {
    let opened;
    let input = if file == "-" {
        session.batch_input = true;
        &Fd::STDIN
    } else {
        opened = sys::open_joined(&[file.as_bytes()]).map_err(|error| {
            let message = ["Cannot open file \"", file, "\" for reading"];
            Error::system(Kind::File, status::FAILED, &message, error).about(file)
        })?;
        &opened
    };
    let mut worst = 0;
    let mut lines = Lines::default();
    let mut line = Line::default();
    let mut number = 0;
    let unreadable = |error: Errno, json: bool, number: u32| {
        let what = ["Cannot read \"", file, "\""];
        let error = Error::system(Kind::File, status::FAILED, &what, error);
        complain(&error.report(json, Some((file, number))));
        status::FAILED
    };
    loop {
        if !lines.has_line() {
            // Whoever sends commands one by one wants the answer before the
            // next; a file comes in few pieces.
            session.out.flush()?;
            match lines.wait(input) {
                Ok(true) => {}
                Ok(false) => return Ok(worst),
                Err(error) => {
                    return Ok(worst.max(unreadable(error, session.options.json, number + 1)));
                }
            }
        }
        number += 1;
        line.clear();
        let len = match lines.join(input, &mut line, &mut number) {
            Ok(len) => len,
            Err(error) => {
                return Ok(worst.max(unreadable(error, session.options.json, number + 1)));
            }
        };
        if line.is_empty() {
            lines.start += len;
            continue;
        }
        let result = line.run(lines.rest(), &mut |words| run_line(session, *caller, words));
        lines.start += len;
        if session.options.answer {
            answer(&mut session.out, number, &result);
            session.out.flush()?;
        }
        let error = match result {
            Ok(0) => continue,
            Ok(status) => ended(status),
            Err(error) => error,
        };
        let failed = error.status();
        if !session.options.answer {
            // What went before stands in front of the complaint, where both go
            // to the same place.
            session.out.flush()?;
            complain(&error.report(session.options.json, Some((file, number))));
        }
        // A refusal counts as a failed line, a mistake as what it is.
        worst = worst.max(if failed == status::USAGE {
            failed
        } else {
            status::FAILED
        });
        if !session.options.force && !session.options.answer {
            session.out.flush()?;
            return Ok(worst);
        }
    }
}

/// That a command of a batch ended with a status that is not 0, and no error.
fn ended(status: Status) -> Error {
    let number = crate::text::number(status as u64);
    let message = ["Error: the exit status is ", number.as_str()];
    Error::new(Kind::Batch, status, &message)
}

/// What became of a line of a batch, for a caller that waits for it: after the
/// output of its command, on the same stream, one line.
fn answer(out: &mut Output, line: u32, result: &Result<Status>) {
    let (status, error) = match result {
        Ok(status) => (*status, None),
        Err(error) => (error.status(), Some(error)),
    };
    if out.style.json {
        out.text("{\"line\":");
        out.number(line.into());
        out.text(",\"status\":");
        out.number(status as u64);
        if let Some(error) = error {
            out.text(",\"error\":");
            let mut object = Text::default();
            error.object(&mut object, None);
            out.bytes(object.as_bytes());
        }
        out.text("}\n");
        return;
    }
    out.text("line ");
    out.number(line.into());
    out.text(" status ");
    out.number(status as u64);
    if let Some(error) = error {
        out.text(": ");
        // A usage text has many lines, an answer is one.
        for part in error.message().split(|byte| *byte == b'\n') {
            out.bytes(part);
            out.text(" ");
        }
    }
    out.text("\n");
}

fn run_line(session: &mut Session, mut caller: Caller, words: &[&str]) -> Result<Status> {
    let target = iproute2::line(&mut caller, words)?;
    dispatch::run(session, &caller, target)
}

/// Longest line of a batch.
const LONGEST_LINE: usize = 1 << 16;

/// The lines of a file, read as they come.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    // What has been read and not yet taken is start..filled; up to `whole`
    // it is lines with their newlines.
    start: usize,
    whole: usize,
    filled: usize,
    ended: bool,
    begun: bool,
}

impl Lines {
    /// Whether the next line is here already.
    fn has_line(&self) -> bool {
        self.start < self.whole
    }

    /// Waits for the next line; returns whether there is one.
    fn wait(&mut self, input: &Fd) -> core::result::Result<bool, Errno> {
        while !self.has_line() && !self.ended {
            self.fill(input)?;
        }
        Ok(!self.rest().is_empty())
    }

    /// Whole lines that have been read and not taken; the last line of all may
    /// lack its newline.
    fn rest(&mut self) -> &mut [u8] {
        let end = if self.ended { self.filled } else { self.whole };
        self.buffer.get_mut(self.start..end).unwrap_or(&mut [])
    }

    /// Puts a command together from the next line, and those that belong to
    /// it; `number` is that of the first, then of the last. Returns how many
    /// bytes they are.
    fn join(
        &mut self,
        input: &Fd,
        line: &mut Line,
        number: &mut u32,
    ) -> core::result::Result<usize, Errno> {
        let mut len = 0;
        loop {
            let (end, more) = line.take(self.rest(), len);
            len = end;
            if !more {
                return Ok(len);
            }
            // The next one may not have been read.
            while self.rest().len() <= len && !self.ended {
                self.fill(input)?;
            }
            if self.rest().len() <= len {
                line.end_of_file();
                return Ok(len);
            }
            *number += 1;
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
