//! rtnetlink: links, their addresses, and the way to a destination
//! (`linux/rtnetlink.h`, `linux/if_link.h`, `linux/if_addr.h`).
//!
//! ```text
//! link (ifinfomsg):                    address (ifaddrmsg):
//! | family | 0 |      type      |      | family | prefix | flags | scope |
//! |            index            |      |             index              |
//! |            flags            |        1 ADDRESS  2 LOCAL  3 LABEL
//! |            change           |        6 CACHEINFO  8 FLAGS u32
//!   3 IFNAME  4 MTU u32
//!   10 MASTER u32  16 OPERSTATE u8     route (rtmsg):
//!   33 CARRIER u8                      | family | dst_len | src_len  | tos  |
//!                                      | table  | protocol | scope   | type |
//!                                      |              flags                |
//!                                        1 DST  2 SRC  4 OIF u32  5 GATEWAY
//!                                        6 PRIORITY u32  7 PREFSRC
//!                                        9 MULTIPATH: | len | flags | hops |
//!                                                     |     interface      |
//!                                                       5 GATEWAY  18 VIA
//!                                        15 TABLE u32  18 VIA
//! ```
//!
//! Addresses are in network order, everything else in the machine's. The same
//! messages answer requests and come as events of the [`group`]s; an event has
//! sequence number 0 or that of whoever caused it, so a socket that listens
//! should not ask. Only what path management needs is named here; all other
//! attributes are in the `attributes` of each.

/// The attributes that a decoder knows, for IPv4, IPv6 and other families.
type ByFamily<const N: usize> = &'static [[(u16, Form); N]; 3];

/// A table for each family out of one of forms for an address.
macro_rules! by_family {
    ($forms:ident) => {
        &[
            $forms(Form::bytes(4)),
            $forms(Form::bytes(16)),
            $forms(Form::ANY),
        ]
    };
}

/// The table for this family.
fn of_family<const N: usize>(tables: ByFamily<N>, family: u16) -> &'static Forms {
    let [v4, v6, other] = tables;
    match family {
        AF_INET => v4,
        AF_INET6 => v6,
        _ => other,
    }
}

mod address;
mod hop;
mod link;
mod path;
pub mod request;

pub use address::{Address, AddressFlags, CacheInfo};
pub use hop::{NextHop, NextHopFlags, NextHops, Rule};
pub use link::{Link, LinkFlags, OperState};
pub use path::{Route, RouteKind};

use crate::error::{Error, ErrorKind};
use crate::inet::{AF_INET, AF_INET6};
use crate::netlink::{Attributes, Form, Forms, Message, HEADER_LEN};
use crate::order::{Native, Order};

/// The protocol to open a socket with.
pub const NETLINK_ROUTE: i32 = 0;

/// Multicast groups (`RTNLGRP_*`), for `NETLINK_ADD_MEMBERSHIP` on a socket
/// that is bound; the bit of a group in `nl_groups` of a socket's address is
/// `1 << (group - 1)`.
pub mod group {
    /// Links come, change and go.
    pub const LINK: u32 = 1;
    /// IPv4 addresses come, change and go.
    pub const IPV4_IFADDR: u32 = 5;
    /// IPv4 routes.
    pub const IPV4_ROUTE: u32 = 7;
    /// IPv6 addresses come, change and go.
    pub const IPV6_IFADDR: u32 = 9;
    /// IPv6 routes.
    pub const IPV6_ROUTE: u32 = 11;
}

/// Values of `nlmsg_type` (`RTM_*`).
pub mod message_type {
    /// A link came or changed.
    pub const NEWLINK: u16 = 16;
    /// A link is gone.
    pub const DELLINK: u16 = 17;
    /// Asks for links.
    pub const GETLINK: u16 = 18;
    /// An address came or changed.
    pub const NEWADDR: u16 = 20;
    /// An address is gone.
    pub const DELADDR: u16 = 21;
    /// Asks for addresses.
    pub const GETADDR: u16 = 22;
    /// A route came or changed.
    pub const NEWROUTE: u16 = 24;
    /// A route is gone.
    pub const DELROUTE: u16 = 25;
    /// Asks for routes.
    pub const GETROUTE: u16 = 26;
    /// A rule.
    pub const NEWRULE: u16 = 32;
    /// A rule is gone.
    pub const DELRULE: u16 = 33;
    /// Asks for rules.
    pub const GETRULE: u16 = 34;
}

/// A message of one of the [`group`]s, or of an answer.
#[derive(Copy, Clone, Debug)]
pub enum Change<'a, E: Order = Native> {
    /// A link came or changed.
    NewLink(Link<'a, E>),
    /// A link is gone.
    DeletedLink(Link<'a, E>),
    /// An address came or changed.
    NewAddress(Address<'a, E>),
    /// An address is gone.
    DeletedAddress(Address<'a, E>),
    /// A route came or changed.
    NewRoute(Route<'a, E>),
    /// A route is gone.
    DeletedRoute(Route<'a, E>),
    /// Something else; its type.
    Other(u16),
}

impl<'a, E: Order> Change<'a, E> {
    /// Reads whatever the message is.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let new = |number| message.header.message_type == number;
        match message.header.message_type {
            message_type::NEWLINK | message_type::DELLINK => {
                Self::link(message, new(message_type::NEWLINK))
            }
            message_type::NEWADDR | message_type::DELADDR => {
                Self::address(message, new(message_type::NEWADDR))
            }
            message_type::NEWROUTE | message_type::DELROUTE => {
                Self::route(message, new(message_type::NEWROUTE))
            }
            other => Ok(Self::Other(other)),
        }
    }

    // Each for itself: no stack is kept for the other two.

    #[inline(never)]
    fn link(message: &Message<'a, E>, new: bool) -> Result<Self, Error> {
        let link = Link::read(message)?;
        Ok(if new {
            Self::NewLink(link)
        } else {
            Self::DeletedLink(link)
        })
    }

    #[inline(never)]
    fn address(message: &Message<'a, E>, new: bool) -> Result<Self, Error> {
        let address = Address::read(message)?;
        Ok(if new {
            Self::NewAddress(address)
        } else {
            Self::DeletedAddress(address)
        })
    }

    #[inline(never)]
    fn route(message: &Message<'a, E>, new: bool) -> Result<Self, Error> {
        let route = Route::read(message)?;
        Ok(if new {
            Self::NewRoute(route)
        } else {
            Self::DeletedRoute(route)
        })
    }
}

/// The fixed part of a message of one of two types, and what follows.
#[inline]
fn split<'a, const N: usize, E: Order>(
    message: &Message<'a, E>,
    kinds: [u16; 2],
) -> Result<(&'a [u8; N], Attributes<'a, E>), Error> {
    if !kinds.contains(&message.header.message_type) {
        return Err(Error::new(ErrorKind::WrongType, 4));
    }
    match message.payload().split_first_chunk() {
        Some((fixed, rest)) => Ok((fixed, Attributes::at(rest, HEADER_LEN + N))),
        None => Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
    }
}
