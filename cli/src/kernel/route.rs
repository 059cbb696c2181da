//! rtnetlink: interfaces, their addresses, and which way packets go.

use std::net::IpAddr;

use mptcp_codec::inet::AF_UNSPEC;
use mptcp_codec::netlink::Message;
use mptcp_codec::route::{self, request, Address, Change, LinkFlags};

use super::socket::Socket;
use crate::error::{Error, Result};

/// A socket to ask with.
#[derive(Debug)]
pub struct Routes {
    socket: Socket,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Its index.
    pub index: u32,
    /// Its name, without a NUL.
    pub name: Vec<u8>,
    /// Switched on.
    pub up: bool,
    /// Up, and connected.
    pub usable: bool,
}

impl Routes {
    /// Opens it in the network namespace that the program is in.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        let socket = Socket::open(route::PROTOCOL, receive_buffer)?;
        Ok(Self { socket })
    }

    /// All addresses with the index of their interface, ascending. An address
    /// can be on several.
    pub fn addresses(&mut self) -> Result<Vec<(IpAddr, u32)>> {
        let mut addresses = self.socket.dump(
            &|buffer, seq| request::dump_addresses(buffer, seq, AF_UNSPEC, 0),
            |message: &Message| {
                let address = Address::decode(message).map_err(Error::reply)?;
                Ok(address.address.map(|found| (found, address.index)))
            },
        )?;
        addresses.sort_unstable();
        Ok(addresses)
    }

    /// All interfaces.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        self.socket.dump(
            &request::dump_links,
            |message: &Message| match Change::decode(message).map_err(Error::reply)? {
                Change::NewLink(link) => Ok(Some(Interface {
                    index: link.index as u32,
                    name: link
                        .name
                        .map_or(Vec::new(), |name| name.as_bytes().to_vec()),
                    up: link.flags.contains(LinkFlags::UP),
                    usable: link.is_usable(),
                })),
                _ => Ok(None),
            },
        )
    }

    /// By which interface packets of this kind leave; `None` where there is
    /// no route for them.
    pub fn way(&mut self, lookup: &request::Lookup) -> Result<Option<u32>> {
        let mut output = None;
        let asked = self
            .socket
            .call(&|buffer, seq| lookup.encode(buffer, seq), &mut |message| {
                if let Change::NewRoute(route) = Change::decode(message).map_err(Error::reply)? {
                    output = route.output;
                }
                Ok(())
            });
        match asked {
            // Whatever the refusal is called: no packet leaves.
            Err(error) if error.errno() != 0 => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(output),
        }
    }
}
