//! How a finding is written.

use mptcp_codec::mptcp::EndpointFlags;

use super::facts::Doctor;
use crate::host::places::{address, Key};
use crate::text::{take, Text};

/// How much a finding matters.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work now: exit status 1.
    Fault,
    /// Something to know: it lies in the past, or may be on purpose.
    Note,
}

/// What stands in a place `{}` of a sentence.
#[derive(Copy, Clone)]
pub enum Part<'p> {
    /// Text as it is.
    Str(&'p str),
    /// Text that was put together before.
    Bytes(&'p [u8]),
    /// A number.
    Number(u64),
    /// An address.
    Address(Key),
    /// The name of an interface.
    Interface(u32),
    /// An endpoint, by its place: its address, id, and the interface that it
    /// names.
    Endpoint(usize),
    /// The id of an endpoint.
    Id(usize),
    /// The limits of this host.
    Limits,
    /// `NAME VALUE` of each of these counters, separated by blanks.
    Counters(&'p str),
    /// The same of those that are not 0.
    Counted(&'p str),
    /// `NAME +N` of those of these counters that have grown, and since when;
    /// where none has, as `Counted`, and that this lies in the past.
    Growth(&'p str),
}

use Part::{Address, Bytes, Id, Interface, Number, Str};

/// For evidence from the past.
pub const PAST: &str = " since the start of this namespace, nothing lately";

/// How many places a text has.
pub const fn places(text: &str) -> usize {
    let mut rest = text.as_bytes();
    let mut count = 0;
    while let [byte, behind @ ..] = rest {
        count += (*byte == b'{') as usize;
        rest = behind;
    }
    count
}

/// Reports a finding: `finding!(doctor, level, check, message, evidence, remedy,
/// [values])`. The texts have a place `{}` for each value, in their order; where
/// there are more or fewer, it does not compile. They are one text in the
/// program, so that a finding costs little more than its words.
///
/// A remedy is commands, separated by `; `, that do what is needed when they are
/// pasted; or a sentence, which begins with a capital letter.
macro_rules! finding {
    ($doctor:expr, $level:expr, $check:literal, $message:literal, $evidence:literal,
     $remedy:literal $(, [$($value:expr),* $(,)?])? $(,)?) => {{
        const TEXTS: &str = concat!($check, "\n", $message, "\n", $evidence, "\n", $remedy);
        const {
            let values: &[&str] = &[$($(stringify!($value)),*)?];
            assert!($crate::command::doctor::finding::places(TEXTS) == values.len());
        }
        $doctor.find($level, TEXTS, &[$($($value),*)?])
    }};
}

/// Adds to a text what has places in the same way: `put!(doctor, text, words,
/// [values])`.
macro_rules! put {
    ($doctor:expr, $text:expr, $words:literal, [$($value:expr),* $(,)?] $(,)?) => {{
        const {
            let values: &[&str] = &[$(stringify!($value)),*];
            assert!($crate::command::doctor::finding::places($words) == values.len());
        }
        $doctor.put($text, $words.as_bytes(), &mut [$($value),*].iter())
    }};
}

pub(super) use {finding, put};

impl Doctor<'_> {
    /// Writes a finding: [`finding!`].
    #[inline(never)]
    pub fn find(&mut self, level: Level, texts: &str, values: &[Part]) {
        self.findings += 1;
        self.faults += u32::from(level == Level::Fault);
        let level = match level {
            Level::Fault => "fault",
            Level::Note => "note",
        };
        let json = self.session.out.style.json;
        let out = &mut self.session.out;
        if json {
            out.begin_object("");
            out.json_string("level", level.as_bytes());
        } else {
            out.text(level);
        }
        let mut texts = texts.as_bytes();
        let mut values = values.iter();
        let mut text = Text::default();
        for (label, before) in [
            ("check", " "),
            ("message", ": "),
            ("evidence", "\n    evidence: "),
            ("remedy", "\n    remedy: "),
        ] {
            text.clear();
            self.put(&mut text, take(&mut texts, b'\n'), &mut values);
            let out = &mut self.session.out;
            if json {
                out.json_string(label, text.as_bytes());
            } else {
                out.text(before);
                out.bytes(text.as_bytes());
            }
        }
        let out = &mut self.session.out;
        if json {
            out.end_object();
        } else {
            out.end_line();
        }
    }

    /// Adds words to a text, with the values in their places: [`put!`].
    pub fn put(&mut self, text: &mut Text, mut words: &[u8], values: &mut core::slice::Iter<Part>) {
        loop {
            text.bytes(take(&mut words, b'{'));
            let [b'}', behind @ ..] = words else {
                break;
            };
            words = behind;
            match *values.next().unwrap_or(&Str("")) {
                Str(piece) => text.bytes(piece.as_bytes()),
                Bytes(piece) => text.bytes(piece),
                Number(number) => text.number(number),
                Address(key) => text.address(address(key)),
                Interface(index) => text.bytes(self.host.name(index)),
                Part::Endpoint(at) => {
                    text.bytes(b"endpoint ");
                    self.put_place(text, at);
                }
                Id(at) => text.number(self.id(at).into()),
                Part::Limits => {
                    text.bytes(b"limits: add_addr_accepted ");
                    text.number(self.host.add_addr_accepted.into());
                    text.bytes(b" subflows ");
                    text.number(self.host.more_subflows.into());
                }
                Part::Counters(names) => {
                    self.put_counters(text, names, b" ", &|name| Some(self.history.of(name)));
                }
                Part::Counted(names) => {
                    let counted = |name: &[u8]| Some(self.history.of(name)).filter(|of| *of != 0);
                    self.put_counters(text, names, b" ", &counted);
                }
                Part::Growth(names) if self.history.growth(names) == 0 => {
                    put!(self, text, "{}{}", [Part::Counted(names), Str(PAST)]);
                }
                Part::Growth(names) => {
                    let grown =
                        |name: &[u8]| Some(self.history.growth_of(name)).filter(|of| *of != 0);
                    self.put_counters(text, names, b" +", &grown);
                    text.bytes(b" ");
                    self.history.put_when(text);
                }
            }
        }
    }

    /// Adds address, id and interface of an endpoint.
    fn put_place(&mut self, text: &mut Text, at: usize) {
        put!(self, text, "{} id {}", [Address(self.key(at)), Id(at)]);
        match self.bound(at) {
            0 => {}
            bound => put!(self, text, " dev {}", [Interface(bound)]),
        }
    }

    /// The names with their values, of those that have one.
    fn put_counters(
        &self,
        text: &mut Text,
        names: &str,
        between: &[u8],
        value: &dyn Fn(&[u8]) -> Option<u64>,
    ) {
        let mut names = names.as_bytes();
        let mut follows = false;
        while !names.is_empty() {
            let name = take(&mut names, b' ');
            let Some(value) = value(name) else {
                continue;
            };
            if follows {
                text.byte(b' ');
            }
            follows = true;
            text.bytes(name);
            text.bytes(between);
            text.number(value);
        }
    }

    /// Adds the command that changes an endpoint, without what it changes.
    #[inline(never)]
    pub fn change(&mut self, remedy: &mut Text, at: usize) {
        if !remedy.as_bytes().is_empty() {
            remedy.bytes(b"; ");
        }
        put!(self, remedy, "ip-mptcp endpoint change id {}", [Id(at)]);
    }

    /// Adds the commands that delete an endpoint and add it again, upon which
    /// the kernel tries to open subflows from it anew.
    pub fn again(&mut self, text: &mut Text, at: usize) {
        put!(
            self,
            text,
            "ip-mptcp endpoint delete id {}; ip-mptcp endpoint add ",
            [Id(at)]
        );
        self.put_place(text, at);
        for (flag, name) in &EndpointFlags::NAMES {
            if self.is(at, *flag) {
                text.byte(b' ');
                text.bytes(name.as_bytes());
            }
        }
    }
}
