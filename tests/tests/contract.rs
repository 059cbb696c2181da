//! Every command line that works or fails with iproute2 does so here, in all three ways
//! to call the tool, and leaves the kernel in the same state. See `data/contract.txt`.

use ip_mptcp_tests::contract;

const TABLE: &str = include_str!("../data/contract.txt");

#[test]
fn every_command_line_does_what_scripts_expect_of_it() {
    contract::check("contract.txt", TABLE);
}

/// With `-j` a failure is one JSON object on standard error, with the same exit status;
/// it names the word at fault and the kernel's errno.
#[test]
fn every_failing_command_line_fails_in_json_too() {
    contract::check_failures_in_json("contract.txt", TABLE);
}
