//! Real MPTCP connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::netlink::{check, u32_at};
use crate::wait::{until, DEADLINE};

const IPPROTO_MPTCP: i32 = 262;
const SOL_MPTCP: i32 = 284;
const MPTCP_INFO: i32 = 1;

/// An MPTCP socket of the family of `address`.
fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    // SAFETY: integers in; the descriptor is owned immediately.
    unsafe {
        let fd = libc::socket(
            family,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            IPPROTO_MPTCP,
        );
        check(fd)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Calls `bind` or `connect` with `address`.
fn with_address(
    call: unsafe extern "C" fn(i32, *const libc::sockaddr, u32) -> i32,
    fd: &OwnedFd,
    address: SocketAddr,
) -> io::Result<()> {
    // SAFETY: both structures are plain integers, fully set, and live for the call.
    check(unsafe {
        match address {
            SocketAddr::V4(v4) => {
                let mut raw: libc::sockaddr_in = std::mem::zeroed();
                raw.sin_family = libc::AF_INET as u16;
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
                call(
                    fd.as_raw_fd(),
                    (&raw const raw).cast(),
                    size_of_val(&raw) as u32,
                )
            }
            SocketAddr::V6(v6) => {
                let mut raw: libc::sockaddr_in6 = std::mem::zeroed();
                raw.sin6_family = libc::AF_INET6 as u16;
                raw.sin6_port = v6.port().to_be();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                call(
                    fd.as_raw_fd(),
                    (&raw const raw).cast(),
                    size_of_val(&raw) as u32,
                )
            }
        }
    })
}

/// An MPTCP socket that listens at `address` (port 0: any).
///
/// Waits for a port whose listener was just closed (EADDRINUSE): a program that another
/// test starts at that moment shares the descriptor until it has replaced itself.
pub fn listen(address: &str) -> TcpListener {
    let address: SocketAddr = address.parse().expect("ADDRESS:PORT");
    let listening = || {
        let fd = socket(address)?;
        with_address(libc::bind, &fd, address)?;
        // SAFETY: integers only.
        check(unsafe { libc::listen(fd.as_raw_fd(), 64) })?;
        Ok::<_, io::Error>(TcpListener::from(fd))
    };
    until(&format!("{address} to be free"), || match listening() {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => None,
        result => Some(result),
    })
    .unwrap_or_else(|error| panic!("listen at {address}: {error}"))
}

/// An MPTCP socket that is connected to `address`.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let client = socket(address)?;
    with_address(libc::connect, &client, address)?;
    Ok(client.into())
}

/// The same with a mark (SO_MARK), which rules of routing can look at.
pub fn connect_marked(address: SocketAddr, mark: u32) -> io::Result<TcpStream> {
    let client = socket(address)?;
    // SAFETY: the number outlives the call, its length is its own.
    check(unsafe {
        libc::setsockopt(
            client.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MARK,
            (&raw const mark).cast(),
            size_of_val(&mark) as u32,
        )
    })?;
    with_address(libc::connect, &client, address)?;
    Ok(client.into())
}

/// Binds a socket to an interface (SO_BINDTODEVICE).
pub fn bind_to(socket: &TcpListener, interface: &str) -> io::Result<()> {
    // SAFETY: the name outlives the call, its length is its own.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            interface.as_ptr().cast(),
            interface.len() as u32,
        )
    })
    .map(drop)
}

/// One MPTCP connection, both ends of it.
pub struct Connection {
    pub client: TcpStream,
    pub server: TcpStream,
}

impl Connection {
    /// Connects to `listener` and exchanges a byte, so that both ends are established.
    /// Only the accepting side need be in another namespace; `open` uses the thread's.
    pub fn open(listener: &TcpListener) -> Connection {
        Connection::open_to(
            listener,
            listener.local_addr().expect("the listener's address"),
        )
    }

    /// The same to `address`, for a listener on all addresses.
    pub fn open_to(listener: &TcpListener, address: SocketAddr) -> Connection {
        let connection = Connection::begin(listener, address);
        connection.exchange(1);
        assert!(
            information(&connection.client).is_some(),
            "the connection fell back to TCP"
        );
        connection
    }

    /// The same without an exchange: the handshake is not over yet.
    pub fn begin(listener: &TcpListener, address: SocketAddr) -> Connection {
        let client = connect(address).expect("connect");
        let (server, _) = listener.accept().expect("accept");
        let connection = Connection { client, server };
        for end in [&connection.client, &connection.server] {
            end.set_read_timeout(Some(DEADLINE)).expect("a time limit");
            end.set_write_timeout(Some(DEADLINE)).expect("a time limit");
        }
        connection
    }

    /// Sends `size` bytes from client to server and back.
    pub fn exchange(&self, size: usize) {
        let bytes = vec![b'x'; size];
        let mut space = vec![0; size];
        for (mut from, mut to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            let sent = std::thread::scope(|scope| {
                let sender = scope.spawn(|| from.write_all(&bytes));
                to.read_exact(&mut space).expect("receive");
                sender.join().expect("the sender")
            });
            sent.expect("send");
            assert!(space == bytes, "the bytes sent are the bytes received");
        }
    }

    /// The tokens of client and server.
    pub fn tokens(&self) -> (u32, u32) {
        let token = |end| information(end).expect("an MPTCP connection").token;
        (token(&self.client), token(&self.server))
    }

    /// How many subflows the client counts beyond the first.
    pub fn subflows(&self) -> Option<u8> {
        Some(information(&self.client)?.subflows)
    }
}

/// A little of `struct mptcp_info`.
#[derive(Debug, Clone, Copy)]
pub struct Information {
    /// Subflows beyond the first.
    pub subflows: u8,
    pub token: u32,
}

/// What the kernel says of an MPTCP socket; `None` if it fell back to TCP.
pub fn information(end: &TcpStream) -> Option<Information> {
    let mut bytes = [0_u8; 96];
    let mut length = size_of_val(&bytes) as u32;
    // SAFETY: the kernel writes at most `length` bytes.
    let got = unsafe {
        libc::getsockopt(
            end.as_raw_fd(),
            SOL_MPTCP,
            MPTCP_INFO,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    };
    (got == 0 && length >= 16).then(|| Information {
        subflows: bytes[0],
        token: u32_at(&bytes[12..]),
    })
}

/// What the kernel reports to the owner of an MPTCP socket of each of its subflows: as much
/// of it as `ELEMENT` bytes.
fn of_subflows<const ELEMENT: usize>(end: &TcpStream, option: i32) -> Vec<[u8; ELEMENT]> {
    const HEADER: usize = 16;
    let mut bytes = vec![0_u8; HEADER + 64 * ELEMENT];
    bytes[..4].copy_from_slice(&(HEADER as u32).to_ne_bytes());
    bytes[12..16].copy_from_slice(&(ELEMENT as u32).to_ne_bytes());
    let mut length = bytes.len() as u32;
    // SAFETY: the kernel writes at most `length` bytes.
    check(unsafe {
        libc::getsockopt(
            end.as_raw_fd(),
            SOL_MPTCP,
            option,
            bytes.as_mut_ptr().cast(),
            &mut length,
        )
    })
    .expect("the subflows of a socket of ours");
    let count = u32_at(&bytes[4..]) as usize;
    let elements = bytes[HEADER..].chunks_exact(ELEMENT).take(count);
    elements
        .map(|one| one.try_into().expect("as long as asked for"))
        .collect()
}

/// The two ends of every subflow of an MPTCP socket, as the kernel reports them to its owner:
/// local, remote.
pub fn subflow_addresses(end: &TcpStream) -> Vec<(SocketAddr, SocketAddr)> {
    const MPTCP_SUBFLOW_ADDRS: i32 = 3;
    of_subflows::<256>(end, MPTCP_SUBFLOW_ADDRS)
        .iter()
        .map(|element| (address(&element[..128]), address(&element[128..])))
        .collect()
}

/// Which subflows of an MPTCP socket are established, in the order of
/// [`subflow_addresses`].
pub fn subflows_established(end: &TcpStream) -> Vec<bool> {
    const MPTCP_TCPINFO: i32 = 2;
    const TCP_ESTABLISHED: u8 = 1;
    // The state is the first byte of `struct tcp_info`.
    let elements = of_subflows::<8>(end, MPTCP_TCPINFO);
    elements
        .iter()
        .map(|one| one[0] == TCP_ESTABLISHED)
        .collect()
}

/// A `struct sockaddr_storage`.
fn address(raw: &[u8]) -> SocketAddr {
    let port = u16::from_be_bytes([raw[2], raw[3]]);
    match i32::from(u16::from_ne_bytes([raw[0], raw[1]])) {
        libc::AF_INET => SocketAddr::from((<[u8; 4]>::try_from(&raw[4..8]).expect("4"), port)),
        libc::AF_INET6 => SocketAddr::from((<[u8; 16]>::try_from(&raw[8..24]).expect("16"), port)),
        other => panic!("family {other}"),
    }
}
