//! `paths`.
//!
//! ```text
//! kernel ─► rates ─► rows ─► layout ─► screen, or standard output
//! ```
//!
//! Once per interval all TCP sockets are dumped, and the counters of those that
//! are subflows are compared with the previous ones. Subflows that end within
//! an interval are accounted for in two ways: the kernel multicasts the last
//! counters of each TCP socket that is destroyed
//! ([`Diagnostics::listen_for_ends`]), and it counts connections and subflows
//! (MPTcpExt). Events of the path manager are not subscribed to: they carry no
//! bytes, and the kernel takes any listener, in any namespace, for a user-space
//! path manager.

mod layout;
mod rates;
mod record;
mod screen;

use mptcp_codec::diag::{End, Filter, Protocol, SocketView, States, SubflowFlags, SubflowInfo};
use mptcp_codec::inet::{AF_INET, AF_INET6};

use self::layout::{News, Sort, View};
use self::rates::{By, Counters, Rates, Rows, State, Subflow};
use self::screen::Screen;
use super::connection::matches;
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::{keyword, milliseconds, shortens, slot, Given, Takes};
use crate::host::places::{is_ipv4, key_of, Places};
use crate::kernel::connections::{dump, is_alive, is_fallback, is_subflow, token_of};
use crate::kernel::{proc, Diagnostics, LinkEvents};
use crate::output::{warn, Units};
use crate::session::{Command, Does, Session};
use crate::sys::{self, Fd, Polled, Signals};
use crate::text::{parse_number, Text};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "paths",
    words: "[ token T ] [ dev IF ] [ ADDRESS ] [ local ADDRESS ] [ remote ADDRESS ] \
            [ sport N ] [ dport N ] [ fallback ] [ -4 | -6 ] \
            [ --interval SECS ] [ --count N ] [ --by WHAT ]",
    help: "Show what each path carries, as it changes.\n\
           A path is an interface with a local address. Of all subflows, or of those that match all \
            words of connection show. OUT is what the peer acknowledged, RTT the median.\n\
            Keys: q quits, space pauses, s sorts, b changes rows. The man page explains columns \
            and states.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp paths dport 443 --interval 2",
    does: Does::Options(run),
};

/// Shows paths until a signal, a key, or the number of intervals.
#[inline(never)]
fn run(session: &mut Session, args: &Options) -> Result<Status> {
    let mut interval = 1000;
    if let Some(word) = args.interval {
        interval = match milliseconds(word) {
            // Longer than poll can wait is a mistake.
            Some(interval @ 1..=0x7fff_ffff) => interval,
            _ => return Err(Error::invalid(word, "0.001 to 2147483 seconds")),
        };
    }
    let mut left = 0;
    if let Some(word) = args.count {
        left = match parse_number(word) {
            Some(count @ 1..) => count,
            _ => return Err(Error::invalid(word, "expected a number from 1 on")),
        };
    }
    let mut by = By::Path;
    if let Some(word) = args.by {
        while !shortens(word, by.name()) {
            by = by.next();
            if by == By::Path {
                return Err(Error::invalid(word, "expected path, connection or subflow"));
            }
        }
    }
    let mut words = Given::default();
    selected(session, &args.keyword, &mut words)?;
    let buffer = session.receive_buffer();
    let diagnostics = Diagnostics::open(buffer)?;
    let style = &session.out.style;
    let screen = match style.json || style.oneline {
        true => None,
        false => Screen::find(),
    };
    let which: &'static [i32] = match screen {
        Some(_) => &ON_SCREEN,
        None => &PLAIN,
    };
    let signals = sys::catch_signals(which).map_err(cannot_wait)?;
    let mut watch = Watch {
        paths: Paths {
            words,
            by,
            diagnostics,
            ends: Diagnostics::listen_for_ends(buffer).ok(),
            places: Places::default(),
            links: LinkEvents::new(),
            rates: Rates::default(),
            table: Rows::default(),
            connections: Connections::default(),
            counters: proc::Counters::default(),
            before: None,
            ahead: 0,
            news: News::UNKNOWN,
            looked: 0,
            elapsed: 0,
            set_up: 0,
            turn: 0,
            hidden: false,
        },
        signals,
        screen,
        interval,
        left,
        sort: Sort::Rate,
        paused: false,
        gathering: 0,
        text: Text::default(),
    };
    // No signal can end the program any more without putting it back.
    if let Some(screen) = &watch.screen {
        screen.take();
    }
    let result = watch.run(session);
    // A batch goes on as before; the terminal is put back by then.
    session.out.stop_keeping();
    let hidden = watch.paths.hidden;
    drop(watch);
    let signal = result?;
    session.out.flush()?;
    if hidden {
        warn(
            b"the connections of subflows are not shown: this kernel shows them to root only \
              (CAP_NET_ADMIN in this network namespace)",
        );
    }
    Ok(match signal {
        0 => 0,
        _ if args.count.is_none() => 0,
        signal => 128 + Status::from(signal),
    })
}

/// Reads the words that select subflows.
fn selected(session: &mut Session, keywords: &[&str], words: &mut Given) -> Result<()> {
    const TAKES: Takes = Takes::of(COMMAND.words, keyword::CONNECTION);
    const LISTEN: Takes = Takes::of("[ listen ]", keyword::CONNECTION);
    session.read(keywords, keyword::CONNECTION, TAKES.and(LISTEN), words)?;
    if words.has(slot::LISTEN) {
        return Err(Error::invalid("listen", "what listens carries nothing"));
    }
    Ok(())
}

/// How long destroyed sockets are left to gather, in milliseconds: a host that
/// closes thousands a second must not wake the program for each.
const GATHER: u64 = 50;

/// How many bytes of rows are kept for a slow reader.
const MUCH: usize = 1 << 16;

/// Up to this many subflows, the interface and endpoint of each are looked up at
/// every look. With more, each is looked up every [`TURNS`] looks, and all when
/// interfaces, addresses or endpoints have changed.
const FEW: usize = 256;
const TURNS: u64 = 16;

/// How long, in milliseconds, a reader is waited for after a signal.
const GRACE: i32 = 500;

/// Signals that end the program, or concern the terminal.
static PLAIN: [i32; 2] = [libc::SIGINT, libc::SIGTERM];
static ON_SCREEN: [i32; 7] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// The paths, and how they are shown.
struct Watch {
    paths: Paths,
    signals: Signals,
    screen: Option<Screen>,
    interval: u64,
    /// How many intervals are left; 0 without `--count`.
    left: u32,
    sort: Sort,
    paused: bool,
    /// Destroyed sockets are left to gather until then.
    gathering: u64,
    text: Text,
}

/// Why waiting ended.
enum Happened {
    /// The time for the next look has come.
    Time,
    /// What is shown has to be redrawn.
    Changed,
    /// A signal, or with 0 a key, ends the program.
    End(u8),
}

impl Watch {
    /// Returns the signal that ended it, 0 for a key or the count.
    fn run(&mut self, session: &mut Session) -> Result<u8> {
        self.paths.look(session)?;
        if self.screen.is_none() {
            session.out.keep();
        }
        self.show(session)?;
        let mut next = self.paths.looked + self.interval;
        loop {
            match self.wait(session, next)? {
                Happened::End(signal) => return self.finish(session, signal),
                Happened::Changed => {
                    self.show(session)?;
                    continue;
                }
                Happened::Time => {}
            }
            self.paths.look(session)?;
            self.show(session)?;
            // A look that was late is not made up for.
            next += self.interval;
            if next < self.paths.looked + self.interval / 2 {
                next = self.paths.looked + self.interval;
            }
            if self.left == 1 {
                return self.finish(session, 0);
            }
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Waits until the time of the next look, or for what comes before that.
    fn wait(&mut self, session: &mut Session, next: u64) -> Result<Happened> {
        loop {
            let idle = self.write(session)?;
            let now = sys::milliseconds();
            // For a slow reader the interval becomes longer; no data is lost.
            let held = self.paused || !idle && self.screen.is_none();
            let gathering = self.gathering > now;
            // 0 if it is over: signals and keys count also where looks take longer
            // than the interval.
            let mut time = match held {
                true => i32::MAX as u64,
                false => next.saturating_sub(now),
            };
            if gathering {
                time = time.min(self.gathering - now);
            }
            let (none, mut keys, mut ends, mut out) =
                (&Fd::NONE, &Fd::NONE, &Fd::NONE, &Fd::STDOUT);
            if let Some(screen) = &self.screen {
                out = screen.fd();
                if screen.has_keys() {
                    keys = out;
                }
            }
            if let (Some(socket), false) = (&self.paths.ends, gathering) {
                ends = socket.fd();
            }
            let mut polled = [
                Polled::read(&self.signals.fd),
                Polled::read(keys),
                Polled::read(ends),
                Polled::write(if idle { none } else { out }),
            ];
            let time = time.min(i32::MAX as u64) as i32;
            sys::poll_all(&mut polled, time).map_err(cannot_wait)?;
            if polled[0].is_ready() {
                if let Some(happened) = self.signal() {
                    return Ok(happened);
                }
            }
            if polled[1].is_ready() {
                if let Some(happened) = self.keys() {
                    return Ok(happened);
                }
            }
            if now >= next && !held {
                return Ok(Happened::Time);
            }
            if polled[2].is_ready() {
                self.paths.take_ends()?;
                self.gathering = sys::milliseconds() + GATHER;
            }
        }
    }

    fn signal(&mut self) -> Option<Happened> {
        let signal = sys::caught(&self.signals)?;
        match (i32::from(signal), &mut self.screen) {
            (libc::SIGTSTP, Some(screen)) => screen.stop(),
            (libc::SIGCONT, Some(screen)) => screen.take(),
            (libc::SIGWINCH, _) => {}
            _ => return Some(Happened::End(signal)),
        }
        Some(Happened::Changed)
    }

    fn keys(&mut self) -> Option<Happened> {
        let keys = self.screen.as_mut()?.keys();
        let mut happened = None;
        for key in &keys {
            happened = Some(match key.to_ascii_lowercase() {
                b'q' => return Some(Happened::End(0)),
                b' ' => {
                    self.paused = !self.paused;
                    // The pause is one long interval.
                    match self.paused {
                        true => Happened::Changed,
                        false => Happened::Time,
                    }
                }
                b's' => {
                    self.sort = self.sort.next();
                    Happened::Changed
                }
                b'b' => {
                    self.paths.by = self.paths.by.next();
                    Happened::Changed
                }
                _ => continue,
            });
        }
        happened
    }

    /// Shows the result of a look. In a pipe, nothing after the first: there are
    /// no rates yet.
    fn show(&mut self, session: &mut Session) -> Result<()> {
        let paths = &mut self.paths;
        if self.screen.is_none() && paths.elapsed == 0 {
            return Ok(());
        }
        paths.make_rows()?;
        layout::sort(&mut paths.table, paths.by, self.sort);
        let style = session.out.style;
        let view = View {
            table: &paths.table,
            by: paths.by,
            news: paths.news,
            elapsed: paths.elapsed,
            units: match style.units {
                Units::Raw if session.options.iec => Units::Binary,
                Units::Raw => Units::Decimal,
                units => units,
            },
            palette: style.palette,
            sort: self.sort,
            keys: self.screen.as_ref().is_some_and(Screen::has_keys),
            paused: self.paused,
        };
        let names = &mut paths.places.names;
        let text = &mut self.text;
        text.clear();
        if let Some(screen) = &mut self.screen {
            // The last column is left free: writing to it makes some terminals
            // wrap.
            let (columns, lines) = screen.size();
            layout::draw(&view, columns.saturating_sub(1).max(1), lines, names, text);
            return screen.draw(text.as_bytes());
        }
        let out = &mut session.out;
        if !style.json && !style.oneline {
            layout::draw(&view, 0, 0, names, out.buffer());
            out.text("\n");
            return Ok(());
        }
        let now = sys::now();
        for at in 0..view.table.rows.len() {
            let Some(row) = view.row(at) else { break };
            record::print(&view, row, now, names, out);
            if out.kept() >= MUCH {
                out.write_ready()?;
            }
            // There may be tens of thousands of rows: a slow reader must not make
            // the program keep them all.
            while out.kept() >= MUCH {
                if is_interrupted(&self.signals, -1)? {
                    // wait() finds it again.
                    return Ok(());
                }
                out.write_ready()?;
            }
        }
        Ok(())
    }

    /// Writes what can be written now; returns whether that was all.
    fn write(&mut self, session: &mut Session) -> Result<bool> {
        if let Some(screen) = &mut self.screen {
            screen.write()?;
            return Ok(screen.is_idle());
        }
        session.out.write_ready()?;
        Ok(session.out.kept() == 0)
    }

    /// Writes the rest. Waits for a slow reader until a signal comes, and after a
    /// signal for a limited time.
    fn finish(&mut self, session: &mut Session, signal: u8) -> Result<u8> {
        let time = if signal == 0 { -1 } else { GRACE };
        while self.screen.is_none() && !self.write(session)? {
            if is_interrupted(&self.signals, time)? {
                session.out.forget();
                return Ok(sys::caught(&self.signals).unwrap_or(signal));
            }
        }
        Ok(signal)
    }
}

/// Waits until the reader of standard output takes more; true where a signal comes
/// or the time is over before that.
fn is_interrupted(signals: &Signals, time: i32) -> Result<bool> {
    let mut polled = [Polled::read(&signals.fd), Polled::write(&Fd::STDOUT)];
    sys::poll_all(&mut polled, time).map_err(cannot_wait)?;
    Ok(polled[0].is_ready() || !polled[1].is_ready())
}

fn cannot_wait(error: Errno) -> Error {
    Error::system(Kind::Kernel, status::FAILED, &["cannot wait"], error)
}

/// What is known of the paths.
struct Paths {
    words: Given,
    by: By,
    diagnostics: Diagnostics,
    /// Reports destroyed sockets, if the kernel does.
    ends: Option<Diagnostics>,
    places: Places,
    links: LinkEvents,
    rates: Rates,
    table: Rows,
    connections: Connections,
    counters: proc::Counters,
    /// What the counters were at the look before.
    before: Option<Counted>,
    /// Subflows that were seen before the kernel counted them.
    ahead: u64,
    news: News,
    /// When the last look was, in milliseconds, and how long after the one
    /// before.
    looked: u64,
    elapsed: u64,
    /// Interfaces and endpoints of the last look, as one number.
    set_up: u64,
    /// Counts looks.
    turn: u64,
    /// The kernel hides from this reader which connection a subflow belongs to.
    hidden: bool,
}

/// What the kernel has counted.
#[derive(Copy, Clone)]
struct Counted {
    connections: u64,
    subflows: u64,
    now: u64,
}

impl Paths {
    /// Looks at everything.
    fn look(&mut self, session: &mut Session) -> Result<()> {
        self.places = Places::default();
        self.places.read(session.path_manager()?)?;
        self.links.clear();
        if let Some(routes) = &mut self.places.routes {
            routes.interfaces(&mut self.links, &mut self.places.names)?;
        }
        // What subflows' places depend on, in one number.
        let mut set_up = 0;
        for link in &self.links {
            set_up = mix(set_up, u64::from(link.index) << 1 | u64::from(link.usable));
        }
        for endpoint in &self.places.endpoints {
            set_up = mix(
                set_up,
                key_of(endpoint) as u64 ^ (key_of(endpoint) >> 64) as u64,
            );
            set_up = mix(set_up, endpoint.id().unwrap_or(0).into());
            set_up = mix(set_up, endpoint.if_idx().unwrap_or(0).into());
        }
        let changed = core::mem::replace(&mut self.set_up, set_up) != set_up;
        let few = self.rates.len() <= FEW;
        self.turn = self.turn.wrapping_add(1);
        let turn = self.turn;
        self.connections.clear();
        if self.words.has(slot::FALLBACK) {
            self.connections.read(&mut self.diagnostics)?;
        }
        let counted = self.count();
        self.take_ends()?;
        let now = sys::milliseconds();
        if self.looked > 0 {
            self.elapsed = (now - self.looked).max(1);
        }
        self.looked = now;
        self.rates.begin();
        let Self {
            diagnostics,
            words,
            places,
            rates,
            connections,
            hidden,
            ..
        } = self;
        let filter = &Filter::of(&words.ends()).unwrap_or(Filter::ANY);
        let (tcp, states) = (Protocol::Tcp, States::CONNECTED);
        dump(diagnostics, tcp, states, filter, 0, &mut |socket| {
            let mut subflow = Subflow::default();
            let Some(id) = read(socket, &mut subflow, hidden)? else {
                return Ok(());
            };
            let in_turn = subflow.cookie % TURNS == turn % TURNS;
            match rates.find(subflow.cookie) {
                Some(known) if !few && !changed && !in_turn => {
                    subflow.endpoint = known.endpoint;
                    subflow.interface = known.interface;
                }
                _ => {
                    let mark = socket.mark().unwrap_or(0);
                    let ends = &subflow.ends();
                    subflow.endpoint = places.endpoint_of(ends[0].number, id.local);
                    subflow.interface = places.interface_of(ends, socket.interface(), mark);
                }
            }
            if is_wanted(words, connections, &subflow) {
                rates.seen(&mut subflow);
            }
            Ok(())
        })?;
        self.rates.end();
        self.compare(counted);
        Ok(())
    }

    /// Takes the last counters of destroyed sockets.
    fn take_ends(&mut self) -> Result<()> {
        let Some(ends) = &mut self.ends else {
            return Ok(());
        };
        let rates = &mut self.rates;
        ends.ends(&mut |socket| rates.destroyed(socket.cookie(), &counters_of(socket)))
    }

    /// What the kernel has counted; `None` if it does not count, or if only some
    /// subflows are selected.
    fn count(&mut self) -> Option<Counted> {
        if !self.words.is_empty() {
            return None;
        }
        self.counters.read().ok()?;
        let sum = |names: &[u8]| self.counters.sum(names);
        let mptcp = sum(b"MPCapableSYNACKRX MPCapableACKRX");
        Some(Counted {
            connections: mptcp + sum(b"MPCapableFallbackSYNACK MPCapableFallbackACK"),
            subflows: mptcp + sum(b"MPJoinSynAckRx MPJoinAckRx"),
            now: sum(b"MPCurrEstab"),
        })
    }

    /// Finds out what came and went since the look before.
    fn compare(&mut self, counted: Option<Counted>) {
        let before = core::mem::replace(&mut self.before, counted);
        self.news = News::UNKNOWN;
        let (Some(before), Some(now)) = (before, counted) else {
            return;
        };
        let opened = now.connections.saturating_sub(before.connections);
        self.news.opened = opened;
        self.news.ended = (opened + before.now).saturating_sub(now.now);
        // A subflow may be seen in the dump before it is counted.
        let counted = now.subflows.saturating_sub(before.subflows);
        let seen = self.ahead + self.rates.opened;
        self.news.unseen = counted.saturating_sub(seen);
        self.ahead = seen.saturating_sub(counted);
    }

    /// Makes the rows of what was seen.
    fn make_rows(&mut self) -> Result<()> {
        let rows = &mut self.table;
        rows.make(&self.rates, self.by);
        if self.by == By::Connection {
            if self.connections.keys.is_empty() {
                self.connections.read(&mut self.diagnostics)?;
            }
            for row in &mut rows.rows {
                if let Some((_, peer)) = self.connections.find(row.of.token) {
                    let [local, _] = row.of.ends();
                    row.of.set_ends([local, peer]);
                }
            }
        }
        if self.by == By::Path && self.words.is_empty() {
            // Endpoints without subflows are paths too.
            for endpoint in &self.places.endpoints {
                let key = key_of(endpoint);
                let interface = self.places.of_endpoint(endpoint);
                let mut shown = rows.rows.iter();
                if interface == 0 && shown.any(|row| row.of.addresses[0] == key) {
                    continue;
                }
                let family = if is_ipv4(key) { AF_INET } else { AF_INET6 };
                let without = Subflow {
                    addresses: [key, 0],
                    family: family as u8,
                    interface,
                    endpoint: endpoint.id().unwrap_or(0),
                    ..Subflow::default()
                };
                rows.row(&without, By::Path);
            }
        }
        for row in &mut rows.rows {
            let link = self
                .links
                .iter()
                .find(|link| link.index == row.of.interface);
            if !link.is_some_and(|link| link.usable) {
                row.state = State::Down;
            }
        }
        Ok(())
    }
}

/// One number of two.
fn mix(before: u64, number: u64) -> u64 {
    (before ^ number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

/// The connections of the kernel's list: their subflows do not tell with whom they
/// are, if the first one has ended or is not selected, nor whether they fell back.
#[derive(Default)]
struct Connections {
    // Sorted: token, port and family of the peer, whether it fell back, and the place
    // of the peer's address, in one number.
    keys: Vec<u128>,
    addresses: Vec<u128>,
}

impl Connections {
    const TOKEN: u32 = 80;
    const PORT: u32 = 64;
    const FAMILY: u32 = 48;
    const FALLBACK: u32 = 32;

    fn clear(&mut self) {
        self.keys.clear();
        self.addresses.clear();
    }

    fn read(&mut self, diagnostics: &mut Diagnostics) -> Result<()> {
        let (mptcp, states) = (Protocol::Mptcp, States::CONNECTED);
        dump(diagnostics, mptcp, states, &Filter::ANY, 0, &mut |socket| {
            let [_, peer] = socket.ends();
            self.keys.push(
                u128::from(token_of(socket)) << Self::TOKEN
                    | u128::from(peer.port) << Self::PORT
                    | u128::from(peer.family) << Self::FAMILY
                    | u128::from(is_fallback(socket)) << Self::FALLBACK
                    | self.addresses.len() as u128,
            );
            self.addresses.push(peer.number);
            Ok(())
        })?;
        self.keys.sort_unstable();
        Ok(())
    }

    /// Whether the connection with this token fell back, and its peer.
    fn find(&self, token: u32) -> Option<(bool, End)> {
        let before = |key: &u128| ((key >> Self::TOKEN) as u32) < token;
        let key = *self.keys.get(self.keys.partition_point(before))?;
        let peer = End {
            number: *self.addresses.get(key as u32 as usize)?,
            port: (key >> Self::PORT) as u16,
            family: (key >> Self::FAMILY) as u16,
        };
        let same = (key >> Self::TOKEN) as u32 == token;
        same.then_some((key >> Self::FALLBACK & 1 != 0, peer))
    }
}

/// The id of the local address, where the kernel sends it.
struct Id {
    local: Option<u8>,
}

/// Reads a socket, if it is that of a subflow: all but where it is.
fn read(socket: &SocketView, into: &mut Subflow, hidden: &mut bool) -> Result<Option<Id>> {
    let mut info = SubflowInfo::EMPTY;
    let shown = socket.read_subflow(&mut info)?;
    if !shown && !is_subflow(socket)? {
        return Ok(None);
    }
    *hidden |= !shown;
    into.token = info.token_loc().unwrap_or(0);
    let flags = info.flags().unwrap_or_default().0;
    let mptcp = SubflowFlags::MCAP_REM.0 | SubflowFlags::JOIN_REM.0;
    let backup = SubflowFlags::BKUP_LOC.0 | SubflowFlags::BKUP_REM.0;
    into.cookie = socket.cookie();
    into.set_ends(socket.ends());
    into.counters = counters_of(socket);
    let mut waiting = false;
    if let Some(tcp) = socket.tcp_info() {
        into.rtt = tcp.rtt().unwrap_or(0);
        waiting = tcp.unacked().unwrap_or(0) > 0 && tcp.retransmits().unwrap_or(0) > 0;
    }
    let mptcp = !shown || flags & mptcp != 0;
    into.marks = u8::from(mptcp) * Subflow::MPTCP
        | u8::from(flags & backup != 0) * Subflow::BACKUP
        | u8::from(is_alive(socket.state())) * Subflow::OPEN
        | u8::from(waiting) * Subflow::WAITING;
    Ok(Some(Id {
        local: info.id_loc(),
    }))
}

/// The counters of a socket.
fn counters_of(socket: &SocketView) -> Counters {
    let Some(tcp) = socket.tcp_info() else {
        return Counters::default();
    };
    // Both ends of the stream are acknowledged like a byte, but are none.
    let sent = tcp.bytes_sent().unwrap_or(u64::MAX);
    Counters {
        sent: tcp.bytes_acked().unwrap_or(0).min(sent),
        received: tcp.bytes_received().unwrap_or(0),
        retransmits: tcp.total_retrans().unwrap_or(0).into(),
    }
}

/// Whether a subflow is what the words say. One without a token fell back before it
/// had one.
fn is_wanted(words: &Given, connections: &Connections, subflow: &Subflow) -> bool {
    let token = subflow.token;
    words.token().is_none_or(|wanted| wanted == token)
        && words.dev().is_none_or(|dev| dev == subflow.interface)
        && (!words.has(slot::FALLBACK)
            || token == 0
            || connections.find(token).is_some_and(|(is, _)| is))
        && matches(words, &subflow.ends())
}
