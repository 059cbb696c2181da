//! Reading attributes.

use core::fmt;
use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{align, past};
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};
use crate::set::inner::FAST;

/// Length of an attribute's header.
pub(crate) const HEADER: usize = 4;
/// `NLA_F_NESTED | NLA_F_NET_BYTEORDER`.
pub(crate) const FLAGS_MASK: u16 = 0xc000;
/// Type and length without them.
#[doc(hidden)]
pub const BARE: u32 = !((FLAGS_MASK as u32) << 16);

pub(crate) const NESTED: u16 = 0x8000;
const NET_BYTEORDER: u16 = 0x4000;

/// What an attribute of a known type must be: its length in bytes, 0 for any, and whether
/// it may come in network order.
#[doc(hidden)]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Form(u8);

impl Form {
    /// Of any length.
    pub(crate) const ANY: Self = Self(0);
    /// Nothing to be read.
    pub(crate) const PADDING: Self = Self(0x40);
    /// A string.
    pub(crate) const TEXT: Self = Self(0x20);
    const NUMBER: u8 = 0x80;
    const LEN: u8 = 0x1f;

    /// This many bytes.
    pub(crate) const fn bytes(len: usize) -> Self {
        Self(len as u8 & Self::LEN)
    }

    /// The same, a number in the machine's order unless it is flagged.
    pub(crate) const fn with_number(self) -> Self {
        Self(self.0 | Self::NUMBER)
    }

    pub(crate) const fn is_number(self) -> bool {
        self.0 & Self::NUMBER != 0
    }

    pub(crate) const fn is_padding(self) -> bool {
        self.0 == Self::PADDING.0
    }

    /// What is wrong with one that is not like this.
    pub(crate) const fn fault(self) -> ErrorKind {
        if self.0 == Self::TEXT.0 {
            ErrorKind::BadString
        } else {
            ErrorKind::BadSize
        }
    }

    /// Its length in bytes; 0 for any length.
    pub(crate) const fn len(self) -> usize {
        (self.0 & Self::LEN) as usize
    }
}

/// The attributes that a decoder knows, by type number.
#[doc(hidden)]
pub type Forms = [(u16, Form)];

/// One attribute, borrowed from the buffer it was received in.
///
/// The typed reads check the length to the byte: a `u32` of three or of five
/// bytes is [`ErrorKind::BadSize`].
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[doc(alias = "nlattr")]
pub struct Attribute<'a, E: Order = Native> {
    raw: u16,
    offset: u32,
    payload: &'a [u8],
    order: PhantomData<E>,
}

impl<'a, E: Order> Attribute<'a, E> {
    /// The number of its type (`nla_type`), without flags.
    #[inline(always)]
    #[doc(alias = "nla_type")]
    pub const fn number(&self) -> u16 {
        self.raw & !FLAGS_MASK
    }

    /// Whether `NLA_F_NESTED` is set. The kernel does not set it everywhere:
    /// whether an attribute is a nest follows from its type.
    #[doc(alias = "NLA_F_NESTED")]
    pub const fn is_nested(&self) -> bool {
        self.raw & NESTED != 0
    }

    /// Whether `NLA_F_NET_BYTEORDER` is set. The typed reads follow it.
    #[doc(alias = "NLA_F_NET_BYTEORDER")]
    pub const fn is_net_byteorder(&self) -> bool {
        self.raw & NET_BYTEORDER != 0
    }

    /// The bytes after the header, without padding.
    #[inline(always)]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The offset of its header, in bytes from the start of the message.
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }

    /// An error of this kind about this attribute.
    #[inline(always)]
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::about(kind, self.number(), self.offset as usize)
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

    /// A number in the machine's order (or in network order if the attribute says so).
    #[inline]
    pub fn u16(&self) -> Result<u16, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u16::from_be_bytes(bytes)
        } else {
            E::u16(bytes)
        })
    }

    /// A number in the machine's order (or in network order if the attribute says so).
    #[inline]
    pub fn u32(&self) -> Result<u32, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u32::from_be_bytes(bytes)
        } else {
            E::u32(bytes)
        })
    }

    /// A number in the machine's order (or in network order if the attribute says so).
    #[inline]
    pub fn u64(&self) -> Result<u64, Error> {
        let bytes = self.bytes()?;
        Ok(if self.is_net_byteorder() {
            u64::from_be_bytes(bytes)
        } else {
            E::u64(bytes)
        })
    }

    /// Like [`Attribute::u32`], signed.
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

    /// A string: refused without its NUL, or with anything but NULs after
    /// the first.
    #[inline]
    pub fn text(&self) -> Result<Text<'a>, Error> {
        Text::read(self.payload).ok_or_else(|| self.error(ErrorKind::BadString))
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
            self.number(),
            self.offset,
            self.payload
        )
    }
}

/// A string with more than one NUL at its end, read byte by byte: small where [`Text::read`] is
/// fast.
#[cold]
fn padded_text(payload: &[u8]) -> Option<Text<'_>> {
    let end = payload.iter().position(|&b| b == 0)?;
    let (text, tail) = payload.split_at_checked(end)?;
    tail.iter().all(|&b| b == 0).then_some(Text(text))
}

/// Whether one of the bytes is 0.
#[inline(always)]
fn has_nul(text: &[u8]) -> bool {
    let Some((_, last)) = text.split_last_chunk::<16>() else {
        // Names of interfaces and their like.
        return two_have_nul(text).unwrap_or_else(|| !text.iter().all(|byte| *byte != 0));
    };
    // The last sixteen may overlap those before them.
    let mut least = *last;
    let mut rest = text;
    while let Some((chunk, tail)) = rest.split_first_chunk::<16>() {
        for (least, byte) in least.iter_mut().zip(chunk) {
            *least = (*byte).min(*least);
        }
        rest = tail;
    }
    least.iter().fold(false, |found, byte| found | (*byte == 0))
}

/// The same of eight to sixteen, by the first eight and the last, which may overlap.
#[inline(always)]
fn two_have_nul(text: &[u8]) -> Option<bool> {
    // Subtracting 1 from each byte borrows into the top bit of the lowest that is 0.
    let nuls = |bytes| {
        const ONES: u64 = u64::MAX / 0xff;
        let word = u64::from_le_bytes(bytes);
        word.wrapping_sub(ONES) & !word & ONES << 7
    };
    let (first, _) = text.split_first_chunk()?;
    let (_, last) = text.split_last_chunk()?;
    Some(nuls(*first) | nuls(*last) != 0)
}

/// A string of the kernel, without its NUL. Not always UTF-8: interface names are bytes.
#[derive(Copy, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// Nothing.
    pub const EMPTY: Self = Self(&[]);

    /// This text; `None` if it contains a NUL.
    pub fn new(text: &'a (impl AsRef<[u8]> + ?Sized)) -> Option<Self> {
        let bytes = text.as_ref();
        (!bytes.contains(&0)).then_some(Self(bytes))
    }

    /// The string in a payload, if it is one.
    // Not inlined: many sets have a string.
    #[inline(never)]
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        match Self::usual(payload) {
            Some(text) if FAST => Some(text),
            _ => padded_text(payload),
        }
    }

    /// The string in a payload that has one NUL, at its end.
    #[inline(always)]
    pub(crate) fn usual(payload: &'a [u8]) -> Option<Self> {
        match payload.split_last() {
            Some((0, text)) if !has_nul(text) => Some(Self(text)),
            _ => None,
        }
    }

    /// The string in a payload of nine to sixteen bytes that has one NUL, at its end:
    /// most names that the kernel gives.
    #[inline(always)]
    pub(crate) fn name(payload: &'a [u8]) -> Option<Self> {
        match payload.split_last() {
            Some((0, text)) if text.len() < 16 && !two_have_nul(text)? => Some(Self(text)),
            _ => None,
        }
    }

    /// The bytes, none of them 0.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The text if it is UTF-8.
    pub fn to_str(&self) -> Option<&'a str> {
        core::str::from_utf8(self.0).ok()
    }
}

impl AsRef<[u8]> for Text<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl PartialEq<[u8]> for Text<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl PartialEq<&[u8]> for Text<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
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
    /// In quotes and escaped like `str`: a user who may name an interface must not control the
    /// reader's terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.to_str() {
            return fmt::Debug::fmt(text, f);
        }
        f.write_str("\"")?;
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str("\"")
    }
}

/// The attributes in a piece of a message.
///
/// Yields each attribute, or one error and then nothing more. The last
/// attribute may lack its padding.
#[derive(Copy, Clone)]
#[must_use = "iterators are lazy"]
pub struct Attributes<'a, E: Order = Native> {
    rest: &'a [u8],
    // Where `rest` ends, in bytes from the start of the message. The walk only shortens `rest`;
    // positions are computed on demand.
    end: usize,
    order: PhantomData<E>,
}

impl<'a, E: Order> Attributes<'a, E> {
    /// No attributes.
    pub const NONE: Self = Self {
        rest: &[],
        end: 0,
        order: PhantomData,
    };
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
    #[doc(hidden)]
    #[inline(always)]
    pub fn continued_at(self, rest: &'a [u8]) -> Self {
        Self { rest, ..self }
    }

    /// Where the next attribute starts, in bytes from the start of the
    /// message.
    pub const fn offset(&self) -> usize {
        self.end.wrapping_sub(self.rest.len())
    }

    /// The content of the attribute with this number, if it is flagged as a nest and is the
    /// only one.
    #[inline(always)]
    pub(crate) fn only_nest(self, number: u16) -> Option<Self> {
        let (head, inside) = self.rest.split_first_chunk::<HEADER>()?;
        let word = E::attribute_word(*head);
        let (raw, len) = ((word >> 16) as u16, (word & 0xffff) as usize);
        (raw == number | NESTED && len == self.rest.len()).then(|| self.continued_at(inside))
    }

    /// The content of the last attribute with this number, as [`Attributes::find_last`]
    /// finds it.
    #[inline]
    pub fn find_nest(self, number: u16) -> Result<Option<Self>, Error> {
        if FAST {
            if let Some(inside) = self.only_nest(number) {
                return Ok(Some(inside));
            }
        }
        let found = self.find_last(number)?;
        Ok(found.map(|attribute| attribute.nested()))
    }

    /// The attributes in `inside`, which is a part of these.
    #[inline]
    pub(crate) fn inside(&self, inside: &'a [u8]) -> Self {
        let at = (inside.as_ptr() as usize).wrapping_sub(self.rest.as_ptr() as usize);
        let offset = if at <= self.rest.len() {
            self.offset().wrapping_add(at)
        } else {
            0
        };
        Self::at(inside, offset)
    }

    /// The last attribute with this number, which the kernel uses if there are several;
    /// errors before and after it count.
    #[inline(never)]
    pub fn find_last(self, number: u16) -> Result<Option<Attribute<'a, E>>, Error> {
        let (mut left, mut found) = (self, None);
        loop {
            let from = left.rest.len();
            let Some((raw, payload)) = left.take_next() else {
                break;
            };
            if raw & !FLAGS_MASK == number {
                found = Some((raw, payload, from));
            }
        }
        if !left.rest.is_empty() {
            // Of a copy, so that the walk itself stays in registers.
            let here = left;
            return Err(here.fault());
        }
        Ok(found.map(|(raw, payload, from)| Attribute {
            raw,
            offset: self.end.wrapping_sub(from) as u32,
            payload,
            order: PhantomData,
        }))
    }

    /// Takes the next attribute off: its type with its flags, and its payload. `None` at
    /// the end, and before one that does not fit, see [`Attributes::end`].
    #[inline(always)]
    pub(crate) fn take_next(&mut self) -> Option<(u16, &'a [u8])> {
        let (head, rest) = self.rest.split_first_chunk::<HEADER>()?;
        let word = E::attribute_word(*head);
        // A length below that of the header wraps around and is too large.
        let len = ((word & 0xffff) as usize).wrapping_sub(HEADER);
        let payload = rest.get(..len)?;
        self.rest = past(rest, len);
        Some(((word >> 16) as u16, payload))
    }

    /// Takes the next attribute off if it is this one, without flags and of this length:
    /// for those that the kernel sends in a fixed order.
    #[inline(always)]
    pub(crate) fn take_this<const LEN: usize>(&mut self, number: u16) -> Option<&'a [u8; LEN]> {
        let (whole, rest) = self.rest.split_at_checked(HEADER + align(LEN))?;
        let (head, payload) = whole.split_first_chunk::<HEADER>()?;
        let word = u32::from(number) << 16 | (HEADER + LEN) as u32;
        if E::attribute_word(*head) != word {
            return None;
        }
        self.rest = rest;
        payload.first_chunk()
    }

    /// Nothing if all has been walked, or the error of what does not fit.
    #[inline(always)]
    pub(crate) fn end(&self) -> Result<(), Error> {
        match self.rest {
            [] => Ok(()),
            _ => {
                // The address of a copy is taken, so that the walk itself stays in registers.
                let here = *self;
                Err(here.fault())
            }
        }
    }

    /// Why the next one does not fit.
    #[cold]
    #[inline(never)]
    pub(crate) fn fault(&self) -> Error {
        match self.rest.first_chunk::<HEADER>() {
            Some(head) => {
                let number = (E::attribute_word(*head) >> 16) as u16 & !FLAGS_MASK;
                Error::about(ErrorKind::BadLength, number, self.offset())
            }
            None => Error::new(ErrorKind::Truncated, self.offset()),
        }
    }
}

impl<'a, E: Order> Iterator for Attributes<'a, E> {
    type Item = Result<Attribute<'a, E>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset();
        match self.take_next() {
            Some((raw, payload)) => Some(Ok(Attribute {
                raw,
                offset: offset as u32,
                payload,
                order: PhantomData,
            })),
            None => {
                let fault = self.fault();
                self.rest = &[];
                Some(Err(fault))
            }
        }
    }
}

impl<E: Order> core::iter::FusedIterator for Attributes<'_, E> {}

impl<E: Order> PartialEq for Attributes<'_, E> {
    /// Whether the bytes are the same, at whatever offset.
    fn eq(&self, other: &Self) -> bool {
        self.rest == other.rest
    }
}

impl<E: Order> Eq for Attributes<'_, E> {}

impl<E: Order> core::hash::Hash for Attributes<'_, E> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.rest.hash(state);
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, Vec};

    fn first(hexadecimal: &str) -> Result<Attribute<'static, Little>, Error> {
        let bytes = bytes(hexadecimal).leak();
        Attributes::with_order(bytes).next().unwrap()
    }

    #[test]
    fn typed_reads_want_the_length_to_the_byte() {
        assert_eq!(first("0500 0100 07").unwrap().u8(), Ok(7));
        assert_eq!(first("0600 0100 0102").unwrap().u16(), Ok(0x201));
        assert_eq!(first("0600 0100 0102").unwrap().be16(), Ok(0x102));
        assert_eq!(first("0800 0100 01020304").unwrap().u32(), Ok(0x0403_0201));
        assert_eq!(first("0800 0140 01020304").unwrap().u32(), Ok(0x0102_0304));
        for (wrong, hexadecimal) in [(7, "0700 0300 010203"), (9, "0900 0300 0102030405")] {
            let attribute = first(hexadecimal).unwrap();
            assert_eq!(attribute.payload().len() + 4, wrong);
            let error = attribute.u32().unwrap_err();
            assert_eq!(
                (error.kind(), error.attribute()),
                (ErrorKind::BadSize, Some(3))
            );
        }
    }

    #[test]
    fn a_text_ends_with_its_only_nul() {
        let text = |payload: &[u8]| {
            let mut bytes = Vec::from(((payload.len() + 4) as u16).to_le_bytes());
            bytes.extend([1, 0]);
            bytes.extend(payload);
            let attribute = Attributes::<Little>::with_order(&bytes).next().unwrap();
            attribute
                .unwrap()
                .text()
                .map(|text| Vec::from(text.as_bytes()))
        };
        for len in 0..40 {
            let mut payload: Vec<u8> = (1..=len).collect();
            assert!(text(&payload).is_err(), "no NUL after {len}");
            payload.push(0);
            assert_eq!(text(&payload).unwrap(), payload[..len as usize]);
            payload.push(0);
            assert_eq!(text(&payload).unwrap(), payload[..len as usize]);
            for at in 0..len as usize {
                let mut holed = payload.clone();
                holed[at] = 0;
                assert!(
                    text(&holed).is_err() || at + 1 == len as usize,
                    "NUL at {at} of {len}"
                );
            }
        }
        // Bytes with the top bit set are not mistaken for a borrow.
        assert_eq!(
            text(&[0x80, 0x81, 0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0])
                .unwrap()
                .len(),
            9
        );
    }

    #[test]
    fn a_text_is_shown_as_it_is_and_debugged_without_control_characters() {
        use std::format;
        extern crate std;
        for text in ["eth0", "it's \"x\" \\", "\u{1b}[31m\n", "\u{200b}ü\u{300}"] {
            assert_eq!(format!("{:?}", Text(text.as_bytes())), format!("{text:?}"));
            assert_eq!(format!("{}", Text(text.as_bytes())), text);
        }
        assert_eq!(format!("{:?}", Text(b"a\xff\x1b")), "\"a\\xff\\u{1b}\"");
        assert_eq!(format!("{}", Text(b"a\xff")), "a\\xff");
    }

    #[test]
    fn offsets_are_counted_from_the_start_of_the_message() {
        let nest = bytes("0014 8001 0008 0002 00000007 0005 0003 09");
        let attribute = Attributes::<Big>::at(&nest, 20).next().unwrap();
        let offset = attribute.unwrap_err();
        assert_eq!((offset.kind(), offset.offset()), (ErrorKind::BadLength, 20));
        let nest = bytes("0011 8001 0008 0002 00000007 0005 0003 09");
        let attribute = Attributes::<Big>::at(&nest, 20).next().unwrap().unwrap();
        let inside: Vec<_> = attribute.nested().map(|a| a.unwrap().offset()).collect();
        assert_eq!(inside, [24, 32]);
    }

    #[test]
    fn a_nest_is_found_alone_and_among_others() {
        let alone = bytes("0c00 0180 0800 0200 07000000");
        let among = bytes("0500 0900 01000000 0c00 0180 0800 0200 07000000");
        let twice = bytes("0800 0180 0400 0300 0c00 0180 0800 0200 07000000");
        for bytes in [alone, among, twice] {
            let nest = Attributes::<Little>::with_order(&bytes)
                .find_nest(1)
                .unwrap()
                .unwrap();
            assert_eq!(nest.find_last(2).unwrap().unwrap().u32(), Ok(7));
        }
        // The last one, with nothing in it.
        let empty = bytes("0500 0900 01000000 0400 0180");
        let all = Attributes::<Little>::with_order(&empty);
        assert_eq!(all.find_last(1).unwrap().unwrap().offset(), 8);
        assert_eq!(all.find_nest(1).unwrap().unwrap().offset(), 12);
        let broken = bytes("0c00 0180 0800 0200 07000000 0300 0000");
        assert!(Attributes::<Little>::with_order(&broken)
            .find_nest(1)
            .is_err());
    }
}
