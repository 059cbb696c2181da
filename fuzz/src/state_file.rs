//! Lines of a batch, state files, and the plans that are made of them.
//!
//! The text is any bytes; interfaces, addresses and present endpoints are
//! drawn from the same bytes. What a line is taken for is printed as a line
//! that is taken for the same, and planning ends with steps that name no id
//! twice.

use std::net::IpAddr;

use ip_mptcp::command::COMMANDS;
use ip_mptcp::grammar::batch::Line;
use ip_mptcp::grammar::limits::LimitWords;
use ip_mptcp::iproute2::{self, Caller};
use ip_mptcp::kernel::LinkEvent;
use ip_mptcp::state::file::{parse, put_limits, Declared, File};
use ip_mptcp::state::plan::{Action, Entry, Ids, Others, Plan, Step};
use ip_mptcp::text::Text;
use mptcp_codec::mptcp::EndpointFlags;

/// All of it is text, and its bytes are the numbers of the rest.
pub fn run(data: &[u8]) {
    words(data);
    let mut file = File::default();
    let mut last = 0;
    parse(data, COMMANDS, &mut file, &mut |line, error| {
        assert!(line > last, "mistakes come by line");
        last = line;
        let mut said = Text::default();
        error.report_at(false, "f", line, &mut said);
        assert!(said.as_bytes().ends_with(b"\n"));
        let mut json = Text::default();
        error.report_at(true, "f", line, &mut json);
        let json = std::str::from_utf8(json.as_bytes());
        assert!(json.is_ok_and(|json| json.starts_with("{\"error\":")));
    });
    for declared in &file.endpoints {
        let mut text = Text::default();
        declared.print(&mut text);
        let text = text.into_bytes();
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
    if last == 0 {
        whole(&file);
    }
    plan(&mut file, data);
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
            let mut caller = Caller::new("ip-mptcp", COMMANDS);
            let _ = iproute2::line(&mut caller, &words);
        }
        line.clear();
    }
    line.end_of_file();
    assert!(line.words().is_err());
}

fn accepted(text: &[u8]) -> File {
    let mut file = File::default();
    parse(text, COMMANDS, &mut file, &mut |line, error| {
        let text = String::from_utf8_lossy(text);
        panic!("{text:?}: {line}: {error:?}")
    });
    file
}

/// A file without mistakes, printed, is the same file.
fn whole(file: &File) {
    let mut text = Text::default();
    if file.limits != LimitWords::default() {
        put_limits(&mut text, &file.limits);
        text.byte(b'\n');
    }
    for declared in &file.endpoints {
        declared.print(&mut text);
        text.byte(b'\n');
    }
    let again = accepted(text.as_bytes());
    assert_eq!(again.limits, file.limits);
    assert_eq!(again.endpoints.len(), file.endpoints.len());
    for (one, other) in again.endpoints.iter().zip(&file.endpoints) {
        assert_eq!((&one.entry, &one.dev), (&other.entry, &other.dev));
    }
}

fn plan(file: &mut File, data: &[u8]) {
    let mut bytes = data.iter().rev().copied().cycle().take(4096);
    let mut byte = || bytes.next().unwrap_or(0);
    let mut plan = Plan::default();
    for index in 0..u32::from(byte() % 4) {
        plan.seen.push(LinkEvent {
            index,
            address: None,
            present: true,
            up: true,
            usable: byte() & 1 == 0,
        });
    }
    for _ in 0..byte() % 8 {
        plan.seen.push(LinkEvent {
            index: u32::from(byte() % 4),
            address: Some(IpAddr::from([10, 0, 0, byte() % 8])),
            present: byte() & 7 != 0,
            up: false,
            usable: byte() & 3 != 0,
        });
    }
    for declared in &mut file.endpoints {
        declared.entry.index = u32::from(byte() % 4);
    }
    let mut ids = Ids::default();
    for _ in 0..byte() % 12 {
        let entry = Entry {
            address: IpAddr::from([10, 0, 0, byte() % 8]),
            port: 0,
            id: byte().max(1),
            flags: EndpointFlags(u32::from(byte())),
            index: u32::from(byte() % 4),
        };
        if !ids.has(entry.id, !0) && !plan.present.iter().any(|there| there.clashes(&entry)) {
            ids.mark(entry.id, !0);
            plan.present.push(entry);
        }
    }
    let gone: Vec<Step> = plan
        .present
        .iter()
        .map(|there| Step::new(Action::Delete, there))
        .collect();
    plan.limits.subflows = Some(u32::from(byte()));
    plan.compare_limits(file);
    for follow in [false, true] {
        for others in [Others::Go, Others::StayBut(&gone), Others::GiveWay] {
            plan.expand(file, follow);
            assert!(plan.wanted.len() <= 255 + file.endpoints.len());
            plan.steps.clear();
            if plan.compare(others).is_err() {
                continue;
            }
            let mut added = Ids::default();
            for step in &plan.steps {
                step.print(&mut Text::default(), b"dev");
                if step.action == Action::Add {
                    let entry = &step.entry;
                    assert!(
                        entry.id == 0 || !added.has(entry.id, !0),
                        "{:?}",
                        plan.steps
                    );
                    added.mark(entry.id, !0);
                }
            }
        }
    }
}
