//! What real kernels sent, byte for byte.
//!
//! The files in `tests/captures/` hold what `sendto` took and `recvfrom` and
//! `getsockopt` gave on each kernel, in the byte order of its machine:
//!
//! ```text
//! kernel 6.1.0-50-s390x           one line each: kernel, arch, order, word
//!
//! exchange 04-dump-empty          a request and what came back for it;
//! > 00000014 00100305 …           the request, in groups of four bytes,
//! < 00000014 00030002 …           then one "<" a datagram;
//!   00000000                      what begins with a space goes on
//!
//! events plain4-open              what the group mptcp_pm_events sent
//! getsockopt mptcp_info-plain4-c  what getsockopt(SOL_MPTCP) gave, on the
//!                                 client (-c) or the server (-s)
//! ```
//!
//! `tests/captures/record` writes them. This file uses nothing else of this crate: the seed program of the fuzz
//! targets includes it as it is.

/// The files, by the name they are known under.
const FILES: [(&str, &str); 7] = [
    ("amd64-6.1", include_str!("../captures/amd64-6.1.txt")),
    ("amd64-6.18", include_str!("../captures/amd64-6.18.txt")),
    ("amd64-7.2", include_str!("../captures/amd64-7.2.txt")),
    ("armhf-6.1", include_str!("../captures/armhf-6.1.txt")),
    ("mips-5.10", include_str!("../captures/mips-5.10.txt")),
    ("mips-6.12", include_str!("../captures/mips-6.12.txt")),
    ("s390x-6.1", include_str!("../captures/s390x-6.1.txt")),
];

/// Everything that one kernel sent.
#[derive(Clone, Debug)]
pub struct Capture {
    /// Name of the file: architecture and version.
    pub name: &'static str,
    /// `uname -r`.
    pub kernel: &'static str,
    /// Debian's name of the architecture.
    pub arch: &'static str,
    /// Byte order of all host-order fields.
    pub order: ByteOrder,
    /// Bits of a machine word of the kernel.
    pub word_bits: u8,
    /// Requests and what came back, in the order they were made.
    pub exchanges: Vec<Exchange>,
    /// Events, by what was done.
    pub events: Vec<Named>,
    /// Values of getsockopt.
    pub getsockopt: Vec<Named>,
}

/// Byte order of the machine a capture is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// A request and its replies.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked; unique in a capture.
    pub name: &'static str,
    /// What `sendto` took.
    pub request: Vec<u8>,
    /// What `recvfrom` gave, datagram by datagram.
    pub replies: Vec<Vec<u8>>,
}

/// Datagrams or values under a name.
#[derive(Clone, Debug)]
pub struct Named {
    /// Unique among its kind in a capture.
    pub name: &'static str,
    /// What came, one each.
    pub values: Vec<Vec<u8>>,
}

impl Capture {
    /// Whether the kernel is of this version or newer.
    pub fn is_since(&self, version: (u32, u32)) -> bool {
        let mut numbers = self.kernel.split(['.', '-']).map_while(|n| n.parse().ok());
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next()) >= version
    }

    /// The exchange of this name.
    pub fn exchange(&self, name: &str) -> &Exchange {
        find(&self.exchanges, name, |e| e.name, self.name)
    }

    /// Whether the kernel has events: from 5.12 on.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The datagrams of the events of this name.
    pub fn events(&self, name: &str) -> &[Vec<u8>] {
        &find(&self.events, name, |e| e.name, self.name).values
    }

    /// Every datagram there is, requests and events too, with the name of
    /// where it stands.
    pub fn datagrams(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let exchanges = self.exchanges.iter().flat_map(|e| {
            std::iter::once(&e.request)
                .chain(&e.replies)
                .map(|bytes| (e.name, bytes.as_slice()))
        });
        let events = self
            .events
            .iter()
            .flat_map(|e| e.values.iter().map(|bytes| (e.name, bytes.as_slice())));
        exchanges.chain(events)
    }
}

fn find<'a, T>(list: &'a [T], name: &str, of: impl Fn(&T) -> &'static str, file: &str) -> &'a T {
    list.iter()
        .find(|item| of(item) == name)
        .unwrap_or_else(|| panic!("no {name} in captures/{file}.txt"))
}

/// The captures of all kernels.
pub fn all() -> Vec<Capture> {
    FILES.iter().map(|(name, text)| read(name, text)).collect()
}

/// The capture of one kernel: `amd64-6.18`, `s390x-6.1` and so on.
pub fn of(name: &str) -> Capture {
    let (name, text) = FILES
        .iter()
        .find(|(file, _)| *file == name)
        .unwrap_or_else(|| panic!("no captures/{name}.txt"));
    read(name, text)
}

/// Reads the text of a file.
pub fn read(name: &'static str, text: &'static str) -> Capture {
    let mut capture = Capture {
        name,
        kernel: "",
        arch: "",
        order: ByteOrder::Little,
        word_bits: 0,
        exchanges: Vec::new(),
        events: Vec::new(),
        getsockopt: Vec::new(),
    };
    let mut lines = text.lines().enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let bad = || -> ! { panic!("captures/{name}.txt:{}: {line:?}", number + 1) };
        let Some((word, value)) = line.split_once(' ') else {
            if line.is_empty() {
                continue;
            }
            bad()
        };
        // The bytes that belong to this line: each with its sign.
        let mut bytes: Vec<(char, Vec<u8>)> = Vec::new();
        while let Some((_, more)) = lines.next_if(|(_, l)| l.starts_with(['<', '>', ' '])) {
            let mut more = more.chars();
            match more.next() {
                Some(' ') => match bytes.last_mut() {
                    Some((_, last)) => last.extend(hexadecimal(more.as_str())),
                    None => bad(),
                },
                Some(sign) => bytes.push((sign, hexadecimal(more.as_str()))),
                None => bad(),
            }
        }
        let answers = |bytes: Vec<(char, Vec<u8>)>| {
            bytes
                .into_iter()
                .map(|(sign, bytes)| if sign == '<' { bytes } else { bad() })
                .collect()
        };
        match word {
            "kernel" => capture.kernel = value,
            "arch" => capture.arch = value,
            "order" => {
                capture.order = match value {
                    "little" => ByteOrder::Little,
                    "big" => ByteOrder::Big,
                    _ => bad(),
                }
            }
            "word" => capture.word_bits = value.parse().unwrap_or_else(|_| bad()),
            "exchange" => {
                if bytes.first().is_none_or(|(sign, _)| *sign != '>') {
                    bad();
                }
                let (_, request) = bytes.remove(0);
                capture.exchanges.push(Exchange {
                    name: value,
                    request,
                    replies: answers(bytes),
                });
            }
            "events" | "getsockopt" => {
                let named = Named {
                    name: value,
                    values: answers(bytes),
                };
                if word == "events" {
                    capture.events.push(named);
                } else {
                    capture.getsockopt.push(named);
                }
            }
            _ => bad(),
        }
    }
    capture
}

/// Bytes written as hexadecimal digits, spaces between them allowed.
fn hexadecimal(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .unwrap_or_else(|| panic!("not hexadecimal: {text:?}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_files_are_read_whole() {
        let counts: Vec<_> = super::all()
            .iter()
            .map(|c| {
                let datagrams: usize = c.datagrams().map(|(_, d)| d.len()).sum();
                let options: usize = c
                    .getsockopt
                    .iter()
                    .flat_map(|o| &o.values)
                    .map(Vec::len)
                    .sum();
                let sizes = (c.exchanges.len(), c.events.len(), c.getsockopt.len());
                (c.name, sizes, datagrams + options)
            })
            .collect();
        assert_eq!(
            counts,
            [
                ("amd64-6.1", (86, 24, 37), 45_820),
                ("amd64-6.18", (86, 32, 49), 51_976),
                ("amd64-7.2", (86, 32, 49), 89_356),
                ("armhf-6.1", (86, 24, 37), 45_820),
                ("mips-5.10", (82, 0, 0), 27_648),
                ("mips-6.12", (93, 32, 49), 57_876),
                ("s390x-6.1", (86, 24, 37), 45_820),
            ]
        );
    }
}
