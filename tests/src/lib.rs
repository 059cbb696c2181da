//! Helpers of the tests that drive the built `ip-mptcp` against the running kernel.
//!
//! Nothing here uses the project's codec or command line: the tests look at the
//! kernel through a few hand-written netlink messages ([`netlink`], [`kernel`]), so
//! that a mistake in the product cannot hide itself.
//!
//! | module | what it gives a test |
//! |---|---|
//! | [`documents`] | README, man page and the like; a folder to try in what they show |
//! | [`captures`] | what seven real kernels sent, as bytes |
//! | [`namespace`] | fresh network namespaces, names for them, veth pairs, addresses |
//! | [`paths`] | a client and a server with two paths between them |
//! | [`program`] | the built binary, run with any argv, stdin, descriptors, under a time limit |
//! | [`kernel`] | the endpoints and limits the kernel holds; setting them without the tool |
//! | [`netlink`] | the raw messages under [`kernel`] and [`namespace`] |
//! | [`connection`] | real MPTCP connections and what the kernel says of them |
//! | [`monitor`] | a running `monitor`, known to be subscribed; an independent event counter |
//! | [`load`] | thousands of connections |
//! | [`picture`] | pictures of the README, made of what was seen and stored in them |
//! | [`random`] | random numbers that a seed repeats |
//! | [`schema`] | a judge of the shape of JSON |
//! | [`lock`] | what tests in all namespaces share: whether anybody listens to events |
//! | [`table`], [`contract`] | tables of cases kept as data, and running them |
//! | [`wait`] | waiting for a condition with a deadline, reporting a skipped test |
//!
//! Environment:
//! * `IP_MPTCP_BIN`: test this binary instead of building one;
//! * `IP_MPTCP_PROFILE`: the cargo profile to build with (default: `dev`);
//! * `IP_MPTCP_NO_SKIP`: a test that would be skipped fails instead;
//! * `IP_MPTCP_SEED`: the seed of the random comparison.

mod before_main;
pub mod captures;
pub mod connection;
pub mod contract;
pub mod documents;
pub mod kernel;
pub mod load;
pub mod lock;
pub mod monitor;
pub mod namespace;
pub mod netlink;
pub mod paths;
pub mod picture;
pub mod program;
pub mod random;
pub mod schema;
pub mod table;
pub mod wait;
