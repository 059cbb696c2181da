//! What a user-space path manager does to subflows.

use mptcp_codec::mptcp::EndpointFlags;

use crate::error::{Error, Result, Status};
use crate::grammar::Given;
use crate::session::Session;

/// `subflow create`.
pub fn create(session: &mut Session, given: &Given) -> Result<Status> {
    // The kernel would accept port 0.
    if given.remote_port().unwrap_or(0) == 0 {
        return Err(Error::required("to ADDRESS port P"));
    }
    let (token, local, remote) = (given.token().unwrap_or(0), given.endpoint(), given.peer());
    session
        .path_manager()?
        .create_subflow(token, &local, &remote)?;
    Ok(0)
}

/// `subflow delete`.
pub fn delete(session: &mut Session, given: &Given) -> Result<Status> {
    let (token, local, remote) = (given.token().unwrap_or(0), given.endpoint(), given.peer());
    session
        .path_manager()?
        .destroy_subflow(token, &local, &remote)?;
    Ok(0)
}

/// `subflow change`.
pub fn change(session: &mut Session, given: &Given) -> Result<Status> {
    if given.set == given.clear || given.set | given.clear != EndpointFlags::BACKUP {
        return Err(Error::required("backup or nobackup"));
    }
    let (token, local, remote) = (given.token().unwrap_or(0), given.endpoint(), given.peer());
    session
        .path_manager()?
        .set_subflow_flags(token, &local, &remote)?;
    Ok(0)
}
