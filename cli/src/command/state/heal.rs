//! Paths that died and could live again.
//!
//! The kernel opens a subflow from an endpoint once: when the connection is
//! made, or when the endpoint is added. If that fails, because the route came
//! later than the address, or if the subflow is reset, it does not try again.
//! Deleting and adding the endpoint makes it try.
//!
//! What tells of it is the end of TCP sockets (`SKNLGRP_INET_TCP_DESTROY`):
//! each attempt that failed and each subflow that died is one. Unlike the events
//! of the path manager, nobody but the kernel notices that somebody listens, and
//! only in this network namespace. While no socket of an endpoint's address
//! ends, nothing wakes the program.

use std::net::IpAddr;

use mptcp_codec::diag::{State, SubflowFlags};
use mptcp_codec::mptcp::{Endpoint, EndpointFlags};
use mptcp_codec::route::{self, request::Lookup};

use crate::error::Result;
use crate::grammar::same;
use crate::kernel::connections::{is_fallback, survey, Detail, Found};
use crate::kernel::{Diagnostics, RouteSocket, ROUTE_CHANGES};
use crate::session::Session;
use crate::state::plan::{address_of, clashes, flags_of, id_of, index_of, Step};
use crate::sys::{self, Fd, Polled};

/// Room for notifications; those that find none are no loss: one is enough.
const ROOM: u32 = 64 * 1024;
/// What was just opened is given this long, in milliseconds.
const FIRST_PAUSE: u64 = 1000;
/// No endpoint is added again less often than this while it is of no use.
const LONGEST_PAUSE: u64 = 300_000;
/// After a look the next one is no sooner than this, and than this many times as
/// long as the look took: many connections make many ends.
const PAUSE: u64 = 1000;
const SHARE: u64 = 50;

/// Routes to this many peers are looked up for an endpoint.
const REMOTES: usize = 8;

/// An endpoint that some connection could use and none does.
struct Patient {
    endpoint: Endpoint,
    /// When to add it again.
    next: u64,
    pause: u64,
    /// No route leads from it.
    waits: bool,
}

/// A connection that was opened here.
struct Client {
    remote: Option<IpAddr>,
    /// It may have one more subflow.
    has_room: bool,
    locals: Vec<IpAddr>,
}

/// What is known of paths between two looks.
#[derive(Default)]
pub struct Healer {
    ends: Option<Diagnostics>,
    asks: Option<Diagnostics>,
    /// Listens to routes while an endpoint waits for one.
    routes: Option<RouteSocket>,
    patients: Vec<Patient>,
    /// A route changed since the last look.
    rerouted: bool,
    /// When to look.
    at: u64,
    /// Not before, whatever ends: ends are not waited for meanwhile.
    busy_until: u64,
    muted: bool,
}

impl Healer {
    /// From now on.
    pub fn start() -> Result<Self> {
        Ok(Self {
            ends: Some(Diagnostics::listen_for_ends(Some(ROOM))?),
            at: u64::MAX,
            ..Self::default()
        })
    }

    /// Looks soon: something may have died before.
    pub fn look_soon(&mut self) {
        self.at = self.at.min(sys::milliseconds() + FIRST_PAUSE);
    }

    /// Looks again after a while: it could not.
    pub fn look_later(&mut self) {
        self.at = sys::milliseconds() + 5 * PAUSE;
    }

    /// When something is to be done without news.
    pub fn due(&self) -> u64 {
        match &self.ends {
            Some(_) => self.at,
            None => u64::MAX,
        }
    }

    /// Whether it is time to look.
    pub fn is_due(&self) -> bool {
        self.ends.is_some() && self.at <= sys::milliseconds()
    }

    /// What to wait for: sockets that end, and routes.
    pub fn polled(&self) -> [Polled; 2] {
        let ends = match &self.ends {
            Some(ends) if !self.muted => Polled::read(ends.fd()),
            _ => Polled::read(&Fd::NONE),
        };
        let routes = match &self.routes {
            Some(routes) => Polled::read(routes.fd()),
            None => Polled::read(&Fd::NONE),
        };
        [ends, routes]
    }

    /// Takes news of sockets that ended: those of other addresses than these
    /// endpoints have mean nothing.
    pub fn hear_ends(&mut self, own: &[Step]) -> Result<()> {
        let Some(ends) = &mut self.ends else {
            return Ok(());
        };
        let mut matters = false;
        ends.ends(&mut |socket| {
            if let Some(address) = socket.ends()[0].address() {
                let has = |step: &Step| same(address_of(&step.endpoint), address);
                matters |= own.iter().any(has);
            }
        })?;
        if matters {
            let soon = sys::milliseconds() + FIRST_PAUSE / 5;
            self.at = self.at.min(soon.max(self.busy_until));
            self.muted = true;
        }
        Ok(())
    }

    /// Takes news of routes.
    pub fn hear_routes(&mut self) -> Result<()> {
        if let Some(routes) = &mut self.routes {
            routes.news(&mut |_| ())?;
            self.at = self.at.min(sys::milliseconds() + FIRST_PAUSE / 5);
            self.rerouted = true;
        }
        Ok(())
    }

    /// Looks at the connections; hands out the endpoints that are to be deleted
    /// and added again.
    #[inline(never)]
    pub fn look(
        &mut self,
        session: &mut Session,
        ask: &mut RouteSocket,
        present: &[Endpoint],
        again: &mut Vec<Endpoint>,
    ) -> Result<()> {
        let start = sys::milliseconds();
        self.at = u64::MAX;
        self.muted = false;
        let mut clients: Vec<Client> = Vec::new();
        let mut living: Vec<IpAddr> = Vec::new();
        let mut opening: Vec<IpAddr> = Vec::new();
        let buffer = session.receive_buffer();
        let asks = match self.asks.take() {
            Some(asks) => asks,
            None => Diagnostics::open(buffer)?,
        };
        let asks = self.asks.insert(asks);
        survey(asks, Detail::Place, &mut |found| {
            match found {
                Found::Connection { socket, .. } => {
                    let info = socket.mptcp_info();
                    let has = info.and_then(|info| info.subflows()).unwrap_or(0);
                    let most = info.and_then(|info| info.subflows_max()).unwrap_or(0);
                    let lives = socket.state() == State::Established && !is_fallback(socket);
                    clients.push(Client {
                        remote: socket.ends()[1].address(),
                        has_room: lives && has < most,
                        locals: Vec::new(),
                    });
                }
                Found::Subflow { of, subflow, .. } => {
                    let Some(local) = subflow.ends()[0].address() else {
                        return Ok(());
                    };
                    if subflow.is_alive() {
                        living.push(local);
                    } else if subflow.state() == State::SynSent {
                        opening.push(local);
                    }
                    let flags = subflow.flags();
                    let accepted = !subflow.is_joined()
                        && flags.contains(SubflowFlags::MCAP_REM)
                        && !flags.contains(SubflowFlags::MCAP_LOC);
                    if let Some(client) = of.and_then(|of| clients.get_mut(of)) {
                        client.has_room &= !accepted;
                        client.locals.push(local);
                    }
                }
            }
            Ok(())
        })?;
        let now = sys::milliseconds();
        let rerouted = core::mem::take(&mut self.rerouted);
        let listens = self.routes.is_some();
        let mut remotes = Vec::new();
        let is_in = |all: &[IpAddr], address| all.iter().any(|of| same(*of, address));
        for endpoint in present {
            let address = address_of(endpoint);
            // Some of the peers to which it could be used.
            remotes.clear();
            for client in &clients {
                let Some(remote) = client.remote.map(|remote| remote.to_canonical()) else {
                    continue;
                };
                if remotes.len() < REMOTES
                    && client.has_room
                    && remote.is_ipv4() == address.to_canonical().is_ipv4()
                    && !is_in(&client.locals, address)
                {
                    remotes.push(remote);
                }
            }
            let known = |patient: &Patient| patient.endpoint == *endpoint;
            let place = self.patients.iter().position(known);
            let lives = is_in(&living, address);
            let needed = flags_of(endpoint).contains(EndpointFlags::SUBFLOW)
                && !flags_of(endpoint).contains(EndpointFlags::IMPLICIT)
                && !lives
                && !remotes.is_empty();
            let Some(place) = place.filter(|_| needed) else {
                if let Some(place) = place {
                    self.patients.swap_remove(place);
                } else if needed {
                    self.patients.push(Patient {
                        endpoint: *endpoint,
                        next: now + FIRST_PAUSE,
                        pause: 2 * FIRST_PAUSE,
                        waits: false,
                    });
                }
                continue;
            };
            let Some(patient) = self.patients.get_mut(place) else {
                continue;
            };
            let is_time = now >= patient.next;
            if !(is_time || patient.waits && rerouted) {
                continue;
            }
            if is_time {
                patient.next = now + patient.pause;
            }
            if is_in(&opening, address) {
                continue;
            }
            // Without a route IPv4 sends to the link of the interface all the
            // same: that may work, but a route that comes is another matter.
            let mut is_routed = false;
            let mut is_sent = false;
            for remote in &remotes {
                let mut lookup = Lookup::new(*remote).with_source(address.to_canonical());
                if index_of(endpoint) != 0 {
                    lookup = lookup.with_output(index_of(endpoint));
                }
                is_sent |= ask.way(&lookup)?.is_some();
                is_routed |= ask.way(&lookup.matching_route())?.is_some();
            }
            let came = patient.waits && is_routed;
            patient.waits = !is_routed;
            if is_sent && (is_time || came) {
                patient.pause = LONGEST_PAUSE.min(2 * patient.pause);
                patient.next = now + patient.pause;
                again.push(*endpoint);
            } else if !is_sent {
                // Only a route can help, unless it came just now.
                patient.pause = 2 * FIRST_PAUSE;
                patient.next = match listens {
                    true => u64::MAX,
                    false => now + FIRST_PAUSE,
                };
            }
        }
        let exists = |patient: &Patient| {
            let same = |there: &Endpoint| clashes(there, &patient.endpoint);
            let id = |there: &Endpoint| id_of(there) == id_of(&patient.endpoint);
            present.iter().any(|there| same(there) && id(there))
        };
        self.patients.retain(exists);
        let wait = self.patients.iter().any(|patient| patient.waits);
        match &self.routes {
            None if wait => {
                let listens = RouteSocket::listen(buffer, route::NETLINK_ROUTE, ROUTE_CHANGES)?;
                self.routes = Some(listens);
            }
            Some(_) if !wait => self.routes = None,
            _ => {}
        }
        for patient in &self.patients {
            self.at = self.at.min(patient.next);
        }
        let end = sys::milliseconds();
        self.busy_until = end + PAUSE.max(SHARE * (end - start));
        Ok(())
    }
}
