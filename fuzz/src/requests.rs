//! Structure-aware: any typed request is built, read back by the judge and by
//! the codec, and is what went in; in too small a buffer it is an error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::exchange::Exchange;
use mptcp_codec::generic::{controller, Generic};
use mptcp_codec::mptcp::{attribute, request, Endpoint, EndpointFlags, EventAttributes, Limits};
use mptcp_codec::netlink::{Attributes, Header, Messages, Writer};
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::{Error, ErrorKind};

use super::{compare, print_all, reference};

#[derive(Arbitrary, Debug, Clone, Copy)]
struct Address {
    with_address: Option<IpAddr>,
    family: Option<u16>,
    id: Option<u8>,
    addr4: Option<Ipv4Addr>,
    addr6: Option<Ipv6Addr>,
    port: Option<u16>,
    flags: Option<u32>,
    if_idx: Option<u32>,
}

#[derive(Arbitrary, Debug)]
enum Request<'a> {
    Add(Address),
    Delete(Address),
    Get(u8, Option<u32>),
    Dump(Option<u32>),
    Flush,
    SetLimits(Option<u32>, Option<u32>),
    GetLimits,
    SetFlags(Address),
    SetSubflowFlags(u32, Address, Address),
    Announce(u32, Address),
    Remove(u32, u8),
    Create(u32, Address, Address),
    Destroy(u32, Address, Address),
    FamilyByName(&'a str),
    FamilyById(u16),
    AllFamilies,
}

macro_rules! event {
    ($($number:literal $field:ident $with:ident: $type:ty = $kind:ident;)+) => {
        #[derive(Arbitrary, Debug)]
        struct Event {
            $($field: Option<$type>,)+
        }

        impl Event {
            fn set(&self) -> EventAttributes {
                let mut set = EventAttributes::EMPTY;
                $(
                    if let Some(value) = self.$field {
                        set = set.$with(value.into());
                    }
                )+
                set
            }
        }
    };
}

event_attributes!(event);

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    family: u16,
    seq: u32,
    /// Room in the buffer; any more is always enough.
    room: u8,
    request: Request<'a>,
    event: Event,
}

/// The order in which requests are written: this machine's.
const NATIVE: reference::Order = reference::Order {
    big: cfg!(target_endian = "big"),
};

/// Builds and reads back.
pub fn run(data: &[u8]) {
    let Ok(mut input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    // Numbers below that are of control messages, no family has one.
    input.family = input.family.max(16);
    event::<Little>(&input.event, false);
    event::<Big>(&input.event, true);
    let mut buffer = [0xaa; 70_000];
    let whole = match build(&mut buffer, &input) {
        Ok(message) => &*message,
        Err(error) => {
            print_all!(error);
            let Request::FamilyByName(name) = input.request else {
                panic!("{error} with room enough");
            };
            assert!(name.contains('\0') || name.len() > 65_000, "{error}");
            return;
        }
    };
    check(whole, &input);
    print_all!(Exchange::new(whole));

    let room = usize::from(input.room);
    let mut small = vec![0xaa; room];
    match build(&mut small, &input) {
        Ok(message) => {
            assert!(room >= whole.len());
            assert_eq!(message, whole, "what was written depends on the buffer");
        }
        Err(error) => {
            assert!(room < whole.len(), "{error} in {room} bytes");
            // A name that no attribute can hold, whatever the room.
            if error.kind() == ErrorKind::TooLong {
                return;
            }
            assert_eq!(error.kind(), ErrorKind::NoSpace);
            valid_prefix(&small, error);
        }
    }
}

/// What is left in a buffer that was too small is a well-formed message.
fn valid_prefix(buffer: &[u8], error: Error) {
    if buffer.len() < 16 {
        assert!(buffer.iter().all(|b| *b == 0xaa), "wrote half a header");
        return;
    }
    let (list, _) = reference::messages(buffer, NATIVE);
    let message = list.first().expect("no message before the overflow");
    assert_eq!(message.len as usize, error.offset());
    if let Some(attributes) = message.payload.get(4..) {
        for attribute in reference::whole(attributes, NATIVE, 0).expect("a broken prefix") {
            if attribute.raw & 0x8000 != 0 {
                reference::endpoint(attribute.payload, NATIVE, 0).expect("a half nest");
            }
        }
    }
}

fn build<'b>(buffer: &'b mut [u8], input: &Input<'_>) -> Result<&'b mut [u8], Error> {
    let (family, seq) = (input.family, input.seq);
    match &input.request {
        Request::Add(a) => request::add_address(buffer, family, seq, &endpoint(a)),
        Request::Delete(a) => request::delete_address(buffer, family, seq, &endpoint(a)),
        Request::Get(id, token) => request::get_address(buffer, family, seq, *id, *token),
        Request::Dump(token) => request::dump_addresses(buffer, family, seq, *token),
        Request::Flush => request::flush_addresses(buffer, family, seq),
        Request::SetLimits(accepted, subflows) => {
            request::set_limits(buffer, family, seq, &limits(*accepted, *subflows))
        }
        Request::GetLimits => request::get_limits(buffer, family, seq),
        Request::SetFlags(a) => request::set_flags(buffer, family, seq, &endpoint(a)),
        Request::SetSubflowFlags(token, l, r) => {
            request::set_subflow_flags(buffer, family, seq, *token, &endpoint(l), &endpoint(r))
        }
        Request::Announce(token, a) => request::announce(buffer, family, seq, *token, &endpoint(a)),
        Request::Remove(token, id) => request::remove(buffer, family, seq, *token, *id),
        Request::Create(token, l, r) => {
            request::create_subflow(buffer, family, seq, *token, &endpoint(l), &endpoint(r))
        }
        Request::Destroy(token, l, r) => {
            request::destroy_subflow(buffer, family, seq, *token, &endpoint(l), &endpoint(r))
        }
        Request::FamilyByName(name) => controller::family_by_name(buffer, seq, name),
        Request::FamilyById(id) => controller::family_by_id(buffer, seq, *id),
        Request::AllFamilies => controller::all_families(buffer, seq),
    }
}

/// Command, flags and attributes that the message must have.
fn check(bytes: &[u8], input: &Input<'_>) {
    const SET: u16 = 5;
    let (list, fault) = reference::messages(bytes, NATIVE);
    assert_eq!((list.len(), fault), (1, None));
    let message = &list[0];
    assert_eq!(message.len as usize, bytes.len());
    assert_eq!((message.seq, message.port), (input.seq, 0));
    let all = reference::whole(&message.payload[4..], NATIVE, 20).expect("well-formed");
    let nest = |kind| {
        let nest = reference::last(&all, kind).expect("the nest");
        assert_eq!(nest.raw, kind | 0x8000);
        reference::endpoint(nest.payload, NATIVE, 0).expect("an address")
    };
    let number = |kind| reference::last(&all, kind).map(|a| a.u32(NATIVE).expect("a u32"));
    let byte = |kind| reference::last(&all, kind).map(|a| a.u8().expect("a u8"));
    let of = |a: &Address| compare::endpoint(&endpoint(a));
    let (command, flags, count) = match &input.request {
        Request::Add(a) => {
            assert_eq!(nest(1), of(a));
            (1, SET, 1)
        }
        Request::Delete(a) => {
            assert_eq!(nest(1), of(a));
            (2, SET, 1)
        }
        Request::Get(id, token) => {
            assert_eq!(
                nest(1),
                reference::Endpoint {
                    id: Some(*id),
                    ..Default::default()
                }
            );
            assert_eq!(number(4), *token);
            (3, 1, 1 + usize::from(token.is_some()))
        }
        Request::Dump(token) => {
            assert_eq!(number(4), *token);
            (3, 0x301, usize::from(token.is_some()))
        }
        Request::Flush => (4, SET, 0),
        Request::SetLimits(accepted, subflows) => {
            assert_eq!((number(2), number(3)), (*accepted, *subflows));
            let count = usize::from(accepted.is_some()) + usize::from(subflows.is_some());
            (5, SET, count)
        }
        Request::GetLimits => (6, 1, 0),
        Request::SetFlags(a) => {
            assert_eq!(nest(1), of(a));
            (7, SET, 1)
        }
        Request::SetSubflowFlags(token, l, r)
        | Request::Create(token, l, r)
        | Request::Destroy(token, l, r) => {
            assert_eq!(number(4), Some(*token));
            assert_eq!((nest(1), nest(6)), (of(l), of(r)));
            let command = match input.request {
                Request::SetSubflowFlags(..) => 7,
                Request::Create(..) => 10,
                _ => 11,
            };
            (command, SET, 3)
        }
        Request::Announce(token, a) => {
            assert_eq!((number(4), nest(1)), (Some(*token), of(a)));
            (8, SET, 2)
        }
        Request::Remove(token, id) => {
            assert_eq!((number(4), byte(5)), (Some(*token), Some(*id)));
            (9, SET, 2)
        }
        Request::FamilyByName(name) => {
            let text = reference::last(&all, 2).expect("a name").text();
            assert_eq!(text.expect("a string"), name.as_bytes());
            (3, 1, 1)
        }
        Request::FamilyById(id) => {
            let number = reference::last(&all, 1).expect("an id").u16(NATIVE);
            assert_eq!(number.expect("a u16"), *id);
            (3, 1, 1)
        }
        Request::AllFamilies => (3, 0x301, 0),
    };
    assert_eq!((message.payload[0], message.flags), (command, flags));
    assert_eq!(all.len(), count, "attributes that were not asked for");
    let family = match input.request {
        Request::FamilyByName(_) | Request::FamilyById(_) | Request::AllFamilies => 16,
        _ => input.family,
    };
    assert_eq!(message.kind, family);

    // And the codec reads its own.
    let mut messages = Messages::new(bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    print_all!(message);
    if let Request::Add(a) = &input.request {
        assert_eq!(Endpoint::decode(&message), Ok(endpoint(a)));
    }
    if let Request::SetLimits(accepted, subflows) = &input.request {
        assert_eq!(Limits::decode(&message), Ok(limits(*accepted, *subflows)));
    }
    if let Request::Create(_, l, r) = &input.request {
        let generic = Generic::decode(&message).expect("a generic message");
        for (kind, sent) in [(attribute::ADDR, l), (attribute::ADDR_REMOTE, r)] {
            let nest = generic.attributes.find_last(kind).expect("well-formed");
            let nest = nest.expect("the nest").nested();
            assert_eq!(Endpoint::from_attributes(nest), Ok(endpoint(sent)));
        }
    }
}

fn endpoint(a: &Address) -> Endpoint {
    let mut e = match a.with_address {
        Some(address) => Endpoint::new(address),
        None => Endpoint::EMPTY,
    };
    if let Some(v) = a.family {
        e = e.with_family(v);
    }
    if let Some(v) = a.id {
        e = e.with_id(v);
    }
    if let Some(v) = a.addr4 {
        e = e.with_addr4(v);
    }
    if let Some(v) = a.addr6 {
        e = e.with_addr6(v);
    }
    if let Some(v) = a.port {
        e = e.with_port(v);
    }
    if let Some(v) = a.flags {
        e = e.with_flags(EndpointFlags(v));
    }
    if let Some(v) = a.if_idx {
        e = e.with_if_idx(v);
    }
    e
}

fn limits(accepted: Option<u32>, subflows: Option<u32>) -> Limits {
    let mut limits = Limits::EMPTY;
    if let Some(v) = accepted {
        limits = limits.with_add_addr_accepted(v);
    }
    if let Some(v) = subflows {
        limits = limits.with_subflows(v);
    }
    limits
}

/// Encodes the set, reads it back, both ways.
fn event<E: Order>(event: &Event, big: bool) {
    let set = event.set();
    print_all!(set);
    let mut buffer = [0; 256];
    let mut writer = Writer::<E>::with_order(&mut buffer, Header::default());
    set.encode(&mut writer);
    let bytes = &*writer.finish().expect("room enough");
    assert_eq!(
        EventAttributes::from_attributes(Attributes::<E>::with_order(&bytes[16..])),
        Ok(set)
    );
    let judge = reference::event(&bytes[16..], reference::Order { big }, 0);
    assert_eq!(judge, Ok(compare::event(&set)));
    assert_eq!(judge.expect("just compared").token, event.token);
}
