//! The kernel's counters, and how they grew lately.

use crate::error::{status, Error, Kind, Result};
use crate::kernel::proc::Counters;
use crate::kernel::remedy::contains;
use crate::sys;
use crate::text::{take, Text};

/// The current counters, and those of an earlier time.
#[derive(Debug, Default)]
pub struct History {
    // Only those that are not 0, which on most hosts are a few of a hundred: they are
    // searched again and again.
    now: Counters,
    has_read: bool,
    before: Counters,
    /// There is an earlier time: what has grown since then is new.
    pub has_before: bool,
    /// The file written by `ip-mptcp counters` then; empty if it is the beginning of this run.
    file: &'static str,
}

/// Longest file of counters.
const LONGEST: usize = 1 << 16;

impl History {
    /// Reads the file of `--since`: lines of `NAME VALUE`, or a JSON object.
    pub fn since(&mut self, file: &'static str) -> Result<()> {
        let cannot = |error| {
            let mut text = Error::new(Kind::File, status::FAILED, "Cannot read ");
            text.push(file.as_bytes());
            text.because(error)
        };
        let opened = sys::open_joined(&[file.as_bytes()]).map_err(cannot)?;
        sys::read_all(&opened, &mut self.before.0, LONGEST).map_err(cannot)?;
        for byte in &mut self.before.0 {
            if b"[{\":,}]".contains(byte) {
                *byte = b' ';
            }
        }
        for (_, value) in self.before.all() {
            if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                let why = "not written by ip-mptcp counters";
                return Err(Error::invalid(file, why));
            }
        }
        self.has_before = true;
        self.file = file;
        Ok(())
    }

    /// Reads the counters; those read before become the earlier ones, unless these are from
    /// a file.
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
        // Without counters, none shows that something is wrong.
        let _ = self.now.read_mptcp(false);
    }

    /// Whether a counter that counts only failures, by its name, is not 0.
    pub fn has_failed(&self) -> bool {
        const PARTS: &[u8] = b"Fall Fail Drop Err Disabled NoToken Rejected Blackhole";
        for (name, _) in self.now.all() {
            let mut parts = PARTS;
            while !parts.is_empty() {
                if contains(name, take(&mut parts, b' ')) {
                    return true;
                }
            }
        }
        false
    }

    /// The sum of these counters, whose names are separated by blanks, since the start of the
    /// namespace.
    pub fn sum(&self, names: &[u8]) -> u64 {
        self.count(names, false)
    }

    /// By how much they grew since the earlier time; 0 if there is none, or if the
    /// namespace was created anew.
    pub fn growth(&self, names: &[u8]) -> u64 {
        self.count(names, true)
    }

    /// Either of them.
    #[inline(never)]
    pub fn count(&self, names: &[u8], lately: bool) -> u64 {
        let before = match (lately, self.has_before) {
            (true, true) => self.before.sum(names),
            (true, false) => u64::MAX,
            (false, _) => 0,
        };
        self.now.sum(names).saturating_sub(before)
    }

    /// Adds since when growth is counted.
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
