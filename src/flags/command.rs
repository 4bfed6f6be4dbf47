//! The subcommands and their arguments. What the arguments mean is the commands' business.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

/// What the program is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve, in the foreground (this is what happens without a command)
    Run,
    /// Serve in the background: `run -D`
    Start,
    /// End the server that runs in the background, once its requests have ended
    Stop {
        /// Do not wait for running requests
        #[arg(long)]
        now: bool,
    },
    /// Replace the running server, once the settings are checked; start it where none runs
    Restart,
    /// Have the server read its settings and queries again
    Reload,
    /// Replace the running program by the one now in its file
    Upgrade {
        /// Let the old one run on beside the new one, until one of them is stopped
        #[arg(long)]
        hold: bool,
    },
    /// Have the server open its log files again
    Reopen,
    /// Change the number of workers
    Scale {
        /// +N or -N
        #[arg(value_name = "+N|-N", value_parser = change, allow_negative_numbers = true)]
        by: i32,
    },
    /// Say whether the server runs, and how; exit code 0: it does, 3: not, 1: it died, 4: unknown
    Status {
        /// As one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Print a service and a socket file for systemd
    SystemdUnit,
    /// Print what completes commands in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Check the settings and every query file
    Check {
        /// Also ask the database about each query, and try Redis
        #[arg(long)]
        online: bool,
    },
    /// Print each setting with its value and where that came from
    PrintConfig,
    /// Write a documented app.ini and a sample query, or files for Prometheus and Grafana; never
    /// overwrites
    Init(Init),
    /// Create `slow_version()` and `unslow_watch()` in the configured database; safe to repeat
    #[command(
        about = "Create slow_version() and unslow_watch() in the configured database; safe to repeat"
    )]
    Install,
    /// List the queries
    Queries,
    /// Run one query and print its rows
    Query {
        /// Its name, as `unslow queries` lists it
        name: String,
        /// Its parameters
        #[arg(value_name = "NAME=VALUE", value_parser = parameter)]
        params: Vec<(String, String)>,
        /// How to print [default: table on a terminal, else json]
        #[arg(long)]
        format: Option<Format>,
    },
    /// Throw away what a running server has stored of a query
    Purge {
        /// The query's name
        #[arg(value_name = "QUERY")]
        name: String,
        /// The parameters of the one entry that is meant; all of the query without
        #[arg(value_name = "NAME=VALUE", value_parser = parameter)]
        params: Vec<(String, String)>,
        /// What is done instead of throwing away
        #[command(flatten)]
        how: PurgeHow,
        /// The server: http://HOST:PORT or unix:PATH [default: the first address of --bind]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Show the numbers of a running server as a table
    Stats(Stats),
}

/// What files are written, and where to.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Init {
    /// Where to write app.ini and the query [default: . unless --monitoring is given]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write a Grafana dashboard, alert rules and a sample prometheus.yml there
    #[arg(long, value_name = "DIR")]
    pub monitoring: Option<PathBuf>,
}

/// The windows that numbers count over, as they are named here.
pub const WINDOWS: [&str; 4] = ["1m", "5m", "1h", "start"];

/// Which numbers are shown, and how.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Stats {
    /// Show them again every so many seconds, until Ctrl-C [default of SECONDS: 2]
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub watch: Option<u64>,
    /// Count over the latest minute, five minutes or hour, or since the start
    #[arg(long, default_value = "start", value_parser = WINDOWS)]
    pub window: String,
    /// As the JSON document of /stats.json
    #[arg(long)]
    pub json: bool,
    /// The server: http://HOST:PORT or unix:PATH [default: the first address of --bind]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// What is done to stored answers: thrown away, unless one of these is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct PurgeHow {
    /// Make it stale: still served while a new one is loaded, or because loading fails
    #[arg(long, conflicts_with = "refresh")]
    pub soft: bool,
    /// Load one entry again now: that of the parameters, or of the defaults
    #[arg(long)]
    pub refresh: bool,
}

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON document, as `/q/NAME.json` gives it
    Json,
    /// Comma-separated, with a header line
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Aligned text
    Table,
}

fn change(text: &str) -> Result<i32, String> {
    let signed = text.starts_with(['+', '-']);
    match text.parse() {
        Ok(by @ (-512..=-1 | 1..=512)) if signed => Ok(by),
        _ => Err("write +N or -N, up to 512".to_owned()),
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter is written NAME=VALUE".to_owned()),
    }
}
