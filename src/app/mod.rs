//! What joins database and cache. In this branch only the formats.
pub mod format;
