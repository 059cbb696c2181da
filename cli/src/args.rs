//! All options, of the program and of its commands.
//!
//! Each is declared once, here, for argh. The row of a command in the table of commands
//! lists those that it takes; [`crate::iproute2`] lists those that the program takes before
//! a command, and how they may be written there.

use argh::FromArgs;

use crate::error::{Error, Result};

/// The value of an option that was not given, known at compile time.
trait NotGiven {
    const VALUE: Self;
}

impl NotGiven for bool {
    const VALUE: Self = false;
}

impl<T> NotGiven for Option<T> {
    const VALUE: Self = None;
}

impl<T> NotGiven for Vec<T> {
    const VALUE: Self = Vec::new();
}

/// Declares the options, and [`NONE`]: most runs have none, and clearing a structure of
/// this size takes as long as asking the kernel. `if` is followed by the features whose
/// commands take the option.
macro_rules! options {
    (
        $(#[$of_all:meta])*
        pub struct Options {
            $(
                $(#[$of_one:meta])*
                pub $name:ident: $kind:ident$(<&$life:lifetime $of:ident>)? $(if $($feature:tt)or+)?,
            )*
        }
    ) => {
        $(#[$of_all])*
        pub struct Options {
            $(
                $(#[cfg(any($(feature = $feature),+))])?
                $(#[$of_one])*
                pub $name: $kind$(<&$life $of>)?,
            )*
        }

        /// All options as if none was given: those that this build lacks are read here.
        pub struct Missing {
            $(
                #[allow(missing_docs)]
                pub $name: $kind$(<&$life $of>)?,
            )*
        }

        impl core::ops::Deref for Options {
            type Target = Missing;

            fn deref(&self) -> &Missing {
                static MISSING: Missing = Missing {
                    $($name: <$kind$(<&$life $of>)? as NotGiven>::VALUE,)*
                };
                &MISSING
            }
        }

        /// No option was given.
        pub static NONE: Options = Options {
            $(
                $(#[cfg(any($(feature = $feature),+))])?
                $name: <$kind$(<&$life $of>)? as NotGiven>::VALUE,
            )*
        };
    };
}

options! {
    /// Configure and watch Multipath TCP.
    #[derive(FromArgs, Debug)]
    // Usage comes from the rows of commands: only argh's lines about options are shown.
    #[argh(help_triggers("--help"), usage = "")]
    pub struct Options {
        // Of the program.
        /// JSON output, also of errors
        #[argh(switch, short = 'j')]
        pub json: bool,
        /// indent JSON
        #[argh(switch, short = 'p')]
        pub pretty: bool,
        /// one line: a backslash for each newline
        #[argh(switch, short = 'o')]
        pub oneline: bool,
        /// colours WHEN: always, auto or never
        #[argh(option, short = 'c', arg_name = "when", from_str_fn(lasting))]
        pub color: Vec<&'static str>,
        /// put the time before each event
        #[argh(switch, short = 't')]
        pub timestamp: bool,
        /// the same in a short form
        #[argh(switch)]
        pub tshort: bool,
        /// work in network namespace NETNS: a name or a path
        #[cfg_attr(feature = "monitor-more", doc = "; monitor takes several")]
        #[argh(option, short = 'n', arg_name = "netns", from_str_fn(lasting))]
        pub netns: Vec<&'static str>,
        /// show every counter
        #[argh(switch, short = 's')]
        pub stats: bool if "connections",
        /// amounts in units: 1.23k
        #[argh(switch, short = 'h')]
        pub human_readable: bool if "health" or "connections",
        /// the same in multiples of 1024: 1.21ki
        #[argh(switch)]
        pub iec: bool if "health" or "connections",
        /// read commands from FILE, - for standard input
        #[argh(option, short = 'b', arg_name = "file", from_str_fn(lasting))]
        pub batch: Vec<&'static str>,
        /// continue a batch after a command that failed
        #[argh(switch)]
        pub force: bool,
        /// answer each line of a batch on standard output, and go on after failures
        #[argh(switch)]
        pub answer: bool,
        /// receive buffer of the sockets: BYTES
        #[argh(option, arg_name = "bytes", from_str_fn(lasting))]
        pub rcvbuf: Vec<&'static str>,
        /// select IPv4
        #[argh(switch, short = '4')]
        pub ipv4: bool,
        /// select IPv6
        #[argh(switch, short = '6')]
        pub ipv6: bool,
        /// print the version
        #[argh(switch, short = 'V')]
        pub version: bool,

        // Of commands.
        /// begin with a SNAPSHOT record for each connection and subflow
        #[argh(switch)]
        pub snapshot: bool if "monitor-more",
        /// take a new snapshot after events were lost
        #[argh(switch)]
        pub resync: bool if "monitor-more",
        /// begin each record with its time, as 2026-11-23T19:54:08.698703+01:00
        #[argh(switch)]
        pub time: bool if "monitor-more",
        /// print each event as it comes, not a millisecond's worth at a time
        #[argh(switch)]
        pub no_gather: bool if "monitor-more",
        /// only events of this name; may be repeated
        #[argh(option, arg_name = "name", from_str_fn(lasting))]
        pub event: Vec<&'static str>,
        /// only this connection
        #[argh(option, arg_name = "token", from_str_fn(lasting))]
        pub token: Option<&'static str>,
        /// only what is bound to this interface, or has an address of it
        #[argh(option, arg_name = "if", from_str_fn(lasting))]
        pub dev: Option<&'static str> if "monitor-more",
        /// end after N reports
        #[argh(option, arg_name = "n", from_str_fn(lasting))]
        pub count: Option<&'static str>,
        /// end after this many seconds, as 0.5
        #[argh(option, arg_name = "secs", from_str_fn(lasting))]
        pub timeout: Option<&'static str>,
        /// bytes kept for a slow reader (32 MiB)
        #[argh(option, arg_name = "bytes", from_str_fn(lasting))]
        pub buffer: Option<&'static str> if "monitor-more",
        /// all named network namespaces
        #[argh(switch)]
        pub all_netns: bool if "monitor-more",
        /// write in the text format of Prometheus, all counters
        #[argh(switch)]
        pub prometheus: bool if "health",
        /// also show those that are 0, after the others
        #[argh(switch)]
        pub all: bool if "health",
        /// report every this many seconds
        #[argh(option, arg_name = "secs", from_str_fn(lasting))]
        pub interval: Option<&'static str> if "health" or "connections",
        /// earlier output of counters: look at what is new since
        #[argh(option, arg_name = "file", from_str_fn(lasting))]
        pub since: Option<&'static str> if "health",
        /// print the changes and make none; exit status 3 if there are any
        #[argh(switch)]
        pub dry_run: bool if "state",
        /// leave endpoints not named in the file alone
        #[argh(switch)]
        pub keep: bool if "state",
        /// an empty state deletes all endpoints
        #[argh(switch)]
        pub allow_empty: bool if "state",
        /// leave backup and fullmesh alone where others changed them
        #[argh(switch)]
        pub keep_flags: bool if "state",
        /// wait this long for MPTCP, the interfaces and addresses named; then apply what
        /// there is
        #[argh(option, arg_name = "secs", from_str_fn(lasting))]
        pub wait: Option<&'static str> if "state",
        /// call this program before an endpoint is added and after one is deleted
        #[argh(option, arg_name = "program", from_str_fn(lasting))]
        pub exec: Option<&'static str> if "state",
        /// do not reopen subflows that died
        #[argh(switch)]
        pub no_heal: bool if "state",
        /// delete the endpoints of the file on exit
        #[argh(switch)]
        pub remove_on_exit: bool if "state",
        /// a row for each path, connection or subflow
        #[argh(option, arg_name = "what", from_str_fn(lasting))]
        pub by: Option<&'static str> if "connections",
        /// a word of a keyword list among options
        #[argh(option, arg_name = "word", from_str_fn(lasting))]
        pub keyword: Vec<&'static str> if "connections",
        /// a state file, - for standard input or output
        #[argh(positional, from_str_fn(lasting))]
        pub file: Option<&'static str> if "state",
    }
}

impl Options {
    /// The file that a command cannot do without.
    pub fn file(&self) -> Result<&'static str> {
        self.file.ok_or_else(|| Error::required("FILE"))
    }
}

/// A word of the command line, kept until the program ends: a command has few of them, and
/// what is never freed can be passed on without a copy.
fn lasting(word: &str) -> core::result::Result<&'static str, String> {
    Ok(Box::leak(Box::from(word)))
}
