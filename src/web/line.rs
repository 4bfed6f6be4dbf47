//! Header values that are made for one response, put together on the stack: the general way of
//! formatting costs more than all else that a hit does. It knows bytes, not what headers mean.

use std::time::Duration;

use actix_web::http::header::HeaderValue;

/// A header's value in the making.
pub(super) struct HeaderLine {
    bytes: [u8; HeaderLine::LONGEST],
    length: usize,
}

impl HeaderLine {
    /// More than any header of ours needs: five steps of `Server-Timing` with 20 digits each.
    const LONGEST: usize = 256;

    pub(super) fn new() -> HeaderLine {
        HeaderLine {
            bytes: [0; HeaderLine::LONGEST],
            length: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(super) fn push_text(&mut self, text: &str) -> &mut HeaderLine {
        self.push(text.as_bytes());
        self
    }

    pub(super) fn push_number(&mut self, number: u64) -> &mut HeaderLine {
        self.push_digits(number, 1);
        self
    }

    /// Returns a duration in milliseconds with three decimals.
    pub(super) fn push_milliseconds(&mut self, duration: Duration) -> &mut HeaderLine {
        let rounded = duration.saturating_add(Duration::from_nanos(500));
        let micros = u64::try_from(rounded.as_micros()).unwrap_or(u64::MAX);
        self.push_digits(micros / 1000, 1);
        self.push(b".");
        self.push_digits(micros % 1000, 3);
        self
    }

    /// Returns sixteen hexadecimal digits.
    pub(super) fn push_hexadecimal(&mut self, number: u64) -> &mut HeaderLine {
        let digits: [u8; 16] = std::array::from_fn(|place| {
            let digit = (number >> (60 - 4 * place)) & 15;
            b"0123456789abcdef"[usize::try_from(digit).expect("below 16")]
        });
        self.push(&digits);
        self
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.bytes[..self.length])
            .expect("made of digits, names and signs that headers may hold")
    }

    fn push_digits(&mut self, mut number: u64, at_least: usize) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while number > 0 {
            first -= 1;
            digits[first] = b'0' + u8::try_from(number % 10).expect("below 10");
            number /= 10;
        }
        self.push(&digits[first.min(digits.len() - at_least)..]);
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.bytes[self.length..end].copy_from_slice(bytes);
        self.length = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_as_the_formatter_would() {
        for number in [0, 7, 10, 999, 1_000, u64::MAX] {
            assert_eq!(
                HeaderLine::new().push_number(number).header_value(),
                number.to_string()
            );
            let hexadecimal = HeaderLine::new().push_hexadecimal(number).header_value();
            assert_eq!(hexadecimal, format!("{number:016x}"));
        }
        for (nanos, expected) in [
            (0, "0.000"),
            (499, "0.000"),
            (500, "0.001"),
            (50_000, "0.050"),
            (1_234_567_890, "1234.568"),
        ] {
            let value = HeaderLine::new()
                .push_milliseconds(Duration::from_nanos(nanos))
                .header_value();
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn the_longest_timing_fits() {
        let mut line = HeaderLine::new();
        for _ in 0..5 {
            line.push_text(", memory;dur=")
                .push_milliseconds(Duration::MAX);
        }
        assert!(line.header_value().len() < HeaderLine::LONGEST);
    }
}
