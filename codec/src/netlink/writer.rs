//! Building messages.

use core::marker::PhantomData;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::header::{Header, HEADER_LEN};
use super::{align, ATTRIBUTE_HEADER};
use crate::error::{Error, ErrorKind};
use crate::order::{Native, Order};

/// Something did not fit; `finish` says where.
const NO_SPACE: Error = Error::new(ErrorKind::NoSpace, 0);

/// Builds one message in a buffer that the caller lends.
///
/// The first write that fails is remembered, further writes do nothing, and [`Writer::finish`]
/// returns the error; nests are closed automatically. After a failure the buffer still begins
/// with a well-formed message: the attributes that fitted whole.
///
/// ```
/// use mptcp_codec::netlink::{flags, Header, Messages, Writer};
/// let mut buffer = [0; 64];
/// let header = Header { message_type: 30, flags: flags::REQUEST, seq: 1, ..Header::default() };
/// let mut message = Writer::new(&mut buffer, header);
/// message.bytes([3, 1, 0, 0]);
/// message.nest(1, |nest| nest.put_u8(2, 7));
/// let bytes = message.finish()?;
///
/// let message = Messages::new(bytes).next().unwrap()?;
/// let nest = message.attributes(4)?.find_nest(1)?.unwrap();
/// assert_eq!(nest.find_last(2)?.unwrap().u8()?, 7);
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
    /// Like [`Writer::new`], in the order of another machine.
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

    /// Writes bytes as they are: the fixed part before the attributes. `N` must be a
    /// multiple of four, which is checked at compile time.
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
        number: u16,
        value: [u8; LEN],
    ) -> &mut Self {
        const { assert!(ALL == ATTRIBUTE_HEADER + align(LEN)) };
        if let Some(to) = self.take::<ALL>() {
            *to = [0; ALL];
            let word = u32::from(number) << 16 | (ATTRIBUTE_HEADER + LEN) as u32;
            to[..4].copy_from_slice(&E::put_attribute_word(word));
            to[4..4 + LEN].copy_from_slice(&value);
        }
        self
    }

    /// One byte.
    #[inline]
    pub fn put_u8(&mut self, number: u16, value: u8) -> &mut Self {
        self.fixed::<1, 8>(number, [value])
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u16(&mut self, number: u16, value: u16) -> &mut Self {
        self.fixed::<2, 8>(number, E::put_u16(value))
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u32(&mut self, number: u16, value: u32) -> &mut Self {
        self.fixed::<4, 8>(number, E::put_u32(value))
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_i32(&mut self, number: u16, value: i32) -> &mut Self {
        self.put_u32(number, value as u32)
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_u64(&mut self, number: u16, value: u64) -> &mut Self {
        self.fixed::<8, 12>(number, E::put_u64(value))
    }

    /// A number in the machine's order.
    #[inline]
    pub fn put_i64(&mut self, number: u16, value: i64) -> &mut Self {
        self.put_u64(number, value as u64)
    }

    /// A number of 32 bits if that is enough, otherwise of 64 (`NLA_UINT`).
    #[inline]
    #[doc(alias = "NLA_UINT")]
    pub fn put_uint(&mut self, number: u16, value: u64) -> &mut Self {
        match u32::try_from(value) {
            Ok(value) => self.put_u32(number, value),
            Err(_) => self.put_u64(number, value),
        }
    }

    /// The same with a sign (`NLA_SINT`).
    #[inline]
    #[doc(alias = "NLA_SINT")]
    pub fn put_sint(&mut self, number: u16, value: i64) -> &mut Self {
        match i32::try_from(value) {
            Ok(value) => self.put_i32(number, value),
            Err(_) => self.put_i64(number, value),
        }
    }

    /// Only its presence (`NLA_FLAG`).
    #[inline]
    #[doc(alias = "NLA_FLAG")]
    pub fn put_flag(&mut self, number: u16) -> &mut Self {
        self.put_bytes(number, &[])
    }

    /// A 32-bit number in network order.
    #[inline]
    pub fn put_be32(&mut self, number: u16, value: u32) -> &mut Self {
        self.fixed::<4, 8>(number, value.to_be_bytes())
    }

    /// A 64-bit number in network order.
    #[inline]
    pub fn put_be64(&mut self, number: u16, value: u64) -> &mut Self {
        self.fixed::<8, 12>(number, value.to_be_bytes())
    }

    /// A 16-bit number in network order.
    #[inline]
    pub fn put_be16(&mut self, number: u16, value: u16) -> &mut Self {
        self.fixed::<2, 8>(number, value.to_be_bytes())
    }

    /// An IPv4 address.
    #[inline]
    pub fn put_ipv4(&mut self, number: u16, value: Ipv4Addr) -> &mut Self {
        self.fixed::<4, 8>(number, value.octets())
    }

    /// An IPv6 address.
    #[inline]
    pub fn put_ipv6(&mut self, number: u16, value: Ipv6Addr) -> &mut Self {
        self.fixed::<16, 20>(number, value.octets())
    }

    /// An attribute of any length, as it is.
    #[inline]
    pub fn put_bytes(&mut self, number: u16, value: &[u8]) -> &mut Self {
        self.put_value(number, value, value.len())
    }

    /// A string; its NUL is added. A string that contains a NUL cannot be sent:
    /// [`ErrorKind::BadValue`].
    pub fn put_text(&mut self, number: u16, value: &[u8]) -> &mut Self {
        if value.contains(&0) {
            self.fail(Error::about(ErrorKind::BadValue, number, self.len));
        }
        self.put_value(number, value, value.len().saturating_add(1))
    }

    /// An attribute of `len` bytes, of which `value` is the first; zeros follow.
    fn put_value(&mut self, number: u16, value: &[u8], len: usize) -> &mut Self {
        let len = ATTRIBUTE_HEADER.saturating_add(len);
        let room = self
            .buffer
            .get_mut(self.len..)
            .and_then(|rest| rest.get_mut(..align(len)))
            .and_then(|room| room.split_first_chunk_mut());
        match (room, u16::try_from(len)) {
            (_, Err(_)) => self.fail(Error::about(ErrorKind::TooLong, number, self.len)),
            (Some((head, room)), Ok(_)) if self.failure.is_none() => {
                *head = E::put_attribute_word(u32::from(number) << 16 | len as u32);
                room.fill(0);
                for (to, from) in room.iter_mut().zip(value) {
                    *to = *from;
                }
                self.len += align(len);
            }
            _ => self.fail(NO_SPACE),
        }
        self
    }

    /// A nest (`NLA_F_NESTED` is set) with what `fill` writes into it. It is closed when `fill`
    /// returns; if something in it did not fit, the whole nest is removed.
    #[inline]
    pub fn nest(&mut self, number: u16, fill: impl FnOnce(&mut Self) -> &mut Self) -> &mut Self {
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
                let word = u32::from(number | 0x8000) << 16 | len as u32;
                *head = E::put_attribute_word(word);
            }
            (_, fits) => {
                self.fail(match fits {
                    Ok(_) => NO_SPACE,
                    Err(_) => Error::about(ErrorKind::TooLong, number, start),
                });
                self.len = start;
            }
        }
        self
    }

    /// The message, or why it could not be built: [`ErrorKind::NoSpace`] with the length of
    /// what fitted as its offset, or the error of the write that failed
    /// ([`ErrorKind::TooLong`], [`ErrorKind::BadValue`]).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};

    fn write<E: Order>(buffer: &mut [u8]) -> Result<&mut [u8], Error> {
        let header = Header {
            message_type: 30,
            flags: 5,
            seq: 7,
            ..Header::default()
        };
        let mut writer = Writer::<E>::with_order(buffer, header);
        writer.bytes([1, 1, 0, 0]);
        writer.nest(1, |nest| {
            nest.put_u16(1, 2)
                .put_u8(2, 9)
                .put_be16(5, 0x1234)
                .put_text(3, b"lo")
        });
        writer.put_u64(4, 0x0102_0304_0506_0708);
        writer.finish()
    }

    #[test]
    fn a_message_is_written_in_both_orders() {
        let mut buffer = [0xff; 68];
        let little = "44000000 1e00 0500 07000000 00000000 01010000 2400 0180
            0600 0100 02000000 0500 0200 09000000 0600 0500 12340000 0700 0300 6c6f0000
            0c00 0400 0807060504030201";
        assert_eq!(write::<Little>(&mut buffer).unwrap(), bytes(little));
        let big = "00000044 001e 0005 00000007 00000000 01010000 0024 8001
            0006 0001 00020000 0005 0002 09000000 0006 0005 12340000 0007 0003 6c6f0000
            000c 0004 0102030405060708";
        assert_eq!(write::<Big>(&mut buffer).unwrap(), bytes(big));
    }

    #[test]
    fn an_overflow_is_reported_and_leaves_a_valid_prefix() {
        for len in 0..68 {
            let mut buffer = [0xff; 68];
            let error = write::<Little>(&mut buffer[..len]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            if len < HEADER_LEN {
                continue;
            }
            // Header; fixed part; the nest, which is removed as a whole.
            let wanted = [16, 20, 56]
                .into_iter()
                .filter(|fits| *fits <= len)
                .max()
                .unwrap();
            assert_eq!(error.offset(), wanted);
            let prefix = message::<Little>(&buffer[..wanted]);
            assert!(prefix
                .attributes((wanted - 16).min(4))
                .unwrap()
                .all(|a| a.is_ok()));
        }
    }

    #[test]
    fn a_text_with_a_nul_is_another_error_than_too_little_space() {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer, Header::default());
        writer
            .put_u8(1, 1)
            .nest(2, |nest| nest.put_text(3, b"a\0b"))
            .put_u8(4, 1);
        let error = writer.finish().unwrap_err();
        assert_eq!(
            (error.kind(), error.attribute()),
            (ErrorKind::BadValue, Some(3))
        );
    }

    #[test]
    fn an_attribute_longer_than_its_length_can_say_does_not_fit() {
        let mut buffer = crate::testing::Vec::from([0; 140_000]);
        let large = crate::testing::Vec::from([0; 65_532]);
        let mut writer = Writer::new(&mut buffer, Header::default());
        writer.put_bytes(1, &large[..65_531]);
        assert!(writer.finish().is_ok());
        let mut writer = Writer::new(&mut buffer, Header::default());
        writer.put_bytes(1, &large);
        let error = writer.finish().unwrap_err();
        assert_eq!(
            (error.kind(), error.attribute(), error.offset()),
            (ErrorKind::TooLong, Some(1), HEADER_LEN)
        );
        let mut writer = Writer::new(&mut buffer, Header::default());
        writer.nest(2, |nest| nest.put_bytes(1, &large[..65_531]));
        let error = writer.finish().unwrap_err();
        assert_eq!(
            (error.kind(), error.attribute(), error.offset()),
            (ErrorKind::TooLong, Some(2), HEADER_LEN)
        );
        // However little room there is.
        let mut writer = Writer::new(&mut buffer[..20], Header::default());
        writer.put_text(3, &[b'x'; 70_000]);
        assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::TooLong);
    }
}
