//! The end of a process and its fleet: the loads that it had begun, and the clients that come while
//! it ends.

use std::io::ErrorKind;
use std::net::TcpStream;

use nix::sys::signal::Signal;

use crate::fleet_support::{Fleet, HELD, post, value};
use crate::servers::wait_until as until;

#[test]
fn what_was_loading_behind_an_answer_is_finished_for_the_others() {
    let mut fleet = Fleet::start(&[HELD]);
    assert_eq!(value(&fleet.at(0).get("/q/held.json")), "v1");
    fleet.change("v2");
    let gate = fleet.gate();
    post(fleet.at(0), "/q/held/expire");
    assert_eq!(value(&fleet.at(0).get("/q/held.json")), "v1");
    until("a load runs behind the stale copy", || fleet.running() == 1);
    let ending = fleet.take(0);
    ending.signal(Signal::SIGTERM);
    until("nobody is answered any more", || {
        ending.log().contains("retired")
    });
    gate.open();
    assert!(ending.wait().success());
    let leases = |name: &String| name.ends_with(":l");
    assert_eq!(fleet.names("held").into_iter().find(leases), None);
    fleet.until_all_give("/q/held.json", "v2");
    assert_eq!(fleet.calls("pg_advisory"), 2);
}

#[test]
fn who_comes_while_it_ends_is_refused_at_once_and_who_was_there_is_answered() {
    let mut fleet = Fleet::start(&[HELD]);
    let gate = fleet.gate();
    let asked = fleet.at(0).send("GET", "/q/held.json", &[]);
    until("it loads", || fleet.running() == 1);
    let ending = fleet.take(0);
    ending.signal(Signal::SIGTERM);
    until("connections are refused", || {
        let came = TcpStream::connect(ending.address());
        came.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    gate.open();
    assert_eq!(value(&asked.answer()), "v1");
    assert!(ending.wait().success());
}
