//! The generic netlink family of the MPTCP path manager.

use mptcp_codec::generic::controller::{self, Family};
use mptcp_codec::mptcp::{self, request, Endpoint, Limits};
use mptcp_codec::{generic, netlink::Message};

use super::socket::{Socket, Written};
use super::sys::Errno;
use crate::error::{status, Error, Kind, Result};

/// A socket that knows the family's id, asked for once.
#[derive(Debug)]
pub struct PathManager {
    socket: Box<Socket>,
    family: u16,
}

/// The messages that the request functions of the codec write.
type Write<'w> = &'w dyn for<'b> Fn(&'b mut [u8], u16, u32) -> Written<'b>;

impl PathManager {
    /// Opens the socket and looks the family up.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        let mut socket = Socket::open(generic::PROTOCOL, receive_buffer)?;
        let mut id = 0;
        let lookup = look_up(&mut socket, &mut |family| {
            id = family.id;
            Ok(())
        });
        match lookup {
            Ok(()) => Ok(Self { socket, family: id }),
            Err(error) if error.errno() != libc::ENOENT as u32 => {
                Err(error.with_status(status::FAILED))
            }
            Err(_) => Err(absent()),
        }
    }

    /// The socket.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Sends a request that is answered with an acknowledgement.
    pub fn set(&mut self, write: Write) -> Result<()> {
        let family = self.family;
        self.socket
            .call(&|buffer, seq| write(buffer, family, seq), &mut |_| Ok(()))
    }

    fn get(&mut self, write: Write, each: &mut dyn FnMut(&Message) -> Result<()>) -> Result<()> {
        let family = self.family;
        self.socket
            .call(&|buffer, seq| write(buffer, family, seq), each)
    }

    /// The limits.
    pub fn limits(&mut self) -> Result<Limits> {
        let mut limits = Limits::default();
        self.get(&request::get_limits, &mut |message| {
            limits = Limits::from_message(message)?;
            Ok(())
        })?;
        Ok(limits)
    }

    /// All endpoints, ascending by id as the kernel sends them; those of one
    /// connection with a user-space path manager where `token` names it.
    pub fn endpoints(&mut self, token: Option<u32>, into: &mut Vec<Endpoint>) -> Result<()> {
        let family = self.family;
        // Mostly all that there are.
        into.reserve(16);
        self.socket.dump_each(
            &|buffer, seq| request::dump_addresses(buffer, family, seq, token),
            &mut |message| {
                match message {
                    Some(message) => into.push(Endpoint::from_message(message)?),
                    None => into.clear(),
                }
                Ok(())
            },
        )
    }

    /// Adds the endpoint with this id.
    pub fn endpoint(&mut self, id: u8, into: &mut Vec<Endpoint>) -> Result<()> {
        self.get(
            &|buffer, family, seq| request::get_address(buffer, family, seq, id, None),
            &mut |message| {
                into.push(Endpoint::from_message(message)?);
                Ok(())
            },
        )
    }

    /// The multicast group of the events; `None` where the kernel sends none.
    fn events(&mut self) -> Result<Option<u32>> {
        let mut group = None;
        look_up(&mut self.socket, &mut |family| {
            group = family.group(mptcp::EVENT_GROUP)?;
            Ok(())
        })?;
        Ok(group)
    }

    /// What the controller says of the family.
    pub fn family(&mut self, each: &mut dyn FnMut(&Family) -> Result<()>) -> Result<()> {
        look_up(&mut self.socket, each)
    }

    /// Whether anybody in this network namespace listens to events; `None`
    /// where that cannot be told.
    pub fn has_listener(&mut self) -> Option<bool> {
        super::proc::has_listener(self.events().ok()??)
    }

    /// Joins the group of the events.
    pub fn subscribe(&mut self) -> Result<()> {
        let Some(group) = self.events()? else {
            return Err(Error::new(
                Kind::Kernel,
                status::USAGE,
                &["can't subscribe to mptcp events: \
                     this kernel sends none (Linux 5.12 or newer does)"],
            ));
        };
        self.socket.join(group).map_err(|error| {
            let what = ["can't subscribe to mptcp events"];
            let mut text = Error::system(Kind::Kernel, status::USAGE, &what, error);
            if error.0 == libc::EPERM as u32 {
                text.push(b" (this needs root, or CAP_NET_ADMIN in this network namespace)");
            }
            text
        })
    }
}

/// Asks the controller for the family.
fn look_up(socket: &mut Socket, each: &mut dyn FnMut(&Family) -> Result<()>) -> Result<()> {
    socket.call(
        &|buffer, seq| controller::family_by_name(buffer, seq, mptcp::FAMILY),
        &mut |message| each(&Family::decode(message)?),
    )
}

/// The kernel does not know the family.
pub fn absent() -> Error {
    Error::new(
        Kind::Kernel,
        status::FAILED,
        &["Error: this kernel has no MPTCP path manager \
             (no netlink family \"mptcp_pm\"): \
             it needs Linux 5.7 or newer with CONFIG_MPTCP=y"],
    )
    .with_errno(Errno(libc::ENOENT as u32))
}
