//! One run of the program: options, then one command or a batch of them.

use core::mem::ManuallyDrop;

use crate::args::Options;
use crate::built;
use crate::command::COMMANDS;
use crate::error::{status, Error, Kind, Result, Status};
use crate::iproute2::{self, Caller, Target};
use crate::kernel::netns;
use crate::output::{complain, Palette, Style, Units};
use crate::session::Session;
use crate::sys::{self, Fd};
use crate::text::parse_number;
use crate::{batch, dispatch};

const WATCH: &str = "watch";

/// Runs the program with these words, its own name first; returns its exit
/// status.
pub fn run<'a>(argv: impl ExactSizeIterator<Item = &'a [u8]>) -> u8 {
    match start(argv) {
        Ok(status) => status as u8,
        Err(error) => {
            complain(&error.report(sys::json_errors(), None));
            error.status() as u8
        }
    }
}

fn start<'a>(argv: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<Status> {
    let mut broken = None;
    let words = utf8(argv, &mut broken).leak();
    // From here on signals to `watch` wait until it can handle them.
    // The length is compared first: every command comes through here.
    let may_watch = built::STATE
        && words
            .iter()
            .any(|word| word.len() == WATCH.len() && *word == WATCH);
    if may_watch {
        sys::hold_signals(true);
    }
    let (program, words) = words
        .split_first()
        .map_or(("ip-mptcp", &[][..]), |(a, b)| (*a, b));
    let mut caller = Caller::new(program, COMMANDS);
    let mut spelled = ManuallyDrop::new(Vec::new());
    let understood = iproute2::spell(&mut caller, words, &mut spelled);
    let watches = matches!(&understood, Ok(Target::Run(_, command, _)) if command.name == WATCH);
    if may_watch && !watches {
        sys::hold_signals(false);
    }
    sys::set_json_errors(caller.json);
    if let Some(error) = broken {
        return Err(error);
    }
    // The process ends after it: closing and freeing would only take time.
    let mut session = ManuallyDrop::new(Session::new(COMMANDS));
    if !spelled.is_empty() {
        // Kept until the program ends.
        session.options = Box::leak(Box::new(dispatch::options(&spelled)?));
    }
    let options = session.options;
    session.is_ip = caller.is_ip;
    session.receive_buffer = last(&options.rcvbuf).and_then(parse_number);
    // As with `ip`, an error of a namespace comes before errors of later words.
    for name in &options.netns {
        netns::enter(name)?;
    }
    let target = understood?;
    if options.version {
        let version = [
            caller.program,
            " utility, ip-mptcp-",
            env!("CARGO_PKG_VERSION"),
            "
",
        ];
        for piece in version {
            session.out.text(piece);
        }
        session.out.flush()?;
        return Ok(0);
    }
    session.out.style = Style {
        json: options.json,
        pretty: options.pretty,
        oneline: options.oneline,
        palette: palette(options),
        units: units(options),
    };
    let status = if let Some(file) = last(&options.batch) {
        batch::run(&mut session, &caller, file)?
    } else {
        dispatch::run(&mut session, &caller, &target)?
    };
    session.out.flush()?;
    Ok(status)
}

/// All words as text, and the name of the program. The first that is not valid UTF-8 is an
/// error, which is reported once the options say how.
fn utf8<'a>(
    argv: impl ExactSizeIterator<Item = &'a [u8]>,
    broken: &mut Option<Error>,
) -> Vec<&'a str> {
    let mut words = Vec::with_capacity(argv.len());
    for mut word in argv {
        // Only the program's name, which is short.
        if words.is_empty() {
            let slash = word.iter().rposition(|byte| *byte == b'/');
            word = word.get(slash.map_or(0, |at| at + 1)..).unwrap_or(word);
        }
        let text = sys::text(word);
        if text.is_none() && broken.is_none() {
            let mut error = Error::new(Kind::Argument, status::USAGE, "Error: argument \"");
            error.push(word);
            error.push(b"\" is not valid UTF-8");
            *broken = Some(error.about_bytes(word));
        }
        words.push(text.unwrap_or(""));
    }
    words
}

/// The last value counts if an option is given several times.
fn last(values: &[&'static str]) -> Option<&'static str> {
    values.last().copied()
}

fn palette(options: &Options) -> Option<Palette> {
    let wanted = match last(&options.color) {
        Some("always") => true,
        Some("auto") => sys::is_terminal(&Fd::STDOUT),
        _ => false,
    };
    if !wanted || options.json {
        return None;
    }
    // Set by rxvt and others: "foreground;background".
    let background = sys::environment(b"COLORFGBG").and_then(|value| {
        let at = value.iter().rposition(|b| *b == b';')?;
        value.get(at + 1..)
    });
    Some(match background {
        None | Some([b'0'..=b'6' | b'8']) => Palette::Dark,
        Some(_) => Palette::Light,
    })
}

fn units(options: &Options) -> Units {
    // As with `ip`, -iec alone has no effect.
    match (options.human_readable && !options.json, options.iec) {
        (false, _) => Units::Raw,
        (true, false) => Units::Decimal,
        (true, true) => Units::Binary,
    }
}
