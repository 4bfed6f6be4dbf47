//! `--reload`: whether the settings file or the query files have changed since they were read. What
//! follows from it is a reload like any other. Other files that settings name are not watched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The mark that tells one state of a file from another.
type FileMark = (Option<SystemTime>, u64);

/// The files that are watched, as they were when they were last looked at.
#[derive(Debug)]
pub(super) struct FileWatch(BTreeMap<PathBuf, FileMark>);

impl FileWatch {
    /// Notes the settings file and everything in the folder of queries, as they are now.
    pub(super) fn begin_watch(file: Option<&Path>, queries: Option<&Path>) -> FileWatch {
        let mut marks = BTreeMap::new();
        let entries = queries.and_then(|folder| std::fs::read_dir(folder).ok());
        let named = entries.into_iter().flatten().flatten();
        let files = named.map(|entry| entry.path());
        for path in files.chain(file.map(Path::to_owned)) {
            if let Ok(metadata) = path.metadata() {
                marks.insert(path, (metadata.modified().ok(), metadata.len()));
            }
        }
        FileWatch(marks)
    }

    /// Returns whether something has changed since; asks only once for each change.
    pub(super) fn take_changes(&mut self, file: Option<&Path>, queries: Option<&Path>) -> bool {
        let now = FileWatch::begin_watch(file, queries);
        let changed = now.0 != self.0;
        *self = now;
        changed
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn each_change_of_a_file_is_noticed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (ini, query) = (folder.path().join("app.ini"), folder.path().join("q/a.sql"));
        std::fs::create_dir(folder.path().join("q")).unwrap();
        std::fs::write(&ini, "").unwrap();
        let queries = query.parent();
        let mut watch = FileWatch::begin_watch(Some(&ini), queries);
        assert!(!watch.take_changes(Some(&ini), queries));
        std::fs::write(&ini, "[server]").unwrap();
        assert!(watch.take_changes(Some(&ini), queries));
        assert!(!watch.take_changes(Some(&ini), queries));
        std::fs::write(&query, "select 1").unwrap();
        assert!(watch.take_changes(Some(&ini), queries));
        std::fs::remove_file(&query).unwrap();
        assert!(watch.take_changes(Some(&ini), queries));
        assert!(!watch.take_changes(Some(&ini), queries));
    }
}
