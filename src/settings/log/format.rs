//! `[log] access_format`: a word, or a line with gunicorn's identifiers, which is taken apart here
//! once. What an identifier prints for a request is for `logging`.

use super::super::raw_value::{RawValue, ReadResult, ValueError};

/// The form of the lines of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessFormat {
    /// Apache's combined format, with duration, request id and outcome at the end.
    Combined,
    /// One JSON object a line.
    Json,
    /// These parts, one after the other.
    Parts(Vec<FormatPart>),
}

/// A part of a line of the access log, with gunicorn's name for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatPart {
    /// The text between identifiers; `%(l)s` is a `-`.
    Text(String),
    /// `h`: who asked.
    Client,
    /// `u`: the user of `Authorization: Basic`.
    User,
    /// `t`: the time in brackets, as in the combined format.
    Time,
    /// `r`: method, target and protocol.
    RequestLine,
    /// `m`
    Method,
    /// `U`: the path without the query string.
    Path,
    /// `q`: whether there was a query string.
    Query,
    /// The path with the mark of a query string.
    Target,
    /// `H`
    Protocol,
    /// `s`
    Status,
    /// `B`: bytes of the body.
    Bytes,
    /// `b`: the same, `-` for none.
    BytesOrDash,
    /// `f`
    Referer,
    /// `a`
    UserAgent,
    /// `T`: how long it took, in whole seconds.
    Seconds,
    /// `M`: in milliseconds.
    Milliseconds,
    /// `D`: in microseconds.
    Microseconds,
    /// `L`: in seconds with six decimals.
    DecimalSeconds,
    /// `p`: the process id in angle brackets.
    Process,
    /// `{NAME}i`, in lower case.
    RequestHeader(String),
    /// `{NAME}o`, in lower case.
    ResponseHeader(String),
}

const FORMS: &str = "write combined, json, or a line with gunicorn's identifiers, such as \
                     %(h)s %(t)s \"%(r)s\" %(s)s %(b)s %(L)s";

fn all_identifiers() -> [(&'static str, FormatPart); 19] {
    [
        ("h", FormatPart::Client),
        ("l", FormatPart::Text("-".to_owned())),
        ("u", FormatPart::User),
        ("t", FormatPart::Time),
        ("r", FormatPart::RequestLine),
        ("m", FormatPart::Method),
        ("U", FormatPart::Path),
        ("q", FormatPart::Query),
        ("H", FormatPart::Protocol),
        ("s", FormatPart::Status),
        ("B", FormatPart::Bytes),
        ("b", FormatPart::BytesOrDash),
        ("f", FormatPart::Referer),
        ("a", FormatPart::UserAgent),
        ("T", FormatPart::Seconds),
        ("D", FormatPart::Microseconds),
        ("M", FormatPart::Milliseconds),
        ("L", FormatPart::DecimalSeconds),
        ("p", FormatPart::Process),
    ]
}

/// Returns what a WSGI server calls the parts of a request, besides `HTTP_NAME` for a header.
fn all_variables() -> [(&'static str, FormatPart); 9] {
    [
        ("REMOTE_ADDR", FormatPart::Client),
        ("REMOTE_USER", FormatPart::User),
        ("REQUEST_METHOD", FormatPart::Method),
        ("PATH_INFO", FormatPart::Path),
        ("QUERY_STRING", FormatPart::Query),
        ("RAW_URI", FormatPart::Target),
        ("REQUEST_URI", FormatPart::Target),
        ("SERVER_PROTOCOL", FormatPart::Protocol),
        ("SCRIPT_NAME", FormatPart::Text(String::new())),
    ]
}

/// Returns the part of this name.
fn find(
    known: impl IntoIterator<Item = (&'static str, FormatPart)>,
    name: &str,
) -> Option<FormatPart> {
    let found = known.into_iter().find(|(known, _)| *known == name);
    found.map(|(_, part)| part)
}

/// Returns a word, or a line that holds a `%(`.
pub(in super::super) fn access_format(given: RawValue<'_>) -> ReadResult<AccessFormat> {
    match given.text {
        text if text.contains("%(") => read_parts(text).map(AccessFormat::Parts),
        text if text.eq_ignore_ascii_case("combined") => Ok(AccessFormat::Combined),
        text if text.eq_ignore_ascii_case("json") => Ok(AccessFormat::Json),
        _ => Err(ValueError::new("is no format that is known here", FORMS)),
    }
}

fn read_parts(text: &str) -> ReadResult<Vec<FormatPart>> {
    if text.contains(char::is_control) {
        return Err(ValueError::new("holds a control character", FORMS));
    }
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        if let Some(more) = after.strip_prefix('%') {
            literal.push('%');
            rest = more;
            continue;
        }
        let (name, more) = after
            .strip_prefix('(')
            .and_then(|named| named.split_once(")s"))
            .filter(|(name, _)| !name.contains([')', '%']))
            .ok_or_else(|| {
                let why = "has a % that begins no identifier";
                ValueError::new(
                    why,
                    "write %(NAME)s for an identifier, %% for a percent sign",
                )
            })?;
        match find_identifier(name).ok_or_else(|| unknown_identifier(name))? {
            FormatPart::Text(text) => literal.push_str(&text),
            part => {
                if !literal.is_empty() {
                    parts.push(FormatPart::Text(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
        }
        rest = more;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(FormatPart::Text(literal));
    }
    Ok(parts)
}

fn find_identifier(name: &str) -> Option<FormatPart> {
    let Some((inner, kind)) = name.strip_prefix('{').and_then(|it| it.split_once('}')) else {
        return find(all_identifiers(), name);
    };
    match kind {
        "i" => header_name(inner).map(FormatPart::RequestHeader),
        "o" => header_name(inner).map(FormatPart::ResponseHeader),
        "e" => find_variable(&inner.to_ascii_uppercase()),
        _ => None,
    }
}

fn find_variable(name: &str) -> Option<FormatPart> {
    let from_header = || {
        let name = match name {
            "CONTENT_TYPE" | "CONTENT_LENGTH" => name,
            _ => name.strip_prefix("HTTP_")?,
        };
        header_name(&name.replace('_', "-")).map(FormatPart::RequestHeader)
    };
    find(all_variables(), name).or_else(from_header)
}

/// Returns a header's name in lower case, where it can be one.
fn header_name(name: &str) -> Option<String> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte);
    (!name.is_empty() && name.bytes().all(token)).then(|| name.to_ascii_lowercase())
}

fn unknown_identifier(name: &str) -> ValueError {
    let known = all_identifiers().map(|(name, _)| name);
    let variables = all_variables().map(|(name, _)| name);
    ValueError::new(
        format!("has the identifier %({name})s, which is not known"),
        format!(
            "the known ones are {} {{HEADER}}i {{HEADER}}o, and {{VARIABLE}}e for HTTP_HEADER, \
             CONTENT_TYPE, CONTENT_LENGTH, {}",
            known.join(" "),
            variables.join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    fn text(text: &str) -> FormatPart {
        FormatPart::Text(text.to_owned())
    }

    #[test]
    fn a_line_of_identifiers_is_taken_apart() {
        assert_eq!(
            read_parts("%(h)s %(l)s 100%% \"%(r)s\"%(s)s").unwrap(),
            [
                FormatPart::Client,
                text(" - 100% \""),
                FormatPart::RequestLine,
                text("\""),
                FormatPart::Status,
            ]
        );
        let agent = || FormatPart::RequestHeader("user-agent".to_owned());
        for (line, part) in [
            ("%({User-Agent}i)s", agent()),
            ("%({HTTP_USER_AGENT}e)s", agent()),
            ("%({http_user_agent}e)s", agent()),
            ("%({raw_uri}e)s", FormatPart::Target),
            (
                "%({X-Request-Id}o)s",
                FormatPart::ResponseHeader("x-request-id".to_owned()),
            ),
            (
                "%({CONTENT_LENGTH}e)s",
                FormatPart::RequestHeader("content-length".to_owned()),
            ),
        ] {
            assert_eq!(read_parts(line).unwrap(), [part], "{line}");
        }
    }

    #[test]
    fn every_identifier_of_gunicorn_is_known() {
        for name in [
            "h", "l", "u", "t", "r", "m", "U", "q", "H", "s", "B", "b", "f", "a", "T", "D", "M",
            "L", "p",
        ] {
            assert!(find_identifier(name).is_some(), "{name}");
        }
        assert_eq!(read_parts("%(l)s").unwrap(), [text("-")]);
        assert_eq!(read_parts("a%({SCRIPT_NAME}e)sb").unwrap(), [text("ab")]);
    }

    #[test]
    fn what_is_not_known_is_refused_with_what_is() {
        for name in [
            "z",
            "hh",
            "",
            "{}i",
            "{a b}i",
            "{x}z",
            "{DATABASE_URL}e",
            "{HTTP_}e",
        ] {
            let fault = read_parts(&format!("%(h)s %({name})s")).unwrap_err();
            let shown = format!("%({name})s");
            assert!(fault.why.contains(&shown), "{name}: {fault:?}");
            assert!(
                fault.remedy.contains(" h l u t r m U ") && fault.remedy.contains("{HEADER}i"),
                "{fault:?}"
            );
        }
        for line in ["%(h)s %", "%(h)d", "%(h", "%(h)10s", "%h %(s)s", "%(a%(b)s"] {
            let fault = read_parts(line).unwrap_err();
            assert!(fault.remedy.contains("%%"), "{line}: {fault:?}");
        }
        assert!(read_parts("%(h)s\n%(s)s").is_err());
        for word in ["common", "", "h", "%h"] {
            let fault = access_format(given(word)).unwrap_err();
            assert!(fault.remedy.contains("combined, json"), "{fault:?}");
        }
    }
}
