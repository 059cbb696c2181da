//! Netlink: messages, attributes, acknowledgements (RFC 3549,
//! `linux/netlink.h`).
//!
//! A datagram is a sequence of messages, each with a 16-byte header and padded to four bytes.
//! All numbers are in the order of the machine.
//!
//! ```text
//!  0                   1                   2                   3
//! +---------------------------------------------------------------+
//! |              nlmsg_len: header and payload, no padding        |
//! +-------------------------------+-------------------------------+
//! |           nlmsg_type          |          nlmsg_flags          |
//! +-------------------------------+-------------------------------+
//! |                           nlmsg_seq                           |
//! +---------------------------------------------------------------+
//! |                           nlmsg_pid                           |
//! +---------------------------------------------------------------+
//! ```
//!
//! Attributes carry the fields of most messages, again padded to four bytes:
//!
//! ```text
//! +-------------------------------+-+-+---------------------------+
//! |  nla_len: header and payload  |N|O|         nla_type          |
//! +-------------------------------+-+-+---------------------------+
//! |                     payload, nla_len - 4 bytes                |
//!   N: the payload is attributes (NLA_F_NESTED)
//!   O: the payload is in network order (NLA_F_NET_BYTEORDER)
//! ```
//!
//! An acknowledgement or refusal is a message of the type NLMSG_ERROR; a dump
//! ends with NLMSG_DONE. Both carry attributes that say more ([`ExtendedAck`])
//! to sockets that set `NETLINK_EXT_ACK`:
//!
//! ```text
//! NLMSG_ERROR:  | error: i32 | nlmsghdr of the request | its payload | TLVs |
//!                                                       not if CAPPED  if ACK_TLVS
//! NLMSG_DONE:   | error: i32 | TLVs |
//!                              if ACK_TLVS
//! TLVs:  1 MSG string  2 OFFS u32  3 COOKIE  4 POLICY { rule }
//!        5 MISS_TYPE u32  6 MISS_NEST u32
//! ```
//!
//! [`Messages`] and [`Attributes`] walk what was received and borrow from it; [`Writer`] builds
//! what is sent. No function here panics, whatever the bytes: the walks end after their first
//! error.

mod ack;
mod attribute;
mod header;
mod message;
mod rule;
mod writer;

pub(crate) use ack::verdict;
pub use ack::{Ack, Done, ExtendedAck};
pub use attribute::{Attribute, Attributes, Text};
pub use header::{flags, message_type, Header, HEADER_LEN};
pub use message::{Content, Message, Messages};
pub use rule::Rule;
pub use writer::Writer;

#[doc(hidden)]
pub use attribute::{Form, Forms, BARE};
pub(crate) use attribute::{FLAGS_MASK, HEADER as ATTRIBUTE_HEADER, NESTED};

/// Rounds a length up to the next multiple of four (`NLMSG_ALIGN`,
/// `NLA_ALIGN`); saturates instead of wrapping.
#[inline(always)]
#[doc(alias("NLMSG_ALIGN", "NLA_ALIGN"))]
pub const fn align(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// What follows an item of `len` bytes and its padding, which the last item
/// may lack.
#[inline(always)]
#[doc(hidden)]
pub fn past(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(align(len).min(bytes.len())..).unwrap_or(&[])
}
