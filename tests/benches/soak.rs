//! A day of a router in minutes: leases change, cables flap, prefixes go, PPP is dialled
//! again, the log rotates, the file is read again, others flush. At the end the endpoints are
//! those of a fresh `apply`, memory is what it was, and an idle `watch` makes no system call.
//!
//! `cargo bench -p ip-mptcp-tests --bench soak` plays for twenty seconds, `-- 600` for ten
//! minutes, beside 200 interfaces with 1,000 addresses. It prints what it did, how soon
//! endpoints followed their address, and what events cost beside what they did; an endpoint
//! that comes later than [`FOLLOWED`], one that is missing at the end, memory that grows, and
//! a wake-up in peace are failures. It needs a machine that does nothing else: the figures of
//! [`COSTS`] are of one. With the small build (`IP_MPTCP_BIN`) on two cores with a load of
//! twenty it printed 135 ms, 7.5, 7.9 and 29 µs an event, and 396 kB then 748 kB.

use std::fs::File;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{
    add_address, address_flags, ipv6_address, link_delete, link_down, link_rename, link_up,
    try_add_address, try_delete_address, veth, Namespace,
};
use ip_mptcp_tests::program::{Run, Running};
use ip_mptcp_tests::wait::until;

/// Uplinks that the file names; many more interfaces stand beside them.
const UPLINKS: [&str; 4] = ["wan", "lte", "ppp0", "dsl"];
const OTHERS: usize = 98;
/// On each of the interfaces beside them and of their peers: 1,000 in all, with some over.
const ADDRESSES: usize = 5;
/// An endpoint has followed its address by then, in the median.
const FOLLOWED: Duration = Duration::from_millis(150);
const STATE: &str = "endpoint add dev wan subflow id 1\nendpoint add dev lte subflow backup\n\
                     endpoint add dev ppp* -4 subflow\nendpoint add dev dsl signal\n\
                     ignore 10.99.0.0/16\nlimits set subflows 4 add_addr_accepted 4\n";

fn main() {
    // `cargo bench` adds words of its own.
    let seconds = std::env::args().filter_map(|word| word.parse().ok()).next();
    let time = Duration::from_secs(seconds.unwrap_or(20));
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("soak-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let (file, log) = (folder.join("state"), folder.join("log"));
    std::fs::write(&file, STATE).expect("a file");
    for name in UPLINKS {
        veth(name, &format!("{name}-peer"), None);
    }
    for at in 0..OTHERS {
        let name = format!("x{at}");
        veth(&name, &format!("y{at}"), None);
        for host in 0..ADDRESSES as u8 {
            add_address(&name, IpAddr::from([10, 200, at as u8, host + 1]), 32);
            add_address(&format!("y{at}"), other(at, host + 1), 32);
        }
    }
    let watch = Run::tool("watch")
        .arg(&file)
        .stdout(File::create(&log).expect("a log"))
        .limit(time + Duration::from_secs(120))
        .start();
    rest(&watch);
    let before = (resident(&watch), processor(&watch));
    let latency = follow(&watch);
    let costs = costs(&watch);
    let start = Instant::now();
    let mut day = Day::new(file.clone(), log);
    let mut memory = 0;
    while start.elapsed() < time {
        for _ in 0..100 {
            day.event(&watch);
        }
        // Buffers have grown to what they need by then.
        if memory == 0 && start.elapsed() > time / 2 {
            memory = resident(&watch);
        }
        if std::env::var_os("SOAK_VERBOSE").is_some() {
            println!("{} events, {} kB", day.events, resident(&watch));
        }
    }
    let spent = processor(&watch) - before.1;
    day.settle(&watch);
    // No wake-up was lost: all is as a fresh apply makes it.
    let dry = Run::tool("apply --dry-run").arg(&file).run();
    assert_eq!(dry.stdout(), "", "{:?}", kernel::state());
    let after = resident(&watch);
    assert!(after <= memory + 128, "{memory} kB grew to {after} kB");
    // Once the kernel has nothing more to report, nothing wakes it.
    rest_for(&watch, Duration::from_secs(3));
    watch.signal(libc::SIGTERM);
    // What had no room for a while was mentioned on standard error.
    let output = watch.finish();
    assert_eq!(output.code(), 0, "{}", output.report());
    let _ = std::fs::remove_dir_all(&folder);
    println!(
        "{} events in {:.0} s, {} endpoints at the end, resident {} kB then {after} kB",
        day.events,
        start.elapsed().as_secs_f64(),
        kernel::endpoints().len(),
        before.0
    );
    println!("an endpoint follows its address after {latency:?} (the median of 20)");
    for ((what, expected), cost) in COSTS.iter().zip(costs) {
        println!("{what}: {cost:.1} µs an event ({expected} at first)");
    }
    assert!(latency <= FOLLOWED, "an endpoint follows after {latency:?}");
    println!(
        "processor time {:.2} ms an event",
        spent as f64 / 1e6 / day.events as f64
    );
}

fn other(at: usize, host: u8) -> IpAddr {
    IpAddr::from([10, 202, at as u8, host])
}

/// Kinds of events, and the microseconds of processor time that one took on the machine on
/// which `watch` was first measured.
const COSTS: [(&str, &str); 3] = [
    (
        "an address of an interface that the file does not name",
        "2.6",
    ),
    ("an address of one that it names", "3.4 to 6.0"),
    ("a link that it names goes down or comes up", "16"),
];

/// Processor time of `watch` for events of each kind, in microseconds.
fn costs(watch: &Running) -> [f64; 3] {
    const EVENTS: usize = 20_000;
    let cost = |count: usize, event: &dyn Fn(usize)| {
        rest(watch);
        let before = processor(watch);
        for at in 0..count / 2 {
            event(at);
        }
        rest(watch);
        (processor(watch) - before) as f64 / 1000.0 / count as f64
    };
    let turn = |name: &str, address: IpAddr| {
        add_address(name, address, 32);
        try_delete_address(name, address, 32).expect("the address existed");
    };
    [
        cost(EVENTS, &|at| {
            turn(&format!("x{}", at % OTHERS), other(at % OTHERS, 99))
        }),
        cost(EVENTS, &|at| {
            turn("dsl", IpAddr::from([10, 203, 0, (at % 100) as u8]))
        }),
        // Two messages each, of either end.
        cost(400, &|_| {
            link_down("dsl");
            link_up("dsl");
        }),
    ]
}

/// The median time from an address to its endpoint while nothing else happens.
fn follow(watch: &Running) -> Duration {
    let mut all = Vec::new();
    for host in 0..20 {
        rest(watch);
        let address = IpAddr::from([10, 50, 0, host + 1]);
        let start = Instant::now();
        add_address("wan", address, 24);
        let has = || {
            kernel::endpoints()
                .iter()
                .any(|of| of.address == address)
                .then_some(())
        };
        until("the endpoint", has);
        all.push(start.elapsed());
        let _ = try_delete_address("wan", address, 24);
    }
    all.sort();
    all[all.len() / 2]
}

struct Day {
    file: PathBuf,
    log: PathBuf,
    random: u64,
    events: usize,
    leases: [u8; 4],
}

impl Day {
    fn new(file: PathBuf, log: PathBuf) -> Day {
        let (random, events, leases) = (0x9E37_79B9_7F4A_7C15, 0, [0; 4]);
        Day {
            file,
            log,
            random,
            events,
            leases,
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as usize
    }

    /// One thing of a day, the frequent ones more often.
    fn event(&mut self, watch: &Running) {
        self.events += 1;
        let at = self.below(UPLINKS.len());
        let name = UPLINKS[at];
        match self.below(40) {
            // A lease: another address, the old one goes.
            0..=13 => {
                let old = self.leases[at];
                self.leases[at] = 1 + self.below(5) as u8;
                let address = |host| IpAddr::from([10, at as u8 + 1, 0, host]);
                let _ = try_add_address(name, address(self.leases[at]), 24);
                if old != 0 && old != self.leases[at] {
                    let _ = try_delete_address(name, address(old), 24);
                }
            }
            14..=17 => link_down(name),
            18..=23 => link_up(name),
            // A prefix comes, or is deprecated.
            24..=27 => {
                let prefix = self.below(3) as u16;
                let address = Ipv6Addr::new(0x2001, 0xdb8, at as u16, prefix, 0, 0, 0, 1);
                let preferred = self.below(2) == 0;
                link_up(name);
                ipv6_address(name, address, address_flags::NODAD, preferred);
            }
            // PPP is dialled again: another interface of the same name.
            28 => {
                link_delete("ppp0");
                veth("ppp0", "ppp0-peer", None);
            }
            // It has another name for a while.
            29 => {
                link_rename("dsl", "dsl-old");
                link_rename("dsl-old", "dsl");
            }
            30 => {
                std::fs::write(&self.file, STATE).expect("written");
                watch.signal(libc::SIGHUP);
            }
            // The log rotates by copying and truncating.
            31 => {
                let log = File::options()
                    .write(true)
                    .open(&self.log)
                    .expect("the log");
                log.set_len(0).expect("truncated");
            }
            32 => {
                Run::tool("endpoint flush").run().success();
                // The kernel reports to nobody what others do to endpoints: something must change.
                watch.signal(libc::SIGHUP);
            }
            // Containers come and go.
            33 => {
                veth("docker1", "docker1-peer", None);
                link_delete("docker1");
            }
            _ => {
                let other = format!("x{}", self.below(OTHERS));
                let address = IpAddr::from([10, 201, 0, self.below(250) as u8 + 1]);
                if try_add_address(&other, address, 32).is_err() {
                    let _ = try_delete_address(&other, address, 32);
                }
            }
        }
    }

    /// All is up, and the last of it is followed.
    fn settle(&mut self, watch: &Running) {
        for (at, name) in UPLINKS.iter().enumerate() {
            link_up(name);
            for prefix in 0..3 {
                let address = Ipv6Addr::new(0x2001, 0xdb8, at as u16, prefix, 0, 0, 0, 1);
                let _ = try_delete_address(name, address.into(), 64);
            }
        }
        watch.signal(libc::SIGHUP);
        let file = self.file.clone();
        until("all to be followed", || {
            rest(watch);
            let dry = Run::tool("apply --dry-run").arg(&file).run();
            dry.stdout().is_empty().then_some(())
        });
        // What has no room is tried again after longer and longer.
        rest(watch);
    }
}

fn proc(watch: &Running, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{}/{name}", watch.pid())).unwrap_or_default()
}

fn number(watch: &Running, field: &str) -> u64 {
    let status = proc(watch, "status");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .expect("a field");
    let digits = line.split_whitespace().next().expect("a number");
    digits.parse().expect("a number")
}

/// Kilobytes.
fn resident(watch: &Running) -> u64 {
    number(watch, "VmRSS:")
}

fn switches(watch: &Running) -> u64 {
    number(watch, "voluntary_ctxt_switches:")
}

/// Nanoseconds.
fn processor(watch: &Running) -> u64 {
    let times = proc(watch, "schedstat");
    let first = times.split(' ').next().and_then(|time| time.parse().ok());
    first.expect("a kernel with schedstat")
}

/// Waits until it sleeps, and has slept for a while: news are gathered for a tenth of a second.
fn rest(watch: &Running) {
    rest_for(watch, Duration::from_millis(250));
}

fn rest_for(watch: &Running, time: Duration) {
    let mut before = switches(watch);
    let mut since = Instant::now();
    until("watch to rest", || {
        let now = switches(watch);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (since.elapsed() > time).then_some(())
    });
}
