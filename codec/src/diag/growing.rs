//! Structures of the kernel that grew over the years.

use crate::order::Order;

/// The place of a number in a structure that grows.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    // Small, since there are tables of these: the offset and, in the upper four
    // bits, the length as a power of two.
    place: u16,
    // If the kernel has the field, the structure is at least this long.
    least: u16,
}

/// The bits of [`Field::place`] that are the offset.
const OFFSET: u16 = 0xfff;

impl Field {
    /// A field; on kernels without it the structure ends at `padded`.
    pub(super) const fn new(offset: usize, len: usize, padded: usize) -> Self {
        let end = offset + len;
        assert!(end <= OFFSET as usize && padded < OFFSET as usize && len.is_power_of_two());
        Self {
            place: offset as u16 | (len.trailing_zeros() as u16) << OFFSET.trailing_ones(),
            least: if padded < end { end } else { padded + 1 } as u16,
        }
    }

    /// Its value, if the kernel that sent `structure` has the field.
    #[inline]
    pub fn read<E: Order>(self, structure: &[u8]) -> Option<u64> {
        if structure.len() < usize::from(self.least) {
            return None;
        }
        let start = usize::from(self.place & OFFSET);
        let len = 1 << (self.place >> OFFSET.trailing_ones());
        E::number(structure.get(start..start + len)?)
    }
}

/// All fields of a structure.
#[derive(Debug)]
pub struct Layout {
    // The names, each as long as its row says.
    pub(super) names: &'static str,
    pub(super) rows: &'static [(u8, Field)],
}

impl Layout {
    /// The fields that were received, by name and as numbers, in the order of
    /// the structure.
    #[inline]
    pub fn fields<'a, E: Order>(&'static self, structure: &'a [u8]) -> Fields<'a, E> {
        Fields {
            names: self.names,
            rows: self.rows.iter(),
            structure,
            order: core::marker::PhantomData,
        }
    }
}

/// The fields of a structure that were received, by name and as numbers.
#[derive(Clone, Debug)]
#[must_use = "iterators are lazy"]
pub struct Fields<'a, E: Order> {
    // The names and rows of those to come.
    names: &'static str,
    rows: core::slice::Iter<'static, (u8, Field)>,
    structure: &'a [u8],
    order: core::marker::PhantomData<E>,
}

impl<E: Order> Iterator for Fields<'_, E> {
    type Item = (&'static str, u64);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (len, field) = self.rows.next()?;
            let (name, names) = self.names.split_at_checked(usize::from(*len))?;
            self.names = names;
            if let Some(value) = field.read::<E>(self.structure) {
                return Some((name, value));
            }
        }
    }
}

/// A kernel structure that grew over the years, read by its received length: a field that this
/// kernel did not send is `None`. Each row is `OFFSET field: kind`, with `beyond LEN` if
/// kernels without the field send padding in its place: their structure ends at `LEN`. The
/// view borrows the bytes; nothing is read before it is asked for.
macro_rules! growing_struct {
    (
        $(#[$doc:meta])*
        pub struct $view:ident, $places:ident {
            $(
                $(#[$field_doc:meta])*
                $offset:literal $field:ident: $kind:ident $(beyond $padded:literal)?,
            )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, Hash)]
        pub struct $view<'a, E: crate::order::Order = crate::order::Native> {
            bytes: &'a [u8],
            order: core::marker::PhantomData<E>,
        }

        #[doc = concat!("Where the fields of [`", stringify!($view), "`] are.")]
        #[derive(Copy, Clone, Debug)]
        pub struct $places {
            $(
                $(#[$field_doc])*
                pub $field: crate::diag::Field,
            )*
        }

        impl<'a> $view<'a> {
            /// Where its fields are, for tables: see `read`.
            pub const FIELDS: $places = $places {
                $($field: crate::diag::Field::new($offset, core::mem::size_of::<$kind>(), 0 $(+ $padded)?),)*
            };

            /// All of them.
            pub const LAYOUT: &'static crate::diag::Layout = &crate::diag::Layout {
                names: concat!($(stringify!($field)),*),
                rows: &[$((stringify!($field).len() as u8, Self::FIELDS.$field)),*],
            };

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

            /// All that was received, including what this crate does not know.
            #[inline]
            pub const fn as_bytes(&self) -> &'a [u8] {
                self.bytes
            }

            /// The field, if this kernel sent it.
            #[inline]
            pub fn read(&self, field: crate::diag::Field) -> Option<u64> {
                field.read::<E>(self.bytes)
            }

            /// All fields that were received, by name and as numbers, in the
            /// order of the structure.
            pub fn fields(&self) -> crate::diag::Fields<'a, E> {
                $view::LAYOUT.fields(self.bytes)
            }

            $(
                $(#[$field_doc])*
                #[inline]
                pub fn $field(&self) -> Option<$kind> {
                    $(
                        if self.bytes.len() <= $padded {
                            return None;
                        }
                    )?
                    let bytes = self.bytes.get($offset..)?.get(..core::mem::size_of::<$kind>())?;
                    <crate::set::kind::$kind as crate::set::Kind<'_, E>>::read(bytes)
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
