//! `save`.

use std::ffi::CStr;

use super::{entries, file_error, path_of};
use crate::args::Save;
use crate::command::endpoint::interface_name;
use crate::error::Result;
use crate::grammar::limits::LimitWords;
use crate::grammar::state::{can_name, put_limits};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys::{self, Errno, Fd};
use crate::kernel::PathManager;
use crate::output::{number, vanished, Text};
use crate::plan::{Action, Step};
use crate::session::Session;

#[inline(never)]
pub fn run(session: &mut Session, save: &Save) -> Result<u8> {
    let mut text = Text::default();
    put_all(session.path_manager()?, &mut text)?;
    let text = text.as_bytes();
    match save.file {
        None | Some(STANDARD_INPUT) => session.out.bytes(text),
        Some(file) => {
            write(file, text).map_err(|error| file_error("Cannot write", file, error))?;
        }
    }
    Ok(0)
}

/// All there is, as a state file.
#[inline(never)]
fn put_all(path_manager: &mut PathManager, out: &mut Text) -> Result<()> {
    put_limits(out, &LimitWords::of(&path_manager.limits()?));
    out.byte(b'\n');
    let mut present = Vec::new();
    entries(path_manager, &mut present)?;
    for entry in &present {
        let mut name = Vec::new();
        let mut gone = false;
        if entry.index != 0 {
            match interface_name(path_manager, entry.index as i32) {
                Ok(found) => name = found,
                Err(_) => gone = true,
            }
            // What a line cannot name is found again by its number while it lives.
            if !can_name(&name) {
                name = vanished(entry.index);
            }
        }
        if gone || entry.is_implicit() {
            out.bytes(b"# ");
        }
        Step::new(Action::Add, entry).print(out, &name);
        out.byte(b'\n');
    }
    Ok(())
}

/// Replaces the file at once: the new content is on the disk before it gets
/// the name. What is no regular file, such as a pipe, is written to.
#[inline(never)]
fn write(file: &str, text: &[u8]) -> core::result::Result<(), Errno> {
    let path = path_of(file)?;
    match sys::is_regular(&path) {
        Ok(false) => return write_all(&sys::open_to_write(&path)?, text),
        Ok(true) => {}
        Err(Errno(number)) if number == libc::ENOENT as u32 => {}
        Err(error) => return Err(error),
    }
    let mut target = String::from(file);
    resolve(&mut target)?;
    let path = path_of(&target)?;
    target.push('.');
    target.push_str(number(sys::process().into()).as_str());
    let new = path_of(&target)?;
    let output = sys::create(&new)?;
    let result = put_in_place(&output, text, &new, &path);
    if result.is_err() {
        // The first mistake is the one to tell.
        let _ = sys::remove(&new);
    }
    result
}

fn put_in_place(
    output: &Fd,
    text: &[u8],
    new: &CStr,
    target: &CStr,
) -> core::result::Result<(), Errno> {
    write_all(output, text)?;
    sys::synchronise(output)?;
    sys::rename(new, target)
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
fn resolve(path: &mut String) -> core::result::Result<(), Errno> {
    for _ in 0..40 {
        let mut buffer = [0; 4096];
        let len = match sys::link_target(&path_of(path)?, &mut buffer) {
            Ok(len) => len,
            Err(Errno(number)) if matches!(number as i32, libc::EINVAL | libc::ENOENT) => {
                return Ok(())
            }
            Err(error) => return Err(error),
        };
        let target = match buffer.get(..len) {
            Some(target) if len < buffer.len() => core::str::from_utf8(target),
            _ => return Err(Errno(libc::ENAMETOOLONG as u32)),
        };
        let target = target.map_err(|_| Errno(libc::EINVAL as u32))?;
        // What is relative is so to the folder of the link.
        if target.starts_with('/') {
            path.clear();
        }
        let folder = path.bytes().rposition(|byte| byte == b'/');
        path.truncate(folder.map_or(0, |at| at + 1));
        path.push_str(target);
    }
    Err(Errno(libc::ELOOP as u32))
}
