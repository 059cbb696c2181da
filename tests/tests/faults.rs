//! What the system refuses, such as memory, room on the disk, or a call: it is said, with a
//! status that is not 0, and what was there stays.

use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{binary, Run};

/// A run with a limit of the shell's `ulimit`.
fn limited(limit: &str, words: &str) -> Run {
    Run::program("/bin/sh".as_ref())
        .arg("-c")
        .arg(format!("ulimit {limit} && exec \"$0\" {words}"))
        .arg(binary())
}

#[test]
fn memory_that_there_is_not_is_an_error_like_any_other() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let long = "#\n".repeat(500_000);
    let output = limited("-d 1000", "apply -").stdin(long).run().failure(1);
    assert_eq!(output.stderr(), "Error: Cannot allocate memory\n");
}
