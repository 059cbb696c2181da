//! `monitor`.

use mptcp_codec::mptcp::{Event, EventAttributes, EventFlags};
use mptcp_codec::netlink::Messages;

use super::endpoint::interface_name;
use crate::error::{status, Error, Result};
use crate::kernel::sys::{self, Errno, Received, Time};
use crate::kernel::PathManager;
use crate::output::{number, padded, Colour, Output};
use crate::session::Session;

/// Default receive buffer: about 5,000 events.
const RECEIVE_BUFFER: u32 = 4 << 20;
/// So many events are received by one call.
const BATCH: usize = 32;
/// An event is at most 200 bytes.
const EVENT: usize = 1024;

/// Prints events until SIGINT or SIGTERM.
pub fn run(session: &mut Session, _: &crate::args::Monitor) -> Result<u8> {
    let asked = session.receive_buffer();
    let path_manager = session.path_manager()?;
    if asked.is_none() {
        path_manager.socket().set_receive_buffer(RECEIVE_BUFFER);
    }
    path_manager.subscribe()?;
    let signals = sys::catch_termination().map_err(|error| {
        let what = ["cannot wait for signals"];
        Error::system(crate::error::Kind::Kernel, status::RECEIVE, &what, error)
    })?;
    let mut buffer = vec![0; EVENT * BATCH];
    let mut received = [Received::default(); BATCH];
    let mut lost = Lost::default();
    let mut pending = false;
    loop {
        let path_manager = session.path_manager()?;
        let fd = path_manager.socket().fd();
        if !pending {
            let [events, signal] = sys::poll([fd, &signals], -1).map_err(broken)?;
            if signal {
                return Ok(0);
            }
            if !events {
                continue;
            }
        }
        let count = match sys::receive(fd, &mut buffer, &mut received, false) {
            Ok(count) => count,
            Err(Errno(number)) if number == libc::ENOBUFS as u32 => {
                lost.happened = true;
                pending = true;
                continue;
            }
            Err(Errno(number)) if number == libc::EINTR as u32 => continue,
            Err(Errno(number)) if number == libc::EAGAIN as u32 => 0,
            Err(error) => return Err(broken(error)),
        };
        // Fewer than there was room for: the queue is empty.
        pending = count == received.len();
        for (datagram, Received { len, sender }) in
            buffer.chunks_exact(EVENT).zip(&received).take(count)
        {
            let Some(datagram) = datagram.get(..*len).filter(|_| *sender == 0) else {
                continue;
            };
            for message in Messages::new(datagram) {
                let event = message.and_then(|message| Event::decode(&message));
                let event = event.map_err(Error::reply)?;
                let path_manager = session.path_manager()?;
                let name = match event.fields.if_idx() {
                    None | Some(0) => None,
                    Some(index) => interface_name(path_manager, index).ok(),
                };
                print(session, &event, name.as_deref())?;
            }
        }
        if lost.happened && !pending {
            lost.happened = false;
            let path_manager = session.path_manager()?;
            let number = lost.count(path_manager);
            print_lost(session, number)?;
        }
        session.out.flush()?;
    }
}

fn broken(error: Errno) -> Error {
    crate::kernel::receive_error(error).with_status(status::RECEIVE)
}

/// Keeps count of lost events.
#[derive(Default)]
struct Lost {
    happened: bool,
    before: u32,
}

impl Lost {
    /// How many were lost since this was asked last; `None` where the kernel
    /// does not count them.
    fn count(&mut self, path_manager: &mut PathManager) -> Option<u32> {
        let total = sys::dropped(path_manager.socket().fd()).ok()?;
        let before = core::mem::replace(&mut self.before, total);
        Some(total.wrapping_sub(before))
    }
}

fn print_lost(session: &mut Session, lost: Option<u32>) -> Result<()> {
    let out = &mut session.out;
    begin(out, &session.options, "OVERRUN");
    if let Some(lost) = lost {
        field(out, "lost", lost.into());
    }
    end(out)
}

fn print(session: &mut Session, event: &Event, interface: Option<&[u8]>) -> Result<()> {
    let out = &mut session.out;
    let json = out.style.json;
    match event.kind.name() {
        Some(name) => begin(out, &session.options, name),
        None => {
            let command = number(event.kind.command().into());
            let name = ["UNKNOWN ", command.as_str()].concat();
            begin(out, &session.options, &name);
        }
    }
    let fields: &EventAttributes = &event.fields;
    if let Some(token) = fields.token() {
        if json {
            let text = ["0x", crate::output::hexadecimal(token.into()).as_str()].concat();
            out.json_string("token", text.as_bytes());
        } else {
            out.text(" token=");
            out.text(padded(token.into(), 8).as_str());
        }
    }
    let small = |out: &mut Output, name: &str, value: Option<u32>| {
        if let Some(value) = value {
            field(out, name, value.into());
        }
    };
    small(out, "remid", fields.rem_id().map(u32::from));
    small(out, "locid", fields.loc_id().map(u32::from));
    for (name, address) in [("saddr4", fields.saddr4()), ("daddr4", fields.daddr4())] {
        let Some(address) = address else { continue };
        if json {
            out.json_string(name, &crate::output::ipv4(address));
        } else {
            label(out, name);
            out.ipv4(address, "");
        }
    }
    for (name, address) in [("saddr6", fields.saddr6()), ("daddr6", fields.daddr6())] {
        let Some(address) = address else { continue };
        if json {
            out.json_string(name, &crate::output::ipv6(address));
        } else {
            label(out, name);
            out.ipv6(address, "");
        }
    }
    small(out, "sport", fields.sport().map(u32::from));
    small(out, "dport", fields.dport().map(u32::from));
    small(out, "backup", fields.backup().map(u32::from));
    small(out, "error", fields.error().map(u32::from));
    small(out, "timeout", fields.timeout());
    if let Some(index) = fields.if_idx() {
        if json {
            out.json_signed("ifindex", index.into());
        } else {
            label(out, "ifindex");
            out.signed(index.into());
        }
    }
    if let Some(name) = interface {
        if json {
            out.json_string("dev", name);
        } else {
            label(out, "dev");
            out.coloured(Colour::Interface, name);
        }
    }
    small(out, "reset_reason", fields.reset_reason());
    hexadecimal_field(out, "reset_flags", fields.reset_flags());
    let flags = fields.flags().unwrap_or_default();
    let server = fields.server_side().is_some_and(|side| side != 0)
        || flags.contains(EventFlags::SERVER_SIDE);
    let deny = flags.contains(EventFlags::DENY_JOIN_ID0);
    for (name, said) in [("server_side", server), ("deny_join_id0", deny)] {
        if said && json {
            out.json_bool(name, true);
        } else if said {
            out.text(" ");
            out.text(name);
        }
    }
    let unknown = flags.unknown().0;
    hexadecimal_field(out, "flags", (unknown != 0).then_some(unknown.into()));
    end(out)
}

/// What stands in front of every event: the time where wanted, and the name.
fn begin(out: &mut Output, options: &crate::args::Options, name: &str) {
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
        out.text("[");
        for _ in name.len()..16 {
            out.text(" ");
        }
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

fn label(out: &mut Output, name: &str) {
    out.text(" ");
    out.text(name);
    out.text("=");
}

fn field(out: &mut Output, name: &str, value: u64) {
    if out.style.json {
        out.json_number(name, value);
    } else {
        label(out, name);
        out.number(value);
    }
}

/// A field that is hexadecimal for people and a string in JSON.
fn hexadecimal_field(out: &mut Output, name: &str, value: Option<u32>) {
    let Some(value) = value else { return };
    let prefix = if value == 0 { "" } else { "0x" };
    let text = [prefix, crate::output::hexadecimal(value.into()).as_str()].concat();
    if out.style.json {
        out.json_string(name, text.as_bytes());
    } else {
        label(out, name);
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
