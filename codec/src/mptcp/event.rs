//! Events of the group `mptcp_pm_events`.

use core::net::IpAddr;

use crate::error::Error;
use crate::generic::Generic;
use crate::inet::either;
use crate::netlink::{Attributes, Message};
use crate::order::{Native, Order};

numbered! {
    /// What happened (`enum mptcp_event_type`): the generic netlink command of
    /// an event, with the names that `ip mptcp monitor` prints.
    pub enum EventKind: u8 {
        /// A connection has begun: the first SYN was answered, or is about to be.
        #[doc(alias = "MPTCP_EVENT_CREATED")]
        1 Created "CREATED",
        /// A connection is established: the peer's first data or
        /// acknowledgement has come.
        #[doc(alias = "MPTCP_EVENT_ESTABLISHED")]
        2 Established "ESTABLISHED",
        /// A connection is over.
        #[doc(alias = "MPTCP_EVENT_CLOSED")]
        3 Closed "CLOSED",
        /// The peer announced an address (ADD_ADDR).
        #[doc(alias = "MPTCP_EVENT_ANNOUNCED")]
        6 Announced "ANNOUNCED",
        /// The peer withdrew an address (RM_ADDR).
        #[doc(alias = "MPTCP_EVENT_REMOVED")]
        7 Removed "REMOVED",
        /// A further subflow is established.
        #[doc(alias = "MPTCP_EVENT_SUB_ESTABLISHED")]
        10 SubflowEstablished "SF_ESTABLISHED",
        /// A subflow is over.
        #[doc(alias = "MPTCP_EVENT_SUB_CLOSED")]
        11 SubflowClosed "SF_CLOSED",
        /// The priority of a subflow changed (MP_PRIO).
        #[doc(alias = "MPTCP_EVENT_SUB_PRIORITY")]
        13 SubflowPriority "SF_PRIO",
        /// A listening socket of MPTCP was made (kernel 6.2).
        #[doc(alias = "MPTCP_EVENT_LISTENER_CREATED")]
        15 ListenerCreated "LISTENER_CREATED",
        /// A listening socket was closed (kernel 6.2).
        #[doc(alias = "MPTCP_EVENT_LISTENER_CLOSED")]
        16 ListenerClosed "LISTENER_CLOSED",
    }
}

attribute_set! {
    /// The attributes of an event (`MPTCP_ATTR_*`).
    // In this order: otherwise a result has its error where two addresses are adjacent, and
    // both are read as one, which waits until both are written.
    #[repr(C)]
    #[doc(alias(
        "MPTCP_ATTR_TOKEN", "MPTCP_ATTR_SERVER_SIDE", "MPTCP_ATTR_FLAGS",
        "MPTCP_ATTR_FAMILY", "MPTCP_ATTR_SADDR4", "MPTCP_ATTR_SADDR6",
        "MPTCP_ATTR_DADDR4", "MPTCP_ATTR_DADDR6", "MPTCP_ATTR_SPORT", "MPTCP_ATTR_DPORT",
        "MPTCP_ATTR_LOC_ID", "MPTCP_ATTR_REM_ID", "MPTCP_ATTR_BACKUP", "MPTCP_ATTR_ERROR",
        "MPTCP_ATTR_TIMEOUT", "MPTCP_ATTR_IF_IDX", "MPTCP_ATTR_RESET_REASON",
        "MPTCP_ATTR_RESET_FLAGS",
    ))]
    #[derive(PartialOrd, Ord)]
    pub struct EventAttributes {
        /// The connection, on this host.
        1 TOKEN token / with_token: u32,
        /// 1 on the host that accepted the connection; on the other one 0, or absent since
        /// kernel 6.18, which also has it as a bit of [`flags`](Self::flags).
        18 SERVER_SIDE server_side / with_server_side: u8,
        /// Properties of the connection (kernel 6.18).
        13 FLAGS flags / with_flags: u16 as EventFlags,
        /// `AF_INET` (2) or `AF_INET6` (10). Kernels up to 7.2 leave it out of
        /// ANNOUNCED: the family follows from which address is present.
        2 FAMILY family / with_family: u16,
        /// Local address, IPv4.
        5 SADDR4 saddr4 / with_saddr4: ipv4,
        /// Local address, IPv6.
        6 SADDR6 saddr6 / with_saddr6: ipv6,
        /// Remote address, IPv4.
        7 DADDR4 daddr4 / with_daddr4: ipv4,
        /// Remote address, IPv6.
        8 DADDR6 daddr6 / with_daddr6: ipv6,
        /// Local port; in network order on the wire.
        9 SPORT sport / with_sport: be16,
        /// Remote port; in network order on the wire.
        10 DPORT dport / with_dport: be16,
        /// Id of the local address.
        3 LOC_ID loc_id / with_loc_id: u8,
        /// Id of the remote address.
        4 REM_ID rem_id / with_rem_id: u8,
        /// Whether the subflow is a backup: 0 or 1.
        11 BACKUP backup / with_backup: u8,
        /// `errno` of the subflow, in the numbers of its machine.
        12 ERROR error / with_error: u8,
        /// Declared by the kernel, not sent by the versions known.
        14 TIMEOUT timeout / with_timeout: u32,
        /// Index of the interface.
        15 IF_IDX if_idx / with_if_idx: u32,
        /// Reason of an MP_TCPRST, RFC 8684 section 3.6: 0 unspecified,
        /// 1 MPTCP-specific, 2 lack of resources, 3 prohibited, 4 too much
        /// outstanding data, 5 unacceptable performance, 6 middlebox.
        16 RESET_REASON reset_reason / with_reset_reason: u32,
        /// Flags of an MP_TCPRST: 1 is transient.
        17 RESET_FLAGS reset_flags / with_reset_flags: u32,
    }
    sent [TOKEN] [SERVER_SIDE] [FLAGS]
        [FAMILY SADDR4 DADDR4 SPORT DPORT LOC_ID REM_ID]
        [FAMILY SADDR6 DADDR6 SPORT DPORT LOC_ID REM_ID]
        [BACKUP]
        [REM_ID DPORT DADDR4]
        [FAMILY SPORT SADDR4]
}

impl EventAttributes {
    /// The local address, of either family.
    pub fn source(&self) -> Option<IpAddr> {
        either(self.saddr4(), self.saddr6())
    }

    /// The remote address, of either family.
    pub fn destination(&self) -> Option<IpAddr> {
        either(self.daddr4(), self.daddr6())
    }
}

flags! {
    /// Properties of a connection (`MPTCP_PM_EV_FLAG_*`).
    pub struct EventFlags: u16 {
        /// The peer wants no subflow to the address of the first one.
        #[doc(alias = "MPTCP_PM_EV_FLAG_DENY_JOIN_ID0")]
        1 DENY_JOIN_ID0 "deny-join-id0",
        /// This host accepted the connection.
        #[doc(alias = "MPTCP_PM_EV_FLAG_SERVER_SIDE")]
        2 SERVER_SIDE "server-side",
    }
}

/// An event. The kernel sends it with sequence number and port 0: it belongs
/// to no request.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Event<'a, E: Order = Native> {
    /// What happened.
    pub kind: EventKind,
    /// Its number, as [`EventKind::number`].
    pub command: u8,
    /// To what.
    pub fields: EventAttributes,
    /// Everything that was sent, unknown attributes too.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Event<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        kind: EventKind::from_number(0),
        command: 0,
        fields: EventAttributes::EMPTY,
        attributes: Attributes::NONE,
    };

    /// Reads a message of the family `mptcp_pm` from the events group. On a socket that
    /// also sends requests, events are those with sequence number 0: commands have the same
    /// numbers.
    #[inline]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let generic = Generic::decode(message)?;
        let mut fields = EventAttributes::EMPTY;
        fields.update(generic.attributes)?;
        Ok(Self {
            kind: EventKind::from_number(generic.command),
            command: generic.command,
            fields,
            attributes: generic.attributes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};
    use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn a_subflow_that_changed_is_read_in_both_orders() {
        let little = bytes(
            "5c000000 1e00 0000 00000000 00000000 0d010000 0800 0100 4529c24a 0600 0200 02000000
             0800 0500 7f000001 0800 0700 7f000003 0600 0900 138a0000 0600 0a00 aded0000
             0500 0300 00000000 0500 0400 15000000 0500 0b00 01000000",
        );
        let big = bytes(
            "0000005c 001a 0000 00000000 00000000 0d010000 0008 0001 4ac22945 0006 0002 00020000
             0008 0005 7f000001 0008 0007 7f000003 0006 0009 138a0000 0006 000a aded0000
             0005 0003 00000000 0005 0004 15000000 0005 000b 01000000",
        );
        let fields = Event::decode(&message::<Little>(&little)).unwrap().fields;
        assert_eq!(Event::decode(&message::<Big>(&big)).unwrap().fields, fields);
        assert_eq!(fields.token(), Some(0x4ac2_2945));
        assert_eq!((fields.sport(), fields.dport()), (Some(5002), Some(44525)));
        assert_eq!(fields.source(), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!((fields.loc_id(), fields.rem_id()), (Some(0), Some(21)));
        assert_eq!(
            (fields.backup(), fields.error(), fields.if_idx()),
            (Some(1), None, None)
        );
    }

    #[test]
    fn a_connection_from_6_18_has_flags_beside_server_side() {
        let bytes = bytes(
            "7c000000 1e00 0000 00000000 00000000 01010000 0800 0100 a390014b 0500 1200 01000000
             0600 0d00 02000000 0600 0200 0a000000
             1400 0600 00000000000000000000000000000001 1400 0800 00000000000000000000000000000001
             0600 0900 138c0000 0600 0a00 c5140000 0500 0300 00000000 0500 0400 00000000",
        );
        let event = Event::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!((event.kind, event.command), (EventKind::Created, 1));
        assert_eq!(event.fields.server_side(), Some(1));
        assert!(event
            .fields
            .flags()
            .unwrap()
            .contains(EventFlags::SERVER_SIDE));
        assert_eq!(
            event.fields.destination(),
            Some(IpAddr::V6(Ipv6Addr::LOCALHOST))
        );
    }

    #[test]
    fn a_run_that_is_broken_anywhere_is_read_all_the_same() {
        let whole: [&[u8]; 9] = [
            &[8, 0, 1, 0, 1, 2, 3, 4],
            &[6, 0, 2, 0, 2, 0, 0, 0],
            &[8, 0, 5, 0, 10, 0, 0, 1],
            &[8, 0, 7, 0, 10, 0, 0, 2],
            &[6, 0, 9, 0, 1, 2, 0, 0],
            &[6, 0, 10, 0, 3, 4, 0, 0],
            &[5, 0, 3, 0, 1, 0, 0, 0],
            &[5, 0, 4, 0, 2, 0, 0, 0],
            &[5, 0, 11, 0, 1, 0, 0, 0],
        ];
        let read = |parts: &[&[u8]]| {
            let bytes = parts.concat();
            EventAttributes::from_attributes(Attributes::<Little>::with_order(&bytes)).unwrap()
        };
        let wanted = read(&whole);
        assert_eq!((wanted.rem_id(), wanted.backup()), (Some(2), Some(1)));
        for at in 0..=whole.len() {
            // An unknown attribute in between, and one that is present twice.
            let (front, back) = whole.split_at(at);
            let unknown: &[u8] = &[4, 0, 99, 0];
            let read_so = read(&[front, &[unknown], back].concat());
            assert_eq!(read_so.unknown(), 1);
            assert_eq!(
                read_so,
                EventAttributes {
                    unknown: 1,
                    ..wanted
                }
            );
            let other: &[u8] = &[5, 0, 4, 0, 7, 0, 0, 0];
            let last = if at == whole.len() || at > 7 { 7 } else { 2 };
            let read_so = read(&[front, &[other], back].concat());
            assert_eq!(read_so, wanted.with_rem_id(last));
            // One is missing, and they are turned round.
            if let Some((_, back)) = back.split_first() {
                let read_so = read(&[front, back].concat());
                assert_eq!(read_so.present.count_ones(), 8);
                assert_eq!(read_so.present | wanted.present, wanted.present);
            }
            assert_eq!(read(&[back, front].concat()), wanted);
        }
    }
}
