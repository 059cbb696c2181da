//! How a finding is written.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::facts::Doctor;
use crate::host::places::{address, is_bound, key_of, Key};
use crate::text::{take, Text};

/// How much a finding matters.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something does not work now: exit status 1.
    Fault,
    /// Something to know: it lies in the past, or may be on purpose.
    Note,
}

/// A piece of a sentence.
#[derive(Copy, Clone)]
pub enum Part<'p> {
    /// Text as it is.
    Str(&'p str),
    /// The same, put together before.
    Bytes(&'p [u8]),
    /// A number.
    Number(u64),
    /// An address.
    Address(Key),
    /// The name of an interface.
    Interface(u32),
    /// An endpoint: its address, id, and the interface that it names.
    Endpoint(&'p Endpoint),
    /// `NAME VALUE` of each of these counters, separated by blanks.
    Counters(&'p str),
    /// The same of those that are not 0.
    Counted(&'p str),
    /// `NAME +N` of those of these counters that have grown, and since when.
    Growth(&'p str),
}

use Part::{Bytes, Number, Str};

impl Doctor<'_> {
    /// Something does not work now.
    pub fn fault(&mut self, check: &str, message: &str, evidence: &[Part], remedy: &[Part]) {
        self.find(Level::Fault, check, message, evidence, remedy);
    }

    /// Something to know.
    pub fn note(&mut self, check: &str, message: &str, evidence: &[Part], remedy: &[Part]) {
        self.find(Level::Note, check, message, evidence, remedy);
    }

    /// Writes a finding. A remedy is commands, separated by `; `, that do what
    /// is needed when they are pasted; or a sentence, which begins with a
    /// capital letter.
    #[inline(never)]
    pub fn find(
        &mut self,
        level: Level,
        check: &str,
        message: &str,
        evidence: &[Part],
        remedy: &[Part],
    ) {
        self.findings += 1;
        self.faults += u32::from(level == Level::Fault);
        let level = match level {
            Level::Fault => "fault",
            Level::Note => "note",
        };
        let json = self.session.out.style.json;
        let lines: [(&str, &[Part]); 5] = [
            ("level", &[Str(level)]),
            ("check", &[Str(check)]),
            ("message", &[Str(message)]),
            ("evidence", evidence),
            ("remedy", remedy),
        ];
        if json {
            self.session.out.begin_object("");
        }
        let mut text = Text::default();
        for (at, (label, parts)) in lines.iter().enumerate() {
            text.clear();
            self.put(&mut text, parts);
            let out = &mut self.session.out;
            if json {
                out.json_string(label, text.as_bytes());
                continue;
            }
            if at > 2 {
                out.text("    ");
                out.text(label);
                out.text(": ");
            }
            out.bytes(text.as_bytes());
            match at {
                0 => out.text(" "),
                1 => out.text(": "),
                _ => out.end_line(),
            }
        }
        if json {
            self.session.out.end_object();
        }
    }

    /// Adds the parts to a text.
    pub fn put(&mut self, text: &mut Text, parts: &[Part]) {
        for part in parts {
            match *part {
                Str(piece) => text.bytes(piece.as_bytes()),
                Bytes(piece) => text.bytes(piece),
                Number(number) => text.number(number),
                Part::Address(key) => text.address(address(key)),
                Part::Interface(index) => text.bytes(self.host.name(index)),
                Part::Endpoint(endpoint) => {
                    let id = endpoint.id().unwrap_or(0).into();
                    let parts = [
                        Str("endpoint "),
                        Part::Address(key_of(endpoint)),
                        Str(" id "),
                        Number(id),
                    ];
                    self.put(text, &parts);
                    self.put_device(text, endpoint);
                }
                Part::Counters(names) => {
                    self.put_counters(text, names, b" ", &|name| Some(self.history.of(name)));
                }
                Part::Counted(names) => {
                    let counted = |name: &[u8]| Some(self.history.of(name)).filter(|of| *of != 0);
                    self.put_counters(text, names, b" ", &counted);
                }
                Part::Growth(names) => {
                    let grown =
                        |name: &[u8]| Some(self.history.growth_of(name)).filter(|of| *of != 0);
                    self.put_counters(text, names, b" +", &grown);
                    text.bytes(b" ");
                    text.bytes(self.history.when().as_bytes());
                }
            }
        }
    }

    /// The limits, for evidence.
    pub fn limits(&self) -> [Part<'static>; 4] {
        [
            Str("limits: add_addr_accepted "),
            Number(self.host.add_addr_accepted.into()),
            Str(" subflows "),
            Number(self.host.more_subflows.into()),
        ]
    }

    fn put_device(&mut self, text: &mut Text, endpoint: &Endpoint) {
        if is_bound(endpoint) {
            let index = endpoint.if_idx().unwrap_or(0);
            self.put(text, &[Str(" dev "), Part::Interface(index)]);
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

    /// The commands that delete an endpoint and add it again, upon which the
    /// kernel tries to open subflows from it anew.
    pub fn again(&mut self, endpoint: &Endpoint) -> Vec<u8> {
        let mut text = Text::default();
        let id = endpoint.id().unwrap_or(0).into();
        let parts = [
            Str("ip-mptcp endpoint delete id "),
            Number(id),
            Str("; ip-mptcp endpoint add "),
            Part::Address(key_of(endpoint)),
            Str(" id "),
            Number(id),
        ];
        self.put(&mut text, &parts);
        self.put_device(&mut text, endpoint);
        let flags = endpoint.flags().unwrap_or_default();
        for (flag, name) in &EndpointFlags::NAMES {
            if flags.contains(*flag) {
                text.byte(b' ');
                text.bytes(name.as_bytes());
            }
        }
        text.into_bytes()
    }
}
