//! From values to bytes: text, JSON and colours, without netlink.

mod item;
mod json;
mod record;
mod report;
mod units;
mod wrap;

use std::net::IpAddr;

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd, Patience};
use crate::text::Text;
pub use item::Item;
#[cfg(test)]
pub use json::documented;
pub use report::Report;
pub use units::Units;

/// Which colours suit the terminal's background.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Light text.
    Dark,
    /// Dark text.
    Light,
}

/// What is coloured.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Names of interfaces.
    Interface,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Something wrong.
    Wrong,
}

impl Palette {
    /// What ends a colour.
    pub const END: &'static str = "\x1b[0m";

    /// What begins a colour.
    pub fn start(self, colour: Colour) -> &'static str {
        match (self, colour) {
            (Self::Dark, Colour::Interface) => "\x1b[1;36m",
            (Self::Dark, Colour::Ipv4) => "\x1b[1;35m",
            (Self::Dark, Colour::Ipv6) => "\x1b[1;94m",
            (Self::Dark, Colour::Wrong) => "\x1b[1;31m",
            (Self::Light, Colour::Interface) => "\x1b[36m",
            (Self::Light, Colour::Ipv4) => "\x1b[35m",
            (Self::Light, Colour::Ipv6) => "\x1b[34m",
            (Self::Light, Colour::Wrong) => "\x1b[31m",
        }
    }
}

/// How output looks.
#[derive(Copy, Clone, Debug, Default)]
pub struct Style {
    /// `-json`.
    pub json: bool,
    /// `-pretty`: indented JSON.
    pub pretty: bool,
    /// `-oneline`: a backslash where a newline would be.
    pub oneline: bool,
    /// Colours, where wanted.
    pub palette: Option<Palette>,
    /// `-human-readable`, `-iec`: how amounts are written in text.
    pub units: Units,
}

/// How a field of a record looks in text: what precedes its name, what separates name and
/// value, and what follows the value; 0 for nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Form {
    before: Option<u8>,
    between: u8,
    after: u8,
}

impl Form {
    /// `name value `, as for endpoints.
    pub const WORDS: Self = Self::new(None, b' ', b' ');
    /// ` name=value`, as for events.
    pub const ASSIGNED: Self = Self::new(Some(b' '), b'=', 0);
    /// ` name value`, after a title.
    pub const TITLED: Self = Self::new(Some(b' '), b' ', 0);

    /// `name value` on a line of its own.
    pub fn line(oneline: bool) -> Self {
        Self::new(None, b' ', if oneline { b'\\' } else { b'\n' })
    }

    const fn new(before: Option<u8>, between: u8, after: u8) -> Self {
        Self {
            before,
            between,
            after,
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::WORDS
    }
}

/// The position in a JSON document.
#[derive(Clone, Debug, Default)]
struct Layout {
    depth: usize,
    // Something precedes at this level.
    follows: bool,
}

/// Where lines are broken.
#[derive(Debug, Default)]
struct Wrap {
    // The number of columns; 0 if lines are not broken.
    columns: usize,
    // Where the line begins in the text, and the last place where it may be broken.
    line: usize,
    part: usize,
    // Blanks at the beginning of continuation lines.
    indent: usize,
}

/// Standard output: one buffer, written when it is full or flushed.
#[derive(Debug, Default)]
pub struct Output {
    text: Text,
    /// How it looks.
    pub style: Style,
    // How much of the text has been written.
    written: usize,
    // Why the rest could not be written, until that is returned.
    failure: Option<Error>,
    // How to write without waiting; if set, nothing is written implicitly.
    patience: Option<Patience>,
    json: Layout,
    wrap: Wrap,
    /// How fields of records look in text.
    pub form: Form,
}

/// The buffer is written out when it holds this much.
const FULL: usize = 8192;

impl Output {
    /// Writes what is buffered, or returns why that failed now or earlier. If the reader is
    /// gone, the program ends as if by SIGPIPE.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(error) = self.failure.take() {
            self.forget();
            return Err(error);
        }
        self.write_out(&mut |rest| sys::write(&Fd::STDOUT, rest))
    }

    /// From now on keeps everything until it is written by [`Output::write_ready`], which never
    /// waits for the reader.
    pub fn keep(&mut self) {
        self.patience = Some(Patience::of(&Fd::STDOUT));
    }

    /// Ends that.
    pub fn stop_keeping(&mut self) {
        self.patience = None;
    }

    /// Discards what is kept.
    pub fn forget(&mut self) {
        self.text.clear();
        self.written = 0;
    }

    /// How much is kept.
    pub fn kept(&self) -> usize {
        self.text.len() - self.written
    }

    /// Writes as much as the reader accepts now.
    pub fn write_ready(&mut self) -> Result<()> {
        let mut patience = self.patience.unwrap_or(Patience::File);
        self.write_out(&mut |rest| sys::write_now(&Fd::STDOUT, rest, &mut patience))?;
        self.patience = Some(patience);
        Ok(())
    }

    /// Writes all of it, or as much as the reader accepts, by calls of `write`.
    pub fn write_out(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> core::result::Result<usize, Errno>,
    ) -> Result<()> {
        while let Some(rest @ [_, ..]) = self.text.as_bytes().get(self.written..) {
            match write(rest) {
                Ok(0) => return Err(write_error(Errno(libc::EIO as usize))),
                Ok(written) => self.written += written,
                Err(Errno(number)) if number == libc::EPIPE as usize => {
                    sys::exit(128 + libc::SIGPIPE as u8)
                }
                Err(Errno(number)) if number == libc::EAGAIN as usize => {
                    // What has been written is discarded once it is the larger part.
                    if self.written > self.kept() {
                        self.text.remove_front(self.written);
                        self.written = 0;
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.forget();
                    return Err(write_error(error));
                }
            }
        }
        self.forget();
        Ok(())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.text.bytes(bytes);
    }

    /// The text behind it, for functions that write into one.
    pub fn buffer(&mut self) -> &mut Text {
        &mut self.text
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.text.byte(byte);
    }

    /// Text as it is.
    pub fn text(&mut self, text: &str) {
        self.text.bytes(text.as_bytes());
    }

    /// A number.
    pub fn number(&mut self, value: u64) {
        self.text.number(value);
    }

    /// An amount of something, in units where those are wanted.
    pub fn amount(&mut self, value: u64) {
        self.text.amount(value, self.style.units);
    }

    /// A number with at least `least` digits.
    pub fn digits(&mut self, value: u64, least: usize) {
        self.text.digits(value, least);
    }

    /// A number, hexadecimal with at least `least` digits.
    pub fn hexadecimal(&mut self, value: u64, least: usize) {
        self.text.hexadecimal(value, least);
    }

    /// A signed number.
    pub fn signed(&mut self, value: i64) {
        if value < 0 {
            self.byte(b'-');
        }
        self.number(value.unsigned_abs());
    }

    /// Ends a line: a newline, or a backslash with `-oneline`.
    pub fn end_line(&mut self) {
        self.byte(if self.style.oneline { b'\\' } else { b'\n' });
        self.flush_full();
    }

    // A failure is kept until the next flush, which comes at the end of every
    // command: printing need not return errors.
    fn flush_full(&mut self) {
        if self.text.len() >= FULL && self.patience.is_none() {
            self.failure = self.flush().err();
        }
    }

    /// Text in a colour.
    pub fn coloured(&mut self, colour: Colour, text: &[u8]) {
        if self.style.palette.is_none() {
            return self.bytes(text);
        }
        self.begin_colour(colour);
        self.bytes(text);
        self.end_colour();
    }

    /// What follows is in a colour, up to [`Output::end_colour`].
    pub fn begin_colour(&mut self, colour: Colour) {
        if let Some(palette) = self.style.palette {
            self.text(palette.start(colour));
        }
    }

    /// What follows is in no colour.
    pub fn end_colour(&mut self) {
        if self.style.palette.is_some() {
            self.text(Palette::END);
        }
    }

    /// An address and `after`, both in the colour.
    pub fn address(&mut self, address: IpAddr, after: &str) {
        self.begin_colour(match address {
            IpAddr::V4(_) => Colour::Ipv4,
            IpAddr::V6(_) => Colour::Ipv6,
        });
        self.text.address(address);
        self.text(after);
        self.end_colour();
    }
}

fn write_error(error: Errno) -> Error {
    Error::system(
        Kind::File,
        status::FAILED,
        "Error: cannot write to standard output",
        error,
    )
}

/// Writes a warning, which has no full stop, to standard error.
#[cold]
pub fn warn(message: &[u8]) {
    let mut text = Text::default();
    Error::put_warning(sys::json_errors(), None, message, &mut text);
    complain(text.as_bytes());
}

/// Writes to standard error. If that fails, there is no other way to report it.
pub fn complain(mut text: &[u8]) {
    while !text.is_empty() {
        match sys::write(&Fd::STDERR, text) {
            Ok(written) if written > 0 => text = text.get(written..).unwrap_or(&[]),
            _ => return,
        }
    }
}
