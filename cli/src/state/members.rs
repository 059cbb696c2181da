//! An endpoint in output.

use mptcp_codec::mptcp::{Endpoint, EndpointFlags};

use crate::output::{Colour, Output};
use crate::text::padded;

/// What is told of an endpoint, as members of an object or as words.
pub fn members(out: &mut Output, endpoint: &Endpoint, interface: &[u8]) {
    let json = out.style.json;
    match endpoint.address() {
        Some(address) if json => {
            out.json_address("address", Some(&address));
        }
        Some(address) => out.address(address, " "),
        None => {}
    }
    if let Some(port) = endpoint.port().filter(|port| *port != 0) {
        out.named_number("port", port.into());
    }
    if let Some(id) = endpoint.id() {
        out.named_number("id", id.into());
    }
    let flags = endpoint.flags().unwrap_or_default();
    for (flag, name) in &EndpointFlags::NAMES {
        if flags.contains(*flag) {
            out.named(name);
        }
    }
    let unknown = flags.unknown();
    if unknown.0 != 0 {
        out.named_string("rawflags", padded(unknown.0.into(), 2).as_bytes());
    }
    if !interface.is_empty() {
        if json {
            out.json_string("dev", interface);
        } else {
            out.text("dev ");
            out.coloured_with(Colour::Interface, interface, " ");
        }
    }
}
