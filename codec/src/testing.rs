//! What the unit tests share.

extern crate std;

pub use std::vec::Vec;

use crate::netlink::{Message, Messages};
use crate::order::Order;

/// Bytes written as hexadecimal digits; anything else is skipped.
pub fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The one message in these bytes.
pub fn message<E: Order>(bytes: &[u8]) -> Message<'_, E> {
    let mut messages = Messages::with_order(bytes);
    let message = messages.next().unwrap().unwrap();
    assert!(messages.next().is_none());
    message
}

/// The one message of a request in this machine's order.
pub fn native(request: &[u8]) -> Message<'_> {
    message(request)
}
