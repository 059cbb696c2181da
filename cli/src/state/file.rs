//! State files: what the kernel is to hold, in lines of the tool's own grammar.
//!
//! ```text
//! limits set subflows max add_addr_accepted 4
//! endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh
//! endpoint add dev lte subflow backup     # every usable address of it
//! endpoint add 2001:db8::/32 dev wan6 subflow
//! endpoint add dev wwan* uplink subflow
//! ignore dev docker*
//! sysctl scheduler default
//! ```
//!
//! Lines are split like those of a batch. The whole file is read before anything is done, and
//! all its mistakes are reported.

use std::cell::Cell;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use super::endpoint::{address_of, clashes, flags_of, id_of, port_of};
use super::members::members;
use crate::error::{Error, Result};
use crate::grammar::batch::Line;
use crate::grammar::endpoint::{self, Family, Prefix};
use crate::grammar::{self, interface_name, keyword, limits, slot, Given, Takes};
use crate::iproute2::{self, Caller, Target};
use crate::kernel::key::{is_ipv4, is_unique_local, key, key_of, Key};
use crate::output::Output;
use crate::session::Command;
use crate::sys;
use crate::text::{find, number, parse_number, Text};

/// What a state file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The endpoints, in the order of their lines.
    pub endpoints: Vec<Declared>,
    /// Addresses that no interface stands for.
    pub ignored: Vec<Declared>,
    /// The limits that are named; the last line wins.
    pub limits: Limits,
    /// Those that are to be the kernel's maximum, a bit `1 << number` each.
    pub most: u32,
    /// The line that named limits last.
    pub limits_line: u32,
    /// Settings of `net.mptcp`; the last line about each wins.
    pub settings: Vec<Setting>,
    /// Interfaces that have a default route of IPv6, and of IPv4, once looked up.
    pub uplinks: [Vec<u32>; 2],
}

/// One line: an endpoint, the endpoints of an interface, or with `ignore`
/// addresses that no interface stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Which line of the file it is, from 1.
    pub line: u32,
    /// What it says, except for the interface.
    pub endpoint: Endpoint,
    /// It has no address: it stands for every usable one of its interface.
    pub spread: bool,
    /// Only of this family.
    pub family: Option<Family>,
    /// Only of this prefix.
    pub prefix: Option<Prefix>,
    /// `dev IF`, or a pattern of names; empty if there is none.
    pub dev: String,
    /// Its interface counts only while it has a default route.
    pub uplink: bool,
    /// The indexes of its interfaces once looked up: they may appear later.
    pub indexes: Vec<u32>,
    /// Its address is on an interface of this host, or was at an earlier look.
    pub local: bool,
    /// What it names did not appear in time.
    pub lacking: Cell<bool>,
    /// It writes out an address, and wanted it at the last look.
    pub stands: Cell<bool>,
}

/// `sysctl`: a setting of `net.mptcp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which line of the file it is.
    pub line: u32,
    /// Its name in /proc/sys/net/mptcp.
    pub name: String,
    /// Its wanted value.
    pub value: String,
    /// Its value before, once looked up.
    pub before: Vec<u8>,
}

/// As many endpoints as there are ids, and as many other lines.
const MOST: usize = 255;
/// The most mistakes that are reported.
const MOST_MISTAKES: usize = 100;
/// Precedes the index of an interface whose name no line can hold. No name has a colon.
const INDEX: &str = "index:";

/// Reads a state file, whose text is consumed, and adds what it says to `file`, which is not
/// usable if there are mistakes.
pub fn parse(
    text: &mut [u8],
    commands: &'static [Command],
    file: &mut File,
    report: &mut dyn FnMut(Error),
) {
    let mut mistakes = 0;
    let mut number = 0;
    let mut rest = match text {
        [b'\xef', b'\xbb', b'\xbf', rest @ ..] => rest,
        text => text,
    };
    let mut line = Line::default();
    while mistakes < MOST_MISTAKES && !rest.is_empty() {
        line.clear();
        let len = line.take_all(rest, &mut number);
        if !line.is_empty() {
            let read = line.run(rest, &mut |words| {
                statement(commands, file, number, words)?;
                Ok(0)
            });
            if let Err(error) = read {
                report(error.at(number));
                mistakes += 1;
            }
        }
        rest = rest.get_mut(len..).unwrap_or(&mut []);
    }
}

/// Reads one line.
#[inline(never)]
fn statement(
    commands: &'static [Command],
    file: &mut File,
    number: u32,
    words: &[&str],
) -> Result<()> {
    if let Some((word, rest)) = words.split_first() {
        match *word {
            "ignore" => return declare(file, number, rest, true),
            "sysctl" => return setting(file, number, rest),
            _ => {}
        }
    }
    let mut caller = Caller::new("ip-mptcp", commands);
    let target = iproute2::line(&mut caller, words)?;
    if let Target::Run(Some(group), action, rest) = target {
        let read = match (group.name, action.name) {
            ("endpoint", "add") => declare(file, number, rest, false),
            ("limits", "set") => limit(file, number, rest),
            _ => Err(other(words)),
        };
        return read.map_err(|error| error.near(&|near| keyword::offer(action.words, near)));
    }
    Err(other(words))
}

/// Something that does not belong into a state file.
fn other(words: &[&str]) -> Error {
    let why = "a state file is made of \"endpoint add\", \"limits set\", \"ignore\" and \"sysctl\"";
    Error::invalid(words.first().unwrap_or(&""), why)
}

fn limit(file: &mut File, line: u32, words: &[&str]) -> Result<()> {
    const TAKES: Takes = Takes::of(limits::WORDS, keyword::LIMITS);
    let mut given = Given::default();
    (given.limits, given.most) = (file.limits, file.most);
    grammar::parse(words, keyword::LIMITS, TAKES, &mut given, &mut |_| Ok(0))?;
    if given.is_empty() {
        return Err(limits::nothing_to_set());
    }
    (file.limits, file.most) = (given.limits, given.most);
    file.limits_line = line;
    Ok(())
}

/// Reads `sysctl NAME VALUE`.
#[inline(never)]
fn setting(file: &mut File, line: u32, words: &[&str]) -> Result<()> {
    let [name, value] = words else {
        return Err(Error::required("NAME VALUE"));
    };
    let full = *name;
    let short = full.strip_prefix("net.mptcp.");
    let name = short.or_else(|| full.strip_prefix("net/mptcp/"));
    let name = name.unwrap_or(full);
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if name.is_empty() || name.starts_with("available_") || !name.bytes().all(plain) {
        return Err(Error::invalid(full, "a setting of net.mptcp is expected"));
    }
    if value.is_empty() || value.len() > 64 || value.bytes().any(|byte| byte < b' ') {
        return Err(Error::invalid(value, "invalid value"));
    }
    let value = String::from(*value);
    for setting in &mut file.settings {
        if setting.name == name {
            (setting.line, setting.value) = (line, value);
            return Ok(());
        }
    }
    if file.settings.len() >= MOST {
        return Err(too_many(words));
    }
    file.settings.push(Setting {
        line,
        name: String::from(name),
        value,
        before: Vec::new(),
    });
    Ok(())
}

/// Reads the words of `endpoint add`, or `ignore [ PREFIX ] [ dev IF ] [ -4 | -6 ]`.
#[inline(never)]
fn declare(file: &mut File, line: u32, words: &[&str], ignores: bool) -> Result<()> {
    const IGNORED: Takes = Takes::of("[ PREFIX ] [ dev IF ] [ -4 | -6 ]", keyword::ENDPOINT);
    const DECLARED: Takes = Takes::of(
        "[ PREFIX ] [ dev IF ] [ id N ] [ port N ] [ FLAG ]... [ -4 | -6 ] [ uplink ]",
        keyword::ENDPOINT,
    );
    let takes = if ignores { IGNORED } else { DECLARED };
    let mut dev = String::new();
    let mut given = Given::default();
    grammar::parse(words, keyword::ENDPOINT, takes, &mut given, &mut |name| {
        if !dev.is_empty() {
            return Err(Error::invalid(name, "there is an interface already"));
        }
        dev = String::from(name);
        Ok(0)
    })?;
    endpoint::check_made(&given)?;
    endpoint::check_new(&given)?;
    let mut family = given.family();
    if let (Some(wanted), Some(of)) = (family, given.address()) {
        if wanted != family_of(key(of)) {
            let why = "the address is of the other family";
            return Err(Error::invalid(word(wanted), why));
        }
        family = None;
    }
    let nothing = given.is_empty();
    let mut prefix = None;
    if ignores || given.has(slot::PREFIX) {
        prefix = given.prefix();
        given = given.without(slot::ADDRESS);
    }
    given = given.without(slot::DEV);
    let endpoint = given.endpoint();
    endpoint::check_whole(flags_of(&endpoint), port_of(&endpoint))?;
    let declared = Declared {
        line,
        endpoint,
        spread: !given.has(slot::ADDRESS),
        family,
        prefix,
        dev,
        uplink: given.has(slot::UPLINK),
        indexes: Vec::new(),
        local: false,
        lacking: Cell::new(false),
        stands: Cell::new(false),
    };
    let lacks = if ignores {
        match nothing {
            true => "PREFIX or dev IF",
            false => "",
        }
    } else if !declared.dev.is_empty() {
        ""
    } else if prefix.is_some() || declared.uplink {
        "dev IF"
    } else if declared.spread {
        "ADDRESS"
    } else {
        ""
    };
    if !lacks.is_empty() {
        return Err(Error::required(lacks));
    }
    if !declared.spread && is_pattern(&declared.dev) {
        let why = "an address is on one interface, not on several";
        return Err(Error::invalid(&declared.dev, why));
    }
    let lines = if ignores {
        &mut file.ignored
    } else {
        &mut file.endpoints
    };
    if lines.len() >= MOST {
        return Err(too_many(words));
    }
    if !ignores {
        for other in &*lines {
            let why = conflict(&declared, other);
            if !why.is_empty() {
                return Err(taken(&declared, other, why));
            }
        }
    }
    lines.push(declared);
    Ok(())
}

/// There are more lines of this kind than can have an effect.
fn too_many(words: &[&str]) -> Error {
    let word = words.first().unwrap_or(&"");
    Error::invalid(word, "there are more than 255 lines of this kind")
}

/// The family of an address.
pub fn family_of(address: Key) -> Family {
    match is_ipv4(address) {
        true => Family::V4,
        false => Family::V6,
    }
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    }
}

/// Whether `dev` is a pattern of names.
pub fn is_pattern(dev: &str) -> bool {
    find(dev.as_bytes(), b'*') < dev.len()
}

/// The index that `dev` has in place of a name, if it does.
pub fn as_index(dev: &str) -> Option<u32> {
    dev.strip_prefix(INDEX).and_then(parse_number)
}

/// Whether a name matches a pattern, in which `*` stands for any characters.
pub fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=name.len()).any(|at| matches_pattern(rest, name.get(at..).unwrap_or(&[])))
        }
        ([a, rest @ ..], [b, more @ ..]) => a == b && matches_pattern(rest, more),
        _ => false,
    }
}

/// What two lines conflict about, for the message; empty if they do not.
#[inline(never)]
fn conflict(new: &Declared, other: &Declared) -> &'static str {
    let (one, two) = (&new.endpoint, &other.endpoint);
    if id_of(one) != 0 && id_of(one) == id_of(two) {
        " has this id already"
    } else if clashes(one, two) {
        " has this address and port already"
    } else if new.spread
        && other.spread
        && port_of(one) == port_of(two)
        && new.dev == other.dev
        && new.prefix == other.prefix
        && overlap(new.family, other.family)
    {
        " has all its addresses already"
    } else {
        ""
    }
}

/// Another line conflicts with this one.
#[cold]
#[inline(never)]
fn taken(new: &Declared, other: &Declared, why: &str) -> Error {
    let mut word = Text::default();
    let id = id_of(&new.endpoint);
    if id != 0 && id == id_of(&other.endpoint) {
        word.number(id.into());
    } else if new.spread {
        word.bytes(new.dev.as_bytes());
    } else {
        word.address(address_of(&new.endpoint));
    }
    let word = sys::text(word.as_bytes()).unwrap_or("");
    let mut error = Error::invalid(word, "line ");
    error.push(number(other.line.into()).as_bytes());
    error.push(why.as_bytes());
    error
}

fn overlap(one: Option<Family>, two: Option<Family>) -> bool {
    one.is_none() || two.is_none() || one == two
}

/// Whether an address is of a family and a prefix, if they are given.
fn within(address: Key, family: Option<Family>, prefix: Option<Prefix>) -> bool {
    family.is_none_or(|family| family == family_of(address))
        && prefix.is_none_or(|prefix| prefix.contains(address))
}

impl Default for File {
    // Not derived, so that its code exists only once.
    #[inline(never)]
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            ignored: Vec::new(),
            limits: Limits::EMPTY,
            most: 0,
            limits_line: 0,
            settings: Vec::new(),
            uplinks: [Vec::new(), Vec::new()],
        }
    }
}

impl File {
    /// Whether it has not a single line, as a generator that failed or an editor that is just
    /// writing it may leave it.
    pub fn is_empty(&self) -> bool {
        self.endpoints.is_empty() && self.limits_line == 0 && self.settings.is_empty()
    }

    /// Whether an interface has a default route for this address.
    pub fn is_uplink(&self, index: u32, address: Key) -> bool {
        self.uplinks[usize::from(is_ipv4(address))].contains(&index)
    }

    /// Whether a line that writes out this address counts: with `uplink` only while its
    /// interface has a default route.
    #[inline(never)]
    pub fn has_uplink(&self, declared: &Declared, address: Key) -> bool {
        let is_uplink = |index| self.is_uplink(index, address);
        !declared.uplink || declared.index().is_some_and(is_uplink)
    }

    /// Whether a line without an address stands for this address of an interface, as far as
    /// that depends on the file.
    pub fn stands_for(&self, declared: &Declared, index: u32, address: Key) -> bool {
        declared.covers(index, address)
            && (!declared.uplink || self.is_uplink(index, address))
            && !self.ignored.iter().any(|ignored| {
                within(address, ignored.family, ignored.prefix)
                    && (ignored.dev.is_empty() || ignored.indexes.contains(&index))
            })
    }

    /// Whether an endpoint belongs to the file: a line names it by address and port, or
    /// names its interface without an address.
    pub fn names(&self, endpoint: &Endpoint) -> bool {
        let index = endpoint.if_idx().unwrap_or(0);
        let address = key_of(endpoint);
        let ours = |declared: &Declared| match declared.spread {
            true => {
                declared.covers(index, address) && port_of(endpoint) == port_of(&declared.endpoint)
            }
            false => !declared.is_unbound() && clashes(&declared.endpoint, endpoint),
        };
        self.endpoints.iter().any(ours)
    }

    /// Passes on the patterns and names of interfaces, with the indexes that are kept for them.
    pub fn each_dev(
        &mut self,
        each: &mut dyn FnMut(&str, &mut Vec<u32>) -> Result<()>,
    ) -> Result<()> {
        for lines in &mut [&mut self.endpoints, &mut self.ignored] {
            for line in lines.iter_mut().filter(|line| !line.dev.is_empty()) {
                each(&line.dev, &mut line.indexes)?;
            }
        }
        Ok(())
    }

    /// Whether a line depends on default routes.
    pub fn has_uplinks(&self) -> bool {
        self.endpoints.iter().any(|of| of.uplink)
    }
}

impl Declared {
    /// The index of its interface; none if that does not exist.
    pub fn index(&self) -> Option<u32> {
        self.indexes.first().copied()
    }

    /// Whether it has no address, and this one is among those of its interfaces.
    fn covers(&self, index: u32, address: Key) -> bool {
        let local = is_unique_local(address);
        self.spread
            && self.indexes.contains(&index)
            && within(address, self.family, self.prefix)
            && (!local
                || self
                    .prefix
                    .is_some_and(|prefix| is_unique_local(key(prefix.address))))
    }

    /// Its interface did not appear in time: it stands for nothing.
    pub fn is_unbound(&self) -> bool {
        self.lacking.get() && !self.dev.is_empty() && self.indexes.is_empty()
    }

    /// How specific it is.
    pub fn rank(&self) -> u32 {
        let bits = self.prefix.map_or(0, |prefix| u32::from(prefix.bits) + 1);
        2 * bits + u32::from(!is_pattern(&self.dev))
    }

    /// Whether its address may be one that a router in front of this host translates: on no
    /// interface, and only announced.
    pub fn is_translated(&self) -> bool {
        let roles = EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW;
        !self.local
            && flags_of(&self.endpoint) & roles == EndpointFlags::SIGNAL
            && port_of(&self.endpoint) == 0
    }

    /// The line as text, after its first words: if parsed again, it says the same.
    pub fn print(&self, out: &mut Text) {
        if let Some(prefix) = self.prefix {
            out.byte(b' ');
            prefix.print(out);
        }
        put_endpoint(out, &self.endpoint, self.dev.as_bytes());
        put_family(out, self.family);
        if self.uplink {
            out.bytes(b" uplink");
        }
    }
}

/// `sysctl NAME VALUE`.
#[inline(never)]
pub fn put_setting(out: &mut Text, name: &[u8], value: &[u8]) {
    out.bytes(b"sysctl ");
    out.bytes(name);
    out.byte(b' ');
    put_word(out, value);
}

/// `-4` or `-6`, after a space.
pub fn put_family(out: &mut Text, family: Option<Family>) {
    if let Some(family) = family {
        out.byte(b' ');
        out.bytes(word(family).as_bytes());
    }
}

/// The words of an endpoint, each after a space; `dev` is the name of its interface.
#[inline(never)]
pub fn put_endpoint(out: &mut Text, endpoint: &Endpoint, dev: &[u8]) {
    let flags = flags_of(endpoint);
    let known = endpoint.with_flags(EndpointFlags(flags.0 & !flags.unknown().0));
    let mut words = Output::default();
    members(&mut words, &known, b"");
    // Each of them is followed by a blank.
    if let Some(words) = words.buffer().as_bytes().strip_suffix(b" ") {
        out.byte(b' ');
        out.bytes(words);
    }
    put_dev(out, dev);
}

fn put_dev(out: &mut Text, dev: &[u8]) {
    if !dev.is_empty() {
        out.bytes(b" dev ");
        put_word(out, dev);
    }
}

/// A keyword and its value, unless that is 0.
pub fn put_number(out: &mut Text, keyword: &[u8], value: u64) {
    if value != 0 {
        out.bytes(keyword);
        out.number(value);
    }
}

/// `limits set …` with the given limits; `most` are those that are to be the kernel's maximum.
pub fn put_limits(out: &mut Text, limits: &Limits, most: u32) {
    out.bytes(b"limits set");
    for (name, number, value) in &limits::each(limits) {
        let is_most = most & 1 << *number != 0;
        if value.is_none() && !is_most {
            continue;
        }
        out.byte(b' ');
        out.bytes(name.as_bytes());
        out.byte(b' ');
        match value {
            Some(value) if !is_most => out.number((*value).into()),
            _ => out.bytes(b"max"),
        }
    }
}

/// The quote that a word needs to be read back as one, if any; `None` if it cannot be written.
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
    // A backslash at the end of a line would join it with the next.
    if quote.is_empty() && word.ends_with(b"\\") {
        out.byte(b' ');
    }
}

/// An interface in a state file: its name, or its index if a line cannot hold the name.
pub fn put_name(out: &mut Text, name: &[u8], index: u32) {
    let held = sys::text(name).is_some_and(|name| {
        interface_name(name)
            && !iproute2::is_help(name)
            && !is_pattern(name)
            && as_index(name).is_none()
    });
    if held && quote(name).is_some() {
        out.bytes(name);
    } else {
        out.bytes(INDEX.as_bytes());
        out.number(index.into());
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use crate::output::documented;
    use crate::session::Does;

    /// The content of a text, and its mistakes.
    fn parsed(text: &str) -> (File, Vec<Error>) {
        let mut file = File::default();
        let mut wrong = Vec::new();
        let mut text = text.as_bytes().to_vec();
        parse(&mut text, COMMANDS, &mut file, &mut |error| {
            wrong.push(error)
        });
        (file, wrong)
    }

    /// The content of a text without mistakes.
    pub fn correct(text: &str) -> File {
        let (file, wrong) = parsed(text);
        let lines: Vec<u32> = wrong.iter().map(Error::line).collect();
        assert!(wrong.is_empty(), "{text:?}: {lines:?}");
        file
    }

    /// The lines with mistakes.
    fn mistakes(text: &str) -> Vec<u32> {
        parsed(text).1.iter().map(Error::line).collect()
    }

    fn lines(text: &str) -> Vec<String> {
        let print = |declared: &Declared| {
            let mut out = Text::default();
            out.bytes(b"endpoint add");
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
            (
                "endpoint add uplink dev wwan* 10.0.0.0/8 -4",
                "endpoint add 10.0.0.0/8 dev wwan* uplink",
            ),
            (
                "endpoint add dev index:7 -6 uplink",
                "endpoint add dev index:7 -6 uplink",
            ),
        ] {
            assert_eq!(lines(text), [line], "{text:?}");
            assert_eq!(lines(line), [line]);
        }
        assert!(lines("\n# nothing\n   \n").is_empty());
    }

    #[test]
    fn a_pattern_stands_for_any_letters() {
        for (pattern, name, fits) in [
            ("wwan*", "wwan0", true),
            ("wwan*", "wwan", true),
            ("wwan*", "xwwan0", false),
            ("*", "", true),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxcxxb", false),
            ("lan", "lan0", false),
            ("*0", "eth10", true),
        ] {
            let found = matches_pattern(pattern.as_bytes(), name.as_bytes());
            assert_eq!(found, fits, "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_no_line_can_hold_are_written_as_an_index() {
        for (name, written) in [
            (&b"wan"[..], "wan"),
            (b"if7", "if7"),
            (b"\xff", "index:3"),
            (b"ww*", "index:3"),
            (b"'\"#", "index:3"),
        ] {
            let mut out = Text::default();
            put_name(&mut out, name, 3);
            assert_eq!(out.as_bytes(), written.as_bytes());
        }
        assert_eq!((as_index("index:3"), as_index("if3")), (Some(3), None));
    }

    #[test]
    fn of_two_lines_about_limits_the_last_counts() {
        let file = correct("limits set subflows 3 a 1\nlimits set subflows 4");
        assert_eq!(
            (
                file.limits.subflows(),
                file.limits.add_addr_accepted(),
                file.limits_line
            ),
            (Some(4), Some(1), 2)
        );
    }

    #[test]
    fn of_what_stands_for_one_thing_there_is_one_in_a_line() {
        for (text, word) in [
            ("endpoint add dev wan dev lte", "\"lte\" is wrong"),
            ("endpoint add 10.0.0.1 dev wan dev wan", "\"wan\" is wrong"),
            ("ignore dev wan dev lte", "\"lte\" is wrong"),
            ("endpoint add dev wan -4 -6", "\"-6\" is wrong"),
            ("endpoint add -6 dev wan -4", "\"-4\" is wrong"),
            ("ignore -4 -6", "\"-6\" is wrong"),
        ] {
            let found: Vec<u8> = parsed(text)
                .1
                .iter()
                .flat_map(Error::message)
                .copied()
                .collect();
            let found = String::from_utf8_lossy(&found);
            assert!(found.contains(word), "{text}: {found:?}");
        }
        assert_eq!(lines("endpoint add dev x -4 -4"), ["endpoint add dev x -4"]);
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

    /// The attributes of an endpoint in the codec's table.
    fn attributes() -> Vec<u16> {
        (0..64)
            .filter(|number| Endpoint::name_of(*number).is_some())
            .collect()
    }

    /// The attributes set by all words that an action takes, each keyword with a value.
    fn set_by(takes: Takes) -> (Endpoint, Vec<u16>) {
        let mut all = Endpoint::EMPTY;
        let mut set = Vec::new();
        for keyword in keyword::ENDPOINT {
            let words: &[&str] = match keyword.name {
                "ADDRESS" => &["2001:db8::1"],
                name if keyword.reads.takes_value() => &["2001:db8::1", name, "7"],
                name => &["2001:db8::1", name],
            };
            let mut given = Given::default();
            let read = grammar::parse(words, keyword::ENDPOINT, takes, &mut given, &mut |_| Ok(7));
            if read.is_ok() {
                let endpoint = given.endpoint();
                all = all.with_all(&endpoint);
                let has = |number: &u16| endpoint.without(*number) != endpoint;
                set.extend(attributes().into_iter().filter(has));
            }
        }
        // An IPv4 address would set this instead of ADDR6.
        set.push(Endpoint::ADDR4);
        set.sort_unstable();
        set.dedup();
        (all, set)
    }

    /// The actions of `endpoint`, and what each takes.
    fn actions() -> Vec<(&'static str, Takes)> {
        let group = COMMANDS.iter().find(|command| command.name == "endpoint");
        let actions = group.unwrap().actions().iter();
        actions
            .filter_map(|action| match action.does {
                Does::Words(takes, _) => Some((action.name, takes)),
                _ => None,
            })
            .collect()
    }

    /// Finds a keyword that is missing from the words of one action, or sets nothing.
    #[test]
    fn every_action_of_endpoint_takes_every_attribute() {
        assert!(actions().len() >= 5, "{:?}", actions());
        for (name, takes) in actions() {
            assert_eq!(set_by(takes).1, attributes(), "endpoint {name}");
        }
    }

    /// `save` and `apply` lose an attribute that is forgotten where endpoints are printed,
    /// or in the words of a line.
    #[test]
    fn every_attribute_is_printed_and_read_back() {
        let (_, takes) = actions().into_iter().find(|one| one.0 == "add").unwrap();
        let all = set_by(takes).0.with_flags(EndpointFlags::SIGNAL);
        let mut line = Text::default();
        line.bytes(b"endpoint add");
        put_endpoint(&mut line, &all, b"lo");
        let line = String::from_utf8(line.into_bytes()).unwrap();
        let file = correct(&line);
        assert_eq!(file.endpoints[0].dev, "lo");
        let read = file.endpoints[0].endpoint;
        assert_eq!(read, all.without(Endpoint::IF_IDX), "{line}");
        for json in [false, true] {
            let shown = |endpoint: &Endpoint| {
                let mut out = Output::default();
                out.style.json = json;
                let index = endpoint.if_idx().map_or("", |_| "lo");
                members(&mut out, endpoint, index.as_bytes());
                out.buffer().as_bytes().to_vec()
            };
            if json {
                documented(&shown(&all));
            }
            for number in attributes() {
                let is_shown = shown(&all) != shown(&all.without(number));
                // The address shows the family; only one of the two addresses is there.
                let silent = [Endpoint::FAMILY, Endpoint::ADDR4].contains(&number);
                assert_eq!(is_shown, !silent, "{:?}", Endpoint::name_of(number));
            }
        }
    }
}
