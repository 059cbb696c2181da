//! Limits of the path manager.

use crate::error::Error;
use crate::generic::Generic;
use crate::netlink::Message;
use crate::order::Order;

attribute_set! {
    /// What connections may grow to, in one network namespace. The kernel's
    /// maximum is 8 for both, 64 from 7.2.
    ///
    /// In a request, what is absent stays as it is.
    pub struct Limits {
        /// How many ADD_ADDR of a peer are accepted for each connection.
        2 RCV_ADD_ADDRS add_addr_accepted / with_add_addr_accepted: u32,
        /// How many subflows a connection may have beyond its first.
        3 SUBFLOWS subflows / with_subflows: u32,
    }
}

impl Limits {
    /// Reads the reply to GET_LIMITS.
    pub fn from_message<E: Order>(message: &Message<'_, E>) -> Result<Self, Error> {
        Self::decode(Generic::decode(message)?.attributes)
    }
}
