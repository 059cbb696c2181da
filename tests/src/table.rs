//! Tables of cases kept as data.
//!
//! A row is a line of cells separated by `|`. `#` at the start of a line is
//! a comment. Text cells are C-escaped (`\n`, `\e`, `\\`, `\s` for a space that would be
//! lost at the edge of a cell); a `*` in an expected text stands for anything.

use crate::program::Output;

/// A row of a table and where it stands.
pub struct Row {
    /// Line number in the file, from 1.
    pub line: usize,
    cells: Vec<String>,
}

impl Row {
    /// A cell; cells left out at the end of a row are empty.
    pub fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", String::as_str)
    }
}

/// The rows of a table.
pub fn rows(text: &str) -> Vec<Row> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| Row {
            line: at + 1,
            cells: line
                .split('|')
                .map(|cell| cell.trim().to_string())
                .collect(),
        })
        .collect()
}

/// Splits words as a shell does, with quotes but nothing else.
pub fn words(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n') => all.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "unbalanced quote in {line:?}");
    all.extend(word);
    all
}

/// Resolves the escapes of a text cell.
pub fn unescape(cell: &str) -> String {
    let mut text = String::new();
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('e') => text.push('\x1b'),
                Some('0') => text.push('\0'),
                Some('s') => text.push(' '),
                Some('\\') => text.push('\\'),
                other => panic!("unknown escape {other:?} in {cell:?}"),
            },
            c => text.push(c),
        }
    }
    text
}

/// The opposite of [`unescape`], for messages.
pub fn escape(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
        .replace('\x1b', "\\e")
        .replace('\0', "\\0")
}

/// Whether `text` is `pattern`, in which each `*` stands for any text.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pattern.rsplit_once('*').map(|(_, last)| last) else {
        return rest.is_empty();
    };
    let middle: Vec<_> = parts.collect();
    for part in &middle[..middle.len().saturating_sub(1)] {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Adds what is wrong with one run of row `line`, if anything is.
pub fn note(failures: &mut Vec<String>, line: usize, wrong: &[String], output: &Output) {
    if !wrong.is_empty() {
        let (wrong, report) = (wrong.join("; "), output.report());
        failures.push(format!("line {line}: {wrong}\n  {report}"));
    }
}

/// Fails the test with all that went wrong in a table, if anything did.
#[track_caller]
pub fn verdict(table: &str, rows: usize, failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{} of {rows} cases of {table} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(words("a 'b c' '' d"), ["a", "b c", "", "d"]);
    }
}
