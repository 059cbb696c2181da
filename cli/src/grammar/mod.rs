//! Keyword lists: from words to values, without netlink.

pub mod batch;
pub mod endpoint;
mod given;
pub mod keyword;
pub mod limits;
mod parse;
mod prefix;
mod takes;
mod value;

pub use given::{slot, Given};
pub use parse::parse;
pub use takes::Takes;
pub use value::{
    address, count, interface_name, interval, is_dashed, milliseconds, option, same, shortens,
    token, INTERVALS,
};
