//! Reading attributes.

use core::fmt;
use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::behind;
use crate::error::{Error, ErrorKind};
use crate::order::{Big, Native, Order};

/// Length of an attribute's header.
pub(crate) const HEADER: usize = 4;
/// `NLA_F_NESTED | NLA_F_NET_BYTEORDER`.
const FLAGS_MASK: u16 = 0xc000;
/// Type and length without them.
pub(crate) const BARE: u32 = !((FLAGS_MASK as u32) << 16);

const NESTED: u16 = 0x8000;
const NET_BYTEORDER: u16 = 0x4000;

/// What an attribute of a known type has to be: its length in bytes, with
/// [`Form::NUMBER`] where it may come in network order, or one of the others.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) struct Form(u8);

impl Form {
    /// Of any length.
    pub(crate) const ANY: Self = Self(0);
    /// A string.
    pub(crate) const TEXT: Self = Self(0x40);
    const NUMBER: u8 = 0x80;
    const LEN: u8 = 0x1f;

    /// A number of so many bytes, in the machine's order unless it is flagged.
    pub(crate) const fn number(len: usize) -> Self {
        Self(len as u8 | Self::NUMBER)
    }

    /// So many bytes, in whatever order they are.
    pub(crate) const fn bytes(len: usize) -> Self {
        Self(len as u8 & Self::LEN)
    }

    /// The bytes it has; 0 where they may be any number.
    pub(crate) const fn len(self) -> usize {
        (self.0 & Self::LEN) as usize
    }

    /// What is wrong with a value.
    #[inline(always)]
    fn fault(self, value: &[u8]) -> Option<ErrorKind> {
        let len = usize::from(self.0 & Self::LEN);
        if len != 0 && len != value.len() {
            Some(ErrorKind::BadSize)
        } else if self == Self::TEXT && padded_text(value).is_none() {
            Some(ErrorKind::BadString)
        } else {
            None
        }
    }
}

/// The attributes that a decoder knows, by type number.
pub(crate) type Forms = [(u16, Form)];

/// Which attributes [`Attributes::pick`] found: bit `n` is the row `n`.
#[derive(Copy, Clone)]
pub(crate) struct Present(pub(crate) u32);

impl Present {
    /// The value of a row, if the attribute was there.
    #[inline(always)]
    pub(crate) fn then(self, row: u32, value: u32) -> Option<u32> {
        if self.0 >> row & 1 != 0 {
            Some(value)
        } else {
            None
        }
    }
}

/// Places for what [`Attributes::pick`] finds with `N - 1` forms.
pub(crate) const fn nothing<const N: usize>() -> [u32; N] {
    let mut values = [Spot::NONE.0; N];
    if let Some(present) = values.last_mut() {
        *present = 0;
    }
    values
}

/// Where [`Attributes::pick`] found an attribute: bytes from the first one.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot(pub(crate) u32);

impl Spot {
    /// Nowhere.
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Whether it is somewhere, and not in front of `other`.
    pub(crate) fn is_behind(self, other: Self) -> bool {
        self != Self::NONE && (other == Self::NONE || self.0 > other.0)
    }
}

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
    /// The number of its type (`nla_type`), flags taken off.
    #[inline(always)]
    pub const fn number(&self) -> u16 {
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

    /// A number of `len` bytes where it is hardly ever read this way.
    #[inline(always)]
    pub(crate) fn rare_number(&self, len: usize) -> Result<u32, Error> {
        // In pieces: a reference would keep the whole of it in memory.
        rare_number::<E>(self.raw, self.offset, self.payload, len)
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
        Text::read(self.payload).ok_or_else(|| self.error(ErrorKind::BadString))
    }

    /// Whether it is what it has to be.
    #[inline(always)]
    fn check(&self, form: Form) -> Result<(), Error> {
        match form.fault(self.payload) {
            Some(fault) => Err(self.error(fault)),
            None => Ok(()),
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
            self.number(),
            self.offset,
            self.payload
        )
    }
}

#[cold]
#[inline(never)]
fn rare_number<E: Order>(raw: u16, offset: u32, payload: &[u8], len: usize) -> Result<u32, Error> {
    let attribute = Attribute {
        raw,
        offset,
        payload,
        order: PhantomData::<E>,
    };
    attribute.check(Form::number(len))?;
    let number = if attribute.is_net_byteorder() {
        Big::number(payload)
    } else {
        E::number(payload)
    };
    Ok(number.unwrap_or(0) as u32)
}

/// A string that is short or has more than one NUL at its end, byte by byte:
/// small where [`Text::read`] is fast.
#[cold]
fn padded_text(payload: &[u8]) -> Option<Text<'_>> {
    let end = payload.iter().position(|&b| b == 0)?;
    let (text, tail) = payload.split_at_checked(end)?;
    tail.iter().all(|&b| b == 0).then_some(Text(text))
}

/// The top bit of each byte up to the first that is 0, if it is; what is set
/// above that means nothing. Subtracting 1 from each borrows into the top bit
/// of the lowest one that is 0.
#[inline(always)]
fn nuls(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let word = u64::from_le_bytes(bytes);
    word.wrapping_sub(ONES) & !word & ONES << 7
}

/// A string of the kernel, its NUL taken off. Not always UTF-8: interface
/// names are bytes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// The string in a payload, if it is one.
    #[inline]
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        Self::usual(payload).or_else(|| padded_text(payload))
    }

    /// The string in a payload that is not short and has one NUL, at its end.
    #[inline(always)]
    pub(crate) fn usual(payload: &'a [u8]) -> Option<Self> {
        // The last eight bytes first: they may overlap those in front of them.
        let (front, end) = payload.split_last_chunk()?;
        if nuls(*end) != 1 << 63 {
            return None;
        }
        let mut left = front.len();
        let mut rest = payload;
        while left > 0 {
            let (chunk, tail) = rest.split_first_chunk()?;
            if nuls(*chunk) != 0 {
                return None;
            }
            rest = tail;
            left = left.saturating_sub(chunk.len());
        }
        let (_, text) = payload.split_last()?;
        Some(Self(text))
    }

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
    /// In quotes and escaped as `str` is: whoever may name an interface must
    /// not write to the terminal of the reader.
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

    /// What is inside the last attribute with this number, as
    /// [`Attributes::find_last`] finds it.
    #[inline]
    pub fn find_nest(self, number: u16) -> Result<Option<Self>, Error> {
        // The usual case: it is flagged, the only one, and fills all.
        if let Some((head, inside)) = self.rest.split_first_chunk::<HEADER>() {
            let word = E::attribute_word(*head);
            let (raw, len) = ((word >> 16) as u16, (word & 0xffff) as usize);
            if raw == number | NESTED && len == self.rest.len() {
                return Ok(Some(self.continued_at(inside)));
            }
        }
        let found = self.find_last(number)?;
        Ok(found.map(|attribute| attribute.nested()))
    }

    /// Takes the next attribute, which is unusual, and writes it as it would
    /// usually be: without flags, in order `E`, with zeros behind it. Whether it
    /// is in `forms`. None of sixteen bytes comes here: flags do not make those
    /// unusual.
    #[cold]
    #[inline(never)]
    pub(crate) fn take_odd(&mut self, forms: &Forms, usual: &mut [u8; 16]) -> Result<bool, Error> {
        let Some(attribute) = self.next() else {
            return Ok(true);
        };
        let attribute = attribute?;
        let Some((number, form)) = forms
            .iter()
            .find(|(number, _)| *number == attribute.number())
        else {
            return Ok(false);
        };
        let payload = attribute.payload;
        let len = form.len();
        if len != payload.len() && len != 0 {
            return Err(attribute.error(ErrorKind::BadSize));
        }
        let word = u32::from(*number) << 16 | (HEADER + len) as u32;
        let [w0, w1, w2, w3, value @ ..] = usual;
        [*w0, *w1, *w2, *w3] = E::put_attribute_word(word);
        let reversed =
            form.0 & Form::NUMBER != 0 && attribute.is_net_byteorder() && E::u16([1, 0]) == 1;
        for (at, to) in value.iter_mut().enumerate() {
            let from = if reversed {
                len.wrapping_sub(1 + at)
            } else {
                at
            };
            *to = payload.get(from).copied().unwrap_or(0);
        }
        Ok(true)
    }

    /// Checks all attributes against what they have to be. `values` has a place
    /// for each of `forms`: numbers get their value, others the [`Spot`] of the
    /// last of them. Then comes a place for [`Present`].
    #[inline(never)]
    pub(crate) fn pick(&self, forms: &Forms, values: &mut [u32]) -> Result<(), Error> {
        for attribute in *self {
            let attribute = attribute?;
            let row = forms.iter().position(|row| row.0 == attribute.number());
            let Some(row) = row else { continue };
            let Some((_, form)) = forms.get(row) else {
                continue;
            };
            attribute.check(*form)?;
            let Some(value) = values.get_mut(row) else {
                continue;
            };
            *value = if form.0 & Form::NUMBER == 0 {
                self.spot_of(&attribute).0
            } else if attribute.is_net_byteorder() {
                Big::number(attribute.payload).unwrap_or(0) as u32
            } else {
                E::number(attribute.payload).unwrap_or(0) as u32
            };
            if let Some(present) = values.last_mut() {
                *present |= 1u32.wrapping_shl(row as u32);
            }
        }
        Ok(())
    }

    /// The value of the attribute that was picked there.
    #[inline(never)]
    pub(crate) fn picked(&self, spot: Spot) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.get(spot.0 as usize..)?.split_first_chunk()?;
        let len = (E::attribute_word(*head) & 0xffff) as usize;
        rest.get(..len.wrapping_sub(HEADER))
    }

    /// Where this one of these attributes is.
    #[inline(always)]
    pub(crate) fn spot_of(&self, attribute: &Attribute<'a, E>) -> Spot {
        // Nothing is lost: messages have less than 4 GiB.
        Spot((attribute.offset() - self.offset()) as u32)
    }

    /// The attributes inside the attribute that was picked there; none where
    /// there is none.
    #[inline]
    pub(crate) fn nest_at(&self, spot: Spot) -> Self {
        match self.picked(spot) {
            Some(inside) => Self::at(inside, self.offset_of(spot) + HEADER),
            None => self.continued_at(&[]),
        }
    }

    /// The string that was picked there.
    #[inline(never)]
    pub(crate) fn picked_text(&self, spot: Spot) -> Option<Text<'a>> {
        padded_text(self.picked(spot)?)
    }

    /// Offset of the attribute that was picked there.
    pub(crate) const fn offset_of(&self, spot: Spot) -> usize {
        self.offset() + spot.0 as usize
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

    /// Takes what comes next, if it is these attributes, of up to four bytes
    /// each, and as usual in everything: their values with padding. `ALL` is
    /// their length.
    #[inline(always)]
    pub(crate) fn take_run<const N: usize, const ALL: usize>(
        &mut self,
        words: [u32; N],
    ) -> Option<[[u8; 4]; N]> {
        const { assert!(ALL == N * 2 * HEADER) };
        let (run, rest) = self.rest.split_first_chunk::<ALL>()?;
        let mut values = [[0; 4]; N];
        let pairs = run.chunks_exact(2 * HEADER);
        for ((value, pair), word) in values.iter_mut().zip(pairs).zip(words) {
            let (head, tail) = pair.split_first_chunk()?;
            if E::attribute_word(*head) != word {
                return None;
            }
            *value = *tail.first_chunk()?;
        }
        self.rest = rest;
        Some(values)
    }

    /// The last attribute with this number, as the kernel chooses among
    /// several; an error in front of it or behind it is an error.
    pub fn find_last(self, number: u16) -> Result<Option<Attribute<'a, E>>, Error> {
        let mut found = None;
        for attribute in self {
            let attribute = attribute?;
            if attribute.number() == number {
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
            let number = raw & !FLAGS_MASK;
            return Some(Err(Error::about(ErrorKind::BadLength, number, offset)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Little;
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
        let behind = bytes("0c00 0180 0800 0200 07000000 0300 0000");
        assert!(Attributes::<Little>::with_order(&behind)
            .find_nest(1)
            .is_err());
    }
}
