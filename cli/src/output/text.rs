//! Numbers and addresses as text.

use std::net::{IpAddr, Ipv6Addr};

use crate::grammar::find;

/// A number as text.
#[derive(Copy, Clone, Debug)]
pub struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    /// The text.
    #[inline(never)]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or(&[])
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    fn new(mut value: u64, base: u64, least: usize) -> Self {
        let mut bytes = [b'0'; 20];
        let mut start = bytes.len();
        for byte in bytes.iter_mut().rev() {
            *byte = digit(value % base);
            start -= 1;
            value /= base;
            if value == 0 {
                break;
            }
        }
        let start = start.min(bytes.len() - least.clamp(1, bytes.len()));
        Self { bytes, start }
    }
}

/// Decimal.
pub fn number(value: u64) -> Digits {
    Digits::new(value, 10, 1)
}

/// What an interface is called that has gone: `ifN`, N its index.
pub fn vanished(index: u32) -> Vec<u8> {
    let mut text = Text::default();
    text.bytes(b"if");
    text.number(index.into());
    text.into_bytes()
}

/// Hexadecimal, lower case, no prefix.
pub fn hexadecimal(value: u64) -> Digits {
    Digits::new(value, 16, 1)
}

/// Hexadecimal with at least `least` digits.
pub fn padded(value: u64, least: usize) -> Digits {
    Digits::new(value, 16, least)
}

/// An address of either family.
pub fn address(address: IpAddr) -> Vec<u8> {
    let mut text = Text::default();
    text.address(address);
    text.into_bytes()
}

/// Takes what stands in front of the next byte `end` off `rest`, and that: all
/// of it where there is none. Tables of texts are one text, read by this: a
/// table of slices would be as large again.
#[inline(never)]
pub fn take<'a>(rest: &mut &'a [u8], end: u8) -> &'a [u8] {
    let len = find(rest, end);
    let (taken, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = behind.get(1..).unwrap_or(&[]);
    taken
}

/// The text with this number, counted from 0, of those that `end` separates.
pub fn nth(mut texts: &[u8], end: u8, number: usize) -> &[u8] {
    for _ in 0..number {
        take(&mut texts, end);
    }
    take(&mut texts, end)
}

/// Bytes that are put together piece by piece. Written for many small pieces:
/// each is copied into room that is there already.
#[derive(Debug, Default)]
pub struct Text {
    room: Vec<u8>,
    end: usize,
}

/// The first room there is: most texts are no longer.
const ROOM: usize = 256;
/// Room that has grown to this is given back when it is empty.
const LARGE: usize = 1 << 20;

impl Text {
    /// What has been put there.
    #[inline(never)]
    pub fn as_bytes(&self) -> &[u8] {
        self.room.get(..self.end).unwrap_or(&[])
    }

    /// The same, to keep.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.room.truncate(self.end);
        self.room
    }

    /// Gives up what is there.
    pub fn clear(&mut self) {
        self.end = 0;
        if self.room.len() > LARGE {
            self.room = Vec::new();
        }
    }

    /// Gives up the first `len` bytes.
    pub fn remove_front(&mut self, len: usize) {
        if len <= self.end {
            self.room.copy_within(len..self.end, 0);
            self.end -= len;
        }
    }

    /// Room for so many bytes more, which are part of the text from now on.
    #[inline(never)]
    fn more(&mut self, len: usize) -> &mut [u8] {
        let start = self.end;
        self.end = start + len;
        if self.end > self.room.len() {
            self.grow();
        }
        self.room.get_mut(start..self.end).unwrap_or(&mut [])
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        if self.room.is_empty() {
            self.room = vec![0; self.end.max(ROOM)];
        } else {
            self.room.resize(2 * self.end, 0);
        }
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        match self.room.get_mut(self.end..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.end = end;
            }
            None => self.more(bytes.len()).copy_from_slice(bytes),
        }
    }

    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        match self.room.get_mut(self.end) {
            Some(place) => {
                *place = byte;
                self.end += 1;
            }
            None => self.more(1).fill(byte),
        }
    }

    /// A number, decimal.
    pub fn number(&mut self, value: u64) {
        if value < 10 {
            self.byte(digit(value));
        } else {
            self.digits(value, 10, 2);
        }
    }

    /// A number, hexadecimal in lower case, with at least so many digits.
    pub fn hexadecimal(&mut self, value: u64, least: usize) {
        self.digits(value, 16, least);
    }

    pub(super) fn digits(&mut self, mut value: u64, base: u64, least: usize) {
        let mut rest = value;
        let mut len = 1;
        while rest >= base {
            rest /= base;
            len += 1;
        }
        for byte in self.more(len.max(least)).iter_mut().rev() {
            *byte = digit(value % base);
            value /= base;
        }
    }

    /// An address of either family.
    pub fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.ipv4(address.octets()),
            IpAddr::V6(address) => self.ipv6(address),
        }
    }

    fn ipv4(&mut self, octets: [u8; 4]) {
        // The longest, with a dot too many.
        const LONGEST: usize = 16;
        let start = self.end;
        let mut places = self.more(LONGEST).iter_mut();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
            }
        };
        for octet in octets {
            if octet >= 100 {
                put(b'0' + octet / 100);
            }
            if octet >= 10 {
                put(b'0' + octet / 10 % 10);
            }
            put(b'0' + octet % 10);
            put(b'.');
        }
        self.end = start + LONGEST - 1 - places.len();
    }

    /// As glibc's inet_ntop: the longest run of zeros (the first of equals,
    /// two groups at least) becomes `::`, and the last four bytes are dotted
    /// where only zeros, or zeros and ffff, stand in front.
    fn ipv6(&mut self, address: Ipv6Addr) {
        let groups = address.segments();
        let (mut start, mut len) = (groups.len(), 1);
        let mut zeros = 0;
        for (at, group) in groups.iter().enumerate() {
            zeros = if *group == 0 { zeros + 1 } else { 0 };
            if zeros > len {
                (start, len) = (at + 1 - zeros, zeros);
            }
        }
        let end = start + len;
        let dotted = start == 0 && (len == 6 || len == 5 && groups[5] == 0xffff);
        for (at, group) in groups.into_iter().enumerate() {
            if (start..end).contains(&at) {
                if at == start {
                    self.bytes(b"::");
                }
                continue;
            }
            if at > 0 && at != end {
                self.byte(b':');
            }
            if at == 6 && dotted {
                let [.., a, b, c, d] = address.octets();
                return self.ipv4([a, b, c, d]);
            }
            self.hexadecimal(group.into(), 1);
        }
    }
}

fn digit(value: u64) -> u8 {
    let value = value as u8;
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_as_inet_ntop_writes_them() {
        for text in [
            "::",
            "::1",
            "1::",
            "2001:db8::1",
            "1:2:3:4:5:6:7:8",
            "1:0:0:4::8",
            "::2:0:0:3:4:5",
            "fe80::1:0:0:1",
            "1:0:2:3:4:5:6:7",
            "::ffff:10.0.0.1",
            "::10.1.2.3",
            "::0.1.0.0",
            "1:2:3:4:5:6:7::",
            "0:1::",
            "64:ff9b::a00:1",
        ] {
            let parsed: Ipv6Addr = text.parse().expect("test address");
            let written = String::from_utf8(address(parsed.into())).expect("ASCII");
            if text == "1:2:3:4:5:6:7::" {
                assert_eq!(written, "1:2:3:4:5:6:7:0");
            } else {
                assert_eq!(written, text);
            }
        }
        assert_eq!(address([10, 0, 200, 255].into()), b"10.0.200.255");
    }

    #[test]
    fn numbers() {
        assert_eq!(number(0).as_str(), "0");
        assert_eq!(number(u64::MAX).as_str(), "18446744073709551615");
        assert_eq!(padded(0x1f, 8).as_str(), "0000001f");
        assert_eq!(hexadecimal(0xabc).as_str(), "abc");
    }
}
