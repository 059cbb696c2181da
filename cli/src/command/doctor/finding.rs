//! How a finding is written.
//!
//! Its texts have placeholders:
//!
//! | placeholder | what replaces it |
//! |---|---|
//! | `{}` | the next number |
//! | `{e}` `{p}` | the current endpoint, with and without that word: address, id, and the interface that it names |
//! | `{a}` `{d}` | its address, its interface |
//! | `{c}` `{x}` | the command that changes it, up to its id, and the one that deletes it |
//! | `{s}` | the command that sets the limit of subflows, without the number |
//! | `{i}` `{w}` `{n}` | the beginning of a command that acts where doctor looked: of this program, of `ip`, of another program before its name |
//! | `{v}` | `-6 ` if it is of IPv6 |
//! | `{o}` | another interface |
//! | `{t}` | where its packets go |
//! | `{l}` | the limits of this host |
//! | `{=NAMES}` | `NAME VALUE` of each of these counters, separated by blanks |
//! | `{!NAMES}` | the same for those that are not 0 |
//! | `{+NAMES}` | `NAME +N` of those that have grown, and since when; if none has, as `{!NAMES}`, and that this lies in the past |
//! | `{=}` … | the same for `Doctor::counters` |
//! | `{b}` `{r}` | evidence and remedy that were collected before |
//! | `{;}` | what separates two commands, if there is one before |

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::{Doctor, ABOUT, REMEDY};
use crate::kernel::key::{address, is_ipv4};
use crate::output::Item;
use crate::text::{take, Text};

/// How much a finding matters.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work now: exit status 1.
    Fault,
    /// Something to know: it lies in the past, or may be on purpose.
    Note,
}

/// For evidence from the past.
pub const PAST: &str = " since the start of this namespace, nothing lately";

/// How many placeholders for numbers a text has; too many if one is unknown.
pub const fn places(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let mut count = 0;
    while let [byte, behind @ ..] = rest {
        if *byte == b'{' {
            match behind {
                [b'}', ..] => count += 1,
                [b'=' | b'!' | b'+', ..] => {}
                [b'e' | b'p' | b'a' | b'd' | b'c' | b'x' | b's' | b'i' | b'w' | b'n' | b'v'
                | b'o' | b't' | b'l' | b'b' | b'r' | b';', b'}', ..] => {}
                _ => return usize::MAX,
            }
        }
        rest = behind;
    }
    count
}

/// The texts of a finding: `texts!(check, message, evidence, remedy)`. They are one text in the
/// program, so that a finding costs little more than its words.
///
/// A remedy is either commands to paste, separated by `; `, or a sentence, which begins with
/// a capital letter.
macro_rules! texts {
    ($check:literal, $message:literal, $evidence:literal, $remedy:literal $(,)?) => {{
        const TEXTS: &str = concat!($check, "\n", $message, "\n", $evidence, "\n", $remedy);
        const {
            assert!($crate::command::doctor::finding::places(TEXTS) == 0);
        }
        TEXTS
    }};
}

/// Reports a finding: `finding!(doctor, level, check, message, evidence, remedy,
/// [numbers])`. It does not compile with more or fewer numbers than placeholders `{}`.
macro_rules! finding {
    ($doctor:expr, $level:expr, $check:literal, $message:literal, $evidence:literal,
     $remedy:literal $(,)?) => {
        $doctor.find(
            $level,
            $crate::command::doctor::finding::texts!($check, $message, $evidence, $remedy),
        )
    };
    ($doctor:expr, $level:expr, $check:literal, $message:literal, $evidence:literal,
     $remedy:literal, [$($value:expr),* $(,)?] $(,)?) => {{
        const TEXTS: &str = concat!($check, "\n", $message, "\n", $evidence, "\n", $remedy);
        const {
            let values: &[&str] = &[$(stringify!($value)),*];
            assert!($crate::command::doctor::finding::places(TEXTS) == values.len());
        }
        $doctor.find_with($level, TEXTS, &[$(u64::from($value)),*])
    }};
}

pub(super) use {finding, texts};

impl Doctor<'_> {
    /// Writes a finding: [`finding!`].
    #[inline(never)]
    pub fn find(&mut self, level: Level, texts: &str) {
        self.find_with(level, texts, &[]);
    }

    /// Writes a finding with numbers.
    #[inline(never)]
    pub fn find_with(&mut self, level: Level, texts: &str, numbers: &[u64]) {
        self.findings += 1;
        self.faults += u32::from(level == Level::Fault);
        let level: &[u8] = match level {
            Level::Fault => b"fault",
            Level::Note => b"note",
        };
        let out = &mut self.session.out;
        out.begin_record("");
        out.item_string(Item::LEVEL, level);
        let mut texts = texts.as_bytes();
        let mut numbers = numbers;
        let mut text = Text::default();
        for item in [Item::CHECK, Item::MESSAGE, Item::EVIDENCE, Item::REMEDY] {
            text.clear();
            self.put(&mut text, take(&mut texts, b'\n'), &mut numbers);
            self.session.out.item_string(item, text.as_bytes());
        }
        self.session.out.end_record();
        self.texts.iter_mut().for_each(Text::clear);
    }

    /// Adds to the evidence.
    pub fn say(&mut self, words: &str) {
        self.add(ABOUT, words, &[]);
    }

    /// Adds to the evidence, with numbers.
    pub fn say_with(&mut self, words: &str, numbers: &[u64]) {
        self.add(ABOUT, words, numbers);
    }

    /// Adds to the remedy.
    pub fn advise(&mut self, words: &str) {
        self.add(REMEDY, words, &[]);
    }

    /// Adds to the remedy, with numbers.
    pub fn advise_with(&mut self, words: &str, numbers: &[u64]) {
        self.add(REMEDY, words, numbers);
    }

    /// Adds to one of the collected texts.
    #[inline(never)]
    fn add(&mut self, at: usize, words: &str, mut numbers: &[u64]) {
        let mut text = core::mem::take(&mut self.texts[at]);
        self.put(&mut text, words.as_bytes(), &mut numbers);
        self.texts[at] = text;
    }

    /// Adds words to a text, with their placeholders replaced.
    #[inline(never)]
    fn put(&mut self, text: &mut Text, mut words: &[u8], numbers: &mut &[u64]) {
        loop {
            text.bytes(take(&mut words, b'{'));
            if words.is_empty() {
                return;
            }
            let place = take(&mut words, b'}');
            match (place, *numbers) {
                ([], [number, rest @ ..]) => {
                    text.number(*number);
                    *numbers = rest;
                }
                _ => self.put_place(text, place),
            }
        }
    }

    /// Adds what replaces a placeholder: see the table above.
    #[inline(never)]
    fn put_place(&mut self, text: &mut Text, place: &[u8]) {
        let [place, names @ ..] = place else {
            return;
        };
        let of = &self.endpoint;
        match place {
            b'a' | b'e' | b'p' | b't' => {
                if *place == b'e' {
                    text.bytes(b"endpoint ");
                }
                let to = *place == b't';
                text.address(address(if to { self.to.address } else { of.key }));
                if matches!(place, b'e' | b'p') {
                    text.named(b" id ", of.id.into());
                    if of.bound != 0 {
                        text.bytes(b" dev ");
                        text.bytes(self.host.name(of.bound));
                    }
                }
            }
            b'i' | b'w' | b'n' => self.put_program(text, *place),
            b'c' | b'x' => {
                self.put_program(text, b'i');
                text.bytes(b"endpoint ");
                text.bytes(if *place == b'c' { b"change" } else { b"delete" });
                text.named(b" id ", of.id.into());
            }
            b's' => {
                self.put_program(text, b'i');
                text.bytes(b"limits set subflows ");
            }
            b'd' => text.bytes(self.host.name(of.interface)),
            b'o' => text.bytes(self.host.name(self.other)),
            b'v' if !is_ipv4(of.key) => text.bytes(b"-6 "),
            b'l' => {
                let accepted = self.host.add_addr_accepted;
                text.named(b"limits: add_addr_accepted ", accepted.into());
                text.named(b" subflows ", self.host.more_subflows.into());
            }
            b'b' => text.bytes(self.texts[ABOUT].as_bytes()),
            b'r' => text.bytes(self.texts[REMEDY].as_bytes()),
            b';' if !text.is_empty() => text.bytes(b"; "),
            b'=' | b'!' | b'+' => self.put_counters(text, *place, names),
            _ => {}
        }
    }

    /// What a command begins with: see the table above. It names the namespace of `-n`.
    fn put_program(&self, text: &mut Text, of: u8) {
        let name = self.session.options.netns.last().copied();
        // Of other programs, only those for any namespace take a path.
        let is_path = name.is_some_and(|name| name.contains('/'));
        let (program, option, object) = match of {
            b'i' if self.session.is_ip => ("ip ", "-n ", "mptcp "),
            b'i' => ("ip-mptcp ", "-n ", ""),
            b'w' if is_path => ("", "nsenter --net=", "ip "),
            b'w' => ("ip ", "-n ", ""),
            _ if is_path => ("", "nsenter --net=", ""),
            _ => ("", "ip netns exec ", ""),
        };
        text.bytes(program.as_bytes());
        if let Some(name) = name {
            text.bytes(option.as_bytes());
            text.shell_word(name.as_bytes());
            text.byte(b' ');
        }
        text.bytes(object.as_bytes());
    }

    /// The counters with these names, and their values or by how much they have grown.
    fn put_counters(&self, text: &mut Text, how: u8, names: &[u8]) {
        let names = match names {
            [] => self.counters,
            names => names,
        };
        let lately = how == b'+' && self.history.growth(names) > 0;
        let mut rest = names;
        let mut between: &[u8] = b"";
        while !rest.is_empty() {
            let name = take(&mut rest, b' ');
            let value = self.history.count(name, lately);
            if value == 0 && how != b'=' {
                continue;
            }
            text.bytes(between);
            text.bytes(name);
            text.bytes(if lately { b" +" } else { b" " });
            text.number(value);
            between = b" ";
        }
        if lately {
            text.byte(b' ');
            self.history.put_when(text);
        } else if how == b'+' {
            text.bytes(PAST.as_bytes());
        }
    }

    /// Adds the command that changes the endpoint in this way.
    pub fn change(&mut self, what: &str) {
        self.advise("{;}{c}");
        self.advise(what);
    }

    /// Adds the commands that delete the endpoint and add it again, which makes the kernel
    /// try again to open subflows from it.
    pub fn again(&mut self) {
        self.advise("{x}; {i}endpoint add {p}");
        for (flag, name) in &EndpointFlags::NAMES {
            if self.has(*flag) {
                self.advise(" ");
                self.advise(name);
            }
        }
    }
}
