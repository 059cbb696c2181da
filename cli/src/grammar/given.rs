//! The values of a keyword list: one form for all commands.

use std::net::{IpAddr, Ipv4Addr};

use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Limits};

use super::prefix::{Family, Prefix};

/// What a keyword sets: a bit of [`Given::bits`], and the place of its value if it has one.
pub mod slot {
    use mptcp_codec::mptcp::Limits;

    // Those that a command may require come first.
    /// `token T`; 0 for `token none`.
    pub const TOKEN: u8 = 0;
    /// An address, on this side where there are two.
    pub const ADDRESS: u8 = 1;
    /// `id N`, 0 too.
    pub const ID: u8 = 2;
    /// An address on the other side.
    pub const REMOTE: u8 = 3;
    /// `dev IF`, as its index.
    pub const DEV: u8 = 4;
    /// A port, on this side where there are two.
    pub const PORT: u8 = 5;
    /// A port on the other side.
    pub const REMOTE_PORT: u8 = 6;
    /// `-4` or `-6`: that number.
    pub const FAMILY: u8 = 7;
    /// The length of a prefix that was given as the address.
    pub const PREFIX: u8 = 8;
    /// How many have a number in `Given`: a new one of those comes before this, and the numbers
    /// below rise by one.
    pub const NUMBERS: u8 = 9;
    /// Where those of the limits begin, in the order of the kernel's numbers, the first of
    /// which is 2.
    pub const LIMITS: u8 = NUMBERS - 1;
    /// `add_addr_accepted N`.
    pub const ADD_ADDR_ACCEPTED: u8 = LIMITS + Limits::RCV_ADD_ADDRS as u8;
    /// `subflows N`.
    pub const SUBFLOWS: u8 = LIMITS + Limits::SUBFLOWS as u8;
    /// An address on either side.
    pub const EITHER: u8 = NUMBERS;
    /// Flags, of which some were named.
    pub const FLAGS: u8 = NUMBERS + 3;
    /// `fallback`.
    pub const FALLBACK: u8 = NUMBERS + 4;
    /// `listen`.
    pub const LISTEN: u8 = NUMBERS + 5;
    /// `uplink`.
    pub const UPLINK: u8 = NUMBERS + 6;
    /// How many there are.
    pub const COUNT: u8 = NUMBERS + 7;
}

/// The bit of a slot.
pub(super) const fn bit(slot: u8) -> u32 {
    1 << slot
}

/// What was given.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// A bit for each [`slot`].
    pub(super) bits: u32,
    /// The limits.
    pub limits: Limits,
    /// The limits that are to be the kernel's maximum, a bit `1 << number` each.
    pub most: u32,
    /// Flags that were named.
    pub set: EndpointFlags,
    /// Flags that were named with the prefix `no`.
    pub clear: EndpointFlags,
    pub(super) numbers: [u32; slot::NUMBERS as usize],
    // This side, the other side, either.
    pub(super) addresses: [IpAddr; 3],
}

impl Default for Given {
    fn default() -> Self {
        // A constant is copied in one piece; fields would be set one by one.
        const NOTHING: Given = Given {
            bits: 0,
            limits: Limits::EMPTY,
            most: 0,
            set: EndpointFlags(0),
            clear: EndpointFlags(0),
            numbers: [0; slot::NUMBERS as usize],
            addresses: [IpAddr::V4(Ipv4Addr::UNSPECIFIED); 3],
        };
        NOTHING
    }
}

impl Given {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.bits == 0
    }

    /// Whether only this was given.
    pub fn is_only(&self, slot: u8) -> bool {
        self.bits == bit(slot)
    }

    /// Whether this was given.
    pub fn has(&self, slot: u8) -> bool {
        self.bits & bit(slot) != 0
    }

    /// As if this had not been given.
    pub fn without(mut self, slot: u8) -> Self {
        self.bits &= !bit(slot);
        self
    }

    /// The number in a slot, if it was given.
    pub fn number(&self, slot: u8) -> Option<u32> {
        let number = *self.numbers.get(usize::from(slot))?;
        self.has(slot).then_some(number)
    }

    pub(super) fn set_number(&mut self, slot: u8, number: u32) {
        if let Some(place) = self.numbers.get_mut(usize::from(slot)) {
            *place = number;
        }
        self.bits |= bit(slot);
    }

    /// `token T`; 0 for `token none`.
    pub fn token(&self) -> Option<u32> {
        self.number(slot::TOKEN)
    }

    /// `id N`, 0 too.
    pub fn id(&self) -> Option<u8> {
        self.number(slot::ID).map(|id| id as u8)
    }

    /// `port N`, on this side; 0 is none.
    pub fn port(&self) -> Option<u16> {
        self.number(slot::PORT).map(|port| port as u16)
    }

    /// The port on the other side; 0 is none.
    pub fn remote_port(&self) -> Option<u16> {
        self.number(slot::REMOTE_PORT).map(|port| port as u16)
    }

    /// `dev IF`, as its index.
    pub fn dev(&self) -> Option<u32> {
        self.number(slot::DEV)
    }

    /// `-4` or `-6`.
    pub fn family(&self) -> Option<Family> {
        match self.number(slot::FAMILY)? {
            4 => Some(Family::V4),
            _ => Some(Family::V6),
        }
    }

    /// Sets the family where none was given and one of these options was.
    pub fn family_of_options(&mut self, ipv4: bool, ipv6: bool) {
        if ipv4 != ipv6 && !self.has(slot::FAMILY) {
            self.set_number(slot::FAMILY, if ipv4 { 4 } else { 6 });
        }
    }

    /// The address, on this side where there are two.
    pub fn address(&self) -> Option<IpAddr> {
        self.has(slot::ADDRESS).then_some(self.addresses[0])
    }

    /// The address on the other side.
    pub fn remote(&self) -> Option<IpAddr> {
        self.has(slot::REMOTE).then_some(self.addresses[1])
    }

    /// An address on either side.
    pub fn either(&self) -> Option<IpAddr> {
        self.has(slot::EITHER).then_some(self.addresses[2])
    }

    /// Address and port of both sides, this one first; port 0 if none was given.
    pub fn ends(&self) -> [(Option<IpAddr>, u16); 2] {
        [
            (self.address(), self.port().unwrap_or(0)),
            (self.remote(), self.remote_port().unwrap_or(0)),
        ]
    }

    /// The prefix that was given; a single address counts as a prefix of all its bits.
    pub fn prefix(&self) -> Option<Prefix> {
        let address = self.address()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = self.number(slot::PREFIX).map_or(all, |bits| bits as u8);
        Some(Prefix { address, bits })
    }

    /// The endpoint that the words describe.
    pub fn endpoint(&self) -> Endpoint {
        let mut endpoint = Endpoint::EMPTY;
        if let Some(address) = self.address() {
            endpoint = endpoint.with_address(address);
        }
        if let Some(id) = self.id() {
            endpoint = endpoint.with_id(id);
        }
        if self.set.0 != 0 {
            endpoint = endpoint.with_flags(self.set);
        }
        if let Some(index) = self.dev() {
            endpoint = endpoint.with_if_idx(index);
        }
        if let Some(port) = self.port().filter(|port| *port != 0) {
            endpoint = endpoint.with_port(port);
        }
        endpoint
    }

    /// The other end of a path.
    pub fn peer(&self) -> Endpoint {
        let mut endpoint = Endpoint::EMPTY;
        if let Some(address) = self.remote() {
            endpoint = endpoint.with_address(address);
        }
        if let Some(port) = self.remote_port().filter(|port| *port != 0) {
            endpoint = endpoint.with_port(port);
        }
        endpoint
    }
}
