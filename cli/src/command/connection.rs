//! `connection show`.

use std::net::IpAddr;

use mptcp_codec::diag::{Field, Fields, Filter, MptcpInfo, Socket, State, SubflowFlags, TcpInfo};
use mptcp_codec::order::Native;

use super::endpoint::device;
use super::places::Places;
use crate::connections::{self, ends, Connection, End, Ends, Hidden, Role, Selection, Subflow};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::connection::{parse, ConnectionWords};
use crate::grammar::endpoint::Family;
use crate::grammar::{same, Words};
use crate::kernel::{Diagnostics, PathManager};
use crate::output::{complain, padded, Colour, Output, Text};
use crate::session::Session;

/// `connection show`.
pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut said = ConnectionWords::default();
    parse(Words::new(words), &mut said, &mut |name| {
        device(session.path_manager()?, name, true)
    })?;
    let options = &session.options;
    if said.family.is_none() && options.ipv4 != options.ipv6 {
        said.family = Some(match options.ipv4 {
            true => Family::V4,
            false => Family::V6,
        });
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
        said,
        stats,
        found: false,
        text: Text::default(),
        lengths: Text::default(),
        told: (0, 0),
        widths: [0, 0],
    };
    let mut hidden = Hidden::default();
    if said.listen {
        connections::listeners(&mut diagnostics, &mut |socket| printer.listener(socket))?;
    } else {
        let selection = Selection {
            token: said.token,
            filter: Filter::of(&said.ends),
        };
        hidden = connections::each(&mut diagnostics, &selection, &mut |connection| {
            printer.connection(connection)
        })?;
    }
    if let (Some(token), false) = (said.token, printer.found) {
        let token = padded(token.into(), 8);
        let message = ["Error: no such connection: token ", token.as_str(), "."];
        return Err(Error::new(Kind::Kernel, status::REFUSED, &message)
            .with_errno(crate::kernel::sys::Errno(libc::ENOENT as u32))
            .about(token.as_str()));
    }
    let out = &mut session.out;
    if out.style.json {
        out.end_array()?;
    }
    out.flush()?;
    complain(match hidden {
        Hidden { subflows: true, .. } => {
            b"Subflows are not shown: this kernel shows them to root \
              (CAP_NET_ADMIN in this network namespace) only.\n"
        }
        Hidden {
            sequences: true, ..
        } => {
            b"Sequence numbers of subflows are not shown: the kernel shows them to root \
              (CAP_NET_ADMIN in this network namespace) only.\n"
        }
        _ => b"",
    });
    Ok(0)
}

/// Whether the ends of a socket are what was said.
#[inline(never)]
fn matches(said: &ConnectionWords, ends: &Ends) -> bool {
    let mut somewhere = said.address.is_none();
    for ((wanted, wanted_port), (address, port)) in said.ends.iter().zip(ends) {
        if !is(wanted, address) || *wanted_port != 0 && wanted_port != port {
            return false;
        }
        somewhere |= is(&said.address, address);
    }
    let v4 = ends[0].0.map(|address| address.to_canonical().is_ipv4());
    let family = match said.family {
        None => true,
        Some(Family::V4) => v4 == Some(true),
        Some(Family::V6) => v4 == Some(false),
    };
    somewhere && family
}

/// Whether this is the address that is wanted, if one is.
#[inline(never)]
fn is(wanted: &Option<IpAddr>, address: &Option<IpAddr>) -> bool {
    match (wanted, address) {
        (None, _) => true,
        (Some(wanted), Some(address)) => same(*wanted, *address),
        (Some(_), None) => false,
    }
}

/// A row for each thing that is told: its name in JSON, and what stands in
/// front of it in text. It is not told where that is empty. The texts are one
/// string: a table of slices would be twice as large.
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

/// Where the texts of an item are: how long the name and the front are that
/// stand behind each other from `start` on.
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
    Backup "backup" " backup"
    BackupRemote "backup_remote" " backup_remote"
    Share "share_percent" " share "
    RttMicroseconds "rtt_us" ""
    RttVariation "rttvar_us" ""
    CongestionWindow "cwnd" " cwnd "
    BytesSent "bytes_sent" " sent "
    BytesReceived "bytes_received" " received "
    BytesAcked "bytes_acked" " acked "
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
    // In text, none of what follows is told of 0.
    Rtt "" " rtt "
    Retransmitted "bytes_retrans" " retransmitted "
    ReceivedHere "bytes_received" " received "
    // What is not as it should be.
    Retransmits "" " retransmits "
    WrongState "state" " "
    Fallback "fallback" " FALLBACK"
    Incomplete "incomplete" " INCOMPLETE"
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
    /// Its name in JSON.
    fn name(self) -> &'static str {
        let span = SPANS[self as usize];
        let start = usize::from(span.start);
        let end = start + usize::from(span.name);
        TEXTS.get(start..end).unwrap_or("")
    }

    /// What stands in front of it in text.
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

/// Numbers of a subflow that one looks at first.
static OF_SUBFLOW: [(Item, Field); 8] = [
    (Item::Rtt, TcpInfo::FIELDS.rtt),
    (Item::CongestionWindow, TcpInfo::FIELDS.snd_cwnd),
    (Item::BytesSent, TcpInfo::FIELDS.bytes_sent),
    (Item::BytesAcked, TcpInfo::FIELDS.bytes_acked),
    (Item::ReceivedHere, TcpInfo::FIELDS.bytes_received),
    (Item::RttMicroseconds, TcpInfo::FIELDS.rtt),
    (Item::RttVariation, TcpInfo::FIELDS.rttvar),
    (Item::TotalRetransmits, TcpInfo::FIELDS.total_retrans),
];

/// When something last came or went.
static TIMES: [(Item, Field); 3] = [
    (Item::LastDataSent, TcpInfo::FIELDS.last_data_sent),
    (Item::LastDataReceived, TcpInfo::FIELDS.last_data_recv),
    (Item::LastAckReceived, TcpInfo::FIELDS.last_ack_recv),
];

/// What was lost, told at the end.
static RETRANSMITS: [(Item, Field); 1] = [(Item::Retransmits, TcpInfo::FIELDS.total_retrans)];

/// Prints connections.
struct Printer<'p> {
    out: &'p mut Output,
    path_manager: &'p mut PathManager,
    places: &'p mut Places,
    said: &'p ConnectionWords,
    stats: bool,
    // There was a connection to print.
    found: bool,
    // The ends of subflows in text, to be aligned: one behind the other, how
    // long each is, how many have been told and where the next begins, and how
    // long the longest are, here and there.
    text: Text,
    lengths: Text,
    told: (usize, usize),
    widths: [usize; 2],
}

impl Printer<'_> {
    /// Whether a connection is what was said: itself in every word, or one of
    /// its subflows in every word.
    fn is_wanted(&self, connection: &Connection) -> bool {
        let said = self.said;
        if said.fallback && !connection.is_fallback() {
            return false;
        }
        if let (None, Some(socket)) = (said.dev, connection.socket) {
            if matches(said, &ends(socket)) {
                return true;
            }
        }
        connection.subflows().any(|subflow| {
            matches(said, &subflow.ends)
                && said
                    .dev
                    .is_none_or(|index| self.places.interface(subflow) == index)
        })
    }

    fn connection(&mut self, connection: &Connection) -> Result<()> {
        if !self.is_wanted(connection) {
            return Ok(());
        }
        self.found = true;
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
            self.out.json_hexadecimal("token", connection.token.into());
        } else {
            self.out.text("token ");
            self.out.hexadecimal(connection.token.into(), 8);
        }
        if let Some(role) = connection.role() {
            let role = match role {
                Role::Client => "client",
                Role::Server => "server",
            };
            self.word(Item::Role, role);
        }
        if let Some(socket) = connection.socket {
            self.state(socket.state);
            self.lone_ends(&ends(socket));
        }
        self.mark(Item::Fallback, connection.is_fallback());
        self.mark(Item::Incomplete, connection.incomplete);
        self.counters(connection.socket);
        if json {
            self.out.begin_array(Item::Subflows.name());
        } else {
            self.out.end_line()?;
        }
        let (mut total, mut count) = (0_u64, 0);
        self.forget_ends();
        for subflow in connection.subflows() {
            total = total.saturating_add(subflow.bytes());
            count += 1;
            self.note_ends(&subflow.ends);
        }
        if connection.incomplete || !json && count < 2 {
            total = 0;
        }
        for subflow in connection.subflows() {
            self.subflow(subflow, total)?;
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
    #[inline(never)]
    fn counters(&mut self, socket: Option<&Socket>) {
        let Some(socket) = socket else { return };
        let Some(info) = socket.mptcp_info() else {
            return;
        };
        if !self.out.style.json {
            let total = info.subflows_total().or(info.subflows());
            self.number_of(Item::Subflows, total.map(u64::from));
        }
        self.figures(&OF_CONNECTION, 4, info.as_bytes());
        self.owner(socket);
        if self.stats {
            self.fields(Item::MptcpInfo, info.fields());
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
    fn subflow(&mut self, subflow: &Subflow, total: u64) -> Result<()> {
        let json = self.out.style.json;
        if json {
            self.out.begin_object("");
        }
        self.word(
            Item::Kind,
            match (subflow.is_joined(), json) {
                (true, _) => "joined",
                (false, true) => "first",
                (false, false) => "first ",
            },
        );
        self.ends(&subflow.ends);
        if json || subflow.state != State::Established {
            self.state(subflow.state);
        }
        let info = &subflow.info;
        self.number_of(Item::LocalId, info.id_loc().map(u64::from));
        self.number_of(Item::RemoteId, info.id_rem().map(u64::from));
        let (endpoint, index) = self.places.of(subflow);
        if endpoint != 0 {
            self.number(Item::Endpoint, endpoint.into());
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
            self.number(Item::Share, share);
            if !json {
                self.out.byte(b'%');
            }
        }
        self.of_tcp(subflow);
        if self.stats {
            self.begin(Item::Mptcp);
            self.number_of(Item::TokenRem, info.token_rem().map(u64::from));
            self.number_of(Item::RelwriteSeq, info.relwrite_seq().map(u64::from));
            self.number_of(Item::MapSeq, info.map_seq());
            self.number_of(Item::MapSfseq, info.map_sfseq().map(u64::from));
            self.number_of(Item::SsnOffset, info.ssn_offset().map(u64::from));
            self.number_of(Item::MapDatalen, info.map_datalen().map(u64::from));
            self.end();
            self.fields(Item::TcpInfo, subflow.tcp_info().fields());
        }
        self.finish()
    }

    fn flags(&mut self, subflow: &Subflow) {
        let flags = subflow.flags();
        self.mark(Item::Backup, flags.contains(SubflowFlags::BKUP_LOC));
        self.mark(Item::BackupRemote, flags.contains(SubflowFlags::BKUP_REM));
        if self.out.style.json {
            // Nothing is aligned in JSON.
            self.text.clear();
            for (flag, letter) in &SubflowFlags::LETTERS {
                if flags.contains(*flag) {
                    self.text.byte(*letter as u8);
                }
            }
            self.out.json_string("flags", self.text.as_bytes());
        }
        let established = flags.contains(SubflowFlags::FULLY_ESTABLISHED);
        let joining = !established && subflow.is_joined() && subflow.is_alive();
        self.mark(Item::NotEstablished, joining);
    }

    /// The figures of TCP that one looks at first.
    fn of_tcp(&mut self, subflow: &Subflow) {
        let info = subflow.tcp_info().as_bytes();
        self.figures(&OF_SUBFLOW, 5, info);
        // Without a connection the kernel counts these times from its start.
        if subflow.state != State::SynSent {
            let last = self.figures(&TIMES, 0, info);
            self.number_of(Item::Last, last);
        }
        self.figures(&RETRANSMITS, 1, info);
    }

    fn listener(&mut self, socket: &Socket) -> Result<()> {
        let ends = &ends(socket);
        if !matches(self.said, ends) {
            return Ok(());
        }
        if self.out.style.json {
            self.out.begin_object("");
        }
        self.word(Item::Listen, "LISTEN");
        self.lone_ends(ends.get(..1).unwrap_or_default());
        self.number(Item::Pending, socket.receive_queue.into());
        self.number(Item::Backlog, socket.send_queue.into());
        self.owner(socket);
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        if self.out.style.json {
            self.out.end_object()
        } else {
            self.out.end_line()
        }
    }

    fn state(&mut self, state: State) {
        let item = match state {
            State::Established => Item::State,
            _ => Item::WrongState,
        };
        self.word(item, state.name().unwrap_or("UNKNOWN"));
    }

    /// Both ends of a socket, or one, that are not aligned with others.
    fn lone_ends(&mut self, ends: &[End]) {
        self.forget_ends();
        self.note_ends(ends);
        self.ends(ends);
    }

    fn forget_ends(&mut self) {
        self.text.clear();
        self.lengths.clear();
        self.told = (0, 0);
        self.widths = [0, 0];
    }

    /// Notes the ends of a socket as text, and how long they are. In JSON there
    /// is nothing to align.
    fn note_ends(&mut self, ends: &[End]) {
        if self.out.style.json {
            return;
        }
        for ((address, port), widest) in ends.iter().zip(&mut self.widths) {
            let start = self.text.as_bytes().len();
            let dotted = matches!(address, Some(IpAddr::V4(_)));
            if !dotted {
                self.text.byte(b'[');
            }
            if let Some(address) = address {
                self.text.address(*address);
            }
            if !dotted {
                self.text.byte(b']');
            }
            self.text.byte(b':');
            self.text.number((*port).into());
            let len = self.text.as_bytes().len() - start;
            self.lengths.byte(len as u8);
            *widest = len.max(*widest);
        }
    }

    /// The ends that were noted next, padded.
    fn ends(&mut self, ends: &[End]) {
        const NAMES: [[&str; 2]; 2] = [
            ["local_address", "local_port"],
            ["remote_address", "remote_port"],
        ];
        for (at, (address, port)) in ends.iter().enumerate() {
            if self.out.style.json {
                let [address_name, port_name] = NAMES[at & 1];
                self.out.json_address(address_name, address.as_ref());
                self.out.json_number(port_name, (*port).into());
                continue;
            }
            let (count, start) = self.told;
            let len = self.lengths.as_bytes().get(count);
            let end = start + len.map_or(0, |len| usize::from(*len));
            self.told = (count + 1, end);
            let colour = match address {
                Some(IpAddr::V6(_)) => Colour::Ipv6,
                _ => Colour::Ipv4,
            };
            self.out.byte(b' ');
            let text = self.text.as_bytes().get(start..end);
            self.out.coloured(colour, text.unwrap_or_default());
            for _ in end - start..self.widths[at & 1] {
                self.out.byte(b' ');
            }
        }
    }

    /// In text, what stands in front of an item, in the colour of it all.
    fn front(&mut self, item: Item) {
        if item >= Item::Retransmits {
            self.out.begin_colour(Colour::Wrong);
        }
        self.out.bytes(item.front());
    }

    /// In text, what ends an item.
    fn back(&mut self, item: Item) {
        if item >= Item::Retransmits {
            self.out.end_colour();
        }
    }

    /// True or false in JSON; in text nothing but its front where it is true.
    #[inline(never)]
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

    #[inline(never)]
    fn word(&mut self, item: Item, word: &str) {
        if self.out.style.json {
            self.out.json_string(item.name(), word.as_bytes());
        } else {
            self.front(item);
            self.out.text(word);
            self.back(item);
        }
    }

    #[inline(never)]
    fn number(&mut self, item: Item, value: u64) {
        if self.out.style.json {
            let name = item.name();
            if !name.is_empty() {
                self.out.json_number(name, value);
            }
        } else if item < Item::Rtt {
            self.out.bytes(item.front());
            self.out.number(value);
        } else if value != 0 {
            self.front(item);
            if item == Item::Rtt {
                // Microseconds, told as milliseconds.
                self.out.number(value / 1000);
                self.out.byte(b'.');
                self.out.digits(value % 1000, 3);
            } else {
                self.out.number(value);
            }
            self.back(item);
        }
    }

    /// A number, if there is one.
    #[inline(never)]
    fn number_of(&mut self, item: Item, value: Option<u64>) {
        if let Some(value) = value {
            self.number(item, value);
        }
    }

    /// Figures, as far as the kernel sent them; in text the first few, which
    /// have a front there. The least of all.
    fn figures(&mut self, figures: &[(Item, Field)], in_text: usize, sent: &[u8]) -> Option<u64> {
        let mut least = None;
        let told = match self.out.style.json {
            true => figures.len(),
            false => in_text,
        };
        for (at, (item, field)) in figures.iter().enumerate() {
            if let Some(value) = field.read::<Native>(sent) {
                least = Some(value.min(least.unwrap_or(value)));
                if at < told {
                    self.number(*item, value);
                }
            }
        }
        least
    }

    /// All fields of a structure that the kernel sent.
    #[inline(never)]
    fn fields(&mut self, item: Item, fields: Fields<Native>) {
        self.begin(item);
        for (name, value) in fields {
            // The token was told already. All ones: no rate is set.
            if name == "token" || value == u64::MAX {
            } else if self.out.style.json {
                self.out.json_number(name, value);
            } else {
                self.out.byte(b' ');
                self.out.text(name);
                self.out.byte(b' ');
                self.out.number(value);
            }
        }
        self.end();
    }

    /// An object in JSON, another line in text.
    fn begin(&mut self, item: Item) {
        if self.out.style.json {
            self.out.begin_object(item.name());
        } else {
            let end = if self.out.style.oneline { b'\\' } else { b'\n' };
            self.out.byte(end);
            self.out.bytes(item.front());
        }
    }

    fn end(&mut self) {
        if self.out.style.json {
            // Within another: nothing is written yet.
            let _ = self.out.end_object();
        }
    }
}
