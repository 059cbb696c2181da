//! What `status` and `doctor` look at.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Result;
use crate::host::places::{is_bound, is_private, key_of, Places};
use crate::kernel::LinkEvents;
use crate::session::Session;
use crate::text::nth;

/// Limits, interfaces, addresses, endpoints and connections of the namespace.
#[derive(Default)]
pub struct Host {
    /// The limits of the path manager.
    pub add_addr_accepted: u32,
    /// Further subflows of a connection.
    pub more_subflows: u32,
    /// Addresses and endpoints.
    pub places: Places,
    interfaces: LinkEvents,
}

/// Whether packets can leave from the address of an endpoint.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// They can.
    Up,
    /// Its interface is down.
    Down,
    /// Its interface is up but not connected.
    NoCarrier,
    /// The interface that it names has gone.
    NoDevice,
    /// No interface has the address.
    NoAddress,
    /// Another interface than the one it names has the address.
    OtherDevice,
    /// No interface has the address, which is public and only announced, and
    /// this host is behind NAT.
    Translated,
}

impl Presence {
    /// Whether peers can be expected to reach the address.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Up | Self::Translated)
    }

    /// The word for it in output.
    pub fn name(self) -> &'static [u8] {
        const NAMES: &[u8] = b"up down no-carrier no-device no-address other-device translated";
        nth(NAMES, b' ', self as usize)
    }
}

impl Host {
    /// Nothing is known yet.
    #[inline(never)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the kernel for all but the connections.
    #[inline(never)]
    pub fn read(&mut self, session: &mut Session) -> Result<()> {
        let path_manager = session.path_manager()?;
        let limits = path_manager.limits()?;
        self.add_addr_accepted = limits.add_addr_accepted().unwrap_or(0);
        self.more_subflows = limits.subflows().unwrap_or(0);
        self.places.read(path_manager)?;
        if let Some(routes) = &mut self.places.routes {
            routes.interfaces(&mut self.interfaces, &mut self.places.names)?;
        }
        Ok(())
    }

    /// The name of an interface; `ifN` where it has gone, `unknown` for 0.
    pub fn name(&mut self, index: u32) -> &[u8] {
        self.places.names.known(index)
    }

    /// How an endpoint is.
    pub fn presence(&self, endpoint: &Endpoint) -> Presence {
        let index = self.places.of_endpoint(endpoint);
        let Some(interface) = self.interfaces.iter().find(|one| one.index == index) else {
            return if is_bound(endpoint) {
                Presence::NoDevice
            } else {
                self.absence(endpoint)
            };
        };
        let address = key_of(endpoint);
        if !interface.up {
            Presence::Down
        } else if self.places.addresses.interface(address) == 0 {
            self.absence(endpoint)
        } else if !self.places.addresses.has(address, index) {
            Presence::OtherDevice
        } else if !interface.usable {
            Presence::NoCarrier
        } else {
            Presence::Up
        }
    }

    /// How an endpoint is whose address is on no interface.
    fn absence(&self, endpoint: &Endpoint) -> Presence {
        let address = key_of(endpoint);
        let flags = endpoint.flags().unwrap_or_default();
        let index = endpoint.if_idx().unwrap_or(0);
        if !flags.contains(EndpointFlags::SUBFLOW)
            && !is_private(address)
            && self.places.addresses.has_private(address, index)
        {
            Presence::Translated
        } else {
            Presence::NoAddress
        }
    }
}
