//! What the kernel tells in files below /proc.

use core::ffi::CStr;
use std::ffi::CString;

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

/// The words of a line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// Whether a socket of this network namespace has joined this group of
/// generic netlink; `None` where that cannot be told.
pub fn has_listener(group: u32) -> Option<bool> {
    const GENERIC: &[u8] = b"16";
    // The table shows the first 32 groups.
    let bit = 1_u32.checked_shl(group.checked_sub(1)?)?;
    let table = read(c"/proc/self/net/netlink").ok()?;
    let listens = |line: &[u8]| {
        let mut words = words(line);
        let protocol = words.nth(1)?;
        let groups = core::str::from_utf8(words.nth(1)?).ok()?;
        let groups = u32::from_str_radix(groups, 16).ok()?;
        Some(protocol == GENERIC && groups & bit != 0)
    };
    Some(
        table
            .split(|byte| *byte == b'\n')
            .any(|line| listens(line) == Some(true)),
    )
}

/// A value below /proc/sys/net, without its newline; `None` where this kernel
/// does not have it.
pub fn sysctl(name: &[u8]) -> Option<Vec<u8>> {
    let path = CString::new([b"/proc/sys/net/", name].concat()).ok()?;
    let mut value = read(&path).ok()?;
    let end = value.trim_ascii_end().len();
    value.truncate(end);
    Some(value)
}

/// A counter of the kernel.
#[derive(Clone, Debug)]
pub struct Counter {
    /// Its name there.
    pub name: Vec<u8>,
    /// Its value: since the namespace was made, unless it is a gauge.
    pub value: u64,
}

/// The counters of MPTCP in this network namespace, in the kernel's order.
pub fn counters() -> Result<Vec<Counter>, Error> {
    let cannot = |error| {
        let what = ["Cannot read /proc/net/netstat"];
        Error::system(Kind::File, status::FAILED, &what, error)
    };
    let table = read(c"/proc/self/net/netstat").map_err(cannot)?;
    // One line of names, one of values.
    let mut lines = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.strip_prefix(b"MPTcpExt:"));
    let names = lines.next().unwrap_or(&[]);
    let values = lines.next().unwrap_or(&[]);
    let counters: Vec<Counter> = words(names)
        .zip(words(values))
        .map(|(name, value)| Counter {
            name: name.to_vec(),
            value: value.iter().fold(0, |value: u64, digit| {
                value.wrapping_mul(10).wrapping_add((digit & 15).into())
            }),
        })
        .collect();
    if counters.is_empty() {
        return Err(Error::new(
            Kind::Kernel,
            status::FAILED,
            &["Error: this kernel has no counters of MPTCP (MPTcpExt in /proc/net/netstat)"],
        ));
    }
    Ok(counters)
}
