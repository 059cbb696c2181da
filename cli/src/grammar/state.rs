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

use super::batch::Line;
use super::endpoint::{self, EndpointWords, Family, Purpose};
use super::limits::{self, LimitWords};
use super::{same, Words};
use crate::args;
use crate::error::{Error, Result};
use crate::iproute2::{self, Caller, Target};
use crate::output::{address, number};

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
    /// What it says. Without an address it stands for every usable address of
    /// its interface, of one family where that is named.
    pub said: EndpointWords,
    /// `dev IF`. Not an index: the interface may come later.
    pub dev: Option<String>,
}

/// What is wrong with a line.
#[derive(Debug)]
pub struct Mistake {
    /// Which line.
    pub line: u32,
    /// What is wrong.
    pub error: Error,
}

/// More endpoints than there are ids.
const MOST: usize = 255;
/// Nobody reads more mistakes than these.
const MOST_MISTAKES: usize = 100;

/// Reads a state file and adds what it says to `file`, which is worth nothing
/// unless there are no mistakes.
pub fn parse(text: &[u8], file: &mut File) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut number = 0;
    let mut rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    while mistakes.len() < MOST_MISTAKES && !rest.is_empty() {
        let mut line = Line::default();
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
        let read = match line.words() {
            Ok(words) => statement(file, number, &words),
            Err(mistake) => Err(mistake.error()),
        };
        if let Err(error) = read {
            mistakes.push(Mistake {
                line: number,
                error,
            });
        }
    }
    mistakes
}

/// Reads one line.
fn statement(file: &mut File, line: u32, words: &[&str]) -> Result<()> {
    let mut caller = Caller {
        program: "ip-mptcp",
        is_ip: false,
        object: false,
    };
    let target = iproute2::line(&mut caller, words, &mut Vec::new())?;
    let keywords = match &target {
        Target::Action(action, _) => action.words,
        _ => "",
    };
    declaration(file, line, words, &target).map_err(|error| error.near(keywords))
}

/// Takes what it declares.
fn declaration(file: &mut File, line: u32, words: &[&str], target: &Target) -> Result<()> {
    let (what, rest) = match target {
        Target::Action(action, rest) => (args::path_of(action), *rest),
        _ => (None, &[][..]),
    };
    match what {
        Some(("endpoint", "add")) => {
            let declared = declared(line, rest)?;
            check_against(file, &declared)?;
            file.endpoints.push(declared);
        }
        Some(("limits", "set")) => {
            let said = limits::parse(Words::new(rest))?;
            file.limits.subflows = said.subflows.or(file.limits.subflows);
            file.limits.add_addr_accepted =
                said.add_addr_accepted.or(file.limits.add_addr_accepted);
            file.limits_line = line;
        }
        _ => {
            let word = words.first().unwrap_or(&"");
            let why = "a state file is made of \"endpoint add\" and \"limits set\"";
            return Err(Error::invalid(word, why));
        }
    }
    Ok(())
}

fn declared(line: u32, words: &[&str]) -> Result<Declared> {
    let mut dev = None;
    let mut said = endpoint::parse(Words::new(words), Purpose::Declare, &mut |name| {
        dev = Some(String::from(name));
        Ok(0)
    })?;
    endpoint::check_new(&said)?;
    endpoint::check_whole(said.set, said.port.unwrap_or(0))?;
    said.dev = None;
    said.clear = EndpointFlags::default();
    said.port = said.port.filter(|port| *port != 0);
    match (said.address, said.family) {
        (None, _) if dev.is_none() => return Err(Error::required("ADDRESS")),
        (None, _) | (_, None) => {}
        (Some(IpAddr::V4(_)), Some(Family::V6)) | (Some(IpAddr::V6(_)), Some(Family::V4)) => {
            let why = "the address is of the other family";
            return Err(Error::invalid(said.family.map_or("", word), why));
        }
        (Some(_), Some(_)) => said.family = None,
    }
    Ok(Declared { line, said, dev })
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

/// Finds what cannot be beside another line.
fn check_against(file: &File, new: &Declared) -> Result<()> {
    let refused = |other: &Declared, word: &str, what: &str| {
        let line = number(other.line.into());
        let why = ["line ", line.as_str(), " has ", what, " already"].concat();
        Err(Error::invalid(word, &why))
    };
    if file.endpoints.len() >= MOST {
        return Err(Error::invalid("add", "there are no more than 255 ids"));
    }
    for other in &file.endpoints {
        if let (Some(id), true) = (new.said.id, new.said.id == other.said.id) {
            return refused(other, number(id.into()).as_str(), "this id");
        }
        if new.said.port != other.said.port {
            continue;
        }
        match (new.said.address, other.said.address) {
            (Some(one), Some(two)) if same(one, two) => {
                let text = address(one);
                let text = core::str::from_utf8(&text).unwrap_or("");
                return refused(other, text, "this address and port");
            }
            (None, None)
                if new.dev() == other.dev() && overlap(new.said.family, other.said.family) =>
            {
                return refused(other, new.dev(), "all its addresses");
            }
            _ => {}
        }
    }
    Ok(())
}

fn overlap(one: Option<Family>, two: Option<Family>) -> bool {
    one.is_none() || two.is_none() || one == two
}

impl Declared {
    /// The name of its interface, empty where there is none.
    pub fn dev(&self) -> &str {
        self.dev.as_deref().unwrap_or("")
    }

    /// The line as it is written: read again, it says the same.
    pub fn print(&self, out: &mut Vec<u8>) {
        let EndpointWords {
            address,
            port,
            id,
            set,
            family,
            ..
        } = self.said;
        let dev = self.dev().as_bytes();
        put_endpoint(out, address, port.unwrap_or(0), id.unwrap_or(0), set, dev);
        if let Some(family) = family {
            out.push(b' ');
            out.extend_from_slice(word(family).as_bytes());
        }
    }
}

/// `endpoint add …`, without what is 0 or empty.
pub fn put_endpoint(
    out: &mut Vec<u8>,
    of: Option<IpAddr>,
    port: u16,
    id: u8,
    flags: EndpointFlags,
    dev: &[u8],
) {
    out.extend_from_slice(b"endpoint add");
    if let Some(of) = of {
        out.push(b' ');
        out.extend_from_slice(&address(of));
    }
    put_number(out, b" port ", port.into());
    put_number(out, b" id ", id.into());
    for (flag, name) in &EndpointFlags::NAMES {
        if flags.contains(*flag) {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
    }
    if !dev.is_empty() {
        out.extend_from_slice(b" dev ");
        put_word(out, dev);
    }
}

fn put_number(out: &mut Vec<u8>, keyword: &[u8], value: u64) {
    if value != 0 {
        out.extend_from_slice(keyword);
        out.extend_from_slice(number(value).as_bytes());
    }
}

/// `limits set …`, those that are given.
pub fn put_limits(out: &mut Vec<u8>, limits: &LimitWords) {
    out.extend_from_slice(b"limits set");
    for (keyword, value) in &[
        (" add_addr_accepted ", limits.add_addr_accepted),
        (" subflows ", limits.subflows),
    ] {
        if let Some(value) = *value {
            out.extend_from_slice(keyword.as_bytes());
            out.extend_from_slice(number(value.into()).as_bytes());
        }
    }
}

/// The quote that a word needs to be read as one again, if any; `None` where
/// there is no way to write it.
fn quote(word: &[u8]) -> Option<&'static [u8]> {
    if !matches!(word, [] | [b'"' | b'\'', ..]) && !word.contains(&b'#') {
        Some(b"")
    } else if !word.contains(&b'"') {
        Some(b"\"")
    } else if !word.contains(&b'\'') {
        Some(b"'")
    } else {
        None
    }
}

fn put_word(out: &mut Vec<u8>, word: &[u8]) {
    let quote = quote(word).unwrap_or(b"");
    out.extend_from_slice(quote);
    out.extend_from_slice(word);
    out.extend_from_slice(quote);
    // At the end of a line a backslash would join it with the next.
    if quote.is_empty() && word.ends_with(b"\\") {
        out.push(b' ');
    }
}

/// Whether a state file can hold this name of an interface.
pub fn can_name(name: &[u8]) -> bool {
    core::str::from_utf8(name)
        .is_ok_and(|name| super::interface_name(name) && !iproute2::is_help(name))
        && quote(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut file = File::default();
        let mistakes = parse(text.as_bytes(), &mut file);
        assert!(mistakes.is_empty(), "{text:?}: {mistakes:?}");
        let print = |declared: &Declared| {
            let mut out = Vec::new();
            declared.print(&mut out);
            String::from_utf8(out).unwrap()
        };
        file.endpoints.iter().map(print).collect()
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
        let mut file = File::default();
        let mistakes = parse(
            b"limits set subflows 3 a 1\nlimits set subflows 4",
            &mut file,
        );
        assert!(mistakes.is_empty());
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
                    endpoint add dev x port 5 signal\n'\n\\";
        let mistakes = parse(text.as_bytes(), &mut File::default());
        let lines: Vec<u32> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16]);
        let mistakes = parse("x\n".repeat(1000).as_bytes(), &mut File::default());
        assert_eq!(mistakes.len(), MOST_MISTAKES);
    }
}
