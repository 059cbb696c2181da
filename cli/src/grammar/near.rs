//! A word that is not known, and the one that may have been meant.

use mptcp_codec::mptcp::EndpointFlags;

/// Looks for the nearest word: at most two letters are added, left out,
/// changed or swapped with their neighbour, and fewer than half of the
/// word's. Small and capital letters are the same here.
#[derive(Debug)]
pub struct Near<'w, 'a> {
    word: &'w str,
    // Letters that differ in what was found; one more than are allowed before.
    distance: usize,
    found: [&'a str; 2],
}

impl<'w, 'a> Near<'w, 'a> {
    /// For this word.
    pub fn new(word: &'w str) -> Self {
        let distance = word.len().div_ceil(2).min(3);
        Self {
            word,
            distance,
            found: [""; 2],
        }
    }

    /// A word that is known: `start` and `rest` in one. Of several that are
    /// as near, the first counts.
    pub fn offer(&mut self, start: &'a str, rest: &'a str) {
        let Some(word) = self.word.strip_prefix(start).filter(|word| *word != rest) else {
            return;
        };
        for distance in 0..self.distance {
            if within(word.as_bytes(), rest.as_bytes(), distance) {
                self.distance = distance;
                self.found = [start, rest];
                return;
            }
        }
        // Flags cannot be shortened, which is easily forgotten.
        if self.found == [""; 2] && word.len() > 2 && super::shortens(word, rest) {
            self.found = [start, rest];
        }
    }

    /// The keywords of a command, in the short form that help shows: what is
    /// written small in it; FLAG stands for all flags.
    pub fn offer_keywords(&mut self, of: &'a str) {
        for word in of.split(' ') {
            if word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                self.offer("", word);
            }
        }
        if of.contains("FLAG") {
            for (_, name) in EndpointFlags::NAMES {
                self.offer("", name);
                if of.contains("[no]") {
                    self.offer("no", name);
                }
            }
        }
    }

    /// What was found; empty if nothing is near.
    pub fn found(&self) -> Vec<u8> {
        self.found.concat().into_bytes()
    }
}

/// Whether one word becomes the other by so many changes or fewer.
fn within(one: &[u8], other: &[u8], changes: usize) -> bool {
    let ([a, more @ ..], [b, others @ ..]) = (one, other) else {
        return one.len() + other.len() <= changes;
    };
    if a.eq_ignore_ascii_case(b) {
        return within(more, others, changes);
    }
    let Some(changes) = changes.checked_sub(1) else {
        return false;
    };
    let swapped = match (more, others) {
        ([c, more @ ..], [d, others @ ..]) => {
            a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c) && within(more, others, changes)
        }
        _ => false,
    };
    swapped
        || within(more, others, changes)
        || within(more, other, changes)
        || within(one, others, changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYWORDS: &str = "{ id N | ADDRESS [ port N ] } [ dev IF ] add_addr_accepted [no]FLAG";

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
            let mut near = Near::new(word);
            near.offer_keywords(KEYWORDS);
            assert_eq!(near.found(), meant.as_bytes(), "{word:?}");
        }
        let long = "s".repeat(1 << 20);
        let mut near = Near::new(&long);
        near.offer("", "ssssssss");
        assert_eq!(near.found(), b"");
    }
}
