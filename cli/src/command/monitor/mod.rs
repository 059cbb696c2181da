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
//! One event is passed on at once, and takes two system calls: one that waits
//! for it in the socket, and one that writes it. Only with several sockets, or
//! a reader that is slow, is there more to wait for. While events come in quick
//! succession, a millisecond's worth is taken together, for a fraction of the
//! calls.

mod device;
mod record;
mod snapshot;
mod wanted;

use mptcp_codec::mptcp::Event;
use mptcp_codec::netlink::Messages;

use self::device::Device;
use self::record::Record;
use self::snapshot::Known;
use self::wanted::Wanted;
use super::endpoint::interface_name;
use crate::args::{self, Options};
use crate::error::{status, Error, Kind, Result};
use crate::kernel::sys::{self, Errno, Fd, Interruption, Polled, Received};
use crate::kernel::{netns, Diagnostics, PathManager};
use crate::output::Output;
use crate::session::Session;

/// Default receive buffer: about 5,000 events.
const RECEIVE_BUFFER: u32 = 4 << 20;
/// The same where events have to wait for a snapshot.
const RECEIVE_BUFFER_SNAPSHOT: u32 = 4 * RECEIVE_BUFFER;
/// So many events are received by one call.
const BATCH: usize = sys::MOST;
/// An event is at most 200 bytes.
const EVENT: usize = 1024;
/// Where so many events come within a millisecond or two, the next ones are
/// taken together: that costs three calls.
const SUCCESSION: usize = 4;
/// How long they are left to gather, in milliseconds.
const GATHER: i32 = 1;
/// How long the name of an interface is believed in, in milliseconds.
const NAME_AGE: u64 = 100;

/// Why it ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum End {
    Count,
    Time,
    Signal(u8),
}

/// Prints events until there is an end.
pub fn run(session: &mut Session, args: &args::Monitor) -> Result<u8> {
    let several = args.all_netns || session.options.netns.len() > 1;
    let back = several.then(netns::current).flatten();
    let status = show(session, args);
    if let Some(back) = back {
        // A batch goes on where it was.
        let _ = sys::enter_network_namespace(&back);
    }
    status
}

fn show(session: &mut Session, args: &args::Monitor) -> Result<u8> {
    let wanted = Wanted::parse(args)?;
    // Looked at first: what changes later is told.
    let mut mounts = None;
    if args.all_netns {
        mounts = netns::changes();
    }
    let mut sources = open(session, args, &wanted)?;
    let alone = sources.first_mut().filter(|_| !args.all_netns);
    let alone = alone.map(|one| one.path_manager.socket().fd());
    let signals = Interruption::of(alone, wanted.timeout).map_err(|error| {
        let what = ["cannot wait for signals"];
        Error::system(Kind::Kernel, status::RECEIVE, &what, error)
    })?;
    let room = session.receive_buffer();
    session.out.keep();
    let mut monitor = Monitor {
        out: &mut session.out,
        options: &session.options,
        left: wanted.count,
        wanted,
        args,
        room,
        sources,
        mounts,
        signals,
        buffer: vec![0; EVENT * BATCH],
        dropping: false,
    };
    let end = monitor.watch()?;
    monitor.finish(end)?;
    // A batch goes on as before.
    drop(monitor);
    session.out.stop_keeping();
    Ok(match end {
        End::Count => 0,
        End::Time => status::TIMEOUT,
        End::Signal(_) if args.count.is_none() && args.timeout.is_none() => 0,
        End::Signal(number) => 128 + number,
    })
}

/// A namespace that is watched.
struct Source {
    /// Its name, where there are several.
    netns: Option<String>,
    inode: u64,
    /// It has a name still, where namespaces are followed.
    stays: bool,
    path_manager: PathManager,
    diagnostics: Option<Diagnostics>,
    device: Option<Device>,
    /// What a snapshot has told already.
    known: Option<Known>,
    lost: Lost,
    names: Names,
}

/// Subscribes to the events of the namespaces that are named.
fn open(session: &Session, args: &args::Monitor, wanted: &Wanted) -> Result<Vec<Source>> {
    let names = &session.options.netns;
    let room = session.receive_buffer();
    let mut sources = Vec::new();
    if names.len() < 2 && !args.all_netns {
        // Where we are; there is nothing to tell apart.
        sources.push(Source::open(room, args, wanted, (None, 0))?);
    } else {
        for name in names {
            let opened = netns::open(name)?;
            netns::enter_opened(name, &opened)?;
            let netns = (Some(name.clone()), sys::inode(&opened));
            sources.push(Source::open(room, args, wanted, netns)?);
        }
        if args.all_netns {
            follow(&mut sources, room, args, wanted, names)?;
        }
    }
    // One that comes later may have it.
    if let Some(device) = args.dev.as_ref().filter(|_| !args.all_netns) {
        if sources.iter().all(|source| source.device.is_none()) {
            return Err(Error::invalid(device, "device does not exist"));
        }
    }
    Ok(sources)
}

/// Subscribes to the events of namespaces that have got a name, and leaves
/// those that have lost theirs, but for those that are asked `for_sure`. From
/// where on they are new is told.
fn follow(
    sources: &mut Vec<Source>,
    room: Option<u32>,
    args: &args::Monitor,
    wanted: &Wanted,
    for_sure: &[String],
) -> Result<usize> {
    for source in &mut *sources {
        source.stays = source
            .netns
            .as_ref()
            .is_some_and(|name| for_sure.contains(name));
    }
    let mut new = 0;
    for name in netns::names()? {
        // What cannot be opened has just been deleted.
        let Ok(opened) = netns::open(&name) else {
            continue;
        };
        let inode = sys::inode(&opened);
        let known = |source: &&mut Source| {
            source.netns.as_deref() == Some(&name) && (source.stays || source.inode == inode)
        };
        if let Some(source) = sources.iter_mut().find(known) {
            source.stays = true;
            continue;
        }
        match netns::enter_opened(&name, &opened) {
            // A file that no namespace is mounted on, or none yet.
            Err(error) if error.errno() == libc::EINVAL as u32 => continue,
            result => result?,
        }
        sources.push(Source::open(room, args, wanted, (Some(name), inode))?);
        new += 1;
    }
    sources.retain(|source| source.stays);
    Ok(sources.len() - new)
}

impl Source {
    /// In the namespace that the program is in.
    fn open(
        asked: Option<u32>,
        args: &args::Monitor,
        wanted: &Wanted,
        (netns, inode): (Option<String>, u64),
    ) -> Result<Self> {
        let mut path_manager = PathManager::open(asked)?;
        let snapshots = args.snapshot || args.resync;
        if asked.is_none() {
            let bytes = match snapshots {
                true => RECEIVE_BUFFER_SNAPSHOT,
                false => RECEIVE_BUFFER,
            };
            path_manager.socket().set_receive_buffer(bytes);
        }
        path_manager.subscribe()?;
        let device = match &wanted.device {
            Some(name) => Device::find(path_manager.socket().fd(), name)?,
            None => None,
        };
        let diagnostics = match snapshots {
            true => Some(Diagnostics::open(None)?),
            false => None,
        };
        Ok(Self {
            netns,
            inode,
            stays: true,
            path_manager,
            diagnostics,
            device,
            known: None,
            lost: Lost::default(),
            names: Names::default(),
        })
    }
}

/// Names of interfaces, each looked up once in a while: one that has just been
/// renamed may have its former name in an event.
#[derive(Debug, Default)]
struct Names {
    known: Vec<(i32, Option<Vec<u8>>)>,
    until: u64,
}

impl Names {
    fn get(&mut self, path_manager: &mut PathManager, index: Option<i32>) -> Option<&[u8]> {
        let index = index.filter(|index| *index != 0)?;
        let now = sys::milliseconds();
        if now >= self.until {
            self.known.clear();
            self.until = now + NAME_AGE;
        }
        let known = self.known.iter().position(|(known, _)| *known == index);
        let at = known.unwrap_or_else(|| {
            let name = interface_name(path_manager, index).ok();
            self.known.push((index, name));
            self.known.len() - 1
        });
        self.known.get(at)?.1.as_deref()
    }
}

/// Keeps count of lost events.
#[derive(Debug, Default)]
struct Lost {
    /// The kernel said that it dropped some.
    happened: bool,
    /// How many it had dropped when we asked last.
    before: u32,
    /// How many we dropped ourselves.
    own: u64,
}

impl Lost {
    fn any(&self) -> bool {
        self.happened || self.own > 0
    }

    /// How many were lost since this was asked last; `None` where the kernel
    /// does not count its own.
    fn count(&mut self, fd: &Fd) -> Option<u64> {
        let own = core::mem::take(&mut self.own);
        if !core::mem::take(&mut self.happened) {
            return Some(own);
        }
        let total = sys::dropped(fd).ok()?;
        let before = core::mem::replace(&mut self.before, total);
        Some(own + u64::from(total.wrapping_sub(before)))
    }
}

fn broken(error: Errno) -> Error {
    crate::kernel::receive_error(error).with_status(status::RECEIVE)
}

struct Monitor<'s> {
    out: &'s mut Output,
    options: &'s Options,
    wanted: Wanted,
    args: &'s args::Monitor,
    /// The size of receive buffers that is asked for.
    room: Option<u32>,
    sources: Vec<Source>,
    /// What tells that namespaces may have come or gone, where they are
    /// followed.
    mounts: Option<Fd>,
    signals: Interruption,
    buffer: Vec<u8>,
    /// How many events are still to be shown.
    left: Option<u32>,
    /// Our buffer is full: events are counted and dropped until half of it
    /// has been read.
    dropping: bool,
}

impl Monitor<'_> {
    fn watch(&mut self) -> Result<End> {
        self.snapshots(0)?;
        let mut polled = Vec::new();
        // When those of this succession began to come, and how many have.
        let (mut since, mut succession) = (0, 0);
        let mut gather = false;
        loop {
            self.out.write_ready()?;
            // The reader may just have made room.
            if self.tell_losses(self.args.resync)? {
                self.out.write_ready()?;
            }
            if let Some(number) = self.signals.caught() {
                for at in 0..self.sources.len() {
                    self.drain(at, false)?;
                }
                return Ok(match i32::from(number) {
                    libc::SIGALRM => End::Time,
                    _ => End::Signal(number),
                });
            }
            let mut events = 0;
            let alone = self.sources.len() == 1 && !self.args.all_netns;
            if alone && !gather && self.out.kept() == 0 {
                events = self.drain(0, true)?;
            } else {
                polled.clear();
                if gather {
                    // Only a signal comes between.
                    sys::poll_all(&mut polled, GATHER).map_err(broken)?;
                } else {
                    for source in &mut self.sources {
                        polled.push(Polled::read(source.path_manager.socket().fd()));
                    }
                    polled.push(Polled::read(self.signals.fd()));
                    if let Some(mounts) = &self.mounts {
                        polled.push(Polled::change(mounts));
                    }
                    if self.out.kept() > 0 {
                        polled.push(Polled::write(&Fd::STDOUT));
                    }
                    sys::poll_all(&mut polled, -1).map_err(broken)?;
                }
                for at in 0..self.sources.len() {
                    if polled.get(at).is_none_or(|source| source.ready) {
                        events += self.drain(at, false)?;
                    }
                }
                let mounts = polled.get(self.sources.len() + 1);
                if self.mounts.is_some() && mounts.is_some_and(|mounts| mounts.ready) {
                    self.follow()?;
                }
            }
            if self.left == Some(0) {
                return Ok(End::Count);
            }
            succession += events;
            if gather {
                gather = events >= SUCCESSION;
                succession = 0;
            } else if succession >= SUCCESSION {
                // Who comes alone is not timed.
                let now = sys::milliseconds();
                gather = now - since <= 1;
                (since, succession) = (now, 0);
            }
        }
    }

    /// Looks for namespaces that have come or gone.
    fn follow(&mut self) -> Result<()> {
        let names = &self.options.netns;
        let new = follow(&mut self.sources, self.room, self.args, &self.wanted, names)?;
        self.snapshots(new)
    }

    /// Shows what namespaces from this one on have, where that is wanted.
    fn snapshots(&mut self, from: usize) -> Result<()> {
        for at in from..self.sources.len() {
            if self.args.snapshot {
                self.snapshot(at)?;
            }
        }
        Ok(())
    }

    /// Takes all events that have come to a source, or the one that comes next
    /// to the only source, waiting for it; tells how many.
    fn drain(&mut self, at: usize, wait: bool) -> Result<usize> {
        let mut buffer = core::mem::take(&mut self.buffer);
        if let Some(device) = self.sources.get_mut(at).and_then(|one| one.device.as_mut()) {
            device.may_have_changed();
        }
        let events = match wait {
            true => self.next(at, &mut buffer),
            false => self.all(at, &mut buffer),
        };
        self.buffer = buffer;
        events
    }

    fn next(&mut self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        let Some(source) = self.sources.get_mut(at) else {
            return Ok(0);
        };
        match sys::receive_one(source.path_manager.socket().fd(), buffer) {
            Ok(received) => {
                self.received(at, buffer, &received)?;
                return Ok(1);
            }
            Err(Errno(number)) if number == libc::ENOBUFS as u32 => source.lost.happened = true,
            // There is nothing, or it is told again.
            Err(_) => {}
        }
        self.all(at, buffer)
    }

    fn all(&mut self, at: usize, buffer: &mut [u8]) -> Result<usize> {
        let mut received = [Received::default(); BATCH];
        let mut events = 0;
        while self.left != Some(0) {
            let Some(source) = self.sources.get_mut(at) else {
                break;
            };
            let fd = source.path_manager.socket().fd();
            let count = match sys::receive(fd, buffer, &mut received, false) {
                Ok(count) => count,
                Err(Errno(number)) => match number as i32 {
                    libc::ENOBUFS => {
                        source.lost.happened = true;
                        continue;
                    }
                    libc::EINTR => continue,
                    libc::EAGAIN => break,
                    _ => return Err(broken(Errno(number))),
                },
            };
            events += count;
            for (datagram, received) in buffer.chunks_exact(EVENT).zip(&received).take(count) {
                self.received(at, datagram, received)?;
            }
            // Fewer than there was room for: the queue is empty.
            if count < received.len() {
                break;
            }
            self.out.write_ready()?;
        }
        Ok(events)
    }

    /// Something has come.
    fn received(&mut self, at: usize, buffer: &[u8], received: &Received) -> Result<()> {
        if received.sender != 0 {
            return Ok(());
        }
        match buffer.get(..received.len) {
            Some(datagram) => self.take(at, datagram)?,
            // Longer than any event that we know.
            None => self.lose(at),
        }
        Ok(())
    }

    fn lose(&mut self, at: usize) {
        if let Some(source) = self.sources.get_mut(at) {
            source.lost.own += 1;
        }
    }

    /// Shows the events of a datagram.
    fn take(&mut self, at: usize, datagram: &[u8]) -> Result<()> {
        for message in Messages::new(datagram) {
            let event = message.and_then(|message| Event::decode(&message));
            let Event {
                kind,
                fields,
                attributes,
                ..
            } = event?;
            let Some(source) = self.sources.get_mut(at) else {
                return Ok(());
            };
            if let Some(known) = &mut source.known {
                if known.is_over() {
                    source.known = None;
                } else if known.tells(kind, &fields) {
                    continue;
                }
            }
            if !self.wanted.event(kind) || !self.wanted.fields(source.device.as_mut(), &fields)? {
                continue;
            }
            if self.dropping || self.left == Some(0) {
                source.lost.own += u64::from(self.dropping);
                continue;
            }
            let record = Record {
                netns: source.netns.as_deref(),
                fields,
                sent: Some(attributes),
                interface: source.names.get(&mut source.path_manager, fields.if_idx()),
                ..Record::default()
            };
            record::event(self.out, self.options, kind, &record)?;
            self.left = self.left.map(|left| left - 1);
            self.dropping = self.out.kept() >= self.wanted.buffer;
        }
        Ok(())
    }

    /// Tells of lost events, once there is room for others again; whether
    /// there were any.
    fn tell_losses(&mut self, resync: bool) -> Result<bool> {
        if self.dropping && self.out.kept() > self.wanted.buffer / 2 {
            return Ok(false);
        }
        self.dropping = false;
        let mut told = false;
        for at in 0..self.sources.len() {
            let Some(source) = self.sources.get_mut(at).filter(|source| source.lost.any()) else {
                continue;
            };
            let lost = source.lost.count(source.path_manager.socket().fd());
            let number = [(" lost=", lost.unwrap_or(0))];
            let record = Record {
                netns: source.netns.as_deref(),
                numbers: lost.map_or(&[], |_| &number),
                ..Record::default()
            };
            record::print(self.out, self.options, "OVERRUN", &record)?;
            told = true;
            if resync {
                self.snapshot(at)?;
            }
        }
        Ok(told)
    }

    /// Writes what is left. A second signal ends the waiting for a reader that
    /// does not read.
    fn finish(&mut self, end: End) -> Result<()> {
        self.dropping = false;
        if end != End::Count {
            self.tell_losses(false)?;
        }
        loop {
            self.out.write_ready()?;
            if self.out.kept() == 0 {
                return Ok(());
            }
            let mut polled = [Polled::read(self.signals.fd()), Polled::write(&Fd::STDOUT)];
            sys::poll_all(&mut polled, -1).map_err(broken)?;
            // The end of the time is no reason to hurry.
            let caught = self.signals.caught().map(i32::from);
            if caught.is_some_and(|signal| signal != libc::SIGALRM) {
                self.out.forget();
                let message = ["Error: events were not written: nobody reads them"];
                return Err(Error::new(Kind::File, status::RECEIVE, &message));
            }
        }
    }
}
