//! The examples of the codec, as a stranger would run them, against this kernel.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use ip_mptcp_tests::captures::{self, ByteOrder};
use ip_mptcp_tests::connection::listen;
use ip_mptcp_tests::documents::workspace;
use ip_mptcp_tests::namespace::Namespace;

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
