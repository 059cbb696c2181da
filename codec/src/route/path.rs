//! Routes.

use core::fmt;
use core::net::IpAddr;

use super::{kind, of_family, split, ByFamily, NextHops};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{nothing, Attributes, Form, Message, Present, Spot};
use crate::order::{Native, Order};

pub(super) const DST: u16 = 1;
pub(super) const SRC: u16 = 2;
const IIF: u16 = 3;
pub(super) const OIF: u16 = 4;
pub(super) const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFSRC: u16 = 7;
pub(super) const MULTIPATH: u16 = 9;
pub(super) const TABLE: u16 = 15;
pub(super) const MARK: u16 = 16;
pub(super) const VIA: u16 = 18;
pub(super) const IP_PROTO: u16 = 27;
pub(super) const SPORT: u16 = 28;
pub(super) const DPORT: u16 = 29;

/// A route, or the way that the kernel chose: `struct rtmsg` and the
/// attributes `RTA_*`.
#[derive(Copy, Clone)]
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
    /// `IIF`: for packets that came in there.
    pub input: Option<u32>,
    /// `OIF`: index of the interface that packets leave by.
    pub output: Option<u32>,
    /// `PRIORITY`: the metric; the least wins.
    pub priority: Option<u32>,
    /// Everything that was sent behind the fixed part.
    pub attributes: Attributes<'a, E>,
    destination: Spot,
    source: Spot,
    gateway: Spot,
    preferred: Spot,
    via: Spot,
}

impl<'a, E: Order> Route<'a, E> {
    /// Reads RTM_NEWROUTE or RTM_DELROUTE;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        Self::read(message)
    }

    /// Reads [`output`](Self::output) alone, for who wants no more.
    pub fn output_of(message: &Message<'a, E>) -> Result<Option<u32>, Error> {
        let (_, attributes) = split::<12, E>(message, [kind::NEWROUTE, kind::DELROUTE])?;
        match attributes.find_last(OIF)? {
            Some(index) => index.u32().map(Some),
            None => Ok(None),
        }
    }

    // Inlined where it ends up in a larger type: it is built in place there.
    #[inline(always)]
    pub(super) fn read(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) = split::<12, E>(message, [kind::NEWROUTE, kind::DELROUTE])?;
        let family = b[0];
        const fn forms(address: Form) -> [(u16, Form); 9] {
            [
                (DST, address),
                (SRC, address),
                (GATEWAY, address),
                (PREFSRC, address),
                (VIA, Form::ANY),
                (IIF, Form::number(4)),
                (OIF, Form::number(4)),
                (PRIORITY, Form::number(4)),
                (TABLE, Form::number(4)),
            ]
        }
        const FORMS: ByFamily<9> = by_family!(forms);
        let mut values = nothing::<10>();
        let picked = attributes.pick(of_family(FORMS, family), &mut values);
        let [_, _, _, _, via, ..] = values;
        if Spot(via) != Spot::NONE {
            check_vias(&attributes, picked)?;
        }
        picked?;
        let [destination, source, gateway, preferred, via, rest @ ..] = values;
        let [input, output, priority, table, present] = rest;
        let present = Present(present);
        let table = present.then(8, table);
        Ok(Self {
            family,
            destination_prefix: b[1],
            source_prefix: b[2],
            tos: b[3],
            table: table.unwrap_or(u32::from(b[4])),
            protocol: b[5],
            scope: b[6],
            kind: RouteKind::from_number(b[7]),
            flags: E::u32([b[8], b[9], b[10], b[11]]),
            input: present.then(5, input),
            output: present.then(6, output),
            priority: present.then(7, priority),
            attributes,
            destination: Spot(destination),
            source: Spot(source),
            gateway: Spot(gateway),
            preferred: Spot(preferred),
            via: Spot(via),
        })
    }

    /// `DST`: where it leads, the first
    /// [`destination_prefix`](Self::destination_prefix) bits of it.
    pub fn destination(&self) -> Option<IpAddr> {
        self.address(self.destination)
    }

    /// `SRC`: for packets from this prefix only.
    pub fn source(&self) -> Option<IpAddr> {
        self.address(self.source)
    }

    /// `GATEWAY` or `VIA`, whichever comes last: the next router; absent where
    /// the destination is on the link.
    pub fn gateway(&self) -> Option<IpAddr> {
        if self.gateway.is_behind(self.via) {
            return self.address(self.gateway);
        }
        via::<E>(self.attributes.picked(self.via)?)
    }

    /// `MULTIPATH`: the next hops of a route with several. There are none
    /// where [`output`](Self::output) names the only one, nor where the kernel
    /// answers with the number of a nexthop object alone
    /// (`net.ipv4.nexthop_compat_mode=0`).
    pub fn next_hops(&self) -> Result<NextHops<'a, E>, Error> {
        let found = self.attributes.find_last(MULTIPATH)?;
        let inside = found.map_or(self.attributes.continued_at(&[]), |hops| hops.nested());
        Ok(NextHops::new(self.family, inside))
    }

    /// `PREFSRC`: the source address that the kernel would take.
    pub fn preferred_source(&self) -> Option<IpAddr> {
        self.address(self.preferred)
    }

    fn address(&self, spot: Spot) -> Option<IpAddr> {
        inet::from_bytes(self.family, self.attributes.picked(spot)?)
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
            .field("output", &self.output)
            .field("preferred_source", &self.preferred_source())
            .field("priority", &self.priority)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// Checks each `VIA`. What was found already is an error only where it comes
/// first.
#[cold]
#[inline(never)]
fn check_vias<E: Order>(
    attributes: &Attributes<'_, E>,
    found: Result<(), Error>,
) -> Result<(), Error> {
    for attribute in *attributes {
        let attribute = attribute?;
        if found.is_err_and(|error| error.offset() <= attribute.offset()) {
            return found;
        }
        if attribute.kind() == VIA && !is_via::<E>(attribute.payload()) {
            return Err(attribute.error(ErrorKind::BadSize));
        }
    }
    found
}

/// The address in a `struct rtvia`.
pub(super) fn via<E: Order>(bytes: &[u8]) -> Option<IpAddr> {
    let (family, address) = bytes.split_first_chunk()?;
    inet::from_bytes(u8::try_from(E::u16(*family)).ok()?, address)
}

/// Whether this is a `struct rtvia`: a family and an address of that family.
fn is_via<E: Order>(bytes: &[u8]) -> bool {
    let Some((family, address)) = bytes.split_first_chunk() else {
        return false;
    };
    match u8::try_from(E::u16(*family)) {
        Ok(inet::AF_INET) => address.len() == 4,
        Ok(inet::AF_INET6) => address.len() == 16,
        _ => true,
    }
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
    fn a_lookup_for_tcp_fits_the_buffer_and_has_ports_in_network_order() {
        let mut buffer = [0; 128];
        let lookup = Lookup::new(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_source(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_output(4)
            .with_mark(5)
            .with_protocol(6)
            .with_source_port(0x1234)
            .with_destination_port(443);
        let message = native(lookup.encode(&mut buffer, 1).unwrap());
        let attributes = message.attributes(12).unwrap();
        let value = |kind| attributes.find_last(kind).unwrap().unwrap().payload();
        assert_eq!(value(IP_PROTO), [6]);
        assert_eq!(value(SPORT), [0x12, 0x34]);
        assert_eq!(value(DPORT), [0x01, 0xbb]);
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
