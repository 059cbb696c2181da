//! rtnetlink: interfaces and their addresses, as they are and that they
//! changed, and which way packets go.

use std::net::IpAddr;

use mptcp_codec::inet::AF_UNSPEC;
use mptcp_codec::netlink::{Message, Messages};
use mptcp_codec::route::{
    self, group, kind, request, Address, AddressFlags, Link, LinkFlags, Route,
};

use super::socket::{receive_error, Socket};
use super::sys::{self, Errno, Received};
use crate::error::Result;
use crate::plan::{self, Seen};

/// A socket that asks for interfaces and addresses.
#[derive(Debug)]
pub struct Interfaces {
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

/// Room for one datagram of news.
const NEWS: usize = 8192;
/// As many are received by one call.
const AT_ONCE: usize = 8;

/// What is new.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An interface is there or changed.
    Link(plan::Link),
    /// An interface is gone.
    LinkGone(u32),
    /// An address is there or changed; the last is whether it can be used.
    Address(plan::Address, bool),
    /// An address is gone.
    AddressGone(plan::Address),
    /// The kernel had no room for all news: anything may have changed.
    Lost,
}

impl Interfaces {
    /// Opens a socket.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        let socket = Socket::open(route::PROTOCOL, receive_buffer)?;
        Ok(Self { socket })
    }

    /// Opens a socket for [`Interfaces::news`]: for nothing else.
    pub fn listen(receive_buffer: Option<u32>) -> Result<Self> {
        let groups = [group::LINK, group::IPV4_IFADDR, group::IPV6_IFADDR];
        let socket = Socket::listen(route::PROTOCOL, receive_buffer, &groups)?;
        Ok(Self { socket })
    }

    /// The descriptor, for waiting on it.
    pub fn fd(&self) -> &sys::Fd {
        self.socket.fd()
    }

    /// All interfaces and addresses there are.
    pub fn look(&mut self, seen: &mut Seen) -> Result<()> {
        seen.links = self
            .socket
            .dump(&request::dump_links, &|message| match decode(message)? {
                Some(News::Link(link)) => Ok(Some(link)),
                _ => Ok(None),
            })?;
        seen.addresses = self.socket.dump(
            &|buffer, seq| request::dump_addresses(buffer, seq, AF_UNSPEC, 0),
            &|message| match decode(message)? {
                Some(News::Address(address, true)) => Ok(Some(address)),
                _ => Ok(None),
            },
        )?;
        Ok(())
    }

    /// All addresses with the index of their interface, ascending. An address
    /// can be on several.
    pub fn addresses(&mut self) -> Result<Vec<(IpAddr, u32)>> {
        let mut addresses = self.socket.dump(
            &|buffer, seq| request::dump_addresses(buffer, seq, AF_UNSPEC, 0),
            &|message| match decode(message)? {
                Some(News::Address(of, _)) => Ok(Some((of.address, of.index))),
                _ => Ok(None),
            },
        )?;
        addresses.sort_unstable();
        Ok(addresses)
    }

    /// All interfaces.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        self.socket
            .dump(&request::dump_links, &|message: &Message| {
                let link = Link::decode(message)?;
                Ok(Some(Interface {
                    index: link.index as u32,
                    name: link
                        .name
                        .map_or(Vec::new(), |name| name.as_bytes().to_vec()),
                    up: link.flags.contains(LinkFlags::UP),
                    usable: link.is_usable(),
                }))
            })
    }

    /// By which interface packets of this kind leave; `None` where there is
    /// no route for them.
    pub fn way(&mut self, lookup: &request::Lookup) -> Result<Option<u32>> {
        let mut output = None;
        let asked = self
            .socket
            .call(&|buffer, seq| lookup.encode(buffer, seq), &mut |message| {
                output = Route::decode(message)?.output;
                Ok(())
            });
        match asked {
            // Whatever the refusal is called: no packet leaves.
            Err(error) if error.errno() != 0 => Ok(None),
            Err(error) => Err(error),
            Ok(()) => Ok(output),
        }
    }

    /// Hands out all that is new, without waiting.
    pub fn news(&mut self, each: &mut dyn FnMut(News)) -> Result<()> {
        let mut buffer = [0; NEWS * AT_ONCE];
        let mut received = [Received::default(); AT_ONCE];
        loop {
            let count = match sys::receive(self.socket.fd(), &mut buffer, &mut received, false) {
                Ok(count) => count,
                Err(Errno(number)) => match number as i32 {
                    libc::EAGAIN => return Ok(()),
                    libc::EINTR => continue,
                    libc::ENOBUFS => {
                        each(News::Lost);
                        continue;
                    }
                    _ => return Err(receive_error(Errno(number))),
                },
            };
            let datagrams = buffer.chunks_exact(NEWS).zip(&received).take(count);
            for (datagram, Received { len, sender }) in datagrams {
                if *sender != 0 {
                    continue;
                }
                // What cannot be read is as good as lost.
                let Some(datagram) = datagram.get(..*len) else {
                    each(News::Lost);
                    continue;
                };
                for message in Messages::new(datagram) {
                    match message.and_then(|message| decode(&message)) {
                        Ok(Some(news)) => each(news),
                        Ok(None) => {}
                        Err(_) => each(News::Lost),
                    }
                }
            }
            if count < AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// What a message says, if it is about interfaces or their addresses.
fn decode(message: &Message) -> core::result::Result<Option<News>, mptcp_codec::Error> {
    let kind = message.header.kind;
    match kind {
        kind::NEWLINK | kind::DELLINK => {
            let link = Link::decode(message)?;
            let index = link.index as u32;
            Ok(match kind {
                // Bridges and others tell their own news about an interface.
                _ if link.family != 0 => None,
                kind::DELLINK => Some(News::LinkGone(index)),
                _ => Some(News::Link(plan::Link {
                    index,
                    usable: link.is_usable(),
                })),
            })
        }
        kind::NEWADDR | kind::DELADDR => {
            let of = Address::decode(message)?;
            let Some(address) = of.address() else {
                return Ok(None);
            };
            let address = plan::Address {
                index: of.index,
                address,
                source: is_source(&of, address),
            };
            let unusable = AddressFlags::TENTATIVE.0 | AddressFlags::DADFAILED.0;
            Ok(Some(match kind {
                kind::DELADDR => News::AddressGone(address),
                _ => News::Address(address, of.flags.0 & unusable == 0),
            }))
        }
        _ => Ok(None),
    }
}

/// Whether new connections may have it as their source. IPv4 counts the bit
/// of temporary addresses differently.
fn is_source(of: &Address, address: IpAddr) -> bool {
    let temporary = address.is_ipv6() && of.flags.contains(AddressFlags::TEMPORARY);
    of.scope == <Address>::SCOPE_GLOBAL
        && !of.flags.contains(AddressFlags::DEPRECATED)
        && !temporary
}
