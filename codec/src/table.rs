//! One table an attribute set: decoder, encoder, accessors, names and docs.
//!
//! Each row is `NUMBER NAME field / with_field: kind`. A set holds fixed-size
//! attributes, each at most once, with their presence kept as one bit a
//! number, so numbers are below 32. `pad NUMBER` names the attribute that only
//! fills space in front of 64-bit ones; it is neither kept nor unknown.
//!
//! Decoding compares length and type of an attribute as one word and reads
//! through a chunk of constant size, which costs what a cast to a struct
//! would. `sent` behind the table names runs of attributes that the kernel
//! sends together, in its order: a run is taken whole, with one look at what is
//! left. Others are taken one by one. An attribute that is unusual (with flags
//! in the type, of another length, of an unknown number, a last one without its
//! padding) takes the checked way through
//! [`Attributes`](crate::netlink::Attributes), which makes the errors and
//! writes it as it would usually be.

use crate::netlink::{align, Form, Forms, ATTRIBUTE_HEADER};

/// What an attribute has to be.
#[allow(clippy::indexing_slicing)]
const fn form(forms: &Forms, number: u16) -> Form {
    let mut row = 0;
    while forms[row].0 != number {
        row += 1;
    }
    forms[row].1
}

/// Type and length of an attribute.
pub(crate) const fn word(forms: &Forms, number: u16) -> u32 {
    (number as u32) << 16 | (ATTRIBUTE_HEADER + form(forms, number).len()) as u32
}

/// Where an attribute begins in a run of these; for 0, where the run ends.
#[allow(clippy::indexing_slicing)]
pub(crate) const fn place(forms: &Forms, run: &[u16], number: u16) -> usize {
    let mut at = 0;
    let mut next = 0;
    while next < run.len() && run[next] != number {
        at += ATTRIBUTE_HEADER + align(form(forms, run[next]).len());
        next += 1;
    }
    at
}

/// The bytes at `at`, which are within.
#[inline(always)]
pub(crate) fn within<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => *chunk,
        None => [0; N],
    }
}

/// What a kind of field is: `(type)`, `(zero)` for absent, `(nonzero)` where
/// that is cheap to tell, `(len)` on the wire, `(read E chunk)`
/// from its padded chunk, `(form)` for the checked way, `(put w n v)`.
macro_rules! field {
    (type u8) => {
        u8
    };
    (type u16) => {
        u16
    };
    (type be16) => {
        u16
    };
    (type u32) => {
        u32
    };
    (type i32) => {
        i32
    };
    (type u64) => {
        u64
    };
    (type i64) => {
        i64
    };
    (type in4) => {
        core::net::Ipv4Addr
    };
    (type in6) => {
        core::net::Ipv6Addr
    };
    (type endpoint_flags) => {
        crate::mptcp::EndpointFlags
    };
    (type subflow_flags) => {
        crate::diag::SubflowFlags
    };
    (type event_flags) => {
        crate::mptcp::EventFlags
    };

    (zero in4) => {
        core::net::Ipv4Addr::UNSPECIFIED
    };
    (zero in6) => {
        core::net::Ipv6Addr::UNSPECIFIED
    };
    (zero endpoint_flags) => {
        crate::mptcp::EndpointFlags(0)
    };
    (zero subflow_flags) => {
        crate::diag::SubflowFlags(0)
    };
    (zero event_flags) => {
        crate::mptcp::EventFlags(0)
    };
    (zero $number:ident) => {
        0
    };

    (nonzero $value:expr, in4) => {
        false
    };
    (nonzero $value:expr, in6) => {
        false
    };
    (nonzero $value:expr, endpoint_flags) => {
        $value.0 != 0
    };
    (nonzero $value:expr, subflow_flags) => {
        $value.0 != 0
    };
    (nonzero $value:expr, event_flags) => {
        $value.0 != 0
    };
    (nonzero $value:expr, $number:ident) => {
        $value != 0
    };

    (len u8) => {
        1
    };
    (len u16) => {
        2
    };
    (len be16) => {
        2
    };
    (len event_flags) => {
        2
    };
    (len u64) => {
        8
    };
    (len i64) => {
        8
    };
    (len in6) => {
        16
    };
    (len $four:ident) => {
        4
    };

    (read $E:ident u8 $c:ident) => {
        $c[0]
    };
    (read $E:ident u16 $c:ident) => {
        $E::u16([$c[0], $c[1]])
    };
    (read $E:ident be16 $c:ident) => {
        u16::from_be_bytes([$c[0], $c[1]])
    };
    (read $E:ident u32 $c:ident) => {
        $E::u32(*$c)
    };
    (read $E:ident i32 $c:ident) => {
        $E::u32(*$c) as i32
    };
    (read $E:ident u64 $c:ident) => {
        $E::u64(*$c)
    };
    (read $E:ident i64 $c:ident) => {
        $E::u64(*$c) as i64
    };
    (read $E:ident in4 $c:ident) => {
        core::net::Ipv4Addr::from(*$c)
    };
    (read $E:ident in6 $c:ident) => {
        core::net::Ipv6Addr::from(*$c)
    };
    (read $E:ident endpoint_flags $c:ident) => {
        crate::mptcp::EndpointFlags($E::u32(*$c))
    };
    (read $E:ident subflow_flags $c:ident) => {
        crate::diag::SubflowFlags($E::u32(*$c))
    };
    (read $E:ident event_flags $c:ident) => {
        crate::mptcp::EventFlags($E::u16([$c[0], $c[1]]))
    };

    (form be16) => {
        crate::netlink::Form::bytes(2)
    };
    (form in4) => {
        crate::netlink::Form::bytes(4)
    };
    (form in6) => {
        crate::netlink::Form::bytes(16)
    };
    (form $number:ident) => {
        crate::netlink::Form::number(field!(len $number))
    };

    (put $w:ident $n:expr, $v:expr, u8) => {
        $w.put_u8($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, u16) => {
        $w.put_u16($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, be16) => {
        $w.put_be16($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, u32) => {
        $w.put_u32($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, i32) => {
        $w.put_i32($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, u64) => {
        $w.put_u64($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, i64) => {
        $w.put_u64($n, $v as u64)
    };
    (put $w:ident $n:expr, $v:expr, in4) => {
        $w.put_ipv4($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, in6) => {
        $w.put_ipv6($n, $v)
    };
    (put $w:ident $n:expr, $v:expr, endpoint_flags) => {
        $w.put_u32($n, $v.0)
    };
    (put $w:ident $n:expr, $v:expr, subflow_flags) => {
        $w.put_u32($n, $v.0)
    };
    (put $w:ident $n:expr, $v:expr, event_flags) => {
        $w.put_u16($n, $v.0)
    };
}

macro_rules! attribute_set {
    (
        $(#[$doc:meta])*
        $visible:vis struct $set:ident {
            $(
                $(#[$field_doc:meta])*
                $number:literal $name:ident $field:ident / $with:ident : $kind:ident,
            )*
            $( pad $pad:literal, )?
        }
        $( sent $( [ $($sent:ident)+ ] )+ )?
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq)]
        $visible struct $set {
            present: u32,
            unknown: u16,
            $( $field: field!(type $kind), )*
        }

        #[allow(dead_code)]
        impl $set {
            $(
                #[doc = concat!("Type number of [`", stringify!($set), "::", stringify!($field), "`].")]
                pub const $name: u16 = $number;
            )*

            /// A set in which nothing is present.
            pub const EMPTY: Self = Self {
                present: 0,
                unknown: 0,
                $( $field: field!(zero $kind), )*
            };

            $(
                $(#[$field_doc])*
                #[inline(always)]
                pub const fn $field(&self) -> Option<field!(type $kind)> {
                    // What is absent is zero in here, so the second half never
                    // decides; but it tells the compiler, and `unwrap_or(0)`
                    // becomes a plain read.
                    if self.present & 1 << $number != 0 || field!(nonzero self.$field, $kind) {
                        Some(self.$field)
                    } else {
                        None
                    }
                }

                #[doc = concat!("The same with [`", stringify!($field), "`](Self::", stringify!($field), ") present.")]
                #[must_use]
                #[inline]
                pub const fn $with(mut self, value: field!(type $kind)) -> Self {
                    self.present |= 1 << $number;
                    self.$field = value;
                    self
                }
            )*

            /// The same without the attribute of this number.
            #[must_use]
            #[inline]
            pub const fn without(mut self, number: u16) -> Self {
                match number {
                    $(
                        $number => {
                            self.present &= !(1 << $number);
                            self.$field = Self::EMPTY.$field;
                        }
                    )*
                    _ => {}
                }
                self
            }

            /// Bytes that [`encode`](Self::encode) writes at most.
            pub const MAX_LEN: usize = 0 $( + 4 + crate::netlink::align(field!(len $kind)) )*;

            /// The same without some attributes, a bit `1 << number` for each;
            /// of unknown ones none is counted. What two sets have beside
            /// these can be compared so.
            #[must_use]
            pub const fn without_all(mut self, numbers: u32) -> Self {
                self.present &= !numbers;
                self.unknown = 0;
                $(
                    if numbers & 1 << $number != 0 {
                        self.$field = field!(zero $kind);
                    }
                )*
                self
            }

            /// The same with all that is present in another set.
            #[must_use]
            pub const fn with_all(mut self, more: &Self) -> Self {
                self.present |= more.present;
                $(
                    if more.present & 1 << $number != 0 {
                        self.$field = more.$field;
                    }
                )*
                self
            }

            /// How many attributes were met that are not in this set; they
            /// are skipped here and can be reached through the raw
            /// attributes.
            pub const fn unknown(&self) -> u16 {
                self.unknown
            }

            /// The kernel's name of an attribute of this set.
            pub const fn name(number: u16) -> Option<&'static str> {
                match number {
                    $( $number => Some(stringify!($name)), )*
                    _ => None,
                }
            }

            /// Reads a set. An attribute that is there twice counts as its
            /// last, as in the kernel.
            #[inline]
            pub fn from_attributes<E: crate::order::Order>(
                attributes: crate::netlink::Attributes<'_, E>,
            ) -> Result<Self, crate::error::Error> {
                let mut set = Self::EMPTY;
                set.update(attributes)?;
                Ok(set)
            }

            /// Adds what is in `attributes`.
            #[inline(always)]
            pub(crate) fn update<E: crate::order::Order>(
                &mut self,
                attributes: crate::netlink::Attributes<'_, E>,
            ) -> Result<(), crate::error::Error> {
                let mut rest = self.take_usual::<E>(attributes.as_bytes());
                if rest.is_empty() {
                    return Ok(());
                }
                let mut left = attributes.continued_at(rest);
                loop {
                    self.take_any(&mut left)?;
                    rest = self.take_usual::<E>(left.as_bytes());
                    left = left.continued_at(rest);
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
            }

            /// Takes attributes as long as they are usual, first the runs that
            /// come next; what is left.
            ///
            /// Not inlined: so many fields are read faster where they stand
            /// than in competition with the registers of the caller.
            #[inline(never)]
            fn take_usual<'a, E: crate::order::Order>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
                #[allow(unused_mut)]
                let mut rest = bytes;
                $(
                    let mut present = self.present;
                    $(
                        {
                            const RUN: &[u16] = &[$($set::$sent),+];
                            const WHOLE: usize = crate::table::place($set::FORMS, RUN, 0);
                            match rest.split_first_chunk::<WHOLE>() {
                                Some((run, tail)) if true $( && {
                                    const AT: usize = crate::table::place($set::FORMS, RUN, $set::$sent);
                                    E::attribute_word(crate::table::within(run, AT))
                                        == { const WORD: u32 = crate::table::word($set::FORMS, $set::$sent); WORD }
                                } )+ => {
                                    $({
                                        const AT: usize = crate::table::place($set::FORMS, RUN, $set::$sent);
                                        self.keep::<E, { $set::$sent }>(run, 4 + AT);
                                        present |= 1 << $set::$sent;
                                    })+
                                    rest = tail;
                                }
                                _ => {}
                            }
                        }
                    )+
                    self.present = present;
                )?
                if rest.is_empty() {
                    rest
                } else {
                    self.take_each::<E>(rest)
                }
            }

            const FORMS: &'static crate::netlink::Forms = &[
                $( ($number, field!(form $kind)), )*
                $( ($pad, crate::netlink::Form::ANY), )?
            ];

            /// Reads the value of the attribute `KIND` that begins at `at`.
            #[inline(always)]
            fn keep<E: crate::order::Order, const KIND: u16>(&mut self, run: &[u8], at: usize) {
                match KIND {
                    $(
                        $number => {
                            let value: &[u8; { crate::netlink::align(field!(len $kind)) }] = &crate::table::within(run, at);
                            self.$field = field!(read E $kind value);
                        }
                    )*
                    _ => {}
                }
            }

            /// Takes the next attribute, whatever it is.
            #[cold]
            #[inline(never)]
            fn take_any<E: crate::order::Order>(
                &mut self,
                left: &mut crate::netlink::Attributes<'_, E>,
            ) -> Result<(), crate::error::Error> {
                let mut space = [0; 16];
                if left.take_odd(Self::FORMS, &mut space)? {
                    self.take_each::<E>(&space);
                } else {
                    self.unknown = self.unknown.saturating_add(1);
                }
                Ok(())
            }

            /// Takes one attribute after the other as long as they are usual.
            #[inline(never)]
            fn take_each<'a, E: crate::order::Order>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
                let mut rest = bytes;
                let mut present = self.present;
                while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
                    let word = E::attribute_word(crate::table::within(chunk, 0));
                    let mut after = tail;
                    let bare = word & crate::netlink::BARE;
                    let kind = bare >> 16;
                    match kind {
                        $(
                            $number => {
                                const LEN: usize = field!(len $kind);
                                // Flags say nothing of an address.
                                let word = if LEN == 16 { bare } else { word };
                                if word != $number << 16 | (4 + LEN as u32) {
                                    break;
                                }
                                if LEN > 4 {
                                    const MORE: usize = crate::netlink::align(LEN).saturating_sub(4);
                                    match tail.split_first_chunk::<MORE>() {
                                        Some((_, more)) => after = more,
                                        None => break,
                                    }
                                }
                                self.keep::<E, $number>(rest, 4);
                            }
                        )*
                        _ => break,
                    }
                    present |= 1u32.wrapping_shl(kind);
                    rest = after;
                }
                self.present = present;
                rest
            }

            /// Writes what is present, in the order of the table.
            #[inline]
            pub fn encode<'w, 'b, E: crate::order::Order>(
                &self,
                writer: &'w mut crate::netlink::Writer<'b, E>,
            ) -> &'w mut crate::netlink::Writer<'b, E> {
                $(
                    if self.present & 1 << $number != 0 {
                        field!(put writer $number, self.$field, $kind);
                    }
                )*
                writer
            }
        }

        impl Default for $set {
            fn default() -> Self {
                Self::EMPTY
            }
        }

        impl core::fmt::Debug for $set {
            /// Shows what is present.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut out = f.debug_struct(stringify!($set));
                $(
                    if let Some(value) = self.$field() {
                        out.field(stringify!($field), &value);
                    }
                )*
                if self.unknown > 0 {
                    out.field("unknown", &self.unknown);
                }
                out.finish()
            }
        }
    };
}
