//! A netlink socket.

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::netlink::{flags, ExtendedAck, Message, Messages};

use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::output::warn;
use crate::sys::{self, Fd, Received};
use crate::text::number;

// Of linux/netlink.h; the libc crate does not have them on every target.
const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;
const NETLINK_EXT_ACK: i32 = 11;
const NETLINK_GET_STRICT_CHK: i32 = 12;

/// Room for a request.
const REQUEST: usize = 512;
/// The length of a request without attributes.
const BARE: usize = 20;
/// Room for the datagrams of an answer. The kernel puts at most 32 KiB of a dump into one, and
/// less if we offer less; the last one of a dump and its end come as a pair, which one call
/// then receives.
const BUFFER: usize = 2 * 8192;
/// An interrupted dump is read this many times before we give up: where
/// containers come and go, most are interrupted.
const ATTEMPTS: u32 = 200;
/// Twice the room for the largest datagram of a dump. With fewer datagrams there is less time
/// for changes.
const LARGE: usize = 2 * 32768;
/// Room for one datagram of notifications.
const NEWS: usize = 8192;
/// How many are received by one call.
const AT_ONCE: usize = 8;
/// How often an answer for which there was no memory is asked for again.
const LOST: u32 = 20;

/// The result of a function that writes a request into a buffer.
pub type Written<'b> = core::result::Result<&'b mut [u8], mptcp_codec::Error>;
/// Such a function, given the sequence number.
pub type Write<'w> = &'w dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>;

/// A socket with the numbering of its requests.
#[derive(Debug)]
pub struct Socket {
    fd: Fd,
    protocol: i32,
    receive_buffer: Option<u32>,
    seq: u32,
    strict: bool,
    // The kernel gives its reasons for refusals.
    explains: bool,
    // What the last answer dumped changed meanwhile (NLM_F_DUMP_INTR).
    interrupted: bool,
    room: usize,
    // Where requests are written and, after REQUEST bytes, answers received.
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket of this netlink protocol; boxed, as it is large and passed around.
    pub fn open(protocol: i32, receive_buffer: Option<u32>) -> Result<Box<Self>> {
        let mut socket = Box::new(Self {
            fd: open(protocol)?,
            protocol,
            receive_buffer,
            seq: 0,
            strict: false,
            explains: false,
            interrupted: false,
            room: BUFFER,
            buffer: Vec::new(),
        });
        if let Some(bytes) = receive_buffer {
            socket.set_receive_buffer(bytes);
        }
        Ok(socket)
    }

    /// The descriptor, for waiting on it.
    pub fn fd(&self) -> &Fd {
        &self.fd
    }

    /// The receive buffer that was asked for, in bytes.
    pub fn receive_buffer(&self) -> Option<u32> {
        self.receive_buffer
    }

    /// Asks for a receive buffer of this many bytes: beyond the system's limit
    /// where permitted, otherwise up to it.
    pub fn set_receive_buffer(&mut self, bytes: u32) {
        let force = sys::set_option(&self.fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes);
        if force.is_err() {
            // A smaller buffer than wanted works, and losses are reported.
            let _ = sys::set_option(&self.fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes);
        }
    }

    /// Sets how much of an answer one call receives; before the first request.
    pub fn set_reply_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Starts over with at least this much room for answers: the rest of the last one is
    /// discarded with the old socket.
    #[cold]
    #[inline(never)]
    fn reopen(&mut self, room: usize) -> Result<()> {
        self.fd = open(self.protocol)?;
        self.strict = false;
        self.explains = false;
        if let Some(bytes) = self.receive_buffer {
            self.set_receive_buffer(bytes);
        }
        self.grow(room);
        Ok(())
    }

    #[cold]
    fn grow(&mut self, room: usize) {
        if room > self.room {
            self.room = room;
            self.buffer = Vec::new();
        }
    }

    /// From now on only listens to these multicast groups.
    pub fn listen(&mut self, groups: &[u32]) -> core::result::Result<(), Errno> {
        sys::bind_netlink(&self.fd)?;
        // Not on the stack, which may be small; and at this point, while memory is fresh
        // from the kernel and need not be cleared.
        self.buffer = vec![0; NEWS * AT_ONCE];
        for group in groups {
            self.join(*group)?;
        }
        Ok(())
    }

    /// Passes on all notifications that have arrived, without waiting; `None` for those
    /// that were lost or cannot be read. For a socket that only listens.
    pub fn news(&mut self, each: &mut dyn FnMut(Option<Message>)) -> Result<()> {
        let mut received = [Received::default(); AT_ONCE];
        loop {
            let count = match sys::receive(&self.fd, &mut self.buffer, &mut received, false) {
                Ok(count) => count,
                Err(Errno(number)) => match number as i32 {
                    libc::EAGAIN => return Ok(()),
                    libc::ENOBUFS => {
                        each(None);
                        continue;
                    }
                    _ => return Err(receive_error(Errno(number))),
                },
            };
            let datagrams = self.buffer.chunks_exact(NEWS).zip(&received).take(count);
            for (datagram, Received { len, sender }) in datagrams {
                if *sender != 0 {
                    continue;
                }
                match datagram.get(..*len) {
                    Some(datagram) => {
                        for message in Messages::new(datagram) {
                            each(message.ok());
                        }
                    }
                    None => each(None),
                }
            }
            if count < AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Joins a multicast group.
    pub fn join(&mut self, group: u32) -> core::result::Result<(), Errno> {
        sys::set_option(&self.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    }

    /// Sets a netlink option unless that has been done.
    fn switch_on(fd: &Fd, option: i32, on: &mut bool) {
        if !*on {
            *on = true;
            // Kernels that do not know it check less (before 4.20) and refuse without
            // messages (before
            // 4.12).
            let _ = sys::set_option(fd, SOL_NETLINK, option, 1);
        }
    }

    /// Sends a request and passes each message of the answer to `each`.
    pub fn call(
        &mut self,
        write: Write,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<()> {
        self.exchange(write, each)?;
        if self.interrupted {
            return Err(interrupted());
        }
        Ok(())
    }

    /// Sends a dump request and passes each entry to `each`. They are read again if the
    /// kernel says that they changed meanwhile: then `None` comes first, as it does in the
    /// beginning.
    pub fn dump_each(
        &mut self,
        write: Write,
        each: &mut dyn FnMut(Option<&Message>) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            each(None)?;
            self.exchange(write, &mut |message| each(Some(message)))?;
            if !self.interrupted {
                return Ok(());
            }
            self.grow(LARGE);
        }
        Err(interrupted())
    }

    /// One request and its answer. Most requests are not refused, so the kernel is asked
    /// for its reasons only when one is: it is then sent again. What was refused has
    /// changed nothing; if it succeeds the second time, it is done.
    fn exchange(
        &mut self,
        write: Write,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<()> {
        let mut attempts = 0;
        loop {
            if self.buffer.is_empty() {
                self.buffer = vec![0; REQUEST + self.room];
            }
            self.seq = self.seq.wrapping_add(1);
            let Some((room, replies)) = self.buffer.split_at_mut_checked(REQUEST) else {
                return Err(interrupted());
            };
            let request = write(room, self.seq)?;
            let mut answer = Answer {
                exchange: Exchange::new(request)?,
                each: &mut *each,
                begun: false,
                error: None,
                refused: false,
                lost: false,
                cut: 0,
            };
            // Have the kernel check every attribute of a dump request.
            if answer.exchange.is_dump() && request.len() > BARE {
                Self::switch_on(&self.fd, NETLINK_GET_STRICT_CHK, &mut self.strict);
            }
            answer.receive(&self.fd, request, replies)?;
            if answer.lost {
                attempts += 1;
                if attempts > LOST {
                    return Err(receive_error(Errno(libc::ENOBUFS as usize)));
                }
                let (room, begun) = (2 * answer.cut.next_multiple_of(4096), answer.begun);
                self.reopen(room)?;
                if begun {
                    self.interrupted = true;
                    return Ok(());
                }
            } else if answer.refused && !answer.begun && !self.explains {
                Self::switch_on(&self.fd, NETLINK_EXT_ACK, &mut self.explains);
            } else {
                self.interrupted = answer.exchange.is_interrupted();
                return answer.error.map_or(Ok(()), Err);
            }
        }
    }
}

/// The answer to a request.
struct Answer<'e> {
    exchange: Exchange,
    each: &'e mut dyn FnMut(&Message) -> Result<()>,
    // A message has been passed to `each`.
    begun: bool,
    // The first error.
    error: Option<Error>,
    // It is a refusal.
    refused: bool,
    // Part of it could not be received.
    lost: bool,
    // The length of a datagram that did not fit.
    cut: usize,
}

impl Answer<'_> {
    /// Sends the request and receives the answer.
    fn receive(&mut self, fd: &Fd, request: &[u8], replies: &mut [u8]) -> Result<()> {
        sys::send(fd, request).map_err(|error| {
            let what = "Cannot talk to rtnetlink";
            Error::system(Kind::Kernel, status::REFUSED, what, error)
        })?;
        // A request that changes something is not blindly sent twice.
        let asks = !matches!(request, [_, _, _, _, _, _, low, high, ..]
            if u16::from_ne_bytes([*low, *high]) & flags::ACK != 0);
        // The last datagram of a dump and its end come together. A single one is offered no
        // more than half the room: the kernel makes the datagrams of later dumps as large
        // as the most that it was ever offered on this socket.
        let half = replies.len() / 2;
        let most = if self.exchange.is_dump() { 2 } else { 1 };
        let replies = replies.get_mut(..most * half).unwrap_or_default();
        while !self.exchange.is_over() && !self.lost {
            let mut received = [Received::default(); 2];
            let received = received.get_mut(..most).unwrap_or_default();
            match sys::receive(fd, replies, received, true) {
                Ok(count) => {
                    let mut rest = &*replies;
                    for received in received.iter().take(count) {
                        let (room, after) = rest.split_at_checked(half).unwrap_or_default();
                        self.take(received, room)?;
                        rest = after;
                    }
                }
                Err(Errno(number)) if asks && number == libc::ENOBUFS as usize => self.lost = true,
                Err(error) => return Err(receive_error(error)),
            }
        }
        Ok(())
    }

    /// Takes a datagram that was received into `room`.
    fn take(&mut self, received: &Received, room: &[u8]) -> Result<()> {
        if received.sender != 0 {
            return Ok(());
        }
        let Some(datagram) = room.get(..received.len) else {
            (self.lost, self.cut) = (true, received.len);
            return Ok(());
        };
        for reply in self.exchange.feed(datagram) {
            let error = match reply? {
                Reply::Item(message) => {
                    self.begun = true;
                    // An error in one message must not leave the rest of the answer in the
                    // socket: it is read to its end first.
                    if self.error.is_some() {
                        continue;
                    }
                    match (self.each)(&message) {
                        Ok(()) => continue,
                        Err(error) => error,
                    }
                }
                Reply::End { extended } => {
                    show_warning(&extended);
                    continue;
                }
                Reply::Refused { errno, extended } => {
                    self.refused = self.error.is_none();
                    refused(Errno(errno as usize), &extended)
                }
                Reply::Overrun => receive_error(Errno(libc::ENOBUFS as usize)),
                // Something that this version of the codec does not know.
                _ => continue,
            };
            self.error.get_or_insert(error);
        }
        Ok(())
    }
}

fn open(protocol: i32) -> Result<Fd> {
    sys::netlink_socket(protocol).map_err(|error| {
        let what = "Cannot open netlink socket";
        Error::system(Kind::Kernel, status::FAILED, what, error)
    })
}

/// Receiving failed.
pub fn receive_error(error: Errno) -> Error {
    let mut text = Error::system(
        Kind::Kernel,
        status::REFUSED,
        "netlink receive error",
        error,
    );
    text.push(b" (");
    text.push(number(error.0 as u64).as_bytes());
    text.push(b")");
    text
}

fn interrupted() -> Error {
    Error::new(
        Kind::Kernel,
        status::REFUSED,
        "Dump was interrupted and may be inconsistent.",
    )
}

/// The kernel's refusal in its own words, or else the text of the error number.
fn refused(errno: Errno, extended: &ExtendedAck) -> Error {
    match (extended.message(), extended.missing_type()) {
        (Some(text), _) => Error::refused(errno, text.as_bytes()),
        (None, Some(missing)) => {
            let mut error = Error::answer(errno);
            error.push(b" (missing required attribute type ");
            error.push(number(missing.into()).as_bytes());
            error.push(b")");
            error
        }
        (None, None) => Error::answer(errno),
    }
}

/// The kernel's warning although it did what was asked.
fn show_warning(extended: &ExtendedAck) {
    if extended.attributes().as_bytes().is_empty() {
        return;
    }
    if let Some(text) = extended.message() {
        let text = text.as_bytes();
        warn(text.strip_suffix(b".").unwrap_or(text));
    }
}
