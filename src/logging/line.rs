//! The common part of the lines of both logs: their time, and the rule that nothing in them ends
//! them.

use std::fmt::{self, Write};

use time::OffsetDateTime;
use time::macros::format_description;

/// RFC 3339 with a fixed width, so that lines sort as text.
pub(super) fn write_timestamp(time: OffsetDateTime) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    time.format(form).unwrap_or_default()
}

/// Returns the time to the millisecond, which is as exact as a log needs to be.
pub(super) fn now_millis() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

/// Appends text, with a word in the place of each character that would end the line or act on a
/// terminal.
pub(super) struct OneLine<'a>(pub(super) &'a mut String);

impl Write for OneLine<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if breaks_lines(c) {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Control characters, and two more that are line ends for some readers.
pub(super) fn breaks_lines(c: char) -> bool {
    c.is_control() || c == '\u{2028}' || c == '\u{2029}'
}
