//! Long texts, packed by the compiler to about half their size.
//!
//! Each byte from 128 on stands for one of [`WORDS`], every other byte for itself: ASCII text
//! that is not packed unpacks to itself. Whole words rather than pairs of bytes, which would
//! pack no worse but compress badly when an image is compressed as a whole.

use crate::built;
use crate::text::{nth, Text};

/// What is frequent in help and findings. A word of N bytes that occurs M times saves
/// (N - 1) * M bytes and costs N + 1. The list need not be the best one: any would work.
/// Words that pay in the help of every build come first.
#[rustfmt::skip]
const WORDS: [&str; 128] = [
    "  ip-mptcp ", "endpoint", " subflow", "Example:", " the ", " and ", "match all words", " is ",
    " signal", " that ", "fullmesh", " with ", "limits", "change", " add_addr_accepted ",
    "connection", "id ", " dev ", ", or", " it", "address", "this ", "what", "an ", "Examples:",
    " --", " all", "no", "ADDRESS", ", ", "interface", "state file", " again", "kernel", " or ",
    " a ", " on", " add ", "those", "are ", " back", " while", "the ", "mptcp", " of ", "have",
    " before", " as", "; ", " to ", " which", " in", " for", ": ", " any ", " show", "its ", " it ",
    " port", "without ", " announced", "listener", "whose", " there", "broken", " (", "something",
    " segments", " receive windows ", "join-", "was ", " at", "{b}", "firewall", "192.0.2.",
    "MP_CAPABLE", "longer exists", " by ", "refused", "announce ", "socket", "{e}; to {t}",
    "MPJoinSynTx MPJoinSynAckRx MPRstTx MPRstRx", "counters", "another", " because", "were", "them",
    "peer", "path", "established", "route", "other", " listens", "AddAddr", "sysctl -w ",
    "answered", "accepted", "opened", "net.mptcp.path_manager=", " one", " {}", "address ",
    " fallbacks", "further", "ip-mptcp ", "announcements", "MPTCP", " not ", " no ", "subflows",
    " here", "peers", "user-space path manager", " token 0x5ca81c12",
    "net.mptcp.allow_join_initial_addr_port=", " from", "addresses", "subflow", "connections ",
    " subflows", " checksum failures reported", "device", "answers", " out", "clients", "packets",
    "{r}",
];

/// How many of them this build has.
const COUNT: usize = if built::HEALTH { WORDS.len() } else { 48 };
/// The byte that stands for the first of them.
const FIRST: u8 = 128;
/// The byte after each of them in [`JOINED`].
const END: u8 = b'\n';

/// All of them.
static JOINED: [u8; LEN] = joined();

const LEN: usize = {
    let (mut len, mut number) = (0, 0);
    while number < COUNT {
        len += WORDS[number].len() + 1;
        number += 1;
    }
    len
};

/// For each character the first word that begins with it, and for each word the next one that
/// begins so: their numbers counted from 1, 0 for none.
const CHAINS: &([u8; 128], [u8; COUNT + 1]) = &chains();

/// A text as bytes, packed by the compiler.
macro_rules! packed {
    ($text:expr $(,)?) => {{
        const TEXT: &str = $text;
        const WHOLE: ([u8; TEXT.len()], usize) = $crate::packed::pack(TEXT);
        const PACKED: &[u8; WHOLE.1] = &$crate::packed::front(&WHOLE.0);
        PACKED as &[u8]
    }};
}

pub(crate) use packed;

/// Unpacks a text.
#[inline(never)]
pub fn unpack(packed: &[u8], out: &mut Text) {
    for byte in packed {
        match byte.checked_sub(FIRST) {
            Some(number) => out.bytes(nth(&JOINED, END, number.into())),
            None => out.byte(*byte),
        }
    }
}

/// Packs a text into as few bytes as these words allow; returns their number too.
pub const fn pack<const N: usize>(text: &str) -> ([u8; N], usize) {
    let text = text.as_bytes();
    assert!(text.is_ascii() && text.len() == N);
    // For each place: the fewest bytes from there to the end, the first of them, and the
    // length of what it stands for.
    let mut ways = [(0, 0, 0); N];
    let mut at = N;
    while at > 0 {
        at -= 1;
        let mut way = (1 + least(&ways, at + 1), text[at], 1);
        let mut next = CHAINS.0[text[at] as usize];
        while next != 0 {
            let word = WORDS[next as usize - 1].as_bytes();
            let count = 1 + least(&ways, at + word.len());
            if count < way.0 && stands_at(text, at, word) {
                way = (count, next - 1 + FIRST, word.len());
            }
            next = CHAINS.1[next as usize];
        }
        ways[at] = way;
    }
    let mut packed = [0; N];
    let mut count = 0;
    while at < N {
        packed[count] = ways[at].1;
        at += ways[at].2;
        count += 1;
    }
    (packed, count)
}

const fn least(ways: &[(usize, u8, usize)], at: usize) -> usize {
    if at < ways.len() {
        ways[at].0
    } else {
        0
    }
}

const fn stands_at(text: &[u8], start: usize, word: &[u8]) -> bool {
    let mut at = 0;
    while at < word.len() {
        if start + at >= text.len() || text[start + at] != word[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The first bytes of a longer array.
pub const fn front<const N: usize, const M: usize>(bytes: &[u8; M]) -> [u8; N] {
    let mut front = [0; N];
    let mut at = 0;
    while at < N {
        front[at] = bytes[at];
        at += 1;
    }
    front
}

const fn joined() -> [u8; LEN] {
    let (mut joined, mut end, mut number) = ([END; LEN], 0, 0);
    while number < COUNT {
        let word = WORDS[number].as_bytes();
        let mut at = 0;
        while at < word.len() {
            assert!(word[at] != END);
            joined[end + at] = word[at];
            at += 1;
        }
        end += word.len() + 1;
        number += 1;
    }
    joined
}

const fn chains() -> ([u8; 128], [u8; COUNT + 1]) {
    let (mut first, mut next) = ([0; 128], [0; COUNT + 1]);
    let mut number = COUNT;
    while number > 0 {
        let byte = WORDS[number - 1].as_bytes()[0] as usize;
        next[number] = first[byte];
        first[byte] = number as u8;
        number -= 1;
    }
    (first, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut out = Text::default();
        unpack(packed, &mut out);
        out.into_bytes()
    }

    #[test]
    fn what_is_packed_is_shorter_and_unpacks_to_what_it_was() {
        const PLAIN: &str =
            "connections fall back to TCP: peers without MPTCP, or something on the \
                            path takes its\noptions {b} out";
        let packed = packed!(PLAIN);
        assert!(packed.len() * 3 < PLAIN.len() * 2, "{}", packed.len());
        assert_eq!(unpacked(packed), PLAIN.as_bytes());
        assert_eq!(unpacked(PLAIN.as_bytes()), PLAIN.as_bytes());
    }

    #[test]
    fn every_word_unpacks_to_itself() {
        for (number, word) in WORDS.iter().take(COUNT).enumerate() {
            assert_eq!(unpacked(&[number as u8 + FIRST]), word.as_bytes());
        }
    }
}
