//! Generic netlink (`linux/genetlink.h`): one netlink protocol shared by many
//! families, each with its own commands and attributes.
//!
//! ```text
//! +---------------+---------------+-------------------------------+
//! |      cmd      |    version    |           reserved            |
//! +---------------+---------------+-------------------------------+
//! |                           attributes                          |
//! ```
//!
//! The `nlmsg_type` of a message is the id of its family. Ids are assigned when the kernel
//! starts or loads the family; the [`controller`] returns the id for a name.

pub mod controller;
pub mod policy;

use crate::error::{Error, ErrorKind};
use crate::netlink::{message_type, Attributes, Header, Message, Writer, HEADER_LEN};
use crate::order::{Native, Order};

/// Length of `struct genlmsghdr` (`GENL_HDRLEN`).
#[doc(alias = "GENL_HDRLEN")]
pub const GENERIC_HEADER_LEN: usize = 4;

/// The protocol to open a socket with.
pub const NETLINK_GENERIC: i32 = 16;

/// A message after its generic netlink header.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias = "genlmsghdr")]
pub struct Generic<'a, E: Order = Native> {
    /// `cmd`: command or event, numbered by the family.
    pub command: u8,
    /// `version` of the family's interface.
    pub version: u8,
    /// What follows.
    pub attributes: Attributes<'a, E>,
}

impl<'a, E: Order> Generic<'a, E> {
    /// Nothing of it: for tests of what takes one, whose fields are then set.
    pub const EMPTY: Self = Self {
        command: 0,
        version: 0,
        attributes: Attributes::NONE,
    };

    /// Reads the header of a message of a family without a header of its own
    /// (`hdrsize` 0, as the controller and `mptcp_pm`), or
    /// [`ErrorKind::Truncated`]; [`ErrorKind::WrongType`] for a control message.
    ///
    /// Ids of families are assigned at run time: neither this nor what is decoded with it
    /// can know whether the message is of the right family. That is up to the caller.
    #[inline(always)]
    pub fn decode(message: &Message<'a, E>) -> Result<Self, Error> {
        if message.header.message_type < message_type::MIN {
            return Err(Error::new(ErrorKind::WrongType, 4));
        }
        match message.payload().split_first_chunk::<GENERIC_HEADER_LEN>() {
            Some(([command, version, _, _], rest)) => Ok(Self {
                command: *command,
                version: *version,
                attributes: Attributes::at(rest, HEADER_LEN + GENERIC_HEADER_LEN),
            }),
            None => Err(Error::new(ErrorKind::Truncated, HEADER_LEN)),
        }
    }
}

/// Begins a request: `command` of the family with id `family`.
#[inline]
pub fn request(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    flags: u16,
    command: u8,
    version: u8,
) -> Writer<'_> {
    request_with_order(buffer, family, seq, flags, command, version)
}

/// Like [`request`], in the order of another machine.
#[inline]
pub fn request_with_order<E: Order>(
    buffer: &mut [u8],
    family: u16,
    seq: u32,
    flags: u16,
    command: u8,
    version: u8,
) -> Writer<'_, E> {
    let header = Header {
        len: 0,
        message_type: family,
        flags,
        seq,
        port_id: 0,
    };
    let mut writer = Writer::with_order(buffer, header);
    writer.bytes([command, version, 0, 0]);
    writer
}

/// Declares a family of generic netlink: its name, version, commands, groups and
/// the set of its attributes.
///
/// ```
/// use mptcp_codec::generic::controller;
/// use mptcp_codec::netlink::{flags, Messages};
///
/// mptcp_codec::attribute_set! {
///     /// What the kernel remembers of a host.
///     pub struct Metrics<'a> {
///         /// Its address.
///         1 ADDR_IPV4 address4 / with_address4: ipv4,
///         /// Milliseconds since it was updated.
///         3 AGE age / with_age: u64,
///     }
/// }
///
/// mptcp_codec::generic_family! {
///     /// What TCP remembers of hosts (`linux/tcp_metrics.h`).
///     pub struct TcpMetrics = "tcp_metrics", version 1;
///     attributes Metrics<'a>;
///     commands Command {
///         /// Reads.
///         1 Get "GET",
///         /// Deletes.
///         2 Delete "DEL",
///     }
/// }
///
/// let mut buffer = [0; 64];
/// let ask = controller::family_by_name(&mut buffer, 1, TcpMetrics::NAME)?;
/// // The answer names the id, here 23.
/// let dump = TcpMetrics::request(&mut buffer, 23, 2, flags::REQUEST | flags::DUMP, Command::Get);
/// let message = Messages::new(dump.finish()?).next().unwrap()?;
/// let (command, metrics) = TcpMetrics::decode(&message)?;
/// assert_eq!((command, metrics.age()), (Command::Get, None));
/// # Ok::<(), mptcp_codec::Error>(())
/// ```
#[macro_export]
macro_rules! generic_family {
    (
        $(#[$doc:meta])*
        $visible:vis struct $family:ident = $name:literal, version $version:literal;
        attributes $set:ident $(<$a:lifetime>)?;
        commands $command:ident { $($commands:tt)+ }
        $( groups { $( $(#[$group_doc:meta])* $group:ident $group_name:literal, )+ } )?
    ) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
        $visible enum $family {}

        $crate::numbered! {
            #[doc = concat!("The commands of [`", stringify!($family), "`].")]
            $visible enum $command: u8 { $($commands)+ }
        }

        #[allow(dead_code)]
        impl $family {
            /// The name to ask the controller for.
            pub const NAME: &'static str = $name;

            /// The version of the interface.
            pub const VERSION: u8 = $version;

            $( $( $(#[$group_doc])* pub const $group: &'static str = $group_name; )+ )?

            /// Begins a request; `family` is the id that the controller names.
            pub fn request(
                buffer: &mut [u8],
                family: u16,
                seq: u32,
                flags: u16,
                command: $command,
            ) -> $crate::netlink::Writer<'_> {
                $crate::generic::request(buffer, family, seq, flags, command.number(), $version)
            }

            /// Like [`request`](Self::request), in the order of another machine.
            pub fn request_with_order<E: $crate::order::Order>(
                buffer: &mut [u8],
                family: u16,
                seq: u32,
                flags: u16,
                command: $command,
            ) -> $crate::netlink::Writer<'_, E> {
                $crate::generic::request_with_order(
                    buffer, family, seq, flags, command.number(), $version,
                )
            }

            /// Reads a message of the family: an answer, an event, a request.
            pub fn decode<'m, E: $crate::order::Order>(
                message: &$crate::netlink::Message<'m, E>,
            ) -> core::result::Result<($command, $crate::__family_set!($set ['m, E] $($a)?)), $crate::Error> {
                let generic = $crate::generic::Generic::decode(message)?;
                let set = <$crate::__family_set!($set ['m, E] $($a)?)>::from_attributes(generic.attributes)?;
                Ok(($command::from_number(generic.command), set))
            }

            /// The family for [`print`]($crate::print), with the id that the
            /// controller names.
            pub const fn named(id: u16) -> $crate::print::NamedFamily {
                $crate::print::NamedFamily {
                    id,
                    name: $name,
                    command: |_, number| $command::from_number(number).name(),
                    attributes: |_, _| <$crate::__family_set!($set ['static, $crate::order::Native] $($a)?)
                        as $crate::set::Set<'static, $crate::order::Native>>::DESCRIPTION,
                }
            }
        }
    };
}

/// The set of a family: a value, or one that borrows.
#[doc(hidden)]
#[macro_export]
macro_rules! __family_set {
    ($set:ident [$($arguments:tt)*]) => { $set };
    ($set:ident [$($arguments:tt)*] $a:lifetime) => { $set<$($arguments)*> };
}

#[cfg(test)]
mod tests {
    use crate::netlink::flags;
    use crate::order::{Big, Little, Order};
    use crate::testing::{bytes, message};

    attribute_set! {
        /// .
        pub struct Things {
            /// .
            3 COUNT count / with_count: u32,
        }
    }

    generic_family! {
        /// .
        pub struct Shop = "shop", version 2;
        attributes Things;
        commands Command {
            /// .
            5 Buy "BUY",
        }
    }

    fn request<E: Order>(wanted: &str) {
        let mut buffer = [0; 64];
        let flags = flags::REQUEST | flags::ACK;
        let mut writer = Shop::request_with_order::<E>(&mut buffer, 0x1e, 7, flags, Command::Buy);
        Things::EMPTY.with_count(9).encode(&mut writer);
        let request = writer.finish().unwrap();
        assert_eq!(request, bytes(wanted));
        let (command, things) = Shop::decode(&message::<E>(request)).unwrap();
        assert_eq!((command, things.count()), (Command::Buy, Some(9)));
    }

    #[test]
    fn a_request_of_a_family_of_ones_own_is_written_in_either_order() {
        request::<Little>("1c000000 1e00 0500 07000000 00000000 05020000 0800 0300 09000000");
        request::<Big>("0000001c 001e 0005 00000007 00000000 05020000 0008 0003 00000009");
    }
}
