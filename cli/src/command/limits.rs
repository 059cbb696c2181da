//! `limits set`, `limits show`.

use mptcp_codec::mptcp::{request, Limits};

use crate::error::{status, Error, Kind, Result};
use crate::grammar::{limits, Words};
use crate::session::Session;

pub fn set(session: &mut Session, words: &[&str]) -> Result<u8> {
    let said = limits::parse(Words::new(words))?;
    let mut wanted = Limits::EMPTY;
    if let Some(number) = said.subflows {
        wanted = wanted.with_subflows(number);
    }
    if let Some(number) = said.add_addr_accepted {
        wanted = wanted.with_add_addr_accepted(number);
    }
    if wanted == Limits::EMPTY {
        return Err(Error::new(
            Kind::Usage,
            status::USAGE,
            &["Error: nothing to set: subflows N or add_addr_accepted N is required"],
        ));
    }
    session
        .path_manager()?
        .set(&|buffer, family, seq| request::set_limits(buffer, family, seq, &wanted))?;
    Ok(0)
}

pub fn show(session: &mut Session, words: &[&str]) -> Result<u8> {
    // Limits behind `show` mean nothing, but `ip` takes them.
    limits::parse(Words::new(words))?;
    let limits = session.path_manager()?.limits()?;
    let out = &mut session.out;
    if out.style.json {
        out.begin_array("");
        out.begin_object("");
    }
    if let Some(number) = limits.add_addr_accepted() {
        out.named_number("add_addr_accepted", number.into());
    }
    if let Some(number) = limits.subflows() {
        out.named_number("subflows", number.into());
    }
    if out.style.json {
        out.end_object()?;
        out.end_array()?;
    } else {
        out.end_line()?;
    }
    Ok(0)
}
