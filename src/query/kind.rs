//! The kinds of databases that a query may be written for.

/// The kind of database that a query is offered on, and whose SQL placeholders are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// A PostgreSQL server.
    Postgres,
    /// SQLite, in the binary or a file.
    Sqlite,
}

impl DatabaseKind {
    /// Returns its word in a `database` header line.
    pub fn name(self) -> &'static str {
        match self {
            DatabaseKind::Postgres => "postgres",
            DatabaseKind::Sqlite => "sqlite",
        }
    }
}
