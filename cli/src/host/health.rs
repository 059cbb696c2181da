//! What `status` and `doctor` look at.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Result;
use crate::host::places::{is_private, Places};
use crate::kernel::key::{key_of, Key};
use crate::kernel::LinkEvents;
use crate::session::Session;
use crate::text::nth;

/// Limits, interfaces, addresses and endpoints of the namespace.
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

/// What is known of an endpoint.
#[derive(Copy, Clone, Debug, Default)]
pub struct Facts {
    /// Its address.
    pub key: Key,
    /// What it is used for.
    pub flags: EndpointFlags,
    /// The interface that it names, 0 for none.
    pub bound: u32,
    /// That one, or the one that has its address; 0 where none does.
    pub interface: u32,
    /// The port that it announces, 0 for none.
    pub port: u16,
    /// Its id.
    pub id: u8,
    /// Whether packets can leave from it.
    pub presence: Presence,
}

/// Whether packets can leave from the address of an endpoint.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// They can.
    Up,
    /// Its interface is down.
    Down,
    /// Its interface is up but has no carrier.
    NoCarrier,
    /// The interface that it names no longer exists.
    NoDevice,
    /// No interface has the address.
    #[default]
    NoAddress,
    /// The address is on another interface than the one that it names.
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

    /// Asks the kernel for everything except the connections.
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

    /// The name of an interface; `ifN` if it no longer exists, `unknown` for 0.
    pub fn name(&mut self, index: u32) -> &[u8] {
        self.places.names.known(index)
    }

    /// What is known of an endpoint.
    #[inline(never)]
    pub fn facts(&self, endpoint: &Endpoint, into: &mut Facts) {
        into.key = key_of(endpoint);
        into.flags = endpoint.flags().unwrap_or_default();
        into.bound = endpoint.if_idx().unwrap_or(0);
        into.interface = self.places.of_endpoint(endpoint);
        into.port = endpoint.port().unwrap_or(0);
        into.id = endpoint.id().unwrap_or(0);
        into.presence = self.presence(into);
    }

    /// The state of an endpoint's address.
    fn presence(&self, of: &Facts) -> Presence {
        let addresses = &self.places.addresses;
        let mut interfaces = self.interfaces.iter();
        let interface = interfaces.find(|one| one.index == of.interface);
        match interface {
            None if of.bound != 0 => return Presence::NoDevice,
            Some(interface) if !interface.up => return Presence::Down,
            _ => {}
        }
        if interface.is_none() || addresses.interface(of.key) == 0 {
            // If it is only announced, peers may reach it through NAT.
            let translated = !of.flags.contains(EndpointFlags::SUBFLOW)
                && !is_private(of.key)
                && addresses.has_private(of.key, of.bound);
            return match translated {
                true => Presence::Translated,
                false => Presence::NoAddress,
            };
        }
        match interface {
            _ if !addresses.has(of.key, of.interface) => Presence::OtherDevice,
            Some(interface) if !interface.usable => Presence::NoCarrier,
            _ => Presence::Up,
        }
    }
}
