//! `watch`.

use std::cmp::Ordering;

use mptcp_codec::route;

use super::heal::Healer;
use super::hook::Hooks;
use super::log::Stream;
use super::{routes, timeout, with_file, Job, LONGEST_PAUSE};
use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::key::key_of;
use crate::kernel::LinkEvent;
use crate::kernel::{receive_error, NewsSocket, PathManager, CHANGES, ROUTES};
use crate::output::Output;
use crate::session::{Command, Does, Session};
use crate::state::changes::entries;
use crate::state::endpoint::clashes;
use crate::state::file::{Declared, File};
use crate::state::plan::{among, remember, Plan};
use crate::sys::{self, Fd, Polled, Signals};

/// A change is followed when nothing else has changed for this long, in milliseconds: news come
/// in bursts.
const QUIET: u64 = 100;
/// But no change has to wait longer than this.
const LONGEST: u64 = 1000;
/// What failed is retried after this time, then after twice that, and so on.
const FIRST_PAUSE: u64 = 1000;

/// What is known between two rounds.
// Frequently used fields come first, in this order: their offset is one byte in an instruction.
#[repr(C)]
struct Follower<'j> {
    /// The file, and the state at the last look.
    job: &'j mut Job,
    options: &'j Options,
    /// When to look again, as [`sys::milliseconds`] counts: never, unless there is a change
    /// that was not followed yet.
    due: u64,
    /// No later than this, whatever else changes.
    latest: u64,
    /// After how long to retry what failed.
    pause: u64,
    /// The file was read since the last round.
    fresh: bool,
    /// No round has been made yet.
    first: bool,
    /// It is the last round, in which the endpoints of the file are deleted.
    last: bool,
    json: bool,
    healer: Healer,
    hooks: Hooks,
    output: Stream,
    errors: Stream,
}

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "watch",
    words: "[ --keep ] [ --keep-flags ] [ --allow-empty ] [ --no-heal ] [ --exec PROGRAM ] [ --remove-on-exit ] FILE",
    help: "Keep endpoints as a state file says while interfaces and addresses change.\n\
           Applies the file, then follows: an interface that goes down or loses an address loses \
            the endpoint immediately, one that comes back has it again with the same id. Lines \
            with dev have endpoints only while the interface can carry packets. Prints each change. \
            What is refused is tried again and holds up nothing else. An endpoint that connections \
            could use and none does is deleted and added again: the kernel opens subflows then.\n\
            SIGHUP reads the file again; SIGTERM ends it and leaves the endpoints.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp watch /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
fn run(session: &mut Session, watch: &Options) -> Result<Status> {
    // First of all: signals have been held back until now.
    let signals = sys::catch_signals(sys::ENDING_OR_CHILD).map_err(|error| {
        let what = "cannot wait for signals";
        Error::system(Kind::Kernel, status::FAILED, what, error)
    })?;
    sys::ignore(libc::SIGPIPE);
    let file = watch.file()?;
    if file == STANDARD_INPUT {
        let why = "a file that can be read again is needed";
        return Err(Error::invalid("-", why));
    }
    let json = session.options.json;
    with_file(session, file, true, &mut |session, job| {
        if let Err(error) = job.reporter.check_content(&job.file, watch.allow_empty) {
            job.reporter.report(&error);
        }
        job.plan.follows = true;
        let mut follower = Follower {
            job,
            options: watch,
            fresh: true,
            first: true,
            last: false,
            json,
            output: Stream::new(Fd::STDOUT),
            errors: Stream::new(Fd::STDERR),
            healer: Healer::default(),
            hooks: Hooks::new(watch.exec),
            due: 0,
            latest: u64::MAX,
            pause: FIRST_PAUSE,
        };
        session.out.keep();
        let ended = follower.run(session, &signals);
        follower.hooks.stop();
        follower.write(&mut session.out);
        session.out.stop_keeping();
        // What was reported earlier did not end it.
        follower.job.reporter.status = 0;
        // Usually the process ends now.
        core::mem::forget(follower);
        ended
    })
}

/// How soon news must be followed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// They change nothing.
    Nothing,
    /// Together with later news.
    Later,
    /// Something that endpoints need is gone: their subflows stall.
    Now,
}

impl Follower<'_> {
    /// Follows changes until a signal comes, or if the first round fails.
    #[inline(never)]
    fn run(&mut self, session: &mut Session, signals: &Signals) -> Result<()> {
        let buffer = session.receive_buffer();
        let (path_manager, out) = session.path_manager_and_output()?;
        // The subscription first: then it reports what changes after the first look.
        let mut news = NewsSocket::listen(buffer, route::NETLINK_ROUTE, CHANGES)?;
        let mut hears_routes = false;
        if !self.options.no_heal {
            if let Err(error) = self.healer.start() {
                let warning = error.within(b"dead paths are not opened again");
                self.job.reporter.report(&warning.with_status(0));
            }
        }
        loop {
            let now = sys::milliseconds();
            let (mut done, mut made) = (Ok(()), false);
            if self.healer.due() <= now {
                done = self.heal(path_manager);
                if done.is_err() {
                    self.healer.look_in(5000);
                }
            }
            let routes_matter = self.job.file.has_uplinks() || self.healer.waits_for_routes();
            if routes_matter != hears_routes {
                hears_routes = routes_matter;
                done = done.and(news.listen_to_routes(hears_routes));
            }
            if self.due <= now && done.is_ok() {
                self.due = u64::MAX;
                self.latest = u64::MAX;
                made = true;
                match self.round(path_manager, out, &signals.fd) {
                    // A signal takes precedence.
                    Ok(false) => (self.due, made) = (0, false),
                    Ok(true) => {
                        if self.first && !self.job.plan.own.is_empty() {
                            self.healer.look_in(FIRST_PAUSE);
                        }
                        self.first = false;
                        if self.last && self.hooks.are_over() {
                            return Ok(());
                        }
                    }
                    Err(error) => done = Err(error),
                }
            }
            match done {
                Err(error) if self.first || self.last => return Err(error),
                Err(error) => self.trouble(&error),
                Ok(()) => {}
            }
            if made {
                self.job.complaints.turn();
            }
            if core::mem::take(&mut self.job.complaints.failed) {
                self.due = self.due.min(sys::milliseconds() + self.pause);
                self.pause = LONGEST_PAUSE.min(2 * self.pause);
            }
            self.write(out);
            let mut polled = [
                Polled::read(&signals.fd),
                Polled::read(news.fd()),
                self.healer.polled(),
                self.output.polled(),
                self.errors.polled(),
            ];
            let due = self.due.min(self.healer.due()).min(self.hooks.due());
            sys::poll_all(&mut polled, timeout(due)).map_err(receive_error)?;
            let [signal, changed, ended, output, errors] = &polled;
            let mut weight = Weight::Nothing;
            if signal.is_ready() {
                match sys::caught(signals).map(i32::from) {
                    None | Some(libc::SIGCHLD) => {}
                    Some(libc::SIGHUP) if !self.last => weight = self.read_again(),
                    Some(_) if self.options.remove_on_exit && !self.last => {
                        // The endpoints of the file are deleted.
                        self.job.file = File::default();
                        self.last = true;
                        weight = Weight::Now;
                    }
                    Some(_) => return Ok(()),
                }
            }
            if output.is_ready() || errors.is_ready() {
                self.output.write(self.json);
                self.errors.write(self.json);
            }
            if self.hooks.due() != u64::MAX && self.hooks.hear(&mut self.job.reporter) {
                self.due = 0;
            }
            // What cannot be received is found out by looking.
            let mut heard = Ok(());
            if ended.is_ready() {
                heard = self.healer.hear(&self.job.plan.own);
            }
            if changed.is_ready() {
                heard = heard.and(self.hear(path_manager.fd(), &mut news, &mut weight));
            }
            if let Err(error) = heard {
                self.trouble(&error);
                weight = weight.max(Weight::Later);
            }
            if weight != Weight::Nothing {
                self.pause = FIRST_PAUSE;
                let now = sys::milliseconds();
                self.latest = self.latest.min(now + LONGEST);
                self.due = match weight {
                    Weight::Now => 0,
                    _ => self.latest.min(now + QUIET),
                };
            }
        }
    }

    /// Takes news; says how soon they must be followed.
    fn hear(&mut self, fd: &Fd, news: &mut NewsSocket, weight: &mut Weight) -> Result<()> {
        let mut renamed = false;
        news.news(&mut |news| {
            if news.index == ROUTES {
                self.healer.reroute();
            } else if news.address == 0 {
                self.job.names.look_again(fd, news.index);
                renamed = true;
            }
            *weight = (*weight).max(self.weigh(news));
        })?;
        // Names may move between interfaces, and the news mention only one of them.
        if renamed && *weight == Weight::Nothing && self.job.find_interfaces(fd)? != 0 {
            *weight = Weight::Later;
        }
        Ok(())
    }

    fn weigh(&self, news: &LinkEvent) -> Weight {
        let index = news.index;
        let file = &self.job.file;
        match index {
            0 => return Weight::Later,
            ROUTES if file.has_uplinks() => return Weight::Later,
            _ => {}
        }
        let concerns = |line: &Declared| {
            line.indexes.contains(&index)
                || news.address != 0 && news.address == key_of(&line.endpoint)
        };
        if !file.endpoints.iter().any(concerns) {
            return Weight::Nothing;
        }
        let mut seen = self.job.plan.seen.iter();
        let known =
            seen.find(|old| old.present && old.index == index && old.address == news.address);
        // 0: it does not exist; 1: it is not usable; 2: it is.
        let before = known.map_or(0, |old| 1 + u8::from(old.usable));
        let now = u8::from(news.present) * (1 + u8::from(news.usable));
        match now.cmp(&before) {
            Ordering::Less => Weight::Now,
            Ordering::Equal => Weight::Nothing,
            Ordering::Greater => Weight::Later,
        }
    }

    /// Reads the file again.
    #[inline(never)]
    fn read_again(&mut self) -> Weight {
        let mut file = File::default();
        let reporter = &mut self.job.reporter;
        reporter.status = 0;
        let mut read = reporter.read(&mut file);
        if reporter.status == 0 {
            let allow_empty = self.options.allow_empty;
            read = read.and_then(|()| reporter.check_content(&file, allow_empty));
        }
        if let Err(error) = read {
            reporter.report(&error);
        }
        if reporter.status != 0 {
            return Weight::Nothing;
        }
        core::mem::swap(&mut self.job.file, &mut file);
        for declared in &mut self.job.file.endpoints {
            // An address that was once on an interface of this host is not one of another host.
            let known = |old: &Declared| old.local && clashes(&old.endpoint, &declared.endpoint);
            declared.local = file.endpoints.iter().any(known);
        }
        self.fresh = true;
        Weight::Now
    }

    /// Passes the output to the log.
    fn write(&mut self, out: &mut Output) {
        let text = &mut self.job.reporter.text;
        self.output.add(self.json, out.buffer().as_bytes());
        self.errors.add(self.json, text.as_bytes());
        text.clear();
        out.forget();
    }

    /// Makes a round: looks, and makes the endpoints what they should be, as far as
    /// possible; false if `until` became readable before the lock could be taken.
    #[inline(never)]
    fn round(
        &mut self,
        path_manager: &mut PathManager,
        out: &mut Output,
        until: &Fd,
    ) -> Result<bool> {
        let locked = self.job.lock.take(until);
        if !self.last && !locked? {
            return Ok(false);
        }
        let done = self.follow(path_manager, out.style.json);
        self.job.lock.release();
        done?;
        self.hooks.note(&self.job.plan);
        let Plan { own, wanted, .. } = &mut self.job.plan;
        core::mem::swap(own, wanted);
        self.hooks.start(self.job, path_manager.fd())?;
        if self.fresh {
            self.job.check_names(true);
        }
        self.job.account(path_manager, out, true);
        self.fresh = false;
        Ok(true)
    }

    /// Does the work of a round, with the lock held.
    #[inline(never)]
    fn follow(&mut self, path_manager: &mut PathManager, json: bool) -> Result<()> {
        // In the last round only endpoints matter.
        if !self.last {
            self.job.look_around(path_manager)?;
        }
        self.job.look(path_manager)?;
        let plan = &mut self.job.plan;
        for existing in &plan.present {
            if among(&plan.own, existing) {
                remember(&mut plan.had, existing);
            }
        }
        // A program is called with the id before the endpoint has it, and JSON shows the id.
        plan.numbered = self.hooks.exist() || json;
        plan.keeps_flags = self.options.keep_flags;
        // A process that may change nothing need not go on.
        plan.needs_rights = self.first;
        // An empty file changes nothing.
        let empty = self.job.file.is_empty() && !self.options.allow_empty;
        let keep = self.options.keep || empty;
        self.job.plan(keep)?;
        if self.hooks.exist() {
            self.hooks.hold_back(&mut self.job.plan);
        }
        self.job.carry_out(path_manager)
    }

    /// Reports an error that may pass, unless it was reported last time.
    fn trouble(&mut self, error: &Error) {
        self.job.complaints.failed = true;
        self.job.complaints.report(error, &mut self.job.reporter);
    }

    /// Finds endpoints that connections could use and none does: the next round re-adds them.
    fn heal(&mut self, path_manager: &mut PathManager) -> Result<()> {
        let plan = &mut self.job.plan;
        entries(path_manager, &mut plan.present)?;
        let buffer = self.job.buffer;
        let ask = routes(&mut self.job.routes, buffer)?;
        if self.healer.look(buffer, ask, plan)? != 0 {
            self.due = 0;
        }
        Ok(())
    }
}
