//! Acknowledgements, refusals and the ends of dumps.

use super::header::{flags, message_type, Header, HEADER_LEN};
use super::{past, Attributes, Rule};
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};

/// `NLMSG_ERROR`: the answer to a request that asked for one, or that failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "nlmsgerr")]
pub struct Ack<'a, E: Order = Native> {
    /// 0 if the request was carried out, otherwise the error as a positive `errno` of the
    /// machine that sent this (numbers differ between architectures).
    pub errno: u32,
    /// The header of the request.
    pub request: Header,
    /// The payload of the request as far as it is repeated; empty if the answer is capped.
    pub request_payload: &'a [u8],
    /// What the kernel says besides the number, as read by [`extended`](Self::extended).
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Ack<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        errno: 0,
        request: Header {
            len: 0,
            message_type: 0,
            flags: 0,
            seq: 0,
            port_id: 0,
        },
        request_payload: &[],
        attributes: Attributes::NONE,
    };

    /// What the kernel says besides the number. It is read on demand: an error in it does
    /// not affect the number.
    #[inline]
    pub fn extended(&self) -> Result<ExtendedAck<'a, E>, Error> {
        ExtendedAck::from_attributes(self.attributes)
    }

    /// As [`read`](Self::read), not inlined.
    #[cold]
    #[inline(never)]
    pub(super) fn read_whole(
        payload: &'a [u8],
        message_type: u16,
        flags: u16,
    ) -> Result<Self, Error> {
        Self::read(payload, message_type, flags)
    }

    /// Reads an NLMSG_ERROR, or an NLMSG_DONE, which repeats no request.
    #[inline(always)]
    pub(super) fn read(payload: &'a [u8], message_type: u16, flags: u16) -> Result<Self, Error> {
        let is_error = message_type == message_type::ERROR;
        let (errno, mut rest) = match payload.split_first_chunk() {
            // The kernel's numbers are negative. A positive one is what
            // NLMSG_DONE may carry on success (a count); no error.
            Some((error, rest)) => match E::u32(*error) as i32 {
                error @ ..0 => (error.unsigned_abs(), rest),
                _ => (0, rest),
            },
            // Old protocols end without the number.
            None if payload.is_empty() && !is_error => (0, payload),
            None => return Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
        };
        let mut request = Header::default();
        let mut request_payload = payload.get(..0).unwrap_or_default();
        if is_error {
            let Some((head, after_head)) = rest.split_first_chunk() else {
                return Err(Error::new(ErrorKind::Truncated, HEADER_LEN + 4));
            };
            request = Header::from_bytes::<E>(head);
            let len = repeated(flags, errno, &request);
            match after_head.get(..len) {
                Some(repeated) => request_payload = repeated,
                None => return Err(Error::new(ErrorKind::BadLength, HEADER_LEN + 4)),
            }
            rest = past(after_head, len);
        }
        if flags & flags::ACK_TLVS == 0 {
            rest = &[];
        }
        let at = HEADER_LEN
            .wrapping_add(payload.len())
            .wrapping_sub(rest.len());
        Ok(Self {
            errno,
            request,
            request_payload,
            attributes: Attributes::at(rest, at),
        })
    }
}

/// How much of the payload of a request is repeated. The kernel repeats it
/// only with an error and without NLM_F_CAPPED; `nlmsg_len` in the repeated
/// header is the request's own in any case.
#[inline(always)]
fn repeated(flags: u16, errno: u32, request: &Header) -> usize {
    if errno == 0 || flags & flags::CAPPED != 0 {
        0
    } else {
        // A length below that of the header wraps around and is too large.
        (request.len as usize).wrapping_sub(HEADER_LEN)
    }
}

/// Reads an NLMSG_ERROR or NLMSG_DONE: the error number, and the attributes with what else it
/// says.
#[inline(never)]
pub(crate) fn verdict<'a, E: Order>(
    payload: &'a [u8],
    header: &Header,
    attributes: &mut Attributes<'a, E>,
) -> Result<u32, Error> {
    let ack = Ack::read(payload, header.message_type, header.flags)?;
    *attributes = ack.attributes;
    Ok(ack.errno)
}

/// `NLMSG_DONE`: the end of a multi-part answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Done<'a, E: Order = Native> {
    /// 0, or the error that ended the answer early, as in [`Ack::errno`].
    pub errno: u32,
    /// What the kernel says besides the number, as read by [`extended`](Self::extended).
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Done<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        errno: 0,
        attributes: Attributes::NONE,
    };

    /// What the kernel says besides the number, as for an [`Ack`].
    #[inline]
    pub fn extended(&self) -> Result<ExtendedAck<'a, E>, Error> {
        ExtendedAck::from_attributes(self.attributes)
    }
}

attribute_set! {
    /// The attributes of an acknowledgement (`NLMSGERR_ATTR_*`), sent to sockets that set
    /// `NETLINK_EXT_ACK`. All are absent if the kernel sent none.
    #[doc(alias(
        "NLMSGERR_ATTR_MSG", "NLMSGERR_ATTR_OFFS", "NLMSGERR_ATTR_COOKIE",
        "NLMSGERR_ATTR_POLICY", "NLMSGERR_ATTR_MISS_TYPE", "NLMSGERR_ATTR_MISS_NEST",
    ))]
    pub struct ExtendedAck<'a> {
        /// A sentence for people, without a full stop.
        1 MSG message / with_message: string,
        /// The offset of the attribute at fault, in bytes from the start of the request's
        /// header; [`Place`](crate::mptcp::Place) turns it into a name.
        2 OFFS offset / with_offset: u32,
        /// Bytes whose meaning depends on the protocol.
        3 COOKIE cookie / with_cookie: bytes,
        /// What the attribute at fault should have been.
        4 POLICY rule / with_rule: nest [Rule],
        /// Number of an attribute that is required and absent.
        5 MISS_TYPE missing_type / with_missing_type: u32,
        /// Offset of the nest it is missing from; the top level if absent.
        6 MISS_NEST missing_nest / with_missing_nest: u32,
    }
    sent [MSG] [OFFS]
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};

    fn ack<E: Order>(datagram: &[u8]) -> Result<Ack<'_, E>, Error> {
        match message::<E>(datagram).content()? {
            Content::Ack(ack) => Ok(ack),
            other => panic!("{other:?}"),
        }
    }

    /// Debian's 6.18 refuses a port without the flag signal.
    const REFUSED: &str = "90000000 0200 0002 72000000 01000000 eaffffff
        38000000 1e00 0500 72000000 00000000 01010000 2400 0180 0600 0100 02000000
        0800 0300 0a000006 0800 0600 02000000 0600 0500 63000000
        3b00 0100 666c616773206d7573742068617665207369676e616c20616e64206e6f7420737562666c6f77207768656e207573696e6720706f727400 00
        0800 0200 14000000";

    #[test]
    fn a_refusal_has_the_request_and_what_the_kernel_says() {
        let datagram = bytes(REFUSED);
        let ack = ack::<Little>(&datagram).unwrap();
        assert_eq!(
            (ack.errno, ack.request.seq, ack.request_payload.len()),
            (22, 0x72, 40)
        );
        let extended = ack.extended().unwrap();
        let text = extended.message().unwrap();
        assert_eq!(
            text.to_str(),
            Some("flags must have signal and not subflow when using port")
        );
        assert_eq!(
            (extended.offset(), extended.missing_type()),
            (Some(20), None)
        );
    }

    #[test]
    fn a_capped_refusal_repeats_only_the_header() {
        // Debian's 6.1 on s390x.
        let datagram = bytes(
            "0000004c 0002 0300 00000090 b51286a7 ffffffea 00000030 001a 0005 00000090 00000000
             0028 0001 746f6f206d616e7920616464726573736573206f72206475706c6963617465206f6e6500",
        );
        let ack = ack::<Big>(&datagram).unwrap();
        assert_eq!(
            (ack.errno, ack.request.len, ack.request_payload),
            (22, 0x30, &[][..])
        );
        assert!(ack.extended().unwrap().message().is_some());
    }

    #[test]
    fn a_request_that_does_not_fit_its_refusal_is_an_error() {
        let mut datagram = bytes(REFUSED);
        for len in [0u8, 15, 0x90 - 20 + 1, 0xff] {
            datagram[20] = len;
            assert_eq!(
                ack::<Little>(&datagram).unwrap_err().kind(),
                ErrorKind::BadLength
            );
        }
    }

    #[test]
    fn the_end_of_a_dump_carries_an_error_and_attributes() {
        let datagram = bytes("1c000000 0300 0202 01000000 00000000 eaffffff 0800 0500 04000000");
        let Content::Done(done) = message::<Little>(&datagram).content().unwrap() else {
            panic!();
        };
        let extended = done.extended().unwrap();
        assert_eq!((done.errno, extended.missing_type()), (22, Some(4)));
        // Without the flag, what follows is no attribute.
        let datagram = bytes("18000000 0300 0200 01000000 00000000 00000000 ffffffff");
        let Content::Done(done) = message::<Little>(&datagram).content().unwrap() else {
            panic!();
        };
        assert_eq!((done.errno, done.attributes.count()), (0, 0));
    }
}
