//! The message walk: a datagram as the socket gave it.

use mptcp_codec::netlink::{Content, Messages};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::same_fault;
use super::{is_within, print_all, reference};

/// Walks the datagram in both byte orders.
pub fn run(data: &[u8]) {
    walk::<Little>(data, false);
    walk::<Big>(data, true);
}

fn walk<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let (expected, fault) = reference::messages(data, order);
    let mut expected = expected.into_iter();
    let mut messages = Messages::<E>::with_order(data);
    print_all!(messages);
    for message in messages.by_ref() {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                same_fault(error, fault.expect("refused, but well-formed"));
                break;
            }
        };
        print_all!(message);
        let judge = expected.next().expect("one message too many");
        let header = message.header;
        assert_eq!(
            (
                header.len,
                header.message_type,
                header.flags,
                header.seq,
                header.port_id
            ),
            (judge.len, judge.kind, judge.flags, judge.seq, judge.port)
        );
        assert_eq!(message.payload(), judge.payload);
        assert!(is_within(message.payload(), data));
        content(&message, judge.kind);
    }
    assert_eq!(expected.next(), None, "messages were left out");
    assert!(messages.next().is_none(), "goes on after its end");
    assert!(messages.next().is_none());
}

fn content<E: Order>(message: &mptcp_codec::netlink::Message<'_, E>, kind: u16) {
    match message.content() {
        Ok(content) => {
            print_all!(content);
            let number = match content {
                Content::Noop => 1,
                Content::Ack(_) => 2,
                Content::Done(_) => 3,
                Content::Overrun => 4,
                Content::Data => {
                    assert!(kind >= 16);
                    kind
                }
                Content::Reserved => {
                    assert!(kind == 0 || (5..16).contains(&kind));
                    kind
                }
                _ => unreachable!("content that is not known"),
            };
            assert_eq!(number, kind);
        }
        Err(error) => {
            print_all!(error);
            assert!(kind == 2 || kind == 3, "only acks and ends have a form");
        }
    }
    for skip in [0, 1, 4, 16, usize::MAX] {
        match message.attributes(skip) {
            Ok(attributes) => {
                assert_eq!(attributes.as_bytes(), &message.payload()[skip..]);
                print_all!(attributes);
            }
            Err(error) => {
                print_all!(error);
                assert!(skip > message.payload().len());
            }
        }
    }
}
