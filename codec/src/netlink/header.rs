//! The message header and the numbers in it.

use crate::order::Order;

/// Length of the message header (`NLMSG_HDRLEN`).
#[doc(alias = "NLMSG_HDRLEN")]
pub const HEADER_LEN: usize = 16;

/// `struct nlmsghdr`.
// In the order of the wire, so that it can be copied as it was read.
#[repr(C)]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "nlmsghdr")]
pub struct Header {
    /// `nlmsg_len`: bytes of header and payload, without the padding after it.
    #[doc(alias = "nlmsg_len")]
    pub len: u32,
    /// `nlmsg_type`: one of [`message_type`], or the id of a generic netlink family.
    #[doc(alias = "nlmsg_type")]
    pub message_type: u16,
    /// `nlmsg_flags`: see [`mod@flags`].
    #[doc(alias = "nlmsg_flags")]
    pub flags: u16,
    /// `nlmsg_seq`: chosen by the sender of a request, repeated in every answer; 0 in events.
    #[doc(alias = "nlmsg_seq")]
    pub seq: u32,
    /// `nlmsg_pid`: the port of the socket that asked; 0 in events.
    #[doc(alias = "nlmsg_pid")]
    pub port_id: u32,
}

impl Header {
    /// Reads the sixteen bytes.
    #[inline(always)]
    pub fn from_bytes<E: Order>(b: &[u8; HEADER_LEN]) -> Self {
        Self {
            len: E::u32([b[0], b[1], b[2], b[3]]),
            message_type: E::u16([b[4], b[5]]),
            flags: E::u16([b[6], b[7]]),
            seq: E::u32([b[8], b[9], b[10], b[11]]),
            port_id: E::u32([b[12], b[13], b[14], b[15]]),
        }
    }

    /// Writes the sixteen bytes.
    #[inline(always)]
    pub fn to_bytes<E: Order>(&self) -> [u8; HEADER_LEN] {
        let mut b = [0; HEADER_LEN];
        b[0..4].copy_from_slice(&E::put_u32(self.len));
        b[4..6].copy_from_slice(&E::put_u16(self.message_type));
        b[6..8].copy_from_slice(&E::put_u16(self.flags));
        b[8..12].copy_from_slice(&E::put_u32(self.seq));
        b[12..16].copy_from_slice(&E::put_u32(self.port_id));
        b
    }
}

/// Values of `nlmsg_type` that mean the same in every netlink protocol
/// (`linux/netlink.h`); below 16 they are control messages.
pub mod message_type {
    /// `NLMSG_NOOP`: to be ignored.
    #[doc(alias = "NLMSG_NOOP")]
    pub const NOOP: u16 = 1;
    /// `NLMSG_ERROR`: an acknowledgement or a refusal.
    #[doc(alias = "NLMSG_ERROR")]
    pub const ERROR: u16 = 2;
    /// `NLMSG_DONE`: end of a multi-part answer.
    #[doc(alias = "NLMSG_DONE")]
    pub const DONE: u16 = 3;
    /// `NLMSG_OVERRUN`: data was lost.
    #[doc(alias = "NLMSG_OVERRUN")]
    pub const OVERRUN: u16 = 4;
    /// `NLMSG_MIN_TYPE`: the first that is not a control message; those below it
    /// that have no name here are reserved.
    #[doc(alias = "NLMSG_MIN_TYPE")]
    pub const MIN: u16 = 16;
}

/// Values of `nlmsg_flags` (`linux/netlink.h`).
pub mod flags {
    /// `NLM_F_REQUEST`: set in everything that is sent to the kernel.
    #[doc(alias = "NLM_F_REQUEST")]
    pub const REQUEST: u16 = 0x1;
    /// `NLM_F_MULTI`: part of an answer that ends with DONE.
    #[doc(alias = "NLM_F_MULTI")]
    pub const MULTI: u16 = 0x2;
    /// `NLM_F_ACK`: answer with an acknowledgement.
    #[doc(alias = "NLM_F_ACK")]
    pub const ACK: u16 = 0x4;
    /// `NLM_F_ECHO`.
    #[doc(alias = "NLM_F_ECHO")]
    pub const ECHO: u16 = 0x8;
    /// `NLM_F_DUMP_INTR`: what is dumped changed meanwhile; read it again.
    #[doc(alias = "NLM_F_DUMP_INTR")]
    pub const DUMP_INTR: u16 = 0x10;
    /// `NLM_F_DUMP_FILTERED`: the kernel applied the filter of the request.
    #[doc(alias = "NLM_F_DUMP_FILTERED")]
    pub const DUMP_FILTERED: u16 = 0x20;
    /// `NLM_F_ROOT`: the whole table, in a request that reads.
    #[doc(alias = "NLM_F_ROOT")]
    pub const ROOT: u16 = 0x100;
    /// `NLM_F_MATCH`: all that match, in a request that reads.
    #[doc(alias = "NLM_F_MATCH")]
    pub const MATCH: u16 = 0x200;
    /// `NLM_F_ATOMIC`: as of one moment, in a request that reads.
    #[doc(alias = "NLM_F_ATOMIC")]
    pub const ATOMIC: u16 = 0x400;
    /// `NLM_F_REPLACE`: replaces what exists, in a request that creates something.
    #[doc(alias = "NLM_F_REPLACE")]
    pub const REPLACE: u16 = 0x100;
    /// `NLM_F_EXCL`: refused if it exists, in a request that creates something.
    #[doc(alias = "NLM_F_EXCL")]
    pub const EXCL: u16 = 0x200;
    /// `NLM_F_CREATE`: creates what does not exist.
    #[doc(alias = "NLM_F_CREATE")]
    pub const CREATE: u16 = 0x400;
    /// `NLM_F_APPEND`: puts it at the end of the list.
    #[doc(alias = "NLM_F_APPEND")]
    pub const APPEND: u16 = 0x800;
    /// `NLM_F_NONREC`: does not delete what is inside, in a request that
    /// deletes.
    #[doc(alias = "NLM_F_NONREC")]
    pub const NONREC: u16 = 0x100;
    /// `NLM_F_BULK`: deletes several, in a request that deletes.
    #[doc(alias = "NLM_F_BULK")]
    pub const BULK: u16 = 0x200;
    /// `NLM_F_DUMP`: all entries (`NLM_F_ROOT | NLM_F_MATCH`), in a request.
    #[doc(alias = "NLM_F_DUMP")]
    pub const DUMP: u16 = 0x300;
    /// `NLM_F_CAPPED`: in an acknowledgement: only the header of the request is repeated.
    #[doc(alias = "NLM_F_CAPPED")]
    pub const CAPPED: u16 = 0x100;
    /// `NLM_F_ACK_TLVS`: in an acknowledgement or DONE: attributes follow.
    #[doc(alias = "NLM_F_ACK_TLVS")]
    pub const ACK_TLVS: u16 = 0x200;
}
