//! What the fuzz targets do, apart from libFuzzer: each module is a target,
//! its `run` takes the bytes. So the same code runs under `cargo fuzz` and,
//! over the kept inputs in `regressions/`, in the project's `cargo test` on a
//! stable compiler (which includes this file by its path; hence `super::`,
//! never `crate::`).
//!
//! [`seeds`] makes the corpus to start from out of the captures; [`reference`]
//! is the judge: a second reader of the formats, written for
//! being obviously right, not for speed.

/// The attributes of an event, for whatever is made of them: number, name, the
/// codec's setter, type, how it is read.
macro_rules! event_attributes {
    ($make:ident) => {
        $make! {
            1 token with_token: u32 = u32;
            2 family with_family: u16 = u16;
            3 loc_id with_loc_id: u8 = u8;
            4 rem_id with_rem_id: u8 = u8;
            5 saddr4 with_saddr4: Ipv4Addr = ipv4;
            6 saddr6 with_saddr6: Ipv6Addr = ipv6;
            7 daddr4 with_daddr4: Ipv4Addr = ipv4;
            8 daddr6 with_daddr6: Ipv6Addr = ipv6;
            9 sport with_sport: u16 = be16;
            10 dport with_dport: u16 = be16;
            11 backup with_backup: u8 = u8;
            12 error with_error: u8 = u8;
            13 flags with_flags: u16 = u16;
            14 timeout with_timeout: u32 = u32;
            15 if_idx with_if_idx: u32 = u32;
            16 reset_reason with_reset_reason: u32 = u32;
            17 reset_flags with_reset_flags: u32 = u32;
            18 server_side with_server_side: u8 = u8;
        }
    };
}

pub mod compare;
pub mod reference;
pub mod seeds;

pub mod attributes;
pub mod controller;
pub mod diag;
pub mod endpoint;
pub mod events;
pub mod exchange;
pub mod extack;
pub mod messages;
pub mod policy;
pub mod rebuild;
pub mod requests;
pub mod route;
pub mod sockopt;
pub mod state_file;
pub mod writer;

/// A target takes any bytes and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// All targets by name; a new one is a module, a row here, a file in
/// `fuzz_targets/` and a `[[bin]]` in `Cargo.toml`.
pub const TARGETS: &[(&str, Target)] = &[
    ("attributes", attributes::run),
    ("controller", controller::run),
    ("diag", diag::run),
    ("endpoint", endpoint::run),
    ("events", events::run),
    ("exchange", exchange::run),
    ("extack", extack::run),
    ("messages", messages::run),
    ("policy", policy::run),
    ("rebuild", rebuild::run),
    ("requests", requests::run),
    ("route", route::run),
    ("sockopt", sockopt::run),
    ("state_file", state_file::run),
    ("writer", writer::run),
];

/// Prints a value in every way it has, into nothing.
macro_rules! print_all {
    ($value:expr) => {{
        let value = &$value;
        super::print(format_args!("{value:?} {value:#?}"));
    }};
}
pub(crate) use print_all;

/// Formats into nothing. A `Display` or `Debug` that fails is at fault: the
/// sink never does.
fn print(text: std::fmt::Arguments<'_>) {
    struct Nowhere;
    impl std::fmt::Write for Nowhere {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            Ok(())
        }
    }
    std::fmt::Write::write_fmt(&mut Nowhere, text).expect("formatting fails by itself");
}

/// Whether `part` is lent from `whole`, not made up.
fn is_within(part: &[u8], whole: &[u8]) -> bool {
    let (part, whole) = (part.as_ptr_range(), whole.as_ptr_range());
    part.start >= whole.start && part.end <= whole.end
}

/// Wraps a payload into a message of its own, header as given; so a target
/// can spend its time past the header.
fn message(kind: u16, flags: u16, payload: &[u8], big: bool) -> Vec<u8> {
    let len = 16 + payload.len() as u32;
    let mut bytes = Vec::new();
    if big {
        bytes.extend(len.to_be_bytes());
        bytes.extend(kind.to_be_bytes());
        bytes.extend(flags.to_be_bytes());
    } else {
        bytes.extend(len.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
    }
    bytes.extend([0; 8]);
    bytes.extend(payload);
    bytes
}
