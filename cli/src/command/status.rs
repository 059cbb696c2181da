//! `status`.

use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::EndpointFlags;

use super::counters::expose;
use crate::args::Options;
use crate::error::{Result, Status};
use crate::host::health::Host;
use crate::kernel::connections::{is_fallback, survey, Found};
use crate::kernel::proc::{self, Counters};
use crate::kernel::{Diagnostics, Names};
use crate::output::prometheus::Metrics;
use crate::output::Output;
use crate::session::Session;
use crate::session::{Command, Does};
use crate::state::members::members;
use crate::sys;
use crate::text::{nth, take};

/// The row of the table of commands.
pub const COMMAND: Command = Command {
    name: "status",
    about: "Show in one view what MPTCP is set to and what it is doing.",
    words: "[ --prometheus ]",
    help: "The kernel is asked what it can do; what it does not say is unknown.\n\
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
    /// The commands of the path manager, a bit each.
    commands: u32,
    /// It shows the endpoints of one connection.
    tokens: Option<bool>,
}

/// How many connections and subflows there are.
#[derive(Default)]
struct Counts {
    connections: u64,
    /// Those that have become TCP.
    fallbacks: u64,
    subflows: u64,
    /// The same by index of the interface, ascending; 0 where that is unknown.
    by_interface: Vec<(u32, u64)>,
    /// The kernel hides subflows from this reader.
    hidden: bool,
}

impl Counts {
    /// Counts while the kernel lists them: nothing is kept.
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
    if asked.prometheus {
        measure(&mut session.out, &mut host, counts)?;
    } else {
        print(&mut session.out, &mut host, counts, &features);
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

/// Name of the interface, nothing where there is none.
fn device(names: &mut Names, index: u32) -> &[u8] {
    match index {
        0 => &[],
        index => names.known(index),
    }
}

/// Begins an object in JSON, a line in text.
fn begin(out: &mut Output, name: &str) {
    if out.style.json {
        out.begin_object(name);
    } else {
        out.text(name);
    }
}

/// A member in JSON, words on the line in text.
fn number(out: &mut Output, name: &str, value: u64) {
    if out.style.json {
        out.json_number(name, value);
    } else {
        put_name(out, name);
        out.amount(value);
    }
}

fn put_name(out: &mut Output, name: &str) {
    out.byte(b' ');
    out.text(name);
    out.byte(b' ');
}

/// A member in JSON, a word in text.
fn word(out: &mut Output, name: &str, word: &[u8]) {
    if out.style.json {
        out.json_string(name, word);
    } else {
        out.bytes(word);
    }
}

/// What the kernel may be able to do; `None` where it does not say.
fn feature(out: &mut Output, name: &str, known: Option<bool>) {
    let answer = nth(b"no yes unknown", b' ', known.map_or(2, usize::from));
    if !out.style.json {
        put_name(out, name);
    }
    word(out, name, answer);
}

/// In text and in JSON.
fn print(out: &mut Output, host: &mut Host, counts: Option<&Counts>, features: &Features) {
    let has = |number: u8| Some(features.commands >> number & 1 != 0);
    out.begin_record("");
    begin(out, "kernel");
    feature(out, "events", Some(features.events));
    feature(out, "change", has(command::SET_FLAGS));
    feature(out, "user_space", has(command::ANNOUNCE));
    feature(out, "endpoints_by_token", features.tokens);
    // Only an endpoint that has it shows it.
    let mut flags = EndpointFlags::default();
    for endpoint in &host.places.endpoints {
        flags |= endpoint.flags().unwrap_or_default();
    }
    let laminar = flags.contains(EndpointFlags::LAMINAR).then_some(true);
    feature(out, "laminar", laminar);
    out.end_record();
    sysctls(out);
    begin(out, "limits");
    number(out, "add_addr_accepted", host.add_addr_accepted.into());
    number(out, "subflows", host.more_subflows.into());
    out.end_record();
    endpoints(out, host);
    let json = out.style.json;
    if !json {
        out.text("connections");
    }
    if let Some(counts) = counts {
        if json {
            out.json_number("connections", counts.connections);
        } else {
            out.byte(b' ');
            out.amount(counts.connections);
        }
        number(out, "fallbacks", counts.fallbacks);
        if !counts.hidden {
            number(out, "subflows", counts.subflows);
            interfaces(out, host, counts);
        }
    } else if !json {
        out.text(" unknown");
    }
    out.end_record();
}

fn endpoints(out: &mut Output, host: &mut Host) {
    let json = out.style.json;
    if json {
        out.begin_array("endpoints");
    }
    for endpoint in &host.places.endpoints {
        begin(out, if json { "" } else { "endpoint " });
        let facts = host.facts(endpoint);
        members(
            out,
            endpoint,
            device(&mut host.places.names, facts.interface),
        );
        word(out, "state", facts.presence.name());
        out.end_record();
    }
    if json {
        out.end_array();
    }
}

/// How many subflows each interface has.
fn interfaces(out: &mut Output, host: &mut Host, counts: &Counts) {
    let json = out.style.json;
    if json {
        out.begin_array("interfaces");
    }
    for (index, count) in &counts.by_interface {
        let name = host.places.names.known(*index);
        if json {
            out.begin_object("");
            out.json_string("dev", name);
            out.json_number("subflows", *count);
            out.end_object();
        } else {
            out.end_line();
            out.text("subflows dev ");
            out.bytes(name);
            out.byte(b' ');
            out.amount(*count);
        }
    }
    if json {
        out.end_array();
    }
}

/// The sysctls that there are.
fn sysctls(out: &mut Output) {
    out.begin_record("sysctl");
    let mut names = Vec::new();
    // What cannot be listed is as good as missing.
    let _ = sys::names_in(c"/proc/sys/net/mptcp", &mut names);
    let mut value = Vec::new();
    for name in &names {
        sysctl(out, name, &mut value);
    }
    if out.style.json {
        out.end_object();
    }
}

/// A sysctl of this name, if the kernel lets it be read, and what it is by
/// default. Those of newer kernels have no default here.
fn sysctl(out: &mut Output, name: &[u8], value: &mut Vec<u8>) {
    proc::sysctl(name, value);
    let Some(key) = sys::text(name) else {
        return;
    };
    if value.is_empty() {
        return;
    }
    let (mut defaults, mut default) = (proc::MPTCP_DEFAULTS, &b""[..]);
    while !defaults.is_empty() {
        let mut line = take(&mut defaults, b'\n');
        if take(&mut line, b' ') == name {
            default = line;
        }
    }
    let json = out.style.json;
    if json {
        out.begin_object(key);
    } else {
        out.text("sysctl");
        put_name(out, key);
    }
    word(out, "value", value);
    if json && !default.is_empty() {
        out.json_string("default", default);
    } else if !default.is_empty() && *value != default {
        out.text(" (default ");
        out.bytes(default);
        out.byte(b')');
    }
    out.end_record();
}

/// In Prometheus' format.
fn measure(out: &mut Output, host: &mut Host, counts: Option<&Counts>) -> Result<()> {
    let metrics = &mut Metrics::new(out);
    let mut enabled = Vec::new();
    proc::sysctl(b"enabled", &mut enabled);
    // What cannot be read is not 0.
    if !enabled.is_empty() {
        metrics.begin("mptcp_enabled gauge Whether MPTCP is switched on.");
        metrics.sample((proc::decimal(&enabled) != 0).into());
    }
    metrics.begin("mptcp_limit gauge Limits of the path manager.");
    let accepted = host.add_addr_accepted.into();
    metrics.labelled("limit", b"add_addr_accepted", accepted);
    let subflows = host.more_subflows.into();
    metrics.labelled("limit", b"subflows", subflows);
    metrics.begin("mptcp_endpoint_up gauge Whether an endpoint is up or translated.");
    for endpoint in &host.places.endpoints {
        let facts = host.facts(endpoint);
        metrics.label("id");
        metrics.out.number(facts.id.into());
        metrics.label("address");
        metrics.address(endpoint.address());
        metrics.label("dev");
        metrics.value(device(&mut host.places.names, facts.interface));
        metrics.sample(facts.presence.is_right().into());
    }
    if let Some(counts) = counts {
        metrics
            .begin("mptcp_connections gauge MPTCP connections; fallback: those that became TCP.");
        let multipath = counts.connections - counts.fallbacks;
        metrics.labelled("fallback", b"no", multipath);
        metrics.labelled("fallback", b"yes", counts.fallbacks);
        if !counts.hidden {
            metrics.begin("mptcp_subflows gauge Subflows by interface.");
            for (index, count) in &counts.by_interface {
                let dev = host.places.names.known(*index);
                metrics.labelled("dev", dev, *count);
            }
        }
    }
    let mut counters = Counters::default();
    counters.read()?;
    expose(metrics, &counters)
}
