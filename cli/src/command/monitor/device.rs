//! Events of one interface.

use mptcp_codec::mptcp::EventAttributes;

use crate::error::Result;
use crate::host::places::Addresses;
use crate::kernel::key::key;
use crate::kernel::RouteSocket;
use crate::sys::{self, Fd};

/// An interface and the addresses of its namespace.
///
/// Events name the interface that a subflow is bound to; most are not bound, and belong to the
/// interface that has their address.
#[derive(Debug)]
pub struct Device {
    index: u32,
    routes: RouteSocket,
    // Those that no longer exist stay, for events about the past.
    addresses: Addresses,
    /// Addresses need not be read again for an unknown one, until this is unset.
    pub fresh: bool,
}

impl Device {
    /// The interface of this name, if the namespace of the socket has one.
    pub fn find(fd: &Fd, name: &str) -> Result<Option<Self>> {
        let Ok(index) = sys::interface_index(fd, name.as_bytes()) else {
            return Ok(None);
        };
        let mut device = Self {
            index,
            routes: RouteSocket::open(None)?,
            addresses: Addresses::default(),
            fresh: false,
        };
        device.refresh()?;
        Ok(Some(device))
    }

    fn refresh(&mut self) -> Result<()> {
        self.fresh = true;
        self.addresses.read(&mut self.routes)
    }

    /// Whether an event is about this interface.
    pub fn has(&mut self, fields: &EventAttributes) -> Result<bool> {
        if let Some(bound) = fields.if_idx() {
            return Ok(bound == self.index);
        }
        let Some(source) = fields.source() else {
            return Ok(false);
        };
        let source = key(source);
        if !self.fresh && self.addresses.interface(source) == 0 {
            self.refresh()?;
        }
        Ok(self.addresses.has(source, self.index))
    }
}
