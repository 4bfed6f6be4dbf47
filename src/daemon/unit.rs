//! The unit files for systemd, as text: a service that is told of, watched, reloaded and held to
//! what it needs, and the socket that it is handed. What they are made from is the settings'; what
//! the service may not do is in `hardening`.

mod hardening;
mod text;

use crate::settings::{BindAddress, Settings};

pub use text::UnitPlace;

use text::{escape_text, is_somebody_elses, quote_path, write_line};

/// More than the settings allow for something, before systemd ends it by force.
const MARGIN: u64 = 10;

/// The folder of the pidfile and the control socket, which systemd makes.
const RUNTIME: [&str; 2] = ["/run/unslow", "/var/run/unslow"];

/// Returns the files `unslow.service` and `unslow.socket`, one after the other, each under a
/// comment with its path. There is no second one where a setting names a descriptor (`fd://N`):
/// then somebody else has opened it, and the service binds the other addresses itself.
pub fn unit_files(settings: &Settings, place: &UnitPlace) -> String {
    let sockets = passed_addresses(settings);
    let mut text = service_file(settings, place, &sockets);
    if !sockets.is_empty() {
        text.push('\n');
        text.push_str(&socket_file(settings, &sockets));
    }
    text
}

/// An address that systemd listens at.
struct PassedAddress<'a> {
    /// The flag by which the service takes it over.
    flag: &'static str,
    bind: &'a BindAddress,
}

/// The addresses that systemd is to listen at, in the order in which it passes them on.
fn passed_addresses(settings: &Settings) -> Vec<PassedAddress<'_>> {
    if is_somebody_elses(settings) {
        return Vec::new();
    }
    let redirects = settings.tls.iter().flat_map(|tls| &tls.redirect_bind);
    let as_flag = |flag| move |bind| PassedAddress { flag, bind };
    let main = settings.server.bind.iter().map(as_flag("--bind"));
    main.chain(redirects.map(as_flag("--redirect-bind")))
        .chain(settings.stats_bind.iter().map(as_flag("--stats-bind")))
        .collect()
}

fn service_file(settings: &Settings, place: &UnitPlace, sockets: &[PassedAddress<'_>]) -> String {
    let config = place.config.as_deref().map_or_else(String::new, |path| {
        format!(" --config {}", quote_path(path).replace('$', "$$"))
    });
    let pidfile = "--pid %t/unslow/unslow.pid";
    let program = quote_path(&place.program);
    let binds = (3..).zip(sockets).fold(String::new(), |text, (fd, one)| {
        format!("{text} {} fd://{fd}", one.flag)
    });
    let seconds = |duration: std::time::Duration| duration.as_secs() + MARGIN;
    let server = &settings.server;
    let end = seconds(server.graceful_timeout + server.drain_delay + server.keep_alive);
    let start = seconds(settings.process.start_timeout);
    let mut text = String::from(
        "# /etc/systemd/system/unslow.service\n\
         # Made by `unslow systemd-unit` from the settings. What you change with `systemctl edit unslow`\n\
         # stays when it is made again.\n\
         [Unit]\n\
         Description=unslow: slow SQL behind a cache\n\
         Wants=network-online.target\n\
         After=network-online.target\n",
    );
    if !sockets.is_empty() {
        text.push_str(
            "# It listens all the time: who connects during a restart waits, and is not refused.\n\
             Requires=unslow.socket\n\
             After=unslow.socket\n",
        );
    }
    text.push_str("\n[Service]\nType=notify\n");
    write_line(
        &mut text,
        &format!("ExecStart={program} run{config} {pidfile}{binds}"),
    );
    write_line(
        &mut text,
        "# Waits, and fails with what is wrong with the settings.",
    );
    write_line(
        &mut text,
        &format!("ExecReload={program} reload{config} {pidfile}"),
    );
    write_line(
        &mut text,
        "# Waits for the end. systemd itself would kill a process that came by an upgrade without waiting\n\
         # for it, since it has not started it.",
    );
    write_line(
        &mut text,
        &format!("ExecStop={program} stop{config} {pidfile}"),
    );
    text.push_str(
        "# Fed only while every worker answers.\n\
         WatchdogSec=30\n\
         KillMode=mixed\n",
    );
    write_line(&mut text, &format!("TimeoutStartSec={start}"));
    write_line(
        &mut text,
        "# Longer than running requests and idle connections may take by the settings.",
    );
    write_line(&mut text, &format!("TimeoutStopSec={end}"));
    text.push_str(
        "Restart=on-failure\n\
         # Seldom enough for systemd, which gives up after five starts in ten seconds.\n\
         RestartSec=3\n\
         # A wrong flag or setting does not get better by another try.\n\
         RestartPreventExitStatus=2 6\n\
         LimitNOFILE=65536\n\
         RuntimeDirectory=unslow\n",
    );
    if sockets.iter().any(|one| is_in_runtime_folder(one.bind)) {
        write_line(&mut text, "# systemd's own sockets there have to stay.");
        write_line(&mut text, "RuntimeDirectoryPreserve=yes");
    }
    write_user(&mut text, settings, place);
    hardening::write(&mut text, settings, place);
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

fn is_in_runtime_folder(bind: &BindAddress) -> bool {
    matches!(bind, BindAddress::Unix(path) if RUNTIME.iter().any(|folder| path.starts_with(folder)))
}

fn write_user(text: &mut String, settings: &Settings, place: &UnitPlace) {
    let process = &settings.process;
    write_line(text, &format!("UMask={:04o}", process.umask));
    if let Some(user) = process.user.as_ref().or(place.user.as_ref()) {
        write_line(text, &format!("User={user}"));
    } else {
        text.push_str(
            "# A user that systemd makes. It must be able to read the settings and what they\n\
             # name; with a user of your own write User= instead.\n\
             DynamicUser=yes\n",
        );
    }
    if let Some(group) = &process.group {
        write_line(text, &format!("Group={group}"));
    }
    for (name, value) in &process.env {
        let pair = escape_text(&format!("{name}={value}"));
        write_line(
            text,
            &format!("Environment=\"{}\"", pair.replace('"', "\\\"")),
        );
    }
}

fn socket_file(settings: &Settings, sockets: &[PassedAddress<'_>]) -> String {
    let mut text = String::from(
        "# /etc/systemd/system/unslow.socket\n\
         # systemd opens these and passes them on, in this order, so that the service needs no right to\n\
         # ports below 1024. Another address belongs into the settings; then make both files again.\n\
         [Unit]\n\
         Description=Where unslow is reached\n\
         \n\
         [Socket]\n",
    );
    for one in sockets {
        let address = match one.bind {
            BindAddress::Unix(path) => escape_text(&path.display().to_string()),
            bind => bind.to_string(),
        };
        write_line(&mut text, &format!("ListenStream={address}"));
    }
    write_line(&mut text, &format!("Backlog={}", settings.server.backlog));
    if sockets
        .iter()
        .any(|one| matches!(one.bind, BindAddress::Unix(_)))
    {
        write_line(
            &mut text,
            &format!("SocketMode={:04o}", settings.process.socket_mode),
        );
        if let Some(group) = &settings.process.socket_group {
            write_line(&mut text, &format!("SocketGroup={group}"));
        }
    }
    text.push_str("\n[Install]\nWantedBy=sockets.target\n");
    text
}

#[cfg(test)]
mod tests;
