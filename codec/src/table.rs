//! One table an attribute set: decoder, encoder, accessors, names and docs.
//!
//! Each row is `NUMBER NAME field / with_field: kind`. A set holds fixed-size
//! attributes, each at most once, with their presence kept as one bit a
//! number, so numbers are below 32. `pad NUMBER` names the attribute that only
//! fills space in front of 64-bit ones; it is neither kept nor unknown.
//!
//! Decoding compares length and type of an attribute as one word and reads
//! through a chunk of constant size, which costs what a cast to a struct
//! would. Whatever looks unusual (flags in the type, another length, an
//! unknown number, a last attribute without its padding) takes the checked
//! way through [`Attributes`](crate::netlink::Attributes), which also makes
//! the errors.

/// What a kind of field is: `(type)`, `(len)` on the wire, `(read E chunk)`
/// from its padded chunk, `(get attribute)` the checked way, `(put w n v)`.
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

    (get $a:ident u8) => {
        $a.u8()
    };
    (get $a:ident u16) => {
        $a.u16()
    };
    (get $a:ident be16) => {
        $a.be16()
    };
    (get $a:ident u32) => {
        $a.u32()
    };
    (get $a:ident i32) => {
        $a.i32()
    };
    (get $a:ident u64) => {
        $a.u64()
    };
    (get $a:ident i64) => {
        $a.u64().map(|n| n as i64)
    };
    (get $a:ident in4) => {
        $a.ipv4()
    };
    (get $a:ident in6) => {
        $a.ipv6()
    };
    (get $a:ident endpoint_flags) => {
        $a.u32().map(crate::mptcp::EndpointFlags)
    };
    (get $a:ident subflow_flags) => {
        $a.u32().map(crate::diag::SubflowFlags)
    };
    (get $a:ident event_flags) => {
        $a.u16().map(crate::mptcp::EventFlags)
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
        pub struct $set:ident {
            $(
                $(#[$field_doc:meta])*
                $number:literal $name:ident $field:ident / $with:ident : $kind:ident,
            )*
            $( pad $pad:literal, )?
        }
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq)]
        pub struct $set {
            present: u32,
            unknown: u16,
            $( $field: field!(type $kind), )*
        }

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
                    if self.present & 1 << $number != 0 { Some(self.$field) } else { None }
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

            /// How many attributes were met that are not in this set; they
            /// are skipped here and can be reached through the raw
            /// attributes.
            pub const fn unknown(&self) -> u16 {
                self.unknown
            }

            /// The kernel's name of an attribute of this set.
            pub const fn name(kind: u16) -> Option<&'static str> {
                match kind {
                    $( $number => Some(stringify!($name)), )*
                    _ => None,
                }
            }

            /// Reads a set. An attribute that is there twice counts as its
            /// last, as in the kernel.
            #[inline]
            pub fn decode<E: crate::order::Order>(
                mut attributes: crate::netlink::Attributes<'_, E>,
            ) -> Result<Self, crate::error::Error> {
                $( const $name: u32 = $number << 16 | (4 + field!(len $kind)); )*
                let mut set = Self::EMPTY;
                while let Some((head, rest)) = attributes.as_bytes().split_first_chunk::<4>() {
                    match E::attribute_word(*head) {
                        $(
                            $name => {
                                const PADDED: usize = crate::netlink::align(field!(len $kind));
                                if let Some((chunk, rest)) = rest.split_first_chunk::<PADDED>() {
                                    set.$field = field!(read E $kind chunk);
                                    set.present |= 1 << $number;
                                    attributes.skip_to(rest);
                                    continue;
                                }
                            }
                        )*
                        _ => {}
                    }
                    set.decode_unusual(&mut attributes)?;
                }
                if !attributes.as_bytes().is_empty() {
                    set.decode_unusual(&mut attributes)?;
                }
                Ok(set)
            }

            #[cold]
            fn decode_unusual<E: crate::order::Order>(
                &mut self,
                attributes: &mut crate::netlink::Attributes<'_, E>,
            ) -> Result<(), crate::error::Error> {
                let Some(attribute) = attributes.next() else {
                    return Ok(());
                };
                let attribute = attribute?;
                match attribute.kind() {
                    $(
                        $number => {
                            self.$field = field!(get attribute $kind)?;
                            self.present |= 1 << $number;
                        }
                    )*
                    $( $pad => {} )?
                    _ => self.unknown = self.unknown.saturating_add(1),
                }
                Ok(())
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

/// A kernel structure that grew over the years, read by the length that was
/// received: a field that this kernel did not send is `None`. Each row is
/// `OFFSET field: kind`. The view lends the bytes; nothing is read before it
/// is asked for.
macro_rules! growing_struct {
    (
        $(#[$doc:meta])*
        pub struct $view:ident {
            $(
                $(#[$field_doc:meta])*
                $offset:literal $field:ident: $kind:ident,
            )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq)]
        pub struct $view<'a, E: crate::order::Order = crate::order::Native> {
            bytes: &'a [u8],
            order: core::marker::PhantomData<E>,
        }

        impl<'a> $view<'a> {
            /// The structure in `bytes`, as this machine's kernel gave them.
            #[inline]
            pub const fn new(bytes: &'a [u8]) -> Self {
                Self::with_order(bytes)
            }
        }

        impl<'a, E: crate::order::Order> $view<'a, E> {
            /// As `new`, for bytes of a machine of order `E`.
            #[inline]
            pub const fn with_order(bytes: &'a [u8]) -> Self {
                Self { bytes, order: core::marker::PhantomData }
            }

            /// All that was received, also what this crate does not know.
            #[inline]
            pub const fn as_bytes(&self) -> &'a [u8] {
                self.bytes
            }

            $(
                $(#[$field_doc])*
                #[inline]
                pub fn $field(&self) -> Option<field!(type $kind)> {
                    const LEN: usize = field!(len $kind);
                    let chunk = self.bytes.get($offset..)?.first_chunk::<LEN>()?;
                    Some(field!(read E $kind chunk))
                }
            )*
        }

        impl<E: crate::order::Order> core::fmt::Debug for $view<'_, E> {
            /// Shows what was received.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut out = f.debug_struct(stringify!($view));
                $(
                    if let Some(value) = self.$field() {
                        out.field(stringify!($field), &value);
                    }
                )*
                out.finish()
            }
        }
    };
}
