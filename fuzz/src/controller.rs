//! What the controller says of families.

use mptcp_codec::generic::controller::{Family, Group, Operation};
use mptcp_codec::generic::Generic;
use mptcp_codec::netlink::Messages;
use mptcp_codec::order::{Big, Little, Order};

use super::compare::{agree, agree_where};
use super::reference::{self, Fault};
use super::{is_within, print_all};

/// Reads the bytes as the payload of an answer of the controller.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
}

fn one<E: Order>(data: &[u8], big: bool) {
    let bytes = super::message(16, 0, data, big);
    let order = reference::Order { big };
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let generic = Generic::decode(&message);
    agree(
        generic.map(|g| (g.command, g.version, g.attributes.as_bytes())),
        match data {
            [command, version, _, _, rest @ ..] => Ok((*command, *version, rest)),
            _ => Err(Fault::Truncated(16)),
        },
    );
    let Ok(generic) = generic else {
        assert!(Family::decode(&message).is_err());
        return;
    };
    print_all!(generic);
    let attributes = &data[4..];
    let family = Family::decode(&message);
    agree_where(
        matches!(generic.command, 1 | 2 | 7 | 8),
        family.map(|f| reference::Family {
            id: f.id,
            name: f.fields.name().map(|n| n.as_bytes().to_vec()),
            version: f.fields.version(),
            header_size: f.fields.header_size(),
            max_attribute: f.fields.max_attribute(),
        }),
        reference::family(attributes, order, 20),
    );
    let Ok(family) = family else { return };
    print_all!(family);
    let list = reference::whole(attributes, order, 20).expect("accepted");

    // Which of two faults is met first depends on the way of reading; that
    // there is one does not.
    let nest = |kind| reference::last(&list, kind).map_or(&[][..], |a| a.payload);
    ends_after_error(family.fields.operations());
    ends_after_error(family.fields.groups());
    let operations: Result<Vec<Operation>, _> = family.fields.operations().collect();
    let judge = reference::operations(nest(6), order);
    print_all!(operations);
    assert_eq!(
        operations.ok().map(|list| {
            let pair = |o: &Operation| (o.id().unwrap_or(0), o.flags().unwrap_or_default().0);
            list.iter().map(pair).collect::<Vec<_>>()
        }),
        judge.ok()
    );
    let groups: Result<Vec<Group<'_, E>>, _> = family.fields.groups().collect();
    let judge = reference::groups(nest(7), order);
    print_all!(groups);
    for group in groups.iter().flatten() {
        let name = group.name().unwrap_or_default().as_bytes();
        assert!(name.is_empty() || is_within(name, &bytes));
        // One without a name cannot be looked for, one without an id not be joined.
        let named = group.name().and_then(|name| name.to_str());
        if let (Some(name), Some(_)) = (named, group.id()) {
            assert!(matches!(family.group(name), Ok(Some(_))));
        }
    }
    assert_eq!(
        groups.ok().map(|list| {
            let pair = |g: &Group<'_, E>| {
                (
                    g.name().unwrap_or_default().as_bytes().to_vec(),
                    g.id().unwrap_or(0),
                )
            };
            list.iter().map(pair).collect::<Vec<_>>()
        }),
        judge.ok()
    );
}

fn ends_after_error<T>(mut items: impl Iterator<Item = Result<T, mptcp_codec::Error>>) {
    if items.any(|item| item.is_err()) {
        assert!(items.next().is_none(), "goes on after an error");
    }
}
