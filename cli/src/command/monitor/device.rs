//! Events of one interface.

use std::net::IpAddr;

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
        let mut routes = Interfaces::open(None)?;
        let addresses = routes.addresses()?;
        Ok(Some(Self {
            index,
            routes,
            addresses,
            fresh: true,
        }))
    }

    /// Whether something is on this interface that is bound to `bound` or has
    /// the address `source`.
    pub fn has(&mut self, bound: Option<i32>, source: Option<IpAddr>) -> Result<bool> {
        if let Some(bound) = bound {
            return Ok(bound as u32 == self.index);
        }
        let Some(source) = source.map(|source| source.to_canonical()) else {
            return Ok(false);
        };
        if !self.fresh && first(&self.addresses, source).is_none() {
            self.fresh = true;
            let mut addresses = self.routes.addresses()?;
            let there = addresses.len();
            for gone in &self.addresses {
                if first(addresses.get(..there).unwrap_or(&[]), gone.0).is_none() {
                    addresses.push(*gone);
                }
            }
            addresses.sort_unstable();
            self.addresses = addresses;
        }
        Ok(self.addresses.binary_search(&(source, self.index)).is_ok())
    }
}

/// Where an address is, if it is there.
fn first(addresses: &[(IpAddr, u32)], address: IpAddr) -> Option<&(IpAddr, u32)> {
    let at = addresses.partition_point(|(here, _)| *here < address);
    addresses.get(at).filter(|(here, _)| *here == address)
}
