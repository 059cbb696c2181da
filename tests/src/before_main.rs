//! Makes the test process harmless, and the same on every machine, before it has any
//! thread.
//!
//! Each process enters a mount and a network namespace of its own, so that no test can
//! touch the machine's endpoints, interfaces or `/run/netns`. Without the rights for
//! that it enters a user namespace first, in which it is root. The kernel lets only a
//! process with a single thread do that, hence before `main`.
//!
//! What a process inherits is set to what the tests expect, for they start programs that
//! inherit it in turn: a shell without job control starts background jobs with SIGINT
//! ignored, `nohup` ignores SIGHUP, and users have locales, umasks and time zones.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering};

/// errno of what made namespaces impossible, 0 if they work.
static REFUSED: AtomicI32 = AtomicI32::new(0);

#[used]
#[link_section = ".init_array"]
static ENTER: extern "C" fn() = enter;

/// Why this process may not make namespaces, if it may not.
pub(crate) fn refused() -> Option<std::io::Error> {
    match REFUSED.load(Ordering::Relaxed) {
        0 => None,
        errno => Some(std::io::Error::from_raw_os_error(errno)),
    }
}

extern "C" fn enter() {
    defaults();
    if let Err(error) = namespaces() {
        REFUSED.store(
            error.raw_os_error().unwrap_or(libc::EPERM),
            Ordering::Relaxed,
        );
    }
}

/// Signals, umask and environment as on a machine that nobody has set up.
fn defaults() {
    // Variables that change what programs print or run, besides LC_* and LANG.
    const UNSET: [&str; 12] = [
        "TZ",
        "NO_COLOR",
        "COLORFGBG",
        "COLUMNS",
        "LINES",
        "POSIXLY_CORRECT",
        "BASH_ENV",
        "ENV",
        "CDPATH",
        "ZDOTDIR",
        "MANPATH",
        "MANOPT",
    ];
    // SAFETY: plain system calls and an empty set of signals; the process has one thread.
    unsafe {
        let mut none = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        // SIGPIPE is left to Rust's runtime, which ignores it here and resets it in children.
        for signal in (1..libc::SIGRTMIN()).filter(|signal| *signal != libc::SIGPIPE) {
            // SIGKILL and SIGSTOP are refused, which is fine.
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::umask(0o022);
    }
    let locale = |name: &str| name.starts_with("LC_") || name.starts_with("LANG");
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if locale(&name) || UNSET.contains(&name.as_str()) {
            std::env::remove_var(name);
        }
    }
    std::env::set_var("LC_ALL", "C");
}

fn namespaces() -> std::io::Result<()> {
    const OWN: i32 = libc::CLONE_NEWNS | libc::CLONE_NEWNET;
    // SAFETY: plain system calls on integers; the process has one thread.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    if unshare(OWN).is_err() {
        unshare(OWN | libc::CLONE_NEWUSER)?;
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    mount(c"/", None, libc::MS_REC | libc::MS_PRIVATE)?;
    // Names of namespaces belong to this process alone. Where the folder cannot be
    // made (no rights on /run), all of /run is covered.
    if !std::path::Path::new("/run/netns").is_dir() && std::fs::create_dir("/run/netns").is_err() {
        mount(c"/run", Some(c"tmpfs"), 0)?;
        std::fs::create_dir("/run/netns")?;
    }
    own_names()
}

/// Gives the calling thread an empty `/run/netns` that no other thread sees: tests run
/// side by side, and `monitor --all-netns` shows every name there is.
pub(crate) fn own_names() -> std::io::Result<()> {
    unshare(libc::CLONE_NEWNS)?;
    mount(c"/run/netns", Some(c"tmpfs"), 0)
}

pub(crate) fn unshare(flags: i32) -> std::io::Result<()> {
    // SAFETY: takes an integer only.
    match unsafe { libc::unshare(flags) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn mount(target: &CStr, kind: Option<&CStr>, flags: libc::c_ulong) -> std::io::Result<()> {
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: strings end in NUL and outlive the call; no data argument.
    let done = unsafe {
        libc::mount(
            c"none".as_ptr(),
            target.as_ptr(),
            kind,
            flags,
            std::ptr::null(),
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}
