//! `limits set`, `limits show`.

use mptcp_codec::mptcp::Limits;

use crate::error::Result;
use crate::grammar::limits::{self, LimitWords};
use crate::grammar::Words;
use crate::session::Session;

pub fn set(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut said = LimitWords::default();
    limits::parse_some(words, &mut said)?;
    session
        .path_manager()?
        .set_limits(&said.over(Limits::EMPTY))?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut limits = LimitWords::default();
    // Limits behind `show` mean nothing, but `ip` takes them.
    limits::parse(Words::new(words), &mut limits)?;
    limits = LimitWords::of(&session.path_manager()?.limits()?);
    let out = &mut session.out;
    if out.style.json {
        out.begin_array("");
        out.begin_object("");
    }
    if let Some(number) = limits.add_addr_accepted {
        out.named_number("add_addr_accepted", number.into());
    }
    if let Some(number) = limits.subflows {
        out.named_number("subflows", number.into());
    }
    if out.style.json {
        out.end_object();
        out.end_array();
    } else {
        out.end_line();
    }
    Ok(0)
}
