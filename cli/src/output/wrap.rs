//! Lines that fit a terminal: broken where allowed, with continuation lines indented.

use super::{Output, Wrap};

impl Output {
    /// From now on lines have this many columns; 0 for any length.
    pub fn set_columns(&mut self, columns: usize) {
        self.wrap.columns = columns;
    }

    /// Whether lines are broken.
    #[inline]
    pub fn wraps(&self) -> bool {
        self.wrap.columns != 0
    }

    /// Whether a line may be this long.
    pub fn fits(&self, columns: usize) -> bool {
        self.wrap.columns == 0 || columns <= self.wrap.columns
    }

    /// A line begins here. If it is too long, it continues on a line that is indented by
    /// this many blanks.
    pub fn begin_wrapped(&mut self, indent: usize) {
        let here = self.text.len();
        self.wrap.line = here;
        self.wrap.part = here;
        self.wrap.indent = indent;
    }

    /// The line may be broken here, at the blank that follows.
    #[inline]
    pub fn may_break(&mut self) {
        if self.wraps() {
            self.end_wrapped();
            self.wrap.part = self.text.len();
        }
    }

    /// The line ends here.
    pub fn end_wrapped(&mut self) {
        let Wrap {
            columns,
            line,
            part,
            indent,
        } = self.wrap;
        let written = self.text.as_bytes();
        if columns == 0 || part <= line || width(written.get(line..).unwrap_or(&[])) <= columns {
            return;
        }
        let mut end = part;
        while written.get(..end).is_some_and(|text| text.ends_with(b" ")) {
            end -= 1;
        }
        let rest = written.get(part + 1..).unwrap_or(&[]).to_vec();
        self.text.truncate(end);
        self.text.byte(b'\n');
        self.wrap.line = end + 1;
        for _ in 0..indent {
            self.text.byte(b' ');
        }
        self.wrap.part = self.text.len();
        self.text.bytes(&rest);
    }
}

/// How many columns a text takes; colours take none.
fn width(text: &[u8]) -> usize {
    let mut width = 0;
    let mut in_colour = false;
    for byte in text {
        match byte {
            b'\x1b' => in_colour = true,
            b'm' if in_colour => in_colour = false,
            // A continuation byte of UTF-8.
            0x80..=0xbf => {}
            _ => width += usize::from(!in_colour),
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words_and_colours_take_no_room() {
        let mut out = Output::default();
        out.set_columns(22);
        out.begin_wrapped(4);
        for word in [
            "first",
            "\x1b[1;36msecond\x1b[0m",
            "12345   ",
            "12345",
            "67",
        ] {
            out.may_break();
            out.text(" ");
            out.text(word);
        }
        out.end_wrapped();
        let text = out.buffer().as_bytes();
        let expected = " first \x1b[1;36msecond\x1b[0m 12345\n    12345 67";
        assert_eq!(String::from_utf8_lossy(text), expected);
    }

    #[test]
    fn what_is_longer_than_a_line_has_one_of_its_own() {
        let mut out = Output::default();
        out.set_columns(10);
        out.begin_wrapped(2);
        for word in [" 1", " 123456789012", " 2"] {
            out.may_break();
            out.text(word);
        }
        out.end_wrapped();
        let text = out.buffer().as_bytes();
        assert_eq!(String::from_utf8_lossy(text), " 1\n  123456789012\n  2");
    }
}
