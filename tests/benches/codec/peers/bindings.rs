//! netlink-bindings: generated from the kernel's descriptions.

use netlink_bindings::builtin::NlmsgerrAttrs;
use netlink_bindings::inet_diag::{OpTcpDiagDump, ReplyAttrs, UlpInfoAttrs};
use netlink_bindings::mptcp_pm::{Address as AddressAttr, Attr, EventAttr, OpAddAddrDo};
use netlink_bindings::nlctrl::{CtrlAttrs, McastGroupAttrs, OpGetfamilyDo};
use netlink_bindings::rt_addr::{AddrAttrs, OpGetaddrDump};
use netlink_bindings::traits::NetlinkRequest;
use netlink_bindings::utils::ErrorContext;

use super::v6;
use crate::event::{self, Event};
use crate::jobs::{Address, Contender, Endpoint, Interface, Socket, Space, Wanted};
use std::net::IpAddr;

pub const CONTENDER: Contender = Contender {
    name: "netlink-bindings",
    dump: Some(|datagrams| dump(datagrams).expect("well-formed")),
    dumps: None,
    addresses: Some(|datagrams| addresses(datagrams).expect("well-formed")),
    sockets: Some(|datagrams| sockets(datagrams).expect("well-formed")),
    refusal: Some(|datagrams| refusal(datagrams).expect("well-formed")),
    events: Some(|datagrams| events(datagrams).expect("well-formed")),
    build: Some(build),
    resolve: Some(|datagram| resolve(datagram).expect("well-formed")),
};

/// Type and payload of each message; the crate keeps its own walk private.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let head = rest.first_chunk::<16>()?;
        let len = u32::from_ne_bytes(head[..4].try_into().ok()?) as usize;
        let kind = u16::from_ne_bytes([head[4], head[5]]);
        let payload = rest.get(16..len)?;
        rest = rest.get((len + 3) & !3..).unwrap_or(&[]);
        Some((kind, payload))
    })
}

fn dump(datagrams: &[Vec<u8>]) -> Result<u64, ErrorContext> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for (kind, payload) in messages(datagram) {
            if kind < 16 {
                continue;
            }
            let mut endpoint = Endpoint::default();
            for attribute in Attr::new(payload.get(4..).unwrap_or(&[])) {
                let Attr::Addr(nest) = attribute? else {
                    continue;
                };
                for attribute in nest {
                    match attribute? {
                        AddressAttr::Family(value) => endpoint.family = value,
                        AddressAttr::Id(value) => endpoint.id = value,
                        AddressAttr::Addr4(value) => endpoint.address = Address::V4(value),
                        AddressAttr::Addr6(value) => endpoint.address = v6(value),
                        AddressAttr::Port(value) => endpoint.port = value,
                        AddressAttr::Flags(value) => endpoint.flags = value,
                        AddressAttr::IfIdx(value) => endpoint.if_idx = value,
                    }
                }
            }
            sum = sum.wrapping_add(endpoint.sum());
        }
    }
    Ok(sum)
}

macro_rules! read_event {
    (
        ($event:ident $attribute:ident)
        numbers { $( $_number:literal $name:ident $field:ident: $_type:ident, )+ }
        addresses { $( $_four:literal $four:ident $_six:literal $six:ident $address:ident, )+ }
    ) => {
        match $attribute {
            $( EventAttr::$name(value) => $event.$field = value as _, )+
            $(
                EventAttr::$four(value) => $event.$address = Address::V4(value),
                EventAttr::$six(value) => $event.$address = v6(value),
            )+
        }
    };
}

fn events(datagrams: &[Vec<u8>]) -> Result<u64, ErrorContext> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for (_, payload) in messages(datagram) {
            let mut event = Event {
                command: payload.first().copied().unwrap_or(0),
                ..Event::default()
            };
            for attribute in EventAttr::new(payload.get(4..).unwrap_or(&[])) {
                let attribute = attribute?;
                event::attributes!(read_event event attribute);
            }
            sum = sum.wrapping_add(event.sum());
        }
    }
    Ok(sum)
}

fn addresses(datagrams: &[Vec<u8>]) -> Result<u64, ErrorContext> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for (_, payload) in messages(datagram) {
            let (head, attributes) = OpGetaddrDump::decode_reply(payload);
            let mut interface = Interface {
                family: head.ifa_family,
                prefix: head.ifa_prefixlen,
                scope: head.ifa_scope,
                index: head.ifa_index,
                flags: u32::from(head.ifa_flags),
                ..Interface::default()
            };
            let (mut local, mut other) = (None, None);
            for attribute in attributes {
                match attribute? {
                    AddrAttrs::Address(value) => other = Some(value),
                    AddrAttrs::Local(value) => local = Some(value),
                    AddrAttrs::Label(value) => interface.label = value.count_bytes(),
                    AddrAttrs::Cacheinfo(value) => interface.valid = value.ifa_valid,
                    AddrAttrs::Flags(value) => interface.flags = value,
                    _ => {}
                }
            }
            interface.address = match local.or(other) {
                Some(IpAddr::V4(value)) => Address::V4(value.to_bits()),
                Some(IpAddr::V6(value)) => Address::V6(value.to_bits()),
                None => Address::None,
            };
            sum = sum.wrapping_add(interface.sum());
        }
    }
    Ok(sum)
}

/// What MPTCP keeps of a subflow it hands out as bytes: walked here.
fn subflow(bytes: &[u8], socket: &mut Socket) {
    let mut rest = bytes;
    while let Some(head) = rest.first_chunk::<4>() {
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let Some(value) = rest.get(4..len) else { break };
        let number = value.first_chunk().map(|four| u32::from_ne_bytes(*four));
        match u16::from_ne_bytes([head[2], head[3]]) {
            2 => socket.token = number.unwrap_or(0),
            4 => {
                let number = value.first_chunk().map(|eight| u64::from_ne_bytes(*eight));
                socket.map_seq = number.unwrap_or(0);
            }
            8 => socket.flags = number.unwrap_or(0),
            9 => socket.ids[0] = value.first().copied().unwrap_or(0),
            10 => socket.ids[1] = value.first().copied().unwrap_or(0),
            _ => {}
        }
        rest = rest.get((len + 3) & !3..).unwrap_or(&[]);
    }
}

fn sockets(datagrams: &[Vec<u8>]) -> Result<u64, ErrorContext> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for (kind, payload) in messages(datagram) {
            if kind < 16 {
                continue;
            }
            let (head, attributes) = OpTcpDiagDump::decode_reply(payload);
            let end = |bytes: &[u8; 16]| match head.family {
                2 => Address::V4(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
                10 => Address::V6(u128::from_be_bytes(*bytes)),
                _ => Address::None,
            };
            let mut socket = Socket {
                state: head.state,
                ports: [head.sockid.sport(), head.sockid.dport()],
                source: end(&head.sockid.src),
                destination: end(&head.sockid.dst),
                interface: head.sockid.r#if,
                inode: head.inode,
                ..Socket::default()
            };
            for attribute in attributes {
                match attribute? {
                    ReplyAttrs::TcpInfo(info) => socket.rtt = info.rtt,
                    ReplyAttrs::Cong(name) => socket.congestion = name.count_bytes(),
                    ReplyAttrs::UlpInfo(inside) => {
                        for attribute in inside {
                            if let UlpInfoAttrs::Mptcp(bytes) = attribute? {
                                subflow(bytes, &mut socket);
                            }
                        }
                    }
                    _ => {}
                }
            }
            sum = sum.wrapping_add(socket.sum());
        }
    }
    Ok(sum)
}

fn refusal(datagrams: &[Vec<u8>]) -> Result<u64, ErrorContext> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for (_, payload) in messages(datagram) {
            // What comes before the attributes is for the caller to read.
            let Some((head, repeated)) = payload.split_first_chunk::<8>() else {
                continue;
            };
            let errno = i32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
            let request = u32::from_ne_bytes([head[4], head[5], head[6], head[7]]) as usize;
            let attributes = repeated.get((request + 3 & !3) - 4..).unwrap_or(&[]);
            let (mut text, mut offset) = (0, 0);
            for attribute in NlmsgerrAttrs::new(attributes) {
                match attribute? {
                    NlmsgerrAttrs::Msg(value) => text = value.count_bytes(),
                    NlmsgerrAttrs::Offset(value) => offset = value,
                    _ => {}
                }
            }
            sum = sum
                .wrapping_add(u64::from(errno.unsigned_abs()))
                .wrapping_add((text as u64) << 8)
                .wrapping_add(u64::from(offset) << 16);
        }
    }
    Ok(sum)
}

fn build(wanted: &Wanted, space: &mut Space) -> usize {
    let vec = &mut space.vec;
    vec.clear();
    vec.extend_from_slice(&[0; 4]);
    vec.extend_from_slice(&wanted.family.to_ne_bytes());
    vec.extend_from_slice(&5u16.to_ne_bytes());
    vec.extend_from_slice(&wanted.seq.to_ne_bytes());
    vec.extend_from_slice(&[0; 4]);
    OpAddAddrDo::encode_request(vec)
        .nested_addr()
        .push_family(2)
        .push_port(wanted.port)
        .push_id(wanted.id)
        .push_flags(wanted.flags)
        .push_if_idx(wanted.if_idx)
        .push_addr4(u32::from_be_bytes(wanted.address))
        .end_nested();
    let len = vec.len();
    vec[..4].copy_from_slice(&(len as u32).to_ne_bytes());
    len
}

fn resolve(datagram: &[u8]) -> Result<u64, ErrorContext> {
    let mut id = 0;
    let mut group = 0;
    for (_, payload) in messages(datagram) {
        for attribute in OpGetfamilyDo::decode_reply(payload) {
            match attribute? {
                CtrlAttrs::FamilyId(value) => id = value,
                CtrlAttrs::McastGroups(groups) => {
                    for entry in groups {
                        let mut name = c"";
                        let mut this = 0;
                        for attribute in entry? {
                            match attribute? {
                                McastGroupAttrs::Name(value) => name = value,
                                McastGroupAttrs::Id(value) => this = value,
                            }
                        }
                        if name == c"mptcp_pm_events" {
                            group = this;
                        }
                    }
                }
                _ => {}
            }
        }
    }
    Ok(u64::from(id) << 32 | u64::from(group))
}
