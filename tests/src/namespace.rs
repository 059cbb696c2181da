//! Network namespaces, their names, and what stands in them.

use std::fs::File;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::before_main;
use crate::kernel;
use crate::netlink::{check, Bytes, Refusal, Socket};
use crate::wait::skip;

/// A network namespace. It lives as long as this value, a process or a socket in it.
pub struct Namespace {
    handle: File,
    /// It was made here, and is left without endpoints.
    owned: bool,
}

impl Drop for Namespace {
    /// The kernel itself listens on the port of an endpoint, and Linux 6.18 never frees a
    /// namespace in which it does. Some hundred in each run of the tests, they would make
    /// the machine slower and slower.
    fn drop(&mut self) {
        if self.owned {
            // What else a test has done to the namespace is no reason to fail.
            let _ = self.inside(kernel::try_flush);
        }
    }
}

impl Namespace {
    /// Puts the calling thread (and whatever it starts or opens from now on) into a new
    /// namespace with `lo` up, and an empty `/run/netns` of its own. Reports the test as
    /// skipped, and returns `None`, where the system does not allow it or its kernel has
    /// no MPTCP.
    pub fn fresh() -> Option<Namespace> {
        Namespace::try_fresh().map_err(|why| skip(&why)).ok()
    }

    /// The same; the error says why not.
    pub fn try_fresh() -> Result<Namespace, String> {
        if let Some(error) = before_main::refused() {
            return Err(format!(
                "no network namespaces here ({error}); run as root, or allow user namespaces"
            ));
        }
        before_main::own_names().map_err(|error| format!("no mount namespace here: {error}"))?;
        let namespace = Namespace::enter_new();
        kernel::try_limits()
            .map_err(|refusal| format!("this kernel has no MPTCP path manager: {refusal:?}"))?;
        Ok(namespace)
    }

    fn enter_new() -> Namespace {
        before_main::unshare(libc::CLONE_NEWNET).expect("a new network namespace");
        let mut namespace = Namespace::current();
        namespace.owned = true;
        link_up("lo");
        namespace
    }

    /// The namespace that the calling thread is in.
    pub fn current() -> Namespace {
        Namespace {
            handle: File::open("/proc/thread-self/ns/net").expect("the thread's namespace"),
            owned: false,
        }
    }

    /// Makes a second namespace; the thread stays where it is.
    pub fn another() -> Namespace {
        let here = Namespace::current();
        let other = Namespace::enter_new();
        here.enter();
        other
    }

    fn enter(&self) {
        // SAFETY: integers only; changes the calling thread alone.
        let done = unsafe { libc::setns(self.handle.as_raw_fd(), libc::CLONE_NEWNET) };
        check(done).expect("enter a namespace of ours");
    }

    /// Runs `work` with the calling thread inside this namespace.
    pub fn inside<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Back(Namespace);
        impl Drop for Back {
            fn drop(&mut self) {
                self.0.enter();
            }
        }
        let _back = Back(Namespace::current());
        self.enter();
        work()
    }

    /// Gives the namespace a name below `/run/netns`, until the value is dropped.
    pub fn name(&self, name: &str) -> Name {
        let path = Path::new("/run/netns").join(name);
        File::create(&path).expect("a file for the name");
        let thread = std::fs::canonicalize("/proc/thread-self").expect("this thread in /proc");
        let source = self.inside(|| {
            let mut source = thread.join("ns/net").into_os_string();
            source.push("\0");
            source
        });
        let mut target = path.clone().into_os_string();
        target.push("\0");
        let done = self.inside(|| {
            // SAFETY: both strings end in NUL and outlive the call.
            unsafe {
                libc::mount(
                    source.as_encoded_bytes().as_ptr().cast(),
                    target.as_encoded_bytes().as_ptr().cast(),
                    std::ptr::null(),
                    libc::MS_BIND,
                    std::ptr::null(),
                )
            }
        });
        check(done).expect("bind the namespace to its name");
        Name { path }
    }
}

/// A name of a namespace in `/run/netns`.
pub struct Name {
    /// Where the name is; what `-n PATH` takes.
    pub path: PathBuf,
}

impl Drop for Name {
    fn drop(&mut self) {
        let mut path = self.path.clone().into_os_string();
        path.push("\0");
        // SAFETY: the string ends in NUL. Failing only leaves a name in a private mount.
        unsafe { libc::umount2(path.as_encoded_bytes().as_ptr().cast(), libc::MNT_DETACH) };
        let _ = std::fs::remove_file(&self.path);
    }
}

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const CREATE: u16 = 0x400;

fn route(kind: u16, flags: u16, payload: &[u8]) -> Result<(), Refusal> {
    Socket::open(libc::NETLINK_ROUTE)?.command(kind, flags, payload)
}

/// `struct ifinfomsg`.
fn link_header(index: u32, flags: u32, change: u32) -> Bytes {
    let mut header = vec![0; 4];
    header.extend(index.to_ne_bytes());
    header.extend(flags.to_ne_bytes());
    header.extend(change.to_ne_bytes());
    Bytes(header)
}

fn text(value: &str) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

const IFLA_IFNAME: u16 = 3;

/// Makes a pair of connected interfaces, `name` in the current namespace and
/// `peer_name` in `peer` (or here as well), both up.
pub fn veth(name: &str, peer_name: &str, peer: Option<&Namespace>) {
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_NET_NS_FD: u16 = 28;
    let mut other = link_header(0, 0, 0).put(IFLA_IFNAME, &text(peer_name));
    if let Some(peer) = peer {
        other = other.put(IFLA_NET_NS_FD, &peer.handle.as_raw_fd().to_ne_bytes());
    }
    let information = Bytes::default()
        .put(1, b"veth")
        .nest(2, Bytes::default().nest(1, other));
    let request = link_header(0, 0, 0)
        .put(IFLA_IFNAME, &text(name))
        .nest(IFLA_LINKINFO, information);
    route(RTM_NEWLINK, CREATE, &request.0).expect("a veth pair");
    link_up(name);
    match peer {
        Some(peer) => peer.inside(|| link_up(peer_name)),
        None => link_up(peer_name),
    }
}

/// The index of interface `name` in the current namespace.
pub fn link_index(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: the string ends in NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index),
    }
}

/// The name of interface `index` in the current namespace.
pub fn link_name(index: u32) -> Option<String> {
    let mut space = [0_u8; libc::IF_NAMESIZE];
    // SAFETY: the space has the size that the function asks for.
    let name = unsafe { libc::if_indextoname(index, space.as_mut_ptr().cast()) };
    if name.is_null() {
        return None;
    }
    let end = space.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&space[..end]).to_string())
}

fn existing(name: &str) -> u32 {
    link_index(name).unwrap_or_else(|| panic!("no interface {name}"))
}

/// Sets interface `name` up.
pub fn link_up(name: &str) {
    let up = libc::IFF_UP as u32;
    route(RTM_NEWLINK, 0, &link_header(existing(name), up, up).0).expect("interface up");
}

/// Sets interface `name` down.
pub fn link_down(name: &str) {
    let up = libc::IFF_UP as u32;
    route(RTM_NEWLINK, 0, &link_header(existing(name), 0, up).0).expect("interface down");
}

/// Gives interface `name` another name; it is set down and up for that.
pub fn link_rename(name: &str, new: &str) {
    let index = existing(name);
    link_down(name);
    let request = link_header(index, 0, 0).put(IFLA_IFNAME, &text(new));
    route(RTM_NEWLINK, 0, &request.0).expect("interface renamed");
    link_up(new);
}

/// Removes interface `name`.
pub fn link_delete(name: &str) {
    route(RTM_DELLINK, 0, &link_header(existing(name), 0, 0).0).expect("interface removed");
}

/// Adds `address` with a prefix length to interface `name`, usable immediately.
pub fn add_address(name: &str, address: IpAddr, prefix: u8) {
    try_add_address(name, address, prefix).expect("an address");
}

/// The same where the interface may have it already (`EEXIST`).
pub fn try_add_address(name: &str, address: IpAddr, prefix: u8) -> Result<(), Refusal> {
    const EXCLUSIVE: u16 = 0x200;
    change_address(RTM_NEWADDR, CREATE | EXCLUSIVE, name, address, prefix)
}

/// Takes `address` from interface `name`, which has it with this prefix length.
pub fn delete_address(name: &str, address: IpAddr, prefix: u8) {
    try_delete_address(name, address, prefix).expect("no address any more");
}

/// The same where the interface may not have it (`EADDRNOTAVAIL`).
pub fn try_delete_address(name: &str, address: IpAddr, prefix: u8) -> Result<(), Refusal> {
    change_address(RTM_DELADDR, 0, name, address, prefix)
}

fn change_address(
    kind: u16,
    flags: u16,
    name: &str,
    address: IpAddr,
    prefix: u8,
) -> Result<(), Refusal> {
    const IFA_F_NODAD: u8 = 2;
    let (family, bytes) = match address {
        IpAddr::V4(v4) => (libc::AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, v6.octets().to_vec()),
    };
    let mut header = vec![family as u8, prefix, IFA_F_NODAD, 0];
    header.extend(existing(name).to_ne_bytes());
    let request = Bytes(header).put(2, &bytes).put(1, &bytes);
    route(kind, flags, &request.0)
}

/// Flags of an address, as [`ipv6_address`] takes and [`ipv6_flags`] shows them.
pub mod address_flags {
    /// Made by the kernel for a while, beside one of [`MANAGE_TEMPORARY`].
    pub const TEMPORARY: u32 = 0x01;
    /// Usable immediately.
    pub const NODAD: u32 = 0x02;
    /// Another host has it.
    pub const DADFAILED: u32 = 0x08;
    /// Not for new connections.
    pub const DEPRECATED: u32 = 0x20;
    /// Whether another host has it is being asked.
    pub const TENTATIVE: u32 = 0x40;
    /// The kernel is to make temporary ones beside it.
    pub const MANAGE_TEMPORARY: u32 = 0x100;
}

/// Adds an IPv6 address of a /64 to interface `name` with these flags, or gives it them;
/// deprecated, unless it is `preferred`.
pub fn ipv6_address(name: &str, address: Ipv6Addr, flags: u32, preferred: bool) {
    const REPLACE: u16 = 0x100;
    const IFA_CACHEINFO: u16 = 6;
    const IFA_FLAGS: u16 = 8;
    let mut header = vec![libc::AF_INET6 as u8, 64, 0, 0];
    header.extend(existing(name).to_ne_bytes());
    // Preferred and valid lifetime, then two stamps of the kernel's.
    let times = [if preferred { u32::MAX } else { 0 }, u32::MAX, 0, 0];
    let request = Bytes(header)
        .put(2, &address.octets())
        .put(1, &address.octets())
        .put(IFA_CACHEINFO, &times.map(u32::to_ne_bytes).concat())
        .put(IFA_FLAGS, &flags.to_ne_bytes());
    route(RTM_NEWADDR, CREATE | REPLACE, &request.0).expect("an address");
}

/// The IPv6 addresses of interface `name` with their flags.
pub fn ipv6_flags(name: &str) -> Vec<(Ipv6Addr, u32)> {
    let table = std::fs::read_to_string("/proc/thread-self/net/if_inet6").expect("addresses");
    let line = |line: &str| {
        // Address, index, prefix length, scope, flags, name.
        let words: Vec<_> = line.split_whitespace().collect();
        let address = u128::from_str_radix(words.first()?, 16).ok()?;
        let flags = u32::from_str_radix(words.get(4)?, 16).ok()?;
        (words.get(5) == Some(&name)).then_some((address.into(), flags))
    };
    table.lines().filter_map(line).collect()
}

/// Writes `value` to `/proc/sys/net/NAME` of the current namespace.
pub fn sysctl(name: &str, value: &str) -> std::io::Result<()> {
    std::fs::write(Path::new("/proc/sys/net").join(name), value)
}

/// Adds a route by `gateway` and interface `name`; of two the one with the lower metric
/// counts.
pub fn add_route(destination: IpAddr, prefix: u8, gateway: IpAddr, name: &str, metric: u32) {
    const RTM_NEWROUTE: u16 = 24;
    const RT_TABLE_MAIN: u8 = 254;
    const RTPROT_STATIC: u8 = 4;
    const RTN_UNICAST: u8 = 1;
    let raw = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let family = match destination {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    // `struct rtmsg`: scope universe, no flags.
    let mut header = vec![family as u8, prefix, 0, 0];
    header.extend([RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNICAST]);
    header.extend([0; 4]);
    let request = Bytes(header)
        .put(1, &raw(destination))
        .put(4, &existing(name).to_ne_bytes())
        .put(5, &raw(gateway))
        .put(6, &metric.to_ne_bytes());
    route(RTM_NEWROUTE, CREATE, &request.0).expect("a route");
}

/// Lets interface `name` send no more than this many bytes a second (a token bucket
/// filter, as `tc qdisc add dev NAME root tbf`).
pub fn shape(name: &str, bytes_per_second: u32) {
    const RTM_NEWQDISC: u16 = 36;
    const TCA_KIND: u16 = 1;
    const TCA_OPTIONS: u16 = 2;
    const TCA_TBF_PARMS: u16 = 1;
    const TCA_TBF_BURST: u16 = 6;
    const ROOT: u32 = u32::MAX;
    const ETHERNET: u8 = 1;
    // What waits is sent within 60 ms.
    let (limit, burst) = (bytes_per_second * 3 / 50, 8192_u32);
    // struct tcmsg
    let mut message = vec![0; 4];
    message.extend(existing(name).to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(ROOT.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    // struct tc_tbf_qopt: the rate, no peak rate, limit, buffer in ticks of 64 ns, MTU.
    let mut options = vec![0, ETHERNET, 0, 0, 0, 0, 0, 0];
    options.extend(bytes_per_second.to_ne_bytes());
    options.extend([0; 12]);
    options.extend(limit.to_ne_bytes());
    let ticks = u64::from(burst) * 1_000_000_000 / 64 / u64::from(bytes_per_second);
    options.extend((ticks as u32).to_ne_bytes());
    options.extend(0_u32.to_ne_bytes());
    let options = Bytes::default()
        .put(TCA_TBF_PARMS, &options)
        .put(TCA_TBF_BURST, &burst.to_ne_bytes());
    let request = Bytes(message)
        .put(TCA_KIND, b"tbf\0")
        .nest(TCA_OPTIONS, options);
    route(RTM_NEWQDISC, CREATE, &request.0).expect("a token bucket filter");
}
