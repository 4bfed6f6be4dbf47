//! The user's folder of query files. It owns which of its files are read, and what is said of one
//! that looks like a query and is passed over.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::file::is_query_name;
use crate::error::StartupError;
use crate::text::words::quote_value;

pub(super) const SUFFIX: &str = ".sql";

/// The bounds of the search for queries that are not served: its depth, and the entries looked at.
const DEPTH: usize = 3;
const ENTRIES: usize = 1000;

/// The files of a folder.
#[derive(Debug, Default)]
pub(super) struct QueryFolder {
    /// The files to be read with their stems, sorted.
    pub(super) files: Vec<(String, PathBuf)>,
    /// One line, `PATH: …`, for each thing that is not served and may be meant to be, sorted.
    pub(super) passed_over: Vec<String>,
}

/// Looks into a folder. Each `*.sql` in it counts, but, as in a shell, not those whose name begins
/// with a dot.
///
/// # Errors
/// The folder cannot be read, or what is called `*.sql` is no file.
pub(super) fn look_into(dir: &Path) -> Result<QueryFolder, StartupError> {
    let failed = |error: std::io::Error| unreadable_error("folder of queries", dir, &error);
    let mut folder = QueryFolder::default();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let lossy = lossy_name(&path);
        let stem = lossy
            .strip_suffix(SUFFIX)
            .filter(|_| !lossy.starts_with('.'));
        let Some(stem) = stem else {
            let why = why_passed_over(&lossy, &path);
            let note = why.map(|why| format!("{}: not served: {why}", path.display()));
            folder.passed_over.extend(note);
            continue;
        };
        // A pipe would make the start wait for ever.
        let meta =
            std::fs::metadata(&path).map_err(|e| unreadable_error("query file", &path, &e))?;
        if !meta.is_file() {
            return Err(StartupError::new("this is not a file")
                .at_place(path.display().to_string())
                .with_remedy("only query files may have names that end in .sql"));
        }
        folder.files.push((stem.to_owned(), path));
    }
    folder.files.sort();
    folder.passed_over.sort();
    Ok(folder)
}

fn lossy_name(path: &Path) -> String {
    let name: &OsStr = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Returns the reason and the remedy for an entry that its owner may take for a query; `None` for
/// any other, such as what editors leave behind.
fn why_passed_over(name: &str, path: &Path) -> Option<String> {
    let lower = name.to_lowercase();
    if lower.starts_with(".#") || lower.starts_with('#') || lower.ends_with('~') {
        return None;
    }
    if path.is_dir() {
        if lower.starts_with('.') {
            return None;
        }
        let below = first_query(path, DEPTH, &mut { ENTRIES })?;
        let below = below.strip_prefix(path).unwrap_or(&below).display();
        return Some(format!(
            "queries in folders below are not read; move {below} up, or name this folder in \
             [queries] dir"
        ));
    }
    if let Some(rest) = lower.strip_prefix('.') {
        let is_query = rest.len() > SUFFIX.len() && rest.ends_with(SUFFIX);
        return is_query.then(|| "its name begins with a dot; rename it to serve it".to_owned());
    }
    let (stem, _) = lower.split_once(SUFFIX)?;
    let name = format!("{stem}{SUFFIX}");
    Some(if is_query_name(stem) {
        format!("its name does not end in .sql; rename it to {name}")
    } else {
        format!(
            "{} is not a name for a query; rename it",
            quote_value(&name)
        )
    })
}

/// Returns the first query file in a folder or below it. Links to folders are not followed.
fn first_query(dir: &Path, depth: usize, entries: &mut usize) -> Option<PathBuf> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(dir).ok()?.flatten() {
        *entries = entries.checked_sub(1)?;
        let path = entry.path();
        let name = lossy_name(&path).to_lowercase();
        match entry.file_type() {
            _ if name.starts_with('.') => {}
            Ok(kind) if kind.is_dir() => folders.push(path),
            Ok(_) if name.ends_with(SUFFIX) => return Some(path),
            _ => {}
        }
    }
    let deeper = depth.checked_sub(1)?;
    folders.sort();
    folders
        .iter()
        .find_map(|folder| first_query(folder, deeper, entries))
}

pub(super) fn unreadable_error(what: &str, path: &Path, error: &std::io::Error) -> StartupError {
    StartupError::new(format!("the {what} cannot be read: {error}"))
        .at_place(path.display().to_string())
        .with_remedy("check that it exists and that the user who runs unslow may read it")
}
