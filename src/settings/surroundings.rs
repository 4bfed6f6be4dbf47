//! The surroundings that settings are read in: the working folder and the environment of the
//! process.

use std::path::PathBuf;

use crate::error::StartupError;

/// The working folder and the environment, which settings depend on besides the flags. They are
/// gathered once, so that nothing else looks there.
#[derive(Debug, Clone)]
pub struct ProcessEnvironment {
    /// The folder that relative paths in flags and environment start from.
    pub working_folder: PathBuf,
    /// The environment.
    pub environment: Vec<(String, String)>,
}

impl ProcessEnvironment {
    /// Returns those of this process. Variables that are not UTF-8 are left out, unless they are
    /// ours.
    pub fn of_process() -> Result<ProcessEnvironment, StartupError> {
        let working_folder = std::env::current_dir().map_err(|error| {
            StartupError::new(format!("the working directory cannot be used: {error}"))
                .with_remedy("start unslow in a folder that exists")
        })?;
        let mut environment = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => environment.push((name, value)),
                Err(_) if name.starts_with("UNSLOW_") => {
                    let error =
                        StartupError::new("is not UTF-8").at_place(format!("environment {name}"));
                    return Err(error.with_remedy("write it in UTF-8"));
                }
                Err(_) => {}
            }
        }
        Ok(ProcessEnvironment {
            working_folder,
            environment,
        })
    }
}
