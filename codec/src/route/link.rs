//! Network interfaces.

use super::{message_type, split};
use crate::error::Error;
use crate::netlink::{nothing, Attributes, Form, Forms, Message, Present, Spot, Text};
use crate::order::{Native, Order};

pub(super) const IFNAME: u16 = 3;
const MTU: u16 = 4;
const MASTER: u16 = 10;
const OPERSTATE: u16 = 16;
const CARRIER: u16 = 33;

/// A network interface: `struct ifinfomsg` and the attributes `IFLA_*`.
#[derive(Copy, Clone, Debug)]
pub struct Link<'a, E: Order = Native> {
    /// `ifi_family`; not 0 when it is news of a bridge port or the like, which
    /// lacks most attributes.
    pub family: u16,
    /// `ifi_type`: what hardware it is (`ARPHRD_*`; 1 Ethernet, 772 loopback).
    pub hardware: u16,
    /// `ifi_index`: the number of the interface, unique in its network
    /// namespace.
    pub index: u32,
    /// `ifi_flags`.
    pub flags: LinkFlags,
    /// `ifi_change`: which flags changed, all ones where that is not told.
    pub change: u32,
    /// `IFNAME`. May be missing in events of other families.
    pub name: Option<Text<'a>>,
    /// `MTU`, bytes.
    pub mtu: Option<u32>,
    /// `MASTER`: index of the bridge, bond or VRF that it belongs to.
    pub master: Option<u32>,
    /// `OPERSTATE`.
    pub state: Option<OperState>,
    /// `CARRIER`: whether a cable is in, so to say. Present only while the
    /// interface is up, on some kernels.
    pub carrier: Option<bool>,
    /// Everything that was sent behind the fixed part.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Link<'a, E> {
    /// Reads RTM_NEWLINK or RTM_DELLINK;
    /// [`ErrorKind::WrongType`](crate::ErrorKind::WrongType) if it is neither.
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        Self::read(message)
    }

    // Inlined where it ends up in a larger type: it is built in place there.
    #[inline(always)]
    pub(super) fn read(message: &Message<'a, E>) -> Result<Self, Error> {
        let (b, attributes) =
            split::<16, E>(message, [message_type::NEWLINK, message_type::DELLINK])?;
        const FORMS: &Forms = &[
            (IFNAME, Form::TEXT),
            (MTU, Form::number(4)),
            (MASTER, Form::number(4)),
            (OPERSTATE, Form::number(1)),
            (CARRIER, Form::number(1)),
        ];
        let mut values = nothing::<6>();
        attributes.pick(FORMS, &mut values)?;
        // The call first: what is read behind it needs no stack.
        let [name, ..] = values;
        let name = attributes.picked_text(Spot(name));
        let [_, mtu, master, state, carrier, present] = values;
        let present = Present(present);
        let state = present.then(3, state);
        let carrier = present.then(4, carrier);
        Ok(Self {
            family: b[0].into(),
            hardware: E::u16([b[2], b[3]]),
            index: E::u32([b[4], b[5], b[6], b[7]]),
            flags: LinkFlags(E::u32([b[8], b[9], b[10], b[11]])),
            change: E::u32([b[12], b[13], b[14], b[15]]),
            name,
            mtu: present.then(1, mtu),
            master: present.then(2, master),
            state: state.map(|number| OperState::from_number(number as u8)),
            carrier: carrier.map(|number| number != 0),
            attributes,
        })
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
        0x1 UP "up",
        /// Can broadcast.
        0x2 BROADCAST "broadcast",
        /// The driver is being debugged.
        0x4 DEBUG "debug",
        /// The loopback interface.
        0x8 LOOPBACK "loopback",
        /// Has one peer, at the other end.
        0x10 POINTOPOINT "pointopoint",
        /// Without trailers.
        0x20 NOTRAILERS "notrailers",
        /// Up, and its operational state is up or unknown.
        0x40 RUNNING "running",
        /// Without address resolution.
        0x80 NOARP "noarp",
        /// Receives everything.
        0x100 PROMISC "promisc",
        /// Receives all multicast.
        0x200 ALLMULTI "allmulti",
        /// Spreads load over others.
        0x400 MASTER "master",
        /// Part of such a one.
        0x800 SLAVE "slave",
        /// Can multicast.
        0x1000 MULTICAST "multicast",
        /// Its media can be chosen.
        0x2000 PORTSEL "portsel",
        /// Finds its media itself.
        0x4000 AUTOMEDIA "automedia",
        /// Its addresses go when it is switched off.
        0x8000 DYNAMIC "dynamic",
        /// Has a carrier: the driver says that the cable is in.
        0x1_0000 LOWER_UP "lower_up",
        /// Carrier but no use yet.
        0x2_0000 DORMANT "dormant",
        /// Repeats what was sent.
        0x4_0000 ECHO "echo",
    }
}

numbered! {
    /// Operational state of an interface (RFC 2863, `IF_OPER_*`), with the
    /// names that `ip link` shows.
    pub enum OperState: u8 {
        /// The driver does not report it: to be taken for up.
        0 Unspecified "UNKNOWN",
        /// A part of it is missing.
        1 NotPresent "NOTPRESENT",
        /// Down.
        2 Down "DOWN",
        /// What it stands on is down.
        3 LowerLayerDown "LOWERLAYERDOWN",
        /// Under test.
        4 Testing "TESTING",
        /// Waits for something, such as authentication.
        5 Dormant "DORMANT",
        /// Up.
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
            (link.index, link.name.unwrap().as_bytes()),
            (4, &b"eth0"[..])
        );
        assert_eq!((link.mtu, link.state), (Some(1400), Some(OperState::Up)));
        assert!(link.is_usable() && link.carrier == Some(true));

        let big = bytes(
            "0000002c 0011 0000 00000000 00000000 0000 0001 00000004 00001002 ffffffff
             0009 0003 65746830 00000000",
        );
        let link = Link::decode(&message::<Big>(&big)).unwrap();
        assert_eq!((link.index, link.change), (4, u32::MAX));
        assert!(!link.is_usable());
    }

    #[test]
    fn another_message_is_not_taken_for_a_link() {
        let bytes = bytes("10000000 1400 0000 00000000 00000000");
        let error = Link::decode(&message::<Little>(&bytes)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
    }
}
