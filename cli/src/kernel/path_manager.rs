//! The generic netlink family of the MPTCP path manager.

use mptcp_codec::error::ErrorKind;
use mptcp_codec::generic::controller::{self, FamilyAttributes, Group, Operation};
use mptcp_codec::generic::{self, Generic};
use mptcp_codec::mptcp::request::command;
use mptcp_codec::mptcp::{self, attribute, Endpoint, EndpointFlags, Limits};
use mptcp_codec::netlink::{flags, Attributes, Message};

use super::remedy::{contains, with_remedy};
use super::socket::{Socket, Written};
use crate::errno::Errno;
use crate::error::{status, Error, Kind, Result};
use crate::sys::{self, Fd};

/// A socket that knows the family's id, which is looked up once.
#[derive(Debug)]
pub struct PathManager {
    socket: Box<Socket>,
    family: u16,
    // See `recent_endpoints`.
    recent: Vec<Endpoint>,
    recent_until: u64,
}

/// The name of the multicast group of events, as the kernel sends it.
const EVENT_GROUP: &[u8] = b"mptcp_pm_events\0";
/// A token that practically no connection has.
const NOBODY: u32 = 1;

/// A command of the path manager and its attributes.
struct Request<'r> {
    flags: u16,
    command: u8,
    token: Option<u32>,
    // The id of a local address, if that is the only attribute.
    local_id: Option<u8>,
    local: Option<&'r Endpoint>,
    remote: Option<&'r Endpoint>,
    limits: Option<&'r Limits>,
}

impl Request<'_> {
    /// This command alone, which is acknowledged.
    const fn of(command: u8) -> Self {
        Self {
            flags: flags::REQUEST | flags::ACK,
            command,
            token: None,
            local_id: None,
            local: None,
            remote: None,
            limits: None,
        }
    }

    fn write<'b>(&self, buffer: &'b mut [u8], family: u16, seq: u32) -> Written<'b> {
        let version = mptcp::VERSION;
        let mut writer = generic::request(buffer, family, seq, self.flags, self.command, version);
        if let Some(token) = self.token {
            writer.put_u32(attribute::TOKEN, token);
        }
        if let Some(id) = self.local_id {
            writer.put_u8(attribute::LOC_ID, id);
        }
        let ends = [
            (attribute::ADDR, self.local),
            (attribute::ADDR_REMOTE, self.remote),
        ];
        for (number, end) in &ends {
            if let Some(end) = end {
                writer.nest(*number, |nest| end.encode(nest));
            }
        }
        if let Some(limits) = self.limits {
            limits.encode(&mut writer);
        }
        writer.finish()
    }
}

impl PathManager {
    /// Opens the socket and looks up the family.
    pub fn open(receive_buffer: Option<u32>) -> Result<Self> {
        let mut socket = Socket::open(generic::NETLINK_GENERIC, receive_buffer)?;
        let mut family = 0;
        let found = look_up(&mut socket, &mut |attributes| {
            let id = inside(attributes, FamilyAttributes::FAMILY_ID);
            family = id.as_bytes().try_into().map_or(0, u16::from_ne_bytes);
        });
        match found {
            Ok(()) if family != 0 => Ok(Self {
                socket,
                family,
                recent: Vec::new(),
                recent_until: 0,
            }),
            Err(error) if error.errno() != libc::ENOENT as usize => {
                Err(error.with_status(status::FAILED))
            }
            Err(_) => Err(absent()),
            Ok(()) => {
                let number = FamilyAttributes::FAMILY_ID;
                Err(mptcp_codec::Error::about(ErrorKind::Missing, number, 0).into())
            }
        }
    }

    /// The descriptor of its socket.
    pub fn fd(&self) -> &Fd {
        self.socket.fd()
    }

    /// The socket.
    pub fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    /// Sends a request and passes each message of the answer to `each`: `None` comes first, and
    /// again if all of them are read once more.
    fn ask(
        &mut self,
        request: &Request,
        each: &mut dyn FnMut(Option<&Message>) -> Result<()>,
    ) -> Result<()> {
        let family = self.family;
        self.socket
            .dump_each(&|buffer, seq| request.write(buffer, family, seq), each)
    }

    /// Sends a request that is answered with an acknowledgement.
    fn set(&mut self, request: &Request) -> Result<()> {
        self.recent_until = 0;
        self.ask(request, &mut |_| Ok(()))
    }

    /// The limits.
    pub fn limits(&mut self) -> Result<Limits> {
        let mut limits = Limits::default();
        let request = Request {
            flags: flags::REQUEST,
            ..Request::of(command::GET_LIMITS)
        };
        self.ask(&request, &mut |message| {
            if let Some(message) = message {
                limits = Limits::decode(message)?;
            }
            Ok(())
        })?;
        Ok(limits)
    }

    /// Sets those limits that are present.
    pub fn set_limits(&mut self, limits: &Limits) -> Result<()> {
        self.set(&Request {
            limits: Some(limits),
            ..Request::of(command::SET_LIMITS)
        })
    }

    /// The maximum of both limits: a larger one is refused, with the number
    /// since Linux 6.15. Before 7.2 it is 8.
    pub fn maximum(&mut self) -> u32 {
        let Err(error) = self.set_limits(&Limits::EMPTY.with_subflows(u32::MAX)) else {
            return u32::MAX;
        };
        let mut maximum = 0_u32;
        for byte in error.message() {
            if byte.is_ascii_digit() {
                let digit = u32::from(byte - b'0');
                maximum = maximum.saturating_mul(10).saturating_add(digit);
            }
        }
        match maximum {
            0 => 8,
            found => found,
        }
    }

    /// All endpoints, ascending by id as the kernel sends them.
    pub fn endpoints(&mut self, into: &mut Vec<Endpoint>) -> Result<()> {
        self.dump(None, into)
    }

    /// All endpoints as they are now, or as they were up to 20 ms ago with our own changes
    /// since: for a change that depends on the present endpoints. On a busy machine as much
    /// time can pass between reading and writing anyway.
    pub fn recent_endpoints(&mut self) -> Result<&[Endpoint]> {
        const AGE: u64 = 20;
        let now = sys::milliseconds();
        if now >= self.recent_until {
            let mut recent = core::mem::take(&mut self.recent);
            recent.clear();
            self.endpoints(&mut recent)?;
            self.recent = recent;
            self.recent_until = now + AGE;
        }
        Ok(&self.recent)
    }

    /// The addresses of one connection with a user-space path manager. The
    /// kernel's answer to a request for one of them does not say whether the
    /// connection or the address is missing, so all are asked for.
    pub fn endpoints_of(&mut self, token: u32, into: &mut Vec<Endpoint>) -> Result<()> {
        self.dump(Some(token), into).map_err(with_remedy)?;
        if token != NOBODY && self.knows_tokens() == Some(false) {
            return Err(Error::new(
                Kind::Kernel,
                status::FAILED,
                "Error: this kernel cannot show the addresses of one connection: \
                   Linux 6.10 or newer can",
            )
            .about("token"));
        }
        Ok(())
    }

    /// Whether this kernel looks at the token in a request for endpoints:
    /// kernels before 6.7 take no notice of it and show those of the namespace,
    /// newer ones that do not know it either refuse it as unknown.
    pub fn knows_tokens(&mut self) -> Option<bool> {
        match self.dump(Some(NOBODY), &mut Vec::new()) {
            Ok(_) => Some(false),
            Err(error) if contains(error.message(), b"token") => Some(true),
            Err(error) if contains(error.message(), b"nknown attribute") => Some(false),
            Err(_) => None,
        }
    }

    fn dump(&mut self, token: Option<u32>, into: &mut Vec<Endpoint>) -> Result<()> {
        // Usually room for all.
        into.reserve(16);
        let request = Request {
            flags: flags::REQUEST | flags::DUMP,
            token,
            ..Request::of(command::GET_ADDR)
        };
        self.read(&request, into)
    }

    /// Adds the endpoint with this id.
    pub fn endpoint(&mut self, id: u8, into: &mut Vec<Endpoint>) -> Result<()> {
        let local = Endpoint::EMPTY.with_id(id);
        let request = Request {
            flags: flags::REQUEST,
            local: Some(&local),
            ..Request::of(command::GET_ADDR)
        };
        self.read(&request, into)
    }

    /// Replaces what is in `into` by the endpoints of an answer.
    fn read(&mut self, request: &Request, into: &mut Vec<Endpoint>) -> Result<()> {
        self.ask(request, &mut |message| {
            match message {
                Some(message) => into.push(Endpoint::decode(message)?),
                None => into.clear(),
            }
            Ok(())
        })
    }

    /// Makes a new endpoint.
    pub fn add(&mut self, endpoint: &Endpoint) -> Result<()> {
        self.set(&Request {
            local: Some(endpoint),
            ..Request::of(command::ADD_ADDR)
        })
    }

    /// Deletes an endpoint by its id; with id 0 and an address, closes the
    /// first subflow of the connections from there.
    pub fn delete(&mut self, endpoint: &Endpoint) -> Result<()> {
        self.set(&Request {
            local: Some(endpoint),
            ..Request::of(command::DEL_ADDR)
        })
    }

    /// Deletes the endpoint with this id.
    pub fn delete_id(&mut self, id: u8) -> Result<()> {
        self.delete(&Endpoint::EMPTY.with_id(id))
    }

    /// Deletes all endpoints.
    pub fn flush(&mut self) -> Result<()> {
        self.set(&Request::of(command::FLUSH_ADDRS))
    }

    /// Overwrites the flags that can be changed of the endpoint with this id.
    pub fn set_flags(&mut self, id: u8, flags: EndpointFlags) -> Result<()> {
        let recent_until = self.recent_until;
        self.set(&Request {
            local: Some(&Endpoint::EMPTY.with_id(id).with_flags(flags)),
            ..Request::of(command::SET_FLAGS)
        })?;
        for known in &mut self.recent {
            if known.id() == Some(id) {
                // All others stay.
                let changed = EndpointFlags(EndpointFlags::BACKUP.0 | EndpointFlags::FULLMESH.0);
                let others = known.flags().unwrap_or_default() & !changed;
                *known = known.with_flags(others | flags);
            }
        }
        self.recent_until = recent_until;
        Ok(())
    }

    /// Announces an address to the peer of a connection (ADD_ADDR).
    pub fn announce(&mut self, token: u32, local: &Endpoint) -> Result<()> {
        let local = local.with_flags(EndpointFlags::SIGNAL);
        self.of_connection(command::ANNOUNCE, token, Some(&local), None)
    }

    /// Withdraws an announced address (RM_ADDR).
    pub fn remove(&mut self, token: u32, id: u8) -> Result<()> {
        self.set(&Request {
            token: Some(token),
            local_id: Some(id),
            ..Request::of(command::REMOVE)
        })
        .map_err(with_remedy)
    }

    /// Opens a subflow.
    pub fn create_subflow(&mut self, token: u32, local: &Endpoint, peer: &Endpoint) -> Result<()> {
        self.of_connection(command::SUBFLOW_CREATE, token, Some(local), Some(peer))
    }

    /// Closes a subflow.
    pub fn destroy_subflow(&mut self, token: u32, local: &Endpoint, peer: &Endpoint) -> Result<()> {
        self.of_connection(command::SUBFLOW_DESTROY, token, Some(local), Some(peer))
    }

    /// Makes a subflow a backup, or an ordinary one (MP_PRIO).
    pub fn set_subflow_flags(
        &mut self,
        token: u32,
        local: &Endpoint,
        peer: &Endpoint,
    ) -> Result<()> {
        self.of_connection(command::SET_FLAGS, token, Some(local), Some(peer))
    }

    /// A request about one connection with a user-space path manager.
    fn of_connection(
        &mut self,
        command: u8,
        token: u32,
        local: Option<&Endpoint>,
        remote: Option<&Endpoint>,
    ) -> Result<()> {
        self.set(&Request {
            token: Some(token),
            local,
            remote,
            ..Request::of(command)
        })
        .map_err(with_remedy)
    }

    /// The multicast group of the events; `None` if the kernel sends none.
    fn events(&mut self) -> Result<Option<u32>> {
        let mut group = None;
        look_up(&mut self.socket, &mut |attributes| {
            group = event_group(attributes);
        })?;
        Ok(group)
    }

    /// What the kernel can do: whether it sends events, and the numbers of its
    /// commands, a bit for each.
    pub fn abilities(&mut self) -> Result<(bool, u32)> {
        let mut abilities = (false, 0);
        look_up(&mut self.socket, &mut |attributes| {
            abilities = (event_group(attributes).is_some(), commands(attributes));
        })?;
        Ok(abilities)
    }

    /// Whether anyone in this network namespace listens to events; `None` if that is unknown.
    pub fn has_listener(&mut self) -> Option<bool> {
        super::proc::has_listener(self.events().ok()??)
    }

    /// Joins the group of the events.
    pub fn subscribe(&mut self) -> Result<()> {
        let Some(group) = self.events()? else {
            return Err(Error::new(
                Kind::Kernel,
                status::USAGE,
                "can't subscribe to mptcp events: \
                     this kernel sends none (Linux 5.12 or newer does)",
            ));
        };
        self.socket.join(group).map_err(|error| {
            let what = "can't subscribe to mptcp events";
            let mut text = Error::system(Kind::Kernel, status::USAGE, what, error);
            if error.0 == libc::EPERM as usize {
                text.push(b" (this needs root, or CAP_NET_ADMIN in this network namespace)");
            }
            text
        })
    }
}

/// Asks the controller for the family, and passes on its attributes.
fn look_up(socket: &mut Socket, each: &mut dyn FnMut(Attributes)) -> Result<()> {
    socket.call(
        &|buffer, seq| controller::family_by_name(buffer, seq, mptcp::FAMILY_NAME),
        &mut |message| {
            each(Generic::decode(message)?.attributes);
            Ok(())
        },
    )
}

// Only one or two attributes of a family are needed, once in a run: looking for them one by one
// takes less code than reading all. What is malformed counts as absent.

/// The content of the attribute with this number; empty if it is absent.
fn inside(mut attributes: Attributes, number: u16) -> Attributes {
    while let Some(Ok(attribute)) = attributes.next() {
        if attribute.number() == number {
            return attribute.nested();
        }
    }
    Attributes::NONE
}

/// The multicast group of the family's events.
fn event_group(family: Attributes) -> Option<u32> {
    let mut found = None;
    let mut groups = inside(family, FamilyAttributes::MCAST_GROUPS);
    while let Some(Ok(group)) = groups.next() {
        if inside(group.nested(), Group::NAME).as_bytes() == EVENT_GROUP {
            found = number(inside(group.nested(), Group::ID));
        }
    }
    found
}

/// The family's commands, a bit for each.
fn commands(family: Attributes) -> u32 {
    let mut found = 0;
    let mut operations = inside(family, FamilyAttributes::OPS);
    while let Some(Ok(operation)) = operations.next() {
        let id = number(inside(operation.nested(), Operation::ID));
        found |= id.and_then(|id| 1_u32.checked_shl(id)).unwrap_or(0);
    }
    found
}

fn number(value: Attributes) -> Option<u32> {
    value.as_bytes().try_into().ok().map(u32::from_ne_bytes)
}

/// The kernel does not know the family.
pub fn absent() -> Error {
    Error::new(
        Kind::Kernel,
        status::FAILED,
        "Error: this kernel has no MPTCP path manager \
             (no netlink family \"mptcp_pm\"): \
             it needs Linux 5.7 or newer with CONFIG_MPTCP=y",
    )
    .with_errno(Errno(libc::ENOENT as usize))
}
