//! Links, addresses and routes, and the requests for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::netlink::Messages;
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::route::{message_type, request, Address, Change, Link, Route};
use mptcp_codec::{Error, ErrorKind};

use super::compare::agree;
use super::print_all;
use super::reference::{self, Fault};

/// The first byte chooses type and order, the rest is the payload; and all
/// of it is wishes for a request.
pub fn run(data: &[u8]) {
    if let Some((choice, payload)) = data.split_first() {
        let number = [16, 17, 20, 21, 24, 25, 18, 99][usize::from(choice & 7)];
        if choice & 8 != 0 {
            one::<Big>(number, payload, true);
        } else {
            one::<Little>(number, payload, false);
        }
    }
    if let Ok(wish) = Wish::arbitrary_take_rest(Unstructured::new(data)) {
        ask(&wish);
    }
}

fn one<E: Order>(number: u16, payload: &[u8], big: bool) {
    let order = reference::Order { big };
    let bytes = super::message(number, 2, payload, big);
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let change = Change::decode(&message);
    print_all!(change);
    match number {
        message_type::NEWLINK | message_type::DELLINK => {
            let link = Link::decode(&message);
            agree(link.map(|l| link_of(&l)), judge_link(payload, order));
            assert_eq!(link.is_ok(), change.is_ok());
        }
        message_type::NEWADDR | message_type::DELADDR => {
            let address = Address::decode(&message);
            agree(
                address.map(|a| {
                    (
                        a.family,
                        a.prefix,
                        a.flags.0,
                        a.scope,
                        a.index,
                        a.address(),
                        a.peer(),
                    )
                }),
                judge_address(payload, order),
            );
            assert_eq!(address.is_ok(), change.is_ok());
        }
        message_type::NEWROUTE | message_type::DELROUTE => {
            let route = Route::decode(&message);
            agree(
                route.map(|r| {
                    let numbers = (
                        r.family,
                        r.table,
                        r.flags,
                        r.fields.input(),
                        r.fields.output(),
                        r.fields.priority(),
                    );
                    (
                        numbers,
                        r.destination(),
                        r.source(),
                        r.gateway(),
                        r.preferred_source(),
                    )
                }),
                judge_route(payload, order),
            );
            assert_eq!(route.is_ok(), change.is_ok());
        }
        other => assert!(matches!(change, Ok(Change::Other(n)) if n == other)),
    }
}

type JudgedLink = (u16, u32, u32, Option<Vec<u8>>, [Option<u32>; 2], [bool; 2]);

fn link_of<E: Order>(l: &Link<'_, E>) -> JudgedLink {
    print_all!((l.fields.state().map(|s| s.name()), l.is_usable()));
    let present = [l.fields.state().is_some(), l.fields.carrier().is_some()];
    let name = l.fields.ifname().map(|n| n.as_bytes().to_vec());
    (
        l.family,
        l.index,
        l.flags.0,
        name,
        [l.fields.mtu(), l.fields.master()],
        present,
    )
}

fn judge_link(payload: &[u8], order: reference::Order) -> Result<JudgedLink, Fault> {
    let rest = payload.get(16..).ok_or(Fault::Truncated(16))?;
    let mut link = (
        u16::from(payload[0]),
        order.u32(&payload[4..8]),
        order.u32(&payload[8..12]),
        None,
        [None, None],
        [false, false],
    );
    let (list, fault) = reference::attributes(rest, order, 32);
    for a in &list {
        match a.number() {
            3 => link.3 = Some(a.text()?.to_vec()),
            4 => link.4[0] = Some(a.u32(order)?),
            10 => link.4[1] = Some(a.u32(order)?),
            16 => link.5[0] = a.u8().map(|_| true)?,
            33 => link.5[1] = a.u8().map(|_| true)?,
            _ => {}
        }
    }
    fault.map_or(Ok(link), Err)
}

fn address_in(a: &reference::Attribute<'_>, family: u16) -> Result<Option<IpAddr>, Fault> {
    match family {
        2 => a.ipv4().map(|a| Some(a.into())),
        10 => a.ipv6().map(|a| Some(a.into())),
        _ => Ok(None),
    }
}

type JudgedAddress = (u16, u8, u32, u8, u32, Option<IpAddr>, Option<IpAddr>);

fn judge_address(payload: &[u8], order: reference::Order) -> Result<JudgedAddress, Fault> {
    let rest = payload.get(8..).ok_or(Fault::Truncated(16))?;
    let family = u16::from(payload[0]);
    let mut flags = u32::from(payload[2]);
    let (mut address, mut local) = (None, None);
    let (list, fault) = reference::attributes(rest, order, 24);
    for a in &list {
        match a.number() {
            1 => address = address_in(a, family)?,
            2 => local = address_in(a, family)?,
            3 => a.text().map(|_| ())?,
            4 => address_in(a, family).map(|_| ())?,
            6 if a.payload.len() != 16 => return Err(Fault::Size(a.at)),
            8 => flags = a.u32(order)?,
            11 => a.u8().map(|_| ())?,
            _ => {}
        }
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    let own = local.or(address);
    let peer = if local.is_some() && address != local {
        address
    } else {
        None
    };
    let index = order.u32(&payload[4..8]);
    Ok((family, payload[1], flags, payload[3], index, own, peer))
}

type JudgedRoute = (
    (u16, u32, u32, Option<u32>, Option<u32>, Option<u32>),
    Option<IpAddr>,
    Option<IpAddr>,
    Option<IpAddr>,
    Option<IpAddr>,
);

fn judge_route(payload: &[u8], order: reference::Order) -> Result<JudgedRoute, Fault> {
    let rest = payload.get(12..).ok_or(Fault::Truncated(16))?;
    let family = u16::from(payload[0]);
    let mut r: JudgedRoute = (
        (
            family,
            u32::from(payload[4]),
            order.u32(&payload[8..12]),
            None,
            None,
            None,
        ),
        None,
        None,
        None,
        None,
    );
    let (list, fault) = reference::attributes(rest, order, 28);
    for a in &list {
        match a.number() {
            1 => r.1 = address_in(a, family)?,
            2 => r.2 = address_in(a, family)?,
            3 => r.0 .3 = Some(a.u32(order)?),
            4 => r.0 .4 = Some(a.u32(order)?),
            5 => r.3 = address_in(a, family)?,
            6 => r.0 .5 = Some(a.u32(order)?),
            7 => r.4 = address_in(a, family)?,
            15 => r.0 .1 = a.u32(order)?,
            18 => {
                let size = Fault::Size(a.at);
                let other = a.payload.get(..2).ok_or(size)?;
                let b = &a.payload[2..];
                r.3 = match order.u16(other) {
                    2 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(b).map_err(|_| size)?).into()),
                    10 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(b).map_err(|_| size)?).into()),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    fault.map_or(Ok(r), Err)
}

#[derive(Arbitrary, Debug)]
enum Wish<'a> {
    Links,
    ByIndex(u32),
    ByName(&'a [u8]),
    Addresses(u8, u32),
    Route(IpAddr, Option<IpAddr>, Option<u32>, Option<u32>),
}

fn ask(wish: &Wish<'_>) {
    let build = |buffer: &mut [u8]| -> Result<Vec<u8>, Error> {
        let message = match wish {
            Wish::Links => request::dump_links(buffer, 7),
            Wish::ByIndex(index) => request::link_by_index(buffer, 7, *index),
            Wish::ByName(name) => request::link_by_name(buffer, 7, name),
            Wish::Addresses(family, index) => {
                request::dump_addresses(buffer, (*family).into(), 7, *index)
            }
            Wish::Route(to, from, output, mark) => {
                let mut lookup = request::Lookup::new(*to);
                if let Some(from) = from {
                    lookup = lookup.with_source(*from);
                }
                if let Some(output) = output {
                    lookup = lookup.with_output(*output);
                }
                if let Some(mark) = mark {
                    lookup = lookup.with_mark(*mark);
                }
                print_all!(lookup);
                lookup.encode(buffer, 7)
            }
        };
        message.map(|m| m.to_vec())
    };
    // As many as the documentation says are enough.
    let whole = match build(&mut [0; 128]) {
        Ok(whole) => whole,
        Err(error) => {
            print_all!(error);
            assert_eq!(error.kind(), ErrorKind::BadValue);
            match wish {
                Wish::ByName(name) => {
                    assert!(name.is_empty() || name.len() > 15 || name.contains(&0));
                }
                Wish::Route(to, Some(from), ..) => assert_ne!(to.is_ipv4(), from.is_ipv4()),
                other => panic!("{other:?}: {error}"),
            }
            return;
        }
    };
    for room in 0..whole.len() {
        let error = build(&mut vec![0; room]).expect_err("too small");
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
    let order = reference::Order {
        big: cfg!(target_endian = "big"),
    };
    let (list, fault) = reference::messages(&whole, order);
    assert_eq!((list.len(), fault), (1, None));
    let (kind, fixed) = match wish {
        Wish::Addresses(..) => (22, 8),
        Wish::Route(..) => (26, 12),
        _ => (18, 16),
    };
    assert_eq!((list[0].kind, list[0].seq), (kind, 7));
    reference::whole(&list[0].payload[fixed..], order, 0).expect("well-formed");
}
