//! Names and texts of error numbers.
//!
//! Numbers are the machine's own (MIPS and others count differently), so the
//! table is made from the C library's constants. The texts are glibc's, on
//! every C library, so that messages do not depend on how this was built.

use crate::text::take;

/// An error number of this machine. As wide as a register, as [`Status`] is: a
/// `Result` of less would be returned through memory.
///
/// [`Status`]: crate::error::Status
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Errno(pub usize);

/// The name, such as `EEXIST`, and the text of an error number; `None` for one that sockets,
/// files and the path manager do not return.
pub fn describe(number: usize) -> Option<(&'static [u8], &'static [u8])> {
    let mut texts = TEXTS.as_bytes();
    for listed in NUMBERS {
        let (name, text) = (take(&mut texts, 0), take(&mut texts, 0));
        if usize::from(*listed) == number {
            return Some((name, text));
        }
    }
    None
}

// The texts are one string: a table of slices would double the size.
macro_rules! errors {
    ($($name:ident $text:literal)*) => {
        static NUMBERS: &[u16] = &[$(libc::$name as u16),*];
        static TEXTS: &str = concat!($(stringify!($name), "\0", $text, "\0"),*);
    };
}

errors! {
    EPERM "Operation not permitted"
    ENOENT "No such file or directory"
    ESRCH "No such process"
    EINTR "Interrupted system call"
    EIO "Input/output error"
    ENXIO "No such device or address"
    E2BIG "Argument list too long"
    EBADF "Bad file descriptor"
    EAGAIN "Resource temporarily unavailable"
    ENOMEM "Cannot allocate memory"
    EACCES "Permission denied"
    EFAULT "Bad address"
    EBUSY "Device or resource busy"
    EEXIST "File exists"
    ENODEV "No such device"
    ENOTDIR "Not a directory"
    EISDIR "Is a directory"
    EINVAL "Invalid argument"
    ENFILE "Too many open files in system"
    EMFILE "Too many open files"
    ENOTTY "Inappropriate ioctl for device"
    EFBIG "File too large"
    ENOSPC "No space left on device"
    EROFS "Read-only file system"
    EPIPE "Broken pipe"
    ERANGE "Numerical result out of range"
    ENAMETOOLONG "File name too long"
    ENOSYS "Function not implemented"
    ELOOP "Too many levels of symbolic links"
    EOVERFLOW "Value too large for defined data type"
    EDQUOT "Disk quota exceeded"
    EDESTADDRREQ "Destination address required"
    EMSGSIZE "Message too long"
    EPROTONOSUPPORT "Protocol not supported"
    EOPNOTSUPP "Operation not supported"
    EAFNOSUPPORT "Address family not supported by protocol"
    EADDRINUSE "Address already in use"
    EADDRNOTAVAIL "Cannot assign requested address"
    ENETDOWN "Network is down"
    ENETUNREACH "Network is unreachable"
    ECONNABORTED "Software caused connection abort"
    ECONNRESET "Connection reset by peer"
    ENOBUFS "No buffer space available"
    EISCONN "Transport endpoint is already connected"
    ENOTCONN "Transport endpoint is not connected"
    ETIMEDOUT "Connection timed out"
    ECONNREFUSED "Connection refused"
    EHOSTUNREACH "No route to host"
    EALREADY "Operation already in progress"
    EINPROGRESS "Operation now in progress"
}
