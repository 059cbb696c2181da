//! `watch`.

use std::net::IpAddr;

use super::apply::{kept, no_room};
use super::{called, carry_out, command, indexes, look, print, read, View};
use crate::args::Watch;
use crate::command::endpoint::Names;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::state::{File, Mistake};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys;
use crate::kernel::{receive_error, Interfaces, Lock, News};
use crate::output::complain;
use crate::plan::{self, Entry, Others, Seen, Step};
use crate::session::Session;

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
struct Follower {
    /// How the file is called.
    name: String,
    file: File,
    keep: bool,
    /// Interfaces and addresses as they were when last looked at.
    seen: Seen,
    /// The endpoints that the file stood for then.
    own: Vec<Entry>,
    /// Endpoints of the file with the ids they had, the latest last.
    had: Vec<Entry>,
    /// What was complained of in the last round.
    complaints: Vec<Complaint>,
}

/// Something that could not be done.
struct Complaint {
    /// What it is about, whatever id was tried.
    about: Vec<u8>,
    /// What the user is told.
    text: Vec<u8>,
}

impl Complaint {
    fn new(text: Vec<u8>) -> Self {
        Self {
            about: text.clone(),
            text,
        }
    }
}

/// When to look again.
#[derive(Copy, Clone, Debug, Default)]
struct Due {
    /// The earliest change that was not followed yet, and the latest.
    since: Option<(u64, u64)>,
}

impl Due {
    /// Something changed.
    fn note(&mut self, now: u64) {
        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
    }

    /// How long to wait for news, as [`sys::poll`] takes it.
    fn timeout(&self, now: u64) -> i32 {
        match self.since {
            None => -1,
            Some((first, last)) => {
                let due = (last + QUIET).min(first + LONGEST);
                i32::try_from(due.saturating_sub(now)).unwrap_or(i32::MAX)
            }
        }
    }
}

pub fn run(session: &mut Session, watch: Watch) -> Result<u8> {
    if watch.file == STANDARD_INPUT {
        return Err(Error::invalid(
            "-",
            "a file that can be read again is needed",
        ));
    }
    let file = match read(session, &watch.file)? {
        Ok(file) => file,
        Err(status) => return Ok(status),
    };
    let signals =
        sys::catch_signals(&[libc::SIGHUP, libc::SIGINT, libc::SIGTERM]).map_err(|error| {
            Error::system(
                Kind::Kernel,
                status::FAILED,
                &["cannot wait for signals"],
                error,
            )
        })?;
    // News first: what changes after the first look is then among them.
    let mut news = Interfaces::listen(session.receive_buffer())?;
    let mut asks = Interfaces::open(session.receive_buffer())?;
    let mut follower = Follower {
        name: watch.file,
        file,
        keep: watch.keep,
        seen: Seen::default(),
        own: Vec::new(),
        had: Vec::new(),
        complaints: Vec::new(),
    };
    if let Some(status) = follower.round(session, &mut asks, true)? {
        return Ok(status);
    }
    let mut due = Due::default();
    loop {
        let timeout = due.timeout(sys::milliseconds());
        let [changed, signal] = sys::poll([news.fd(), &signals], timeout).map_err(receive_error)?;
        let mut at_once = !changed && !signal && due.timeout(sys::milliseconds()) == 0;
        if signal {
            match sys::caught(&signals).map(i32::from) {
                Some(libc::SIGHUP) => {
                    at_once |= follower.read_again(session)?;
                }
                Some(_) => {
                    if watch.remove_on_exit {
                        follower.remove(session)?;
                    }
                    return Ok(0);
                }
                None => {}
            }
        }
        if changed {
            let (mut later, mut links) = (false, false);
            news.news(&mut |news| {
                links |= matches!(news, News::Link(_) | News::LinkGone(_));
                match follower.weigh(&news) {
                    Weight::Nothing => {}
                    Weight::Later => later = true,
                    Weight::AtOnce => at_once = true,
                }
            })?;
            // Names move between interfaces; the news tell one name at most.
            if links && !at_once {
                later |= indexes(session.path_manager()?, &follower.file) != follower.seen.indexes;
            }
            if later {
                due.note(sys::milliseconds());
                at_once |= due.timeout(sys::milliseconds()) == 0;
            }
        }
        if at_once {
            due = Due::default();
            if let Err(error) = follower.round(session, &mut asks, false) {
                complain(&error.report(session.options.json, None));
                let now = sys::milliseconds();
                due.since = Some((now + AGAIN, now + AGAIN));
            }
        }
    }
}

/// How soon news must be followed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Weight {
    /// They change nothing.
    Nothing,
    /// With what else comes.
    Later,
    /// Something that endpoints hang on is gone: their subflows stall.
    AtOnce,
}

impl Follower {
    fn weigh(&self, news: &News) -> Weight {
        let ours = |index: &u32| self.seen.indexes.contains(index);
        let known = |index: u32, address: IpAddr| {
            let mut all = self.seen.addresses.iter();
            all.find(|of| of.index == index && of.address == address)
        };
        match news {
            News::Lost => Weight::Later,
            News::Link(link) if ours(&link.index) => {
                match (self.seen.usable(link.index), link.usable) {
                    (true, false) => Weight::AtOnce,
                    (false, true) => Weight::Later,
                    _ => Weight::Nothing,
                }
            }
            News::LinkGone(index) if ours(index) => Weight::AtOnce,
            News::Address(of, usable) if ours(&of.index) => {
                match (known(of.index, of.address), usable) {
                    (None, false) => Weight::Nothing,
                    (Some(old), true) if old.source == of.source => Weight::Nothing,
                    (None, true) => Weight::Later,
                    (Some(old), true) if !old.source => Weight::Later,
                    (Some(_), _) => Weight::AtOnce,
                }
            }
            News::AddressGone(of) if known(of.index, of.address).is_some() && ours(&of.index) => {
                Weight::AtOnce
            }
            _ => Weight::Nothing,
        }
    }

    /// Reads the file again; tells whether that worked.
    fn read_again(&mut self, session: &Session) -> Result<bool> {
        match read(session, &self.name) {
            Ok(Ok(file)) => {
                self.file = file;
                Ok(true)
            }
            // Already told.
            Ok(Err(_)) => Ok(false),
            Err(error) => {
                complain(&error.report(session.options.json, None));
                Ok(false)
            }
        }
    }

    /// Looks, and makes the endpoints what they should be. The first time
    /// nothing may go wrong: an exit status is returned else. Later on what
    /// can be done is done.
    fn round(
        &mut self,
        session: &mut Session,
        asks: &mut Interfaces,
        first: bool,
    ) -> Result<Option<u8>> {
        let _lock = Lock::take()?;
        let View {
            seen,
            present,
            limits,
        } = look(session.path_manager()?, Some(asks), &self.file)?;
        self.remember(&present);
        let mut wish = plan::expand(&self.file, &seen, &present, true, &mut Vec::new());
        for wanted in &mut wish.wanted {
            let had = self.had.iter().rev().find(|had| had.clashes(&wanted.entry));
            wanted.had = had.map_or(0, |had| had.id);
        }
        for had in &self.had {
            wish.reserved.add(had.id);
        }
        let mut steps = Vec::new();
        steps.extend(plan::limits_step(&self.file, &limits));
        let others = match self.keep {
            true => Others::StayBut(&self.own),
            false => Others::Go,
        };
        let mut complaints = Vec::new();
        let place = |mistake: &Mistake| {
            let json = session.options.json;
            mistake
                .error
                .report_at(json, called(&self.name), mistake.line)
        };
        if let Err(conflict) = plan::steps(&wish, &present, others, &mut steps) {
            let mistake = kept(&conflict);
            complaints.push(Complaint::new(place(&mistake)));
            self.complain(complaints);
            self.seen = seen;
            return Ok(first.then_some(mistake.error.status()));
        }
        let mut left = Vec::new();
        let path_manager = session.path_manager()?;
        let done = carry_out(path_manager, &steps, &present, &limits, !first, &mut left);
        if let Err(refused) = done {
            let line = steps.get(refused.step).map_or(0, Step::line);
            let error = refused.error;
            if line == 0 {
                return Err(error);
            }
            let place = (called(&self.name), line);
            complain(&error.report_at(session.options.json, place.0, place.1));
            return Ok(Some(error.status()));
        }
        let json = session.options.json;
        let (path_manager, out) = session.path_manager_and_output()?;
        let mut names = Names::default();
        for (at, step) in steps.iter().enumerate() {
            let Some(refused) = left.iter_mut().find(|left| left.step == at) else {
                print(out, path_manager, &mut names, step)?;
                continue;
            };
            let full = refused.error.errno() == libc::ERANGE as u32;
            if full && matches!(step, Step::Add { spread: true, .. }) {
                complaints.push(Complaint::new(no_room(&self.name, step)));
                continue;
            }
            let command = command(path_manager, &mut names, step);
            let error = core::mem::replace(&mut refused.error, Error::new(Kind::Kernel, 0, &[]));
            let of = step
                .entry()
                .map(|entry| crate::output::address(entry.address));
            let about = [error.plain(), &of.unwrap_or_default()].concat();
            let error = error.within(&command);
            let text = match step.line() {
                0 => error.report(json, None),
                line => error.report_at(json, called(&self.name), line),
            };
            complaints.push(Complaint { about, text });
        }
        out.flush()?;
        self.complain(complaints);
        self.own = wish.wanted.iter().map(|wanted| wanted.entry).collect();
        self.seen = seen;
        Ok(None)
    }

    /// Says what was not said the last time.
    fn complain(&mut self, complaints: Vec<Complaint>) {
        for Complaint { about, text } in &complaints {
            if self.complaints.iter().all(|before| before.about != *about) {
                complain(text);
            }
        }
        self.complaints = complaints;
    }

    /// Keeps in mind which ids our endpoints have.
    fn remember(&mut self, present: &[Entry]) {
        for there in present {
            if !self.own.iter().any(|own| own.clashes(there)) {
                continue;
            }
            self.had
                .retain(|had| !had.clashes(there) && had.id != there.id);
            self.had.push(*there);
        }
        let too_many = self.had.len().saturating_sub(REMEMBERED);
        self.had.drain(..too_many);
    }

    /// Deletes the endpoints of the file.
    fn remove(&mut self, session: &mut Session) -> Result<()> {
        let _lock = Lock::take()?;
        let (path_manager, out) = session.path_manager_and_output()?;
        let present = super::entries(path_manager)?;
        let ours =
            |there: &&Entry| !there.is_implicit() && self.own.iter().any(|own| own.clashes(there));
        let mut names = Names::default();
        for entry in present.iter().filter(ours) {
            let step = Step::Delete(*entry);
            super::carry_out(
                path_manager,
                core::slice::from_ref(&step),
                &present,
                &mptcp_codec::mptcp::Limits::EMPTY,
                false,
                &mut Vec::new(),
            )
            .map_err(|refused| refused.error)?;
            print(out, path_manager, &mut names, &step)?;
        }
        Ok(())
    }
}
