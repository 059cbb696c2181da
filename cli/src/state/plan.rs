//! From a state file and the present state to the steps in between.
//!
//! Nothing here asks the kernel: [`Plan::expand`] turns lines and the
//! addresses of interfaces into the endpoints wanted, [`Plan::compare`]
//! compares those with the endpoints present. What already fits is in no step,
//! so its subflows stay.
//!
//! Endpoints are those of the codec as a whole: a new attribute there is carried along, and
//! a different value makes a different endpoint.

use std::cell::Cell;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use super::endpoint::{
    address_of, clashes, clashing, flags_of, id_of, index_of, is_implicit, push_address, with_id,
};
use crate::error::{Error, Result};
use crate::grammar::endpoint::CHANGEABLE;
use crate::grammar::limits;
use crate::kernel::key::{self, key_of, Key};
use crate::kernel::{LinkEvent, LinkEvents};
use crate::state::file::{
    put_endpoint, put_limits, put_number, put_setting, Declared, File, Setting,
};
use crate::text::{number, Text};

/// Whether two endpoints of the same address and port differ only in id and flags.
#[inline(never)]
fn fits(one: &Endpoint, other: &Endpoint) -> bool {
    const COMPARED: u32 = 1 << Endpoint::FAMILY
        | 1 << Endpoint::ADDR4
        | 1 << Endpoint::ADDR6
        | 1 << Endpoint::PORT
        | 1 << Endpoint::IF_IDX
        | 1 << Endpoint::ID
        | 1 << Endpoint::FLAGS;
    index_of(one) == index_of(other) && one.without_all(COMPARED) == other.without_all(COMPARED)
}

/// Whether the interface can carry packets.
fn usable(seen: &LinkEvents, index: u32) -> bool {
    seen.iter()
        .any(|of| of.index == index && of.address == 0 && of.usable)
}

/// Whether an interface has the address.
pub fn is_local(seen: &LinkEvents, address: Key) -> bool {
    address != 0 && seen.iter().any(|of| of.present && of.address == address)
}

/// Whether an address can be the source of new connections, and its interface can carry
/// packets.
pub fn is_source(seen: &LinkEvents, of: &LinkEvent) -> bool {
    of.present && of.usable && usable(seen, of.index)
}

/// Whether a line without an address stands for this one.
pub fn is_meant(file: &File, declared: &Declared, seen: &LinkEvents, of: &LinkEvent) -> bool {
    of.address != 0 && file.stands_for(declared, of.index, of.address) && is_source(seen, of)
}

/// What is known of each id, as bits. 0, which means no id, has none of them.
#[derive(Copy, Clone, Debug)]
pub struct Ids([u8; 256]);

impl Default for Ids {
    fn default() -> Self {
        Self::NONE
    }
}

impl Ids {
    const NONE: Self = Self([0; 256]);
    /// Reserved for a line whose endpoint does not exist at the moment.
    pub const RESERVED: u8 = 1;
    /// It is asked for.
    const ASKED: u8 = 2;
    /// A wanted endpoint has it.
    const MET: u8 = 4;
    /// An endpoint that stays as it is has it.
    const STAYS: u8 = 8;
    /// It was chosen for an endpoint.
    const CHOSEN: u8 = 16;
    /// It is not free.
    const TAKEN: u8 = Self::ASKED | Self::STAYS | Self::CHOSEN;

    /// Adds bits to an id.
    pub fn mark(&mut self, id: u8, bits: u8) {
        if id != 0 {
            self.0[usize::from(id)] |= bits;
        }
    }

    /// Whether the id has one of these bits.
    pub fn has(&self, id: u8, bits: u8) -> bool {
        self.0[usize::from(id)] & bits != 0
    }

    /// Whether any id is reserved and free.
    fn has_free_reserve(&self) -> bool {
        let free = |bits: &u8| bits & (Self::RESERVED | Self::TAKEN) == Self::RESERVED;
        self.0.iter().any(free)
    }
}

/// What is done to endpoints or limits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Changes a setting of `net.mptcp`.
    Setting,
    /// Restores its former value.
    Restore,
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
    /// Will add it later: a program is called first.
    Held,
}

/// What is known of the subflows from an endpoint between two looks.
#[derive(Copy, Clone, Debug)]
pub struct Subflows {
    /// When to re-add the endpoint, as [`sys::milliseconds`](crate::sys::milliseconds) counts;
    /// `u64::MAX` while it is in use, and while only a route can help.
    pub next: u64,
    /// How long to wait after that.
    pub pause: u64,
    /// No route leads from it.
    pub unrouted: bool,
    /// Some connection has a subflow from it.
    pub alive: bool,
    /// Some connection is opening one.
    pub opening: bool,
    /// The endpoint is to be deleted and added again.
    pub again: bool,
}

impl Subflows {
    /// How long to wait, in milliseconds, after the endpoint was re-added for the first time.
    pub const RETRY: u64 = 2000;
    /// Nothing is known yet.
    pub const UNKNOWN: Self = Self {
        next: u64::MAX,
        pause: Self::RETRY,
        unrouted: false,
        alive: false,
        opening: false,
        again: false,
    };
}

/// One change, as it can be requested from the kernel.
#[derive(Copy, Clone, Debug)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// The wanted endpoint that it is about; if it is added without an id, the kernel
    /// chooses one. Empty for limits and for all endpoints.
    pub endpoint: Endpoint,
    /// The flags of the present endpoint, if there is one.
    pub before: EndpointFlags,
    /// The new values of limits that change.
    pub limits: Limits,
    /// Which of the file's settings changes.
    pub setting: usize,
    /// The line of the file that asks for it; 0 if no line does.
    pub line: u32,
    /// When adding: it is one of those that `dev` without an address stands for. It is left
    /// out if the kernel has no room.
    pub spread: bool,
    /// A refusal does not block the other steps.
    pub optional: bool,
    /// The flags that the line asks for.
    pub asked: EndpointFlags,
    /// When adding: the id that it had when it last existed, or 0.
    pub had: u8,
    /// The subflows from it at the last look.
    pub subflows: Subflows,
    /// It was left out: see [`Plan::refusals`].
    pub refused: bool,
}

impl Step {
    /// For a present endpoint and no line of the file.
    #[inline(never)]
    pub fn new(action: Action, endpoint: &Endpoint) -> Self {
        Self {
            action,
            endpoint: *endpoint,
            before: flags_of(endpoint),
            limits: Limits::EMPTY,
            setting: 0,
            line: 0,
            spread: false,
            optional: false,
            asked: flags_of(endpoint),
            had: 0,
            subflows: Subflows::UNKNOWN,
            refused: false,
        }
    }

    /// Whether it is about one endpoint.
    pub fn has_endpoint(&self) -> bool {
        !matches!(
            self.action,
            Action::Setting | Action::Restore | Action::Limits | Action::Flush
        )
    }

    /// The id, 0 for any.
    pub fn id(&self) -> u8 {
        id_of(&self.endpoint)
    }

    fn set_id(&mut self, id: u8) {
        self.endpoint = with_id(&self.endpoint, id);
    }

    /// Whether it replaces an endpoint that the kernel made itself, and takes over its id.
    pub fn replaces(&self) -> bool {
        self.before.contains(EndpointFlags::IMPLICIT)
    }

    /// Whether an id can be chosen for it.
    fn lacks_id(&self) -> bool {
        self.id() == 0 && !self.replaces()
    }

    /// Leaves it out: the kernel has no room.
    pub fn leave_out(&mut self, refusals: &mut Vec<Error>) {
        let mut error = Error::warning(b"the kernel has no room for another endpoint: ");
        push_address(&mut error, &self.endpoint);
        error.push(b" is left out");
        self.refuse(error, refusals);
    }

    /// Leaves it out, after those that were left out before.
    pub fn refuse(&mut self, why: Error, refusals: &mut Vec<Error>) {
        self.refused = true;
        refusals.push(why);
    }

    /// Its setting: name and new value.
    pub fn setting<'s>(&self, settings: &'s [Setting]) -> Option<(&'s str, &'s [u8])> {
        let setting = settings.get(self.setting)?;
        let value = match self.action {
            Action::Setting => setting.value.as_bytes(),
            Action::Restore => &setting.before,
            _ => return None,
        };
        Some((&setting.name, value))
    }

    /// Writes the command that does it. `dev` is the name of its interface.
    pub fn print(&self, out: &mut Text, settings: &[Setting], dev: &[u8]) {
        if let Some((name, value)) = self.setting(settings) {
            return put_setting(out, name.as_bytes(), value);
        }
        if self.action == Action::Limits {
            return put_limits(out, &self.limits, 0);
        }
        out.bytes(b"endpoint ");
        out.bytes(self.name().as_bytes());
        if self.action == Action::Add {
            put_endpoint(out, &self.endpoint, dev);
        } else if self.has_endpoint() {
            // The address is for the reader, and guards against deleting another endpoint
            // that has got the id meanwhile.
            put_number(out, b" id ", self.id().into());
            out.byte(b' ');
            out.address(address_of(&self.endpoint));
            let flags = flags_of(&self.endpoint);
            let changed = EndpointFlags(flags.0 ^ self.before.0) & CHANGEABLE;
            for (flag, name) in &EndpointFlags::NAMES {
                if changed.contains(*flag) && self.action == Action::Change {
                    let cleared = self.before.contains(*flag);
                    out.bytes(if cleared { b" no" } else { b" " });
                    out.bytes(name.as_bytes());
                }
            }
        }
    }

    /// A word for what is done.
    pub fn name(&self) -> &'static str {
        match self.action {
            Action::Setting | Action::Restore => "sysctl",
            Action::Limits => "limits",
            Action::Flush => "flush",
            Action::Delete => "delete",
            Action::Change => "change",
            Action::Add | Action::Held => "add",
        }
    }
}

/// Adds a step for a present endpoint and no line of the file.
#[inline(never)]
pub fn push(steps: &mut Vec<Step>, action: Action, endpoint: &Endpoint) {
    steps.push(Step::new(action, endpoint));
}

/// Whether one of the steps is about an endpoint that clashes with this one.
pub fn among(steps: &[Step], endpoint: &Endpoint) -> bool {
    steps.iter().any(|step| clashes(&step.endpoint, endpoint))
}

/// What becomes of endpoints that are not wanted.
#[derive(Copy, Clone)]
pub enum Others<'a> {
    /// They are deleted.
    Go,
    /// They stay, except [`Plan::own`] and those that the file names. If one of them has a
    /// wanted id, that is a conflict.
    StayBut(&'a File),
    /// They stay unless their id is wanted.
    GiveWay,
}

/// The present state, the wanted one, and the steps from one to the other.
// Frequently used fields come first, in this order: their offset is one byte in an instruction.
#[derive(Debug)]
#[repr(C)]
pub struct Plan {
    /// What is to be done.
    pub steps: Vec<Step>,
    /// The wanted endpoints, by line, as steps that add them; id 0 stands for the one that
    /// it has or gets. After the comparison, steps of present endpoints change them.
    pub wanted: Vec<Step>,
    /// The present endpoints.
    pub present: Vec<Endpoint>,
    /// The endpoints that the file stood for last time.
    pub own: Vec<Step>,
    /// It is made again and again: a line that names an address and an interface waits
    /// until the interface can carry packets and has the address, ids move only if no live
    /// subflow is lost, and what is refused or in conflict does not block the rest.
    pub follows: bool,
    /// Others may have endpoints: an endpoint is checked before its id is deleted.
    pub careful: bool,
    /// If endpoints or limits may not be changed, nothing else is tried.
    pub needs_rights: bool,
    /// Flags that others have changed stay.
    pub keeps_flags: bool,
    /// Every endpoint gets its id here, none from the kernel.
    pub numbered: bool,
    /// Addresses of live subflows have been looked up.
    pub surveyed: bool,
    /// Whether an id depends on [`busy`](Self::busy), which is not known yet.
    pub unsure: Cell<bool>,
    /// Interfaces and their addresses.
    pub seen: LinkEvents,
    /// Deleted endpoints with their ids, for when they come back; see [`remember`].
    pub had: Vec<Endpoint>,
    /// Settings that cannot be read or cannot have the value of the file; as warnings,
    /// lines that do without their id.
    pub mistakes: Vec<Error>,
    /// Why steps were left out, in their order.
    pub refusals: Vec<Error>,
    /// Addresses of live subflows, once looked up: an endpoint with one of them is not
    /// deleted for an id.
    pub busy: Vec<Key>,
    /// The limits in force.
    pub limits: Limits,
    /// The ids.
    pub ids: Ids,
}

/// How many endpoints are remembered with their ids after they were deleted.
const REMEMBERED: usize = 128;
/// No more endpoints than this can have ids.
const MOST: usize = 255;

const KNOWN: EndpointFlags = EndpointFlags(
    EndpointFlags::SIGNAL.0 | EndpointFlags::SUBFLOW.0 | EndpointFlags::LAMINAR.0 | CHANGEABLE.0,
);

impl Default for Plan {
    // Not derived, so that it is code once.
    #[inline(never)]
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            wanted: Vec::new(),
            present: Vec::new(),
            own: Vec::new(),
            follows: false,
            careful: false,
            needs_rights: false,
            keeps_flags: false,
            numbered: false,
            surveyed: false,
            unsure: Cell::new(false),
            seen: LinkEvents::new(),
            had: Vec::new(),
            mistakes: Vec::new(),
            refusals: Vec::new(),
            busy: Vec::new(),
            limits: Limits::EMPTY,
            ids: Ids::NONE,
        }
    }
}

impl Plan {
    /// What the file wants, given what was seen.
    ///
    /// If two lines mean the same address, the line that writes it out wins, then the one with
    /// the longer prefix, then a name over a pattern; among equals, and of two interfaces with
    /// the same address, the one that is named first.
    #[inline(never)]
    pub fn expand(&mut self, file: &File) {
        self.wanted.clear();
        self.unsure.set(false);
        self.ids = Ids::NONE;
        // How many more endpoints can get ids.
        let mut room = MOST;
        for declared in &file.endpoints {
            let stands = self.stands(file, declared);
            declared.stands.set(stands);
            room -= usize::from(stands);
        }
        for declared in &file.endpoints {
            let begin = self.wanted.len();
            let mut step = Step::new(Action::Add, &with_id(&declared.endpoint, 0));
            step.line = declared.line;
            step.spread = declared.spread;
            step.optional = declared.lacking.get();
            if declared.stands.get() {
                if let Some(index) = declared.index() {
                    step.endpoint = step.endpoint.with_if_idx(index);
                }
                self.wanted.push(step);
            }
            for of in &self.seen {
                if !is_meant(file, declared, &self.seen, of) {
                    continue;
                }
                let endpoint = step.endpoint.with_address(key::address(of.address));
                step.endpoint = endpoint.with_if_idx(of.index);
                let nearer = |other: &Declared| {
                    other.stands.get() && clashes(&other.endpoint, &step.endpoint)
                        || other.rank() > declared.rank()
                            && file.stands_for(other, of.index, of.address)
                };
                if room > 0
                    && !among(&self.wanted, &step.endpoint)
                    && !file.endpoints.iter().any(nearer)
                {
                    self.wanted.push(step);
                    room -= 1;
                }
            }
            self.give_id(declared, begin);
        }
    }

    /// Whether a line writes out an address and wants it now.
    fn stands(&self, file: &File, declared: &Declared) -> bool {
        let address = key_of(&declared.endpoint);
        !declared.spread
            && !declared.is_unbound()
            && file.has_uplink(declared, address)
            && (!self.follows
                || declared.dev.is_empty()
                || declared
                    .index()
                    .is_some_and(|index| usable(&self.seen, index))
                    && (is_local(&self.seen, address) || declared.is_translated()))
    }

    /// Whether a live subflow depends on it, or may, as long as that is not known.
    fn is_busy(&self, endpoint: &Endpoint) -> bool {
        if !self.surveyed {
            self.unsure.set(true);
            return true;
        }
        self.busy.contains(&key_of(endpoint))
    }

    /// Gives the id of the line to one of the endpoints from `begin` on: the one that has it
    /// already, or else one that does not exist yet, or else one that loses nothing by it. If
    /// there is none, the id is reserved.
    fn give_id(&mut self, declared: &Declared, begin: usize) {
        let id = id_of(&declared.endpoint);
        if id == 0 {
            return;
        }
        let exact = !declared.spread && !self.follows;
        let mut holder = usize::MAX;
        let mut best = 0;
        for at in begin..self.wanted.len() {
            let Some(step) = self.wanted.get(at) else {
                break;
            };
            let worth = match clashing(&self.present, &step.endpoint) {
                Some(present) if id_of(present) == id => 3,
                None => 2,
                Some(_) if best > 0 => 0,
                Some(present) if exact || is_implicit(present) => 1,
                Some(present) => u32::from(!self.is_busy(present)),
            };
            if worth > best {
                best = worth;
                holder = at;
            }
        }
        match self.wanted.get_mut(holder) {
            Some(step) => step.set_id(id),
            None => self.ids.mark(id, Ids::RESERVED),
        }
    }

    /// Adds the step that sets the limits that the file names, if needed. `most` is the
    /// kernel's maximum.
    pub fn compare_limits(&mut self, file: &File, most: u32) {
        let changed = differing(&self.limits, &file.limits, file.most, most);
        if changed != Limits::EMPTY {
            push(&mut self.steps, Action::Limits, &Endpoint::EMPTY);
            if let Some(step) = self.steps.last_mut() {
                (step.line, step.limits) = (file.limits_line, changed);
            }
        }
    }

    /// Takes ids away from wanted endpoints that cannot have them because one that stays
    /// has them.
    fn settle_conflicts(&mut self, others: Others) -> Result<()> {
        for at in 0..self.wanted.len() {
            let Some(step) = self.wanted.get(at).filter(|step| step.id() != 0) else {
                continue;
            };
            let holds = |present: &&Endpoint| id_of(present) == step.id();
            let Some(holder) = self.present.iter().find(holds) else {
                continue;
            };
            if clashes(holder, &step.endpoint) {
                continue;
            }
            let wanted = among(&self.wanted, holder);
            let stays = match others {
                _ if wanted => self.follows && self.is_busy(holder),
                Others::GiveWay => false,
                _ if is_implicit(holder) => true,
                Others::Go => false,
                Others::StayBut(file) => !among(&self.own, holder) && !file.names(holder),
            };
            if !stays {
                continue;
            }
            let mistake = kept(holder, step.line);
            if !self.follows && !wanted && !is_implicit(holder) {
                return Err(mistake);
            }
            self.mistakes.push(mistake.with_status(0));
            if let Some(step) = self.wanted.get_mut(at) {
                step.set_id(0);
            }
        }
        Ok(())
    }

    /// Adds the fewest changes that turn the present endpoints into the wanted ones.
    ///
    /// Endpoints that the kernel made itself stay, unless a wanted one has their address. Ids
    /// that were asked for are assigned before those that the kernel may choose.
    pub fn compare(&mut self, others: Others) -> Result<()> {
        self.settle_conflicts(others)?;
        let Self {
            present,
            own,
            had,
            wanted,
            ids,
            steps,
            ..
        } = self;
        // If others may have endpoints, those to delete are named one by one.
        let mut all_go = present.len() > 1 && matches!(others, Others::Go) && !self.numbered;
        for had in &*had {
            ids.mark(id_of(had), Ids::RESERVED);
        }
        for step in &*wanted {
            ids.mark(step.id(), Ids::ASKED);
        }
        for step in &mut *wanted {
            if let Some(had) = clashing(had, &step.endpoint) {
                step.had = id_of(had);
            }
            let Some(existing) = clashing(present, &step.endpoint) else {
                continue;
            };
            let (id, flags) = (id_of(existing), flags_of(existing));
            ids.mark(id, Ids::MET);
            // If no id is asked for, it keeps its own, unless another one asks for that.
            if step.id() != id && (step.id() != 0 || ids.has(id, Ids::ASKED)) {
                continue;
            }
            step.set_id(id);
            ids.mark(id, Ids::CHOSEN);
            step.before = flags;
            let same = |own: &&Step| clashes(&own.endpoint, &step.endpoint);
            let own = own.iter().find(same);
            if self.keeps_flags && own.is_none_or(|own| own.asked == step.asked) {
                let kept = flags_of(&step.endpoint) & !CHANGEABLE | flags & CHANGEABLE;
                step.endpoint = step.endpoint.with_flags(kept);
            }
            let differ = EndpointFlags(flags_of(&step.endpoint).0 ^ flags.0) & KNOWN;
            if is_implicit(existing) {
                // Added without an id, it replaces the kernel's own endpoint.
                step.set_id(0);
                step.had = id;
            } else if (differ & !CHANGEABLE).0 == 0 && fits(&step.endpoint, existing) {
                step.endpoint = existing.with_flags(flags_of(&step.endpoint));
                if let Some(own) = own {
                    step.subflows = own.subflows;
                }
                if core::mem::take(&mut step.subflows.again) {
                    all_go = false;
                    continue;
                }
                step.action = Action::Change;
            } else {
                continue;
            }
            ids.mark(id, Ids::STAYS);
        }
        let begin = steps.len();
        for existing in &*present {
            let id = id_of(existing);
            let goes = match others {
                _ if ids.has(id, Ids::MET) => !ids.has(id, Ids::STAYS),
                Others::Go if !is_implicit(existing) => true,
                Others::StayBut(file) if !is_implicit(existing) => {
                    among(own, existing) || file.names(existing)
                }
                _ => ids.has(id, Ids::ASKED),
            };
            if goes {
                push(steps, Action::Delete, existing);
            } else {
                all_go = false;
                ids.mark(id, Ids::STAYS);
            }
        }
        if all_go {
            steps.truncate(begin);
            push(steps, Action::Flush, &Endpoint::EMPTY);
        }
        for step in &mut *wanted {
            if step.lacks_id() && !ids.has(step.had, Ids::TAKEN) {
                step.set_id(step.had);
                ids.mark(step.had, Ids::CHOSEN);
            }
        }
        // The kernel does not know about reserved ids: while one of them is free, it may
        // not choose.
        if self.numbered || ids.has_free_reserve() {
            let mut free = 0;
            for step in &mut *wanted {
                while step.lacks_id() && free < 255 {
                    free += 1;
                    if !ids.has(free, Ids::TAKEN | Ids::RESERVED) {
                        step.set_id(free);
                        ids.mark(free, Ids::CHOSEN);
                    }
                }
            }
        }
        // Those with an id are added first.
        for pass in 0..3 {
            for step in &*wanted {
                let differ = flags_of(&step.endpoint).0 ^ step.before.0;
                let turn = match step.action {
                    Action::Change if differ & CHANGEABLE.0 == 0 => continue,
                    Action::Change => 0,
                    _ if step.id() != 0 => 1,
                    _ => 2,
                };
                if turn == pass {
                    steps.push(*step);
                }
            }
        }
        Ok(())
    }

    /// Leaves out additions that a kernel with this much room would refuse; returns whether any
    /// others are left.
    pub fn leave_out(&mut self, room: usize) -> bool {
        let mut count = self.present.len();
        let mut left = false;
        for step in &mut self.steps {
            match step.action {
                Action::Flush => count = 0,
                Action::Delete => count = count.saturating_sub(1),
                Action::Add if step.replaces() => {}
                Action::Add if step.spread && count >= room => step.leave_out(&mut self.refusals),
                Action::Add => count += 1,
                _ => {}
            }
            left |= !step.refused;
        }
        left
    }
}

/// The limits in `wanted` that differ from these; those with a bit `1 << number` in `max` are
/// wanted to be `most`.
#[inline(never)]
pub fn differing(these: &Limits, wanted: &Limits, max: u32, most: u32) -> Limits {
    let mut differing = Limits::EMPTY;
    let these = limits::each(these);
    for ((_, number, value), (_, _, present)) in limits::each(wanted).iter().zip(&these) {
        let value = match max & 1 << number {
            0 => *value,
            _ => Some(most),
        };
        match value {
            Some(value) if Some(value) != *present => {
                differing = limits::with(differing, *number, value);
            }
            _ => {}
        }
    }
    differing
}

/// Remembers the id of an endpoint.
#[inline(never)]
pub fn remember(all: &mut Vec<Endpoint>, endpoint: &Endpoint) {
    let mut place = None;
    for had in &mut *all {
        if id_of(had) == id_of(endpoint) || clashes(had, endpoint) {
            // There may be two: one that had the id, and one that has it now.
            *had = Endpoint::EMPTY;
            place = Some(had);
        }
    }
    if let Some(place) = place {
        *place = *endpoint;
        return;
    }
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push(*endpoint);
}

/// A wanted id belongs to an endpoint that is to be kept.
fn kept(holder: &Endpoint, line: u32) -> Error {
    let id = number(id_of(holder).into());
    let mut error = Error::invalid(id.as_str(), "the id of ");
    push_address(&mut error, holder);
    error.push(b", which is kept");
    error.at(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::file::tests::correct;

    /// The kernel's rules, as far as steps can violate them.
    struct Kernel(Vec<Endpoint>);

    impl Kernel {
        fn carry_out(&mut self, steps: &[Step]) {
            for step in steps {
                let id = step.id();
                match step.action {
                    Action::Setting | Action::Restore | Action::Limits | Action::Held => {}
                    Action::Flush => self.0.clear(),
                    Action::Delete => {
                        let before = self.0.len();
                        self.0.retain(|existing| id_of(existing) != id);
                        assert_eq!(self.0.len() + 1, before, "{step:?}");
                    }
                    Action::Change => {
                        let existing = self.0.iter_mut().find(|existing| id_of(existing) == id);
                        let existing = existing.expect("an endpoint to change");
                        assert_eq!(*existing, step.endpoint.with_flags(step.before));
                        let flags = flags_of(existing) & !CHANGEABLE
                            | flags_of(&step.endpoint) & CHANGEABLE;
                        *existing = existing.with_flags(flags);
                    }
                    Action::Add => self.add(&step.endpoint),
                }
            }
        }

        fn add(&mut self, endpoint: &Endpoint) {
            let mut endpoint = *endpoint;
            if let Some(at) = self
                .0
                .iter()
                .position(|existing| clashes(existing, &endpoint))
            {
                assert!(
                    is_implicit(&self.0[at]) && id_of(&endpoint) == 0,
                    "EEXIST: {endpoint:?}"
                );
                endpoint = endpoint.with_id(id_of(&self.0.remove(at)));
            }
            if id_of(&endpoint) == 0 {
                // Any free one; the highest is the least expected.
                let free = |id: &u8| self.0.iter().all(|existing| id_of(existing) != *id);
                endpoint = endpoint.with_id((1..=255).rev().find(free).expect("an id"));
            }
            assert!(
                self.0
                    .iter()
                    .all(|existing| id_of(existing) != id_of(&endpoint)),
                "EBUSY: {endpoint:?}"
            );
            self.0.push(endpoint);
            self.0.sort_by_key(id_of);
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

        fn endpoint(&mut self, id: u8) -> Endpoint {
            let flags = [1, 2, 3, 4, 6, 10, 14, 34];
            let address = std::net::IpAddr::from([10, 0, 0, self.below(6) as u8]);
            let mut endpoint = Endpoint::new(address)
                .with_port(self.below(2) as u16)
                .with_flags(EndpointFlags(flags[self.below(8) as usize]));
            // Present or absent, 0 is none.
            match self.below(3) {
                0 => endpoint = endpoint.with_if_idx(1),
                1 => endpoint = endpoint.with_if_idx(0),
                _ => {}
            }
            with_id(&endpoint, id)
        }
    }

    fn copy(steps: &[Step]) -> Vec<Step> {
        let mut copy = Vec::new();
        for step in steps {
            copy.push(*step);
        }
        copy
    }

    /// From any state to any other: the kernel can carry out each step, then has what was
    /// wanted, and nothing is left to do; what matched was never touched.
    #[test]
    fn steps_lead_from_anything_to_anything() {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let nothing = File::default();
        for _ in 0..50_000 {
            let mut present: Vec<Endpoint> = Vec::new();
            for _ in 0..random.below(7) {
                let id = 1 + random.below(9) as u8;
                let mut endpoint = random.endpoint(id);
                if random.below(8) == 0 {
                    let flags = flags_of(&endpoint) | EndpointFlags::IMPLICIT;
                    endpoint = endpoint.with_flags(flags);
                }
                let apart =
                    |existing: &Endpoint| id_of(existing) != id && !clashes(existing, &endpoint);
                if present.iter().all(apart) {
                    present.push(endpoint);
                }
            }
            present.sort_by_key(id_of);
            let mut busy = Vec::new();
            for existing in &present {
                if random.below(3) == 0 {
                    busy.push(key_of(existing));
                }
            }
            let mut plan = Plan {
                present: present.clone(),
                busy: busy.clone(),
                surveyed: true,
                ..Plan::default()
            };
            for line in 1..=1 + random.below(6) as u32 {
                let id = random.below(9) as u8 * (random.below(2) as u8);
                let mut endpoint = random.endpoint(id);
                if let (Some(existing), 0) = (present.first(), random.below(3)) {
                    let flags = flags_of(existing) & !EndpointFlags::IMPLICIT;
                    endpoint = with_id(existing, id).with_flags(flags);
                }
                let had = random.below(12) as u8;
                let apart = |other: &Step| {
                    (id == 0 || other.id() != id) && !clashes(&other.endpoint, &endpoint)
                };
                if plan.wanted.iter().all(apart) {
                    plan.wanted.push(Step {
                        line,
                        had,
                        ..Step::new(Action::Add, &endpoint)
                    });
                }
            }
            for _ in 0..random.below(4) {
                plan.ids.mark(random.below(12) as u8, Ids::RESERVED);
            }
            plan.numbered = random.below(4) == 0;
            let wish = copy(&plan.wanted);
            let gone = present.first().map(|gone| Step::new(Action::Delete, gone));
            plan.own.extend(gone);
            if let (Some(last), 0) = (present.last(), random.below(4)) {
                push(&mut plan.own, Action::Add, last);
                if let Some(own) = plan.own.last_mut() {
                    own.subflows.again = true;
                }
            }
            let others = match random.below(3) {
                0 => Others::Go,
                1 => Others::StayBut(&nothing),
                _ => Others::GiveWay,
            };
            let follow = random.below(2) == 0;
            plan.follows = follow;
            if let Err(conflict) = plan.compare(others) {
                assert!(matches!(others, Others::StayBut(..)));
                let wants = |wanted: &Step| {
                    wanted.line == conflict.line()
                        && present
                            .iter()
                            .any(|existing| id_of(existing) == wanted.id())
                };
                assert!(wish.iter().any(wants));
                continue;
            }
            let mut kernel = Kernel(present.clone());
            kernel.carry_out(&plan.steps);
            let about = || (&present, &busy, &wish, &plan.steps, &kernel.0);
            let lost = |wanted: &Step| {
                let mut conflicts = plan.mistakes.iter();
                conflicts.any(|conflict| conflict.line() == wanted.line)
            };
            let holds = |existing: &Endpoint, wanted: &Step| {
                clashes(existing, &wanted.endpoint)
                    && (wanted.id() == 0 || wanted.id() == id_of(existing) || lost(wanted))
                    && flags_of(existing) == flags_of(&wanted.endpoint)
                    && index_of(existing) == index_of(&wanted.endpoint)
            };
            for wanted in &wish {
                let held = kernel.0.iter().filter(|existing| holds(existing, wanted));
                assert_eq!(held.count(), 1, "{:?}", about());
            }
            let asked = |id: u8| wish.iter().any(|wanted| wanted.id() == id && !lost(wanted));
            for existing in &present {
                let wanted = wish
                    .iter()
                    .find(|wanted| clashes(&wanted.endpoint, existing));
                let live = follow && busy.contains(&key_of(existing));
                let fitted = wanted.is_some_and(|wanted| {
                    holds(existing, wanted)
                        && !is_implicit(existing)
                        && (wanted.id() != 0 && !lost(wanted) || live || !asked(id_of(existing)))
                });
                let stays = wanted.is_none()
                    && match others {
                        Others::GiveWay => !asked(id_of(existing)),
                        _ if is_implicit(existing) => true,
                        Others::Go => false,
                        Others::StayBut(_) => !among(&plan.own, existing),
                    };
                if fitted || stays {
                    assert!(kernel.0.contains(existing), "{existing:?} {:?}", about());
                    let mut steps = plan.steps.iter();
                    let touched = steps.any(|step| {
                        step.action == Action::Flush
                            || step.has_endpoint() && clashes(&step.endpoint, existing)
                    });
                    // Its subflows died: it is deleted and added again.
                    let again = |own: &Step| own.subflows.again && clashes(&own.endpoint, existing);
                    assert!(
                        !touched || plan.own.iter().any(again),
                        "{existing:?} {:?}",
                        about()
                    );
                }
            }
            // If others may have endpoints, all that are deleted are named.
            let flush = plan.steps.iter().any(|step| step.action == Action::Flush);
            assert!(!flush || matches!(others, Others::Go) && !plan.numbered);
            if !plan.mistakes.is_empty() {
                continue;
            }
            let mut more = Plan {
                present: kernel.0.clone(),
                own: copy(&plan.own),
                wanted: copy(&wish),
                busy: busy.clone(),
                surveyed: true,
                follows: follow,
                ..Plan::default()
            };
            for own in &mut more.own {
                own.subflows.again = false;
            }
            let _ = more.compare(others);
            assert!(more.steps.is_empty(), "{:?}", about());
        }
    }

    #[test]
    fn no_id_has_no_marks() {
        let mut ids = Ids::NONE;
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
            address: 0,
            present: true,
            up: usable,
            usable,
            permanent: false,
        };
        let address = |index, address: &str, usable| LinkEvent {
            address: key::key(address.parse().expect("an address")),
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
            address(3, "2001:db8::3", true),
            address(3, "fd00::3", true),
            // It may be a duplicate.
            LinkEvent {
                present: false,
                ..address(3, "2001:db8::4", true)
            },
        ]
    }

    /// The file with the indexes of its interfaces; `a`, `b`, `c` are 1, 2, 3. Only `a` has a
    /// default route, for IPv4.
    fn file(text: &str) -> File {
        let mut file = correct(text);
        let found = file.each_dev(&mut |dev, indexes| {
            for (index, name) in [(1, "a"), (2, "b"), (3, "c")] {
                if dev == name || dev == "*" {
                    indexes.push(index);
                }
            }
            Ok(())
        });
        assert!(found.is_ok());
        file.uplinks[1].push(1);
        file
    }

    fn expanded(text: &str, follow: bool) -> Plan {
        let mut plan = Plan {
            seen: seen(),
            follows: follow,
            ..Plan::default()
        };
        plan.expand(&file(text));
        plan
    }

    #[test]
    fn lines_stand_for_the_addresses_of_usable_interfaces() {
        for (text, follow, wanted) in [
            ("endpoint add dev a", false, vec!["10.1.0.1 0"]),
            ("endpoint add dev b", false, vec![]),
            ("endpoint add dev nowhere", false, vec![]),
            ("endpoint add dev c -6 id 7", false, vec!["2001:db8::3 7"]),
            (
                "endpoint add dev c id 7\nendpoint add dev a",
                false,
                vec!["10.3.0.1 7", "10.1.0.1 0", "2001:db8::3 0"],
            ),
            (
                "endpoint add dev a\nendpoint add 10.1.0.1 id 3",
                false,
                vec!["10.1.0.1 3"],
            ),
            // Unique local ones only where a prefix names them.
            ("endpoint add fd00::/8 dev c", false, vec!["fd00::3 0"]),
            ("endpoint add ::/0 dev c", false, vec!["2001:db8::3 0"]),
            // The longer prefix first, then the name.
            (
                "endpoint add dev * id 1\nendpoint add dev c -4 id 2\nendpoint add 10.3.0.0/24 dev c id 3",
                false,
                vec!["10.1.0.1 1", "10.3.0.1 3", "2001:db8::3 0"],
            ),
            (
                "ignore 10.3.0.0/16\nignore dev a\nendpoint add dev *",
                true,
                vec!["10.1.0.1 0", "2001:db8::3 0"],
            ),
            ("ignore dev c -4\nendpoint add dev c", true, vec!["2001:db8::3 0"]),
            // Ignoring one family does not affect the other.
            (
                "ignore ::/0\nignore dev c -6\nendpoint add dev c",
                true,
                vec!["10.3.0.1 0", "10.1.0.1 0"],
            ),
            ("ignore 0.0.0.0/0\nendpoint add dev c", true, vec!["2001:db8::3 0"]),
            ("endpoint add dev * uplink", true, vec!["10.1.0.1 0"]),
            ("endpoint add 10.3.0.1 dev c uplink", false, vec![]),
            // As written, whether or not the interface has it, unless the plan follows.
            ("endpoint add 10.1.0.2 dev a", true, vec!["10.1.0.2 0"]),
            ("endpoint add 10.9.0.9 dev a", false, vec!["10.9.0.9 0"]),
            ("endpoint add 10.9.0.9 dev a", true, vec![]),
            ("endpoint add 10.2.0.1 dev b", true, vec![]),
            ("endpoint add 10.2.0.1 dev nowhere", true, vec![]),
            ("endpoint add 10.9.0.9", true, vec!["10.9.0.9 0"]),
            // On another interface, and on none: a router in front of this host has it.
            ("endpoint add 10.3.0.1 dev a", true, vec!["10.3.0.1 0"]),
            ("endpoint add 10.9.0.9 dev a signal", true, vec!["10.9.0.9 0"]),
            ("endpoint add 10.9.0.9 dev b signal", true, vec![]),
            ("endpoint add 10.9.0.9 dev a signal port 9", true, vec![]),
            ("endpoint add 10.9.0.9 dev a signal subflow", true, vec![]),
        ] {
            let plan = expanded(text, follow);
            let print = |wanted: &Step| {
                let id = wanted.id().to_string();
                [address_of(&wanted.endpoint).to_string(), id].join(" ")
            };
            let mut found: Vec<String> = plan.wanted.iter().map(print).collect();
            let mut wanted: Vec<&str> = wanted;
            if text.contains('*') {
                found.sort();
                wanted.sort();
            }
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

    /// An endpoint that has everything a line says except the id loses its subflows if it
    /// is moved.
    #[test]
    fn an_id_moves_only_where_no_living_subflow_is_lost() {
        for (busy, exact, expected) in [
            (None, false, 0),
            (Some(vec![]), false, 5),
            (Some(vec![key::key([10, 1, 0, 1].into())]), false, 0),
            (Some(vec![key::key([10, 1, 0, 1].into())]), true, 5),
        ] {
            let unknown = busy.is_none();
            let text = if exact {
                "endpoint add 10.1.0.1 id 5"
            } else {
                "endpoint add dev a id 5"
            };
            let mut plan = Plan {
                seen: seen(),
                present: vec![Endpoint::new([10, 1, 0, 1]).with_id(1).with_if_idx(1)],
                surveyed: !unknown,
                busy: busy.unwrap_or_default(),
                ..Plan::default()
            };
            plan.expand(&file(text));
            assert_eq!(
                (plan.wanted[0].id(), plan.unsure.get()),
                (expected, unknown)
            );
        }
    }

    #[test]
    fn what_a_kernel_has_no_room_for_is_left_out() {
        let mut plan = expanded("endpoint add dev a\nendpoint add dev c", false);
        plan.present.push(Endpoint::new([192, 0, 2, 1]).with_id(1));
        let done = plan.compare(Others::Go);
        assert!(done.is_ok());
        assert_eq!(plan.steps.len(), 4);
        plan.leave_out(2);
        let done = plan.steps.iter().filter(|step| !step.refused);
        assert_eq!(done.count(), 3);
    }
}
