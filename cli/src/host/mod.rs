//! What the kernel shows of this host, put together: addresses, endpoints,
//! interfaces and the connections that use them.

pub mod health;
pub mod live;
pub mod places;
