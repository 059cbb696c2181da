//! Options: every spelling of every option of `ip`, and what each does.

use ip_mptcp_tests::contract::lacks;
use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::{veth, Namespace};
use ip_mptcp_tests::program::{terminal, terminal_text, Call, Run};
use ip_mptcp_tests::table;

/// The options in the order in which `ip` tries them: name, whether only the whole name
/// counts, argument. The order is what decides abbreviations.
const OPTIONS: &[(&str, bool, Option<&str>)] = &[
    ("loops", false, Some("3")),
    ("family", false, Some("inet6")),
    ("4", true, None),
    ("6", true, None),
    ("0", true, None),
    ("M", true, None),
    ("B", true, None),
    ("human-readable", false, None),
    ("iec", false, None),
    ("stats", false, None),
    ("statistics", false, None),
    ("details", false, None),
    ("resolve", false, None),
    ("oneline", false, None),
    ("timestamp", false, None),
    ("tshort", false, None),
    ("Version", false, None),
    ("force", false, None),
    ("batch", false, Some("-")),
    ("brief", false, None),
    ("json", false, None),
    ("pretty", false, None),
    ("rcvbuf", false, Some("65536")),
    ("color", false, None),
    ("help", false, None),
    ("netns", false, Some("options")),
    ("Numeric", false, None),
    ("all", false, None),
    ("echo", true, None),
];

fn meant_by(spelling: &str) -> Option<&'static (&'static str, bool, Option<&'static str>)> {
    OPTIONS.iter().find(|(name, exact, _)| {
        if *exact {
            *name == spelling
        } else {
            name.starts_with(spelling)
        }
    })
}

#[test]
fn every_spelling_of_every_option_means_what_it_means_to_ip() {
    const LIMITS: &str = "add_addr_accepted 0 subflows 2 ";
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let other = Namespace::another();
    let _name = other.name("options");
    let mut failures = Vec::new();
    let mut count = 0;
    for (name, _, _) in OPTIONS {
        for length in 1..=name.len() {
            let Some((meant, _, argument)) = meant_by(&name[..length]) else {
                continue;
            };
            for dashes in ["-", "--"] {
                let option = format!("{dashes}{}", &name[..length]);
                let mut run = Run::ip("").arg(&option);
                if let Some(argument) = argument {
                    run = run.arg(argument);
                }
                let output = run.words("mptcp limits").stdin("mptcp limits\n").run();
                let expected = match *meant {
                    "json" => "[{\"add_addr_accepted\":0,\"subflows\":2}]\n".to_string(),
                    "oneline" => format!("{LIMITS}\\"),
                    "Version" => "*\n".to_string(),
                    "help" => "*sage:*".to_string(),
                    _ => format!("{LIMITS}\n"),
                };
                count += 1;
                let fits = table::matches(&expected, &output.stdout());
                if output.code() != 0 || !output.stderr.is_empty() || !fits {
                    failures.push(format!("{option} is {meant}: {}", output.report()));
                }
            }
        }
    }
    table::verdict("the options", count, &failures);
}

#[test]
fn help_is_printed_to_standard_output_at_every_level() {
    const LEVELS: &[&str] = &[
        "",
        "mptcp",
        "mptcp endpoint",
        "mptcp endpoint add",
        "mptcp endpoint change",
        "mptcp endpoint delete",
        "mptcp endpoint show",
        "mptcp endpoint flush",
        "mptcp limits",
        "mptcp limits set",
        "mptcp limits show",
        "mptcp monitor",
    ];
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let mut failures = Vec::new();
    for level in LEVELS {
        for option in ["--help", "-help"] {
            for call in [Call::Ip, Call::Object, Call::Direct] {
                let mut words = table::words(level);
                words.push(option.to_string());
                let output = Run::call(call, &words).run();
                let text = output.stdout();
                let helps = text.to_lowercase().contains("usage:") && text.ends_with('\n');
                if output.code() != 0 || !output.stderr.is_empty() || !helps {
                    failures.push(format!("{call:?}: {}", output.report()));
                }
            }
        }
    }
    table::verdict("help", LEVELS.len() * 6, &failures);
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn unexpected_words_are_refused() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for words in [
        "doctor sicne",
        "doctor --since /dev/null extra",
        "status extra",
        "counters extra",
        "save - extra",
        "apply - extra",
        "watch - extra",
    ] {
        let output = Run::tool(words).run();
        // A smaller build says that of the whole command.
        if lacks(&output) {
            continue;
        }
        assert_eq!(output.code(), 255, "{}", output.report());
        let word = words.rsplit(' ').next().expect("a word");
        assert!(output.stderr().contains(word), "{}", output.report());
    }
}

/// Help mentions what can be done at its level.
#[test]
fn help_names_the_commands_and_the_words_they_take() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for (level, words) in [
        ("--help", "endpoint limits monitor"),
        ("endpoint --help", "add change delete show flush"),
        ("limits --help", "set show"),
        (
            "endpoint add --help",
            "dev id port signal subflow backup fullmesh laminar",
        ),
    ] {
        let text = Run::tool(level).run().success().stdout();
        for word in words.split(' ') {
            assert!(text.contains(word), "{level} does not name {word}:\n{text}");
        }
    }
}

const DARK: &str = "\x1b[1;35m10.0.0.1 \x1b[0mid 1 dev \x1b[1;36mlo \x1b[0m\n\
                    \x1b[1;94m2001:db8::1 \x1b[0mid 2 signal \n";
const LIGHT: &str = "\x1b[35m10.0.0.1 \x1b[0mid 1 dev \x1b[36mlo \x1b[0m\n\
                     \x1b[34m2001:db8::1 \x1b[0mid 2 signal \n";
const PLAIN: &str = "10.0.0.1 id 1 dev lo \n2001:db8::1 id 2 signal \n";

type Environment = &'static [(&'static str, &'static str)];

/// Options, environment, on a terminal or not, and what comes out.
const COLOURS: &[(&str, Environment, bool, &str)] = &[
    ("", &[], false, PLAIN),
    ("", &[], true, PLAIN),
    ("-c", &[], false, DARK),
    ("-c", &[], true, DARK),
    ("-co", &[], false, DARK),
    ("--color", &[], false, DARK),
    ("-c=always", &[], false, DARK),
    ("--color=always", &[], false, DARK),
    ("-c=auto", &[], false, PLAIN),
    ("-c=auto", &[], true, DARK),
    ("-color=auto", &[], true, DARK),
    ("-c=never", &[], false, PLAIN),
    ("-c=never", &[], true, PLAIN),
    ("-c -c=never", &[], true, PLAIN),
    ("-c=never -c", &[], false, DARK),
    ("", &[("NO_COLOR", "1")], true, PLAIN),
    ("-c", &[("NO_COLOR", "1")], false, DARK),
    ("-c=auto", &[("NO_COLOR", "")], true, DARK),
    ("-c", &[("COLORFGBG", "0;15")], false, LIGHT),
    ("-c", &[("COLORFGBG", "0;7")], false, LIGHT),
    ("-c", &[("COLORFGBG", "0;default;15")], false, LIGHT),
    ("-c", &[("COLORFGBG", "15;0")], false, DARK),
    ("-c", &[("COLORFGBG", "15;6")], false, DARK),
    ("-c", &[("COLORFGBG", "15;8")], false, DARK),
    ("-c", &[("COLORFGBG", "15")], false, DARK),
    ("-c", &[("COLORFGBG", "")], false, DARK),
    ("", &[("COLORFGBG", "0;15")], true, PLAIN),
];

#[test]
fn colour_is_used_only_when_asked_for() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1 id 1 dev lo");
    kernel::add("2001:db8::1 id 2 signal");
    let mut failures = Vec::new();
    for (options, environment, on_terminal, expected) in COLOURS {
        let run = Run::tool(options).words("endpoint show");
        let run = environment
            .iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let (output, shown) = if *on_terminal {
            let (master, slave) = terminal();
            (run.stdout(slave).run(), terminal_text(master))
        } else {
            let output = run.run();
            let shown = output.stdout();
            (output, shown)
        };
        if output.code() != 0 || shown != *expected {
            let shown = table::escape(shown.as_bytes());
            failures.push(format!(
                "{options:?} {environment:?}, terminal {on_terminal}: \"{shown}\" {}",
                output.report()
            ));
        }
    }
    table::verdict("colours", COLOURS.len(), &failures);
}

#[test]
fn json_is_never_coloured() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.1");
    for options in ["-c -j", "-j -c", "-j -c -p"] {
        let text = Run::tool(options)
            .words("endpoint")
            .run()
            .success()
            .stdout();
        assert!(!text.contains('\x1b'), "{options}: {text}");
    }
}

/// setns(2), netns.
#[test]
fn a_namespace_is_entered_by_name_and_by_path() {
    let Some(here) = Namespace::fresh() else {
        return;
    };
    let other = Namespace::another();
    let name = other.name("by-name");
    // The interface exists in the other namespace only, so its name is looked up there.
    other.inside(|| veth("far0", "far1", None));
    let path = name.path.to_str().expect("a path");
    for (host, given) in [(1, "by-name"), (2, path)] {
        Run::tool("-n")
            .arg(given)
            .words(&format!("endpoint add 10.0.0.{host} dev far0"))
            .run()
            .success();
    }
    Run::ip("-netns by-name mptcp limits set subflows 5")
        .run()
        .success();
    let found = other.inside(kernel::state);
    let expected = [
        "10.0.0.1 id 1 dev far0",
        "10.0.0.2 id 2 dev far0",
        "add_addr_accepted 0 subflows 5",
    ];
    assert_eq!(found, expected);
    let shown = Run::tool("-n by-name endpoint").run().success().stdout();
    assert_eq!(shown, "10.0.0.1 id 1 dev far0 \n10.0.0.2 id 2 dev far0 \n");
    let untouched = here.inside(kernel::state);
    assert_eq!(untouched, ["add_addr_accepted 0 subflows 2"]);
}

#[test]
fn a_batch_runs_in_the_namespace_that_is_named() {
    let Some(_here) = Namespace::fresh() else {
        return;
    };
    let other = Namespace::another();
    let _name = other.name("for-batch");
    Run::tool("-n for-batch -b -")
        .stdin("endpoint add 10.0.0.1\nlimits set subflows 3\n")
        .run()
        .success();
    let found = other.inside(kernel::state);
    assert_eq!(found, ["10.0.0.1 id 1", "add_addr_accepted 0 subflows 3"]);
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn a_namespace_that_cannot_be_entered_is_named() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for (options, word) in [
        ("-n nope", "nope"),
        ("-n /nope/nope", "/nope/nope"),
        ("-n ''", "\"\""),
        // Files that are there but are no namespaces.
        ("-n /dev/null", "/dev/null"),
        ("-n /proc/self/ns/mnt", "/proc/self/ns/mnt"),
    ] {
        let output = Run::tool(options)
            .words("endpoint add 10.0.0.1")
            .run()
            .failure(255);
        assert!(output.stderr().contains(word), "{}", output.report());
    }
    for option in ["-n", "-netns", "--netns"] {
        let output = Run::ip(option).run().failure(255);
        assert!(!output.stderr().contains("null"), "{}", output.report());
        let says = output.stderr().to_lowercase();
        assert!(
            says.contains("name") && says.contains("required"),
            "{}",
            output.report()
        );
    }
    assert!(kernel::endpoints().is_empty());
}

#[test]
fn the_last_of_two_namespaces_counts() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let (first, second) = (Namespace::another(), Namespace::another());
    let _names = (first.name("first"), second.name("second"));
    Run::tool("-n first -n second endpoint add 10.0.0.1")
        .run()
        .success();
    assert_eq!(second.inside(kernel::endpoints).len(), 1);
    assert_eq!(first.inside(kernel::endpoints).len(), 0);
}

/// SO_RCVBUF.
#[test]
fn receive_buffer_sizes_are_numbers_in_any_base() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for size in ["65536", "0x10000", "0200000", "4096", "16777216"] {
        Run::tool("-rc").arg(size).words("endpoint").run().success();
    }
    for size in ["abc", "1k", "", "99999999999", "-18446744073709551611"] {
        let output = Run::tool("-rc")
            .arg(size)
            .words("endpoint")
            .run()
            .failure(255);
        let named = format!("'{size}'");
        assert!(output.stderr().contains(&named), "{}", output.report());
    }
}
