//! rtnetlink: links, their addresses, and the route to a destination
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
//! sequence number 0 or that of the request that caused it, so a socket that listens
//! should not ask. Only what path management needs is named here; all other
//! attributes are in the `attributes` of each.

mod address;
mod hop;
mod link;
mod path;
pub mod request;

pub use address::{Address, AddressAttributes, AddressFlags, CacheInfo};
pub use hop::{NextHop, NextHopFlags, NextHops, RoutingRule};
pub use link::{Link, LinkAttributes, LinkFlags, OperState};
pub use path::{Route, RouteAttributes, RouteKind, Via};

use crate::error::{Error, ErrorKind};
use crate::inet::{AF_INET, AF_INET6};
use crate::netlink::{Attributes, Message, HEADER_LEN};
use crate::order::{Native, Order};

/// The protocol to open a socket with.
pub const NETLINK_ROUTE: i32 = 0;

/// Multicast groups (`RTNLGRP_*`), for `NETLINK_ADD_MEMBERSHIP` on a socket
/// that is bound; the bit of a group in `nl_groups` of a socket's address is
/// `1 << (group - 1)`.
pub mod group {
    /// Links are added, changed and deleted.
    #[doc(alias = "RTNLGRP_LINK")]
    pub const LINK: u32 = 1;
    /// IPv4 addresses are added, changed and deleted.
    #[doc(alias = "RTNLGRP_IPV4_IFADDR")]
    pub const IPV4_IFADDR: u32 = 5;
    /// IPv4 routes.
    #[doc(alias = "RTNLGRP_IPV4_ROUTE")]
    pub const IPV4_ROUTE: u32 = 7;
    /// IPv6 addresses are added, changed and deleted.
    #[doc(alias = "RTNLGRP_IPV6_IFADDR")]
    pub const IPV6_IFADDR: u32 = 9;
    /// IPv6 routes.
    #[doc(alias = "RTNLGRP_IPV6_ROUTE")]
    pub const IPV6_ROUTE: u32 = 11;
}

/// Values of `nlmsg_type` (`RTM_*`).
pub mod message_type {
    /// A link was added or changed.
    #[doc(alias = "RTM_NEWLINK")]
    pub const NEWLINK: u16 = 16;
    /// A link was deleted.
    #[doc(alias = "RTM_DELLINK")]
    pub const DELLINK: u16 = 17;
    /// Asks for links.
    #[doc(alias = "RTM_GETLINK")]
    pub const GETLINK: u16 = 18;
    /// An address was added or changed.
    #[doc(alias = "RTM_NEWADDR")]
    pub const NEWADDR: u16 = 20;
    /// An address was deleted.
    #[doc(alias = "RTM_DELADDR")]
    pub const DELADDR: u16 = 21;
    /// Asks for addresses.
    #[doc(alias = "RTM_GETADDR")]
    pub const GETADDR: u16 = 22;
    /// A route was added or changed.
    #[doc(alias = "RTM_NEWROUTE")]
    pub const NEWROUTE: u16 = 24;
    /// A route was deleted.
    #[doc(alias = "RTM_DELROUTE")]
    pub const DELROUTE: u16 = 25;
    /// Asks for routes.
    #[doc(alias = "RTM_GETROUTE")]
    pub const GETROUTE: u16 = 26;
    /// A rule.
    #[doc(alias = "RTM_NEWRULE")]
    pub const NEWRULE: u16 = 32;
    /// A rule was deleted.
    #[doc(alias = "RTM_DELRULE")]
    pub const DELRULE: u16 = 33;
    /// Asks for rules.
    #[doc(alias = "RTM_GETRULE")]
    pub const GETRULE: u16 = 34;
}

/// A message of one of the [`group`]s, or of an answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change<'a, E: Order = Native> {
    /// A link was added or changed.
    NewLink(Link<'a, E>),
    /// A link was deleted.
    DeletedLink(Link<'a, E>),
    /// An address was added or changed.
    NewAddress(Address<'a, E>),
    /// An address was deleted.
    DeletedAddress(Address<'a, E>),
    /// A route was added or changed.
    NewRoute(Route<'a, E>),
    /// A route was deleted.
    DeletedRoute(Route<'a, E>),
    /// Something else; its type.
    Other(u16),
}

impl<'a, E: Order> Change<'a, E> {
    /// Reads whatever the message is.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        // Each is read in only one place, or there would be room for it twice.
        let number = message.header.message_type;
        Ok(match number {
            message_type::NEWLINK | message_type::DELLINK => {
                let link = Link::decode(message)?;
                match number {
                    message_type::NEWLINK => Self::NewLink(link),
                    _ => Self::DeletedLink(link),
                }
            }
            message_type::NEWADDR | message_type::DELADDR => {
                let address = Address::decode(message)?;
                match number {
                    message_type::NEWADDR => Self::NewAddress(address),
                    _ => Self::DeletedAddress(address),
                }
            }
            message_type::NEWROUTE | message_type::DELROUTE => {
                let route = Route::decode(message)?;
                match number {
                    message_type::NEWROUTE => Self::NewRoute(route),
                    _ => Self::DeletedRoute(route),
                }
            }
            other => Self::Other(other),
        })
    }
}

/// Bytes of an address of this family; 0 if that is not one of the Internet.
const fn address_len(family: u16) -> u16 {
    match family {
        AF_INET => 4,
        AF_INET6 => 16,
        _ => 0,
    }
}

/// The fixed part of a message of one of two types, and what follows.
#[inline(always)]
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
