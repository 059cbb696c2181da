//! netlink-packet-core, the raw layer of rust-netlink: its buffers and
//! iterator for reading, types with its traits for writing. Resolving is
//! netlink-packet-generic's.

use netlink_packet_core::{
    parse_string, parse_u16, parse_u32, parse_u64, parse_u8, DecodeError, Emitable, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable, Nla, NlasIterator,
    NLM_F_ACK, NLM_F_REQUEST,
};

use super::{read, read_event, read_number, walk};
use crate::event::Event;
use crate::jobs::{Contender, Endpoint, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "netlink-packet-core",
    dump: Some(|datagrams| dump(datagrams).expect("well-formed")),
    dumps: None,
    addresses: Some(|datagrams| walk::addresses::<Core>(datagrams).expect("well-formed")),
    sockets: Some(|datagrams| walk::sockets::<Core>(datagrams).expect("well-formed")),
    refusal: Some(|datagrams| walk::refusal::<Core>(datagrams).expect("well-formed")),
    events: Some(|datagrams| events(datagrams).expect("well-formed")),
    build: Some(build),
    #[cfg(feature = "peers")]
    resolve: Some(|datagram| resolve(datagram).expect("well-formed")),
    #[cfg(not(feature = "peers"))]
    resolve: None,
};

/// Calls `f` with each message, as the crate's users walk.
fn messages<'a>(
    datagram: &'a [u8],
    mut f: impl FnMut(NetlinkBuffer<&'a [u8]>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let message = NetlinkBuffer::new_checked(rest)?;
        let len = (message.length() as usize + 3) & !3;
        f(message)?;
        rest = rest.get(len..).unwrap_or(&[]);
    }
    Ok(())
}

enum Core {}

impl walk::Walk for Core {
    type Error = DecodeError;

    fn messages(
        datagram: &[u8],
        mut f: impl FnMut(u16, u16, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        messages(datagram, |message| {
            f(message.message_type(), message.flags(), message.payload())
        })
    }

    fn attributes(
        bytes: &[u8],
        mut f: impl FnMut(u16, &[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for attribute in NlasIterator::new(bytes) {
            let attribute = attribute?;
            f(attribute.kind(), attribute.value())?;
        }
        Ok(())
    }

    fn u8(value: &[u8]) -> Result<u8, DecodeError> {
        parse_u8(value)
    }

    fn u32(value: &[u8]) -> Result<u32, DecodeError> {
        parse_u32(value)
    }

    fn u64(value: &[u8]) -> Result<u64, DecodeError> {
        parse_u64(value)
    }

    fn text(value: &[u8]) -> Result<usize, DecodeError> {
        parse_string(value).map(|text| text.len())
    }
}

fn dump(datagrams: &[Vec<u8>]) -> Result<u64, DecodeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        messages(datagram, |message| {
            if message.message_type() < 16 {
                return Ok(());
            }
            let mut endpoint = Endpoint::default();
            for attribute in NlasIterator::new(message.payload().get(4..).unwrap_or(&[])) {
                let attribute = attribute?;
                if attribute.kind() != 1 {
                    continue;
                }
                for attribute in NlasIterator::new(attribute.value()) {
                    let attribute = attribute?;
                    let value = attribute.value();
                    read!(endpoint endpoint, attribute.kind(), value, parse_u8, parse_u16, parse_u32);
                }
            }
            sum = sum.wrapping_add(endpoint.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

fn events(datagrams: &[Vec<u8>]) -> Result<u64, DecodeError> {
    let mut sum = 0u64;
    for datagram in datagrams {
        messages(datagram, |message| {
            let payload = message.payload();
            let mut event = Event {
                command: payload.first().copied().unwrap_or(0),
                ..Event::default()
            };
            for attribute in NlasIterator::new(payload.get(4..).unwrap_or(&[])) {
                let attribute = attribute?;
                let value = attribute.value();
                read!(event event, attribute.kind(), value, parse_u8, parse_u16, parse_u32);
            }
            sum = sum.wrapping_add(event.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

enum AddressNla {
    Family(u16),
    Port(u16),
    Id(u8),
    Flags(u32),
    IfIdx(i32),
    Addr4([u8; 4]),
}

impl Nla for AddressNla {
    fn value_len(&self) -> usize {
        match self {
            Self::Id(_) => 1,
            Self::Family(_) | Self::Port(_) => 2,
            Self::Flags(_) | Self::IfIdx(_) | Self::Addr4(_) => 4,
        }
    }

    fn kind(&self) -> u16 {
        match self {
            Self::Family(_) => 1,
            Self::Id(_) => 2,
            Self::Addr4(_) => 3,
            Self::Port(_) => 5,
            Self::Flags(_) => 6,
            Self::IfIdx(_) => 7,
        }
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        match self {
            Self::Id(value) => buffer[0] = *value,
            Self::Family(value) | Self::Port(value) => {
                buffer.copy_from_slice(&value.to_ne_bytes());
            }
            Self::Flags(value) => buffer.copy_from_slice(&value.to_ne_bytes()),
            Self::IfIdx(value) => buffer.copy_from_slice(&value.to_ne_bytes()),
            Self::Addr4(value) => buffer.copy_from_slice(value),
        }
    }
}

struct AddressNest(Vec<AddressNla>);

impl Nla for AddressNest {
    fn value_len(&self) -> usize {
        self.0.as_slice().buffer_len()
    }

    fn kind(&self) -> u16 {
        1 | 0x8000
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        self.0.as_slice().emit(buffer);
    }
}

struct AddAddress {
    family: u16,
    nest: AddressNest,
}

impl NetlinkSerializable for AddAddress {
    fn message_type(&self) -> u16 {
        self.family
    }

    fn buffer_len(&self) -> usize {
        4 + self.nest.buffer_len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..4].copy_from_slice(&[1, 1, 0, 0]);
        self.nest.emit(&mut buffer[4..]);
    }
}

fn build(wanted: &Wanted, space: &mut Space) -> usize {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    header.sequence_number = wanted.seq;
    let request = AddAddress {
        family: wanted.family,
        nest: AddressNest(vec![
            AddressNla::Family(2),
            AddressNla::Port(wanted.port),
            AddressNla::Id(wanted.id),
            AddressNla::Flags(wanted.flags),
            AddressNla::IfIdx(wanted.if_idx),
            AddressNla::Addr4(wanted.address),
        ]),
    };
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
    message.finalize();
    let len = message.buffer_len();
    space.vec.resize(len, 0);
    message.serialize(&mut space.vec);
    len
}

#[cfg(feature = "peers")]
fn resolve(datagram: &[u8]) -> Result<u64, DecodeError> {
    use netlink_packet_generic::ctrl::nlas::{GenlCtrlAttrs, McastGrpAttrs};
    use netlink_packet_generic::{ctrl::GenlCtrl, GenlMessage};

    let message = NetlinkMessage::<GenlMessage<GenlCtrl>>::deserialize(datagram)?;
    let NetlinkPayload::InnerMessage(message) = message.payload else {
        return Err(DecodeError::from("not a reply"));
    };
    let mut id = 0;
    let mut group = 0;
    for attribute in &message.payload.nlas {
        match attribute {
            GenlCtrlAttrs::FamilyId(value) => id = *value,
            GenlCtrlAttrs::McastGroups(groups) => {
                for entry in groups {
                    let mut found = false;
                    let mut this = 0;
                    for attribute in entry {
                        match attribute {
                            McastGrpAttrs::Name(name) => found = name == "mptcp_pm_events",
                            McastGrpAttrs::Id(value) => this = *value,
                        }
                    }
                    if found {
                        group = this;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(u64::from(id) << 32 | u64::from(group))
}
