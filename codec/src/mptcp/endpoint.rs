//! Addresses of the path manager.

use core::net::IpAddr;

use super::attribute;
use crate::error::{Error, ErrorKind};
use crate::generic::Generic;
use crate::inet;
use crate::netlink::Message;
use crate::order::Order;

attribute_set! {
    /// An endpoint: a local address that the path manager uses for new
    /// subflows or announces to peers. The same attributes describe the local
    /// and the remote end of a subflow in the commands of a user-space path
    /// manager.
    ///
    /// Numbers are `MPTCP_PM_ADDR_ATTR_*`. What the kernel did not send is
    /// `None`, never 0.
    ///
    /// ```
    /// use core::net::Ipv4Addr;
    /// use mptcp_codec::mptcp::{Endpoint, EndpointFlags};
    /// let endpoint = Endpoint::new(Ipv4Addr::new(10, 0, 0, 1))
    ///     .with_id(3)
    ///     .with_flags(EndpointFlags::SUBFLOW | EndpointFlags::BACKUP);
    /// assert_eq!(endpoint.id(), Some(3));
    /// assert_eq!(endpoint.port(), None);
    /// ```
    #[doc(alias(
        "MPTCP_PM_ADDR_ATTR_FAMILY", "MPTCP_PM_ADDR_ATTR_PORT", "MPTCP_PM_ADDR_ATTR_ID",
        "MPTCP_PM_ADDR_ATTR_FLAGS", "MPTCP_PM_ADDR_ATTR_IF_IDX",
        "MPTCP_PM_ADDR_ATTR_ADDR4", "MPTCP_PM_ADDR_ATTR_ADDR6",
    ))]
    #[derive(PartialOrd, Ord)]
    pub struct Endpoint {
        /// `AF_INET` (2) or `AF_INET6` (10); set together with the address.
        1 FAMILY family / with_family: u16,
        /// The port; 0 and absent mean none. In the machine's order on the
        /// wire.
        5 PORT port / with_port: u16,
        /// The id that stands for the address in MPTCP options, 1–255; 0 is
        /// the address of a connection's first subflow. In a request, absent
        /// or 0 lets the kernel choose.
        2 ID id / with_id: u8,
        /// What it is used for.
        6 FLAGS flags / with_flags: u32 as EndpointFlags,
        /// Index of the interface it is bound to; the kernel sends none if it is not bound.
        7 IF_IDX if_idx / with_if_idx: u32,
        /// The address, if it is IPv4.
        3 ADDR4 addr4 / with_addr4: ipv4,
        /// The address, if it is IPv6.
        4 ADDR6 addr6 / with_addr6: ipv6,
    }
    sent [FAMILY PORT ID FLAGS] [IF_IDX] [ADDR4] [ADDR6]
}

impl Endpoint {
    /// An endpoint of this address.
    pub fn new(address: impl Into<IpAddr>) -> Self {
        Self::EMPTY.with_address(address.into())
    }

    /// The same with this address and its family; an address of the other family is removed.
    #[must_use]
    pub fn with_address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => self.without(Self::ADDR6).with_addr4(address),
            IpAddr::V6(address) => self.without(Self::ADDR4).with_addr6(address),
        }
        .with_family(inet::family_of(address))
    }

    /// The address, of either family.
    #[inline]
    pub fn address(&self) -> Option<IpAddr> {
        inet::either(self.addr4(), self.addr6())
    }

    /// Reads a reply to GET_ADDR, or one message of its dump: [`ErrorKind::Missing`] if it
    /// has no address.
    // Inlined even if a program calls it from several places, since the result can then stay in
    // registers.
    #[inline(always)]
    pub fn decode<E: Order>(message: &Message<'_, E>) -> Result<Self, Error> {
        let attributes = Generic::decode(message)?.attributes;
        let Some(address) = attributes.find_nest(attribute::ADDR)? else {
            let at = attributes.offset();
            return Err(Error::about(ErrorKind::Missing, attribute::ADDR, at));
        };
        let mut endpoint = Self::EMPTY;
        endpoint.update(address)?;
        Ok(endpoint)
    }
}

flags! {
    /// What an endpoint is used for (`MPTCP_PM_ADDR_FLAG_*`), named as
    /// `ip mptcp` names it and in its order.
    pub struct EndpointFlags: u32 {
        /// Announced to peers (ADD_ADDR).
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_SIGNAL")]
        0x1 SIGNAL "signal",
        /// Used for additional subflows of connections opened from here.
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_SUBFLOW")]
        0x2 SUBFLOW "subflow",
        /// Its subflows carry data only when others cannot.
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_BACKUP")]
        0x4 BACKUP "backup",
        /// Subflows to all addresses of the peer (kernel 5.15).
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_FULLMESH")]
        0x8 FULLMESH "fullmesh",
        /// Made by the kernel itself, for a subflow from an address without an endpoint
        /// (kernel 5.18); cannot be created.
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_IMPLICIT")]
        0x10 IMPLICIT "implicit",
        /// Used for subflows towards announced addresses only (kernel 6.18).
        #[doc(alias = "MPTCP_PM_ADDR_FLAG_LAMINAR")]
        0x20 LAMINAR "laminar",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::{Header, Writer};
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};
    use core::net::Ipv6Addr;

    const LITTLE: &str = "4c000000 1e00 0000 7d000000 01000000 03010000 3800 0180
        0600 0100 0a000000 0600 0500 00000000 0500 0200 c8000000 0800 0600 0a000000
        1400 0400 20010db8000000000000000000000001";
    const BIG: &str = "0000004c 001e 0000 0000007d 00000001 03010000 0038 8001
        0006 0001 000a0000 0006 0005 00000000 0005 0002 c8000000 0008 0006 0000000a
        0014 0004 20010db8000000000000000000000001";

    fn there_and_back<E: Order>(hexadecimal: &str) -> Endpoint {
        let bytes = bytes(hexadecimal);
        let message = message::<E>(&bytes);
        let endpoint = Endpoint::decode(&message).unwrap();
        let mut buffer = [0; 128];
        let mut writer = Writer::<E>::with_order(
            &mut buffer,
            Header {
                len: 0,
                ..message.header
            },
        );
        writer.bytes([3, 1, 0, 0]);
        writer.nest(attribute::ADDR, |nest| endpoint.encode(nest));
        assert_eq!(writer.finish().unwrap(), bytes);
        endpoint
    }

    #[test]
    fn an_endpoint_is_read_and_written_in_both_orders() {
        let wanted = Endpoint::EMPTY
            .with_address(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)))
            .with_port(0)
            .with_id(200)
            .with_flags(EndpointFlags::SUBFLOW | EndpointFlags::FULLMESH);
        assert_eq!(there_and_back::<Little>(LITTLE), wanted);
        assert_eq!(there_and_back::<Big>(BIG), wanted);
        assert_eq!((wanted.port(), wanted.if_idx()), (Some(0), None));
    }

    #[test]
    fn flags_have_the_bits_of_the_newest_header() {
        let bits = EndpointFlags::NAMES.map(|(flag, name)| (flag.0, name));
        let wanted = [
            (1, "signal"),
            (2, "subflow"),
            (4, "backup"),
            (8, "fullmesh"),
            (16, "implicit"),
            (32, "laminar"),
        ];
        assert_eq!(bits, wanted);
    }

    #[test]
    fn an_address_takes_the_place_of_one_of_the_other_family() {
        let v4 = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 1));
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        for (first, then) in [(v4, v6), (v6, v4), (v4, v4), (v6, v6)] {
            let endpoint = Endpoint::new(first).with_address(then);
            assert_eq!(endpoint.address(), Some(then));
            assert_eq!(endpoint, Endpoint::new(then));
        }
    }

    #[test]
    fn attributes_come_in_any_order_and_unknown_ones_are_counted() {
        let nest = bytes(
            "0500 0200 07000000 0800 ff00 01020304 0600 0180 02000000 0800 0300 0a000001
             0500 0200 08",
        );
        let endpoint =
            Endpoint::from_attributes(crate::netlink::Attributes::<Little>::with_order(&nest));
        let endpoint = endpoint.unwrap();
        assert_eq!((endpoint.id(), endpoint.family()), (Some(8), Some(2)));
        assert_eq!(endpoint.unknown(), 1);
        assert!(endpoint.address().is_some());
    }

    #[test]
    fn flags_in_a_type_and_missing_padding_change_nothing() {
        // Numbers in network order, as their flag says; the rest as it is.
        let nest = bytes(
            "0600 0140 000a0000 0600 0540 00070000 0800 0640 00000002 0500 02c0 09000000
             1400 04c0 20010db8000000000000000000000001 0500 0200 08",
        );
        let endpoint =
            Endpoint::from_attributes(crate::netlink::Attributes::<Little>::with_order(&nest));
        let wanted = Endpoint::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
            .with_port(7)
            .with_id(8)
            .with_flags(EndpointFlags::SUBFLOW);
        assert_eq!(endpoint, Ok(wanted));
        let nest = bytes(
            "0006 4001 000a0000 0006 c005 00070000 0008 4006 00000002 0005 c002 09000000
             0014 c004 20010db8000000000000000000000001 0005 0002 08",
        );
        let endpoint =
            Endpoint::from_attributes(crate::netlink::Attributes::<Big>::with_order(&nest));
        assert_eq!(endpoint, Ok(wanted));
    }

    #[test]
    fn a_wrong_length_anywhere_is_an_error_with_its_place() {
        for (nest, kind, attribute, offset) in [
            ("0700 0600 010203 00", ErrorKind::BadSize, 6, 0),
            (
                "0500 0200 07000000 0600 0200 0700",
                ErrorKind::BadSize,
                2,
                8,
            ),
            (
                "0500 0200 07000000 0900 0600 01020304",
                ErrorKind::BadLength,
                6,
                8,
            ),
            ("0500 0200 07000000 0300 0600", ErrorKind::BadLength, 6, 8),
        ] {
            let nest = bytes(nest);
            let nest = crate::netlink::Attributes::<Little>::with_order(&nest);
            let error = Endpoint::from_attributes(nest).unwrap_err();
            assert_eq!((error.kind(), error.attribute()), (kind, Some(attribute)));
            assert_eq!(error.offset(), offset);
        }
    }
}
