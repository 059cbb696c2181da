//! Lines of a batch, split into words.
//!
//! Words are separated by blanks; one that begins with `'` or `"` goes to
//! the next such quote. `#` begins a comment that ends with its line. A
//! backslash at the end of a line joins it with the next.

use crate::error::{status, Error, Kind};

/// What is wrong with a line.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A quote is not closed.
    Unterminated,
    /// More words than a command can have.
    TooManyWords,
    /// A byte that no text has.
    Nul,
    /// Not UTF-8.
    NotUtf8,
    /// A backslash at the end of the last line.
    Continuation,
}

impl Mistake {
    /// What the user is told.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unterminated => "Unterminated quoted string",
            Self::TooManyWords => "Too many arguments to command",
            Self::Nul => "Error: the line has a NUL byte in it",
            Self::NotUtf8 => "Error: the line is not valid UTF-8",
            Self::Continuation => "Missing continuation line",
        }
    }

    /// The same as an error.
    pub fn error(self) -> Error {
        Error::new(Kind::Batch, status::FAILED, &[self.text()])
    }
}

/// As in `ip`.
const MOST_WORDS: usize = 511;

/// Whether an unquoted word ends in front of this byte. Most bytes are above
/// all that end one.
fn ends_word(byte: u8) -> bool {
    byte <= b'#' && matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'#' | 0)
}

/// A command, put together from one line or several.
#[derive(Debug, Default)]
pub struct Line {
    // The lines, joined.
    text: Vec<u8>,
    // Start and end of each word in `text`.
    words: Vec<(usize, usize)>,
    // Where the word began that goes on in the next line, and its quote or 0.
    open: Option<(usize, u8)>,
    mistake: Option<Mistake>,
}

impl Line {
    /// Begins anew, with the memory of before.
    pub fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.open = None;
        self.mistake = None;
    }

    /// Adds the next line of `input`. Gives what is behind it, and tells
    /// whether that belongs to the same command.
    pub fn take<'i>(&mut self, input: &'i [u8]) -> (&'i [u8], bool) {
        let base = self.text.len();
        let mut at = 0;
        // What is read of the line: without comment, backslash and newline.
        let mut end = None;
        let mut more = false;
        let mut open = self.open.take();
        loop {
            let (start, quote) = match (open.take(), input.get(at)) {
                (Some(open), _) => open,
                // Most words begin with a letter or a digit.
                (None, Some(first)) if *first > b'\'' => (base + at, 0),
                (None, Some(b' ' | b'\t' | b'\r')) => {
                    at += 1;
                    continue;
                }
                (None, None | Some(b'\n')) => break,
                (None, Some(b'#')) => {
                    end = Some(at);
                    break;
                }
                (None, Some(0)) => {
                    self.mistake.get_or_insert(Mistake::Nul);
                    break;
                }
                (None, Some(quote @ (b'"' | b'\''))) => {
                    at += 1;
                    (base + at, *quote)
                }
                (None, Some(_)) => (base + at, 0),
            };
            let word = input.get(at..).unwrap_or(&[]).iter();
            at += if quote == 0 {
                word.take_while(|byte| !ends_word(**byte)).count()
            } else {
                word.take_while(|byte| ![quote, b'\n', 0].contains(byte))
                    .count()
            };
            let mut word_end = at;
            if let [] | [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..] = input.get(at..).unwrap_or(&[])
            {
                let line = input.get(..at).unwrap_or(&[]);
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let whole = line.strip_suffix(b"\\").unwrap_or(line);
                word_end = whole.len();
                end = Some(word_end);
                more = word_end < line.len();
                // A backslash alone is no word.
                if more && (quote != 0 || base + word_end > start) {
                    self.open = Some((start, quote));
                }
                if !more && quote != 0 {
                    self.mistake.get_or_insert(Mistake::Unterminated);
                }
            }
            if more {
                break;
            }
            if self.words.len() == MOST_WORDS {
                self.mistake.get_or_insert(Mistake::TooManyWords);
            }
            self.words.push((start, base + word_end));
            at += usize::from(quote != 0 && input.get(at) == Some(&quote));
        }
        let read = input.get(..end.unwrap_or(at)).unwrap_or(&[]);
        self.text.extend_from_slice(read);
        let behind = input.get(at..).unwrap_or(&[]);
        let rest = behind.iter().take_while(|byte| **byte != b'\n').count();
        (behind.get(rest + 1..).unwrap_or(&[]), more)
    }

    /// The file ended where another line was promised.
    pub fn end_of_file(&mut self) {
        self.mistake.get_or_insert(Mistake::Continuation);
    }

    /// The words.
    pub fn words(&self) -> Result<Vec<&str>, Mistake> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let text = core::str::from_utf8(&self.text).map_err(|_| Mistake::NotUtf8)?;
        // Words begin and end at blanks and quotes, never inside a character.
        let word = |(start, end): &(usize, usize)| text.get(*start..*end).unwrap_or("");
        Ok(self.words.iter().map(word).collect())
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.mistake.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Result<Vec<String>, Mistake> {
        let mut line = Line::default();
        let mut more = false;
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            (rest, more) = line.take(rest);
            assert!(more || rest.is_empty(), "more than a line: {text:?}");
        }
        if more {
            line.end_of_file();
        }
        line.words()
            .map(|words| words.into_iter().map(String::from).collect())
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
        ] {
            assert_eq!(split(text).unwrap(), words, "{text:?}");
        }
        assert_eq!(split("a 'b"), Err(Mistake::Unterminated));
        assert_eq!(split("a \\"), Err(Mistake::Continuation));
        assert_eq!(split("a\0"), Err(Mistake::Nul));
        assert_eq!(split(&"x ".repeat(512)), Err(Mistake::TooManyWords));
        assert!(split(&"x ".repeat(511)).is_ok());
    }
}
