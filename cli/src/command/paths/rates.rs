//! By how much the counters of subflows grew between two looks, summed up by path,
//! connection or subflow. Pure: no clock, no kernel.
//!
//! A subflow is identified by the cookie of its socket, which is never reused. A counter that
//! is less than before has started over: all of it is new. A subflow that was not found is
//! kept until the next look, as a dump can miss a socket while the kernel's table changes.

use mptcp_codec::diag::End;

use crate::kernel::connections::{self, Index};
use crate::text::nth;

/// The names of the numbers of a row.
pub const NAMES: &str = "endpoint local_port remote_port share_percent \
    received_bytes_per_second sent_bytes_per_second received_bytes sent_bytes retransmits \
    retransmits_per_second subflows backup_subflows fallback_subflows";

/// A number for each of [`NAMES`], and how many subflows wait for an acknowledgement.
pub type Numbers = [u64; 14];

// Places in `Numbers`.
pub const ENDPOINT: usize = 0;
const LOCAL_PORT: usize = 1;
const REMOTE_PORT: usize = 2;
pub const SHARE: usize = 3;
/// Per second.
pub const RATES: usize = 4;
/// Bytes received, and bytes sent that the peer acknowledged.
pub const RECEIVED: usize = 6;
pub const SENT: usize = 7;
/// Segments retransmitted.
pub const RETRANSMITS: usize = 8;
pub const RETRANSMIT_RATE: usize = 9;
/// Existing subflows; of these, backups, and those of connections whose peer does not speak
/// MPTCP.
pub const SUBFLOWS: usize = 10;
pub const BACKUPS: usize = 11;
pub const FALLBACKS: usize = 12;
const WAITING: usize = 13;

/// A number that is unknown, or does not apply.
pub const NONE: u64 = u64::MAX;

/// Counters of a subflow, or by how much they grew: bytes received, bytes sent, and segments
/// retransmitted, in the order of [`Numbers`].
pub type Counters = [u64; 3];

/// A subflow: what is read of it, and what it carried since the previous look. There may be
/// tens of thousands, so it is small.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Subflow {
    /// The local and the remote address, as numbers.
    pub addresses: [u128; 2],
    /// Identifies its socket.
    pub cookie: u64,
    /// Its counters.
    pub counters: Counters,
    /// By how much they grew.
    pub added: Counters,
    /// The token of its connection; 0 if it is hidden.
    pub token: u32,
    /// The index of its interface; 0 if unknown.
    pub interface: u32,
    /// Smoothed round-trip time in microseconds; 0 if not measured yet.
    pub rtt: u32,
    /// The local and the remote port.
    pub ports: [u16; 2],
    /// The family of both.
    pub family: u8,
    /// The id of its endpoint, or 0.
    pub endpoint: u8,
    /// [`Subflow::OPEN`] and others.
    pub marks: u8,
    /// The look that last found it.
    pub look: u8,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Subflow>() <= 112);

impl Subflow {
    /// Its handshake is over, and closing has not begun.
    pub const OPEN: u8 = 1;
    /// It is a backup.
    pub const BACKUP: u8 = 2;
    /// Data are in flight, and were retransmitted after a timeout.
    pub const WAITING: u8 = 4;
    /// Its peer speaks MPTCP.
    pub const MPTCP: u8 = 8;
    /// It has been counted as opened.
    const COUNTED: u8 = 16;
}

/// By how much counters grew.
fn since(now: &Counters, before: &Counters) -> Counters {
    let mut added = *now;
    for (added, before) in added.iter_mut().zip(before) {
        *added = added.checked_sub(*before).unwrap_or(*added);
    }
    added
}

/// Adds to sums.
fn add(sums: &mut [u64], others: &[u64]) {
    for (sum, other) in sums.iter_mut().zip(others) {
        *sum = sum.saturating_add(*other);
    }
}

/// The growth per second of what grew in this many milliseconds.
#[inline(never)]
fn a_second(amount: u64, elapsed: u64) -> u64 {
    match elapsed {
        0 => NONE,
        _ => amount.saturating_mul(1000).saturating_add(elapsed / 2) / elapsed,
    }
}

/// A share of all, in percent.
fn share(part: u64, all: u64) -> u64 {
    // A hundredth of much is exact enough.
    let share = match part.checked_mul(100) {
        Some(part) => part.saturating_add(all / 2).checked_div(all),
        None => part.checked_div(all / 100),
    };
    share.unwrap_or(0).min(100)
}

/// The known subflows, and what they carried since the previous look.
#[derive(Debug, Default)]
pub struct Rates {
    subflows: Vec<Subflow>,
    cookies: Index,
    // By how much destroyed sockets had grown since the last look, each once.
    destroyed: Vec<(u64, Counters)>,
    look: u8,
    later: bool,
    /// Subflows that are open and were not at the previous look.
    pub opened: u64,
    /// Those that existed at the previous look and no longer do.
    pub ended: u64,
}

impl Rates {
    /// Begins a look. At the first one nothing has been carried yet.
    #[inline(never)]
    pub fn begin(&mut self) {
        self.later |= self.look != 0;
        self.look = self.look.wrapping_add(1);
        self.opened = 0;
        self.ended = 0;
        for subflow in &mut self.subflows {
            subflow.added = Counters::default();
        }
        while let Some((cookie, added)) = self.destroyed.pop() {
            if let Some(known) = self.find(cookie) {
                known.added = added;
            }
        }
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.subflows.len()
    }

    /// The subflow of this socket, if it is known.
    #[inline(never)]
    pub fn find(&mut self, cookie: u64) -> Option<&mut Subflow> {
        let mut at = 0;
        loop {
            at = self.cookies.find(hash(cookie), at);
            let known = self.subflows.get((at as usize).checked_sub(1)?)?;
            if known.cookie == cookie {
                return self.subflows.get_mut(at as usize - 1);
            }
        }
    }

    /// Takes a subflow that exists.
    #[inline(never)]
    pub fn seen(&mut self, subflow: &mut Subflow) {
        const OPEN: u8 = Subflow::OPEN | Subflow::MPTCP;
        let (look, later) = (self.look, self.later);
        subflow.look = look;
        if subflow.marks & OPEN == OPEN {
            subflow.marks |= Subflow::COUNTED;
        }
        let new = subflow.marks & Subflow::COUNTED;
        let Some(known) = self.find(subflow.cookie) else {
            // It is new, and has carried everything since the previous look.
            if later {
                subflow.added = subflow.counters;
                self.opened += u64::from(new != 0);
            }
            self.cookies.push(hash(subflow.cookie), 0);
            self.subflows.push(*subflow);
            return;
        };
        // The kernel may show it twice.
        if known.look == look {
            return;
        }
        let before = known.marks & Subflow::COUNTED;
        subflow.marks |= before;
        subflow.added = since(&subflow.counters, &known.counters);
        *known = *subflow;
        self.opened += u64::from(new & !before != 0);
    }

    /// Takes the last counters of a destroyed socket, which may have been that of a known
    /// subflow: they count at the next look.
    pub fn destroyed(&mut self, cookie: u64, counters: &Counters) {
        if let Some(known) = self.find(cookie) {
            let before = known.counters;
            let added = since(counters, &before);
            // The kernel resets the counters of some sockets first.
            let grew = counters[0] >= before[0] && counters[1] >= before[1];
            if grew && added != Counters::default() {
                known.counters = *counters;
                self.destroyed.push((cookie, added));
            }
        }
    }

    /// Ends a look: forgets subflows that no longer exist. One whose last bytes count at this
    /// look is kept, though the previous look may not have found it: its socket can be destroyed
    /// during a look, after the reports are read and before the dump is.
    #[inline(never)]
    pub fn end(&mut self) {
        self.cookies.clear();
        let mut kept = 0;
        for at in 0..self.subflows.len() {
            let Some(subflow) = self.subflows.get(at) else {
                break;
            };
            let age = self.look.wrapping_sub(subflow.look);
            self.ended += u64::from(age == 1);
            if age <= 1 || subflow.added != Counters::default() {
                self.cookies.push(hash(subflow.cookie), 0);
                self.subflows.copy_within(at..=at, kept);
                kept += 1;
            }
        }
        self.subflows.truncate(kept);
    }
}

/// What a row stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// An interface and a local address.
    Path,
    /// The same of one connection.
    Connection,
    /// A subflow.
    Subflow,
}

/// The state of a path.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing was to be carried.
    #[default]
    Idle,
    /// It carried data since the previous look.
    Active,
    /// It carried no data, or little: all of its subflows are backups.
    Backup,
    /// Nothing got through, though data were retransmitted.
    Stale,
    /// Its interface cannot carry packets.
    Down,
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static [u8] {
        nth(b"idle active backup stale down", b' ', self as usize)
    }
}

/// A path as a whole, or of one connection or one subflow; or the total.
#[derive(Copy, Clone, Debug, Default)]
pub struct Row {
    /// The local and the remote address. By connection, the latter is that of any subflow:
    /// only the socket of the connection shows its peer.
    pub addresses: [u128; 2],
    /// What its subflows are, and what they carried since the previous look.
    pub numbers: Numbers,
    /// The token of its connection; 0 by path.
    pub token: u32,
    /// The index of its interface; 0 if unknown.
    pub interface: u32,
    /// The median of the round-trip times of its subflows.
    pub rtt: u32,
    /// The largest.
    pub worst: u32,
    /// The ports of both ends.
    pub ports: [u16; 2],
    /// The family of both.
    pub family: u8,
    /// Its state.
    pub state: State,
}

impl Row {
    /// An end, the local one first.
    #[inline(never)]
    pub fn end(&self, side: usize) -> End {
        End {
            number: self.addresses.get(side).copied().unwrap_or(0),
            port: self.ports.get(side).copied().unwrap_or(0),
            family: self.family.into(),
        }
    }

    /// Bytes in both directions.
    pub fn bytes(&self) -> u64 {
        self.numbers[RECEIVED].saturating_add(self.numbers[SENT])
    }

    /// Computes its share of all, and the rates per second.
    fn finish(&mut self, all: u64, elapsed: u64) {
        self.numbers[SHARE] = share(self.bytes(), all);
        let numbers = &mut self.numbers;
        numbers[RATES] = a_second(numbers[RECEIVED], elapsed);
        numbers[RATES + 1] = a_second(numbers[SENT], elapsed);
        numbers[RETRANSMIT_RATE] = a_second(numbers[RETRANSMITS], elapsed);
    }

    /// Its state, as far as its subflows show it.
    fn judge(&self) -> State {
        let carried = self.bytes() > 0;
        let backups = self.numbers[BACKUPS];
        match () {
            () if !carried && self.numbers[WAITING] > 0 => State::Stale,
            () if backups > 0 && backups == self.numbers[SUBFLOWS] => State::Backup,
            () if carried => State::Active,
            () => State::Idle,
        }
    }
}

/// Subflows as rows.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Rows {
    /// The rows, in the order in which they were first seen.
    pub rows: Vec<Row>,
    /// The order in which they are shown: places in `rows`, in the lower half.
    pub order: Vec<u128>,
    /// Where in `rows` a path is.
    pub index: Index,
    /// Connections that have a subflow.
    pub connections: u64,
    /// All rows together.
    pub total: Row,
}

impl Rows {
    /// Makes the rows after a look.
    #[inline(never)]
    pub fn make(&mut self, rates: &Rates, by: By) {
        self.rows.clear();
        self.index.clear();
        self.total = Row::default();
        // Tokens, each once.
        let keys = &mut self.order;
        keys.clear();
        for subflow in &rates.subflows {
            if subflow.look == rates.look && subflow.token != 0 {
                keys.push(connections::sort_key(subflow.token, 0));
            }
        }
        connections::sort(keys);
        self.connections = keys.len() as u64;
        // The row and the time in one number: sorting groups them by row.
        keys.clear();
        for subflow in &rates.subflows {
            let at = self.row(subflow, by);
            let Some(row) = self.rows.get_mut(at) else {
                continue;
            };
            add(&mut row.numbers[RECEIVED..], &subflow.added);
            if subflow.look != rates.look {
                continue;
            }
            let has = |mark| u64::from(subflow.marks & mark != 0);
            let open = has(Subflow::OPEN);
            let fallback = open & !has(Subflow::MPTCP);
            let marks = [1, has(Subflow::BACKUP), fallback, has(Subflow::WAITING)];
            add(&mut row.numbers[SUBFLOWS..], &marks);
            if subflow.rtt > 0 && open > 0 {
                self.order
                    .push((at as u128) << 32 | u128::from(subflow.rtt));
            }
        }
        self.order.sort_unstable();
        for row in &mut self.rows {
            row.state = row.judge();
            add(&mut self.total.numbers, &row.numbers);
        }
        let mut rest = &self.order[..];
        while let [first, ..] = rest {
            let at = first >> 32;
            let count = rest.partition_point(|time| *time >> 32 == at);
            if let (Some(row), Some(worst), Some(middle)) = (
                self.rows.get_mut(at as usize),
                rest.get(count - 1),
                rest.get((count - 1) / 2),
            ) {
                row.worst = *worst as u32;
                row.rtt = *middle as u32;
            }
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    /// Computes the shares and rates of the rows.
    pub fn finish(&mut self, elapsed: u64) {
        let all = self.total.bytes();
        for row in &mut self.rows {
            row.finish(all, elapsed);
        }
        self.total.finish(all, elapsed);
    }

    /// The place of the row of a subflow, a new one if necessary.
    #[inline(never)]
    pub fn row(&mut self, subflow: &Subflow, by: By) -> usize {
        let [local, _] = subflow.addresses;
        let token = match by {
            By::Path => 0,
            _ => subflow.token,
        };
        if by != By::Subflow {
            let key = (local >> 64) as u64 ^ local as u64;
            let hash = hash(key ^ u64::from(token) << 32 ^ u64::from(subflow.interface) << 16);
            let mut at = 0;
            loop {
                at = self.index.find(hash, at);
                let place = (at as usize).wrapping_sub(1);
                let Some(row) = self.rows.get(place) else {
                    break;
                };
                if row.token == token
                    && row.interface == subflow.interface
                    && row.addresses[0] == local
                {
                    return place;
                }
            }
            self.index.push(hash, 0);
        }
        self.rows.push(Row::default());
        if let Some(row) = self.rows.last_mut() {
            row.addresses = subflow.addresses;
            row.ports = subflow.ports;
            row.family = subflow.family;
            row.token = token;
            row.interface = subflow.interface;
            row.numbers[ENDPOINT] = match subflow.endpoint {
                0 => NONE,
                id => id.into(),
            };
            let [local, peer] = subflow.ports.map(u64::from);
            row.numbers[LOCAL_PORT] = if by == By::Subflow { local } else { NONE };
            row.numbers[REMOTE_PORT] = if by == By::Subflow { peer } else { NONE };
        }
        self.rows.len() - 1
    }
}

/// A hash, which is never 0.
fn hash(number: u64) -> u32 {
    ((number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 | 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cookie: u64, interface: u32, sent: u64) -> Subflow {
        Subflow {
            addresses: [interface.into(), 99],
            cookie,
            token: 7,
            interface,
            counters: [sent / 2, sent, sent / 100],
            rtt: 100 * (cookie as u32 % 1000),
            marks: Subflow::OPEN | Subflow::MPTCP,
            ..Subflow::default()
        }
    }

    fn look(rates: &mut Rates, samples: &[Subflow]) {
        rates.begin();
        for sample in samples {
            rates.seen(&mut sample.clone());
        }
        rates.end();
    }

    fn rows(rates: &Rates, by: By) -> Vec<Row> {
        let mut rows = Rows::default();
        rows.make(rates, by);
        rows.rows
    }

    fn sent(rates: &Rates) -> Vec<u64> {
        rows(rates, By::Path)
            .iter()
            .map(|row| row.numbers[SENT])
            .collect()
    }

    #[test]
    fn the_first_look_carries_nothing_and_the_next_the_difference() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000), sample(2, 2, 100)]);
        assert_eq!(sent(&rates), [0, 0]);
        assert_eq!((rates.opened, rates.ended), (0, 0));
        look(&mut rates, &[sample(2, 2, 400), sample(1, 1, 5000)]);
        let rows = rows(&rates, By::Path);
        let carried = rows.iter().map(|row| row.numbers[RECEIVED..].first_chunk());
        assert!(carried.eq([Some(&[0, 0, 0]), Some(&[150, 300, 3])]));
        assert_eq!(rows[0].state, State::Idle);
        assert_eq!(rows[1].state, State::Active);
    }

    #[test]
    fn a_subflow_that_came_within_the_interval_counts_from_its_beginning() {
        let mut rates = Rates::default();
        look(&mut rates, &[]);
        look(&mut rates, &[sample(1, 1, 700)]);
        assert_eq!(sent(&rates), [700]);
        assert_eq!(rates.opened, 1);
        look(&mut rates, &[sample(1, 1, 900)]);
        assert_eq!(sent(&rates), [200]);
        assert_eq!(rates.opened, 0);
    }

    #[test]
    fn a_handshake_is_not_counted_as_opened_before_it_is_over() {
        let mut rates = Rates::default();
        let mut opening = sample(1, 1, 0);
        opening.marks = Subflow::MPTCP;
        look(&mut rates, &[]);
        look(&mut rates, &[opening]);
        assert_eq!(rates.opened, 0);
        look(&mut rates, &[sample(1, 1, 0)]);
        assert_eq!(rates.opened, 1);
        look(&mut rates, &[sample(1, 1, 0)]);
        assert_eq!(rates.opened, 0);
    }

    #[test]
    fn counters_that_begin_again_count_from_0() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000)]);
        look(&mut rates, &[sample(1, 1, 30)]);
        assert_eq!(sent(&rates), [30]);
        look(&mut rates, &[sample(1, 1, 40)]);
        assert_eq!(sent(&rates), [10]);
    }

    #[test]
    fn one_that_a_look_missed_counts_once_when_it_is_back() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000)]);
        look(&mut rates, &[]);
        assert_eq!((sent(&rates), rates.ended), (vec![0], 1));
        look(&mut rates, &[sample(1, 1, 5600)]);
        assert_eq!((sent(&rates), rates.ended), (vec![600], 0));
    }

    #[test]
    fn one_that_was_destroyed_is_forgotten_and_its_last_bytes_count() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000), sample(2, 1, 10)]);
        rates.destroyed(1, &sample(1, 1, 5700).counters);
        // The growth of an unknown socket is unknown.
        rates.destroyed(3, &sample(3, 1, 5700).counters);
        rates.begin();
        rates.seen(&mut sample(2, 1, 20));
        rates.end();
        assert_eq!((sent(&rates), rates.ended), (vec![710], 1));
        let mut table = Rows::default();
        table.make(&rates, By::Path);
        assert_eq!(table.rows[0].numbers[SUBFLOWS], 1);
        assert_eq!(table.total.numbers[SUBFLOWS], 1);
        look(&mut rates, &[sample(2, 1, 20)]);
        assert_eq!((sent(&rates), rates.ended), (vec![0], 0));
        assert_eq!(rates.subflows.len(), 1);
    }

    #[test]
    fn the_last_bytes_of_one_that_was_destroyed_during_a_look_count_at_the_next() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000)]);
        look(&mut rates, &[]);
        rates.destroyed(1, &sample(1, 1, 5700).counters);
        assert_eq!((sent(&rates), rates.ended), (vec![0], 1));
        look(&mut rates, &[]);
        assert_eq!((sent(&rates), rates.ended), (vec![700], 0));
        look(&mut rates, &[]);
        assert!(rates.subflows.is_empty());
    }

    #[test]
    fn a_socket_that_was_reset_before_it_was_destroyed_adds_nothing() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 5000)]);
        rates.destroyed(1, &Counters::default());
        rates.begin();
        rates.end();
        assert_eq!(sent(&rates), [0]);
    }

    #[test]
    fn shown_twice_is_counted_once() {
        let mut rates = Rates::default();
        look(&mut rates, &[sample(1, 1, 0)]);
        look(&mut rates, &[sample(1, 1, 50), sample(1, 1, 60)]);
        assert_eq!(sent(&rates), [50]);
        assert_eq!(rows(&rates, By::Path)[0].numbers[SUBFLOWS], 1);
    }

    #[test]
    fn rows_are_paths_or_those_of_a_connection_or_subflows() {
        let mut rates = Rates::default();
        let mut other = sample(3, 1, 1);
        other.token = 8;
        let samples = [sample(1, 1, 1), sample(2, 2, 1), other, sample(4, 2, 1)];
        look(&mut rates, &samples);
        assert_eq!(rows(&rates, By::Path).len(), 2);
        assert_eq!(rows(&rates, By::Connection).len(), 3);
        assert_eq!(rows(&rates, By::Subflow).len(), 4);
        let mut table = Rows::default();
        table.make(&rates, By::Path);
        assert_eq!((table.connections, table.total.numbers[SUBFLOWS]), (2, 4));
    }

    #[test]
    fn the_median_is_the_middle_one_and_the_worst_the_largest() {
        for (count, median, worst) in [(1, 100, 100), (2, 100, 200), (3, 200, 300), (9, 500, 900)] {
            let mut rates = Rates::default();
            let samples: Vec<_> = (1..=count).rev().map(|at| sample(at, 1, 0)).collect();
            look(&mut rates, &samples);
            let row = rows(&rates, By::Path)[0];
            assert_eq!((row.rtt, row.worst), (median, worst), "{count}");
        }
    }

    #[test]
    fn states_follow_from_what_was_carried() {
        let mut waiting = sample(1, 1, 0);
        waiting.marks |= Subflow::WAITING;
        let mut backup = sample(2, 2, 0);
        backup.marks |= Subflow::BACKUP;
        let mut rates = Rates::default();
        look(&mut rates, &[waiting, backup, sample(3, 3, 0)]);
        look(&mut rates, &[waiting, backup, sample(3, 3, 1)]);
        let states = rows(&rates, By::Path)
            .iter()
            .map(|row| row.state)
            .collect::<Vec<_>>();
        assert_eq!(states, [State::Stale, State::Backup, State::Active]);
        // A path that gets something through is not stale.
        let mut through = waiting;
        through.counters[1] = 1;
        look(&mut rates, &[through]);
        assert_eq!(rows(&rates, By::Path)[0].state, State::Active);
    }

    #[test]
    fn memory_stays_where_subflows_come_and_go() {
        let mut rates = Rates::default();
        for round in 0..2000_u64 {
            let samples: Vec<_> = (0..50).map(|at| sample(round * 50 + at, 1, 1)).collect();
            look(&mut rates, &samples);
        }
        assert!(
            rates.subflows.capacity() <= 256,
            "{}",
            rates.subflows.capacity()
        );
    }

    #[test]
    fn many_are_told_apart() {
        let mut rates = Rates::default();
        let samples = |sent| (0..40_000).map(move |at| sample(at << 20, at as u32 % 7, sent));
        look(&mut rates, &samples(10).collect::<Vec<_>>());
        look(&mut rates, &samples(13).collect::<Vec<_>>());
        assert_eq!(sent(&rates).iter().sum::<u64>(), 120_000);
        assert_eq!(rows(&rates, By::Path).len(), 7);
    }

    #[test]
    fn rates_and_shares_are_of_the_time_that_passed() {
        assert_eq!(a_second(1000, 500), 2000);
        assert_eq!(a_second(1000, 0), NONE);
        assert_eq!(a_second(u64::MAX, 1000), u64::MAX / 1000);
        assert_eq!((share(1, 3), share(2, 3), share(0, 0)), (33, 67, 0));
        assert_eq!(share(u64::MAX / 2, u64::MAX), 50);
    }
}
