//! The survey of a database for `unslow check --online`: whether it lets us in, what it is, and
//! what its user may do besides reading. What a check prints is for the command.

/// A database that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// What it is and as whom it is asked, in one line.
    pub what: String,
    /// What should be otherwise, with what to do about it, one sentence each.
    pub warnings: Vec<String>,
}

/// A database that does not answer, or does not let us in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The cause; never a password.
    pub words: String,
    /// What to do about it.
    pub remedy: String,
}
