//! What is kept in two places on purpose is the same in both: the options and their
//! spelling, checks and metrics and what documents them, what can be built, the tables of
//! the README and of the helpers of the tests.

use std::collections::BTreeSet;
use std::path::Path;

use argh::FromArgs;
use ip_mptcp::args::Options;
use ip_mptcp::command::COMMANDS;
use ip_mptcp::grammar::{parse, Given};
use ip_mptcp::iproute2::OPTIONS;
use ip_mptcp::session::Does;
use ip_mptcp_tests::connection::{listen, Connection};
use ip_mptcp_tests::documents::{read, workspace};
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::Run;

type Names = BTreeSet<String>;

/// Fails if one of the two sides has a name that the other lacks.
fn same(left: &str, in_left: &Names, right: &str, in_right: &Names) {
    let only = |one: &Names, other: &Names| one.difference(other).cloned().collect::<Vec<_>>();
    let (missing_right, missing_left) = (only(in_left, in_right), only(in_right, in_left));
    assert!(
        missing_right.is_empty() && missing_left.is_empty(),
        "only in {left}: {missing_right:?}; only in {right}: {missing_left:?}"
    );
}

/// The long options in a text, with their dashes.
fn long_options(text: &str) -> Names {
    text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'))
        .filter(|word| word.len() > 3 && word.starts_with("--"))
        .map(str::to_owned)
        .collect()
}

/// An option that argh has and no row takes could never be given; one that a row takes
/// and argh lacks would fail with an odd message.
#[test]
fn argh_has_the_options_that_the_program_and_its_commands_take() {
    let help = match Options::from_args(&["ip-mptcp"], &["--help"]) {
        Ok(_) => panic!("--help is an option"),
        Err(exit) => exit.output,
    };
    let declared: Names = help
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| long_options(line.split("  ").next().expect("a piece")))
        // Of the parser's own: see where it is declared.
        .filter(|name| name != "--keyword")
        .collect();
    let mut taken = long_options(OPTIONS);
    for command in COMMANDS {
        taken.extend(long_options(command.words));
        for action in command.actions() {
            taken.extend(long_options(action.words));
        }
    }
    assert!(declared.len() > 20, "{declared:?}");
    taken.insert("--help".into());
    same("argh", &declared, "the spelling and the rows", &taken);
}

/// The names of findings: words with dashes between quotes, in the source of `doctor`.
fn checks() -> Names {
    let path = workspace().join("cli/src/command/doctor");
    let mut files = vec![path.with_extension("rs")];
    if let Ok(folder) = std::fs::read_dir(&path) {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    let mut found = Names::new();
    for file in files {
        let source = std::fs::read_to_string(file).unwrap_or_default();
        let source = source.split("#[cfg(test)]").next().expect("a piece");
        // One literal may hold several lines, and several texts with a NUL between.
        let source = source.replace("\\n", "\n").replace("\\0", "\n");
        for line in source.split('"').skip(1).step_by(2).flat_map(str::lines) {
            let name = line.trim_end_matches('\\').trim();
            let pieces: Vec<_> = name.split('-').collect();
            let is_word = |piece: &&str| {
                !piece.is_empty() && piece.bytes().all(|byte| byte.is_ascii_lowercase())
            };
            if pieces.len() > 1 && name != "ip-mptcp" && pieces.iter().all(is_word) {
                found.insert(name.to_owned());
            }
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The names of findings in a text: words with dashes in the given marks.
fn named(text: &str, begin: &str, end: &str) -> Names {
    text.split(begin)
        .skip(1)
        .filter_map(|rest| rest.split(end).next())
        .flat_map(|names| names.split([' ', ',']))
        .filter(|word| {
            word.contains('-')
                && !word.starts_with('-')
                && *word != "ip-mptcp"
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_check_of_doctor_is_in_the_man_page_and_in_troubleshooting() {
    let checks = checks();
    let page = read("cli/ip-mptcp.8");
    let start = page.find(".It Cm doctor").expect("doctor");
    let end = page[start..].find("\n.Sh ").expect("the next chapter");
    let explained = named(&page[start..start + end], "\n.It Cm ", "\n");
    same("doctor", &checks, "the man page", &explained);
    let troubles = read("cli/TROUBLESHOOTING.md");
    let last = |line: &str| line.rsplit('|').nth(1).unwrap_or("").to_owned();
    let rows = troubles.lines().filter(|line| line.starts_with('|'));
    let column: Vec<_> = rows.map(last).collect();
    let shown = named(&column.join("\n"), "`", "`");
    same("doctor", &checks, "cli/TROUBLESHOOTING.md", &shown);
}

#[test]
fn every_metric_of_prometheus_is_in_the_man_page() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let listener = listen("127.0.0.1:0");
    let _connection = Connection::open(&listener);
    Run::tool("endpoint add 127.0.0.2 dev lo subflow")
        .run()
        .success();
    let mut written = Names::new();
    for command in COMMANDS
        .iter()
        .filter(|one| one.words.contains("--prometheus"))
    {
        let run = Run::tool(command.name).words("--prometheus").run();
        let metrics = run.success().stdout();
        let types = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "));
        written.extend(types.filter_map(|rest| Some(rest.split(' ').next()?.to_owned())));
    }
    let page = read("cli/ip-mptcp.8");
    let named: Names = page
        .lines()
        .filter_map(|line| line.strip_prefix(".Va "))
        .flat_map(|line| line.split([' ', ',']))
        .filter(|word| word.starts_with("mptcp_") && *word != "mptcp_info")
        .map(str::to_owned)
        .collect();
    assert!(written.len() > 5, "{written:?}");
    same("what is written", &written, "the man page", &named);
}

/// MIT and BSD want their notices in every copy; without the README the page of the crate
/// is empty.
#[test]
fn crates_bring_licences_and_documentation() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    for (package, more) in [
        ("mptcp-codec", &[][..]),
        (
            "ip-mptcp",
            &["ip-mptcp.8", "packaging/licenses/argh.BSD-3-Clause"],
        ),
    ] {
        let list = Run::program(Path::new(&cargo))
            .words("package --list --allow-dirty --offline -p")
            .arg(package)
            .run();
        assert_eq!(list.code(), 0, "{}", list.report());
        let list = list.stdout();
        let files: Vec<_> = list.lines().collect();
        for file in ["LICENSE-MIT", "LICENSE-APACHE", "README.md"]
            .iter()
            .chain(more)
        {
            assert!(files.contains(file), "{package} has no {file}: {list}");
        }
    }
}

#[test]
fn the_readme_has_the_targets_of_the_static_build() {
    let script = read("cli/static.sh");
    let table = script.split("TARGETS='").nth(1).expect("a table");
    let table = table.split('\'').next().expect("a piece");
    let targets: Names = table
        .lines()
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert!(targets.len() > 5, "{targets:?}");
    let readme = read("README.md");
    let (_, rest) = readme
        .split_once("with the standard library rebuilt, for routers too:")
        .expect("the list of targets");
    let list = rest.split('.').next().expect("a sentence");
    let listed: Names = list
        .split(|c: char| c.is_whitespace() || ",#".contains(c))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    same("static.sh", &targets, "the README", &listed);
}

/// What stands between backquotes in the first column of the table under this head.
fn first_column(text: &str, head: &str) -> Names {
    let (_, table) = text.split_once(head).expect("the table");
    // The rest of the head, and the line below it.
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        let cell = row.split('|').nth(1).expect("a cell");
        cell.split('`').skip(1).step_by(2)
    })
    .map(str::to_owned)
    .collect()
}

#[test]
fn the_readme_has_a_row_for_every_command() {
    let all: Names = COMMANDS.iter().map(|command| command.name.into()).collect();
    let rows = first_column(&read("README.md"), "| command | what for |");
    // Actions follow the name of their command.
    let is_action = |word: &str| {
        let mut all = COMMANDS.iter().flat_map(|command| command.actions());
        all.any(|action| action.name == word)
    };
    let listed: Names = rows
        .iter()
        .map(|words| words.split(' ').next().expect("a word").to_owned())
        .filter(|word| all.contains(word) || !is_action(word))
        .collect();
    same("the program", &all, "the README", &listed);
}

#[test]
fn the_readme_has_the_sets_of_features_that_static_sh_knows() {
    let script = read("cli/static.sh");
    let (_, cases) = script.split_once("features_of() {").expect("the function");
    let sets: Names = cases
        .lines()
        .skip(2)
        .map_while(|line| line.trim().split_once(')'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "*")
        .collect();
    assert!(sets.len() >= 3, "{sets:?}");
    let listed = first_column(&read("README.md"), "| `--features` |");
    same("static.sh", &sets, "the README", &listed);
}

#[test]
fn the_helpers_of_the_tests_are_in_their_table() {
    let source = read("tests/src/lib.rs");
    let modules: Names = source
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    let table = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "));
    let listed: Names = table
        .flat_map(|row| row.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert!(modules.len() > 10, "{modules:?}");
    same("the crate", &modules, "its table", &listed);
}

/// A keyword that the reader knows and no usage names could never be given; the other way
/// round does not compile.
#[test]
fn every_keyword_is_taken_by_an_action() {
    let groups = COMMANDS.iter().filter_map(|command| match &command.does {
        Does::Group(group) => Some((command.name, *group)),
        _ => None,
    });
    let mut count = 0;
    for (name, group) in groups {
        for keyword in group.keywords {
            // Of lines of a state file.
            if keyword.name == "uplink" {
                continue;
            }
            count += 1;
            let mut actions = group.actions.iter();
            assert!(
                actions.any(|action| keyword.is_in(action.words)),
                "no action of {name} takes {}",
                keyword.name
            );
        }
    }
    assert!(count > 30, "{count}");
}

/// What is missing is named by hand in `grammar/takes.rs`, by the words of usage.
#[test]
fn missing_words_are_named_as_in_usage() {
    let mut count = 0;
    for command in COMMANDS {
        let Does::Group(group) = &command.does else {
            continue;
        };
        for action in group.actions {
            let Does::Words(takes, _) = &action.does else {
                continue;
            };
            let usage: Vec<&str> = action.words.split(' ').collect();
            let mut words: Vec<&str> = Vec::new();
            loop {
                let mut given = Given::default();
                let read = parse(&words, group.keywords, *takes, &mut given, &mut |_| Ok(1));
                let Err(error) = read else { break };
                let message = String::from_utf8_lossy(error.message()).into_owned();
                let missing = message.split('"').nth(1).expect("a word in quotes");
                let name = format!("{} {}: {message}", command.name, action.name);
                assert!(
                    message.ends_with(" is required") && words.len() < 9,
                    "{name}"
                );
                for word in missing.split(' ') {
                    let known = usage.iter().find(|known| **known == word);
                    let known = known.unwrap_or_else(|| panic!("{name}"));
                    words.push(if word == "ADDRESS" { "10.0.0.1" } else { known });
                }
                if matches!(missing, "token" | "id") {
                    words.push("7");
                }
                count += 1;
            }
        }
    }
    assert!(count > 8, "{count}");
}

/// A field that has a row and is never written is one that was forgotten where it belongs.
#[test]
fn every_field_with_a_row_is_written() {
    let rows = read("cli/src/output/item.rs");
    let rows = rows.split("items! {").nth(1).expect("the table");
    let names: Vec<_> = rows
        .lines()
        .map_while(|line| (line != "}").then_some(line.trim()))
        .filter_map(|line| line.split_once(" \""))
        .map(|(name, _)| name)
        .collect();
    assert!(names.len() > 30, "{names:?}");
    let written: String = ["connection", "status", "doctor/finding"]
        .map(|file| read(&format!("cli/src/command/{file}.rs")))
        .concat();
    for name in names {
        let is_used = written.split("Item::").skip(1).any(|rest| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                == Some(name)
        });
        assert!(is_used, "{name} is a row and is written nowhere");
    }
}
