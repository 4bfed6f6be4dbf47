//! What can be computed about the look: contrast in both themes, and that style and markup know
//! the same names.

use std::collections::{BTreeMap, BTreeSet};

use super::dom::elements;
use super::samples;

pub(super) const STYLE: &str = include_str!("../../../assets/style.css");
pub(super) const FAVICON: &str = include_str!("../../../assets/favicon.svg");

/// The colours named in the block that begins with `start`.
fn colours(start: &str) -> BTreeMap<String, [f64; 3]> {
    let (_, block) = STYLE.split_once(start).expect("the block");
    let (block, _) = block.split_once('}').expect("its end");
    let declarations = block
        .split(';')
        .filter_map(|line| line.trim().split_once(": #"));
    declarations
        .map(|(name, hex)| {
            let n = u32::from_str_radix(hex, 16).unwrap();
            assert_eq!(hex.len(), 6, "{name}");
            let channel = |shift: u32| f64::from((n >> shift) & 255) / 255.0;
            (name.to_owned(), [channel(16), channel(8), channel(0)])
        })
        .collect()
}

/// WCAG 2: the ratio of two relative luminances.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |c: f64| {
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    let luminance =
        |c: [f64; 3]| 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

/// `color-mix(in srgb, a SHARE, b)`
fn mix(a: [f64; 3], share: f64, b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| a[i] * share + b[i] * (1.0 - share))
}

fn themes() -> [(&'static str, BTreeMap<String, [f64; 3]>); 2] {
    [
        ("light", colours(":root {")),
        (
            "dark",
            colours("@media (prefers-color-scheme: dark) {\n  :root {"),
        ),
    ]
}

#[test]
fn text_has_a_contrast_of_at_least_4_5_in_both_themes() {
    let pairs = [
        ("ink", &["page", "panel", "field"][..]),
        ("quiet", &["page", "panel", "field"]),
        ("link", &["page", "panel", "field"]),
        ("alert", &["page", "panel"]),
        ("on-top", &["top"]),
        ("on-hero", &["hero"]),
        ("label-hero", &["hero"]),
        ("on-button", &["button"]),
    ];
    for (theme, colours) in themes() {
        let of = |name: &str| colours[&format!("--{name}")];
        for (text, grounds) in pairs {
            for ground in grounds {
                let ratio = contrast(of(text), of(ground));
                assert!(ratio >= 4.5, "{theme}: {text} on {ground} is {ratio:.2}");
            }
        }
        // The ground of errors, and that of the row under the pointer.
        let alert = mix(of("accent"), 0.09, of("panel"));
        let red = mix(of("red"), 0.09, of("panel"));
        let row = mix(of("track"), 0.45, of("panel"));
        for (text, ground) in [
            ("alert", alert),
            ("ink", alert),
            ("quiet", alert),
            ("red", red),
            ("ink", red),
            ("ink", row),
            ("quiet", row),
            ("link", row),
        ] {
            let ratio = contrast(of(text), ground);
            assert!(
                ratio >= 4.5,
                "{theme}: {text} on a tinted ground is {ratio:.2}"
            );
        }
    }
}

#[test]
fn edges_and_focus_have_a_contrast_of_at_least_3_in_both_themes() {
    let pairs = [
        ("edge", "field"),
        ("edge", "panel"),
        ("focus", "page"),
        ("focus", "panel"),
        ("accent", "top"),
        ("short", "track"),
    ];
    for (theme, colours) in themes() {
        for (mark, ground) in pairs {
            let ratio = contrast(
                colours[&format!("--{mark}")],
                colours[&format!("--{ground}")],
            );
            assert!(ratio >= 3.0, "{theme}: {mark} on {ground} is {ratio:.2}");
        }
    }
}

#[test]
fn both_themes_name_the_same_colours() {
    let [(_, light), (_, dark)] = themes();
    assert!(light.len() > 15);
    assert_eq!(
        light.keys().collect::<Vec<_>>(),
        dark.keys().collect::<Vec<_>>()
    );
}

#[test]
fn every_class_of_the_markup_is_known_to_the_style() {
    let mut used = BTreeSet::new();
    for (_, page) in samples::pages(str::to_owned) {
        for element in elements(&page.0) {
            used.extend(
                element
                    .get("class")
                    .into_iter()
                    .flat_map(|c| c.split(' ').map(str::to_owned).collect::<Vec<_>>()),
            );
        }
    }
    // Said in the markup for those who style it themselves; nothing to add to the default look.
    let plain = ["fresh", "good"];
    for class in used.iter().filter(|class| !plain.contains(&class.as_str())) {
        let rule = format!(".{class}");
        let known = STYLE.match_indices(&rule).any(|(at, _)| {
            STYLE[at + rule.len()..].starts_with(|c: char| !c.is_alphanumeric() && c != '-')
        });
        assert!(known, "no rule for .{class}");
    }
}

#[test]
fn the_style_loads_nothing_and_respects_the_reader() {
    for forbidden in ["url(", "@import", "!important"] {
        assert!(!STYLE.contains(forbidden), "{forbidden}");
    }
    for wanted in [
        "@media print",
        "prefers-reduced-motion",
        "prefers-color-scheme",
        ":focus-visible",
        "forced-colors",
    ] {
        assert!(STYLE.contains(wanted), "{wanted}");
    }
    assert!(!FAVICON.contains("<script") && FAVICON.starts_with("<svg "));
}
