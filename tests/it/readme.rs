//! Holds the README to the program: its settings table is the one that the settings themselves
//! give. `UPDATE_README=1 cargo test --test it readme` writes the table instead of comparing it.

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- settings:begin -->\n";
const END: &str = "<!-- settings:end -->";

/// The text before, between and behind the two markers.
fn parts(readme: &str) -> (&str, &str, &str) {
    let (before, rest) = readme
        .split_once(BEGIN)
        .expect("the README has the settings table's begin marker on a line of its own");
    let (table, behind) = rest
        .split_once(END)
        .expect("the README has the settings table's end marker");
    (before, table, behind)
}

#[test]
fn the_settings_table_is_the_one_of_the_settings() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("README.md can be read");
    let (before, table, behind) = parts(&readme);
    let wanted = format!("\n{}\n\n", unslow::settings::readme_table().trim());
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, [before, BEGIN, &wanted, END, behind].concat())
            .expect("README.md can be written");
        return;
    }
    assert!(
        table == wanted,
        "the README's settings table is old; write it anew: UPDATE_README=1 cargo test --test it readme\n--- README:\n{table}\n--- settings:\n{wanted}"
    );
}

#[test]
fn every_make_target_that_the_readme_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md can be read");
    let makefile = fs::read_to_string(root.join("Makefile")).expect("Makefile can be read");
    let mut named = 0;
    for word in ["`make ", "\nmake "]
        .iter()
        .flat_map(|start| readme.split(start).skip(1))
    {
        let target: String = word
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        named += 1;
        assert!(
            makefile.contains(&format!("\n{target}:")),
            "the README names make {target}"
        );
    }
    assert!(named > 0, "the README names no make target");
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
