//! `limits set`, `limits show`.

use super::state::{self, set_limits};
use crate::error::{status, Error, Kind, Result};
use crate::grammar::limits::{self, LimitWords};
use crate::grammar::Words;
use crate::session::Session;

pub fn set(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut said = LimitWords::default();
    limits::parse(Words::new(words), &mut said)?;
    if said.subflows.is_none() && said.add_addr_accepted.is_none() {
        return Err(Error::new(
            Kind::Usage,
            status::USAGE,
            &["Error: nothing to set: subflows N or add_addr_accepted N is required"],
        ));
    }
    set_limits(session.path_manager()?, &said)?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    let mut limits = LimitWords::default();
    // Limits behind `show` mean nothing, but `ip` takes them.
    limits::parse(Words::new(words), &mut limits)?;
    state::limits(session.path_manager()?, &mut limits)?;
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
