//! Set-ups of the real world, from end to end: leases by dnsmasq, NetworkManager beside us.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ip_mptcp_tests::documents::{installed, Folder};
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::address_flags::NODAD;
use ip_mptcp_tests::namespace::{
    add_address, delete_address, ipv6_address, ipv6_flags, link_down, link_up, sysctl, veth,
    Namespace,
};
use ip_mptcp_tests::program::{Run, Running};
use ip_mptcp_tests::wait::until;

/// Longer than a test takes.
const LONG: Duration = Duration::from_secs(200);

/// dnsmasq on `router` that advertises whatever prefix that has.
fn advertise(router: &Namespace) -> Option<Running> {
    let dnsmasq = installed("dnsmasq")?;
    let words = "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file \
                 --leasefile-ro --log-facility=- --bind-interfaces --interface=router --enable-ra \
                 --ra-param=router,4,30 --dhcp-range=::,constructor:router,slaac,64,2m";
    let run = Run::program(&dnsmasq).words(words);
    Some(router.inside(|| run.start()))
}

fn endpoints() -> Vec<IpAddr> {
    kernel::endpoints().iter().map(|of| of.address).collect()
}

/// Stateless address configuration: prefixes that dnsmasq advertises, and the default route.
#[test]
fn endpoints_follow_the_prefixes_that_a_router_advertises() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let router = Namespace::another();
    veth("wan", "router", Some(&router));
    // No second is lost to looking for duplicates.
    sysctl("ipv6/conf/wan/accept_dad", "0").expect("no questions");
    sysctl("ipv6/conf/wan/accept_ra", "2").expect("advertisements");
    let prefix = |number: u16| Ipv6Addr::new(0x2001, 0xdb8, number, 0, 0, 0, 0, 1);
    router.inside(|| {
        let _ = sysctl("ipv6/conf/all/forwarding", "1");
        ipv6_address("router", prefix(1), NODAD, true);
        // What home routers advertise too, and no host of the Internet answers.
        ipv6_address(
            "router",
            "fd12::1".parse().expect("an address"),
            NODAD,
            true,
        );
    });
    let Some(_dnsmasq) = advertise(&router) else {
        return;
    };
    let file = std::env::temp_dir().join(format!("setups-{}", std::process::id()));
    std::fs::write(&file, "endpoint add dev wan -6 uplink id 6 subflow\n").expect("a file");
    let watch = Run::tool("watch").arg(&file).start();
    let of = |number: u16| {
        let own = ipv6_flags("wan").into_iter().map(|(address, _)| address);
        let mut own =
            own.filter(|address| address.segments()[..3] == prefix(number).segments()[..3]);
        own.next().map(IpAddr::V6)
    };
    let first = until("the first prefix", || of(1));
    until("its endpoint", || (endpoints() == [first]).then_some(()));
    let unique = ipv6_flags("wan");
    let is_unique = |address: &Ipv6Addr| address.segments()[0] == 0xfd12;
    until("a unique local address", || {
        let found = ipv6_flags("wan");
        found
            .iter()
            .any(|(address, _)| is_unique(address))
            .then_some(())
    });
    drop(unique);
    // It is leased: saved as its interface.
    let saved = Run::tool("save").run().success().stdout();
    assert!(
        saved.contains(&format!("endpoint add id 6 subflow dev wan -6 # {first}\n")),
        "{saved}"
    );
    // The cable goes and comes: the kernel asks for advertisements again.
    link_down("wan");
    until("no endpoint", || endpoints().is_empty().then_some(()));
    link_up("wan");
    until("its endpoint", || (endpoints() == [first]).then_some(()));
    // The provider gives another prefix.
    router.inside(|| ipv6_address("router", prefix(2), NODAD, true));
    let second = until("the second prefix", || of(2));
    until("both", || {
        let found = endpoints();
        (found.contains(&first) && found.contains(&second) && found.len() == 2).then_some(())
    });
    watch.signal(libc::SIGTERM);
    watch.finish().success();
    let _ = std::fs::remove_file(&file);
}

/// dnsmasq on `router` that leases one address of 192.168.NET.0/24.
fn lease(router: &Namespace, net: u8) -> Option<Running> {
    let dnsmasq = installed("dnsmasq")?;
    let words = format!(
        "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file \
         --leasefile-ro --log-facility=- --bind-interfaces --interface=router --no-ping \
         --dhcp-authoritative --dhcp-range=192.168.{net}.50,192.168.{net}.50,255.255.255.0,2m \
         --dhcp-option=3,192.168.{net}.1"
    );
    let run = Run::program(&dnsmasq).words(&words).limit(LONG);
    Some(router.inside(|| run.start()))
}

/// What the client calls, as distributions have it: the address has an end where the
/// lease has one. Where there is a file `short` beside it, that is soon, and the file goes.
const LEASED: &str = "#!/bin/sh
time=$lease
short=${0%/*}/short
[ ! -e $short ] || time=2
case $1 in
deconfig) ip -4 address flush dev $interface ;;
bound | renew)
    ip -4 address replace $ip/$mask dev $interface valid_lft $time preferred_lft $time
    ip -4 route replace default via $router dev $interface metric 100
    rm -f $short
    ;;
esac
";

/// DHCP: DHCPACK, DHCPNAK, DHCPRELEASE, and a lease that runs out.
#[test]
fn endpoints_follow_the_leases_of_dhcp() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let router = Namespace::another();
    veth("wan", "router", Some(&router));
    let gateway = |net: u8| IpAddr::from([192, 168, net, 1]);
    let leased = |net: u8| format!("192.168.{net}.50 id 4 subflow dev wan");
    router.inside(|| add_address("router", gateway(77), 24));
    let (Some(client), Some(first)) = (installed("udhcpc"), lease(&router, 77)) else {
        return;
    };
    let folder = Folder::new("leases");
    let script = folder.path.join("leased");
    std::fs::write(&script, LEASED).expect("a script");
    make_executable(&script);
    let file = folder.path.join("state");
    std::fs::write(&file, "endpoint add dev wan -4 uplink id 4 subflow\n").expect("a file");
    let watch = Run::tool("watch").arg(&file).limit(LONG).start();
    let client = Run::program(&client)
        .words("-f -i wan -t 100 -T 1 -A 1 -s")
        .arg(&script)
        .limit(LONG)
        .start();
    let expect = |wanted: &[String]| {
        until(&format!("{wanted:?}"), || {
            let all: Vec<String> = kernel::endpoints()
                .iter()
                .map(ToString::to_string)
                .collect();
            (all == wanted).then_some(())
        });
    };
    expect(&[leased(77)]);
    let saved = Run::tool("save").run().success().stdout();
    let line = "endpoint add id 4 subflow dev wan -4 # 192.168.77.50\n";
    assert!(saved.contains(line), "{saved}");
    // The provider renumbers: the next renewal is refused, and another address leased.
    drop(first);
    router.inside(|| {
        delete_address("router", gateway(77), 24);
        add_address("router", gateway(78), 24);
    });
    let Some(second) = lease(&router, 78) else {
        return;
    };
    client.signal(libc::SIGUSR1);
    expect(&[leased(78)]);
    // It is given back, and taken again.
    client.signal(libc::SIGUSR2);
    expect(&[]);
    client.signal(libc::SIGUSR1);
    expect(&[leased(78)]);
    // The client dies, and the lease runs out.
    let short = folder.path.join("short");
    std::fs::write(&short, "").expect("a file");
    client.signal(libc::SIGUSR1);
    until("the last renewal", || (!short.exists()).then_some(()));
    client.signal(libc::SIGKILL);
    drop(second);
    expect(&[]);
    watch.signal(libc::SIGTERM);
    let output = watch.finish().success();
    assert_eq!(output.stderr(), "");
}

/// NetworkManager with its bus, in mounts of its own, and what is asked of it on standard input.
const MANAGER: &str = r#"
set -eu
mount --make-rprivate /
mount -t sysfs -o ro sysfs /sys
for folder in /run /var/lib/NetworkManager /etc/NetworkManager; do
    mkdir -p "$folder"
    mount -t tmpfs none "$folder"
done
mkdir -p /run/dbus /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections
: >/etc/NetworkManager/NetworkManager.conf
[ -z "$1" ] || printf '[connection]
connection.mptcp-flags=%s
' "$1" >/etc/NetworkManager/conf.d/mptcp.conf
number=1
for device in wan0 lte0; do
    printf '[connection]
id=%s
type=ethernet
interface-name=%s
[ipv4]
method=manual
address1=10.0.%s.2/24,10.0.%s.1
[ipv6]
method=disabled
'         $device $device $number $number >/etc/NetworkManager/system-connections/$device.nmconnection
    number=$((number + 1))
done
chmod 600 /etc/NetworkManager/system-connections/*
dbus-daemon --system --fork --nopidfile
NetworkManager -n >/run/log 2>&1 &
again() { until "$@" >/dev/null 2>&1; do sleep 0.1; done; }
again nmcli general
for device in wan0 lte0; do
    # Without udev it leaves interfaces alone unless it is told to manage them.
    again nmcli device set $device managed yes
    again nmcli connection up $device
done
echo ready
while read -r words; do
    nmcli $words >/dev/null && echo done
done
"#;

/// NetworkManager makes endpoints of its own for each uplink (`connection.mptcp-flags`), and
/// sets their flags anew with every activation.
#[test]
fn endpoints_are_as_the_file_says_beside_networkmanager() {
    for flags in ["", "1"] {
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        for program in ["NetworkManager", "nmcli", "dbus-daemon"] {
            if installed(program).is_none() {
                return;
            }
        }
        for device in ["wan0", "lte0"] {
            veth(device, &format!("{device}-peer"), None);
        }
        let folder = Folder::new("manager");
        let (mut write, read) = UnixStream::pair().expect("two ends");
        let manager = Run::program(&installed("unshare").expect("unshare"))
            .words("-m -p -f --kill-child --mount-proc sh -c")
            .arg(MANAGER)
            .arg("manager")
            .arg(flags)
            .stdin_from(read)
            .limit(LONG)
            .start();
        let mut answers = 0;
        manager.wait_for_output("NetworkManager", |text| text.ends_with(b"ready\n"));
        let mut ask = |words: &str| {
            writeln!(write, "{words}").expect("a command");
            answers += 1;
            manager.wait_for_output(words, |text| {
                text.split(|byte| *byte == b'\n')
                    .filter(|line| line == b"done")
                    .count()
                    == answers
            });
        };
        let expect = |wanted: &[&str]| {
            until(&format!("{wanted:?} with flags {flags:?}"), || {
                let state = without_ids();
                (state == wanted).then_some(())
            });
        };
        let (wan, lte) = (
            "10.0.1.2 subflow dev wan0",
            "10.0.2.2 subflow backup dev lte0",
        );
        match flags {
            "" => expect(&[wan, "10.0.2.2 subflow dev lte0"]),
            _ => expect(&[]),
        }
        let file = folder.path.join("state");
        let text = "endpoint add dev wan0 subflow\nendpoint add dev lte0 subflow backup\n";
        std::fs::write(&file, text).expect("a file");
        let watch = Run::tool("watch").arg(&file).limit(LONG).start();
        expect(&[wan, lte]);
        // The flags of lte0 are set anew with it, by default.
        ask("connection up wan0");
        expect(&[wan, lte]);
        ask("device disconnect lte0");
        expect(&[wan]);
        ask("connection up lte0");
        expect(&[wan, lte]);
        watch.signal(libc::SIGTERM);
        let output = watch.finish();
        assert_eq!(output.code(), 0, "{}", output.report());
        // EEXIST: the manager was faster, which is reported and not the last word.
        let errors = output.stderr();
        let others = errors.lines().find(|line| !line.contains("duplicate one"));
        assert_eq!(others, None, "{}", output.report());
        // They do not fight: a few changes for each of what happened.
        let printed = output.stdout();
        assert!(printed.lines().count() < 30, "{printed}");
        expect(&[wan, lte]);
    }
}

/// The endpoints, ascending by address, without ids.
fn without_ids() -> Vec<String> {
    let mut all = kernel::endpoints();
    all.sort_by_key(|of| of.address);
    all.iter()
        .map(|of| of.to_string().replace(&format!(" id {}", of.id), ""))
        .collect()
}

fn make_executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("mode");
}
