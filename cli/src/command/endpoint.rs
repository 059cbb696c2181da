//! `endpoint add`, `change`, `delete`, `show`, `flush`, `replace`.

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::members::members;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::endpoint::{
    check_new, check_whole, parse, EndpointWords, Family, Purpose, CHANGEABLE,
};
use crate::grammar::keyword;
use crate::grammar::{takes, Words};
use crate::kernel::{interface, Names, PathManager};
use crate::session::Session;
use crate::session::{Command, Does, Group};
use crate::state::changes::{carry_out, entries, limits};
use crate::state::plan::{push, same, Action, Entry, Others, Plan};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "endpoint",
    about: "Addresses that are used for subflows or announced to peers.",
    words: "",
    help: "Example:
  ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh",
    does: Does::Group(&Group {
        default: "show",
        keywords: keyword::ENDPOINT,
        actions: &[
            Command {
                name: "add",
                about: "Add an endpoint.",
                words: "ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
                help: "Example:
  ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh",
                does: Does::Words(add),
            },
            Command {
                name: "change",
                about: "Change an endpoint: what is named and nothing else.",
                words: "{ id N | ADDRESS [ port N ] } [ dev IF ] [ port N ] [ [no]FLAG ]...",
                help: "Backup and fullmesh change in place. For signal, subflow, laminar, dev and port the
endpoint is deleted and added again with its id: this ends its subflows.
With id N the port is the new one, with ADDRESS it says which endpoint is meant.

Examples:
  ip-mptcp endpoint change id 3 signal nosubflow port 8080
  ip-mptcp endpoint change id 3 backup",
                does: Does::Words(change),
            },
            Command {
                name: "delete",
                about: "Delete the endpoints that match all words.",
                words: SELECTOR,
                help: "id 0 ADDRESS closes the first subflow of connections from there.

Examples:
  ip-mptcp endpoint delete id 3
  ip-mptcp endpoint delete dev wwan0",
                does: Does::Words(delete),
            },
            Command {
                name: "show",
                about: "Show endpoints: all, or those that match all words.",
                words: "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG | implicit ]... [ -4 | -6 ] \
                        [ token T ]",
                help: "Example:
  ip-mptcp -j endpoint show signal",
                does: Does::Words(show),
            },
            Command {
                name: "flush",
                about: "Delete all endpoints, or those that match all words.",
                words: SELECTOR,
                help: "Example:
  ip-mptcp endpoint flush dev wwan0",
                does: Does::Words(flush),
            },
            Command {
                name: "replace",
                about: "Add an endpoint, or make the one that is there what is said.",
                words: "ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
                help: "The endpoint with this address and port, or with this id,
is made equal to what is said, with the least change: said twice is said once.
Without id N it keeps its id; with id N alone it keeps its address and port.
Backup and fullmesh change in place, anything else ends its subflows.

Example:
  ip-mptcp endpoint replace 10.0.0.1 dev wan subflow backup",
                does: Does::Words(replace),
            },
        ],
    }),
};

/// What chooses endpoints.
const SELECTOR: &str =
    "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG | implicit ]... [ -4 | -6 ]";

/// Reads the words of a command; names of interfaces are looked up as they
/// are met.
fn read(
    session: &mut Session,
    words: &[&str],
    purpose: Purpose,
    said: &mut EndpointWords,
) -> Result<()> {
    parse(Words::new(words), purpose, said, &mut |name| {
        interface::index(session.path_manager()?.fd(), name, purpose.selects())
    })?;
    if purpose.selects() && said.family.is_none() {
        said.family = match (session.options.ipv4, session.options.ipv6) {
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            _ => return Ok(()),
        };
        said.kinds |= takes::FAMILY;
    }
    Ok(())
}

pub fn add(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Add, &mut said)?;
    if said.address.is_none() {
        return Err(Error::required("ADDRESS"));
    }
    check_new(&said)?;
    session.path_manager()?.add(&said.endpoint())?;
    Ok(0)
}

fn not_found() -> Error {
    Error::new(
        Kind::Kernel,
        status::REFUSED,
        &["Error: address not found."],
    )
    .with_errno(Errno(libc::EINVAL as u32))
}

/// The kernel overwrites backup and fullmesh together: what is not named is
/// read first and sent back as it is.
pub fn change(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Change, &mut said)?;
    if said.id == Some(0) {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    let path_manager = session.path_manager()?;
    if said.id.is_none() && said.address.is_none() {
        return Err(Error::new(
            Kind::Usage,
            status::REFUSED,
            &["Error: missing address ID: id N or ADDRESS is required."],
        ));
    }
    let mut plan = Plan::default();
    entries(path_manager, &mut plan.present)?;
    let mut found = None;
    for there in &plan.present {
        // By address the port selects.
        if said
            .address
            .is_none_or(|address| same(there.address, address))
            && match said.id {
                Some(id) => there.id == id,
                None => there.port == said.port.unwrap_or(0),
            }
        {
            found = Some(*there);
            break;
        }
    }
    let old = found.ok_or_else(not_found)?;
    let mut new = old;
    new.flags = (old.flags | said.set) & !said.clear;
    if let (Some(port), Some(_)) = (said.port, said.id) {
        new.port = port;
    }
    if let Some(index) = said.dev {
        new.index = index;
    }
    let differ = EndpointFlags(old.flags.0 ^ new.flags.0) & !CHANGEABLE;
    if differ.0 == 0 && new.port == old.port && new.index == old.index {
        return path_manager
            .set_flags(old.id, new.flags & CHANGEABLE)
            .map(|()| 0);
    }
    check_whole(new.flags, new.port)?;
    // The kernel's own becomes one of ours.
    new.flags &= !EndpointFlags::IMPLICIT;
    // No other is in question.
    plan.present.clear();
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

/// Add, or make what is there what is said.
pub fn replace(session: &mut Session, words: &[&str]) -> Result<Status> {
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

/// Whether an endpoint is what was said, in every word.
fn matches(endpoint: &Endpoint, said: &EndpointWords) -> bool {
    let flags = endpoint.flags().unwrap_or_default();
    let address = endpoint.address();
    said.id.is_none_or(|id| endpoint.id() == Some(id))
        && said
            .address
            .is_none_or(|wanted| address.is_some_and(|found| same(found, wanted)))
        && said
            .port
            .is_none_or(|port| endpoint.port().unwrap_or(0) == port)
        && said
            .dev
            .is_none_or(|index| endpoint.if_idx() == Some(index))
        && flags.contains(said.set)
        && (flags & said.clear).0 == 0
        && match said.family {
            None => true,
            Some(Family::V4) => matches!(address, Some(IpAddr::V4(_))),
            Some(Family::V6) => matches!(address, Some(IpAddr::V6(_))),
        }
}

pub fn delete(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Select, &mut said)?;
    if said.id == Some(0) {
        return delete_first_subflows(session, &said);
    }
    if said.is_empty() {
        return Err(Error::required("ID"));
    }
    let path_manager = session.path_manager()?;
    if let Some(id) = only_id(&said) {
        return path_manager.delete_id(id).map(|()| 0);
    }
    match delete_chosen(path_manager, &said)? {
        0 => Err(not_found()),
        _ => Ok(0),
    }
}

/// The id, if nothing else was said.
fn only_id(said: &EndpointWords) -> Option<u8> {
    said.id.filter(|_| said.kinds == takes::ID)
}

/// Deletes the endpoints that are what was said; tells how many.
fn delete_chosen(path_manager: &mut PathManager, said: &EndpointWords) -> Result<u32> {
    let mut endpoints = Vec::new();
    path_manager.endpoints(&mut endpoints)?;
    let mut count = 0;
    for endpoint in &endpoints {
        if matches(endpoint, said) {
            path_manager.delete_id(endpoint.id().unwrap_or(0))?;
            count += 1;
        }
    }
    Ok(count)
}

/// `delete id 0 ADDRESS`: no endpoint goes, but the first subflow of the
/// connections from that address.
fn delete_first_subflows(session: &mut Session, said: &EndpointWords) -> Result<Status> {
    if said.address.is_none() {
        return Err(Error::invalid(
            "ID",
            "address is needed for deleting id 0 address",
        ));
    }
    session.path_manager()?.delete(&said.endpoint())?;
    Ok(0)
}

pub fn flush(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Select, &mut said)?;
    let path_manager = session.path_manager()?;
    if said.is_empty() {
        path_manager.flush()?;
        return Ok(0);
    }
    delete_chosen(path_manager, &said)?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<Status> {
    let mut said = EndpointWords::default();
    read(session, words, Purpose::Show, &mut said)?;
    if said.id == Some(0) && said.token.is_none() {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    let (path_manager, out) = session.path_manager_and_output()?;
    let mut endpoints = Vec::new();
    match (said.token, said.id) {
        (Some(token), _) => path_manager.endpoints_of(token, &mut endpoints),
        (None, Some(id)) => path_manager.endpoint(id, &mut endpoints),
        (None, None) => path_manager.endpoints(&mut endpoints),
    }?;
    if !said.is_empty() {
        endpoints.retain(|endpoint| matches(endpoint, &said));
    }
    if said.id.is_some() && endpoints.is_empty() {
        return Err(not_found());
    }
    let mut names = Names::default();
    if out.style.json {
        out.begin_array("");
    }
    for endpoint in &endpoints {
        let name = match endpoint.if_idx() {
            None | Some(0) => &[],
            Some(index) => names.get(path_manager.fd(), index),
        };
        out.begin_record("");
        members(out, endpoint, name);
        out.end_record();
    }
    if out.style.json {
        out.end_array();
    }
    Ok(0)
}
