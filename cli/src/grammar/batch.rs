//! Lines of a batch, split into words.
//!
//! Words are separated by blanks; one that begins with `'` or `"` goes to
//! the next such quote. `#` begins a comment that ends with its line. A
//! backslash at the end of a line joins it with the next.

use crate::error::{status, Error, Kind};
use crate::text::find;

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
    /// The message.
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

/// So many words has a [`plain`] line at most: to make room for more would
/// take longer than it saves.
pub const PLAIN: usize = 10;

/// Splits a line that is nothing but words and blanks, as nearly all are,
/// where it stands: its words are lent from `input`, which begins with it.
/// Gives how many words there are and how long the line is; `None` for any
/// other line, which is for [`Line`].
pub fn plain<'i>(input: &'i [u8], words: &mut [&'i str; PLAIN]) -> Option<(usize, usize)> {
    let len = until(input, |eight| {
        let differ = eight ^ (EACH * b'\n' as u64);
        differ.wrapping_sub(EACH) & !differ
    });
    let bytes = input.get(..len)?;
    let line = core::str::from_utf8(bytes).ok()?;
    let mut at = 0;
    let mut count = 0;
    while let Some(first) = bytes.get(at) {
        if matches!(first, b' ' | b'\t' | b'\r') {
            at += 1;
            continue;
        }
        let start = at;
        // A blank, a quote, or something else below digits and letters.
        at += until(input.get(at..)?, |eight| {
            eight.wrapping_sub(EACH * b'(' as u64) & !eight
        });
        let word = line.get(start..at)?;
        // An empty one begins with what is not plain. Behind a backslash the
        // line may go on.
        if let [] | [.., b'\\'] = word.as_bytes() {
            return None;
        }
        *words.get_mut(count)? = word;
        count += 1;
        // Mostly one blank follows.
        at += usize::from(bytes.get(at) == Some(&b' '));
    }
    // Without its newline the line may not be whole.
    (len < input.len()).then_some((count, len + 1))
}

/// A number in each of eight bytes.
const EACH: u64 = u64::MAX / 255;

/// How many bytes stand in front of the first that `found` marks with its
/// highest bit: eight at a time, of which the first that is marked counts.
#[inline(always)]
fn until(bytes: &[u8], found: impl Fn(u64) -> u64) -> usize {
    let mut len = 0;
    while let Some(eight) = bytes.get(len..).and_then(|rest| rest.first_chunk()) {
        let marks = found(u64::from_le_bytes(*eight)) & (EACH * 0x80);
        if marks != 0 {
            return len + marks.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    // The last bytes, padded with zeros.
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(bytes.get(len..).unwrap_or(&[])) {
        *to = *from;
    }
    let marks = found(u64::from_le_bytes(last)) & (EACH * 0x80);
    (len + marks.trailing_zeros() as usize / 8).min(bytes.len())
}

/// Whether an unquoted word ends in front of this byte. Most bytes are above
/// all that end one.
fn ends_word(byte: u8) -> bool {
    byte <= b'#' && matches!(byte, b' ' | b'\t' | b'\r' | b'#' | 0)
}

/// A command, put together from one line or several.
#[derive(Debug, Default)]
pub struct Line {
    // The words, each with a NUL after it, which no word has in it.
    text: Vec<u8>,
    count: usize,
    // The last word goes on in the next line: its quote, or 0.
    open: Option<u8>,
    mistake: Option<Mistake>,
}

impl Line {
    /// Begins anew, with the memory of before.
    pub fn clear(&mut self) {
        self.text.clear();
        self.count = 0;
        self.open = None;
        self.mistake = None;
    }

    /// Adds the next line of `input`. Returns what follows it, and
    /// whether that belongs to the same command.
    pub fn take<'i>(&mut self, input: &'i [u8]) -> (&'i [u8], bool) {
        let len = find(input, b'\n');
        let line = input.get(..len).unwrap_or(input);
        let behind = input.get(len + 1..).unwrap_or(&[]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let body = line.strip_suffix(b"\\");
        (behind, self.split(body.unwrap_or(line), body.is_some()))
    }

    /// Adds the words of a line; `more` where a backslash stood at its end.
    /// Returns whether the next line belongs to the command: not after a
    /// comment.
    fn split(&mut self, mut rest: &[u8], more: bool) -> bool {
        let mut open = self.open.take();
        loop {
            let quote = match (open.take(), rest) {
                (Some(quote), _) => quote,
                // Most words begin with a letter or a digit.
                (None, [b'('..=u8::MAX, ..]) => 0,
                (None, [b' ' | b'\t' | b'\r', behind @ ..]) => {
                    rest = behind;
                    continue;
                }
                (None, []) => return more,
                (None, [b'#', ..]) => return false,
                (None, [0, ..]) => {
                    self.mistake.get_or_insert(Mistake::Nul);
                    return false;
                }
                (None, [quote @ (b'"' | b'\''), behind @ ..]) => {
                    rest = behind;
                    *quote
                }
                (None, _) => 0,
            };
            let mut len = 0;
            for byte in rest {
                if match quote {
                    0 => ends_word(*byte),
                    _ => *byte == quote || *byte == 0,
                } {
                    break;
                }
                len += 1;
            }
            let (word, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            self.text.extend_from_slice(word);
            if behind.is_empty() {
                if more {
                    self.open = Some(quote);
                    return true;
                }
                if quote != 0 {
                    self.mistake.get_or_insert(Mistake::Unterminated);
                }
            }
            if self.count == MOST_WORDS {
                self.mistake.get_or_insert(Mistake::TooManyWords);
            }
            self.count += 1;
            self.text.push(0);
            rest = match behind {
                [byte, behind @ ..] if *byte == quote && quote != 0 => behind,
                _ => behind,
            };
        }
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
        let mut rest = core::str::from_utf8(&self.text).map_err(|_| Mistake::NotUtf8)?;
        let mut words = Vec::with_capacity(self.count);
        while !rest.is_empty() {
            let len = find(rest.as_bytes(), 0);
            words.push(rest.get(..len).unwrap_or(rest));
            rest = rest.get(len + 1..).unwrap_or("");
        }
        Ok(words)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.mistake.is_none()
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
    fn plain_lines_are_split_as_others_are() {
        for (text, words) in [
            ("a b\tc\r\nnext", Some("a b c")),
            ("  endpoint  add 10.0.0.1\n", Some("endpoint add 10.0.0.1")),
            (
                "\u{e4}\u{20ac}abcdefghijk l\n",
                Some("\u{e4}\u{20ac}abcdefghijk l"),
            ),
            ("\n", Some("")),
            ("a\\b c\n", Some("a\\b c")),
            ("no newline", None),
            ("a \\\nb\n", None),
            ("a\\\r\nb\n", None),
            ("a #b\n", None),
            ("a#b\n", None),
            ("a 'b c'\n", None),
            ("a \"\"\n", None),
            ("a\0\n", None),
            ("1 2 3 4 5 6 7 8 9 10 11\n", None),
        ] {
            let mut found = [""; PLAIN];
            let got = plain(text.as_bytes(), &mut found);
            let got = got.map(|(count, len)| (found[..count].join(" "), len));
            let len = text.find('\n').map_or(0, |at| at + 1);
            assert_eq!(got, words.map(|words| (words.to_string(), len)), "{text:?}");
            if let Some(words) = words {
                assert_eq!(split(&text[..len]).unwrap().join(" "), words);
            }
        }
        assert_eq!(plain(b"a \xff\n", &mut [""; PLAIN]), None);
        assert_eq!(plain(b"!\n", &mut [""; PLAIN]), None);
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
