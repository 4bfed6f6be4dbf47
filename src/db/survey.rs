//! The survey of a database for `unslow check --online`: whether it lets us in, what it is, and
//! what its user may do besides reading. What a check prints is for the command.

/// A database that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSurvey {
    /// The database and the user by which it is asked, in one line.
    pub what: String,
    /// The things that should be otherwise, with a remedy, one sentence each.
    pub warnings: Vec<String>,
}

/// A database that does not answer, or does not let us in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyTrouble {
    /// The cause; never a password.
    pub words: String,
    /// The remedy.
    pub remedy: String,
}
