//! Talking to the kernel: a socket around the codec's exchange, and the path
//! manager's family on top of it.

mod diag;
mod lock;
pub mod netns;
mod path_manager;
pub mod proc;
mod route;
mod socket;
pub mod sys;

pub use diag::Diagnostics;
pub use lock::Lock;
pub use path_manager::{absent, PathManager};
pub use route::{Interfaces, Names, CHANGES};
pub use socket::{receive_error, Socket};
