//! The attribute walk, nest by nest, with every typed read.

use mptcp_codec::netlink::{Attribute, Attributes};
use mptcp_codec::order::{Big, Little, Order};

use super::compare::{agree, same_fault};
use super::{is_within, print_all, reference};

/// Walks the bytes as attributes, and every payload again as a nest.
pub fn run(data: &[u8]) {
    let attributes = Attributes::<Little>::with_order(data);
    print_all!(attributes);
    walk(attributes, data, false);
    walk(Attributes::<Big>::with_order(data), data, true);
}

/// Bytes shrink by a header with each level, so this ends; the levels are
/// kept on the heap because 64 kB of nests are 16,000 levels.
fn walk<E: Order>(attributes: Attributes<'_, E>, data: &[u8], big: bool) {
    let order = reference::Order { big };
    let mut levels = vec![attributes];
    while let Some(mut attributes) = levels.pop() {
        let base = attributes.offset();
        let bytes = attributes.as_bytes();
        assert!(is_within(bytes, data));
        let (expected, fault) = reference::attributes(bytes, order, base);
        for kind in [1, 7] {
            let judge = match fault {
                None => Ok(reference::last(&expected, kind).map(|a| a.at)),
                Some(fault) => Err(fault),
            };
            let found = attributes.find_last(kind);
            agree(found.map(|a| a.map(|a| a.offset())), judge);
            let nest = attributes.find_nest(kind);
            agree(
                nest.map(|nest| nest.map(|nest| (nest.offset(), nest.as_bytes()))),
                judge.map(|_| {
                    let last = reference::last(&expected, kind);
                    last.map(|a| (a.at + 4, a.payload))
                }),
            );
        }
        let mut expected = expected.iter();
        for attribute in attributes.by_ref() {
            match attribute {
                Ok(attribute) => {
                    let judge = expected.next().expect("one attribute too many");
                    one(&attribute, judge, order);
                    if levels.len() < 4096 {
                        levels.push(attribute.nested());
                    }
                }
                Err(error) => same_fault(error, fault.expect("refused, but well-formed")),
            }
        }
        assert!(expected.next().is_none(), "attributes were left out");
        assert!(attributes.next().is_none(), "goes on after its end");
        assert!(attributes.as_bytes().is_empty());
    }
}

fn one<E: Order>(a: &Attribute<'_, E>, judge: &reference::Attribute<'_>, order: reference::Order) {
    assert_eq!(a.number(), judge.number());
    assert_eq!(a.is_nested(), judge.raw & 0x8000 != 0);
    assert_eq!(a.is_net_byteorder(), judge.raw & 0x4000 != 0);
    assert_eq!(a.offset(), judge.at);
    assert_eq!(a.payload(), judge.payload);
    agree(a.u8(), judge.u8());
    agree(a.u16(), judge.u16(order));
    agree(a.be16(), judge.be16());
    agree(a.u32(), judge.u32(order));
    agree(a.i32(), judge.u32(order).map(|n| n as i32));
    agree(a.u64(), judge.u64(order));
    agree(a.ipv4(), judge.ipv4());
    agree(a.ipv6(), judge.ipv6());
    agree(a.text().map(|t| t.as_bytes()), judge.text());
    if let Ok(text) = a.text() {
        super::print(format_args!("{text} {text:?}"));
        assert_eq!(text.to_str(), std::str::from_utf8(text.as_bytes()).ok());
    }
    // Printing a payload costs more than all else; short ones show the same.
    if a.payload().len() <= 32 {
        print_all!(a);
    }
}
