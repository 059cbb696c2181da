//! Byte orders.
//!
//! Netlink uses the byte order of the machine it runs on. Everything in this crate is generic
//! over that order with [`Native`] as the default, so that code talking to the kernel never
//! mentions it:
//!
//! ```
//! # let datagram = [];
//! use mptcp_codec::netlink::Messages;
//! for message in Messages::new(&datagram) { /* this machine's order */ }
//! ```
//!
//! For bytes that were captured elsewhere the order is named once, where they come in; what is
//! decoded from them follows:
//!
//! ```
//! # let capture = [];
//! use mptcp_codec::{netlink::Messages, order::Big};
//! for message in Messages::<Big>::with_order(&capture) { /* a MIPS router's */ }
//! ```
//!
//! The order is a zero-sized type, resolved at compile time: the native case pays nothing for
//! it.

mod sealed {
    pub trait Sealed {}
}

/// A byte order for host-order fields: [`Little`] or [`Big`].
///
/// Sealed: there are no other orders.
pub trait Order:
    sealed::Sealed + Copy + Default + core::fmt::Debug + Ord + core::hash::Hash
{
    /// Reads a 16-bit number.
    fn u16(bytes: [u8; 2]) -> u16;
    /// Reads a 32-bit number.
    fn u32(bytes: [u8; 4]) -> u32;
    /// Reads a 64-bit number.
    fn u64(bytes: [u8; 8]) -> u64;
    /// Reads a number of 1, 2, 4 or 8 bytes.
    fn number(bytes: &[u8]) -> Option<u64> {
        Some(match *bytes {
            [a] => a.into(),
            [a, b] => Self::u16([a, b]).into(),
            [a, b, c, d] => Self::u32([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => Self::u64([a, b, c, d, e, f, g, h]),
            _ => return None,
        })
    }
    /// Writes a 16-bit number.
    fn put_u16(value: u16) -> [u8; 2];
    /// Writes a 32-bit number.
    fn put_u32(value: u32) -> [u8; 4];
    /// Writes a 64-bit number.
    fn put_u64(value: u64) -> [u8; 8];
    /// Reads an attribute header, `nla_len` and `nla_type`, as one word with
    /// the type in its upper half, so that one comparison checks both.
    fn attribute_word(bytes: [u8; 4]) -> u32;
    /// The reverse of [`Order::attribute_word`].
    fn put_attribute_word(word: u32) -> [u8; 4];
}

/// Least significant byte first: x86, ARM, RISC-V, `mipsel`.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Little;

/// Most significant byte first: `mips`, `powerpc`, s390x.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Big;

/// The order of the machine this was compiled for.
#[cfg(target_endian = "little")]
pub type Native = Little;
/// The order of the machine this was compiled for.
#[cfg(target_endian = "big")]
pub type Native = Big;

macro_rules! order {
    ($name:ident, $from:ident, $to:ident, $half:expr) => {
        impl sealed::Sealed for $name {}
        impl Order for $name {
            #[inline(always)]
            fn u16(bytes: [u8; 2]) -> u16 {
                u16::$from(bytes)
            }
            #[inline(always)]
            fn u32(bytes: [u8; 4]) -> u32 {
                u32::$from(bytes)
            }
            #[inline(always)]
            fn u64(bytes: [u8; 8]) -> u64 {
                u64::$from(bytes)
            }
            #[inline(always)]
            fn put_u16(value: u16) -> [u8; 2] {
                value.$to()
            }
            #[inline(always)]
            fn put_u32(value: u32) -> [u8; 4] {
                value.$to()
            }
            #[inline(always)]
            fn put_u64(value: u64) -> [u8; 8] {
                value.$to()
            }
            #[inline(always)]
            fn attribute_word(bytes: [u8; 4]) -> u32 {
                u32::$from(bytes).rotate_left($half)
            }
            #[inline(always)]
            fn put_attribute_word(word: u32) -> [u8; 4] {
                word.rotate_left($half).$to()
            }
        }
    };
}

// nla_len comes first: in little endian it is already the lower half.
order!(Little, from_le_bytes, to_le_bytes, 0);
order!(Big, from_be_bytes, to_be_bytes, 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_header_is_one_word_with_the_type_above() {
        assert_eq!(Little::attribute_word([8, 0, 1, 0x80]), 0x8001_0008);
        assert_eq!(Big::attribute_word([0, 8, 0x80, 1]), 0x8001_0008);
        assert_eq!(Little::put_attribute_word(0x8001_0008), [8, 0, 1, 0x80]);
        assert_eq!(Big::put_attribute_word(0x8001_0008), [0, 8, 0x80, 1]);
    }
}
