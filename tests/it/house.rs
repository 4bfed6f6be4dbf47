//! Holds the order of the house: which part may import which, that each file says what it owns,
//! and that files stay short enough to be read. `circles` holds the order of files, `measures`
//! prints the table of `make house`. Unit tests below the code are not held to the
//! directions: what only a test imports is not in the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

mod circles;
mod measures;
mod names;
mod parsed;
mod samples;

/// The parts that anyone may import.
const SHARED: &[&str] = &[
    "settings",
    "error",
    "outcome",
    "defence",
    "socket_path",
    "trusted_place",
    "text",
];

/// Each part of `src/` and what it may import besides [`SHARED`]. Left may import right, never
/// back: a part that is new in `src/` gets its line here, and every line keeps the whole a tree.
const DIRECTIONS: &[(&str, &[&str])] = &[
    (
        "main",
        &["flags", "settings", "daemon", "commands", "environment"],
    ),
    ("lib", &[]),
    (
        "commands",
        &[
            "app", "db", "cache", "query", "settings", "flags", "logging", "daemon", "server",
            "stats", "view",
        ],
    ),
    (
        "daemon",
        &["server", "app", "flags", "logging", "environment"],
    ),
    ("server", &["web", "app", "logging"]),
    (
        "web",
        &["app", "view", "cache", "query", "stats", "logging"],
    ),
    ("app", &["cache", "db", "query", "stats"]),
    ("view", &["query", "stats"]),
    ("db", &["query"]),
    ("cache", &["stats", "logging"]),
    ("settings", &["flags"]),
    ("query", &[]),
    ("stats", &[]),
    ("flags", &[]),
    ("logging", &[]),
    ("error", &[]),
    ("outcome", &[]),
    ("defence", &[]),
    ("environment", &[]),
    ("socket_path", &[]),
    ("trusted_place", &[]),
    ("text", &[]),
];

/// The parts that may know both the database and the cache; everyone else is on one side of the
/// line.
const SEES_DB_AND_CACHE: &[&str] = &["app", "commands"];

/// The words that must not be written in a part, with the reason.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("cache", "sqlx::", "the cache moves opaque bytes: no SQL"),
    (
        "cache",
        "actix_web::",
        "the cache moves opaque bytes: no HTTP",
    ),
    ("db", "deadpool_redis::", "the database knows no cache"),
    ("stats", "maud::", "counting is apart from rendering"),
    (
        "view",
        ".await",
        "a view is a pure function from data to markup",
    ),
];

const MAX_LINES: usize = 350;

/// A source file: its path below `src/`, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The names from the crate's root to this file's module: `cache/memory.rs` is two deep.
    fn module(&self) -> Vec<&str> {
        self.path
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .split('/')
            .collect()
    }

    fn is_test(&self) -> bool {
        self.module().contains(&"tests")
    }

    fn part(&self) -> &str {
        self.module()[0]
    }

    /// Returns the lines without those of the unit tests, which stand at the end or, where they are
    /// long, in a `tests` of their own.
    fn own_lines(&self) -> Vec<&str> {
        if self.is_test() {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let is_tests = |at: usize| {
            lines[at] == "#[cfg(test)]"
                && lines[at..]
                    .iter()
                    .find(|line| !line.starts_with(['#', ' ', ')']))
                    .is_some_and(|line| line.starts_with("mod "))
        };
        let end = (0..lines.len()).find(|&at| is_tests(at));
        lines[..end.unwrap_or(lines.len())].to_vec()
    }

    /// Returns its own lines without their comments.
    fn code(&self) -> String {
        self.own_lines()
            .iter()
            .map(|line| line.split("//").next().unwrap_or(line))
            .fold(String::new(), |code, line| code + line + "\n")
    }

    /// The parts this file names, in `use` lines and in paths.
    fn imports(&self) -> BTreeSet<String> {
        let code = self.code();
        let climb = "super::".repeat(self.module().len());
        let roots = match self.part() {
            "main" => vec!["unslow::"],
            _ => vec!["crate::", &climb],
        };
        roots
            .iter()
            .flat_map(|root| {
                code.match_indices(root)
                    .filter(|(at, _)| {
                        !code[..*at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c))
                    })
                    .flat_map(|(at, root)| first_names(&code[at + root.len()..]))
            })
            .filter(|name| name != self.part())
            .collect()
    }
}

/// The names right behind a path's root: one, or each item of a `{…}` group. Types and functions
/// of the crate's root are not parts: only names in the style of modules count.
fn first_names(path: &str) -> Vec<String> {
    let name = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = Vec::new();
    if let Some(group) = path.strip_prefix('{') {
        let mut depth = 0_usize;
        let mut from = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    names.push(name(&group[from..at]));
                    from = at + 1;
                }
                _ => {}
            }
            if c == '}' && depth == 0 && from == at + 1 {
                break;
            }
        }
    } else {
        names.push(name(path));
    }
    names.retain(|name| name.starts_with(|c: char| c.is_lowercase()) && name != "self");
    names
}

/// Everything in which these files break the order, one line each.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let (path, part) = (&source.path, source.part());
        let Some((_, allowed)) = DIRECTIONS.iter().find(|(name, _)| *name == part) else {
            found.push(format!("{path}: the part {part} has no line in DIRECTIONS"));
            continue;
        };
        for import in source.imports() {
            if !allowed.contains(&import.as_str()) && !SHARED.contains(&import.as_str()) {
                found.push(format!(
                    "{path}: {part} imports {import}; it may import {allowed:?} and {SHARED:?}"
                ));
            }
        }
        for (_, word, reason) in FOREIGN.iter().filter(|(owner, ..)| *owner == part) {
            if source.code().contains(word) {
                found.push(format!("{path}: names {word}; {reason}"));
            }
        }
        if !source.text.starts_with("//!") {
            found.push(format!("{path}: does not open with //! and what it owns"));
        }
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            found.push(format!("{path}: {lines} lines; at most {MAX_LINES}"));
        }
    }
    for (part, _) in DIRECTIONS {
        let imports: BTreeSet<String> = sources
            .iter()
            .filter(|source| source.part() == *part)
            .flat_map(Source::imports)
            .collect();
        let both = imports.contains("db") && imports.contains("cache");
        if both && !SEES_DB_AND_CACHE.contains(part) {
            found.push(format!("{part}: sees the database and the cache"));
        }
    }
    found
}

fn read_sources(folder: &Path, below: &str, into: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("src/ can be listed") {
        let entry = entry.expect("src/ can be listed");
        let name = entry.file_name().into_string().expect("names are UTF-8");
        let path = format!("{below}{name}");
        if entry.path().is_dir() {
            read_sources(&entry.path(), &format!("{path}/"), into);
        } else if Path::new(&name).extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(entry.path()).expect("sources are UTF-8");
            into.push(Source { path, text });
        }
    }
}

/// Returns all files of `src/`.
fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    read_sources(&src, "", &mut sources);
    sources
}

#[test]
fn the_sources_keep_the_order_of_the_house() {
    let sources = sources();
    assert!(sources.iter().any(|source| source.path == "main.rs"));
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_directions_have_no_ring() {
    let allowed = |part: &str| {
        DIRECTIONS
            .iter()
            .find(|(name, _)| *name == part)
            .map_or(&[][..], |(_, allowed)| *allowed)
    };
    for (part, _) in DIRECTIONS {
        let mut reached = BTreeSet::new();
        let mut next = allowed(part).to_vec();
        while let Some(name) = next.pop() {
            if reached.insert(name) {
                next.extend(allowed(name));
            }
        }
        assert!(!reached.contains(part), "{part} reaches itself");
    }
}
