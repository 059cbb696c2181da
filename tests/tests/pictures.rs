//! The pictures of the README are those that would be made today.

use ip_mptcp_tests::documents::read;
use ip_mptcp_tests::paths::TwoPaths;
use ip_mptcp_tests::picture::{Terminal, Transfer};

const TOUR: &str = "tests/pictures/tour.svg";
const PATHS: &str = "tests/pictures/paths.svg";
const AGAIN_TOUR: &str =
    "cargo run -p ip-mptcp-tests --example tour -- --svg tests/pictures/tour.svg";
const AGAIN_PATHS: &str =
    "cargo run -p ip-mptcp-tests --example screenshot tests/pictures/paths.svg";

#[test]
fn the_plot_of_the_tour_is_drawn_as_it_would_be_today() {
    let svg = read(TOUR);
    let seen = Transfer::of_svg(&svg).expect("what was seen");
    assert!(seen.to_svg() == svg, "{TOUR} is stale: {AGAIN_TOUR}");
    // It shows what the README says: both carry, then one is cut and the other goes on.
    let at = |time: u64| {
        let sample = seen
            .samples
            .iter()
            .rfind(|sample| sample.milliseconds <= time);
        sample.expect("a sample").bytes
    };
    let (cut, end) = (at(seen.cut), at(u64::MAX));
    assert!(cut[0] > 0 && cut[1] > 0, "{cut:?}");
    assert!(
        end[0] - cut[0] < cut[0] / 10 && end[1] > cut[1],
        "{cut:?} {end:?}"
    );
}

#[test]
fn the_picture_of_paths_shows_what_paths_shows_today() {
    let svg = read(PATHS);
    let picture = Terminal::of_svg(&svg).expect("what was drawn");
    assert!(picture.to_svg() == svg, "{PATHS} is stale: {AGAIN_PATHS}");
    let Some(paths) = TwoPaths::fresh() else {
        return;
    };
    let _carries_nothing = paths.joined("");
    let today = drawn(&picture);
    let [then, now] = [&picture, &today].map(|screen| shape(&screen.text()));
    assert_eq!(then, now, "{PATHS} is stale: {AGAIN_PATHS}");
    // The man page explains the same columns.
    let titles = &today.text()[1];
    assert!(
        read("cli/ip-mptcp.8").contains(titles.as_str()),
        "the man page lacks {titles}"
    );
}

/// What is drawn in a terminal of the same size, with rates.
fn drawn(like: &Terminal) -> Terminal {
    let mut seen = Terminal {
        bytes: String::new(),
        ..*like
    };
    // Two frames: the first has no rates.
    seen.run("paths --interval 0.1", |seen| {
        seen.bytes.matches("\x1b[J").count() >= 2
    });
    seen
}

/// What does not depend on what is carried: the names of columns and keys, the names and
/// addresses of paths, and where the columns are.
fn shape(lines: &[String]) -> Vec<String> {
    let [summary, titles, rows @ .., keys] = lines else {
        panic!("{lines:#?}");
    };
    let names = summary
        .split_whitespace()
        .filter(|word| word.starts_with(char::is_alphabetic));
    let mut shape: Vec<String> = names.map(str::to_owned).collect();
    shape.extend([titles.clone(), keys.clone()]);
    let mut rows: Vec<String> = rows
        .iter()
        .map(|row| row[..row.len().min(15)].to_owned())
        .collect();
    // The one that carries most is first.
    rows.sort();
    shape.extend(rows);
    shape
}
