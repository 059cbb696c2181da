//! `endpoint replace`, and `endpoint change` of what the kernel cannot change in place:
//! endpoints are deleted and added, by a plan.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::words::{changed, is_meant, not_found};
use crate::error::{Error, Result, Status};
use crate::grammar::endpoint::{check_made, check_new, check_whole};
use crate::grammar::Given;
use crate::kernel::{Lock, PathManager};
use crate::session::Session;
use crate::state::changes::{carry_out, entries};
use crate::state::endpoint::{address_of, flags_of, port_of};
use crate::state::plan::{push, Action, Others, Plan};
use crate::sys::Fd;

/// Changes the endpoint that is meant by deleting and adding it.
pub fn recreate(path_manager: &mut PathManager, given: &Given) -> Result<Status> {
    make(path_manager, &mut |present| {
        let old = present.iter().find(|endpoint| is_meant(endpoint, given));
        let old = *old.ok_or_else(not_found)?;
        // No other endpoint matters.
        present.clear();
        present.push(old);
        // An endpoint of the kernel itself becomes one of ours.
        let new = changed(&old, given);
        Ok(new.with_flags(flags_of(&new) & !EndpointFlags::IMPLICIT))
    })
}

/// Turns one of the present endpoints into the wanted one, or adds it; others give way only if
/// they have its id.
fn make(
    path_manager: &mut PathManager,
    wanted: &mut dyn FnMut(&mut Vec<Endpoint>) -> Result<Endpoint>,
) -> Result<Status> {
    // No other process may do the same meanwhile.
    let mut lock = Lock::default();
    lock.take(&Fd::NONE)?;
    let mut plan = Plan::default();
    entries(path_manager, &mut plan.present)?;
    let wanted = wanted(&mut plan.present)?;
    check_whole(flags_of(&wanted), port_of(&wanted))?;
    push(&mut plan.wanted, Action::Add, &wanted);
    // There is no conflict with others that give way.
    let _ = plan.compare(Others::GiveWay);
    carry_out(path_manager, &mut plan, &[])?;
    Ok(0)
}

/// Adds an endpoint, or turns the one that is present into what is given.
pub fn run(session: &mut Session, given: &Given) -> Result<Status> {
    if given.address().is_none() && given.id().is_none() {
        return Err(Error::required("ADDRESS"));
    }
    check_new(given)?;
    check_made(given)?;
    make(session.path_manager()?, &mut |present| {
        let mut wanted = given.endpoint();
        if given.address().is_none() {
            let old = present.iter().find(|endpoint| given.id() == endpoint.id());
            let old = old.ok_or_else(not_found)?;
            wanted = wanted.with_address(address_of(old));
            if given.port().is_none() && port_of(old) != 0 {
                wanted = wanted.with_port(port_of(old));
            }
        }
        Ok(wanted)
    })
}
