//! An endpoint as output.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::output::Output;
use crate::text::padded;

/// The fields of an endpoint.
pub fn members(out: &mut Output, endpoint: &Endpoint, interface: &[u8]) {
    let json = out.style.json;
    match endpoint.address() {
        Some(address) if json => out.json_address("address", address),
        Some(address) => out.address(address, " "),
        None => {}
    }
    if let Some(port) = endpoint.port().filter(|port| *port != 0) {
        out.named_number("port", port.into());
    }
    if let Some(id) = endpoint.id() {
        out.named_number("id", id.into());
    }
    let mut left = endpoint.flags().unwrap_or_default();
    for (flag, name) in &EndpointFlags::NAMES {
        // Most have one flag.
        if left == EndpointFlags::EMPTY {
            break;
        }
        if left.contains(*flag) {
            out.named(name);
            left &= !*flag;
        }
    }
    // Those of newer kernels.
    if left != EndpointFlags::EMPTY {
        out.named_string("rawflags", padded(left.0.into(), 2).as_bytes());
    }
    out.named_interface(interface);
}
