//! Clients of the kernel: a socket around the codec's exchange, and the tool's requests.
//! System calls are in [`crate::sys`].

mod attributes;
pub mod connections;
mod diag;
pub mod interface;
pub mod key;
mod lock;
pub mod netns;
mod path_manager;
pub mod proc;
pub mod remedy;
mod route;
mod socket;

pub use diag::Diagnostics;
pub use interface::Names;
pub use lock::Lock;
pub use path_manager::{absent, PathManager};
pub use route::{Hop, LinkEvent, LinkEvents, NewsSocket, RouteSocket, CHANGES, ROUTES};
pub use socket::receive_error;
