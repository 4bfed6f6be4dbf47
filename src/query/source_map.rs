//! The way back from the SQL that a database is sent to the query file: a placeholder stands for
//! the name of a parameter, which is longer or shorter, and the header is missing.

use crate::error::FilePosition;

/// The places of a query file from which the parts of a statement come. Two statements are the same
/// wherever they stand, so it takes no part in comparisons.
#[derive(Debug, Clone, Default)]
pub struct SourceMap(Vec<SourcePart>);

#[derive(Debug, Clone)]
struct SourcePart {
    /// The byte of the statement where the part begins.
    start: usize,
    place: FilePosition,
    /// Its characters are those of the file; else it is a placeholder.
    is_copied: bool,
}

impl PartialEq for SourceMap {
    fn eq(&self, _: &SourceMap) -> bool {
        true
    }
}

impl Eq for SourceMap {}

impl SourceMap {
    /// Adds the part that begins at the byte `start` of the statement, behind all that are there.
    pub(super) fn push(&mut self, start: usize, place: FilePosition, is_copied: bool) {
        self.0.push(SourcePart {
            start,
            place,
            is_copied,
        });
    }

    /// Returns the position in the file of a byte of the statement `sql`. A byte behind its end
    /// counts as its end, where the database misses something.
    pub fn file_position(&self, sql: &str, byte: usize) -> Option<FilePosition> {
        let byte = byte.min(sql.len());
        let part = self.0.iter().rfind(|part| part.start <= byte)?;
        if !part.is_copied {
            return Some(part.place);
        }
        Some(part.place.position_after(sql.get(part.start..byte)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::query::{DatabaseKind, Query};

    /// Returns where in the file the first of each text of its statement stands.
    fn positions(kind: DatabaseKind, file: &str, wanted: &[&str]) -> Vec<String> {
        let query = Query::parse(kind, "q", file).unwrap();
        let statement = query.statement_for(kind);
        let of = |text: &&str| {
            let byte = statement.sql.find(*text).unwrap();
            let position = statement.source.file_position(&statement.sql, byte);
            position.unwrap().to_string()
        };
        wanted.iter().map(of).collect()
    }

    #[test]
    fn a_byte_of_the_statement_leads_to_its_line_and_column_in_the_file() {
        let file = "/* licence\n * of the file */\n-- title: Größe\n-- param: day date\n\
            -- param: name text\n\n/* über */ select 'ä€😀', nam,\r\n  \
            :day as d, :name || :name as twice, other\nfrom t";
        for kind in [DatabaseKind::Postgres, DatabaseKind::Sqlite] {
            let wanted = ["select", "nam,", "as d,", "as twice", "other", "from t"];
            assert_eq!(
                positions(kind, file, &wanted),
                ["7:12", "7:26", "8:8", "8:29", "8:39", "9:1"],
                "{kind:?}"
            );
        }
        assert_eq!(
            positions(DatabaseKind::Postgres, file, &["as text", "$2"]),
            ["8:3", "8:14"],
            "what a placeholder is made of is at the parameter"
        );
    }

    #[test]
    fn what_is_missing_at_the_end_is_at_the_end() {
        let query = Query::parse(DatabaseKind::Postgres, "q", "select 1\nfrom  ;\n").unwrap();
        let statement = query.statement_for(DatabaseKind::Postgres);
        for beyond in [13, 14, 4000] {
            let position = statement
                .source
                .file_position(&statement.sql, beyond)
                .unwrap();
            assert_eq!(position.to_string(), "2:5");
        }
    }

    #[test]
    fn the_place_of_a_statement_does_not_make_it_another() {
        let one = Query::parse(DatabaseKind::Postgres, "q", "select 1").unwrap();
        let moved = Query::parse(DatabaseKind::Postgres, "q", "-- x\n\n select 1").unwrap();
        assert!(one.asks_the_same(&moved));
    }
}
