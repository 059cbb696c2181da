//! Reading attributes.

use core::fmt;
use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::align;
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};

/// Length of an attribute's header.
pub(crate) const HEADER: usize = 4;
/// `NLA_F_NESTED | NLA_F_NET_BYTEORDER`.
const FLAGS_MASK: u16 = 0xc000;

const NESTED: u16 = 0x8000;
const NET_BYTEORDER: u16 = 0x4000;

/// One attribute, lent from the buffer it was received in.
///
/// The typed reads check the length to the byte: a `u32` of three or of five
/// bytes is [`ErrorKind::BadSize`].
#[derive(Copy, Clone, PartialEq, Eq)]
pub struct Attribute<'a, E: Order = Native> {
    raw: u16,
    offset: u32,
    payload: &'a [u8],
    order: PhantomData<E>,
}

impl<'a, E: Order> Attribute<'a, E> {
    /// The type number, flags taken off.
    #[inline(always)]
    pub const fn kind(&self) -> u16 {
        self.raw & !FLAGS_MASK
    }

    /// Whether `NLA_F_NESTED` is set. The kernel does not set it everywhere:
    /// whether an attribute is a nest follows from its type.
    pub const fn is_nested(&self) -> bool {
        self.raw & NESTED != 0
    }

    /// Whether `NLA_F_NET_BYTEORDER` is set. The typed reads follow it.
    pub const fn is_net_byteorder(&self) -> bool {
        self.raw & NET_BYTEORDER != 0
    }

    /// The bytes behind the header, without padding.
    #[inline(always)]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Where its header stands, in bytes from the start of the message.
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// An error of this kind about this attribute.
    #[cold]
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::about(kind, self.kind(), self.offset as usize)
    }

    #[inline(always)]
    fn bytes<const N: usize>(&self) -> Result<[u8; N], Error> {
        match self.payload.try_into() {
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(self.error(ErrorKind::BadSize)),
        }
    }

    /// One byte.
    #[inline]
    pub fn u8(&self) -> Result<u8, Error> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    /// A number in the machine's order (or network order where the attribute
    /// says so).
    #[inline]
    pub fn u16(&self) -> Result<u16, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u16::from_be_bytes(bytes)
        } else {
            E::u16(bytes)
        })
    }

    /// A number in the machine's order (or network order where the attribute
    /// says so).
    #[inline]
    pub fn u32(&self) -> Result<u32, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u32::from_be_bytes(bytes)
        } else {
            E::u32(bytes)
        })
    }

    /// A number in the machine's order (or network order where the attribute
    /// says so).
    #[inline]
    pub fn u64(&self) -> Result<u64, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u64::from_be_bytes(bytes)
        } else {
            E::u64(bytes)
        })
    }

    /// As [`Attribute::u32`], signed.
    #[inline]
    pub fn i32(&self) -> Result<i32, Error> {
        self.u32().map(|n| n as i32)
    }

    /// A 16-bit number that is always in network order, like the ports of
    /// MPTCP events.
    #[inline]
    pub fn be16(&self) -> Result<u16, Error> {
        self.bytes().map(u16::from_be_bytes)
    }

    /// An IPv4 address: four bytes, network order.
    #[inline]
    pub fn ipv4(&self) -> Result<Ipv4Addr, Error> {
        self.bytes::<4>().map(Ipv4Addr::from)
    }

    /// An IPv6 address: sixteen bytes, network order.
    #[inline]
    pub fn ipv6(&self) -> Result<Ipv6Addr, Error> {
        self.bytes::<16>().map(Ipv6Addr::from)
    }

    /// A string: refused without its NUL, or with anything but NULs behind
    /// the first.
    pub fn text(&self) -> Result<Text<'a>, Error> {
        let end = self.payload.iter().position(|&b| b == 0);
        match end.and_then(|end| self.payload.split_at_checked(end)) {
            Some((text, tail)) if tail.iter().all(|&b| b == 0) => Ok(Text(text)),
            _ => Err(self.error(ErrorKind::BadString)),
        }
    }

    /// The attributes inside, whether or not `NLA_F_NESTED` is set.
    #[inline]
    pub fn nested(&self) -> Attributes<'a, E> {
        Attributes::at(self.payload, self.offset as usize + HEADER)
    }
}

impl<E: Order> fmt::Debug for Attribute<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nested = if self.is_nested() { " nested" } else { "" };
        write!(
            f,
            "#{}{nested} @{} {:02x?}",
            self.kind(),
            self.offset,
            self.payload
        )
    }
}

/// A string of the kernel, its NUL taken off. Not always UTF-8: interface
/// names are bytes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// The bytes, none of them 0.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The text where it is UTF-8.
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }
}

impl fmt::Display for Text<'_> {
    /// What is not UTF-8 is shown as escapes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The attributes in a piece of a message.
///
/// Yields each attribute, or one error and then nothing more. The last
/// attribute may lack its padding.
#[derive(Copy, Clone)]
pub struct Attributes<'a, E: Order = Native> {
    rest: &'a [u8],
    // Where `rest` ends, in bytes from the start of the message. The walk
    // shortens `rest` alone; positions are worked out when one is wanted.
    end: u32,
    order: PhantomData<E>,
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, whose offsets are counted from its start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }
}

impl<'a, E: Order> Attributes<'a, E> {
    /// As [`Attributes::new`], for bytes of a machine of order `E`.
    pub fn with_order(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    #[inline(always)]
    pub(crate) fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self {
            rest: bytes,
            end: offset.saturating_add(bytes.len()).min(u32::MAX as usize) as u32,
            order: PhantomData,
        }
    }

    /// The bytes that have not been walked yet.
    #[inline(always)]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// Continues at `rest`, a tail of what is left.
    #[inline(always)]
    pub(crate) fn skip_to(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Where the next attribute starts, in bytes from the start of the
    /// message.
    pub const fn offset(&self) -> usize {
        (self.end as usize).saturating_sub(self.rest.len())
    }

    /// The last attribute of type `kind`, as the kernel chooses among
    /// several; an error in front of it or behind it is an error.
    pub fn find_last(self, kind: u16) -> Result<Option<Attribute<'a, E>>, Error> {
        let mut found = None;
        for attribute in self {
            let attribute = attribute?;
            if attribute.kind() == kind {
                found = Some(attribute);
            }
        }
        Ok(found)
    }
}

impl<'a, E: Order> Iterator for Attributes<'a, E> {
    type Item = Result<Attribute<'a, E>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let offset = self.offset();
        let Some(head) = rest.first_chunk::<HEADER>() else {
            self.rest = &[];
            return Some(Err(Error::new(ErrorKind::Truncated, offset)));
        };
        let word = E::attribute_word(*head);
        let raw = (word >> 16) as u16;
        let len = (word & 0xffff) as usize;
        let Some(payload) = rest.get(HEADER..len) else {
            self.rest = &[];
            let kind = raw & !FLAGS_MASK;
            return Some(Err(Error::about(ErrorKind::BadLength, kind, offset)));
        };
        self.rest = rest.get(align(len)..).unwrap_or(&[]);
        Some(Ok(Attribute {
            raw,
            offset: offset as u32,
            payload,
            order: PhantomData,
        }))
    }
}

impl<E: Order> core::iter::FusedIterator for Attributes<'_, E> {}

impl<E: Order> fmt::Debug for Attributes<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for attribute in *self {
            match attribute {
                Ok(attribute) => list.entry(&attribute),
                Err(error) => list.entry(&error),
            };
        }
        list.finish()
    }
}
