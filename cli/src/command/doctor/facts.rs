//! What is known of this host, for every check.

use mptcp_codec::mptcp::EndpointFlags;

use super::history::History;
use crate::error::Result;
use crate::host::health::{Host, Presence};
use crate::host::live::Live;
use crate::host::places::{key_of, Key};
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
    /// Why something could not be looked up.
    pub failed: Result<()>,
}

impl Doctor<'_> {
    /// How many endpoints there are. They are called by their places in the
    /// list.
    pub fn count(&self) -> usize {
        self.host.places.endpoints.len()
    }

    /// Whether somebody made an endpoint, not the kernel, with these flags.
    #[inline(never)]
    pub fn is(&self, at: usize, flags: EndpointFlags) -> bool {
        let endpoint = self.host.places.endpoints.get(at);
        let found = endpoint.and_then(|endpoint| endpoint.flags());
        let found = found.unwrap_or_default();
        endpoint.is_some() && found.contains(flags) && !found.contains(EndpointFlags::IMPLICIT)
    }

    /// Whether any is such a one.
    pub fn any(&self, flags: EndpointFlags) -> bool {
        (0..self.count()).any(|at| self.is(at, flags))
    }

    /// The address of an endpoint.
    #[inline(never)]
    pub fn key(&self, at: usize) -> Key {
        self.host.places.endpoints.get(at).map_or(0, key_of)
    }

    /// Its id.
    pub fn id(&self, at: usize) -> u32 {
        let endpoint = self.host.places.endpoints.get(at);
        endpoint
            .and_then(|endpoint| endpoint.id())
            .unwrap_or(0)
            .into()
    }

    /// The port that it announces, 0 for none.
    pub fn port(&self, at: usize) -> u16 {
        let endpoint = self.host.places.endpoints.get(at);
        endpoint.and_then(|endpoint| endpoint.port()).unwrap_or(0)
    }

    /// The interface that it names, 0 for none.
    pub fn bound(&self, at: usize) -> u32 {
        let endpoint = self.host.places.endpoints.get(at);
        endpoint.and_then(|endpoint| endpoint.if_idx()).unwrap_or(0)
    }

    /// Its interface: that which it names, or that has its address.
    #[inline(never)]
    pub fn interface(&self, at: usize) -> u32 {
        let endpoint = self.host.places.endpoints.get(at);
        endpoint.map_or(0, |endpoint| self.host.places.of_endpoint(endpoint))
    }

    /// Whether packets can leave from it.
    pub fn is_up(&self, at: usize) -> bool {
        let endpoint = self.host.places.endpoints.get(at);
        endpoint.is_some_and(|endpoint| self.host.presence(endpoint) == Presence::Up)
    }

    /// Whether connections are accepted here.
    pub fn serves(&self) -> bool {
        self.live.accepted > 0 || !self.live.listeners.is_empty()
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
