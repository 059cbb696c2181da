//! inet_diag: the sockets of this namespace.

use mptcp_codec::diag::{self, Query, SocketView};
use mptcp_codec::netlink::Message;

use super::socket::{receive_error, Socket};
use crate::error::{Error, Result};
use crate::sys::Fd;

/// Room for answers: twice the most that the kernel puts into one datagram.
const REPLY: usize = 2 * 32768;

/// The groups that report destroyed TCP sockets: `SKNLGRP_INET_TCP_DESTROY` and
/// `SKNLGRP_INET6_TCP_DESTROY`.
const DESTROYED: &[u32] = &[1, 3];
/// Receive buffer for several thousand of them.
const NEWS_BUFFER: u32 = 4 << 20;

/// A socket for requests.
#[derive(Debug)]
pub struct Diagnostics {
    socket: Box<Socket>,
}

impl Diagnostics {
    /// Opens it in the network namespace that the program is in.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        let mut socket = Socket::open(diag::NETLINK_SOCK_DIAG, receive_buffer)?;
        socket.set_reply_room(REPLY);
        Ok(Self { socket })
    }

    /// Opens a socket only for [`Diagnostics::ends`]. No other process notices it.
    pub fn listen_for_ends(receive_buffer: Option<u32>) -> Result<Self> {
        let mut ends = Self::open(receive_buffer)?;
        if receive_buffer.is_none() {
            ends.socket.set_receive_buffer(NEWS_BUFFER);
        }
        ends.socket.listen(DESTROYED).map_err(receive_error)?;
        Ok(ends)
    }

    /// The descriptor, for waiting on it.
    pub fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    /// Passes destroyed TCP sockets with their last counters to `each`, without waiting.
    /// Reports for which the receive buffer had no room are lost.
    pub fn ends(&mut self, each: &mut dyn FnMut(&SocketView)) -> Result<()> {
        self.socket.news(&mut |message| {
            if let Some(message) = message {
                // A report that cannot be read counts as lost.
                let _ = decode(&message, &mut |socket| {
                    each(socket);
                    Ok(())
                });
            }
        })
    }

    /// Passes every socket that `query` finds to `each`; with a nonzero `inode`, those of other
    /// owners are skipped before they are decoded.
    pub fn dump(
        &mut self,
        query: &Query,
        inode: u32,
        each: &mut dyn FnMut(&SocketView) -> Result<()>,
    ) -> Result<()> {
        self.ask(query, None, inode, each).map_err(unknown)
    }

    /// Passes the MPTCP connection with this token to `each`; returns whether it exists.
    pub fn by_token(
        &mut self,
        query: &Query,
        token: u32,
        each: &mut dyn FnMut(&SocketView) -> Result<()>,
    ) -> Result<bool> {
        match self.ask(query, Some(token), 0, each) {
            Ok(()) => Ok(true),
            Err(error) if error.errno() == libc::ENOENT as usize => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[inline(never)]
    fn ask(
        &mut self,
        query: &Query,
        token: Option<u32>,
        inode: u32,
        each: &mut dyn FnMut(&SocketView) -> Result<()>,
    ) -> Result<()> {
        self.socket.call(
            &|buffer, seq| query.request(buffer, seq, token),
            &mut |message| match inode_of(message) {
                other if inode != 0 && other != 0 && other != inode => Ok(()),
                _ => decode(message, each),
            },
        )
    }
}

/// Passes the socket in a message to `each`.
#[inline(never)]
fn decode(message: &Message, each: &mut dyn FnMut(&SocketView) -> Result<()>) -> Result<()> {
    each(&SocketView::decode(message)?)
}

/// The inode in a message about a socket, or 0.
fn inode_of(message: &Message) -> u32 {
    // `idiag_inode`, the last member of `struct inet_diag_msg`.
    const PLACE: usize = 68;
    let rest = message.payload().get(PLACE..);
    let bytes = rest.and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// Says what a kernel lacks that does not know such sockets.
fn unknown(mut error: Error) -> Error {
    if error.errno() == libc::ENOENT as usize {
        error.push(
            b" (this kernel does not list such sockets: \
              it needs Linux 5.9 or newer with CONFIG_INET_MPTCP_DIAG)",
        );
    }
    error
}
