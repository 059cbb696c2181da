//! The keywords of all commands: what each reads, what it sets, what it means.
//!
//! The usage of an action lists the keywords that it takes; what they mean is declared here.
//! The parser, help, suggestions and completions are all made from these two.

use mptcp_codec::mptcp::EndpointFlags;

use super::given::slot;
use super::value::shortens;
use crate::near::Near;
use crate::text::{pieces, take_text};

/// A word of a keyword list.
#[derive(Debug)]
pub struct Keyword {
    /// The word; for a value that stands alone, the name of the value.
    pub name: &'static str,
    /// What it means, after the name of the value if it has one.
    about: &'static str,
    /// What follows it.
    pub reads: Reads,
    /// What it sets, one of [`slot`].
    pub sets: u8,
}

/// What follows a keyword.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: the word is all there is.
    Nothing,
    /// Nothing: the word itself is a flag, or a value that stands alone.
    Itself,
    /// Nothing: the word ends with the number of an address family.
    Family,
    /// An address; if given twice, the last one counts.
    Address,
    /// An address that a port may follow, given once.
    End,
    /// A token.
    Token,
    /// A token, or `none`.
    TokenOrNone,
    /// The name of an interface.
    Dev,
    /// A number up to 255.
    Id,
    /// A port; 0 is none.
    Port,
    /// The port of the [`Reads::End`] before it.
    PortOfEnd,
    /// A port that is in use.
    PortInUse,
    /// A limit, or `max`.
    Limit,
}

const fn keyword(name: &'static str, about: &'static str, reads: Reads, sets: u8) -> Keyword {
    Keyword {
        name,
        about,
        reads,
        sets,
    }
}

/// Of `endpoint`.
pub static ENDPOINT: &[Keyword] = &[
    keyword(
        "ADDRESS",
        "the address, IPv4 or IPv6",
        Reads::Itself,
        slot::ADDRESS,
    ),
    keyword(
        "dev",
        "IF the interface that it is on",
        Reads::Dev,
        slot::DEV,
    ),
    keyword(
        "id",
        "N its id, up to 255; for a new endpoint the kernel can choose",
        Reads::Id,
        slot::ID,
    ),
    keyword(
        "port",
        "N the port announced and listened on; with signal",
        Reads::Port,
        slot::PORT,
    ),
    keyword(
        "signal",
        "announce the address to peers",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "subflow",
        "open further subflows from it",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "laminar",
        "use it for subflows to announced addresses",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "backup",
        "its subflows carry data only when others cannot",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "fullmesh",
        "subflows to all addresses of the peer",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "implicit",
        "made by the kernel itself; only selects",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword("-4", "only selects: IPv4", Reads::Family, slot::FAMILY),
    keyword("-6", "only selects: IPv6", Reads::Family, slot::FAMILY),
    #[cfg(feature = "user-space")]
    keyword(
        "token",
        "T those of this connection, with a user-space path manager",
        Reads::Token,
        slot::TOKEN,
    ),
    // Of lines of a state file only.
    #[cfg(feature = "state")]
    keyword("uplink", "", Reads::Nothing, slot::UPLINK),
];

/// Of `limits`.
pub static LIMITS: &[Keyword] = &[
    keyword(
        "subflows",
        "N subflows beyond the first",
        Reads::Limit,
        slot::SUBFLOWS,
    ),
    keyword(
        "add_addr_accepted",
        "N addresses accepted from the peer",
        Reads::Limit,
        slot::ADD_ADDR_ACCEPTED,
    ),
];

/// Of `connection`.
pub static CONNECTION: &[Keyword] = &[
    keyword(
        "token",
        "T hexadecimal; none: fallen back before there was one",
        Reads::TokenOrNone,
        slot::TOKEN,
    ),
    keyword("dev", "IF interface of a subflow", Reads::Dev, slot::DEV),
    keyword("ADDRESS", "on either side", Reads::Itself, slot::EITHER),
    keyword(
        "local",
        "ADDRESS on this side",
        Reads::Address,
        slot::ADDRESS,
    ),
    keyword("sport", "N on this side", Reads::PortInUse, slot::PORT),
    keyword(
        "remote",
        "ADDRESS on the other side",
        Reads::Address,
        slot::REMOTE,
    ),
    keyword(
        "dport",
        "N on the other side",
        Reads::PortInUse,
        slot::REMOTE_PORT,
    ),
    keyword(
        "fallback",
        "fallen back to TCP",
        Reads::Nothing,
        slot::FALLBACK,
    ),
    keyword(
        "listen",
        "listening sockets instead",
        Reads::Nothing,
        slot::LISTEN,
    ),
    keyword("-4", "IPv4", Reads::Family, slot::FAMILY),
    keyword("-6", "IPv6", Reads::Family, slot::FAMILY),
];

/// Of `address`.
pub static ADDRESS: &[Keyword] = &[
    keyword("ADDRESS", "of this host", Reads::Itself, slot::ADDRESS),
    keyword(
        "token",
        "T the connection, hexadecimal, as monitor prints it",
        Reads::Token,
        slot::TOKEN,
    ),
    keyword(
        "id",
        "N of the address, 1-255; 0 is that of the first subflow",
        Reads::Id,
        slot::ID,
    ),
    keyword("port", "P announce this port too", Reads::Port, slot::PORT),
    keyword("dev", "IF the interface that has it", Reads::Dev, slot::DEV),
];

/// Of `subflow`.
pub static SUBFLOW: &[Keyword] = &[
    keyword(
        "token",
        "T the connection, hexadecimal, as monitor prints it",
        Reads::Token,
        slot::TOKEN,
    ),
    keyword(
        "id",
        "N of the address on this side, 1-255",
        Reads::Id,
        slot::ID,
    ),
    keyword("from", "ADDRESS on this side", Reads::End, slot::ADDRESS),
    keyword("to", "ADDRESS on the other side", Reads::End, slot::REMOTE),
    keyword(
        "port",
        "P of the address before it",
        Reads::PortOfEnd,
        slot::PORT,
    ),
    keyword(
        "dev",
        "IF leave through this interface",
        Reads::Dev,
        slot::DEV,
    ),
    keyword(
        "backup",
        "it carries data only when others cannot",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "nobackup",
        "it carries data as others do",
        Reads::Itself,
        slot::FLAGS,
    ),
    keyword(
        "fullmesh",
        "a flag of the address on this side",
        Reads::Itself,
        slot::FLAGS,
    ),
];

impl Reads {
    /// Whether a word follows.
    pub const fn takes_value(self) -> bool {
        self as u8 >= Self::Address as u8
    }
}

/// The keyword that a word stands for: in full or, if it has a value, abbreviated.
#[inline(never)]
pub fn find(keywords: &'static [Keyword], word: &str) -> Option<&'static Keyword> {
    let mut found = None;
    for keyword in keywords {
        // Most words differ in the first letter.
        if keyword.name.as_bytes().first() != word.as_bytes().first()
            || keyword.reads == Reads::Itself
            || !shortens(word, keyword.name)
        {
            continue;
        }
        if word.len() == keyword.name.len() {
            return Some(keyword);
        }
        if found.is_none() && keyword.reads.takes_value() {
            found = Some(keyword);
        }
    }
    found
}

/// Passes on each word that usage `words` allows: those in lower case, and for FLAG all flags
/// that a user may set, for `[no]FLAG` with and without `no`.
pub fn each(words: &str, offer: &mut dyn FnMut(&str, &str)) {
    for word in pieces(words) {
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

/// Whether a word of usage is to be written literally.
fn is_word(word: &str) -> bool {
    match word.as_bytes() {
        [b'-', _] => true,
        bytes => bytes.len() > 1 && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'_')),
    }
}

/// Offers them as candidates for a misspelt word.
pub fn offer(words: &str, near: &mut Near) {
    each(words, &mut |no, word| near.offer_with(no, word));
}

impl Keyword {
    /// The name of its value, empty if it has none, and what the keyword means.
    pub fn explained(&self) -> (&'static str, &'static str) {
        let mut about = self.about;
        let mut value = "";
        if self.reads.takes_value() {
            value = take_text(&mut about, b' ');
        }
        (value, about)
    }

    /// Whether usage `words` allows it.
    pub fn is_in(&self, words: &str) -> bool {
        let mut found = false;
        each(words, &mut |no, word| {
            found |= no.is_empty() && word == self.name
        });
        // A value that stands alone.
        let mut before = "[";
        for word in pieces(words) {
            let alone = !before.bytes().all(|b| b.is_ascii_lowercase());
            found |= alone && word == self.name;
            before = word;
        }
        found
    }
}
