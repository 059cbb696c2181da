//! The endpoint that no words mean.

use crate::errno::Errno;
use crate::error::{status, Error, Kind};

/// No endpoint is what was asked for.
pub fn not_found() -> Error {
    Error::new(
        Kind::Kernel,
        status::REFUSED,
        &["Error: address not found."],
    )
    .with_errno(Errno(libc::EINVAL as usize))
}
