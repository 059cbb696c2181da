//! Prometheus' text format.

use super::Output;
use crate::error::Result;

/// A metric.
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What it tells.
    pub help: &'static str,
}

impl Metric {
    /// Begins it.
    pub fn begin(&self, out: &mut Output) {
        out.text("# HELP ");
        out.text(self.name);
        out.text(" ");
        out.text(self.help);
        out.text("\n# TYPE ");
        out.text(self.name);
        out.text(" ");
        out.text(self.kind);
        out.text("\n");
    }

    /// One value of it, with its labels.
    pub fn sample(&self, out: &mut Output, labels: &[(&str, &[u8])], value: u64) -> Result<()> {
        out.text(self.name);
        let mut before = b'{';
        for (label, value) in labels {
            out.byte(before);
            before = b',';
            out.text(label);
            out.text("=\"");
            for byte in *value {
                match byte {
                    b'"' | b'\\' => out.byte(b'\\'),
                    b'\n' => {
                        out.text("\\n");
                        continue;
                    }
                    _ => {}
                }
                out.byte(*byte);
            }
            out.byte(b'"');
        }
        out.text(if labels.is_empty() { " " } else { "} " });
        out.number(value);
        out.byte(b'\n');
        out.flush_full()
    }
}
