//! Words about endpoints, and the endpoint that none of them means.

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::endpoint::{parse, EndpointWords, Family, Purpose};
use crate::grammar::{takes, Words};
use crate::kernel::interface;
use crate::session::Session;

/// Reads the words of a command; names of interfaces are looked up as they
/// are met.
pub fn read(
    session: &mut Session,
    words: &[&str],
    purpose: Purpose,
    said: &mut EndpointWords,
) -> Result<()> {
    parse(Words::new(words), purpose, said, &mut |name| {
        interface::index(session.path_manager()?.fd(), name, purpose.selects())
    })?;
    if purpose.selects() && said.family.is_none() {
        said.family = match (session.options.ipv4, session.options.ipv6) {
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            _ => return Ok(()),
        };
        said.kinds |= takes::FAMILY;
    }
    Ok(())
}

/// No endpoint is what was asked for.
pub fn not_found() -> Error {
    Error::new(
        Kind::Kernel,
        status::REFUSED,
        &["Error: address not found."],
    )
    .with_errno(Errno(libc::EINVAL as usize))
}
