//! The examples of the codec, as a stranger would run them, against this kernel.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use ip_mptcp_tests::captures::{self, ByteOrder};
use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::documents::workspace;
use ip_mptcp_tests::namespace::{sysctl, Namespace};
use ip_mptcp_tests::wait::{skip, until};
use mptcp_codec::diag::sockopt::{self, FullInfo, FullSubflow};
use mptcp_codec::diag::TcpInfo;
use mptcp_codec::mptcp::{Endpoint, EndpointFlags};
use mptcp_codec::order::Native;

#[path = "../../codec/examples/bare_metal.rs"]
mod bare_metal;

/// Builds all of them, once; the program of one.
fn example(name: &str) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("examples");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--examples", "-p", "mptcp-codec"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(workspace())
            .status()
            .expect("cargo runs");
        assert!(built.success());
        target.join("debug/examples")
    });
    Command::new(folder.join(name))
}

/// What it prints; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().expect("the example runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn everything_that_the_kernel_says_is_printed_by_name() {
    if Namespace::fresh().is_none() {
        return;
    }
    let printed = output(&mut example("families"));
    for part in [
        "nlctrl NEWFAMILY v2",
        "FAMILY_NAME: \"mptcp_pm\"",
        "NAME: \"mptcp_pm_events\"",
        "FLAGS: admin-perm|cmd-cap-do|cmd-cap-haspol",
        "IFNAME: \"lo\"",
        "OPERSTATE: UNKNOWN",
        "LOCAL: 127.0.0.1",
        "FLAGS: permanent",
        "RTM_NEWROUTE family 2 prefix 8 table 255 local",
        "DST: 127.0.0.0",
    ] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

#[test]
fn another_family_is_read_by_its_two_tables() {
    if Namespace::fresh().is_none() {
        return;
    }
    // A connection that is over leaves something to remember.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let client = std::net::TcpStream::connect(address).expect("a connection");
    let (mut server, _) = listener.accept().expect("its other end");
    server.write_all(&[0; 1 << 16]).expect("room");
    drop((client, server));
    let printed = output(&mut example("tcp_metrics"));
    assert!(printed.trim_end().ends_with("hosts"), "{printed}");
    for line in printed.lines().filter(|line| line.starts_with("  ")) {
        assert!(line.contains("tcp_metrics GET v1"), "{line}");
        assert!(line.contains("ADDR_IPV"), "{line}");
    }
}

#[test]
fn strings_in_nests_and_arrays_of_ethtool_are_read() {
    if Namespace::fresh().is_none() {
        return;
    }
    let printed = output(&mut example("ethtool"));
    for part in [
        "features: ",
        " tx-checksum-ipv4\n",
        "ethtool STRSET_GET v1",
        "STRINGSETS [ 1 { ID: features, COUNT: ",
        "VALUE: \"rx-gro\"",
    ] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
}

#[test]
fn a_path_manager_on_tokio_opens_a_subflow_for_each_connection() {
    if Namespace::fresh().is_none() {
        return;
    }
    let chosen = sysctl("mptcp/path_manager", "userspace");
    if chosen.or_else(|_| sysctl("mptcp/pm_type", "1")).is_err() {
        skip("this kernel has no user-space path manager");
        return;
    }
    let mut child = example("path_manager")
        .args(["127.0.0.2", "::1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut line = || lines.next().expect("a line").expect("read");
    assert_eq!(line(), "listening");
    let listener = listen("127.0.0.1:0");
    let connection = Connection::open(&listener);
    let (token, _) = connection.tokens();
    assert_eq!(line(), format!("{token:08x}: a subflow from 127.0.0.2"));
    until("the subflow is established", || {
        (connection.subflows() == Some(1)).then_some(())
    });
    child.kill().expect("it runs");
    child.wait().expect("its end");
}

#[test]
fn all_of_a_connection_is_read_at_once() {
    if Namespace::fresh().is_none() {
        return;
    }
    let listener = listen("127.0.0.1:0");
    let connection = Connection::open(&listener);
    let mut subflows = [0u8; 2 * 264];
    let mut tcp_infos = [0u8; 2 * 232];
    let mut space = [0u8; sockopt::FULL_FIXED + 256];
    let header = sockopt::full_header(
        2,
        (264, subflows.as_mut_ptr() as u64),
        (232, tcp_infos.as_mut_ptr() as u64),
    );
    space[..header.len()].copy_from_slice(&header);
    let mut len = space.len() as u32;
    // SAFETY: all three have the lengths that are given.
    let got = unsafe {
        libc::getsockopt(
            connection.client.as_raw_fd(),
            sockopt::LEVEL,
            sockopt::FULL_INFO,
            space.as_mut_ptr().cast(),
            &mut len,
        )
    };
    if got != 0 {
        let error = std::io::Error::last_os_error();
        skip(&format!("this kernel has no MPTCP_FULL_INFO: {error}"));
        return;
    }
    let full = FullInfo::<Native>::decode(&space[..len as usize]).expect("what it wrote");
    assert_eq!((full.num_subflows, full.size_arrays_user), (1, 2));
    assert_eq!(full.info.token(), Some(connection.tokens().0));
    let subflow = FullSubflow::decode::<Native>(&subflows[..264]).expect("one");
    let end = |address: std::net::SocketAddr| Some((address.ip(), address.port()));
    let local = connection.client.local_addr().expect("its address");
    assert_eq!(subflow.addresses.local, end(local));
    let peer = listener.local_addr().expect("its address");
    assert_eq!(subflow.addresses.remote, end(peer));
    let info = TcpInfo::<Native>::with_order(&tcp_infos[..232]);
    assert_eq!(info.state(), Some(1), "established");
    assert!(info.rtt() > Some(0));
}

#[test]
fn what_runs_without_an_operating_system_says_the_same() {
    let (mut request, address) = ([0; 64], [192, 0, 2, 7]);
    let flags = EndpointFlags::SIGNAL;
    // SAFETY: they have the lengths that are given.
    let (len, answers) = unsafe {
        let len = bare_metal::mptcp_add_endpoint(
            request.as_mut_ptr(),
            request.len(),
            30,
            7,
            address.as_ptr(),
            flags.0,
        );
        let refused = bare_metal::mptcp_add_endpoint(
            request.as_mut_ptr(),
            16,
            30,
            7,
            address.as_ptr(),
            flags.0,
        );
        assert_eq!(refused, 0);
        let answer = |errno: i32, cut: usize| {
            let mut answer = Vec::new();
            answer.extend(36u32.to_ne_bytes());
            answer.extend([2u16.to_ne_bytes(), 0x100u16.to_ne_bytes()].concat());
            answer.extend([7u32.to_ne_bytes(), 1u32.to_ne_bytes()].concat());
            answer.extend((-errno).to_ne_bytes());
            answer.extend(&request[..16]);
            bare_metal::mptcp_answer(request.as_ptr(), len, answer.as_ptr(), 36 - cut)
        };
        (
            len,
            [answer(0, 0), answer(17, 0), answer(0, 1), answer(0, 36)],
        )
    };
    let endpoint = Endpoint::new(std::net::Ipv4Addr::from(address)).with_flags(flags);
    let mut wanted = [0; 64];
    let wanted = mptcp_codec::mptcp::request::add_address(&mut wanted, 30, 7, &endpoint);
    let wanted = wanted.expect("room");
    // The header of the second request, which did not fit, is over the first.
    assert_eq!((len, &request[16..len]), (wanted.len(), &wanted[16..]));
    assert_eq!(answers, [0, 17, -2, -1]);
}

#[test]
fn events_are_followed() {
    if Namespace::fresh().is_none() {
        return;
    }
    let mut command = example("events");
    let mut child = command
        .arg("1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut line = || lines.next().expect("a line").expect("read");
    assert_eq!(line(), "listening");
    let _listener = listen("127.0.0.1:0");
    let event = line();
    assert!(event.starts_with("LISTENER_CREATED: "), "{event}");
    assert!(child.wait().expect("its end").success());
}

/// A pcap file of these datagrams, in the order of their machine.
fn pcap(datagrams: &[(u16, &[u8])], order: ByteOrder) -> Vec<u8> {
    let word = |n: u32| match order {
        ByteOrder::Big => n.to_be_bytes(),
        ByteOrder::Little => n.to_le_bytes(),
    };
    let mut file = Vec::new();
    let (version, network) = (
        match order {
            ByteOrder::Big => [0, 2, 0, 4],
            ByteOrder::Little => [2, 0, 4, 0],
        },
        253,
    );
    file.extend(word(0xa1b2_c3d4));
    file.extend(version);
    for number in [0, 0, 65535, network] {
        file.extend(word(number));
    }
    for (protocol, datagram) in datagrams {
        let len = datagram.len() as u32 + 16;
        for number in [0, 0, len, len] {
            file.extend(word(number));
        }
        file.extend([0, 4, 3, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(protocol.to_be_bytes());
        file.extend(*datagram);
    }
    file
}

/// The same as pcapng: a section, an interface, a block for each packet.
fn pcapng(datagrams: &[(u16, &[u8])], order: ByteOrder) -> Vec<u8> {
    let word = |n: u32| match order {
        ByteOrder::Big => n.to_be_bytes(),
        ByteOrder::Little => n.to_le_bytes(),
    };
    let mut file = Vec::new();
    let mut block = |kind: u32, mut inside: Vec<u8>| {
        inside.resize(inside.len().next_multiple_of(4), 0);
        let len = word(inside.len() as u32 + 12);
        file.extend([&word(kind)[..], &len, &inside, &len].concat());
    };
    let version = match order {
        ByteOrder::Big => [0, 1, 0, 0],
        ByteOrder::Little => [1, 0, 0, 0],
    };
    block(
        0x0a0d_0d0a,
        [&word(0x1a2b_3c4d)[..], &version, &[0xff; 8]].concat(),
    );
    let kind = match order {
        ByteOrder::Big => [0, 253, 0, 0],
        ByteOrder::Little => [253, 0, 0, 0],
    };
    block(1, [&kind[..], &word(65535)].concat());
    for (protocol, datagram) in datagrams {
        let len = word(datagram.len() as u32 + 16);
        let mut packet = [&[0; 12][..], &len, &len].concat();
        packet.extend([0, 4, 3, 0x38, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend(protocol.to_be_bytes());
        packet.extend(*datagram);
        block(6, packet);
        // Statistics, which are none of its business.
        block(5, vec![0; 12]);
    }
    file
}

#[test]
fn a_capture_of_either_byte_order_is_printed_by_name() {
    for name in ["amd64-6.18", "s390x-6.1"] {
        let capture = captures::of(name);
        let family = &capture.exchange("02-family").replies[0];
        let add = capture.exchange("41-add-dup-noextack");
        let sockets = &capture.exchange("diag-plain4").replies[0];
        let event = &capture.events[0].values[0];
        let datagrams = [
            (16, &family[..]),
            (16, &add.request),
            (16, &add.replies[0]),
            (4, sockets),
            (16, event),
        ];
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pcap"));
        std::fs::write(&path, pcap(&datagrams, capture.order)).expect("the file");
        let id = match capture.order {
            ByteOrder::Big => u16::from_be_bytes([add.request[4], add.request[5]]),
            ByteOrder::Little => u16::from_le_bytes([add.request[4], add.request[5]]),
        };
        let printed = output(example("pcap").arg(&path).arg(id.to_string()));
        std::fs::write(&path, pcapng(&datagrams, capture.order)).expect("the file");
        let same = output(example("pcap").arg(&path).arg(id.to_string()));
        assert_eq!(same, printed, "as pcapng");
        for part in [
            "nlctrl NEWFAMILY v2",
            "HDRSIZE: 0",
            "mptcp_pm ADD_ADDR v1",
            "ADDR { FAMILY: 2",
            "NLMSG_ERROR seq",
            "SOCK_DIAG_BY_FAMILY",
            "ULP_INFO { NAME: \"mptcp\", MPTCP { ",
            "seq 0 port 0: TOKEN: ",
        ] {
            assert!(
                printed.contains(part),
                "{name}: {part} is not in\n{printed}"
            );
        }
    }
}
