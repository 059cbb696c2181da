//! Routes.

use core::fmt;
use core::net::IpAddr;

use super::{address_len, message_type, split, NextHops};
use crate::error::Error;
use crate::inet;
use crate::netlink::{Message, Writer};
use crate::order::{Native, Order};
use crate::set::Value;

/// A route, or the result of a look-up: `struct rtmsg` and the attributes `RTA_*`.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("RTM_NEWROUTE", "RTM_DELROUTE", "rtmsg"))]
pub struct Route<'a, E: Order = Native> {
    /// `rtm_family`.
    pub family: u16,
    /// `rtm_dst_len`: bits of the prefix of the destination, 0 for a default
    /// route.
    pub destination_prefix: u8,
    /// `rtm_src_len`.
    pub source_prefix: u8,
    /// `rtm_tos`.
    pub tos: u8,
    /// `TABLE`, or `rtm_table` if that is absent.
    pub table: u32,
    /// `rtm_protocol`: what made it (2 the kernel, 3 boot, 4 static, 16 DHCP).
    pub protocol: u8,
    /// `rtm_scope`.
    pub scope: u8,
    /// `rtm_type`.
    pub kind: RouteKind,
    /// `rtm_flags` (`RTM_F_*`, `RTNH_F_*`: 1 dead, 16 no carrier).
    pub flags: u32,
    /// All that was sent after the fixed part.
    pub fields: RouteAttributes<'a, E>,
}

attribute_set! {
    /// The attributes of a route (`RTA_*`), and of the request for one.
    #[doc(alias(
        "RTA_DST", "RTA_SRC", "RTA_IIF", "RTA_OIF", "RTA_GATEWAY", "RTA_PRIORITY",
        "RTA_PREFSRC", "RTA_MULTIPATH", "RTA_TABLE", "RTA_VIA", "RTA_METRICS", "RTA_FLOW",
        "RTA_CACHEINFO", "RTA_MARK", "RTA_MFC_STATS", "RTA_NEWDST", "RTA_PREF",
        "RTA_ENCAP_TYPE", "RTA_ENCAP", "RTA_EXPIRES", "RTA_UID", "RTA_TTL_PROPAGATE",
        "RTA_IP_PROTO", "RTA_SPORT", "RTA_DPORT", "RTA_NH_ID",
    ))]
    pub struct RouteAttributes<'a> {
        /// Where it leads, the first
        /// [`destination_prefix`](Route::destination_prefix) bits of it.
        1 DST destination / with_destination: address,
        /// Only for packets from this prefix.
        2 SRC source / with_source: address,
        /// Index of the interface on which packets arrived.
        3 IIF input / with_input: u32,
        /// Index of the interface through which packets leave.
        4 OIF output / with_output: u32,
        /// The next router; absent if the destination is on the link.
        5 GATEWAY gateway / with_gateway: address,
        /// The metric; the lowest wins.
        6 PRIORITY priority / with_priority: u32,
        /// The source address that the kernel would use.
        7 PREFSRC preferred_source / with_preferred_source: address,
        /// Several next hops, see [`Route::next_hops`].
        9 MULTIPATH multipath / with_multipath: bytes,
        /// The table, if its number needs more than a byte.
        15 TABLE table / with_table: u32,
        /// The next router, of either family.
        18 VIA via / with_via: value [Via<'a>],
    }
    also {
        8 METRICS Shape::Attributes,
        11 FLOW Shape::Unsigned,
        12 CACHEINFO Shape::List(4),
        16 MARK Shape::Unsigned,
        17 MFC_STATS Shape::Bytes,
        19 NEWDST Shape::Bytes,
        20 PREF Shape::Unsigned,
        21 ENCAP_TYPE Shape::Unsigned,
        22 ENCAP Shape::Attributes,
        23 EXPIRES Shape::Unsigned,
        25 UID Shape::Unsigned,
        26 TTL_PROPAGATE Shape::Unsigned,
        27 IP_PROTO Shape::Unsigned,
        28 SPORT Shape::Network,
        29 DPORT Shape::Network,
        30 NH_ID Shape::Unsigned,
    }
}

pub(super) const DST: u16 = 1;
pub(super) const SRC: u16 = 2;
pub(super) const IIF: u16 = 3;
pub(super) const OIF: u16 = 4;
pub(super) const GATEWAY: u16 = 5;
pub(super) const MULTIPATH: u16 = 9;
pub(super) const TABLE: u16 = 15;
pub(super) const MARK: u16 = 16;
pub(super) const VIA: u16 = 18;
pub(super) const UID: u16 = 25;
pub(super) const IP_PROTO: u16 = 27;
pub(super) const SPORT: u16 = 28;
pub(super) const DPORT: u16 = 29;
const NH_ID: u16 = 30;

/// A router of either family (`struct rtvia`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "rtvia")]
pub struct Via<'a> {
    family: u16,
    address: &'a [u8],
}

impl Via<'_> {
    /// Its address; `None` if the family is not one of the Internet.
    pub fn address(&self) -> Option<IpAddr> {
        inet::from_bytes(self.family, self.address)
    }
}

impl<'a, E: Order> Value<'a, E> for Via<'a> {
    const ABSENT: Self = Self {
        family: 0,
        address: &[],
    };

    #[inline]
    fn read(payload: &'a [u8]) -> Option<Self> {
        let (family, address) = payload.split_first_chunk()?;
        let family = E::u16(*family);
        let len = usize::from(address_len(family));
        (len == 0 || len == address.len()).then_some(Self { family, address })
    }

    fn put(self, writer: &mut Writer<'_, E>, number: u16) {
        let mut bytes = [0; 18];
        let len = self.address.len().min(16);
        bytes[..2].copy_from_slice(&E::put_u16(self.family));
        for (to, from) in bytes.iter_mut().skip(2).zip(self.address) {
            *to = *from;
        }
        writer.put_bytes(number, bytes.get(..2 + len).unwrap_or_default());
    }
}

impl<'a, E: Order> Route<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        family: 0,
        destination_prefix: 0,
        source_prefix: 0,
        tos: 0,
        table: 0,
        protocol: 0,
        scope: 0,
        kind: RouteKind::from_number(0),
        flags: 0,
        fields: RouteAttributes::EMPTY,
    };

    /// Reads RTM_NEWROUTE or RTM_DELROUTE;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    #[inline]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<12, E>(message, [message_type::NEWROUTE, message_type::DELROUTE])?;
        let family = u16::from(b[0]);
        let mut route = Self {
            family,
            destination_prefix: b[1],
            source_prefix: b[2],
            tos: b[3],
            table: b[4].into(),
            protocol: b[5],
            scope: b[6],
            kind: RouteKind::from_number(b[7]),
            flags: E::u32([b[8], b[9], b[10], b[11]]),
            fields: RouteAttributes::with_address_len(address_len(family)),
        };
        route.fields.update(attributes)?;
        if let Some(table) = route.fields.table() {
            route.table = table;
        }
        Ok(route)
    }

    /// Reads only `OIF`.
    pub fn output_of(message: &Message<'a, E>) -> Result<Option<u32>, Error> {
        let (_, attributes) =
            split::<12, E>(message, [message_type::NEWROUTE, message_type::DELROUTE])?;
        match attributes.find_last(OIF)? {
            Some(index) => index.u32().map(Some),
            None => Ok(None),
        }
    }

    /// `DST`: where it leads, the first
    /// [`destination_prefix`](Self::destination_prefix) bits of it.
    pub fn destination(&self) -> Option<IpAddr> {
        inet::from_bytes(self.family, self.fields.destination()?)
    }

    /// `SRC`: only for packets from this prefix.
    pub fn source(&self) -> Option<IpAddr> {
        inet::from_bytes(self.family, self.fields.source()?)
    }

    /// `GATEWAY` or `VIA`, whichever comes last: the next router; absent if the destination
    /// is on the link.
    pub fn gateway(&self) -> Option<IpAddr> {
        let gateway = self.fields.gateway();
        if let Some(via) = self.fields.via() {
            let later = |gateway: &[u8]| gateway.as_ptr() > via.address.as_ptr();
            if !gateway.is_some_and(later) {
                return via.address();
            }
        }
        inet::from_bytes(self.family, gateway?)
    }

    /// `PREFSRC`: the source address that the kernel would use.
    pub fn preferred_source(&self) -> Option<IpAddr> {
        inet::from_bytes(self.family, self.fields.preferred_source()?)
    }

    /// `MULTIPATH`: the next hops of a route with several. There are none if
    /// [`RouteAttributes::output`] names the only one, nor if the kernel returns only the
    /// number of a nexthop object (`net.ipv4.nexthop_compat_mode=0`).
    pub fn next_hops(&self) -> NextHops<'a, E> {
        let all = self.fields.attributes();
        let hops = self.fields.multipath().unwrap_or_default();
        NextHops::new(self.family, all.inside(hops))
    }

    /// `NH_ID`: id of the nexthop object that it uses (kernel 5.3).
    pub fn next_hop_id(&self) -> Result<Option<u32>, Error> {
        match self.fields.attributes().find_last(NH_ID)? {
            Some(id) => id.u32().map(Some),
            None => Ok(None),
        }
    }
}

impl<E: Order> fmt::Debug for Route<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("kind", &self.kind)
            .field("table", &self.table)
            .field("destination", &self.destination())
            .field("destination_prefix", &self.destination_prefix)
            .field("gateway", &self.gateway())
            .field("next_hops", &self.next_hops())
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

/// The address in a `struct rtvia`.
pub(super) fn via<E: Order>(bytes: &[u8]) -> Option<IpAddr> {
    <Via<'_> as Value<'_, E>>::read(bytes)?.address()
}

numbered! {
    /// What a route does with a packet (`RTN_*`), with the names of `ip route`.
    pub enum RouteKind: u8 {
        /// Unspecified.
        #[doc(alias = "RTN_UNSPEC")]
        0 Unspecified "unspec",
        /// Forwards it.
        #[doc(alias = "RTN_UNICAST")]
        1 Unicast "unicast",
        /// Accepts it: an address of this host.
        #[doc(alias = "RTN_LOCAL")]
        2 Local "local",
        /// Sends or accepts it as a broadcast.
        #[doc(alias = "RTN_BROADCAST")]
        3 Broadcast "broadcast",
        /// Accepts it as a broadcast, forwards it as unicast.
        #[doc(alias = "RTN_ANYCAST")]
        4 Anycast "anycast",
        /// Sends or accepts it as a multicast.
        #[doc(alias = "RTN_MULTICAST")]
        5 Multicast "multicast",
        /// Drops it.
        #[doc(alias = "RTN_BLACKHOLE")]
        6 Blackhole "blackhole",
        /// Refuses it as unreachable.
        #[doc(alias = "RTN_UNREACHABLE")]
        7 Unreachable "unreachable",
        /// Refuses it as prohibited.
        #[doc(alias = "RTN_PROHIBIT")]
        8 Prohibit "prohibit",
        /// Continues in another table.
        #[doc(alias = "RTN_THROW")]
        9 Throw "throw",
        /// Translates its address.
        #[doc(alias = "RTN_NAT")]
        10 Nat "nat",
        /// Asks a program.
        #[doc(alias = "RTN_XRESOLVE")]
        11 Xresolve "xresolve",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::order::Little;
    use crate::route::request::Lookup;
    use crate::testing::{bytes, message, native};
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn the_route_to_a_destination_is_read() {
        let bytes = bytes(
            "40000000 1800 0000 00000000 00000000 02 20 00 00 fe 00 00 01 00020000
             0800 0f00 332211f0 0800 0100 0a090909 0800 0400 04000000 0800 0700 c0000202
             0800 0500 c0000201",
        );
        let mut bytes = bytes;
        bytes[0] = bytes.len() as u8;
        let route = Route::decode(&message::<Little>(&bytes)).unwrap();
        // TABLE is more than the byte in the header can hold.
        assert_eq!((route.kind, route.table), (RouteKind::Unicast, 0xf011_2233));
        assert_eq!(route.fields.output(), Some(4));
        assert_eq!(
            route.gateway(),
            Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))
        );
        assert_eq!(
            route.preferred_source(),
            Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)))
        );
    }

    #[test]
    fn everything_that_a_lookup_can_ask_is_sent_in_its_order() {
        let mut buffer = [0; crate::route::request::MAX_LEN];
        let lookup = Lookup::new(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_source(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_tos(0x10)
            .with_input(1)
            .with_output(2)
            .with_mark(0x1234_5678)
            .with_uid(0x9abc_def0)
            .with_protocol(6)
            .with_source_port(0x1234)
            .with_destination_port(443);
        let request = lookup.encode(&mut buffer, 1).unwrap();
        assert_eq!(request.len(), crate::route::request::MAX_LEN);
        let message = native(request);
        assert_eq!(message.payload()[..4], [10, 128, 128, 0x10]);
        let attributes = message.attributes(12).unwrap();
        let get = |number| attributes.find_last(number).unwrap().unwrap();
        // IIF, OIF, MARK, UID, IP_PROTO, SPORT, DPORT in linux/rtnetlink.h.
        assert_eq!((get(3).u32(), get(4).u32()), (Ok(1), Ok(2)));
        assert_eq!(
            (get(16).u32(), get(25).u32()),
            (Ok(0x1234_5678), Ok(0x9abc_def0))
        );
        assert_eq!(
            (get(27).u8(), get(28).payload()),
            (Ok(6), &[0x12, 0x34][..])
        );
        assert_eq!(get(29).be16(), Ok(443));
    }

    #[test]
    fn a_lookup_reads_back_as_what_it_asks() {
        let mut buffer = [0; 128];
        let destination = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));
        let source = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 1));
        let lookup = Lookup::new(destination).with_source(source).with_output(4);
        let message = native(lookup.encode(&mut buffer, 1).unwrap());
        assert_eq!(
            (message.header.message_type, message.header.flags),
            (message_type::GETROUTE, 1)
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
