//! What the codec costs, beside other crates and beside a floor.
//!
//! ```text
//! cargo bench -p ip-mptcp-tests --bench codec                time, heap, stack
//! cargo bench -p ip-mptcp-tests --bench codec -- callgrind   instructions (needs valgrind)
//! ```
//!
//! All contenders of a job read the same bytes of real kernels and must agree
//! on the result before anything is measured. Times are the minima of many
//! short interleaved runs, and printed as ratios to the floor: they hold
//! within one run only. Instructions hardly move between runs.
//!
//! The floor trusts every byte: pointer casts in a loop that follows the
//! lengths it finds ([`floor`]). The codec checks everything.

mod event;
mod floor;
mod jobs;
mod made;
mod measure;
mod ours;
mod peers;

use jobs::{Contender, Inputs, JOBS};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let inputs = Inputs::from_captures();
    let mut contenders = vec![floor::CONTENDER, ours::CONTENDER];
    contenders.extend(peers::all());
    match words[..] {
        // What callgrind runs: one job of one contender, the given number of times.
        ["run", job, name, times] => {
            let job = JOBS.iter().find(|j| j.name == job).expect("a job");
            let contender = contenders.iter().find(|c| c.name == name);
            let contender = contender.expect("a contender");
            let times: u32 = times.parse().expect("a number");
            measure::repeat(job, contender, &inputs, times);
        }
        ["callgrind"] => {
            check(&contenders, &inputs);
            table("instructions", &contenders, |job, contender| {
                (job.run)(contender, &inputs)?;
                measure::instructions(job, contender)
            });
        }
        [] => {
            check(&contenders, &inputs);
            let times = measure::times(&contenders, &inputs);
            table("time, nanoseconds", &contenders, |job, contender| {
                times[&(job.name, contender.name)]
            });
            table("heap, allocations", &contenders, |job, contender| {
                measure::allocations(job, contender, &inputs)
            });
            table("stack, bytes", &contenders, |job, contender| {
                measure::stack(job, contender, &inputs)
            });
        }
        _ => {
            eprintln!("usage: codec [callgrind]");
            std::process::exit(2);
        }
    }
}

/// All contenders must come to the same result.
fn check(contenders: &[Contender], inputs: &Inputs) {
    for job in &JOBS {
        let wanted = (job.run)(&contenders[0], inputs).expect("the floor does every job");
        for contender in contenders {
            if let Some(got) = (job.run)(contender, inputs) {
                assert_eq!(got, wanted, "{}: {}", job.name, contender.name);
            }
        }
    }
    let wanted = jobs::built(&contenders[0], inputs);
    for contender in contenders {
        if let Some(bytes) = jobs::built(contender, inputs) {
            assert_eq!(Some(bytes), wanted, "the request of {}", contender.name);
        }
    }
}

/// One line a contender: for each job the figure of the floor, and the others
/// as a multiple of it.
fn table(
    title: &str,
    contenders: &[Contender],
    figure: impl Fn(&jobs::Job, &Contender) -> Option<f64>,
) {
    println!("\n{title}; ratio to the floor in brackets");
    print!("{:24}", "");
    for job in &JOBS {
        print!("{:>20}", job.name);
    }
    println!();
    let floor: Vec<_> = JOBS.iter().map(|job| figure(job, &contenders[0])).collect();
    for contender in contenders {
        print!("{:24}", contender.name);
        for (job, floor) in JOBS.iter().zip(&floor) {
            let cell = match (figure(job, contender), floor) {
                (Some(got), Some(floor)) if *floor > 0.0 => {
                    format!("{got:.0} ({:.2})", got / floor)
                }
                (Some(got), _) => format!("{got:.0}"),
                (None, _) => "-".to_string(),
            };
            print!("{cell:>20}");
        }
        println!();
    }
}
