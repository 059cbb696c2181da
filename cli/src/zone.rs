//! The local time, by `TZ` or /etc/localtime: a POSIX rule (`CET-1CEST,M3.5.0,M10.5.0/3`), or
//! a time zone file (RFC 9636), which ends with such a rule. The C library does that too, in
//! three times the code.

use crate::kernel::proc;
use crate::sys;

/// Where time zone files are.
const FOLDERS: &[&[u8]] = &[
    b"",
    b"/usr/share/zoneinfo/",
    b"/share/zoneinfo/",
    b"/etc/zoneinfo/",
];

/// A time zone, and the time there.
#[derive(Debug, Default)]
pub struct Zone {
    // A file, or only a rule.
    bytes: Vec<u8>,
    // The moment of the time below.
    seconds: i64,
    time: Time,
    ahead: i64,
}

/// A local time.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Full year.
    pub year: u32,
    /// 0 to 11.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 is Sunday.
    pub weekday: u32,
    /// Second of the day.
    pub second: u32,
}

impl Zone {
    /// Loads that of the environment.
    pub fn load(&mut self) {
        self.load_named(sys::environment(b"TZ").unwrap_or(b"/etc/localtime"));
    }

    /// Loads the one that `TZ` names, as a file or else as a rule; UTC if it is neither.
    fn load_named(&mut self, name: &[u8]) {
        let name = name.strip_prefix(b":").unwrap_or(name);
        // No clock shows that.
        self.seconds = -1;
        for folder in FOLDERS {
            // Only these are relative to no folder.
            if folder.is_empty() == matches!(name, [b'/' | b'.', ..]) {
                // What cannot be read is as good as missing.
                let _ = proc::read(&[folder, name], &mut self.bytes);
                if self.bytes.starts_with(MAGIC) {
                    return;
                }
            }
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(name);
    }

    /// The local time that many seconds after 1970.
    #[inline(never)]
    pub fn time(&mut self, seconds: i64) -> &Time {
        // Many events come within a second.
        if seconds != self.seconds {
            self.seconds = seconds;
            self.ahead = offset(&self.bytes, seconds);
            let local = (seconds + self.ahead + EPOCH) as u64;
            let days = (local / DAY) as u32;
            let months = months(days);
            self.time = Time {
                year: (months + 2) / 12,
                month: (months + 2) % 12,
                day: days - days_before(months) + 1,
                weekday: weekday(days),
                second: (local % DAY) as u32,
            };
        }
        &self.time
    }
}

impl Zone {
    /// How many seconds the last time was ahead of UTC.
    pub fn ahead(&self) -> i64 {
        self.ahead
    }
}

const MAGIC: &[u8] = b"TZif";

/// How many seconds the local time is ahead of UTC at that moment.
#[inline(never)]
fn offset(bytes: &[u8], seconds: i64) -> i64 {
    let Some([version, ..]) = bytes.strip_prefix(MAGIC) else {
        return Rule(bytes).offset(seconds);
    };
    let mut bytes = bytes;
    // Times have 4 bytes in the first part of a file, and 8 in the second,
    // which newer files have.
    let mut width = 4;
    let (mut changes, mut end);
    loop {
        let mut counts = [0; 6];
        for (at, count) in counts.iter_mut().enumerate() {
            *count = number(bytes, 20 + 4 * at, 4) as u32 as usize;
        }
        let [marks, more_marks, leaps, times, kinds, names] = counts;
        changes = times;
        end = TIMES + times * (width + 1) + kinds * 6 + names;
        end += leaps * (width + 4) + more_marks + marks;
        if *version == 0 || width == 8 {
            break;
        }
        bytes = bytes.get(end..).unwrap_or(&[]);
        width = 8;
    }
    let mut past = changes;
    while past > 0 && seconds < number(bytes, TIMES + (past - 1) * width, width) {
        past -= 1;
    }
    // The rule applies after the last change.
    let rule = bytes.get(end + 1..).unwrap_or(&[]);
    if past == changes && rule.len() > 1 {
        return Rule(rule).offset(seconds);
    }
    // The times are followed by the number of the kind of time that begins at each, and these
    // by the kinds, which begin with their offsets. The first kind applies before all changes.
    let begun = TIMES + changes * width;
    let mut kind = 0;
    if past > 0 {
        kind = bytes.get(begun + past - 1).copied().unwrap_or(0).into();
    }
    number(bytes, begun + changes + kind * 6, 4)
}

/// Where the times of changes are in a part of a file.
const TIMES: usize = 44;

/// A signed big-endian number of `len` bytes; 0 if there is none.
fn number(bytes: &[u8], at: usize, len: usize) -> i64 {
    let bytes = bytes.get(at..at + len).unwrap_or(&[]);
    let mut number = match bytes {
        [0x80..=0xff, ..] => -1,
        _ => 0,
    };
    for byte in bytes {
        number = number << 8 | i64::from(*byte);
    }
    number
}

const HOUR: i64 = 3600;
const DAY: u64 = 24 * 3600;

// Days are counted from 1 March 0000, a Wednesday, and months from that March,
// so that the leap day ends a year.

/// Seconds to 1970.
const EPOCH: i64 = 719_468 * 24 * HOUR;

fn weekday(days: u32) -> u32 {
    (days + 3) % 7
}

/// How many days there are before a month.
fn days_before(months: u32) -> u32 {
    let (years, months) = (months / 12, months % 12);
    365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5
}

/// The month of a day.
fn months(days: u32) -> u32 {
    // A month has 30.4375 days, but many have more: this is not too late.
    let mut months = days * 32 / 974 - 1;
    while days_before(months + 1) <= days {
        months += 1;
    }
    months
}

/// What is left to read of a rule: `NAMEOFFSETNAMEOFFSET,DAY/TIME,DAY/TIME`. Offsets are
/// positive west of Greenwich.
struct Rule<'r>(&'r [u8]);

impl Rule<'_> {
    /// How many seconds the local time is ahead of UTC at that moment.
    fn offset(mut self, seconds: i64) -> i64 {
        if !self.name() {
            return 0;
        }
        let standard = self.time();
        if !self.name() {
            return -standard;
        }
        let mut summer = standard - HOUR;
        if !matches!(self.0, [] | [b',' | b'\n', ..]) {
            summer = self.time();
        }
        if !self.takes(b',') {
            // POSIX leaves the default open; others use that of the USA.
            self.0 = b"M3.2.0,M11.1.0";
        }
        let seconds = seconds + EPOCH;
        let january = (months((seconds as u64 / DAY) as u32) + 2) / 12 * 12 - 2;
        let begin = self.change(january) + standard;
        self.takes(b',');
        let end = self.change(january) + summer;
        // Each change that is past toggles it. In the south the year begins in summer.
        let is_summer = (begin <= seconds) ^ (end <= seconds) ^ (end <= begin);
        -if is_summer { summer } else { standard }
    }

    /// Takes this byte, if it is next.
    #[inline(never)]
    fn takes(&mut self, byte: u8) -> bool {
        match self.0 {
            [next, rest @ ..] if *next == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes a name, if there is one.
    fn name(&mut self) -> bool {
        let quoted = self.takes(b'<');
        let before = self.0.len();
        while let [byte, rest @ ..] = self.0 {
            let ends = match quoted {
                true => *byte == b'>',
                false => !byte.is_ascii_alphabetic(),
            };
            if ends {
                break;
            }
            self.0 = rest;
        }
        let any = self.0.len() < before;
        self.takes(b'>');
        any
    }

    /// Takes a number.
    fn number(&mut self) -> u32 {
        let mut number = 0;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0 {
            // No valid number has more digits.
            number = number % 1000 * 10 + u32::from(digit - b'0');
            self.0 = rest;
        }
        number
    }

    /// Takes hours, minutes and seconds.
    fn time(&mut self) -> i64 {
        let negative = self.takes(b'-');
        self.takes(b'+');
        let mut seconds = 0;
        let mut unit = HOUR;
        loop {
            seconds += unit * i64::from(self.number());
            unit /= 60;
            if !self.takes(b':') {
                break;
            }
        }
        if negative {
            -seconds
        } else {
            seconds
        }
    }

    /// Takes a day and a time: its second in the year that begins with this month.
    fn change(&mut self, january: u32) -> i64 {
        let mut day;
        if self.takes(b'M') {
            let month = january + self.number() - 1;
            self.takes(b'.');
            let week = self.number();
            self.takes(b'.');
            // The first such day of the week, and then the given number of weeks.
            day = days_before(month);
            day += (self.number() + 7 - weekday(day)) % 7 + 7 * week - 7;
            if day >= days_before(month + 1) {
                day -= 7;
            }
        } else {
            let first = days_before(january);
            let is_leap = days_before(january + 12) - first == 366;
            let from_one = self.takes(b'J');
            let number = self.number();
            day = first + number;
            // Without 29 February.
            if from_one && (number < 60 || !is_leap) {
                day -= 1;
            }
        }
        let mut time = 2 * HOUR;
        if self.takes(b'/') {
            time = self.time();
        }
        i64::from(day) * 24 * HOUR + time
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::{format, fs};

    use super::*;

    /// What the C library makes of these times, according to date(1).
    fn judged(zone: Option<&str>, times: &[i64]) -> Option<String> {
        let mut date = Command::new("date");
        date.args(["-f", "-", "+%Y-%m-%d %w %H:%M:%S"]);
        match zone {
            Some(zone) => date.env("TZ", zone),
            None => date.env_remove("TZ"),
        };
        let piped = date.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut date = piped.stderr(Stdio::null()).spawn().ok()?;
        let lines: Vec<_> = times.iter().map(|time| format!("@{time}\n")).collect();
        let lines = lines.concat();
        let mut input = date.stdin.take()?;
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = date.wait_with_output().ok()?;
        writer.join().ok()?.ok()?;
        output.status.success().then_some(())?;
        String::from_utf8(output.stdout).ok()
    }

    /// Some moments from 1970 to 2100, and those around each change that lies
    /// between.
    fn moments(zone: &Zone) -> Vec<i64> {
        const STEP: i64 = 97 * 86_400 + 12_345;
        let mut moments = Vec::new();
        for step in 0..480 {
            let (mut before, mut after) = (step * STEP, (step + 1) * STEP);
            moments.push(before);
            let begun = offset(&zone.bytes, before);
            if begun == offset(&zone.bytes, after) {
                continue;
            }
            while before + 1 < after {
                let between = (before + after) / 2;
                match offset(&zone.bytes, between) == begun {
                    true => before = between,
                    false => after = between,
                }
            }
            moments.extend([before, after]);
        }
        moments
    }

    /// Whether date(1) can judge, and agrees.
    fn agree(name: Option<&str>) -> bool {
        let mut zone = Zone::default();
        zone.load_named(name.unwrap_or("/etc/localtime").as_bytes());
        let moments = moments(&zone);
        let Some(judged) = judged(name, &moments) else {
            return false;
        };
        assert_eq!(judged.lines().count(), moments.len());
        for (moment, judged) in moments.iter().zip(judged.lines()) {
            let time = zone.time(*moment);
            let date = format!("{}-{:02}-{:02}", time.year, time.month + 1, time.day);
            let (hour, minute) = (time.second / 3600, time.second / 60 % 60);
            let clock = format!("{hour:02}:{minute:02}:{:02}", time.second % 60);
            let ours = format!("{date} {} {clock}", time.weekday);
            assert_eq!(ours, judged, "{name:?} at {moment}");
        }
        true
    }

    #[test]
    fn rules_are_read_as_the_c_library_reads_them() {
        let rules = "UTC0 UTC GMT-0 CET-1CEST,M3.5.0,M10.5.0/3 EST5EDT,M3.2.0,M11.1.0 EST5EDT
            AEST-10AEDT,M10.1.0,M4.1.0/3 NZST-12NZDT,M9.5.0,M4.1.0/3 <-03>3 <+0545>-5:45
            <-02>2<-01>,M3.5.0/-1,M10.5.0/0 IST-1GMT0,M10.5.0,M3.5.0/1 IST-5:30
            ONE1TWO,J60,J300/0 ONE1TWO,59/3,299/1:30:15 TWO-2SIX-3:30:20,M1.1.1,M12.5.6/26
            <+1330>-13:30:30 LHST-10:30LHDT-11,M10.1.0,M4.1.0 IST-2IDT,M3.4.4/26,M10.5.0
            EET-2EEST,M3.5.5/0,M10.5.5/0 ONE1TWO,J1/0,J365/12 ONE1TWO,0/0,J59/24
            Europe/Berlin :Europe/Berlin :/usr/share/zoneinfo/Asia/Tokyo Asia/Kolkata
            /usr/share/zoneinfo/America/New_York Nowhere/Nothing bogus : :UTC0 /nowhere 5 <";
        for name in rules.split_whitespace().chain([""]) {
            // A rule without dates where there is no such file either: POSIX leaves the
            // dates to the implementation, and C libraries differ before 2007.
            if name == "EST5EDT" && !Path::new("/usr/share/zoneinfo/EST5EDT").exists() {
                continue;
            }
            if !agree(Some(name)) {
                // Past the harness, which hides what a passing test prints.
                let _ = std::io::stderr().write_all(b"SKIPPED: date -f does not work here\n");
                return;
            }
        }
        agree(None);
    }

    fn each_file(folder: &Path, each: &mut dyn FnMut(&Path)) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            // Other seconds are counted in the zones of this one.
            if path.ends_with("right") {
            } else if path.is_dir() {
                each_file(&path, each);
            } else {
                each(&path);
            }
        }
    }

    #[test]
    fn every_zone_of_this_machine_is_read_as_the_c_library_reads_it() {
        let mut seen = std::collections::HashSet::new();
        each_file(Path::new("/usr/share/zoneinfo"), &mut |path| {
            let bytes = fs::read(path).unwrap_or_default();
            // Many zones have several names.
            if bytes.starts_with(MAGIC) && seen.insert(bytes) {
                agree(path.to_str());
            }
        });
    }

    #[test]
    fn a_broken_file_is_utc_at_worst() {
        let whole = fs::read("/usr/share/zoneinfo/Europe/Berlin").unwrap_or_default();
        for len in 0..whole.len() {
            let mut bytes = whole[..len].to_vec();
            offset(&bytes, 1_700_000_000);
            if let Some(byte) = bytes.last_mut() {
                *byte ^= 0xff;
            }
            offset(&bytes, 1_700_000_000);
        }
        assert_eq!(offset(b"", 0), 0);
        assert_eq!(offset(b"TZif2", 0), 0);
    }
}
