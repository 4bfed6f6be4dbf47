//! A crawl of the real server's pages: each link of each page leads to what it names, as a browser
//! would follow it, and the data behind the links of a result is that result.

use std::collections::{BTreeMap, VecDeque};

use url::{Url, form_urlencoded};

use crate::markup::{self, Tag};
use crate::unslow::{Answer, Unslow};

/// Values that have to be escaped in an address, in markup, or in both.
const ODD: [&str; 22] = [
    "a b",
    " a ",
    "a&b",
    "a&amp;b",
    "100%",
    "%zz",
    "%2B",
    "a+b",
    "#1",
    "?",
    "a=b",
    "a;b",
    "/../x",
    "\\",
    "\"q\"",
    "it's",
    "<b>",
    "ä€😀",
    "{}[]|^`",
    "a,b",
    "",
    "\u{202e}x",
];

const QUERIES: [(&str, &str); 4] = [
    (
        "queries/echo.sql",
        "-- title: Echo\n-- param: x text = null\n-- param: region text = any : any, eu\n\
         -- param: n integer = 3 : 1..9\n\
         select coalesce(:x, 'nothing') as x, :region as region, '<' || :n as n \
         union all select 'second', 'row', '\"'",
    ),
    (
        "queries/need.sql",
        "-- title: Need\n-- param: day date\n-- param: flag boolean = null\nselect :day as day, :flag as flag",
    ),
    (
        "queries/broken.sql",
        "-- title: Broken\n-- param: x text = null\nselect abs(-9223372036854775807 - 1), :x as x",
    ),
    (
        "queries/cut.sql",
        "-- title: Cut\n-- max-rows: 2\nselect name from products order by id",
    ),
];

/// An address of this server: path and query string, without the fragment.
fn target(base: &Url, link: &str) -> String {
    let url = base
        .join(link)
        .unwrap_or_else(|error| panic!("{link:?}: {error}"));
    assert_eq!(url.origin(), base.origin(), "{link:?} leads elsewhere");
    let query = url.query().map(|query| format!("?{query}"));
    url.path().to_owned() + &query.unwrap_or_default()
}

/// The addresses that this tag sends a browser to.
fn addresses(tag: &Tag) -> impl Iterator<Item = &str> {
    let names = [
        "href",
        "src",
        "action",
        "formaction",
        "data-from",
        "poster",
        "data",
        "cite",
    ];
    names.into_iter().filter_map(|name| tag.get(name))
}

/// A page's links, by what they are resolved to. Links to places of the page itself have to find
/// their place.
fn links(base: &Url, answer: &Answer) -> Vec<String> {
    let page = answer.text();
    let tags = markup::tags(&page);
    assert!(
        tags.iter().all(|tag| tag.name != "base"),
        "a page has a base: {page}"
    );
    let mut links = Vec::new();
    for link in tags.iter().flat_map(addresses) {
        if let Some(id) = link.strip_prefix('#') {
            assert!(
                tags.iter().any(|tag| tag.get("id") == Some(id)),
                "{base}: no {link}"
            );
        } else {
            links.push(target(base, link));
        }
    }
    // A form that shows what was refused, or waits for what is missing, is not sent as it is.
    if answer.status != 400
        && let Some((action, fields)) = markup::fields(&page)
    {
        links.push(target(base, &(action + "?" + &encoded(&fields))));
    }
    // A header names further addresses.
    for name in ["link", "location", "content-location", "refresh"] {
        assert!(
            !answer.headers.contains_key(name),
            "{base}: a header {name} is not followed yet"
        );
    }
    links
}

fn encoded(fields: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// Follows all links from these addresses on. Gives every answer by its address, and by which page
/// it was found.
fn crawl(unslow: &Unslow, seeds: &[String]) -> BTreeMap<String, (String, Answer)> {
    let mut found: BTreeMap<String, (String, Answer)> = BTreeMap::new();
    let mut next: VecDeque<_> = seeds
        .iter()
        .map(|seed| (String::new(), seed.clone()))
        .collect();
    while let Some((from, path)) = next.pop_front() {
        if found.contains_key(&path) {
            continue;
        }
        assert!(found.len() < 3_000, "the crawl does not end");
        let answer = unslow.get(&path);
        if answer
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
        {
            let base = Url::parse(&unslow.url).unwrap().join(&path).unwrap();
            let links = links(&base, &answer);
            next.extend(links.into_iter().map(|link| (path.clone(), link)));
        }
        found.insert(path, (from, answer));
    }
    found
}

/// The rows of data as texts, by the columns' names in CSV.
fn data_rows(unslow: &Unslow, path: &str, suffix: &str) -> Vec<Vec<String>> {
    let (stem, query) = path.split_once('?').unwrap_or((path, ""));
    let at = |suffix: &str| {
        let answer = unslow.get(&format!("{stem}.{suffix}?{query}"));
        assert_eq!(
            answer.status,
            200,
            "{stem}.{suffix}?{query}: {}",
            answer.text()
        );
        answer
    };
    let csv = at("csv").body;
    let mut csv = csv::Reader::from_reader(&csv[..]);
    let columns: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
    let of_json = |row: &serde_json::Value| {
        let cell = |name| {
            row[name]
                .as_str()
                .map_or_else(|| row[name].to_string(), str::to_owned)
        };
        columns.iter().map(cell).collect()
    };
    match suffix {
        "csv" => csv
            .records()
            .map(|row| row.unwrap().iter().map(str::to_owned).collect())
            .collect(),
        "json" => at("json").json()["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(of_json)
            .collect(),
        _ => at("ndjson")
            .text()
            .lines()
            .map(|line| of_json(&serde_json::from_str(line).unwrap()))
            .collect(),
    }
}

fn seeds() -> Vec<String> {
    let odd = ODD.iter().flat_map(|value| {
        let value = encoded(&[("x".to_owned(), (*value).to_owned())]);
        [
            format!("/q/echo?{value}&region=eu"),
            format!("/?{value}&n=5"),
        ]
    });
    let others = [
        "/",
        "/q",
        "/q/echo",
        "/q/need",
        "/q/cut",
        "/stats",
        "/nope",
        "/q/ecko",
        "/q/echo?region=mars",
        "/q/echo?nonsense=1",
        "/q/echo?x=%ff",
        "/q/need?day=2026-02-30",
        "/q/need?day=2026-02-03&flag=true",
        "/q/broken",
        "/q/broken?x=a%26b",
        "/stats?sort=speed",
        "/stats?refresh=10&window=1h&sort=-query",
        "/q/echo?x=a+b",
        "/q/echo?x=%zz",
        "/q/echo?&&x=1&",
        "/q/echo?x=a;b",
        "/q/echo?x=a=b",
        "/q/echo?x",
        "/q/echo?x=%3Cb%3E%22'",
        "/q/echo?",
        "/q/revenue?region=eu&top=3",
        "/q/orders?product=a%26b",
    ];
    others
        .iter()
        .map(|seed| (*seed).to_owned())
        .chain(odd)
        .collect()
}

/// The answers that are meant to be none: a query that lacks a parameter asks for it, and says so
/// to scripts by its status.
fn is_documented(path: &str, status: u16) -> bool {
    match status {
        200 => true,
        400 => path == "/q/need",
        // The query itself fails, however often somebody tries again.
        500 | 503 => path.starts_with("/q/broken"),
        _ => false,
    }
}

#[test]
fn every_link_of_every_page_leads_to_what_it_names() {
    let args = [
        "--demo-delay",
        "0s",
        "--ttl",
        "1h",
        "--queries",
        "queries",
        "--home",
        "echo",
    ];
    let unslow = Unslow::start_with(&args, &QUERIES, &[]);
    let seeds = seeds();
    let found = crawl(&unslow, &seeds);
    for (path, (from, answer)) in &found {
        let status = answer.status;
        assert!(
            from.is_empty() || is_documented(path, status),
            "{from} leads to {path}, which is a {status}: {}",
            answer.text()
        );
    }
    // Every kind of page and of data was reached by links alone.
    for path in [
        "/q/broken.csv",
        "/openapi.json",
        "/metrics",
        "/stats.txt",
        "/q/echo.ndjson",
        "/q/cut",
        "/q/need?day=2026-02-03&flag=true",
    ] {
        assert!(
            found.contains_key(path),
            "{path} was not reached: {:?}",
            found.keys()
        );
    }
    assert!(found.len() > 200, "{}", found.len());
}

#[test]
fn the_links_of_a_result_lead_to_the_same_rows() {
    let args = [
        "--demo-delay",
        "0s",
        "--ttl",
        "1h",
        "--queries",
        "queries",
        "--home",
        "echo",
    ];
    let unslow = Unslow::start_with(&args, &QUERIES, &[]);
    let base = Url::parse(&unslow.url).unwrap();
    let mut compared = 0;
    for seed in seeds()
        .iter()
        .filter(|seed| seed.starts_with("/q/") || seed.starts_with("/?"))
    {
        let answer = unslow.get(seed);
        let url = base.join(seed).unwrap();
        // The home page shows the first row of what its own link shows as a table.
        let is_home = seed.starts_with("/?");
        let own = if is_home { "/q/echo" } else { url.path() };
        let page = answer.text();
        let shown = markup::rows(&page);
        if answer.status != 200 || !(is_home || shown.is_some()) {
            continue;
        }
        let shown = shown.unwrap_or_else(|| {
            let args: Vec<_> = url.query_pairs().into_owned().collect();
            let table = unslow.get(&format!("/q/echo?{}", encoded(&args)));
            markup::rows(&table.text()).unwrap()
        });
        let links = links(&url, &answer);
        let below = |link: &&String| {
            let path = link.split('?').next().unwrap();
            path == own
                || path
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.starts_with('.'))
        };
        let mut own_links: Vec<&String> = links.iter().filter(below).collect();
        // The one that takes all parameters back is meant to lead elsewhere.
        if !is_home && page.contains(">Reset<") {
            let reset = own_links.iter().position(|link| *link == own).unwrap();
            own_links.remove(reset);
            // It is the form's own address, which no browser asks for without its fields.
            let action = own_links.iter().position(|link| *link == own).unwrap();
            own_links.remove(action);
        }
        assert!(own_links.len() >= 3, "{seed}: {own_links:?}");
        for link in own_links {
            let (path, query) = link.split_once('?').unwrap_or((link, ""));
            let rows = match path.rsplit_once('.') {
                Some((stem, suffix)) => data_rows(&unslow, &format!("{stem}?{query}"), suffix),
                None => markup::rows(&unslow.get(link).text()).unwrap_or_else(|| panic!("{link}")),
            };
            assert_eq!(rows, shown, "{seed}: {link}");
            compared += 1;
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn pages_without_a_database_have_no_dead_link_either() {
    let database = "postgres://nobody@127.0.0.1:1/none";
    let unslow = Unslow::start_with(
        &["--database-url", database, "--queries", "queries"],
        &[("queries/echo.sql", QUERIES[0].1)],
        &[],
    );
    let found = crawl(
        &unslow,
        &["/".to_owned(), "/q/echo?x=a%26b&region=eu".to_owned()],
    );
    let again = "/q/echo?x=a%26b&region=eu";
    assert!(
        found.contains_key("/q/echo?x=a%26b&region=eu&n=3"),
        "{:?}",
        found.keys()
    );
    assert_eq!(found[again].1.status, 503);
    assert!(
        markup::tags(&found[again].1.text())
            .iter()
            .any(|tag| tag.get("href") == Some(again))
    );
    for (path, (from, answer)) in found {
        let is_query = path == "/" || path.starts_with("/q/");
        let expected = if is_query { 503 } else { 200 };
        assert_eq!(
            answer.status,
            expected,
            "{from} leads to {path}: {}",
            answer.text()
        );
    }
}
