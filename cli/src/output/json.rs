//! JSON, laid out as iproute2 lays it out.
//!
//! Compact: no blanks at all. Pretty: four blanks a level, `[ {` and `},{`
//! and `} ]` around the objects of an array.

/// Where we are in a document.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    depth: usize,
    // Something stands in front, at this level.
    follows: bool,
}

impl Layout {
    /// In front of a value: comma, line break and key as needed.
    pub fn key(&mut self, out: &mut Vec<u8>, pretty: bool, key: &str) {
        if self.follows {
            out.push(b',');
        }
        self.follows = true;
        if key.is_empty() {
            return;
        }
        if pretty {
            self.break_line(out);
        }
        string(out, key.as_bytes());
        out.extend_from_slice(if pretty { b": " } else { b":" });
    }

    fn break_line(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
        for _ in 0..self.depth {
            out.extend_from_slice(b"    ");
        }
    }

    /// Opens an object or an array.
    pub fn begin(&mut self, out: &mut Vec<u8>, pretty: bool, key: &str, bracket: u8) {
        self.key(out, pretty, key);
        out.push(bracket);
        if pretty && bracket == b'[' {
            out.push(b' ');
        }
        self.depth += 1;
        self.follows = false;
    }

    /// Closes it. The outermost ends its line.
    pub fn end(&mut self, out: &mut Vec<u8>, pretty: bool, bracket: u8) {
        self.depth = self.depth.saturating_sub(1);
        if pretty && self.follows {
            if bracket == b']' {
                out.push(b' ');
            } else {
                self.break_line(out);
            }
        }
        out.push(bracket);
        self.follows = true;
        if self.depth == 0 {
            out.push(b'\n');
            self.follows = false;
        }
    }
}

/// A string with its quotes. What is not UTF-8 becomes U+FFFD.
pub fn string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    for chunk in value.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match byte {
                b'"' => out.extend_from_slice(b"\\\""),
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0..=0x1f | 0x7f => {
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(super::padded(byte.into(), 2).as_bytes());
                }
                _ => out.push(byte),
            }
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}
