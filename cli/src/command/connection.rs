//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{Filter, Socket, State, SubflowFlags};
use mptcp_codec::inet::bits_of;

use super::endpoint::device;
use super::places::Places;
use crate::connections::{self, Connection, Hidden, Role, Selection, Subflow};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::connection::{parse, ConnectionWords};
use crate::grammar::endpoint::Family;
use crate::grammar::Words;
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{complain, ipv4, ipv6, number, padded, Colour, Output};
use crate::session::Session;

/// `connection show`.
pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut said = parse(Words::new(words), &mut |name| {
        device(session.path_manager()?, name, true)
    })?;
    if said.family.is_none() {
        said.family = match (session.options.ipv4, session.options.ipv6) {
            (true, false) => Some(Family::V4),
            (false, true) => Some(Family::V6),
            _ => None,
        };
    }
    list(session, &said)
}

pub(super) fn list(session: &mut Session, said: &ConnectionWords) -> Result<u8> {
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    let mut places = Places::read(session)?;
    let stats = session.options.stats;
    let (path_manager, out) = session.path_manager_and_output()?;
    if out.style.json {
        out.begin_array("");
    }
    let mut printer = Printer {
        out,
        path_manager,
        places: &mut places,
        stats,
        text: Vec::new(),
    };
    let mut found = false;
    let hidden = if said.listen {
        connections::listeners(&mut diagnostics, &mut |socket| {
            if !matches_socket(said, socket) {
                return Ok(());
            }
            printer.listener(socket)
        })?;
        Hidden::default()
    } else {
        let selection = Selection {
            token: said.token,
            filter: filter(said),
        };
        connections::each(&mut diagnostics, &selection, &mut |connection| {
            if !matches(said, connection, printer.places) {
                return Ok(());
            }
            found = true;
            printer.connection(connection)
        })?
    };
    if let (Some(token), false) = (said.token, found) {
        let token = padded(token.into(), 8);
        let message = ["Error: no such connection: token ", token.as_str(), "."];
        return Err(Error::new(Kind::Kernel, status::REFUSED, &message)
            .with_errno(crate::kernel::sys::Errno(libc::ENOENT as u32))
            .about(token.as_str()));
    }
    if session.out.style.json {
        session.out.end_array()?;
    }
    session.out.flush()?;
    if hidden.subflows {
        complain(
            b"Subflows are not shown: this kernel shows them to root \
              (CAP_NET_ADMIN in this network namespace) only.\n",
        );
    } else if hidden.sequences {
        complain(
            b"Sequence numbers of subflows are not shown: the kernel shows them to root \
              (CAP_NET_ADMIN in this network namespace) only.\n",
        );
    }
    Ok(0)
}

/// What the kernel can pick by itself.
fn filter(said: &ConnectionWords) -> Option<Filter> {
    let mut filter = Filter::ANY;
    if let Some(address) = said.local {
        filter = filter.with_source(address, bits_of(address));
    }
    if let Some(address) = said.remote {
        filter = filter.with_destination(address, bits_of(address));
    }
    if let Some(port) = said.sport {
        filter = filter.with_source_port(port);
    }
    if let Some(port) = said.dport {
        filter = filter.with_destination_port(port);
    }
    (filter != Filter::ANY).then_some(filter)
}

/// Whether a connection is what was said: itself in every word, or one of its
/// subflows in every word.
fn matches(said: &ConnectionWords, connection: &Connection, places: &Places) -> bool {
    if said.fallback && !connection.is_fallback() {
        return false;
    }
    let whole = connection.socket.as_ref();
    said.dev.is_none() && whole.is_some_and(|socket| matches_socket(said, socket))
        || connection.subflows().any(|subflow| {
            matches_socket(said, &subflow.socket)
                && said
                    .dev
                    .is_none_or(|index| places.interface(&subflow) == index)
        })
}

fn matches_socket(said: &ConnectionWords, socket: &Socket) -> bool {
    let source = socket.source.map(|address| address.to_canonical());
    let destination = socket.destination.map(|address| address.to_canonical());
    let is = |wanted: Option<IpAddr>, found: Option<IpAddr>| {
        wanted.is_none_or(|wanted| found == Some(wanted.to_canonical()))
    };
    is(said.local, source)
        && is(said.remote, destination)
        && (is(said.address, source) || is(said.address, destination))
        && said.sport.is_none_or(|port| port == socket.source_port)
        && said
            .dport
            .is_none_or(|port| port == socket.destination_port)
        && match said.family {
            None => true,
            Some(Family::V4) => matches!(source, Some(IpAddr::V4(_))),
            Some(Family::V6) => matches!(source, Some(IpAddr::V6(_))),
        }
}

/// Prints connections.
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    places: &'p mut Places,
    stats: bool,
    // Addresses of the subflows of one connection, to align them.
    text: Vec<u8>,
}

/// Counters of a connection: the name in JSON, the word in text.
const COUNTERS: [(&str, &str); 4] = [
    ("bytes_sent", "sent"),
    ("bytes_received", "received"),
    ("bytes_acked", "acked"),
    ("bytes_retrans", "retransmitted"),
];

impl Printer<'_> {
    fn connection(&mut self, connection: &Connection) -> Result<()> {
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
            let digits = crate::output::hexadecimal(connection.token.into());
            let token = ["0x", digits.as_str()];
            self.out.json_string("token", token.concat().as_bytes());
        } else {
            self.out.text("token ");
            self.out.text(padded(connection.token.into(), 8).as_str());
        }
        match connection.role() {
            None => {}
            Some(Role::Client) => self.word("role", "client"),
            Some(Role::Server) => self.word("role", "server"),
        }
        if let Some(socket) = &connection.socket {
            self.state(socket.state, true);
            self.ends(socket, 0, 0);
        }
        if json {
            self.out.json_bool("fallback", connection.is_fallback());
            self.out.json_bool("incomplete", connection.incomplete);
        } else {
            let marks = [
                (connection.is_fallback(), " FALLBACK"),
                (connection.incomplete, " INCOMPLETE"),
            ];
            for (_, mark) in marks.iter().filter(|(is, _)| *is) {
                self.out.coloured(Colour::Wrong, mark.as_bytes());
            }
        }
        if let Some(socket) = &connection.socket {
            self.counters(socket);
            if let (true, Some(info)) = (self.stats, socket.mptcp_info()) {
                // The token was told already.
                let fields = info.fields().filter(|(name, _)| *name != "token");
                self.fields("mptcp_info", "\n    mptcp_info", fields);
            }
        }
        if json {
            self.out.begin_array("subflows");
        } else {
            self.line()?;
        }
        let (mut total, mut count) = (0_u64, 0);
        for subflow in connection.subflows() {
            total = total.saturating_add(subflow.bytes());
            count += 1;
        }
        let shared = total > 0 && !connection.incomplete && (json || count > 1);
        let mut widths = (0, 0);
        if !json {
            for subflow in connection.subflows() {
                let local = self.end_of(subflow.socket.source, subflow.socket.source_port);
                let remote =
                    self.end_of(subflow.socket.destination, subflow.socket.destination_port);
                widths = (local.max(widths.0), remote.max(widths.1));
            }
        }
        for subflow in connection.subflows() {
            let share =
                shared.then(|| (u128::from(subflow.bytes()) * 100 / u128::from(total)) as u64);
            self.subflow(&subflow, share, widths)?;
        }
        if json {
            self.out.end_array()?;
            self.out.end_object()
        } else if self.out.style.oneline {
            self.out.bytes(b"\n");
            Ok(())
        } else {
            Ok(())
        }
    }

    /// What is known of the connection as a whole.
    fn counters(&mut self, socket: &Socket) {
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        let total = info.subflows_total().or(info.subflows());
        if let (false, Some(total)) = (self.out.style.json, total) {
            self.number("subflows", total.into());
        }
        for (name, value) in info.fields() {
            let counter = COUNTERS.iter().find(|(counter, _)| *counter == name);
            match counter {
                Some(_) if self.out.style.json => self.out.json_number(name, value),
                // Nothing retransmitted is nothing to tell.
                Some(("bytes_retrans", _)) if value == 0 => {}
                Some((_, word)) => self.number(word, value),
                None => {}
            }
        }
        if self.out.style.json {
            let times = [
                ("last_data_sent_ms", info.last_data_sent()),
                ("last_data_recv_ms", info.last_data_recv()),
                ("last_ack_recv_ms", info.last_ack_recv()),
            ];
            for (name, value) in times {
                if let Some(value) = value {
                    self.out.json_number(name, value.into());
                }
            }
            self.out.json_number("uid", socket.uid.into());
            self.out.json_number("inode", socket.inode.into());
        }
    }

    /// Every counter by the name that the kernel gives it.
    fn fields(
        &mut self,
        name: &str,
        line: &str,
        fields: impl Iterator<Item = (&'static str, u64)>,
    ) {
        let json = self.out.style.json;
        self.begin(name, line);
        for (name, value) in fields {
            // All ones: no rate is set.
            if value == u64::MAX {
                continue;
            }
            self.number(name, value);
        }
        if json {
            // Not the outermost: nothing is written yet.
            let _ = self.out.end_object();
        }
    }

    fn subflow(
        &mut self,
        subflow: &Subflow,
        share: Option<u64>,
        widths: (usize, usize),
    ) -> Result<()> {
        let json = self.out.style.json;
        let kind = if subflow.is_joined() {
            "joined"
        } else {
            "first"
        };
        if json {
            self.out.begin_object("");
            self.out.json_string("kind", kind.as_bytes());
        } else {
            self.out.text("    ");
            self.out.text(kind);
            self.out.text(if kind.len() < 6 { " " } else { "" });
        }
        self.ends(&subflow.socket, widths.0, widths.1);
        self.state(subflow.socket.state, json);
        let info = &subflow.info;
        let ids = [("local_id", info.id_loc()), ("remote_id", info.id_rem())];
        if json {
            for (name, id) in ids {
                if let Some(id) = id {
                    self.out.json_number(name, id.into());
                }
            }
        } else if let [(_, Some(local)), (_, Some(remote))] = ids {
            self.number("id", local.into());
            self.out.text("/");
            self.out.number(remote.into());
        }
        if let Some(id) = self.places.endpoint(subflow).and_then(|found| found.id()) {
            self.number("endpoint", id.into());
        }
        let index = self.places.interface(subflow);
        if index != 0 {
            let name = self.places.name(self.path_manager, index);
            if json {
                self.out.json_string("dev", name);
            } else {
                self.out.text(" dev ");
                self.out.coloured(Colour::Interface, name);
            }
        }
        self.flags(subflow);
        if let Some(share) = share {
            self.number(if json { "share_percent" } else { "share" }, share);
            self.out.text(if json { "" } else { "%" });
        }
        self.figures(&subflow.socket);
        if self.stats {
            self.begin("mptcp", "\n        mptcp");
            let numbers = [
                ("token_rem", info.token_rem().map(u64::from)),
                ("relwrite_seq", info.relwrite_seq().map(u64::from)),
                ("map_seq", info.map_seq()),
                ("map_sfseq", info.map_sfseq().map(u64::from)),
                ("ssn_offset", info.ssn_offset().map(u64::from)),
                ("map_datalen", info.map_datalen().map(u64::from)),
            ];
            for (name, value) in numbers {
                if let Some(value) = value {
                    self.number(name, value);
                }
            }
            if json {
                self.out.end_object()?;
            }
            if let Some(info) = subflow.socket.tcp_info() {
                self.fields("tcp_info", "\n        tcp_info", info.fields());
            }
        }
        if json {
            self.out.end_object()
        } else {
            self.line()
        }
    }

    fn flags(&mut self, subflow: &Subflow) {
        let flags = subflow.flags();
        let named = [
            ("backup", SubflowFlags::BKUP_LOC),
            ("backup_remote", SubflowFlags::BKUP_REM),
        ];
        let has = |flag| flags.contains(flag);
        if self.out.style.json {
            for (name, flag) in named {
                self.out.json_bool(name, has(flag));
            }
            let mut letters = Vec::with_capacity(SubflowFlags::LETTERS.len());
            for (_, letter) in SubflowFlags::LETTERS.iter().filter(|(flag, _)| has(*flag)) {
                letters.push(*letter as u8);
            }
            self.out.json_string("flags", &letters);
            return;
        }
        for (name, _) in named.iter().filter(|(_, flag)| has(*flag)) {
            self.out.text(" ");
            self.out.text(name);
        }
        let whole = has(SubflowFlags::FULLY_ESTABLISHED);
        if !whole && subflow.is_joined() && subflow.is_alive() {
            self.out.coloured(Colour::Wrong, b" not_fully_established");
        }
    }

    /// The figures of TCP that one looks at first.
    fn figures(&mut self, socket: &Socket) {
        let Some(info) = socket.tcp_info() else {
            return;
        };
        let json = self.out.style.json;
        // Without a connection the kernel counts these times from its start.
        let time = |value: Option<u32>| value.filter(|_| socket.state != State::SynSent);
        let wide = |value: Option<u32>| value.map(u64::from);
        if json {
            let figures = [
                ("rtt_us", wide(info.rtt())),
                ("rttvar_us", wide(info.rttvar())),
                ("cwnd", wide(info.snd_cwnd())),
                ("bytes_sent", info.bytes_sent()),
                ("bytes_acked", info.bytes_acked()),
                ("bytes_received", info.bytes_received()),
                ("retransmits", wide(info.total_retrans())),
                ("last_data_sent_ms", wide(time(info.last_data_sent()))),
                ("last_data_recv_ms", wide(time(info.last_data_recv()))),
                ("last_ack_recv_ms", wide(time(info.last_ack_recv()))),
            ];
            for (name, value) in figures {
                if let Some(value) = value {
                    self.out.json_number(name, value);
                }
            }
            return;
        }
        if let Some(rtt @ 1..) = info.rtt() {
            self.number("rtt", (rtt / 1000).into());
            // Three digits behind the point: a thousand in front of them
            // keeps their zeros.
            let fraction = number(u64::from(rtt % 1000) + 1000);
            self.out.text(".");
            self.out.bytes(fraction.as_bytes().get(1..).unwrap_or(&[]));
        }
        let figures = [
            ("cwnd", wide(info.snd_cwnd())),
            ("sent", info.bytes_sent()),
            ("acked", info.bytes_acked()),
            ("received", info.bytes_received()),
        ];
        for (name, value) in figures {
            if let Some(value) = value {
                self.number(name, value);
            }
        }
        if let Some(count @ 1..) = info.total_retrans() {
            let text = [b" retransmits ", number(count.into()).as_bytes()].concat();
            self.out.coloured(Colour::Wrong, &text);
        }
        let activity = [
            info.last_data_sent(),
            info.last_data_recv(),
            info.last_ack_recv(),
        ];
        if let Some(last) = time(activity.into_iter().flatten().min()) {
            self.number("last", last.into());
        }
    }

    fn listener(&mut self, socket: &Socket) -> Result<()> {
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
            self.out.json_string("state", b"LISTEN");
        } else {
            self.out.text("LISTEN");
        }
        let local = (socket.source, socket.source_port);
        self.end(["local_address", "local_port"], local, 0);
        if json {
            self.out.json_number("pending", socket.receive_queue.into());
            self.out.json_number("backlog", socket.send_queue.into());
            self.out.json_number("uid", socket.uid.into());
            self.out.json_number("inode", socket.inode.into());
            self.out.end_object()
        } else {
            self.number("pending", socket.receive_queue.into());
            self.number("backlog", socket.send_queue.into());
            self.line()
        }
    }

    /// The state; where it is as it should be, only if `always`.
    fn state(&mut self, state: State, always: bool) {
        let unknown;
        let name = match state.name() {
            Some(name) => name,
            None => {
                let digits = number(state.number().into());
                unknown = ["UNKNOWN ", digits.as_str()].concat();
                &unknown
            }
        };
        if self.out.style.json {
            self.out.json_string("state", name.as_bytes());
        } else if state == State::Established {
            if always {
                self.word("", name);
            }
        } else {
            let text = [" ", name].concat();
            self.out.coloured(Colour::Wrong, text.as_bytes());
        }
    }

    fn ends(&mut self, socket: &Socket, local: usize, remote: usize) {
        let here = (socket.source, socket.source_port);
        let there = (socket.destination, socket.destination_port);
        self.end(["local_address", "local_port"], here, local);
        self.end(["remote_address", "remote_port"], there, remote);
    }

    /// An address with its port, padded to `width`.
    fn end(&mut self, names: [&str; 2], (address, port): (Option<IpAddr>, u16), width: usize) {
        let [address_name, port_name] = names;
        if self.out.style.json {
            let text = match address {
                Some(IpAddr::V4(address)) => ipv4(address),
                Some(IpAddr::V6(address)) => ipv6(address),
                None => Vec::new(),
            };
            self.out.json_string(address_name, &text);
            self.out.json_number(port_name, port.into());
            return;
        }
        let len = self.end_of(address, port);
        let colour = match address {
            Some(IpAddr::V6(_)) => Colour::Ipv6,
            _ => Colour::Ipv4,
        };
        self.out.text(" ");
        self.out.coloured(colour, &self.text);
        for _ in len..width {
            self.out.text(" ");
        }
    }

    /// Puts an address with its port into `text`; tells how long it is.
    fn end_of(&mut self, address: Option<IpAddr>, port: u16) -> usize {
        self.text.clear();
        match address {
            Some(IpAddr::V4(address)) => self.text.extend_from_slice(&ipv4(address)),
            Some(IpAddr::V6(address)) => {
                self.text.push(b'[');
                self.text.extend_from_slice(&ipv6(address));
                self.text.push(b']');
            }
            None => self.text.push(b'?'),
        }
        self.text.push(b':');
        self.text.extend_from_slice(number(port.into()).as_bytes());
        self.text.len()
    }

    fn word(&mut self, name: &str, word: &str) {
        if self.out.style.json {
            self.out.json_string(name, word.as_bytes());
        } else {
            self.out.text(" ");
            self.out.text(word);
        }
    }

    fn number(&mut self, name: &str, value: u64) {
        if self.out.style.json {
            self.out.json_number(name, value);
        } else {
            self.out.text(" ");
            self.out.text(name);
            self.out.text(" ");
            self.out.number(value);
        }
    }

    /// An object in JSON, another line in text.
    fn begin(&mut self, name: &str, line: &str) {
        if self.out.style.json {
            self.out.begin_object(name);
        } else if self.out.style.oneline {
            self.out.text("\\");
            self.out.text(line.trim_start_matches('\n'));
        } else {
            self.out.text(line);
        }
    }

    fn line(&mut self) -> Result<()> {
        self.out.end_line()
    }
}
