//! The floor: what a C programmer in a hurry writes. It casts pointers to
//! structs and follows the lengths it finds; nothing is checked but that the
//! end is not passed. Only for bytes known to be well-formed.

#![allow(clippy::cast_ptr_alignment)]

use crate::event::{self, Event};
use crate::jobs::{Address, Contender, Endpoint, Interface, Socket, Space, Wanted};

pub const CONTENDER: Contender = Contender {
    name: "floor (unsafe casts)",
    dump: Some(dump),
    dumps: Some([
        dump_here::<0>,
        dump_here::<1>,
        dump_here::<2>,
        dump_here::<3>,
        dump_here::<4>,
        dump_here::<5>,
    ]),
    addresses: Some(addresses),
    sockets: Some(sockets),
    refusal: Some(refusal),
    events: Some(events),
    build: Some(build),
    resolve: Some(resolve),
};

#[repr(C)]
struct Message {
    len: u32,
    kind: u16,
    flags: u16,
    seq: u32,
    port: u32,
    command: u8,
    version: u8,
    reserved: u16,
}

#[repr(C)]
struct Attribute {
    len: u16,
    kind: u16,
}

const fn align(len: usize) -> usize {
    (len + 3) & !3
}

/// Calls `f` with type, value and length of each attribute.
#[inline(always)]
unsafe fn attributes(mut at: *const u8, end: *const u8, mut f: impl FnMut(u16, *const u8, usize)) {
    while at < end {
        let attribute = &*at.cast::<Attribute>();
        f(
            attribute.kind & 0x3fff,
            at.add(4),
            attribute.len as usize - 4,
        );
        at = at.add(align(attribute.len as usize));
    }
}

/// Calls `f` with each message of a datagram and where it ends.
#[inline(always)]
unsafe fn messages(datagram: &[u8], mut f: impl FnMut(&Message, *const u8, *const u8)) {
    let mut at = datagram.as_ptr();
    let end = at.add(datagram.len());
    while at < end {
        let message = &*at.cast::<Message>();
        f(message, at.add(20), at.add(message.len as usize));
        at = at.add(align(message.len as usize));
    }
}

#[inline(always)]
unsafe fn get<T: Copy>(value: *const u8) -> T {
    value.cast::<T>().read_unaligned()
}

fn dump(datagrams: &[Vec<u8>]) -> u64 {
    dump_here::<0>(datagrams)
}

/// `PLACE` makes each a function of its own.
#[inline(never)]
fn dump_here<const PLACE: u32>(datagrams: &[Vec<u8>]) -> u64 {
    let mut sum = u64::from(PLACE);
    for datagram in datagrams {
        unsafe {
            messages(datagram, |message, start, end| {
                if message.kind < 16 {
                    return;
                }
                let mut endpoint = Endpoint::default();
                attributes(start, end, |kind, nest, len| {
                    if kind != 1 {
                        return;
                    }
                    attributes(nest, nest.add(len), |kind, value, _| match kind {
                        1 => endpoint.family = get(value),
                        2 => endpoint.id = get(value),
                        3 => endpoint.address = Address::V4(get::<u32>(value).to_be()),
                        4 => endpoint.address = Address::V6(get::<u128>(value).to_be()),
                        5 => endpoint.port = get(value),
                        6 => endpoint.flags = get(value),
                        7 => endpoint.if_idx = get(value),
                        _ => {}
                    });
                });
                sum = sum.wrapping_add(endpoint.sum());
            });
        }
    }
    sum
}

macro_rules! number {
    (be16 $value:ident) => {
        get::<u16>($value).to_be()
    };
    ($type:ident $value:ident) => {
        get::<$type>($value)
    };
}

macro_rules! read_event {
    (
        ($event:ident $kind:ident $value:ident)
        numbers { $( $number:literal $_name:ident $field:ident: $type:ident, )+ }
        addresses { $( $four:literal $_four:ident $six:literal $_six:ident $address:ident, )+ }
    ) => {
        match $kind {
            $( $number => $event.$field = number!($type $value), )+
            $(
                $four => $event.$address = Address::V4(get::<u32>($value).to_be()),
                $six => $event.$address = Address::V6(get::<u128>($value).to_be()),
            )+
            _ => {}
        }
    };
}

fn events(datagrams: &[Vec<u8>]) -> u64 {
    let mut sum = 0u64;
    for datagram in datagrams {
        unsafe {
            messages(datagram, |message, start, end| {
                let mut event = Event {
                    command: message.command,
                    ..Event::default()
                };
                attributes(start, end, |kind, value, _| {
                    event::attributes!(read_event event kind value);
                });
                sum = sum.wrapping_add(event.sum());
            });
        }
    }
    sum
}

#[inline(always)]
unsafe fn put<T>(at: &mut *mut u8, kind: u16, value: T) {
    let len = 4 + std::mem::size_of::<T>();
    *at.cast::<Attribute>() = Attribute {
        len: len as u16,
        kind,
    };
    at.add(4).cast::<T>().write_unaligned(value);
    *at = at.add(align(len));
}

fn build(wanted: &Wanted, space: &mut Space) -> usize {
    unsafe {
        let start = space.bytes.as_mut_ptr();
        let nest = start.add(20);
        let mut at = nest.add(4);
        put(&mut at, 1, 2u16);
        put(&mut at, 5, wanted.port);
        put(&mut at, 2, wanted.id);
        put(&mut at, 6, wanted.flags);
        put(&mut at, 7, wanted.if_idx);
        put(&mut at, 3, wanted.address);
        *nest.cast::<Attribute>() = Attribute {
            len: at.offset_from(nest) as u16,
            kind: 0x8001,
        };
        let len = at.offset_from(start) as usize;
        *start.cast::<Message>() = Message {
            len: len as u32,
            kind: wanted.family,
            flags: 5,
            seq: wanted.seq,
            port: 0,
            command: 1,
            version: 1,
            reserved: 0,
        };
        len
    }
}

fn resolve(datagram: &[u8]) -> u64 {
    let mut id = 0u16;
    let mut group = 0u32;
    unsafe {
        messages(datagram, |_, start, end| {
            attributes(start, end, |kind, value, len| match kind {
                1 => id = get(value),
                7 => attributes(value, value.add(len), |_, value, len| {
                    let mut name: &[u8] = &[];
                    let mut this = 0;
                    attributes(value, value.add(len), |kind, value, len| match kind {
                        1 => name = std::slice::from_raw_parts(value, len),
                        2 => this = get(value),
                        _ => {}
                    });
                    if name == b"mptcp_pm_events\0" {
                        group = this;
                    }
                }),
                _ => {}
            });
        });
    }
    u64::from(id) << 32 | u64::from(group)
}

fn addresses(datagrams: &[Vec<u8>]) -> u64 {
    let mut sum = 0u64;
    for datagram in datagrams {
        unsafe {
            messages(datagram, |message, start, end| {
                if message.kind != 20 && message.kind != 21 {
                    return;
                }
                let fixed = start.sub(4);
                let family = *fixed;
                let mut interface = Interface {
                    family,
                    prefix: *fixed.add(1),
                    flags: u32::from(*fixed.add(2)),
                    scope: *fixed.add(3),
                    index: get(fixed.add(4)),
                    ..Interface::default()
                };
                let (mut local, mut other) = (std::ptr::null(), std::ptr::null());
                attributes(fixed.add(8), end, |kind, value, len| match kind {
                    1 => other = value,
                    2 => local = value,
                    3 => interface.label = len - 1,
                    6 => interface.valid = get(value.add(4)),
                    8 => interface.flags = get(value),
                    _ => {}
                });
                let address = if local.is_null() { other } else { local };
                interface.address = match family {
                    2 => Address::V4(get::<u32>(address).to_be()),
                    10 => Address::V6(get::<u128>(address).to_be()),
                    _ => Address::None,
                };
                sum = sum.wrapping_add(interface.sum());
            });
        }
    }
    sum
}

fn sockets(datagrams: &[Vec<u8>]) -> u64 {
    let mut sum = 0u64;
    for datagram in datagrams {
        unsafe {
            messages(datagram, |message, start, end| {
                if message.kind != 20 {
                    return;
                }
                let fixed = start.sub(4);
                let address = |at: usize| match *fixed {
                    2 => Address::V4(get::<u32>(fixed.add(at)).to_be()),
                    10 => Address::V6(get::<u128>(fixed.add(at)).to_be()),
                    _ => Address::None,
                };
                let mut socket = Socket {
                    state: *fixed.add(1),
                    ports: [
                        get::<u16>(fixed.add(4)).to_be(),
                        get::<u16>(fixed.add(6)).to_be(),
                    ],
                    source: address(8),
                    destination: address(24),
                    interface: get(fixed.add(40)),
                    inode: get(fixed.add(68)),
                    ..Socket::default()
                };
                attributes(fixed.add(72), end, |kind, value, len| match kind {
                    2 if len >= 72 => socket.rtt = get(value.add(68)),
                    4 => socket.congestion = len - 1,
                    19 => attributes(value, value.add(len), |kind, value, len| {
                        if kind == 3 {
                            attributes(value, value.add(len), |kind, value, _| match kind {
                                2 => socket.token = get(value),
                                4 => socket.map_seq = get(value),
                                8 => socket.flags = get(value),
                                9 => socket.ids[0] = *value,
                                10 => socket.ids[1] = *value,
                                _ => {}
                            });
                        }
                    }),
                    _ => {}
                });
                sum = sum.wrapping_add(socket.sum());
            });
        }
    }
    sum
}

fn refusal(datagrams: &[Vec<u8>]) -> u64 {
    let mut sum = 0u64;
    for datagram in datagrams {
        unsafe {
            messages(datagram, |message, start, end| {
                let payload = start.sub(4);
                let errno = get::<i32>(payload);
                let request = get::<u32>(payload.add(4)) as usize;
                let repeated = if message.flags & 0x100 == 0 {
                    request
                } else {
                    16
                };
                let (mut text, mut offset) = (0, 0);
                attributes(
                    payload.add(4 + align(repeated)),
                    end,
                    |kind, value, len| match kind {
                        1 => text = len - 1,
                        2 => offset = get::<u32>(value),
                        _ => {}
                    },
                );
                sum = sum
                    .wrapping_add(u64::from(errno.unsigned_abs()))
                    .wrapping_add((text as u64) << 8)
                    .wrapping_add(u64::from(offset) << 16);
            });
        }
    }
    sum
}
