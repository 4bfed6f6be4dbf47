//! The logs of the real binary: their forms, syslog on sockets of the test's own, that a log which
//! cannot be written stops nothing, and how logs change under a daemon that is asked for pages.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::daemon_support::{Crowd, Daemon, said};
use crate::servers::wait_until as until;
use crate::unslow::{LOST, Unslow, run};

/// The demo without its wait, with these arguments.
fn start(args: &[&str]) -> Unslow {
    Unslow::start(&[&["--demo-delay", "0s"], args].concat())
}

fn lost(unslow: &Unslow, log: &str) -> u64 {
    let stats = unslow.get("/stats.json").json();
    stats["logs"]["lost"][log]
        .as_u64()
        .unwrap_or_else(|| panic!("no logs.lost.{log} in {stats}"))
}

#[test]
fn a_line_in_gunicorns_way_has_what_was_asked_for_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let format = "%(h)s %(u)s \"%(r)s\" %(m)s %(U)s?%(q)s %(H)s %(s)s %(B)s %(a)s \
                  %({authorization}i)s %({cookie}i)s %({x-request-id}o)s %({cache-status}o)s %(p)s";
    let unslow = start(&[
        "--access-logfile",
        log.to_str().unwrap(),
        "--access-logformat",
        format,
    ]);
    let answer = unslow.get_with(
        "/q/version.json?password=hunter2",
        &[
            ("Authorization", "Basic YWRhOmh1bnRlcjI="),
            ("Cookie", "session=hunter2"),
            ("User-Agent", "test"),
            ("X-Request-Id", "id-1"),
        ],
    );
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    until("the line is there", || text().ends_with('\n'));
    let (status, length) = (answer.status, answer.body.len());
    let expected = format!(
        "127.0.0.1 ada \"GET /q/version.json?… HTTP/1.1\" GET /q/version.json?… HTTP/1.1 {status} \
         {length} test *** *** id-1 - <{}>\n",
        unslow.pid()
    );
    assert_eq!(text(), expected);
}

#[test]
fn an_identifier_that_is_not_known_is_refused_at_the_check() {
    let output = run(&["check", "--access-log-format", "%(h)s %(z)s"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{error}");
    for word in ["%(z)s", "h l u t r m U q", "[log] access_format"] {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}

#[test]
fn a_full_disk_stops_nothing_and_is_counted() {
    let unslow = start(&["--access-log", "/dev/full", "--error-log", "/dev/full"]);
    for _ in 0..5 {
        assert_eq!(unslow.get("/q/version.json").status, 200);
    }
    until("the lines are counted", || lost(&unslow, "access") >= 5);
    assert!(lost(&unslow, "error") >= 1, "that it started is one");
    assert_eq!(lost(&unslow, "syslog"), 0);
    unslow.signal(Signal::SIGTERM);
    assert!(unslow.wait().success());
}

#[test]
fn a_stream_that_nobody_reads_any_more_stops_nothing_and_is_counted() {
    // The caller reads one line and closes the pipe.
    let unslow = start(&["--access-log", "-"]);
    assert_eq!(unslow.get("/q/version.json").status, 200);
    until("the line is counted", || lost(&unslow, "access") >= 1);
    assert_eq!(unslow.get("/healthz").status, 200);
    let log = unslow.log();
    assert_eq!(
        log.matches("access log cannot be written").count(),
        1,
        "{log}"
    );
}

/// Receives until a message has these words.
fn message(receive: impl Fn(&mut [u8]) -> std::io::Result<usize>, words: &[&str]) -> String {
    let mut buffer = [0; 10_000];
    loop {
        let length = receive(&mut buffer).unwrap_or_else(|error| panic!("{words:?}: {error}"));
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if words.iter().all(|word| text.contains(word)) {
            return text;
        }
    }
}

#[test]
fn syslog_over_udp_gets_both_logs() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(LOST)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    let unslow = start(&[
        "--syslog",
        &format!("udp://{}", socket.local_addr().unwrap()),
        "--syslog-facility",
        "local0",
        "--access-log",
        log.to_str().unwrap(),
    ]);
    let message = |words: &[&str]| message(|buffer| socket.recv(buffer), words);
    let started = message(&["started"]);
    let process = format!(" unslow {} - - unslow::", unslow.pid());
    assert!(started.starts_with("<134>1 "), "{started}");
    assert!(started.contains(&process), "{started}");
    unslow.get("/q/version.json?password=hunter2");
    let line = message(&["/q/version.json"]);
    let process = format!(" unslow {} access - 127.0.0.1 - - [", unslow.pid());
    assert!(line.contains(&process), "{line}");
    assert!(!line.contains("hunter2"), "{line}");
    let text = || std::fs::read_to_string(&log).unwrap();
    until("the file has it too", || text().contains("/q/version.json"));
    // A line that is written while it ends gets there too.
    unslow.signal(Signal::SIGTERM);
    message(&["draining"]);
    assert!(unslow.wait().success());
}

#[test]
fn a_syslog_socket_that_was_replaced_gets_what_is_said_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let listen = |path: &Path| {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(LOST)).unwrap();
        socket
    };
    let old = listen(&path);
    let address = format!("unix://{}", path.display());
    let unslow = start(&["--log-syslog-to", &address, "--access-log", "/dev/null"]);
    message(|buffer| old.recv(buffer), &["<30>1 ", "started"]);
    drop(old);
    std::fs::remove_file(&path).unwrap();
    for page in ["/healthz", "/q"] {
        assert_eq!(unslow.get(page).status, 200);
    }
    let new = listen(&path);
    message(|buffer| new.recv(buffer), &[" access - ", "/healthz"]);
    message(|buffer| new.recv(buffer), &[" access - ", "GET /q "]);
    assert_eq!(lost(&unslow, "syslog"), 0);
}

const PATH: &str = "/q/version.json";

/// All lines of the files in the daemon's folder whose names begin so.
fn lines(daemon: &Daemon, name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(daemon.path("")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with(name) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines
}

#[test]
fn rotations_and_reloads_under_load_lose_no_line() {
    let daemon = Daemon::start(
        "keep_alive = 1s\n[log]\naccess = access.log\n[demo]\ndelay = 0s\n\
         [stats]\nallow = 127.0.0.1\n",
    );
    let (status, body) = daemon.get(PATH);
    assert_eq!(status, 200, "{body}");
    let crowd = Crowd::begin(daemon.address, PATH, &body, 16);
    for round in 0..6 {
        crowd.wait_for_more(50);
        let names = ["access.log", "error.log"];
        for name in names {
            let old = daemon.path(&format!("{name}.{round}"));
            std::fs::rename(daemon.path(name), old).unwrap();
        }
        if round % 2 == 0 {
            daemon.signal(Signal::SIGUSR1);
        } else {
            let output = daemon.run(&["reopen"]);
            assert!(output.status.success(), "{}", said(&output));
        }
        until("both files are there again", || {
            names.iter().all(|name| daemon.path(name).exists())
        });
        if round % 3 == 1 {
            // Two generations write from here on, until the older one has retired.
            let output = daemon.run(&["reload"]);
            assert!(output.status.success(), "{}", said(&output));
        }
    }
    let answered = crowd.end();
    let numbers: serde_json::Value = serde_json::from_str(&daemon.get("/stats.json").1).unwrap();
    assert_eq!(numbers["logs"]["lost"]["error"], 0);
    let dropped = numbers["logs"]["lost"]["access"].as_u64().unwrap();
    let output = daemon.run(&["stop"]);
    assert!(output.status.success(), "{}", said(&output));
    let request = format!("\"GET {PATH} HTTP/1.1\" 200 ");
    let mut found = 0;
    for line in lines(&daemon, "access.log") {
        let whole = line.starts_with("127.0.0.1 - - [") && line.matches("HTTP/1.1").count() == 1;
        assert!(whole, "{line}");
        found += u64::from(line.contains(&request));
    }
    assert_eq!(found + dropped, answered + 1);
    let ended = |line: &String| line.ends_with(": ended");
    assert_eq!(
        lines(&daemon, "error.log")
            .into_iter()
            .filter(ended)
            .count(),
        1
    );
}

#[test]
fn a_reload_changes_the_logs_or_leaves_them_as_they_are() {
    let daemon = Daemon::start("[log]\nlevel = warn\n[demo]\ndelay = 0s\n");
    daemon.configure("[log]\nerror = missing/other.log\nlevel = info\n");
    let output = daemon.run(&["reload"]);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("missing/other.log"),
        "{}",
        said(&output)
    );
    assert!(
        daemon.log().contains("missing/other.log"),
        "{}",
        daemon.log()
    );
    daemon.configure(
        "[log]\nerror = other.log\nlevel = info\naccess = access.log\n\
         access_format = %(m)s %(U)s %(s)s\n[demo]\ndelay = 0s\n",
    );
    let output = daemon.run(&["reload"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(daemon.get(PATH).0, 200);
    let output = daemon.run(&["stop"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(lines(&daemon, "access.log"), [format!("GET {PATH} 200")]);
    let other = lines(&daemon, "other.log");
    assert!(
        other.iter().any(|line| line.ends_with(": ended")),
        "{other:?}"
    );
    assert!(!daemon.log().contains(": ended"), "{}", daemon.log());
}

#[test]
fn a_query_that_fails_for_every_request_is_one_error_line_and_its_ids_are_in_the_other_logs() {
    const BROKEN: (&str, &str) = (
        "queries/broken.sql",
        "-- cache: off\nselect abs(-9223372036854775807 - 1) as n",
    );
    for level in ["info", "debug"] {
        let folder = tempfile::tempdir().unwrap();
        let access = folder.path().join("access.log");
        let args = ["--queries", "queries", "--log-level", level, "--access-log"];
        let args = [&args[..], &[access.to_str().unwrap()]].concat();
        let unslow = Unslow::start_with(&args, &[BROKEN], &[]);
        let ids: Vec<_> = (0..30).map(|number| format!("id-{number}-end")).collect();
        for (number, id) in ids.iter().enumerate() {
            let path = ["/q/broken.json", "/q/broken"][number % 2];
            let answer = unslow.get_with(path, &[("X-Request-Id", id)]);
            assert_eq!(answer.status, 503, "{}", answer.text());
        }
        let lines = |text: String| -> Vec<String> {
            let failed = text.lines().filter(|line| line.contains("broken"));
            failed.map(str::to_owned).collect()
        };
        until("the last one is in the access log", || {
            let text = std::fs::read_to_string(&access).unwrap_or_default();
            ids.iter().all(|id| text.contains(id.as_str()))
        });
        let errors = lines(unslow.log());
        let count = |word: &str| errors.iter().filter(|line| line.contains(word)).count();
        assert_eq!(count(" ERROR "), 1, "{errors:#?}");
        assert!(
            errors
                .iter()
                .any(|line| line.contains(" ERROR ") && line.contains(&ids[0]))
        );
        if level == "debug" {
            let log = unslow.log();
            assert!(ids.iter().all(|id| log.contains(id.as_str())), "{log}");
        }
    }
}
