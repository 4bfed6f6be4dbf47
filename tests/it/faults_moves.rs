//! A database that moves: its name leads to another address, where a standby has become the primary.
//! It owns what a failover costs; another database behind the same name is no failover, and is not
//! tested here.

use crate::end_to_end::File;
use crate::faults::{ECHO, echo};
use crate::servers::{Postgres, Relay, wait_until as until};
use crate::unslow::Unslow;

/// A query whose copies are old at once, so that each request needs the database.
const BRIEF: File<'_> = (
    "queries/brief.sql",
    "-- ttl: 1ms\n-- param: n integer\nselect :n as n, pg_is_in_recovery() as standby",
);

const HOME: &str = "127.0.0.1 localhost\n127.0.0.1 db.test\n";
const MOVED: &str = "127.0.0.1 localhost\n127.0.0.2 db.test\n";

#[test]
fn a_name_that_moves_to_the_promoted_standby_is_followed_and_no_copy_is_lost() {
    let mut primary = Postgres::start();
    let standby = primary.standby();
    // The same port at another address, as a managed database has it.
    let address = format!("127.0.0.2:{}", primary.port());
    let _elsewhere = Relay::at(&address, standby.port());
    let ini = format!(
        "[postgres]\nhost=db.test\nport={}\ndatabase=postgres\nuser=master\npassword=secret\n\
         [cache]\nttl=1h\n",
        primary.port()
    );
    let files = [("app.ini", ini.as_str()), ("hosts", HOME), ECHO, BRIEF];
    let unslow = Unslow::start_with_hosts(&["--config", "app.ini"], &files);
    for n in 1..=3 {
        assert_eq!(echo(&unslow, n).status, 200);
        assert_eq!(unslow.get(&format!("/q/brief.json?n={n}")).status, 200);
    }
    primary.kill();
    let all_have_copies = || {
        for n in 1..=3 {
            assert_eq!(echo(&unslow, n).status, 200);
            assert_eq!(unslow.get(&format!("/q/brief.json?n={n}")).status, 200);
        }
    };
    until("the end of the old one is noticed", || {
        all_have_copies();
        unslow.get("/readyz").json()["database"] == "down"
    });
    standby.promote();
    std::fs::write(unslow.folder().join("hosts"), MOVED).unwrap();
    until("the new one is used", || {
        all_have_copies();
        echo(&unslow, 1000).status == 200
    });
    let numbers = unslow.numbers("echo");
    assert_eq!(numbers["miss"], 4, "copies outlive the failover: {numbers}");
    let standby = unslow.get("/q/brief.json?n=7").json();
    assert_eq!(standby["rows"][0]["standby"], false);
}
