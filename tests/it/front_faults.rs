//! Instances behind the front proxies that end, are killed, refuse or break off: whom that reaches.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::front_support::{Crowd, Fake, STRANGER, address, instance};
use crate::servers::front::{Front, Kind};
use crate::servers::wait_until as until;

/// An answer that is the same from each instance.
const PATH: &str = "/q/version.json";

#[test]
fn of_three_instances_one_ends_and_one_is_killed_and_no_request_is_lost() {
    for kind in Kind::ALL {
        let [ended, killed, third] = [(); 3].map(|()| instance(kind, &["--ttl", "1h"]));
        let body = third.get(PATH).text();
        let all = [&ended, &killed, &third].map(address);
        let front = Arc::new(Front::start(kind, &all));
        let crowd = Crowd::begin(&front, PATH, &body, 4);
        crowd.wait_for_more(50);
        ended.signal(Signal::SIGTERM);
        assert!(ended.wait().success(), "{kind:?}");
        crowd.wait_for_more(50);
        killed.signal(Signal::SIGKILL);
        killed.wait();
        crowd.wait_for_more(100);
        let lost = crowd.end();
        let first = lost.first();
        let logs = front.logs();
        assert!(
            lost.is_empty(),
            "{kind:?}: {} lost: {first:?}\n{logs}",
            lost.len()
        );
    }
}

#[test]
fn an_instance_that_refuses_everything_is_passed_over() {
    for kind in Kind::ALL {
        let good = instance(kind, &["--ttl", "1h"]);
        let draining = Fake::start(|_| Some((503, "draining")));
        let front = Front::start(kind, &[draining.address, address(&good)]);
        if kind == Kind::Caddy {
            // It repeats nothing that was answered; it sees at /readyz that nobody is to be sent.
            let healthy = || (0..8).all(|_| front.get(PATH, &[]).status == 200);
            until("Caddy has asked /readyz", || {
                !draining.asked("/readyz").is_empty() && healthy()
            });
        }
        for _ in 0..40 {
            assert_eq!(front.get(PATH, &[]).status, 200, "{kind:?}");
        }
    }
}

/// Answers as unslow does while its database is away: a copy is served, the rest is a 503.
fn without_database(head: &str) -> (u16, &'static str) {
    if head.starts_with("GET /q/lost") {
        (503, "no copy")
    } else {
        (200, "a copy")
    }
}

#[test]
fn what_no_instance_can_load_leaves_the_way_to_the_others_open() {
    for kind in Kind::ALL {
        for number in 1..=3 {
            let fakes: Vec<_> = (0..number)
                .map(|_| Fake::start(|head| Some(without_database(head))))
                .collect();
            let addresses: Vec<_> = fakes.iter().map(|fake| fake.address).collect();
            let front = Front::start(kind, &addresses);
            for _ in 0..10 {
                let lost = front.get("/q/lost", &[]);
                assert_eq!(
                    (lost.status, lost.text()),
                    (503, "no copy".into()),
                    "{kind:?}"
                );
                let copy = front.get("/q/kept", &[]);
                assert_eq!(
                    (copy.status, copy.text()),
                    (200, "a copy".into()),
                    "{kind:?}"
                );
            }
        }
    }
}

/// Breaks off where an answer is due, but for the proxy's checks.
fn breaks_off(head: &str) -> Option<(u16, &'static str)> {
    head.contains(" /readyz ").then_some((200, "ready"))
}

#[test]
fn a_get_that_breaks_off_is_asked_of_another_and_a_post_is_never_sent_twice() {
    for kind in Kind::ALL {
        let breaking = Fake::start(breaks_off);
        let good = Fake::start(|_| Some((200, "done")));
        let front = Front::start(kind, &[breaking.address, good.address]);
        until("a GET met the one that breaks off", || {
            assert_eq!(front.get("/q/one", &[]).status, 200, "{kind:?}");
            !breaking.asked("/q/one").is_empty()
        });
        let mut sent = 0;
        until("a POST met it too", || {
            let length = [("Content-Length", "0")];
            let answer = front.request(STRANGER, "POST /q/one/purge", &length);
            sent += 1;
            let broken = breaking.asked("/q/one/purge").len();
            let done = good.asked("/q/one/purge").len();
            assert_eq!(broken + done, sent, "{kind:?}");
            assert_eq!(answer.status == 200, broken == 0, "{kind:?}");
            broken > 0
        });
    }
}

#[test]
fn an_instance_that_haproxy_is_told_to_drain_gets_nothing_new_until_it_is_ready() {
    let fakes = [(); 2].map(|()| Fake::start(|_| Some((200, "here"))));
    let front = Front::start(Kind::Haproxy, &[fakes[0].address, fakes[1].address]);
    let tell = |state: &str| {
        let mut socket = UnixStream::connect(front.file("admin.sock")).unwrap();
        let command = format!("set server unslow/two state {state}\n");
        socket.write_all(command.as_bytes()).unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).unwrap();
        assert_eq!(said.trim(), "");
    };
    tell("drain");
    for _ in 0..20 {
        assert_eq!(front.get("/q/one", &[]).status, 200);
    }
    assert_eq!(fakes[0].asked("/q/one").len(), 20);
    tell("ready");
    until("it is asked again", || {
        front.get("/q/one", &[]);
        !fakes[1].asked("/q/one").is_empty()
    });
}
