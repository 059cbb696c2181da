//! Endpoints, and which of them are the same to the kernel.

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Error;
use crate::kernel::key::key_of;
use crate::text::address;

/// The address; 0.0.0.0 if it has none.
pub fn address_of(endpoint: &Endpoint) -> IpAddr {
    endpoint.address().unwrap_or(IpAddr::from([0; 4]))
}

/// Appends the address to a message.
#[cold]
#[inline(never)]
pub fn push_address(message: &mut Error, endpoint: &Endpoint) {
    message.push(&address(address_of(endpoint)));
}

/// The port; 0 is none.
pub fn port_of(endpoint: &Endpoint) -> u16 {
    endpoint.port().unwrap_or(0)
}

/// The id; 0 is any.
pub fn id_of(endpoint: &Endpoint) -> u8 {
    endpoint.id().unwrap_or(0)
}

/// The flags.
pub fn flags_of(endpoint: &Endpoint) -> EndpointFlags {
    endpoint.flags().unwrap_or_default()
}

/// Index of the interface; 0 is none.
pub fn index_of(endpoint: &Endpoint) -> u32 {
    endpoint.if_idx().unwrap_or(0)
}

/// The same with this id; without one for 0.
#[inline(never)]
pub fn with_id(endpoint: &Endpoint, id: u8) -> Endpoint {
    match id {
        0 => endpoint.without(Endpoint::ID),
        id => endpoint.with_id(id),
    }
}

/// Whether the kernel made it.
pub fn is_implicit(endpoint: &Endpoint) -> bool {
    flags_of(endpoint).contains(EndpointFlags::IMPLICIT)
}

/// Whether the kernel could not hold both: address and port count, the interface does not.
#[inline(never)]
pub fn clashes(one: &Endpoint, other: &Endpoint) -> bool {
    // Usually enough, in a tenth of the time.
    if let (Some(a), Some(b)) = (one.addr4(), other.addr4()) {
        return a == b && port_of(one) == port_of(other);
    }
    let key = key_of(one);
    key != 0 && key == key_of(other) && port_of(one) == port_of(other)
}

/// The endpoint that clashes with this one, if any.
#[inline(never)]
pub fn clashing<'e>(all: &'e [Endpoint], endpoint: &Endpoint) -> Option<&'e Endpoint> {
    all.iter().find(|present| clashes(present, endpoint))
}
