//! Prometheus' text format.

use super::Output;
use crate::error::Result;

/// Begins a metric: its name, `counter` or `gauge`, and what it tells.
pub fn begin(out: &mut Output, name: &str, kind: &str, help: &str) {
    for piece in [
        "# HELP ",
        name,
        " ",
        help,
        "\n# TYPE ",
        name,
        " ",
        kind,
        "\n",
    ] {
        out.text(piece);
    }
}

/// One value of a metric, with its labels.
pub fn sample(out: &mut Output, name: &str, labels: &[(&str, &[u8])], value: u64) -> Result<()> {
    out.text(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        out.text(if at == 0 { "{" } else { "," });
        out.text(label);
        out.text("=\"");
        for byte in *value {
            match byte {
                b'"' => out.text("\\\""),
                b'\\' => out.text("\\\\"),
                b'\n' => out.text("\\n"),
                _ => out.bytes(&[*byte]),
            }
        }
        out.text("\"");
    }
    out.text(if labels.is_empty() { " " } else { "} " });
    out.number(value);
    out.text("\n");
    out.flush_full()
}
