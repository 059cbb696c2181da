//! Netlink by hand: just enough to make interfaces and to look at MPTCP endpoints.
//!
//! Independent of the product's codec on purpose. Numbers are those of the kernel's
//! `uapi/linux/netlink.h`, `genetlink.h`, `rtnetlink.h` and `mptcp_pm.h`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// What the kernel answered to a request it did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// errno, positive.
    pub errno: i32,
    /// The text of the extended ack, if there was one.
    pub text: Option<String>,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal {
            errno: error.raw_os_error().unwrap_or(0),
            text: None,
        }
    }
}

/// Bytes of a request under construction: fixed part, then attributes.
#[derive(Default, Clone)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// Starts with the fixed header of the protocol.
    pub fn new(header: &[u8]) -> Bytes {
        Bytes(header.to_vec())
    }

    /// Appends one attribute, padded to four bytes.
    pub fn put(mut self, number: u16, value: &[u8]) -> Bytes {
        let length = u16::try_from(value.len() + 4).expect("test attribute fits");
        self.0.extend(length.to_ne_bytes());
        self.0.extend(number.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Appends a nest holding `inside`.
    pub fn nest(self, number: u16, inside: Bytes) -> Bytes {
        self.put(number | 0x8000, &inside.0)
    }
}

/// The attributes in `bytes`: number without its flag bits, value.
pub fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        let number = u16::from_ne_bytes([bytes[2], bytes[3]]) & 0x3fff;
        found.push((number, &bytes[4..length]));
        bytes = &bytes[length.next_multiple_of(4).min(bytes.len())..];
    }
    found
}

/// The value of attribute `number`.
pub fn attribute<'a>(all: &[(u16, &'a [u8])], number: u16) -> Option<&'a [u8]> {
    all.iter().find(|(n, _)| *n == number).map(|(_, v)| *v)
}

pub(crate) fn u16_at(bytes: &[u8]) -> u16 {
    u16::from_ne_bytes(bytes[..2].try_into().expect("two bytes"))
}

pub(crate) fn u32_at(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes[..4].try_into().expect("four bytes"))
}

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// A netlink socket in the network namespace of the thread that opened it.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens and binds; `protocol` is e.g. `libc::NETLINK_GENERIC`.
    pub fn open(protocol: i32) -> io::Result<Socket> {
        // SAFETY: integers in; the descriptor is owned immediately.
        let fd = unsafe {
            let fd = libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                protocol,
            );
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let socket = Socket { fd, sequence: 0 };
        socket.set(libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1)?;
        // SAFETY: sockaddr_nl is plain integers, all zero is "let the kernel choose".
        let bound = unsafe {
            let mut address: libc::sockaddr_nl = std::mem::zeroed();
            address.nl_family = libc::AF_NETLINK as u16;
            libc::bind(
                socket.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_nl>() as u32,
            )
        };
        check(bound)?;
        Ok(socket)
    }

    /// Sets an integer socket option.
    pub fn set(&self, level: i32, option: i32, value: i32) -> io::Result<()> {
        // SAFETY: points to a live integer of the stated size.
        check(unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                (&raw const value).cast(),
                size_of::<i32>() as u32,
            )
        })
    }

    /// Makes [`Socket::receive`] give up with an error after 50 ms.
    pub fn set_receive_timeout(&self) {
        let time = libc::timeval {
            tv_sec: 0,
            tv_usec: 50_000,
        };
        // SAFETY: points to a live structure of the stated size.
        let set = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const time).cast(),
                size_of_val(&time) as u32,
            )
        };
        check(set).expect("a receive timeout");
    }

    /// How many messages the kernel dropped for want of room (`SO_MEMINFO`).
    pub fn dropped(&self) -> io::Result<u32> {
        let mut words = [0_u32; 9];
        let mut length = size_of_val(&words) as u32;
        // SAFETY: the kernel writes at most `length` bytes.
        check(unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                words.as_mut_ptr().cast(),
                &mut length,
            )
        })?;
        Ok(words[8])
    }

    /// One datagram. `ENOBUFS` (messages were dropped) is an error like any other.
    pub fn receive(&self, space: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the kernel writes at most the length of the slice.
        let got = unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                space.as_mut_ptr().cast(),
                space.len(),
                0,
            )
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Sends a request and waits for its ack.
    pub fn command(&mut self, kind: u16, extra_flags: u16, payload: &[u8]) -> Result<(), Refusal> {
        self.exchange(kind, REQUEST | ACK | extra_flags, payload)
            .map(drop)
    }

    /// Sends a request that has one reply, and gives the reply's payload.
    pub fn query(&mut self, kind: u16, payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut replies = self.exchange(kind, REQUEST | ACK, payload)?;
        replies.pop().ok_or(Refusal {
            errno: 0,
            text: Some("no reply".into()),
        })
    }

    /// Sends a dump request and gives all payloads.
    pub fn dump(&mut self, kind: u16, payload: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        self.exchange(kind, REQUEST | DUMP, payload)
    }

    fn exchange(&mut self, kind: u16, flags: u16, payload: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
        self.sequence += 1;
        let mut request = Vec::new();
        request.extend((payload.len() as u32 + 16).to_ne_bytes());
        request.extend(kind.to_ne_bytes());
        request.extend(flags.to_ne_bytes());
        request.extend(self.sequence.to_ne_bytes());
        request.extend(0_u32.to_ne_bytes());
        request.extend(payload);
        // SAFETY: the slice is live for the call.
        let sent = unsafe {
            libc::send(
                self.fd.as_raw_fd(),
                request.as_ptr().cast(),
                request.len(),
                0,
            )
        };
        if sent < 0 {
            return Err(io::Error::last_os_error().into());
        }
        let mut replies = Vec::new();
        let mut space = vec![0; 65536];
        loop {
            let got = self.receive(&mut space)?;
            let mut rest = &space[..got];
            while rest.len() >= 16 {
                let length = u32_at(rest) as usize;
                let (kind, flags) = (u16_at(&rest[4..]), u16_at(&rest[6..]));
                let (message, sequence) = (&rest[16..length], u32_at(&rest[8..]));
                rest = &rest[length.next_multiple_of(4).min(rest.len())..];
                if sequence != self.sequence {
                    continue;
                }
                match kind {
                    ERROR | DONE => match u32_at(message) as i32 {
                        0 => return Ok(replies),
                        code => {
                            return Err(Refusal {
                                errno: -code,
                                text: extack_text(kind, flags, message),
                            })
                        }
                    },
                    _ => replies.push(message.to_vec()),
                }
            }
        }
    }
}

fn extack_text(kind: u16, flags: u16, message: &[u8]) -> Option<String> {
    const ACK_TLVS: u16 = 0x200;
    const CAPPED: u16 = 0x100;
    if flags & ACK_TLVS == 0 {
        return None;
    }
    let start = match kind {
        DONE => 4,
        _ if flags & CAPPED != 0 => 20,
        _ => 4 + (u32_at(&message[4..]) as usize).next_multiple_of(4),
    };
    let text = attribute(&attributes(message.get(start..)?), 1)?.to_vec();
    Some(
        String::from_utf8_lossy(&text)
            .trim_end_matches('\0')
            .to_string(),
    )
}

/// A generic netlink family: the number its messages carry and its multicast groups.
pub struct Family {
    pub id: u16,
    pub groups: Vec<(String, u32)>,
}

impl Family {
    /// Asks the controller; the refusal is `ENOENT` where the kernel lacks the family.
    pub fn find(socket: &mut Socket, name: &str) -> Result<Family, Refusal> {
        let mut name = name.as_bytes().to_vec();
        name.push(0);
        let reply = socket.query(16, &Bytes::new(&[3, 1, 0, 0]).put(2, &name).0)?;
        let all = attributes(&reply[4..]);
        let id = u16_at(attribute(&all, 1).expect("the controller sends the id"));
        let groups = attributes(attribute(&all, 7).unwrap_or_default())
            .into_iter()
            .map(|(_, group)| {
                let group = attributes(group);
                let name = attribute(&group, 1).expect("a group has a name");
                let name = String::from_utf8_lossy(name)
                    .trim_end_matches('\0')
                    .to_string();
                (
                    name,
                    u32_at(attribute(&group, 2).expect("a group has a number")),
                )
            })
            .collect();
        Ok(Family { id, groups })
    }
}

pub(crate) fn check(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
