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
    // Those that have gone stay: what is over was there too.
    addresses: Vec<(IpAddr, u32)>,
    fresh: bool,
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

    /// An address that is not known is asked for, once after each call.
    pub fn may_have_changed(&mut self) {
        self.fresh = false;
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
        if !self.knows(source) && !self.fresh {
            self.fresh = true;
            let mut gone = core::mem::take(&mut self.addresses);
            self.addresses = self.routes.addresses()?;
            gone.retain(|(address, _)| !self.knows(*address));
            self.addresses.extend(gone);
            self.addresses.sort_unstable();
        }
        Ok(self.addresses.binary_search(&(source, self.index)).is_ok())
    }

    fn knows(&self, address: IpAddr) -> bool {
        let at = self.addresses.partition_point(|(here, _)| *here < address);
        self.addresses
            .get(at)
            .is_some_and(|(here, _)| *here == address)
    }
}
