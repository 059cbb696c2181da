//! What can be wrong with bytes.
//!
//! What walks through messages or attributes fails with
//! [`Truncated`](ErrorKind::Truncated) and [`BadLength`](ErrorKind::BadLength);
//! what decodes them also with [`BadSize`](ErrorKind::BadSize) and
//! [`BadString`](ErrorKind::BadString). What builds a request fails with
//! [`NoSpace`](ErrorKind::NoSpace) and [`TooLong`](ErrorKind::TooLong). Whatever can fail otherwise says so where
//! it is described.

use core::fmt;

/// Why bytes were refused, which attribute it was about and where.
///
/// Eight bytes, `Copy`, no text inside: making one costs nothing, reading one
/// is up to [`Display`](fmt::Display).
// The kind comes first, where a `Result` tells success by looking at one byte.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Error {
    kind: ErrorKind,
    attribute: u16,
    offset: u32,
}

/// The kinds of [`Error`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorKind {
    /// Fewer bytes than a header needs.
    Truncated,
    /// A length that is smaller than its own header or larger than what
    /// contains it.
    BadLength,
    /// An attribute of a fixed size with another size.
    BadSize,
    /// A string without its terminating NUL, or with more behind it.
    BadString,
    /// The buffer given for writing is too small.
    NoSpace,
    /// A message of another type than the one asked for.
    WrongType,
    /// An attribute that must be there is not.
    Missing,
    /// A value longer than an attribute can be, whatever the buffer.
    TooLong,
    /// A value that this request cannot carry.
    BadValue,
}

impl Error {
    /// An error at `offset` that is about no attribute.
    #[cold]
    pub const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self::about(kind, 0, offset)
    }

    /// An error at `offset` about the attribute of type `attribute`.
    #[cold]
    pub const fn about(kind: ErrorKind, attribute: u16, offset: usize) -> Self {
        let offset = if offset > u32::MAX as usize {
            u32::MAX
        } else {
            offset as u32
        };
        Self {
            kind,
            attribute,
            offset,
        }
    }

    /// What is wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The type number of the attribute that it is about, flags taken off;
    /// `None` where it is about none.
    pub const fn attribute(&self) -> Option<u16> {
        if self.attribute == 0 {
            None
        } else {
            Some(self.attribute)
        }
    }

    /// Where: bytes from the start of the message (its `nlmsghdr`), as the
    /// kernel counts in `NLMSGERR_ATTR_OFFS`. For an error of the message
    /// walk itself: bytes from the start of the datagram.
    pub const fn offset(&self) -> usize {
        self.offset as usize
    }
}

impl ErrorKind {
    /// What is wrong, in a few words without numbers.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Truncated => "truncated header",
            Self::BadLength => "length does not fit",
            Self::BadSize => "wrong size of a fixed-size attribute",
            Self::BadString => "string not terminated",
            Self::NoSpace => "buffer too small",
            Self::WrongType => "unexpected message type",
            Self::Missing => "required attribute missing",
            Self::TooLong => "value too long for an attribute",
            Self::BadValue => "value cannot be sent",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())?;
        if let Some(attribute) = self.attribute() {
            write!(f, " (attribute {attribute})")?;
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn an_error_is_eight_bytes_and_says_what_which_and_where() {
        assert_eq!(core::mem::size_of::<Error>(), 8);
        assert_eq!(core::mem::size_of::<Option<Error>>(), 8);
        let error = Error::about(ErrorKind::BadSize, 5, 32);
        assert_eq!(
            error.to_string(),
            "wrong size of a fixed-size attribute (attribute 5) at byte 32"
        );
        assert_eq!(
            Error::new(ErrorKind::Truncated, usize::MAX).offset(),
            u32::MAX as usize
        );
    }
}
