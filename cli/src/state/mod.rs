//! State files: what they say, and the changes that make the kernel hold it.

pub mod changes;
pub mod file;
pub mod members;
pub mod plan;
