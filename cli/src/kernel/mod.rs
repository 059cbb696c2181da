//! Talking to the kernel: a socket around the codec's exchange, and the path
//! manager's family on top of it.

pub mod netns;
mod path_manager;
mod socket;
pub mod sys;

pub use path_manager::PathManager;
pub use socket::{receive_error, Socket};
