//! The parts of the program `ip-mptcp`, so that tests and fuzzing reach them.
//! Not a library for others: that is the crate `mptcp-codec`.
//!
//! A command's way: [`iproute2`] turns its spelling into what [`args`]
//! declares, [`grammar`] reads the keyword lists, [`command`] asks the
//! [`kernel`] and hands values to [`output`].

#![deny(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod args;
pub mod batch;
pub mod command;
pub mod dispatch;
pub mod errno;
pub mod error;
pub mod grammar;
pub mod help;
pub mod host;
pub mod iproute2;
pub mod kernel;
pub mod near;
pub mod output;
pub mod run;
pub mod session;
pub mod state;
pub mod sys;
pub mod text;
pub mod zone;

pub use run::run;
