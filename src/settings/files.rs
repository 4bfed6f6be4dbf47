//! Settings that name a file or a folder. What must be readable is read, or tried, while the
//! settings are: at the start, rather than when it is first needed.

use std::path::{Path, PathBuf};

use super::raw_value::{RawValue, ReadResult, ValueError};
use super::secret::Secret;
use crate::error::StartupError;
use crate::text::words::mask_passwords;

pub(super) fn read_path(given: RawValue<'_>) -> PathBuf {
    given.base.join(given.text)
}

/// A file that must be readable now, rather than when it is first needed.
pub(super) fn readable_file(given: RawValue<'_>) -> ReadResult<PathBuf> {
    let path = read_path(given);
    let meta = path
        .metadata()
        .map_err(|error| unreadable_file(&path, &error))?;
    if meta.is_dir() {
        return Err(ValueError::new("is a folder", "name a file"));
    }
    // Opening a pipe would wait for its writer.
    if !meta.is_file() {
        return Err(ValueError::new("is no regular file", "name a file"));
    }
    match std::fs::File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(unreadable_file(&path, &error)),
    }
}

pub(super) fn read_folder(given: RawValue<'_>) -> ReadResult<PathBuf> {
    let path = read_path(given);
    match std::fs::read_dir(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(unreadable_file(&path, &error)),
    }
}

/// Returns the content of a file that holds one secret, less one line end at its end.
pub(super) fn secret_file(given: RawValue<'_>) -> ReadResult<Secret> {
    let path = read_path(given);
    let mut content =
        std::fs::read_to_string(&path).map_err(|error| unreadable_file(&path, &error))?;
    if content.ends_with('\n') {
        content.pop();
        if content.ends_with('\r') {
            content.pop();
        }
    }
    if content.is_empty() {
        return Err(ValueError::new(
            "names an empty file",
            "put the secret into it, on one line",
        ));
    }
    Ok(Secret::new(content))
}

fn unreadable_file(path: &Path, error: &std::io::Error) -> ValueError {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "check the path",
        std::io::ErrorKind::PermissionDenied => "let the user that runs unslow read it",
        std::io::ErrorKind::InvalidData => "it must hold text in UTF-8",
        _ => "check the path and its permissions",
    };
    ValueError::new(
        format!(
            "cannot be read ({}: {error})",
            mask_passwords(&path.to_string_lossy())
        ),
        remedy,
    )
}

/// The line that begins a certificate in PEM form.
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Returns the content of a PEM file with the CAs to trust, which the setting called `setting`
/// names. The error is for a file that cannot be read or holds no certificate.
pub fn read_authorities(file: &Path, setting: &str) -> Result<Vec<u8>, StartupError> {
    let unusable = |why: String| {
        StartupError::new(format!("{} {why}", file.display()))
            .at_place(setting)
            .with_remedy("name a readable file of CA certificates in PEM form")
    };
    let pem = std::fs::read(file).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if !pem.windows(PEM.len()).any(|part| part == PEM) {
        return Err(unusable("holds no certificate in PEM form".to_owned()));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_file_is_named_and_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe.db");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let given = RawValue {
            text: "pipe.db",
            base: dir.path(),
        };
        assert!(readable_file(given).unwrap_err().why.contains("regular"));
    }

    #[test]
    fn a_file_with_a_secret_loses_one_line_end_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        let read = || {
            secret_file(RawValue {
                text: "secret",
                base: dir.path(),
            })
        };
        for (content, secret) in [
            ("pass\n", "pass"),
            ("pass\r\n", "pass"),
            ("pass", "pass"),
            (" pa ss \n\n", " pa ss \n"),
            ("#;%\"'\\\n", "#;%\"'\\"),
        ] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(read().unwrap().reveal(), secret);
        }
        std::fs::write(&file, "\n").unwrap();
        assert!(read().unwrap_err().why.contains("empty"));
        std::fs::remove_file(&file).unwrap();
        assert!(read().unwrap_err().why.contains("cannot be read"));
    }
}
