//! What the kernel tells in files below /proc.

use core::ffi::CStr;

use super::sys::{self, Errno};
use crate::error::{status, Error, Kind};

/// A whole file. Those of /proc have no length beforehand.
pub fn read(path: &CStr) -> Result<Vec<u8>, Errno> {
    let file = sys::open(path)?;
    let mut content = Vec::new();
    loop {
        let len = content.len();
        content.resize(len + 4096, 0);
        let got = sys::read(&file, content.get_mut(len..).unwrap_or(&mut []))?;
        content.truncate(len + got);
        if got == 0 {
            return Ok(content);
        }
    }
}

/// Takes what stands in front of the next byte `end` off `rest`, and that.
fn take<'a>(rest: &mut &'a [u8], end: u8) -> &'a [u8] {
    let len = rest.iter().take_while(|byte| **byte != end).count();
    let (taken, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = behind.get(1..).unwrap_or(&[]);
    taken
}

/// Takes the first word off a line; nothing where there is none.
fn word<'a>(line: &mut &'a [u8]) -> &'a [u8] {
    *line = line.trim_ascii_start();
    take(line, b' ')
}

/// Whether a socket of this network namespace has joined this group of
/// generic netlink; `None` where that cannot be told.
pub fn has_listener(group: u32) -> Option<bool> {
    const GENERIC: &[u8] = b"16";
    // The table shows the first 32 groups.
    let bit = 1_u32.checked_shl(group.checked_sub(1)?)?;
    let table = read(c"/proc/self/net/netlink").ok()?;
    let mut lines = &table[..];
    while !lines.is_empty() {
        let line = &mut take(&mut lines, b'\n');
        let [_, protocol, _, groups] = [word(line), word(line), word(line), word(line)];
        let mut joined = 0;
        for digit in groups {
            joined = joined << 4 | char::from(*digit).to_digit(16).unwrap_or(0);
        }
        if protocol == GENERIC && joined & bit != 0 {
            return Some(true);
        }
    }
    Some(false)
}

/// A value below /proc/sys/net, without its newline; `None` where this kernel
/// does not have it.
pub fn sysctl(name: &[u8]) -> Option<Vec<u8>> {
    let path = [b"/proc/sys/net/", name, b"\0"].concat();
    let mut value = read(CStr::from_bytes_with_nul(&path).ok()?).ok()?;
    let end = value.trim_ascii_end().len();
    value.truncate(end);
    Some(value)
}

/// Whether this kernel has it, with this value.
pub fn sysctl_is(name: &[u8], value: &[u8]) -> bool {
    sysctl(name).as_deref() == Some(value)
}

/// A counter of the kernel.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Its name there.
    pub name: Vec<u8>,
    /// Its value: since the namespace was made, unless it is a gauge.
    pub value: u64,
}

/// Reads the counters of MPTCP in this network namespace, in the kernel's
/// order; there are none where that fails.
pub fn counters(counters: &mut Vec<Counter>) -> Result<(), Error> {
    counters.clear();
    let cannot = |error| {
        let what = ["Cannot read /proc/net/netstat"];
        Error::system(Kind::File, status::FAILED, &what, error)
    };
    let table = read(c"/proc/self/net/netstat").map_err(cannot)?;
    // One line of names, one of values.
    let [mut names, mut values] = [&[][..]; 2];
    let mut lines = &table[..];
    while !lines.is_empty() && values.is_empty() {
        let line = take(&mut lines, b'\n');
        match line.strip_prefix(b"MPTcpExt:") {
            Some(words) if names.is_empty() => names = words,
            Some(words) => values = words,
            None => {}
        }
    }
    loop {
        let (name, digits) = (word(&mut names), word(&mut values));
        if name.is_empty() || digits.is_empty() {
            break;
        }
        let mut value: u64 = 0;
        for digit in digits {
            value = value.wrapping_mul(10).wrapping_add((digit & 15).into());
        }
        counters.push(Counter {
            name: name.to_vec(),
            value,
        });
    }
    if counters.is_empty() {
        return Err(Error::new(
            Kind::Kernel,
            status::FAILED,
            &["Error: this kernel has no counters of MPTCP (MPTcpExt in /proc/net/netstat)"],
        ));
    }
    Ok(())
}
