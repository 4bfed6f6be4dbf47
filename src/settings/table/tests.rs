//! What must hold for every row.

use std::collections::HashSet;

use super::*;

#[test]
fn every_setting_has_names_of_its_own() {
    let mut seen = HashSet::new();
    for row in all_settings() {
        assert!(seen.insert(row.name()), "{}", row.name());
        assert!(seen.insert(row.variable_name()), "{}", row.variable_name());
        if let Some(flag) = &row.flag {
            for name in std::iter::once(&flag.long).chain(flag.aliases) {
                assert!(seen.insert((*name).to_owned()), "--{name}");
            }
        }
    }
}

#[test]
fn every_row_belongs_to_a_section_and_every_section_has_rows() {
    let rows = [
        data::ROWS.len(),
        serving::ROWS.len(),
        access::ROWS.len(),
        process::ROWS.len(),
        tls::ROWS.len(),
        logs::ROWS.len(),
    ];
    assert_eq!(all_settings().count(), rows.iter().sum::<usize>());
    for name in all_sections() {
        assert!(section_keys(name).next().is_some(), "[{name}]");
    }
}

#[test]
fn what_is_secret_is_not_a_flag() {
    for row in all_settings().filter(|row| row.secrecy == SettingSecrecy::Secret) {
        assert!(row.flag.is_none(), "{}", row.name());
    }
}

#[test]
fn the_readme_table_has_a_line_for_every_setting() {
    let table = readme_table();
    assert_eq!(table.lines().count(), 2 + all_settings().count());
    assert!(
        table.contains("| `[server] bind` | `-b, --bind` | `127.0.0.1:8000` |"),
        "{table}"
    );
    assert!(
        table
            .lines()
            .all(|line| line.replace("\\|", "").matches('|').count() == 5)
    );
}
