//! Flags of gunicorn that have no setting here: taken, so that an existing command line goes on
//! working, and said to have no effect. What exists under another name is an alias of that.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches};

/// Long name, letter, whether it takes a value, and what to say of it; nothing where it is so
/// anyway.
const TAKEN: [(&str, Option<char>, bool, &str); 7] = [
    ("max-requests", None, true, "a worker needs no recycling"),
    (
        "max-requests-jitter",
        None,
        true,
        "a worker needs no recycling",
    ),
    (
        "preload",
        None,
        false,
        "there is one process, and it loads once",
    ),
    (
        "worker-class",
        Some('k'),
        true,
        "workers are threads that serve many requests each",
    ),
    (
        "threads",
        None,
        true,
        "--workers is the number of threads, each for many requests",
    ),
    (
        "reuse-port",
        None,
        false,
        "all workers accept from one socket, which survives upgrades",
    ),
    ("initgroups", None, false, ""),
];

/// Refused where it asks for anything: without it, every address in the logs would be wrong.
const PROXY_PROTOCOL: &str = "proxy-protocol";

/// The definitions, for the command line.
pub(super) fn ignored_arguments() -> impl Iterator<Item = Arg> {
    let taken = TAKEN.into_iter().map(|(long, short, value, _)| {
        let arg = Arg::new(long).long(long).hide(true).global(true);
        let arg = match short {
            Some(short) => arg.short(short),
            None => arg,
        };
        if value {
            arg.action(ArgAction::Append)
        } else {
            // Given twice is no error in gunicorn.
            arg.action(ArgAction::Count)
        }
    });
    let proxy = Arg::new(PROXY_PROTOCOL)
        .long(PROXY_PROTOCOL)
        .hide(true)
        .global(true)
        .num_args(0..=1)
        .default_missing_value("auto")
        .action(ArgAction::Append);
    taken.chain(std::iter::once(proxy))
}

/// A sentence for each flag that was given and has no effect.
///
/// # Errors
/// The PROXY protocol was asked for.
pub(super) fn without_effect(matches: &ArgMatches) -> Result<Vec<String>, clap::Error> {
    let proxy = matches.get_many::<String>(PROXY_PROTOCOL);
    if proxy.is_some_and(|modes| modes.into_iter().any(|mode| mode != "off")) {
        let why = "the PROXY protocol is not spoken here: let the proxy send X-Forwarded-For, \
                   and name it in --forwarded-allow-ips";
        return Err(clap::Error::raw(
            ErrorKind::InvalidValue,
            format!("--{PROXY_PROTOCOL}: {why}\n"),
        ));
    }
    let given = TAKEN.into_iter().filter(|(long, _, value, why)| {
        let given = if *value {
            matches.contains_id(long)
        } else {
            matches.get_count(long) > 0
        };
        given && !why.is_empty()
    });
    Ok(given
        .map(|(long, _, _, why)| format!("--{long} has no effect: {why}"))
        .collect())
}
