#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mptcp_fuzz::state_file::run(data));
