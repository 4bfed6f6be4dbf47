//! The script of [`counters`](super::counters) in every form that shows numbers: CSV, lines,
//! metrics and the page say the same of it, for each query and for all.

use std::collections::HashMap;

use serde_json::Value;

use super::counters::{expected, expected_total, play};
use crate::unslow::Unslow;

/// Whatever shows numbers, as far as it shows them: by query (`""`: all) and name.
type Shown = HashMap<(String, String), u64>;

/// The counts that every form has.
const COUNTS: [&str; 9] = [
    "requests",
    "hit_memory",
    "hit_redis",
    "stale",
    "coalesced",
    "miss",
    "bypass",
    "error",
    "loads",
];

fn take(shown: &mut Shown, query: &str, name: &str, count: &str) {
    let count = count.replace(',', "");
    let count: u64 = count
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {count:?}"));
    *shown
        .entry((query.to_owned(), name.to_owned()))
        .or_default() += count;
}

fn csv(unslow: &Unslow) -> Shown {
    let text = unslow.get("/stats.csv").text();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let at = |name: &str| head.iter().position(|column| *column == name).unwrap();
    let mut shown = Shown::new();
    for row in rows {
        for name in COUNTS.into_iter().chain(["load_errors"]) {
            take(&mut shown, row[at("query")], name, row[at(name)]);
        }
    }
    shown
}

fn lines(unslow: &Unslow) -> Shown {
    let mut shown = Shown::new();
    for line in unslow.get("/stats.txt").text().lines() {
        let (place, value) = line.split_once(": ").unwrap();
        let mut parts = place.split('.');
        let query = match parts.next() {
            Some("total") => "",
            Some("queries") => parts.next().unwrap(),
            _ => continue,
        };
        if let (Some(name), None) = (parts.next(), parts.next())
            && (COUNTS.contains(&name) || name == "load_errors")
        {
            take(&mut shown, query, name, value);
        }
    }
    shown
}

fn metrics(unslow: &Unslow) -> Shown {
    let mut shown = Shown::new();
    for line in unslow.get("/metrics").text().lines() {
        let Some((name, rest)) = line.split_once("{query=\"") else {
            continue;
        };
        let (query, rest) = rest.split_once('"').unwrap();
        let name = match name {
            "unslow_requests_total" => "requests",
            "unslow_hits_total" if rest.contains("memory") => "hit_memory",
            "unslow_hits_total" => "hit_redis",
            "unslow_stale_served_total" => "stale",
            "unslow_coalesced_total" => "coalesced",
            "unslow_misses_total" => "miss",
            "unslow_bypassed_total" => "bypass",
            "unslow_request_errors_total" => "error",
            "unslow_loads_total" => "loads",
            "unslow_load_errors_total" => "load_errors",
            _ => continue,
        };
        let count = rest.rsplit_once(' ').unwrap().1;
        for whose in [query, ""] {
            take(&mut shown, whose, name, count);
        }
    }
    shown
}

/// The table of queries on the page, by the headings that sort it.
fn page(unslow: &Unslow) -> Shown {
    let text = unslow.get("/stats").text();
    let (_, table) = text.split_once("<table class=\"stats grouped\">").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let columns: Vec<&str> = table
        .split("?sort=")
        .skip(1)
        .map(|link| link.split(['#', '&']).next().unwrap())
        .map(|name| name.trim_start_matches('-'))
        .collect();
    let mut shown = Shown::new();
    let rows = table
        .split("<tr")
        .filter(|row| row.contains("scope=\"row\""));
    for row in rows {
        let cells: Vec<&str> = row
            .split("</t")
            .filter_map(|cell| cell.strip_suffix('\n').unwrap_or(cell).rsplit('>').next())
            .collect();
        // The first cell holds a link, or the word for all.
        let query = row.split_once("href=\"/q/");
        let query = query.map_or("", |(_, name)| name.split('"').next().unwrap());
        let first = cells.iter().position(|cell| {
            let digits = cell.replace(',', "");
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        let cells = &cells[first.unwrap()..];
        for (column, cell) in columns[1..].iter().zip(cells) {
            let name = match *column {
                "memory" => "hit_memory",
                "redis" => "hit_redis",
                "load-errors" => "load_errors",
                name if COUNTS.contains(&name) => name,
                _ => continue,
            };
            take(&mut shown, query, name, cell);
        }
    }
    shown
}

#[test]
fn every_form_shows_the_counts_of_a_script_alike() {
    let played = play();
    let (expected, total) = (expected(), expected_total());
    let queries = expected.as_object().unwrap();
    for (form, shown) in [
        ("CSV", csv(&played.unslow)),
        ("lines", lines(&played.unslow)),
        ("metrics", metrics(&played.unslow)),
        ("the page", page(&played.unslow)),
    ] {
        let all = queries.iter().map(|(query, numbers)| (&**query, numbers));
        for (query, numbers) in all.chain([("", &total)]) {
            for name in COUNTS.into_iter().chain(["load_errors"]) {
                let found = shown.get(&(query.to_owned(), name.to_owned()));
                let found = found.unwrap_or_else(|| panic!("no {name} of {query:?} in {form}"));
                let wanted = numbers.get(name).and_then(Value::as_u64).unwrap_or(0);
                assert_eq!(*found, wanted, "{name} of {query:?} in {form}");
            }
        }
    }
}
