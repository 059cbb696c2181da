//! A client and a server with two paths between them.

use std::net::{IpAddr, TcpListener};

use crate::connection::{listen, Connection};
use crate::kernel;
use crate::namespace::{add_address, veth, Namespace};
use crate::wait::{skip, until};

/// Path 1 and path 2 are veth pairs: `c1` and `c2` in the namespace of the thread, which
/// is the client's, `s1` and `s2` in the server's. On path N the client is 10.0.N.2 and
/// 2001:db8:N::2, the server 10.0.N.1 and 2001:db8:N::1.
pub struct TwoPaths {
    pub client: Namespace,
    pub server: Namespace,
}

impl TwoPaths {
    /// Puts the thread into the client's namespace; `None` as [`Namespace::fresh`].
    pub fn fresh() -> Option<TwoPaths> {
        TwoPaths::try_fresh().map_err(|why| skip(&why)).ok()
    }

    /// The same; says why not as the error.
    pub fn try_fresh() -> Result<TwoPaths, String> {
        let client = Namespace::try_fresh()?;
        let server = Namespace::another();
        for path in [1, 2] {
            let (here, there) = (format!("c{path}"), format!("s{path}"));
            veth(&here, &there, Some(&server));
            give(&here, path, 2);
            server.inside(|| give(&there, path, 1));
        }
        Ok(TwoPaths { client, server })
    }

    /// Sets the limits of both sides.
    pub fn set_limits(&self, add_addr_accepted: u32, subflows: u32) {
        let limits = || kernel::set_limits(add_addr_accepted, subflows);
        limits();
        self.server.inside(limits);
    }

    /// A connection that begins on path 1 and has a second subflow on path 2, from an
    /// endpoint `id 2` of the client with further `words`. It carries nothing.
    pub fn joined(&self, words: &str) -> (TcpListener, Connection) {
        self.set_limits(2, 2);
        kernel::add(&format!("10.0.2.2 dev c2 id 2 subflow {words}"));
        let listener = self.listen("0.0.0.0:0");
        let connection = self.connect(&listener);
        until("the second subflow", || {
            connection.ping();
            (connection.subflows() == Some(1)).then_some(())
        });
        (listener, connection)
    }

    /// The server listens on all its addresses.
    pub fn listen(&self, any: &str) -> TcpListener {
        self.server.inside(|| listen(any))
    }

    /// Opens a connection on path 1, of the family of the listener's address.
    pub fn connect(&self, listener: &TcpListener) -> Connection {
        let local = listener.local_addr().expect("the listener's address");
        let server = match local.ip() {
            IpAddr::V4(_) => "10.0.1.1",
            IpAddr::V6(_) => "2001:db8:1::1",
        };
        self.connect_to(listener, server)
    }

    /// Opens a connection to one of the server's addresses.
    pub fn connect_to(&self, listener: &TcpListener, server: &str) -> Connection {
        let port = listener
            .local_addr()
            .expect("the listener's address")
            .port();
        let address: IpAddr = server.parse().expect("an address");
        Connection::open_to(listener, (address, port).into())
    }
}

/// Gives an interface its addresses.
fn give(name: &str, path: u8, host: u8) {
    let parse = |text: String| text.parse().expect("an address");
    add_address(name, parse(format!("10.0.{path}.{host}")), 24);
    add_address(name, parse(format!("2001:db8:{path}::{host}")), 64);
}

/// Bytes that an interface of the thread's namespace has received and sent.
pub fn carried(interface: &str) -> (u64, u64) {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").expect("interface counters");
    let line = table
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no interface {interface}"));
    let columns: Vec<u64> = line
        .split_whitespace()
        .map(|column| column.parse().expect("a number"))
        .collect();
    (columns[0], columns[8])
}
