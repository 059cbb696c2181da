//! Numbers and addresses as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A number as text.
#[derive(Copy, Clone, Debug)]
pub struct Digits {
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    /// The text.
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
            let digit = (value % base) as u8;
            *byte = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
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
    [b"if", number(index.into()).as_bytes()].concat()
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
    match address {
        IpAddr::V4(address) => ipv4(address),
        IpAddr::V6(address) => ipv6(address),
    }
}

/// Dotted decimal.
pub fn ipv4(address: Ipv4Addr) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    put_ipv4(&mut out, address.octets());
    out
}

fn put_ipv4(out: &mut Vec<u8>, octets: [u8; 4]) {
    // Four of three digits, each with its point.
    let mut text = [b'.'; 16];
    let len = write_ipv4(&mut text, octets);
    out.extend_from_slice(text.get(..len).unwrap_or(&[]));
}

/// An IPv4 address and a port, behind what is there. Tables of connections
/// are full of them, so it takes as few steps as it can.
pub fn put_ipv4_port(out: &mut Vec<u8>, address: Ipv4Addr, port: u16) {
    let mut text = [b'.'; 24];
    let len = write_ipv4(&mut text, address.octets());
    let mut end = len + 1;
    let mut rest = port;
    while rest >= 10 {
        rest /= 10;
        end += 1;
    }
    let digits = text.get_mut(len..=end).unwrap_or(&mut []);
    let mut rest = port;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    if let Some(colon) = digits.first_mut() {
        *colon = b':';
    }
    out.extend_from_slice(text.get(..=end).unwrap_or(&[]));
}

/// Writes over the points at the start of `text`; tells how far.
fn write_ipv4(text: &mut [u8], octets: [u8; 4]) -> usize {
    let mut len = 0;
    let mut put = |byte: u8| {
        if let Some(place) = text.get_mut(len) {
            *place = byte;
        }
        len += 1;
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
    len - 1
}

/// As glibc's inet_ntop: the longest run of zeros (the first of equals, two
/// groups at least) becomes `::`, and the last four bytes are dotted where
/// only zeros, or zeros and ffff, stand in front.
pub fn ipv6(address: Ipv6Addr) -> Vec<u8> {
    let groups = address.segments();
    let (mut start, mut len) = (0, 0);
    let mut at = 0;
    while at < groups.len() {
        let zeros = groups.iter().skip(at).take_while(|g| **g == 0).count();
        if zeros > len {
            (start, len) = (at, zeros);
        }
        at += zeros + 1;
    }
    if len < 2 {
        (start, len) = (groups.len(), 0);
    }
    let dotted = start == 0 && (len == 6 || len == 5 && groups[5] == 0xffff);
    let mut out = Vec::with_capacity(48);
    for (at, group) in groups.into_iter().enumerate() {
        if at == start {
            out.push(b':');
        }
        if (start..start + len).contains(&at) {
            continue;
        }
        if at > 0 {
            out.push(b':');
        }
        if at == 6 && dotted {
            let [.., a, b, c, d] = address.octets();
            put_ipv4(&mut out, [a, b, c, d]);
            return out;
        }
        out.extend_from_slice(hexadecimal(group.into()).as_bytes());
    }
    if start + len == groups.len() && len > 0 {
        out.push(b':');
    }
    out
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
            let written = String::from_utf8(ipv6(parsed)).expect("ASCII");
            if text == "1:2:3:4:5:6:7::" {
                assert_eq!(written, "1:2:3:4:5:6:7:0");
            } else {
                assert_eq!(written, text);
            }
        }
        assert_eq!(ipv4(Ipv4Addr::new(10, 0, 200, 255)), b"10.0.200.255");
        for (port, written) in [
            (0, "1.0.0.99:0"),
            (9, "1.0.0.99:9"),
            (10, "1.0.0.99:10"),
            (65535, "1.0.0.99:65535"),
        ] {
            let mut out = Vec::new();
            put_ipv4_port(&mut out, Ipv4Addr::new(1, 0, 0, 99), port);
            assert_eq!(out, written.as_bytes());
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(number(0).as_str(), "0");
        assert_eq!(number(u64::MAX).as_str(), "18446744073709551615");
        assert_eq!(padded(0x1f, 8).as_str(), "0000001f");
        assert_eq!(hexadecimal(0xabc).as_str(), "abc");
    }
}
