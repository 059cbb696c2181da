//! The endpoint that words refer to, or the error that there is none.

use mptcp_codec::mptcp::Endpoint;

use crate::errno::Errno;
use crate::error::{status, Error, Kind};
use crate::grammar::{same, slot, Given};

/// No endpoint matches.
pub fn not_found() -> Error {
    Error::new(Kind::Kernel, status::REFUSED, "Error: address not found.")
        .with_errno(Errno(libc::EINVAL as usize))
}

/// The endpoint with the changes that the words name, except those that select it.
pub fn changed(old: &Endpoint, given: &Given) -> Endpoint {
    let mut named = given.without(slot::ADDRESS);
    if given.id().is_none() {
        named = named.without(slot::PORT);
    }
    let mut named = named.endpoint();
    if given.port() == Some(0) {
        named = named.with_port(0);
    }
    let flags = (old.flags().unwrap_or_default() | given.set) & !given.clear;
    old.with_all(&named).with_flags(flags)
}

/// Whether an endpoint is the one to be changed: the words that change something do not select
/// it.
pub fn is_meant(endpoint: &Endpoint, given: &Given) -> bool {
    let Some(address) = endpoint.address() else {
        return false;
    };
    given.address().is_none_or(|wanted| same(address, wanted))
        && match given.id() {
            Some(id) => endpoint.id() == Some(id),
            // With an address, the port selects too.
            None => endpoint.port().unwrap_or(0) == given.port().unwrap_or(0),
        }
}
