//! What the kernel's path manager holds, seen without the product's help.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::namespace::{link_index, link_name};
use crate::netlink::{attribute, attributes, u16_at, u32_at, Bytes, Family, Refusal, Socket};

/// Endpoint flags in the order in which they are shown: bit, name.
pub const FLAGS: [(u32, &str); 6] = [
    (1, "signal"),
    (2, "subflow"),
    (4, "backup"),
    (8, "fullmesh"),
    (16, "implicit"),
    (32, "laminar"),
];

/// One endpoint. Its text, read and written, is that of `endpoint show` without the
/// last space: `ADDRESS [port N] [id N] [FLAG…] [dev NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// 0 when adding: the kernel chooses.
    pub id: u8,
    pub address: IpAddr,
    /// 0: none.
    pub port: u16,
    /// `MPTCP_PM_ADDR_FLAG_*`.
    pub flags: u32,
    /// Interface index, 0: none.
    pub interface: u32,
}

/// The two limits of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub add_addr_accepted: u32,
    pub subflows: u32,
}

impl fmt::Display for Limits {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let (add, subflows) = (self.add_addr_accepted, self.subflows);
        write!(out, "add_addr_accepted {add} subflows {subflows}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        write!(out, "{}", self.address)?;
        if self.port != 0 {
            write!(out, " port {}", self.port)?;
        }
        write!(out, " id {}", self.id)?;
        for (bit, name) in FLAGS {
            if self.flags & bit != 0 {
                write!(out, " {name}")?;
            }
        }
        if self.flags >= 64 {
            write!(out, " rawflags {:02x}", self.flags & !63)?;
        }
        match (self.interface, link_name(self.interface)) {
            (0, _) => Ok(()),
            (_, Some(name)) => write!(out, " dev {name}"),
            (index, None) => write!(out, " dev if{index}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Endpoint, String> {
        let mut words = text.split_whitespace();
        let bad = |what: &dyn fmt::Display| format!("not an endpoint: {text:?}: {what}");
        let address = words.next().ok_or_else(|| bad(&"empty"))?;
        let mut endpoint = Endpoint {
            id: 0,
            address: address.parse().map_err(|error| bad(&error))?,
            port: 0,
            flags: 0,
            interface: 0,
        };
        while let Some(word) = words.next() {
            if let Some((bit, _)) = FLAGS.iter().find(|(_, name)| *name == word) {
                endpoint.flags |= bit;
                continue;
            }
            let value = words.next().ok_or_else(|| bad(&word))?;
            match word {
                "id" => endpoint.id = value.parse().map_err(|error| bad(&error))?,
                "port" => endpoint.port = value.parse().map_err(|error| bad(&error))?,
                "dev" => endpoint.interface = interface(value).ok_or_else(|| bad(&value))?,
                _ => return Err(bad(&word)),
            }
        }
        Ok(endpoint)
    }
}

fn interface(name: &str) -> Option<u32> {
    link_index(name).or_else(|| name.strip_prefix("if")?.parse().ok())
}

const VERSION_1: u8 = 1;
const ADD: u8 = 1;
const GET: u8 = 3;
const FLUSH: u8 = 4;
const SET_LIMITS: u8 = 5;
const GET_LIMITS: u8 = 6;

/// The family `mptcp_pm` and a socket to talk to it, in the thread's namespace.
pub fn path_manager() -> Result<(Socket, Family), Refusal> {
    let mut socket = Socket::open(libc::NETLINK_GENERIC)?;
    let family = Family::find(&mut socket, "mptcp_pm")?;
    Ok((socket, family))
}

fn connected() -> (Socket, Family) {
    path_manager().expect("a kernel with MPTCP")
}

/// The endpoints of the current namespace, by id.
pub fn endpoints() -> Vec<Endpoint> {
    let (mut socket, family) = connected();
    let replies = socket
        .dump(family.id, &[GET, VERSION_1, 0, 0])
        .expect("a dump of endpoints");
    let mut all: Vec<_> = replies.iter().map(|reply| endpoint(&reply[4..])).collect();
    all.sort();
    all
}

fn endpoint(reply: &[u8]) -> Endpoint {
    let reply = attributes(reply);
    let nest = attributes(attribute(&reply, 1).expect("an address nest"));
    let number = |attribute: Option<&[u8]>| attribute.map_or(0, u32_at);
    let address = match attribute(&nest, 3) {
        Some(v4) => <[u8; 4]>::try_from(v4).expect("4 bytes").into(),
        None => <[u8; 16]>::try_from(attribute(&nest, 4).expect("an address"))
            .expect("16 bytes")
            .into(),
    };
    Endpoint {
        id: attribute(&nest, 2).expect("an id")[0],
        address,
        port: attribute(&nest, 5).map_or(0, u16_at),
        flags: number(attribute(&nest, 6)),
        interface: number(attribute(&nest, 7)),
    }
}

/// Adds an endpoint.
pub fn try_add(endpoint: &Endpoint) -> Result<(), Refusal> {
    let (family, number, bytes) = match endpoint.address {
        IpAddr::V4(v4) => (libc::AF_INET, 3, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, 4, v6.octets().to_vec()),
    };
    let mut nest = Bytes::default()
        .put(1, &(family as u16).to_ne_bytes())
        .put(number, &bytes)
        .put(6, &endpoint.flags.to_ne_bytes());
    if endpoint.id != 0 {
        nest = nest.put(2, &[endpoint.id]);
    }
    if endpoint.port != 0 {
        nest = nest.put(5, &endpoint.port.to_ne_bytes());
    }
    if endpoint.interface != 0 {
        nest = nest.put(7, &endpoint.interface.to_ne_bytes());
    }
    let (mut socket, family) = connected();
    let request = Bytes::new(&[ADD, VERSION_1, 0, 0]).nest(1, nest);
    socket.command(family.id, 0, &request.0)
}

/// Adds an endpoint given as text; see [`Endpoint`].
pub fn add(text: &str) {
    let endpoint = text.parse().unwrap_or_else(|error| panic!("{error}"));
    if let Err(refusal) = try_add(&endpoint) {
        panic!("the kernel refuses the endpoint {text}: {refusal:?}");
    }
}

/// Deletes all endpoints.
pub fn try_flush() -> Result<(), Refusal> {
    let (mut socket, family) = path_manager()?;
    socket.command(family.id, 0, &[FLUSH, VERSION_1, 0, 0])
}

/// The limits, or why they cannot be had.
pub fn try_limits() -> Result<Limits, Refusal> {
    let (mut socket, family) = path_manager()?;
    let reply = socket.query(family.id, &[GET_LIMITS, VERSION_1, 0, 0])?;
    let all = attributes(&reply[4..]);
    Ok(Limits {
        add_addr_accepted: u32_at(attribute(&all, 2).expect("RCV_ADD_ADDRS")),
        subflows: u32_at(attribute(&all, 3).expect("SUBFLOWS")),
    })
}

/// The limits of the current namespace.
pub fn limits() -> Limits {
    try_limits().expect("the limits")
}

/// Sets the limits of the current namespace.
pub fn set_limits(add_addr_accepted: u32, subflows: u32) {
    let (mut socket, family) = connected();
    let request = Bytes::new(&[SET_LIMITS, VERSION_1, 0, 0])
        .put(2, &add_addr_accepted.to_ne_bytes())
        .put(3, &subflows.to_ne_bytes());
    socket
        .command(family.id, 0, &request.0)
        .expect("limits set");
}

/// All that the path manager keeps in a namespace, as a list of lines:
/// the endpoints by id, then the limits.
pub fn state() -> Vec<String> {
    let mut lines: Vec<_> = endpoints().iter().map(Endpoint::to_string).collect();
    lines.push(limits().to_string());
    lines
}

/// The kernel's counters of MPTCP in the thread's namespace.
pub fn counters() -> BTreeMap<String, u64> {
    let table = std::fs::read_to_string("/proc/thread-self/net/netstat").expect("the counters");
    let mut lines = table
        .lines()
        .filter_map(|line| line.strip_prefix("MPTcpExt:"));
    let names = lines.next().expect("names").split_whitespace();
    let values = lines.next().expect("values").split_whitespace();
    names
        .zip(values)
        .map(|(name, value)| (name.to_string(), value.parse().expect("a number")))
        .collect()
}

/// One of them; `None` where the kernel lacks it.
pub fn counter(name: &str) -> Option<u64> {
    counters().remove(name)
}

/// Version of the running kernel, e.g. `(6, 18)`.
pub fn version() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel release");
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}
