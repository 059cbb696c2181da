//! The controller (`nlctrl`), which knows all families.
//!
//! ```text
//! CTRL_CMD_NEWFAMILY
//!   1 FAMILY_ID u16     2 FAMILY_NAME string   3 VERSION u32   4 HDRSIZE u32
//!   5 MAXATTR u32       6 OPS [ n: { 1 ID u32, 2 FLAGS u32 } ]
//!   7 MCAST_GROUPS [ n: { 1 NAME string, 2 ID u32 } ]
//! ```

use crate::error::{Error, ErrorKind};
use crate::generic::{request, Generic};
use crate::netlink::{align, flags, Message, Text, HEADER_LEN};
use crate::order::{Native, Order};
use crate::set::{inner::FAST, Array};

/// `GENL_ID_CTRL`: the controller's own family id, the only fixed one.
#[doc(alias = "GENL_ID_CTRL")]
pub const ID: u16 = 16;
/// `CTRL_CMD_NEWFAMILY`: the command of answers and announcements.
#[doc(alias = "CTRL_CMD_NEWFAMILY")]
pub const NEW_FAMILY: u8 = 1;
/// `CTRL_CMD_DELFAMILY`: announces that a family is gone.
#[doc(alias = "CTRL_CMD_DELFAMILY")]
pub const DELETED_FAMILY: u8 = 2;
/// `CTRL_CMD_GETFAMILY`.
#[doc(alias = "CTRL_CMD_GETFAMILY")]
pub const GET_FAMILY: u8 = 3;
/// `CTRL_CMD_NEWMCAST_GRP`: announces a multicast group.
#[doc(alias = "CTRL_CMD_NEWMCAST_GRP")]
pub const NEW_GROUP: u8 = 7;
/// `CTRL_CMD_DELMCAST_GRP`: announces that a multicast group is gone.
#[doc(alias = "CTRL_CMD_DELMCAST_GRP")]
pub const DELETED_GROUP: u8 = 8;

pub(super) const VERSION: u8 = 2;
/// Asks for the family named `name`, in which a NUL is
/// [`ErrorKind::BadValue`]. A kernel without the family answers `ENOENT`.
pub fn family_by_name<'b>(
    buffer: &'b mut [u8],
    seq: u32,
    name: &str,
) -> Result<&'b mut [u8], Error> {
    let mut writer = request(buffer, ID, seq, flags::REQUEST, GET_FAMILY, VERSION);
    writer.put_text(FamilyAttributes::FAMILY_NAME, name.as_bytes());
    writer.finish()
}

/// Asks for the family with this id.
pub fn family_by_id(buffer: &mut [u8], seq: u32, id: u16) -> Result<&mut [u8], Error> {
    let mut writer = request(buffer, ID, seq, flags::REQUEST, GET_FAMILY, VERSION);
    writer.put_u16(FamilyAttributes::FAMILY_ID, id);
    writer.finish()
}

/// Asks for all families.
pub fn all_families(buffer: &mut [u8], seq: u32) -> Result<&mut [u8], Error> {
    let flags = flags::REQUEST | flags::DUMP;
    request(buffer, ID, seq, flags, GET_FAMILY, VERSION).finish()
}

/// What the controller says about a family.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Family<'a, E: Order = Native> {
    /// `FAMILY_ID`: the `nlmsg_type` of its messages.
    pub id: u16,
    /// All that was sent. Decoding a family only locates operations and groups; they are
    /// read on demand.
    pub fields: FamilyAttributes<'a, E>,
}

attribute_set! {
    /// What the controller says about a family, and what it is asked (`CTRL_ATTR_*`).
    #[doc(alias(
        "CTRL_ATTR_FAMILY_ID", "CTRL_ATTR_FAMILY_NAME", "CTRL_ATTR_VERSION",
        "CTRL_ATTR_HDRSIZE", "CTRL_ATTR_MAXATTR", "CTRL_ATTR_OPS",
        "CTRL_ATTR_MCAST_GROUPS", "CTRL_ATTR_POLICY", "CTRL_ATTR_OP_POLICY",
        "CTRL_ATTR_OP",
    ))]
    pub struct FamilyAttributes<'a> {
        /// The `nlmsg_type` of its messages.
        1 FAMILY_ID id / with_id: u16,
        /// Its name.
        2 FAMILY_NAME name / with_name: string,
        /// Version of its interface.
        3 VERSION version / with_version: u32,
        /// Bytes between generic header and attributes.
        4 HDRSIZE header_size / with_header_size: u32,
        /// Highest attribute number; 0 if it depends on the command.
        5 MAXATTR max_attribute / with_max_attribute: u32,
        /// The commands it has.
        6 OPS operations / with_operations: array [Operation],
        /// Its multicast groups.
        7 MCAST_GROUPS groups / with_groups: array [Group<'a, E>],
    }
    sent [FAMILY_NAME] [FAMILY_ID VERSION HDRSIZE MAXATTR] [OPS MCAST_GROUPS]
    also {
        8 POLICY Shape::Attributes,
        9 OP_POLICY Shape::Attributes,
        10 OP Shape::Unsigned,
    }
}

attribute_set! {
    /// A command of a family (`CTRL_ATTR_OP_*`).
    #[doc(alias("CTRL_ATTR_OP_ID", "CTRL_ATTR_OP_FLAGS"))]
    #[derive(PartialOrd, Ord)]
    pub struct Operation {
        /// Its number.
        1 ID id / with_id: u32,
        /// What it needs and can do.
        2 FLAGS flags / with_flags: u32 as OperationFlags,
    }
}

impl Operation {
    /// Its number, as in the header of a message; `None` if that is absent, and for a
    /// number that no command can have.
    pub fn command(&self) -> Option<u8> {
        self.id().and_then(|id| u8::try_from(id).ok())
    }
}

flags! {
    /// What a command needs and can do (`GENL_*`).
    pub struct OperationFlags: u32 {
        /// Needs the administrator of the machine.
        #[doc(alias = "GENL_ADMIN_PERM")]
        0x1 ADMIN_PERM "admin-perm",
        /// Can be done.
        #[doc(alias = "GENL_CMD_CAP_DO")]
        0x2 CMD_CAP_DO "cmd-cap-do",
        /// Can be dumped.
        #[doc(alias = "GENL_CMD_CAP_DUMP")]
        0x4 CMD_CAP_DUMP "cmd-cap-dump",
        /// Has a policy.
        #[doc(alias = "GENL_CMD_CAP_HASPOL")]
        0x8 CMD_CAP_HASPOL "cmd-cap-haspol",
        /// Needs the administrator of the network namespace.
        #[doc(alias = "GENL_UNS_ADMIN_PERM")]
        0x10 UNS_ADMIN_PERM "uns-admin-perm",
    }
}

attribute_set! {
    /// A multicast group of a family (`CTRL_ATTR_MCAST_GRP_*`).
    #[doc(alias("CTRL_ATTR_MCAST_GRP_NAME", "CTRL_ATTR_MCAST_GRP_ID"))]
    pub struct Group<'a> {
        /// Its name, unique in the family.
        1 NAME name / with_name: string,
        /// Its id, unique on the machine, given out when the kernel starts.
        2 ID id / with_id: u32,
    }
}

impl<'a, E: Order> Group<'a, E> {
    /// Takes the next group off a list of them if it is in the kernel's form: its name, its
    /// id and nothing else.
    #[inline(always)]
    fn take_usual_one(list: &mut &'a [u8]) -> Option<(Text<'a>, u32)> {
        let (head, rest) = list.split_first_chunk::<16>()?;
        let [e0, e1, e2, e3, i0, i1, i2, i3, id @ .., n0, n1, n2, n3] = *head;
        if E::attribute_word([i0, i1, i2, i3]) != u32::from(Group::ID) << 16 | 8 {
            return None;
        }
        // If it is of another type, this is longer than any name.
        let len = E::attribute_word([n0, n1, n2, n3]) ^ u32::from(Group::NAME) << 16;
        let len = (len as usize).wrapping_sub(4);
        if !(9..=16).contains(&len) {
            return None;
        }
        let whole = align(len);
        if E::attribute_word([e0, e1, e2, e3]) & 0xffff != 16 + whole as u32 {
            return None;
        }
        let name = Text::name(rest.get(..len)?)?;
        *list = rest.get(whole..)?;
        Some((name, E::u32(id)))
    }
}

impl<'a, E: Order> Family<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        id: 0,
        fields: FamilyAttributes::EMPTY,
    };

    /// Reads the answer to [`family_by_name`] and its like:
    /// [`ErrorKind::Missing`] without an id, [`ErrorKind::WrongType`] if it is
    /// no such message.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        if message.header.message_type != ID {
            return Err(Error::new(ErrorKind::WrongType, 4));
        }
        let generic = Generic::decode(message)?;
        if !matches!(
            generic.command,
            NEW_FAMILY | DELETED_FAMILY | NEW_GROUP | DELETED_GROUP
        ) {
            return Err(Error::new(ErrorKind::WrongType, HEADER_LEN));
        }
        let mut fields = FamilyAttributes::EMPTY;
        fields.update(generic.attributes)?;
        match fields.id() {
            Some(id) => Ok(Self { id, fields }),
            None => Err(Self::without_id(generic.attributes.offset())),
        }
    }

    #[cold]
    #[inline(never)]
    fn without_id(at: usize) -> Error {
        let missing = Error::about(ErrorKind::Missing, FamilyAttributes::FAMILY_ID, at);
        missing.in_set(FamilyAttributes::<'a, E>::NAMES)
    }

    /// The id of the group named `name`, for `NETLINK_ADD_MEMBERSHIP` on a
    /// socket that is bound.
    ///
    /// All groups are read, even after the right one was found: anything wrong with any of
    /// them is an error.
    #[inline]
    pub fn group(&self, name: &str) -> Result<Option<u32>, Error> {
        if FAST {
            let mut found = None;
            let mut list = self.fields.groups().attributes().as_bytes();
            while let Some((known, id)) = Group::<E>::take_usual_one(&mut list) {
                if known == *name {
                    found = Some(id);
                }
            }
            if list.is_empty() {
                return Ok(found);
            }
        }
        Self::group_among(self.fields.groups(), name)
    }

    /// The same of groups in any form.
    #[cold]
    #[inline(never)]
    fn group_among(groups: Array<'a, Group<'a, E>, E>, name: &str) -> Result<Option<u32>, Error> {
        let mut found = None;
        for group in groups {
            let group = group?;
            if group.name().is_some_and(|known| known == *name) {
                found = group.id().or(found);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message, native, Vec};
    extern crate std;

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
            (family.id, family.fields.name().unwrap().as_bytes()),
            (26, &b"mptcp_pm"[..])
        );
        assert_eq!(
            (family.fields.version(), family.fields.header_size()),
            (Some(1), Some(0))
        );
        assert_eq!(family.fields.max_attribute(), Some(6));
        let operations: Result<Vec<_>, _> = family.fields.operations().collect();
        let operations = operations.unwrap();
        assert_eq!(
            operations[1],
            Operation::EMPTY.with_id(3).with_flags(OperationFlags(0xe))
        );
        assert_eq!(family.group("mptcp_pm_events"), Ok(Some(5)));
        assert_eq!(family.group("mptcp_pm_cmds"), Ok(Some(4)));
        assert_eq!(family.group("mptcp_pm"), Ok(None));
    }

    #[test]
    fn malformed_attributes_are_refused_even_if_unused() {
        let whole = bytes(BIG);
        let decode = |bytes: &[u8]| {
            let family = Family::decode(&message::<Big>(bytes))?;
            family.group("mptcp_pm_cmds")
        };
        // Lengths: of the name, a number, both lists, the second group, its name.
        for (at, byte) in [
            (21, 0xff),
            (37, 9),
            (69, 0xff),
            (113, 0x40),
            (149, 0x21),
            (161, 0x15),
        ] {
            let mut wrong = whole.clone();
            assert!(decode(&wrong).is_ok());
            wrong[at] = byte;
            assert!(decode(&wrong).is_err(), "byte {at}");
        }
        // The terminator of the last name.
        let mut wrong = whole.clone();
        *wrong.last_mut().unwrap() = b'x';
        assert!(decode(&wrong).is_err());
    }

    #[test]
    fn a_group_is_what_it_is_in_any_order_and_nothing_follows_it() {
        let decode = |group: &str| {
            let group = bytes(group);
            let mut datagram = bytes(
                "00000000 1000 0000 00000000 00000000 01020000 0600 0100 1a000000 0000 0700 0000 0100",
            );
            datagram.extend(&group);
            datagram[0] = datagram.len() as u8;
            datagram[28] = group.len() as u8 + 8;
            datagram[32] = group.len() as u8 + 4;
            let family = Family::decode(&message::<Little>(&datagram))?;
            family.group("abcdefg")
        };
        let (id, name) = ("0800 0200 05000000", "0c00 0100 6162636465666700");
        assert_eq!(decode(&[id, name].concat()), Ok(Some(5)));
        assert_eq!(decode(&[name, id].concat()), Ok(Some(5)));
        assert_eq!(decode(&[id, name, "0400 6300"].concat()), Ok(Some(5)));
        assert_eq!(decode(name), Ok(None));
        for rest in ["01", "0101", "010101", "01010101"] {
            let error = decode(&[id, name, rest].concat()).unwrap_err();
            assert_eq!(error.offset(), 56, "{rest}");
        }
    }

    #[test]
    fn of_two_groups_of_one_name_the_last_counts_in_any_form() {
        // The kernel's form; without padding; the name first; names of other lengths.
        let id = |number| std::format!("0800 0200 {number:02x}000000");
        let long = "0d00 0100 616263646566676800 000000";
        let short = "0700 0100 616200 00";
        let all = [
            ("abcdefgh", [id(5) + long, id(6) + long]),
            ("abcdefgh", [std::format!("{long}{}", id(5)), id(6) + long]),
            ("abcdefgh", [id(5) + long, std::format!("{long}{}", id(6))]),
            ("ab", [id(5) + short, id(6) + short]),
        ];
        for (name, groups) in all {
            let mut list = Vec::new();
            for (at, group) in groups.iter().enumerate() {
                let group = bytes(group);
                list.extend([group.len() as u8 + 4, 0, at as u8 + 1, 0]);
                list.extend(group);
            }
            let mut datagram =
                bytes("00000000 1000 0000 00000000 00000000 01020000 0600 0100 1a000000 0000 0700");
            datagram[28] = list.len() as u8 + 4;
            datagram.extend(list);
            datagram[0] = datagram.len() as u8;
            let family = Family::decode(&message::<Little>(&datagram)).unwrap();
            assert_eq!(family.group(name), Ok(Some(6)), "{groups:?}");
            let ids: Vec<_> = family
                .fields
                .groups()
                .map(|group| group.unwrap().id())
                .collect();
            assert_eq!(ids, [Some(5), Some(6)]);
        }
    }

    #[test]
    fn a_list_ends_after_its_first_error() {
        let bytes = bytes(
            "34000000 1000 0000 00000000 00000000 01020000 0600 0100 1a000000
             1800 0600 0800 0100 0500 0100 0800 0200 0400 0000 0400 0000",
        );
        let message = message::<Little>(&bytes);
        let family = Family::decode(&message).unwrap();
        let ok: Vec<bool> = family
            .fields
            .operations()
            .map(|entry| entry.is_ok())
            .collect();
        assert_eq!(ok, [false]);
    }

    #[test]
    fn requests_name_the_family_or_its_id() {
        let mut buffer = [0; 64];
        let message = native(family_by_name(&mut buffer, 3, "mptcp_pm").unwrap());
        let attributes = message.attributes(4).unwrap();
        let name = attributes.find_last(2).unwrap().unwrap();
        assert_eq!(name.text().unwrap().to_str(), Some("mptcp_pm"));
        let error = family_by_name(&mut buffer, 3, "a\0b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadValue);
    }
}
