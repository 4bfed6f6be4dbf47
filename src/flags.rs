//! The command line: subcommands, their help, and the flags of the settings. It owns how words on
//! the command line are read; what a setting's value means belongs to `settings`, whose table
//! hands its flags in, so that a new one needs no edit here.

mod deploy;
mod gunicorn;
mod operating;
mod query;
mod signals;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

pub use deploy::DeployArgs;
pub use operating::{InitArgs, StatsArgs, WINDOWS};
pub use query::{CompareArgs, OutputFormat, PurgeHow};
pub use signals::SIGNALS;

use query::parse_parameter;

/// The spelling of one setting on the command line.
#[derive(Debug, Clone, Copy)]
pub struct SettingFlag {
    /// The name after the two dashes; also what [`Flags::flag_values`] finds it by.
    pub long: &'static str,
    /// The one-letter form.
    pub short: Option<char>,
    /// The word for the value in the help; `BOOL` makes the value optional (`--debug`).
    pub value: &'static str,
    /// Other spellings, not shown: gunicorn's, where the same thing exists there.
    pub aliases: &'static [&'static str],
    /// True where it may be given several times.
    pub repeatable: bool,
}

/// A setting's flag as the help shows it.
#[derive(Debug, Clone)]
pub struct FlagHelp {
    /// The flag.
    pub flag: &'static SettingFlag,
    /// The heading that it is listed under.
    pub heading: &'static str,
    /// The purpose of it, in one line.
    pub help: String,
}

/// The value name of a flag that may stand alone, which then means `true`.
pub const BOOL: &str = "BOOL";

/// The command line as it was read. Values of settings are still text.
#[derive(Debug, Clone)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// The subcommand; [`Command::Run`] when none was named.
    pub command: Command,
    /// `--reload`: settings and queries are read again when their files change.
    pub reload: bool,
    /// `--open`: the browser is shown the first address.
    pub open: bool,
    /// A sentence for each flag that was given and has no effect here.
    pub without_effect: Vec<String>,
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Flags {
    /// The values given for the flag `--long`, in order; `None` when it was not given.
    pub fn flag_values(&self, long: &str) -> Option<&[String]> {
        self.given.get(long).map(Vec::as_slice)
    }
}

/// Reads a command line. `settings` are the flags of the settings table.
///
/// The error is clap's own: it also stands for `--help` and `--version`, knows its exit code (0 or
/// 2) and prints itself to the right stream.
pub fn parse<I, T>(
    arguments: I,
    settings: impl Iterator<Item = FlagHelp>,
) -> Result<Flags, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let settings: Vec<_> = settings.collect();
    let matches = command_definition(&settings).try_get_matches_from(arguments)?;
    let cli = CommandLine::from_arg_matches(&matches)?;
    let given = settings
        .iter()
        .filter_map(|FlagHelp { flag, .. }| {
            let values = matches.get_many::<String>(flag.long)?;
            Some((flag.long, values.cloned().collect()))
        })
        .collect();
    let detached = matches.get_flag(DAEMON);
    let command = match cli.command.unwrap_or(Command::Run) {
        Command::Run | Command::Start if cli.check_config => Command::Check { online: false },
        Command::Run if detached => Command::Start,
        command @ (Command::Run | Command::Start | Command::Check { .. }) => command,
        command if !detached => command,
        _ => {
            let why = "-D goes with `run` alone, which it makes a `start`\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, why));
        }
    };
    Ok(Flags {
        config: cli.config,
        command,
        reload: cli.reload,
        open: cli.open,
        without_effect: gunicorn::without_effect(&matches)?,
        given,
    })
}

const DAEMON: &str = "daemon";

fn daemon_argument() -> Arg {
    Arg::new(DAEMON)
        .long(DAEMON)
        .short('D')
        .help("Serve in the background; returns once it serves")
        .action(ArgAction::SetTrue)
        .global(true)
}

/// The whole definition of the command line, for help, manual and completions. `settings` are the
/// flags of the settings table.
pub fn command_definition(settings: &[FlagHelp]) -> clap::Command {
    let mut command = CommandLine::command()
        .arg(daemon_argument())
        .args(gunicorn::ignored_arguments());
    for listed in settings {
        command = command.arg(setting_argument(listed));
    }
    command = command.mut_subcommand("compare", query::without_c);
    // Every subcommand takes every setting, but only the help of what serves lists them all.
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for name in &names {
        let serves = ["run", "start"].contains(&name.as_str());
        command = command.mut_subcommand(name, |mut sub| {
            if serves {
                return sub.after_help(signals::signals_text());
            }
            sub = sub.arg(daemon_argument().hide(true));
            for listed in settings {
                sub = sub.arg(setting_argument(listed).hide(true));
            }
            sub.after_help("The settings of `unslow --help` are accepted here too.")
        });
    }
    command
}

fn setting_argument(
    FlagHelp {
        flag,
        heading,
        help,
    }: &FlagHelp,
) -> Arg {
    let mut arg = Arg::new(flag.long)
        .long(flag.long)
        .value_name(flag.value)
        .help(help.clone())
        .help_heading(*heading)
        .aliases(flag.aliases.iter().copied())
        .global(true)
        // `--redis-url ''` is how a value of the ini file is taken back.
        .value_parser(clap::builder::StringValueParser::new())
        .action(if flag.repeatable {
            ArgAction::Append
        } else {
            ArgAction::Set
        });
    if let Some(short) = flag.short {
        arg = arg.short(short);
    }
    if flag.value == BOOL {
        arg = arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true");
    }
    arg
}

const ABOUT: &str = "Puts slow SQL behind a cache.

With nothing given it serves the embedded demo on http://127.0.0.1:8000. Settings come from app.ini, \
the environment (UNSLOW_SECTION_KEY) and the flags below; the later one wins.";

/// The first steps of a beginner, below the help.
const FIRST_STEPS: &str = "Start with `unslow init`, then `unslow check --online`.";

/// The command line without the settings.
#[derive(Debug, Parser)]
#[command(name = "unslow", version, about = ABOUT, max_term_width = 100)]
#[command(after_help = format!("{}\n\n{FIRST_STEPS}", signals::signals_text()))]
struct CommandLine {
    /// Settings file [default: app.ini in the working directory, if there]
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// gunicorn's spelling of `check`.
    #[arg(long, hide = true, global = true)]
    check_config: bool,
    /// Read settings and queries again when their files change
    #[arg(long, global = true)]
    reload: bool,
    /// Show the first address in the browser
    #[arg(long, global = true)]
    open: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The command that the program is asked for.
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
        #[arg(value_name = "+N|-N", value_parser = parse_change, allow_negative_numbers = true)]
        by: i32,
    },
    /// Say whether the server runs, and how; exit code 0: it does, 3: not, 1: it died, 4: unknown
    Status {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
        /// Ask /healthz, or the path given, of the server at http://HOST:PORT or unix:PATH instead;
        /// exit code 0: it answers 2xx, 1: not
        #[arg(long, conflicts_with = "json")]
        url: Option<String>,
    },
    /// Print a service and a socket file for systemd
    SystemdUnit,
    /// Print what completes commands in a shell
    Completions {
        /// The shell
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
    /// Write app.ini and a sample query, or files for Prometheus and Grafana; never overwrites
    Init(InitArgs),
    /// Write what unslow is deployed with: caddy, container, haproxy, local, nginx, systemd, terraform
    Deploy(DeployArgs),
    /// Create `slow_version()` and `unslow_watch()` in the configured database; safe to repeat
    #[command(
        about = "Create slow_version() and unslow_watch() in the configured database; safe to repeat"
    )]
    Install {
        /// Also make this role, which only reads, for unslow to log in as; safe to repeat
        #[arg(long, value_name = "NAME")]
        role: Option<String>,
    },
    /// List the queries
    Queries,
    /// Run one query and print its rows
    Query {
        /// Its name, as `unslow queries` lists it
        name: String,
        /// Its parameters
        #[arg(value_name = "NAME=VALUE", value_parser = parse_parameter)]
        params: Vec<(String, String)>,
        /// The form of the output [default: table on a terminal, else json]
        #[arg(long)]
        format: Option<OutputFormat>,
    },
    /// Throw away what a running server has stored of a query
    Purge {
        /// The query's name
        #[arg(value_name = "QUERY")]
        name: String,
        /// The parameters of the one entry that is meant; all of the query without
        #[arg(value_name = "NAME=VALUE", value_parser = parse_parameter)]
        params: Vec<(String, String)>,
        /// The treatment of copies instead of throwing them away
        #[command(flatten)]
        how: PurgeHow,
        /// The server: http://HOST:PORT or unix:PATH [default: the first address of --bind]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Time a query through the database and through each tier; prints a table in Markdown
    Compare(CompareArgs),
    /// Show the numbers of a running server as a table
    Stats(StatsArgs),
}

fn parse_change(text: &str) -> Result<i32, String> {
    let signed = text.starts_with(['+', '-']);
    match text.parse() {
        Ok(by @ (-512..=-1 | 1..=512)) if signed => Ok(by),
        _ => Err("write +N or -N, up to 512".to_owned()),
    }
}

#[cfg(test)]
mod tests;
