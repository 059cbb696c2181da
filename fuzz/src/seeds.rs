//! Seeds: what real kernels said, cut to each target.

use std::collections::BTreeMap;

use super::reference::{self, Order};

#[path = "../../tests/src/captures.rs"]
#[allow(dead_code, reason = "written for the tests, which use all of it")]
mod captures;

/// Inputs by the name of their target.
pub type Seeds = BTreeMap<&'static str, Vec<Vec<u8>>>;

/// The seeds of all targets, each once.
pub fn all() -> Seeds {
    let mut seeds = Seeds::new();
    for capture in captures::all() {
        let order = Order {
            big: capture.order == captures::ByteOrder::Big,
        };
        for (name, datagram) in capture.datagrams() {
            // A family can have the number that inet_diag has for its messages.
            let is_diag = name.starts_with("diag");
            // A walk of the longest dumps finds nothing that shorter ones
            // do not, only later.
            if datagram.len() > 1024 {
                add_messages(&mut seeds, datagram, order, is_diag, 4);
            } else {
                add(&mut seeds, &["messages", "rebuild"], datagram);
                add_messages(&mut seeds, datagram, order, is_diag, usize::MAX);
            }
        }
        for option in &capture.getsockopt {
            for value in &option.values {
                let target = if option.name.starts_with("mptcp_info") {
                    "diag"
                } else {
                    "sockopt"
                };
                add(&mut seeds, &[target], value);
            }
        }
        for exchange in &capture.exchanges {
            add(
                &mut seeds,
                &["requests", "writer", "exchange"],
                &exchange.request,
            );
            for reply in exchange.replies.iter().filter(|r| r.len() <= 1024) {
                add(&mut seeds, &["exchange"], reply);
            }
        }
    }
    for big in [false, true] {
        for (choice, payload) in links(big) {
            let choice = choice | u8::from(big) << 3;
            add(&mut seeds, &["route"], &[&[choice], &payload[..]].concat());
        }
    }
    for text in STATE_FILES {
        add(&mut seeds, &["state_file"], text.as_bytes());
    }
    for inputs in seeds.values_mut() {
        inputs.sort();
        inputs.dedup();
    }
    seeds
}

/// State files with everything that the grammar knows, and mistakes.
const STATE_FILES: [&str; 5] = [
    "limits set subflows 4 add_addr_accepted 4\n\
     endpoint add 192.0.2.10 dev wan id 1 subflow fullmesh\n\
     endpoint add dev lte subflow backup     # every usable address\n\
     endpoint add dev wan6 -6 subflow\n",
    "mptcp e a 10.0.0.1 d 'a#b' p 0x50 i 7 signal nobackup\r\n\
     endpoint add ::ffff:10.0.0.2 \\\nlaminar -6\n",
    "\u{feff}endpoint add dev \"it's\" id 9 -4 port 80 signal\nlimits set s 1\n\n# nothing\n",
    "endpoint add dev back\\ backup\nendpoint add 10.0.0.1 id 1\nendpoint add 10.0.0.1 id 1\n",
    "endpoint delete id 1\nendpoint add '\nhelp\nlimits\n-j endpoint add --help\n\\",
];

fn add(seeds: &mut Seeds, targets: &[&'static str], bytes: &[u8]) {
    for target in targets {
        seeds.entry(target).or_default().push(bytes.to_vec());
    }
}

/// The payloads of the messages, for the targets that put a header in front
/// themselves.
fn add_messages(seeds: &mut Seeds, datagram: &[u8], order: Order, is_diag: bool, most: usize) {
    let (messages, fault) = reference::messages(datagram, order);
    assert_eq!(fault, None, "captures are well-formed");
    for message in messages.into_iter().take(most) {
        let payload = message.payload;
        match message.kind {
            2 | 3 => {
                let kind = u8::from(message.kind == 2);
                let flags = (message.flags >> 8 & 7) as u8;
                let choice = kind | flags << 1 | u8::from(order.big) << 4;
                add(seeds, &["extack"], &[&[choice], payload].concat());
                if let Ok(ack) = reference::error(&message, order) {
                    add(seeds, &["policy"], ack.policy.unwrap_or_default());
                }
            }
            16 => {
                add(seeds, &["controller", "policy"], payload);
                for attribute in attributes_of(payload, 4, order) {
                    add(seeds, &["policy"], attribute.payload);
                }
            }
            20 if is_diag => {
                add(seeds, &["diag"], payload);
                // The nests inside, subflows among them.
                for attribute in attributes_of(payload, 72, order) {
                    add(seeds, &["attributes", "diag"], attribute.payload);
                    for inside in attributes_of(attribute.payload, 0, order) {
                        add(seeds, &["diag"], inside.payload);
                    }
                }
            }
            17..=32 => {
                add(seeds, &["endpoint", "events"], payload);
                let attributes = payload.get(4..).unwrap_or_default();
                add(seeds, &["attributes", "endpoint"], attributes);
                // Nests are inputs too.
                for attribute in attributes_of(payload, 4, order) {
                    add(seeds, &["attributes", "endpoint"], attribute.payload);
                }
            }
            _ => {}
        }
    }
}

fn attributes_of(payload: &[u8], skip: usize, order: Order) -> Vec<reference::Attribute<'_>> {
    reference::attributes(payload.get(skip..).unwrap_or_default(), order, 0).0
}

/// A link, an address of each family and a route of each family, as the
/// kernel sends them; the captures have none.
fn links(big: bool) -> Vec<(u8, Vec<u8>)> {
    let two = |n: u16| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let four = |n: u32| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let attribute = |kind: u16, payload: &[u8]| {
        let mut bytes = [two(4 + payload.len() as u16), two(kind)].concat();
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let link = [
        &[0, 0][..],
        &two(1),
        &four(7),
        &four(0x1_1043),
        &[0; 4],
        &attribute(3, b"eth0\0"),
        &attribute(4, &four(1500)),
        &attribute(10, &four(3)),
        &attribute(16, &[6]),
        &attribute(33, &[1]),
    ];
    let v4 = [
        &[2, 24, 0x80, 0][..],
        &four(7),
        &attribute(1, &[10, 0, 0, 9]),
        &attribute(2, &[10, 0, 0, 1]),
        &attribute(3, b"eth0\0"),
        &attribute(8, &four(0x80)),
        &attribute(6, &[0xff; 16]),
    ];
    let v6 = [
        &[10, 64, 0x80, 253][..],
        &four(7),
        &attribute(1, &[0xfe; 16]),
        &attribute(8, &four(0x80)),
    ];
    let route4 = [
        &[2, 24, 0, 0, 254, 3, 0, 1][..],
        &four(0),
        &attribute(15, &four(254)),
        &attribute(1, &[10, 0, 0, 0]),
        &attribute(5, &[10, 0, 0, 2]),
        &attribute(7, &[10, 0, 0, 1]),
        &attribute(4, &four(7)),
        &attribute(6, &four(100)),
        &attribute(18, &[&two(10)[..], &[0xfe; 16]].concat()),
    ];
    let route6 = [
        &[10, 0, 64, 0, 254, 3, 0, 1][..],
        &four(0),
        &attribute(2, &[0xfd; 16]),
        &attribute(5, &[0xfe; 16]),
        &attribute(3, &four(7)),
    ];
    vec![
        (0, link.concat()),
        (2, v4.concat()),
        (2, v6.concat()),
        (4, route4.concat()),
        (4, route6.concat()),
    ]
}
