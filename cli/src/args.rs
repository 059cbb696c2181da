//! The map of all options and commands.
//!
//! Declared once, here: argh parses options by it, [`crate::iproute2`] takes
//! the words that may be abbreviated from it, and help and usage are made of
//! it. The order decides between abbreviations: the first that begins so is
//! meant.
//!
//! There are two kinds of commands. Some are groups of actions, each with a
//! keyword list, which is a grammar of our own: rows of [`GROUPS`]. Some take
//! options of their own, which argh parses: variants of [`Command`].

use argh::FromArgs;

use crate::command;
use crate::error::Result;
use crate::session::Session;

/// Configure and watch Multipath TCP.
#[derive(FromArgs, Debug, Default)]
#[argh(
    help_triggers("--help"),
    note = "Options may be written with one dash and shortened, as with ip(8): -j, -js, -json.\n\
            Options of ip(8) that mean nothing here are accepted: -d -r -N -a -br -l -f -echo -0 -M -B.",
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
    #[argh(option, short = 'c', arg_name = "when", from_str_fn(lasting))]
    pub color: Option<&'static str>,
    /// put the time in front of each event
    #[argh(switch, short = 't')]
    pub timestamp: bool,
    /// the same in a short form
    #[argh(switch)]
    pub tshort: bool,
    /// work in this network namespace: a name or a path; monitor takes several
    #[argh(option, short = 'n', arg_name = "netns", from_str_fn(lasting))]
    pub netns: Vec<&'static str>,
    /// show every counter
    #[argh(switch)]
    pub stats: bool,
    /// amounts in units: 1.23k
    #[argh(switch, short = 'h')]
    pub human_readable: bool,
    /// the same in multiples of 1024: 1.21ki
    #[argh(switch)]
    pub iec: bool,
    /// read commands from a file, - for standard input
    #[argh(option, short = 'b', arg_name = "file", from_str_fn(lasting))]
    pub batch: Option<&'static str>,
    /// go on with a batch after a command that failed
    #[argh(switch)]
    pub force: bool,
    /// answer each line of a batch on standard output, and go on after failures
    #[argh(switch)]
    pub answer: bool,
    /// receive buffer of the sockets, in bytes
    #[argh(option, arg_name = "bytes", from_str_fn(lasting))]
    pub rcvbuf: Option<&'static str>,
    /// select IPv4 endpoints
    #[argh(switch, short = '4')]
    pub ipv4: bool,
    /// select IPv6 endpoints
    #[argh(switch, short = '6')]
    pub ipv6: bool,
    /// print the version
    #[argh(switch, short = 'V')]
    pub version: bool,
}

/// The commands with options of their own.
#[derive(FromArgs, Debug)]
#[argh(subcommand)]
pub enum Command {
    Monitor(Monitor),
    Status(Status),
    Counters(Counters),
    Doctor(Doctor),
    Save(Save),
    Apply(Apply),
    Watch(Watch),
}

/// Print events as they happen.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "monitor",
    help_triggers("--help"),
    note = "A slow reader loses nothing before the buffer is full; OVERRUN then tells how many\n\
            events were lost.\n\
            Exit status: 0 count reached, or a signal without --count and --timeout; 124 time\n\
            over; 128+N signal N; 254 cannot receive.\n\
            Somebody listening is seen by the kernel: where connections have a user-space path\n\
            manager, it takes a monitor for one, in whatever namespace.",
    example = "ip-mptcp monitor --event SF_CLOSED --dev wwan0 --count 1 --timeout 60"
)]
pub struct Monitor {
    /// begin with a SNAPSHOT record for each connection and subflow
    #[argh(switch)]
    pub snapshot: bool,
    /// do so again after events were lost
    #[argh(switch)]
    pub resync: bool,
    /// only events of this name; may be repeated
    #[argh(option, arg_name = "name", from_str_fn(lasting))]
    pub event: Vec<&'static str>,
    /// only this connection
    #[argh(option, arg_name = "token", from_str_fn(lasting))]
    pub token: Option<&'static str>,
    /// only what is bound to this interface, or has an address of it
    #[argh(option, arg_name = "if", from_str_fn(lasting))]
    pub dev: Option<&'static str>,
    /// end after so many events
    #[argh(option, arg_name = "n", from_str_fn(lasting))]
    pub count: Option<&'static str>,
    /// end after so many seconds, as 0.5
    #[argh(option, arg_name = "secs", from_str_fn(lasting))]
    pub timeout: Option<&'static str>,
    /// bytes kept for a slow reader (32 MiB)
    #[argh(option, arg_name = "bytes", from_str_fn(lasting))]
    pub buffer: Option<&'static str>,
    /// all network namespaces that have a name
    #[argh(switch)]
    pub all_netns: bool,
}

/// Show in one view what MPTCP is set to and what it is doing.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "status",
    help_triggers("--help"),
    note = "What the kernel can do is asked from it; unknown is what it does not tell.\n\
            States of endpoints: up, down, no-carrier, no-device (the device has gone), no-address\n\
            (no interface has the address), other-device (another than the named one has it).",
    example = "ip-mptcp status",
    example = "ip-mptcp status --prometheus >/var/lib/node_exporter/mptcp.prom"
)]
pub struct Status {
    /// write in the text format of Prometheus, with the counters
    #[argh(switch)]
    pub prometheus: bool,
}

/// Show the kernel's counters of MPTCP that are not 0.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "counters",
    help_triggers("--help"),
    note = "They count from the start of the network namespace. With --interval, MPCurrEstab is\n\
            what it is, all others are differences.",
    example = "ip-mptcp counters --interval 5"
)]
pub struct Counters {
    /// show those that are 0 too, behind the others
    #[argh(switch)]
    pub all: bool,
    /// show what was added, every so many seconds
    #[argh(option, arg_name = "secs", from_str_fn(lasting))]
    pub interval: Option<&'static str>,
    /// write in the text format of Prometheus, all of them
    #[argh(switch)]
    pub prometheus: bool,
}

/// Find out why subflows do not appear.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "doctor",
    help_triggers("--help"),
    note = "Each finding comes with its evidence and with what mends it. Counters count from the\n\
            start of the network namespace: what they tell may be over.\n\
            Exit status: 0 nothing is wrong, 1 something is.",
    example = "ip-mptcp doctor || logger 'MPTCP is ill'"
)]
pub struct Doctor {}
/// Print endpoints and limits as a state file.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "save",
    help_triggers("--help"),
    note = "A named file is replaced at once or not at all. Endpoints that the kernel made, or whose\n\
            interface has gone, are comments in it.",
    example = "ip-mptcp save /etc/mptcp.state"
)]
pub struct Save {
    /// where to; standard output where none is named
    #[argh(positional, from_str_fn(lasting))]
    pub file: Option<&'static str>,
}

/// Make endpoints and limits those of a state file.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "apply",
    help_triggers("--help"),
    note = "A state file is lines of these commands, with comments:\n\
            \x20 limits set subflows 4 add_addr_accepted 4\n\
            \x20 endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh\n\
            \x20 endpoint add dev lte -4 subflow backup   # its usable addresses\n\
            What fits stays untouched; limits that are not named stay. Where the kernel refuses a\n\
            change, those before it are undone. Of addresses that dev stands for, those that\n\
            the kernel has no room for are left out, with a warning.",
    error_code(3, "--dry-run: there is something to change"),
    example = "ip-mptcp apply --wait 10 /etc/mptcp.state"
)]
pub struct Apply {
    /// print the changes and make none; exit status 3 if there are any
    #[argh(switch)]
    pub dry_run: bool,
    /// leave endpoints alone that the file does not name
    #[argh(switch)]
    pub keep: bool,
    /// wait so long for MPTCP, the interfaces named and their first addresses
    #[argh(option, arg_name = "secs", from_str_fn(lasting))]
    pub wait: Option<&'static str>,
    /// the state file, - for standard input
    #[argh(positional, from_str_fn(lasting))]
    pub file: &'static str,
}

/// Keep endpoints as a state file says while interfaces and addresses change.
#[derive(FromArgs, Debug)]
#[argh(
    subcommand,
    name = "watch",
    help_triggers("--help"),
    note = "Applies the file, then follows: an interface that goes down or loses an address loses\n\
            the endpoint at once, one that comes back has it again with the same id. Lines with dev\n\
            have endpoints only while the interface can carry packets. Prints each change.\n\
            SIGHUP reads the file again; SIGTERM ends it and leaves the endpoints.",
    example = "ip-mptcp watch /etc/mptcp.state"
)]
pub struct Watch {
    /// leave endpoints alone that the file does not name
    #[argh(switch)]
    pub keep: bool,
    /// delete the endpoints of the file at the end
    #[argh(switch)]
    pub remove_on_exit: bool,
    /// the state file
    #[argh(positional, from_str_fn(lasting))]
    pub file: &'static str,
}

/// A word of the command line, kept until the program ends: a command has few,
/// and what is never freed is handed on without a copy.
fn lasting(word: &str) -> core::result::Result<&'static str, String> {
    Ok(Box::leak(Box::from(word)))
}

/// A command that is a group of actions.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// What it is about: one line.
    pub about: &'static str,
    /// The action that is meant where none is named.
    pub default: &'static str,
    /// The words that its actions take, one a line.
    pub words: &'static str,
    /// In the order in which abbreviations are resolved.
    pub actions: &'static [Action],
}

/// An action with a keyword list.
#[derive(Debug)]
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// The words that it takes, in short.
    pub words: &'static str,
    /// What it does: one line.
    pub about: &'static str,
    /// Notes and examples.
    pub help: &'static str,
    /// Does it, and returns the exit status.
    pub run: fn(&mut Session, &[&str]) -> Result<u8>,
}

/// The commands that are groups.
pub static GROUPS: &[Group] = &[
    Group {
        name: "endpoint",
        about: "Addresses that are used for subflows or announced to peers.",
        default: "show",
        words: "  ADDRESS    the address, IPv4 or IPv6
  dev IF     the interface that it is on
  id N       1-255; for a new one the kernel chooses where none is given
  port N     announce this port and listen there; with signal
  signal     announce the address to peers
  subflow    open further subflows from it
  laminar    use it for subflows to announced addresses
  backup     its subflows carry data only when others cannot
  fullmesh   subflows to all addresses of the peer
  implicit   made by the kernel itself; only selects
  -4, -6     only selects: of this family
  token T    only shows: those of this connection, with a user-space path manager
",
        actions: &[
            Action {
                name: "add",
                words: "ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
                about: "Add an endpoint.",
                help: "Example:
  ip-mptcp endpoint add 10.0.0.1 dev wan id 1 subflow fullmesh",
                run: command::endpoint::add,
            },
            Action {
                name: "change",
                words: "{ id N | ADDRESS [ port N ] } [ dev IF ] [ port N ] [ [no]FLAG ]...",
                about: "Change an endpoint: what is named and nothing else.",
                help: "Backup and fullmesh change in place. For signal, subflow, laminar, dev and port the
endpoint is deleted and added again with its id: this ends its subflows.
With id N the port is the new one, with ADDRESS it says which endpoint is meant.

Examples:
  ip-mptcp endpoint change id 3 signal nosubflow port 8080
  ip-mptcp endpoint change id 3 backup",
                run: command::endpoint::change,
            },
            Action {
                name: "delete",
                words: SELECTOR,
                about: "Delete the endpoints that match all words.",
                help: "id 0 ADDRESS closes the first subflow of connections from there.

Examples:
  ip-mptcp endpoint delete id 3
  ip-mptcp endpoint delete dev wwan0",
                run: command::endpoint::delete,
            },
            Action {
                name: "show",
                words: "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG ]... [ -4 | -6 ] [ token T ]",
                about: "Show endpoints: all, or those that match all words.",
                help: "Example:
  ip-mptcp -j endpoint show signal",
                run: command::endpoint::show,
            },
            Action {
                name: "flush",
                words: SELECTOR,
                about: "Delete all endpoints, or those that match all words.",
                help: "Example:
  ip-mptcp endpoint flush dev wwan0",
                run: command::endpoint::flush,
            },
            Action {
                name: "replace",
                words: "ADDRESS [ dev IF ] [ id N ] [ port N ] [ FLAG ]...",
                about: "Add an endpoint, or make the one that is there what is said.",
                help: "The endpoint with this address and port, or with this id,
is made equal to what is said, with the least change: said twice is said once.
Without id N it keeps its id; with id N alone it keeps its address and port.
Backup and fullmesh change in place, anything else ends its subflows.

Example:
  ip-mptcp endpoint replace 10.0.0.1 dev wan subflow backup",
                run: command::endpoint::replace,
            },
        ],
    },
    Group {
        name: "limits",
        about: "How many subflows and announced addresses a connection may have.",
        default: "show",
        words: "  subflows N           subflows beyond the first
  add_addr_accepted N  addresses accepted from the peer
",
        actions: &[
            // First, because `s` means it.
            Action {
                name: "set",
                words: "[ subflows N ] [ add_addr_accepted N ]",
                about: "Set limits; what is not named stays.",
                help: "Example:
  ip-mptcp limits set subflows 4 add_addr_accepted 4",
                run: command::limits::set,
            },
            Action {
                name: "show",
                words: "",
                about: "Show the limits.",
                help: "Example:
  ip-mptcp -j limits show",
                run: command::limits::show,
            },
        ],
    },
    Group {
        name: "connection",
        about: "MPTCP connections, with their subflows.",
        default: "show",
        words: "  token T         hexadecimal; none: fallen back before there was one
  dev IF          interface of a subflow
  ADDRESS         on either side
  local ADDRESS   here
  sport N         here
  remote ADDRESS  there
  dport N         there
  fallback        fallen back to TCP
  listen          listening sockets instead
  -4, -6          of this family
",
        actions: &[Action {
            name: "show",
            words: "[ token T ] [ dev IF ] [ ADDRESS ] [ local ADDRESS ] [ remote ADDRESS ] \
                    [ sport N ] [ dport N ] [ fallback ] [ listen ] [ -4 | -6 ]",
            about: "Show connections: all, or those that match all words, or a subflow does.",
            help: "Bytes, milliseconds, segments; share is of what all subflows carried. -s shows
every counter by its name in the kernel (mptcp_info, tcp_info).
INCOMPLETE: it changed while it was read.

Example:
  ip-mptcp -j conn show dport 443",
            run: command::connection::show,
        }],
    },
    Group {
        name: "address",
        about: "Announced addresses of a connection with a user-space path manager.",
        default: "announce",
        words: "  ADDRESS    of this host
  token T    the connection, hexadecimal, as monitor prints it
  id N       of the address, 1-255; 0 is that of the first subflow
  port P     announce this port too
  dev IF     the interface that has it
",
        actions: &[
            Action {
                name: "announce",
                words: "ADDRESS token T id N [ port P ] [ dev IF ]",
                about: "Announce an address to the peer (ADD_ADDR).",
                help: "The kernel refuses the peer's subflows unless a monitor listens to events.

Example:
  ip-mptcp address announce 192.0.2.2 token 0x5ca81c12 id 2",
                run: command::address::announce,
            },
            Action {
                name: "remove",
                words: "token T id N",
                about: "Take an announced address back (RM_ADDR) and close its subflows.",
                help: "Example:
  ip-mptcp address remove token 0x5ca81c12 id 2",
                run: command::address::remove,
            },
        ],
    },
    Group {
        name: "subflow",
        about: "Subflows of one connection; with a user-space path manager, open and close them.",
        default: "show",
        words: "  token T       the connection, hexadecimal, as monitor prints it
  id N          of the address here, 1-255
  from ADDRESS  here
  to ADDRESS    there
  port P        of the address in front of it
  dev IF        leave through this interface
  backup        it carries data only when others cannot
  nobackup      it carries data as others do
  fullmesh      a flag of the address here
",
        actions: &[
            Action {
                name: "show",
                words: "token T",
                about: "Show one connection and its subflows, as connection show does.",
                help: "Example:
  ip-mptcp subflow show token 0x5ca81c12",
                run: command::subflow::show,
            },
            Action {
                name: "create",
                words:
                    "token T id N from ADDRESS [ dev IF ] to ADDRESS port P [ backup | fullmesh ]",
                about: "Open a subflow; it is there when monitor tells of SF_ESTABLISHED.",
                help: "Example:
  ip-mptcp subflow create token 0x5ca81c12 id 3 from 10.0.2.1 dev wwan0 to 192.0.2.2 port 443",
                run: command::subflow::create,
            },
            Action {
                name: "delete",
                words: "token T from ADDRESS port P to ADDRESS port P",
                about: "Close a subflow.",
                help: "Example:
  ip-mptcp subflow delete token 0x5ca81c12 from 10.0.2.1 port 40123 to 192.0.2.2 port 443",
                run: command::subflow::delete,
            },
            Action {
                name: "change",
                words:
                    "token T from ADDRESS [ port P ] to ADDRESS [ port P ] { backup | nobackup }",
                about: "Make a subflow a backup, or an ordinary one again (MP_PRIO).",
                help: "Example:
  ip-mptcp subflow change token 0x5ca81c12 from 10.0.2.1 to 192.0.2.2 backup",
                run: command::subflow::change,
            },
        ],
    },
];

const SELECTOR: &str = "[ id N ] [ ADDRESS ] [ port N ] [ dev IF ] [ FLAG ]... [ -4 | -6 ]";
