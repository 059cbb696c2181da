//! `monitor`.
//!
//! ```text
//! kernel ─► receive buffer ─► our buffer ─► standard output
//!           of the socket     (Output)
//! ```
//!
//! The kernel's buffer is emptied whether or not the reader of the output
//! keeps up; ours grows to a bound, past which events are dropped and counted.
//!
//! One event is passed on immediately, and takes two system calls: one that waits
//! for it in the socket, and one that writes it. Only with several sockets, or
//! a reader that is slow, is there more to wait for. While events come in quick
//! succession, a millisecond's worth is taken together, for a fraction of the
//! calls, unless `--no-gather` is given.

mod device;
mod record;
mod snapshot;
mod wanted;

use mptcp_codec::generic::Generic;
use mptcp_codec::mptcp::EventAttributes;
use mptcp_codec::netlink::Messages;

use self::device::Device;
use self::snapshot::Known;
use self::wanted::{Wanted, MORE};
use crate::args::Options;
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result, Status};
use crate::kernel::{netns, Diagnostics, Names, PathManager};
use crate::session::{not_built_in, Command, Does, Session};
use crate::sys::{self, Fd, Interruption, Polled, Received};
use crate::zone::Zone;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "monitor",
    about: "Print events as they happen.",
    words: if MORE {
        "[ --snapshot ] [ --resync ] [ --event NAME ]... [ --token TOKEN ] [ --dev IF ] \
         [ --count N ] [ --timeout SECS ] [ --buffer BYTES ] [ --all-netns ] [ --time ] \
         [ --no-gather ]"
    } else {
        "[ --event NAME ]... [ --token TOKEN ] [ --count N ] [ --timeout SECS ]"
    },
    help: "A slow reader loses nothing before the buffer is full; OVERRUN then says how many \
            events were lost.\n\
            Exit status: 0 count reached, or a signal without --count and --timeout; 124 time \
            over; 128+N signal N; 254 cannot receive.\n\
            The kernel takes any listener to events, in any namespace, for a user-space path \
            manager, where connections have one.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp monitor --event SF_CLOSED --count 1 --timeout 60",
    does: Does::Options(run),
};

/// Default receive buffer: about 5,000 events.
const RECEIVE_BUFFER: u32 = 4 << 20;
/// The same where events have to wait for a snapshot.
const RECEIVE_BUFFER_SNAPSHOT: u32 = 4 * RECEIVE_BUFFER;
/// The number of events that one call receives.
const BATCH: usize = sys::MOST;
/// An event is at most 200 bytes.
const EVENT: usize = 1024;
/// Where this many events come within a millisecond or two, the next ones are
/// taken together: that costs three calls.
const SUCCESSION: usize = 4;
/// How long they are left to gather, in milliseconds.
const GATHER: i32 = 1;
/// How long the name of an interface is believed in, in milliseconds.
const NAME_AGE: u64 = 100;

/// Prints events until there is an end.
#[inline(never)]
pub fn run(session: &mut Session, args: &Options) -> Result<Status> {
    let several = session.options.netns.len() > 1;
    if several && !MORE {
        return Err(not_built_in(
            "monitor of several namespaces",
            "monitor-more",
        ));
    }
    let several = MORE && (several || args.all_netns);
    let back = several.then(netns::current).flatten();
    let mut monitor = Monitor {
        screen: Screen {
            session,
            args,
            wanted: Wanted::ALL,
            zone: Zone::default(),
            dropping: false,
        },
        sources: Vec::new(),
        mounts: Fd::NONE,
        end: 0,
    };
    let result = monitor.run(several);
    let end = monitor.end;
    // A batch goes on as before, and where it was.
    monitor.screen.session.out.stop_keeping();
    drop(monitor);
    if let Some(back) = back {
        let _ = sys::enter_network_namespace(&back);
    }
    result?;
    Ok(match end {
        0 => 0,
        SIGALRM => status::TIMEOUT,
        _ if args.count.is_none() && args.timeout.is_none() => 0,
        signal => 128 + Status::from(signal),
    })
}

/// The signal that ends the monitor when its time is over.
const SIGALRM: u8 = libc::SIGALRM as u8;

/// Where records of all namespaces go.
struct Screen<'s> {
    session: &'s mut Session,
    args: &'s Options,
    wanted: Wanted,
    /// Of the times of records, where they are wanted.
    zone: Zone,
    /// Our buffer is full: events are counted and dropped until half of it
    /// has been read.
    dropping: bool,
}

/// What is watched, and what it is asked for first.
struct Source {
    namespace: Namespace,
    inode: u64,
    /// It was asked for by its name, and is watched whatever becomes of that.
    asked: bool,
    /// It has a name still, where namespaces are followed.
    stays: bool,
    /// What it has is to be shown first.
    unseen: bool,
    diagnostics: Option<Diagnostics>,
}

/// A namespace and its events.
struct Namespace {
    /// Its name, where there are several.
    name: String,
    path_manager: PathManager,
    /// What a snapshot has shown already.
    known: Known,
    device: Option<Device>,
    /// The kernel reported that it dropped events.
    overrun: bool,
    /// How many it had dropped when we asked last.
    dropped: u32,
    /// How many we dropped ourselves.
    lost: u64,
    /// Names of interfaces, each looked up once in a while: one that has just
    /// been renamed may have its former name in an event.
    names: Names,
    names_until: u64,
}

fn broken(error: Errno) -> Error {
    crate::kernel::receive_error(error).with_status(status::RECEIVE)
}

struct Monitor<'s> {
    screen: Screen<'s>,
    sources: Vec<Source>,
    /// Readable when namespaces may have come or gone, where they are
    /// followed.
    mounts: Fd,
    /// The signal that was the end; 0 where it was the last event that is
    /// wanted.
    end: u8,
}

impl Screen<'_> {
    /// Watches the namespace of this name, which was asked for or found.
    fn enter(&self, sources: &mut Vec<Source>, name: &str, asked: bool) -> Result<()> {
        let opened = match netns::open(name) {
            Ok(opened) => opened,
            // It has just been deleted.
            Err(_) if !asked => return Ok(()),
            Err(error) => return Err(error),
        };
        let inode = sys::inode(&opened);
        for source in &mut *sources {
            // Whatever it is called, each event is shown once.
            if source.inode == inode {
                source.stays = true;
                return Ok(());
            }
        }
        match netns::enter_opened(name, &opened) {
            // A file that no namespace is mounted on, or none yet.
            Err(error) if !asked && error.errno() == libc::EINVAL as usize => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.subscribe(sources, name, inode, asked),
        }
    }

    /// Subscribes to the events of the namespace that the program is in.
    fn subscribe(
        &self,
        sources: &mut Vec<Source>,
        name: &str,
        inode: u64,
        asked: bool,
    ) -> Result<()> {
        let room = self.session.receive_buffer();
        let snapshots = MORE && (self.args.snapshot || self.args.resync);
        let mut source = Source {
            namespace: Namespace {
                path_manager: PathManager::open(room)?,
                name: String::from(name),
                known: Known::default(),
                device: None,
                overrun: false,
                dropped: 0,
                lost: 0,
                names: Names::default(),
                names_until: 0,
            },
            inode,
            asked,
            stays: true,
            unseen: MORE && self.args.snapshot,
            diagnostics: None,
        };
        let path_manager = &mut source.namespace.path_manager;
        if room.is_none() {
            path_manager.socket().set_receive_buffer(match snapshots {
                true => RECEIVE_BUFFER_SNAPSHOT,
                false => RECEIVE_BUFFER,
            });
        }
        path_manager.subscribe()?;
        if let Some(name) = self.args.dev.filter(|_| MORE) {
            source.namespace.device = Device::find(path_manager.socket().fd(), name)?;
        }
        if snapshots {
            source.diagnostics = Some(Diagnostics::open(None)?);
        }
        sources.push(source);
        Ok(())
    }
}

impl Monitor<'_> {
    fn run(&mut self, several: bool) -> Result<()> {
        let screen = &mut self.screen;
        let args = screen.args;
        screen.wanted.parse(args)?;
        let options = &screen.session.options;
        if options.timestamp || options.tshort || args.time {
            screen.zone.load();
        }
        if several {
            for name in &options.netns {
                screen.enter(&mut self.sources, name, true)?;
            }
        } else {
            // Where we are; there is nothing to tell apart.
            screen.subscribe(&mut self.sources, "", 0, true)?;
        }
        let all = MORE && args.all_netns;
        if all {
            // Opened first: what changes later is reported.
            self.mounts = netns::changes();
            self.follow()?;
        }
        // One that comes later may have it.
        if let Some(device) = args.dev.filter(|_| MORE && !all) {
            let mut namespaces = self.sources.iter().map(|source| &source.namespace);
            if namespaces.all(|namespace| namespace.device.is_none()) {
                return Err(Error::invalid(device, "device does not exist"));
            }
        }
        let alone = self.sources.first_mut().filter(|_| !all);
        let alone = alone.map(|one| one.namespace.path_manager.socket().fd());
        let _signals = Interruption::of(alone, self.screen.wanted.timeout).map_err(|error| {
            let what = ["cannot wait for signals"];
            Error::system(Kind::Kernel, status::RECEIVE, &what, error)
        })?;
        self.screen.session.out.keep();
        self.watch()?;
        self.finish()
    }

    /// Looks for namespaces that have got a name, and leaves those that have
    /// lost theirs.
    fn follow(&mut self) -> Result<()> {
        for source in &mut self.sources {
            source.stays = source.asked;
        }
        for name in &netns::names()? {
            if let Ok(name) = core::str::from_utf8(name) {
                self.screen.enter(&mut self.sources, name, false)?;
            }
        }
        let mut at = 0;
        while let Some(source) = self.sources.get(at) {
            if source.stays {
                at += 1;
            } else {
                self.sources.remove(at);
            }
        }
        Ok(())
    }

    fn watch(&mut self) -> Result<()> {
        let mut buffer = vec![0; EVENT * BATCH];
        let mut polled = Vec::new();
        // When those of this succession began to come, and how many have.
        let (mut since, mut succession) = (0, 0);
        let mut gather = false;
        loop {
            self.screen.session.out.write_ready()?;
            // The reader may just have made room.
            if self.report(true)? > 0 {
                self.screen.session.out.write_ready()?;
            }
            let screen = &mut self.screen;
            if let Some(signal) = sys::caught_signal() {
                self.end = signal;
                for source in &mut self.sources {
                    source.namespace.drain(screen, &mut buffer, false)?;
                }
                return Ok(());
            }
            let idle = screen.session.out.kept() == 0;
            let all = MORE && screen.args.all_netns;
            let alone = self.sources.len() == 1 && !all && !gather && idle;
            polled.clear();
            if !gather && !alone {
                for source in &mut self.sources {
                    let socket = source.namespace.path_manager.socket();
                    polled.push(Polled::read(socket.fd()));
                }
                polled.push(Polled::change(&self.mounts));
                polled.push(Polled::interruption());
                if !idle {
                    polled.push(Polled::write(&Fd::STDOUT));
                }
            }
            if !alone {
                // While they gather, only a signal comes between.
                let time = if gather { GATHER } else { -1 };
                sys::poll_all(&mut polled, time).map_err(broken)?;
            }
            let mut events = 0;
            let mut ready = polled.iter().map(Polled::is_ready);
            for source in &mut self.sources {
                // None was waited for, or this one was.
                if ready.next().unwrap_or(true) {
                    events += source.namespace.drain(screen, &mut buffer, alone)?;
                }
            }
            if MORE && ready.next() == Some(true) {
                self.follow()?;
            }
            if self.screen.wanted.count == 0 {
                return Ok(());
            }
            succession += events;
            if gather {
                gather = events >= SUCCESSION;
                succession = 0;
            } else if succession >= SUCCESSION {
                // Who comes alone is not timed.
                let now = sys::milliseconds();
                gather = now - since <= 1 && !self.screen.args.no_gather;
                (since, succession) = (now, 0);
            }
        }
    }

    /// Reports lost events once there is room for others again, and shows what is
    /// to be shown first, if `snapshots` are taken. Returns the number of reports.
    fn report(&mut self, snapshots: bool) -> Result<usize> {
        let screen = &mut self.screen;
        let mut reports = 0;
        if screen.dropping && screen.session.out.kept() as u64 > screen.wanted.buffer / 2 {
            return Ok(reports);
        }
        screen.dropping = false;
        for source in &mut self.sources {
            if source.namespace.overrun || source.namespace.lost > 0 {
                source.namespace.report_losses(screen)?;
                source.unseen |= MORE && screen.args.resync;
                reports += 1;
            }
            if MORE && source.unseen && snapshots {
                source.unseen = false;
                source.snapshot(screen)?;
                reports += 1;
            }
        }
        Ok(reports)
    }

    /// Writes what is left. A second signal ends the waiting for a reader that
    /// does not read.
    fn finish(&mut self) -> Result<()> {
        self.screen.dropping = false;
        if self.end != 0 {
            self.report(false)?;
        }
        let out = &mut self.screen.session.out;
        loop {
            out.write_ready()?;
            if out.kept() == 0 {
                return Ok(());
            }
            wait_for_reader()?;
            // The end of the time is no reason to hurry.
            if sys::caught_signal().is_some_and(|signal| signal != SIGALRM) {
                out.forget();
                let message = ["Error: events were not written: nobody reads them"];
                return Err(Error::new(Kind::File, status::RECEIVE, &message));
            }
        }
    }
}

/// Waits until the reader of the output takes some, or a signal comes: whether
/// one has.
fn wait_for_reader() -> Result<bool> {
    let mut polled = [Polled::write(&Fd::STDOUT), Polled::interruption()];
    sys::poll_all(&mut polled, -1).map_err(broken)?;
    Ok(polled[1].is_ready())
}

impl Namespace {
    /// Takes all events that have come, and waits for the first of them if there is
    /// to be one; returns how many.
    fn drain(&mut self, screen: &mut Screen, buffer: &mut [u8], mut wait: bool) -> Result<usize> {
        if let Some(device) = self.device.as_mut().filter(|_| MORE) {
            device.fresh = false;
        }
        let mut received = [Received::default(); BATCH];
        let mut events = 0;
        while screen.wanted.count > 0 {
            let fd = self.path_manager.socket().fd();
            match sys::receive(fd, buffer, &mut received, wait) {
                Ok(count) => {
                    events += count;
                    for (datagram, received) in
                        buffer.chunks_exact(EVENT).zip(&received).take(count)
                    {
                        self.take(screen, datagram, received)?;
                    }
                    // Fewer than there was room for: the queue is empty.
                    if count < BATCH {
                        break;
                    }
                }
                Err(Errno(number)) if number == libc::ENOBUFS as usize => self.overrun = true,
                Err(Errno(number)) if number == libc::EAGAIN as usize => break,
                Err(error) => return Err(broken(error)),
            }
            wait = false;
            screen.session.out.write_ready()?;
        }
        Ok(events)
    }

    /// Shows the events of a datagram.
    fn take(&mut self, screen: &mut Screen, buffer: &[u8], received: &Received) -> Result<()> {
        if received.sender != 0 {
            return Ok(());
        }
        let Some(datagram) = buffer.get(..received.len) else {
            // Longer than any event that we know.
            self.lost += 1;
            return Ok(());
        };
        for message in Messages::new(datagram) {
            let Generic {
                command,
                attributes,
                ..
            } = Generic::decode(&message?)?;
            let mut fields = EventAttributes::EMPTY;
            fields.update(attributes)?;
            if MORE && self.known.has(command, &fields)
                || !screen.wanted.event(command)
                || !self.is_wanted(screen, &fields)?
            {
                continue;
            }
            if screen.dropping {
                self.lost += 1;
                continue;
            }
            if screen.wanted.count == 0 {
                continue;
            }
            screen.wanted.count -= 1;
            record::begin_event(screen, command, &self.name);
            let out = &mut screen.session.out;
            record::attributes(out, &fields, self.interface(&fields));
            record::unnamed(out, &fields, attributes);
            out.end_record();
            screen.dropping = out.kept() as u64 >= screen.wanted.buffer;
        }
        Ok(())
    }

    /// Whether an event of a connection or subflow is wanted.
    fn is_wanted(&mut self, screen: &Screen, fields: &EventAttributes) -> Result<bool> {
        let token = screen.wanted.token;
        if token.is_some() && fields.token() != token {
            return Ok(false);
        }
        match &mut self.device {
            Some(device) if MORE => device.has(fields),
            _ => Ok(!MORE || screen.args.dev.is_none()),
        }
    }

    /// The name of the interface of an event, empty where there is none.
    fn interface(&mut self, fields: &EventAttributes) -> &[u8] {
        let index = fields.if_idx().unwrap_or(0);
        if index == 0 {
            return &[];
        }
        let now = sys::milliseconds();
        if now >= self.names_until {
            self.names.clear();
            self.names_until = now + NAME_AGE;
        }
        self.names
            .of_existing(self.path_manager.socket().fd(), index)
    }

    /// Reports how many events were lost since the last report; no number
    /// where the kernel does not count its own.
    fn report_losses(&mut self, screen: &mut Screen) -> Result<()> {
        record::begin(screen, "OVERRUN", &self.name);
        let out = &mut screen.session.out;
        let mut lost = Some(core::mem::take(&mut self.lost));
        if core::mem::take(&mut self.overrun) {
            match sys::dropped(self.path_manager.socket().fd()) {
                Ok(total) => {
                    let before = core::mem::replace(&mut self.dropped, total);
                    lost = lost.map(|own| own + u64::from(total.wrapping_sub(before)));
                }
                Err(_) => lost = None,
            }
        }
        record::number(out, "lost", lost.map(|lost| lost as i64));
        out.end_record();
        Ok(())
    }
}
