//! Parse, build what was read, parse again: nothing is lost or invented.

use mptcp_codec::mptcp::{Endpoint, EventAttributes, Limits};
use mptcp_codec::netlink::{Attribute, Attributes, Message, Messages, Writer};
use mptcp_codec::order::{Big, Little, Order};

/// Rebuilds each message of the datagram in both byte orders.
pub fn run(data: &[u8]) {
    rebuild::<Little>(data);
    rebuild::<Big>(data);
}

fn rebuild<E: Order>(data: &[u8]) {
    let mut buffer = vec![0; data.len() + 64];
    for message in Messages::<E>::with_order(data) {
        let Ok(message) = message else { return };
        raw(&message, &mut buffer);
        typed(&message, &mut buffer);
    }
}

/// Attribute by attribute, as bytes.
fn raw<E: Order>(message: &Message<'_, E>, buffer: &mut [u8]) {
    for skip in [0, 4] {
        let Ok(attributes) = message.attributes(skip) else {
            continue;
        };
        let Ok(list) = attributes.collect::<Result<Vec<Attribute<'_, E>>, _>>() else {
            continue;
        };
        let mut writer = Writer::<E>::with_order(buffer, message.header);
        if let Some(fixed) = message.payload().first_chunk::<4>() {
            if skip == 4 {
                writer.bytes(*fixed);
            }
        }
        for a in &list {
            let nested = u16::from(a.is_nested()) << 15;
            let order = u16::from(a.is_net_byteorder()) << 14;
            writer.put_bytes(a.number() | nested | order, a.payload());
        }
        let built = &*writer.finish().expect("padding is all that is added");
        let mut messages = Messages::<E>::with_order(built);
        let again = messages.next().expect("a message").expect("well-formed");
        assert!(messages.next().is_none());
        let header = mptcp_codec::netlink::Header {
            len: again.header.len,
            ..message.header
        };
        assert_eq!(again.header, header);
        // Only the padding of the last attribute may be new, and padding that
        // was not zero is.
        let attributes = again.attributes(skip).expect("long enough");
        let again: Vec<_> = attributes.map(|a| a.expect("well-formed")).collect();
        assert_eq!(again, list);
    }
}

/// Through the typed sets.
fn typed<E: Order>(message: &Message<'_, E>, buffer: &mut [u8]) {
    let Ok(attributes) = message.attributes(4) else {
        return;
    };
    macro_rules! again {
        ($set:ident, $attributes:expr) => {
            if let Ok(set) = $set::from_attributes($attributes) {
                let mut writer = Writer::<E>::with_order(buffer, message.header);
                set.encode(&mut writer);
                let built = &*writer.finish().expect("no longer than what was read");
                let again = $set::from_attributes(Attributes::<E>::with_order(&built[16..]));
                let again = again.expect("just built");
                assert_eq!(again.unknown(), 0);
                if set.unknown() == 0 {
                    assert_eq!(again, set);
                }
                let mut twice = [0; 256];
                let mut writer = Writer::<E>::with_order(&mut twice, message.header);
                again.encode(&mut writer);
                assert_eq!(writer.finish().expect("the same"), built);
            }
        };
    }
    again!(EventAttributes, attributes);
    again!(Limits, attributes);
    again!(Endpoint, attributes);
    for attribute in attributes.flatten() {
        again!(Endpoint, attribute.nested());
    }
}
