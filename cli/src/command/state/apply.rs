//! `apply`.

use std::net::IpAddr;

use mptcp_codec::{generic, route};

use super::{print, with_file, Job, Teller};
use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::milliseconds;
use crate::kernel::LinkEvents;
use crate::kernel::{receive_error, RouteSocket, CHANGES};
use crate::output::complain;
use crate::session::Session;
use crate::session::{Command, Does};
use crate::state::file::Declared;
use crate::state::plan::{is_meant, Others};
use crate::sys::{self, Polled};
use crate::text::Text;

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "apply",
    about: "Make endpoints and limits those of a state file.",
    words: "[ --dry-run ] [ --keep ] [ --wait SECS ] FILE",
    help: "A state file is lines of these commands, with comments:\n\
            \x20 limits set subflows 4 add_addr_accepted 4\n\
            \x20 endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh\n\
            \x20 endpoint add dev lte -4 subflow backup   # its usable addresses\n\
            Endpoints that already match are left alone; unnamed limits keep their values. \
            Where the kernel refuses a change, those before it are undone. Of addresses that \
            dev stands for, those that the kernel has no room for are left out, with a warning.\n\
            \n\
            Exit status 3: --dry-run, and there is something to change.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp apply --wait 10 /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
pub fn run(session: &mut Session, apply: &Options) -> Result<Status> {
    let mut wait = None;
    if let Some(word) = apply.wait {
        let Some(time) = milliseconds(word) else {
            return Err(Error::invalid(word, "expected seconds"));
        };
        wait = Some((word, time));
    }
    with_file(session, apply.file()?, &mut |session, job| {
        job.apply(session, apply, wait)
    })
}

impl Job {
    /// Goes on while there is no mistake to tell.
    fn apply(
        &mut self,
        session: &mut Session,
        apply: &Options,
        wait: Option<(&str, u64)>,
    ) -> Result<()> {
        if let Some((seconds, time)) = wait {
            self.wait(session, seconds, time)?;
            if self.teller.status != 0 {
                return Ok(());
            }
        }
        if !apply.dry_run {
            self.lock.take()?;
        }
        self.look_at_all(session)?;
        if self.teller.status != 0 {
            return Ok(());
        }
        self.make(session, apply)
    }

    fn look_at_all(&mut self, session: &mut Session) -> Result<()> {
        // Interfaces matter if the file stands for addresses of some.
        if self.file.endpoints.iter().any(|declared| declared.spread) {
            self.look_around(session)?;
        } else {
            self.find_interfaces(session)?;
        }
        self.look(session)?;
        for declared in &self.file.endpoints {
            let dev = &declared.dev;
            if !declared.spread && !dev.is_empty() && declared.entry.index == 0 {
                let error = Error::invalid(dev, "device does not exist");
                self.teller.tell(declared.line, error);
            }
        }
        Ok(())
    }

    /// Makes of what is there what the file says.
    fn make(&mut self, session: &mut Session, apply: &Options) -> Result<()> {
        let plan = &mut self.plan;
        plan.expand(&self.file, false);
        plan.compare_limits(&self.file);
        let others = match apply.keep {
            true => Others::StayBut(&[]),
            false => Others::Go,
        };
        if let Err(mistake) = plan.compare(others) {
            return self.teller.tell_refused(mistake);
        }
        if apply.dry_run {
            if !plan.steps.is_empty() {
                self.teller.status = status::WOULD_CHANGE;
            }
            return self.list(session);
        }
        self.carry_out(session, false)?;
        if self.teller.status != 0 {
            return Ok(());
        }
        for step in &self.plan.steps {
            if step.error.is_some() {
                tell_no_room(&self.teller, step.line, step.entry.address, &mut self.text);
            }
        }
        complain(self.text.as_bytes());
        if session.out.style.json {
            self.list(session)?;
        }
        Ok(())
    }

    /// Prints the steps but for those that were left out.
    fn list(&mut self, session: &mut Session) -> Result<()> {
        let (path_manager, out) = session.path_manager_and_output()?;
        if out.style.json {
            out.begin_array("");
        }
        for step in &self.plan.steps {
            if step.error.is_none() {
                print(out, path_manager, &mut self.names, step);
            }
        }
        if out.style.json {
            out.end_array();
        }
        Ok(())
    }

    /// Waits for MPTCP and for what the file names, so many milliseconds, which
    /// were said as `seconds`; what did not come is told.
    #[inline(never)]
    fn wait(&mut self, session: &mut Session, seconds: &str, time: u64) -> Result<()> {
        let buffer = session.receive_buffer();
        let end = sys::milliseconds().saturating_add(time);
        let mut news = RouteSocket::listen(buffer, generic::NETLINK_GENERIC, FAMILIES)?;
        while let Err(error) = session.path_manager() {
            if error.errno() != libc::ENOENT as u32 || !await_news(&mut news, end)? {
                return Err(error);
            }
        }
        news = RouteSocket::listen(buffer, route::NETLINK_ROUTE, CHANGES)?;
        loop {
            self.look_around(session)?;
            let seen = &self.plan.seen;
            let is_there = |declared: &Declared| lack(declared, seen).is_empty();
            if self.file.endpoints.iter().all(is_there) || !await_news(&mut news, end)? {
                break;
            }
        }
        for declared in &self.file.endpoints {
            let what = lack(declared, &self.plan.seen);
            if !what.is_empty() {
                let dev = &declared.dev;
                let message = ["Error: waited ", seconds, what, dev, "\""];
                let error = Error::new(Kind::Kernel, status::FAILED, &message).about(dev);
                self.teller.tell(declared.line, error);
            }
        }
        Ok(())
    }
}

/// `GENL_ID_CTRL`, the group in which families are announced.
const FAMILIES: &[u32] = &[16];

/// The warning about an address that is left out.
pub fn tell_no_room(teller: &Teller, line: u32, address: IpAddr, text: &mut Text) {
    let mut message = Text::default();
    message.bytes(b"the kernel has no room for another endpoint: ");
    message.address(address);
    message.bytes(b" is left out");
    let place = Some((teller.name(), line));
    Error::warning(teller.json, place, message.as_bytes(), text);
}

/// Waits until something is new, whatever it is; false where the time is over.
fn await_news(news: &mut RouteSocket, end: u64) -> Result<bool> {
    let left = end.saturating_sub(sys::milliseconds());
    if left == 0 {
        return Ok(false);
    }
    // Longer than poll can wait is as long as it can.
    let left = i32::try_from(left).unwrap_or(i32::MAX);
    sys::poll_all(&mut [Polled::read(news.fd())], left).map_err(receive_error)?;
    news.news(&mut |_| ())?;
    Ok(true)
}

/// What a line names that is not there, as the message has it; empty where all
/// is.
fn lack(declared: &Declared, seen: &LinkEvents) -> &'static str {
    if declared.dev.is_empty() {
        ""
    } else if declared.entry.index == 0 {
        " s in vain for interface \""
    } else if !declared.spread || seen.iter().any(|of| is_meant(declared, seen, of)) {
        ""
    } else {
        " s in vain for an address of \""
    }
}
