//! Sockets of inet_diag, subflows, and the requests for them.

use std::net::IpAddr;

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::diag::{
    Filter, MptcpInfo, Protocol, Query, Socket, SocketMemory, State, States, SubflowInfo, TcpInfo,
};
use mptcp_codec::netlink::{Attributes, Messages};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::agree;
use super::{is_within, print_all, reference};

/// Reads the bytes as the payload of an answer, as a subflow's nest, as the
/// growing structures, and as wishes for a request.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
    if let Ok(wish) = Wish::arbitrary_take_rest(Unstructured::new(data)) {
        ask(&wish);
    }
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let nest = SubflowInfo::from_attributes(Attributes::<E>::with_order(data));
    agree(
        nest.map(|s| subflow(&s)),
        reference::subflow(data, order, 0),
    );
    print_all!(MptcpInfo::<E>::with_order(data));
    print_all!(TcpInfo::<E>::with_order(data));
    print_all!(SocketMemory::<E>::with_order(data));

    let bytes = super::message(20, 2, data, big);
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let socket = Socket::decode(&message);
    let judge = reference::socket(data, order);
    agree(
        socket.map(|s| reference::Socket {
            family: s.family as u8,
            state: s.state.number(),
            timer: s.timer,
            retransmits: s.retransmits,
            source: s.source,
            source_port: s.source_port,
            destination: s.destination,
            destination_port: s.destination_port,
            interface: s.interface,
            cookie: s.cookie,
            expires: s.expires,
            receive_queue: s.receive_queue,
            send_queue: s.send_queue,
            uid: s.uid,
            inode: s.inode,
            mark: s.fields.mark(),
            congestion: s.fields.congestion().map(|c| c.as_bytes().to_vec()),
            info: s.mptcp_info().map(|i| i.as_bytes().to_vec()),
            memory: s.memory().map(|m| m.as_bytes().to_vec()),
        }),
        judge.clone().map(|(socket, _)| socket),
    );
    let (Ok(socket), Ok((_, upper))) = (socket, judge) else {
        return;
    };
    print_all!(socket);
    print_all!((socket.state.name(), State::from_number(data[1])));
    if let Some(info) = socket.mptcp_info() {
        print_all!((info, info.is_fallback(), info.has_remote_key()));
        assert!(is_within(info.as_bytes(), &bytes));
        let word = |at: usize| info.as_bytes().get(at..at + 4).map(|b| order.u32(b));
        assert_eq!(info.token(), word(12));
        assert_eq!(info.last_ack_recv(), word(92));
    }
    if let Some(info) = socket.tcp_info() {
        print_all!(info);
        let word = |at: usize| info.as_bytes().get(at..at + 4).map(|b| order.u32(b));
        assert_eq!(info.rtt(), word(68));
    }
    // The nest is read when asked for.
    let (nest, base) = upper.unwrap_or((&[], 0));
    let list = reference::whole(nest, order, base);
    let last = |kind| {
        list.clone()
            .map(|list| reference::last(&list, kind).cloned())
    };
    agree(
        socket
            .upper_name()
            .map(|n| n.map(|n| n.as_bytes().to_vec())),
        last(1).and_then(|a| a.map(|a| a.text().map(<[u8]>::to_vec)).transpose()),
    );
    agree(
        socket.subflow().map(|s| s.map(|s| subflow(&s))),
        last(3).and_then(|a| {
            a.map(|a| reference::subflow(a.payload, order, a.at + 4))
                .transpose()
        }),
    );
}

fn subflow(s: &SubflowInfo) -> reference::Subflow {
    print_all!(s);
    if let Some(flags) = s.flags() {
        super::print(format_args!("{flags}"));
    }
    reference::Subflow {
        token_rem: s.token_rem(),
        token_loc: s.token_loc(),
        relwrite_seq: s.relwrite_seq(),
        map_seq: s.map_seq(),
        map_sfseq: s.map_sfseq(),
        ssn_offset: s.ssn_offset(),
        map_datalen: s.map_datalen(),
        flags: s.flags().map(|f| f.0),
        id_rem: s.id_rem(),
        id_loc: s.id_loc(),
        unknown: s.unknown(),
    }
}

#[derive(Arbitrary, Debug)]
struct Wish {
    mptcp: bool,
    family: u8,
    states: u32,
    extensions: u8,
    source: Option<(IpAddr, u8)>,
    source_port: Option<u16>,
    destination: Option<(IpAddr, u8)>,
    destination_port: Option<u16>,
    interface: Option<u32>,
    token: Option<u32>,
    room: u8,
}

/// The request says what was wished, and the filter's jumps end in it.
fn ask(wish: &Wish) {
    let order = reference::Order {
        big: cfg!(target_endian = "big"),
    };
    let mut filter = Filter::ANY;
    if let Some((address, bits)) = wish.source {
        filter = filter.with_source(address, bits);
    }
    if let Some(port) = wish.source_port {
        filter = filter.with_source_port(port);
    }
    if let Some((address, bits)) = wish.destination {
        filter = filter.with_destination(address, bits);
    }
    if let Some(port) = wish.destination_port {
        filter = filter.with_destination_port(port);
    }
    if let Some(index) = wish.interface {
        filter = filter.with_interface(index);
    }
    let protocol = if wish.mptcp {
        Protocol::Mptcp
    } else {
        Protocol::Tcp
    };
    let query = Query::new(protocol, wish.family.into())
        .with_states(States(wish.states))
        .with_extensions(wish.extensions)
        .with_filter(filter);
    print_all!(query);
    let build = |buffer: &mut [u8]| match wish.token {
        Some(token) => query.by_token(buffer, 7, token).map(|m| m.to_vec()),
        None => query.dump(buffer, 7).map(|m| m.to_vec()),
    };
    // As many as the documentation says are enough.
    let whole = build(&mut [0xaa; 160]).expect("160 bytes are enough");
    match build(&mut vec![0xaa; usize::from(wish.room)]) {
        Ok(message) => assert_eq!(message, whole),
        Err(error) => {
            print_all!(error);
            assert!(usize::from(wish.room) < whole.len());
        }
    }
    let (list, fault) = reference::messages(&whole, order);
    assert_eq!((list.len(), fault), (1, None));
    let message = &list[0];
    let payload = message.payload;
    let flags = if wish.token.is_some() { 1 } else { 0x301 };
    assert_eq!((message.kind, message.flags, message.seq), (20, flags, 7));
    assert_eq!(payload[..4], [wish.family, 6, wish.extensions, 0]);
    assert_eq!(order.u32(&payload[4..8]), wish.states);
    assert_eq!(payload[8..48], [0; 40]);
    let cookie = wish.token.map_or((0, 0), |token| (token, u32::MAX));
    assert_eq!(
        (order.u32(&payload[48..52]), order.u32(&payload[52..56])),
        cookie
    );
    let attributes = reference::whole(&payload[56..], order, 0).expect("well-formed");
    let protocol = reference::last(&attributes, 3).map(|a| a.u32(order));
    let mptcp = wish.mptcp || wish.token.is_some();
    assert_eq!(protocol, mptcp.then_some(Ok(262)));
    let Some(program) = reference::last(&attributes, 1) else {
        assert!(wish.token.is_some() || filter == Filter::ANY);
        return;
    };
    // struct inet_diag_bc_op: code, yes, no. A jump of yes leads to the next
    // operation, the last of them to the end; one of no leads to just behind
    // the end, which is "no".
    let code = program.payload;
    assert_eq!(code.len() % 4, 0);
    let mut at = 0;
    let mut seen = Vec::new();
    while at < code.len() {
        let (op, yes) = (code[at], usize::from(code[at + 1]));
        let no = usize::from(order.u16(&code[at + 2..at + 4]));
        assert!(yes >= 4 && yes % 4 == 0 && at + yes <= code.len());
        assert_eq!(at + no, code.len() + 4);
        seen.push(op);
        if op == 7 || op == 8 {
            let (prefix, port) = match op {
                7 => (wish.source, wish.source_port),
                _ => (wish.destination, wish.destination_port),
            };
            condition(&code[at + 4..at + yes], prefix, port, order);
        } else {
            assert_eq!(
                order.u32(&code[at + 4..at + yes]),
                wish.interface.expect("a device")
            );
        }
        at += yes;
    }
    let wanted = [
        (7, wish.source.is_some() || wish.source_port.is_some()),
        (
            8,
            wish.destination.is_some() || wish.destination_port.is_some(),
        ),
        (9, wish.interface.is_some()),
    ];
    let wanted: Vec<u8> = wanted.iter().filter(|w| w.1).map(|w| w.0).collect();
    assert_eq!(seen, wanted);
}

/// `struct inet_diag_hostcond`: family, prefix length, port, address.
fn condition(b: &[u8], prefix: Option<(IpAddr, u8)>, port: Option<u16>, order: reference::Order) {
    let port = port.map_or(-1, i32::from);
    assert_eq!(order.u32(&b[4..8]) as i32, port);
    let (family, bits, address) = match prefix {
        None => (0, 0, vec![]),
        Some((IpAddr::V4(a), bits)) => (2, bits.min(32), a.octets().to_vec()),
        Some((IpAddr::V6(a), bits)) => (10, bits.min(128), a.octets().to_vec()),
    };
    assert_eq!(b[..4], [family, bits, 0, 0]);
    assert_eq!(b[8..], address);
}
