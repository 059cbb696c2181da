//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{Filter, MptcpInfo, Socket, State, SubflowFlags, TcpInfo};
use mptcp_codec::inet::bits_of;

use super::endpoint::device;
use super::places::Places;
use crate::connections::{self, ends, Connection, End, Ends, Hidden, Role, Selection, Subflow};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::connection::{parse, ConnectionWords};
use crate::grammar::endpoint::Family;
use crate::grammar::Words;
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{complain, padded, Colour, Output, Text};
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
    let mut places = Places::default();
    places.read(session)?;
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
        widths: [0, 0],
    };
    let mut found = false;
    let hidden = if said.listen {
        connections::listeners(&mut diagnostics, &mut |socket| {
            if !matches_ends(said, &ends(socket)) {
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
    let addresses = said.local.is_some() || said.remote.is_some();
    if !addresses && said.sport.is_none() && said.dport.is_none() {
        return None;
    }
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
    Some(filter)
}

/// Whether a connection is what was said: itself in every word, or one of its
/// subflows in every word.
fn matches(said: &ConnectionWords, connection: &Connection, places: &Places) -> bool {
    if said.fallback && !connection.is_fallback() {
        return false;
    }
    if let (None, Some(socket)) = (said.dev, &connection.socket) {
        if matches_ends(said, &ends(socket)) {
            return true;
        }
    }
    for subflow in connection.subflows() {
        if matches_ends(said, &subflow.socket.ends)
            && said
                .dev
                .is_none_or(|index| places.interface(&subflow) == index)
        {
            return true;
        }
    }
    false
}

fn matches_ends(said: &ConnectionWords, ends: &Ends) -> bool {
    let [source, destination] = ends;
    let v4 = source
        .0
        .is_some_and(|address| address.to_canonical().is_ipv4());
    is(&said.local, source)
        && is(&said.remote, destination)
        && (is(&said.address, source) || is(&said.address, destination))
        && said.sport.is_none_or(|port| port == source.1)
        && said.dport.is_none_or(|port| port == destination.1)
        && match said.family {
            None => true,
            Some(Family::V4) => v4,
            Some(Family::V6) => !v4 && source.0.is_some(),
        }
}

/// Whether an end has the address that is wanted, if one is.
fn is(wanted: &Option<IpAddr>, (address, _): &End) -> bool {
    match (wanted, address) {
        (None, _) => true,
        (Some(wanted), Some(address)) => wanted.to_canonical() == address.to_canonical(),
        (Some(_), None) => false,
    }
}

/// Prints connections. In JSON what is said has a name; in text a word stands
/// in front of it, with a blank on either side.
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    places: &'p mut Places,
    stats: bool,
    // The ends of the subflows of one connection in text, where each begins
    // and ends, and how long the longest are, here and there.
    text: Text,
    ends: Vec<(usize, usize)>,
    widths: [usize; 2],
}

/// A number that the kernel tells of a socket.
struct Figure {
    /// Its name in JSON.
    name: &'static str,
    /// The word in front of it in text; none where it is not told there.
    word: &'static str,
    /// Told in text only if it is not 0.
    unless_zero: bool,
    /// Reads it from what the kernel sent.
    read: fn(&[u8]) -> Option<u64>,
}

const fn figure(name: &'static str, word: &'static str, read: fn(&[u8]) -> Option<u64>) -> Figure {
    Figure {
        name,
        word,
        unless_zero: false,
        read,
    }
}

impl Figure {
    const fn unless_zero(mut self) -> Self {
        self.unless_zero = true;
        self
    }
}

/// Those of a connection.
static OF_CONNECTION: [Figure; 7] = [
    figure("bytes_sent", " sent ", |b| MptcpInfo::new(b).bytes_sent()),
    figure("bytes_received", " received ", |b| {
        MptcpInfo::new(b).bytes_received()
    }),
    figure("bytes_acked", " acked ", |b| {
        MptcpInfo::new(b).bytes_acked()
    }),
    figure("bytes_retrans", " retransmitted ", |b| {
        MptcpInfo::new(b).bytes_retrans()
    })
    .unless_zero(),
    figure("last_data_sent_ms", "", |b| {
        MptcpInfo::new(b).last_data_sent().map(u64::from)
    }),
    figure("last_data_recv_ms", "", |b| {
        MptcpInfo::new(b).last_data_recv().map(u64::from)
    }),
    figure("last_ack_recv_ms", "", |b| {
        MptcpInfo::new(b).last_ack_recv().map(u64::from)
    }),
];

/// Those of a subflow that one looks at first.
static OF_SUBFLOW: [Figure; 7] = [
    figure("cwnd", " cwnd ", |b| {
        TcpInfo::new(b).snd_cwnd().map(u64::from)
    }),
    figure("bytes_sent", " sent ", |b| TcpInfo::new(b).bytes_sent()),
    figure("bytes_acked", " acked ", |b| TcpInfo::new(b).bytes_acked()),
    figure("bytes_received", " received ", |b| {
        TcpInfo::new(b).bytes_received()
    })
    .unless_zero(),
    figure("rtt_us", "", |b| TcpInfo::new(b).rtt().map(u64::from)),
    figure("rttvar_us", "", |b| TcpInfo::new(b).rttvar().map(u64::from)),
    figure("retransmits", "", |b| {
        TcpInfo::new(b).total_retrans().map(u64::from)
    }),
];

/// When something last came or went.
static TIMES: [Figure; 3] = [
    figure("last_data_sent_ms", "", |b| {
        TcpInfo::new(b).last_data_sent().map(u64::from)
    }),
    figure("last_data_recv_ms", "", |b| {
        TcpInfo::new(b).last_data_recv().map(u64::from)
    }),
    figure("last_ack_recv_ms", "", |b| {
        TcpInfo::new(b).last_ack_recv().map(u64::from)
    }),
];

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
            self.out.json_hexadecimal("token", connection.token.into());
        } else {
            self.out.text("token ");
            self.out.hexadecimal(connection.token.into(), 8);
        }
        match connection.role() {
            None => {}
            Some(Role::Client) => self.word("role", "client"),
            Some(Role::Server) => self.word("role", "server"),
        }
        if let Some(socket) = &connection.socket {
            self.state(socket.state, true);
            let ends = &ends(socket);
            self.forget_ends();
            self.note_ends(ends, None);
            self.widths = [0, 0];
            self.ends(ends, 0);
        }
        let fallback = connection.is_fallback();
        self.mark("fallback", fallback, " FALLBACK", Some(Colour::Wrong));
        let incomplete = connection.incomplete;
        self.mark("incomplete", incomplete, " INCOMPLETE", Some(Colour::Wrong));
        if let Some(socket) = &connection.socket {
            self.counters(socket);
        }
        if json {
            self.out.begin_array("subflows");
        } else {
            self.out.end_line()?;
        }
        let (mut total, mut count) = (0_u64, 0);
        let mut before = None;
        self.forget_ends();
        for subflow in connection.subflows() {
            total = total.saturating_add(subflow.bytes());
            count += 1;
            let ends = &subflow.socket.ends;
            self.note_ends(ends, before);
            before = Some(ends);
        }
        let shared = total > 0 && !connection.incomplete && (json || count > 1);
        for (at, subflow) in connection.subflows().enumerate() {
            self.subflow(&subflow, at, if shared { total } else { 0 })?;
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
        if let Some(total) = info.subflows_total().or(info.subflows()) {
            self.field("", " subflows ", total.into());
        }
        self.figures(&OF_CONNECTION, info.as_bytes());
        self.owner(socket);
        if self.stats {
            self.begin("mptcp_info", "    mptcp_info");
            for (name, value) in info.fields() {
                // The token was told already.
                if name != "token" {
                    self.named(name, Some(value));
                }
            }
            self.end();
        }
    }

    /// In JSON, whose it is.
    fn owner(&mut self, socket: &Socket) {
        if self.out.style.json {
            self.out.json_number("uid", socket.uid.into());
            self.out.json_number("inode", socket.inode.into());
        }
    }

    /// `total` is what all of the connection carried, 0 where its share is not
    /// told.
    fn subflow(&mut self, subflow: &Subflow, at: usize, total: u64) -> Result<()> {
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
        self.ends(&subflow.socket.ends, at);
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
        // A hundredth of much is exact enough.
        let share = match subflow.bytes().checked_mul(100) {
            Some(bytes) => bytes.checked_div(total),
            None => subflow.bytes().checked_div(total / 100),
        };
        if let Some(share) = share {
            self.field("share_percent", " share ", share);
            if !json {
                self.out.byte(b'%');
            }
        }
        self.of_tcp(subflow);
        if self.stats {
            self.begin("mptcp", "        mptcp");
            self.named("token_rem", info.token_rem().map(u64::from));
            self.named("relwrite_seq", info.relwrite_seq().map(u64::from));
            self.named("map_seq", info.map_seq());
            self.named("map_sfseq", info.map_sfseq().map(u64::from));
            self.named("ssn_offset", info.ssn_offset().map(u64::from));
            self.named("map_datalen", info.map_datalen().map(u64::from));
            self.end();
            self.begin("tcp_info", "        tcp_info");
            for (name, value) in subflow.tcp_info.fields() {
                self.named(name, Some(value));
            }
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
        let backup = flags.contains(SubflowFlags::BKUP_LOC);
        self.mark("backup", backup, " backup", None);
        let backup = flags.contains(SubflowFlags::BKUP_REM);
        self.mark("backup_remote", backup, " backup_remote", None);
        if json {
            let mut letters = [0; SubflowFlags::LETTERS.len()];
            let mut len = 0;
            for (flag, letter) in &SubflowFlags::LETTERS {
                if flags.contains(*flag) {
                    if let Some(place) = letters.get_mut(len) {
                        *place = *letter as u8;
                        len += 1;
                    }
                }
            }
            let letters = letters.get(..len).unwrap_or(&[]);
            self.out.json_string("flags", letters);
        } else if !flags.contains(SubflowFlags::FULLY_ESTABLISHED)
            && subflow.is_joined()
            && subflow.is_alive()
        {
            let mark = b" not_fully_established";
            self.out.coloured(Colour::Wrong, mark);
        }
    }

    /// The figures of TCP that one looks at first.
    fn of_tcp(&mut self, subflow: &Subflow) {
        let info = &subflow.tcp_info;
        let json = self.out.style.json;
        if let (Some(rtt @ 1..), false) = (info.rtt(), json) {
            self.field("", " rtt ", (rtt / 1000).into());
            let digit = |unit: u32| b'0' + (rtt / unit % 10) as u8;
            self.out.bytes(&[b'.', digit(100), digit(10), digit(1)]);
        }
        self.figures(&OF_SUBFLOW, info.as_bytes());
        // Without a connection the kernel counts these times from its start.
        if subflow.socket.state != State::SynSent {
            self.figures(&TIMES, info.as_bytes());
            let mut last = u64::MAX;
            for time in &TIMES {
                last = last.min((time.read)(info.as_bytes()).unwrap_or(last));
            }
            if last != u64::MAX {
                self.field("", " last ", last);
            }
        }
        if let (Some(count @ 1..), false) = (info.total_retrans(), json) {
            self.out.begin_colour(Colour::Wrong);
            self.out.text(" retransmits ");
            self.out.number(count.into());
            self.out.end_colour();
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
        let ends = &ends(socket);
        self.forget_ends();
        self.note_ends(ends, None);
        self.end_of(&ENDS[0], &ends[0], 0, 0);
        self.field("pending", " pending ", socket.receive_queue.into());
        self.field("backlog", " backlog ", socket.send_queue.into());
        if json {
            self.owner(socket);
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
            self.out.begin_colour(Colour::Wrong);
            self.word("state", name);
            self.out.end_colour();
        }
    }

    fn forget_ends(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.widths = [0, 0];
    }

    /// Notes the ends of a socket as text, and how long they are; `before` are
    /// those that were noted before. In JSON there is nothing to align.
    fn note_ends(&mut self, [here, there]: &Ends, before: Option<&Ends>) {
        if self.out.style.json {
            return;
        }
        let local = self.note_end(here, before.map(|[here, _]| here));
        let remote = self.note_end(there, before.map(|[_, there]| there));
        let [widest_local, widest_remote] = &mut self.widths;
        *widest_local = local.max(*widest_local);
        *widest_remote = remote.max(*widest_remote);
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
    fn ends(&mut self, [here, there]: &Ends, at: usize) {
        let [local, remote] = self.widths;
        self.end_of(&ENDS[0], here, 2 * at, local);
        self.end_of(&ENDS[1], there, 2 * at + 1, remote);
    }

    fn end_of(
        &mut self,
        [address_name, port_name]: &[&str; 2],
        (address, port): &End,
        at: usize,
        width: usize,
    ) {
        if self.out.style.json {
            self.out.json_address(address_name, address.as_ref());
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
        for _ in text.len()..width {
            self.out.byte(b' ');
        }
    }

    /// True or false in JSON; in text a word where it is true.
    fn mark(&mut self, name: &str, is: bool, word: &str, colour: Option<Colour>) {
        match colour {
            _ if self.out.style.json => self.out.json_bool(name, is),
            _ if !is => {}
            Some(colour) => self.out.coloured(colour, word.as_bytes()),
            None => self.out.text(word),
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

    /// Figures, as far as the kernel sent them.
    fn figures(&mut self, figures: &[Figure], sent: &[u8]) {
        for figure in figures {
            let Some(value) = (figure.read)(sent) else {
                continue;
            };
            if self.out.style.json || !figure.word.is_empty() && (value > 0 || !figure.unless_zero)
            {
                self.field(figure.name, figure.word, value);
            }
        }
    }

    /// A number whose name is the same in text and in JSON, if the kernel sent
    /// it.
    fn named(&mut self, name: &str, value: Option<u64>) {
        // All ones: no rate is set.
        let Some(value) = value.filter(|value| *value != u64::MAX) else {
            return;
        };
        if !self.out.style.json {
            self.out.byte(b' ');
            self.out.text(name);
        }
        self.field(name, " ", value);
    }

    /// An object in JSON, another line in text.
    fn begin(&mut self, name: &str, line: &str) {
        if self.out.style.json {
            self.out.begin_object(name);
        } else {
            let end = if self.out.style.oneline { b'\\' } else { b'\n' };
            self.out.byte(end);
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
