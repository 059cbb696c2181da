//! Policies: what the controller says a family takes, and what a refusal says
//! an attribute should have been.

use mptcp_codec::generic::policy::{self, Entries, Entry};
use mptcp_codec::netlink::{Attributes, Messages, Rule};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::agree;
use super::print_all;
use super::reference::{self, Fault};

/// Reads the bytes as a rule and as the payload of an answer.
pub fn run(data: &[u8]) {
    one::<Little>(data, false);
    one::<Big>(data, true);
    if let Some((head, _)) = data.split_first_chunk::<8>() {
        let family = u16::from_ne_bytes([head[0], head[1]]);
        let command = (head[2] & 1 == 0).then_some(head[3]);
        let room = usize::from(head[4]);
        match policy::dump(&mut vec![0; room], family, 7, command) {
            Ok(message) => assert_eq!(message.len(), 28 + command.map_or(0, |_| 8)),
            Err(_) => assert!(room < 36),
        }
    }
}

fn one<E: Order>(data: &[u8], big: bool) {
    let order = reference::Order { big };
    agree(
        Rule::from_attributes(Attributes::<E>::with_order(data)).map(|r| values(&r)),
        reference::rule(data, order, 0),
    );
    let bytes = super::message(16, 2, data, big);
    let mut messages = Messages::<E>::with_order(&bytes);
    let message = messages.next().expect("a message").expect("well-formed");
    let entries = match Entries::decode(&message) {
        Ok(entries) => entries,
        Err(error) => {
            print_all!(error);
            assert!(
                data.len() < 4 || data[0] != 10 || reference::whole(&data[4..], order, 20).is_err()
            );
            return;
        }
    };
    print_all!(entries);
    assert_eq!(data[0], 10);
    let mut walk = entries;
    if walk.any(|entry| entry.is_err()) {
        assert!(walk.next().is_none(), "goes on after an error");
    }
    let codec: Result<Vec<Entry>, _> = entries.collect();
    print_all!(codec);
    let judge = read(&data[4..], order);
    match (codec, judge) {
        (Ok(codec), Ok(judge)) => {
            let codec: Vec<Judged> = codec.iter().map(judged).collect();
            assert_eq!(codec, judge);
        }
        (Err(_), Err(_)) => {}
        (codec, judge) => panic!("codec {codec:?}, judge {judge:?}"),
    }
}

#[derive(Debug, PartialEq)]
enum Judged {
    Command(u16, Option<u32>, Option<u32>),
    Attribute(u16, u16, reference::Rule),
}

fn judged(entry: &Entry) -> Judged {
    match entry {
        Entry::Command {
            command,
            on_do,
            on_dump,
        } => Judged::Command(u16::from(*command), *on_do, *on_dump),
        Entry::Attribute {
            policy,
            attribute,
            rule,
        } => Judged::Attribute(*policy, *attribute, values(rule)),
        _ => unreachable!("an entry that is not known"),
    }
}

fn read(bytes: &[u8], order: reference::Order) -> Result<Vec<Judged>, Fault> {
    let all = reference::whole(bytes, order, 0)?;
    let nest = |kind| reference::last(&all, kind).map_or(&[][..], |a| a.payload);
    let mut entries = Vec::new();
    for command in reference::whole(nest(9), order, 0)? {
        let inside = reference::whole(command.payload, order, 0)?;
        let (mut on_do, mut on_dump) = (None, None);
        for a in &inside {
            match a.number() {
                1 => on_do = Some(a.u32(order)?),
                2 => on_dump = Some(a.u32(order)?),
                _ => {}
            }
        }
        if command.number() > 255 {
            continue;
        }
        entries.push(Judged::Command(command.number(), on_do, on_dump));
    }
    for policy in reference::whole(nest(8), order, 0)? {
        for rule in reference::whole(policy.payload, order, 0)? {
            entries.push(Judged::Attribute(
                policy.number(),
                rule.number(),
                reference::rule(rule.payload, order, 0)?,
            ));
        }
    }
    Ok(entries)
}

/// The codec's rule in the judge's words.
fn values(rule: &Rule) -> reference::Rule {
    print_all!((rule, rule.type_name()));
    let all = [
        (1, rule.type_number().map(u64::from)),
        (2, rule.min_signed().map(|n| n as u64)),
        (3, rule.max_signed().map(|n| n as u64)),
        (4, rule.min()),
        (5, rule.max()),
        (6, rule.min_length().map(u64::from)),
        (7, rule.max_length().map(u64::from)),
        (8, rule.policy().map(u64::from)),
        (9, rule.max_attribute().map(u64::from)),
        (10, rule.bitfield_mask().map(u64::from)),
        (12, rule.mask()),
    ];
    let present = all.iter().filter_map(|(n, v)| v.map(|v| (*n, v)));
    (present.collect(), rule.unknown())
}
