//! Strings, nests and arrays of another family: the names of all features that
//! a network interface can have, as `ethtool` asks the kernel for them.
//!
//!     cargo run --example ethtool

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::FromRawFd;

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::{self, controller};
use mptcp_codec::netlink::{flags, Message};
use mptcp_codec::print::{self, Netlink};

mptcp_codec::attribute_set! {
    /// What is asked for, and the answer (`ETHTOOL_A_STRSET_*`).
    pub struct StringSets<'a> {
        /// Of which interface; of none.
        1 HEADER header / with_header: attributes,
        /// The sets.
        2 STRINGSETS sets / with_sets: array [StringSet<'a, E>],
        /// Only how many there are.
        3 COUNTS_ONLY counts_only / with_counts_only: flag,
    }
}

mptcp_codec::attribute_set! {
    /// A set of strings (`ETHTOOL_A_STRINGSET_*`).
    pub struct StringSet<'a> {
        /// Which one.
        1 ID id / with_id: u32 as Of,
        /// How many are in it.
        2 COUNT count / with_count: u32,
        /// The strings.
        3 STRINGS strings / with_strings: array [One<'a, E>],
    }
}

mptcp_codec::attribute_set! {
    /// A string (`ETHTOOL_A_STRING_*`).
    pub struct One<'a> {
        /// Its place in the set.
        1 INDEX index / with_index: u32,
        /// It itself.
        2 VALUE value / with_value: string,
    }
}

mptcp_codec::numbered! {
    /// What strings are of (`ETH_SS_*`).
    pub enum Of: u32 {
        /// What an interface can do.
        4 Features "features",
    }
}

mptcp_codec::generic_family! {
    /// The settings of interfaces (`linux/ethtool_netlink.h`).
    pub struct Ethtool = "ethtool", version 1;
    attributes StringSets<'a>;
    commands Command {
        /// Reads sets of strings.
        1 StringSets "STRSET_GET",
    }
    groups {
        /// Changes.
        MONITOR "monitor",
    }
}

/// Sends a request and hands out each message of the answer.
fn call(socket: &mut File, request: &[u8], mut each: impl FnMut(&Message<'_>)) -> Result<()> {
    socket.write_all(request)?;
    let mut exchange = Exchange::new(request).map_err(Error::other)?;
    let mut space = [0; 65536];
    while !exchange.is_over() {
        let len = socket.read(&mut space)?;
        for reply in exchange.feed(&space[..len]) {
            match reply.map_err(Error::other)? {
                Reply::Item(message) => each(&message),
                Reply::Refused { errno, .. } => return Err(Error::from_raw_os_error(errno as i32)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Prints the strings of an answer.
fn show(message: &Message<'_>) -> std::result::Result<(), mptcp_codec::Error> {
    let (_, answer) = Ethtool::decode(message)?;
    for set in answer.sets() {
        let set = set?;
        let of = set.id().map_or(String::new(), |of| of.to_string());
        println!("{of}: {}", set.count().unwrap_or(0));
        for one in set.strings() {
            let one = one?;
            println!(
                "{:4} {}",
                one.index().unwrap_or(0),
                one.value().unwrap_or_default()
            );
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let socket =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, generic::NETLINK_GENERIC) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    let mut socket = unsafe { File::from_raw_fd(socket) };
    let mut space = [0; 128];
    let mut id = 0;
    let ask = controller::family_by_name(&mut space, 1, Ethtool::NAME).map_err(Error::other)?;
    call(&mut socket, ask, |message| {
        id = controller::Family::decode(message).map_or(0, |family| family.id);
    })?;
    let wanted = <StringSet>::EMPTY.with_id(Of::Features);
    let mut request = Ethtool::request(&mut space, id, 2, flags::REQUEST, Command::StringSets);
    request
        .nest(<StringSets>::HEADER, |header| header)
        .nest(<StringSets>::STRINGSETS, |sets| {
            sets.nest(1, |set| wanted.encode(set))
        });
    let families = [Ethtool::named(id)];
    let mut result = Ok(());
    call(
        &mut socket,
        request.finish().map_err(Error::other)?,
        |message| {
            result = show(message);
            println!("{}", print::message(message, Netlink::Generic(&families)));
        },
    )?;
    result.map_err(Error::other)
}
