//! The faults that axe-core finds in the pages for those who do not see them, in both themes. Its
//! one file is brought by `.ci/install axe`.

use std::path::Path;

use super::THEMES;
use super::chromium::Browser;
use crate::unslow::Unslow;

/// Its file, pinned there.
fn axe() -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe.min.js");
    std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run .ci/install axe", file.display()))
}

/// Returns the faults of the page that is open, a line each.
fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.script(axe);
    let found = browser.script(
        "document.querySelectorAll('details').forEach(folded => { folded.open = true });
         return axe.run().then(found => ({
           passes: found.passes.length,
           violations: found.violations.flatMap(rule =>
             rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 200))),
         }))",
    );
    let passes = found["passes"].as_u64().unwrap();
    assert!(passes > 15, "only {passes} rules were held");
    let violations = found["violations"].as_array().unwrap().iter();
    violations
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs Chromium: make test-all"]
fn browser_axe_finds_nothing_wrong_with_any_page_in_light_and_dark() {
    let axe = axe();
    let unslow = Unslow::start(&["--demo-delay", "100ms"]);
    let browser = Browser::start();
    for path in ["/", "/q", "/q/revenue", "/q/version", "/stats"] {
        for theme in THEMES {
            browser.looks(1280, theme);
            browser.open(&format!("{}{path}", unslow.url));
            let found = violations(&browser, &axe);
            assert_eq!(found, Vec::<String>::new(), "{theme} {path}");
        }
    }
    // It does find what is wrong.
    browser.script("document.querySelector('h1').style.color = 'rgb(60, 60, 60)'");
    let found = violations(&browser, &axe);
    assert!(found[0].starts_with("color-contrast: <h1"), "{found:?}");
}
