//! Lines of a batch, state files, and the plans that are made of them.
//!
//! The text is any bytes; interfaces, addresses and present endpoints are
//! drawn from the same bytes. What a line is taken for is printed as a line
//! that is taken for the same, and planning ends with steps that name no id
//! twice.

use ip_mptcp::command::COMMANDS;
use ip_mptcp::grammar::batch::Line;
use ip_mptcp::iproute2::{self, Caller};
use ip_mptcp::state::endpoint::{clashes, id_of};
use ip_mptcp::state::file::{parse, put_limits, put_setting, Declared, File};
use ip_mptcp::state::plan::{remember, Action, Ids, Others, Plan, Step};
use ip_mptcp::Text;
use ip_mptcp::{key, LinkEvent};
use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

/// All of it is text, and its bytes are the numbers of the rest.
pub fn run(data: &[u8]) {
    words(data);
    let mut file = File::default();
    let mut last = 0;
    parse(&mut data.to_vec(), COMMANDS, &mut file, &mut |error| {
        assert!(error.line() > last, "mistakes come by line");
        last = error.line();
        let mut said = Text::default();
        error.report_at(false, "f", &mut said);
        assert!(said.as_bytes().ends_with(b"\n"));
        let mut json = Text::default();
        error.report_at(true, "f", &mut json);
        let json = std::str::from_utf8(json.as_bytes());
        assert!(json.is_ok_and(|json| json.starts_with("{\"error\":")));
    });
    for declared in &file.endpoints {
        let mut text = Text::default();
        text.bytes(b"endpoint add");
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
    let mut text = data.to_vec();
    let mut rest = text.as_mut_slice();
    while !rest.is_empty() {
        let mut line = Line::default();
        let len = line.take_all(rest, &mut 0);
        let _ = line.run(rest, &mut |words| {
            let mut caller = Caller::new("ip-mptcp", COMMANDS);
            iproute2::line(&mut caller, words).map(|_| 0)
        });
        rest = &mut rest[len..];
    }
    let mut line = Line::default();
    line.end_of_file();
    assert!(line.run(&[], &mut |_| Ok(0)).is_err());
}

fn accepted(text: &[u8]) -> File {
    let mut file = File::default();
    parse(&mut text.to_vec(), COMMANDS, &mut file, &mut |error| {
        let text = String::from_utf8_lossy(text);
        panic!("{text:?}: {error:?}")
    });
    file
}

/// A file without mistakes, printed, is the same file.
fn whole(file: &File) {
    let mut text = Text::default();
    if file.limits != Limits::EMPTY || file.most != 0 {
        put_limits(&mut text, &file.limits, file.most);
        text.byte(b'\n');
    }
    let end = |text: &mut Text| text.byte(b'\n');
    for declared in &file.endpoints {
        text.bytes(b"endpoint add");
        declared.print(&mut text);
        end(&mut text);
    }
    for ignored in &file.ignored {
        text.bytes(b"ignore");
        ignored.print(&mut text);
        end(&mut text);
    }
    for setting in &file.settings {
        put_setting(&mut text, setting.name.as_bytes(), setting.value.as_bytes());
        end(&mut text);
    }
    let again = accepted(text.as_bytes());
    assert_eq!((again.limits, again.most), (file.limits, file.most));
    let mut lines = file.clone();
    for (one, other) in lines.endpoints.iter_mut().zip(&again.endpoints) {
        one.line = other.line;
    }
    for (one, other) in lines.ignored.iter_mut().zip(&again.ignored) {
        one.line = other.line;
    }
    for (one, other) in lines.settings.iter_mut().zip(&again.settings) {
        one.line = other.line;
    }
    assert_eq!(again.endpoints, lines.endpoints);
    assert_eq!(again.ignored, lines.ignored);
    assert_eq!(again.settings, lines.settings);
}

fn plan(file: &mut File, data: &[u8]) {
    let mut bytes = data.iter().rev().copied().cycle().take(4096);
    let mut byte = || bytes.next().unwrap_or(0);
    let mut plan = Plan::default();
    for index in 0..u32::from(byte() % 4) {
        plan.seen.push(LinkEvent {
            index,
            address: 0,
            present: true,
            up: true,
            usable: byte() & 1 == 0,
            permanent: false,
        });
    }
    for _ in 0..byte() % 8 {
        plan.seen.push(LinkEvent {
            index: u32::from(byte() % 4),
            address: key([10, 0, 0, byte() % 8].into()),
            present: byte() & 7 != 0,
            up: false,
            usable: byte() & 3 != 0,
            permanent: byte() & 1 == 0,
        });
    }
    let found = file.each_dev(&mut |_, indexes| {
        for index in 0..4 {
            if byte() & 1 == 0 {
                indexes.push(index);
            }
        }
        Ok(())
    });
    assert!(found.is_ok());
    let mut ids = Ids::default();
    for _ in 0..byte() % 12 {
        let id = byte().max(1);
        let endpoint = Endpoint::new([10, 0, 0, byte() % 8])
            .with_id(id)
            .with_flags(EndpointFlags(u32::from(byte())))
            .with_if_idx(u32::from(byte() % 4));
        let clash = |there: &Endpoint| clashes(there, &endpoint);
        if !ids.has(id, !0) && !plan.present.iter().any(clash) {
            ids.mark(id, !0);
            plan.present.push(endpoint);
        }
    }
    for there in &plan.present {
        let mut own = Step::new(Action::Delete, there);
        own.subflows.again = byte() & 7 == 0;
        let again = own.subflows.again;
        plan.own.push(own);
        if again {
            remember(&mut plan.had, there);
        }
    }
    plan.keeps_flags = byte() & 1 == 0;
    plan.limits = plan.limits.with_subflows(u32::from(byte()));
    plan.compare_limits(file, u32::from(byte()));
    if byte() & 1 == 0 {
        plan.busy.push(key([10, 0, 0, byte() % 8].into()));
        plan.surveyed = true;
    }
    plan.numbered = byte() & 1 == 0;
    for follow in [false, true] {
        for others in [Others::Go, Others::StayBut(file), Others::GiveWay] {
            plan.follows = follow;
            plan.expand(file);
            assert!(plan.wanted.len() <= 255 + file.endpoints.len());
            plan.steps.clear();
            if plan.compare(others).is_err() {
                assert!(!follow);
                continue;
            }
            let mut added = Ids::default();
            for step in &plan.steps {
                step.print(&mut Text::default(), &file.settings, b"dev");
                if step.action == Action::Add {
                    let id = id_of(&step.endpoint);
                    assert!(id == 0 || !added.has(id, !0), "{:?}", plan.steps);
                    added.mark(id, !0);
                }
            }
            plan.leave_out(usize::from(byte()));
        }
    }
}
