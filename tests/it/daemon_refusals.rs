//! The reasons for which a reload changes nothing: the generation of before serves on under its
//! settings, and everybody who could want to know is told why.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};

use crate::daemon_home::ended;
use crate::daemon_support::{Daemon, free_address};
use crate::servers::certificates::Certificates;
use crate::servers::wait_until;

/// A word that an operator may find in the ini, and nowhere else.
const PASSWORD: &str = "hunter2";

const GOOD: &str = "[demo]\ndelay = 0s\n[cache]\nttl = 1h\n";

/// Tries a reload that must fail, and looks everywhere for these words.
#[track_caller]
fn refused(daemon: &Daemon, words: &[&str]) {
    let before = daemon.status();
    let body = daemon.get("/q/version.json");
    assert_eq!(body.0, 200, "{body:?}");
    let logged = daemon.log().len();
    ended(&daemon.run(&["reload"]), 1, words);
    let status = daemon.status();
    for same in ["generation", "listeners", "workers", "state"] {
        assert_eq!(status[same], before[same], "{same}");
    }
    assert_eq!(daemon.get("/q/version.json"), body);
    let log = daemon.log()[logged..].to_owned();
    let shown = daemon.stats()["daemon"].clone();
    assert_eq!(shown["generation"], before["generation"]);
    let (_, page) = daemon.get("/stats");
    // It is written as text that a browser would show.
    let page = page.replace("&quot;", "\"").replace("&amp;", "&");
    assert!(
        log.contains("not reloaded") && page.contains("not reloaded"),
        "{log}{page}"
    );
    for reload in [&status["last_reload"], &shown["last_reload"]] {
        assert_eq!(reload["ok"], false, "{reload}");
        for word in words {
            assert!(
                reload["message"].as_str().unwrap().contains(word),
                "{word}: {reload}"
            );
        }
    }
    for word in words {
        assert!(
            log.contains(word) && page.contains(word),
            "{word}: {log}{page}"
        );
    }
    for text in [log, page, shown.to_string(), status.to_string()] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn whatever_is_wrong_the_old_generation_serves_on_and_says_why() {
    let daemon = Daemon::start(GOOD);
    let ini = |more: &str| daemon.configure(&format!("{more}\n{GOOD}"));
    ini("this is no setting");
    refused(&daemon, &["app.ini"]);
    ini("wrokers = 3");
    refused(&daemon, &["wrokers", "workers"]);
    ini("home = none");
    refused(&daemon, &["\"none\"", "[server] home"]);
    ini("");
    fs::create_dir(daemon.path("queries")).unwrap();
    fs::write(daemon.path("queries/bad.sql"), "-- ttl: soon\nselect 1").unwrap();
    refused(&daemon, &["bad.sql"]);
    fs::remove_dir_all(daemon.path("queries")).unwrap();
    let [one, other] = ["one", "other"].map(|name| {
        fs::create_dir(daemon.path(name)).unwrap();
        Certificates::make(&daemon.path(name))
    });
    let (cert, key) = (one.certificate.display(), other.key.display());
    daemon.configure(&format!("{GOOD}[tls]\ncert = {cert}\nkey = {key}\n"));
    refused(&daemon, &["the key in", "[tls] cert, key"]);
    // A port that refuses, and one that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap();
    for address in ["127.0.0.1:1".to_owned(), silent.to_string()] {
        daemon.configure(&format!(
            "{GOOD}[postgres]\nurl = postgres://u:{PASSWORD}@{address}/d\n"
        ));
        refused(&daemon, &["the new database does not answer", "[postgres]"]);
        daemon.configure(&format!(
            "{GOOD}[redis]\nurl = redis://:{PASSWORD}@{address}\n"
        ));
        refused(&daemon, &["the new Redis does not answer", "[redis] url"]);
    }
    ini("");
    let said = daemon.reload();
    assert!(said.contains("generation 2"), "{said}");
    assert!(!daemon.get("/stats").1.contains("not reloaded"));
    assert_eq!(daemon.stats()["daemon"]["last_reload"]["ok"], true);
}

#[test]
fn an_address_or_a_file_that_cannot_be_had_changes_nothing_either() {
    let daemon = Daemon::start(GOOD);
    let holder = TcpListener::bind("127.9.8.6:0").unwrap();
    let (taken, free) = (holder.local_addr().unwrap(), free_address());
    let socket = daemon.path("web.sock");
    let bind = |more: &str| {
        let text = format!("[server]\nbind = {}, {more}\n{GOOD}", daemon.address);
        fs::write(daemon.path("app.ini"), text).unwrap();
    };
    // An address that was bound before it failed is let go of.
    bind(&format!("{free}, unix:{}, {taken}", socket.display()));
    refused(&daemon, &["in use", "[server] bind"]);
    assert!(!socket.exists());
    drop(TcpListener::bind(free).expect("nobody listens there"));
    drop(holder);
    bind(&format!("{free}\n[log]\nerror = /no/such/folder/error.log"));
    refused(&daemon, &["/no/such/folder", "[log] error"]);
    bind(&format!(
        "{free}\n[log]\naccess = /no/such/folder/access.log"
    ));
    refused(&daemon, &["/no/such/folder", "[log] access"]);
    drop(TcpListener::bind(free).expect("nobody listens there"));
    daemon.configure(GOOD);
    daemon.reload();
}

#[test]
fn a_port_below_1024_takes_a_right_that_was_given_up() {
    let lowest = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    if lowest.is_ok_and(|text| text.trim() == "0") {
        eprintln!("not tested: every user may listen on every port here");
        return;
    }
    let daemon = Daemon::prepare("");
    let mut settings = String::new();
    if nix::unistd::geteuid().is_root() {
        let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
        let folder = daemon.path("");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        chown(
            &folder,
            Some(nobody.uid.as_raw()),
            Some(nobody.gid.as_raw()),
        )
        .unwrap();
        settings = "user = nobody\numask = 022\n".to_owned();
    }
    daemon.configure(&format!("{settings}{GOOD}"));
    fs::set_permissions(daemon.path("app.ini"), fs::Permissions::from_mode(0o644)).unwrap();
    daemon.begin();
    wait_until("it serves", || daemon.get("/healthz").0 == 200);
    let text = format!(
        "[server]\nbind = {}, 127.9.8.6:81\n{settings}{GOOD}",
        daemon.address
    );
    fs::write(daemon.path("app.ini"), text).unwrap();
    refused(&daemon, &["127.9.8.6:81", "ports below 1024"]);
}
