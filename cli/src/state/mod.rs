//! State files: what they say, and the changes that bring the kernel to that state.

#[cfg(feature = "state")]
pub mod changes;
#[cfg(feature = "state")]
pub mod endpoint;
#[cfg(feature = "state")]
pub mod file;
pub mod members;
#[cfg(feature = "state")]
pub mod plan;
