//! The controller (`nlctrl`): which families there are.
//!
//! ```text
//! CTRL_CMD_NEWFAMILY
//!   1 FAMILY_ID u16     2 FAMILY_NAME string   3 VERSION u32   4 HDRSIZE u32
//!   5 MAXATTR u32       6 OPS [ n: { 1 ID u32, 2 FLAGS u32 } ]
//!   7 MCAST_GROUPS [ n: { 1 NAME string, 2 ID u32 } ]
//! ```

use crate::error::{Error, ErrorKind};
use crate::generic::{request, Generic};
use crate::netlink::{flags, Attributes, Message, Text};
use crate::order::{Native, Order};

/// `GENL_ID_CTRL`: the controller's own family id, the only fixed one.
pub const ID: u16 = 16;
/// `CTRL_CMD_NEWFAMILY`: what an answer or announcement carries.
pub const NEW_FAMILY: u8 = 1;
/// `CTRL_CMD_GETFAMILY`.
pub const GET_FAMILY: u8 = 3;

pub(super) const VERSION: u8 = 2;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// Asks for the family named `name`. A kernel without it answers `ENOENT`.
pub fn family_by_name<'b>(
    buffer: &'b mut [u8],
    seq: u32,
    name: &str,
) -> Result<&'b mut [u8], Error> {
    let mut writer = request(buffer, ID, flags::REQUEST, seq, GET_FAMILY, VERSION);
    writer.put_text(FAMILY_NAME, name.as_bytes());
    writer.finish()
}

/// Asks for the family with this id.
pub fn family_by_id(buffer: &mut [u8], seq: u32, id: u16) -> Result<&mut [u8], Error> {
    let mut writer = request(buffer, ID, flags::REQUEST, seq, GET_FAMILY, VERSION);
    writer.put_u16(FAMILY_ID, id);
    writer.finish()
}

/// Asks for all families.
pub fn all_families(buffer: &mut [u8], seq: u32) -> Result<&mut [u8], Error> {
    let kind = flags::REQUEST | flags::DUMP;
    request(buffer, ID, kind, seq, GET_FAMILY, VERSION).finish()
}

/// What the controller says of a family. Fields are `None` where the kernel
/// did not send them.
#[derive(Copy, Clone, Debug)]
pub struct Family<'a, E: Order = Native> {
    /// `FAMILY_ID`: the `nlmsg_type` of its messages.
    pub id: u16,
    /// `FAMILY_NAME`.
    pub name: Option<Text<'a>>,
    /// `VERSION` of the family's interface.
    pub version: Option<u32>,
    /// `HDRSIZE`: bytes between generic header and attributes.
    pub header_size: Option<u32>,
    /// `MAXATTR`: highest attribute number; 0 where it differs by command.
    pub max_attribute: Option<u32>,
    operations: Attributes<'a, E>,
    groups: Attributes<'a, E>,
    /// All attributes, also those this crate does not know.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Family<'a, E> {
    /// Reads the answer to [`family_by_name`] and its like. Operations and
    /// groups are only found here; they are read when they are asked for.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let attributes = Generic::decode(message)?.attributes;
        let mut id = None;
        let none = Attributes::at(&[], attributes.offset());
        let mut family = Self {
            id: 0,
            name: None,
            version: None,
            header_size: None,
            max_attribute: None,
            operations: none,
            groups: none,
            attributes,
        };
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind() {
                FAMILY_ID => id = Some(attribute.u16()?),
                FAMILY_NAME => family.name = Some(attribute.text()?),
                3 => family.version = Some(attribute.u32()?),
                4 => family.header_size = Some(attribute.u32()?),
                5 => family.max_attribute = Some(attribute.u32()?),
                6 => family.operations = attribute.nested(),
                7 => family.groups = attribute.nested(),
                _ => {}
            }
        }
        family.id = id.ok_or(Error::about(
            ErrorKind::Missing,
            FAMILY_ID,
            attributes.offset(),
        ))?;
        Ok(family)
    }

    /// The commands it has. Ends after the first error.
    pub fn operations(&self) -> impl Iterator<Item = Result<Operation, Error>> + 'a
    where
        E: 'a,
    {
        self.operations.map(|entry| {
            let mut operation = Operation::default();
            for attribute in entry?.nested() {
                let attribute = attribute?;
                match attribute.kind() {
                    1 => operation.command = attribute.u32()?,
                    2 => operation.flags = attribute.u32()?,
                    _ => {}
                }
            }
            Ok(operation)
        })
    }

    /// Its multicast groups.
    pub fn groups(&self) -> impl Iterator<Item = Result<Group<'a>, Error>> + 'a
    where
        E: 'a,
    {
        self.groups.map(|entry| {
            let mut group = Group::default();
            for attribute in entry?.nested() {
                let attribute = attribute?;
                match attribute.kind() {
                    1 => group.name = attribute.text()?,
                    2 => group.id = attribute.u32()?,
                    _ => {}
                }
            }
            Ok(group)
        })
    }

    /// The id of the group named `name`, for `NETLINK_ADD_MEMBERSHIP`.
    pub fn group(&self, name: &str) -> Result<Option<u32>, Error> {
        for group in self.groups() {
            let group = group?;
            if group.name.as_bytes() == name.as_bytes() {
                return Ok(Some(group.id));
            }
        }
        Ok(None)
    }
}

/// A command of a family.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Its number.
    pub command: u32,
    /// `GENL_*` bits: 1 needs the administrator of the machine, 2 can be
    /// done, 4 can be dumped, 8 has a policy, 16 needs the administrator of
    /// the network namespace.
    pub flags: u32,
}

/// A multicast group of a family.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'a> {
    /// Its name, unique in the family.
    pub name: Text<'a>,
    /// Its id, unique on the machine, given out when the kernel starts.
    pub id: u32,
}
