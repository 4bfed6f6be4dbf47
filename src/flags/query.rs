//! The arguments of the commands about one query: `query`, `purge` and `compare`.

use std::path::PathBuf;

use clap::{Arg, Args, ValueEnum, value_parser};

/// The treatment of stored answers: they are thrown away, unless one of these is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct PurgeHow {
    /// Make it stale: still served while a new one is loaded, or because loading fails
    #[arg(long, conflicts_with = "refresh")]
    pub soft: bool,
    /// Load one entry again now: that of the parameters, or of the defaults
    #[arg(long)]
    pub refresh: bool,
}

/// The form in which rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// One JSON document, as `/q/NAME.json` gives it
    Json,
    /// Comma-separated, with a header line
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Aligned text
    Table,
}

/// The comparison that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CompareArgs {
    /// The query's name
    #[arg(value_name = "QUERY")]
    pub name: String,
    /// Its parameters
    #[arg(value_name = "NAME=VALUE", value_parser = parse_parameter)]
    pub params: Vec<(String, String)>,
    /// Runs of the database [default: 3]; each tier has 1000, or as many where that is more
    #[arg(short = 'n', long = "runs", value_name = "N", value_parser = parse_runs)]
    pub runs: Option<u32>,
    /// Clients at once; of the database no more than leave as many loads to visitors
    #[arg(short = 'c', long, value_name = "C", default_value = "1", value_parser = parse_clients)]
    pub clients: u32,
    /// The server: http://HOST:PORT or unix:PATH [default: the first address of --bind; where
    /// nobody serves there, the command itself, for as long as it takes]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// `compare` with `--config` as everywhere, but without its `-c`, which is the number of clients
/// there.
pub(super) fn without_c(command: clap::Command) -> clap::Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Settings file [default: app.ini in the working directory, if there]");
    command.arg(config)
}

/// `NAME=VALUE`, taken apart.
pub(super) fn parse_parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter is written NAME=VALUE".to_owned()),
    }
}

fn parse_runs(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(runs @ 1..=10_000) => Ok(runs),
        _ => Err("write a number of runs from 1 to 10000".to_owned()),
    }
}

fn parse_clients(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(clients @ 1..=100) => Ok(clients),
        _ => Err(
            "write a number of clients from 1 to 100; the settings file is named by --config here"
                .to_owned(),
        ),
    }
}
