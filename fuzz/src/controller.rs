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
            name: f.name.map(|n| n.as_bytes().to_vec()),
            version: f.version,
            header_size: f.header_size,
            max_attribute: f.max_attribute,
        }),
        reference::family(attributes, order, 20),
    );
    let Ok(family) = family else { return };
    print_all!(family);
    let list = reference::whole(attributes, order, 20).expect("accepted");

    // Which of two faults is met first depends on the way of reading; that
    // there is one does not.
    let nest = |kind| reference::last(&list, kind).map_or(&[][..], |a| a.payload);
    ends_after_error(family.operations());
    ends_after_error(family.groups());
    let operations: Result<Vec<Operation>, _> = family.operations().collect();
    let judge = reference::operations(nest(6), order);
    print_all!(operations);
    assert_eq!(
        operations.ok().map(|list| {
            let pair = |o: &Operation| (o.command, o.flags);
            list.iter().map(pair).collect::<Vec<_>>()
        }),
        judge.ok()
    );
    let groups: Result<Vec<Group<'_>>, _> = family.groups().collect();
    let judge = reference::groups(nest(7), order);
    print_all!(groups);
    for group in groups.iter().flatten() {
        let name = group.name.as_bytes();
        assert!(name.is_empty() || is_within(name, &bytes));
        if let Some(name) = group.name.to_str() {
            assert!(matches!(family.group(name), Ok(Some(_))));
        }
    }
    assert_eq!(
        groups.ok().map(|list| {
            let pair = |g: &Group<'_>| (g.name.as_bytes().to_vec(), g.id);
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
