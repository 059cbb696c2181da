//! Asking for sockets.

use core::net::IpAddr;

use super::{State, BY_FAMILY};
use crate::error::Error;
use crate::inet::{self, AF_INET, AF_INET6, AF_UNSPEC};
use crate::netlink::{flags, Header, Writer};
use crate::order::{Native, Order};

/// `INET_DIAG_REQ_BYTECODE`.
const REQ_BYTECODE: u16 = 1;
/// `INET_DIAG_REQ_PROTOCOL`.
const REQ_PROTOCOL: u16 = 3;
/// `INET_DIAG_NOCOOKIE`.
const NO_COOKIE: u32 = u32::MAX;

/// Which sockets.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// `IPPROTO_TCP`: subflows, and all other sockets of TCP.
    #[doc(alias = "IPPROTO_TCP")]
    Tcp,
    /// `IPPROTO_MPTCP`: connections (kernel 5.9).
    #[doc(alias = "IPPROTO_MPTCP")]
    Mptcp,
}

impl Protocol {
    const fn number(self) -> u32 {
        match self {
            Self::Tcp => 6,
            Self::Mptcp => 262,
        }
    }
}

flags! {
    /// A set of [`State`]s: bit `n` is the state with the number `n`.
    pub struct States: u32 {
        /// [`State::Established`].
        #[doc(alias = "TCPF_ESTABLISHED")]
        0x2 ESTABLISHED "ESTABLISHED",
        /// [`State::SynSent`].
        #[doc(alias = "TCPF_SYN_SENT")]
        0x4 SYN_SENT "SYN_SENT",
        /// [`State::SynRecv`].
        #[doc(alias = "TCPF_SYN_RECV")]
        0x8 SYN_RECV "SYN_RECV",
        /// [`State::FinWait1`].
        #[doc(alias = "TCPF_FIN_WAIT1")]
        0x10 FIN_WAIT1 "FIN_WAIT1",
        /// [`State::FinWait2`].
        #[doc(alias = "TCPF_FIN_WAIT2")]
        0x20 FIN_WAIT2 "FIN_WAIT2",
        /// [`State::TimeWait`].
        #[doc(alias = "TCPF_TIME_WAIT")]
        0x40 TIME_WAIT "TIME_WAIT",
        /// [`State::Close`]: no longer connected, or not yet.
        #[doc(alias = "TCPF_CLOSE")]
        0x80 CLOSED "CLOSE",
        /// [`State::CloseWait`].
        #[doc(alias = "TCPF_CLOSE_WAIT")]
        0x100 CLOSE_WAIT "CLOSE_WAIT",
        /// [`State::LastAck`].
        #[doc(alias = "TCPF_LAST_ACK")]
        0x200 LAST_ACK "LAST_ACK",
        /// [`State::Listen`].
        #[doc(alias = "TCPF_LISTEN")]
        0x400 LISTEN "LISTEN",
        /// [`State::Closing`].
        #[doc(alias = "TCPF_CLOSING")]
        0x800 CLOSING "CLOSING",
        /// [`State::NewSynRecv`].
        #[doc(alias = "TCPF_NEW_SYN_RECV")]
        0x1000 NEW_SYN_RECV "NEW_SYN_RECV",
        /// [`State::BoundInactive`].
        #[doc(alias = "TCPF_BOUND_INACTIVE")]
        0x2000 BOUND_INACTIVE "BOUND_INACTIVE",
    }
}

impl States {
    /// All, including those newer than this crate.
    pub const ALL: Self = Self(u32::MAX);
    /// All except TIME_WAIT, of which only the addresses are left, and sockets that are not
    /// connected.
    pub const CONNECTED: Self = Self(0x0b3e);

    /// Only this state.
    pub const fn only(state: State) -> Self {
        match 1u32.checked_shl(state.number() as u32) {
            Some(bit) => Self(bit),
            None => Self::EMPTY,
        }
    }
}

impl From<State> for States {
    fn from(state: State) -> Self {
        Self::only(state)
    }
}

/// A request for sockets.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "inet_diag_req_v2")]
pub struct Query {
    protocol: Protocol,
    family: u16,
    states: States,
    extensions: u8,
    filter: Filter,
}

impl Query {
    /// All sockets of `protocol` and `family` (`AF_INET` or `AF_INET6`): a dump covers just
    /// one family; one above 255 cannot be asked for
    /// ([`ErrorKind::BadValue`](crate::ErrorKind::BadValue)). An IPv6 connection can have
    /// IPv4 subflows.
    pub const fn new(protocol: Protocol, family: u16) -> Self {
        Self {
            protocol,
            family,
            states: States::ALL,
            extensions: 0,
            filter: Filter::ANY,
        }
    }

    /// Only sockets in these states.
    #[must_use]
    pub const fn with_states(mut self, states: States) -> Self {
        self.states = states;
        self
    }

    /// What the answer is to contain besides the fixed part: bits of
    /// [`extension`](super::extension).
    #[must_use]
    pub const fn with_extensions(mut self, extensions: u8) -> Self {
        self.extensions = extensions;
        self
    }

    /// Only sockets that match the filter, which the kernel applies.
    #[must_use]
    pub const fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Asks for all of them: a dump. 160 bytes are enough.
    #[inline]
    pub fn dump<'b>(&self, buffer: &'b mut [u8], seq: u32) -> Result<&'b mut [u8], Error> {
        self.request(buffer, seq, None)
    }

    /// Asks for the MPTCP connection with this token, whatever the states and the filter;
    /// `ENOENT` if there is none. The family does not matter either, but must be one of the
    /// Internet.
    #[inline]
    pub fn by_token<'b>(
        &self,
        buffer: &'b mut [u8],
        seq: u32,
        token: u32,
    ) -> Result<&'b mut [u8], Error> {
        self.request(buffer, seq, Some(token))
    }

    /// The connection with this token, or a dump if none is given.
    #[inline]
    pub fn request<'b>(
        &self,
        buffer: &'b mut [u8],
        seq: u32,
        token: Option<u32>,
    ) -> Result<&'b mut [u8], Error> {
        let (protocol, flags, cookie) = match token {
            Some(token) => (Protocol::Mptcp, flags::REQUEST, [token, NO_COOKIE]),
            None => (self.protocol, flags::REQUEST | flags::DUMP, [0, 0]),
        };
        let header = Header {
            message_type: BY_FAMILY,
            flags,
            seq,
            ..Header::default()
        };
        let mut writer = Writer::new(buffer, header);
        // A protocol whose number does not fit into a byte goes into an
        // attribute, with TCP in its place.
        let tcp = Protocol::Tcp.number() as u8;
        // Between states and cookie: ports, addresses, interface.
        let mut fixed = [0; 56];
        fixed[..4].copy_from_slice(&[inet::byte(self.family)?, tcp, self.extensions, 0]);
        fixed[4..8].copy_from_slice(&Native::put_u32(self.states.0));
        fixed[48..52].copy_from_slice(&Native::put_u32(cookie[0]));
        fixed[52..].copy_from_slice(&Native::put_u32(cookie[1]));
        writer.bytes(fixed);
        if protocol != Protocol::Tcp {
            writer.put_u32(REQ_PROTOCOL, protocol.number());
        }
        if token.is_none() {
            self.filter.encode(&mut writer);
        }
        writer.finish()
    }
}

/// Which sockets to dump, as far as the kernel itself can filter them: all conditions must
/// hold.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Filter {
    source: Host,
    destination: Host,
    interface: Option<u32>,
}

/// An end of a connection.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Host {
    address: Option<IpAddr>,
    // Of the address, this many bits.
    bits: u8,
    port: Option<u16>,
}

impl Host {
    const ANY: Self = Self {
        address: None,
        bits: 0,
        port: None,
    };

    const fn set_address(&mut self, address: IpAddr, bits: u8) {
        let most = inet::bits_of(address);
        self.bits = if bits < most { bits } else { most };
        self.address = Some(address);
    }
}

// `struct inet_diag_bc_op` is four bytes: a code, how far to jump if its condition holds,
// and how far if not. Jumping just past the end is success, four bytes further is failure.
const OP_SOURCE: u8 = 7;
const OP_DESTINATION: u8 = 8;
const OP_DEVICE: u8 = 9;
const OP_LEN: usize = 4;
/// `struct inet_diag_hostcond` without its address.
const HOST_LEN: usize = 8;
/// Two hosts with IPv6 addresses and a device.
const PROGRAM_MAX: usize = 2 * (OP_LEN + HOST_LEN + 16) + OP_LEN + 4;

impl Filter {
    /// Matches everything.
    pub const ANY: Self = Self {
        source: Host::ANY,
        destination: Host::ANY,
        interface: None,
    };

    /// Sockets with these ends, local and remote: the address if given, the port if not 0.
    /// `None` if nothing is given.
    #[inline(never)]
    pub fn of(ends: &[(Option<IpAddr>, u16); 2]) -> Option<Self> {
        let mut filter = Self::ANY;
        let mut any = false;
        let hosts = [&mut filter.source, &mut filter.destination];
        for (host, (address, port)) in hosts.into_iter().zip(ends) {
            if let Some(address) = address {
                host.set_address(*address, u8::MAX);
                any = true;
            }
            if *port != 0 {
                host.port = Some(*port);
                any = true;
            }
        }
        any.then_some(filter)
    }

    /// The local address begins with the first `bits` bits of `address`; a
    /// prefix of IPv4 finds v4-mapped addresses too. More bits than the
    /// address has count as all of them.
    #[must_use]
    pub const fn with_source(mut self, address: IpAddr, bits: u8) -> Self {
        self.source.set_address(address, bits);
        self
    }

    /// The local port.
    #[must_use]
    pub const fn with_source_port(mut self, port: u16) -> Self {
        self.source.port = Some(port);
        self
    }

    /// As [`Filter::with_source`], for the remote address.
    #[must_use]
    pub const fn with_destination(mut self, address: IpAddr, bits: u8) -> Self {
        self.destination.set_address(address, bits);
        self
    }

    /// The remote port.
    #[must_use]
    pub const fn with_destination_port(mut self, port: u16) -> Self {
        self.destination.port = Some(port);
        self
    }

    /// The socket is bound to the interface with this index; 0 means to none.
    #[must_use]
    pub const fn with_interface(mut self, index: u32) -> Self {
        self.interface = Some(index);
        self
    }

    /// Writes the filter program, if there are any conditions.
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        let mut program = Program {
            bytes: [0; PROGRAM_MAX],
            start: PROGRAM_MAX,
        };
        // From the end, since each condition says how far away that is.
        if let Some(index) = self.interface {
            program.condition(OP_DEVICE, &Native::put_u32(index));
        }
        program.host(OP_DESTINATION, &self.destination);
        program.host(OP_SOURCE, &self.source);
        if let Some(bytes @ [_, ..]) = program.bytes.get(program.start..) {
            writer.put_bytes(REQ_BYTECODE, bytes);
        }
    }
}

/// Filter code under construction, which grows at its front.
struct Program {
    bytes: [u8; PROGRAM_MAX],
    start: usize,
}

impl Program {
    /// A condition with its operands.
    #[inline]
    fn condition(&mut self, code: u8, operands: &[u8]) {
        let len = OP_LEN + operands.len();
        let start = self.start.saturating_sub(len);
        let [no0, no1] = Native::put_u16((PROGRAM_MAX - start + OP_LEN) as u16);
        let room = self.bytes.get_mut(start..self.start);
        if let Some((op, room)) = room.and_then(|room| room.split_first_chunk_mut()) {
            if room.len() == operands.len() {
                *op = [code, len as u8, no0, no1];
                room.copy_from_slice(operands);
                self.start = start;
            }
        }
    }

    #[inline]
    fn host(&mut self, code: u8, host: &Host) {
        let mut address = [0; 16];
        let (family, len) = match host.address {
            Some(IpAddr::V4(v4)) => {
                address[..4].copy_from_slice(&v4.octets());
                (AF_INET, 4)
            }
            Some(IpAddr::V6(v6)) => {
                address = v6.octets();
                (AF_INET6, 16)
            }
            None if host.port.is_some() => (AF_UNSPEC, 0),
            None => return,
        };
        let mut operands = [0; HOST_LEN + 16];
        operands[0] = family as u8;
        operands[1] = host.bits;
        operands[4..HOST_LEN]
            .copy_from_slice(&Native::put_u32(host.port.map_or(u32::MAX, u32::from)));
        operands[HOST_LEN..].copy_from_slice(&address);
        self.condition(code, operands.get(..HOST_LEN + len).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{native, Vec};
    use core::net::{Ipv4Addr, Ipv6Addr};

    fn program(filter: Filter) -> Option<Vec<u8>> {
        let mut buffer = [0; 160];
        let query = Query::new(Protocol::Tcp, 2).with_filter(filter);
        let message = native(query.dump(&mut buffer, 1).unwrap());
        let attributes = message.attributes(56).unwrap();
        let program = attributes.find_last(REQ_BYTECODE).unwrap();
        program.map(|attribute| Vec::from(attribute.payload()))
    }

    #[test]
    fn a_request_names_mptcp_in_an_attribute() {
        let mut buffer = [0; 160];
        let query = Query::new(Protocol::Mptcp, 10).with_extensions(2);
        let message = native(query.dump(&mut buffer, 7).unwrap());
        assert_eq!(
            (message.header.message_type, message.header.flags),
            (20, 0x301)
        );
        assert_eq!(message.payload()[..4], [10, 6, 2, 0]);
        let attributes = message.attributes(56).unwrap();
        let protocol = attributes.find_last(REQ_PROTOCOL).unwrap().unwrap();
        assert_eq!(protocol.u32(), Ok(262));

        let message = native(query.by_token(&mut buffer, 7, 0x0102_0304).unwrap());
        assert_eq!(message.header.flags, 1);
        assert_eq!(message.payload()[48..52], 0x0102_0304u32.to_ne_bytes());
    }

    #[test]
    fn a_filter_becomes_a_program_that_the_kernel_accepts() {
        assert_eq!(program(Filter::ANY), None);
        // Each condition: code, its length, how far to fail; family, bits, port.
        let half = |n: u16| n.to_ne_bytes();
        let word = |n: u32| n.to_ne_bytes();
        let filter = Filter::ANY
            .with_source(IpAddr::V4(Ipv4Addr::LOCALHOST), 40)
            .with_destination_port(80)
            .with_interface(3);
        let mut wanted = Vec::new();
        wanted.extend([7, 16]);
        wanted.extend(half(16 + 12 + 8 + 4));
        wanted.extend([2, 32, 0, 0]);
        wanted.extend(word(u32::MAX));
        wanted.extend([127, 0, 0, 1]);
        wanted.extend([8, 12]);
        wanted.extend(half(12 + 8 + 4));
        wanted.extend([0, 0, 0, 0]);
        wanted.extend(word(80));
        wanted.extend([9, 8]);
        wanted.extend(half(8 + 4));
        wanted.extend(word(3));
        assert_eq!(program(filter), Some(wanted));
    }

    #[test]
    fn a_filter_of_ends_is_what_is_given_of_them() {
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(Filter::of(&[(None, 0), (None, 0)]), None);
        let wanted = Filter::ANY.with_source(v4, 32).with_destination_port(80);
        assert_eq!(Filter::of(&[(Some(v4), 0), (None, 80)]), Some(wanted));
    }

    #[test]
    fn the_bit_of_a_state_is_its_number() {
        for state in State::ALL {
            let states = States::from(state);
            let (_, name) = States::NAMES[usize::from(state.number()) - 1];
            assert_eq!((states.0, Some(name)), (1 << state.number(), state.name()));
        }
        assert_eq!(States::only(State::Unknown(200)), States::EMPTY);
    }

    #[test]
    fn the_longest_program_fits() {
        let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let filter = Filter::ANY
            .with_source(v6, 128)
            .with_source_port(1)
            .with_destination(v6, 64)
            .with_destination_port(2)
            .with_interface(1);
        assert_eq!(program(filter).unwrap().len(), PROGRAM_MAX);
    }
}
