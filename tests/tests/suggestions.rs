//! A word that is not known is answered with the one that may have been meant, after what
//! iproute2 says and only where one is near.

use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{Call, Run};
use ip_mptcp_tests::table;

/// The command, its exit status, the word at fault, and what is suggested.
const SUGGESTIONS: &[(&str, i32, &str, &str)] = &[
    ("endpiont show", 255, "endpiont", "endpoint"),
    ("limts", 255, "limts", "limits"),
    ("Monitor", 255, "Monitor", "monitor"),
    ("conection", 255, "conection", "connection"),
    ("docter", 255, "docter", "doctor"),
    ("endpoint shwo", 255, "shwo", "show"),
    ("endpoint repalce 10.0.0.1", 255, "repalce", "replace"),
    ("subflow craete token 1", 255, "craete", "create"),
    ("-jsno endpoint", 255, "-jsno", "-json"),
    ("-bacth x", 255, "-bacth", "-batch"),
    ("endpoint add 10.0.0.1 sublow", 1, "sublow", "subflow"),
    ("endpoint add 10.0.0.1 sig", 1, "sig", "signal"),
    ("endpoint add 10.0.0.1 Backup", 1, "Backup", "backup"),
    ("endpoint add 10.0.0.1 prot 80", 1, "prot", "port"),
    ("endpoint change id 1 nobakcup", 1, "nobakcup", "nobackup"),
    ("endpoint show tokn 1", 1, "tokn", "token"),
    ("limits set subfows 3", 255, "subfows", "subflows"),
    ("connection show falback", 1, "falback", "fallback"),
    ("connection show remot6 10.0.0.1", 1, "remot6", "remote"),
    ("address remove tokne 1 id 2", 255, "tokne", "token"),
    ("monitor --snapsot", 255, "--snapsot", "--snapshot"),
    ("-j monitor --evnet CLOSED", 255, "--evnet", "--event"),
    ("monitor --event SF_CLOSE", 255, "SF_CLOSE", "SF_CLOSED"),
    ("apply --dryrun /dev/null", 255, "--dryrun", "--dry-run"),
    ("apply --wiat 3 /dev/null", 255, "--wiat", "--wait"),
];

/// Words that nothing is near, and words that are no keyword's place.
const NOTHING_NEAR: &[&str] = &[
    "bogus",
    "endpoint bogus",
    "endpoint add 10.0.0.1 foo",
    "endpoint add 10.0.0.1/24",
    "endpoint add 10.0.0.1 dev prot",
    "endpoint add 10.0.0.1 dev local0",
    "endpoint add 10.0.0.1 id prt",
    "limits set bogus",
    "limits set subflows subflws",
    "monitor x",
    "monitor --event BOGUS",
    "monitor --bogus",
    "-bogus",
    "endpoint delete token 1",
    "subflow delete token 1 id 5",
];

#[test]
fn a_near_word_is_suggested_on_a_line_of_its_own() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    kernel::add("10.0.0.9 id 1");
    let before = kernel::state();
    let mut failures = Vec::new();
    for (at, (command, status, word, meant)) in SUGGESTIONS.iter().enumerate() {
        let as_json = command.starts_with("-j ");
        let mut wrong = Vec::new();
        let text = Run::tool(command.trim_start_matches("-j ")).run();
        let stderr = text.stderr();
        let mut lines = stderr.lines();
        let first = lines.next().unwrap_or("");
        if !first.contains(word) || first.contains("Did you mean") {
            wrong.push(format!("the first line does not name {word}, or says more"));
        }
        let last: Vec<_> = lines.collect();
        if last != [format!("Did you mean \"{meant}\"?")] || !stderr.ends_with('\n') {
            wrong.push(format!("{meant} is not suggested: {last:?}"));
        }
        let json = Run::tool(if as_json { "" } else { "-j" })
            .words(command)
            .run();
        // A mistake in an option is reported before a later one is read.
        if !command.starts_with("-jsno") {
            let object: serde_json::Value =
                serde_json::from_slice(&json.stderr).unwrap_or_default();
            let error = &object["error"];
            if error["suggestion"] != *meant || error["word"] != *word {
                wrong.push(format!("JSON: {object}"));
            }
            if error["message"].as_str().is_none_or(|m| m.contains("mean")) {
                wrong.push("the message has the suggestion as well".into());
            }
        }
        if text.code() != *status || json.code() != *status || !text.stdout.is_empty() {
            wrong.push(format!("the status is not {status}, or there is output"));
        }
        if kernel::state() != before {
            wrong.push("something was changed".into());
        }
        table::note(&mut failures, at, &wrong, &text);
    }
    table::verdict("suggestions", SUGGESTIONS.len(), &failures);
}

#[test]
fn nothing_is_suggested_where_nothing_is_near() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for command in NOTHING_NEAR {
        for json in ["", "-j"] {
            let output = Run::tool(json).words(command).run();
            let stderr = output.stderr();
            assert!(
                output.code() > 0 && !stderr.contains("Did you") && !stderr.contains("suggestion"),
                "{}",
                output.report()
            );
        }
    }
}

#[test]
fn an_object_that_ip_does_not_have_is_answered_like_a_command() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let words = ["mtpcp".to_owned(), "endpoint".to_owned()];
    let output = Run::call(Call::Ip, &words).run().failure(1);
    assert_eq!(
        output.stderr(),
        "Object \"mtpcp\" is unknown, try \"ip help\".\nDid you mean \"mptcp\"?\n"
    );
}

#[test]
fn lines_of_batches_and_state_files_get_suggestions_too() {
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    let batch = Run::tool("-b -").stdin("endpoint add 10.0.0.1 sublow\n");
    let output = batch.run().failure(1);
    assert_eq!(
        output.stderr(),
        "Error: any valid address is expected rather than \"sublow\".\n\
         Did you mean \"subflow\"?\nCommand failed -:1\n"
    );
    let file = "endpoint add 10.0.0.1 sublow\nlimts set subflows 2\n\
                limits set subfows 2\nendpoint ad 10.0.0.1\n";
    let output = Run::tool("apply -").stdin(file).run();
    let stderr = output.stderr();
    for meant in ["subflow", "limits", "subflows"] {
        let line = format!("Did you mean \"{meant}\"?\n");
        assert!(stderr.contains(&line), "{meant}: {}", output.report());
    }
    assert!(kernel::endpoints().is_empty() && output.code() > 0);
}
