//! Events of one interface.

use std::net::IpAddr;

use mptcp_codec::mptcp::EventAttributes;

use crate::error::Result;
use crate::kernel::sys::{self, Fd};
use crate::kernel::Interfaces;

/// An interface and the addresses of its namespace.
///
/// Events name the interface that a subflow is bound to; most are not bound,
/// and are where their address is.
#[derive(Debug)]
pub struct Device {
    index: u32,
    routes: Interfaces,
    // Ascending. Those that have gone stay: what is over was there too.
    addresses: Vec<(IpAddr, u32)>,
    /// An address that is not known is asked for, once after each time that
    /// this is unset.
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
            routes: Interfaces::open(None)?,
            addresses: Vec::new(),
            fresh: false,
        };
        device.refresh()?;
        Ok(Some(device))
    }

    fn refresh(&mut self) -> Result<()> {
        self.fresh = true;
        let mut addresses = self.routes.addresses()?;
        let there = addresses.len();
        for gone in &self.addresses {
            if !knows(addresses.get(..there).unwrap_or(&[]), &gone.0, 0) {
                addresses.push(*gone);
            }
        }
        addresses.sort_unstable();
        self.addresses = addresses;
        Ok(())
    }

    /// Whether what is told of is on this interface.
    pub fn has(&mut self, fields: &EventAttributes) -> Result<bool> {
        if let Some(bound) = fields.if_idx() {
            return Ok(bound as u32 == self.index);
        }
        let Some(source) = fields.source() else {
            return Ok(false);
        };
        let source = source.to_canonical();
        if !self.fresh && !knows(&self.addresses, &source, 0) {
            self.refresh()?;
        }
        Ok(knows(&self.addresses, &source, self.index))
    }
}

/// Whether an address is there, on the interface of this index unless that is
/// 0.
fn knows(addresses: &[(IpAddr, u32)], address: &IpAddr, index: u32) -> bool {
    let at = addresses.partition_point(|(here, _)| here < address);
    for (here, on) in addresses.get(at..).unwrap_or(&[]) {
        if here != address {
            break;
        }
        if index == 0 || index == *on {
            return true;
        }
    }
    false
}
