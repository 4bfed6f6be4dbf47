//! The table of queries. Its columns are `columns`'; each heading is a link that sorts by it.

use maud::{Markup, html};

use super::super::address::query_address;
use super::super::frame::PagesHere;
use super::columns::{COLUMNS, ColumnGroup, TableRow};
use super::page::{StatsPage, page_address};
use crate::stats::QuerySnapshot;

pub(super) fn render_queries(page: &StatsPage<'_>) -> Markup {
    let mut rows: Vec<_> = page.snapshot.queries.iter().collect();
    page.sort.sort_rows(&mut rows);
    html! {
        div.scroll role="region" aria-labelledby="queries" tabindex="0" {
            table.stats.grouped {
                caption #queries {
                    h2 { "Queries" }
                    p { "A heading sorts the table by its column. What the words mean stands at the end of the page." }
                }
                thead { (render_groups()) (render_headings(page)) }
                tbody {
                    @for row in &rows { (render_row(row, page.here)) }
                    @if rows.is_empty() { tr.none { td colspan=(COLUMNS.len() + 1) { "No queries" } } }
                }
                @if rows.len() > 1 {
                    tfoot { tr { th scope="row" { "All" } (render_cells(&TableRow::Sum(&page.snapshot.total))) } }
                }
            }
        }
    }
}

/// Returns what the columns below belong to.
fn render_groups() -> Markup {
    let width = |group| {
        COLUMNS
            .iter()
            .filter(|column| column.group == group)
            .count()
    };
    html! {
        tr.groups {
            td {}
            @for group in [ColumnGroup::Requests, ColumnGroup::Loads, ColumnGroup::Gain] {
                th.first scope="colgroup" colspan=(width(group)) { (group.heading()) }
            }
        }
    }
}

fn render_headings(page: &StatsPage<'_>) -> Markup {
    let heading = |name: &'static str, words: &str| {
        let sort = page.sort.of_click(name);
        let href = page_address(page.snapshot.window, sort, page.refresh);
        html! { a href={ (href) "#queries" } { (words) } }
    };
    html! {
        tr {
            th scope="col" aria-sort=[page.sort.sort_direction("query")] { (heading("query", "Query")) }
            @for (place, column) in COLUMNS.iter().enumerate() {
                th.num.first[is_group_start(place)] scope="col" aria-sort=[page.sort.sort_direction(column.name)] {
                    (heading(column.name, column.heading))
                }
            }
        }
    }
}

/// Returns whether a group begins with the column at this place.
fn is_group_start(place: usize) -> bool {
    place == 0 || COLUMNS[place - 1].group != COLUMNS[place].group
}

fn render_row(row: &QuerySnapshot, here: PagesHere) -> Markup {
    html! {
        tr id={ "q-" (row.query) } {
            th scope="row" {
                @if row.removed { (row.query) " (removed)" }
                @else if here.has_queries() { a href=(query_address(&row.query, None, &[])) { (row.query) } }
                @else { (row.query) }
            }
            (render_cells(&TableRow::One(row)))
        }
    }
}

fn render_cells(row: &TableRow<'_>) -> Markup {
    html! {
        @for (place, column) in COLUMNS.iter().enumerate() {
            @let value = (column.value)(row);
            td.num.first[is_group_start(place)].zero[value.is_nothing()] { (value.shown_text()) }
        }
    }
}
