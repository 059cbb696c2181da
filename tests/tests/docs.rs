//! Help, man page and completions keep up with the program: what it takes is in all of
//! them, and what they show works.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ip_mptcp::command::COMMANDS;
use ip_mptcp::grammar::keyword;
use ip_mptcp::session::Command;
use ip_mptcp_tests::connection::Connection;
use ip_mptcp_tests::documents::{installed, quoted, read, workspace, Folder};
use ip_mptcp_tests::namespace::{veth, Namespace};
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::program::{binary, Call, Output, Run};
use ip_mptcp_tests::wait::{skip, until};
use mptcp_codec::mptcp::EventKind;

/// Every option in the help that `words` ask for.
fn options(words: &str) -> BTreeSet<String> {
    let help = Run::tool(words).words("--help").run().success().stdout();
    let listed = help
        .lines()
        .skip_while(|line| *line != "Options:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    listed
        .filter_map(|line| line.strip_prefix("  -"))
        .flat_map(|line| {
            let names = line.split("  ").next().expect("the first piece");
            format!("-{names}")
                .split(", ")
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Every keyword of an action.
fn keywords(action: &Command) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keyword::each(action.words, &mut |no, word| {
        found.insert(format!("{no}{word}"));
    });
    found
}

/// The commands that are groups of actions, and those that are not.
fn groups() -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .filter(|command| !command.actions().is_empty())
}

fn single() -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .filter(|command| command.actions().is_empty())
}

fn events() -> impl Iterator<Item = &'static str> {
    (0..=255).filter_map(|command| EventKind::from_number(command).name())
}

/// The part of the man page about one command: from its item, with the items of its
/// options, to the next.
fn section<'m>(page: &'m str, words: &str) -> &'m str {
    let item = page
        .match_indices(words)
        .map(|(at, _)| at)
        .find(|at| {
            let line = page[..*at].rfind('\n').map_or(0, |end| end + 1);
            [".It ", ".It Xo "].contains(&&page[line..*at])
        })
        .unwrap_or_else(|| panic!("the man page has no item \"{words}\""));
    let rest = &page[item..];
    let end = ["\n.It Cm", "\n.It Xo", "\n.Sh"]
        .iter()
        .filter_map(|next| rest.find(next))
        .min();
    &rest[..end.unwrap_or(rest.len())]
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| c.is_whitespace() || ",()".contains(c))
        .any(|found| found == word)
}

#[test]
fn man_page_has_every_command_action_option_keyword_and_event() {
    let page = read("cli/ip-mptcp.8");
    let mut missing = Vec::new();
    let mut wanted = |place: &str, text: &str, word: &str| {
        if !has_word(text, word) {
            missing.push(format!("{place}: {word}"));
        }
    };
    let roff = |option: &str| option.strip_prefix('-').expect("an option").to_owned();
    let general = page
        .split(".Sh ")
        .find(|part| part.starts_with("OPTIONS\n"));
    for option in options("") {
        wanted("options", general.unwrap_or(""), &roff(&option));
    }
    for group in groups() {
        for action in group.actions() {
            let name = format!("{} {}", group.name, action.name);
            let about = section(&page, &format!("Cm {name}"));
            assert!(about.lines().count() > 1, "{name} is not explained");
            // Selectors are explained once, flags with `add`.
            let chapter = page.split(".Sh ").find(|part| part.contains(about));
            for keyword in keywords(action) {
                let word = keyword.trim_start_matches('-');
                wanted(&name, chapter.unwrap_or(""), word);
            }
        }
    }
    for command in single() {
        let about = section(&page, &format!("Cm {}", command.name));
        for option in options(command.name) {
            if option != "--help" {
                wanted(command.name, about, &roff(&option));
            }
        }
    }
    for event in events() {
        wanted("monitor", &page, event);
    }
    assert!(missing.is_empty(), "not in the man page: {missing:#?}");
}

#[test]
fn man_page_has_no_warnings() {
    let page = workspace().join("cli/ip-mptcp.8");
    let Some(mandoc) = installed("mandoc") else {
        return;
    };
    let lint = Run::program(&mandoc).words("-Tlint -Wwarning").arg(&page);
    let lint = lint.run();
    assert!(
        lint.code() == 0 && lint.stdout.is_empty(),
        "{}",
        lint.report()
    );
    let Some(man) = installed("man") else { return };
    let shown = Run::program(&man)
        .words("--warnings -l -E UTF-8 -Tutf8 -P cat")
        .arg(&page)
        .run();
    let shown = shown.success().stdout();
    assert!(shown.contains("ip-mptcp limits set"), "{shown}");
}

/// The indented lines below a heading of a help text.
fn listed<'h>(help: &'h str, heading: &str) -> Vec<&'h str> {
    help.lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .collect()
}

#[test]
fn help_has_usage_a_line_for_each_word_and_an_example_at_every_level() {
    let help = |words: &str| {
        let output = Run::tool(words).words("--help").run().success();
        let help = output.stdout();
        let usage = format!("Usage: ip-mptcp [ OPTIONS ] {words}");
        let example = [listed(&help, "Example:"), listed(&help, "Examples:")].concat();
        assert!(help.starts_with(usage.trim_end()), "{words}: {help}");
        assert!(
            example.iter().any(|line| line.contains("ip-mptcp ")),
            "{words} has no example: {help}"
        );
        help
    };
    let top = help("");
    for group in groups() {
        let about: String = top.split_whitespace().collect();
        let line = format!("{}{}", group.name, group.about()).replace(' ', "");
        assert!(about.contains(&line), "{line}: {top}");
        let about = help(group.name);
        for action in group.actions() {
            let line = format!("{} {}", action.name, action.words);
            let words: Vec<_> = about.split_whitespace().collect();
            assert!(words.join(" ").contains(line.trim_end()), "{line}: {about}");
            let text = help(&format!("{} {}", group.name, action.name));
            let explained = listed(&text, "Words");
            for keyword in keywords(action) {
                let bare = keyword
                    .strip_prefix("no")
                    .filter(|_| !explained.iter().any(|line| line.starts_with(&keyword)));
                let keyword = bare.unwrap_or(&keyword);
                assert!(
                    explained.iter().any(|line| {
                        let names = line.split("  ").next().expect("the first piece");
                        has_word(names, keyword) && line.len() > names.len()
                    }),
                    "{keyword} is not explained: {text}"
                );
            }
        }
    }
    for command in single() {
        assert!(!listed(&help(command.name), "Options:").is_empty());
    }
}

/// A command line that ends at the cursor, and what must be offered for its last word.
struct Query {
    words: Vec<String>,
    wanted: BTreeSet<String>,
}

fn query(line: &str, wanted: impl IntoIterator<Item = impl Into<String>>) -> Query {
    // Split at each blank: a blank at the end begins an empty word.
    Query {
        words: line.split(' ').map(str::to_owned).collect(),
        wanted: wanted.into_iter().map(Into::into).collect(),
    }
}

/// All that is fixed.
fn fixed() -> Vec<Query> {
    let names = groups().map(|group| group.name);
    let commands = single().map(|command| command.name);
    let mut queries = vec![
        query("ip-mptcp ", names.chain(commands)),
        query("ip-mptcp -", options("")),
        query("ip-mptcp monitor --event ", events()),
    ];
    for group in groups() {
        let actions = group.actions().iter().map(|action| action.name);
        queries.push(query(&format!("ip-mptcp {} ", group.name), actions));
        for action in group.actions() {
            let line = format!("ip-mptcp {} {} ", group.name, action.name);
            queries.push(query(&line, keywords(action)));
        }
    }
    for command in single() {
        let line = format!("ip-mptcp {} -", command.name);
        queries.push(query(&line, options(command.name)));
    }
    queries
}

/// A shell: its name, its completion, and a function that asks it: it prints one line, the
/// candidates with blanks between them.
const SHELLS: [(&str, &str, &str); 3] = [
    (
        "bash",
        "ip-mptcp.bash",
        "ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($#-1)); _ip_mptcp; echo \" ${COMPREPLY[*]} \"; }",
    ),
    (
        "zsh",
        "_ip-mptcp",
        "ask() { words=(\"$@\"); CURRENT=$#; _ip_mptcp_candidates; print -r -- \" $reply \"; }",
    ),
    (
        "fish",
        "ip-mptcp.fish",
        "function ask; echo '' (complete -C \"$argv\" | string replace -r '\\t.*' '') ''; end",
    ),
];

/// Asks every shell that is installed, and wants the answers to be complete.
fn ask(folder: &Folder, queries: &[Query]) {
    each_answer(folder, queries, |name, query, answer| {
        let missing: Vec<_> = query.wanted.difference(answer).collect();
        assert!(
            missing.is_empty(),
            "{name} does not offer {missing:?} for {:?}, but {answer:?}",
            query.words
        );
    });
}

/// Asks every shell that is installed: `each` gets its name, the query, and the answer.
fn each_answer(folder: &Folder, queries: &[Query], each: impl Fn(&str, &Query, &BTreeSet<String>)) {
    for (name, file, definition) in SHELLS {
        let Some(shell) = installed(name) else {
            continue;
        };
        let file = workspace().join("cli/completions").join(file);
        let mut script = format!("source {}\n{definition}\n", quoted(&file));
        for query in queries {
            script.push_str("ask");
            for word in &query.words {
                script.push_str(&format!(" '{word}'"));
            }
            script.push('\n');
        }
        let mut run = Run::program(&shell).env("PATH", &folder.search_path());
        if name == "zsh" {
            run = run.arg("-f");
        }
        // Fish wants to keep things in the home directory.
        let run = run.env("HOME", &folder.path.display().to_string());
        let output = run.arg("-c").arg(&script).run();
        let answers = answers(name, &output);
        assert!(answers.len() == queries.len(), "{}", output.report());
        for (query, answer) in queries.iter().zip(&answers) {
            each(name, query, answer);
        }
    }
}

fn answers(name: &str, output: &Output) -> Vec<BTreeSet<String>> {
    assert!(
        output.code() == 0 && output.stderr.is_empty(),
        "{name}: {}",
        output.report()
    );
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    output.stdout().lines().map(words).collect()
}

#[test]
fn completions_offer_every_command_action_option_keyword_and_event() {
    if Namespace::fresh().is_none() {
        return;
    }
    ask(&Folder::new("fixed"), &fixed());
}

#[test]
fn completions_offer_live_interfaces_ids_addresses_and_tokens() {
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    for line in [
        "endpoint add 10.0.1.2 id 7 subflow",
        "endpoint add 2001:db8:2::2 id 99 signal",
    ] {
        Run::tool(line).run().success();
    }
    let listener = paths.listen("0.0.0.0:0");
    let connection: Connection = paths.connect(&listener);
    let token = format!("{:08x}", connection.tokens().0);
    let interfaces = ["c1", "c2", "lo"];
    let addresses = ["10.0.1.2", "2001:db8:2::2"];
    let queries = [
        query("ip-mptcp endpoint add 10.0.2.2 dev ", interfaces),
        query("ip-mptcp -j mptcp endp sh dev c", ["c1", "c2"]),
        query("ip-mptcp connection show local ", ["10.0.1.2"]),
        query("ip-mptcp connection show remote ", ["10.0.1.1"]),
        query("ip-mptcp monitor --dev ", interfaces),
        query("ip-mptcp endpoint delete id ", ["7", "99"]),
        query("ip-mptcp endpoint change ", addresses),
        query("ip-mptcp subflow create from ", addresses),
        query("ip-mptcp connection show token ", [token.as_str()]),
        query("ip-mptcp subflow delete token ", [token.as_str()]),
        query("ip-mptcp monitor --token ", [token.as_str()]),
    ];
    ask(&Folder::new("live"), &queries);
    // Of iproute2: it knows the addresses of this host that are no endpoints yet.
    if installed("ip").is_some() {
        let new = ["10.0.2.2", "2001:db8:1::2"];
        let queries = [
            query("ip-mptcp endpoint add ", new),
            query(
                "ip-mptcp endpoint replace ",
                new.into_iter().chain(addresses),
            ),
        ];
        ask(&Folder::new("addresses"), &queries);
    }

    // Once is enough.
    let folder = Folder::new("once");
    let never = [
        ("ip-mptcp endpoint show -4 ", "-6"),
        ("ip-mptcp endpoint change 10.0.1.2 ", "2001:db8:2::2"),
        (
            "ip-mptcp apply --keep /etc/hosts /etc/host",
            "/etc/hostname",
        ),
    ];
    let queries = never.map(|(line, _)| query(line, [""; 0]));
    each_answer(&folder, &queries, |shell, query, answer| {
        let (line, word) = never
            .iter()
            .find(|(line, _)| query.words == line.split(' ').collect::<Vec<_>>())
            .expect("a query");
        assert!(!answer.contains(*word), "{shell} offers {word}: {line}");
    });

    let server = paths.server.name("docs-server");
    let queries = [
        query("ip-mptcp -n ", ["docs-server"]),
        query(
            "ip-mptcp -n docs-server connection show token ",
            [format!("{:08x}", connection.tokens().1)],
        ),
    ];
    ask(&Folder::new("netns"), &queries);
    // Of iproute2 too.
    if installed("ip").is_some() {
        let line = "ip-mptcp -n docs-server endpoint add 10.9.9.9 dev ";
        let queries = [query(line, ["s1", "s2"])];
        each_answer(&Folder::new("interfaces"), &queries, |shell, _, answer| {
            assert!(
                answer.contains("s1") && answer.contains("s2") && !answer.contains("c1"),
                "{shell}: {answer:?}"
            );
        });
    }
    drop(server);
}

/// Of cargo, for the tour: built, so that only its own time counts.
fn tour(command: &str) -> Run {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let cargo = |command: &str| {
        Run::program(Path::new(&cargo))
            .words(command)
            .words("-q -p ip-mptcp-tests --example tour")
    };
    // What compilers warn about differs.
    let build = cargo("build").limit(Duration::from_secs(300)).run();
    assert_eq!(build.code(), 0, "{}", build.report());
    cargo(command).env("IP_MPTCP_BIN", &binary().display().to_string())
}

#[test]
fn the_tour_shows_bytes_on_two_paths_and_loses_none() {
    if Namespace::fresh().is_none() {
        return;
    }
    let output = tour("run").run();
    assert_eq!(output.code(), 0, "{}", output.report());
    let tour = output.stdout();
    let tree = tour.matches("% rtt ").count();
    assert_eq!(tree, 4, "two subflows, looked at twice:\n{tour}");
    assert!(
        !tour.contains("share 0%"),
        "a path carried nothing:\n{tour}"
    );
    assert!(tour.contains("every byte"), "bytes were lost:\n{tour}");
}

#[test]
fn the_tour_says_what_to_do_where_namespaces_are_forbidden() {
    let Some(unshare) = installed("unshare") else {
        return;
    };
    let shell = Run::program(&unshare).words("-Ur /bin/sh -c");
    let limit = "echo 0 >/proc/sys/user/max_net_namespaces";
    let possible = shell.arg(limit).run();
    if possible.code() != 0 {
        skip(&format!("no user namespaces: {}", possible.stderr()));
        return;
    }
    let build = tour("build").run();
    assert_eq!(build.code(), 0, "{}", build.report());
    // Examples lie beside what tests are built beside of.
    let test = std::env::current_exe().expect("the test's own path");
    let folder = test.ancestors().nth(2).expect("the profile's folder");
    let script = format!("{limit}; exec {}", quoted(&folder.join("examples/tour")));
    let output = Run::program(&unshare)
        .words("-Ur /bin/sh -c")
        .arg(script)
        .env("IP_MPTCP_BIN", &binary().display().to_string())
        .run();
    let printed = output.stderr();
    assert!(
        output.code() == 1
            && printed.contains("The tour cannot run")
            && printed.contains("as root"),
        "{}",
        output.report()
    );
}

#[test]
fn the_state_file_of_the_man_page_can_be_applied() {
    if Namespace::fresh().is_none() {
        return;
    }
    veth("wan", "lte", None);
    let page = read("cli/ip-mptcp.8");
    let start = page.find("sysctl scheduler default\n").expect("a file");
    let file = page[start..].split(".Ed\n").next().expect("a piece");
    assert!(file.contains("\nendpoint add dev"), "{file}");
    // Some of its interfaces are not here, which it says.
    let output = Run::tool("apply -").stdin(file).run();
    assert_eq!(output.code(), 0, "{}", output.report());
}

/// The commands of the examples, in their order: of the man page, and of help at every
/// level.
fn examples() -> Vec<String> {
    let page = read("cli/ip-mptcp.8").replace(" \\e\n", " ");
    let chapter = page.split(".Sh EXAMPLES").nth(1).expect("examples");
    let mut text = chapter.split(".Sh ").next().expect("a piece").to_owned();
    let mut levels = vec![String::new()];
    for group in groups() {
        let action = |action: &Command| format!("{} {}", group.name, action.name);
        levels.extend(group.actions().iter().map(action));
    }
    levels.extend(single().map(|one| one.name.to_owned()));
    for level in &levels {
        text += &Run::tool(level).words("--help").run().success().stdout();
    }
    // A backslash joins a line with the next.
    let text = text.replace(" \\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("ip-mptcp "))
        .filter_map(|line| line.split('|').next())
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// As they stand, by the shell; but files are in a folder of the test's own.
#[test]
fn every_example_can_be_pasted() {
    if Namespace::fresh().is_none() {
        return;
    }
    veth("wan", "lte", None);
    veth("wwan0", "eth1", None);
    let folder = Folder::new("examples");
    let files = ["/etc/", "/run/", "/var/lib/node_exporter/"];
    let all = examples();
    assert!(all.len() > 20, "{all:?}");
    for example in &all {
        let own = format!(" {}/", quoted(&folder.path));
        let line = files.iter().fold(example.clone(), |line, path| {
            line.replace(&format!(" {path}"), &own)
                .replace(&format!(" >{path}"), &own.replacen(' ', " >", 1))
        });
        let run = Run::program(Path::new("/bin/sh")).env("PATH", &folder.search_path());
        // The shell becomes the program, which gets the signal.
        let mut running = run.arg("-ec").arg(format!("exec {line}")).start();
        let endless = [" watch ", " monitor ", " --interval "];
        let endless = endless.iter().any(|word| format!("{line} ").contains(word));
        if endless {
            until("a wait", || {
                running.must_run();
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.pid())).ok()?;
                stat.contains(" (ip-mptcp) S ").then_some(())
            });
            running.signal(libc::SIGTERM);
        }
        let output = running.finish();
        // The kernel may refuse: there is no such connection here.
        let expected: &[i32] = if endless {
            &[0, -libc::SIGTERM, 128 + libc::SIGTERM]
        } else {
            &[0, 1, 2]
        };
        assert!(
            expected.contains(&output.code()) && !output.stderr().contains("No such file"),
            "{example}: {}",
            output.report()
        );
    }
}

/// Help and usage of every level, by the words that ask for it.
fn helps() -> Vec<(String, String)> {
    let mut levels = vec![String::new()];
    for command in COMMANDS {
        levels.push(command.name.to_owned());
        for action in command.actions() {
            levels.push(format!("{} {}", command.name, action.name));
        }
    }
    let mut helps: Vec<_> = levels
        .into_iter()
        .map(|level| {
            let output = Run::tool(&level).words("--help").run().success();
            (level, output.stdout())
        })
        .collect();
    helps.push(("help".to_owned(), Run::tool("help").run().stderr()));
    helps
}

#[test]
fn help_fits_a_terminal_of_80_columns() {
    for (level, help) in helps() {
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{level}: {line}");
            assert!(!line.ends_with(' '), "{level}: {line:?}");
        }
    }
}

#[test]
fn help_of_an_action_explains_its_own_words_only() {
    for group in groups() {
        for action in group.actions() {
            let help = Run::tool(&format!("{} {} --help", group.name, action.name));
            let help = help.run().success().stdout();
            let usage = help.split("\n\n").next().expect("usage");
            for line in listed(&help, "Words") {
                let name = line.split([' ', ',']).next().expect("a name");
                // What is deeper goes on with the line before.
                let flag = usage.contains("FLAG") && !usage.contains(name);
                assert!(
                    name.is_empty() || usage.contains(name) || flag,
                    "{} {} takes no {name}",
                    group.name,
                    action.name
                );
            }
        }
    }
    let add = Run::tool("endpoint add --help").run().stdout();
    for word in ["implicit", "-4", "token"] {
        assert!(!has_word(&add, word), "endpoint add takes no {word}");
    }
}

/// Scripts ask `ip mptcp help` what it can do, and grep for flags.
#[test]
fn usage_names_every_flag_and_every_argument() {
    for words in ["mptcp help", "help"] {
        let usage = Run::tool(words).run().stderr();
        for word in ["signal", "subflow", "laminar", "backup", "fullmesh", "FILE"] {
            assert!(has_word(&usage, word), "{words} names no {word}: {usage}");
        }
    }
}

/// Every option of the program, as help writes it.
#[test]
fn options_can_be_written_as_help_writes_them() {
    if Namespace::fresh().is_none() {
        return;
    }
    for option in options("") {
        let value = match option.trim_start_matches('-') {
            "b" | "batch" => "/dev/null",
            "n" | "netns" => "/proc/self/ns/net",
            "c" | "color" => "never",
            "rcvbuf" => "65536",
            _ => "",
        };
        let run = Run::tool(&format!("{option} {value} limits show")).run();
        assert!(run.code() == 0 && run.stderr.is_empty(), "{}", run.report());
    }
}

/// Every option of the program in every spelling of the man page: its value in the next
/// word and, where the page says so, after `=`; and those of ip(8) that are ignored.
#[test]
fn options_can_be_written_as_the_man_page_writes_them() {
    if Namespace::fresh().is_none() {
        return;
    }
    let page = read("cli/ip-mptcp.8");
    let chapter = page.split(".Sh OPTIONS\n").nth(1).expect("options");
    let chapter = chapter.split("\n.Sh ").next().expect("a piece");
    let mut spellings = Vec::new();
    for line in chapter.lines() {
        let Some(names) = line.strip_prefix(".It Fl ") else {
            continue;
        };
        let value = match names.rsplit(" Ar ").next() {
            Some("netns") => "/proc/self/ns/net",
            Some("file") => "/dev/null",
            Some("when") => "never",
            Some("bytes") => "65536",
            Some(all) if all == names => "",
            other => panic!("a value of no known kind: {other:?}"),
        };
        for piece in names.split(" , Fl ") {
            let name = piece.split(' ').next().expect("a name");
            let option = format!("-{name}");
            if piece.contains("Op = Ns") {
                spellings.extend([option.clone(), format!("{option}={value}")]);
            }
            spellings.push(format!("{option} {value}"));
        }
    }
    let ignored = chapter.rsplit(".Fl ").next().expect("a list");
    for name in ignored
        .split([' ', ',', '.', '\n'])
        .filter(|name| !name.is_empty())
    {
        let value = match name {
            "l" => "3",
            "f" => "inet",
            _ => "",
        };
        spellings.push(format!("-{name} {value}"));
    }
    assert!(spellings.len() > 35, "{}", spellings.len());
    for option in spellings {
        let run = Run::tool(&format!("{option} limits show")).run();
        assert!(run.code() == 0 && run.stderr.is_empty(), "{}", run.report());
    }
}

/// The options stand before the object, also where the program is called `ip`.
#[test]
fn usage_shows_an_order_of_words_that_works() {
    if Namespace::fresh().is_none() {
        return;
    }
    for (call, order) in [
        (Call::Ip, "ip [ OPTIONS ] mptcp limits show"),
        (Call::Object, "ip-mptcp [ OPTIONS ] mptcp limits show"),
        (Call::Direct, "ip-mptcp [ OPTIONS ] limits show"),
    ] {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let usage = Run::call(call, &words("mptcp help")).run().stderr();
        assert!(usage.contains(order), "{usage}");
        let help = Run::call(call, &words("mptcp limits show --help")).run();
        assert!(help.success().stdout().contains(order));
        for (example_of, direct) in [
            ("mptcp --help", "  ip-mptcp -ts monitor\n"),
            (
                "mptcp limits set --help",
                "  ip-mptcp limits set subflows 4",
            ),
        ] {
            let example = match (call, direct.contains(" -ts ")) {
                (Call::Ip, true) => "  ip -ts mptcp monitor\n",
                (Call::Ip, false) => "  ip mptcp limits set subflows 4",
                _ => direct,
            };
            let help = Run::call(call, &words(example_of)).run().success().stdout();
            assert!(help.contains(example), "{help}");
            assert_eq!(help.contains("ip-mptcp"), call != Call::Ip, "{help}");
        }
        let order = order.replace("[ OPTIONS ]", "-o");
        let (_, order) = order.split_once(' ').expect("words");
        let shown = Run::call(call, &words(order)).run();
        shown.success();
    }
}
