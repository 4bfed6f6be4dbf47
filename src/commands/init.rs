//! `unslow init`: a documented settings file and a sample query, for a start; a dashboard for
//! Grafana and rules for Prometheus. It never overwrites.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::failure::CommandFailure;
use super::terminal::print_bytes;
use crate::{flags, settings};

/// A file to write: its name, its content, and who may read it.
type SampleFile = (&'static str, &'static str, u32);

/// The files of a start. The settings file will hold a password, so it is its owner's alone; the
/// query is the one that `/q/hello` shows.
const START: [SampleFile; 2] = [
    ("app.ini", settings::SAMPLE, 0o600),
    (
        "queries/hello.sql",
        include_str!("../../assets/hello.sql"),
        0o644,
    ),
];

/// The files for those who watch it with Prometheus and Grafana.
const MONITORING: [SampleFile; 3] = [
    (
        "unslow-dashboard.json",
        include_str!("../../assets/monitoring/unslow-dashboard.json"),
        0o644,
    ),
    (
        "unslow-alerts.yml",
        include_str!("../../assets/monitoring/unslow-alerts.yml"),
        0o644,
    ),
    (
        "prometheus.yml",
        include_str!("../../assets/monitoring/prometheus.yml"),
        0o644,
    ),
];

pub(super) fn run(files: &flags::InitArgs) -> Result<(), CommandFailure> {
    if let Some(dir) = &files.monitoring {
        write_all(dir, &MONITORING)?;
    }
    let here = || files.monitoring.is_none().then(|| PathBuf::from("."));
    match files.dir.clone().or_else(here) {
        Some(dir) => write_all(&dir, &START),
        None => Ok(()),
    }
}

fn write_all(dir: &Path, files: &[SampleFile]) -> Result<(), CommandFailure> {
    for (name, content, mode) in files {
        let path = dir.join(name);
        let written = write(&path, content, *mode).map_err(|error| {
            CommandFailure::Running(format!("{} cannot be written: {error}", path.display()))
        })?;
        let word = if written { "wrote" } else { "left as it is:" };
        print_bytes(format!("{word} {}\n", path.display()).as_bytes())?;
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

    fn asked(dir: Option<&Path>, monitoring: Option<&Path>) -> flags::InitArgs {
        flags::InitArgs {
            dir: dir.map(Path::to_owned),
            monitoring: monitoring.map(Path::to_owned),
        }
    }

    #[test]
    fn it_writes_what_is_missing_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        let [(_, ini, _), (_, hello, _)] = START;
        run(&asked(Some(&new), None)).unwrap();
        assert_eq!(fs::read_to_string(new.join("app.ini")).unwrap(), ini);
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
        run(&asked(Some(&new), None)).unwrap();
        assert_eq!(fs::read_to_string(new.join("app.ini")).unwrap(), "mine");
        let written = fs::read_to_string(new.join("queries/hello.sql")).unwrap();
        assert_eq!(written, hello);
        assert!(!new.join("prometheus.yml").exists());
    }

    #[test]
    fn what_is_for_monitoring_is_written_alone_and_never_over_what_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("monitoring");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("prometheus.yml"), "mine").unwrap();
        run(&asked(None, Some(&new))).unwrap();
        let kept = fs::read_to_string(new.join("prometheus.yml")).unwrap();
        assert_eq!(kept, "mine");
        for (name, content, _) in &MONITORING[..2] {
            assert_eq!(&fs::read_to_string(new.join(name)).unwrap(), content);
        }
        let names: Vec<_> = fs::read_dir(&new).unwrap().collect();
        assert_eq!(names.len(), MONITORING.len());
        run(&asked(Some(dir.path()), Some(&new))).unwrap();
        assert!(dir.path().join("app.ini").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let below = dir.path().join("file/below");
        let failure = run(&asked(Some(&below), None)).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.message().unwrap().contains("file/below/app.ini"));
    }
}
