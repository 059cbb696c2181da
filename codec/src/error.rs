//! What can be wrong with bytes.
//!
//! Walking through messages or attributes fails with [`Truncated`](ErrorKind::Truncated) and
//! [`BadLength`](ErrorKind::BadLength); decoding them also with
//! [`BadSize`](ErrorKind::BadSize) and [`BadString`](ErrorKind::BadString). Building a
//! request fails with [`NoSpace`](ErrorKind::NoSpace) and [`TooLong`](ErrorKind::TooLong).
//! Any other errors are documented where they can occur.

use core::fmt;

use crate::set::Names;

/// Why bytes were refused, which attribute was at fault, and where.
///
/// Two words, `Copy`, no text inside: making one costs nothing, reading one is
/// up to [`Display`](fmt::Display): `Limits: SUBFLOWS: wrong size at byte 28`.
// The kind comes first, so that one byte distinguishes a success in a `Result`.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Error {
    kind: ErrorKind,
    attribute: u16,
    offset: u32,
    set: Option<&'static Names>,
}

/// The kinds of [`Error`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ErrorKind {
    /// Fewer bytes than a header needs.
    Truncated,
    /// A length that is smaller than its own header or larger than its container.
    BadLength,
    /// An attribute of a fixed size that has another size.
    BadSize,
    /// A string without its terminating NUL, or with more after it.
    BadString,
    /// The buffer given for writing is too small.
    NoSpace,
    /// A message of another type than expected.
    WrongType,
    /// A required attribute is missing.
    Missing,
    /// A value longer than an attribute can be, whatever the buffer.
    TooLong,
    /// A value that is not possible in its place, such as one that a request cannot carry.
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
    #[cfg_attr(feature = "fast", inline(never))]
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
            set: None,
        }
    }

    /// The same about an attribute of this set, unless a set is named already.
    #[must_use]
    pub const fn in_set(mut self, set: &'static Names) -> Self {
        if cfg!(feature = "names") && self.set.is_none() {
            self.set = Some(set);
        }
        self
    }

    /// The name of the set that the attribute belongs to, if known: `Limits`. Without the
    /// feature `names` it never is.
    pub fn set(&self) -> Option<&'static str> {
        self.set.map(Names::set)
    }

    /// The kernel's name of the attribute, if the set is known: `SUBFLOWS`.
    pub fn attribute_name(&self) -> Option<&'static str> {
        self.set?.attribute(self.attribute()?)
    }

    /// What is wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The type number of the attribute at fault, without flags; `None` if the error is not
    /// about an attribute.
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
            Self::BadSize => "wrong size",
            Self::BadString => "string not terminated",
            Self::NoSpace => "buffer too small",
            Self::WrongType => "unexpected message type",
            Self::Missing => "required attribute missing",
            Self::TooLong => "value too long for an attribute",
            Self::BadValue => "value out of range",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(set) = self.set() {
            write!(f, "{set}: ")?;
        }
        match (self.attribute_name(), self.attribute()) {
            (Some(name), _) => write!(f, "{name}: ")?,
            (None, Some(number)) => write!(f, "attribute {number}: ")?,
            (None, None) => {}
        }
        write!(f, "{} at byte {}", self.kind.text(), self.offset)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl core::error::Error for Error {}

#[cfg(feature = "std")]
impl From<Error> for std::io::Error {
    /// With the kind `InvalidData`, or for a request `InvalidInput`.
    fn from(error: Error) -> Self {
        let kind = match error.kind {
            ErrorKind::NoSpace | ErrorKind::TooLong | ErrorKind::BadValue => {
                std::io::ErrorKind::InvalidInput
            }
            _ => std::io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    /// An input that causes an error of this kind. A kind that nothing causes does not compile
    /// here.
    fn made(kind: ErrorKind) -> Error {
        use crate::generic::controller;
        use crate::mptcp::{request, Endpoint, Limits};
        use crate::netlink::{Attributes, Header, Messages, Writer};
        use crate::order::Little;
        let attributes = |bytes| Attributes::<Little>::with_order(bytes);
        let message = |bytes: &[u8]| {
            let message = crate::testing::message::<Little>(bytes);
            Endpoint::decode(&message).unwrap_err()
        };
        match kind {
            ErrorKind::Truncated => Messages::new(&[0; 15]).next().unwrap().unwrap_err(),
            ErrorKind::BadLength => attributes(&[9, 0, 1, 0]).next().unwrap().unwrap_err(),
            ErrorKind::BadSize => {
                Limits::from_attributes(attributes(&[5, 0, 3, 0, 1])).unwrap_err()
            }
            ErrorKind::BadString => {
                let attribute = attributes(&[5, 0, 1, 0, b'x']).next().unwrap();
                attribute.unwrap().text().unwrap_err()
            }
            ErrorKind::NoSpace => request::get_limits(&mut [0; 16], 30, 1).unwrap_err(),
            ErrorKind::WrongType => message(&[16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ErrorKind::Missing => {
                message(&[20, 0, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0])
            }
            ErrorKind::TooLong => {
                let mut buffer = [0; 64];
                let mut writer = Writer::new(&mut buffer, Header::default());
                writer.put_bytes(1, &[0; 1 << 16]);
                writer.finish().unwrap_err()
            }
            ErrorKind::BadValue => controller::family_by_name(&mut [0; 64], 1, "a\0b").unwrap_err(),
        }
    }

    #[test]
    fn every_kind_of_error_is_made_by_some_input_and_has_words_of_its_own() {
        let kinds = [
            ErrorKind::Truncated,
            ErrorKind::BadLength,
            ErrorKind::BadSize,
            ErrorKind::BadString,
            ErrorKind::NoSpace,
            ErrorKind::WrongType,
            ErrorKind::Missing,
            ErrorKind::TooLong,
            ErrorKind::BadValue,
        ];
        for (at, kind) in kinds.into_iter().enumerate() {
            assert_eq!(made(kind).kind(), kind);
            assert!(kinds[..at].iter().all(|other| other.text() != kind.text()));
        }
    }

    #[test]
    fn an_error_is_two_words_and_says_in_what_which_and_where() {
        use crate::mptcp::{Endpoint, Limits};
        let size = 8 + core::mem::size_of::<usize>();
        assert_eq!(core::mem::size_of::<Error>(), size);
        assert_eq!(core::mem::size_of::<Option<Error>>(), size);
        let error = Error::about(ErrorKind::BadSize, 3, 28);
        assert_eq!(error.to_string(), "attribute 3: wrong size at byte 28");
        let error = error.in_set(Limits::NAMES);
        assert_eq!(error.to_string(), "Limits: SUBFLOWS: wrong size at byte 28");
        // The innermost set is the one that counts.
        assert_eq!(error.in_set(Endpoint::NAMES), error);
        let error = Error::about(ErrorKind::BadLength, 99, 28).in_set(Limits::NAMES);
        assert_eq!(
            error.to_string(),
            "Limits: attribute 99: length does not fit at byte 28"
        );
        let error = Error::new(ErrorKind::Truncated, 28).in_set(Limits::NAMES);
        assert_eq!(error.to_string(), "Limits: truncated header at byte 28");
        assert_eq!(
            Error::new(ErrorKind::Truncated, usize::MAX).offset(),
            u32::MAX as usize
        );
    }
}
