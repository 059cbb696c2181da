//! State files: what the kernel is to hold, in lines of the tool's own
//! grammar.
//!
//! ```text
//! limits set subflows 4 add_addr_accepted 4
//! endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh
//! endpoint add dev lte subflow backup     # every usable address of it
//! endpoint add dev wan6 -6 subflow
//! ```
//!
//! Lines are split as those of a batch. The whole file is read before
//! anything is done, and all its mistakes are found.

use std::net::IpAddr;

use mptcp_codec::mptcp::EndpointFlags;

use crate::error::{Error, Result};
use crate::grammar::batch::{self, Line};
use crate::grammar::endpoint::{self, EndpointWords, Family, Purpose};
use crate::grammar::limits::{self, LimitWords};
use crate::grammar::{interface_name, keyword, Words};
use crate::iproute2::{self, Caller, Target};
use crate::session::Command;
use crate::state::plan::Entry;
use crate::text::{address, number, Text};

/// What a state file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// The endpoints, in the order of their lines.
    pub endpoints: Vec<Declared>,
    /// The limits that are named; of two lines the last counts.
    pub limits: LimitWords,
    /// The line that named limits last.
    pub limits_line: u32,
}

/// One line: an endpoint, or the endpoints of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Which line of the file it is, from 1.
    pub line: u32,
    /// What it says. The index is that of the interface once that has been
    /// looked up, 0 where there is none: it may come later.
    pub entry: Entry,
    /// It has no address: it stands for every usable one of its interface.
    pub spread: bool,
    /// Of this family only.
    pub family: Option<Family>,
    /// `dev IF`, empty where there is none.
    pub dev: String,
}

/// What is wrong with a line.
#[derive(Debug)]
pub struct Mistake {
    /// Which line; 0 where it is about none.
    pub line: u32,
    /// What is wrong.
    pub error: Error,
}

/// More endpoints than there are ids.
const MOST: usize = 255;
/// Nobody reads more mistakes than these.
const MOST_MISTAKES: usize = 100;

/// Reads a state file and adds what it says to `file`, which is worth nothing
/// if there are mistakes. Those are told by their lines.
pub fn parse(
    text: &[u8],
    commands: &'static [Command],
    file: &mut File,
    tell: &mut dyn FnMut(u32, Error),
) {
    let mut mistakes = 0;
    let mut number = 0;
    let mut line = Line::default();
    let mut rest = match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => rest,
        _ => text,
    };
    while mistakes < MOST_MISTAKES && !rest.is_empty() {
        line.clear();
        let mut more = true;
        while more {
            if rest.is_empty() {
                line.end_of_file();
                break;
            }
            number += 1;
            (rest, more) = line.take(rest);
        }
        if line.is_empty() {
            continue;
        }
        if let Err(error) = statement(commands, file, number, &line) {
            tell(number, error);
            mistakes += 1;
        }
    }
}

/// Reads one line.
#[inline(never)]
fn statement(
    commands: &'static [Command],
    file: &mut File,
    number: u32,
    line: &Line,
) -> Result<()> {
    let words = line.words().map_err(batch::Mistake::error)?;
    let mut caller = Caller::new("ip-mptcp", commands);
    let target = iproute2::line(&mut caller, &words)?;
    if let Target::Run(Some(group), action, rest) = target {
        let read = match (group.name, action.name) {
            ("endpoint", "add") => declare(file, number, rest),
            ("limits", "set") => limit(file, number, rest),
            _ => Err(other(&words)),
        };
        return read.map_err(|error| error.near(&|near| keyword::offer(action.words, near)));
    }
    Err(other(&words))
}

/// Something else than a state file is made of.
fn other(words: &[&str]) -> Error {
    let why = "a state file is made of \"endpoint add\" and \"limits set\"";
    Error::invalid(words.first().unwrap_or(&""), why)
}

fn limit(file: &mut File, line: u32, words: &[&str]) -> Result<()> {
    limits::parse_some(words, &mut file.limits)?;
    file.limits_line = line;
    Ok(())
}

#[inline(never)]
fn declare(file: &mut File, line: u32, words: &[&str]) -> Result<()> {
    let mut dev = String::new();
    let mut said = EndpointWords::default();
    let mut name_it = |name: &str| {
        dev = String::from(name);
        Ok(0)
    };
    endpoint::parse(Words::new(words), Purpose::Declare, &mut said, &mut name_it)?;
    endpoint::check_new(&said)?;
    let mut declared = Declared {
        line,
        entry: Entry {
            port: said.port.unwrap_or(0),
            id: said.id.unwrap_or(0),
            flags: said.set,
            ..Entry::NONE
        },
        spread: true,
        family: said.family,
        dev,
    };
    let entry = &mut declared.entry;
    if let Some(address) = said.address {
        entry.address = address;
        declared.spread = false;
    }
    endpoint::check_whole(entry.flags, entry.port)?;
    if !declared.spread {
        if let Some(family) = declared.family.take() {
            if family != family_of(&entry.address) {
                let why = "the address is of the other family";
                return Err(Error::invalid(word(family), why));
            }
        }
    } else if declared.dev.is_empty() {
        return Err(Error::required("ADDRESS"));
    }
    if file.endpoints.len() >= MOST {
        return Err(Error::invalid("add", "there are no more than 255 ids"));
    }
    for other in &file.endpoints {
        check_pair(&declared, other)?;
    }
    file.endpoints.push(declared);
    Ok(())
}

/// The family of an address.
pub fn family_of(address: &IpAddr) -> Family {
    match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

/// Finds what cannot be beside another line.
#[inline(never)]
fn check_pair(new: &Declared, other: &Declared) -> Result<()> {
    let (one, two) = (&new.entry, &other.entry);
    if one.id != 0 && one.id == two.id {
        let id = number(one.id.into());
        return Err(already(id.as_str(), other, b" has this id already"));
    }
    if new.spread != other.spread || one.port != two.port {
        return Ok(());
    }
    if new.spread {
        if new.dev == other.dev && overlap(new.family, other.family) {
            let what = b" has all its addresses already";
            return Err(already(&new.dev, other, what));
        }
    } else if one.clashes(two) {
        let text = address(one.address);
        let text = core::str::from_utf8(&text).unwrap_or("");
        let what = b" has this address and port already";
        return Err(already(text, other, what));
    }
    Ok(())
}

/// Another line has what this one names with `word`.
fn already(word: &str, other: &Declared, what: &[u8]) -> Error {
    let mut error = Error::invalid(word, "line ");
    error.push(number(other.line.into()).as_bytes());
    error.push(what);
    error
}

fn overlap(one: Option<Family>, two: Option<Family>) -> bool {
    one.is_none() || two.is_none() || one == two
}

impl Declared {
    /// The line as it is written: read again, it says the same.
    pub fn print(&self, out: &mut Text) {
        out.bytes(b"endpoint add");
        let Entry {
            address,
            port,
            id,
            flags,
            ..
        } = self.entry;
        if !self.spread {
            out.byte(b' ');
            out.address(address);
        }
        put_rest(out, port, id, flags, EndpointFlags(0), self.dev.as_bytes());
        if let Some(family) = self.family {
            out.byte(b' ');
            out.bytes(word(family).as_bytes());
        }
    }
}

/// What follows the address of an endpoint, without what is 0 or empty.
pub fn put_rest(
    out: &mut Text,
    port: u16,
    id: u8,
    set: EndpointFlags,
    clear: EndpointFlags,
    dev: &[u8],
) {
    put_number(out, b" port ", port.into());
    put_number(out, b" id ", id.into());
    for (flag, name) in &EndpointFlags::NAMES {
        if (set | clear).contains(*flag) {
            let cleared = clear.contains(*flag);
            out.bytes(if cleared { b" no" } else { b" " });
            out.bytes(name.as_bytes());
        }
    }
    if !dev.is_empty() {
        out.bytes(b" dev ");
        put_word(out, dev);
    }
}

/// A keyword and its value, but for 0.
pub fn put_number(out: &mut Text, keyword: &[u8], value: u64) {
    if value != 0 {
        out.bytes(keyword);
        out.number(value);
    }
}

/// `limits set …`, those that are given.
pub fn put_limits(out: &mut Text, limits: &LimitWords) {
    out.bytes(b"limits set");
    if let Some(number) = limits.add_addr_accepted {
        out.bytes(b" add_addr_accepted ");
        out.number(number.into());
    }
    if let Some(number) = limits.subflows {
        out.bytes(b" subflows ");
        out.number(number.into());
    }
}

/// The quote that a word needs to be read as one again, if any; `None` where
/// there is no way to write it.
fn quote(word: &[u8]) -> Option<&'static [u8]> {
    let (mut hash, mut single, mut double) = (false, false, false);
    for byte in word {
        match byte {
            b'#' => hash = true,
            b'\'' => single = true,
            b'"' => double = true,
            _ => {}
        }
    }
    if !hash && !matches!(word, [] | [b'"' | b'\'', ..]) {
        Some(b"")
    } else if !double {
        Some(b"\"")
    } else if !single {
        Some(b"'")
    } else {
        None
    }
}

fn put_word(out: &mut Text, word: &[u8]) {
    let quote = quote(word).unwrap_or(b"");
    out.bytes(quote);
    out.bytes(word);
    out.bytes(quote);
    // At the end of a line a backslash would join it with the next.
    if quote.is_empty() && word.ends_with(b"\\") {
        out.byte(b' ');
    }
}

/// Whether a state file can hold this name of an interface.
pub fn can_name(name: &[u8]) -> bool {
    core::str::from_utf8(name).is_ok_and(|name| interface_name(name) && !iproute2::is_help(name))
        && quote(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;

    fn correct(text: &str) -> File {
        let mut file = File::default();
        let mut wrong = Vec::new();
        parse(text.as_bytes(), COMMANDS, &mut file, &mut |line, _| {
            wrong.push(line)
        });
        assert!(wrong.is_empty(), "{text:?}: {wrong:?}");
        file
    }

    /// The lines with mistakes.
    fn mistakes(text: &str) -> Vec<u32> {
        let mut lines = Vec::new();
        let mut tell = |line, _: Error| lines.push(line);
        parse(text.as_bytes(), COMMANDS, &mut File::default(), &mut tell);
        lines
    }

    fn lines(text: &str) -> Vec<String> {
        let print = |declared: &Declared| {
            let mut out = Text::default();
            declared.print(&mut out);
            String::from_utf8(out.into_bytes()).unwrap()
        };
        correct(text).endpoints.iter().map(print).collect()
    }

    #[test]
    fn lines_are_those_of_the_command_line() {
        for (text, line) in [
            ("endpoint add 10.0.0.1", "endpoint add 10.0.0.1"),
            (
                "mptcp e a subflow d wan i 3 10.0.0.1 backup nobackup # x",
                "endpoint add 10.0.0.1 id 3 subflow backup dev wan",
            ),
            ("endpoint add dev lte -6", "endpoint add dev lte -6"),
            ("endpoint add 10.0.0.1 -4", "endpoint add 10.0.0.1"),
            ("endpoint add dev 'a#b'", "endpoint add dev \"a#b\""),
            ("endpoint add dev '\"a#b'", "endpoint add dev '\"a#b'"),
            ("endpoint add dev x\\ ", "endpoint add dev x\\ "),
            (
                "\u{feff}endpoint add \\\n::1 port 0x50 \\\nsignal\r\n\n",
                "endpoint add ::1 port 80 signal",
            ),
        ] {
            assert_eq!(lines(text), [line], "{text:?}");
            assert_eq!(lines(line), [line]);
        }
        assert!(lines("\n# nothing\n   \n").is_empty());
    }

    #[test]
    fn of_two_lines_about_limits_the_last_counts() {
        let file = correct("limits set subflows 3 a 1\nlimits set subflows 4");
        assert_eq!(
            (
                file.limits.subflows,
                file.limits.add_addr_accepted,
                file.limits_line
            ),
            (Some(4), Some(1), 2)
        );
    }

    #[test]
    fn every_mistake_is_found_with_its_line() {
        let text = "endpoint add\nendpoint delete id 1\nlimits\nendpoint add 10.0.0.1 id 1\n\
                    endpoint add ::ffff:10.0.0.1\nendpoint add 10.0.0.2 id 1\n\
                    endpoint add 10.0.0.3 id 0\nendpoint add 10.0.0.3 implicit\n\
                    endpoint add 10.0.0.3 port 80 signal subflow\nendpoint add 10.0.0.3 -6\n\
                    endpoint add dev x\nendpoint add dev x -4 backup\nlimits set x\n\
                    limits set\n\
                    endpoint add dev x port 5 signal\n'\n\\";
        let wrong = [1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16, 17];
        assert_eq!(mistakes(text), wrong);
        assert_eq!(mistakes(&"x\n".repeat(1000)).len(), MOST_MISTAKES);
    }
}
