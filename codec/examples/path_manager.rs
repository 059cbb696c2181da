//! A path manager in user space, on tokio: each connection that this host
//! opens gets a subflow from every address on the command line, towards the
//! same peer. Needs `CAP_NET_ADMIN` and `sysctl net.mptcp.path_manager=userspace`
//! (`net.mptcp.pm_type=1` before Linux 6.15).
//!
//!     cargo run --example path_manager 192.0.2.7 2001:db8::7

use std::fs::File;
use std::io::{Error, Read, Result, Write};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd};

use mptcp_codec::exchange::{Exchange, Reply};
use mptcp_codec::generic::{self, controller};
use mptcp_codec::mptcp::{self, request, Endpoint, Event, EventKind};
use mptcp_codec::netlink::{Message, Messages};
use tokio::io::unix::AsyncFd;

const SOL_NETLINK: i32 = 270;
const NETLINK_ADD_MEMBERSHIP: i32 = 1;

/// A netlink socket that tokio waits for.
struct Socket(AsyncFd<File>);

impl Socket {
    fn open() -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, generic::NETLINK_GENERIC) };
        if fd < 0 {
            return Err(Error::last_os_error());
        }
        // It stays the one that it is as long as it is waited for.
        let registered = unsafe { AsyncFd::register(File::from_raw_fd(fd)) };
        Ok(Self(registered?))
    }

    fn join(&self, group: u32) -> Result<()> {
        let joined = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                SOL_NETLINK,
                NETLINK_ADD_MEMBERSHIP,
                (&raw const group).cast(),
                4,
            )
        };
        match joined {
            0 => Ok(()),
            _ => Err(Error::last_os_error()),
        }
    }

    async fn receive(&self, space: &mut [u8]) -> Result<usize> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(len) = ready.try_io(|socket| socket.get_ref().read(space)) {
                return len;
            }
        }
    }

    /// Sends a request and hands out each message of the answer.
    async fn call(&self, request: &[u8], mut each: impl FnMut(&Message<'_>)) -> Result<()> {
        self.0.get_ref().write_all(request)?;
        let mut exchange = Exchange::new(request).map_err(Error::other)?;
        let mut space = [0; 16384];
        while !exchange.is_over() {
            let len = self.receive(&mut space).await?;
            for reply in exchange.feed(&space[..len]) {
                match reply.map_err(Error::other)? {
                    Reply::Item(message) => each(&message),
                    Reply::Refused { errno, .. } => {
                        return Err(Error::from_raw_os_error(errno as i32));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

async fn run(addresses: &[IpAddr]) -> Result<()> {
    // Answers on one, events on the other.
    let (socket, events) = (Socket::open()?, Socket::open()?);
    let mut buffer = [0; request::MAX_LEN];
    let (mut id, mut group) = (0, None);
    let ask = controller::family_by_name(&mut buffer, 1, mptcp::FAMILY_NAME);
    let ask = ask.map_err(Error::other)?;
    let mut found = |message: &Message<'_>| {
        if let Ok(family) = controller::Family::decode(message) {
            id = family.id;
            group = family.group(mptcp::EVENT_GROUP).ok().flatten();
        }
    };
    // A request gives the other socket its port, without which no event comes.
    events.call(ask, |_| {}).await?;
    socket.call(ask, &mut found).await?;
    events.join(group.ok_or(Error::other("this kernel has no MPTCP events"))?)?;
    println!("listening");

    let mut space = [0; 65536];
    let mut seq = 1;
    loop {
        let len = events.receive(&mut space).await?;
        for message in Messages::new(&space[..len]) {
            let event = Event::decode(&message.map_err(Error::other)?).map_err(Error::other)?;
            let fields = event.fields;
            let opened_here = fields.server_side().unwrap_or(0) == 0;
            if event.kind != EventKind::Established || !opened_here {
                continue;
            }
            let (Some(token), Some(peer)) = (fields.token(), fields.destination()) else {
                continue;
            };
            let remote = Endpoint::new(peer).with_port(fields.dport().unwrap_or(0));
            for (address, local_id) in addresses.iter().zip(1..) {
                if address.is_ipv4() != peer.is_ipv4() {
                    continue;
                }
                let local = Endpoint::new(*address).with_id(local_id);
                seq += 1;
                let create = request::create_subflow(&mut buffer, id, seq, token, &local, &remote);
                match socket.call(create.map_err(Error::other)?, |_| {}).await {
                    Ok(()) => println!("{token:08x}: a subflow from {address}"),
                    Err(error) => println!("{token:08x}: no subflow from {address}: {error}"),
                }
            }
        }
    }
}

fn main() -> Result<()> {
    let words = std::env::args().skip(1);
    let addresses: std::result::Result<Vec<IpAddr>, _> = words.map(|word| word.parse()).collect();
    let addresses = addresses.map_err(Error::other)?;
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_io().build()?.block_on(run(&addresses))
}
