//! Amounts as people read them: `1.23k`, with `-iec` `1.21ki`.
//!
//! As `ip -s -h` writes them: three digits, or the plain number below the first unit. No
//! floating point.

use crate::text::Text;

/// How amounts are written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// As plain numbers.
    #[default]
    Raw,
    /// In thousands: k, M, G.
    Decimal,
    /// In multiples of 1024: ki, Mi, Gi.
    Binary,
}

impl Text {
    /// An amount in these units. JSON is always [`Units::Raw`].
    pub fn amount(&mut self, amount: u64, units: Units) {
        let base = match units {
            Units::Raw => return self.number(amount),
            Units::Decimal => 1000,
            Units::Binary => 1024,
        };
        if amount < base {
            return self.number(amount);
        }
        // Thousandths (or 1024ths) of the unit that fits, and whether there was a smaller
        // remainder.
        let (mut parts, mut more) = (amount, false);
        let mut prefixes = b"kMGTPE".iter();
        let mut prefix = prefixes.next();
        while parts / base >= base {
            more |= parts % base != 0;
            parts /= base;
            prefix = prefixes.next();
        }
        let (scale, places) = match parts / base {
            0..10 => (100, 2),
            10..100 => (10, 1),
            _ => (1, 0),
        };
        // Rounded to nearest, ties to even, as printf does.
        let scaled = parts * scale;
        let (mut rounded, rest) = (scaled / base, scaled % base);
        if 2 * rest > base || 2 * rest == base && (more || rounded % 2 == 1) {
            rounded += 1;
        }
        self.decimal(rounded, places);
        self.bytes(prefix.map_or(b"", core::slice::from_ref));
        if units == Units::Binary {
            self.byte(b'i');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3293 as `ip -s -h link` of iproute2 6.1 prints it, the others by the same rules.
    #[test]
    fn amounts_are_those_of_ip() {
        for (amount, decimal, binary) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1000, "1.00k", "1000"),
            (1023, "1.02k", "1023"),
            (1024, "1.02k", "1.00ki"),
            (3293, "3.29k", "3.22ki"),
            (9_999, "10.00k", "9.76ki"),
            (12_345, "12.3k", "12.1ki"),
            (99_999, "100.0k", "97.7ki"),
            (123_456, "123k", "121ki"),
            (999_999, "1000k", "977ki"),
            (1_048_576, "1.05M", "1.00Mi"),
            (1_225_001, "1.23M", "1.17Mi"),
            (123_456_789, "123M", "118Mi"),
            (1_000_000_000, "1.00G", "954Mi"),
            (u64::MAX, "18.4E", "16.0Ei"),
        ] {
            for (units, expected) in [(Units::Decimal, decimal), (Units::Binary, binary)] {
                let mut text = Text::default();
                text.amount(amount, units);
                assert_eq!(text.into_bytes(), expected.as_bytes(), "{amount} {units:?}");
            }
            let mut text = Text::default();
            text.amount(amount, Units::Raw);
            assert_eq!(text.into_bytes(), amount.to_string().as_bytes());
        }
    }

    #[test]
    fn amounts_agree_with_floating_point_but_for_ties() {
        let mut amount = 1_u64;
        while let Some(next) = amount.checked_mul(7) {
            amount = next + 3;
            for (units, base, i) in [(Units::Decimal, 1000.0, ""), (Units::Binary, 1024.0, "i")] {
                let (mut value, mut prefix) = (amount as f64, 0);
                while value >= base {
                    value /= base;
                    prefix += 1;
                }
                if prefix == 0 {
                    continue;
                }
                let digits = if value < 10.0 {
                    2
                } else {
                    usize::from(value < 100.0)
                };
                let prefix = &"kMGTPE"[prefix - 1..prefix];
                let mut text = Text::default();
                text.amount(amount, units);
                let text = String::from_utf8(text.into_bytes()).unwrap();
                assert_eq!(text, format!("{value:.digits$}{prefix}{i}"), "{amount}");
            }
        }
    }
}
