//! Numbers and flags of the kernel, each declared in one row.

/// Declares an enum of the kernel's numbers. Each row is
/// `NUMBER Variant "name"`; a number that has no row is kept as `Unknown`.
///
/// The rows generate `from_number`, `number`, `name`, `ALL`, [`Display`] (the name, or the
/// number if there is none), [`FromStr`] (a name or a number) and the conversions from and
/// to the number.
///
/// ```
/// mptcp_codec::numbered! {
///     /// The mode of a bond.
///     pub enum BondMode: u8 {
///         /// One after the other.
///         0 RoundRobin "balance-rr",
///         /// One carries, the others wait.
///         1 ActiveBackup "active-backup",
///     }
/// }
/// assert_eq!(BondMode::from(1), BondMode::ActiveBackup);
/// assert_eq!(BondMode::from(9).name(), None);
/// assert_eq!("balance-rr".parse(), Ok(BondMode::RoundRobin));
/// ```
///
/// [`Display`]: core::fmt::Display
/// [`FromStr`]: core::str::FromStr
#[macro_export]
macro_rules! numbered {
    (
        $(#[$doc:meta])*
        $visible:vis enum $name:ident: $repr:ident {
            $( $(#[$variant_doc:meta])* $number:literal $variant:ident $text:literal, )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        $visible enum $name {
            $( $(#[$variant_doc])* $variant, )+
            /// Another number.
            Unknown($repr),
        }

        #[allow(dead_code)]
        impl $name {
            /// All variants with a name, in the order of their numbers.
            pub const ALL: [Self; { const ALL: &[$repr] = &[$($number),+]; ALL.len() }] =
                [$(Self::$variant),+];

            /// From the kernel's number.
            #[inline]
            pub const fn from_number(number: $repr) -> Self {
                match number {
                    $( $number => Self::$variant, )+
                    other => Self::Unknown(other),
                }
            }

            /// The kernel's number.
            #[inline]
            pub const fn number(self) -> $repr {
                match self {
                    $( Self::$variant => $number, )+
                    Self::Unknown(number) => number,
                }
            }

            /// Its name; `None` for an unknown number.
            pub const fn name(self) -> core::option::Option<&'static str> {
                match self {
                    $( Self::$variant => Some($text), )+
                    Self::Unknown(_) => None,
                }
            }
        }

        impl From<$repr> for $name {
            #[inline]
            fn from(number: $repr) -> Self {
                Self::from_number(number)
            }
        }

        impl From<$name> for $repr {
            #[inline]
            fn from(value: $name) -> Self {
                value.number()
            }
        }

        impl core::fmt::Display for $name {
            /// The name, or the number if there is none.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.pad(name),
                    None => core::fmt::Display::fmt(&self.number(), f),
                }
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::Error;

            /// Reads a name or a number.
            fn from_str(text: &str) -> core::result::Result<Self, Self::Err> {
                $( if text == $text { return Ok(Self::$variant); } )+
                match text.parse() {
                    Ok(number) => Ok(Self::from_number(number)),
                    Err(_) => Err($crate::Error::new($crate::ErrorKind::BadValue, 0)),
                }
            }
        }
    };
}

/// Declares a set of the kernel's flags. Each row is `BITS NAME "name"`; bits without a row are
/// kept.
///
/// The rows generate the constants, `NAMES`, `KNOWN`, `unknown`, the operators, [`Display`]
/// (names joined by `|`, then unknown bits in hexadecimal), [`FromStr`] (the reverse) and
/// the conversions from and to the number.
///
/// ```
/// mptcp_codec::flags! {
///     /// What a queue can do.
///     pub struct QueueFlags: u32 {
///         /// Reads.
///         1 READ "read",
///         /// Writes.
///         2 WRITE "write",
///     }
/// }
/// let both = QueueFlags::READ | QueueFlags::WRITE;
/// assert!(both.contains(QueueFlags::WRITE) && both.unknown().is_empty());
/// assert_eq!("read|0x10".parse(), Ok(QueueFlags(0x11)));
/// ```
///
/// [`Display`]: core::fmt::Display
/// [`FromStr`]: core::str::FromStr
#[macro_export]
macro_rules! flags {
    (
        $(#[$doc:meta])*
        $visible:vis struct $name:ident: $repr:ident {
            $( $(#[$flag_doc:meta])* $bits:literal $flag:ident $text:literal, )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $visible struct $name(
            /// The bits.
            pub $repr,
        );

        #[allow(dead_code)]
        impl $name {
            $( $(#[$flag_doc])* pub const $flag: Self = Self($bits); )+

            /// No flag.
            pub const EMPTY: Self = Self(0);

            /// All bits that have a name here.
            pub const KNOWN: Self = Self(0 $(| $bits)+);

            /// The known bits with their names.
            pub const NAMES: [(Self, &'static str); { const ALL: &[$repr] = &[$($bits),+]; ALL.len() }] =
                [$((Self($bits), $text)),+];

            /// Whether all bits of `flags` are set.
            #[inline]
            pub const fn contains(self, flags: Self) -> bool {
                self.0 & flags.0 == flags.0
            }

            /// Whether no bit is set.
            #[inline]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The bits of both, like `|`.
            #[must_use]
            #[inline]
            pub const fn or(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits without a name here.
            #[inline]
            pub const fn unknown(self) -> Self {
                Self(self.0 & !Self::KNOWN.0)
            }
        }

        impl From<$repr> for $name {
            #[inline]
            fn from(bits: $repr) -> Self {
                Self(bits)
            }
        }

        impl From<$name> for $repr {
            #[inline]
            fn from(flags: $name) -> Self {
                flags.0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;
            #[inline]
            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl core::ops::BitOrAssign for $name {
            #[inline]
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }

        impl core::ops::BitAnd for $name {
            type Output = Self;
            #[inline]
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl core::ops::BitAndAssign for $name {
            #[inline]
            fn bitand_assign(&mut self, other: Self) {
                self.0 &= other.0;
            }
        }

        impl core::ops::Not for $name {
            type Output = Self;
            #[inline]
            fn not(self) -> Self {
                Self(!self.0)
            }
        }

        impl core::fmt::Display for $name {
            /// Names joined by `|`, then unknown bits in hexadecimal.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let mut separator = "";
                for (flag, name) in Self::NAMES {
                    if self.contains(flag) {
                        f.write_str(separator)?;
                        f.write_str(name)?;
                        separator = "|";
                    }
                }
                let unknown = self.unknown();
                if unknown.is_empty() && !separator.is_empty() {
                    return Ok(());
                }
                write!(f, "{separator}{:#x}", unknown.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::Error;

            /// Reads names and numbers joined by `|`.
            fn from_str(text: &str) -> core::result::Result<Self, Self::Err> {
                let mut flags = Self::EMPTY;
                for word in text.split('|') {
                    let named = Self::NAMES.iter().find(|(_, name)| *name == word);
                    flags |= match named {
                        Some((flag, _)) => *flag,
                        None => {
                            let number = match word.strip_prefix("0x") {
                                Some(digits) => $repr::from_str_radix(digits, 16),
                                None => word.parse(),
                            };
                            match number {
                                Ok(bits) => Self(bits),
                                Err(_) => return Err($crate::Error::new($crate::ErrorKind::BadValue, 0)),
                            }
                        }
                    };
                }
                Ok(flags)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    extern crate std;

    use crate::diag::{State, SubflowFlags};
    use crate::mptcp::{EndpointFlags, EventFlags, EventKind};
    use crate::route::{AddressFlags, LinkFlags, OperState, RouteKind};
    use core::fmt::{Debug, Display};
    use core::str::FromStr;
    use std::string::ToString;

    fn reads_back<T: Copy + Debug + Display + FromStr<Err = crate::Error> + PartialEq>(value: T) {
        assert_eq!(value.to_string().parse(), Ok(value), "{value:?}");
    }

    macro_rules! every_number {
        ($($set:ident)+) => {$(
            for number in 0..=u8::MAX {
                let value = $set::from_number(number);
                assert_eq!(value.number(), number);
                assert_eq!(value.name().is_none(), matches!(value, $set::Unknown(_)));
                assert_eq!($set::ALL.contains(&value), value.name().is_some());
                reads_back(value);
            }
            assert!($set::ALL.is_sorted_by_key(|value| value.number()), "{}", stringify!($set));
            assert!("nonsense".parse::<$set>().is_err());
        )+};
    }

    #[test]
    fn every_number_is_kept_and_reads_back_from_its_name() {
        every_number!(EventKind State OperState RouteKind);
    }

    macro_rules! every_flag {
        ($($set:ident)+) => {$(
            let mut seen = $set::EMPTY;
            for (flag, name) in $set::NAMES {
                assert_eq!(flag.0.count_ones(), 1, "{name}");
                assert!((seen & flag).is_empty(), "{name} stands twice");
                seen |= flag;
                reads_back(flag);
                reads_back(!flag);
                assert!(!(!flag).contains(flag) && !(!flag).unknown().contains(flag));
            }
            assert_eq!(seen, $set::KNOWN);
            assert_eq!((!$set::EMPTY).unknown(), !seen);
            reads_back($set::EMPTY);
            assert!("nonsense".parse::<$set>().is_err());
        )+};
    }

    #[test]
    fn every_flag_has_one_bit_and_one_name_and_the_rest_is_kept() {
        every_flag!(EndpointFlags EventFlags SubflowFlags LinkFlags AddressFlags);
    }

    #[test]
    fn flags_are_shown_by_name_and_unknown_bits_as_numbers() {
        let shown = EndpointFlags(0x105).to_string();
        assert_eq!(shown, "signal|backup|0x100");
        assert_eq!(EndpointFlags(0).to_string(), "0x0");
    }
}
