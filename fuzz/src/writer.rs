//! Any sequence of puts into a buffer of any size, beside a model that keeps
//! each attribute as bytes of its own.

use std::net::{Ipv4Addr, Ipv6Addr};

use arbitrary::{Arbitrary, Unstructured};
use mptcp_codec::netlink::{Header, Writer};
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::ErrorKind;

use super::{print_all, reference};

#[derive(Arbitrary, Debug)]
enum Put<'a> {
    U8(u16, u8),
    U16(u16, u16),
    U32(u16, u32),
    I32(u16, i32),
    U64(u16, u64),
    Be16(u16, u16),
    V4(u16, Ipv4Addr),
    V6(u16, Ipv6Addr),
    Bytes(u16, &'a [u8]),
    Text(u16, &'a [u8]),
    /// Long ones, up to beyond what `nla_len` can say.
    Long(u16, u16, u8),
    Fixed4([u8; 4]),
    Fixed12([u8; 12]),
    Nest(u16, Vec<Put<'a>>),
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    big: bool,
    room: u16,
    header: [u8; 16],
    puts: Vec<Put<'a>>,
}

/// Writes and compares.
pub fn run(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    if input.big {
        one::<Big>(&input);
    } else {
        one::<Little>(&input);
    }
}

fn one<E: Order>(input: &Input<'_>) {
    let order = reference::Order { big: input.big };
    // Sizes around what is needed are the interesting ones; half of the
    // inputs are given room for all but a few bytes.
    let mut needed = 16;
    let mut fits = true;
    let mut model: Vec<Vec<u8>> = Vec::new();
    for put in &input.puts {
        let bytes = bytes_of(put, order);
        needed += bytes.as_ref().map_or(0, Vec::len);
        match bytes {
            Some(bytes) if fits => model.push(bytes),
            _ => fits = false,
        }
    }
    let room = if input.room & 1 == 0 {
        usize::from(input.room >> 1)
    } else {
        (needed + 8).saturating_sub(usize::from(input.room >> 1 & 0x7f))
    };
    let mut expected = Vec::new();
    for bytes in model {
        if 16 + expected.len() + bytes.len() > room {
            fits = false;
            break;
        }
        expected.extend(bytes);
    }

    let header = Header::from_bytes::<E>(&input.header);
    assert_eq!(header.to_bytes::<E>(), input.header);
    let mut buffer = vec![0xaa; room];
    let mut writer = Writer::<E>::with_order(&mut buffer, header);
    for put in &input.puts {
        write(&mut writer, put);
    }
    let len = 16 + expected.len();
    match writer.finish() {
        Ok(message) => {
            assert!(fits, "more was written than there was room for");
            assert_eq!(message.len(), len);
        }
        Err(error) => {
            print_all!(error);
            assert!(!fits || room < 16, "{error} in {room} bytes");
            match error.kind() {
                ErrorKind::NoSpace => assert_eq!(error.offset(), if room < 16 { 0 } else { len }),
                // Longer than the length of an attribute can say.
                ErrorKind::TooLong => {
                    let mut puts = input.puts.iter();
                    assert!(puts.any(|put| bytes_of(put, order).is_none()), "{error}");
                }
                kind => {
                    assert_eq!(kind, ErrorKind::BadValue);
                    assert!(has_bad_text(&input.puts), "{error}");
                }
            }
        }
    }
    if room < 16 {
        assert!(buffer.iter().all(|b| *b == 0xaa), "wrote half a header");
        return;
    }
    // The message, or the attributes before the first that did not fit.
    let (list, _) = reference::messages(&buffer, order);
    let message = &list[0];
    assert_eq!(message.len as usize, len);
    assert_eq!(buffer[4..16], input.header[4..16]);
    assert_eq!(message.payload, expected);
}

/// What a put writes, padded; `None` if it can never be written.
fn bytes_of(put: &Put<'_>, order: reference::Order) -> Option<Vec<u8>> {
    let two = |n: u16| {
        if order.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let four = |n: u32| {
        if order.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let (kind, payload) = match put {
        Put::Fixed4(bytes) => return Some(bytes.to_vec()),
        Put::Fixed12(bytes) => return Some(bytes.to_vec()),
        Put::U8(kind, v) => (*kind, vec![*v]),
        Put::U16(kind, v) => (*kind, two(*v).to_vec()),
        Put::U32(kind, v) => (*kind, four(*v).to_vec()),
        Put::I32(kind, v) => (*kind, four(*v as u32).to_vec()),
        Put::U64(kind, v) => {
            let bytes = if order.big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            };
            (*kind, bytes.to_vec())
        }
        Put::Be16(kind, v) => (*kind, v.to_be_bytes().to_vec()),
        Put::V4(kind, v) => (*kind, v.octets().to_vec()),
        Put::V6(kind, v) => (*kind, v.octets().to_vec()),
        Put::Bytes(kind, v) => (*kind, v.to_vec()),
        Put::Long(kind, len, byte) => (*kind, vec![*byte; usize::from(*len)]),
        Put::Text(kind, v) => {
            if v.contains(&0) {
                return None;
            }
            (*kind, [*v, &[0]].concat())
        }
        Put::Nest(kind, puts) => {
            let mut inside = Vec::new();
            for put in puts {
                inside.extend(bytes_of(put, order)?);
            }
            (*kind | 0x8000, inside)
        }
    };
    let len = u16::try_from(4 + payload.len()).ok()?;
    let mut bytes = two(len).to_vec();
    bytes.extend(two(kind));
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    Some(bytes)
}

fn write<'w, 'b, E: Order>(to: &'w mut Writer<'b, E>, put: &Put<'_>) -> &'w mut Writer<'b, E> {
    match put {
        Put::U8(kind, v) => to.put_u8(*kind, *v),
        Put::U16(kind, v) => to.put_u16(*kind, *v),
        Put::U32(kind, v) => to.put_u32(*kind, *v),
        Put::I32(kind, v) => to.put_i32(*kind, *v),
        Put::U64(kind, v) => to.put_u64(*kind, *v),
        Put::Be16(kind, v) => to.put_be16(*kind, *v),
        Put::V4(kind, v) => to.put_ipv4(*kind, *v),
        Put::V6(kind, v) => to.put_ipv6(*kind, *v),
        Put::Bytes(kind, v) => to.put_bytes(*kind, v),
        Put::Text(kind, v) => to.put_text(*kind, v),
        Put::Long(kind, len, byte) => to.put_bytes(*kind, &vec![*byte; usize::from(*len)]),
        Put::Fixed4(bytes) => to.bytes(*bytes),
        Put::Fixed12(bytes) => to.bytes(*bytes),
        Put::Nest(kind, puts) => to.nest(*kind, |nest| {
            for put in puts {
                write(nest, put);
            }
            nest
        }),
    }
}

fn has_bad_text(puts: &[Put<'_>]) -> bool {
    puts.iter().any(|put| match put {
        Put::Text(_, text) => text.contains(&0),
        Put::Nest(_, inside) => has_bad_text(inside),
        _ => false,
    })
}
