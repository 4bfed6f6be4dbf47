//! How lines are read, and which files are refused.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn read(text: &str) -> Result<Map<String, Value>, StartupError> {
    let format = IniFormat {
        path: "app.ini".to_owned(),
    };
    format
        .parse(None, text)
        .map_err(|error| *error.downcast().unwrap())
}

fn value(text: &str, section: &str, key: &str) -> String {
    let out = read(text).unwrap();
    out[section].clone().into_table().unwrap()[key]
        .clone()
        .into_string()
        .unwrap()
}

#[test]
fn values_are_taken_as_they_stand() {
    for raw in [
        r"a\b\n\x41\",
        r"ends\\",
        "\"quoted\"",
        "'single'",
        "half\"quote",
        "has # and ; and %(x)s and %%",
        "#first",
        ";first",
        "a=b:c",
        "=x",
        ":x",
        "[x]",
        "two  spaces\tand tab",
        "päß 🐘",
        "",
    ] {
        for form in [
            "password=",
            "password = ",
            "password: ",
            "password :\t",
            "  password=",
        ] {
            for end in ["", "\n", "\r\n", "  \n"] {
                let text = format!("[postgres]\n{form}{raw}{end}");
                assert_eq!(value(&text, "postgres", "password"), raw, "{text:?}");
            }
        }
    }
}

#[test]
fn a_backslash_at_the_end_leaves_the_next_line_alone() {
    let text = "[postgres]\npassword=abc\\\nhost=db\n";
    assert_eq!(value(text, "postgres", "password"), "abc\\");
    assert_eq!(value(text, "postgres", "host"), "db");
}

#[test]
fn comments_blank_lines_and_marks_of_other_systems_do_not_matter() {
    let text = "\u{feff}; top\r\n\r\n[postgres] ; note\r\n  # indented = comment\r\nHOST = db\r\n";
    assert_eq!(value(text, "postgres", "host"), "db");
}

#[test]
fn the_older_name_of_the_section_is_accepted() {
    assert_eq!(value("[postgresql]\nhost=db\n", "postgres", "host"), "db");
}

#[test]
fn every_value_knows_its_line() {
    let out = read("[redis]\n\n# url\nurl=redis://x\n").unwrap();
    let table = out["redis"].clone().into_table().unwrap();
    assert_eq!(SettingOrigin::read(&table["url"]).to_string(), "app.ini:4");
}

#[test]
fn hostile_files_are_refused_with_line_and_remedy() {
    for (text, line, words) in [
        ("[postgres]\nhost=a\nhost=b", 3, "line 2"),
        ("[postgres]\nhost=a\nHost=b", 3, "line 2"),
        ("[redis]\n[postgres]\n[redis]\n", 3, "line 1"),
        ("[postgres]\n[postgresql]\n", 2, "[postgres] at line 1"),
        ("[postgress]\n", 1, "[postgres]"),
        ("[Postgres]\n", 1, "[postgres]"),
        ("[zzzzzzzz]\n", 1, "the sections are"),
        ("[DEFAULT]\nttl=1s\n", 1, "no section"),
        ("[]\n", 1, "no section"),
        ("[postgres\nhost=a", 1, "closing ]"),
        ("host=a\n[postgres]\n", 1, "[postgres]"),
        ("[postgres]\nhots=a\n", 2, "did you mean host?"),
        ("[postgres]\nttl=1s\n", 2, "belongs in [cache]"),
        ("[postgres]\nxyzzyxyzzy=1s\n", 2, "its keys are"),
        ("[postgres]\nhost\n", 2, "key = value"),
        ("[postgres]\n=a\n", 2, "key = value"),
        ("[postgres]\nhost=a\n  more\n", 3, "one line"),
        ("[postgres]\nhost=a\n  user=b\n", 3, "one line"),
        ("[postgres]\nhost=a\0b\n", 2, "control character"),
        ("[postgres]\nhost=a\rb\n", 2, "control character"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(
            error.place.as_deref(),
            Some(format!("app.ini:{line}").as_str()),
            "{text:?}"
        );
        assert!(error.to_string().contains(words), "{text:?}: {error}");
    }
}

#[test]
fn an_error_about_a_line_never_shows_its_value() {
    for text in [
        "[postgres]\npasswort=hunter2\n",
        "password=hunter2\n",
        "[postgres]\nhunter2\n",
    ] {
        assert!(
            !read(text).unwrap_err().to_string().contains("hunter2"),
            "{text}"
        );
    }
}
