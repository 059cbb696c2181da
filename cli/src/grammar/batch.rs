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

/// Where a line is after what has been read of it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Blank,
    Word,
    Quoted(u8),
}

fn blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A command, put together from one line or several.
#[derive(Debug, Default)]
pub struct Line {
    text: Vec<u8>,
    // Start and end of each word in `text`.
    words: Vec<(usize, usize)>,
    state: State,
    mistake: Option<Mistake>,
}

impl Line {
    /// Begins anew, with the memory of before.
    pub fn clear(&mut self) {
        self.text.clear();
        self.words.clear();
        self.state = State::Blank;
        self.mistake = None;
    }

    /// Adds a line of the file, without its newline. Tells whether the next
    /// line belongs to the same command.
    pub fn push(&mut self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (mut rest, more) = match line.strip_suffix(b"\\") {
            Some(line) => (line, true),
            None => (line, false),
        };
        while let Some((first, tail)) = rest.split_first() {
            match (self.state, *first) {
                (State::Blank, byte) if blank(byte) => rest = tail,
                (State::Blank, quote @ (b'"' | b'\'')) => {
                    self.begin_word(State::Quoted(quote));
                    rest = tail;
                }
                (State::Quoted(quote), byte) if byte == quote => {
                    self.state = State::Blank;
                    rest = tail;
                }
                (State::Blank | State::Word, b'#') => {
                    self.state = State::Blank;
                    return false;
                }
                (State::Word, byte) if blank(byte) => self.state = State::Blank,
                (State::Blank, _) => self.begin_word(State::Word),
                (state, _) => {
                    let end = match state {
                        State::Quoted(quote) => rest.iter().position(|byte| *byte == quote),
                        // Most bytes of words are above all that ends them.
                        _ => rest
                            .iter()
                            .position(|byte| *byte <= b'#' && (*byte == b'#' || blank(*byte))),
                    };
                    let len = end.unwrap_or(rest.len());
                    let (piece, behind) = rest.split_at(len);
                    self.push_piece(piece);
                    rest = behind;
                }
            }
        }
        if matches!(self.state, State::Quoted(_)) && !more {
            self.mistake.get_or_insert(Mistake::Unterminated);
        }
        more
    }

    /// The file ended where another line was promised.
    pub fn end_of_file(&mut self) {
        self.mistake.get_or_insert(Mistake::Continuation);
    }

    fn begin_word(&mut self, state: State) {
        self.state = state;
        if self.words.len() == MOST_WORDS {
            self.mistake.get_or_insert(Mistake::TooManyWords);
        }
        self.words.push((self.text.len(), self.text.len()));
    }

    fn push_piece(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
        if let Some((_, end)) = self.words.last_mut() {
            *end = self.text.len();
        }
    }

    /// The words.
    pub fn words(&self) -> Result<Vec<&str>, Mistake> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        if self.text.contains(&0) {
            return Err(Mistake::Nul);
        }
        let text = core::str::from_utf8(&self.text).map_err(|_| Mistake::NotUtf8)?;
        let mut words = Vec::with_capacity(self.words.len());
        // Words begin and end at blanks and quotes, never inside a character.
        words.extend(
            self.words
                .iter()
                .filter_map(|(start, end)| text.get(*start..*end)),
        );
        Ok(words)
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
        for physical in text.split('\n') {
            more = line.push(physical.as_bytes());
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
