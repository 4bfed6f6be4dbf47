//! Holds README.md and `docs/` to the program: the settings table is the one that the settings
//! themselves give, links lead somewhere, and commands, make targets and keys exist.
//! `UPDATE_README=1 cargo test --test it readme` writes the table instead of comparing it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::unslow::command;

const BEGIN: &str = "<!-- settings:begin -->\n";
const END: &str = "<!-- settings:end -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and every page of `docs/`, with their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let folder = fs::read_dir(root().join("docs")).expect("docs can be listed");
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.push(root().join("README.md"));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a page can be read");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// The lines of all code blocks of this language.
fn code<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut current = None;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(opening) if current.is_none() => current = Some(opening),
            Some(_) => current = None,
            None if current == Some(language) => found.push(line),
            None => {}
        }
    }
    found
}

/// The part of a heading behind `#` in an address, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase().replace(' ', "-");
    let is_kept = |c: &char| c.is_alphanumeric() || *c == '-' || *c == '_';
    heading.chars().filter(is_kept).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| anchor(line.trim_start_matches('#').trim()) == wanted)
}

/// The targets of Markdown's links and of pictures.
fn links(text: &str) -> Vec<&str> {
    let after = |mark: &str, end: char| -> Vec<&str> {
        let found = text.split(mark).skip(1);
        found.filter_map(|rest| rest.split(end).next()).collect()
    };
    [
        after("](", ')'),
        after(" src=\"", '"'),
        after("srcset=\"", '"'),
    ]
    .concat()
}

/// The program's own commands in a line of shell, each as its arguments.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" #").next().unwrap_or_default();
    let parts = line.split(['|', ';', '&', '>', '(', ')', '\'']);
    let mut found = Vec::new();
    for part in parts {
        let mut words = part.split_whitespace().skip_while(|word| *word == "sudo");
        let program = words.next().unwrap_or_default();
        if ["unslow", "./unslow", "dist/unslow"].contains(&program) {
            found.push(words.collect());
        }
    }
    found
}

/// The text before, between and behind the two markers.
fn parts(page: &str) -> (&str, &str, &str) {
    let (before, rest) = page
        .split_once(BEGIN)
        .expect("commands.md has the settings table's begin marker on a line of its own");
    let (table, behind) = rest
        .split_once(END)
        .expect("commands.md has the settings table's end marker");
    (before, table, behind)
}

#[test]
fn the_settings_table_is_the_one_of_the_settings() {
    let path = root().join("docs/commands.md");
    let page = fs::read_to_string(&path).expect("commands.md can be read");
    let (before, table, behind) = parts(&page);
    let wanted = format!("\n{}\n\n", unslow::settings::readme_table().trim());
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, [before, BEGIN, &wanted, END, behind].concat())
            .expect("commands.md can be written");
        return;
    }
    assert!(
        table == wanted,
        "the settings table is old; write it anew: UPDATE_README=1 cargo test --test it readme\n--- docs/commands.md:\n{table}\n--- settings:\n{wanted}"
    );
}

#[test]
fn the_readme_stays_a_newcomers_page() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let lines = readme.lines().count();
    assert!(lines <= 250, "{lines} lines: move details to docs/");
}

#[test]
fn every_link_of_the_pages_leads_to_a_file_and_a_heading() {
    let mut tried = 0;
    for (path, text) in pages() {
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            tried += 1;
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{}: {link}", path.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                assert!(has_anchor(&text, heading), "{}: {link}", path.display());
            }
        }
    }
    assert!(tried > 10, "{tried} links");
}

/// The program reads flags from left to right, so it refuses what it does not know before it comes
/// to `--help`.
#[test]
fn every_command_of_the_pages_is_one_of_the_program() {
    let mut tried = 0;
    for (path, text) in pages() {
        for line in code(&text, "sh") {
            for mut arguments in commands(line) {
                tried += 1;
                arguments.push("--help");
                let output = command(&arguments).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(
                    output.status.success(),
                    "{}: {line}: {said}",
                    path.display()
                );
            }
        }
    }
    assert!(tried > 20, "{tried} commands");
}

#[test]
fn every_key_of_the_pages_is_a_setting() {
    let table = unslow::settings::readme_table();
    let mut tried = 0;
    for (path, text) in pages() {
        let mut section = "";
        for line in code(&text, "ini") {
            match line.strip_prefix('[') {
                Some(name) => section = name.trim_end_matches(']'),
                // A unit of systemd.
                None if section == "Socket" => {}
                None => {
                    let Some((key, _)) = line.split_once('=').filter(|_| !line.starts_with('#'))
                    else {
                        continue;
                    };
                    tried += 1;
                    let wanted = format!("| `[{section}] {}` |", key.trim());
                    assert!(table.contains(&wanted), "{}: {wanted}", path.display());
                }
            }
        }
    }
    assert!(tried > 20, "{tried} keys");
}

#[test]
fn every_make_target_that_the_pages_name_exists() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("Makefile can be read");
    let mut named = 0;
    for (path, text) in pages() {
        for word in ["`make ", "\nmake "]
            .iter()
            .flat_map(|start| text.split(start).skip(1))
        {
            let target: String = word
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            named += 1;
            assert!(
                makefile.contains(&format!("\n{target}:")),
                "{} names make {target}",
                path.display()
            );
        }
    }
    assert!(named > 0, "no page names a make target");
}

/// make takes a phony target without a rule for done.
#[test]
fn every_phony_make_target_has_a_rule() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile");
    let makefile = fs::read_to_string(path).expect("Makefile can be read");
    let makefile = makefile.replace("\\\n", "");
    let (_, names) = makefile
        .split_once("\n.PHONY:")
        .expect("the Makefile names its phony targets");
    for name in names.lines().next().unwrap_or_default().split_whitespace() {
        assert!(
            makefile.contains(&format!("\n{name}:")),
            "make {name} is a phony target without a rule: nothing would be done"
        );
    }
}
