//! Thousands of MPTCP connections.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};

use crate::connection::{listen, Connection};
use crate::kernel::{self, Limits};
use crate::namespace::{add_address, veth, Namespace};
use crate::wait::until;

/// Lets this process have `count` descriptors; tells whether it may.
pub fn descriptors(count: u64) -> bool {
    let wanted = libc::rlimit {
        rlim_cur: count,
        rlim_max: count,
    };
    let mut now = wanted;
    // SAFETY: both structures are live and plain integers.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut now);
        now.rlim_cur >= count || libc::setrlimit(libc::RLIMIT_NOFILE, &wanted) == 0
    }
}

/// A client, in the namespace of the thread, and a server beyond one veth pair, whose
/// connections have any number of subflows: the client has an endpoint for each further one.
pub struct Load {
    pub client: Namespace,
    pub server: Namespace,
    pub listener: TcpListener,
    pub connections: Vec<Connection>,
    further: u8,
}

impl Load {
    /// Sets the two up; `None` as [`Namespace::fresh`]. Connections get `further` subflows
    /// beyond the first.
    pub fn fresh(further: u8) -> Option<Load> {
        let client = Namespace::fresh()?;
        let server = Namespace::another();
        veth("load", "far", Some(&server));
        let far: IpAddr = [10, 9, 255, 1].into();
        server.inside(|| add_address("far", far, 16));
        let limits = Limits {
            add_addr_accepted: 0,
            subflows: further.into(),
        };
        kernel::set_limits(limits);
        server.inside(|| kernel::set_limits(limits));
        for host in 0..=further {
            add_address("load", [10, 9, 0, host + 1].into(), 16);
            if host > 0 {
                kernel::add(&format!("10.9.0.{} id {host} subflow", host + 1));
            }
        }
        let listener = server.inside(|| listen("10.9.255.1:0"));
        Some(Load {
            client,
            server,
            listener,
            connections: Vec::new(),
            further,
        })
    }

    /// Opens `count` more connections and waits until each has all its subflows.
    pub fn open(&mut self, count: usize) {
        let before = self.connections.len();
        for _ in 0..count {
            self.connections
                .push(Connection::open_quietly(&self.listener));
        }
        let further = u64::from(self.further);
        for connection in &self.connections[before..] {
            until("the further subflows", || {
                let found = connection.subflows()?;
                if u64::from(found) < further {
                    connection.ping();
                }
                (u64::from(found) >= further).then_some(())
            });
        }
    }
}

impl Connection {
    /// As [`Connection::open`], without asking or checking anything: in bulk.
    pub fn open_quietly(listener: &TcpListener) -> Connection {
        let connection = Connection::begin(
            listener,
            listener.local_addr().expect("the listener's address"),
        );
        connection.ping();
        connection
    }

    /// A byte there and one back.
    pub fn ping(&self) {
        let mut byte = [0];
        for (mut from, mut to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            from.write_all(b"x").expect("send");
            to.read_exact(&mut byte).expect("receive");
        }
    }
}
