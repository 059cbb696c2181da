//! rtnetlink: interfaces and their addresses, changes to them, and the routes of packets.

use mptcp_codec::inet::{AF_INET, AF_UNSPEC};
use mptcp_codec::netlink::Message;
use mptcp_codec::route::{
    self, group, message_type, request, Address, AddressAttributes, AddressFlags, LinkAttributes,
    LinkFlags, RouteAttributes, RouteKind,
};

use super::attributes::{number_at, Set};
use super::interface::Names;
use super::key::{address, key, Key};
use super::socket::{receive_error, Socket, Written};
use crate::error::Result;
use crate::sys;

/// An interface or an address of one: as a dump lists it, or as a notification
/// reports it.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkEvent {
    /// Index of the interface; 0 if notifications were lost and anything may have changed;
    /// [`ROUTES`] if a route changed.
    pub index: u32,
    /// The address; 0 if this is about the interface itself.
    pub address: Key,
    /// It exists. An address that may be a duplicate does not exist yet.
    pub present: bool,
    /// The interface is switched on.
    pub up: bool,
    /// The interface is up and running: it has a carrier and waits for nothing. The address
    /// can be the source of new connections: of global scope, neither deprecated nor
    /// temporary.
    pub usable: bool,
    /// The address does not expire: it was not leased.
    pub permanent: bool,
}

/// The flags of an interface that carries packets. A carrier is not enough: it may be dormant
/// until 802.1X has authenticated it.
const USABLE: LinkFlags = LinkFlags(LinkFlags::UP.0 | LinkFlags::LOWER_UP.0 | LinkFlags::RUNNING.0);

/// In place of an index, which is never as large.
pub const ROUTES: u32 = u32::MAX;

/// Interfaces and their addresses, in the kernel's order.
pub type LinkEvents = Vec<LinkEvent>;

/// A route, or one of its next hops.
#[derive(Debug, Default)]
pub struct Hop {
    /// The table that it is in.
    pub table: u32,
    /// The interface; 0 if the kernel names none, or only a nexthop object.
    pub output: u32,
    /// The metric; the least wins.
    pub metric: u32,
    /// The next router; 0 if there is none.
    pub gateway: Key,
    /// It is one of several next hops.
    pub of_several: bool,
}

/// Length of `struct rtmsg`, and of `struct fib_rule_hdr`, which is like it.
const ROUTE: usize = 12;

impl Hop {
    /// What precedes the attributes.
    fn of(message: &Message) -> Self {
        let [table, ..] = number_at(message.payload(), 4).to_ne_bytes();
        Self {
            table: table.into(),
            ..Self::default()
        }
    }

    /// Reads the attributes after `head` bytes; returns the next hops if there are several.
    #[inline(never)]
    fn read<'m>(&mut self, bytes: &'m [u8], head: usize) -> Result<&'m [u8]> {
        let attributes = Set::after(head, bytes)?;
        self.output = attributes.number(RouteAttributes::OIF);
        self.metric = attributes.number(RouteAttributes::PRIORITY);
        let table = attributes.number(RouteAttributes::TABLE);
        if table != 0 {
            self.table = table;
        }
        let mut router = attributes.payload(RouteAttributes::GATEWAY);
        if router.is_empty() {
            // RTA_VIA: the family, then the router's address.
            let other = attributes.payload(RouteAttributes::VIA);
            router = other.get(2..).unwrap_or(&[]);
        }
        self.gateway = key_in(router);
        Ok(attributes.payload(RouteAttributes::MULTIPATH))
    }
}

/// Passes a route to `each`, or each of its next hops if it has several.
#[inline(never)]
fn hops(message: &Message, each: &mut dyn FnMut(&Hop)) -> Result<()> {
    let mut hop = Hop::of(message);
    let mut rest = hop.read(message.payload(), ROUTE)?;
    if rest.is_empty() {
        each(&hop);
    }
    hop.of_several = true;
    // `struct rtnexthop`: its length, flags and weight, its interface, and attributes.
    while !rest.is_empty() {
        let [l0, l1, ..] = number_at(rest, 0).to_ne_bytes();
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        hop.read(rest.get(..len).unwrap_or(&[]), 8)?;
        hop.output = number_at(rest, 4);
        each(&hop);
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(())
}

/// A socket for requests about interfaces, addresses and routes.
#[derive(Debug)]
pub struct RouteSocket {
    socket: Box<Socket>,
}

/// The groups for [`NewsSocket::listen`].
pub const CHANGES: &[u32] = &[group::LINK, group::IPV4_IFADDR, group::IPV6_IFADDR];

impl RouteSocket {
    /// Opens a socket.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        Ok(Self {
            socket: Socket::open(route::NETLINK_ROUTE, receive_buffer)?,
        })
    }

    /// All interfaces and addresses, and the names of interfaces.
    pub fn look(&mut self, seen: &mut LinkEvents, names: &mut Names) -> Result<()> {
        seen.clear();
        names.clear();
        self.list(&request::dump_links, seen, Some(names))?;
        self.list(&dump_addresses, seen, None)
    }

    /// How many default routes of a family the interface has in any table; the gateway of
    /// the one with the lowest metric, if it has one.
    #[inline(never)]
    pub fn default_route(&mut self, family: u16, index: u32, gateway: &mut Key) -> Result<usize> {
        let (mut count, mut least) = (0, 0);
        self.socket.dump_each(
            &|buffer, seq| request::dump_routes_by(buffer, family, seq, index),
            &mut |message| {
                let Some(message) = message else {
                    count = 0;
                    return Ok(());
                };
                let mut hop = Hop::default();
                hop.read(message.payload(), ROUTE)?;
                let head = message.payload();
                let [of, bits, ..] = number_at(head, 0).to_ne_bytes();
                let [.., kind] = number_at(head, 4).to_ne_bytes();
                let is_default = u16::from(of) == family
                    && bits == 0
                    && kind == RouteKind::Unicast.number()
                    && (hop.output == 0 || hop.output == index);
                if is_default {
                    if count == 0 || hop.metric < least {
                        (least, *gateway) = (hop.metric, hop.gateway);
                    }
                    count += 1;
                }
                Ok(())
            },
        )?;
        Ok(count)
    }

    /// Adds everything listed by a dump.
    fn list(
        &mut self,
        write: &dyn for<'b> Fn(&'b mut [u8], u32) -> Written<'b>,
        seen: &mut LinkEvents,
        mut names: Option<&mut Names>,
    ) -> Result<()> {
        let before = seen.len();
        self.socket.dump_each(write, &mut |message| {
            let Some(message) = message else {
                seen.truncate(before);
                return Ok(());
            };
            let mut found = LinkEvent::default();
            let mut name: &[u8] = &[];
            if decode(message, &mut found, &mut name)? {
                seen.push(found);
                if let Some(names) = &mut names {
                    names.add(found.index, name);
                }
            }
            Ok(())
        })
    }

    /// Passes on all addresses with the index of their interface. An address can be on several.
    pub fn addresses(&mut self, each: &mut dyn FnMut(Key, u32)) -> Result<()> {
        let mut seen = LinkEvents::new();
        self.list(&dump_addresses, &mut seen, None)?;
        for of in &seen {
            if of.address != 0 {
                each(of.address, of.index);
            }
        }
        Ok(())
    }

    /// Adds all interfaces and their names.
    pub fn interfaces(&mut self, seen: &mut LinkEvents, names: &mut Names) -> Result<()> {
        self.list(&request::dump_links, seen, Some(names))
    }

    /// Whether packets can be sent from one address to another, out of an interface unless it
    /// is 0. With `route` only a route counts, not that IPv4 sends to the link without one.
    #[inline(never)]
    pub fn leads(&mut self, ends: [Key; 2], output: u32, route: bool) -> Result<bool> {
        let [from, to] = ends;
        let asked = self.socket.call(
            &|buffer, seq| {
                // Made here, so that the compiler drops what it does not ask for.
                let mut lookup = request::Lookup::new(address(to)).with_source(address(from));
                if output != 0 {
                    lookup = lookup.with_output(output);
                }
                if route {
                    lookup = lookup.matching_route();
                }
                lookup.encode(buffer, seq)
            },
            &mut |_| Ok(()),
        );
        found(asked)
    }

    /// The interface through which packets of this kind leave; `None` if there is no route
    /// for them.
    pub fn way(&mut self, lookup: &request::Lookup) -> Result<Option<u32>> {
        let mut output = None;
        self.look_up(lookup, &mut |message| {
            let attributes = Set::after(ROUTE, message.payload())?;
            let found = attributes.number(RouteAttributes::OIF);
            output = Some(found).filter(|index| *index != 0);
            Ok(())
        })?;
        Ok(output)
    }

    /// Passes the route that the kernel finds in a look-up to `each`, or each of its next
    /// hops if it has several. Returns whether there is a route for such packets.
    pub fn route(&mut self, lookup: &request::Lookup, each: &mut dyn FnMut(&Hop)) -> Result<bool> {
        self.look_up(lookup, &mut |message| hops(message, each))
    }

    fn look_up(
        &mut self,
        lookup: &request::Lookup,
        each: &mut dyn FnMut(&Message) -> Result<()>,
    ) -> Result<bool> {
        let asked = self
            .socket
            .call(&|buffer, seq| lookup.encode(buffer, seq), each);
        found(asked)
    }

    /// Passes on each route and next hop of a family, and for each rule a `Hop` with only its
    /// table. Returns whether a rule applies only to certain marks, users or ports.
    pub fn tables(&mut self, family: u16, each: &mut dyn FnMut(&Hop)) -> Result<bool> {
        let mut special = false;
        self.socket.dump_each(
            &|buffer, seq| request::dump_routes(buffer, family, seq),
            &mut |message| match message {
                Some(message) => hops(message, each),
                None => Ok(()),
            },
        )?;
        let rules = self.socket.dump_each(
            &|buffer, seq| request::dump_rules(buffer, family, seq),
            &mut |message| {
                let Some(message) = message else {
                    return Ok(());
                };
                // Marks (FRA_FWMARK), users, and ports of either end.
                const SPECIAL: [u16; 4] = [10, 20, 23, 24];
                // FIB_RULE_INVERT: applies to packets that do not match.
                const INVERT: u32 = 2;
                let head = message.payload();
                let attributes = Set::after(ROUTE, head)?;
                let mut hop = Hop::of(message);
                let table = attributes.number(RouteAttributes::TABLE);
                if table != 0 {
                    hop.table = table;
                }
                each(&hop);
                let only = |number: &u16| !attributes.payload(*number).is_empty();
                let only = SPECIAL.iter().any(only);
                special |= only && number_at(head, 8) & INVERT == 0;
                Ok(())
            },
        );
        match rules {
            // A kernel without policy routing.
            Err(error) if error.errno() == 0 => Err(error),
            _ => Ok(special),
        }
    }

    /// The flags of an interface; none if it does not exist.
    pub fn link_flags(&mut self, index: u32) -> Result<LinkFlags> {
        let mut flags = LinkFlags::default();
        let asked = self.socket.call(
            &|buffer, seq| request::link_by_index(buffer, seq, index),
            &mut |message| {
                flags = LinkFlags(number_at(message.payload(), 8));
                Ok(())
            },
        );
        match asked {
            Err(error) if error.errno() == 0 => Err(error),
            _ => Ok(flags),
        }
    }

    /// Whether an interface exists, is up and has a carrier.
    pub fn is_usable(&mut self, index: u32) -> Result<bool> {
        Ok(self.link_flags(index)?.contains(USABLE))
    }
}

/// A socket for notifications about changes of interfaces, addresses and routes, or of families
/// of generic netlink.
#[derive(Debug)]
pub struct NewsSocket {
    socket: Box<Socket>,
}

impl NewsSocket {
    /// Opens a socket of this protocol that joins these groups.
    pub fn listen(receive_buffer: Option<u32>, protocol: i32, groups: &[u32]) -> Result<Self> {
        let mut socket = Socket::open(protocol, receive_buffer)?;
        socket.listen(groups).map_err(receive_error)?;
        Ok(Self { socket })
    }

    /// Listens for changes of routes too, or no longer.
    pub fn listen_to_routes(&mut self, on: bool) -> Result<()> {
        const SOL_NETLINK: i32 = 270;
        // NETLINK_ADD_MEMBERSHIP and NETLINK_DROP_MEMBERSHIP.
        let option = if on { 1 } else { 2 };
        for group in &[group::IPV4_ROUTE, group::IPV6_ROUTE] {
            sys::set_option(self.fd(), SOL_NETLINK, option, *group).map_err(receive_error)?;
        }
        Ok(())
    }

    /// The descriptor, for waiting on it.
    pub fn fd(&self) -> &sys::Fd {
        self.socket.fd()
    }

    /// Passes on all that is new, without waiting. What cannot be read counts as lost.
    pub fn news(&mut self, each: &mut dyn FnMut(&LinkEvent)) -> Result<()> {
        self.socket.news(&mut |message| {
            // What cannot be read counts as lost.
            let mut news = LinkEvent::default();
            let read = message.map(|message| decode(&message, &mut news, &mut &[][..]));
            if !matches!(read, Some(Ok(false))) {
                each(&news);
            }
        })
    }
}

/// Whether a route was found.
fn found(asked: Result<()>) -> Result<bool> {
    match asked {
        // Whatever the error number, no packet leaves.
        Err(error) if error.errno() != 0 => Ok(false),
        Err(error) => Err(error),
        Ok(()) => Ok(true),
    }
}

fn dump_addresses(buffer: &mut [u8], seq: u32) -> Written<'_> {
    request::dump_addresses(buffer, AF_UNSPEC, seq, 0)
}

/// The number of an address; 0 if its length is that of neither family.
#[inline(never)]
fn key_in(bytes: &[u8]) -> Key {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return key(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).map_or(0, Key::from_be_bytes)
}

/// What a message reports, if it is about interfaces, their addresses or routes; also the name
/// of an interface.
#[inline(never)]
fn decode<'m>(message: &Message<'m>, into: &mut LinkEvent, name: &mut &'m [u8]) -> Result<bool> {
    let kind = message.header.message_type;
    let head = message.payload();
    let [family, _, flags, scope] = number_at(head, 0).to_ne_bytes();
    into.index = number_at(head, 4);
    into.present = matches!(kind, message_type::NEWLINK | message_type::NEWADDR);
    match kind {
        message_type::NEWLINK | message_type::DELLINK => {
            let text = Set::after(16, head)?.payload(LinkAttributes::IFNAME);
            let flags = LinkFlags(number_at(head, 8));
            into.up = flags.contains(LinkFlags::UP);
            into.usable = flags.contains(USABLE);
            *name = text.strip_suffix(b"\0").unwrap_or(text);
            // Bridges and others send messages of their own about an interface.
            Ok(family == 0)
        }
        message_type::NEWADDR | message_type::DELADDR => {
            let attributes = Set::after(8, head)?;
            let mut address = attributes.payload(AddressAttributes::LOCAL);
            if address.is_empty() {
                address = attributes.payload(AddressAttributes::ADDRESS);
            }
            into.address = key_in(address);
            let wide = attributes.payload(AddressAttributes::FLAGS);
            let flags = match wide.len() {
                0 => AddressFlags(flags.into()),
                _ => AddressFlags(number_at(wide, 0)),
            };
            // For IPv4 the bit of temporary addresses means something else.
            let mut passing = AddressFlags::DEPRECATED.0;
            if u16::from(family) != AF_INET {
                passing |= AddressFlags::TEMPORARY.0;
            }
            let unusable = AddressFlags::TENTATIVE.0 | AddressFlags::DADFAILED.0;
            into.present &= flags.0 & unusable == 0;
            into.permanent = flags.contains(AddressFlags::PERMANENT);
            into.usable = scope == <Address>::SCOPE_GLOBAL && flags.0 & passing == 0;
            Ok(into.address != 0)
        }
        message_type::NEWROUTE | message_type::DELROUTE => {
            into.index = ROUTES;
            Ok(true)
        }
        _ => Ok(false),
    }
}
