//! Where a subflow is: its interface and its endpoint.

use std::net::IpAddr;

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

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
    endpoints: Vec<Place>,
    names: Vec<(u32, Vec<u8>)>,
}

/// An endpoint, and where it is.
#[derive(Debug)]
pub struct Place {
    /// What the kernel says of it.
    pub endpoint: Endpoint,
    /// Its address; an IPv4 address that is mapped into IPv6 as IPv4.
    pub address: Option<IpAddr>,
    /// The interface that it names, or that has its address; 0 where there is
    /// none.
    pub interface: u32,
}

impl Place {
    /// It names an interface.
    pub fn is_bound(&self) -> bool {
        self.endpoint.if_idx().unwrap_or(0) != 0
    }

    /// What it is used for.
    pub fn flags(&self) -> EndpointFlags {
        self.endpoint.flags().unwrap_or_default()
    }
}

impl Places {
    /// Asks the kernel.
    pub fn read(&mut self, session: &mut Session) -> Result<()> {
        let buffer = session.receive_buffer();
        // Some kernels do not show them to everybody.
        let endpoints = session.path_manager()?.endpoints(None).unwrap_or_default();
        self.addresses = Interfaces::open(buffer)?.addresses()?;
        for endpoint in &endpoints {
            let mut address = endpoint.address();
            let mut interface = endpoint.if_idx().unwrap_or(0) as u32;
            if let Some(address) = &mut address {
                *address = address.to_canonical();
                if interface == 0 {
                    interface = self.of_address(address);
                }
            }
            self.endpoints.push(Place {
                endpoint: *endpoint,
                address,
                interface,
            });
        }
        Ok(())
    }

    /// The interface of a subflow: that which its socket is bound to, or its
    /// endpoint, or which has its address; 0 where none does.
    pub fn interface(&self, subflow: &Subflow) -> u32 {
        self.of(subflow).1
    }

    /// The id of the endpoint whose address a subflow has, 0 for none, and the
    /// interface.
    pub fn of(&self, subflow: &Subflow) -> (u8, u32) {
        let bound = subflow.interface;
        let [(Some(local), _), _] = subflow.ends else {
            return (0, bound);
        };
        let local = &local.to_canonical();
        let wanted = subflow.info.id_loc();
        let mut found: Option<&Place> = None;
        for place in &self.endpoints {
            // The first subflow has the id 0, whichever endpoint has its
            // address.
            if place.address.as_ref() == Some(local)
                && (found.is_none() || place.endpoint.id() == wanted)
            {
                found = Some(place);
            }
        }
        let id = found.and_then(|place| place.endpoint.id()).unwrap_or(0);
        let interface = match found {
            _ if bound != 0 => bound,
            Some(place) => place.interface,
            None => self.of_address(local),
        };
        (id, interface)
    }

    /// The interface that has this address, which is not one of IPv4 mapped
    /// into IPv6; 0 where none does.
    pub fn of_address(&self, address: &IpAddr) -> u32 {
        let at = self.addresses.partition_point(|(here, _)| here < address);
        match self.addresses.get(at) {
            Some((here, index)) if here == address => *index,
            _ => 0,
        }
    }

    /// Whether this interface has this address.
    pub fn is_on(&self, address: &IpAddr, index: u32) -> bool {
        self.addresses.contains(&(*address, index))
    }

    /// All endpoints.
    pub fn all(&self) -> &[Place] {
        &self.endpoints
    }

    /// Those that somebody made.
    pub fn made(&self) -> impl Iterator<Item = &Place> {
        let made = |place: &&Place| !place.flags().contains(EndpointFlags::IMPLICIT);
        self.endpoints.iter().filter(made)
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
