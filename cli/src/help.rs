//! Usage and help, made of the table of commands and of argh's lines about options.

use argh::FromArgs;

use crate::args::Options;
use crate::error::{status, Error, Kind};
use crate::grammar::keyword::{each, Keyword};
use crate::iproute2::{each_without_effect, is_program_option, Caller};
use crate::session::{Command, Does};
use crate::text::{pieces, take_text, Text};

/// The longest line.
const WIDTH: usize = 80;
/// Where explanations of commands and options begin.
const COLUMN: usize = 20;
/// Where explanations of longer names begin.
const LONG_COLUMN: usize = 27;

/// A text whose lines are broken between words.
struct Page<'t> {
    out: &'t mut Text,
    column: usize,
}

impl Page<'_> {
    /// Text as it is, without a newline.
    fn put(&mut self, text: &str) {
        self.out.bytes(text.as_bytes());
        self.column += text.len();
    }

    fn end_line(&mut self) {
        self.out.byte(b'\n');
        self.column = 0;
    }

    /// Blanks up to a column, at least one.
    fn tabulate(&mut self, column: usize) {
        self.put(" ");
        while self.column < column {
            self.put(" ");
        }
    }

    /// Words, from here on; further lines begin in this column. What is in brackets stays
    /// together.
    fn flow(&mut self, text: &str, column: usize) {
        let mut rest = text;
        let mut between = "";
        while !rest.is_empty() {
            let (piece, after) = rest.split_at_checked(unit(rest)).unwrap_or((rest, ""));
            rest = after.get(1..).unwrap_or("");
            if self.column + between.len() + piece.len() > WIDTH && self.column > column {
                self.end_line();
                for _ in 0..column {
                    self.put(" ");
                }
            } else {
                self.put(between);
            }
            self.put(piece);
            between = " ";
        }
        self.end_line();
    }

    /// What a command takes, after its names.
    fn takes(&mut self, words: &str) {
        if !words.is_empty() {
            self.put(" ");
        }
        self.flow(words, 8);
    }

    /// A line as it is; if the program is called as `ip`, a command in it is too. The only
    /// option that examples have comes before the object.
    fn example(&mut self, caller: &Caller, line: &str) {
        const PROGRAM: &[u8] = b"ip-mptcp ";
        let mut words = line.as_bytes().windows(PROGRAM.len());
        let at = words.position(|word| word == PROGRAM);
        match at.and_then(|at| Some((line.get(..at)?, line.get(at + PROGRAM.len()..)?))) {
            Some((before, mut after)) if caller.is_ip => {
                self.put(before);
                self.put("ip ");
                if after.starts_with('-') {
                    self.put(take_text(&mut after, b' '));
                    self.put(" ");
                }
                self.put("mptcp ");
                self.put(after);
            }
            _ => self.put(line),
        }
        self.end_line();
    }

    /// A name and its explanation.
    fn row(&mut self, name: &str, column: usize, about: &str) {
        self.put("  ");
        self.put(name);
        self.tabulate(column);
        self.flow(about, column);
    }

    /// "Usage: ip [ OPTIONS ] mptcp", and the names of a command.
    fn call(&mut self, caller: &Caller, names: &[&str]) {
        self.put(caller.program);
        self.put(" [ OPTIONS ]");
        if caller.names_object() {
            self.put(" mptcp");
        }
        for name in names {
            self.put(" ");
            self.put(name);
        }
    }

    /// The options that `wanted` takes, as argh explains them.
    fn options(&mut self, wanted: &dyn Fn(&str) -> bool) {
        let Err(help) = Options::from_args(&[""], &["--help"]) else {
            return;
        };
        self.put("\nOptions:\n");
        let mut rest = help.output.as_str();
        let mut within = false;
        while !rest.is_empty() {
            let line = take_text(&mut rest, b'\n');
            if line.starts_with("  -") {
                // After the short name, if there is one.
                let short = if line.starts_with("  --") { 2 } else { 6 };
                let mut long = line.get(short..).unwrap_or("");
                let long = take_text(&mut long, b' ');
                within = long == "--help" || wanted(long);
            } else if !line.starts_with("   ") {
                within = false;
            }
            if within {
                self.put(line);
                self.end_line();
            }
        }
        self.column = 0;
    }
}

/// The length of the first word, or of what is in brackets.
fn unit(text: &str) -> usize {
    let mut depth = 0;
    let mut end = 0;
    for word in pieces(text) {
        end += word.len();
        match word.as_bytes() {
            [b'[' | b'{'] => depth += 1,
            [b']' | b'}', ..] if depth > 0 => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        end += 1;
    }
    end.min(text.len())
}

/// Those that are built in.
fn present(commands: &'static [Command]) -> impl Iterator<Item = &'static Command> {
    commands.iter().filter(|command| command.is_present())
}

/// How the program is used, as the answer to an invalid command line.
pub fn usage(caller: &Caller) -> Error {
    let mut text = Text::default();
    let mut page = Page {
        out: &mut text,
        column: 0,
    };
    page.put("Usage:");
    page.end_line();
    let mut line = |names: &[&str], words: &str| {
        page.put("  ");
        page.call(caller, names);
        page.takes(words);
    };
    for command in present(caller.commands) {
        for action in present(command.actions()) {
            line(&[command.name, action.name], action.words);
        }
        if command.actions().is_empty() {
            line(&[command.name], command.words);
        }
    }
    line(&["help"], "");
    page.put("FLAG := {");
    let mut between = " ";
    each("FLAG", &mut |_, flag| {
        page.put(between);
        page.put(flag);
        between = " | ";
    });
    page.put(" }\n\nTry \"");
    page.put(caller.program);
    page.put(if caller.names_object() {
        " mptcp --help\"."
    } else {
        " --help\"."
    });
    let mut error = Error::new(Kind::Usage, status::USAGE, "");
    error.push(text.as_bytes());
    error
}

/// Help for the program.
pub fn program(caller: &Caller, out: &mut Text) {
    let mut page = Page { out, column: 0 };
    page.put("Usage: ");
    page.call(caller, &["COMMAND"]);
    page.put(" ...\n\nConfigure and watch Multipath TCP.\n\nCommands:\n");
    page.column = 0;
    for command in present(caller.commands) {
        page.row(command.name, COLUMN, command.about());
    }
    page.options(&is_program_option);
    page.put(
        "\n\
        All but --ipv4, --ipv6 and --version may be written with one dash and shortened,\n\
        as with ip(8): -iec, -j, -js, -json. Options of ip(8) that mean nothing here are\n\
        accepted:\n",
    );
    page.column = 0;
    each_without_effect(&mut |name| {
        if page.column + name.len() >= WIDTH {
            page.end_line();
        }
        page.put(" ");
        page.put(name);
    });
    let mut examples = "\n\
        \n\
        Examples:\n\
        \x20 Use a second uplink for further subflows:\n\
        \x20   ip-mptcp endpoint add 192.0.2.2 dev wwan0 subflow\n\
        \x20 Watch connections come and go:\n\
        \x20   ip-mptcp -ts monitor";
    while !examples.is_empty() {
        page.example(caller, take_text(&mut examples, b'\n'));
    }
}

/// Help for a command, or for an action of `group`.
pub fn command(caller: &Caller, group: Option<&Command>, command: &Command, out: &mut Text) {
    let mut page = Page { out, column: 0 };
    page.put("Usage: ");
    match group {
        None => page.call(caller, &[command.name]),
        Some(group) => page.call(caller, &[group.name, command.name]),
    }
    page.takes(match command.does {
        Does::Group(_) => "ACTION ...",
        _ => command.words,
    });
    page.end_line();
    let mut rest = command.help;
    page.flow(take_text(&mut rest, b'\n'), 0);
    match (&command.does, group.map(|group| &group.does)) {
        (Does::Group(actions), _) => {
            page.put("\nActions:\n");
            page.column = 0;
            for action in present(actions.actions) {
                page.put("  ");
                page.put(action.name);
                page.takes(action.words);
                page.put("      ");
                page.flow(action.about(), 6);
            }
            let mentioned = &|keyword: &Keyword| {
                let mut actions = present(actions.actions);
                actions.any(|action| keyword.is_in(action.words))
            };
            keywords(&mut page, actions.keywords, mentioned);
        }
        (Does::Options(_), _) => {
            keywords(&mut page, command.keywords(), &|keyword| {
                keyword.is_in(command.words)
            });
            page.options(&|long| command.names(long));
        }
        (Does::Words(..), Some(Does::Group(of))) => {
            keywords(&mut page, of.keywords, &|keyword| {
                keyword.is_in(command.words)
            });
        }
        _ => {}
    }
    if !rest.is_empty() {
        page.end_line();
    }
    while !rest.is_empty() {
        let line = take_text(&mut rest, b'\n');
        match line.strip_prefix('\t') {
            // A name and its explanation.
            Some(mut about) => {
                let name = take_text(&mut about, b' ');
                page.row(name, LONG_COLUMN, about);
            }
            None if line.starts_with(' ') => page.example(caller, line),
            None => page.flow(line, 0),
        }
    }
}

/// Explains those keywords that are `wanted`.
fn keywords(page: &mut Page, of: &[Keyword], wanted: &dyn Fn(&Keyword) -> bool) {
    let mut width = 0;
    for keyword in of {
        if wanted(keyword) {
            width = width.max(keyword.name.len() + keyword.explained().0.len());
        }
    }
    if width > 0 {
        page.put("\nWords:\n");
        page.column = 0;
    }
    for keyword in of {
        if !wanted(keyword) {
            continue;
        }
        page.put("  ");
        let (value, about) = keyword.explained();
        page.put(keyword.name);
        if !value.is_empty() {
            page.put(" ");
            page.put(value);
        }
        page.tabulate(width + 5);
        page.flow(about, width + 5);
    }
}
