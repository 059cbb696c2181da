//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{Filter, Socket, State, SubflowFlags};
use mptcp_codec::inet::bits_of;

use super::endpoint::device;
use super::places::Places;
use crate::connections::{self, ends, Connection, End, Ends, Hidden, Role, Selection, Subflow};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::connection::{parse, ConnectionWords};
use crate::grammar::endpoint::Family;
use crate::grammar::Words;
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{complain, hexadecimal, number, padded, Colour, Output, Text};
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
        text: Text::default(),
        ends: Vec::new(),
    };
    let mut found = false;
    let hidden = if said.listen {
        connections::listeners(&mut diagnostics, &mut |socket| {
            if !matches_ends(said, ends(socket)) {
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
    said.dev.is_none() && whole.is_some_and(|socket| matches_ends(said, ends(socket)))
        || connection.subflows().any(|subflow| {
            matches_ends(said, subflow.socket.ends)
                && said
                    .dev
                    .is_none_or(|index| places.interface(&subflow) == index)
        })
}

fn matches_ends(said: &ConnectionWords, ends: Ends) -> bool {
    let [(source, sport), (destination, dport)] = ends;
    let source = source.map(|address| address.to_canonical());
    let destination = destination.map(|address| address.to_canonical());
    let is = |wanted: Option<IpAddr>, found: Option<IpAddr>| {
        wanted.is_none_or(|wanted| found == Some(wanted.to_canonical()))
    };
    is(said.local, source)
        && is(said.remote, destination)
        && (is(said.address, source) || is(said.address, destination))
        && said.sport.is_none_or(|port| port == sport)
        && said.dport.is_none_or(|port| port == dport)
        && match said.family {
            None => true,
            Some(Family::V4) => matches!(source, Some(IpAddr::V4(_))),
            Some(Family::V6) => matches!(source, Some(IpAddr::V6(_))),
        }
}

/// Prints connections. In JSON what is said has a name; in text a word stands
/// in front of it, with a blank on either side.
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    places: &'p mut Places,
    stats: bool,
    // The ends of the subflows of one connection in text, and where each
    // begins and ends.
    text: Text,
    ends: Vec<(usize, usize)>,
}

/// The ends of a socket in JSON.
const ENDS: [[&str; 2]; 2] = [
    ["local_address", "local_port"],
    ["remote_address", "remote_port"],
];

impl Printer<'_> {
    fn connection(&mut self, connection: &Connection) -> Result<()> {
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
            let digits = hexadecimal(connection.token.into());
            let token = ["0x", digits.as_str()].concat();
            self.out.json_string("token", token.as_bytes());
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
            self.note_ends(&mut core::iter::once(&ends(socket)));
            self.ends(&ends(socket), 0, [0, 0]);
        }
        let marks = [
            ("fallback", connection.is_fallback(), " FALLBACK"),
            ("incomplete", connection.incomplete, " INCOMPLETE"),
        ];
        for (name, is, mark) in marks {
            if json {
                self.out.json_bool(name, is);
            } else if is {
                self.out.coloured(Colour::Wrong, mark.as_bytes());
            }
        }
        if let Some(socket) = &connection.socket {
            self.counters(socket);
        }
        if json {
            self.out.begin_array("subflows");
        } else {
            self.out.end_line()?;
        }
        let (mut total, mut count) = (0_u64, 0);
        for subflow in connection.subflows() {
            total = total.saturating_add(subflow.bytes());
            count += 1;
        }
        let shared = total > 0 && !connection.incomplete && (json || count > 1);
        let ends = &mut connection.subflows().map(|subflow| &subflow.socket.ends);
        let widths = self.note_ends(ends);
        for (at, subflow) in connection.subflows().enumerate() {
            // A hundredth of much is exact enough.
            let share = match subflow.bytes().checked_mul(100) {
                Some(bytes) => bytes.checked_div(total),
                None => subflow.bytes().checked_div(total / 100),
            };
            self.subflow(&subflow, at, share.filter(|_| shared), widths)?;
        }
        if json {
            self.out.end_array()?;
            self.out.end_object()?;
        } else if self.out.style.oneline {
            self.out.text("\n");
        }
        Ok(())
    }

    /// What is known of the connection as a whole.
    fn counters(&mut self, socket: &Socket) {
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        let json = self.out.style.json;
        if let Some(total) = info.subflows_total().or(info.subflows()) {
            self.field("", " subflows ", total.into());
        }
        // Nothing retransmitted is nothing to tell.
        let retransmitted = info.bytes_retrans().filter(|bytes| json || *bytes > 0);
        self.amounts(&[
            ("bytes_sent", " sent ", info.bytes_sent()),
            ("bytes_received", " received ", info.bytes_received()),
            ("bytes_acked", " acked ", info.bytes_acked()),
            ("bytes_retrans", " retransmitted ", retransmitted),
        ]);
        if json {
            self.members(&[
                ("last_data_sent_ms", info.last_data_sent()),
                ("last_data_recv_ms", info.last_data_recv()),
                ("last_ack_recv_ms", info.last_ack_recv()),
                ("uid", Some(socket.uid)),
                ("inode", Some(socket.inode)),
            ]);
        }
        if self.stats {
            self.begin("mptcp_info", "\n    mptcp_info");
            // The token was told already.
            self.fields(&mut info.fields().filter(|(name, _)| *name != "token"));
            self.end();
        }
    }

    fn subflow(
        &mut self,
        subflow: &Subflow,
        at: usize,
        share: Option<u64>,
        widths: [usize; 2],
    ) -> Result<()> {
        let json = self.out.style.json;
        let (kind, shown) = match subflow.is_joined() {
            true => ("joined", "    joined"),
            false => ("first", "    first "),
        };
        if json {
            self.out.begin_object("");
            self.out.json_string("kind", kind.as_bytes());
        } else {
            self.out.text(shown);
        }
        self.ends(&subflow.socket.ends, at, widths);
        self.state(subflow.socket.state, json);
        let info = subflow.info();
        if let Some(id) = info.id_loc() {
            self.field("local_id", " id ", id.into());
        }
        if let Some(id) = info.id_rem() {
            self.field("remote_id", "/", id.into());
        }
        let (endpoint, index) = self.places.of(subflow);
        if endpoint != 0 {
            self.field("endpoint", " endpoint ", endpoint.into());
        }
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
            self.field("share_percent", " share ", share);
            if !json {
                self.out.byte(b'%');
            }
        }
        self.figures(subflow);
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
            self.fields(&mut numbers.into_iter().filter_map(|(n, v)| Some((n, v?))));
            self.end();
            self.begin("tcp_info", "\n        tcp_info");
            self.fields(&mut subflow.tcp_info.fields());
            self.end();
        }
        if json {
            self.out.end_object()
        } else {
            self.out.end_line()
        }
    }

    fn flags(&mut self, subflow: &Subflow) {
        let flags = subflow.flags();
        let json = self.out.style.json;
        let backups = [
            ("backup", SubflowFlags::BKUP_LOC, " backup"),
            ("backup_remote", SubflowFlags::BKUP_REM, " backup_remote"),
        ];
        for (name, flag, word) in backups {
            let is = flags.contains(flag);
            if json {
                self.out.json_bool(name, is);
            } else if is {
                self.out.text(word);
            }
        }
        if json {
            let mut letters = Vec::with_capacity(SubflowFlags::LETTERS.len());
            for (flag, letter) in SubflowFlags::LETTERS {
                if flags.contains(flag) {
                    letters.push(letter as u8);
                }
            }
            self.out.json_string("flags", &letters);
        } else if !flags.contains(SubflowFlags::FULLY_ESTABLISHED)
            && subflow.is_joined()
            && subflow.is_alive()
        {
            let mark = b" not_fully_established";
            self.out.coloured(Colour::Wrong, mark);
        }
    }

    /// The figures of TCP that one looks at first.
    fn figures(&mut self, subflow: &Subflow) {
        let info = &subflow.tcp_info;
        let json = self.out.style.json;
        // Without a connection the kernel counts these times from its start.
        let time = |value: Option<u32>| value.filter(|_| subflow.socket.state != State::SynSent);
        let activity = [
            time(info.last_data_sent()),
            time(info.last_data_recv()),
            time(info.last_ack_recv()),
        ];
        if let (Some(rtt @ 1..), false) = (info.rtt(), json) {
            self.field("", " rtt ", (rtt / 1000).into());
            let digit = |unit: u32| b'0' + (rtt / unit % 10) as u8;
            self.out.bytes(&[b'.', digit(100), digit(10), digit(1)]);
        }
        // Nothing received is nothing to tell.
        let received = info.bytes_received().filter(|bytes| json || *bytes > 0);
        self.amounts(&[
            ("cwnd", " cwnd ", info.snd_cwnd().map(u64::from)),
            ("bytes_sent", " sent ", info.bytes_sent()),
            ("bytes_acked", " acked ", info.bytes_acked()),
            ("bytes_received", " received ", received),
        ]);
        if json {
            self.members(&[
                ("rtt_us", info.rtt()),
                ("rttvar_us", info.rttvar()),
                ("retransmits", info.total_retrans()),
                ("last_data_sent_ms", activity[0]),
                ("last_data_recv_ms", activity[1]),
                ("last_ack_recv_ms", activity[2]),
            ]);
            return;
        }
        if let Some(last) = activity.into_iter().flatten().min() {
            self.field("", " last ", last.into());
        }
        if let Some(count @ 1..) = info.total_retrans() {
            let text = [b" retransmits ", number(count.into()).as_bytes()].concat();
            self.out.coloured(Colour::Wrong, &text);
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
        self.note_ends(&mut core::iter::once(&ends(socket)));
        self.end_of(ENDS[0], &ends(socket)[0], 0, 0);
        self.field("pending", " pending ", socket.receive_queue.into());
        self.field("backlog", " backlog ", socket.send_queue.into());
        if json {
            self.members(&[("uid", Some(socket.uid)), ("inode", Some(socket.inode))]);
            self.out.end_object()
        } else {
            self.out.end_line()
        }
    }

    /// The state; where it is as it should be, only if `always`.
    fn state(&mut self, state: State, always: bool) {
        if state == State::Established && !always {
            return;
        }
        let name = state.name().unwrap_or("UNKNOWN");
        if self.out.style.json || state == State::Established {
            self.word("state", name);
        } else {
            let text = [" ", name].concat();
            self.out.coloured(Colour::Wrong, text.as_bytes());
        }
    }

    /// Notes the ends of sockets as text; tells how long the longest are, here
    /// and there. In JSON there is nothing to align.
    fn note_ends(&mut self, sockets: &mut dyn Iterator<Item = &Ends>) -> [usize; 2] {
        self.text.clear();
        self.ends.clear();
        let mut widths = [0, 0];
        if self.out.style.json {
            return widths;
        }
        let mut before: Option<&Ends> = None;
        for ends in sockets {
            let [here, there] = ends;
            let [local, remote] = &mut widths;
            *local = self
                .note_end(here, before.map(|[here, _]| here))
                .max(*local);
            *remote = self
                .note_end(there, before.map(|[_, there]| there))
                .max(*remote);
            before = Some(ends);
        }
        widths
    }

    /// Notes one end; where it is the same as on the line before, as one end
    /// of all subflows mostly is, once.
    fn note_end(&mut self, end: &End, before: Option<&End>) -> usize {
        let place = self.ends.len().checked_sub(2);
        if let (Some(place), true) = (place, before == Some(end)) {
            let (start, end) = self.ends.get(place).copied().unwrap_or_default();
            self.ends.push((start, end));
            return end - start;
        }
        let start = self.text.as_bytes().len();
        let (address, port) = *end;
        let dotted = matches!(address, Some(IpAddr::V4(_)));
        if !dotted {
            self.text.byte(b'[');
        }
        if let Some(address) = address {
            self.text.address(address);
        }
        if !dotted {
            self.text.byte(b']');
        }
        self.text.byte(b':');
        self.text.number(port.into());
        let end = self.text.as_bytes().len();
        self.ends.push((start, end));
        end - start
    }

    /// Both ends of the socket that was noted at place `at`, padded.
    fn ends(&mut self, [here, there]: &Ends, at: usize, [local, remote]: [usize; 2]) {
        self.end_of(ENDS[0], here, 2 * at, local);
        self.end_of(ENDS[1], there, 2 * at + 1, remote);
    }

    fn end_of(
        &mut self,
        [address_name, port_name]: [&str; 2],
        (address, port): &End,
        at: usize,
        width: usize,
    ) {
        if self.out.style.json {
            let text = address.map_or(Vec::new(), crate::output::address);
            self.out.json_string(address_name, &text);
            self.out.json_number(port_name, (*port).into());
            return;
        }
        let (start, end) = self.ends.get(at).copied().unwrap_or_default();
        let text = self.text.as_bytes().get(start..end).unwrap_or(&[]);
        let colour = match address {
            Some(IpAddr::V6(_)) => Colour::Ipv6,
            _ => Colour::Ipv4,
        };
        self.out.byte(b' ');
        self.out.coloured(colour, text);
        const BLANKS: &str = "                                              ";
        let padding = width.saturating_sub(text.len());
        if padding > 0 {
            self.out.text(BLANKS.get(..padding).unwrap_or(BLANKS));
        }
    }

    fn word(&mut self, name: &str, word: &str) {
        if self.out.style.json {
            self.out.json_string(name, word.as_bytes());
        } else {
            self.out.byte(b' ');
            self.out.text(word);
        }
    }

    /// A number by its name in JSON, or with a word in front in text; not at
    /// all where that is empty.
    fn field(&mut self, name: &str, word: &str, value: u64) {
        if self.out.style.json {
            if !name.is_empty() {
                self.out.json_number(name, value);
            }
        } else {
            self.out.text(word);
            self.out.number(value);
        }
    }

    /// Fields, as far as the kernel sent them.
    fn amounts(&mut self, amounts: &[(&str, &str, Option<u64>)]) {
        for (name, word, value) in amounts {
            if let Some(value) = value {
                self.field(name, word, *value);
            }
        }
    }

    /// Further members of an object in JSON.
    fn members(&mut self, members: &[(&str, Option<u32>)]) {
        for (name, value) in members {
            if let Some(value) = value {
                self.out.json_number(name, (*value).into());
            }
        }
    }

    /// Numbers whose names are the same in text and in JSON.
    fn fields(&mut self, fields: &mut dyn Iterator<Item = (&'static str, u64)>) {
        for (name, value) in fields {
            // All ones: no rate is set.
            if value == u64::MAX {
                continue;
            }
            if !self.out.style.json {
                self.out.byte(b' ');
                self.out.text(name);
            }
            self.field(name, " ", value);
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

    fn end(&mut self) {
        if self.out.style.json {
            // Within another: nothing is written yet.
            let _ = self.out.end_object();
        }
    }
}
