//! Internet addresses, in the form that the kernel's interfaces use.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, ErrorKind};
use crate::netlink::Writer;
use crate::order::Order;

/// `AF_UNSPEC`: of any family.
pub const AF_UNSPEC: u16 = 0;
/// `AF_INET`, the same on all architectures of Linux.
pub const AF_INET: u16 = 2;
/// `AF_INET6`, the same on all architectures of Linux.
pub const AF_INET6: u16 = 10;

/// A family for a structure with a byte for it.
pub(crate) fn byte(family: u16) -> Result<u8, Error> {
    u8::try_from(family).map_err(|_| Error::new(ErrorKind::BadValue, 0))
}

/// The family of an address: [`AF_INET`] or [`AF_INET6`].
#[inline]
pub const fn family_of(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

/// The number of bits of an address, which is the length of its host prefix.
#[inline]
pub const fn bits_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whichever of the two is present.
#[inline]
pub(crate) const fn either(v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) -> Option<IpAddr> {
    match (v4, v6) {
        (Some(address), _) => Some(IpAddr::V4(address)),
        (None, Some(address)) => Some(IpAddr::V6(address)),
        (None, None) => None,
    }
}

/// The address of `family` at the start of `bytes`; `None` if the family is not one of the
/// Internet.
#[inline]
pub(crate) fn from_bytes(family: u16, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?))),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?))),
        _ => None,
    }
}

/// Writes an address of either family.
#[inline]
pub(crate) fn put<'w, 'b, E: Order>(
    writer: &'w mut Writer<'b, E>,
    kind: u16,
    address: IpAddr,
) -> &'w mut Writer<'b, E> {
    match address {
        IpAddr::V4(address) => writer.put_ipv4(kind, address),
        IpAddr::V6(address) => writer.put_ipv6(kind, address),
    }
}

/// The address and port in a `struct sockaddr_in` or `sockaddr_in6` at the start of `bytes`;
/// `None` for any other family.
pub(crate) fn from_sockaddr<E: Order>(bytes: &[u8]) -> Result<Option<(IpAddr, u16)>, Error> {
    let short = Error::new(ErrorKind::Truncated, 0);
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(short)?;
    let [f0, f1, p0, p1] = *head;
    let port = u16::from_be_bytes([p0, p1]);
    Ok(match E::u16([f0, f1]) {
        AF_INET => {
            let address = rest.first_chunk::<4>().ok_or(short)?;
            Some((IpAddr::V4(Ipv4Addr::from(*address)), port))
        }
        AF_INET6 => {
            // The flow label comes first.
            let address = rest.get(4..).and_then(|rest| rest.first_chunk::<16>());
            Some((IpAddr::V6(Ipv6Addr::from(*address.ok_or(short)?)), port))
        }
        _ => None,
    })
}
