//! Routes.

use core::net::IpAddr;

use super::{kind, split};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{Attribute, Attributes, Message};
use crate::order::{Native, Order};

pub(super) const DST: u16 = 1;
pub(super) const SRC: u16 = 2;
const IIF: u16 = 3;
pub(super) const OIF: u16 = 4;
const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFSRC: u16 = 7;
const TABLE: u16 = 15;
pub(super) const MARK: u16 = 16;
const VIA: u16 = 18;

/// A route, or the way that the kernel chose: `struct rtmsg` and the
/// attributes `RTA_*`.
#[derive(Copy, Clone, Debug)]
pub struct Route<'a, E: Order = Native> {
    /// `rtm_family`.
    pub family: u8,
    /// `rtm_dst_len`: bits of the prefix of the destination, 0 for a default
    /// route.
    pub destination_prefix: u8,
    /// `rtm_src_len`.
    pub source_prefix: u8,
    /// `rtm_tos`.
    pub tos: u8,
    /// `TABLE`, or `rtm_table` where that is absent.
    pub table: u32,
    /// `rtm_protocol`: who made it (2 the kernel, 3 boot, 4 static, 16 DHCP).
    pub protocol: u8,
    /// `rtm_scope`.
    pub scope: u8,
    /// `rtm_type`.
    pub kind: RouteKind,
    /// `rtm_flags` (`RTM_F_*`, `RTNH_F_*`: 1 dead, 16 no carrier).
    pub flags: u32,
    /// `DST`.
    pub destination: Option<IpAddr>,
    /// `SRC`: for packets from this prefix only.
    pub source: Option<IpAddr>,
    /// `IIF`: for packets that came in there.
    pub input: Option<u32>,
    /// `OIF`: index of the interface that packets leave by.
    pub output: Option<u32>,
    /// `GATEWAY` or `VIA`: the next router; absent where the destination is
    /// on the link.
    pub gateway: Option<IpAddr>,
    /// `PRIORITY`: the metric; the least wins.
    pub priority: Option<u32>,
    /// `PREFSRC`: the source address that the kernel would take.
    pub preferred_source: Option<IpAddr>,
    /// Everything that was sent behind the fixed part, `MULTIPATH` (9) too.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Route<'a, E> {
    /// Reads RTM_NEWROUTE or RTM_DELROUTE.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) = split::<12, E>(message, [kind::NEWROUTE, kind::DELROUTE])?;
        let mut route = Self {
            family: b[0],
            destination_prefix: b[1],
            source_prefix: b[2],
            tos: b[3],
            table: u32::from(b[4]),
            protocol: b[5],
            scope: b[6],
            kind: RouteKind::from_number(b[7]),
            flags: E::u32([b[8], b[9], b[10], b[11]]),
            destination: None,
            source: None,
            input: None,
            output: None,
            gateway: None,
            priority: None,
            preferred_source: None,
            attributes,
        };
        let family = route.family;
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind() {
                DST => route.destination = inet::from_attribute(&attribute, family)?,
                SRC => route.source = inet::from_attribute(&attribute, family)?,
                IIF => route.input = Some(attribute.u32()?),
                OIF => route.output = Some(attribute.u32()?),
                GATEWAY => route.gateway = inet::from_attribute(&attribute, family)?,
                VIA => route.gateway = via(&attribute)?,
                PRIORITY => route.priority = Some(attribute.u32()?),
                PREFSRC => route.preferred_source = inet::from_attribute(&attribute, family)?,
                TABLE => route.table = attribute.u32()?,
                _ => {}
            }
        }
        Ok(route)
    }
}

/// `struct rtvia`: a family and an address of that family.
fn via<E: Order>(attribute: &Attribute<'_, E>) -> Result<Option<IpAddr>, Error> {
    let Some((family, rest)) = attribute.payload().split_first_chunk() else {
        return Err(attribute.error(ErrorKind::BadSize));
    };
    let mut address = [0; 16];
    let wanted = match u8::try_from(E::u16(*family)) {
        Ok(inet::AF_INET) => 4,
        Ok(inet::AF_INET6) => 16,
        _ => return Ok(None),
    };
    match address.get_mut(..wanted) {
        Some(room) if rest.len() == wanted => room.copy_from_slice(rest),
        _ => return Err(attribute.error(ErrorKind::BadSize)),
    }
    Ok(inet::from_words(E::u16(*family) as u8, address))
}

/// What a route does with a packet (`RTN_*`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// Sends it on.
    Unicast,
    /// Takes it in: an address of this host.
    Local,
    /// Sends or takes it as a broadcast.
    Broadcast,
    /// Drops it.
    Blackhole,
    /// Refuses it as unreachable.
    Unreachable,
    /// Refuses it as prohibited.
    Prohibit,
    /// Goes on in another table.
    Throw,
    /// Another number.
    Unknown(u8),
}

impl RouteKind {
    /// From the kernel's number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Unicast,
            2 => Self::Local,
            3 => Self::Broadcast,
            6 => Self::Blackhole,
            7 => Self::Unreachable,
            8 => Self::Prohibit,
            9 => Self::Throw,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Little;
    use crate::route::request::Lookup;
    use crate::testing::{bytes, message, native};
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_way_to_a_destination_is_read() {
        let bytes = bytes(
            "40000000 1800 0000 00000000 00000000 02 20 00 00 fe 00 00 01 00020000
             0800 0f00 fe000000 0800 0100 0a090909 0800 0400 04000000 0800 0700 c0000202
             0800 0500 c0000201",
        );
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let route = Route::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!((route.kind, route.table), (RouteKind::Unicast, 254));
        assert_eq!(route.output, Some(4));
        assert_eq!(route.gateway, Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(
            route.preferred_source,
            Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)))
        );
    }

    #[test]
    fn a_lookup_reads_back_as_what_it_asks() {
        let mut buffer = [0; 128];
        let destination = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));
        let source = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 1));
        let lookup = Lookup::new(destination).with_source(source).with_output(4);
        let message = native(lookup.encode(&mut buffer, 1).unwrap());
        assert_eq!(
            (message.header.kind, message.header.flags),
            (kind::GETROUTE, 1)
        );
        assert_eq!(message.payload()[..4], [2, 32, 32, 0]);
        let attributes = message.attributes(12).unwrap();
        assert_eq!(attributes.find_last(OIF).unwrap().unwrap().u32(), Ok(4));
        let other = lookup.with_source(IpAddr::V6(Ipv6Addr::LOCALHOST));
        assert_eq!(
            other.encode(&mut buffer, 1).unwrap_err().kind(),
            ErrorKind::BadValue
        );
    }
}
