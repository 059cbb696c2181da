//! Whether routes lead to the peer, as the kernel looks them up for a subflow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::route::request::Lookup;
use mptcp_codec::route::LinkFlags;

use super::facts::Doctor;
use super::finding::Part::{self, Address, Bytes, Interface, Number, Str};
use super::finding::{finding, put, Level};
use crate::host::places::{address, is_ipv4, key, Key};
use crate::kernel::proc::{self, decimal};
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

/// How packets leave.
#[derive(Copy, Clone, Default)]
struct Exit {
    /// There is a route.
    found: bool,
    /// They leave by the interface in question, or may.
    right: bool,
    /// By a router.
    router: bool,
    /// An interface by which they leave.
    index: u32,
}

impl Doctor<'_> {
    /// Any host, where packets without a source of their own find a route to
    /// one of this family.
    pub fn anywhere(&mut self, ipv4: bool) -> Option<Target> {
        let target = Target {
            address: ANYWHERE[usize::from(!ipv4)],
            port: 0,
            mark: 0,
            any: true,
        };
        self.exit(None, &target, 0, 0).found.then_some(target)
    }

    /// How TCP from a source leaves, from a socket that is bound to an interface
    /// or to none (0), and whether that is by the one in question.
    #[inline(never)]
    fn exit(&mut self, from: Option<Key>, to: &Target, bound: u32, index: u32) -> Exit {
        let mut lookup = Lookup::new(address(to.address))
            .with_protocol(libc::IPPROTO_TCP as u8)
            .matching_route();
        if let Some(from) = from {
            lookup = lookup.with_source(address(from));
        }
        if to.port != 0 {
            lookup = lookup.with_destination_port(to.port);
        }
        if bound != 0 {
            lookup = lookup.with_output(bound);
        }
        if to.mark != 0 {
            lookup = lookup.with_mark(to.mark);
        }
        let mut exit = Exit::default();
        if let Some(routes) = &mut self.host.places.routes {
            match routes.route(&lookup) {
                Ok(Some(way)) => {
                    exit.found = true;
                    exit.right = way.outputs.is_empty() || way.outputs.contains(&index);
                    exit.router = way.gateway.is_some();
                    exit.index = way.outputs.first().copied().unwrap_or(0);
                }
                Ok(None) => {}
                // Nothing is said of what cannot be seen.
                Err(error) => {
                    self.failed = Err(error);
                    exit.found = true;
                    exit.right = true;
                }
            }
        }
        exit
    }

    /// Whether the first subflow to the target leaves by this interface.
    pub fn is_first(&mut self, to: &Target, index: u32) -> bool {
        self.exit(None, to, 0, index).right
    }

    /// Whether something is wrong with the routes from an endpoint to a target,
    /// for subflows that are opened here; true where that was reported.
    pub fn check_route(&mut self, at: usize, to: &Target) -> bool {
        let source = self.key(at);
        let ipv4 = is_ipv4(source);
        let index = self.interface(at);
        let bound = self.bound(at);
        let exit = self.exit(Some(source), to, bound, index);
        let mut right = exit.right;
        if bound != 0 && !right && !ipv4 {
            // Asked with a source, IPv6 takes the interface for a wish, but
            // the socket of a subflow is bound to it.
            right = self.exit(None, to, index, index).right;
        }
        if !right {
            let other = if bound == 0 { exit.index } else { 0 };
            if other != 0 && self.is_inside(index) {
                return false;
            }
            self.misrouted(Level::Fault, at, to, other);
            return true;
        }
        if ipv4 && self.is_filtered(index) && !self.exit(Some(source), to, 0, index).right {
            self.filtered(at, to);
            return true;
        }
        false
    }

    /// The same for answers to subflows that a client opens to an endpoint.
    pub fn check_answers(&mut self, at: usize, to: &Target) -> bool {
        let source = self.key(at);
        let index = self.interface(at);
        let exit = self.exit(Some(source), to, 0, index);
        if !exit.found {
            self.misrouted(Level::Fault, at, to, 0);
            return true;
        }
        // A client on a link of its own may come by this one, too, from another
        // address.
        if exit.right || !exit.router || self.is_inside(index) {
            return false;
        }
        if is_ipv4(source) && self.is_filtered(index) {
            self.filtered(at, to);
            return true;
        }
        // Otherwise nobody has come yet whom it might hurt.
        if !to.any {
            self.misrouted(Level::Note, at, to, exit.index);
        }
        !to.any
    }

    /// Whether nothing leaves or comes by an interface: addresses of services
    /// are on loopback or dummy interfaces, and any uplink leads to them.
    fn is_inside(&mut self, index: u32) -> bool {
        let flags = self.link_flags(index);
        let dummy = flags.contains(LinkFlags::NOARP) && !flags.contains(LinkFlags::POINTOPOINT);
        dummy || flags.contains(LinkFlags::LOOPBACK)
    }

    /// The flags of an interface.
    fn link_flags(&mut self, index: u32) -> LinkFlags {
        if let Some(routes) = &mut self.host.places.routes {
            match routes.link_flags(index) {
                Ok(flags) => return flags,
                Err(error) => self.failed = Err(error),
            }
        }
        LinkFlags::default()
    }

    /// Packets from the address of an endpoint leave by another interface than
    /// its own, or not at all (0).
    fn misrouted(&mut self, level: Level, at: usize, to: &Target, other: u32) {
        let (mut remedy, mut unknown) = (Text::default(), Text::default());
        let special = self.own_table(at, &mut remedy, &mut unknown);
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
    fn own_table(&mut self, at: usize, remedy: &mut Text, unknown: &mut Text) -> bool {
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
        let mut special = false;
        if let Some(routes) = &mut self.host.places.routes {
            let family = if ipv4 { AF_INET } else { AF_INET6 };
            let each = &mut |table, router: Option<(IpAddr, u32)>| {
                take(table);
                if let Some((router, output)) = router {
                    if output == index && gateway.is_none() {
                        gateway = Some(router);
                    }
                }
            };
            match routes.tables(family, each) {
                Ok(some) => special = some,
                Err(error) => self.failed = Err(error),
            }
        }
        // A tunnel, or what leads to one other end, has no router.
        let flags = self.link_flags(index);
        let needed = !flags.contains(LinkFlags::POINTOPOINT) && !flags.contains(LinkFlags::NOARP);
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
        special
    }

    /// Whether packets are dropped that come in by this interface and not by
    /// the one that their sender is sent to.
    fn is_filtered(&mut self, index: u32) -> bool {
        // The larger one counts.
        filter(b"all").max(filter(self.host.name(index))) == 1
    }
}

/// How an interface looks at where packets come from.
fn filter(interface: &[u8]) -> u64 {
    let mut value = Vec::new();
    let path = [b"/proc/sys/net/ipv4/conf/", interface, b"/rp_filter"];
    proc::value(&path, &mut value);
    decimal(&value)
}
