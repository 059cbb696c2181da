//! Another family of generic netlink: what TCP remembers of hosts, as
//! `ip tcp_metrics` shows it. Everything about the family is in the two tables.
//!
//!     cargo run --example tcp_metrics

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::os::fd::FromRawFd;

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::{self, controller};
use mptcp_codec::netlink::{flags, Message};
use mptcp_codec::print::{self, Netlink};

mptcp_codec::attribute_set! {
    /// What is remembered of a host (`TCP_METRICS_ATTR_*`).
    pub struct Metrics<'a> {
        /// The host, IPv4.
        1 ADDR_IPV4 address4 / with_address4: ipv4,
        /// The host, IPv6.
        2 ADDR_IPV6 address6 / with_address6: ipv6,
        /// Milliseconds since it was updated.
        3 AGE age / with_age: u64,
        /// Failures of a fast open.
        8 FOPEN_SYN_DROPS drops / with_drops: u16,
        /// The figures, each in a row of its own.
        6 VALS values / with_values: nest [Values],
        /// The address here, IPv4.
        11 SADDR_IPV4 source4 / with_source4: ipv4,
        /// The address here, IPv6.
        12 SADDR_IPV6 source6 / with_source6: ipv6,
        pad 13,
    }
}

mptcp_codec::attribute_set! {
    /// The figures (`TCP_METRIC_*`, and one).
    pub struct Values {
        /// Round-trip time, milliseconds.
        1 RTT rtt / with_rtt: u32,
        /// Its variation, milliseconds.
        2 RTTVAR rttvar / with_rttvar: u32,
        /// Slow start threshold, segments.
        3 SSTHRESH ssthresh / with_ssthresh: u32,
        /// Congestion window, segments.
        4 CWND cwnd / with_cwnd: u32,
        /// Segments that may come out of order.
        5 REORDERING reordering / with_reordering: u32,
        /// Round-trip time, microseconds.
        6 RTT_US rtt_us / with_rtt_us: u32,
        /// Its variation, microseconds.
        7 RTTVAR_US rttvar_us / with_rttvar_us: u32,
    }
}

mptcp_codec::generic_family! {
    /// What TCP remembers of hosts (`linux/tcp_metrics.h`).
    pub struct TcpMetrics = "tcp_metrics", version 1;
    attributes Metrics<'a>;
    commands Command {
        /// Reads.
        1 Get "GET",
        /// Deletes.
        2 Delete "DEL",
    }
}

/// Sends a request and hands out each message of the answer.
fn call(socket: &mut File, request: &[u8], mut each: impl FnMut(&Message)) -> Result<()> {
    socket.write_all(request)?;
    let mut exchange = Exchange::new(request).map_err(Error::other)?;
    let mut space = [0; 32768];
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

fn main() -> Result<()> {
    let socket =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, generic::NETLINK_GENERIC) };
    if socket < 0 {
        return Err(Error::last_os_error());
    }
    let mut socket = unsafe { File::from_raw_fd(socket) };
    let mut space = [0; 128];
    let mut id = 0;
    let ask = controller::family_by_name(&mut space, 1, TcpMetrics::NAME).map_err(Error::other)?;
    call(&mut socket, ask, |message| {
        id = controller::Family::decode(message).map_or(0, |family| family.id);
    })?;
    let flags = flags::REQUEST | flags::DUMP;
    let dump = TcpMetrics::request(&mut space, id, 2, flags, Command::Get).finish();
    let families = [TcpMetrics::named(id)];
    let mut hosts = 0;
    call(&mut socket, dump.map_err(Error::other)?, |message| {
        hosts += 1;
        match TcpMetrics::decode(message) {
            Ok((_, metrics)) => {
                let host = metrics.address4().map(|a| a.to_string());
                let host = host.or(metrics.address6().map(|a| a.to_string()));
                let values = metrics.values().ok().flatten().unwrap_or_default();
                let rtt = values.rtt_us();
                println!(
                    "{}: rtt {rtt:?} us, {:?} ms old",
                    host.unwrap_or_default(),
                    metrics.age()
                );
            }
            Err(error) => println!("{error}"),
        }
        println!("  {}", print::message(message, Netlink::Generic(&families)));
    })?;
    println!("{hosts} hosts");
    Ok(())
}
