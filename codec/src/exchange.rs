//! One request and what comes back, without a socket.
//!
//! ```text
//!  Exchange::new(request) ── send it ── feed(datagram) ─► Item Item … End
//!                                            ▲    │         or Refused
//!                                            └────┘ while !is_over()
//! ```
//!
//! The exchange checks sequence number and port, skips what is not its own,
//! and knows when the answer is over: the acknowledgement where one was asked
//! for, DONE for a dump, the one message else.

use crate::error::{Error, ErrorKind};
use crate::netlink::{flags, Content, ExtendedAck, Header, Message, Messages, HEADER_LEN};
use crate::order::Native;
use crate::order::Order;

/// The state of one request.
#[derive(Copy, Clone, Debug)]
pub struct Exchange {
    seq: u32,
    port: Option<u32>,
    ends: Ends,
    over: bool,
    interrupted: bool,
}

/// What the answer ends with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Ends {
    Reply,
    Ack,
    Done,
}

impl Exchange {
    /// For this request, as one of the request functions made it. Whether it
    /// is a dump, wants an acknowledgement, and its sequence number are read
    /// from its header.
    pub fn new(request: &[u8]) -> Result<Self, Error> {
        Self::with_order::<Native>(request)
    }

    /// As [`Exchange::new`], for a request that was captured on a machine of
    /// order `E`.
    pub fn with_order<E: Order>(request: &[u8]) -> Result<Self, Error> {
        let Some(head) = request.first_chunk::<HEADER_LEN>() else {
            return Err(Error::new(ErrorKind::Truncated, 0));
        };
        let header = Header::from_bytes::<E>(head);
        let ends = if header.flags & flags::DUMP != 0 {
            Ends::Done
        } else if header.flags & flags::ACK != 0 {
            Ends::Ack
        } else {
            Ends::Reply
        };
        Ok(Self {
            seq: header.seq,
            port: None,
            ends,
            over: false,
            interrupted: false,
        })
    }

    /// Takes replies only for this port, the `nl_pid` of the socket. Without
    /// it the first reply decides: the kernel delivers a reply to nobody but
    /// the socket that asked.
    #[must_use]
    pub const fn with_port(mut self, port: u32) -> Self {
        self.port = Some(port);
        self
    }

    /// The port of the socket, as given or as the first reply told it.
    pub const fn port(&self) -> Option<u32> {
        self.port
    }

    /// Whether nothing more will come.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the kernel said that the data changed while it was dumped
    /// (`NLM_F_DUMP_INTR`): what came may be incomplete or double, and the
    /// request is best sent again.
    pub const fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// What a datagram of the kernel brings. The caller has made sure that
    /// the kernel sent it (`nl_pid` 0) and that it was received whole
    /// ([`ErrorKind::DatagramCut`] else).
    ///
    /// After an error the rest of the datagram is lost; the exchange then
    /// counts as over.
    pub fn feed<'x, 'a>(&'x mut self, datagram: &'a [u8]) -> Replies<'x, 'a> {
        self.feed_messages(Messages::new(datagram))
    }

    /// As [`Exchange::feed`], for messages of any byte order.
    pub fn feed_messages<'x, 'a, E: Order>(
        &'x mut self,
        messages: Messages<'a, E>,
    ) -> Replies<'x, 'a, E> {
        Replies {
            exchange: self,
            messages,
        }
    }

    #[inline]
    fn take<'a, E: Order>(
        &mut self,
        message: Message<'a, E>,
    ) -> Result<Option<Reply<'a, E>>, Error> {
        let header = message.header;
        if header.seq != self.seq {
            return Ok(None);
        }
        match self.port {
            Some(port) if port != header.port => return Ok(None),
            _ => self.port = Some(header.port),
        }
        if header.flags & flags::DUMP_INTR != 0 && header.kind != crate::netlink::kind::ERROR {
            self.interrupted = true;
        }
        let (errno, extended) = match message.content()? {
            Content::Noop => return Ok(None),
            Content::Overrun => return Ok(Some(Reply::Overrun)),
            Content::Data => {
                if self.ends == Ends::Reply && header.flags & flags::MULTI == 0 {
                    self.over = true;
                }
                return Ok(Some(Reply::Item(message)));
            }
            Content::Ack(ack) => {
                // A dump is acknowledged before it begins where both flags
                // were set; only a refusal ends it.
                if ack.errno == 0 && self.ends == Ends::Done {
                    return Ok(None);
                }
                (ack.errno, ack.extended)
            }
            Content::Done(done) => (done.errno, done.extended),
        };
        self.over = true;
        Ok(Some(if errno == 0 {
            Reply::End { extended }
        } else {
            Reply::Refused { errno, extended }
        }))
    }
}

/// What the kernel said to a request.
#[derive(Copy, Clone, Debug)]
pub enum Reply<'a, E: Order = Native> {
    /// A message of the answer.
    Item(Message<'a, E>),
    /// The request was carried out; nothing follows. A warning may be in it.
    End {
        /// What the kernel says beyond success.
        extended: ExtendedAck<'a, E>,
    },
    /// The request was refused, or broke off.
    Refused {
        /// A positive error number of the machine.
        errno: u32,
        /// What the kernel says beyond the number.
        extended: ExtendedAck<'a, E>,
    },
    /// The kernel lost messages of this answer.
    Overrun,
}

/// What one datagram brings: made by [`Exchange::feed`].
#[derive(Debug)]
pub struct Replies<'x, 'a, E: Order = Native> {
    exchange: &'x mut Exchange,
    messages: Messages<'a, E>,
}

impl<'a, E: Order> Iterator for Replies<'_, 'a, E> {
    type Item = Result<Reply<'a, E>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while !self.exchange.over {
            let taken = self
                .messages
                .next()?
                .and_then(|message| self.exchange.take(message));
            match taken {
                Ok(None) => {}
                Ok(Some(reply)) => return Some(Ok(reply)),
                Err(error) => {
                    self.exchange.over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
