//! A program that reads endpoints out of a dump, and nothing else: what it has of code is
//! what the codec costs a program that wants no more. The test `codec_proof` builds it for size.
#![no_std]

use core::net::IpAddr;

use mptcp_codec::mptcp::Endpoint;
use mptcp_codec::netlink::{Content, Messages};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Adds up what is in all endpoints; the number that the dump ends with, or one below 0.
#[unsafe(no_mangle)]
pub fn dump(bytes: &[u8], sum: &mut u64) -> i32 {
    for message in Messages::new(bytes) {
        let Ok(message) = message else { return -1 };
        match message.content() {
            Ok(Content::Data) => {}
            Ok(Content::Done(done)) => return done.errno as i32,
            Ok(Content::Ack(ack)) => return ack.errno as i32,
            Ok(_) => continue,
            Err(_) => return -2,
        }
        let Ok(endpoint) = Endpoint::decode(&message) else {
            return -3;
        };
        *sum += u64::from(endpoint.id().unwrap_or(0))
            + u64::from(endpoint.port().unwrap_or(0))
            + u64::from(endpoint.flags().unwrap_or_default().0)
            + u64::from(endpoint.if_idx().unwrap_or(0));
        *sum += match endpoint.address() {
            Some(IpAddr::V4(address)) => address.to_bits().into(),
            Some(IpAddr::V6(address)) => address.to_bits() as u64,
            None => 0,
        };
    }
    0
}
