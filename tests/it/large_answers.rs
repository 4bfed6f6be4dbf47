//! Large answers and the workers: pages show a part of a result, and what takes long to render or
//! to encode is done beside the workers, which answer others meanwhile.

use std::io::Write as _;

use crate::servers::wait_until as until;
use crate::unslow::Unslow;

/// 12 MB that encode slowly.
const RANDOM: (&str, &str) = (
    "queries/random.sql",
    "-- ttl: 1h\n-- param: n integer = 1\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 600) \
     select i, hex(randomblob(10000)) as filler, :n as n from n",
);
const ROWS: (&str, &str) = (
    "queries/rows.sql",
    "-- ttl: 1h\n-- param: n integer\n-- max-rows: 5000\n\
     with recursive n(i) as (select 1 union all select i + 1 from n where i < :n) \
     select i, 'row ' || i || ' of them' as words from n",
);
const WIDE: (&str, &str) = (
    "queries/wide.sql",
    "-- ttl: 1h\nselect hex(zeroblob(4000000)) as filler, 'the end' as last \
     union all select 'short', 'of it'",
);

fn start(args: &[&str]) -> Unslow {
    let args = [&["--queries", "queries", "--max-entry", "64MiB"], args].concat();
    Unslow::start_with(&args, &[RANDOM, ROWS, WIDE], &[])
}

/// Returns how much work beside the workers was done, or is.
fn aside(unslow: &Unslow, member: &str) -> u64 {
    let stats = unslow.get("/stats.json").json();
    stats["aside"][member].as_u64().unwrap()
}

#[test]
fn a_body_is_encoded_beside_the_workers_which_answer_meanwhile() {
    let unslow = start(&[]);
    assert_eq!(unslow.get("/q/random.json").status, 200);
    let plain = aside(&unslow, "done");
    for (form, done) in [("random.json", 1), ("random.csv", 2), ("random", 3)] {
        // More than there are workers: one that did the work itself would answer nothing else.
        let ask = format!(
            "GET /q/{form} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: br\r\n\
             Connection: close\r\n\r\n"
        );
        let mut clients: Vec<_> = (0..8).map(|_| unslow.connect()).collect();
        for client in &mut clients {
            client.write_all(ask.as_bytes()).unwrap();
        }
        if form != "random" {
            until("it is done beside the workers", || {
                aside(&unslow, "running") > 0
            });
            assert_eq!(unslow.get("/healthz").status, 200);
        }
        let answer = unslow.get_with(&format!("/q/{form}"), &[("Accept-Encoding", "br")]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-encoding"), "br");
        until("all of it is done", || {
            aside(&unslow, "running") + aside(&unslow, "waiting") == 0
        });
        assert!(aside(&unslow, "done") >= plain + done, "{form}");
    }
    // Once for each format, however many asked for it.
    assert_eq!(unslow.numbers("random")["compressions"], 2);
}

#[test]
fn a_small_page_is_made_at_once_and_a_large_one_beside_the_workers() {
    let unslow = start(&["--page-rows", "5000"]);
    assert_eq!(unslow.get("/q/rows?n=100").status, 200);
    assert_eq!(unslow.get("/").status, 200);
    assert_eq!(aside(&unslow, "done"), 0);
    let page = unslow.get("/q/rows?n=3000").text();
    assert!(page.contains("row 3000 of them"));
    assert_eq!(aside(&unslow, "done"), 1);
}

#[test]
fn a_page_shows_the_first_rows_and_says_where_all_are() {
    let unslow = start(&[]);
    let page = unslow.get("/q/rows?n=1500").text().replace('\u{a0}', " ");
    assert!(page.contains("row 200 of them") && !page.contains("row 201 of them"));
    assert!(page.contains("200 of 1,500 rows are shown"), "{page}");
    assert_eq!(
        unslow.get("/q/rows.csv?n=1500").text().lines().count(),
        1501
    );
    // All of a short one is shown, and nothing is said.
    let page = unslow.get("/q/rows?n=200").text();
    assert!(page.contains("row 200 of them") && !page.contains("are shown"));
    assert_eq!(aside(&unslow, "done"), 1, "the CSV alone");
    let few = start(&["--page-rows", "3"]);
    let page = few.get("/q/rows?n=4").text();
    assert!(page.contains("row 3 of them") && !page.contains("row 4 of them"));
}

#[test]
fn a_page_of_long_values_shows_their_beginning_and_stays_small() {
    let unslow = start(&[]);
    let page = unslow.get("/q/wide");
    assert!(page.body.len() < 100_000, "{}", page.body.len());
    let text = page.text();
    assert!(text.contains("only the beginning is shown"), "{text}");
    assert!(text.contains("the end") && text.contains("of it"));
    assert!(unslow.get("/q/wide.json").body.len() > 8_000_000);
}
