//! Values to bytes: text, JSON and colour. Knows nothing of netlink.

pub mod json;
pub mod prometheus;
mod text;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::{status, Error, Kind, Result};
use crate::kernel::sys::{self, Errno, Fd, Patience, Polled};
pub use text::{address, hexadecimal, ipv4, ipv6, number, padded, put_ipv4_port, vanished, Digits};

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
    /// What is not as it should be.
    Wrong,
}

impl Palette {
    fn start(self, colour: Colour) -> &'static str {
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
}

/// Standard output: one buffer, written when it is full or flushed.
#[derive(Debug)]
pub struct Output {
    /// How it looks.
    pub style: Style,
    // Small pieces gather here, where each costs a fraction of what it does in
    // a buffer that can grow.
    gathered: [u8; GATHER],
    len: usize,
    buffer: Vec<u8>,
    // What of it has been written.
    written: usize,
    // How to write without waiting; nothing is written by the way then.
    patience: Option<Patience>,
    json: json::Layout,
}

/// So many bytes are gathered.
const GATHER: usize = 512;
/// A buffer that has grown to this is given back when it is empty.
const LARGE: usize = 1 << 20;
/// The buffer is written out when it holds this much.
const FULL: usize = 8192;

impl Output {
    /// Output in this style.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            gathered: [0; GATHER],
            len: 0,
            buffer: Vec::new(),
            written: 0,
            patience: None,
            json: json::Layout::default(),
        }
    }

    /// Writes what is buffered. A reader that has gone ends the program as
    /// SIGPIPE would.
    pub fn flush(&mut self) -> Result<()> {
        while !self.write_out(&mut |rest| sys::write(&Fd::STDOUT, rest))? {
            // Somebody else has set O_NONBLOCK.
            let mut polled = [Polled::write(&Fd::STDOUT)];
            sys::poll_all(&mut polled, -1).map_err(write_error)?;
        }
        Ok(())
    }

    /// Keeps everything from now on until it is written by
    /// [`Output::write_ready`], which never waits for the reader.
    pub fn keep(&mut self) {
        self.patience = Some(Patience::of(&Fd::STDOUT));
    }

    /// Keeps nothing any more.
    pub fn stop_keeping(&mut self) {
        self.patience = None;
    }

    /// Gives up what is kept.
    pub fn forget(&mut self) {
        self.len = 0;
        self.buffer.clear();
        self.written = 0;
    }

    /// How much is kept.
    pub fn kept(&self) -> usize {
        self.buffer.len() - self.written + self.len
    }

    /// Writes what the reader takes now.
    pub fn write_ready(&mut self) -> Result<()> {
        let mut patience = self.patience.unwrap_or(Patience::File);
        self.write_out(&mut |rest| sys::write_now(&Fd::STDOUT, rest, &mut patience))?;
        self.patience = Some(patience);
        Ok(())
    }

    fn write_out(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> core::result::Result<usize, Errno>,
    ) -> Result<bool> {
        self.settled();
        while let Some(rest @ [_, ..]) = self.buffer.get(self.written..) {
            match write(rest) {
                Ok(0) => return Err(write_error(Errno(libc::EIO as u32))),
                Ok(written) => self.written += written,
                Err(Errno(number)) if number == libc::EPIPE as u32 => {
                    sys::exit(128 + libc::SIGPIPE as u8)
                }
                Err(Errno(number)) if number == libc::EAGAIN as u32 => {
                    // What has been written goes when it is the larger part.
                    if self.written > self.buffer.len() / 2 {
                        self.buffer.drain(..self.written);
                        self.written = 0;
                    }
                    return Ok(false);
                }
                Err(error) => {
                    self.buffer.clear();
                    self.written = 0;
                    return Err(write_error(error));
                }
            }
        }
        self.buffer.clear();
        self.written = 0;
        if self.buffer.capacity() > LARGE {
            self.buffer = Vec::new();
        }
        Ok(true)
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.gathered.get_mut(self.len..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.settled().extend_from_slice(bytes),
        }
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        match self.gathered.get_mut(self.len) {
            Some(place) => {
                *place = byte;
                self.len += 1;
            }
            None => self.settled().push(byte),
        }
    }

    /// The buffer, with all that was gathered in it.
    fn settled(&mut self) -> &mut Vec<u8> {
        if self.len > 0 {
            let gathered = self.gathered.get(..self.len).unwrap_or(&[]);
            self.buffer.extend_from_slice(gathered);
            self.len = 0;
        }
        &mut self.buffer
    }

    /// Text as it is.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A number.
    pub fn number(&mut self, mut value: u64) {
        if value < 10 {
            return self.byte(b'0' + value as u8);
        }
        let mut rest = value;
        let mut digits = 1;
        while rest >= 10 {
            rest /= 10;
            digits += 1;
        }
        if self.len + digits > GATHER {
            self.settled();
        }
        let end = self.len + digits;
        if let Some(room) = self.gathered.get_mut(self.len..end) {
            for byte in room.iter_mut().rev() {
                *byte = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        self.len = end;
    }

    /// A signed number.
    pub fn signed(&mut self, value: i64) {
        if value < 0 {
            self.bytes(b"-");
        }
        self.number(value.unsigned_abs());
    }

    /// Ends a line: a newline, or a backslash with `-oneline`.
    pub fn end_line(&mut self) -> Result<()> {
        self.byte(if self.style.oneline { b'\\' } else { b'\n' });
        self.flush_full()
    }

    fn flush_full(&mut self) -> Result<()> {
        if self.buffer.len() + self.len >= FULL && self.patience.is_none() {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Text in a colour.
    pub fn coloured(&mut self, colour: Colour, text: &[u8]) {
        match self.style.palette {
            Some(palette) => {
                self.text(palette.start(colour));
                self.bytes(text);
                self.text("\x1b[0m");
            }
            None => self.bytes(text),
        }
    }

    /// An IPv4 address with `after` behind it, inside the colour.
    pub fn ipv4(&mut self, address: Ipv4Addr, after: &str) {
        let mut text = ipv4(address);
        text.extend_from_slice(after.as_bytes());
        self.coloured(Colour::Ipv4, &text);
    }

    /// An IPv6 address with `after` behind it, inside the colour.
    pub fn ipv6(&mut self, address: Ipv6Addr, after: &str) {
        let mut text = ipv6(address);
        text.extend_from_slice(after.as_bytes());
        self.coloured(Colour::Ipv6, &text);
    }

    /// Begins a JSON array: the outermost, or the value of `key`.
    pub fn begin_array(&mut self, key: &str) {
        self.settled();
        self.json
            .begin(&mut self.buffer, self.style.pretty, key, b'[');
    }

    /// Ends a JSON array; a newline follows the outermost.
    pub fn end_array(&mut self) -> Result<()> {
        self.settled();
        self.json.end(&mut self.buffer, self.style.pretty, b']');
        self.flush_full()
    }

    /// Begins a JSON object: in an array, the outermost, or the value of
    /// `key`.
    pub fn begin_object(&mut self, key: &str) {
        self.settled();
        self.json
            .begin(&mut self.buffer, self.style.pretty, key, b'{');
    }

    /// Ends a JSON object; a newline follows the outermost.
    pub fn end_object(&mut self) -> Result<()> {
        self.settled();
        self.json.end(&mut self.buffer, self.style.pretty, b'}');
        self.flush_full()
    }

    /// A string member of an object, or element of an array where `key` is
    /// empty.
    pub fn json_string(&mut self, key: &str, value: &[u8]) {
        self.settled();
        self.json.key(&mut self.buffer, self.style.pretty, key);
        json::string(&mut self.buffer, value);
    }

    /// A number member.
    pub fn json_number(&mut self, key: &str, value: u64) {
        self.settled();
        self.json.key(&mut self.buffer, self.style.pretty, key);
        self.buffer.extend_from_slice(number(value).as_bytes());
    }

    /// A signed number member.
    pub fn json_signed(&mut self, key: &str, value: i64) {
        self.settled();
        self.json.key(&mut self.buffer, self.style.pretty, key);
        self.signed(value);
    }

    /// A true or false member.
    pub fn json_bool(&mut self, key: &str, value: bool) {
        self.settled();
        self.json.key(&mut self.buffer, self.style.pretty, key);
        self.bytes(if value { b"true" } else { b"false" });
    }
}

fn write_error(error: Errno) -> Error {
    Error::system(
        Kind::File,
        status::FAILED,
        &["Error: cannot write to standard output"],
        error,
    )
}

/// Writes to standard error. There is nobody left to tell if that fails.
pub fn complain(mut text: &[u8]) {
    while !text.is_empty() {
        match sys::write(&Fd::STDERR, text) {
            Ok(written) if written > 0 => text = text.get(written..).unwrap_or(&[]),
            _ => return,
        }
    }
}
