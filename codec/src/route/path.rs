//! Routes.

use core::fmt;
use core::net::IpAddr;

use super::{message_type, of_family, split, ByFamily, NextHops};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{nothing, Attributes, Form, Message, Present, Spot};
use crate::order::{Native, Order};

pub(super) const DST: u16 = 1;
pub(super) const SRC: u16 = 2;
pub(super) const IIF: u16 = 3;
pub(super) const OIF: u16 = 4;
pub(super) const GATEWAY: u16 = 5;
const PRIORITY: u16 = 6;
const PREFSRC: u16 = 7;
pub(super) const MULTIPATH: u16 = 9;
pub(super) const TABLE: u16 = 15;
pub(super) const MARK: u16 = 16;
pub(super) const VIA: u16 = 18;
pub(super) const UID: u16 = 25;
pub(super) const IP_PROTO: u16 = 27;
pub(super) const SPORT: u16 = 28;
pub(super) const DPORT: u16 = 29;
const NH_ID: u16 = 30;

/// A route, or the way that the kernel chose: `struct rtmsg` and the
/// attributes `RTA_*`.
#[derive(Copy, Clone)]
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
        let (_, attributes) =
            split::<12, E>(message, [message_type::NEWROUTE, message_type::DELROUTE])?;
        match attributes.find_last(OIF)? {
            Some(index) => index.u32().map(Some),
            None => Ok(None),
        }
    }

    // Inlined where it ends up in a larger type: it is built in place there.
    #[inline(always)]
    pub(super) fn read(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<12, E>(message, [message_type::NEWROUTE, message_type::DELROUTE])?;
        let family = u16::from(b[0]);
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

    /// `NH_ID`: id of the nexthop object that it uses (kernel 5.3).
    pub fn next_hop_id(&self) -> Result<Option<u32>, Error> {
        match self.attributes.find_last(NH_ID)? {
            Some(id) => id.u32().map(Some),
            None => Ok(None),
        }
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

/// The address in a `struct rtvia`.
pub(super) fn via<E: Order>(bytes: &[u8]) -> Option<IpAddr> {
    let (family, address) = bytes.split_first_chunk()?;
    inet::from_bytes(E::u16(*family), address)
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
        if attribute.number() == VIA && !is_via::<E>(attribute.payload()) {
            return Err(attribute.error(ErrorKind::BadSize));
        }
    }
    found
}

/// Whether this is a `struct rtvia`: a family and an address of that family.
fn is_via<E: Order>(bytes: &[u8]) -> bool {
    let Some((family, address)) = bytes.split_first_chunk() else {
        return false;
    };
    match E::u16(*family) {
        inet::AF_INET => address.len() == 4,
        inet::AF_INET6 => address.len() == 16,
        _ => true,
    }
}

numbered! {
    /// What a route does with a packet (`RTN_*`), with the names of `ip route`.
    pub enum RouteKind: u8 {
        /// Nothing is said.
        0 Unspecified "unspec",
        /// Sends it on.
        1 Unicast "unicast",
        /// Takes it in: an address of this host.
        2 Local "local",
        /// Sends or takes it as a broadcast.
        3 Broadcast "broadcast",
        /// Takes it in as a broadcast, sends it on as unicast.
        4 Anycast "anycast",
        /// Sends or takes it as a multicast.
        5 Multicast "multicast",
        /// Drops it.
        6 Blackhole "blackhole",
        /// Refuses it as unreachable.
        7 Unreachable "unreachable",
        /// Refuses it as prohibited.
        8 Prohibit "prohibit",
        /// Goes on in another table.
        9 Throw "throw",
        /// Translates its address.
        10 Nat "nat",
        /// Asks a program.
        11 Xresolve "xresolve",
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
    fn everything_that_a_lookup_can_ask_is_sent_in_its_order() {
        let mut buffer = [0; crate::route::request::MAX_LEN];
        let lookup = Lookup::new(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_source(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_tos(0x10)
            .with_input(1)
            .with_output(2)
            .with_mark(3)
            .with_uid(4)
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
        assert_eq!((get(16).u32(), get(25).u32()), (Ok(3), Ok(4)));
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
