//! The words that readers, and those who read pages by program, hold on to.

use super::samples;

fn page(wanted: &str) -> String {
    let pages = samples::pages(str::to_owned);
    let found = pages.into_iter().find(|(name, _)| name == wanted);
    found.expect("the sample").1.0.replace('\u{a0}', " ")
}

fn has(name: &str, words: &[&str]) {
    let text = page(name);
    for word in words {
        assert!(text.contains(word), "{name} lacks {word:?}: {text}");
    }
}

#[test]
fn home_has_the_form_of_the_original_page() {
    has(
        "home-miss",
        &[
            "<h2>Database Host</h2><p>unslow.c1x2y3z4",
            "<h2>Database Version</h2><p>PostgreSQL 16.4",
            "<h2>Elapsed Time</h2><p>5.02462s</p>",
        ],
    );
    has(
        "home-memory",
        &[
            "<p>0.00018s</p>",
            "From memory",
            "A load takes 5.02 s, a copy 0.18 ms:</span> 27,300× faster",
        ],
    );
}

#[test]
fn a_section_without_a_value_is_not_drawn() {
    assert!(!page("home-memory").contains("Not Known"));
}

#[test]
fn an_error_on_home_has_its_words_and_its_id_and_no_provenance() {
    has(
        "home-error",
        &[
            "we're currently experiencing technical difficulties",
            "Elapsed Time",
            "again in 2 s",
            "b7c1f0e2a94d",
        ],
    );
    let text = page("home-error");
    assert!(
        !text.contains("This answer") && !text.contains("This response"),
        "{text}"
    );
}

#[test]
fn home_says_in_words_where_the_answer_came_from() {
    has("home-redis", &["From Redis"]);
    has("home-stale", &["Stale, being refreshed", "no longer"]);
    has("home-stale-error", &["Stale, because loading fails"]);
    has("home-coalesced", &["Waited for another request’s load"]);
    has(
        "home-miss",
        &[
            "just loaded",
            "From the database",
            "this request ran the query",
        ],
    );
}

#[test]
fn links_to_other_formats_keep_the_parameters() {
    for suffix in ["json", "csv", "ndjson"] {
        has(
            "query-rows",
            &[&format!(
                "/q/revenue.{suffix}?region=mars+%26+co&amp;top=7\""
            )],
        );
    }
}

#[test]
fn a_query_that_lacks_a_parameter_asks_for_it() {
    has("query-ask", &["Fill in the form to run this query."]);
}

#[test]
fn a_refused_parameter_is_pointed_at() {
    has(
        "query-refused",
        &[
            "href=\"#p-top\"",
            "&quot;7x&quot; is not a whole number; it takes a whole number from 1 to 100</strong>",
        ],
    );
    has("query-unknown", &["unknown parameter", "did you mean"]);
}

#[test]
fn an_empty_catalog_says_how_to_fill_it() {
    has("catalog-empty", &["No queries yet", "[queries] dir"]);
    has(
        "catalog",
        &[
            "integer, 1 to 100, default 10",
            "fresh for up to 30 s",
            "never cached",
        ],
    );
}

#[test]
fn statistics_begin_with_words_and_the_worst_comes_first() {
    has(
        "stats",
        &[
            "Good</strong> The cache answers 98.8 % of requests.",
            "2 d 4 h",
        ],
    );
    let text = page("stats-worse");
    let at = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("no {words:?}: {text}"))
    };
    assert!(at("The database cannot be reached") < at("Redis cannot be reached (timeout)"));
    assert!(at("Redis cannot be reached") < at("The cache answers 41.0 %"));
    has(
        "stats-new",
        &[
            "Note</strong> Nothing has been asked yet.",
            "Turned off.",
            "Not configured",
            "Not asked yet",
        ],
    );
}

#[test]
fn a_query_that_a_reload_removed_keeps_its_row_and_has_no_link() {
    has("stats", &["<th scope=\"row\">gone (removed)</th>"]);
}

#[test]
fn the_query_the_database_spent_most_time_on_comes_first() {
    let text = page("stats");
    let at = |words: &str| text.find(words).expect("the row");
    assert!(at("href=\"/q/version\"") < at("href=\"/q/revenue\""));
    has(
        "stats",
        &[
            "datetime=\"2026-11-23T07:00:00Z\"",
            "<td class=\"num first\">1,284,310</td>",
        ],
    );
}

#[test]
fn an_error_page_has_status_words_and_id() {
    for status in [403, 404, 405, 413, 431, 500, 503, 504] {
        has(
            &format!("error-{status}"),
            &[&format!(">{status}</p>"), "b7c1f0e2a94d"],
        );
    }
    has(
        "error-404",
        &["Did you mean <a href=\"/q/revenue\">revenue</a>?"],
    );
    has("error-403", &["[stats] allow"]);
    has("error-503", &["again in 2 s"]);
}
