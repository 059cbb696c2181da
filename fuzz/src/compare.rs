//! The codec's answers beside the judge's.

use std::net::{Ipv4Addr, Ipv6Addr};

use mptcp_codec::mptcp::{Endpoint, EventAttributes, Limits};
use mptcp_codec::{Error, ErrorKind};

use super::reference::{self, Fault};

/// Both took the bytes and read the same, or both refused them, for the same
/// reason at the same place.
pub fn agree<T: PartialEq + std::fmt::Debug>(codec: Result<T, Error>, judge: Result<T, Fault>) {
    match (&codec, judge) {
        (Ok(codec), Ok(judge)) => assert_eq!(*codec, judge),
        (Err(error), Err(fault)) => same_fault(*error, fault),
        (codec, judge) => panic!("codec {codec:?}, judge {judge:?}"),
    }
}

/// As [`agree`], for a message of the set where it is `right`; another one is
/// refused as such.
pub fn agree_where<T: PartialEq + std::fmt::Debug>(
    right: bool,
    codec: Result<T, Error>,
    judge: Result<T, Fault>,
) {
    if right {
        return agree(codec, judge);
    }
    match codec {
        Err(error) => assert_eq!(error.kind(), ErrorKind::WrongType),
        Ok(codec) => panic!("another message was taken for {codec:?}"),
    }
}

/// The codec's error says what the judge says.
pub fn same_fault(error: Error, fault: Fault) {
    super::print(format_args!("{error} {error:?}"));
    let (kind, at) = match fault {
        Fault::Truncated(at) => (ErrorKind::Truncated, at),
        Fault::Length(at) => (ErrorKind::BadLength, at),
        Fault::Size(at) => (ErrorKind::BadSize, at),
        Fault::Text(at) => (ErrorKind::BadString, at),
        Fault::Missing => (ErrorKind::Missing, error.offset()),
    };
    assert_eq!((error.kind(), error.offset()), (kind, at), "{error}");
}

/// The codec's endpoint in the judge's words.
pub fn endpoint(e: &Endpoint) -> reference::Endpoint {
    reference::Endpoint {
        family: e.family(),
        id: e.id(),
        addr4: e.addr4(),
        addr6: e.addr6(),
        port: e.port(),
        flags: e.flags().map(|f| f.0),
        if_idx: e.if_idx(),
        unknown: e.unknown(),
    }
}

/// The codec's limits in the judge's words.
pub fn limits(l: &Limits) -> reference::Limits {
    reference::Limits {
        add_addr_accepted: l.add_addr_accepted(),
        subflows: l.subflows(),
        unknown: l.unknown(),
    }
}

macro_rules! event {
    ($($number:literal $field:ident $with:ident: $type:ty = $kind:ident;)+) => {
        /// The codec's event in the judge's words.
        pub fn event(e: &EventAttributes) -> reference::Event {
            reference::Event {
                $($field: e.$field().map(<$type>::from),)+
                unknown: e.unknown(),
            }
        }
    };
}

event_attributes!(event);
