//! The words that completions offer are those of the program's tables, and the descriptions in
//! zsh and fish are those of the help.
//!
//! Both are kept in the tree, so that packagers need no Rust for them; `IP_MPTCP_WRITE=1`
//! writes them anew.

use std::collections::BTreeMap;

use ip_mptcp::command::COMMANDS;
use ip_mptcp::grammar::keyword;
use ip_mptcp::session::Command;
use ip_mptcp_tests::documents::{read, workspace};
use ip_mptcp_tests::program::Run;
use mptcp_codec::mptcp::EventKind;

/// What words mean: `COMMAND/WORD`, with no command for commands and general options.
type Descriptions = BTreeMap<String, String>;

/// The entries of a list in a help text: names, and their explanations in the lines
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

/// Spellings with one dash that only the man page has, and the option that each is.
fn short() -> Vec<(String, String)> {
    let page = read("cli/ip-mptcp.8");
    let spellings = page.lines().filter_map(|line| {
        let (short, long) = line.strip_prefix(".It Fl ")?.split_once(" , Fl -")?;
        let long = long.split(' ').next()?;
        (short.len() > 1).then(|| (format!("-{short}"), format!("--{long}")))
    });
    spellings.collect()
}

/// What help does not explain in a list.
const MORE: [(&str, &str); 7] = [
    ("/help", "display usage information"),
    ("/always", "colours in any case"),
    ("/auto", "colours on a terminal"),
    ("/never", "no colours"),
    ("paths/path", "a row for each interface and local address"),
    ("paths/connection", "a row for each path of each connection"),
    ("paths/subflow", "a row for each subflow"),
];

fn descriptions() -> Descriptions {
    let mut all = Descriptions::new();
    let mut add = |command: &str, word: &str, about: &str| {
        let about = about.trim_end_matches('.').to_owned();
        all.insert(format!("{command}/{word}"), about);
    };
    for (names, about) in entries(&help(""), "Options:") {
        for name in names.split(", ") {
            add("", name, &about);
            for (short, _) in short().iter().filter(|(_, long)| long == name) {
                add("", short, &about);
            }
        }
    }
    for command in COMMANDS {
        add("", command.name, command.about());
        for action in command.actions() {
            add(command.name, action.name, action.about());
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
    all.extend(MORE.map(|(key, about)| (key.to_owned(), about.to_owned())));
    all
}

/// The text between the marks is `wanted`, or becomes it.
fn check(file: &str, mark: &str, wanted: &str) {
    let path = format!("cli/completions/{file}");
    let text = read(&path);
    let marked = format!("# {mark}\n");
    let begin = text.find(&marked).expect("a mark") + marked.len();
    let end = text.find(&format!("# end of {mark}")).expect("a mark");
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
    check("_ip-mptcp", "descriptions", &zsh);
    check("ip-mptcp.fish", "descriptions", &fish);
}

/// The words of each place: of the program, its options, a command, an action, an option's
/// values.
fn words() -> Vec<(String, Vec<String>)> {
    let named = |commands: &[Command]| -> Vec<String> {
        let present = commands.iter().filter(|command| command.is_present());
        present.map(|command| command.name.to_owned()).collect()
    };
    let options = |level: &str| -> Vec<String> {
        let mut names: Vec<String> = entries(&help(level), "Options:")
            .iter()
            .flat_map(|(names, _)| names.split(", ").map(str::to_owned).collect::<Vec<_>>())
            .collect();
        // The long ones first.
        names.sort_by_key(|name| !name.starts_with("--"));
        names
    };
    let keywords = |command: &Command| {
        let mut found: Vec<String> = Vec::new();
        keyword::each(command.words, &mut |no, word| {
            let word = format!("{no}{word}");
            if !found.contains(&word) {
                found.push(word);
            }
        });
        found
    };
    let mut commands = named(COMMANDS);
    commands.push("help".to_owned());
    let groups = COMMANDS
        .iter()
        .filter(|command| !command.actions().is_empty());
    let mut table = vec![
        ("commands".to_owned(), commands),
        (
            "groups".to_owned(),
            groups.map(|group| group.name.to_owned()).collect(),
        ),
        ("options".to_owned(), {
            let mut all = options("");
            all.extend(short().into_iter().map(|(short, _)| short));
            all
        }),
    ];
    for command in COMMANDS {
        let mut words = named(command.actions());
        for action in command.actions() {
            table.push((
                format!("{}/{}", command.name, action.name),
                keywords(action),
            ));
        }
        if words.is_empty() {
            words = keywords(command);
            words.extend(options(command.name));
        }
        table.push((command.name.to_owned(), words));
    }
    let events = (0..=255).filter_map(|number| EventKind::from_number(number).name());
    table.push(("--event".to_owned(), events.map(str::to_owned).collect()));
    table
}

/// Words in lines that are not too long.
fn folded(words: &[String], indent: &str, joint: &str) -> String {
    let mut text = String::new();
    let mut column = 30;
    for (at, word) in words.iter().enumerate() {
        if at > 0 && column + word.len() > 90 {
            text += &format!("{joint}\n{indent}");
            column = indent.len();
        } else if at > 0 {
            text += " ";
        }
        text += word;
        column += word.len() + 1;
    }
    text
}

#[test]
fn words_are_those_of_the_program() {
    let mut bash = String::from("_ip_mptcp_words() {\n    case $1 in\n");
    let mut zsh = bash.clone();
    let mut fish = String::from("function __ip_mptcp_words\n    switch $argv[1]\n");
    for (key, words) in words() {
        if words.is_empty() {
            continue;
        }
        bash += &format!(
            "    {key}) echo \"{}\" ;;\n",
            folded(&words, "        ", "")
        );
        zsh += &format!("    {key}) list=({}) ;;\n", folded(&words, "        ", ""));
        let words = folded(&words, "                ", " \\");
        fish += &format!("        case {key}\n            printf '%s\\n' {words}\n");
    }
    bash += "    esac\n}\n";
    zsh += "    *) list=() ;;\n    esac\n}\n";
    fish += "    end\nend\n";
    check("ip-mptcp.bash", "words", &bash);
    check("_ip-mptcp", "words", &zsh);
    check("ip-mptcp.fish", "words", &fish);
}
