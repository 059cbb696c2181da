//! Where a subflow is: its interface and its endpoint.

use std::net::IpAddr;

use mptcp_codec::mptcp::Endpoint;

use super::endpoint::interface_name;
use crate::connections::Subflow;
use crate::error::Result;
use crate::kernel::{Interfaces, PathManager};
use crate::output::number;
use crate::session::Session;

/// The addresses and endpoints of a namespace, and names of interfaces as they
/// are asked for.
#[derive(Debug, Default)]
pub struct Places {
    addresses: Vec<(IpAddr, u32)>,
    endpoints: Vec<Endpoint>,
    // Their addresses.
    at: Vec<Option<IpAddr>>,
    names: Vec<(u32, Vec<u8>)>,
}

impl Places {
    /// Asks the kernel.
    pub fn read(session: &mut Session) -> Result<Self> {
        let buffer = session.receive_buffer();
        // Some kernels do not show them to everybody.
        let endpoints = session.path_manager()?.endpoints(None).unwrap_or_default();
        let at = |endpoint: &Endpoint| Some(endpoint.address()?.to_canonical());
        Ok(Self {
            addresses: Interfaces::open(buffer)?.addresses()?,
            at: endpoints.iter().map(at).collect(),
            endpoints,
            names: Vec::new(),
        })
    }

    /// The endpoint whose address a subflow has.
    pub fn endpoint(&self, subflow: &Subflow) -> Option<&Endpoint> {
        let [(local, _), _] = subflow.socket.ends;
        let local = local?.to_canonical();
        let id = subflow.info().id_loc().unwrap_or(0);
        let mut found = None;
        for (address, endpoint) in self.at.iter().zip(&self.endpoints) {
            // The first subflow has the id 0, whichever endpoint has its
            // address.
            if *address == Some(local) && (found.is_none() || endpoint.id() == Some(id)) {
                found = Some(endpoint);
            }
        }
        found
    }

    /// The interface of a subflow: that which its socket is bound to, or its
    /// endpoint, or which has its address; 0 where none does.
    pub fn interface(&self, subflow: &Subflow) -> u32 {
        self.of(subflow).1
    }

    /// The id of the endpoint of a subflow, 0 for none, and its interface.
    pub fn of(&self, subflow: &Subflow) -> (u8, u32) {
        let endpoint = self.endpoint(subflow);
        let id = endpoint.and_then(|endpoint| endpoint.id()).unwrap_or(0);
        let named = endpoint.and_then(|endpoint| endpoint.if_idx());
        let [(local, _), _] = subflow.socket.ends;
        let index = match (subflow.socket.interface, named, local) {
            (0, Some(index @ 1..), _) => index as u32,
            (0, _, Some(address)) => self.of_address(address),
            (bound, _, _) => bound,
        };
        (id, index)
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
            let name = interface_name(path_manager, index as i32)
                .unwrap_or_else(|_| [b"if", number(index.into()).as_bytes()].concat());
            self.names.push((index, name));
            self.names.len() - 1
        });
        self.names.get(at).map_or(&[], |(_, name)| name)
    }
}
