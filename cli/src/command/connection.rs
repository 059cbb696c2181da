//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{
    End, Field, Filter, Layout, MptcpInfo, SocketView, State, SubflowFlags, TcpInfo,
};
use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::order::Native;

use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::endpoint::Family;
use crate::grammar::{keyword, slot, Given};
use crate::host::places::{is_ipv4, key, Places};
use crate::kernel::connections::{
    self, Connection, Detail, Hidden, Role, Selection, Structures, Subflow,
};
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{warn, Colour, Output, Units};
use crate::session::{taking, words, Command, Does, Group, Session};
use crate::sys;
use crate::text::{padded, take, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "connection",
    about: "MPTCP connections, with their subflows.",
    words: "",
    help: "Example:
  ip-mptcp -j conn show dport 443",
    does: Does::Group(ACTIONS),
};

// Of its own: until Rust 1.89 what is borrowed within a variant ends with the statement.
const ACTIONS: &Group = &Group {
    default: "show",
    keywords: keyword::CONNECTION,
    actions: &taking(
        keyword::CONNECTION,
        [Command {
            name: "show",
            about: "Show connections: all, or those that match all words, or a subflow does.",
            words: "[ token T ] [ dev IF ] [ ADDRESS ] [ local ADDRESS ] [ remote ADDRESS ] \
                    [ sport N ] [ dport N ] [ fallback ] [ listen ] [ -4 | -6 ]",
            help: "Bytes, milliseconds, segments; share is of what all subflows carried. -s shows
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
        let why = "what listens is selected by address and port only";
        return Err(Error::invalid("listen", why));
    }
    show_asked(session, asked)
}

/// `connection show` of what can be asked for, and `subflow show`: of the
/// connection that a token names.
pub fn show_asked(session: &mut Session, asked: &Given) -> Result<Status> {
    let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
    let mut places = Places::default();
    let stats = session.options.stats;
    let (path_manager, out) = session.path_manager_and_output()?;
    if out.style.json {
        out.begin_array("");
    } else if !out.style.oneline {
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
    if let (Some(token), false) = (asked.token(), printer.found) {
        let token = padded(token.into(), 8);
        let message = ["Error: no such connection: token ", token.as_str(), "."];
        return Err(Error::new(Kind::Kernel, status::REFUSED, &message)
            .with_errno(crate::errno::Errno(libc::ENOENT as usize))
            .about(token.as_str()));
    }
    let out = &mut session.out;
    out.set_columns(0);
    if out.style.json {
        out.end_array();
    }
    out.flush()?;
    if hidden.subflows {
        warn(
            b"subflows are not shown: this kernel shows them to root only \
              (CAP_NET_ADMIN in this network namespace)",
        );
    } else if hidden.sequences && stats {
        warn(
            b"sequence numbers of subflows are not shown: the kernel shows them to root only \
              (CAP_NET_ADMIN in this network namespace)",
        );
    }
    Ok(0)
}

/// Whether the ends of a socket are those that were asked for.
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

/// Whether an end has the address that is wanted, if one is.
fn is(wanted: &Option<IpAddr>, end: &End) -> bool {
    wanted.is_none_or(|wanted| key(wanted) == end.number)
}

/// A row for each field: its name in JSON and what precedes it in text; empty
/// means absent from that format. The texts are one string: a table of slices
/// would be twice as large.
macro_rules! items {
    ($($item:ident $name:literal $front:literal)*) => {
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
        enum Item {
            $($item),*
        }
        static TEXTS: &str = concat!($($name, $front),*);
        static SPANS: [Span; [$($name),*].len()] = spans(&[$([$name, $front]),*]);
    };
}

/// Where the texts of an item are: the lengths of its name and its front, which
/// follow each other from `start` on.
#[derive(Copy, Clone)]
struct Span {
    start: u16,
    name: u8,
    front: u8,
}

items! {
    Role "role" " "
    State "state" " "
    Listen "state" ""
    Kind "kind" "    "
    Subflows "subflows" " subflows "
    MptcpInfo "mptcp_info" "    mptcp_info"
    LocalId "local_id" " id "
    RemoteId "remote_id" "/"
    Endpoint "endpoint" " endpoint "
    Device "dev" " dev "
    Backup "backup" " backup"
    BackupRemote "backup_remote" " backup_remote"
    Share "share_percent" " share "
    RttMicroseconds "rtt_us" ""
    RttVariation "rttvar_us" ""
    CongestionWindow "cwnd" " cwnd "
    LastDataSent "last_data_sent_ms" ""
    LastDataReceived "last_data_recv_ms" ""
    LastAckReceived "last_ack_recv_ms" ""
    Last "" " last "
    TotalRetransmits "retransmits" ""
    Mptcp "mptcp" "        mptcp"
    TokenRem "token_rem" " token_rem "
    RelwriteSeq "relwrite_seq" " relwrite_seq "
    MapSeq "map_seq" " map_seq "
    MapSfseq "map_sfseq" " map_sfseq "
    SsnOffset "ssn_offset" " ssn_offset "
    MapDatalen "map_datalen" " map_datalen "
    TcpInfo "tcp_info" "        tcp_info"
    Pending "pending" " pending "
    Backlog "backlog" " backlog "
    Rtt "" " rtt "
    // Left out of text where they are 0.
    BytesSent "bytes_sent" " sent "
    BytesReceived "bytes_received" " received "
    BytesAcked "bytes_acked" " acked "
    Retransmitted "bytes_retrans" " retransmitted "
    // The same, and wrong where they are not.
    Retransmits "" " retransmits "
    WrongState "state" " "
    Fallback "fallback" " FALLBACK"
    Incomplete "incomplete" " INCOMPLETE"
    Lost "lost" " LOST "
    NotEstablished "" " not_fully_established"
}

const fn spans<const N: usize>(texts: &[[&str; 2]; N]) -> [Span; N] {
    let mut span = Span {
        start: 0,
        name: 0,
        front: 0,
    };
    let mut spans = [span; N];
    let mut at = 0;
    while at < N {
        span.start += span.name as u16 + span.front as u16;
        span.name = texts[at][0].len() as u8;
        span.front = texts[at][1].len() as u8;
        spans[at] = span;
        at += 1;
    }
    spans
}

impl Item {
    /// Whether text leaves it out where it is 0.
    fn is_silent(self) -> bool {
        self >= Self::BytesSent
    }

    /// Whether it is coloured as what is not as it should be.
    fn is_wrong(self) -> bool {
        self >= Self::Retransmits
    }

    /// Its name in JSON.
    fn name(self) -> &'static str {
        let span = SPANS[self as usize];
        let start = usize::from(span.start);
        let end = start + usize::from(span.name);
        TEXTS.get(start..end).unwrap_or("")
    }

    /// What precedes it in text.
    fn front(self) -> &'static [u8] {
        let span = SPANS[self as usize];
        let start = usize::from(span.start) + usize::from(span.name);
        let end = start + usize::from(span.front);
        TEXTS.as_bytes().get(start..end).unwrap_or(b"")
    }
}

/// Numbers of a connection.
static OF_CONNECTION: [(Item, Field); 7] = [
    (Item::BytesSent, MptcpInfo::FIELDS.bytes_sent),
    (Item::BytesReceived, MptcpInfo::FIELDS.bytes_received),
    (Item::BytesAcked, MptcpInfo::FIELDS.bytes_acked),
    (Item::Retransmitted, MptcpInfo::FIELDS.bytes_retrans),
    (Item::LastDataSent, MptcpInfo::FIELDS.last_data_sent),
    (Item::LastDataReceived, MptcpInfo::FIELDS.last_data_recv),
    (Item::LastAckReceived, MptcpInfo::FIELDS.last_ack_recv),
];

/// Where the ends of a subflow stand, and where its line goes on if the terminal
/// is too narrow.
const INDENT: usize = 11;

/// Prints connections.
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    // Read when the first connection is there.
    places: &'p mut Places,
    asked: &'p Given,
    stats: bool,
    // There is such a connection, whether or not it matches the other words.
    found: bool,
    // Here and there.
    sides: [Side; 2],
}

/// The ends of subflows on one side of a connection, as text.
#[derive(Default)]
struct Side {
    text: Text,
    // Where each is in the text, and how long.
    places: Vec<(usize, usize)>,
    // How long the longest is.
    widest: usize,
    // The last one, which that of the next subflow mostly is.
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
            let dotted = end.family == AF_INET;
            if !dotted {
                self.text.byte(b'[');
            }
            if let Some(address) = end.address() {
                self.text.address(address);
            }
            if !dotted {
                self.text.byte(b']');
            }
            self.text.byte(b':');
            self.text.number(end.port.into());
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
    /// Whether a connection was asked for: it matches every word itself, or one
    /// of its subflows does.
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
        if json {
            self.out.begin_object("");
            self.out.json_hexadecimal("token", connection.token.into());
        } else {
            self.out.begin_wrapped(6);
            self.out.text("token ");
            match connection.token {
                0 => self.out.text("none"),
                token => self.out.hexadecimal(token.into(), 8),
            }
        }
        if let Some(role) = connection.role() {
            let role = match role {
                Role::Client => "client",
                Role::Server => "server",
            };
            self.word(Item::Role, role);
        }
        if let Some(state) = connection.state() {
            self.state(state);
        }
        if let Some(ends) = connection.ends() {
            self.ends(&ends);
        }
        self.mark(Item::Fallback, connection.is_fallback());
        self.mark(Item::Incomplete, connection.incomplete);
        self.number(Item::Lost, connection.lost as u64);
        self.counters(connection.socket, connection.lost as u64);
        if json {
            self.out.begin_array(Item::Subflows.name());
        } else {
            self.out.end_item();
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
        // Both ends are columns where they fit.
        let [local, remote] = &mut self.sides;
        if !self.out.fits(INDENT + local.widest + 1 + remote.widest) {
            local.widest = 0;
            remote.widest = 0;
        }
        for (at, subflow) in connection.subflows().enumerate() {
            self.subflow(subflow, at, connection.structures(at), total)?;
        }
        if json {
            self.out.end_array();
            self.out.end_object();
        } else if self.out.style.oneline {
            self.out.text("\n");
        }
        Ok(())
    }

    /// What is known of the connection as a whole.
    fn counters(&mut self, socket: Option<&SocketView>, lost: u64) {
        let Some(socket) = socket else { return };
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        if !self.out.style.json {
            let total = info.subflows_total().or(info.subflows());
            let total = total.map(|count| u64::from(count).saturating_sub(lost));
            self.number_of(Item::Subflows, total);
        }
        self.figures(&OF_CONNECTION, 4, info.as_bytes());
        self.owner(socket);
        if self.stats {
            self.fields(Item::MptcpInfo, MptcpInfo::LAYOUT, info.as_bytes());
        }
    }

    /// In JSON, whose it is.
    fn owner(&mut self, socket: &SocketView) {
        if self.out.style.json {
            self.out.json_number("uid", socket.uid().into());
            self.out.json_number("inode", socket.inode().into());
        }
    }

    /// `total` is what all of the connection carried, 0 where its share is not
    /// shown.
    fn subflow(
        &mut self,
        subflow: &Subflow,
        number: usize,
        structures: Option<&Structures>,
        total: u64,
    ) -> Result<()> {
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
        } else {
            self.out.begin_wrapped(INDENT);
        }
        self.word(
            Item::Kind,
            match (subflow.is_joined(), json) {
                (true, _) => "joined",
                (false, true) => "first",
                (false, false) => "first ",
            },
        );
        let ends = subflow.ends();
        match json {
            true => self.json_ends(&ends),
            false => self.padded_ends(number, 2, ends[0].family),
        }
        if json || subflow.state() != State::Established {
            self.state(subflow.state());
        }
        self.number_of(Item::LocalId, subflow.local_id().map(u64::from));
        self.number_of(Item::RemoteId, subflow.remote_id().map(u64::from));
        let endpoint = self.places.endpoint(subflow);
        let index = self.places.interface(subflow);
        if endpoint != 0 {
            self.number(Item::Endpoint, endpoint.into());
        }
        if index != 0 {
            if !json {
                self.front(Item::Device);
            }
            let name = self.places.name(self.path_manager, index);
            if json {
                self.out.json_string(Item::Device.name(), name);
            } else {
                self.out.coloured(Colour::Interface, name);
            }
        }
        self.flags(subflow);
        // A hundredth of much is exact enough.
        let bytes = subflow.figures.bytes();
        let share = match bytes.checked_mul(100) {
            Some(hundredfold) => hundredfold.checked_div(total),
            None => bytes.checked_div(total / 100),
        };
        if let Some(share) = share {
            self.number(Item::Share, share);
            if !json {
                self.out.byte(b'%');
            }
        }
        self.of_tcp(subflow);
        if let Some(structures) = structures {
            let info = &structures.info;
            self.begin(Item::Mptcp);
            match info.token_rem() {
                Some(token) if !json => {
                    self.front(Item::TokenRem);
                    self.out.hexadecimal(token.into(), 8);
                }
                token => self.number_of(Item::TokenRem, token.map(u64::from)),
            }
            self.number_of(Item::RelwriteSeq, info.relwrite_seq().map(u64::from));
            self.number_of(Item::MapSeq, info.map_seq());
            self.number_of(Item::MapSfseq, info.map_sfseq().map(u64::from));
            self.number_of(Item::SsnOffset, info.ssn_offset().map(u64::from));
            self.number_of(Item::MapDatalen, info.map_datalen().map(u64::from));
            self.end();
            self.fields(
                Item::TcpInfo,
                TcpInfo::LAYOUT,
                structures.tcp_info().as_bytes(),
            );
        }
        self.out.end_item();
        self.out.end_record();
        Ok(())
    }

    fn flags(&mut self, subflow: &Subflow) {
        let flags = subflow.flags();
        self.mark(Item::Backup, flags.contains(SubflowFlags::BKUP_LOC));
        self.mark(Item::BackupRemote, flags.contains(SubflowFlags::BKUP_REM));
        if self.out.style.json {
            // Ends are not aligned in JSON.
            let [Side { text, .. }, _] = &mut self.sides;
            text.clear();
            for (flag, letter) in &SubflowFlags::LETTERS {
                if flags.contains(*flag) {
                    text.byte(*letter as u8);
                }
            }
            self.out.json_string("flags", text.as_bytes());
        }
        let established = flags.contains(SubflowFlags::FULLY_ESTABLISHED);
        let joining = !established && subflow.is_joined() && subflow.is_alive();
        self.mark(Item::NotEstablished, joining);
    }

    /// The figures of TCP that one looks at first.
    fn of_tcp(&mut self, subflow: &Subflow) {
        let figures = &subflow.figures;
        let json = self.out.style.json;
        self.time(Item::Rtt, figures.rtt);
        self.number(Item::CongestionWindow, figures.cwnd.into());
        self.number(Item::BytesSent, figures.bytes_sent);
        self.number(Item::BytesAcked, figures.bytes_acked);
        self.number(Item::BytesReceived, figures.bytes_received);
        if json {
            self.number(Item::RttMicroseconds, figures.rtt.into());
            self.number(Item::RttVariation, figures.rttvar.into());
            self.number(Item::TotalRetransmits, figures.retransmits.into());
        }
        // Without a connection the kernel counts these times from its start.
        if subflow.state() != State::SynSent {
            let times = [
                (Item::LastDataSent, figures.last_data_sent),
                (Item::LastDataReceived, figures.last_data_recv),
                (Item::LastAckReceived, figures.last_ack_recv),
            ];
            let mut last = u32::MAX;
            for (item, time) in times {
                last = last.min(time);
                if json {
                    self.number(item, time.into());
                }
            }
            self.number(Item::Last, last.into());
        }
        self.number(Item::Retransmits, figures.retransmits.into());
    }

    fn listener(&mut self, socket: &SocketView) -> Result<()> {
        let ends = &socket.ends();
        if !matches(self.asked, ends) {
            return Ok(());
        }
        self.out.begin_record("");
        self.out.begin_wrapped(INDENT);
        self.word(Item::Listen, "LISTEN");
        self.ends(ends.get(..1).unwrap_or_default());
        self.number(Item::Pending, socket.receive_queue().into());
        self.number(Item::Backlog, socket.send_queue().into());
        self.owner(socket);
        self.out.end_item();
        self.out.end_record();
        Ok(())
    }

    fn state(&mut self, state: State) {
        let item = match state {
            State::Established => Item::State,
            _ => Item::WrongState,
        };
        self.word(item, state.name().unwrap_or("UNKNOWN"));
    }

    /// The ends of a socket, or the local one. In text they are the only ones.
    fn ends(&mut self, ends: &[End]) {
        if self.out.style.json {
            return self.json_ends(ends);
        }
        for (side, end) in self.sides.iter_mut().zip(ends) {
            side.clear();
            side.push(end);
        }
        self.padded_ends(0, ends.len(), ends.first().map_or(0, |end| end.family));
    }

    /// In text, the ends with this number, or the local one, as columns.
    fn padded_ends(&mut self, number: usize, sides: usize, family: u16) {
        let colour = match family {
            AF_INET6 => Colour::Ipv6,
            _ => Colour::Ipv4,
        };
        for side in self.sides.iter().take(sides) {
            self.out.begin_item();
            self.out.byte(b' ');
            let end = side.get(number);
            self.out.coloured(colour, end);
            for _ in end.len()..side.widest {
                self.out.byte(b' ');
            }
        }
    }

    fn json_ends(&mut self, ends: &[End]) {
        const NAMES: [[&str; 2]; 2] = [
            ["local_address", "local_port"],
            ["remote_address", "remote_port"],
        ];
        for (end, [address, port]) in ends.iter().zip(&NAMES) {
            self.out.json_address(address, end.address().as_ref());
            self.out.json_number(port, end.port.into());
        }
    }

    /// In text, begins an item: its front, in the colour of all of it.
    #[inline]
    fn front(&mut self, item: Item) {
        match item.is_wrong() || self.out.wraps() {
            true => self.front_apart(item),
            false => self.out.bytes(item.front()),
        }
    }

    /// The same where the line may be broken, or the colour begins.
    #[cold]
    fn front_apart(&mut self, item: Item) {
        let mut front = item.front();
        if let [b' ', rest @ ..] = front {
            self.out.begin_item();
            self.out.byte(b' ');
            front = rest;
        }
        if item.is_wrong() {
            self.out.begin_colour(Colour::Wrong);
        }
        self.out.bytes(front);
    }

    /// In text, ends an item.
    fn back(&mut self, item: Item) {
        if item.is_wrong() {
            self.out.end_colour();
        }
    }

    /// True or false in JSON; in text nothing but its front where it is true.
    fn mark(&mut self, item: Item, is: bool) {
        if !self.out.style.json {
            if is {
                self.front(item);
                self.back(item);
            }
        } else if !item.name().is_empty() {
            self.out.json_bool(item.name(), is);
        }
    }

    fn word(&mut self, item: Item, word: &str) {
        if self.out.style.json {
            self.out.json_string(item.name(), word.as_bytes());
        } else {
            self.front(item);
            self.out.text(word);
            self.back(item);
        }
    }

    fn number(&mut self, item: Item, value: u64) {
        if self.out.style.json {
            let name = item.name();
            if !name.is_empty() {
                self.out.json_number(name, value);
            }
            return;
        }
        let mut front = item.front();
        if item.is_silent() {
            if value == 0 {
                return;
            }
            if item.is_wrong() || self.out.style.units != Units::Raw {
                self.front(item);
                self.out.amount(value);
                self.back(item);
                return;
            }
        }
        if self.out.wraps() {
            self.front_apart(item);
            front = b"";
        }
        self.out.buffer().named(front, value);
    }

    /// A time in microseconds, in text as milliseconds.
    fn time(&mut self, item: Item, value: u32) {
        if value != 0 && !self.out.style.json {
            self.front(item);
            self.out.number((value / 1000).into());
            self.out.byte(b'.');
            self.out.digits((value % 1000).into(), 3);
        }
    }

    /// A number, if there is one.
    fn number_of(&mut self, item: Item, value: Option<u64>) {
        if let Some(value) = value {
            self.number(item, value);
        }
    }

    /// Figures, as far as the kernel sent them; in text the first few.
    fn figures(&mut self, figures: &[(Item, Field)], in_text: usize, sent: &[u8]) {
        let count = match self.out.style.json {
            true => figures.len(),
            false => in_text,
        };
        for (item, field) in figures.iter().take(count) {
            self.number_of(*item, field.read::<Native>(sent));
        }
    }

    /// All fields of a structure that the kernel sent.
    fn fields(&mut self, item: Item, layout: &'static Layout, sent: &[u8]) {
        self.begin(item);
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

    /// Whether a field is shown in a way of its own, and shows it.
    fn is_special(&mut self, name: &str, value: u64, sent: &[u8]) -> bool {
        let in_text = !self.out.style.json;
        match name {
            // It was shown already.
            "token" => {}
            // Two bytes of bit fields: each of those has a name of its own.
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
        if self.out.style.json {
            self.out.json_number(name, value);
        } else {
            self.field_name(name);
            self.out.number(value);
        }
    }

    fn field_name(&mut self, name: &str) {
        self.out.begin_item();
        self.out.byte(b' ');
        self.out.text(name);
        self.out.byte(b' ');
    }

    /// In text, the bits of a field by their names, the lowest first; those
    /// without a name as a number.
    fn bits(&mut self, name: &str, mut value: u64, words: &str) {
        self.field_name(name);
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
    fn begin(&mut self, item: Item) {
        if self.out.style.json {
            self.out.begin_object(item.name());
        } else {
            self.out.end_item();
            let end = if self.out.style.oneline { b'\\' } else { b'\n' };
            self.out.byte(end);
            self.out.begin_wrapped(12);
            self.out.bytes(item.front());
        }
    }

    fn end(&mut self) {
        if self.out.style.json {
            self.out.end_object();
        }
    }
}
