//! Jobs done with crates that walk messages and attributes, and leave to their users
//! what is in them.

use super::{v4, v6};
use crate::jobs::{Address, Interface, Socket};

/// What such a crate has.
pub trait Walk {
    type Error;

    /// Calls `f` with type, flags and payload of each message.
    fn messages(
        datagram: &[u8],
        f: impl FnMut(u16, u16, &[u8]) -> Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;

    /// Calls `f` with type and value of each attribute.
    fn attributes(
        bytes: &[u8],
        f: impl FnMut(u16, &[u8]) -> Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;

    fn u8(value: &[u8]) -> Result<u8, Self::Error>;
    fn u32(value: &[u8]) -> Result<u32, Self::Error>;
    fn u64(value: &[u8]) -> Result<u64, Self::Error>;
    /// The length of a string.
    fn text(value: &[u8]) -> Result<usize, Self::Error>;
}

/// A number of a fixed part, whose length has been checked.
fn word(fixed: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(fixed[at..at + 4].try_into().expect("four bytes"))
}

fn address(family: u8, bytes: &[u8]) -> Address {
    match family {
        2 => v4(&bytes[..4.min(bytes.len())]),
        10 => v6(bytes),
        _ => Address::None,
    }
}

pub fn addresses<W: Walk>(datagrams: &[Vec<u8>]) -> Result<u64, W::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        W::messages(datagram, |kind, _, payload| {
            let Some((fixed, attributes)) = payload.split_at_checked(8) else {
                return Ok(());
            };
            if kind != 20 && kind != 21 {
                return Ok(());
            }
            let family = fixed[0];
            let mut interface = Interface {
                family,
                prefix: fixed[1],
                flags: fixed[2].into(),
                scope: fixed[3],
                index: word(fixed, 4),
                ..Interface::default()
            };
            let (mut local, mut other) = (Address::None, Address::None);
            W::attributes(attributes, |kind, value| {
                match kind {
                    1 => other = address(family, value),
                    2 => local = address(family, value),
                    3 => interface.label = W::text(value)?,
                    6 => interface.valid = W::u32(value.get(4..8).unwrap_or(&[]))?,
                    8 => interface.flags = W::u32(value)?,
                    _ => {}
                }
                Ok(())
            })?;
            interface.address = match local {
                Address::None => other,
                local => local,
            };
            sum = sum.wrapping_add(interface.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

pub fn sockets<W: Walk>(datagrams: &[Vec<u8>]) -> Result<u64, W::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        W::messages(datagram, |kind, _, payload| {
            let Some((fixed, attributes)) = payload.split_at_checked(72) else {
                return Ok(());
            };
            if kind != 20 {
                return Ok(());
            }
            let mut socket = Socket {
                state: fixed[1],
                ports: [4, 6].map(|at| u16::from_be_bytes([fixed[at], fixed[at + 1]])),
                source: address(fixed[0], &fixed[8..24]),
                destination: address(fixed[0], &fixed[24..40]),
                interface: word(fixed, 40),
                inode: word(fixed, 68),
                ..Socket::default()
            };
            W::attributes(attributes, |kind, value| {
                match kind {
                    2 => {
                        if let Some(rtt) = value.get(68..72) {
                            socket.rtt = W::u32(rtt)?;
                        }
                    }
                    4 => socket.congestion = W::text(value)?,
                    19 => W::attributes(value, |kind, value| match kind {
                        3 => subflow::<W>(value, &mut socket),
                        _ => Ok(()),
                    })?,
                    _ => {}
                }
                Ok(())
            })?;
            sum = sum.wrapping_add(socket.sum());
            Ok(())
        })?;
    }
    Ok(sum)
}

fn subflow<W: Walk>(bytes: &[u8], socket: &mut Socket) -> Result<(), W::Error> {
    W::attributes(bytes, |kind, value| {
        match kind {
            2 => socket.token = W::u32(value)?,
            4 => socket.map_seq = W::u64(value)?,
            8 => socket.flags = W::u32(value)?,
            9 => socket.ids[0] = W::u8(value)?,
            10 => socket.ids[1] = W::u8(value)?,
            _ => {}
        }
        Ok(())
    })
}

pub fn refusal<W: Walk>(datagrams: &[Vec<u8>]) -> Result<u64, W::Error> {
    let mut sum = 0u64;
    for datagram in datagrams {
        W::messages(datagram, |kind, flags, payload| {
            let Some((head, repeated)) = payload.split_at_checked(20) else {
                return Ok(());
            };
            if kind != 2 || flags & 0x200 == 0 {
                return Ok(());
            }
            let errno = word(head, 0) as i32;
            let skip = if flags & 0x100 == 0 {
                (word(head, 4) as usize).saturating_sub(16)
            } else {
                0
            };
            let (mut text, mut offset) = (0, 0);
            let attributes = repeated.get(skip.next_multiple_of(4)..).unwrap_or(&[]);
            W::attributes(attributes, |kind, value| {
                match kind {
                    1 => text = W::text(value)?,
                    2 => offset = W::u32(value)?,
                    _ => {}
                }
                Ok(())
            })?;
            sum = sum
                .wrapping_add(u64::from(errno.unsigned_abs()))
                .wrapping_add((text as u64) << 8)
                .wrapping_add(u64::from(offset) << 16);
            Ok(())
        })?;
    }
    Ok(sum)
}
