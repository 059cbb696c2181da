//! One request and what comes back, without a socket.
//!
//! ```text
//!  Exchange::new(request) ── send it ── feed(datagram) ─► Item Item … End
//!                                            ▲    │         or Refused
//!                                            └────┘ while !is_over()
//! ```
//!
//! The exchange checks sequence number and port, skips what does not belong to it, and knows
//! when the answer is over: with the acknowledgement if one was requested, with DONE for a
//! dump, otherwise with the single message.
//!
//! Each request on a socket needs a sequence number of its own, which should not be 0, as
//! that is used by events.

use crate::error::{Error, ErrorKind};
use crate::netlink::{
    flags, message_type, verdict, Attributes, ExtendedAck, Header, Message, Messages, HEADER_LEN,
};
use crate::order::Native;
use crate::order::Order;

/// The state of one request.
#[derive(Copy, Clone, Debug)]
pub struct Exchange {
    seq: u32,
    port: Option<u32>,
    ends: Ends,
    outcome: Option<Outcome>,
    interrupted: bool,
}

/// How an exchange ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The request was carried out, or the answer is complete.
    Success,
    /// The request was refused, or the answer was broken off: a positive error number of the
    /// machine.
    Refused(u32),
    /// What was received could not be read.
    Broken(Error),
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
    /// from its header; [`ErrorKind::Truncated`] if it is shorter than that.
    pub fn new(request: &[u8]) -> Result<Self, Error> {
        Self::with_order::<Native>(request)
    }

    /// Like [`Exchange::new`], for a request that was captured on a machine of order `E`.
    pub fn with_order<E: Order>(request: &[u8]) -> Result<Self, Error> {
        let Some(head) = request.first_chunk::<HEADER_LEN>() else {
            return Err(Error::new(ErrorKind::Truncated, 0));
        };
        let header = Header::from_bytes::<E>(head);
        // Each of the two bits alone is another flag: NLM_F_REPLACE or NLM_F_EXCL in a
        // request that creates something.
        let ends = if header.flags & flags::DUMP == flags::DUMP {
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
            outcome: None,
            interrupted: false,
        })
    }

    /// Accepts replies only for this port, the `nl_pid` of the socket. Without it the first
    /// reply determines the port: the kernel delivers a reply only to the socket that
    /// asked.
    #[must_use]
    pub const fn with_port_id(mut self, port: u32) -> Self {
        self.port = Some(port);
        self
    }

    /// The port of the socket, as given or as found in the first reply.
    pub const fn port_id(&self) -> Option<u32> {
        self.port
    }

    /// Whether the request is a dump, whose answer may come in many datagrams.
    pub const fn is_dump(&self) -> bool {
        matches!(self.ends, Ends::Done)
    }

    /// The sequence number of the request.
    pub const fn seq(&self) -> u32 {
        self.seq
    }

    /// Whether nothing more will come.
    pub const fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    /// How it ended; `None` as long as it goes on. The replies say the same; this is for
    /// programs that do not look at each of them.
    pub const fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Whether the kernel said that the data changed while it was dumped
    /// (`NLM_F_DUMP_INTR`): what came may be incomplete or double, and the
    /// request is best sent again.
    pub const fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    /// The replies in a datagram. The caller has made sure that the kernel sent it
    /// (`nl_pid` 0) and that it was received whole.
    ///
    /// The replies need not be walked to their end: what is left when they are
    /// dropped still counts for [`is_over`](Self::is_over),
    /// [`outcome`](Self::outcome) and [`is_interrupted`](Self::is_interrupted);
    /// only its items are lost. So for a command that sets something, the outcome is enough:
    ///
    /// ```
    /// # use mptcp_codec::{exchange::Outcome, Exchange};
    /// # fn run(request: &[u8], mut receive: impl FnMut() -> Vec<u8>) -> Result<(), mptcp_codec::Error> {
    /// let mut exchange = Exchange::new(request)?;
    /// while !exchange.is_over() {
    ///     drop(exchange.feed(&receive()));
    /// }
    /// assert_eq!(exchange.outcome(), Some(Outcome::Success));
    /// # Ok(()) }
    /// ```
    ///
    /// After an error the rest of the datagram is lost; the exchange then
    /// counts as over.
    pub fn feed<'x, 'a>(&'x mut self, datagram: &'a [u8]) -> Replies<'x, 'a> {
        self.feed_messages(Messages::new(datagram))
    }

    /// Like [`Exchange::feed`], for messages of any byte order.
    pub fn feed_messages<'x, 'a, E: Order>(
        &'x mut self,
        messages: Messages<'a, E>,
    ) -> Replies<'x, 'a, E> {
        Replies {
            exchange: self,
            messages,
        }
    }

    /// Whether a message belongs to this exchange.
    #[inline(always)]
    fn owns(&mut self, header: &Header) -> bool {
        if header.seq != self.seq {
            return false;
        }
        match self.port {
            Some(port) if port != header.port_id => return false,
            _ => self.port = Some(header.port_id),
        }
        if header.flags & flags::DUMP_INTR != 0 && header.message_type != message_type::ERROR {
            self.interrupted = true;
        }
        true
    }

    /// Takes an NLMSG_ERROR or NLMSG_DONE that is more than a bare success; `None` if it
    /// does not matter.
    #[cold]
    #[inline(never)]
    fn end<'a, E: Order>(
        &mut self,
        errno: Result<u32, Error>,
        attributes: Attributes<'a, E>,
        is_end: bool,
    ) -> Option<Result<Reply<'a, E>, Error>> {
        let mut extended = ExtendedAck::EMPTY;
        let errno = match errno.and_then(|errno| extended.update(attributes).map(|()| errno)) {
            Ok(errno) => errno,
            Err(error) => return Some(self.broken(error)),
        };
        if errno != 0 {
            self.outcome = Some(Outcome::Refused(errno));
            return Some(Ok(Reply::Refused { errno, extended }));
        }
        is_end.then(|| {
            self.outcome = Some(Outcome::Success);
            Ok(Reply::End { extended })
        })
    }

    /// Nothing more is understood.
    #[cold]
    fn broken<R>(&mut self, error: Error) -> Result<R, Error> {
        self.outcome = Some(Outcome::Broken(error));
        Err(error)
    }
}

/// A reply of the kernel to a request.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply<'a, E: Order = Native> {
    /// A message of the answer.
    Item(Message<'a, E>),
    /// The request was carried out; nothing follows. A warning may be in it.
    End {
        /// What the kernel says in addition.
        extended: ExtendedAck<'a, E>,
    },
    /// The request was refused, or its answer was broken off.
    Refused {
        /// A positive error number of the machine.
        errno: u32,
        /// What the kernel says besides the number.
        extended: ExtendedAck<'a, E>,
    },
    /// The kernel lost messages of this answer.
    Overrun,
}

/// The replies in one datagram: made by [`Exchange::feed`].
#[derive(Debug)]
#[must_use = "items come from walking the replies; `drop` them where only the outcome counts"]
pub struct Replies<'x, 'a, E: Order = Native> {
    exchange: &'x mut Exchange,
    messages: Messages<'a, E>,
}

impl<'a, E: Order> Iterator for Replies<'_, 'a, E> {
    type Item = Result<Reply<'a, E>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.exchange.outcome.is_none() {
            let message = match self.messages.next()? {
                Ok(message) => message,
                Err(error) => return Some(self.exchange.broken(error)),
            };
            let header = &message.header;
            if !self.exchange.owns(header) {
                continue;
            }
            match header.message_type {
                message_type::OVERRUN => return Some(Ok(Reply::Overrun)),
                message_type::ERROR | message_type::DONE => {
                    let mut attributes = Attributes::with_order(&[]);
                    let errno = verdict(message.payload(), header, &mut attributes);
                    // If both flags were set, a dump is acknowledged before it begins; only
                    // a refusal ends it.
                    let is_end = self.exchange.ends != Ends::Done
                        || header.message_type != message_type::ERROR;
                    // Usually there is nothing more, and nothing large need be moved.
                    if errno == Ok(0) && attributes.as_bytes().is_empty() {
                        if is_end {
                            self.exchange.outcome = Some(Outcome::Success);
                            return const {
                                let extended = ExtendedAck::EMPTY;
                                Some(Ok(Reply::End { extended }))
                            };
                        }
                        continue;
                    }
                    let end = self.exchange.end(errno, attributes, is_end);
                    if end.is_some() {
                        return end;
                    }
                }
                message_type::MIN.. => {
                    if self.exchange.ends == Ends::Reply && header.flags & flags::MULTI == 0 {
                        self.exchange.outcome = Some(Outcome::Success);
                    }
                    return Some(Ok(Reply::Item(message)));
                }
                // NOOP, and types without a meaning yet.
                _ => {}
            }
        }
        None
    }
}

impl<E: Order> core::iter::FusedIterator for Replies<'_, '_, E> {}

impl<E: Order> Drop for Replies<'_, '_, E> {
    #[inline]
    fn drop(&mut self) {
        if !self.messages.is_empty() && self.exchange.outcome.is_none() {
            finish(self);
        }
    }
}

/// Processes what is left, for its effect on the exchange.
#[cold]
#[inline(never)]
fn finish<E: Order>(replies: &mut Replies<'_, '_, E>) {
    while replies.next().is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Little;
    use crate::testing::{bytes, Vec};

    const GET: &str = "14000000 1e00 0100 07000000 00000000 06010000";
    const SET: &str = "14000000 1e00 0500 07000000 00000000 04010000";
    const DUMP: &str = "14000000 1e00 0103 07000000 00000000 03010000";
    // NLM_F_REQUEST | NLM_F_ACK | NLM_F_EXCL | NLM_F_CREATE, and NLM_F_REPLACE.
    const CREATE: &str = "14000000 1e00 0506 07000000 00000000 01010000";
    const REPLACE: &str = "14000000 1e00 0501 07000000 00000000 01010000";

    const ITEM: &str = "14000000 1e00 0000 07000000 05000000 06010000";
    const PART: &str = "14000000 1e00 0200 07000000 05000000 03010000";
    const ACK: &str = "24000000 0200 0001 07000000 05000000 00000000
        14000000 1e00 0500 07000000 00000000";
    const REFUSED: &str = "24000000 0200 0001 07000000 05000000 ffffffff
        14000000 1e00 0500 07000000 00000000";
    const DONE: &str = "14000000 0300 0200 07000000 05000000 00000000";
    const OTHER: &str = "14000000 1e00 0000 08000000 05000000 06010000";
    const OTHER_PORT: &str = "14000000 1e00 0000 07000000 06000000 06010000";
    const EVENT: &str = "14000000 1e00 0000 00000000 00000000 03010000";
    const INTERRUPTED: &str = "14000000 1e00 1200 07000000 05000000 03010000";
    const INTERRUPTED_DONE: &str = "14000000 0300 1200 07000000 05000000 00000000";
    const NOOP: &str = "10000000 0100 0000 07000000 05000000";
    const OVERRUN: &str = "10000000 0400 0000 07000000 05000000";
    const BROKEN: &str = "0f000000 1e00 0000 07000000 05000000";

    /// The replies to these messages, each in one datagram: one letter a reply.
    fn play(request: &str, datagrams: &[&str]) -> (Vec<char>, Exchange) {
        let request = bytes(request);
        let mut exchange = Exchange::with_order::<Little>(&request).unwrap();
        let mut letters = Vec::new();
        for datagram in datagrams {
            let datagram = bytes(datagram);
            let messages = Messages::<Little>::with_order(&datagram);
            for reply in exchange.feed_messages(messages) {
                letters.push(match reply {
                    Ok(Reply::Item(_)) => 'i',
                    Ok(Reply::End { .. }) => 'e',
                    Ok(Reply::Refused { errno: 1, .. }) => 'r',
                    Ok(Reply::Refused { .. }) => '?',
                    Ok(Reply::Overrun) => 'o',
                    Err(_) => '!',
                });
            }
        }
        (letters, exchange)
    }

    #[test]
    fn each_kind_of_request_ends_where_its_answer_does() {
        for (request, datagrams, letters, over) in [
            (GET, &[ITEM][..], "i", true),
            (GET, &[REFUSED], "r", true),
            (SET, &[ACK], "e", true),
            (SET, &[ITEM, ACK], "ie", true),
            (SET, &[REFUSED], "r", true),
            (CREATE, &[ACK], "e", true),
            (REPLACE, &[ACK], "e", true),
            (CREATE, &[REFUSED], "r", true),
            (DUMP, &[PART, PART, DONE], "iie", true),
            (DUMP, &[ACK, PART, DONE], "ie", true),
            (DUMP, &[PART], "i", false),
            (DUMP, &[REFUSED], "r", true),
            (DUMP, &[OVERRUN, NOOP, DONE], "oe", true),
            (SET, &[BROKEN, ACK], "!", true),
            (SET, &[ACK, ACK], "e", true),
            (GET, &[OTHER, EVENT, ITEM], "i", true),
            (DUMP, &[EVENT, PART, DONE], "ie", true),
            (SET, &[EVENT], "", false),
            (GET, &[OTHER], "", false),
        ] {
            let (got, exchange) = play(request, datagrams);
            assert_eq!(got, letters.chars().collect::<Vec<_>>(), "{datagrams:?}");
            assert_eq!(exchange.is_over(), over, "{datagrams:?}");
        }
    }

    #[test]
    fn replies_that_are_not_walked_to_their_end_count_all_the_same() {
        for (request, datagram, outcome) in [
            (SET, ACK, Outcome::Success),
            (SET, REFUSED, Outcome::Refused(1)),
            (GET, ITEM, Outcome::Success),
            (DUMP, &[PART, INTERRUPTED, DONE].concat(), Outcome::Success),
            (DUMP, &[PART, REFUSED].concat(), Outcome::Refused(1)),
            (
                DUMP,
                &[PART, BROKEN].concat(),
                Outcome::Broken(Error::new(ErrorKind::BadLength, 20)),
            ),
        ] {
            let datagram = bytes(datagram);
            for walked in 0..3 {
                let exchange = Exchange::with_order::<Little>(&bytes(request));
                let mut exchange = exchange.unwrap();
                let messages = Messages::<Little>::with_order(&datagram);
                for _ in exchange.feed_messages(messages).take(walked) {}
                assert_eq!(exchange.outcome(), Some(outcome), "{walked}");
                assert_eq!(exchange.is_interrupted(), datagram.len() == 60);
            }
        }
    }

    #[test]
    fn an_interruption_counts_wherever_it_is_said() {
        for (datagrams, interrupted) in [
            (&[PART, DONE][..], false),
            (&[PART, INTERRUPTED, DONE], true),
            (&[PART, INTERRUPTED_DONE], true),
            (&[INTERRUPTED_DONE], true),
        ] {
            let (_, exchange) = play(DUMP, datagrams);
            assert_eq!(exchange.is_interrupted(), interrupted, "{datagrams:?}");
            assert_eq!(exchange.outcome(), Some(Outcome::Success));
        }
    }

    #[test]
    fn the_first_port_is_kept_to() {
        let (letters, exchange) = play(DUMP, &[PART, OTHER_PORT, DONE]);
        assert_eq!((letters.len(), exchange.port_id()), (2, Some(5)));
        let exchange = Exchange::with_order::<Little>(&bytes(GET)).unwrap();
        let mut exchange = exchange.with_port_id(6);
        let item = bytes(ITEM);
        let messages = Messages::<Little>::with_order(&item);
        assert_eq!(exchange.feed_messages(messages).count(), 0);
    }

    #[test]
    fn an_interrupted_dump_says_so() {
        assert!(play(DUMP, &[PART, INTERRUPTED, DONE]).1.is_interrupted());
        // The kernel may say so only at the end.
        let end = DONE.replace("0300 0200", "0300 1200");
        assert!(play(DUMP, &[PART, &end]).1.is_interrupted());
        assert!(!play(DUMP, &[PART, DONE]).1.is_interrupted());
    }
}
