//! Network interfaces.

use super::{message_type, split};
use crate::error::Error;
use crate::netlink::Message;
use crate::order::{Native, Order};

/// A network interface: `struct ifinfomsg` and the attributes `IFLA_*`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("RTM_NEWLINK", "RTM_DELLINK", "ifinfomsg"))]
pub struct Link<'a, E: Order = Native> {
    /// `ifi_family`; not 0 for an event about a bridge port or the like, which lacks most
    /// attributes.
    pub family: u16,
    /// `ifi_type`: what hardware it is (`ARPHRD_*`; 1 Ethernet, 772 loopback).
    pub hardware: u16,
    /// `ifi_index`: the number of the interface, unique in its network
    /// namespace.
    pub index: u32,
    /// `ifi_flags`.
    pub flags: LinkFlags,
    /// `ifi_change`: which flags changed; all ones if unknown.
    pub change: u32,
    /// All that was sent after the fixed part.
    pub fields: LinkAttributes<'a, E>,
}

attribute_set! {
    /// The attributes of a network interface (`IFLA_*`).
    #[doc(alias(
        "IFLA_ADDRESS", "IFLA_IFNAME", "IFLA_MTU", "IFLA_MASTER", "IFLA_OPERSTATE",
        "IFLA_LINKINFO", "IFLA_CARRIER", "IFLA_BROADCAST", "IFLA_LINK", "IFLA_QDISC",
        "IFLA_STATS", "IFLA_TXQLEN", "IFLA_MAP", "IFLA_LINKMODE", "IFLA_NET_NS_PID",
        "IFLA_IFALIAS", "IFLA_NUM_VF", "IFLA_STATS64", "IFLA_AF_SPEC", "IFLA_GROUP",
        "IFLA_NET_NS_FD", "IFLA_EXT_MASK", "IFLA_PROMISCUITY", "IFLA_NUM_TX_QUEUES",
        "IFLA_NUM_RX_QUEUES", "IFLA_CARRIER_CHANGES", "IFLA_LINK_NETNSID",
        "IFLA_PROTO_DOWN", "IFLA_GSO_MAX_SEGS", "IFLA_GSO_MAX_SIZE", "IFLA_XDP",
        "IFLA_CARRIER_UP_COUNT", "IFLA_CARRIER_DOWN_COUNT", "IFLA_MIN_MTU",
        "IFLA_MAX_MTU", "IFLA_PROP_LIST", "IFLA_ALT_IFNAME", "IFLA_PERM_ADDRESS",
        "IFLA_GRO_MAX_SIZE", "IFLA_TSO_MAX_SIZE", "IFLA_TSO_MAX_SEGS", "IFLA_ALLMULTI",
        "IFLA_GSO_IPV4_MAX_SIZE", "IFLA_GRO_IPV4_MAX_SIZE",
    ))]
    pub struct LinkAttributes<'a> {
        /// Its hardware address.
        1 ADDRESS address / with_address: bytes,
        /// Its name. May be missing in events of other families.
        3 IFNAME ifname / with_ifname: string,
        /// The largest packet, bytes.
        4 MTU mtu / with_mtu: u32,
        /// Index of the bridge, bond or VRF that it belongs to.
        10 MASTER master / with_master: u32,
        /// Its operational state.
        16 OPERSTATE state / with_state: u8 as OperState,
        /// What kind of virtual interface it is.
        18 LINKINFO link_info / with_link_info: attributes,
        /// Whether there is a carrier: 0 or 1. On some kernels present only while the
        /// interface is up.
        33 CARRIER carrier / with_carrier: u8,
    }
    also {
        2 BROADCAST Shape::Mac,
        5 LINK Shape::Unsigned,
        6 QDISC Shape::Text,
        7 STATS Shape::Bytes,
        13 TXQLEN Shape::Unsigned,
        14 MAP Shape::Bytes,
        17 LINKMODE Shape::Unsigned,
        19 NET_NS_PID Shape::Unsigned,
        20 IFALIAS Shape::Text,
        21 NUM_VF Shape::Unsigned,
        23 STATS64 Shape::Bytes,
        26 AF_SPEC Shape::Attributes,
        27 GROUP Shape::Unsigned,
        28 NET_NS_FD Shape::Unsigned,
        29 EXT_MASK Shape::Unsigned,
        30 PROMISCUITY Shape::Unsigned,
        31 NUM_TX_QUEUES Shape::Unsigned,
        32 NUM_RX_QUEUES Shape::Unsigned,
        35 CARRIER_CHANGES Shape::Unsigned,
        37 LINK_NETNSID Shape::Unsigned,
        39 PROTO_DOWN Shape::Unsigned,
        40 GSO_MAX_SEGS Shape::Unsigned,
        41 GSO_MAX_SIZE Shape::Unsigned,
        43 XDP Shape::Attributes,
        47 CARRIER_UP_COUNT Shape::Unsigned,
        48 CARRIER_DOWN_COUNT Shape::Unsigned,
        50 MIN_MTU Shape::Unsigned,
        51 MAX_MTU Shape::Unsigned,
        52 PROP_LIST Shape::Attributes,
        53 ALT_IFNAME Shape::Text,
        54 PERM_ADDRESS Shape::Mac,
        58 GRO_MAX_SIZE Shape::Unsigned,
        59 TSO_MAX_SIZE Shape::Unsigned,
        60 TSO_MAX_SEGS Shape::Unsigned,
        61 ALLMULTI Shape::Unsigned,
        63 GSO_IPV4_MAX_SIZE Shape::Unsigned,
        64 GRO_IPV4_MAX_SIZE Shape::Unsigned,
    }
}

impl<'a, E: Order> Link<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        family: 0,
        hardware: 0,
        index: 0,
        flags: LinkFlags::EMPTY,
        change: 0,
        fields: LinkAttributes::EMPTY,
    };

    /// Reads RTM_NEWLINK or RTM_DELLINK;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<16, E>(message, [message_type::NEWLINK, message_type::DELLINK])?;
        let mut link = Self {
            family: b[0].into(),
            hardware: E::u16([b[2], b[3]]),
            index: E::u32([b[4], b[5], b[6], b[7]]),
            flags: LinkFlags(E::u32([b[8], b[9], b[10], b[11]])),
            change: E::u32([b[12], b[13], b[14], b[15]]),
            fields: LinkAttributes::EMPTY,
        };
        link.fields.update(attributes)?;
        Ok(link)
    }

    /// Whether it can carry packets: up, with carrier.
    pub fn is_usable(&self) -> bool {
        self.flags.contains(LinkFlags::UP) && self.flags.contains(LinkFlags::LOWER_UP)
    }
}

flags! {
    /// Flags of an interface (`IFF_*`).
    pub struct LinkFlags: u32 {
        /// Switched on by its administrator.
        #[doc(alias = "IFF_UP")]
        0x1 UP "up",
        /// Can broadcast.
        #[doc(alias = "IFF_BROADCAST")]
        0x2 BROADCAST "broadcast",
        /// The driver is being debugged.
        #[doc(alias = "IFF_DEBUG")]
        0x4 DEBUG "debug",
        /// The loopback interface.
        #[doc(alias = "IFF_LOOPBACK")]
        0x8 LOOPBACK "loopback",
        /// Has one peer, at the other end.
        #[doc(alias = "IFF_POINTOPOINT")]
        0x10 POINTOPOINT "pointopoint",
        /// Without trailers.
        #[doc(alias = "IFF_NOTRAILERS")]
        0x20 NOTRAILERS "notrailers",
        /// Up, and its operational state is up or unknown.
        #[doc(alias = "IFF_RUNNING")]
        0x40 RUNNING "running",
        /// Without address resolution.
        #[doc(alias = "IFF_NOARP")]
        0x80 NOARP "noarp",
        /// Receives everything.
        #[doc(alias = "IFF_PROMISC")]
        0x100 PROMISC "promisc",
        /// Receives all multicast.
        #[doc(alias = "IFF_ALLMULTI")]
        0x200 ALLMULTI "allmulti",
        /// Distributes load over others.
        #[doc(alias = "IFF_MASTER")]
        0x400 MASTER "master",
        /// Part of such an interface.
        #[doc(alias = "IFF_SLAVE")]
        0x800 SLAVE "slave",
        /// Can multicast.
        #[doc(alias = "IFF_MULTICAST")]
        0x1000 MULTICAST "multicast",
        /// Its media can be chosen.
        #[doc(alias = "IFF_PORTSEL")]
        0x2000 PORTSEL "portsel",
        /// Finds its media itself.
        #[doc(alias = "IFF_AUTOMEDIA")]
        0x4000 AUTOMEDIA "automedia",
        /// Loses its addresses when it is switched off.
        #[doc(alias = "IFF_DYNAMIC")]
        0x8000 DYNAMIC "dynamic",
        /// Has a carrier, as reported by the driver.
        #[doc(alias = "IFF_LOWER_UP")]
        0x1_0000 LOWER_UP "lower_up",
        /// Has a carrier but cannot be used yet.
        #[doc(alias = "IFF_DORMANT")]
        0x2_0000 DORMANT "dormant",
        /// Repeats what was sent.
        #[doc(alias = "IFF_ECHO")]
        0x4_0000 ECHO "echo",
    }
}

numbered! {
    /// Operational state of an interface (RFC 2863, `IF_OPER_*`), with the
    /// names that `ip link` shows.
    pub enum OperState: u8 {
        /// The driver does not report it: to be treated as up.
        #[doc(alias = "IF_OPER_UNKNOWN")]
        0 Unspecified "UNKNOWN",
        /// A part of it is missing.
        #[doc(alias = "IF_OPER_NOTPRESENT")]
        1 NotPresent "NOTPRESENT",
        /// Down.
        #[doc(alias = "IF_OPER_DOWN")]
        2 Down "DOWN",
        /// A lower layer is down.
        #[doc(alias = "IF_OPER_LOWERLAYERDOWN")]
        3 LowerLayerDown "LOWERLAYERDOWN",
        /// Under test.
        #[doc(alias = "IF_OPER_TESTING")]
        4 Testing "TESTING",
        /// Waits for something, such as authentication.
        #[doc(alias = "IF_OPER_DORMANT")]
        5 Dormant "DORMANT",
        /// Up.
        #[doc(alias = "IF_OPER_UP")]
        6 Up "UP",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};

    #[test]
    fn a_link_is_read_in_both_orders() {
        let little = bytes(
            "40000000 1000 0000 00000000 00000000 0000 0100 04000000 43100100 00000000
             0900 0300 65746830 00000000 0800 0400 78050000 0500 1000 06000000 0500 2100 01",
        );
        let mut little = little;
        little[0] = little.len() as u8;
        let link = Link::decode(&message::<Little>(&little)).unwrap();
        assert_eq!(
            (link.index, link.fields.ifname().unwrap().as_bytes()),
            (4, &b"eth0"[..])
        );
        assert_eq!(
            (link.fields.mtu(), link.fields.state()),
            (Some(1400), Some(OperState::Up))
        );
        assert!(link.is_usable() && link.fields.carrier() == Some(1));

        let big = bytes(
            "0000002c 0011 0000 00000000 00000000 0000 0001 00000004 00001002 ffffffff
             0009 0003 65746830 00000000",
        );
        let link = Link::decode(&message::<Big>(&big)).unwrap();
        assert_eq!((link.index, link.change), (4, u32::MAX));
        assert!(!link.is_usable());
        let with = |flags| Link::<Big> { flags, ..link };
        assert!(!with(LinkFlags::UP).is_usable());
        assert!(!with(LinkFlags::LOWER_UP).is_usable());
        assert!(with(LinkFlags::UP | LinkFlags::LOWER_UP).is_usable());
    }

    #[test]
    fn another_message_is_not_taken_for_a_link() {
        let bytes = bytes("10000000 1400 0000 00000000 00000000");
        let error = Link::decode(&message::<Little>(&bytes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
}
