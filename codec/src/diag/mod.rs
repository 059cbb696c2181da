//! inet_diag: connections and their subflows (`linux/inet_diag.h`,
//! `linux/sock_diag.h`).
//!
//! ```text
//! request:                                     answer:
//! | nlmsghdr type 20 |                         | nlmsghdr type 20 |
//! | family | protocol | extensions | 0 |       | family | state | timer | retrans |
//! | states: one bit each               |       | sport        | dport            |
//! | sport        | dport               |       | source, 16 bytes                |
//! | source, 16 bytes                   |       | destination, 16 bytes           |
//! | destination, 16 bytes              |       | interface                       |
//! | interface                          |       | cookie, 8 bytes                 |
//! | cookie, 8 bytes                    |       | expires | rqueue | wqueue       |
//!   1 BYTECODE  3 PROTOCOL u32                 | uid     | inode                 |
//!                                                2 INFO  7 SKMEMINFO  15 MARK
//!                                                19 ULP_INFO { 1 NAME, 3 MPTCP { … } } …
//! ```
//!
//! Ports and addresses are in network order, everything else in the machine's.
//!
//! MPTCP connections and the TCP subflows under them come in two dumps, of
//! [`Protocol::Mptcp`] and of [`Protocol::Tcp`]. [`SubflowInfo::token_loc`] of
//! a subflow is [`MptcpInfo::token`] of its connection; both have the same
//! [`inode`](Socket::inode) too. The dumps are made one after the other: what
//! changed in between does not join.
//!
//! ```
//! use mptcp_codec::{diag, exchange::Reply, inet::AF_INET, Error, Exchange};
//! # let mut receive = |_request: &[u8]| -> [u8; 20] {
//! #     let mut done = [0; 20];
//! #     done[0] = 20;
//! #     done[4] = 3;
//! #     if cfg!(target_endian = "big") { done[..8].copy_from_slice(&[0, 0, 0, 20, 0, 3, 0, 0]) }
//! #     done
//! # };
//! let mut buffer = [0; 256];
//! let query = diag::Query::new(diag::Protocol::Mptcp, AF_INET).with_extensions(diag::extension::INFO);
//! let request = query.dump(&mut buffer, 0)?;
//! let mut exchange = Exchange::new(request)?;
//! while !exchange.is_over() {
//!     let datagram = receive(request); // socket(AF_NETLINK, SOCK_RAW, diag::NETLINK_SOCK_DIAG)
//!     for reply in exchange.feed(&datagram) {
//!         if let Reply::Item(message) = reply? {
//!             let socket = diag::Socket::decode(&message)?;
//!             let _token = socket.mptcp_info().and_then(|info| info.token());
//!         }
//!     }
//! }
//! # Ok::<(), Error>(())
//! ```

#[macro_use]
mod growing;
mod info;
mod query;
mod socket;
pub mod sockopt;
mod subflow;

pub use growing::{Field, Fields, Layout};
pub use info::{MptcpFields, MptcpInfo, TcpFields, TcpInfo};
pub use query::{Filter, Protocol, Query, States};
pub use socket::{
    End, MemoryFields, Socket, SocketAttributes, SocketMemory, SocketView, State, UpperAttributes,
};
pub use subflow::{SubflowFlags, SubflowInfo};

/// The protocol to open a socket with.
pub const NETLINK_SOCK_DIAG: i32 = 4;

/// `SOCK_DIAG_BY_FAMILY`: the type of requests and answers.
#[doc(alias = "SOCK_DIAG_BY_FAMILY")]
pub const BY_FAMILY: u16 = 20;

/// What an answer is to contain besides the fixed part: bits for [`Query::with_extensions`],
/// `1 << (INET_DIAG_* - 1)`.
pub mod extension {
    /// Memory in use, in four numbers (`INET_DIAG_MEMINFO`).
    pub const MEMINFO: u8 = 1 << 0;
    /// [`TcpInfo`](super::TcpInfo) or [`MptcpInfo`](super::MptcpInfo), and
    /// the subflow's part of MPTCP (`INET_DIAG_INFO`).
    pub const INFO: u8 = 1 << 1;
    /// Figures of the congestion control (`INET_DIAG_VEGASINFO`).
    pub const VEGASINFO: u8 = 1 << 2;
    /// Name of the congestion control (`INET_DIAG_CONG`).
    pub const CONG: u8 = 1 << 3;
    /// Type of service (`INET_DIAG_TOS`).
    pub const TOS: u8 = 1 << 4;
    /// Traffic class of IPv6, and class id (`INET_DIAG_TCLASS`).
    pub const TCLASS: u8 = 1 << 5;
    /// [`SocketMemory`](super::SocketMemory) (`INET_DIAG_SKMEMINFO`).
    pub const SKMEMINFO: u8 = 1 << 6;
    /// Which directions are shut down (`INET_DIAG_SHUTDOWN`).
    pub const SHUTDOWN: u8 = 1 << 7;
}

/// Types of the attributes of an answer (`INET_DIAG_*`), for
/// [`SocketView::byte`] and [`Attributes`](crate::netlink::Attributes).
pub mod attribute {
    /// Four numbers of 32 bits, see [`extension::MEMINFO`](super::extension).
    #[doc(alias = "INET_DIAG_MEMINFO")]
    pub const MEMINFO: u16 = 1;
    /// `struct tcp_info` or `struct mptcp_info`.
    #[doc(alias = "INET_DIAG_INFO")]
    pub const INFO: u16 = 2;
    /// `struct tcpvegas_info`.
    #[doc(alias = "INET_DIAG_VEGASINFO")]
    pub const VEGASINFO: u16 = 3;
    /// String: the congestion control.
    #[doc(alias = "INET_DIAG_CONG")]
    pub const CONG: u16 = 4;
    /// u8.
    #[doc(alias = "INET_DIAG_TOS")]
    pub const TOS: u16 = 5;
    /// u8.
    #[doc(alias = "INET_DIAG_TCLASS")]
    pub const TCLASS: u16 = 6;
    /// Numbers of 32 bits, see [`SocketMemory`](super::SocketMemory).
    #[doc(alias = "INET_DIAG_SKMEMINFO")]
    pub const SKMEMINFO: u16 = 7;
    /// u8: 1 no more is received, 2 no more is sent.
    #[doc(alias = "INET_DIAG_SHUTDOWN")]
    pub const SHUTDOWN: u16 = 8;
    /// `struct tcp_dctcp_info`.
    #[doc(alias = "INET_DIAG_DCTCPINFO")]
    pub const DCTCPINFO: u16 = 9;
    /// u8: the protocol of a raw socket.
    #[doc(alias = "INET_DIAG_PROTOCOL")]
    pub const PROTOCOL: u16 = 10;
    /// u8: an IPv6 socket that does not accept IPv4.
    #[doc(alias = "INET_DIAG_SKV6ONLY")]
    pub const SKV6ONLY: u16 = 11;
    /// Local addresses of SCTP, each a `struct sockaddr_storage`.
    #[doc(alias = "INET_DIAG_LOCALS")]
    pub const LOCALS: u16 = 12;
    /// Remote addresses of SCTP, likewise.
    #[doc(alias = "INET_DIAG_PEERS")]
    pub const PEERS: u16 = 13;
    /// Fills space before 64-bit ones.
    #[doc(alias = "INET_DIAG_PAD")]
    pub const PAD: u16 = 14;
    /// u32; only for readers with `CAP_NET_ADMIN`.
    #[doc(alias = "INET_DIAG_MARK")]
    pub const MARK: u16 = 15;
    /// `struct tcp_bbr_info`.
    #[doc(alias = "INET_DIAG_BBRINFO")]
    pub const BBRINFO: u16 = 16;
    /// u32.
    #[doc(alias = "INET_DIAG_CLASS_ID")]
    pub const CLASS_ID: u16 = 17;
    /// TCP-MD5 keys, only for readers with `CAP_NET_ADMIN`.
    #[doc(alias = "INET_DIAG_MD5SIG")]
    pub const MD5SIG: u16 = 18;
    /// Nest of [`ULP_NAME`] and [`ULP_MPTCP`].
    #[doc(alias = "INET_DIAG_ULP_INFO")]
    pub const ULP_INFO: u16 = 19;
    /// Nest: storage that BPF keeps with the socket.
    #[doc(alias = "INET_DIAG_SK_BPF_STORAGES")]
    pub const SK_BPF_STORAGES: u16 = 20;
    /// u64: the control group it was made in.
    #[doc(alias = "INET_DIAG_CGROUP_ID")]
    pub const CGROUP_ID: u16 = 21;
    /// `struct inet_diag_sockopt`: options as bits (kernel 5.10).
    #[doc(alias = "INET_DIAG_SOCKOPT")]
    pub const SOCKOPT: u16 = 22;

    /// In [`ULP_INFO`], string: the protocol on top of TCP.
    #[doc(alias = "INET_ULP_INFO_NAME")]
    pub const ULP_NAME: u16 = 1;
    /// In [`ULP_INFO`], nest: [`SubflowInfo`](super::SubflowInfo).
    #[doc(alias = "INET_ULP_INFO_MPTCP")]
    pub const ULP_MPTCP: u16 = 3;
}
