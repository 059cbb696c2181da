//! Rows as lines of text, for a terminal of any size or for a pipe. Pure.

use mptcp_codec::inet::AF_INET6;

use super::rates::{By, Row, Rows, State};
use crate::kernel::Names;
use crate::output::{Colour, Palette, Units};
use crate::text::pieces;
use crate::text::{nth, number, take, Text};

/// The order of rows.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By what they carry, most first.
    Rate,
    /// By round-trip time, longest first.
    Rtt,
    /// By what was sent again, most first.
    Retransmits,
    /// By interface.
    Path,
}

impl Sort {
    const ALL: [Self; 4] = [Self::Rate, Self::Rtt, Self::Retransmits, Self::Path];

    /// The word for it.
    fn name(self) -> &'static [u8] {
        nth(b"rate rtt retransmits path", b' ', self as usize)
    }

    /// That which the key changes to.
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// What rows are ordered by, ascending.
    fn key(self, row: &Row) -> u64 {
        match self {
            Self::Rate => !row.of.added.bytes(),
            Self::Rtt => !u64::from(row.of.rtt),
            Self::Retransmits => !row.of.added.retransmits,
            Self::Path => row.of.interface.into(),
        }
    }
}

impl By {
    const ALL: [Self; 3] = [Self::Path, Self::Connection, Self::Subflow];

    /// The word for it.
    pub fn name(self) -> &'static str {
        ["path", "connection", "subflow"][self as usize]
    }

    /// That which the key changes to.
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

/// Orders rows: `order` becomes their places, in its lower half. Those of a
/// connection stay together. Where all else is the same, interfaces decide, then
/// the order of `rows`, which does not change from one look to the next.
pub fn sort(table: &mut Rows, by: By, sort: Sort) {
    let Rows { rows, order, .. } = table;
    order.clear();
    for (at, row) in rows.iter().enumerate() {
        let key = match by {
            By::Connection => row.of.token.into(),
            _ => sort.key(row),
        };
        order.push(u128::from(key) << 64 | u128::from(row.of.interface) << 32 | at as u128);
    }
    order.sort_unstable();
    if by != By::Connection {
        return;
    }
    // They are grouped; a group is ordered by the best of it.
    let mut start = 0;
    while let Some(first) = order.get(start) {
        let token = first >> 64;
        let mut best = u64::MAX;
        let mut end = start;
        while let Some(entry) = order.get(end).filter(|entry| **entry >> 64 == token) {
            let row = rows.get(*entry as u32 as usize);
            best = best.min(row.map_or(best, |row| sort.key(row)));
            end += 1;
        }
        for entry in order.get_mut(start..end).unwrap_or_default() {
            let at = *entry as u32;
            // Its place keeps a group together, and in order.
            *entry = u128::from(best) << 64 | (start as u128) << 32 | u128::from(at);
            start += 1;
        }
    }
    order.sort_unstable();
}

/// What is drawn.
#[derive(Copy, Clone, Debug)]
pub struct View<'v> {
    /// All rows, in the order in which they are shown: see [`sort`].
    pub table: &'v Rows,
    /// What they stand for.
    pub by: By,
    /// What came and went.
    pub news: News,
    /// Milliseconds since the look before; 0 where this is the first.
    pub elapsed: u64,
    /// In which units amounts are.
    pub units: Units,
    /// Colours, where wanted.
    pub palette: Option<Palette>,
    /// The order, shown in the line of keys.
    pub sort: Sort,
    /// The keys do something.
    pub keys: bool,
    /// Nothing new is shown for now.
    pub paused: bool,
}

impl View<'_> {
    /// The row at this place of the order.
    pub fn row(&self, at: usize) -> Option<&Row> {
        let place = *self.table.order.get(at)? as u32;
        self.table.rows.get(place as usize)
    }
}

/// What came and went since the look before.
#[derive(Copy, Clone, Debug)]
pub struct News {
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that ended.
    pub ended: u64,
    /// Subflows that came and went between two looks: what they carried is not
    /// known.
    pub unseen: u64,
}

impl News {
    /// A number that is not known.
    pub const NONE: u64 = u64::MAX;

    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        opened: Self::NONE,
        ended: Self::NONE,
        unseen: 0,
    };
}

/// What grew in so many milliseconds, as it grows in a second.
#[inline(never)]
pub fn a_second(amount: u64, elapsed: u64) -> u64 {
    match elapsed {
        0 => 0,
        _ => amount.saturating_mul(1000).saturating_add(elapsed / 2) / elapsed,
    }
}

/// Which part of all it is, in hundredths.
pub fn share(part: u64, all: u64) -> u64 {
    // A hundredth of much is exact enough.
    let share = match part.checked_mul(100) {
        Some(part) => part.saturating_add(all / 2).checked_div(all),
        None => part.checked_div(all / 100),
    };
    share.unwrap_or(0).min(100)
}

/// A column, in the order in which they stand.
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

/// All columns, with their least widths.
static COLUMNS: [(Column, u8); COUNT] = [
    (Column::Device, 3),
    (Column::Address, 7),
    (Column::Endpoint, 3),
    (Column::State, 6),
    (Column::Share, 5),
    (Column::Received, 6),
    (Column::Sent, 6),
    (Column::Rtt, 5),
    (Column::Worst, 5),
    (Column::Retransmits, 5),
    (Column::Subflows, 3),
    (Column::Bar, 5),
];

/// Their titles; the bar has none.
const TITLES: &[u8] = b"DEV ADDRESS ID STATE SHARE IN/s OUT/s RTTms MAXms RTX/s SUB";

/// Which columns come first if there is no room for all.
const FIRST_OF_ALL: [Column; COUNT] = [
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

/// Of subflows on the same path, only the peer tells one from another.
const FIRST_OF_SUBFLOWS: [Column; COUNT] = [
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

/// Draws at most `height` lines of at most `width` columns, each with its
/// newline; all of it where these are 0. `names` are those of interfaces.
pub fn draw(view: &View, width: usize, height: usize, names: &mut Names, out: &mut Text) {
    let unlimited = |limit| if limit == 0 { usize::MAX } else { limit };
    let mut page = Page {
        out,
        column: 0,
        width: unlimited(width),
        palette: view.palette,
    };
    let height = unlimited(height);
    page.summary(view);
    let keys = view.keys && height > 4;
    let room = height.saturating_sub(2 + usize::from(keys));
    let mut table = Table {
        view,
        names,
        cell: Text::default(),
        widths: [0; COUNT],
    };
    let shown = fitting(view, room);
    table.measure(shown, page.width);
    if height > 1 {
        table.line(None, &mut page);
    }
    let mut token = None;
    for at in 0..shown {
        let Some(row) = view.row(at) else { break };
        if view.by == By::Connection && token != Some(row.of.token) {
            token = Some(row.of.token);
            page.connection(row, &mut table.cell);
        }
        table.line(Some(row), &mut page);
    }
    if shown < view.table.rows.len() && room > 0 {
        page.put(b"... ");
        page.put(number((view.table.rows.len() - shown) as u64).as_bytes());
        page.put(b" more");
        page.end();
    }
    if keys {
        page.keys(view);
    }
}

/// How many rows fit into this many lines, with one that says how many more
/// there are.
fn fitting(view: &View, room: usize) -> usize {
    let (mut lines, mut shown) = (0, 0);
    let mut token = None;
    let count = view.table.rows.len();
    for at in 0..count {
        let Some(row) = view.row(at) else { break };
        lines += 1;
        if view.by == By::Connection && token != Some(row.of.token) {
            token = Some(row.of.token);
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

/// Lines that end at the right edge.
struct Page<'p> {
    out: &'p mut Text,
    column: usize,
    width: usize,
    palette: Option<Palette>,
}

impl Page<'_> {
    /// Puts text, as far as there is room. What is not printable becomes `?`: a
    /// name must not control the terminal.
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

    fn colour(&mut self, colour: Option<Colour>) {
        if let (Some(palette), Some(colour)) = (self.palette, colour) {
            self.out.bytes(palette.start(colour).as_bytes());
        }
    }

    fn end_colour(&mut self, colour: Option<Colour>) {
        if self.palette.is_some() && colour.is_some() {
            self.out.bytes(Palette::END.as_bytes());
        }
    }

    fn end(&mut self) {
        self.out.byte(b'\n');
        self.column = 0;
    }

    /// Puts a name and a value if both fit.
    fn piece(&mut self, name: &[u8], value: &[u8]) {
        let blank = usize::from(self.column > 0) * 2;
        if self
            .column
            .saturating_add(blank + name.len() + 1 + value.len())
            <= self.width
        {
            self.blanks(blank);
            self.put(name);
            self.put(b" ");
            self.put(value);
        }
    }

    /// The first line: all together.
    fn summary(&mut self, view: &View) {
        const NAMES: &str = "in out unseen connections subflows fallback opened ended";
        const NONE: u64 = News::NONE;
        let (total, news) = (&view.table.total, &view.news);
        let some = |count: u64| if count > 0 { count } else { NONE };
        let rate = |amount| match view.elapsed {
            0 => NONE,
            elapsed => a_second(amount, elapsed),
        };
        let values = [
            rate(total.added.received),
            rate(total.added.sent),
            some(news.unseen),
            total.connections,
            total.subflows,
            some(total.fallbacks),
            news.opened,
            news.ended,
        ];
        if view.paused {
            self.put(b"PAUSED");
        }
        let mut text = Text::default();
        for (at, (name, value)) in pieces(NAMES).zip(&values).enumerate() {
            text.clear();
            match at {
                0 | 1 => {
                    text.amount(*value, view.units);
                    text.bytes(b"B/s");
                }
                _ => text.number(*value),
            }
            if *value != NONE {
                self.piece(name.as_bytes(), text.as_bytes());
            }
        }
        self.end();
    }

    /// The line above the paths of a connection.
    fn connection(&mut self, row: &Row, text: &mut Text) {
        text.clear();
        text.bytes(b"token ");
        text.hexadecimal(row.of.token.into(), 8);
        text.bytes(b" to ");
        end_text(row, 1, true, text);
        self.put(text.as_bytes());
        self.end();
    }

    /// The last line: what keys do.
    fn keys(&mut self, view: &View) {
        self.piece(b"q", b"quit");
        self.piece(b"space", if view.paused { b"go on" } else { b"pause" });
        self.piece(b"s sort:", view.sort.name());
        self.piece(b"b by:", view.by.name().as_bytes());
        self.end();
    }
}

/// An end of a row, with its port perhaps.
pub fn end_text(row: &Row, at: usize, port: bool, out: &mut Text) {
    let ends = row.of.ends();
    let Some(end) = ends.get(at) else { return };
    let Some(address) = end.address() else { return };
    let bracket = port && end.family == AF_INET6;
    if bracket {
        out.byte(b'[');
    }
    out.address(address);
    if bracket {
        out.byte(b']');
    }
    if port {
        out.byte(b':');
        out.number(end.port.into());
    }
}

/// Rows in columns.
struct Table<'t> {
    view: &'t View<'t>,
    names: &'t mut Names,
    cell: Text,
    /// 0 for a column that is not there.
    widths: [usize; COUNT],
}

impl Table<'_> {
    /// Makes the columns as wide as they have to be for this many rows, as many as
    /// fit.
    fn measure(&mut self, shown: usize, width: usize) {
        let view = self.view;
        let mut wanted = [0; COUNT];
        for ((column, least), wanted) in COLUMNS.iter().zip(&mut wanted) {
            *wanted = usize::from(*least);
            for at in 0..shown {
                if let Some(row) = view.row(at) {
                    self.fill(*column, row, 0);
                    *wanted = self.cell.len().max(*wanted);
                }
            }
        }
        let mut room = width;
        let columns = match view.by {
            By::Subflow => &FIRST_OF_SUBFLOWS,
            _ => &FIRST_OF_ALL,
        };
        for column in columns {
            let column = *column;
            let at = column as usize;
            let (Some(wanted), Some(place)) = (wanted.get(at), self.widths.get_mut(at)) else {
                continue;
            };
            // A blank stands between two.
            let blank = usize::from(room < width);
            match room.checked_sub(wanted + blank) {
                Some(left) => {
                    *place = *wanted;
                    room = left;
                }
                // A long name is cut rather than left out.
                None if column == Column::Device => {
                    *place = room;
                    room = 0;
                }
                None => {}
            }
        }
        if let Some(bar) = self.widths.last_mut().filter(|bar| **bar > 0) {
            *bar = match width {
                usize::MAX => BAR,
                _ => (*bar + room).min(LONG_BAR),
            };
        }
    }

    /// A row, or the titles.
    fn line(&mut self, row: Option<&Row>, page: &mut Page) {
        let mut pad = 0;
        let mut titles = TITLES;
        let widths = self.widths;
        for (&(column, _), &width) in COLUMNS.iter().zip(&widths) {
            let title = take(&mut titles, b' ');
            if width == 0 {
                continue;
            }
            let mut colour = None;
            match row {
                Some(row) => {
                    self.fill(column, row, width);
                    colour = match column {
                        Column::Device => Some(Colour::Interface),
                        Column::Address if u16::from(row.of.family) == AF_INET6 => {
                            Some(Colour::Ipv6)
                        }
                        Column::Address => Some(Colour::Ipv4),
                        Column::State if matches!(row.state, State::Stale | State::Down) => {
                            Some(Colour::Wrong)
                        }
                        _ => None,
                    };
                }
                None => {
                    self.cell.clear();
                    self.cell.bytes(match self.view.by {
                        By::Subflow if column == Column::Address => b"PEER",
                        _ => title,
                    });
                }
            }
            let cell = self.cell.as_bytes();
            let cell = cell.get(..width).unwrap_or(cell);
            // What fills the column before, and a blank. Nothing at the end.
            let mut before = pad + usize::from(page.column > 0);
            pad = width - cell.len();
            if !matches!(column, Column::Device | Column::Address | Column::State) {
                before += core::mem::take(&mut pad);
            }
            if cell.is_empty() {
                continue;
            }
            page.blanks(before);
            page.colour(colour);
            page.put(cell);
            page.end_colour(colour);
        }
        page.end();
    }

    /// What stands in a column.
    fn fill(&mut self, column: Column, row: &Row, width: usize) {
        let view = self.view;
        let rate = |amount| (view.elapsed > 0).then_some(a_second(amount, view.elapsed));
        let all = view.table.total.added.bytes();
        let cell = &mut self.cell;
        cell.clear();
        match column {
            Column::Device => return cell.bytes(self.names.known(row.of.interface)),
            Column::Address => {
                let by_subflow = view.by == By::Subflow;
                return end_text(row, usize::from(by_subflow), by_subflow, cell);
            }
            Column::State
                if row.state != State::Active && row.state != State::Idle || view.elapsed > 0 =>
            {
                return cell.bytes(row.state.name());
            }
            Column::Share if all > 0 => {
                cell.number(share(row.of.added.bytes(), all));
                return cell.byte(b'%');
            }
            Column::Endpoint if row.of.endpoint > 0 => return cell.number(row.of.endpoint.into()),
            Column::Rtt if row.of.rtt > 0 => return milliseconds(row.of.rtt, cell),
            Column::Worst if row.worst > 0 => return milliseconds(row.worst, cell),
            Column::Subflows => return cell.number(row.subflows.into()),
            Column::Bar => {
                // What carries anything is seen.
                let part = share(row.of.added.bytes(), all) as usize * width;
                let full = ((part + 50) / 100).max(usize::from(row.of.added.bytes() > 0));
                for at in 0..width {
                    cell.byte(if at < full { b'#' } else { b'.' });
                }
                return;
            }
            Column::Received => {
                if let Some(rate) = rate(row.of.added.received) {
                    return cell.amount(rate, view.units);
                }
            }
            Column::Sent => {
                if let Some(rate) = rate(row.of.added.sent) {
                    return cell.amount(rate, view.units);
                }
            }
            Column::Retransmits => {
                if let Some(rate) = rate(row.of.added.retransmits) {
                    // Some is not none.
                    return match rate {
                        0 if row.of.added.retransmits > 0 => cell.bytes(b"<1"),
                        _ => cell.amount(rate, Units::Decimal),
                    };
                }
            }
            _ => {}
        }
        cell.byte(b'-');
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
    let rounded = (time + unit / 2) / unit;
    let scale = 1000 / unit;
    out.number(rounded / scale);
    if digits > 0 {
        out.byte(b'.');
        out.digits(rounded % scale, digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::paths::rates::{Counters, Subflow, Total};
    use mptcp_codec::inet::AF_INET;

    fn row(interface: u32, address: u128, family: u16) -> Row {
        let mut row = Row::of(&Subflow {
            addresses: [address, address + 100],
            ports: [5000; 2],
            family: family as u8,
            interface,
            endpoint: interface as u8 - 1,
            token: interface / 3,
            ..Subflow::default()
        });
        row.subflows = 1;
        row.of.rtt = 12_345;
        row.worst = 1_234_567;
        row.state = State::Active;
        row
    }

    fn paths(count: u32) -> Vec<Row> {
        let mut rows: Vec<Row> = (1..=count)
            .map(|at| row(at, 0xffff_0a00_0000 + u128::from(at), AF_INET))
            .collect();
        for row in &mut rows {
            row.of.added.sent = 1000 * u64::from(row.of.interface);
        }
        rows
    }

    fn view(rows: &[Row]) -> View<'static> {
        let sent = rows.iter().map(|row| row.of.added.sent).sum();
        let table = Box::new(Rows {
            rows: rows.to_vec(),
            // As they come.
            order: (0..rows.len() as u128).collect(),
            total: Total {
                connections: 1,
                subflows: rows.len() as u64,
                added: Counters {
                    sent,
                    ..Counters::default()
                },
                ..Total::default()
            },
            ..Rows::default()
        });
        View {
            table: Box::leak(table),
            by: By::Path,
            news: News {
                opened: 1,
                ended: 0,
                unseen: 0,
            },
            elapsed: 1000,
            units: Units::Decimal,
            palette: None,
            sort: Sort::Rate,
            keys: true,
            paused: false,
        }
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
            let mut table = Rows {
                rows: rows.clone(),
                ..Rows::default()
            };
            sort(&mut table, by, how);
            let places = table.order.iter().map(|entry| *entry as u32 + 1);
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
            row.of.added.sent = 0;
        }
        for by in [By::Path, By::Connection] {
            let mut table = Rows {
                rows: rows.clone(),
                ..Rows::default()
            };
            sort(&mut table, by, Sort::Rate);
            let places = table
                .order
                .iter()
                .map(|entry| rows[*entry as u32 as usize].of.interface);
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
        let lines = drawn(&view, 79, 24);
        assert!(lines[2].contains(" -      -"), "{lines:#?}");
        assert!(
            !lines[2].contains("active") && !lines[0].contains("B/s"),
            "{lines:#?}"
        );
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

    #[test]
    fn rates_and_shares_are_of_the_time_that_passed() {
        assert_eq!(a_second(1000, 500), 2000);
        assert_eq!(a_second(1000, 0), 0);
        assert_eq!(a_second(u64::MAX, 1000), u64::MAX / 1000);
        assert_eq!((share(1, 3), share(2, 3), share(0, 0)), (33, 67, 0));
        assert_eq!(share(u64::MAX / 2, u64::MAX), 50);
    }
}
