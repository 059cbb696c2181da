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
use crate::netlink::{message_type, Attributes, Header, Message, Writer, HEADER_LEN};
use crate::order::{Native, Order};

/// Length of `struct genlmsghdr` (`GENL_HDRLEN`).
pub const GENERIC_HEADER_LEN: usize = 4;

/// The protocol to open a socket with.
pub const NETLINK_GENERIC: i32 = 16;

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
    /// [`ErrorKind::Truncated`]; [`ErrorKind::WrongType`] for a control message.
    ///
    /// Ids of families are given out when the kernel starts: neither this nor
    /// what is decoded with it can know whether the message is of the right
    /// family. That is up to the caller.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        if message.header.message_type < message_type::MIN {
            return Err(Error::new(ErrorKind::WrongType, 4));
        }
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
    seq: u32,
    flags: u16,
    command: u8,
    version: u8,
) -> Writer<'_> {
    let header = Header {
        len: 0,
        message_type: family,
        flags,
        seq,
        port_id: 0,
    };
    let mut writer = Writer::new(buffer, header);
    writer.bytes([command, version, 0, 0]);
    writer
}
