//! Bytes and text, which everything else builds on.
//!
//! Searching and splitting, lists in one text, numbers and addresses as text, JSON strings.

use std::net::{IpAddr, Ipv6Addr};

/// The place of the first such byte; the length if there is none.
pub fn find(bytes: &[u8], byte: u8) -> usize {
    let found = bytes.iter().position(|other| *other == byte);
    found.unwrap_or(bytes.len())
}

/// Bytes as text, if they are UTF-8: by the function that [`json_string`] needs anyway. Most
/// words are ASCII, and do not come here.
#[inline(never)]
pub fn utf8(bytes: &[u8]) -> Option<&str> {
    match bytes.utf8_chunks().next() {
        Some(chunk) => chunk.invalid().is_empty().then_some(chunk.valid()),
        None => Some(""),
    }
}

/// Joins pieces of text.
pub fn join(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

/// The length of [`joined`] texts.
pub const fn joined_len(texts: &[&str]) -> usize {
    let (mut len, mut at) = (0, 0);
    while at < texts.len() {
        len += texts[at].len();
        at += 1;
    }
    len
}

/// Joins texts at compile time.
pub const fn joined<const N: usize>(texts: &[&str]) -> [u8; N] {
    let (mut out, mut end, mut at) = ([0; N], 0, 0);
    while at < texts.len() {
        let text = texts[at].as_bytes();
        let mut next = 0;
        while next < text.len() {
            out[end] = text[next];
            (end, next) = (end + 1, next + 1);
        }
        at += 1;
    }
    out
}

/// A number as `ip` reads it: decimal, `0x` hexadecimal or octal with a leading 0; blanks and
/// a sign may come first. Unlike there, a number that does not fit is invalid, whatever its
/// sign.
pub fn parse_number(word: &str) -> Option<u32> {
    let mut digits = word.as_bytes();
    while let [b' ' | b'\t'..=b'\r', rest @ ..] = digits {
        digits = rest;
    }
    let negative = matches!(digits, [b'-', ..]);
    if let [b'-' | b'+', rest @ ..] = digits {
        digits = rest;
    }
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => (16, rest),
        [b'0', rest @ ..] if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: u32 = 0;
    for byte in digits {
        let digit = parse_digit(*byte).filter(|digit| *digit < base)?;
        value = value.checked_mul(base)?.checked_add(digit)?;
    }
    (!negative || value == 0).then_some(value)
}

/// A hexadecimal digit.
pub fn parse_digit(byte: u8) -> Option<u32> {
    Some(
        match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        }
        .into(),
    )
}

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
        utf8(self.as_bytes()).unwrap_or("")
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

/// The name shown for an interface that no longer exists: `ifN`, where N is its index.
pub fn vanished(index: u32) -> Vec<u8> {
    let mut text = Text::default();
    text.bytes(b"if");
    text.number(index.into());
    text.into_bytes()
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

/// Takes what comes before the next byte `end`, and that byte, off `rest`; all of it if there
/// is none. Tables of texts are one text, read by this: a table of slices would double the
/// size.
pub fn take<'a>(rest: &mut &'a [u8], end: u8) -> &'a [u8] {
    let len = find(rest, end);
    let (taken, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = after.get(1..).unwrap_or(&[]);
    taken
}

/// The same of a text; `end` is ASCII.
pub fn take_text<'a>(rest: &mut &'a str, end: u8) -> &'a str {
    let len = find(rest.as_bytes(), end);
    let (taken, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
    *rest = after.get(1..).unwrap_or("");
    taken
}

/// The words between blanks.
pub fn pieces(mut text: &str) -> impl Iterator<Item = &str> {
    core::iter::from_fn(move || (!text.is_empty()).then(|| take_text(&mut text, b' ')))
}

/// Whether a word is one of those between blanks.
pub fn among(words: &str, word: &str) -> bool {
    pieces(words).any(|piece| piece == word)
}

/// The text with this number, counted from 0, of those separated by `end`.
pub fn nth(mut texts: &[u8], end: u8, number: usize) -> &[u8] {
    for _ in 0..number {
        take(&mut texts, end);
    }
    take(&mut texts, end)
}

/// Bytes that are put together piece by piece. Meant for many small pieces: each is copied
/// into room that is already there.
#[derive(Debug, Default)]
pub struct Text {
    room: Vec<u8>,
    end: usize,
}

/// The initial room: most texts are no longer.
const ROOM: usize = 256;
/// Room that has grown to this is freed when the text is cleared.
const LARGE: usize = 1 << 20;

impl Text {
    /// What has been put there.
    #[inline(never)]
    pub fn as_bytes(&self) -> &[u8] {
        self.room.get(..self.end).unwrap_or(&[])
    }

    /// Its length.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.end
    }

    /// Nothing has been put there.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// The same, to keep.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.room.truncate(self.end);
        self.room
    }

    /// Discards everything.
    pub fn clear(&mut self) {
        self.end = 0;
        if self.room.len() > LARGE {
            self.room = Vec::new();
        }
    }

    /// Keeps the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.end = len.min(self.end);
    }

    /// Discards the first `len` bytes.
    pub fn remove_front(&mut self, len: usize) {
        if len <= self.end {
            self.room.copy_within(len..self.end, 0);
            self.end -= len;
        }
    }

    /// Room for `len` bytes more, which are part of the text from now on.
    fn more(&mut self, len: usize) -> &mut [u8] {
        let start = self.end;
        self.end = start + len;
        if self.end > self.room.len() {
            self.grow(self.end);
        }
        self.room.get_mut(start..self.end).unwrap_or(&mut [])
    }

    /// Makes room for this many bytes in all.
    #[cold]
    fn grow(&mut self, end: usize) {
        if self.room.is_empty() {
            self.room = vec![0; end.max(ROOM)];
        } else {
            // Fresh memory is zero: clearing it would take longer than copying.
            let mut larger = vec![0; 2 * end];
            if let Some(room) = larger.get_mut(..self.room.len()) {
                room.copy_from_slice(&self.room);
            }
            self.room = larger;
        }
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        match self.room.get_mut(self.end..end) {
            Some(room) => {
                copy(room, bytes);
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
        self.named(b"", value);
    }

    /// A number, decimal, after its name: room for both is made once.
    pub fn named(&mut self, name: &[u8], mut value: u64) {
        let (mut len, mut limit) = (name.len() + 1, 10_u64);
        while value >= limit {
            len += 1;
            match limit.checked_mul(10) {
                Some(larger) => limit = larger,
                None => break,
            }
        }
        let end = self.end + len;
        if end > self.room.len() {
            self.grow(end);
        }
        let room = self.room.get_mut(self.end..end).unwrap_or(&mut []);
        self.end = end;
        if let Some((front, digits)) = room.split_at_mut_checked(name.len()) {
            if !name.is_empty() {
                copy(front, name);
            }
            for byte in digits.iter_mut().rev() {
                *byte = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
    }

    /// A number, hexadecimal in lower case, with at least `least` digits.
    pub fn hexadecimal(&mut self, mut value: u64, least: usize) {
        let bits = u64::BITS - value.leading_zeros();
        let digits = bits.div_ceil(4) as usize;
        for byte in self.more(digits.max(least)).iter_mut().rev() {
            *byte = digit(value & 15);
            value >>= 4;
        }
    }

    /// A number, decimal, with at least `least` digits.
    pub fn digits(&mut self, value: u64, least: usize) {
        let mut limit = 10_u64;
        for _ in 1..least {
            if value < limit {
                self.byte(b'0');
            }
            limit = limit.saturating_mul(10);
        }
        self.number(value);
    }

    /// A number with decimals, given in units of the last of them.
    pub fn decimal(&mut self, value: u64, places: u32) {
        let unit = 10_u64.pow(places);
        self.number(value / unit);
        if places > 0 {
            self.byte(b'.');
            self.digits(value % unit, places as usize);
        }
    }

    /// A name between two bytes, the first of which is optional: a word of a record.
    pub fn field(&mut self, before: Option<u8>, name: &[u8], after: u8) {
        let room = self.more(name.len() + 1 + usize::from(before.is_some()));
        let room = match (before, room) {
            (Some(before), [first, room @ ..]) => {
                *first = before;
                room
            }
            (_, room) => room,
        };
        if let Some((last, room)) = room.split_last_mut() {
            copy(room, name);
            *last = after;
        }
    }

    /// An address of either family.
    pub fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.ipv4(address.octets()),
            IpAddr::V6(address) => self.ipv6(address),
        }
    }

    /// Adds a word as a shell reads it: in quotes unless it has only what needs none.
    pub fn shell_word(&mut self, word: &[u8]) {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,".contains(byte);
        if !word.is_empty() && word.iter().all(is_plain) {
            return self.bytes(word);
        }
        self.byte(b'\'');
        for byte in word {
            if *byte == b'\'' {
                self.bytes(b"'\\'");
            }
            self.byte(*byte);
        }
        self.byte(b'\'');
    }

    fn ipv4(&mut self, octets: [u8; 4]) {
        // The longest, with a dot after it.
        const LONGEST: usize = 16;
        let start = self.end;
        let mut places = self.more(LONGEST).iter_mut();
        let mut put = |byte| {
            if let Some(place) = places.next() {
                *place = byte;
            }
        };
        for &octet in &octets {
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

    /// Like glibc's inet_ntop: the longest run of zeros (the first of several, at least two
    /// groups) becomes `::`, and the last four bytes are dotted if only zeros, or zeros and
    /// ffff, come before them.
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

/// Copies bytes between slices of the same length. Most are words of four to eight: two
/// copies of four, which may overlap, take half the time of a copy of any length.
#[inline(always)]
fn copy(to: &mut [u8], from: &[u8]) {
    if let (4..=8, Some(first), Some(last)) = (from.len(), from.first_chunk(), from.last_chunk()) {
        if let Some(to) = to.first_chunk_mut::<4>() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut::<4>() {
            *to = *last;
        }
    } else {
        to.copy_from_slice(from);
    }
}

fn digit(value: u64) -> u8 {
    let value = value as u8;
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

/// A JSON string with its quotes. What is not UTF-8 becomes U+FFFD.
pub fn json_string(out: &mut Text, value: &[u8]) {
    out.byte(b'"');
    // That is usually all.
    let is_plain = |byte: &&u8| matches!(**byte, b' '..=b'~') && !matches!(**byte, b'"' | b'\\');
    let plain = value.iter().take_while(is_plain).count();
    let (plain, rest) = value.split_at(plain);
    out.bytes(plain);
    for chunk in rest.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            let escaped = match byte {
                b'"' | b'\\' => byte,
                b'\n' => b'n',
                b'\t' => b't',
                b'\r' => b'r',
                0..=0x1f | 0x7f => {
                    out.bytes(b"\\u00");
                    out.hexadecimal(byte.into(), 2);
                    continue;
                }
                _ => {
                    out.byte(byte);
                    continue;
                }
            };
            out.bytes(&[b'\\', escaped]);
        }
        if !chunk.invalid().is_empty() {
            out.bytes("\u{fffd}".as_bytes());
        }
    }
    out.byte(b'"');
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
    }

    #[test]
    fn what_is_no_utf8_is_replaced_as_the_standard_library_does() {
        for value in [
            &b"caf\xe9 \"x\""[..],
            b"\xff\xfe",
            b"\xe2\x82",
            b"a\xf0\x90\x80z\xc3\xa9",
            b"\xed\xa0\x80\n",
            "h\u{e9}".as_bytes(),
            b"",
        ] {
            let mut out = Text::default();
            json_string(&mut out, value);
            let expected = String::from_utf8_lossy(value);
            let expected = expected.replace('"', "\\\"").replace('\n', "\\n");
            let expected = ["\"", &expected, "\""].concat();
            assert_eq!(out.as_bytes(), expected.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_strtoul_reads_them_but_never_wrap() {
        for (word, value) in [
            ("0", Some(0)),
            ("255", Some(255)),
            ("0x1f", Some(31)),
            ("0X1F", Some(31)),
            ("010", Some(8)),
            ("00", Some(0)),
            (" +5", Some(5)),
            ("-0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-18446744073709551611", None),
            ("-1", None),
            ("08", None),
            ("0x", None),
            ("", None),
            ("-", None),
            ("+-5", None),
            ("5 ", None),
            ("5x", None),
            ("٣", None),
        ] {
            assert_eq!(parse_number(word), value, "{word:?}");
        }
    }
}
