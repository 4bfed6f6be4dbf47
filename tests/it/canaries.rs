//! The secrets of others: secrets, values and addresses are put in as signs of their own, and
//! looked for on every page that is not their own, in every error and in the log.

use unslow::app::App;
use unslow::settings::Settings;

use crate::end_to_end::start;
use crate::servers::redis::Options;
use crate::servers::{Redis, postgres};

/// Each names itself, so that a failure says what leaked.
const PASSWORD: &str = "canary0password";
const ADMIN: &str = "canary0admin0token";
const READER: &str = "canary0access0token";
const GUESS: &str = "canary0wrong0token";
const PARAMETER: &str = "canary0parameter";
const LITERAL: &str = "canary0literal";
const COLUMN: &str = "canary0column0value";
const HEADER: &str = "canary0header";
const COOKIE: &str = "canary0cookie";
/// An address of clients, as proxies name it.
const LISTED: &str = "198.51.100.77";
const STRANGER: &str = "203.0.113.77";

/// The sign that stands in everything that is looked for.
const CANARY: &str = "canary0";

/// The routes that show numbers and states. A route that is new is added here.
const SHOWN: [&str; 14] = [
    "/stats",
    "/stats.json",
    "/stats.csv",
    "/stats.txt",
    "/stats?window=1h",
    "/metrics",
    "/openapi.json",
    "/readyz",
    "/healthz",
    "/q/none",
    "/q/none.json",
    "/q/broken",
    "/q/broken.json",
    "/nowhere",
];

#[track_caller]
fn assert_clean(place: &str, text: &str) {
    for canary in [CANARY, LISTED, STRANGER] {
        if let Some(at) = text.find(canary) {
            let around: String = text[..at].chars().rev().take(80).collect();
            let before: String = around.chars().rev().collect();
            let after: String = text[at..].chars().take(60).collect();
            panic!("{place}: …{before}{after}…");
        }
    }
}

#[test]
fn no_secret_value_or_address_is_shown_or_logged() {
    let server = postgres();
    let database = server.database();
    server.psql(
        "postgres",
        &format!("drop role if exists canary; create role canary login password '{PASSWORD}'"),
    );
    let redis = Redis::with(&Options {
        password: Some(PASSWORD),
        ..Options::default()
    });
    let ini = format!(
        "[postgres]\nurl=postgres://canary:{PASSWORD}@127.0.0.1:{}/{database}\n[redis]\nurl={}\n\
         [admin]\ntoken_file=queries/a\n[access]\ntoken_file=queries/r\nallow={LISTED}\n\
         [log]\nlevel=debug\n[server]\nhome=fine\n",
        server.port(),
        redis.url()
    );
    let fine = format!(
        "-- param: x text = ''\nselect '{COLUMN}' as value, length('{LITERAL}') as n, :x as x"
    );
    let broken = format!("-- param: x text = ''\nselect ('{COLUMN}' || :x)::text::integer as n");
    let unslow = start(
        &ini,
        &[
            ("queries/a", ADMIN),
            ("queries/r", READER),
            ("queries/fine.sql", &fine),
            ("queries/broken.sql", &broken),
        ],
    );
    let (admin, reader) = (format!("Bearer {ADMIN}"), format!("Bearer {READER}"));
    let guess = format!("Bearer {GUESS}");
    let (cookie, agent) = (format!("s={COOKIE}"), HEADER);
    let usual = [
        ("Cookie", cookie.as_str()),
        ("User-Agent", agent),
        ("Referer", agent),
    ];
    for (by, status) in [
        (("Authorization", reader.as_str()), 200),
        (("Authorization", admin.as_str()), 200),
        (("X-Forwarded-For", LISTED), 200),
        (("X-Forwarded-For", STRANGER), 401),
        (("Authorization", guess.as_str()), 401),
    ] {
        let headers = [&usual[..], &[by]].concat();
        let path = format!("/q/fine.json?x={PARAMETER}");
        assert_eq!(unslow.get_with(&path, &headers).status, status);
        let path = format!("/q/broken.json?x={PARAMETER}");
        let answer = unslow.get_with(&path, &headers);
        // The value is what the database refuses, so the answer may not repeat its words.
        assert_eq!(answer.status, if status == 200 { 400 } else { status });
        assert_clean("the error's answer", &answer.text());
    }
    let known = [&usual[..], &[("Authorization", admin.as_str())]].concat();
    for path in SHOWN {
        for accept in ["text/html", "application/json", "text/csv", "text/plain"] {
            let headers = [&known[..], &[("Accept", accept)]].concat();
            let answer = unslow.get_with(path, &headers);
            assert_clean(path, &answer.text());
            for (name, value) in &answer.headers {
                assert_clean(&format!("{path}: {name}"), value);
            }
        }
    }
    assert!(
        unslow.log().contains("22P02"),
        "it failed, and the log says how"
    );
    assert_clean("the log", &unslow.log());
}

#[test]
fn debug_texts_show_no_secret_and_no_sql() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (admin, reader) = (file("a", ADMIN), file("r", READER));
    file("fine.sql", &format!("select '{LITERAL}' as value"));
    let database = format!("postgres://u:{PASSWORD}@127.0.0.1:1/d");
    let redis = format!("redis://:{PASSWORD}@127.0.0.1:1");
    let flags = [
        "--admin-token-file",
        &admin,
        "--access-token-file",
        &reader,
        "--queries",
        folder.path().to_str().unwrap(),
    ];
    let urls = [("DATABASE_URL", &*database), ("REDIS_URL", &*redis)];
    let settings = Settings::from_flags_with(&flags, &urls).unwrap();
    assert_clean("Settings", &format!("{settings:?}"));
    let app = App::open(settings).unwrap();
    assert!(app.catalog.get("fine").is_some());
    assert_clean("App", &format!("{app:?}"));
}
