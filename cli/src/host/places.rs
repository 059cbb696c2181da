//! Where a subflow is: its interface and its endpoint.

use std::net::{IpAddr, Ipv6Addr};

use mptcp_codec::mptcp::Endpoint;

use crate::error::Result;
use crate::kernel::connections::Subflow;
use crate::kernel::{Names, PathManager, RouteSocket};
use crate::session::Session;

/// An address as one number, which is compared at once: IPv4 as it is mapped
/// into IPv6. 0 where there is none.
pub type Key = u128;

/// The number of an address.
pub const fn key(address: IpAddr) -> Key {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits()
}

/// The address of a number.
pub fn address(key: Key) -> IpAddr {
    Ipv6Addr::from_bits(key).to_canonical()
}

/// Whether a number is that of an IPv4 address.
#[inline(never)]
pub fn is_ipv4(key: Key) -> bool {
    key >> 32 == 0xffff
}

/// The address of an endpoint.
pub fn key_of(endpoint: &Endpoint) -> Key {
    endpoint.address().map_or(0, key)
}

/// Whether an endpoint names an interface.
pub fn is_bound(endpoint: &Endpoint) -> bool {
    endpoint.if_idx().unwrap_or(0) != 0
}

/// Addresses with the index of the interface that they are on, each of several
/// that have it.
#[derive(Debug, Default)]
pub struct Addresses(Vec<(Key, u32)>);

impl Addresses {
    /// Adds those that there are now. Those that have gone stay.
    pub fn read(&mut self, routes: &mut RouteSocket) -> Result<()> {
        routes.addresses(&mut |address, index| {
            let entry = (key(address), index);
            if !self.0.contains(&entry) {
                self.0.push(entry);
            }
        })
    }

    /// The interface that has this address, of several the first by index; 0
    /// where none does.
    pub fn interface(&self, address: Key) -> u32 {
        let mut found = 0;
        for (here, index) in &self.0 {
            if *here == address && (found == 0 || *index < found) {
                found = *index;
            }
        }
        found
    }

    /// Whether this interface has this address.
    pub fn has(&self, address: Key, index: u32) -> bool {
        self.0.contains(&(address, index))
    }
}

/// The addresses and endpoints of a namespace, and names of interfaces as they
/// are asked for.
#[derive(Debug, Default)]
pub struct Places {
    /// Where they were asked for.
    pub routes: Option<RouteSocket>,
    /// All addresses.
    pub addresses: Addresses,
    /// All endpoints.
    pub endpoints: Vec<Endpoint>,
    // Their addresses, which are compared with each subflow's.
    keys: Vec<Key>,
    /// Names that are known.
    pub names: Names,
}

impl Places {
    /// Asks the kernel.
    pub fn read(&mut self, session: &mut Session) -> Result<()> {
        let buffer = session.receive_buffer();
        let path_manager = session.path_manager()?;
        match path_manager.endpoints(&mut self.endpoints) {
            // Some kernels do not show them to everybody.
            Err(error) if error.errno() == libc::EPERM as u32 => self.endpoints.clear(),
            read => read?,
        }
        for endpoint in &self.endpoints {
            self.keys.push(key_of(endpoint));
        }
        let routes = self.routes.insert(RouteSocket::open(buffer)?);
        self.addresses.read(routes)
    }

    /// The interface of an endpoint: that which it names, or that has its
    /// address; 0 where there is none.
    pub fn of_endpoint(&self, endpoint: &Endpoint) -> u32 {
        match endpoint.if_idx() {
            None | Some(0) => self.addresses.interface(key_of(endpoint)),
            Some(index) => index as u32,
        }
    }

    /// The interface of a subflow: that which its socket is bound to, or its
    /// endpoint, or which has its address; 0 where none does.
    pub fn interface(&self, subflow: &Subflow) -> u32 {
        self.of(subflow).1
    }

    /// The id of the endpoint whose address a subflow has, 0 for none, and the
    /// interface.
    pub fn of(&self, subflow: &Subflow) -> (u8, u32) {
        let local = subflow.ends[0].number;
        let wanted = subflow.info.id_loc();
        let mut found: Option<&Endpoint> = None;
        for (endpoint, key) in self.endpoints.iter().zip(&self.keys) {
            // The first subflow has the id 0, whichever endpoint has its
            // address.
            if *key == local && (found.is_none() || endpoint.id() == wanted) {
                found = Some(endpoint);
            }
        }
        let id = found.and_then(|endpoint| endpoint.id()).unwrap_or(0);
        let named = found.and_then(|endpoint| endpoint.if_idx()).unwrap_or(0);
        let interface = match (subflow.interface, named) {
            (0, 0) => self.addresses.interface(local),
            (0, named) => named as u32,
            (bound, _) => bound,
        };
        (id, interface)
    }

    /// The name of an interface; `ifN` where it has gone.
    pub fn name(&mut self, path_manager: &mut PathManager, index: u32) -> &[u8] {
        self.names.get(path_manager.fd(), index)
    }
}
