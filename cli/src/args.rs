//! The map of all options and commands.
//!
//! Declared once, here: argh parses by it and makes `--help` of it, and
//! [`crate::iproute2`] takes the words that may be abbreviated from it. The
//! order of the commands decides between abbreviations: the first that begins
//! so is meant.

use argh::FromArgs;

/// Configure and watch Multipath TCP.
#[derive(FromArgs, Debug, Default)]
#[argh(
    help_triggers("--help"),
    note = "Options may be written with one dash and shortened, as with ip(8): -j, -js, -json.\n\
            Options of ip(8) that mean nothing here are accepted: -d -s -h -iec -r -N -a -br -l -f -echo -0 -M -B.",
    example = "Use a second uplink for further subflows:\n  ip-mptcp endpoint add 192.0.2.2 dev wwan0 subflow",
    example = "Watch connections come and go:\n  ip-mptcp -ts monitor"
)]
pub struct Options {
    /// JSON output, also of errors
    #[argh(switch, short = 'j')]
    pub json: bool,
    /// indent JSON
    #[argh(switch, short = 'p')]
    pub pretty: bool,
    /// one line: a backslash for each newline
    #[argh(switch, short = 'o')]
    pub oneline: bool,
    /// colours: always, auto or never
    #[argh(option, short = 'c', arg_name = "when")]
    pub color: Option<String>,
    /// put the time in front of each event
    #[argh(switch, short = 't')]
    pub timestamp: bool,
    /// the same in a short form
    #[argh(switch)]
    pub tshort: bool,
    /// work in this network namespace: a name or a path
    #[argh(option, short = 'n', arg_name = "netns")]
    pub netns: Option<String>,
    /// read commands from a file, - for standard input
    #[argh(option, short = 'b', arg_name = "file")]
    pub batch: Option<String>,
    /// go on with a batch after a command that failed
    #[argh(switch)]
    pub force: bool,
    /// receive buffer of the sockets, in bytes
    #[argh(option, arg_name = "bytes")]
    pub rcvbuf: Option<String>,
    /// select IPv4 endpoints
    #[argh(switch, short = '4')]
    pub ipv4: bool,
    /// select IPv6 endpoints
    #[argh(switch, short = '6')]
    pub ipv6: bool,
    /// print the version
    #[argh(switch, short = 'V')]
    pub version: bool,
    #[argh(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum Command {
    Endpoint(Endpoint),
    Limits(Limits),
    Monitor(Monitor),
}

/// Addresses that are used for subflows or announced to peers.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "endpoint", help_triggers("--help"))]
pub struct Endpoint {
    #[argh(subcommand)]
    pub action: Option<EndpointAction>,
}

/// What is done with endpoints.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum EndpointAction {
    Add(EndpointAdd),
    Change(EndpointChange),
    Delete(EndpointDelete),
    Show(EndpointShow),
    Flush(EndpointFlush),
}

/// Add an endpoint.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("--help"),
    note = "Words, in any order:\n\
            \x20 ADDRESS    the address, IPv4 or IPv6\n\
            \x20 dev IF     the interface that it is on\n\
            \x20 id N       1-255; the kernel chooses where none is given\n\
            \x20 port N     announce this port and listen there; with signal\n\
            \x20 signal     announce the address to peers\n\
            \x20 subflow    open further subflows from it\n\
            \x20 laminar    use it for subflows to announced addresses\n\
            \x20 backup     its subflows carry data only when others cannot\n\
            \x20 fullmesh   subflows to all addresses of the peer",
    example = "ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh"
)]
pub struct EndpointAdd {
    /// what to add
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Change the flags of an endpoint, those that are named and no others.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "change",
    help_triggers("--help"),
    note = "Words: id N or ADDRESS [port N], then backup, nobackup, fullmesh, nofullmesh",
    example = "ip-mptcp endpoint change id 3 backup"
)]
pub struct EndpointChange {
    /// which endpoint, and what to change
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Delete the endpoints that match all words.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "delete",
    help_triggers("--help"),
    note = "Words: id N, ADDRESS, port N, dev IF, any flag, -4, -6.\n\
            id 0 ADDRESS closes the first subflow of connections from there.",
    example = "ip-mptcp endpoint delete id 3",
    example = "ip-mptcp endpoint delete dev wwan0"
)]
pub struct EndpointDelete {
    /// which endpoints
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Show endpoints: all, or those that match all words.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "show",
    help_triggers("--help"),
    note = "Words: id N, ADDRESS, port N, dev IF, any flag, -4, -6.",
    example = "ip-mptcp -j endpoint show signal"
)]
pub struct EndpointShow {
    /// which endpoints
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Delete all endpoints, or those that match all words.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "flush",
    help_triggers("--help"),
    note = "Words: id N, ADDRESS, port N, dev IF, any flag, -4, -6.",
    example = "ip-mptcp endpoint flush dev wwan0"
)]
pub struct EndpointFlush {
    /// which endpoints
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// How many subflows and announced addresses a connection may have.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "limits", help_triggers("--help"))]
pub struct Limits {
    #[argh(subcommand)]
    pub action: Option<LimitsAction>,
}

/// What is done with limits. `set` comes first: `s` means it.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum LimitsAction {
    Set(LimitsSet),
    Show(LimitsShow),
}

/// Set limits; what is not named stays.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "set",
    help_triggers("--help"),
    note = "Words:\n\
            \x20 subflows N           subflows beyond the first\n\
            \x20 add_addr_accepted N  addresses accepted from the peer",
    example = "ip-mptcp limits set subflows 4 add_addr_accepted 4"
)]
pub struct LimitsSet {
    /// which limits
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Show the limits.
#[derive(FromArgs, Debug)]
#[argh(subcommand, name = "show", help_triggers("--help"))]
pub struct LimitsShow {
    /// accepted and checked, without effect, as with ip(8)
    #[argh(positional, greedy)]
    pub words: Vec<String>,
}

/// Print events as they happen.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "monitor",
    help_triggers("--help"),
    note = "Somebody listening is seen by the kernel: where connections have a user-space path \
            manager, it takes a monitor for one.",
    example = "ip-mptcp -j monitor"
)]
pub struct Monitor {}
