//! Where a subflow is: its interface and its endpoint.

use std::net::IpAddr;

use mptcp_codec::mptcp::Endpoint;

use super::endpoint::interface_name;
use crate::connections::Subflow;
use crate::error::Result;
use crate::kernel::{Interfaces, PathManager};
use crate::output::vanished;
use crate::session::Session;

/// The addresses and endpoints of a namespace, and names of interfaces as they
/// are asked for.
#[derive(Debug, Default)]
pub struct Places {
    addresses: Vec<(IpAddr, u32)>,
    endpoints: Vec<Endpoint>,
    // Their addresses, and which interface those are on.
    at: Vec<(Option<IpAddr>, u32)>,
    names: Vec<(u32, Vec<u8>)>,
}

impl Places {
    /// Asks the kernel.
    pub fn read(session: &mut Session) -> Result<Self> {
        let buffer = session.receive_buffer();
        // Some kernels do not show them to everybody.
        let endpoints = session.path_manager()?.endpoints(None).unwrap_or_default();
        let mut places = Self {
            addresses: Interfaces::open(buffer)?.addresses()?,
            ..Self::default()
        };
        for endpoint in &endpoints {
            let address = endpoint.address().map(|address| address.to_canonical());
            let index = match (endpoint.if_idx(), address) {
                (Some(index @ 1..), _) => index as u32,
                (_, Some(address)) => places.of_address(address),
                _ => 0,
            };
            places.at.push((address, index));
        }
        places.endpoints = endpoints;
        Ok(places)
    }

    /// The interface of a subflow: that which its socket is bound to, or its
    /// endpoint, or which has its address; 0 where none does.
    pub fn interface(&self, subflow: &Subflow) -> u32 {
        self.of(subflow).1
    }

    /// The id of the endpoint whose address a subflow has, 0 for none, and the
    /// interface.
    pub fn of(&self, subflow: &Subflow) -> (u8, u32) {
        let bound = subflow.socket.interface;
        let [(Some(local), _), _] = subflow.socket.ends else {
            return (0, bound);
        };
        let local = Some(local.to_canonical());
        let wanted = subflow.info().id_loc();
        let mut found = None;
        for ((address, index), endpoint) in self.at.iter().zip(&self.endpoints) {
            // The first subflow has the id 0, whichever endpoint has its
            // address.
            if *address == local && (found.is_none() || endpoint.id() == wanted) {
                found = Some((endpoint.id().unwrap_or(0), *index));
            }
        }
        let (id, index) =
            found.unwrap_or_else(|| (0, local.map_or(0, |local| self.of_address(local))));
        (id, if bound == 0 { index } else { bound })
    }

    /// The interface that has this address, 0 where none does.
    pub fn of_address(&self, address: IpAddr) -> u32 {
        let address = address.to_canonical();
        let at = self.addresses.partition_point(|(here, _)| *here < address);
        match self.addresses.get(at) {
            Some((here, index)) if *here == address => *index,
            _ => 0,
        }
    }

    /// Whether this interface has this address.
    pub fn is_on(&self, address: IpAddr, index: u32) -> bool {
        let on = (address.to_canonical(), index);
        self.addresses.binary_search(&on).is_ok()
    }

    /// All endpoints.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The name of an interface; `ifN` where it has gone.
    pub fn name(&mut self, path_manager: &mut PathManager, index: u32) -> &[u8] {
        let known = self.names.iter().position(|(known, _)| *known == index);
        let at = known.unwrap_or_else(|| {
            let name =
                interface_name(path_manager, index as i32).unwrap_or_else(|_| vanished(index));
            self.names.push((index, name));
            self.names.len() - 1
        });
        self.names.get(at).map_or(&[], |(_, name)| name)
    }
}
