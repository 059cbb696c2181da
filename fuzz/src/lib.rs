//! What the fuzz targets do, apart from libFuzzer: each module is a target,
//! its `run` takes the bytes. So the same code runs under `cargo fuzz` and,
//! over the kept inputs in `regressions/`, in the project's `cargo test` on a
//! stable compiler (which includes this file by its path; hence `super::`,
//! never `crate::`).
//!
//! [`seeds`] makes the corpus to start from out of the captures; [`reference`]
//! is the judge: a second reader of the formats, written for
//! being obviously right, not for speed.

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
/// can spend its time behind the header.
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
