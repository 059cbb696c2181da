//! Whether routes lead to the peer, as the kernel looks them up for a subflow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::route::request::Lookup;
use mptcp_codec::route::LinkFlags;

use super::facts::Doctor;
use super::finding::Part::{self, Address, Bytes, Interface, Number, Str};
use super::finding::{finding, put, Level};
use crate::error::Result;
use crate::host::places::{address, is_ipv4, key, Key};
use crate::kernel::proc::{self, decimal};
use crate::kernel::Way;
use crate::text::Text;

/// An address of documentation (RFC 5737, RFC 3849), which stands for any host
/// where no peer is known.
const ANYWHERE: [Key; 2] = [
    key(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))),
    key(IpAddr::V6(Ipv6Addr::new(
        0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1,
    ))),
];

/// The first table that remedies take; others have 100 and the id.
const TABLES: u32 = 100;
/// How far from it the next one is, if it is taken.
const STEP: u32 = 256;

/// Said of routes where rules are for certain packets.
const SPECIAL: &str = "; rules for marks, users or ports may lead elsewhere";

/// Where subflows go.
#[derive(Copy, Clone)]
pub struct Target {
    pub address: Key,
    pub port: u16,
    /// The mark of its packets, as far as it is known.
    pub mark: u32,
    /// No peer is known: any host.
    pub any: bool,
}

impl Doctor<'_> {
    /// Any host, where packets without a source of their own find a route to
    /// one of this family.
    pub fn anywhere(&mut self, ipv4: bool) -> Result<Option<Target>> {
        let address = ANYWHERE[usize::from(!ipv4)];
        let target = Target {
            address,
            port: 0,
            mark: 0,
            any: true,
        };
        let way = self.way(None, &target, 0, false)?;
        Ok(way.map(|_| target))
    }

    /// How TCP from a source leaves, by this interface where it is not 0:
    /// the route that decides, or the way of a packet.
    fn way(
        &mut self,
        from: Option<Key>,
        to: &Target,
        index: u32,
        route: bool,
    ) -> Result<Option<Way>> {
        let mut lookup = Lookup::new(address(to.address)).with_protocol(libc::IPPROTO_TCP as u8);
        if let Some(from) = from {
            lookup = lookup.with_source(address(from));
        }
        if to.port != 0 {
            lookup = lookup.with_destination_port(to.port);
        }
        if index != 0 {
            lookup = lookup.with_output(index);
        }
        if to.mark != 0 {
            lookup = lookup.with_mark(to.mark);
        }
        if route {
            lookup = lookup.matching_route();
        }
        match &mut self.host.places.routes {
            Some(routes) => routes.route(&lookup),
            None => Ok(None),
        }
    }

    /// Whether the first subflow to the target leaves by this interface.
    pub fn is_first(&mut self, to: &Target, index: u32) -> Result<bool> {
        let way = self.way(None, to, 0, true)?;
        Ok(way.is_some_and(|way| leaves_by(&way, index)))
    }

    /// Whether something is wrong with the routes from an endpoint to a target,
    /// for subflows that are opened here; true where that was reported.
    pub fn check_route(&mut self, at: usize, to: &Target) -> Result<bool> {
        let source = self.key(at);
        let ipv4 = is_ipv4(source);
        let index = self.interface(at);
        let bound = self.bound(at) != 0;
        let way = self.way(Some(source), to, if bound { index } else { 0 }, true)?;
        let mut reaches = way.as_ref().is_some_and(|way| leaves_by(way, index));
        if bound && !reaches && !ipv4 {
            // Asked with a source, IPv6 takes the interface for a wish, but
            // the socket of a subflow is bound to it.
            let way = self.way(None, to, index, true)?;
            reaches = way.is_some_and(|way| leaves_by(&way, index));
        }
        if !reaches {
            match way.and_then(|way| way.outputs.first().copied()) {
                Some(_) if !bound && self.is_inside(index)? => return Ok(false),
                Some(other) if !bound => self.misrouted(Level::Fault, at, to, other)?,
                _ => self.misrouted(Level::Fault, at, to, 0)?,
            }
            return Ok(true);
        }
        if ipv4 && self.is_filtered(index) {
            let way = self.way(Some(source), to, 0, true)?;
            if !way.is_some_and(|way| leaves_by(&way, index)) {
                self.filtered(at, to);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same for answers to subflows that a client opens to an endpoint.
    pub fn check_answers(&mut self, at: usize, to: &Target) -> Result<bool> {
        let source = self.key(at);
        let index = self.interface(at);
        match self.way(Some(source), to, 0, true)? {
            None => self.misrouted(Level::Fault, at, to, 0)?,
            Some(way) if leaves_by(&way, index) => return Ok(false),
            // A client on a link of its own may come by this one, too, from
            // another address.
            Some(way) if way.gateway.is_none() => return Ok(false),
            Some(_) if is_ipv4(source) && self.is_filtered(index) && !self.is_inside(index)? => {
                self.filtered(at, to)
            }
            // Nobody has come yet whom it might hurt.
            Some(_) if to.any => return Ok(false),
            Some(_) if self.is_inside(index)? => return Ok(false),
            Some(way) => {
                let other = way.outputs.first().copied().unwrap_or(0);
                self.misrouted(Level::Note, at, to, other)?;
            }
        }
        Ok(true)
    }

    /// Whether nothing leaves or comes by an interface: addresses of services
    /// are on loopback or dummy interfaces, and any uplink leads to them.
    fn is_inside(&mut self, index: u32) -> Result<bool> {
        let flags = match &mut self.host.places.routes {
            Some(routes) => routes.link_flags(index)?,
            None => LinkFlags::default(),
        };
        let dummy = flags.contains(LinkFlags::NOARP) && !flags.contains(LinkFlags::POINTOPOINT);
        Ok(dummy || flags.contains(LinkFlags::LOOPBACK))
    }

    /// Packets from the address of an endpoint leave by another interface than
    /// its own, or not at all (0).
    fn misrouted(&mut self, level: Level, at: usize, to: &Target, other: u32) -> Result<()> {
        let (mut remedy, mut unknown) = (Text::default(), Text::default());
        let special = self.own_table(at, &mut remedy, &mut unknown)?;
        let index = Interface(self.interface(at));
        let neighbour = self.bound(at) != 0 && is_ipv4(to.address);
        let (check, message, first, how) = if other == 0 {
            let how = if neighbour {
                ", the kernel takes it for a neighbour on "
            } else {
                " by "
            };
            let message =
                "no route leads to the peer from the address of an endpoint, by its interface";
            ("no-route", message, Str("no route"), how)
        } else {
            let message = "packets from the address of an endpoint leave by another interface";
            (
                "wrong-way",
                message,
                Interface(other),
                ", the address is on ",
            )
        };
        // Nobody knows which mark a firewall gives to packets, for example.
        let (level, rules) = match special {
            true if to.any => (Level::Note, SPECIAL),
            true => (level, SPECIAL),
            false => (level, ""),
        };
        finding!(
            self,
            level,
            "{}",
            "{}",
            "{}; to {}{}: {}{}{}{}{}{}",
            "{}",
            [
                Str(check),
                Str(message),
                Part::Endpoint(at),
                Address(to.address),
                Str(if to.any { ", as to any host" } else { "" }),
                Str(if other == 0 { "" } else { "by " }),
                first,
                Str(how),
                index,
                Str(rules),
                Bytes(unknown.as_bytes()),
                Bytes(remedy.as_bytes())
            ],
        );
        Ok(())
    }

    fn filtered(&mut self, at: usize, to: &Target) {
        let index = self.interface(at);
        finding!(
            self,
            Level::Fault,
            "rp-filter",
            "strict filtering drops packets to an endpoint: the route back leaves by another \
             interface",
            "{}; from {}{}; rp_filter is 1 on {}",
            "sysctl -w net/ipv4/conf/{}/rp_filter=2",
            [
                Part::Endpoint(at),
                Address(to.address),
                Str(if to.any { ", as from any host" } else { "" }),
                Interface(index),
                Interface(index)
            ],
        );
    }

    /// The commands that give the address of an endpoint a routing table of its
    /// own, one that is free, and what is to be known of them: no router is
    /// known on its interface. Whether some rules are for certain packets only.
    fn own_table(&mut self, at: usize, remedy: &mut Text, unknown: &mut Text) -> Result<bool> {
        let source = self.key(at);
        let ipv4 = is_ipv4(source);
        let index = self.interface(at);
        // A free table: the steps keep those of two ids apart.
        let first = TABLES + self.id(at);
        let mut used = 0_u64;
        let mut take = |table: u32| {
            let steps = table.wrapping_sub(first);
            if steps % STEP == 0 {
                used |= 1_u64.checked_shl(steps / STEP).unwrap_or(0);
            }
        };
        (253..=255).for_each(&mut take);
        let mut gateway = None;
        let mut needed = true;
        let mut special = false;
        if let Some(routes) = &mut self.host.places.routes {
            let family = if ipv4 { AF_INET } else { AF_INET6 };
            special = routes.tables(family, &mut |table, router| {
                take(table);
                match router {
                    Some((router, output)) if output == index && gateway.is_none() => {
                        gateway = Some(router);
                    }
                    _ => {}
                }
            })?;
            // A tunnel, or what leads to one other end, has no router.
            let flags = routes.link_flags(index)?;
            needed = !flags.contains(LinkFlags::POINTOPOINT) && !flags.contains(LinkFlags::NOARP);
        }
        let table = first + STEP * used.trailing_ones();
        let ip = Str(if ipv4 { "ip " } else { "ip -6 " });
        let table = Number(table.into());
        put!(self, remedy, "{}route add default", [ip]);
        if let Some(router) = gateway {
            remedy.bytes(b" via ");
            remedy.address(router);
        } else if needed {
            remedy.bytes(b" via GATEWAY");
            put!(
                self,
                unknown,
                "; GATEWAY is the address of the router on {}, which no route names",
                [Interface(index)]
            );
        }
        put!(
            self,
            remedy,
            " dev {} table {}; {}rule add from {} table {}",
            [Interface(index), table, ip, Address(source), table]
        );
        Ok(special)
    }

    /// Whether packets are dropped that come in by this interface and not by
    /// the one that their sender is sent to.
    fn is_filtered(&mut self, index: u32) -> bool {
        // The larger one counts.
        filter(b"all").max(filter(self.host.name(index))) == 1
    }
}

/// Whether packets leave by this interface, or may.
fn leaves_by(way: &Way, index: u32) -> bool {
    way.outputs.is_empty() || way.outputs.contains(&index)
}

/// How an interface looks at where packets come from.
fn filter(interface: &[u8]) -> u64 {
    let mut value = Vec::new();
    let path = [b"/proc/sys/net/ipv4/conf/", interface, b"/rp_filter"];
    proc::value(&path, &mut value);
    decimal(&value)
}
