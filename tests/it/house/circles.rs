//! Files import one way, too: none imports, by whatever way round, from a file that imports from it.

use std::collections::{BTreeMap, BTreeSet};

use super::parsed::{ParsedFile, parse};
use super::{Source, sources};

/// Returns each file that is in a circle, with the files of its circle that it imports from.
pub(super) fn circles(files: &BTreeMap<Vec<String>, ParsedFile>) -> Vec<String> {
    let reached: BTreeMap<_, _> = files.keys().map(|it| (it, reach(files, it))).collect();
    let mut found = Vec::new();
    for (module, file) in files {
        let back = file
            .imports
            .iter()
            .filter(|it| reached[it].contains(module));
        let back: Vec<&str> = back.map(|it| files[it].path.as_str()).collect();
        if !back.is_empty() {
            found.push(format!("{} imports from {}", file.path, back.join(", ")));
        }
    }
    found
}

/// Returns all files that a file imports from, directly or by way of others.
fn reach<'a>(
    files: &'a BTreeMap<Vec<String>, ParsedFile>,
    from: &Vec<String>,
) -> BTreeSet<&'a Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = files[from].imports.iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&files[module].imports);
        }
    }
    reached
}

#[test]
fn no_file_stands_in_a_circle() {
    let found = circles(&parse(&sources()));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    for (one, other, is_found) in [
        ("use super::b::B;", "use super::a::A;", true),
        (
            "use crate::x::{self, b};",
            "fn f() { crate::x::a::f() }",
            true,
        ),
        (
            "use super::b::B;",
            "fn f() { assert!(super::a::f()) }",
            true,
        ),
        (
            "use super::b::B;",
            "mod inner { use super::super::a::A; }",
            true,
        ),
        (
            "use super::b::B;",
            "#[cfg(test)]\nmod tests { use super::super::a::A; }",
            false,
        ),
        ("use super::b::B;", "pub(in crate::x) fn f() {}", false),
        ("use super::b::B;", "use std::fmt;", false),
    ] {
        let texts = [
            ("x/mod.rs", "mod a;\nmod b;"),
            ("x/a.rs", one),
            ("x/b.rs", other),
        ];
        let sources = texts.map(|(path, text)| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        });
        let found = circles(&parse(&sources));
        assert_eq!(!found.is_empty(), is_found, "{other}: {found:?}");
    }
}
