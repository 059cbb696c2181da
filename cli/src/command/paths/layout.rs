//! Rows as lines of text, for a terminal of any size or for a pipe. Pure functions.

use mptcp_codec::inet::AF_INET6;

use super::rates::{
    By, Row, Rows, State, ENDPOINT, FALLBACKS, NONE, RATES, RETRANSMITS, RETRANSMIT_RATE, SHARE,
    SUBFLOWS,
};
use crate::kernel::connections::put_end;
use crate::kernel::Names;
use crate::output::{Colour, Palette, Units};
use crate::text::{self, nth, pieces, take, Text};

/// The order of rows.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By what they carry, most first.
    Rate,
    /// By round-trip time, longest first.
    Rtt,
    /// By retransmissions, most first.
    Retransmits,
    /// By interface.
    Path,
}

impl Sort {
    /// The word for it.
    fn name(self) -> &'static [u8] {
        nth(b"rate rtt retransmits path", b' ', self as usize)
    }

    /// The one that the key changes to.
    pub fn next(self) -> Self {
        match self {
            Self::Rate => Self::Rtt,
            Self::Rtt => Self::Retransmits,
            Self::Retransmits => Self::Path,
            Self::Path => Self::Rate,
        }
    }

    /// What rows are ordered by, ascending.
    fn key(self, row: &Row) -> u64 {
        match self {
            Self::Rate => !row.bytes(),
            Self::Rtt => !u64::from(row.rtt),
            Self::Retransmits => !row.numbers[RETRANSMITS],
            Self::Path => row.interface.into(),
        }
    }
}

impl By {
    /// The word for it.
    pub fn name(self) -> &'static [u8] {
        nth(b"path connection subflow", b' ', self as usize)
    }

    /// The one that the key changes to.
    pub fn next(self) -> Self {
        match self {
            Self::Path => Self::Connection,
            Self::Connection => Self::Subflow,
            Self::Subflow => Self::Path,
        }
    }
}

/// What is drawn. Frequently used fields come first.
#[derive(Debug)]
#[repr(C)]
pub struct View {
    /// What the rows stand for.
    pub by: By,
    /// The order in which they are shown.
    pub sort: Sort,
    /// The units of amounts.
    pub units: Units,
    /// Colours, where wanted.
    pub palette: Option<Palette>,
    /// It is drawn on a screen, over the former content.
    pub screen: bool,
    /// Keys can be used.
    pub keys: bool,
    /// The display is paused.
    pub paused: bool,
    /// Milliseconds since the previous look; 0 for the first one.
    pub elapsed: u64,
    /// Changes since the previous look: connections that were opened, and that ended;
    /// subflows that came and went between the two looks, so that it is not known what they
    /// carried. [`NONE`] if unknown.
    pub news: [u64; 3],
    /// All rows.
    pub table: Rows,
}

impl View {
    /// Orders rows. Those of a connection stay together. Ties are broken by interface, then
    /// by the order of `rows`, which does not change from one look to the next.
    #[inline(never)]
    pub fn sort(&mut self) {
        let Rows { rows, order, .. } = &mut self.table;
        let by_connection = self.by == By::Connection;
        order.clear();
        for (at, row) in rows.iter().enumerate() {
            let key = match by_connection {
                true => row.token.into(),
                false => self.sort.key(row),
            };
            order.push(u128::from(key) << 64 | u128::from(row.interface) << 32 | at as u128);
        }
        order.sort_unstable();
        if !by_connection {
            return;
        }
        // They are grouped; a group is ordered by its best row.
        let mut start = 0;
        while let Some(first) = order.get(start) {
            let token = first >> 64;
            let mut best = u64::MAX;
            let mut end = start;
            while let Some(entry) = order.get(end).filter(|entry| **entry >> 64 == token) {
                let row = rows.get(*entry as u32 as usize);
                best = best.min(row.map_or(best, |row| self.sort.key(row)));
                end += 1;
            }
            for entry in order.get_mut(start..end).unwrap_or_default() {
                let at = *entry as u32;
                // The place of a group keeps it together and in order.
                *entry = u128::from(best) << 64 | (start as u128) << 32 | u128::from(at);
                start += 1;
            }
        }
        order.sort_unstable();
    }

    /// The row at this place in the order.
    pub fn row(&self, at: usize) -> Option<&Row> {
        let place = *self.table.order.get(at)? as u32;
        self.table.rows.get(place as usize)
    }
}

/// A column, in the order of display.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Column {
    Device,
    Address,
    Endpoint,
    State,
    Share,
    Received,
    Sent,
    Rtt,
    Worst,
    Retransmits,
    Subflows,
    Bar,
}

const COUNT: usize = 12;

/// In place of a number, for columns without one.
const NO_NUMBER: u8 = u8::MAX;

/// All columns, with their minimum widths and the places of their numbers.
static COLUMNS: [(Column, u8, u8); COUNT] = [
    (Column::Device, 3, NO_NUMBER),
    (Column::Address, 7, NO_NUMBER),
    (Column::Endpoint, 3, ENDPOINT as u8),
    (Column::State, 6, NO_NUMBER),
    (Column::Share, 5, SHARE as u8),
    (Column::Received, 6, RATES as u8),
    (Column::Sent, 6, RATES as u8 + 1),
    (Column::Rtt, 5, NO_NUMBER),
    (Column::Worst, 5, NO_NUMBER),
    (Column::Retransmits, 5, RETRANSMIT_RATE as u8),
    (Column::Subflows, 3, SUBFLOWS as u8),
    (Column::Bar, 5, SHARE as u8),
];

/// Their titles; the bar has none.
const TITLES: &[u8] = b"DEV ADDRESS ID STATE SHARE IN/s OUT/s RTTms MAXms RTX/s SUB";

/// The columns by importance, if there is no room for all.
static FIRST_OF_ALL: [Column; COUNT] = [
    Column::Device,
    Column::State,
    Column::Sent,
    Column::Received,
    Column::Share,
    Column::Rtt,
    Column::Bar,
    Column::Subflows,
    Column::Retransmits,
    Column::Address,
    Column::Worst,
    Column::Endpoint,
];

/// The same for subflows: on one path, only the peer distinguishes them.
static FIRST_OF_SUBFLOWS: [Column; COUNT] = [
    Column::Device,
    Column::State,
    Column::Sent,
    Column::Received,
    Column::Share,
    Column::Rtt,
    Column::Address,
    Column::Retransmits,
    Column::Endpoint,
    Column::Bar,
    Column::Worst,
    Column::Subflows,
];

const LONG_BAR: usize = 40;
/// In a pipe.
const BAR: usize = 10;

/// What the first line says about all rows together.
const SUMMARY: &str = "in out unseen connections subflows fallback opened ended";

/// Draws at most `height` lines of at most `width` columns, each with its newline; 0 means no
/// limit. `names` are those of interfaces.
#[inline(never)]
pub fn draw(view: &View, width: usize, height: usize, names: &mut Names, out: &mut Text) {
    let unlimited = |limit| if limit == 0 { usize::MAX } else { limit };
    let height = unlimited(height);
    let keys = view.keys && height > 4;
    let room = height.saturating_sub(2 + usize::from(keys));
    let shown = fitting(view, room);
    let mut page = Page {
        view,
        names,
        line: Line {
            out,
            column: 0,
            width: unlimited(width),
            screen: view.screen,
        },
        cell: Text::default(),
        widths: [0; COUNT],
    };
    if view.screen {
        page.line.out.bytes(b"\x1b[H");
    }
    page.summary();
    page.measure(shown);
    if height > 1 {
        page.row(None);
    }
    let mut token = None;
    for at in 0..shown {
        let Some(row) = view.row(at) else { break };
        if view.by == By::Connection && token != Some(row.token) {
            token = Some(row.token);
            page.connection(row);
        }
        page.row(Some(row));
    }
    let more = view.table.rows.len() - shown;
    if more > 0 && room > 0 {
        page.line.put(b"... ");
        page.line.put(text::number(more as u64).as_bytes());
        page.line.put(b" more");
        page.line.end();
    }
    if keys {
        page.keys();
    }
    if view.screen {
        // No newline after the last line, which would scroll; the rest is cleared.
        out.truncate(out.len() - 2);
        out.bytes(b"\x1b[J");
    }
}

/// How many rows fit into this many lines, with a line that says how many more there are.
fn fitting(view: &View, room: usize) -> usize {
    let (mut lines, mut shown) = (0, 0);
    let mut token = None;
    let count = view.table.rows.len();
    for at in 0..count {
        let Some(row) = view.row(at) else { break };
        lines += 1;
        if view.by == By::Connection && token != Some(row.token) {
            token = Some(row.token);
            lines += 1;
        }
        if lines > room {
            return shown;
        }
        if lines < room {
            shown = at + 1;
        }
    }
    count
}

/// A line that ends at the right edge.
struct Line<'l> {
    out: &'l mut Text,
    column: usize,
    width: usize,
    screen: bool,
}

impl Line<'_> {
    /// Writes text, as far as it fits. What is not printable becomes `?`: a name must not
    /// control the terminal.
    fn put(&mut self, text: &[u8]) {
        for byte in text {
            if self.column >= self.width {
                return;
            }
            self.column += 1;
            self.out.byte(match byte {
                b' '..=b'~' => *byte,
                _ => b'?',
            });
        }
    }

    fn blanks(&mut self, count: usize) {
        for _ in 0..count {
            self.put(b" ");
        }
    }

    /// Ends a line. On a screen, nothing is cleared before it is overwritten, to avoid flicker.
    fn end(&mut self) {
        self.out.bytes(match self.screen {
            true => b"\x1b[K\r\n",
            false => b"\n",
        });
        self.column = 0;
    }

    /// Writes a name and a value if both fit.
    fn piece(&mut self, name: &[u8], value: &[u8]) {
        let blank = usize::from(self.column > 0) * 2;
        if self.column + blank + name.len() + 1 + value.len() <= self.width {
            self.blanks(blank);
            self.put(name);
            self.put(b" ");
            self.put(value);
        }
    }
}

/// All lines, those of rows in columns.
struct Page<'p> {
    view: &'p View,
    names: &'p mut Names,
    line: Line<'p>,
    cell: Text,
    /// 0 for a column that is not shown.
    widths: [usize; COUNT],
}

impl Page<'_> {
    /// The first line: totals.
    #[inline(never)]
    fn summary(&mut self) {
        let view = self.view;
        let [opened, ended, unseen] = view.news;
        let of = &view.table.total.numbers;
        let some = |count| if count > 0 { count } else { NONE };
        let numbers = [
            of[RATES],
            of[RATES + 1],
            some(unseen),
            view.table.connections,
            of[SUBFLOWS],
            some(of[FALLBACKS]),
            opened,
            ended,
        ];
        if view.paused {
            self.line.put(b"PAUSED");
        }
        for (at, (name, number)) in pieces(SUMMARY).zip(numbers).enumerate() {
            if number == NONE {
                continue;
            }
            let text = &mut self.cell;
            text.clear();
            if at < 2 {
                text.amount(number, view.units);
                text.bytes(b"B/s");
            } else {
                text.number(number);
            }
            self.line.piece(name.as_bytes(), text.as_bytes());
        }
        self.line.end();
    }

    /// The line above the paths of a connection.
    fn connection(&mut self, row: &Row) {
        let text = &mut self.cell;
        text.clear();
        text.bytes(b"token ");
        text.hexadecimal(row.token.into(), 8);
        text.bytes(b" to ");
        put_end(&row.end(1), true, text);
        self.line.put(text.as_bytes());
        self.line.end();
    }

    /// The last line: help about keys.
    fn keys(&mut self) {
        let view = self.view;
        self.line.piece(b"q", b"quit");
        self.line
            .piece(b"space", if view.paused { b"go on" } else { b"pause" });
        self.line.piece(b"s sort:", view.sort.name());
        self.line.piece(b"b by:", view.by.name());
        self.line.end();
    }

    /// Chooses as many columns as fit, as wide as this many rows need.
    #[inline(never)]
    fn measure(&mut self, shown: usize) {
        let view = self.view;
        let mut wanted = COLUMNS.map(|(_, least, _)| usize::from(least));
        for at in 0..shown {
            let Some(row) = view.row(at) else { break };
            for (place, wanted) in wanted.iter_mut().enumerate() {
                self.fill(place, row, 0);
                *wanted = self.cell.len().max(*wanted);
            }
        }
        let mut room = self.line.width;
        let columns = match view.by {
            By::Subflow => &FIRST_OF_SUBFLOWS,
            _ => &FIRST_OF_ALL,
        };
        for column in columns {
            let at = *column as usize;
            let (Some(wanted), Some(place)) = (wanted.get(at), self.widths.get_mut(at)) else {
                continue;
            };
            // A blank separates columns.
            let blank = usize::from(room < self.line.width);
            match room.checked_sub(wanted + blank) {
                Some(left) => {
                    *place = *wanted;
                    room = left;
                }
                // A long name is cut rather than left out.
                None if *column == Column::Device => {
                    *place = room;
                    room = 0;
                }
                None => {}
            }
        }
        if let Some(bar) = self.widths.last_mut().filter(|bar| **bar > 0) {
            *bar = match self.line.width {
                usize::MAX => BAR,
                _ => (*bar + room).min(LONG_BAR),
            };
        }
    }

    /// A row, or the titles.
    fn row(&mut self, row: Option<&Row>) {
        let view = self.view;
        let mut pad = 0;
        let mut titles = TITLES;
        for (place, (column, ..)) in COLUMNS.iter().enumerate() {
            let title = take(&mut titles, b' ');
            let width = self.widths.get(place).copied().unwrap_or(0);
            if width == 0 {
                continue;
            }
            let mut colour = None;
            match row {
                Some(row) => {
                    self.fill(place, row, width);
                    colour = match column {
                        Column::Device => Some(Colour::Interface),
                        Column::Address if u16::from(row.family) == AF_INET6 => Some(Colour::Ipv6),
                        Column::Address => Some(Colour::Ipv4),
                        Column::State if matches!(row.state, State::Stale | State::Down) => {
                            Some(Colour::Wrong)
                        }
                        _ => None,
                    };
                }
                None => {
                    self.cell.clear();
                    self.cell.bytes(match view.by {
                        By::Subflow if *column == Column::Address => b"PEER",
                        _ => title,
                    });
                }
            }
            self.cell.truncate(width);
            // The padding of the previous column, and a blank. None at the end.
            let mut before = pad + usize::from(self.line.column > 0);
            pad = width - self.cell.len();
            if !matches!(column, Column::Device | Column::Address | Column::State) {
                before += core::mem::take(&mut pad);
            }
            if self.cell.is_empty() {
                continue;
            }
            self.line.blanks(before);
            let colour = view.palette.zip(colour);
            if let Some((palette, colour)) = colour {
                self.line.out.bytes(palette.start(colour).as_bytes());
            }
            self.line.put(self.cell.as_bytes());
            if colour.is_some() {
                self.line.out.bytes(Palette::END.as_bytes());
            }
        }
        self.line.end();
    }

    /// The content of the column at this place.
    #[inline(never)]
    fn fill(&mut self, place: usize, row: &Row, width: usize) {
        let view = self.view;
        let cell = &mut self.cell;
        cell.clear();
        let Some((column, _, number)) = COLUMNS.get(place) else {
            return;
        };
        let number = row.numbers.get(usize::from(*number)).copied();
        let number = number.unwrap_or(NONE);
        let units = match column {
            Column::Device => return cell.bytes(self.names.known(row.interface)),
            Column::Address => {
                let by_subflow = view.by == By::Subflow;
                return put_end(&row.end(by_subflow.into()), by_subflow, cell);
            }
            Column::State
                if row.state != State::Active && row.state != State::Idle || view.elapsed > 0 =>
            {
                return cell.bytes(row.state.name());
            }
            Column::Rtt if row.rtt > 0 => return milliseconds(row.rtt, cell),
            Column::Worst if row.worst > 0 => return milliseconds(row.worst, cell),
            Column::Bar => {
                // Whatever carries anything is visible.
                let full = (number as usize * width + 50) / 100;
                let full = full.max(usize::from(row.bytes() > 0));
                for at in 0..width {
                    cell.byte(if at < full { b'#' } else { b'.' });
                }
                return;
            }
            // A little is not none.
            Column::Retransmits if number == 0 && row.numbers[RETRANSMITS] > 0 => {
                return cell.bytes(b"<1");
            }
            Column::Share if view.table.total.bytes() == 0 => return cell.byte(b'-'),
            Column::Received | Column::Sent => view.units,
            Column::Retransmits => Units::Decimal,
            _ => Units::Raw,
        };
        if number == NONE {
            return cell.byte(b'-');
        }
        cell.amount(number, units);
        if *column == Column::Share {
            cell.byte(b'%');
        }
    }
}

/// Milliseconds in five columns, with as many decimals as fit.
fn milliseconds(microseconds: u32, out: &mut Text) {
    let time = u64::from(microseconds);
    let (unit, digits) = match time {
        0..9_995 => (10, 2),
        9_995..999_950 => (100, 1),
        _ => (1000, 0),
    };
    out.decimal((time + unit / 2) / unit, digits);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::paths::rates::SENT;
    use mptcp_codec::inet::AF_INET;

    fn row(interface: u32, address: u128, family: u16) -> Row {
        let mut row = Row {
            addresses: [address, address + 100],
            ports: [5000; 2],
            family: family as u8,
            interface,
            token: interface / 3,
            ..Row::default()
        };
        row.numbers[SUBFLOWS] = 1;
        row.numbers[ENDPOINT] = match interface {
            1 => NONE,
            _ => u64::from(interface) - 1,
        };
        row.rtt = 12_345;
        row.worst = 1_234_567;
        row.state = State::Active;
        row
    }

    fn paths(count: u32) -> Vec<Row> {
        let mut rows: Vec<Row> = (1..=count)
            .map(|at| row(at, 0xffff_0a00_0000 + u128::from(at), AF_INET))
            .collect();
        for row in &mut rows {
            row.numbers[SENT] = 1000 * u64::from(row.interface);
        }
        rows
    }

    fn view(rows: &[Row]) -> View {
        let mut total = Row::default();
        total.numbers[SENT] = rows.iter().map(|row| row.numbers[SENT]).sum();
        total.numbers[SUBFLOWS] = rows.len() as u64;
        let mut view = View {
            table: Rows {
                rows: rows.to_vec(),
                // In their own order.
                order: (0..rows.len() as u128).collect(),
                total,
                connections: 1,
                ..Rows::default()
            },
            by: By::Path,
            sort: Sort::Rate,
            news: [1, 0, 0],
            elapsed: 1000,
            units: Units::Decimal,
            palette: None,
            screen: false,
            keys: true,
            paused: false,
        };
        view.table.finish(view.elapsed);
        view
    }

    fn drawn(view: &View, width: usize, height: usize) -> Vec<String> {
        let mut names = Names::default();
        for index in 0..=100 {
            names.add(index, format!("eth{index}").as_bytes());
        }
        let mut out = Text::default();
        draw(view, width, height, &mut names, &mut out);
        let text = String::from_utf8(out.into_bytes()).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_pipe_gets_every_column() {
        let rows = paths(2);
        let mut view = view(&rows);
        view.keys = false;
        assert_eq!(
            drawn(&view, 0, 0),
            [
                "in 0B/s  out 3.00kB/s  connections 1  subflows 2  opened 1  ended 0",
                "DEV  ADDRESS   ID STATE  SHARE   IN/s  OUT/s RTTms MAXms RTX/s SUB",
                "eth1 10.0.0.1   - active   33%      0  1.00k  12.3  1235     0   1 ###.......",
                "eth2 10.0.0.2   1 active   67%      0  2.00k  12.3  1235     0   1 #######...",
            ]
        );
    }

    #[test]
    fn no_size_of_terminal_is_exceeded() {
        for count in [0, 1, 2, 7, 100] {
            let rows = paths(count);
            for by in [By::Path, By::Connection, By::Subflow] {
                for (width, height) in [
                    (1, 1),
                    (10, 2),
                    (20, 10),
                    (39, 10),
                    (79, 24),
                    (199, 60),
                    (300, 5),
                ] {
                    let mut view = view(&rows);
                    view.by = by;
                    let lines = drawn(&view, width, height);
                    assert!(lines.len() <= height, "{width}x{height}: {lines:#?}");
                    for line in &lines {
                        assert!(line.len() <= width, "{width}x{height}: {lines:#?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let rows = paths(100);
        let lines = drawn(&view(&rows), 79, 10);
        assert_eq!(lines.len(), 10);
        assert_eq!(lines[8], "... 94 more");
        assert!(lines[9].starts_with("q quit"), "{lines:#?}");
    }

    #[test]
    fn a_narrow_terminal_has_the_columns_that_matter() {
        let rows = paths(2);
        let lines = drawn(&view(&rows), 39, 10);
        assert_eq!(lines[1], "DEV  STATE  SHARE   IN/s  OUT/s RTTms");
        assert_eq!(lines[3], "eth2 active   67%      0  2.00k  12.3");
    }

    #[test]
    fn long_ipv6_addresses_do_not_break_the_columns() {
        let rows = [
            row(1, 0x2001_0db8_1111_2222_3333_4444_5555_6666, AF_INET6),
            row(2, 0x2001_0db8 << 96 | 1, AF_INET6),
        ];
        for width in [79, 199] {
            let lines = drawn(&view(&rows), width, 24);
            let column = |line: &str| line.find("active").unwrap();
            assert_eq!(column(&lines[2]), column(&lines[3]), "{lines:#?}");
            assert_eq!(lines[1].find("STATE"), Some(column(&lines[2])));
        }
    }

    #[test]
    fn a_name_cannot_do_anything_to_the_terminal() {
        let rows = paths(1);
        let mut out = Text::default();
        let mut names = Names::default();
        names.add(1, b"\x1b[2J\xff");
        draw(&view(&rows), 79, 24, &mut names, &mut out);
        let text = String::from_utf8(out.into_bytes()).unwrap();
        assert!(text.contains("?[2J?"), "{text}");
        assert!(!text.contains('\x1b'));
    }

    #[test]
    fn rows_of_a_connection_stay_together_best_first() {
        let rows = paths(8);
        let sorted = |by, how| {
            let mut view = view(&rows);
            (view.by, view.sort) = (by, how);
            view.sort();
            let places = view.table.order.iter().map(|entry| *entry as u32 + 1);
            places.collect::<Vec<_>>()
        };
        assert_eq!(sorted(By::Connection, Sort::Rate), [6, 7, 8, 3, 4, 5, 1, 2]);
        assert_eq!(sorted(By::Path, Sort::Rate), [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(sorted(By::Path, Sort::Path), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(sorted(By::Path, Sort::Rtt), [1, 2, 3, 4, 5, 6, 7, 8]);
        let lines = drawn(
            &View {
                by: By::Connection,
                ..view(&rows[..2])
            },
            79,
            24,
        );
        assert_eq!(lines[2], "token 00000000 to 10.0.0.101:5000");
    }

    #[test]
    fn rows_that_are_alike_are_in_the_order_of_interfaces() {
        let mut rows = paths(6);
        rows.reverse();
        for row in &mut rows {
            row.numbers[SENT] = 0;
        }
        for by in [By::Path, By::Connection] {
            let mut view = view(&rows);
            view.by = by;
            view.sort();
            let places = view
                .table
                .order
                .iter()
                .map(|entry| rows[*entry as u32 as usize].interface);
            assert_eq!(places.collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "{by:?}");
        }
    }

    #[test]
    fn the_peer_of_a_subflow_comes_before_a_bar() {
        let peers = |by, width| {
            let rows: Vec<Row> = (1..=3)
                .map(|at| row(1, (0x2001_0db8_ffff_0001 << 64) + at, AF_INET6))
                .collect();
            let lines = drawn(&View { by, ..view(&rows) }, width, 24);
            assert!(lines.iter().all(|line| line.len() <= width), "{lines:#?}");
            let shown = |line: &&String| line.contains("]:5000");
            lines.iter().filter(shown).count()
        };
        assert_eq!((peers(By::Subflow, 79), peers(By::Subflow, 40)), (3, 0));
    }

    #[test]
    fn before_the_second_look_no_rate_is_claimed() {
        let rows = paths(1);
        let mut view = view(&rows);
        view.elapsed = 0;
        view.table.finish(0);
        let lines = drawn(&view, 79, 24);
        assert!(lines[2].contains(" -      -"), "{lines:#?}");
        assert!(
            !lines[2].contains("active") && !lines[0].contains("B/s"),
            "{lines:#?}"
        );
    }

    /// An endpoint without subflows has no times and, before the second look, no state.
    #[test]
    fn what_is_not_known_is_a_dash_and_no_other_number() {
        let mut row = row(5, 0xffff_0a00_0005, AF_INET);
        (row.rtt, row.worst, row.state) = (0, 0, State::Idle);
        let mut view = view(&[row]);
        let cells = |view: &View| {
            let line = drawn(view, 79, 24).swap_remove(2);
            let cells = line.split_whitespace().skip(2).take(9);
            cells.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(cells(&view)[..2], ["4", "idle"]);
        assert_eq!(cells(&view)[5..7], ["-", "-"]);
        view.elapsed = 0;
        view.table.finish(0);
        assert_eq!(cells(&view), ["4", "-", "-", "-", "-", "-", "-", "-", "1"]);
    }

    #[test]
    fn times_have_the_digits_that_fit() {
        for (time, expected) in [
            (1, "0.00"),
            (30, "0.03"),
            (9_994, "9.99"),
            (9_995, "10.0"),
            (12_345, "12.3"),
            (999_949, "999.9"),
            (999_950, "1000"),
            (u32::MAX, "4294967"),
        ] {
            let mut out = Text::default();
            milliseconds(time, &mut out);
            assert_eq!(out.into_bytes(), expected.as_bytes(), "{time}");
        }
    }
}
