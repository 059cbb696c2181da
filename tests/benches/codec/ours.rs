//! This project's codec, used as its documentation says.

use mptcp_codec::generic::controller::Family;
use mptcp_codec::mptcp::{self, request, EndpointFlags};
use mptcp_codec::netlink::{Content, Messages};
use std::net::{IpAddr, Ipv4Addr};

use crate::jobs::{Address, Contender, Endpoint, Event, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "mptcp-codec",
    dump: Some(|datagrams| dump(datagrams).expect("a good dump")),
    events: Some(|datagrams| events(datagrams).expect("good events")),
    build: Some(|wanted, space| build(wanted, space).expect("space for it")),
    resolve: Some(|datagram| resolve(datagram).expect("a good reply")),
};

#[inline(always)]
fn address(address: Option<IpAddr>) -> Address {
    match address {
        None => Address::None,
        Some(IpAddr::V4(address)) => Address::V4(address.to_bits()),
        Some(IpAddr::V6(address)) => Address::V6(address.to_bits()),
    }
}

fn dump(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
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

fn events(datagrams: &[Vec<u8>]) -> Result<u64, mptcp_codec::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in Messages::new(datagram) {
            let event = mptcp::Event::decode(&message?)?;
            let fields = &event.fields;
            let event = Event {
                command: event.command,
                token: fields.token().unwrap_or(0),
                family: fields.family().unwrap_or(0),
                loc_id: fields.loc_id().unwrap_or(0),
                rem_id: fields.rem_id().unwrap_or(0),
                source: address(fields.source()),
                destination: address(fields.destination()),
                sport: fields.sport().unwrap_or(0),
                dport: fields.dport().unwrap_or(0),
                backup: fields.backup().unwrap_or(0),
                error: fields.error().unwrap_or(0),
                flags: fields.flags().unwrap_or_default().0,
                timeout: fields.timeout().unwrap_or(0),
                if_idx: fields.if_idx().unwrap_or(0) as i32,
                reset_reason: fields.reset_reason().unwrap_or(0),
                reset_flags: fields.reset_flags().unwrap_or(0),
                server_side: fields.server_side().unwrap_or(0),
            };
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
