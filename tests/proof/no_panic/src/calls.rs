//! One function for each call of the codec, for the test `codec_proof` to add
//! up how deep the stack gets under it. The result goes to where the caller
//! wants it, as it does in a program.

use core::hint::black_box;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::diag::sockopt::{FullInfo, FullSubflow, SubflowAddresses, Subflows, full_header};
use mptcp_codec::diag::{
    End, Field, Filter, MptcpInfo, Query, Socket, SocketMemory, SocketView, SubflowInfo, TcpInfo,
};
use mptcp_codec::exchange::{Exchange, Replies};
use mptcp_codec::generic::controller::{self, Family};
use mptcp_codec::generic::policy::{self, Entries};
use mptcp_codec::generic::{self, Generic};
use mptcp_codec::inet;
use mptcp_codec::mptcp::{Endpoint, EndpointFlags, Event, EventAttributes, Limits, Place, request};
use mptcp_codec::netlink::{
    self, Attribute, Attributes, ExtendedAck, Header, Message, Messages, Rule, Writer,
};
use mptcp_codec::order::{Big, Little};
use mptcp_codec::route::request as ask;
use mptcp_codec::route::{Address, AddressAttributes, Change, Link, NextHops, Route, RoutingRule};
use mptcp_codec::{Error, ErrorKind};

/// Exports a function for each row. What is large comes by reference:
/// arguments, too, are the caller's.
macro_rules! calls {
    ($($name:ident($($argument:ident: $type:ty),*) $call:expr;)*) => {$(
        #[unsafe(no_mangle)]
        pub fn $name($($argument: $type),*) -> impl Sized {
            $call
        }
    )*};
}

/// The same for decoders, in both byte orders.
macro_rules! decoders {
    ($($little:ident $big:ident($argument:ident: $type:ty, $other:ty) $call:expr;)*) => {
        calls! { $(
            $little($argument: &mut $type) $call;
            $big($argument: &mut $other) $call;
        )* }
    };
}

decoders! {
    call_message call_message_be(m: Messages<'_, Little>, Messages<'_, Big>) (m.is_empty(), m.next());
    call_content call_content_be(m: Message<'_, Little>, Message<'_, Big>) m.content();
    call_errno call_errno_be(m: Message<'_, Little>, Message<'_, Big>) m.errno();
    call_skip call_skip_be(m: Message<'_, Little>, Message<'_, Big>) m.attributes(black_box(4));
    call_attribute call_attribute_be(a: Attributes<'_, Little>, Attributes<'_, Big>) a.next();
    call_find_last call_find_last_be(a: Attributes<'_, Little>, Attributes<'_, Big>) a.find_last(black_box(3));
    call_continued_at call_continued_at_be(a: Attributes<'_, Little>, Attributes<'_, Big>) a.continued_at(&[]);
    call_find_nest call_find_nest_be(a: Attributes<'_, Little>, Attributes<'_, Big>) a.find_nest(black_box(3));
    call_u8 call_u8_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.u8();
    call_u16 call_u16_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.u16();
    call_u32 call_u32_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.u32();
    call_u64 call_u64_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.u64();
    call_i32 call_i32_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.i32();
    call_be16 call_be16_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.be16();
    call_ipv4 call_ipv4_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.ipv4();
    call_ipv6 call_ipv6_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.ipv6();
    call_text call_text_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.text();
    call_nested call_nested_be(a: Attribute<'_, Little>, Attribute<'_, Big>) a.nested();
    call_ack_message call_ack_message_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.message();
    call_ack_offset call_ack_offset_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.offset();
    call_ack_cookie call_ack_cookie_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.cookie();
    call_ack_missing_type call_ack_missing_type_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.missing_type();
    call_ack_missing_nest call_ack_missing_nest_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.missing_nest();
    call_ack_unknown call_ack_unknown_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.unknown();
    call_ack_rule call_ack_rule_be(e: ExtendedAck<'_, Little>, ExtendedAck<'_, Big>) e.rule();
    call_update call_update_be(a: (Endpoint, Attributes<'_, Little>), (Endpoint, Attributes<'_, Big>)) a.0.update(a.1);
    call_unknown_of call_unknown_of_be(a: Attributes<'_, Little>, Attributes<'_, Big>) Endpoint::unknown_of(*a).next();
    call_unknown_attributes call_unknown_attributes_be(f: Family<'_, Little>, Family<'_, Big>) f.fields.unknown_attributes().next();
    call_socket_fields call_socket_fields_be(s: Socket<'_, Little>, Socket<'_, Big>) (s.fields.congestion(), s.fields.mark(), s.fields.upper());
    call_rule call_rule_be(a: Attributes<'_, Little>, Attributes<'_, Big>) Rule::from_attributes(*a);
    call_generic call_generic_be(m: Message<'_, Little>, Message<'_, Big>) Generic::decode(m);
    call_family call_family_be(m: Message<'_, Little>, Message<'_, Big>) Family::decode(m);
    call_family_fields call_family_fields_be(f: Family<'_, Little>, Family<'_, Big>) (f.fields.name(), f.fields.attributes(), f.fields.unknown());
    call_group call_group_be(f: Family<'_, Little>, Family<'_, Big>) f.group(black_box("mptcp_pm_events"));
    call_groups call_groups_be(f: Family<'_, Little>, Family<'_, Big>) f.fields.groups().next();
    call_operations call_operations_be(f: Family<'_, Little>, Family<'_, Big>) f.fields.operations().next();
    call_policies call_policies_be(m: Message<'_, Little>, Message<'_, Big>) Entries::decode(m);
    call_policy call_policy_be(e: Entries<'_, Little>, Entries<'_, Big>) e.next();
    call_endpoint call_endpoint_be(m: Message<'_, Little>, Message<'_, Big>) Endpoint::decode(m);
    call_endpoint_set call_endpoint_set_be(a: Attributes<'_, Little>, Attributes<'_, Big>) Endpoint::from_attributes(*a);
    call_limits call_limits_be(m: Message<'_, Little>, Message<'_, Big>) Limits::decode(m);
    call_limits_set call_limits_set_be(a: Attributes<'_, Little>, Attributes<'_, Big>) Limits::from_attributes(*a);
    call_event call_event_be(m: Message<'_, Little>, Message<'_, Big>) Event::decode(m);
    call_event_set call_event_set_be(a: Attributes<'_, Little>, Attributes<'_, Big>) EventAttributes::from_attributes(*a);
    call_socket call_socket_be(m: Message<'_, Little>, Message<'_, Big>) Socket::decode(m);
    call_upper_name call_upper_name_be(s: Socket<'_, Little>, Socket<'_, Big>) s.upper_name();
    call_subflow call_subflow_be(s: Socket<'_, Little>, Socket<'_, Big>) s.subflow();
    call_view call_view_be(m: Message<'_, Little>, Message<'_, Big>) SocketView::decode(m);
    call_view_ends call_view_ends_be(s: SocketView<'_, Little>, SocketView<'_, Big>) s.ends();
    call_view_numbers call_view_numbers_be(s: SocketView<'_, Little>, SocketView<'_, Big>)
        (s.state(), s.interface(), s.cookie(), s.receive_queue(), s.send_queue(), s.uid(), s.inode());
    call_view_infos call_view_infos_be(s: SocketView<'_, Little>, SocketView<'_, Big>) (s.mptcp_info(), s.tcp_info());
    call_view_upper_name call_view_upper_name_be(s: SocketView<'_, Little>, SocketView<'_, Big>) s.upper_name();
    call_view_subflow call_view_subflow_be(s: (SocketView<'_, Little>, SubflowInfo), (SocketView<'_, Big>, SubflowInfo))
        s.0.read_subflow(&mut s.1);
    call_subflow_set call_subflow_set_be(a: Attributes<'_, Little>, Attributes<'_, Big>) SubflowInfo::from_attributes(*a);
    call_mptcp_info call_mptcp_info_be(i: MptcpInfo<'_, Little>, MptcpInfo<'_, Big>) i.fields().next();
    call_tcp_info call_tcp_info_be(i: TcpInfo<'_, Little>, TcpInfo<'_, Big>) i.fields().next();
    call_read_info call_read_info_be(i: (MptcpInfo<'_, Little>, Field), (MptcpInfo<'_, Big>, Field)) i.0.read(i.1);
    call_memory call_memory_be(i: SocketMemory<'_, Little>, SocketMemory<'_, Big>) i.fields().next();
    call_tcp_infos call_tcp_infos_be(s: Subflows<'_, Little>, Subflows<'_, Big>) s.tcp_infos().next();
    call_addresses call_addresses_be(s: Subflows<'_, Little>, Subflows<'_, Big>) s.addresses().next();
    call_elements call_elements_be(s: Subflows<'_, Little>, Subflows<'_, Big>) s.elements().next();
    call_link call_link_be(m: Message<'_, Little>, Message<'_, Big>) Link::decode(m);
    call_address call_address_be(m: Message<'_, Little>, Message<'_, Big>) Address::decode(m);
    call_address_ends call_address_ends_be(a: Address<'_, Little>, Address<'_, Big>) (a.address(), a.peer());
    call_address_cache call_address_cache_be(a: Address<'_, Little>, Address<'_, Big>) a.fields.cache();
    call_route_ends call_route_ends_be(r: Route<'_, Little>, Route<'_, Big>) (r.destination(), r.source());
    call_gateway call_gateway_be(r: Route<'_, Little>, Route<'_, Big>) (r.gateway(), r.preferred_source());
    call_output_of call_output_of_be(m: Message<'_, Little>, Message<'_, Big>) Route::output_of(m);
    call_next_hops call_next_hops_be(r: Route<'_, Little>, Route<'_, Big>) (r.next_hops(), r.next_hop_id());
    call_next_hop call_next_hop_be(h: NextHops<'_, Little>, NextHops<'_, Big>) h.next();
    call_routing_rule call_routing_rule_be(m: Message<'_, Little>, Message<'_, Big>) RoutingRule::decode(m);
    call_rule_is_special call_rule_is_special_be(r: RoutingRule<'_, Little>, RoutingRule<'_, Big>) r.is_special();
    call_route call_route_be(m: Message<'_, Little>, Message<'_, Big>) Route::decode(m);
    call_change call_change_be(m: Message<'_, Little>, Message<'_, Big>) Change::decode(m);
    call_reply call_reply_be(r: Replies<'_, '_, Little>, Replies<'_, '_, Big>) r.next();
    call_put_numbers call_put_numbers_be(w: Writer<'_, Little>, Writer<'_, Big>) {
        w.put_u8(1, 1).put_u16(2, 1).put_u32(3, 1).put_u64(4, 1).put_be16(5, 1).put_i32(6, 1);
    };
    call_put_wide call_put_wide_be(w: Writer<'_, Little>, Writer<'_, Big>) {
        w.put_i64(1, 1).put_uint(2, black_box(1)).put_sint(3, black_box(1)).put_flag(4);
        w.put_be32(5, 1).put_be64(6, 1);
    };
    call_put_addresses call_put_addresses_be(w: Writer<'_, Little>, Writer<'_, Big>) {
        w.put_ipv4(1, black_box(Ipv4Addr::LOCALHOST)).put_ipv6(2, black_box(Ipv6Addr::LOCALHOST));
    };
    call_put_bytes call_put_bytes_be(w: Writer<'_, Little>, Writer<'_, Big>) { w.put_bytes(1, black_box(&[])); };
    call_put_text call_put_text_be(w: Writer<'_, Little>, Writer<'_, Big>) { w.put_text(1, black_box(&[])); };
    call_nest call_nest_be(w: Writer<'_, Little>, Writer<'_, Big>) { w.nest(1, |nest| nest.put_u8(1, 1)); };
}

calls! {
    call_exchange(b: &[u8]) Exchange::new(b);
    call_is_dump(e: &Exchange) (e.is_dump(), e.seq(), e.outcome());
    call_feed(e: &mut Exchange, b: &[u8]) e.feed(b);
    call_feed_messages(e: &mut Exchange, m: &Messages<'_, Big>) e.feed_messages(*m);
    call_header(b: &[u8; 16]) Header::from_bytes::<Big>(b);
    call_full_header(n: u32, a: u64) full_header(n, (n, a), (n, a));
    call_align(len: usize) netlink::align(len);
    call_past(b: &[u8], len: usize) netlink::past(b, len);
    call_name_of(number: u16) Endpoint::name_of(number);
    call_error_names(e: &Error) (e.set(), e.attribute_name(), e.in_set(Endpoint::NAMES));
    call_command(o: &controller::Operation) o.command();
    call_address_len() AddressAttributes::<'static, Little>::with_address_len(4);
    call_named() mptcp_codec::mptcp::PathManager::named(1).id;
    call_request_with_order(b: &mut [u8]) generic::request_with_order::<Big>(b, 1, 2, 3, 4, 5).finish();
    call_error(at: usize) Error::about(ErrorKind::BadValue, 1, at);
    call_subflows(b: &[u8]) Subflows::<Little>::decode(b);
    call_full_info(b: &[u8]) FullInfo::<Little>::decode(b);
    call_full_subflow(b: &[u8]) FullSubflow::decode::<Little>(b);
    call_subflow_addresses(b: &[u8]) SubflowAddresses::decode::<Little>(b);
    call_place_of_fault(b: &[u8], e: &ExtendedAck<'_>) Place::of_fault(b, e);
    call_place_at(b: &[u8], at: usize) Place::at_offset(b, at);
    call_place_at_be(b: &[u8], at: usize) Place::with_order::<Big>(b, at);
    call_end_address(e: &End) e.address();
    call_rule_name(r: &Rule) r.type_name();
    call_has_remote_key(i: &MptcpInfo<'_>) i.has_remote_key();
    call_contains(f: &EndpointFlags) (f.contains(EndpointFlags::BACKUP), f.unknown(), f.is_empty(), f.or(*f));
    call_family_of(a: &IpAddr) (inet::family_of(*a), inet::bits_of(*a));
    call_without(e: &Endpoint) e.without(black_box(3));
    call_with_address(e: &Endpoint, a: &IpAddr) e.with_address(*a);
    call_endpoint_new(a: &IpAddr) Endpoint::new(*a).with_id(1).with_port(2);
    call_endpoint_encode(e: &Endpoint, w: &mut Writer<'_>) { e.encode(w); };
    call_limits_encode(l: &Limits, w: &mut Writer<'_>) { l.encode(w); };
    call_event_encode(e: &EventAttributes, w: &mut Writer<'_>) { e.encode(w); };
    call_subflow_encode(s: &SubflowInfo, w: &mut Writer<'_>) { s.encode(w); };
    call_rule_encode(r: &Rule, w: &mut Writer<'_>) { r.encode(w); };
    call_writer(b: &mut [u8], h: &Header) Writer::new(b, *h);
    call_finish(b: &mut [u8], h: &Header) Writer::new(b, *h).finish();
    call_request(b: &mut [u8]) generic::request(b, 1, 2, 3, 4, 5);
    call_family_by_name(b: &mut [u8], name: &str) controller::family_by_name(b, 1, name);
    call_family_by_id(b: &mut [u8]) controller::family_by_id(b, 1, 2);
    call_all_families(b: &mut [u8]) controller::all_families(b, 1);
    call_policy_dump(b: &mut [u8], c: Option<u8>) policy::dump(b, 1, 2, c);
    call_add_address(b: &mut [u8], e: &Endpoint) request::add_address(b, 1, 2, e);
    call_delete_address(b: &mut [u8], e: &Endpoint) request::delete_address(b, 1, 2, e);
    call_get_address(b: &mut [u8], t: Option<u32>) request::get_address(b, 1, 2, 3, t);
    call_dump_addresses(b: &mut [u8], t: Option<u32>) request::dump_addresses(b, 1, 2, t);
    call_flush_addresses(b: &mut [u8]) request::flush_addresses(b, 1, 2);
    call_set_limits(b: &mut [u8], l: &Limits) request::set_limits(b, 1, 2, l);
    call_get_limits(b: &mut [u8]) request::get_limits(b, 1, 2);
    call_set_flags(b: &mut [u8], e: &Endpoint) request::set_flags(b, 1, 2, e);
    call_set_subflow_flags(b: &mut [u8], l: &Endpoint, r: &Endpoint)
        request::set_subflow_flags(b, 1, 2, 3, l, r);
    call_announce(b: &mut [u8], e: &Endpoint) request::announce(b, 1, 2, 3, e);
    call_remove(b: &mut [u8]) request::remove(b, 1, 2, 3, 4);
    call_create_subflow(b: &mut [u8], l: &Endpoint, r: &Endpoint)
        request::create_subflow(b, 1, 2, 3, l, r);
    call_destroy_subflow(b: &mut [u8], l: &Endpoint, r: &Endpoint)
        request::destroy_subflow(b, 1, 2, 3, l, r);
    call_dump_links(b: &mut [u8]) ask::dump_links(b, 1);
    call_link_by_index(b: &mut [u8]) ask::link_by_index(b, 1, 2);
    call_link_by_name(b: &mut [u8], name: &[u8]) ask::link_by_name(b, 1, name);
    call_dump_interface(b: &mut [u8]) ask::dump_addresses(b, 2, 1, 3);
    call_lookup(b: &mut [u8], l: &ask::Lookup) l.encode(b, 1);
    call_dump_routes(b: &mut [u8]) ask::dump_routes(b, 2, 1);
    call_dump_rules(b: &mut [u8]) ask::dump_rules(b, 2, 1);
    call_dump_routes_by(b: &mut [u8]) ask::dump_routes_by(b, 2, 1, 3);
    call_with_all(e: &Endpoint, more: &Endpoint) e.with_all(more).without_all(4);
    call_lookup_new(a: &IpAddr) ask::Lookup::new(*a).with_source(*a).with_output(1).matching_route();
    call_lookup_all(l: &ask::Lookup) l.with_input(1).with_tos(2).with_uid(3).with_protocol(6).with_source_port(4).with_destination_port(5).with_mark(6);
    call_filter(a: &IpAddr) Filter::ANY.with_source(*a, 1).with_destination(*a, 2);
    call_filter_of(ends: &[(Option<IpAddr>, u16); 2]) Filter::of(ends);
    call_query_dump(b: &mut [u8], q: &Query) q.dump(b, 1);
    call_query_by_token(b: &mut [u8], q: &Query) q.by_token(b, 1, 2);
}
