//! The statistics page while it is open: it keeps itself up to date, and out of the reader's way.

use serde_json::json;

use super::chromium::{Browser, TAB};
use crate::servers::wait_until;
use crate::unslow::Unslow;

/// The row of a query, and its requests in it.
fn requests(query: &str) -> String {
    format!("document.querySelector('#q-{query} td').textContent")
}

fn demo() -> Unslow {
    Unslow::start(&["--demo-delay", "100ms", "--ttl", "1h"])
}

fn opened(unslow: &Unslow, path: &str) -> Browser {
    let browser = Browser::start();
    browser.open(&format!("{}{path}", unslow.url));
    browser
}

/// Returns how often the page has asked for its numbers.
fn asked(browser: &Browser) -> u64 {
    let count = "return performance.getEntriesByType('resource')
        .filter(entry => entry.name.includes('part=numbers')).length";
    browser.script(count).as_u64().unwrap()
}

/// Makes the page ask now, as when a reader comes back to it, and waits until it has.
fn update(browser: &Browser) {
    let before = asked(browser);
    browser.script("document.dispatchEvent(new Event('visibilitychange'))");
    wait_until("the page has asked", || asked(browser) > before);
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_the_numbers_grow_by_themselves_without_a_reload() {
    let unslow = demo();
    unslow.get("/q/version.json");
    let browser = opened(&unslow, "/stats");
    let page = browser.script("return performance.timeOrigin");
    browser.wait_for(&format!("{} === '1'", requests("version")));
    let status = browser.text("document.getElementById('state').textContent");
    assert!(status.starts_with("Live, "), "{status}");
    for _ in 0..6 {
        unslow.get("/q/version.json");
    }
    // Nobody does anything: its own clock is what this waits for.
    browser.wait_for(&format!("{} === '7'", requests("version")));
    assert_eq!(browser.script("return performance.timeOrigin"), page);
    assert_eq!(browser.console(), Vec::<String>::new());
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_what_the_reader_does_is_left_alone() {
    let unslow = demo();
    unslow.get("/q/version.json");
    let browser = opened(&unslow, "/stats?sort=requests");
    // Focus on a link of a row that will move, a table scrolled, something unfolded, words selected.
    browser.looks(390, "light");
    browser.script(
        "document.querySelector('#q-revenue a').focus();
         document.querySelector('#queries').closest('.scroll').scrollLeft = 40;
         document.querySelector('details.words').open = true;
         const dealings = document.querySelector('#live details');
         if (dealings) dealings.open = true;
         scrollTo(0, 500);
         getSelection().selectAllChildren(document.querySelector('#queries h2'));",
    );
    let state = || {
        browser.script(
            "return [document.activeElement.textContent,
               document.querySelector('#queries').closest('.scroll').scrollLeft,
               [...document.querySelectorAll('details')].map(folded => folded.open),
               getSelection().toString(), scrollY]",
        )
    };
    let order = "[...document.querySelectorAll('#live tr[id^=q-]')].map(row => row.id).join(' ')";
    let before = (state(), browser.text(order));
    assert_eq!(before.0[0], "revenue");
    assert!(before.1.starts_with("q-version "), "{}", before.1);
    for _ in 0..3 {
        unslow.get("/q/revenue.json");
    }
    update(&browser);
    browser.wait_for(&format!("{} === '3'", requests("revenue")));
    assert!(browser.text(order).starts_with("q-revenue "));
    assert_eq!(state(), before.0);
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_a_paused_page_asks_for_nothing_until_it_goes_on() {
    let unslow = demo();
    let browser = opened(&unslow, "/stats");
    update(&browser);
    browser.click("#pause");
    let label = || browser.text("document.getElementById('pause').textContent");
    let status = || browser.text("document.getElementById('state').textContent");
    assert_eq!(label(), "Resume");
    assert!(status().starts_with("Paused at "), "{}", status());
    let before = asked(&browser);
    unslow.get("/q/version.json");
    // Longer than the page would wait: by a clock of its own, so that a slow machine is no harm.
    browser.script("window.over = false; setTimeout(() => { window.over = true }, 6000)");
    browser.script("document.dispatchEvent(new Event('visibilitychange'))");
    browser.wait_for("window.over");
    assert_eq!(asked(&browser), before);
    assert_eq!(browser.text(&requests("version")), "0");
    browser.click("#pause");
    browser.wait_for(&format!("{} === '1'", requests("version")));
    assert_eq!(label(), "Pause");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_a_server_that_is_gone_makes_the_page_stale_and_back_makes_it_live() {
    let unslow = demo();
    let browser = opened(&unslow, "/stats");
    let off = |offline: bool| {
        let conditions = json!({ "offline": offline, "latency": 0,
            "downloadThroughput": -1, "uploadThroughput": -1 });
        browser.devtools("Network.enable", &json!({}));
        browser.devtools("Network.emulateNetworkConditions", &conditions);
    };
    let at = browser.text("document.getElementById('live').dataset.at");
    off(true);
    let stale = format!("document.getElementById('state').textContent === 'Stale since {at} UTC'");
    browser.wait_for(&stale);
    // The text that was there stays readable.
    assert!(
        browser
            .text("document.querySelector('main').textContent")
            .contains("Queries")
    );
    off(false);
    browser.wait_for("document.getElementById('state').textContent.startsWith('Live, ')");
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_a_heading_sorts_the_table_and_sorts_it_back() {
    let unslow = demo();
    for _ in 0..3 {
        unslow.get("/q/orders.json?limit=3");
    }
    unslow.get("/q/version.json");
    let browser = opened(&unslow, "/stats?window=start");
    let first = || browser.text("document.querySelector('#live tr[id^=q-]').id");
    let sorted = || {
        browser.script(
            "return [...document.querySelectorAll('#live [aria-sort]')]
               .map(heading => [heading.textContent, heading.getAttribute('aria-sort')])",
        )
    };
    assert_eq!(sorted(), json!([["Total time", "descending"]]));
    browser.follow("a[href^='/stats?sort=requests']");
    assert_eq!(sorted(), json!([["Requests", "descending"]]));
    assert_eq!(first(), "q-orders");
    // One sees the table that was asked for, and live it stays in that order.
    browser
        .wait_for("document.getElementById('queries').getBoundingClientRect().top < innerHeight");
    update(&browser);
    assert_eq!(first(), "q-orders");
    browser.follow("a[href^='/stats?sort=-requests']");
    assert_eq!(sorted(), json!([["Requests", "ascending"]]));
    assert_ne!(first(), "q-orders");
    browser.follow("a[href^='/stats?sort=query']");
    assert_eq!(sorted(), json!([["Query", "ascending"]]));
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_without_script_the_page_is_whole_and_refreshes_only_where_it_is_asked_to() {
    let unslow = demo();
    let browser = Browser::start();
    let off = json!({ "value": true });
    browser.devtools("Emulation.setScriptExecutionDisabled", &off);
    browser.open(&format!("{}/stats", unslow.url));
    let shown = |selector: &str| {
        browser.script(&format!(
            "return document.querySelector('{selector}').checkVisibility()"
        ))
    };
    assert_eq!(shown("#pause"), false);
    unslow.get("/q/version.json");
    browser.follow(".controls a.button");
    assert_eq!(browser.text(&requests("version")), "1");

    browser.follow(".controls noscript a");
    assert!(browser.text("location.href").ends_with("/stats?refresh=10"));
    let stop = browser.text("document.querySelector('.controls noscript a').textContent");
    assert_eq!(stop, "Stop refreshing every 10 s");
    // Seconds that a test can wait for.
    browser.open(&format!("{}/stats?refresh=1", unslow.url));
    unslow.get("/q/version.json");
    browser.wait_for(&format!("{} === '2'", requests("version")));
    browser.follow(".controls noscript a");
    assert!(browser.text("location.href").ends_with("/stats"));
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_with_script_a_refresh_that_was_asked_for_loads_nothing_anew() {
    let unslow = demo();
    let browser = opened(&unslow, "/stats?refresh=1");
    let page = browser.script("return performance.timeOrigin");
    unslow.get("/q/version.json");
    browser.wait_for(&format!("{} === '1'", requests("version")));
    assert_eq!(browser.script("return performance.timeOrigin"), page);
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_the_keyboard_pauses_the_page() {
    let unslow = demo();
    let browser = opened(&unslow, "/stats");
    for _ in 0..20 {
        browser.press(TAB);
        if browser.script("return document.activeElement.id") == "pause" {
            browser.press(super::chromium::ENTER);
            let paused = "document.getElementById('state').textContent.startsWith('Paused')";
            return browser.wait_for(paused);
        }
    }
    panic!("the keyboard does not come to the button");
}
