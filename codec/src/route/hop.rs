//! The next hops of a route with several, and rules.

use core::fmt;
use core::net::IpAddr;

use super::path::{self, GATEWAY, VIA};
use super::{message_type, split};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{Attributes, Message};
use crate::order::{Native, Order};

/// Length of `struct rtnexthop`.
const HEADER: usize = 8;

/// One of the next hops of a route: `struct rtnexthop` and what is nested in
/// it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[doc(alias = "rtnexthop")]
pub struct NextHop {
    /// `rtnh_flags`.
    pub flags: NextHopFlags,
    /// `rtnh_hops`: its weight less one.
    pub hops: u8,
    /// `rtnh_ifindex`: index of the interface through which packets leave.
    pub output: u32,
    /// `GATEWAY` or `VIA`: the next router; absent if the destination is on the link.
    pub gateway: Option<IpAddr>,
}

impl NextHop {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        flags: NextHopFlags::EMPTY,
        hops: 0,
        output: 0,
        gateway: None,
    };
}

flags! {
    /// Flags of a next hop (`RTNH_F_*`).
    pub struct NextHopFlags: u8 {
        /// Cannot be used: its interface is down.
        #[doc(alias = "RTNH_F_DEAD")]
        0x1 DEAD "dead",
        /// Looked up recursively.
        #[doc(alias = "RTNH_F_PERVASIVE")]
        0x2 PERVASIVE "pervasive",
        /// The router is on the link, whatever the addresses say.
        #[doc(alias = "RTNH_F_ONLINK")]
        0x4 ONLINK "onlink",
        /// Offloaded to hardware.
        #[doc(alias = "RTNH_F_OFFLOAD")]
        0x8 OFFLOAD "offload",
        /// Its interface has no carrier.
        #[doc(alias = "RTNH_F_LINKDOWN")]
        0x10 LINKDOWN "linkdown",
        /// Not resolved yet, of a multicast route.
        #[doc(alias = "RTNH_F_UNRESOLVED")]
        0x20 UNRESOLVED "unresolved",
        /// Hardware passes its packets to the kernel.
        #[doc(alias = "RTNH_F_TRAP")]
        0x40 TRAP "trap",
    }
}

/// The next hops of a route, from [`Route::next_hops`](super::Route::next_hops).
#[derive(Copy, Clone)]
pub struct NextHops<'a, E: Order = Native> {
    family: u16,
    rest: Attributes<'a, E>,
}

impl<'a, E: Order> NextHops<'a, E> {
    /// Of a route of this family; `rest` is the payload of `MULTIPATH`.
    pub(super) const fn new(family: u16, rest: Attributes<'a, E>) -> Self {
        Self { family, rest }
    }

    fn read(&mut self) -> Result<NextHop, Error> {
        let offset = self.rest.offset();
        let error = |kind| Error::about(kind, path::MULTIPATH, offset);
        let bytes = self.rest.as_bytes();
        // After an error nothing more is read.
        self.rest = self.rest.continued_at(&[]);
        let (head, inside) = bytes
            .split_first_chunk::<HEADER>()
            .ok_or(error(ErrorKind::Truncated))?;
        let [l0, l1, flags, hops, i0, i1, i2, i3] = *head;
        let len = usize::from(E::u16([l0, l1])).wrapping_sub(HEADER);
        let inside = inside.get(..len).ok_or(error(ErrorKind::BadLength))?;
        let mut hop = NextHop {
            flags: NextHopFlags(flags),
            hops,
            output: E::u32([i0, i1, i2, i3]),
            gateway: None,
        };
        for attribute in Attributes::at(inside, offset + HEADER) {
            let attribute: crate::netlink::Attribute<'_, E> = attribute?;
            let payload = attribute.payload();
            match attribute.number() {
                GATEWAY => hop.gateway = inet::from_bytes(self.family, payload),
                VIA => hop.gateway = path::via::<E>(payload),
                _ => {}
            }
        }
        let whole = (HEADER + len).next_multiple_of(4);
        self.rest = self.rest.continued_at(bytes.get(whole..).unwrap_or(&[]));
        Ok(hop)
    }
}

impl<E: Order> Iterator for NextHops<'_, E> {
    type Item = Result<NextHop, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.as_bytes().is_empty() {
            return None;
        }
        Some(self.read())
    }
}

impl<E: Order> core::iter::FusedIterator for NextHops<'_, E> {}

impl<E: Order> fmt::Debug for NextHops<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// A rule of policy routing: `struct fib_rule_hdr` and the attributes `FRA_*`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("RTM_NEWRULE", "RTM_DELRULE", "fib_rule_hdr"))]
pub struct RoutingRule<'a, E: Order = Native> {
    /// `family`.
    pub family: u16,
    /// `TABLE`, or `table` if that is absent: where it sends packets.
    pub table: u32,
    /// `action`: 1 looks into the table.
    pub action: u8,
    /// `flags` (`FIB_RULE_*`).
    pub flags: u32,
    /// Everything that was sent after the fixed part.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> RoutingRule<'a, E> {
    /// Bit of `flags`: it applies to packets that do not match (`FIB_RULE_INVERT`).
    pub const INVERT: u32 = 2;

    /// Whether it applies only to packets with a mark, of certain users, or to or from
    /// certain ports.
    pub fn is_special(&self) -> Result<bool, Error> {
        const FWMARK: u16 = 10;
        const UID_RANGE: u16 = 20;
        const SPORT_RANGE: u16 = 23;
        const DPORT_RANGE: u16 = 24;
        let mut special = false;
        for attribute in self.attributes {
            let number = attribute?.number();
            special |= matches!(number, FWMARK | UID_RANGE | SPORT_RANGE | DPORT_RANGE);
        }
        Ok(special && self.flags & Self::INVERT == 0)
    }

    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        family: 0,
        table: 0,
        action: 0,
        flags: 0,
        attributes: Attributes::NONE,
    };

    /// Reads RTM_NEWRULE or RTM_DELRULE;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<12, E>(message, [message_type::NEWRULE, message_type::DELRULE])?;
        let table = match attributes.find_last(path::TABLE)? {
            Some(table) => table.u32()?,
            None => u32::from(b[4]),
        };
        Ok(Self {
            family: b[0].into(),
            table,
            action: b[7],
            flags: E::u32([b[8], b[9], b[10], b[11]]),
            attributes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::route::Route;
    use crate::testing::{bytes, message, Vec};

    fn route(multipath: &str) -> Vec<u8> {
        let mut all = bytes(
            "00000000 1800 0000 00000000 00000000 02 00 00 00 fe 00 00 01 00000000 0000 0900",
        );
        let multipath = bytes(multipath);
        all[28] = 4 + multipath.len() as u8;
        all.extend(multipath);
        all[0] = all.len() as u8;
        all
    }

    #[test]
    fn each_next_hop_of_an_equal_cost_route_is_read() {
        let bytes = route(
            "1000 00 00 03000000 0800 0500 0a000101
             1200 11 04 04000000 0a00 1200 0200 0a000201 0000
             0800 00 00 05000000",
        );
        let hops = Route::decode(&message::<Little>(&bytes))
            .unwrap()
            .next_hops();
        let gateway = |path| Some(IpAddr::from([10, 0, path, 1]));
        let hop = |flags, hops, output, gateway| NextHop {
            flags: NextHopFlags(flags),
            hops,
            output,
            gateway,
        };
        let read: Result<Vec<NextHop>, Error> = hops.collect();
        assert_eq!(
            read,
            Ok(Vec::from([
                hop(0, 0, 3, gateway(1)),
                hop(0x11, 4, 4, gateway(2)),
                hop(0, 0, 5, None),
            ]))
        );
    }

    #[test]
    fn a_next_hop_that_does_not_fit_ends_the_walk_with_an_error() {
        for (multipath, kind) in [
            ("0700 00 00 03000000", ErrorKind::BadLength),
            ("0900 00 00 03000000", ErrorKind::BadLength),
            ("ffff 00 00 03000000", ErrorKind::BadLength),
            ("0800 00 00 030000", ErrorKind::Truncated),
            ("0c00 00 00 03000000 0900 0500", ErrorKind::BadLength),
        ] {
            let bytes = route(multipath);
            let route = Route::decode(&message::<Little>(&bytes)).unwrap();
            let mut hops = route.next_hops();
            let error = hops.next().unwrap().unwrap_err();
            assert_eq!((error.kind(), hops.next()), (kind, None), "{multipath}");
        }
    }

    #[test]
    fn a_rule_names_its_table() {
        let long = bytes(
            "00000024 0020 0000 00000000 00000000 02 00 20 00 fc 00 00 01 00000000
             0008 000f 00001000",
        );
        let rule = RoutingRule::decode(&message::<Big>(&long)).unwrap();
        assert_eq!((rule.family, rule.table, rule.action), (2, 4096, 1));
        let short = bytes("0000001c 0020 0000 00000000 00000000 0a 00 00 00 fe 00 00 01 00000000");
        assert_eq!(
            RoutingRule::decode(&message::<Big>(&short)).unwrap().table,
            254
        );
    }
}
