//! The smallest build, without any feature: what iproute2 has is there, what is not says so.

use std::path::PathBuf;
use std::sync::OnceLock;

use ip_mptcp::command::COMMANDS;
use ip_mptcp_tests::documents::read;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{lacks_features, with_features, Run};

fn mini(line: &str) -> Run {
    static MINI: OnceLock<PathBuf> = OnceLock::new();
    Run::program(MINI.get_or_init(|| with_features(""))).words(line)
}

/// What is always there.
const ALWAYS: [&str; 3] = ["endpoint", "limits", "monitor"];

fn features() -> Vec<String> {
    let manifest = read("cli/Cargo.toml");
    let part = manifest.split("\n[features]\n").nth(1).expect("features");
    let part = part.split("\n[").next().expect("a piece");
    part.lines()
        .filter_map(|line| line.split_once(" = [").map(|(name, _)| name.to_owned()))
        .collect()
}

#[test]
fn commands_of_iproute2_are_in_every_build() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for line in [
        "endpoint add 10.0.0.1 id 3 signal",
        "endpoint add 10.0.0.2 subflow backup",
        "endpoint change id 3 backup",
        "endpoint delete 10.0.0.2",
        "limits set subflows 3 add_addr_accepted 2",
    ] {
        mini(line).run().success();
    }
    assert_eq!(kernel::endpoints().len(), 1);
    let shown = mini("endpoint show").run().success().stdout();
    assert_eq!(shown, "10.0.0.1 id 3 signal backup \n");
    let shown = mini("-j limits show").run().success().stdout();
    assert_eq!(shown, "[{\"add_addr_accepted\":2,\"subflows\":3}]\n");
    let timed = mini("monitor --timeout 0.01").run();
    assert_eq!(timed.code(), 124, "{}", timed.report());
    mini("endpoint flush").run().success();
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn a_command_that_is_not_built_in_says_so_by_name_and_names_the_feature() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    mini("endpoint add 10.0.0.1 id 1").run().success();
    let absent = COMMANDS.iter().map(|command| command.name);
    let absent = absent.filter(|name| !ALWAYS.contains(name));
    let mut lines: Vec<(String, &str)> = absent.map(|name| (name.to_owned(), name)).collect();
    assert!(lines.len() > 6);
    lines.push(("endpoint replace 10.0.0.1".to_owned(), "replace"));
    lines.push(("endpoint change id 1 signal".to_owned(), "endpoint change"));
    lines.push((
        "-n /proc/self/ns/net -n /proc/self/ns/net monitor".to_owned(),
        "monitor of several namespaces",
    ));
    for (line, name) in lines {
        let error = mini(&line).run().failure(255).stderr();
        let begin = format!("Error: this ip-mptcp was built without \"{name}\" (feature ");
        let named = error
            .strip_prefix(&begin)
            .unwrap_or_else(|| panic!("{line}: {error}"));
        let named = named.trim_end_matches(")\n").split(" or ");
        for feature in named {
            let known = features().iter().any(|known| known == feature);
            assert!(known, "{line}: {feature} is no feature");
        }
    }
    assert_eq!(kernel::endpoints().len(), 1, "nothing was changed");
}

#[test]
fn help_does_not_list_what_is_not_built_in() {
    let usage = mini("help").run().stderr();
    let top = mini("--help").run().success().stdout();
    let has = |text: &str, word: &str| text.split_whitespace().any(|found| found == word);
    for command in COMMANDS {
        let is_there = ALWAYS.contains(&command.name);
        let row = format!("  {} ", command.name);
        let listed = top.lines().any(|line| line.starts_with(&row));
        assert_eq!(listed, is_there, "{}: {top}", command.name);
        let line = format!("] {} ", command.name);
        assert_eq!(usage.contains(&line), is_there, "{}: {usage}", command.name);
    }
    for word in ["-s", "-h", "-iec"] {
        let output = mini(word).words("limits show").run().success().stdout();
        assert!(output.contains("subflows"), "{word} is accepted: {output}");
    }
    for word in ["--stats", "--human-readable", "--iec", "several"] {
        assert!(!has(&top, word), "{word}: {top}");
    }
    let endpoint = mini("endpoint --help").run().success().stdout();
    for word in ["replace", "token"] {
        assert!(!has(&endpoint, word), "{word}: {endpoint}");
    }
    let monitor = mini("monitor --help").run().success().stdout();
    for word in ["--snapshot", "--dev", "--all-netns", "--buffer"] {
        assert!(!has(&monitor, word), "{word}: {monitor}");
        mini(&format!("monitor {word}")).run().failure(255);
    }
}

/// Not another command than in the build that has all.
#[test]
fn abbreviations_mean_the_same_in_every_build() {
    for command in COMMANDS {
        for end in 1..command.name.len() {
            let short = &command.name[..end];
            let meant = COMMANDS.iter().find(|one| one.name.starts_with(short));
            let meant = meant.expect("at least itself").name;
            let output = mini(short).words("--help").run();
            let names = if ALWAYS.contains(&meant) {
                output.success().stdout().contains(&format!("] {meant} "))
            } else {
                let named = format!("without \"{meant}\"");
                output.failure(255).stderr().contains(&named)
            };
            assert!(names, "{short} is {meant}");
        }
    }
}

#[test]
fn the_program_under_test_has_all_features_unless_it_was_asked_for_less() {
    if std::env::var_os("IP_MPTCP_BIN").is_none() {
        assert!(!lacks_features());
    }
}
