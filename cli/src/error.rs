//! Errors as they are reported to the user.

use crate::errno;
use crate::errno::Errno;
use crate::near::Near;
use crate::text::{join, json_string, number, take_text, Text};

/// An exit status. As wide as a register: a `Result` of a byte would be returned
/// through memory.
pub type Status = usize;

/// Exit statuses, those of iproute2.
pub mod status {
    /// A bad address, an unknown object, no MPTCP in the kernel, a failed
    /// line of a batch.
    pub const FAILED: super::Status = 1;
    /// The kernel refused the request.
    pub const REFUSED: super::Status = 2;
    /// `apply --dry-run`: there is something to change.
    pub const WOULD_CHANGE: super::Status = 3;
    /// The given time is over, as with timeout(1).
    pub const TIMEOUT: super::Status = 124;
    /// The monitor could not receive.
    pub const RECEIVE: super::Status = 254;
    /// A mistake in the command line.
    pub const USAGE: super::Status = 255;
}

/// What kind of mistake it is; the `kind` of an error in JSON.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// A word of it is wrong.
    Argument,
    /// The kernel refused.
    Kernel,
    /// The kernel's answer makes no sense.
    Reply,
    /// A file or namespace cannot be opened or read, output not written.
    File,
    /// A line of a batch cannot be read.
    Batch,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Argument => "argument",
            Self::Kernel => "kernel",
            Self::Reply => "reply",
            Self::File => "file",
            Self::Batch => "batch",
        }
    }
}

/// An error: its message and the exit status it leads to.
#[derive(Debug)]
pub struct Error(Box<Content>);

#[derive(Debug)]
struct Content {
    kind: Kind,
    status: Status,
    errno: usize,
    line: u32,
    word: Option<Vec<u8>>,
    // The word is an unknown keyword: another may have been meant.
    unknown: bool,
    // That one; empty if none is near.
    suggestion: Vec<u8>,
    // One line or several, without the last newline.
    message: Vec<u8>,
}

/// The result of anything whose failure is reported to the user.
pub type Result<T> = core::result::Result<T, Error>;

impl From<mptcp_codec::Error> for Error {
    fn from(error: mptcp_codec::Error) -> Self {
        Self::reply(error)
    }
}

impl Error {
    /// An error with this message, to which more may be [pushed](Self::push).
    #[cold]
    pub fn new(kind: Kind, status: Status, message: &str) -> Self {
        Self(Box::new(Content {
            kind,
            status,
            errno: 0,
            line: 0,
            word: None,
            unknown: false,
            suggestion: Vec::new(),
            message: Vec::from(message),
        }))
    }

    /// An error about this word, which stands in the message where the text has
    /// a `%`, or at its end.
    #[cold]
    pub fn naming(kind: Kind, status: Status, text: &str, word: &str) -> Self {
        let mut after = text;
        let before = take_text(&mut after, b'%');
        let mut error = Self::new(kind, status, before);
        error.push(word.as_bytes());
        error.push(after.as_bytes());
        error.about(word)
    }

    /// The same about this word.
    pub fn about(self, word: &str) -> Self {
        self.about_bytes(word.as_bytes())
    }

    /// The same about this word, which need not be UTF-8.
    #[cold]
    pub fn about_bytes(mut self, word: &[u8]) -> Self {
        self.0.word = Some(word.to_vec());
        self
    }

    /// Adds the nearest of the offered words as a suggestion.
    #[cold]
    pub fn meant(mut self, offer: &dyn Fn(&mut Near)) -> Self {
        let mut near = Near::new(self.0.word.as_deref().unwrap_or(b""));
        offer(&mut near);
        self.0.suggestion = near.found();
        self
    }

    /// Marks the word as an unknown keyword.
    #[cold]
    pub fn unknown(mut self) -> Self {
        self.0.unknown = true;
        self
    }

    /// Adds the nearest of the offered keywords, if the word is an unknown keyword.
    #[cold]
    pub fn near(self, offer: &dyn Fn(&mut Near)) -> Self {
        if self.0.unknown {
            return self.meant(offer);
        }
        self
    }

    /// The same with this error number.
    #[cold]
    pub fn with_errno(mut self, Errno(number): Errno) -> Self {
        self.0.errno = number;
        self
    }

    /// The same with another exit status.
    #[cold]
    pub fn with_status(mut self, status: Status) -> Self {
        self.0.status = status;
        self
    }

    /// The same about this line of a state file.
    #[cold]
    pub fn at(mut self, line: u32) -> Self {
        self.0.line = line;
        self
    }

    /// A warning: it does not change the exit status, and work goes on.
    #[cold]
    pub fn warning(message: &[u8]) -> Self {
        let mut warning = Self::new(Kind::Kernel, 0, "");
        warning.push(message);
        warning
    }

    /// The value of an argument is wrong.
    pub fn invalid(word: &str, why: &str) -> Self {
        let text = "Error: argument \"%\" is wrong: ";
        let mut error = Self::naming(Kind::Argument, status::USAGE, text, word);
        error.push(why.as_bytes());
        error
    }

    /// An argument is missing.
    pub fn required(what: &str) -> Self {
        let text = "Error: argument \"%\" is required";
        Self::naming(Kind::Usage, status::USAGE, text, what)
    }

    /// A keyword is the last word and needs a value.
    pub fn incomplete(keyword: &str) -> Self {
        let text = "Command line is not complete. Try option \"help\"\n\"%\" needs a value";
        Self::naming(Kind::Usage, status::USAGE, text, keyword)
    }

    /// Not an address, and not a keyword either.
    pub fn address(word: &str) -> Self {
        let text = "Error: any valid address is expected rather than \"%\".";
        Self::naming(Kind::Argument, status::FAILED, text, word).unknown()
    }

    /// A system call failed: "WHAT: TEXT".
    pub fn system(kind: Kind, status: Status, what: &str, errno: Errno) -> Self {
        Self::new(kind, status, what).because(errno)
    }

    /// The same with ": TEXT" of this error number at the end of the message.
    #[cold]
    pub fn because(mut self, errno: Errno) -> Self {
        self.push(b": ");
        self.push_errno(errno);
        self.with_errno(errno)
    }

    /// The kernel refused and gave no reason.
    pub fn answer(errno: Errno) -> Self {
        let mut error = Self::new(Kind::Kernel, status::REFUSED, "RTNETLINK answers: ");
        error.0.errno = errno.0;
        error.push_errno(errno);
        if errno.0 == libc::EPERM as usize {
            error.push(b" (this needs root, or CAP_NET_ADMIN in this network namespace)");
        }
        error
    }

    /// A system call failed that sends no netlink message, such as writing a sysctl.
    pub fn call(errno: Errno) -> Self {
        let mut error = Self::new(Kind::Kernel, status::REFUSED, "Error: ");
        error.0.errno = errno.0;
        error.push_errno(errno);
        error
    }

    /// The kernel refused and says why.
    pub fn refused(errno: Errno, why: &[u8]) -> Self {
        let mut error = Self::new(Kind::Kernel, status::REFUSED, "Error: ");
        error.0.errno = errno.0;
        error.push(why);
        if !why.ends_with(b".") {
            error.push(b".");
        }
        error
    }

    /// The kernel's answer is malformed.
    #[cold]
    pub fn reply(error: mptcp_codec::Error) -> Self {
        let message = "Error: malformed reply from the kernel: ";
        let mut text = Self::new(Kind::Reply, status::FAILED, message);
        text.push(error.kind().text().as_bytes());
        if let Some(attribute) = error.attribute() {
            text.push(b" (attribute ");
            text.push(number(attribute.into()).as_bytes());
            text.push(b")");
        }
        text.push(b" at byte ");
        text.push(number(error.offset() as u64).as_bytes());
        text
    }

    /// Adds to the message.
    #[cold]
    #[inline(never)]
    pub fn push(&mut self, text: &[u8]) {
        self.0.message.extend_from_slice(text);
    }

    #[cold]
    fn push_errno(&mut self, Errno(number_of): Errno) {
        match errno::describe(number_of) {
            Some((_, text)) => self.push(text),
            None => {
                self.push(b"Unknown error ");
                self.push(number(number_of as u64).as_bytes());
            }
        }
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The line of a state file that it is about, or 0.
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// The error number, or 0.
    pub fn errno(&self) -> usize {
        self.0.errno
    }

    /// The message, without a newline at its end.
    pub fn message(&self) -> &[u8] {
        &self.0.message
    }

    /// What may have been meant, on a line of its own; empty if nothing is near.
    #[cold]
    fn suggestion(&self) -> Vec<u8> {
        match self.0.suggestion.as_slice() {
            [] => Vec::new(),
            word => join(&[b"\nDid you mean \"", word, b"\"?"]),
        }
    }

    /// The message without "Error: " before it.
    pub fn plain(&self) -> &[u8] {
        let message = self.message();
        message.strip_prefix(b"Error: ").unwrap_or(message)
    }

    /// The same, of this command.
    #[cold]
    pub fn within(mut self, command: &[u8]) -> Self {
        let message = join(&[b"Error: ", command, b": ", self.plain()]);
        self.0.message = message;
        self
    }

    /// What is written to standard error about a state file: FILE:LINE comes first if it is
    /// about a line.
    pub fn report_at(&self, as_json: bool, file: &str, out: &mut Text) {
        let line = self.0.line;
        let place = Some((file, line)).filter(|_| line != 0);
        if self.0.status == 0 {
            return Self::put_warning(as_json, place, self.plain(), out);
        }
        if as_json || line == 0 {
            return self.put(as_json, place, out);
        }
        put_line((file, line), b": ", out);
        out.bytes(self.plain());
        out.bytes(&self.suggestion());
        out.byte(b'\n');
    }

    /// What is written to standard error, one line or more. `place` is the
    /// file and line of a batch.
    pub fn report(&self, as_json: bool, place: Option<(&str, u32)>) -> Vec<u8> {
        let mut out = Text::default();
        self.put(as_json, place, &mut out);
        out.into_bytes()
    }

    fn put(&self, as_json: bool, place: Option<(&str, u32)>, out: &mut Text) {
        if as_json {
            out.bytes(b"{\"error\":");
            self.object(out, place);
            out.byte(b'}');
        } else {
            out.bytes(self.message());
            out.bytes(&self.suggestion());
            if let Some(place) = place {
                out.bytes(b"\nCommand failed ");
                put_line(place, b"", out);
            }
        }
        out.byte(b'\n');
    }

    /// A warning as it is written to standard error: text begins with "Warning: ", which JSON
    /// lacks.
    pub fn put_warning(as_json: bool, place: Option<(&str, u32)>, message: &[u8], out: &mut Text) {
        if as_json {
            out.bytes(b"{\"warning\":{\"message\":");
            json_string(out, message);
            put_place(place, out);
            out.bytes(b"}}\n");
            return;
        }
        out.bytes(b"Warning: ");
        if let Some(place) = place {
            put_line(place, b": ", out);
        }
        out.bytes(message);
        out.bytes(b".\n");
    }

    /// The error as a JSON object; `place` is the file and line of a batch.
    pub fn object(&self, out: &mut Text, place: Option<(&str, u32)>) {
        let Content {
            kind,
            errno,
            word,
            suggestion,
            ..
        } = &*self.0;
        out.bytes(b"{\"kind\":");
        json_string(out, kind.name().as_bytes());
        out.bytes(b",\"message\":");
        json_string(out, self.plain());
        if *errno != 0 {
            out.bytes(b",\"errno\":");
            out.number(*errno as u64);
            if let Some((name, _)) = errno::describe(*errno) {
                out.bytes(b",\"name\":");
                json_string(out, name);
            }
        }
        if let Some(word) = word {
            out.bytes(b",\"word\":");
            json_string(out, word);
        }
        if !suggestion.is_empty() {
            out.bytes(b",\"suggestion\":");
            json_string(out, suggestion);
        }
        put_place(place, out);
        out.byte(b'}');
    }
}

/// A file and a line in it, as `FILE:LINE`, and the text after it.
#[cold]
#[inline(never)]
fn put_line((file, line): (&str, u32), after: &[u8], out: &mut Text) {
    out.bytes(file.as_bytes());
    out.byte(b':');
    out.number(line.into());
    out.bytes(after);
}

/// The members of a file and a line in it.
fn put_place(place: Option<(&str, u32)>, out: &mut Text) {
    if let Some((file, line)) = place {
        out.bytes(b",\"file\":");
        json_string(out, file.as_bytes());
        out.bytes(b",\"line\":");
        out.number(line.into());
    }
}
