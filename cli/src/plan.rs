//! From what a state file says and what is there, to the steps in between.
//!
//! Nothing here asks the kernel: [`expand`] turns lines and the addresses of
//! interfaces into the endpoints wanted, [`steps`] compares those with the
//! endpoints present. What already fits is in no step, so its subflows stay.

use std::net::{IpAddr, Ipv4Addr};

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use crate::error::Error;
use crate::grammar::endpoint::{Family, CHANGEABLE};
use crate::grammar::limits::LimitWords;
pub use crate::grammar::same;
use crate::grammar::state::{put_endpoint, put_limits, Declared, File, Mistake};

/// An interface.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// It is up and has a carrier.
    pub usable: bool,
}

/// An address of an interface, once it is known not to be a duplicate.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Index of the interface.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// New connections can have it as their source: of global scope, neither
    /// deprecated nor temporary.
    pub source: bool,
}

/// What interfaces there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// For each line of the file the index of its interface, 0 where it has
    /// none or there is no such interface.
    pub indexes: Vec<u32>,
    /// The interfaces.
    pub links: Vec<Link>,
    /// Their addresses, in the kernel's order.
    pub addresses: Vec<Address>,
}

impl Seen {
    /// Whether the interface can carry packets.
    pub fn usable(&self, index: u32) -> bool {
        self.links
            .iter()
            .any(|link| link.index == index && link.usable)
    }

    /// The index of the interface of a line, by the place of the line.
    fn index(&self, place: usize) -> u32 {
        self.indexes.get(place).copied().unwrap_or(0)
    }

    fn has(&self, index: u32, address: IpAddr) -> bool {
        self.addresses
            .iter()
            .any(|of| of.index == index && same(of.address, address))
    }

    /// Whether a line without an address stands for this one, on the interface
    /// with this index: for none while that cannot carry packets.
    pub fn is_meant(&self, of: &Address, declared: &Declared, index: u32) -> bool {
        let family = match declared.said.family {
            None => true,
            Some(family) => of.address.is_ipv6() == (family == Family::V6),
        };
        index != 0 && of.index == index && of.source && family && self.usable(index)
    }
}

/// An endpoint, present or wanted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The address.
    pub address: IpAddr,
    /// The port; 0 is none.
    pub port: u16,
    /// The id; 0 is any.
    pub id: u8,
    /// The flags.
    pub flags: EndpointFlags,
    /// Index of the interface; 0 is none.
    pub index: u32,
}

impl Entry {
    /// None: where a step is about no endpoint.
    pub const NONE: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 0,
        id: 0,
        flags: EndpointFlags(0),
        index: 0,
    };

    /// What the kernel told of an endpoint; `None` without an address.
    pub fn of(endpoint: &Endpoint) -> Option<Self> {
        Some(Self {
            address: endpoint.address()?,
            port: endpoint.port().unwrap_or(0),
            id: endpoint.id().unwrap_or(0),
            flags: endpoint.flags().unwrap_or_default(),
            index: endpoint.if_idx().unwrap_or(0) as u32,
        })
    }

    /// What the kernel is told; what is 0 is left out.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(self.address);
        if self.id != 0 {
            endpoint = endpoint.with_id(self.id);
        }
        if self.flags.0 != 0 {
            endpoint = endpoint.with_flags(self.flags);
        }
        if self.index != 0 {
            endpoint = endpoint.with_if_idx(self.index as i32);
        }
        if self.port != 0 {
            endpoint = endpoint.with_port(self.port);
        }
        endpoint
    }

    /// Whether the kernel could not hold both: the port belongs to the
    /// address, the interface does not.
    pub fn clashes(&self, other: &Self) -> bool {
        self.port == other.port && same(self.address, other.address)
    }

    /// Whether the kernel made it.
    pub fn is_implicit(&self) -> bool {
        self.flags.contains(EndpointFlags::IMPLICIT)
    }
}

/// An endpoint that a file asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The endpoint; id 0 is whichever it has or gets.
    pub entry: Entry,
    /// The line of the file.
    pub line: u32,
    /// It is one of those that `dev` without an address stands for: where the
    /// kernel has no room it is left out.
    pub spread: bool,
    /// The id that it had when it was there last, 0 if none is known.
    pub had: u8,
}

/// A set of ids.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids([u64; 4]);

impl Ids {
    /// Adds an id; 0 is none and adds nothing.
    pub fn add(&mut self, id: u8) {
        if let (Some(word), true) = (self.0.get_mut(usize::from(id >> 6)), id != 0) {
            *word |= 1 << (id & 63);
        }
    }

    /// Whether the id is in it.
    pub fn has(&self, id: u8) -> bool {
        self.0
            .get(usize::from(id >> 6))
            .is_some_and(|word| word >> (id & 63) & 1 == 1)
    }

    fn lowest_outside(&self) -> Option<u8> {
        (1..=255).find(|id| !self.has(*id))
    }

    /// Adds all of the other set.
    fn add_all(&mut self, other: &Self) {
        for id in 1..=255 {
            if other.has(id) {
                self.add(id);
            }
        }
    }
}

/// What a file wants in view of the interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The endpoints, by line.
    pub wanted: Vec<Wanted>,
    /// Ids of lines that have no endpoint at the moment: not to be given to
    /// others meanwhile.
    pub reserved: Ids,
}

impl Wish {
    /// Adds what a line wants of this address.
    fn add(&mut self, declared: &Declared, address: IpAddr, index: u32) {
        let said = &declared.said;
        self.wanted.push(Wanted {
            entry: Entry {
                address,
                port: said.port.unwrap_or(0),
                id: 0,
                flags: said.set,
                index,
            },
            line: declared.line,
            spread: said.address.is_none(),
            had: 0,
        });
    }

    /// One of the endpoints from `begin` on has the id: that which has it
    /// already, or the first. Where there are none it is reserved.
    fn give_id(&mut self, id: u8, begin: usize, present: &[Entry]) {
        let own = self.wanted.get_mut(begin..).unwrap_or(&mut []);
        let mut holder = 0;
        for (at, wanted) in own.iter().enumerate().rev() {
            for there in present {
                if there.id == id && there.clashes(&wanted.entry) {
                    holder = at;
                }
            }
        }
        match own.get_mut(holder) {
            Some(wanted) => wanted.entry.id = id,
            None => self.reserved.add(id),
        }
    }
}

/// More endpoints than these cannot have ids.
const MOST: usize = 255;

/// What the file wants. An address with an interface that is not there is a
/// mistake; with `follow` its line waits instead until the interface can
/// carry packets and has the address.
///
/// Where two lines mean the same address, the line that writes it out counts,
/// and of two interfaces that both have it the one that is named first.
pub fn expand(
    file: &File,
    seen: &Seen,
    present: &[Entry],
    follow: bool,
    mistakes: &mut Vec<Mistake>,
) -> Wish {
    let mut wish = Wish::default();
    for pass in 0..2 {
        for (place, declared) in file.endpoints.iter().enumerate() {
            // Addresses that are written out come first.
            if declared.said.address.is_none() != (pass == 1) {
                continue;
            }
            let index = seen.index(place);
            let begin = wish.wanted.len();
            if let Some(address) = declared.said.address {
                match &declared.dev {
                    Some(_) if follow => {
                        if index != 0 && seen.usable(index) && seen.has(index, address) {
                            wish.add(declared, address, index);
                        }
                    }
                    dev => {
                        if let (Some(dev), 0) = (dev, index) {
                            mistakes.push(Mistake {
                                line: declared.line,
                                error: Error::invalid(dev, "device does not exist"),
                            });
                        }
                        wish.add(declared, address, index);
                    }
                }
            } else {
                for of in &seen.addresses {
                    let taken = || {
                        let mut others = wish.wanted.iter();
                        let port = declared.said.port.unwrap_or(0);
                        others.any(|other| {
                            other.entry.port == port && same(other.entry.address, of.address)
                        })
                    };
                    if wish.wanted.len() < MOST && seen.is_meant(of, declared, index) && !taken() {
                        wish.add(declared, of.address, index);
                    }
                }
            }
            wish.give_id(declared.said.id.unwrap_or(0), begin, present);
        }
    }
    by_line(&mut wish.wanted);
    wish
}

/// Sorts by line, those of one line in their order. A few at most, so the
/// simplest way does.
fn by_line(wanted: &mut [Wanted]) {
    for end in 1..wanted.len() {
        let mut at = end;
        while let Some([before, this]) = at.checked_sub(1).and_then(|at| wanted.get_mut(at..at + 2))
        {
            if before.line <= this.line {
                break;
            }
            core::mem::swap(before, this);
            at -= 1;
        }
    }
}

/// What is done to endpoints or limits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sets limits.
    Limits,
    /// Deletes all endpoints.
    Flush,
    /// Deletes an endpoint.
    Delete,
    /// Changes backup and fullmesh.
    Change,
    /// Adds an endpoint.
    Add,
}

/// One change, as the kernel can be asked for it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The endpoint that it is about, as it is; to be added, id 0 lets the
    /// kernel choose. For limits and all endpoints it means nothing.
    pub entry: Entry,
    /// To change: all its flags as they are to be.
    pub flags: EndpointFlags,
    /// Limits that change, and to what.
    pub limits: LimitWords,
    /// The line of the file that asks for it; 0 for what no line names.
    pub line: u32,
    /// To add: it is left out where the kernel has no room.
    pub spread: bool,
}

impl Step {
    /// With an endpoint, and for no line.
    #[inline(never)]
    pub fn new(action: Action, entry: &Entry) -> Self {
        Self {
            action,
            entry: *entry,
            flags: entry.flags,
            limits: LimitWords::default(),
            line: 0,
            spread: false,
        }
    }

    /// Whether it is about one endpoint.
    pub fn has_entry(&self) -> bool {
        !matches!(self.action, Action::Limits | Action::Flush)
    }

    /// The command that does it. `dev` is the name of its interface.
    pub fn command(&self, dev: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let entry = &self.entry;
        match self.action {
            Action::Limits => put_limits(&mut out, &self.limits),
            Action::Flush => out.extend_from_slice(b"endpoint flush"),
            Action::Add => {
                let address = Some(entry.address);
                put_endpoint(&mut out, address, entry.port, entry.id, entry.flags, dev);
            }
            Action::Delete | Action::Change => {
                // The address is there for whoever reads it, and against
                // deleting what has taken the id meanwhile.
                out.extend_from_slice(b"endpoint ");
                out.extend_from_slice(self.name().as_bytes());
                out.extend_from_slice(b" id ");
                out.extend_from_slice(crate::output::number(entry.id.into()).as_bytes());
                out.push(b' ');
                out.extend_from_slice(&crate::output::address(entry.address));
                for (flag, name) in &[
                    (EndpointFlags::BACKUP, "backup"),
                    (EndpointFlags::FULLMESH, "fullmesh"),
                ] {
                    let set = self.flags.contains(*flag);
                    if entry.flags.contains(*flag) != set {
                        out.extend_from_slice(if set { b" " } else { b" no" });
                        out.extend_from_slice(name.as_bytes());
                    }
                }
            }
        }
        out
    }

    /// What is done, in a word.
    pub fn name(&self) -> &'static str {
        match self.action {
            Action::Limits => "limits",
            Action::Flush => "flush",
            Action::Delete => "delete",
            Action::Change => "change",
            Action::Add => "add",
        }
    }
}

/// What becomes of endpoints that nobody wants.
#[derive(Copy, Clone)]
pub enum Others<'a> {
    /// They are deleted.
    Go,
    /// They stay, but for these. That one of them has an id that is wanted is
    /// a conflict.
    StayBut(&'a [Entry]),
    /// They stay unless their id is wanted.
    GiveWay,
}

/// An endpoint that is to stay has an id that is wanted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The endpoint that has it.
    pub holder: Entry,
    /// The line that wants it.
    pub line: u32,
}

const KNOWN: EndpointFlags = EndpointFlags(
    EndpointFlags::SIGNAL.0 | EndpointFlags::SUBFLOW.0 | EndpointFlags::LAMINAR.0 | CHANGEABLE.0,
);

/// The fewest changes that make of the endpoints `present` those of the wish.
///
/// Endpoints that the kernel made itself stay, unless a wanted one takes
/// their address or id. Ids that were asked for are given before those that
/// the kernel may choose.
pub fn steps(
    wish: &Wish,
    present: &[Entry],
    others: Others,
    out: &mut Vec<Step>,
) -> Result<(), Conflict> {
    let mut asked = Ids::default();
    for wanted in &wish.wanted {
        asked.add(wanted.entry.id);
    }
    // By their ids, which are different: those that are wanted, and those that
    // stay as they are.
    let mut met = Ids::default();
    let mut stays = Ids::default();
    let mut adds: Vec<Wanted> = Vec::new();
    for wanted in &wish.wanted {
        let mut wanted = *wanted;
        let entry = &mut wanted.entry;
        let Some(there) = present.iter().find(|there| there.clashes(entry)) else {
            adds.push(wanted);
            continue;
        };
        met.add(there.id);
        // Without a wish it keeps its id, unless another one asks for that.
        let keeps_id = entry.id == there.id || entry.id == 0 && !asked.has(there.id);
        if keeps_id {
            entry.id = there.id;
        }
        let differ = EndpointFlags(entry.flags.0 ^ there.flags.0) & KNOWN;
        if keeps_id && there.is_implicit() {
            // Added without an id, it takes the place of the kernel's own.
            stays.add(there.id);
            entry.id = 0;
            adds.push(wanted);
        } else if !keeps_id || entry.index != there.index || (differ & !CHANGEABLE).0 != 0 {
            adds.push(wanted);
        } else {
            stays.add(there.id);
        }
    }
    for there in present {
        if met.has(there.id) {
            continue;
        }
        let in_the_way = asked.has(there.id);
        let remains = match others {
            Others::GiveWay => !in_the_way,
            _ if there.is_implicit() => !in_the_way,
            Others::Go => false,
            Others::StayBut(gone) if gone.iter().any(|entry| entry.clashes(there)) => false,
            Others::StayBut(_) => {
                for wanted in &wish.wanted {
                    if in_the_way && wanted.entry.id == there.id {
                        return Err(Conflict {
                            holder: *there,
                            line: wanted.line,
                        });
                    }
                }
                true
            }
        };
        if remains {
            stays.add(there.id);
        }
    }
    let all_go = present.len() > 1 && stays == Ids::default();
    if all_go {
        out.push(Step::new(Action::Flush, &Entry::NONE));
    }
    for there in present {
        if !all_go && !stays.has(there.id) {
            out.push(Step::new(Action::Delete, there));
        }
    }
    for wanted in &wish.wanted {
        for there in present {
            let flags = wanted.entry.flags;
            let changed = EndpointFlags(flags.0 ^ there.flags.0) & CHANGEABLE;
            if changed.0 != 0
                && stays.has(there.id)
                && !there.is_implicit()
                && there.clashes(&wanted.entry)
            {
                let mut step = Step::new(Action::Change, there);
                step.flags = flags;
                step.line = wanted.line;
                out.push(step);
            }
        }
    }
    let replaces = |entry: &Entry| {
        let mut all = present.iter();
        all.any(|there| stays.has(there.id) && there.clashes(entry))
    };
    // Ids of those that stay, of those that ask, and then of those chosen here.
    let mut taken = asked;
    taken.add_all(&stays);
    for wanted in &adds {
        taken.add(wanted.entry.id);
    }
    for Wanted { entry, had, .. } in &mut adds {
        if entry.id == 0 && *had != 0 && !taken.has(*had) && !replaces(entry) {
            entry.id = *had;
        }
        taken.add(entry.id);
    }
    let mut closed = taken;
    closed.add_all(&wish.reserved);
    // The kernel knows nothing of reserved ids, so it is not left to choose.
    if closed != taken {
        for Wanted { entry, .. } in &mut adds {
            if entry.id == 0 && !replaces(entry) {
                entry.id = closed.lowest_outside().unwrap_or(0);
                closed.add(entry.id);
            }
        }
    }
    for pass in 0..2 {
        for wanted in &adds {
            // Those with an id come first.
            if (wanted.entry.id == 0) == (pass == 1) {
                let mut step = Step::new(Action::Add, &wanted.entry);
                step.line = wanted.line;
                step.spread = wanted.spread;
                out.push(step);
            }
        }
    }
    Ok(())
}

/// The step that makes the limits those that the file names, if it takes one.
pub fn limits_step(file: &File, present: &Limits, out: &mut Vec<Step>) {
    let mut limits = file.limits;
    if limits.subflows == present.subflows() {
        limits.subflows = None;
    }
    if limits.add_addr_accepted == present.add_addr_accepted() {
        limits.add_addr_accepted = None;
    }
    if limits != LimitWords::default() {
        let mut step = Step::new(Action::Limits, &Entry::NONE);
        step.limits = limits;
        step.line = file.limits_line;
        out.push(step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::state::parse;

    /// The kernel's rules, as far as steps can break them.
    struct Kernel(Vec<Entry>);

    impl Kernel {
        fn carry_out(&mut self, steps: &[Step]) {
            for step in steps {
                let entry = &step.entry;
                match step.action {
                    Action::Limits => {}
                    Action::Flush => self.0.clear(),
                    Action::Delete => {
                        let before = self.0.len();
                        self.0.retain(|there| there.id != entry.id);
                        assert_eq!(self.0.len() + 1, before, "{step:?}");
                    }
                    Action::Change => {
                        let there = self.0.iter_mut().find(|there| there.id == entry.id);
                        let there = there.expect("an endpoint to change");
                        assert_eq!(there, entry);
                        there.flags = (there.flags & !CHANGEABLE) | (step.flags & CHANGEABLE);
                    }
                    Action::Add => self.add(entry),
                }
            }
        }

        fn add(&mut self, entry: &Entry) {
            let mut entry = *entry;
            if let Some(at) = self.0.iter().position(|there| there.clashes(&entry)) {
                assert!(
                    self.0[at].is_implicit() && entry.id == 0,
                    "EEXIST: {entry:?}"
                );
                entry.id = self.0.remove(at).id;
            }
            if entry.id == 0 {
                // Any that is free; the highest is the one least expected.
                let free = |id: &u8| self.0.iter().all(|there| there.id != *id);
                entry.id = (1..=255).rev().find(free).expect("an id");
            }
            assert!(
                self.0.iter().all(|there| there.id != entry.id),
                "EBUSY: {entry:?}"
            );
            self.0.push(entry);
            self.0.sort_by_key(|there| there.id);
        }
    }

    /// xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % limit
        }

        fn entry(&mut self, id: u8) -> Entry {
            let flags = [1, 2, 3, 4, 6, 10, 14, 34];
            Entry {
                address: IpAddr::from([10, 0, 0, self.below(6) as u8]),
                port: self.below(2) as u16,
                id,
                flags: EndpointFlags(flags[self.below(8) as usize]),
                index: self.below(2) as u32,
            }
        }
    }

    fn fits(there: &Entry, wanted: &Wanted) -> bool {
        let of = &wanted.entry;
        there.clashes(of)
            && (of.id == 0 || of.id == there.id)
            && there.flags == of.flags
            && there.index == of.index
    }

    /// From any state to any other: the kernel can carry out each step, then holds what was
    /// wanted, and nothing is left to do; what fitted was never touched.
    #[test]
    fn steps_lead_from_anything_to_anything() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..50_000 {
            let mut present: Vec<Entry> = Vec::new();
            for _ in 0..random.below(7) {
                let id = 1 + random.below(9) as u8;
                let mut entry = random.entry(id);
                if random.below(8) == 0 {
                    entry.flags |= EndpointFlags::IMPLICIT;
                }
                let apart = |there: &Entry| there.id != id && !there.clashes(&entry);
                if present.iter().all(apart) {
                    present.push(entry);
                }
            }
            present.sort_by_key(|there| there.id);
            let mut wish = Wish::default();
            for line in 1..=1 + random.below(6) as u32 {
                let id = random.below(9) as u8 * (random.below(2) as u8);
                let mut entry = random.entry(id);
                if let (Some(there), 0) = (present.first(), random.below(3)) {
                    entry = Entry { id, ..*there };
                    entry.flags = entry.flags & !EndpointFlags::IMPLICIT;
                }
                let had = random.below(12) as u8;
                let apart = |other: &Wanted| {
                    (id == 0 || other.entry.id != id) && !other.entry.clashes(&entry)
                };
                if wish.wanted.iter().all(apart) {
                    wish.wanted.push(Wanted {
                        entry,
                        line,
                        spread: false,
                        had,
                    });
                }
            }
            for _ in 0..random.below(4) {
                wish.reserved.add(random.below(12) as u8);
            }
            let gone = present.first().copied();
            let others = match random.below(3) {
                0 => Others::Go,
                1 => Others::StayBut(gone.as_slice()),
                _ => Others::GiveWay,
            };
            let mut taken = Vec::new();
            if let Err(conflict) = steps(&wish, &present, others, &mut taken) {
                assert!(matches!(others, Others::StayBut(_)));
                let id = conflict.holder.id;
                let wants = |wanted: &Wanted| (wanted.line, wanted.entry.id) == (conflict.line, id);
                assert!(wish.wanted.iter().any(wants));
                continue;
            }
            let mut kernel = Kernel(present.clone());
            kernel.carry_out(&taken);
            let about = || (&present, &wish, &taken, &kernel.0);
            for wanted in &wish.wanted {
                let held = kernel.0.iter().filter(|there| fits(there, wanted));
                assert_eq!(held.count(), 1, "{:?}", about());
            }
            let asked = |id: u8| wish.wanted.iter().any(|wanted| wanted.entry.id == id);
            for there in &present {
                let wanted = wish
                    .wanted
                    .iter()
                    .find(|wanted| wanted.entry.clashes(there));
                let fitted = wanted.is_some_and(|wanted| {
                    fits(there, wanted) && (wanted.entry.id != 0 || !asked(there.id))
                });
                let stays = wanted.is_none()
                    && !asked(there.id)
                    && (there.is_implicit()
                        || match others {
                            Others::Go => false,
                            Others::StayBut(gone) => !gone.contains(there),
                            Others::GiveWay => true,
                        });
                if fitted || stays {
                    assert!(kernel.0.contains(there), "{:?}", about());
                    let mut touching = taken.iter().filter(|step| {
                        step.action == Action::Flush
                            || step.has_entry() && step.entry.clashes(there)
                    });
                    assert_eq!(touching.next(), None, "{:?}", about());
                }
            }
            let mut more = Vec::new();
            let _ = steps(&wish, &kernel.0, others, &mut more);
            assert_eq!(more, [], "{:?}", about());
        }
    }

    #[test]
    fn ids_are_a_set() {
        let mut ids = Ids::default();
        ids.add(0);
        assert_eq!(ids, Ids::default());
        for id in 1..=255 {
            assert!(!ids.has(id));
            assert_eq!(ids.lowest_outside(), Some(id));
            ids.add(id);
            assert!(ids.has(id));
        }
        assert_eq!(ids.lowest_outside(), None);
    }

    fn seen() -> Seen {
        let address = |index, address: &str, source| Address {
            index,
            address: address.parse().expect("an address"),
            source,
        };
        Seen {
            indexes: Vec::new(),
            links: vec![
                Link {
                    index: 1,
                    usable: true,
                },
                Link {
                    index: 2,
                    usable: false,
                },
                Link {
                    index: 3,
                    usable: true,
                },
            ],
            addresses: vec![
                address(1, "10.1.0.1", true),
                address(1, "10.1.0.2", false),
                address(2, "10.2.0.1", true),
                address(3, "10.3.0.1", true),
                address(3, "10.1.0.1", true),
                address(3, "fd00::3", true),
            ],
        }
    }

    /// What lines stand for, where `a`, `b`, `c` are the interfaces 1, 2 and 3.
    fn expanded(text: &str, follow: bool) -> (Vec<String>, usize) {
        let mut file = File::default();
        let mistakes = parse(text.as_bytes(), &mut file);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let index = |dev: &str| ["", "a", "b", "c"].iter().position(|name| *name == dev);
        let mut seen = seen();
        let of = |declared: &Declared| index(declared.dev.as_deref().unwrap_or(""));
        seen.indexes = file
            .endpoints
            .iter()
            .map(|declared| of(declared).unwrap_or(0) as u32)
            .collect();
        let mut mistakes = Vec::new();
        let wish = expand(&file, &seen, &[], follow, &mut mistakes);
        let print = |wanted: &Wanted| {
            let id = wanted.entry.id.to_string();
            [wanted.entry.address.to_string(), id].join(" ")
        };
        (wish.wanted.iter().map(print).collect(), mistakes.len())
    }

    #[test]
    fn lines_stand_for_the_addresses_of_usable_interfaces() {
        for (text, follow, wanted) in [
            ("endpoint add dev a", false, vec!["10.1.0.1 0"]),
            ("endpoint add dev b", false, vec![]),
            ("endpoint add dev nowhere", false, vec![]),
            ("endpoint add dev c -6 id 7", false, vec!["fd00::3 7"]),
            (
                "endpoint add dev c id 7\nendpoint add dev a",
                false,
                vec!["10.3.0.1 7", "10.1.0.1 0", "fd00::3 0"],
            ),
            (
                "endpoint add dev a\nendpoint add 10.1.0.1 id 3",
                false,
                vec!["10.1.0.1 3"],
            ),
            // As written, whether or not the interface has it, unless it is followed.
            ("endpoint add 10.1.0.2 dev a", true, vec!["10.1.0.2 0"]),
            ("endpoint add 10.9.0.9 dev a", false, vec!["10.9.0.9 0"]),
            ("endpoint add 10.9.0.9 dev a", true, vec![]),
            ("endpoint add 10.2.0.1 dev b", true, vec![]),
            ("endpoint add 10.2.0.1 dev nowhere", true, vec![]),
            ("endpoint add 10.9.0.9", true, vec!["10.9.0.9 0"]),
        ] {
            assert_eq!(expanded(text, follow).0, wanted, "{text}");
        }
        assert_eq!(expanded("endpoint add 10.2.0.1 dev nowhere", false).1, 1);
    }

    #[test]
    fn what_a_line_waits_with_is_not_given_to_others() {
        let mut file = File::default();
        let text = b"endpoint add dev b id 4\nendpoint add 10.2.0.1 dev b id 9";
        parse(text, &mut file);
        let mut seen = seen();
        seen.indexes = vec![2, 2];
        let wish = expand(&file, &seen, &[], true, &mut Vec::new());
        assert!(wish.wanted.is_empty());
        assert!(wish.reserved.has(4) && wish.reserved.has(9));
    }
}
