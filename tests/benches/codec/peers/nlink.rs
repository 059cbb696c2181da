//! nlink: its iterators and getters, and its builder.

use nlink::netlink::attr::{get, AttrIter};
use nlink::netlink::{Error, MessageBuilder, MessageIter};

use super::{read, read_event, read_number, walk};
use crate::event::Event;
use crate::jobs::{Contender, Endpoint, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "nlink",
    dump: Some(|datagrams| dump(datagrams).expect("well-formed")),
    dumps: None,
    addresses: Some(|datagrams| walk::addresses::<Nlink>(datagrams).expect("well-formed")),
    sockets: Some(|datagrams| walk::sockets::<Nlink>(datagrams).expect("well-formed")),
    refusal: Some(|datagrams| walk::refusal::<Nlink>(datagrams).expect("well-formed")),
    events: Some(|datagrams| events(datagrams).expect("well-formed")),
    build: Some(build),
    resolve: Some(|datagram| resolve(datagram).expect("well-formed")),
};

enum Nlink {}

impl walk::Walk for Nlink {
    type Error = Error;

    fn messages(
        datagram: &[u8],
        mut f: impl FnMut(u16, u16, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for message in MessageIter::new(datagram) {
            let (header, payload) = message?;
            f(header.nlmsg_type, header.nlmsg_flags, payload)?;
        }
        Ok(())
    }

    fn attributes(
        bytes: &[u8],
        mut f: impl FnMut(u16, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for (kind, value) in AttrIter::new(bytes) {
            f(kind, value)?;
        }
        Ok(())
    }

    fn u8(value: &[u8]) -> Result<u8, Error> {
        get::u8(value)
    }

    fn u32(value: &[u8]) -> Result<u32, Error> {
        get::u32_ne(value)
    }

    fn u64(value: &[u8]) -> Result<u64, Error> {
        get::u64_ne(value)
    }

    fn text(value: &[u8]) -> Result<usize, Error> {
        get::string(value).map(str::len)
    }
}

fn dump(datagrams: &[Vec<u8>]) -> Result<u64, Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in MessageIter::new(datagram) {
            let (header, payload) = message?;
            if header.nlmsg_type < 16 {
                continue;
            }
            let mut endpoint = Endpoint::default();
            for (kind, nest) in AttrIter::new(payload.get(4..).unwrap_or(&[])) {
                if kind != 1 {
                    continue;
                }
                for (kind, value) in AttrIter::new(nest) {
                    read!(endpoint endpoint, kind, value, get::u8, get::u16_ne, get::u32_ne);
                }
            }
            sum = sum.wrapping_add(endpoint.sum());
        }
    }
    Ok(sum)
}

fn events(datagrams: &[Vec<u8>]) -> Result<u64, Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        for message in MessageIter::new(datagram) {
            let (_, payload) = message?;
            let mut event = Event {
                command: payload.first().copied().unwrap_or(0),
                ..Event::default()
            };
            for (kind, value) in AttrIter::new(payload.get(4..).unwrap_or(&[])) {
                read!(event event, kind, value, get::u8, get::u16_ne, get::u32_ne);
            }
            sum = sum.wrapping_add(event.sum());
        }
    }
    Ok(sum)
}

fn build(wanted: &Wanted, space: &mut Space) -> usize {
    let mut builder = MessageBuilder::new(wanted.family, 5);
    builder.set_seq(wanted.seq);
    builder.append_bytes(&[1, 1, 0, 0]);
    let nest = builder.nest_start(1);
    builder.append_attr_u16(1, 2);
    builder.append_attr_u16(5, wanted.port);
    builder.append_attr_u8(2, wanted.id);
    builder.append_attr_u32(6, wanted.flags);
    builder.append_attr_u32(7, wanted.if_idx as u32);
    builder.append_attr(3, &wanted.address);
    builder.nest_end(nest);
    space.vec = builder.finish();
    space.vec.len()
}

fn resolve(datagram: &[u8]) -> Result<u64, Error> {
    let mut id = 0;
    let mut group = 0;
    for message in MessageIter::new(datagram) {
        let (_, payload) = message?;
        for (kind, value) in AttrIter::new(payload.get(4..).unwrap_or(&[])) {
            match kind {
                1 => id = get::u16_ne(value)?,
                7 => {
                    for (_, entry) in AttrIter::new(value) {
                        let mut name = "";
                        let mut this = 0;
                        for (kind, value) in AttrIter::new(entry) {
                            match kind {
                                1 => name = get::string(value)?,
                                2 => this = get::u32_ne(value)?,
                                _ => {}
                            }
                        }
                        if name == "mptcp_pm_events" {
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
