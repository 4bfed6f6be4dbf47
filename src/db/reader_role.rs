//! `unslow install --role`: a role of PostgreSQL that only reads. Its rights stand in
//! `sql/postgres/reader.sql`.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::postgres_connect::PostgresConnector;
use super::postgres_fault::of_statement;
use crate::error::RequestError;

const READER: &str = include_str!("../../sql/postgres/reader.sql");

/// Counts the tables that the role cannot read, those of extensions and of PostgreSQL left out.
const UNREADABLE: &str = "select pg_catalog.count(*) \
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' \
    and n.nspname <> 'information_schema' and not (\
        pg_catalog.has_table_privilege($1::name, c.oid, 'select') \
        and pg_catalog.has_schema_privilege($1::name, n.oid, 'usage'))";

/// Runs the script on a connection of its own, which may write.
pub(super) async fn create_reader(
    connector: &PostgresConnector,
    connection: &mut sqlx::PgConnection,
    role: &str,
    limit: Duration,
) -> Result<i64, RequestError> {
    let started = Instant::now();
    let work = async {
        sqlx::query("select pg_catalog.set_config('unslow.new_role', $1, false)")
            .bind(role)
            .execute(&mut *connection)
            .await?;
        sqlx::raw_sql(READER).execute(&mut *connection).await?;
        sqlx::query_scalar(UNREADABLE)
            .bind(role)
            .fetch_one(&mut *connection)
            .await
    };
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| {
            of_statement(connector.place(), &error, READER, started.elapsed(), limit)
        }),
        Err(_) => Err(RequestError::Timeout { limit }),
    }
}
