//! The codec cannot panic, and needs neither std nor alloc: shown on the
//! machine code of its entry points, see `tests/proof/no_panic`.
//!
//! That library is built at opt-level 3 with full link-time optimisation, so
//! that what is not called is gone. What is left must not have a name of
//! `core::panicking` in it. That such a name would be seen is shown by
//! building it again with a panic put in.
//!
//! The same machine code shows how much stack a call takes at most, whatever
//! the bytes: the frames on the deepest way through it, added up.
//!
//! How much code a program gets that reads a dump is counted in another such library,
//! `tests/proof/dump`, built for size.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Held while the library is built and looked at: there is one of it.
static BUILDING: Mutex<()> = Mutex::new(());

/// Builds the library that has everything, with a feature or without, and returns what a
/// program of binutils says of it.
fn look(feature: Option<&str>, program: &str, options: &[&str]) -> Option<String> {
    look_at("no_panic", feature, program, options)
}

/// The same of any library in `tests/proof`.
fn look_at(
    library: &str,
    feature: Option<&str>,
    program: &str,
    options: &[&str],
) -> Option<String> {
    let _alone = BUILDING.lock().unwrap_or_else(|held| held.into_inner());
    let manifest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("proof/{library}/Cargo.toml"));
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(library);
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
    // Neither an allocator nor std is available: to need one is an error here.
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let archive = target.join(format!("release/lib{library}.a"));
    // Of members in other forms it may say that it cannot read them; ours it
    // can, which what is found in it shows.
    match Command::new(program).args(options).arg(&archive).output() {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) => {
            ip_mptcp_tests::wait::skip(&format!("{program}, of binutils: {error}"));
            None
        }
    }
}

/// The names in the library's own object file.
fn names(feature: Option<&str>) -> Option<Vec<String>> {
    let text = look(feature, "nm", &["-A"])?;
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
fn an_injected_panic_is_detected() {
    for feature in ["panic-index", "panic-unwrap", "panic-divide", "panic-copy"] {
        let Some(names) = names(Some(feature)) else {
            return;
        };
        assert!(names.iter().any(|n| n == "panics"), "{feature}");
        assert!(!panicking(&names).is_empty(), "{feature} was not seen");
    }
}

/// Names of the public functions in a source file, tests left out.
fn public_functions(source: &str) -> Vec<&str> {
    let source = source.split("#[cfg(test)]").next().unwrap_or(source);
    // What only the macros call.
    let source = source.split("pub mod inner").next().unwrap_or(source);
    let lines = source.lines().map(str::trim_start);
    let signatures = lines.filter_map(|line| {
        line.strip_prefix("pub fn ")
            .or_else(|| line.strip_prefix("pub const fn "))
    });
    // What macros name is another function each time.
    let names = signatures.filter_map(|rest| rest.split(['(', '<', ' ']).next());
    names.filter(|name| !name.starts_with('$')).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.file_name().is_some_and(|name| name != "testing.rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_public_function_is_in_the_library_that_is_looked_at() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = ["lib.rs", "calls.rs"].map(|file| {
        let path = here.join("proof/no_panic/src").join(file);
        std::fs::read_to_string(path).expect("its source")
    });
    let library = library.concat();
    let words: BTreeSet<&str> = library
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let mut files = Vec::new();
    sources(&here.join("../codec/src"), &mut files);
    for file in files {
        let source = std::fs::read_to_string(&file).expect("a source");
        for name in public_functions(&source) {
            assert!(words.contains(name), "{}: {name}", file.display());
        }
    }
}

/// What a call may take of the stack. What it returns lies with the caller. The oldest
/// compilers that will do keep more of it in memory.
fn stack_limit() -> usize {
    let version = std::process::Command::new("rustc").arg("-V").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let minor = version.unwrap_or_default();
    let minor = minor.split('.').nth(1).and_then(|minor| minor.parse().ok());
    match minor {
        Some(0..90) => 1280,
        _ => 1024,
    }
}

/// The machine code of a function of x86-64, as far as its stack goes.
#[derive(Debug, Default)]
struct Function {
    /// Return address, saved registers, and what is below them.
    frame: usize,
    /// What it uses below its frame without saying so, as a function may that
    /// makes no call.
    red_zone: usize,
    calls: Vec<String>,
    /// What it goes on as, its own frame given up.
    jumps: Vec<String>,
    /// An instruction that calls or moves the stack in a way not known here.
    strange: Option<String>,
}

/// Reads `objdump -dr --no-show-raw-insn`.
fn functions(listing: &str) -> BTreeMap<String, Function> {
    let mut all = BTreeMap::new();
    let mut ours = false;
    let mut name = String::new();
    let mut last = "";
    for line in listing.lines() {
        if line.contains("file format") {
            ours = line.starts_with("no_panic-");
            continue;
        }
        if !ours {
            continue;
        }
        if let Some((_, begins)) = line.split_once(" <").filter(|_| !line.starts_with(' ')) {
            name = begins.trim_end_matches(">:").to_owned();
            let frame = 8;
            all.insert(
                name.clone(),
                Function {
                    frame,
                    ..Function::default()
                },
            );
            continue;
        }
        let Some(function) = all.get_mut(&name) else {
            continue;
        };
        if let Some((_, target)) = line.split_once("R_X86_64_") {
            // A local function is named by its section.
            let target = target.split_whitespace().nth(1).unwrap_or_default();
            let target = target
                .trim_start_matches(".text.")
                .trim_start_matches("unlikely.");
            let target = target
                .rsplit_once(['-', '+'])
                .map_or(target, |(name, _)| name);
            match last {
                "call" => function.calls.push(target.to_owned()),
                "jump" => function.jumps.push(target.to_owned()),
                _ => {}
            }
            last = "";
            continue;
        }
        let Some((_, instruction)) = line.split_once(":\t") else {
            continue;
        };
        // No address followed: it jumps within, or to an unknown place.
        let (operation, operands) = instruction.split_once(' ').unwrap_or((instruction, ""));
        let operands = operands.trim();
        last = match operation {
            "call" | "callq" => "call",
            _ if operation.starts_with('j') => "jump",
            _ => "",
        };
        let number = |text: &str| usize::from_str_radix(text, 16).ok();
        match operation {
            "push" => function.frame += 8,
            "sub" if operands.ends_with(",%rsp") => {
                let by = operands.trim_start_matches("$0x").trim_end_matches(",%rsp");
                match number(by) {
                    Some(by) => function.frame += by,
                    None => function.strange = Some(instruction.to_owned()),
                }
            }
            "call" if operands.starts_with('*') && !operands.contains("(%rip)") => {
                function.strange = Some(instruction.to_owned());
            }
            "and" | "enter" if operands.ends_with("%rsp") => {
                function.strange = Some(instruction.to_owned());
            }
            _ => {}
        }
        if let Some((before, _)) = operands.split_once("(%rsp") {
            if let Some((_, below)) = before.rsplit_once("-0x") {
                let below = number(below).unwrap_or(usize::MAX);
                function.red_zone = function.red_zone.max(below.next_multiple_of(8));
            }
        }
    }
    all
}

/// How deep the stack gets under `name`, and by which way. What is not in the
/// library is `memcpy` and its like, which take a return address.
fn depth(all: &BTreeMap<String, Function>, name: &str, above: &[&str]) -> (usize, String) {
    assert!(!above.contains(&name), "{name} calls itself: {above:?}");
    let Some(function) = all.get(name) else {
        let known = ["memcpy", "memset", "memmove", "bcmp", "memcmp"];
        assert!(known.contains(&name), "{name} is not in the library");
        return (8, name.to_owned());
    };
    let mut function = function;
    // It is handed what to do with an attribute, by each set that is a value.
    let taken;
    if name.contains("8take_odd") {
        let sets = all.keys().filter(|name| name.contains("take_unusual"));
        let closures = sets.filter(|name| name.contains("closure"));
        taken = Function {
            frame: function.frame,
            red_zone: function.red_zone,
            calls: function.calls.iter().chain(closures).cloned().collect(),
            jumps: function.jumps.clone(),
            strange: None,
        };
        assert!(taken.calls.len() > function.calls.len(), "no set is found");
        function = &taken;
    }
    assert_eq!(function.strange, None, "in {name}");
    let above: Vec<&str> = above.iter().copied().chain([name]).collect();
    let own = (function.frame + function.red_zone, name.to_owned());
    let calls = function.calls.iter().map(|callee| {
        let (under, way) = depth(all, callee, &above);
        (
            function.frame + under,
            format!("{name} {} > {way}", function.frame),
        )
    });
    let jumps = function
        .jumps
        .iter()
        .map(|callee| depth(all, callee, &above));
    calls.chain(jumps).chain([own]).max().expect("its own")
}

#[test]
fn no_call_takes_more_stack_than_promised() {
    if cfg!(not(target_arch = "x86_64")) {
        ip_mptcp_tests::wait::skip("the promise is about the machine code of x86-64");
        return;
    }
    let options = ["-dr", "--no-show-raw-insn"];
    let Some(listing) = look(None, "objdump", &options) else {
        return;
    };
    let all = functions(&listing);
    let calls = all.keys().filter(|name| name.starts_with("call_"));
    let mut depths: Vec<_> = calls.map(|call| depth(&all, call, &[])).collect();
    depths.sort();
    // Fewer would mean that the listing was not understood.
    assert!(depths.len() > 120, "{}", depths.len());
    assert!(all.values().any(|function| function.calls.len() > 1));
    for (bytes, way) in depths.iter().rev().take(3) {
        println!("{bytes} bytes: {way}");
    }
    let (deepest, way) = depths.last().expect("one");
    assert!(
        (128..stack_limit()).contains(deepest),
        "{deepest} bytes: {way}"
    );
}

/// Bytes of code and constants in the object files of `tests/proof/dump`.
fn size_of_dump(feature: Option<&str>) -> Option<usize> {
    let listing = look_at("dump", feature, "size", &["-A"])?;
    let mut ours = false;
    let mut bytes = 0;
    for line in listing.lines() {
        if line.contains("(ex ") {
            ours = line.starts_with("dump-");
        }
        let mut words = line.split_whitespace();
        if let (Some(section), Some(Ok(size))) = (words.next(), words.next().map(str::parse)) {
            if ours && (section.starts_with(".text") || section.starts_with(".rodata")) {
                let size: usize = size;
                bytes += size;
            }
        }
    }
    Some(bytes)
}

#[test]
fn a_program_that_reads_a_dump_has_no_more_code_than_promised() {
    if cfg!(not(target_arch = "x86_64")) {
        ip_mptcp_tests::wait::skip("the promise is about the machine code of x86-64");
        return;
    }
    for (feature, limit) in [(None, 2048), (Some("fast"), 2600)] {
        let Some(bytes) = size_of_dump(feature) else {
            return;
        };
        println!("{feature:?}: {bytes} bytes");
        // Fewer would mean that the listing was not understood.
        assert!(
            (1024..=limit).contains(&bytes),
            "{feature:?}: {bytes} bytes"
        );
    }
}
