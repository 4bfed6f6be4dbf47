//! Structure that every page keeps: what the CSP forbids is not there, and what a screen reader
//! goes by is.

use std::collections::HashSet;

use super::dom::{Element, elements};
use super::samples;

fn all() -> Vec<(String, Vec<Element>)> {
    let pages = samples::pages(str::to_owned);
    pages
        .into_iter()
        .map(|(name, page)| (name, elements(&page.0)))
        .collect()
}

fn named<'a>(page: &'a [Element], name: &str) -> Vec<&'a Element> {
    page.iter().filter(|element| element.name == name).collect()
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, page) in all() {
        for element in &page {
            let inside = element.name == "script" && element.get("src").is_none();
            assert!(
                !inside && !["style", "iframe", "base"].contains(&element.name.as_str()),
                "{name}"
            );
            for (key, value) in &element.attributes {
                assert!(
                    key != "style" && !key.starts_with("on"),
                    "{name}: {element:?}"
                );
                assert!(
                    !value.contains("://") && !value.starts_with("//"),
                    "{name}: {element:?}"
                );
            }
        }
    }
}

#[test]
fn every_page_says_where_one_is() {
    let mut titles = HashSet::new();
    for (name, page) in all() {
        assert_eq!(named(&page, "html")[0].get("lang"), Some("en"), "{name}");
        let title = &named(&page, "title")[0].text;
        assert!(
            title.ends_with(" · unslow") && title.len() > 10,
            "{name}: {title}"
        );
        titles.insert(title.clone());
        let meta = |wanted: &str| {
            named(&page, "meta")
                .iter()
                .any(|meta| meta.get("name") == Some(wanted))
        };
        assert!(meta("viewport") && meta("color-scheme"), "{name}");
        assert_eq!(named(&page, "h1").len(), 1, "{name}");
        assert_eq!(named(&page, "main").len(), 1, "{name}");
        let skip = named(&page, "a")[0];
        assert_eq!(skip.get("href"), Some("#content"), "{name}");
        assert!(
            page.iter()
                .any(|element| element.get("id") == Some("content")),
            "{name}"
        );
    }
    assert!(titles.len() > 8, "{titles:?}");
}

#[test]
fn the_navigation_marks_the_place() {
    for (name, page) in all() {
        let current: Vec<_> = page
            .iter()
            .filter_map(|element| Some((element.get("href")?, element.get("aria-current")?)))
            .collect();
        let expected = match name.split('-').next() {
            Some("home") => vec![("/", "page")],
            Some("catalog") => vec![("/q", "page")],
            Some("query") => vec![("/q", "true")],
            // There also the window that is shown is marked.
            Some("stats") => match name.as_str() {
                "stats-worse" => vec![
                    ("/stats", "page"),
                    ("/stats?window=5m&amp;refresh=10", "true"),
                ],
                "stats-fleet" => vec![("/stats", "page"), ("/stats?window=1h", "true")],
                _ => vec![("/stats", "page"), ("/stats", "true")],
            },
            _ => vec![],
        };
        assert_eq!(current, expected, "{name}");
    }
}

#[test]
fn headings_go_down_one_level_at_a_time() {
    for (name, page) in all() {
        let mut before = 0;
        for element in &page {
            let Some(level) = ["h1", "h2", "h3", "h4"]
                .iter()
                .position(|h| element.name == *h)
            else {
                continue;
            };
            assert!(
                level <= before + usize::from(before > 0 || level > 0),
                "{name}: {element:?}"
            );
            before = level;
        }
    }
}

#[test]
fn ids_are_unique_and_every_reference_has_its_target() {
    for (name, page) in all() {
        let mut ids = HashSet::new();
        for id in page.iter().filter_map(|element| element.get("id")) {
            assert!(ids.insert(id), "{name}: two of {id}");
        }
        for element in &page {
            let fragment = element.get("href").and_then(|href| href.strip_prefix('#'));
            let references = ["for", "aria-labelledby", "aria-describedby"];
            for id in references
                .iter()
                .filter_map(|key| element.get(key))
                .chain(fragment)
            {
                assert!(ids.contains(id), "{name}: {element:?}");
            }
        }
    }
}

#[test]
fn every_input_has_a_label_and_a_name() {
    let mut inputs = 0;
    for (name, page) in all() {
        let labelled: HashSet<_> = named(&page, "label")
            .iter()
            .filter_map(|label| label.get("for"))
            .collect();
        for element in page
            .iter()
            .filter(|e| ["input", "select"].contains(&e.name.as_str()))
        {
            inputs += 1;
            assert!(
                labelled.contains(element.get("id").unwrap()),
                "{name}: {element:?}"
            );
            assert!(element.get("name").is_some(), "{name}: {element:?}");
        }
        for form in named(&page, "form") {
            assert_eq!(form.get("method"), Some("get"), "{name}");
        }
    }
    assert!(inputs > 20);
}

#[test]
fn tables_have_captions_scopes_and_a_container_that_scrolls() {
    let mut tables = 0;
    for (name, page) in all() {
        for (at, table) in page.iter().enumerate().filter(|(_, e)| e.name == "table") {
            tables += 1;
            assert_eq!(page[at + 1].name, "caption", "{name}: {table:?}");
            let container = &page[at - 1];
            assert_eq!(container.get("class"), Some("scroll"), "{name}");
            assert_eq!(container.get("tabindex"), Some("0"), "{name}");
            assert_eq!(
                container.get("aria-labelledby"),
                page[at + 1].get("id"),
                "{name}"
            );
        }
        for heading in named(&page, "th") {
            assert!(heading.get("scope").is_some(), "{name}: {heading:?}");
        }
        // A drawing says what it shows, or what stands beside it does.
        for drawing in named(&page, "svg") {
            let says = drawing.get("role") == Some("img")
                && drawing
                    .get("aria-label")
                    .is_some_and(|words| words.len() > 20);
            let is_hidden = drawing.get("aria-hidden") == Some("true");
            assert!(says != is_hidden, "{name}: {drawing:?}");
        }
    }
    assert!(tables >= 5);
}

/// Ways out of text and attributes, collected from the usual lists.
const PAYLOADS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "\" autofocus onfocus=\"alert(1)",
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "</textarea></select><b>",
    "<!--",
    "]]><x>",
    "{{7*7}}${7*7}<%= 7 %>",
    "&lt;script&gt;&#x3c;b&#x3e;&amp;",
    "\u{0}\u{202e}<\u{2028}b>",
];

#[test]
fn no_text_from_outside_changes_the_structure_of_a_page() {
    let shape = |elements: &[Element]| -> Vec<(String, Vec<String>)> {
        let names = |e: &Element| e.attributes.iter().map(|(key, _)| key.clone()).collect();
        elements
            .iter()
            .map(|e| (e.name.clone(), names(e)))
            .collect()
    };
    let benign = samples::pages(|_| "benign".to_owned());
    for payload in PAYLOADS {
        let attacked = samples::pages(|_| payload.to_owned());
        for ((name, benign), (_, attacked)) in benign.iter().zip(&attacked) {
            assert!(attacked.0.len() > 1_000, "{name}");
            assert_eq!(
                shape(&elements(&benign.0)),
                shape(&elements(&attacked.0)),
                "{name}: {payload}"
            );
        }
    }
}
