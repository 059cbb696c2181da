//! The controller (`nlctrl`): which families there are.
//!
//! ```text
//! CTRL_CMD_NEWFAMILY
//!   1 FAMILY_ID u16     2 FAMILY_NAME string   3 VERSION u32   4 HDRSIZE u32
//!   5 MAXATTR u32       6 OPS [ n: { 1 ID u32, 2 FLAGS u32 } ]
//!   7 MCAST_GROUPS [ n: { 1 NAME string, 2 ID u32 } ]
//! ```

use core::fmt;

use crate::error::{Error, ErrorKind};
use crate::generic::{request, Generic};
use crate::netlink::{flags, Attribute, Attributes, Message, Text, HEADER_LEN};
use crate::order::{Native, Order};

/// `GENL_ID_CTRL`: the controller's own family id, the only fixed one.
pub const ID: u16 = 16;
/// `CTRL_CMD_NEWFAMILY`: what an answer or announcement carries.
pub const NEW_FAMILY: u8 = 1;
/// `CTRL_CMD_DELFAMILY`: announces that a family is gone.
pub const DELETED_FAMILY: u8 = 2;
/// `CTRL_CMD_GETFAMILY`.
pub const GET_FAMILY: u8 = 3;
/// `CTRL_CMD_NEWMCAST_GRP`: announces a multicast group.
pub const NEW_GROUP: u8 = 7;
/// `CTRL_CMD_DELMCAST_GRP`: announces that a multicast group is gone.
pub const DELETED_GROUP: u8 = 8;

pub(super) const VERSION: u8 = 2;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY_VERSION: u16 = 3;
const HEADER_SIZE: u16 = 4;
const MAX_ATTRIBUTE: u16 = 5;
const OPERATIONS: u16 = 6;
const GROUPS: u16 = 7;
const OP_ID: u16 = 1;
const OP_FLAGS: u16 = 2;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;

/// Asks for the family named `name`, in which a NUL is
/// [`ErrorKind::BadValue`]. A kernel without the family answers `ENOENT`.
pub fn family_by_name<'b>(
    buffer: &'b mut [u8],
    seq: u32,
    name: &str,
) -> Result<&'b mut [u8], Error> {
    let mut writer = request(buffer, ID, seq, flags::REQUEST, GET_FAMILY, VERSION);
    writer.put_text(FAMILY_NAME, name.as_bytes());
    writer.finish()
}

/// Asks for the family with this id.
pub fn family_by_id(buffer: &mut [u8], seq: u32, id: u16) -> Result<&mut [u8], Error> {
    let mut writer = request(buffer, ID, seq, flags::REQUEST, GET_FAMILY, VERSION);
    writer.put_u16(FAMILY_ID, id);
    writer.finish()
}

/// Asks for all families.
pub fn all_families(buffer: &mut [u8], seq: u32) -> Result<&mut [u8], Error> {
    let flags = flags::REQUEST | flags::DUMP;
    request(buffer, ID, seq, flags, GET_FAMILY, VERSION).finish()
}

/// What the controller says of a family. Fields are `None` where the kernel
/// did not send them.
#[derive(Copy, Clone)]
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
    /// Reads the answer to [`family_by_name`] and its like:
    /// [`ErrorKind::Missing`] without an id, [`ErrorKind::WrongType`] if it is
    /// no such message. Operations and groups are only
    /// found here; they are read when they are asked for.
    #[inline]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let generic = Generic::decode(message)?;
        if message.header.message_type != ID {
            return Err(Error::new(ErrorKind::WrongType, 4));
        }
        if !matches!(
            generic.command,
            NEW_FAMILY | DELETED_FAMILY | NEW_GROUP | DELETED_GROUP
        ) {
            return Err(Error::new(ErrorKind::WrongType, HEADER_LEN));
        }
        let attributes = generic.attributes;
        let mut id = None;
        let mut family = Self {
            id: 0,
            name: None,
            version: None,
            header_size: None,
            max_attribute: None,
            operations: attributes.continued_at(&[]),
            groups: attributes.continued_at(&[]),
            attributes,
        };
        let mut left = attributes;
        while let Some(attribute) = left.next() {
            let attribute = attribute?;
            match attribute.number() {
                FAMILY_NAME => {
                    family.name = Some(attribute.text()?);
                    // So the kernel goes on.
                    const NEXT: [u32; 4] = [
                        (FAMILY_ID as u32) << 16 | 6,
                        (FAMILY_VERSION as u32) << 16 | 8,
                        (HEADER_SIZE as u32) << 16 | 8,
                        (MAX_ATTRIBUTE as u32) << 16 | 8,
                    ];
                    if let Some([number, version, header_size, max]) = left.take_run::<4, 32>(NEXT)
                    {
                        let [low, high, _, _] = number;
                        id = Some(E::u16([low, high]));
                        family.version = Some(E::u32(version));
                        family.header_size = Some(E::u32(header_size));
                        family.max_attribute = Some(E::u32(max));
                    }
                }
                OPERATIONS => family.operations = attribute.nested(),
                GROUPS => family.groups = attribute.nested(),
                FAMILY_ID => id = Some(attribute.rare_number(2)? as u16),
                FAMILY_VERSION => family.version = Some(attribute.rare_number(4)?),
                HEADER_SIZE => family.header_size = Some(attribute.rare_number(4)?),
                MAX_ATTRIBUTE => family.max_attribute = Some(attribute.rare_number(4)?),
                _ => {}
            }
        }
        match id {
            Some(id) => Ok(Self { id, ..family }),
            None => {
                let at = attributes.offset();
                Err(Error::about(ErrorKind::Missing, FAMILY_ID, at))
            }
        }
    }

    /// The commands it has. Ends after the first error.
    pub fn operations(&self) -> impl Iterator<Item = Result<Operation, Error>> + 'a
    where
        E: 'a,
    {
        self.operations.entries(|entry| Operation::read(&entry))
    }

    /// Its multicast groups. Ends after the first error.
    pub fn groups(&self) -> impl Iterator<Item = Result<Group<'a>, Error>> + 'a
    where
        E: 'a,
    {
        self.groups.entries(|entry| Group::read(&entry))
    }

    /// The id of the group named `name`, for `NETLINK_ADD_MEMBERSHIP` on a
    /// socket that is bound.
    ///
    /// All groups are read, also those behind the one that is found: what is
    /// wrong with any of them is an error.
    pub fn group(&self, name: &str) -> Result<Option<u32>, Error> {
        let mut found = None;
        for entry in self.groups {
            let entry = entry?;
            let id = match Group::usual(&entry) {
                Some(group) => group.id_of(name),
                None => Group::unusual(entry.nested())?.id_of(name),
            };
            found = id.or(found);
        }
        Ok(found)
    }
}

impl<E: Order> fmt::Debug for Family<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("header_size", &self.header_size)
            .field("max_attribute", &self.max_attribute)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// A command of a family.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Operation {
    /// Its number; 0, which no command has, if the kernel did not send it.
    pub command: u32,
    /// `GENL_*` bits: 1 needs the administrator of the machine, 2 can be
    /// done, 4 can be dumped, 8 has a policy, 16 needs the administrator of
    /// the network namespace.
    pub flags: u32,
}

impl Operation {
    fn read<E: Order>(entry: &Attribute<'_, E>) -> Result<Self, Error> {
        let mut operation = Self::default();
        for attribute in entry.nested() {
            let attribute = attribute?;
            match attribute.number() {
                OP_ID => operation.command = attribute.u32()?,
                OP_FLAGS => operation.flags = attribute.u32()?,
                _ => {}
            }
        }
        Ok(operation)
    }
}

/// A multicast group of a family.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'a> {
    /// Its name, unique in the family; empty if the kernel did not send it.
    pub name: Text<'a>,
    /// Its id, unique on the machine, given out when the kernel starts; 0,
    /// which no group has, if the kernel did not send it.
    pub id: u32,
}

impl<'a> Group<'a> {
    /// A group as the kernel sends it: id and name, nothing else.
    #[inline(always)]
    fn usual<E: Order>(entry: &Attribute<'a, E>) -> Option<Self> {
        let (head, rest) = entry.payload().split_first_chunk::<12>()?;
        let [i0, i1, i2, i3, id @ .., n0, n1, n2, n3] = *head;
        if E::attribute_word([i0, i1, i2, i3]) != u32::from(GROUP_ID) << 16 | 8 {
            return None;
        }
        // If it is of another type, this is longer than any attribute.
        let len = E::attribute_word([n0, n1, n2, n3]) ^ u32::from(GROUP_NAME) << 16;
        let len = (len as usize).wrapping_sub(4);
        if rest.len().wrapping_sub(len) > 3 {
            return None;
        }
        let name = Text::usual(rest.get(..len)?)?;
        let id = E::u32(id);
        Some(Self { name, id })
    }

    /// Its id, if it has this name.
    #[inline(always)]
    fn id_of(&self, name: &str) -> Option<u32> {
        (self.name.as_bytes() == name.as_bytes()).then_some(self.id)
    }

    #[inline(always)]
    fn read<E: Order>(entry: &Attribute<'a, E>) -> Result<Self, Error> {
        match Self::usual(entry) {
            Some(group) => Ok(group),
            // In pieces: a reference would keep the whole of it in memory.
            None => Self::unusual(entry.nested()),
        }
    }

    /// Any group.
    #[cold]
    #[inline(never)]
    fn unusual<E: Order>(inside: Attributes<'a, E>) -> Result<Self, Error> {
        let mut group = Self::default();
        for attribute in inside {
            let attribute = attribute?;
            match attribute.number() {
                GROUP_NAME => group.name = attribute.text()?,
                GROUP_ID => group.id = attribute.rare_number(4)?,
                _ => {}
            }
        }
        Ok(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message, native, Vec};

    /// A reply of Debian's 6.1 on s390x, but two of its operations.
    const BIG: &str = "000000b4 0010 0000 00000066 00000001 01020000
        000d 0002 6d707463705f706d00 000000 0006 0001 001a0000 0008 0003 00000001
        0008 0004 00000000 0008 0005 00000006
        002c 0006 0014 0001 0008 0001 00000001 0008 0002 0000001a
                  0014 0002 0008 0001 00000003 0008 0002 0000000e
        0044 0007 0020 0001 0008 0002 00000004 0012 0001 6d707463705f706d5f636d647300 0000
                  0020 0002 0008 0002 00000005 0014 0001 6d707463705f706d5f6576656e747300";

    #[test]
    fn a_family_is_read_with_its_operations_and_groups() {
        let bytes = bytes(BIG);
        let family = Family::decode(&message::<Big>(&bytes)).unwrap();
        assert_eq!(
            (family.id, family.name.unwrap().as_bytes()),
            (26, &b"mptcp_pm"[..])
        );
        assert_eq!((family.version, family.header_size), (Some(1), Some(0)));
        assert_eq!(family.max_attribute, Some(6));
        let operations: Result<Vec<_>, _> = family.operations().collect();
        let operations = operations.unwrap();
        assert_eq!(
            operations[1],
            Operation {
                command: 3,
                flags: 0xe
            }
        );
        assert_eq!(family.group("mptcp_pm_events"), Ok(Some(5)));
        assert_eq!(family.group("mptcp_pm_cmds"), Ok(Some(4)));
        assert_eq!(family.group("mptcp_pm"), Ok(None));
    }

    #[test]
    fn nothing_malformed_passes_because_nobody_asked_for_it() {
        let good = bytes(BIG);
        let decode = |bytes: &[u8]| {
            let family = Family::decode(&message::<Big>(bytes))?;
            family.group("mptcp_pm_cmds")
        };
        // Lengths: of the name, a number, both lists, the second group, its name.
        for (at, wrong) in [
            (21, 0xff),
            (37, 9),
            (69, 0xff),
            (113, 0x40),
            (149, 0x21),
            (161, 0x15),
        ] {
            let mut bad = good.clone();
            assert!(decode(&bad).is_ok());
            bad[at] = wrong;
            assert!(decode(&bad).is_err(), "byte {at}");
        }
        // The terminator of the last name.
        let mut bad = good.clone();
        *bad.last_mut().unwrap() = b'x';
        assert!(decode(&bad).is_err());
    }

    #[test]
    fn a_list_ends_after_its_first_error() {
        let bytes = bytes(
            "34000000 1000 0000 00000000 00000000 01020000 0600 0100 1a000000
             1800 0600 0800 0100 0500 0100 0800 0200 0400 0000 0400 0000",
        );
        let message = message::<Little>(&bytes);
        let family = Family::decode(&message).unwrap();
        let ok: Vec<bool> = family.operations().map(|entry| entry.is_ok()).collect();
        assert_eq!(ok, [false]);
    }

    #[test]
    fn requests_name_the_family_or_its_id() {
        let mut buffer = [0; 64];
        let message = native(family_by_name(&mut buffer, 3, "mptcp_pm").unwrap());
        let attributes = message.attributes(4).unwrap();
        let name = attributes.find_last(FAMILY_NAME).unwrap().unwrap();
        assert_eq!(name.text().unwrap().to_str(), Some("mptcp_pm"));
        let error = family_by_name(&mut buffer, 3, "a\0b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadValue);
    }
}
