//! `save`.

use super::{file_error, path_of};
use crate::args::Save;
use crate::command::endpoint::interface_name;
use crate::command::state::entries;
use crate::error::Result;
use crate::grammar::limits::LimitWords;
use crate::grammar::state::{can_name, put_endpoint, put_limits};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys::{self, Errno, Fd};
use crate::output::{number, vanished};
use crate::session::Session;

pub fn run(session: &mut Session, save: Save) -> Result<u8> {
    let text = text(session)?;
    match save.file.as_deref() {
        None | Some(STANDARD_INPUT) => session.out.bytes(&text),
        Some(file) => write(file, &text)?,
    }
    Ok(0)
}

/// All there is, as a state file.
fn text(session: &mut Session) -> Result<Vec<u8>> {
    let path_manager = session.path_manager()?;
    let limits = path_manager.limits()?;
    let endpoints = entries(path_manager)?;
    let mut out = Vec::new();
    let limits = LimitWords {
        subflows: limits.subflows(),
        add_addr_accepted: limits.add_addr_accepted(),
    };
    put_limits(&mut out, &limits);
    out.push(b'\n');
    for entry in endpoints {
        let name = match entry.index {
            0 => Ok(Vec::new()),
            index => interface_name(path_manager, index as i32),
        };
        let gone = name.is_err();
        // What a line cannot name is found again by its number while it lives.
        let name = match name {
            Ok(name) if entry.index == 0 || can_name(&name) => name,
            _ => vanished(entry.index),
        };
        if gone || entry.is_implicit() {
            out.extend_from_slice(b"# ");
        }
        let (port, id) = (entry.port, entry.id);
        put_endpoint(&mut out, Some(entry.address), port, id, entry.flags, &name);
        out.push(b'\n');
    }
    Ok(out)
}

/// Replaces the file at once: the new content is on the disk before it gets
/// the name. What is no regular file, such as a pipe, is written to.
fn write(file: &str, text: &[u8]) -> Result<()> {
    let cannot = |error: Errno| file_error("Cannot write", file, error);
    let path = path_of(file)?;
    match sys::is_regular(&path) {
        Ok(false) => return write_all(&sys::open_to_write(&path).map_err(cannot)?, text, file),
        Ok(true) => {}
        Err(Errno(number)) if number == libc::ENOENT as u32 => {}
        Err(error) => return Err(cannot(error)),
    }
    let target = resolve(file).map_err(cannot)?;
    let process = number(sys::process().into());
    let new = [target.as_str(), ".", process.as_str()].concat();
    let (target, new) = (path_of(&target)?, path_of(&new)?);
    let output = sys::create(&new).map_err(cannot)?;
    let result = write_all(&output, text, file)
        .and_then(|()| sys::synchronise(&output).map_err(cannot))
        .and_then(|()| sys::rename(&new, &target).map_err(cannot));
    if result.is_err() {
        // The first mistake is the one to tell.
        let _ = sys::remove(&new);
    }
    result
}

fn write_all(output: &Fd, mut text: &[u8], file: &str) -> Result<()> {
    let cannot = |error: Errno| file_error("Cannot write", file, error);
    while !text.is_empty() {
        match sys::write(output, text).map_err(cannot)? {
            0 => return Err(cannot(Errno(libc::EIO as u32))),
            written => text = text.get(written..).unwrap_or(&[]),
        }
    }
    Ok(())
}

/// The file that symbolic links lead to, so that they stay.
fn resolve(file: &str) -> core::result::Result<String, Errno> {
    let too_many = Errno(libc::ELOOP as u32);
    let mut path = String::from(file);
    for _ in 0..40 {
        let mut buffer = [0; 4096];
        let name = std::ffi::CString::new(path.as_str()).map_err(|_| too_many)?;
        let len = match sys::link_target(&name, &mut buffer) {
            Ok(len) if len < buffer.len() => len,
            Ok(_) => return Err(Errno(libc::ENAMETOOLONG as u32)),
            Err(Errno(number)) if matches!(number as i32, libc::EINVAL | libc::ENOENT) => {
                return Ok(path)
            }
            Err(error) => return Err(error),
        };
        let target = core::str::from_utf8(buffer.get(..len).unwrap_or(&[]));
        let target = target.map_err(|_| Errno(libc::EINVAL as u32))?;
        // What is relative is so to the folder of the link.
        match path.rfind('/') {
            Some(at) if !target.starts_with('/') => path.truncate(at + 1),
            _ => path.clear(),
        }
        path.push_str(target);
    }
    Err(too_many)
}
