//! `[ subflows N ] [ add_addr_accepted N ]`

use mptcp_codec::mptcp::Limits;

use super::{shortens, Words};
use crate::error::{status, Error, Kind, Result};
use crate::text::parse_number;

/// What was said about limits.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitWords {
    /// `subflows N`.
    pub subflows: Option<u32>,
    /// `add_addr_accepted N`.
    pub add_addr_accepted: Option<u32>,
}

impl LimitWords {
    /// The words for these limits.
    pub fn of(limits: &Limits) -> Self {
        Self {
            subflows: limits.subflows(),
            add_addr_accepted: limits.add_addr_accepted(),
        }
    }

    /// Adds those that were said: of two the last counts.
    pub fn add(&mut self, said: &Self) {
        self.subflows = said.subflows.or(self.subflows);
        self.add_addr_accepted = said.add_addr_accepted.or(self.add_addr_accepted);
    }

    /// `limits` with those that were said.
    pub fn over(&self, mut limits: Limits) -> Limits {
        if let Some(value) = self.subflows {
            limits = limits.with_subflows(value);
        }
        if let Some(value) = self.add_addr_accepted {
            limits = limits.with_add_addr_accepted(value);
        }
        limits
    }
}

/// Reads the words: of two about one limit the last counts.
pub fn parse(mut words: Words, limits: &mut LimitWords) -> Result<()> {
    while let Some(word) = words.next() {
        let (limit, why) = if shortens(word, "subflows") {
            (&mut limits.subflows, "invalid subflows")
        } else if shortens(word, "add_addr_accepted") {
            (&mut limits.add_addr_accepted, "invalid add_addr_accepted")
        } else {
            return Err(Error::invalid(word, "unknown limit").unknown());
        };
        let value = words.value(word)?;
        *limit = Some(parse_number(value).ok_or_else(|| Error::invalid(value, why))?);
    }
    Ok(())
}

/// The same, where something must be said.
pub fn parse_some(words: &[&str], limits: &mut LimitWords) -> Result<()> {
    if words.is_empty() {
        return Err(Error::new(
            Kind::Usage,
            status::USAGE,
            &["Error: nothing to set: subflows N or add_addr_accepted N is required"],
        ));
    }
    parse(Words::new(words), limits)
}
