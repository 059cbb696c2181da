//! `endpoint replace`, and `endpoint change` of what the kernel does not change
//! in place: endpoints are deleted and added, by a plan.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::words::{not_found, read};
use crate::error::{Error, Result, Status};
use crate::grammar::endpoint::{check_new, check_whole, EndpointWords, Purpose};
use crate::kernel::PathManager;
use crate::session::Session;
use crate::state::changes::{carry_out, entries, limits};
use crate::state::plan::{push, Action, Entry, Others, Plan};

/// Makes an endpoint what the words say, with these flags.
pub fn recreate(
    path_manager: &mut PathManager,
    old: &Endpoint,
    said: &EndpointWords,
    flags: EndpointFlags,
) -> Result<Status> {
    let Some(address) = old.address() else {
        return Err(not_found());
    };
    let old = Entry::of(old, address);
    let mut new = old;
    new.flags = flags;
    if let (Some(port), Some(_)) = (said.port, said.id) {
        new.port = port;
    }
    if let Some(index) = said.dev {
        new.index = index;
    }
    check_whole(new.flags, new.port)?;
    // The kernel's own becomes one of ours.
    new.flags &= !EndpointFlags::IMPLICIT;
    // No other is in question.
    let mut plan = Plan::default();
    plan.present.push(old);
    make(path_manager, &mut plan, &new)
}

/// Makes one of the endpoints present what is wanted, or adds it; others
/// give way only where they have its id.
fn make(path_manager: &mut PathManager, plan: &mut Plan, wanted: &Entry) -> Result<Status> {
    push(&mut plan.wanted, Action::Add, wanted);
    // Others that give way are in no conflict.
    let _ = plan.compare(Others::GiveWay);
    if matches!(plan.steps.first(), Some(step) if step.action == Action::Flush) {
        // Which on some kernels takes a limit with it.
        limits(path_manager, &mut plan.limits)?;
    }
    carry_out(path_manager, plan, false).map_err(|refused| refused.error)?;
    Ok(0)
}

/// Adds an endpoint, or makes the one that is present what is said.
pub fn run(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Add, &mut said)?;
    if said.address.is_none() && said.id.is_none() {
        return Err(Error::required("ADDRESS"));
    }
    check_new(&said)?;
    if said.set.contains(EndpointFlags::IMPLICIT) {
        let why = "only the kernel makes implicit endpoints";
        return Err(Error::invalid("implicit", why));
    }
    let path_manager = session.path_manager()?;
    let mut plan = Plan::default();
    entries(path_manager, &mut plan.present)?;
    let mut wanted = Entry {
        port: said.port.unwrap_or(0),
        id: said.id.unwrap_or(0),
        flags: said.set,
        index: said.dev.unwrap_or(0),
        ..Entry::NONE
    };
    if let Some(address) = said.address {
        wanted.address = address;
    } else {
        let mut all = plan.present.iter();
        let old = all.find(|there| there.id == wanted.id);
        let old = old.ok_or_else(not_found)?;
        wanted.address = old.address;
        wanted.port = said.port.unwrap_or(old.port);
    }
    check_whole(wanted.flags, wanted.port)?;
    make(path_manager, &mut plan, &wanted)
}
