//! What the README shows is what one sees.
//!
//! A block that is indented is commands that are run as they stand. A block marked
//! `console` is a session: commands after the name of a host, and what they print. A
//! block marked `sh` is commands that take the network, root or long: they are checked as
//! far as that goes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use ip_mptcp_tests::connection::Connection;
use ip_mptcp_tests::documents::{installed, quoted, read, workspace, Folder};
use ip_mptcp_tests::monitor::Monitor;
use ip_mptcp_tests::namespace::{link_down, link_rename, link_up, Namespace};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, Run};
use ip_mptcp_tests::wait::DEADLINE;

/// The indented blocks of a text, without their indentation.
fn indented(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let (mut inside, mut fenced, mut blank) = (false, false, false);
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        // Without a blank line in front it goes on with an item of a list.
        let code = line.strip_prefix("    ");
        let code = code.filter(|_| !fenced && (inside || blank));
        if let Some(code) = code {
            if !inside {
                found.push(String::new());
            }
            let block = found.last_mut().expect("it was begun");
            block.push_str(code);
            block.push('\n');
        }
        inside = code.is_some();
        blank = line.is_empty();
    }
    found
}

/// The fenced blocks: what they are marked with, and what is in them.
fn fenced(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pieces = text.split("```").skip(1).step_by(2);
    // Quotes of other kinds have no line of their own.
    pieces.filter_map(|piece| piece.split_once('\n'))
}

fn shell(folder: &Folder, script: &str) -> Run {
    Run::program(Path::new("/bin/sh"))
        .env("PATH", &folder.search_path())
        .arg("-ec")
        .arg(script)
}

#[test]
fn every_command_that_is_indented_works_as_it_stands() {
    if Namespace::fresh().is_none() {
        return;
    }
    let folder = Folder::new("readme");
    let file = quoted(&folder.path.join("mptcp.state"));
    let blocks = indented(&read("README.md"));
    let mut commands = 0;
    for block in &blocks {
        // Those of cargo are this very test run, and what `cargo_commands` looks at.
        if block.starts_with("cargo ") {
            continue;
        }
        assert!(block.starts_with("ip-mptcp "), "not a command: {block}");
        let block = block.replace("/etc/mptcp.state", &file);
        let output = shell(&folder, &block).run();
        assert!(output.code() == 0, "{block}\n{}", output.report());
        commands += 1;
    }
    assert!(commands > 0, "the README shows no commands");
}

/// Profiles are left out: what is built for the tests already will do.
#[test]
fn the_commands_of_cargo_name_what_is_there() {
    let readme = read("README.md");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = Run::program(Path::new(&cargo))
        .words("metadata --no-deps --offline --format-version 1")
        .run()
        .success()
        .stdout();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let mut targets = Vec::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().unwrap_or("");
        targets.push(("-p".to_owned(), name.to_owned()));
        for target in package["targets"].as_array().expect("targets") {
            let kind = target["kind"][0].as_str().unwrap_or("");
            let name = target["name"].as_str().unwrap_or("");
            targets.push((format!("--{kind}"), name.to_owned()));
        }
    }
    let mut found = 0;
    for line in readme.lines().filter(|line| line.contains("cargo ")) {
        let words: Vec<_> = line.split([' ', '`']).collect();
        for pair in words.windows(2) {
            if ["-p", "--example", "--bench", "--bin"].contains(&pair[0]) {
                let target = (pair[0].to_owned(), pair[1].to_owned());
                assert!(targets.contains(&target), "{target:?} of {line}");
                found += 1;
            }
        }
        if let Some(profile) = line.split("--profile ").nth(1) {
            let profile = profile.split([' ', '`']).next().expect("a piece");
            let section = format!("[profile.{profile}]");
            assert!(read("Cargo.toml").contains(&section), "{section}");
        }
    }
    assert!(found > 3, "the README names nothing to build");
    // Where they lie by default, the names are those of the README.
    for tool in ["cargo build --release", "./target/release/ip-mptcp"] {
        assert!(readme.contains(tool), "{tool}");
    }
    assert_eq!(binary().file_name().expect("a name"), "ip-mptcp");
}

#[test]
fn commands_that_take_more_name_files_that_are_there() {
    let readme = read("README.md");
    let blocks: Vec<_> = fenced(&readme).filter(|(mark, _)| *mark == "sh").collect();
    assert!(blocks.len() > 1, "{blocks:?}");
    for (_, block) in &blocks {
        shell_reads(block);
        let words = block.split([' ', '\n', '=', '$', '"', ')']);
        let files = words.filter(|word| {
            ["cli/", "tests/", "codec/", "fuzz/"]
                .iter()
                .any(|folder| word.starts_with(folder))
        });
        for file in files {
            assert!(workspace().join(file).exists(), "{file} in {block}");
        }
    }
}

fn shell_reads(block: &str) {
    let output = Run::program(Path::new("/bin/sh"))
        .words("-n")
        .stdin(block)
        .run();
    assert!(
        output.code() == 0 && output.stderr.is_empty(),
        "{block}: {}",
        output.report()
    );
}

/// As far as it goes without programs that use MPTCP: those that `mptcpize` starts are
/// left out.
#[test]
fn the_lab_builds_two_paths() {
    if Namespace::fresh().is_none() || installed("ip").is_none() {
        return;
    }
    let readme = read("README.md");
    let (_, lab) = fenced(&readme)
        .find(|(mark, _)| *mark == "sh lab")
        .expect("a lab");
    shell_reads(lab);
    assert!(lab.contains("mptcpize"), "{lab}");
    let folder = Folder::new("lab");
    let kept = |line: &&str| !line.contains("mptcpize") && !line.contains("/tmp/lab");
    let lines: Vec<_> = lab.lines().filter(kept).collect();
    let script = lines.join("\n")
        + "\nip-mptcp -n client endpoint show\nip -n client route get 10.0.1.1 oif path2\n";
    let output = shell(&folder, &script).run().success();
    let printed = output.stdout();
    assert!(
        printed.starts_with("10.0.2.2 id 1 subflow dev path2"),
        "{printed}"
    );
    assert!(printed.contains("dev path2 src 10.0.2.2"), "{printed}");
}

/// Names of files between backquotes, as far as they are of the workspace.
#[test]
fn every_file_that_is_named_is_there() {
    for document in [
        "README.md",
        "CONTRIBUTING.md",
        "cli/TROUBLESHOOTING.md",
        "cli/packaging/README.md",
    ] {
        let text = read(document);
        let folder = Path::new(document).parent().expect("a folder");
        let quoted = text.split('`').skip(1).step_by(2);
        let links = text.split("](").skip(1);
        let links = links.filter_map(|rest| rest.split(')').next());
        for name in quoted.chain(links) {
            let name = name.split('#').next().expect("the first piece");
            let of_ours = ["cli/", "tests/", "codec/", "fuzz/", ".ci/"]
                .iter()
                .any(|folder| name.starts_with(folder));
            if of_ours && !name.contains([' ', '<', '*', '…']) && !name.contains("NAME") {
                let here = workspace().join(folder).join(name);
                assert!(
                    here.exists() || workspace().join(name).exists(),
                    "{document} names {name}"
                );
            }
        }
    }
}

#[test]
fn the_path_of_a_request_names_what_the_files_hold() {
    let readme = read("README.md");
    let rows = readme
        .lines()
        .skip_while(|line| !line.starts_with("| | file | what"))
        .skip(2)
        .take_while(|line| line.starts_with("| "));
    let mut count = 0;
    for row in rows {
        count += 1;
        let quoted: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let (files, names): (Vec<&str>, Vec<&str>) =
            quoted.into_iter().partition(|word| word.contains('/'));
        let is_file = |file: &&&str| workspace().join(file).is_file();
        let text: String = files
            .iter()
            .filter(is_file)
            .map(|file| read(file))
            .collect();
        for name in names {
            let name = name.split([' ', '!']).next().expect("a piece");
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            assert!(!is_name || text.contains(name), "{name} in {row}");
        }
    }
    assert!(count > 10, "{count} rows");
}

#[test]
fn the_table_of_kernels_is_the_table_that_is_booted() {
    let Some(python) = installed("python3") else {
        return;
    };
    let boots = Run::program(&python)
        .arg(workspace().join("tests/boot/run"))
        .words("--list")
        .run()
        .success()
        .stdout();
    let readme = read("README.md");
    let rows: Vec<_> = readme
        .lines()
        .skip_while(|line| !line.starts_with("| booted as |"))
        .skip(2)
        .map_while(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(rows, boots.lines().collect::<Vec<_>>());
}

/// A command of a session, and what it prints.
#[derive(Debug)]
struct Step<'t> {
    host: &'t str,
    command: String,
    printed: Vec<&'t str>,
}

fn steps(session: &str) -> Vec<Step<'_>> {
    let mut steps: Vec<Step> = Vec::new();
    for line in session.lines() {
        let prompt = ["client", "server"]
            .into_iter()
            .find_map(|host| Some((host, line.strip_prefix(host)?.strip_prefix("# ")?)));
        match (prompt, steps.last_mut()) {
            (Some((host, command)), _) => steps.push(Step {
                host,
                command: command.to_owned(),
                printed: Vec::new(),
            }),
            (None, Some(step)) => match line.strip_prefix("> ") {
                Some(more) => {
                    step.command.push('\n');
                    step.command.push_str(more);
                }
                None => step.printed.push(line),
            },
            (None, None) => panic!("a session begins with a prompt: {line}"),
        }
    }
    steps
}

/// The words of a line as far as they are the same each time: tokens, ports and counts
/// are not.
fn shape(line: &str) -> Vec<String> {
    line.split_whitespace()
        .map(|word| {
            let (head, tail) = word.split_once('=').unwrap_or(("", word));
            let tail = match tail.rsplit_once(':') {
                Some((address, port)) if port.bytes().all(|b| b.is_ascii_digit()) => address,
                _ => tail,
            };
            let changes = ["token", "sport", "dport", "ifindex"].contains(&head)
                || tail.len() == 8 && tail.bytes().all(|b| b.is_ascii_hexdigit())
                || tail.trim_end_matches('%').parse::<f64>().is_ok();
            format!("{head}={}", if changes { "N" } else { tail })
        })
        .collect()
}

/// Whether all that the README shows is there, in this order; a line may say more.
fn is_shown(shown: &[&str], printed: &str) -> bool {
    let lines: Vec<_> = printed.lines().collect();
    lines.len() == shown.len()
        && shown.iter().zip(&lines).all(|(shown, line)| {
            let printed = shape(line);
            let mut rest = printed.iter();
            shape(shown).iter().all(|word| rest.any(|one| one == word))
        })
}

/// What stands for the network and the programs that a session speaks of.
struct Scene {
    paths: TwoPaths,
    folder: Folder,
    listener: std::net::TcpListener,
    monitor: Option<Monitor>,
    connections: Vec<Connection>,
}

impl Scene {
    fn new(name: &str) -> Option<Scene> {
        let paths = TwoPaths::fresh()?;
        for (old, new) in [("c1", "wan"), ("c2", "lte")] {
            rename(old, new);
        }
        paths.server.inside(|| {
            for (old, new) in [("s1", "eth0"), ("s2", "eth1")] {
                rename(old, new);
            }
        });
        let listener = paths.listen("0.0.0.0:80");
        Some(Scene {
            paths,
            folder: Folder::new(name),
            listener,
            monitor: None,
            connections: Vec::new(),
        })
    }

    /// What the command prints.
    fn play(&mut self, step: &Step) -> String {
        let file = self.folder.path.join("mptcp.state");
        let command = step.command.replace("/etc/mptcp.state", &quoted(&file));
        let host = match step.host {
            "client" => &self.paths.client,
            _ => &self.paths.server,
        };
        if let Some(words) = command.strip_prefix("ip-mptcp monitor") {
            let words = words.strip_suffix('&').expect("it goes on meanwhile");
            self.monitor = Some(host.inside(|| Monitor::start(Run::tool("monitor").words(words))));
            return String::new();
        }
        if command.starts_with("curl --mptcp ") {
            let connection = self.paths.connect(&self.listener);
            self.connections.push(connection);
            let lines = step.printed.len();
            return match &self.monitor {
                Some(monitor) => monitor.wait_for("the events", |text| {
                    text.ends_with('\n') && text.lines().count() >= lines
                }),
                None => String::new(),
            };
        }
        if let Some(words) = command.strip_prefix("ip link set ") {
            let device = words.strip_suffix(" down").expect("the only use");
            host.inside(|| link_down(device));
            self.transfer();
            return String::new();
        }
        if command.contains("connection show") {
            self.transfer();
        }
        let output = host.inside(|| shell(&self.folder, &command).run());
        let usual = match &*command {
            dry if dry.contains("--dry-run") => 3,
            "ip-mptcp doctor" if !step.printed.join("").contains("nothing") => 1,
            _ => 0,
        };
        assert!(
            output.code() == usual && output.stderr.is_empty(),
            "{command}: {}",
            output.report()
        );
        let file = file.display().to_string();
        output.stdout().replace(&file, "/etc/mptcp.state")
    }

    /// Moves data from server to client, and waits for both ends to have as many subflows
    /// as they will have.
    fn transfer(&self) {
        for connection in &self.connections {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let piece = vec![b'x'; 1 << 20];
                    (&connection.server).write_all(&piece).expect("send");
                });
                let mut space = vec![0; 1 << 20];
                (&connection.client).read_exact(&mut space).expect("read");
            });
        }
    }
}

fn rename(old: &str, new: &str) {
    link_down(old);
    link_rename(old, new);
    link_up(new);
}

/// Sees to it that what a session shows is printed, sooner or later: connections take a
/// moment to have their subflows.
fn see(scene: &mut Scene, step: &Step) {
    let start = Instant::now();
    loop {
        let printed = scene.play(step);
        if is_shown(&step.printed, &printed) {
            return;
        }
        let once = !step.command.contains(" show");
        assert!(
            !once && start.elapsed() < DEADLINE,
            "{:?} prints\n{printed}\nnot\n{}",
            step.command,
            step.printed.join("\n")
        );
    }
}

#[test]
fn every_session_shows_what_one_sees() {
    // Of iproute2, for the routes of the sessions.
    if installed("ip").is_none() {
        return;
    }
    let readme = read("README.md");
    let sessions = fenced(&readme).filter(|(mark, _)| mark.starts_with("console"));
    let mut scene = None;
    let mut count = 0;
    for (mark, session) in sessions {
        count += 1;
        if mark != "console continued" {
            // The end of one comes before the beginning of the next.
            drop(scene.take());
            scene = Scene::new(&format!("session{count}"));
        }
        let Some(scene) = &mut scene else { return };
        for step in steps(session) {
            see(scene, &step);
        }
    }
    assert!(count >= 3, "{count} sessions");
}

#[test]
fn what_is_installed_is_removed() {
    let readme = read("README.md");
    let last = |line: &str| line.split(' ').next_back().expect("a word").to_owned();
    let installed: BTreeSet<String> = readme
        .lines()
        .filter(|line| line.starts_with("sudo install "))
        .map(last)
        .collect();
    let (_, rest) = readme.split_once("\nsudo rm -f ").expect("the removal");
    let command = rest.replace("\\\n", "");
    let removed = command.lines().next().expect("a line").split_whitespace();
    assert_eq!(
        removed.map(str::to_owned).collect::<BTreeSet<_>>(),
        installed
    );
    assert_eq!(installed.len(), 5);
}
