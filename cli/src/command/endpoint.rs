//! `endpoint add`, `change`, `delete`, `show`, `flush`, `replace`.

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::replace;
use super::words::{changed, is_meant, not_found};
use crate::built;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::endpoint::{check_made, check_new, Family, CHANGEABLE};
use crate::grammar::{keyword, same, slot, Given};
use crate::kernel::{Lock, Names, PathManager};
use crate::session::{taking, words, Command, Does, Group, Session};
use crate::state::members::members;
use crate::sys::Fd;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "endpoint",
    words: "",
    help: "Addresses that are used for subflows or announced to peers.\n\
           Example:
  ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh",
    does: Does::Group(ACTIONS),
};

// A constant of its own: until Rust 1.89 a temporary within an enum variant dies with its
// statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::ENDPOINT,
    actions: &taking(
        keyword::ENDPOINT,
        [
            Command {
                name: "add",
                words: "ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
                help: "Add an endpoint.\n\
                   Example:
  ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh",
                does: words(add),
            },
            Command {
                name: "change",
                words: "{ id N | ADDRESS [ port N ] } [ dev IF ] [ port N ] [ [no]FLAG ]...",
                help: "Change an endpoint: what is named and nothing else.\n\
                   noFLAG clears a flag. Backup changes in place; fullmesh makes the kernel open its \
                       subflows anew. For signal, subflow, laminar, dev and port the endpoint \
                       is deleted and added again with its id: this ends its subflows.
With id N the port is the new one, with ADDRESS it says which endpoint is meant.

Examples:
  ip-mptcp endpoint change id 3 signal nosubflow port 8080
  ip-mptcp endpoint change id 3 backup",
                does: words(change),
            },
            Command {
                name: "delete",
                words: SELECTOR,
                help: "Delete the endpoints that match all words.\n\
                   id 0 ADDRESS closes the first subflow of connections from there.

Examples:
  ip-mptcp endpoint delete id 3
  ip-mptcp endpoint delete dev wwan0",
                does: words(delete),
            },
            Command {
                name: "show",
                words: if built::USER_SPACE { SHOW } else { SELECTOR },
                help: "Show endpoints: all, or those that match all words.\n\
                   Example:
  ip-mptcp -j endpoint show signal",
                does: words(show),
            },
            Command {
                name: "flush",
                words: SELECTOR,
                help: "Delete all endpoints, or those that match all words.\n\
                   Example:
  ip-mptcp endpoint flush dev wwan0",
                does: words(flush),
            },
            #[cfg(feature = "state")]
            Command {
                name: "replace",
                words: "{ ADDRESS [ id N ] | id N } [ dev IF ] [ port N ] [ FLAG ]...",
                help: "Add an endpoint, or turn the present one into what is given.\n\
                   The endpoint with this address and port, or with this id, is made what is \
                       given, with the least change: given twice is given once. Without id N it \
                       keeps its id; with id N alone it keeps its address and port.
Backup changes in place, anything else ends its subflows.

Example:
  ip-mptcp endpoint replace 10.0.0.1 dev wan subflow backup",
                does: words(replace::run),
            },
            #[cfg(not(feature = "state"))]
            crate::session::absent("replace", "state"),
        ],
    ),
};

/// What selects endpoints to show, including those of one connection.
const SHOW: &str = "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG | implicit ]... [ -4 | -6 ] \
                    [ token T ]";

/// What selects endpoints.
const SELECTOR: &str =
    "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG | implicit ]... [ -4 | -6 ]";

pub fn add(session: &mut Session, given: &Given) -> Result<Status> {
    check_new(given)?;
    session.path_manager()?.add(&given.endpoint())?;
    Ok(0)
}

/// The kernel overwrites backup and fullmesh together: the one that is not named is read first
/// and sent back unchanged.
pub fn change(session: &mut Session, given: &Given) -> Result<Status> {
    check_made(given)?;
    if given.id() == Some(0) {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    let path_manager = session.path_manager()?;
    if given.id().is_none() && given.address().is_none() {
        return Err(Error::new(
            Kind::Usage,
            status::REFUSED,
            "Error: missing address ID: id N or ADDRESS is required.",
        ));
    }
    let mut endpoints = path_manager.recent_endpoints()?.iter();
    let Some(old) = endpoints.find(|endpoint| is_meant(endpoint, given)) else {
        return Err(not_found());
    };
    let old = *old;
    let new = changed(&old, given);
    let flags = new.flags().unwrap_or_default();
    let before = old.flags().unwrap_or_default();
    if new.with_flags(flags & !CHANGEABLE | before & CHANGEABLE) == old {
        path_manager.set_flags(old.id().unwrap_or(0), flags & CHANGEABLE)?;
        return Ok(0);
    }
    replace::recreate(path_manager, given)
}

/// Whether an endpoint matches every word that was given.
fn matches(endpoint: &Endpoint, given: &Given) -> bool {
    let flags = endpoint.flags().unwrap_or_default();
    let address = endpoint.address();
    let mut rest = given.without(slot::ADDRESS);
    rest.set = EndpointFlags(0);
    // Everything else is as it was given.
    let found = endpoint.with_port(endpoint.port().unwrap_or(0));
    found.with_all(&rest.endpoint()) == found
        && given
            .address()
            .is_none_or(|wanted| address.is_some_and(|found| same(found, wanted)))
        && (given.port() != Some(0) || found.port() == Some(0))
        && flags.contains(given.set)
        && (flags & given.clear).0 == 0
        && match given.family() {
            None => true,
            Some(Family::V4) => matches!(address, Some(IpAddr::V4(_))),
            Some(Family::V6) => matches!(address, Some(IpAddr::V6(_))),
        }
}

pub fn delete(session: &mut Session, given: &Given) -> Result<Status> {
    if given.id() == Some(0) {
        return delete_first_subflows(session, given);
    }
    if given.is_empty() {
        return Err(Error::required("ID"));
    }
    let path_manager = session.path_manager()?;
    if let Some(id) = only_id(given) {
        return path_manager.delete_id(id).map(|()| 0);
    }
    match delete_chosen(path_manager, given)? {
        0 => Err(not_found()),
        _ => Ok(0),
    }
}

/// The id, if only that was given.
fn only_id(given: &Given) -> Option<u8> {
    given.id().filter(|_| given.is_only(slot::ID))
}

/// Deletes the endpoints that match; returns how many. One that someone else has deleted
/// meanwhile counts as deleted.
fn delete_chosen(path_manager: &mut PathManager, given: &Given) -> Result<u32> {
    let mut lock = Lock::default();
    lock.take(&Fd::NONE)?;
    let mut endpoints = Vec::new();
    path_manager.endpoints(&mut endpoints)?;
    let mut count = 0;
    let mut failure = None;
    for endpoint in &endpoints {
        if !matches(endpoint, given) {
            continue;
        }
        count += 1;
        let id = endpoint.id().unwrap_or(0);
        if let Err(error) = path_manager.delete_id(id) {
            let mut left = Vec::new();
            let looked = path_manager.endpoint(id, &mut left);
            let stays = looked.is_err_and(|error| error.errno() != libc::EINVAL as usize)
                || left
                    .iter()
                    .any(|other| other.address() == endpoint.address());
            if stays {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(count), Err)
}

/// `delete id 0 ADDRESS`: deletes no endpoint, but closes the first subflow of the connections
/// from that address.
fn delete_first_subflows(session: &mut Session, given: &Given) -> Result<Status> {
    if given.address().is_none() {
        return Err(Error::invalid(
            "ID",
            "address is needed for deleting id 0 address",
        ));
    }
    session.path_manager()?.delete(&given.endpoint())?;
    Ok(0)
}

pub fn flush(session: &mut Session, given: &Given) -> Result<Status> {
    let path_manager = session.path_manager()?;
    if given.is_empty() {
        path_manager.flush()?;
        return Ok(0);
    }
    delete_chosen(path_manager, given)?;
    Ok(0)
}

pub fn show(session: &mut Session, given: &Given) -> Result<Status> {
    if given.id() == Some(0) && given.token().is_none() {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    let (path_manager, out) = session.path_manager_and_output()?;
    let mut endpoints = Vec::new();
    match (given.token(), given.id()) {
        (Some(token), _) if built::USER_SPACE => path_manager.endpoints_of(token, &mut endpoints),
        (_, Some(id)) => path_manager.endpoint(id, &mut endpoints),
        (_, None) => path_manager.endpoints(&mut endpoints),
    }?;
    let is_wanted = |endpoint: &&Endpoint| given.is_empty() || matches(endpoint, given);
    if given.id().is_some() && !endpoints.iter().any(|endpoint| is_wanted(&endpoint)) {
        return Err(not_found());
    }
    let mut names = Names::default();
    out.begin_list("");
    for endpoint in endpoints.iter().filter(is_wanted) {
        let name = match endpoint.if_idx() {
            None | Some(0) => &[],
            Some(index) => names.get(path_manager.fd(), index),
        };
        out.begin_record("");
        members(out, endpoint, name);
        out.end_record();
    }
    out.end_list();
    Ok(0)
}
