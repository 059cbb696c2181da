//! The kernel's counters, and what they counted lately.

use crate::error::{status, Error, Kind, Result};
use crate::kernel::proc::{decimal, Counters};
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::{take, Text};

/// The counters of now and of an earlier time.
#[derive(Debug, Default)]
pub struct History {
    now: Counters,
    before: Before,
}

/// The counters of an earlier time.
#[derive(Debug, Default)]
enum Before {
    /// They were read once: nothing is known of what is new.
    #[default]
    Unknown,
    /// As they were when this run began.
    Start(Counters),
    /// What `ip-mptcp counters` wrote into a file, and its name.
    File(Vec<u8>, &'static str),
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
        }
        self.before = Before::File(content, file);
        Ok(())
    }

    /// Reads the counters; those that were read before are the earlier ones
    /// from now on, unless a file has them.
    pub fn read(&mut self) {
        let mut now = Counters::default();
        // Where there are none, none shows that something is wrong.
        let _ = now.read();
        let before = core::mem::replace(&mut self.now, now);
        if !matches!(self.before, Before::File(..)) && before.all().next().is_some() {
            self.before = Before::Start(before);
        }
    }

    /// Reads the counters once more; the earlier ones stay.
    pub fn reread(&mut self) {
        let _ = self.now.read();
    }

    /// Whether what is new is known.
    pub fn has_before(&self) -> bool {
        !matches!(self.before, Before::Unknown)
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
    pub fn sum(&self, names: &str) -> u64 {
        let mut names = names.as_bytes();
        let mut sum = 0_u64;
        while !names.is_empty() {
            sum = sum.saturating_add(self.of(take(&mut names, b' ')));
        }
        sum
    }

    /// What a counter counted since the earlier time; 0 where none is known,
    /// and after a new start of the namespace.
    pub fn growth_of(&self, name: &[u8]) -> u64 {
        let before = match &self.before {
            Before::Unknown => return 0,
            Before::Start(before) => before.of(name),
            Before::File(content, _) => {
                let mut lines = &content[..];
                let mut found = 0;
                while !lines.is_empty() {
                    let mut line = take(&mut lines, b'\n');
                    if take(&mut line, b' ') == name {
                        found = decimal(line.trim_ascii());
                    }
                }
                found
            }
        };
        self.of(name).saturating_sub(before)
    }

    /// The sum of what these counters counted since the earlier time.
    pub fn growth(&self, names: &str) -> u64 {
        let mut names = names.as_bytes();
        let mut sum = 0_u64;
        while !names.is_empty() {
            sum = sum.saturating_add(self.growth_of(take(&mut names, b' ')));
        }
        sum
    }

    /// Adds since when growth is counted, for the reader.
    pub fn put_when(&self, text: &mut Text) {
        match self.before {
            Before::File(_, file) => {
                text.bytes(b"since ");
                text.bytes(file.as_bytes());
            }
            _ => text.bytes(b"within the last second"),
        }
    }
}
