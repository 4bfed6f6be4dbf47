//! `[stats] bind`: what is for operators has an address of its own and is nowhere else, through
//! reloads and upgrades.

use std::net::SocketAddr;

use crate::daemon_support::{Client, Daemon, free_address};

const OPERATORS: [&str; 6] = [
    "/stats",
    "/stats.json",
    "/st%61ts",
    "/stats%2Ejson",
    "/metrics",
    "/stats.csv",
];
const VISITORS: [&str; 4] = ["/", "/q", "/q/version", "/q/versio%6e.json"];

fn status(address: SocketAddr, path: &str) -> u16 {
    let mut client = Client::new(address, path);
    client.ask(true).unwrap().0
}

/// Visitors find their pages at the one address, operators theirs at the other, and nothing else.
#[track_caller]
fn assert_apart(visitors: SocketAddr, operators: SocketAddr) {
    for path in OPERATORS {
        assert_eq!(status(visitors, path), 404, "{path}");
    }
    for path in VISITORS {
        assert_eq!(status(visitors, path), 200, "{path}");
        assert_eq!(status(operators, path), 404, "{path}");
    }
    for path in ["/stats", "/stats.json", "/st%61ts"] {
        assert_eq!(status(operators, path), 200, "{path}");
    }
    for (address, pages) in [
        (visitors, ["/", "/q", "/nowhere"]),
        (operators, ["/stats", "/nowhere", "/q/version"]),
    ] {
        for page in pages {
            let (_, text) = Client::new(address, page).ask(true).unwrap();
            for link in text.split("href=\"").skip(1) {
                let link = link.split(['"', '#']).next().unwrap();
                if link.starts_with('/') {
                    assert_eq!(status(address, link), 200, "{link} on {page}");
                }
            }
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            (status(visitors, path), status(operators, path)),
            (200, 200)
        );
    }
}

#[test]
fn operators_have_an_address_of_their_own_through_reload_and_upgrade() {
    let ini = "[demo]\ndelay = 0s\n";
    let operators = free_address();
    let apart = format!("{ini}[stats]\nbind = {operators}\nallow = 127.0.0.0/8\n");
    let daemon = Daemon::start(&apart);
    assert_apart(daemon.address, operators);
    let purge = daemon.run(&["purge", "version"]);
    assert!(purge.status.success(), "it finds the address by itself");
    daemon.reload();
    assert_apart(daemon.address, operators);
    let upgrade = daemon.run(&["upgrade"]);
    assert!(upgrade.status.success(), "{}", daemon.log());
    assert_apart(daemon.address, operators);
    // Settings bring it and take it away.
    daemon.configure(ini);
    daemon.reload();
    assert_eq!(status(daemon.address, "/stats.json"), 200);
    assert!(std::net::TcpStream::connect(operators).is_err());
    daemon.configure(&apart);
    daemon.reload();
    assert_apart(daemon.address, operators);
}
