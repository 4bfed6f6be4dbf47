//! Addresses of a PostgreSQL as its users write them, taken to a real one, and settings of its
//! sessions.

use std::time::Duration;

use unslow::db::Database;
use unslow::error::RequestError;
use unslow::settings::{DatabaseTarget, PostgresSettings};

use crate::db_support::{json, on_postgres, open, run};
use crate::end_to_end::one_off;
use crate::servers::postgres;

fn changed(database: &str, change: impl FnOnce(&mut PostgresSettings)) -> Database {
    let mut target = on_postgres(postgres().port(), database);
    change(&mut target);
    open(DatabaseTarget::Postgres(target))
}

#[test]
fn an_address_as_a_provider_writes_it_is_connected_to_and_what_does_nothing_is_said() {
    let (port, database) = (postgres().port(), postgres().database());
    let ini = format!(
        "[postgres]\nurl=postgres://master:secret@/{database}?host=127.0.0.1&port={port}\
         &channel_binding=require&application_name=shop&connect_timeout=10&keepalives=1\
         &options=-c%20search_path%3Dreports\n"
    );
    postgres().psql(
        &database,
        "create schema reports; create table reports.x(); \
        grant usage on schema reports to master; grant select on reports.x to master",
    );
    let online = one_off(&ini, &["check", "--online"]);
    let (out, err) = (
        String::from_utf8_lossy(&online.stdout),
        String::from_utf8_lossy(&online.stderr),
    );
    assert!(
        out.contains("PostgreSQL") && out.contains("as master"),
        "{out}{err}"
    );
    assert!(
        err.contains("note: ") && err.contains("channel_binding"),
        "{err}"
    );
    assert!(err.contains("keepalives has no effect"), "{err}");
    let asked = one_off(&ini, &["query", "version"]);
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(!said.contains("unavailable"), "{said}");
    let shown = one_off(&ini, &["print-config"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("postgres://master:***@/"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_a_session_decide_the_rows_and_have_names_of_their_own() {
    let name = postgres().database();
    postgres().psql(
        &name,
        "create schema a; create schema b; \
        create table a.t as select 'in a' as v; create table b.t as select 'in b' as v; \
        grant usage on schema a, b to master; grant select on a.t, b.t to master",
    );
    let query = "select v, current_setting('application_name') as app from t";
    let path = |path: &str| changed(&name, |target| target.search_path = Some(path.to_owned()));
    let option = changed(&name, |target| {
        target.options = vec![("search_path".to_owned(), "b, a".to_owned())];
        target.application_name = "shop".to_owned();
    });
    let (a, b) = (path("a"), path("b"));
    for _ in 0..2 {
        assert_eq!(
            json(&run(&a, query).await.unwrap()),
            r#"{"v":"in a","app":"unslow"}"#
        );
        assert_eq!(
            json(&run(&b, query).await.unwrap()),
            r#"{"v":"in b","app":"unslow"}"#
        );
        assert_eq!(
            json(&run(&option, query).await.unwrap()),
            r#"{"v":"in b","app":"shop"}"#
        );
    }
    let plain = changed(&name, |_| {});
    let names = [&a, &b, &option, &plain].map(Database::identity);
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "{names:?}");
    }
    let odd = path(r#""it's \ b", a"#);
    assert_eq!(
        json(&run(&odd, query).await.unwrap()),
        r#"{"v":"in a","app":"unslow"}"#
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_takes_no_longer_than_its_own_bound() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let database = changed("postgres", |target| {
        target.port = port;
        target.connect_timeout = Some(Duration::from_millis(50));
    });
    let error = run(&database, "select 1 as a").await.unwrap_err();
    let RequestError::Unavailable { detail } = &error else {
        panic!("{error:?}");
    };
    assert!(
        detail.contains("connect_timeout, which is 50ms"),
        "{detail}"
    );
    assert_eq!(database.health().class, Some("timeout"));
}
