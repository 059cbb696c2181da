//! `monitor`.
//!
//! ```text
//! kernel ─► receive buffer ─► our buffer ─► standard output
//!           of the socket     (Output)
//! ```
//!
//! The kernel's buffer is emptied whether or not the reader of the output keeps up; ours
//! grows to a limit, beyond which events are dropped and counted.
//!
//! A single event is passed on immediately, and takes two system calls: one that waits for it
//! in the socket, and one that writes it. Only several sockets or a slow reader need more.
//! While events come in quick succession, a millisecond's worth is handled together, for a
//! fraction of the calls, unless `--no-gather` is given.

mod device;
mod known;
mod namespace;
mod record;
mod screen;
mod snapshot;
mod wanted;

use self::device::Device;
use self::namespace::{Buffers, Namespace};
use self::screen::{broken, wait_for_reader, Screen};
use self::wanted::Wanted;
use crate::args::Options;
use crate::built::MONITOR_MORE;
use crate::error::{status, Error, Kind, Result, Status};
use crate::kernel::{netns, Diagnostics, PathManager};
use crate::output::Form;
use crate::session::{not_built_in, Command, Does, Session};
use crate::sys::{self, Fd, Interruption, Polled};
use crate::zone::Zone;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "monitor",
    words: if MONITOR_MORE {
        "[ --snapshot ] [ --resync ] [ --event NAME ]... [ --token TOKEN ] [ --dev IF ] \
         [ --count N ] [ --timeout SECS ] [ --buffer BYTES ] [ --all-netns ] [ --time ] \
         [ --no-gather ]"
    } else {
        "[ --event NAME ]... [ --token TOKEN ] [ --count N ] [ --timeout SECS ]"
    },
    help: "Print events as they happen.\n\
           A slow reader loses nothing before the buffer is full; OVERRUN then says how many \
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
/// The same if events have to wait for a snapshot.
const RECEIVE_BUFFER_SNAPSHOT: u32 = 4 * RECEIVE_BUFFER;
/// If this many events come within a millisecond or two, the next ones are handled together:
/// that costs three calls.
const SUCCESSION: usize = 4;
/// How long they are left to gather, in milliseconds.
const GATHER: i32 = 1;

/// Prints events until something ends it.
#[inline(never)]
pub fn run(session: &mut Session, args: &Options) -> Result<Status> {
    let several = session.options.netns.len() > 1;
    if several && !MONITOR_MORE {
        return Err(not_built_in(
            "monitor of several namespaces",
            "monitor-more",
        ));
    }
    let several = MONITOR_MORE && several || args.all_netns;
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
    // A batch continues as before, and in the same namespace.
    let out = &mut monitor.screen.session.out;
    out.stop_keeping();
    out.form = Form::default();
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

/// A namespace that is watched.
struct Source {
    namespace: Namespace,
    inode: u64,
    /// It was asked for by its name, and is watched even if it loses that.
    asked: bool,
    /// It still has a name, if namespaces are followed.
    stays: bool,
    /// A snapshot of it is to be shown first.
    unseen: bool,
    diagnostics: Option<Diagnostics>,
}

struct Monitor<'s> {
    screen: Screen<'s>,
    sources: Vec<Source>,
    /// Readable when namespaces may have come or gone, if they are followed.
    mounts: Fd,
    /// The signal that ended it; 0 for the last wanted event.
    end: u8,
}

impl Screen<'_> {
    /// Watches the namespace with this name, which was asked for or found.
    fn enter(&self, sources: &mut Vec<Source>, name: &str, asked: bool) -> Result<()> {
        let opened = match netns::open(name) {
            Ok(opened) => opened,
            // It has just been deleted.
            Err(_) if !asked => return Ok(()),
            Err(error) => return Err(error),
        };
        let inode = sys::inode(&opened);
        for source in &mut *sources {
            // Under whatever names, each event is shown once.
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
        let snapshots = self.has_snapshots();
        let mut path_manager = PathManager::open(room)?;
        if room.is_none() {
            path_manager.socket().set_receive_buffer(match snapshots {
                true => RECEIVE_BUFFER_SNAPSHOT,
                false => RECEIVE_BUFFER,
            });
        }
        path_manager.subscribe()?;
        let mut namespace = Namespace::new(name, path_manager);
        if let Some(name) = self.args.dev {
            namespace.device = Device::find(namespace.path_manager.fd(), name)?;
        }
        let diagnostics = match snapshots {
            true => Some(Diagnostics::open(None)?),
            false => None,
        };
        sources.push(Source {
            namespace,
            inode,
            asked,
            stays: true,
            unseen: self.args.snapshot,
            diagnostics,
        });
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
            // The current namespace; no name is needed to distinguish it.
            screen.subscribe(&mut self.sources, "", 0, true)?;
        }
        let all = args.all_netns;
        if all {
            // Opened first: what changes later is reported.
            self.mounts = netns::changes();
            self.follow()?;
        }
        // A namespace that comes later may have it.
        if let Some(device) = args.dev.filter(|_| !all) {
            let mut namespaces = self.sources.iter().map(|source| &source.namespace);
            if namespaces.all(|namespace| namespace.device.is_none()) {
                return Err(Error::invalid(device, "device does not exist"));
            }
        }
        let alone = self.sources.first_mut().filter(|_| !all);
        let alone = alone.map(|one| one.namespace.path_manager.fd());
        let _signals = Interruption::of(alone, self.screen.wanted.timeout).map_err(|error| {
            let what = "cannot wait for signals";
            Error::system(Kind::Kernel, status::RECEIVE, what, error)
        })?;
        let out = &mut self.screen.session.out;
        out.form = Form::ASSIGNED;
        out.keep();
        self.watch()?;
        self.finish()
    }

    /// Starts watching namespaces that have been given a name, and leaves those that have lost
    /// theirs.
    fn follow(&mut self) -> Result<()> {
        for source in &mut self.sources {
            source.stays = source.asked;
        }
        for name in &netns::names()? {
            if let Some(name) = sys::text(name) {
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
        let mut buffers = Buffers::new();
        let mut polled = Vec::new();
        // When the events of this succession began to come, and how many have.
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
                    source.namespace.drain(screen, &mut buffers, false)?;
                }
                return Ok(());
            }
            let idle = screen.session.out.kept() == 0;
            let all = screen.args.all_netns;
            let alone = self.sources.len() == 1 && !all && !gather && idle;
            polled.clear();
            if !gather && !alone {
                for source in &mut self.sources {
                    polled.push(Polled::read(source.namespace.path_manager.fd()));
                }
                polled.push(Polled::change(&self.mounts));
                polled.push(Polled::interruption());
                if !idle {
                    polled.push(Polled::write(&Fd::STDOUT));
                }
            }
            if !alone {
                // While they gather, only a signal interrupts.
                let time = if gather { GATHER } else { -1 };
                sys::poll_all(&mut polled, time).map_err(broken)?;
            }
            let mut events = 0;
            let mut ready = polled.iter().map(Polled::is_ready);
            for source in &mut self.sources {
                // Either none was waited for, or this one is ready.
                if ready.next().unwrap_or(true) {
                    events += source.namespace.drain(screen, &mut buffers, alone)?;
                }
            }
            if all && ready.next() == Some(true) {
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
                // A single event is not timed.
                let now = sys::milliseconds();
                gather = now - since <= 1 && !self.screen.args.no_gather;
                (since, succession) = (now, 0);
            }
        }
    }

    /// Reports lost events once there is room for others again, and if `snapshots` shows
    /// those that are due. Returns the number of reports.
    fn report(&mut self, snapshots: bool) -> Result<usize> {
        let screen = &mut self.screen;
        let mut reports = 0;
        if screen.dropping && screen.session.out.kept() as u64 > screen.wanted.buffer / 2 {
            return Ok(reports);
        }
        screen.dropping = false;
        for source in &mut self.sources {
            if source.namespace.report_losses(screen) {
                source.unseen |= screen.args.resync;
                reports += 1;
            }
            if !screen.has_snapshots() || !source.unseen || !snapshots {
                continue;
            }
            source.unseen = false;
            if let Some(diagnostics) = &mut source.diagnostics {
                snapshot::show(&mut source.namespace, diagnostics, screen)?;
                reports += 1;
            }
        }
        Ok(reports)
    }

    /// Writes what is left. A second signal ends the wait for a reader that does not read.
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
            // A timeout is no reason to hurry.
            if sys::caught_signal().is_some_and(|signal| signal != SIGALRM) {
                out.forget();
                let message = "Error: events were not written: nobody reads them";
                return Err(Error::new(Kind::File, status::RECEIVE, message));
            }
        }
    }
}
