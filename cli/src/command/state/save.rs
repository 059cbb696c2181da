//! `save`.

use std::ffi::CStr;

use mptcp_codec::mptcp::Endpoint;

use super::{file_error, Job, CANNOT_WRITE};
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::key::{is_ipv4, is_unique_local, key_of};
use crate::kernel::{proc, LinkEvents};
use crate::session::{Command, Does, Session};
use crate::state::endpoint::{address_of, index_of, is_implicit, port_of};
use crate::state::file::{family_of, put_endpoint, put_family, put_limits, put_name, put_setting};
use crate::state::plan::is_source;
use crate::sys::{self, Fd};
use crate::text::{take, vanished, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "save",
    words: "[ FILE ]",
    help: "Print endpoints, limits and settings as a state file.\n\
           A named file is replaced atomically. Endpoints that the kernel made, or whose \
            interface no longer exists, are comments in it. A leased address is written as its \
            interface where it is the only one.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp save /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
fn run(session: &mut Session, save: &Options) -> Result<Status> {
    let mut job = Job::new(session, "", false);
    let path_manager = session.path_manager()?;
    job.lock.take(&Fd::NONE)?;
    job.look(path_manager)?;
    // Only an endpoint that is bound to an interface may have a leased address.
    if job.plan.present.iter().any(|of| index_of(of) != 0) {
        job.look_around(path_manager)?;
    }
    job.lock.release();
    let mut text = Text::default();
    put_all(&mut job, path_manager.fd(), &mut text);
    let text = text.as_bytes();
    match save.file {
        // Even under this name it may be a file that others write to.
        None | Some(STANDARD_INPUT | "/dev/stdout") => session.out.bytes(text),
        Some(file) => {
            write(file, text).map_err(|error| file_error(CANNOT_WRITE, file, error))?;
        }
    }
    Ok(0)
}

/// The whole state, as a state file.
#[inline(never)]
fn put_all(job: &mut Job, fd: &Fd, out: &mut Text) {
    put_limits(out, &job.plan.limits, 0);
    out.byte(b'\n');
    let mut defaults = proc::MPTCP_DEFAULTS;
    let mut value = Vec::new();
    while !defaults.is_empty() {
        let mut default = take(&mut defaults, b'\n');
        let name = take(&mut default, b' ');
        proc::sysctl(name, &mut value);
        // pm_type is an older name of path_manager; what this kernel lacks is empty.
        if name != b"pm_type" && value != default && !value.is_empty() {
            put_setting(out, name, &value);
            out.byte(b'\n');
        }
    }
    let mut dev = Text::default();
    for endpoint in &job.plan.present {
        let index = index_of(endpoint);
        dev.clear();
        let mut made = is_implicit(endpoint);
        if index != 0 {
            let name = job.names.of_existing(fd, index);
            if name.is_empty() {
                made = true;
                dev.bytes(&vanished(index));
            } else {
                put_name(&mut dev, name, index);
            }
        }
        let leased = !made && is_leased(endpoint, &job.plan.seen);
        if made {
            out.bytes(b"# ");
        }
        out.bytes(b"endpoint add");
        let mut line = *endpoint;
        if leased {
            line = line
                .without_all(1 << Endpoint::FAMILY | 1 << Endpoint::ADDR4 | 1 << Endpoint::ADDR6);
        }
        put_endpoint(out, &line, dev.as_bytes());
        if leased {
            put_family(out, Some(family_of(key_of(endpoint))));
            out.bytes(b" # ");
            out.address(address_of(endpoint));
        }
        out.byte(b'\n');
    }
}

/// Whether the address of an endpoint is leased, and may change with the next lease: if it
/// is the only one of its family that the interface stands for, the line does without it.
#[inline(never)]
fn is_leased(endpoint: &Endpoint, seen: &LinkEvents) -> bool {
    let address = key_of(endpoint);
    let mut leased = false;
    for of in seen {
        if of.index == index_of(endpoint)
            && of.address != 0
            && is_source(seen, of)
            && is_ipv4(of.address) == is_ipv4(address)
            && !is_unique_local(of.address)
        {
            if of.address != address || of.permanent {
                return false;
            }
            leased = true;
        }
    }
    leased && port_of(endpoint) == 0
}

/// A path with a NUL at its end, for [`c_str`].
fn path_of(file: &str) -> Vec<u8> {
    [file.as_bytes(), b"\0"].concat()
}

/// A path made by [`path_of`], for the system. No word contains a NUL.
fn c_str(path: &[u8]) -> &CStr {
    sys::c_str(path).unwrap_or(c"")
}

/// Replaces the file atomically: the new content is on the disk before it gets the name. If
/// it is not a regular file, such as a pipe, it is written to.
#[inline(never)]
fn write(file: &str, text: &[u8]) -> core::result::Result<(), Errno> {
    let mut path = path_of(file);
    let old = match sys::file_status(c_str(&path)) {
        Ok(old) if old.is_regular() => Some(old),
        Ok(_) => return write_all(&sys::open_joined_to_write(&[file.as_bytes()])?, text),
        Err(Errno(number)) if number == libc::ENOENT as usize => None,
        Err(error) => return Err(error),
    };
    resolve(&mut path)?;
    sys::ignore(libc::SIGXFSZ);
    let folder = path.get(..folder_len(&path)).unwrap_or(&[]);
    // Short, so that it fits even if the other name has the maximum length, and new.
    let mut new = Text::default();
    new.bytes(folder);
    new.bytes(b".ip-mptcp-");
    new.number(sys::process().into());
    new.byte(b'-');
    let end = new.len();
    let mut attempt = 0;
    let output = loop {
        new.truncate(end);
        new.number(attempt);
        new.byte(0);
        match sys::create(c_str(new.as_bytes())) {
            Err(Errno(number)) if number == libc::EEXIST as usize && attempt < 1000 => attempt += 1,
            created => break created?,
        }
    };
    let (target, new) = (c_str(&path), c_str(new.as_bytes()));
    let mut result = old.map_or(Ok(()), |old| sys::make_like(&output, &old));
    result = result
        .and_then(|()| write_all(&output, text))
        .and_then(|()| sys::synchronise(&output));
    if result.is_ok() {
        result = sys::rename(new, target);
    }
    if result.is_err() {
        // The first error is the one to report.
        let _ = sys::remove(new);
    }
    result
}

fn write_all(output: &Fd, mut text: &[u8]) -> core::result::Result<(), Errno> {
    while !text.is_empty() {
        match sys::write(output, text)? {
            0 => return Err(Errno(libc::EIO as usize)),
            written => text = text.get(written..).unwrap_or(&[]),
        }
    }
    Ok(())
}

/// The length of a path's directory, with the slash at its end.
#[inline(never)]
fn folder_len(path: &[u8]) -> usize {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.map_or(0, |at| at + 1)
}

/// Replaces a path by that of the file that symbolic links lead to, so that the links stay.
#[inline(never)]
fn resolve(path: &mut Vec<u8>) -> core::result::Result<(), Errno> {
    for _ in 0..40 {
        let mut buffer = [0; 4096];
        let len = match sys::link_target(c_str(path), &mut buffer) {
            Ok(len) => len,
            Err(Errno(number)) if matches!(number as i32, libc::EINVAL | libc::ENOENT) => {
                return Ok(())
            }
            Err(error) => return Err(error),
        };
        // The target may be longer than the buffer.
        let (Some(target), Some(0)) = (buffer.get(..len), buffer.last()) else {
            return Err(Errno(libc::ENAMETOOLONG as usize));
        };
        // A relative target is relative to the directory of the link.
        let folder = match target {
            [b'/', ..] => 0,
            _ => folder_len(path),
        };
        path.truncate(folder);
        path.extend_from_slice(target);
        path.push(0);
    }
    Err(Errno(libc::ELOOP as usize))
}
