//! What stands in the units for which settings. How systemd reads them is tested in `tests/it`.
#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;

fn made(flags: &[&str], config: &str) -> String {
    let settings = Settings::from_flags(flags).unwrap();
    let place = UnitPlace {
        program: "/usr/local/bin/unslow".into(),
        config: Some(config.into()),
        user: None,
    };
    unit_files(&settings, &place)
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

#[track_caller]
fn lacks(text: &str, words: &[&str]) {
    for word in words {
        assert!(!text.contains(word), "{word:?} is in\n{text}");
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
    lacks(&text, &["RuntimeDirectoryPreserve"]);
}

#[test]
fn what_redirects_and_what_is_for_operators_needs_no_right_either() {
    let flags = [
        "--bind",
        ":443",
        "--tls-cert",
        "/etc/unslow/cert.pem",
        "--tls-key",
        "/etc/unslow/key.pem",
        "--redirect-bind",
        ":80",
        "--stats-bind",
        "unix:/run/unslow/stats.sock",
    ];
    let text = made(&flags, "/etc/unslow/app.ini");
    let start = "--bind fd://3 --redirect-bind fd://4 --stats-bind fd://5\n";
    assert!(text.contains(start), "{text}");
    let addresses: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("ListenStream="))
        .collect();
    let wanted = ["0.0.0.0:443", "0.0.0.0:80", "/run/unslow/stats.sock"];
    assert_eq!(addresses, wanted);
    let lines = [
        "CapabilityBoundingSet=",
        "PrivateUsers=yes",
        "RuntimeDirectoryPreserve=yes",
    ];
    has(&text, &lines);
    lacks(&text, &["CAP_", "ReadWritePaths"]);
}

#[test]
fn what_the_settings_write_and_who_they_name_is_allowed() {
    let flags = [
        "--bind",
        "fd://3",
        "--user",
        "www-data",
        "--error-log",
        "/srv/my unslow/e.log",
        "--access-log",
        "/var/log/un slow/a.log",
        "--env",
        "A=50% \"$x\"",
    ];
    let text = made(&flags, "/home/me/100%.ini");
    has(
        &text,
        &[
            "User=www-data",
            "ReadWritePaths=\"/srv/my unslow\"",
            "LogsDirectory=\"un slow\"",
            "ProtectHome=read-only",
            "Environment=\"A=50%% \\\"$x\\\"\"",
        ],
    );
    assert!(text.contains(" --config /home/me/100%%.ini "), "{text}");
    lacks(&text, &["DynamicUser"]);
}

#[test]
fn beside_a_descriptor_of_somebody_else_it_binds_the_others_itself() {
    let flags = ["--bind", "fd://3", "--stats-bind", "0.0.0.0:81"];
    let text = made(&flags, "/etc/unslow/app.ini");
    lacks(&text, &["unslow.socket", "fd://", "PrivateUsers", "@chown"]);
    has(&text, &["AmbientCapabilities=CAP_NET_BIND_SERVICE"]);

    let text = made(
        &["--bind", "fd://3", "--stats-bind", "unix:/srv/s/u.sock"],
        "/etc/unslow/app.ini",
    );
    has(&text, &["PrivateUsers=yes", "ReadWritePaths=/srv/s"]);
    lacks(&text, &["CAP_NET", "@chown"]);
}
