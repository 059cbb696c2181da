//! `status`.

use mptcp_codec::generic::controller::{self, Family};
use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::{Endpoint, Limits, FAMILY};

use super::counters::expose;
use super::endpoint::members;
use super::health::{tally, Host, Presence, Tally};
use super::user_space::knows_tokens;
use crate::args::Status;
use crate::error::Result;
use crate::kernel::{proc, sys};
use crate::output::{address, number, prometheus, vanished, Output};
use crate::session::Session;

/// The kernel's defaults of sysctls below net/mptcp, where there is one to
/// compare with.
static DEFAULTS: &[(&str, &str)] = &[
    ("enabled", "1"),
    ("path_manager", "kernel"),
    ("pm_type", "0"),
    ("scheduler", "default"),
    ("add_addr_timeout", "120"),
    ("allow_join_initial_addr_port", "1"),
    ("blackhole_timeout", "3600"),
    ("checksum_enabled", "0"),
    ("close_timeout", "60"),
    ("stale_loss_cnt", "4"),
    ("syn_retrans_before_tcp_fallback", "2"),
];

/// All that is shown.
struct View {
    features: [(&'static str, Option<bool>); 5],
    limits: Limits,
    host: Host,
    /// `None`: this kernel does not tell.
    tally: Option<Tally>,
}

pub fn run(session: &mut Session, asked: &Status) -> Result<u8> {
    let features = features(session)?;
    let limits = session.path_manager()?.limits()?;
    let host = Host::read(session)?;
    let tally = tally(session, &host.places).ok();
    let view = View {
        features,
        limits,
        host,
        tally,
    };
    if asked.prometheus {
        prometheus_format(&mut session.out, &view)?;
    } else if session.out.style.json {
        json(&mut session.out, &view)?;
    } else {
        text(&mut session.out, &view)?;
    }
    Ok(0)
}

/// What this kernel can do, as far as it tells; nothing is changed for it.
fn features(session: &mut Session) -> Result<[(&'static str, Option<bool>); 5]> {
    let path_manager = session.path_manager()?;
    let (mut events, mut commands) = (None, 0_u32);
    path_manager.socket().call(
        &|buffer, seq| controller::family_by_name(buffer, seq, FAMILY),
        &mut |message| {
            let family = Family::decode(message)?;
            let group = family.group(mptcp_codec::mptcp::EVENT_GROUP);
            events = group?;
            for operation in family.operations() {
                let number = operation?.command;
                commands |= 1_u32.checked_shl(number).unwrap_or(0);
            }
            Ok(())
        },
    )?;
    let has = |number: u8| Some(commands >> number & 1 != 0);
    Ok([
        ("events", Some(events.is_some())),
        ("change", has(command::SET_FLAGS)),
        ("user_space", has(command::ANNOUNCE)),
        ("endpoints_by_token", knows_tokens(path_manager)),
        // Only adding such an endpoint would tell.
        ("laminar", None),
    ])
}

fn answer(known: Option<bool>) -> &'static str {
    match known {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

/// The sysctls that this kernel has, by name: name, value, default. Those of
/// newer kernels, and without a default, have an empty one.
fn sysctls() -> impl Iterator<Item = (String, Vec<u8>, &'static str)> {
    let names = sys::names_in(c"/proc/sys/net/mptcp").unwrap_or_default();
    names.into_iter().filter_map(|name| {
        let value = proc::sysctl([b"mptcp/", &name[..]].concat().as_slice())?;
        let name = String::from_utf8(name).ok()?;
        let default = DEFAULTS.iter().find(|(known, _)| *known == name);
        Some((name, value, default.map_or("", |(_, default)| default)))
    })
}

fn limits(view: &View) -> [(&'static str, u64); 2] {
    [
        (
            "add_addr_accepted",
            view.limits.add_addr_accepted().unwrap_or(0).into(),
        ),
        ("subflows", view.limits.subflows().unwrap_or(0).into()),
    ]
}

/// Name of an interface, `unknown` for none.
fn name(host: &Host, index: u32) -> Vec<u8> {
    match host.interface(index) {
        Some(interface) => interface.name.clone(),
        None if index == 0 => b"unknown".to_vec(),
        None => vanished(index),
    }
}

/// Name of the interface of an endpoint, nothing where it has none.
fn device(host: &Host, endpoint: &Endpoint) -> Vec<u8> {
    match host.interface_of(endpoint) {
        0 => Vec::new(),
        index => name(host, index),
    }
}

fn text(out: &mut Output, view: &View) -> Result<()> {
    out.text("kernel");
    for (feature, known) in view.features {
        for piece in [" ", feature, " ", answer(known)] {
            out.text(piece);
        }
    }
    out.end_line()?;
    for (name, value, default) in sysctls() {
        out.text("sysctl ");
        out.text(&name);
        out.text(" ");
        out.bytes(&value);
        if !default.is_empty() && value != default.as_bytes() {
            out.text(" (default ");
            out.text(default);
            out.text(")");
        }
        out.end_line()?;
    }
    out.text("limits");
    for (name, value) in limits(view) {
        out.text(" ");
        out.text(name);
        out.text(" ");
        out.number(value);
    }
    out.end_line()?;
    for endpoint in view.host.places.endpoints() {
        out.text("endpoint ");
        let dev = device(&view.host, endpoint);
        members(out, endpoint, &dev);
        let presence = view.host.presence(endpoint);
        out.text(presence.name());
        out.end_line()?;
    }
    match &view.tally {
        None => out.text("connections unknown"),
        Some(tally) => {
            let mut counts = vec![
                ("connections ", tally.connections),
                (" fallbacks ", tally.fallbacks),
            ];
            if !tally.hidden {
                counts.push((" subflows ", tally.subflows));
            }
            for (word, count) in counts {
                out.text(word);
                out.number(count);
            }
            for (index, count) in &tally.by_interface {
                out.end_line()?;
                out.text("subflows dev ");
                out.bytes(&name(&view.host, *index));
                out.text(" ");
                out.number(*count);
            }
        }
    }
    out.end_line()
}

fn json(out: &mut Output, view: &View) -> Result<()> {
    out.begin_object("");
    out.begin_object("kernel");
    for (feature, known) in view.features {
        out.json_string(feature, answer(known).as_bytes());
    }
    out.end_object()?;
    out.begin_object("sysctl");
    for (name, value, default) in sysctls() {
        out.begin_object(&name);
        out.json_string("value", &value);
        if !default.is_empty() {
            out.json_string("default", default.as_bytes());
        }
        out.end_object()?;
    }
    out.end_object()?;
    out.begin_object("limits");
    for (name, value) in limits(view) {
        out.json_number(name, value);
    }
    out.end_object()?;
    out.begin_array("endpoints");
    for endpoint in view.host.places.endpoints() {
        out.begin_object("");
        let dev = device(&view.host, endpoint);
        members(out, endpoint, &dev);
        out.json_string("state", view.host.presence(endpoint).name().as_bytes());
        out.end_object()?;
    }
    out.end_array()?;
    if let Some(tally) = &view.tally {
        out.json_number("connections", tally.connections);
        out.json_number("fallbacks", tally.fallbacks);
        if !tally.hidden {
            out.json_number("subflows", tally.subflows);
            out.begin_array("interfaces");
            for (index, count) in &tally.by_interface {
                out.begin_object("");
                out.json_string("dev", &name(&view.host, *index));
                out.json_number("subflows", *count);
                out.end_object()?;
            }
            out.end_array()?;
        }
    }
    out.end_object()
}

fn prometheus_format(out: &mut Output, view: &View) -> Result<()> {
    use prometheus::{begin, sample};
    let enabled = proc::sysctl(b"mptcp/enabled");
    begin(
        out,
        "mptcp_enabled",
        "gauge",
        "Whether MPTCP is switched on.",
    );
    let enabled = enabled.is_some_and(|value| value != b"0");
    sample(out, "mptcp_enabled", &[], enabled.into())?;
    begin(out, "mptcp_limit", "gauge", "Limits of the path manager.");
    for (name, value) in limits(view) {
        sample(out, "mptcp_limit", &[("limit", name.as_bytes())], value)?;
    }
    let help = "Whether packets can leave from the address of an endpoint.";
    begin(out, "mptcp_endpoint_up", "gauge", help);
    for endpoint in view.host.places.endpoints() {
        let address = endpoint.address().map(address).unwrap_or_default();
        let id = number(endpoint.id().unwrap_or(0).into());
        let dev = device(&view.host, endpoint);
        let labels: [(&str, &[u8]); 3] =
            [("id", id.as_bytes()), ("address", &address), ("dev", &dev)];
        let up = view.host.presence(endpoint) == Presence::Up;
        sample(out, "mptcp_endpoint_up", &labels, up.into())?;
    }
    if let Some(tally) = &view.tally {
        let help = "MPTCP connections; fallback: those that became TCP.";
        begin(out, "mptcp_connections", "gauge", help);
        let multipath = tally.connections - tally.fallbacks;
        for (fallback, count) in [(b"no" as &[u8], multipath), (b"yes", tally.fallbacks)] {
            let labels = [("fallback", fallback)];
            sample(out, "mptcp_connections", &labels, count)?;
        }
        if !tally.hidden {
            begin(out, "mptcp_subflows", "gauge", "Subflows by interface.");
            for (index, count) in &tally.by_interface {
                let dev = name(&view.host, *index);
                sample(out, "mptcp_subflows", &[("dev", &dev)], *count)?;
            }
        }
    }
    expose(out, &proc::counters()?)
}
