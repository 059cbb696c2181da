//! Interfaces by name and by index.

use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::sys::{self, Fd, NAME_SIZE};
use crate::text::{parse_digit, vanished};

/// The index of an interface. `ifN` stands for index N, as endpoints of
/// interfaces that no longer exist are shown; with `gone`, to select them, it need
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
        .filter(|index| gone || exists(fd, *index))
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
    /// Adds one that is known.
    pub fn add(&mut self, index: u32, name: &[u8]) {
        self.find(index, &mut |known| put(known, name));
    }

    /// Looks a name up once more; an interface that no longer exists is not known
    /// any more.
    pub fn look_again(&mut self, fd: &Fd, index: u32) {
        let (at, is_known) = self.place(index);
        if is_known {
            self.0.remove(at);
        }
        let mut name = Name::default();
        if look_up(fd, index, &mut name) {
            self.0.insert(at, (index, name));
        }
    }

    /// All that are known.
    pub fn all(&self) -> impl Iterator<Item = (&u32, &[u8])> {
        self.0.iter().map(|(index, name)| (index, bytes(name)))
    }

    /// Gives all up.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The name, looked up by this socket; `ifN` where the interface no longer
    /// exists.
    pub fn get(&mut self, fd: &Fd, index: u32) -> &[u8] {
        self.find(index, &mut |known| {
            if !look_up(fd, index, known) {
                put(known, &vanished(index));
            }
        })
    }

    /// The name, looked up by this socket; empty where the interface does not exist.
    pub fn of_existing(&mut self, fd: &Fd, index: u32) -> &[u8] {
        self.find(index, &mut |known| {
            look_up(fd, index, known);
        })
    }

    /// The name, if it is known; otherwise `ifN`, and `unknown` for 0.
    pub fn known(&mut self, index: u32) -> &[u8] {
        self.find(index, &mut |known| match index {
            0 => put(known, b"unknown"),
            index => put(known, &vanished(index)),
        })
    }

    /// Where an interface is, or is to be, and whether it is known.
    #[inline(never)]
    fn place(&self, index: u32) -> (usize, bool) {
        // In order: with a thousand interfaces each would be compared with all others.
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

/// No name is longer than there is room.
fn put((bytes, len): &mut Name, name: &[u8]) {
    for (to, from) in bytes.iter_mut().zip(name) {
        *to = *from;
    }
    *len = name.len();
}
