//! `status`.

use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::{Endpoint, EVENT_GROUP};

use super::counters::expose;
use super::endpoint::members;
use super::health::{Host, Presence};
use super::user_space::knows_tokens;
use crate::args::Status;
use crate::error::Result;
use crate::kernel::proc::{self, Counters};
use crate::kernel::sys;
use crate::output::prometheus::Metrics;
use crate::output::{self, address, take, Output};
use crate::session::Session;

/// The kernel's defaults of sysctls below net/mptcp, where there is one to
/// compare with.
const DEFAULTS: &[u8] = b"enabled 1\n\
    path_manager kernel\n\
    pm_type 0\n\
    scheduler default\n\
    add_addr_timeout 120\n\
    allow_join_initial_addr_port 1\n\
    blackhole_timeout 3600\n\
    checksum_enabled 0\n\
    close_timeout 60\n\
    stale_loss_cnt 4\n\
    syn_retrans_before_tcp_fallback 2";

/// What the kernel may be able to do, in the order of [`print`]; `None`: it
/// does not tell.
type Features = [Option<bool>; 5];

#[inline(never)]
pub fn run(session: &mut Session, asked: &Status) -> Result<u8> {
    let mut features = [None; 5];
    look(session, &mut features)?;
    let mut host = Host::new();
    host.read(session)?;
    let counted = host.count(session, false).is_ok();
    if asked.prometheus {
        measure(&mut session.out, &host, counted)?;
    } else {
        print(&mut session.out, &host, counted, &features)?;
    }
    Ok(0)
}

/// What this kernel can do, as far as it tells; nothing is changed for it.
#[inline(never)]
fn look(session: &mut Session, features: &mut Features) -> Result<()> {
    let path_manager = session.path_manager()?;
    let (mut events, mut commands) = (false, 0);
    path_manager.family(&mut |family| {
        events = family.group(EVENT_GROUP)?.is_some();
        for operation in family.operations() {
            commands |= 1_u32.checked_shl(operation?.command).unwrap_or(0);
        }
        Ok(())
    })?;
    let has = |number: u8| Some(commands >> number & 1 != 0);
    *features = [
        Some(events),
        has(command::SET_FLAGS),
        has(command::ANNOUNCE),
        knows_tokens(path_manager),
        // Only adding such an endpoint would tell.
        None,
    ];
    Ok(())
}

/// Name of the interface of an endpoint, nothing where it has none.
fn device(host: &Host, endpoint: &Endpoint) -> Vec<u8> {
    match host.places.of_endpoint(endpoint) {
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

/// The name of a member in JSON; in text it is written, with the blank in
/// front of it that parts it from the word before, where there is one.
fn named<'n>(out: &mut Output, name: &'n str) -> &'n str {
    if !out.style.json {
        out.text(name);
        out.byte(b' ');
    }
    name.trim_start_matches(' ')
}

/// A member in JSON, words on the line in text.
fn number(out: &mut Output, name: &str, value: u64) {
    let name = named(out, name);
    if out.style.json {
        out.json_number(name, value);
    } else {
        out.number(value);
    }
}

fn feature(out: &mut Output, name: &str, known: Option<bool>) {
    let answer: &[u8] = match known {
        Some(true) => b"yes",
        Some(false) => b"no",
        None => b"unknown",
    };
    let name = named(out, name);
    if out.style.json {
        out.json_string(name, answer);
    } else {
        out.bytes(answer);
    }
}

/// In text and in JSON.
#[inline(never)]
fn print(out: &mut Output, host: &Host, counted: bool, features: &Features) -> Result<()> {
    let json = out.style.json;
    if json {
        out.begin_object("");
    }
    begin(out, "kernel");
    let names = [
        " events",
        " change",
        " user_space",
        " endpoints_by_token",
        " laminar",
    ];
    for (name, known) in names.into_iter().zip(features) {
        feature(out, name, *known);
    }
    end(out)?;
    if json {
        out.begin_object("sysctl");
    }
    let mut names = Vec::new();
    // What cannot be listed is as good as missing.
    let _ = sys::names_in(c"/proc/sys/net/mptcp", &mut names);
    for name in names {
        sysctl(out, &name)?;
    }
    if json {
        out.end_object()?;
    }
    begin(out, "limits");
    number(out, " add_addr_accepted", host.add_addr_accepted.into());
    number(out, " subflows", host.more_subflows.into());
    end(out)?;
    if json {
        out.begin_array("endpoints");
    }
    for endpoint in &host.places.endpoints {
        begin(out, if json { "" } else { "endpoint " });
        members(out, endpoint, &device(host, endpoint));
        let state = host.presence(endpoint).name();
        if json {
            out.json_string("state", state);
        } else {
            out.bytes(state);
        }
        end(out)?;
    }
    if json {
        out.end_array()?;
    }
    if counted {
        number(out, "connections", host.connections);
        number(out, " fallbacks", host.fallbacks);
        if !host.hidden {
            number(out, " subflows", host.subflows);
            interfaces(out, host)?;
        }
    } else if !json {
        out.text("connections unknown");
    }
    end(out)
}

/// How many subflows each interface has.
fn interfaces(out: &mut Output, host: &Host) -> Result<()> {
    let json = out.style.json;
    if json {
        out.begin_array("interfaces");
    }
    for (index, count) in &host.by_interface {
        let name = host.name(*index);
        if json {
            out.begin_object("");
            out.json_string("dev", &name);
        } else {
            out.end_line()?;
            out.text("subflows dev ");
            out.bytes(&name);
        }
        // In text, the word stands in front of the name already.
        number(out, if json { "subflows" } else { "" }, *count);
        if json {
            out.end_object()?;
        }
    }
    if json {
        out.end_array()?;
    }
    Ok(())
}

/// A sysctl of this name, if the kernel lets it be read, and what it is by
/// default. Those of newer kernels have no default here.
fn sysctl(out: &mut Output, name: &[u8]) -> Result<()> {
    let value = proc::sysctl(&[b"mptcp/", name].concat());
    let Ok(key) = core::str::from_utf8(name) else {
        return Ok(());
    };
    if value.is_empty() {
        return Ok(());
    }
    let mut defaults = DEFAULTS;
    let mut default = &b""[..];
    while default.is_empty() && !defaults.is_empty() {
        let mut line = take(&mut defaults, b'\n');
        if take(&mut line, b' ') == name {
            default = line;
        }
    }
    if out.style.json {
        out.begin_object(key);
        out.json_string("value", &value);
        if !default.is_empty() {
            out.json_string("default", default);
        }
        return out.end_object();
    }
    out.text("sysctl ");
    out.bytes(name);
    out.byte(b' ');
    out.bytes(&value);
    if !default.is_empty() && value != default {
        out.text(" (default ");
        out.bytes(default);
        out.byte(b')');
    }
    out.end_line()
}

/// In Prometheus' format.
#[inline(never)]
fn measure(out: &mut Output, host: &Host, counted: bool) -> Result<()> {
    let metrics = &mut Metrics::new(out);
    metrics.begin("mptcp_enabled gauge Whether MPTCP is switched on.");
    let enabled = proc::sysctl(b"mptcp/enabled");
    metrics.sample((!matches!(&enabled[..], b"" | b"0")).into())?;
    metrics.begin("mptcp_limit gauge Limits of the path manager.");
    let accepted = host.add_addr_accepted.into();
    metrics.labelled("limit", b"add_addr_accepted", accepted)?;
    let subflows = host.more_subflows.into();
    metrics.labelled("limit", b"subflows", subflows)?;
    metrics.begin(
        "mptcp_endpoint_up gauge Whether packets can leave from the address of an endpoint.",
    );
    for endpoint in &host.places.endpoints {
        let id = output::number(endpoint.id().unwrap_or(0).into());
        metrics.label("id", id.as_bytes());
        let address = endpoint.address().map(address).unwrap_or_default();
        metrics.label("address", &address);
        metrics.label("dev", &device(host, endpoint));
        metrics.sample((host.presence(endpoint) == Presence::Up).into())?;
    }
    if counted {
        metrics
            .begin("mptcp_connections gauge MPTCP connections; fallback: those that became TCP.");
        let multipath = host.connections - host.fallbacks;
        metrics.labelled("fallback", b"no", multipath)?;
        metrics.labelled("fallback", b"yes", host.fallbacks)?;
        if !host.hidden {
            metrics.begin("mptcp_subflows gauge Subflows by interface.");
            for (index, count) in &host.by_interface {
                metrics.labelled("dev", &host.name(*index), *count)?;
            }
        }
    }
    let mut counters = Counters::default();
    counters.read()?;
    expose(metrics, &counters)
}
