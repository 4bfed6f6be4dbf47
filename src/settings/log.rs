//! `[log]`: its types, and how their texts are read. Where lines go and what they hold is decided
//! here; writing them is for `logging`.

mod format;

use std::path::{Path, PathBuf};

use super::files;
use super::raw_value::{RawValue, ReadResult, ValueError};
use super::values::read_word;

pub(super) use format::access_format;
pub use format::{AccessFormat, FormatPart};

/// `[log]`
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The place where the access log goes; `None`: nowhere.
    pub access: Option<LogTarget>,
    /// The form of its lines.
    pub access_format: AccessFormat,
    /// The place where everything else goes.
    pub error: LogTarget,
    /// The least important level that is written.
    pub level: tracing::Level,
    /// The syslog that gets all of it besides; `None`: none does.
    pub syslog: Option<SyslogTarget>,
    /// The facility that syslog is told.
    pub syslog_facility: SyslogFacility,
}

/// The place where a log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file of this absolute path, which is appended to.
    File(PathBuf),
}

/// The place where a syslog daemon takes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogTarget {
    /// A host and its port. The name is looked up when something is sent, not at the start.
    Udp(String, u16),
    /// A datagram socket of this absolute path.
    Unix(PathBuf),
}

/// syslog's number for what kind of program speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyslogFacility(pub u8);

impl SyslogFacility {
    /// The facility of daemons without one of their own.
    pub const DAEMON: SyslogFacility = SyslogFacility(3);
}

impl LogSettings {
    /// Takes the logs off the standard streams, which a daemon does not keep: they become
    /// `error.log` and `access.log` in this folder. What is a file already stays, and an access
    /// log that is off stays off.
    pub fn for_daemon(&mut self, state_dir: &Path) {
        let file = |name| LogTarget::File(state_dir.join(name));
        if self.error.path().is_none() {
            self.error = file("error.log");
        }
        if let Some(access) = self.access.as_mut().filter(|it| it.path().is_none()) {
            *access = file("access.log");
        }
    }

    /// The files that are written to, each with its setting.
    pub fn log_files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let error = Some(&self.error).map(|target| ("[log] error", target));
        let access = self.access.as_ref().map(|target| ("[log] access", target));
        let both = [error, access].into_iter().flatten();
        both.filter_map(|(setting, target)| Some((setting, target.path()?)))
    }
}

impl LogTarget {
    /// Returns the file's path; `None` for a stream.
    pub fn path(&self) -> Option<&Path> {
        match self {
            LogTarget::Stdout | LogTarget::Stderr => None,
            LogTarget::File(path) => Some(path),
        }
    }
}

/// Returns a file, or `-` for the stream that this log has.
pub(super) fn read_target(given: RawValue<'_>, stream: LogTarget) -> LogTarget {
    if given.text == "-" {
        stream
    } else {
        LogTarget::File(files::read_path(given))
    }
}

pub(super) fn read_level(given: RawValue<'_>) -> ReadResult<tracing::Level> {
    use tracing::Level;
    read_word(
        given,
        &[
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
            // gunicorn's words for two of them.
            ("warning", Level::WARN),
            ("critical", Level::ERROR),
        ],
    )
}

pub(super) fn read_facility(given: RawValue<'_>) -> ReadResult<SyslogFacility> {
    const NAMES: [(&str, u8); 20] = [
        ("kern", 0),
        ("user", 1),
        ("mail", 2),
        ("daemon", 3),
        ("auth", 4),
        ("syslog", 5),
        ("lpr", 6),
        ("news", 7),
        ("uucp", 8),
        ("cron", 9),
        ("authpriv", 10),
        ("ftp", 11),
        ("local0", 16),
        ("local1", 17),
        ("local2", 18),
        ("local3", 19),
        ("local4", 20),
        ("local5", 21),
        ("local6", 22),
        ("local7", 23),
    ];
    read_word(
        given,
        &NAMES.map(|(name, code)| (name, SyslogFacility(code))),
    )
}

const SYSLOG_FORMS: &str = "write udp://HOST:PORT or unix:PATH";

/// The port of syslog over UDP.
const SYSLOG_PORT: u16 = 514;

/// gunicorn's grammar, of which streams are left out: a message could wait there.
pub(super) fn read_syslog(given: RawValue<'_>) -> ReadResult<SyslogTarget> {
    let fault = |why: &str| ValueError::new(why, SYSLOG_FORMS);
    if let Some(rest) = given.text.strip_prefix("unix:") {
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let path = path.strip_suffix("#dgram").unwrap_or(path);
        return match path {
            "" => Err(fault("has no path")),
            _ if path.ends_with("#stream") => Err(fault("is a stream, not a datagram socket")),
            _ if cfg!(unix) => Ok(SyslogTarget::Unix(given.base.join(path))),
            _ => Err(fault("needs a unix system")),
        };
    }
    let Some(address) = given.text.strip_prefix("udp://") else {
        return Err(fault("is not an address of syslog that can be used here"));
    };
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .ok_or_else(|| fault("lacks its ]"))
            .map(|(host, after)| (host, (!after.is_empty()).then_some(after)))?,
        None => match address.find(':') {
            Some(at) => (&address[..at], Some(&address[at..])),
            None => (address, None),
        },
    };
    let port = match port {
        None => SYSLOG_PORT,
        Some(text) => text
            .strip_prefix(':')
            .and_then(|digits| digits.parse().ok())
            .filter(|port| *port > 0)
            .ok_or_else(|| fault("has no port of 1 to 65535"))?,
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#\"'".contains(c);
    if host.is_empty() || host.contains(odd) {
        return Err(fault("has no host"));
    }
    Ok(SyslogTarget::Udp(host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::settings::raw_value::given;

    #[test]
    fn addresses_of_syslog_follow_gunicorns_grammar() {
        let udp = |host: &str, port| SyslogTarget::Udp(host.to_owned(), port);
        for (text, target) in [
            ("udp://localhost:514", udp("localhost", 514)),
            ("udp://logs.example.com", udp("logs.example.com", 514)),
            ("udp://[::1]:5514", udp("::1", 5514)),
            ("udp://[::1]", udp("::1", 514)),
            ("unix:/dev/log", SyslogTarget::Unix("/dev/log".into())),
            ("unix:///dev/log", SyslogTarget::Unix("/dev/log".into())),
            (
                "unix:///dev/log#dgram",
                SyslogTarget::Unix("/dev/log".into()),
            ),
            ("unix:log", SyslogTarget::Unix("/base/log".into())),
        ] {
            assert_eq!(read_syslog(given(text)).unwrap(), target, "{text}");
        }
        for (text, why) in [
            ("/dev/log", "is not an address"),
            ("tcp://localhost:514", "is not an address"),
            ("udp://", "no host"),
            ("udp://:514", "no host"),
            ("udp://a/b:1", "no host"),
            ("udp://h:0", "port of 1"),
            ("udp://h:", "port of 1"),
            ("udp://[::1:514", "lacks its ]"),
            ("udp://[::1]514", "port of 1"),
            ("unix:", "no path"),
            ("unix:///dev/log#stream", "a stream"),
        ] {
            let fault = read_syslog(given(text)).unwrap_err();
            assert!(fault.why.contains(why), "{text}: {fault:?}");
            assert!(fault.remedy.contains("udp://"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn a_daemon_has_its_logs_in_files_and_keeps_those_that_are() {
        let mut log = LogSettings {
            access: Some(LogTarget::Stdout),
            access_format: AccessFormat::Combined,
            error: LogTarget::Stderr,
            level: tracing::Level::INFO,
            syslog: None,
            syslog_facility: SyslogFacility::DAEMON,
        };
        let mut off = LogSettings {
            access: None,
            error: LogTarget::File("/var/log/mine".into()),
            ..log.clone()
        };
        log.for_daemon(Path::new("/run/u"));
        let files: Vec<_> = log.log_files().collect();
        assert_eq!(
            files,
            [
                ("[log] error", Path::new("/run/u/error.log")),
                ("[log] access", Path::new("/run/u/access.log"))
            ]
        );
        off.for_daemon(Path::new("/run/u"));
        let files: Vec<_> = off.log_files().collect();
        assert_eq!(files, [("[log] error", Path::new("/var/log/mine"))]);
    }
}
