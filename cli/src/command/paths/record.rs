//! A row for programs: a JSON object, or the same as words on a line.

use super::layout::View;
use super::rates::{By, Row, NAMES, NONE};
use crate::kernel::connections::put_end;
use crate::kernel::Names;
use crate::output::Output;
use crate::text::{pieces, Text};

/// Prints a row; `now` is in milliseconds.
#[inline(never)]
pub fn print(view: &View, row: &Row, now: u64, names: &mut Names, out: &mut Output) {
    out.begin_record("");
    decimal(out, "time", now, 3);
    decimal(out, "interval_seconds", view.elapsed, 3);
    let mut text = Text::default();
    if view.by != By::Path {
        text.bytes(b"0x");
        text.hexadecimal(row.token.into(), 1);
        out.named_string("token", text.as_bytes());
    }
    out.named_string("dev", names.known(row.interface));
    for (side, name) in ["local_address", "remote_address"].iter().enumerate() {
        if side == 0 || view.by == By::Subflow {
            text.clear();
            put_end(&row.end(side), false, &mut text);
            out.named_string(name, text.as_bytes());
        }
    }
    out.named_string("state", row.state.name());
    out.named_number("connections", view.table.connections);
    numbers(out, "opened ended unseen_subflows", &view.news);
    numbers(out, NAMES, &row.numbers);
    // If 0, it is not measured yet.
    if row.rtt > 0 {
        decimal(out, "rtt_seconds", row.rtt.into(), 6);
        decimal(out, "rtt_worst_seconds", row.worst.into(), 6);
    }
    out.end_group();
    out.title("\n");
}

/// Those of the numbers that are known.
fn numbers(out: &mut Output, names: &str, numbers: &[u64]) {
    for (name, number) in pieces(names).zip(numbers) {
        if *number != NONE {
            out.named_number(name, *number);
        }
    }
}

/// A number with decimals.
fn decimal(out: &mut Output, name: &str, value: u64, places: u32) {
    out.begin_field(name);
    out.buffer().decimal(value, places);
    out.end_field();
}
