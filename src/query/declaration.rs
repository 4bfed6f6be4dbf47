//! The value of a `param` header line, `NAME TYPE [= DEFAULT] [: VALUES]`, as a [`Param`].
//! It reads one declaration; that names differ is checked where they come together.

use std::cmp::Ordering;

use super::fault::QueryFileError;
use super::params::{AllowedValues, Param, ParamDefault};
use super::type_name::{self, NoType};
use super::value::{ParamType, Value};
use crate::text::words::{did_you_mean, quote_value};

const FORM: &str = "write it as `-- param: NAME TYPE [= DEFAULT] [: VALUES]`, for example \
                    `-- param: top integer = 10 : 1..100`";
const QUOTES: &str = "put a text with quotes, colons, commas or outer spaces in single quotes, a \
                      quote within doubled: 'it''s'";

/// Longest name of a parameter.
const NAME_LENGTH: usize = 63;

/// Reads a declaration that stands on `line` of its file.
pub(super) fn parse(line: usize, text: &str) -> Result<Param, QueryFileError> {
    let fault = |what: String, remedy: &str| QueryFileError::new(line, what, remedy);
    let text = text.trim();
    let (name, rest) = split_word(text);
    if !is_name(name) {
        return Err(fault(
            format!("{} is not a name for a parameter", quote_value(name)),
            "a name is a lower-case letter or _, then up to 62 more of a-z, 0-9 and _",
        ));
    }
    let (written, rest) = rest.split_at(end_of_type(rest));
    if written.trim().is_empty() {
        return Err(fault(format!("parameter `{name}` has no type"), FORM));
    }
    let kind = type_name::parse(written).map_err(|why| no_type(line, name, written, &why))?;

    let declaration = ParamDeclaration {
        line,
        name,
        kind: &kind,
    };
    let (default, rest) = match rest.strip_prefix('=') {
        Some(rest) => declaration.default(rest.trim_start())?,
        None => (ParamDefault::Required, rest),
    };
    let allowed = match rest.strip_prefix(':') {
        // Each value of a list is one of these.
        Some(values) => ParamDeclaration {
            kind: kind.element_type(),
            ..declaration
        }
        .read_allowed(values.trim())?,
        None if rest.is_empty() => AllowedValues::Anything,
        None => {
            let what = format!(
                "parameter `{name}`: {} is not expected here",
                quote_value(rest)
            );
            return Err(fault(what, FORM));
        }
    };
    if let ParamDefault::Value(value) = &default
        && !allowed.is_allowed(value)
    {
        return Err(fault(
            format!("the default of parameter `{name}`, {value}, is not among its values"),
            "add it to the values, or change it (a default with a colon goes in single quotes); \
             `= null` makes a parameter optional",
        ));
    }
    Ok(Param {
        name: name.to_owned(),
        kind,
        default,
        allowed,
    })
}

/// Returns the byte where the name of a type ends: at an `=` or `:` outside of double quotes.
fn end_of_type(text: &str) -> usize {
    let mut is_quoted = false;
    let end = text.find(|c: char| {
        is_quoted ^= c == '"';
        !is_quoted && (c == '=' || c == ':')
    });
    end.unwrap_or(text.len())
}

fn no_type(line: usize, name: &str, written: &str, why: &NoType) -> QueryFileError {
    let written = written.trim();
    let (first, behind) = split_word(written);
    if *why == NoType::Malformed && !behind.is_empty() && type_name::parse(first).is_ok() {
        let what = format!(
            "parameter `{name}`: {} is not expected here",
            quote_value(behind)
        );
        return QueryFileError::new(line, what, FORM);
    }
    let near = match why {
        NoType::Mistyped(near) => Some(*near),
        NoType::Malformed => None,
    };
    let guess = did_you_mean(near);
    let known = ParamType::ALL.each_ref().map(ParamType::name).join(", ");
    QueryFileError::new(
        line,
        format!(
            "parameter `{name}` has the unknown type {}{guess}",
            quote_value(written)
        ),
        format!(
            "the types are {known}, and on PostgreSQL those of the database, such as citext, \
             numeric(12,2) or sales.mood (a name close to one of these with its schema); [] \
             behind a type makes a list of it"
        ),
    )
}

/// Returns whether this can be the name of a parameter.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_LENGTH
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The part of a declaration that is known while the rest is read.
struct ParamDeclaration<'a> {
    line: usize,
    name: &'a str,
    kind: &'a ParamType,
}

impl ParamDeclaration<'_> {
    fn declaration_fault(&self, what: &str, remedy: &str) -> QueryFileError {
        QueryFileError::new(
            self.line,
            format!("parameter `{}`: {what}", self.name),
            remedy,
        )
    }

    /// Returns the default at the front of `text`, and what follows it.
    fn default<'t>(&self, text: &'t str) -> Result<(ParamDefault, &'t str), QueryFileError> {
        if let Some(quoted) = text.strip_prefix('\'') {
            let (inner, rest) = self.read_quoted(quoted)?;
            return Ok((
                ParamDefault::Value(self.read_value(&inner)?),
                rest.trim_start(),
            ));
        }
        let values = colon_of_values(self.kind, text);
        let (default, rest) = text.split_at(values.unwrap_or(text.len()));
        let default = default.trim();
        if default == "null" {
            return Ok((ParamDefault::Value(Value::Null), rest.trim_start()));
        }
        if default.is_empty() {
            return Err(self.declaration_fault(
                "there is nothing after `=`",
                "write a default, `null` for an optional parameter, or '' for the empty text",
            ));
        }
        Ok((
            ParamDefault::Value(self.read_bare(default)?),
            rest.trim_start(),
        ))
    }

    /// Returns a comma list or a range.
    fn read_allowed(&self, text: &str) -> Result<AllowedValues, QueryFileError> {
        if text.is_empty() {
            return Err(self.declaration_fault("there is nothing after `:`", FORM));
        }
        if !text.contains('\'')
            && let Some((min, max)) = text.split_once("..")
        {
            return self.read_range(min.trim(), max.trim());
        }
        let mut values = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest {
            let (value, after) = self.read_item(text.trim_start())?;
            if values.contains(&value) {
                return Err(self.declaration_fault(
                    &format!("the value {value} is listed twice"),
                    "remove one of them; values count as equal in whatever way they are written",
                ));
            }
            values.push(value);
            rest = after;
        }
        Ok(AllowedValues::List(values))
    }

    /// Returns the first value of a list, and the list after it, if it goes on.
    fn read_item<'t>(&self, text: &'t str) -> Result<(Value, Option<&'t str>), QueryFileError> {
        if let Some(quoted) = text.strip_prefix('\'') {
            let (inner, rest) = self.read_quoted(quoted)?;
            let rest = rest.trim();
            let after = rest.strip_prefix(',');
            if after.is_none() && !rest.is_empty() {
                let what = format!("{} is not expected after a quoted value", quote_value(rest));
                return Err(self.declaration_fault(&what, "separate values by commas"));
            }
            return Ok((self.read_value(&inner)?, after));
        }
        let (item, after) = match text.split_once(',') {
            Some((item, after)) => (item.trim(), Some(after)),
            None => (text.trim(), None),
        };
        match item {
            "" => Err(self.declaration_fault(
                "there is an empty value in the list",
                "remove the needless comma, or write '' for the empty text",
            )),
            "null" => Err(self.declaration_fault(
                "`null` is not a value of a list",
                "write `= null` to make the parameter optional, or 'null' for that text",
            )),
            item => Ok((self.read_bare(item)?, after)),
        }
    }

    fn read_range(&self, min: &str, max: &str) -> Result<AllowedValues, QueryFileError> {
        if !self.kind.has_ranges() {
            return Err(self.declaration_fault(
                &format!("type {} has no ranges", self.kind.name()),
                "list the values, separated by commas; a text with two dots goes in single quotes",
            ));
        }
        if min.is_empty() || max.is_empty() {
            return Err(
                self.declaration_fault("a range needs both its ends", "write it as `1..100`")
            );
        }
        let (min, max) = (self.read_bare(min)?, self.read_bare(max)?);
        if min.compare_values(&max) == Some(Ordering::Greater) {
            return Err(self.declaration_fault(
                &format!("the range {min}..{max} is empty"),
                "put the smaller value first",
            ));
        }
        Ok(AllowedValues::Range(min, max))
    }

    /// Returns a value written without quotes.
    fn read_bare(&self, text: &str) -> Result<Value, QueryFileError> {
        if text.contains(['\'', '"']) {
            return Err(
                self.declaration_fault(&format!("{} holds a quote", quote_value(text)), QUOTES)
            );
        }
        self.read_value(text)
    }

    fn read_value(&self, text: &str) -> Result<Value, QueryFileError> {
        self.kind.read(text).map_err(|reason| {
            let remedy = format!("it takes {}", self.kind.describe_values());
            self.declaration_fault(&format!("{} {reason}", quote_value(text)), &remedy)
        })
    }

    /// Returns what stands before the closing quote, and what stands behind it.
    fn read_quoted<'t>(&self, text: &'t str) -> Result<(String, &'t str), QueryFileError> {
        let mut inner = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\'') {
            inner.push_str(before);
            match after.strip_prefix('\'') {
                Some(after) => {
                    inner.push('\'');
                    rest = after;
                }
                None => return Ok((inner, after)),
            }
        }
        Err(self.declaration_fault("a single quote is not closed", QUOTES))
    }
}

/// Finds the colon before VALUES in what stands behind `=`. The values of many types hold colons of
/// their own (`10:20`, `::1`, `http://…`), which touch what is before them.
fn colon_of_values(kind: &ParamType, text: &str) -> Option<usize> {
    let is_text = match kind.element_type() {
        ParamType::Text => true,
        ParamType::Timestamp | ParamType::Named(_) => false,
        _ => return text.find(':'),
    };
    let colons = text.match_indices(':').map(|(at, _)| at);
    colons.into_iter().find(|at| {
        let (before, after) = (&text[..*at], &text[at + 1..]);
        let is_followed = after.is_empty() || after.starts_with(char::is_whitespace);
        if before.is_empty() {
            return is_followed;
        }
        if before.ends_with(char::is_whitespace) {
            return is_followed || !after.starts_with(':');
        }
        // Without a space before it, it is one where a list that the default is in follows, or, at
        // least, something that can only be a list.
        let has_default = after.split(',').any(|value| value.trim() == before.trim());
        let is_list =
            (is_text && after.is_empty()) || after.contains([',', '\'']) || after.contains("..");
        match kind.element_type() {
            ParamType::Timestamp => false,
            _ if before.ends_with(':') => false,
            _ if is_followed => has_default || is_list,
            _ => is_text && has_default,
        }
    })
}

/// Returns the first word, which ends at a space, `=` or `:`, and the text behind it.
fn split_word(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| c.is_whitespace() || c == '=' || c == ':')
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests;
