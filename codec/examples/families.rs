//! Prints all that the kernel says of its families, links, addresses and
//! routes: every attribute with its name.
//!
//!     cargo run --example families

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::FromRawFd;

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::{self, controller};
use mptcp_codec::mptcp::PathManager;
use mptcp_codec::print::{self, Netlink};
use mptcp_codec::route;

/// Sends a request and prints the answer.
fn show(protocol: i32, of: Netlink, request: &[u8]) -> Result<()> {
    let socket = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, protocol) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    let mut socket = unsafe { File::from_raw_fd(socket) };
    socket.write_all(request)?;
    let mut exchange = Exchange::new(request).map_err(Error::other)?;
    let mut space = [0; 65536];
    while !exchange.is_over() {
        let len = socket.read(&mut space)?;
        for reply in exchange.feed(&space[..len]) {
            match reply.map_err(Error::other)? {
                Reply::Item(message) => println!("{}", print::message(&message, of)),
                Reply::Refused { errno, .. } => return Err(Error::from_raw_os_error(errno as i32)),
                _ => {}
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut space = [0; route::request::MAX_LEN];
    // Only the controller's messages come here; a path manager would be named
    // with the id that is found in them.
    let families = [PathManager::named(u16::MAX)];
    let ask = controller::all_families(&mut space, 1).map_err(Error::other)?;
    show(generic::NETLINK_GENERIC, Netlink::Generic(&families), ask)?;
    let ask = route::request::dump_links(&mut space, 1).map_err(Error::other)?;
    show(route::NETLINK_ROUTE, Netlink::Route, ask)?;
    let ask = route::request::dump_addresses(&mut space, 0, 2, 0).map_err(Error::other)?;
    show(route::NETLINK_ROUTE, Netlink::Route, ask)?;
    let ask = route::request::dump_routes(&mut space, 0, 3).map_err(Error::other)?;
    show(route::NETLINK_ROUTE, Netlink::Route, ask)
}
