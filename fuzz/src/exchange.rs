//! A request and any datagrams whatever for an answer.

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::exchange::{Exchange, Outcome, Reply};
use mptcp_codec::netlink::{flags, Messages};
use mptcp_codec::order::{Big, Little, Order};

use super::{is_within, print_all, reference};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    dump: bool,
    ack: bool,
    port: Option<u8>,
    big: bool,
    datagrams: Vec<Datagram<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Datagram<'a> {
    /// As it is.
    Raw(&'a [u8]),
    /// Messages whose headers are right.
    Messages(Vec<Message<'a>>),
}

#[derive(Arbitrary, Debug)]
struct Message<'a> {
    kind: Kind,
    flags: u16,
    /// Few values, so that they match and do not match.
    seq: bool,
    port: u8,
    payload: &'a [u8],
    /// Which of its own bytes `nlmsg_len` leaves out.
    short: u8,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Noop,
    Error(u8),
    Done(Option<u8>),
    Overrun,
    Family,
    Other(u16),
}

const SEQ: u32 = 7;

/// Plays the answer.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut kind = flags::REQUEST;
    if input.dump {
        kind |= flags::DUMP;
    }
    if input.ack {
        kind |= flags::ACK;
    }
    let mut request = super::message(28, kind, &[3, 1, 0, 0], input.big);
    let begin = if input.big {
        request[8..12].copy_from_slice(&SEQ.to_be_bytes());
        Exchange::with_order::<Big>
    } else {
        request[8..12].copy_from_slice(&SEQ.to_le_bytes());
        Exchange::with_order::<Little>
    };
    for short in 0..16 {
        assert!(begin(&request[..short]).is_err());
    }
    let mut exchange = begin(&request).expect("a whole header");
    if let Some(port) = input.port {
        exchange = exchange.with_port_id(u32::from(port));
    }
    let ends = (kind & flags::DUMP == flags::DUMP, kind & flags::ACK != 0);
    let given = exchange.port_id();
    for datagram in &input.datagrams {
        if input.big {
            play::<Big>(&mut exchange, &datagram.bytes(true), true, ends);
        } else {
            play::<Little>(&mut exchange, &datagram.bytes(false), false, ends);
        }
        print_all!(exchange);
        if given.is_some() {
            assert_eq!(exchange.port_id(), given, "the port changed");
        }
    }
}

/// How the exchange is to stand after these messages, which are its own: `None`
/// goes on, a number ends it (0 is success), `Some(None)` is a fault.
fn outcome(
    own: &[&reference::Message<'_>],
    order: reference::Order,
    ends: (bool, bool),
) -> Option<Option<u32>> {
    let (is_dump, wants_ack) = ends;
    for message in own {
        let end = match message.kind {
            2 => reference::error(message, order).map(|ack| ack.errno),
            3 => reference::done(message, order).map(|ack| ack.errno),
            16.. if !is_dump && !wants_ack && message.flags & 2 == 0 => return Some(Some(0)),
            _ => continue,
        };
        match end {
            // A dump is acknowledged before it begins where both were asked for.
            Ok(0) if is_dump && message.kind == 2 => {}
            Ok(errno) => return Some(Some(errno)),
            Err(_) => return Some(None),
        }
    }
    None
}

/// What the message says that ends the exchange: there is one.
fn last<'a>(
    own: &[&reference::Message<'a>],
    order: reference::Order,
    ends: (bool, bool),
) -> reference::Ack<'a> {
    let ends_it = |message: &&&reference::Message<'a>| outcome(&[**message], order, ends).is_some();
    let message = own.iter().find(ends_it).expect("an end");
    match message.kind {
        2 => reference::error(message, order),
        _ => reference::done(message, order),
    }
    .expect("it could be read")
}

fn play<E: Order>(exchange: &mut Exchange, datagram: &[u8], big: bool, ends: (bool, bool)) {
    let before = *exchange;
    let mut port = before.port_id();
    let (list, fault) = reference::messages(datagram, reference::Order { big });
    let own = |port: &mut Option<u32>, m: &reference::Message<'_>| {
        m.seq == SEQ && *port.get_or_insert(m.port) == m.port
    };
    let expected: Vec<_> = list.iter().filter(|m| own(&mut port, m)).collect();
    let mut items = expected.iter().filter(|m| m.kind >= 16);
    let mut met = 0;
    let mut ended = before.is_over();
    let mut replies = exchange.feed_messages(Messages::<E>::with_order(datagram));
    for reply in replies.by_ref() {
        assert!(!ended, "a reply after the end");
        met += 1;
        match reply {
            Ok(reply) => {
                print_all!(reply);
                match reply {
                    Reply::Item(message) => {
                        let judge = items.next().expect("an item that is not its own");
                        assert_eq!(message.header.seq, SEQ);
                        assert_eq!(Some(message.header.port_id), port);
                        assert_eq!(message.payload(), judge.payload);
                        assert!(is_within(message.payload(), datagram));
                    }
                    Reply::End { extended } => {
                        let judge = last(&expected, reference::Order { big }, ends);
                        super::extack::extack(&extended, &judge);
                        assert_eq!(judge.errno, 0);
                        ended = true;
                    }
                    Reply::Refused { errno, extended } => {
                        let judge = last(&expected, reference::Order { big }, ends);
                        super::extack::extack(&extended, &judge);
                        assert_ne!(errno, 0);
                        assert_eq!(errno, judge.errno);
                        ended = true;
                    }
                    Reply::Overrun => {}
                    _ => unreachable!("a reply that is not known"),
                }
            }
            Err(error) => {
                print_all!(error);
                ended = true;
            }
        }
    }
    assert!(met <= expected.len() + 1, "more replies than messages");
    assert!(replies.next().is_none());
    drop(replies);
    if !before.is_over() {
        let wanted = outcome(&expected, reference::Order { big }, ends);
        let wanted = wanted.or(fault.is_some().then_some(None));
        match (exchange.outcome(), wanted) {
            (None, None) => {}
            (Some(Outcome::Success), Some(Some(0))) => {}
            (Some(Outcome::Refused(errno)), Some(Some(wanted))) => assert_eq!(errno, wanted),
            (Some(Outcome::Broken(_)), Some(None)) => {}
            other => panic!("{other:?}"),
        }
    }
    if ended {
        assert!(exchange.is_over());
    }
    // Also the message that ends it may say so.
    if !before.is_over() && fault.is_none() {
        let until = |message: &&reference::Message<'_>| {
            outcome(&[*message], reference::Order { big }, ends).is_some()
        };
        let upto = expected
            .iter()
            .position(until)
            .map_or(expected.len(), |at| at + 1);
        let interrupted = expected[..upto]
            .iter()
            .any(|m| m.flags & 0x10 != 0 && m.kind != 2);
        assert_eq!(
            exchange.is_interrupted(),
            before.is_interrupted() || interrupted
        );
    }
    if before.is_over() {
        assert_eq!(met, 0);
    } else if expected.is_empty() && fault.is_none() {
        assert_eq!(met, 0, "took what is not its own");
        assert!(!exchange.is_over());
        assert_eq!(exchange.is_interrupted(), before.is_interrupted());
    } else if !exchange.is_over() {
        assert!(fault.is_none(), "went on after a fault");
        assert!(items.next().is_none(), "an item was dropped");
        let interrupted = expected.iter().any(|m| m.flags & 0x10 != 0 && m.kind != 2);
        assert_eq!(
            exchange.is_interrupted(),
            before.is_interrupted() || interrupted
        );
    }
}

impl Datagram<'_> {
    fn bytes(&self, big: bool) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.to_vec(),
            Self::Messages(messages) => {
                let mut all = Vec::new();
                for message in messages {
                    all.resize(all.len().next_multiple_of(4), 0);
                    message.append(&mut all, big);
                }
                all
            }
        }
    }
}

impl Message<'_> {
    fn append(&self, to: &mut Vec<u8>, big: bool) {
        let four = |n: u32| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let two = |n: u16| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        let errno = |errno: u8| four(u32::from(errno).wrapping_neg()).to_vec();
        let (kind, mut payload) = match self.kind {
            Kind::Noop => (1, vec![]),
            Kind::Error(number) => {
                let mut payload = errno(number);
                payload.extend(four(20));
                payload.resize(4 + 20, 0);
                (2, payload)
            }
            Kind::Done(None) => (3, vec![]),
            Kind::Done(Some(number)) => (3, errno(number)),
            Kind::Overrun => (4, vec![]),
            Kind::Family => (28, vec![3, 1, 0, 0]),
            Kind::Other(kind) => (kind, vec![]),
        };
        payload.extend(self.payload);
        let len = (16 + payload.len()).saturating_sub(usize::from(self.short));
        to.extend(four(len as u32));
        to.extend(two(kind));
        to.extend(two(self.flags));
        to.extend(four(SEQ + u32::from(self.seq)));
        to.extend(four(u32::from(self.port)));
        to.extend(payload);
    }
}
