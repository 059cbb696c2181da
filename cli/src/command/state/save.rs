//! `save`.

use std::ffi::CStr;

use super::file_error;
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{Error, Result, Status};
use crate::grammar::limits::LimitWords;
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::{interface, PathManager};
use crate::session::Session;
use crate::session::{Command, Does};
use crate::state::changes::{entries, limits};
use crate::state::file::{can_name, put_limits};
use crate::sys::{self, Fd};
use crate::text::{number, vanished, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "save",
    about: "Print endpoints and limits as a state file.",
    words: "[ FILE ]",
    help: "A named file is replaced atomically. Endpoints that the kernel made, or whose \
            interface has gone, are comments in it.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp save /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
pub fn run(session: &mut Session, save: &Options) -> Result<Status> {
    let mut text = Text::default();
    put_all(session.path_manager()?, &mut text)?;
    let text = text.as_bytes();
    match save.file {
        // By this name too it may be a file that others write to.
        None | Some(STANDARD_INPUT | "/dev/stdout") => session.out.bytes(text),
        Some(file) => {
            write(file, text).map_err(|error| file_error("Cannot write", file, error))?;
        }
    }
    Ok(0)
}

/// All there is, as a state file.
#[inline(never)]
fn put_all(path_manager: &mut PathManager, out: &mut Text) -> Result<()> {
    let mut found = LimitWords::default();
    limits(path_manager, &mut found)?;
    put_limits(out, &found);
    out.byte(b'\n');
    let mut present = Vec::new();
    entries(path_manager, &mut present)?;
    let mut name = Vec::new();
    for entry in &present {
        let mut gone = false;
        name.clear();
        if entry.index != 0 {
            match interface::name(path_manager.fd(), entry.index, &mut name) {
                Ok(()) => {}
                Err(Errno(number)) if number == libc::ENODEV as u32 => gone = true,
                Err(error) => return Err(Error::answer(error)),
            }
            // What a line cannot name is found again by its number while it lives.
            if !can_name(&name) {
                name = vanished(entry.index);
            }
        }
        if gone || entry.is_implicit() {
            out.bytes(b"# ");
        }
        entry.print(out, &name);
        out.byte(b'\n');
    }
    Ok(())
}

/// A path as the system takes it, which [`c_str`] makes of it.
fn path_of(file: &str) -> Vec<u8> {
    [file.as_bytes(), b"\0"].concat()
}

/// What [`path_of`] made, for the system. No word has a NUL in it.
fn c_str(path: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(path).unwrap_or(c"")
}

/// Replaces the file at once: the new content is on the disk before it gets
/// the name. What is no regular file, such as a pipe, is written to.
#[inline(never)]
fn write(file: &str, text: &[u8]) -> core::result::Result<(), Errno> {
    let mut path = path_of(file);
    let old = match sys::file_status(c_str(&path)) {
        Ok(old) if old.is_regular() => Some(old),
        Ok(_) => return write_all(&sys::open_to_write(c_str(&path))?, text),
        Err(Errno(number)) if number == libc::ENOENT as u32 => None,
        Err(error) => return Err(error),
    };
    resolve(&mut path)?;
    let target = path.strip_suffix(b"\0").unwrap_or(&path);
    let process = number(sys::process().into());
    let new = [target, b".", process.as_bytes(), b"\0"].concat();
    let (target, new) = (c_str(&path), c_str(&new));
    sys::survive_size_limit();
    // One with our number was cut short.
    let _ = sys::remove(new);
    let output = sys::create(new)?;
    let mut result = old.map_or(Ok(()), |old| sys::make_like(&output, &old));
    result = result
        .and_then(|()| write_all(&output, text))
        .and_then(|()| sys::synchronise(&output));
    if result.is_ok() {
        result = sys::rename(new, target);
    }
    if result.is_err() {
        // The first mistake is the one to tell.
        let _ = sys::remove(new);
    }
    result
}

fn write_all(output: &Fd, mut text: &[u8]) -> core::result::Result<(), Errno> {
    while !text.is_empty() {
        match sys::write(output, text)? {
            0 => return Err(Errno(libc::EIO as u32)),
            written => text = text.get(written..).unwrap_or(&[]),
        }
    }
    Ok(())
}

/// Makes of a path that of the file that symbolic links lead to, so that they
/// stay.
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
        // It may have been longer than there was room.
        let (Some(target), Some(0)) = (buffer.get(..len), buffer.last()) else {
            return Err(Errno(libc::ENAMETOOLONG as u32));
        };
        // What is relative is so to the folder of the link.
        let folder = match target {
            [b'/', ..] => None,
            _ => path.iter().rposition(|byte| *byte == b'/'),
        };
        path.truncate(folder.map_or(0, |at| at + 1));
        path.extend_from_slice(target);
        path.push(0);
    }
    Err(Errno(libc::ELOOP as u32))
}
