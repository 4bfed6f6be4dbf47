//! The names of parameter types as a query file writes them: those that this program knows, their
//! other spellings, and any type of PostgreSQL. A name is pasted into the SQL, so it owns that
//! nothing but a name gets there.

use std::sync::Arc;

use super::value::ParamType;

/// Other names of the types that this program knows.
const ALIASES: [(&str, ParamType); 10] = [
    ("int", ParamType::Integer),
    ("int4", ParamType::Integer),
    ("int8", ParamType::Bigint),
    ("bool", ParamType::Boolean),
    ("numeric", ParamType::Number),
    ("decimal", ParamType::Number),
    ("timestamptz", ParamType::Timestamp),
    ("timestamp with time zone", ParamType::Timestamp),
    ("character varying", ParamType::Text),
    ("varchar", ParamType::Text),
];

/// Names of several words; `(` and `)` around a number may stand behind the first of a time.
const PHRASES: [&str; 9] = [
    "double precision",
    "character varying",
    "bit varying",
    "timestamp with time zone",
    "timestamp without time zone",
    "time with time zone",
    "time without time zone",
    "interval year to month",
    "interval day to second",
];

/// Longest name, several words and modifiers included.
const LONGEST: usize = 200;

/// The reason why a text is no name of a type.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoType {
    /// It can be none.
    Malformed,
    /// It is nearly this one.
    Mistyped(&'static str),
}

/// Returns the type that a text names: `integer`, `citext`, `numeric(12,2)`, `sales.mood`,
/// `"Mood"`, or a list of one, `integer[]`.
pub(super) fn parse(text: &str) -> Result<ParamType, NoType> {
    let text = text.trim();
    if let Some(element) = text.strip_suffix("[]") {
        return match scalar_type(element.trim_end())? {
            ParamType::List(_) => Err(NoType::Malformed),
            element => Ok(ParamType::List(Arc::new(element))),
        };
    }
    scalar_type(text)
}

fn scalar_type(text: &str) -> Result<ParamType, NoType> {
    let lower = text.to_ascii_lowercase();
    if let Some(known) = ParamType::ALL.iter().find(|known| known.name() == lower) {
        return Ok(known.clone());
    }
    if let Some((_, known)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Ok(known.clone());
    }
    if !is_type_name(text) {
        return Err(NoType::Malformed);
    }
    let is_plain = text.bytes().all(|b| b.is_ascii_lowercase());
    let mut known = ParamType::ALL.iter().filter_map(ParamType::known_name);
    // No type of PostgreSQL itself is that near to one of these.
    let near = known.find(|known| strsim::damerau_levenshtein(known, text) == 1);
    if let Some(near) = near.filter(|_| is_plain) {
        return Err(NoType::Mistyped(near));
    }
    Ok(ParamType::Named(text.into()))
}

/// Returns whether a text is the name of a type and nothing else: words of a known phrase, or one
/// name, maybe with its schema, then at most one pair of parentheses with numbers.
fn is_type_name(text: &str) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let Some((name, modifiers)) = split_modifiers(text) else {
        return false;
    };
    let words: Vec<&str> = name.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() > 1 && !name.contains('"') {
        return modifiers && PHRASES.contains(&words.join(" ").to_lowercase().as_str());
    }
    modifiers && is_qualified(name.trim())
}

/// Returns the name without its modifiers, and whether they are numbers.
fn split_modifiers(text: &str) -> Option<(String, bool)> {
    // A quoted name may hold anything but a quote, which `is_qualified` sees to.
    let behind_quotes = text.rfind('"').map_or(0, |at| at + 1);
    let Some(open) = text[behind_quotes..].find('(').map(|at| at + behind_quotes) else {
        return Some((text.to_owned(), true));
    };
    let close = text[open..].find(')')? + open;
    let is_number = |part: &str| {
        let part = part.trim();
        let digits = part.strip_prefix('-').unwrap_or(part);
        (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let numbers = text[open + 1..close].split(',');
    let fits = numbers.clone().count() <= 2 && numbers.clone().all(is_number);
    Some((format!("{}{}", &text[..open], &text[close + 1..]), fits))
}

/// Returns whether this is a name, or two with a dot between.
fn is_qualified(text: &str) -> bool {
    let Some(rest) = after_identifier(text) else {
        return false;
    };
    rest.is_empty() || rest.strip_prefix('.').and_then(after_identifier) == Some("")
}

fn after_identifier(text: &str) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('"') {
        let (name, rest) = inner.split_once('"')?;
        let fits = !name.is_empty() && !name.contains(char::is_control);
        return fits.then_some(rest);
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        .then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_type_of_the_database_can_be_named() {
        for name in [
            "citext",
            "mood",
            "inet",
            "char(5)",
            "numeric(12,2)",
            "numeric (12, -2)",
            "public.mood",
            "\"Mood\"",
            "\"my schema\".\"Mood (of x)\"",
            "double precision",
            "timestamp without time zone",
            "timestamp(3) without time zone",
            "character varying(20)",
            "int2",
            "real",
            "_own",
            "public.numbers",
        ] {
            assert_eq!(parse(name), Ok(ParamType::Named(name.into())), "{name}");
            let list = format!("{name}[]");
            let element = Arc::new(ParamType::Named(name.into()));
            assert_eq!(parse(&list), Ok(ParamType::List(element)), "{list}");
        }
        assert_eq!(parse("int"), Ok(ParamType::Integer));
        assert_eq!(
            parse("int8[]"),
            Ok(ParamType::List(Arc::new(ParamType::Bigint)))
        );
    }

    #[test]
    fn nothing_but_a_name_is_taken() {
        for text in [
            "",
            "[]",
            "text)) or true --",
            "text; drop table x",
            "text /* */",
            "mood, text",
            "a.b.c",
            "a..b",
            ".a",
            "a b",
            "char(5",
            "char(x)",
            "char(1)(2)",
            "char(1,2,3)",
            "char(99999)",
            "integer[][]",
            "integer[3]",
            "setof(1) x",
            "\"a\"\"b\"",
            "\"a",
            "\"\"",
            "t'",
            "$1",
            "\u{e9}t\u{e9}",
            "double  x",
            "precision double",
        ] {
            assert_eq!(parse(text), Err(NoType::Malformed), "{text}");
        }
        assert_eq!(parse("integr"), Err(NoType::Mistyped("integer")));
        assert_eq!(parse("txt[]"), Err(NoType::Mistyped("text")));
    }
}
