//! What `status` and `doctor` look at.

use mptcp_codec::diag::State;
use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::error::Result;
use crate::host::places::{is_bound, is_ipv4, key_of, Key, Places};
use crate::kernel::connections::{self, Detail, Role, Selection};
use crate::kernel::Diagnostics;
use crate::kernel::LinkEvents;
use crate::session::Session;
use crate::text::nth;

/// Limits, interfaces, addresses, endpoints and connections of the namespace.
#[derive(Default)]
pub struct Host {
    /// The limits of the path manager.
    pub add_addr_accepted: u32,
    /// Further subflows of a connection.
    pub more_subflows: u32,
    /// Addresses and endpoints.
    pub places: Places,
    interfaces: LinkEvents,
    /// All connections.
    pub connections: u64,
    /// Those that fell back to TCP.
    pub fallbacks: u64,
    /// Established connections that were opened here and lost their further
    /// subflows, and a connection opened here that has some.
    pub bereft: u64,
    pub joined: bool,
    /// A connection was opened here.
    pub calls: bool,
    /// A connection was accepted here.
    pub serves: bool,
    /// Some addresses of other hosts that connections were opened to.
    pub peers: Vec<Key>,
    /// Where connections are accepted, if that was asked for.
    pub listening: Vec<Key>,
}

/// Whether packets can leave from the address of an endpoint.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// They can.
    Up,
    /// Its interface is down.
    Down,
    /// Its interface is up but not connected.
    NoCarrier,
    /// The interface that it names has gone.
    NoDevice,
    /// No interface has the address.
    NoAddress,
    /// Another interface than the one it names has the address.
    OtherDevice,
}

impl Presence {
    /// The word for it in output.
    pub fn name(self) -> &'static [u8] {
        const NAMES: &[u8] = b"up down no-carrier no-device no-address other-device";
        nth(NAMES, b' ', self as usize)
    }
}

/// `::`, where IPv4 is heard too.
const ALL: Key = 0;
/// `0.0.0.0`.
const ALL_IPV4: Key = 0xffff << 32;

/// So many peers are a fair sample.
const PEERS: usize = 8;

impl Host {
    /// Nothing is known yet.
    #[inline(never)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the kernel for all but the connections.
    #[inline(never)]
    pub fn read(&mut self, session: &mut Session) -> Result<()> {
        let limits = session.path_manager()?.limits()?;
        self.add_addr_accepted = limits.add_addr_accepted().unwrap_or(0);
        self.more_subflows = limits.subflows().unwrap_or(0);
        self.places.read(session)?;
        if let Some(routes) = &mut self.places.routes {
            routes.interfaces(&mut self.interfaces, &mut self.places.names)?;
        }
        Ok(())
    }

    /// The name of an interface; `ifN` where it has gone, `unknown` for 0.
    pub fn name(&mut self, index: u32) -> &[u8] {
        self.places.names.known(index)
    }

    /// How an endpoint is.
    pub fn presence(&self, endpoint: &Endpoint) -> Presence {
        let index = self.places.of_endpoint(endpoint);
        let Some(interface) = self.interfaces.iter().find(|one| one.index == index) else {
            return if is_bound(endpoint) {
                Presence::NoDevice
            } else {
                Presence::NoAddress
            };
        };
        let address = key_of(endpoint);
        if !interface.up {
            Presence::Down
        } else if self.places.addresses.interface(address) == 0 {
            Presence::NoAddress
        } else if !self.places.addresses.has(address, index) {
            Presence::OtherDevice
        } else if !interface.usable {
            Presence::NoCarrier
        } else {
            Presence::Up
        }
    }

    /// Counts connections and subflows, and looks where connections are
    /// accepted if the caller wants to know.
    #[inline(never)]
    pub fn count(&mut self, session: &mut Session, listening: bool) -> Result<()> {
        let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
        let selection = Selection::default();
        let detail = Detail::Place;
        connections::each(&mut diagnostics, &selection, detail, &mut |connection| {
            self.connections += 1;
            self.fallbacks += u64::from(connection.is_fallback());
            let Some(socket) = &connection.socket else {
                return Ok(());
            };
            match connection.role() {
                Some(Role::Client) => {
                    self.calls = true;
                    let info = socket.mptcp_info();
                    let used = info.and_then(|info| info.local_addr_used());
                    let further = info.and_then(|info| info.subflows()).unwrap_or(0);
                    self.joined |= further > 0;
                    // Those that are being opened are counted too.
                    let lost = used.unwrap_or(0) > 0 && further == 0;
                    let lives = socket.state() == State::Established;
                    if lost && lives && !connection.is_fallback() {
                        let here = socket.ends()[0].number;
                        self.bereft += u64::from(self.has_another(here));
                    }
                    self.note_peer(socket.ends()[1].number);
                }
                Some(Role::Server) => self.serves = true,
                None => {}
            }
            Ok(())
        })?;
        if listening {
            connections::listeners(&mut diagnostics, &mut |socket| {
                let [here, _] = socket.ends();
                // Where the kernel listens itself, for an endpoint with a port,
                // nobody is served; those sockets show no port.
                if here.port != 0 {
                    self.serves = true;
                    self.listening.push(here.number);
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether somebody listens at this address, or at all of its family.
    pub fn hears(&self, address: Key) -> bool {
        let all = if is_ipv4(address) { ALL_IPV4 } else { ALL };
        let listening = &mut self.listening.iter();
        listening.any(|here| *here == address || *here == ALL || *here == all)
    }

    /// Whether there is an endpoint for subflows beside this address and of its
    /// family: the kernel counts those of the other one as used, too.
    fn has_another(&self, here: Key) -> bool {
        self.places.endpoints.iter().any(|endpoint| {
            let address = key_of(endpoint);
            let flags = endpoint.flags().unwrap_or_default();
            address != here
                && is_ipv4(address) == is_ipv4(here)
                && flags.contains(EndpointFlags::SUBFLOW)
        })
    }

    fn note_peer(&mut self, peer: Key) {
        // 127.0.0.0/8; what else is here is an address of an interface.
        let here = peer >> 24 == 0x00ff_ff7f || self.places.addresses.interface(peer) != 0;
        if peer != 0 && !here && self.peers.len() < PEERS && !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
    }
}
