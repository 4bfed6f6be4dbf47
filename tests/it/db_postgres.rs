//! Running queries on a real PostgreSQL: parameters, columns, refusals, install, TLS.

use unslow::error::RequestError;
use unslow::query::Arguments;
use unslow::settings::{DatabaseTarget, Secret, SslMode};

use crate::db_support::{LIMITS, json, on_postgres, open, postgres, query, run, run_with};
use crate::servers::{self, Postgres, until};

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_every_type_arrive_as_that_type() {
    let (database, _) = postgres();
    let cases = [
        ("text", "O'Reilly \\ \"x\" é; drop table t --", "text"),
        ("integer", "-2147483648", "integer"),
        ("bigint", "9223372036854775807", "bigint"),
        ("number", "-12345678901234567890.00012", "numeric"),
        ("number", "0", "numeric"),
        ("number", "100000", "numeric"),
        ("number", "0.00001", "numeric"),
        ("boolean", "true", "boolean"),
        ("date", "2024-02-29", "date"),
        ("date", "1970-01-01", "date"),
        (
            "timestamp",
            "2026-01-02T03:04:05.678901Z",
            "timestamp with time zone",
        ),
        (
            "timestamp",
            "1969-12-31T23:59:59Z",
            "timestamp with time zone",
        ),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid"),
    ];
    for (kind, value, name) in cases {
        let text = format!("-- param: p {kind}\nselect pg_typeof(:p)::text as type, :p as value");
        let rows = run_with(&database, &text, &[("p", value)], LIMITS)
            .await
            .unwrap();
        let row: serde_json::Value = serde_json::from_slice(&rows.json).unwrap();
        assert_eq!(row["type"], name);
        let same = match kind {
            "text" | "date" | "uuid" => row["value"] == value,
            "timestamp" => row["value"] == value.replace('Z', "+00:00"),
            _ => json(&rows).ends_with(&format!("\"value\":{value}}}")),
        };
        assert!(same, "{kind} {value}: {}", json(&rows));
        let text = format!("-- param: p {kind} = null\nselect :p is null as none");
        let rows = run_with(&database, &text, &[], LIMITS).await.unwrap();
        assert_eq!(json(&rows), r#"{"none":true}"#, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_known_without_running_the_query_and_two_of_one_name_are_refused() {
    let (database, _) = postgres();
    let slow = query(
        database.kind(),
        "select pg_sleep(3600)::text as z, 1 as a -- remark",
    );
    let none = Arguments(Vec::new());
    assert_eq!(
        database.column_names(&slow, &none).await.unwrap(),
        ["z", "a"]
    );
    let twice = query(database.kind(), "select 1 as a, 2 as a");
    let asked = database.column_names(&twice, &none).await.map(drop);
    let ran = database.run(&twice, &none, LIMITS).await.map(drop);
    for end in [asked, ran] {
        let refusal = end.unwrap_err();
        assert!(
            matches!(refusal, RequestError::BadQuery { .. }),
            "{refusal:?}"
        );
        assert!(refusal.public_message(false).contains("alias"), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_added_column_shows_under_select_star_without_an_error() {
    let (database, name) = postgres();
    let server = servers::postgres();
    server.psql(
        &name,
        "create table t (a int); insert into t values (1); grant all on t to master",
    );
    let star = query(database.kind(), "select * from t");
    let none = Arguments(Vec::new());
    assert_eq!(
        database.run(&star, &none, LIMITS).await.unwrap().columns,
        ["a"]
    );
    server.psql(&name, "alter table t add b text");
    let rows = database.run(&star, &none, LIMITS).await.unwrap();
    assert_eq!(
        (rows.columns.as_slice(), json(&rows)),
        (&["a", "b"].map(String::from)[..], r#"{"a":1,"b":null}"#)
    );
    server.psql(&name, "delete from t; alter table t add c text");
    assert_eq!(
        database.run(&star, &none, LIMITS).await.unwrap().columns,
        ["a", "b", "c"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_writes_is_refused_and_changes_nothing() {
    let (database, name) = postgres();
    let server = servers::postgres();
    server.psql(
        &name,
        "create table t (a int); grant all on t to master; \
         create function f() returns int language sql as 'insert into t values (2) returning a'; \
         create sequence s; grant all on sequence s to master",
    );
    let writers = [
        (
            "with x as (insert into t values (1) returning a) select * from x",
            "0A000",
        ),
        ("select f()", "25006"),
        ("select nextval('s')", "25006"),
        ("select * from t for update", "25006"),
    ];
    for (sql, code) in writers {
        let refusal = run(&database, sql).await.unwrap_err();
        let RequestError::Refused { sqlstate, .. } = &refusal else {
            panic!("{sql}: {refusal:?}")
        };
        assert_eq!(sqlstate, code, "{sql}");
        assert!(
            !refusal.public_message(false).contains("insert"),
            "{refusal}"
        );
    }
    assert_eq!(server.psql(&name, "select count(*) from t"), "0");
    assert_eq!(
        json(&run(&database, "select 1 as a").await.unwrap()),
        r#"{"a":1}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_statement_has_its_code_and_the_connection_stays_of_use() {
    let (database, _) = postgres();
    for (sql, code) in [
        ("select 1 / 0 as a", "22012"),
        ("select nothing from nowhere", "42P01"),
        (
            "select 1 / (i - 500) as a from generate_series(1, 999) i",
            "22012",
        ),
    ] {
        let error = run(&database, sql).await.unwrap_err();
        let RequestError::Failed { sqlstate, .. } = &error else {
            panic!("{sql}: {error:?}")
        };
        assert_eq!(sqlstate, code);
        until("it is kept", || database.pool_state().idle == 1).await;
    }
    assert_eq!(database.health().up, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn install_creates_slow_version_and_can_be_repeated() {
    let (database, name) = postgres();
    let server = servers::postgres();
    database.install().await.unwrap();
    database.install().await.unwrap();
    let asked = "select pg_get_function_result('slow_version'::regproc)";
    assert_eq!(server.psql(&name, asked), "text");
    let body = server.psql(
        &name,
        "select prosrc from pg_proc where proname = 'slow_version'",
    );
    assert!(body.contains("pg_sleep(5)"), "{body}");
    // The original's own had another type.
    server.psql(
        &name,
        "drop function slow_version(); create function slow_version() returns table (v text) \
         language sql as 'select version()'; alter function slow_version() owner to master",
    );
    database.install().await.unwrap();
    assert_eq!(server.psql(&name, asked), "text");
}

#[tokio::test(flavor = "multi_thread")]
async fn install_without_the_right_says_what_to_grant() {
    let (database, name) = postgres();
    let server = servers::postgres();
    server.psql(
        &name,
        "alter schema public owner to postgres; revoke create on schema public from public",
    );
    let error = database.install().await.unwrap_err();
    assert!(
        error.to_string().contains("grant create on schema"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_checked_as_far_as_sslmode_asks() {
    let server = Postgres::start_tls();
    let target = |mode, host: &str, ca| {
        let mut target = on_postgres(server.port(), "postgres");
        target.sslmode = mode;
        target.host = host.to_owned();
        target.sslrootcert = ca;
        DatabaseTarget::Postgres(target)
    };
    let asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    let encrypted = async |target| {
        run(&open(target), asked)
            .await
            .map(|rows| json(&rows).to_owned())
    };
    let (yes, no) = (r#"{"ssl":true}"#, r#"{"ssl":false}"#);
    let ca = || Some(server.ca());
    let good = [
        (SslMode::Disable, "localhost", None, no),
        (SslMode::Prefer, "localhost", None, yes),
        (SslMode::Require, "127.0.0.1", None, yes),
        (SslMode::VerifyCa, "127.0.0.1", ca(), yes),
        (SslMode::VerifyFull, "localhost", ca(), yes),
    ];
    for (mode, host, ca, expected) in good {
        assert_eq!(
            encrypted(target(mode, host, ca)).await.unwrap(),
            expected,
            "{mode:?}"
        );
    }
    // The name is not the certificate's; the authority is not known.
    let bad = [
        (SslMode::VerifyFull, "127.0.0.1", ca()),
        (SslMode::VerifyCa, "localhost", None),
    ];
    for (mode, host, ca) in bad {
        let end = encrypted(target(mode, host, ca)).await;
        assert!(
            matches!(end, Err(RequestError::Unavailable { .. })),
            "{mode:?}: {end:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_of_being_unavailable_is_said_and_the_password_is_not() {
    let server = servers::postgres();
    let mut wrong_password = on_postgres(server.port(), "postgres");
    wrong_password.password = Some(Secret::new("canary-password".to_owned()));
    let no_database = on_postgres(server.port(), "nowhere");
    let mut no_host = on_postgres(server.port(), "postgres");
    no_host.host = "no-such-host.invalid".to_owned();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let cases = [
        (wrong_password, "password authentication failed"),
        (no_database, "\"nowhere\" does not exist"),
        (no_host, "lookup"),
        (on_postgres(closed, "postgres"), "refused"),
    ];
    for (target, cause) in cases {
        let database = open(DatabaseTarget::Postgres(target));
        let error = run(&database, "select 1 as a").await.unwrap_err();
        assert!(
            matches!(error, RequestError::Unavailable { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(cause), "{error}");
        let shown = format!("{error:?} {database:?} {:?}", database.health());
        assert!(!shown.contains("canary-password"), "{shown}");
        assert_eq!(database.health().up, Some(false));
    }
}
