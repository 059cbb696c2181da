//! `watch --exec`: a program that is called before an endpoint is added, so that
//! rules and tables exist before its first SYN, and after one was deleted.
//!
//! Nothing waits for it: while it runs, only its own endpoint is held back, and while it
//! runs for a deleted one, those with the same address. It is not called where an endpoint is
//! replaced by one for which its variables would be the same.

use std::net::IpAddr;

use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::mptcp::Endpoint;

use super::{routes, Job, Reporter, LONGEST_PAUSE};
use crate::errno::Errno;
use crate::error::{Error, Result};
use crate::kernel::key::{self, key_of};
use crate::state::endpoint::{address_of, clashes, id_of, index_of, push_address};
use crate::state::plan::{remember, Action, Plan};
use crate::sys::{self, Child, Fd};
use crate::text::{number, Text};

/// How long it may take, in milliseconds.
const TIME: u64 = 10_000;
/// After a failure it is called again after this time, then after twice that.
const FIRST_PAUSE: u64 = 2000;

/// Stands for the exit status of a program that took too long.
const LATE: usize = 256;

/// The progress of the program for an endpoint.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It failed and is called again later.
    Failed,
    /// It is to be called, or is running, before the endpoint is added.
    Wanted,
    /// It succeeded: the endpoint may be added.
    Prepared,
    /// It is to be called, or is running, after the endpoint was deleted.
    Gone,
    /// Nothing is left to do.
    #[default]
    Over,
}

/// A call of the program: one for each address and port.
#[derive(Default)]
struct Call {
    endpoint: Endpoint,
    stage: Stage,
    child: Option<Child>,
    /// The plan adds the endpoint.
    planned: bool,
    /// When it times out or is called again; `u64::MAX` if neither is next.
    next: u64,
    pause: u64,
    /// Why it failed last time: its exit status, [`LATE`], or `LATE` plus the error number
    /// with which it could not be started; 0 if it did not fail.
    why: usize,
    /// The variables of its environment, each ending with NUL.
    variables: Text,
}

/// The calls of the program.
pub struct Hooks {
    /// The path of the program, if there is one.
    program: Option<&'static str>,
    calls: Vec<Call>,
}

impl Hooks {
    /// With this program, if there is one.
    pub fn new(program: Option<&'static str>) -> Self {
        Self {
            program,
            calls: Vec::new(),
        }
    }

    /// Whether there is a program.
    pub fn exist(&self) -> bool {
        self.program.is_some()
    }

    /// The call for the address and port of this endpoint, a new one if there is none.
    #[inline(never)]
    fn call_for(&mut self, endpoint: &Endpoint) -> Option<&mut Call> {
        let mut place = self.calls.len();
        for (at, call) in self.calls.iter().enumerate() {
            if call.stage == Stage::Over {
                place = at;
            } else if clashes(&call.endpoint, endpoint) {
                return self.calls.get_mut(at);
            }
        }
        if place == self.calls.len() {
            self.calls.push(Call::default());
        }
        let call = self.calls.get_mut(place)?;
        call.endpoint = *endpoint;
        call.stage = Stage::Wanted;
        call.next = u64::MAX;
        call.pause = FIRST_PAUSE;
        call.why = 0;
        call.variables.clear();
        Some(call)
    }

    /// Holds back what the plan would add and is not prepared.
    pub fn hold_back(&mut self, plan: &mut Plan) {
        for step in &mut plan.steps {
            let endpoint = &step.endpoint;
            if step.action != Action::Add {
                continue;
            }
            let Some(call) = self.call_for(endpoint) else {
                continue;
            };
            call.planned = true;
            match call.stage {
                Stage::Prepared if is_same(&call.endpoint, endpoint) => continue,
                // Something else was prepared than what is added now.
                Stage::Prepared => call.stage = Stage::Gone,
                Stage::Wanted | Stage::Failed if call.child.is_none() => call.endpoint = *endpoint,
                _ => {}
            }
            step.action = Action::Held;
        }
        // For what is no longer to be added the program is not called again.
        for call in &mut self.calls {
            let adds = matches!(call.stage, Stage::Wanted | Stage::Failed);
            let planned = core::mem::take(&mut call.planned);
            if adds && !planned && call.child.is_none() {
                call.stage = Stage::Over;
                call.next = u64::MAX;
            }
        }
    }

    /// Notes what was deleted by carrying out a plan.
    pub fn note(&mut self, plan: &Plan) {
        let done = |action| {
            let steps = plan.steps.iter();
            steps.filter(move |step| step.action == action && !step.refused)
        };
        for step in done(Action::Delete) {
            let endpoint = &step.endpoint;
            if self.exist() && !done(Action::Add).any(|added| is_same(&added.endpoint, endpoint)) {
                if let Some(call) = self.call_for(endpoint).filter(|call| call.child.is_none()) {
                    call.stage = Stage::Gone;
                }
            }
        }
    }

    /// Calls the program where it is due.
    #[inline(never)]
    pub fn start(&mut self, job: &mut Job, fd: &Fd) -> Result<()> {
        let Some(program) = self.program else {
            return Ok(());
        };
        let mut going = Vec::new();
        for call in &self.calls {
            if call.stage == Stage::Gone {
                going.push(key_of(&call.endpoint));
            }
        }
        for call in &mut self.calls {
            let action: &[u8] = match call.stage {
                _ if call.child.is_some() => continue,
                // What it makes must not be taken away by the call for the other one.
                Stage::Wanted if going.contains(&key_of(&call.endpoint)) => continue,
                Stage::Wanted => b"\0ACTION=add\0",
                Stage::Gone => b"\0ACTION=delete\0",
                _ => continue,
            };
            if call.stage == Stage::Wanted || call.variables.is_empty() {
                describe(job, fd, &call.endpoint, &mut call.variables)?;
            }
            // The endpoint keeps the id that the program is called with.
            remember(&mut job.plan.had, &call.endpoint);
            call.next = sys::milliseconds() + TIME;
            let words = [program.as_bytes(), action, call.variables.as_bytes()];
            match sys::spawn(&words.concat()) {
                Ok(child) => call.child = Some(child),
                Err(Errno(number)) => call.fail(program, LATE + number, &mut job.reporter),
            }
        }
        Ok(())
    }

    /// When something is to be done even without news.
    pub fn due(&self) -> u64 {
        let mut due = u64::MAX;
        for call in &self.calls {
            due = due.min(call.next);
        }
        due
    }

    /// Checks which calls have ended; returns whether there is something to add or call now. A
    /// failure is reported once.
    #[inline(never)]
    pub fn hear(&mut self, reporter: &mut Reporter) -> bool {
        let Some(program) = self.program else {
            return false;
        };
        let now = sys::milliseconds();
        let mut news = false;
        for call in &mut self.calls {
            let late = call.next <= now;
            let Some(child) = &call.child else {
                if late {
                    call.next = u64::MAX;
                    call.stage = Stage::Wanted;
                    news = true;
                }
                continue;
            };
            if late {
                child.kill();
            }
            let Some(status) = child.status() else {
                continue;
            };
            news = true;
            call.child = None;
            if status != 0 {
                let why = if late { LATE } else { status.into() };
                call.fail(program, why, reporter);
                continue;
            }
            call.next = u64::MAX;
            call.pause = FIRST_PAUSE;
            call.why = 0;
            call.stage = match call.stage {
                Stage::Wanted => Stage::Prepared,
                _ => Stage::Over,
            };
        }
        news
    }

    /// Whether nothing is running.
    pub fn are_over(&self) -> bool {
        self.calls.iter().all(|call| call.child.is_none())
    }

    /// Ends the calls without waiting for them.
    pub fn stop(&self) {
        for call in &self.calls {
            if let Some(child) = &call.child {
                child.kill();
            }
        }
    }
}

impl Call {
    /// It failed, which is reported unless it failed the same way last time.
    #[inline(never)]
    fn fail(&mut self, program: &str, why: usize, reporter: &mut Reporter) {
        let adds = self.stage == Stage::Wanted;
        if self.why != why {
            self.why = why;
            let mut warning = Error::warning(program.as_bytes());
            warning.push(if adds { b" (add " } else { b" (delete " });
            push_address(&mut warning, &self.endpoint);
            warning.push(b") ");
            match why {
                ..LATE => {
                    warning.push(b"failed with status ");
                    warning.push(number(why as u64).as_bytes());
                }
                LATE => warning.push(b"took longer than 10 s and was killed"),
                _ => warning.push(Error::call(Errno(why - LATE)).plain()),
            }
            reporter.report(&warning);
        }
        self.next = u64::MAX;
        self.stage = Stage::Over;
        if adds {
            self.stage = Stage::Failed;
            self.next = sys::milliseconds() + self.pause;
            self.pause = LONGEST_PAUSE.min(2 * self.pause);
        }
    }
}

/// Whether the program is called with the same variables for both.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    clashes(one, other) && id_of(one) == id_of(other) && index_of(one) == index_of(other)
}

/// Writes the variables that describe an endpoint into `out`, each ending with NUL.
#[inline(never)]
fn describe(job: &mut Job, fd: &Fd, endpoint: &Endpoint, out: &mut Text) -> Result<()> {
    out.clear();
    let index = index_of(endpoint);
    let address = address_of(endpoint);
    let (family, digit) = match address {
        IpAddr::V4(_) => (AF_INET, b"4"),
        IpAddr::V6(_) => (AF_INET6, b"6"),
    };
    let (mut gateway, mut name): (_, &[u8]) = (0, b"");
    if index != 0 {
        let routes = routes(&mut job.routes, job.buffer)?;
        // Without a default route there is no gateway.
        if routes.default_route(family, index, &mut gateway).is_err() {
            gateway = 0;
        }
        name = job.names.get(fd, index);
    }
    out.bytes(b"ADDRESS=");
    out.address(address);
    out.bytes(b"\0FAMILY=");
    out.bytes(digit);
    out.bytes(b"\0ID=");
    out.number(id_of(endpoint).into());
    out.bytes(b"\0INTERFACE=");
    out.bytes(name);
    out.bytes(b"\0GATEWAY=");
    if gateway != 0 {
        out.address(key::address(gateway));
    }
    out.byte(0);
    Ok(())
}
