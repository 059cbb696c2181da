//! One run of the program: options, then one command or a batch of them.

use argh::FromArgs;

use crate::args::{Command, Options};
use crate::command;
use crate::error::{status, Error, Kind, Result};
use crate::grammar::batch::{plain, Line, PLAIN};
use crate::grammar::number;
use crate::iproute2::{self, Caller, Spelled, Target};
use crate::kernel::sys::{self, Errno, Fd};
use crate::kernel::{self, netns, PathManager};
use crate::output::{complain, Output, Palette, Style, Text, Units};

/// What the commands of a run share.
#[derive(Debug, Default)]
pub struct Session {
    /// The options, without the command.
    pub options: Options,
    /// Standard output.
    pub out: Output,
    receive_buffer: Option<u32>,
    path_manager: Option<PathManager>,
}

impl Session {
    /// The path manager: looked up when a command first needs it, kept for
    /// the batch.
    pub fn path_manager(&mut self) -> Result<&mut PathManager> {
        self.path_manager_and_output()
            .map(|(path_manager, _)| path_manager)
    }

    /// The path manager, and the output to print what it says.
    pub fn path_manager_and_output(&mut self) -> Result<(&mut PathManager, &mut Output)> {
        if self.path_manager.is_none() {
            self.path_manager = Some(PathManager::open(self.receive_buffer)?);
        }
        match &mut self.path_manager {
            Some(path_manager) => Ok((path_manager, &mut self.out)),
            None => Err(kernel::absent()),
        }
    }

    /// `-rcvbuf`, in bytes.
    pub fn receive_buffer(&self) -> Option<u32> {
        self.receive_buffer
    }
}

/// Runs the program with these words, its own name first; returns its exit
/// status.
pub fn run<'a>(argv: impl ExactSizeIterator<Item = &'a [u8]>) -> u8 {
    let mut json = false;
    match start(argv, &mut json) {
        Ok(status) => status,
        Err(error) => {
            complain(&error.report(json, None));
            error.status()
        }
    }
}

fn start<'a>(argv: impl ExactSizeIterator<Item = &'a [u8]>, json: &mut bool) -> Result<u8> {
    let words = utf8(argv)?;
    let (argv0, words) = words
        .split_first()
        .map_or(("ip-mptcp", &[][..]), |(a, b)| (*a, b));
    let mut caller = Caller::new(argv0);
    let mut spelled = Spelled::default();
    let understood = iproute2::spell(&mut caller, words, &mut spelled);
    *json = spelled.options.contains(&"--json");
    let mut session = Session::default();
    if !spelled.options.is_empty() {
        session.options = match options(&caller, &spelled) {
            Ok(options) => options,
            Err(early) => return early_exit(early, ""),
        };
    }
    let options = &mut session.options;
    session.receive_buffer = options.rcvbuf.and_then(number);
    // As with `ip`, what is wrong with a namespace comes before what is wrong
    // behind it.
    for name in &options.netns {
        netns::enter(name)?;
    }
    let target = understood?;
    if options.version {
        let version = [
            caller.program,
            " utility, ip-mptcp-",
            env!("CARGO_PKG_VERSION"),
            "\n",
        ];
        return print(&version.concat());
    }
    session.out.style = Style {
        json: options.json,
        pretty: options.pretty,
        oneline: options.oneline,
        palette: palette(options),
        units: units(options),
    };
    let status = if let Some(file) = options.batch.take() {
        batch(&mut session, &caller, file)?
    } else {
        run_target(&mut session, &caller, target, &spelled)?
    };
    session.out.flush()?;
    // The process ends now: closing and freeing would only take time.
    core::mem::forget(session);
    Ok(status)
}

/// Reads the options.
#[inline(never)]
fn options(caller: &Caller, spelled: &Spelled) -> core::result::Result<Options, argh::EarlyExit> {
    Options::from_args(&[&caller.name()], &spelled.options)
}

/// Runs a command.
fn run_target(
    session: &mut Session,
    caller: &Caller,
    target: Target,
    spelled: &Spelled,
) -> Result<u8> {
    match target {
        Target::Action(action, words) => {
            (action.run)(session, words).map_err(|error| error.near(action.words))
        }
        Target::Help(group, action) => {
            let help = iproute2::help(caller, group, action);
            session.out.text(&help);
            Ok(0)
        }
        Target::Command => {
            let (name, rest) = spelled.command.split_first().unwrap_or((&"", &[]));
            match Command::from_args(&[&caller.name(), name], rest) {
                Ok(command) => command::run(session, command),
                Err(early) => early_exit(early, name),
            }
        }
        Target::Options => Err(iproute2::usage(caller)),
    }
}

/// All words as text, or which one is not.
fn utf8<'a>(argv: impl ExactSizeIterator<Item = &'a [u8]>) -> Result<Vec<&'a str>> {
    let mut words = Vec::with_capacity(argv.len());
    for word in argv {
        words.push(core::str::from_utf8(word).map_err(|_| {
            let mut error = Error::new(Kind::Argument, status::USAGE, &["Error: argument \""]);
            error.push(word);
            error.push(b"\" is not valid UTF-8");
            error.about_bytes(word)
        })?);
    }
    Ok(words)
}

/// What argh wants to say instead of reading the options, or those of this
/// command: help, or a mistake.
fn early_exit(early: argh::EarlyExit, command: &str) -> Result<u8> {
    let mut text = early.output;
    if early.status.is_err() {
        let text = text.trim_ascii_end();
        let error = Error::new(Kind::Usage, status::USAGE, &["Error: ", text]);
        return Err(match text.strip_prefix("Unrecognized argument: ") {
            Some(word) => unknown_option(error.about(word), command),
            None => error,
        });
    }
    match command {
        "" => iproute2::help_for_commands(&mut text),
        "counters" => text.push_str(command::EXPLAINED),
        _ => {}
    }
    print(&text)
}

/// The error with the option that was meant, of those in the command's help.
fn unknown_option(error: Error, command: &str) -> Error {
    let Err(help) = Command::from_args(&["", command], &["--help"]) else {
        return error;
    };
    error.meant(&|near| {
        for word in help.output.as_bytes().split(|b| *b <= b' ') {
            // Behind the options, sentences may name them too.
            if word.starts_with(b"--") && word.iter().all(|b| *b == b'-' || b.is_ascii_lowercase())
            {
                near.offer(word);
            }
        }
    })
}

fn print(text: &str) -> Result<u8> {
    let mut out = Output::default();
    out.text(text);
    out.flush()?;
    Ok(0)
}

fn units(options: &Options) -> Units {
    // As with `ip`, -iec only says which units.
    match (options.human_readable && !options.json, options.iec) {
        (false, _) => Units::Raw,
        (true, false) => Units::Decimal,
        (true, true) => Units::Binary,
    }
}

fn palette(options: &Options) -> Option<Palette> {
    let wanted = match options.color {
        Some("always") => true,
        Some("auto") => sys::is_terminal(&Fd::STDOUT),
        _ => false,
    };
    if !wanted || options.json {
        return None;
    }
    // rxvt and others tell their colours: "foreground;background".
    let background = sys::environment(c"COLORFGBG").and_then(|value| {
        let at = value.iter().rposition(|b| *b == b';')?;
        value.get(at + 1..)
    });
    Some(match background {
        None | Some([b'0'..=b'6' | b'8']) => Palette::Dark,
        Some(_) => Palette::Light,
    })
}

/// Runs the commands of a file.
fn batch(session: &mut Session, caller: &Caller, file: &str) -> Result<u8> {
    let opened;
    let input = if file == "-" {
        &Fd::STDIN
    } else {
        opened = sys::open_joined(&[file.as_bytes()]).map_err(|error| {
            let message = ["Cannot open file \"", file, "\" for reading"];
            Error::system(Kind::File, status::FAILED, &message, error).about(file)
        })?;
        &opened
    };
    let mut worst = 0;
    let mut lines = Lines::default();
    let mut line = Line::default();
    let mut number = 0;
    let unreadable = |error: Errno, json: bool, number: u32| {
        let what = ["Cannot read \"", file, "\""];
        let error = Error::system(Kind::File, status::FAILED, &what, error);
        complain(&error.report(json, Some((file, number))));
        status::FAILED
    };
    loop {
        if !lines.has_line() {
            // Whoever sends commands one by one wants the answer before the
            // next; a file comes in few pieces.
            session.out.flush()?;
            match lines.wait(input) {
                Ok(true) => {}
                Ok(false) => return Ok(worst),
                Err(error) => {
                    return Ok(worst.max(unreadable(error, session.options.json, number + 1)));
                }
            }
        }
        number += 1;
        let mut words = [""; PLAIN];
        let result = match plain(lines.rest(), &mut words) {
            Some((count, len)) => {
                let words = words.get(..count).filter(|words| !words.is_empty());
                let result = words.map(|words| run_line(session, *caller, words));
                lines.start += len;
                match result {
                    Some(result) => result,
                    None => continue,
                }
            }
            None => {
                if let Err(error) = lines.join(input, &mut line, &mut number) {
                    return Ok(worst.max(unreadable(error, session.options.json, number + 1)));
                }
                if line.is_empty() {
                    continue;
                }
                match line.words() {
                    Ok(words) => run_line(session, *caller, &words),
                    Err(mistake) => Err(mistake.error()),
                }
            }
        };
        if session.options.answer {
            answer(&mut session.out, number, &result);
            session.out.flush()?;
        }
        let error = match result {
            Ok(0) => continue,
            Ok(status) => ended(status),
            Err(error) => error,
        };
        let failed = error.status();
        if !session.options.answer {
            // What went before stands in front of the complaint, where both go
            // to the same place.
            session.out.flush()?;
            complain(&error.report(session.options.json, Some((file, number))));
        }
        // A refusal counts as a failed line, a mistake as what it is.
        worst = worst.max(if failed == status::USAGE {
            failed
        } else {
            status::FAILED
        });
        if !session.options.force && !session.options.answer {
            session.out.flush()?;
            return Ok(worst);
        }
    }
}

/// That a command of a batch ended with a status that is not 0, and no error.
fn ended(status: u8) -> Error {
    let number = crate::output::number(status.into());
    let message = ["Error: the exit status is ", number.as_str()];
    Error::new(Kind::Batch, status, &message)
}

/// What became of a line of a batch, for whoever waits for that: behind the
/// output of its command, on the same stream, one line.
fn answer(out: &mut Output, line: u32, result: &Result<u8>) {
    let (status, error) = match result {
        Ok(status) => (*status, None),
        Err(error) => (error.status(), Some(error)),
    };
    if out.style.json {
        out.text("{\"line\":");
        out.number(line.into());
        out.text(",\"status\":");
        out.number(status.into());
        if let Some(error) = error {
            out.text(",\"error\":");
            let mut object = Text::default();
            error.object(&mut object, None);
            out.bytes(object.as_bytes());
        }
        out.text("}\n");
        return;
    }
    out.text("line ");
    out.number(line.into());
    out.text(" status ");
    out.number(status.into());
    if let Some(error) = error {
        out.text(": ");
        // A usage text has many lines, an answer is one.
        for part in error.message().split(|byte| *byte == b'\n') {
            out.bytes(part);
            out.text(" ");
        }
    }
    out.text("\n");
}

fn run_line(session: &mut Session, mut caller: Caller, words: &[&str]) -> Result<u8> {
    let mut spelled = Spelled::default();
    let target = iproute2::line(&mut caller, words, &mut spelled)?;
    if !spelled.options.is_empty() {
        return options(&caller, &spelled).map_or_else(|early| early_exit(early, ""), |_| Ok(0));
    }
    run_target(session, &caller, target, &spelled)
}

/// Longest line of a batch.
const LONGEST_LINE: usize = 1 << 16;

/// The lines of a file, read as they come.
#[derive(Default)]
struct Lines {
    buffer: Vec<u8>,
    // What has been read and not yet taken is start..filled; up to `whole`
    // it is lines with their newlines.
    start: usize,
    whole: usize,
    filled: usize,
    ended: bool,
    begun: bool,
}

impl Lines {
    /// Whether the next line is here already.
    fn has_line(&self) -> bool {
        self.start < self.whole
    }

    /// Waits for the next line; tells whether there is one.
    fn wait(&mut self, input: &Fd) -> core::result::Result<bool, Errno> {
        while !self.has_line() && !self.ended {
            self.fill(input)?;
        }
        Ok(!self.rest().is_empty())
    }

    /// Whole lines that have been read and not taken; the last line of all may
    /// lack its newline.
    fn rest(&self) -> &[u8] {
        let end = if self.ended { self.filled } else { self.whole };
        self.buffer.get(self.start..end).unwrap_or(&[])
    }

    /// Puts a command together from the next line, and those that belong to
    /// it; `number` is that of the first, then of the last.
    fn join(
        &mut self,
        input: &Fd,
        line: &mut Line,
        number: &mut u32,
    ) -> core::result::Result<(), Errno> {
        line.clear();
        loop {
            let rest = self.rest();
            let (behind, more) = line.take(rest);
            self.start += rest.len() - behind.len();
            if !more {
                return Ok(());
            }
            if !self.wait(input)? {
                line.end_of_file();
                return Ok(());
            }
            *number += 1;
        }
    }

    fn fill(&mut self, input: &Fd) -> core::result::Result<(), Errno> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        if self.filled == self.buffer.len() {
            if self.filled >= LONGEST_LINE {
                return Err(Errno(libc::EFBIG as u32));
            }
            // The first piece is fresh memory, which costs nothing to clear.
            let mut larger = vec![0; (2 * self.filled).max(16384)];
            if let Some(place) = larger.get_mut(..self.filled) {
                place.copy_from_slice(&self.buffer);
            }
            self.buffer = larger;
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or(&mut []);
        let got = sys::read(input, room)?;
        let new = room.get(..got).unwrap_or(&[]);
        self.whole = match new.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => self.filled + at + 1,
            None => 0,
        };
        self.filled += got;
        self.ended = got == 0;
        // A byte-order mark is not part of the first command.
        if !self.begun && (self.filled >= 3 || self.ended) {
            self.begun = true;
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.start = 3;
            }
        }
        Ok(())
    }
}
