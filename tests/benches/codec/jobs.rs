//! What is to be done, and the bytes it is done with.

use std::hint::black_box;

use ip_mptcp_tests::captures;

use crate::made;

/// Datagrams to the sum of what is in them.
pub type Read = fn(&[Vec<u8>]) -> u64;

/// A crate that can do (some of) the jobs.
pub struct Contender {
    pub name: &'static str,
    /// Parses the datagrams of a dump into typed fields; the sum of
    /// [`Endpoint::sum`].
    pub dump: Option<Read>,
    /// The same as six functions, each of which decodes in a place of its own.
    pub dumps: Option<[Read; 6]>,
    /// Parses RTM_NEWADDR; the sum of [`Interface::sum`].
    pub addresses: Option<Read>,
    /// Parses the sockets of an answer of inet_diag; the sum of [`Socket::sum`].
    pub sockets: Option<Read>,
    /// Parses refusals: error number, text, offset; the sum of all.
    pub refusal: Option<Read>,
    /// Parses events into typed fields; the sum of [`Event::sum`](crate::event::Event::sum).
    pub events: Option<Read>,
    /// Builds ADD_ADDR in the space; its length.
    pub build: Option<fn(&Wanted, &mut Space) -> usize>,
    /// Reads the id of the family and of its group `mptcp_pm_events` from the
    /// controller's reply; their sum.
    pub resolve: Option<fn(&[u8]) -> u64>,
}

/// The endpoint that the request is for.
pub struct Wanted {
    pub family: u16,
    pub seq: u32,
    pub address: [u8; 4],
    pub id: u8,
    pub flags: u32,
    pub port: u16,
    pub if_idx: i32,
}

/// Where a request is built: bytes of a fixed size, or a vector that keeps its
/// capacity.
pub struct Space {
    pub bytes: [u8; 128],
    pub vec: Vec<u8>,
}

pub struct Inputs {
    dump8: Vec<Vec<u8>>,
    dump255: Vec<Vec<u8>>,
    mixed: Vec<Vec<u8>>,
    reversed: Vec<Vec<u8>>,
    events: Vec<Vec<u8>>,
    reversed_events: Vec<Vec<u8>>,
    addresses: Vec<Vec<u8>>,
    sockets: Vec<Vec<u8>>,
    refusal: Vec<Vec<u8>>,
    resolve: Vec<u8>,
    wanted: Wanted,
}

impl Inputs {
    pub fn from_captures() -> Self {
        let debian13 = captures::of("amd64-6.18");
        let newest = captures::of("amd64-7.2");
        let events: Vec<Vec<u8>> = debian13
            .events
            .iter()
            .flat_map(|e| e.values.clone())
            .collect();
        let dump8 = debian13.exchange("49-dump-full").replies.clone();
        let sockets = newest.exchange("diag-subflow4").replies.clone();
        let mixed = made::mixed();
        let inputs = Self {
            reversed: made::reversed(&mixed, Some(20)),
            reversed_events: made::reversed(&events, None),
            mixed,
            addresses: made::addresses(),
            sockets: std::iter::repeat_n(sockets, 100).flatten().collect(),
            refusal: made::refusals(),
            dump8,
            dump255: newest.exchange("49-dump-full").replies.clone(),
            events,
            resolve: debian13.exchange("02-family").replies[0].clone(),
            wanted: Wanted {
                family: 30,
                seq: 106,
                address: [10, 0, 0, 1],
                id: 7,
                flags: 5,
                port: 5000,
                if_idx: 3,
            },
        };
        println!(
            "dump 8: {} B, dump 255: {} B in {} datagrams, events: {} of {} B, reply to resolve: {} B",
            inputs.dump8.concat().len(),
            inputs.dump255.concat().len(),
            inputs.dump255.len(),
            inputs.events.len(),
            inputs.events.concat().len(),
            inputs.resolve.len(),
        );
        inputs
    }
}

pub struct Job {
    pub name: &'static str,
    /// Does it once; `None` where the contender cannot.
    pub run: fn(&Contender, &Inputs) -> Option<u64>,
    /// How often callgrind is to see it.
    pub times: u32,
}

/// Runs all six of them.
fn six(contender: &Contender, datagrams: &[Vec<u8>]) -> Option<u64> {
    let dumps = contender.dumps?;
    let sums = dumps.iter().map(|dump| dump(black_box(datagrams)));
    Some(sums.fold(0, u64::wrapping_add))
}

pub const JOBS: [Job; 12] = [
    Job {
        name: "dump of 8",
        run: |c, inputs| c.dump.map(|f| f(black_box(&inputs.dump8))),
        times: 200,
    },
    Job {
        name: "dump of 255",
        run: |c, inputs| c.dump.map(|f| f(black_box(&inputs.dump255))),
        times: 10,
    },
    Job {
        name: "255 mixed",
        run: |c, inputs| c.dump.map(|f| f(black_box(&inputs.mixed))),
        times: 10,
    },
    Job {
        name: "six callers, mixed",
        run: |c, inputs| six(c, &inputs.mixed),
        times: 3,
    },
    Job {
        name: "255 reversed",
        run: |c, inputs| c.dump.map(|f| f(black_box(&inputs.reversed))),
        times: 10,
    },
    Job {
        name: "events reversed",
        run: |c, inputs| c.events.map(|f| f(black_box(&inputs.reversed_events))),
        times: 20,
    },
    Job {
        name: "1,000 addresses",
        run: |c, inputs| c.addresses.map(|f| f(black_box(&inputs.addresses))),
        times: 10,
    },
    Job {
        name: "sockets",
        run: |c, inputs| c.sockets.map(|f| f(black_box(&inputs.sockets))),
        times: 5,
    },
    Job {
        name: "refusal",
        run: |c, inputs| c.refusal.map(|f| f(black_box(&inputs.refusal))),
        times: 50,
    },
    Job {
        name: "events",
        run: |c, inputs| c.events.map(|f| f(black_box(&inputs.events))),
        times: 20,
    },
    Job {
        name: "build ADD_ADDR",
        run: build,
        times: 1000,
    },
    Job {
        name: "resolve",
        run: |c, inputs| c.resolve.map(|f| f(black_box(&inputs.resolve))),
        times: 500,
    },
];

thread_local! {
    static SPACE: std::cell::RefCell<Space> = const { std::cell::RefCell::new(Space {
        bytes: [0; 128],
        vec: Vec::new(),
    }) };
}

fn build(contender: &Contender, inputs: &Inputs) -> Option<u64> {
    let build = contender.build?;
    SPACE.with_borrow_mut(|space| {
        let len = build(black_box(&inputs.wanted), space);
        let bytes = black_box(space.bytes.as_ptr());
        black_box(bytes);
        Some(len as u64)
    })
}

/// The bytes of the request, for the comparison.
pub fn built(contender: &Contender, inputs: &Inputs) -> Option<Vec<u8>> {
    let build = contender.build?;
    let mut space = Space {
        bytes: [0; 128],
        vec: Vec::new(),
    };
    let len = build(&inputs.wanted, &mut space);
    let from = if space.vec.is_empty() {
        &space.bytes[..]
    } else {
        &space.vec[..]
    };
    Some(from[..len].to_vec())
}

/// What all contenders read of an endpoint; what is absent counts as 0.
#[derive(Default)]
pub struct Endpoint {
    pub family: u16,
    pub id: u8,
    pub port: u16,
    pub flags: u32,
    pub if_idx: i32,
    pub address: Address,
}

/// The bytes of an address, those of IPv4 as a number.
#[derive(Default, Clone, Copy)]
pub enum Address {
    #[default]
    None,
    V4(u32),
    V6(u128),
}

impl Address {
    #[inline(always)]
    pub fn sum(self) -> u64 {
        match self {
            Self::None => 0,
            Self::V4(bits) => u64::from(bits),
            Self::V6(bits) => (bits >> 64) as u64 ^ bits as u64,
        }
    }
}

impl Endpoint {
    #[inline(always)]
    pub fn sum(&self) -> u64 {
        u64::from(self.family)
            .wrapping_add(u64::from(self.id) << 8)
            .wrapping_add(u64::from(self.port) << 16)
            .wrapping_add(u64::from(self.flags) << 24)
            .wrapping_add((self.if_idx as u64) << 32)
            .wrapping_add(self.address.sum())
    }
}

/// What all contenders read of an address of an interface.
#[derive(Default)]
pub struct Interface {
    pub family: u8,
    pub prefix: u8,
    pub scope: u8,
    pub index: u32,
    pub flags: u32,
    pub address: Address,
    pub label: usize,
    pub valid: u32,
}

impl Interface {
    #[inline(always)]
    pub fn sum(&self) -> u64 {
        u64::from(self.family)
            .wrapping_add(u64::from(self.prefix) << 8)
            .wrapping_add(u64::from(self.scope) << 16)
            .wrapping_add(u64::from(self.index) << 24)
            .wrapping_add(u64::from(self.flags) << 32)
            .wrapping_add(self.address.sum())
            .wrapping_add((self.label as u64) << 40)
            .wrapping_add(u64::from(self.valid) << 3)
    }
}

/// What all contenders read of a socket.
#[derive(Default)]
pub struct Socket {
    pub state: u8,
    pub ports: [u16; 2],
    pub source: Address,
    pub destination: Address,
    pub interface: u32,
    pub inode: u32,
    pub congestion: usize,
    pub rtt: u32,
    pub token: u32,
    pub flags: u32,
    pub ids: [u8; 2],
    pub map_seq: u64,
}

impl Socket {
    #[inline(always)]
    pub fn sum(&self) -> u64 {
        u64::from(self.state)
            .wrapping_add(u64::from(self.ports[0]) << 8)
            .wrapping_add(u64::from(self.ports[1]) << 24)
            .wrapping_add(self.source.sum())
            .wrapping_add(self.destination.sum().rotate_left(8))
            .wrapping_add(u64::from(self.interface) << 1)
            .wrapping_add(u64::from(self.inode) << 2)
            .wrapping_add((self.congestion as u64) << 3)
            .wrapping_add(u64::from(self.rtt) << 4)
            .wrapping_add(u64::from(self.token) << 5)
            .wrapping_add(u64::from(self.flags) << 6)
            .wrapping_add(u64::from(self.ids[0]) << 7)
            .wrapping_add(u64::from(self.ids[1]) << 8)
            .wrapping_add(self.map_seq)
    }
}
