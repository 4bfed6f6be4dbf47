//! Texts as literals of SQL.

/// Writes a text as a literal of SQL.
pub(super) fn quote_literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
