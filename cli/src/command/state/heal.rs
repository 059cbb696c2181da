//! Paths that died and could live again.
//!
//! The kernel opens a subflow from an endpoint once: when the connection is
//! made, or when the endpoint is added. If that fails, because the route came
//! later than the address, or if the subflow is reset, it does not try again.
//! Deleting and adding the endpoint makes it try.
//!
//! Destroyed TCP sockets (`SKNLGRP_INET_TCP_DESTROY`) show it: each failed attempt and each
//! dead subflow is one. Unlike a listener to path manager events, a listener to these has no
//! side effects and hears only this network namespace. While no socket with an endpoint's
//! address is destroyed, nothing wakes the program.

use mptcp_codec::diag::{State, SubflowFlags};
use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Result;
use crate::kernel::connections::{is_alive, is_fallback, is_joined, survey, Found};
use crate::kernel::key::{is_ipv4, key_of, Key};
use crate::kernel::{Diagnostics, RouteSocket};
use crate::state::endpoint::{clashing, flags_of, index_of};
use crate::state::plan::{Plan, Step, Subflows};
use crate::sys::{self, Fd, Polled};

/// Room for notifications; it does not matter if some find none: one is enough.
const ROOM: u32 = 64 * 1024;
/// How long, in milliseconds, a subflow that is being opened is left alone.
const FIRST_PAUSE: u64 = 1000;
/// The longest time between two attempts at an endpoint that is not in use.
const LONGEST_PAUSE: u64 = 300_000;
/// The least time between two looks, which is also at least this many times as long as the look
/// took: many connections make many notifications.
const PAUSE: u64 = 1000;
const SHARE: u64 = 50;

/// For this many peers of an endpoint routes are looked up.
const PEERS: usize = 8;
/// In place of a peer to which no subflow can be opened.
const NONE: Key = 0;

/// What is known of paths between two looks.
#[derive(Default)]
pub struct Healer {
    ends: Option<Diagnostics>,
    asks: Option<Diagnostics>,
    /// An endpoint waits for a route.
    waits: bool,
    /// A route changed since the last look.
    rerouted: bool,
    /// When to look next.
    at: u64,
    /// Not before this, whatever is destroyed: notifications are ignored until then.
    busy_until: u64,
    muted: bool,
}

impl Healer {
    /// Starts to listen.
    pub fn start(&mut self) -> Result<()> {
        self.ends = Some(Diagnostics::listen_for_ends(Some(ROOM))?);
        self.at = u64::MAX;
        Ok(())
    }

    /// Looks after this many milliseconds, if not before.
    pub fn look_in(&mut self, time: u64) {
        self.at = self.at.min(sys::milliseconds() + time);
    }

    /// When to look next.
    pub fn due(&self) -> u64 {
        match &self.ends {
            Some(_) => self.at,
            None => u64::MAX,
        }
    }

    /// What to wait for: sockets that end.
    pub fn polled(&self) -> Polled {
        match &self.ends {
            Some(ends) if !self.muted => Polled::read(ends.fd()),
            _ => Polled::read(&Fd::NONE),
        }
    }

    /// Whether an endpoint waits for a route.
    pub fn waits_for_routes(&self) -> bool {
        self.waits
    }

    /// Takes notice that a route changed.
    pub fn reroute(&mut self) {
        if self.waits_for_routes() {
            self.rerouted = true;
            self.look_in(FIRST_PAUSE / 5);
        }
    }

    /// Takes notifications of destroyed sockets: only those with an address of these endpoints
    /// matter.
    pub fn hear(&mut self, own: &[Step]) -> Result<()> {
        let Some(ends) = &mut self.ends else {
            return Ok(());
        };
        let mut matters = false;
        ends.ends(&mut |socket| {
            let address = socket.ends()[0].number;
            let has = |step: &Step| key_of(&step.endpoint) == address;
            matters |= own.iter().any(has);
        })?;
        if matters {
            let soon = sys::milliseconds() + FIRST_PAUSE / 5;
            self.at = self.at.min(soon.max(self.busy_until));
            self.muted = true;
        }
        Ok(())
    }

    /// Looks at the connections; endpoints of the plan that some connection could use and
    /// none does are to be re-added. Returns how many there are.
    #[inline(never)]
    pub fn look(
        &mut self,
        buffer: Option<u32>,
        ask: &mut RouteSocket,
        plan: &mut Plan,
    ) -> Result<usize> {
        let start = sys::milliseconds();
        self.at = u64::MAX;
        self.muted = false;
        let Plan { present, own, .. } = plan;
        for step in &mut *own {
            let roles = EndpointFlags::SUBFLOW | EndpointFlags::IMPLICIT;
            let opens = |present: &Endpoint| flags_of(present) & roles == EndpointFlags::SUBFLOW;
            // Endpoints that open no subflows lack none.
            step.subflows.alive = !clashing(present, &step.endpoint).is_some_and(opens);
            step.subflows.opening = false;
        }
        let asks = match self.asks.take() {
            Some(asks) => asks,
            None => Diagnostics::open(buffer)?,
        };
        // The peer of each connection that can open one more subflow from here.
        let mut peers: Vec<Key> = Vec::new();
        survey(self.asks.insert(asks), &mut |found| {
            match found {
                Found::Connection { socket, .. } => {
                    let info = socket.mptcp_info();
                    let has = info.and_then(|info| info.subflows()).unwrap_or(0);
                    let most = info.and_then(|info| info.subflows_max()).unwrap_or(0);
                    let lives = socket.state() == State::Established && !is_fallback(socket);
                    let remote = socket.ends()[1].number;
                    peers.push(if lives && has < most { remote } else { NONE });
                }
                Found::Subflow { of, socket, flags } => {
                    let (local, state) = (socket.ends()[0].number, socket.state());
                    let (alive, opening) = (is_alive(state), state == State::SynSent);
                    for step in &mut *own {
                        if key_of(&step.endpoint) == local {
                            step.subflows.alive |= alive;
                            step.subflows.opening |= opening;
                        }
                    }
                    let ends = SubflowFlags::MCAP_REM | SubflowFlags::MCAP_LOC;
                    let accepted = !is_joined(flags) && flags & ends == SubflowFlags::MCAP_REM;
                    if let Some(peer) = of.and_then(|of| peers.get_mut(of)).filter(|_| accepted) {
                        *peer = NONE;
                    }
                }
            }
            Ok(())
        })?;
        let now = sys::milliseconds();
        let rerouted = core::mem::take(&mut self.rerouted);
        let (mut waits, mut again) = (false, 0);
        for step in own {
            let path = &mut step.subflows;
            let source = key_of(&step.endpoint);
            let fits = |peer: &Key| *peer != NONE && is_ipv4(*peer) == is_ipv4(source);
            if path.alive || !peers.iter().any(fits) {
                *path = Subflows::UNKNOWN;
                continue;
            }
            if path.next == u64::MAX && !path.unrouted {
                path.next = now + FIRST_PAUSE;
            }
            let is_time = now >= path.next;
            if is_time {
                path.next = now + path.pause;
            }
            if !path.opening && (is_time || path.unrouted && rerouted) {
                // Without a route, IPv4 still sends on the link of the interface: that may
                // work, but a route that appears changes matters.
                let mut is_routed = false;
                let mut is_sent = false;
                for peer in peers.iter().copied().filter(fits).take(PEERS) {
                    let (ends, output) = ([source, peer], index_of(&step.endpoint));
                    is_sent |= ask.leads(ends, output, false)?;
                    is_routed |= ask.leads(ends, output, true)?;
                }
                let waited = core::mem::replace(&mut path.unrouted, !is_routed);
                if !is_sent {
                    // Only a route can help, unless it came before this program listened
                    // for it.
                    path.pause = Subflows::RETRY;
                    path.next = match waited {
                        true => u64::MAX,
                        false => now + FIRST_PAUSE,
                    };
                } else if is_time || waited && is_routed {
                    path.pause = LONGEST_PAUSE.min(2 * path.pause);
                    path.next = now + path.pause;
                    path.again = true;
                    again += 1;
                }
            }
            waits |= path.unrouted;
            self.at = self.at.min(path.next);
        }
        self.waits = waits;
        let end = sys::milliseconds();
        self.busy_until = end + PAUSE.max(SHARE * (end - start));
        Ok(again)
    }
}
