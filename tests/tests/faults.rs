//! What the system refuses, such as memory, room on the disk, or a call: it is said, with a
//! status that is not 0, and what was there stays.

use std::path::PathBuf;

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

#[test]
fn a_file_that_may_not_become_so_large_stays_what_it_was() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("state");
    std::fs::write(&file, "before").expect("a file");
    let words = format!("save {}", file.display());
    let output = limited("-f 0", &words).run();
    let names = std::fs::read_dir(&folder).expect("the folder");
    let names: Vec<PathBuf> = names.flatten().map(|entry| entry.path()).collect();
    let after = std::fs::read_to_string(&file).expect("the file");
    std::fs::remove_dir_all(&folder).expect("the folder");
    let expected = format!("Cannot write \"{}\": File too large\n", file.display());
    assert_eq!(output.code(), 1, "{}", output.report());
    assert_eq!(output.stderr(), expected);
    assert_eq!((names, after.as_str()), (vec![file], "before"));
}
