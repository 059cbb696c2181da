//! `apply`.

use mptcp_codec::{generic, route};

use super::{timeout, with_file, Job};
use crate::args::Options;
use crate::error::{status, Error, Kind, Result, Status};
use crate::grammar::milliseconds;
use crate::iproute2::STANDARD_INPUT;
use crate::kernel::key::key_of;
use crate::kernel::{receive_error, LinkEvents, NewsSocket, PathManager, CHANGES};
use crate::session::{Command, Does, Session};
use crate::state::endpoint::address_of;
use crate::state::file::{Declared, File};
use crate::state::plan::{is_local, is_meant};
use crate::sys::{self, Fd, Polled};
use crate::text::{address, among};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "apply",
    words: "[ --dry-run ] [ --keep ] [ --allow-empty ] [ --wait SECS ] FILE",
    help: "Make endpoints, limits and settings those of a state file.\n\
           A state file is lines of these commands, with comments:\n\
            \x20 limits set subflows max add_addr_accepted 4\n\
            \x20 endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh\n\
            \x20 endpoint add dev lte -4 subflow backup   # its usable addresses\n\
            \x20 endpoint add 2001:db8::/32 dev wwan* uplink subflow\n\
            \x20 ignore 192.168.0.0/16 dev docker*\n\
            \x20 sysctl scheduler default\n\
            A prefix narrows what dev stands for; with uplink an interface counts only while it \
            has a default route. \
            What matches already and limits without a line are left alone. \
            If the kernel refuses a change, those before it are undone; addresses of a dev \
            for which it has no room are left out, with a warning.\n\
            \n\
            Exit status 3: --dry-run found something to change.\n\
            \n\
            Example:\n\
            \x20 ip-mptcp apply --wait 10 /etc/mptcp.state",
    does: Does::Options(run),
};

#[inline(never)]
fn run(session: &mut Session, apply: &Options) -> Result<Status> {
    let file = apply.file()?;
    let mut wait = None;
    if let Some(word) = apply.wait {
        let Some(time) = milliseconds(word) else {
            return Err(Error::invalid(word, "expected seconds"));
        };
        wait = Some((word, time));
    }
    let input = "/dev/stdin /dev/fd/0 /proc/self/fd/0";
    if session.batch_input && (file == STANDARD_INPUT || among(input, file)) {
        let why = "the commands are read from standard input";
        return Err(Error::invalid(file, why));
    }
    with_file(session, file, false, &mut |session, job| {
        job.reporter.check_content(&job.file, apply.allow_empty)?;
        if let Some((seconds, time)) = wait {
            job.wait(session, seconds, time)?;
        }
        let late = core::mem::take(&mut job.reporter.status);
        let (path_manager, out) = session.path_manager_and_output()?;
        if !apply.dry_run {
            job.lock.take(&Fd::NONE)?;
        }
        job.look_at_all(path_manager)?;
        if job.reporter.status != 0 {
            return Ok(());
        }
        job.make(path_manager, apply)?;
        job.lock.release();
        job.reporter.flush();
        out.begin_list("");
        let prints = apply.dry_run || out.style.json;
        job.account(path_manager, out, prints);
        out.end_list();
        if late != 0 {
            job.reporter.status = late;
        }
        Ok(())
    })
}

impl Job {
    fn look_at_all(&mut self, path_manager: &mut PathManager) -> Result<()> {
        // Interfaces matter if lines stand for their addresses.
        let matters = |declared: &Declared| declared.spread || declared.uplink;
        if self.file.endpoints.iter().any(matters) {
            self.look_around(path_manager)?;
        } else {
            self.find_interfaces(path_manager.fd())?;
        }
        self.look(path_manager)?;
        for mistake in &self.plan.mistakes {
            self.reporter.report(mistake);
        }
        self.check_names(false);
        Ok(())
    }

    /// Makes the state that of the file, or finds out what that would change.
    fn make(&mut self, path_manager: &mut PathManager, apply: &Options) -> Result<()> {
        self.plan(apply.keep)?;
        if !apply.dry_run {
            return self.carry_out(path_manager);
        }
        let plan = &mut self.plan;
        let mut room = MOST_ENDPOINTS;
        if plan.steps.iter().any(|step| step.spread) {
            room = self::room(path_manager.maximum());
        }
        if plan.leave_out(room) {
            self.reporter.status = status::WOULD_CHANGE;
        }
        Ok(())
    }

    /// Waits up to `time` milliseconds, given as `seconds`, for MPTCP and for what the file
    /// names; what did not appear is reported, and reflected in the exit status.
    #[inline(never)]
    fn wait(&mut self, session: &mut Session, seconds: &str, time: u64) -> Result<()> {
        let buffer = session.receive_buffer();
        let end = sys::milliseconds().saturating_add(time);
        let mut news = NewsSocket::listen(buffer, generic::NETLINK_GENERIC, FAMILIES)?;
        while let Err(error) = session.path_manager() {
            if error.errno() != libc::ENOENT as usize || await_news(&mut news, end)? == 0 {
                return Err(error);
            }
        }
        let path_manager = session.path_manager()?;
        news = NewsSocket::listen(buffer, route::NETLINK_ROUTE, CHANGES)?;
        if self.file.has_uplinks() {
            news.listen_to_routes(true)?;
        }
        let mut late = false;
        loop {
            self.look_around(path_manager)?;
            let mut missing = false;
            for declared in &self.file.endpoints {
                let what = lack(&self.file, declared, &self.plan.seen);
                if what.is_empty() {
                    continue;
                }
                missing = true;
                if late {
                    declared.lacking.set(true);
                    let error = timed_out(seconds, what, declared);
                    self.reporter.report(&error);
                }
            }
            if late || !missing {
                return Ok(());
            }
            late = await_news(&mut news, end)? == 0;
        }
    }
}

/// What a line lacks did not appear in this time.
#[cold]
fn timed_out(seconds: &str, what: &str, declared: &Declared) -> Error {
    let text = "Error: timed out after % s waiting for ";
    let mut error = Error::naming(Kind::Kernel, status::FAILED, text, seconds);
    error.push(what.as_bytes());
    let address = address(address_of(&declared.endpoint));
    let (quote, word): (&[u8], _) = match what {
        ADDRESS => (b"", address.as_slice()),
        _ => (b"\"", declared.dev.as_bytes()),
    };
    error.push(quote);
    error.push(word);
    error.push(quote);
    error.about_bytes(word).at(declared.line)
}

/// `GENL_ID_CTRL`, the group to which families are announced.
const FAMILIES: &[u32] = &[16];

/// As many as there are ids.
const MOST_ENDPOINTS: usize = 255;

/// How many endpoints a kernel with this maximum of the limits has room for.
fn room(maximum: u32) -> usize {
    // Since Linux 7.2 limits go up to 64, and endpoints up to the number of ids.
    if maximum < 64 {
        maximum as usize
    } else {
        MOST_ENDPOINTS
    }
}

/// Waits until anything changes. Returns how much time was left before, 0 if it is over.
fn await_news(news: &mut NewsSocket, end: u64) -> Result<u64> {
    let left = end.saturating_sub(sys::milliseconds());
    if left != 0 {
        sys::poll_all(&mut [Polled::read(news.fd())], timeout(end)).map_err(receive_error)?;
        news.news(&mut |_| ())?;
    }
    Ok(left)
}

const ADDRESS: &str = "address ";

/// What a line names that does not exist yet, for the message; empty if nothing is missing.
fn lack(file: &File, declared: &Declared, seen: &LinkEvents) -> &'static str {
    if !declared.dev.is_empty() && declared.indexes.is_empty() {
        return "interface ";
    }
    if declared.spread {
        return match seen.iter().any(|of| is_meant(file, declared, seen, of)) {
            true => "",
            false => "an address of ",
        };
    }
    let address = key_of(&declared.endpoint);
    if !file.has_uplink(declared, address) {
        "a default route of "
    } else if is_local(seen, address) || declared.is_translated() {
        ""
    } else {
        ADDRESS
    }
}
