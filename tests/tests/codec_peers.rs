//! The codec beside netlink-bindings, whose types are made from the kernel's own
//! descriptions: numbers, lengths and names of attributes that both take for right.
//! How bytes are walked, and what is wrong with them, is judged elsewhere
//! (`codec_captures`, `codec_mutation`).
//!
//! The peer reads the order of the machine it runs on, so only captures of that
//! order take part.

use std::net::{Ipv4Addr, Ipv6Addr};

use ip_mptcp_tests::captures::{self, ByteOrder};
use mptcp_codec::generic::controller::Family;
use mptcp_codec::generic::Generic;
use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Event, EventAttributes, Limits};
use mptcp_codec::netlink::{Content, Message, Messages};
use netlink_bindings::builtin::{self, NlmsgerrAttrs};
use netlink_bindings::mptcp_pm::{self, Address, Attr, EventAttr};
use netlink_bindings::nlctrl::{CtrlAttrs, McastGroupAttrs, OpAttrs, OpGetfamilyDo};

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

#[test]
fn what_acknowledgements_say_is_read_as_netlink_bindings_reads_it() {
    let (mut acks, mut ends) = (0, 0);
    for (_, datagram) in datagrams() {
        for message in messages(&datagram) {
            match message.content().expect("well-formed") {
                Content::Ack(ack) => {
                    extended_ack(&ack.extended().expect("well-formed"));
                    acks += 1;
                }
                Content::Done(done) => {
                    extended_ack(&done.extended().expect("well-formed"));
                    ends += 1;
                }
                _ => {}
            }
        }
    }
    assert!(acks > 50 && ends > 10, "{acks} {ends}");
}

fn extended_ack(ours: &mptcp_codec::netlink::ExtendedAck<'_>) {
    let mut met = 0;
    for theirs in builtin::NlmsgerrAttrs::new(ours.attributes().as_bytes()) {
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
    // The captures of big-endian machines have 92.
    assert!(met > 90, "only {met}");
}
