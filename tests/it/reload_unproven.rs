//! A reload while the database is away: queries are taken unasked, and the next reload asks about them.

use nix::sys::signal::Signal;

use crate::end_to_end::start;
use crate::faults::{ECHO, without_redis};
use crate::servers::{Postgres, wait_until as until};

#[test]
fn a_query_that_was_taken_while_the_database_was_away_is_asked_about_by_the_next_reload() {
    let mut server = Postgres::start();
    let unslow = start(&without_redis(&server, "postgres", ""), &[ECHO]);
    assert_eq!(unslow.get("/q/echo.json?n=1").status, 200);
    let taken = || {
        let stats = unslow.get("/stats.json").json();
        stats["daemon"]["last_reload"]["ok"].as_bool()
    };
    server.kill();
    until("it is noticed", || {
        unslow.get("/q/echo.json?n=2");
        unslow.get("/readyz").json()["database"] == "down"
    });
    let wrong = unslow.folder().join("queries/wrong.sql");
    std::fs::write(&wrong, "select 1 as one frm facts").unwrap();
    unslow.signal(Signal::SIGHUP);
    until("it is taken", || taken() == Some(true));
    server.start_again();
    until("the database is used again", || {
        unslow.get("/q/echo.json?n=2").status == 200
    });
    unslow.signal(Signal::SIGHUP);
    until("it is refused", || taken() == Some(false));
    assert!(
        unslow
            .log()
            .contains("the database does not take this query")
    );
}
