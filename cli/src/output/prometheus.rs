//! Prometheus' text format.

use std::net::IpAddr;

use super::Output;
use crate::text::take;

/// Writes metrics, one after the other.
pub struct Metrics<'o> {
    /// Where to.
    pub out: &'o mut Output,
    // Of the metric that is being written.
    name: &'static [u8],
    // The sample that is being written has labels.
    labelled: bool,
}

impl<'o> Metrics<'o> {
    /// Writes to this output.
    pub fn new(out: &'o mut Output) -> Self {
        Self {
            out,
            name: b"",
            labelled: false,
        }
    }

    /// Begins a metric. Its name, its kind (`counter` or `gauge`) and what it
    /// tells stand in one text.
    pub fn begin(&mut self, metric: &'static str) {
        let mut help = metric.as_bytes();
        self.name = take(&mut help, b' ');
        let kind = take(&mut help, b' ');
        self.comment("# HELP ", help);
        self.comment("# TYPE ", kind);
    }

    fn comment(&mut self, what: &str, text: &[u8]) {
        self.out.text(what);
        self.out.bytes(self.name);
        self.out.byte(b' ');
        self.out.bytes(text);
        self.out.byte(b'\n');
    }

    /// A label of the next sample; its value follows.
    pub fn label(&mut self, label: &str) {
        let out = &mut *self.out;
        if self.labelled {
            out.text("\",");
        } else {
            self.labelled = true;
            out.bytes(self.name);
            out.byte(b'{');
        }
        out.text(label);
        out.text("=\"");
    }

    /// The value of a label.
    pub fn value(&mut self, value: &[u8]) {
        for byte in value {
            if matches!(byte, b'"' | b'\\' | b'\n') {
                self.out.byte(b'\\');
            }
            self.out.byte(if *byte == b'\n' { b'n' } else { *byte });
        }
    }

    /// The value of a label, an address.
    pub fn address(&mut self, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.out.text.address(address);
        }
    }

    /// A sample, with the labels that were given.
    pub fn sample(&mut self, value: u64) {
        let out = &mut *self.out;
        if self.labelled {
            self.labelled = false;
            out.text("\"}");
        } else {
            out.bytes(self.name);
        }
        out.byte(b' ');
        out.number(value);
        out.byte(b'\n');
        out.flush_full();
    }

    /// A sample with one label.
    pub fn labelled(&mut self, label: &str, of: &[u8], value: u64) {
        self.label(label);
        self.value(of);
        self.sample(value)
    }
}
