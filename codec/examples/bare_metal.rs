//! For a machine without an operating system that speaks to a Linux router,
//! over a serial line say: a static library for C, which needs `core` and
//! nothing else.
//!
//!     cargo +nightly build --release --example bare_metal \
//!         --target thumbv7m-none-eabi -Zbuild-std=core
//!
//! ```c
//! uint8_t request[160];
//! size_t len = mptcp_add_endpoint(request, sizeof request, family, 1, address, flags);
//! send(request, len);
//! int32_t errno = mptcp_answer(request, len, answer, receive(answer, sizeof answer));
//! ```

#![cfg_attr(target_os = "none", no_std)]

use core::net::Ipv4Addr;
use core::slice;

use mptcp_codec::exchange::{Exchange, Outcome};
use mptcp_codec::mptcp::{request, Endpoint, EndpointFlags};

/// Nothing of the codec panics; the linker throws this away.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Writes the request for an endpoint of an IPv4 address, in network order;
/// its length, 0 where the space does not suffice.
///
/// # Safety
///
/// `buffer` is `len` bytes that may be written, `address` four that may be
/// read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mptcp_add_endpoint(
    buffer: *mut u8,
    len: usize,
    family: u16,
    seq: u32,
    address: *const u8,
    flags: u32,
) -> usize {
    let (buffer, address) = unsafe {
        (
            slice::from_raw_parts_mut(buffer, len),
            address.cast::<[u8; 4]>().read(),
        )
    };
    let endpoint = Endpoint::new(Ipv4Addr::from(address)).with_flags(EndpointFlags(flags));
    let request = request::add_address(buffer, family, seq, &endpoint);
    request.map_or(0, |request| request.len())
}

/// What an answer says to a request: 0 done, else the error number; -1 where
/// it goes on, -2 where it cannot be read.
///
/// # Safety
///
/// Both are as many bytes that may be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mptcp_answer(
    request: *const u8,
    request_len: usize,
    answer: *const u8,
    answer_len: usize,
) -> i32 {
    let (request, answer) = unsafe {
        (
            slice::from_raw_parts(request, request_len),
            slice::from_raw_parts(answer, answer_len),
        )
    };
    let Ok(mut exchange) = Exchange::new(request) else {
        return -2;
    };
    drop(exchange.feed(answer));
    match exchange.outcome() {
        None => -1,
        Some(Outcome::Success) => 0,
        Some(Outcome::Refused(errno)) => errno as i32,
        Some(_) => -2,
    }
}
