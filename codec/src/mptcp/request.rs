//! The commands of the path manager (`MPTCP_PM_CMD_*`), ready to be sent.
//!
//! Each function writes one whole message into `buffer`, for the family id that the
//! [controller](crate::generic::controller) returned and with a sequence number of the
//! caller's choice (not 0, which is that of events), and returns it. [`MAX_LEN`] bytes are
//! enough for any of them; the only error is
//! [`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace) for a buffer that is too small. Commands
//! that change something ask for an acknowledgement.

use super::{attribute, Endpoint, Limits, VERSION};
use crate::error::Error;
use crate::generic::{self, GENERIC_HEADER_LEN};
use crate::netlink::{flags, Writer, ATTRIBUTE_HEADER, HEADER_LEN};

/// Length of the longest request: a token and two addresses with all attributes.
pub const MAX_LEN: usize =
    HEADER_LEN + GENERIC_HEADER_LEN + 8 + 2 * (ATTRIBUTE_HEADER + Endpoint::MAX_LEN);

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
    /// Changes backup (kernel 5.12) and fullmesh (5.18).
    pub const SET_FLAGS: u8 = 7;
    /// Announces an address on a connection (kernel 5.19).
    pub const ANNOUNCE: u8 = 8;
    /// Withdraws an announced address (kernel 5.19).
    pub const REMOVE: u8 = 9;
    /// Opens a subflow (kernel 5.19).
    pub const SUBFLOW_CREATE: u8 = 10;
    /// Closes a subflow (kernel 5.19).
    pub const SUBFLOW_DESTROY: u8 = 11;
}

numbered! {
    /// The commands, with their names in `linux/mptcp_pm.h`.
    pub enum Command: u8 {
        /// Adds an endpoint.
        #[doc(alias = "MPTCP_PM_CMD_ADD_ADDR")]
        1 AddAddr "ADD_ADDR",
        /// Deletes an endpoint.
        #[doc(alias = "MPTCP_PM_CMD_DEL_ADDR")]
        2 DelAddr "DEL_ADDR",
        /// Reads one endpoint or all.
        #[doc(alias = "MPTCP_PM_CMD_GET_ADDR")]
        3 GetAddr "GET_ADDR",
        /// Deletes all endpoints.
        #[doc(alias = "MPTCP_PM_CMD_FLUSH_ADDRS")]
        4 FlushAddrs "FLUSH_ADDRS",
        /// Sets limits.
        #[doc(alias = "MPTCP_PM_CMD_SET_LIMITS")]
        5 SetLimits "SET_LIMITS",
        /// Reads the limits.
        #[doc(alias = "MPTCP_PM_CMD_GET_LIMITS")]
        6 GetLimits "GET_LIMITS",
        /// Changes backup (kernel 5.12) and fullmesh (5.18).
        #[doc(alias = "MPTCP_PM_CMD_SET_FLAGS")]
        7 SetFlags "SET_FLAGS",
        /// Announces an address on a connection (kernel 5.19).
        #[doc(alias = "MPTCP_PM_CMD_ANNOUNCE")]
        8 Announce "ANNOUNCE",
        /// Withdraws an announced address (kernel 5.19).
        #[doc(alias = "MPTCP_PM_CMD_REMOVE")]
        9 Remove "REMOVE",
        /// Opens a subflow (kernel 5.19).
        #[doc(alias = "MPTCP_PM_CMD_SUBFLOW_CREATE")]
        10 SubflowCreate "SUBFLOW_CREATE",
        /// Closes a subflow (kernel 5.19).
        #[doc(alias = "MPTCP_PM_CMD_SUBFLOW_DESTROY")]
        11 SubflowDestroy "SUBFLOW_DESTROY",
    }
}

const SET: u16 = flags::REQUEST | flags::ACK;
const GET: u16 = flags::REQUEST;
const DUMP: u16 = flags::REQUEST | flags::DUMP;

#[inline(always)]
fn begin(buffer: &mut [u8], family: u16, flags: u16, seq: u32, command: u8) -> Writer<'_> {
    generic::request(buffer, family, seq, flags, command, VERSION)
}

/// A command that changes something about an address: on a connection if there is a token, and
/// towards a remote address if that is given.
fn about<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    command: u8,
    token: Option<u32>,
    local: &Endpoint,
    remote: Option<&Endpoint>,
) -> Result<&'b mut [u8], Error> {
    let mut writer = begin(buffer, family, SET, seq, command);
    if let Some(token) = token {
        writer.put_u32(attribute::TOKEN, token);
    }
    put_end(&mut writer, attribute::ADDR, Some(local));
    put_end(&mut writer, attribute::ADDR_REMOTE, remote);
    writer.finish()
}

/// A function and not a loop, which would check at run time for a remote end that a caller
/// never has.
fn put_end(writer: &mut Writer<'_>, number: u16, end: Option<&Endpoint>) {
    if let Some(end) = end {
        writer.nest(number, |nest| end.encode(nest));
    }
}

/// A command without an address, for all or for one connection.
fn plain(
    buffer: &mut [u8],
    family: u16,
    flags: u16,
    seq: u32,
    command: u8,
    token: Option<u32>,
) -> Result<&mut [u8], Error> {
    let mut writer = begin(buffer, family, flags, seq, command);
    if let Some(token) = token {
        writer.put_u32(attribute::TOKEN, token);
    }
    writer.finish()
}

/// Adds an endpoint. The kernel refuses an address that it already has (`EEXIST`), an id
/// that is taken (`EBUSY`) and more endpoints than it can hold (`ERANGE`).
#[inline]
pub fn add_address<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    about(buffer, family, seq, command::ADD_ADDR, None, endpoint, None)
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
    about(buffer, family, seq, command::DEL_ADDR, None, endpoint, None)
}

/// Reads the endpoint with this id; if `token` is given, that of the user-space path manager of
/// this connection (kernel 6.10).
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

/// Reads all endpoints; if `token` is given, those of the user-space path manager of this
/// connection (kernel 6.10).
pub fn dump_addresses(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    token: Option<u32>,
) -> Result<&mut [u8], Error> {
    plain(buffer, family, DUMP, seq, command::GET_ADDR, token)
}

/// Deletes all endpoints.
pub fn flush_addresses(buffer: &mut [u8], family: u16, seq: u32) -> Result<&mut [u8], Error> {
    plain(buffer, family, SET, seq, command::FLUSH_ADDRS, None)
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
    plain(buffer, family, GET, seq, command::GET_LIMITS, None)
}

/// Sets backup and fullmesh of the endpoint with this id or address to what its flags say:
/// **both** bits are overwritten. With an address, its port counts too; with an id, no
/// address and no family may be present.
pub fn set_flags<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    about(
        buffer,
        family,
        seq,
        command::SET_FLAGS,
        None,
        endpoint,
        None,
    )
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
    let (token, remote) = (Some(token), Some(remote));
    about(
        buffer,
        family,
        seq,
        command::SET_FLAGS,
        token,
        local,
        remote,
    )
}

/// Announces an address on the connection `token`. Its flags must include
/// [`SIGNAL`](super::EndpointFlags::SIGNAL) and its id must not be 0.
pub fn announce<'b>(
    buffer: &'b mut [u8],
    family: u16,
    seq: u32,
    token: u32,
    endpoint: &Endpoint,
) -> Result<&'b mut [u8], Error> {
    let token = Some(token);
    about(
        buffer,
        family,
        seq,
        command::ANNOUNCE,
        token,
        endpoint,
        None,
    )
}

/// Withdraws the address with this id on the connection `token`, and closes its subflows there.
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
    let (token, remote) = (Some(token), Some(remote));
    about(
        buffer,
        family,
        seq,
        command::SUBFLOW_CREATE,
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
    let (token, remote) = (Some(token), Some(remote));
    about(
        buffer,
        family,
        seq,
        command::SUBFLOW_DESTROY,
        token,
        local,
        remote,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::Generic;
    use crate::mptcp::{EndpointFlags, Place};
    use crate::testing::native;
    use core::net::Ipv4Addr;

    fn endpoint() -> Endpoint {
        Endpoint::new(Ipv4Addr::new(10, 0, 0, 2))
            .with_id(7)
            .with_flags(EndpointFlags::BACKUP)
            .with_port(8080)
    }

    #[test]
    fn no_request_is_longer_than_promised_whatever_is_present() {
        use core::net::Ipv6Addr;
        let full = Endpoint::EMPTY
            .with_family(10)
            .with_port(1)
            .with_id(1)
            .with_flags(EndpointFlags::SIGNAL)
            .with_if_idx(1)
            .with_addr4(Ipv4Addr::LOCALHOST)
            .with_addr6(Ipv6Addr::LOCALHOST);
        let limits = Limits::EMPTY.with_subflows(1).with_add_addr_accepted(1);
        let mut longest = 0;
        // All combinations of what an address can have.
        for left_out in 0..1u16 << 7 {
            let kinds = (1..=7).filter(|kind| left_out >> (kind - 1) & 1 != 0);
            let end = kinds.fold(full, |end, kind| end.without(kind));
            let mut b = [0; MAX_LEN];
            for len in [
                add_address(&mut b, 30, 1, &end).map(|b| b.len()),
                delete_address(&mut b, 30, 1, &end).map(|b| b.len()),
                get_address(&mut b, 30, 1, 1, Some(1)).map(|b| b.len()),
                dump_addresses(&mut b, 30, 1, Some(1)).map(|b| b.len()),
                flush_addresses(&mut b, 30, 1).map(|b| b.len()),
                set_limits(&mut b, 30, 1, &limits).map(|b| b.len()),
                get_limits(&mut b, 30, 1).map(|b| b.len()),
                set_flags(&mut b, 30, 1, &end).map(|b| b.len()),
                set_subflow_flags(&mut b, 30, 1, 1, &end, &full).map(|b| b.len()),
                announce(&mut b, 30, 1, 1, &end).map(|b| b.len()),
                remove(&mut b, 30, 1, 1, 1).map(|b| b.len()),
                create_subflow(&mut b, 30, 1, 1, &end, &full).map(|b| b.len()),
                destroy_subflow(&mut b, 30, 1, 1, &end, &full).map(|b| b.len()),
            ] {
                longest = longest.max(len.unwrap());
            }
        }
        assert_eq!(longest, MAX_LEN);
    }

    #[test]
    fn every_command_reads_back() {
        type Made<'b> = Result<&'b mut [u8], Error>;
        type Make = fn(&mut [u8]) -> Made<'_>;
        let table: [(u8, u16, Make); 13] = [
            (1, 5, |b| add_address(b, 30, 9, &endpoint())),
            (2, 5, |b| delete_address(b, 30, 9, &endpoint())),
            (3, 1, |b| get_address(b, 30, 9, 7, Some(1))),
            (3, 0x301, |b| dump_addresses(b, 30, 9, Some(1))),
            (4, 5, |b| flush_addresses(b, 30, 9)),
            (5, 5, |b| {
                set_limits(b, 30, 9, &Limits::EMPTY.with_subflows(3))
            }),
            (6, 1, |b| get_limits(b, 30, 9)),
            (7, 5, |b| set_flags(b, 30, 9, &endpoint())),
            (7, 5, |b| {
                set_subflow_flags(b, 30, 9, 1, &endpoint(), &endpoint())
            }),
            (8, 5, |b| announce(b, 30, 9, 1, &endpoint())),
            (9, 5, |b| remove(b, 30, 9, 1, 7)),
            (10, 5, |b| {
                create_subflow(b, 30, 9, 1, &endpoint(), &endpoint())
            }),
            (11, 5, |b| {
                destroy_subflow(b, 30, 9, 1, &endpoint(), &endpoint())
            }),
        ];
        for (command, flags, make) in table {
            let mut buffer = [0; MAX_LEN];
            let message = native(make(&mut buffer).unwrap());
            assert_eq!((message.header.message_type, message.header.seq), (30, 9));
            assert_eq!(message.header.flags, flags);
            let generic = Generic::decode(&message).unwrap();
            assert_eq!((generic.command, generic.version), (command, VERSION));
            for attribute in generic.attributes {
                let attribute = attribute.unwrap();
                if let attribute::ADDR | attribute::ADDR_REMOTE = attribute.number() {
                    assert!(attribute.is_nested());
                    let address = Endpoint::from_attributes(attribute.nested()).unwrap();
                    assert_eq!(address.id(), Some(7));
                }
            }
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_request_is_what_ip_mptcp_sends() {
        let mut buffer = [0; 128];
        let wanted = "400000001e0005006c000000000000000101 0000 2c000180 0600010002000000
            0600050050000000 0500020007000000 0800060006000000 0800070001000000 080003000a000002";
        let flags = EndpointFlags::SUBFLOW | EndpointFlags::BACKUP;
        let endpoint = endpoint().with_flags(flags).with_port(80).with_if_idx(1);
        let request = add_address(&mut buffer, 30, 0x6c, &endpoint).unwrap();
        let mut wanted = crate::testing::bytes(wanted);
        // The same with one attribute more.
        (wanted[0], wanted[20]) = (0x48, 0x34);
        assert_eq!(request, wanted);
    }

    #[test]
    fn offsets_become_names() {
        let mut buffer = [0; 128];
        let request = create_subflow(&mut buffer, 30, 9, 1, &endpoint(), &endpoint()).unwrap();
        let names = |offset| Place::at_offset(request, offset).map(|p| (p.outer, p.inner));
        assert_eq!(names(20), Some(("TOKEN", None)));
        assert_eq!(names(28), Some(("ADDR", None)));
        assert_eq!(names(32), Some(("ADDR", Some("FAMILY"))));
        assert_eq!(names(72), Some(("ADDR_REMOTE", None)));
        assert_eq!(names(84), Some(("ADDR_REMOTE", Some("PORT"))));
        assert_eq!(names(19), None);
        assert_eq!(names(usize::MAX), None);
    }
}
