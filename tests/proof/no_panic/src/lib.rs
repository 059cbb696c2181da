//! The public entry points of mptcp-codec as a library without std, alloc and
//! panics. The test `codec_proof` builds it at opt-level 3 and looks for calls
//! into core's panicking code in what comes out; there must be none.
//!
//! Every function that decodes does so in both byte orders. Printing is not
//! here: `core::fmt` itself has panics in it.
#![no_std]

pub mod calls;

use core::hint::black_box;
use core::net::IpAddr;

use mptcp_codec::diag::sockopt::{FullInfo, FullSubflow, SubflowAddresses, Subflows};
use mptcp_codec::diag::{
    Filter, MptcpInfo, Protocol, Query, Socket, SocketMemory, State, States, SubflowInfo, TcpInfo,
};
use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::controller::{self, Family};
use mptcp_codec::generic::policy::{self, Entries};
use mptcp_codec::generic::{self, Generic};
use mptcp_codec::mptcp::{request, Endpoint, Event, EventAttributes, EventKind, Limits, Place};
use mptcp_codec::netlink::{
    Attributes, Content, Header, Message, Messages, Rule, Writer,
};
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::route::request as ask;
use mptcp_codec::route::{Address, Change, Link, Route, RoutingRule};
use mptcp_codec::Error;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Exports a function for each byte order.
macro_rules! both {
    ($($name:ident, $little:ident, $big:ident;)*) => {$(
        #[unsafe(no_mangle)]
        pub fn $little(bytes: &[u8]) {
            $name::<Little>(bytes);
        }
        #[unsafe(no_mangle)]
        pub fn $big(bytes: &[u8]) {
            $name::<Big>(bytes);
        }
    )*};
}

both! {
    messages, messages_le, messages_be;
    attributes, attributes_le, attributes_be;
    typed, typed_le, typed_be;
    controller, controller_le, controller_be;
    sockets, sockets_le, sockets_be;
    routes, routes_le, routes_be;
}

/// What an optimiser may know nothing of.
fn opaque<T>(value: T) {
    black_box(value);
}

fn each<E: Order>(bytes: &[u8], mut what: impl FnMut(Message<'_, E>)) {
    for message in Messages::<E>::with_order(bytes) {
        match message {
            Ok(message) => what(message),
            Err(error) => opaque((
                error,
                error.kind().text(),
                error.offset(),
                error.attribute(),
            )),
        }
    }
}

fn messages<E: Order>(bytes: &[u8]) {
    each::<E>(bytes, |message| {
        opaque(message.header.to_bytes::<E>());
        match message.content() {
            Ok(Content::Ack(ack)) => {
                opaque(ack);
                if let Ok(extended) = ack.extended() {
                    opaque((extended, extended.rule()));
                    opaque(Place::of_fault(bytes, &extended));
                }
            }
            Ok(Content::Done(done)) => opaque((done, done.extended())),
            other => opaque(other),
        }
        opaque(message.attributes(black_box(4)));
    });
}

fn attributes<E: Order>(bytes: &[u8]) {
    let attributes = Attributes::<E>::with_order(bytes);
    opaque(attributes.find_last(black_box(7)));
    opaque(attributes.find_nest(black_box(7)));
    for attribute in attributes {
        let Ok(a) = attribute else {
            opaque(attribute);
            return;
        };
        opaque((
            a.number(),
            a.is_nested(),
            a.is_net_byteorder(),
            a.payload(),
            a.offset(),
        ));
        opaque((a.u8(), a.u16(), a.u32(), a.u64(), a.i32(), a.be16()));
        opaque((a.ipv4(), a.ipv6(), a.nested()));
        opaque(a.text().map(|text| (text.as_bytes(), text.to_str())));
    }
}

fn typed<E: Order>(bytes: &[u8]) {
    opaque(Endpoint::from_attributes(Attributes::<E>::with_order(bytes)));
    opaque(Limits::from_attributes(Attributes::<E>::with_order(bytes)));
    opaque(EventAttributes::from_attributes(Attributes::<E>::with_order(bytes)));
    opaque(SubflowInfo::from_attributes(Attributes::<E>::with_order(bytes)));
    opaque(Rule::from_attributes(Attributes::<E>::with_order(bytes)));
    each::<E>(bytes, |message| {
        opaque(Generic::decode(&message));
        opaque(Endpoint::decode(&message).map(|e| (e.address(), e.flags())));
        opaque(Limits::decode(&message));
        let event = Event::decode(&message);
        opaque(event.map(|e| (e.kind.number(), e.kind.name(), e.fields.source())));
        opaque(event.map(|e| {
            (
                EventKind::from_number(e.kind.number()),
                e.fields.destination(),
            )
        }));
    });
}

fn controller<E: Order>(bytes: &[u8]) {
    each::<E>(bytes, |message| {
        if let Ok(family) = Family::decode(&message) {
            opaque(family);
            family.fields.operations().for_each(opaque);
            family.fields.groups().for_each(opaque);
            opaque(family.group(black_box("mptcp_pm_events")));
        }
        if let Ok(entries) = Entries::decode(&message) {
            entries.for_each(opaque);
        }
    });
}

fn sockets<E: Order>(bytes: &[u8]) {
    each::<E>(bytes, |message| {
        if let Ok(socket) = Socket::decode(&message) {
            opaque((socket, socket.state.number(), socket.state.name()));
            opaque((socket.upper_name(), socket.subflow()));
            opaque((socket.mptcp_info(), socket.tcp_info(), socket.memory()));
        }
    });
    let info = MptcpInfo::<E>::with_order(bytes);
    opaque((
        info.token(),
        info.bytes_acked(),
        info.last_ack_recv(),
        info.is_fallback(),
    ));
    let info = TcpInfo::<E>::with_order(bytes);
    opaque((info.rtt(), info.total_rto_time(), info.bytes_acked()));
    opaque(SocketMemory::<E>::with_order(bytes).drops());
    opaque(State::from_number(black_box(3)));
    if let Ok(subflows) = Subflows::<E>::decode(bytes) {
        opaque(subflows);
        subflows.tcp_infos().for_each(opaque);
        subflows.addresses().for_each(opaque);
    }
    opaque(SubflowAddresses::decode::<E>(bytes));
    opaque(FullSubflow::decode::<E>(bytes));
    opaque(FullInfo::<E>::decode(bytes));
}

fn routes<E: Order>(bytes: &[u8]) {
    each::<E>(bytes, |message| {
        opaque(Change::decode(&message));
        opaque(Link::decode(&message).map(|l| (l, l.is_usable())));
        opaque(Address::decode(&message));
        let route = Route::decode(&message);
        opaque(route);
        if let Ok(route) = route {
            route.next_hops().for_each(opaque);
        }
        opaque(RoutingRule::decode(&message));
    });
}

#[unsafe(no_mangle)]
pub fn exchange(request: &[u8], datagrams: &[&[u8]]) {
    let Ok(exchange) = Exchange::new(request) else {
        return;
    };
    let mut exchange = exchange.with_port_id(black_box(1));
    for datagram in datagrams {
        for reply in exchange.feed(datagram) {
            match reply {
                Ok(Reply::Item(message)) => opaque(message),
                Ok(Reply::End { extended }) => opaque(extended),
                Ok(Reply::Refused { errno, extended }) => opaque((errno, extended)),
                other => opaque(other),
            }
        }
        opaque((
            exchange.is_over(),
            exchange.is_interrupted(),
            exchange.port_id(),
        ));
    }
}

#[unsafe(no_mangle)]
pub fn requests(
    buffer: &mut [u8],
    which: u8,
    ids: (u16, u32, u32, u8),
    local: &Endpoint,
    remote: &Endpoint,
    limits: &Limits,
    name: &str,
) -> Result<(), Error> {
    let (family, seq, token, id) = ids;
    let built = match which {
        1 => request::add_address(buffer, family, seq, local),
        2 => request::delete_address(buffer, family, seq, local),
        3 => request::get_address(buffer, family, seq, id, Some(token)),
        4 => request::dump_addresses(buffer, family, seq, Some(token)),
        5 => request::flush_addresses(buffer, family, seq),
        6 => request::set_limits(buffer, family, seq, limits),
        7 => request::get_limits(buffer, family, seq),
        8 => request::set_flags(buffer, family, seq, local),
        9 => request::set_subflow_flags(buffer, family, seq, token, local, remote),
        10 => request::announce(buffer, family, seq, token, local),
        11 => request::remove(buffer, family, seq, token, id),
        12 => request::create_subflow(buffer, family, seq, token, local, remote),
        13 => request::destroy_subflow(buffer, family, seq, token, local, remote),
        14 => controller::family_by_name(buffer, seq, name),
        15 => controller::family_by_id(buffer, seq, family),
        16 => controller::all_families(buffer, seq),
        17 => policy::dump(buffer, family, seq, Some(token as u8)),
        18 => ask::dump_links(buffer, seq),
        19 => ask::link_by_index(buffer, seq, token),
        20 => ask::link_by_name(buffer, seq, name.as_bytes()),
        21 => ask::dump_addresses(buffer, family, seq, token),
        _ => generic::request(buffer, family, seq, 0, id, id).finish(),
    };
    built.map(opaque)
}

#[unsafe(no_mangle)]
pub fn lookups(
    buffer: &mut [u8],
    seq: u32,
    ends: [Option<(IpAddr, u8)>; 2],
    numbers: [u32; 3],
) -> Result<(), Error> {
    let [Some((to, bits)), Some((from, from_bits))] = ends else {
        return Ok(());
    };
    let [token, port, index] = numbers;
    let lookup = ask::Lookup::new(to)
        .with_source(from)
        .with_output(index)
        .with_mark(token);
    opaque(lookup.encode(buffer, seq)?);
    let filter = Filter::ANY
        .with_source(from, from_bits)
        .with_source_port(port as u16)
        .with_destination(to, bits)
        .with_destination_port(port as u16)
        .with_interface(index);
    let query = Query::new(Protocol::Mptcp, bits.into())
        .with_states(States::only(State::from_number(bits)) | States::LISTEN)
        .with_extensions(from_bits)
        .with_filter(filter);
    opaque(query.dump(buffer, seq)?);
    opaque(query.by_token(buffer, seq, token)?);
    Ok(())
}

#[unsafe(no_mangle)]
pub fn writer(buffer: &mut [u8], header: Header, kind: u16, text: &[u8]) -> Result<(), Error> {
    let mut writer = Writer::<Big>::with_order(buffer, header);
    writer.bytes([1, 2, 3, 4]).put_u8(kind, 1).put_u16(kind, 1);
    writer.put_u32(kind, 1).put_u64(kind, 1).put_be16(kind, 1);
    writer
        .put_i32(kind, 1)
        .put_bytes(kind, text)
        .put_text(kind, text);
    writer.nest(kind, |nest| {
        nest.nest(kind, |nest| nest.put_text(kind, text))
    });
    writer.finish().map(opaque)
}

#[cfg(feature = "panic-index")]
#[unsafe(no_mangle)]
pub fn panics(bytes: &[u8]) -> u8 {
    bytes[black_box(3)]
}

#[cfg(feature = "panic-unwrap")]
#[unsafe(no_mangle)]
pub fn panics(bytes: &[u8]) -> u8 {
    *bytes.first().unwrap()
}

#[cfg(feature = "panic-divide")]
#[unsafe(no_mangle)]
pub fn panics(bytes: &[u8]) -> usize {
    1000 / bytes.len()
}

#[cfg(feature = "panic-copy")]
#[unsafe(no_mangle)]
pub fn panics(bytes: &[u8]) {
    let mut buffer = [0; 8];
    buffer.copy_from_slice(bytes);
    opaque(buffer);
}
