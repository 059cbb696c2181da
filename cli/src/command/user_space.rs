//! What the commands of a user-space path manager share: `address`,
//! `subflow`, `endpoint show token`.

use mptcp_codec::mptcp::Endpoint;

use super::endpoint::device;
use crate::errno;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::path::{self, PathWords};
use crate::grammar::Words;
use crate::kernel::PathManager;
use crate::session::Session;

/// Reads the words of a command that takes a token and what `takes` says.
pub fn read(session: &mut Session, words: &[&str], takes: u8) -> Result<PathWords> {
    path::parse(Words::new(words), takes, &mut |name| {
        device(session.path_manager()?, name, false)
    })
}

/// The kernel's words for the common refusals, and what to do about them. The
/// first that fits counts.
static REMEDIES: &[(&str, &str)] = &[
    (
        "userspace PM not selected",
        "the connection was opened under the in-kernel path manager: set the sysctl \
         net.mptcp.path_manager=userspace, or pm_type=1 before Linux 6.15, before it is opened",
    ),
    (
        "invalid token",
        "no MPTCP connection in this network namespace has it",
    ),
    (
        "did not match address and id",
        "the connection has this address under another id, or this id for another address: \
         endpoint show token T tells",
    ),
    (
        "address with id",
        "endpoint show token T tells what was announced",
    ),
    ("invalid addr id", "id 0 is the first subflow's"),
    (
        "families mismatch",
        "both ends must be of one family, and an IPv4 connection takes IPv4 alone",
    ),
    (
        "address families do not match",
        "both ends must be of one family, and an IPv4 connection takes IPv4 alone",
    ),
    ("Unknown attribute type", NEWER),
    ("missing local port", "say: from ADDRESS port P"),
    ("missing remote port", "say: to ADDRESS port P"),
    (
        "subflow not found",
        "subflow show token T tells which there are",
    ),
];

/// The same with what the user can do about it, where that is known.
pub fn with_remedy(mut error: Error) -> Error {
    let message = error.message();
    let mut remedy = "";
    if error.errno() == libc::EOPNOTSUPP as u32 {
        // Kernels without the commands know no text for that.
        remedy = "user-space path managers need Linux 5.19 or newer";
    }
    for (text, known) in REMEDIES.iter().rev() {
        if contains(message, text.as_bytes()) {
            remedy = known;
        }
    }
    if let Some((_, text)) = connect_error(message).and_then(errno::describe) {
        remedy = text;
    }
    if remedy.is_empty() {
        return error;
    }
    error.push(b" (");
    error.push(remedy.as_bytes());
    error.push(b")");
    error
}

/// The number in "connect error: -99".
fn connect_error(message: &[u8]) -> Option<u32> {
    let number = message.strip_prefix(b"Error: connect error: -")?;
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |value: u32, digit| {
        value.wrapping_mul(10).wrapping_add((digit - b'0').into())
    }))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The addresses of one connection. The kernel's answer to a request for one
/// of them does not tell whether the connection or the address is missing, so
/// all are asked for.
pub fn endpoints(path_manager: &mut PathManager, token: u32) -> Result<Vec<Endpoint>> {
    let found = path_manager.endpoints(Some(token)).map_err(with_remedy)?;
    if token != NOBODY && knows_tokens(path_manager) == Some(false) {
        return Err(Error::new(
            Kind::Kernel,
            status::FAILED,
            &[
                "Error: this kernel cannot show the addresses of one connection: ",
                NEWER,
            ],
        )
        .about("token"));
    }
    Ok(found)
}

/// As good as no connection has this token.
const NOBODY: u32 = 1;

/// Whether this kernel looks at the token in a request for endpoints: kernels
/// before 6.7 take no notice of it and show those of the namespace, newer ones
/// that do not know it either refuse it as unknown.
pub fn knows_tokens(path_manager: &mut PathManager) -> Option<bool> {
    match path_manager.endpoints(Some(NOBODY)) {
        Ok(_) => Some(false),
        Err(error) if contains(error.message(), b"token") => Some(true),
        Err(error) if contains(error.message(), b"nknown attribute") => Some(false),
        Err(_) => None,
    }
}

const NEWER: &str = "Linux 6.10 or newer can";
