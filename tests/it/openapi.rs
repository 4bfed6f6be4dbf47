//! `/openapi.json` over HTTP: how it is served, and that the server does what it says, which
//! `schemathesis` tries out on both databases.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::end_to_end::{one_off, original};
use crate::servers::{Redis, postgres};
use crate::unslow::Unslow;

/// Queries with each type of parameter in each way.
fn queries() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi/queries");
    folder.to_str().unwrap().to_owned()
}

#[test]
fn it_is_one_document_that_clients_may_keep_until_the_catalog_changes() {
    let files = [("queries/one.sql", "-- param: n integer = 1\nselect :n as n")];
    let unslow = Unslow::start_with(&["--queries", "queries"], &files, &[]);
    let first = unslow.get("/openapi.json");
    assert_eq!(first.status, 200);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("cache-control"), "no-cache");
    assert_eq!(first.header("vary"), "Accept-Encoding");
    assert_eq!(first.json()["openapi"], "3.1.0");
    let paths = first.json()["paths"].clone();
    for path in ["/", "/q", "/q/one", "/q/one.csv", "/q/one/purge", "/readyz"] {
        assert!(paths.get(path).is_some(), "{path}");
    }

    let tag = first.header("etag").to_owned();
    let known = unslow.get_with("/openapi.json", &[("If-None-Match", &tag)]);
    assert_eq!((known.status, known.body.len()), (304, 0));
    let small = unslow.get_with("/openapi.json", &[("Accept-Encoding", "gzip")]);
    assert_eq!(small.header("content-encoding"), "gzip");
    assert!(small.body.len() * 4 < first.body.len());
    assert_ne!(small.header("etag"), tag);
    // Whatever `Accept` says: there is no page of it.
    let asked = unslow.get_with("/openapi.json", &[("Accept", "text/html")]);
    assert_eq!(asked.body, first.body);
    assert!(unslow.get("/q").text().contains("/openapi.json"));

    let other = Unslow::start(&[]);
    assert_ne!(other.get("/openapi.json").header("etag"), tag);
}

#[test]
fn every_default_and_every_value_of_a_list_is_taken() {
    let unslow = Unslow::start(&["--demo-delay", "0s", "--queries", &queries()]);
    let document = unslow.get("/openapi.json").json();
    let parameters = document["components"]["parameters"].as_object().unwrap();
    let mut tried = 0;
    for (place, parameter) in parameters {
        let Some((query, name)) = place.split_once('.') else {
            continue;
        };
        let schema = &document["components"]["schemas"][place];
        let listed = schema["enum"].as_array().cloned().unwrap_or_default();
        for value in listed.iter().chain(schema.get("default")) {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            let mut pairs = url::form_urlencoded::Serializer::new(String::new());
            pairs.append_pair(name, &text);
            for (place, _) in parameters.iter().filter(|(_, p)| p["required"] == true) {
                if let Some(other) = place.strip_prefix(&format!("{query}."))
                    && other != name
                {
                    let first = &document["components"]["schemas"][place]["enum"][0];
                    pairs.append_pair(other, &first.to_string());
                }
            }
            let path = format!("/q/{query}.json?{}", pairs.finish());
            let answer = unslow.get(&path);
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            tried += 1;
        }
        if parameter["allowEmptyValue"] == true && query == "nulls" {
            let answer = unslow.get(&format!("/q/{query}.json?{name}="));
            assert_eq!(answer.json()["rows"][0][name], Value::Null);
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn each_form_that_it_lists_is_answered_to_those_who_accept_that() {
    let unslow = Unslow::start(&["--demo-delay", "0s", "--queries", &queries()]);
    let document = unslow.get("/openapi.json").json();
    let part = |value: &Value| match value["$ref"].as_str() {
        Some(pointer) => document
            .pointer(pointer.trim_start_matches('#'))
            .unwrap()
            .clone(),
        None => value.clone(),
    };
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let get = &operations["get"];
        let taken = get["parameters"].as_array().cloned().unwrap_or_default();
        if get.is_null() || taken.iter().any(|taken| part(taken)["required"] == true) {
            continue;
        }
        let forms = part(&get["responses"]["200"])["content"].clone();
        for form in forms.as_object().unwrap().keys() {
            let answer = unslow.get_with(path, &[("Accept", form)]);
            assert_eq!(answer.status, 200, "{path}");
            let sent = answer.header("content-type").split(';').next().unwrap();
            assert_eq!(sent, form, "{path}");
            asked += 1;
        }
    }
    assert!(asked > 25, "{asked}");
}

/// Returns the value, or the one that it refers to.
fn part(document: &Value, value: &Value) -> Value {
    match value["$ref"].as_str() {
        Some(pointer) => document
            .pointer(pointer.trim_start_matches('#'))
            .unwrap()
            .clone(),
        None => value.clone(),
    }
}

#[test]
fn what_schemathesis_cannot_provoke_is_answered_as_it_is_listed() {
    let broken = "select abs(-9223372036854775807 - 1) as no";
    let twice = "select 1 as a, 2 as a";
    let slow = "-- timeout: 500ms\n-- cache: off\nselect slow_version() as v";
    let files = [
        ("queries/broken.sql", broken),
        ("queries/twice.sql", twice),
        ("queries/slow.sql", slow),
    ];
    let args = ["--demo-delay", "20s", "--queries", "queries"];
    let unslow = Unslow::start_with(&args, &files, &[]);
    let document = unslow.get("/openapi.json").json();
    let long = "x".repeat(9000);
    for (path, header, status) in [
        ("/q/broken", ("Accept", "*/*"), 503),
        ("/q/broken.json", ("Accept", "*/*"), 503),
        ("/q/twice.csv", ("Accept", "*/*"), 500),
        ("/q/slow.ndjson", ("Accept", "*/*"), 504),
        ("/q/broken.json", ("X-Long", long.as_str()), 431),
        ("/healthz", ("Content-Length", "99999"), 413),
        ("/stats", ("X-Forwarded-For", "192.0.2.7"), 403),
    ] {
        let answer = unslow.get_with(path, &[header]);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let listed = &document["paths"][path]["get"]["responses"][status.to_string()];
        let listed = part(&document, listed);
        for (name, header) in listed["headers"].as_object().unwrap() {
            if part(&document, header)["required"] == true {
                answer.header(&name.to_lowercase());
            }
        }
        let form = answer.header("content-type").split(';').next().unwrap();
        assert!(listed["content"].get(form).is_some(), "{path}: {form}");
        if form == "application/json" {
            let error = &document["components"]["schemas"]["Error"];
            for name in error["required"].as_array().unwrap() {
                let member = &answer.json()[name.as_str().unwrap()];
                assert!(!member.is_null(), "{path}: {name}");
            }
        }
    }
}

/// The further options of schemathesis, unless the environment says otherwise: how many examples to
/// make up for each operation, of what is allowed and of what is not, and from where on.
const OPTIONS: [(&str, &str, &str); 2] = [
    ("--max-examples", "SCHEMATHESIS_EXAMPLES", "10"),
    ("--seed", "SCHEMATHESIS_SEED", "1"),
];

/// A program of the environment that `make` installs.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("SCHEMATHESIS");
    let folder = folder.expect("`make test-extra` installs schemathesis and says where it is");
    Path::new(&folder).join("bin").join(name)
}

/// Runs a program of that environment in an empty folder; its words where it is not content.
fn content(name: &str, args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(program(name))
        .args(args)
        .env_clear()
        .env("HOME", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = [&output.stdout[..], &output.stderr].map(String::from_utf8_lossy);
    let said = said.join("\n");
    assert!(output.status.success(), "{name}: {said}");
    said
}

/// Has the document checked, and the server tried out with these further arguments.
fn finds_nothing(unslow: &Unslow, args: &[&str]) {
    let document = unslow.get("/openapi.json");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, &document.body).unwrap();
    content("openapi-spec-validator", &[file.to_str().unwrap()]);

    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi/schemathesis.toml");
    let mut all = vec!["--config-file", config.to_str().unwrap(), "run"];
    // Read from its address, it would leave that out.
    all.extend([file.to_str().unwrap(), "--url", &unslow.url]);
    all.extend(["--checks", "all", "--mode", "all", "--continue-on-failure"]);
    all.extend(["--generation-database", "none", "--no-color"]);
    let options = OPTIONS.map(|(flag, name, usual)| {
        let value = std::env::var(name).unwrap_or_else(|_| usual.to_owned());
        [flag.to_owned(), value]
    });
    all.extend(options.iter().flatten().map(String::as_str));
    all.extend(args);
    let said = content("schemathesis", &all);
    assert!(said.contains("No issues found"), "{said}");
    let tested = said.split("Tested: ").nth(1).unwrap();
    let tested = tested.split_whitespace().next().unwrap();
    if args.is_empty() {
        let paths = document.json()["paths"].as_object().unwrap().len();
        assert_eq!(tested, paths.to_string(), "{said}");
    } else {
        assert_ne!(tested, "0", "{said}");
    }
    // Whatever was sent, nothing in the program failed.
    let log = unslow.log();
    assert!(!log.contains(" ERROR "), "{log}");
}

/// Settings with a database and a Redis, and the queries of this test. A long text fits into an
/// address, so that it is the parameter's own limit that is met.
fn start(ini: &str, more: &str) -> Unslow {
    let folder = queries();
    let ini = format!(
        "{ini}\n[queries]\ndir={folder}\n[demo]\ndelay=0s\n\
         [server]\nlimit_request_line=64KiB\nlimit_request_body=1MiB\n[log]\nlevel=warn\n{more}"
    );
    let files = [("app.ini", ini.as_str()), ("token", TOKEN)];
    Unslow::start_with(&["--config", "app.ini"], &files, &[])
}

const TOKEN: &str = "s3cret-of-the-operators";

#[test]
#[ignore = "needs schemathesis: make test-all"]
fn schemathesis_finds_nothing_on_sqlite() {
    let redis = Redis::start();
    let unslow = start(&format!("[redis]\nurl={}\n", redis.url()), "");
    finds_nothing(&unslow, &[]);
    assert!(!redis.entries().is_empty(), "Redis took part");
}

#[test]
#[ignore = "needs schemathesis: make test-all"]
fn schemathesis_finds_nothing_on_postgresql() {
    let redis = Redis::start();
    let database = postgres().database();
    let ini = original(postgres(), &database, &redis);
    assert!(one_off(&ini, &["install"]).status.success());
    let quick = "create or replace function slow_version() returns text as \
                 $$ select version() $$ language sql";
    postgres().psql(&database, quick);
    let unslow = start(&ini, "");
    finds_nothing(&unslow, &[]);
    assert!(!redis.entries().is_empty(), "Redis took part");
}

#[test]
#[ignore = "needs schemathesis: make test-all"]
fn schemathesis_finds_no_way_past_the_admin_token() {
    let unslow = start("", "[admin]\ntoken_file=token\n");
    let token = format!("Authorization: Bearer {TOKEN}");
    // The client is another machine, as a trusted proxy says it.
    let elsewhere = "X-Forwarded-For: 192.0.2.7";
    // Few: wrong tokens are bounded.
    let some = "^/(stats.json|q/plain/purge)$";
    let args = ["-H", elsewhere, "-H", &token, "--include-path-regex", some];
    finds_nothing(&unslow, &args);
}
