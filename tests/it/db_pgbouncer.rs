//! A PgBouncer in transaction mode: every body belongs to its query and its parameters.

use std::sync::Arc;

use unslow::query::Arguments;
use unslow::settings::DatabaseTarget;

use crate::db_support::{LIMITS, on_postgres, open_with, query};
use crate::servers::{self, PgBouncer};

const CLIENTS: usize = 32;
const ROUNDS: usize = 100;

/// Statements whose answers tell them apart.
const QUERIES: &[&str] = &[
    "-- param: n integer\nselect 'a' as q, :n as n",
    "-- param: n integer\nselect 'b' as q, :n as n, :n + 1 as m",
    "-- param: n integer\nselect 'c' as q, i + :n as n from generate_series(0, 2) i",
    "-- param: n integer\nselect 'd' as q, :n as n where :n < 0",
    "-- param: n integer\nselect 'e' as q, :n as n, 1 / (:n % 7) as one",
];

fn expected(which: usize, n: usize) -> Option<String> {
    Some(match which {
        0 => format!(r#"{{"q":"a","n":{n}}}"#),
        1 => format!(r#"{{"q":"b","n":{n},"m":{}}}"#, n + 1),
        2 => [0, 1, 2]
            .map(|i| format!(r#"{{"q":"c","n":{}}}"#, n + i))
            .join(","),
        3 => String::new(),
        // Division by zero: errors must not go to the wrong client either.
        _ if n.is_multiple_of(7) => return None,
        _ => format!(r#"{{"q":"e","n":{n},"one":{}}}"#, usize::from(n % 7 == 1)),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_clients_over_three_connections_get_their_own_rows() {
    let server = servers::postgres();
    let pgbouncer = PgBouncer::start(server, 3);
    let target = DatabaseTarget::Postgres(on_postgres(pgbouncer.port(), &server.database()));
    let database = Arc::new(open_with(target, |settings| {
        settings.limits.pool_size = u32::try_from(CLIENTS).unwrap();
    }));
    let queries: Arc<Vec<_>> = Arc::new(
        QUERIES
            .iter()
            .map(|text| query(database.kind(), text))
            .collect(),
    );
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (database, queries) = (Arc::clone(&database), Arc::clone(&queries));
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let n = client * ROUNDS + round;
                    let which = (client + round) % queries.len();
                    let query = &queries[which];
                    let pair = ("n".to_owned(), n.to_string());
                    let arguments: Arguments = query.read_arguments(&[pair]).unwrap();
                    let end = database.run(query, &arguments, LIMITS).await;
                    let body = end
                        .as_ref()
                        .ok()
                        .map(|rows| String::from_utf8(rows.json.clone()).unwrap());
                    assert_eq!(body, expected(which, n), "query {which}, n {n}: {end:?}");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}
