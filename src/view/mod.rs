//! The pages: pure functions from plain data to maud markup. They own words, structure and form of
//! what a browser shows; where the data comes from, status codes and headers are `web`'s. No await,
//! no I/O, and nothing inline: the pages live under a CSP that allows neither a `style` attribute
//! nor a script in the markup, so lengths of bars are SVG attributes.
//!
//! One file per page, over the parts they share: `frame` (what stands around every page), `address`
//! (every link to a query), `provenance` (where an answer came from), `race` (a load and a copy
//! compared), `table`, `form` with `input`, and `format`. What is for machines and terminals, not
//! for browsers, is in `export`.

mod address;
mod catalog;
mod error;
pub mod export;
mod failure;
mod form;
pub mod format;
mod frame;
mod home;
mod input;
mod provenance;
mod query;
mod query_info;
mod race;
mod stats;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

pub use address::query_address;
pub use catalog::render_catalog;
pub use error::{ErrorPage, render_error};
pub use failure::PageFailure;
pub use frame::{AssetUrls, PageFrame, PagesHere};
pub use home::{HomeOutline, HomePage, render_home};
pub use provenance::Provenance;
pub use query::{QueryPage, render_query};
pub use query_info::QueryInfo;
pub use race::{ComparisonPanel, SpeedComparison};
pub use stats::{
    EvictionCounts, NotReloaded, PART, StatsPage, StatsSort, render_live, render_stats,
};
pub use table::{ResultTable, TableCell};
