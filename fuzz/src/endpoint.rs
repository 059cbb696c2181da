//! Endpoints and limits: attribute sets, and the replies that carry them.

use mptcp_codec::mptcp::{Endpoint, Limits};
use mptcp_codec::netlink::{Attributes, Messages};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::{self, agree, agree_where};
use super::print_all;
use super::reference::{self, Fault};

/// Reads the bytes as an address nest, as limits and as a reply's payload.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let endpoint = Endpoint::from_attributes(Attributes::<E>::with_order(data));
    if let Ok(endpoint) = &endpoint {
        print_all!(endpoint);
        if let Some(flags) = endpoint.flags() {
            super::print(format_args!("{flags} {flags:?}"));
        }
        if let Some(address) = endpoint.address() {
            assert_eq!(address.is_ipv4(), endpoint.addr4().is_some());
        }
    }
    agree(
        endpoint.map(|e| compare::endpoint(&e)),
        reference::endpoint(data, order, 0),
    );
    let limits = Limits::from_attributes(Attributes::<E>::with_order(data));
    if let Ok(limits) = &limits {
        print_all!(limits);
    }
    agree(
        limits.map(|l| compare::limits(&l)),
        reference::limits(data, order, 0),
    );

    let bytes = super::message(28, 2, data, big);
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    agree(
        Endpoint::decode(&message).map(|e| compare::endpoint(&e)),
        reply(data, order),
    );
    let command = data.first().filter(|_| data.len() >= 4);
    agree_where(
        matches!(command, None | Some(5 | 6)),
        Limits::decode(&message).map(|l| compare::limits(&l)),
        match data.get(4..) {
            Some(rest) => reference::limits(rest, order, 20),
            None => Err(Fault::Truncated(16)),
        },
    );
}

fn reply(data: &[u8], order: reference::Order) -> Result<reference::Endpoint, Fault> {
    let rest = data.get(4..).ok_or(Fault::Truncated(16))?;
    let list = reference::whole(rest, order, 20)?;
    let nest = reference::last(&list, 1).ok_or(Fault::Missing)?;
    reference::endpoint(nest.payload, order, nest.at + 4)
}
