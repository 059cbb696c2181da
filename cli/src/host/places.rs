//! Where a subflow is: its interface and its endpoint.

use mptcp_codec::diag::End;
use mptcp_codec::mptcp::Endpoint;
use mptcp_codec::route::request::Lookup;

use crate::error::Result;
use crate::kernel::connections::Subflow;
use crate::kernel::key::{address, is_ipv4, is_unique_local, key_of, Key};
use crate::kernel::{Names, PathManager, RouteSocket};

/// Whether an address is one of RFC 1918, RFC 6598 or RFC 4193, or link-local.
pub fn is_private(address: Key) -> bool {
    if !is_ipv4(address) {
        return is_unique_local(address) || is_link_local(address);
    }
    match (address as u32).to_be_bytes() {
        [10, ..] | [192, 168, ..] | [169, 254, ..] => true,
        [172, second, ..] => second >> 4 == 1,
        [100, second, ..] => second >> 6 == 1,
        _ => false,
    }
}

/// fe80::/10.
pub fn is_link_local(address: Key) -> bool {
    address >> 118 == 0xfe80 >> 6
}

/// Addresses with the index of their interface, once for each interface that has the address.
#[derive(Debug, Default)]
pub struct Addresses(Vec<(Key, u32)>);

impl Addresses {
    /// Adds the current ones. Those that no longer exist stay.
    pub fn read(&mut self, routes: &mut RouteSocket) -> Result<()> {
        // The kernel shows each once.
        let before = self.0.len();
        routes.addresses(&mut |address, index| {
            let entry = (address, index);
            let known = self.0.get(..before).unwrap_or_default();
            if !known.contains(&entry) {
                self.0.push(entry);
            }
        })
    }

    /// The interface that has this address, the first by index if there are several; 0 if
    /// there is none.
    pub fn interface(&self, address: Key) -> u32 {
        let mut found = 0;
        for (here, index) in &self.0 {
            if *here == address && (found == 0 || *index < found) {
                found = *index;
            }
        }
        found
    }

    /// The interface that has this address; 0 if none or several do.
    pub fn only_interface(&self, address: Key) -> u32 {
        let (mut found, mut count) = (0, 0);
        for (here, index) in &self.0 {
            if *here == address {
                (found, count) = (*index, count + 1);
            }
        }
        match count {
            1 => found,
            _ => 0,
        }
    }

    /// Whether an interface has a private address of the same family as this one; only the
    /// interface with this index counts, unless it is 0.
    pub fn has_private(&self, like: Key, index: u32) -> bool {
        let mut found = false;
        for (address, on) in &self.0 {
            let fits = is_ipv4(*address) == is_ipv4(like) && (index == 0 || *on == index);
            found |= fits && is_private(*address) && !is_link_local(*address);
        }
        found
    }

    /// The first public address of a family on an interface, or else the first unique local
    /// one, or else 0.
    pub fn global(&self, ipv4: bool, index: u32) -> Key {
        let mut found = 0;
        for (address, on) in &self.0 {
            let fits = is_ipv4(*address) == ipv4 && *on == index && !is_link_local(*address);
            if fits && (found == 0 || is_unique_local(found)) {
                found = *address;
            }
        }
        found
    }

    /// Whether this interface has this address.
    pub fn has(&self, address: Key, index: u32) -> bool {
        self.0.contains(&(address, index))
    }
}

/// The interface by which a subflow was found to be routed.
#[derive(Copy, Clone, Debug, Default)]
struct Output {
    local: Key,
    remote: Key,
    ports: [u16; 2],
    mark: u32,
    index: u32,
}

/// The addresses and endpoints of a namespace, and names of interfaces as they are needed.
#[derive(Debug, Default)]
pub struct Places {
    /// The socket that they were read from.
    pub routes: Option<RouteSocket>,
    /// All addresses.
    pub addresses: Addresses,
    /// All endpoints.
    pub endpoints: Vec<Endpoint>,
    // Their addresses, which are compared with that of each subflow.
    keys: Vec<Key>,
    // Interfaces through which packets are routed: recent look-ups, by both addresses and
    // ports.
    outputs: Vec<Output>,
    looked_up: usize,
    /// Names that are known.
    pub names: Names,
}

impl Places {
    /// Asks the kernel again.
    pub fn read(&mut self, path_manager: &mut PathManager) -> Result<()> {
        match path_manager.endpoints(&mut self.endpoints) {
            // Some kernels do not show them to everybody.
            Err(error) if error.errno() == libc::EPERM as usize => self.endpoints.clear(),
            read => read?,
        }
        self.names.clear();
        self.outputs.clear();
        self.looked_up = 0;
        self.addresses.0.clear();
        self.keys.clear();
        for endpoint in &self.endpoints {
            self.keys.push(key_of(endpoint));
        }
        let routes = self
            .routes
            .insert(RouteSocket::open(path_manager.socket().receive_buffer())?);
        self.addresses.read(routes)
    }

    /// The interface of an endpoint: the one that it names, or that has its address, or 0.
    pub fn of_endpoint(&self, endpoint: &Endpoint) -> u32 {
        match endpoint.if_idx() {
            None | Some(0) => self.addresses.interface(key_of(endpoint)),
            Some(index) => index,
        }
    }

    /// The interface that a subflow uses: the one that its socket is bound to, or through
    /// which the kernel routes its packets. Without a route, or if the only interface with
    /// its address is down, the interface with its address; 0 if unknown.
    pub fn interface(&mut self, subflow: &Subflow) -> u32 {
        self.interface_of(&subflow.ends(), subflow.interface, subflow.mark)
    }

    /// The same for a socket with these ends, bound to this interface or to none (0).
    pub fn interface_of(&mut self, ends: &[End; 2], bound: u32, mark: u32) -> u32 {
        match bound {
            0 => self.output(ends, mark),
            bound => bound,
        }
    }

    /// The id of the endpoint that a subflow belongs to, or 0.
    pub fn endpoint(&self, subflow: &Subflow) -> u8 {
        let [local, _] = subflow.addresses;
        self.endpoint_of(local, subflow.local_id())
    }

    /// The same for a socket with this local address and its id.
    pub fn endpoint_of(&self, local: Key, id: Option<u8>) -> u8 {
        let mut found: Option<&Endpoint> = None;
        for (endpoint, key) in self.endpoints.iter().zip(&self.keys) {
            // The first subflow has the id 0, whichever endpoint has its address.
            if *key == local && (found.is_none() || endpoint.id() == id) {
                found = Some(endpoint);
            }
        }
        found.and_then(|endpoint| endpoint.id()).unwrap_or(0)
    }

    /// The interface through which the kernel routes the packets of a subflow.
    fn output(&mut self, ends: &[End; 2], mark: u32) -> u32 {
        const TCP: u8 = 6;
        // A power of two: on most hosts each subflow is looked up once then.
        const SLOTS: usize = 64;
        let [local, remote] = ends;
        // Rules and the choice among several next hops may depend on ports. With many
        // subflows, those to the same service share a look-up.
        let mut ports = [local.port, remote.port];
        if self.looked_up >= SLOTS {
            ports = [0, local.port.min(remote.port)];
        }
        let mixed = local.number ^ remote.number ^ remote.number >> 64;
        let mixed = mixed as usize ^ usize::from(ports[0]) ^ usize::from(ports[1]) << 3;
        let slot = (mixed ^ mixed >> 8 ^ mixed >> 16) % SLOTS;
        if let Some(known) = self.outputs.get(slot) {
            let same = known.local == local.number && known.remote == remote.number;
            let same = same && known.mark == mark;
            if same && known.ports[0] == ports[0] && known.ports[1] == ports[1] {
                return known.index;
            }
        }
        self.looked_up += 1;
        let lookup = Lookup::new(address(remote.number))
            .with_source(address(local.number))
            .with_protocol(TCP)
            .with_source_port(local.port)
            .with_destination_port(remote.port)
            .with_mark(mark);
        // Packets of a path that is cut leave through another one, if any, but the subflow
        // still belongs to the interface that has its address.
        let mut index = self.addresses.only_interface(local.number);
        if let Some(routes) = &mut self.routes {
            if let Ok(Some(way)) = routes.way(&lookup) {
                if index == 0 || way == index || routes.is_usable(index).unwrap_or(true) {
                    index = way;
                }
            }
        }
        while self.outputs.len() < SLOTS {
            self.outputs.push(Output::default());
        }
        if let Some(known) = self.outputs.get_mut(slot) {
            *known = Output {
                local: local.number,
                remote: remote.number,
                ports,
                mark,
                index,
            };
        }
        index
    }

    /// The name of an interface; `ifN` if it no longer exists.
    pub fn name(&mut self, path_manager: &mut PathManager, index: u32) -> &[u8] {
        self.names.get(path_manager.fd(), index)
    }
}
