//! Addresses of interfaces.

use core::fmt;
use core::net::IpAddr;

use super::{kind, split};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{Attribute, Attributes, Message, Text};
use crate::order::{Native, Order};

const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const LABEL: u16 = 3;
const CACHEINFO: u16 = 6;
const FLAGS: u16 = 8;

/// An address of an interface: `struct ifaddrmsg` and the attributes `IFA_*`.
#[derive(Copy, Clone, Debug)]
pub struct Address<'a, E: Order = Native> {
    /// `ifa_family`.
    pub family: u8,
    /// `ifa_prefixlen`: bits of the network's prefix.
    pub prefix: u8,
    /// `FLAGS`, or `ifa_flags` where that is absent.
    pub flags: AddressFlags,
    /// `ifa_scope`: see [`Address::SCOPE_GLOBAL`] and its like.
    pub scope: u8,
    /// `ifa_index`: index of the interface.
    pub index: u32,
    /// The address of this host: `LOCAL`, or `ADDRESS` where that is absent;
    /// `None` for families that are not of the Internet.
    pub address: Option<IpAddr>,
    /// The address at the other end of a point-to-point interface: `ADDRESS`
    /// where it is another than `LOCAL`.
    pub peer: Option<IpAddr>,
    /// `LABEL` of an IPv4 address.
    pub label: Option<Text<'a>>,
    /// `CACHEINFO`: how long it is good.
    pub cache: Option<CacheInfo>,
    /// Everything that was sent behind the fixed part.
    pub attributes: Attributes<'a, E>,
}

impl Address<'_> {
    /// `RT_SCOPE_UNIVERSE`: good everywhere.
    pub const SCOPE_GLOBAL: u8 = 0;
    /// `RT_SCOPE_SITE`.
    pub const SCOPE_SITE: u8 = 200;
    /// `RT_SCOPE_LINK`: good on its link only.
    pub const SCOPE_LINK: u8 = 253;
    /// `RT_SCOPE_HOST`: good on this host only.
    pub const SCOPE_HOST: u8 = 254;
}

impl<'a, E: Order> Address<'a, E> {
    /// Reads RTM_NEWADDR or RTM_DELADDR.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) = split::<8, E>(message, [kind::NEWADDR, kind::DELADDR])?;
        let mut this = Self {
            family: b[0],
            prefix: b[1],
            flags: AddressFlags(u32::from(b[2])),
            scope: b[3],
            index: E::u32([b[4], b[5], b[6], b[7]]),
            address: None,
            peer: None,
            label: None,
            cache: None,
            attributes,
        };
        let mut other = None;
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind() {
                ADDRESS => other = inet::from_attribute(&attribute, this.family)?,
                LOCAL => this.address = inet::from_attribute(&attribute, this.family)?,
                LABEL => this.label = Some(attribute.text()?),
                CACHEINFO => this.cache = Some(CacheInfo::decode(&attribute)?),
                FLAGS => this.flags = AddressFlags(attribute.u32()?),
                _ => {}
            }
        }
        if this.address.is_none() {
            this.address = other;
        } else if this.address != other {
            this.peer = other;
        }
        Ok(this)
    }
}

/// How long an address is good (`struct ifa_cacheinfo`). All ones is for ever.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CacheInfo {
    /// Seconds until it is deprecated.
    pub preferred: u32,
    /// Seconds until it is taken away.
    pub valid: u32,
    /// When it was made, hundredths of a second since the machine started.
    pub created: u32,
    /// When it was last changed, likewise.
    pub updated: u32,
}

impl CacheInfo {
    fn decode<E: Order>(attribute: &Attribute<'_, E>) -> Result<Self, Error> {
        let Ok(b) = <[u8; 16]>::try_from(attribute.payload()) else {
            return Err(attribute.error(ErrorKind::BadSize));
        };
        Ok(Self {
            preferred: E::u32([b[0], b[1], b[2], b[3]]),
            valid: E::u32([b[4], b[5], b[6], b[7]]),
            created: E::u32([b[8], b[9], b[10], b[11]]),
            updated: E::u32([b[12], b[13], b[14], b[15]]),
        })
    }
}

/// Flags of an address (`IFA_F_*`). Unknown bits are kept.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct AddressFlags(
    /// The bits.
    pub u32,
);

impl AddressFlags {
    /// IPv4: not the first of its network on the interface.
    pub const SECONDARY: Self = Self(0x1);
    /// IPv6: made at random for privacy, changes from time to time.
    pub const TEMPORARY: Self = Self(0x1);
    /// Not tested for being a duplicate.
    pub const NODAD: Self = Self(0x2);
    /// Can be used while it is tested.
    pub const OPTIMISTIC: Self = Self(0x4);
    /// Turned out to be a duplicate.
    pub const DADFAILED: Self = Self(0x8);
    /// Not for new connections any more.
    pub const DEPRECATED: Self = Self(0x20);
    /// Still tested for being a duplicate: cannot be used yet.
    pub const TENTATIVE: Self = Self(0x40);
    /// Has no end.
    pub const PERMANENT: Self = Self(0x80);

    /// Whether all bits of `flags` are set.
    #[inline]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl fmt::Debug for AddressFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Little;
    use crate::testing::{bytes, message};
    use core::net::Ipv4Addr;

    #[test]
    fn flags_of_32_bits_win_over_those_of_8() {
        let bytes = bytes(
            "58000000 1400 0200 00000000 00000000 02 08 80 fe 01000000 0800 0100 0a000001
             0800 0200 7f000001 0700 0300 6c6f00 00 0800 0800 80020000
             1400 0600 ffffffff ffffffff 17000000 18000000 0400 ff00",
        );
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let address = Address::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!(address.address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!(address.peer, Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))));
        assert_eq!(
            (address.flags.0, address.scope),
            (0x280, Address::SCOPE_HOST)
        );
        assert_eq!(address.cache.unwrap().updated, 24);
        assert_eq!((address.prefix, address.index), (8, 1));
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
