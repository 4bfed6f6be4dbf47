//! The attempts of an attacker over HTTP: to run SQL, to put script into a page, a line into a log
//! or a header into a response, to see a password.

use crate::end_to_end::{one_off, start};
use crate::servers::redis::Options;
use crate::servers::{Redis, postgres, wait_until as until};
use crate::unslow::{Answer, Unslow};

fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

const INJECTIONS: &[&str] = &[
    "' or '1'='1",
    "'; drop table treasure; --",
    "'; insert into treasure values (99); --",
    "1; delete from treasure",
    "1 or 1=1",
    "1) union select n::text from treasure --",
    "' union select 'x",
    "\\'; drop table treasure; --",
    "$1",
    ":word",
    "$$; drop table treasure; $$",
    "'||(select count(*) from treasure)||'",
    "/**/or/**/1=1",
    "1::text",
    "now()",
    "null",
    "%' or n like '%",
    "\u{2019} or 1=1 --",
    "x' at time zone 'utc",
    "{\"a\": 1}",
    "infinity'; select pg_sleep(60); --",
];

#[test]
fn no_parameter_of_any_type_becomes_sql() {
    let server = postgres();
    let database = server.database();
    server.psql(
        &database,
        "create table treasure (n integer); insert into treasure values (1), (2); \
         grant all on treasure to public",
    );
    let types = [
        "text",
        "integer",
        "bigint",
        "number",
        "boolean",
        "date",
        "timestamp",
        "uuid",
    ];
    let files: Vec<_> = types
        .iter()
        .map(|kind| {
            (
                format!("queries/{kind}.sql"),
                format!("-- param: word {kind}\nselect :word as word, count(*) as n from treasure"),
            )
        })
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let unslow = start(
        &format!(
            "[postgres]\nurl=postgres://master:secret@127.0.0.1:{}/{database}\n",
            server.port()
        ),
        &files,
    );
    for attack in INJECTIONS {
        for kind in types {
            let answer = unslow.get(&format!("/q/{kind}.json?word={}", encoded(attack)));
            if kind == "text" {
                assert_eq!(answer.status, 200, "{attack}: {}", answer.text());
                let row = &answer.json()["rows"][0];
                assert_eq!(row["word"], *attack, "a text is a text");
                assert_eq!(row["n"], 2, "{attack}");
            } else {
                assert_eq!(answer.status, 400, "{kind} {attack}: {}", answer.text());
                assert!(answer.json()["error"].as_str().unwrap().contains("word"));
            }
            // Nor does its name, nor the query's.
            let name = unslow.get(&format!("/q/{kind}.json?{}=1", encoded(attack)));
            assert_eq!(name.status, 400);
        }
        let query = unslow.get(&format!("/q/{}", encoded(attack).replace('+', "%20")));
        assert_eq!(query.status, 404, "{attack}");
    }
    assert_eq!(
        server.psql(&database, "select count(*), sum(n) from treasure"),
        "2|3"
    );
}

const SCRIPTS: &[&str] = &[
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</td></tr></table><iframe srcdoc=x>",
    "<!--<a b=c",
    "]]><b>",
    "<textarea autofocus onfocus=alert(1)>",
    "</title><style>*{display:none}</style>",
];

/// No payload stands in the page as markup, and nothing in it is inline script or style.
#[track_caller]
fn assert_harmless(page: &str, payload: &str) {
    assert!(!page.contains(payload), "{payload}\n{page}");
    for tag in ["<img", "<iframe", "<svg/", "<textarea a", "<style"] {
        assert!(!page.contains(tag), "{tag}: {page}");
    }
    assert!(!page.contains("<script>"), "{page}");
}

#[test]
fn no_value_name_title_or_parameter_becomes_markup() {
    for payload in SCRIPTS {
        let quoted = payload.replace('\'', "''");
        let name = payload.replace('"', "\"\"");
        let query = format!(
            "-- title: {payload}\n-- description: {payload}\n-- param: x text = '{quoted}'\n\
             select '{quoted}' as \"{name}\", :x as x, '[\"' || :x || '\"]' as nested"
        );
        let unslow = Unslow::start_with(
            &["--queries", "queries", "--home", "evil"],
            &[("queries/evil.sql", &query)],
            &[],
        );
        let attack = encoded(payload);
        for path in [
            "/q/evil".to_owned(),
            format!("/q/evil?x={attack}"),
            format!("/q/evil?{attack}={attack}"),
            format!("/q/evil?x={attack}&x={attack}"),
            format!("/q/{}", attack.replace('+', "%20")),
            format!("/{}", attack.replace('+', "%20")),
            format!("/?x={attack}"),
            "/".to_owned(),
            "/q".to_owned(),
            "/stats".to_owned(),
        ] {
            let headers = [("Referer", *payload), ("User-Agent", payload)];
            let answer = unslow.get_with(&path, &headers);
            assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
            assert_harmless(&answer.text(), payload);
        }
        for suffix in ["json", "ndjson"] {
            let answer = unslow.get(&format!("/q/evil.{suffix}?x={attack}"));
            assert_eq!(answer.status, 200);
            let text = answer.text();
            assert!(!text.contains('<'), "{text}");
            let line = text.lines().next().unwrap();
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            let row = if suffix == "json" {
                &json["rows"][0]
            } else {
                &json
            };
            assert_eq!(row["x"], *payload, "and is still the same value");
            assert_eq!(row[*payload], *payload);
        }
        // A browser does not take it for a page.
        let csv = unslow.get(&format!("/q/evil.csv?x={attack}"));
        assert!(csv.header("content-type").starts_with("text/csv"));
        assert_eq!(csv.header("x-content-type-options"), "nosniff");
        // Errors in JSON are read by scripts too.
        let error = unslow.get(&format!("/q/evil.json?{attack}=1"));
        assert_eq!(error.status, 400);
        assert_eq!(error.header("content-type"), "application/json");
    }
}

#[test]
fn nothing_of_a_request_gets_into_a_header() {
    let unslow = Unslow::start_with(
        &["--queries", "queries"],
        &[("queries/echo.sql", "-- param: x text\nselect :x as x")],
        &[],
    );
    let split = "%0d%0aX-Evil:%20canary%0d%0a%0d%0acanary";
    for path in [
        format!("/q/echo.json?x={split}"),
        format!("/q/echo?x={split}"),
        format!("/q/echo.json?{split}=1"),
        format!("/q/{split}.json"),
        format!("/q/{split}"),
        format!("/{split}"),
        format!("/static/{split}"),
        format!("/q/echo.csv?x={split}"),
    ] {
        let answer = unslow.get(&path);
        for (name, value) in &answer.headers {
            assert!(!value.contains("canary"), "{path}: {name}: {value}");
        }
        assert!(!answer.headers.contains_key("x-evil"), "{path}");
    }
    for id in [
        "a b",
        "x\u{e9}",
        "<script>",
        "a;b",
        "%0d%0a",
        "",
        &"x".repeat(65),
    ] {
        let answer = unslow.get_with("/nope", &[("X-Request-Id", id)]);
        let given = answer.header("x-request-id");
        assert_ne!(given, id);
        assert!(
            given.len() == 16 && given.bytes().all(|b| b.is_ascii_hexdigit()),
            "{given}"
        );
    }
}

#[test]
fn a_log_line_is_one_line_whatever_a_request_holds() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let unslow = Unslow::start(&[
        "--access-log",
        log.to_str().unwrap(),
        "--access-log-format",
        "json",
        "--log-level",
        "trace",
        "--demo-delay",
        "0s",
    ]);
    let wide = "x".repeat(65536);
    let strange = "%0a \u{9b}31m \u{2028} \" \\ é";
    let paths = [
        "/q/version%0d%0aINFO%20forged",
        "/q/%1b[31mred.json",
        "/q/version.json?%0d%0aforged=1",
        "/%E2%80%A8forged",
        "/q/version.json?x=%0aforged",
    ];
    for path in paths {
        unslow.get_with(path, &[("User-Agent", strange), ("Referer", strange)]);
    }
    // A control character in a header is no request at all, and has a line that names none.
    let signs = ["\u{1b}[31mred", "\u{7f}", "a\rb"];
    for sign in signs {
        assert_eq!(unslow.get_with("/", &[("User-Agent", sign)]).status, 400);
    }
    let refused = unslow.get_with("/", &[("User-Agent", &wide)]);
    assert_eq!(refused.status, 431);
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("every request is there", || {
        text().lines().count() == paths.len() + signs.len() + 1
    });
    for line in text().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["status"].as_u64() >= Some(200), "{line}");
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
    }
    let errors = unslow.log();
    assert!(
        errors.contains("forged"),
        "they are told at this level: {errors}"
    );
    for line in errors.lines() {
        assert!(line.starts_with("20"), "a line of its own making: {line:?}");
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        assert!(!line.contains('\u{2028}'), "{line:?}");
    }
}

/// Long, and without a sign that some place would escape.
const CANARY: &str = "canary0pass0word";

#[test]
fn a_password_is_shown_nowhere() {
    let server = postgres();
    let database = server.database();
    server.psql(
        "postgres",
        &format!("drop role if exists keeper; create role keeper login password '{CANARY}'"),
    );
    let redis = Redis::with(&Options {
        password: Some(CANARY),
        ..Options::default()
    });
    let right = format!(
        "[postgres]\nurl=postgres://keeper:{CANARY}@127.0.0.1:{}/{database}\n[redis]\nurl={}\n",
        server.port(),
        redis.url()
    );
    let wrong = format!(
        "[postgres]\ndatabase={database}\nhost=127.0.0.1\nport={}\nuser=master\n\
         password={CANARY}\n[redis]\nurl=redis://:{CANARY}x@127.0.0.1:{}\n",
        server.port(),
        redis.port()
    );
    let nobody = format!(
        "[postgres]\nurl=postgres://keeper:{CANARY}@127.0.0.1:1/x\n[redis]\n\
         url=redis://:{CANARY}@127.0.0.1:1\n"
    );
    for ini in [&right, &wrong, &nobody] {
        for args in [
            &["print-config"][..],
            &["check"],
            &["check", "--online"],
            &["install"],
            &["query", "version"],
            &["query", "version", "--log-level", "trace"],
            &["queries"],
        ] {
            let output = one_off(ini, args);
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(!said.contains(CANARY), "{args:?}: {said}");
        }
        let settings = format!("{ini}[server]\ndebug = true\n[log]\nlevel = trace\n");
        let broken = ("queries/broken.sql", "select nonsense");
        let unslow = start(&settings, &[broken]);
        for path in [
            "/",
            "/q",
            "/q/version",
            "/q/version.json",
            "/q/broken",
            "/q/broken.json",
            "/stats",
            "/stats.json",
            "/readyz",
            "/healthz",
            "/q/none",
        ] {
            let answer: Answer = unslow.get(path);
            assert!(!answer.text().contains(CANARY), "{path}: {}", answer.text());
            for value in answer.headers.values() {
                assert!(!value.contains(CANARY), "{path}: {value}");
            }
        }
        assert!(!unslow.log().contains(CANARY), "{}", unslow.log());
        for file in ["cmdline", "comm"] {
            let text = std::fs::read(format!("/proc/{}/{file}", unslow.pid())).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains(CANARY), "{file}");
        }
    }
    // Wrong settings that hold it are not read back either.
    for ini in [
        format!("[postgres]\nurl=postgres://u:{CANARY}@h:port/d\n"),
        format!("[postgres]\nurl=postgres://u:{CANARY}#@h/d\n"),
        format!("[postgres]\nurl={CANARY}\n"),
        format!("[redis]\nurl=redis://:{CANARY}@h:port\n"),
        format!("[redis]\nurl=http://:{CANARY}@h\n"),
        format!("[postgres]\npassword {CANARY}\n"),
        format!("[postgres]\nhost=h\npassword={CANARY}\npassword_file=x\n"),
        format!("[postgres]\npasword={CANARY}\n"),
        format!("[postgres]\npassword={CANARY}\npassword={CANARY}2\n"),
    ] {
        let output = one_off(&ini, &["check"]);
        assert_eq!(output.status.code(), Some(6), "{ini}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains(CANARY), "{said}");
    }
}
