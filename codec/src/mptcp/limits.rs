//! Limits of the path manager.

use super::request::command;
use crate::error::{Error, ErrorKind};
use crate::generic::Generic;
use crate::netlink::{Message, HEADER_LEN};
use crate::order::Order;

attribute_set! {
    /// Limits for each connection in a network namespace. The kernel's maximum is 8 for
    /// both, 64 since 7.2.
    ///
    /// In a request, what is absent stays as it is.
    #[derive(PartialOrd, Ord)]
    pub struct Limits {
        /// How many ADD_ADDR of a peer are accepted for each connection.
        2 RCV_ADD_ADDRS add_addr_accepted / with_add_addr_accepted: u32,
        /// How many subflows a connection may have beyond its first.
        3 SUBFLOWS subflows / with_subflows: u32,
    }
}

impl Limits {
    /// Reads the reply to GET_LIMITS, or a request that sets limits;
    /// [`ErrorKind::WrongType`] if it is neither.
    pub fn decode<E: Order>(message: &Message<'_, E>) -> Result<Self, Error> {
        let generic = Generic::decode(message)?;
        match generic.command {
            command::SET_LIMITS | command::GET_LIMITS => Self::from_attributes(generic.attributes),
            _ => Err(Error::new(ErrorKind::WrongType, HEADER_LEN)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{Big, Little};
    use crate::testing::{bytes, message};

    #[test]
    fn limits_are_read_in_both_orders() {
        let little = bytes(
            "24000000 1e00 0000 88000000 01000000 06010000 0800 0200 03000000 0800 0300 02000000",
        );
        let big = bytes(
            "00000024 001a 0000 00000088 00000001 06010000 0008 0002 00000003 0008 0003 00000002",
        );
        let wanted = Limits::EMPTY.with_add_addr_accepted(3).with_subflows(2);
        assert_eq!(Limits::decode(&message::<Little>(&little)), Ok(wanted));
        assert_eq!(Limits::decode(&message::<Big>(&big)), Ok(wanted));
    }
}
