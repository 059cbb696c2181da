//! Network interfaces.

use core::fmt;

use super::{kind, split};
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
    pub family: u8,
    /// `ifi_type`: what hardware it is (`ARPHRD_*`; 1 Ethernet, 772 loopback).
    pub hardware: u16,
    /// `ifi_index`: the number of the interface, unique in its network
    /// namespace.
    pub index: i32,
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
        let (b, attributes) = split::<16, E>(message, [kind::NEWLINK, kind::DELLINK])?;
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
            family: b[0],
            hardware: E::u16([b[2], b[3]]),
            index: E::u32([b[4], b[5], b[6], b[7]]) as i32,
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

/// Flags of an interface (`IFF_*`). Unknown bits are kept.
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct LinkFlags(
    /// The bits.
    pub u32,
);

impl LinkFlags {
    /// Switched on by its administrator.
    pub const UP: Self = Self(0x1);
    /// The loopback interface.
    pub const LOOPBACK: Self = Self(0x8);
    /// Has one peer, at the other end.
    pub const POINTOPOINT: Self = Self(0x10);
    /// Up, and its operational state is up or unknown.
    pub const RUNNING: Self = Self(0x40);
    /// Has a carrier: the driver says that the cable is in.
    pub const LOWER_UP: Self = Self(0x1_0000);
    /// Carrier but no use yet.
    pub const DORMANT: Self = Self(0x2_0000);

    /// Whether all bits of `flags` are set.
    #[inline]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl fmt::Debug for LinkFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// Operational state of an interface (RFC 2863, `IF_OPER_*`).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OperState {
    /// The driver does not tell: as good as up.
    Unspecified,
    /// A part of it is missing.
    NotPresent,
    /// Down.
    Down,
    /// What it stands on is down.
    LowerLayerDown,
    /// Under test.
    Testing,
    /// Waits for something, such as authentication.
    Dormant,
    /// Up.
    Up,
    /// A number newer than this crate.
    Unknown(u8),
}

impl OperState {
    /// From the kernel's number.
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Unspecified,
            1 => Self::NotPresent,
            2 => Self::Down,
            3 => Self::LowerLayerDown,
            4 => Self::Testing,
            5 => Self::Dormant,
            6 => Self::Up,
            other => Self::Unknown(other),
        }
    }

    /// The name that `ip link` shows; `None` for an unknown number.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Unspecified => "UNKNOWN",
            Self::NotPresent => "NOTPRESENT",
            Self::Down => "DOWN",
            Self::LowerLayerDown => "LOWERLAYERDOWN",
            Self::Testing => "TESTING",
            Self::Dormant => "DORMANT",
            Self::Up => "UP",
            Self::Unknown(_) => return None,
        })
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
