//! The formats once more, from `linux/netlink.h`, `linux/genetlink.h`,
//! `linux/mptcp_pm.h` and RFC 3549, in the plainest code that says them: the
//! judge over what the codec accepts and refuses. It shares nothing with the
//! codec, copies what it reads and stops at the first fault.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Why bytes are malformed, and where (from the start of what was given).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes are left, too few for a header.
    Truncated(usize),
    /// A length below its header or beyond its container.
    Length(usize),
    /// A fixed-size attribute of another size.
    Size(usize),
    /// A string that is not a string.
    Text(usize),
    /// What must be there is not.
    Missing,
}

/// The byte order in which numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Most significant byte first.
    pub big: bool,
}

impl Order {
    /// 16 bits.
    pub fn u16(self, b: &[u8]) -> u16 {
        self.number(b, 2) as u16
    }
    /// 32 bits.
    pub fn u32(self, b: &[u8]) -> u32 {
        self.number(b, 4) as u32
    }
    /// 64 bits.
    pub fn u64(self, b: &[u8]) -> u64 {
        self.number(b, 8)
    }
    pub fn number(self, bytes: &[u8], len: usize) -> u64 {
        assert_eq!(bytes.len(), len);
        let mut number = 0;
        for i in 0..len {
            let byte = bytes[if self.big { i } else { len - 1 - i }];
            number = number << 8 | u64::from(byte);
        }
        number
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Where it starts in the datagram.
    pub at: usize,
    /// `nlmsg_len`.
    pub len: u32,
    /// `nlmsg_type`.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub seq: u32,
    /// `nlmsg_pid`.
    pub port: u32,
    /// Behind the header.
    pub payload: &'a [u8],
}

/// The messages up to the first fault, and it.
pub fn messages(bytes: &[u8], order: Order) -> (Vec<Message<'_>>, Option<Fault>) {
    let mut list = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.len() - at < 16 {
            return (list, Some(Fault::Truncated(at)));
        }
        let len = order.u32(&bytes[at..at + 4]);
        if len < 16 || u64::from(len) > (bytes.len() - at) as u64 {
            return (list, Some(Fault::Length(at)));
        }
        let end = at + len as usize;
        list.push(Message {
            at,
            len,
            kind: order.u16(&bytes[at + 4..at + 6]),
            flags: order.u16(&bytes[at + 6..at + 8]),
            seq: order.u32(&bytes[at + 8..at + 12]),
            port: order.u32(&bytes[at + 12..at + 16]),
            payload: &bytes[at + 16..end],
        });
        at = end;
        while at % 4 != 0 {
            at += 1;
        }
    }
    (list, None)
}

/// An attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Where its header starts.
    pub at: usize,
    /// `nla_type` with its flags.
    pub raw: u16,
    /// Behind the header.
    pub payload: &'a [u8],
}

impl Attribute<'_> {
    /// `nla_type` without its flags.
    pub fn number(&self) -> u16 {
        self.raw % 0x4000
    }

    /// The order of its number: `NLA_F_NET_BYTEORDER` says network order.
    fn order(&self, order: Order) -> Order {
        Order {
            big: order.big || self.raw / 0x4000 % 2 == 1,
        }
    }

    fn sized(&self, len: usize) -> Result<&[u8], Fault> {
        if self.payload.len() == len {
            Ok(self.payload)
        } else {
            Err(Fault::Size(self.at))
        }
    }

    /// One byte.
    pub fn u8(&self) -> Result<u8, Fault> {
        Ok(self.sized(1)?[0])
    }
    /// A number of two bytes.
    pub fn u16(&self, order: Order) -> Result<u16, Fault> {
        Ok(self.order(order).u16(self.sized(2)?))
    }
    /// A number of four bytes.
    pub fn u32(&self, order: Order) -> Result<u32, Fault> {
        Ok(self.order(order).u32(self.sized(4)?))
    }
    /// A number of eight bytes.
    pub fn u64(&self, order: Order) -> Result<u64, Fault> {
        Ok(self.order(order).u64(self.sized(8)?))
    }
    /// A number of two bytes in network order.
    pub fn be16(&self) -> Result<u16, Fault> {
        Ok(Order { big: true }.u16(self.sized(2)?))
    }
    /// Four bytes of an address.
    pub fn ipv4(&self) -> Result<Ipv4Addr, Fault> {
        let b = self.sized(4)?;
        Ok(Ipv4Addr::new(b[0], b[1], b[2], b[3]))
    }
    /// Sixteen bytes of an address.
    pub fn ipv6(&self) -> Result<Ipv6Addr, Fault> {
        let mut b = [0; 16];
        b.copy_from_slice(self.sized(16)?);
        Ok(Ipv6Addr::from(b))
    }
    /// Bytes, then NULs to the end, at least one.
    pub fn text(&self) -> Result<&[u8], Fault> {
        let mut len = self.payload.len();
        while len > 0 && self.payload[len - 1] == 0 {
            len -= 1;
        }
        let text = &self.payload[..len];
        if len == self.payload.len() || text.contains(&0) {
            Err(Fault::Text(self.at))
        } else {
            Ok(text)
        }
    }
}

/// The attributes up to the first fault, and it. Positions count from `base`.
pub fn attributes(bytes: &[u8], order: Order, base: usize) -> (Vec<Attribute<'_>>, Option<Fault>) {
    let mut list = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes.len() - at < 4 {
            return (list, Some(Fault::Truncated(base + at)));
        }
        let len = usize::from(order.u16(&bytes[at..at + 2]));
        if len < 4 || len > bytes.len() - at {
            return (list, Some(Fault::Length(base + at)));
        }
        list.push(Attribute {
            at: base + at,
            raw: order.u16(&bytes[at + 2..at + 4]),
            payload: &bytes[at + 4..at + len],
        });
        at += len;
        while at % 4 != 0 {
            at += 1;
        }
    }
    (list, None)
}

/// The attributes, or the fault.
pub fn whole(bytes: &[u8], order: Order, base: usize) -> Result<Vec<Attribute<'_>>, Fault> {
    match attributes(bytes, order, base) {
        (list, None) => Ok(list),
        (_, Some(fault)) => Err(fault),
    }
}

/// An address nest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Endpoint {
    pub family: Option<u16>,
    pub id: Option<u8>,
    pub addr4: Option<Ipv4Addr>,
    pub addr6: Option<Ipv6Addr>,
    pub port: Option<u16>,
    pub flags: Option<u32>,
    pub if_idx: Option<u32>,
    pub unknown: u16,
}

/// Reads an address nest.
pub fn endpoint(bytes: &[u8], order: Order, base: usize) -> Result<Endpoint, Fault> {
    let mut to = Endpoint::default();
    let (list, fault) = attributes(bytes, order, base);
    for a in &list {
        match a.number() {
            1 => to.family = Some(a.u16(order)?),
            2 => to.id = Some(a.u8()?),
            3 => to.addr4 = Some(a.ipv4()?),
            4 => to.addr6 = Some(a.ipv6()?),
            5 => to.port = Some(a.u16(order)?),
            6 => to.flags = Some(a.u32(order)?),
            7 => to.if_idx = Some(a.u32(order)?),
            _ => to.unknown = to.unknown.saturating_add(1),
        }
    }
    fault.map_or(Ok(to), Err)
}

/// Limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Limits {
    pub add_addr_accepted: Option<u32>,
    pub subflows: Option<u32>,
    pub unknown: u16,
}

/// Reads limits.
pub fn limits(bytes: &[u8], order: Order, base: usize) -> Result<Limits, Fault> {
    let mut to = Limits::default();
    let (list, fault) = attributes(bytes, order, base);
    for a in &list {
        match a.number() {
            2 => to.add_addr_accepted = Some(a.u32(order)?),
            3 => to.subflows = Some(a.u32(order)?),
            _ => to.unknown = to.unknown.saturating_add(1),
        }
    }
    fault.map_or(Ok(to), Err)
}

macro_rules! read {
    ($a:ident $order:ident u8) => {
        $a.u8()?
    };
    ($a:ident $order:ident be16) => {
        $a.be16()?
    };
    ($a:ident $order:ident ipv4) => {
        $a.ipv4()?
    };
    ($a:ident $order:ident ipv6) => {
        $a.ipv6()?
    };
    ($a:ident $order:ident $number:ident) => {
        $a.$number($order)?
    };
}

macro_rules! event {
    ($($number:literal $field:ident $with:ident: $type:ty = $kind:ident;)+) => {
        /// The attributes of an event.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub struct Event {
            $(pub $field: Option<$type>,)+
            pub unknown: u16,
        }

        /// Reads the attributes of an event.
        pub fn event(bytes: &[u8], order: Order, base: usize) -> Result<Event, Fault> {
            let mut to = Event::default();
            let (list, fault) = attributes(bytes, order, base);
            for a in &list {
                match a.number() {
                    $($number => to.$field = Some(read!(a order $kind)),)+
                    _ => to.unknown = to.unknown.saturating_add(1),
                }
            }
            fault.map_or(Ok(to), Err)
        }
    };
}

event_attributes!(event);

/// What an acknowledgement or an end says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Ack<'a> {
    pub errno: u32,
    /// The repeated request: header, payload if present.
    pub request: Option<(Vec<u8>, &'a [u8])>,
    pub message: Option<Vec<u8>>,
    pub offset: Option<u32>,
    pub cookie: Option<&'a [u8]>,
    pub policy: Option<&'a [u8]>,
    pub missing_type: Option<u32>,
    pub missing_nest: Option<u32>,
    pub unknown: u16,
}

/// Reads `NLMSG_ERROR` (`struct nlmsgerr` and attributes).
pub fn error<'a>(message: &Message<'a>, order: Order) -> Result<Ack<'a>, Fault> {
    let payload = message.payload;
    if payload.len() < 4 + 16 {
        let at = if payload.len() < 4 { 16 } else { 20 };
        return Err(Fault::Truncated(at));
    }
    let mut ack = Ack {
        errno: errno(&payload[..4], order),
        ..Ack::default()
    };
    let header = &payload[4..20];
    // NLM_F_CAPPED, or nothing to complain about: only the header came back.
    let mut end = 20;
    if ack.errno != 0 && message.flags & 0x100 == 0 {
        let len = order.u32(&header[..4]) as usize;
        if len < 16 || len > payload.len() - 4 {
            return Err(Fault::Length(20));
        }
        end = 4 + len;
    }
    ack.request = Some((header.to_vec(), &payload[20..end]));
    while end % 4 != 0 {
        end += 1;
    }
    tlvs(&mut ack, message, end, order)?;
    Ok(ack)
}

/// Reads `NLMSG_DONE`.
pub fn done<'a>(message: &Message<'a>, order: Order) -> Result<Ack<'a>, Fault> {
    let mut ack = Ack::default();
    if message.payload.is_empty() {
        return Ok(ack);
    }
    if message.payload.len() < 4 {
        return Err(Fault::Truncated(16));
    }
    ack.errno = errno(&message.payload[..4], order);
    tlvs(&mut ack, message, 4, order)?;
    Ok(ack)
}

fn errno(bytes: &[u8], order: Order) -> u32 {
    let number = order.u32(bytes) as i32;
    if number < 0 {
        (-i64::from(number)) as u32
    } else {
        0
    }
}

fn tlvs<'a>(
    ack: &mut Ack<'a>,
    message: &Message<'a>,
    start: usize,
    order: Order,
) -> Result<(), Fault> {
    // NLM_F_ACK_TLVS
    if message.flags & 0x200 == 0 || start >= message.payload.len() {
        return Ok(());
    }
    let (list, fault) = attributes(&message.payload[start..], order, 16 + start);
    for a in &list {
        match a.number() {
            1 => ack.message = Some(a.text()?.to_vec()),
            2 => ack.offset = Some(a.u32(order)?),
            3 => ack.cookie = Some(a.payload),
            4 => ack.policy = Some(a.payload),
            5 => ack.missing_type = Some(a.u32(order)?),
            6 => ack.missing_nest = Some(a.u32(order)?),
            _ => ack.unknown = ack.unknown.saturating_add(1),
        }
    }
    fault.map_or(Ok(()), Err)
}

/// What the controller says of a family, read whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Family {
    pub id: u16,
    pub name: Option<Vec<u8>>,
    pub version: Option<u32>,
    pub header_size: Option<u32>,
    pub max_attribute: Option<u32>,
}

/// Reads `CTRL_CMD_NEWFAMILY` after the generic header, without the nests.
pub fn family(bytes: &[u8], order: Order, base: usize) -> Result<Family, Fault> {
    let mut to = Family::default();
    let mut id = None;
    let (list, fault) = attributes(bytes, order, base);
    for a in &list {
        match a.number() {
            1 => id = Some(a.u16(order)?),
            2 => to.name = Some(a.text()?.to_vec()),
            3 => to.version = Some(a.u32(order)?),
            4 => to.header_size = Some(a.u32(order)?),
            5 => to.max_attribute = Some(a.u32(order)?),
            _ => {}
        }
    }
    if let Some(fault) = fault {
        return Err(fault);
    }
    to.id = id.ok_or(Fault::Missing)?;
    Ok(to)
}

/// The last attribute of a type, as the kernel chooses.
pub fn last<'a, 'b>(list: &'b [Attribute<'a>], kind: u16) -> Option<&'b Attribute<'a>> {
    list.iter().rev().find(|a| a.number() == kind)
}

/// `CTRL_ATTR_OPS`: (command, flags) each.
pub fn operations(nest: &[u8], order: Order) -> Result<Vec<(u32, u32)>, Fault> {
    let mut operations = Vec::new();
    for entry in whole(nest, order, 0)? {
        let mut operation = (0, 0);
        let (list, fault) = attributes(entry.payload, order, 0);
        for a in &list {
            match a.number() {
                1 => operation.0 = a.u32(order)?,
                2 => operation.1 = a.u32(order)?,
                _ => {}
            }
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        operations.push(operation);
    }
    Ok(operations)
}

/// `CTRL_ATTR_MCAST_GROUPS`: (name, id) each.
pub fn groups(nest: &[u8], order: Order) -> Result<Vec<(Vec<u8>, u32)>, Fault> {
    let mut groups = Vec::new();
    for entry in whole(nest, order, 0)? {
        let mut group = (Vec::new(), 0);
        let (list, fault) = attributes(entry.payload, order, 0);
        for a in &list {
            match a.number() {
                1 => group.0 = a.text()?.to_vec(),
                2 => group.1 = a.u32(order)?,
                _ => {}
            }
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        groups.push(group);
    }
    Ok(groups)
}

/// A socket of inet_diag: fixed part, and what it comes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Socket {
    pub family: u8,
    pub state: u8,
    pub timer: u8,
    pub retransmits: u8,
    pub source: Option<std::net::IpAddr>,
    pub source_port: u16,
    pub destination: Option<std::net::IpAddr>,
    pub destination_port: u16,
    pub interface: u32,
    pub cookie: u64,
    pub expires: u32,
    pub receive_queue: u32,
    pub send_queue: u32,
    pub uid: u32,
    pub inode: u32,
    pub mark: Option<u32>,
    pub congestion: Option<Vec<u8>>,
    pub info: Option<Vec<u8>>,
    pub memory: Option<Vec<u8>>,
}

/// The bytes of a nest, and where they start.
pub type Nest<'a> = (&'a [u8], usize);

/// Reads `struct inet_diag_msg` and attributes. Beside it: the last nest of
/// the protocol on top, and where it starts.
pub fn socket(payload: &[u8], order: Order) -> Result<(Socket, Option<Nest<'_>>), Fault> {
    if payload.len() < 72 {
        return Err(Fault::Truncated(16));
    }
    let net = Order { big: true };
    let address = |at: usize| match payload[0] {
        2 => {
            let b = &payload[at..at + 4];
            Some(Ipv4Addr::new(b[0], b[1], b[2], b[3]).into())
        }
        10 => {
            let b: [u8; 16] = payload[at..at + 16].try_into().expect("16 bytes");
            Some(Ipv6Addr::from(b).into())
        }
        _ => None,
    };
    let word = |at: usize| order.u32(&payload[at..at + 4]);
    let mut to = Socket {
        family: payload[0],
        state: payload[1],
        timer: payload[2],
        retransmits: payload[3],
        source_port: net.u16(&payload[4..6]),
        destination_port: net.u16(&payload[6..8]),
        source: address(8),
        destination: address(24),
        interface: word(40),
        cookie: u64::from(word(48)) * 0x1_0000_0000 + u64::from(word(44)),
        expires: word(52),
        receive_queue: word(56),
        send_queue: word(60),
        uid: word(64),
        inode: word(68),
        ..Socket::default()
    };
    let mut upper = None;
    let (list, fault) = attributes(&payload[72..], order, 16 + 72);
    for a in &list {
        match a.number() {
            2 => to.info = Some(a.payload.to_vec()),
            4 => to.congestion = Some(a.text()?.to_vec()),
            7 => to.memory = Some(a.payload.to_vec()),
            15 => to.mark = Some(a.u32(order)?),
            19 => upper = Some((a.payload, a.at + 4)),
            _ => {}
        }
    }
    fault.map_or(Ok((to, upper)), Err)
}

/// A subflow's part of MPTCP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Subflow {
    pub token_rem: Option<u32>,
    pub token_loc: Option<u32>,
    pub relwrite_seq: Option<u32>,
    pub map_seq: Option<u64>,
    pub map_sfseq: Option<u32>,
    pub ssn_offset: Option<u32>,
    pub map_datalen: Option<u16>,
    pub flags: Option<u32>,
    pub id_rem: Option<u8>,
    pub id_loc: Option<u8>,
    pub unknown: u16,
}

/// Reads the nest `INET_ULP_INFO_MPTCP`.
pub fn subflow(bytes: &[u8], order: Order, base: usize) -> Result<Subflow, Fault> {
    let mut to = Subflow::default();
    let (list, fault) = attributes(bytes, order, base);
    for a in &list {
        match a.number() {
            1 => to.token_rem = Some(a.u32(order)?),
            2 => to.token_loc = Some(a.u32(order)?),
            3 => to.relwrite_seq = Some(a.u32(order)?),
            4 => to.map_seq = Some(a.u64(order)?),
            5 => to.map_sfseq = Some(a.u32(order)?),
            6 => to.ssn_offset = Some(a.u32(order)?),
            7 => to.map_datalen = Some(a.u16(order)?),
            8 => to.flags = Some(a.u32(order)?),
            9 => to.id_rem = Some(a.u8()?),
            10 => to.id_loc = Some(a.u8()?),
            // The space before the 64-bit one.
            11 => {}
            _ => to.unknown = to.unknown.saturating_add(1),
        }
    }
    fault.map_or(Ok(to), Err)
}

/// A rule for an attribute: (number, value) of what is present, signed ones as
/// their bits; and how many are unknown.
pub type Rule = (std::collections::BTreeMap<u16, u64>, u16);

/// Reads `NL_POLICY_TYPE_ATTR_*`.
pub fn rule(bytes: &[u8], order: Order, base: usize) -> Result<Rule, Fault> {
    let mut values = std::collections::BTreeMap::new();
    let mut unknown = 0u16;
    let (list, fault) = attributes(bytes, order, base);
    for a in &list {
        let value = match a.number() {
            1 | 6..=10 => u64::from(a.u32(order)?),
            2..=5 | 12 => a.u64(order)?,
            // The space before the 64-bit ones.
            11 => continue,
            _ => {
                unknown = unknown.saturating_add(1);
                continue;
            }
        };
        values.insert(a.number(), value);
    }
    fault.map_or(Ok((values, unknown)), Err)
}
