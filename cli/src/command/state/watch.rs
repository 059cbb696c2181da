//! `watch`.

use std::net::IpAddr;

use mptcp_codec::route;

use super::apply::tell_no_room;
use super::{index_of, print, with_file, Job, Teller};
use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::LinkEvent;
use crate::kernel::Names;
use crate::kernel::{receive_error, RouteSocket, CHANGES};
use crate::output::complain;
use crate::session::Session;
use crate::session::{Command, Does};
use crate::state::changes::{carry_out, command, entries};
use crate::state::file::{File, Mistake};
use crate::state::plan::{among, clashing, push, Action, Entry, Ids, Others, Step};
use crate::sys::{self, Polled};
use crate::text::Text;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "watch",
    about: "Keep endpoints as a state file says while interfaces and addresses change.",
    words: "[ --keep ] [ --remove-on-exit ] FILE",
    help: "Applies the file, then follows: an interface that goes down or loses an address loses \
            the endpoint immediately, one that comes back has it again with the same id. Lines \
            with dev have endpoints only while the interface can carry packets. Prints each change.\n\
            SIGHUP reads the file again; SIGTERM ends it and leaves the endpoints.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp watch /etc/mptcp.state",
    does: Does::Options(run),
};

/// After a change it is quiet for this long before it is followed, in
/// milliseconds: news come in bursts.
const QUIET: u64 = 100;
/// But no change waits longer than this.
const LONGEST: u64 = 1000;
/// After a mistake that may pass, such as too little memory.
const AGAIN: u64 = 1000;
/// So many endpoints are remembered with their ids after they went.
const REMEMBERED: usize = 128;

/// What is known between two looks.
struct Follower<'j> {
    /// The file, and what was there when last looked at.
    job: &'j mut Job,
    keep: bool,
    /// The endpoints that the file stood for then.
    own: Vec<Step>,
    /// Endpoints of the file with the ids they had; none where another took it.
    had: Vec<Entry>,
    /// What was complained of in the last round, and in this: each complaint
    /// between NULs.
    said: Text,
    about: Text,
}

/// When to look again, in milliseconds as [`sys::milliseconds`] counts.
struct Due {
    /// Then, or never while nothing has changed that was not followed yet.
    at: u64,
    /// No later, whatever else changes.
    latest: u64,
}

impl Due {
    const NEVER: Self = Self {
        at: u64::MAX,
        latest: u64::MAX,
    };

    /// Something changed.
    fn note(&mut self, now: u64) {
        self.latest = self.latest.min(now + LONGEST);
        self.at = self.latest.min(now + QUIET);
    }

    /// How long to wait for news, as [`sys::poll`] takes it.
    fn timeout(&self, now: u64) -> i32 {
        match self.at {
            u64::MAX => -1,
            at => i32::try_from(at.saturating_sub(now)).unwrap_or(i32::MAX),
        }
    }
}

#[inline(never)]
pub fn run(session: &mut Session, watch: &Options) -> Result<Status> {
    let file = watch.file()?;
    if file == STANDARD_INPUT {
        let why = "a file that can be read again is needed";
        return Err(Error::invalid("-", why));
    }
    with_file(session, file, &mut |session, job| {
        let mut follower = Follower {
            job,
            keep: watch.keep,
            own: Vec::new(),
            had: Vec::new(),
            said: Text::default(),
            about: Text::default(),
        };
        let ended = follower.run(session, watch.remove_on_exit);
        // Mostly the process ends now.
        core::mem::forget(follower);
        ended
    })
}

/// How soon news must be followed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// They change nothing.
    Nothing,
    /// With what else comes.
    Later,
    /// Something that endpoints hang on is gone: their subflows stall.
    AtOnce,
}

impl Follower<'_> {
    /// Follows until a signal comes, or the first round fails.
    #[inline(never)]
    fn run(&mut self, session: &mut Session, remove_on_exit: bool) -> Result<()> {
        let signals =
            sys::catch_signals(&[libc::SIGHUP, libc::SIGINT, libc::SIGTERM]).map_err(|error| {
                let what = ["cannot wait for signals"];
                Error::system(Kind::Kernel, status::FAILED, &what, error)
            })?;
        // News first: what changes after the first look is then among them.
        let buffer = session.receive_buffer();
        let mut news = RouteSocket::listen(buffer, route::NETLINK_ROUTE, CHANGES)?;
        self.round(session, true)?;
        if self.job.teller.status != 0 {
            return Ok(());
        }
        let mut due = Due::NEVER;
        loop {
            let mut polled = [Polled::read(news.fd()), Polled::read(&signals.fd)];
            let timeout = due.timeout(sys::milliseconds());
            sys::poll_all(&mut polled, timeout).map_err(receive_error)?;
            let [changed, signal] = polled;
            let mut weight = Weight::Nothing;
            if signal.is_ready() {
                match sys::caught(&signals).map(i32::from) {
                    Some(libc::SIGHUP) => weight = self.read_again(),
                    Some(_) if remove_on_exit => return self.remove(session),
                    Some(_) => return Ok(()),
                    None => {}
                }
            }
            if changed.is_ready() {
                let mut links = false;
                news.news(&mut |news| {
                    links |= news.address.is_none();
                    weight = weight.max(self.weigh(news));
                })?;
                // Names move between interfaces; the news tell one name at most.
                if links && weight == Weight::Nothing && self.has_moved(session)? {
                    weight = Weight::Later;
                }
            }
            let now = sys::milliseconds();
            if weight == Weight::Later {
                due.note(now);
            }
            if weight == Weight::AtOnce || due.at <= now {
                due = Due::NEVER;
                if let Err(error) = self.round(session, false) {
                    self.job.teller.complain(0, &error);
                    due.note(sys::milliseconds() + AGAIN);
                }
            }
        }
    }

    fn weigh(&self, news: &LinkEvent) -> Weight {
        let index = news.index;
        if index == 0 {
            return Weight::Later;
        }
        if self
            .job
            .file
            .endpoints
            .iter()
            .all(|line| line.entry.index != index)
        {
            return Weight::Nothing;
        }
        let mut seen = self.job.plan.seen.iter();
        let known =
            seen.find(|old| old.present && old.index == index && old.address == news.address);
        match known {
            None if news.present => Weight::Later,
            None => Weight::Nothing,
            Some(_) if !news.present => Weight::AtOnce,
            Some(old) if old.usable == news.usable => Weight::Nothing,
            Some(_) if news.usable => Weight::Later,
            Some(_) => Weight::AtOnce,
        }
    }

    /// Whether a name of the file is that of another interface now.
    fn has_moved(&self, session: &mut Session) -> Result<bool> {
        let path_manager = session.path_manager()?;
        for declared in &self.job.file.endpoints {
            // What cannot be told, the next round tells.
            if index_of(path_manager, &declared.dev).ok() != Some(declared.entry.index) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the file again.
    fn read_again(&mut self) -> Weight {
        let mut file = File::default();
        let mut teller = Teller {
            status: 0,
            ..self.job.teller
        };
        if let Err(error) = teller.read(&mut file) {
            teller.tell(0, error);
        }
        if teller.status != 0 {
            return Weight::Nothing;
        }
        self.job.file = file;
        Weight::AtOnce
    }

    /// Looks, and makes the endpoints what they should be. The first time
    /// nothing may go wrong: there is an exit status else, which is not 0.
    /// Later on what can be done is done.
    fn round(&mut self, session: &mut Session, first: bool) -> Result<()> {
        self.job.lock.take()?;
        let done = self
            .look(session)
            .and_then(|()| self.follow(session, first));
        self.job.lock.release();
        done
    }

    fn look(&mut self, session: &mut Session) -> Result<()> {
        self.job.look_around(session)?;
        self.job.look(session)?;
        self.about.clear();
        self.job.text.clear();
        for there in &self.job.plan.present {
            if among(&self.own, there) {
                remember(&mut self.had, there);
            }
        }
        Ok(())
    }

    /// Does what a round is for, after the look.
    #[inline(never)]
    fn follow(&mut self, session: &mut Session, first: bool) -> Result<()> {
        let Job { file, plan, .. } = &mut *self.job;
        plan.expand(file, true);
        for had in &self.had {
            plan.ids.mark(had.id, Ids::RESERVED);
        }
        for wanted in &mut plan.wanted {
            if let Some(had) = clashing(&self.had, &wanted.entry) {
                wanted.had = had.id;
            }
        }
        plan.compare_limits(file);
        let others = match self.keep {
            true => Others::StayBut(&self.own),
            false => Others::Go,
        };
        if let Err(Mistake { line, error }) = plan.compare(others) {
            if self.is_new(line, error.plain(), Entry::NONE.address) {
                self.job.teller.report(line, &error, &mut self.job.text);
            }
            if first {
                self.job.teller.status = error.status();
            }
        } else {
            self.job.carry_out(session, !first)?;
            if self.job.teller.status != 0 {
                return Ok(());
            }
            for at in 0..self.job.plan.steps.len() {
                self.account(session, at)?;
            }
            session.out.flush()?;
            core::mem::swap(&mut self.own, &mut self.job.plan.wanted);
        }
        // What was not said the last time.
        complain(self.job.text.as_bytes());
        core::mem::swap(&mut self.said, &mut self.about);
        Ok(())
    }

    /// Prints a step that was done, complains of one that was not.
    #[inline(never)]
    fn account(&mut self, session: &mut Session, at: usize) -> Result<()> {
        let (path_manager, out) = session.path_manager_and_output()?;
        let Job { plan, names, .. } = &mut *self.job;
        let Some(step) = plan.steps.get_mut(at) else {
            return Ok(());
        };
        let (line, address) = (step.line, step.entry.address);
        let no_room = step.left_out();
        let Some(error) = step.error.take() else {
            print(out, path_manager, names, step);
            return Ok(());
        };
        if no_room {
            if self.is_new(line, b"", address) {
                tell_no_room(&self.job.teller, line, address, &mut self.job.text);
            }
            return Ok(());
        }
        // Whatever id was tried.
        let command = command(path_manager, step);
        if self.is_new(0, error.plain(), address) {
            let error = error.within(command.as_bytes());
            self.job.teller.report(line, &error, &mut self.job.text);
        }
        Ok(())
    }

    /// Whether a complaint was not made the last time: of a line or none,
    /// about an address or none.
    fn is_new(&mut self, line: u32, what: &[u8], address: IpAddr) -> bool {
        let start = self.about.as_bytes().len();
        self.about.byte(0);
        self.about.number(line.into());
        self.about.byte(b' ');
        self.about.bytes(what);
        self.about.address(address);
        self.about.byte(0);
        let about = self.about.as_bytes().get(start..).unwrap_or(&[]);
        let mut said = self.said.as_bytes().windows(about.len().max(1));
        said.all(|said| said != about)
    }

    /// Deletes the endpoints of the file.
    #[inline(never)]
    fn remove(&mut self, session: &mut Session) -> Result<()> {
        self.job.lock.take()?;
        let (path_manager, out) = session.path_manager_and_output()?;
        let mut names = Names::default();
        let plan = &mut self.job.plan;
        let mut present = Vec::new();
        entries(path_manager, &mut present)?;
        for there in &present {
            if there.is_implicit() || !among(&self.own, there) {
                continue;
            }
            // One by one: what has gone stays gone.
            plan.steps.clear();
            push(&mut plan.steps, Action::Delete, there);
            carry_out(path_manager, plan, false).map_err(|refused| refused.error)?;
            for step in &plan.steps {
                print(out, path_manager, &mut names, step);
            }
        }
        Ok(())
    }
}

/// Keeps in mind which id an endpoint has.
#[inline(never)]
fn remember(all: &mut Vec<Entry>, there: &Entry) {
    let mut place = None;
    for had in &mut *all {
        if had.id == there.id || had.clashes(there) {
            // There may be two: one that had the id, one that has it now.
            *had = Entry::NONE;
            place = Some(had);
        }
    }
    if let Some(place) = place {
        *place = *there;
        return;
    }
    if all.len() == REMEMBERED {
        all.remove(0);
    }
    all.push(*there);
}
