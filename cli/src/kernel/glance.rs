//! A glance at a socket: for callers that need only a little of each.

use mptcp_codec::diag::{attribute, End, MptcpInfo, State, SubflowFlags, SubflowInfo};
use mptcp_codec::inet::{AF_INET, AF_INET6};
use mptcp_codec::netlink::Message;

use super::attributes::{number_at, Set};
use super::key::Key;
use crate::error::Result;

/// Length of `struct inet_diag_msg`.
const HEAD: usize = 72;

/// A socket, read in place in its message.
#[derive(Copy, Clone)]
pub struct Glance<'m> {
    head: &'m [u8],
    attributes: Set<'m>,
}

impl<'m> Glance<'m> {
    /// The socket in a message.
    #[inline(never)]
    pub fn of(message: &Message<'m>) -> Result<Self> {
        let head = message.payload();
        let attributes = Set::after(HEAD, head)?;
        Ok(Self { head, attributes })
    }

    fn byte(&self, at: usize) -> u8 {
        self.head.get(at).copied().unwrap_or(0)
    }

    /// The TCP state.
    pub fn state(&self) -> State {
        State::from_number(self.byte(1))
    }

    /// The index of the interface that it is bound to; 0 for none.
    pub fn interface(&self) -> u32 {
        number_at(self.head, 40)
    }

    /// Its mark, if the kernel shows it; 0 for none.
    pub fn mark(&self) -> u32 {
        self.attributes.number(attribute::MARK)
    }

    /// The local address; 0 if it is neither IPv4 nor IPv6.
    pub fn local(&self) -> Key {
        self.address(8)
    }

    /// The remote address.
    pub fn remote(&self) -> Key {
        self.address(24)
    }

    #[inline(never)]
    fn address(&self, at: usize) -> Key {
        let bytes = self.head.get(at..).and_then(|rest| rest.first_chunk());
        let bits = bytes.map_or(0, |bytes| Key::from_be_bytes(*bytes));
        match self.byte(0).into() {
            AF_INET => bits >> 96 | 0xffff << 32,
            AF_INET6 => bits,
            _ => 0,
        }
    }

    /// Both ends, the local one first.
    pub fn ends(&self) -> [End; 2] {
        let end = |port, number| End {
            number,
            port: u16::from_be_bytes([self.byte(port), self.byte(port + 1)]),
            family: self.byte(0).into(),
        };
        [end(4, self.local()), end(6, self.remote())]
    }

    /// What the kernel knows of an MPTCP connection; every field is missing for other sockets.
    pub fn mptcp_info(&self) -> MptcpInfo<'m> {
        MptcpInfo::new(self.attributes.payload(attribute::INFO))
    }

    /// Whether a connection has become TCP. While nobody has answered, the kernel's
    /// mark says only that it tries without MPTCP now: the path may be dead.
    pub fn is_fallback(&self) -> bool {
        self.state() != State::SynSent && self.mptcp_info().is_fallback()
    }

    /// The attributes of the protocol on top of TCP.
    fn upper(&self) -> Result<Set<'m>> {
        Set::after(0, self.attributes.payload(attribute::ULP_INFO))
    }

    /// The token and the flags of a subflow; `None` for other sockets, and if it is
    /// [hidden](Self::is_hidden).
    #[inline(never)]
    pub fn subflow(&self) -> Result<Option<(u32, SubflowFlags)>> {
        let part = Set::after(0, self.upper()?.payload(attribute::ULP_MPTCP))?;
        let token = part.payload(SubflowInfo::TOKEN_LOC);
        let flags = SubflowFlags(part.number(SubflowInfo::FLAGS));
        Ok((!token.is_empty()).then(|| (number_at(token, 0), flags)))
    }

    /// Whether it is a subflow of which the kernel hides what MPTCP knows.
    pub fn is_hidden(&self) -> Result<bool> {
        let upper = self.upper()?;
        let name = upper.payload(attribute::ULP_NAME);
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        Ok(name == b"mptcp" && upper.payload(attribute::ULP_MPTCP).is_empty())
    }
}
