//! Acknowledgements and ends with what the kernel adds.

use mptcp_codec::mptcp::Place;
use mptcp_codec::netlink::{Ack, Content, Done, ExtendedAck, Messages};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::same_fault;
use super::{is_within, print_all, reference};

/// The first byte chooses kind, flags and order; the rest is the payload.
pub fn run(data: &[u8]) {
    let Some((choice, payload)) = data.split_first() else {
        return;
    };
    let kind = if choice & 1 != 0 { 2 } else { 3 };
    // CAPPED, ACK_TLVS, MULTI.
    let flags = u16::from(choice >> 1 & 7) << 8 | 2;
    if choice & 16 != 0 {
        one::<Big>(kind, flags, payload, true);
    } else {
        one::<Little>(kind, flags, payload, false);
    }
}

fn one<E: Order>(kind: u16, flags: u16, payload: &[u8], big: bool) {
    let bytes = super::message(kind, flags, payload, big);
    let order = reference::Order { big };
    let (list, _) = reference::messages(&bytes, order);
    let judge = match kind {
        2 => reference::error(&list[0], order),
        _ => reference::done(&list[0], order),
    };
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let content = message.content();
    let extended = match &content {
        Ok(Content::Ack(ack)) => ack.extended(),
        Ok(Content::Done(done)) => done.extended(),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(*error),
    };
    if let Ok(content) = content {
        print_all!(content);
    }
    match (
        extended.and_then(|extended| Ok((content?, extended))),
        judge,
    ) {
        (Ok((content, extended)), Ok(judge)) => {
            let errno = match content {
                Content::Ack(Ack {
                    errno,
                    request,
                    request_payload,
                    ..
                }) => {
                    let (header, repeated) = judge.request.as_ref().expect("an ack");
                    assert_eq!(request.to_bytes::<E>()[..], header[..]);
                    assert_eq!(request_payload, *repeated);
                    assert!(is_within(request_payload, &bytes));
                    errno
                }
                Content::Done(Done { errno, .. }) => errno,
                other => panic!("{other:?}"),
            };
            assert_eq!(errno, judge.errno);
            extack(&extended, &judge);
            // Any request will do for the offset to point into.
            if let Some(place) = Place::of_fault(&bytes, &extended) {
                super::print(format_args!("{place} {place:?}"));
            }
        }
        (Err(error), Err(fault)) => same_fault(error, fault),
        (codec, judge) => panic!("codec {codec:?}, judge {judge:?}"),
    }
}

pub(super) fn extack<E: Order>(codec: &ExtendedAck<'_, E>, judge: &reference::Ack<'_>) {
    print_all!(codec);
    assert_eq!(
        codec.message().map(|text| text.as_bytes()),
        judge.message.as_deref()
    );
    assert_eq!(codec.offset(), judge.offset);
    assert_eq!(codec.cookie(), judge.cookie);
    let policy = codec.attributes().find_last(4).ok().flatten();
    assert_eq!(policy.map(|a| a.payload()), judge.policy);
    match (codec.rule(), judge.policy) {
        (Ok(None), None) => {}
        (Ok(Some(rule)), Some(_)) => print_all!((rule, rule.type_name())),
        (Err(error), Some(_)) => print_all!(error),
        other => panic!("{other:?}"),
    }
    assert_eq!(codec.missing_type(), judge.missing_type);
    assert_eq!(codec.missing_nest(), judge.missing_nest);
    assert_eq!(codec.unknown(), judge.unknown);
}
