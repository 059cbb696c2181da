//! rtnetlink: which addresses this namespace has, and where.

use std::net::IpAddr;

use mptcp_codec::inet::AF_UNSPEC;
use mptcp_codec::netlink::Message;
use mptcp_codec::route::{self, request, Change};

use super::socket::Socket;
use crate::error::{Error, Result};

/// A socket to ask with.
#[derive(Debug)]
pub struct Routes {
    socket: Socket,
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
            |message: &Message| match Change::decode(message).map_err(Error::reply)? {
                Change::NewAddress(address) => {
                    Ok(address.address.map(|found| (found, address.index)))
                }
                _ => Ok(None),
            },
        )?;
        addresses.sort_unstable();
        Ok(addresses)
    }
}
