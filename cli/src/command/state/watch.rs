//! `watch`.

use std::net::IpAddr;

use mptcp_codec::mptcp::Endpoint;
use mptcp_codec::route;

use super::apply::no_room;
use super::heal::Healer;
use super::hook::Hooks;
use super::log::Log;
use super::{index_of, print, print_setting, with_file, Job, Teller};
use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::{interface, LinkEvent};
use crate::kernel::{receive_error, RouteSocket, CHANGES, ROUTE_CHANGES};
use crate::session::{Command, Does, Session};
use crate::state::changes::{carry_out, command, entries, Manner};
use crate::state::file::{is_pattern, matches_pattern, Declared, File};
use crate::state::plan::{
    address_of, among, clashes, clashing, id_of, is_implicit, push, Action, Ids, Plan, Step,
};
use crate::sys::{self, Polled, Signals};
use crate::text::Text;

/// After a change it is quiet for this long before it is followed, in
/// milliseconds: news come in bursts.
const QUIET: u64 = 100;
/// But no change waits longer than this.
const LONGEST: u64 = 1000;
/// What failed is tried again after this long, then after twice as long, and so
/// on.
const FIRST_PAUSE: u64 = 1000;
/// But no later than after this.
const LONGEST_PAUSE: u64 = 300_000;
/// How many endpoints are remembered with their ids after they are gone.
const REMEMBERED: usize = 128;

/// What is known between two looks.
struct Follower<'j> {
    /// The file, and what was there when last looked at.
    job: &'j mut Job,
    options: &'j Options,
    /// The endpoints that the file stood for then.
    own: Vec<Step>,
    /// Endpoints of the file with the ids they had; none where another took it.
    had: Vec<Endpoint>,
    /// Complaints of the last round, and of this one: each between NULs.
    before: Text,
    about: Text,
    /// The file was read since the last round.
    fresh: bool,
    log: Log,
    healer: Healer,
    hooks: Hooks,
    /// When to look again, as [`sys::milliseconds`] counts: never while
    /// nothing has changed that was not followed yet.
    due: u64,
    /// No later, whatever else changes.
    latest: u64,
    /// When to try again what failed, and how long after that.
    again: u64,
    pause: u64,
}

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "watch",
    about: "Keep endpoints as a state file says while interfaces and addresses change.",
    words: "[ --keep ] [ --keep-flags ] [ --allow-empty ] [ --no-heal ] [ --exec PROGRAM ] [ --remove-on-exit ] FILE",
    help: "Applies the file, then follows: an interface that goes down or loses an address loses \
            the endpoint immediately, one that comes back has it again with the same id. Lines \
            with dev have endpoints only while the interface can carry packets. Prints each change. \
            What is refused is tried again and does not hold up the rest. An endpoint that \
            connections could use and none does is deleted and added again, so that the kernel \
            opens subflows from it again.\n\
            SIGHUP reads the file again; SIGTERM ends it and leaves the endpoints.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp watch /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
fn run(session: &mut Session, watch: &Options) -> Result<Status> {
    // Before anything else: signals wait until they are heeded.
    let signals = sys::catch_signals(sys::ENDING).map_err(|error| {
        let what = ["cannot wait for signals"];
        Error::system(Kind::Kernel, status::FAILED, &what, error)
    })?;
    sys::ignore(libc::SIGPIPE);
    let file = watch.file()?;
    if file == STANDARD_INPUT {
        let why = "a file that can be read again is needed";
        return Err(Error::invalid("-", why));
    }
    let json = session.options.json;
    with_file(session, file, true, &mut |session, job| {
        if job.file.is_empty() && !watch.allow_empty {
            let error = job.teller.empty();
            job.teller.report(0, &error);
        }
        let mut follower = Follower {
            job,
            options: watch,
            own: Vec::new(),
            had: Vec::new(),
            before: Text::default(),
            about: Text::default(),
            fresh: true,
            log: Log::new(json),
            healer: Healer::default(),
            hooks: Hooks::new(watch.exec),
            due: 0,
            latest: u64::MAX,
            again: u64::MAX,
            pause: FIRST_PAUSE,
        };
        session.out.keep();
        let ended = follower.run(session, &signals);
        follower.hooks.stop();
        follower.write(session);
        session.out.stop_keeping();
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
    Now,
}

impl Follower<'_> {
    /// Follows until a signal comes, or the first round cannot be made.
    #[inline(never)]
    fn run(&mut self, session: &mut Session, signals: &Signals) -> Result<()> {
        // News first: what changes after the first look is then among them.
        let buffer = session.receive_buffer();
        let mut news = RouteSocket::listen(buffer, route::NETLINK_ROUTE, CHANGES)?;
        let mut routes = None;
        let mut first = true;
        let mut polled = Vec::new();
        if !self.options.no_heal {
            match Healer::start() {
                Ok(healer) => self.healer = healer,
                Err(error) => {
                    let mut message = Text::default();
                    message.bytes(b"dead paths are not opened again: ");
                    message.bytes(error.plain());
                    self.job.teller.warn(0, message.as_bytes());
                }
            }
        }
        loop {
            if self.job.file.has_uplinks() && routes.is_none() {
                match RouteSocket::listen(buffer, route::NETLINK_ROUTE, ROUTE_CHANGES) {
                    Ok(listens) => routes = Some(listens),
                    Err(error) if first => return Err(error),
                    Err(error) => self.trouble(0, &error),
                }
            }
            let now = sys::milliseconds();
            if self.due.min(self.again) <= now {
                self.due = u64::MAX;
                self.latest = u64::MAX;
                self.again = u64::MAX;
                match self.round(session, signals, first) {
                    Ok(true) => {
                        let present = &self.job.plan.present;
                        if first && present.iter().any(|there| among(&self.own, there)) {
                            self.healer.look_soon();
                        }
                        first = false;
                    }
                    // A signal comes before it.
                    Ok(false) => self.due = 0,
                    Err(error) if first => return Err(error),
                    Err(error) => {
                        self.about.clear();
                        self.trouble(0, &error);
                        core::mem::swap(&mut self.before, &mut self.about);
                    }
                }
                self.write(session);
                self.log.go_on();
            }
            if let Err(error) = self.heal(session, signals) {
                self.healer.look_later();
                self.trouble(0, &error);
            }
            let unread = match &routes {
                Some(routes) => Polled::read(routes.fd()),
                None => Polled::read(&sys::Fd::NONE),
            };
            let [output, errors] = self.log.polled();
            let [ended, waited_for] = self.healer.polled();
            polled.clear();
            polled.extend([
                Polled::read(&signals.fd),
                Polled::read(news.fd()),
                unread,
                output,
                errors,
                ended,
                waited_for,
            ]);
            self.hooks.polled(&mut polled);
            sys::poll_all(&mut polled, self.timeout()).map_err(receive_error)?;
            let Some([signal, changed, rerouted, output, errors, ended, waited_for]) =
                polled.first_chunk()
            else {
                continue;
            };
            let mut weight = Weight::Nothing;
            if signal.is_ready() {
                match sys::caught(signals).map(i32::from) {
                    Some(libc::SIGHUP) => weight = self.read_again(),
                    Some(_) if self.options.remove_on_exit => return self.remove(session),
                    Some(_) => return Ok(()),
                    None => {}
                }
            }
            if output.is_ready() || errors.is_ready() {
                self.log.go_on();
            }
            if self.hooks.due() != u64::MAX {
                let Job { teller, .. } = &mut *self.job;
                if self.hooks.hear(&mut |message| teller.warn(0, message)) || self.hooks.is_due() {
                    self.due = 0;
                }
                self.write(session);
            }
            // What cannot be heard is found out by looking.
            let mut heard = Ok(());
            if ended.is_ready() {
                heard = self.healer.hear_ends(&self.own);
            }
            if waited_for.is_ready() {
                heard = heard.and(self.healer.hear_routes());
            }
            if changed.is_ready() {
                match self.hear(session, &mut news) {
                    Ok(found) => weight = weight.max(found),
                    Err(error) => heard = Err(error),
                }
            }
            if let Err(error) = heard {
                self.trouble(0, &error);
                weight = weight.max(Weight::Later);
            }
            if rerouted.is_ready() {
                if let Some(listens) = &mut routes {
                    if listens.news(&mut |_| ()).is_err() {
                        routes = None;
                    }
                }
                weight = weight.max(Weight::Later);
            }
            let now = sys::milliseconds();
            if weight != Weight::Nothing {
                self.pause = FIRST_PAUSE;
            }
            match weight {
                Weight::Nothing => {}
                Weight::Later => {
                    self.latest = self.latest.min(now + LONGEST);
                    self.due = self.latest.min(now + QUIET);
                }
                Weight::Now => self.due = 0,
            }
        }
    }

    /// How long to wait for news, as poll takes it.
    fn timeout(&self) -> i32 {
        match self
            .due
            .min(self.again)
            .min(self.healer.due())
            .min(self.hooks.due())
        {
            u64::MAX => -1,
            at => i32::try_from(at.saturating_sub(sys::milliseconds())).unwrap_or(i32::MAX),
        }
    }

    /// Takes news; returns how soon they must be followed.
    fn hear(&mut self, session: &mut Session, news: &mut RouteSocket) -> Result<Weight> {
        let mut weight = Weight::Nothing;
        let mut links = Vec::new();
        news.news(&mut |news| {
            if news.address.is_none() {
                links.push(news.index);
            }
            weight = weight.max(self.weigh(news));
        })?;
        // Names move between interfaces; the news tell one name at most.
        if !links.is_empty() && weight == Weight::Nothing && self.has_moved(session, &links)? {
            weight = Weight::Later;
        }
        Ok(weight)
    }

    fn weigh(&self, news: &LinkEvent) -> Weight {
        let index = news.index;
        if index == 0 {
            return Weight::Later;
        }
        let file = &self.job.file;
        let written = |address: IpAddr| {
            let of = Endpoint::new(address);
            let same = |line: &Endpoint| clashes(&line.with_port(0), &of);
            file.endpoints.iter().any(|line| same(&line.endpoint))
        };
        if file
            .endpoints
            .iter()
            .all(|line| !line.indexes.contains(&index))
            && !news.address.is_some_and(written)
        {
            return Weight::Nothing;
        }
        let mut seen = self.job.plan.seen.iter();
        let known =
            seen.find(|old| old.present && old.index == index && old.address == news.address);
        match known {
            None if news.present => Weight::Later,
            None => Weight::Nothing,
            Some(_) if !news.present => Weight::Now,
            Some(old) if old.usable == news.usable => Weight::Nothing,
            Some(_) if news.usable => Weight::Later,
            Some(_) => Weight::Now,
        }
    }

    /// Whether a name of the file is that of another interface now; these
    /// interfaces are new, or have changed.
    fn has_moved(&mut self, session: &mut Session, links: &[u32]) -> Result<bool> {
        let path_manager = session.path_manager()?;
        for (dev, indexes) in self.job.file.devs() {
            if !is_pattern(dev) {
                // What cannot be looked up, the next round reports.
                if index_of(path_manager, dev).ok().flatten() != indexes.first().copied() {
                    return Ok(true);
                }
                continue;
            }
            for index in links {
                let mut name = Vec::new();
                let exists = interface::name(path_manager.fd(), *index, &mut name).is_ok();
                let fits = exists && matches_pattern(dev.as_bytes(), &name);
                if fits != indexes.contains(index) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Reads the file again.
    fn read_again(&mut self) -> Weight {
        let mut file = File::default();
        let mut teller = Teller {
            status: 0,
            text: Text::default(),
            ..self.job.teller
        };
        let mut read = teller.read(&mut file);
        if read.is_ok() && teller.status == 0 && file.is_empty() && !self.options.allow_empty {
            read = Err(teller.empty());
        }
        if let Err(error) = read {
            teller.mistake(0, &error);
        }
        self.log.write(b"", teller.text.as_bytes());
        if teller.status != 0 {
            return Weight::Nothing;
        }
        for declared in &mut file.endpoints {
            // What was on an interface of this host once is no address of others.
            let known = |old: &Declared| old.local && clashes(&old.endpoint, &declared.endpoint);
            declared.local = self.job.file.endpoints.iter().any(known);
        }
        self.job.file = file;
        self.fresh = true;
        Weight::Now
    }

    /// Hands what there is to say to the log.
    fn write(&mut self, session: &mut Session) {
        let text = &mut self.job.teller.text;
        self.log
            .write(session.out.buffer().as_bytes(), text.as_bytes());
        text.clear();
        session.out.forget();
    }

    /// Looks, and makes the endpoints what they should be, as far as that is
    /// possible; false where a signal came before the lock could be had.
    fn round(&mut self, session: &mut Session, signals: &Signals, first: bool) -> Result<bool> {
        if !self.job.lock.take(&signals.fd)? {
            return Ok(false);
        }
        let done = self
            .look(session)
            .and_then(|()| self.follow(session, first));
        self.job.lock.release();
        done?;
        self.hooks.note(self.job, session)?;
        self.hooks.start(self.job, session)?;
        self.account(session)?;
        core::mem::swap(&mut self.before, &mut self.about);
        self.fresh = false;
        Ok(true)
    }

    fn look(&mut self, session: &mut Session) -> Result<()> {
        self.about.clear();
        self.job.look_around(session)?;
        let mut mistakes = Vec::new();
        self.job
            .look(session, &mut |mistake| mistakes.push(mistake))?;
        for mistake in mistakes {
            self.trouble(mistake.line, &mistake.error);
        }
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
        // Nothing follows from an empty file.
        let empty = self.job.file.is_empty() && !self.options.allow_empty;
        let keep = self.options.keep || empty;
        let (own, had, hooks) = (&self.own, &self.had, &self.hooks);
        // The program is told the id before the endpoint has it.
        self.job.plan.numbered = hooks.exist();
        let keep_flags = self.options.keep_flags;
        let prepare = |plan: &mut Plan| {
            for had in had {
                plan.ids.mark(id_of(had), Ids::RESERVED);
            }
            for wanted in &mut plan.wanted {
                wanted.had = hooks.prepared_id(&wanted.endpoint);
                if let Some(had) = clashing(had, &wanted.endpoint).filter(|_| wanted.had == 0) {
                    wanted.had = id_of(had);
                }
                let same = |step: &Step| clashes(&step.endpoint, &wanted.endpoint);
                let asked = own.iter().find(|step| same(step)).map(|step| step.asked);
                wanted.keeps_flags = keep_flags && asked.is_none_or(|asked| asked == wanted.asked);
            }
        };
        let mine: Option<&[Step]> = keep.then_some(own.as_slice());
        self.job
            .plan(session, mine, true, &prepare)
            .map_err(|mistake| mistake.error)?;
        let manner = Manner {
            lenient: true,
            careful: keep,
        };
        let plan = &mut self.job.plan;
        self.hooks.hold_back(plan);
        self.hooks.forget(plan);
        let path_manager = session.path_manager()?;
        carry_out(path_manager, plan, manner).map_err(|mistake| mistake.error)?;
        if first {
            // Who may change nothing need not stay.
            for step in &mut plan.steps {
                match step.error.take() {
                    Some(error) if error.errno() == libc::EPERM as usize => return Err(error),
                    error => step.error = error,
                }
            }
        }
        let chosen = |step: &Step| step.action == Action::Add && step.id() == 0;
        if session.options.json && plan.steps.iter().any(chosen) {
            let mut present = Vec::new();
            entries(session.path_manager()?, &mut present)?;
            for step in &mut plan.steps {
                if let Some(found) = clashing(&present, &step.endpoint).filter(|_| chosen(step)) {
                    step.endpoint = step.endpoint.with_id(id_of(found));
                }
            }
        }
        Ok(())
    }

    /// Prints what was done, complains of what was not.
    #[inline(never)]
    fn account(&mut self, session: &mut Session) -> Result<()> {
        if self.fresh {
            self.job.warn_of_names(true);
        }
        let conflicts = core::mem::take(&mut self.job.plan.conflicts);
        for conflict in &conflicts {
            let what = conflict.error.plain();
            if self.is_new(conflict.line, what, IpAddr::from([0; 4])) {
                self.job.teller.warn(conflict.line, what);
            }
        }
        let settings = core::mem::take(&mut self.job.plan.settings);
        for tuning in &settings {
            match &tuning.error {
                None => print_setting(&mut session.out, tuning),
                Some(error) => self.trouble(tuning.line, error),
            }
        }
        let mut steps = core::mem::take(&mut self.job.plan.steps);
        for step in &mut steps {
            let (path_manager, out) = session.path_manager_and_output()?;
            let (line, address) = (step.line, address_of(&step.endpoint));
            if step.left_out() {
                self.fail();
                if self.is_new(line, b"", address) {
                    self.job.teller.warn(line, no_room(step).as_bytes());
                }
                continue;
            }
            let Some(error) = step.error.take() else {
                print(out, path_manager, &mut self.job.names, step);
                continue;
            };
            self.fail();
            // Whatever id was tried.
            if self.is_new(0, error.plain(), address) {
                let command = command(session.path_manager()?, step);
                let error = error.within(command.as_bytes());
                self.job.teller.report(line, &error);
            }
        }
        core::mem::swap(&mut self.own, &mut self.job.plan.wanted);
        Ok(())
    }

    /// Something is to be tried again.
    fn fail(&mut self) {
        if self.again == u64::MAX {
            self.again = sys::milliseconds() + self.pause;
            self.pause = LONGEST_PAUSE.min(2 * self.pause);
        }
    }

    /// An error that may pass, reported unless it was the last time.
    fn trouble(&mut self, line: u32, error: &Error) {
        self.fail();
        if self.is_new(line, error.plain(), IpAddr::from([0; 4])) {
            self.job.teller.report(line, error);
        }
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
        let mut before = self.before.as_bytes().windows(about.len().max(1));
        before.all(|before| before != about)
    }

    /// Deletes and adds endpoints that connections could use and none does.
    #[inline(never)]
    fn heal(&mut self, session: &mut Session, signals: &Signals) -> Result<()> {
        if !self.healer.is_due() {
            return Ok(());
        }
        let mut again = Vec::new();
        let mut present = Vec::new();
        entries(session.path_manager()?, &mut present)?;
        present.retain(|there| among(&self.own, there));
        self.job.routes(session)?;
        let Some(ask) = &mut self.job.routes else {
            return Ok(());
        };
        let looked = self.healer.look(session, ask, &present, &mut again);
        if let Err(error) = looked {
            self.trouble(0, &error);
        }
        if !again.is_empty() && self.job.lock.take(&signals.fd)? {
            let path_manager = session.path_manager()?;
            let plan = &mut self.job.plan;
            plan.steps.clear();
            plan.settings.clear();
            // As they are now: somebody may have been quicker.
            let mut found = Vec::new();
            let read = entries(path_manager, &mut found);
            for endpoint in found.iter().filter(|there| again.contains(there)) {
                push(&mut plan.steps, Action::Delete, endpoint);
                push(&mut plan.steps, Action::Add, endpoint);
            }
            let manner = Manner {
                lenient: true,
                careful: true,
            };
            let done = read.map(|()| carry_out(path_manager, plan, manner));
            self.job.lock.release();
            if let Err(mistake) = done? {
                return Err(mistake.error);
            }
            for step in &self.job.plan.steps {
                let (path_manager, out) = session.path_manager_and_output()?;
                match &step.error {
                    None => print(out, path_manager, &mut self.job.names, step),
                    // What was deleted comes back by the next round.
                    Some(_) => self.due = 0,
                }
            }
        }
        self.write(session);
        Ok(())
    }

    /// Deletes the endpoints of the file.
    #[inline(never)]
    fn remove(&mut self, session: &mut Session) -> Result<()> {
        // Whoever holds the lock for longer than changes take does not keep these
        // endpoints alive.
        let _ = self.job.lock.take(&sys::Fd::NONE);
        let path_manager = session.path_manager()?;
        let plan = &mut self.job.plan;
        entries(path_manager, &mut plan.present)?;
        plan.settings.clear();
        plan.steps.clear();
        for there in &plan.present {
            if !is_implicit(there) && among(&self.own, there) {
                push(&mut plan.steps, Action::Delete, there);
            }
        }
        let manner = Manner {
            lenient: true,
            careful: true,
        };
        carry_out(path_manager, plan, manner).map_err(|mistake| mistake.error)?;
        self.job.lock.release();
        self.fresh = false;
        plan.wanted.clear();
        self.hooks.note(self.job, session)?;
        self.account(session)?;
        self.hooks.finish(self.job, session)
    }
}

/// Keeps in mind which id an endpoint has.
#[inline(never)]
fn remember(all: &mut Vec<Endpoint>, there: &Endpoint) {
    let mut place = None;
    for had in &mut *all {
        if id_of(had) == id_of(there) || clashes(had, there) {
            // There may be two: one that had the id, one that has it now.
            *had = Endpoint::EMPTY;
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
