//! Network namespaces.

use std::ffi::{CStr, CString};

use super::sys;
use crate::error::{status, Error, Kind, Result};

/// Where names of namespaces are.
const NAMES: &CStr = c"/var/run/netns";

/// The names of all namespaces that have one, ascending.
pub fn names() -> Result<Vec<String>> {
    let names = match sys::names_in(NAMES) {
        // Nobody has given a name yet.
        Err(sys::Errno(number)) if number == libc::ENOENT as u32 => Vec::new(),
        result => result.map_err(|error| {
            let what = ["Cannot read /var/run/netns"];
            Error::system(Kind::File, status::FAILED, &what, error)
        })?,
    };
    let mut names: Vec<String> = names
        .into_iter()
        .filter_map(|name| String::from_utf8(name).ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The namespace that the program is in, to return to; `None` where /proc is
/// not there.
pub fn current() -> Option<sys::Fd> {
    sys::open(c"/proc/self/ns/net").ok()
}

/// Enters the namespace called `name` (a file below /var/run/netns), or the
/// one that a path with a `/` in it names.
pub fn enter(name: &str) -> Result<()> {
    let cannot_open = ["Cannot open network namespace \"", name, "\""];
    let mut path = String::new();
    if !name.contains('/') {
        path.push_str("/var/run/netns/");
    }
    path.push_str(name);
    let opened = CString::new(path)
        .map_err(|_| sys::Errno(libc::ENOENT as u32))
        .and_then(|path| sys::open(&path))
        .map_err(|error| Error::system(Kind::File, status::USAGE, &cannot_open, error).about(name));
    sys::enter_network_namespace(&opened?).map_err(|error| {
        let what = ["Setting the network namespace \"", name, "\" failed"];
        Error::system(Kind::File, status::USAGE, &what, error).about(name)
    })
}
