//! neli: its message types with numbers for commands and attributes.

use std::io::Cursor;

use neli::consts::genl::{CtrlAttr, CtrlAttrMcastGrp};
use neli::consts::nl::NlmF;
use neli::err::DeError;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, NlattrBuilder, NoUserHeader};
use neli::nl::{NlPayload, Nlmsghdr, NlmsghdrBuilder};
use neli::rtnl::Ifaddrmsg;
use neli::types::{Buffer, GenlBuffer};
use neli::{FromBytes, ToBytes};

use super::{read, read_event, read_number, v4, v6};
use crate::event::Event;
use crate::jobs::{Address, Contender, Endpoint, Interface, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "neli",
    dump: Some(|datagrams| dump(datagrams).expect("well-formed")),
    dumps: None,
    addresses: Some(|datagrams| addresses(datagrams).expect("well-formed")),
    // It has no types for them.
    sockets: None,
    refusal: Some(|datagrams| refusal(datagrams).expect("well-formed")),
    events: Some(|datagrams| events(datagrams).expect("well-formed")),
    build: Some(build),
    resolve: Some(|datagram| resolve(datagram).expect("well-formed")),
};

/// Any command of any family.
#[neli::neli_enum(serialized_type = "u8")]
pub enum Command {
    AddAddress = 1,
}
impl neli::consts::genl::Cmd for Command {}

/// Any attribute, by its number.
#[neli::neli_enum(serialized_type = "u16")]
pub enum Number {
    Unspecified = 0,
}
impl neli::consts::genl::NlAttrType for Number {}

type Message<T> = Nlmsghdr<u16, Genlmsghdr<Command, T>>;

fn messages<T: neli::consts::genl::NlAttrType>(
    datagram: &[u8],
    mut f: impl FnMut(&Genlmsghdr<Command, T>) -> Result<(), DeError>,
) -> Result<(), DeError> {
    let mut cursor = Cursor::new(datagram);
    while (cursor.position() as usize) < datagram.len() {
        let message = Message::<T>::from_bytes(&mut cursor)?;
        if *message.nl_type() >= 16 {
            if let Some(payload) = message.get_payload() {
                f(payload)?;
            }
        }
    }
    Ok(())
}

fn dump(datagrams: &[Vec<u8>]) -> Result<u64, DeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        messages::<Number>(datagram, |payload| {
            let mut endpoint = Endpoint::default();
            for attribute in payload.attrs().iter() {
                if u16::from(attribute.nla_type().nla_type()) != 1 {
                    continue;
                }
                let nest = attribute.get_attr_handle::<Number>()?;
                for attribute in nest.iter() {
                    let kind = u16::from(attribute.nla_type().nla_type());
                    let value = attribute.nla_payload().as_ref();
                    read!(endpoint endpoint, kind, value, number::<u8>, number::<u16>, number::<u32>);
                }
            }
            sum = sum.wrapping_add(endpoint.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

fn number<T: FromBytes>(value: &[u8]) -> Result<T, DeError> {
    T::from_bytes(&mut Cursor::new(value))
}

fn addresses(datagrams: &[Vec<u8>]) -> Result<u64, DeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        let mut cursor = Cursor::new(&datagram[..]);
        while (cursor.position() as usize) < datagram.len() {
            let message = Nlmsghdr::<u16, Ifaddrmsg>::from_bytes(&mut cursor)?;
            let Some(of) = message.get_payload() else {
                continue;
            };
            let family = u8::from(*of.ifa_family());
            let mut interface = Interface {
                family,
                prefix: *of.ifa_prefixlen(),
                flags: of.ifa_flags().bits().into(),
                scope: u8::from(*of.ifa_scope()),
                index: *of.ifa_index(),
                ..Interface::default()
            };
            let (mut local, mut other) = (Address::None, Address::None);
            for attribute in of.rtattrs().iter() {
                let value = attribute.rta_payload().as_ref();
                let address = match family {
                    2 => v4(value),
                    _ => v6(value),
                };
                match u16::from(*attribute.rta_type()) {
                    1 => other = address,
                    2 => local = address,
                    3 => interface.label = value.len() - 1,
                    6 => interface.valid = number::<u32>(&value[4..])?,
                    8 => interface.flags = number::<u32>(value)?,
                    _ => {}
                }
            }
            interface.address = match local {
                Address::None => other,
                local => local,
            };
            sum = sum.wrapping_add(interface.sum());
        }
    }
    Ok(sum)
}

fn refusal(datagrams: &[Vec<u8>]) -> Result<u64, DeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        let mut cursor = Cursor::new(&datagram[..]);
        while (cursor.position() as usize) < datagram.len() {
            let message = Message::<Number>::from_bytes(&mut cursor)?;
            let NlPayload::Err(error) = message.nl_payload() else {
                continue;
            };
            let (mut text, mut offset) = (0, 0);
            for attribute in error.ext_ack().iter() {
                let value = attribute.nla_payload().as_ref();
                match u16::from(attribute.nla_type().nla_type()) {
                    1 => text = value.len() - 1,
                    2 => offset = number::<u32>(value)?,
                    _ => {}
                }
            }
            sum = sum
                .wrapping_add(u64::from(error.error().unsigned_abs()))
                .wrapping_add((text as u64) << 8)
                .wrapping_add(u64::from(offset) << 16);
        }
    }
    Ok(sum)
}

fn events(datagrams: &[Vec<u8>]) -> Result<u64, DeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        messages::<Number>(datagram, |payload| {
            let mut event = Event {
                command: u8::from(*payload.cmd()),
                ..Event::default()
            };
            for attribute in payload.attrs().iter() {
                let kind = u16::from(attribute.nla_type().nla_type());
                let value = attribute.nla_payload().as_ref();
                read!(event event, kind, value, number::<u8>, number::<u16>, number::<u32>);
            }
            sum = sum.wrapping_add(event.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

fn attribute<P: neli::Size + ToBytes>(kind: u16, value: P) -> neli::genl::Nlattr<Number, Buffer> {
    NlattrBuilder::default()
        .nla_type(
            AttrTypeBuilder::default()
                .nla_type(Number::from(kind))
                .build()
                .expect("all fields set"),
        )
        .nla_payload(value)
        .build()
        .expect("all fields set")
}

fn build(wanted: &Wanted, space: &mut Space) -> usize {
    let nest = attribute(1, Buffer::new())
        .nest(&attribute(1, 2u16))
        .and_then(|nest| nest.nest(&attribute(5, wanted.port)))
        .and_then(|nest| nest.nest(&attribute(2, wanted.id)))
        .and_then(|nest| nest.nest(&attribute(6, wanted.flags)))
        .and_then(|nest| nest.nest(&attribute(7, wanted.if_idx)))
        .and_then(|nest| nest.nest(&attribute(3, &wanted.address[..])))
        .expect("space for it");
    let attributes: GenlBuffer<Number, Buffer> = std::iter::once(nest).collect();
    let message = NlmsghdrBuilder::default()
        .nl_type(wanted.family)
        .nl_flags(NlmF::REQUEST | NlmF::ACK)
        .nl_seq(wanted.seq)
        .nl_payload(NlPayload::Payload(
            GenlmsghdrBuilder::<Command, Number, NoUserHeader>::default()
                .cmd(Command::AddAddress)
                .version(1)
                .attrs(attributes)
                .build()
                .expect("all fields set"),
        ))
        .build()
        .expect("all fields set");
    let mut cursor = Cursor::new(std::mem::take(&mut space.vec));
    message.to_bytes(&mut cursor).expect("space for it");
    let len = cursor.position() as usize;
    space.vec = cursor.into_inner();
    len
}

fn resolve(datagram: &[u8]) -> Result<u64, DeError> {
    let mut sum = 0;
    messages::<CtrlAttr>(datagram, |payload| {
        let attributes = payload.attrs().get_attr_handle();
        let id: u16 = attributes.get_attr_payload_as(CtrlAttr::FamilyId)?;
        let mut group = 0u32;
        let groups =
            attributes.get_nested_attributes::<neli::consts::genl::Index>(CtrlAttr::McastGroups)?;
        for entry in groups.iter() {
            let entry = entry.get_attr_handle::<CtrlAttrMcastGrp>()?;
            let name: String = entry.get_attr_payload_as_with_len(CtrlAttrMcastGrp::Name)?;
            if name == "mptcp_pm_events" {
                group = entry.get_attr_payload_as(CtrlAttrMcastGrp::Id)?;
            }
        }
        sum = u64::from(id) << 32 | u64::from(group);
        Ok(())
    })?;
    Ok(sum)
}
