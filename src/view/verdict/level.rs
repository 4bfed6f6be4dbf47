//! A verdict and how it is meant.

/// The severity of a verdict. It is always written out, never only a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::view) enum VerdictLevel {
    Good,
    Note,
    Attention,
    Problem,
}

impl VerdictLevel {
    pub(in crate::view) fn word(self) -> &'static str {
        match self {
            VerdictLevel::Good => "Good",
            VerdictLevel::Note => "Note",
            VerdictLevel::Attention => "Attention",
            VerdictLevel::Problem => "Problem",
        }
    }

    /// Returns the class that colours it.
    pub(in crate::view) fn class(self) -> &'static str {
        match self {
            VerdictLevel::Good => "good",
            VerdictLevel::Note => "plain",
            VerdictLevel::Attention => "attention",
            VerdictLevel::Problem => "problem",
        }
    }
}

/// One sentence, and how it is meant.
pub(in crate::view) type Verdict = (VerdictLevel, String);
