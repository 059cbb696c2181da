//! `status`.

use mptcp_codec::generic::controller::{self, Family};
use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::FAMILY;

use super::counters::expose;
use super::endpoint::members;
use super::health::{Host, Presence, Tally};
use super::places::Place;
use super::user_space::knows_tokens;
use crate::args::Status;
use crate::error::Result;
use crate::kernel::{proc, sys, Interfaces};
use crate::output::prometheus::Metric;
use crate::output::{self, address, Output};
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

/// What the kernel may be able to do.
static FEATURES: [&str; 5] = [
    "events",
    "change",
    "user_space",
    "endpoints_by_token",
    "laminar",
];

/// All that is shown.
struct View<'v> {
    features: [Option<bool>; 5],
    limits: [(&'static str, u64); 2],
    host: &'v Host,
    /// `None`: this kernel does not tell.
    tally: Option<&'v Tally>,
}

pub fn run(session: &mut Session, asked: &Status) -> Result<u8> {
    let features = features(session)?;
    let limits = session.path_manager()?.limits()?;
    let mut routes = Interfaces::open(session.receive_buffer())?;
    let mut host = Host::default();
    host.read(session, &mut routes)?;
    let mut tally = Tally::default();
    let known = tally.count(session, &host.places).is_ok();
    let view = View {
        features,
        limits: [
            (
                "add_addr_accepted",
                limits.add_addr_accepted().unwrap_or(0).into(),
            ),
            ("subflows", limits.subflows().unwrap_or(0).into()),
        ],
        host: &host,
        tally: known.then_some(&tally),
    };
    if asked.prometheus {
        prometheus_format(&mut session.out, &view)?;
    } else {
        print(&mut session.out, &view)?;
    }
    Ok(0)
}

/// What this kernel can do, as far as it tells; nothing is changed for it.
fn features(session: &mut Session) -> Result<[Option<bool>; 5]> {
    let path_manager = session.path_manager()?;
    let (mut events, mut commands) = (false, 0_u32);
    path_manager.socket().call(
        &|buffer, seq| controller::family_by_name(buffer, seq, FAMILY),
        &mut |message| {
            let family = Family::decode(message)?;
            events = family.group(mptcp_codec::mptcp::EVENT_GROUP)?.is_some();
            for operation in family.operations() {
                let number = operation?.command;
                commands |= 1_u32.checked_shl(number).unwrap_or(0);
            }
            Ok(())
        },
    )?;
    let has = |number: u8| Some(commands >> number & 1 != 0);
    Ok([
        Some(events),
        has(command::SET_FLAGS),
        has(command::ANNOUNCE),
        knows_tokens(path_manager),
        // Only adding such an endpoint would tell.
        None,
    ])
}

/// Name of the interface of an endpoint, nothing where it has none.
fn device(host: &Host, place: &Place) -> Vec<u8> {
    match place.interface {
        0 => Vec::new(),
        index => host.name(index),
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

fn end(out: &mut Output) -> Result<()> {
    if out.style.json {
        out.end_object()
    } else {
        out.end_line()
    }
}

fn put_name(out: &mut Output, name: &str) {
    out.byte(b' ');
    out.text(name);
    out.byte(b' ');
}

/// A member in JSON, words on the line in text.
fn word(out: &mut Output, name: &str, word: &str) {
    if out.style.json {
        out.json_string(name, word.as_bytes());
    } else {
        put_name(out, name);
        out.text(word);
    }
}

fn number(out: &mut Output, name: &str, value: u64) {
    if out.style.json {
        out.json_number(name, value);
    } else {
        put_name(out, name);
        out.number(value);
    }
}

/// In text and in JSON.
fn print(out: &mut Output, view: &View) -> Result<()> {
    let json = out.style.json;
    if json {
        out.begin_object("");
    }
    begin(out, "kernel");
    for (name, known) in FEATURES.iter().zip(&view.features) {
        let answer = match known {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        word(out, name, answer);
    }
    end(out)?;
    if json {
        out.begin_object("sysctl");
    }
    for name in sys::names_in(c"/proc/sys/net/mptcp").unwrap_or_default() {
        sysctl(out, &name)?;
    }
    if json {
        out.end_object()?;
    }
    begin(out, "limits");
    for (name, value) in &view.limits {
        number(out, name, *value);
    }
    end(out)?;
    if json {
        out.begin_array("endpoints");
    }
    for place in view.host.places.all() {
        begin(out, if json { "" } else { "endpoint " });
        members(out, &place.endpoint, &device(view.host, place));
        let state = view.host.presence(place).name();
        if json {
            out.json_string("state", state.as_bytes());
        } else {
            out.text(state);
        }
        end(out)?;
    }
    if json {
        out.end_array()?;
    }
    match view.tally {
        Some(tally) => {
            if json {
                out.json_number("connections", tally.connections);
            } else {
                out.text("connections ");
                out.number(tally.connections);
            }
            number(out, "fallbacks", tally.fallbacks);
            if !tally.hidden {
                number(out, "subflows", tally.subflows);
            }
            if json && !tally.hidden {
                out.begin_array("interfaces");
            }
            for (index, count) in &tally.by_interface {
                let name = view.host.name(*index);
                if json {
                    if tally.hidden {
                        break;
                    }
                    out.begin_object("");
                    out.json_string("dev", &name);
                    out.json_number("subflows", *count);
                    out.end_object()?;
                } else {
                    out.end_line()?;
                    out.text("subflows dev ");
                    out.bytes(&name);
                    out.text(" ");
                    out.number(*count);
                }
            }
            if json && !tally.hidden {
                out.end_array()?;
            }
        }
        None if json => {}
        None => out.text("connections unknown"),
    }
    end(out)
}

/// A sysctl of this name, if the kernel lets it be read, and what it is by
/// default. Those of newer kernels have no default here.
fn sysctl(out: &mut Output, name: &[u8]) -> Result<()> {
    let value = proc::sysctl(&[b"mptcp/", name].concat());
    let (Some(value), Ok(name)) = (value, core::str::from_utf8(name)) else {
        return Ok(());
    };
    let mut default = "";
    for (known, value) in DEFAULTS {
        if *known == name {
            default = value;
        }
    }
    if out.style.json {
        out.begin_object(name);
        out.json_string("value", &value);
        if !default.is_empty() {
            out.json_string("default", default.as_bytes());
        }
        return out.end_object();
    }
    out.text("sysctl ");
    out.text(name);
    out.text(" ");
    out.bytes(&value);
    if !default.is_empty() && value != default.as_bytes() {
        out.text(" (default ");
        out.text(default);
        out.text(")");
    }
    out.end_line()
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric {
        name,
        kind: "gauge",
        help,
    }
}

static ENABLED: Metric = gauge("mptcp_enabled", "Whether MPTCP is switched on.");
static LIMIT: Metric = gauge("mptcp_limit", "Limits of the path manager.");
static ENDPOINT_UP: Metric = gauge(
    "mptcp_endpoint_up",
    "Whether packets can leave from the address of an endpoint.",
);
static CONNECTIONS: Metric = gauge(
    "mptcp_connections",
    "MPTCP connections; fallback: those that became TCP.",
);
static SUBFLOWS: Metric = gauge("mptcp_subflows", "Subflows by interface.");

fn prometheus_format(out: &mut Output, view: &View) -> Result<()> {
    ENABLED.begin(out);
    let enabled = proc::sysctl(b"mptcp/enabled").is_some_and(|value| value != b"0");
    ENABLED.sample(out, &[], enabled.into())?;
    LIMIT.begin(out);
    for (name, value) in &view.limits {
        LIMIT.sample(out, &[("limit", name.as_bytes())], *value)?;
    }
    ENDPOINT_UP.begin(out);
    for place in view.host.places.all() {
        let address = place.endpoint.address().map(address).unwrap_or_default();
        let id = output::number(place.endpoint.id().unwrap_or(0).into());
        let dev = device(view.host, place);
        let labels: [(&str, &[u8]); 3] =
            [("id", id.as_bytes()), ("address", &address), ("dev", &dev)];
        let up = view.host.presence(place) == Presence::Up;
        ENDPOINT_UP.sample(out, &labels, up.into())?;
    }
    if let Some(tally) = view.tally {
        CONNECTIONS.begin(out);
        let multipath = tally.connections - tally.fallbacks;
        CONNECTIONS.sample(out, &[("fallback", b"no")], multipath)?;
        CONNECTIONS.sample(out, &[("fallback", b"yes")], tally.fallbacks)?;
        if !tally.hidden {
            SUBFLOWS.begin(out);
            for (index, count) in &tally.by_interface {
                let dev = view.host.name(*index);
                SUBFLOWS.sample(out, &[("dev", &dev)], *count)?;
            }
        }
    }
    let mut counters = Vec::new();
    proc::counters(&mut counters)?;
    expose(out, &counters)
}
