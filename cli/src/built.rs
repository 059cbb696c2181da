//! The features of `Cargo.toml` that this build has. Elsewhere `cfg` stands only at rows of
//! commands and keywords, and at the heads of modules.

/// `state`: state files.
pub const STATE: bool = cfg!(feature = "state");
/// `connections`: connections and paths.
pub const CONNECTIONS: bool = cfg!(feature = "connections");
/// `health`: status, counters, doctor.
pub const HEALTH: bool = cfg!(feature = "health");
/// `user-space`: what a user-space path manager does.
pub const USER_SPACE: bool = cfg!(feature = "user-space");
/// `monitor-more`: what monitor has beyond choosing events and an end.
pub const MONITOR_MORE: bool = cfg!(feature = "monitor-more");
