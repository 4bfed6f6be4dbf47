//! Which files become queries.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::super::policy::QueryAccess;
use super::*;

const KINDS: [DatabaseKind; 2] = [DatabaseKind::Postgres, DatabaseKind::Sqlite];

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn load(dir: &tempfile::TempDir) -> Result<Catalog, String> {
    Catalog::load(DatabaseKind::Sqlite, Some(dir.path())).map_err(|error| error.to_string())
}

#[test]
fn the_embedded_queries_load_on_both_kinds_and_have_no_notes() {
    for kind in KINDS {
        let catalog = Catalog::load(kind, None).unwrap();
        let version = catalog.get("version").unwrap();
        assert_eq!(version.title, "Database version");
        assert_eq!(
            version.statement_for(kind).sql,
            "select slow_version() as database_version"
        );
        assert!(
            catalog.iter().any(|query| !query.params.is_empty()),
            "a demo of parameters"
        );
        assert!(catalog.file_notes().is_empty());
        for query in catalog.iter() {
            assert!(query.description.is_some());
            assert!(
                query.read_arguments(&[]).is_ok(),
                "{} has a default entry",
                query.name
            );
        }
    }
}

#[test]
fn queries_are_in_order_of_name_and_numbered_by_it() {
    let dir = folder(&[
        ("zz.sql", "select 1"),
        ("aa.sql", "select 2"),
        ("m-1.sql", "select 3"),
    ]);
    let catalog = load(&dir).unwrap();
    let names: Vec<&str> = catalog.iter().map(|query| query.name.as_str()).collect();
    assert!(names.is_sorted() && names.contains(&"version") && names.contains(&"m-1"));
    assert!(
        catalog
            .iter()
            .enumerate()
            .all(|(place, query)| query.index == place)
    );
}

#[test]
fn a_users_file_replaces_the_embedded_one_with_its_notes() {
    let dir = folder(&[("version.sql", "-- param: idle text = x\nselect 1")]);
    let catalog = load(&dir).unwrap();
    let sql = |catalog: &Catalog| {
        let version = catalog.get("version").unwrap();
        version.statement_for(DatabaseKind::Sqlite).sql.clone()
    };
    assert_eq!(sql(&catalog), "select 1");
    assert_eq!(catalog.file_notes().len(), 1);
    assert!(
        catalog.file_notes()[0]
            .ends_with("version.sql:1: the SQL does not use the parameter `idle`")
    );

    let dir = folder(&[("version.sql", "-- database: postgres\nselect 1")]);
    let catalog = load(&dir).unwrap();
    assert!(sql(&catalog).contains("slow_version"), "it is for another");
}

#[test]
fn a_file_that_is_passed_over_is_named_with_what_to_do() {
    let dir = folder(&[
        ("a.sql", "select 1"),
        ("a.sql~", "broken"),
        ("#a.sql#", "broken"),
        ("README.md", "broken"),
        (".#a.sql", "broken"),
        (".gitignore", "broken"),
        (".b.sql", "broken"),
        ("REPORT.SQL", "broken"),
        ("Odd Name.Sql", "broken"),
        ("old.sql.bak", "broken"),
        ("new.sql.txt", "broken"),
    ]);
    for below in ["sales/north", "empty", ".git"] {
        fs::create_dir_all(dir.path().join(below)).unwrap();
    }
    fs::write(dir.path().join("sales/north/c.sql"), "broken").unwrap();
    fs::write(dir.path().join(".git/d.sql"), "broken").unwrap();
    fs::write(dir.path().join("empty/README.md"), "").unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("sales/loop")).unwrap();
    let catalog = load(&dir).unwrap();
    let own = catalog.iter().filter(|query| !query.is_embedded);
    assert_eq!(own.count(), 1);
    let place = |name: &str| dir.path().join(name).display().to_string();
    let expected = [
        (".b.sql", "its name begins with a dot"),
        ("Odd Name.Sql", "rename it"),
        ("REPORT.SQL", "rename it to report.sql"),
        ("new.sql.txt", "rename it"),
        ("old.sql.bak", "rename it"),
        ("sales", "move north/c.sql up"),
    ];
    let notes = catalog.file_notes();
    assert_eq!(notes.len(), expected.len(), "{notes:?}");
    for ((name, words), note) in expected.iter().zip(notes) {
        let begin = format!("{}: not served: ", place(name));
        assert!(note.starts_with(&begin) && note.contains(words), "{note}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = folder(&[("Bad Name.sql", "select 1")]);
    assert!(
        load(&dir)
            .unwrap_err()
            .contains("Bad Name.sql: \"Bad Name\" is not a name")
    );

    let dir = folder(&[("broken.sql", "select 1;\nselect 2")]);
    let error = load(&dir).unwrap_err();
    let place = dir.path().join("broken.sql").display().to_string();
    assert!(
        error.starts_with(&format!("{place}:2: there is a second statement\n")),
        "{error}"
    );

    let dir = folder(&[]);
    fs::create_dir(dir.path().join("x.sql")).unwrap();
    assert!(
        load(&dir)
            .unwrap_err()
            .contains("x.sql: this is not a file")
    );

    let dir = folder(&[]);
    std::os::unix::fs::symlink("/nowhere/at/all", dir.path().join("x.sql")).unwrap();
    assert!(
        load(&dir)
            .unwrap_err()
            .contains("x.sql: the query file cannot be read")
    );

    let dir = folder(&[]);
    fs::write(dir.path().join(OsStr::from_bytes(b"\xff.sql")), "select 1").unwrap();
    assert!(
        load(&dir)
            .unwrap_err()
            .contains("is not a name for a query")
    );

    let dir = folder(&[]);
    let missing = dir.path().join("none");
    let error = Catalog::load(DatabaseKind::Sqlite, Some(&missing))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("none: the folder of queries cannot be read"),
        "{error}"
    );
}

#[test]
fn the_nearest_name_is_offered_for_an_unknown_one() {
    let catalog = Catalog::load(DatabaseKind::Sqlite, None).unwrap();
    assert_eq!(catalog.nearest_name("verison"), Some("version"));
    assert_eq!(catalog.nearest_name("nothing-like-it"), None);
}

#[test]
fn a_query_that_is_to_be_protected_takes_a_setting_that_says_who_may() {
    let dir = folder(&[
        ("a.sql", "-- access: open\nselect 1"),
        ("b.sql", "-- ttl: 1s\n-- access: token\nselect 1"),
    ]);
    let catalog = load(&dir).unwrap();
    assert_eq!(catalog.get("a").unwrap().access, QueryAccess::Open);
    assert_eq!(catalog.get("b").unwrap().access, QueryAccess::Token);
    assert_eq!(
        catalog.get("version").unwrap().access,
        QueryAccess::AsConfigured
    );
    catalog.require_access(true).unwrap();
    let error = catalog.require_access(false).unwrap_err().to_string();
    for words in [
        "b.sql:2: `access: token`",
        "--access-token-file",
        "[access] allow",
    ] {
        assert!(error.contains(words), "{error}");
    }
    fs::write(dir.path().join("b.sql"), "select 1").unwrap();
    load(&dir).unwrap().require_access(false).unwrap();
}

#[test]
fn samples_stand_among_no_queries_of_a_database_of_ones_own() {
    let names = |kind, dir: Option<&tempfile::TempDir>| {
        let catalog =
            Catalog::load_for_own_database(kind, dir.map(tempfile::TempDir::path)).unwrap();
        let names = |queries: &mut dyn Iterator<Item = &Arc<Query>>| {
            queries
                .map(|query| query.name.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert!(
            catalog
                .iter()
                .enumerate()
                .all(|(place, query)| query.index == place)
        );
        (
            names(&mut catalog.listed_queries()),
            names(&mut catalog.iter()),
        )
    };
    let both = |names: &str| (names.to_owned(), names.to_owned());
    let own = folder(&[("mine.sql", "select 1")]);
    for kind in KINDS {
        let expected = ("mine".to_owned(), "mine version".to_owned());
        assert_eq!(names(kind, Some(&own)), expected);
    }
    let empty = folder(&[]);
    assert_eq!(names(DatabaseKind::Sqlite, Some(&empty)), both("version"));
    assert_eq!(
        names(DatabaseKind::Postgres, None),
        both("revenue-sample version")
    );
    let replaced = folder(&[("version.sql", "select 1")]);
    assert_eq!(
        names(DatabaseKind::Postgres, Some(&replaced)),
        both("version")
    );
}
