//! The form of names and values in messages: the nearest known name, and a value shortened and
//! without characters that could disturb a terminal, a log or a page. It knows no queries.

/// The characters of a value that a message shows.
const SHOWN: usize = 40;

/// Longer words are not compared: nobody mistypes them, and comparing takes time.
const COMPARED: usize = 100;

/// Returns the known name that `word` was most likely meant to be; `None` where nothing is close.
pub(crate) fn nearest_word<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > COMPARED {
        return None;
    }
    let word = word.to_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|name| {
            let plain = name.to_lowercase().replace('_', "-");
            (strsim::damerau_levenshtein(&word, &plain), name)
        })
        .filter(|(distance, name)| {
            let length = name.chars().count();
            *distance < length && *distance <= 1 + length / 4
        })
        .min()
        .map(|(_, name)| name)
}

/// Returns text with its control characters escaped, so that it cannot steer a terminal.
pub(crate) fn escape_controls(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.into()
        }
    };
    text.chars().map(escape).collect()
}

/// Returns the text with `***` for what may be a password that was put into the wrong place: the
/// user-info of an address, and what follows `password=`.
pub(crate) fn mask_passwords(text: &str) -> String {
    let mut text = text.to_owned();
    let of_address = text.rfind('@').and_then(|end| {
        let scheme = text[..end].find("://").map(|at| at + 3);
        // Without a scheme, a name before the sign is no secret, as in `ask bob@example.com`.
        let begin = scheme.or_else(|| text[..end].find(':').map(|at| at + 1))?;
        (begin < end).then_some(begin..end)
    });
    if let Some(range) = of_address {
        text.replace_range(range, "***");
    }
    let named = text.to_ascii_lowercase().find("password=");
    if let Some(begin) = named.map(|at| at + "password=".len()) {
        let end = text[begin..].find('&').map_or(text.len(), |at| begin + at);
        text.replace_range(begin..end, "***");
    }
    text
}

/// Writes `"value"`, shortened, without a password, with control and direction characters replaced.
pub(crate) fn quote_value(value: &str) -> String {
    let value = mask_passwords(value);
    let mut text: String = value.chars().take(SHOWN).map(harmless_char).collect();
    if value.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    format!("\"{text}\"")
}

/// Writes `, did you mean …?` or nothing.
pub(crate) fn did_you_mean(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}

fn harmless_char(c: char) -> char {
    match c {
        c if c.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        c => c,
    }
}

/// Returns what a database said, less the values in it: `sqlstate` tells whether it speaks of data
/// (class 22), whose values it puts into quotes, or says what a function was written to say (P0).
pub(crate) fn without_values(sqlstate: &str, said: &str) -> String {
    const LEFT_OUT: &str = "(left out, it may hold values)";
    if sqlstate.starts_with("P0") {
        return LEFT_OUT.to_owned();
    }
    if !sqlstate.starts_with("22") {
        return said.to_owned();
    }
    // In other languages the quotes are others.
    if !said.is_ascii() {
        return LEFT_OUT.to_owned();
    }
    match (said.find('"'), said.rfind('"')) {
        (Some(first), Some(last)) => format!("{}\"…\"{}", &said[..first], &said[last + 1..]),
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["title", "max-rows", "ttl"];
        assert_eq!(nearest_word("titel", known), Some("title"));
        assert_eq!(nearest_word("max_rows", known), Some("max-rows"));
        assert_eq!(nearest_word("TTL", known), Some("ttl"));
        assert_eq!(nearest_word("wholly-different", known), None);
        assert_eq!(nearest_word(&"t".repeat(1_000_000), known), None);
    }

    #[test]
    fn a_shown_value_is_short_and_holds_no_control_characters() {
        assert_eq!(quote_value("abc"), "\"abc\"");
        assert_eq!(
            quote_value("a\nb\u{1b}[31m\u{202e}"),
            "\"a\u{fffd}b\u{fffd}[31m\u{fffd}\""
        );
        assert_eq!(
            quote_value(&"é".repeat(41)),
            format!("\"{}…\"", "é".repeat(40))
        );
    }

    #[test]
    fn a_password_in_the_wrong_place_is_masked() {
        for (text, wanted) in [
            ("udp://u:hunter2@h:x", "udp://***@h:x"),
            ("postgres://u:hun/t@er2@h/db", "postgres://***@h/db"),
            ("redis://hunter2@h", "redis://***@h"),
            ("redis://:hunter2@h", "redis://***@h"),
            ("u:hunter2@db", "u:***@db"),
            ("u:hun ter2@db:5432", "u:***@db:5432"),
            ("host=h Password=hunter2 user=u", "host=h Password=***"),
            (
                "postgres://h/d?password=hunter2&x=y",
                "postgres://h/d?password=***&x=y",
            ),
            ("ask bob@example.com", "ask bob@example.com"),
            ("@x:y", "@x:y"),
            ("http://h/a:b", "http://h/a:b"),
        ] {
            assert_eq!(mask_passwords(text), wanted);
            assert!(!quote_value(text).contains("hunter2"));
        }
        let long = format!("udp://u:{}@h", "hunter2".repeat(20));
        assert_eq!(
            quote_value(&long),
            "\"udp://***@h\"",
            "it is masked before it is shortened"
        );
    }

    #[test]
    fn values_are_left_out_of_what_a_database_says_of_data() {
        for (sqlstate, said, kept) in [
            ("22012", "division by zero", "division by zero"),
            (
                "22P02",
                "invalid input syntax for type integer: \"a \"secret\"\"",
                "invalid input syntax for type integer: \"…\"",
            ),
            (
                "22003",
                "value \"99999999999\" is out of range for type integer",
                "value \"…\" is out of range for type integer",
            ),
            (
                "22P02",
                "ungültig: »secret«",
                "(left out, it may hold values)",
            ),
            ("P0001", "customer secret", "(left out, it may hold values)"),
            (
                "42703",
                "column \"x\" does not exist",
                "column \"x\" does not exist",
            ),
        ] {
            assert_eq!(without_values(sqlstate, said), kept);
        }
    }
}
