//! The codec cannot panic, and needs neither std nor alloc: shown on the
//! machine code of its entry points, see `tests/proof/no_panic`.
//!
//! That library is built at opt-level 3 with full link-time optimisation, so
//! that what is not called is gone. What is left must not have a name of
//! `core::panicking` in it. That such a name would be seen is shown by
//! building it again with a panic put in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Held while the library is built and looked at: there is one of it.
static BUILDING: Mutex<()> = Mutex::new(());

/// Builds the library, with a feature or without, and returns the names in
/// its own object file.
fn names(feature: Option<&str>) -> Option<Vec<String>> {
    let _alone = BUILDING.lock().unwrap_or_else(|held| held.into_inner());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("proof/no_panic/Cargo.toml");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no_panic");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--release", "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        // Settings for the test that are not for the proof.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET");
    if let Some(feature) = feature {
        build.args(["--features", feature]);
    }
    let output = build.output().expect("cargo runs");
    // An allocator is not there, nor is std: to need one is an error here.
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let archive = target.join("release/libno_panic.a");
    let nm = match Command::new("nm").arg("-A").arg(&archive).output() {
        Ok(nm) => nm,
        Err(error) => {
            ip_mptcp_tests::wait::skip(&format!("nm, of binutils: {error}"));
            return None;
        }
    };
    // nm may say of members in other forms that it cannot read them; ours it
    // can, which the names below show.
    let text = String::from_utf8_lossy(&nm.stdout).into_owned();
    let own = text
        .lines()
        .filter(|line| line.contains(":no_panic-"))
        .filter_map(|line| line.rsplit(' ').next())
        .map(str::to_owned);
    Some(own.collect())
}

fn panicking(names: &[String]) -> Vec<&String> {
    // core::panicking in either mangling, and the handler it ends in.
    let marks = ["9panicking", "begin_unwind"];
    names
        .iter()
        .filter(|name| marks.iter().any(|mark| name.contains(mark)))
        .collect()
}

#[test]
fn no_entry_point_calls_panicking_code_or_an_allocator() {
    let Some(names) = names(None) else { return };
    for entry in [
        "messages_le",
        "messages_be",
        "attributes_be",
        "typed_le",
        "controller_be",
        "sockets_le",
        "routes_be",
        "exchange",
        "requests",
        "lookups",
        "writer",
    ] {
        assert!(names.iter().any(|n| n == entry), "{entry} is missing");
    }
    assert_eq!(panicking(&names), Vec::<&String>::new());
    assert!(!names.iter().any(|name| name.contains("__rust_alloc")));
}

#[test]
fn a_panic_that_is_put_in_is_seen() {
    for feature in ["panic-index", "panic-unwrap", "panic-divide", "panic-copy"] {
        let Some(names) = names(Some(feature)) else {
            return;
        };
        assert!(names.iter().any(|n| n == "panics"), "{feature}");
        assert!(!panicking(&names).is_empty(), "{feature} was not seen");
    }
}
