//! A path as a JSON object, or as one line of words.

use super::layout::{a_second, end_text, share, View};
use super::rates::{By, Row};
use crate::output::Output;
use crate::text::Text;

/// Prints a row as an object.
pub fn json(
    view: &View,
    row: &Row,
    now: (u64, u32),
    name: &mut dyn FnMut(u32, &mut Text),
    out: &mut Output,
) {
    let mut text = Text::default();
    let all = view.total.sent.saturating_add(view.total.received);
    out.begin_object("");
    out.key("time");
    seconds(out, now.0, now.1 / 1000, 3);
    out.begin_object("interval");
    out.key("seconds");
    seconds(out, view.elapsed / 1000, (view.elapsed % 1000) as u32, 3);
    out.json_number("connections", view.total.connections);
    for (name, count) in [("opened", view.news.opened), ("ended", view.news.ended)] {
        if let Some(count) = count {
            out.json_number(name, count);
        }
    }
    out.json_number("unseen_subflows", view.news.unseen);
    out.end_object();
    if view.by != By::Path {
        out.json_hexadecimal("token", row.token.into());
    }
    text.clear();
    name(row.interface, &mut text);
    out.json_string("dev", text.as_bytes());
    out.json_address("local_address", row.ends[0].address().as_ref());
    if view.by == By::Subflow {
        out.json_number("local_port", row.ends[0].port.into());
        out.json_address("remote_address", row.ends[1].address().as_ref());
        out.json_number("remote_port", row.ends[1].port.into());
    }
    if row.endpoint > 0 {
        out.json_number("endpoint", row.endpoint.into());
    }
    out.json_string("state", row.state.name().as_bytes());
    out.json_number("share_percent", share(row.bytes(), all));
    let rate = |amount| a_second(amount, view.elapsed);
    out.json_number("received_bytes_per_second", rate(row.received));
    out.json_number("sent_bytes_per_second", rate(row.sent));
    out.json_number("received_bytes", row.received);
    out.json_number("sent_bytes", row.sent);
    out.json_number("retransmits", row.retransmits);
    out.json_number("retransmits_per_second", rate(row.retransmits));
    out.json_number("subflows", row.subflows.into());
    out.json_number("backup_subflows", row.backups.into());
    out.json_number("fallback_subflows", row.fallbacks.into());
    for (name, time) in [("rtt_seconds", row.rtt), ("rtt_worst_seconds", row.worst)] {
        if time > 0 {
            out.key(name);
            seconds(out, u64::from(time) / 1_000_000, time % 1_000_000, 6);
        }
    }
    out.end_object();
}

fn seconds(out: &mut Output, whole: u64, part: u32, digits: usize) {
    out.number(whole);
    out.byte(b'.');
    out.digits(part.into(), digits);
}

/// Prints a row as a line.
pub fn line(view: &View, row: &Row, name: &mut dyn FnMut(u32, &mut Text), out: &mut Output) {
    let mut text = Text::default();
    let all = view.total.sent.saturating_add(view.total.received);
    text.clear();
    name(row.interface, &mut text);
    if view.by != By::Path {
        out.text("token ");
        out.hexadecimal(row.token.into(), 8);
        out.byte(b' ');
    }
    out.named_string("dev", text.as_bytes());
    ends(view, row, &mut text, out);
    if row.endpoint > 0 {
        out.named_number("endpoint", row.endpoint.into());
    }
    out.named_string("state", row.state.name().as_bytes());
    out.named_number("share", share(row.bytes(), all));
    for (name, amount) in [("in", row.received), ("out", row.sent)] {
        out.text(name);
        out.byte(b' ');
        out.amount(a_second(amount, view.elapsed));
        out.byte(b' ');
    }
    for (name, time) in [("rtt", row.rtt), ("worst", row.worst)] {
        if time > 0 {
            out.text(name);
            out.byte(b' ');
            // Milliseconds.
            seconds(out, u64::from(time) / 1000, time % 1000, 3);
            out.byte(b' ');
        }
    }
    out.named_number("retransmits", a_second(row.retransmits, view.elapsed));
    out.named_number("subflows", row.subflows.into());
    out.byte(b'\n');
}

fn ends(view: &View, row: &Row, text: &mut Text, out: &mut Output) {
    for (at, name) in ["local", "remote"].into_iter().enumerate() {
        let port = view.by == By::Subflow;
        if at == 0 || port {
            text.clear();
            end_text(row, at, port, text);
            out.named_string(name, text.as_bytes());
        }
    }
}
