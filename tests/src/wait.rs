//! Waiting for a condition, and reporting that a test could not run.

use std::io::Write;
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a condition may take before the test fails. Generous: a loaded machine is
/// no error, and a test that passes never waits this long.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Asks again and again until `condition` gives a value; fails the test after
/// [`DEADLINE`], naming `what` was waited for.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "timed out waiting for {what}");
        // The pause between two looks, not a guess at how long the thing takes.
        std::thread::sleep(Duration::from_millis(1));
    }
}

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// Reports that the running test, or a part of it, cannot run here, and why.
///
/// The test harness has no word for this and hides what passing tests print, so the
/// line goes straight to descriptor 2, and the process ends with a count. With
/// `IP_MPTCP_NO_SKIP` in the environment it is a failure instead.
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    assert!(
        std::env::var_os("IP_MPTCP_NO_SKIP").is_none(),
        "{test} cannot run here: {why}"
    );
    report(&format!("SKIPPED: {test}: {why}\n"));
    if SKIPPED.fetch_add(1, Ordering::Relaxed) == 0 {
        // SAFETY: the function is a plain extern "C" function that does not unwind.
        unsafe { libc::atexit(count_skipped) };
    }
}

extern "C" fn count_skipped() {
    report(&format!(
        "SKIPPED: {} in this test binary, for the reasons above\n",
        SKIPPED.load(Ordering::Relaxed)
    ));
}

/// Prints past the harness's capture.
pub fn report(line: &str) {
    // SAFETY: descriptor 2 is only borrowed; ManuallyDrop keeps it open.
    let mut stderr = std::mem::ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(2) });
    // Nothing can be done about a standard error that cannot be written.
    let _ = stderr.write_all(line.as_bytes());
}
