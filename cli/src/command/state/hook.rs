//! `watch --exec`: a program that is called before an endpoint is added, so that
//! rules and tables exist before its first SYN, and after one is gone.
//!
//! Nobody waits for it: while it runs, its endpoint alone is held back.

use std::net::IpAddr;

use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::mptcp::Endpoint;

use super::Job;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::state::plan::{address_of, clashes, id_of, index_of, Action, Plan};
use crate::sys::{self, Child, Polled};
use crate::text::{number, Text};

/// How long it may take, in milliseconds.
const TIME: u64 = 10_000;
/// After a failure it is called again after this long, then after twice as long.
const FIRST_PAUSE: u64 = 2000;
const LONGEST_PAUSE: u64 = 300_000;

/// An endpoint with what the program is told of it.
struct Call {
    endpoint: Endpoint,
    /// Variables of its environment, each ended by NUL.
    variables: Vec<u8>,
}

struct Running {
    call: Call,
    adds: bool,
    child: Child,
    until: u64,
}

/// A call that failed.
struct Failed {
    endpoint: Endpoint,
    next: u64,
    pause: u64,
    why: Vec<u8>,
}

/// What was called, and what is to be.
#[derive(Default)]
pub struct Hooks {
    /// The path of the program, ended by NUL; empty where there is none.
    program: Vec<u8>,
    /// For these the program was called, and succeeded.
    prepared: Vec<Call>,
    running: Vec<Running>,
    failed: Vec<Failed>,
    /// To be called before these are added, and after these are gone.
    before: Vec<Endpoint>,
    after: Vec<Call>,
}

/// Whether it is the same endpoint to the program.
fn is_same(one: &Endpoint, other: &Endpoint) -> bool {
    clashes(one, other) && id_of(one) == id_of(other) && index_of(one) == index_of(other)
}

impl Hooks {
    /// With this program, if there is one.
    pub fn new(program: Option<&str>) -> Self {
        Self {
            program: program.map_or_else(Vec::new, |path| [path.as_bytes(), b"\0"].concat()),
            ..Self::default()
        }
    }

    /// Whether there is a program.
    pub fn exist(&self) -> bool {
        !self.program.is_empty()
    }

    /// The id for which the program was called, of an endpoint that is to be
    /// added; 0 where it was not.
    pub fn prepared_id(&self, endpoint: &Endpoint) -> u8 {
        let same = |call: &&Call| {
            clashes(&call.endpoint, endpoint) && index_of(&call.endpoint) == index_of(endpoint)
        };
        let running = self.running.iter().map(|running| &running.call);
        let mut all = self.prepared.iter().chain(running);
        all.find(same).map_or(0, |call| id_of(&call.endpoint))
    }

    /// Takes additions out of the plan that are not prepared.
    pub fn hold_back(&mut self, plan: &mut Plan) {
        if !self.exist() {
            return;
        }
        let now = sys::milliseconds();
        self.before.clear();
        plan.steps.retain(|step| {
            let endpoint = &step.endpoint;
            let same = |call: &Call| is_same(&call.endpoint, endpoint);
            if step.action != Action::Add || self.prepared.iter().any(same) {
                return true;
            }
            let waits = |failed: &Failed| clashes(&failed.endpoint, endpoint) && now < failed.next;
            if !is_at_work(&self.running, endpoint) && !self.failed.iter().any(waits) {
                self.before.push(*endpoint);
            }
            false
        });
        // What nobody would add now is not called again.
        let before = &self.before;
        self.failed.retain(|failed| {
            let same = |endpoint: &Endpoint| clashes(endpoint, &failed.endpoint);
            now < failed.next || before.iter().any(same)
        });
    }

    /// Notes what is gone after a plan was carried out.
    pub fn note(&mut self, job: &mut Job, session: &mut Session) -> Result<()> {
        for at in 0..job.plan.steps.len() {
            let Some(step) = job.plan.steps.get(at) else {
                break;
            };
            if !self.exist() || step.action != Action::Delete || step.error.is_some() {
                continue;
            }
            let endpoint = step.endpoint;
            let same = |call: &Call| is_same(&call.endpoint, &endpoint);
            let call = match self.prepared.iter().position(same) {
                Some(place) => self.prepared.swap_remove(place),
                None => Call {
                    endpoint,
                    variables: describe(job, session, &endpoint)?,
                },
            };
            self.after.push(call);
        }
        Ok(())
    }

    /// Calls the program for what is to be, as far as it is not at work for the
    /// same address.
    pub fn start(&mut self, job: &mut Job, session: &mut Session) -> Result<()> {
        let mut later = Vec::new();
        for call in core::mem::take(&mut self.after) {
            if is_at_work(&self.running, &call.endpoint) {
                later.push(call);
            } else {
                self.call(call, false);
            }
        }
        self.after = later;
        for endpoint in core::mem::take(&mut self.before) {
            let mut after = self.after.iter();
            // It follows by the round after that.
            if is_at_work(&self.running, &endpoint)
                || after.any(|call| clashes(&call.endpoint, &endpoint))
            {
                continue;
            }
            let variables = describe(job, session, &endpoint)?;
            let call = Call {
                endpoint,
                variables,
            };
            self.call(call, true);
        }
        Ok(())
    }

    /// What failed for an endpoint.
    #[inline(never)]
    fn failure(&mut self, endpoint: &Endpoint) -> Option<&mut Failed> {
        let mut failed = self.failed.iter_mut();
        failed.find(|failed| clashes(&failed.endpoint, endpoint))
    }

    fn call(&mut self, call: Call, adds: bool) {
        if let Some(failed) = self.failure(&call.endpoint) {
            // Until this one has ended.
            failed.next = u64::MAX;
        }
        let action: &[u8] = if adds {
            b"ACTION=add\0"
        } else {
            b"ACTION=delete\0"
        };
        let variables = [action, &call.variables].concat();
        match sys::spawn(&self.program, &variables) {
            Ok(child) => self.running.push(Running {
                call,
                adds,
                child,
                until: sys::milliseconds() + TIME,
            }),
            Err(error) => {
                let error = Error::call(error);
                self.fail(&call.endpoint, error.plain());
            }
        }
    }

    /// Adds what to wait for.
    pub fn polled(&self, into: &mut Vec<Polled>) {
        for running in &self.running {
            into.push(Polled::read(&running.child.fd));
        }
    }

    /// When something is to be done without news.
    pub fn due(&self) -> u64 {
        let mut due = u64::MAX;
        for running in &self.running {
            due = due.min(running.until);
        }
        for failed in &self.failed {
            due = due.min(failed.next);
        }
        due
    }

    /// Whether a failed call is to be made again.
    pub fn is_due(&self) -> bool {
        let now = sys::milliseconds();
        self.failed.iter().any(|failed| failed.next <= now)
    }

    /// Looks at what ended; returns whether there is something to add now, or to
    /// call. Failures are reported once.
    pub fn hear(&mut self, report: &mut dyn FnMut(&[u8])) -> bool {
        let now = sys::milliseconds();
        let mut news = false;
        let mut at = 0;
        while let Some(running) = self.running.get(at) {
            let late = running.until <= now;
            if late {
                running.child.kill();
            }
            let Some(status) = running.child.status() else {
                at += 1;
                continue;
            };
            let Running { call, adds, .. } = self.running.swap_remove(at);
            news = true;
            let mut why = Text::default();
            match status {
                0 => {
                    let other = |failed: &Failed| !clashes(&failed.endpoint, &call.endpoint);
                    self.failed.retain(other);
                    if adds {
                        self.prepared.push(call);
                    }
                    continue;
                }
                _ if late => why.bytes(b"took longer than 10 s and was killed"),
                _ => {
                    why.bytes(b"failed with status ");
                    why.number(status.into());
                }
            }
            let told = |failed: &Failed| {
                clashes(&failed.endpoint, &call.endpoint) && failed.why == why.as_bytes()
            };
            if !self.failed.iter().any(told) {
                let mut message = Text::default();
                let program = self.program.strip_suffix(b"\0").unwrap_or(&[]);
                message.bytes(program);
                message.bytes(if adds { b" (add " } else { b" (delete " });
                message.address(address_of(&call.endpoint));
                message.bytes(b") ");
                message.bytes(why.as_bytes());
                report(message.as_bytes());
            }
            if adds {
                self.fail(&call.endpoint, why.as_bytes());
            } else if let Some(failed) = self.failure(&call.endpoint) {
                failed.next = now;
            }
        }
        news
    }

    fn fail(&mut self, endpoint: &Endpoint, why: &[u8]) {
        let now = sys::milliseconds();
        if let Some(failed) = self.failure(endpoint) {
            failed.pause = LONGEST_PAUSE.min(2 * failed.pause);
            failed.next = now + failed.pause;
            failed.why = why.to_vec();
            return;
        }
        self.failed.push(Failed {
            endpoint: *endpoint,
            next: now + FIRST_PAUSE,
            pause: FIRST_PAUSE,
            why: why.to_vec(),
        });
    }

    /// Forgets failures of what nobody wants any more.
    pub fn forget(&mut self, plan: &Plan) {
        self.failed
            .retain(|failed| crate::state::plan::among(&plan.wanted, &failed.endpoint));
    }

    /// Ends the calls: nobody waits for what they would do.
    pub fn stop(&mut self) {
        for running in &self.running {
            running.child.kill();
        }
    }

    /// Waits until all calls are over.
    pub fn finish(&mut self, job: &mut Job, session: &mut Session) -> Result<()> {
        while !self.running.is_empty() || !self.after.is_empty() {
            self.start(job, session)?;
            let mut polled = Vec::new();
            self.polled(&mut polled);
            let left = self.due().saturating_sub(sys::milliseconds());
            let left = i32::try_from(left).unwrap_or(i32::MAX);
            if sys::poll_all(&mut polled, left).is_err() {
                break;
            }
            self.failed.clear();
            self.hear(&mut |_| ());
        }
        Ok(())
    }
}

/// Whether the program is called for the address of an endpoint.
#[inline(never)]
fn is_at_work(running: &[Running], endpoint: &Endpoint) -> bool {
    let mut running = running.iter();
    running.any(|running| clashes(&running.call.endpoint, endpoint))
}

/// The variables that describe an endpoint, each ended by NUL.
fn describe(job: &mut Job, session: &mut Session, endpoint: &Endpoint) -> Result<Vec<u8>> {
    let index = index_of(endpoint);
    let address = address_of(endpoint);
    let (family, digit) = match address {
        IpAddr::V4(_) => (AF_INET, b"4"),
        IpAddr::V6(_) => (AF_INET6, b"6"),
    };
    let mut gateway = None;
    if index != 0 {
        // Without a default route there is none.
        let routes = job.routes(session)?;
        if routes.default_route(family, index, &mut gateway).is_err() {
            gateway = None;
        }
    }
    let mut out = Text::default();
    out.bytes(b"ADDRESS=");
    out.address(address);
    out.bytes(b"\0FAMILY=");
    out.bytes(digit);
    out.bytes(b"\0ID=");
    out.bytes(number(id_of(endpoint).into()).as_bytes());
    out.bytes(b"\0INTERFACE=");
    if index != 0 {
        out.bytes(job.names.get(session.path_manager()?.fd(), index));
    }
    out.bytes(b"\0GATEWAY=");
    if let Some(gateway) = gateway {
        out.address(gateway);
    }
    out.byte(0);
    Ok(out.into_bytes())
}
