//! The parts of the program `ip-mptcp`, so that tests and fuzzing reach them.
//! Not a library for others: that is the crate `mptcp-codec`.
//!
//! A command's way: [`iproute2`] finds the row of the table in [`command`] that
//! its words mean, [`grammar`] reads the keyword lists, `kernel` is asked, and
//! `output` writes the values. `README.md` has the way file by file.

#![deny(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
// What tests and fuzzing need is public. The rest is not, so that the compiler
// finds what nobody uses; of a smaller build it is asked no such thing.
#![cfg_attr(
    not(all(
        feature = "state",
        feature = "connections",
        feature = "health",
        feature = "user-space",
        feature = "monitor-more"
    )),
    allow(dead_code, unused_imports)
)]

pub mod args;
mod batch;
mod built;
pub mod command;
mod dispatch;
mod errno;
mod error;
pub mod grammar;
mod help;
mod host;
pub mod iproute2;
mod kernel;
mod near;
mod output;
mod run;
pub mod session;
pub mod state;
mod sys;
mod text;
mod zone;

pub use kernel::key::key;
pub use kernel::LinkEvent;
pub use run::run;
pub use sys::{arguments, exit, Memory};
pub use text::Text;
