//! Reading attributes.

use core::fmt;
use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::behind;
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
    #[inline(always)]
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
    #[inline]
    pub fn text(&self) -> Result<Text<'a>, Error> {
        match self.payload.split_last() {
            Some((0, text)) if !has_nul(text) => Ok(Text(text)),
            _ => padded_text(self.payload).ok_or_else(|| self.error(ErrorKind::BadString)),
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

/// A string with more than one NUL at its end.
#[cold]
fn padded_text(payload: &[u8]) -> Option<Text<'_>> {
    let end = payload.iter().position(|&b| b == 0)?;
    let (text, tail) = payload.split_at_checked(end)?;
    tail.iter().all(|&b| b == 0).then_some(Text(text))
}

/// Whether one of the bytes is 0.
#[inline]
fn has_nul(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((chunk, tail)) = rest.split_first_chunk() {
        if word_has_nul(*chunk) {
            return true;
        }
        rest = tail;
    }
    match bytes.last_chunk() {
        // What is left, and some bytes for the second time.
        Some(chunk) => word_has_nul(*chunk),
        None => rest.contains(&0),
    }
}

/// Whether one of eight bytes is 0: subtracting 1 from each borrows into the
/// top bit of the lowest one that is.
#[inline(always)]
fn word_has_nul(bytes: [u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    let word = u64::from_le_bytes(bytes);
    word.wrapping_sub(ONES) & !word & ONES << 7 != 0
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
    end: usize,
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
            end: offset.wrapping_add(bytes.len()),
            order: PhantomData,
        }
    }

    /// The bytes that have not been walked yet.
    #[inline(always)]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.rest
    }

    /// The same walk at `rest`, a tail of what is left.
    #[inline(always)]
    pub(crate) fn continued_at(self, rest: &'a [u8]) -> Self {
        Self { rest, ..self }
    }

    /// Where the next attribute starts, in bytes from the start of the
    /// message.
    pub const fn offset(&self) -> usize {
        self.end.wrapping_sub(self.rest.len())
    }

    /// What is inside the last attribute of type `kind`, as
    /// [`Attributes::find_last`] finds it.
    #[inline]
    pub fn find_nest(self, kind: u16) -> Result<Option<Self>, Error> {
        // The usual case: it is the only one and fills all.
        if let Some((head, inside)) = self.rest.split_first_chunk::<HEADER>() {
            let word = E::attribute_word(*head);
            let (raw, len) = ((word >> 16) as u16, (word & 0xffff) as usize);
            if raw & !FLAGS_MASK == kind && len == self.rest.len() {
                return Ok(Some(self.continued_at(inside)));
            }
        }
        let found = self.find_last(kind)?;
        Ok(found.map(|attribute| attribute.nested()))
    }

    /// One value for each attribute, made by `read`: the entries of a list.
    /// Ends after the first error, be it of the list or in an entry.
    #[inline]
    pub(crate) fn entries<T, F>(self, read: F) -> impl Iterator<Item = Result<T, Error>> + 'a
    where
        T: 'a,
        E: 'a,
        F: Fn(Attribute<'a, E>) -> Result<T, Error> + 'a,
    {
        let mut left = self;
        core::iter::from_fn(move || {
            let entry = left.next()?.and_then(&read);
            if entry.is_err() {
                left = left.continued_at(&[]);
            }
            Some(entry)
        })
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
        let Some((head, rest)) = rest.split_first_chunk::<HEADER>() else {
            self.rest = &[];
            return Some(Err(Error::new(ErrorKind::Truncated, offset)));
        };
        let word = E::attribute_word(*head);
        let raw = (word >> 16) as u16;
        // A length below that of the header wraps around and is too large.
        let len = ((word & 0xffff) as usize).wrapping_sub(HEADER);
        let Some(payload) = rest.get(..len) else {
            self.rest = &[];
            let kind = raw & !FLAGS_MASK;
            return Some(Err(Error::about(ErrorKind::BadLength, kind, offset)));
        };
        self.rest = behind(rest, len);
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
