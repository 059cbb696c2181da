//! Numbers and names of the codec beside the kernel's own headers
//! (`linux-libc-dev`), which know nothing of it. A header that is older than
//! the codec lacks some; what it has must be the same. By each of these names
//! one finds the codec's own in its documentation.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use ip_mptcp_tests::documents::workspace;
use ip_mptcp_tests::wait::skip;
use mptcp_codec::diag::{
    MptcpInfo, SocketAttributes, State, States, SubflowFlags, SubflowInfo, TcpInfo, UpperAttributes,
};
use mptcp_codec::generic::controller::{FamilyAttributes, Group, Operation, OperationFlags};
use mptcp_codec::mptcp::request::Command;
use mptcp_codec::mptcp::{
    Endpoint, EndpointFlags, EventAttributes, EventFlags, EventKind, PathManagerAttributes,
};
use mptcp_codec::netlink::{flags, message_type, ExtendedAck, Rule};
use mptcp_codec::order::Native;
use mptcp_codec::route::{
    self, AddressAttributes, AddressFlags, LinkAttributes, LinkFlags, NextHopFlags, OperState,
    RouteAttributes, RouteKind,
};
use mptcp_codec::set::{Description, Set};

/// Names and values of the enums and macros in headers.
struct Headers(HashMap<String, i64>);

impl Headers {
    fn read(files: &[&str]) -> Option<Self> {
        let mut headers = Self(HashMap::new());
        for file in files {
            let path = format!("/usr/include/{file}");
            match std::fs::read_to_string(&path) {
                Ok(text) => headers.add(&text),
                Err(error) => {
                    skip(&format!("{path}, of linux-libc-dev: {error}"));
                    return None;
                }
            }
        }
        // From Linux 6.7 on a part of linux/mptcp.h is in it.
        if files.contains(&"linux/mptcp.h") {
            if let Ok(text) = std::fs::read_to_string("/usr/include/linux/mptcp_pm.h") {
                headers.add(&text);
            }
        }
        Some(headers)
    }

    fn add(&mut self, text: &str) {
        let mut bare = String::new();
        for (at, part) in text.split("/*").enumerate() {
            let code = if at == 0 {
                part
            } else {
                part.split_once("*/").map_or("", |(_, code)| code)
            };
            bare.push_str(code);
        }
        let lines = bare
            .lines()
            .map(|line| line.split("//").next().unwrap_or(line));
        let (defines, code): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with('#'));
        for block in code.join(" ").split("enum").skip(1) {
            let Some((_, inside)) = block.split_once('{') else {
                continue;
            };
            let mut next = 0;
            for row in inside.split('}').next().unwrap_or("").split(',') {
                let (name, value) = row
                    .split_once('=')
                    .map_or((row, None), |(n, v)| (n, Some(v)));
                let value = value.map_or(Some(next), |value| self.value(value));
                if let Some(value) = value {
                    self.0.insert(name.trim().to_owned(), value);
                    next = value + 1;
                }
            }
        }
        for line in defines {
            let mut words = line.splitn(3, char::is_whitespace);
            let (Some("#define"), Some(name), Some(value)) =
                (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if let Some(value) = self.value(value) {
                self.0.entry(name.to_owned()).or_insert(value);
            }
        }
    }

    fn value(&self, text: &str) -> Option<i64> {
        let text = text
            .trim()
            .trim_start_matches('(')
            .trim_end_matches(')')
            .trim();
        if let Some(bit) = text.strip_prefix("_BITUL(") {
            return Some(1 << self.value(bit)?);
        }
        if let Some((left, right)) = text.split_once("<<") {
            return Some(self.value(left)? << self.value(right)?);
        }
        let digits = text.trim_end_matches(['U', 'L']);
        match digits.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16).ok(),
            None => digits.parse().ok().or_else(|| self.0.get(text).copied()),
        }
    }

    /// These are what the header says, as far as it knows them, and the codec's
    /// documentation has them.
    fn compare(&self, prefix: &str, rows: impl IntoIterator<Item = (String, u64)>) {
        let rows: Vec<_> = rows.into_iter().collect();
        // What fills space has no name that one would look for.
        for (name, _) in rows.iter().filter(|(name, _)| name != "PAD") {
            let name = format!("{prefix}{name}");
            assert!(aliases().contains(&name), "no doc(alias) is {name}");
        }
        self.values(prefix, rows);
    }

    /// These are what the header says, as far as it knows them.
    fn values(&self, prefix: &str, rows: impl IntoIterator<Item = (String, u64)>) {
        let mut met = 0;
        for (name, number) in rows {
            let name = format!("{prefix}{name}");
            if let Some(value) = self.0.get(&name) {
                assert_eq!(*value as u64, number, "{name}");
                met += 1;
            }
        }
        assert!(met > 0, "the headers have nothing of {prefix}");
    }

    fn set(&self, prefix: &str, set: &Description) {
        let rows = set.rows.iter();
        let rows = rows.map(|row| (row.name.to_owned(), row.number.into()));
        self.compare(prefix, rows);
    }
}

/// What stands in the `doc(alias)` of the codec.
fn aliases() -> &'static HashSet<String> {
    static ALIASES: OnceLock<HashSet<String>> = OnceLock::new();
    ALIASES.get_or_init(|| {
        let mut aliases = HashSet::new();
        let mut folders = vec![workspace().join("codec/src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(path).expect("a source");
                for part in text.split("#[doc(alias").skip(1) {
                    let inside = part.split(")]").next().unwrap_or("");
                    aliases.extend(inside.split('"').skip(1).step_by(2).map(str::to_owned));
                }
            }
        }
        aliases
    })
}

macro_rules! description {
    ($set:ty) => {
        <$set as Set<'static, Native>>::DESCRIPTION
    };
}

/// Names of flags or numbers as the headers write them.
fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

#[test]
fn attributes_have_the_numbers_of_the_kernel() {
    let files = [
        "linux/netlink.h",
        "linux/genetlink.h",
        "linux/mptcp.h",
        "linux/inet_diag.h",
        "linux/if_link.h",
        "linux/if_addr.h",
        "linux/rtnetlink.h",
    ];
    let Some(headers) = Headers::read(&files) else {
        return;
    };
    headers.set("NLMSGERR_ATTR_", description!(ExtendedAck<'static>));
    headers.set("NL_POLICY_TYPE_ATTR_", description!(Rule));
    headers.set("CTRL_ATTR_", description!(FamilyAttributes<'static>));
    headers.set("CTRL_ATTR_OP_", description!(Operation));
    headers.set("CTRL_ATTR_MCAST_GRP_", description!(Group<'static>));
    headers.set(
        "MPTCP_PM_ATTR_",
        description!(PathManagerAttributes<'static>),
    );
    headers.set("MPTCP_PM_ADDR_ATTR_", description!(Endpoint));
    headers.set("MPTCP_ATTR_", description!(EventAttributes));
    headers.set("MPTCP_SUBFLOW_ATTR_", description!(SubflowInfo));
    headers.set("INET_DIAG_", description!(SocketAttributes<'static>));
    headers.set("INET_ULP_INFO_", description!(UpperAttributes<'static>));
    headers.set("IFLA_", description!(LinkAttributes<'static>));
    headers.set("IFA_", description!(AddressAttributes<'static>));
    headers.set("RTA_", description!(RouteAttributes<'static>));
}

#[test]
fn flags_have_the_bits_of_the_kernel() {
    let files = [
        "linux/netlink.h",
        "linux/genetlink.h",
        "linux/mptcp.h",
        "linux/if.h",
        "linux/if_addr.h",
        "linux/rtnetlink.h",
    ];
    let Some(headers) = Headers::read(&files) else {
        return;
    };
    macro_rules! flags {
        ($prefix:literal $set:ident) => {
            let rows = $set::NAMES.iter();
            headers.compare(
                $prefix,
                rows.map(|(flag, name)| (upper(name), flag.0.into())),
            );
        };
    }
    flags!("MPTCP_PM_ADDR_FLAG_" EndpointFlags);
    // Some are not in the headers of older kernels.
    for (flag, name) in EventFlags::NAMES {
        let name = format!("MPTCP_PM_EV_FLAG_{}", upper(name));
        assert!(aliases().contains(&name), "no doc(alias) is {name}");
        if let Some(value) = headers.0.get(&name) {
            assert_eq!(*value, i64::from(flag.0), "{name}");
        }
    }
    flags!("MPTCP_SUBFLOW_FLAG_" SubflowFlags);
    flags!("IFF_" LinkFlags);
    flags!("IFA_F_" AddressFlags);
    flags!("RTNH_F_" NextHopFlags);
    flags!("GENL_" OperationFlags);
    let request = [
        ("REQUEST", flags::REQUEST),
        ("MULTI", flags::MULTI),
        ("ACK", flags::ACK),
        ("ECHO", flags::ECHO),
        ("DUMP_INTR", flags::DUMP_INTR),
        ("DUMP_FILTERED", flags::DUMP_FILTERED),
        ("ROOT", flags::ROOT),
        ("MATCH", flags::MATCH),
        ("ATOMIC", flags::ATOMIC),
        ("REPLACE", flags::REPLACE),
        ("EXCL", flags::EXCL),
        ("CREATE", flags::CREATE),
        ("APPEND", flags::APPEND),
        ("NONREC", flags::NONREC),
        ("CAPPED", flags::CAPPED),
        ("ACK_TLVS", flags::ACK_TLVS),
    ];
    headers.compare(
        "NLM_F_",
        request.map(|(name, flag)| (name.to_owned(), flag.into())),
    );
    // The letters of ss, from its own source by hand.
    let letters = SubflowFlags::LETTERS.map(|(flag, letter)| (flag.0, letter));
    let wanted = [
        (1, 'M'),
        (2, 'm'),
        (4, 'J'),
        (8, 'j'),
        (16, 'B'),
        (32, 'b'),
        (64, 'e'),
        (128, 'c'),
        (256, 'v'),
    ];
    assert_eq!(letters, wanted);
}

/// Name, place and length of the members of a structure, as a C compiler for a
/// 64-bit machine lays it out; those that share a byte have no place here.
fn members(text: &str, structure: &str, prefix: &str) -> Vec<(String, usize, usize)> {
    let start = text.find(&format!("struct {structure} {{"));
    let body = &text[start.expect("it is in the header")..];
    let body = &body[body.find('{').expect("its start") + 1..body.find("};").expect("its end")];
    let mut bare = String::new();
    for (at, part) in body.split("/*").enumerate() {
        bare.push_str(match at {
            0 => part,
            _ => part.split_once("*/").map_or("", |(_, code)| code),
        });
    }
    let bare: Vec<&str> = bare.lines().filter(|line| !line.starts_with('#')).collect();
    let (mut members, mut end, mut bits) = (Vec::new(), 0usize, 0);
    for member in bare.join(" ").split(';') {
        let Some((kind, names)) = member.trim().split_once(char::is_whitespace) else {
            continue;
        };
        let len = match kind {
            "__u8" => 1,
            "__u16" => 2,
            "__u32" => 4,
            "__u64" | "__aligned_u64" => 8,
            other => panic!("{structure}: {other}"),
        };
        for name in names.split(',') {
            if let Some((_, width)) = name.split_once(':') {
                bits += width.trim().parse::<usize>().expect("a number of bits");
                continue;
            }
            end += std::mem::take(&mut bits).div_ceil(8);
            end = end.next_multiple_of(len);
            let name = name.trim().strip_prefix(prefix).unwrap_or(name.trim());
            members.push((name.to_owned(), end, len));
            end += len;
        }
        if bits >= 8 {
            end += bits / 8;
            bits %= 8;
        }
    }
    members
}

#[test]
fn structures_that_grow_have_their_members_where_the_kernel_has_them() {
    for (file, structure, prefix, layout, least) in [
        ("linux/tcp.h", "tcp_info", "tcpi_", TcpInfo::LAYOUT, 40),
        (
            "linux/mptcp.h",
            "mptcp_info",
            "mptcpi_",
            MptcpInfo::LAYOUT,
            12,
        ),
    ] {
        let path = format!("/usr/include/{file}");
        let Ok(text) = std::fs::read_to_string(&path) else {
            skip(&format!("{path}, of linux-libc-dev"));
            return;
        };
        // Each member has a number of its own.
        let members = members(&text, structure, prefix);
        let mut bytes = [0; 512];
        for (number, (_, at, len)) in (1u64..).zip(&members) {
            let number = match cfg!(target_endian = "big") {
                true => (number << (64 - 8 * len)).to_be_bytes(),
                false => number.to_le_bytes(),
            };
            bytes[*at..at + len].copy_from_slice(&number[..*len]);
        }
        let fields: HashMap<_, _> = layout.fields::<Native>(&bytes).collect();
        let mut met = 0;
        for (number, (name, at, _)) in (1u64..).zip(&members) {
            if let Some(value) = fields.get(name.as_str()) {
                assert_eq!(*value, number, "{structure}: {name} is at {at}");
                met += 1;
            }
        }
        assert!(met >= least, "{structure}: only {met} of {}", members.len());
    }
}

#[test]
fn commands_events_and_states_have_the_numbers_of_the_kernel() {
    let files = [
        "linux/netlink.h",
        "linux/mptcp.h",
        "linux/if.h",
        "linux/rtnetlink.h",
        "netinet/tcp.h",
    ];
    let Some(headers) = Headers::read(&files) else {
        return;
    };
    macro_rules! numbers {
        ($prefix:literal $set:ident $name:expr) => {
            let name: fn($set) -> String = $name;
            let rows = $set::ALL.iter();
            headers.compare(
                $prefix,
                rows.map(|value| (name(*value), value.number().into())),
            );
        };
    }
    numbers!("MPTCP_PM_CMD_" Command |command| command.to_string());
    // The kernel writes out what `ip mptcp monitor` shortens.
    numbers!("MPTCP_EVENT_" EventKind |event| {
        event.to_string().replace("SF_", "SUB_").replace("PRIO", "PRIORITY")
    });
    numbers!("RTN_" RouteKind |kind| upper(&kind.to_string()));
    numbers!("IF_OPER_" OperState |state| state.to_string());
    numbers!("TCP_" State |state| state.to_string());
    for state in State::ALL {
        assert_eq!(States::from(state).0, 1 << state.number());
    }
    let types = [
        ("NOOP", message_type::NOOP),
        ("ERROR", message_type::ERROR),
        ("DONE", message_type::DONE),
        ("OVERRUN", message_type::OVERRUN),
        ("MIN_TYPE", message_type::MIN),
    ];
    headers.compare(
        "NLMSG_",
        types.map(|(name, number)| (name.to_owned(), number.into())),
    );
    let types = [
        ("NEWLINK", route::message_type::NEWLINK),
        ("DELLINK", route::message_type::DELLINK),
        ("GETLINK", route::message_type::GETLINK),
        ("NEWADDR", route::message_type::NEWADDR),
        ("DELADDR", route::message_type::DELADDR),
        ("GETADDR", route::message_type::GETADDR),
        ("NEWROUTE", route::message_type::NEWROUTE),
        ("DELROUTE", route::message_type::DELROUTE),
        ("GETROUTE", route::message_type::GETROUTE),
        ("NEWRULE", route::message_type::NEWRULE),
        ("DELRULE", route::message_type::DELRULE),
        ("GETRULE", route::message_type::GETRULE),
    ];
    headers.compare(
        "RTM_",
        types.map(|(name, number)| (name.to_owned(), number.into())),
    );
    let groups = [
        ("LINK", route::group::LINK),
        ("IPV4_IFADDR", route::group::IPV4_IFADDR),
        ("IPV4_ROUTE", route::group::IPV4_ROUTE),
        ("IPV6_IFADDR", route::group::IPV6_IFADDR),
        ("IPV6_ROUTE", route::group::IPV6_ROUTE),
    ];
    headers.compare(
        "RTNLGRP_",
        groups.map(|(name, number)| (name.to_owned(), number.into())),
    );
    // Names of policy types: NL_ATTR_TYPE_NUL_STRING is "nul-string", and so on.
    let types = (0..18).filter_map(|number| {
        let name = Rule::EMPTY.with_type_number(number).type_name()?;
        Some((upper(name), number.into()))
    });
    headers.values("NL_ATTR_TYPE_", types);
}
