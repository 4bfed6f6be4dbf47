//! Tests of the whole way from texts to settings.
#![allow(clippy::unwrap_used, reason = "tests")]

mod every;
mod faults;
mod places;
mod tls;

use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A folder with an ini file, as the working directory of a start.
struct Start {
    dir: TempDir,
    environment: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Start {
    fn new() -> Start {
        Start {
            dir: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn with_ini(text: &str) -> Start {
        Start::new().file("app.ini", text)
    }

    fn file(self, name: &str, content: &str) -> Start {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Start {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flags(mut self, flags: &[&str]) -> Start {
        self.flags
            .extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn load(&self) -> Result<Loaded, StartupError> {
        let arguments = std::iter::once("unslow").chain(self.flags.iter().map(String::as_str));
        let flags = crate::flags::parse(arguments, all_flags()).unwrap();
        let surroundings = ProcessEnvironment {
            working_folder: self.path().to_owned(),
            environment: self.environment.clone(),
        };
        load_in(&flags, &surroundings)
    }

    fn settings(&self) -> Settings {
        self.load().unwrap().settings
    }

    fn postgres(&self) -> PostgresSettings {
        match self.settings().database {
            DatabaseTarget::Postgres(postgres) => postgres,
            other => panic!("not PostgreSQL: {other:?}"),
        }
    }

    /// The text and origin of one setting.
    fn shown(&self, section: &str, key: &str) -> (Option<String>, String) {
        let loaded = self.load().unwrap();
        let one = loaded
            .shown
            .into_iter()
            .find(|one| (one.section, one.key) == (section, key));
        let one = one.unwrap();
        (one.text, one.origin.to_string())
    }
}
