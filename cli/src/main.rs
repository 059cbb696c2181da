//! `ip-mptcp`: argv in, exit status out.
//!
//! The C library calls `main` directly: what the standard library does before a Rust `main`
//! (reopening closed descriptors, ignoring SIGPIPE, guarding the stack) is not wanted here,
//! and would be half the work of a short command.

#![no_main]

use ip_mptcp::{arguments, exit, Memory};

#[global_allocator]
static MEMORY: Memory = Memory::new();

/// What the C library calls.
///
/// # Safety
/// `argc` and `argv` are those of the process.
#[allow(unsafe_code)] // the name is the C library's
#[no_mangle]
pub unsafe extern "C" fn main(argc: core::ffi::c_int, argv: *const *const core::ffi::c_char) -> ! {
    // SAFETY: these are the arguments that the C library passed.
    let words = unsafe { arguments(argc, argv) };
    exit(ip_mptcp::run(words))
}
