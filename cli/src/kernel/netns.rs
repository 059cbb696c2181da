//! Network namespaces.

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd};

/// The names of all namespaces that have one, ascending.
pub fn names() -> Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    match sys::names_in(c"/var/run/netns", &mut names) {
        // No namespace has been named yet.
        Err(error) if error.0 != libc::ENOENT as usize => {
            let what = "Cannot read /var/run/netns";
            Err(Error::system(Kind::File, status::FAILED, what, error))
        }
        _ => Ok(names),
    }
}

/// The namespace that the program is in, to return to; `None` without /proc.
pub fn current() -> Option<Fd> {
    sys::open(c"/proc/self/ns/net").ok()
}

/// For [`sys::Polled::change`], which then waits until a namespace may have been given a name,
/// which is a file that it is mounted on, or lost it. Without /proc nothing is reported.
pub fn changes() -> Fd {
    sys::open(c"/proc/self/mounts").unwrap_or(Fd::NONE)
}

/// Opens the namespace called `name` (a file below /var/run/netns), or the
/// one that a path with a `/` in it names.
pub fn open(name: &str) -> Result<Fd> {
    let folder: &[u8] = match name.bytes().any(|byte| byte == b'/') {
        true => b"",
        false => b"/var/run/netns/",
    };
    sys::open_joined(&[folder, name.as_bytes()])
        .map_err(|error| failed("Cannot open network namespace \"%\"", name, error))
}

/// Enters the namespace that [`open`] has opened under this name.
pub fn enter_opened(name: &str, opened: &Fd) -> Result<()> {
    sys::enter_network_namespace(opened)
        .map_err(|error| failed("setting the network namespace \"%\" failed", name, error))
}

#[cold]
fn failed(text: &str, name: &str, error: Errno) -> Error {
    Error::naming(Kind::File, status::USAGE, text, name).because(error)
}

/// Enters the namespace of this name, as [`open`] takes it.
pub fn enter(name: &str) -> Result<()> {
    enter_opened(name, &open(name)?)
}
