//! The codec beside two peers, netlink-packet-core and netlink-bindings: on
//! what real kernels said, and on well-formed messages made up at random, all
//! three read the same. Where they do not, the tests below say who is right.
//!
//! The peers read the order of the machine they run on, so only captures of
//! that order take part.

use std::net::{Ipv4Addr, Ipv6Addr};

use ip_mptcp_tests::captures::{self, ByteOrder};
use mptcp_codec::generic::controller::Family;
use mptcp_codec::generic::policy::{Entries, Entry};
use mptcp_codec::generic::Generic;
use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Event, EventAttributes, Limits};
use mptcp_codec::netlink::{Attribute, Attributes, Content, Header, Message, Messages, Writer};
use mptcp_codec::ErrorKind;
use netlink_bindings::builtin::{self, NlmsgerrAttrs};
use netlink_bindings::mptcp_pm::{self, Address, Attr, EventAttr};
use netlink_bindings::nlctrl::{
    CtrlAttrs, McastGroupAttrs, OpAttrs, OpGetfamilyDo, OpGetpolicyDump, OpPolicyAttrs,
};
use netlink_packet_core::{DoneBuffer, ErrorBuffer, NetlinkBuffer, NlasIterator};

/// All messages of captures in this machine's order, replies and events.
fn datagrams() -> Vec<(&'static str, Vec<u8>)> {
    let native = if cfg!(target_endian = "big") {
        ByteOrder::Big
    } else {
        ByteOrder::Little
    };
    let mut all = Vec::new();
    for capture in captures::all() {
        if capture.order != native {
            continue;
        }
        for exchange in &capture.exchanges {
            let replies = exchange.replies.iter();
            all.extend(replies.map(|reply| (exchange.name, reply.clone())));
        }
        for events in &capture.events {
            all.extend(events.values.iter().map(|e| ("event", e.clone())));
        }
    }
    assert!(all.len() > 100);
    all
}

fn messages(datagram: &[u8]) -> Vec<Message<'_>> {
    let read = Messages::new(datagram).collect::<Result<Vec<_>, _>>();
    read.expect("well-formed")
}

/// The walk of netlink-packet-core, as its users write it.
fn core_walk(datagram: &[u8]) -> Result<Vec<(Header, &[u8])>, String> {
    let mut list = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let buffer = NetlinkBuffer::new_checked(rest).map_err(|e| e.to_string())?;
        let header = Header {
            len: buffer.length(),
            message_type: buffer.message_type(),
            flags: buffer.flags(),
            seq: buffer.sequence_number(),
            port_id: buffer.port_number(),
        };
        list.push((header, buffer.payload()));
        rest = rest
            .get((buffer.length() as usize).next_multiple_of(4)..)
            .unwrap_or(&[]);
    }
    Ok(list)
}

/// Every attribute, every nest that says it is one, in both crates.
fn core_attributes(attributes: Attributes<'_>) {
    let core: Vec<_> = NlasIterator::new(attributes.as_bytes())
        .map(|nla| nla.expect("well-formed"))
        .collect();
    let ours: Vec<Attribute<'_>> = attributes.map(|a| a.expect("well-formed")).collect();
    assert_eq!(ours.len(), core.len());
    for (ours, core) in ours.iter().zip(&core) {
        assert_eq!(ours.number(), core.kind());
        assert_eq!(ours.is_nested(), core.nested_flag());
        assert_eq!(ours.is_net_byteorder(), core.network_byte_order_flag());
        assert_eq!(ours.payload(), core.value());
        if ours.is_nested() {
            core_attributes(ours.nested());
        }
    }
}

#[test]
fn messages_and_attributes_are_walked_as_netlink_packet_core_walks_them() {
    let mut attributes = 0;
    for (name, datagram) in datagrams() {
        let core = core_walk(&datagram).expect("well-formed");
        let ours: Vec<_> = messages(&datagram)
            .iter()
            .map(|m| (m.header, m.payload()))
            .collect();
        assert_eq!(ours, core);
        for message in messages(&datagram) {
            let skip = match message.header.message_type {
                2 | 3 => continue,
                _ if name.starts_with("diag") => 72,
                _ => 4,
            };
            core_attributes(message.attributes(skip).expect("long enough"));
            attributes += 1;
        }
    }
    assert!(attributes > 100, "{attributes}");
}

#[test]
fn acks_and_ends_are_read_as_both_peers_read_them() {
    let (mut acks, mut ends) = (0, 0);
    for (_, datagram) in datagrams() {
        for message in messages(&datagram) {
            match message.content().expect("well-formed") {
                Content::Ack(ack) => {
                    let core = ErrorBuffer::new_checked(message.payload()).expect("well-formed");
                    let code = core.code().map_or(0, |code| code.get().unsigned_abs());
                    assert_eq!(ack.errno, code);
                    let behind = 16 + ack.request_payload.len().next_multiple_of(4);
                    let tlvs = core.payload().get(behind..).unwrap_or(&[]);
                    extended_ack(&ack.extended, tlvs);
                    acks += 1;
                }
                Content::Done(done) => {
                    let core = DoneBuffer::new_checked(message.payload()).expect("well-formed");
                    assert_eq!(done.errno, core.code().unsigned_abs());
                    extended_ack(&done.extended, core.extended_ack());
                    ends += 1;
                }
                _ => {}
            }
        }
    }
    assert!(acks > 50 && ends > 10, "{acks} {ends}");
}

fn extended_ack(ours: &mptcp_codec::netlink::ExtendedAck<'_>, tlvs: &[u8]) {
    assert_eq!(ours.attributes().as_bytes(), tlvs);
    let mut met = 0;
    for theirs in builtin::NlmsgerrAttrs::new(tlvs) {
        met += 1;
        match theirs.expect("well-formed") {
            NlmsgerrAttrs::Msg(text) => {
                let ours = ours.message().expect("a text");
                assert_eq!(ours.as_bytes(), text.to_bytes());
            }
            NlmsgerrAttrs::Offset(offset) => assert_eq!(ours.offset(), Some(offset)),
            NlmsgerrAttrs::Cookie(cookie) => assert_eq!(ours.cookie(), Some(cookie)),
            NlmsgerrAttrs::Policy(policy) => {
                let rule = ours.rule().expect("well-formed").expect("a rule");
                rule_agrees(&rule, policy);
            }
            // The kernel writes a u32 and the codec reads one. netlink-bindings
            // reads its first two bytes, which is the number on little-endian
            // machines and 0 on the others: the codec is right.
            NlmsgerrAttrs::MissingType(kind) if cfg!(target_endian = "little") => {
                assert_eq!(ours.missing_type(), Some(u32::from(kind)));
            }
            NlmsgerrAttrs::MissingType(kind) => assert_eq!(kind, 0),
            NlmsgerrAttrs::MissingNest(nest) => assert_eq!(ours.missing_nest(), Some(nest)),
        }
    }
    assert_eq!(met, ours.attributes().count());
}

fn rule_agrees(ours: &mptcp_codec::netlink::Rule, theirs: builtin::IterablePolicyTypeAttrs<'_>) {
    use builtin::PolicyTypeAttrs as P;
    for theirs in theirs {
        match theirs.expect("well-formed") {
            P::Type(n) => assert_eq!(ours.type_number(), Some(n)),
            P::MinValueSigned(n) => assert_eq!(ours.min_signed(), Some(n)),
            P::MaxValueSigned(n) => assert_eq!(ours.max_signed(), Some(n)),
            P::MinValueU(n) => assert_eq!(ours.min(), Some(n)),
            P::MaxValueU(n) => assert_eq!(ours.max(), Some(n)),
            P::MinLength(n) => assert_eq!(ours.min_length(), Some(n)),
            P::MaxLength(n) => assert_eq!(ours.max_length(), Some(n)),
            P::PolicyIdx(n) => assert_eq!(ours.policy(), Some(n)),
            P::PolicyMaxtype(n) => assert_eq!(ours.max_attribute(), Some(n)),
            P::Bitfield32Mask(n) => assert_eq!(ours.bitfield_mask(), Some(n)),
            P::Mask(n) => assert_eq!(ours.mask(), Some(n)),
            P::Pad(_) => {}
        }
    }
}

/// What netlink-bindings reads from an address nest, as the codec's type.
fn bindings_endpoint(nest: mptcp_pm::IterableAddress<'_>) -> Endpoint {
    let mut e = Endpoint::EMPTY;
    for attribute in nest {
        e = match attribute.expect("well-formed") {
            Address::Family(v) => e.with_family(v),
            Address::Id(v) => e.with_id(v),
            Address::Addr4(v) => e.with_addr4(Ipv4Addr::from(v)),
            Address::Addr6(v) => e.with_addr6(six(v)),
            Address::Port(v) => e.with_port(v),
            Address::Flags(v) => e.with_flags(EndpointFlags(v)),
            Address::IfIdx(v) => e.with_if_idx(v as u32),
        };
    }
    e
}

fn six(bytes: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(<[u8; 16]>::try_from(bytes).expect("sixteen bytes"))
}

/// What netlink-bindings reads from an event, as the codec's type.
fn bindings_event(attributes: &[u8]) -> EventAttributes {
    let mut e = EventAttributes::EMPTY;
    for attribute in mptcp_pm::EventAttr::new(attributes) {
        e = match attribute.expect("well-formed") {
            EventAttr::Token(v) => e.with_token(v),
            EventAttr::Family(v) => e.with_family(v),
            EventAttr::LocId(v) => e.with_loc_id(v),
            EventAttr::RemId(v) => e.with_rem_id(v),
            EventAttr::Saddr4(v) => e.with_saddr4(Ipv4Addr::from(v)),
            EventAttr::Saddr6(v) => e.with_saddr6(six(v)),
            EventAttr::Daddr4(v) => e.with_daddr4(Ipv4Addr::from(v)),
            EventAttr::Daddr6(v) => e.with_daddr6(six(v)),
            EventAttr::Sport(v) => e.with_sport(v),
            EventAttr::Dport(v) => e.with_dport(v),
            EventAttr::Backup(v) => e.with_backup(v),
            EventAttr::Error(v) => e.with_error(v),
            EventAttr::Flags(v) => e.with_flags(mptcp_codec::mptcp::EventFlags(v)),
            EventAttr::Timeout(v) => e.with_timeout(v),
            EventAttr::IfIdx(v) => e.with_if_idx(v as u32),
            EventAttr::ResetReason(v) => e.with_reset_reason(v),
            EventAttr::ResetFlags(v) => e.with_reset_flags(v),
            EventAttr::ServerSide(v) => e.with_server_side(v),
        };
    }
    e
}

#[test]
fn endpoints_limits_and_events_are_read_as_netlink_bindings_reads_them() {
    let (mut endpoints, mut limits, mut events) = (0, 0, 0);
    for (name, datagram) in datagrams() {
        for message in messages(&datagram) {
            if message.header.message_type < 20 || name.starts_with("diag") {
                continue;
            }
            let generic = Generic::decode(&message).expect("generic");
            let attributes = generic.attributes.as_bytes();
            if name == "event" {
                let ours = Event::decode(&message).expect("an event");
                assert_eq!(ours.fields, bindings_event(attributes));
                events += 1;
                continue;
            }
            let mut from_bindings = Limits::EMPTY;
            let mut address = None;
            for attribute in mptcp_pm::Attr::new(attributes) {
                match attribute.expect("well-formed") {
                    Attr::Addr(nest) => address = Some(bindings_endpoint(nest)),
                    Attr::RcvAddAddrs(n) => {
                        from_bindings = from_bindings.with_add_addr_accepted(n);
                    }
                    Attr::Subflows(n) => from_bindings = from_bindings.with_subflows(n),
                    Attr::Token(_) | Attr::LocId(_) | Attr::AddrRemote(_) => {
                        panic!("not in an answer");
                    }
                }
            }
            if let Some(address) = address {
                assert_eq!(Endpoint::decode(&message), Ok(address));
                endpoints += 1;
            } else {
                assert_eq!(Limits::decode(&message), Ok(from_bindings));
                limits += 1;
            }
        }
    }
    let met = (endpoints, limits, events);
    // Four little-endian captures, or three big-endian ones.
    let expected = if cfg!(target_endian = "big") {
        (97, 12, 164)
    } else {
        (620, 16, 327)
    };
    assert_eq!(met, expected);
}

#[test]
fn families_are_read_as_netlink_bindings_reads_them() {
    let mut families = 0;
    for (_, datagram) in datagrams() {
        for message in messages(&datagram) {
            if message.header.message_type != 16 || message.payload()[0] != 1 {
                continue;
            }
            let ours = Family::decode(&message).expect("a family");
            let theirs = OpGetfamilyDo::decode_request(message.payload());
            for attribute in theirs {
                match attribute.expect("well-formed") {
                    CtrlAttrs::FamilyId(id) => assert_eq!(ours.id, id),
                    CtrlAttrs::FamilyName(name) => {
                        assert_eq!(
                            ours.fields.name().expect("a name").as_bytes(),
                            name.to_bytes()
                        );
                    }
                    CtrlAttrs::Version(n) => assert_eq!(ours.fields.version(), Some(n)),
                    CtrlAttrs::Hdrsize(n) => assert_eq!(ours.fields.header_size(), Some(n)),
                    CtrlAttrs::Maxattr(n) => assert_eq!(ours.fields.max_attribute(), Some(n)),
                    CtrlAttrs::Ops(list) => {
                        let theirs: Vec<(u32, u32)> = list
                            .map(|op| {
                                let mut pair = (0, 0);
                                for attribute in op.expect("well-formed") {
                                    match attribute.expect("well-formed") {
                                        OpAttrs::Id(n) => pair.0 = n,
                                        OpAttrs::Flags(n) => pair.1 = n,
                                    }
                                }
                                pair
                            })
                            .collect();
                        let ours: Vec<(u32, u32)> = ours
                            .fields
                            .operations()
                            .map(|o| o.expect("well-formed"))
                            .map(|o| (o.id().unwrap_or(0), o.flags().unwrap_or_default().0))
                            .collect();
                        assert_eq!(ours, theirs);
                    }
                    CtrlAttrs::McastGroups(list) => {
                        let theirs: Vec<(Vec<u8>, u32)> = list
                            .map(|group| {
                                let mut pair = (vec![], 0);
                                for attribute in group.expect("well-formed") {
                                    match attribute.expect("well-formed") {
                                        McastGroupAttrs::Name(n) => pair.0 = n.to_bytes().to_vec(),
                                        McastGroupAttrs::Id(n) => pair.1 = n,
                                    }
                                }
                                pair
                            })
                            .collect();
                        let ours: Vec<(Vec<u8>, u32)> = ours
                            .fields
                            .groups()
                            .map(|g| g.expect("well-formed"))
                            .map(|g| {
                                (
                                    g.name().unwrap_or_default().as_bytes().to_vec(),
                                    g.id().unwrap_or(0),
                                )
                            })
                            .collect();
                        assert_eq!(ours, theirs);
                    }
                    _ => panic!("not in an answer to GETFAMILY"),
                }
            }
            families += 1;
        }
    }
    assert!(families > 0);
}

/// The kernel sends OP_POLICY as a nest whose entries are typed by command
/// number, with the policies one level further down (`ctrl_dumppolicy_put_op`).
/// The codec reads both levels. netlink-bindings leaves one out: it takes the
/// inner nest's header for a number. The codec is right: its numbers name
/// policies that the same dump contains.
#[test]
fn policies_of_commands_have_a_level_that_netlink_bindings_leaves_out() {
    let mut met = 0;
    for (name, datagram) in datagrams() {
        if name != "03-policy" {
            continue;
        }
        let mut known = std::collections::BTreeSet::new();
        let mut used = std::collections::BTreeSet::new();
        for message in messages(&datagram) {
            if message.header.message_type != 16 {
                continue;
            }
            for entry in Entries::decode(&message).expect("a policy") {
                match entry.expect("well-formed") {
                    Entry::Attribute { policy, .. } => {
                        known.insert(u32::from(policy));
                    }
                    Entry::Command { on_do, on_dump, .. } => {
                        used.extend(on_do);
                        used.extend(on_dump);
                    }
                    other => panic!("{other:?}"),
                }
            }
            for attribute in OpGetpolicyDump::decode_request(message.payload()) {
                let Ok(CtrlAttrs::OpPolicy(theirs)) = attribute else {
                    continue;
                };
                for theirs in theirs.flatten() {
                    let (OpPolicyAttrs::Do(n) | OpPolicyAttrs::Dump(n)) = theirs;
                    assert!(n > 0xffff, "netlink-bindings reads {n} now: compare it");
                    met += 1;
                }
            }
        }
        assert!(used.is_subset(&known), "{used:?} {known:?}");
    }
    assert!(met > 0 || cfg!(target_endian = "big"));
}

/// One attribute, `kind` with `payload`, in front of another.
fn attributes_of(kind: u16, payload: &[u8], buffer: &mut [u8]) -> Vec<u8> {
    let mut writer: Writer = Writer::new(buffer, Header::default());
    writer.put_bytes(kind, payload).put_u8(Endpoint::ID, 9);
    writer.finish().expect("room enough")[16..].to_vec()
}

/// Too long a number is refused by the codec. netlink-bindings takes the first
/// bytes. Which of both the kernel does depends on the version for requests;
/// it never sends one. The codec is right to refuse: on a big-endian machine
/// the first bytes of a longer number are not the number.
#[test]
fn numbers_of_another_size_are_refused_where_netlink_bindings_cuts_them() {
    let mut buffer = [0; 64];
    let long = attributes_of(Endpoint::PORT, &80u32.to_ne_bytes(), &mut buffer);
    let error = Endpoint::from_attributes(Attributes::new(&long)).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::BadSize);
    assert_eq!(error.attribute(), Some(Endpoint::PORT));
    let theirs = mptcp_pm::Address::new(&long).get_port().expect("taken");
    assert_eq!(theirs, if cfg!(target_endian = "big") { 0 } else { 80 });
    // Too short a one is refused by both.
    let short = attributes_of(Endpoint::PORT, &[80], &mut buffer);
    assert!(Endpoint::from_attributes(Attributes::new(&short)).is_err());
    assert!(mptcp_pm::Address::new(&short).any(|a| a.is_err()));
}

/// `NLA_F_NET_BYTEORDER` says that the payload is in network order
/// (`linux/netlink.h`). The codec heeds it; netlink-bindings drops the flag
/// and reads host order. The codec is right.
#[test]
fn the_flag_for_network_order_is_heeded() {
    let mut buffer = [0; 64];
    let bytes = attributes_of(Endpoint::PORT | 0x4000, &80u16.to_be_bytes(), &mut buffer);
    let ours = Endpoint::from_attributes(Attributes::new(&bytes)).expect("well-formed");
    assert_eq!(ours.port(), Some(80));
    let theirs = mptcp_pm::Address::new(&bytes).get_port().expect("taken");
    assert_eq!(theirs, 80u16.to_be());
}

/// Of an attribute that is there twice the kernel keeps the last
/// (`__nla_parse` overwrites its table), and so does the codec. The getters of
/// netlink-bindings return the first. The codec is right.
#[test]
fn the_last_of_two_counts() {
    let mut buffer = [0; 64];
    let bytes = attributes_of(Endpoint::ID, &[7], &mut buffer);
    let ours = Endpoint::from_attributes(Attributes::new(&bytes)).expect("well-formed");
    assert_eq!(ours.id(), Some(9));
    assert_eq!(mptcp_pm::Address::new(&bytes).get_id().ok(), Some(7));
}

/// An NLMSG_DONE without the number that kernels of today put into it. The
/// codec takes it for success, as a receiver that looks only at the type does;
/// netlink-packet-core refuses it. Both can be argued for: mptcp_pm and
/// inet_diag always send the number, and nothing is lost without it.
#[test]
fn an_end_without_a_number_is_an_end() {
    let mut buffer = [0; 16];
    let header = Header {
        message_type: 3,
        ..Header::default()
    };
    let done = Writer::new(&mut buffer, header).finish().expect("room");
    let [message] = messages(done)[..] else {
        panic!("not one message");
    };
    assert!(matches!(message.content(), Ok(Content::Done(done)) if done.errno == 0));
    assert!(DoneBuffer::new_checked(message.payload()).is_err());
}

/// Made-up messages: any attributes in any order, twice, unknown, without
/// padding behind the last. All three walk them alike.
#[test]
fn random_well_formed_messages_are_read_alike() {
    let mut state = 0x853c_49e6_748f_ea9b_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % below
    };
    for _ in 0..20_000 {
        let mut buffer = [0; 512];
        let header = Header {
            message_type: 30,
            flags: random(0x1_0000) as u16,
            seq: random(1 << 32) as u32,
            port_id: random(1 << 32) as u32,
            len: 0,
        };
        let mut writer: Writer = Writer::new(&mut buffer, header);
        writer.bytes([random(20) as u8, 1, 0, 0]);
        let mut last = 0;
        for _ in 0..random(10) {
            let value = random(1 << 48);
            last = 0;
            match random(22) as u16 {
                // Sizes of the events' table.
                kind @ (1 | 14..=17) => writer.put_u32(kind, value as u32),
                kind @ (5 | 7) => writer.put_ipv4(kind, Ipv4Addr::from(value as u32)),
                kind @ (6 | 8) => writer.put_ipv6(kind, Ipv6Addr::from(u128::from(value) << 9)),
                kind @ (2 | 13) => {
                    last = 2;
                    writer.put_u16(kind, value as u16)
                }
                kind @ (9 | 10) => {
                    last = 2;
                    writer.put_be16(kind, value as u16)
                }
                kind @ (3 | 4 | 11 | 12 | 18) => {
                    last = 3;
                    writer.put_u8(kind, value as u8)
                }
                // Unknown ones.
                kind => {
                    let len = (value % 9) as usize;
                    last = (4 - len % 4) % 4;
                    writer.put_bytes(kind + 30, &value.to_ne_bytes()[..len.min(8)])
                }
            };
        }
        let whole = writer.finish().expect("room enough");
        // The padding of the last attribute may be missing.
        let cut = if random(2) == 0 { last } else { 0 };
        let len = whole.len() - cut;
        whole[..4].copy_from_slice(&(len as u32).to_ne_bytes());
        let datagram = &whole[..len];

        let core = core_walk(datagram).expect("well-formed");
        let [message] = messages(datagram)[..] else {
            panic!("not one message");
        };
        assert_eq!(core, [(message.header, message.payload())]);
        core_attributes(message.attributes(4).expect("generic"));
        let ours = Event::decode(&message).expect("well-formed");
        let known = bindings_event(ours.attributes.as_bytes());
        // What netlink-bindings skips silently the codec counts.
        let unknown = ours
            .attributes
            .filter(|a| matches!(a, Ok(a) if EventAttributes::name_of(a.number()).is_none()));
        assert_eq!(usize::from(ours.fields.unknown()), unknown.count());
        // Writing leaves the unknown ones out.
        let mut buffer = [0; 256];
        let mut writer: Writer = Writer::new(&mut buffer, Header::default());
        ours.fields.encode(&mut writer);
        let written = &writer.finish().expect("room enough")[16..];
        assert_eq!(
            EventAttributes::from_attributes(Attributes::new(written)),
            Ok(known)
        );
    }
}

/// What the README of the codec shows beside the next.
mod ours {
    use mptcp_codec::mptcp::Endpoint;
    use mptcp_codec::netlink::{Content, Messages};
    use mptcp_codec::Error;
    use std::net::IpAddr;

    type Ends = Vec<(Option<u8>, Option<IpAddr>)>;

    /// The ids and addresses of the endpoints in a datagram.
    pub fn endpoints(datagram: &[u8]) -> Result<Ends, Error> {
        let mut all = Vec::new();
        for message in Messages::new(datagram) {
            let message = message?;
            match message.content()? {
                Content::Data => {
                    let endpoint = Endpoint::decode(&message)?;
                    all.push((endpoint.id(), endpoint.address()));
                }
                Content::Done(done) if done.errno == 0 => {}
                refused => panic!("{refused:?}"),
            }
        }
        Ok(all)
    }
}

/// The same with netlink-bindings.
mod theirs {
    use netlink_bindings::mptcp_pm::{Address, Attr, OpGetAddrDump};
    use netlink_bindings::traits::NetlinkRequest;
    use netlink_bindings::utils::ErrorContext;
    use std::net::IpAddr;

    fn payloads(datagram: &[u8]) -> impl Iterator<Item = &[u8]> {
        let messages = mptcp_codec::netlink::Messages::new(datagram);
        messages.flatten().filter_map(|message| {
            let is_data = message.header.message_type >= 16;
            is_data.then_some(message.payload())
        })
    }

    type Ends = Vec<(Option<u8>, Option<IpAddr>)>;

    /// The ids and addresses of the endpoints in a datagram.
    pub fn endpoints(datagram: &[u8]) -> Result<Ends, ErrorContext> {
        let mut all = Vec::new();
        for payload in payloads(datagram) {
            for attribute in OpGetAddrDump::decode_reply(payload) {
                let Attr::Addr(nest) = attribute? else {
                    continue;
                };
                let (mut id, mut address) = (None, None);
                for attribute in nest {
                    match attribute? {
                        Address::Id(value) => id = Some(value),
                        Address::Addr4(value) => address = Some(IpAddr::V4(value.into())),
                        Address::Addr6(value) => {
                            let value = <[u8; 16]>::try_from(value).expect("sixteen bytes");
                            address = Some(IpAddr::V6(value.into()));
                        }
                        _ => {}
                    }
                }
                all.push((id, address));
            }
        }
        Ok(all)
    }
}

#[test]
fn the_readme_shows_the_same_job_in_two_crates() {
    let readme = include_str!("../../codec/README.md");
    let source = include_str!("codec_peers.rs");
    let shown: Vec<&str> = readme.split("```rust,ignore\n").skip(1).collect();
    assert_eq!(shown.len(), 2);
    for block in shown {
        let block = block.split("```").next().expect("its end");
        let inside: String = block
            .lines()
            .map(|line| match line {
                "" => String::from("\n"),
                line => format!("    {}\n", line.replace("fn endpoints", "pub fn endpoints")),
            })
            .collect();
        assert!(source.contains(&inside), "not as it is run:\n{inside}");
    }
    let mut met = 0;
    for (name, datagram) in datagrams() {
        let is_dump = messages(&datagram).iter().all(|message| {
            let number = message.header.message_type;
            number == 3 || number >= 20 && message.header.flags & 2 != 0
        });
        if !name.contains("dump") || !is_dump {
            continue;
        }
        let ours = ours::endpoints(&datagram).expect("well-formed");
        let theirs = theirs::endpoints(&datagram).expect("well-formed");
        met += ours.len();
        assert_eq!(ours, theirs, "{name}");
    }
    assert!(met > 100, "only {met}");
}
