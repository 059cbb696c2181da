//! How events and other records look.

use std::net::IpAddr;

use mptcp_codec::mptcp::{EventAttributes, EventFlags, EventKind};
use mptcp_codec::netlink::Attributes;

use crate::args::Options;
use crate::error::Result;
use crate::kernel::sys::{self, Time};
use crate::output::{number, padded, Colour, Output};

/// What stands in a record.
#[derive(Copy, Clone, Debug, Default)]
pub struct Record<'a> {
    /// The namespace, where there are several.
    pub netns: Option<&'a str>,
    /// What a SNAPSHOT record is of.
    pub object: Option<&'a str>,
    /// The attributes of an event.
    pub fields: EventAttributes,
    /// What was sent, for the attributes that have no name here.
    pub sent: Option<Attributes<'a>>,
    /// Name of the interface of the attributes.
    pub interface: Option<&'a [u8]>,
    /// Of a connection in a snapshot: its ESTABLISHED is past.
    pub established: bool,
    /// Of a connection in a snapshot: it fell back to TCP.
    pub fallback: bool,
    /// Further numbers, with their labels ` NAME=`.
    pub numbers: &'a [(&'a str, u64)],
}

/// Prints an event.
pub fn event(out: &mut Output, options: &Options, kind: EventKind, record: &Record) -> Result<()> {
    match kind.name() {
        Some(name) => print(out, options, name, record),
        None => {
            let command = number(kind.command().into());
            let name = ["UNKNOWN ", command.as_str()].concat();
            print(out, options, &name, record)
        }
    }
}

/// Prints a record of this name.
pub fn print(out: &mut Output, options: &Options, name: &str, record: &Record) -> Result<()> {
    let json = out.style.json;
    begin(out, options, name);
    for (label, value) in [(" netns=", record.netns), (" object=", record.object)] {
        let Some(value) = value else { continue };
        if json {
            out.json_string(named(label), value.as_bytes());
        } else {
            out.text(label);
            out.text(value);
        }
    }
    for (label, value) in record.numbers {
        field(out, label, *value);
    }
    let fields: &EventAttributes = &record.fields;
    if let Some(token) = fields.token() {
        if json {
            let text = ["0x", crate::output::hexadecimal(token.into()).as_str()].concat();
            out.json_string("token", text.as_bytes());
        } else {
            out.text(" token=");
            out.text(padded(token.into(), 8).as_str());
        }
    }
    let small = |out: &mut Output, label: &str, value: Option<u32>| {
        if let Some(value) = value {
            field(out, label, value.into());
        }
    };
    if json {
        // In text, the addresses tell it.
        small(out, " family=", fields.family().map(u32::from));
    }
    small(out, " remid=", fields.rem_id().map(u32::from));
    small(out, " locid=", fields.loc_id().map(u32::from));
    let addresses = [
        (" saddr4=", fields.saddr4().map(IpAddr::V4)),
        (" daddr4=", fields.daddr4().map(IpAddr::V4)),
        (" saddr6=", fields.saddr6().map(IpAddr::V6)),
        (" daddr6=", fields.daddr6().map(IpAddr::V6)),
    ];
    for (label, address) in addresses {
        let Some(address) = address else { continue };
        if json {
            out.json_address(named(label), Some(&address));
        } else {
            out.text(label);
            out.address(address, "");
        }
    }
    small(out, " sport=", fields.sport().map(u32::from));
    small(out, " dport=", fields.dport().map(u32::from));
    small(out, " backup=", fields.backup().map(u32::from));
    small(out, " error=", fields.error().map(u32::from));
    small(out, " timeout=", fields.timeout());
    if let Some(index) = fields.if_idx() {
        if json {
            out.json_signed("ifindex", index.into());
        } else {
            out.text(" ifindex=");
            out.signed(index.into());
        }
    }
    if let Some(name) = record.interface {
        if json {
            out.json_string("dev", name);
        } else {
            out.text(" dev=");
            out.coloured(Colour::Interface, name);
        }
    }
    small(out, " reset_reason=", fields.reset_reason());
    hexadecimal_field(out, " reset_flags=", fields.reset_flags());
    let flags = fields.flags().unwrap_or_default();
    let server = fields.server_side().is_some_and(|side| side != 0)
        || flags.contains(EventFlags::SERVER_SIDE);
    let deny = flags.contains(EventFlags::DENY_JOIN_ID0);
    let said = [
        ("server_side", server),
        ("deny_join_id0", deny),
        ("established", record.established),
        ("fallback", record.fallback),
    ];
    for (name, said) in said {
        if said && json {
            out.json_bool(name, true);
        } else if said {
            out.text(" ");
            out.text(name);
        }
    }
    let unknown = flags.unknown().0;
    hexadecimal_field(out, " flags=", (unknown != 0).then_some(unknown.into()));
    if let Some(sent) = record.sent.filter(|_| json && fields.unknown() > 0) {
        unnamed(out, sent);
    }
    end(out)
}

/// Attributes of newer kernels: by number, their bytes in hexadecimal.
fn unnamed(out: &mut Output, sent: Attributes) {
    for attribute in sent.flatten() {
        if EventAttributes::name(attribute.kind()).is_some() {
            continue;
        }
        let mut bytes = Vec::new();
        for byte in attribute.payload() {
            bytes.extend_from_slice(padded((*byte).into(), 2).as_bytes());
        }
        let name = ["attribute", number(attribute.kind().into()).as_str()].concat();
        out.json_string(&name, &bytes);
    }
}

/// What stands in front of every event: the time where wanted, and the name.
fn begin(out: &mut Output, options: &Options, name: &str) {
    let json = out.style.json;
    if json {
        out.begin_object("");
    }
    if options.tshort {
        let time = short_time(&sys::now());
        if json {
            out.json_string("timestamp_short", &time);
        } else {
            out.text("[");
            out.bytes(&time);
            out.text("] ");
        }
    } else if options.timestamp {
        let time = long_time(&sys::now());
        if json {
            out.json_string("timestamp", &time);
        } else {
            out.text("Timestamp: ");
            out.bytes(&time);
            out.text("\n");
        }
    }
    if json {
        out.json_string("event", name.as_bytes());
    } else {
        const BEGIN: &str = "[                ";
        out.text(
            BEGIN
                .get(..1 + 16_usize.saturating_sub(name.len()))
                .unwrap_or(""),
        );
        out.text(name);
        out.text("]");
    }
}

fn end(out: &mut Output) -> Result<()> {
    if out.style.json {
        out.end_object()
    } else {
        out.end_line()
    }
}

/// The name in a label ` NAME=`, which is written whole in text.
fn named(label: &str) -> &str {
    label.get(1..label.len() - 1).unwrap_or(label)
}

fn field(out: &mut Output, label: &str, value: u64) {
    if out.style.json {
        out.json_number(named(label), value);
    } else {
        out.text(label);
        out.number(value);
    }
}

/// A field that is hexadecimal for people and a string in JSON.
fn hexadecimal_field(out: &mut Output, label: &str, value: Option<u32>) {
    let Some(value) = value else { return };
    let prefix = if value == 0 { "" } else { "0x" };
    let text = [prefix, crate::output::hexadecimal(value.into()).as_str()].concat();
    if out.style.json {
        out.json_string(named(label), text.as_bytes());
    } else {
        out.text(label);
        out.text(&text);
    }
}

fn two(out: &mut Vec<u8>, value: u32) {
    out.push(b'0' + (value / 10 % 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

fn six(out: &mut Vec<u8>, value: u32) {
    two(out, value / 10_000);
    two(out, value / 100 % 100);
    two(out, value % 100);
}

fn clock(out: &mut Vec<u8>, time: &Time) {
    two(out, time.hour);
    out.push(b':');
    two(out, time.minute);
    out.push(b':');
    two(out, time.second);
}

/// `2026-11-23T19:54:08.698703`
fn short_time(time: &Time) -> Vec<u8> {
    let mut out = number(time.year.into()).as_bytes().to_vec();
    out.push(b'-');
    two(&mut out, time.month + 1);
    out.push(b'-');
    two(&mut out, time.day);
    out.push(b'T');
    clock(&mut out, time);
    out.push(b'.');
    six(&mut out, time.microsecond);
    out
}

/// `Mon Nov 23 19:54:07 2026 257501 usec`
fn long_time(time: &Time) -> Vec<u8> {
    const DAYS: &[u8; 21] = b"SunMonTueWedThuFriSat";
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = |names: &'static [u8], at: u32| names.chunks(3).nth(at as usize).unwrap_or(b"???");
    let mut out = [
        name(DAYS, time.weekday),
        b" ",
        name(MONTHS, time.month),
        b" ",
    ]
    .concat();
    if time.day < 10 {
        out.push(b' ');
    }
    out.extend_from_slice(number(time.day.into()).as_bytes());
    out.push(b' ');
    clock(&mut out, time);
    out.push(b' ');
    out.extend_from_slice(number(time.year.into()).as_bytes());
    out.push(b' ');
    out.extend_from_slice(number(time.microsecond.into()).as_bytes());
    out.extend_from_slice(b" usec");
    out
}
