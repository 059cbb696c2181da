//! What the commands of a user-space path manager share: `address`,
//! `subflow`, `endpoint show token`.

use mptcp_codec::mptcp::Endpoint;

use super::endpoint::{describe, device};
use crate::errno;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::path::{self, PathWords};
use crate::grammar::Words;
use crate::kernel::PathManager;
use crate::output::take;
use crate::session::Session;

/// Reads the words of a command that takes a token and what `takes` says.
pub fn read(session: &mut Session, words: &[&str], takes: u8, said: &mut PathWords) -> Result<()> {
    path::parse(Words::new(words), takes, said, &mut |name| {
        device(session.path_manager()?, name, false)
    })
}

/// A request of the codec about a path of the connection with a token: this
/// end of it, and the peer's.
pub type Write = for<'b> fn(
    &'b mut [u8],
    u16,
    u32,
    u32,
    &Endpoint,
    &Endpoint,
) -> core::result::Result<&'b mut [u8], mptcp_codec::Error>;

/// Reads the words, which take what `takes` says, and sends the request.
pub fn ask(session: &mut Session, words: &[&str], takes: u8, write: Write) -> Result<u8> {
    let mut said = PathWords::default();
    read(session, words, takes, &mut said)?;
    let [local, remote] = &said;
    let token = local.token.unwrap_or(0);
    let (local, remote) = (describe(local), describe(remote));
    session
        .path_manager()?
        .set(&|buffer, family, seq| write(buffer, family, seq, token, &local, &remote))
        .map_err(with_remedy)?;
    Ok(0)
}

/// The kernel's words for the common refusals, and what to do about them; each
/// ends with a zero. The first that fits counts.
static REMEDIES: &[u8] = b"\
    userspace PM not selected\0\
    the connection was opened under the in-kernel path manager: set the sysctl \
    net.mptcp.path_manager=userspace, or pm_type=1 before Linux 6.15, before it is opened\0\
    invalid token\0\
    no MPTCP connection in this network namespace has it\0\
    did not match address and id\0\
    the connection has this address under another id, or this id for another address: \
    endpoint show token T tells\0\
    address with id\0\
    endpoint show token T tells what was announced\0\
    invalid addr id\0\
    id 0 is the first subflow's\0\
    families \0\
    both ends must be of one family, and an IPv4 connection takes IPv4 alone\0\
    Unknown attribute type\0\
    Linux 6.10 or newer can\0\
    missing local port\0\
    say: from ADDRESS port P\0\
    missing remote port\0\
    say: to ADDRESS port P\0\
    subflow not found\0\
    subflow show token T tells which there are\0";

/// The same with what the user can do about it, where that is known.
pub fn with_remedy(mut error: Error) -> Error {
    let message = error.message();
    let mut remedy: &[u8] = b"";
    if error.errno() == libc::EOPNOTSUPP as u32 {
        // Kernels without the commands know no text for that.
        remedy = b"user-space path managers need Linux 5.19 or newer";
    }
    let mut texts = REMEDIES;
    while !texts.is_empty() {
        let (text, known) = (take(&mut texts, 0), take(&mut texts, 0));
        if contains(message, text) {
            remedy = known;
            break;
        }
    }
    if let Some((_, text)) = connect_error(message).and_then(errno::describe) {
        remedy = text;
    }
    if remedy.is_empty() {
        return error;
    }
    error.push(b" (");
    error.push(remedy);
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
pub fn endpoints(
    path_manager: &mut PathManager,
    token: u32,
    into: &mut Vec<Endpoint>,
) -> Result<()> {
    path_manager
        .endpoints(Some(token), into)
        .map_err(with_remedy)?;
    if token != NOBODY && knows_tokens(path_manager) == Some(false) {
        return Err(Error::new(
            Kind::Kernel,
            status::FAILED,
            &[
                "Error: this kernel cannot show the addresses of one connection: \
               Linux 6.10 or newer can",
            ],
        )
        .about("token"));
    }
    Ok(())
}

/// As good as no connection has this token.
const NOBODY: u32 = 1;

/// Whether this kernel looks at the token in a request for endpoints: kernels
/// before 6.7 take no notice of it and show those of the namespace, newer ones
/// that do not know it either refuse it as unknown.
pub fn knows_tokens(path_manager: &mut PathManager) -> Option<bool> {
    match path_manager.endpoints(Some(NOBODY), &mut Vec::new()) {
        Ok(_) => Some(false),
        Err(error) if contains(error.message(), b"token") => Some(true),
        Err(error) if contains(error.message(), b"nknown attribute") => Some(false),
        Err(_) => None,
    }
}
