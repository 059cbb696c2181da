//! Addresses of interfaces.

use core::fmt;
use core::net::IpAddr;

use super::{message_type, of_family, split, ByFamily};
use crate::error::Error;
use crate::inet;
use crate::netlink::{nothing, Attributes, Form, Message, Present, Spot, Text};
use crate::order::{Native, Order};

const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
const LABEL: u16 = 3;
const CACHEINFO: u16 = 6;
const FLAGS: u16 = 8;

/// An address of an interface: `struct ifaddrmsg` and the attributes `IFA_*`.
#[derive(Copy, Clone)]
pub struct Address<'a, E: Order = Native> {
    /// `ifa_family`.
    pub family: u16,
    /// `ifa_prefixlen`: bits of the network's prefix.
    pub prefix: u8,
    /// `FLAGS`, or `ifa_flags` where that is absent.
    pub flags: AddressFlags,
    /// `ifa_scope`: see [`Address::SCOPE_GLOBAL`] and its like.
    pub scope: u8,
    /// `ifa_index`: index of the interface.
    pub index: u32,
    /// `LABEL` of an IPv4 address.
    pub label: Option<Text<'a>>,
    /// Everything that was sent behind the fixed part.
    pub attributes: Attributes<'a, E>,
    local: Spot,
    other: Spot,
    cache: Spot,
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
    /// Reads RTM_NEWADDR or RTM_DELADDR;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        Self::read(message)
    }

    // Inlined where it ends up in a larger type: it is built in place there.
    #[inline(always)]
    pub(super) fn read(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<8, E>(message, [message_type::NEWADDR, message_type::DELADDR])?;
        let family = u16::from(b[0]);
        const fn forms(address: Form) -> [(u16, Form); 5] {
            [
                (ADDRESS, address),
                (LOCAL, address),
                (LABEL, Form::TEXT),
                (CACHEINFO, Form::bytes(16)),
                (FLAGS, Form::number(4)),
            ]
        }
        const FORMS: ByFamily<5> = by_family!(forms);
        let mut values = nothing::<6>();
        attributes.pick(of_family(FORMS, family), &mut values)?;
        // The call first: what is read behind it needs no stack.
        let [_, _, label, ..] = values;
        let label = attributes.picked_text(Spot(label));
        let [other, local, _, cache, flags, present] = values;
        let flags = Present(present).then(4, flags);
        Ok(Self {
            family,
            prefix: b[1],
            flags: AddressFlags(flags.unwrap_or(u32::from(b[2]))),
            scope: b[3],
            index: E::u32([b[4], b[5], b[6], b[7]]),
            label,
            attributes,
            local: Spot(local),
            other: Spot(other),
            cache: Spot(cache),
        })
    }

    /// The address of this host: `LOCAL`, or `ADDRESS` where that is absent;
    /// `None` for families that are not of the Internet.
    pub fn address(&self) -> Option<IpAddr> {
        let local = self.attributes.picked(self.local);
        let bytes = local.or_else(|| self.attributes.picked(self.other));
        inet::from_bytes(self.family, bytes?)
    }

    /// The address at the other end of a point-to-point interface: `ADDRESS`
    /// where it is another than `LOCAL`.
    pub fn peer(&self) -> Option<IpAddr> {
        let local = self.attributes.picked(self.local)?;
        let other = self.attributes.picked(self.other)?;
        if local == other {
            return None;
        }
        inet::from_bytes(self.family, other)
    }

    /// `CACHEINFO`: how long it is good.
    pub fn cache(&self) -> Option<CacheInfo> {
        let b = self.attributes.picked(self.cache)?.first_chunk::<16>()?;
        Some(CacheInfo {
            preferred: E::u32([b[0], b[1], b[2], b[3]]),
            valid: E::u32([b[4], b[5], b[6], b[7]]),
            created: E::u32([b[8], b[9], b[10], b[11]]),
            updated: E::u32([b[12], b[13], b[14], b[15]]),
        })
    }
}

impl<E: Order> fmt::Debug for Address<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("family", &self.family)
            .field("address", &self.address())
            .field("prefix", &self.prefix)
            .field("peer", &self.peer())
            .field("flags", &self.flags)
            .field("scope", &self.scope)
            .field("index", &self.index)
            .field("label", &self.label)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
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

flags! {
    /// Flags of an address (`IFA_F_*`).
    pub struct AddressFlags: u32 {
        /// IPv4: not the first of its network on the interface. IPv6 calls this
        /// bit [`TEMPORARY`](Self::TEMPORARY).
        0x1 SECONDARY "secondary",
        /// Not tested for being a duplicate.
        0x2 NODAD "nodad",
        /// Can be used while it is tested.
        0x4 OPTIMISTIC "optimistic",
        /// Turned out to be a duplicate.
        0x8 DADFAILED "dadfailed",
        /// Home address of Mobile IPv6.
        0x10 HOMEADDRESS "homeaddress",
        /// Not for new connections any more.
        0x20 DEPRECATED "deprecated",
        /// Still tested for being a duplicate: cannot be used yet.
        0x40 TENTATIVE "tentative",
        /// Has no end.
        0x80 PERMANENT "permanent",
        /// The kernel makes temporary addresses of its prefix.
        0x100 MANAGETEMPADDR "managetempaddr",
        /// Comes without a route to its prefix.
        0x200 NOPREFIXROUTE "noprefixroute",
        /// Joins its multicast group by itself.
        0x400 MCAUTOJOIN "mcautojoin",
        /// Its interface identifier is the same on every network.
        0x800 STABLE_PRIVACY "stable-privacy",
    }
}

impl AddressFlags {
    /// IPv6: made at random for privacy, changes from time to time.
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
             1400 0600 ffffffff ffffffff 17000000 18000000 0400 ff00",
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
        assert_eq!(address.cache().unwrap().updated, 24);
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
