//! Sets of addresses: families and prefixes.

use std::net::IpAddr;

use crate::kernel::key::{is_ipv4, key, Key};
use crate::text::Text;

/// An address family.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Family {
    /// `-4`.
    V4,
    /// `-6`.
    V6,
}

/// The addresses that share their first bits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// One of them.
    pub address: IpAddr,
    /// How many bits they share.
    pub bits: u8,
}

impl Prefix {
    /// Whether the address is one of them.
    pub fn contains(&self, address: Key) -> bool {
        let mut bits = u32::from(self.bits);
        if self.address.is_ipv4() {
            bits += 96;
        }
        let own = key(self.address);
        is_ipv4(own) == is_ipv4(address) && (own ^ address).leading_zeros() >= bits
    }

    /// As it is written.
    pub fn print(&self, out: &mut Text) {
        out.address(self.address);
        out.byte(b'/');
        out.number(self.bits.into());
    }
}
