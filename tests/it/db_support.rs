//! The common part of the tests of the database: settings, queries from text, and running them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use unslow::db::{Database, Limits, Rows};
use unslow::error::RequestError;
use unslow::query::{Catalog, DatabaseKind, Query};
use unslow::settings::{self, DatabaseTarget, Secret, Settings, SslMode};

use crate::servers;

/// Bounds that no test meets by accident.
pub(crate) const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(30),
    max_rows: 1000,
    max_bytes: 64 << 20,
};

/// Returns the settings of the user `master` on 127.0.0.1, without TLS.
pub(crate) fn on_postgres(port: u16, database: &str) -> settings::PostgresSettings {
    settings::PostgresSettings {
        host: "127.0.0.1".to_owned(),
        port,
        database: database.to_owned(),
        user: "master".to_owned(),
        password: Some(Secret::new("secret".to_owned())),
        sslmode: SslMode::Disable,
        sslrootcert: None,
        application_name: "unslow".to_owned(),
        connect_timeout: None,
        search_path: None,
        options: Vec::new(),
    }
}

/// A new database on the shared server, and its name.
pub(crate) fn postgres() -> (Database, String) {
    let name = servers::postgres().database();
    (
        open(DatabaseTarget::Postgres(on_postgres(
            servers::postgres().port(),
            &name,
        ))),
        name,
    )
}

pub(crate) fn open(target: DatabaseTarget) -> Database {
    open_with(target, |_| {})
}

pub(crate) fn open_with(target: DatabaseTarget, change: impl FnOnce(&mut Settings)) -> Database {
    let mut settings = Settings::from_flags(&["--demo-delay", "300ms"]).unwrap();
    settings.database = target;
    change(&mut settings);
    Database::open(&settings).unwrap()
}

/// A query from the text of its file.
pub(crate) fn query(kind: DatabaseKind, text: &str) -> Arc<Query> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("q.sql"), text).unwrap();
    from_folder(kind, folder.path())
}

fn from_folder(kind: DatabaseKind, folder: &Path) -> Arc<Query> {
    let catalog = Catalog::load(kind, Some(folder)).unwrap_or_else(|error| panic!("{error}"));
    Arc::clone(catalog.get("q").unwrap())
}

/// Runs a query file with parameters, as the program would.
pub(crate) async fn run_with(
    database: &Database,
    text: &str,
    parameters: &[(&str, &str)],
    limits: Limits,
) -> Result<Rows, RequestError> {
    let query = query(database.kind(), text);
    let pairs: Vec<_> = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let arguments = query.read_arguments(&pairs)?;
    database.run(&query, &arguments, limits).await
}

/// Runs a query without parameters.
pub(crate) async fn run(database: &Database, text: &str) -> Result<Rows, RequestError> {
    run_with(database, text, &[], LIMITS).await
}

/// Waits until a load is answered. On a starved machine the first connection may take longer than
/// a load waits for one.
pub(crate) async fn ready(database: &Database) {
    let give_up = Instant::now() + Duration::from_mins(1);
    while let Err(error) = run(database, "select 1 as a").await {
        assert!(Instant::now() < give_up, "{error}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The rows as text.
pub(crate) fn json(rows: &Rows) -> &str {
    std::str::from_utf8(&rows.json).unwrap()
}

/// Opens a SQLite file to write, made if it is not there.
pub(crate) async fn writer(path: &Path) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap()
}
