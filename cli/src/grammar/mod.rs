//! Keyword lists: words to values. Knows no netlink.
//!
//! The words of a command come in any order; keywords that take a value may
//! be shortened, flags may not; of a keyword that is there twice the last
//! counts, as with `ip`. Errors name the word at fault.

pub mod batch;
pub mod connection;
pub mod endpoint;
pub mod keyword;
pub mod limits;
pub mod path;
mod value;

pub use value::{address, interface_name, milliseconds, number_u16, number_u8, same, token};

use std::net::IpAddr;

use crate::error::{Error, Result};

/// Kinds of words, as bits: what a command takes, or what was given.
pub mod takes {
    /// A bare address of this host, which must be there.
    pub const ADDRESS: u16 = 1;
    /// `from ADDRESS` and `to ADDRESS`, which must be there.
    pub const ENDS: u16 = 2;
    /// `port P`.
    pub const PORT: u16 = 4;
    /// `id N`, which must be there.
    pub const ID: u16 = 8;
    /// `dev IF`.
    pub const DEV: u16 = 16;
    /// Flags; where there is no id, they must be `backup` or `nobackup`.
    pub const FLAGS: u16 = 32;
    /// `-4` or `-6`.
    pub const FAMILY: u16 = 64;
    /// `token T`.
    pub const TOKEN: u16 = 128;
}

/// The words of a command, taken one after the other.
#[derive(Debug)]
pub struct Words<'a> {
    rest: core::slice::Iter<'a, &'a str>,
}

impl<'a> Words<'a> {
    /// All of them.
    pub fn new(words: &'a [&'a str]) -> Self {
        Self { rest: words.iter() }
    }

    /// The value that follows `keyword`.
    pub fn value(&mut self, keyword: &str) -> Result<&'a str> {
        self.next().ok_or_else(|| Error::incomplete(keyword))
    }

    /// The token that follows `keyword`.
    pub fn token(&mut self, keyword: &str) -> Result<u32> {
        let value = self.value(keyword)?;
        token(value).ok_or_else(|| Error::invalid(value, "invalid token, hexadecimal is expected"))
    }

    /// The interface that follows `keyword`, as its index, which `index_of`
    /// finds.
    pub fn dev(
        &mut self,
        keyword: &str,
        index_of: &mut dyn FnMut(&str) -> Result<u32>,
    ) -> Result<u32> {
        let value = self.value(keyword)?;
        if !interface_name(value) {
            return Err(Error::invalid(value, "invalid interface name"));
        }
        index_of(value)
    }
}

/// Takes an address.
fn take_address(word: &str, into: &mut Option<IpAddr>) -> Result<()> {
    *into = address(word);
    match into {
        Some(_) => Ok(()),
        None => Err(Error::address(word)),
    }
}

/// Takes the only address that there may be.
fn only_address(word: &str, into: &mut Option<IpAddr>) -> Result<()> {
    let second = into.is_some();
    take_address(word, into)?;
    if second {
        return Err(Error::invalid(word, "there is an address already"));
    }
    Ok(())
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    #[inline(never)]
    fn next(&mut self) -> Option<&'a str> {
        self.rest.next().copied()
    }
}

/// Whether `word` is `whole` or an initial part of it.
#[inline(never)]
pub fn shortens(word: &str, whole: &str) -> bool {
    let (word, whole) = (word.as_bytes(), whole.as_bytes());
    // Byte by byte: most words differ in the first.
    !word.is_empty() && word.len() <= whole.len() && word.iter().zip(whole).all(|(a, b)| a == b)
}

/// Whether `word` looks like an option.
pub fn is_dashed(word: &str) -> bool {
    matches!(word.as_bytes(), [b'-', ..])
}
