//! The keywords of all commands, and what they mean.
//!
//! What an action takes stands in its words, as usage shows them; what a word
//! means, here. Help, suggestions and completions are made of both.

use mptcp_codec::mptcp::EndpointFlags;

use crate::near::Near;
use crate::text::take;

/// A word of a keyword list.
#[derive(Debug)]
pub struct Keyword {
    /// The word; of a value that stands alone, what it is called.
    pub name: &'static str,
    /// What the value is called that follows; empty where there is none.
    pub value: &'static str,
    /// What it means.
    pub about: &'static str,
}

const fn keyword(name: &'static str, value: &'static str, about: &'static str) -> Keyword {
    Keyword { name, value, about }
}

/// Of `endpoint`.
pub static ENDPOINT: &[Keyword] = &[
    keyword("ADDRESS", "", "the address, IPv4 or IPv6"),
    keyword("dev", "IF", "the interface that it is on"),
    keyword(
        "id",
        "N",
        "1-255; for a new one the kernel chooses where none is given",
    ),
    keyword(
        "port",
        "N",
        "announce this port and listen there; with signal",
    ),
    keyword("signal", "", "announce the address to peers"),
    keyword("subflow", "", "open further subflows from it"),
    keyword("laminar", "", "use it for subflows to announced addresses"),
    keyword(
        "backup",
        "",
        "its subflows carry data only when others cannot",
    ),
    keyword("fullmesh", "", "subflows to all addresses of the peer"),
    keyword("implicit", "", "made by the kernel itself; only selects"),
    keyword("-4", "", "only selects: IPv4"),
    keyword("-6", "", "only selects: IPv6"),
    keyword(
        "token",
        "T",
        "those of this connection, with a user-space path manager",
    ),
];

/// Of `limits`.
pub static LIMITS: &[Keyword] = &[
    keyword("subflows", "N", "subflows beyond the first"),
    keyword("add_addr_accepted", "N", "addresses accepted from the peer"),
];

/// Of `connection`.
pub static CONNECTION: &[Keyword] = &[
    keyword(
        "token",
        "T",
        "hexadecimal; none: fallen back before there was one",
    ),
    keyword("dev", "IF", "interface of a subflow"),
    keyword("ADDRESS", "", "on either side"),
    keyword("local", "ADDRESS", "on this side"),
    keyword("sport", "N", "on this side"),
    keyword("remote", "ADDRESS", "on the other side"),
    keyword("dport", "N", "on the other side"),
    keyword("fallback", "", "fallen back to TCP"),
    keyword("listen", "", "listening sockets instead"),
    keyword("-4", "", "IPv4"),
    keyword("-6", "", "IPv6"),
];

/// Of `address`.
pub static ADDRESS: &[Keyword] = &[
    keyword("ADDRESS", "", "of this host"),
    keyword(
        "token",
        "T",
        "the connection, hexadecimal, as monitor prints it",
    ),
    keyword(
        "id",
        "N",
        "of the address, 1-255; 0 is that of the first subflow",
    ),
    keyword("port", "P", "announce this port too"),
    keyword("dev", "IF", "the interface that has it"),
];

/// Of `subflow`.
pub static SUBFLOW: &[Keyword] = &[
    keyword(
        "token",
        "T",
        "the connection, hexadecimal, as monitor prints it",
    ),
    keyword("id", "N", "of the address on this side, 1-255"),
    keyword("from", "ADDRESS", "on this side"),
    keyword("to", "ADDRESS", "on the other side"),
    keyword("port", "P", "of the address before it"),
    keyword("dev", "IF", "leave through this interface"),
    keyword("backup", "", "it carries data only when others cannot"),
    keyword("nobackup", "", "it carries data as others do"),
    keyword("fullmesh", "", "a flag of the address on this side"),
];

/// Hands out each word that may stand where usage says `words`: those written
/// small, and for FLAG all flags that a user may set, with `[no]` in front both
/// ways.
pub fn each(words: &str, offer: &mut dyn FnMut(&str, &str)) {
    let mut rest = words.as_bytes();
    while !rest.is_empty() {
        let word = take(&mut rest, b' ');
        let word = core::str::from_utf8(word).unwrap_or("");
        if word.ends_with("FLAG") {
            for (flag, name) in &EndpointFlags::NAMES {
                if *flag != EndpointFlags::IMPLICIT {
                    offer("", name);
                    if word.len() > 4 {
                        offer("no", name);
                    }
                }
            }
        } else if is_word(word) {
            offer("", word);
        }
    }
}

/// Whether a piece of usage is written as it stands.
fn is_word(word: &str) -> bool {
    match word.as_bytes() {
        [b'-', _] => true,
        bytes => bytes.len() > 1 && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'_')),
    }
}

/// Offers them to who looks for the one that was meant.
pub fn offer(words: &str, near: &mut Near) {
    each(words, &mut |no, word| near.offer_with(no, word));
}

impl Keyword {
    /// Whether usage that says `words` allows it.
    pub fn is_in(&self, words: &str) -> bool {
        let mut found = false;
        each(words, &mut |no, word| {
            found |= no.is_empty() && word == self.name
        });
        // A value that stands alone.
        let mut rest = words.as_bytes();
        let mut before: &[u8] = b"[";
        while !rest.is_empty() {
            let word = take(&mut rest, b' ');
            let alone = !before.iter().all(|b| b.is_ascii_lowercase());
            found |= alone && word == self.name.as_bytes();
            before = word;
        }
        found
    }
}
