//! What `status` and `doctor` look at.

use std::net::IpAddr;

use super::places::{Place, Places};
use crate::connections::{self, Role, Selection};
use crate::error::Result;
use crate::kernel::{Diagnostics, Interface, Interfaces};
use crate::output::vanished;
use crate::session::Session;

/// Interfaces, addresses and endpoints of the namespace.
#[derive(Default)]
pub struct Host {
    /// Addresses and endpoints.
    pub places: Places,
    interfaces: Vec<Interface>,
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
}

impl Presence {
    /// The word for it in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::NoCarrier => "no-carrier",
            Self::NoDevice => "no-device",
            Self::NoAddress => "no-address",
            Self::OtherDevice => "other-device",
        }
    }
}

impl Host {
    /// Asks the kernel.
    pub fn read(&mut self, session: &mut Session, routes: &mut Interfaces) -> Result<()> {
        self.places.read(session)?;
        self.interfaces = routes.interfaces()?;
        Ok(())
    }

    fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces.iter().find(|one| one.index == index)
    }

    /// The name of an interface; `ifN` where it has gone, `unknown` for 0.
    pub fn name(&self, index: u32) -> Vec<u8> {
        match self.interface(index) {
            Some(interface) => interface.name.clone(),
            None if index == 0 => b"unknown".to_vec(),
            None => vanished(index),
        }
    }

    /// How an endpoint is.
    pub fn presence(&self, place: &Place) -> Presence {
        let Some(interface) = self.interface(place.interface) else {
            return if place.is_bound() {
                Presence::NoDevice
            } else {
                Presence::NoAddress
            };
        };
        if !interface.up {
            return Presence::Down;
        }
        match &place.address {
            Some(address) if self.places.of_address(address) != 0 => {
                if !self.places.is_on(address, place.interface) {
                    Presence::OtherDevice
                } else if !interface.usable {
                    Presence::NoCarrier
                } else {
                    Presence::Up
                }
            }
            _ => Presence::NoAddress,
        }
    }
}

/// What is connected.
#[derive(Debug, Default)]
pub struct Tally {
    /// All connections.
    pub connections: u64,
    /// Those that fell back to TCP.
    pub fallbacks: u64,
    /// All subflows, and by index of the interface; 0 is unknown.
    pub subflows: u64,
    /// The same by index of the interface, ascending; 0 where that is unknown.
    pub by_interface: Vec<(u32, u64)>,
    /// Connections opened here.
    pub clients: u64,
    /// Connections accepted here.
    pub servers: u64,
    /// Some addresses of peers that connections were opened to.
    pub peers: Vec<IpAddr>,
    /// The kernel kept the subflows from this reader.
    pub hidden: bool,
}

/// So many peers are a fair sample.
const PEERS: usize = 8;

impl Tally {
    /// Counts connections and subflows.
    pub fn count(&mut self, session: &mut Session, places: &Places) -> Result<()> {
        let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
        let selection = Selection::default();
        let hidden = connections::each(&mut diagnostics, &selection, &mut |connection| {
            let Some(socket) = &connection.socket else {
                return Ok(());
            };
            self.connections += 1;
            self.fallbacks += u64::from(connection.is_fallback());
            match connection.role() {
                Some(Role::Client) => {
                    self.clients += 1;
                    if let Some(peer) = &socket.destination {
                        let peer = peer.to_canonical();
                        if self.peers.len() < PEERS && !self.peers.contains(&peer) {
                            self.peers.push(peer);
                        }
                    }
                }
                Some(Role::Server) => self.servers += 1,
                None => {}
            }
            for subflow in connection.subflows() {
                self.subflows += 1;
                let index = places.interface(subflow);
                let counts = &mut self.by_interface;
                let at = counts.partition_point(|(other, _)| *other < index);
                match counts.get_mut(at) {
                    Some((other, count)) if *other == index => *count += 1,
                    _ => counts.insert(at, (index, 1)),
                }
            }
            Ok(())
        })?;
        self.hidden = hidden.subflows;
        Ok(())
    }
}
