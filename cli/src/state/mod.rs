//! State files: what they say, and the changes that make the kernel hold it.

pub mod changes;
pub mod endpoint;
pub mod file;
pub mod members;
pub mod plan;
