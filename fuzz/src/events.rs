//! Events: payloads of messages of the events group.

use mptcp_codec::mptcp::{Event, EventKind};
use mptcp_codec::netlink::Messages;
use mptcp_codec::order::{Big, Little, Order};

use super::compare::{self, agree};
use super::print_all;
use super::reference::{self, Fault};

/// Reads the bytes as the payload of an event.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let bytes = super::message(28, 0, data, big);
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let event = Event::decode(&message);
    agree(
        event.map(|e| compare::event(&e.fields)),
        match data.get(4..) {
            Some(rest) => reference::event(rest, order, 20),
            None => Err(Fault::Truncated(16)),
        },
    );
    let Ok(event) = event else { return };
    print_all!(event);
    assert_eq!(event.kind.number(), data[0]);
    assert_eq!(event.kind, EventKind::from_number(data[0]));
    assert_eq!(
        event.kind.name().is_none(),
        matches!(event.kind, EventKind::Unknown(_))
    );
    assert_eq!(event.attributes.as_bytes(), &data[4..]);
    if let Some(flags) = event.fields.flags() {
        super::print(format_args!("{flags:?} {:?}", flags.unknown()));
    }
    for (address, has4) in [
        (event.fields.source(), event.fields.saddr4().is_some()),
        (event.fields.destination(), event.fields.daddr4().is_some()),
    ] {
        if let Some(address) = address {
            assert_eq!(address.is_ipv4(), has4);
        }
    }
}
