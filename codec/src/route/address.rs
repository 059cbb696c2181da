//! Addresses of interfaces.

use core::net::IpAddr;

use super::{address_len, message_type, split};
use crate::error::Error;
use crate::inet;
use crate::netlink::{Message, Writer};
use crate::order::{Native, Order};
use crate::set::{Shape, Value};

/// An address of an interface: `struct ifaddrmsg` and the attributes `IFA_*`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("RTM_NEWADDR", "RTM_DELADDR", "ifaddrmsg"))]
pub struct Address<'a, E: Order = Native> {
    /// `ifa_family`.
    pub family: u16,
    /// `ifa_prefixlen`: bits of the network's prefix.
    pub prefix: u8,
    /// `FLAGS`, or `ifa_flags` if that is absent.
    pub flags: AddressFlags,
    /// `ifa_scope`: see [`Address::SCOPE_GLOBAL`] and its like.
    pub scope: u8,
    /// `ifa_index`: index of the interface.
    pub index: u32,
    /// All that was sent after the fixed part.
    pub fields: AddressAttributes<'a, E>,
}

attribute_set! {
    /// The attributes of an address of an interface (`IFA_*`).
    #[doc(alias(
        "IFA_ADDRESS", "IFA_LOCAL", "IFA_LABEL", "IFA_BROADCAST", "IFA_CACHEINFO",
        "IFA_FLAGS", "IFA_PROTO", "IFA_ANYCAST", "IFA_MULTICAST", "IFA_RT_PRIORITY",
        "IFA_TARGET_NETNSID",
    ))]
    pub struct AddressAttributes<'a> {
        /// The address at the other end of a point-to-point interface; on others, that of
        /// this host.
        1 ADDRESS address / with_address: address,
        /// The address of this host.
        2 LOCAL local / with_local: address,
        /// A name for an IPv4 address.
        3 LABEL label / with_label: string,
        /// The broadcast address of an IPv4 network.
        4 BROADCAST broadcast / with_broadcast: address,
        /// How long it is valid.
        6 CACHEINFO cache / with_cache: value [CacheInfo],
        /// More flags than the fixed part has room for.
        8 FLAGS flags / with_flags: u32 as AddressFlags,
        /// What added it (`IFAPROT_*`).
        11 PROTO protocol / with_protocol: u8,
    }
    // IPv4, then IPv6, whose cache comes first.
    sent [ADDRESS LOCAL BROADCAST LABEL] [FLAGS CACHEINFO] [CACHEINFO FLAGS] [PROTO]
    also {
        5 ANYCAST Shape::Ip,
        7 MULTICAST Shape::Ip,
        9 RT_PRIORITY Shape::Unsigned,
        10 TARGET_NETNSID Shape::Unsigned,
    }
}

impl Address<'_> {
    /// `RT_SCOPE_UNIVERSE`: valid everywhere.
    pub const SCOPE_GLOBAL: u8 = 0;
    /// `RT_SCOPE_SITE`.
    pub const SCOPE_SITE: u8 = 200;
    /// `RT_SCOPE_LINK`: valid on its link only.
    pub const SCOPE_LINK: u8 = 253;
    /// `RT_SCOPE_HOST`: valid on this host only.
    pub const SCOPE_HOST: u8 = 254;
}

impl<'a, E: Order> Address<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        family: 0,
        prefix: 0,
        flags: AddressFlags::EMPTY,
        scope: 0,
        index: 0,
        fields: AddressAttributes::EMPTY,
    };

    /// Reads RTM_NEWADDR or RTM_DELADDR;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<8, E>(message, [message_type::NEWADDR, message_type::DELADDR])?;
        let family = u16::from(b[0]);
        let mut address = Self {
            family,
            prefix: b[1],
            flags: AddressFlags(b[2].into()),
            scope: b[3],
            index: E::u32([b[4], b[5], b[6], b[7]]),
            fields: AddressAttributes::with_address_len(address_len(family)),
        };
        address.fields.update(attributes)?;
        if let Some(flags) = address.fields.flags() {
            address.flags = flags;
        }
        Ok(address)
    }

    /// The address of this host: `LOCAL`, or `ADDRESS` if that is absent; `None` for
    /// families that are not of the Internet.
    pub fn address(&self) -> Option<IpAddr> {
        let bytes = self.fields.local().or(self.fields.address());
        inet::from_bytes(self.family, bytes?)
    }

    /// The address at the other end of a point-to-point interface: `ADDRESS` if it differs from
    /// `LOCAL`.
    pub fn peer(&self) -> Option<IpAddr> {
        let (local, other) = (self.fields.local()?, self.fields.address()?);
        if local == other {
            return None;
        }
        inet::from_bytes(self.family, other)
    }
}

/// How long an address is valid (`struct ifa_cacheinfo`). All ones means forever.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[doc(alias = "ifa_cacheinfo")]
pub struct CacheInfo {
    /// Seconds until it is deprecated.
    pub preferred: u32,
    /// Seconds until it is removed.
    pub valid: u32,
    /// When it was created, in hundredths of a second since the machine started.
    pub created: u32,
    /// When it was last changed, likewise.
    pub updated: u32,
}

impl<'a, E: Order> Value<'a, E> for CacheInfo {
    const ABSENT: Self = Self {
        preferred: 0,
        valid: 0,
        created: 0,
        updated: 0,
    };
    const LEN: usize = 16;
    const SHAPE: Shape = Shape::List(4);

    #[inline(always)]
    fn read(payload: &'a [u8]) -> Option<Self> {
        let b: &[u8; 16] = payload.try_into().ok()?;
        Some(Self {
            preferred: E::u32([b[0], b[1], b[2], b[3]]),
            valid: E::u32([b[4], b[5], b[6], b[7]]),
            created: E::u32([b[8], b[9], b[10], b[11]]),
            updated: E::u32([b[12], b[13], b[14], b[15]]),
        })
    }

    fn put(self, writer: &mut Writer<'_, E>, number: u16) {
        let mut bytes = [0; 16];
        let numbers = [self.preferred, self.valid, self.created, self.updated];
        for (to, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&E::put_u32(number));
        }
        writer.put_bytes(number, &bytes);
    }
}

flags! {
    /// Flags of an address (`IFA_F_*`).
    pub struct AddressFlags: u32 {
        /// IPv4: not the first of its network on the interface. IPv6 calls this
        /// bit [`TEMPORARY`](Self::TEMPORARY).
        #[doc(alias = "IFA_F_SECONDARY")]
        0x1 SECONDARY "secondary",
        /// Not tested for being a duplicate.
        #[doc(alias = "IFA_F_NODAD")]
        0x2 NODAD "nodad",
        /// Can be used while it is tested.
        #[doc(alias = "IFA_F_OPTIMISTIC")]
        0x4 OPTIMISTIC "optimistic",
        /// Turned out to be a duplicate.
        #[doc(alias = "IFA_F_DADFAILED")]
        0x8 DADFAILED "dadfailed",
        /// Home address of Mobile IPv6.
        #[doc(alias = "IFA_F_HOMEADDRESS")]
        0x10 HOMEADDRESS "homeaddress",
        /// No longer for new connections.
        #[doc(alias = "IFA_F_DEPRECATED")]
        0x20 DEPRECATED "deprecated",
        /// Still tested for being a duplicate: cannot be used yet.
        #[doc(alias = "IFA_F_TENTATIVE")]
        0x40 TENTATIVE "tentative",
        /// Does not expire.
        #[doc(alias = "IFA_F_PERMANENT")]
        0x80 PERMANENT "permanent",
        /// The kernel makes temporary addresses of its prefix.
        #[doc(alias = "IFA_F_MANAGETEMPADDR")]
        0x100 MANAGETEMPADDR "managetempaddr",
        /// Comes without a route to its prefix.
        #[doc(alias = "IFA_F_NOPREFIXROUTE")]
        0x200 NOPREFIXROUTE "noprefixroute",
        /// Joins its multicast group by itself.
        #[doc(alias = "IFA_F_MCAUTOJOIN")]
        0x400 MCAUTOJOIN "mcautojoin",
        /// Its interface identifier is the same on every network.
        #[doc(alias = "IFA_F_STABLE_PRIVACY")]
        0x800 STABLE_PRIVACY "stable-privacy",
    }
}

impl AddressFlags {
    /// IPv6: random for privacy, changes from time to time.
    pub const TEMPORARY: Self = Self::SECONDARY;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::order::Little;
    use crate::testing::{bytes, message};
    use core::net::Ipv4Addr;

    #[test]
    fn flags_of_32_bits_win_over_those_of_8() {
        let bytes = bytes(
            "58000000 1400 0200 00000000 00000000 02 08 80 fe 01000000 0800 0100 0a000001
             0800 0200 7f000001 0700 0300 6c6f00 00 0800 0800 80020000
             1400 0600 100e0000 201c0000 17000000 18000000 0400 ff00",
        );
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let address = Address::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!(address.address(), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(address.peer(), Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
        assert_eq!(
            (address.flags.0, address.scope),
            (0x280, Address::SCOPE_HOST)
        );
        let cache = address.fields.cache().unwrap();
        assert_eq!((cache.preferred, cache.valid), (3600, 7200));
        assert_eq!((cache.created, cache.updated), (23, 24));
        assert_eq!((address.prefix, address.index), (8, 1));
    }

    #[test]
    fn flags_of_8_bits_count_where_there_are_no_others() {
        let bytes =
            bytes("24000000 1400 0000 00000000 00000000 02 18 80 00 01000000 0800 0100 0a000001");
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let address = Address::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!(address.flags, AddressFlags::PERMANENT);
        assert_eq!((address.fields.flags(), address.peer()), (None, None));
    }

    #[test]
    fn an_address_has_the_length_of_its_family() {
        let bytes =
            bytes("24000000 1400 0000 00000000 00000000 0a 40 80 00 01000000 0800 0100 0a000001");
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let error = Address::decode(&message::<Little>(&bytes)).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (ErrorKind::BadSize, 24));
    }
}
