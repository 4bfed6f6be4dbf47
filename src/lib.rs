//! unslow puts slow SQL behind a cache.
pub mod app;
pub mod cache;
pub mod commands;
pub mod db;
pub mod environment;
pub mod error;
pub mod flags;
pub mod logging;
pub mod outcome;
pub mod query;
pub mod settings;
pub mod stats;
pub mod view;
