//! Prints any message for people: every attribute with its name and its value, nested ones
//! inside, unknown ones as bytes.
//!
//! ```
//! use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags, PathManager};
//! use mptcp_codec::{netlink::Messages, print};
//!
//! let mut buffer = [0; request::MAX_LEN];
//! let endpoint = Endpoint::new(std::net::Ipv4Addr::LOCALHOST).with_flags(EndpointFlags::SIGNAL);
//! let request = request::add_address(&mut buffer, 30, 7, &endpoint)?;
//! let message = Messages::new(request).next().unwrap()?;
//! let families = [PathManager::named(30)];
//! assert_eq!(
//!     print::message(&message, print::Netlink::Generic(&families)).to_string(),
//!     "mptcp_pm ADD_ADDR v1 flags 0x5 seq 7 port 0: \
//!      ADDR { FAMILY: 2, FLAGS: signal, ADDR4: 127.0.0.1 }",
//! );
//! # Ok::<(), mptcp_codec::Error>(())
//! ```

use core::fmt;

use crate::diag::{self, SocketAttributes, State};
use crate::generic::controller::{self, FamilyAttributes};
use crate::generic::Generic;
use crate::inet::{self, AF_INET, AF_INET6};
use crate::netlink::{message_type, Attribute, Attributes, Content, Header, Message};
use crate::order::{Native, Order};
use crate::route::{self, AddressAttributes, LinkAttributes, RouteAttributes};
use crate::set::{Description, Set, Shape};

/// How deep nests that no set describes are shown.
const DEEPEST: u32 = 8;

/// The protocol of the messages: that with which their socket was opened.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum Netlink<'f> {
    /// `NETLINK_GENERIC`: the controller, and these families.
    Generic(&'f [NamedFamily]),
    /// `NETLINK_ROUTE`.
    Route,
    /// `NETLINK_SOCK_DIAG`.
    SockDiag,
    /// Another protocol: attributes after this many bytes.
    Other(usize),
}

/// A family of generic netlink, made by
/// [`generic_family!`](crate::generic_family).
#[derive(Copy, Clone, Debug)]
pub struct NamedFamily {
    /// The `nlmsg_type` of its messages.
    pub id: u16,
    /// Its name.
    pub name: &'static str,
    /// The name of a command, in a message with this header.
    pub command: fn(&Header, u8) -> Option<&'static str>,
    /// The attributes of a message with this header and command.
    pub attributes: fn(&Header, u8) -> &'static Description,
}

/// A message, to be printed.
#[derive(Copy, Clone)]
#[must_use]
pub struct Printed<'m, 'a, 'f, E: Order = Native> {
    message: &'m Message<'a, E>,
    protocol: Netlink<'f>,
}

/// Prints a message.
pub const fn message<'m, 'a, 'f, E: Order>(
    message: &'m Message<'a, E>,
    protocol: Netlink<'f>,
) -> Printed<'m, 'a, 'f, E> {
    Printed { message, protocol }
}

/// Attributes, to be printed.
#[derive(Copy, Clone)]
#[must_use]
pub struct PrintedAttributes<'a, E: Order = Native> {
    attributes: Attributes<'a, E>,
    set: Option<&'static Description>,
    depth: u32,
}

/// Prints attributes, of a set or of no set.
pub const fn attributes<'a, E: Order>(
    attributes: Attributes<'a, E>,
    set: Option<&'static Description>,
) -> PrintedAttributes<'a, E> {
    PrintedAttributes {
        attributes,
        set,
        depth: 0,
    }
}

impl<E: Order> fmt::Display for Printed<'_, '_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.message.header;
        match self.message.content() {
            Ok(Content::Data) => {}
            Ok(Content::Noop) => return f.write_str("NLMSG_NOOP"),
            Ok(Content::Overrun) => return f.write_str("NLMSG_OVERRUN"),
            Ok(Content::Ack(ack)) => {
                write!(f, "NLMSG_ERROR seq {} error {}", header.seq, ack.errno)?;
                return also(f, ack.attributes);
            }
            Ok(Content::Done(done)) => {
                write!(f, "NLMSG_DONE seq {} error {}", header.seq, done.errno)?;
                return also(f, done.attributes);
            }
            Ok(Content::Reserved) => return write!(f, "reserved type {}", header.message_type),
            Err(error) => return write!(f, "type {}: {error}", header.message_type),
        }
        match self.protocol {
            Netlink::Generic(families) => self.generic(f, families),
            Netlink::Route => self.route(f),
            Netlink::SockDiag => self.sock_diag(f),
            Netlink::Other(skip) => {
                write!(f, "type {}", header.message_type)?;
                self.rest(f, skip, None)
            }
        }
    }
}

/// What an acknowledgement says besides the number.
fn also<E: Order>(f: &mut fmt::Formatter<'_>, all: Attributes<'_, E>) -> fmt::Result {
    if all.as_bytes().is_empty() {
        return Ok(());
    }
    use crate::netlink::ExtendedAck;
    let set = <ExtendedAck<'_, E> as Set<'_, E>>::DESCRIPTION;
    write!(f, ": {}", attributes(all, Some(set)))
}

impl<E: Order> Printed<'_, '_, '_, E> {
    /// The rest of the header, and the attributes after a fixed part.
    fn rest(
        &self,
        f: &mut fmt::Formatter<'_>,
        skip: usize,
        set: Option<&'static Description>,
    ) -> fmt::Result {
        let Header {
            flags,
            seq,
            port_id,
            ..
        } = self.message.header;
        write!(f, " flags {flags:#x} seq {seq} port {port_id}")?;
        match self.message.attributes(skip) {
            Ok(all) if all.as_bytes().is_empty() => Ok(()),
            Ok(all) => write!(f, ": {}", attributes(all, set)),
            Err(error) => write!(f, ": {error}"),
        }
    }

    fn generic(&self, f: &mut fmt::Formatter<'_>, families: &[NamedFamily]) -> fmt::Result {
        let header = &self.message.header;
        let Ok(generic) = Generic::decode(self.message) else {
            return write!(f, "type {} without a header", header.message_type);
        };
        let known = families.iter().chain([&CONTROLLER]);
        let family = known.rev().find(|known| known.id == header.message_type);
        match family {
            Some(family) => f.write_str(family.name)?,
            None => write!(f, "family {}", header.message_type)?,
        }
        match family.and_then(|family| (family.command)(header, generic.command)) {
            Some(name) => write!(f, " {name} v{}", generic.version)?,
            None => write!(f, " command {} v{}", generic.command, generic.version)?,
        }
        let set = family.map(|family| (family.attributes)(header, generic.command));
        self.rest(f, 4, set)
    }

    fn route(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.message.header.message_type;
        let payload = self.message.payload();
        let (name, skip, set) = match number {
            message_type::MIN..=19 => (
                ["RTM_NEWLINK", "RTM_DELLINK", "RTM_GETLINK", "RTM_SETLINK"],
                16,
                <LinkAttributes<'_, E> as Set<'_, E>>::DESCRIPTION,
            ),
            20..=23 => (
                ["RTM_NEWADDR", "RTM_DELADDR", "RTM_GETADDR", ""],
                8,
                <AddressAttributes<'_, E> as Set<'_, E>>::DESCRIPTION,
            ),
            24..=27 => (
                ["RTM_NEWROUTE", "RTM_DELROUTE", "RTM_GETROUTE", ""],
                12,
                <RouteAttributes<'_, E> as Set<'_, E>>::DESCRIPTION,
            ),
            _ => {
                write!(f, "rtnetlink {number}")?;
                return self.rest(f, payload.len(), None);
            }
        };
        f.write_str(name.get(usize::from(number & 3)).unwrap_or(&""))?;
        match (skip, payload.split_first_chunk::<8>()) {
            (16, Some((b, rest))) => {
                let index = E::u32([b[4], b[5], b[6], b[7]]);
                let flags = rest.first_chunk().map_or(0, |flags| E::u32(*flags));
                write!(f, " index {index} {}", route::LinkFlags(flags))?;
            }
            (8, Some((b, _))) => {
                let index = E::u32([b[4], b[5], b[6], b[7]]);
                write!(f, " family {} prefix {} index {index}", b[0], b[1])?;
            }
            (_, Some((b, _))) => {
                let kind = route::RouteKind::from_number(b[7]);
                write!(f, " family {} prefix {} table {} {kind}", b[0], b[1], b[4])?;
            }
            _ => {}
        }
        self.rest(f, skip, Some(set))
    }

    fn sock_diag(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REQUEST: usize = 56;
        const ANSWER: usize = 72;
        let header = &self.message.header;
        let payload = self.message.payload();
        if header.message_type != diag::BY_FAMILY {
            write!(f, "sock_diag {}", header.message_type)?;
            return self.rest(f, payload.len(), None);
        }
        f.write_str("SOCK_DIAG_BY_FAMILY")?;
        if header.flags & crate::netlink::flags::REQUEST != 0 {
            return self.rest(f, REQUEST, None);
        }
        if let Some((b, rest)) = payload.split_first_chunk::<8>() {
            let family = u16::from(b[0]);
            let end = |at: usize| inet::from_bytes(family, rest.get(at..)?);
            write!(f, " {}", State::from_number(b[1]))?;
            for (at, port) in [(0, [b[4], b[5]]), (16, [b[6], b[7]])] {
                let port = u16::from_be_bytes(port);
                match end(at) {
                    Some(address) => write!(f, " {}", core::net::SocketAddr::new(address, port))?,
                    None => write!(f, " family {family} port {port}")?,
                }
            }
        }
        self.rest(
            f,
            ANSWER,
            Some(<SocketAttributes<'_, E> as Set<'_, E>>::DESCRIPTION),
        )
    }
}

const CONTROLLER: NamedFamily = NamedFamily {
    id: controller::ID,
    name: "nlctrl",
    command: |_, number| {
        Some(match number {
            1 => "NEWFAMILY",
            2 => "DELFAMILY",
            3 => "GETFAMILY",
            4 => "NEWOPS",
            5 => "DELOPS",
            6 => "GETOPS",
            7 => "NEWMCAST_GRP",
            8 => "DELMCAST_GRP",
            9 => "GETMCAST_GRP",
            10 => "GETPOLICY",
            _ => return None,
        })
    },
    attributes: |_, _| <FamilyAttributes<'_, Native> as Set<'_, Native>>::DESCRIPTION,
};

impl<E: Order> fmt::Display for PrintedAttributes<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for attribute in self.attributes {
            f.write_str(separator)?;
            separator = ", ";
            match attribute {
                Ok(attribute) => self.one(f, &attribute)?,
                Err(error) => write!(f, "({error})")?,
            }
        }
        Ok(())
    }
}

impl<E: Order> PrintedAttributes<'_, E> {
    fn one(&self, f: &mut fmt::Formatter<'_>, attribute: &Attribute<'_, E>) -> fmt::Result {
        let row = self.set.and_then(|set| set.row(attribute.number()));
        let Some(row) = row else {
            write!(f, "{}", attribute.number())?;
            // What no set describes is a nest if it is flagged as one.
            if attribute.is_nested() && self.depth < DEEPEST {
                return self.nest(f, attribute, None, false);
            }
            return bytes(f, attribute.payload());
        };
        f.write_str(row.name)?;
        value(f, attribute, row.shape, self)
    }

    fn nest(
        &self,
        f: &mut fmt::Formatter<'_>,
        attribute: &Attribute<'_, E>,
        set: Option<&'static Description>,
        is_array: bool,
    ) -> fmt::Result {
        if self.depth >= DEEPEST {
            return bytes(f, attribute.payload());
        }
        let inside = PrintedAttributes {
            attributes: attribute.nested(),
            set,
            depth: self.depth + 1,
        };
        if !is_array {
            return write!(f, " {{ {inside} }}");
        }
        f.write_str(" [")?;
        for entry in inside.attributes {
            match entry {
                Ok(entry) => {
                    write!(f, " {}", entry.number())?;
                    inside.nest(f, &entry, set, false)?;
                }
                Err(error) => write!(f, " ({error})")?,
            }
        }
        f.write_str(" ]")
    }
}

/// Shows a value as what it should be; as bytes if it is something else.
fn value<E: Order>(
    f: &mut fmt::Formatter<'_>,
    attribute: &Attribute<'_, E>,
    shape: Shape,
    around: &PrintedAttributes<'_, E>,
) -> fmt::Result {
    let payload = attribute.payload();
    let number = number(attribute);
    match shape {
        Shape::Nest(set) => return around.nest(f, attribute, Some(set), false),
        Shape::Array(set) => return around.nest(f, attribute, Some(set), true),
        Shape::Attributes => return around.nest(f, attribute, None, false),
        Shape::Flag => return Ok(()),
        Shape::Padding => return write!(f, ": {} bytes", payload.len()),
        Shape::Unsigned => {
            if let Some(number) = number {
                return write!(f, ": {number}");
            }
        }
        Shape::Named(name) => {
            if let Some(number) = number {
                f.write_str(": ")?;
                return name(number, f);
            }
        }
        Shape::Signed => {
            let signed = match (number, payload.len()) {
                (Some(number), 1) => Some(i64::from(number as i8)),
                (Some(number), 2) => Some(i64::from(number as i16)),
                (Some(number), 4) => Some(i64::from(number as i32)),
                (Some(number), _) => Some(number as i64),
                (None, _) => None,
            };
            if let Some(signed) = signed {
                return write!(f, ": {signed}");
            }
        }
        Shape::Network => {
            if let 1 | 2 | 4 | 8 = payload.len() {
                let number = payload.iter().fold(0, |n: u64, b| n << 8 | u64::from(*b));
                return write!(f, ": {number}");
            }
        }
        Shape::Bitfield => {
            if let Some((value, selector)) = payload.split_first_chunk::<4>() {
                if let Ok(selector) = selector.try_into() {
                    let (value, selector) = (E::u32(*value), E::u32(selector));
                    return write!(f, ": {value:#x}/{selector:#x}");
                }
            }
        }
        Shape::Text => {
            if let Ok(text) = attribute.text() {
                return write!(f, ": {text:?}");
            }
        }
        Shape::Ip => {
            let family = if payload.len() == 16 {
                AF_INET6
            } else {
                AF_INET
            };
            if let (4 | 16, Some(address)) = (payload.len(), inet::from_bytes(family, payload)) {
                return write!(f, ": {address}");
            }
        }
        Shape::Mac => {
            if !payload.is_empty() {
                f.write_str(": ")?;
                let mut separator = "";
                for byte in payload {
                    write!(f, "{separator}{byte:02x}")?;
                    separator = ":";
                }
                return Ok(());
            }
        }
        Shape::List(len) => {
            let len = usize::from(len.max(1));
            f.write_str(": [")?;
            let mut separator = "";
            for chunk in payload.chunks_exact(len) {
                write!(f, "{separator}{}", E::number(chunk).unwrap_or(0))?;
                separator = ", ";
            }
            return f.write_str("]");
        }
        Shape::Bytes => {}
    }
    bytes(f, payload)
}

/// The number in an attribute whose length is that of a number.
fn number<E: Order>(attribute: &Attribute<'_, E>) -> Option<u64> {
    if attribute.is_net_byteorder() {
        crate::order::Big::number(attribute.payload())
    } else {
        E::number(attribute.payload())
    }
}

fn bytes(f: &mut fmt::Formatter<'_>, payload: &[u8]) -> fmt::Result {
    f.write_str(":")?;
    for byte in payload {
        write!(f, " {byte:02x}")?;
    }
    Ok(())
}

impl<E: Order> fmt::Debug for Printed<'_, '_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E: Order> fmt::Debug for PrintedAttributes<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
