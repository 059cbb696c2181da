//! The descriptions in the completions of zsh and fish are those of the help.
//!
//! They are kept in the tree, so that packagers need no Rust for them;
//! `IP_MPTCP_WRITE=1` writes them anew.

use std::collections::BTreeMap;

use ip_mptcp::command::COMMANDS;
use ip_mptcp_tests::documents::{read, workspace};
use ip_mptcp_tests::program::Run;

/// What words mean: `COMMAND/WORD`, with no command for commands and general options.
type Descriptions = BTreeMap<String, String>;

/// The entries of a list in a help text: names, and what is said of them in the lines
/// from there to the next entry.
fn entries(help: &str, heading: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let lines = help.lines().skip_while(|line| *line != heading).skip(1);
    for line in lines.take_while(|line| line.starts_with("  ")) {
        let text = line.trim_start();
        let is_entry = !line.starts_with("    ");
        match (is_entry, found.last_mut()) {
            (true, _) => {
                let (names, about) = text.split_once("  ").unwrap_or((text, ""));
                found.push((names.to_owned(), about.trim_start().to_owned()));
            }
            (false, Some((_, about))) => {
                if !about.is_empty() {
                    about.push(' ');
                }
                about.push_str(text);
            }
            (false, None) => panic!("a list begins with an entry: {line}"),
        }
    }
    found
}

fn help(words: &str) -> String {
    Run::tool(words).words("--help").run().success().stdout()
}

fn descriptions() -> Descriptions {
    let mut all = Descriptions::new();
    let mut add = |command: &str, word: &str, about: &str| {
        let about = about.trim_end_matches('.').to_owned();
        all.insert(format!("{command}/{word}"), about);
    };
    for (names, about) in entries(&help(""), "Options:") {
        for name in names.split(", ") {
            add("", name, &about);
        }
    }
    for command in COMMANDS {
        add("", command.name, command.about);
        for action in command.actions() {
            add(command.name, action.name, action.about);
        }
        let help = help(command.name);
        for (name, about) in entries(&help, "Options:") {
            add(command.name, &name, &about);
        }
        for (names, about) in entries(&help, "Words:") {
            // The word, and what its value is called.
            let word = names.split(' ').next().expect("a word");
            if !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
                add(command.name, word, &about);
            }
        }
    }
    all
}

/// The text between the marks is `wanted`, or becomes it.
fn check(file: &str, wanted: &str) {
    let path = format!("cli/completions/{file}");
    let text = read(&path);
    let begin = text.find("# descriptions\n").expect("a mark") + "# descriptions\n".len();
    let end = text.find("# end of descriptions").expect("a mark");
    let end = text[..end].rfind('\n').expect("a line") + 1;
    if std::env::var_os("IP_MPTCP_WRITE").is_some() {
        let new = [&text[..begin], wanted, &text[end..]].concat();
        std::fs::write(workspace().join(path), new).expect("written");
        return;
    }
    assert!(
        &text[begin..end] == wanted,
        "{path} is not what help says: \
         IP_MPTCP_WRITE=1 cargo test -p ip-mptcp-tests --test completions writes it"
    );
}

#[test]
fn descriptions_are_those_of_help() {
    let all = descriptions();
    assert!(all.len() > 60, "{all:?}");
    assert!(all["endpoint/signal"].contains("announce"), "{all:?}");
    let mut zsh = String::new();
    let mut fish = String::new();
    for (key, about) in &all {
        let quoted = about.replace('\'', "'\\''");
        zsh += &format!("    '{key}' '{quoted}'\n");
        let quoted = about.replace('\\', "\\\\").replace('\'', "\\'");
        fish += &format!("        case '{key}'\n            echo '{quoted}'\n");
    }
    check("_ip-mptcp", &zsh);
    check("ip-mptcp.fish", &fish);
}
