//! Building messages.

use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::header::{Header, HEADER_LEN};
use super::{align, ATTRIBUTE_HEADER};
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};

/// Some put did not fit; where is told in the end.
const NO_SPACE: Error = Error::new(ErrorKind::NoSpace, 0);

/// Builds one message in a buffer that the caller lends.
///
/// The first put that fails is remembered, further puts do nothing, and
/// [`Writer::finish`] says so once; nests close by themselves. After a failure
/// the buffer still begins with a well-formed message: the attributes that
/// fitted whole.
///
/// ```
/// use mptcp_codec::netlink::{flags, Header, Writer};
/// let mut buffer = [0; 64];
/// let header = Header { kind: 30, flags: flags::REQUEST, seq: 1, ..Header::default() };
/// let mut message = Writer::new(&mut buffer, header);
/// message.bytes([3, 1, 0, 0]);
/// message.nest(1, |nest| nest.put_u8(2, 7));
/// let message = message.finish()?;
/// assert_eq!(message[20..], [12, 0, 1, 0x80, 5, 0, 2, 0, 7, 0, 0, 0]);
/// # Ok::<(), mptcp_codec::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<'b, E: Order = Native> {
    buffer: &'b mut [u8],
    header: Header,
    // Bytes written; always a multiple of four and within the buffer.
    len: usize,
    failure: Option<Error>,
    order: PhantomData<E>,
}

impl<'b> Writer<'b> {
    /// Begins a message. `header.len` is filled in by [`Writer::finish`].
    #[inline]
    pub fn new(buffer: &'b mut [u8], header: Header) -> Self {
        Self::with_order(buffer, header)
    }
}

impl<'b, E: Order> Writer<'b, E> {
    /// As [`Writer::new`], in the order of another machine.
    #[inline]
    pub fn with_order(buffer: &'b mut [u8], header: Header) -> Self {
        let failure = if buffer.len() < HEADER_LEN {
            Some(NO_SPACE)
        } else {
            None
        };
        Self {
            buffer,
            header,
            len: HEADER_LEN,
            failure,
            order: PhantomData,
        }
    }

    /// Puts bytes as they are: the fixed part in front of the attributes. `N`
    /// must be a multiple of four, which is checked when it is compiled.
    #[inline(always)]
    pub fn bytes<const N: usize>(&mut self, bytes: [u8; N]) -> &mut Self {
        const { assert!(N % 4 == 0) };
        if let Some(to) = self.take::<N>() {
            *to = bytes;
        }
        self
    }

    /// Remembers the first failure.
    #[cold]
    fn fail(&mut self, error: Error) {
        self.failure.get_or_insert(error);
    }

    /// The next `N` bytes of the buffer, or `None` from the first failure on.
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let room = self.buffer.get_mut(self.len..)?.first_chunk_mut::<N>();
        match room {
            Some(to) if self.failure.is_none() => {
                self.len += N;
                Some(to)
            }
            _ => {
                self.failure.get_or_insert(NO_SPACE);
                None
            }
        }
    }

    /// An attribute of `LEN` bytes, `PADDED` with its padding.
    #[inline(always)]
    fn fixed<const LEN: usize, const ALL: usize>(
        &mut self,
        kind: u16,
        value: [u8; LEN],
    ) -> &mut Self {
        const { assert!(ALL == ATTRIBUTE_HEADER + align(LEN)) };
        if let Some(to) = self.take::<ALL>() {
            *to = [0; ALL];
            let word = u32::from(kind) << 16 | (ATTRIBUTE_HEADER + LEN) as u32;
            to[..4].copy_from_slice(&E::put_attribute_word(word));
            to[4..4 + LEN].copy_from_slice(&value);
        }
        self
    }

    /// One byte.
    #[inline]
    pub fn put_u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.fixed::<1, 8>(kind, [value])
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.fixed::<2, 8>(kind, E::put_u16(value))
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.fixed::<4, 8>(kind, E::put_u32(value))
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_i32(&mut self, kind: u16, value: i32) -> &mut Self {
        self.put_u32(kind, value as u32)
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.fixed::<8, 12>(kind, E::put_u64(value))
    }

    /// A 16-bit number in network order.
    #[inline]
    pub fn put_be16(&mut self, kind: u16, value: u16) -> &mut Self {
        self.fixed::<2, 8>(kind, value.to_be_bytes())
    }

    /// An IPv4 address.
    #[inline]
    pub fn put_ipv4(&mut self, kind: u16, value: Ipv4Addr) -> &mut Self {
        self.fixed::<4, 8>(kind, value.octets())
    }

    /// An IPv6 address.
    #[inline]
    pub fn put_ipv6(&mut self, kind: u16, value: Ipv6Addr) -> &mut Self {
        self.fixed::<16, 20>(kind, value.octets())
    }

    /// An attribute of any length, as it is.
    #[inline]
    pub fn put_bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.put_parts(kind, value, &[])
    }

    /// A string; its NUL is added. One that has a NUL in it cannot be sent:
    /// [`ErrorKind::BadValue`].
    pub fn put_text(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        if value.contains(&0) {
            self.fail(Error::about(ErrorKind::BadValue, kind, self.len));
        }
        self.put_parts(kind, value, &[0])
    }

    fn put_parts(&mut self, kind: u16, value: &[u8], end: &[u8]) -> &mut Self {
        let len = ATTRIBUTE_HEADER + value.len() + end.len();
        let room = self
            .buffer
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..align(len)));
        match (room, u16::try_from(len)) {
            (Some(to), Ok(_)) if self.failure.is_none() => {
                let word = u32::from(kind) << 16 | len as u32;
                let from = E::put_attribute_word(word);
                let bytes = from.iter().chain(value).chain(end).chain(&[0; 3]);
                for (to, from) in to.iter_mut().zip(bytes) {
                    *to = *from;
                }
                self.len += align(len);
            }
            _ => self.fail(NO_SPACE),
        }
        self
    }

    /// A nest (`NLA_F_NESTED` is set) with what `fill` puts into it. It is
    /// closed when `fill` returns; if something in it did not fit, it is
    /// taken back whole.
    #[inline]
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
        let start = self.len;
        if self.take::<ATTRIBUTE_HEADER>().is_none() {
            return self;
        }
        fill(self);
        let len = self.len - start;
        let head = self
            .buffer
            .get_mut(start..)
            .and_then(|rest| rest.first_chunk_mut::<4>());
        match (head, u16::try_from(len)) {
            (Some(head), Ok(_)) if self.failure.is_none() => {
                let word = u32::from(kind | 0x8000) << 16 | len as u32;
                *head = E::put_attribute_word(word);
            }
            _ => {
                self.fail(NO_SPACE);
                self.len = start;
            }
        }
        self
    }

    /// The message, or why it could not be built: [`ErrorKind::NoSpace`] with
    /// the length of what fitted as its offset, or the error of the put that
    /// failed.
    #[inline]
    pub fn finish(self) -> Result<&'b mut [u8], Error> {
        let header = Header {
            len: self.len as u32,
            ..self.header
        };
        let Some(head) = self.buffer.first_chunk_mut() else {
            return Err(Error::new(ErrorKind::NoSpace, 0));
        };
        *head = header.to_bytes::<E>();
        match (self.failure, self.buffer.get_mut(..self.len)) {
            (None, Some(message)) => Ok(message),
            (Some(failure), _) if failure.kind() != ErrorKind::NoSpace => Err(failure),
            _ => Err(Error::new(ErrorKind::NoSpace, self.len)),
        }
    }
}
