//! Sockets of inet_diag, subflows, and the requests for them.

use std::net::IpAddr;

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::diag::{
    End, Filter, MptcpInfo, Protocol, Query, Socket, SocketMemory, SocketView, State, States,
    SubflowInfo, TcpInfo,
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

/// `struct mptcp_info`: names, offsets, lengths, and the length of the structure where
/// a kernel without the member ends it with padding.
const CONNECTION: &str = "subflows 0 1 0 add_addr_signal 1 1 0 add_addr_accepted 2 1 0 \
    subflows_max 3 1 0 add_addr_signal_max 4 1 0 add_addr_accepted_max 5 1 0 flags 8 4 0 \
    token 12 4 0 write_seq 16 8 0 snd_una 24 8 0 rcv_nxt 32 8 0 local_addr_used 40 1 0 \
    local_addr_max 41 1 0 csum_enabled 42 1 0 retransmits 44 4 48 bytes_retrans 48 8 0 \
    bytes_sent 56 8 0 bytes_received 64 8 0 bytes_acked 72 8 0 subflows_total 80 1 0 \
    endp_laminar_max 81 1 88 endp_fullmesh_max 82 1 88 last_data_sent 84 4 88 \
    last_data_recv 88 4 0 last_ack_recv 92 4 0";

/// `struct tcp_info`.
const SUBFLOW: &str = "state 0 1 0 ca_state 1 1 0 retransmits 2 1 0 probes 3 1 0 \
    backoff 4 1 0 options 5 1 0 wscale 6 1 0 rto 8 4 0 ato 12 4 0 snd_mss 16 4 0 \
    rcv_mss 20 4 0 unacked 24 4 0 sacked 28 4 0 lost 32 4 0 retrans 36 4 0 \
    last_data_sent 44 4 0 last_data_recv 52 4 0 last_ack_recv 56 4 0 pmtu 60 4 0 \
    rcv_ssthresh 64 4 0 rtt 68 4 0 rttvar 72 4 0 snd_ssthresh 76 4 0 snd_cwnd 80 4 0 \
    advmss 84 4 0 reordering 88 4 0 rcv_rtt 92 4 0 rcv_space 96 4 0 \
    total_retrans 100 4 0 pacing_rate 104 8 0 max_pacing_rate 112 8 0 \
    bytes_acked 120 8 0 bytes_received 128 8 0 segs_out 136 4 0 segs_in 140 4 0 \
    notsent_bytes 144 4 0 min_rtt 148 4 0 data_segs_in 152 4 0 data_segs_out 156 4 0 \
    delivery_rate 160 8 0 busy_time 168 8 0 rwnd_limited 176 8 0 sndbuf_limited 184 8 0 \
    delivered 192 4 0 delivered_ce 196 4 0 bytes_sent 200 8 0 bytes_retrans 208 8 0 \
    dsack_dups 216 4 0 reord_seen 220 4 0 rcv_ooopack 224 4 0 snd_wnd 228 4 0 \
    rcv_wnd 232 4 0 rehash 236 4 0 total_rto 240 2 0 total_rto_recoveries 242 2 0 \
    total_rto_time 244 4 0 received_ce 248 4 0 delivered_e1_bytes 252 4 0 \
    delivered_e0_bytes 256 4 0 delivered_ce_bytes 260 4 0 received_e1_bytes 264 4 0 \
    received_e0_bytes 268 4 0 received_ce_bytes 272 4 0";

/// `SK_MEMINFO_*`.
const MEMORY: &str = "rmem_alloc 0 4 0 rcvbuf 4 4 0 wmem_alloc 8 4 0 sndbuf 12 4 0 \
    fwd_alloc 16 4 0 wmem_queued 20 4 0 optmem 24 4 0 backlog 28 4 0 drops 32 4 0";

/// What is read of a structure is all that is whole in it.
fn same_fields<'a>(
    codec: impl Iterator<Item = (&'a str, u64)>,
    members: &str,
    bytes: &[u8],
    order: reference::Order,
) {
    let words: Vec<&str> = members.split_whitespace().collect();
    let mut judge = Vec::new();
    for member in words.chunks(4) {
        let [at, len, padded] = [1, 2, 3].map(|n| member[n].parse::<usize>().expect("a number"));
        if bytes.len() >= (at + len).max(padded + 1) {
            judge.push((member[0], order.number(&bytes[at..at + len], len)));
        }
    }
    assert_eq!(codec.collect::<Vec<_>>(), judge);
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    let nest = SubflowInfo::from_attributes(Attributes::<E>::with_order(data));
    agree(
        nest.map(|s| subflow(&s)),
        reference::subflow(data, order, 0),
    );
    let info = MptcpInfo::<E>::with_order(data);
    print_all!(info);
    same_fields(info.fields(), CONNECTION, data, order);
    let info = TcpInfo::<E>::with_order(data);
    print_all!(info);
    same_fields(info.fields(), SUBFLOW, data, order);
    let memory = SocketMemory::<E>::with_order(data);
    print_all!(memory);
    same_fields(memory.fields(), MEMORY, data, order);

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
    let (Ok(socket), Ok((judged, upper))) = (socket, judge) else {
        print_all!(SocketView::decode(&message));
        return;
    };
    print_all!(socket);
    print_all!((socket.state.name(), State::from_number(data[1])));
    if let Some(info) = socket.mptcp_info() {
        assert!(is_within(info.as_bytes(), &bytes));
        let flags = info.as_bytes().get(8..12).map_or(0, |b| order.u32(b));
        let flagged = (info.is_fallback(), info.has_remote_key());
        assert_eq!(flagged, (flags & 1 != 0, flags & 2 != 0));
    }
    // The same, read where it lies.
    let view = SocketView::decode(&message).expect("the socket was read");
    print_all!(view);
    let end = |address: Option<IpAddr>, port| End {
        number: match address {
            Some(IpAddr::V4(address)) => address.to_ipv6_mapped().into(),
            Some(IpAddr::V6(address)) => address.into(),
            None => 0,
        },
        port,
        family: judged.family.into(),
    };
    assert_eq!(
        view.ends(),
        [
            end(judged.source, judged.source_port),
            end(judged.destination, judged.destination_port)
        ]
    );
    assert_eq!(
        (view.state().number(), view.interface(), view.cookie()),
        (judged.state, judged.interface, judged.cookie)
    );
    assert_eq!(
        (view.receive_queue(), view.send_queue(), view.uid()),
        (judged.receive_queue, judged.send_queue, judged.uid)
    );
    assert_eq!((view.inode(), view.mark()), (judged.inode, judged.mark));
    let congestion = view.congestion().map(|c| c.map(|c| c.as_bytes().to_vec()));
    assert_eq!(congestion, Ok(judged.congestion));
    let infos = [
        view.mptcp_info().map(|info| info.as_bytes().to_vec()),
        view.tcp_info().map(|info| info.as_bytes().to_vec()),
    ];
    assert_eq!(infos, [judged.info.clone(), judged.info]);
    assert_eq!(view.upper_name(), socket.upper_name());
    let mut info = SubflowInfo::EMPTY;
    let read = view
        .read_subflow(&mut info)
        .map(|found| found.then_some(info));
    assert_eq!(read, socket.subflow());
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
    // operation, the last of them to the end; one of no leads to just past
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
