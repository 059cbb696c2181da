//! Lines of a batch, state files, and the plans that are made of them.
//!
//! The text is any bytes; interfaces, addresses and present endpoints are
//! drawn from the same bytes. What a line is taken for is printed as a line
//! that is taken for the same, and planning ends with steps that name no id
//! twice.

use std::net::IpAddr;

use ip_mptcp::grammar::batch::Line;
use ip_mptcp::grammar::state::{parse, put_limits, Declared, File};
use ip_mptcp::iproute2::{self, Caller};
use ip_mptcp::plan::{expand, limits_step, steps, Action, Address, Entry, Ids, Link, Others, Seen};
use mptcp_codec::mptcp::{EndpointFlags, Limits};

/// All of it is text, and its bytes are the numbers of the rest.
pub fn run(data: &[u8]) {
    words(data);
    let mut file = File::default();
    let mistakes = parse(data, &mut file);
    let mut last = 0;
    for mistake in &mistakes {
        assert!(mistake.line > last, "mistakes come by line");
        last = mistake.line;
        let said = mistake.error.report_at(false, "f", mistake.line);
        assert!(said.ends_with(b"\n"));
        let json = mistake.error.report_at(true, "f", mistake.line);
        assert!(std::str::from_utf8(&json).is_ok_and(|json| json.starts_with("{\"error\":")));
    }
    for declared in &file.endpoints {
        let mut text = Vec::new();
        declared.print(&mut text);
        let again = accepted(&text);
        let same = [Declared {
            line: 1,
            ..declared.clone()
        }];
        assert_eq!(
            again.endpoints,
            same,
            "{:?}",
            String::from_utf8_lossy(&text)
        );
    }
    if mistakes.is_empty() {
        whole(&file);
    }
    plan(&file, data);
}

/// Each line of a batch, as far as the command that it names.
fn words(data: &[u8]) {
    let mut line = Line::default();
    let mut rest = data;
    while !rest.is_empty() {
        let more;
        (rest, more) = line.take(rest);
        if more {
            continue;
        }
        if let Ok(words) = line.words() {
            let mut caller = Caller::new("ip-mptcp");
            let _ = iproute2::line(&mut caller, &words, &mut Vec::new());
        }
        line.clear();
    }
    line.end_of_file();
    assert!(line.words().is_err());
}

fn accepted(text: &[u8]) -> File {
    let mut file = File::default();
    let mistakes = parse(text, &mut file);
    assert!(
        mistakes.is_empty(),
        "{:?}: {mistakes:?}",
        String::from_utf8_lossy(text)
    );
    file
}

/// A file without mistakes, printed, is the same file.
fn whole(file: &File) {
    let mut text = Vec::new();
    put_limits(&mut text, &file.limits);
    text.push(b'\n');
    for declared in &file.endpoints {
        declared.print(&mut text);
        text.push(b'\n');
    }
    let again = accepted(&text);
    assert_eq!(again.limits, file.limits);
    assert_eq!(again.endpoints.len(), file.endpoints.len());
    for (one, other) in again.endpoints.iter().zip(&file.endpoints) {
        assert_eq!((&one.said, &one.dev), (&other.said, &other.dev));
    }
}

fn plan(file: &File, data: &[u8]) {
    let mut bytes = data.iter().rev().copied().cycle().take(4096);
    let mut byte = || bytes.next().unwrap_or(0);
    let mut seen = Seen::default();
    for index in 0..u32::from(byte() % 4) {
        seen.links.push(Link {
            index,
            usable: byte() & 1 == 0,
        });
    }
    for _ in 0..byte() % 8 {
        seen.addresses.push(Address {
            index: u32::from(byte() % 4),
            address: IpAddr::from([10, 0, 0, byte() % 8]),
            source: byte() & 3 != 0,
        });
    }
    for _ in &file.endpoints {
        seen.indexes.push(u32::from(byte() % 4));
    }
    let mut present: Vec<Entry> = Vec::new();
    let mut ids = Ids::default();
    for _ in 0..byte() % 12 {
        let entry = Entry {
            address: IpAddr::from([10, 0, 0, byte() % 8]),
            port: 0,
            id: byte().max(1),
            flags: EndpointFlags(u32::from(byte())),
            index: u32::from(byte() % 4),
        };
        if !ids.has(entry.id) && !present.iter().any(|there| there.clashes(&entry)) {
            ids.add(entry.id);
            present.push(entry);
        }
    }
    let limits = Limits::EMPTY.with_subflows(u32::from(byte()));
    limits_step(file, &limits, &mut Vec::new());
    for follow in [false, true] {
        let wish = expand(file, &seen, &present, follow, &mut Vec::new());
        assert!(wish.wanted.len() <= 255 + file.endpoints.len());
        for others in [Others::Go, Others::StayBut(&present), Others::GiveWay] {
            let mut taken = Vec::new();
            if steps(&wish, &present, others, &mut taken).is_err() {
                continue;
            }
            let mut added = Ids::default();
            for step in &taken {
                let _ = step.command(b"dev");
                if step.action == Action::Add {
                    let entry = &step.entry;
                    assert!(entry.id == 0 || !added.has(entry.id), "{taken:?}");
                    added.add(entry.id);
                }
            }
        }
    }
}
