//! The frame of every page: head, skip link, navigation, footer. It owns no content.

use maud::{DOCTYPE, Markup, html};

/// The place where the embedded files are, with the hash in their names:
/// `/static/style-<hash>.css`.
#[derive(Debug, Clone)]
pub struct AssetUrls {
    /// The style sheet.
    pub style: String,
    /// The icon.
    pub favicon: String,
}

/// The parts that every page has around its content.
#[derive(Debug, Clone, Copy)]
pub struct PageFrame<'a> {
    /// The files a page refers to.
    pub assets: &'a AssetUrls,
    /// This program's version; `None` where the client may not know it.
    pub version: Option<&'a str>,
    /// The other pages that there are.
    pub here: PagesHere,
}

/// The pages that there are at the address that a page was asked for at: nothing links to one that
/// is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PagesHere {
    /// All of them.
    #[default]
    All,
    /// Those of queries; operators have an address of their own.
    Queries,
    /// Those of operators.
    Operators,
}

impl PagesHere {
    /// Returns whether home, the catalog and the queries are there.
    pub(super) fn has_queries(self) -> bool {
        self != PagesHere::Operators
    }

    /// Returns whether the statistics are there.
    pub(super) fn has_stats(self) -> bool {
        self != PagesHere::Queries
    }

    /// The page that everything begins with.
    pub(super) fn first_page(self) -> &'static str {
        if self.has_queries() { "/" } else { "/stats" }
    }
}

/// The place of a page in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NavPlace {
    Home,
    Catalog,
    /// A page below the catalog.
    Query,
    Stats,
    /// None of these, as an error page.
    Elsewhere,
}

impl PageFrame<'_> {
    /// Returns a whole document. `title` says where one is; the program's name is added to it.
    /// `wide` is for pages that are mostly a table.
    pub(super) fn render_page(
        self,
        title: &str,
        place: NavPlace,
        wide: bool,
        content: &Markup,
    ) -> Markup {
        self.page_with(&html! {}, title, place, wide, content)
    }

    /// Returns the same, with more in its head.
    pub(super) fn page_with(
        self,
        head: &Markup,
        title: &str,
        place: NavPlace,
        wide: bool,
        content: &Markup,
    ) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · unslow" }
                    link rel="icon" href=(self.assets.favicon) type="image/svg+xml";
                    link rel="stylesheet" href=(self.assets.style);
                    (head)
                }
                body class=[wide.then_some("wide")] {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        div.inside {
                            a.brand href=(self.here.first_page()) { (render_mark()) "unslow" }
                            nav aria-label="Pages" {
                                @if self.here.has_queries() {
                                    (nav_link("/", "Home", (place == NavPlace::Home).then_some("page")))
                                    (nav_link("/q", "Queries", match place {
                                        NavPlace::Catalog => Some("page"),
                                        NavPlace::Query => Some("true"),
                                        _ => None,
                                    }))
                                }
                                @if self.here.has_stats() {
                                    (nav_link("/stats", "Statistics", (place == NavPlace::Stats).then_some("page")))
                                }
                            }
                        }
                    }
                    main #content tabindex="-1" { div.inside { (content) } }
                    footer.bottom {
                        div.inside {
                            p { "unslow" @if let Some(version) = self.version { " " (version) }
                                " puts slow SQL behind a cache." }
                        }
                    }
                }
            }
        }
    }
}

fn nav_link(href: &str, words: &str, current: Option<&str>) -> Markup {
    html! { a href=(href) aria-current=[current] { (words) } }
}

/// Returns the sign of the program: the long bar and the short one.
fn render_mark() -> Markup {
    html! {
        svg.mark width="26" height="20" viewBox="0 0 26 20" aria-hidden="true" focusable="false" {
            rect.long x="0" y="3" width="26" height="5" rx="2.5" {}
            rect.short x="0" y="12" width="8" height="5" rx="2.5" {}
        }
    }
}
