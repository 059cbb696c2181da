//! `watch`.

use mptcp_codec::mptcp::Limits;

use super::apply::{kept, no_room};
use super::{
    called, carry_out, command, complain_of, entries, indexes, look, news_and_answers, print, read,
    tell_refused, View,
};
use crate::args::Watch;
use crate::command::endpoint::Names;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::state::{File, Mistake};
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::sys;
use crate::kernel::{receive_error, Interfaces, Lock, News};
use crate::output::{address, complain};
use crate::plan::{self, Action, Entry, Others, Seen, Step};
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
    said: Vec<Vec<u8>>,
}

/// What is complained of in a round.
#[derive(Default)]
struct Complaints {
    /// What they are about, whatever id was tried.
    about: Vec<Vec<u8>>,
    /// What the user is told: of these what was not said the last time.
    text: Vec<u8>,
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

pub fn run(session: &mut Session, watch: &Watch) -> Result<u8> {
    if watch.file == STANDARD_INPUT {
        return Err(Error::invalid(
            "-",
            "a file that can be read again is needed",
        ));
    }
    let mut file = File::default();
    let status = read(session, watch.file, &mut file)?;
    if status != 0 {
        return Ok(status);
    }
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
    let [mut news, mut asks] = news_and_answers(session)?;
    let mut follower = Follower {
        name: watch.file.into(),
        file,
        keep: watch.keep,
        seen: Seen::default(),
        own: Vec::new(),
        had: Vec::new(),
        said: Vec::new(),
    };
    let status = follower.round(session, &mut asks, true)?;
    if status != 0 {
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
                    at_once |= follower.read_again(session);
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
                complain_of(session, &error);
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
            News::Address(of, _) | News::AddressGone(of) if ours(&of.index) => {
                let mut all = self.seen.addresses.iter();
                let known = all.find(|old| old.index == of.index && old.address == of.address);
                match (known, matches!(news, News::Address(_, true))) {
                    (None, false) => Weight::Nothing,
                    (None, true) => Weight::Later,
                    (Some(old), true) if old.source == of.source => Weight::Nothing,
                    (Some(old), true) if !old.source => Weight::Later,
                    (Some(_), _) => Weight::AtOnce,
                }
            }
            _ => Weight::Nothing,
        }
    }

    /// Reads the file again; tells whether that worked.
    fn read_again(&mut self, session: &Session) -> bool {
        let mut file = File::default();
        match read(session, &self.name, &mut file) {
            Ok(0) => {
                self.file = file;
                return true;
            }
            // Already told.
            Ok(_) => {}
            Err(error) => complain_of(session, &error),
        }
        false
    }

    /// Looks, and makes the endpoints what they should be. The first time
    /// nothing may go wrong: an exit status is returned else, which is not 0.
    /// Later on what can be done is done.
    fn round(&mut self, session: &mut Session, asks: &mut Interfaces, first: bool) -> Result<u8> {
        let _lock = Lock::take()?;
        let json = session.options.json;
        let mut view = View::default();
        look(session.path_manager()?, Some(asks), &self.file, &mut view)?;
        let View {
            present, limits, ..
        } = &view;
        self.remember(present);
        let mut wish = plan::expand(&self.file, &view.seen, present, true, &mut Vec::new());
        for had in &self.had {
            for wanted in &mut wish.wanted {
                if had.clashes(&wanted.entry) {
                    wanted.had = had.id;
                }
            }
            wish.reserved.add(had.id);
        }
        let mut steps = Vec::new();
        plan::limits_step(&self.file, limits, &mut steps);
        let others = match self.keep {
            true => Others::StayBut(&self.own),
            false => Others::Go,
        };
        let mut complaints = Complaints::default();
        if let Err(conflict) = plan::steps(&wish, present, others, &mut steps) {
            let Mistake { line, error } = kept(&conflict);
            let text = error.report_at(json, called(&self.name), line);
            self.note(&mut complaints, &text, &text);
            self.end_round(complaints, view.seen);
            return Ok(if first { error.status() } else { 0 });
        }
        let mut left = Vec::new();
        let path_manager = session.path_manager()?;
        let done = carry_out(path_manager, &steps, present, limits, !first, &mut left);
        if let Err(refused) = done {
            return tell_refused(session, &self.name, &steps, refused);
        }
        let (path_manager, out) = session.path_manager_and_output()?;
        let mut names = Names::default();
        for (at, step) in steps.iter().enumerate() {
            if left.first().is_none_or(|left| left.step != at) {
                print(out, path_manager, &mut names, step)?;
                continue;
            }
            let error = left.remove(0).error;
            if step.spread && error.errno() == libc::ERANGE as u32 {
                let text = no_room(&self.name, step);
                self.note(&mut complaints, &text, &text);
                continue;
            }
            let mut about = error.plain().to_vec();
            if step.has_entry() {
                about.extend_from_slice(&address(step.entry.address));
            }
            let error = error.within(&command(path_manager, &mut names, step));
            let text = match step.line {
                0 => error.report(json, None),
                line => error.report_at(json, called(&self.name), line),
            };
            self.note(&mut complaints, &about, &text);
        }
        out.flush()?;
        self.own.clear();
        for wanted in &wish.wanted {
            self.own.push(wanted.entry);
        }
        self.end_round(complaints, view.seen);
        Ok(0)
    }

    /// Adds a complaint.
    fn note(&self, complaints: &mut Complaints, about: &[u8], text: &[u8]) {
        if self.said.iter().all(|said| said != about) {
            complaints.text.extend_from_slice(text);
        }
        complaints.about.push(about.to_vec());
    }

    /// Says what was not said the last time.
    fn end_round(&mut self, complaints: Complaints, seen: Seen) {
        complain(&complaints.text);
        self.said = complaints.about;
        self.seen = seen;
    }

    /// Keeps in mind which ids our endpoints have.
    fn remember(&mut self, present: &[Entry]) {
        for there in present {
            if !self.own.iter().any(|own| own.clashes(there)) {
                continue;
            }
            let before = core::mem::take(&mut self.had);
            for had in &before {
                if !had.clashes(there) && had.id != there.id {
                    self.had.push(*had);
                }
            }
            self.had.push(*there);
        }
        while self.had.len() > REMEMBERED {
            self.had.remove(0);
        }
    }

    /// Deletes the endpoints of the file.
    fn remove(&mut self, session: &mut Session) -> Result<()> {
        let _lock = Lock::take()?;
        let (path_manager, out) = session.path_manager_and_output()?;
        let present = entries(path_manager)?;
        let mut names = Names::default();
        for there in &present {
            if there.is_implicit() || !self.own.iter().any(|own| own.clashes(there)) {
                continue;
            }
            let step = Step::new(Action::Delete, there);
            let limits = Limits::EMPTY;
            let mut left = Vec::new();
            let steps = core::slice::from_ref(&step);
            carry_out(path_manager, steps, &present, &limits, false, &mut left)
                .map_err(|refused| refused.error)?;
            print(out, path_manager, &mut names, &step)?;
        }
        Ok(())
    }
}
