//! JSON, laid out as iproute2 lays it out.
//!
//! Compact: no blanks at all. Pretty: four blanks a level, `[ {` and `},{`
//! and `} ]` around the objects of an array.

use std::net::IpAddr;

use super::{Output, Text};

/// Where we are in a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    depth: usize,
    // Something stands in front, at this level.
    follows: bool,
}

impl Output {
    /// In front of a value: comma, line break and key as needed.
    pub fn key(&mut self, key: &str) {
        if self.json.follows {
            self.byte(b',');
        }
        self.json.follows = true;
        if key.is_empty() {
            return;
        }
        self.break_line();
        string(&mut self.text, key.as_bytes());
        self.byte(b':');
        self.blank();
    }

    fn break_line(&mut self) {
        if self.style.pretty {
            self.byte(b'\n');
            for _ in 0..self.json.depth {
                self.text("    ");
            }
        }
    }

    fn blank(&mut self) {
        if self.style.pretty {
            self.byte(b' ');
        }
    }

    fn begin(&mut self, key: &str, bracket: u8) {
        self.key(key);
        self.byte(bracket);
        if bracket == b'[' {
            self.blank();
        }
        self.json.depth += 1;
        self.json.follows = false;
    }

    // The outermost ends its line.
    fn end(&mut self, bracket: u8) {
        self.json.depth = self.json.depth.saturating_sub(1);
        if self.json.follows {
            if bracket == b']' {
                self.blank();
            } else {
                self.break_line();
            }
        }
        self.byte(bracket);
        self.json.follows = self.json.depth > 0;
        if !self.json.follows {
            self.byte(b'\n');
        }
        self.flush_full();
    }

    /// Begins a JSON array: the outermost, or the value of `key`.
    pub fn begin_array(&mut self, key: &str) {
        self.begin(key, b'[');
    }

    /// Ends a JSON array; a newline follows the outermost.
    pub fn end_array(&mut self) {
        self.end(b']');
    }

    /// Begins a JSON object: in an array, the outermost, or the value of
    /// `key`.
    pub fn begin_object(&mut self, key: &str) {
        self.begin(key, b'{');
    }

    /// Ends a JSON object; a newline follows the outermost.
    pub fn end_object(&mut self) {
        self.end(b'}');
    }

    /// A string member of an object, or element of an array where `key` is
    /// empty.
    pub fn json_string(&mut self, key: &str, value: &[u8]) {
        self.key(key);
        string(&mut self.text, value);
    }

    /// A string member of `0x` and a number in hexadecimal.
    pub fn json_hexadecimal(&mut self, key: &str, value: u64) {
        self.key(key);
        self.text("\"0x");
        self.hexadecimal(value, 1);
        self.byte(b'"');
    }

    /// A string member of an address, empty where there is none.
    pub fn json_address(&mut self, key: &str, address: Option<&IpAddr>) {
        self.key(key);
        self.byte(b'"');
        if let Some(address) = address {
            self.text.address(*address);
        }
        self.byte(b'"');
    }

    /// A number member.
    pub fn json_number(&mut self, key: &str, value: u64) {
        self.key(key);
        self.number(value);
    }

    /// A true or false member.
    pub fn json_bool(&mut self, key: &str, value: bool) {
        self.key(key);
        self.bytes(if value { b"true" } else { b"false" });
    }
}

/// A string with its quotes. What is not UTF-8 becomes U+FFFD.
pub fn string(out: &mut Text, value: &[u8]) {
    out.byte(b'"');
    // Mostly that is all.
    let is_plain = |byte: &&u8| matches!(**byte, b' '..=b'~') && !matches!(**byte, b'"' | b'\\');
    let plain = value.iter().take_while(is_plain).count();
    let (plain, mut rest) = value.split_at(plain);
    out.bytes(plain);
    while !rest.is_empty() {
        let (valid, broken) = take_utf8(&mut rest);
        for &byte in valid {
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
        if broken {
            out.bytes("\u{fffd}".as_bytes());
        }
    }
    out.byte(b'"');
}

/// Takes what is UTF-8 off the front of `rest`, and what is none behind it;
/// whether there was such.
fn take_utf8<'a>(rest: &mut &'a [u8]) -> (&'a [u8], bool) {
    let Err(error) = core::str::from_utf8(rest) else {
        return (core::mem::take(rest), false);
    };
    let valid = error.valid_up_to();
    let (valid, behind) = rest.split_at_checked(valid).unwrap_or((rest, &[]));
    let broken = error.error_len().unwrap_or(behind.len());
    *rest = behind.get(broken..).unwrap_or(&[]);
    (valid, true)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            string(&mut out, value);
            let expected = String::from_utf8_lossy(value);
            let expected = expected.replace('"', "\\\"").replace('\n', "\\n");
            let expected = ["\"", &expected, "\""].concat();
            assert_eq!(out.as_bytes(), expected.as_bytes(), "{value:?}");
        }
    }
}
