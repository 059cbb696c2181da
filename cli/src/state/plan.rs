//! From what a state file says and what is there, to the steps in between.
//!
//! Nothing here asks the kernel: [`Plan::expand`] turns lines and the
//! addresses of interfaces into the endpoints wanted, [`Plan::compare`]
//! compares those with the endpoints present. What already fits is in no step,
//! so its subflows stay.

use std::net::{IpAddr, Ipv4Addr};

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Error;
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits::LimitWords;
pub use crate::grammar::same;
use crate::kernel::{LinkEvent, LinkEvents};
use crate::state::file::{family_of, put_limits, put_number, put_rest, Declared, File, Mistake};
use crate::text::{address, number, Text};

/// Whether the interface can carry packets.
fn usable(seen: &LinkEvents, index: u32) -> bool {
    seen.iter()
        .any(|of| of.index == index && of.address.is_none() && of.usable)
}

/// Whether a line without an address stands for this one: for none while the
/// interface of the line cannot carry packets.
pub fn is_meant(declared: &Declared, seen: &LinkEvents, of: &LinkEvent) -> bool {
    let index = declared.entry.index;
    let fits = |address: &IpAddr| match declared.family {
        None => true,
        Some(family) => family_of(address) == family,
    };
    declared.spread
        && of.index == index
        && of.present
        && of.usable
        && index != 0
        && of.address.as_ref().is_some_and(fits)
        && usable(seen, index)
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

    /// What the kernel told of an endpoint with this address.
    pub fn of(endpoint: &Endpoint, address: IpAddr) -> Self {
        Self {
            address,
            port: endpoint.port().unwrap_or(0),
            id: endpoint.id().unwrap_or(0),
            flags: endpoint.flags().unwrap_or_default(),
            index: endpoint.if_idx().unwrap_or(0),
        }
    }

    /// What the kernel is told; what is 0 is left out.
    #[inline(never)]
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::new(self.address);
        if self.id != 0 {
            endpoint = endpoint.with_id(self.id);
        }
        if self.flags.0 != 0 {
            endpoint = endpoint.with_flags(self.flags);
        }
        if self.index != 0 {
            endpoint = endpoint.with_if_idx(self.index);
        }
        if self.port != 0 {
            endpoint = endpoint.with_port(self.port);
        }
        endpoint
    }

    /// The command that adds it. `dev` is the name of its interface.
    pub fn print(&self, out: &mut Text, dev: &[u8]) {
        out.bytes(b"endpoint add ");
        out.address(self.address);
        put_rest(out, self.port, self.id, self.flags, EndpointFlags(0), dev);
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

/// What is known of each id, as bits. No id, which is 0, has none of them.
#[derive(Copy, Clone, Debug)]
pub struct Ids([u8; 256]);

impl Default for Ids {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Ids {
    /// A line has it that has no endpoint at the moment: it is not to be given
    /// to others meanwhile.
    pub const RESERVED: u8 = 1;
    /// It is asked for.
    const ASKED: u8 = 2;
    /// An endpoint that is wanted has it.
    const MET: u8 = 4;
    /// An endpoint has it that stays as it is.
    const STAYS: u8 = 8;
    /// It was chosen for an endpoint.
    const CHOSEN: u8 = 16;
    /// It is not free.
    const TAKEN: u8 = Self::ASKED | Self::STAYS | Self::CHOSEN;

    /// Adds such bits to an id.
    pub fn mark(&mut self, id: u8, bits: u8) {
        self.0[usize::from(id)] |= if id == 0 { 0 } else { bits };
    }

    /// Whether the id has one of these bits.
    pub fn has(&self, id: u8, bits: u8) -> bool {
        self.0[usize::from(id)] & bits != 0
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
#[derive(Debug)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The endpoint that it is about, as it is to be; to be added, id 0 lets
    /// the kernel choose. For limits and all endpoints it means nothing.
    pub entry: Entry,
    /// The flags of the endpoint that is there, if one is.
    pub before: EndpointFlags,
    /// Limits that change, and to what.
    pub limits: LimitWords,
    /// The line of the file that asks for it; 0 for what no line names.
    pub line: u32,
    /// To add: it is one of those that `dev` without an address stands for.
    /// Where the kernel has no room it is left out.
    pub spread: bool,
    /// To add: the id that it had when it was there last, 0 if none is known.
    pub had: u8,
    /// Why it was left out.
    pub error: Option<Error>,
}

impl Step {
    /// With an endpoint that is there, and for no line.
    #[inline(never)]
    pub fn new(action: Action, entry: &Entry) -> Self {
        Self {
            action,
            entry: *entry,
            before: entry.flags,
            limits: LimitWords::default(),
            line: 0,
            spread: false,
            had: 0,
            error: None,
        }
    }

    /// Whether it is about one endpoint.
    pub fn has_entry(&self) -> bool {
        !matches!(self.action, Action::Limits | Action::Flush)
    }

    /// Whether an id can be chosen for it: it has none, and does not get that
    /// of the kernel's own endpoint whose place it takes.
    fn lacks_id(&self) -> bool {
        self.entry.id == 0 && !self.before.contains(EndpointFlags::IMPLICIT)
    }

    /// Whether it was left out because the kernel has no room.
    pub fn left_out(&self) -> bool {
        self.spread
            && self
                .error
                .as_ref()
                .is_some_and(|error| error.errno() == libc::ERANGE as u32)
    }

    /// The command that does it. `dev` is the name of its interface.
    pub fn print(&self, out: &mut Text, dev: &[u8]) {
        if self.action == Action::Limits {
            return put_limits(out, &self.limits);
        }
        let entry = &self.entry;
        if self.action == Action::Add {
            return entry.print(out, dev);
        }
        out.bytes(b"endpoint ");
        out.bytes(self.name().as_bytes());
        if self.has_entry() {
            // The address is there for whoever reads it, and against deleting
            // what has taken the id meanwhile.
            put_number(out, b" id ", entry.id.into());
            out.byte(b' ');
            out.address(entry.address);
            let changed = EndpointFlags(entry.flags.0 ^ self.before.0) & CHANGEABLE;
            put_rest(out, 0, 0, entry.flags & changed, self.before & changed, b"");
        }
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

/// The endpoint that this one clashes with, if there is one.
#[inline(never)]
pub fn clashing<'e>(all: &'e [Entry], entry: &Entry) -> Option<&'e Entry> {
    all.iter().find(|there| there.clashes(entry))
}

/// Adds a step with an endpoint that is there, and for no line.
#[inline(never)]
pub fn push(steps: &mut Vec<Step>, action: Action, entry: &Entry) {
    steps.push(Step::new(action, entry));
}

/// Adds the same step once more.
#[inline(never)]
fn push_again(steps: &mut Vec<Step>, step: &Step) {
    steps.push(Step {
        error: None,
        ..*step
    });
}

/// Whether one of the steps is about an endpoint that clashes with this one.
pub fn among(steps: &[Step], entry: &Entry) -> bool {
    steps.iter().any(|step| step.entry.clashes(entry))
}

/// What becomes of endpoints that nobody wants.
#[derive(Copy, Clone)]
pub enum Others<'a> {
    /// They are deleted.
    Go,
    /// They stay, but for these. That one of them has an id that is wanted is
    /// a conflict.
    StayBut(&'a [Step]),
    /// They stay unless their id is wanted.
    GiveWay,
}

/// What is there, what is wanted, and the steps from the one to the other.
#[derive(Debug)]
pub struct Plan {
    /// Interfaces and their addresses.
    pub seen: LinkEvents,
    /// The endpoints present.
    pub present: Vec<Entry>,
    /// The limits in force.
    pub limits: LimitWords,
    /// The endpoints wanted, by line, as steps that add them; id 0 is
    /// whichever it has or gets. Compared, those that are there are steps that
    /// change them.
    pub wanted: Vec<Step>,
    /// The ids.
    pub ids: Ids,
    /// What is to be done.
    pub steps: Vec<Step>,
}

/// More endpoints than these cannot have ids.
const MOST: usize = 255;

const KNOWN: EndpointFlags = EndpointFlags(
    EndpointFlags::SIGNAL.0 | EndpointFlags::SUBFLOW.0 | EndpointFlags::LAMINAR.0 | CHANGEABLE.0,
);

impl Default for Plan {
    // Not derived, so that it is code once.
    #[inline(never)]
    fn default() -> Self {
        Self {
            seen: LinkEvents::new(),
            present: Vec::new(),
            limits: LimitWords::default(),
            wanted: Vec::new(),
            ids: Ids([0; 256]),
            steps: Vec::new(),
        }
    }
}

impl Plan {
    /// What the file wants in view of what was seen. With `follow` a line that
    /// names an address and an interface waits until the interface can carry
    /// packets and has the address.
    ///
    /// Where two lines mean the same address, the line that writes it out
    /// counts, and of two interfaces that both have it the one that is named
    /// first.
    pub fn expand(&mut self, file: &File, follow: bool) {
        self.wanted.clear();
        self.ids = Ids::default();
        // For how many more there can be ids.
        let mut room = MOST;
        for declared in &file.endpoints {
            if self.stands(declared, follow) {
                room -= 1;
            }
        }
        for declared in &file.endpoints {
            let begin = self.wanted.len();
            let mut step = Step::new(Action::Add, &declared.entry);
            step.line = declared.line;
            step.spread = declared.spread;
            step.entry.id = 0;
            if self.stands(declared, follow) {
                push_again(&mut self.wanted, &step);
            }
            for of in &self.seen {
                match of.address {
                    Some(address) if is_meant(declared, &self.seen, of) => {
                        step.entry.address = address;
                    }
                    _ => continue,
                }
                let written = |other: &Declared| {
                    self.stands(other, follow) && other.entry.clashes(&step.entry)
                };
                if room > 0
                    && !among(&self.wanted, &step.entry)
                    && !file.endpoints.iter().any(written)
                {
                    push_again(&mut self.wanted, &step);
                    room -= 1;
                }
            }
            self.give_id(declared.entry.id, begin);
        }
    }

    /// Whether a line writes out an address and wants it now.
    fn stands(&self, declared: &Declared, follow: bool) -> bool {
        let entry = &declared.entry;
        let has = |of: &LinkEvent| {
            of.index == entry.index
                && of.present
                && of.address.is_some_and(|found| same(found, entry.address))
        };
        !declared.spread
            && (!follow
                || declared.dev.is_empty()
                || usable(&self.seen, entry.index) && self.seen.iter().any(has))
    }

    /// One of the endpoints from `begin` on has the id: that which has it
    /// already, or the first. Where there are none it is reserved.
    fn give_id(&mut self, id: u8, begin: usize) {
        let mut holder = None;
        for Step { entry, .. } in self.wanted.get_mut(begin..).unwrap_or(&mut []) {
            let there = clashing(&self.present, entry);
            if holder.is_none() || there.is_some_and(|there| there.id == id) {
                holder = Some(&mut entry.id);
            }
        }
        match holder {
            Some(of_one) => *of_one = id,
            None => self.ids.mark(id, Ids::RESERVED),
        }
    }

    /// Adds the step that makes the limits those that the file names, if it
    /// takes one.
    pub fn compare_limits(&mut self, file: &File) {
        let mut step = Step::new(Action::Limits, &Entry::NONE);
        step.line = file.limits_line;
        if file.limits.subflows != self.limits.subflows {
            step.limits.subflows = file.limits.subflows;
        }
        if file.limits.add_addr_accepted != self.limits.add_addr_accepted {
            step.limits.add_addr_accepted = file.limits.add_addr_accepted;
        }
        if step.limits.subflows.is_some() || step.limits.add_addr_accepted.is_some() {
            self.steps.push(step);
        }
    }

    /// Adds the fewest changes that make of the endpoints present those wanted.
    ///
    /// Endpoints that the kernel made itself stay, unless a wanted one takes
    /// their address or id. Ids that were asked for are given before those
    /// that the kernel may choose.
    pub fn compare(&mut self, others: Others) -> Result<(), Mistake> {
        let Self {
            present,
            wanted,
            ids,
            steps,
            ..
        } = self;
        for step in &*wanted {
            ids.mark(step.entry.id, Ids::ASKED);
        }
        for step in &mut *wanted {
            let entry = &mut step.entry;
            let Some(there) = clashing(present, entry) else {
                continue;
            };
            ids.mark(there.id, Ids::MET);
            // Without a wish it keeps its id, unless another one asks for that.
            if entry.id != there.id && (entry.id != 0 || ids.has(there.id, Ids::ASKED)) {
                continue;
            }
            entry.id = there.id;
            step.before = there.flags;
            let differ = EndpointFlags(entry.flags.0 ^ there.flags.0) & KNOWN;
            if there.is_implicit() {
                // Added without an id, it takes the place of the kernel's own.
                entry.id = 0;
            } else if entry.index == there.index && (differ & !CHANGEABLE).0 == 0 {
                entry.address = there.address;
                step.action = Action::Change;
            } else {
                continue;
            }
            ids.mark(there.id, Ids::STAYS);
        }
        let mut all_go = present.len() > 1;
        for there in &*present {
            let asked = ids.has(there.id, Ids::ASKED);
            let goes = match others {
                _ if ids.has(there.id, Ids::MET) => !ids.has(there.id, Ids::STAYS),
                Others::Go if !there.is_implicit() => true,
                Others::StayBut(gone) if !there.is_implicit() => among(gone, there),
                _ => asked,
            };
            if goes {
                continue;
            }
            all_go = false;
            for step in &*wanted {
                if asked && step.entry.id == there.id && !ids.has(there.id, Ids::MET) {
                    return Err(kept(there, step.line));
                }
            }
            ids.mark(there.id, Ids::STAYS);
        }
        if all_go {
            push(steps, Action::Flush, &Entry::NONE);
        }
        for there in &*present {
            if !all_go && !ids.has(there.id, Ids::STAYS) {
                push(steps, Action::Delete, there);
            }
        }
        for step in &*wanted {
            ids.mark(step.entry.id, Ids::CHOSEN);
            let changed = EndpointFlags(step.entry.flags.0 ^ step.before.0) & CHANGEABLE;
            if step.action == Action::Change && changed.0 != 0 {
                push_again(steps, step);
            }
        }
        for step in &mut *wanted {
            if step.lacks_id() && !ids.has(step.had, Ids::TAKEN) {
                step.entry.id = step.had;
                ids.mark(step.had, Ids::CHOSEN);
            }
        }
        // The kernel knows nothing of reserved ids: while one of them is free
        // it is not left to choose.
        let free = |id: u8| !ids.has(id, Ids::TAKEN);
        if (1..=255).any(|id| ids.has(id, Ids::RESERVED) && free(id)) {
            for step in &mut *wanted {
                if step.lacks_id() {
                    let mut free = 1..=255;
                    let id = free.find(|id| !ids.has(*id, Ids::TAKEN | Ids::RESERVED));
                    step.entry.id = id.unwrap_or(0);
                    ids.mark(step.entry.id, Ids::CHOSEN);
                }
            }
        }
        // Those with an id come first.
        for pass in 0..2 {
            for step in &*wanted {
                if step.action == Action::Add && (step.entry.id == 0) == (pass == 1) {
                    push_again(steps, step);
                }
            }
        }
        Ok(())
    }
}

/// An id that is wanted belongs to an endpoint that is to be kept.
fn kept(holder: &Entry, line: u32) -> Mistake {
    let id = number(holder.id.into());
    let mut error = Error::invalid(id.as_str(), "the id of ");
    error.push(&address(holder.address));
    error.push(b", which is kept");
    Mistake { line, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use crate::state::file::parse;

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
                        let known = Entry {
                            flags: step.before,
                            ..*entry
                        };
                        assert_eq!(*there, known);
                        there.flags = (there.flags & !CHANGEABLE) | (entry.flags & CHANGEABLE);
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

    fn copy(steps: &[Step]) -> Vec<Step> {
        let mut copy = Vec::new();
        for step in steps {
            push_again(&mut copy, step);
        }
        copy
    }

    fn fits(there: &Entry, wanted: &Step) -> bool {
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
            let mut plan = Plan {
                present: present.clone(),
                ..Plan::default()
            };
            for line in 1..=1 + random.below(6) as u32 {
                let id = random.below(9) as u8 * (random.below(2) as u8);
                let mut entry = random.entry(id);
                if let (Some(there), 0) = (present.first(), random.below(3)) {
                    entry = Entry { id, ..*there };
                    entry.flags &= !EndpointFlags::IMPLICIT;
                }
                let had = random.below(12) as u8;
                let apart = |other: &Step| {
                    (id == 0 || other.entry.id != id) && !other.entry.clashes(&entry)
                };
                if plan.wanted.iter().all(apart) {
                    plan.wanted.push(Step {
                        line,
                        had,
                        ..Step::new(Action::Add, &entry)
                    });
                }
            }
            for _ in 0..random.below(4) {
                plan.ids.mark(random.below(12) as u8, Ids::RESERVED);
            }
            let wish = copy(&plan.wanted);
            let gone = present.first().map(|gone| Step::new(Action::Delete, gone));
            let others = match random.below(3) {
                0 => Others::Go,
                1 => Others::StayBut(gone.as_slice()),
                _ => Others::GiveWay,
            };
            if let Err(conflict) = plan.compare(others) {
                assert!(matches!(others, Others::StayBut(_)));
                let wants = |wanted: &Step| {
                    wanted.line == conflict.line
                        && present.iter().any(|there| there.id == wanted.entry.id)
                };
                assert!(wish.iter().any(wants));
                continue;
            }
            let mut kernel = Kernel(present.clone());
            kernel.carry_out(&plan.steps);
            let about = || (&present, &wish, &plan.steps, &kernel.0);
            for wanted in &wish {
                let held = kernel.0.iter().filter(|there| fits(there, wanted));
                assert_eq!(held.count(), 1, "{:?}", about());
            }
            let asked = |id: u8| wish.iter().any(|wanted| wanted.entry.id == id);
            for there in &present {
                let wanted = wish.iter().find(|wanted| wanted.entry.clashes(there));
                let fitted = wanted.is_some_and(|wanted| {
                    fits(there, wanted) && (wanted.entry.id != 0 || !asked(there.id))
                });
                let stays = wanted.is_none()
                    && !asked(there.id)
                    && (there.is_implicit()
                        || match others {
                            Others::Go => false,
                            Others::StayBut(gone) => !among(gone, there),
                            Others::GiveWay => true,
                        });
                if fitted || stays {
                    assert!(kernel.0.contains(there), "{:?}", about());
                    let mut steps = plan.steps.iter();
                    let touched = steps.any(|step| {
                        step.action == Action::Flush
                            || step.has_entry() && step.entry.clashes(there)
                    });
                    assert!(!touched, "{:?}", about());
                }
            }
            let mut more = Plan {
                present: kernel.0.clone(),
                wanted: copy(&wish),
                ..Plan::default()
            };
            let _ = more.compare(others);
            assert!(more.steps.is_empty(), "{:?}", about());
        }
    }

    #[test]
    fn no_id_has_no_marks() {
        let mut ids = Ids::default();
        for id in 0..=255 {
            assert!(!ids.has(id, !0));
            ids.mark(id, Ids::MET | Ids::CHOSEN);
            assert_eq!(ids.has(id, Ids::TAKEN), id != 0);
            assert!(!ids.has(id, Ids::RESERVED));
        }
    }

    fn seen() -> LinkEvents {
        let link = |index, usable| LinkEvent {
            index,
            address: None,
            present: true,
            up: usable,
            usable,
        };
        let address = |index, address: &str, usable| LinkEvent {
            address: Some(address.parse().expect("an address")),
            ..link(index, usable)
        };
        vec![
            link(1, true),
            link(2, false),
            link(3, true),
            address(1, "10.1.0.1", true),
            address(1, "10.1.0.2", false),
            address(2, "10.2.0.1", true),
            address(3, "10.3.0.1", true),
            address(3, "10.1.0.1", true),
            address(3, "fd00::3", true),
            // It may be a duplicate.
            LinkEvent {
                present: false,
                ..address(3, "fd00::4", true)
            },
        ]
    }

    /// The file with the indexes of its interfaces; `a`, `b`, `c` are 1, 2, 3.
    fn file(text: &str) -> File {
        let mut file = File::default();
        let mut wrong = Vec::new();
        parse(text.as_bytes(), COMMANDS, &mut file, &mut |line, _| {
            wrong.push(line)
        });
        assert!(wrong.is_empty(), "{text:?}: {wrong:?}");
        for declared in &mut file.endpoints {
            let index = ["", "a", "b", "c"]
                .iter()
                .position(|name| *name == declared.dev);
            declared.entry.index = index.unwrap_or(0) as u32;
        }
        file
    }

    fn expanded(text: &str, follow: bool) -> Plan {
        let mut plan = Plan {
            seen: seen(),
            ..Plan::default()
        };
        plan.expand(&file(text), follow);
        plan
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
            let plan = expanded(text, follow);
            let print = |wanted: &Step| {
                let id = wanted.entry.id.to_string();
                [wanted.entry.address.to_string(), id].join(" ")
            };
            let found: Vec<String> = plan.wanted.iter().map(print).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn what_a_line_waits_with_is_not_given_to_others() {
        let plan = expanded(
            "endpoint add dev b id 4\nendpoint add 10.2.0.1 dev b id 9",
            true,
        );
        assert!(plan.wanted.is_empty());
        assert!(plan.ids.has(4, Ids::RESERVED) && plan.ids.has(9, Ids::RESERVED));
    }
}
