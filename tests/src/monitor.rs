//! A running `monitor`, and a second, independent subscriber to the kernel's events.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::kernel;
use crate::lock::Listening;
use crate::netlink::Socket;
use crate::program::{binary, Output, Run, Running};
use crate::wait::until;

/// How a line of a monitor's JSON looks.
pub const SCHEMA: &str = include_str!("../data/monitor.schema.json");

/// A monitor that has subscribed to the kernel's events.
pub struct Monitor {
    pub running: Running,
    inode: String,
    // Fields are dropped in this order: the program ends first.
    _listening: Listening,
}

impl Monitor {
    /// Starts `run` and returns once its socket is a member of the group: every event
    /// from then on is the monitor's to show.
    pub fn start(run: Run) -> Monitor {
        let listening = Listening::allowed();
        let mut running = run.start();
        let bit = 1_u32 << (events_group() - 1);
        let inode = until("the monitor's subscription", || {
            running.must_run();
            let inodes = socket_inodes(running.pid());
            sockets()
                .into_iter()
                .find(|socket| inodes.contains(&socket.inode) && socket.groups & bit != 0)
                .map(|socket| socket.inode)
        });
        // Its handlers come a moment after that: a signal before them would just kill it.
        if std::fs::read_link(format!("/proc/{}/exe", running.pid())).ok()
            == std::fs::canonicalize(binary()).ok()
        {
            until("the monitor to wait for signals", || {
                running.must_run();
                catches(running.pid(), libc::SIGTERM).then_some(())
            });
        }
        Monitor {
            running,
            inode,
            _listening: listening,
        }
    }

    /// How many events the kernel has dropped for this monitor so far.
    pub fn dropped(&self) -> u32 {
        sockets()
            .into_iter()
            .find(|socket| socket.inode == self.inode)
            .expect("the monitor's socket")
            .drops
    }

    /// Waits until the output so far satisfies `enough`.
    pub fn wait_for(&self, what: &str, mut enough: impl FnMut(&str) -> bool) -> String {
        let bytes = self
            .running
            .wait_for_output(what, |bytes| enough(&String::from_utf8_lossy(bytes)));
        String::from_utf8_lossy(&bytes).to_string()
    }

    /// Ends it with a signal and collects it.
    pub fn stop(self, signal: i32) -> Output {
        self.running.signal(signal);
        self.running.finish()
    }
}

/// Whether a process has a handler for a signal.
fn catches(pid: u32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|caught| u64::from_str_radix(caught.trim(), 16).ok());
    caught.is_some_and(|caught| caught >> (signal - 1) & 1 != 0)
}

/// Number of the multicast group of the events.
pub fn events_group() -> u32 {
    let (_, family) = kernel::path_manager().expect("a kernel with MPTCP");
    let group = family
        .groups
        .iter()
        .find(|(name, _)| name == "mptcp_pm_events")
        .expect("the group of the events")
        .1;
    // The kernel's list of sockets shows the first 32 groups only. The family is built
    // in, so its groups are among the first ones.
    assert!(group <= 32, "group {group} cannot be watched");
    group
}

/// How many sockets of the thread's namespace listen to events.
pub fn listeners() -> usize {
    let bit = 1_u32 << (events_group() - 1);
    let all = sockets();
    all.iter().filter(|socket| socket.groups & bit != 0).count()
}

struct SocketLine {
    groups: u32,
    drops: u32,
    inode: String,
}

/// The netlink sockets of the thread's namespace.
fn sockets() -> Vec<SocketLine> {
    let table = std::fs::read_to_string("/proc/thread-self/net/netlink").expect("a socket list");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<_> = line.split_whitespace().collect();
            Some(SocketLine {
                groups: u32::from_str_radix(columns.get(3)?, 16).ok()?,
                drops: columns.get(8)?.parse().ok()?,
                inode: (*columns.get(9)?).to_string(),
            })
        })
        .collect()
}

fn socket_inodes(pid: u32) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.strip_suffix(']')?.to_string())
        })
        .collect()
}

/// Counts the events that the kernel sends in a namespace.
pub struct EventCounter {
    socket: Arc<Socket>,
    received: Arc<AtomicU32>,
    idle: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    _listening: Listening,
}

impl EventCounter {
    /// Subscribes in the thread's namespace.
    pub fn start() -> EventCounter {
        const NETLINK_ADD_MEMBERSHIP: i32 = 1;
        let listening = Listening::allowed();
        let socket = Socket::open(libc::NETLINK_GENERIC).expect("a socket");
        // Root of a user namespace is refused; the default buffer then drops more,
        // which is counted as well.
        let _ = socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 64 << 20);
        socket
            .set(
                libc::SOL_NETLINK,
                NETLINK_ADD_MEMBERSHIP,
                events_group() as i32,
            )
            .expect("subscribe to events");
        // Wakes the reader now and then to see whether it is to stop.
        socket.set_receive_timeout();
        let socket = Arc::new(socket);
        let (received, idle) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (socket, stop) = (socket.clone(), stop.clone());
            let (received, idle) = (received.clone(), idle.clone());
            move || {
                let mut space = [0; 4096];
                while !stop.load(Ordering::Relaxed) {
                    match socket.receive(&mut space) {
                        Ok(_) => received.fetch_add(1, Ordering::Relaxed),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            idle.fetch_add(1, Ordering::Relaxed)
                        }
                        // ENOBUFS: events were dropped, which the socket counts.
                        Err(_) => 0,
                    };
                }
            }
        });
        EventCounter {
            socket,
            received,
            idle,
            stop,
            reader: Some(reader),
            _listening: listening,
        }
    }

    /// Events sent since the start: those read and those dropped here. Waits until none
    /// is left to be read.
    pub fn total(&self) -> u32 {
        let before = self.idle.load(Ordering::Relaxed);
        until("an end of the events", || {
            // The first pause may have begun before this call.
            (self.idle.load(Ordering::Relaxed) >= before + 2).then_some(())
        });
        let dropped = self.socket.dropped().expect("the drop counter");
        self.received.load(Ordering::Relaxed) + dropped
    }
}

impl Drop for EventCounter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
