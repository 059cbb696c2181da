//! What describes endpoints, and which combinations are invalid.

use mptcp_codec::mptcp::EndpointFlags;

use super::given::Given;
pub use super::prefix::{Family, Prefix};
use crate::error::{Error, Result};

/// The flags that the kernel can change in place.
pub const CHANGEABLE: EndpointFlags =
    EndpointFlags(EndpointFlags::BACKUP.0 | EndpointFlags::FULLMESH.0);

/// Refuses what a user cannot make an endpoint.
pub fn check_made(given: &Given) -> Result<()> {
    if given.set.contains(EndpointFlags::IMPLICIT) {
        let why = "only the kernel makes implicit endpoints";
        return Err(Error::invalid("implicit", why));
    }
    Ok(())
}

/// Refuses what a new endpoint cannot be, beyond what the parser sees word by word.
pub fn check_new(given: &Given) -> Result<()> {
    if given.id() == Some(0) {
        return Err(Error::invalid("ID", "cannot be 0"));
    }
    if given.port().unwrap_or(0) != 0 && !given.set.contains(EndpointFlags::SIGNAL) {
        return Err(Error::invalid(
            "port",
            "flags must have signal when using port",
        ));
    }
    Ok(())
}

/// Refuses combinations that no kernel accepts.
pub fn check_whole(flags: EndpointFlags, port: u16) -> Result<()> {
    if flags.contains(EndpointFlags::SIGNAL | EndpointFlags::FULLMESH) {
        let why = "flags mustn't have both signal and fullmesh";
        return Err(Error::invalid("fullmesh", why));
    }
    let listens = flags & (EndpointFlags::SIGNAL | EndpointFlags::SUBFLOW);
    if port != 0 && listens != EndpointFlags::SIGNAL {
        let why = "flags must have signal and not subflow when using port";
        return Err(Error::invalid("port", why));
    }
    Ok(())
}
