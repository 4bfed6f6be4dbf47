//! The command line of `unslow deploy`. Which kinds there are is known to `commands`.

use std::path::PathBuf;

use clap::Args;

/// The files that `unslow deploy` is asked to write, and their folder.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DeployArgs {
    /// The kind of deployment; an unknown one lists them all
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// The folder: a new or an empty one, or the one of an earlier run
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Also overwrite files that were edited, and write to a folder that is not empty
    #[arg(long)]
    pub force: bool,
}
