//! Pictures of what was seen.
//!
//! Each has in it what it was made of, in its element `desc`, so that a test can make it
//! again and see whether it is what would be made today.

use std::io::Read;
use std::process::Command;

use plotters::prelude::*;
use vt100::Parser;

use crate::program::{binary, terminal_of};

/// Bytes that two paths have carried, so long after the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub milliseconds: u64,
    pub bytes: [u64; 2],
}

/// A transfer over two paths, one of which was cut.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transfer {
    pub samples: Vec<Sample>,
    /// When path 1 was cut, in milliseconds.
    pub cut: u64,
}

const WIDTH: u32 = 760;
const HEIGHT: u32 = 300;
const COLOURS: [RGBColor; 2] = [RGBColor(0, 90, 181), RGBColor(220, 50, 32)];

impl Transfer {
    /// As text, a line a sample.
    fn to_text(&self) -> String {
        let mut text = format!("cut {}\n", self.cut);
        for sample in &self.samples {
            let [first, second] = sample.bytes;
            text += &format!("{} {first} {second}\n", sample.milliseconds);
        }
        text
    }

    fn from_text(text: &str) -> Option<Transfer> {
        let mut lines = text.lines();
        let cut = lines.next()?.strip_prefix("cut ")?.parse().ok()?;
        let sample = |line: &str| {
            let mut numbers = line.split(' ').map(str::parse);
            let mut next = || numbers.next()?.ok();
            Some(Sample {
                milliseconds: next()?,
                bytes: [next()?, next()?],
            })
        };
        Some(Transfer {
            samples: lines.map(sample).collect::<Option<_>>()?,
            cut,
        })
    }

    /// What a picture was made of.
    pub fn of_svg(svg: &str) -> Option<Transfer> {
        Transfer::from_text(&description(svg)?)
    }

    /// Bytes by path over time, with the cut.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        self.plot(&mut svg).expect("a plot");
        describe(&svg, &self.to_text())
    }

    fn plot(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
        const MEBIBYTE: f64 = 1_048_576.0;
        let seconds = |milliseconds: u64| milliseconds as f64 / 1000.0;
        let end = self
            .samples
            .last()
            .map_or(1.0, |last| seconds(last.milliseconds));
        let most = self.samples.iter().flat_map(|sample| sample.bytes).max();
        let most = most.unwrap_or(0).max(1) as f64 / MEBIBYTE * 1.1;
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..end, 0.0..most)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("seconds")
            .y_desc("MiB sent")
            .draw()?;
        for (path, colour) in COLOURS.into_iter().enumerate() {
            let points = self.samples.iter().map(|sample| {
                let bytes = sample.bytes[path] as f64 / MEBIBYTE;
                (seconds(sample.milliseconds), bytes)
            });
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(3)))?
                .label(format!("path {}", path + 1))
                .legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(3))
                });
        }
        let cut = seconds(self.cut);
        let grey = RGBColor(90, 90, 90);
        chart.draw_series(DashedLineSeries::new(
            [(cut, 0.0), (cut, most)],
            6,
            4,
            grey.stroke_width(2),
        ))?;
        let style = ("sans-serif", 15).into_font().color(&grey);
        chart.draw_series([Text::new(
            "path 1 is cut",
            (cut + end / 100.0, most * 0.97),
            style,
        )])?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(grey)
            .background_style(WHITE)
            .draw()?;
        root.present()?;
        Ok(())
    }
}

/// What stands on a screen, as a terminal was sent it.
#[derive(Debug, Clone, PartialEq)]
pub struct Terminal {
    pub columns: u16,
    pub lines: u16,
    pub bytes: String,
}

impl Terminal {
    /// What a picture was made of.
    pub fn of_svg(svg: &str) -> Option<Terminal> {
        let text = description(svg)?;
        let (size, bytes) = text.split_once('\n')?;
        let (columns, lines) = size.split_once('x')?;
        Some(Terminal {
            columns: columns.parse().ok()?,
            lines: lines.parse().ok()?,
            bytes: bytes.replace("\\e", "\x1b").replace("\\r", "\r"),
        })
    }

    /// Adds what the program draws with these words, in colour, until that is `enough`.
    pub fn run(&mut self, words: &str, mut enough: impl FnMut(&mut Terminal) -> bool) {
        let (mut master, slave) = terminal_of(self.columns, self.lines);
        let end = || slave.try_clone().expect("a descriptor");
        let mut child = Command::new(binary())
            .arg("-c")
            .args(words.split(' '))
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env_remove("COLORFGBG")
            .stdin(end())
            .stdout(end())
            .spawn()
            .expect("the program");
        let mut room = [0; 65536];
        while !enough(self) {
            let got = master.read(&mut room).expect("what is drawn");
            self.bytes += std::str::from_utf8(&room[..got]).expect("ASCII");
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    /// The emulator that has been sent it.
    pub fn emulator(&self) -> Parser {
        let size = |number: u16| number.try_into().expect("a size");
        let mut parser = Parser::new(size(self.lines), size(self.columns), 0);
        parser.process(self.bytes.as_bytes());
        parser
    }

    /// The lines, without blanks at their ends.
    pub fn text(&self) -> Vec<String> {
        let parser = self.emulator();
        let rows = parser.screen().rows(0, self.columns);
        rows.map(|line| line.trim_end().to_owned()).collect()
    }

    /// A picture of it.
    pub fn to_svg(&self) -> String {
        const CELL: usize = 8;
        const LINE: usize = 17;
        const MARGIN: usize = 12;
        let parser = self.emulator();
        let screen = parser.screen();
        let width = usize::from(self.columns) * CELL + 2 * MARGIN;
        let height = usize::from(self.lines) * LINE + 2 * MARGIN;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\">\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#1e1e1e\"/>\n\
             <g font-family=\"monospace\" font-size=\"13\" xml:space=\"preserve\">\n"
        );
        for row in 0..self.lines {
            let mut column = 0;
            while column < self.columns {
                // A run of cells of one colour, without the blanks around it: where it
                // begins does not depend on how wide the font is.
                let colour = |column| screen.cell(row, column).map(vt100::Cell::fgcolor);
                let text = |column| {
                    let cell = screen.cell(row, column);
                    cell.map_or("", vt100::Cell::contents).to_owned()
                };
                let is_blank = |column| text(column).trim().is_empty();
                if is_blank(column) {
                    column += 1;
                    continue;
                }
                let start = column;
                let mut run = String::new();
                while column < self.columns && !is_blank(column) && colour(column) == colour(start)
                {
                    run += &text(column);
                    column += 1;
                }
                let fill = match colour(start) {
                    Some(vt100::Color::Idx(1 | 9)) => "#ff6b6b",
                    Some(vt100::Color::Idx(5 | 13)) => "#d98cff",
                    Some(vt100::Color::Idx(6 | 14)) => "#4ec9d0",
                    Some(vt100::Color::Idx(4 | 12)) => "#7aa2ff",
                    _ => "#d4d4d4",
                };
                let x = MARGIN + usize::from(start) * CELL;
                let y = MARGIN + usize::from(row) * LINE + 13;
                let long = run.chars().count() * CELL;
                svg += &format!(
                    "<text x=\"{x}\" y=\"{y}\" textLength=\"{long}\" fill=\"{fill}\">{}</text>\n",
                    escaped(&run)
                );
            }
        }
        svg += "</g>\n</svg>\n";
        let bytes = self.bytes.replace('\x1b', "\\e").replace('\r', "\\r");
        describe(&svg, &format!("{}x{}\n{bytes}", self.columns, self.lines))
    }
}

/// Puts what it was made of into a picture.
fn describe(svg: &str, text: &str) -> String {
    let start = svg.find("<svg").expect("an SVG");
    let end = start + svg[start..].find('>').expect("its end") + 1;
    let desc = format!("\n<desc>{}</desc>", escaped(text));
    [&svg[..end], &desc, &svg[end..], "\n"]
        .concat()
        .trim_end()
        .to_owned()
        + "\n"
}

fn description(svg: &str) -> Option<String> {
    let (_, rest) = svg.split_once("<desc>")?;
    let (text, _) = rest.split_once("</desc>")?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    Some(text.replace("&amp;", "&"))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}
