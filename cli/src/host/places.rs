//! Where a subflow is: its interface and its endpoint.

use mptcp_codec::diag::End;
use mptcp_codec::mptcp::Endpoint;
use mptcp_codec::route::request::Lookup;

use crate::error::Result;
use crate::kernel::connections::Subflow;
use crate::kernel::key::{address, is_ipv4, is_unique_local, key_of, Key};
use crate::kernel::{Names, PathManager, RouteSocket};

/// Whether an address is one of RFC 1918, RFC 6598 or RFC 4193, or is valid on
/// its link only.
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

/// Addresses with the index of the interface that they are on, each of several
/// that have it.
#[derive(Debug, Default)]
pub struct Addresses(Vec<(Key, u32)>);

impl Addresses {
    /// Adds those that there are now. Those that have gone stay.
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

    /// The interface that has this address, of several the first by index; 0
    /// where none does.
    pub fn interface(&self, address: Key) -> u32 {
        let mut found = 0;
        for (here, index) in &self.0 {
            if *here == address && (found == 0 || *index < found) {
                found = *index;
            }
        }
        found
    }

    /// The interface that has this address; 0 where none does, or several do.
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

    /// Whether an interface has a private address of the family of this one:
    /// the one with this index, if it is not 0.
    pub fn has_private(&self, like: Key, index: u32) -> bool {
        let mut found = false;
        for (address, on) in &self.0 {
            let fits = is_ipv4(*address) == is_ipv4(like) && (index == 0 || *on == index);
            found |= fits && is_private(*address) && !is_link_local(*address);
        }
        found
    }

    /// The first public address of a family that an interface has, or its first
    /// unique local one; 0 where it has none.
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

/// The addresses and endpoints of a namespace, and names of interfaces as they
/// are asked for.
#[derive(Debug, Default)]
pub struct Places {
    /// Where they were asked for.
    pub routes: Option<RouteSocket>,
    /// All addresses.
    pub addresses: Addresses,
    /// All endpoints.
    pub endpoints: Vec<Endpoint>,
    // Their addresses, which are compared with each subflow's.
    keys: Vec<Key>,
    // Interfaces by which packets are routed: those asked for lately, by both
    // addresses and ports.
    outputs: Vec<Output>,
    looked_up: usize,
    /// Names that are known.
    pub names: Names,
}

impl Places {
    /// Asks the kernel, anew.
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

    /// The interface of an endpoint: that which it names, or that has its
    /// address; 0 where there is none.
    pub fn of_endpoint(&self, endpoint: &Endpoint) -> u32 {
        match endpoint.if_idx() {
            None | Some(0) => self.addresses.interface(key_of(endpoint)),
            Some(index) => index,
        }
    }

    /// The interface that a subflow uses: the one that its socket is bound to, or
    /// by which the kernel routes its packets. If there is no route, or the only
    /// interface that has its address is down, that one; 0 where it is unknown.
    pub fn interface(&mut self, subflow: &Subflow) -> u32 {
        self.interface_of(&subflow.ends(), subflow.interface, subflow.mark)
    }

    /// The same of a socket with these ends, bound to this interface or to none
    /// (0).
    pub fn interface_of(&mut self, ends: &[End; 2], bound: u32, mark: u32) -> u32 {
        match bound {
            0 => self.output(ends, mark),
            bound => bound,
        }
    }

    /// The id of the endpoint that a subflow belongs to, 0 for none.
    pub fn endpoint(&self, subflow: &Subflow) -> u8 {
        let [local, _] = subflow.addresses;
        self.endpoint_of(local, subflow.local_id())
    }

    /// The same of a socket with this local address and its id.
    pub fn endpoint_of(&self, local: Key, id: Option<u8>) -> u8 {
        let mut found: Option<&Endpoint> = None;
        for (endpoint, key) in self.endpoints.iter().zip(&self.keys) {
            // The first subflow has the id 0, whichever endpoint has its
            // address.
            if *key == local && (found.is_none() || endpoint.id() == id) {
                found = Some(endpoint);
            }
        }
        found.and_then(|endpoint| endpoint.id()).unwrap_or(0)
    }

    /// By which interface the kernel routes the packets of a subflow.
    fn output(&mut self, ends: &[End; 2], mark: u32) -> u32 {
        const TCP: u8 = 6;
        // A power of two: on most hosts each subflow is looked up once then.
        const SLOTS: usize = 64;
        let [local, remote] = ends;
        // Rules and the choice among several next hops may depend on ports.
        // Where there are many subflows, those to one service share a look-up.
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
        // Packets of a path that is cut leave by another one, if any: the
        // subflow still is one of the interface that has its address.
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

    /// The name of an interface; `ifN` where it has gone.
    pub fn name(&mut self, path_manager: &mut PathManager, index: u32) -> &[u8] {
        self.names.get(path_manager.fd(), index)
    }
}
