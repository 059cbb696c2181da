//! A netlink socket.

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::netlink::{ExtendedAck, Message};

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
/// Room for the datagrams of an answer. The kernel fills at most 32 KiB of a
/// dump into one, and less when we offer less; datagrams come in pairs (the
/// last of a dump, and its end), which one call then receives.
const BUFFER: usize = 2 * 8192;
/// An interrupted dump is read this many times before we give up.
const ATTEMPTS: u32 = 5;

/// What a function that writes a request into a buffer makes.
pub type Written<'b> = core::result::Result<&'b mut [u8], mptcp_codec::Error>;

/// A socket with the numbering of its requests.
#[derive(Debug)]
pub struct Socket {
    fd: Fd,
    seq: u32,
    port: Option<u32>,
    strict: bool,
    // The kernel has been told that we want the reasons of refusals.
    explains: bool,
    room: usize,
    // Where requests are written and, behind REQUEST bytes, answers received.
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket of this netlink protocol; in a box, as it is large and
    /// handed about.
    pub fn open(protocol: i32, receive_buffer: Option<u32>) -> Result<Box<Self>> {
        let fd = sys::netlink_socket(protocol).map_err(|error| {
            let what = ["Cannot open netlink socket"];
            Error::system(Kind::Kernel, status::FAILED, &what, error)
        })?;
        let mut socket = Box::new(Self {
            fd,
            seq: 0,
            port: None,
            strict: false,
            explains: false,
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

    /// Asks for a receive buffer of this many bytes: past the system's limit
    /// where that is allowed, up to it else.
    pub fn set_receive_buffer(&mut self, bytes: u32) {
        let force = sys::set_option(&self.fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes);
        if force.is_err() {
            // A smaller buffer than wanted works, and losses are reported.
            let _ = sys::set_option(&self.fd, libc::SOL_SOCKET, libc::SO_RCVBUF, bytes);
        }
    }

    /// How much of an answer is received at once, before the first request.
    pub fn set_reply_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Only listens from now on, to these multicast groups.
    pub fn listen(&mut self, groups: &[u32]) -> core::result::Result<(), Errno> {
        sys::bind_netlink(&self.fd)?;
        for group in groups {
            self.join(*group)?;
        }
        Ok(())
    }

    /// Joins a multicast group.
    pub fn join(&mut self, group: u32) -> core::result::Result<(), Errno> {
        sys::set_option(&self.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    }

    /// Sets an option of netlink where that has not been done.
    fn switch_on(fd: &Fd, option: i32, on: &mut bool) {
        if !*on {
            *on = true;
            // Kernels that do not know it check less (before 4.20) and refuse
            // without texts (before 4.12).
            let _ = sys::set_option(fd, SOL_NETLINK, option, 1);
        }
    }

    /// Sends a request and hands each message of the answer to `each`.
    pub fn call(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<()> {
        if self.exchange(write, each)? {
            return Err(interrupted());
        }
        Ok(())
    }

    /// Sends a dump request and hands each entry to `each`. They are read again
    /// when the kernel says that they changed meanwhile: `None` then stands in
    /// front, as it does in the beginning.
    pub fn dump_each(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(Option<&Message>) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            each(None)?;
            if !self.exchange(write, &mut |message| each(Some(message)))? {
                return Ok(());
            }
        }
        Err(interrupted())
    }

    /// One request and its answer; tells whether that was interrupted. Most
    /// requests are not refused, so the kernel is asked for its reasons only
    /// when one is: the request is then sent again. What was refused has
    /// changed nothing, and if it can be done meanwhile, it is.
    fn exchange(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<bool> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; REQUEST + self.room];
        }
        loop {
            match self.attempt(write, each)? {
                Ended::Refused => {}
                ended => return Ok(ended == Ended::Interrupted),
            }
        }
    }

    /// The same once. The first refusal switches the reasons on.
    fn attempt(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<Ended> {
        self.seq = self.seq.wrapping_add(1);
        let Some((room, replies)) = self.buffer.split_at_mut_checked(REQUEST) else {
            return Err(interrupted());
        };
        let request = write(room, self.seq)?;
        let mut exchange = Exchange::new(request)?;
        if let Some(port) = self.port {
            exchange = exchange.with_port_id(port);
        }
        // Every attribute of a dump request is to be checked by the kernel.
        if exchange.is_dump() && request.len() > BARE {
            Self::switch_on(&self.fd, NETLINK_GET_STRICT_CHK, &mut self.strict);
        }
        sys::send(&self.fd, request).map_err(|error| {
            let what = ["Cannot talk to rtnetlink"];
            Error::system(Kind::Kernel, status::REFUSED, &what, error)
        })?;
        let mut answer = Answer {
            exchange,
            each,
            begun: false,
            error: None,
            refused: false,
        };
        while !answer.exchange.is_over() {
            let half = replies.len() / 2;
            if exchange.is_dump() {
                // Its last datagram and its end come together.
                let mut received = [Received::default(); 2];
                let count = receive(&mut || sys::receive(&self.fd, replies, &mut received, true))?;
                for (received, half) in received.iter().zip(replies.chunks(half)).take(count) {
                    answer.take(received, half)?;
                }
            } else {
                // No more room is offered for this: the kernel makes the
                // datagrams of later dumps as large as the most that it was
                // ever offered on this socket.
                let half = replies.get_mut(..half).unwrap_or_default();
                let received = receive(&mut || sys::receive_one(&self.fd, half))?;
                answer.take(&received, half)?;
            }
        }
        self.port = answer.exchange.port_id();
        if answer.refused && !answer.begun && !self.explains {
            Self::switch_on(&self.fd, NETLINK_EXT_ACK, &mut self.explains);
            return Ok(Ended::Refused);
        }
        match answer.error {
            Some(error) => Err(error),
            None if answer.exchange.is_interrupted() => Ok(Ended::Interrupted),
            None => Ok(Ended::Whole),
        }
    }
}

/// What comes back to a request.
struct Answer<'e> {
    exchange: Exchange,
    each: &'e mut dyn FnMut(&Message) -> Result<()>,
    // A message has been handed to `each`.
    begun: bool,
    // The first of all.
    error: Option<Error>,
    // It is a refusal.
    refused: bool,
}

impl Answer<'_> {
    /// Takes a datagram that was received into `room`.
    fn take(&mut self, received: &Received, room: &[u8]) -> Result<()> {
        if received.sender != 0 {
            return Ok(());
        }
        let Some(datagram) = room.get(..received.len) else {
            return Err(Error::new(
                Kind::Reply,
                status::FAILED,
                &["Error: truncated reply from the kernel"],
            ));
        };
        for reply in self.exchange.feed(datagram) {
            let error = match reply? {
                Reply::Item(message) => {
                    self.begun = true;
                    // A mistake in one message must not leave the rest of the
                    // answer in the socket: it is read to its end first.
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
                    refused(errno, &extended)
                }
                Reply::Overrun => receive_error(Errno(libc::ENOBUFS as u32)),
                // Nothing that this version of the codec knows.
                _ => continue,
            };
            self.error.get_or_insert(error);
        }
        Ok(())
    }
}

/// How an attempt ended.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Ended {
    /// With all that the kernel has to say.
    Whole,
    /// With a dump that changed meanwhile.
    Interrupted,
    /// With a refusal whose reason has not been asked for.
    Refused,
}

/// Receives, again where a signal came first.
fn receive<T>(call: &mut dyn FnMut() -> core::result::Result<T, Errno>) -> Result<T> {
    loop {
        match call() {
            Err(Errno(number)) if number == libc::EINTR as u32 => {}
            result => return result.map_err(receive_error),
        }
    }
}

/// Receiving failed.
pub fn receive_error(error: Errno) -> Error {
    let mut text = Error::system(
        Kind::Kernel,
        status::REFUSED,
        &["netlink receive error"],
        error,
    );
    text.push(b" (");
    text.push(number(error.0.into()).as_bytes());
    text.push(b")");
    text
}

fn interrupted() -> Error {
    Error::new(
        Kind::Kernel,
        status::REFUSED,
        &["Dump was interrupted and may be inconsistent."],
    )
}

/// The kernel's refusal in its own words, or what the error number says.
fn refused(errno: u32, extended: &ExtendedAck) -> Error {
    match (extended.message(), extended.missing_type()) {
        (Some(text), _) => Error::refused(Errno(errno), text.as_bytes()),
        (None, Some(missing)) => {
            let mut error = Error::answer(Errno(errno));
            error.push(b" (missing required attribute type ");
            error.push(number(missing.into()).as_bytes());
            error.push(b")");
            error
        }
        (None, None) => Error::answer(Errno(errno)),
    }
}

/// What the kernel has to say although it did what was asked.
fn show_warning(extended: &ExtendedAck) {
    if extended.attributes.as_bytes().is_empty() {
        return;
    }
    if let Some(text) = extended.message() {
        let text = text.as_bytes();
        warn(text.strip_suffix(b".").unwrap_or(text));
    }
}
