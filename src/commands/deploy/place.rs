//! Putting files in their place: all of them are written beside their places first, and moved there
//! only when every one could be. So a missing right or a full disk leaves everything as it was.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::manifest;

/// The ending of the name of a file that is not in its place yet.
const NEW: &str = ".unslow-new";

/// One file to write, or to remove.
#[derive(Debug)]
pub(super) struct FileChange<'a> {
    /// The path below the folder, with `/`.
    pub(super) path: &'a str,
    /// `None`: it goes.
    pub(super) content: Option<&'a [u8]>,
}

/// Makes the folder where it is missing, does all changes and writes the manifest last.
///
/// The error names the file. Nothing has changed then, unless moving a file that was written fails.
pub(super) fn apply(
    dir: &Path,
    changes: &[FileChange<'_>],
    manifest: &str,
) -> Result<(), (PathBuf, io::Error)> {
    fs::create_dir_all(dir).map_err(|error| (dir.to_owned(), error))?;
    let manifest = FileChange {
        path: manifest::NAME,
        content: Some(manifest.as_bytes()),
    };
    let mut staged = StagedFile(Vec::new());
    for change in changes.iter().chain([&manifest]) {
        if let Some(content) = change.content {
            let path = full_path(dir, change.path);
            stage_file(&path, content, &mut staged).map_err(|error| (path, error))?;
        }
    }
    for change in changes.iter().filter(|change| change.content.is_none()) {
        let path = full_path(dir, change.path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err((path, error)),
            _ => {}
        }
    }
    for (from, to) in std::mem::take(&mut staged.0) {
        fs::rename(&from, &to).map_err(|error| (to, error))?;
    }
    Ok(())
}

/// Files that are not in their places yet, and where those are. What is left is removed.
struct StagedFile(Vec<(PathBuf, PathBuf)>);

impl Drop for StagedFile {
    fn drop(&mut self) {
        for (from, _) in &self.0 {
            // It is not there when making it failed.
            let _ = fs::remove_file(from);
        }
    }
}

fn full_path(dir: &Path, path: &str) -> PathBuf {
    path.split('/')
        .fold(dir.to_owned(), |full, part| full.join(part))
}

fn stage_file(path: &Path, content: &[u8], staged: &mut StagedFile) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(NEW);
    let beside = PathBuf::from(name);
    // From a run that was cut off.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    staged.0.push((beside.clone(), path.to_owned()));
    let mut file = File::create_new(&beside)?;
    file.write_all(content)?;
    if content.starts_with(b"#!") {
        executable(&file)?;
    }
    Ok(())
}

/// Adds the right to run it for everybody who may read it.
#[cfg(unix)]
fn executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode();
    file.set_permissions(fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

/// There is no such right elsewhere.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "its twin can fail")]
fn executable(_: &File) -> io::Result<()> {
    Ok(())
}
