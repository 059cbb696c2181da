//! One socket of an answer.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{attribute, MptcpInfo, SubflowInfo, TcpInfo, BY_FAMILY};
use crate::error::{Error, ErrorKind};
use crate::inet::{self, AF_INET, AF_INET6, AF_UNSPEC};
use crate::netlink::{Attributes, Message, Text, FLAGS_MASK, HEADER_LEN};
use crate::order::{Native, Order};

/// Length of `struct inet_diag_msg`.
const FIXED: usize = 72;

/// A socket: `struct inet_diag_msg` and its attributes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("inet_diag_msg", "SOCK_DIAG_BY_FAMILY"))]
pub struct Socket<'a, E: Order = Native> {
    /// `AF_INET` or `AF_INET6`. An IPv6 socket can have v4-mapped addresses.
    pub family: u16,
    /// The TCP state.
    pub state: State,
    /// Which timer runs: 0 none, 1 retransmission, 2 keep-alive, 3 TIME_WAIT,
    /// 4 window probe.
    pub timer: u8,
    /// How often that timer has expired.
    pub retransmits: u8,
    /// Local port.
    pub source_port: u16,
    /// Remote port; 0 for a listener.
    pub destination_port: u16,
    /// Local address; `None` if the family is not one of the Internet.
    pub source: Option<IpAddr>,
    /// Remote address.
    pub destination: Option<IpAddr>,
    /// Index of the interface that the socket is bound to, 0 for none.
    pub interface: u32,
    /// The cookie: identifies the socket on this machine (`idiag_cookie`, its first word in
    /// the lower half).
    pub cookie: u64,
    /// When the timer expires, milliseconds.
    pub expires: u32,
    /// Bytes to be read; for a listener, connections to be accepted.
    pub receive_queue: u32,
    /// Bytes not acknowledged; for a listener, how many connections may wait.
    pub send_queue: u32,
    /// Owner.
    pub uid: u32,
    /// Inode of the socket, 0 when it has been closed. A subflow has that of
    /// its connection.
    pub inode: u32,
    /// All that was sent after the fixed part.
    pub fields: SocketAttributes<'a, E>,
}

attribute_set! {
    /// The attributes of a socket (`INET_DIAG_*`).
    #[doc(alias(
        "INET_DIAG_INFO", "INET_DIAG_CONG", "INET_DIAG_SKMEMINFO", "INET_DIAG_MARK",
        "INET_DIAG_ULP_INFO", "INET_DIAG_MEMINFO", "INET_DIAG_VEGASINFO", "INET_DIAG_TOS",
        "INET_DIAG_TCLASS", "INET_DIAG_SHUTDOWN", "INET_DIAG_DCTCPINFO",
        "INET_DIAG_PROTOCOL", "INET_DIAG_SKV6ONLY", "INET_DIAG_LOCALS", "INET_DIAG_PEERS",
        "INET_DIAG_PAD", "INET_DIAG_BBRINFO", "INET_DIAG_CLASS_ID", "INET_DIAG_MD5SIG",
        "INET_DIAG_SK_BPF_STORAGES", "INET_DIAG_CGROUP_ID", "INET_DIAG_SOCKOPT",
    ))]
    pub struct SocketAttributes<'a> {
        /// [`TcpInfo`] or [`MptcpInfo`].
        2 INFO info / with_info: bytes,
        /// Name of the congestion control.
        4 CONG congestion / with_congestion: string,
        /// [`SocketMemory`].
        7 SKMEMINFO memory / with_memory: bytes,
        /// Its mark; only for readers with `CAP_NET_ADMIN`.
        15 MARK mark / with_mark: u32,
        /// The protocol on top of TCP.
        19 ULP_INFO upper / with_upper: nest [UpperAttributes<'a, E>],
    }
    also {
        1 MEMINFO Shape::List(4),
        3 VEGASINFO Shape::List(4),
        5 TOS Shape::Unsigned,
        6 TCLASS Shape::Unsigned,
        8 SHUTDOWN Shape::Unsigned,
        9 DCTCPINFO Shape::Bytes,
        10 PROTOCOL Shape::Unsigned,
        11 SKV6ONLY Shape::Unsigned,
        12 LOCALS Shape::Bytes,
        13 PEERS Shape::Bytes,
        14 PAD Shape::Padding,
        16 BBRINFO Shape::List(4),
        17 CLASS_ID Shape::Unsigned,
        18 MD5SIG Shape::Bytes,
        20 SK_BPF_STORAGES Shape::Attributes,
        21 CGROUP_ID Shape::Unsigned,
        22 SOCKOPT Shape::Bytes,
    }
}

attribute_set! {
    /// The protocol on top of TCP (`INET_ULP_INFO_*`).
    #[doc(alias("INET_ULP_INFO_NAME", "INET_ULP_INFO_MPTCP", "INET_ULP_INFO_TLS"))]
    pub struct UpperAttributes<'a> {
        /// Its name: `mptcp`, `tls`.
        1 NAME name / with_name: string,
        /// What MPTCP keeps of a subflow.
        3 MPTCP mptcp / with_mptcp: nest [SubflowInfo],
    }
    also {
        2 TLS Shape::Attributes,
    }
}

/// The fixed part of a message, and the attributes after it.
#[inline(always)]
fn parts<'a, E: Order>(
    message: &Message<'a, E>,
) -> Result<(&'a [u8; FIXED], Attributes<'a, E>), Error> {
    if message.header.message_type != BY_FAMILY {
        return Err(Error::new(ErrorKind::WrongType, 4));
    }
    match message.payload().split_first_chunk() {
        Some((fixed, rest)) => Ok((fixed, Attributes::at(rest, HEADER_LEN + FIXED))),
        None => Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
    }
}

impl<'a, E: Order> SocketAttributes<'a, E> {
    /// What is known of the connection, if MPTCP was asked for.
    #[inline]
    pub fn mptcp_info(&self) -> Option<MptcpInfo<'a, E>> {
        self.info().map(MptcpInfo::with_order)
    }

    /// What is known of the subflow, if TCP was asked for.
    #[inline]
    pub fn tcp_info(&self) -> Option<TcpInfo<'a, E>> {
        self.info().map(TcpInfo::with_order)
    }

    /// Name of the protocol on top of TCP: `mptcp`, `tls`; `None` for plain
    /// TCP.
    pub fn upper_name(&self) -> Result<Option<Text<'a>>, Error> {
        upper_name(self.all.inside(self.upper))
    }

    /// What MPTCP keeps of this subflow; `None` for a socket that is not a subflow, and if
    /// the kernel does not show it to this reader.
    #[inline]
    pub fn subflow(&self) -> Result<Option<SubflowInfo>, Error> {
        let mut info = SubflowInfo::EMPTY;
        Ok(self.read_subflow(&mut info)?.then_some(info))
    }

    /// Like [`subflow`](Self::subflow), but adds to `info`, which saves moving it; returns
    /// whether there is anything.
    #[inline]
    pub fn read_subflow(&self, info: &mut SubflowInfo) -> Result<bool, Error> {
        read_subflow(self.all.inside(self.upper), info)
    }
}

/// The mark among attributes, one of which has flags or a wrong size.
#[cold]
#[inline(never)]
fn odd_mark<E: Order>(attributes: Attributes<E>) -> Result<Option<u32>, Error> {
    let mark = attributes.find_last(attribute::MARK)?;
    mark.map(|mark| mark.u32()).transpose()
}

fn upper_name<'a, E: Order>(upper: Attributes<'a, E>) -> Result<Option<Text<'a>>, Error> {
    match upper.find_last(UpperAttributes::NAME)? {
        Some(name) => name.text().map(Some),
        None => Ok(None),
    }
}

fn read_subflow<E: Order>(mut upper: Attributes<E>, info: &mut SubflowInfo) -> Result<bool, Error> {
    let all = upper;
    let mut found = None;
    while let Some((raw, payload)) = upper.take_next() {
        if raw & !FLAGS_MASK == UpperAttributes::MPTCP {
            found = Some(payload);
        }
    }
    upper.end()?;
    match found {
        Some(nest) => info.update(all.inside(nest)).map(|()| true),
        None => Ok(false),
    }
}

impl<'a, E: Order> Socket<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        family: AF_UNSPEC,
        state: State::from_number(0),
        timer: 0,
        retransmits: 0,
        source_port: 0,
        destination_port: 0,
        source: None,
        destination: None,
        interface: 0,
        cookie: 0,
        expires: 0,
        receive_queue: 0,
        send_queue: 0,
        uid: 0,
        inode: 0,
        fields: SocketAttributes::EMPTY,
    };

    /// Reads one message of the answer to a [`Query`](super::Query);
    /// [`ErrorKind::WrongType`] if it is none.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (fixed, attributes) = parts(message)?;
        let word = |at: usize| fixed.get(at..).and_then(|b| b.first_chunk::<4>()).copied();
        let number = |at| word(at).map_or(0, E::u32);
        let half = |at: usize| {
            let bytes = fixed.get(at..).and_then(|b| b.first_chunk::<2>());
            bytes.map_or(0, |b| u16::from_be_bytes(*b))
        };
        let address = |at: usize| inet::from_bytes(fixed[0].into(), fixed.get(at..)?);
        let mut socket = Self {
            family: fixed[0].into(),
            state: State::from_number(fixed[1]),
            timer: fixed[2],
            retransmits: fixed[3],
            source_port: half(4),
            destination_port: half(6),
            source: address(8),
            destination: address(24),
            interface: number(40),
            cookie: u64::from(number(48)) << 32 | u64::from(number(44)),
            expires: number(52),
            receive_queue: number(56),
            send_queue: number(60),
            uid: number(64),
            inode: number(68),
            fields: SocketAttributes::EMPTY,
        };
        socket.fields.update(attributes)?;
        Ok(socket)
    }

    /// What is known of the connection, if MPTCP was asked for.
    #[inline]
    pub fn mptcp_info(&self) -> Option<MptcpInfo<'a, E>> {
        self.fields.mptcp_info()
    }

    /// What is known of the subflow, if TCP was asked for.
    #[inline]
    pub fn tcp_info(&self) -> Option<TcpInfo<'a, E>> {
        self.fields.tcp_info()
    }

    /// Its memory, if it was asked for.
    #[inline]
    pub fn memory(&self) -> Option<SocketMemory<'a, E>> {
        self.fields.memory().map(SocketMemory::with_order)
    }

    /// Name of the protocol on top of TCP: `mptcp`, `tls`; `None` for plain
    /// TCP.
    pub fn upper_name(&self) -> Result<Option<Text<'a>>, Error> {
        self.fields.upper_name()
    }

    /// What MPTCP keeps of this subflow; `None` for a socket that is not a subflow, and if
    /// the kernel does not show it to this reader.
    #[inline]
    pub fn subflow(&self) -> Result<Option<SubflowInfo>, Error> {
        self.fields.subflow()
    }
}

/// An end of a socket.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The address as one number: IPv4 is mapped into IPv6; 0 if the family is not one of the
    /// Internet.
    pub number: u128,
    /// The port.
    pub port: u16,
    /// `AF_INET` or `AF_INET6`.
    pub family: u16,
}

impl End {
    /// No end at all.
    pub const NONE: Self = Self {
        number: 0,
        port: 0,
        family: AF_UNSPEC,
    };

    /// The address; `None` if the family is not one of the Internet.
    pub const fn address(&self) -> Option<IpAddr> {
        let address = Ipv6Addr::from_bits(self.number);
        match self.family {
            AF_INET => Some(IpAddr::V4(Ipv4Addr::from_bits(self.number as u32))),
            AF_INET6 => Some(IpAddr::V6(address)),
            _ => None,
        }
    }
}

/// A [`Socket`] that is read in place: nothing is moved or checked before it is asked for. For
/// reading many sockets and little of each.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SocketView<'a, E: Order = Native> {
    fixed: &'a [u8; FIXED],
    attributes: Attributes<'a, E>,
    info: Option<&'a [u8]>,
    congestion: Option<&'a [u8]>,
    upper: &'a [u8],
    mark: Option<u32>,
}

impl<'a, E: Order> SocketView<'a, E> {
    /// Reads one message of the answer to a [`Query`](super::Query);
    /// [`ErrorKind::WrongType`] if it is none. Errors within an attribute are found when
    /// that is asked for.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        let (fixed, attributes) = parts(message)?;
        let (mut info, mut congestion, mut upper) = (None, None, &[][..]);
        let (mut mark, mut odd) = (None, false);
        let mut left = attributes;
        // What comes first for nearly all sockets, in the kernel's order.
        let _ = left.take_this::<1>(attribute::SHUTDOWN);
        if let Some(number) = left.take_this(attribute::MARK) {
            mark = Some(E::u32(*number));
        }
        let _ = left.take_this::<8>(attribute::CGROUP_ID);
        let _ = left.take_this::<2>(attribute::SOCKOPT);
        while let Some((raw, payload)) = left.take_next() {
            match (raw & !FLAGS_MASK, payload) {
                (attribute::INFO, _) => info = Some(payload),
                (attribute::CONG, _) => congestion = Some(payload),
                (attribute::ULP_INFO, _) => upper = payload,
                (attribute::MARK, &[a, b, c, d]) if raw == attribute::MARK => {
                    mark = Some(E::u32([a, b, c, d]));
                }
                (attribute::MARK, _) => odd = true,
                _ => {}
            }
        }
        left.end()?;
        if odd {
            mark = odd_mark(attributes)?;
        }
        Ok(Self {
            fixed,
            attributes,
            info,
            congestion,
            upper,
            mark,
        })
    }

    /// All that was sent after the fixed part.
    #[inline]
    pub const fn attributes(&self) -> Attributes<'a, E> {
        self.attributes
    }

    /// As [`SocketAttributes::mark`].
    #[inline]
    pub const fn mark(&self) -> Option<u32> {
        self.mark
    }

    /// As [`SocketAttributes::congestion`].
    pub fn congestion(&self) -> Result<Option<Text<'a>>, Error> {
        match self.congestion.map(Text::read) {
            Some(None) => Err(self.bad_congestion()),
            found => Ok(found.flatten()),
        }
    }

    #[cold]
    #[inline(never)]
    fn bad_congestion(&self) -> Error {
        let found = self.attributes.find_last(attribute::CONG);
        match found.and_then(|name| name.map(|name| name.text()).transpose()) {
            Err(error) => error,
            Ok(_) => Error::about(ErrorKind::BadString, attribute::CONG, HEADER_LEN + FIXED),
        }
    }

    #[inline(always)]
    fn number(&self, at: usize) -> u32 {
        let bytes = self.fixed.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| E::u32(*bytes))
    }

    /// As [`Socket::state`].
    #[inline]
    pub fn state(&self) -> State {
        State::from_number(self.fixed[1])
    }

    /// As [`Socket::interface`].
    #[inline]
    pub fn interface(&self) -> u32 {
        self.number(40)
    }

    /// As [`Socket::cookie`].
    #[inline]
    pub fn cookie(&self) -> u64 {
        u64::from(self.number(48)) << 32 | u64::from(self.number(44))
    }

    /// As [`Socket::receive_queue`].
    #[inline]
    pub fn receive_queue(&self) -> u32 {
        self.number(56)
    }

    /// As [`Socket::send_queue`].
    #[inline]
    pub fn send_queue(&self) -> u32 {
        self.number(60)
    }

    /// As [`Socket::uid`].
    #[inline]
    pub fn uid(&self) -> u32 {
        self.number(64)
    }

    /// As [`Socket::inode`].
    #[inline]
    pub fn inode(&self) -> u32 {
        self.number(68)
    }

    /// Both ends: the local one, the remote one.
    #[inline]
    pub fn ends(&self) -> [End; 2] {
        [self.end(4, 8), self.end(6, 24)]
    }

    #[inline(always)]
    fn end(&self, port: usize, address: usize) -> End {
        let port = self.fixed.get(port..).and_then(|rest| rest.first_chunk());
        let address = self.fixed.get(address..).unwrap_or_default();
        let family = u16::from(self.fixed[0]);
        let number = match (family, address.first_chunk(), address.first_chunk()) {
            (AF_INET, Some(v4), _) => u128::from(u32::from_be_bytes(*v4)) | 0xffff << 32,
            (AF_INET6, _, Some(v6)) => u128::from_be_bytes(*v6),
            _ => 0,
        };
        End {
            number,
            port: port.map_or(0, |port| u16::from_be_bytes(*port)),
            family,
        }
    }

    /// As [`Socket::mptcp_info`].
    #[inline]
    pub fn mptcp_info(&self) -> Option<MptcpInfo<'a, E>> {
        self.info.map(MptcpInfo::with_order)
    }

    /// As [`Socket::tcp_info`].
    #[inline]
    pub fn tcp_info(&self) -> Option<TcpInfo<'a, E>> {
        self.info.map(TcpInfo::with_order)
    }

    /// An [attribute](super::attribute) of one byte, such as `SKV6ONLY` of a listener.
    pub fn byte(&self, number: u16) -> Result<Option<u8>, Error> {
        match self.attributes.find_last(number)? {
            Some(byte) => byte.u8().map(Some),
            None => Ok(None),
        }
    }

    /// As [`Socket::upper_name`].
    pub fn upper_name(&self) -> Result<Option<Text<'a>>, Error> {
        upper_name(self.attributes.inside(self.upper))
    }

    /// As [`SocketAttributes::read_subflow`].
    #[inline]
    pub fn read_subflow(&self, info: &mut SubflowInfo) -> Result<bool, Error> {
        read_subflow(self.attributes.inside(self.upper), info)
    }
}

growing_struct! {
    /// Memory of a socket in bytes (`SK_MEMINFO_*` in `linux/sock_diag.h`); also returned by
    /// `getsockopt(SO_MEMINFO)`.
    pub struct SocketMemory, MemoryFields {
        /// In the receive queue.
        0 rmem_alloc: u32,
        /// Limit of the receive queue.
        4 rcvbuf: u32,
        /// In the send queue.
        8 wmem_alloc: u32,
        /// Limit of the send queue.
        12 sndbuf: u32,
        /// Reserved in advance.
        16 fwd_alloc: u32,
        /// Queued and not sent.
        20 wmem_queued: u32,
        /// For options.
        24 optmem: u32,
        /// In the backlog.
        28 backlog: u32,
        /// Packets dropped: for a netlink socket, messages lost.
        32 drops: u32,
    }
}

numbered! {
    /// State of a TCP socket (`TCP_*`); an MPTCP connection uses the same
    /// numbers.
    pub enum State: u8 {
        /// Open.
        #[doc(alias = "TCP_ESTABLISHED")]
        1 Established "ESTABLISHED",
        /// A SYN was sent.
        #[doc(alias = "TCP_SYN_SENT")]
        2 SynSent "SYN_SENT",
        /// A SYN was received.
        #[doc(alias = "TCP_SYN_RECV")]
        3 SynRecv "SYN_RECV",
        /// Closed here; the peer has not acknowledged that.
        #[doc(alias = "TCP_FIN_WAIT1")]
        4 FinWait1 "FIN_WAIT1",
        /// Closed here; the peer has acknowledged that.
        #[doc(alias = "TCP_FIN_WAIT2")]
        5 FinWait2 "FIN_WAIT2",
        /// Over; waits for stray segments.
        #[doc(alias = "TCP_TIME_WAIT")]
        6 TimeWait "TIME_WAIT",
        /// Not connected.
        #[doc(alias = "TCP_CLOSE")]
        7 Close "CLOSE",
        /// Closed by the peer.
        #[doc(alias = "TCP_CLOSE_WAIT")]
        8 CloseWait "CLOSE_WAIT",
        /// Closed by both; the peer has not acknowledged that.
        #[doc(alias = "TCP_LAST_ACK")]
        9 LastAck "LAST_ACK",
        /// Accepts connections.
        #[doc(alias = "TCP_LISTEN")]
        10 Listen "LISTEN",
        /// Closed by both at the same time.
        #[doc(alias = "TCP_CLOSING")]
        11 Closing "CLOSING",
        /// A SYN was received; no socket of its own yet.
        #[doc(alias = "TCP_NEW_SYN_RECV")]
        12 NewSynRecv "NEW_SYN_RECV",
        /// Only bound to a port (kernel 6.7).
        #[doc(alias = "TCP_BOUND_INACTIVE")]
        13 BoundInactive "BOUND_INACTIVE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SubflowFlags;
    use crate::order::Little;
    use crate::testing::{bytes, message};

    const SUBFLOW: &str = "00000000 1400 0200 00000000 00000000 02010000 138a aded
        7f000001 00000000 00000000 00000000 7f000003 00000000 00000000 00000000
        00000000 0a000000 01000000 00000000 00000000 00000000 00000000 78010000
        0800 0f00 00000000 0a00 0400 637562696300 0000
        6c00 1300 0a00 0100 6d7074637000 0000 5c00 0300 0800 0100 00000000
        0800 0200 4529c24a 0800 0800 c4000000 0500 0900 15000000 0500 0a00 00000000
        0800 0300 01000000 0c00 0400 64574e9d3367ce80 0800 0500 00000000
        0800 0600 64de09b6 0600 0700 00000000 0400 0b00";

    #[test]
    fn a_subflow_is_read_with_all_that_mptcp_keeps_of_it() {
        let mut bytes = bytes(SUBFLOW);
        let len = bytes.len() as u32;
        bytes[..4].copy_from_slice(&len.to_le_bytes());
        // What waits to be read and to be acknowledged, each its own number.
        (bytes[16 + 56], bytes[16 + 60]) = (7, 9);
        let socket = Socket::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!((socket.family, socket.state), (2, State::Established));
        assert_eq!((socket.source_port, socket.destination_port), (5002, 44525));
        assert_eq!(socket.source, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert_eq!((socket.cookie, socket.inode), (0x1_0000_000a, 0x178));
        assert_eq!((socket.receive_queue, socket.send_queue), (7, 9));
        assert_eq!(socket.fields.congestion().unwrap().as_bytes(), b"cubic");
        assert_eq!(socket.upper_name().unwrap().unwrap().as_bytes(), b"mptcp");
        let subflow = socket.subflow().unwrap().unwrap();
        assert_eq!(subflow.token_loc(), Some(0x4ac2_2945));
        assert_eq!((subflow.id_rem(), subflow.id_loc()), (Some(21), Some(0)));
        assert_eq!(subflow.ssn_offset(), Some(0xb609_de64));
        assert_eq!((subflow.map_datalen(), subflow.unknown()), (Some(0), 0));
        let flags = subflow.flags().unwrap();
        assert!(flags.contains(SubflowFlags::JOIN_REM) && !flags.contains(SubflowFlags::MCAP_REM));
        assert!(socket.tcp_info().is_none());

        let view = SocketView::decode(&message::<Little>(&bytes)).unwrap();
        assert_eq!((view.state(), view.interface()), (socket.state, 0));
        assert_eq!((view.cookie(), view.inode()), (0x1_0000_000a, 0x178));
        assert_eq!((view.receive_queue(), view.send_queue()), (7, 9));
        let [local, remote] = view.ends();
        assert_eq!((local.address(), local.port), (socket.source, 5002));
        assert_eq!((remote.address(), remote.port), (socket.destination, 44525));
        assert_eq!(local.number, 0xffff_7f00_0001);
        let mut info = SubflowInfo::EMPTY;
        assert_eq!(view.read_subflow(&mut info), Ok(true));
        assert_eq!(info, subflow);
        assert_eq!(view.upper_name().unwrap().unwrap().as_bytes(), b"mptcp");
    }

    #[test]
    fn what_mostly_comes_first_may_be_elsewhere_missing_or_there_twice() {
        const SHUTDOWN: &str = "0500 0800 00000000";
        const MARK: &str = "0800 0f00 07000000";
        const OTHER: &str = "0800 0f00 09000000";
        const CGROUP: &str = "0c00 1500 0100000000000000";
        const SOCKOPT: &str = "0600 1600 52000000";
        const INFO: &str = "0800 0200 01020304";
        let with = |attributes: &str| {
            let mut bytes = crate::testing::bytes(SUBFLOW);
            bytes.truncate(16 + FIXED);
            bytes.extend(crate::testing::bytes(attributes));
            let len = bytes.len() as u32;
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            bytes
        };
        for (mark, attributes) in [
            (Some(7), &[SHUTDOWN, MARK, CGROUP, SOCKOPT, INFO][..]),
            (Some(9), &[SHUTDOWN, MARK, CGROUP, SOCKOPT, INFO, OTHER]),
            (Some(7), &[INFO, OTHER, SOCKOPT, CGROUP, MARK, SHUTDOWN]),
            (Some(9), &[MARK, SHUTDOWN, OTHER, INFO]),
            (None, &[CGROUP, INFO]),
        ] {
            let bytes = with(&attributes.concat());
            let message = message::<Little>(&bytes);
            let view = SocketView::decode(&message).unwrap();
            let socket = Socket::decode(&message).unwrap();
            assert_eq!((view.mark(), socket.fields.mark()), (mark, mark));
            let info = [1, 2, 3, 4];
            assert_eq!(view.tcp_info().unwrap().as_bytes(), info);
            assert_eq!(socket.tcp_info().unwrap().as_bytes(), info);
        }
        // One of another length is met on the way.
        let cut = with("0600 0f00 07000000");
        assert!(SocketView::decode(&message::<Little>(&cut)).is_err());
    }
}
