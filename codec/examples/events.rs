//! Follows the MPTCP events of this network namespace and prints them; needs
//! `CAP_NET_ADMIN`. With a number it ends after that many.
//!
//!     cargo run --example events 3

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::{self, controller};
use mptcp_codec::mptcp::{self, Event};
use mptcp_codec::netlink::Messages;

const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;

fn main() -> Result<()> {
    let most = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let socket =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, generic::NETLINK_GENERIC) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    let mut socket = unsafe { File::from_raw_fd(socket) };
    let mut space = [0; 65536];
    let mut buffer = [0; 64];
    let ask = controller::family_by_name(&mut buffer, 1, mptcp::FAMILY_NAME);
    let ask = ask.map_err(Error::other)?;
    // What is sent gives the socket its port, without which no event comes.
    socket.write_all(ask)?;
    let mut exchange = Exchange::new(ask).map_err(Error::other)?;
    let mut group = None;
    while !exchange.is_over() {
        let len = socket.read(&mut space)?;
        for reply in exchange.feed(&space[..len]) {
            if let Reply::Item(message) = reply.map_err(Error::other)? {
                let family = controller::Family::decode(&message).map_err(Error::other)?;
                group = family.group(mptcp::EVENT_GROUP).map_err(Error::other)?;
            }
        }
    }
    let group = group.ok_or(Error::other("this kernel has no MPTCP events"))?;
    let joined = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            SOL_NETLINK,
            NETLINK_ADD_MEMBERSHIP,
            (&raw const group).cast(),
            4,
        )
    };
    if joined != 0 {
        return Err(Error::last_os_error());
    }
    println!("listening");
    let mut seen = 0;
    while most.is_none_or(|most: u32| seen < most) {
        let len = socket.read(&mut space)?;
        for message in Messages::new(&space[..len]) {
            let event = Event::decode(&message.map_err(Error::other)?).map_err(Error::other)?;
            println!("{}: {:?}", event.kind, event.fields);
            seen += 1;
        }
    }
    Ok(())
}
