//! A place in a query file, to which an error of the database leads.

use std::fmt;

/// A line of a file and a column of it in characters, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl FilePosition {
    /// Returns the position behind `text`, where `self` is the position of its first character.
    #[must_use]
    pub fn position_after(self, text: &str) -> FilePosition {
        match text.rsplit_once('\n') {
            None => FilePosition {
                column: self.column + text.chars().count(),
                ..self
            },
            Some((before, last)) => FilePosition {
                line: self.line + 1 + before.matches('\n').count(),
                column: 1 + last.chars().count(),
            },
        }
    }
}

impl fmt::Display for FilePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}
