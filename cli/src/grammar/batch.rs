//! Lines of a batch, split into words.
//!
//! Words are separated by blanks; one that begins with `'` or `"` extends to the next such
//! quote. `#` begins a comment, which ends with its line. A backslash at the end of a line
//! joins it with the next.

use crate::error::{status, Error, Kind, Result, Status};
use crate::sys;
use crate::text::find;

/// What is wrong with a line.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A quote is not closed.
    Unterminated,
    /// More words than a command can have.
    TooManyWords,
    /// A byte that text never contains.
    Nul,
    /// Not UTF-8.
    NotUtf8,
    /// A backslash at the end of the last line.
    Continuation,
}

impl Mistake {
    /// The message.
    fn text(self) -> &'static str {
        match self {
            Self::Unterminated => "Unterminated quoted string",
            Self::TooManyWords => "Too many arguments to command",
            Self::Nul => "Error: the line has a NUL byte in it",
            Self::NotUtf8 => "Error: the line is not valid UTF-8",
            Self::Continuation => "Missing continuation line",
        }
    }

    /// The same as an error.
    #[cold]
    fn error(self) -> Error {
        Error::new(Kind::Batch, status::FAILED, self.text())
    }
}

/// As in `ip`.
const MOST_WORDS: usize = 511;

/// A bit for each byte that ends a word, and for the quotes it may begin with. None of them is
/// above [`HIGHEST`]; most bytes are.
const ENDS: u64 =
    1 << b' ' | 1 << b'\t' | 1 << b'\r' | 1 << b'#' | 1 << b'"' | 1 << b'\'' | ENDS_QUOTED;
/// The same for a quoted word, except its quote.
const ENDS_QUOTED: u64 = 1 << b'\n' | 1;
const HIGHEST: u8 = b'\'';

/// A command, put together in place from one line or several: the parts of a word on two lines
/// are moved together.
#[derive(Debug, Default)]
pub struct Line {
    // Where each word begins (lower half) and ends (upper half).
    spans: Vec<u64>,
    // The last word continues on the next line: its quote, or 0, and where it begins and
    // ends so far.
    open: Option<u8>,
    begun: [usize; 2],
    mistake: Option<Mistake>,
}

impl Line {
    /// Starts a new command.
    pub fn clear(&mut self) {
        self.spans.clear();
        self.open = None;
        self.mistake = None;
    }

    /// Takes the first command of a whole text; returns where the next one begins. Counts the
    /// lines.
    pub fn take_all(&mut self, text: &mut [u8], lines: &mut u32) -> usize {
        let mut at = 0;
        loop {
            *lines += 1;
            let (next, more) = self.take(text, at);
            if more && next == text.len() {
                self.end_of_file();
            } else if more {
                at = next;
                continue;
            }
            return next;
        }
    }

    /// Adds the line that begins at `at`; `text` begins with the command. Returns where the
    /// next line begins, and whether it belongs to the same command, which it does not
    /// after a comment.
    #[inline(never)]
    pub fn take(&mut self, text: &mut [u8], mut at: usize) -> (usize, bool) {
        let mut start = at;
        let mut quote = 0;
        let mut ends = ENDS;
        if let Some(open) = self.open.take() {
            // The first part of the word is moved up to the rest; between them are only blanks.
            let [first, end] = self.begun;
            start = at - (end - first);
            text.copy_within(first..end, start);
            text.get_mut(first..start).unwrap_or(&mut []).fill(b' ');
            if open != 0 {
                (quote, ends) = (open, ENDS_QUOTED | 1 << open);
            }
        }
        loop {
            // What follows the word; the end of the text counts as a newline.
            let mut stop = b'\n';
            while let Some(byte) = text.get(at) {
                if *byte <= HIGHEST && ends >> byte & 1 != 0 {
                    stop = *byte;
                    break;
                }
                at += 1;
            }
            let end = at;
            at += 1;
            if quote == 0 && matches!(stop, b'"' | b'\'') {
                // Within a word a quote is an ordinary byte.
                if start == end {
                    (quote, ends) = (stop, ENDS_QUOTED | 1 << stop);
                    start = at;
                }
                continue;
            }
            if stop == b'\r' && matches!(text.get(at), None | Some(b'\n')) {
                stop = b'\n';
                at += 1;
            }
            if stop == b'\n' {
                // A backslash at the end of a line joins it with the next.
                let word = text.get(start..end).unwrap_or(&[]);
                if let [word @ .., b'\\'] | [word @ .., b'\\', b'\r'] = word {
                    if quote != 0 || !word.is_empty() {
                        self.open = Some(quote);
                        self.begun = [start, start + word.len()];
                    }
                    return (text.len().min(at), true);
                }
            }
            if quote != 0 || start != end {
                if self.spans.len() < MOST_WORDS {
                    self.spans.push((end as u64) << 32 | start as u64);
                } else {
                    self.mistake.get_or_insert(Mistake::TooManyWords);
                }
            }
            match stop {
                b'\n' => {
                    if quote != 0 {
                        self.mistake.get_or_insert(Mistake::Unterminated);
                    }
                    return (text.len().min(at), false);
                }
                0 => {
                    self.mistake.get_or_insert(Mistake::Nul);
                }
                b'#' if quote == 0 => {}
                // A blank, or the quote that closes the word.
                _ => {
                    (quote, ends) = (0, ENDS);
                    start = at;
                    continue;
                }
            }
            let rest = text.get(at..).unwrap_or(&[]);
            return (text.len().min(at + find(rest, b'\n') + 1), false);
        }
    }

    /// The file ended after a backslash that promised another line.
    pub fn end_of_file(&mut self) {
        self.mistake.get_or_insert(Mistake::Continuation);
    }

    /// Passes the words to `run`; `text` begins with the command.
    pub fn run(
        &self,
        text: &[u8],
        run: &mut dyn FnMut(&[&str]) -> Result<Status>,
    ) -> Result<Status> {
        if let Some(mistake) = self.mistake {
            return Err(mistake.error());
        }
        let mut words = vec![""; self.spans.len()];
        if !sys::cut(text, &self.spans, &mut words) {
            return Err(Mistake::NotUtf8.error());
        }
        run(&words)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.mistake.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: impl AsRef<[u8]>) -> Vec<String> {
        let mut text = text.as_ref().to_vec();
        let mut line = Line::default();
        let end = line.take_all(&mut text, &mut 0);
        assert_eq!(end, text.len(), "more than a line: {text:?}");
        let mut found = Vec::new();
        let result = line.run(&text, &mut |words| {
            found = words.iter().copied().map(String::from).collect();
            Ok(0)
        });
        match result {
            Ok(_) => found,
            Err(error) => vec![String::from_utf8_lossy(error.message()).into_owned()],
        }
    }

    #[test]
    fn lines_are_split() {
        for (text, words) in [
            ("a b\tc\r", vec!["a", "b", "c"]),
            ("a \\\n b", vec!["a", "b"]),
            ("a\\\nb", vec!["ab"]),
            ("a\\\r\nb\r\n", vec!["ab"]),
            ("a \\\r\n b", vec!["a", "b"]),
            ("a \\\n\\\nb", vec!["a", "b"]),
            ("'a \\\nb' c", vec!["a b", "c"]),
            ("a\\b \\c", vec!["a\\b", "\\c"]),
            ("\"a b\" '' c\"d", vec!["a b", "", "c\"d"]),
            ("'a # b' c # d \\", vec!["a # b", "c"]),
            ("a#b c", vec!["a"]),
            ("\"a\"b", vec!["a", "b"]),
            ("", vec![]),
            ("# only", vec![]),
            ("a#b\n", vec!["a"]),
            ("a\\\n\n", vec!["a"]),
            ("a\\\n\\\nb\n", vec!["ab"]),
            ("'' ''", vec!["", ""]),
            ("''\\\n''\n", vec!["", ""]),
            ("'a\\\r\nb'\r\n", vec!["ab"]),
            ("a\\ \n", vec!["a\\"]),
            ("a\\\r\r\n", vec!["a\\"]),
            (
                "  \u{e4}\u{20ac}  'b'c\\\n d",
                vec!["\u{e4}\u{20ac}", "b", "c", "d"],
            ),
        ] {
            assert_eq!(split(text), words, "{text:?}");
        }
        assert_eq!(split("a 'b"), [Mistake::Unterminated.text()]);
        assert_eq!(split("a \\"), [Mistake::Continuation.text()]);
        assert_eq!(split("a\0"), [Mistake::Nul.text()]);
        assert_eq!(split("'a\0'\n"), [Mistake::Nul.text()]);
        assert_eq!(split("'a\r\n"), [Mistake::Unterminated.text()]);
        assert_eq!(split(b"\xc3\xa4 b\xe4 c"), [Mistake::NotUtf8.text()]);
        assert_eq!(split(b"a \xc3\xa4 # b\xe4"), ["a", "\u{e4}"]);
        assert_eq!(split("x ".repeat(512)), [Mistake::TooManyWords.text()]);
        assert_eq!(split("x ".repeat(511)).len(), 511);
    }
}
