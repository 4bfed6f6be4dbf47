//! Lists as one value: how a client writes one, its one canonical text, and the literal that
//! PostgreSQL reads.

/// The most elements of a list.
pub(super) const MOST: usize = 1000;

/// Returns the texts between commas. A backslash takes the character behind it as it is; the empty
/// text is the empty list.
pub(super) fn split_list(text: &str) -> Result<Vec<String>, &'static str> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut items = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let item = items.last_mut().expect("it begins with one");
        match c {
            ',' => items.push(String::new()),
            '\\' => item.push(chars.next().ok_or("ends with a backslash")?),
            c => item.push(c),
        }
    }
    Ok(items)
}

/// Returns the text that [`split_list`] takes apart into these; it is another for any other elements.
pub(super) fn join_list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items
        .map(|item| item.replace('\\', "\\\\").replace(',', "\\,"))
        .collect();
    items.join(",")
}

/// PostgreSQL's literal of an array of one dimension.
pub(super) fn array_literal(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", items.join(","))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_is_joined_is_split_into_the_same() {
        for text in ["", "a", "a,b", "a,,b", ",", r"a\,b,c", r"\\,\\\,", "é, x ,"] {
            let items = split_list(text).unwrap();
            assert_eq!(join_list(items.clone().into_iter()), text);
        }
        assert_eq!(split_list(r"a\,b,c\x").unwrap(), ["a,b", "cx"]);
        assert_eq!(split_list(",").unwrap(), ["", ""]);
        assert!(split_list(r"a\").is_err());
    }

    #[test]
    fn an_array_literal_quotes_each_element() {
        let of = |items: &[&str]| array_literal(items.iter().map(|item| (*item).to_owned()));
        assert_eq!(of(&[]), "{}");
        assert_eq!(of(&["1", "null", ""]), r#"{"1","null",""}"#);
        assert_eq!(of(&[r#"a"b\c,{}"#]), r#"{"a\"b\\c,{}"}"#);
    }
}
