#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod numbers;
#[macro_use]
mod table;

pub mod diag;
pub mod error;
pub mod exchange;
#[macro_use]
pub mod generic;
pub mod inet;
pub mod mptcp;
pub mod netlink;
pub mod order;
pub mod print;
pub mod route;
pub mod set;

#[cfg(test)]
mod testing;

pub use error::{Error, ErrorKind};
pub use exchange::Exchange;

// Lengths on the wire have up to 32 bits.
const _: () = assert!(usize::BITS >= 32);
