//! State files: what they say, and the changes that make the kernel hold it.

#[cfg(feature = "state")]
pub mod changes;
#[cfg(feature = "state")]
pub mod endpoint;
#[cfg(feature = "state")]
pub mod file;
pub mod members;
#[cfg(feature = "state")]
pub mod plan;
