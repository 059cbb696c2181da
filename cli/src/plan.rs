//! From what a state file says and what is there, to the steps in between.
//!
//! Nothing here asks the kernel: [`expand`] turns lines and the addresses of
//! interfaces into the endpoints wanted, [`steps`] compares those with the
//! endpoints present. What already fits is in no step, so its subflows stay.

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use crate::error::Error;
use crate::grammar::endpoint::{Family, CHANGEABLE};
use crate::grammar::limits::LimitWords;
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

    fn has(&self, index: u32, address: IpAddr) -> bool {
        self.addresses
            .iter()
            .any(|of| of.index == index && same(of.address, address))
    }
}

/// Whether two addresses are one to the kernel, which takes an IPv4 address
/// mapped into IPv6 for the address itself.
pub fn same(one: IpAddr, other: IpAddr) -> bool {
    one.to_canonical() == other.to_canonical()
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

    fn any_outside(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(other.0)
            .any(|(own, other)| own & !other != 0)
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
    let indexes = || seen.indexes.iter().copied().chain(core::iter::repeat(0));
    for (declared, index) in file.endpoints.iter().zip(indexes()) {
        let Some(address) = declared.said.address else {
            continue;
        };
        let id = declared.said.id.unwrap_or(0);
        if let Some(dev) = &declared.dev {
            if follow && !(index != 0 && seen.usable(index) && seen.has(index, address)) {
                wish.reserved.add(id);
                continue;
            }
            if index == 0 {
                mistakes.push(Mistake {
                    line: declared.line,
                    error: Error::invalid(dev, "device does not exist"),
                });
            }
        }
        wish.wanted.push(Wanted {
            entry: Entry {
                address,
                port: declared.said.port.unwrap_or(0),
                id,
                flags: declared.said.set,
                index,
            },
            line: declared.line,
            spread: false,
            had: 0,
        });
    }
    for (declared, index) in file.endpoints.iter().zip(indexes()) {
        if declared.said.address.is_some() {
            continue;
        }
        let id = declared.said.id.unwrap_or(0);
        let begin = wish.wanted.len();
        for address in sources(declared, index, seen) {
            let entry = Entry {
                address,
                port: declared.said.port.unwrap_or(0),
                id: 0,
                flags: declared.said.set,
                index,
            };
            let taken = wish.wanted.iter().any(|other| other.entry.clashes(&entry));
            if !taken && wish.wanted.len() < MOST {
                wish.wanted.push(Wanted {
                    entry,
                    line: declared.line,
                    spread: true,
                    had: 0,
                });
            }
        }
        // One address has the id: that which has it already, or the first.
        let own = wish.wanted.get_mut(begin..).unwrap_or(&mut []);
        let holds = |wanted: &Wanted| {
            present
                .iter()
                .any(|there| there.id == id && there.clashes(&wanted.entry))
        };
        let holder = own.iter().position(holds).unwrap_or(0);
        match own.get_mut(holder) {
            Some(wanted) => wanted.entry.id = id,
            None => wish.reserved.add(id),
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

/// The addresses that a line without an address stands for, on the interface
/// with this index: none while it cannot carry packets.
pub fn sources<'s>(
    declared: &Declared,
    index: u32,
    seen: &'s Seen,
) -> impl Iterator<Item = IpAddr> + 's {
    let family = declared.said.family;
    let usable = index != 0 && seen.usable(index);
    seen.addresses
        .iter()
        .filter(move |of| usable && of.index == index && of.source)
        .map(|of| of.address)
        .filter(move |address| match family {
            None => true,
            Some(Family::V4) => address.is_ipv4(),
            Some(Family::V6) => address.is_ipv6(),
        })
}

/// One change, as the kernel can be asked for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Sets limits.
    Limits {
        /// Those that change, and to what.
        to: LimitWords,
        /// The line of the file.
        line: u32,
    },
    /// Deletes all endpoints.
    Flush,
    /// Deletes an endpoint.
    Delete(Entry),
    /// Changes backup and fullmesh.
    Change {
        /// The endpoint as it is.
        entry: Entry,
        /// All its flags as they are to be.
        flags: EndpointFlags,
        /// The line of the file.
        line: u32,
    },
    /// Adds an endpoint.
    Add {
        /// The endpoint; id 0 lets the kernel choose.
        entry: Entry,
        /// The line of the file.
        line: u32,
        /// It is left out where the kernel has no room.
        spread: bool,
    },
}

impl Step {
    /// The line of the file that asks for it; 0 for what no line names.
    pub fn line(&self) -> u32 {
        match self {
            Self::Flush | Self::Delete(_) => 0,
            Self::Limits { line, .. } | Self::Change { line, .. } | Self::Add { line, .. } => *line,
        }
    }

    /// The command that does it. `dev` is the name of its interface.
    pub fn command(&self, dev: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Limits { to, .. } => put_limits(&mut out, to),
            Self::Flush => out.extend_from_slice(b"endpoint flush"),
            Self::Delete(entry) => put_chosen(&mut out, "delete", entry),
            Self::Change { entry, flags, .. } => {
                put_chosen(&mut out, "change", entry);
                for (flag, set, clear) in [
                    (EndpointFlags::BACKUP, " backup", " nobackup"),
                    (EndpointFlags::FULLMESH, " fullmesh", " nofullmesh"),
                ] {
                    match (entry.flags.contains(flag), flags.contains(flag)) {
                        (false, true) => out.extend_from_slice(set.as_bytes()),
                        (true, false) => out.extend_from_slice(clear.as_bytes()),
                        _ => {}
                    }
                }
            }
            Self::Add { entry, .. } => {
                let Entry {
                    address,
                    port,
                    id,
                    flags,
                    ..
                } = *entry;
                put_endpoint(&mut out, Some(address), port, id, flags, dev);
            }
        }
        out
    }

    /// The endpoint that it is about.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Limits { .. } | Self::Flush => None,
            Self::Delete(entry) | Self::Change { entry, .. } | Self::Add { entry, .. } => {
                Some(entry)
            }
        }
    }

    /// What is done, in a word.
    pub fn action(&self) -> &'static str {
        match self {
            Self::Limits { .. } => "limits",
            Self::Flush => "flush",
            Self::Delete(_) => "delete",
            Self::Change { .. } => "change",
            Self::Add { .. } => "add",
        }
    }
}

/// `endpoint delete id 3 10.0.0.1`: the address is there for whoever reads
/// it, and against deleting what has taken the id meanwhile.
fn put_chosen(out: &mut Vec<u8>, action: &str, entry: &Entry) {
    out.extend_from_slice(b"endpoint ");
    out.extend_from_slice(action.as_bytes());
    out.extend_from_slice(b" id ");
    out.extend_from_slice(crate::output::number(entry.id.into()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(&crate::output::address(entry.address));
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
    /// Who wants it.
    pub wanted: Wanted,
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
    let mut stays = vec![true; present.len()];
    let mut changes = Vec::new();
    let mut adds: Vec<(Entry, &Wanted)> = Vec::new();
    let mut met = vec![false; present.len()];
    for wanted in &wish.wanted {
        let at = present
            .iter()
            .position(|there| there.clashes(&wanted.entry));
        let (Some(at), mut entry) = (at, wanted.entry) else {
            adds.push((wanted.entry, wanted));
            continue;
        };
        let Some(((there, stays), met)) =
            present.get(at).zip(stays.get_mut(at)).zip(met.get_mut(at))
        else {
            continue;
        };
        *met = true;
        // Without a wish it keeps its id, unless another one asks for that.
        let keeps_id = entry.id == there.id || entry.id == 0 && !asked.has(there.id);
        if there.is_implicit() {
            // Added without an id, it takes the place of the kernel's own.
            if keeps_id {
                entry.id = 0;
            } else {
                *stays = false;
            }
            adds.push((entry, wanted));
            continue;
        }
        if keeps_id {
            entry.id = there.id;
        }
        let differ = EndpointFlags(entry.flags.0 ^ there.flags.0) & KNOWN;
        if !keeps_id || entry.index != there.index || (differ & !CHANGEABLE).0 != 0 {
            *stays = false;
            adds.push((entry, wanted));
        } else if differ.0 != 0 {
            changes.push(Step::Change {
                entry: *there,
                flags: entry.flags,
                line: wanted.line,
            });
        }
    }
    for ((there, stays), met) in present.iter().zip(&mut stays).zip(&met) {
        if *met {
            continue;
        }
        let in_the_way = asked.has(there.id);
        *stays = if there.is_implicit() {
            !in_the_way
        } else {
            match others {
                Others::Go => false,
                Others::StayBut(gone) if gone.iter().any(|entry| entry.clashes(there)) => false,
                Others::GiveWay => !in_the_way,
                Others::StayBut(_) => {
                    let wants = |wanted: &&Wanted| wanted.entry.id == there.id;
                    if let Some(wanted) = wish.wanted.iter().find(wants).filter(|_| in_the_way) {
                        return Err(Conflict {
                            holder: *there,
                            wanted: *wanted,
                        });
                    }
                    true
                }
            }
        };
    }
    let going = || present.iter().zip(&stays).filter(|(_, stays)| !**stays);
    if going().count() > 1 && !stays.contains(&true) {
        out.push(Step::Flush);
    } else {
        out.extend(going().map(|(there, _)| Step::Delete(*there)));
    }
    out.append(&mut changes);
    // Ids of those that stay, of those that ask, and then of those chosen here.
    let mut taken = asked;
    let mut there_still = Ids::default();
    for (there, stays) in present.iter().zip(&stays) {
        if *stays {
            taken.add(there.id);
            there_still.add(there.id);
        }
    }
    for (entry, _) in &adds {
        taken.add(entry.id);
    }
    for (entry, wanted) in &mut adds {
        let replaces = present
            .iter()
            .zip(&stays)
            .any(|(there, stays)| *stays && there.clashes(entry));
        if entry.id == 0 && !replaces && wanted.had != 0 && !taken.has(wanted.had) {
            entry.id = wanted.had;
        }
        taken.add(entry.id);
    }
    let mut closed = taken;
    for (own, more) in closed.0.iter_mut().zip(wish.reserved.0) {
        *own |= more;
    }
    // The kernel knows nothing of reserved ids, so it is not left to choose.
    if wish.reserved.any_outside(&taken) {
        for (entry, _) in &mut adds {
            let replaces = present
                .iter()
                .zip(&stays)
                .any(|(there, stays)| *stays && there.clashes(entry));
            if entry.id == 0 && !replaces {
                entry.id = closed.lowest_outside().unwrap_or(0);
                closed.add(entry.id);
            }
        }
    }
    for with_id in [true, false] {
        let chosen = adds.iter().filter(|(entry, _)| (entry.id != 0) == with_id);
        out.extend(chosen.map(|(entry, wanted)| Step::Add {
            entry: *entry,
            line: wanted.line,
            spread: wanted.spread,
        }));
    }
    Ok(())
}

/// The step that makes the limits those that the file names, if it takes one.
pub fn limits_step(file: &File, present: &Limits) -> Option<Step> {
    let differs = |wanted: Option<u32>, there: Option<u32>| wanted.filter(|_| wanted != there);
    let to = LimitWords {
        subflows: differs(file.limits.subflows, present.subflows()),
        add_addr_accepted: differs(file.limits.add_addr_accepted, present.add_addr_accepted()),
    };
    (to != LimitWords::default()).then_some(Step::Limits {
        to,
        line: file.limits_line,
    })
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
                match step {
                    Step::Limits { .. } => {}
                    Step::Flush => self.0.clear(),
                    Step::Delete(entry) => {
                        let before = self.0.len();
                        self.0.retain(|there| there.id != entry.id);
                        assert_eq!(self.0.len() + 1, before, "{step:?}");
                    }
                    Step::Change { entry, flags, .. } => {
                        let there = self.0.iter_mut().find(|there| there.id == entry.id);
                        let there = there.expect("an endpoint to change");
                        assert_eq!(there, entry);
                        there.flags = (there.flags & !CHANGEABLE) | (*flags & CHANGEABLE);
                    }
                    Step::Add { entry, .. } => self.add(entry),
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
                assert_eq!(conflict.holder.id, conflict.wanted.entry.id);
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
                        **step == Step::Flush
                            || step.entry().is_some_and(|entry| entry.clashes(there))
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
        let (file, mistakes) = parse(text.as_bytes());
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
        let (file, _) = parse(b"endpoint add dev b id 4\nendpoint add 10.2.0.1 dev b id 9");
        let mut seen = seen();
        seen.indexes = vec![2, 2];
        let wish = expand(&file, &seen, &[], true, &mut Vec::new());
        assert!(wish.wanted.is_empty());
        assert!(wish.reserved.has(4) && wish.reserved.has(9));
    }
}
