//! What is known of this host, for all checks.

use mptcp_codec::mptcp::EndpointFlags;

use super::history::History;
use crate::error::Result;
use crate::host::health::{Facts, Host, Presence};
use crate::host::live::{Live, Row};
use crate::kernel::key::Key;
use crate::kernel::proc;
use crate::session::Session;
use crate::text::Text;

/// Everything that is known, and what was found. Frequently used fields come first, where
/// shorter instructions reach them.
#[repr(C)]
pub struct Doctor<'s> {
    // What a finding is about; its texts have placeholders for all of this.
    /// The endpoint that is looked at.
    pub endpoint: Facts,
    /// Where its packets go.
    pub to: Target,
    pub host: &'s mut Host,
    /// Counters.
    pub counters: &'static [u8],
    /// The place of the endpoint in the list.
    pub at: usize,
    pub history: History,
    pub live: Live,
    /// Another interface than its own.
    pub other: u32,
    pub findings: u32,
    pub faults: u32,
    pub session: &'s mut Session,
    /// Why something could not be looked up.
    pub failed: Result<()>,
    /// Evidence ([`ABOUT`]) and remedy ([`REMEDY`]) collected so far.
    pub texts: [Text; 2],
}

/// Places of `Doctor::texts`.
pub const ABOUT: usize = 0;
pub const REMEDY: usize = 1;

/// Where subflows go.
#[derive(Copy, Clone, Default)]
pub struct Target {
    pub address: Key,
    pub port: u16,
    /// The mark of its packets, if known.
    pub mark: u32,
    /// No peer is known: it stands for any host.
    pub any: bool,
}

impl Doctor<'_> {
    /// How many endpoints there are.
    pub fn count(&self) -> usize {
        self.live.rows.len()
    }

    /// Makes the endpoint at this place in the list the current one.
    #[inline(never)]
    pub fn turn_to(&mut self, at: usize) {
        self.at = at;
        self.endpoint = self.row().map_or(Facts::default(), |row| row.facts);
    }

    /// Searches from place `at` in the list for an endpoint with these flags that was not
    /// made by the kernel, and makes it the current one; `at` becomes the place after it.
    #[inline(never)]
    pub fn next(&mut self, at: &mut usize, flags: EndpointFlags) -> bool {
        while *at < self.count() {
            self.turn_to(*at);
            *at += 1;
            if self.has(flags) {
                return true;
            }
        }
        false
    }

    /// How the endpoint is used.
    pub fn row(&self) -> Option<&Row> {
        self.live.rows.get(self.at)
    }

    /// Whether the endpoint has these flags and was not made by the kernel.
    pub fn has(&self, flags: EndpointFlags) -> bool {
        is_made(&self.endpoint, flags)
    }

    /// Whether any endpoint is like that.
    #[inline(never)]
    pub fn any(&self, flags: EndpointFlags) -> bool {
        let mut rows = self.live.rows.iter();
        rows.any(|row| is_made(&row.facts, flags))
    }

    /// Whether packets can leave from it.
    pub fn is_up(&self) -> bool {
        self.endpoint.presence == Presence::Up
    }

    /// Whether its address is one that clients know.
    pub fn is_known(&self) -> bool {
        let mut served = self.live.served.iter();
        served.any(|here| here.address == self.endpoint.key)
    }

    /// Whether an established further subflow uses it.
    pub fn is_used(&self) -> bool {
        self.live.is_used(self.at)
    }

    /// Whether connections are accepted here.
    pub fn serves(&self) -> bool {
        self.live.accepted > 0 || !self.live.listeners.is_empty()
    }

    /// Notes that a finding says why the endpoint has no subflows.
    #[inline(never)]
    pub fn explain(&mut self) {
        if let Some(row) = self.live.rows.get_mut(self.at) {
            row.explained = true;
        }
    }

    #[inline(never)]
    pub fn is_explained(&self) -> bool {
        self.row().is_some_and(|row| row.explained)
    }

    /// Whether any endpoint is explained.
    pub fn explains(&self) -> bool {
        self.live.rows.iter().any(|row| row.explained)
    }
}

fn is_made(endpoint: &Facts, flags: EndpointFlags) -> bool {
    endpoint.flags & (flags | EndpointFlags::IMPLICIT) == flags
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
