//! Interfaces by name and by index.

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::sys::{self, Fd};
use crate::text::{find, parse_digit, vanished};

/// The index of an interface. `ifN` stands for index N, as endpoints of
/// interfaces that have gone are shown; with `gone`, to select them, it need
/// not exist.
pub fn index(fd: &Fd, name: &str, gone: bool) -> Result<u32> {
    match sys::interface_index(fd, name.as_bytes()) {
        Ok(index) => return Ok(index),
        Err(Errno(number)) if number == libc::ENODEV as usize => {}
        Err(error) => return Err(Error::answer(error).about(name)),
    }
    // Decimal, also after zeros.
    name.strip_prefix("if")
        .and_then(decimal)
        .filter(|index| *index != 0)
        .filter(|index| gone || sys::interface_name(fd, *index).is_ok())
        .ok_or_else(|| Error::invalid(name, "device does not exist"))
}

/// A decimal number, also after zeros: not what begins so for C.
fn decimal(digits: &str) -> Option<u32> {
    let mut value: u32 = 0;
    for digit in digits.bytes() {
        let digit = parse_digit(digit).filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Makes of `name` that of an interface; empty, and an error, where it no longer exists
/// (`ENODEV`) or cannot be looked up.
pub fn name(fd: &Fd, index: u32, name: &mut Vec<u8>) -> core::result::Result<(), Errno> {
    name.clear();
    let found = sys::interface_name(fd, index)?;
    name.extend_from_slice(found.get(..find(&found, 0)).unwrap_or(&found));
    Ok(())
}

/// Names of interfaces by their index, each looked up once.
#[derive(Debug, Default)]
pub struct Names(Vec<(u32, Vec<u8>)>);

impl Names {
    /// Adds one that is known.
    pub fn add(&mut self, index: u32, name: Vec<u8>) {
        self.0.push((index, name));
    }

    /// All that are known.
    pub fn all(&self) -> &[(u32, Vec<u8>)] {
        &self.0
    }

    /// The name, looked up by this socket; `ifN` where the interface no longer
    /// exists.
    pub fn get(&mut self, fd: &Fd, index: u32) -> &[u8] {
        self.find(index, &mut |text| {
            if name(fd, index, text).is_err() {
                *text = vanished(index);
            }
        })
    }

    /// The name, if it is known; otherwise `ifN`, and `unknown` for 0.
    pub fn known(&mut self, index: u32) -> &[u8] {
        self.find(index, &mut |text| {
            *text = match index {
                0 => b"unknown".to_vec(),
                index => vanished(index),
            };
        })
    }

    fn find(&mut self, index: u32, look_up: &mut dyn FnMut(&mut Vec<u8>)) -> &[u8] {
        let known = self.0.iter().position(|(known, _)| *known == index);
        let at = known.unwrap_or_else(|| {
            let mut name = Vec::new();
            look_up(&mut name);
            self.add(index, name);
            self.0.len() - 1
        });
        self.0.get(at).map_or(&[], |(_, name)| name)
    }
}
