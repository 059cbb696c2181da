//! An unknown word, and the known one that may have been meant.

use crate::text::join;

/// Looks for the nearest word: at most two letters, and fewer than half of the word, are
/// added, left out, changed or swapped in one place. Case does not matter.
#[derive(Debug)]
pub struct Near<'w> {
    word: &'w [u8],
    // This many of its first letters are right and are not compared.
    right: usize,
    // How many letters differ in what was found; until then, one more than allowed.
    distance: usize,
    found: Vec<u8>,
}

impl<'w> Near<'w> {
    /// For this word.
    pub fn new(word: &'w [u8]) -> Self {
        Self {
            word,
            right: 0,
            distance: word.len().div_ceil(2).min(3),
            found: Vec::new(),
        }
    }

    /// A known word. Of several that are equally near, the first one wins.
    pub fn offer(&mut self, known: &[u8]) {
        let (right, word) = self.word.split_at_checked(self.right).unwrap_or_default();
        if word == known {
            return;
        }
        let distance = distance(word, known);
        // Flags cannot be abbreviated, which is easily forgotten.
        let begun = self.found.is_empty() && word.len() > 2 && known.starts_with(word);
        if distance < self.distance || begun {
            self.distance = distance.min(self.distance);
            self.found = join(&[right, known]);
        }
    }

    /// The same for a word whose beginning may be written too: a word that
    /// begins so is compared by what follows.
    pub fn offer_with(&mut self, beginning: &str, known: &str) {
        if self.word.starts_with(beginning.as_bytes()) {
            self.right = beginning.len();
            self.offer(known.as_bytes());
            self.right = 0;
        }
    }

    /// What was found; empty if nothing is near.
    pub fn found(self) -> Vec<u8> {
        self.found
    }
}

/// How many letters differ between the common beginning and the common end of two words;
/// two that are swapped count once.
fn distance(mut one: &[u8], mut other: &[u8]) -> usize {
    while let ([a, one_rest @ ..], [b, other_rest @ ..]) = (one, other) {
        if !a.eq_ignore_ascii_case(b) {
            break;
        }
        (one, other) = (one_rest, other_rest);
    }
    while let ([one_rest @ .., a], [other_rest @ .., b]) = (one, other) {
        if !a.eq_ignore_ascii_case(b) {
            break;
        }
        (one, other) = (one_rest, other_rest);
    }
    match (one, other) {
        ([a, b], [c, d]) if a == d && b == c => 1,
        _ => one.len().max(other.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_no_other() {
        for (word, meant) in [
            ("sublow", "subflow"),
            ("subfolw", "subflow"),
            ("SUBFLOW", "subflow"),
            ("subflow;", "subflow"),
            ("subflows", "subflow"),
            ("nosubflo", "nosubflow"),
            ("nobakcup", "nobackup"),
            ("add_adr_accepted", "add_addr_accepted"),
            ("prot", "port"),
            ("ID", "id"),
            ("sig", "signal"),
            ("nofull", "nofullmesh"),
            ("", ""),
            ("id", ""),
            ("signal", ""),
            ("foo", ""),
            ("i2", ""),
            ("su", ""),
            ("sbflw1", ""),
            ("10.0.0.1/24", ""),
            ("FE80::1%lo", ""),
            ("localhost", ""),
            ("süb", ""),
        ] {
            let mut near = Near::new(word.as_bytes());
            for known in ["id", "port", "dev", "add_addr_accepted"] {
                near.offer(known.as_bytes());
            }
            for flag in ["signal", "subflow", "laminar", "backup", "fullmesh"] {
                near.offer_with("", flag);
                near.offer_with("no", flag);
            }
            assert_eq!(near.found(), meant.as_bytes(), "{word:?}");
        }
        let long = "s".repeat(1 << 20);
        let mut near = Near::new(long.as_bytes());
        near.offer(b"ssssssss");
        assert_eq!(near.found(), b"");
    }
}
