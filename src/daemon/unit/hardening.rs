//! The restrictions of the service: it may read files, speak over the network, and write where the
//! settings say. The rest of the units is `unit`'s.

use std::path::{Path, PathBuf};

use super::text::{UnitPlace, own_binds, quote_path, write_line};
use crate::settings::{BindAddress, Settings};

/// The place where systemd makes the folders of logs.
const LOGS: &str = "/var/log";

/// The lines that hold whatever the settings are: in groups, each with the reason that they share.
/// lines in groups, each with the reason that they share. Not `ProcSubset=pid`: it would hide
/// `/proc/stat`, from which `/metrics` knows when the process was started. Not `IPAddressDeny=`:
/// who may connect is for `[access]` and the firewall to say.
const ALWAYS: [(&str, &[&str]); 5] = [
    (
        "Files are for reading; what it writes is named below, besides its folder in /run.",
        &[
            "ProtectSystem=strict",
            "PrivateTmp=yes",
            "PrivateDevices=yes",
            "PrivateMounts=yes",
            "ProtectProc=invisible",
            "RemoveIPC=yes",
            "KeyringMode=private",
        ],
    ),
    (
        "The machine is not its business.",
        &[
            "ProtectClock=yes",
            "ProtectControlGroups=yes",
            "ProtectHostname=yes",
            "ProtectKernelLogs=yes",
            "ProtectKernelModules=yes",
            "ProtectKernelTunables=yes",
        ],
    ),
    (
        "TCP for clients, database and Redis; unix sockets for those, the control socket and systemd.",
        &["RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX"],
    ),
    (
        "It never gains a right, and never runs what it has written.",
        &[
            "NoNewPrivileges=yes",
            "RestrictNamespaces=yes",
            "RestrictRealtime=yes",
            "RestrictSUIDSGID=yes",
            "LockPersonality=yes",
            "MemoryDenyWriteExecute=yes",
        ],
    ),
    (
        "What a service calls, without what only root may and what changes priorities. A call that\n\
         # is not among them fails; it does not end the process.",
        &[
            "SystemCallArchitectures=native",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged @resources",
            "SystemCallErrorNumber=EPERM",
        ],
    ),
];

/// Adds the lines to a service.
pub(super) fn write(text: &mut String, settings: &Settings, place: &UnitPlace) {
    for (reason, lines) in ALWAYS {
        write_line(text, &format!("# {reason}"));
        for one in lines {
            write_line(text, one);
        }
    }
    write_rights(text, settings);
    let home = |path: &Path| path.starts_with("/home") || path.starts_with("/root");
    let tls = settings.tls.iter().flat_map(|tls| [&tls.cert, &tls.key]);
    let mut read = [Some(&place.program), place.config.as_ref()]
        .into_iter()
        .chain([settings.queries_dir.as_ref()])
        .flatten()
        .chain(tls);
    let homes = if read.any(|path| home(path)) {
        "read-only"
    } else {
        "yes"
    };
    write_line(text, &format!("ProtectHome={homes}"));
    for folder in written_folders(settings) {
        match below_logs(&folder) {
            Some(name) => {
                write_line(text, &format!("LogsDirectory={}", quote_path(name)));
                write_line(text, "LogsDirectoryMode=0750");
            }
            None => write_line(text, &format!("ReadWritePaths={}", quote_path(&folder))),
        }
    }
}

/// The rights of root that it has, which are none where systemd opens every socket.
fn write_rights(text: &mut String, settings: &Settings) {
    let low = own_binds(settings).any(is_low);
    let gives_away = settings.process.socket_group.is_some()
        && own_binds(settings).any(|bind| matches!(bind, BindAddress::Unix(_)));
    if gives_away {
        write_line(text, "# It gives its unix sockets to their group.");
        write_line(text, "SystemCallFilter=@chown");
    }
    if low {
        write_line(text, "# It binds ports below 1024 itself.");
        write_line(text, "AmbientCapabilities=CAP_NET_BIND_SERVICE");
        write_line(text, "CapabilityBoundingSet=CAP_NET_BIND_SERVICE");
    } else {
        write_line(text, "CapabilityBoundingSet=");
    }
    if !low && !gives_away {
        write_line(
            text,
            "# In a world of its own, where only root and it have names, a right would be worth nothing.",
        );
        write_line(text, "PrivateUsers=yes");
    }
}

/// Returns whether an address needs a right that only root has.
fn is_low(bind: &BindAddress) -> bool {
    matches!(bind, BindAddress::Tcp(address) if (1..1024).contains(&address.port()))
}

/// Returns the folders that it writes to, besides its own below `/run`.
fn written_folders(settings: &Settings) -> Vec<PathBuf> {
    let logs = settings
        .log
        .log_files()
        .filter_map(|(_, file)| file.parent());
    let own = own_binds(settings).filter_map(|bind| match bind {
        BindAddress::Unix(path) => path.parent(),
        _ => None,
    });
    let mut folders: Vec<_> = logs.chain(own).map(Path::to_owned).collect();
    folders.sort_unstable();
    folders.dedup();
    folders
}

/// Returns the name of a folder below that of all logs, which systemd can make.
fn below_logs(folder: &Path) -> Option<&Path> {
    let name = folder.strip_prefix(LOGS).ok()?;
    (!name.as_os_str().is_empty()).then_some(name)
}
