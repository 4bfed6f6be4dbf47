//! The arguments of `init` and `stats`.

use std::path::PathBuf;

use clap::Args;

/// The files that `unslow init` writes, and their folder.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct InitArgs {
    /// The folder for app.ini and the query [default: . unless --monitoring is given]
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Write a Grafana dashboard, alert rules and a sample prometheus.yml there
    #[arg(long, value_name = "DIR")]
    pub monitoring: Option<PathBuf>,
}

/// The windows that numbers count over, as they are named here.
pub const WINDOWS: [&str; 4] = ["1m", "5m", "1h", "start"];

/// The numbers that are shown, and their form.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StatsArgs {
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
    /// Print the JSON document of /stats.json
    #[arg(long)]
    pub json: bool,
    /// The server: http://HOST:PORT or unix:PATH [default: the first address of --bind]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}
