//! A row for machines: a JSON object, or the same as words on a line.

use super::layout::{a_second, end_text, share, News, View};
use super::rates::{By, Row};
use crate::kernel::Names;
use crate::output::Output;
use crate::text::{pieces, Text};

/// The names of the numbers of a row, in the order of [`print`].
const NUMBERS: &str = "connections opened ended unseen_subflows endpoint local_port remote_port \
    share_percent received_bytes_per_second sent_bytes_per_second received_bytes sent_bytes \
    retransmits retransmits_per_second subflows backup_subflows fallback_subflows";

/// Prints a row. `now` is in seconds and microseconds.
pub fn print(view: &View, row: &Row, now: (u64, u32), names: &mut Names, out: &mut Output) {
    out.begin_record("");
    decimal(out, "time", now.0, now.1 / 1000, 3);
    let elapsed = view.elapsed;
    let milliseconds = (elapsed % 1000) as u32;
    decimal(out, "interval_seconds", elapsed / 1000, milliseconds, 3);
    let mut text = Text::default();
    if view.by != By::Path {
        text.bytes(b"0x");
        text.hexadecimal(row.of.token.into(), 1);
        out.named_string("token", text.as_bytes());
        text.clear();
    }
    out.named_string("dev", names.known(row.of.interface));
    let subflow = view.by == By::Subflow;
    for (at, name) in ["local_address", "remote_address"].iter().enumerate() {
        if at == 0 || subflow {
            text.clear();
            end_text(row, at, false, &mut text);
            out.named_string(name, text.as_bytes());
        }
    }
    out.named_string("state", row.state.name());
    // Of what is not known or does not belong here.
    const NONE: u64 = News::NONE;
    let ports = row
        .of
        .ports
        .map(|port| if subflow { port.into() } else { NONE });
    let added = row.of.added;
    let values = [
        view.table.total.connections,
        view.news.opened,
        view.news.ended,
        view.news.unseen,
        match row.of.endpoint {
            0 => NONE,
            id => id.into(),
        },
        ports[0],
        ports[1],
        share(added.bytes(), view.table.total.added.bytes()),
        a_second(added.received, elapsed),
        a_second(added.sent, elapsed),
        added.received,
        added.sent,
        added.retransmits,
        a_second(added.retransmits, elapsed),
        row.subflows.into(),
        row.backups.into(),
        row.fallbacks.into(),
    ];
    for (name, value) in pieces(NUMBERS).zip(&values) {
        if *value != NONE {
            out.named_number(name, *value);
        }
    }
    for (name, time) in &[
        ("rtt_seconds", row.of.rtt),
        ("rtt_worst_seconds", row.worst),
    ] {
        let time = *time;
        if time > 0 {
            decimal(out, name, (time / 1_000_000).into(), time % 1_000_000, 6);
        }
    }
    if out.style.json {
        out.end_object();
    } else {
        out.byte(b'\n');
    }
}

/// A number with decimals.
fn decimal(out: &mut Output, name: &str, whole: u64, part: u32, digits: usize) {
    if out.style.json {
        out.key(name);
    } else {
        out.text(name);
        out.byte(b' ');
    }
    out.number(whole);
    out.byte(b'.');
    out.digits(part.into(), digits);
    if !out.style.json {
        out.byte(b' ');
    }
}
