//! The kernel's counters, and what they counted lately.

use crate::error::{status, Error, Kind, Result};
use crate::kernel::proc::{decimal, Counters};
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::{take, Text};

/// The counters of now and of an earlier time.
#[derive(Debug, Default)]
pub struct History {
    // Those that are not 0: on most hosts, few of the hundred that there are, of which
    // each is looked for again and again.
    now: Counters,
    has_read: bool,
    before: Counters,
    /// The earlier time is known: what has grown since is new.
    pub has_before: bool,
    /// What `ip-mptcp counters` wrote then; empty where it is the beginning of this
    /// run.
    file: &'static str,
}

/// Longest file of counters.
const LONGEST: usize = 1 << 16;

impl History {
    /// Reads the file of `--since`: lines of `NAME VALUE`.
    pub fn since(&mut self, file: &'static str) -> Result<()> {
        let cannot = |error| {
            let what = ["Cannot read ", file];
            Error::system(Kind::File, status::FAILED, &what, error)
        };
        let mut content = Vec::new();
        let opened = sys::open_joined(&[file.as_bytes()]).map_err(cannot)?;
        sys::read_all(&opened, &mut content, LONGEST).map_err(cannot)?;
        let mut lines = &content[..];
        while !lines.is_empty() {
            let mut line = take(&mut lines, b'\n');
            let name = take(&mut line, b' ');
            let digits = line.trim_ascii();
            if name.is_empty() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                let why = "not written by ip-mptcp counters";
                return Err(Error::invalid(file, why));
            }
            self.before.add(name, decimal(digits));
        }
        self.has_before = true;
        self.file = file;
        Ok(())
    }

    /// Reads the counters; those that were read before are the earlier ones
    /// from now on, unless a file has them.
    pub fn read(&mut self) {
        let before = core::mem::take(&mut self.now);
        self.reread();
        if self.has_read && self.file.is_empty() {
            self.before = before;
            self.has_before = true;
        }
        self.has_read = true;
    }

    /// Reads the counters once more; the earlier ones stay.
    pub fn reread(&mut self) {
        let mut all = Counters::default();
        // Where there are none, none shows that something is wrong.
        let _ = all.read();
        self.now = Counters::default();
        for (name, value) in all.all() {
            if value > 0 {
                self.now.add(name, value);
            }
        }
    }

    /// The value of a counter: since the start of the namespace.
    pub fn of(&self, name: &[u8]) -> u64 {
        self.now.of(name)
    }

    /// Whether a counter is not 0 whose name contains one of these parts.
    pub fn has_failed(&self, parts: &[&[u8]]) -> bool {
        let mut all = self.now.all();
        all.any(|(name, value)| value > 0 && parts.iter().any(|part| contains(name, part)))
    }

    /// The sum of these counters, whose names blanks separate.
    pub fn sum(&self, names: &[u8]) -> u64 {
        self.now.sum(names)
    }

    /// What they counted since the earlier time; 0 where none is known, and after a
    /// new start of the namespace.
    pub fn growth(&self, names: &[u8]) -> u64 {
        match self.has_before {
            true => self.sum(names).saturating_sub(self.before.sum(names)),
            false => 0,
        }
    }

    /// Adds since when growth is counted, for the reader.
    pub fn put_when(&self, text: &mut Text) {
        match self.file {
            "" => text.bytes(b"within the last second"),
            file => {
                text.bytes(b"since ");
                text.bytes(file.as_bytes());
            }
        }
    }
}
