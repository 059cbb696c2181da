//! Interfaces by name and by index.

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::sys::{self, Fd, NAME_SIZE};
use crate::text::{parse_digit, vanished};

/// The index of an interface. `ifN` stands for index N, as it does where an interface no longer
/// exists; with `gone`, for selecting its endpoints, it need not exist.
pub fn index(fd: &Fd, name: &str, gone: bool) -> Result<u32> {
    match sys::interface_index(fd, name.as_bytes()) {
        Ok(index) => return Ok(index),
        Err(Errno(number)) if number == libc::ENODEV as usize => {}
        Err(error) => return Err(Error::answer(error).about(name)),
    }
    // Decimal, even with leading zeros.
    name.strip_prefix("if")
        .and_then(decimal)
        .filter(|index| *index != 0)
        .filter(|index| gone || exists(fd, *index))
        .ok_or_else(|| Error::invalid(name, "device does not exist"))
}

/// A decimal number, even with leading zeros, which mean octal in C.
fn decimal(digits: &str) -> Option<u32> {
    let mut value: u32 = 0;
    for digit in digits.bytes() {
        let digit = parse_digit(digit).filter(|digit| *digit < 10)?;
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Whether there is such an interface.
pub fn exists(fd: &Fd, index: u32) -> bool {
    sys::interface_name(fd, index, &mut [0; NAME_SIZE]).is_ok()
}

/// The name of an interface: bytes, and how many of them.
type Name = ([u8; NAME_SIZE], usize);

/// Names of interfaces by their index, each looked up once.
#[derive(Debug, Default)]
pub struct Names(Vec<(u32, Name)>);

impl Names {
    /// Adds a known one.
    pub fn add(&mut self, index: u32, name: &[u8]) {
        self.find(index, &mut |known| put(known, name));
    }

    /// Looks up a name again, and forgets the interface if it no longer exists.
    pub fn look_again(&mut self, fd: &Fd, index: u32) {
        self.forget(index);
        if self.of_existing(fd, index).is_empty() {
            self.forget(index);
        }
    }

    #[inline(never)]
    fn forget(&mut self, index: u32) {
        let (at, is_known) = self.place(index);
        if is_known {
            self.0.remove(at);
        }
    }

    /// All known ones.
    pub fn all(&self) -> impl Iterator<Item = (&u32, &[u8])> {
        self.0.iter().map(|(index, name)| (index, bytes(name)))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The name, looked up through this socket; `ifN` if the interface no longer exists.
    pub fn get(&mut self, fd: &Fd, index: u32) -> &[u8] {
        self.find(index, &mut |known| {
            if !look_up(fd, index, known) {
                put(known, &vanished(index));
            }
        })
    }

    /// The name, looked up through this socket; empty if the interface does not exist.
    pub fn of_existing(&mut self, fd: &Fd, index: u32) -> &[u8] {
        self.find(index, &mut |known| {
            look_up(fd, index, known);
        })
    }

    /// The name if it is known, otherwise `ifN`; `unknown` for 0.
    pub fn known(&mut self, index: u32) -> &[u8] {
        self.find(index, &mut |known| match index {
            0 => put(known, b"unknown"),
            index => put(known, &vanished(index)),
        })
    }

    /// The place of an interface, or where to insert it, and whether it is known.
    #[inline(never)]
    fn place(&self, index: u32) -> (usize, bool) {
        // Sorted: with a thousand interfaces, a linear search would compare each with all
        // others.
        let at = self.0.partition_point(|(known, _)| *known < index);
        let known = self.0.get(at);
        (at, known.is_some_and(|(known, _)| *known == index))
    }

    fn find(&mut self, index: u32, look_up: &mut dyn FnMut(&mut Name)) -> &[u8] {
        let (at, is_known) = self.place(index);
        if !is_known {
            let mut name = Name::default();
            look_up(&mut name);
            self.0.insert(at, (index, name));
        }
        self.0.get(at).map_or(&[], |(_, name)| bytes(name))
    }
}

fn look_up(fd: &Fd, index: u32, (bytes, len): &mut Name) -> bool {
    let found = sys::interface_name(fd, index, bytes);
    *len = found.unwrap_or(0);
    found.is_ok()
}

fn bytes((bytes, len): &Name) -> &[u8] {
    bytes.get(..*len).unwrap_or(bytes)
}

/// There is room for the longest name.
fn put((bytes, len): &mut Name, name: &[u8]) {
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = *from;
    }
    *len = name.len();
}
