//! Network namespaces.

use std::ffi::CString;

use super::sys;
use crate::error::{status, Error, Kind, Result};

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
