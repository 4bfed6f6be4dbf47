//! Queries that the database does not run: the log, `check --online` and a refused reload lead to the
//! place in the file; a client learns nothing of it, and is told to come back only where that helps.

use crate::end_to_end::one_off;
use crate::servers;
use crate::unslow::Unslow;

/// A query file's name, its text, and the place of its fault.
type Fault = (&'static str, &'static str, &'static str);

const HEADER: &str = "/* licence\n   über allem */\n-- title: Größe\n-- param: day date = 2026-01-01\n\
    -- param: n integer = 1\n\n";

/// The faults on PostgreSQL.
const ON_POSTGRES: [Fault; 6] = [
    (
        "table",
        "select 'ä€😀' as word, :day as d,\n       :n + :n as twice, nosuch.col as x\n\
         from generate_series(1, 2) t",
        "8:26",
    ),
    (
        "column",
        "select * from (select :day as d, :n as n) ä where 'ö' < 'ü' and absent = :n",
        "7:65",
    ),
    ("syntax", "select :n as a\n  frm t", "8:3"),
    ("type", "select\n  :n and\n  true as a", "8:3"),
    ("rest", "select :n as a,\n  :day as\tb from", "8:17"),
    (
        "rows",
        "select :n as a where 1 = (select i from generate_series(1, 2) i)",
        "",
    ),
];

/// The faults on SQLite, which points to fewer things.
const ON_SQLITE: [Fault; 4] = [
    (
        "column",
        "select 'ä€😀' as word, :day as d,\n       :n + :n as twice, nosuch as x",
        "8:26",
    ),
    ("syntax", "select :n as a\n  frm t", "8:3"),
    ("function", "select :day as d,\n  nosuch(:n) as a", "8:3"),
    ("table", "select :n as a\n  from nosuch", ""),
];

fn files(faults: &[Fault]) -> Vec<(String, String)> {
    let file =
        |(name, text, _): &Fault| (format!("queries/{name}.sql"), format!("{HEADER}{text}\n"));
    faults.iter().map(file).collect()
}

fn start(arguments: &[&str], files: &[(String, String)]) -> Unslow {
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Unslow::start_with(
        &[arguments, &["--queries", "queries"]].concat(),
        &files,
        &[],
    )
}

/// The place as the log writes it.
fn place(name: &str, position: &str) -> String {
    let colon = if position.is_empty() { "" } else { ":" };
    format!("{name}.sql{colon}{position}")
}

#[track_caller]
fn lead_to_their_files(unslow: &Unslow, faults: &[Fault]) {
    for (name, _, position) in faults {
        let answer = unslow.get(&format!("/q/{name}.json?n=424242"));
        let text = answer.text();
        assert_eq!(answer.status, 503, "{name}: {text}");
        for secret in ["sql", "nosuch", "absent", "frm", "424242"] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
        let log = unslow.log();
        let query = format!("query=\"{name}\"");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(&query)).collect();
        assert_eq!(lines.len(), 1, "{name}: {log}");
        let at = lines[0].split(" at=\"").nth(1).unwrap_or_default();
        let at = at.split('"').next().unwrap_or_default();
        assert!(at.ends_with(&place(name, position)), "{name}: {}", lines[0]);
        assert!(!lines[0].contains("424242"), "{}", lines[0]);
    }
}

#[test]
fn the_log_line_of_a_failing_query_leads_to_its_place_on_postgresql() {
    let server = servers::postgres();
    let name = server.database();
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable",
        server.port()
    );
    let unslow = start(&["--database-url", &url], &files(&ON_POSTGRES));
    lead_to_their_files(&unslow, &ON_POSTGRES);
}

#[test]
fn the_log_line_of_a_failing_query_leads_to_its_place_on_sqlite() {
    lead_to_their_files(&start(&[], &files(&ON_SQLITE)), &ON_SQLITE);
}

#[test]
fn check_online_leads_to_the_place_of_a_fault() {
    let server = servers::postgres();
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files(&ON_POSTGRES) {
        let name = name.rsplit('/').next().unwrap_or_default();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let ini = format!(
        "[postgres]\nhost=127.0.0.1\nport={}\nuser=postgres\ndatabase={}\n[queries]\ndir={}\n",
        server.port(),
        server.database(),
        folder.path().display()
    );
    let checked = one_off(&ini, &["check", "--online"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    for (name, _, position) in ON_POSTGRES
        .iter()
        .filter(|(.., position)| !position.is_empty())
    {
        let query = format!("query {name} ");
        let line = said.lines().find(|line| line.starts_with(&query));
        let line = line.unwrap_or_else(|| panic!("{name}: {said}"));
        let wanted = format!("{}: the query failed", place(name, position));
        assert!(line.contains("FAILED") && line.contains(&wanted), "{line}");
        let asked = one_off(&ini, &["query", name]);
        let error = String::from_utf8_lossy(&asked.stderr);
        assert!(error.contains(&wanted), "{error}");
    }
}

#[test]
fn who_asks_is_told_to_come_back_only_where_that_can_help() {
    let server = servers::postgres();
    let name = server.database();
    server.psql(
        &name,
        "create function fail(code text) returns int language plpgsql as \
         'begin raise exception using errcode = code; end'; \
         create table closed (); revoke all on closed from public; \
         create role visitor_of_faults login; grant usage on schema public to visitor_of_faults",
    );
    let url = format!(
        "postgres://visitor_of_faults@127.0.0.1:{}/{name}?sslmode=disable",
        server.port()
    );
    let lasting = [
        ("syntax", "select 1 as a frm t"),
        ("table", "select * from nosuch"),
        ("closed", "select * from closed"),
        ("schema", "select fail('3F000') as a"),
        ("write", "select nextval('numbers') as a"),
        (
            "zero",
            "select 1 / (i - 1) as a from generate_series(1, 1) i",
        ),
        (
            "large",
            "select repeat('x', 2000000) as a from generate_series(1, 100)",
        ),
    ];
    server.psql(
        &name,
        "create sequence numbers; grant all on sequence numbers to public",
    );
    let passing = [
        ("memory", "select fail('53200') as a"),
        ("stopped", "select fail('57P01') as a"),
        ("disk", "select fail('58030') as a"),
        ("conflict", "select fail('40001') as a"),
        ("locked", "select fail('55P03') as a"),
    ];
    let files: Vec<_> = lasting
        .iter()
        .chain(&passing)
        .map(|(name, text)| (format!("queries/{name}.sql"), (*text).to_owned()))
        .collect();
    let unslow = start(&["--database-url", &url], &files);
    for (helps, queries) in [(false, &lasting[..]), (true, &passing[..])] {
        for (name, _) in queries {
            // The second is answered from what is remembered of the first.
            for path in [
                format!("/q/{name}.json"),
                format!("/q/{name}"),
                format!("/q/{name}.csv"),
            ] {
                let answer = unslow.get(&path);
                assert_eq!(answer.status, 503, "{path}: {}", answer.text());
                let has_header = answer.headers.contains_key("retry-after");
                assert_eq!(has_header, helps, "{path}: {}", unslow.log());
                if !path.contains('.') {
                    let says_so = answer.text().contains("try again in");
                    assert_eq!(says_so, helps, "{path}: {}", answer.text());
                }
            }
        }
    }
}
