//! Thousands of MPTCP connections.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::mpsc::{channel, Sender};
use std::thread::JoinHandle;

use crate::connection::{connect, information, listen, Connection};
use crate::kernel;
use crate::namespace::{add_address, veth, Namespace};
use crate::wait::until;

/// Lets this process have `count` descriptors; returns whether it may.
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
        let limits = || kernel::set_limits(0, further.into());
        limits();
        server.inside(limits);
        for host in 0..=further {
            add_address("load", [10, 9, 0, host + 1].into(), 16);
            if host > 0 {
                kernel::add(&format!("10.9.0.{} id {host} subflow", host + 1));
            }
        }
        // As services have, below the ports that clients get: which of two ports is the
        // service's decides how many routes are looked up.
        let listener = server.inside(|| listen("10.9.255.1:7000"));
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

/// The client's ends of connections whose other ends have descriptors of their own, so
/// that twice as many fit the limit of the process. Dropped, they are closed.
pub struct Apart {
    pub clients: Vec<TcpStream>,
    end: Option<Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Load {
    /// Opens `count` connections and waits until each has all its subflows.
    pub fn open_apart(&self, count: usize) -> Apart {
        let listener = self.listener.try_clone().expect("a descriptor");
        let (end, ended) = channel();
        let server = std::thread::spawn(move || {
            // SAFETY: an integer only; this thread alone gets another table.
            let own = unsafe { libc::unshare(libc::CLONE_FILES) };
            assert_eq!(own, 0, "descriptors of its own");
            let accept = |_| {
                let (mut stream, _) = listener.accept().expect("accept");
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("receive");
                stream.write_all(&byte).expect("send");
                stream
            };
            let _streams: Vec<_> = (0..count).map(accept).collect();
            // Closed, as it is dropped.
            let _ = ended.recv();
        });
        let address = self.listener.local_addr().expect("the listener's address");
        let connect = |_| {
            let mut client = connect(address).expect("connect");
            let mut byte = [0];
            client.write_all(b"x").expect("send");
            client.read_exact(&mut byte).expect("receive");
            client
        };
        let clients: Vec<_> = (0..count).map(connect).collect();
        for client in &clients {
            until("the further subflows", || {
                let found = information(client)?.subflows;
                (found >= self.further).then_some(())
            });
        }
        Apart {
            clients,
            end: Some(end),
            server: Some(server),
        }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(server) = self.server.take() {
            let _ = server.join();
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
