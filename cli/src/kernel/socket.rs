//! A netlink socket.

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::netlink::{ExtendedAck, Message};

use super::sys::{self, Errno, Fd, Received};
use crate::error::{status, Error, Kind, Result};
use crate::output::number;

// Of linux/netlink.h; the libc crate does not have them on every target.
const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;
const NETLINK_EXT_ACK: i32 = 11;
const NETLINK_GET_STRICT_CHK: i32 = 12;

/// Room for a request, and then for the datagrams of an answer. The kernel fills at most 32 KiB of a
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
    room: usize,
    // Where requests are written and answers received.
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket of this netlink protocol.
    pub fn open(protocol: i32, receive_buffer: Option<u32>) -> Result<Self> {
        let fd = sys::netlink_socket(protocol).map_err(|error| {
            let what = ["Cannot open netlink socket"];
            Error::system(Kind::Kernel, status::FAILED, &what, error)
        })?;
        // Texts with refusals: kernels before 4.12 do not know the option and
        // refuse without texts.
        let _ = sys::set_option(&fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
        let mut socket = Self {
            fd,
            seq: 0,
            port: None,
            strict: false,
            room: BUFFER,
            buffer: Vec::new(),
        };
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

    /// Opens a socket that only listens, to these multicast groups.
    pub fn listen(protocol: i32, receive_buffer: Option<u32>, groups: &[u32]) -> Result<Self> {
        let mut socket = Self::open(protocol, receive_buffer)?;
        sys::bind_netlink(&socket.fd).map_err(receive_error)?;
        for group in groups {
            socket.join(*group).map_err(receive_error)?;
        }
        Ok(socket)
    }

    /// Joins a multicast group.
    pub fn join(&mut self, group: u32) -> core::result::Result<(), Errno> {
        sys::set_option(&self.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    }

    /// Lets the kernel check every attribute of a dump request. Matters to
    /// dumps alone, so other commands save the call.
    fn check_strictly(&mut self) {
        if !self.strict {
            self.strict = true;
            // Kernels before 4.20 do not know the option and check less.
            let _ = sys::set_option(&self.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
        }
    }

    /// Sends a request and hands each message of the answer to `each`.
    pub fn call(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<()> {
        let exchange = self.exchange(write, each)?;
        if exchange.is_interrupted() {
            return Err(interrupted());
        }
        Ok(())
    }

    /// Sends a dump request and collects what `decode` makes of the entries.
    pub fn dump<T>(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        decode: &dyn Fn(&Message) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let mut entries = Vec::new();
        self.dump_each(write, &mut |message| {
            match message {
                None => entries.clear(),
                Some(message) => entries.extend(decode(message)?),
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// The same with each entry handed to `each`. They are read again when the
    /// kernel says that they changed meanwhile: `None` then stands in front.
    pub fn dump_each(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(Option<&Message>) -> Result<()>,
    ) -> Result<()> {
        self.check_strictly();
        for _ in 0..ATTEMPTS {
            each(None)?;
            let exchange = self.exchange(write, &mut |message| each(Some(message)))?;
            if !exchange.is_interrupted() {
                return Ok(());
            }
        }
        Err(interrupted())
    }

    fn exchange(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<Exchange> {
        self.seq = self.seq.wrapping_add(1);
        if self.buffer.is_empty() {
            self.buffer = vec![0; self.room];
        }
        let request = write(&mut self.buffer, self.seq)?;
        let mut exchange = Exchange::new(request)?;
        if let Some(port) = self.port {
            exchange = exchange.with_port(port);
        }
        sys::send(&self.fd, request).map_err(|error| {
            let what = ["Cannot talk to rtnetlink"];
            Error::system(Kind::Kernel, status::REFUSED, &what, error)
        })?;
        let mut refusal = None;
        let mut received = [Received::default(); 2];
        let share = self.buffer.len() / received.len();
        while !exchange.is_over() {
            // The last datagram of a dump and its end come together; anything
            // else is answered in one. No more room is offered for that: the
            // kernel makes the datagrams of later dumps as large as the most
            // that it was ever offered on this socket.
            let places = if exchange.is_dump() { 2 } else { 1 };
            let room = self.buffer.get_mut(..places * share).unwrap_or_default();
            let count = receive(&self.fd, room, &mut received, places)?;
            let mut start = 0;
            for Received { len, sender } in received.iter().take(count) {
                let room = self.buffer.get(start..start + share);
                start += share;
                if *sender != 0 {
                    continue;
                }
                let Some(datagram) = room.and_then(|room| room.get(..*len)) else {
                    return Err(Error::new(
                        Kind::Reply,
                        status::FAILED,
                        &["Error: truncated reply from the kernel"],
                    ));
                };
                for reply in exchange.feed(datagram) {
                    match reply? {
                        Reply::Item(message) => {
                            // A mistake in one message must not leave the
                            // rest of the answer in the socket: it is read to
                            // its end first.
                            if refusal.is_none() {
                                refusal = each(&message).err();
                            }
                        }
                        Reply::End { extended } => warn(&extended),
                        Reply::Refused { errno, extended } => {
                            refusal.get_or_insert(refused(errno, &extended));
                        }
                        Reply::Overrun => {
                            refusal.get_or_insert(receive_error(Errno(libc::ENOBUFS as u32)));
                        }
                    }
                }
            }
        }
        self.port = exchange.port();
        match refusal {
            Some(error) => Err(error),
            None => Ok(exchange),
        }
    }
}

/// Receives up to `places` datagrams, one or two.
fn receive(
    fd: &Fd,
    buffer: &mut [u8],
    received: &mut [Received; 2],
    places: usize,
) -> Result<usize> {
    loop {
        let result = match places {
            1 => sys::receive_one(fd, buffer).map(|one| {
                received[0] = one;
                1
            }),
            _ => sys::receive(fd, buffer, received, true),
        };
        match result {
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
fn warn(extended: &ExtendedAck) {
    if let Some(text) = extended.message() {
        let end: &[u8] = if text.as_bytes().ends_with(b".") {
            b"\n"
        } else {
            b".\n"
        };
        crate::output::complain(&[b"Warning: ", text.as_bytes(), end].concat());
    }
}
