//! Sets of attributes: what [`attribute_set!`](crate::attribute_set) generates, and the kinds
//! of attributes that a set can have.

use core::fmt::Debug;
use core::hash::Hash;
use core::marker::PhantomData;

use crate::error::{Error, ErrorKind};
use crate::netlink::{align, Attributes, Text, Writer};
use crate::order::{Native, Order};

/// The name of a set and those of its attributes, as one text: the name, then a
/// line `NUMBER NAME` for each.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names(&'static str);

impl Names {
    /// Used by [`attribute_set!`](crate::attribute_set).
    #[doc(hidden)]
    pub const fn of(text: &'static str) -> Self {
        Self(text)
    }

    /// The name of the set.
    pub fn set(&self) -> &'static str {
        cut(self.0, b'\n').0
    }

    /// The kernel's name of the attribute with this number.
    pub fn attribute(&self, number: u16) -> Option<&'static str> {
        let mut rest = cut(self.0, b'\n').1;
        while !rest.is_empty() {
            let (row, others) = cut(rest, b'\n');
            let (digits, name) = cut(row, b' ');
            if value_of(digits) == number {
                return Some(name);
            }
            rest = others;
        }
        None
    }
}

/// What comes before and after the first `at`. By hand: as far as the compiler knows, the
/// method of `str` can panic.
fn cut(text: &'static str, at: u8) -> (&'static str, &'static str) {
    match text.bytes().position(|byte| byte == at) {
        Some(end) => (
            text.get(..end).unwrap_or_default(),
            text.get(end + 1..).unwrap_or_default(),
        ),
        None => (text, ""),
    }
}

/// The value of decimal digits.
fn value_of(digits: &str) -> u16 {
    digits.bytes().fold(0, |value: u16, digit| {
        let digit = digit.wrapping_sub(b'0').into();
        value.wrapping_mul(10).wrapping_add(digit)
    })
}

/// A set of attributes: implemented by [`attribute_set!`](crate::attribute_set).
pub trait Set<'a, E: Order>: Sized + Debug {
    /// Its attributes, with names and types.
    const DESCRIPTION: &'static Description;

    /// Reads it.
    fn read_set(attributes: Attributes<'a, E>) -> Result<Self, Error>;
}

/// The attributes of a set, for printing any message.
#[derive(Debug)]
pub struct Description {
    /// The name of the set.
    pub name: &'static str,
    /// Its attributes.
    pub rows: &'static [Row],
}

impl Description {
    /// The attribute with this number.
    pub fn row(&self, number: u16) -> Option<&'static Row> {
        self.rows.iter().find(|row| row.number == number)
    }
}

/// An attribute of a set.
#[derive(Debug)]
pub struct Row {
    /// The number of its type.
    pub number: u16,
    /// The kernel's name without its prefix.
    pub name: &'static str,
    /// Its shape.
    pub shape: Shape,
}

/// What an attribute is, in a [`Row`].
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum Shape {
    /// An unsigned number in the machine's order, of 1, 2, 4 or 8 bytes.
    Unsigned,
    /// A signed number.
    Signed,
    /// A number in network order.
    Network,
    /// Only its presence.
    Flag,
    /// A value and the bits of it that count.
    Bitfield,
    /// A string.
    Text,
    /// Bytes.
    Bytes,
    /// A hardware address.
    Mac,
    /// An address of IPv4 or IPv6, distinguished by its length.
    Ip,
    /// Numbers of this length, one after another.
    List(u8),
    /// Attributes that no set describes.
    Attributes,
    /// Another set.
    Nest(&'static Description),
    /// Attributes with any numbers, each a set.
    Array(&'static Description),
    /// A number with names, for values or for bits.
    Named(fn(u64, &mut core::fmt::Formatter<'_>) -> core::fmt::Result),
    /// Fills space.
    Padding,
}

/// A kind of attribute. Those of netlink are in [`kind`]; for your own, implement [`Value`] and
/// write `value [Type]` in a set.
pub trait Kind<'a, E: Order> {
    /// What the set keeps.
    type Stored: Copy + Ord + Hash + Debug;
    /// What its method returns.
    type Found;
    /// What the builder takes.
    type Given;
    /// What is kept for one that is absent.
    const ABSENT: Self::Stored;
    /// Its length, [`ANY_LEN`] if that varies.
    const LEN: usize = ANY_LEN;
    /// Whether it is a number whose bytes `NLA_F_NET_BYTEORDER` reverses.
    const IS_NUMBER: bool = false;
    /// What is wrong with one that cannot be read.
    const FAULT: ErrorKind = ErrorKind::BadSize;
    /// How it is shown.
    const SHAPE: Shape;
    /// Reads a payload; `None` if it is not such a value. A number is in the machine's order.
    fn read(payload: &'a [u8]) -> Option<Self::Stored>;
    /// Reads one in its usual form; may refuse others that [`read`](Self::read) accepts.
    #[inline(always)]
    fn read_usual(payload: &'a [u8]) -> Option<Self::Stored> {
        Self::read(payload)
    }
    /// Reads one whose type, in the upper half of `word`, has flags.
    #[inline(always)]
    fn read_flagged(payload: &'a [u8], word: u32) -> Option<Self::Stored> {
        let _ = word;
        Self::read(payload)
    }
    /// Passes on what `Debug` is to show.
    fn show(stored: Self::Stored, all: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
        let _ = all;
        with(&stored);
    }
    /// What the method returns.
    fn find(stored: Self::Stored, present: bool, all: Attributes<'a, E>) -> Self::Found;
    /// What is kept of a value given to the builder.
    fn store(given: Self::Given) -> Self::Stored;
    /// Writes one.
    fn put(writer: &mut Writer<'_, E>, number: u16, stored: Self::Stored);
}

/// Any length: see [`Kind::LEN`].
pub const ANY_LEN: usize = usize::MAX;

/// A value of your own: written `value [Type]` in a set.
pub trait Value<'a, E: Order>: Copy + Ord + Hash + Debug {
    /// Stands for one that is absent.
    const ABSENT: Self;
    /// Its length, [`ANY_LEN`] if that varies.
    const LEN: usize = ANY_LEN;
    /// How it is shown.
    const SHAPE: Shape = Shape::Bytes;
    /// Reads a payload; `None` if it is not such a value.
    fn read(payload: &'a [u8]) -> Option<Self>;
    /// Writes one.
    fn put(self, writer: &mut Writer<'_, E>, number: u16);
}

/// A value and the bits of it that count (`struct nla_bitfield32`).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "nla_bitfield32")]
pub struct Bitfield32 {
    /// The value.
    pub value: u32,
    /// Which of its bits count.
    pub selector: u32,
}

/// The entries of an array of sets: each attribute is one, whatever its number. Ends after the
/// first error.
#[must_use = "iterators are lazy"]
pub struct Array<'a, T, E: Order = Native> {
    rest: Attributes<'a, E>,
    of: PhantomData<fn() -> T>,
}

impl<'a, T, E: Order> Array<'a, T, E> {
    /// The entries as attributes.
    pub const fn attributes(&self) -> Attributes<'a, E> {
        self.rest
    }
}

impl<T, E: Order> Copy for Array<'_, T, E> {}
impl<T, E: Order> Clone for Array<'_, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, T: Set<'a, E>, E: Order> Iterator for Array<'a, T, E> {
    type Item = Result<T, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.rest.next()?;
        let entry = entry.and_then(|entry| T::read_set(entry.nested()));
        if entry.is_err() {
            self.rest = self.rest.continued_at(&[]);
        }
        Some(entry)
    }
}

impl<'a, T: Set<'a, E>, E: Order> core::iter::FusedIterator for Array<'a, T, E> {}

impl<'a, T: Set<'a, E> + core::fmt::Debug, E: Order> core::fmt::Debug for Array<'a, T, E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

/// Numbers of one length, one after another.
#[must_use = "iterators are lazy"]
pub struct List<'a, T, E: Order = Native> {
    rest: &'a [u8],
    of: PhantomData<fn() -> (T, E)>,
}

impl<T, E: Order> Copy for List<'_, T, E> {}
impl<T, E: Order> Clone for List<'_, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

macro_rules! lists {
    ($($number:ident $len:literal $from:ident;)+) => {$(
        impl<E: Order> Iterator for List<'_, $number, E> {
            type Item = $number;

            #[inline]
            fn next(&mut self) -> Option<$number> {
                let (bytes, rest) = self.rest.split_first_chunk::<$len>()?;
                self.rest = rest;
                Some(lists!($from E bytes))
            }
        }

        impl<E: Order> core::iter::FusedIterator for List<'_, $number, E> {}

        impl<E: Order> core::fmt::Debug for List<'_, $number, E> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_list().entries(*self).finish()
            }
        }

        impl<'a, E: Order> Kind<'a, E> for kind::list<$number> {
            type Stored = &'a [u8];
            type Found = Option<List<'a, $number, E>>;
            type Given = &'a [u8];
            const ABSENT: &'a [u8] = &[];
            const SHAPE: Shape = Shape::List($len);
            #[inline(always)]
            fn read(payload: &'a [u8]) -> Option<&'a [u8]> {
                let whole = payload.chunks_exact($len).remainder().is_empty();
                whole.then_some(payload)
            }
            #[inline(always)]
            fn find(stored: &'a [u8], present: bool, _: Attributes<'a, E>) -> Self::Found {
                present.then_some(List { rest: stored, of: PhantomData })
            }
            fn show(stored: &'a [u8], _: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
                with(&List::<'a, $number, E> { rest: stored, of: PhantomData });
            }
            #[inline(always)]
            fn store(given: &'a [u8]) -> &'a [u8] {
                given
            }
            #[inline(always)]
            fn put(writer: &mut Writer<'_, E>, number: u16, stored: &'a [u8]) {
                writer.put_bytes(number, stored);
            }
        }
    )+};
    (u8 $E:ident $bytes:ident) => { $bytes[0] };
    (u16 $E:ident $bytes:ident) => { $E::u16(*$bytes) };
    (u32 $E:ident $bytes:ident) => { $E::u32(*$bytes) };
    (u64 $E:ident $bytes:ident) => { $E::u64(*$bytes) };
}

lists! {
    u8 1 u8;
    u16 2 u16;
    u32 4 u32;
    u64 8 u64;
}

/// The kinds of attributes of netlink, with their names in a set.
#[allow(non_camel_case_types)]
pub mod kind {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    /// A kind whose stored value is what its method returns.
    macro_rules! plain {
        ($(
            $(#[$doc:meta])*
            $name:ident: $type:ty, absent $absent:expr, len $len:expr, number $number:tt,
            shape $shape:expr, found $found:ident,
            read $E:ident $payload:ident $read:expr,
            put $w:ident $n:ident $v:ident $put:expr;
        )+) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl<'a, $E: Order> Kind<'a, $E> for $name {
                type Stored = $type;
                type Found = Option<$type>;
                type Given = $type;
                const ABSENT: $type = $absent;
                const LEN: usize = $len;
                const IS_NUMBER: bool = $number;
                const SHAPE: Shape = $shape;
                #[inline(always)]
                fn read($payload: &'a [B]) -> Option<$type> {
                    $read
                }
                #[inline(always)]
                fn find(stored: $type, present: bool, _: Attributes<'a, $E>) -> Option<$type> {
                    plain!($found stored present)
                }
                plain!(odd $number $type, $E);
                #[inline(always)]
                fn store(given: $type) -> $type {
                    given
                }
                #[inline(always)]
                fn put($w: &mut Writer<'_, $E>, $n: W2, $v: $type) {
                    $put;
                }
            }
        )+};
        (odd false $type:ty, $E:ident) => {};
        (odd true $type:ty, $E:ident) => {
            #[inline(always)]
            fn read_flagged(payload: &'a [B], word: W4) -> Option<$type> {
                let number = <Self as Kind<'a, $E>>::read(payload)?;
                if inner::is_net(word) && $E::u16([1, 0]) == 1 {
                    return inner::reordered::<Self, $E, $type>(payload);
                }
                Some(number)
            }
        };
        // What is absent is zero in a set, so the second condition never decides; but the
        // compiler learns from it, and `unwrap_or(0)` becomes a plain read.
        (number $stored:ident $present:ident) => {
            if $present || $stored != 0 { Some($stored) } else { None }
        };
        (whole $stored:ident $present:ident) => {
            if $present { Some($stored) } else { None }
        };
    }

    type B = core::primitive::u8;
    type W2 = core::primitive::u16;
    type W4 = core::primitive::u32;
    type W8 = core::primitive::u64;
    type S1 = core::primitive::i8;
    type S2 = core::primitive::i16;
    type S4 = core::primitive::i32;
    type S8 = core::primitive::i64;

    plain! {
        /// One byte.
        u8: B, absent 0, len 1, number true, shape Shape::Unsigned, found number,
            read E payload match *payload { [a] => Some(a), _ => None },
            put w n v w.put_u8(n, v);
        /// 16 bits in the machine's order, like all below.
        u16: W2, absent 0, len 2, number true, shape Shape::Unsigned, found number,
            read E payload match *payload { [a, b] => Some(E::u16([a, b])), _ => None },
            put w n v w.put_u16(n, v);
        /// 32 bits.
        u32: W4, absent 0, len 4, number true, shape Shape::Unsigned, found number,
            read E payload match *payload { [a, b, c, d] => Some(E::u32([a, b, c, d])), _ => None },
            put w n v w.put_u32(n, v);
        /// 64 bits.
        u64: W8, absent 0, len 8, number true, shape Shape::Unsigned, found number,
            read E payload match payload.first_chunk() {
                Some(bytes) if payload.len() == 8 => Some(E::u64(*bytes)),
                _ => None,
            },
            put w n v w.put_u64(n, v);
        /// One byte with a sign.
        i8: S1, absent 0, len 1, number true, shape Shape::Signed, found number,
            read E payload match *payload { [a] => Some(a as S1), _ => None },
            put w n v w.put_u8(n, v as B);
        /// 16 bits with a sign.
        i16: S2, absent 0, len 2, number true, shape Shape::Signed, found number,
            read E payload match *payload { [a, b] => Some(E::u16([a, b]) as S2), _ => None },
            put w n v w.put_u16(n, v as W2);
        /// 32 bits with a sign.
        i32: S4, absent 0, len 4, number true, shape Shape::Signed, found number,
            read E payload match *payload { [a, b, c, d] => Some(E::u32([a, b, c, d]) as S4), _ => None },
            put w n v w.put_i32(n, v);
        /// 64 bits with a sign.
        i64: S8, absent 0, len 8, number true, shape Shape::Signed, found number,
            read E payload match payload.first_chunk() {
                Some(bytes) if payload.len() == 8 => Some(E::u64(*bytes) as S8),
                _ => None,
            },
            put w n v w.put_i64(n, v);
        /// 16 bits that are always in network order.
        be16: W2, absent 0, len 2, number false, shape Shape::Network, found number,
            read E payload match *payload { [a, b] => Some(W2::from_be_bytes([a, b])), _ => None },
            put w n v w.put_be16(n, v);
        /// 32 bits that are always in network order.
        be32: W4, absent 0, len 4, number false, shape Shape::Network, found number,
            read E payload match *payload { [a, b, c, d] => Some(W4::from_be_bytes([a, b, c, d])), _ => None },
            put w n v w.put_be32(n, v);
        /// 64 bits that are always in network order.
        be64: W8, absent 0, len 8, number false, shape Shape::Network, found number,
            read E payload match payload.first_chunk() {
                Some(bytes) if payload.len() == 8 => Some(W8::from_be_bytes(*bytes)),
                _ => None,
            },
            put w n v w.put_be64(n, v);
        /// A number of 32 or 64 bits, whichever the kernel chose (`NLA_UINT`).
        uint: W8, absent 0, len ANY_LEN, number true, shape Shape::Unsigned, found number,
            read E payload match payload.len() { 4 | 8 => E::number(payload), _ => None },
            put w n v w.put_uint(n, v);
        /// The same with a sign (`NLA_SINT`).
        sint: S8, absent 0, len ANY_LEN, number true, shape Shape::Signed, found number,
            read E payload match (payload.len(), E::number(payload)) {
                (4, Some(number)) => Some(S8::from(number as S4)),
                (8, Some(number)) => Some(number as S8),
                _ => None,
            },
            put w n v w.put_sint(n, v);
        /// An address of IPv4.
        ipv4: Ipv4Addr, absent Ipv4Addr::UNSPECIFIED, len 4, number false, shape Shape::Ip, found whole,
            read E payload match *payload { [a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)), _ => None },
            put w n v w.put_ipv4(n, v);
        /// An address of IPv6.
        ipv6: Ipv6Addr, absent Ipv6Addr::UNSPECIFIED, len 16, number false, shape Shape::Ip, found whole,
            read E payload match payload.first_chunk::<16>() {
                Some(bytes) if payload.len() == 16 => Some(Ipv6Addr::from(*bytes)),
                _ => None,
            },
            put w n v w.put_ipv6(n, v);
        /// An address of either, distinguished by its length.
        ip: IpAddr, absent IpAddr::V4(Ipv4Addr::UNSPECIFIED), len ANY_LEN, number false, shape Shape::Ip, found whole,
            read E payload match (payload.len(), payload.first_chunk::<16>()) {
                (16, Some(bytes)) => Some(IpAddr::V6(Ipv6Addr::from(*bytes))),
                _ => match *payload {
                    [a, b, c, d] => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
                    _ => None,
                },
            },
            put w n v crate::inet::put(w, n, v);
        /// A hardware address of six bytes.
        mac: [B; 6], absent [0; 6], len 6, number false, shape Shape::Mac, found whole,
            read E payload payload.try_into().ok(),
            put w n v w.put_bytes(n, &v);
        /// A value and the bits of it that count.
        bitfield32: Bitfield32, absent Bitfield32 { value: 0, selector: 0 }, len 8, number false, shape Shape::Bitfield, found whole,
            read E payload match payload.split_first_chunk() {
                Some((first, rest)) => rest.try_into().ok().map(|selector| Bitfield32 {
                    value: E::u32(*first),
                    selector: E::u32(selector),
                }),
                None => None,
            },
            put w n v {
                let [a, b, c, d] = E::put_u32(v.value);
                let [e, f, g, h] = E::put_u32(v.selector);
                w.put_bytes(n, &[a, b, c, d, e, f, g, h])
            };
        /// Bytes.
        bytes: &'a [B], absent &[], len ANY_LEN, number false, shape Shape::Bytes, found whole,
            read E payload Some(payload),
            put w n v w.put_bytes(n, v);
        /// An address of the family that the fixed part of the message names, as bytes: any
        /// other length is refused.
        address: &'a [B], absent &[], len ANY_LEN, number false, shape Shape::Ip, found whole,
            read E payload Some(payload),
            put w n v w.put_bytes(n, v);
    }

    /// A string: one without its NUL, or with more after it, is refused.
    #[derive(Debug)]
    pub enum string {}

    impl<'a, E: Order> Kind<'a, E> for string {
        type Stored = Text<'a>;
        type Found = Option<Text<'a>>;
        type Given = Text<'a>;
        const ABSENT: Text<'a> = Text::EMPTY;
        const FAULT: ErrorKind = ErrorKind::BadString;
        const SHAPE: Shape = Shape::Text;
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<Text<'a>> {
            Text::read(payload)
        }
        // Without a call, for which registers would have to be saved.
        #[inline(always)]
        fn read_usual(payload: &'a [B]) -> Option<Text<'a>> {
            Text::usual(payload)
        }
        #[inline(always)]
        fn find(stored: Text<'a>, present: bool, _: Attributes<'a, E>) -> Option<Text<'a>> {
            if present {
                Some(stored)
            } else {
                None
            }
        }
        #[inline(always)]
        fn store(given: Text<'a>) -> Text<'a> {
            given
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: Text<'a>) {
            writer.put_text(number, stored.as_bytes());
        }
    }

    /// Only its presence (`NLA_FLAG`); its content does not matter.
    #[derive(Debug)]
    pub enum flag {}

    impl<'a, E: Order> Kind<'a, E> for flag {
        type Stored = ();
        type Found = bool;
        type Given = ();
        const ABSENT: () = ();
        const SHAPE: Shape = Shape::Flag;
        #[inline(always)]
        fn read(_: &'a [B]) -> Option<()> {
            Some(())
        }
        #[inline(always)]
        fn find((): (), present: bool, _: Attributes<'a, E>) -> bool {
            present
        }
        #[inline(always)]
        fn store((): ()) {}
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, (): ()) {
            writer.put_bytes(number, &[]);
        }
    }

    /// Attributes that no set describes.
    #[derive(Debug)]
    pub enum attributes {}

    impl<'a, E: Order> Kind<'a, E> for attributes {
        type Stored = &'a [B];
        type Found = Option<Attributes<'a, E>>;
        type Given = Attributes<'a, E>;
        const ABSENT: &'a [B] = &[];
        const SHAPE: Shape = Shape::Attributes;
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<&'a [B]> {
            Some(payload)
        }
        #[inline(always)]
        fn find(stored: &'a [B], present: bool, all: Attributes<'a, E>) -> Self::Found {
            if present {
                Some(all.inside(stored))
            } else {
                None
            }
        }
        fn show(stored: &'a [B], all: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
            with(&all.inside(stored));
        }
        #[inline(always)]
        fn store(given: Attributes<'a, E>) -> &'a [B] {
            given.as_bytes()
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: &'a [B]) {
            writer.put_bytes(number | crate::netlink::NESTED, stored);
        }
    }

    /// Another set; it is read on demand.
    #[derive(Debug)]
    pub struct nest<T>(PhantomData<T>);

    impl<'a, E: Order, T: Set<'a, E>> Kind<'a, E> for nest<T> {
        type Stored = &'a [B];
        type Found = Result<Option<T>, Error>;
        type Given = Attributes<'a, E>;
        const ABSENT: &'a [B] = &[];
        const SHAPE: Shape = Shape::Nest(T::DESCRIPTION);
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<&'a [B]> {
            Some(payload)
        }
        #[inline]
        fn find(stored: &'a [B], present: bool, all: Attributes<'a, E>) -> Self::Found {
            if present {
                T::read_set(all.inside(stored)).map(Some)
            } else {
                Ok(None)
            }
        }
        fn show(stored: &'a [B], all: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
            match T::read_set(all.inside(stored)) {
                Ok(set) => with(&set),
                Err(error) => with(&error),
            }
        }
        #[inline(always)]
        fn store(given: Attributes<'a, E>) -> &'a [B] {
            given.as_bytes()
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: &'a [B]) {
            writer.put_bytes(number | crate::netlink::NESTED, stored);
        }
    }

    /// Attributes with any numbers, each a set; they are read as they are walked.
    #[derive(Debug)]
    pub struct array<T>(PhantomData<T>);

    impl<'a, E: Order, T: Set<'a, E>> Kind<'a, E> for array<T> {
        type Stored = &'a [B];
        type Found = Array<'a, T, E>;
        type Given = Attributes<'a, E>;
        const ABSENT: &'a [B] = &[];
        const SHAPE: Shape = Shape::Array(T::DESCRIPTION);
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<&'a [B]> {
            Some(payload)
        }
        #[inline(always)]
        fn find(stored: &'a [B], _: bool, all: Attributes<'a, E>) -> Self::Found {
            Array {
                rest: all.inside(stored),
                of: PhantomData,
            }
        }
        fn show(stored: &'a [B], all: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
            with(&Self::find(stored, true, all));
        }
        #[inline(always)]
        fn store(given: Attributes<'a, E>) -> &'a [B] {
            given.as_bytes()
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: &'a [B]) {
            writer.put_bytes(number | crate::netlink::NESTED, stored);
        }
    }

    /// Numbers of one length, one after another.
    #[derive(Debug)]
    pub struct list<T>(PhantomData<T>);

    /// A type of your own, see [`Value`].
    #[derive(Debug)]
    pub struct value<T>(PhantomData<T>);

    impl<'a, E: Order, T: Value<'a, E>> Kind<'a, E> for value<T> {
        type Stored = T;
        type Found = Option<T>;
        type Given = T;
        const ABSENT: T = T::ABSENT;
        const LEN: usize = T::LEN;
        const SHAPE: Shape = T::SHAPE;
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<T> {
            T::read(payload)
        }
        #[inline(always)]
        fn find(stored: T, present: bool, _: Attributes<'a, E>) -> Option<T> {
            present.then_some(stored)
        }
        #[inline(always)]
        fn store(given: T) -> T {
            given
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: T) {
            stored.put(writer, number);
        }
    }

    /// A number with a type of your own, such as one made by [`flags!`](crate::flags) or
    /// [`numbered!`](crate::numbered).
    #[derive(Debug)]
    pub struct Named<K, T>(PhantomData<(K, T)>);

    impl<'a, E: Order, K, N, T> Kind<'a, E> for Named<K, T>
    where
        K: Kind<'a, E, Stored = N, Found = Option<N>>,
        N: Copy + Ord + Hash + Debug + TryFrom<W8>,
        T: From<N> + Into<N> + Display + Debug,
    {
        type Stored = N;
        type Found = Option<T>;
        type Given = T;
        const ABSENT: N = K::ABSENT;
        const LEN: usize = K::LEN;
        const IS_NUMBER: bool = K::IS_NUMBER;
        const SHAPE: Shape = Shape::Named(|number, f| match N::try_from(number) {
            Ok(number) => Display::fmt(&T::from(number), f),
            Err(_) => Display::fmt(&number, f),
        });
        #[inline(always)]
        fn read(payload: &'a [B]) -> Option<N> {
            K::read(payload)
        }
        #[inline(always)]
        fn find(stored: N, present: bool, all: Attributes<'a, E>) -> Option<T> {
            K::find(stored, present, all).map(T::from)
        }
        #[inline(always)]
        fn read_flagged(payload: &'a [B], word: W4) -> Option<N> {
            K::read_flagged(payload, word)
        }
        fn show(stored: N, _: Attributes<'a, E>, mut with: impl FnMut(&dyn Debug)) {
            with(&T::from(stored));
        }
        #[inline(always)]
        fn store(given: T) -> N {
            given.into()
        }
        #[inline(always)]
        fn put(writer: &mut Writer<'_, E>, number: W2, stored: N) {
            K::put(writer, number, stored);
        }
    }

    use core::fmt::Display;
}

/// Called by the macro; not for others.
#[doc(hidden)]
pub mod inner {
    use super::*;
    pub use crate::netlink::{past, Forms, BARE};
    use crate::netlink::{Form, ATTRIBUTE_HEADER, FLAGS_MASK};

    /// Whether the attributes named by `sent` are read as runs. A constant and not a `cfg`,
    /// which would be evaluated in the crate that declares the set.
    pub const FAST: bool = cfg!(feature = "fast");

    /// The word in which a set records what is present.
    pub trait Presence {
        /// The word.
        type Bits;
    }

    /// Whether 32 bits are too few.
    #[derive(Debug)]
    pub enum Wide<const WIDE: bool> {}

    impl Presence for Wide<false> {
        type Bits = u32;
    }

    impl Presence for Wide<true> {
        type Bits = u64;
    }

    /// Words with one bit set.
    pub trait Bit {
        /// The word with this bit set.
        fn bit(bit: u32) -> Self;
    }

    impl Bit for u32 {
        #[inline(always)]
        fn bit(bit: u32) -> Self {
            1u32.wrapping_shl(bit)
        }
    }

    impl Bit for u64 {
        #[inline(always)]
        fn bit(bit: u32) -> Self {
            1u64.wrapping_shl(bit)
        }
    }

    /// A word like this in which the bit is set.
    #[inline(always)]
    pub fn bit_of<T: Bit>(_: T, bit: u32) -> T {
        T::bit(bit)
    }

    /// The highest number.
    #[allow(clippy::indexing_slicing)]
    const fn highest(numbers: &[u16]) -> u16 {
        let mut highest = 0;
        let mut at = 0;
        while at < numbers.len() {
            if numbers[at] > highest {
                highest = numbers[at];
            }
            at += 1;
        }
        highest
    }

    /// Whether recording the presence of these needs more than 32 bits.
    pub const fn is_wide(numbers: &[u16]) -> bool {
        let highest = highest(numbers);
        highest >= 32 && (highest < 64 || numbers.len() > 32)
    }

    /// The bit of an attribute: its number if all are small, otherwise its place in the table.
    #[allow(clippy::indexing_slicing)]
    pub const fn bit(forms: &Forms, number: u16) -> u32 {
        let mut at = 0;
        let mut place = 0;
        let mut is_small = true;
        while at < forms.len() {
            is_small = is_small && (forms[at].0 < 64 || forms[at].1.is_padding());
            if forms[at].0 == number {
                place = at;
            }
            at += 1;
        }
        if is_small {
            return number as u32;
        }
        assert!(place < 64, "a set has up to 64 attributes");
        place as u32
    }

    /// What an attribute that only fills space has to be.
    pub const PADDING: Form = Form::PADDING;

    /// What an attribute has to be.
    pub const fn form(len: usize, is_number: bool, fault: ErrorKind) -> Form {
        let form = match (len, fault) {
            (ANY_LEN, ErrorKind::BadString) => Form::TEXT,
            (ANY_LEN, _) => Form::ANY,
            _ => Form::bytes(len),
        };
        if is_number {
            form.with_number()
        } else {
            form
        }
    }

    #[allow(clippy::indexing_slicing)]
    const fn find(forms: &Forms, number: u16) -> Form {
        let mut row = 0;
        while forms[row].0 != number {
            row += 1;
        }
        forms[row].1
    }

    /// The length of an attribute, [`ANY_LEN`] if that varies.
    pub const fn length(forms: &Forms, number: u16) -> usize {
        match find(forms, number).len() {
            0 => ANY_LEN,
            len => len,
        }
    }

    /// Whether it is a number that may come in network order.
    pub const fn is_number(forms: &Forms, number: u16) -> bool {
        find(forms, number).is_number()
    }

    /// The same with header and padding.
    pub const fn padded(forms: &Forms, number: u16) -> usize {
        ATTRIBUTE_HEADER + align(find(forms, number).len())
    }

    /// The total length of all with a fixed length, with header and padding.
    #[allow(clippy::indexing_slicing)]
    pub const fn total(forms: &Forms) -> usize {
        let mut total = 0;
        let mut row = 0;
        while row < forms.len() {
            if !forms[row].1.is_padding() {
                total += padded(forms, forms[row].0);
            }
            row += 1;
        }
        total
    }

    /// Type and length of an attribute of a fixed length.
    pub const fn word(forms: &Forms, number: u16) -> u32 {
        (number as u32) << 16 | (ATTRIBUTE_HEADER + find(forms, number).len()) as u32
    }

    /// `len` bytes at `at`, which exist.
    #[inline(always)]
    pub fn part(bytes: &[u8], at: usize, len: usize) -> &[u8] {
        bytes
            .get(at..)
            .and_then(|rest| rest.get(..len))
            .unwrap_or_default()
    }

    /// The header at `at` as a word.
    #[inline(always)]
    pub fn header<E: Order>(bytes: &[u8], at: usize) -> u32 {
        match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            Some(head) => E::attribute_word(*head),
            None => 0,
        }
    }

    /// Whether the type in this word has `NLA_F_NET_BYTEORDER`.
    #[inline(always)]
    pub const fn is_net(word: u32) -> bool {
        word >> 30 & 1 != 0
    }

    /// A number in network order on a machine with another order.
    #[cold]
    #[inline(never)]
    pub fn reordered<K, E: Order, T>(payload: &[u8]) -> Option<T>
    where
        K: for<'x> Kind<'x, E, Stored = T>,
    {
        let mut bytes = [0; 8];
        let room = bytes.get_mut(..payload.len())?;
        for (to, from) in room.iter_mut().rev().zip(payload) {
            *to = *from;
        }
        K::read(room)
    }

    /// What is wrong with the next attribute.
    #[cold]
    #[inline(never)]
    pub fn fault<E: Order>(left: Attributes<'_, E>, forms: &Forms, names: &'static Names) -> Error {
        let mut after = left;
        let error = match after.take_next() {
            Some((raw, _)) => {
                let number = raw & !FLAGS_MASK;
                let form = forms.iter().find(|row| row.0 == number);
                let kind = form.map_or(ErrorKind::BadSize, |row| row.1.fault());
                Error::about(kind, number, left.offset())
            }
            None => left.fault(),
        };
        error.in_set(names)
    }

    /// Goes on with attributes of which the first is unusual: it has flags, lacks its
    /// padding, is unknown, or is wrong. Each is rewritten in its usual form and passed to
    /// `take`, which returns what it did not take; then so is the rest. `None` stands for
    /// one that is not in `forms`.
    #[cold]
    #[inline(never)]
    pub fn take_odd<E: Order>(
        mut left: Attributes<'_, E>,
        forms: &Forms,
        names: &'static Names,
        take: &mut dyn for<'x> FnMut(Option<&'x [u8]>) -> &'x [u8],
    ) -> Result<(), Error> {
        loop {
            let offset = left.offset();
            let Some((raw, payload)) = left.take_next() else {
                return match left.as_bytes() {
                    [] => Ok(()),
                    _ => Err(left.fault().in_set(names)),
                };
            };
            let number = raw & !FLAGS_MASK;
            match forms.iter().find(|row| row.0 == number) {
                None => {
                    take(None);
                }
                Some((_, form)) if form.is_padding() => {}
                Some((_, form)) => {
                    let mut usual = [0; 20];
                    let len = payload.len();
                    let [w0, w1, w2, w3, room @ ..] = &mut usual;
                    let word = u32::from(number) << 16 | (ATTRIBUTE_HEADER + len) as u32;
                    [*w0, *w1, *w2, *w3] = E::put_attribute_word(word);
                    let is_turned =
                        form.is_number() && is_net(u32::from(raw) << 16) && E::u16([1, 0]) == 1;
                    for (at, to) in room.iter_mut().enumerate() {
                        let from = if is_turned {
                            len.wrapping_sub(1 + at)
                        } else {
                            at
                        };
                        *to = payload.get(from).copied().unwrap_or(0);
                    }
                    let usual = usual.get(..ATTRIBUTE_HEADER + align(len));
                    if usual.is_none_or(|usual| !take(Some(usual)).is_empty()) {
                        // No value of a fixed length is a string.
                        let error = Error::about(ErrorKind::BadSize, number, offset);
                        return Err(error.in_set(names));
                    }
                }
            }
            left = left.continued_at(take(Some(left.as_bytes())));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::netlink::Header;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, Vec};
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::string::ToString;

    flags! {
        /// Some.
        pub struct Some3: u16 {
            /// One.
            1 ONE "one",
            /// Two.
            2 TWO "two",
        }
    }

    attribute_set! {
        /// Numbers of all kinds, far apart.
        pub struct Numbers {
            /// .
            1 U8 a / with_a: u8,
            /// .
            2 U16 b / with_b: u16,
            /// .
            3 U32 c / with_c: u32,
            /// .
            4 U64 d / with_d: u64,
            /// .
            5 I8 e / with_e: i8,
            /// .
            6 I16 f / with_f: i16,
            /// .
            7 I32 g / with_g: i32,
            /// .
            8 I64 h / with_h: i64,
            /// .
            9 BE16 i / with_i: be16,
            /// .
            40 BE32 j / with_j: be32,
            /// .
            41 BE64 k / with_k: be64,
            /// .
            42 UINT l / with_l: uint,
            /// .
            63 SINT m / with_m: sint,
            /// .
            300 IPV4 n / with_n: ipv4,
            /// .
            301 IPV6 o / with_o: ipv6,
            /// .
            302 IP p / with_p: ip,
            /// .
            303 MAC q / with_q: mac,
            /// .
            304 BITFIELD r / with_r: bitfield32,
            /// .
            305 NAMED s / with_s: u16 as Some3,
            pad 999,
        }
    }

    attribute_set! {
        /// A set that borrows.
        pub struct Lent<'a> {
            /// .
            1 TEXT text / with_text: string,
            /// .
            2 BYTES bytes / with_bytes: bytes,
            /// .
            3 FLAG flag / with_flag: flag,
            /// .
            4 ATTRIBUTES others / with_others: attributes,
            /// .
            5 NEST nest / with_nest: nest [Numbers],
            /// .
            6 ARRAY array / with_array: array [Numbers],
            /// .
            7 LIST list / with_list: list [u16],
            /// .
            8 NUMBER number / with_number: u32,
            /// .
            100 SIGNED signed / with_signed: sint,
            pad 9,
        }
        also {
            50 LATER Shape::Unsigned,
        }
    }

    fn numbers() -> Numbers {
        Numbers::EMPTY
            .with_a(0xfe)
            .with_b(0x1234)
            .with_c(0x1234_5678)
            .with_d(0x1234_5678_9abc_def0)
            .with_e(-2)
            .with_f(-300)
            .with_g(-70_000)
            .with_h(i64::MIN)
            .with_i(0x1234)
            .with_j(0x1234_5678)
            .with_k(0x1234_5678_9abc_def0)
            .with_l(7)
            .with_m(-7)
            .with_n(Ipv4Addr::new(192, 0, 2, 1))
            .with_o(Ipv6Addr::LOCALHOST)
            .with_p(IpAddr::V6(Ipv6Addr::LOCALHOST))
            .with_q([1, 2, 3, 4, 5, 6])
            .with_r(Bitfield32 {
                value: 1,
                selector: 3,
            })
            .with_s(Some3::TWO)
    }

    fn written<E: Order>(fill: impl FnOnce(&mut Writer<'_, E>)) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let mut writer = Writer::<E>::with_order(&mut buffer, Header::default());
        fill(&mut writer);
        Vec::from(&writer.finish().unwrap()[16..])
    }

    fn both_ways<E: Order>() {
        let sent = numbers();
        let bytes = written::<E>(|writer| {
            sent.encode(writer);
        });
        let read = Numbers::from_attributes(Attributes::<E>::with_order(&bytes));
        assert_eq!(read, Ok(sent));
        assert_eq!((sent.l(), sent.m()), (Some(7), Some(-7)));
        // Whole, without one, and two from either half.
        let wide = Numbers::EMPTY.with_l(u64::MAX).with_m(i64::MIN);
        let joined = sent.with_all(&wide);
        assert_eq!((joined.l(), joined.m()), (Some(u64::MAX), Some(i64::MIN)));
        assert_eq!(sent.without(301).o(), None);
        assert_eq!(sent.without(301).with_o(Ipv6Addr::LOCALHOST), sent);
        // Any attribute without its padding, as the last one.
        for attribute in Attributes::<E>::with_order(&bytes) {
            let attribute = attribute.unwrap();
            let len = 4 + attribute.payload().len();
            let start = attribute.offset();
            let alone = Attributes::<E>::with_order(&bytes[start..start + len]);
            let read = Numbers::from_attributes(alone).unwrap();
            assert_eq!(sent.with_all(&read), sent, "{}", attribute.number());
            assert!(!read.is_empty() && read.unknown() == 0);
            // A byte more or less is a wrong size; of a number that may have
            // several, a byte makes none.
            for len in [len - 1, len + 1] {
                let mut wrong = Vec::from(&bytes[start..start + len.min(bytes.len() - start)]);
                wrong.resize(len, 0);
                let word = u32::from(attribute.number()) << 16 | len as u32;
                wrong[..4].copy_from_slice(&E::put_attribute_word(word));
                let error = Numbers::from_attributes(Attributes::<E>::with_order(&wrong));
                let error = error.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BadSize);
                assert_eq!(error.set(), Some("Numbers"));
                assert_eq!(error.attribute_name(), Numbers::name_of(attribute.number()));
            }
        }
    }

    #[test]
    fn every_kind_of_number_goes_both_ways_in_both_orders() {
        both_ways::<Little>();
        both_ways::<Big>();
    }

    /// The same written out: what reads and what writes could be wrong alike.
    #[test]
    fn every_kind_of_number_has_the_bytes_that_it_has_on_the_wire() {
        const NUMBERS: [(u16, &str, &str); 19] = [
            (1, "fe", "fe"),
            (2, "3412", "1234"),
            (3, "78563412", "12345678"),
            (4, "f0debc9a78563412", "123456789abcdef0"),
            (5, "fe", "fe"),
            (6, "d4fe", "fed4"),
            (7, "90eefeff", "fffeee90"),
            (8, "0000000000000080", "8000000000000000"),
            (9, "1234", "1234"),
            (40, "12345678", "12345678"),
            (41, "123456789abcdef0", "123456789abcdef0"),
            (42, "07000000", "00000007"),
            (63, "f9ffffff", "fffffff9"),
            (300, "c0000201", "c0000201"),
            (
                301,
                "00000000000000000000000000000001",
                "00000000000000000000000000000001",
            ),
            (
                302,
                "00000000000000000000000000000001",
                "00000000000000000000000000000001",
            ),
            (303, "010203040506", "010203040506"),
            (304, "0100000003000000", "0000000100000003"),
            (305, "0200", "0002"),
        ];
        fn is_as<E: Order>(bytes: impl Fn((u16, &'static str, &'static str)) -> &'static str) {
            let written = written::<E>(|writer| {
                numbers().encode(writer);
            });
            let written: Vec<_> = Attributes::<E>::with_order(&written)
                .map(|attribute| attribute.unwrap())
                .map(|attribute| (attribute.number(), Vec::from(attribute.payload())))
                .collect();
            let wanted: Vec<_> = NUMBERS.map(|row| (row.0, self::bytes(bytes(row)))).into();
            assert_eq!(written, wanted);
        }
        is_as::<Little>(|(_, little, _)| little);
        is_as::<Big>(|(_, _, big)| big);
    }

    #[test]
    fn numbers_in_network_order_are_read_as_their_flag_says() {
        for (bytes, read) in [
            ("0600 0240 12340000", numbers().b()),
            ("0600 0200 34120000", numbers().b()),
        ] {
            let bytes = self::bytes(bytes);
            let set = Numbers::from_attributes(Attributes::<Little>::with_order(&bytes));
            assert_eq!(set.unwrap().b(), read);
        }
        let signed = bytes("0800 3f40 fffffff9 0c00 2a40 0000000000000007");
        let set = Numbers::from_attributes(Attributes::<Little>::with_order(&signed)).unwrap();
        assert_eq!((set.l(), set.m()), (Some(7), Some(-7)));
        let signed = bytes("0800 6440 fffffff9 0800 0840 12345678");
        let set = Lent::from_attributes(Attributes::<Little>::with_order(&signed)).unwrap();
        assert_eq!((set.signed(), set.number()), (Some(-7), Some(0x1234_5678)));
    }

    fn lends<E: Order>() {
        let inside = written::<E>(|writer| {
            numbers().encode(writer);
        });
        let list = written::<E>(|writer| {
            writer.put_u16(1, 7).put_u16(2, 8);
        });
        let array = written::<E>(|writer| {
            writer.nest(1, |entry| entry.put_u8(1, 1));
            writer.nest(2, |entry| entry.put_u8(1, 2).put_u8(77, 1));
        });
        let sent = Lent::<E>::EMPTY
            .with_text(Text::new("eth0").unwrap())
            .with_bytes(&[1, 2, 3])
            .with_flag(())
            .with_others(Attributes::with_order(&array))
            .with_nest(Attributes::with_order(&inside))
            .with_array(Attributes::with_order(&array))
            .with_list(&[])
            .with_number(9)
            .with_signed(-1);
        let mut bytes = written::<E>(|writer| {
            sent.encode(writer);
            writer.put_u32(50, 3).put_flag(9).put_u8(51, 1);
        });
        let all = Attributes::<E>::with_order(&bytes);
        let read = Lent::from_attributes(all).unwrap();
        assert_eq!(read.text(), sent.text());
        assert_eq!((read.bytes(), read.flag()), (Some(&[1, 2, 3][..]), true));
        assert_eq!(read.nest(), Ok(Some(numbers())));
        let ids: Vec<_> = read.array().map(|entry| entry.unwrap().a()).collect();
        assert_eq!(ids, [Some(1), Some(2)]);
        assert_eq!(read.array().last().unwrap().unwrap().unknown(), 1);
        assert_eq!(read.others(), Some(Attributes::with_order(&array)));
        assert_eq!((read.list().unwrap().count(), read.signed()), (0, Some(-1)));
        // What is not in the set is counted and can be walked.
        assert_eq!((read.unknown(), read.attributes()), (2, all));
        let unknown: Vec<_> = read.unknown_attributes().map(|a| a.number()).collect();
        assert_eq!(unknown, [50, 51]);
        // An error in a nest has its place in the whole and its set.
        let nest = all.find_last(5).unwrap().unwrap();
        let first = nest.nested().offset();
        bytes[first..first + 4].copy_from_slice(&E::put_attribute_word(1 << 16 | 6));
        let read = Lent::from_attributes(Attributes::<E>::with_order(&bytes)).unwrap();
        let error = read.nest().unwrap_err();
        assert_eq!((error.offset(), error.set()), (first, Some("Numbers")));
        assert_eq!(
            error.to_string(),
            std::format!("Numbers: U8: wrong size at byte {first}")
        );
        let numbers = written::<E>(|writer| {
            writer.put_bytes(7, &list);
        });
        let read = Lent::from_attributes(Attributes::<E>::with_order(&numbers)).unwrap();
        assert_eq!(read.list().unwrap().nth(2), Some(7));
    }

    #[test]
    fn what_lends_goes_both_ways_in_both_orders() {
        lends::<Little>();
        lends::<Big>();
    }

    #[test]
    fn a_fault_is_named_by_set_and_attribute() {
        for (wrong, kind, says) in [
            (
                "0800 0100 61626364",
                ErrorKind::BadString,
                "Lent: TEXT: string not terminated at byte 0",
            ),
            (
                "0700 0700 010203",
                ErrorKind::BadSize,
                "Lent: LIST: wrong size at byte 0",
            ),
            (
                "0700 0800 010203",
                ErrorKind::BadSize,
                "Lent: NUMBER: wrong size at byte 0",
            ),
            (
                "0400 0300 0300 0800",
                ErrorKind::BadLength,
                "Lent: NUMBER: length does not fit at byte 4",
            ),
            (
                "0400 0300 0300",
                ErrorKind::Truncated,
                "Lent: truncated header at byte 4",
            ),
        ] {
            let wrong = bytes(wrong);
            let all = Attributes::<Little>::with_order(&wrong);
            let error = Lent::from_attributes(all).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, says));
        }
        // Of a set that is a value.
        for (wrong, says) in [
            (
                "0500 0100 01000000 0300 0500",
                "Numbers: I8: length does not fit at byte 8",
            ),
            (
                "0500 0140 01000000 0300",
                "Numbers: truncated header at byte 8",
            ),
            (
                "0500 0100 01000000 0700 0200 010203",
                "Numbers: U16: wrong size at byte 8",
            ),
        ] {
            let wrong = bytes(wrong);
            let all = Attributes::<Little>::with_order(&wrong);
            let error = Numbers::from_attributes(all).unwrap_err();
            assert_eq!(error.to_string(), says);
        }
    }

    #[test]
    fn values_are_ordered_and_counted() {
        extern crate std;
        use crate::mptcp::{Endpoint, Limits};
        use std::collections::{BTreeSet, HashSet};
        let ends = [1, 2, 1].map(|last| Endpoint::new(Ipv4Addr::new(192, 0, 2, last)));
        assert_eq!(BTreeSet::from(ends).len(), 2);
        assert_eq!(HashSet::from(ends).len(), 2);
        assert!(Limits::EMPTY < Limits::EMPTY.with_subflows(0));
        assert!(Limits::EMPTY.with_subflows(1) < Limits::EMPTY.with_subflows(2));
    }

    #[test]
    fn a_set_describes_itself() {
        let set = <Lent<'_> as Set<'_, Native>>::DESCRIPTION;
        assert_eq!(set.name, "Lent");
        assert_eq!(set.row(8).unwrap().name, "NUMBER");
        assert!(matches!(set.row(50).unwrap().shape, Shape::Unsigned));
        assert!(matches!(set.row(9).unwrap().shape, Shape::Padding));
        let Shape::Nest(inside) = set.row(5).unwrap().shape else {
            panic!();
        };
        assert_eq!(inside.row(305).unwrap().name, "NAMED");
        assert_eq!(
            (Lent::name_of(8), Lent::name_of(50)),
            (Some("NUMBER"), None)
        );
    }

    #[test]
    fn a_message_that_is_none_of_a_set_is_refused_as_such() {
        use crate::diag::{Socket, SocketView};
        use crate::generic::{controller::Family, policy::Entries, Generic};
        use crate::mptcp::{Endpoint, Event, Limits};
        use crate::route::{Address, Link, Route, RoutingRule};
        // A refusal.
        let refusal = bytes(
            "24000000 0200 0001 07000000 05000000 feffffff 14000000 1e00 0500 07000000 00000000",
        );
        let message = crate::testing::message::<Little>(&refusal);
        let kinds = [
            Generic::decode(&message).err(),
            Event::decode(&message).err(),
            Endpoint::decode(&message).err(),
            Limits::decode(&message).err(),
            Family::decode(&message).err(),
            Entries::decode(&message).err(),
            Socket::decode(&message).err(),
            SocketView::decode(&message).err(),
            Link::decode(&message).err(),
            Address::decode(&message).err(),
            Route::decode(&message).err(),
            RoutingRule::decode(&message).err(),
        ];
        for error in kinds {
            let error = error.unwrap();
            assert_eq!((error.kind(), error.offset()), (ErrorKind::WrongType, 4));
        }
    }
}
