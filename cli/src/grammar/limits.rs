//! Limits by their names.

use mptcp_codec::mptcp::Limits;

use crate::error::{status, Error, Kind};

/// What `limits set` takes, also as a line of a state file.
pub const WORDS: &str = "[ subflows N ] [ add_addr_accepted N ]";

/// Each limit: its keyword, its number, its value.
pub fn each(limits: &Limits) -> [(&'static str, u16, Option<u32>); 2] {
    [
        (
            "add_addr_accepted",
            Limits::RCV_ADD_ADDRS,
            limits.add_addr_accepted(),
        ),
        ("subflows", Limits::SUBFLOWS, limits.subflows()),
    ]
}

/// The same with this value for the limit of this number.
pub fn with(limits: Limits, number: u16, value: u32) -> Limits {
    match number {
        Limits::SUBFLOWS => limits.with_subflows(value),
        _ => limits.with_add_addr_accepted(value),
    }
}

/// The same with the kernel's maximum for those in `which`, a bit `1 << number` each.
pub fn with_most(mut limits: Limits, which: u32, maximum: u32) -> Limits {
    for number in &[Limits::RCV_ADD_ADDRS, Limits::SUBFLOWS] {
        if which & 1 << *number != 0 {
            limits = with(limits, *number, maximum);
        }
    }
    limits
}

/// No limit to set was given.
pub fn nothing_to_set() -> Error {
    Error::new(
        Kind::Usage,
        status::USAGE,
        "Error: nothing to set: subflows N or add_addr_accepted N is required",
    )
}

#[cfg(test)]
mod tests {
    use super::super::{keyword, parse, slot, Given, Takes};
    use super::*;

    /// A limit that is forgotten here, in the keywords or in [`WORDS`] cannot be set, and
    /// `save` and `apply` lose it.
    #[test]
    fn every_limit_of_the_kernel_can_be_set() {
        let takes = Takes::of(WORDS, keyword::LIMITS);
        let known = (0..64).filter(|number| Limits::name_of(*number).is_some());
        let listed = each(&Limits::EMPTY).map(|(_, number, _)| number);
        assert_eq!(known.collect::<Vec<_>>(), listed);
        for (name, number, _) in each(&Limits::EMPTY) {
            let sets = keyword::LIMITS
                .iter()
                .find(|keyword| keyword.name == name)
                .map(|keyword| u16::from(keyword.sets));
            assert_eq!(sets, Some(u16::from(slot::LIMITS) + number), "{name}");
            for value in ["5", "max"] {
                let mut given = Given::default();
                parse(
                    &[name, value],
                    keyword::LIMITS,
                    takes,
                    &mut given,
                    &mut |_| Ok(0),
                )
                .unwrap();
                let limits = with_most(given.limits, given.most, 5);
                assert_eq!(limits.without(number), Limits::EMPTY, "{name} {value}");
                for (other, _, value) in each(&limits) {
                    assert_eq!(value, (other == name).then_some(5), "{name}: {other}");
                }
            }
        }
    }
}
