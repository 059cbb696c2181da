//! Asking for links, addresses and routes.
//!
//! Each function writes one whole message into `buffer` and returns it; [`MAX_LEN`] bytes are
//! enough for any of them, and too small a buffer is [`ErrorKind::NoSpace`]. All of them pass
//! `NETLINK_GET_STRICT_CHK`.

use core::net::IpAddr;

use super::{message_type, path};
use crate::error::{Error, ErrorKind};
use crate::inet;
use crate::netlink::{flags, Header, Writer, HEADER_LEN};
use crate::order::{Native, Order};

/// Length of the longest request: a [`Lookup`] of IPv6 with all attributes.
pub const MAX_LEN: usize = HEADER_LEN + 12 + 2 * 20 + 7 * 8;

const GET: u16 = flags::REQUEST;
const DUMP: u16 = flags::REQUEST | flags::DUMP;

/// `IFLA_EXT_MASK` with `RTEXT_FILTER_SKIP_STATS`: no counters, which make up
/// most of an answer.
const EXT_MASK: u16 = 29;
const SKIP_STATS: u32 = 8;
/// `IFLA_IFNAME`.
const IFNAME: u16 = 3;
/// Bytes of an interface's name without its NUL (`IFNAMSIZ`).
const NAME_MAX: usize = 15;
/// `RTM_F_LOOKUP_TABLE`: the answer is to name the table that decided. IPv6
/// always does, and refuses the flag.
const LOOKUP_TABLE: u32 = 0x1000;
/// `RTM_F_FIB_MATCH`: the answer is the matching route, not the result of applying it.
const FIB_MATCH: u32 = 0x2000;

fn begin<const N: usize>(
    buffer: &mut [u8],
    message_type: u16,
    flags: u16,
    seq: u32,
    fixed: [u8; N],
) -> Writer<'_> {
    let header = Header {
        message_type,
        flags,
        seq,
        ..Header::default()
    };
    let mut writer = Writer::new(buffer, header);
    writer.bytes(fixed);
    writer
}

fn links(buffer: &mut [u8], flags: u16, seq: u32, index: u32) -> Writer<'_> {
    let [a, b, c, d] = Native::put_u32(index);
    let fixed = [0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut writer = begin(buffer, message_type::GETLINK, flags, seq, fixed);
    writer.put_u32(EXT_MASK, SKIP_STATS);
    writer
}

/// Asks for all links.
#[doc(alias = "RTM_GETLINK")]
pub fn dump_links(buffer: &mut [u8], seq: u32) -> Result<&mut [u8], Error> {
    links(buffer, DUMP, seq, 0).finish()
}

/// Asks for the link with this index; `ENODEV` if there is none.
pub fn link_by_index(buffer: &mut [u8], seq: u32, index: u32) -> Result<&mut [u8], Error> {
    links(buffer, GET, seq, index).finish()
}

/// Asks for the link with this name; `ENODEV` if there is none. A name has 1 to 15 bytes,
/// none of them NUL; otherwise [`ErrorKind::BadValue`].
pub fn link_by_name<'b>(
    buffer: &'b mut [u8],
    seq: u32,
    name: &[u8],
) -> Result<&'b mut [u8], Error> {
    let mut writer = links(buffer, GET, seq, 0);
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(Error::about(ErrorKind::BadValue, IFNAME, 0));
    }
    writer.put_text(IFNAME, name);
    writer.finish()
}

/// Asks for the addresses of `family` (`AF_UNSPEC` for all), only of the interface `index`
/// unless that is 0. The kernel honours the index only with `NETLINK_GET_STRICT_CHK`
/// (kernel 4.20); check that of each answer. A family above 255 is [`ErrorKind::BadValue`],
/// here and below.
#[doc(alias = "RTM_GETADDR")]
pub fn dump_addresses(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    index: u32,
) -> Result<&mut [u8], Error> {
    let family = inet::byte(family)?;
    let [a, b, c, d] = Native::put_u32(index);
    let fixed = [family, 0, 0, 0, a, b, c, d];
    begin(buffer, message_type::GETADDR, DUMP, seq, fixed).finish()
}

/// Asks for all routes of `family`, in every table.
#[doc(alias = "RTM_GETROUTE")]
pub fn dump_routes(buffer: &mut [u8], family: u16, seq: u32) -> Result<&mut [u8], Error> {
    let fixed = [inet::byte(family)?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    begin(buffer, message_type::GETROUTE, DUMP, seq, fixed).finish()
}

/// Asks for the rules of policy routing of `family`.
#[doc(alias = "RTM_GETRULE")]
pub fn dump_rules(buffer: &mut [u8], family: u16, seq: u32) -> Result<&mut [u8], Error> {
    let fixed = [inet::byte(family)?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    begin(buffer, message_type::GETRULE, DUMP, seq, fixed).finish()
}

/// Asks for the routes of `family` in all tables that leave through the interface with this
/// index, even if only by one of several next hops. The kernel honours the index only with
/// `NETLINK_GET_STRICT_CHK` (kernel 4.20).
pub fn dump_routes_by(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    output: u32,
) -> Result<&mut [u8], Error> {
    let fixed = [inet::byte(family)?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut writer = begin(buffer, message_type::GETROUTE, DUMP, seq, fixed);
    writer.put_u32(path::OIF, output);
    writer.finish()
}

/// Which route to ask for: made by [`Lookup::new`], sent by [`Lookup::encode`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "RTM_GETROUTE")]
pub struct Lookup {
    destination: IpAddr,
    source: Option<IpAddr>,
    tos: u8,
    input: Option<u32>,
    output: Option<u32>,
    mark: Option<u32>,
    uid: Option<u32>,
    protocol: Option<u8>,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    route: bool,
}

impl Lookup {
    /// The route to `destination`.
    pub const fn new(destination: IpAddr) -> Self {
        Self {
            destination,
            source: None,
            tos: 0,
            input: None,
            output: None,
            mark: None,
            uid: None,
            protocol: None,
            source_port: None,
            destination_port: None,
            route: false,
        }
    }

    /// For packets from this address, which must be of the family of the
    /// destination and, for IPv4, an address of this host.
    #[must_use]
    pub const fn with_source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Out of the interface with this index.
    #[must_use]
    pub const fn with_output(mut self, index: u32) -> Self {
        self.output = Some(index);
        self
    }

    /// For packets with this mark.
    #[must_use]
    pub const fn with_mark(mut self, mark: u32) -> Self {
        self.mark = Some(mark);
        self
    }

    /// For packets that arrived on the interface with this index, instead of those of this
    /// host.
    #[must_use]
    pub const fn with_input(mut self, index: u32) -> Self {
        self.input = Some(index);
        self
    }

    /// For packets with this type of service (`rtm_tos`).
    #[must_use]
    pub const fn with_tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// For packets of this user (kernel 4.10).
    #[must_use]
    pub const fn with_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// For packets of this protocol (`IPPROTO_*`), as rules of policy routing
    /// may ask for (kernel 4.17).
    #[must_use]
    pub const fn with_protocol(mut self, protocol: u8) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// For packets from this port, if the protocol has ports (kernel 4.17).
    #[must_use]
    pub const fn with_source_port(mut self, port: u16) -> Self {
        self.source_port = Some(port);
        self
    }

    /// For packets to this port (kernel 4.17).
    #[must_use]
    pub const fn with_destination_port(mut self, port: u16) -> Self {
        self.destination_port = Some(port);
        self
    }

    /// Asks for the matching route instead of the result of applying it: if no route leads
    /// out of the named interface, IPv4 still sends on the link, but this is refused with
    /// `EHOSTUNREACH` (kernel 4.13).
    #[must_use]
    pub const fn matching_route(mut self) -> Self {
        self.route = true;
        self
    }

    /// The request; its answer is one [`Route`](super::Route), or `ENETUNREACH` if there is
    /// none. Addresses of two families are [`ErrorKind::BadValue`].
    pub fn encode<'b>(&self, buffer: &'b mut [u8], seq: u32) -> Result<&'b mut [u8], Error> {
        let family = inet::family_of(self.destination);
        if self
            .source
            .is_some_and(|source| inet::family_of(source) != family)
        {
            return Err(Error::about(ErrorKind::BadValue, path::SRC, 0));
        }
        let bits = inet::bits_of(self.destination);
        let source_bits = self.source.map_or(0, inet::bits_of);
        let table = if family == inet::AF_INET {
            LOOKUP_TABLE
        } else {
            0
        };
        let route = if self.route { FIB_MATCH } else { 0 };
        let [a, b, c, d] = Native::put_u32(table | route);
        let fixed = [
            inet::byte(family)?,
            bits,
            source_bits,
            self.tos,
            0,
            0,
            0,
            0,
            a,
            b,
            c,
            d,
        ];
        let mut writer = begin(buffer, message_type::GETROUTE, GET, seq, fixed);
        inet::put(&mut writer, path::DST, self.destination);
        if let Some(source) = self.source {
            inet::put(&mut writer, path::SRC, source);
        }
        // One by one, not in a loop: the compiler drops those that it knows to be absent.
        let mut put = |number, value: Option<u32>| {
            if let Some(value) = value {
                writer.put_u32(number, value);
            }
        };
        put(path::IIF, self.input);
        put(path::OIF, self.output);
        put(path::MARK, self.mark);
        put(path::UID, self.uid);
        if let Some(protocol) = self.protocol {
            writer.put_u8(path::IP_PROTO, protocol);
        }
        if let Some(port) = self.source_port {
            writer.put_be16(path::SPORT, port);
        }
        if let Some(port) = self.destination_port {
            writer.put_be16(path::DPORT, port);
        }
        writer.finish()
    }
}
