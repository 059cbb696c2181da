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
    let names = names.into_iter();
    Ok(names
        .filter_map(|name| String::from_utf8(name).ok())
        .collect())
}

/// The namespace that the program is in, to return to; `None` where /proc is
/// not there.
pub fn current() -> Option<sys::Fd> {
    sys::open(c"/proc/self/ns/net").ok()
}

/// Something that [`sys::Polled::change`] waits for: a namespace may have been
/// given a name, which is a file that it is mounted on, or lost it. `None`
/// where /proc is not there.
pub fn changes() -> Option<sys::Fd> {
    sys::open(c"/proc/self/mounts").ok()
}

/// Opens the namespace called `name` (a file below /var/run/netns), or the
/// one that a path with a `/` in it names.
pub fn open(name: &str) -> Result<sys::Fd> {
    let mut path = String::new();
    if !name.contains('/') {
        path.push_str("/var/run/netns/");
    }
    path.push_str(name);
    CString::new(path)
        .map_err(|_| sys::Errno(libc::ENOENT as u32))
        .and_then(|path| sys::open(&path))
        .map_err(|error| {
            let what = ["Cannot open network namespace \"", name, "\""];
            Error::system(Kind::File, status::USAGE, &what, error).about(name)
        })
}

/// Enters the namespace that [`open`] has opened under this name.
pub fn enter_opened(name: &str, opened: &sys::Fd) -> Result<()> {
    sys::enter_network_namespace(opened).map_err(|error| {
        let what = ["Setting the network namespace \"", name, "\" failed"];
        Error::system(Kind::File, status::USAGE, &what, error).about(name)
    })
}

/// Enters the namespace of this name, as [`open`] takes it.
pub fn enter(name: &str) -> Result<()> {
    enter_opened(name, &open(name)?)
}
