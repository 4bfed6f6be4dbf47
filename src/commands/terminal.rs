//! Output of a command: bytes for standard output, lines for standard error.

use std::io::{self, Write};

use super::failure::CommandFailure;

/// Writes to standard output. Unlike `print!` it does not panic when nobody reads.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), CommandFailure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Writes a line to standard error, as long as there is one.
pub(super) fn print_line(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}
