//! `unslow init`: a documented settings file and a sample query, for a start. It never overwrites.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{Failure, print};
use crate::settings;

/// The query that `/q/hello` shows.
const HELLO: &str = include_str!("../../assets/hello.sql");

pub(super) fn run(dir: &Path) -> Result<(), Failure> {
    // The settings file will hold a password, so it is its owner's alone.
    for (name, content, mode) in [
        ("app.ini", settings::SAMPLE, 0o600),
        ("queries/hello.sql", HELLO, 0o644),
    ] {
        let path = dir.join(name);
        let written = write(&path, content, mode).map_err(|error| {
            Failure::Running(format!("{} cannot be written: {error}", path.display()))
        })?;
        let word = if written { "wrote" } else { "left as it is:" };
        print(format!("{word} {}\n", path.display()).as_bytes())?;
    }
    Ok(())
}

/// Writes a file that is not there yet; whether it did.
fn write(path: &Path, content: &str, mode: u32) -> std::io::Result<bool> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    restrict(&mut options, mode);
    match options.open(path) {
        Ok(mut file) => file.write_all(content.as_bytes()).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn restrict(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(mode);
}

/// Elsewhere the folder says who may read what is in it.
#[cfg(not(unix))]
fn restrict(_: &mut OpenOptions, _: u32) {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_writes_what_is_missing_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        run(&new).unwrap();
        assert_eq!(
            fs::read_to_string(new.join("app.ini")).unwrap(),
            settings::SAMPLE
        );
        let mode = fs::metadata(new.join("app.ini"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(
            mode & 0o077,
            0,
            "others may not read a file with a password"
        );
        fs::write(new.join("app.ini"), "mine").unwrap();
        fs::remove_file(new.join("queries/hello.sql")).unwrap();
        run(&new).unwrap();
        assert_eq!(fs::read_to_string(new.join("app.ini")).unwrap(), "mine");
        assert_eq!(
            fs::read_to_string(new.join("queries/hello.sql")).unwrap(),
            HELLO
        );
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let failure = run(&dir.path().join("file/below")).unwrap_err();
        assert_eq!(failure.code(), 1);
        assert!(failure.message().unwrap().contains("file/below/app.ini"));
    }
}
