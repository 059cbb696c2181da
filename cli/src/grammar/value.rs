//! Single words.

use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::kernel::key::key;
use crate::text::{find, parse_digit, parse_number};

/// `5`, `.5`, `2.125`: seconds with at most three digits after the point.
pub fn milliseconds(word: &str) -> Option<u64> {
    let mut value: u64 = 0;
    // How many more digits may come after the point.
    let mut places: u32 = 3;
    let (mut point, mut digits) = (false, false);
    for byte in word.bytes() {
        match byte {
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_add((byte - b'0').into())?;
                places = places.checked_sub(point.into())?;
                digits = true;
            }
            b'.' if !point => (point, digits) = (true, false),
            _ => return None,
        }
    }
    for _ in 0..places {
        value = value.checked_mul(10)?;
    }
    digits.then_some(value)
}

/// How often: at least once.
pub fn count(word: &str) -> Option<u64> {
    parse_number(word).filter(|count| *count > 0).map(u64::from)
}

/// What [`interval`] takes.
pub const INTERVALS: &str = "0.001 to 2147483 seconds";

/// The time from one look to the next, in milliseconds; no longer than poll can wait.
pub fn interval(word: &str) -> Option<u64> {
    milliseconds(word).filter(|time| matches!(time, 1..=0x7fff_ffff))
}

/// Reads the value of an option, if it was given.
pub fn option(
    word: Option<&str>,
    read: fn(&str) -> Option<u64>,
    why: &str,
    into: &mut u64,
) -> Result<()> {
    if let Some(word) = word {
        *into = read(word).ok_or_else(|| Error::invalid(word, why))?;
    }
    Ok(())
}

/// A token as `monitor` and `ss` print it: hexadecimal, with or without `0x`.
pub fn token(word: &str) -> Option<u32> {
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let digits = digits.unwrap_or(word);
    let mut value: u32 = 0;
    for byte in digits.bytes() {
        // Leading zeros are padding; anything that does not fit is not a token.
        if value >> 28 != 0 {
            return None;
        }
        value = value << 4 | parse_digit(byte)?;
    }
    (!digits.is_empty()).then_some(value)
}

/// An address in full: `10` is not one, nor are names.
pub fn address(word: &str) -> Option<IpAddr> {
    let word = word.as_bytes();
    if find(word, b':') == word.len() {
        return ipv4(word).map(IpAddr::from);
    }
    let mut octets = [0; 16];
    ipv6(word, &mut octets)?;
    Some(IpAddr::from(octets))
}

/// Four decimal numbers, none with a leading 0.
fn ipv4(word: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0u8; 4];
    let mut at = 0;
    let mut digits = 0;
    for byte in word {
        let octet = octets.get_mut(at)?;
        match byte {
            b'0'..=b'9' if digits == 0 || *octet != 0 => {
                *octet = octet.checked_mul(10)?.checked_add(byte - b'0')?;
                digits += 1;
            }
            b'.' if digits > 0 => {
                at += 1;
                digits = 0;
            }
            _ => return None,
        }
    }
    (at == 3 && digits > 0).then_some(octets)
}

/// Groups of up to four hexadecimal digits. `::` may stand once for one or more groups of 0;
/// the last two may be written as an IPv4 address.
fn ipv6(mut rest: &[u8], octets: &mut [u8; 16]) -> Option<()> {
    let mut count = 0;
    let mut gap = None;
    while !rest.is_empty() {
        match rest {
            [b':', b':', after @ ..] if gap.is_none() => {
                gap = Some(count);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            [b':', after @ ..] if count > 0 => rest = after,
            _ if count > 0 => return None,
            _ => {}
        }
        let group = rest;
        let mut value = 0;
        while let [byte, after @ ..] = rest {
            let Some(digit) = parse_digit(*byte) else {
                break;
            };
            value = value << 4 | digit;
            rest = after;
        }
        if let [b'.', ..] = rest {
            let room = octets.get_mut(count..count + 4)?;
            room.copy_from_slice(&ipv4(group)?);
            count += 4;
            rest = &[];
        } else if (1..=4).contains(&(group.len() - rest.len())) {
            let room = octets.get_mut(count..count + 2)?;
            room.copy_from_slice(&(value as u16).to_be_bytes());
            count += 2;
        } else {
            return None;
        }
    }
    match gap {
        None if count == octets.len() => {}
        Some(gap) if count < octets.len() => {
            let end = gap + octets.len() - count;
            octets.copy_within(gap..count, end);
            octets.get_mut(gap..end)?.fill(0);
        }
        _ => return None,
    }
    Some(())
}

/// Whether two addresses are the same to the kernel, which treats an IPv4-mapped IPv6 address
/// as the IPv4 address.
pub fn same(one: IpAddr, other: IpAddr) -> bool {
    key(one) == key(other)
}

/// Whether the kernel could have an interface of this name.
pub fn interface_name(word: &str) -> bool {
    let blank = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r');
    !word.is_empty()
        && word.len() < 16
        && word != "."
        && word != ".."
        && !word.bytes().any(|b| b == b'/' || b == 0 || blank(b))
}

/// Whether `word` is `whole` or a prefix of it.
pub fn shortens(word: &str, whole: &str) -> bool {
    let (word, whole) = (word.as_bytes(), whole.as_bytes());
    // Byte by byte: most words differ in the first one.
    !word.is_empty() && word.len() <= whole.len() && word.iter().zip(whole).all(|(a, b)| a == b)
}

/// Whether `word` looks like an option.
pub fn is_dashed(word: &str) -> bool {
    matches!(word.as_bytes(), [b'-', ..])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn seconds_are_decimal() {
        for (word, value) in [
            ("0", Some(0)),
            ("5", Some(5000)),
            ("0.5", Some(500)),
            ("2.125", Some(2125)),
            ("2.05", Some(2050)),
            ("2.1255", None),
            ("2.", None),
            (".5", Some(500)),
            (".", None),
            ("1..5", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(milliseconds(word), value, "{word:?}");
        }
    }

    #[test]
    fn tokens_are_hexadecimal_with_or_without_a_prefix() {
        for (word, value) in [
            ("10", Some(0x10)),
            ("0x10", Some(0x10)),
            ("0XffFFffFF", Some(u32::MAX)),
            ("0001", Some(1)),
            ("000000000001", Some(1)),
            ("100000000", None),
            ("0x", None),
            ("", None),
            ("0x0x1", None),
            ("-1", None),
            ("+1", None),
            (" 1", None),
            ("1g", None),
        ] {
            assert_eq!(token(word), value, "{word:?}");
        }
    }

    #[test]
    fn addresses_are_written_out() {
        for word in [
            "10",
            "10.8",
            "10.",
            "1.2.3.4.5",
            "256.1.1.1",
            "012.0.0.1",
            "0x1.0.0.1",
            "",
            "any",
            "default",
            "all",
            "FE80::1%lo",
            "[::1]",
            "::1/128",
            "10.0.0.1/24",
            "localhost",
        ] {
            assert_eq!(address(word), None, "{word:?}");
        }
        assert_eq!(address("10.0.0.1"), Some(Ipv4Addr::new(10, 0, 0, 1).into()));
        assert_eq!(address("0.0.0.0"), Some(Ipv4Addr::UNSPECIFIED.into()));
        assert_eq!(address("255.255.255.255"), Some(Ipv4Addr::BROADCAST.into()));
        assert!(address("2001:DB8::1").is_some());
        assert!(address("::ffff:1.2.3.4").is_some());
    }

    /// Random strings: an address is exactly what the standard library takes for one.
    #[test]
    fn ipv6_addresses_are_those_of_the_standard_library() {
        let pieces = [
            ":", "::", "0", "1", "fFfF", "12345", "10.0.0.1", "1.2", ".", "g", ":1", ":a0",
        ];
        let mut random = 1u64;
        let mut found = 0;
        for _ in 0..400_000 {
            let mut word = String::new();
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            for place in 0..1 + (random >> 60) {
                let chosen = random.rotate_right(place as u32 * 11) >> 32;
                word.push_str(pieces[chosen as usize % pieces.len()]);
            }
            if word.contains(':') {
                let expected = word.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
                found += usize::from(expected.is_some());
                assert_eq!(address(&word), expected, "{word:?}");
            }
        }
        assert!(found > 1000, "{found}");
    }
}
