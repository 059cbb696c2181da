//! Whether routes lead to the peer, looked up as the kernel does for a subflow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::route::request::Lookup;
use mptcp_codec::route::LinkFlags;

use super::facts::{Doctor, Target, REMEDY};
use super::finding::{finding, texts, Level};
use crate::host::health::Facts;
use crate::kernel::key::{address, is_ipv4, key, Key};
use crate::kernel::proc::{self, decimal};
use crate::kernel::Hop;

/// An address for documentation (RFC 5737, RFC 3849), which stands for any host if no peer is
/// known.
const ANYWHERE: [Key; 2] = [
    key(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1))),
    key(IpAddr::V6(Ipv6Addr::new(
        0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1,
    ))),
];

/// The tables that remedies use are this and the id.
const TABLES: u32 = 100;
/// Added if that one is taken.
const STEP: u32 = 256;

/// How packets leave.
#[derive(Copy, Clone, Default)]
struct Exit {
    /// There is a route.
    found: bool,
    /// They leave, or may leave, through the interface of the endpoint.
    right: bool,
    /// Through a router.
    router: bool,
    /// An interface through which they leave.
    index: u32,
}

impl Doctor<'_> {
    /// Makes any host the target; returns whether packets without a given source find a
    /// route to one of the endpoint's family.
    pub fn goes_anywhere(&mut self) -> bool {
        self.to = Target {
            address: ANYWHERE[usize::from(!is_ipv4(self.endpoint.key))],
            any: true,
            ..Target::default()
        };
        self.exit(0, 0).found
    }

    /// How TCP packets leave to the target, from a source or none (0), and from a socket
    /// bound to an interface or none (0).
    #[inline(never)]
    fn exit(&mut self, from: Key, bound: u32) -> Exit {
        let to = &self.to;
        let mut lookup = Lookup::new(address(to.address))
            .with_protocol(libc::IPPROTO_TCP as u8)
            .matching_route();
        if from != 0 {
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
        let index = self.endpoint.interface;
        let mut exit = Exit::default();
        if let Some(routes) = &mut self.host.places.routes {
            let found = routes.route(&lookup, &mut |hop| {
                exit.router |= hop.gateway != 0 && !hop.of_several;
                // If only a nexthop object is named, it may be any interface.
                exit.right |= hop.output == 0 || hop.output == index;
                if exit.index == 0 {
                    exit.index = hop.output;
                }
            });
            match found {
                Ok(found) => exit.found = found,
                // Nothing is reported about what cannot be looked up.
                Err(error) => {
                    self.failed = Err(error);
                    exit.found = true;
                    exit.right = true;
                }
            }
        }
        exit
    }

    /// Whether the first subflow to the target leaves through the interface of the endpoint.
    pub fn is_first(&mut self) -> bool {
        self.exit(0, 0).right
    }

    /// Checks the routes from the endpoint to the target for subflows that are opened here;
    /// returns whether something wrong was reported.
    #[inline(never)]
    pub fn check_route(&mut self) -> bool {
        let Facts {
            key,
            bound,
            interface,
            ..
        } = self.endpoint;
        let ipv4 = is_ipv4(key);
        let exit = self.exit(key, bound);
        let mut right = exit.right;
        if bound != 0 && !right && !ipv4 {
            // In a look-up with a source, IPv6 treats the interface as a preference, but
            // the socket of a subflow is bound to it.
            right = self.exit(0, interface).right;
        }
        if !right {
            let other = if bound == 0 { exit.index } else { 0 };
            if other != 0 && self.is_inside() {
                return false;
            }
            self.misrouted(Level::Fault, other);
            return true;
        }
        ipv4 && self.is_filtered() && !self.exit(key, 0).right && self.filtered()
    }

    /// The same for replies to subflows that a client opens to the endpoint.
    pub fn check_answers(&mut self) -> bool {
        let exit = self.exit(self.endpoint.key, 0);
        if !exit.found {
            self.misrouted(Level::Fault, 0);
            return true;
        }
        // A client on a link of its own may also come through this one, from another address.
        if exit.right || !exit.router || self.is_inside() {
            return false;
        }
        if is_ipv4(self.endpoint.key) && self.is_filtered() {
            return self.filtered();
        }
        // Otherwise no client that it might affect has connected yet.
        if !self.to.any {
            self.misrouted(Level::Note, exit.index);
        }
        !self.to.any
    }

    /// Whether nothing leaves or arrives through the interface of the endpoint: service
    /// addresses are on loopback or dummy interfaces, and any uplink leads to them.
    fn is_inside(&mut self) -> bool {
        let flags = self.link_flags();
        let dummy = flags.contains(LinkFlags::NOARP) && !flags.contains(LinkFlags::POINTOPOINT);
        dummy || flags.contains(LinkFlags::LOOPBACK)
    }

    /// The flags of that interface.
    fn link_flags(&mut self) -> LinkFlags {
        if let Some(routes) = &mut self.host.places.routes {
            match routes.link_flags(self.endpoint.interface) {
                Ok(flags) => return flags,
                Err(error) => self.failed = Err(error),
            }
        }
        LinkFlags::default()
    }

    /// Packets from the address of the endpoint leave through another interface than its
    /// own, or not at all (0).
    #[inline(never)]
    fn misrouted(&mut self, mut level: Level, other: u32) {
        if self.to.any {
            self.say(", as to any host");
        }
        self.other = other;
        self.say(match other {
            0 if self.endpoint.bound != 0 && is_ipv4(self.endpoint.key) => {
                ": no route, the kernel takes it for a neighbour on {d}"
            }
            0 => ": no route by {d}",
            _ => ": by {o}, the address is on {d}",
        });
        // It is not known, for example, which mark a firewall gives to packets.
        if self.own_table() && self.to.any {
            level = Level::Note;
        }
        self.find(
            level,
            match other {
                0 => texts!(
                    "no-route",
                    "no route leads to the peer from the address of an endpoint, by its interface",
                    "{e}; to {t}{b}",
                    "{r}",
                ),
                _ => texts!(
                    "wrong-way",
                    "packets from the address of an endpoint leave by another interface",
                    "{e}; to {t}{b}",
                    "{r}",
                ),
            },
        );
    }

    /// Reports that replies are dropped.
    fn filtered(&mut self) -> bool {
        if self.to.any {
            self.say(", as from any host");
        }
        finding!(
            self,
            Level::Fault,
            "rp-filter",
            "strict filtering drops packets to an endpoint: the route back leaves by another \
             interface",
            "{e}; from {t}{b}; rp_filter is 1 on {d}",
            "{n}sysctl -w net/ipv4/conf/{d}/rp_filter=2",
        );
        true
    }

    /// Adds the commands that give the address of the endpoint a routing table of its own
    /// that is free, with caveats: there are rules for certain packets only, or no router
    /// is known on its interface. Returns whether there are such rules.
    fn own_table(&mut self) -> bool {
        let index = self.endpoint.interface;
        // A free table: the steps keep the tables of different ids apart.
        let first = TABLES + u32::from(self.endpoint.id);
        // The three of the kernel are taken.
        let mut used = u64::from((253..=255).contains(&first));
        let mut take = |table: u32| {
            let steps = table.wrapping_sub(first);
            if steps % STEP == 0 {
                used |= 1_u64.checked_shl(steps / STEP).unwrap_or(0);
            }
        };
        let mut gateway = 0;
        let mut special = false;
        if let Some(routes) = &mut self.host.places.routes {
            let family = match is_ipv4(self.endpoint.key) {
                true => AF_INET,
                false => AF_INET6,
            };
            let each = &mut |hop: &Hop| {
                take(hop.table);
                if hop.output == index && gateway == 0 {
                    gateway = hop.gateway;
                }
            };
            match routes.tables(family, each) {
                Ok(some) => special = some,
                Err(error) => self.failed = Err(error),
            }
        }
        if special {
            self.say("; rules for marks, users or ports may lead elsewhere");
        }
        // A tunnel, or any other point-to-point interface, has no router.
        let flags = self.link_flags();
        let needed = !flags.contains(LinkFlags::POINTOPOINT) && !flags.contains(LinkFlags::NOARP);
        self.advise("{w}{v}route add default");
        if gateway != 0 {
            self.advise(" via ");
            self.texts[REMEDY].address(address(gateway));
        } else if needed {
            self.advise(" via GATEWAY");
            self.say("; GATEWAY is the address of the router on {d}, which no route names");
        }
        let table = u64::from(first + STEP * used.trailing_ones());
        self.advise_with(
            " dev {d} table {}; {w}{v}rule add from {a} table {}",
            &[table, table],
        );
        special
    }

    /// Whether packets that arrive through the interface of the endpoint are dropped if the
    /// route to their sender is through another one (rp_filter).
    fn is_filtered(&mut self) -> bool {
        // The larger of the two counts.
        let name = self.host.name(self.endpoint.interface);
        filter(b"all").max(filter(name)) == 1
    }
}

/// The rp_filter of an interface.
fn filter(interface: &[u8]) -> u64 {
    let mut value = Vec::new();
    let path = [b"/proc/sys/net/ipv4/conf/", interface, b"/rp_filter"];
    proc::value(&path, &mut value);
    decimal(&value)
}
