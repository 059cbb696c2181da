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

use self::layout::{Sort, View};
use self::rates::{By, Counters, Rates, Rows, State, Subflow, NONE};
use self::screen::Screen;
use super::connection::{matches, warn_hidden};
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::{count, interval, keyword, option, shortens, slot, Given, Takes, INTERVALS};
use crate::host::places::Places;
use crate::kernel::connections::{dump, is_alive, is_fallback, is_subflow, token_of, Index};
use crate::kernel::key::{is_ipv4, key_of};
use crate::kernel::{proc, Diagnostics, LinkEvents};
use crate::output::Units;
use crate::session::{Command, Does, Session};
use crate::sys::{self, Fd, Polled, Signals};

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
    let mut every = 1000;
    option(args.interval, interval, INTERVALS, &mut every)?;
    let mut left = 0;
    let why = "expected a number from 1 on";
    option(args.count, count, why, &mut left)?;
    let mut by = By::Path;
    if let Some(word) = args.by {
        while !shortens(word, sys::text(by.name()).unwrap_or("")) {
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
    let style = session.out.style;
    let screen = match style.json || style.oneline {
        true => None,
        false => Screen::find(),
    };
    // From here on no signal ends the program without restoring the terminal.
    let which = match screen {
        Some(_) => ON_SCREEN,
        None => PLAIN,
    };
    let signals = sys::catch_signals(which).map_err(cannot_wait)?;
    if let Some(screen) = &screen {
        screen.0.take();
    }
    // A batch continues as before: this restores the terminal.
    let (result, hidden) = {
        let mut watch = Watch {
            signals,
            screen,
            diagnostics,
            ends: Diagnostics::listen_for_ends(buffer).ok(),
            every,
            left,
            gathering: 0,
            paths: Paths {
                looked: 0,
                turn: 0,
                set_up: 0,
                anew: false,
                hidden: false,
                words: &words,
                rates: Rates::default(),
                links: LinkEvents::new(),
                connections: Connections::default(),
                before: None,
                ahead: 0,
                places: Places::default(),
                view: View {
                    by,
                    sort: Sort::Rate,
                    units: match style.units {
                        Units::Raw if session.options.iec => Units::Binary,
                        Units::Raw => Units::Decimal,
                        units => units,
                    },
                    palette: style.palette,
                    screen: false,
                    keys: false,
                    paused: false,
                    elapsed: 0,
                    news: UNKNOWN,
                    table: Rows::default(),
                },
            },
        };
        let result = watch.run(session);
        session.out.stop_keeping();
        (result, watch.paths.hidden)
    };
    let signal = result?;
    session.out.flush()?;
    if hidden {
        warn_hidden(b"the connections of subflows are not shown: this");
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
        return Err(Error::invalid("listen", "listening sockets carry nothing"));
    }
    Ok(())
}

/// How long reports of destroyed sockets are left to gather, in milliseconds: a host that
/// closes thousands a second must not wake the program for each.
const GATHER: u64 = 50;

/// How many bytes of rows are kept for a slow reader.
const MUCH: usize = 1 << 16;

/// With up to this many subflows, the interface and endpoint of each are looked up every time.
/// With more, each is looked up once in [`TURNS`] times, and all when interfaces, addresses
/// or endpoints have changed.
const FEW: usize = 256;
const TURNS: u64 = 16;

/// How long to wait for a reader after a signal, in milliseconds.
const GRACE: i32 = 500;

/// Signals that end the program, and those that concern the terminal.
const PLAIN: &[i32] = &[libc::SIGINT, libc::SIGTERM];
const ON_SCREEN: &[i32] = &[
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGTSTP,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// The paths, and how they are shown.
#[repr(C)]
struct Watch<'w> {
    signals: Signals,
    screen: Option<Screen>,
    diagnostics: Diagnostics,
    /// Reports destroyed sockets, if the kernel does.
    ends: Option<Diagnostics>,
    /// Milliseconds from one look to the next.
    every: u64,
    /// How many intervals are left; 0 without `--count`.
    left: u64,
    /// Reports of destroyed sockets are left to gather until then.
    gathering: u64,
    paths: Paths<'w>,
}

impl Watch<'_> {
    /// Returns the signal that ended it, 0 for a key or the count.
    #[inline(never)]
    fn run(&mut self, session: &mut Session) -> Result<u8> {
        if self.screen.is_none() {
            session.out.keep();
        }
        // When the next look is to be.
        let mut next = 0_u64;
        loop {
            self.write(session)?;
            let idle = session.out.kept() == 0;
            let now = sys::milliseconds();
            // With a slow reader the interval becomes longer; no data is lost.
            let held = self.paths.view.paused || !idle && self.screen.is_none();
            let gathering = self.gathering > now;
            let mut until = if held { u64::MAX } else { next };
            if gathering {
                until = until.min(self.gathering);
            }
            // 0 if it is over: signals and keys are handled even if a look takes longer
            // than the interval.
            let time = until.saturating_sub(now).min(i32::MAX as u64) as i32;
            let (none, mut keys, mut ends, mut out) =
                (&Fd::NONE, &Fd::NONE, &Fd::NONE, &Fd::STDOUT);
            if let Some(Screen(terminal)) = &self.screen {
                out = terminal.fd();
                if terminal.has_keys {
                    keys = out;
                }
            }
            if let (Some(socket), false) = (&self.ends, gathering) {
                ends = socket.fd();
            }
            let mut polled = [
                Polled::read(&self.signals.fd),
                Polled::read(keys),
                Polled::read(ends),
                Polled::write(if idle { none } else { out }),
            ];
            sys::poll_all(&mut polled, time).map_err(cannot_wait)?;
            let mut changed = false;
            if polled[0].is_ready() {
                if let Some(signal) = sys::caught(&self.signals) {
                    match (i32::from(signal), &self.screen) {
                        (libc::SIGTSTP, Some(screen)) => screen.stop(),
                        (libc::SIGCONT, Some(screen)) => screen.0.take(),
                        (libc::SIGWINCH, _) => {}
                        _ => return self.finish(session, signal),
                    }
                    changed = true;
                }
            }
            if polled[1].is_ready() {
                let mut pressed = [0; 32];
                if let Some(screen) = &mut self.screen {
                    screen.keys(&mut pressed);
                }
                let view = &mut self.paths.view;
                for key in &pressed {
                    match key.to_ascii_lowercase() {
                        b'q' => return self.finish(session, 0),
                        b' ' => {
                            view.paused = !view.paused;
                            // A pause is one long interval.
                            next = now;
                        }
                        b's' => view.sort = view.sort.next(),
                        b'b' => view.by = view.by.next(),
                        _ => continue,
                    }
                    changed = true;
                }
            }
            if changed {
                self.show(session)?;
            } else if now >= next && !held {
                self.paths
                    .look(session, &mut self.diagnostics, &mut self.ends)?;
                self.show(session)?;
                // A late look is not made up for.
                next += self.every;
                if next < self.paths.looked + self.every / 2 {
                    next = self.paths.looked + self.every;
                }
                if self.paths.view.elapsed > 0 {
                    if self.left == 1 {
                        return self.finish(session, 0);
                    }
                    self.left = self.left.saturating_sub(1);
                }
            } else if polled[2].is_ready() {
                take_ends(&mut self.ends, &mut self.paths.rates)?;
                self.gathering = sys::milliseconds() + GATHER;
            }
        }
    }

    /// Shows the result of a look. In a pipe, nothing is shown for the first one: there are
    /// no rates yet.
    fn show(&mut self, session: &mut Session) -> Result<()> {
        if self.screen.is_none() && self.paths.view.elapsed == 0 {
            return Ok(());
        }
        let paths = &mut self.paths;
        paths.make_rows(&mut self.diagnostics)?;
        let view = &mut paths.view;
        view.table.finish(view.elapsed);
        view.sort();
        let names = &mut paths.places.names;
        let out = &mut session.out;
        if let Some(Screen(terminal)) = &self.screen {
            view.screen = true;
            view.keys = terminal.has_keys;
            let (columns, lines) = terminal.size().unwrap_or((80, 24));
            // The rest of the previous frame is no longer of use. The last column is left
            // free: writing to it makes some terminals wrap.
            out.forget();
            let columns = usize::from(columns).saturating_sub(1).max(1);
            layout::draw(view, columns, lines.into(), names, out.buffer());
            return Ok(());
        }
        if !out.style.json && !out.style.oneline {
            layout::draw(view, 0, 0, names, out.buffer());
            out.text("\n");
            return Ok(());
        }
        let (seconds, microseconds) = sys::now();
        let now = seconds * 1000 + u64::from(microseconds / 1000);
        for at in 0..view.table.rows.len() {
            let Some(row) = view.row(at) else { break };
            record::print(view, row, now, names, out);
            if out.kept() >= MUCH {
                out.write_ready()?;
            }
            // There may be tens of thousands of rows: a slow reader must not make
            // the program keep them all.
            while out.kept() >= MUCH {
                if is_interrupted(&self.signals, -1)? {
                    // The main loop finds it again.
                    return Ok(());
                }
                out.write_ready()?;
            }
        }
        Ok(())
    }

    /// Writes as much as can be written now.
    #[inline(never)]
    fn write(&self, session: &mut Session) -> Result<()> {
        match &self.screen {
            Some(Screen(terminal)) => session.out.write_out(&mut |rest| terminal.write(rest)),
            None => session.out.write_ready(),
        }
    }

    /// Writes the rest. Waits for a slow reader until a signal comes, and then for a
    /// limited time; does not wait for a terminal.
    fn finish(&mut self, session: &mut Session, signal: u8) -> Result<u8> {
        let time = if signal == 0 { -1 } else { GRACE };
        loop {
            self.write(session)?;
            if session.out.kept() == 0 || self.screen.is_some() {
                break;
            }
            if is_interrupted(&self.signals, time)? {
                session.out.forget();
                return Ok(sys::caught(&self.signals).unwrap_or(signal));
            }
        }
        // A frame that the terminal did not accept.
        session.out.forget();
        Ok(signal)
    }
}

/// Reads the last counters of destroyed sockets.
#[inline(never)]
fn take_ends(ends: &mut Option<Diagnostics>, rates: &mut Rates) -> Result<()> {
    let Some(ends) = ends else {
        return Ok(());
    };
    ends.ends(&mut |socket| {
        let mut counters = Counters::default();
        read_counters(socket, &mut counters);
        rates.destroyed(socket.cookie(), &counters);
    })
}

/// Waits until the reader of standard output accepts more; true if a signal comes or the
/// time is over first.
fn is_interrupted(signals: &Signals, time: i32) -> Result<bool> {
    let mut polled = [Polled::read(&signals.fd), Polled::write(&Fd::STDOUT)];
    sys::poll_all(&mut polled, time).map_err(cannot_wait)?;
    Ok(polled[0].is_ready() || !polled[1].is_ready())
}

fn cannot_wait(error: Errno) -> Error {
    Error::system(Kind::Kernel, status::FAILED, "cannot wait", error)
}

/// What the kernel has counted.
#[derive(Copy, Clone)]
struct Counted {
    connections: u64,
    subflows: u64,
    now: u64,
}

/// What is known of comings and goings if the kernel does not count them.
const UNKNOWN: [u64; 3] = [NONE, NONE, 0];

/// What is known of the paths. Fields that are used for each socket come first.
#[repr(C)]
struct Paths<'w> {
    /// When the last look was, in milliseconds.
    looked: u64,
    /// Counts looks.
    turn: u64,
    /// A hash of the interfaces and endpoints of the last look.
    set_up: u64,
    /// The interface and endpoint of every subflow are looked up this time.
    anew: bool,
    /// The kernel hides from this reader to which connection a subflow belongs.
    hidden: bool,
    words: &'w Given,
    rates: Rates,
    links: LinkEvents,
    connections: Connections,
    /// The counters at the previous look.
    before: Option<Counted>,
    /// Subflows that were seen before the kernel counted them.
    ahead: u64,
    places: Places,
    view: View,
}

impl Paths<'_> {
    /// Looks at everything.
    #[inline(never)]
    fn look(
        &mut self,
        session: &mut Session,
        diagnostics: &mut Diagnostics,
        ends: &mut Option<Diagnostics>,
    ) -> Result<()> {
        self.places.read(session.path_manager()?)?;
        self.links.clear();
        if let Some(routes) = &mut self.places.routes {
            routes.interfaces(&mut self.links, &mut self.places.names)?;
        }
        // A hash of what the interfaces and endpoints of subflows depend on.
        let mut set_up = 0;
        for link in &self.links {
            mix(&mut set_up, link.index << 1 | u32::from(link.usable), 0);
        }
        for endpoint in &self.places.endpoints {
            let id = u32::from(endpoint.id().unwrap_or(0));
            let index = endpoint.if_idx().unwrap_or(0);
            mix(&mut set_up, index << 8 ^ id, key_of(endpoint));
        }
        self.anew = set_up != self.set_up || self.rates.len() <= FEW;
        self.set_up = set_up;
        self.turn = self.turn.wrapping_add(1);
        self.connections.clear();
        if self.words.has(slot::FALLBACK) {
            self.connections.read(diagnostics)?;
        }
        let counted = self.count();
        take_ends(ends, &mut self.rates)?;
        let now = sys::milliseconds();
        if self.looked > 0 {
            self.view.elapsed = (now - self.looked).max(1);
        }
        self.looked = now;
        self.rates.begin();
        let filter = &Filter::of(&self.words.ends()).unwrap_or(Filter::ANY);
        let (tcp, states) = (Protocol::Tcp, States::CONNECTED);
        dump(diagnostics, tcp, states, filter, 0, &mut |socket| {
            self.read(socket)
        })?;
        self.rates.end();
        self.compare(counted);
        Ok(())
    }

    /// Reads a socket, if it is a subflow that is wanted.
    #[inline(never)]
    fn read(&mut self, socket: &SocketView) -> Result<()> {
        let mut info = SubflowInfo::EMPTY;
        let shown = socket.read_subflow(&mut info)?;
        if !shown && !is_subflow(socket)? {
            return Ok(());
        }
        self.hidden |= !shown;
        let cookie = socket.cookie();
        let ends = &socket.ends();
        let (interface, endpoint) = match self.rates.find(cookie) {
            Some(known) if !self.anew && cookie % TURNS != self.turn % TURNS => {
                (known.interface, known.endpoint)
            }
            _ => {
                let mark = socket.mark().unwrap_or(0);
                let interface = self.places.interface_of(ends, socket.interface(), mark);
                (
                    interface,
                    self.places.endpoint_of(ends[0].number, info.id_loc()),
                )
            }
        };
        let token = info.token_loc().unwrap_or(0);
        // A subflow without a token fell back before there was one.
        let words = self.words;
        let is_wanted = words.token().is_none_or(|wanted| wanted == token)
            && words.dev().is_none_or(|dev| dev == interface)
            && (!words.has(slot::FALLBACK)
                || token == 0
                || self.connections.find(token).is_some_and(|(_, is)| *is))
            && matches(words, ends);
        if !is_wanted {
            return Ok(());
        }
        let flags = info.flags().unwrap_or_default().0;
        let mptcp = SubflowFlags::MCAP_REM.0 | SubflowFlags::JOIN_REM.0;
        let backup = SubflowFlags::BKUP_LOC.0 | SubflowFlags::BKUP_REM.0;
        let mut marks = 0;
        if !shown || flags & mptcp != 0 {
            marks |= Subflow::MPTCP;
        }
        if flags & backup != 0 {
            marks |= Subflow::BACKUP;
        }
        if is_alive(socket.state()) {
            marks |= Subflow::OPEN;
        }
        let mut subflow = Subflow {
            addresses: [ends[0].number, ends[1].number],
            ports: [ends[0].port, ends[1].port],
            family: ends[0].family as u8,
            cookie,
            token,
            interface,
            endpoint,
            ..Subflow::default()
        };
        read_counters(socket, &mut subflow.counters);
        if let Some(tcp) = socket.tcp_info() {
            subflow.rtt = tcp.rtt().unwrap_or(0);
            if tcp.unacked().unwrap_or(0) > 0 && tcp.retransmits().unwrap_or(0) > 0 {
                marks |= Subflow::WAITING;
            }
        }
        subflow.marks = marks;
        self.rates.seen(&mut subflow);
        Ok(())
    }

    /// What the kernel has counted; `None` if it does not count, or if only some subflows are
    /// selected.
    fn count(&self) -> Option<Counted> {
        if !self.words.is_empty() {
            return None;
        }
        let mut counters = proc::Counters::default();
        counters.read().ok()?;
        let mptcp = counters.sum(b"MPCapableSYNACKRX MPCapableACKRX");
        Some(Counted {
            connections: mptcp + counters.sum(b"MPCapableFallbackSYNACK MPCapableFallbackACK"),
            subflows: mptcp + counters.sum(b"MPJoinSynAckRx MPJoinAckRx"),
            now: counters.sum(b"MPCurrEstab"),
        })
    }

    /// Finds out what came and went since the previous look.
    fn compare(&mut self, counted: Option<Counted>) {
        let before = core::mem::replace(&mut self.before, counted);
        self.view.news = UNKNOWN;
        let (Some(before), Some(now)) = (before, counted) else {
            return;
        };
        let opened = now.connections.saturating_sub(before.connections);
        let ended = (opened + before.now).saturating_sub(now.now);
        // A subflow may be seen in the dump before it is counted.
        let counted = now.subflows.saturating_sub(before.subflows);
        let seen = self.ahead + self.rates.opened;
        self.view.news = [opened, ended, counted.saturating_sub(seen)];
        self.ahead = seen.saturating_sub(counted);
    }

    /// Makes rows of what was seen.
    #[inline(never)]
    fn make_rows(&mut self, diagnostics: &mut Diagnostics) -> Result<()> {
        let by = self.view.by;
        let table = &mut self.view.table;
        table.make(&self.rates, by);
        if by == By::Connection {
            if self.connections.peers.is_empty() {
                self.connections.read(diagnostics)?;
            }
            for row in &mut table.rows {
                if let Some((peer, _)) = self.connections.find(row.token) {
                    row.addresses[1] = peer.number;
                    row.ports[1] = peer.port;
                }
            }
        }
        if by == By::Path && self.words.is_empty() {
            // Endpoints without subflows are paths too.
            let mut without = Subflow::default();
            for endpoint in &self.places.endpoints {
                let key = key_of(endpoint);
                without.addresses[0] = key;
                without.interface = self.places.of_endpoint(endpoint);
                without.endpoint = endpoint.id().unwrap_or(0);
                let family = if is_ipv4(key) { AF_INET } else { AF_INET6 };
                without.family = family as u8;
                let mut shown = table.rows.iter();
                if without.interface != 0 || !shown.any(|row| row.addresses[0] == key) {
                    table.row(&without, by);
                }
            }
        }
        for row in &mut table.rows {
            let mut links = self.links.iter();
            if !links.any(|link| link.index == row.interface && link.usable) {
                row.state = State::Down;
            }
        }
        Ok(())
    }
}

/// Mixes a number and an address into a hash.
fn mix(sum: &mut u64, number: u32, address: u128) {
    let number = u64::from(number) << 32 ^ address as u64 ^ (address >> 64) as u64;
    *sum = (*sum ^ number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29);
}

/// The kernel's list of connections: if the first subflow has ended or is not selected, the
/// others do not show the peer of the connection, nor whether it fell back.
#[derive(Default)]
struct Connections {
    tokens: Index,
    // In the same order: the peer, and whether it fell back.
    peers: Vec<(End, bool)>,
}

impl Connections {
    fn clear(&mut self) {
        self.tokens.clear();
        self.peers.clear();
    }

    #[inline(never)]
    fn read(&mut self, diagnostics: &mut Diagnostics) -> Result<()> {
        let (mptcp, states) = (Protocol::Mptcp, States::CONNECTED);
        dump(diagnostics, mptcp, states, &Filter::ANY, 0, &mut |socket| {
            let [_, peer] = socket.ends();
            self.tokens.push(token_of(socket), 0);
            self.peers.push((peer, is_fallback(socket)));
            Ok(())
        })
    }

    /// The peer of the connection with this token, and whether it fell back.
    fn find(&self, token: u32) -> Option<&(End, bool)> {
        let place = self.tokens.find(token, 0) as usize;
        self.peers.get(place.checked_sub(1)?)
    }
}

/// Reads the counters of a socket.
#[inline(never)]
fn read_counters(socket: &SocketView, into: &mut Counters) {
    if let Some(tcp) = socket.tcp_info() {
        // SYN and FIN are acknowledged like a byte each, but are none.
        let sent = tcp.bytes_sent().unwrap_or(u64::MAX);
        let acked = tcp.bytes_acked().unwrap_or(0).min(sent);
        let received = tcp.bytes_received().unwrap_or(0);
        *into = [received, acked, tcp.total_retrans().unwrap_or(0).into()];
    }
}
