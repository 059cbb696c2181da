//! Generic netlink (`linux/genetlink.h`): one netlink protocol shared by many
//! families, each with its own commands and attributes.
//!
//! ```text
//! +---------------+---------------+-------------------------------+
//! |      cmd      |    version    |           reserved            |
//! +---------------+---------------+-------------------------------+
//! |                           attributes                          |
//! ```
//!
//! The `nlmsg_type` of a message is the id of its family. Ids are given out
//! when the kernel starts; the [`controller`] tells them by name.

pub mod controller;
pub mod policy;

use crate::error::{Error, ErrorKind};
use crate::netlink::{Attributes, Header, Message, Writer, HEADER_LEN};
use crate::order::{Native, Order};

/// Length of `struct genlmsghdr` (`GENL_HDRLEN`).
pub const GENERIC_HEADER_LEN: usize = 4;

/// `NETLINK_GENERIC`, the protocol to open a socket with.
pub const PROTOCOL: i32 = 16;

/// A message behind its generic netlink header.
#[derive(Copy, Clone, Debug)]
pub struct Generic<'a, E: Order = Native> {
    /// `cmd`: command or event, numbered by the family.
    pub command: u8,
    /// `version` of the family's interface.
    pub version: u8,
    /// What follows.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Generic<'a, E> {
    /// Reads the header of a message of a family without a header of its own
    /// (`hdrsize` 0, as the controller and `mptcp_pm`), or
    /// [`ErrorKind::Truncated`].
    ///
    /// Neither this nor what is decoded with it looks at the type of the
    /// message: that it is no control message
    /// ([`Message::content`], [`Exchange`](crate::Exchange)) and of the right
    /// family is up to who has received it.
    #[inline]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        match message.payload().split_first_chunk::<GENERIC_HEADER_LEN>() {
            Some(([command, version, _, _], rest)) => Ok(Self {
                command: *command,
                version: *version,
                attributes: Attributes::at(rest, HEADER_LEN + GENERIC_HEADER_LEN),
            }),
            None => Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
        }
    }
}

/// Begins a request: `command` of the family with id `family`.
#[inline]
pub fn request(
    buffer: &mut [u8],
    family: u16,
    flags: u16,
    seq: u32,
    command: u8,
    version: u8,
) -> Writer<'_> {
    let header = Header {
        len: 0,
        kind: family,
        flags,
        seq,
        port: 0,
    };
    let mut writer = Writer::new(buffer, header);
    writer.bytes([command, version, 0, 0]);
    writer
}
