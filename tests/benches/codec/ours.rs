//! This project's codec, used as its documentation says.

use mptcp_codec::diag::{SocketView, SubflowInfo};
use mptcp_codec::generic::controller::Family;
use mptcp_codec::mptcp::{self, request, EndpointFlags};
use mptcp_codec::netlink::{Content, Messages};
use mptcp_codec::route;
use std::net::{IpAddr, Ipv4Addr};

use crate::event::{self, Event};
use crate::jobs::{Address, Contender, Endpoint, Interface, Socket, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "mptcp-codec",
    dump: Some(|datagrams| dump::<0>(datagrams).expect("well-formed")),
    dumps: Some([
        |datagrams| dump::<0>(datagrams).expect("well-formed"),
        |datagrams| dump::<1>(datagrams).expect("well-formed"),
        |datagrams| dump::<2>(datagrams).expect("well-formed"),
        |datagrams| dump::<3>(datagrams).expect("well-formed"),
        |datagrams| dump::<4>(datagrams).expect("well-formed"),
        |datagrams| dump::<5>(datagrams).expect("well-formed"),
    ]),
    addresses: Some(|datagrams| addresses(datagrams).expect("well-formed")),
    sockets: Some(|datagrams| sockets(datagrams).expect("well-formed")),
    refusal: Some(|datagrams| refusal(datagrams).expect("well-formed")),
    events: Some(|datagrams| events(datagrams).expect("well-formed")),
    build: Some(|wanted, space| build(wanted, space).expect("space for it")),
    resolve: Some(|datagram| resolve(datagram).expect("well-formed")),
};

#[inline(always)]
fn address(address: Option<IpAddr>) -> Address {
    match address {
        None => Address::None,
        Some(IpAddr::V4(address)) => Address::V4(address.to_bits()),
        Some(IpAddr::V6(address)) => Address::V6(address.to_bits()),
    }
}

/// `PLACE` makes each a function of its own.
#[inline(never)]
fn dump<const PLACE: u32>(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = u64::from(PLACE);
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            let message = message?;
            if let Content::Data = message.content()? {
                let endpoint = mptcp::Endpoint::decode(&message)?;
                let endpoint = Endpoint {
                    family: endpoint.family().unwrap_or(0),
                    id: endpoint.id().unwrap_or(0),
                    port: endpoint.port().unwrap_or(0),
                    flags: endpoint.flags().unwrap_or_default().0,
                    if_idx: endpoint.if_idx().unwrap_or(0) as i32,
                    address: address(endpoint.address()),
                };
                sum = sum.wrapping_add(endpoint.sum());
            }
        }
    }
    Ok(sum)
}

macro_rules! of_event {
    (
        ($fields:ident $command:expr)
        numbers { $( $_number:literal $_name:ident $field:ident: $_type:ident, )+ }
        addresses { $( $_four:literal $_name4:ident $_six:literal $_name6:ident $address:ident, )+ }
    ) => {
        Event {
            command: $command,
            $( $field: $fields.$field().unwrap_or_default().into(), )+
            $( $address: address($fields.$address()), )+
        }
    };
}

#[allow(clippy::useless_conversion)]
fn events(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            let of = mptcp::Event::decode(&message?)?;
            let fields = &of.fields;
            let event = event::attributes!(of_event fields of.command);
            sum = sum.wrapping_add(event.sum());
        }
    }
    Ok(sum)
}

fn build(wanted: &Wanted, space: &mut Space) -> Result<usize, mptcp_codec::Error> {
    let endpoint = mptcp::Endpoint::new(Ipv4Addr::from(wanted.address))
        .with_id(wanted.id)
        .with_flags(EndpointFlags(wanted.flags))
        .with_port(wanted.port)
        .with_if_idx(wanted.if_idx as u32);
    let request = request::add_address(&mut space.bytes, wanted.family, wanted.seq, &endpoint)?;
    Ok(request.len())
}

fn resolve(datagram: &[u8]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0;
    for message in Messages::new(datagram) {
        let family = Family::decode(&message?)?;
        let group = family.group(mptcp::EVENT_GROUP)?.unwrap_or(0);
        sum = u64::from(family.id) << 32 | u64::from(group);
    }
    Ok(sum)
}

fn addresses(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            let of = route::Address::decode(&message?)?;
            let interface = Interface {
                family: of.family as u8,
                prefix: of.prefix,
                scope: of.scope,
                index: of.index,
                flags: of.flags.0,
                address: address(of.address()),
                label: of.fields.label().map_or(0, |label| label.as_bytes().len()),
                valid: of.fields.cache().map_or(0, |cache| cache.valid),
            };
            sum = sum.wrapping_add(interface.sum());
        }
    }
    Ok(sum)
}

fn sockets(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            let message = message?;
            let Content::Data = message.content()? else {
                continue;
            };
            let of = SocketView::decode(&message)?;
            let [local, remote] = of.ends();
            let mut subflow = SubflowInfo::EMPTY;
            of.read_subflow(&mut subflow)?;
            let socket = Socket {
                state: of.state().number(),
                ports: [local.port, remote.port],
                source: address(local.address()),
                destination: address(remote.address()),
                interface: of.interface(),
                inode: of.inode(),
                congestion: of.congestion()?.map_or(0, |name| name.as_bytes().len()),
                rtt: of.tcp_info().and_then(|info| info.rtt()).unwrap_or(0),
                token: subflow.token_loc().unwrap_or(0),
                flags: subflow.flags().unwrap_or_default().0,
                ids: [subflow.id_rem().unwrap_or(0), subflow.id_loc().unwrap_or(0)],
                map_seq: subflow.map_seq().unwrap_or(0),
            };
            sum = sum.wrapping_add(socket.sum());
        }
    }
    Ok(sum)
}

fn refusal(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            if let Content::Ack(ack) = message?.content()? {
                let extended = ack.extended()?;
                let text = extended.message().map_or(0, |text| text.as_bytes().len());
                sum = sum
                    .wrapping_add(u64::from(ack.errno))
                    .wrapping_add((text as u64) << 8)
                    .wrapping_add(u64::from(extended.offset().unwrap_or(0)) << 16);
            }
        }
    }
    Ok(sum)
}
