//! How events and other records look: a line of `NAME=VALUE`, or an object.

use std::net::IpAddr;

use mptcp_codec::mptcp::{EventAttributes as A, EventFlags, EventKind};
use mptcp_codec::netlink::Attributes;

use super::screen::Screen;
use crate::output::Output;
use crate::sys;
use crate::text;
use crate::zone::{Time, Zone};

/// Begins the record of an event with this number.
pub fn begin_event(screen: &mut Screen, command: u8, netns: &str) {
    match EventKind::from_number(command).name() {
        Some(name) => begin(screen, name, "", netns),
        None => {
            let command = text::number(command.into());
            begin(screen, "UNKNOWN ", command.as_str(), netns);
        }
    }
}

/// Begins a record: the time if wanted, its name in two parts, and the namespace if there are
/// several.
pub fn begin(screen: &mut Screen, name: &str, more: &str, netns: &str) {
    let options = &screen.session.options;
    let out = &mut screen.session.out;
    let json = out.style.json;
    out.begin_record("");
    if options.tshort || options.timestamp {
        stamp(out, &mut screen.zone, options.tshort);
    }
    if screen.args.time {
        time(out, &mut screen.zone);
    }
    if json {
        out.key("event");
    } else {
        // As wide as the longest name.
        let blanks = b"[                ";
        let wide = blanks.len().saturating_sub(name.len() + more.len()).max(1);
        out.bytes(blanks.get(..wide).unwrap_or(blanks));
    }
    out.quote();
    out.text(name);
    out.text(more);
    out.quote();
    out.title("]");
    if !netns.is_empty() {
        out.named_string("netns", netns.as_bytes());
    }
}

/// The fields of an event; `interface` is the name of the one in `fields`.
#[inline(never)]
pub fn attributes(out: &mut Output, fields: &A, interface: &[u8]) {
    let json = out.style.json;
    if let Some(token) = fields.token() {
        out.begin_field("token");
        out.token(token);
        out.end_field();
    }
    if json {
        // In text the addresses show it.
        out.named_some("family", fields.family().map(u64::from));
    }
    out.named_some("remid", fields.rem_id().map(u64::from));
    out.named_some("locid", fields.loc_id().map(u64::from));
    address(out, "saddr4", "saddr6", fields.source());
    address(out, "daddr4", "daddr6", fields.destination());
    out.named_some("sport", fields.sport().map(u64::from));
    out.named_some("dport", fields.dport().map(u64::from));
    out.named_some("backup", fields.backup().map(u64::from));
    out.named_some("error", fields.error().map(u64::from));
    out.named_some("timeout", fields.timeout().map(u64::from));
    out.named_some("ifindex", fields.if_idx().map(u64::from));
    out.named_interface(interface);
    out.named_some("reset_reason", fields.reset_reason().map(u64::from));
    if let Some(reset_flags) = fields.reset_flags() {
        flags(out, "reset_flags", reset_flags);
    }
    let bits = fields.flags().unwrap_or_default();
    let server = fields.server_side().unwrap_or(0) != 0;
    let server = server || bits.contains(EventFlags::SERVER_SIDE);
    if server {
        out.named("server_side");
    }
    if bits.contains(EventFlags::DENY_JOIN_ID0) {
        out.named("deny_join_id0");
    }
    let unknown = bits.unknown().0;
    if unknown != 0 {
        flags(out, "flags", unknown.into());
    }
}

/// Attributes of newer kernels, in JSON: by number, their bytes in hexadecimal.
pub fn unnamed(out: &mut Output, fields: &A, sent: Attributes) {
    if !out.style.json || fields.unknown() == 0 {
        return;
    }
    for attribute in A::unknown_of(sent) {
        let number = text::number(attribute.number().into());
        let key = text::join(&[b"attribute", number.as_bytes()]);
        out.key(sys::text(&key).unwrap_or(""));
        out.byte(b'"');
        for byte in attribute.payload() {
            out.hexadecimal((*byte).into(), 2);
        }
        out.byte(b'"');
    }
}

/// An address, under the first name if it is IPv4, under the second if it is IPv6.
fn address(out: &mut Output, four: &str, six: &str, address: Option<IpAddr>) {
    if let Some(address) = address {
        out.begin_field(if address.is_ipv4() { four } else { six });
        out.quote();
        out.address(address, "");
        out.quote();
        out.end_field();
    }
}

/// Flags: hexadecimal, which is a string in JSON.
fn flags(out: &mut Output, name: &str, value: u32) {
    out.begin_field(name);
    out.quote();
    if value != 0 {
        out.text("0x");
    }
    out.hexadecimal(value.into(), 1);
    out.quote();
    out.end_field();
}

/// The time: `2026-11-23T19:54:08.698703` in short, or
/// `Mon Nov 23 19:54:07 2026 257501 usec`.
fn stamp(out: &mut Output, zone: &mut Zone, short: bool) {
    let (key, before, after) = match short {
        true => ("timestamp_short", "[", "] "),
        false => ("timestamp", "Timestamp: ", "\n"),
    };
    out.label(key, before);
    out.quote();
    let (seconds, microsecond) = sys::now();
    if short {
        date(out, zone.time(seconds as i64), microsecond);
    } else {
        let time = zone.time(seconds as i64);
        name(out, b"SunMonTueWedThuFriSat", time.weekday);
        name(out, b"JanFebMarAprMayJunJulAugSepOctNovDec", time.month);
        if time.day < 10 {
            out.byte(b' ');
        }
        out.number(time.day.into());
        clock(out, b' ', time.second);
        out.byte(b' ');
        out.number(time.year.into());
        out.byte(b' ');
        out.number(microsecond.into());
        out.text(" usec");
    }
    out.quote();
    out.title(after);
}

/// The time by RFC 3339: `2026-11-23T19:54:08.698703+01:00`.
fn time(out: &mut Output, zone: &mut Zone) {
    out.label("time", "");
    out.quote();
    let (seconds, microsecond) = sys::now();
    date(out, zone.time(seconds as i64), microsecond);
    let ahead = zone.ahead();
    let sign = if ahead < 0 { b'-' } else { b'+' };
    let minutes = ahead.unsigned_abs() as u32 / 60;
    digits(out, sign, 10, minutes / 60);
    digits(out, b':', 10, minutes % 60);
    out.quote();
    out.title(" ");
}

/// `2026-11-23T19:54:08.698703`.
fn date(out: &mut Output, time: &Time, microsecond: u32) {
    out.number(time.year.into());
    digits(out, b'-', 10, time.month + 1);
    digits(out, b'-', 10, time.day);
    clock(out, b'T', time.second);
    digits(out, b'.', 100_000, microsecond);
}

/// `before`, and hour, minute and second of a second of the day.
fn clock(out: &mut Output, before: u8, second: u32) {
    digits(out, before, 10, second / 3600);
    digits(out, b':', 10, second / 60 % 60);
    digits(out, b':', 10, second % 60);
}

/// `before`, and as many digits as `unit`, a power of ten, has.
fn digits(out: &mut Output, before: u8, mut unit: u32, value: u32) {
    out.byte(before);
    while unit > 0 {
        out.byte(b'0' + (value / unit % 10) as u8);
        unit /= 10;
    }
}

/// One of several names of three letters, and a blank.
fn name(out: &mut Output, names: &[u8], at: u32) {
    let at = 3 * at as usize;
    out.bytes(names.get(at..at + 3).unwrap_or(b"???"));
    out.byte(b' ');
}

#[cfg(test)]
mod tests {
    use mptcp_codec::mptcp::Event;
    use mptcp_codec::netlink::Messages;

    use super::*;
    use crate::output::documented;

    /// An event with only the attribute of this number; `None` if the codec does not know it.
    fn with_only(number: u16) -> Option<A> {
        A::name_of(number)?;
        let of_len = |len: u16| {
            // An event: two headers, and the attribute.
            let padded = len.next_multiple_of(4);
            let mut bytes = (24 + u32::from(padded)).to_ne_bytes().to_vec();
            bytes.extend([0x20, 0, 0, 0]);
            bytes.extend([0; 8]);
            bytes.extend([EventKind::Created.number(), 1, 0, 0]);
            bytes.extend((4 + len).to_ne_bytes());
            bytes.extend(number.to_ne_bytes());
            bytes.resize(24 + usize::from(padded), 1);
            let message = Messages::new(&bytes).next()?.ok()?;
            let fields = Event::decode(&message).ok()?.fields;
            (fields != A::EMPTY).then_some(fields)
        };
        let found = [1, 2, 4, 16].into_iter().find_map(of_len);
        assert!(found.is_some(), "attribute {number} has no known length");
        found
    }

    /// A row of the codec's table that is forgotten here would not be printed.
    #[test]
    fn every_attribute_of_an_event_is_shown_as_text_and_in_json() {
        let mut count = 0;
        for number in 0..=u8::MAX.into() {
            let Some(fields) = with_only(number) else {
                continue;
            };
            count += 1;
            for json in [false, true] {
                let mut out = Output::default();
                out.keep();
                out.style.json = json;
                attributes(&mut out, &fields, b"");
                // In text the address shows the family.
                let silent = A::name_of(number) == Some("FAMILY") && !json;
                assert_eq!(out.kept() == 0, silent, "{:?}", A::name_of(number));
                if json {
                    documented(out.buffer().as_bytes());
                }
            }
        }
        assert!(count >= 18, "{count}");
    }
}
