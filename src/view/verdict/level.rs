//! A verdict and how it is meant.

/// The severity of a verdict. It is always written out, never only a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::view) enum Level {
    Good,
    Note,
    Attention,
    Problem,
}

impl Level {
    pub(in crate::view) fn word(self) -> &'static str {
        match self {
            Level::Good => "Good",
            Level::Note => "Note",
            Level::Attention => "Attention",
            Level::Problem => "Problem",
        }
    }

    /// Returns the class that colours it.
    pub(in crate::view) fn class(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Note => "plain",
            Level::Attention => "attention",
            Level::Problem => "problem",
        }
    }
}

/// One sentence, and how it is meant.
pub(in crate::view) type Verdict = (Level, String);
