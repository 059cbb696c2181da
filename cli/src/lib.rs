//! The parts of the program `ip-mptcp`, for tests and fuzzing. Not a library for others:
//! that is the crate `mptcp-codec`.
//!
//! The path of a command: [`iproute2`] finds its row of the table in [`command`],
//! [`grammar`] reads the keyword lists, `kernel` is asked, and `output` writes the values.
//! `README.md` follows it file by file.

#![deny(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
// What tests and fuzzing need is public. The rest is not, so that the compiler finds unused
// code; in a smaller build some is expected.
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
