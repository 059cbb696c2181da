//! Prints the netlink messages of a capture: files of `tcpdump -i nlmon0` and
//! of Wireshark (pcap and pcapng, DLT_NETLINK, each packet with nlmon's cooked
//! header that names the protocol), from machines of either byte order.
//!
//!     cargo run --example pcap FILE [ID OF mptcp_pm]

use std::io::{Error, Result};

use mptcp_codec::mptcp::PathManager;
use mptcp_codec::netlink::Messages;
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::print::{self, Netlink};

/// `LINKTYPE_NETLINK`.
const NETLINK: u32 = 253;
/// The cooked header: direction, hardware, ten bytes, protocol; all in network
/// order.
const COOKED: usize = 16;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments
        .next()
        .ok_or(Error::other("usage: pcap FILE [ID]"))?;
    let id = arguments.next().and_then(|id| id.parse().ok()).unwrap_or(0);
    let bytes = std::fs::read(file)?;
    // The file is in the order of the machine that wrote it, as netlink is.
    match (bytes.first_chunk(), bytes.get(8..12)) {
        (Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]), _) => {
            pcap::<Little>(&bytes, id)
        }
        (Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]), _) => pcap::<Big>(&bytes, id),
        (Some([10, 13, 13, 10]), Some([0x4d, 0x3c, 0x2b, 0x1a])) => pcapng::<Little>(&bytes, id),
        (Some([10, 13, 13, 10]), Some([0x1a, 0x2b, 0x3c, 0x4d])) => pcapng::<Big>(&bytes, id),
        _ => Err(Error::other("no pcap file")),
    }
}

fn short() -> Error {
    Error::other("the file ends in a packet")
}

/// `len` bytes at `at`.
fn part(bytes: &[u8], at: usize, len: usize) -> Result<&[u8]> {
    let rest = bytes.get(at..).and_then(|rest| rest.get(..len));
    rest.ok_or_else(short)
}

fn word<E: Order>(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = part(bytes, at, 4)?.first_chunk();
    bytes.map(|bytes| E::u32(*bytes)).ok_or_else(short)
}

/// A head of 24 bytes, then packets, each with a head of 16.
fn pcap<E: Order>(bytes: &[u8], id: u16) -> Result<()> {
    if word::<E>(bytes, 20)? & 0xffff != NETLINK {
        return Err(Error::other("no capture of netlink"));
    }
    let mut at = 24;
    while at < bytes.len() {
        let len = word::<E>(bytes, at + 8)? as usize;
        packet::<E>(part(bytes, at + 16, len)?, id)?;
        at += 16 + len;
    }
    Ok(())
}

/// Blocks, each with its type and its length; those of interfaces say what is
/// captured there.
fn pcapng<E: Order>(mut rest: &[u8], id: u16) -> Result<()> {
    let mut is_netlink = Vec::new();
    while !rest.is_empty() {
        let len = word::<E>(rest, 4)? as usize;
        let block = part(rest, 0, len)?;
        match word::<E>(block, 0)? {
            // A section has its own interfaces; one of another order is not read.
            0x0a0d_0d0a if word::<E>(block, 8)? == 0x1a2b_3c4d => is_netlink.clear(),
            0x0a0d_0d0a => return Err(Error::other("a section of another byte order")),
            1 => {
                let kind = part(block, 8, 2)?.first_chunk();
                is_netlink.push(kind.is_some_and(|kind| u32::from(E::u16(*kind)) == NETLINK));
            }
            6 => {
                let interface = word::<E>(block, 8)? as usize;
                if is_netlink.get(interface) == Some(&true) {
                    let len = word::<E>(block, 20)? as usize;
                    packet::<E>(part(block, 28, len)?, id)?;
                }
            }
            _ => {}
        }
        rest = rest.get(len.max(12)..).ok_or_else(short)?;
    }
    Ok(())
}

fn packet<E: Order>(packet: &[u8], id: u16) -> Result<()> {
    let (cooked, datagram) = packet.split_first_chunk::<COOKED>().ok_or_else(short)?;
    let families = [PathManager::named(id)];
    let protocol = match u16::from_be_bytes([cooked[14], cooked[15]]) {
        0 => Netlink::Route,
        4 => Netlink::SockDiag,
        16 => Netlink::Generic(&families),
        _ => Netlink::Other(0),
    };
    for message in Messages::<E>::with_order(datagram) {
        match message {
            Ok(message) => println!("{}", print::message(&message, protocol)),
            Err(error) => println!("({error})"),
        }
    }
    Ok(())
}
