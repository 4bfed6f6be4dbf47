//! The unit files for systemd, as text: a service that is told of, watched, reloaded and held to
//! what it needs, and the socket that it is handed. What they are made from is the settings'.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::settings::{Bind, LogTarget, Settings};

/// More than the settings allow for something, before systemd ends it by force.
const MARGIN: u64 = 10;

/// What a service is made from besides the settings.
#[derive(Debug)]
pub struct Place {
    /// The program, absolute.
    pub program: PathBuf,
    /// The ini file, absolute.
    pub config: Option<PathBuf>,
    /// Whom it runs as where the settings do not say; `None`: a user of its own that systemd makes.
    pub user: Option<String>,
}

/// The files `unslow.service` and `unslow.socket`, one after the other, each under a comment with
/// its path.
pub fn files(settings: &Settings, place: &Place) -> String {
    let sockets = sockets(&settings.server.bind);
    let mut text = service(settings, place, sockets.len());
    if !sockets.is_empty() {
        text.push('\n');
        text.push_str(&socket(settings, &sockets));
    }
    text
}

/// The addresses that systemd is to listen at.
fn sockets(binds: &[Bind]) -> Vec<String> {
    let address = |bind: &Bind| match bind {
        Bind::Tcp(address) => Some(address.to_string()),
        Bind::Unix(path) => Some(escaped(&path.display().to_string())),
        Bind::Fd(_) => None,
    };
    binds.iter().filter_map(address).collect()
}

fn service(settings: &Settings, place: &Place, sockets: usize) -> String {
    let config = place.config.as_deref().map_or_else(String::new, |path| {
        format!(" --config {}", quoted(path).replace('$', "$$"))
    });
    let pidfile = "--pid %t/unslow/unslow.pid";
    let program = quoted(&place.program);
    let binds: String = (3..3 + sockets).fold(String::new(), |text, number| {
        format!("{text} --bind fd://{number}")
    });
    let seconds = |duration: std::time::Duration| duration.as_secs() + MARGIN;
    let server = &settings.server;
    let end = seconds(server.graceful_timeout + server.drain_delay + server.keep_alive);
    let start = seconds(settings.process.start_timeout);
    let mut text = String::from("# /etc/systemd/system/unslow.service\n[Unit]\n");
    line(&mut text, "Description=unslow: slow SQL behind a cache");
    line(&mut text, "Wants=network-online.target");
    line(&mut text, "After=network-online.target");
    if sockets > 0 {
        line(&mut text, "Requires=unslow.socket");
        line(&mut text, "After=unslow.socket");
    }
    text.push_str("\n[Service]\nType=notify\n");
    line(
        &mut text,
        &format!("ExecStart={program} run{config} {pidfile}{binds}"),
    );
    line(
        &mut text,
        "# Waits, and fails with what is wrong with the settings.",
    );
    line(
        &mut text,
        &format!("ExecReload={program} reload{config} {pidfile}"),
    );
    line(&mut text, "# Fed only while every worker answers.");
    line(&mut text, "WatchdogSec=30");
    line(&mut text, "KillMode=mixed");
    line(&mut text, &format!("TimeoutStartSec={start}"));
    line(&mut text, &format!("TimeoutStopSec={end}"));
    line(&mut text, "Restart=on-failure");
    line(&mut text, "LimitNOFILE=65536");
    line(&mut text, "RuntimeDirectory=unslow");
    who(&mut text, settings, place);
    hardening(&mut text, settings, place);
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

fn who(text: &mut String, settings: &Settings, place: &Place) {
    let process = &settings.process;
    line(text, &format!("UMask={:04o}", process.umask));
    if let Some(user) = process.user.as_ref().or(place.user.as_ref()) {
        line(text, &format!("User={user}"));
    } else {
        text.push_str(
            "# A user that systemd makes. It must be able to read the settings and what they\n\
             # name; with a user of your own write User= instead.\n\
             DynamicUser=yes\n",
        );
    }
    if let Some(group) = &process.group {
        line(text, &format!("Group={group}"));
    }
    for (name, value) in &process.env {
        let pair = escaped(&format!("{name}={value}"));
        line(
            text,
            &format!("Environment=\"{}\"", pair.replace('"', "\\\"")),
        );
    }
}

/// What the service may not do: everything but reading files, speaking over the network, and
/// writing where the settings say.
fn hardening(text: &mut String, settings: &Settings, place: &Place) {
    let home = |path: &Path| path.starts_with("/home") || path.starts_with("/root");
    let at_home = [Some(&place.program), place.config.as_ref()]
        .into_iter()
        .flatten()
        .any(|path| home(path));
    for (name, value) in HARDENING {
        line(text, &format!("{name}={value}"));
    }
    // What redirects, and what is for operators, is bound by the service itself.
    let redirects = settings.tls.iter().flat_map(|tls| &tls.redirect_bind);
    if redirects.chain(&settings.stats_bind).any(is_low) {
        line(text, "AmbientCapabilities=CAP_NET_BIND_SERVICE");
        line(text, "CapabilityBoundingSet=CAP_NET_BIND_SERVICE");
    } else {
        line(text, "CapabilityBoundingSet=");
        // In a world of its own a right would be worth nothing.
        line(text, "PrivateUsers=yes");
    }
    let home = if at_home { "read-only" } else { "yes" };
    line(text, &format!("ProtectHome={home}"));
    for folder in written(settings) {
        line(text, &format!("ReadWritePaths={}", quoted(&folder)));
    }
}

const HARDENING: [(&str, &str); 24] = [
    ("PrivateMounts", "yes"),
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("PrivateTmp", "yes"),
    ("PrivateDevices", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectProc", "invisible"),
    ("ProcSubset", "pid"),
    ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("MemoryDenyWriteExecute", "yes"),
    ("RemoveIPC", "yes"),
    ("KeyringMode", "private"),
    ("SystemCallArchitectures", "native"),
    ("SystemCallFilter", "@system-service"),
    ("SystemCallErrorNumber", "EPERM"),
];

/// Whether an address needs a right that only root has.
fn is_low(bind: &Bind) -> bool {
    matches!(bind, Bind::Tcp(address) if (1..1024).contains(&address.port()))
}

/// The folders that it writes to, besides its own below `/run`.
fn written(settings: &Settings) -> Vec<PathBuf> {
    let log = |target: &LogTarget| match target {
        LogTarget::File(path) => path.parent().map(Path::to_owned),
        _ => None,
    };
    let logs = [settings.log.access.as_ref(), Some(&settings.log.error)];
    let own = |bind: &Bind| match bind {
        Bind::Unix(path) => path.parent().map(Path::to_owned),
        _ => None,
    };
    let logs = logs.into_iter().flatten().filter_map(log);
    let mut folders: Vec<_> = logs
        .chain(settings.stats_bind.iter().filter_map(own))
        .collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

fn socket(settings: &Settings, sockets: &[String]) -> String {
    let mut text = String::from(
        "# /etc/systemd/system/unslow.socket\n\
         # To do without it, leave out Requires=, After=unslow.socket and --bind in the service. Ports\n\
         # below 1024 then need AmbientCapabilities= and CapabilityBoundingSet=CAP_NET_BIND_SERVICE, and\n\
         # no PrivateUsers=.\n\
         [Unit]\nDescription=Where unslow is reached\n\n[Socket]\n",
    );
    for address in sockets {
        line(&mut text, &format!("ListenStream={address}"));
    }
    line(&mut text, &format!("Backlog={}", settings.server.backlog));
    if sockets.iter().any(|address| address.starts_with('/')) {
        line(
            &mut text,
            &format!("SocketMode={:04o}", settings.process.socket_mode),
        );
        if let Some(group) = &settings.process.socket_group {
            line(&mut text, &format!("SocketGroup={group}"));
        }
    }
    text.push_str("\n[Install]\nWantedBy=sockets.target\n");
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

/// As one word of a unit file.
fn quoted(path: &Path) -> String {
    let text = escaped(&path.display().to_string());
    if text.contains([' ', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\\\""))
    } else {
        text
    }
}

/// With what systemd would read as its own left as it is: specifiers and escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "%%")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn made(flags: &[&str], config: &str) -> String {
        let settings = Settings::from_flags(flags).unwrap();
        let place = Place {
            program: "/usr/local/bin/unslow".into(),
            config: Some(config.into()),
            user: None,
        };
        files(&settings, &place)
    }

    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(
                text.lines().any(|one| one == *line),
                "{line:?} is not in\n{text}"
            );
        }
    }

    #[test]
    fn the_service_is_handed_the_addresses_of_the_settings() {
        let flags = [
            "--bind",
            "0.0.0.0:80",
            "--bind",
            "unix:/run/u.sock",
            "--drain-delay",
            "20s",
        ];
        let text = made(&flags, "/etc/unslow/app.ini");
        has(
            &text,
            &[
                "ExecStart=/usr/local/bin/unslow run --config /etc/unslow/app.ini \
                 --pid %t/unslow/unslow.pid --bind fd://3 --bind fd://4",
                "ExecReload=/usr/local/bin/unslow reload --config /etc/unslow/app.ini \
                 --pid %t/unslow/unslow.pid",
                "TimeoutStopSec=65",
                "CapabilityBoundingSet=",
                "ListenStream=0.0.0.0:80",
                "ListenStream=/run/u.sock",
                "SocketMode=0660",
                "Requires=unslow.socket",
            ],
        );
    }

    #[test]
    fn what_the_settings_write_and_who_they_name_is_allowed() {
        let flags = [
            "--bind",
            "fd://3",
            "--user",
            "www-data",
            "--error-log",
            "/var/log/my unslow/e.log",
            "--env",
            "A=50% \"$x\"",
        ];
        let text = made(&flags, "/home/me/100%.ini");
        has(
            &text,
            &[
                "User=www-data",
                "ReadWritePaths=\"/var/log/my unslow\"",
                "ProtectHome=read-only",
                "Environment=\"A=50%% \\\"$x\\\"\"",
            ],
        );
        assert!(text.contains(" --config /home/me/100%%.ini "), "{text}");
        assert!(!text.contains("DynamicUser"), "{text}");
        assert!(
            !text.contains("unslow.socket"),
            "nothing to listen at: {text}"
        );
    }
}
