//! Which keywords a command takes, read from its usage at compile time.

use mptcp_codec::mptcp::EndpointFlags;

use super::given::{bit, slot};
use super::keyword::Keyword;
use crate::built;

/// The keywords that may be given, and those that must be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Takes(u32);

/// An address may stand alone.
const BARE: u32 = 1 << 22;
/// All flags may have the prefix `no`.
const NO: u32 = 1 << 23;
/// Where the bits of required slots begin.
const NEEDED: u32 = 24;
/// The bits below are one for each slot.
const _: () = assert!(bit(slot::COUNT) <= BARE);

/// What commands of this build can take, so that nothing else is looked for.
const BUILT: u32 = {
    let mut built = u32::MAX;
    if !built::STATE {
        built &= !bit(slot::PREFIX);
    }
    if !built::CONNECTIONS {
        built &= !bit(slot::EITHER);
    }
    if !(built::CONNECTIONS || built::USER_SPACE) {
        built &= !(bit(slot::TOKEN) | bit(slot::REMOTE));
    }
    built
};

impl Takes {
    /// No keywords at all.
    pub const NOTHING: Self = Self(0);

    /// What a command with this usage takes. A lower-case word that is neither a keyword nor a
    /// flag does not compile.
    pub const fn of(words: &str, keywords: &[Keyword]) -> Self {
        let words = words.as_bytes();
        let mut takes = 0;
        let mut start = 0;
        let mut depth = 0;
        let mut is_value = false;
        while start < words.len() {
            let mut end = start;
            while end < words.len() && words[end] != b' ' {
                end += 1;
            }
            let (_, word) = words.split_at(start);
            let (word, _) = word.split_at(end - start);
            start = end + 1;
            match word {
                [b'[' | b'{'] => (depth, is_value) = (depth + 1, false),
                [b']' | b'}', ..] => (depth, is_value) = (depth - 1, false),
                [b'-', b'-', ..] => is_value = true,
                [b'|'] => is_value = false,
                _ if is_value => is_value = false,
                [.., b'F', b'L', b'A', b'G'] => {
                    takes |= bit(slot::FLAGS);
                    if word[0] == b'[' {
                        takes |= NO;
                    }
                }
                b"PREFIX" => takes |= BARE | bit(slot::PREFIX) | bit(slot::ADDRESS),
                _ => {
                    let mut at = 0;
                    while at < keywords.len() && !equal(word, keywords[at].name.as_bytes()) {
                        at += 1;
                    }
                    if at == keywords.len() {
                        assert!(is_flag(word), "the words have one that is no keyword");
                        takes |= bit(slot::FLAGS);
                        continue;
                    }
                    let keyword = &keywords[at];
                    takes |= bit(keyword.sets);
                    if depth == 0 && keyword.sets <= slot::REMOTE {
                        takes |= bit(keyword.sets) << NEEDED;
                    }
                    if word[0].is_ascii_uppercase() {
                        takes |= BARE;
                    }
                    // It only selects: then endpoints without a flag can be selected too.
                    if equal(word, b"implicit") {
                        takes |= NO;
                    }
                    is_value = keyword.reads.takes_value();
                }
            }
        }
        Self(takes)
    }

    /// What either of them takes.
    pub const fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether what sets this may be given.
    pub const fn allows(self, slot: u8) -> bool {
        self.0 & bit(slot) & BUILT != 0
    }

    /// Whether an address may stand alone.
    pub const fn allows_bare(self) -> bool {
        self.0 & BARE != 0
    }

    /// Whether all flags may have the prefix `no`.
    pub const fn allows_no(self) -> bool {
        self.0 & NO != 0
    }

    /// Whether this must be given.
    pub const fn needs(self, slot: u8) -> bool {
        self.0 & (bit(slot) & BUILT) << NEEDED != 0
    }

    /// Whether the words select among what is present, which may name an interface that no
    /// longer exists.
    pub const fn selects(self) -> bool {
        self.allows(slot::FAMILY)
    }

    /// What is required and missing from the given bits.
    pub(super) fn missing(self, given: u32) -> Option<&'static str> {
        let missing = self.0 >> NEEDED & BUILT & !given;
        Some(match missing.trailing_zeros() as u8 {
            slot::TOKEN if BUILT & bit(slot::TOKEN) != 0 => "token",
            slot::ADDRESS if self.allows_bare() => "ADDRESS",
            slot::ADDRESS => "from ADDRESS",
            slot::ID => "id",
            slot::REMOTE if BUILT & bit(slot::REMOTE) != 0 => "to ADDRESS",
            _ => return None,
        })
    }
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether a word is a flag of the kernel.
const fn is_flag(word: &[u8]) -> bool {
    let mut at = 0;
    while at < EndpointFlags::NAMES.len() {
        if equal(word, EndpointFlags::NAMES[at].1.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}
