//! From an offset in a request to the name of the attribute there.

use core::fmt;

use super::{attribute, Endpoint};
use crate::generic::GENERIC_HEADER_LEN;
use crate::netlink::{Attribute, Attributes, ExtendedAck, HEADER_LEN};
use crate::order::{Native, Order};

/// A place in a request to the path manager: an attribute, or an attribute in
/// an address. `Display` writes it as `ADDR.PORT`.
///
/// The kernel reports the place of a fault by offsets; with the request at hand they become
/// names.
///
/// ```
/// use mptcp_codec::mptcp::{request, Endpoint, Place};
/// let mut buffer = [0; 64];
/// let endpoint = Endpoint::new(core::net::Ipv4Addr::LOCALHOST).with_port(99);
/// let request = request::add_address(&mut buffer, 30, 1, &endpoint)?;
/// let place = Place::at_offset(request, 32);
/// assert_eq!(place.unwrap().to_string(), "ADDR.PORT");
/// # Ok::<(), mptcp_codec::Error>(())
/// ```
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Place {
    /// Name of the attribute at the top level.
    pub outer: &'static str,
    /// Name of the attribute inside it, if the place is inside.
    pub inner: Option<&'static str>,
}

impl Place {
    /// What the kernel rejected, or missed, in `request`, which is from the same machine as its
    /// answer.
    pub fn of_fault<E: Order>(request: &[u8], ack: &ExtendedAck<'_, E>) -> Option<Self> {
        if let Some(offset) = ack.offset() {
            return Self::with_order::<E>(request, offset as usize);
        }
        let missing = u16::try_from(ack.missing_type()?).ok()?;
        match ack.missing_nest() {
            None => Some(Self {
                outer: attribute::name(missing)?,
                inner: None,
            }),
            Some(nest) => Some(Self {
                inner: Some(Endpoint::name_of(missing)?),
                ..Self::with_order::<E>(request, nest as usize)?
            }),
        }
    }

    /// What begins at `offset`, counted in bytes from the start of `request`,
    /// as one of the functions of [`request`](super::request) made it.
    pub fn at_offset(request: &[u8], offset: usize) -> Option<Self> {
        Self::with_order::<Native>(request, offset)
    }

    /// Like [`Place::at_offset`], for a request that was captured on a machine of order `E`.
    pub fn with_order<E: Order>(request: &[u8], offset: usize) -> Option<Self> {
        const START: usize = HEADER_LEN + GENERIC_HEADER_LEN;
        let attributes = Attributes::<E>::at(request.get(START..)?, START);
        let around = find(attributes, offset)?;
        let outer = attribute::name(around.number())?;
        let inner = if around.offset() == offset {
            None
        } else if matches!(around.number(), attribute::ADDR | attribute::ADDR_REMOTE) {
            let inside = find(around.nested(), offset)?;
            Some(Endpoint::name_of(inside.number())?)
        } else {
            None
        };
        Some(Self { outer, inner })
    }
}

/// The attribute that begins at `offset` or has it inside.
fn find<E: Order>(attributes: Attributes<'_, E>, offset: usize) -> Option<Attribute<'_, E>> {
    attributes.flatten().find(|attribute| {
        let start = attribute.offset();
        let end = attribute.nested().offset() + attribute.payload().len();
        (start..end).contains(&offset)
    })
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.outer)?;
        match self.inner {
            Some(inner) => write!(f, ".{inner}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mptcp::request;
    use core::net::Ipv4Addr;

    #[test]
    fn what_is_missing_is_named_by_the_set_it_is_missing_from() {
        let mut buffer = [0; request::MAX_LEN];
        let endpoint = Endpoint::new(Ipv4Addr::LOCALHOST);
        let request = request::announce(&mut buffer, 30, 1, 7, &endpoint).unwrap();
        // 5 is LOC_ID at the top level, PORT in an address.
        let missing = ExtendedAck::<Native>::EMPTY.with_missing_type(5);
        let place = |outer, inner| Some(Place { outer, inner });
        assert_eq!(Place::of_fault(request, &missing), place("LOC_ID", None));
        // The token comes first, the address after it.
        let missing = missing.with_missing_nest(28);
        assert_eq!(
            Place::of_fault(request, &missing),
            place("ADDR", Some("PORT"))
        );
    }
}
