//! Reports whose fields may be metrics: each is written once for text, JSON and Prometheus'
//! text format.

use super::{Form, Item, Output};
use crate::text::take;

/// Writes a report in one of the three. As metrics, a number or state is a sample of the last
/// [`Report::metric`], with the labels that were given since the last sample.
pub struct Report<'o> {
    /// Where to.
    pub out: &'o mut Output,
    /// The format is metrics.
    pub metrics: bool,
    // The name of the metric, and the label for the names of its samples.
    metric: &'static [u8],
    names: &'static [u8],
    // The sample that is being written has labels.
    labelled: bool,
    // In text, the column of the values of named numbers; 0 for right after the name.
    column: usize,
    // The former style of the output.
    json: bool,
}

impl<'o> Report<'o> {
    /// Writes to this output.
    pub fn new(out: &'o mut Output, metrics: bool) -> Self {
        let json = out.style.json;
        // Metrics are text.
        out.style.json &= !metrics;
        out.form = Form::TITLED;
        Self {
            out,
            metrics,
            metric: b"",
            names: b"",
            labelled: false,
            column: 0,
            json,
        }
    }

    /// In text, each named number is a line of its own from now on, with the value in this
    /// column.
    pub fn lines(&mut self, column: usize) {
        self.column = column;
        self.out.form = Form::line(self.out.style.oneline);
    }

    /// What follows are samples of a metric: `NAME KIND what it means`, or `NAME{LABEL} …`
    /// if their names are the values of a label.
    pub fn metric(&mut self, metric: &'static str) {
        if !self.metrics {
            return;
        }
        let mut help = metric.as_bytes();
        let mut names = take(&mut help, b' ');
        let kind = take(&mut help, b' ');
        self.metric = take(&mut names, b'{');
        self.names = take(&mut names, b'}');
        for (what, text) in [("# HELP ", help), ("# TYPE ", kind)] {
            let name = self.metric;
            self.out.text(what);
            self.out.bytes(name);
            self.out.byte(b' ');
            self.out.bytes(text);
            self.out.byte(b'\n');
        }
    }

    /// Begins a record, with a title in text.
    pub fn begin(&mut self, key: &str, title: &str) {
        if !self.metrics {
            self.out.begin_titled(key, title);
        }
    }

    /// Ends it.
    pub fn end(&mut self) {
        if !self.metrics {
            self.out.end_record();
        }
    }

    /// In text, a title or part of one.
    pub fn title(&mut self, title: &str) {
        if !self.metrics {
            self.out.title(title);
        }
    }

    /// In text, ends a line that is not a record.
    pub fn end_line(&mut self) {
        if !self.metrics && !self.out.style.json {
            self.out.end_line();
        }
    }

    /// As metrics, a label of the next sample; otherwise nothing.
    pub fn label(&mut self, label: &[u8], value: &[u8]) {
        if !self.metrics {
            return;
        }
        let out = &mut *self.out;
        if self.labelled {
            out.byte(b',');
        } else {
            out.bytes(self.metric);
            out.byte(b'{');
        }
        self.labelled = true;
        out.bytes(label);
        out.text("=\"");
        for byte in value {
            if matches!(byte, b'"' | b'\\' | b'\n') {
                out.byte(b'\\');
            }
            out.byte(if *byte == b'\n' { b'n' } else { *byte });
        }
        out.byte(b'"');
    }

    /// A string; as metrics, a label of the next sample.
    pub fn named_string(&mut self, name: &str, value: &[u8]) {
        match self.metrics {
            true => self.label(name.as_bytes(), value),
            false => self.out.named_string(name, value),
        }
    }

    /// A number.
    pub fn named_number(&mut self, name: &str, value: u64) {
        if !self.metrics {
            let out = &mut *self.out;
            out.begin_field(name);
            if !out.style.json {
                for _ in name.len() + 1..self.column {
                    out.byte(b' ');
                }
            }
            out.amount(value);
            return out.end_field();
        }
        if !self.names.is_empty() {
            self.label(self.names, name.as_bytes());
        }
        self.sample(value);
    }

    /// A number with a name of its own in text.
    pub fn number(&mut self, item: Item, value: u64) {
        match self.metrics {
            true => self.sample(value),
            false => self.out.item_number(item, value),
        }
    }

    /// A string; as a sample, this value.
    pub fn string(&mut self, item: Item, string: &[u8], value: u64) {
        match self.metrics {
            true => self.sample(value),
            false => self.out.item_string(item, string),
        }
    }

    /// As metrics, a sample.
    pub fn sample(&mut self, value: u64) {
        let out = &mut *self.out;
        if !self.labelled {
            out.bytes(self.metric);
        }
        // What ends the labels comes first.
        let end = if self.labelled { "} " } else { " " };
        self.labelled = false;
        out.text(end);
        out.number(value);
        out.byte(b'\n');
        out.flush_full();
    }
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        self.out.style.json = self.json;
        self.out.form = Form::default();
    }
}
