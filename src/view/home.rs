//! The home page, in the form of the page it all began with: Database Host, the columns of the
//! home query, Elapsed Time; and beside it what that page showed only to those who reloaded.

use std::time::Duration;

use bytes::Bytes;
use maud::{Markup, PreEscaped, html};

use super::address::{query_address, with_parameters};
use super::failure::PageFailure;
use super::frame::{NavPlace, PageFrame};
use super::provenance::Provenance;
use super::query_info::QueryInfo;
use super::race::{ComparisonPanel, SpeedComparison};
use super::table::TableCell;
use super::{error, format, provenance};

/// `GET /`
#[derive(Debug)]
pub struct HomePage<'a> {
    /// The query of `[server] home`.
    pub query: QueryInfo<'a>,
    /// The database's host; `None` where it is not to be shown.
    pub host: Option<&'a str>,
    /// The parameters as the client gave them, which the links repeat.
    pub given: &'a [(String, String)],
    /// The columns of the query's first row, by their own names.
    pub sections: Vec<(String, TableCell)>,
    /// The place where the values came from; `None` where there are none.
    pub provenance: Option<Provenance>,
    /// This request's own time.
    pub elapsed: Duration,
    /// The reason why there are no values.
    pub failure: Option<PageFailure<'a>>,
}

/// Each column is a section; one without a value is not drawn.
pub fn render_home(frame: &PageFrame<'_>, page: &HomePage<'_>) -> Markup {
    let outline = HomeOutline::render(frame, page);
    let whole = outline.fill_page(
        page.elapsed,
        page.provenance.as_ref(),
        &ComparisonPanel::new(SpeedComparison::default()),
    );
    PreEscaped(String::from_utf8(whole).expect("pieces of markup, cut between characters"))
}

/// The page with gaps where it differs from request to request: its elapsed time, the panel of
/// its provenance, the comparison of loads and copies. All else is the same for every request that
/// one copy answers, so it can be kept with that copy, as bytes.
#[derive(Debug, Clone)]
pub struct HomeOutline(Bytes);

/// Stands for a gap while the outline is rendered. Escaped text does not hold it, nor does markup.
const GAP: PreEscaped<&str> = PreEscaped("<>");
const GAPS: usize = 3;
/// Each gap's place in the text, before the text itself.
const HEAD: usize = GAPS * size_of::<u32>();

impl HomeOutline {
    /// Returns everything about `page` but its times and its provenance.
    pub fn render(frame: &PageFrame<'_>, page: &HomePage<'_>) -> HomeOutline {
        let markup = render_outline(frame, page).into_string();
        let mut bytes = vec![0; HEAD];
        let mut pieces = markup.split(GAP.0);
        bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
        for (gap, piece) in pieces.enumerate() {
            let place = u32::try_from(bytes.len()).expect("a page is not that long");
            bytes[gap * size_of::<u32>()..][..size_of::<u32>()]
                .copy_from_slice(&place.to_le_bytes());
            bytes.extend_from_slice(piece.as_bytes());
        }
        HomeOutline(bytes.into())
    }

    /// An outline that was kept as bytes.
    pub fn from_bytes(bytes: Bytes) -> HomeOutline {
        HomeOutline(bytes)
    }

    /// Returns the bytes, to be kept.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Returns the whole page; without an answer, nothing is compared. Before this process has
    /// loaded anything, what is said of a load is what the copy says of its own.
    pub fn fill_page(
        &self,
        elapsed: Duration,
        answer: Option<&Provenance>,
        race: &ComparisonPanel,
    ) -> Vec<u8> {
        let compared = |answer: &Provenance| {
            let known = race.comparison();
            if known.load.is_some() || answer.load_time.is_zero() {
                return race.render_panel(Some(elapsed));
            }
            let load = Some((answer.load_time, 0));
            ComparisonPanel::new(SpeedComparison { load, ..known }).render_panel(Some(elapsed))
        };
        let filling: [String; GAPS] = [
            format::format_elapsed(elapsed),
            answer.map_or_else(String::new, |a| provenance::render_panel(a).into_string()),
            answer.map_or_else(String::new, compared),
        ];
        let length: usize = filling.iter().map(String::len).sum();
        let mut page = Vec::with_capacity(self.0.len() - HEAD + length);
        let mut from = HEAD;
        for (gap, filling) in filling.iter().enumerate() {
            let to = self.gap_at(gap);
            page.extend_from_slice(&self.0[from..to]);
            page.extend_from_slice(filling.as_bytes());
            from = to;
        }
        page.extend_from_slice(&self.0[from..]);
        page
    }

    fn gap_at(&self, number: usize) -> usize {
        let (places, _) = self.0[..HEAD].as_chunks::<{ size_of::<u32>() }>();
        u32::from_le_bytes(places[number]) as usize
    }
}

fn render_outline(frame: &PageFrame<'_>, page: &HomePage<'_>) -> Markup {
    let query = &page.query;
    let to = |suffix| query_address(query.name, suffix, page.given);
    let content = html! {
        div.intro {
            h1 { (query.title) }
            @if let Some(description) = query.description { p.lead { (description) } }
        }
        @if let Some(failure) = &page.failure { (error::render_alert(failure)) }
        div.duo[page.provenance.is_some()] {
            div.hero {
                @if let Some(host) = page.host { (render_section("Database Host", host)) }
                @for (column, cell) in &page.sections {
                    @if let Some(text) = cell.shown_text() { (render_section(&format::column_label(column), text)) }
                }
                section.elapsed {
                    h2 { "Elapsed Time" }
                    p { (GAP) }
                }
            }
            (GAP)
        }
        (GAP)
        p.actions {
            a.button href=(with_parameters("/".to_owned(), page.given)) { "Reload" }
            a href=(to(None)) { "As a table" }
            a href=(to(Some("json"))) { "JSON" }
            a href=(to(Some("csv"))) { "CSV" }
            a href="/q" { "All queries" }
            @if frame.here.has_stats() { a href="/stats" { "What the cache saves" } }
        }
    };
    frame.render_page(query.title, NavPlace::Home, false, &content)
}

fn render_section(label: &str, value: &str) -> Markup {
    html! { section { h2 { (label) } p { (value) } } }
}

#[cfg(test)]
mod tests {
    use super::super::AssetUrls;
    use super::*;
    use crate::view::PagesHere;

    #[test]
    fn an_outline_that_was_kept_fills_to_the_same_page() {
        let assets = AssetUrls {
            style: String::new(),
            favicon: String::new(),
        };
        let frame = PageFrame {
            assets: &assets,
            version: None,
            here: PagesHere::All,
        };
        let page = HomePage {
            query: QueryInfo {
                name: "version",
                title: "A <> in the title · and é",
                description: None,
                params: &[],
                ttl: None,
            },
            host: Some("<>"),
            given: &[],
            sections: Vec::new(),
            provenance: None,
            elapsed: Duration::from_millis(2),
            failure: None,
        };
        let whole = render_home(&frame, &page).into_string();
        assert!(whole.contains("<p>0.00200s</p></section></div></div><p class=\"actions\">"));
        assert_eq!(whole.matches("&lt;&gt;").count(), 3, "{whole}");
        let kept = HomeOutline::from_bytes(HomeOutline::render(&frame, &page).into_bytes());
        assert_eq!(
            kept.fill_page(
                page.elapsed,
                None,
                &ComparisonPanel::new(SpeedComparison::default())
            ),
            whole.as_bytes()
        );
    }
}
