//! Reading messages.

use core::fmt;
use core::marker::PhantomData;

use super::header::{message_type, Header, HEADER_LEN};
use super::{past, Ack, Attributes, Done};
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};

/// The messages of a received datagram.
///
/// Yields each message, or one error and then nothing more. The last message
/// may lack its padding.
#[derive(Copy, Clone)]
#[must_use = "iterators are lazy"]
pub struct Messages<'a, E: Order = Native> {
    rest: &'a [u8],
    len: usize,
    order: PhantomData<E>,
}

impl<'a> Messages<'a> {
    /// The messages in `datagram`, which this machine's kernel sent.
    #[inline]
    pub fn new(datagram: &'a [u8]) -> Self {
        Self::with_order(datagram)
    }
}

impl<'a, E: Order> Messages<'a, E> {
    /// The messages in `datagram`, which was captured on a machine of order
    /// `E`.
    #[inline]
    pub fn with_order(datagram: &'a [u8]) -> Self {
        Self {
            rest: datagram,
            len: datagram.len(),
            order: PhantomData,
        }
    }
}

impl<E: Order> Messages<'_, E> {
    /// Whether all have been walked.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

impl<'a, E: Order> Iterator for Messages<'a, E> {
    type Item = Result<Message<'a, E>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest;
        if rest.is_empty() {
            return None;
        }
        let Some((head, after_head)) = rest.split_first_chunk() else {
            self.rest = &[];
            let offset = self.len - rest.len();
            return Some(Err(Error::new(ErrorKind::Truncated, offset)));
        };
        let header = Header::from_bytes::<E>(head);
        // A length below that of the header wraps around and is too large.
        let len = (header.len as usize).wrapping_sub(HEADER_LEN);
        let Some(payload) = after_head.get(..len) else {
            self.rest = &[];
            let offset = self.len - rest.len();
            return Some(Err(Error::new(ErrorKind::BadLength, offset)));
        };
        self.rest = past(after_head, len);
        Some(Ok(Message {
            header,
            payload,
            order: PhantomData,
        }))
    }
}

impl<E: Order> core::iter::FusedIterator for Messages<'_, E> {}

impl<E: Order> fmt::Debug for Messages<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for message in *self {
            match message {
                Ok(message) => list.entry(&message),
                Err(error) => list.entry(&error),
            };
        }
        list.finish()
    }
}

/// One message, borrowed from the datagram it came in.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Message<'a, E: Order = Native> {
    /// The header; its length has been checked against the datagram.
    pub header: Header,
    payload: &'a [u8],
    order: PhantomData<E>,
}

impl<'a, E: Order> Message<'a, E> {
    /// The bytes after the header, without padding.
    #[inline(always)]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The attributes after the first `skip` bytes of the payload: 0 for plain attributes,
    /// otherwise the size of the fixed part.
    #[inline]
    pub fn attributes(&self, skip: usize) -> Result<Attributes<'a, E>, Error> {
        match self.payload.get(skip..) {
            Some(bytes) => Ok(Attributes::at(bytes, HEADER_LEN + skip)),
            None => Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
        }
    }

    /// The number in an acknowledgement, a refusal or the end of a dump: 0, or
    /// the error as in [`Ack::errno`]; `None` for other messages.
    #[inline]
    pub fn errno(&self) -> Option<Result<u32, Error>> {
        match self.header.message_type {
            message_type::ERROR | message_type::DONE => {
                let ack = Ack::<E>::read(self.payload, self.header.message_type, self.header.flags);
                Some(ack.map(|ack| ack.errno))
            }
            _ => None,
        }
    }

    /// What kind of message it is, with the control messages decoded.
    // Inlined for what nearly all messages are, even if a program calls it from several places.
    #[inline(always)]
    pub fn content(&self) -> Result<Content<'a, E>, Error> {
        let Header {
            message_type,
            flags,
            ..
        } = self.header;
        if message_type >= message_type::MIN {
            return Ok(Content::Data);
        }
        Ok(match message_type {
            message_type::NOOP => Content::Noop,
            message_type::OVERRUN => Content::Overrun,
            message_type::ERROR | message_type::DONE => {
                let ack = Ack::read_whole(self.payload, message_type, flags)?;
                if message_type == message_type::ERROR {
                    Content::Ack(ack)
                } else {
                    Content::Done(Done {
                        errno: ack.errno,
                        attributes: ack.attributes,
                    })
                }
            }
            _ => Content::Reserved,
        })
    }
}

impl<E: Order> fmt::Debug for Message<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Header {
            message_type,
            flags,
            seq,
            port_id,
            ..
        } = self.header;
        write!(
            f,
            "type {message_type} flags {flags:#x} seq {seq} port {port_id}: "
        )?;
        match self.content() {
            Ok(Content::Data) => write!(f, "{:02x?}", self.payload),
            Ok(content) => content.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// What a message is to netlink itself.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content<'a, E: Order = Native> {
    /// Nothing; to be skipped.
    Noop,
    /// Messages were lost.
    Overrun,
    /// A request was carried out, or refused.
    Ack(Ack<'a, E>),
    /// A multi-part answer is over.
    Done(Done<'a, E>),
    /// What was asked for, or an event.
    Data,
    /// A control message whose type has no meaning yet; to be skipped.
    Reserved,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, Vec};

    fn walk<E: Order>(datagram: &[u8]) -> Vec<Result<(u16, usize), (ErrorKind, usize)>> {
        Messages::<E>::with_order(datagram)
            .map(|message| match message {
                Ok(message) => Ok((message.header.message_type, message.payload().len())),
                Err(error) => Err((error.kind(), error.offset())),
            })
            .collect()
    }

    #[test]
    fn messages_are_walked_in_both_orders_the_last_without_padding() {
        let little = bytes(
            "15000000 1e00 0200 01000000 00000000 aabbccdd ee 000000
             11000000 1f00 0200 01000000 00000000 ff",
        );
        assert_eq!(walk::<Little>(&little), [Ok((30, 5)), Ok((31, 1))]);
        let big = bytes("00000015 001e 0002 00000001 00000000 aabbccdd ee");
        assert_eq!(walk::<Big>(&big), [Ok((30, 5))]);
    }

    #[test]
    fn reserved_control_types_are_no_data() {
        for kind in 0..=20u16 {
            let header = Header {
                len: 16,
                message_type: kind,
                ..Header::default()
            };
            let bytes = header.to_bytes::<Little>();
            let message = crate::testing::message::<Little>(&bytes);
            let data = matches!(message.content(), Ok(Content::Data));
            assert_eq!(data, kind >= 16, "{kind}");
            let reserved = matches!(message.content(), Ok(Content::Reserved));
            assert_eq!(reserved, kind == 0 || (5..16).contains(&kind), "{kind}");
        }
    }

    #[test]
    fn a_length_that_does_not_fit_ends_the_walk_with_an_error() {
        let whole = "10000000 1e00 0000 00000000 00000000";
        for (wrong, kind) in [
            ("0f000000 1e00 0000 00000000 00000000", ErrorKind::BadLength),
            ("11000000 1e00 0000 00000000 00000000", ErrorKind::BadLength),
            ("00000000 1e00 0000 00000000 00000000", ErrorKind::BadLength),
            ("ffffffff 1e00 0000 00000000 00000000", ErrorKind::BadLength),
            ("10000000 1e00 0000 00000000 000000", ErrorKind::Truncated),
        ] {
            let mut datagram = bytes(whole);
            datagram.extend(bytes(wrong));
            assert_eq!(walk::<Little>(&datagram), [Ok((30, 0)), Err((kind, 16))]);
        }
    }
}
