//! `unslow print-config`: every setting with its value and where that came from.

use super::failure::CommandFailure;
use super::terminal::{print_bytes, print_line};
use crate::app::format::align_columns;
use crate::settings::Loaded;
use crate::text::words::escape_controls;

pub(super) fn run(loaded: &Loaded) -> Result<(), CommandFailure> {
    for note in &loaded.settings.notes {
        print_line(&format!("note: {note}"));
    }
    print_bytes(settings_text(loaded).as_bytes())
}

/// Returns one line for each setting: name, value, origin.
fn settings_text(loaded: &Loaded) -> String {
    let mut lines = Vec::new();
    for shown in &loaded.shown {
        let (text, origin) = match &shown.text {
            // A value of the environment may hold anything, and comes to a terminal.
            Some(text) => (escape_controls(text), shown.origin.to_string()),
            None => ("(none)".to_owned(), String::new()),
        };
        lines.push(vec![
            format!("[{}] {}", shown.section, shown.key),
            text,
            origin,
        ]);
    }
    let file = match &loaded.file {
        Some(file) => format!("# settings file: {}\n", file.display()),
        None => "# no settings file\n".to_owned(),
    };
    file + &align_columns(&lines, false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::flags;
    use crate::settings::{self, ProcessEnvironment};

    #[test]
    fn every_value_is_shown_with_its_origin_and_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let ini = "[postgres]\nhost=db\ndatabase=d\nuser=u\npassword=hunter2\n";
        std::fs::write(dir.path().join("app.ini"), ini).unwrap();
        let flags = flags::parse(
            ["unslow", "print-config", "--ttl", "7s"],
            settings::all_flags(),
        );
        let surroundings = ProcessEnvironment {
            working_folder: dir.path().to_owned(),
            environment: vec![("REDIS_URL".to_owned(), "redis://:hunter2@r".to_owned())],
        };
        let text = settings_text(&settings::load_in(&flags.unwrap(), &surroundings).unwrap());
        let is = |name: &str, expected: &[&str]| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let parts = line[name.len()..].split("  ").map(str::trim);
            let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
            assert_eq!(parts, expected, "{line}");
        };
        is("[cache] ttl", &["7s", "--ttl"]);
        is("[postgres] host", &["db", "app.ini:2"]);
        is("[postgres] password ", &["***", "app.ini:5"]);
        is("[postgres] port", &["5432", "default"]);
        is("[redis] url", &["redis://:***@r", "environment REDIS_URL"]);
        is("[admin] token_file", &["(none)"]);
        assert!(!text.contains("hunter2"), "{text}");
    }
}
