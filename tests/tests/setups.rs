//! Set-ups of the real world, from end to end: leases by dnsmasq, NetworkManager beside us.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ip_mptcp_tests::documents::installed;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::address_flags::NODAD;
use ip_mptcp_tests::namespace::{
    ipv6_address, ipv6_flags, link_down, link_up, sysctl, veth, Namespace,
};
use ip_mptcp_tests::program::{Run, Running};
use ip_mptcp_tests::wait::until;

/// dnsmasq on `router` that advertises whatever prefix that has.
fn advertise(router: &Namespace) -> Option<Running> {
    let dnsmasq = installed("dnsmasq")?;
    let words = "--keep-in-foreground --conf-file=/dev/null --port=0 --user=root --pid-file \
                 --leasefile-ro --log-facility=- --bind-interfaces --interface=router --enable-ra \
                 --ra-param=router,4,30 --dhcp-range=::,constructor:router,slaac,64,2m";
    let run = Run::program(&dnsmasq)
        .words(words)
        .limit(Duration::from_secs(100));
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
    let watch = Run::tool("watch")
        .arg(&file)
        .limit(Duration::from_secs(100))
        .start();
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
