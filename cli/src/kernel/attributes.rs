//! Attributes that are searched by number. If only a few of many are needed, this takes much
//! less code than decoding the whole set.

use mptcp_codec::netlink::Attributes;

use crate::error::Result;

/// Attributes that have been checked: none of them is malformed.
#[derive(Copy, Clone)]
pub struct Set<'m>(Attributes<'m>);

impl<'m> Set<'m> {
    /// Those after `head` bytes.
    #[inline(never)]
    pub fn after(head: usize, bytes: &'m [u8]) -> Result<Self> {
        // If even the head is incomplete: a single byte is an invalid attribute.
        let attributes = <Attributes>::new(bytes.get(head..).unwrap_or(&[0]));
        // Whatever is searched, all of them are looked at.
        attributes.find_last(0)?;
        Ok(Self(attributes))
    }

    /// The payload of the one with this number, the last one of several; empty if there is
    /// none.
    #[inline(never)]
    pub fn payload(self, number: u16) -> &'m [u8] {
        match self.0.find_last(number) {
            Ok(Some(attribute)) => attribute.payload(),
            _ => &[],
        }
    }

    /// The value of one that is a number; 0 if there is none.
    pub fn number(self, number: u16) -> u32 {
        number_at(self.payload(number), 0)
    }
}

/// The number at `at`; 0 if there is none.
pub fn number_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}
