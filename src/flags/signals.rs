//! The words of the help and the manual about signals. The effect of each is the daemon's.

/// The signals of a running server, with their effects; neighbours differ.
pub const SIGNALS: [(&str, &str); 7] = [
    (
        "TERM",
        "finish what runs, then end (--drain-delay, --graceful-timeout)",
    ),
    ("INT, QUIT", "end at once"),
    (
        "HUP",
        "read settings and queries again; on any error go on as before",
    ),
    ("USR1", "open the log files again, after they were moved"),
    (
        "USR2",
        "replace the program by the one now in its file, without losing a request",
    ),
    ("TTIN, TTOU", "one worker more, one less"),
    (
        "WINCH",
        "with -D: serve no more, but keep the addresses; HUP serves again",
    ),
];

/// [`SIGNALS`] for the help.
pub(super) fn signals_text() -> String {
    let lines = SIGNALS.map(|(name, does)| format!("\n  {name:10} {does}"));
    format!("Signals:{}", lines.concat())
}
