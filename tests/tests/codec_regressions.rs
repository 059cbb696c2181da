//! The fuzz targets on a stable compiler: every input that fuzzing once broke
//! the codec with, and every seed, keeps every promise.

use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

/// Runs the target and says which input it was when it fails.
fn play(target: fuzz::Target, name: &str, input: &[u8]) {
    struct Says<'a>(&'a str, &'a [u8]);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("input {}: {:02x?}", self.0, self.1);
            }
        }
    }
    let _says = Says(name, input);
    target(input);
}

#[test]
fn inputs_that_once_failed_still_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/regressions");
    let mut played = 0;
    for target in std::fs::read_dir(folder).expect("fuzz/regressions") {
        let folder = target.expect("an entry").path();
        let name = folder.file_name().expect("a name").to_string_lossy();
        let (_, target) = fuzz::TARGETS
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("regressions for no target: {name}"));
        for input in std::fs::read_dir(&folder).expect("a folder for each target") {
            let path = input.expect("an entry").path();
            let input = std::fs::read(&path).expect("an input");
            play(*target, &path.to_string_lossy(), &input);
            played += 1;
        }
    }
    assert!(played > 0, "no input was played");
}

#[test]
fn what_kernels_said_keeps_every_promise() {
    let mut seeds = fuzz::seeds::all();
    for (name, target) in fuzz::TARGETS {
        let inputs = seeds.remove(name).unwrap_or_default();
        assert!(!inputs.is_empty(), "{name} has no seeds");
        for input in &inputs {
            play(*target, name, input);
            // Cut anywhere near a boundary.
            for cut in 1..input.len().min(8) {
                play(*target, name, &input[..input.len() - cut]);
            }
        }
    }
}
