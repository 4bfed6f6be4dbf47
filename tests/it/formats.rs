//! The formats over HTTP: the same on both databases, and what each does with values that are
//! awkward in it.

use serde_json::{Value, json};

use crate::db_same_on_both::{CORPUS, TABLE};
use crate::db_support::writer;
use crate::end_to_end::start;
use crate::servers::postgres;
use crate::unslow::Unslow;

/// A query string with these parameters.
fn query_string(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish()
}

/// The table of a page, which is all of it that comes from the rows.
fn table(page: &str) -> &str {
    let (start, end) = (page.find("<table"), page.find("</table>"));
    match (start, end) {
        (Some(start), Some(end)) => &page[start..end],
        _ => panic!("there is no table: {page}"),
    }
}

#[test]
fn the_corpus_is_byte_identical_over_http_in_every_format() {
    let server = postgres();
    let database = server.database();
    server.psql(&database, TABLE);
    server.psql(&database, "grant select on sale to master");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sale.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut writer = writer(&file).await;
        sqlx::raw_sql(TABLE).execute(&mut writer).await.unwrap();
        sqlx::Connection::close(writer).await.unwrap();
    });
    let names: Vec<_> = (0..CORPUS.len())
        .map(|n| format!("queries/c{n}.sql"))
        .collect();
    let files: Vec<_> = names
        .iter()
        .zip(CORPUS)
        .map(|(name, (text, _))| (name.as_str(), *text))
        .collect();
    let on_postgres = start(
        &format!(
            "[postgres]\nurl=postgres://master:secret@127.0.0.1:{}/{database}\n",
            server.port()
        ),
        &files,
    );
    let on_sqlite = start(
        &format!("[postgres]\nurl=sqlite:{}\n", file.display()),
        &files,
    );
    for (n, (text, parameters)) in CORPUS.iter().enumerate() {
        for suffix in [".json", ".csv", ".ndjson", ""] {
            let path = format!("/q/c{n}{suffix}?{}", query_string(parameters));
            let one = on_postgres.get(&path);
            let other = on_sqlite.get(&path);
            assert_eq!(one.status, 200, "PostgreSQL: {text}: {}", one.text());
            assert_eq!(other.status, 200, "SQLite: {text}: {}", other.text());
            let (one, other) = (one.text(), other.text());
            if suffix.is_empty() {
                assert_eq!(table(&one), table(&other), "{text}");
            } else {
                assert_eq!(one, other, "{text}");
            }
            if suffix == ".json" {
                assert!(one.starts_with(r#"{"ok":true,"rows":["#), "{one}");
                assert!(one.ends_with(r#"],"truncated":false}"#), "{one}");
                serde_json::from_str::<Value>(&one).unwrap();
            }
        }
        // A refusal is the same too, but for its id.
        let path = format!("/q/c{n}.json?nonsense=1");
        let refusals = [&on_postgres, &on_sqlite].map(|unslow| {
            let answer = unslow.get(&path);
            (answer.status, answer.json()["error"].clone())
        });
        assert_eq!(refusals[0], refusals[1]);
        assert_eq!(refusals[0].0, 400);
    }
}

/// Values that some format could stumble over.
const AWKWARD: &str = r#"
select 'a,b' as comma, 'say "hi"' as "quo""te", 'two
lines' as "line
break", '=1+1' as formula, '' as empty, null as missing, ' padded ' as padded,
'{"a":[1,{"b":"c,d"}]}' as nested, '<b>&amp;</b>' as "<i>", 9007199254740993 as big
"#;

fn awkward(more: &str) -> Unslow {
    let all = format!("{AWKWARD} union all {AWKWARD}");
    let none = format!("select * from ({AWKWARD}) where false");
    let cut = format!("-- max-rows: 1\n{all}");
    let files = [
        ("queries/all.sql", format!("{more}{all}")),
        ("queries/none.sql", none),
        ("queries/cut.sql", cut),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    Unslow::start_with(&["--queries", "queries"], &files, &[])
}

#[test]
fn csv_gives_back_every_value_and_name_as_it_was() {
    let unslow = awkward("");
    let text = unslow.get("/q/all.csv").text();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names: Vec<_> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    let expected = [
        "comma",
        "quo\"te",
        "line\nbreak",
        "formula",
        "empty",
        "missing",
        "padded",
        "nested",
        "<i>",
        "big",
    ];
    assert_eq!(names, expected);
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    let values = [
        "a,b",
        "say \"hi\"",
        "two\nlines",
        "=1+1",
        "",
        "",
        " padded ",
        "{\"a\":[1,{\"b\":\"c,d\"}]}",
        "<b>&amp;</b>",
        "9007199254740993",
    ];
    assert_eq!(rows[0], values[..]);
    assert!(text.lines().all(|line| !line.ends_with('\n')));
    let none = unslow.get("/q/none.csv").text();
    let header = csv::Reader::from_reader(none.as_bytes())
        .headers()
        .unwrap()
        .clone();
    assert_eq!(header, expected[..], "names without rows too");
}

#[test]
fn ndjson_is_one_object_a_line_and_json_the_same_rows() {
    let unslow = awkward("");
    let rows = unslow.get("/q/all.json").json()["rows"].clone();
    assert_eq!(rows[0]["line\nbreak"], "two\nlines");
    assert_eq!(rows[0]["missing"], Value::Null);
    let lines = unslow.get("/q/all.ndjson").text();
    assert!(lines.ends_with('\n'));
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json!(lines), rows);
    let none = unslow.get("/q/none.ndjson");
    assert_eq!((none.status, none.text().as_str()), (200, ""));
    let none = unslow.get("/q/none.json").text();
    assert_eq!(none, r#"{"ok":true,"rows":[],"truncated":false}"#);
    let page = unslow.get("/q/none").text();
    assert!(table(&page).contains("comma"), "{page}");
}

#[test]
fn what_is_cut_off_is_said_so() {
    let unslow = awkward("");
    let cut = unslow.get("/q/cut.json").json();
    assert_eq!(cut["truncated"], true);
    assert_eq!(cut["rows"].as_array().unwrap().len(), 1);
    assert_eq!(unslow.get("/q/all.json").json()["truncated"], false);
    assert_eq!(unslow.get("/q/cut.ndjson").text().lines().count(), 1);
    let page = unslow.get("/q/cut").text();
    assert_ne!(table(&page), table(&unslow.get("/q/all").text()));
}

#[test]
fn the_command_line_gives_the_bytes_that_http_gives() {
    let unslow = awkward("");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("queries")).unwrap();
    let all = format!("{AWKWARD} union all {AWKWARD}");
    std::fs::write(folder.path().join("queries/all.sql"), all).unwrap();
    for format in ["json", "csv", "ndjson", "table"] {
        let args = ["--queries", "queries", "query", "all", "--format", format];
        let output = crate::unslow::command(&args)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert!(said.starts_with("2 rows in "), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        if format == "table" {
            // A value with a line break does not break the table.
            assert_eq!(text.lines().count(), 4, "{text}");
        } else {
            let http = unslow.get(&format!("/q/all.{format}")).text();
            assert_eq!(text.trim_end_matches('\n'), http.trim_end_matches('\n'));
        }
    }
}
