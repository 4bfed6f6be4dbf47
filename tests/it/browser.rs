//! The pages as a browser shows them: the real binary, a headless Chromium, and what a visitor
//! sees and does. What can be read off the markup alone is tested below `view`.

mod axe;
mod chromium;
mod live;

use serde_json::{Value, json};

use crate::unslow::Unslow;
use chromium::{Browser, ENTER, TAB};

/// Queries that bring out states which the demo's own do not.
const QUERIES: [(&str, &str); 6] = [
    (
        "queries/wide.sql",
        "-- title: Many columns\nselect 1 as id, 'a name of some length' as customer, \
         '2026-11-23T09:11:56.771675+00:00' as ordered_at, 'c4ca4238a0b923820dcc509a6f75849b' as token, \
         null as missing, 12345.67 as amount, 'one more text' as words, 'and another' as further, \
         'a sentence that is long enough to be broken into more than one line of the table' as remark, \
         '<b>no markup</b> &amp; no entities' as markup",
    ),
    (
        "queries/need.sql",
        "-- title: One of each type\n-- param: day date\n-- param: n integer : 1..10\n\
         -- param: big bigint = null\n-- param: at timestamp = null\n-- param: ref uuid = null\n\
         -- param: flag boolean = null\n-- param: x number = 0.5\n-- param: word text = null\n\
         select :day as day, :n as n, :big as big, :at as at, :ref as ref, :flag as flag, :x as x, \
         :word as word",
    ),
    (
        "queries/empty.sql",
        "-- title: No rows\nselect 1 as one, 2 as two where false",
    ),
    (
        "queries/cut.sql",
        "-- title: Cut off\n-- max-rows: 3\nselect id, name from products order by id",
    ),
    (
        "queries/off.sql",
        "-- title: Not kept\n-- cache: off\nselect 1 as one",
    ),
    (
        "queries/broken.sql",
        "-- title: Broken\nselect abs(-9223372036854775807 - 1) as no",
    ),
];

/// Every page in its states, each with the words that show that it is the state that was meant.
const PAGES: [(&str, &str); 17] = [
    ("/stats", "Nothing has been asked yet"),
    ("/", "From the database"),
    ("/", "From memory"),
    ("/q", "Revenue by product"),
    ("/q/revenue", "From the database"),
    ("/q/revenue?region=eu&top=3", "3 rows"),
    ("/q/revenue?region=eu&top=99", "The query was not run"),
    ("/q/revenue?regoin=eu", "Unknown parameter"),
    ("/q/orders?limit=40", "40 rows"),
    ("/q/wide", "no markup"),
    ("/q/need", "Fill in the form"),
    ("/q/empty", "No rows"),
    ("/q/cut", "there are more"),
    ("/q/off", "From the database, not cached"),
    ("/q/broken", "technical difficulties"),
    ("/q/revenu", "Did you mean"),
    ("/stats", "failed: broken"),
];

fn demo() -> Unslow {
    let args = ["--demo-delay", "100ms", "--queries", "queries"];
    Unslow::start_with(&args, &QUERIES, &[])
}

/// Starts a server whose database is not there.
fn away() -> Unslow {
    let database = "postgres://nobody@127.0.0.1:1/none";
    Unslow::start(&[
        "--database-url",
        database,
        "--redis-url",
        "redis://127.0.0.1:1",
    ])
}

const PAGES_AWAY: [(&str, &str); 2] = [
    ("/", "technical difficulties"),
    ("/stats", "The database cannot be reached"),
];

/// Goes through all pages and hands each to `look`, with a name for messages.
fn through_all_pages(browser: &Browser, mut look: impl FnMut(&str, &Unslow)) {
    let servers = [(demo(), &PAGES[..]), (away(), &PAGES_AWAY[..])];
    for (unslow, pages) in &servers {
        for (path, words) in *pages {
            browser.open(&format!("{}{path}", unslow.url));
            let shown = browser.text("document.querySelector('main').textContent");
            let shown = shown.replace('\u{a0}', " ");
            // The style makes the first letter a capital.
            let meant = shown.to_lowercase().contains(&words.to_lowercase());
            assert!(meant, "{path} lacks {words:?}: {shown}");
            look(&format!("{path} ({words})"), unslow);
        }
    }
}

const THEMES: [&str; 2] = ["light", "dark"];

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_a_visitor_waits_once_and_then_sees_the_cache_answer() {
    let unslow = Unslow::start(&["--demo-delay", "600ms", "--ttl", "1h"]);
    let browser = Browser::start();
    let elapsed = || -> f64 {
        let text = browser.text("document.querySelector('.elapsed p').textContent");
        let digits = text.strip_suffix('s').unwrap();
        assert_eq!(digits.split_once('.').unwrap().1.len(), 5, "{text}");
        digits.parse().unwrap()
    };
    let source = || browser.text("document.querySelector('#answer').textContent");
    let headline = || browser.text("document.querySelector('#race').textContent");

    browser.open(&unslow.url);
    assert_eq!(source(), "From the database");
    let none_yet = headline();
    assert!(
        none_yet.ends_with("no copy has been served yet"),
        "{none_yet}"
    );
    let loaded = elapsed();
    assert!(loaded >= 0.6, "it slept 0.6 s and took {loaded}");

    browser.follow("main a.button");
    assert_eq!(source(), "From memory");
    let served = elapsed();
    assert!(served < loaded, "{served} and {loaded}");
    assert!(headline().ends_with("× faster"), "{}", headline());
    // A load, a copy, this response.
    let bars = browser.script(
        "return ['.long', 'div .short', 'div:last-child .short'].map(kind => {
           const bar = document.querySelector('.race dl ' + kind);
           return bar.getBoundingClientRect().width / bar.parentElement.getBoundingClientRect().width;
         })",
    );
    let [long, copy, response] = [0, 1, 2].map(|bar| bars[bar].as_f64().unwrap());
    assert!((long - 1.0).abs() < 0.01, "{bars}");
    // To scale, and never too thin to be seen.
    let drawn = (served / loaded).max(0.015);
    assert!(
        (response - drawn).abs() < 0.01,
        "{bars}: {served} of {loaded}"
    );
    assert!((copy - 0.015).abs() < 0.01, "{bars}");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_the_form_works_without_script() {
    let unslow = demo();
    let browser = Browser::start();
    let off = json!({ "value": true });
    browser.devtools("Emulation.setScriptExecutionDisabled", &off);
    let value = |id: &str| browser.text(&format!("document.getElementById('{id}').value"));
    let address = || browser.text("location.href");
    browser.open(&format!("{}/q/revenue", unslow.url));
    assert_eq!(value("p-top"), "10");

    browser.fill("#p-top", "3");
    browser.click("#p-region option[value=eu]");
    browser.follow("form button");
    assert!(address().ends_with("?since=2026-01-01&region=eu&kind=any&top=3"));
    assert_eq!(
        (value("p-region"), value("p-top")),
        ("eu".into(), "3".into())
    );
    let rows = browser.script("return document.querySelectorAll('tbody tr').length");
    assert_eq!(rows, 3);

    // The browser itself holds back a value out of range …
    let before = address();
    browser.fill("#p-top", "99");
    browser.click("form button");
    assert_eq!(address(), before);

    // … and an address that was typed is refused at its field, with the rest kept.
    browser.open(&format!("{}/q/revenue?region=eu&top=99", unslow.url));
    assert_eq!(
        (value("p-region"), value("p-top")),
        ("eu".into(), "99".into())
    );
    let marked = browser
        .script("return [...document.querySelectorAll('[aria-invalid]')].map(field => field.id)");
    assert_eq!(marked, json!(["p-top"]));
    let about = browser.text("document.getElementById('p-top-about').textContent");
    assert!(about.contains("99") && about.contains("1 to 12"), "{about}");
    browser.click(".alert a");
    browser.wait_for("document.activeElement.id === 'p-top'");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_the_keyboard_reaches_everything_and_shows_where_it_is() {
    let unslow = demo();
    let browser = Browser::start();
    let focus = || browser.script(include_str!("browser/focus.js"));
    for theme in THEMES {
        browser.looks(390, theme);
        for path in ["/", "/q/revenue?region=eu&top=99", "/q/wide", "/stats"] {
            browser.open(&format!("{}{path}", unslow.url));
            let stops = focus()["stops"].as_i64().unwrap();
            assert!(stops > 5, "{path}: {stops}");
            let mut next = 0;
            while next < stops {
                browser.press(TAB);
                let at = focus();
                // A date has several places of its own in one input.
                if next > 0 && at["place"] == next - 1 {
                    continue;
                }
                assert_eq!(at["place"], next, "{path}: {at}");
                assert_eq!(at["ringed"], true, "{theme} {path}: {at}");
                assert_eq!(at["inside"], true, "{path}: {at}");
                next += 1;
            }
        }
    }
    browser.open(&unslow.url);
    browser.press(TAB);
    browser.press(ENTER);
    browser.wait_for("document.activeElement.id === 'content'");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_no_page_scrolls_sideways_and_every_text_can_be_read_in_both_themes() {
    let browser = Browser::start();
    through_all_pages(&browser, |name, _| {
        for theme in THEMES {
            for width in [320, 390, 1280, 1920] {
                browser.looks(width, theme);
                let wide = browser.script("return document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().unwrap() <= width.into(),
                    "{name} at {width}: {wide}"
                );
            }
            let found = browser.script(include_str!("browser/contrast.js"));
            assert_eq!(found["low"], json!([]), "{theme} {name}");
            assert!(found["texts"].as_u64().unwrap() > 10, "{name}: {found}");
        }
    });
    // The measure itself can tell, and so can the theme.
    let page = |theme: &str| {
        browser.looks(390, theme);
        browser.text("getComputedStyle(document.body).backgroundColor")
    };
    assert_ne!(page("light"), page("dark"));
    browser.script("document.querySelector('h1').style.color = 'rgb(120, 130, 140)'");
    browser.script("document.querySelector('h1').style.minWidth = '400px'");
    let found = browser.script(include_str!("browser/contrast.js"));
    assert_eq!(found["low"].as_array().unwrap().len(), 1, "{found}");
    let wide = browser.script("return document.documentElement.scrollWidth");
    assert!(wide.as_u64().unwrap() > 390, "{wide}");
}

/// The message of the console about a page that is not a 200; it is the browser's, not a fault of
/// the page.
const STATUS: &str = "Failed to load resource: the server responded with a status of";
/// Its message about a date in the address that is none.
const NO_DATE: &str = "does not conform to the required format";

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_nothing_is_asked_of_others_and_the_console_stays_empty() {
    let browser = Browser::start();
    let mut asked = 0;
    through_all_pages(&browser, |name, unslow| {
        let faults: Vec<_> = browser
            .console()
            .into_iter()
            .filter(|line| !line.contains(STATUS) && !line.contains(NO_DATE))
            .collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
        // A picture in the address itself, as of the browser's own calendar, is asked of nobody.
        let mut requests = browser.requests();
        requests.retain(|url| !url.starts_with("data:"));
        for url in requests {
            assert!(url.starts_with(&unslow.url), "{name} asked for {url}");
            asked += 1;
        }
    });
    assert!(asked > PAGES.len(), "{asked}");
    // The console does tell, and the policy does hold.
    browser.script("document.body.setAttribute('onclick', 'alert(1)'); document.body.click()");
    let console = browser.console().join("\n");
    assert!(console.contains("Content Security Policy"), "{console}");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_style_and_icon_are_loaded_once_and_kept() {
    let unslow = demo();
    let browser = Browser::start();
    // Sizes that went over the wire: nothing for what was kept.
    let styles = "return performance.getEntriesByType('resource')
        .filter(entry => entry.name.includes('/static/style-'))
        .map(entry => [entry.name, entry.transferSize])";
    let size = |entries: &Value| entries[0][1].as_u64().unwrap();
    browser.open(&format!("{}/q", unslow.url));
    let first = browser.script(styles);
    assert!(size(&first) > 0, "{first}");
    browser.follow("nav a[href='/stats']");
    let second = browser.script(styles);
    assert_eq!(first[0][0], second[0][0]);
    assert_eq!(size(&second), 0, "{second}");

    let icon = browser.script(
        "const icon = new Image();
         icon.src = document.querySelector('link[rel=icon]').href;
         return icon.decode().then(() => [new URL(icon.src).pathname, icon.naturalWidth])",
    );
    assert!(icon[1].as_u64().unwrap() > 0, "{icon}");
    for path in [icon[0].as_str().unwrap(), first[0][0].as_str().unwrap()] {
        let answer = unslow.get(path.trim_start_matches(&unslow.url));
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.header("cache-control").contains("immutable"),
            "{path}"
        );
    }
}
