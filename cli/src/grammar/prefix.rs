//! Which addresses: their families and prefixes.

use std::net::IpAddr;

use crate::text::Text;

/// An address family.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Family {
    /// `-4`.
    V4,
    /// `-6`.
    V6,
}

/// The addresses that begin with the same bits.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// One of them.
    pub address: IpAddr,
    /// How many bits.
    pub bits: u8,
}

impl Prefix {
    /// Whether the address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (one, other, size) = match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128_u32),
            _ => return false,
        };
        // Of no bits, every shift is too far.
        let differ: u128 = one ^ other;
        let rest = size.saturating_sub(self.bits.into());
        differ.checked_shr(rest).unwrap_or(0) == 0
    }

    /// As it is written.
    pub fn print(&self, out: &mut Text) {
        out.address(self.address);
        out.byte(b'/');
        out.number(self.bits.into());
    }
}
