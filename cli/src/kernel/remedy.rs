//! What the user can do about a refusal.

use crate::errno;
use crate::error::Error;
use crate::text::take;

/// The kernel's messages for common refusals, and what to do about them; each ends with a zero.
/// The first that fits counts.
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

/// The same with what the user can do about it, if that is known.
pub fn with_remedy(mut error: Error) -> Error {
    let message = error.message();
    let mut remedy: &[u8] = b"";
    if error.errno() == libc::EOPNOTSUPP as usize {
        // Kernels without the commands have no message for that.
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
fn connect_error(message: &[u8]) -> Option<usize> {
    let number = message.strip_prefix(b"Error: connect error: -")?;
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |value: usize, digit| {
        value.wrapping_mul(10).wrapping_add((digit - b'0').into())
    }))
}

pub fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
