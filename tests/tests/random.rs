//! Random sequences of commands: what they do is what iproute2 does, and a batch does
//! what its lines do one by one.

use ip_mptcp_tests::kernel;
use ip_mptcp_tests::namespace::Namespace;
use ip_mptcp_tests::program::{iproute2, Output, Run};
use ip_mptcp_tests::random::Random;
use ip_mptcp_tests::wait::skip;

fn seeds() -> Vec<u64> {
    match std::env::var("IP_MPTCP_SEED") {
        Ok(seed) => vec![seed.parse().expect("IP_MPTCP_SEED is a number")],
        Err(_) => {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = now.map_or(0, |time| time.as_nanos() as u64);
            // One that never changes, one that is always new. 0 is no seed for xorshift.
            vec![1, now | 1]
        }
    }
}

const ADDRESSES: &[&str] = &[
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "127.0.0.1",
    "127.0.0.2",
    "0.0.0.0",
    "255.255.255.255",
    "2001:db8::1",
    "2001:DB8:0:0::2",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "fe80::1:2:3",
];

/// Words that no command takes.
const WRONG: &[&str] = &[
    "foo",
    "sig",
    "10.0.0.1/24",
    "::1%lo",
    "''",
    "1.2.3.4.5",
    "256.0.0.1",
    "-j",
    "Subflow",
    ":::",
];

const IDS: &[&str] = &[
    "1", "2", "3", "4", "5", "0x6", "07", "255", "'+9'", "' 10'", "256", "-1", "08", "x", "''",
];

fn address(random: &mut Random) -> &'static str {
    random.of(ADDRESSES)
}

/// One command that iproute2 6.1 and later and the tool are to treat alike: outside the
/// stated differences, no laminar, no id 0.
fn command(random: &mut Random) -> String {
    let endpoint = random.of(&["endpoint", "end", "e"]);
    match random.below(20) {
        0..=6 => add(random, endpoint),
        7..=9 => {
            let delete = random.of(&["delete", "del", "d"]);
            let id = random.of(&["id", "i"]);
            match random.below(6) {
                0 => format!("{endpoint} {delete} {id} 0 {}", address(random)),
                1 => format!("{endpoint} {delete} {id} 0"),
                _ => format!("{endpoint} {delete} {id} {}", random.of(IDS)),
            }
        }
        10..=12 => {
            // Both bits named: that is where iproute2's overwriting and our changing agree.
            let bits = [
                random.of(&["backup", "nobackup"]),
                random.of(&["fullmesh", "nofullmesh"]),
            ];
            let which = match random.below(3) {
                0 => address(random).to_string(),
                _ => format!("id {}", random.of(IDS)),
            };
            format!("{endpoint} change {which} {} {}", bits[0], bits[1])
        }
        13 => format!("{endpoint} show id {}", random.of(IDS)),
        14 => format!("{endpoint} {}", random.of(&["show", "s", ""])),
        15 => format!(
            "{endpoint} {}",
            random.of(&["flush", "f", "bogus", "''", "-j"])
        ),
        16 => random
            .of(&["limits", "lim show", "l sh", "limits bogus", "bogus", "''"])
            .to_string(),
        _ => limits(random),
    }
}

fn add(random: &mut Random, endpoint: &str) -> String {
    let mut words = vec![address(random).to_string()];
    for flag in ["signal", "subflow", "backup", "fullmesh"] {
        if random.one_in(3) {
            words.push(flag.into());
        }
    }
    if random.one_in(3) {
        words.push(format!("id {}", random.of(IDS)));
    }
    if random.one_in(3) {
        let device = random.of(&["lo", "lo", "nope0", "''", "sixteen_letters_", "a/b"]);
        words.push(format!("{} {device}", random.of(&["dev", "d"])));
    }
    if random.one_in(4) {
        let port = random.of(&["8080", "0x1f91", "0", "65535", "65536", "http"]);
        words.push(format!("{} {port}", random.of(&["port", "p"])));
    }
    if random.one_in(12) {
        words.push(random.of(WRONG).into());
    }
    if random.one_in(12) {
        words.remove(0);
    }
    if random.one_in(20) {
        words.push(random.of(&["id", "dev", "port"]).into());
    }
    // Fisher and Yates; a keyword and its value move together.
    for last in (1..words.len()).rev() {
        words.swap(last, random.below(last + 1));
    }
    format!("{endpoint} add {}", words.join(" "))
}

fn limits(random: &mut Random) -> String {
    let mut words = vec!["limits set".to_string()];
    for _ in 0..=random.below(2) {
        let name = random.of(&["subflows", "s", "sub", "add_addr_accepted", "a", "bogus"]);
        let value = random.of(&["0", "1", "4", "8", "010", "0x5", "4294967295", "-1", "x"]);
        words.push(format!("{name} {value}"));
    }
    if random.one_in(10) {
        words.push("subflows".into());
    }
    words.join(" ")
}

/// What there is to compare: output, status, and the kernel's state afterwards.
fn outcome(output: &Output) -> (String, i32, Vec<String>) {
    (output.stdout(), output.code(), kernel::state())
}

#[test]
fn random_commands_do_what_they_do_with_iproute2() {
    const COMMANDS: usize = 250;
    if Namespace::fresh().is_none() {
        return;
    }
    let Some(reference) = iproute2() else {
        skip("iproute2 is not installed");
        return;
    };
    for seed in seeds() {
        let mut random = Random(seed);
        let (theirs, ours) = (Namespace::another(), Namespace::another());
        let mut history = Vec::new();
        for _ in 0..COMMANDS {
            let options = random.of(&["", "", "", "-j", "-j -p", "-d", "-force"]);
            let line = command(&mut random);
            // iproute2 has no JSON for limits: a stated difference.
            let options = match line.starts_with('l') {
                true => "",
                false => options,
            };
            let line = format!("{options} mptcp {line}");
            history.push(line.clone());
            let expected = theirs.inside(|| outcome(&Run::program(reference).words(&line).run()));
            let (found, report) = ours.inside(|| {
                let output = Run::ip(&line).run();
                (outcome(&output), output.report())
            });
            assert_eq!(
                found,
                expected,
                "IP_MPTCP_SEED={seed}: after these commands, the last one differs (left: \
                 the tool, right: iproute2):\n{}\n{report}",
                history.join("\n")
            );
        }
    }
}

#[test]
fn a_batch_does_what_its_lines_do_one_by_one() {
    const COMMANDS: usize = 150;
    let Some(_namespace) = Namespace::fresh() else {
        return;
    };
    for seed in seeds() {
        let mut random = Random(seed ^ 0xba7c);
        let lines: Vec<_> = (0..COMMANDS).map(|_| command(&mut random)).collect();
        let (single, whole) = (Namespace::another(), Namespace::another());
        let (mut stdout, mut failed) = (String::new(), Vec::new());
        single.inside(|| {
            for (at, line) in lines.iter().enumerate() {
                let output = Run::tool("").words(line).run();
                stdout += &output.stdout();
                if output.code() != 0 {
                    failed.push(format!("Command failed -:{}", at + 1));
                }
            }
        });
        let input = lines.join("\n") + "\n";
        let output = whole.inside(|| Run::tool("-force -b -").stdin(&input).run());
        let places: Vec<_> = output
            .stderr()
            .lines()
            .filter(|line| line.starts_with("Command failed"))
            .map(str::to_string)
            .collect();
        let expected = single.inside(kernel::state);
        let found = whole.inside(kernel::state);
        let about = format!("IP_MPTCP_SEED={seed}, the batch:\n{input}");
        assert_eq!(found, expected, "{about}");
        assert_eq!(output.stdout(), stdout, "{about}");
        assert_eq!(places, failed, "{about}");
    }
}
