//! What is one for the whole machine, whatever the namespace, and must be shared.

use std::fs::File;
use std::os::fd::AsRawFd;

use crate::netlink::check;

/// Whether anybody listens to MPTCP events: the kernel asks that of the whole machine.
/// Holds until it is dropped, against the tests of all processes.
pub struct Listening {
    // The lock goes with it.
    _file: File,
}

impl Listening {
    /// Somebody may listen. Waits until no test needs silence. [`crate::monitor`] does
    /// this for whatever it starts.
    pub fn allowed() -> Listening {
        Listening::lock(libc::LOCK_SH)
    }

    /// No test listens. A thread that holds this must not start a monitor.
    pub fn forbidden() -> Listening {
        Listening::lock(libc::LOCK_EX)
    }

    fn lock(operation: i32) -> Listening {
        let path = std::env::temp_dir().join("ip-mptcp-tests-listening.lock");
        // The file may belong to another user: the right to read it is enough to lock it.
        let file = File::open(&path)
            .or_else(|_| File::options().create(true).append(true).open(&path))
            .expect("a file to lock");
        // SAFETY: integers only; the descriptor is open.
        check(unsafe { libc::flock(file.as_raw_fd(), operation) }).expect("the lock");
        Listening { _file: file }
    }
}
