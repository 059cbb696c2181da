//! What is known of this host, for every check.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use super::history::History;
use crate::host::health::Host;
use crate::host::live::Live;
use crate::kernel::proc;
use crate::session::Session;

/// Everything that is known, and what was found.
pub struct Doctor<'s> {
    pub session: &'s mut Session,
    pub host: &'s mut Host,
    pub live: Live,
    pub history: History,
    pub findings: u32,
    pub faults: u32,
    /// Endpoints of which a finding says why they have no subflows, by their
    /// place.
    pub explained: Vec<bool>,
}

impl Doctor<'_> {
    /// The endpoints with these flags, and their places.
    pub fn endpoints(&self, flags: EndpointFlags) -> Vec<(usize, Endpoint)> {
        let mut found = Vec::new();
        for (at, endpoint) in self.host.places.endpoints.iter().enumerate() {
            if is_made(endpoint) && has(endpoint, flags) {
                found.push((at, *endpoint));
            }
        }
        found
    }

    /// Whether connections are accepted here.
    pub fn serves(&self) -> bool {
        self.live.accepted > 0 || !self.live.listeners.is_empty()
    }

    /// The interface of an endpoint.
    pub fn interface(&self, endpoint: &Endpoint) -> u32 {
        self.host.places.of_endpoint(endpoint)
    }

    /// A finding says why this endpoint has no subflows.
    pub fn explain(&mut self, at: usize) {
        if let Some(explained) = self.explained.get_mut(at) {
            *explained = true;
        }
    }

    pub fn is_explained(&self, at: usize) -> bool {
        self.explained.get(at).copied().unwrap_or(false)
    }
}

/// A sysctl of MPTCP.
pub fn sysctl(name: &str) -> Vec<u8> {
    let mut value = Vec::new();
    proc::sysctl(name.as_bytes(), &mut value);
    value
}

/// Whether a sysctl of MPTCP is 0.
#[inline(never)]
pub fn is_off(name: &str) -> bool {
    sysctl(name) == b"0"
}

/// Whether an endpoint has this flag.
pub fn has(endpoint: &Endpoint, flag: EndpointFlags) -> bool {
    endpoint.flags().unwrap_or_default().contains(flag)
}

/// Whether somebody made it, not the kernel.
pub fn is_made(endpoint: &Endpoint) -> bool {
    !has(endpoint, EndpointFlags::IMPLICIT)
}
