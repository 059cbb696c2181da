//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{
    End, Field, Filter, Layout, MptcpInfo, SocketView, State, SubflowFlags, SubflowInfo, TcpInfo,
};
use mptcp_codec::inet::AF_INET6;
use mptcp_codec::order::Native;

use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::endpoint::Family;
use crate::grammar::{keyword, slot, Given};
use crate::host::places::Places;
use crate::kernel::connections::{self, Connection, Detail, Hidden, Role, Selection, Subflow};
use crate::kernel::key::{is_ipv4, key};
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{warn, Colour, Form, Item, Output};
use crate::session::{taking, words, Command, Does, Group, Session};
use crate::sys;
use crate::text::{join, padded, take, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "connection",
    words: "",
    help: "MPTCP connections, with their subflows.\n\
           Example:
  ip-mptcp -j conn show dport 443",
    does: Does::Group(ACTIONS),
};

// A constant of its own: until Rust 1.89 a temporary within an enum variant dies with its
// statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::CONNECTION,
    actions: &taking(
        keyword::CONNECTION,
        [Command {
            name: "show",
            words: "[ token T ] [ dev IF ] [ ADDRESS ] [ local ADDRESS ] [ remote ADDRESS ] \
                    [ sport N ] [ dport N ] [ fallback ] [ listen ] [ -4 | -6 ]",
            help: "Show connections: all, or those that match all words, or a subflow does.\n\
                   Bytes, milliseconds, segments; share is of what all subflows carried. -s shows
every counter by its name in the kernel (mptcp_info, tcp_info).
INCOMPLETE: it changed while it was read; LOST: subflows whose sockets are gone.

Example:
  ip-mptcp -j conn show dport 443",
            does: words(show),
        }],
    ),
};

/// `connection show`.
pub fn show(session: &mut Session, asked: &Given) -> Result<Status> {
    let no_listener = [slot::FALLBACK, slot::TOKEN, slot::DEV];
    if asked.has(slot::LISTEN) && no_listener.iter().any(|slot| asked.has(*slot)) {
        let why = "listening sockets are selected by address and port";
        return Err(Error::invalid("listen", why));
    }
    // 0 selects all that have no token, which may be none.
    let named = asked.token().filter(|token| *token != 0);
    show_asked(session, asked, named)
}

/// `subflow show` of the connection with this token.
pub fn show_one(session: &mut Session, asked: &Given) -> Result<Status> {
    show_asked(session, asked, asked.token())
}

/// Shows the connections that match. It is an error if none has the token that is `named`.
fn show_asked(session: &mut Session, asked: &Given, named: Option<u32>) -> Result<Status> {
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    let mut places = Places::default();
    let stats = session.options.stats;
    let (path_manager, out) = session.path_manager_and_output()?;
    out.begin_list("");
    if !out.style.json && !out.style.oneline {
        out.set_columns(sys::columns());
    }
    let mut printer = Printer {
        out,
        path_manager,
        places: &mut places,
        asked,
        stats,
        found: false,
        sides: [Side::default(), Side::default()],
    };
    let mut hidden = Hidden::default();
    if asked.has(slot::LISTEN) {
        connections::listeners(&mut diagnostics, &mut |socket| printer.listener(socket))?;
    } else {
        let selection = Selection {
            token: asked.token(),
            filter: Filter::of(&asked.ends()),
        };
        let detail = match stats {
            true => Detail::All,
            false => Detail::Figures,
        };
        hidden = connections::each(&mut diagnostics, &selection, detail, &mut |connection| {
            printer.connection(connection)
        })?;
    }
    if let (Some(token), false) = (named, printer.found) {
        let token = padded(token.into(), 8);
        let text = "Error: no such connection: token %.";
        return Err(
            Error::naming(Kind::Kernel, status::REFUSED, text, token.as_str())
                .with_errno(crate::errno::Errno(libc::ENOENT as usize)),
        );
    }
    let out = &mut session.out;
    out.set_columns(0);
    out.end_list();
    out.flush()?;
    if hidden.subflows {
        warn_hidden(b"subflows are not shown: this");
    } else if hidden.sequences && stats {
        warn_hidden(b"sequence numbers of subflows are not shown: the");
    }
    Ok(0)
}

/// Warns of what is not shown, up to the word before "kernel", because it takes root.
pub(super) fn warn_hidden(what: &[u8]) {
    let why = b" kernel shows them to root only (CAP_NET_ADMIN in this network namespace)";
    warn(&join(&[what, why]));
}

/// Whether the ends of a socket match what was asked for.
pub(super) fn matches(asked: &Given, ends: &[End; 2]) -> bool {
    let mut somewhere = asked.either().is_none();
    for ((address, port), end) in asked.ends().iter().zip(ends) {
        if !is(address, end) || *port != 0 && *port != end.port {
            return false;
        }
        somewhere |= is(&asked.either(), end);
    }
    let v4 = is_ipv4(ends[0].number);
    let family = match asked.family() {
        None => true,
        Some(Family::V4) => v4,
        Some(Family::V6) => !v4 && ends[0].family == AF_INET6,
    };
    somewhere && family
}

/// Whether an end has the wanted address, if there is one.
fn is(wanted: &Option<IpAddr>, end: &End) -> bool {
    wanted.is_none_or(|wanted| key(wanted) == end.number)
}

/// Numbers of a connection.
const OF_CONNECTION: [(Item, Field); 7] = [
    (Item::BYTES_SENT, MptcpInfo::FIELDS.bytes_sent),
    (Item::BYTES_RECEIVED, MptcpInfo::FIELDS.bytes_received),
    (Item::BYTES_ACKED, MptcpInfo::FIELDS.bytes_acked),
    (Item::BYTES_RETRANS, MptcpInfo::FIELDS.bytes_retrans),
    (Item::LAST_DATA_SENT, MptcpInfo::FIELDS.last_data_sent),
    (Item::LAST_DATA_RECV, MptcpInfo::FIELDS.last_data_recv),
    (Item::LAST_ACK_RECV, MptcpInfo::FIELDS.last_ack_recv),
];

/// How many of them are in text: the first ones.
const IN_TEXT: usize = 4;

const _: () = {
    let mut at = 0;
    while at < OF_CONNECTION.len() {
        assert!(OF_CONNECTION[at].0.is_in_text() == (at < IN_TEXT));
        at += 1;
    }
};

/// The column of a subflow's ends, and of continuation lines if the terminal is too narrow.
const INDENT: usize = 11;

/// Prints connections. Fields that each line needs come first, where less code reaches them.
#[repr(C)]
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    // Read for the first connection.
    places: &'p mut Places,
    asked: &'p Given,
    stats: bool,
    // There is a connection with the token, whether or not it matches the other words.
    found: bool,
    // The local side and the remote one.
    sides: [Side; 2],
}

/// The ends of subflows on one side of a connection, as text.
#[derive(Default)]
struct Side {
    text: Text,
    // Where each is in the text, and its length.
    places: Vec<(usize, usize)>,
    // The length of the longest.
    widest: usize,
    // The last one, which the next subflow usually has too.
    last: Option<End>,
}

impl Side {
    fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
        self.widest = 0;
        self.last = None;
    }

    /// Adds an end.
    fn push(&mut self, end: &End) {
        let mut place = self.places.last().copied().unwrap_or_default();
        if self.last != Some(*end) {
            self.last = Some(*end);
            let start = self.text.len();
            connections::put_end(end, true, &mut self.text);
            let len = self.text.len() - start;
            place = (start, len);
            self.widest = self.widest.max(len);
        }
        self.places.push(place);
    }

    /// The one with this number.
    fn get(&self, number: usize) -> &[u8] {
        let (start, len) = self.places.get(number).copied().unwrap_or_default();
        self.text
            .as_bytes()
            .get(start..start + len)
            .unwrap_or_default()
    }
}

impl Printer<'_> {
    /// Whether a connection was asked for: it, or one of its subflows, matches every word.
    fn is_wanted(&mut self, connection: &Connection) -> bool {
        let asked = self.asked;
        if asked.has(slot::FALLBACK) && !connection.is_fallback() {
            return false;
        }
        if let (None, Some(socket)) = (asked.dev(), connection.socket) {
            if matches(asked, &socket.ends()) {
                return true;
            }
        }
        connection.subflows().any(|subflow| {
            matches(asked, &subflow.ends())
                && asked
                    .dev()
                    .is_none_or(|index| self.places.interface(subflow) == index)
        })
    }

    fn connection(&mut self, connection: &Connection) -> Result<()> {
        if !self.found {
            self.places.read(self.path_manager)?;
        }
        self.found = true;
        if !self.is_wanted(connection) {
            return Ok(());
        }
        let json = self.out.style.json;
        self.out.begin_record("");
        self.out.begin_wrapped(6);
        self.out.begin_item(Item::TOKEN);
        match connection.token {
            0 if !json => self.out.text("none"),
            token => self.out.token(token),
        }
        if let Some(role) = connection.role() {
            let role: &[u8] = match role {
                Role::Client => b"client",
                Role::Server => b"server",
            };
            self.out.item_string(Item::ROLE, role);
        }
        if let Some(state) = connection.state() {
            self.state(state);
        }
        if let Some(ends) = connection.ends() {
            self.only_ends(&ends);
        }
        self.out.item_bool(Item::FALLBACK, connection.is_fallback());
        self.out.item_bool(Item::INCOMPLETE, connection.incomplete);
        self.out.item_number(Item::LOST, connection.lost as u64);
        self.counters(connection.socket, connection.lost as u64);
        self.out.begin_list("subflows");
        if !json {
            self.out.end_wrapped();
            self.out.end_line();
        }
        let (mut total, mut count) = (0_u64, 0);
        for side in &mut self.sides {
            side.clear();
        }
        for subflow in connection.subflows() {
            total = total.saturating_add(subflow.figures.bytes());
            count += 1;
            if !json {
                for (side, end) in self.sides.iter_mut().zip(&subflow.ends()) {
                    side.push(end);
                }
            }
        }
        if connection.incomplete || !json && count < 2 {
            total = 0;
        }
        // Both ends are aligned in columns if they fit.
        let [local, remote] = &mut self.sides;
        if !self.out.fits(INDENT + local.widest + 1 + remote.widest) {
            local.widest = 0;
            remote.widest = 0;
        }
        for (at, subflow) in connection.subflows().enumerate() {
            self.subflow(subflow, at, connection.structures(at), total)?;
        }
        self.out.end_list();
        self.out.end_group();
        if !json && self.out.style.oneline {
            self.out.byte(b'\n');
        }
        Ok(())
    }

    /// What is known of the connection as a whole.
    fn counters(&mut self, socket: Option<&SocketView>, lost: u64) {
        let Some(socket) = socket else { return };
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        let total = info.subflows_total().or(info.subflows());
        let total = total.map(|count| u64::from(count).saturating_sub(lost));
        self.out.item_some(Item::SUBFLOWS, total);
        let figures = match self.out.style.json {
            true => &OF_CONNECTION[..],
            false => &OF_CONNECTION[..IN_TEXT],
        };
        for (item, field) in figures {
            let sent = field.read::<Native>(info.as_bytes());
            self.out.item_some(*item, sent);
        }
        self.owner(socket);
        if self.stats {
            self.fields("mptcp_info", "    ", MptcpInfo::LAYOUT, info.as_bytes());
        }
    }

    /// In JSON, its owner.
    fn owner(&mut self, socket: &SocketView) {
        if self.out.style.json {
            self.out.item_number(Item::UID, socket.uid().into());
            self.out.item_number(Item::INODE, socket.inode().into());
        }
    }

    /// `total` is what the whole connection carried; 0 if shares are not shown.
    fn subflow(
        &mut self,
        subflow: &Subflow,
        number: usize,
        structures: Option<(&SubflowInfo, &[u8])>,
        total: u64,
    ) -> Result<()> {
        let json = self.out.style.json;
        self.out.begin_record("");
        self.out.begin_wrapped(INDENT);
        let kind: &[u8] = match (subflow.is_joined(), json) {
            (true, _) => b"joined",
            (false, true) => b"first",
            (false, false) => b"first ",
        };
        self.out.item_string(Item::KIND, kind);
        self.ends(&subflow.ends(), number);
        if json || subflow.state() != State::Established {
            self.state(subflow.state());
        }
        self.out
            .item_some(Item::LOCAL_ID, subflow.local_id().map(u64::from));
        self.out
            .item_some(Item::REMOTE_ID, subflow.remote_id().map(u64::from));
        let endpoint = self.places.endpoint(subflow);
        let index = self.places.interface(subflow);
        if endpoint != 0 {
            self.out.item_number(Item::ENDPOINT, endpoint.into());
        }
        if index != 0 {
            let name = self.places.name(self.path_manager, index);
            self.out.item_interface(Item::DEV, name);
        }
        self.flags(subflow);
        // A hundredth of much is exact enough.
        let bytes = subflow.figures.bytes();
        let share = match bytes.checked_mul(100) {
            Some(hundredfold) => hundredfold.checked_div(total),
            None => bytes.checked_div(total / 100),
        };
        if let Some(share) = share {
            self.out.item_number(Item::SHARE, share);
            if !json {
                self.out.byte(b'%');
            }
        }
        self.of_tcp(subflow);
        if let Some((info, sent)) = structures {
            self.begin("mptcp", "        ");
            match info.token_rem() {
                Some(token) if !json => {
                    self.out.begin_item(Item::TOKEN_REM);
                    self.out.token(token);
                }
                token => self.out.item_some(Item::TOKEN_REM, token.map(u64::from)),
            }
            self.out
                .item_some(Item::RELWRITE_SEQ, info.relwrite_seq().map(u64::from));
            self.out.item_some(Item::MAP_SEQ, info.map_seq());
            self.out
                .item_some(Item::MAP_SFSEQ, info.map_sfseq().map(u64::from));
            self.out
                .item_some(Item::SSN_OFFSET, info.ssn_offset().map(u64::from));
            self.out
                .item_some(Item::MAP_DATALEN, info.map_datalen().map(u64::from));
            self.end();
            self.fields("tcp_info", "        ", TcpInfo::LAYOUT, sent);
        }
        self.out.end_wrapped();
        self.out.end_record();
        Ok(())
    }

    fn flags(&mut self, subflow: &Subflow) {
        let flags = subflow.flags();
        self.out
            .item_bool(Item::BACKUP, flags.contains(SubflowFlags::BKUP_LOC));
        self.out
            .item_bool(Item::BACKUP_REMOTE, flags.contains(SubflowFlags::BKUP_REM));
        if self.out.style.json {
            // Ends are not aligned in JSON.
            let [Side { text, .. }, _] = &mut self.sides;
            text.clear();
            for (flag, letter) in &SubflowFlags::LETTERS {
                if flags.contains(*flag) {
                    text.byte(*letter as u8);
                }
            }
            self.out.item_string(Item::FLAGS, text.as_bytes());
        }
        let established = flags.contains(SubflowFlags::FULLY_ESTABLISHED);
        let joining = !established && subflow.is_joined() && subflow.is_alive();
        self.out.item_bool(Item::NOT_ESTABLISHED, joining);
    }

    /// The most important figures of TCP.
    fn of_tcp(&mut self, subflow: &Subflow) {
        let figures = &subflow.figures;
        let out = &mut *self.out;
        // Six fields are not in text: checked once, not for each.
        let json = out.style.json;
        out.item_milliseconds(Item::RTT, figures.rtt);
        out.item_number(Item::CWND, figures.cwnd.into());
        out.item_number(Item::BYTES_SENT, figures.bytes_sent);
        out.item_number(Item::BYTES_ACKED, figures.bytes_acked);
        out.item_number(Item::BYTES_RECEIVED, figures.bytes_received);
        if json {
            out.item_number(Item::RTT_US, figures.rtt.into());
            out.item_number(Item::RTTVAR_US, figures.rttvar.into());
            out.item_number(Item::RETRANSMITS, figures.retransmits.into());
        }
        // Without a connection the kernel counts these times from its start.
        if subflow.state() != State::SynSent {
            let times = [
                (Item::LAST_DATA_SENT, figures.last_data_sent),
                (Item::LAST_DATA_RECV, figures.last_data_recv),
                (Item::LAST_ACK_RECV, figures.last_ack_recv),
            ];
            let mut last = u32::MAX;
            for (item, time) in times {
                last = last.min(time);
                if json {
                    out.item_number(item, time.into());
                }
            }
            out.item_number(Item::LAST, last.into());
        }
        out.item_number(Item::WRONG_RETRANSMITS, figures.retransmits.into());
    }

    fn listener(&mut self, socket: &SocketView) -> Result<()> {
        let ends = &socket.ends();
        if !matches(self.asked, ends) {
            return Ok(());
        }
        self.out.begin_record("");
        self.out.begin_wrapped(INDENT);
        self.out.item_string(Item::LISTEN, b"LISTEN");
        self.only_ends(ends.get(..1).unwrap_or_default());
        self.out
            .item_number(Item::PENDING, socket.receive_queue().into());
        self.out
            .item_number(Item::BACKLOG, socket.send_queue().into());
        self.owner(socket);
        self.out.end_wrapped();
        self.out.end_record();
        Ok(())
    }

    fn state(&mut self, state: State) {
        let item = match state {
            State::Established => Item::STATE,
            _ => Item::WRONG_STATE,
        };
        let name = state.name().unwrap_or("UNKNOWN");
        self.out.item_string(item, name.as_bytes());
    }

    /// The ends of a socket, or the local one, not aligned with others.
    fn only_ends(&mut self, ends: &[End]) {
        for (side, end) in self.sides.iter_mut().zip(ends) {
            side.clear();
            if !self.out.style.json {
                side.push(end);
            }
        }
        self.ends(ends, 0);
    }

    /// The ends of a socket, or the local one; in text in columns, where they have this number.
    fn ends(&mut self, ends: &[End], number: usize) {
        const NAMES: [[&str; 2]; 2] = [
            ["local_address", "local_port"],
            ["remote_address", "remote_port"],
        ];
        for ((end, side), [address, port]) in ends.iter().zip(&self.sides).zip(&NAMES) {
            if self.out.style.json {
                self.out.key(address);
                self.out.quote();
                connections::put_end(end, false, self.out.buffer());
                self.out.quote();
                self.out.json_number(port, end.port.into());
                continue;
            }
            self.out.may_break();
            self.out.byte(b' ');
            let colour = match end.family {
                AF_INET6 => Colour::Ipv6,
                _ => Colour::Ipv4,
            };
            let text = side.get(number);
            self.out.coloured(colour, text);
            for _ in text.len()..side.widest {
                self.out.byte(b' ');
            }
        }
    }

    /// All fields of a structure that the kernel sent.
    fn fields(&mut self, name: &str, indent: &str, layout: &'static Layout, sent: &[u8]) {
        self.begin(name, indent);
        for (name, value) in layout.fields::<Native>(sent) {
            // All ones: no rate is set.
            if value == u64::MAX {
                continue;
            }
            // Few names begin like this: most need not be compared.
            let may_be = matches!(name.as_bytes(), [b'f' | b'o' | b't' | b'w', ..]);
            if may_be && self.is_special(name, value, sent) {
                continue;
            }
            self.field(name, value);
        }
        self.end();
    }

    /// Shows a field that needs special treatment; returns whether it does.
    fn is_special(&mut self, name: &str, value: u64, sent: &[u8]) -> bool {
        let in_text = !self.out.style.json;
        match name {
            // It was shown already.
            "token" => {}
            // Two bytes of bit fields, each with a name of its own.
            "wscale" => {
                let next = sent.get(7).map_or(0, |byte| u64::from(*byte));
                for (name, byte, low, bits) in &[
                    ("snd_wscale", value, 0, 4),
                    ("rcv_wscale", value, 4, 4),
                    ("delivery_rate_app_limited", next, 0, 1),
                    ("fastopen_client_fail", next, 1, 2),
                ] {
                    let little = cfg!(target_endian = "little");
                    let shift = if little { *low } else { 8 - low - bits };
                    self.field(name, byte >> shift & ((1 << bits) - 1));
                }
            }
            // Of a connection.
            "flags" if in_text => self.bits(name, value, "fallback remote_key_received"),
            // Of TCP.
            "options" if in_text => {
                let bits = "timestamps sack wscale ecn ecn_seen syn_data usec_ts tfo_child";
                self.bits(name, value, bits);
            }
            _ => return false,
        }
        true
    }

    /// A field of a structure.
    fn field(&mut self, name: &str, value: u64) {
        self.out.may_break();
        self.out.named_number(name, value);
    }

    /// In text, the bits of a field by name, the lowest first; those without a name as a
    /// number.
    fn bits(&mut self, name: &str, mut value: u64, words: &str) {
        self.out.may_break();
        self.out.begin_field(name);
        let mut words = words.as_bytes();
        let mut bit = 1;
        let mut follows = value == 0;
        if follows {
            self.out.byte(b'0');
        }
        while value != 0 {
            let word = take(&mut words, b' ');
            if word.is_empty() || value & bit != 0 {
                if follows {
                    self.out.byte(b',');
                }
                follows = true;
                if word.is_empty() {
                    self.out.number(value);
                    return;
                }
                self.out.bytes(word);
                value &= !bit;
            }
            bit <<= 1;
        }
    }

    /// An object in JSON, another line in text.
    fn begin(&mut self, name: &str, indent: &str) {
        if !self.out.style.json {
            self.out.end_wrapped();
            let end = if self.out.style.oneline { b'\\' } else { b'\n' };
            self.out.byte(end);
            self.out.begin_wrapped(12);
            self.out.text(indent);
        }
        self.out.begin_titled(name, name);
        self.out.form = Form::TITLED;
    }

    fn end(&mut self) {
        self.out.form = Form::WORDS;
        self.out.end_group();
    }
}
