//! The file beside what was deployed that tells what was written: the SHA-256 of each file, in the
//! form that `sha256sum --check` reads. By it a later run knows what nobody has edited.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::template::DeployTemplate;

/// Its name in the folder.
pub(super) const NAME: &str = ".unslow-deploy";

const KIND: &str = "# kind: ";

/// The files that were written to a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct DeployManifest {
    /// `terraform`, …
    pub(super) kind: String,
    /// Path, with `/`, and the SHA-256 in hexadecimal digits.
    files: BTreeMap<String, String>,
}

impl DeployManifest {
    /// Makes the manifest of files that are about to be written.
    pub(super) fn new(kind: &str, templates: &[DeployTemplate]) -> DeployManifest {
        DeployManifest {
            kind: kind.to_owned(),
            files: templates
                .iter()
                .map(|template| (template.path.clone(), hash(&template.content)))
                .collect(),
        }
    }

    /// Reads the manifest of a folder; `None` where there is none, or one that this program has not
    /// written.
    pub(super) fn read(dir: &Path) -> Result<Option<DeployManifest>, (PathBuf, io::Error)> {
        let path = dir.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(parse)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err((path, error)),
        }
    }

    /// Writes it as it is kept in the folder.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!(
            "# What `unslow deploy` has written here, and may replace as long as it is unchanged. Keep \
             it\n# with the files. What was edited: sha256sum --check --quiet {NAME}\n{KIND}{}\n",
            self.kind
        );
        for (path, hash) in &self.files {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{hash}  {path}");
        }
        text
    }

    /// Returns whether this is what was written to the path.
    pub(super) fn has_written(&self, path: &str, content: &[u8]) -> bool {
        self.files
            .get(path)
            .is_some_and(|known| *known == hash(content))
    }

    /// Every path that was written.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

fn parse(text: &str) -> Option<DeployManifest> {
    let mut manifest = DeployManifest::default();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix(KIND) {
            kind.clone_into(&mut manifest.kind);
        } else if !line.starts_with('#') {
            let (hash, path) = line.split_once("  ")?;
            // Somebody else's list must not lead out of the folder.
            let inside = Path::new(path)
                .components()
                .all(|part| matches!(part, Component::Normal(_)));
            if !inside || path.is_empty() {
                return None;
            }
            manifest.files.insert(path.to_owned(), hash.to_owned());
        }
    }
    (!manifest.kind.is_empty()).then_some(manifest)
}

fn hash(content: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(DeployManifest::read(dir.path()).unwrap(), None);
        let template = DeployTemplate {
            path: "a/b c.tf".to_owned(),
            content: b"abc".as_slice().into(),
        };
        let manifest = DeployManifest::new("terraform", &[template]);
        fs::write(dir.path().join(NAME), manifest.to_text()).unwrap();
        let again = DeployManifest::read(dir.path()).unwrap().unwrap();
        assert_eq!(again, manifest);
        assert_eq!(again.paths().collect::<Vec<_>>(), ["a/b c.tf"]);
        assert!(again.has_written("a/b c.tf", b"abc"));
        assert!(!again.has_written("a/b c.tf", b"abd"));
        assert!(!again.has_written("other", b"abc"));
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a/b c.tf";
        assert!(manifest.to_text().ends_with(&format!("{known}\n")));
    }

    #[test]
    fn a_list_that_leads_out_of_the_folder_is_none_of_ours() {
        for line in [
            "00  ../x",
            "00  /etc/passwd",
            "00  a/../../x",
            "00  ",
            "no list",
        ] {
            assert_eq!(parse(&format!("{KIND}terraform\n{line}\n")), None, "{line}");
        }
        assert_eq!(parse("00  a\n"), None, "of no kind");
        assert!(parse(&format!("{KIND}terraform\n00  a\n")).is_some());
    }
}
