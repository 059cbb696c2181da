//! `watch`: endpoints follow interfaces and addresses as the file says.

use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ip_mptcp_tests::connection::{subflow_addresses, Connection};
use ip_mptcp_tests::documents::installed;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{
    add_address, add_route, address_flags, delete_address, ipv6_address, ipv6_flags, link_delete,
    link_down, link_index, link_rename, link_up, sysctl, veth, Namespace,
};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, injected, Output, Run, Running};
use ip_mptcp_tests::random::Random;
use ip_mptcp_tests::wait::{skip, until};

/// A state file that the test removes at its end.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> File {
        // Tests of one process run side by side.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watch-{}-{count}", std::process::id());
        let file = File(std::env::temp_dir().join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).expect("a file");
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A `watch` that has finished its first round.
struct Watch(Running);

impl Watch {
    fn start(words: &str, file: &Path) -> Watch {
        let watch = Watch(Run::tool(words).arg(file).start());
        watch.rest();
        watch
    }

    fn proc(&self, name: &str) -> String {
        let path = format!("/proc/{}/{name}", self.0.pid());
        std::fs::read_to_string(&path).unwrap_or_default()
    }

    /// Waits until it has nothing left to do: it is in poll(2) without a timeout.
    fn settle(&self) {
        until("watch to wait", || {
            // Nor may anything be queued for it.
            (waits_without_end(&self.proc("syscall")) && self.unread() == 0).then_some(())
        });
    }

    /// The same where a retry is pending, a second or more from now.
    fn rest(&self) {
        until("watch to pause", || {
            (waits_for_long(&self.proc("syscall")) && self.unread() == 0).then_some(())
        });
    }

    /// The same where it also waits for its output to be read.
    fn settle_writing(&self) {
        until("watch to wait", || {
            waits_without_end(&self.proc("syscall")).then_some(())
        });
    }

    /// Bytes queued in its netlink sockets.
    fn unread(&self) -> u64 {
        let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", self.0.pid()))
            .expect("its descriptors")
            .filter_map(|entry| {
                let target = std::fs::read_link(entry.ok()?.path()).ok()?;
                let target = target.to_str()?.strip_prefix("socket:[")?.to_string();
                Some(target.strip_suffix(']')?.to_string())
            })
            .collect();
        let table = std::fs::read_to_string("/proc/thread-self/net/netlink").expect("sockets");
        table
            .lines()
            .skip(1)
            .filter_map(|line| {
                let columns: Vec<_> = line.split_whitespace().collect();
                let own = inodes
                    .iter()
                    .any(|inode| Some(&inode.as_str()) == columns.get(9));
                columns.get(4)?.parse::<u64>().ok().filter(|_| own)
            })
            .sum()
    }

    fn stop(self) -> Output {
        self.0.signal(libc::SIGTERM);
        self.0.finish()
    }
}

/// Whether `/proc/PID/syscall` shows a poll(2) without a timeout.
fn waits_without_end(call: &str) -> bool {
    wait_of(call) == Some(-1)
}

/// The same, or one with a timeout longer than that for gathering events.
fn waits_for_long(call: &str) -> bool {
    wait_of(call).is_some_and(|time| !(0..=100).contains(&time))
}

/// The timeout of a poll(2), from the number of the call and its arguments.
fn wait_of(call: &str) -> Option<i32> {
    let mut words = call.split_whitespace();
    let number = words.next().and_then(|number| number.parse().ok());
    let argument = words.nth(2).and_then(|word| {
        let digits = word.strip_prefix("0x")?;
        u64::from_str_radix(digits, 16).ok()
    });
    match (number, argument) {
        // An int: C libraries differ in what they leave in the register's upper half.
        #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm"))]
        (Some(libc::SYS_poll), Some(time)) => Some(time as u32 as i32),
        // A pointer, null for no timeout.
        (Some(libc::SYS_ppoll), Some(0)) => Some(-1),
        (Some(libc::SYS_ppoll), Some(_)) => Some(1000),
        _ => None,
    }
}

#[test]
fn poll_without_timeout_is_recognized_with_any_c_library() {
    let poll = libc::SYS_ppoll;
    assert!(waits_without_end(&format!(
        "{poll} 0x7f 0x2 0x0 0x0 0x8 0x0 0x7f 0x7f"
    )));
    assert!(!waits_without_end(&format!(
        "{poll} 0x7f 0x2 0x7fe8 0x0 0x8 0x0 0x7f 0x7f"
    )));
    assert!(!waits_without_end("running") && !waits_without_end(""));
    #[cfg(target_arch = "x86_64")]
    for (time, endless) in [
        ("0xffffffff", true),
        ("0xffffffffffffffff", true),
        ("0x64", false),
    ] {
        let call = format!("7 0x7ffd 0x2 {time} 0x0 0x0 0x0 0x7ffd 0x7f");
        assert_eq!(waits_without_end(&call), endless, "{call}");
    }
}

fn state() -> Vec<String> {
    let all = kernel::endpoints();
    all.iter().map(ToString::to_string).collect()
}

/// Waits until the kernel holds these endpoints.
fn expect(endpoints: &[&str]) {
    until(&format!("{endpoints:?}, not {:?}", state()), || {
        (state() == endpoints).then_some(())
    });
}

fn v4(net: u8, host: u8) -> IpAddr {
    IpAddr::from([10, net, 0, host])
}

/// Carrier, IFF_LOWER_UP.
#[test]
fn endpoints_come_and_go_with_addresses_and_links_and_keep_their_ids() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "wan-peer", None);
    veth("lte", "lte-peer", None);
    add_address("wan", v4(1, 1), 24);
    let file = File::new(
        "endpoint add 10.1.0.1 dev wan id 9 signal\nendpoint add dev lte -4 subflow backup\n\
         endpoint add 192.0.2.1 id 2\n",
    );
    let watch = Watch::start("watch", &file.0);
    let (fixed, wan) = ("192.0.2.1 id 2", "10.1.0.1 id 9 signal dev wan");
    expect(&[fixed, wan]);
    add_address("lte", v4(2, 1), 24);
    expect(&[fixed, wan, "10.2.0.1 id 10 subflow backup dev lte"]);
    // The cable of lte is unplugged, and another endpoint takes an id meanwhile.
    link_down("lte-peer");
    expect(&[fixed, wan]);
    link_up("lte-peer");
    expect(&[fixed, wan, "10.2.0.1 id 10 subflow backup dev lte"]);
    delete_address("wan", v4(1, 1), 24);
    expect(&[fixed, "10.2.0.1 id 10 subflow backup dev lte"]);
    add_address("lte", v4(2, 2), 24);
    // Neither id 9, which another line asks for, nor one that is taken.
    expect(&[
        "10.2.0.2 id 1 subflow backup dev lte",
        fixed,
        "10.2.0.1 id 10 subflow backup dev lte",
    ]);
    add_address("wan", v4(1, 1), 24);
    let all = [
        "10.2.0.2 id 1 subflow backup dev lte",
        fixed,
        wan,
        "10.2.0.1 id 10 subflow backup dev lte",
    ];
    expect(&all);
    let output = watch.stop().success();
    expect(&all);
    let said = output.stdout();
    let count = |what: &str| said.lines().filter(|line| line.starts_with(what)).count();
    assert_eq!(
        (count("endpoint add "), count("endpoint delete ")),
        (6, 2),
        "{said}"
    );
    assert_eq!(said.lines().count(), 8, "{said}");
}

/// DAD, tentative, deprecated.
#[test]
fn an_ipv6_address_is_an_endpoint_while_it_can_be_a_source() {
    use address_flags::{DEPRECATED, NODAD, TENTATIVE};
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    let flags = || {
        let all = ipv6_flags("wan").into_iter();
        let ours = all.filter(|(address, _)| address.segments()[0] == 0x2001);
        ours.map(|(_, flags)| flags).sum::<u32>()
    };
    let file = File::new("endpoint add dev wan -6 id 6 subflow\n");
    let watch = Watch::start("watch", &file.0);
    let address: Ipv6Addr = "2001:db8::1".parse().expect("an address");
    let endpoint = "2001:db8::1 id 6 subflow dev wan";
    // One probe, one second.
    ipv6_address("wan", address, 0, true);
    assert!(flags() & TENTATIVE != 0 && state().is_empty());
    until("the endpoint", || {
        let found = state();
        assert!(found.is_empty() || found == [endpoint], "{found:?}");
        (!found.is_empty()).then_some(())
    });
    assert_eq!(flags() & TENTATIVE, 0, "not before the kernel would use it");
    ipv6_address("wan", address, NODAD, false);
    assert!(flags() & DEPRECATED != 0);
    expect(&[]);
    ipv6_address("wan", address, NODAD, true);
    expect(&[endpoint]);
    watch.stop().success();
}

#[test]
fn a_name_stands_for_the_interface_that_has_it() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("eth0", "peer0", None);
    veth("eth1", "peer1", None);
    add_address("eth0", v4(1, 1), 24);
    add_address("eth1", v4(2, 1), 24);
    let file = File::new("endpoint add dev wan subflow -4\n");
    let watch = Watch::start("watch", &file.0);
    expect(&[]);
    link_rename("eth0", "wan");
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    link_rename("wan", "old");
    expect(&[]);
    link_rename("eth1", "wan");
    // Id 1 stays reserved for the address that had it.
    expect(&["10.2.0.1 id 2 subflow dev wan"]);
    // A new interface of the same name is another interface.
    let index = link_index("wan");
    link_delete("wan");
    veth("wan", "peer2", None);
    add_address("wan", v4(2, 1), 24);
    assert_ne!(link_index("wan"), index);
    expect(&["10.2.0.1 id 2 subflow dev wan"]);
    watch.settle();
    expect(&["10.2.0.1 id 2 subflow dev wan"]);
    watch.stop().success();
}

#[test]
fn a_renamed_interface_is_printed_by_its_new_name() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    let file = File::new("endpoint add dev wan -4 id 1\nendpoint add dev new -4 signal\n");
    let watch = Watch::start("watch --remove-on-exit", &file.0);
    expect(&["10.1.0.1 id 1 dev wan"]);
    link_rename("wan", "new");
    expect(&["10.1.0.1 id 1 signal dev new"]);
    let output = watch.stop().success();
    assert_eq!(
        output.stdout(),
        "endpoint add 10.1.0.1 id 1 dev wan\nendpoint delete id 1 10.1.0.1\n\
         endpoint add 10.1.0.1 id 1 signal dev new\nendpoint delete id 1 10.1.0.1\n"
    );
}

#[test]
fn an_endpoint_follows_an_address_to_another_interface() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("one", "peer1", None);
    veth("two", "peer2", None);
    add_address("one", v4(1, 1), 24);
    let file = File::new("endpoint add dev one -4 subflow\nendpoint add dev two -4 signal\n");
    let watch = Watch::start("watch", &file.0);
    expect(&["10.1.0.1 id 1 subflow dev one"]);
    // Both have it for a while: the first line wins.
    add_address("two", v4(1, 1), 24);
    watch.settle();
    expect(&["10.1.0.1 id 1 subflow dev one"]);
    delete_address("one", v4(1, 1), 24);
    expect(&["10.1.0.1 id 1 signal dev two"]);
    watch.stop().success();
}

/// SIGHUP.
#[test]
fn sighup_reloads_the_file_and_a_bad_one_changes_nothing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("endpoint add 10.0.0.1 id 1 subflow\n");
    let watch = Watch::start("watch", &file.0);
    expect(&["10.0.0.1 id 1 subflow"]);
    let complaints = |count: usize| {
        until("a complaint", || {
            // Standard error is read only when the program ends; until then its writes are
            // counted.
            let written = watch.proc("io");
            let calls = written
                .lines()
                .find_map(|line| line.strip_prefix("syscw: "));
            (calls?.parse::<usize>().ok()? >= count).then_some(())
        });
    };
    // One change was written so far.
    file.write("endpoint add 10.0.0.1 id 1 subflow backup\nendpoint add nonsense\n");
    watch.0.signal(libc::SIGHUP);
    complaints(2);
    std::fs::remove_file(&file.0).expect("removed");
    watch.0.signal(libc::SIGHUP);
    complaints(3);
    expect(&["10.0.0.1 id 1 subflow"]);
    file.write("endpoint add 10.0.0.1 id 1 subflow backup\n");
    watch.0.signal(libc::SIGHUP);
    expect(&["10.0.0.1 id 1 subflow backup"]);
    let output = watch.stop();
    assert_eq!(output.code(), 0);
    let said = output.stderr();
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{}", output.report());
    assert!(
        lines[0].contains(":2: ") && lines[1].contains("Cannot open"),
        "{said}"
    );
    assert_eq!(output.stdout().lines().count(), 2, "{}", output.report());
}

#[test]
fn keep_leaves_other_endpoints_alone_and_remove_on_exit_deletes_its_own() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    kernel::add("10.0.0.9 id 9 backup");
    let file = File::new("endpoint add dev wan -4 subflow\nendpoint add 10.0.0.1 id 20\n");
    let watch = Watch::start("-j watch --keep --remove-on-exit", &file.0);
    let other = "10.0.0.9 id 9 backup";
    let all = ["10.1.0.1 id 1 subflow dev wan", other, "10.0.0.1 id 20"];
    expect(&all);
    link_down("wan");
    expect(&[other, "10.0.0.1 id 20"]);
    link_up("wan");
    expect(&all);
    let output = watch.stop().success();
    expect(&[other]);
    let said = output.stdout();
    let objects: Vec<serde_json::Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let actions: Vec<_> = objects
        .iter()
        .map(|object| object["action"].as_str().expect("text"))
        .collect();
    assert_eq!(
        actions,
        ["add", "add", "delete", "add", "delete", "delete"],
        "{said}"
    );
}

#[test]
fn a_file_with_mistakes_ends_watch_and_changes_nothing() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("endpoint add 10.0.0.1\nendpoint add x\n");
    Run::tool("watch").arg(&file.0).run().failure(1);
    assert!(kernel::endpoints().is_empty());
    Run::tool("watch -")
        .stdin("endpoint add 10.0.0.1\n")
        .run()
        .failure(255);
    Run::tool("watch /no/such/file").run().failure(1);
    // FIFO, EINVAL: it could be read only once.
    Run::tool("watch /dev/stdin")
        .stdin("endpoint add 10.0.0.1\n")
        .run()
        .failure(1);
    // EPERM: nothing can ever be changed.
    file.write("endpoint add 10.0.0.1\n");
    let denied = Run::tool("watch").arg(&file.0).unprivileged();
    denied.run().failure(2);
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn a_line_refused_at_startup_does_not_block_the_others() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for refused in [
        "limits set subflows 100000",
        "endpoint add 192.0.2.1 signal port 80",
        "sysctl scheduler no_such_scheduler",
    ] {
        Run::tool("endpoint flush").run().success();
        let file = File::new(&format!("endpoint add 10.0.0.1 id 1\n{refused}\n"));
        let watch = Watch::start("watch", &file.0);
        expect(&["10.0.0.1 id 1"]);
        let output = watch.stop();
        assert_eq!(output.code(), 0, "{}", output.report());
        assert_eq!(output.stderr().lines().count(), 1, "{}", output.report());
        assert!(output.stderr().contains(":2: "), "{}", output.report());
    }
}

/// It is reported once.
#[test]
fn a_line_refused_later_does_not_block_the_others() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    let file = File::new("endpoint add dev wan -4 subflow\n");
    let watch = Watch::start("watch", &file.0);
    file.write("endpoint add 192.0.2.1 signal port 80\nendpoint add dev wan -4 subflow\n");
    watch.0.signal(libc::SIGHUP);
    add_address("wan", v4(1, 1), 24);
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    link_down("wan");
    expect(&[]);
    link_up("wan");
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    watch.rest();
    let output = watch.stop();
    assert_eq!(output.stderr().lines().count(), 1, "{}", output.report());
    assert!(
        output.stderr().contains(":1: endpoint add 192.0.2.1"),
        "{}",
        output.report()
    );
}

#[test]
fn watch_works_in_the_namespace_that_is_named() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let other = Namespace::another();
    let name = other.name("elsewhere");
    other.inside(|| veth("wan", "peer", None));
    let file = File::new("endpoint add dev wan -4 subflow\n");
    let running = Run::tool("-n elsewhere watch").arg(&file.0).start();
    other.inside(|| {
        until("the socket that listens", || {
            let sockets = std::fs::read_to_string("/proc/thread-self/net/netlink").ok()?;
            // Links, IPv4 and IPv6 addresses.
            sockets.contains(" 00000111 ").then_some(())
        });
        add_address("wan", v4(1, 1), 24);
        expect(&["10.1.0.1 id 1 subflow dev wan"]);
    });
    assert!(kernel::endpoints().is_empty());
    running.signal(libc::SIGTERM);
    running.finish().success();
    drop(name);
}

/// Its context switches, and what it has read and written.
fn activity(watch: &Watch) -> (String, String) {
    let status = watch.proc("status");
    let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
    (switches.collect(), watch.proc("io"))
}

#[test]
fn an_idle_watch_makes_no_system_calls() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    let file = File::new("endpoint add dev wan subflow\n");
    let watch = Watch::start("watch", &file.0);
    // Link-local IPv6 addresses appear by themselves within seconds.
    until("an idle watch", || {
        let before = activity(&watch);
        std::thread::sleep(std::time::Duration::from_millis(1500));
        (activity(&watch) == before).then_some(())
    });
    watch.stop().success();
}

fn resident_memory(watch: &Watch) -> u64 {
    let status = watch.proc("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of kB")
}

/// The interfaces that random events happen to, by their current names.
struct World {
    random: Random,
    names: Vec<&'static str>,
}

const ALL_NAMES: [&str; 4] = ["wan", "lte", "spare", "other"];

impl World {
    fn new() -> World {
        let names = vec!["wan", "spare"];
        for (at, name) in names.iter().enumerate() {
            veth(name, &format!("peer{at}"), None);
        }
        let random = Random(0x2545_F491_4F6C_DD1D);
        World { random, names }
    }

    /// One random event.
    fn event(&mut self, number: usize) {
        let chosen = self.random.below(self.names.len());
        let name = self.names[chosen];
        let address = match self.random.below(2) {
            0 => v4(1, 1 + self.random.below(4) as u8),
            _ => format!("2001:db8::{}", 1 + self.random.below(2))
                .parse()
                .expect("an address"),
        };
        let prefix = if address.is_ipv4() { 24 } else { 64 };
        match self.random.below(10) {
            0..=4 => self.turn(name, address, prefix),
            5 => link_down(name),
            6 | 7 => link_up(name),
            8 => {
                let free = ALL_NAMES.iter().find(|free| !self.names.contains(free));
                let free = *free.expect("fewer interfaces than names");
                link_rename(name, free);
                self.names[chosen] = free;
            }
            _ => {
                link_delete(name);
                veth(name, &format!("again{number}"), None);
            }
        }
    }

    /// Adds the address, or deletes it if present.
    fn turn(&mut self, name: &str, address: IpAddr, prefix: u8) {
        use ip_mptcp_tests::namespace::{try_add_address, try_delete_address};
        if try_add_address(name, address, prefix).is_err() {
            let _ = try_delete_address(name, address, prefix);
        }
    }
}

const RANDOM_FILE: &str = "endpoint add dev wan -4 subflow backup\nendpoint add dev lte signal\n\
                           endpoint add 192.0.2.1 id 5 subflow\nendpoint add dev wan -6 subflow id 40\n";

/// A state without the ids that the kernel chose.
fn without_ids(state: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = state
        .iter()
        .map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let id = words.iter().position(|word| *word == "id");
            let keep = |at: &usize| id.is_none_or(|id| *at != id && *at != id + 1);
            let kept = words.iter().enumerate().filter(|(at, _)| keep(at));
            kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn after_a_thousand_events_the_state_is_that_of_a_fresh_apply() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut world = World::new();
    let file = File::new(RANDOM_FILE);
    let watch = Watch::start("watch", &file.0);
    for number in 1..=1000 {
        world.event(number);
        if number % 100 != 0 {
            continue;
        }
        watch.settle();
        // Nothing is left to do, and the state is what apply gives an empty kernel.
        let found = state();
        let dry = Run::tool("apply --dry-run").arg(&file.0).run();
        assert_eq!(dry.stdout(), "", "after {number} events: {found:?}");
    }
    let found = state();
    let output = watch.stop();
    assert_eq!(output.code(), 0, "{}", output.report());
    Run::tool("endpoint flush").run().success();
    assert_eq!(Run::tool("apply").arg(&file.0).run().code(), 0);
    assert_eq!(without_ids(&found), without_ids(&state()));
}

/// As many events as three a second in an hour, all at once. What the kernel drops (ENOBUFS)
/// is recovered by dumps.
#[test]
fn memory_does_not_grow_and_lost_events_are_recovered() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut world = World::new();
    let file = File::new(RANDOM_FILE);
    // A receive buffer for only a few messages.
    let watch = Watch::start("-rcvbuf 4096 watch", &file.0);
    for number in 1..=1000 {
        world.event(number);
    }
    watch.settle();
    let before = resident_memory(&watch);
    // Thousands of addresses, each of them new.
    for round in 0..10_u8 {
        for host in 0..=255_u8 {
            let address = IpAddr::from([10, 77, round, host]);
            add_address(world.names[0], address, 32);
            delete_address(world.names[0], address, 32);
        }
        // Its standard output must not block it.
        for number in 0..50 {
            world.event(2000 + usize::from(round) * 50 + number);
        }
    }
    watch.settle();
    let after = resident_memory(&watch);
    assert!(after <= before + 64, "{before} kB, then {after} kB");
    assert_eq!(Run::tool("apply --dry-run").arg(&file.0).run().stdout(), "");
    let _ = watch.stop();
}

/// An address of `TwoPaths`.
fn path(number: u8, host: u8) -> IpAddr {
    IpAddr::from([10, 0, number, host])
}

/// The client's addresses of the server's established subflows.
fn local_addresses(connection: &Connection) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = subflow_addresses(&connection.server)
        .iter()
        .map(|(_, remote)| remote.ip().to_canonical())
        .collect();
    all.sort();
    all
}

/// The kernel tries an endpoint once, which fails before there is a route (ENETUNREACH,
/// EHOSTUNREACH).
#[test]
fn an_endpoint_added_before_its_route_gets_its_subflow_with_the_route() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    paths.set_limits(0, 4);
    let server: IpAddr = "10.9.9.9".parse().expect("an address");
    paths.server.inside(|| {
        add_address("lo", server, 32);
        let _ = sysctl("ipv4/conf/all/rp_filter", "0");
        // It is reached through the second path only by this route.
        sysctl("ipv4/conf/all/arp_ignore", "1").expect("no answer for other addresses");
    });
    add_route(server, 32, path(1, 1), "c1", 100);
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect_to(&listener, "10.9.9.9");
    connection.exchange(1);
    for no_heal in [true, false] {
        let file = File::new("endpoint add 10.0.2.2 dev c2 id 7 subflow\n");
        let words = if no_heal { "watch --no-heal" } else { "watch" };
        let watch = Watch::start(words, &file.0);
        expect(&["10.0.2.2 id 7 subflow dev c2"]);
        if no_heal {
            watch.stop().success();
            continue;
        }
        // It listens for routes too now.
        until("watch to wait for a route", || {
            let sockets = std::fs::read_to_string("/proc/thread-self/net/netlink").ok()?;
            sockets.contains(" 00000551 ").then_some(())
        });
        assert_eq!(local_addresses(&connection), [path(1, 2)]);
        add_route(server, 32, path(2, 1), "c2", 200);
        until("a subflow by the second path", || {
            connection.exchange(1);
            (local_addresses(&connection) == [path(1, 2), path(2, 2)]).then_some(())
        });
        expect(&["10.0.2.2 id 7 subflow dev c2"]);
        let output = watch.stop().success();
        let said = output.stdout();
        let healed = "endpoint delete id 7 10.0.2.2\n\
                      endpoint add 10.0.2.2 id 7 subflow dev c2\n";
        assert!(said.ends_with(healed), "{said}");
    }
}

/// RST, and whatever else ends a subflow while its interface and address stay.
#[test]
fn a_dead_subflow_is_reopened_and_a_live_one_is_left_alone() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let Some(ss) = installed("ss") else {
        return;
    };
    paths.set_limits(0, 4);
    add_address("c1", path(1, 3), 24);
    let listener = paths.listen("0.0.0.0:0");
    let connection = paths.connect(&listener);
    let file =
        File::new("endpoint add 10.0.2.2 dev c2 subflow\nendpoint add 10.0.1.3 dev c1 subflow\n");
    let watch = Watch::start("watch", &file.0);
    let all = [path(1, 2), path(1, 3), path(2, 2)];
    let whole = || {
        connection.exchange(1);
        (local_addresses(&connection) == all).then_some(())
    };
    until("three subflows", whole);
    watch.settle();
    let calls = |watch: &Watch| {
        let status = watch.proc("status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.map(str::trim).map(String::from)
    };
    // While nothing is wrong it sleeps, even with data flowing.
    // The kernel may still send events about IPv6 addresses.
    until("a transfer that wakes nobody", || {
        let before = calls(&watch);
        for _ in 0..50 {
            connection.exchange(10_000);
        }
        (calls(&watch) == before).then_some(())
    });
    let ends = |address: &str| {
        let all = subflow_addresses(&connection.server);
        let mut all = all.iter();
        let found = all.find(|(_, remote)| remote.ip().to_canonical().to_string() == address);
        found.map(|(_, remote)| remote.port())
    };
    let port = ends("10.0.1.3").expect("a subflow");
    let killed = Run::program(&ss).words("-K src 10.0.2.2").run();
    if killed.stderr().contains("not supported") {
        skip("this kernel destroys no sockets (CONFIG_INET_DIAG_DESTROY)");
        return;
    }
    until("one subflow less", || {
        (local_addresses(&connection) != all).then_some(())
    });
    until("three subflows again", whole);
    assert_eq!(
        ends("10.0.1.3"),
        Some(port),
        "the one that lives was touched"
    );
    watch.settle();
    let said = watch.stop().success().stdout();
    assert_eq!(said.matches("delete").count(), 1, "{said}");
    // Its id depends on which interface was usable first.
    let deleted = said.lines().find(|line| line.contains("delete"));
    assert!(
        deleted.is_some_and(|line| line.ends_with(" 10.0.2.2")),
        "{said}"
    );
}

/// A program for `--exec` that records its arguments and the endpoints.
struct Program {
    path: PathBuf,
    log: PathBuf,
}

impl Program {
    fn new(more: &str) -> Program {
        let file = File::new("");
        let path = file.0.with_extension("sh");
        let log = file.0.with_extension("log");
        let text = format!(
            "#!/bin/sh\n[ -z \"$ADDRESS\" ] && exit 99\n\
             here=$('{}' endpoint show | grep -c \"^$ADDRESS \")\n\
             echo \"$ACTION $ADDRESS family $FAMILY dev $INTERFACE gateway $GATEWAY id $ID here $here\" \
             >>'{}'\n{more}\n",
            binary().display(),
            log.display()
        );
        std::fs::write(&path, text).expect("a program");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        Program { path, log }
    }

    fn said(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(String::from).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        let _ = std::fs::remove_file(&self.log);
    }
}

#[test]
fn exec_runs_before_an_endpoint_is_added_and_after_it_is_deleted() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    add_route(IpAddr::from([0, 0, 0, 0]), 0, v4(1, 254), "wan", 100);
    let program = Program::new("");
    let file = File::new("endpoint add dev wan -4 subflow\n");
    let words = format!("watch --remove-on-exit --exec {}", program.path.display());
    let watch = Watch(Run::tool(&words).arg(&file.0).start());
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    let added = "add 10.1.0.1 family 4 dev wan gateway 10.1.0.254 id 1 here 0";
    let gone = "delete 10.1.0.1 family 4 dev wan gateway 10.1.0.254 id 1 here 0";
    assert_eq!(program.said(), [added]);
    watch.settle();
    link_down("wan");
    until("the second call", || {
        (program.said() == [added, gone]).then_some(())
    });
    link_up("wan");
    // The route went with the link.
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    let again = added.replace("gateway 10.1.0.254", "gateway ");
    assert_eq!(program.said(), [added, gone, again.as_str()]);
    watch.settle();
    watch.stop().success();
    expect(&[]);
    let last = gone.replace("gateway 10.1.0.254", "gateway ");
    assert_eq!(program.said().last(), Some(&last));
}

/// What the program makes for an address must not be taken away while an endpoint needs it.
#[test]
fn exec_is_not_called_for_an_endpoint_that_is_replaced_and_in_turn_for_one_address() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    // Slow, so that two calls at once would be seen.
    let program = Program::new("sleep 1; echo \"$ACTION $ID over\" >>\"${0%sh}log\"");
    let file = File::new("endpoint add 10.1.0.1 dev wan id 1 subflow\n");
    let words = format!("watch --exec {}", program.path.display());
    let watch = Watch(Run::tool(&words).arg(&file.0).start());
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    let call = |action: &str, id: u8| {
        let begin = format!("{action} 10.1.0.1 family 4 dev wan gateway  id {id} here 0");
        [begin, format!("{action} {id} over")]
    };
    let mut calls = call("add", 1).to_vec();
    assert_eq!(program.said(), calls);
    for (line, shown) in [
        (
            "id 1 subflow backup",
            "10.1.0.1 id 1 subflow backup dev wan",
        ),
        ("id 1 signal", "10.1.0.1 id 1 signal dev wan"),
    ] {
        file.write(&format!("endpoint add 10.1.0.1 dev wan {line}\n"));
        watch.0.signal(libc::SIGHUP);
        expect(&[shown]);
        watch.settle();
        assert_eq!(program.said(), calls);
    }
    for (line, shown, gone, added) in [
        ("id 2 signal", "10.1.0.1 id 2 signal dev wan", 1, 2),
        (
            "id 3 signal port 9999",
            "10.1.0.1 port 9999 id 3 signal dev wan",
            2,
            3,
        ),
    ] {
        file.write(&format!("endpoint add 10.1.0.1 dev wan {line}\n"));
        watch.0.signal(libc::SIGHUP);
        expect(&[shown]);
        watch.settle();
        calls.extend(call("delete", gone));
        calls.extend(call("add", added));
        assert_eq!(program.said(), calls);
    }
    watch.stop().success();
}

#[test]
fn a_failing_exec_delays_only_its_own_endpoint_and_is_retried() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for name in ["wan", "lte", "dsl"] {
        veth(name, &format!("{name}-peer"), None);
    }
    add_address("wan", v4(1, 1), 24);
    add_address("lte", v4(2, 1), 24);
    // It hangs for lte, and fails for dsl until a file exists.
    let program = Program::new(
        "case $INTERFACE in lte) sleep 100;; dsl) [ -e \"$0.ready\" ] || exit 3;; esac",
    );
    let file = File::new("endpoint add dev * -4 subflow\nignore dev *-peer\n");
    let words = format!("watch --exec {}", program.path.display());
    let watch = Watch(Run::tool(&words).arg(&file.0).start());
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    add_address("dsl", v4(3, 1), 24);
    let calls = |name: &str| {
        let said = program.said();
        let mut said = said.iter();
        said.by_ref()
            .filter(|line| line.contains(&format!("dev {name} ")))
            .count()
    };
    until("two calls for dsl", || (calls("dsl") >= 2).then_some(()));
    // Events are followed meanwhile.
    link_down("wan");
    expect(&[]);
    link_up("wan");
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    let ready = program.path.with_extension("sh.ready");
    std::fs::write(&ready, "").expect("a file");
    until("dsl", || {
        state()
            .iter()
            .any(|line| line.starts_with("10.3.0.1 "))
            .then_some(())
    });
    // SIGTERM does not wait for the one that hangs.
    let output = watch.stop();
    let _ = std::fs::remove_file(&ready);
    assert_eq!(output.code(), 0, "{}", output.report());
    let said = output.stderr();
    assert_eq!(said.matches("failed with status 3").count(), 1, "{said}");
    // Retries only if a loaded machine took longer than allowed.
    assert!(
        calls("lte") == 1 || said.contains("longer than 10 s"),
        "{said}"
    );
}

/// EAGAIN of clone(2), strace inject; ENOENT of execve(2).
#[test]
fn an_exec_that_cannot_be_started_is_reported_once_and_retried() {
    for (fault, why) in [
        ("clone:error=EAGAIN:when=1..2", "Resource temporarily"),
        ("", "failed with status 127"),
    ] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        let program = Program::new("");
        let hidden = program.path.with_extension("later");
        let missing = why.ends_with("127");
        if missing {
            std::fs::rename(&program.path, &hidden).expect("another name");
        }
        let words = format!("watch --exec {}", program.path.display());
        let run = match missing {
            true => Some(Run::tool(&words)),
            false => injected(fault, &words),
        };
        let Some(run) = run else { return };
        let file = File::new("endpoint add 127.0.0.1 id 1\n");
        let log = File::new("");
        let errors = std::fs::File::create(&log.0).expect("a log");
        let watch = Watch(run.arg(&file.0).stderr(errors).start());
        let said = || std::fs::read_to_string(&log.0).expect("its log");
        // It waits for the program also between fork and exec, which finds what is there then.
        until("its complaint", || said().contains(why).then_some(()));
        if missing {
            assert_eq!(state(), [""; 0], "not before it was called");
            std::fs::rename(&hidden, &program.path).expect("its name");
        }
        expect(&["127.0.0.1 id 1"]);
        watch.stop();
        let said = said();
        assert_eq!(said.matches(why).count(), 1, "{fault}: {said}");
        assert_eq!(said.lines().count(), 1, "{fault}: {said}");
        let calls = program.said();
        let before = calls.iter().all(|call| call.ends_with(" here 0"));
        assert!(calls.len() == 1 && before, "{fault}: {calls:?}");
    }
}

/// A full pipe that nobody reads (EAGAIN), a reader that has gone away (EPIPE), a full disk
/// (ENOSPC): watch goes on, and SIGTERM ends it.
#[test]
fn output_that_cannot_be_written_blocks_nothing() {
    for how in ["stalled", "gone", "full"] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        veth("wan", "peer", None);
        let file = File::new("endpoint add dev wan -4 subflow\n");
        let run = Run::tool("watch --keep --remove-on-exit").arg(&file.0);
        let (reader, mut writer) = pipe();
        let run = match how {
            "full" => {
                let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
                run.stdout(full().expect("a device"))
                    .stderr(full().expect("a device"))
            }
            _ => run.stdout(writer.try_clone().expect("another")),
        };
        if how == "stalled" {
            fill(&mut writer);
        }
        let mut reader = Some(reader);
        let watch = Watch(run.start());
        watch.rest();
        if how == "gone" {
            drop(reader.take());
        }
        drop(writer);
        for host in 1..=3 {
            add_address("wan", v4(1, host), 24);
            until("an endpoint", || {
                (state().len() == usize::from(host)).then_some(())
            });
        }
        let other = File::new("limits set subflows 3\n");
        Run::tool("apply --keep").arg(&other.0).run().success();
        link_down("wan");
        expect(&[]);
        link_up("wan");
        until("endpoints", || (state().len() == 3).then_some(()));
        assert_eq!(watch.stop().code(), 0, "{how}");
        expect(&[]);
    }
}

/// A pipe: its read end and its write end.
fn pipe() -> (std::fs::File, std::fs::File) {
    let mut ends = [0; 2];
    // SAFETY: there is room for both ends, which nobody else owns.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        ends.map(|end| std::os::fd::FromRawFd::from_raw_fd(end))
            .into()
    }
}

/// Fills a pipe completely.
fn fill(pipe: &mut std::fs::File) {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let nonblocking = |flags: i32| {
        // SAFETY: integers only.
        unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags) };
    };
    nonblocking(libc::O_NONBLOCK);
    let mut pipe = pipe.try_clone().expect("another");
    while pipe.write(&[b'\n'; 4096]).is_ok() || pipe.write(b"\n").is_ok() {}
    nonblocking(0);
}

/// A stalled log is kept up to 64 KiB, and lines are dropped whole.
#[test]
fn dropped_log_lines_are_counted_once_there_is_a_reader_again() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("endpoint add 10.0.0.1 id 1\n");
    let (reader, mut writer) = pipe();
    fill(&mut writer);
    let run = Run::tool("watch").arg(&file.0);
    let watch = Watch(run.stderr(writer.try_clone().expect("another")).start());
    drop(writer);
    watch.rest();
    // A hundred mistakes each time.
    file.write(&"endpoint add nonsense\n".repeat(200));
    for _ in 0..20 {
        watch.0.signal(libc::SIGHUP);
        until("the signal to be heeded", || {
            let status = watch.proc("status");
            let pending = status
                .lines()
                .find_map(|line| line.strip_prefix("ShdPnd:"))?;
            (u64::from_str_radix(pending.trim(), 16) == Ok(0)).then_some(())
        });
        watch.settle_writing();
    }
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
    let dropped: usize = lines
        .by_ref()
        .map(|line| line.expect("text"))
        .inspect(|line| {
            let whole = line.is_empty() || line.starts_with('#') || line.contains("expected");
            assert!(whole, "{line}");
        })
        .find_map(|line| {
            line.strip_prefix("# ")?
                .split_once(" lines")?
                .0
                .parse()
                .ok()
        })
        .expect("a count");
    assert!((1..2000).contains(&dropped), "{dropped}");
    expect(&["10.0.0.1 id 1"]);
    watch.0.signal(libc::SIGTERM);
    let _ = watch.0.finish();
}

#[test]
fn a_refused_change_is_retried_and_reported_once() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:4001").expect("a port");
    let file = File::new("endpoint add 127.0.0.1 port 4001 signal\nendpoint add 10.0.0.9 id 9\n");
    let watch = Watch::start("watch", &file.0);
    expect(&["10.0.0.9 id 9"]);
    // Two more attempts fail, then it succeeds.
    for _ in 0..2 {
        let before = watch.proc("status");
        until("another attempt", || {
            (watch.proc("status") != before).then_some(())
        });
        watch.rest();
    }
    drop(listener);
    expect(&["10.0.0.9 id 9", "127.0.0.1 port 4001 id 10 signal"]);
    watch.settle();
    let output = watch.stop();
    assert_eq!(output.stderr().lines().count(), 1, "{}", output.report());
}

/// ENOBUFS, strace inject.
#[test]
fn a_round_that_fails_is_retried_and_reported_once() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("endpoint add 127.0.0.1 id 1\nendpoint add dev lo -4\n");
    // After the first round, which takes six requests.
    let Some(run) = injected("sendto:error=ENOBUFS:when=9+", "watch --no-heal") else {
        return;
    };
    let watch = Watch(run.arg(&file.0).start());
    expect(&["127.0.0.1 id 1"]);
    for host in 0..6 {
        watch.rest();
        add_address("lo", v4(1, host), 32);
        let before = watch.proc("status");
        until("another round", || {
            (watch.proc("status") != before).then_some(())
        });
    }
    watch.rest();
    let output = watch.stop();
    assert_eq!(output.stderr().lines().count(), 1, "{}", output.report());
}

/// ERANGE: the kernel sends no event when there is room again.
#[test]
fn an_endpoint_without_room_is_added_when_another_is_deleted() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    let others = (1..=255).take_while(|host| {
        let endpoint = format!("192.0.2.{host}").parse().expect("an endpoint");
        kernel::try_add(&endpoint).is_ok()
    });
    let count = others.count();
    let file = File::new("endpoint add dev wan -4 subflow\n");
    let watch = Watch::start("watch --keep", &file.0);
    assert_eq!(state().len(), count);
    Run::tool("endpoint delete 192.0.2.1").run().success();
    until("its endpoint", || {
        state()
            .iter()
            .any(|line| line.starts_with("10.1.0.1 "))
            .then_some(())
    });
    watch.settle();
    let output = watch.stop();
    assert_eq!(
        output.stderr().matches("no room").count(),
        1,
        "{}",
        output.report()
    );
}

#[test]
fn a_line_whose_id_is_taken_gets_another_id() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for (name, net) in [("wan", 1), ("lte", 2)] {
        veth(name, &format!("{name}-peer"), None);
        add_address(name, v4(net, 1), 24);
    }
    kernel::add("192.0.2.9 id 2 subflow");
    let file =
        File::new("endpoint add dev wan -4 id 1 subflow\nendpoint add dev lte -4 id 2 backup\n");
    let watch = Watch::start("watch --keep", &file.0);
    let other = "192.0.2.9 id 2 subflow";
    expect(&[
        "10.1.0.1 id 1 subflow dev wan",
        other,
        "10.2.0.1 id 3 backup dev lte",
    ]);
    link_down("wan");
    expect(&[other, "10.2.0.1 id 3 backup dev lte"]);
    let output = watch.stop();
    assert!(
        output.stderr().contains("the id of 192.0.2.9"),
        "{}",
        output.report()
    );
    // Started again: endpoints on an interface named in the file belong to the file.
    link_down("lte");
    let watch = Watch::start("watch --keep", &file.0);
    expect(&[other]);
    watch.stop().success();
}

#[test]
fn patterns_and_ignore_apply_to_interfaces_that_appear_later() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new(
        "endpoint add dev ww* -4 subflow\nignore dev wwx*\nignore 10.7.0.0/16\n\
         endpoint add 10.9.0.0/16 dev l* signal\n",
    );
    let watch = Watch::start("watch", &file.0);
    for (name, net) in [("ww0", 1), ("ww1", 2), ("wwx", 3), ("lte", 9), ("eth0", 5)] {
        veth(name, &format!("p{name}"), None);
        add_address(name, v4(net, 1), 24);
    }
    add_address("ww0", v4(7, 1), 24);
    add_address("lte", v4(8, 1), 24);
    let all = [
        "10.1.0.1 subflow dev ww0",
        "10.2.0.1 subflow dev ww1",
        "10.9.0.1 signal dev lte",
    ];
    until("three endpoints", || {
        (without_ids(&state()) == all).then_some(())
    });
    link_rename("ww1", "eth1");
    until("two", || {
        (without_ids(&state()) == [all[0], all[2]]).then_some(())
    });
    link_rename("eth0", "ww9");
    until("three", || {
        (without_ids(&state()) == [all[0], "10.5.0.1 subflow dev ww9", all[2]]).then_some(())
    });
    watch.settle();
    assert_eq!(state().len(), 3);
    watch.stop().success();
}

#[test]
fn an_uplink_counts_while_it_has_a_default_route() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    let file = File::new("endpoint add dev * uplink subflow\n");
    let watch = Watch::start("watch", &file.0);
    expect(&[]);
    // Not a default route.
    add_route(v4(9, 0), 24, v4(1, 2), "wan", 1);
    add_route(IpAddr::from([0, 0, 0, 0]), 0, v4(1, 254), "wan", 100);
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    // The kernel drops the route with the link.
    link_down("wan");
    expect(&[]);
    link_up("wan");
    watch.settle();
    expect(&[]);
    add_route(IpAddr::from([0, 0, 0, 0]), 0, v4(1, 254), "wan", 100);
    expect(&["10.1.0.1 id 1 subflow dev wan"]);
    watch.stop().success();
}

#[test]
fn an_announced_address_that_is_not_of_this_host_stays() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    veth("wan", "peer", None);
    add_address("wan", v4(1, 1), 24);
    add_address("lo", v4(8, 8), 32);
    let file = File::new(
        "endpoint add 203.0.113.5 dev wan signal\nendpoint add 10.8.0.8 dev wan subflow\n\
         endpoint add 10.1.0.2 dev wan signal\n",
    );
    let watch = Watch::start("watch", &file.0);
    let all = [
        "203.0.113.5 id 1 signal dev wan",
        "10.8.0.8 id 2 subflow dev wan",
        "10.1.0.2 id 3 signal dev wan",
    ];
    expect(&all);
    add_address("wan", v4(1, 2), 24);
    add_address("wan", v4(1, 3), 24);
    watch.settle();
    expect(&all);
    // An address that was once this host's is not taken for another host's.
    delete_address("wan", v4(1, 2), 24);
    expect(&all[..2]);
    watch.stop().success();
}

#[test]
fn flags_changed_by_others_are_left_alone_with_keep_flags() {
    for keep in [true, false] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        veth("wan", "peer", None);
        add_address("wan", v4(1, 1), 24);
        let file = File::new("endpoint add dev wan -4 subflow\n");
        let watch = Watch::start(if keep { "watch --keep-flags" } else { "watch" }, &file.0);
        expect(&["10.1.0.1 id 1 subflow dev wan"]);
        Run::tool("endpoint change id 1 backup").run().success();
        add_address("wan", v4(1, 2), 24);
        until("two", || (state().len() == 2).then_some(()));
        let flags = if keep { "subflow backup" } else { "subflow" };
        assert_eq!(state()[0], format!("10.1.0.1 id 1 {flags} dev wan"));
        // What the file newly says wins.
        file.write("endpoint add dev wan -4 subflow fullmesh\n");
        watch.0.signal(libc::SIGHUP);
        until("fullmesh", || {
            (state()[0] == "10.1.0.1 id 1 subflow fullmesh dev wan").then_some(())
        });
        watch.stop().success();
    }
}

#[test]
fn json_has_the_id_that_the_kernel_chose() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("192.0.2.1 id 1");
    let file = File::new("endpoint add 10.0.0.1 subflow\n");
    let watch = Watch::start("-j watch --keep", &file.0);
    let said = watch.stop().success().stdout();
    let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["action"], &said["id"]), (&"add".into(), &2.into()));
}

#[test]
fn an_empty_file_deletes_nothing_and_signals_may_come_at_any_time() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let file = File::new("endpoint add 10.0.0.1 id 1\n");
    for round in 0..20 {
        let running = Run::tool("watch").arg(&file.0).start();
        let watch = Watch(running);
        until("signals to be held back", || {
            let status = watch.proc("status");
            let blocked = status
                .lines()
                .find_map(|line| line.strip_prefix("SigBlk:"))?;
            let blocked = u64::from_str_radix(blocked.trim(), 16).ok()?;
            (blocked & 1 << (libc::SIGHUP - 1) != 0).then_some(())
        });
        // The moment is to be any; nothing depends on it.
        std::thread::sleep(std::time::Duration::from_micros(200 * round));
        watch.0.signal(libc::SIGHUP);
        watch.rest();
        if round == 19 {
            file.write("");
            watch.0.signal(libc::SIGHUP);
            watch.rest();
        }
        expect(&["10.0.0.1 id 1"]);
        let output = watch.stop();
        assert_eq!(output.code(), 0, "{}", output.report());
    }
    let watch = Watch::start("watch", &file.0);
    expect(&["10.0.0.1 id 1"]);
    watch.stop();
}
