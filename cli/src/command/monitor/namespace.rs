//! A network namespace and its events.

use mptcp_codec::generic::Generic;
use mptcp_codec::mptcp::EventAttributes;
use mptcp_codec::netlink::Messages;

use super::device::Device;
use super::known::Known;
use super::record;
use super::screen::{broken, Screen};
use crate::errno::Errno;
use crate::error::Result;
use crate::kernel::{Names, PathManager};
use crate::sys::{self, Received};

/// The number of events that one call receives.
const BATCH: usize = sys::MOST;
/// An event is at most 200 bytes.
const EVENT: usize = 1024;
/// How long the name of an interface is trusted, in milliseconds.
const NAME_AGE: u64 = 100;

/// Room for the events that one call receives.
pub struct Buffers {
    room: Vec<u8>,
    received: [Received; BATCH],
}

impl Buffers {
    /// Made once, and reused for each call.
    pub fn new() -> Self {
        Self {
            room: vec![0; EVENT * BATCH],
            received: [Received::default(); BATCH],
        }
    }
}

/// A namespace and its events.
pub struct Namespace {
    /// Its name, if there are several namespaces.
    pub name: String,
    pub path_manager: PathManager,
    /// What a snapshot has already shown.
    pub known: Known,
    /// The interface whose events are wanted, if this namespace has it.
    pub device: Option<Device>,
    // The kernel reported that it dropped events.
    overrun: bool,
    // How many it had dropped when we last asked.
    dropped: u32,
    // How many we dropped ourselves.
    lost: u64,
    // Names of interfaces, each looked up now and then: one that has just been renamed may
    // appear under its former name.
    names: Names,
    names_until: u64,
}

impl Namespace {
    /// The namespace that this path manager is in.
    pub fn new(name: &str, path_manager: PathManager) -> Self {
        Self {
            name: String::from(name),
            path_manager,
            known: Known::default(),
            device: None,
            overrun: false,
            dropped: 0,
            lost: 0,
            names: Names::default(),
            names_until: 0,
        }
    }

    /// Takes all events that have arrived, after waiting for the first one if `wait`;
    /// returns how many.
    pub fn drain(
        &mut self,
        screen: &mut Screen,
        Buffers { room, received }: &mut Buffers,
        mut wait: bool,
    ) -> Result<usize> {
        if let (Some(_), Some(device)) = (screen.args.dev, &mut self.device) {
            device.fresh = false;
        }
        let mut events = 0;
        while screen.wanted.count > 0 {
            let fd = self.path_manager.fd();
            // An event that is waited for usually comes alone: room for more would be a waste.
            let most = if wait { 1 } else { BATCH };
            let (Some(room), Some(received)) =
                (room.get_mut(..most * EVENT), received.get_mut(..most))
            else {
                break;
            };
            match sys::receive(fd, room, received, wait) {
                Ok(count) => {
                    events += count;
                    let datagrams = room.chunks_exact(EVENT);
                    for (datagram, received) in datagrams.zip(&*received).take(count) {
                        self.take(screen, datagram, received)?;
                    }
                    // Fewer than there is room for: the queue is empty.
                    if wait || count < BATCH {
                        break;
                    }
                }
                Err(Errno(number)) if number == libc::ENOBUFS as usize => self.overrun = true,
                Err(Errno(number)) if number == libc::EAGAIN as usize => break,
                Err(error) => return Err(broken(error)),
            }
            wait = false;
            screen.session.out.write_ready()?;
        }
        Ok(events)
    }

    /// Shows the events of a datagram.
    fn take(&mut self, screen: &mut Screen, buffer: &[u8], received: &Received) -> Result<()> {
        if received.sender != 0 {
            return Ok(());
        }
        let Some(datagram) = buffer.get(..received.len) else {
            // Longer than any known event.
            self.lost += 1;
            return Ok(());
        };
        for message in Messages::new(datagram) {
            let Generic {
                command,
                attributes,
                ..
            } = Generic::decode(&message?)?;
            let mut fields = EventAttributes::EMPTY;
            fields.update(attributes)?;
            if screen.has_snapshots() && self.known.has(command, &fields)
                || !screen.wanted.event(command)
                || !self.is_wanted(screen, &fields)?
            {
                continue;
            }
            if screen.dropping {
                self.lost += 1;
                continue;
            }
            if screen.wanted.count == 0 {
                continue;
            }
            screen.wanted.count -= 1;
            record::begin_event(screen, command, &self.name);
            let out = &mut screen.session.out;
            record::attributes(out, &fields, self.interface(&fields));
            record::unnamed(out, &fields, attributes);
            out.end_record();
            screen.dropping = out.kept() as u64 >= screen.wanted.buffer;
        }
        Ok(())
    }

    /// Whether an event of a connection or subflow is wanted.
    pub fn is_wanted(&mut self, screen: &Screen, fields: &EventAttributes) -> Result<bool> {
        let token = screen.wanted.token;
        if token.is_some() && fields.token() != token {
            return Ok(false);
        }
        match (screen.args.dev, &mut self.device) {
            (None, _) => Ok(true),
            (_, None) => Ok(false),
            (_, Some(device)) => device.has(fields),
        }
    }

    /// The name of the interface of an event; empty if it has none.
    pub fn interface(&mut self, fields: &EventAttributes) -> &[u8] {
        let index = fields.if_idx().unwrap_or(0);
        if index == 0 {
            return &[];
        }
        let now = sys::milliseconds();
        if now >= self.names_until {
            self.names.clear();
            self.names_until = now + NAME_AGE;
        }
        self.names.of_existing(self.path_manager.fd(), index)
    }

    /// Reports how many events were lost since the last report, without a number if the
    /// kernel does not count its own; returns whether any were.
    pub fn report_losses(&mut self, screen: &mut Screen) -> bool {
        if !self.overrun && self.lost == 0 {
            return false;
        }
        record::begin(screen, "OVERRUN", "", &self.name);
        let mut lost = Some(core::mem::take(&mut self.lost));
        if core::mem::take(&mut self.overrun) {
            lost = sys::dropped(self.path_manager.fd()).ok().and_then(|total| {
                let before = core::mem::replace(&mut self.dropped, total);
                Some(lost? + u64::from(total.wrapping_sub(before)))
            });
        }
        let out = &mut screen.session.out;
        out.named_some("lost", lost);
        out.end_record();
        true
    }
}
