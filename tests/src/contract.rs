//! Tables of command lines with what they must print, return and leave in the kernel.
//!
//! The format is explained at the top of `data/contract.txt`.

use std::collections::HashMap;

use crate::kernel::{self, Endpoint, Limits};
use crate::namespace::Namespace;
use crate::program::{lacks_features, one_newline_each, Call, Output, Run};
use crate::table::{self, Row};

/// What a run must show: four columns of a table.
pub struct Expectation<'a> {
    exits: Vec<i32>,
    stdout: String,
    stderr: String,
    after: &'a str,
}

impl<'a> Expectation<'a> {
    /// Takes the columns from `first` on.
    pub fn from_row(row: &'a Row, first: usize) -> Expectation<'a> {
        Expectation {
            exits: row
                .cell(first)
                .split('/')
                .map(|exit| {
                    exit.parse()
                        .unwrap_or_else(|_| panic!("line {}: not an exit status", row.line))
                })
                .collect(),
            stdout: table::unescape(row.cell(first + 1)),
            stderr: table::unescape(row.cell(first + 2)),
            after: row.cell(first + 3),
        }
    }

    /// Whether the run is to succeed.
    pub fn succeeds(&self) -> bool {
        self.exits.contains(&0)
    }

    /// What is wrong with `output` and with the state of the current namespace, which
    /// held the endpoints `before`.
    pub fn faults(&self, call: Call, before: &str, output: &Output) -> Vec<String> {
        let mut wrong = self.exit_faults(output);
        if !table::matches(&self.stdout, &output.stdout()) {
            let expected = table::escape(self.stdout.as_bytes());
            wrong.push(format!("stdout is not \"{expected}\""));
        }
        if !stderr_fits(&self.stderr, call, &output.stderr()) {
            wrong.push(format!(
                "stderr does not fit \"{}\"",
                table::escape(self.stderr.as_bytes())
            ));
        }
        wrong.extend(state_faults(before, self.after));
        wrong
    }

    fn exit_faults(&self, output: &Output) -> Vec<String> {
        if self.exits.contains(&output.code()) {
            return Vec::new();
        }
        vec![format!("exit status is not {:?}", self.exits)]
    }

    /// The same for a run that fails with `-j`: one JSON object, nothing changed.
    fn json_faults(&self, before: &str, output: &Output) -> Vec<String> {
        let mut wrong = self.exit_faults(output);
        if !output.stdout.is_empty() {
            wrong.push("there is output".into());
        }
        wrong.extend(json_error_faults(&self.stderr, &output.stderr()));
        wrong.extend(state_faults(before, ""));
        wrong
    }
}

/// Adds the endpoints of a state: texts of [`Endpoint`] with `;` between them.
pub fn put(state: &str) {
    each(state).for_each(kernel::add);
}

fn each(state: &str) -> impl Iterator<Item = &str> {
    state.split(';').filter(|one| !one.trim().is_empty())
}

fn state_faults(before: &str, after: &str) -> Vec<String> {
    let (expected, found) = (expected_state(before, after), kernel::state());
    if found == expected {
        return Vec::new();
    }
    vec![format!("state is {found:?}, not {expected:?}")]
}

/// The state that the last column asks for, as [`kernel::state`] gives it.
fn expected_state(before: &str, after: &str) -> Vec<String> {
    let mut limits = Limits {
        add_addr_accepted: 0,
        subflows: 2,
    };
    let mut endpoints: Vec<&str> = each(before).collect();
    if after == "none" {
        endpoints.clear();
    } else {
        let (numbers, named): (Vec<&str>, Vec<&str>) =
            each(after).partition(|one| one.trim().starts_with("limits "));
        if let Some(numbers) = numbers.first() {
            let mut numbers = numbers.split_whitespace().skip(1).map(|number| {
                number
                    .parse()
                    .unwrap_or_else(|_| panic!("not a limit: {number}"))
            });
            limits.add_addr_accepted = numbers.next().expect("add_addr_accepted");
            limits.subflows = numbers.next().expect("subflows");
        }
        if !named.is_empty() {
            endpoints = named;
        }
    }
    let mut all: Vec<Endpoint> = endpoints
        .iter()
        .map(|one| one.parse().unwrap_or_else(|error| panic!("{error}")))
        .collect();
    all.sort();
    let mut lines: Vec<_> = all.iter().map(ToString::to_string).collect();
    lines.push(limits.to_string());
    lines
}

fn stderr_fits(pattern: &str, call: Call, printed: &str) -> bool {
    let (name, how) = match call {
        Call::Ip => ("ip", "ip mptcp"),
        Call::Object => ("ip-mptcp", "ip-mptcp*"),
        Call::Direct => ("ip-mptcp", "ip-mptcp"),
    };
    if pattern.is_empty() {
        return printed.is_empty();
    }
    if pattern == "usage" {
        return printed.to_lowercase().contains("usage:");
    }
    let mut pattern = pattern.replace("{call}", how).replace("{name}", name);
    if let Some(reason) = pattern.strip_prefix("kernel: ") {
        // What follows the kernel's words, if anything does.
        let rest = reason.split_once('*').map_or("", |(_, rest)| rest);
        pattern = if kernel::version() >= (6, 18) {
            format!("Error: {reason}*")
        } else {
            format!("*: *{rest}*")
        };
    }
    let text = printed.strip_suffix('\n').unwrap_or(printed);
    // What iproute2 does not say follows what it says, on a line of its own.
    let text = match text.split_once("\nDid you mean \"") {
        Some((text, meant)) if meant.ends_with("\"?") && !meant.contains('\n') => text,
        _ => text,
    };
    // A usage text may have blank lines.
    (one_newline_each(printed) || pattern.contains("sage:")) && table::matches(&pattern, text)
}

fn json_error_faults(expected: &str, printed: &str) -> Vec<String> {
    if !one_newline_each(printed) || printed.lines().count() != 1 {
        return vec!["stderr is not one line".into()];
    }
    let Ok(object) = serde_json::from_str::<serde_json::Value>(printed) else {
        return vec!["stderr is not JSON".into()];
    };
    let error = &object["error"];
    let mut wrong = Vec::new();
    for field in ["kind", "message"] {
        if error[field].as_str().is_none_or(str::is_empty) {
            wrong.push(format!("no {field}"));
        }
    }
    if error["kind"] == "kernel" {
        let errno = error["errno"].as_i64().unwrap_or(0);
        if errno <= 0
            || !error["name"]
                .as_str()
                .is_some_and(|name| name.starts_with('E'))
        {
            wrong.push("no errno and name".into());
        }
    }
    // `argument "X" is wrong`, `"X" is unknown`, `rather than "X"`: the word at fault.
    let names_word = ["is wrong", "is unknown", "rather than", "Error: *\""];
    if names_word.iter().any(|part| expected.contains(part)) {
        let quoted = expected.split('"').nth(1).unwrap_or("");
        let word = error["word"].as_str();
        // ID, ADDRESS and port stand for what was not given or is wrong as a whole.
        let stands_for_other = ["ID", "ADDRESS", "port", "*"].contains(&quoted);
        if !stands_for_other && word != Some(quoted) {
            wrong.push(format!("word is {word:?}, not {quoted:?}"));
        }
    }
    wrong
}

struct Case<'a> {
    row: &'a Row,
    words: Vec<String>,
    calls: Vec<Call>,
    before: &'a str,
    expected: Expectation<'a>,
}

fn cases(rows: &[Row]) -> Vec<Case<'_>> {
    let states: HashMap<&str, &str> = rows
        .iter()
        .filter_map(|row| row.cell(0).strip_prefix("state ")?.split_once(" = "))
        .collect();
    rows.iter()
        .filter(|row| !row.cell(0).starts_with("state "))
        .map(|row| Case {
            row,
            words: table::words(row.cell(0)),
            calls: calls(row),
            before: match row.cell(2) {
                "" => "",
                name => states
                    .get(name)
                    .unwrap_or_else(|| panic!("line {}: no such state", row.line)),
            },
            expected: Expectation::from_row(row, 3),
        })
        .filter(|case| !beyond_this_kernel(case))
        .collect()
}

fn calls(row: &Row) -> Vec<Call> {
    let letters = match row.cell(1) {
        "" => "iod",
        some => some,
    };
    letters
        .chars()
        .map(|call| match call {
            'i' => Call::Ip,
            'o' => Call::Object,
            'd' => Call::Direct,
            other => panic!("line {}: no form {other}", row.line),
        })
        .collect()
}

/// Rows whose endpoints this kernel cannot hold say nothing about the tool.
fn beyond_this_kernel(case: &Case) -> bool {
    let text = format!(
        "{} {}{}",
        case.row.cell(0),
        case.before,
        case.expected.after
    );
    text.contains("laminar") && kernel::version() < (6, 18)
}

/// Runs every row of a table in each of its forms, each in a fresh namespace.
pub fn check(name: &str, text: &str) {
    let rows = table::rows(text);
    let (mut failures, mut count, mut lacking) = (Vec::new(), 0, 0);
    for case in cases(&rows) {
        for &call in &case.calls {
            let Some(_namespace) = Namespace::fresh() else {
                return;
            };
            put(case.before);
            let output = Run::call(call, &case.words).run();
            count += 1;
            if lacks(&output) {
                lacking += 1;
                continue;
            }
            let wrong = case.expected.faults(call, case.before, &output);
            table::note(&mut failures, case.row.line, &wrong, &output);
        }
    }
    if lacking > 0 {
        eprintln!("{lacking} of {count} cases need what this program was built without");
    }
    table::verdict(name, count, &failures);
}

/// Whether a program says of itself that it was built without what was asked for, and is one
/// that was.
pub fn lacks(output: &Output) -> bool {
    output.code() == 255
        && output.stderr().contains("this ip-mptcp was built without ")
        && lacks_features()
}

/// Runs every row that fails once more with `-j`.
pub fn check_failures_in_json(name: &str, text: &str) {
    let rows = table::rows(text);
    let (mut failures, mut count) = (Vec::new(), 0);
    for case in cases(&rows) {
        // A usage text is not an error of a kind; `-j` alone already asks for one.
        if case.expected.succeeds() || case.expected.stderr == "usage" || case.words == ["-j"] {
            continue;
        }
        let Some(_namespace) = Namespace::fresh() else {
            return;
        };
        put(case.before);
        let mut words = vec!["-j".to_string()];
        words.extend(case.words.iter().cloned());
        let output = Run::call(Call::Ip, &words).run();
        count += 1;
        if lacks(&output) {
            continue;
        }
        let wrong = case.expected.json_faults(case.before, &output);
        table::note(&mut failures, case.row.line, &wrong, &output);
    }
    table::verdict(&format!("{name} with -j"), count, &failures);
}
