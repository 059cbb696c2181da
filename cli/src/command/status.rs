//! `status`.

use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::EndpointFlags;

use super::counters;
use crate::args::Options;
use crate::error::{Result, Status};
use crate::host::health::{Facts, Host};
use crate::kernel::connections::{is_fallback, survey, Found};
use crate::kernel::proc::{self, Counters};
use crate::kernel::{Diagnostics, Names};
use crate::output::{Form, Item, Output, Report};
use crate::session::{Command, Does, Session};
use crate::state::members::members;
use crate::sys;
use crate::text::{self, nth, take};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "status",
    words: "[ --prometheus ]",
    help: "Show the settings and the state of MPTCP at a glance.\n\
           The kernel is asked what it can do; what it does not say is unknown.\n\
            States of endpoints: up, down, no-carrier, no-device (the device no longer exists), no-address \
            (no interface has the address), other-device (another than the named one has it), \
            translated (the public address of NAT before this host).\n\
            \n\
            Examples:\n\
            \x20 ip-mptcp status\n\
            \x20 ip-mptcp status --prometheus >/var/lib/node_exporter/mptcp.prom",
    does: Does::Options(run),
};

/// What the kernel can do.
#[derive(Default)]
struct Features {
    events: bool,
    /// The commands of the path manager, one bit each.
    commands: u32,
    /// It can show the endpoints of one connection.
    tokens: Option<bool>,
}

/// How many connections and subflows there are.
#[derive(Default)]
struct Counts {
    connections: u64,
    /// Those that fell back to TCP.
    fallbacks: u64,
    subflows: u64,
    /// The same by index of the interface, ascending; 0 if that is unknown.
    by_interface: Vec<(u32, u64)>,
    /// The kernel hides subflows from this reader.
    hidden: bool,
}

impl Counts {
    /// Counts them as the kernel lists them: nothing is kept.
    fn read(&mut self, session: &mut Session, host: &mut Host) -> Result<()> {
        let mut diagnostics = Diagnostics::open(session.receive_buffer())?;
        let hidden = survey(&mut diagnostics, &mut |found| {
            let (alone, socket) = match found {
                Found::Connection { socket } => {
                    self.connections += 1;
                    self.fallbacks += u64::from(is_fallback(socket));
                    return Ok(());
                }
                Found::Subflow { of, socket, .. } => (of.is_none(), socket),
            };
            self.connections += u64::from(alone);
            self.fallbacks += u64::from(alone);
            self.subflows += 1;
            let mark = socket.mark().unwrap_or(0);
            let ends = &socket.ends();
            let index = host.places.interface_of(ends, socket.interface(), mark);
            let at = self.by_interface.partition_point(|(one, _)| *one < index);
            match self.by_interface.get_mut(at) {
                Some((known, count)) if *known == index => *count += 1,
                _ => self.by_interface.insert(at, (index, 1)),
            }
            Ok(())
        })?;
        self.hidden = hidden.subflows;
        Ok(())
    }
}

pub fn run(session: &mut Session, asked: &Options) -> Result<Status> {
    let mut features = Features::default();
    features.look(session)?;
    let mut host = Host::new();
    host.read(session)?;
    let mut counts = Counts::default();
    let counted = counts.read(session, &mut host).is_ok();
    let counts = counted.then_some(&counts);
    let report = &mut Report::new(&mut session.out, asked.prometheus);
    print(report, &mut host, counts, &features);
    if report.metrics {
        let mut counters = Counters::default();
        counters.read()?;
        counters::print(report, &counters, &Counters::default(), true);
    }
    Ok(0)
}

impl Features {
    /// Asks the kernel, without changing anything.
    fn look(&mut self, session: &mut Session) -> Result<()> {
        let path_manager = session.path_manager()?;
        (self.events, self.commands) = path_manager.abilities()?;
        self.tokens = path_manager.knows_tokens();
        Ok(())
    }
}

/// The name of the interface; empty if there is none.
fn device(names: &mut Names, index: u32) -> &[u8] {
    match index {
        0 => &[],
        index => names.known(index),
    }
}

/// Whether the kernel can do something; `None` if it does not say.
fn feature(out: &mut Output, name: &str, known: Option<bool>) {
    let answer = nth(b"no yes unknown", b' ', known.map_or(2, usize::from));
    out.named_string(name, answer);
}

/// As text, JSON or metrics.
fn print(report: &mut Report, host: &mut Host, counts: Option<&Counts>, features: &Features) {
    report.out.begin_record("");
    if !report.metrics {
        kernel(report.out, host, features);
    }
    sysctls(report);
    report.metric("mptcp_limit{limit} gauge Limits of the path manager.");
    report.begin("limits", "limits");
    report.named_number("add_addr_accepted", host.add_addr_accepted.into());
    report.named_number("subflows", host.more_subflows.into());
    report.end();
    endpoints(report, host);
    connections(report, host, counts);
    report.out.end_group();
}

fn kernel(out: &mut Output, host: &Host, features: &Features) {
    let has = |number: u8| Some(features.commands >> number & 1 != 0);
    out.begin_titled("kernel", "kernel");
    feature(out, "events", Some(features.events));
    feature(out, "change", has(command::SET_FLAGS));
    feature(out, "user_space", has(command::ANNOUNCE));
    feature(out, "endpoints_by_token", features.tokens);
    // Known only if an endpoint has the flag.
    let mut flags = EndpointFlags::default();
    for endpoint in &host.places.endpoints {
        flags |= endpoint.flags().unwrap_or_default();
    }
    let laminar = flags.contains(EndpointFlags::LAMINAR).then_some(true);
    feature(out, "laminar", laminar);
    out.end_record();
}

fn endpoints(report: &mut Report, host: &mut Host) {
    report.metric("mptcp_endpoint_up gauge Whether an endpoint is up or translated.");
    report.out.begin_list("endpoints");
    let mut facts = Facts::default();
    for endpoint in &host.places.endpoints {
        host.facts(endpoint, &mut facts);
        let dev = device(&mut host.places.names, facts.interface);
        report.begin("", "endpoint ");
        if report.metrics {
            let id = text::number(facts.id.into());
            report.label(b"id", id.as_bytes());
            let address = endpoint.address().map(text::address);
            report.label(b"address", &address.unwrap_or_default());
            report.label(b"dev", dev);
        } else {
            report.out.form = Form::WORDS;
            members(report.out, endpoint, dev);
            report.out.form = Form::TITLED;
        }
        let is_up = facts.presence.is_right();
        report.string(Item::PRESENCE, facts.presence.name(), is_up.into());
        report.end();
    }
    report.out.end_list();
}

/// Connections, and how many subflows each interface has.
fn connections(report: &mut Report, host: &mut Host, counts: Option<&Counts>) {
    report.title("connections");
    let Some(counts) = counts else {
        report.title(" unknown");
        return report.end_line();
    };
    report.metric("mptcp_connections gauge MPTCP connections; fallback: those that became TCP.");
    // A metric counts each only once.
    let elsewhere = if report.metrics { counts.fallbacks } else { 0 };
    report.label(b"fallback", b"no");
    report.number(Item::CONNECTIONS, counts.connections - elsewhere);
    report.label(b"fallback", b"yes");
    report.named_number("fallbacks", counts.fallbacks);
    if counts.hidden {
        return report.end_line();
    }
    if !report.metrics {
        report.named_number("subflows", counts.subflows);
    }
    report.end_line();
    report.metric("mptcp_subflows gauge Subflows by interface.");
    report.out.begin_list("interfaces");
    for (index, count) in &counts.by_interface {
        report.begin("", "subflows");
        report.named_string("dev", host.places.names.known(*index));
        report.number(Item::SUBFLOWS_OF_DEV, *count);
        report.end();
    }
    report.out.end_list();
}

/// The sysctls of this kernel; as metrics, only whether MPTCP is enabled.
fn sysctls(report: &mut Report) {
    let mut value = Vec::new();
    if report.metrics {
        return sysctl(report, b"enabled", &mut value);
    }
    report.out.begin_record("sysctl");
    let mut names = Vec::new();
    // What cannot be listed counts as missing.
    let _ = sys::names_in(c"/proc/sys/net/mptcp", &mut names);
    for name in &names {
        sysctl(report, name, &mut value);
    }
    report.out.end_group();
}

/// A sysctl, if the kernel lets it be read, and its default. Those of newer kernels have no
/// default here.
fn sysctl(report: &mut Report, name: &[u8], value: &mut Vec<u8>) {
    proc::sysctl(name, value);
    let Some(key) = sys::text(name) else {
        return;
    };
    // What cannot be read is not 0.
    if value.is_empty() {
        return;
    }
    let (mut defaults, mut default) = (proc::MPTCP_DEFAULTS, &b""[..]);
    while default.is_empty() && !defaults.is_empty() {
        let line = take(&mut defaults, b'\n');
        if let Some([b' ', rest @ ..]) = line.strip_prefix(name) {
            default = rest;
        }
    }
    report.metric("mptcp_enabled gauge Whether MPTCP is switched on.");
    report.begin(key, "sysctl ");
    report.title(key);
    report.title(" ");
    let enabled = proc::decimal(value) != 0;
    report.string(Item::VALUE, value, enabled.into());
    let out = &mut *report.out;
    if !default.is_empty() && (out.style.json || *value != default) && !report.metrics {
        out.item_string(Item::DEFAULT, default);
        out.title(")");
    }
    report.end();
}
