//! A mistake on a line of a query file, before the file is named.

use crate::error::StartupError;

/// A mistake on a line of a query file.
#[derive(Debug)]
pub(super) struct QueryFileError {
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) remedy: String,
}

impl QueryFileError {
    pub(super) fn new(
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> QueryFileError {
        QueryFileError {
            line,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn in_file(self, file: &str) -> StartupError {
        StartupError::new(self.what)
            .at_place(format!("{file}:{}", self.line))
            .with_remedy(self.remedy)
    }
}
