//! Addresses as the kernel compares them: IPv4-mapped IPv6 is the same as IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::mptcp::Endpoint;

/// An address as one number, which is fast to compare: IPv4 is mapped into IPv6. 0 is none.
pub type Key = u128;

/// The number of an address.
#[inline(never)]
pub const fn key(address: IpAddr) -> Key {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
    .to_bits()
}

/// The address of a number.
pub fn address(key: Key) -> IpAddr {
    match is_ipv4(key) {
        true => IpAddr::V4(Ipv4Addr::from_bits(key as u32)),
        false => IpAddr::V6(Ipv6Addr::from_bits(key)),
    }
}

/// Whether a number is that of an IPv4 address.
#[inline(never)]
pub fn is_ipv4(key: Key) -> bool {
    key >> 32 == 0xffff
}

/// fc00::/7: no host of the Internet answers these.
pub fn is_unique_local(address: Key) -> bool {
    address >> 121 == 0xfc >> 1
}

/// The address of an endpoint.
#[inline(never)]
pub fn key_of(endpoint: &Endpoint) -> Key {
    endpoint.address().map_or(0, key)
}
