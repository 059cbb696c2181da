//! The commands of the path manager (`MPTCP_PM_CMD_*`), ready to be sent.
//!
//! Each function writes one whole message into `buffer`, for the family id
//! that the [controller](crate::generic::controller) told and with a sequence
//! number of the caller's, and returns it. 128 bytes are enough for any of
//! them. Setting commands ask for an acknowledgement.

use super::{attribute, Endpoint, Limits, VERSION};
use crate::error::Error;
use crate::generic;
use crate::netlink::{flags, Writer};

/// Numbers of the commands.
pub mod command {
    /// Adds an endpoint.
    pub const ADD_ADDR: u8 = 1;
    /// Deletes an endpoint.
    pub const DEL_ADDR: u8 = 2;
    /// Reads one endpoint or all.
    pub const GET_ADDR: u8 = 3;
    /// Deletes all endpoints.
    pub const FLUSH_ADDRS: u8 = 4;
    /// Sets limits.
    pub const SET_LIMITS: u8 = 5;
    /// Reads the limits.
    pub const GET_LIMITS: u8 = 6;
    /// Changes backup and fullmesh (kernel 5.12).
    pub const SET_FLAGS: u8 = 7;
    /// Announces an address on a connection (kernel 5.19).
    pub const ANNOUNCE: u8 = 8;
    /// Takes back an announced address (kernel 5.19).
    pub const REMOVE: u8 = 9;
    /// Opens a subflow (kernel 5.19).
    pub const SUBFLOW_CREATE: u8 = 10;
    /// Closes a subflow (kernel 5.19).
    pub const SUBFLOW_DESTROY: u8 = 11;
}

const SET: u16 = flags::REQUEST | flags::ACK;
const GET: u16 = flags::REQUEST;
const DUMP: u16 = flags::REQUEST | flags::DUMP;

#[inline(always)]
fn begin(buffer: &mut [u8], family: u16, flags: u16, seq: u32, command: u8) -> Writer<'_> {
    generic::request(buffer, family, flags, seq, command, VERSION)
}

/// Adds an endpoint. The kernel refuses an address it has (`EEXIST`), an id
/// that is taken (`EBUSY`) and more than it can hold (`ERANGE`).
#[inline]
pub fn add_address<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::ADD_ADDR);
    writer.nest(attribute::ADDR, |nest| endpoint.encode(nest));
    writer.finish()
}

/// Deletes the endpoint with this id. With id 0 and an address it closes the
/// first subflow of the connections from that address, and succeeds if there
/// are none.
pub fn delete_address<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::DEL_ADDR);
    writer.nest(attribute::ADDR, |nest| endpoint.encode(nest));
    writer.finish()
}

/// Reads the endpoint with this id; of the user-space path manager of the
/// connection `token` where one is given (kernel 6.10).
pub fn get_address(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    id: u8,
    token: Option<u32>,
) -> Result<&mut [u8], Error> {
    let mut writer = begin(buffer, family, GET, seq, command::GET_ADDR);
    writer.nest(attribute::ADDR, |nest| nest.put_u8(Endpoint::ID, id));
    if let Some(token) = token {
        writer.put_u32(attribute::TOKEN, token);
    }
    writer.finish()
}

/// Reads all endpoints; of the user-space path manager of the connection
/// `token` where one is given (kernel 6.10).
pub fn dump_addresses(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    token: Option<u32>,
) -> Result<&mut [u8], Error> {
    let mut writer = begin(buffer, family, DUMP, seq, command::GET_ADDR);
    if let Some(token) = token {
        writer.put_u32(attribute::TOKEN, token);
    }
    writer.finish()
}

/// Deletes all endpoints.
pub fn flush_addresses(buffer: &mut [u8], family: u16, seq: u32) -> Result<&mut [u8], Error> {
    begin(buffer, family, SET, seq, command::FLUSH_ADDRS).finish()
}

/// Sets the limits that are present; if one is refused, none is changed.
pub fn set_limits<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    limits: &Limits,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::SET_LIMITS);
    limits.encode(&mut writer);
    writer.finish()
}

/// Reads the limits.
pub fn get_limits(buffer: &mut [u8], family: u16, seq: u32) -> Result<&mut [u8], Error> {
    begin(buffer, family, GET, seq, command::GET_LIMITS).finish()
}

/// Sets backup and fullmesh of the endpoint with this id or address to what
/// its flags say: **both** bits are overwritten. By address, the port belongs
/// to it; by id, no address and no family may be present.
pub fn set_flags<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::SET_FLAGS);
    writer.nest(attribute::ADDR, |nest| endpoint.encode(nest));
    writer.finish()
}

/// Sets backup of one subflow of the connection `token`, which has a
/// user-space path manager (MP_PRIO).
pub fn set_subflow_flags<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    local: &Endpoint,
    remote: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    on_subflow(
        begin(buffer, family, SET, seq, command::SET_FLAGS),
        token,
        local,
        remote,
    )
}

/// Announces an address on the connection `token`. Its flags must hold
/// [`SIGNAL`](super::EndpointFlags::SIGNAL) and its id must not be 0.
pub fn announce<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::ANNOUNCE);
    writer.put_u32(attribute::TOKEN, token);
    writer.nest(attribute::ADDR, |nest| endpoint.encode(nest));
    writer.finish()
}

/// Takes back the address with this id on the connection `token`, and closes
/// its subflows there.
pub fn remove(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    id: u8,
) -> Result<&mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command::REMOVE);
    writer.put_u32(attribute::TOKEN, token);
    writer.put_u8(attribute::LOC_ID, id);
    writer.finish()
}

/// Opens a subflow of the connection `token`. Answered before the handshake
/// is over.
pub fn create_subflow<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    local: &Endpoint,
    remote: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    on_subflow(
        begin(buffer, family, SET, seq, command::SUBFLOW_CREATE),
        token,
        local,
        remote,
    )
}

/// Closes the subflow of the connection `token` between these two addresses
/// and ports.
pub fn destroy_subflow<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    local: &Endpoint,
    remote: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    on_subflow(
        begin(buffer, family, SET, seq, command::SUBFLOW_DESTROY),
        token,
        local,
        remote,
    )
}

fn on_subflow<'b>(
    mut writer: Writer<'b>,
    token: u32,
    local: &Endpoint,
    remote: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    writer.put_u32(attribute::TOKEN, token);
    writer.nest(attribute::ADDR, |nest| local.encode(nest));
    writer.nest(attribute::ADDR_REMOTE, |nest| remote.encode(nest));
    writer.finish()
}
