//! JSON, laid out like that of iproute2.
//!
//! Compact: no blanks at all. Pretty: four blanks a level, `[ {` and `},{`
//! and `} ]` around the objects of an array.

use std::net::IpAddr;

use super::Output;
use crate::text::json_string;

impl Output {
    /// What precedes a value: comma, line break and key as needed.
    pub fn key(&mut self, key: &str) {
        if self.json.follows {
            self.byte(b',');
        }
        self.json.follows = true;
        if key.is_empty() {
            return;
        }
        self.break_line();
        json_string(&mut self.text, key.as_bytes());
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
        json_string(&mut self.text, value);
    }

    /// A string member with an address.
    pub fn json_address(&mut self, key: &str, address: IpAddr) {
        self.key(key);
        self.byte(b'"');
        self.text.address(address);
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

/// Fails if the man page lacks the name of one of these members.
#[cfg(test)]
pub fn documented(members: &[u8]) {
    const PAGE: &str = include_str!("../../ip-mptcp.8");
    let variables = PAGE.lines().filter(|line| line.contains("Va "));
    let words: Vec<&str> = variables.flat_map(str::split_whitespace).collect();
    let text = String::from_utf8_lossy(members);
    let names = text.split('"').skip(1).step_by(2);
    for name in names.filter(|name| text.contains(&format!("\"{name}\":"))) {
        assert!(words.contains(&name), "{name} is not in the man page");
    }
}
