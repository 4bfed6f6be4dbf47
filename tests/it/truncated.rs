//! Rows that were cut off are known to be: by a header on every form of an answer, and by a last
//! line of NDJSON where one asks for it.

use crate::unslow::Unslow;

const QUERIES: [(&str, &str); 3] = [
    (
        "queries/cut.sql",
        "-- max-rows: 3\nselect id, name, quote(zeroblob(600)) as filler from products order by id",
    ),
    (
        "queries/whole.sql",
        "-- max-rows: 3\nselect id, name from products order by id limit 3",
    ),
    (
        "queries/own.sql",
        "-- param: meta text = none\n-- max-rows: 1\nselect :meta as meta union all select 'second'",
    ),
];

fn start(args: &[&str]) -> Unslow {
    let args = [
        args,
        &["--queries", "queries", "--demo-delay", "0s", "--ttl", "1h"],
    ]
    .concat();
    Unslow::start_with(&args, &QUERIES, &[])
}

const HEADER: &str = "unslow-truncated";

#[test]
fn every_form_of_an_answer_says_that_rows_were_cut_off() {
    let unslow = start(&["--home", "cut"]);
    let site = ("Origin", "https://app.example");
    for (path, cut) in [
        ("/", true),
        ("/q/cut", true),
        ("/q/cut.json", true),
        ("/q/cut.csv", true),
        ("/q/cut.ndjson", true),
        ("/q/cut.ndjson?meta=1", true),
        ("/q/whole", false),
        ("/q/whole.json", false),
        ("/q/whole.csv", false),
        ("/q/whole.ndjson", false),
    ] {
        let expected = cut.then_some("true");
        for method in ["GET", "HEAD"] {
            // Loaded, and from the cache.
            let answer = unslow.request(method, path, &[site]);
            assert_eq!(answer.status, 200, "{path}");
            let said = answer.headers.get(HEADER).map(String::as_str);
            assert_eq!(said, expected, "{method} {path}");
        }
        let encoded = unslow.get_with(path, &[("Accept-Encoding", "zstd")]);
        assert_eq!(
            encoded.headers.get(HEADER).map(String::as_str),
            expected,
            "{path}"
        );
        if let Some(tag) = encoded.headers.get("etag") {
            let known =
                unslow.get_with(path, &[("If-None-Match", tag), ("Accept-Encoding", "zstd")]);
            let said = known.headers.get(HEADER).map(String::as_str);
            assert_eq!((known.status, said), (304, expected), "{path}");
        }
    }
    assert!(unslow.get("/q/cut").text().contains("there are more"));
    assert_eq!(unslow.get("/q/cut.json").json()["truncated"], true);
    assert!(!unslow.get("/q/none.json").headers.contains_key(HEADER));
}

#[test]
fn ndjson_has_a_last_line_where_it_is_asked_for() {
    let unslow = start(&[]);
    let plain = unslow.get("/q/cut.ndjson");
    for (path, last) in [
        ("cut", r#"{"truncated":true}"#),
        ("whole", r#"{"truncated":false}"#),
    ] {
        let plain = unslow.get(&format!("/q/{path}.ndjson"));
        let asked = unslow.get(&format!("/q/{path}.ndjson?meta=1"));
        assert_eq!(asked.status, 200);
        assert_eq!(asked.text(), plain.text() + last + "\n");
        assert_ne!(
            asked.header("etag"),
            plain.header("etag"),
            "they are not the same bytes"
        );
        let by_accept = unslow.get_with(
            &format!("/q/{path}?meta=1"),
            &[("Accept", "application/x-ndjson")],
        );
        assert_eq!(by_accept.body, asked.body);
        assert_eq!(
            unslow.get(&format!("/q/{path}.ndjson?meta=0")).body,
            plain.body
        );
    }
    // Compressed, it is kept and never mistaken for the other.
    for _ in 0..3 {
        for (path, expected) in [("/q/cut.ndjson", 3), ("/q/cut.ndjson?meta=1", 4)] {
            let answer = unslow.get_with(path, &[("Accept-Encoding", "zstd")]);
            assert_eq!(answer.header("content-encoding"), "zstd");
            let body =
                String::from_utf8(zstd::stream::decode_all(&answer.body[..]).unwrap()).unwrap();
            assert_eq!(body.lines().count(), expected, "{path}");
        }
    }
    assert_eq!(unslow.numbers("cut")["compressions"], 2);
    assert_eq!(
        unslow.numbers("cut")["loads"],
        1,
        "it is no part of the key"
    );
    assert_eq!(plain.text().lines().count(), 3);
    for path in [
        "/q/cut.json?meta=1",
        "/q/cut.csv?meta=1",
        "/q/cut?meta=1",
        "/q/cut.ndjson?meta=yes",
        "/q/cut.ndjson?meta=1&meta=1",
    ] {
        assert_eq!(unslow.get(path).status, 400, "{path}");
    }
}

#[test]
fn a_querys_own_parameter_named_meta_stays_its_own() {
    let unslow = start(&[]);
    for (path, expected) in [
        ("/q/own.ndjson?meta=1", "{\"meta\":\"1\"}\n"),
        ("/q/own.ndjson", "{\"meta\":\"none\"}\n"),
    ] {
        let answer = unslow.get(path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, expected),
            "{path}"
        );
        assert_eq!(answer.header(HEADER), "true");
    }
    let document = unslow.get("/openapi.json").json();
    let named = |query: &str| {
        let get = &document["paths"][format!("/q/{query}.ndjson")]["get"]["parameters"];
        let all = get.as_array().unwrap().iter();
        all.filter(|one| one.to_string().to_ascii_lowercase().contains("meta"))
            .count()
    };
    assert_eq!((named("cut"), named("own")), (1, 1), "{document}");
    let headers = &document["components"]["responses"]["Ndjson"]["headers"];
    assert!(headers["Unslow-Truncated"].is_object(), "{headers}");
}

#[test]
fn scripts_of_other_sites_may_read_the_header() {
    let unslow = start(&["--cors-origin", "https://app.example"]);
    let answer = unslow.get_with("/q/cut.json", &[("Origin", "https://app.example")]);
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("Unslow-Truncated")
    );
}
