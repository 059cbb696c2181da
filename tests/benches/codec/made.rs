//! Messages that no capture has: endpoints of all shapes, attributes in another
//! order, many addresses. They are put together as the kernel does it.

/// An attribute, padded.
fn attribute(number: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from((value.len() as u16 + 4).to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(message_type: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::from((payload.len() as u32 + 16).to_ne_bytes());
    bytes.extend(message_type.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([1, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// 255 endpoints in datagrams of 30: of IPv4 and IPv6, with and without port
/// and interface.
pub fn mixed() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (1..=255).collect();
    let datagrams = all.chunks(30).map(|ids| {
        let endpoints = ids.iter().flat_map(|id| {
            let v6 = id % 3 == 0;
            let mut nest = attribute(1, &(if v6 { 10u16 } else { 2 }).to_ne_bytes());
            nest.extend(attribute(5, &(u16::from(id % 5 == 0) * 5000).to_ne_bytes()));
            nest.extend(attribute(2, &[*id]));
            nest.extend(attribute(6, &u32::from(id % 16).to_ne_bytes()));
            if id % 2 == 0 {
                nest.extend(attribute(7, &3u32.to_ne_bytes()));
            }
            if v6 {
                let mut address = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, *id];
                address[8] = id / 2;
                nest.extend(attribute(4, &address));
            } else {
                nest.extend(attribute(3, &[10, 0, 0, *id]));
            }
            let mut payload = vec![3, 1, 0, 0];
            payload.extend(attribute(0x8001, &nest));
            message(30, 2, &payload)
        });
        endpoints.collect()
    });
    datagrams.collect()
}

/// The same messages with the attributes turned round: at the top level, or in
/// the nest that begins after `nest` bytes of a message.
pub fn reversed(datagrams: &[Vec<u8>], nest: Option<usize>) -> Vec<Vec<u8>> {
    let mut all = datagrams.to_vec();
    for datagram in &mut all {
        let mut start = 0;
        while start < datagram.len() {
            let len = u32::from_ne_bytes(datagram[start..][..4].try_into().expect("a header"));
            let end = start + len as usize;
            let skip = nest.map_or(20, |nest| nest + 4);
            let inside = &mut datagram[start + skip..end];
            let mut parts = Vec::new();
            let mut at = 0;
            while at < inside.len() {
                let len = u16::from_ne_bytes([inside[at], inside[at + 1]]);
                let next = (at + usize::from(len).next_multiple_of(4)).min(inside.len());
                parts.push(inside[at..next].to_vec());
                at = next;
            }
            parts.reverse();
            inside.copy_from_slice(&parts.concat());
            start = end.next_multiple_of(4);
        }
    }
    all
}

/// 1,000 addresses in datagrams of 40, half of them IPv6.
pub fn addresses() -> Vec<Vec<u8>> {
    let all: Vec<u32> = (0..1000).collect();
    let datagrams = all.chunks(40).map(|part| {
        let addresses = part.iter().flat_map(|n| {
            let v6 = n % 2 == 0;
            let number = n.to_be_bytes();
            let mut cache = [0; 16];
            cache[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
            cache[4..8].copy_from_slice(&(u32::MAX - n).to_ne_bytes());
            let family = if v6 { 10 } else { 2 };
            let mut payload = vec![family, if v6 { 64 } else { 24 }, 0x80, 0];
            payload.extend((n % 7 + 1).to_ne_bytes());
            if v6 {
                let mut address = [0; 16];
                address[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
                address[12..].copy_from_slice(&number);
                payload.extend(attribute(1, &address));
                payload.extend(attribute(6, &cache));
                payload.extend(attribute(8, &0x80u32.to_ne_bytes()));
                payload.extend(attribute(11, &[3]));
            } else {
                let address = [10, number[1], number[2], number[3]];
                payload.extend(attribute(1, &address));
                payload.extend(attribute(2, &address));
                payload.extend(attribute(4, &[10, number[1], number[2], 255]));
                payload.extend(attribute(3, b"eth0\0"));
                payload.extend(attribute(8, &0x80u32.to_ne_bytes()));
                payload.extend(attribute(6, &cache));
            }
            message(20, 2, &payload)
        });
        addresses.collect()
    });
    datagrams.collect()
}

/// A hundred refusals with a text and an offset.
pub fn refusals() -> Vec<Vec<u8>> {
    let mut payload = Vec::from((-22i32).to_ne_bytes());
    let mut nest = attribute(1, &2u16.to_ne_bytes());
    nest.extend(attribute(3, &[10, 0, 0, 6]));
    nest.extend(attribute(5, &99u16.to_ne_bytes()));
    let mut request = vec![1, 1, 0, 0];
    request.extend(attribute(0x8001, &nest));
    payload.extend(message(30, 5, &request));
    let text = b"flags must have signal and not subflow when using port\0";
    payload.extend(attribute(1, text));
    payload.extend(attribute(2, &20u32.to_ne_bytes()));
    vec![message(2, 0x200, &payload); 100]
}
