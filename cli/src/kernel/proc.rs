//! Files below /proc.

use crate::errno::Errno;
use crate::error::{status, Error, Kind};
use crate::sys;
use crate::text::take;

/// Reads a whole file, whose path is these pieces joined. Those of /proc have
/// no length beforehand.
pub fn read(path: &[&[u8]], content: &mut Vec<u8>) -> Result<(), Errno> {
    content.clear();
    // The kernel may write as much as it likes.
    sys::read_all(&sys::open_joined(path)?, content, usize::MAX)
}

/// Takes the first word off a text; empty if there is none.
#[inline(never)]
pub fn word<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    // Blanks, newlines and other control characters: one comparison a byte.
    let start = text.iter().position(|byte| *byte > b' ');
    let rest = text.get(start.unwrap_or(text.len())..).unwrap_or_default();
    let len = rest.iter().position(|byte| *byte <= b' ');
    let (word, rest) = rest.split_at(len.unwrap_or(rest.len()));
    *text = rest;
    word
}

/// Whether a socket in this network namespace has joined this group of generic netlink; `None`
/// if that cannot be determined.
pub fn has_listener(group: u32) -> Option<bool> {
    const GENERIC: &[u8] = b"16";
    // The table shows the first 32 groups.
    let bit = 1_u32.checked_shl(group.checked_sub(1)?)?;
    let mut table = Vec::new();
    read(&[b"/proc/self/net/netlink"], &mut table).ok()?;
    let mut lines = &table[..];
    while !lines.is_empty() {
        let line = &mut take(&mut lines, b'\n');
        word(line);
        let protocol = word(line);
        word(line);
        let mut joined = 0;
        for digit in word(line) {
            // Letters come after 64, and the first of them stands for ten.
            joined = (joined << 4) | (u32::from(digit & 15) + 9 * u32::from(digit >> 6));
        }
        if protocol == GENERIC && joined & bit != 0 {
            return Some(true);
        }
    }
    Some(false)
}

/// Reads a file with one value, without its newline; empty if this kernel does not have it. The
/// path is these pieces joined.
pub fn value(path: &[&[u8]], value: &mut Vec<u8>) {
    // What cannot be read is as good as missing.
    let _ = read_value(path, value);
}

/// The same, or why it cannot be read.
fn read_value(path: &[&[u8]], value: &mut Vec<u8>) -> Result<(), Errno> {
    let read = read(path, value);
    value.truncate(value.trim_ascii_end().len());
    read
}

/// Reads the sysctl of MPTCP with this name.
pub fn sysctl(name: &[u8], into: &mut Vec<u8>) {
    let _ = mptcp(name, into);
}

/// A number written by the kernel; 0 for nothing.
pub fn decimal(digits: &[u8]) -> u64 {
    let mut value: u64 = 0;
    for digit in digits {
        value = value.wrapping_mul(10).wrapping_add((digit & 15).into());
    }
    value
}

/// TCP connections opened and accepted in this network namespace since it was created, MPTCP
/// or not; 0 if that cannot be read.
pub fn tcp_opens() -> [u64; 2] {
    let mut table = Counters::default();
    table.tabulate(b"/proc/self/net/snmp", b"Tcp:", false).ok();
    [b"ActiveOpens".as_slice(), b"PassiveOpens"].map(|name| table.of(name))
}

/// The kernel's MPTCP counters of this network namespace: names and values, separated by blanks
/// or newlines.
#[derive(Debug, Default)]
pub struct Counters(pub Vec<u8>);

impl Counters {
    /// Reads them; none if that fails.
    pub fn read(&mut self) -> Result<(), Error> {
        let failed = self.read_mptcp(true);
        failed.map_err(|error| {
            let what = "Cannot read /proc/net/netstat";
            Error::system(Kind::File, status::FAILED, what, error)
        })?;
        if self.0.is_empty() {
            return Err(Error::new(
                Kind::Kernel,
                status::FAILED,
                "Error: this kernel has no counters of MPTCP (MPTcpExt in /proc/net/netstat)",
            ));
        }
        Ok(())
    }

    /// The same, with those that are 0 only if `zeros`.
    pub fn read_mptcp(&mut self, zeros: bool) -> Result<(), Errno> {
        self.tabulate(b"/proc/self/net/netstat", b"MPTcpExt:", zeros)
    }

    /// Reads the two lines of a file that begin with a title: names, and values.
    fn tabulate(&mut self, path: &[u8], title: &[u8], zeros: bool) -> Result<(), Errno> {
        self.0.clear();
        let mut table = Vec::new();
        read(&[path], &mut table)?;
        let (mut lines, mut names) = (&table[..], &b""[..]);
        while !lines.is_empty() {
            let Some(mut line) = take(&mut lines, b'\n').strip_prefix(title) else {
                continue;
            };
            if names.is_empty() {
                names = line;
                continue;
            }
            while !names.is_empty() {
                let (name, value) = (word(&mut names), word(&mut line));
                // Otherwise the next name would be its value.
                if value.is_empty() {
                    break;
                }
                if zeros || value != b"0" {
                    self.0.extend_from_slice(name);
                    self.0.extend_from_slice(b" ");
                    self.0.extend_from_slice(value);
                    self.0.extend_from_slice(b" ");
                }
            }
        }
        Ok(())
    }

    /// All of them, in the kernel's order.
    pub fn all(&self) -> List<'_> {
        List(&self.0)
    }

    /// The value of this one: since the namespace was created, unless it is a gauge; 0 if the
    /// kernel does not count that.
    pub fn of(&self, name: &[u8]) -> u64 {
        for (known, value) in self.all() {
            if known == name {
                return decimal(value);
            }
        }
        0
    }

    /// The sum of several, whose names are separated by blanks.
    #[inline(never)]
    pub fn sum(&self, mut names: &[u8]) -> u64 {
        let mut sum = 0_u64;
        while !names.is_empty() {
            sum = sum.saturating_add(self.of(take(&mut names, b' ')));
        }
        sum
    }
}

/// Names and values, as text.
#[derive(Debug)]
pub struct List<'c>(&'c [u8]);

impl<'c> Iterator for List<'c> {
    type Item = (&'c [u8], &'c [u8]);

    #[inline(never)]
    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = (word(&mut self.0), word(&mut self.0));
        (!name.is_empty()).then_some((name, value))
    }
}

/// The kernel's defaults of those sysctls below net/mptcp that have a fixed one.
pub const MPTCP_DEFAULTS: &[u8] = b"enabled 1\n\
    path_manager kernel\n\
    pm_type 0\n\
    scheduler default\n\
    add_addr_timeout 120\n\
    allow_join_initial_addr_port 1\n\
    blackhole_timeout 3600\n\
    checksum_enabled 0\n\
    close_timeout 60\n\
    stale_loss_cnt 4\n\
    syn_retrans_before_tcp_fallback 2";

/// The directory of the sysctls of MPTCP.
pub const MPTCP_FOLDER: &[u8] = b"/proc/sys/net/mptcp/";

/// Reads a setting of `net.mptcp`, or returns why it cannot be read.
pub fn mptcp(name: &[u8], value: &mut Vec<u8>) -> Result<(), Errno> {
    read_value(&[MPTCP_FOLDER, name], value)
}

/// Changes a setting of `net.mptcp`.
pub fn set_mptcp(name: &[u8], value: &[u8]) -> Result<(), Errno> {
    let file = sys::open_joined_to_write(&[MPTCP_FOLDER, name])?;
    match sys::write(&file, value)? {
        written if written == value.len() => Ok(()),
        _ => Err(Errno(libc::EINVAL as usize)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_without_a_value_ends_the_list() {
        let name = format!("counters-{}", std::process::id());
        let file = std::env::temp_dir().join(name);
        std::fs::write(&file, "X: A B C D\nX: 0 2 \nY: E\nY: 5\n").expect("a file");
        let path = file.to_str().expect("a path that is text").as_bytes();
        for (zeros, wanted) in [
            (true, &[("A", "0"), ("B", "2")][..]),
            (false, &[("B", "2")]),
        ] {
            let mut counters = Counters::default();
            let read = counters.tabulate(path, b"X:", zeros);
            assert!(read.is_ok());
            let wanted = wanted
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            assert!(counters.all().eq(wanted), "{zeros}");
        }
        let _ = std::fs::remove_file(&file);
    }
}
