//! Runs inputs through targets once, on any compiler: `replay TARGET FOLDER…`.
//! For coverage, and for looking at a crash without libFuzzer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let name = words.next().unwrap_or_default();
    let Some((_, target)) = mptcp_fuzz::TARGETS.iter().find(|(known, _)| *known == name) else {
        eprintln!(
            "replay TARGET FILE-OR-FOLDER…; no target {}",
            name.to_string_lossy()
        );
        return ExitCode::from(2);
    };
    let mut played = 0;
    for path in words.map(PathBuf::from) {
        if let Err(error) = play(&path, *target, &mut played) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    println!("{played} inputs");
    ExitCode::SUCCESS
}

fn play(path: &Path, target: mptcp_fuzz::Target, played: &mut usize) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            play(&entry?.path(), target, played)?;
        }
    } else {
        target(&std::fs::read(path)?);
        *played += 1;
    }
    Ok(())
}
