//! By how much the counters of subflows grew between two looks, summed up by
//! path, connection or subflow. Pure: no clock, no kernel.
//!
//! A subflow is identified by the cookie of its socket, which is never reused. A
//! counter that is less than before began again: all of it is new. A subflow
//! that a look did not find is kept for one more, as a dump can miss a socket
//! while the kernel's table changes.

use mptcp_codec::diag::End;

use crate::text::nth;

/// A subflow: what is read of it at a look, and what it carried since the look
/// before. There may be tens of thousands, so it is small.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Subflow {
    /// The local address and the peer's, as numbers.
    pub addresses: [u128; 2],
    /// Names its socket.
    pub cookie: u64,
    /// Its counters.
    pub counters: Counters,
    /// By how much they grew.
    pub added: Counters,
    /// The token of its connection, 0 where it is hidden.
    pub token: u32,
    /// The index of its interface, 0 where none is known.
    pub interface: u32,
    /// Smoothed round-trip time in microseconds, 0 if not measured yet.
    pub rtt: u32,
    /// The local port and the peer's.
    pub ports: [u16; 2],
    /// The family of both.
    pub family: u8,
    /// Its endpoint, 0 for none.
    pub endpoint: u8,
    /// [`Subflow::OPEN`] and others.
    pub marks: u8,
    /// The look at which it was there last.
    pub look: u8,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Subflow>() <= 112);

impl Subflow {
    /// Its opening is over, its closing has not begun.
    pub const OPEN: u8 = 1;
    /// It is a backup.
    pub const BACKUP: u8 = 2;
    /// Data are on their way, and were sent again after a time-out.
    pub const WAITING: u8 = 4;
    /// Its peer speaks MPTCP.
    pub const MPTCP: u8 = 8;
    /// It has been counted as opened.
    const COUNTED: u8 = 16;

    /// Sets where it goes from and to.
    pub fn set_ends(&mut self, [local, remote]: [End; 2]) {
        self.addresses = [local.number, remote.number];
        self.ports = [local.port, remote.port];
        self.family = local.family as u8;
    }

    /// Its ends, the local one first.
    pub fn ends(&self) -> [End; 2] {
        [0, 1].map(|side: usize| End {
            number: self.addresses[side],
            port: self.ports[side],
            family: self.family.into(),
        })
    }
}

/// Counters of a subflow, or what they grew by.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes sent that the peer acknowledged.
    pub sent: u64,
    /// Bytes received.
    pub received: u64,
    /// Segments sent again.
    pub retransmits: u64,
}

impl Counters {
    /// What they grew by.
    fn since(&self, before: &Self) -> Self {
        let since = |now: u64, before| now.checked_sub(before).unwrap_or(now);
        Self {
            sent: since(self.sent, before.sent),
            received: since(self.received, before.received),
            retransmits: since(self.retransmits, before.retransmits),
        }
    }

    /// Adds others.
    fn add(&mut self, other: &Self) {
        self.sent = self.sent.saturating_add(other.sent);
        self.received = self.received.saturating_add(other.received);
        self.retransmits = self.retransmits.saturating_add(other.retransmits);
    }

    /// Bytes in both directions.
    pub fn bytes(&self) -> u64 {
        self.sent.saturating_add(self.received)
    }
}

/// The subflows that are known, and what they carried since the look before.
#[derive(Debug, Default)]
pub struct Rates {
    subflows: Vec<Subflow>,
    cookies: Index,
    // What destroyed sockets had added since the last look, each once.
    destroyed: Vec<(u64, Counters)>,
    look: u8,
    later: bool,
    /// Subflows that are open and were not at the look before.
    pub opened: u64,
    /// Those that were there at the look before, and are not.
    pub ended: u64,
}

impl Rates {
    /// Begins a look. At the first one nothing has been carried yet.
    pub fn begin(&mut self) {
        self.later = self.look != 0 || self.later;
        self.look = self.look.wrapping_add(1);
        self.opened = 0;
        self.ended = 0;
        for subflow in &mut self.subflows {
            subflow.added = Counters::default();
        }
        for (cookie, added) in core::mem::take(&mut self.destroyed) {
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
    pub fn find(&mut self, cookie: u64) -> Option<&mut Subflow> {
        let subflows = &mut self.subflows;
        let at = self.cookies.find(hash(cookie), &mut |at| {
            let known = subflows.get(at);
            known.is_some_and(|known| known.cookie == cookie)
        });
        subflows.get_mut(at?)
    }

    /// A subflow that is there.
    pub fn seen(&mut self, subflow: &mut Subflow) {
        const OPEN: u8 = Subflow::OPEN | Subflow::MPTCP;
        let (look, later) = (self.look, self.later);
        subflow.look = look;
        if subflow.marks & OPEN == OPEN {
            subflow.marks |= Subflow::COUNTED;
        }
        // One that is new had carried nothing before.
        let mut before = Subflow::default();
        let known = self.find(subflow.cookie);
        if let Some(known) = &known {
            // The kernel may show it twice.
            if known.look == look {
                return;
            }
            before = **known;
            subflow.marks |= before.marks & Subflow::COUNTED;
        }
        let is_new = known.is_none();
        if !is_new || later {
            subflow.added = subflow.counters.since(&before.counters);
        }
        match known {
            Some(known) => *known = *subflow,
            None => {
                let at = self.subflows.len();
                self.cookies.insert(hash(subflow.cookie), at);
                self.subflows.push(*subflow);
            }
        }
        let opened = subflow.marks & !before.marks & Subflow::COUNTED != 0;
        self.opened += u64::from(opened && (later || !is_new));
    }

    /// The last counters of a destroyed socket, which may have been that of a
    /// known subflow: they count at the next look.
    pub fn destroyed(&mut self, cookie: u64, counters: &Counters) {
        if let Some(known) = self.find(cookie) {
            let before = known.counters;
            let added = counters.since(&before);
            // The kernel resets the counters of some sockets first.
            let grew = counters.sent >= before.sent && counters.received >= before.received;
            if grew && added != Counters::default() {
                known.counters = *counters;
                self.destroyed.push((cookie, added));
            }
        }
    }

    /// Ends a look: forgets subflows that no longer exist.
    pub fn end(&mut self) {
        let look = self.look;
        let count = self.subflows.len();
        let mut kept = 0;
        for at in 0..count {
            let age = look.wrapping_sub(self.subflows[at].look);
            self.ended += u64::from(age == 1);
            if age <= 1 {
                if kept != at {
                    self.subflows[kept] = self.subflows[at];
                }
                kept += 1;
            }
        }
        if kept != count {
            self.subflows.truncate(kept);
            self.cookies.clear();
            for (at, subflow) in self.subflows.iter().enumerate() {
                self.cookies.insert(hash(subflow.cookie), at);
            }
        }
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

/// How a path is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It carried data since the look before.
    Active,
    /// It did not, or little: all of its subflows are backups.
    Backup,
    /// Nothing was to be carried.
    Idle,
    /// Nothing got through, though data were sent again.
    Stale,
    /// Its interface cannot carry packets.
    Down,
}

impl State {
    /// The word for it.
    pub fn name(self) -> &'static [u8] {
        nth(b"active backup idle stale down", b' ', self as usize)
    }
}

/// A path, as a whole, of one connection or of one subflow.
#[derive(Copy, Clone, Debug)]
pub struct Row {
    /// One of its subflows, with what all of them carried and the median of their
    /// round-trip times. By path the token has no meaning. By connection the peer
    /// is that of any subflow: whom a connection is with, only its own socket tells.
    pub of: Subflow,
    /// Subflows that are there.
    pub subflows: u32,
    /// Of these, backups.
    pub backups: u32,
    /// Of these, those that wait for an acknowledgement.
    pub waiting: u32,
    /// Of these, those of connections whose peer speaks no MPTCP.
    pub fallbacks: u32,
    /// The largest round-trip time.
    pub worst: u32,
    /// How it is.
    pub state: State,
}

impl Row {
    /// A row for subflows like this one, which has none yet.
    pub fn of(subflow: &Subflow) -> Self {
        Self {
            of: Subflow {
                added: Counters::default(),
                rtt: 0,
                ..*subflow
            },
            subflows: 0,
            backups: 0,
            waiting: 0,
            fallbacks: 0,
            worst: 0,
            state: State::Idle,
        }
    }

    /// How it is, as far as its subflows show.
    fn judge(&self) -> State {
        let carried = self.of.added.bytes() > 0;
        match () {
            () if !carried && self.waiting > 0 => State::Stale,
            () if self.subflows > 0 && self.backups == self.subflows => State::Backup,
            () if carried => State::Active,
            () => State::Idle,
        }
    }
}

/// All rows together.
#[derive(Copy, Clone, Debug, Default)]
pub struct Total {
    /// Connections that have a subflow.
    pub connections: u64,
    /// Subflows that are there.
    pub subflows: u64,
    /// Of these, those of connections whose peer speaks no MPTCP.
    pub fallbacks: u64,
    /// What they carried since the look before.
    pub added: Counters,
}

/// Subflows as rows.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows, in the order in which they were first seen.
    pub rows: Vec<Row>,
    /// The order in which they are shown.
    pub order: Vec<u128>,
    /// All of them together.
    pub total: Total,
    /// Where in `rows` a path is.
    pub index: Index,
    /// The row and the time in one number: sorted, a row's are together. After
    /// that, tokens.
    pub times: Vec<u128>,
}

impl Rows {
    /// Makes the rows of a look.
    pub fn make(&mut self, rates: &Rates, by: By) {
        self.rows.clear();
        self.index.clear();
        self.times.clear();
        self.total = Total::default();
        for subflow in &rates.subflows {
            let at = self.row(subflow, by);
            let Some(row) = self.rows.get_mut(at) else {
                continue;
            };
            row.of.added.add(&subflow.added);
            if subflow.look == rates.look {
                let has = |mark| u32::from(subflow.marks & mark != 0);
                row.subflows += 1;
                row.backups += has(Subflow::BACKUP);
                row.waiting += has(Subflow::WAITING);
                row.fallbacks += has(Subflow::OPEN) & (1 - has(Subflow::MPTCP));
                if subflow.rtt > 0 && has(Subflow::OPEN) > 0 {
                    self.times
                        .push((at as u128) << 32 | u128::from(subflow.rtt));
                }
            }
        }
        self.times.sort_unstable();
        let mut rest = &self.times[..];
        for (at, row) in self.rows.iter_mut().enumerate() {
            let count = rest.iter().take_while(|time| *time >> 32 == at as u128);
            let (times, others) = rest.split_at(count.count());
            rest = others;
            if let [.., worst] = times {
                row.worst = *worst as u32;
                row.of.rtt = times[(times.len() - 1) / 2] as u32;
            }
            row.state = row.judge();
            self.total.subflows += u64::from(row.subflows);
            self.total.fallbacks += u64::from(row.fallbacks);
            self.total.added.add(&row.of.added);
        }
        self.total.connections = self.count_connections(rates);
    }

    /// The row of a subflow, a new one if necessary.
    #[inline(never)]
    pub fn row(&mut self, subflow: &Subflow, by: By) -> usize {
        let [local, _] = subflow.addresses;
        let token = match by {
            By::Path => 0,
            _ => subflow.token,
        };
        let new = self.rows.len();
        if by != By::Subflow {
            let key = (local >> 64) as u64 ^ local as u64;
            let hash = hash(key ^ u64::from(token) << 32 ^ u64::from(subflow.interface) << 16);
            let rows = &self.rows;
            let known = self.index.find(hash, &mut |at| {
                rows.get(at).is_some_and(|Row { of, .. }| {
                    of.token == token
                        && of.interface == subflow.interface
                        && of.addresses[0] == local
                })
            });
            if let Some(at) = known {
                return at;
            }
            self.index.insert(hash, new);
        }
        let mut row = Row::of(subflow);
        row.of.token = token;
        self.rows.push(row);
        new
    }

    fn count_connections(&mut self, rates: &Rates) -> u64 {
        self.times.clear();
        for subflow in &rates.subflows {
            if subflow.look == rates.look {
                self.times.push(subflow.token.into());
            }
        }
        self.times.sort_unstable();
        let (mut count, mut last) = (0, 0);
        for token in &self.times {
            count += u64::from(*token != last);
            last = *token;
        }
        count
    }
}

/// Places in a list by a hash of the element. The caller compares elements.
#[derive(Debug, Default)]
pub struct Index {
    // Hash, and place counted from 1. A power of two, at most half of them taken.
    slots: Vec<(u32, u32)>,
    taken: usize,
}

impl Index {
    fn clear(&mut self) {
        self.slots.fill((0, 0));
        self.taken = 0;
    }

    /// The slot of this hash for which `is` returns true, or the first free one
    /// after it.
    fn slot(&self, hash: u32, is: &mut dyn FnMut(usize) -> bool) -> usize {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some((known, place)) = self.slots.get(at) {
            if *place == 0 || *known == hash && is(*place as usize - 1) {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn find(&self, hash: u32, is: &mut dyn FnMut(usize) -> bool) -> Option<usize> {
        let (_, place) = self.slots.get(self.slot(hash, is))?;
        (*place as usize).checked_sub(1)
    }

    fn insert(&mut self, hash: u32, place: usize) {
        self.taken += 1;
        if 2 * self.taken > self.slots.len() {
            let room = (2 * self.slots.len()).max(64);
            let old = core::mem::replace(&mut self.slots, vec![(0, 0); room]);
            for (hash, place) in old {
                if place != 0 {
                    self.put(hash, place);
                }
            }
        }
        self.put(hash, place as u32 + 1);
    }

    fn put(&mut self, hash: u32, place: u32) {
        let at = self.slot(hash, &mut |_| false);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = (hash, place);
        }
    }
}

fn hash(number: u64) -> u32 {
    ((number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
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
            counters: Counters {
                sent,
                received: sent / 2,
                retransmits: sent / 100,
            },
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
            .map(|row| row.of.added.sent)
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
        let carried = rows
            .iter()
            .map(|row| row.of.added)
            .map(|added| (added.sent, added.received, added.retransmits));
        assert!(carried.eq([(0, 0, 0), (300, 150, 3)]));
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
        // Of a socket that is not known, nothing is known.
        rates.destroyed(3, &sample(3, 1, 5700).counters);
        rates.begin();
        rates.seen(&mut sample(2, 1, 20));
        rates.end();
        assert_eq!((sent(&rates), rates.ended), (vec![710], 1));
        let mut table = Rows::default();
        table.make(&rates, By::Path);
        assert_eq!((table.rows[0].subflows, table.total.subflows), (1, 1));
        look(&mut rates, &[sample(2, 1, 20)]);
        assert_eq!((sent(&rates), rates.ended), (vec![0], 0));
        assert_eq!(rates.subflows.len(), 1);
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
        assert_eq!(rows(&rates, By::Path)[0].subflows, 1);
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
        assert_eq!((table.total.connections, table.total.subflows), (2, 4));
    }

    #[test]
    fn the_median_is_the_middle_one_and_the_worst_the_largest() {
        for (count, median, worst) in [(1, 100, 100), (2, 100, 200), (3, 200, 300), (9, 500, 900)] {
            let mut rates = Rates::default();
            let samples: Vec<_> = (1..=count).rev().map(|at| sample(at, 1, 0)).collect();
            look(&mut rates, &samples);
            let row = rows(&rates, By::Path)[0];
            assert_eq!((row.of.rtt, row.worst), (median, worst), "{count}");
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
        // What gets something through is not stale.
        let mut through = waiting;
        through.counters.sent = 1;
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
        assert!(
            rates.cookies.slots.len() <= 512,
            "{}",
            rates.cookies.slots.len()
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
}
