//! The MPTCP path manager: generic netlink family `mptcp_pm`
//! (`linux/mptcp_pm.h`, kernel 5.7 and newer; RFC 8684).
//!
//! ```text
//! request or reply:             event (group mptcp_pm_events):
//! | nlmsghdr | genlmsghdr |     | nlmsghdr | genlmsghdr |
//!   1 ADDR        { address }     1 TOKEN … 18 SERVER_SIDE
//!   2 RCV_ADD_ADDRS  u32
//!   3 SUBFLOWS       u32        address:
//!   4 TOKEN          u32          1 FAMILY u16  2 ID u8  3 ADDR4  4 ADDR6
//!   5 LOC_ID         u8           5 PORT u16    6 FLAGS u32  7 IF_IDX u32
//!   6 ADDR_REMOTE { address }
//! ```
//!
//! Ports come in two orders: the machine's in an address, the network's in
//! events. Here both are plain numbers.

mod endpoint;
mod event;
mod limits;
mod place;
pub mod request;

pub use endpoint::{Endpoint, EndpointFlags};
pub use event::{Event, EventAttributes, EventFlags, EventKind};
pub use limits::Limits;
pub use place::Place;

/// `MPTCP_PM_NAME`: the family to ask the controller for.
#[doc(alias = "MPTCP_PM_NAME")]
pub const FAMILY_NAME: &str = "mptcp_pm";
/// `MPTCP_PM_EV_GRP_NAME`: the multicast group of the events. Joining
/// (`NETLINK_ADD_MEMBERSHIP`) needs `CAP_NET_ADMIN`, and the socket must be
/// bound or have sent something: groups reach only sockets that have a port.
#[doc(alias = "MPTCP_PM_EV_GRP_NAME")]
pub const EVENT_GROUP: &str = "mptcp_pm_events";
/// `MPTCP_PM_VER`.
#[doc(alias = "MPTCP_PM_VER")]
pub const VERSION: u8 = 1;

/// Numbers of the top-level attributes (`MPTCP_PM_ATTR_*`).
pub mod attribute {
    /// Nest: an address.
    #[doc(alias = "MPTCP_PM_ATTR_ADDR")]
    pub const ADDR: u16 = 1;
    /// u32: how many ADD_ADDR are accepted.
    #[doc(alias = "MPTCP_PM_ATTR_RCV_ADD_ADDRS")]
    pub const RCV_ADD_ADDRS: u16 = 2;
    /// u32: how many further subflows a connection may have.
    #[doc(alias = "MPTCP_PM_ATTR_SUBFLOWS")]
    pub const SUBFLOWS: u16 = 3;
    /// u32: a connection.
    #[doc(alias = "MPTCP_PM_ATTR_TOKEN")]
    pub const TOKEN: u16 = 4;
    /// u8: id of a local address.
    #[doc(alias = "MPTCP_PM_ATTR_LOC_ID")]
    pub const LOC_ID: u16 = 5;
    /// Nest: the peer's address.
    #[doc(alias = "MPTCP_PM_ATTR_ADDR_REMOTE")]
    pub const ADDR_REMOTE: u16 = 6;

    /// The kernel's name of such an attribute.
    pub const fn name(number: u16) -> Option<&'static str> {
        Some(match number {
            ADDR => "ADDR",
            RCV_ADD_ADDRS => "RCV_ADD_ADDRS",
            SUBFLOWS => "SUBFLOWS",
            TOKEN => "TOKEN",
            LOC_ID => "LOC_ID",
            ADDR_REMOTE => "ADDR_REMOTE",
            _ => return None,
        })
    }
}

attribute_set! {
    /// The attributes of a request or reply of the path manager
    /// (`MPTCP_PM_ATTR_*`).
    #[doc(alias(
        "MPTCP_PM_ATTR_ADDR", "MPTCP_PM_ATTR_RCV_ADD_ADDRS", "MPTCP_PM_ATTR_SUBFLOWS",
        "MPTCP_PM_ATTR_TOKEN", "MPTCP_PM_ATTR_LOC_ID", "MPTCP_PM_ATTR_ADDR_REMOTE",
    ))]
    pub struct PathManagerAttributes<'a> {
        /// An address.
        1 ADDR address / with_address: nest [Endpoint],
        /// How many ADD_ADDR are accepted.
        2 RCV_ADD_ADDRS add_addr_accepted / with_add_addr_accepted: u32,
        /// How many further subflows a connection may have.
        3 SUBFLOWS subflows / with_subflows: u32,
        /// A connection.
        4 TOKEN token / with_token: u32,
        /// Id of a local address.
        5 LOC_ID loc_id / with_loc_id: u8,
        /// The peer's address.
        6 ADDR_REMOTE remote / with_remote: nest [Endpoint],
    }
}

/// The path manager for [`print`](crate::print): its requests, replies and
/// events.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathManager {}

impl PathManager {
    /// With the id returned by the controller.
    pub const fn named(id: u16) -> crate::print::NamedFamily {
        crate::print::NamedFamily {
            id,
            name: FAMILY_NAME,
            command: |header, number| {
                if header.seq == 0 {
                    EventKind::from_number(number).name()
                } else {
                    request::Command::from_number(number).name()
                }
            },
            attributes: |header, _| {
                use crate::order::Native;
                // Events have the sequence number 0, and numbers of their own.
                if header.seq == 0 {
                    <EventAttributes as crate::set::Set<'_, Native>>::DESCRIPTION
                } else {
                    <PathManagerAttributes<'_> as crate::set::Set<'_, Native>>::DESCRIPTION
                }
            },
        }
    }
}
