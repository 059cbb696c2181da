//! Prints the netlink messages of a capture: pcap files of `tcpdump -i nlmon0`
//! (DLT_NETLINK, each packet with the cooked header that names the protocol),
//! from machines of either byte order.
//!
//!     cargo run --example pcap FILE [ID OF mptcp_pm]

use std::io::{Error, Result};

use mptcp_codec::mptcp::PathManager;
use mptcp_codec::netlink::Messages;
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::print::{self, Protocol};

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
    match bytes.first_chunk::<4>() {
        Some([0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1]) => packets::<Little>(&bytes, id),
        Some([0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d]) => packets::<Big>(&bytes, id),
        _ => Err(Error::other("no pcap file")),
    }
}

fn packets<E: Order>(bytes: &[u8], id: u16) -> Result<()> {
    let short = || Error::other("the file ends in a packet");
    let word = |at: usize| {
        let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map(|bytes| E::u32(*bytes)).ok_or_else(short)
    };
    if word(20)? & 0xffff != NETLINK {
        return Err(Error::other("no capture of netlink"));
    }
    let families = [PathManager::named(id)];
    let mut at = 24;
    while at < bytes.len() {
        let len = word(at + 8)? as usize;
        let packet = bytes
            .get(at + 16..)
            .and_then(|rest| rest.get(..len))
            .ok_or_else(short)?;
        at += 16 + len;
        let (cooked, datagram) = packet.split_first_chunk::<COOKED>().ok_or_else(short)?;
        let protocol = match u16::from_be_bytes([cooked[14], cooked[15]]) {
            0 => Protocol::Route,
            4 => Protocol::SockDiag,
            16 => Protocol::Generic(&families),
            _ => Protocol::Other(0),
        };
        for message in Messages::<E>::with_order(datagram) {
            match message {
                Ok(message) => println!("{}", print::message(&message, protocol)),
                Err(error) => println!("({error})"),
            }
        }
    }
    Ok(())
}
