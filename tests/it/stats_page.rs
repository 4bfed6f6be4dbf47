//! `/stats` as a page: what its address may ask for, the part that its script asks for, and its
//! headers. What a browser makes of it is in `browser`.

use crate::unslow::Unslow;

#[test]
fn what_is_unknown_in_the_address_is_refused_with_what_is_known() {
    let unslow = Unslow::demo();
    let cases: [(&str, &[&str]); 8] = [
        (
            "window=10m",
            &["window is one of", "1m", "5m", "1h", "start"],
        ),
        (
            "sort=speed",
            &["sort is one of", "query", "hit-ratio", "load-p99", "ttl"],
        ),
        ("sort=--query", &["sort is one of"]),
        (
            "refresh=0",
            &["refresh is a number of seconds from 1 to 3600"],
        ),
        ("refresh=ten", &["refresh is a number of seconds"]),
        ("part=all", &["part is numbers"]),
        ("windw=1m", &["window, sort, refresh and part"]),
        ("sort=query&sort=ttl", &["sort is given twice"]),
    ];
    for (query_string, words) in cases {
        for accept in ["text/html", "application/json"] {
            let path = format!("/stats?{query_string}");
            let answer = unslow.get_with(&path, &[("Accept", accept)]);
            assert_eq!(answer.status, 400, "{path}");
            let text = answer.text();
            for word in words {
                assert!(text.contains(word), "{path} lacks {word:?}: {text}");
            }
        }
    }
}

#[test]
fn every_window_and_every_column_can_be_asked_for() {
    let unslow = Unslow::demo();
    let sorted = unslow.get("/stats").text();
    let links = sorted.split("href=\"").skip(1);
    let links = links.filter_map(|rest| rest.split('"').next());
    let links: Vec<_> = links.filter(|link| link.starts_with("/stats?")).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        let link = link.replace("&amp;", "&");
        let link = link.split('#').next().unwrap();
        assert_eq!(unslow.get(link).status, 200, "{link}");
    }
}

#[test]
fn the_script_gets_the_numbers_alone_under_the_same_rule() {
    let unslow = Unslow::demo();
    unslow.get("/q/version.json");
    let page = unslow.get("/stats?window=1m&sort=-query").text();
    let from = page.split("data-from=\"").nth(1).unwrap();
    let from = from.split('"').next().unwrap().replace("&amp;", "&");
    assert_eq!(from, "/stats?window=1m&sort=-query&part=numbers");
    let part = unslow.get(&from);
    assert_eq!(part.status, 200);
    assert_eq!(part.header("cache-control"), "no-store");
    let text = part.text();
    assert!(
        text.starts_with("<div id=\"live\"") && text.ends_with("</div>"),
        "{text}"
    );
    assert!(
        !text.contains("<script") && text.contains("id=\"q-version\""),
        "{text}"
    );
    assert!(
        text.contains(
            "aria-sort=\"descending\"><a href=\"/stats?window=1m&amp;sort=query#queries\""
        )
    );

    let from_elsewhere = [("X-Forwarded-For", "203.0.113.7")];
    assert_eq!(unslow.get_with(&from, &from_elsewhere).status, 403);
}

#[test]
fn the_page_is_kept_by_nobody_and_runs_no_script_but_its_own() {
    let unslow = Unslow::demo();
    let page = unslow.get("/stats");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("vary").contains("Accept"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    let policy = page.header("content-security-policy");
    for wanted in [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
    ] {
        assert!(policy.contains(wanted), "{policy}");
    }
    let text = page.text();
    let script = text.split("<script src=\"").nth(1).unwrap();
    let script = unslow.get(script.split('"').next().unwrap());
    assert_eq!(script.status, 200);
    assert_eq!(
        script.header("content-type"),
        "text/javascript; charset=utf-8"
    );
    assert!(script.header("cache-control").contains("immutable"));
}

#[test]
fn home_and_statistics_compare_a_load_and_a_copy_in_the_same_words() {
    let unslow = Unslow::start(&["--demo-delay", "300ms", "--ttl", "1h"]);
    let heading = |path: &str| {
        let text = unslow.get(path).text();
        let heading = text
            .split("<h2 id=\"race\">")
            .nth(1)
            .expect("the comparison");
        let heading = heading.split("</h2>").next().unwrap();
        heading
            .replace("<span>", "")
            .replace("</span>", "")
            .replace('\u{a0}', " ")
    };
    assert_eq!(heading("/stats"), "Nothing has been loaded yet");
    let first = heading("/");
    assert!(first.starts_with("A load takes "), "{first}");
    assert!(first.ends_with("no copy has been served yet"), "{first}");
    assert!(heading("/").ends_with("× faster"));
    let all = heading("/stats");
    assert!(all.ends_with("× faster"), "{all}");
    assert!(all.starts_with("A load takes "), "{all}");
}
