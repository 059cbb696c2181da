//! Over a million damaged captures: nothing malformed is accepted, nothing
//! well-formed refused, and what is accepted is read as the judge reads it.
//!
//! The judge is `fuzz/src/reference.rs`, written from the format rules alone:
//! a message or attribute whose length does not fit what contains it, a
//! fixed-size attribute of another size, a string without its terminator is
//! malformed; anything else is not. The mutations are the same in every run.

use ip_mptcp_tests::captures::{self, ByteOrder};
use ip_mptcp_tests::random::Random;
use mptcp_codec::diag::Socket;
use mptcp_codec::generic::controller::Family;
use mptcp_codec::generic::policy::Entries;
use mptcp_codec::mptcp::{Endpoint, Event, Limits};
use mptcp_codec::netlink::{Content, Message, Messages};
use mptcp_codec::order::{Big, Little, Order};
use mptcp_codec::Error;

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unused_imports, reason = "targets have a test of their own")]
mod fuzz;
use fuzz::compare;
use fuzz::reference::{self, Fault};

/// Shards of mutations, each with a random sequence of its own.
const SHARDS: u64 = 16;
/// Mutants of a shard; of all shards, more than a million.
const EACH: u64 = 65_536;

/// What a datagram is about, which says how its data is read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum About {
    Endpoints,
    Limits,
    Events,
    Family,
    Policy,
    Sockets,
}

struct Seed {
    about: About,
    big: bool,
    bytes: Vec<u8>,
    /// Where headers start: of messages (length 4, then type 2) and of
    /// attributes (length 2, type 2).
    messages: Vec<usize>,
    attributes: Vec<usize>,
}

fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    for capture in captures::all() {
        let big = capture.order == ByteOrder::Big;
        let replies = capture.exchanges.iter().flat_map(|exchange| {
            let about = match exchange.name {
                name if name.contains("family") => About::Family,
                name if name.contains("policy") => About::Policy,
                name if name.contains("limits") => About::Limits,
                name if name.starts_with("diag") => About::Sockets,
                _ => About::Endpoints,
            };
            exchange.replies.iter().map(move |reply| (about, reply))
        });
        let events = capture.events.iter().flat_map(|e| &e.values);
        let events = events.map(|datagram| (About::Events, datagram));
        for (about, datagram) in replies.chain(events) {
            // Damage anywhere in a long datagram mostly repeats itself.
            let bytes = shortened(datagram, big);
            if seeds.iter().all(|s| s.bytes != bytes) {
                seeds.push(Seed::new(about, big, bytes));
            }
        }
    }
    seeds
}

/// The first messages, up to some hundred bytes.
fn shortened(datagram: &[u8], big: bool) -> Vec<u8> {
    let (messages, fault) = reference::messages(datagram, reference::Order { big });
    assert_eq!(fault, None);
    let starts = messages.iter().map(|m| m.at).chain([datagram.len()]);
    let first = messages.get(1).map_or(datagram.len(), |m| m.at);
    let len = starts.take_while(|at| *at <= 400).last();
    datagram[..len.unwrap_or(0).max(first)].to_vec()
}

impl Seed {
    fn new(about: About, big: bool, bytes: Vec<u8>) -> Self {
        let order = reference::Order { big };
        let (list, _) = reference::messages(&bytes, order);
        let mut attributes = Vec::new();
        for message in &list {
            let skip = match (message.kind, about) {
                (2, _) => 20,
                (3, _) => 4,
                (_, About::Sockets) => 72,
                _ => 4,
            };
            // Wherever something can be read as attributes, three levels deep.
            let mut nests = vec![(message.at + 16 + skip, message.at + message.len as usize, 0)];
            while let Some((start, end, level)) = nests.pop() {
                let Some(inside) = bytes.get(start..end) else {
                    continue;
                };
                for a in reference::attributes(inside, order, start).0 {
                    attributes.push(a.at);
                    if level < 3 {
                        nests.push((a.at + 4, a.at + 4 + a.payload.len(), level + 1));
                    }
                }
            }
        }
        let messages = list.iter().map(|m| m.at).collect();
        Self {
            about,
            big,
            messages,
            attributes,
            bytes,
        }
    }
}

/// Damages the bytes in one way. Positions of headers are those of the whole
/// seed: after a cut they hit something else, which is as well.
fn damage(bytes: &mut Vec<u8>, seed: &Seed, others: &[Seed], random: &mut Random) {
    let len = bytes.len();
    let set = |bytes: &mut Vec<u8>, at: usize, value: &[u8]| {
        if let Some(to) = bytes.get_mut(at..at + value.len()) {
            to.copy_from_slice(value);
        }
    };
    let two = |n: u16| {
        if seed.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let four = |n: u32| {
        if seed.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    match random.below(11) {
        0 | 1 if len > 0 => {
            let at = random.below(len);
            bytes[at] ^= 1 << random.below(8);
        }
        2 if len > 0 => {
            let at = random.below(len);
            bytes[at] = random.of(&[0, 1, 2, 3, 4, 5, 8, 16, 17, 0x7f, 0x80, 0xff]);
        }
        3 => bytes.truncate(random.below(len + 1)),
        4 if !seed.messages.is_empty() => {
            // nlmsg_len: near the truth, and far from it.
            let near = (len + random.below(9)).saturating_sub(4) as u32;
            let wild = random.any() as u32;
            let value = random.of(&[0, 15, 16, 17, 20, near, near, wild, 0x8000_0010, u32::MAX]);
            set(bytes, random.of(&seed.messages), &four(value));
        }
        5 if !seed.messages.is_empty() => {
            let value = random.of(&[1, 2, 3, 4, 16, 20, 28, 0xffff]);
            set(bytes, random.of(&seed.messages) + 4, &two(value));
            let flags = random.of(&[0, 2, 0x10, 0x100, 0x200, 0x300]);
            set(bytes, random.of(&seed.messages) + 6, &two(flags));
        }
        6 | 7 if !seed.attributes.is_empty() => {
            // nla_len, one off and more.
            let at = random.of(&seed.attributes);
            let order = reference::Order { big: seed.big };
            let was = bytes.get(at..at + 2).map_or(4, |b| order.u16(b));
            let near = was.wrapping_add(random.below(9) as u16).wrapping_sub(4);
            let wild = random.any() as u16;
            let value = random.of(&[near, near, near, 0, 3, 4, 5, wild, u16::MAX]);
            set(bytes, at, &two(value));
        }
        8 if !seed.attributes.is_empty() => {
            // nla_type, with its flags.
            let value = random.below(24) as u16 | random.of(&[0, 0, 0x8000, 0x4000, 0xc000]);
            set(bytes, random.of(&seed.attributes) + 2, &two(value));
        }
        9 if len > 0 => {
            let start = random.below(len);
            let end = len.min(start + 1 + random.below(24));
            bytes.drain(start..end);
        }
        _ => {
            let other = &others[random.below(others.len())].bytes;
            if !other.is_empty() {
                let start = random.below(other.len());
                let end = other.len().min(start + 1 + random.below(40));
                let at = random.below(len + 1);
                bytes.splice(at..at, other[start..end].iter().copied());
            }
        }
    }
}

/// How the verdicts fell.
#[derive(Debug, Default)]
struct Verdicts {
    well_formed: u64,
    malformed: u64,
}

impl Verdicts {
    /// Both accept and read the same, or both refuse.
    fn weigh<T: PartialEq + std::fmt::Debug>(
        &mut self,
        codec: Result<T, Error>,
        judge: Result<T, Fault>,
    ) {
        match (&codec, &judge) {
            (Ok(codec), Ok(judge)) => {
                assert_eq!(codec, judge, "accepted, but misread");
                self.well_formed += 1;
            }
            (Err(_), Err(_)) => self.malformed += 1,
            (Ok(_), Err(fault)) => panic!("malformed ({fault:?}), yet accepted: {codec:?}"),
            (Err(error), Ok(_)) => panic!("well-formed, yet refused: {error}"),
        }
    }
}

/// Reads a mutant whole, whatever it is about.
fn read<E: Order>(about: About, bytes: &[u8], verdicts: &mut Verdicts) {
    let order = reference::Order {
        big: E::u16([0, 1]) == 1,
    };
    let (judges, fault) = reference::messages(bytes, order);
    let mut messages = Messages::<E>::with_order(bytes);
    for judge in &judges {
        let message = match messages.next() {
            Some(Ok(message)) => message,
            other => panic!("a message was lost: {other:?}"),
        };
        assert_eq!(message.payload(), judge.payload);
        one(about, &message, judge, order, verdicts);
    }
    let end = messages.next().transpose().map(|_| ());
    verdicts.weigh(end, fault.map_or(Ok(()), Err));
    assert!(messages.next().is_none());
}

fn one<E: Order>(
    about: About,
    message: &Message<'_, E>,
    judge: &reference::Message<'_>,
    order: reference::Order,
    verdicts: &mut Verdicts,
) {
    let control = match judge.kind {
        0 | 1 | 4..=15 => Some(Ok(reference::Ack::default())),
        2 => Some(reference::error(judge, order)),
        3 => Some(reference::done(judge, order)),
        _ => None,
    };
    if let Some(judge) = control {
        verdicts.weigh(
            message.content().and_then(|content| {
                Ok(match content {
                    Content::Ack(ack) => reference::Ack {
                        request: Some((ack.request.to_bytes::<E>().to_vec(), ack.request_payload)),
                        ..extended(ack.errno, &ack.extended()?)
                    },
                    Content::Done(done) => extended(done.errno, &done.extended()?),
                    _ => reference::Ack::default(),
                })
            }),
            judge,
        );
        return;
    }
    let generic = judge.payload.get(4..).ok_or(Fault::Truncated(16));
    let command = judge.payload.first();
    // A message that is none of the set is refused, not read as an empty one.
    let right = match about {
        About::Limits => matches!(command, Some(5 | 6)),
        About::Family => judge.kind == 16 && matches!(command, Some(1 | 2 | 7 | 8)),
        _ => true,
    };
    if !right {
        let codec = match about {
            About::Limits => Limits::decode(message).err(),
            _ => Family::decode(message).err(),
        };
        assert!(codec.is_some(), "took another message");
        return;
    }
    match about {
        About::Endpoints => verdicts.weigh(
            Endpoint::decode(message).map(|e| compare::endpoint(&e)),
            generic.and_then(|attributes| {
                let all = reference::whole(attributes, order, 0)?;
                let nest = reference::last(&all, 1).ok_or(Fault::Missing)?;
                reference::endpoint(nest.payload, order, 0)
            }),
        ),
        About::Limits => verdicts.weigh(
            Limits::decode(message).map(|l| compare::limits(&l)),
            generic.and_then(|attributes| reference::limits(attributes, order, 0)),
        ),
        About::Events => verdicts.weigh(
            Event::decode(message).map(|e| compare::event(&e.fields)),
            generic.and_then(|attributes| reference::event(attributes, order, 0)),
        ),
        About::Family => family(message, generic, order, verdicts),
        About::Policy => {
            let right = judge.kind == 16 && judge.payload.first() == Some(&10);
            let codec = Entries::decode(message).and_then(|e| e.collect::<Result<Vec<_>, _>>());
            match generic.map(|attributes| policy(attributes, order)) {
                Ok(judge) if right => verdicts.weigh(codec.map(|e| e.len()), judge),
                _ => assert!(codec.is_err(), "took another message for a policy"),
            }
        }
        About::Sockets if judge.kind != 20 => {
            assert!(Socket::decode(message).is_err(), "took another message");
        }
        About::Sockets => {
            let codec = Socket::decode(message);
            let judge = reference::socket(judge.payload, order);
            verdicts.weigh(
                codec.map(|s| (s.state.number(), s.source, s.inode, s.fields.mark())),
                judge
                    .as_ref()
                    .map(|(s, _)| (s.state, s.source, s.inode, s.mark))
                    .map_err(|fault| *fault),
            );
            if let (Ok(codec), Ok((_, upper))) = (codec, judge) {
                verdicts.weigh(
                    codec
                        .subflow()
                        .map(|s| s.map(|s| (s.token_loc(), s.map_seq(), s.id_rem()))),
                    reference::whole(upper.unwrap_or((&[], 0)).0, order, 0).and_then(|all| {
                        reference::last(&all, 3)
                            .map(|a| reference::subflow(a.payload, order, 0))
                            .transpose()
                            .map(|s| s.map(|s| (s.token_loc, s.map_seq, s.id_rem)))
                    }),
                );
            }
        }
    }
}

fn family<E: Order>(
    message: &Message<'_, E>,
    generic: Result<&[u8], Fault>,
    order: reference::Order,
    verdicts: &mut Verdicts,
) {
    let codec = Family::decode(message);
    verdicts.weigh(
        codec.map(|f| {
            (
                f.id,
                f.fields.name().map(|n| n.as_bytes().to_vec()),
                f.fields.version(),
            )
        }),
        generic
            .and_then(|attributes| reference::family(attributes, order, 0))
            .map(|f| (f.id, f.name, f.version)),
    );
    let (Ok(codec), Ok(attributes)) = (codec, generic) else {
        return;
    };
    let all = reference::whole(attributes, order, 0).expect("accepted");
    let nest = |kind| reference::last(&all, kind).map_or(&[][..], |a| a.payload);
    verdicts.weigh(
        codec
            .fields
            .operations()
            .map(|o| o.map(|o| (o.id().unwrap_or(0), o.flags().unwrap_or_default().0)))
            .collect(),
        reference::operations(nest(6), order),
    );
    verdicts.weigh(
        codec
            .fields
            .groups()
            .map(|g| {
                g.map(|g| {
                    (
                        g.name().unwrap_or_default().as_bytes().to_vec(),
                        g.id().unwrap_or(0),
                    )
                })
            })
            .collect(),
        reference::groups(nest(7), order),
    );
}

/// How many entries there are, if all are well-formed.
fn policy(attributes: &[u8], order: reference::Order) -> Result<usize, Fault> {
    let all = reference::whole(attributes, order, 0)?;
    let nest = |kind| reference::last(&all, kind).map_or(&[][..], |a| a.payload);
    let mut count = 0;
    for command in reference::whole(nest(9), order, 0)? {
        for a in reference::whole(command.payload, order, 0)? {
            if matches!(a.number(), 1 | 2) {
                a.u32(order)?;
            }
        }
        // A header has a byte for a command.
        count += usize::from(command.number() <= 255);
    }
    for policy in reference::whole(nest(8), order, 0)? {
        for rule in reference::whole(policy.payload, order, 0)? {
            reference::rule(rule.payload, order, 0)?;
            count += 1;
        }
    }
    Ok(count)
}

fn extended<'a, E: Order>(
    errno: u32,
    e: &mptcp_codec::netlink::ExtendedAck<'a, E>,
) -> reference::Ack<'a> {
    let policy = e.attributes().find_last(4).expect("checked");
    reference::Ack {
        errno,
        request: None,
        message: e.message().map(|m| m.as_bytes().to_vec()),
        offset: e.offset(),
        cookie: e.cookie(),
        policy: policy.map(|p| p.payload()),
        missing_type: e.missing_type(),
        missing_nest: e.missing_nest(),
        unknown: e.unknown(),
    }
}

fn shard(number: u64, seeds: &[Seed]) -> Verdicts {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number + 1));
    let mut verdicts = Verdicts::default();
    for _ in 0..EACH {
        let seed = &seeds[random.below(seeds.len())];
        let mut bytes = seed.bytes.clone();
        for _ in 0..1 + random.below(3) {
            damage(&mut bytes, seed, seeds, &mut random);
        }
        let says = Says(&bytes, seed.about);
        if seed.big {
            read::<Big>(seed.about, &bytes, &mut verdicts);
        } else {
            read::<Little>(seed.about, &bytes, &mut verdicts);
        }
        drop(says);
    }
    verdicts
}

/// Shows the mutant that made a panic.
struct Says<'a>(&'a [u8], About);

impl Drop for Says<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("mutant about {:?}: {:02x?}", self.1, self.0);
        }
    }
}

#[test]
fn undamaged_captures_are_accepted() {
    let mut verdicts = Verdicts::default();
    for seed in seeds() {
        if seed.big {
            read::<Big>(seed.about, &seed.bytes, &mut verdicts);
        } else {
            read::<Little>(seed.about, &seed.bytes, &mut verdicts);
        }
    }
    assert!(verdicts.well_formed > 1000);
    // The answers of GET_ADDR without an endpoint in them.
    assert_eq!(verdicts.malformed, 0, "{verdicts:?}");
}

#[test]
fn a_million_mutants_are_judged_as_the_format_says() {
    let seeds = seeds();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut all = Verdicts::default();
    std::thread::scope(|scope| {
        let work = || {
            let mut verdicts = Verdicts::default();
            loop {
                let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as u64;
                if number >= SHARDS {
                    return verdicts;
                }
                let shard = shard(number, &seeds);
                verdicts.well_formed += shard.well_formed;
                verdicts.malformed += shard.malformed;
            }
        };
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            let verdicts = thread.join().expect("a mutant broke a promise; see above");
            all.well_formed += verdicts.well_formed;
            all.malformed += verdicts.malformed;
        }
    });
    println!(
        "{} mutants of {} seeds: {all:?}",
        SHARDS * EACH,
        seeds.len()
    );
    // Both kinds are met often enough to mean something.
    assert!(all.well_formed > 500_000, "{all:?}");
    assert!(all.malformed > 500_000, "{all:?}");
}
