//! The text of a setting before it is read, and what is wrong with one that cannot be.

use std::path::Path;

use crate::text::units::UnitError;

/// The fault of a text. `why` continues a sentence that begins with the text, so that it can be
/// left out where it is a secret.
#[derive(Debug)]
pub(super) struct ValueError {
    pub(super) why: String,
    pub(super) remedy: String,
}

impl ValueError {
    pub(super) fn new(why: impl Into<String>, remedy: impl Into<String>) -> Self {
        ValueError {
            why: why.into(),
            remedy: remedy.into(),
        }
    }

    #[cfg(test)]
    pub(super) fn sentence(&self) -> String {
        format!("{}; {}", self.why, self.remedy)
    }
}

impl From<UnitError> for ValueError {
    fn from(error: UnitError) -> Self {
        ValueError::new(error.why, error.remedy)
    }
}

/// The text of one setting, and the folder that relative paths in it start from.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawValue<'a> {
    pub(super) text: &'a str,
    pub(super) base: &'a Path,
}

/// Returns a text for the tests of readers, with paths below `/base`.
#[cfg(test)]
pub(super) fn given(text: &str) -> RawValue<'_> {
    RawValue {
        text,
        base: Path::new("/base"),
    }
}

pub(super) type ReadResult<T> = Result<T, ValueError>;
